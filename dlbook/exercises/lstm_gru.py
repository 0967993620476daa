"""Exercises of the chapter "LSTM and GRU"."""
# mypy: disable-error-code="no-untyped-def, no-untyped-call"

import math

import torch

from dlbook.exercises._core import Exercise

# --- predict --------------------------------------------------------------------------------

two_steps = Exercise(
    "lstm-gru.two-steps",
    "Two steps of a cell",
    kind="predict",
    effort=1,
    statement=r"""
    An LSTM with one unit begins with $c_0 = 2$ and $h_0 = 0$. Its forget gate is 0.5 at the first step and 1 at the
    second, its input gate 0.5 and then 0.25, its output gate 0.5 and then 0. The candidates are $-0.8$ and 0.8. Give $c_1$, $h_1$, $c_2$,
    $h_2$, with three digits behind the point.
    """,
    hints=[
        "Gates multiply: how much of the old cell stays, and how much of the candidate comes in?",
        r"A state is the output gate times the tanh of the *new* cell.",
    ],
    outputs=("c1", "h1", "c2", "h2"),
    atol=0.0006,
)


@two_steps.stub
def two_cells_and_states():
    """Return c1, h1, c2, h2."""


@two_steps.reference
def two_cells_and_states_reference():
    c1 = 0.5 * 2 + 0.5 * -0.8
    h1 = 0.5 * math.tanh(c1)
    c2 = 1 * c1 + 0.25 * 0.8
    return c1, h1, c2, 0 * math.tanh(c2)


two_steps.wrong_value(
    (0.6, 0.3, 0.8, 0.0), "the output gate shows the tanh of the cell, not the cell itself"
)
two_steps.wrong_value(
    (0.6, 0.269, 0.8, 0.664), "the second output gate is shut: the cell knows, and doesn't tell"
)
two_steps.wrong_value((1.4, 0.443, 1.6, 0.0), "the first candidate is negative")
two_steps.wrong_value((0.6, 0.269, 1.4, 0.0), "the second input gate lets a quarter in")

counts = Exercise(
    "lstm-gru.how-many",
    "How many numbers",
    kind="predict",
    effort=1,
    statement=r"""
    Layers with 10 inputs and 20 units, with PyTorch's two biases. How many parameters has the LSTM, how many the GRU?
    And how many numbers does each carry from one step to the next? Four whole numbers.
    """,
    hints=[
        "A simple recurrent layer has $20 \\cdot 10 + 20 \\cdot 20 + 2 \\cdot 20$ parameters. How many such blocks are there?",
        "What does a step need of the one before: the state alone, or more?",
    ],
    outputs=("lstm", "gru", "lstm_carries", "gru_carries"),
)


@counts.stub
def four_counts():
    """Return the parameters of the LSTM and the GRU, and what each carries."""


@counts.reference
def four_counts_reference():
    block = 20 * 10 + 20 * 20 + 2 * 20  # W, U and two biases
    return 4 * block, 3 * block, 2 * 20, 20


counts.wrong_value((2560, 1920, 20, 20), "the LSTM hands on two vectors: its cell, too")
counts.wrong_value((2480, 1860, 40, 20), "PyTorch's layers have two biases in each block")
counts.wrong_value((640, 640, 40, 20), "that is one block; each gate and the candidate has its own")
counts.wrong_value((2560, 2560, 40, 20), "a GRU has no output gate, and one gate does for two")

# --- derive ---------------------------------------------------------------------------------

half_life = Exercise(
    "lstm-gru.half-life",
    "A bias for a half-life",
    kind="derive",
    effort=2,
    statement=r"""
    At the start of training, a forget gate is $\sigma(b)$, the same at every step. Along the direct path half of a
    cotangent is to arrive over $k$ steps. Which $b$? Write it as `forget_bias(k)`, so that it is also right for a $k$ of $10^{12}$ and more, where
    $2^{1/k}$ can hardly be told from 1; the relative error may be $10^{-6}$. What does $b$ tend to for large $k$: how much must be added to it for twice the half-life?
    """,
    hints=[
        r"What is left after $k$ steps is $\sigma(b)^k$. Solve for $\sigma(b)$, then for $b$: $\sigma(b) = 1/(1 + e^{-b})$.",
        r"$e^{-b} = 2^{1/k} - 1$ is a difference of nearly equal numbers when $k$ is large. `math.expm1(x)` is "
        "$e^x - 1$ without that loss.",
    ],
    rtol=1e-6,
)


@half_life.stub
def forget_bias(k):
    """Return the bias of a forget gate that keeps half over k steps, a float.

    Args:
        k: steps, at least 1.
    """


@half_life.reference
def forget_bias_reference(k):
    # sigma(b)^k = 1/2, so sigma(b) = 2^(-1/k). With sigma(b) = 1/(1 + exp(-b)):
    # 1 + exp(-b) = 2^(1/k), and b = -log(2^(1/k) - 1). With 2^(1/k) = exp(log 2 / k) the
    # difference is expm1(log 2 / k). For large k it is about log 2 / k, so that b is about
    # log k - log log 2: twice the half-life costs log 2 = 0.69 more.
    return -math.log(math.expm1(math.log(2) / k))


@half_life.inputs
def half_life_inputs(random):
    return (random.number(1.0, 500.0),)


@half_life.probe("a million steps and more")
def half_life_long(random):
    return (1e6 * random.number(1.0, 1000.0),)


@half_life.probe("10^14 steps and more")
def half_life_endless(random):
    return (1e14 * random.number(1.0, 10.0),)


@half_life.wrong("that is the logarithm of the gate, not its bias: undo the logistic function")
def bias_of_the_log(k):
    return -math.log(2) / k


@half_life.wrong("that keeps half over one step, whatever k is")
def bias_for_one(k):
    return 0.0


@half_life.wrong("upside down: an open gate has a positive bias")
def bias_of_the_shut(k):
    return math.log(math.expm1(math.log(2) / k))


@half_life.wrong(
    "2^(1/k) − 1 is a difference of nearly equal numbers: there is a function without the loss"
)
def bias_with_loss(k):
    return -math.log(2 ** (1 / k) - 1)


@half_life.wrong("that keeps 1/e over k steps, not one half")
def bias_of_e(k):
    return -math.log(math.expm1(1 / k))


coupled = Exercise(
    "lstm-gru.coupled",
    "One gate for two",
    kind="derive",
    effort=2,
    statement=r"""
    Couple the gates of an LSTM cell: what is forgotten is replaced, $i = 1 - f$. With $f = \sigma(a)$ and a candidate $g$ the new
    cell is $c' = f\,c + (1 - f)\,g$. Given the cotangent $\bar c'$ of the new cell, derive those of $a$, $c$ and $g$. Write
    `coupled_back(c_bar, a, c, g)`, for tensors of one shape. Tolerance: $10^{-5}$.
    """,
    hints=[
        "Write $c' = g + f\\,(c - g)$. By how much does $f$ move it?",
        r"$\sigma' = \sigma(1 - \sigma)$.",
    ],
    outputs=("a_bar", "old_bar", "g_bar"),
    atol=1e-5,
)


@coupled.stub
def coupled_back(c_bar, a, c, g):
    """Return the cotangents of a, c and g.

    Args:
        c_bar: cotangent of the new cell.
        a: pre-activation of the forget gate.
        c: the old cell.
        g: the candidate.
    """


@coupled.reference
def coupled_back_reference(c_bar, a, c, g):
    # c' = g + f (c - g): its derivative by f is c - g, by c it is f, by g it is 1 - f.
    # And f = sigma(a) has the slope f (1 - f).
    f = torch.sigmoid(a)
    return c_bar * (c - g) * f * (1 - f), c_bar * f, c_bar * (1 - f)


@coupled.inputs
def coupled_inputs(random):
    B, H = random.sizes(2)
    return tuple(random.normal(B, H) for _ in range(4))


@coupled.wrong("f acts in two places: it keeps c, and it keeps g out")
def coupled_one_way(c_bar, a, c, g):
    f = torch.sigmoid(a)
    return c_bar * c * f * (1 - f), c_bar * f, c_bar * (1 - f)


@coupled.wrong("the slope of the logistic function is missing in the first")
def coupled_without_slope(c_bar, a, c, g):
    f = torch.sigmoid(a)
    return c_bar * (c - g), c_bar * f, c_bar * (1 - f)


@coupled.wrong("the candidate receives what the cell does not: 1 − f")
def coupled_same_share(c_bar, a, c, g):
    f = torch.sigmoid(a)
    return c_bar * (c - g) * f * (1 - f), c_bar * f, c_bar * f


# --- program --------------------------------------------------------------------------------

from_deck = Exercise(
    "lstm-gru.from-letters",
    "From the slide's letters to PyTorch's",
    kind="program",
    effort=2,
    statement=r"""
    A slide gives $W_f, W_i, W_o, W_c$, each of shape (H, D), then $U_f, U_i, U_o, U_c$, each (H, H), and $b_f, b_i, b_o, b_c$, each (H,). Write
    `stacked(W, U, b)`, which takes three dictionaries with the keys `"f"`, `"i"`, `"o"`, `"c"` and returns `weight_ih`, `weight_hh`,
    `bias_ih` and `bias_hh` such that `nn.LSTM` with these computes what the slide says. The second bias is to be zero.
    """,
    hints=[
        "PyTorch's blocks of rows: i, f, g, o. Which letter of the slide is g?",
        "`torch.cat` puts blocks of rows below each other; PyTorch adds its two biases.",
    ],
    outputs=("weight_ih", "weight_hh", "bias_ih", "bias_hh"),
)


@from_deck.stub
def stacked(W, U, b):
    """Return the four tensors of PyTorch's layer.

    Args:
        W: weights of the input by letter, (H, D) each.
        U: weights of the state by letter, (H, H) each.
        b: biases by letter, (H,) each.
    """


@from_deck.reference
def stacked_reference(W, U, b):
    w_ih, w_hh, bias = (torch.cat([by[key] for key in "ifco"]) for by in (W, U, b))
    return w_ih, w_hh, bias, torch.zeros_like(bias)


@from_deck.inputs
def stacked_inputs(random):
    D, H = random.sizes(2)
    shapes = ((H, D), (H, H), (H,))
    return tuple({key: random.normal(*shape) for key in "fioc"} for shape in shapes)


@from_deck.wrong("the slide's order is f, i, o, c; PyTorch's is i, f, g, o")
def stacked_as_the_slide(W, U, b):
    w_ih, w_hh, bias = (torch.cat([by[key] for key in "fioc"]) for by in (W, U, b))
    return w_ih, w_hh, bias, torch.zeros_like(bias)


@from_deck.wrong("the candidate comes third in PyTorch, the output gate last")
def stacked_output_third(W, U, b):
    w_ih, w_hh, bias = (torch.cat([by[key] for key in "ifoc"]) for by in (W, U, b))
    return w_ih, w_hh, bias, torch.zeros_like(bias)


@from_deck.wrong("PyTorch adds both biases: the second is to be zero, or it counts twice")
def stacked_twice(W, U, b):
    w_ih, w_hh, bias = (torch.cat([by[key] for key in "ifco"]) for by in (W, U, b))
    return w_ih, w_hh, bias, bias.clone()


gru_back = Exercise(
    "lstm-gru.gru-step-back",
    "One step of a GRU, backwards",
    kind="program",
    effort=3,
    statement=r"""
    One unit of a GRU, by itself, so that all letters are numbers or tensors of one shape, and products go entry by entry. Given
    are $h = h_{t-1}$, the gates $r$, $z$, the candidate $n = \tanh(a + r\,q)$ and $q = u\,h$, so that $h_t = (1 - z)\,n + z\,h$. The
    gates have the pre-activations $a_r + u_r h$ and $a_z + u_z h$. Write `gru_step_back(h_bar, h, r, z, n, u, u_r, u_z)`, which returns the
    cotangent of $h_{t-1}$ by this step, where `h_bar` is that of $h_t$. No automatic differentiation. Tolerance: $10^{-5}$.
    """,
    hints=[
        "The old state acts in four ways: it is kept, and it enters the candidate and both gates.",
        r"First the cotangents of the three pre-activations. The reset gate gets its own by way of $q$: $\bar r = \bar a\,q$.",
    ],
    atol=1e-5,
)


@gru_back.stub
def gru_step_back(h_bar, h, r, z, n, u, u_r, u_z):
    """Return the cotangent of the state before this step.

    Args:
        h_bar: cotangent of the state after the step.
        h: the state before the step.
        r: reset gate.
        z: update gate.
        n: candidate.
        u: weight from the state to the candidate.
        u_r: weight from the state to the reset gate.
        u_z: weight from the state to the update gate.
    """


@gru_back.reference
def gru_step_back_reference(h_bar, h, r, z, n, u, u_r, u_z):
    a_bar = h_bar * (1 - z) * (1 - n * n)
    r_bar = a_bar * (u * h) * r * (1 - r)
    z_bar = h_bar * (h - n) * z * (1 - z)
    return h_bar * z + a_bar * r * u + r_bar * u_r + z_bar * u_z


@gru_back.inputs
def gru_back_inputs(random):
    B, H = random.sizes(2)
    h_bar, h, a, b, c, u, u_r, u_z = (random.normal(B, H) for _ in range(8))
    return h_bar, h, torch.sigmoid(a), torch.sigmoid(b), torch.tanh(c), u, u_r, u_z


@gru_back.wrong("that is the direct path alone; the old state also enters candidate and gates")
def gru_direct_only(h_bar, h, r, z, n, u, u_r, u_z):
    return h_bar * z


@gru_back.wrong("on the way to the candidate the reset gate multiplies what the state gives")
def gru_without_reset(h_bar, h, r, z, n, u, u_r, u_z):
    a_bar = h_bar * (1 - z) * (1 - n * n)
    r_bar = a_bar * (u * h) * r * (1 - r)
    z_bar = h_bar * (h - n) * z * (1 - z)
    return h_bar * z + a_bar * u + r_bar * u_r + z_bar * u_z


@gru_back.wrong("the update gate moves h_t by h − n: it keeps the old, and keeps the new out")
def gru_gate_one_way(h_bar, h, r, z, n, u, u_r, u_z):
    a_bar = h_bar * (1 - z) * (1 - n * n)
    r_bar = a_bar * (u * h) * r * (1 - r)
    z_bar = h_bar * h * z * (1 - z)
    return h_bar * z + a_bar * r * u + r_bar * u_r + z_bar * u_z


@gru_back.wrong("the path by way of the reset gate is missing")
def gru_no_reset_path(h_bar, h, r, z, n, u, u_r, u_z):
    a_bar = h_bar * (1 - z) * (1 - n * n)
    z_bar = h_bar * (h - n) * z * (1 - z)
    return h_bar * z + a_bar * r * u + z_bar * u_z


# --- break ----------------------------------------------------------------------------------

explode = Exercise(
    "lstm-gru.explode",
    "An LSTM that explodes",
    kind="break",
    effort=2,
    statement=r"""
    A cell's direct path never makes a cotangent longer, for a gate is at most 1. Yet an LSTM can explode. Find biases $b_f$, $b_i$,
    $b_o$ and the weight $u$ from $h_{t-1}$ to the candidate, all between $-6$ and 6, for an LSTM with one unit and no other
    weights ($\tilde c_t = \tanh(x_t + u\,h_{t-1})$, the gates are constant), such that over 20 steps without input, $x_t = 0$,
    beginning with $c_0 = 0$ and $h_0 = 0$, the derivative of $c_{20}$ by $c_0$, all paths together, exceeds 1000. Return `(b_f, b_i, b_o, u)`.
    """,
    hints=[
        "At rest the cell is 0 and everything is linear. What does one step multiply by?",
        r"Directly by $f$, and on the detour by way of the state by $o$, $u$ and $i$.",
    ],
)


@explode.stub
def exploding_cell():
    """Return b_f, b_i, b_o, u, each from -6 to 6."""


@explode.reference
def exploding_cell_reference():
    # At rest c_t = (f + i u o) c_{t-1}. With all gates half open that is 0.5 + 0.25 u, and 2 for
    # u = 6: 2**20 is about a million.
    return 0.0, 0.0, 0.0, 6.0


@explode.judge
def explode_judge(got):
    if not isinstance(got, tuple | list) or len(got) != 4:
        return "expected four numbers"
    try:
        b_f, b_i, b_o, u = (float(value) for value in got)
    except (TypeError, ValueError):
        return "expected four numbers"
    if not all(-6 <= value <= 6 for value in (b_f, b_i, b_o, u)):
        return "each is to lie between -6 and 6"
    f, i, o = (1 / (1 + math.exp(-b)) for b in (b_f, b_i, b_o))
    growth = (f + i * u * o) ** 20
    if not growth > 1000:
        return f"the derivative is {growth:.3g}, which is not above 1000"
    return None


explode.wrong_value((6.0, 6.0, 6.0, 0.0), "the derivative is 0.952, which is not above 1000")
explode.wrong_value((0.0, 0.0, 0.0, 20.0), "each is to lie between -6 and 6")
explode.wrong_value((1.0, 2.0), "expected four numbers")

# --- extend ---------------------------------------------------------------------------------

latch = Exercise(
    "lstm-gru.latch",
    "A latch, by hand",
    kind="extend",
    effort=3,
    statement=r"""
    Set the weights of an LSTM with one unit so that it keeps a number. At each step it reads a pair: a number from 0 to 1, and a mark,
    which is 1 once, at any step, and otherwise 0. At the end, up to 50 steps later, ten times the *cell* is to be the marked number, within
    0.03. It begins with $c = h = 0$. Return `weight_ih` of shape (4, 2), `weight_hh` (4, 1) and `bias` (4,), in PyTorch's order, all numbers between $-20$ and 20.
    """,
    hints=[
        "What have the gates to be where the mark is 1, and where it is 0? Let a weight of the mark and a bias work against each "
        "other.",
        r"The candidate is a tanh, and nearly its own argument as long as that is small: that is why the cell may hold a tenth.",
    ],
)


@latch.stub
def latch_weights():
    """Return weight_ih (4, 2), weight_hh (4, 1) and bias (4,)."""


@latch.reference
def latch_weights_reference():
    # Rows i, f, g, o. The input gate is open at the mark, -10 + 20, and shut without it. The
    # forget gate stays open: before the mark there is nothing to forget. The candidate is a tenth
    # of the number, up to tanh 0.1 = 0.0997. The output gate may be anything.
    w = torch.tensor([[0.0, 20.0], [0.0, 0.0], [0.1, 0.0], [0.0, 0.0]])
    return w, torch.zeros(4, 1), torch.tensor([-10.0, 12.0, 0.0, 0.0])


@latch.judge
def latch_judge(got):
    shapes = ((4, 2), (4, 1), (4,))
    if not isinstance(got, tuple | list) or len(got) != 3:
        return "expected three tensors"
    for tensor, shape in zip(got, shapes):
        if not isinstance(tensor, torch.Tensor) or tuple(tensor.shape) != shape:
            return "expected tensors of shapes (4, 2), (4, 1) and (4,)"
        if not bool((tensor.double().abs() <= 20).all()):
            return "all numbers are to lie between -20 and 20"
    w_ih, w_hh, bias = (tensor.double() for tensor in got)
    draws = torch.Generator().manual_seed(0)
    worst = {"early": 0.0, "late": 0.0}
    for when, places in (("late", range(40, 50)), ("early", range(10))):
        for place in places:
            x = torch.rand(50, 64, 2, generator=draws, dtype=torch.float64)
            x[..., 1] = 0.0
            x[place, :, 1] = 1.0
            x[place, :2, 0] = torch.tensor([0.0, 1.0], dtype=torch.float64)
            c = h = torch.zeros(64, 1, dtype=torch.float64)
            for x_t in x:
                a = x_t @ w_ih.mT + h @ w_hh.mT + bias
                i, f, o = (torch.sigmoid(a[:, k : k + 1]) for k in (0, 1, 3))
                c = f * c + i * torch.tanh(a[:, 2:3])
                h = o * torch.tanh(c)
            gap = (10 * c[:, 0] - x[place, :, 0]).abs().max().item()
            worst[when] = max(worst[when], gap)
    if worst["late"] > 0.03:
        return f"off by {worst['late']:.3f} already where the mark comes in the last ten steps"
    if worst["early"] > 0.03:
        return (
            "right where the mark comes late, but off by "
            f"{worst['early']:.3f} where it has to be kept for 40 to 49 steps"
        )
    return None


latch.wrong_value(
    (
        torch.tensor([[0.0, 20.0], [0.0, 0.0], [0.1, 0.0], [0.0, 0.0]]),
        torch.zeros(4, 1),
        torch.tensor([-10.0, 6.0, 0.0, 0.0]),
    ),
    "right where the mark comes late, but off by 0.115 where it has to be kept for 40 to 49 steps",
)
latch.wrong_value(
    (
        torch.tensor([[0.0, 20.0], [0.0, 0.0], [1.0, 0.0], [0.0, 0.0]]),
        torch.zeros(4, 1),
        torch.tensor([-10.0, 12.0, 0.0, 0.0]),
    ),
    "off by 6.616 already where the mark comes in the last ten steps",
)
latch.wrong_value(
    (torch.zeros(2, 4), torch.zeros(4, 1), torch.zeros(4)),
    "expected tensors of shapes (4, 2), (4, 1) and (4,)",
)

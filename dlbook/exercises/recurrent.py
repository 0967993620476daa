"""Exercises of the chapter "recurrent"."""
# mypy: disable-error-code="no-untyped-def, no-untyped-call"

import torch

from dlbook.exercises._core import Exercise

# --- predict --------------------------------------------------------------------------------

counting = Exercise(
    "recurrent.count-parameters",
    "How many parameters, how many steps",
    kind="predict",
    effort=1,
    statement=r"""
    How many numbers does `nn.RNN(10, 16)` have, whose two biases both count, (a) when it is used on series of
    100 steps, (b) when it is used on series of 1,000 steps? And (c) how many does
    `nn.RNN(10, 16, num_layers=2, bidirectional=True)` have? Three numbers.
    """,
    hints=[
        "Two matrices and two biases. Which of them has an axis for time?",
        "With both directions, the second layer reads the states of two scans, and it has two scans itself.",
    ],
)


@counting.stub
def three_counts():
    """Return the numbers of parameters (a), (b), (c)."""


@counting.reference
def three_counts_reference():
    # One scan of D inputs: M·D + M·M + 2·M = 160 + 256 + 32 = 448, whatever the length.
    # Layer 1 has two of them, 896. Each scan of layer 2 reads 32 numbers: 16·32 + 256 + 32 = 800,
    # and there are two: 1600.
    return (448, 448, 896 + 1600)


counting.wrong_value((448, 4480, 2496), "the weights are shared by all steps")
counting.wrong_value((432, 432, 2432), "both biases count")
counting.wrong_value(
    (448, 448, 1984), "each scan of the second layer reads the states of both directions"
)
counting.wrong_value((448, 448, 1248), "there are two scans in each layer")

lags = Exercise(
    "recurrent.cut-short",
    "A gradient, cut short",
    kind="predict",
    effort=1,
    statement=r"""
    A network of one unit without an activation function, $h_t = w\,h_{t-1} + x_t$, with $w = \tfrac12$, starts from
    $h_0 = 4$ and reads $x = (1, 2, 3)$. The cost is $J = h_3$. What is $\mathrm dJ/\mathrm dw$ if the gradient is
    followed back through one use of $w$ only, through two, and through all three? And what is
    $\mathrm dJ/\mathrm dh_0$? Four numbers.
    """,
    hints=[
        "First the states, $h_1$ to $h_3$. The last use of $w$ multiplies $h_2$.",
        "Each step further back multiplies by another $w$.",
    ],
    atol=1e-6,
)


@lags.stub
def four_slopes():
    """Return dJ/dw by one, two and three uses, and dJ/dh₀."""


@lags.reference
def four_slopes_reference():
    # h = 3, 3.5, 4.75. Uses: w·h2 gives h2 = 3.5; w·h1 gives w·h1 = 1.5 more; w·h0 gives
    # w²·h0 = 1 more. From h0 to h3 lie three factors w.
    return (3.5, 5.0, 6.0, 0.125)


lags.wrong_value(
    (4.75, 6.5, 7.375, 0.125), "a use of w has the slope of the state before it, not the one after"
)
lags.wrong_value((3.5, 6.5, 10.5, 0.125), "on the way back each step multiplies by w")
lags.wrong_value((3.5, 1.5, 1.0, 0.125), "the uses add up: give the sums, not the shares")

# --- derive ---------------------------------------------------------------------------------

constant = Exercise(
    "recurrent.steady-drip",
    "The slope under a constant input",
    kind="derive",
    effort=2,
    statement=r"""
    The same unit, $h_t = w\,h_{t-1} + x_t$, starts from $h_0 = 0$ and reads the same number $x$ at each of $T$ steps. Derive
    $\mathrm dh_T/\mathrm dw$ in closed form, with no loop and no sum over the steps, and write it as `slope(w, x, T)`. It
    will be tried with $w = 1$ and with $w$ at least 0.01 away from it, also negative; tolerance: a relative error of $10^{-6}$.
    """,
    hints=[
        r"The states are a geometric sum, $h_T = x\,(1 + w + \dots + w^{T-1})$. What is it in closed form?",
        r"Differentiate $x\,(1 - w^T)/(1 - w)$. For $w = 1$ differentiate the sum itself, term by term.",
    ],
    rtol=1e-6,
    seconds=5.0,
)


@constant.stub
def slope(w, x, T):
    """Return dh_T/dw, a float.

    Args:
        w: the weight of the state.
        x: the input of every step.
        T: how many steps, up to 40, and for |w| < 1 up to 10⁹.
    """


@constant.reference
def slope_reference(w, x, T):
    # h_T = x (1 + w + … + w^(T−1)) = x (1 − w^T)/(1 − w). By the quotient rule
    # dh_T/dw = x [−T w^(T−1) (1 − w) + (1 − w^T)] / (1 − w)². For w = 1 the sum's derivative is
    # x (1 + 2 + … + (T−1)) = x T (T−1)/2: it grows as the square of the length there.
    if w == 1:
        return x * T * (T - 1) / 2
    return x * ((1 - w**T) / (1 - w) - T * w ** (T - 1)) / (1 - w)


@constant.inputs
def constant_inputs(random):
    return random.number(0.3, 0.95), random.number(0.5, 2.0), random.integer(3, 40)


@constant.probe("a negative weight")
def constant_negative(random):
    return -random.number(0.3, 0.95), random.number(0.5, 2.0), random.integer(3, 9)


@constant.probe("a weight of 1")
def constant_border(random):
    return 1.0, random.number(0.5, 2.0), random.integer(3, 40)


@constant.probe("a weight above 1")
def constant_above(random):
    return random.number(1.05, 1.5), random.number(0.5, 2.0), random.integer(3, 40)


@constant.probe("very many steps")
def constant_long(random):
    return random.number(0.3, 0.95), 1.0, 10**9


@constant.wrong("that divides by 1 − w, which is 0 for w = 1: the sum itself is harmless there")
def slope_unguarded(w, x, T):
    return x * ((1 - w**T) / (1 - w) - T * w ** (T - 1)) / (1 - w)


@constant.wrong("that is the state; its slope by w was asked for")
def slope_state(w, x, T):
    return x * T if w == 1 else x * (1 - w**T) / (1 - w)


@constant.wrong("that is h_{T−1} alone: the earlier uses of w are missing")
def slope_last_use(w, x, T):
    return x * (T - 1) if w == 1 else x * (1 - w ** (T - 1)) / (1 - w)


@constant.wrong("the second part of the quotient rule is missing: w^T depends on w, too")
def slope_half(w, x, T):
    return x * T * (T - 1) / 2 if w == 1 else x * (1 - w**T) / (1 - w) ** 2


# --- program --------------------------------------------------------------------------------

leaky = Exercise(
    "recurrent.leaky-back",
    "The way back through a leaky network",
    kind="program",
    effort=2,
    statement=r"""
    A *leaky* network keeps a share of its state and renews the rest,

    $$
    \begin{aligned}
    q_t &= \tanh(W h_{t-1} + v_t) ,\\
    h_t &= (1 - \alpha)\,h_{t-1} + \alpha\,q_t ,
    \end{aligned}
    $$

    where $v_t$ is what the input contributes. For one series, the cotangents $\bar y_t$ that the outputs $h_t$ receive
    from outside are given. Write `leaky_back(y_bar, v, h0, W, alpha)`, which returns the cotangents of $h_0$ and
    of $W$. You may run the network forwards first, but not call a ready-made backward pass. Tolerance: $10^{-5}$.
    """,
    hints=[
        "From a state two paths lead to the next one. What does each hand back?",
        r"With $q_t = \tanh(\dots)$: $\bar a_t = \alpha\,(1 - q_t^2)\odot\bar h_t$, and $\bar h_{t-1}$ collects from both paths, "
        r"and from its own output.",
    ],
    axes={"y_bar": "T M", "v": "T M"},
    outputs=("h0_bar", "W_bar"),
    atol=1e-5,
)


@leaky.stub
def leaky_back(y_bar, v, h0, W, alpha):
    """Return the pair of cotangents of h0, shape (M,), and W, shape (M, M).

    Args:
        y_bar: cotangents of the states h_1 … h_T from outside, shape (T, M).
        v: the inputs' contributions, shape (T, M).
        h0: the state before the first step, shape (M,).
        W: weights of the state, shape (M, M).
        alpha: the share that is renewed, between 0 and 1.
    """


@leaky.reference
def leaky_back_reference(y_bar, v, h0, W, alpha):
    # A nudge of h_{t−1} reaches h_t by the kept share, times (1 − α), and by way of
    # a_t = W h_{t−1} + v_t, whose slope is α (1 − q²). W meets h_{t−1} at every step.
    states, renewed = [h0], []
    for v_t in v:
        q = torch.tanh(W @ states[-1] + v_t)
        renewed.append(q)
        states.append((1 - alpha) * states[-1] + alpha * q)
    h_bar, W_bar = torch.zeros_like(h0), torch.zeros_like(W)
    for t in reversed(range(len(v))):
        h_bar = h_bar + y_bar[t]
        a_bar = alpha * (1 - renewed[t] ** 2) * h_bar
        W_bar = W_bar + torch.outer(a_bar, states[t])
        h_bar = (1 - alpha) * h_bar + W.T @ a_bar
    return h_bar, W_bar


@leaky.inputs
def leaky_inputs(random):
    T, M = random.sizes(2)
    alpha = random.number(0.2, 0.8)
    return random.normal(T, M), random.normal(T, M), random.normal(M), random.normal(M, M), alpha


@leaky.wrong("the path of the share that is kept, 1 − α, hands a cotangent back as well")
def leaky_one_path(y_bar, v, h0, W, alpha):
    states, renewed = [h0], []
    for v_t in v:
        q = torch.tanh(W @ states[-1] + v_t)
        renewed.append(q)
        states.append((1 - alpha) * states[-1] + alpha * q)
    h_bar, W_bar = torch.zeros_like(h0), torch.zeros_like(W)
    for t in reversed(range(len(v))):
        a_bar = alpha * (1 - renewed[t] ** 2) * (h_bar + y_bar[t])
        W_bar = W_bar + torch.outer(a_bar, states[t])
        h_bar = W.T @ a_bar
    return h_bar, W_bar


@leaky.wrong("the slope belongs to tanh(…), 1 − q², not to the state: 1 − h²")
def leaky_slope_of_state(y_bar, v, h0, W, alpha):
    states = [h0]
    for v_t in v:
        q = torch.tanh(W @ states[-1] + v_t)
        states.append((1 - alpha) * states[-1] + alpha * q)
    h_bar, W_bar = torch.zeros_like(h0), torch.zeros_like(W)
    for t in reversed(range(len(v))):
        h_bar = h_bar + y_bar[t]
        a_bar = alpha * (1 - states[t + 1] ** 2) * h_bar
        W_bar = W_bar + torch.outer(a_bar, states[t])
        h_bar = (1 - alpha) * h_bar + W.T @ a_bar
    return h_bar, W_bar


@leaky.wrong("only the last output's cotangent is used: every step has one of its own")
def leaky_last_only(y_bar, v, h0, W, alpha):
    states, renewed = [h0], []
    for v_t in v:
        q = torch.tanh(W @ states[-1] + v_t)
        renewed.append(q)
        states.append((1 - alpha) * states[-1] + alpha * q)
    h_bar, W_bar = y_bar[-1], torch.zeros_like(W)
    for t in reversed(range(len(v))):
        a_bar = alpha * (1 - renewed[t] ** 2) * h_bar
        W_bar = W_bar + torch.outer(a_bar, states[t])
        h_bar = (1 - alpha) * h_bar + W.T @ a_bar
    return h_bar, W_bar


@leaky.wrong("going back takes the transpose of W")
def leaky_without_transpose(y_bar, v, h0, W, alpha):
    states, renewed = [h0], []
    for v_t in v:
        q = torch.tanh(W @ states[-1] + v_t)
        renewed.append(q)
        states.append((1 - alpha) * states[-1] + alpha * q)
    h_bar, W_bar = torch.zeros_like(h0), torch.zeros_like(W)
    for t in reversed(range(len(v))):
        h_bar = h_bar + y_bar[t]
        a_bar = alpha * (1 - renewed[t] ** 2) * h_bar
        W_bar = W_bar + torch.outer(a_bar, states[t])
        h_bar = (1 - alpha) * h_bar + W @ a_bar
    return h_bar, W_bar


blocks = Exercise(
    "recurrent.blocks",
    "Block by block",
    kind="program",
    effort=2,
    statement=r"""
    A long series is read in blocks of $k$ steps; the last one may be shorter. The state is handed on from block
    to block, the gradient is not: backpropagation stops at the beginning of each block. The states $h_1, \dots, h_T$ of a simple network with
    tanh, its $h_0$, its $W_{hh}$ and the cotangents $\bar y_t$ from outside are given. Write `block_gradient(y_bar, h, h0, W, k)`,
    which returns the sum of the blocks' gradients by $W_{hh}$, without calling a ready-made backward pass. Tolerance: $10^{-5}$.
    """,
    hints=[
        "It is the usual way back, except at certain steps. What is forgotten there, and what isn't?",
        "Before step $t$, counted from 0, is handled on the way back: if step $t + 1$ begins a block, nothing arrives from it.",
    ],
    axes={"y_bar": "T M", "h": "T M"},
    atol=1e-5,
)


@blocks.stub
def block_gradient(y_bar, h, h0, W, k):
    """Return the truncated gradient by W, shape (M, M).

    Args:
        y_bar: cotangents of the states from outside, shape (T, M).
        h: the states, shape (T, M).
        h0: the state before the first step, shape (M,).
        W: weights of the state, shape (M, M).
        k: steps in a block.
    """


@blocks.reference
def block_gradient_reference(y_bar, h, h0, W, k):
    # At step t = 0, k, 2k, … the way back of a block ends: what would be handed to the state
    # before is dropped. That state still is a factor in the gradient of W.
    W_bar, carried = torch.zeros_like(W), torch.zeros_like(h0)
    for t in reversed(range(len(h))):
        a_bar = (1 - h[t] ** 2) * (y_bar[t] + carried)
        W_bar = W_bar + torch.outer(a_bar, h[t - 1] if t else h0)
        carried = W.T @ a_bar if t % k else torch.zeros_like(h0)
    return W_bar


@blocks.inputs
def blocks_inputs(random):
    k, M = random.integer(3, 4), random.integer(2, 5)
    T = 2 * k + random.integer(1, 2)
    h = random.uniform(-0.8, 0.8, T, M)
    return random.normal(T, M), h, random.normal(M), random.normal(M, M), k


@blocks.probe("one block that holds everything")
def blocks_whole(random):
    h = random.uniform(-0.8, 0.8, 5, 3)
    return random.normal(5, 3), h, random.normal(3), random.normal(3, 3), 9


@blocks.probe("blocks of one step")
def blocks_single(random):
    h = random.uniform(-0.8, 0.8, 5, 3)
    return random.normal(5, 3), h, random.normal(3), random.normal(3, 3), 1


@blocks.wrong("that is the full gradient: nothing stops at the blocks' beginnings")
def block_gradient_full(y_bar, h, h0, W, k):
    W_bar, carried = torch.zeros_like(W), torch.zeros_like(h0)
    for t in reversed(range(len(h))):
        a_bar = (1 - h[t] ** 2) * (y_bar[t] + carried)
        W_bar = W_bar + torch.outer(a_bar, h[t - 1] if t else h0)
        carried = W.T @ a_bar
    return W_bar


@blocks.wrong("the state is handed on: only the gradient stops at a block's beginning")
def block_gradient_reset(y_bar, h, h0, W, k):
    W_bar, carried = torch.zeros_like(W), torch.zeros_like(h0)
    for t in reversed(range(len(h))):
        a_bar = (1 - h[t] ** 2) * (y_bar[t] + carried)
        if t % k:
            W_bar = W_bar + torch.outer(a_bar, h[t - 1])
        carried = W.T @ a_bar if t % k else torch.zeros_like(h0)
    return W_bar


@blocks.wrong("the blocks are cut from the end: the first one begins at the first step")
def block_gradient_from_end(y_bar, h, h0, W, k):
    W_bar, carried = torch.zeros_like(W), torch.zeros_like(h0)
    for t in reversed(range(len(h))):
        a_bar = (1 - h[t] ** 2) * (y_bar[t] + carried)
        W_bar = W_bar + torch.outer(a_bar, h[t - 1] if t else h0)
        carried = W.T @ a_bar if (len(h) - t) % k else torch.zeros_like(h0)
    return W_bar


@blocks.wrong("the cut is one step off: step k, counted from 0, is the first of its block")
def block_gradient_off(y_bar, h, h0, W, k):
    W_bar, carried = torch.zeros_like(W), torch.zeros_like(h0)
    for t in reversed(range(len(h))):
        a_bar = (1 - h[t] ** 2) * (y_bar[t] + carried)
        W_bar = W_bar + torch.outer(a_bar, h[t - 1] if t else h0)
        carried = W.T @ a_bar if (t + 1) % k else torch.zeros_like(h0)
    return W_bar


# --- break ----------------------------------------------------------------------------------

backwards = Exercise(
    "recurrent.padded-end",
    "Reading from the end, with padding",
    kind="break",
    effort=2,
    statement=r"""
    This function is meant to read every series of a batch from its end, and to return the states in the order of the
    input. Series are padded with zeros behind their end; `lengths` says where that is. States at padded places shall
    be 0. For a full batch it is right; with padding it isn't. Find the fault and mend it. Tolerance: $10^{-5}$.
    """,
    hints=[
        "What does the network read first when a short series is turned round?",
        "The bias acts on padding, too: by the time the series itself begins the state is no longer $0$. Turn round only the part "
        "that counts.",
    ],
    axes={"x": "B T D", "lengths": "B"},
    atol=1e-5,
)


@backwards.stub
def from_the_end(x, lengths, W_ih, W_hh, b):
    """Return the states of a network that reads each series from its end, shape (B, T, M).

    Args:
        x: series, padded with zeros, shape (B, T, D).
        lengths: how many steps of each count, integers of shape (B,).
        W_ih: weights of the input, shape (M, D).
        W_hh: weights of the state, shape (M, M).
        b: bias, shape (M,).
    """
    B, T, _ = x.shape
    y = x.new_zeros(B, T, len(b))
    h = x.new_zeros(B, len(b))
    for t in reversed(range(T)):
        h = torch.tanh(x[:, t] @ W_ih.T + h @ W_hh.T + b)
        y[:, t] = h
    for i in range(B):
        y[i, lengths[i] :] = 0
    return y


@backwards.reference
def from_the_end_reference(x, lengths, W_ih, W_hh, b):
    B, T, _ = x.shape
    y = x.new_zeros(B, T, len(b))
    h = x.new_zeros(B, len(b))
    for t in reversed(range(T)):
        # A series that hasn't begun yet, seen from its end, keeps the state 0.
        begun = (lengths > t).unsqueeze(1)
        h = begun * torch.tanh(x[:, t] @ W_ih.T + h @ W_hh.T + b)
        y[:, t] = h
    return y


@backwards.inputs
def backwards_inputs(random):
    B, D, M = random.sizes(3)
    T = random.integer(4, 7)
    lengths = [random.integer(1, T - 1) for _ in range(B)]
    lengths[0] = T
    x = random.normal(B, T, D)
    for i, n in enumerate(lengths):
        x[i, n:] = 0
    return x, torch.tensor(lengths), random.normal(M, D), random.normal(M, M), random.normal(M)


@backwards.wrong("states stand in the order of the input: the last one read stands first")
def from_the_end_turned(x, lengths, W_ih, W_hh, b):
    B, T, _ = x.shape
    y = x.new_zeros(B, T, len(b))
    for i, n in enumerate(lengths.tolist()):
        h = x.new_zeros(len(b))
        for t in range(n):
            h = torch.tanh(W_ih @ x[i, n - 1 - t] + W_hh @ h + b)
            y[i, t] = h
    return y


@backwards.wrong("that reads from the beginning")
def from_the_end_forwards(x, lengths, W_ih, W_hh, b):
    B, T, _ = x.shape
    y = x.new_zeros(B, T, len(b))
    for i, n in enumerate(lengths.tolist()):
        h = x.new_zeros(len(b))
        for t in range(n):
            h = torch.tanh(W_ih @ x[i, t] + W_hh @ h + b)
            y[i, t] = h
    return y


@backwards.wrong("without its bias the network is another one")
def from_the_end_without_bias(x, lengths, W_ih, W_hh, b):
    B, T, _ = x.shape
    y = x.new_zeros(B, T, len(b))
    h = x.new_zeros(B, len(b))
    for t in reversed(range(T)):
        h = torch.tanh(x[:, t] @ W_ih.T + h @ W_hh.T)
        y[:, t] = h
    for i in range(B):
        y[i, lengths[i] :] = 0
    return y


# --- extend ---------------------------------------------------------------------------------

latch = Exercise(
    "recurrent.latch",
    "One unit that holds on",
    kind="extend",
    effort=2,
    statement=r"""
    A unit $h_t = \tanh(w\,h_{t-1} + u\,x_t)$ starts from $h_0 = 0$ and reads a series of the numbers −1, 0 and 1, in which zeros
    are frequent and may come a hundred at a time. At every step after the first number that isn't 0, it shall have the sign of the last such
    number, with $|h_t| > \tfrac12$. Find $w$ and $u$, and answer with them and with a third number: the state that the unit
    approaches under zeros after a 1, to two decimals. Then think: what is $\mathrm dh_t/\mathrm dh_{t-1}$ there, and after a hundred zeros?
    """,
    hints=[
        r"Under zeros the state is iterated: $h \leftarrow \tanh(w h)$. Draw $\tanh(wh)$ and the line $h$, for a $w$ below and "
        "one above 1.",
        "The input has to be strong enough to carry the state over to the other side from where it rests.",
    ],
)


@latch.stub
def latch_weights():
    """Return w, u, and the state after a 1 and very many zeros."""


@latch.reference
def latch_weights_reference():
    # h = tanh(2h) has the solutions 0 and about ±0.96; near the latter the slope is
    # 2 (1 − 0.96²) ≈ 0.17, so that the state is drawn there. The input ±4 turns it over:
    # ±2·0.96 ∓ 4 lies beyond 0, where tanh is below −0.9. After a hundred zeros the derivative
    # is a product of a hundred such slopes: the unit holds on because nothing moves it, and
    # what doesn't move has no gradient.
    h = 1.0
    for _ in range(100):
        h = float(torch.tanh(torch.tensor(2.0 * h)))
    return (2.0, 4.0, h)


@latch.judge
def latch_judged(got):
    try:
        w, u, rest = (float(value) for value in got)
    except (TypeError, ValueError):
        return "expected three numbers: w, u and the state of rest"
    if not all(abs(value) < 1e6 for value in (w, u, rest)):
        return "these numbers should be moderate"
    series = [
        0,
        1,
        *[0] * 100,
        -1,
        *[0] * 100,
        -1,
        1,
        -1,
        0,
        0,
        1,
        1,
        *[0] * 100,
        -1,
        1,
        1,
        1,
        1,
        -1,
    ]
    h, last = 0.0, 0
    for t, x in enumerate(series):
        h = float(torch.tanh(torch.tensor(w * h + u * x, dtype=torch.float64)))
        last = x or last
        if last and h * last <= 0:
            if x:
                return f"at step {t} the input {x} doesn't turn the state over: it is {h:.2f}"
            return f"the sign is lost after some zeros: at step {t} the state is {h:.2g}"
        if last and abs(h) <= 0.5:
            return f"the sign is right, but at step {t} the state has shrunk to {h:.2g}"
    h = float(torch.tanh(torch.tensor(u, dtype=torch.float64)))
    for _ in range(1000):
        h = float(torch.tanh(torch.tensor(w * h, dtype=torch.float64)))
    if abs(rest - h) > 0.01:
        return f"w and u work; the third number isn't the state of rest under zeros, of h = tanh({w:g} h)"
    return None


@latch.wrong("the state has shrunk", match=False)
def latch_forgetting():
    return (1.0, 4.0, 0.0)


@latch.wrong("doesn't turn the state over", match=False)
def latch_stubborn():
    return (2.0, 1.0, 0.96)


@latch.wrong("the sign is right, but at step 2", match=False)
def latch_weak():
    return (0.5, 4.0, 0.0)


@latch.wrong("isn't the state of rest", match=False)
def latch_full():
    return (2.0, 4.0, 1.0)


parity = Exercise(
    "recurrent.parity-by-hand",
    "Parity, by hand and for ever",
    kind="extend",
    effort=3,
    statement=r"""
    After each bit of a series: is the number of ones so far odd? Set the
    weights of a network with two rectifiers, $h_t = \max(0, W h_{t-1} + u\,x_t + b)$ with $h_0 = 0$ and the output
    $y_t = v^\top h_t$, so that $y_t$ is exactly 1 or 0, for series of any length. Answer with `W`, `u`, `b` and `v` as tensors of the shapes
    (2, 2), (2,), (2,) and (2,).
    """,
    hints=[
        r"Let $p$ be the parity so far. The new one is $p + x$, unless both are 1. A unit that counts $p + x$ and a second "
        "one that notices when it is 2?",
        r"$p_t = \max(0, p + x) - 2\max(0, p + x - 1)$. But the state holds the two rectified numbers, not $p$: write $p_{t-1}$ "
        "as a sum of them.",
    ],
)


@parity.stub
def parity_network():
    """Return W, u, b and v as tensors of shapes (2, 2), (2,), (2,), (2,)."""


@parity.reference
def parity_network_reference():
    # With p = h1 − 2 h2 the first unit computes p + x, the second max(0, p + x − 1): for the four
    # cases (p, x) the pair is (0, 0), (1, 0), (1, 0), (2, 1), and h1 − 2 h2 is 0, 1, 1, 0.
    W = torch.tensor([[1.0, -2.0], [1.0, -2.0]])
    return W, torch.tensor([1.0, 1.0]), torch.tensor([0.0, -1.0]), torch.tensor([1.0, -2.0])


@parity.judge
def parity_judged(got):
    try:
        W, u, b, v = (torch.as_tensor(part, dtype=torch.float64) for part in got)
    except (TypeError, ValueError, RuntimeError):
        return "expected four tensors: W, u, b and v"
    for name, part, shape in (("W", W, (2, 2)), ("u", u, (2,)), ("b", b, (2,)), ("v", v, (2,))):
        if part.shape != shape:
            return f"expected {name} of shape {shape}, got {tuple(part.shape)}"
    bits = torch.randint(2, (400,), generator=torch.Generator().manual_seed(0)).tolist()
    h, odd = torch.zeros(2, dtype=torch.float64), 0
    for t, x in enumerate([0, 0, 1, 0, 1, 1, 1, 0, *bits]):
        h, odd = (W @ h + u * x + b).clamp(min=0), odd ^ x
        if not abs(float(v @ h) - odd) < 1e-9:
            return f"after step {t + 1} the output is {float(v @ h):.4g} where it should be {odd}"
    return None


@parity.wrong("after step", match=False)
def parity_counting():
    W = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    return W, torch.tensor([1.0, 1.0]), torch.tensor([0.0, 0.0]), torch.tensor([1.0, 0.0])


@parity.wrong("after step 3 the output", match=False)
def parity_silent():
    W = torch.zeros(2, 2)
    return W, torch.zeros(2), torch.zeros(2), torch.zeros(2)


@parity.wrong("of shape (2,), got (2, 1)", match=False)
def parity_shapes():
    W = torch.tensor([[1.0, -2.0], [1.0, -2.0]])
    return W, torch.ones(2, 1), torch.tensor([0.0, -1.0]), torch.tensor([1.0, -2.0])


@parity.wrong("after step 6 the output", match=False)
def parity_of_three():
    W = torch.tensor([[1.0, -1.0], [1.0, -1.0]])
    return W, torch.tensor([1.0, 1.0]), torch.tensor([0.0, -1.0]), torch.tensor([1.0, -2.0])

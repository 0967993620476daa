"""Exercises of the chapter "neurons"."""
# mypy: disable-error-code="no-untyped-def, no-untyped-call"

import itertools
import math

import torch

from dlbook.exercises._core import Exercise

# --- predict --------------------------------------------------------------------------------

fires_for = Exercise(
    "neurons.fires-for",
    "What does it fire for?",
    kind="predict",
    effort=1,
    statement=r"""
    Four threshold units have three binary inputs each. Their weights and thresholds are
    $(1, 1, 1)$ and $2$; $(2, -1, 1)$ and $2$; $(-1, -1, -1)$ and $-1$; $(1, 2, 4)$ and $4$. For how
    many of the eight inputs does each of them fire? Give four whole numbers.
    """,
    hints=[
        "The first says that at least two inputs are on. Which inputs are these?",
        "A sum that is exactly the threshold fires.",
    ],
)


@fires_for.stub
def counts_of_lines():
    """Return for how many of the eight inputs each unit fires: four whole numbers."""


@fires_for.reference
def counts_of_lines_reference():
    rows = torch.cartesian_prod(*[torch.tensor([0, 1])] * 3)
    units = ((1, 1, 1), 2), ((2, -1, 1), 2), ((-1, -1, -1), -1), ((1, 2, 4), 4)
    return tuple(int((rows @ torch.tensor(w) >= t).sum()) for w, t in units)


fires_for.wrong_value((1, 1, 1, 3), "a sum that is exactly the threshold fires, too")
fires_for.wrong_value(
    (4, 3, 7, 4),
    "the third one's sum is minus the number of inputs that are on: when is it −1 or more?",
)
fires_for.wrong_value(
    (4, 4, 4, 4), "the second one also has a vote against: with all three on its sum is 2"
)

scaled = Exercise(
    "neurons.scaled-steps",
    "A perceptron in other units",
    kind="predict",
    effort=1,
    statement=r"""
    A perceptron begins with zeros, adds $y\,\tilde{\mathbf x}$ after each mistake, and on some samples, in some
    order, makes 12 mistakes until it is done. Now its steps are made ten times as small: it adds
    $0.1\,y\,\tilde{\mathbf x}$. How many mistakes does it make on the same samples in the same order, and by which
    factor does the length of its final $\tilde{\mathbf w}$ change? And if instead all samples $\tilde{\mathbf x}$ (with their
    last entry) are multiplied by 10? Give four numbers: mistakes, factor, mistakes, factor.
    """,
    hints=[
        "Which sample is the first to go wrong, in each of the three runs? And the second?",
        "Whether a sum is positive does not change when all weights are multiplied by 0.1.",
    ],
    atol=1e-6,
)


@scaled.stub
def scaled_runs():
    """Return mistakes and factor for small steps, then for large samples: four numbers."""


@scaled.reference
def scaled_runs_reference():
    """With small steps the weights are, at every moment, 0.1 times those of the first run, if they
    were so before: their sums have the same signs, so the same samples go wrong, and 0.1 times the
    step is added. At the beginning both are 0. So there are as many mistakes, and the factor 0.1.

    With samples ten times as long the weights are 10 times those of the first run, and the sums
    100 times: the signs are again the same, and the steps ten times as long.
    """
    return (12, 0.1, 12, 10)


scaled.wrong_value(
    (120, 1, 12, 10), "small steps from 0 do not make it slower: follow the signs of the sums"
)
scaled.wrong_value(
    (12, 1, 12, 1), "the numbers of mistakes are right; the weights are a sum of the steps"
)
scaled.wrong_value(
    (12, 0.1, 1200, 10), "R grows tenfold, but so does the margin: their ratio is what counts"
)
scaled.wrong_value((12, 0.1, 12, 100), "the weights are a sum of samples, each ten times as long")

# --- derive ---------------------------------------------------------------------------------

veto = Exercise(
    "neurons.veto",
    "How strong is a veto?",
    kind="derive",
    effort=1,
    statement=r"""
    A threshold unit has weights `w` of either sign on its binary inputs, and the threshold `t`. There are inputs
    for which it fires. One more input is to become a veto: when it is 1, the unit stays silent,
    whatever the others do. Every weight of that input below some number $v$ does this, and $v$ itself does not.
    Derive $v$, and write it as `veto(w, t)`.
    """,
    hints=[
        "Which setting of the other inputs is the hardest to silence?",
        "An input with a negative weight helps you, if it is on. Will it be?",
    ],
    axes={"w": "D"},
)


@veto.stub
def veto_limit(w, t):
    """Return the number below which a weight is a veto, a tensor without axes.

    Args:
        w: weights of the other inputs, shape (D,).
        t: the threshold, a tensor without axes.
    """


@veto.reference
def veto_limit_reference(w, t):
    """The unit must stay silent whatever the others do: S + v < t for every sum S of theirs, so
    for the largest. That has the inputs of positive weight on and the others off: the sum of the
    positive weights. So a weight is a veto if it is below t minus that sum. At the limit itself
    the sum is exactly t, and the unit fires.
    """
    return t - torch.clamp(w, min=0).sum()


@veto.inputs
def veto_inputs(random):
    (D,) = random.sizes(1)
    w = random.normal(D + 2)
    w[0], w[1] = 1.5, -0.5
    return w, torch.clamp(w, min=0).sum() * random.number(0.2, 0.8)


@veto.wrong("the inputs with negative weights may be off: then they do not help the veto")
def veto_limit_all(w, t):
    return t - w.sum()


@veto.wrong("that brings the sum down to 0, but the unit is already silent below its threshold")
def veto_limit_zero(w, t):
    return -torch.clamp(w, min=0).sum()


@veto.wrong("that is for the largest weight alone: several inputs can be on together")
def veto_limit_largest(w, t):
    return t - w.max()


@veto.wrong("the sign is turned round: a veto is a negative weight")
def veto_limit_sign(w, t):
    return torch.clamp(w, min=0).sum() - t


head_start = Exercise(
    "neurons.head-start",
    "A perceptron that does not begin with zeros",
    kind="derive",
    effort=2,
    statement=r"""
    Some weights $\mathbf w^*$ of length 1 separate the samples with the margin $\gamma$, and no $\tilde{\mathbf x}$ is
    longer than $R$. The perceptron begins with weights of length $s$ whose part along $\mathbf w^*$ is
    $a = \mathbf w^*\cdot\tilde{\mathbf w}$; so $-s \le a \le s$. Follow the proof, and derive the bound on the number of
    mistakes that it gives now: the largest real $k$ that both inequalities together allow. Write it as
    `bound(R, gamma, s, a)`.
    """,
    hints=[
        r"After $k$ mistakes, what do you know of $\mathbf w^*\cdot\tilde{\mathbf w}$, and what of $\lVert\tilde{\mathbf w}\rVert^2$?",
        r"$a + k\gamma \le \sqrt{s^2 + kR^2}$. At the largest $k$ the two sides are equal.",
        "Square it: a quadratic equation in $k$, of which the larger root is wanted. For $s = a = 0$ it must give "
        r"$(R/\gamma)^2$.",
    ],
)


@head_start.stub
def bound(R, gamma, s, a):
    """Return the largest number of mistakes that the proof allows, as a float.

    Args:
        R: the length of the longest sample.
        gamma: the margin.
        s: the length of the first weights.
        a: their part along the separating direction, from −s to s.
    """


@head_start.reference
def bound_reference(R, gamma, s, a):
    """Each mistake adds at least γ to w*·w̃, which began at a, and at most R² to ‖w̃‖², which began
    at s². With Cauchy and Schwarz, a + kγ ≤ w*·w̃ ≤ ‖w̃‖ ≤ √(s² + kR²) after k mistakes.

    Square the ends: γ²k² − 2hk − (s² − a²) ≤ 0 with h = R²/2 − aγ. As a² ≤ s², the parabola is
    not above 0 at k = 0, so from there to its larger root, (h + √(h² + γ²(s² − a²)))/γ², it
    stays so. Beyond that root it is positive, and a + kγ is, too: it is 0 at k = −a/γ, where the
    parabola is −s² − kR², so that, if a < 0, the larger root lies further right. There squaring
    has lost nothing, and the inequality fails. So this root is the largest k.
    """
    half = R**2 / 2 - a * gamma
    return (half + math.sqrt(half**2 + gamma**2 * (s**2 - a**2))) / gamma**2


@head_start.inputs
def head_start_inputs(random):
    s = random.number(1.0, 5.0)
    return random.number(2.0, 6.0), random.number(0.2, 1.0), s, s * random.number(-0.9, 0.9)


@head_start.wrong("that is the bound from zeros: where do s and a enter the two inequalities?")
def bound_from_zeros(R, gamma, s, a):
    return (R / gamma) ** 2


@head_start.wrong("the squared length does not begin at 0: where is s?")
def bound_without_length(R, gamma, s, a):
    half = R**2 / 2 - a * gamma
    return (half + math.sqrt(max(0.0, half**2 - gamma**2 * a**2))) / gamma**2


@head_start.wrong("the part along w* does not begin at 0: where is a?")
def bound_without_part(R, gamma, s, a):
    half = R**2 / 2
    return (half + math.sqrt(half**2 + gamma**2 * s**2)) / gamma**2


@head_start.wrong("that is the other root: between the two the inequalities hold")
def bound_other_root(R, gamma, s, a):
    half = R**2 / 2 - a * gamma
    return (half - math.sqrt(half**2 + gamma**2 * (s**2 - a**2))) / gamma**2


@head_start.wrong(
    "a part a along w* is a head start: it makes the bound smaller when it is positive"
)
def bound_turned(R, gamma, s, a):
    half = R**2 / 2 + a * gamma
    return (half + math.sqrt(half**2 + gamma**2 * (s**2 - a**2))) / gamma**2


@head_start.wrong("the lengths do not add up: it is their squares of which you know the growth")
def bound_added(R, gamma, s, a):
    root = (R + math.sqrt(R**2 + 4 * gamma * (s - a))) / (2 * gamma)
    return root**2


# --- program --------------------------------------------------------------------------------

parity = Exercise(
    "neurons.parity",
    "XOR of many inputs, with few units",
    kind="program",
    effort=2,
    statement=r"""
    Is the number of active inputs odd? For two inputs that is XOR. The table of $D$ inputs has $2^{D-1}$ ones, and the
    construction of the page spends a unit on each. Write `odd(D)`, which returns two layers of threshold
    units that do it with $D$ hidden units: their weights `W` and thresholds `t`, and the weights `v` and the
    threshold `u` of the output unit. All four as float tensors.
    """,
    hints=[
        "The output can only depend on how many inputs are on. Let the hidden units say how many.",
        "Hidden unit $k$ could fire when at least $k$ inputs are on. How many of them fire then?",
        "If $m$ inputs are on, the first $m$ hidden units fire. With which signs is their sum 1 for odd $m$ and 0 for "
        "even $m$?",
    ],
    outputs=("W", "t", "v", "u"),
)


@parity.stub
def odd(D):
    """Return W (D, D), t (D,), v (D,) and u () of a net that fires for an odd number of ones."""


@parity.reference
def odd_reference(D):
    """Hidden unit k fires when at least k inputs are on; with m of them on, the first m fire.

    With the signs +1, −1, +1, … their sum is 1 for an odd m and 0 for an even one.
    """
    k = torch.arange(1, D + 1)
    return torch.ones(D, D), k.float(), 1.0 - 2 * (k % 2 == 0), torch.tensor(1.0)


@parity.inputs
def parity_inputs(random):
    return (random.integer(2, 7),)


@parity.judge
def parity_judge(got, D):
    try:
        W, t, v, u = got
        shapes = [tuple(part.shape) for part in got]
    except (TypeError, ValueError, AttributeError):
        return "expected four tensors: W, t, v and u"
    if shapes and len(shapes[0]) == 2 and shapes[0][0] > D:
        return f"that has {shapes[0][0]} hidden units for {D} inputs: {D} are enough"
    if shapes != [(D, D), (D,), (D,), ()]:
        return f"expected the shapes (D, D), (D,), (D,) and () with D = {D}, got {shapes}"
    rows = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * D)
    hidden = (rows @ W.float().T >= t.float()).float()
    fires = hidden @ v.float() >= u.float()
    if torch.equal(fires, rows.bool().any(1)):
        return "that fires as soon as any input is on: some hidden answers have to count against it"
    wrong = (fires != (rows.sum(1) % 2 == 1)).nonzero()
    if len(wrong):
        row = rows[wrong[0, 0]].int().tolist()
        return f"wrong for {len(wrong)} of {2**D} inputs, the first of them {row}"
    return None


@parity.wrong("hidden units for", match=False)
def odd_by_table(D):
    rows = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * D)
    ones = rows[rows.sum(1) % 2 == 1]
    ones = torch.cat([ones, ones])
    return 2 * ones - 1, ones.sum(1), torch.ones(len(ones)), torch.tensor(1.0)


@parity.wrong("fires as soon as any input is on", match=False)
def odd_without_signs(D):
    return torch.ones(D, D), torch.arange(1, D + 1).float(), torch.ones(D), torch.tensor(1.0)


@parity.wrong("wrong for", match=False)
def odd_turned_signs(D):
    k = torch.arange(1, D + 1)
    return torch.ones(D, D), k.float(), 2.0 * (k % 2 == 0) - 1, torch.tensor(1.0)


@parity.wrong("expected the shapes", match=False)
def odd_turned(D):
    return (
        torch.ones(D, D),
        torch.arange(1, D + 1).float()[:, None],
        torch.ones(D),
        torch.tensor(1.0),
    )


pocket = Exercise(
    "neurons.pocket",
    "A perceptron with a pocket",
    kind="program",
    effort=2,
    statement=r"""
    Where no line separates, the perceptron goes on for ever. So give it a pocket. Let it go through the samples in
    their order, `epochs` times, by the rule of the page, beginning with zeros. After each epoch count the
    samples on which its weights are wrong (a sum of 0 is wrong), and put a copy of the weights into the
    pocket if they are better than those in it. Return what is in the pocket at the end, weights and then bias, shape
    (D + 1,). The first weights to go in are those after the first epoch.
    """,
    hints=[
        "Write $\\tilde{x} = (x, 1)$ first; then a single vector is learned.",
        "Better means strictly fewer mistakes. Remember to copy: the weights go on changing.",
    ],
    axes={"x": "N D", "y": "N"},
)


@pocket.stub
def pocketed(x, y, epochs):
    """Return the best weights and bias found at the end of an epoch, shape (D + 1,).

    Args:
        x: samples, shape (N, D).
        y: classes −1 and +1, shape (N,).
        epochs: how often to go through the samples, at least 1.
    """


@pocket.reference
def pocketed_reference(x, y, epochs):
    rows = y[:, None] * torch.cat([x, torch.ones(len(x), 1)], dim=1)
    w, best, fewest = torch.zeros(rows.shape[1]), torch.zeros(0), math.inf
    for _ in range(epochs):
        for row in rows:
            if w @ row <= 0:
                w = w + row
        wrong = int((rows @ w <= 0).sum())
        if wrong < fewest:
            best, fewest = w, wrong
    return best


@pocket.inputs
def pocket_inputs(random):
    (N,) = random.sizes(1)
    for _ in range(40):  # until it matters that a sum of 0 is wrong, and that the first tie stays
        x = random.integers(-4, 5, N + 10, 2).float()
        y = torch.sign(x[:, 0] + x[:, 1] - 0.5)
        y[::4] = -y[::4]  # noise: no line separates
        right = pocketed_reference(x, y, 9)
        others = pocketed_zero_right(x, y, 9), pocketed_late_tie(x, y, 9)
        if not any(torch.equal(right, other) for other in others):
            break
    return x, y, 9


@pocket.wrong("a sum of 0 is wrong: it has to count when the pocket is compared")
def pocketed_zero_right(x, y, epochs):
    rows = y[:, None] * torch.cat([x, torch.ones(len(x), 1)], dim=1)
    w, best, fewest = torch.zeros(rows.shape[1]), torch.zeros(0), math.inf
    for _ in range(epochs):
        for row in rows:
            if w @ row <= 0:
                w = w + row
        wrong = int((rows @ w < 0).sum())
        if wrong < fewest:
            best, fewest = w, wrong
    return best


@pocket.wrong("weights that are only as good as those in the pocket do not replace them")
def pocketed_late_tie(x, y, epochs):
    rows = y[:, None] * torch.cat([x, torch.ones(len(x), 1)], dim=1)
    w, best, fewest = torch.zeros(rows.shape[1]), torch.zeros(0), math.inf
    for _ in range(epochs):
        for row in rows:
            if w @ row <= 0:
                w = w + row
        wrong = int((rows @ w <= 0).sum())
        if wrong <= fewest:
            best, fewest = w, wrong
    return best


@pocket.wrong("that is where it stands at the end: the pocket keeps the best")
def pocketed_last(x, y, epochs):
    rows = y[:, None] * torch.cat([x, torch.ones(len(x), 1)], dim=1)
    w = torch.zeros(rows.shape[1])
    for _ in range(epochs):
        for row in rows:
            if w @ row <= 0:
                w = w + row
    return w


@pocket.wrong("the rule steps at a sum of 0, too: from zeros it would otherwise never move")
def pocketed_strict(x, y, epochs):
    return torch.zeros(x.shape[1] + 1)


@pocket.wrong("the bias is missing: the last entry learns from the input that is always 1")
def pocketed_without_bias(x, y, epochs):
    rows = y[:, None] * x
    w, best, fewest = torch.zeros(rows.shape[1]), torch.zeros(0), math.inf
    for _ in range(epochs):
        for row in rows:
            if w @ row <= 0:
                w = w + row
        wrong = int((rows @ w <= 0).sum())
        if wrong < fewest:
            best, fewest = w, wrong
    return torch.cat([best, torch.zeros(1)])


@pocket.wrong("you keep the worst, not the best")
def pocketed_worst(x, y, epochs):
    rows = y[:, None] * torch.cat([x, torch.ones(len(x), 1)], dim=1)
    w, worst, most = torch.zeros(rows.shape[1]), torch.zeros(0), -1
    for _ in range(epochs):
        for row in rows:
            if w @ row <= 0:
                w = w + row
        wrong = int((rows @ w <= 0).sum())
        if wrong > most:
            worst, most = w, wrong
    return worst


how_many = Exercise(
    "neurons.how-many",
    "Three inputs",
    kind="program",
    effort=2,
    statement=r"""
    Of the 16 functions of two binary inputs a single threshold unit computes 14. How many of the 256 functions
    of three binary inputs does it compute? Let a program find out, and return the number.
    """,
    hints=[
        "Collect the truth tables of many units in a `set`. Which weights do you have to try?",
        "Whole numbers from −2 to 2 are enough for the weights here, and halves for the threshold. "
        "Check that larger ones find nothing new.",
    ],
)


@how_many.stub
def functions_of_three():
    """Return how many of the 256 functions of three inputs one threshold unit computes."""


@how_many.reference
def functions_of_three_reference():
    rows = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 3)
    tables = set()
    for w in itertools.product(range(-3, 4), repeat=3):  # −2 … 2 would do
        for t in range(-10, 11):
            fires = rows @ torch.tensor(w).float() >= t + 0.5
            tables.add(tuple(fires.tolist()))
    return len(tables)


how_many.wrong_value(152, "those are the functions that it can't compute")
how_many.wrong_value(256, "some can't be computed: XOR of the first two inputs, for one")
how_many.wrong_value(
    102, "two are missing: never to fire and always to fire are functions of three inputs as well"
)
how_many.wrong_value(
    72, "those depend on all three inputs: AND of the first two counts as well, or no input at all"
)

# --- break ----------------------------------------------------------------------------------

too_right = Exercise(
    "neurons.too-right",
    "Wrong for being too right",
    kind="break",
    effort=2,
    statement=r"""
    Samples with a single input $x$ can be separated: all of class $-1$ lie below all of class $+1$, so that a perceptron
    gets them right. Adaline settles near the least squares of $(wx + b - y)^2$. Find at most six
    samples on which the least squares get at least one of them wrong: $y\,(wx + b) < 0$. Give the inputs and the classes,
    two lists.
    """,
    hints=[
        "What does a sample with $y = +1$ want of $wx + b$? And one that is far out on its own side?",
        "Put one sample far to the right. It pulls the line down to 1 there, and so makes it flat.",
        "A line that is nearly flat comes close to the average of the classes. On which side of 0 is that, if one "
        "class has more samples?",
    ],
)


@too_right.stub
def samples():
    """Return the inputs and the classes, two lists of equal length, at most six."""


@too_right.reference
def samples_reference():
    return [-1.0, 1.0, 1.0, 1.0, 30.0], [-1, 1, 1, 1, 1]


@too_right.judge
def too_right_judge(got):
    try:
        x, y = (torch.tensor([float(entry) for entry in part]).double() for part in got)
    except (TypeError, ValueError):
        return "expected two lists of numbers, the inputs and the classes"
    if len(x) != len(y) or not 2 <= len(x) <= 6:
        return f"expected two lists of equal length, 2 to 6, got {len(x)} and {len(y)}"
    if not bool(x.isfinite().all()) or not bool((y.abs() == 1).all()):
        return "expected finite inputs, and classes that are −1 or 1"
    if not bool((y == 1).any() and (y == -1).any()):
        return "both classes have to occur"
    if not x[y == -1].max() < x[y == 1].min():
        return "the classes can't be separated as asked: all of −1 have to lie below all of +1"
    w, b = torch.linalg.lstsq(torch.stack([x, torch.ones_like(x)], 1), y).solution.tolist()
    if not (y * (w * x + b)).min() < -1e-9:
        return f"the least squares are {w:.3g} x + {b:.3g}: that gets every sample right"
    return None


too_right.wrong_value(
    ([-1, 1], [-1, 1]), "the least squares are 1 x + 0: that gets every sample right"
)
too_right.wrong_value(
    ([-1, 0, 1], [-1, 1, -1]),
    "the classes can't be separated as asked: all of −1 have to lie below all of +1",
)
too_right.wrong_value(([1, 2, 3], [1, 1, 1]), "both classes have to occur")

# --- extend ---------------------------------------------------------------------------------

second = Exercise(
    "neurons.second-component",
    "What the first unit leaves over",
    kind="extend",
    effort=2,
    statement=r"""
    One unit with Oja's rule finds the first principal component. A second one beside it would find the same. So let it see
    only what the first can't explain: with $a_1 = \mathbf w_1\cdot\mathbf x$ its input is
    $\mathbf x' = \mathbf x - a_1\mathbf w_1$. Both follow Oja's rule, each with its own input and output; both outputs are
    computed before either unit learns. Write `two_steps(w1, w2, x, lr)`, one step of both.
    """,
    hints=[
        "Write down $x'$ with the old $w_1$, and then $a_2$. Which input does the second unit's rule contain?",
        r"Oja's rule is written for an input $\mathbf x$ and an output $a$. What stands in their places for the second unit?",
    ],
    axes={"w1": "D", "w2": "D", "x": "D"},
    outputs=("w1", "w2"),
)


@second.stub
def two_steps(w1, w2, x, lr):
    """Return the weights of both units after one sample, two tensors of shape (D,).

    Args:
        w1: weights of the first unit, shape (D,).
        w2: weights of the second unit, shape (D,).
        x: a sample, shape (D,).
        lr: the learning rate.
    """


@second.reference
def two_steps_reference(w1, w2, x, lr):
    a1 = w1 @ x
    rest = x - a1 * w1
    a2 = w2 @ rest
    return w1 + lr * a1 * (x - a1 * w1), w2 + lr * a2 * (rest - a2 * w2)


@second.inputs
def second_inputs(random):
    (D,) = random.sizes(1)
    return (
        random.normal(D + 1, dtype=torch.float64),
        random.normal(D + 1, dtype=torch.float64),
        random.normal(D + 1, dtype=torch.float64),
        random.number(0.1, 0.5),
    )


@second.wrong("the second unit sees the whole sample: it would find the first component again")
def two_steps_alike(w1, w2, x, lr):
    a1, a2 = w1 @ x, w2 @ x
    return w1 + lr * a1 * (x - a1 * w1), w2 + lr * a2 * (x - a2 * w2)


@second.wrong("the rest is taken with the new w1: both outputs are computed before either learns")
def two_steps_in_turn(w1, w2, x, lr):
    a1 = w1 @ x
    w1 = w1 + lr * a1 * (x - a1 * w1)
    rest = x - (w1 @ x) * w1
    a2 = w2 @ rest
    return w1, w2 + lr * a2 * (rest - a2 * w2)


@second.wrong("the second unit's output is right, but its rule has the whole sample for input")
def two_steps_half(w1, w2, x, lr):
    a1 = w1 @ x
    a2 = w2 @ (x - a1 * w1)
    return w1 + lr * a1 * (x - a1 * w1), w2 + lr * a2 * (x - a2 * w2)


@second.wrong("that is Hebb's rule: the term that keeps the length is missing")
def two_steps_hebb(w1, w2, x, lr):
    a1 = w1 @ x
    rest = x - a1 * w1
    a2 = w2 @ rest
    return w1 + lr * a1 * x, w2 + lr * a2 * rest

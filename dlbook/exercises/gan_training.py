"""Exercises of the chapter "gan-training"."""
# mypy: disable-error-code="no-untyped-def, no-untyped-call"

import math

import torch

from dlbook.exercises._core import Exercise

# --- predict --------------------------------------------------------------------------------

arrival = Exercise(
    "gan-training.arrival",
    "How soon do they arrive?",
    kind="predict",
    effort=1,
    statement=r"""
    In the game of two numbers, in turn, near the equilibrium, with the rate $h = 0.2$ and the penalty's weight $\gamma = 0.25$. By which factor does the
    distance from the equilibrium shrink per step, in the mean over many? Which $n$, rounded to the nearest whole number, makes it a hundredth of what it was? And how much does the *squared* distance
    change in one step from $\psi = 0$, $\theta = 1$ if both move at once and there is no penalty? Three numbers: the first and the last with
    three digits behind the point.
    """,
    hints=[
        r"$\epsilon$ is half the rate, and the size of the eigenvalues is the root of a determinant.",
        r"If $f$ is the factor, $f^n = 0.01$. For the last, two squares are added.",
    ],
    outputs=("factor", "steps", "change"),
    atol=0.0006,
)


@arrival.stub
def factor_steps_change():
    """Return the factor per step, the steps to a hundredth (whole), the change."""


@arrival.reference
def factor_steps_change_reference():
    factor = math.sqrt(1 - 4 * 0.25 * 0.1)
    return factor, float(round(math.log(0.01) / math.log(factor))), 0.1**2


arrival.wrong_value((0.9, 44.0, 0.01), "the determinant is the product of two eigenvalues")
arrival.wrong_value((0.8944, 41.0, 0.04), "ε is half the rate")
arrival.wrong_value(
    (math.sqrt(0.9), 88.0, 0.01), "the whole number nearest to the solution, rounded down here"
)
arrival.wrong_value((math.sqrt(0.9), 87.0, 0.1), "the distance squared: a square is added")

# --- derive ---------------------------------------------------------------------------------

enough = Exercise(
    "gan-training.enough-friction",
    "Enough friction for moving at once",
    kind="derive",
    effort=2,
    statement=r"""
    If both players of the game of two numbers move at once, they spiral outwards. Let the discriminator pay the penalty $\gamma\psi^2$. Write the step near the equilibrium as a
    matrix, with $\epsilon = h/2$, and derive how large $\gamma$ must be at least so that they don't spiral outwards (as long as the eigenvalues are complex).
    Write `least_friction(h)`. Relative tolerance: $10^{-4}$.
    """,
    hints=[
        r"Both at once: $\theta' = \theta + \epsilon\psi$ with the old $\psi$. Only the discriminator's row has the penalty.",
        "For which determinant is the size of a pair of complex eigenvalues 1?",
    ],
    rtol=1e-4,
)


@enough.stub
def least_friction(h):
    """Return the least weight of the penalty for the rate h, a float."""


@enough.reference
def least_friction_reference(h):
    # The matrix is [[1 - 2 gamma h, -e], [e, 1]] with e = h / 2. Its determinant,
    # 1 - 2 gamma h + h^2 / 4, is the squared size of the eigenvalues: 1 if 2 gamma h = h^2 / 4.
    return h / 8


@enough.inputs
def enough_inputs(random):
    return (random.number(0.01, 0.5),)


@enough.wrong("the step is rate times slope, and the slope of γψ² has a 2")
def least_friction_without_two(h):
    return h / 4


@enough.wrong("ε is half the rate, in both places")
def least_friction_of_rate(h):
    return h / 2


@enough.wrong("the determinant has the square of ε; divide by the rate once")
def least_friction_square(h):
    return h**2 / 8


# --- program --------------------------------------------------------------------------------

bowl = Exercise(
    "gan-training.bowl",
    "The penalty of a bowl",
    kind="program",
    effort=2,
    statement=r"""
    A discriminator has the score $s(x) = x^\top A\,x + b^\top x$, with a matrix $A$ that need not be symmetric. Write `flatness(x, A, b)`: the mean over the rows of `x` of the
    squared length of $\nabla_x s$, without automatic differentiation. Tolerance: $10^{-4}$, relative $10^{-4}$.
    """,
    hints=[
        r"$x^\top A x = \sum_{ij} A_{ij} x_i x_j$: the coordinate $x_k$ stands in a row of $A$ and in a column.",
        "All rows at once: a matrix product with `x` from the left. Then a sum over coordinates, and a mean over rows.",
    ],
    axes={"x": "B N", "A": "N N", "b": "N"},
    atol=1e-4,
    rtol=1e-4,
)


@bowl.stub
def flatness(x, A, b):
    """Return the penalty, one number.

    Args:
        x: data, shape (B, N).
        A: (N, N).
        b: (N,).
    """


@bowl.reference
def flatness_reference(x, A, b):
    return (x @ (A + A.T) + b).square().sum(1).mean()


@bowl.inputs
def bowl_inputs(random):
    B, N = random.sizes(2)
    return random.normal(B, N), random.normal(N, N), random.normal(N)


@bowl.wrong("A need not be symmetric: a coordinate stands in a row and in a column of it")
def flatness_symmetric(x, A, b):
    return (2 * x @ A + b).square().sum(1).mean()


@bowl.wrong("b has a slope, too")
def flatness_without_b(x, A, b):
    return (x @ (A + A.T)).square().sum(1).mean()


@bowl.wrong("each term of the sum has x in two places: differentiate by both")
def flatness_one_side(x, A, b):
    return (x @ A + b).square().sum(1).mean()


@bowl.wrong("the length is squared: no root")
def flatness_root(x, A, b):
    return (x @ (A + A.T) + b).norm(dim=1).mean()


@bowl.wrong("the squared length is a sum over coordinates; the mean is over the rows only")
def flatness_mean(x, A, b):
    return (x @ (A + A.T) + b).square().mean()


carried = Exercise(
    "gan-training.carried",
    "How far must they be carried?",
    kind="program",
    effort=2,
    statement=r"""
    On a line, with as many samples as data, the Wasserstein distance is the mean distance over which each sample is carried to a datum of its own, if the pairs are chosen so
    that the mean is least. Write `carry(data, samples)`. Tolerance: $10^{-5}$.
    """,
    hints=[
        "Two samples, two data, no two ways crossing: which goes to which?",
        "Put both in order before you pair them, and think of the ends first.",
    ],
    axes={"data": "N", "samples": "N"},
    atol=1e-5,
)


@carried.stub
def carry(data, samples):
    """Return the distance, one number.

    Args:
        data: shape (N,).
        samples: (N,).
    """


@carried.reference
def carry_reference(data, samples):
    return (data.sort().values - samples.sort().values).abs().mean()


@carried.inputs
def carried_inputs(random):
    (N,) = random.sizes(1)
    return random.normal(N + 2), 1 + 2 * random.normal(N + 2)


@carried.wrong("the order in which they stand says nothing: choose the pairs")
def carry_in_order(data, samples):
    return (data - samples).abs().mean()


@carried.wrong("a datum is there for one sample only")
def carry_to_nearest(data, samples):
    return (samples[:, None] - data).abs().min(1).values.mean()


@carried.wrong("distances are asked for, not their squares")
def carry_squared(data, samples):
    return (data.sort().values - samples.sort().values).square().mean()


slack = Exercise(
    "gan-training.slack",
    "What the penalty costs",
    kind="derive",
    effort=2,
    statement=r"""
    On a line, the samples are the data moved to the right by $d > 0$. The critic is the straight line $s(x) = -tx$, with one parameter $t$, and pays
    the mean score of the samples less that of the data, plus $\lambda(t - 1)^2$. Which difference of the mean scores, data less samples, does the best critic find?
    It would be the Wasserstein distance $d$ if $t$ were 1. Write `found(d, weight)`. Relative tolerance: $10^{-4}$.
    """,
    hints=[
        "What is the difference of the mean scores of data and samples, for any t?",
        "A parabola in t. Where is its lowest point? That is the slope; the difference is asked for.",
    ],
    rtol=1e-4,
)


@slack.stub
def found(d, weight):
    """Return the difference of the mean scores, a float."""


@slack.reference
def found_reference(d, weight):
    # The loss -t d + weight (t - 1)^2 has the slope -d + 2 weight (t - 1), which is 0 at
    # t = 1 + d / (2 weight). The difference is t d.
    return d * (1 + d / (2 * weight))


@slack.inputs
def slack_inputs(random):
    return random.number(0.5, 8.0), random.number(5.0, 100.0)


@slack.wrong("the square's slope has a 2")
def found_without_two(d, weight):
    return d * (1 + d / weight)


@slack.wrong("that is the best slope; the difference of the scores is the slope times d")
def found_slope(d, weight):
    return 1 + d / (2 * weight)


@slack.wrong("the critic gains by being steeper than 1, not by being flatter")
def found_flatter(d, weight):
    return d * (1 - d / (2 * weight))


longest = Exercise(
    "gan-training.longest",
    "By how much can a layer lengthen?",
    kind="program",
    effort=2,
    statement=r"""
    The largest singular value of $W$ can be found by multiplying alone. Begin with $v$; repeat `steps` times: $u = Wv$ divided by its length, then $v = W^\top u$ divided by its length.
    In the end $u^\top W v$ is the estimate. Write `stretch(W, v, steps)` with `steps` of 1 or more. Tolerance: $10^{-4}$, relative $10^{-4}$.
    """,
    hints=[
        "Two lines in a loop; each ends with a vector of length 1.",
        "After the loop `u @ W @ v` is one number.",
    ],
    axes={"W": "M N", "v": "N"},
    atol=1e-4,
    rtol=1e-4,
)


@longest.stub
def stretch(W, v, steps):
    """Return the estimate, a tensor of shape ().

    Args:
        W: shape (M, N).
        v: where to begin, (N,).
        steps: how often, 1 or more.
    """


@longest.reference
def stretch_reference(W, v, steps):
    for _ in range(steps):
        u = W @ v
        u = u / u.norm()
        v = W.T @ u
        v = v / v.norm()
    return u @ W @ v


@longest.inputs
def longest_inputs(random):
    M, N = random.sizes(2)
    return random.normal(M + 1, N + 1), random.normal(N + 1), random.integer(1, 4)


@longest.wrong("both vectors are divided by their lengths, at every step")
def stretch_undivided(W, v, steps):
    for _ in range(steps):
        u = W @ v
        v = W.T @ (u / u.norm())
    return u @ W @ v


@longest.wrong("the estimate is of W, not of its square")
def stretch_squared(W, v, steps):
    return stretch_reference(W, v, steps) ** 2


@longest.wrong("repeat as often as asked, not once")
def stretch_once(W, v, steps):
    return stretch_reference(W, v, 1) if steps > 1 else stretch_reference(W, v, 2)


field = Exercise(
    "gan-training.field",
    "What a score has seen",
    kind="predict",
    effort=1,
    statement=r"""
    A patch discriminator has convolutions with kernels of 4 pixels: some with stride 2, then two with stride 1. With one of stride 2, each score has seen 16 pixels along either side.
    How many has it seen with two of stride 2, and how many with three? Go backwards: one number of a layer's output has seen 4 of its input, and $n$
    neighbours have seen $4 + (n - 1)$ times the stride. Two whole numbers.
    """,
    hints=[
        "The last layer: 4. The one before it, of stride 1 too: 7. Now those of stride 2.",
        "7 neighbours at stride 2 have seen 4 + 6 times 2.",
    ],
    outputs=("two", "three"),
    atol=0.01,
)


@field.stub
def seen():
    """Return the side of the square for two and for three layers of stride 2."""


@field.reference
def seen_reference():
    sides = []
    side = 7
    for _ in range(3):
        side = 4 + 2 * (side - 1)
        sides.append(side)
    return float(sides[1]), float(sides[2])


field.wrong_value((32.0, 64.0), "neighbouring squares overlap: it isn't twice as many")
field.wrong_value((19.0, 22.0), "what was seen grows by the stride for each neighbour")
field.wrong_value((16.0, 34.0), "one layer of stride 2 gives 16; two and three are asked for")

# --- break ----------------------------------------------------------------------------------

stuck = Exercise(
    "gan-training.stuck",
    "Too much friction",
    kind="break",
    effort=2,
    statement=r"""
    Friction brings the two numbers to rest, but can there be too much? With $\epsilon = 0.1$, in turn, the distance shrinks per step by the factor $\sqrt{0.96}$, about 0.9798,
    if $\gamma = 0.1$. Find a weight that is at least ten times as large, with which the players arrive in the end, and *more slowly* than that: the larger of the eigenvalues'
    sizes lies between $\sqrt{0.96}$ and 1.
    """,
    hints=[
        r"$1 - 4\gamma\epsilon$ is what the discriminator keeps of its slope. What if it keeps nothing at all of what it has learned?",
        "When the eigenvalues are real, only their product is told by the determinant. Compute both for some weights from 1 to 5.",
    ],
)


@stuck.stub
def too_much():
    """Return a weight, a float."""


@stuck.reference
def too_much_reference():
    # With 4 gamma eps = 1 the discriminator keeps nothing: the matrix has the rows (0, -eps) and
    # (0, 1 - eps^2), so its eigenvalues are 0 and 0.99.
    return 2.5


@stuck.judge
def stuck_judge(got):
    try:
        gamma = float(got)
    except (TypeError, ValueError):
        return "expected a number"
    if not math.isfinite(gamma) or gamma < 1:
        return "expected a weight of 1 or more"
    left, e = 1 - 4 * gamma * 0.1, 0.1
    turn = torch.tensor([[left, -e], [e * left, 1 - e**2]], dtype=torch.float64)
    size = float(torch.linalg.eigvals(turn).abs().max())
    if size >= 1:
        return f"they don't arrive: an eigenvalue of the size {size:.5f}"
    if size <= math.sqrt(0.96):
        return f"they arrive too soon: the larger eigenvalue has the size {size:.5f}"
    return None


stuck.wrong_value(0.1, "expected a weight of 1 or more")
stuck.wrong_value(1.0, "they arrive too soon: the larger eigenvalue has the size 0.97")
stuck.wrong_value(6.0, "they don't arrive: an eigenvalue of the size")

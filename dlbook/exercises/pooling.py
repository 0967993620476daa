"""Exercises of the chapter "pooling"."""
# mypy: disable-error-code="no-untyped-def, no-untyped-call"

import math

import torch

from dlbook.exercises._core import Exercise

# --- predict --------------------------------------------------------------------------------

overlapping = Exercise(
    "pooling.overlapping-routes",
    "One pixel, several windows",
    kind="predict",
    effort=1,
    statement=r"""
    A series of six numbers, $x = (3, 1, 4, 4, 2, 0)$, is pooled by windows of three with stride 1. The
    cotangents of the four outputs are $(1, 10, 100, 1000)$. For max pooling with PyTorch's rule for ties:
    what are the four outputs, and what is the cotangent of the third and of the fourth number? Then the
    same two cotangents under average pooling. Eight numbers.
    """,
    hints=[
        "Write the four windows below each other, and mark the winner of each.",
        "A tie goes to the one that is read first; and a window that begins later may not see that one.",
    ],
    atol=0.0006,
)


@overlapping.stub
def eight_numbers():
    """Return four maxima, two cotangents under max pooling, two under average pooling."""


@overlapping.reference
def eight_numbers_reference():
    # Windows (3 1 4), (1 4 4), (4 4 2), (4 2 0): the third number wins the first three, as it
    # is read before its equal; the last window begins behind it, and the fourth number wins.
    # Averages: the third number lies in windows 0, 1, 2, the fourth in 1, 2, 3.
    return (4, 4, 4, 4, 111, 1000, 111 / 3, 1110 / 3)


overlapping.wrong_value(
    (4, 4, 4, 4, 1, 1110, 37, 370), "a tie goes to the number that is read first, not last"
)
overlapping.wrong_value(
    (4, 4, 4, 4, 56, 1055, 37, 370),
    "that shares a tie between equals: PyTorch gives all to the first",
)
overlapping.wrong_value(
    (4, 4, 4, 4, 100, 1000, 37, 370),
    "a number that wins in several windows collects the cotangents of all of them",
)
overlapping.wrong_value(
    (4, 4, 4, 4, 111, 1000, 111, 1110),
    "an average of three hands a third of its cotangent to each of its numbers",
)

commuting = Exercise(
    "pooling.before-or-after",
    "Before or after",
    kind="predict",
    effort=2,
    statement=r"""
    A function $f$ is applied to every number of an image, before pooling or after it. For which of these
    six do both orders give the same, whatever the image? Answer with six numbers, 1 for yes and 0 for no.

    | | pooling | $f(u)$ |
    |---|---|---|
    | 1 | max | $\max(0, u)$ |
    | 2 | max | $3 - 2u$ |
    | 3 | max | $u^2$ |
    | 4 | max | $\tanh u$ |
    | 5 | average | $\max(0, u)$ |
    | 6 | average | $3 - 2u$ |
    """,
    hints=[
        "Try a window that holds −2 and 1.",
        "The largest number stays the largest if $f$ keeps the order; for an average take two numbers: is "
        "the value at their mean the mean of the values?",
    ],
)


@commuting.stub
def six_answers():
    """Return six numbers, each 1 (the order does not matter) or 0 (it may)."""


@commuting.reference
def six_answers_reference():
    # A function that never falls keeps the winner a winner: max(f(u)) = f(max(u)). 3 − 2u turns
    # the order round, u² does so left of 0. An average commutes with affine functions, as the
    # mean of 3 − 2u is 3 minus twice the mean; for the bent one try −2 and 1: 0 against ½.
    return (1, 0, 0, 1, 0, 1)


commuting.wrong_value((1, 0, 1, 1, 0, 1), "try the square on a window that holds −2 and 1")
commuting.wrong_value(
    (1, 1, 0, 1, 0, 1), "a falling function makes the largest number the smallest"
)
commuting.wrong_value((1, 0, 0, 1, 1, 1), "try an average of −2 and 1 before and after the bend")
commuting.wrong_value((1, 0, 0, 1, 0, 0), "the mean of 3 − 2u is 3 minus twice the mean of u")

# --- derive ---------------------------------------------------------------------------------

sharing = Exercise(
    "pooling.shared-numbers",
    "How many pairs of neighbours share",
    kind="derive",
    effort=2,
    statement=r"""
    Adaptive pooling makes $O$ windows of $T \ge O$ numbers: window $o$ reaches from
    $\lfloor oT/O\rfloor$ up to, and not including, $\lceil(o+1)T/O\rceil$. Of the $O - 1$ pairs of
    neighbouring windows, how many have a number in common? Derive a formula, without going through the
    windows, and write it as `sharing_pairs(T, windows)`, with `windows` for $O$.
    """,
    hints=[
        r"Neighbours $o - 1$ and $o$ meet at $oT/O$. When is that a whole number, and what do floor and "
        r"ceiling do to it if it is not?",
        r"$oT/O$ is whole exactly if $o$ is a multiple of $O/\gcd(T, O)$. How many such $o$ lie strictly "
        "between 0 and $O$?",
    ],
    seconds=5.0,
)


@sharing.stub
def sharing_pairs(T, windows):
    """Return how many neighbouring windows share a number.

    Args:
        T: how many numbers there are, up to 10¹².
        windows: O, how many there are, from 1 to T.
    """


@sharing.reference
def sharing_pairs_reference(T, windows):
    # Window o − 1 stops at ceil(oT/O), window o starts at floor(oT/O): the difference, the
    # number of shared places, is 0 if O divides oT and 1 otherwise. O divides oT exactly if
    # O/g divides o, where g = gcd(T, O), for T/g and O/g have no common factor. Among
    # o = 1 … O − 1 that holds g − 1 times, so O − 1 − (g − 1) pairs share a number.
    return windows - math.gcd(T, windows)


@sharing.inputs
def sharing_inputs(random):
    windows = random.integer(3, 30)
    return random.integer(1, 6) * windows + random.integer(1, windows - 1), windows


@sharing.probe("windows that lie side by side")
def sharing_divides(random):
    windows = random.integer(2, 9)
    return 4 * windows, windows


@sharing.probe("sizes with a common factor")
def sharing_factor(random):
    return 30, 12


@sharing.probe("very many numbers")
def sharing_many(random):
    return 10**12, 10**9 - 1


@sharing.wrong("that is so only where O and T have no common factor")
def sharing_all(T, windows):
    return windows - 1 if T % windows else 0


@sharing.wrong("that counts the pairs that share nothing")
def sharing_none(T, windows):
    return math.gcd(T, windows) - 1


@sharing.wrong("there are O − 1 pairs, and of these gcd − 1 share nothing")
def sharing_off(T, windows):
    return windows - 1 - math.gcd(T, windows)


window = Exercise(
    "pooling.best-window",
    "How large a window the maximum wants",
    kind="derive",
    effort=2,
    statement=r"""
    A feature is either on, 1, or off, 0. In images of the first class it is on at each place with
    probability $a < 1$, in those of the second with probability $b$, where $0 < b < a$, independently from place to place. A
    window holds $P$ places. The mean of the average over the window is $a$ or $b$, whatever $P$ is. What
    is the mean of the *maximum*, for each class? For which $P$, taken as a real number, do the two means lie
    farthest apart? Write it as `best_window(a, b)`; a relative error of $10^{-6}$ passes.
    """,
    hints=[
        "The maximum is 0 only if all are off.",
        r"A power $u^P$ is an exponential function of $P$. What is its derivative?",
    ],
    rtol=1e-6,
)


@window.stub
def best_window(a, b):
    """Return the number P of places that parts the mean maxima most, a float.

    Args:
        a: probability of the feature in the first class.
        b: in the second, below a.
    """


@window.reference
def best_window_reference(a, b):
    # The maximum is 0 if all P are off: with probability (1 − a)^P. Its mean is 1 − u^P, or
    # 1 − v^P, with u = 1 − a < v = 1 − b. The difference D = v^P − u^P has the derivative
    # v^P ln v − u^P ln u. It vanishes where (v/u)^P = ln u / ln v, hence at the P below, once;
    # D is 0 at P = 0 and for P → ∞ and positive between, so that is its maximum.
    u, v = 1 - a, 1 - b
    return math.log(math.log(u) / math.log(v)) / math.log(v / u)


@window.inputs
def window_inputs(random):
    b = random.number(0.01, 0.2)
    return b + random.number(0.05, 0.6), b


@window.wrong("that has a and b where 1 − a and 1 − b should be: the maximum is 0 if all are off")
def window_of_a(a, b):
    return math.log(math.log(b) / math.log(a)) / math.log(a / b)


@window.wrong("the sign: (v/u)^P = ln u / ln v, where u = 1 − a is the smaller one")
def window_sign(a, b):
    u, v = 1 - a, 1 - b
    return math.log(math.log(v) / math.log(u)) / math.log(v / u)


@window.wrong(
    "that makes the maximum of one mixed class change fastest: the two have each their own u^P"
)
def window_mixed(a, b):
    return -1 / math.log(1 - (a + b) / 2)


# --- program --------------------------------------------------------------------------------

averages = Exercise(
    "pooling.average-back",
    "The way back through padded averages",
    kind="program",
    effort=2,
    statement=r"""
    Average pooling of a series, with windows of $k$, stride $s$ and padding $p$ on either side, where the
    padding is *not* counted: each window's sum is divided by how many numbers of the series it holds. Write
    its backward pass for one series, `average_back(y_bar, n, k, s, p)`, without calling a ready-made
    backward pass. Tolerance: $10^{-5}$.
    """,
    hints=[
        r"Window $o$ begins at $os - p$ and stops before $os - p + k$. Which part of that lies in the series?",
        "Every number in that part receives the same share; windows that overlap add up.",
    ],
    axes={"y_bar": "O"},
    atol=1e-5,
)


@averages.stub
def average_back(y_bar, n, k, s, p):
    """Return the cotangent of the series, shape (n,).

    Args:
        y_bar: cotangents of the outputs, shape (O,).
        n: length of the series.
        k: numbers in a window.
        s: stride.
        p: padding, at most k/2.
    """


@averages.reference
def average_back_reference(y_bar, n, k, s, p):
    x_bar = y_bar.new_zeros(n)
    for o in range(len(y_bar)):
        first, stop = max(0, o * s - p), min(n, o * s - p + k)
        x_bar[first:stop] += y_bar[o] / (stop - first)
    return x_bar


@averages.inputs
def average_back_inputs(random):
    k = random.integer(3, 5)
    s, p, n = random.integer(1, 3), random.integer(1, k // 2), random.integer(9, 14)
    return random.normal((n + 2 * p - k) // s + 1), n, k, s, p


@averages.wrong("the padding is counted: at the ends a window holds fewer than k numbers")
def average_back_counting(y_bar, n, k, s, p):
    x_bar = y_bar.new_zeros(n)
    for o in range(len(y_bar)):
        x_bar[max(0, o * s - p) : min(n, o * s - p + k)] += y_bar[o] / k
    return x_bar


@averages.wrong("overlapping windows overwrite each other: their shares add up")
def average_back_overwriting(y_bar, n, k, s, p):
    x_bar = y_bar.new_zeros(n)
    for o in range(len(y_bar)):
        first, stop = max(0, o * s - p), min(n, o * s - p + k)
        x_bar[first:stop] = y_bar[o] / (stop - first)
    return x_bar


@averages.wrong("the windows begin at 0: the padding moves them back by p")
def average_back_without_padding(y_bar, n, k, s, p):
    x_bar = y_bar.new_zeros(n)
    for o in range(len(y_bar)):
        first, stop = o * s, min(n, o * s + k)
        if stop > first:
            x_bar[first:stop] += y_bar[o] / (stop - first)
    return x_bar


@averages.wrong("the share is missing: a sum hands on all of its cotangent, a mean does not")
def average_back_of_sum(y_bar, n, k, s, p):
    x_bar = y_bar.new_zeros(n)
    for o in range(len(y_bar)):
        x_bar[max(0, o * s - p) : min(n, o * s - p + k)] += y_bar[o]
    return x_bar


smooth = Exercise(
    "pooling.safe-softness",
    "A soft maximum that does not overflow",
    kind="program",
    effort=2,
    statement=r"""
    Pool images by the soft maximum $\tfrac1\beta\ln\bigl(\tfrac1{4}\sum e^{\beta x}\bigr)$ of every window of 2 × 2,
    with stride 2. Write it as `soft_pool(x, beta)` for $x$ of shape (B, C, H, W), $H$ and $W$ even, and
    $\beta > 0$. Numbers near 1000 with $\beta = 1$ must pass, and so must $\beta = 100$. Of `torch`'s functions take `exp` and
    `log`, but not `logsumexp`, which does it all for you. Tolerance: $10^{-4}$, relative or absolute.
    """,
    hints=[
        "Bring the four numbers of a window onto an axis of their own.",
        "What happens to the formula if the same number is subtracted from all four, and added at the end? "
        "Which number keeps every exponential at most 1?",
    ],
    axes={"x": "B C H W"},
    atol=1e-4,
    rtol=1e-4,
)


@smooth.stub
def soft_pool(x, beta):
    """Return the soft maxima of the windows of 2 × 2, shape (B, C, H/2, W/2)."""


@smooth.reference
def soft_pool_reference(x, beta):
    windows = x.unfold(2, 2, 2).unfold(3, 2, 2).flatten(4)  # (B, C, H/2, W/2, 4)
    top = windows.max(-1).values
    rest = torch.exp(beta * (windows - top[..., None])).mean(-1)
    return top + torch.log(rest) / beta


@smooth.inputs
def smooth_inputs(random):
    B, C = random.sizes(2, low=2, high=4)
    H, W = 2 * random.integer(1, 3), 2 * random.integer(4, 5)
    return random.normal(B, C, H, W), random.number(0.5, 5.0)


@smooth.probe("numbers near 1000")
def smooth_large(random):
    return 1000 + random.normal(2, 1, 4, 6), 1.0


@smooth.probe("β = 100")
def smooth_hard(random):
    return 3 * random.normal(2, 1, 4, 6), 100.0


@smooth.wrong("right in theory: the exponentials overflow")
def soft_pool_overflowing(x, beta):
    windows = x.unfold(2, 2, 2).unfold(3, 2, 2).flatten(4)
    return torch.log(torch.exp(beta * windows).mean(-1)) / beta


@smooth.wrong("a sum instead of a mean: off by (ln 4)/β")
def soft_pool_of_sum(x, beta):
    windows = x.unfold(2, 2, 2).unfold(3, 2, 2).flatten(4)
    return torch.logsumexp(beta * windows, -1) / beta


@smooth.wrong("the division by β is missing")
def soft_pool_scaled(x, beta):
    windows = x.unfold(2, 2, 2).unfold(3, 2, 2).flatten(4)
    return torch.logsumexp(beta * windows, -1) - math.log(4)


# --- break ----------------------------------------------------------------------------------

bug = Exercise(
    "pooling.right-at-first",
    "Right on the first try",
    kind="break",
    effort=1,
    statement=r"""
    This backward pass of max pooling, of one series, gave the right gradient on the first try, with windows
    of two and stride 2. With windows of three and stride 1 it does not. Find out why, and mend it. (Ties go to
    the first, which is how `argmax` decides here.)
    """,
    hints=[
        "Compare it with finite differences for a series whose largest number stands in the middle.",
        "Which number can win twice, in the first setting and in the second?",
    ],
)


@bug.stub
def max_back(x, y_bar, k, s):
    """Return the cotangent of x, shape (n,).

    Args:
        x: the series, shape (n,).
        y_bar: cotangents of the outputs, shape (O,).
        k: numbers in a window.
        s: stride.
    """
    x_bar = torch.zeros_like(x)
    for o in range(len(y_bar)):
        winner = o * s + x[o * s : o * s + k].argmax()
        x_bar[winner] = y_bar[o]
    return x_bar


@bug.reference
def max_back_reference(x, y_bar, k, s):
    x_bar = torch.zeros_like(x)
    for o in range(len(y_bar)):
        winner = o * s + x[o * s : o * s + k].argmax()
        x_bar[winner] += y_bar[o]
    return x_bar


@bug.inputs
def bug_inputs(random):
    n = random.integer(8, 12)
    x = random.permutation(n).float()
    return x, random.normal(n - 2), 3, 1


@bug.probe("windows side by side")
def bug_apart(random):
    return random.permutation(8).float(), random.normal(4), 2, 2


@bug.probe("equal numbers")
def bug_ties(random):
    x = torch.tensor([1.0, 2, 2, 0, 0, 0, 1, 1])
    return x[: random.integer(6, 8)], random.normal(4), 3, 1


@bug.wrong("a tie goes to the first of the equals, not to the last")
def max_back_to_last(x, y_bar, k, s):
    x_bar = torch.zeros_like(x)
    for o in range(len(y_bar)):
        window = x[o * s : o * s + k]
        x_bar[o * s + (window == window.max()).nonzero().max()] += y_bar[o]
    return x_bar


@bug.wrong("every number of the window receives something: only the winner may")
def max_back_to_all(x, y_bar, k, s):
    x_bar = torch.zeros_like(x)
    for o in range(len(y_bar)):
        x_bar[o * s : o * s + k] += y_bar[o]
    return x_bar


@bug.wrong("the winner's place is counted from the start of the window: its start is missing")
def max_back_unmoved(x, y_bar, k, s):
    x_bar = torch.zeros_like(x)
    for o in range(len(y_bar)):
        x_bar[x[o * s : o * s + k].argmax()] += y_bar[o]
    return x_bar


@bug.wrong("multiplied by the winner: the slope of a copy is 1")
def max_back_times_x(x, y_bar, k, s):
    x_bar = torch.zeros_like(x)
    for o in range(len(y_bar)):
        winner = o * s + x[o * s : o * s + k].argmax()
        x_bar[winner] += y_bar[o] * x[winner]
    return x_bar


calm = Exercise(
    "pooling.calm-maximum",
    "Calm for one, restless for the other",
    kind="extend",
    effort=2,
    statement=r"""
    Find an image of 4 × 4 with numbers between 0 and 1 such that moving it to the right by one pixel, around
    the edge (`x.roll(1, 1)`), leaves the output of max pooling (windows of 2 × 2, stride 2) exactly as
    it is, while every one of the four averages of average pooling changes by at least 0.1. So neither kind is
    the more invariant one for each image.
    """,
    hints=[
        "One row is enough; let the other rows be copies of it.",
        "Give both windows of a row the same maximum, at a place where it stays in the window when moved; then "
        "choose the other two numbers so that the sums differ.",
    ],
)


@calm.stub
def calm_image():
    """Return a tensor of shape (4, 4) with numbers from 0 to 1."""


@calm.reference
def calm_image_reference():
    # A row (a, b, c, d) has the windows (a b), (c d), and moved (d a), (b c). With a = c = 1 all
    # four maxima are 1. The sums a + b and d + a differ by b − d, and so do the others.
    return torch.tensor([1.0, 0.8, 1.0, 0.0]).repeat(4, 1)


@calm.judge
def calm_judge(got):
    if not isinstance(got, torch.Tensor) or tuple(got.shape) != (4, 4):
        return "expected a tensor of shape (4, 4)"
    x = got.double()
    if not bool(((x >= 0) & (x <= 1)).all()):
        return "some numbers lie outside of 0 … 1"
    halves = [y.unfold(0, 2, 2).unfold(1, 2, 2).flatten(2) for y in (x, x.roll(1, 1))]
    if not torch.equal(halves[0].max(-1).values, halves[1].max(-1).values):
        return "the output of max pooling changes"
    change = (halves[0].mean(-1) - halves[1].mean(-1)).abs().min().item()
    if change < 0.1 - 1e-9:
        return f"an average changes by {change:.3f} only"
    return None


calm.wrong_value(torch.zeros(4, 4), "an average changes by 0.000 only")
calm.wrong_value(torch.tensor([0.0, 0, 1, 1]).repeat(4, 1), "the output of max pooling changes")
calm.wrong_value(torch.tensor([2.0, 1, 2, 0]).repeat(4, 1), "some numbers lie outside of 0 … 1")

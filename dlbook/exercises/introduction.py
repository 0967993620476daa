"""Exercises of the chapter "introduction"."""
# mypy: disable-error-code="no-untyped-def, no-untyped-call"

import math

import torch

from dlbook.exercises._core import Exercise

# --- predict --------------------------------------------------------------------------------

chain = Exercise(
    "introduction.another-chain",
    "Another chain, with a pencil",
    kind="predict",
    effort=1,
    statement=r"""
    Compose three functions: double and subtract 1; square and add 1; take the natural logarithm. That is
    $f(x) = \log\bigl((2x - 1)^2 + 1\bigr)$. Give two numbers, the value and the slope of $f$ at $x = 1$.
    Three digits behind the point are enough.
    """,
    hints=[
        "First the values, from the inside out: what does each of the three functions receive?",
        "Then the slope of each of the three functions, at what it receives. Multiply them.",
    ],
    atol=0.0006,
)


@chain.stub
def value_and_slope():
    """Return f(1) and the slope of f at 1: two numbers."""


@chain.reference
def value_and_slope_reference():
    inner = 2 * 1 - 1
    square = inner**2 + 1
    return math.log(square), 2 * (2 * inner) * (1 / square)


chain.wrong_value(
    (math.log(2), 1), "the slope of doubling is missing: 2x − 1 rises by 2 for each 1"
)
chain.wrong_value((math.log(2), 4), "the slope of the logarithm at 2 is 1/2: it is missing")
chain.wrong_value(
    (math.log10(2), 2), "the logarithm is the natural one, whose slope at t is exactly 1/t"
)
chain.wrong_value((math.log(2), 4.5), "slopes in a chain are multiplied; these were added up")

codes = Exercise(
    "introduction.how-many-things",
    "How many things can twelve units tell apart?",
    kind="predict",
    effort=1,
    statement=r"""
    Twelve units are each on or off. How many things can they name, if (a) exactly one unit is on for each
    thing; (b) exactly three are on; (c) any pattern may be used, all off and all on included? And (d): a model gives
    each thing of (c) a price, a weighted sum of the twelve units and a constant. Pick some of the things, as you like, and let
    somebody else set their prices. How many can you pick at most, if the model must fit these prices whatever they are? Four whole
    numbers.
    """,
    hints=[
        "For (b): twelve ways to choose the first unit, eleven for the second, ten for the third, and their order does not matter.",
        "For (c): each further unit doubles the number of patterns. For (d): how many parameters are free, and for which "
        "things can you set them one after the other?",
    ],
)


@codes.stub
def counts():
    """Return four whole numbers."""


@codes.reference
def counts_reference():
    # (d) The price of "all off" is the constant. The price of "only unit i on" then settles
    # weight i. So 1 + 12 prices can be fitted, whatever they are. For 14 things there would be
    # 14 equations in 13 parameters: some prices solve none.
    return 12, math.comb(12, 3), 2**12, 1 + 12


codes.wrong_value(
    (12, 1320, 4096, 13), "in (b) the three units have no order: each set was counted six times"
)
codes.wrong_value(
    (12, 1728, 4096, 13), "in (b) three different units are on, and their order does not matter"
)
codes.wrong_value((12, 220, 4095, 13), "in (c) the pattern with all units off counts, too")
codes.wrong_value((12, 220, 144, 13), "in (c) each unit doubles the number of patterns")
codes.wrong_value((12, 220, 4096, 12), "in (d) the constant is a parameter, too")
codes.wrong_value(
    (12, 220, 4096, 4096), "in (d) the model has one parameter for each unit, not for each pattern"
)

# --- derive ---------------------------------------------------------------------------------

undefined = Exercise(
    "introduction.undefined-share",
    "Where a composition is undefined",
    kind="derive",
    effort=2,
    statement=r"""
    On what share of the line is $\log(\cos(c \sin x))$ undefined, if $\tfrac{\pi}{2} < c < \tfrac{3\pi}{2}$? Write it as
    `undefined_share(c)`, a number between 0 and 1.
    """,
    hints=[
        "The logarithm needs a cosine above 0. For which values of $c\\sin x$, between $-c$ and $c$, is it not?",
        r"So $|\sin x|$ must not reach $\pi/(2c)$. In a whole turn of $x$, how long is the stretch around each of "
        r"the two peaks of $|\sin x|$ where it does? The arcsine says where the stretch begins.",
    ],
    atol=1e-9,
)


@undefined.stub
def undefined_share(c):
    """Return the share of the line where log(cos(c sin x)) is undefined; π/2 < c < 3π/2."""


@undefined.reference
def undefined_share_reference(c):
    # The inside u = c sin x runs from -c to c, within 3π/2 of 0. There cos u <= 0 just if
    # |u| >= π/2, that is |sin x| >= π / (2c) = sin(start), with start = asin(π / (2c)).
    # Around the peak of the sine that holds from start to π - start, around its trough as long
    # again: 2 (π - 2 start) of each turn 2π, which is the share 1 - 2 start / π.
    start = math.asin(math.pi / (2 * c))
    return 1 - 2 * start / math.pi


@undefined.inputs
def undefined_inputs(random):
    return (random.number(1.6, 4.7),)


@undefined.wrong("the sine has troughs, too: cos does not mind the sign of c sin x")
def undefined_share_peaks(c):
    return 0.5 - math.asin(math.pi / (2 * c)) / math.pi


@undefined.wrong("that is the share where it is defined")
def undefined_share_rest(c):
    return 2 * math.asin(math.pi / (2 * c)) / math.pi


@undefined.wrong(
    "that is the share of heights between −1 and 1; the sine does not pass all of them equally fast"
)
def undefined_share_heights(c):
    return 1 - math.pi / (2 * c)


doubling = Exercise(
    "introduction.doubling-time",
    "From a growth to a doubling time",
    kind="derive",
    effort=1,
    statement=r"""
    Something grew, always by the same factor in the same time, to `factor` times its size in `months`
    months. In how many months did it double? Write `doubling_time(factor, months)`.
    """,
    hints=[
        "How many doublings make a factor of 8? Of 1024?",
        "For a factor that is no power of 2, such as 10, the number of doublings is a logarithm.",
    ],
    atol=1e-9,
)


@doubling.stub
def doubling_time(factor, months):
    """Return the months in which it doubles; factor > 1."""


@doubling.reference
def doubling_time_reference(factor, months):
    # If it doubles every T months, it grows 2^(months / T)-fold. Set that equal to factor and take
    # logarithms to base 2: months / T = log2(factor).
    return months / math.log2(factor)


@doubling.inputs
def doubling_inputs(random):
    return random.number(3.0, 1e6), random.number(1.0, 100.0)


@doubling.wrong("that is how often it doubled in a month")
def doubling_time_inverse(factor, months):
    return math.log2(factor) / months


@doubling.wrong("that would be right for a straight line: here each doubling takes the same time")
def doubling_time_straight(factor, months):
    return 2 * months / factor


@doubling.wrong(
    "that is the time to grow by the factor e: doublings are counted by the logarithm to base 2"
)
def doubling_time_e(factor, months):
    return months / math.log(factor)


@doubling.wrong(
    "that is the time to grow tenfold: doublings are counted by the logarithm to base 2"
)
def doubling_time_ten(factor, months):
    return months / math.log10(factor)


@doubling.wrong("the number of doublings need not be whole: do not round it")
def doubling_time_rounded(factor, months):
    return months / round(math.log2(factor))


# --- program --------------------------------------------------------------------------------

composing = Exercise(
    "introduction.compose",
    "A machine that composes, with the slopes backwards",
    kind="program",
    effort=2,
    statement=r"""
    A step is a pair of Python functions: a function of one number, and its slope. Write
    `compose(steps, x)`: it applies the steps to `x`, the first one first, and returns the value of the whole composition and a list
    of slopes, as they stand under the boxes of the chapter's graph. Entry $i$ says how much the last value moves, for each unit by which
    what step $i$ receives does; one entry more, at the end, is 1. With no steps at all it is the function $f(x) = x$.
    """,
    hints=[
        "First forwards: keep what each step receives. Then from the last step back to the first.",
        "The list is built from its end, which is 1. A step multiplies the entry behind it by its own slope, taken at the value "
        "that it received.",
    ],
    outputs=("value", "slopes"),
)


@composing.stub
def compose(steps, x):
    """Return the value of the composition at x, and its slope by what each step receives.

    Args:
        steps: a list of pairs (function, slope), the innermost first.
        x: a number.

    Returns:
        The value, and a list of len(steps) + 1 numbers, of which the first is the slope by x and
        the last is 1.
    """


def _received(steps, x):
    values = [x]
    for function, _ in steps:
        values.append(function(values[-1]))
    return values


@composing.reference
def compose_reference(steps, x):
    values = [x]
    for function, _ in steps:
        values.append(function(values[-1]))
    slopes = [1.0]
    for (_, slope), received in zip(reversed(steps), reversed(values[:-1])):
        slopes.append(slopes[-1] * slope(received))
    return values[-1], slopes[::-1]


@composing.inputs
def composing_inputs(random):
    library = [
        (math.sin, math.cos),
        (lambda t: t**3, lambda t: 3 * t * t),
        (math.cos, lambda t: -math.sin(t)),
        (math.atan, lambda t: 1 / (1 + t * t)),
    ]
    # Sums of sines and the like stay small, however they are composed.
    picked = [library[random.integer(0, 3)] for _ in range(random.integer(2, 5))]
    return [library[0], *picked, library[3]], random.number(0.3, 1.2)


@composing.probe("an empty list of steps")
def composing_empty(random):
    return [], random.number(0.3, 1.2)


@composing.wrong("each slope must be taken at what its step receives, not at x")
def compose_at_x(steps, x):
    value, slopes = _received(steps, x)[-1], [1.0]
    for _, slope in reversed(steps):
        slopes.append(slopes[-1] * slope(x))
    return value, slopes[::-1]


@composing.wrong("each slope was taken at what its step returns: use the value before the step")
def compose_after(steps, x):
    values, slopes = _received(steps, x), [1.0]
    for (_, slope), after in zip(reversed(steps), reversed(values[1:])):
        slopes.append(slopes[-1] * slope(after))
    return values[-1], slopes[::-1]


@composing.wrong("the first step of the list is applied first: you began with the last")
def compose_backwards(steps, x):
    return compose_reference(steps[::-1], x)


@composing.wrong(
    "these are the slopes of each value by x: asked is the slope of the last value by each"
)
def compose_forwards(steps, x):
    values, slopes = _received(steps, x), [1.0]
    for (_, slope), received in zip(steps, values[:-1]):
        slopes.append(slopes[-1] * slope(received))
    return values[-1], slopes


@composing.wrong("the slopes stand from the last to the first: turn the list round")
def compose_turned(steps, x):
    value, slopes = compose_reference(steps, x)
    return value, slopes[::-1]


@composing.wrong("slopes in a chain are multiplied: these are each step's own")
def compose_own(steps, x):
    values = _received(steps, x)
    own = [slope(received) for (_, slope), received in zip(steps, values[:-1])]
    return values[-1], [*own, 1.0]


stump = Exercise(
    "introduction.smallest-learner",
    "The smallest learner",
    kind="program",
    effort=2,
    statement=r"""
    A model with one parameter: it says "yes" if a feature is at least $t$, otherwise "no". Write its
    training. `best_threshold(feature, answer)` gets $N$ different numbers and the $N$ right answers (1 for yes, 0
    for no); it returns a $t$ that makes as few mistakes on them as any. Consider every possible $t$, also
    those that always say "yes" or always "no". (If several are best, any of them will do.)
    """,
    hints=[
        "Move $t$ from one number to a slightly larger one. When do the model's answers change?",
        "How many different rows of answers can the model give to $N$ different numbers? Try a $t$ for each of them.",
    ],
    axes={"feature": "N", "answer": "N"},
)


@stump.stub
def best_threshold(feature, answer):
    """Return a threshold t with the fewest mistakes, a number.

    Args:
        feature: numbers, all different, shape (N,).
        answer: 1 or 0 for each of them, shape (N,), int64.
    """


def _mistakes(t, feature, answer):
    return int(((feature >= t).long() != answer).sum())


@stump.reference
def best_threshold_reference(feature, answer):
    def mistakes(t):
        return int(((feature >= t).long() != answer).sum())

    return min([*feature.tolist(), float("inf")], key=mistakes)


@stump.judge
def stump_judge(got, feature, answer):
    try:
        t = float(got)
    except (TypeError, ValueError, RuntimeError):
        return "expected one number, the threshold"
    if math.isnan(t):
        return "the threshold is not a number"
    candidates = [*feature.tolist(), float("inf")]
    best = min(_mistakes(c, feature, answer) for c in candidates)
    made = _mistakes(t, feature, answer)
    if made == best:
        return None
    if best == _mistakes(float("inf"), feature, answer) and t in feature.tolist():
        return "a threshold above all features, which always says no, was not tried"
    if made == max(_mistakes(c, feature, answer) for c in candidates):
        return "that threshold makes the most mistakes: min and max are mixed up"
    if abs(t - feature.mean().item()) < 1e-9:
        return "the mean of the features knows nothing of the answers: train"
    yes = feature[answer == 1]
    if len(yes) and t == yes.min().item():
        return "the lowest feature with answer yes may lie below many with answer no"
    return f"mistakes of this threshold: {made}; of a best one: {best}"


@stump.inputs
def stump_inputs(random):
    n = random.integer(12, 20)
    feature = random.permutation(n).double() + 0.5
    noise = random.uniform(-0.25, 0.25, n) * n
    border = random.choice([0.35, 0.75]) * n
    answer = ((feature + noise) > border).long()
    answer[feature.argmin()] = 1  # one that no good threshold gets right
    return feature, answer


@stump.probe("answers that are all no")
def stump_no(random):
    n = random.integer(8, 15)
    return random.permutation(n).double(), torch.zeros(n, dtype=torch.int64)


@stump.wrong("a threshold above all features, which always says no, was not tried", match=False)
def best_threshold_no_end(feature, answer):
    return min(feature.tolist(), key=lambda t: _mistakes(t, feature, answer))


@stump.wrong("the mean of the features knows nothing of the answers: train", match=False)
def best_threshold_mean(feature, answer):
    return feature.mean().item()


@stump.wrong("the lowest feature with answer yes may lie below many with answer no", match=False)
def best_threshold_first(feature, answer):
    yes = feature[answer == 1]
    return yes.min().item() if len(yes) else float("inf")


@stump.wrong("that threshold makes the most mistakes: min and max are mixed up", match=False)
def best_threshold_worst(feature, answer):
    candidates = [*feature.tolist(), float("inf")]
    return max(candidates, key=lambda t: _mistakes(t, feature, answer))


# --- break ----------------------------------------------------------------------------------

exception = Exercise(
    "introduction.no-sum-fits",
    "Prices that no sum fits",
    kind="break",
    effort=2,
    statement=r"""
    Two shapes in two colours are four things. A model adds a number for the shape and a number for the colour. Give four
    prices from 0 to 10, in the order (round, red), (round, blue), (square, red), (square, blue), for which every
    choice of its four numbers is wrong by 4 or more on at least one thing.
    """,
    hints=[
        "For prices that are such sums, the two on one diagonal add up to as much as the two on the other.",
        "If all four errors are smaller than 4, by how much can the two diagonals differ?",
    ],
)


@exception.stub
def prices():
    """Return four numbers from 0 to 10."""


@exception.reference
def prices_reference():
    # For sums, price(round, red) + price(square, blue) = price(round, blue) + price(square, red):
    # both are all four numbers added up. Four errors below 4 would let the two diagonals of the
    # true prices differ by less than 16. Here they differ by 20.
    return (10, 0, 0, 10)


@exception.judge
def exception_judge(got):
    try:
        a, b, c, d = (float(number) for number in got)
    except (TypeError, ValueError):
        return "expected four numbers, the prices of the four things"
    if not all(0 <= price <= 10 for price in (a, b, c, d)):
        return "the prices must lie between 0 and 10"
    # The best sum is wrong by a quarter of the difference of the diagonals, on all four things.
    error = abs(a + d - b - c) / 4
    if error < 1e-9:
        return "a sum fits these prices exactly: the diagonals add up to the same"
    if error < 4:
        return f"the best sum is wrong by only {error:.6g} at most: let the diagonals differ more"
    return None


exception.wrong_value(
    (1, 2, 3, 4), "a sum fits these prices exactly: the diagonals add up to the same"
)
exception.wrong_value(
    (10, 0, 0, 0), "the best sum is wrong by only 2.5 at most: let the diagonals differ more"
)
exception.wrong_value((20, 0, 0, 20), "the prices must lie between 0 and 10")

# --- extend ---------------------------------------------------------------------------------

fooled = Exercise(
    "introduction.fooled",
    "Chosen on the test part",
    kind="extend",
    effort=3,
    statement=r"""
    Somebody trains $K$ readers, tries all of them on the test part of $n$ digits, and reports the best. Suppose that they are
    all equally good: each reads any digit rightly with probability $p$, independently of everything else. By how much does the
    report flatter them, on average? Write `flattery(K, n, p)`: the expectation of the largest of the $K$ shares, less $p$.
    Compute it exactly, not by trying it out. (An expectation is a mean weighted by probability; the chapter on
    [probability](probability.md) defines it. If these words are new to you, come back after it.)
    """,
    hints=[
        r"One reader's count is $c$ with probability $\binom{n}{c}p^c(1-p)^{n-c}$ (the *binomial* distribution). The largest of "
        r"$K$ independent counts is at most $c$ just if all of them are. With what probability is that?",
        "A whole number from 0 to $n$ is the sum of ones, one for each $c = 0, \\dots, n - 1$ that it exceeds. What is the expectation "
        "of such a one?",
    ],
    atol=1e-9,
)


@fooled.stub
def flattery(K, n, p):
    """Return the expectation of the best of K shares on n digits, less p.

    Args:
        K: how many readers, 1 or more.
        n: how many digits.
        p: the probability that a reader reads a digit rightly.
    """


@fooled.reference
def flattery_reference(K, n, p):
    # The largest count M is the number of c in 0..n-1 with M > c, so its expectation is the sum of
    # P(M > c) = 1 - P(M <= c) over these c. All K counts are at most c with probability
    # P(M <= c) = P(one count <= c)^K, as they are independent.
    total, below = 0.0, 0.0
    for c in range(n):
        below += math.comb(n, c) * p**c * (1 - p) ** (n - c)  # one count is at most c
        total += 1 - below**K
    return total / n - p


@fooled.inputs
def fooled_inputs(random):
    return random.integer(2, 12), random.integer(20, 60), random.number(0.6, 0.95)


@fooled.probe("a single reader, who flatters nobody")
def fooled_single(random):
    return 1, random.integer(20, 60), random.number(0.6, 0.95)


@fooled.wrong("that is the expectation of the best share: subtract p")
def flattery_share(K, n, p):
    return flattery_reference(K, n, p) + p


@fooled.wrong("that is in digits: divide by n for a share")
def flattery_digits(K, n, p):
    return n * flattery_reference(K, n, p)


@fooled.wrong(
    "that is the worst of the K readers: all K must exceed a count for the worst to do so"
)
def flattery_worst(K, n, p):
    total, below = 0.0, 0.0
    for c in range(n):
        below += math.comb(n, c) * p**c * (1 - p) ** (n - c)
        total += (1 - below) ** K
    return total / n - p


@fooled.wrong("that is the standard deviation of one share; the best of K depends on K")
def flattery_deviation(K, n, p):
    return math.sqrt(p * (1 - p) / n)

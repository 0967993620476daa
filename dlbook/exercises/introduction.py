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
    "How many things can ten units tell apart?",
    kind="predict",
    effort=1,
    statement=r"""
    Ten units are each on or off. How many things can they name, if (a) exactly one unit is on for each
    thing; (b) exactly two are on; (c) any pattern may be used, all off and all on included? And (d): a model gives
    each thing of (c) a price, a weighted sum of the ten units and a constant. To how many of the things, at most, can one give prices at will
    before the other prices are settled? Four whole numbers.
    """,
    hints=[
        "For (b): ten ways to choose the first unit, nine for the second, and their order does not matter.",
        "For (c): each further unit doubles the number of patterns. For (d): how many parameters are free?",
    ],
)


@codes.stub
def counts():
    """Return four whole numbers."""


@codes.reference
def counts_reference():
    return 10, math.comb(10, 2), 2**10, 11


codes.wrong_value(
    (10, 90, 1024, 11), "in (b) the two units have no order: each pair was counted twice"
)
codes.wrong_value(
    (10, 100, 1024, 11), "in (b) two different units are on, and their order does not matter"
)
codes.wrong_value((10, 45, 1023, 11), "in (c) the pattern with all units off counts, too")
codes.wrong_value((10, 45, 100, 11), "in (c) each unit doubles the number of patterns")
codes.wrong_value((10, 45, 1024, 10), "in (d) the constant is a parameter, too")
codes.wrong_value(
    (10, 45, 1024, 1024), "in (d) the model has one parameter for each unit, not for each pattern"
)

# --- derive ---------------------------------------------------------------------------------

undefined = Exercise(
    "introduction.undefined-share",
    "Where a composition is undefined",
    kind="derive",
    effort=2,
    statement=r"""
    On what share of the line is $\log(\cos(a \sin x))$ undefined, if $\tfrac{\pi}{2} < a < \tfrac{3\pi}{2}$? Write it as
    `undefined_share(a)`, a number between 0 and 1.
    """,
    hints=[
        "The logarithm needs a cosine above 0. For which values of $a\\sin x$, between $-a$ and $a$, is it not?",
        r"So $|\sin x|$ must not reach $\pi/2a$. In a whole turn of $x$, how long is the stretch around each of "
        r"the two peaks of $|\sin x|$ where it does? The arcsine says where the stretch begins.",
    ],
    atol=1e-9,
)


@undefined.stub
def undefined_share(a):
    """Return the share of the line where log(cos(a sin x)) is undefined; π/2 < a < 3π/2."""


@undefined.reference
def undefined_share_reference(a):
    return 1 - 2 * math.asin(math.pi / (2 * a)) / math.pi


@undefined.inputs
def undefined_inputs(random):
    return (random.number(1.6, 4.7),)


@undefined.wrong("the sine has troughs, too: cos does not mind the sign of a sin x")
def undefined_share_peaks(a):
    return 0.5 - math.asin(math.pi / (2 * a)) / math.pi


@undefined.wrong("that is the share where it is defined")
def undefined_share_rest(a):
    return 2 * math.asin(math.pi / (2 * a)) / math.pi


@undefined.wrong(
    "that is the share of heights between −1 and 1; the sine does not pass all of them equally fast"
)
def undefined_share_heights(a):
    return 1 - math.pi / (2 * a)


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


# --- program --------------------------------------------------------------------------------

composing = Exercise(
    "introduction.compose",
    "A machine that composes, with the slope",
    kind="program",
    effort=2,
    statement=r"""
    A step is a pair of Python functions: a function of one number, and its slope. Write
    `compose(steps, x)`: it applies the steps to `x`, the first one first, and returns the value and the slope of
    the whole composition. With no steps at all it is the function $f(x) = x$.
    """,
    hints=[
        "Go through the steps once and carry two numbers along: the value so far and the slope so far.",
        "A step multiplies the slope so far by its own slope, taken at the value that it receives.",
    ],
    outputs=("value", "slope"),
)


@composing.stub
def compose(steps, x):
    """Return the value and the slope of the composition at x.

    Args:
        steps: a list of pairs (function, slope), the innermost first.
        x: a number.
    """


@composing.reference
def compose_reference(steps, x):
    value, slope = x, 1.0
    for function, derivative in steps:
        slope = slope * derivative(value)
        value = function(value)
    return value, slope


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
    value, slope = x, 1.0
    for function, derivative in steps:
        slope = slope * derivative(x)
        value = function(value)
    return value, slope


@composing.wrong("each slope was taken at what its step returns: use the value before the step")
def compose_after(steps, x):
    value, slope = x, 1.0
    for function, derivative in steps:
        value = function(value)
        slope = slope * derivative(value)
    return value, slope


@composing.wrong("the first step of the list is applied first: you began with the last")
def compose_backwards(steps, x):
    value, slope = x, 1.0
    for function, derivative in reversed(steps):
        slope = slope * derivative(value)
        value = function(value)
    return value, slope


@composing.wrong("slopes in a chain are multiplied, not added")
def compose_sum(steps, x):
    value, slope = x, 0.0
    for function, derivative in steps:
        slope = slope + derivative(value)
        value = function(value)
    return value, slope


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
        "Between two neighbouring features all $t$ make the same mistakes: try one $t$ for each gap.",
        "It suffices to try each feature itself as $t$, and one $t$ above all of them.",
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
    return f"this threshold makes {made} mistakes; there is one that makes {best}"


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
        return f"the best sum is wrong by only {error:.2g} at most: let the diagonals differ more"
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
    Compute it exactly, not by trying it out.
    """,
    hints=[
        "The largest of $K$ independent counts is at most $c$ just if all of them are. With what probability is that?",
        "One count follows the binomial distribution. And for a whole number from 0 to $n$, the expectation is the sum, "
        "over $c = 0, \\dots, n - 1$, of the probability that it exceeds $c$.",
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

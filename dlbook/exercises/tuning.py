"""Exercises of the chapter "tuning"."""
# mypy: disable-error-code="no-untyped-def, no-untyped-call"

import math

import torch

from dlbook.exercises._core import Exercise

# --- predict --------------------------------------------------------------------------------

nine = Exercise(
    "tuning.nine-trials",
    "Sixteen trials",
    kind="predict",
    effort=1,
    statement=r"""
    You can afford 16 trials for two hyperparameters, of which only one matters: its good values
    are a strip of 0.08 of its range, at a place that is as likely as any other (what sticks out at one end comes in at the other). Give three numbers: the
    probability that a grid of four by four hits the strip; the probability that 16 random trials
    do; and the least number of random trials that hit it with a probability of at least 0.99. Three digits behind the point
    are enough.
    """,
    hints=[
        "How many different values of the hyperparameter that matters does the grid try?",
        "For the last, take the logarithm of the probability that all trials miss.",
    ],
    atol=0.0006,
    outputs=("the grid's probability", "random search's probability", "the number of trials"),
)


@nine.stub
def grid_random_number():
    """Return the grid's probability, random search's, and a number of trials."""


@nine.reference
def grid_random_number_reference():
    return (4 * 0.08, 1 - 0.92**16, math.ceil(math.log(0.01) / math.log(0.92)))


nine.wrong_value(
    (1.28, 1 - 0.92**16, 56), "a probability above 1: the grid's points repeat the same four values"
)
nine.wrong_value((0.32, 0.92**16, 56), "that is the probability that all random trials miss")
nine.wrong_value(
    (0.32, 1 - 0.92**4, 56), "random trials do not repeat values: each of the 16 counts"
)
nine.wrong_value((0.32, 1 - 0.92**16, 55), "with 55 trials it is still a little below 0.99")

rungs = Exercise(
    "tuning.rungs",
    "What a ladder costs",
    kind="predict",
    effort=1,
    statement=r"""
    Successive halving starts 64 trials with 2 epochs each, and a quarter of them goes up from rung
    to rung, to four times the epochs, until one is left. How many epochs are trained altogether:
    if a trial that goes up continues from its checkpoint; if it begins again on each rung; and
    if, without any halving, all 64 were trained for as long as the last one? Give three numbers.
    """,
    hints=[
        "Write the table: trials and epochs of each rung. There are four.",
        "A trial that continues pays for the difference of two budgets only.",
    ],
    outputs=("with checkpoints", "without them", "without halving"),
)


@rungs.stub
def epochs_of_three_ways():
    """Return the epochs with checkpoints, without them, and without halving."""


@rungs.reference
def epochs_of_three_ways_reference():
    return (64 * 2 + 16 * 6 + 4 * 24 + 1 * 96, 4 * 128, 64 * 128)


rungs.wrong_value((512, 416, 8192), "the first two are exchanged: continuing is the cheaper way")
rungs.wrong_value((320, 384, 2048), "there is one more rung: four trials are not one yet")
rungs.wrong_value(
    (128 + 96 + 96 + 128, 512, 8192), "the last one, too, pays for the difference only"
)

curves = Exercise(
    "tuning.six-curves",
    "Six curves",
    kind="predict",
    effort=1,
    statement=r"""
    Name the causes of the six pairs of curves in {numref}`fig-tuning-atlas`. Write the
    letters of the panels as one word, in this order: learning rate too small; learning rate too large;
    overfitting; underfitting; shuffled training labels; a plateau after a start near
    zero.
    """,
    hints=[
        "First find the jagged one, and the two in which solid and dashed line part from each other.",
        "Of those that part, in one the validation loss falls far before it stops falling. In the other it "
        "hardly ever gets below guessing.",
        "Of the three smooth ones, one bends downwards at the end, one upwards, and one has a step.",
    ],
)


@curves.stub
def letters():
    """Return six letters, such as "ABCDEF"."""


@curves.reference
def letters_reference():
    return "CFDABE"


curves.wrong_value(
    "EFDABC",
    "the first and the last are exchanged: on a plateau nothing at all happens for some epochs",
)
curves.wrong_value(
    "CFBADE",
    "overfitting and the shuffled labels are exchanged: which network can read other digits?",
)
curves.wrong_value(
    "AFDCBE",
    "the rate that is too small and underfitting are exchanged: which run has come to rest?",
)
curves.wrong_value("CFDABF", "each letter is needed once")


@curves.diagnose
def curves_diagnosis(got, expected):
    word = str(got).strip().upper()
    if sorted(word) != sorted("ABCDEF"):
        return "the answer is one word of the six letters A to F, each once"
    if word == expected:
        return "capital letters, please, and nothing else"
    right = sum(a == b for a, b in zip(word, expected, strict=True))
    return f"{right} of the six causes have their letter"


# --- derive ---------------------------------------------------------------------------------

log_uniform = Exercise(
    "tuning.mean-rate",
    "The mean of a log-uniform rate",
    kind="derive",
    effort=2,
    statement=r"""
    A learning rate is drawn log-uniformly between $a$ and $b$. Half of the draws lie below the *median*.
    Derive the median and the expectation, and write them as `median_and_mean(a, b)`. (For $a = 10^{-5}$ and
    $b = 100$ they are far apart. Which would you call the middle?)
    """,
    hints=[
        "For the median, set the probability of lying below it to one half.",
        "The density is the derivative of the probability of lying below $x$. It is proportional to "
        "$1/x$.",
        r"The expectation is $\int_a^b x\,p(x)\,dx$.",
    ],
    outputs=("median", "mean"),
)


@log_uniform.stub
def median_and_mean(a, b):
    """Return the median and the expectation of a log-uniform draw.

    Args:
        a: the lower end, above 0.
        b: the upper end.
    """


@log_uniform.reference
def median_and_mean_reference(a, b):
    # Median: log(x/a) / log(b/a) = 1/2, so that x/a = √(b/a) and x = √(ab).
    # Density: P(X < x) = log(x/a) / log(b/a) has the derivative p(x) = 1 / (x log(b/a)).
    # Expectation: in ∫ x p(x) dx from a to b the x cancel: (b − a) / log(b/a).
    return math.sqrt(a * b), (b - a) / math.log(b / a)


@log_uniform.inputs
def log_uniform_inputs(random):
    a = random.number(0.01, 1.0)
    return a, a * random.number(5.0, 500.0)


@log_uniform.wrong("those are median and mean of a uniform draw")
def median_and_mean_uniform(a, b):
    return (a + b) / 2, (a + b) / 2


@log_uniform.wrong("the mean is not the median: large values pull it up")
def median_and_mean_geometric(a, b):
    return math.sqrt(a * b), math.sqrt(a * b)


@log_uniform.wrong("the two are exchanged")
def median_and_mean_exchanged(a, b):
    return (b - a) / math.log(b / a), math.sqrt(a * b)


@log_uniform.wrong("the derivative of the logarithm to base 10 is not 1/x: use the natural one")
def median_and_mean_base_ten(a, b):
    return math.sqrt(a * b), (b - a) / math.log10(b / a)


two = Exercise(
    "tuning.best-of-two",
    "The better of two equals",
    kind="derive",
    effort=2,
    statement=r"""
    Two settings are equally good. Their scores are jointly Gaussian, each with the expectation
    $\mu$ and the standard deviation $\sigma$; they come from the same seed, and have the correlation $\rho < 1$
    (their covariance is $\rho\sigma^2$). You report the better one. By how much does its score, on
    average, exceed $\mu$? Write it as `lead(sigma, rho)`. (So their difference is Gaussian as well.)
    """,
    hints=[
        "The larger of two numbers is their mean plus half of the distance between them.",
        "Which variance has the difference of the two scores?",
        r"For a Gaussian $z$ with expectation 0 and standard deviation $s$ you need the expectation of $|z|$: twice the "
        r"integral of $z$ times the bell from 0 on, and $z\,e^{-z^2/2s^2}$ is the derivative of something.",
    ],
)


@two.stub
def lead(sigma, rho):
    """Return the expected excess of the better of two scores over their expectation.

    Args:
        sigma: the standard deviation of each.
        rho: their correlation, from −1 to below 1.
    """


@two.reference
def lead_reference(sigma, rho):
    # max(X, Y) = (X + Y) / 2 + |X − Y| / 2, so that the lead is E|Z| / 2 with Z = X − Y.
    # Z is Gaussian with expectation 0 and s² = σ² + σ² − 2ρσ² = 2σ²(1 − ρ).
    # E|Z| = 2 ∫ z exp(−z²/2s²) dz / (s√(2π)) from 0 on. The integrand is the derivative
    # of −s² exp(−z²/2s²), so the integral is s², and E|Z| = 2s / √(2π) = s√(2/π).
    # Half of it: σ √(2(1 − ρ)) √(2/π) / 2 = σ √((1 − ρ)/π).
    return sigma * math.sqrt((1 - rho) / math.pi)


@two.inputs
def two_inputs(random):
    return random.number(0.5, 3.0), random.number(-0.8, 0.8)


@two.wrong("that is for scores that have nothing to do with each other: what does ρ change?")
def lead_independent(sigma, rho):
    return sigma / math.sqrt(math.pi)


@two.wrong("that is the expected distance of the two: the better one leads by half of it")
def lead_distance(sigma, rho):
    return 2 * sigma * math.sqrt((1 - rho) / math.pi)


@two.wrong("a positive covariance makes the difference smaller, not larger")
def lead_sign(sigma, rho):
    return sigma * math.sqrt((1 + rho) / math.pi)


@two.wrong("the variance goes with 1 − ρ; a distance goes with its root")
def lead_without_root(sigma, rho):
    return sigma * (1 - rho) / math.sqrt(math.pi)


@two.wrong("that is half the standard deviation of the difference; the mean of |z| is smaller")
def lead_deviation(sigma, rho):
    return sigma * math.sqrt((1 - rho) / 2)


# --- program --------------------------------------------------------------------------------

pilot = Exercise(
    "tuning.seeds-needed",
    "How many more runs?",
    kind="program",
    effort=1,
    statement=r"""
    You have run two settings with the same few seeds. Write `seeds_needed(a, b, delta)`: how many
    seeds will show a true difference of `delta` between them, by two standard errors, five times in six? Round up. (Few seeds know their own scatter badly. Look how much
    the answer changes if you leave one of them out.)
    """,
    hints=[
        "The scatter that counts is that of the differences, seed by seed.",
        "For the standard deviation, divide by one less than the number of seeds.",
    ],
)


@pilot.stub
def seeds_needed(a, b, delta):
    """Return the number of seeds, an integer.

    Args:
        a: scores of one setting, float64, one for each seed.
        b: scores of the other, with the same seeds.
        delta: the difference that shall be found, above 0.
    """


@pilot.reference
def seeds_needed_reference(a, b, delta):
    return math.ceil((3 * (a - b).std().item() / delta) ** 2)


@pilot.inputs
def pilot_inputs(random):
    n = random.integer(4, 12)
    common = 0.01 * random.normal(n, dtype=torch.float64)
    a = 0.95 + common + 0.01 * random.normal(n, dtype=torch.float64)
    b = 0.94 + common + 0.01 * random.normal(n, dtype=torch.float64)
    return a, b, random.number(0.001, 0.004)


@pilot.wrong("the runs are paired: take the differences first, then their standard deviation")
def seeds_needed_unpaired(a, b, delta):
    return math.ceil(9 * (a.var() + b.var()).item() / delta**2)


@pilot.wrong("with so many seeds you would miss every second true difference")
def seeds_needed_half(a, b, delta):
    return math.ceil((2 * (a - b).std().item() / delta) ** 2)


@pilot.wrong("the mean was subtracted from few numbers: divide by one less than their number")
def seeds_needed_biased(a, b, delta):
    return math.ceil((3 * (a - b).std(correction=0).item() / delta) ** 2)


@pilot.wrong("round up: one seed fewer does not suffice")
def seeds_needed_down(a, b, delta):
    return math.floor((3 * (a - b).std().item() / delta) ** 2)


@pilot.wrong("the error falls with the root of the number of seeds: square")
def seeds_needed_root(a, b, delta):
    return math.ceil(3 * (a - b).std().item() / delta)


halving = Exercise(
    "tuning.survivors",
    "Successive halving on a table",
    kind="program",
    effort=2,
    statement=r"""
    Many runs have been recorded: `curves[i, t - 1]` is the score of trial $i$ after $t$ epochs, and more is better. Write
    successive halving on this table, `epochs_had(curves, r, eta)`: for each of the $n$ trials, how
    many epochs it would have had at the end. All trials have the budget $r$; on rung $k$ are the
    best $\lfloor n\eta^{-k}\rfloor$ of the rung below, as long as that is at least one. Of equal scores the trial
    with the lower number goes first. The table has enough columns.
    """,
    hints=[
        "Keep the numbers of those that are still climbing, at first all of them.",
        "`argsort(descending=True, stable=True)` leaves equal scores in their order. It gives places among those "
        "that are climbing, not the trials' numbers, and those in the order of the scores.",
    ],
)


@halving.stub
def epochs_had(curves, r, eta):
    """Return for each trial its epochs at the end, integers of shape (n,).

    Args:
        curves: scores after 1, 2, … epochs, shape (n, T).
        r: the budget on the lowest rung.
        eta: one in how many goes up.
    """


@halving.reference
def epochs_had_reference(curves, r, eta):
    n, rung = len(curves), 0
    climbing = torch.arange(n)
    had = torch.full((n,), r)
    while n // eta ** (rung + 1) > 0:
        scores = curves[climbing, r * eta**rung - 1]
        order = scores.argsort(descending=True, stable=True)
        rung += 1
        climbing = climbing[order[: n // eta**rung]].sort().values
        had[climbing] = r * eta**rung
    return had


@halving.inputs
def halving_inputs(random):
    r, eta = random.integer(1, 2), random.integer(2, 3)
    n = random.integer(9, 14)
    curves = random.integers(0, 5, n, r * eta**3).double() / 5  # many are equal
    return curves, r, eta


@halving.probe("two that are equal on the second rung")
def halving_probe(random):
    curves = torch.full((9, 9), 0.1, dtype=torch.float64)
    first, second = sorted(random.permutation(9)[:2].tolist())
    curves[first], curves[second] = 0.5, 0.5
    curves[second, 0] = 0.9  # the later one led before
    return curves, 1, 3


@halving.wrong("who goes up is decided by the score at the budget so far, not by the last column")
def epochs_had_prophet(curves, r, eta):
    n, rung = len(curves), 0
    order = curves[:, -1].argsort(descending=True, stable=True)
    had = torch.full((n,), r)
    while n // eta ** (rung + 1) > 0:
        rung += 1
        had[order[: n // eta**rung]] = r * eta**rung
    return had


@halving.wrong("column t − 1 holds the score after t epochs: you are one epoch late")
def epochs_had_late(curves, r, eta):
    n, rung = len(curves), 0
    climbing = torch.arange(n)
    had = torch.full((n,), r)
    while n // eta ** (rung + 1) > 0:
        scores = curves[climbing, r * eta**rung]
        order = scores.argsort(descending=True, stable=True)
        rung += 1
        climbing = climbing[order[: n // eta**rung]].sort().values
        had[climbing] = r * eta**rung
    return had


@halving.wrong("more is better: these are the worst that go up")
def epochs_had_worst(curves, r, eta):
    n, rung = len(curves), 0
    climbing = torch.arange(n)
    had = torch.full((n,), r)
    while n // eta ** (rung + 1) > 0:
        scores = curves[climbing, r * eta**rung - 1]
        order = scores.argsort(stable=True)
        rung += 1
        climbing = climbing[order[: n // eta**rung]].sort().values
        had[climbing] = r * eta**rung
    return had


@halving.wrong("a place among those that climb is not the number of a trial")
def epochs_had_places(curves, r, eta):
    n, rung = len(curves), 0
    climbing = torch.arange(n)
    had = torch.full((n,), r)
    while n // eta ** (rung + 1) > 0:
        scores = curves[climbing, r * eta**rung - 1]
        order = scores.argsort(descending=True, stable=True)
        rung += 1
        climbing = order[: n // eta**rung].sort().values
        had[climbing] = r * eta**rung
    return had


@halving.wrong(
    "of equal scores the lower number goes first, not the one that led on the rung below"
)
def epochs_had_old_leaders(curves, r, eta):
    n, rung = len(curves), 0
    climbing = torch.arange(n)
    had = torch.full((n,), r)
    while n // eta ** (rung + 1) > 0:
        scores = curves[climbing, r * eta**rung - 1]
        order = scores.argsort(descending=True, stable=True)
        rung += 1
        climbing = climbing[order[: n // eta**rung]]
        had[climbing] = r * eta**rung
    return had


# --- break ----------------------------------------------------------------------------------

fool = Exercise(
    "tuning.fool-halving",
    "Fool successive halving",
    kind="break",
    effort=2,
    statement=r"""
    Nine trials are trained for one epoch, three of them go on to three, one to nine. Find accuracies for which
    the trial that is left is the *worst* of all nine after nine epochs. No curve may ever fall. Give nine
    rows of nine numbers between 0 and 1: a trial's accuracies after 1, 2, …, 9 epochs.
    """,
    hints=[
        "At which epochs does the search look?",
        "Which scores are never compared with any others?",
    ],
)


@fool.stub
def nine_curves():
    """Return a tensor of shape (9, 9), or a list of nine lists."""


@fool.reference
def nine_curves_reference():
    curves = torch.full((9, 9), 0.4)
    curves[0] = 0.5
    curves[1:, 3:] = 0.9
    return curves


@fool.judge
def fool_judge(got):
    try:
        table = torch.as_tensor(got, dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError):
        return "expected nine rows of nine numbers"
    if table.shape != (9, 9):
        return f"expected nine rows of nine numbers, got shape {tuple(table.shape)}"
    if not bool(((table >= 0) & (table <= 1)).all()):
        return "accuracies lie between 0 and 1"
    if bool((table.diff(dim=1) < 0).any()):
        return "a curve falls somewhere"
    three = table[:, 0].argsort(descending=True, stable=True)[:3].sort().values
    winner = three[int(table[three, 2].argmax())]
    others = table[torch.arange(9) != winner, 8]
    if not bool((others > table[winner, 8]).all()):
        worse = int((others <= table[winner, 8]).sum())
        return f"trial {int(winner)} is left, and after nine epochs {worse} of the others are no better"
    return None


fool.wrong_value([[0.5] * 9] * 8, "expected nine rows of nine numbers, got shape (8, 9)")
fool.wrong_value(
    [[0.5] * 9] * 9, "trial 0 is left, and after nine epochs 8 of the others are no better"
)
fool.wrong_value([[0.9] + [0.1] * 8] + [[0.5] * 9] * 8, "a curve falls somewhere")
fool.wrong_value([[90.0] * 9] * 9, "accuracies lie between 0 and 1")

order = Exercise(
    "tuning.order-of-addition",
    "Zero or one",
    kind="break",
    effort=1,
    statement=r"""
    Find three numbers in single precision for which $(a + b) + c$ comes out as exactly 0 and $a + (b + c)$ as
    exactly 1, each sum rounded to single precision. Give $a$, $b$ and $c$.
    """,
    hints=[
        "Single precision has 24 binary digits, about seven decimal ones. What becomes of 1 if it is added to a "
        "very large number?",
        "Two of the three should cancel.",
    ],
)


@order.stub
def three_numbers():
    """Return a, b and c."""


@order.reference
def three_numbers_reference():
    return (1.0, 1e8, -1e8)


@order.judge
def order_judge(got):
    try:
        a, b, c = (torch.tensor(float(number)) for number in got)
    except (TypeError, ValueError):
        return "expected three numbers"
    left, right = float((a + b) + c), float(a + (b + c))
    if (left, right) == (1.0, 0.0):
        return "the other way round: 1 and 0"
    if (left, right) != (0.0, 1.0):
        return f"in single precision these give {left:g} and {right:g}"
    return None


order.wrong_value((1e8, -1e8, 1.0), "the other way round: 1 and 0")
order.wrong_value((1.0, 1000.0, -1000.0), "in single precision these give 1 and 1")
order.wrong_value((0.0, 1e8, -1e8), "in single precision these give 0 and 0")

# --- extend ---------------------------------------------------------------------------------

budget = Exercise(
    "tuning.expected-best",
    "The best of fewer trials",
    kind="extend",
    effort=3,
    statement=r"""
    A random search has tried $n$ settings. What would a search with only $k \le n$ trials have found? Whoever reports
    that for all $k$ tells the reader what a result costs. Take the mean, over all ways to choose $k$ of the $n$
    trials, of the best score among the chosen. Write `expected_best(scores, k)` without trying all ways: there are
    too many.
    """,
    hints=[
        "Sort the scores. In how many choices is the i-th smallest the best?",
        "The other $k - 1$ of such a choice all come from the $i - 1$ smaller ones; `math.comb(i, j)` counts "
        "the choices of $j$ from $i$.",
        "Divide by the number of all choices. The weights must add up to 1.",
    ],
)


@budget.stub
def expected_best(scores, k):
    """Return the mean, over all choices of k scores, of the largest one: a float.

    Args:
        scores: float64, shape (n,).
        k: from 1 to n.
    """


@budget.reference
def expected_best_reference(scores, k):
    # In increasing order, scores[i] (from 0) is the best of a choice if the other k − 1
    # come from the i before it: comb(i, k − 1) of the comb(n, k) choices.
    ordered, n = scores.sort().values.tolist(), len(scores)
    total = sum(score * math.comb(i, k - 1) for i, score in enumerate(ordered))
    return total / math.comb(n, k)


@budget.inputs
def budget_inputs(random):
    n = random.integer(6, 40)
    return random.uniform(0.1, 1.0, n, dtype=torch.float64), random.integer(2, n - 1)


@budget.probe("a single trial")
def budget_probe(random):
    return random.uniform(0.1, 1.0, 9, dtype=torch.float64), 1


@budget.wrong("that draws with replacement: the same trial could be chosen twice")
def expected_best_replaced(scores, k):
    ordered, n = scores.sort().values.tolist(), len(scores)
    return sum(s * (((i + 1) / n) ** k - (i / n) ** k) for i, s in enumerate(ordered))


@budget.wrong("that is the best of all n: with fewer trials it may not have been among them")
def expected_best_all(scores, k):
    return scores.max().item()


@budget.wrong("that is the best of the first k trials: one choice of many")
def expected_best_first(scores, k):
    return scores[:k].max().item()


@budget.wrong("these weights are for the smallest of the chosen, not for the largest")
def expected_best_smallest(scores, k):
    ordered, n = scores.sort(descending=True).values.tolist(), len(scores)
    total = sum(score * math.comb(i, k - 1) for i, score in enumerate(ordered))
    return total / math.comb(n, k)

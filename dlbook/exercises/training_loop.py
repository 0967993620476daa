"""Exercises of the chapter "training-loop"."""
# mypy: disable-error-code="no-untyped-def, no-untyped-call"

import math

import torch

from dlbook.exercises._core import Exercise

# --- predict --------------------------------------------------------------------------------

one_epoch = Exercise(
    "training-loop.one-epoch",
    "One epoch with a pencil",
    kind="predict",
    effort=1,
    statement=r"""
    A linear unit $\hat y = wx$ with the loss $\tfrac12(\hat y - y)^2$ starts at $w = 1$, with the learning rate
    $0.1$. The three samples $(x, y)$ come in the order $(1, 3)$, $(3, 1)$, $(2, 4)$, in batches of two. Give three
    numbers: $w$ after the epoch; the training loss that a history would note for it; and the cost of
    all three samples at the $w$ with which the epoch ends. Three digits behind the point are enough.
    """,
    hints=[
        "The slope of one sample is the error times $x$. The step uses the mean of the batch's slopes.",
        "The second number is made of losses that were measured before each step, and every sample "
        "counts once. The third is measured with the final $w$ for all three.",
    ],
    atol=0.0006,
)


@one_epoch.stub
def epoch_by_hand():
    """Return w after the epoch, the loss in the history, and the cost at the end: three numbers."""


@one_epoch.reference
def epoch_by_hand_reference():
    samples = [(1.0, 3.0), (3.0, 1.0), (2.0, 4.0)]
    w, total = 1.0, 0.0
    for batch in (samples[:2], samples[2:]):
        total += sum((w * x - y) ** 2 / 2 for x, y in batch)
        w -= 0.1 * sum((w * x - y) * x for x, y in batch) / len(batch)
    return (w, total / 3, sum((w * x - y) ** 2 / 2 for x, y in samples) / 3)


# batch 1: slopes −2 and 6, mean 2, w = 0.8; batch 2: error −2.4, slope −4.8, w = 1.28
one_epoch.wrong_value(
    (1.28, (2 + 2.88) / 2, (1.72**2 + 2.84**2 + 1.44**2) / 6),
    "the second: a mean of batch means counts the single sample of the last batch twice over",
)
one_epoch.wrong_value(
    (1.28, (1.72**2 + 2.84**2 + 1.44**2) / 6, (2 + 2 + 2.88) / 3),
    "the last two are exchanged: the history's loss is measured on the way",
)
one_epoch.wrong_value(
    (1.16, (2 + 2 + 3.92) / 3, (1.84**2 + 2.48**2 + 1.68**2) / 6),
    "the step is along the mean of the batch's slopes, not along their sum",
)
one_epoch.wrong_value(
    (1.0, 2.0, 2.0),
    "that is one step with all three samples: here the second batch meets another w than the first",
)

counting = Exercise(
    "training-loop.dropped-batches",
    "Without the last batch",
    kind="derive",
    effort=1,
    statement=r"""
    Some loops drop the last batch of an epoch if it isn't full, so that all steps are alike. You train
    for $E$ epochs on $N$ samples, shuffled anew each time, in batches of $B \le N$. Write
    `dropping(N, B, E)`: how many steps are taken in all; how many samples sit out in an epoch; and the
    probability that a given sample is never used at all.
    """,
    hints=[
        "Whole numbers have `//` and `%`.",
        "In one epoch every sample is equally likely to be among those that sit out. The epochs "
        "are shuffled independently.",
    ],
    outputs=("steps", "left_out", "never"),
)


@counting.stub
def dropping(N, B, E):
    """Return the number of steps, the samples that sit out, and the probability of no use.

    Args:
        N: samples.
        B: batch size, at most N.
        E: epochs.
    """


@counting.reference
def dropping_reference(N, B, E):
    return N // B * E, N % B, (N % B / N) ** E


@counting.inputs
def counting_inputs(random):
    B = random.integer(2, 40)
    return B * random.integer(1, 4) + random.integer(1, B - 1), B, random.integer(2, 5)


@counting.probe("N a multiple of B")
def counting_divides(random):
    B = random.integer(2, 40)
    return B * random.integer(2, 20), B, random.integer(2, 6)


@counting.wrong("every epoch drops its own rest: batches don't run on into the next epoch")
def dropping_run_on(N, B, E):
    return N * E // B, N % B, (N % B / N) ** E


@counting.wrong("the rest, which is not a full batch, gives no step")
def dropping_rounded_up(N, B, E):
    return -(-N // B) * E, N % B, (N % B / N) ** E


@counting.wrong("that is the probability for one epoch: the sample has to sit out in each of them")
def dropping_one_epoch(N, B, E):
    return N // B * E, N % B, N % B / N


@counting.wrong("that is the probability of being used in every epoch")
def dropping_always(N, B, E):
    return N // B * E, N % B, (1 - N % B / N) ** E


# --- derive ---------------------------------------------------------------------------------

never_zeroed = Exercise(
    "training-loop.never-zeroed",
    "The gradient that is never zeroed",
    kind="derive",
    effort=3,
    statement=r"""
    A loop forgets `zero_grad`, so that step $t$ goes along the sum of all gradients up to now. Let it run
    on a bowl, $J(w) = \tfrac\lambda2 w^2$, with all samples in each batch. Show first that
    $w_{t+1} = (2 - \eta\lambda)\,w_t - w_{t-1}$, with $w_1 = (1 - \eta\lambda)\,w_0$. Then, for
    $0 < \eta\lambda < 4$: after how many steps is it through one full swing? And which is the lowest learning
    rate at which it runs away? Write `swing(curvature, rate)`, which returns the two. The number of
    steps is as a rule not whole: don't round it.
    """,
    hints=[
        "Subtract two steps that follow on each other: almost all of the sum cancels.",
        r"Try $w_t = \cos(\omega t + \varphi)$. What is $\cos(\omega(t+1) + \varphi) + \cos(\omega(t-1) + \varphi)$?",
        "Compare it with the recursion. Which values can a cosine have?",
    ],
    outputs=("steps", "limit"),
)


@never_zeroed.stub
def swing(curvature, rate):
    """Return the number of steps of one full swing, and the lowest rate that runs away.

    Args:
        curvature: λ, greater than 0.
        rate: the learning rate η, with 0 < ηλ < 4.
    """


@never_zeroed.reference
def swing_reference(curvature, rate):
    # w_{t+1} = w_t - ηλ (w_0 + … + w_t) and w_t = w_{t-1} - ηλ (w_0 + … + w_{t-1}). Subtract:
    # w_{t+1} - w_t = w_t - w_{t-1} - ηλ w_t. Put in w_t = cos(ωt + φ): the neighbours add up to
    # 2 cos ω cos(ωt + φ), so 2 cos ω = 2 - ηλ, and a swing takes 2π/ω steps. That has a solution
    # up to ηλ = 4. There cos ω = -1, and w_t = (a + b t)(-1)^t solves the recursion; w_1 = -3 w_0
    # gives b = 2 w_0, not 0: it runs away, slowly, and beyond it exponentially.
    return 2 * math.pi / math.acos(1 - rate * curvature / 2), 4 / curvature


@never_zeroed.inputs
def never_zeroed_inputs(random):
    curvature = random.number(0.2, 5.0)
    return curvature, random.number(0.05, 3.8) / curvature


@never_zeroed.wrong("2/λ is the limit of the loop that zeroes: here the factor is that of a cosine")
def swing_other_limit(curvature, rate):
    return 2 * math.pi / math.acos(1 - rate * curvature / 2), 2 / curvature


@never_zeroed.wrong(
    "2π/√(ηλ) is what it tends to for small rates: the steps are not small here, solve for the cosine"
)
def swing_of_a_pendulum(curvature, rate):
    return 2 * math.pi / math.sqrt(rate * curvature), 4 / curvature


@never_zeroed.wrong("that is half a swing: from one side to the other")
def swing_half(curvature, rate):
    return math.pi / math.acos(1 - rate * curvature / 2), 4 / curvature


@never_zeroed.wrong("the two neighbours add up to 2 cos ω times the middle one: a 2 is lost")
def swing_lost_two(curvature, rate):
    return 2 * math.pi / math.acos(max(-1.0, 1 - rate * curvature)), 4 / curvature


images_needed = Exercise(
    "training-loop.images-needed",
    "How many images to choose with?",
    kind="derive",
    effort=2,
    statement=r"""
    You will try $m$ candidates and report the validation accuracy of the best. You know nothing about
    the accuracies, so you take the largest standard deviation that one image can have. By the bound on
    the page, how many validation images are enough for the winner's score to be, on average, at most
    $\delta$ above its true accuracy? Write `images(m, delta)`, and
    return the number as the bound gives it, without rounding.
    """,
    hints=[
        r"For which $p$ is $p(1 - p)$ largest?",
        r"Set the bound equal to $\delta$, with $\sigma^2 = p(1-p)/n$, and solve for $n$.",
    ],
)


@images_needed.stub
def images(m, delta):
    """Return how many images keep the winner's average excess at or below delta.

    Args:
        m: candidates, 2 or more.
        delta: the excess that is tolerated, such as 0.01.
    """


@images_needed.reference
def images_reference(m, delta):
    # σ² = p(1 - p)/n is at most 1/(4n); σ √(2 log m) = δ gives 2 log m / (4n) = δ²
    return math.log(m) / (2 * delta**2)


@images_needed.inputs
def images_needed_inputs(random):
    return random.integer(2, 5000), random.number(0.005, 0.1)


@images_needed.wrong("that is rounded to whole images: return what the bound gives")
def images_rounded(m, delta):
    return float(math.ceil(math.log(m) / (2 * delta**2)))


@images_needed.wrong("p(1 − p) is at most 1/4, not 1")
def images_without_quarter(m, delta):
    return 2 * math.log(m) / delta**2


@images_needed.wrong("delta has to be squared: twice as exact costs four times as many images")
def images_without_square(m, delta):
    return math.log(m) / (2 * delta)


@images_needed.wrong("the bound grows with the root of the logarithm of m, not with the root of m")
def images_root_of_k(m, delta):
    return m / (2 * delta**2)


@images_needed.wrong(
    "that is for one candidate's standard error: the 2 log m of the best is missing"
)
def images_standard_error(m, delta):
    return 1 / (4 * delta**2)


# --- program --------------------------------------------------------------------------------

confusions = Exercise(
    "training-loop.confusions",
    "Who is taken for whom",
    kind="program",
    effort=1,
    statement=r"""
    Write `confusion(labels, named, K)`: the table whose entry in row $i$ and column $j$ is the number of
    samples of class $i$ that were named $j$.
    """,
    hints=[
        "Each sample adds 1 to a single entry. A loop will do.",
        "Without a loop: give every pair the number $iK + j$, count the numbers with "
        "`torch.bincount(..., minlength=K * K)`, and bring the counts into shape.",
    ],
    axes={"labels": "N", "named": "N"},
)


@confusions.stub
def confusion(labels, named, K):
    """Return the counts, shape (K, K), int64: rows are true classes, columns are the names given.

    Args:
        labels: true classes, shape (N,), integers from 0 to K − 1.
        named: the classes that were named, shape (N,), of the same kind.
        K: the number of classes.
    """


@confusions.reference
def confusion_reference(labels, named, K):
    return torch.bincount(labels * K + named, minlength=K * K).reshape(K, K)


@confusions.inputs
def confusions_inputs(random):
    K = random.integer(3, 7)
    N = 8 * K
    return random.integers(0, K - 1, N), random.integers(0, K - 1, N), K


@confusions.probe("a class that never occurs")
def confusions_missing(random):
    return random.integers(0, 2, 20), random.integers(0, 2, 20), 5


@confusions.wrong("transposed: the rows are the true classes")
def confusion_transposed(labels, named, K):
    return torch.bincount(named * K + labels, minlength=K * K).reshape(K, K)


@confusions.wrong(
    "with table[i, j] += 1 for all pairs at once, repeated pairs are counted only once"
)
def confusion_once(labels, named, K):
    table = torch.zeros(K, K, dtype=torch.int64)
    table[labels, named] += 1
    return table


@confusions.wrong("those right are missing: they stand on the diagonal")
def confusion_errors_only(labels, named, K):
    table = torch.bincount(labels * K + named, minlength=K * K).reshape(K, K)
    return table - torch.diag(table.diagonal())


# --- break ----------------------------------------------------------------------------------

repair = Exercise(
    "training-loop.repair",
    "Three mistakes in one epoch",
    kind="break",
    effort=2,
    statement=r"""
    This function is to go once through the samples in a given order, in batches, with a linear unit under
    half the squared error, and to return the weights after the epoch with the mean loss of the samples as
    they were met. It runs if there are more samples than a batch has. Find three mistakes and mend them. (The
    weights that were handed in must not change.)
    """,
    hints=[
        "Follow one sample: does its input meet its own target?",
        "What if the number of samples is not a multiple of the batch size? Look at the loop's "
        "bounds, and at what the last line averages.",
    ],
    axes={"X": "N D", "y": "N", "w": "D", "order": "N"},
    outputs=("weights", "loss"),
)


@repair.stub
def epoch(X, y, w, order, B, rate):
    """Return the weights after one epoch, shape (D,), and the mean loss of the N samples.

    Args:
        X: inputs, shape (N, D).
        y: targets, shape (N,).
        w: weights at the start, shape (D,).
        order: the numbers 0 … N − 1, shuffled, shape (N,).
        B: batch size.
        rate: learning rate.
    """
    losses = []
    X = X[order]
    for start in range(0, len(X) - B, B):
        x, t = X[start : start + B], y[start : start + B]
        error = x @ w - t
        losses.append((error**2).mean() / 2)
        w = w - rate * x.T @ error / len(x)
    return w, torch.stack(losses).mean()


@repair.reference
def epoch_reference(X, y, w, order, B, rate):
    total = 0
    for rows in order.split(B):  # the last may be smaller
        x, t = X[rows], y[rows]  # each input with its own target
        error = x @ w - t
        total = total + (error**2).sum() / 2  # each sample counts once
        w = w - rate * x.T @ error / len(x)
    return w, total / len(X)


@repair.inputs
def repair_inputs(random):
    B, D = 4, random.integer(2, 5)
    N = B * random.integer(2, 4) + random.integer(1, 3)
    X = random.normal(N, D, dtype=torch.float64)
    y = random.normal(N, dtype=torch.float64)
    return X, y, random.normal(D, dtype=torch.float64), random.permutation(N), B, 0.1


@repair.probe("N a multiple of B")
def repair_divides(random):
    X, y = random.normal(12, 3, dtype=torch.float64), random.normal(12, dtype=torch.float64)
    return X, y, random.normal(3, dtype=torch.float64), random.permutation(12), 4, 0.1


@repair.wrong("the last batch is still left out")
def epoch_without_last(X, y, w, order, B, rate):
    total, X, y = 0, X[order], y[order]
    for start in range(0, len(X) - B, B):
        x, t = X[start : start + B], y[start : start + B]
        error = x @ w - t
        total = total + (error**2).sum() / 2
        w = w - rate * x.T @ error / len(x)
    return w, total / len(X)


@repair.wrong("the inputs are shuffled and the targets are not: the pairs are torn apart")
def epoch_torn(X, y, w, order, B, rate):
    total, X = 0, X[order]
    for start in range(0, len(X), B):
        x, t = X[start : start + B], y[start : start + B]
        error = x @ w - t
        total = total + (error**2).sum() / 2
        w = w - rate * x.T @ error / len(x)
    return w, total / len(X)


@repair.wrong("the weights are right; a mean of batch means gives the last batch too much weight")
def epoch_mean_of_means(X, y, w, order, B, rate):
    losses = []
    for rows in order.split(B):
        error = X[rows] @ w - y[rows]
        losses.append((error**2).mean() / 2)
        w = w - rate * X[rows].T @ error / len(rows)
    return w, torch.stack(losses).mean()


@repair.wrong("the weights are right; the losses must be those before each step, as they were met")
def epoch_measured_after(X, y, w, order, B, rate):
    for rows in order.split(B):
        error = X[rows] @ w - y[rows]
        w = w - rate * X[rows].T @ error / len(rows)
    return w, ((X @ w - y) ** 2).mean() / 2


# --- extend ---------------------------------------------------------------------------------

accumulate = Exercise(
    "training-loop.accumulate",
    "A batch that does not fit",
    kind="extend",
    effort=2,
    statement=r"""
    A batch is too large for the memory, so it goes through the network in pieces, whose gradients add up
    in `.grad` because nothing zeroes it between them. Each piece's loss is a *mean* over that piece, and the
    pieces may differ in size. Write `scales(sizes)`: the factors by which the losses have to be
    multiplied before `backward`, so that the sum is the gradient of the mean loss of the whole batch.
    """,
    hints=[
        "Write the mean over the whole batch with the help of the means over its pieces.",
        "What would the factors be if all pieces had the same size? They should add up to 1.",
    ],
    axes={"sizes": "S"},
)


@accumulate.stub
def scales(sizes):
    """Return the factor of each piece's mean loss, shape (S,), float64.

    Args:
        sizes: how many samples each piece has, shape (S,), int64.
    """


@accumulate.reference
def scales_reference(sizes):
    return sizes.double() / sizes.sum()


@accumulate.inputs
def accumulate_inputs(random):
    (S,) = random.sizes(1)
    return (random.integers(1, 20, S + 1),)


@accumulate.wrong("equal factors are right for pieces of equal size only")
def scales_equal(sizes):
    return torch.full((len(sizes),), 1 / len(sizes), dtype=torch.float64)


@accumulate.wrong("unscaled means add up to the gradient of a loss that is several times too large")
def scales_none(sizes):
    return torch.ones(len(sizes), dtype=torch.float64)


@accumulate.wrong("upside down: a large piece has many samples to speak for")
def scales_inverse(sizes):
    return (1 / sizes.double()) / (1 / sizes.double()).sum()


@accumulate.wrong("those are the factors of summed losses: each piece's loss is already a mean")
def scales_of_sums(sizes):
    return torch.ones(len(sizes), dtype=torch.float64) / sizes.sum()

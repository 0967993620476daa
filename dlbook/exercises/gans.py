"""Exercises of the chapter "gans"."""
# mypy: disable-error-code="no-untyped-def, no-untyped-call"

import math

import torch

from dlbook.exercises._core import Exercise

# --- predict --------------------------------------------------------------------------------

half_right = Exercise(
    "gans.half-right",
    "Half of the samples are right",
    kind="predict",
    effort=1,
    statement=r"""
    The data are heads or tails, each with probability 1/2. The generator makes heads and tails with probability 1/4 each, and with
    probability 1/2 the coin stands on its edge, which never occurs in the data. What probability of being data does the best discriminator give to heads? To an edge? What is the
    value of the game against it? Three numbers, with three digits behind the point.
    """,
    hints=[
        "What share of all the heads that a discriminator sees, with as many data as samples, are data?",
        r"In the value, a term $p \log D$ with $p = 0$ is 0. Three outcomes, two terms each.",
    ],
    outputs=("heads", "edge", "value"),
    atol=0.0006,
)


@half_right.stub
def best_and_value():
    """Return the probabilities given to heads and to an edge, and the value."""


@half_right.reference
def best_and_value_reference():
    # Heads: (1/2) / (1/2 + 1/4). Data: log 2/3 with certainty. Samples: half of them are heads or
    # tails, at log 1/3 each; the other half is seen through, at log 1.
    return 2 / 3, 0.0, math.log(2 / 3) + math.log(1 / 3) / 2


half_right.wrong_value(
    (2 / 3, 0.0, math.log(2 / 3) + math.log(1 / 3)),
    "only half of the samples are heads or tails; the others cost the discriminator nothing",
)
half_right.wrong_value(
    (1 / 2, 0.0, math.log(1 / 2) + math.log(1 / 2) / 2),
    "heads are twice as frequent among the data as among the samples: that can be used",
)
half_right.wrong_value(
    (2 / 3, 0.0, math.log(2 / 3) / 2 + math.log(1 / 3) / 4),
    "both heads and tails are in the value, with their probabilities",
)
half_right.wrong_value(
    (2 / 3, 0.0, -math.log(4)),
    "−log 4 is the value where the discriminator can only guess: here it can do better",
)
half_right.wrong_value(
    (2 / 3, 0.0, -math.log(2 / 3) - math.log(1 / 3) / 2),
    "that is the discriminator's loss; the value has the other sign",
)

push = Exercise(
    "gans.push",
    "How hard is a sample pushed?",
    kind="predict",
    effort=1,
    statement=r"""
    A discriminator gives a sample the probability 0.01 of being data, and its score has the slope 5 there. Nothing else is in the batch. How
    long is the gradient of the minimax loss with respect to the sample? How long that of the non-saturating loss? Now all scores of the discriminator are multiplied
    by 2: it is surer, and nothing else has changed. By which factor does the gradient of the minimax loss change? Three numbers.
    """,
    hints=[
        r"The score $s$ stands between loss and sample: two factors, one of which is the slope of $s$.",
        r"The factors by the score are $\sigma(s)$ and $1 - \sigma(s)$. Which score has the probability 0.01? A doubled score has a doubled slope.",
    ],
    outputs=("minimax", "non-saturating", "factor"),
    atol=0.0006,
)


@push.stub
def two_pushes():
    """Return both lengths at 0.01, and the factor by which the first changes."""


@push.reference
def two_pushes_reference():
    # The odds 1/99 are squared: D = 1/99² / (1 + 1/99²). The slope is doubled.
    sure = 1 / (1 + 99**2)
    return 0.01 * 5, 0.99 * 5, sure * 10 / (0.01 * 5)


push.wrong_value((0.01, 0.99, 2 * 100 / (1 + 99**2)), "the slope of the score is the other factor")
push.wrong_value(
    (4.95, 0.05, 2 * 100 / (1 + 99**2)),
    "which of the two losses is flat where the discriminator is sure?",
)
push.wrong_value((0.05, 4.95, 2.0), "the slope is doubled, but the probability changes, too")
push.wrong_value(
    (0.05, 4.95, 100 / (1 + 99**2)), "the probability changes, but the slope is doubled, too"
)

# --- derive ---------------------------------------------------------------------------------

uneven = Exercise(
    "gans.uneven",
    "Fewer samples than data, and softer targets",
    kind="derive",
    effort=2,
    statement=r"""
    A discriminator is trained on batches in which the share $\pi$ are data, and the rest are samples. Its loss is the binary cross-entropy, but with
    the target $\alpha$ for data (not 1) and $\beta$ for samples (not 0). At a point where the data have the density $p$ and the samples $q$, which probability $D$ makes the
    loss least? Derive it, and write it as `best(p, q, share, alpha, beta)`. (Then look at a place where only samples are: what does $\beta > 0$ do to the score there, and what does $\alpha < 1$?)
    Relative tolerance: $10^{-4}$.
    """,
    hints=[
        r"At this point the mean loss is $-\pi p\,[\alpha \log D + (1-\alpha)\log(1-D)] - \dots$",
        r"Collect what multiplies $\log D$ and what multiplies $\log(1-D)$. You know the best $D$ for $-a\log D - b\log(1-D)$.",
    ],
    axes={"p": "N", "q": "N"},
    rtol=1e-4,
    atol=1e-6,
)


@uneven.stub
def best(p, q, share, alpha, beta):
    """Return the best probabilities, shape (N,).

    Args:
        p: densities of the data at some points, (N,).
        q: densities of the samples there, (N,).
        share: of data in the batches, between 0 and 1.
        alpha: the target of data.
        beta: the target of samples.
    """


@uneven.reference
def best_reference(p, q, share, alpha, beta):
    # The mean loss at a point is -a log D - b log(1 - D) with
    # a = share p alpha + (1 - share) q beta: all the weight on "data",
    # b = share p (1 - alpha) + (1 - share) q (1 - beta): all on "sample".
    # Its derivative -a/D + b/(1 - D) is 0 at D = a / (a + b), and a + b is the whole density.
    # Where p = 0, D is beta, whatever alpha is: with beta > 0 a finite score and a flat one, which
    # doesn't tell the samples where to go. With beta = 0 (alpha < 1 alone) it still falls to -inf.
    data, samples = share * p, (1 - share) * q
    return (alpha * data + beta * samples) / (data + samples)


@uneven.inputs
def uneven_inputs(random):
    (N,) = random.sizes(1)
    p, q = random.uniform(0.1, 2.0, N), random.uniform(0.1, 2.0, N)
    return p, q, random.number(0.1, 0.9), random.number(0.7, 1.0), random.number(0.0, 0.3)


@uneven.wrong("shares and targets are both missing: that is the page's own case")
def best_plain(p, q, share, alpha, beta):
    return p / (p + q)


@uneven.wrong('β is the target itself, the weight on "data": 1 − β stands with log(1 − D)')
def best_other_target(p, q, share, alpha, beta):
    return (alpha * share * p + (1 - beta) * (1 - share) * q) / (share * p + (1 - share) * q)


@uneven.wrong("samples have a target, too: it also asks for some probability of being data")
def best_one_sided(p, q, share, alpha, beta):
    return alpha * share * p / (share * p + (1 - share) * q)


@uneven.wrong("how many data and samples there are changes the odds")
def best_even(p, q, share, alpha, beta):
    return (alpha * p + beta * q) / (p + q)


@uneven.wrong("the targets are missing")
def best_hard(p, q, share, alpha, beta):
    return share * p / (share * p + (1 - share) * q)


# --- program --------------------------------------------------------------------------------

value = Exercise(
    "gans.value",
    "The value, from scores",
    kind="program",
    effort=2,
    statement=r"""
    Write `game_value(real, fake)`: the mean of $\log\sigma(s)$ over the scores of data plus the mean of $\log(1 - \sigma(\tilde s))$ over those of samples. There may be
    different numbers of both. It must be right for scores of $\pm 1000$, too. On your honour, without `softplus`, `logsigmoid` or a loss of PyTorch: only `exp`, `log`, `log1p`,
    `abs`, `clamp`, `mean` and arithmetic. Tolerance: $10^{-4}$, relative $10^{-4}$.
    """,
    hints=[
        r"$1 - \sigma(s) = \sigma(-s)$: one function is enough.",
        r"$\log\sigma(s) = -\log(1 + e^{-s})$. For large negative $s$ take $e^{-s}$ out of the bracket. Can one formula serve both signs?",
    ],
    atol=1e-4,
    rtol=1e-4,
)


@value.stub
def game_value(real, fake):
    """Return the value, a tensor of shape ().

    Args:
        real: scores of data, shape (N,).
        fake: scores of samples, (M,).
    """


@value.reference
def game_value_reference(real, fake):
    right = real.clamp(max=0) - torch.log1p(torch.exp(-real.abs()))
    wrong = (-fake).clamp(max=0) - torch.log1p(torch.exp(-fake.abs()))
    return right.mean() + wrong.mean()


@value.inputs
def value_inputs(random):
    N, M = random.sizes(2)
    return 3 * random.normal(N), 3 * random.normal(M)


@value.probe("scores of ±1000")
def value_large(random):
    return torch.tensor([1000.0, -1000.0, 2.0]), torch.tensor([-1000.0, 1000.0])


@value.wrong("infinite: a logarithm has met 0, or an exponential has overflowed")
def game_value_probabilities(real, fake):
    D, F = 1 / (1 + torch.exp(-real)), 1 / (1 + torch.exp(-fake))
    return D.log().mean() + (1 - F).log().mean()


@value.wrong("a mean over both kinds at once weighs them by their numbers")
def game_value_joined(real, fake):
    s = torch.cat([real, -fake])
    return 2 * (s.clamp(max=0) - torch.log1p(torch.exp(-s.abs()))).mean()


@value.wrong("that is what the generator of the non-saturating game wants: samples count by 1 − σ")
def game_value_both_right(real, fake):
    right = real.clamp(max=0) - torch.log1p(torch.exp(-real.abs()))
    wrong = fake.clamp(max=0) - torch.log1p(torch.exp(-fake.abs()))
    return right.mean() + wrong.mean()


modes = Exercise(
    "gans.modes",
    "Count the modes",
    kind="program",
    effort=2,
    statement=r"""
    Write `modes_found(samples, centers, radius, least)`, much as the chapter's `mode_coverage` counts. A sample is *close* if its distance to its nearest centre is at most `radius`. Return how many centres
    have at least `least` close samples of their own (each sample belongs to its nearest centre only), and the share of all samples that are close, as a float.
    """,
    hints=[
        "You need two things of each sample: which centre is its nearest, and how far that is. `torch.cdist(samples, centers)` has all distances, (N, K).",
        "Count the nearest centres of the close samples alone.",
    ],
    outputs=("found", "close"),
    axes={"samples": "N 2", "centers": "K 2"},
    atol=1e-5,
)


@modes.stub
def modes_found(samples, centers, radius, least):
    """Return the number of centres that were found (int), and the share of close samples (float).

    Args:
        samples: points, shape (N, 2).
        centers: (K, 2).
        radius: above 0.
        least: 1 or more.
    """


@modes.reference
def modes_found_reference(samples, centers, radius, least):
    distance, nearest = torch.cdist(samples, centers).min(1)
    close = distance <= radius
    counts = torch.bincount(nearest[close], minlength=len(centers))
    return int((counts >= least).sum()), close.float().mean().item()


@modes.inputs
def modes_inputs(random):
    K = random.integer(3, 6)
    angle = torch.arange(K) * (2 * math.pi / K)
    centers = torch.stack([angle.cos(), angle.sin()], 1)
    own = random.integers(0, K - 1, 30)  # the last centre has none
    return centers[own] + 0.3 * random.normal(30, 2), centers, 0.4, random.integer(2, 5)


@modes.probe("two centres nearer to each other than the radius")
def modes_near(random):
    centers = torch.tensor([[0.0, 0.0], [0.3, 0.0]])
    return torch.tensor([[0.02, 0.0], [0.01, 0.1], [0.05, 0.0], [0.29, 0.0]]), centers, 0.5, 2


@modes.wrong("samples that are not close to their centre don't count for it")
def modes_all(samples, centers, radius, least):
    distance, nearest = torch.cdist(samples, centers).min(1)
    counts = torch.bincount(nearest, minlength=len(centers))
    return int((counts >= least).sum()), (distance <= radius).float().mean().item()


@modes.wrong("a centre with fewer close samples than asked for isn't found")
def modes_any(samples, centers, radius, least):
    distance, nearest = torch.cdist(samples, centers).min(1)
    return len(nearest[distance <= radius].unique()), (distance <= radius).float().mean().item()


@modes.wrong("a sample belongs to its nearest centre only")
def modes_shared(samples, centers, radius, least):
    close = torch.cdist(samples, centers) <= radius
    return int((close.sum(0) >= least).sum()), close.any(1).float().mean().item()


# --- break ----------------------------------------------------------------------------------

blind = Exercise(
    "gans.blind",
    "A discriminator that can't tell",
    kind="break",
    effort=2,
    statement=r"""
    The theorem about equal densities supposes a discriminator that can be any function. Let it be a straight line, $s = wx + b$. Find data and samples, two lists of
    equally many numbers (between 2 and 20 of each, all between −10 and 10), so that no choice of $w$ and $b$ brings the discriminator's loss more than
    $10^{-6}$ below $\log 4$, although the standard deviation of one list is at least twice that of the other (torch's `std`), and neither is below 0.1.
    """,
    hints=[
        r"At $w = b = 0$ the loss is $\log 4$. When is that the least? The loss is convex in $w$ and $b$.",
        r"Set its derivative with respect to $w$ to 0 there. Which number of either list does it contain?",
    ],
    outputs=("data", "samples"),
)


@blind.stub
def data_and_samples():
    """Return data and samples, two lists of numbers."""


@blind.reference
def data_and_samples_reference():
    # By w, the derivative at 0 is half the samples' mean less half the data's mean.
    return [-1.0, 1.0], [-3.0, 3.0]


@blind.judge
def blind_judge(got):
    try:
        x, y = (torch.as_tensor(part, dtype=torch.float64) for part in got)
    except (TypeError, ValueError, RuntimeError):
        return "expected two lists of numbers"
    if x.dim() != 1 or x.shape != y.shape or not 2 <= len(x) <= 20:
        return "expected two lists of equally many numbers, from 2 to 20"
    both = torch.cat([x, y])
    if not bool(torch.isfinite(both).all()) or float(both.abs().max()) > 10:
        return "expected numbers between −10 and 10"
    wide, narrow = (f(float(x.std()), float(y.std())) for f in (max, min))
    if narrow < 0.1:
        return f"a standard deviation of {narrow:.3f}: it should be 0.1 at least"
    if wide < 2 * narrow:
        return f"standard deviations {wide:.3f} and {narrow:.3f}: the one is not twice the other"
    w = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([w], max_iter=200, line_search_fn="strong_wolfe")

    def loss():
        scores = w[0] * x + w[1], w[0] * y + w[1]
        return torch.logaddexp(-scores[0], 0 * x).mean() + torch.logaddexp(scores[1], 0 * y).mean()

    def closure():
        optimizer.zero_grad()
        found = loss()
        found.backward()
        return found

    optimizer.step(closure)
    gained = math.log(4) - float(loss().detach())
    if gained > 1e-6:
        return f"a line tells them apart: its loss is {gained:.4f} below log 4"
    return None


blind.wrong_value(([0.0, 1.0], [3.0, 9.0]), "a line tells them apart: its loss is")
blind.wrong_value(
    ([0.0, 1.0], [0.0, 1.0]), "standard deviations 0.707 and 0.707: the one is not twice the other"
)
blind.wrong_value(([0.0, 0.0], [-1.0, 1.0]), "a standard deviation of 0.000: it should be 0.1")
blind.wrong_value(([0.0, 1.0], [3.0]), "expected two lists of equally many numbers, from 2 to 20")

# --- extend ---------------------------------------------------------------------------------

weighed = Exercise(
    "gans.weighed",
    "Data's mean, from samples alone",
    kind="extend",
    effort=2,
    statement=r"""
    A best discriminator knows the ratio of the densities. So it can turn means over samples into means over data. Given numbers $h_i$ of $N$ samples (whatever was
    measured of them) and their scores $s_i$ by the best discriminator, estimate the mean of $h$ over the *data* (there are samples wherever there are data): weigh each sample by the ratio $p/q$ at its place, and let the weights
    add up to 1. Write `over_data(h, scores)`; scores may be as large as 1000. Tolerance: $10^{-4}$.
    """,
    hints=[
        r"$\int p\,h = \int q\,\frac{p}{q}\,h$: a mean over samples. What is $p/q$ in terms of the score?",
        "The weights are to add up to 1: a common factor of all of them drops out. Which one keeps the largest from overflowing?",
    ],
    axes={"h": "N", "scores": "N"},
    atol=1e-4,
)


@weighed.stub
def over_data(h, scores):
    """Return the estimate, a tensor of shape ().

    Args:
        h: what was measured of the samples, shape (N,).
        scores: of the best discriminator, (N,).
    """


@weighed.reference
def over_data_reference(h, scores):
    weights = torch.exp(scores - scores.max())
    return (weights * h).sum() / weights.sum()


@weighed.inputs
def weighed_inputs(random):
    (N,) = random.sizes(1)
    return random.normal(N), 2 * random.normal(N)


@weighed.probe("scores near 1000")
def weighed_large(random):
    return random.normal(5), 1000 + random.normal(5)


@weighed.wrong("D is p / (p + q), not p / q")
def over_data_probabilities(h, scores):
    weights = torch.sigmoid(scores)
    return (weights * h).sum() / weights.sum()


@weighed.wrong("the score is log p − log q: the weights are the ratio the other way round")
def over_data_inverse(h, scores):
    return (torch.softmax(-scores, 0) * h).sum()


@weighed.wrong("the weights don't add up to 1: divide by their sum")
def over_data_shifted(h, scores):
    return (torch.exp(scores - scores.max()) * h).mean()


@weighed.wrong("let the weights add up to 1, whatever their mean is")
def over_data_unscaled(h, scores):
    return (torch.exp(scores) * h).mean()


@weighed.wrong("the ratio is asked for, not its logarithm")
def over_data_scores(h, scores):
    return (scores * h).sum() / scores.sum()

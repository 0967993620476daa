"""Exercises of the chapter "variational autoencoders"."""
# mypy: disable-error-code="no-untyped-def, no-untyped-call"

import math

import torch

from dlbook.exercises._core import Exercise

# --- predict --------------------------------------------------------------------------------

causes = Exercise(
    "vae.two-causes",
    "Another coin",
    kind="predict",
    effort=1,
    statement=r"""
    A code is 1 with probability 1/4 and 0 otherwise. The image that we see has the probability 0.2 if the code
    is 0, and 0.6 if it is 1. What are: the image's probability $p(x)$; the probability $p(z = 1 \mid x)$; the evidence
    lower bound in nats, if the guess $q$ is the prior itself; and how far that bound lies below $\ln p(x)$?
    Three decimals are enough.
    """,
    hints=[
        "Add up what both codes contribute to $p(x)$. Which share of it comes from the code 1?",
        "If the guess is the prior, one of the bound's two terms is 0.",
    ],
    outputs=("p(x)", "p(z = 1 | x)", "the bound", "the gap"),
    atol=0.0006,
)


@causes.stub
def coin_numbers():
    """Return p(x), p(z = 1 | x), the bound with q = p, and the gap."""


@causes.reference
def coin_numbers_reference():
    # p(x) = 3/4 · 0.2 + 1/4 · 0.6 = 0.15 + 0.15, half of it from either code. With q = p the
    # divergence is 0, and the bound is the mean of ln p(x | z) over the prior.
    bound = 0.75 * math.log(0.2) + 0.25 * math.log(0.6)
    return (0.3, 0.5, bound, math.log(0.3) - bound)


causes.wrong_value(
    (0.4, 0.75, math.log(0.12) / 2, math.log(0.4) - math.log(0.12) / 2),
    "this coin is not fair: the codes have the probabilities 3/4 and 1/4",
)
causes.wrong_value((0.3, 0.5, math.log(0.3), 0.0), "is the guess here the posterior, or the prior?")
causes.wrong_value(
    (0.3, 0.5, math.log(0.12) / 2, math.log(0.3) - math.log(0.12) / 2),
    "the mean goes over the guess, and that is 1/4 and 3/4 here, not a half each",
)
causes.wrong_value(
    (0.3, 0.6, 0.75 * math.log(0.2) + 0.25 * math.log(0.6), 0.130812),
    "0.6 is p(x | z = 1): turn it round with Bayes' rule",
)

linear = Exercise(
    "vae.how-many-are-used",
    "How many numbers of the code are used",
    kind="predict",
    effort=2,
    statement=r"""
    Data of mean 0 have the variances 4, 1 and ¼ along three directions at right angles. A linear variational
    autoencoder with three numbers in its code and a Gaussian decoder of fixed $s = 0.6$ is trained to its best.
    How many directions does it use if $\beta = 1$; how many if $\beta = 4$; and from which $\beta$ on does it use none?
    How large, finally, is the mean divergence, in nats, that the direction of variance 4 costs at $\beta = 1$? Four numbers; of the last two,
    two decimals are enough.
    """,
    hints=[
        "Compare each variance with the decoder's. What does $\\beta$ do to it?",
        "The chapter has the best weight, the posterior's variance, and what follows for the divergence.",
    ],
    outputs=("used at β = 1", "used at β = 4", "the β of collapse", "the divergence"),
    atol=0.006,
)


@linear.stub
def used_directions():
    """Return two counts, a β, and a divergence in nats."""


@linear.reference
def used_directions_reference():
    # A direction is used if its variance exceeds βs² = 0.36 β: 4 and 1 at β = 1, only 4 at
    # β = 4 (1.44), none from 4/0.36 on. Its mean divergence is half of ln(variance / (βs²)).
    return (2, 1, 4 / 0.36, 0.5 * math.log(4 / 0.36))


linear.wrong_value(
    (2, 1, 4 / 0.6, 0.5 * math.log(4 / 0.6)), "a variance is compared with a variance: square 0.6"
)
linear.wrong_value(
    (3, 1, 4 / 0.36, 0.5 * math.log(4 / 0.36)), "the variance ¼ is below 0.36: is it worth a code?"
)
linear.wrong_value(
    (2, 2, 4 / 0.36, 0.5 * math.log(4 / 0.36)), "at β = 4 the decoder's variance counts four times"
)
linear.wrong_value((2, 1, 4 / 0.36, math.log(4 / 0.36)), "a half is missing in the divergence")

# --- derive ---------------------------------------------------------------------------------

best_prior = Exercise(
    "vae.best-prior",
    "The prior that costs least",
    kind="derive",
    effort=2,
    statement=r"""
    Let the prior of every number of the code be $\mathcal N(0, t)$, with one variance $t$ for all of them. The encoder says $\mu_{nk}$ and
    $\ln\sigma^2_{nk}$ for input $n$ and number $k$. Which $t$ makes the divergence, added up over $k$ and averaged
    over the inputs, as small as it can be? Write it as `prior_variance(mean, log_variance)`. If it comes out
    above 1: which draws does the prior $\mathcal N(0, 1)$ then make too seldom?
    """,
    hints=[
        "Write the divergence of $\\mathcal N(\\mu, \\sigma^2)$ from $\\mathcal N(0, t)$ first, as the chapter does for $t = 1$.",
        "Which terms depend on $t$? One of them falls with it, one grows.",
    ],
)


@best_prior.stub
def prior_variance(mean, log_variance):
    """Return the best t.

    Args:
        mean: μ, shape (B, Z).
        log_variance: ln σ², shape (B, Z).
    """


@best_prior.reference
def prior_variance_reference(mean, log_variance):
    # E ln q = −½(ln 2πσ² + 1), and E ln p = −½(ln 2πt + (μ² + σ²)/t), as in the chapter
    # for t = 1. So KL = ½((μ² + σ²)/t + ln t − ln σ² − 1). The derivative of the sum over all
    # inputs and numbers is ½ Σ(−(μ² + σ²)/t² + 1/t), and 0 where t is the mean of μ² + σ²: it is
    # below 0 before and above 0 after, so that this is the minimum. With t > 1, N(0, 1) draws
    # codes far from 0 more seldom than the encoder uses them.
    return (mean**2 + log_variance.exp()).mean()


@best_prior.inputs
def best_prior_inputs(random):
    B, Z = random.sizes(2)
    return random.normal(B, Z), random.normal(B, Z)


@best_prior.wrong("that is the spread of the means alone: each code is drawn around its mean")
def prior_variance_of_means(mean, log_variance):
    return (mean**2).mean()


@best_prior.wrong("the codes' own variances are in it; where are their means?")
def prior_variance_of_noise(mean, log_variance):
    return log_variance.exp().mean()


@best_prior.wrong("that is the deviation √t; the variance t was asked for")
def prior_deviation(mean, log_variance):
    return (mean**2 + log_variance.exp()).mean().sqrt()


@best_prior.wrong("the second argument is the logarithm of the variance, not of the deviation")
def prior_variance_doubled(mean, log_variance):
    return (mean**2 + (2 * log_variance).exp()).mean()


@best_prior.wrong("the prior's mean stays 0: what do means that are not 0 on average cost?")
def prior_variance_around_mean(mean, log_variance):
    return mean.var(correction=0) + log_variance.exp().mean()


@best_prior.wrong("the second argument is a logarithm: it may be negative, a variance may not")
def prior_variance_of_logarithm(mean, log_variance):
    return (mean**2 + log_variance).mean()


score = Exercise(
    "vae.score-of-a-line",
    "The slope of a line, twice",
    kind="derive",
    effort=2,
    statement=r"""
    Let $f(z) = z$ and $z \sim \mathcal N(\mu, \sigma^2)$. The derivative of $\operatorname{E} f(z)$ by $\mu$ is 1. The
    pathwise estimate of one draw is $f'(z) = 1$: it has no variance at all. What is the variance of the score's estimate
    $f(z)\,(z - \mu)/\sigma^2$? Write it as `score_variance(mean, std)`, elementwise.
    """,
    hints=[
        "Put in $z = \\mu + \\sigma\\varepsilon$.",
        "The moments: $\\operatorname{E}\\varepsilon^2 = 1$, $\\operatorname{E}\\varepsilon^4 = 3$, odd ones are 0.",
    ],
)


@score.stub
def score_variance(mean, std):
    """Return the variance of the score's estimate.

    Args:
        mean: μ, any shape.
        std: σ > 0, of that shape.
    """


@score.reference
def score_variance_reference(mean, std):
    # (μ + σε) ε / σ = (μ/σ) ε + ε². Its mean is 0 + 1. Its square is (μ/σ)² ε² + 2 (μ/σ) ε³ + ε⁴
    # with mean (μ/σ)² + 0 + 3. Minus the mean's square, 1, leaves (μ/σ)² + 2.
    return (mean / std) ** 2 + 2


@score.inputs
def score_inputs(random):
    n = random.integer(3, 9)
    return random.normal(n), random.uniform(0.3, 2.0, n)


@score.wrong("that is the mean of the square; the square of the mean has to be taken away")
def score_second_moment(mean, std):
    return (mean / std) ** 2 + 3


@score.wrong("the fourth moment of a standard normal number is 3, not 1")
def score_variance_without_fourth(mean, std):
    return (mean / std) ** 2


@score.wrong("σ has gone: μ counts in units of σ")
def score_variance_without_std(mean, std):
    return mean**2 + 2


# --- program --------------------------------------------------------------------------------

program = Exercise(
    "vae.the-loss",
    "The loss from scratch",
    kind="program",
    effort=2,
    statement=r"""
    Write the loss of a variational autoencoder with a Gaussian decoder: minus the evidence lower bound, the divergence
    taken $\beta$ times, a mean over the batch. Leave no constant out: for $\beta = 1$ its mean over the draws of the codes shall be
    an upper bound on the mean of $-\ln p(\mathbf x)$.
    """,
    hints=[
        "Two terms for each input: a sum over its $D$ numbers, and a sum over the $Z$ numbers of its code.",
        "The density of a Gaussian has $\\ln s$ and $\\frac12\\ln2\\pi$ for each of the $D$ numbers.",
    ],
    axes={"x": "B D", "decoded": "B D", "mean": "B Z", "log_variance": "B Z"},
)


@program.stub
def vae_loss(x, decoded, mean, log_variance, std, beta):
    """Return the loss, one number.

    Args:
        x: the inputs, shape (B, D).
        decoded: the decoder's means for one draw of each code, shape (B, D).
        mean: μ of the encoder, shape (B, Z).
        log_variance: ln σ² of the encoder, shape (B, Z).
        std: the decoder's standard deviation, a number.
        beta: β, a number.
    """


@program.reference
def vae_loss_reference(x, decoded, mean, log_variance, std, beta):
    far = ((x - decoded) / std) ** 2
    reconstruction = -(0.5 * far + math.log(std) + 0.5 * math.log(2 * math.pi)).sum(1)
    divergence = 0.5 * (log_variance.exp() + mean**2 - 1 - log_variance).sum(1)
    return (beta * divergence - reconstruction).mean()


@program.inputs
def program_inputs(random):
    B, D, Z = random.sizes(3)
    return (
        random.normal(B, D),
        random.normal(B, D),
        random.normal(B, Z),
        random.normal(B, Z),
        random.choice((0.25, 0.5, 2.0)),
        random.choice((0.5, 2.0, 4.0)),
    )


@program.wrong("the divergence is a sum over the numbers of the code, not a mean")
def vae_loss_mean_divergence(x, decoded, mean, log_variance, std, beta):
    far = ((x - decoded) / std) ** 2
    reconstruction = -(0.5 * far + math.log(std) + 0.5 * math.log(2 * math.pi)).sum(1)
    divergence = 0.5 * (log_variance.exp() + mean**2 - 1 - log_variance).mean(1)
    return (beta * divergence - reconstruction).mean()


@program.wrong("the reconstruction is a sum over an input's numbers, not a mean")
def vae_loss_mean_reconstruction(x, decoded, mean, log_variance, std, beta):
    far = ((x - decoded) / std) ** 2
    reconstruction = -(0.5 * far + math.log(std) + 0.5 * math.log(2 * math.pi)).mean(1)
    divergence = 0.5 * (log_variance.exp() + mean**2 - 1 - log_variance).sum(1)
    return (beta * divergence - reconstruction).mean()


@program.wrong("the density's constants are missing: ln s and ½ ln 2π for each number")
def vae_loss_without_constants(x, decoded, mean, log_variance, std, beta):
    far = ((x - decoded) / std) ** 2
    divergence = 0.5 * (log_variance.exp() + mean**2 - 1 - log_variance).sum(1)
    return (beta * divergence + 0.5 * far.sum(1)).mean()


@program.wrong("the density of one number lacks its ½ ln 2π")
def vae_loss_without_pi(x, decoded, mean, log_variance, std, beta):
    far = ((x - decoded) / std) ** 2
    reconstruction = -(0.5 * far + math.log(std)).sum(1)
    divergence = 0.5 * (log_variance.exp() + mean**2 - 1 - log_variance).sum(1)
    return (beta * divergence - reconstruction).mean()


@program.wrong("the divergence of Gaussians has a ½ in front")
def vae_loss_without_half(x, decoded, mean, log_variance, std, beta):
    far = ((x - decoded) / std) ** 2
    reconstruction = -(0.5 * far + math.log(std) + 0.5 * math.log(2 * math.pi)).sum(1)
    divergence = (log_variance.exp() + mean**2 - 1 - log_variance).sum(1)
    return (beta * divergence - reconstruction).mean()


@program.wrong("β belongs to the divergence alone")
def vae_loss_beta_twice(x, decoded, mean, log_variance, std, beta):
    far = ((x - decoded) / std) ** 2
    reconstruction = -(0.5 * far + math.log(std) + 0.5 * math.log(2 * math.pi)).sum(1)
    divergence = 0.5 * (log_variance.exp() + mean**2 - 1 - log_variance).sum(1)
    return beta * (divergence - reconstruction).mean()


bound = Exercise(
    "vae.many-draws",
    "A bound of many draws",
    kind="program",
    effort=2,
    statement=r"""
    Given the logarithms of weights, $\ln w_{sn}$ for draw $s$ and input $n$, compute $\ln\frac1S\sum_s w_{sn}$ for
    each input. Weights of images are such as $e^{-1000}$ or $e^{800}$: your function must bear them. (You learn more without
    `torch.logsumexp`.)
    """,
    hints=[
        "What happens to the result if every logarithm is lowered by the same number?",
        "Lower the logarithms of an input so far that the largest of them becomes 0.",
    ],
    axes={"log_weights": "S B"},
)


@bound.stub
def log_mean_weight(log_weights):
    """Return the logarithms of mean weights, shape (B,), from log_weights, shape (S, B)."""


@bound.reference
def log_mean_weight_reference(log_weights):
    largest = log_weights.max(0).values
    return (log_weights - largest).exp().mean(0).log() + largest


@bound.inputs
def bound_inputs(random):
    S, B = random.sizes(2)
    return (random.normal(S, B),)


@bound.probe("weights near e^-1000 and e^800")
def bound_probe(random):
    S, B = random.sizes(2)
    w = random.normal(S, B)
    return (w + torch.where(torch.arange(B) % 2 == 0, -1000.0, 800.0),)


@bound.wrong("overflow or underflow: what do e^-1000 and e^800 become in the computer?")
def log_mean_weight_naive(log_weights):
    return log_weights.exp().mean(0).log()


@bound.wrong("that is the mean of the logarithms: the lower bound of single draws")
def mean_log_weight(log_weights):
    return log_weights.mean(0)


@bound.wrong("a sum instead of a mean: ln S is missing")
def log_sum_weight(log_weights):
    largest = log_weights.max(0).values
    return (log_weights - largest).exp().sum(0).log() + largest


grid = Exercise(
    "vae.integral-on-a-line",
    "The integral on a line",
    kind="program",
    effort=2,
    statement=r"""
    A code is one number with the prior $\mathcal N(0, 1)$. `codes` holds equally spaced values of it, which reach far enough, and
    `log_likelihood` the decoder's $\ln p(\mathbf x_n \mid z_i)$ for each of them and each input. Compute $\ln p(\mathbf x_n)$ as a
    sum over the grid. The probabilities of whole images are too small for float32: stay with logarithms as long as needed.
    """,
    hints=[
        "The integral is about a sum of heights times the width of a step. Which heights?",
        "`torch.logsumexp(a, dim)` adds up exponentials of `a` without leaving the logarithms.",
    ],
    axes={"log_likelihood": "B P", "codes": "P"},
    atol=2e-3,
)


@grid.stub
def log_evidence(codes, log_likelihood):
    """Return ln p(x) of each input, shape (B,).

    Args:
        codes: equally spaced codes, shape (P,).
        log_likelihood: ln p(x | z) for each input and code, shape (B, P).
    """


@grid.reference
def log_evidence_reference(codes, log_likelihood):
    log_prior = -0.5 * codes**2 - 0.5 * math.log(2 * math.pi)
    return torch.logsumexp(log_likelihood + log_prior, 1) + (codes[1] - codes[0]).log()


@grid.inputs
def grid_inputs(random):
    B = random.integer(2, 6)
    P = random.integer(60, 90)
    codes = torch.linspace(-6, 6, P)
    centre, width = random.normal(B, 1), random.uniform(0.5, 2.0, B, 1)
    return codes, -0.5 * ((codes - centre) / width) ** 2


@grid.probe("images that are very unlikely")
def grid_probe(random):
    codes = torch.linspace(-6, 6, 61)
    return codes, -0.5 * (codes - random.normal(3, 1)) ** 2 - 400.0


@grid.wrong("the width of a step is missing")
def log_evidence_without_step(codes, log_likelihood):
    log_prior = -0.5 * codes**2 - 0.5 * math.log(2 * math.pi)
    return torch.logsumexp(log_likelihood + log_prior, 1)


@grid.wrong("codes far out are rare: where is the prior?")
def log_evidence_without_prior(codes, log_likelihood):
    return torch.logsumexp(log_likelihood, 1) + (codes[1] - codes[0]).log()


@grid.wrong("the prior's own constant is missing: it has to integrate to 1")
def log_evidence_unnormalised(codes, log_likelihood):
    return torch.logsumexp(log_likelihood - 0.5 * codes**2, 1) + (codes[1] - codes[0]).log()


@grid.wrong("right while probabilities are representable; then e^-400 is 0")
def log_evidence_without_logarithms(codes, log_likelihood):
    prior = (-0.5 * codes**2).exp() / math.sqrt(2 * math.pi)
    return ((log_likelihood.exp() * prior).sum(1) * (codes[1] - codes[0])).log()


# --- break ----------------------------------------------------------------------------------

draw = Exercise(
    "vae.faulty-draw",
    "Find the bugs in a draw",
    kind="break",
    effort=1,
    statement=r"""
    This function shall draw codes $z \sim \mathcal N(\mu, \sigma^2)$ from a given noise so that the loss reaches the encoder. There are
    two mistakes in it. The first shows in the codes; the second does not: with it the loss of a network even goes down.
    Mend both. (`detach` gives a tensor's values without its history, so that no gradient goes back through it.)
    """,
    hints=[
        "Which power of σ is `log_variance.exp()`?",
        "Follow the cotangent of z backwards. Which of the encoder's two outputs does it reach?",
    ],
)


@draw.stub
def drawn_codes(mean, log_variance, noise):
    """Return z, of the shape of mean, from standard normal noise."""
    spread = log_variance.exp() * noise
    return mean + spread.detach()


@draw.reference
def drawn_codes_reference(mean, log_variance, noise):
    return mean + (0.5 * log_variance).exp() * noise


@draw.inputs
def draw_inputs(random):
    B, Z = random.sizes(2)
    return random.normal(B, Z), random.normal(B, Z), random.normal(B, Z)


@draw.use
def draw_use(answer, mean, log_variance, noise):
    leaves = mean.clone().requires_grad_(), log_variance.clone().requires_grad_()
    z = answer(*leaves, noise)
    if not isinstance(z, torch.Tensor) or z.shape != mean.shape:
        return z
    if not z.requires_grad:
        return z, torch.zeros_like(mean), torch.zeros_like(mean)
    slopes = torch.autograd.grad((z * z).sum(), leaves, allow_unused=True)
    return z.detach(), *(torch.zeros_like(mean) if s is None else s for s in slopes)


@draw.wrong("the codes are right now, but no gradient comes to log_variance")
def drawn_codes_detached(mean, log_variance, noise):
    return mean + ((0.5 * log_variance).exp() * noise).detach()


@draw.wrong("the gradient comes through now, but the codes spread by σ², not by σ")
def drawn_codes_of_variance(mean, log_variance, noise):
    return mean + log_variance.exp() * noise


@draw.wrong("the codes are right now, but no gradient comes to mean")
def drawn_codes_detached_mean(mean, log_variance, noise):
    return mean.detach() + (0.5 * log_variance).exp() * noise


@draw.wrong("without noise there is nothing drawn: that is the mean")
def codes_without_noise(mean, log_variance, noise):
    return mean + 0 * log_variance * noise


wins = Exercise(
    "vae.where-the-score-wins",
    "Where the score wins",
    kind="break",
    effort=2,
    statement=r"""
    "The pathwise estimate of a gradient has the smaller variance." Refute it: find the smallest whole number $k$ above 0 such that for $f(z) = \sin kz$ and
    $z \sim \mathcal N(0, 1)$ the pathwise estimate of the derivative by the mean, $f'(z)$, has at least ten times
    the variance of the score's estimate, $f(z)\,z$.
    """,
    hints=[
        "Both have the same mean. Compare their mean squares.",
        "How large is a steep function's slope, and how large is its value?",
    ],
)


@wins.stub
def wiggles():
    """Return k."""


@wins.reference
def wiggles_reference():
    # E (k cos kz)² = k²/2 (1 + exp(−2k²)) grows like k²/2; E (z sin kz)² is about ½. The common
    # mean, k exp(−k²/2), has nearly died away by k = 3, so the ratio is about k²: 9 at 3, 16 at 4.
    return 4


@wins.judge
def wins_judge(got):
    if isinstance(got, torch.Tensor) and got.numel() == 1:
        got = got.item()
    if not isinstance(got, int | float) or isinstance(got, bool) or not 1 <= got <= 20:
        return "expected a whole number from 1 to 20"
    if got != int(got):
        return "expected a whole number from 1 to 20"
    z = torch.linspace(-9, 9, 20001, dtype=torch.float64)
    weight = (-0.5 * z**2).exp()
    weight = weight / weight.sum()

    def ratio(k):
        """How many times the score's variance the pathwise estimate has."""
        each = k * torch.cos(k * z), z * torch.sin(k * z)
        path, through_score = ((weight * g**2).sum() - (weight * g).sum() ** 2 for g in each)
        return path / through_score

    if ratio(got) < 1:
        return "for this one the pathwise estimate does have the smaller variance"
    if ratio(got) < 10:
        return "the score wins here, though not by ten times yet"
    if ratio(got - 1) >= 10:
        return "the score wins by ten times here; but so it does at a smaller whole number"
    return None


wins.wrong_value(1, "for this one the pathwise estimate does have the smaller variance")
wins.wrong_value(3, "the score wins here, though not by ten times yet")
wins.wrong_value(7, "the score wins by ten times here; but so it does at a smaller whole number")
wins.wrong_value(0, "expected a whole number from 1 to 20")

# --- extend ---------------------------------------------------------------------------------

quantiles = Exercise(
    "vae.equally-likely-codes",
    "A walk over means",
    kind="extend",
    effort=2,
    statement=r"""
    The chapter's walk shows the middle of each interval, as probability counts it. Take the mean in place of the middle: cut the line into $n$
    intervals that are equally probable under $\mathcal N(0, 1)$, and find for each of them the mean of the codes that fall into it, in ascending
    order. (`torch.special.ndtri` gives for a probability the value below which a standard normal number lies with it.)
    """,
    hints=[
        "The mean over an interval is an integral of $z$ times the density, divided by the interval's probability.",
        "What is the derivative of $e^{-z^2/2}$?",
        "The first interval begins at $-\\infty$ and the last ends at $\\infty$. What is the density there?",
    ],
    atol=1e-5,
)


@quantiles.stub
def likely_codes(n):
    """Return n codes in ascending order, shape (n,)."""


@quantiles.reference
def likely_codes_reference(n):
    # The density φ has the derivative −z φ(z). So ∫ z φ dz from a to b is φ(a) − φ(b), and each
    # interval has the probability 1/n. At the infinite ends φ is 0.
    ends = torch.special.ndtri(torch.arange(n + 1) / n)
    density = (-0.5 * ends**2).exp() / math.sqrt(2 * math.pi)
    return n * (density[:-1] - density[1:])


@quantiles.inputs
def quantiles_inputs(random):
    return random.integer(2, 12)


@quantiles.use
def quantiles_use(answer, n):
    codes = answer(n)
    return codes.float() if isinstance(codes, torch.Tensor) else codes  # any precision will do


@quantiles.wrong("these are the middles by probability, as in the chapter; the means lie elsewhere")
def likely_codes_middle(n):
    return torch.special.ndtri((torch.arange(n) + 0.5) / n)


@quantiles.wrong("these are the ends of intervals, infinite ones among them")
def likely_codes_of_ends(n):
    return torch.special.ndtri(torch.arange(n) / n)


@quantiles.wrong("divide by each interval's probability: a mean, not its share of the integral")
def likely_codes_undivided(n):
    ends = torch.special.ndtri(torch.arange(n + 1) / n)
    density = (-0.5 * ends**2).exp() / math.sqrt(2 * math.pi)
    return density[:-1] - density[1:]


@quantiles.wrong("the signs: what is the derivative of the density?")
def likely_codes_descending(n):
    ends = torch.special.ndtri(torch.arange(n + 1) / n)
    density = (-0.5 * ends**2).exp() / math.sqrt(2 * math.pi)
    return n * (density[1:] - density[:-1])

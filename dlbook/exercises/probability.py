"""Exercises of the chapter "probability"."""
# mypy: disable-error-code="no-untyped-def, no-untyped-call"

import math

import torch

from dlbook.exercises._core import Exercise

# --- predict --------------------------------------------------------------------------------

second_alarm = Exercise(
    "probability.second-alarm",
    "The second alarm",
    kind="predict",
    effort=1,
    statement=r"""
    One part in 100 is defective. A detector rings for 90 % of the defective parts and for 5 % of the
    good ones. Give three probabilities that a part is defective: after the detector has rung; after
    a second detector with the same two rates has rung as well, which, for defective parts and for
    good ones, errs independently of the first; and after, in place of that, the *first* detector was
    asked again about the same part and rang again (it is a program, and always gives the same
    answer). Write them as numbers between 0 and 1; three digits behind the point are enough.
    """,
    hints=[
        "Take 10,000 parts and count. Or work with odds: what does one alarm multiply them by?",
        "What does the third observation tell that the first has not told? Write down the probability "
        "of both alarms for a defective part and for a good one, in each of the two cases.",
    ],
    atol=0.0006,
)


@second_alarm.stub
def three_posteriors():
    """Return the three probabilities of a defect."""


@second_alarm.reference
def three_posteriors_reference():
    once = 0.01 * 0.9 / (0.01 * 0.9 + 0.99 * 0.05)
    twice = 0.01 * 0.9**2 / (0.01 * 0.9**2 + 0.99 * 0.05**2)
    return (once, twice, once)


second_alarm.wrong_value(
    (0.009 / 0.0585, 0.0081 / 0.010575, 0.0081 / 0.010575),
    "the third: a program that answers a second time about the same part has told nothing new",
)
second_alarm.wrong_value(
    (15.4, 76.6, 15.4), "these are per cent: a probability lies between 0 and 1"
)
second_alarm.wrong_value(
    (0.9, 0.99, 0.9), "0.9 is the probability of an alarm given a defect, not the other way round"
)
second_alarm.wrong_value(
    (0.95, 0.9975, 0.95), "0.95 is the share of good parts left in peace: mind that most are good"
)
second_alarm.wrong_value(
    (0.009 / 0.0585, 2 * 0.009 / 0.0585, 0.009 / 0.0585),
    "the second: a second alarm does not double the probability, it multiplies the odds",
)

which_decay = Exercise(
    "probability.which-decay",
    "Which weight decay is it?",
    kind="predict",
    effort=1,
    statement=r"""
    A linear unit is fitted to $N = 500$ samples whose targets have Gaussian noise with $\sigma = 0.5$;
    before seeing them you held its weights for Gaussian with mean 0 and $\tau = 0.2$. Give three numbers:
    the $\lambda$ for which the most probable weights minimise half the mean squared error plus
    $\tfrac\lambda2\lVert\mathbf w\rVert^2$; the number $c$ for which the gradient of `mse_loss` (without the half) plus $c\,\mathbf w$
    vanishes there; and that $c$ when four times as many samples have come in.
    """,
    hints=[
        "Write minus the logarithm of likelihood times prior, and only then bring it into the form "
        "of each cost.",
        "A cost may be multiplied by any positive number: its minimum stays. Multiply the penalty "
        "along with it.",
    ],
    atol=1e-6,
)


@which_decay.stub
def three_decays():
    """Return λ for half the mean squared error, c for mse_loss, and c for 2,000 samples."""


@which_decay.reference
def three_decays_reference():
    half = 0.5**2 / (500 * 0.2**2)
    return (half, 2 * half, 2 * half / 4)


which_decay.wrong_value(
    (6.25, 12.5, 12.5), "that is the penalty of the summed losses: the cost is their mean"
)
which_decay.wrong_value(
    (0.0125, 0.0125, 0.003125),
    "mse_loss is twice the cost of the first question: its penalty has to grow along",
)
which_decay.wrong_value(
    (0.0125, 0.025, 0.1), "the third: the more data, the less the prior should have to say"
)
which_decay.wrong_value(
    (0.005, 0.01, 0.0025), "the formula has the squares of σ and τ, the variances"
)

# --- break ----------------------------------------------------------------------------------

uncorrelated = Exercise(
    "probability.uncorrelated",
    "No covariance, and yet",
    kind="break",
    effort=2,
    statement=r"""
    If $X$ and $Y$ are independent, their covariance is 0. The reverse is false: break it. Each of the two
    takes the values $-1$, $0$ and $1$. Give a table of $P(X = i, Y = j)$ with a row for each value of $X$ and a
    column for each value of $Y$, as nine numbers, a tensor of shape (3, 3), whose covariance is 0 and for
    which $X$ and $Y$ are nevertheless dependent: somewhere the entry is at least 0.05 off
    $P(X = i)\,P(Y = j)$. (Sums and the covariance may be off by $10^{-6}$.)
    """,
    hints=[
        "The covariance sees only whether one tends to grow when the other grows. Let $Y$ depend on "
        "the size of $X$ and not on its sign.",
        "Put the probability on the corners of a shape that looks the same when you turn $X$ into $-X$.",
    ],
)


@uncorrelated.stub
def table():
    """Return the probabilities, shape (3, 3): rows X = −1, 0, 1, columns Y = −1, 0, 1."""


@uncorrelated.reference
def table_reference():
    # Y = 1 where X is 0, and Y = −1 where it is not
    return torch.tensor([[0.25, 0.0, 0.0], [0.0, 0.0, 0.5], [0.25, 0.0, 0.0]])


@uncorrelated.judge
def uncorrelated_judge(got):
    try:
        p = torch.as_tensor(got).double()
    except (TypeError, ValueError, RuntimeError):
        return "expected nine numbers, a tensor of shape (3, 3)"
    if p.shape != (3, 3):
        return f"expected a table of shape (3, 3), got {tuple(p.shape)}"
    if not torch.isfinite(p).all() or (p < 0).any():
        return "a probability can't be negative, infinite or missing"
    if abs(p.sum().item() - 1) > 1e-6:
        return f"the probabilities add up to {p.sum().item():.4g}, not to 1"
    values = torch.tensor([-1.0, 0.0, 1.0], dtype=torch.float64)
    px, py = p.sum(1), p.sum(0)
    covariance = (values @ p @ values - (px @ values) * (py @ values)).item()
    if abs(covariance) > 1e-6:
        return f"the covariance is {covariance:.3g}, not 0"
    off = (p - px[:, None] * py).abs().max().item()
    if off < 0.05 - 1e-9:
        return f"independent, or nearly: no entry is more than {off:.2g} off the product"
    return None


uncorrelated.wrong_value(
    [[1 / 9] * 3] * 3, "independent, or nearly: no entry is more than 0 off the product"
)
uncorrelated.wrong_value(
    [[1 / 3, 0, 0], [0, 1 / 3, 0], [0, 0, 1 / 3]], "the covariance is 0.667, not 0"
)
uncorrelated.wrong_value(
    [[1, 0, 0], [0, 0, 2], [1, 0, 0]], "the probabilities add up to 4, not to 1"
)
uncorrelated.wrong_value(
    [[0.5, 0, -0.25], [0, 0.5, 0], [0.5, 0, -0.25]],
    "a probability can't be negative, infinite or missing",
)

# --- derive ---------------------------------------------------------------------------------

same_hand = Exercise(
    "probability.same-hand",
    "Samples by the same hand",
    kind="derive",
    effort=2,
    statement=r"""
    The $n$ samples $X_1, \dots, X_n$ have the same variance $v$, and every two of them have the same covariance
    $\rho v$, with a $\rho$ from 0 to 1 (the *correlation*). Derive the variance of their mean, and how many
    *independent* samples of variance $v$ would have a mean of the same variance. Write both as
    `same_hand_mean(v, rho, n)`. What happens to the two as $n$ grows?
    """,
    hints=[
        "The variance of a sum is the sum of all covariances, of each sample with each, itself "
        "included. How many pairs are there?",
        r"The mean is the sum divided by $n$, so its variance is that of the sum divided by $n^2$. Set it "
        r"equal to $v/m$ and solve for $m$.",
    ],
    outputs=("variance", "equivalent"),
)


@same_hand.stub
def same_hand_mean(v, rho, n):
    """Return the variance of the mean, and the equivalent number of independent samples.

    Args:
        v: the variance of one sample.
        rho: the correlation of any two, from 0 to 1.
        n: the number of samples.
    """


@same_hand.reference
def same_hand_mean_reference(v, rho, n):
    # The square of the sum has n² products: n give the variance v, the n (n − 1) others ρv.
    # So Var(sum) = n v + n (n − 1) ρ v, and the mean, a sum over n, has that over n²:
    # v (1 + (n − 1) ρ) / n. The mean of m independent samples has v / m; setting the two equal
    # gives m = n / (1 + (n − 1) ρ). With n the variance falls to ρ v, for ρ > 0 no further, and
    # m rises to 1 / ρ: any number of samples by one hand is worth no more.
    m = n / (1 + (n - 1) * rho)
    return v / m, m


@same_hand.inputs
def same_hand_inputs(random):
    return random.number(0.5, 3.0), random.number(0.05, 0.9), random.integer(3, 40)


@same_hand.probe("samples that are all the same (ρ = 1)")
def same_hand_copies(random):
    return random.number(0.5, 3.0), 1.0, random.integer(3, 40)


@same_hand.probe("samples without correlation (ρ = 0)")
def same_hand_free(random):
    return random.number(0.5, 3.0), 0.0, random.integer(3, 40)


@same_hand.wrong("that is right for independent samples: the covariances are missing")
def same_hand_mean_independent(v, rho, n):
    return v / n, n


@same_hand.wrong("each pair stands twice in the square of the sum, as X_i X_j and as X_j X_i")
def same_hand_mean_once(v, rho, n):
    return v * (1 + (n - 1) * rho / 2) / n, n / (1 + (n - 1) * rho / 2)


@same_hand.wrong("a sample makes pairs with n − 1 others, not with n")
def same_hand_mean_itself(v, rho, n):
    return v * (1 + n * rho) / n, n / (1 + n * rho)


@same_hand.wrong("that is the variance of the sum: the mean is the sum divided by n")
def same_hand_mean_sum(v, rho, n):
    return v * n * (1 + (n - 1) * rho), n / (1 + (n - 1) * rho)


shrink = Exercise(
    "probability.shrink",
    "A prior with an edge",
    kind="derive",
    effort=2,
    statement=r"""
    For one weight the data alone would say $a$, and the cost is $\tfrac12(w - a)^2$. A Laplace prior
    adds the penalty $\lambda\lvert w\rvert$ with a $\lambda > 0$. Derive the $w$ with the lowest sum, for any $a$, and
    write it for a whole tensor of values: `shrunk(a, penalty)`. For which $a$ is it exactly 0?
    """,
    hints=[
        r"To the right of 0 the derivative of the sum is $w - a + \lambda$. Where does it vanish, and is that "
        "place to the right of 0?",
        "At 0 the sum has a kink. It is the lowest point if the sum rises to both sides of it.",
    ],
)


@shrink.stub
def shrunk(a, penalty):
    """Return the weights that minimise ½(w − a)² + λ|w|, one for each entry of a.

    Args:
        a: what the data alone would say, any shape.
        penalty: λ, a number above 0.
    """


@shrink.reference
def shrunk_reference(a, penalty):
    # Right of 0 the sum has the derivative w − a + λ, which rises and vanishes at w = a − λ. That
    # place is right of 0 just if a > λ. Left of 0 it is w − a − λ, which vanishes at a + λ, left
    # of 0 just if a < −λ. In between, for |a| ≤ λ, the derivative is above 0 everywhere right of
    # 0 (it begins there at λ − a) and below 0 everywhere left of it (at −a − λ): the sum rises
    # to both sides of the kink, and w is exactly 0.
    return torch.sign(a) * (a.abs() - penalty).clamp(min=0)


@shrink.inputs
def shrink_inputs(random):
    rows, columns = random.sizes(2)
    return 2 * random.normal(rows + 2, columns + 2), random.number(0.3, 1.2)


@shrink.probe("values inside the edge, 0 among them")
def shrink_inside(random):
    penalty = random.number(0.3, 1.2)
    a = penalty * random.uniform(-0.9, 0.9, 6)
    a[0] = 0
    return a, penalty


@shrink.wrong("that runs past 0 where |a| < λ: there the sum is lowest at the kink itself")
def shrunk_past_zero(a, penalty):
    return a - penalty * torch.sign(a)


@shrink.wrong("that is the Gaussian prior's answer, ½λw²: it scales, and never reaches 0")
def shrunk_ridge(a, penalty):
    return a / (1 + penalty)


@shrink.wrong(
    "what is kept is kept unchanged: but beyond the edge, too, λ pulls with full strength"
)
def shrunk_hard(a, penalty):
    return a * (a.abs() > penalty)


@shrink.wrong("the ½ is used up by the square: the edge is λ, not 2λ")
def shrunk_twice(a, penalty):
    return torch.sign(a) * (a.abs() - 2 * penalty).clamp(min=0)


@shrink.wrong("negative values have lost their sign, or were all set to 0")
def shrunk_positive(a, penalty):
    return (a - penalty).clamp(min=0)


unfinished = Exercise(
    "probability.unfinished",
    "Runs that have not ended yet",
    kind="derive",
    effort=2,
    statement=r"""
    Machines run until they fail. A model gives the time to failure the density $r e^{-rt}$ for $t \ge 0$, so
    that a machine outlives the time $t$ with probability $e^{-rt}$; the rate $r > 0$ is to be learned. Of $N$
    machines you know the times $t_n$, and whether each *ended* then, or is *still running* after that
    time (when the watching stopped had nothing to do with the machine). Derive the maximum likelihood
    estimate of $r$ from both kinds, and write it as `rate(t, ended)`.
    """,
    hints=[
        r"A machine that ended contributes a density. What has been *observed* of one that still runs, "
        "and how probable is that?",
        r"Take the logarithm of the product. Which machines contribute a $\log r$, and which a $-rt_n$?",
    ],
    axes={"t": "N", "ended": "N"},
)


@unfinished.stub
def rate(t, ended):
    """Return the maximum likelihood estimate of the rate, a tensor without axes.

    Args:
        t: the time of failure, or the time survived so far, shape (N,).
        ended: whether the machine has failed, shape (N,), of truth values; at least one has.
    """


@unfinished.reference
def rate_reference(t, ended):
    # A machine that ended contributes the density r e^(−rt), one that runs the probability
    # e^(−rt) of outliving t. With E that ended, log L = E log r − r (sum of all t).
    # Its derivative, E / r − (sum of all t), falls as r grows, and vanishes at one r: the maximum.
    return ended.sum() / t.sum()


@unfinished.inputs
def unfinished_inputs(random):
    (n,) = random.sizes(1)
    ended = random.uniform(0, 1, n + 4) < 0.6
    ended[0], ended[1] = True, False
    return random.uniform(0.2, 3, n + 4, dtype=torch.float64), ended


@unfinished.wrong("the running machines were thrown away: with them go the longest lives")
def rate_dropped(t, ended):
    return ended.sum() / t[ended].sum()


@unfinished.wrong(
    "running machines were counted as failures: they contribute exp(−rt), without the r"
)
def rate_all_ended(t, ended):
    return len(t) / t.sum()


@unfinished.wrong("upside down: that is the mean time to failure, one over the rate")
def rate_inverse(t, ended):
    return t.sum() / ended.sum()


@unfinished.wrong("a running machine has outlived t, so its t belongs into the denominator: add it")
def rate_subtracted(t, ended):
    return ended.sum() / (t[ended].sum() - t[~ended].sum())


# --- program --------------------------------------------------------------------------------

posterior = Exercise(
    "probability.posterior",
    "Bayes' rule in logarithms",
    kind="program",
    effort=2,
    statement=r"""
    For each of $B$ images and $K$ classes you have the *logarithm* of the probability of the image given
    the class, and for each class its prior probability. Write the posterior probabilities of the
    classes, one image a row. Images with many pixels have logarithms of $-2000$, whose exponential is
    0 in double precision: the answer has to be right for them, too. (Use `exp`, `log`, `max`, `sum` and
    arithmetic, and no `softmax` or `logsumexp`; the check can't see which you used. It allows $10^{-6}$.)
    """,
    hints=[
        "Multiply by the prior first: in logarithms that is a sum, and which axis does the prior have?",
        "The posterior is a fraction. Multiply above and below by the same number, of your choice for "
        "each image. Which choice makes the largest exponential equal to 1?",
    ],
    axes={"log_likelihood": "B K", "prior": "K"},
    atol=1e-6,
)


@posterior.stub
def class_posterior(log_likelihood, prior):
    """Return the posterior probabilities, shape (B, K); each row adds up to 1.

    Args:
        log_likelihood: log P(image | class), shape (B, K), float64.
        prior: P(class), shape (K,), adding up to 1.
    """


@posterior.reference
def class_posterior_reference(log_likelihood, prior):
    joint = log_likelihood + prior.log()
    # the largest exponential of each row becomes exp(0)
    e = torch.exp(joint - joint.max(1, keepdim=True).values)
    return e / e.sum(1, keepdim=True)


@posterior.inputs
def posterior_inputs(random):
    B, K = random.sizes(2)
    weight = random.uniform(0.2, 2, K + 1, dtype=torch.float64)
    return random.normal(B, K + 1, dtype=torch.float64) - 3, weight / weight.sum()


@posterior.probe("logarithms near −2000")
def posterior_tiny(random):
    B, K = random.sizes(2)
    weight = random.uniform(0.2, 2, K + 1, dtype=torch.float64)
    rows = random.normal(B, K + 1, dtype=torch.float64) - 2000
    return rows, weight / weight.sum()


@posterior.probe("one image near −3000 among images near −10")
def posterior_mixed(random):
    B, K = random.sizes(2)
    weight = random.uniform(0.2, 2, K + 1, dtype=torch.float64)
    rows = random.normal(B, K + 1, dtype=torch.float64) - 10
    rows[0] -= 2990
    return rows, weight / weight.sum()


@posterior.wrong("right for ordinary inputs, but for logarithms near −2000", match=False)
def class_posterior_plain(log_likelihood, prior):
    joint = torch.exp(log_likelihood) * prior
    return joint / joint.sum(1, keepdim=True)


@posterior.wrong("right for ordinary inputs, but for one image near −3000", match=False)
def class_posterior_one_maximum(log_likelihood, prior):
    joint = log_likelihood + prior.log()
    e = torch.exp(joint - joint.max())
    return e / e.sum(1, keepdim=True)


@posterior.wrong("the prior is missing: this takes all classes for equally frequent")
def class_posterior_no_prior(log_likelihood, prior):
    e = torch.exp(log_likelihood - log_likelihood.max(1, keepdim=True).values)
    return e / e.sum(1, keepdim=True)


@posterior.wrong("the prior was added to logarithms as it is: add its logarithm")
def class_posterior_prior_added(log_likelihood, prior):
    joint = log_likelihood + prior
    e = torch.exp(joint - joint.max(1, keepdim=True).values)
    return e / e.sum(1, keepdim=True)


@posterior.wrong(
    "normalised over the images: the probabilities of the classes of one image add up to 1"
)
def class_posterior_columns(log_likelihood, prior):
    joint = log_likelihood + prior.log()
    e = torch.exp(joint - joint.max(0, keepdim=True).values)
    return e / e.sum(0, keepdim=True)


paired = Exercise(
    "probability.paired",
    "Two readers, the same images",
    kind="program",
    effort=2,
    statement=r"""
    Two classifiers have read the same $N$ test images, and for each image you know whether each of them
    was right. Write the difference of the two accuracies, first less second, and the standard error
    of that *difference*: estimate the variance of one image's difference by dividing by $N$, and mind
    that the two are not independent, since an image that is hard for one is often hard for the other.
    """,
    hints=[
        "For one image the difference is 1, 0 or −1. The difference of the accuracies is the mean of these.",
        "So one formula for the standard error of a mean is enough: no covariance has to be written down.",
    ],
    axes={"first": "N", "second": "N"},
    outputs=("difference", "error"),
)


@paired.stub
def compare(first, second):
    """Return the difference of the accuracies and its standard error, two numbers.

    Args:
        first: whether the first classifier was right, shape (N,), of truth values.
        second: the same of the second one.
    """


@paired.reference
def compare_reference(first, second):
    # The difference of the accuracies is the mean of d. Its standard error is that of any mean.
    d = first.double() - second.double()
    return d.mean().item(), ((d - d.mean()) ** 2).mean().sqrt().item() / math.sqrt(len(d))


@paired.inputs
def paired_inputs(random):
    (n,) = random.sizes(1)
    hard = random.uniform(0, 1, 20 + n)
    first = hard + 0.5 * random.uniform(0, 1, 20 + n) < 0.9
    second = hard + 0.5 * random.uniform(0, 1, 20 + n) < 0.8
    return first, second


@paired.wrong("that adds the variances, as if the two had read different images")
def compare_independent(first, second):
    p, q = first.double().mean(), second.double().mean()
    return p - q, ((p * (1 - p) + q * (1 - q)) / len(first)).sqrt()


@paired.wrong("that is the standard deviation of one image's difference: the mean of N has less")
def compare_one_image(first, second):
    d = first.double() - second.double()
    return d.mean(), ((d - d.mean()) ** 2).mean().sqrt()


@paired.wrong("the question says to divide by N, not by N − 1: `correction=0`")
def compare_less_one(first, second):
    d = first.double() - second.double()
    return d.mean(), d.std() / math.sqrt(len(d))


@paired.wrong("that is the variance of the difference: the standard error is its root")
def compare_variance(first, second):
    d = first.double() - second.double()
    return d.mean(), ((d - d.mean()) ** 2).mean() / len(d)


@paired.wrong("first less second, not the other way round")
def compare_reversed(first, second):
    d = second.double() - first.double()
    return d.mean(), ((d - d.mean()) ** 2).mean().sqrt() / math.sqrt(len(d))


@paired.wrong("the mean has not been subtracted before squaring")
def compare_about_zero(first, second):
    d = first.double() - second.double()
    return d.mean(), (d**2).mean().sqrt() / math.sqrt(len(d))


# --- extend ---------------------------------------------------------------------------------

own_error_bars = Exercise(
    "probability.own-error-bars",
    "A prediction that brings its own error bar",
    kind="extend",
    effort=3,
    statement=r"""
    The squared error assumes the same $\sigma$ for every sample. Drop that: let the model predict for each
    sample a mean $m_n$ and the logarithm of a variance $s_n = \log\sigma_n^2$, which may be any number. Take as loss
    the negative log-likelihood of $y_n$ under the Gaussian with that mean and variance, without the term
    that depends on neither, and as cost the mean. Write the cost, and its gradients with respect to all
    $m_n$ and all $s_n$. What does the second gradient want, when the error is larger than the bar?
    """,
    hints=[
        r"Write $\log\sigma_n$ and $1/\sigma_n^2$ in terms of $s_n$ first.",
        r"The loss of one sample is half of a sum: one term grows with $s$, the other has $e^{-s}$ in it.",
        "The cost is a mean: each gradient has a $1/N$.",
    ],
    axes={"y": "N", "m": "N", "s": "N"},
    outputs=("cost", "grad_m", "grad_s"),
)


@own_error_bars.stub
def gaussian_cost(y, m, s):
    """Return the cost, without axes, and its gradients by m and by s, shape (N,) each.

    Args:
        y: targets, shape (N,).
        m: predicted means, shape (N,).
        s: logarithms of the predicted variances, shape (N,).
    """


@own_error_bars.reference
def gaussian_cost_reference(y, m, s):
    # log σ = s / 2 and 1 / σ² = e^−s, so −log N(y; m, e^s) = ½ (s + d² e^−s) + ½ log 2π with
    # d = m − y, and the last term is left out. By m: ½ · 2 d e^−s. By s: ½ (1 − d² e^−s).
    # The cost is a mean, so both are divided by N.
    d = m - y
    precision = torch.exp(-s)
    cost = (s + d**2 * precision).mean() / 2
    # Where d² > e^s, the error larger than the bar, the slope by s is below 0: descent widens the
    # bar. Where d² < e^s it narrows it. It comes to rest at e^s = d².
    return cost, d * precision / len(y), (1 - d**2 * precision) / (2 * len(y))


@own_error_bars.inputs
def own_error_bars_inputs(random):
    (n,) = random.sizes(1)
    y, m, s = (random.normal(n + 1, dtype=torch.float64) for _ in range(3))
    return y, m, s


@own_error_bars.wrong("without the term in s itself, an infinite bar would cost nothing")
def gaussian_cost_no_log(y, m, s):
    d, precision = m - y, torch.exp(-s)
    return (d**2 * precision).mean() / 2, d * precision / len(y), -(d**2) * precision / (2 * len(y))


@own_error_bars.wrong(
    "half the logarithm of 2π depends on neither the mean nor the variance: leave it out"
)
def gaussian_cost_constant(y, m, s):
    d, precision = m - y, torch.exp(-s)
    cost = (s + d**2 * precision + math.log(2 * math.pi)).mean() / 2
    return cost, d * precision / len(y), (1 - d**2 * precision) / (2 * len(y))


@own_error_bars.wrong("s is the logarithm of the variance, not of the standard deviation")
def gaussian_cost_deviation(y, m, s):
    d, precision = m - y, torch.exp(-2 * s)
    cost = (s + d**2 * precision / 2).mean()
    return cost, d * precision / len(y), (1 - d**2 * precision) / len(y)


@own_error_bars.wrong("these are the gradients of the sum: the cost is a mean")
def gaussian_cost_sum(y, m, s):
    d, precision = m - y, torch.exp(-s)
    cost = (s + d**2 * precision).mean() / 2
    return cost, d * precision, (1 - d**2 * precision) / 2


@own_error_bars.wrong("the gradient by m has the wrong sign: it is prediction less target")
def gaussian_cost_sign(y, m, s):
    d, precision = m - y, torch.exp(-s)
    cost = (s + d**2 * precision).mean() / 2
    return cost, -d * precision / len(y), (1 - d**2 * precision) / (2 * len(y))


@own_error_bars.wrong("the second term depends on s, too: the derivative of exp(−s) is −exp(−s)")
def gaussian_cost_half_gradient(y, m, s):
    d, precision = m - y, torch.exp(-s)
    cost = (s + d**2 * precision).mean() / 2
    return cost, d * precision / len(y), torch.full_like(s, 1 / (2 * len(y)))

r"""Variational autoencoders: a model of the data with causes that nobody has seen.

An input is thought to have come about in two steps: a code :math:`z \sim \mathcal N(0, I)` was
drawn, and from it the input, :math:`x \sim p(x \mid z)`, whose parameters a decoder computes.
What an input's probability is, an integral over all codes would tell, which has no closed form. An
encoder that guesses which codes an input may have come from, :math:`q(z \mid x) =
\mathcal N(\mu(x), \operatorname{diag} \sigma^2(x))`, gives a bound that can be computed,

.. math:: \log p(x) \ge
    \underbrace{\operatorname{E}_q \log p(x \mid z)}_{\text{reconstruction}}
    - \underbrace{\operatorname{KL}\bigl( q(z \mid x) \,\Vert\, p(z) \bigr)}_{\text{divergence}} ,

and that is trained in its stead. The code is drawn as :math:`z = \mu + \sigma \odot \varepsilon`
with :math:`\varepsilon \sim \mathcal N(0, I)`, so that the draw depends on the encoder's parameters
by a formula that has a derivative.

The papers are Kingma and Welling, "Auto-encoding variational Bayes" (2014); Rezende, Mohamed and
Wierstra, "Stochastic backpropagation and approximate inference in deep generative models" (2014);
Higgins and others, "beta-VAE: learning basic visual concepts with a constrained variational
framework" (2017); Burda, Grosse and Salakhutdinov, "Importance weighted autoencoders" (2016); and,
for classes that are given, Sohn, Lee and Yan, "Learning structured output representation using deep
conditional generative models" (2015).

Chapter: :doc:`/generative/vae`.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor, nn
from torch.nn import Parameter

from dlbook.autodiff.primitives import primitive
from dlbook.autodiff.tape import Array
from dlbook.models.autoencoder import halvings
from dlbook.models.mlp import MLP
from dlbook.nn.activations import ReLU
from dlbook.nn.layers import Linear
from dlbook.ops import activations, arithmetic
from dlbook.ops.layers import LOG2_E, one_hot, softmax

__all__ = [
    "ELBO",
    "VAE",
    "BernoulliLikelihood",
    "ConditionalVAE",
    "ConvVAE",
    "DenseVAE",
    "ELBOLoss",
    "GaussianLikelihood",
    "ImportanceWeightedLoss",
    "ImportanceWeightedVAE",
    "Posterior",
    "VAEOutput",
    "bernoulli_log_likelihood",
    "elbo",
    "exact_log_likelihood",
    "gaussian_kl",
    "gaussian_log_likelihood",
    "importance_weighted_bound",
    "reparameterize",
]

LOG_2PI = math.log(2 * math.pi)


# --- the formulas -------------------------------------------------------------------------------


def _same(name: str, what: str, input: Array, target: Array) -> None:
    """Check that two arrays have one shape, with an axis of examples and another."""
    if len(input.shape) < 2 or target.shape != input.shape:
        raise ValueError(
            f"{name}: expected {what} of one shape (B, …), got {tuple(input.shape)} and "
            f"{tuple(target.shape)}"
        )


def _each(g: Array, x: Array) -> Array:
    """An example's cotangent beside all of its numbers."""
    return g.reshape((*g.shape, *[1] * (len(x.shape) - 1)))


@primitive
def _bernoulli(logits: Array, target: Array) -> Array:
    tail = logits.abs().mul_(-LOG2_E).exp2_().log1p_()
    tail.add_(logits.clamp_min(0))  # log(1 + eᵃ), of which a large score can't make too much
    return torch.addcmul(tail.neg_(), logits, target).flatten(1).sum(1)


@_bernoulli.vjp
def bernoulli_vjp(g: Array, _y: Any, a: Array, x: Array) -> Any:
    return lambda: _each(g, a) * (x - torch.sigmoid(a)), lambda: _each(g, a) * a


def bernoulli_log_likelihood(
    logits: Float[Array, "B *D"], target: Float[Array, "B *D"]
) -> Float[Array, "B"]:
    r"""Log-probability of each example, if every number is a coin of its own.

    .. math:: \log p(x \mid a) = \sum_d x_d a_d - \log(1 + e^{a_d}), \qquad
        \frac{\partial}{\partial a_d} \log p(x \mid a) = x_d - \sigma(a_d)
       :label: models-bernoulli-log-likelihood

    It is minus the cross-entropy of two classes, added up over an example's numbers. A grey pixel
    between 0 and 1 is taken for the share of white in many coins; then this is no longer the
    logarithm of a probability of that pixel, though it still is largest at :math:`\sigma(a) = x`.

    Args:
        logits: the coins' log-odds :math:`a`, of shape (B, …).
        target: :math:`x` from 0 to 1, of the same shape.

    Raises:
        ValueError: if the shapes differ, or there is no axis beside that of the examples.

    Example:
        >>> bernoulli_log_likelihood(torch.zeros(2, 3), torch.ones(2, 3)).exp()
        tensor([0.1250, 0.1250])

    Chapter: :doc:`/generative/vae`.
    """
    _same("bernoulli_log_likelihood", "logits and target", logits, target)
    return _bernoulli(logits, target)


@primitive(broadcast=True)
def _gaussian(mean: Array, target: Array, log_std: Array) -> Array:
    u = (target - mean) * (-log_std).exp()
    return (u * u * -0.5 - (log_std + 0.5 * LOG_2PI)).flatten(1).sum(1)


@_gaussian.vjp
def gaussian_vjp(g: Array, _y: Any, mean: Array, x: Array, log_std: Array) -> Any:
    precision = torch.exp(-2 * log_std)
    far = x - mean

    def means() -> Array:
        return _each(g, far) * (far * precision)

    return means, lambda: -means(), lambda: _each(g, far) * (far * far * precision - 1)


def gaussian_log_likelihood(
    mean: Float[Array, "B *D"], target: Float[Array, "B *D"], log_std: Float[Array, "..."]
) -> Float[Array, "B"]:
    r"""Log-density of each example under independent Gaussians.

    .. math:: \log p(x \mid \mu, \sigma) = -\sum_d \frac{(x_d - \mu_d)^2}{2 \sigma_d^2}
        + \log \sigma_d + \tfrac12 \log 2\pi
       :label: models-gaussian-log-likelihood

    Up to what does not depend on :math:`\mu` it is squared error divided by :math:`-2\sigma^2`:
    the standard deviation decides what reconstruction is worth beside the divergence.

    Args:
        mean: :math:`\mu`, of shape (B, …).
        target: :math:`x`, of the same shape.
        log_std: :math:`\log \sigma`, of a shape that broadcasts to theirs.

    Raises:
        ValueError: if the shapes differ, or there is no axis beside that of the examples.

    Example:
        >>> x = torch.zeros(2, 3)
        >>> gaussian_log_likelihood(x, x + 1, torch.tensor(0.0))
        tensor([-4.2568, -4.2568])

    Chapter: :doc:`/generative/vae`.
    """
    _same("gaussian_log_likelihood", "mean and target", mean, target)
    if len(log_std.shape) > len(mean.shape) or any(
        n not in (1, m) for n, m in zip(log_std.shape[::-1], mean.shape[::-1])
    ):
        raise ValueError(
            f"gaussian_log_likelihood: expected log_std of a shape that broadcasts to "
            f"{tuple(mean.shape)}, got {tuple(log_std.shape)}"
        )
    return _gaussian(mean, target, log_std)


@primitive
def _standard_kl(mean: Array, log_variance: Array) -> Array:
    each = torch.addcmul(log_variance.exp().sub_(log_variance), mean, mean)
    return each.flatten(1).sum(1).sub_(mean[:1].numel()).mul_(0.5)


@_standard_kl.vjp
def standard_kl_vjp(g: Array, _y: Any, mean: Array, log_variance: Array) -> Any:
    def spread() -> Array:
        return _each(0.5 * g, mean) * (torch.exp(log_variance) - 1)

    return lambda: _each(g, mean) * mean, spread


@primitive(broadcast=True)
def _kl(mean: Array, log_variance: Array, other: Array, other_log_variance: Array) -> Array:
    ratio = log_variance - other_log_variance
    far = (mean - other) * (-0.5 * other_log_variance).exp()
    return ((ratio.exp() - ratio + far * far - 1) * 0.5).flatten(1).sum(1)


@_kl.vjp
def kl_vjp(g: Array, _y: Any, mean: Array, v: Array, other: Array, w: Array) -> Any:
    precision, far = torch.exp(-w), mean - other
    ratio = torch.exp(v - w)

    def means() -> Array:
        return _each(g, mean) * (far * precision)

    def spread() -> Array:
        return _each(0.5 * g, mean) * (ratio - 1)

    def others() -> Array:
        return _each(0.5 * g, mean) * (1 - ratio - far * far * precision)

    return means, spread, lambda: -means(), others


def gaussian_kl(
    mean: Float[Array, "B *Z"],
    log_variance: Float[Array, "B *Z"],
    prior_mean: Float[Array, "..."] | None = None,
    prior_log_variance: Float[Array, "..."] | None = None,
) -> Float[Array, "B"]:
    r"""Divergence of one Gaussian with a diagonal covariance from another, in closed form.

    .. math::
       :label: models-gaussian-kl

       \operatorname{KL} = \frac12 \sum_k \Bigl( \frac{\sigma_k^2 + (\mu_k - m_k)^2}{s_k^2}
           - \log \frac{\sigma_k^2}{s_k^2} - 1 \Bigr)

    From the standard normal distribution, :math:`m = 0` and :math:`s = 1`, the derivatives are
    :math:`\partial / \partial \mu_k = \mu_k` and :math:`\partial / \partial \log \sigma_k^2 =
    \tfrac12 (\sigma_k^2 - 1)`.

    Args:
        mean: :math:`\mu`, of shape (B, …).
        log_variance: :math:`\log \sigma^2`, of the same shape.
        prior_mean: :math:`m`, of a shape that broadcasts; zeros if None.
        prior_log_variance: :math:`\log s^2`, of a shape that broadcasts; zeros if None.

    Raises:
        ValueError: if the shapes do not fit, or only one of the prior's two is given.

    Example:
        >>> gaussian_kl(torch.tensor([[1.0, 0.0]]), torch.zeros(1, 2))
        tensor([0.5000])

    Chapter: :doc:`/generative/vae`.
    """
    _same("gaussian_kl", "mean and log_variance", mean, log_variance)
    if prior_mean is None and prior_log_variance is None:
        return _standard_kl(mean, log_variance)
    if prior_mean is None or prior_log_variance is None:
        raise ValueError("gaussian_kl: expected the prior's mean and log_variance, got one of them")
    for part in (prior_mean, prior_log_variance):
        if len(part.shape) > len(mean.shape) or any(
            n not in (1, m) for n, m in zip(part.shape[::-1], mean.shape[::-1])
        ):
            raise ValueError(
                f"gaussian_kl: expected a prior of a shape that broadcasts to "
                f"{tuple(mean.shape)}, got {tuple(part.shape)}"
            )
    return _kl(mean, log_variance, prior_mean, prior_log_variance)


@primitive(broadcast=True)
def _reparameterize(mean: Array, log_variance: Array, noise: Array) -> Array:
    return torch.addcmul(mean, (0.5 * log_variance).exp(), noise)


@_reparameterize.vjp
def reparameterize_vjp(g: Array, _y: Any, _mean: Any, log_variance: Array, noise: Array) -> Any:
    std = torch.exp(0.5 * log_variance)
    return g, lambda: g * (0.5 * std * noise), lambda: g * std


def reparameterize(
    mean: Float[Array, "*B Z"], log_variance: Float[Array, "*B Z"], noise: Float[Array, "... Z"]
) -> Float[Array, "... Z"]:
    r"""Draw codes by a formula that has a derivative: the noise is an input.

    .. math:: z = \mu + \sigma \odot \varepsilon, \qquad
        \bar\mu = \bar z, \quad
        \overline{\log \sigma^2} = \tfrac12\,\sigma \odot \varepsilon \odot \bar z
       :label: models-reparameterize

    Args:
        mean: :math:`\mu`, of shape (…, Z).
        log_variance: :math:`\log \sigma^2`, of the same shape.
        noise: :math:`\varepsilon`, standard normal, of the same shape with any axes before it.

    Raises:
        ValueError: if the shapes do not fit.

    Example:
        >>> reparameterize(torch.ones(2), torch.zeros(2), torch.tensor([0.5, -1.0]))
        tensor([1.5000, 0.0000])

    Chapter: :doc:`/generative/vae`.
    """
    shape = mean.shape
    if log_variance.shape != shape or noise.shape[len(noise.shape) - len(shape) :] != shape:
        raise ValueError(
            "reparameterize: expected mean, log_variance and noise of one shape (the noise with "
            f"any axes before it), got {tuple(shape)}, {tuple(log_variance.shape)} and "
            f"{tuple(noise.shape)}"
        )
    return _reparameterize(mean, log_variance, noise)


@primitive
def _log_mean_exp(log_weights: Array, *, dim: int) -> Array:
    largest = log_weights.amax(dim, keepdim=True)
    largest = largest.clamp_min(torch.finfo(largest.dtype).min)  # if all of them are 0
    return (log_weights - largest).exp_().mean(dim).log_().add_(largest.squeeze(dim))


@_log_mean_exp.vjp
def log_mean_exp_vjp(g: Array, _y: Any, w: Array, *, dim: int) -> Any:
    return (g.unsqueeze(dim) * softmax(w, dim),)


def importance_weighted_bound(
    log_weights: Float[Array, "..."], dim: int = 0
) -> Float[Array, "..."]:
    r"""Logarithm of the mean of weights whose logarithms are given.

    .. math:: \mathcal L_S = \log \frac1S \sum_{s=1}^S w_s, \quad
        w_s = \frac{p(x, z_s)}{q(z_s \mid x)},\; z_s \sim q(z \mid x), \qquad
        \frac{\partial \mathcal L_S}{\partial \log w_s} = \frac{w_s}{\sum_r w_r}
       :label: models-importance-weighted-bound

    With one sample its expectation is the evidence lower bound; with more it never falls, and
    grows to :math:`\log p(x)`.

    Args:
        log_weights: :math:`\log w`.
        dim: the axis of the samples.

    Raises:
        ValueError: if there is no such axis, or no sample.

    Example:
        >>> importance_weighted_bound(torch.tensor([-1000.0, -1000.0]))
        tensor(-1000.)

    Chapter: :doc:`/generative/vae`.
    """
    axes = len(log_weights.shape)
    if not -axes <= dim < axes or not log_weights.shape[dim]:
        raise ValueError(
            f"importance_weighted_bound: expected samples along axis {dim}, got weights of shape "
            f"{tuple(log_weights.shape)}"
        )
    return _log_mean_exp(log_weights, dim=dim % axes)


# --- what the decoder's numbers mean ------------------------------------------------------------


class BernoulliLikelihood(nn.Module):
    r"""The decoder's numbers are the log-odds of coins (:eq:`models-bernoulli-log-likelihood`).

    Called with parameters and targets, both (B, …), it returns log-probabilities, (B,).

    Example:
        >>> likelihood = BernoulliLikelihood()
        >>> likelihood(torch.zeros(1, 2), torch.ones(1, 2)).exp(), likelihood.mean(torch.zeros(2))
        (tensor([0.2500]), tensor([0.5000, 0.5000]))

    Chapter: :doc:`/generative/vae`.
    """

    def forward(
        self, parameters: Float[Tensor, "B *D"], target: Float[Tensor, "B *D"]
    ) -> Float[Tensor, "B"]:
        return bernoulli_log_likelihood(parameters, target)

    def mean(self, parameters: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Return the expectation of what the parameters describe."""
        return activations.sigmoid(parameters)

    def sample(
        self, parameters: Float[Tensor, "..."], generator: Generator | None = None
    ) -> Float[Tensor, "..."]:
        """Draw zeros and ones."""
        return torch.bernoulli(self.mean(parameters), generator=generator)


class GaussianLikelihood(nn.Module):
    r"""The decoder's numbers are means; all have one standard deviation.

    See :eq:`models-gaussian-log-likelihood`.

    Args:
        std: :math:`\sigma`, above 0, in the unit of the data.
        learn_std: whether :math:`\log \sigma` is trained with the rest, from there on.

    Attributes:
        log_std: :math:`\log \sigma`, a parameter without axes.

    Called with parameters and targets, both (B, …), it returns log-densities, (B,).

    Raises:
        ValueError: if ``std`` is not above 0.

    Example:
        >>> round(GaussianLikelihood(0.1)(torch.zeros(1, 2), torch.zeros(1, 2)).item(), 3)
        2.767

    Chapter: :doc:`/generative/vae`.
    """

    def __init__(self, std: float = 1.0, learn_std: bool = False) -> None:
        super().__init__()
        if not std > 0:
            raise ValueError(f"GaussianLikelihood: expected std above 0, got {std}")
        self.log_std = Parameter(torch.tensor(math.log(std)), requires_grad=learn_std)

    def forward(
        self, parameters: Float[Tensor, "B *D"], target: Float[Tensor, "B *D"]
    ) -> Float[Tensor, "B"]:
        return gaussian_log_likelihood(parameters, target, self.log_std)

    def mean(self, parameters: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Return the expectation of what the parameters describe: themselves."""
        return parameters

    def sample(
        self, parameters: Float[Tensor, "..."], generator: Generator | None = None
    ) -> Float[Tensor, "..."]:
        """Draw numbers around the means."""
        noise = torch.empty_like(parameters).normal_(generator=generator)
        return parameters + noise * self.log_std.detach().exp()

    def extra_repr(self) -> str:
        return f"std={self.log_std.exp().item():.4g}, learn_std={self.log_std.requires_grad}"


Likelihood = BernoulliLikelihood | GaussianLikelihood


# --- the networks -------------------------------------------------------------------------------


class Posterior(NamedTuple):
    r"""The encoder's guess at an input's code, :math:`q(z \mid x)`.

    Attributes:
        mean: :math:`\mu`, (B, Z).
        log_variance: :math:`\log \sigma^2`, (B, Z).
    """

    mean: Float[Tensor, "B Z"]
    log_variance: Float[Tensor, "B Z"]


class VAEOutput(NamedTuple):
    r"""What a variational autoencoder returns.

    Attributes:
        parameters: of :math:`p(x \mid z)`, of the input's shape: log-odds, or means.
        mean: :math:`\mu`, (B, Z).
        log_variance: :math:`\log \sigma^2`, (B, Z).
        code: :math:`z`, one draw for each input, (B, Z).
    """

    parameters: Float[Tensor, "B ..."]
    mean: Float[Tensor, "B Z"]
    log_variance: Float[Tensor, "B Z"]
    code: Float[Tensor, "B Z"]


class ELBO(NamedTuple):
    """The two terms of the evidence lower bound, for each example.

    Attributes:
        reconstruction: log-likelihood of the example given its code, (B,).
        divergence: of the encoder's guess from the prior, (B,), 0 or more.
    """

    reconstruction: Float[Tensor, "B"]
    divergence: Float[Tensor, "B"]

    @property
    def bound(self) -> Tensor:
        """The one minus the other: what the log-likelihood is not below, in expectation."""
        return arithmetic.sub(self.reconstruction, self.divergence)


def elbo(
    output: VAEOutput,
    target: Float[Tensor, "B ..."],
    likelihood: Callable[[Tensor, Tensor], Tensor],
) -> ELBO:
    r"""Return both terms of the evidence lower bound, the first estimated by the one draw.

    .. math:: \operatorname{ELBO} = \operatorname{E}_q \log p(x \mid z)
        - \operatorname{KL}\bigl( q(z \mid x) \,\Vert\, p(z) \bigr)
       :label: models-elbo

    Args:
        output: of a :class:`VAE`.
        target: :math:`x`, of the shape of the parameters.
        likelihood: of parameters and target, (B,): the model's.

    Raises:
        ValueError: if the shapes do not fit.

    Example:
        >>> model = DenseVAE((6, 8), 2, BernoulliLikelihood())
        >>> x = torch.ones(5, 6)
        >>> terms = elbo(model(x), x, model.likelihood)
        >>> terms.bound.shape, bool((terms.divergence >= 0).all())
        (torch.Size([5]), True)

    Chapter: :doc:`/generative/vae`.
    """
    divergence = gaussian_kl(output.mean, output.log_variance)
    return ELBO(likelihood(output.parameters, target), divergence)


class ELBOLoss(nn.Module):
    r"""Minus the evidence lower bound, with the divergence β times, a mean over the batch.

    .. math:: J = -\frac1B \sum_n \operatorname{E}_q \log p(x_n \mid z)
        + \frac{\beta}{B} \sum_n \operatorname{KL}\bigl( q(z \mid x_n) \,\Vert\, p(z) \bigr)

    Below :math:`\beta = 1` it need not be a bound on the likelihood, above it is a loose one.
    Above, codes are nearer to the prior and to being independent, and tell less of the input; at 0,
    the guess narrows to a point, and codes drawn from the prior mean nothing.

    Args:
        likelihood: the model's; if its standard deviation is trained, it is the same parameter.
        beta: :math:`\beta`, 0 or more.

    Raises:
        ValueError: if ``beta`` is negative.

    Example:
        >>> model = DenseVAE((6, 8), 2, BernoulliLikelihood())
        >>> x = torch.ones(5, 6)
        >>> ELBOLoss(model.likelihood, beta=4)(model(x), x).shape
        torch.Size([])

    Chapter: :doc:`/generative/vae`.
    """

    def __init__(self, likelihood: Likelihood, beta: float = 1.0) -> None:
        super().__init__()
        if not beta >= 0:
            raise ValueError(f"ELBOLoss: expected beta of 0 or more, got {beta}")
        self.likelihood = likelihood
        self.beta = beta

    def forward(self, output: VAEOutput, target: Tensor) -> Tensor:
        reconstruction, divergence = elbo(output, target, self.likelihood)
        if self.beta != 1:
            divergence = self.beta * divergence
        return arithmetic.mean(arithmetic.sub(divergence, reconstruction))

    def extra_repr(self) -> str:
        return f"beta={self.beta}"


class VAE(nn.Module):
    r"""An encoder that guesses codes, a draw, and a decoder that says what may come of it.

    .. math:: \mu = W_\mu e(x) + b_\mu, \quad \log \sigma^2 = W_\sigma e(x) + b_\sigma, \quad
        z = \mu + \sigma \odot \varepsilon, \qquad x \sim p(x \mid d(z))

    Args:
        encoder: any module that turns inputs into rows of features, (B, features).
        decoder: any module that turns codes (B, Z) into parameters of the input's shape.
        features: how many numbers a row of features has.
        latent_size: numbers of a code, Z.
        likelihood: what the decoder's numbers mean: a :class:`BernoulliLikelihood` or a
            :class:`GaussianLikelihood`.

    Attributes:
        mean: the map :math:`W_\mu, b_\mu`.
        log_variance: the map :math:`W_\sigma, b_\sigma`.

    Called with inputs, and whatever encoder and decoder are given beside them (or with both in one
    tuple, as a data loader has them), it returns a :class:`VAEOutput`. The draw takes its noise
    from torch's global generator, in evaluation too.

    Raises:
        ValueError: if a size is below 1.

    Example:
        >>> network = nn.Linear(6, 8), nn.Linear(2, 6)
        >>> model = VAE(*network, features=8, latent_size=2, likelihood=GaussianLikelihood())
        >>> model(torch.randn(5, 6)).parameters.shape, model.generate(3).shape
        (torch.Size([5, 6]), torch.Size([3, 6]))

    Chapter: :doc:`/generative/vae`.
    """

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        features: int,
        latent_size: int,
        likelihood: Likelihood,
    ) -> None:
        super().__init__()
        if min(features, latent_size) < 1:
            raise ValueError(
                f"VAE: expected sizes of 1 or more, got features={features} and "
                f"latent_size={latent_size}"
            )
        self.latent_size = latent_size
        self.encoder = encoder
        self.mean = Linear(features, latent_size)
        self.log_variance = Linear(features, latent_size)
        self.decoder = decoder
        self.likelihood = likelihood

    def encode(self, input: Float[Tensor, "B ..."], *given: Tensor) -> Posterior:
        """Return the guess at the codes of inputs."""
        features = self.encoder(input, *given)
        return Posterior(self.mean(features), self.log_variance(features))

    def decode(self, code: Float[Tensor, "B Z"], *given: Tensor) -> Float[Tensor, "B ..."]:
        """Return the parameters of what codes may turn into."""
        parameters: Tensor = self.decoder(code, *given)
        return parameters

    def forward(self, input: Any, *given: Tensor) -> VAEOutput:
        if isinstance(input, (tuple, list)):
            input, *given = input  # type: ignore[assignment]
        mean, log_variance = self.encode(input, *given)
        code = reparameterize(mean, log_variance, torch.randn_like(mean))
        return VAEOutput(self.decode(code, *given), mean, log_variance, code)

    def log_weights(
        self, input: Float[Tensor, "B ..."], *given: Tensor, samples: int = 1
    ) -> Float[Tensor, "S B"]:
        r"""Return :math:`\log p(x \mid z) + \log p(z) - \log q(z \mid x)` for codes from the guess.

        Args:
            input: :math:`x`.
            given: what encoder and decoder are given beside it.
            samples: codes for each input, S, 1 or more.

        Raises:
            ValueError: if ``samples`` is below 1.
        """
        if samples < 1:
            raise ValueError(f"log_weights: expected samples of 1 or more, got {samples}")
        mean, log_variance = self.encode(input, *given)
        noise = torch.randn(samples, *mean.shape, dtype=mean.dtype, device=mean.device)
        z = reparameterize(mean, log_variance, noise)
        again = [_repeated(g, samples) for g in (input, *given)]
        parameters = self.decode(arithmetic.reshape(z, -1, self.latent_size), *again[1:])
        likelihood = arithmetic.reshape(self.likelihood(parameters, again[0]), samples, -1)
        # log p(z) - log q(z | x): the constants cancel
        ratio = arithmetic.sub(noise * noise, arithmetic.mul(z, z))
        ratio = arithmetic.sum(arithmetic.add(ratio, log_variance), -1)
        return arithmetic.add(likelihood, 0.5 * ratio)

    @torch.no_grad()
    def generate(
        self, count: int, *given: Tensor, generator: Generator | None = None
    ) -> Float[Tensor, "B ..."]:
        """Return the expectations of what as many codes from the prior may turn into.

        To draw from them as well, give ``decode``'s parameters to the likelihood's ``sample``.

        Args:
            count: how many.
            given: what the decoder is given beside codes, a row for each.
            generator: source of randomness; torch's global one if None.
        """
        at = self.mean.weight
        code = at.new_empty(count, self.latent_size).normal_(generator=generator)
        return self.likelihood.mean(self.decode(code, *given))


def _repeated(x: Tensor, times: int) -> Tensor:
    """The whole batch several times over, one after the other."""
    return x.expand(times, *x.shape).reshape(times * len(x), *x.shape[1:])


class DenseVAE(VAE):
    r"""A :class:`VAE` of affine maps for rows of numbers.

    Args:
        sizes: numbers of an input, and units of each hidden layer of the encoder; the decoder has
            them backwards: ``(64, 128)``.
        latent_size: numbers of a code, Z.
        likelihood: what the decoder's numbers mean.
        activation_layer: called without arguments for every hidden layer's activation.

    Raises:
        ValueError: for fewer than two sizes, or a size below 1.

    Example:
        >>> DenseVAE((64, 128), 2, BernoulliLikelihood())(torch.ones(5, 64)).code.shape
        torch.Size([5, 2])

    Chapter: :doc:`/generative/vae`.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        latent_size: int,
        likelihood: Likelihood,
        activation_layer: Callable[[], nn.Module] = ReLU,
    ) -> None:
        network = _there_and_back("DenseVAE", sizes, latent_size, activation_layer)
        super().__init__(*network, sizes[-1], latent_size, likelihood)


def _there_and_back(
    name: str,
    sizes: Sequence[int],
    latent_size: int,
    activation_layer: Callable[[], nn.Module],
    told: int = 0,
) -> tuple[nn.Module, nn.Module]:
    """Encoder and decoder of affine maps; each gets some numbers told beside its input."""
    inner = tuple(sizes)
    if len(inner) < 2 or min(*inner, latent_size) < 1:
        raise ValueError(
            f"{name}: expected two sizes or more, each of 1 or more, got {inner} and "
            f"latent_size={latent_size}"
        )
    encoder = MLP((inner[0] + told, *inner[1:]), activation_layer)
    decoder = MLP((latent_size + told, *inner[::-1]), activation_layer)
    return nn.Sequential(*encoder, activation_layer()), decoder


class ConvVAE(VAE):
    r"""A :class:`VAE` of convolutions that halve the image, and of transposed ones.

    The layers are those of a :class:`dlbook.models.ConvAutoencoder`.

    Args:
        in_channels: channels of an image.
        image_size: its height and width.
        widths: channels after each halving.
        latent_size: numbers of a code, Z.
        likelihood: what the decoder's numbers mean.

    Raises:
        ValueError: if the images can't be halved that often, or a size is below 1.

    Example:
        >>> model = ConvVAE(1, 8, (16, 32), 2, BernoulliLikelihood())
        >>> model(torch.ones(5, 1, 8, 8)).parameters.shape
        torch.Size([5, 1, 8, 8])

    Chapter: :doc:`/generative/vae`.
    """

    def __init__(
        self,
        in_channels: int,
        image_size: int,
        widths: Sequence[int],
        latent_size: int,
        likelihood: Likelihood,
    ) -> None:
        down, up = halvings("ConvVAE", in_channels, image_size, widths, latent_size)
        features = widths[-1] * (image_size >> len(widths)) ** 2
        network = nn.Sequential(*down), nn.Sequential(*up)
        super().__init__(*network, features, latent_size, likelihood)


class _Conditioned(nn.Module):
    """A network that is told the class beside its input."""

    def __init__(self, network: nn.Module, num_classes: int) -> None:
        super().__init__()
        self.network = network
        self.num_classes = num_classes

    def forward(self, input: Tensor, classes: Tensor) -> Tensor:
        told = one_hot(classes, self.num_classes).to(input.dtype)
        y: Tensor = self.network(arithmetic.concatenate([input, told], -1))
        return y


class ConditionalVAE(VAE):
    r"""A :class:`DenseVAE` whose encoder and decoder are told the class.

    It models :math:`p(x \mid c)`: what the class says, the code need not repeat, and a class can be
    asked for. The prior of the codes is the same for all classes.

    Args:
        sizes: numbers of an input, and units of each hidden layer of the encoder; the decoder has
            them backwards.
        latent_size: numbers of a code, Z.
        num_classes: classes, each told as a row with a single 1.
        likelihood: what the decoder's numbers mean.
        activation_layer: called without arguments for every hidden layer's activation.

    Called with inputs (B, D) and class numbers (B,), in two arguments or in one pair.

    Raises:
        ValueError: for fewer than two sizes, or a size below 1.

    Departs from the paper, which lets the prior depend on the class too.

    Example:
        >>> model = ConditionalVAE((64, 128), 2, 10, BernoulliLikelihood())
        >>> model.generate(3, torch.tensor([7, 7, 7])).shape
        torch.Size([3, 64])

    Chapter: :doc:`/generative/vae`.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        latent_size: int,
        num_classes: int,
        likelihood: Likelihood,
        activation_layer: Callable[[], nn.Module] = ReLU,
    ) -> None:
        if num_classes < 1:
            raise ValueError(
                f"ConditionalVAE: expected num_classes of 1 or more, got {num_classes}"
            )
        encoder, decoder = _there_and_back(
            "ConditionalVAE", sizes, latent_size, activation_layer, told=num_classes
        )
        super().__init__(
            _Conditioned(encoder, num_classes),
            _Conditioned(decoder, num_classes),
            sizes[-1],
            latent_size,
            likelihood,
        )

    def encode(self, input: Float[Tensor, "B D"], *given: Int[Tensor, "B"]) -> Posterior:
        """Return the guess at the codes of inputs, whose classes are given."""
        if len(given) != 1:
            raise ValueError(
                f"ConditionalVAE: expected inputs and their classes, got {1 + len(given)} tensors"
            )
        return super().encode(input, *given)


# --- nearer to the likelihood -------------------------------------------------------------------


class ImportanceWeightedVAE(nn.Module):
    r"""A :class:`VAE` that draws several codes for each input and returns their weights.

    Args:
        vae: the model, whose parameters these are.
        samples: codes for each input, S, 1 or more.

    Called as the model is, it returns the logarithms of weights, (S, B), for an
    :class:`ImportanceWeightedLoss` or :func:`importance_weighted_bound`.

    Raises:
        ValueError: if ``samples`` is below 1.

    Example:
        >>> model = ImportanceWeightedVAE(DenseVAE((6, 8), 2, BernoulliLikelihood()), samples=5)
        >>> importance_weighted_bound(model(torch.ones(3, 6))).shape
        torch.Size([3])

    Chapter: :doc:`/generative/vae`.
    """

    def __init__(self, vae: VAE, samples: int) -> None:
        super().__init__()
        if samples < 1:
            raise ValueError(f"ImportanceWeightedVAE: expected samples of 1 or more, got {samples}")
        self.vae = vae
        self.samples = samples

    def forward(self, input: Any, *given: Tensor) -> Float[Tensor, "S B"]:
        if isinstance(input, (tuple, list)):
            input, *given = input  # type: ignore[assignment]
        return self.vae.log_weights(input, *given, samples=self.samples)

    def extra_repr(self) -> str:
        return f"samples={self.samples}"


class ImportanceWeightedLoss(nn.Module):
    r"""Minus the importance-weighted bound, a mean over the batch.

    .. math:: J = -\frac1B \sum_n \log \frac1S \sum_s w_{sn}

    Called with the logarithms of weights, (S, B), and a target that it does not look at.

    Example:
        >>> ImportanceWeightedLoss()(torch.full((4, 2), -3.0), torch.ones(2, 6))
        tensor(3.)

    Chapter: :doc:`/generative/vae`.
    """

    def forward(self, log_weights: Float[Tensor, "S B"], target: Tensor) -> Tensor:
        return arithmetic.neg(arithmetic.mean(importance_weighted_bound(log_weights)))


@torch.no_grad()
def exact_log_likelihood(
    model: VAE,
    input: Float[Tensor, "B ..."],
    *given: Tensor,
    points: int = 201,
    limit: float = 6.0,
) -> Float[Tensor, "B"]:
    r"""Log-likelihood of each input, its integral over codes of one or two numbers done on a grid.

    .. math:: \log p(x) = \log \int p(x \mid z)\,p(z)\,dz \approx
        \log \sum_{ij} p(x \mid z_{ij})\,p(z_{ij})\,h^2

    For a smooth integrand that has died away at the ends, equal steps err less than any power of
    the step h; a decoder with rectifiers has kinks, and errs like :math:`h^2`. Twice the points
    tell whether the steps are short enough. What lies beyond the limit is left out, a share of
    :math:`2 \cdot 10^{-9}` of the prior along each axis at 6.

    Args:
        model: with codes of one or two numbers.
        input: :math:`x`.
        given: what the decoder is given beside codes, a row for each input.
        points: along each axis of the code, 2 or more.
        limit: where the grid ends, in standard deviations of the prior.

    Returns:
        (B,), in float64.

    Raises:
        ValueError: if codes have more than two numbers, or the grid has no extent.

    Example:
        >>> model = DenseVAE((6, 8), 2, BernoulliLikelihood())
        >>> bool((exact_log_likelihood(model, torch.ones(3, 6), points=21) < 0).all())
        True

    Chapter: :doc:`/generative/vae`.
    """
    if model.latent_size > 2:
        raise ValueError(
            "exact_log_likelihood: expected a model with codes of one or two numbers, got "
            f"latent_size={model.latent_size}"
        )
    if points < 2 or not limit > 0:
        raise ValueError(
            f"exact_log_likelihood: expected 2 points or more and a limit above 0, got {points} "
            f"and {limit}"
        )
    at = model.mean.weight
    line = torch.linspace(-limit, limit, points, dtype=torch.float64, device=at.device)
    grid = torch.cartesian_prod(*[line] * model.latent_size).reshape(-1, model.latent_size)
    prior = -0.5 * (grid * grid).sum(1) - 0.5 * model.latent_size * LOG_2PI
    found = []
    decoded: Tensor | None = None
    for n, x in enumerate(input):
        if decoded is None or given:  # one picture of the codes serves all inputs alike
            rows = [g[n].expand(len(grid), *g[n].shape) for g in given]
            decoded = model.decode(grid.to(at.dtype), *rows)
        each = model.likelihood(decoded, x.expand(len(grid), *x.shape)).double() + prior
        found.append(importance_weighted_bound(each))
    area = len(grid) * (2 * limit / (points - 1)) ** model.latent_size
    return torch.stack(found) + math.log(area)

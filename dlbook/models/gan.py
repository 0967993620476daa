r"""Two networks at play: one draws, the other tells drawings from data.

A generator makes samples :math:`G(z)` of noise :math:`z`; a discriminator gives each sample a score
:math:`s = D(x)`, any real number, the higher the more it looks like data. (Papers write
:math:`D(x) = \sigma(s)` for the probability; here the network ends before the logistic function,
which belongs to the losses.) A game is a pair of losses, one for each player. All of them are
functions of scores and of nothing else, so that any two networks can play any of them.

The games are those of Goodfellow and others, "Generative adversarial nets" (2014); Mao and others,
"Least squares generative adversarial networks" (2017); Arjovsky, Chintala and Bottou, "Wasserstein
generative adversarial networks" (2017), with the penalty of Gulrajani and others, "Improved
training of Wasserstein GANs" (2017). Spectral normalisation is that of Miyato and others, "Spectral
normalization for generative adversarial networks" (2018).

Chapter: :doc:`/generative/gans`.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils import parametrize

from dlbook.autodiff.primitives import primitive
from dlbook.autodiff.tape import Array
from dlbook.nn.convolution import ConvTranspose2d
from dlbook.ops import arithmetic
from dlbook.ops.losses import mse_loss

__all__ = [
    "GAMES",
    "Game",
    "SpectralNorm",
    "discriminator_loss",
    "gradient_penalty",
    "least_squares_discriminator_loss",
    "least_squares_generator_loss",
    "minimax_generator_loss",
    "non_saturating_generator_loss",
    "optimal_discriminator",
    "optimal_value",
    "spectral_norm",
    "wasserstein_critic_loss",
    "wasserstein_generator_loss",
]


def _scores(name: str, **scores: Array) -> None:
    for which, value in scores.items():
        if 0 in value.shape:
            raise ValueError(
                f"{name}: expected at least one score in {which}, got shape {tuple(value.shape)}"
            )


# --- the game of 2014 ---------------------------------------------------------------------------


@primitive
def _discriminator_loss(real: Array, fake: Array) -> Array:
    zero = real.new_zeros(())  # log(e^z + e^0) is softplus(z)
    return torch.logaddexp(-real, zero).mean() + torch.logaddexp(fake, zero).mean()


@_discriminator_loss.vjp
def discriminator_loss_vjp(g: Array, _y: Any, s: Array, t: Array) -> Any:
    return (
        lambda: torch.sigmoid(-s) * (g / -s.shape.numel()),  # (σ(s) − 1) / B
        lambda: torch.sigmoid(t) * (g / t.shape.numel()),  # σ(s̃) / B
    )


@primitive
def _generator_loss(fake: Array, *, sign: int) -> Array:
    return sign * torch.logaddexp(sign * -fake, fake.new_zeros(())).mean()


@_generator_loss.vjp
def generator_loss_vjp(g: Array, _y: Any, s: Array, *, sign: int) -> Any:
    return (torch.sigmoid(sign * -s) * (g / -s.shape.numel()),)


def discriminator_loss(real: Array, fake: Array) -> Float[Array, ""]:
    r"""Return what the discriminator of the game of 2014 pays: minus the value of the game.

    .. math:: \ell_D = -V = -\frac1B \sum_i \log \sigma(s_i)
        - \frac1B \sum_i \log\bigl(1 - \sigma(\tilde s_i)\bigr), \qquad
        \frac{\partial \ell_D}{\partial s_i} = \frac{\sigma(s_i) - 1}{B}, \quad
        \frac{\partial \ell_D}{\partial \tilde s_i} = \frac{\sigma(\tilde s_i)}{B}
       :label: models-discriminator-loss

    In the mean over data of density :math:`p` and samples of density :math:`q`, the loss is
    :math:`-\int p \log \sigma(s) + q \log(1 - \sigma(s))`. At each point its derivative by the
    score, :math:`(p + q)\,\sigma(s) - p`, is 0 where :math:`\sigma(s) = p / (p + q)`, or
    :math:`s = \log p - \log q`; see :func:`optimal_discriminator` and :func:`optimal_value`.

    Args:
        real: scores :math:`s` of data, any shape with at least one number.
        fake: scores :math:`\tilde s` of samples, any shape; as many or more or fewer.

    Raises:
        ValueError: if there are no scores.

    Example:
        >>> discriminator_loss(torch.zeros(4), torch.zeros(4))  # undecided: log 4
        tensor(1.3863)
    """
    _scores("discriminator_loss", real=real, fake=fake)
    return _discriminator_loss(real, fake)


def minimax_generator_loss(fake: Array) -> Float[Array, ""]:
    r"""Return what the generator pays if one player's loss is the other's gain.

    .. math:: \ell_G = \frac1B \sum_i \log\bigl(1 - \sigma(\tilde s_i)\bigr), \qquad
        \frac{\partial \ell_G}{\partial \tilde s_i} = -\frac{\sigma(\tilde s_i)}{B}
       :label: models-minimax-generator-loss

    Against the best discriminator the generator's loss is, up to a constant, twice the
    Jensen–Shannon divergence of data and samples: least, :math:`-\log 4` for the whole game, where
    they have one density. But where the discriminator is sure, :math:`\tilde s \to -\infty`, the
    derivative vanishes: the game saturates just where the generator has most to learn.

    Args:
        fake: scores :math:`\tilde s` of samples, any shape with at least one number.

    Raises:
        ValueError: if there are no scores.

    Example:
        >>> minimax_generator_loss(torch.zeros(4))  # -log 2
        tensor(-0.6931)
    """
    _scores("minimax_generator_loss", fake=fake)
    return _generator_loss(fake, sign=-1)


def non_saturating_generator_loss(fake: Array) -> Float[Array, ""]:
    r"""Return what the generator pays if it maximises the probability of being taken for data.

    .. math:: \ell_G = -\frac1B \sum_i \log \sigma(\tilde s_i), \qquad
        \frac{\partial \ell_G}{\partial \tilde s_i} = \frac{\sigma(\tilde s_i) - 1}{B}
       :label: models-non-saturating-generator-loss

    It falls with the score as the minimax loss does, so the game has the same equilibrium; but the
    derivative is largest where the discriminator is sure that a sample is none of the data. Against
    the best discriminator its gradient is that of :math:`\mathrm{KL}(q \| p)` less twice the
    Jensen–Shannon divergence.

    Args:
        fake: scores :math:`\tilde s` of samples, any shape with at least one number.

    Raises:
        ValueError: if there are no scores.

    Example:
        >>> non_saturating_generator_loss(torch.tensor([-100.0]))
        tensor(100.)
    """
    _scores("non_saturating_generator_loss", fake=fake)
    return _generator_loss(fake, sign=1)


def optimal_discriminator(p: Tensor, q: Tensor) -> Tensor:
    r"""Return the best discriminator's probability that a sample is one of the data.

    .. math:: \sigma(s^*) = \frac{p}{p + q}
       :label: models-optimal-discriminator

    The game of least squares has the same one: there the score itself is :math:`p / (p + q)`.

    Args:
        p: densities (or probabilities) of the data at some points, none below 0.
        q: densities of the samples at the same points, of the same shape.

    Returns:
        Numbers from 0 to 1, of that shape; 1/2 where both densities are 0, as nothing ever comes
        from there.

    Raises:
        ValueError: if the shapes differ, or a density is below 0.

    Example:
        >>> optimal_discriminator(torch.tensor([0.3, 0.2, 0.0]), torch.tensor([0.1, 0.2, 0.5]))
        tensor([0.7500, 0.5000, 0.0000])
    """
    _densities("optimal_discriminator", p, q)
    total = p + q
    return torch.where(total > 0, p / total, 0.5)


def optimal_value(p: Tensor, q: Tensor, weights: Tensor | float = 1.0) -> Tensor:
    r"""Return the value of the game against the best discriminator.

    .. math:: V^* = \int p \log \frac{p}{p + q} + q \log \frac{q}{p + q}
        = -\log 4 + 2\,\mathrm{JS}(p, q)
       :label: models-optimal-value

    It is :math:`-\log 4` where the densities are equal, and 0 where nothing of one is in reach of
    the other.

    Args:
        p: densities of the data at the nodes of a quadrature, or probabilities.
        q: densities of the samples at the same nodes, of the same shape.
        weights: the quadrature's weights, such as the spacing of an even grid; 1 for probabilities.

    Raises:
        ValueError: if the shapes differ, or a density is below 0.

    Example:
        >>> half = torch.tensor([0.5, 0.5])
        >>> optimal_value(half, half), optimal_value(torch.eye(2)[0], torch.eye(2)[1])
        (tensor(-1.3863), tensor(0.))
    """
    _densities("optimal_value", p, q)
    # Not 1 less the other: where q is far below p, that would be 0, and its logarithm infinite.
    right, wrong = optimal_discriminator(p, q), optimal_discriminator(q, p)
    return ((torch.xlogy(p, right) + torch.xlogy(q, wrong)) * weights).sum()


def _densities(name: str, p: Tensor, q: Tensor) -> None:
    if p.shape != q.shape:
        raise ValueError(
            f"{name}: expected densities at the same points, got shapes {tuple(p.shape)} and "
            f"{tuple(q.shape)}"
        )
    if (p < 0).any() or (q < 0).any():
        least = min(p.min().item(), q.min().item())
        raise ValueError(f"{name}: expected densities of 0 or more, got {least:.4g}")


# --- least squares ------------------------------------------------------------------------------


def least_squares_discriminator_loss(real: Array, fake: Array) -> Float[Array, ""]:
    r"""Return the squared distance of data's scores from 1, and of samples' scores from 0.

    .. math:: \ell_D = \frac{1}{2B} \sum_i (s_i - 1)^2 + \frac{1}{2B} \sum_i \tilde s_i^2, \qquad
        \frac{\partial \ell_D}{\partial s_i} = \frac{s_i - 1}{B}, \quad
        \frac{\partial \ell_D}{\partial \tilde s_i} = \frac{\tilde s_i}{B}
       :label: models-least-squares-discriminator-loss

    At a point where the densities are :math:`p` and :math:`q` the derivative of its mean,
    :math:`p (s - 1) + q s`, is 0 at :math:`s^* = p / (p + q)`.

    Args:
        real: scores :math:`s` of data, any shape with at least one number.
        fake: scores :math:`\tilde s` of samples, any shape.

    Raises:
        ValueError: if there are no scores.

    Example:
        >>> least_squares_discriminator_loss(torch.ones(4), torch.full((4,), 2.0))
        tensor(2.)
    """
    _scores("least_squares_discriminator_loss", real=real, fake=fake)
    right = mse_loss(real, torch.ones_like(real))
    return arithmetic.add(right, mse_loss(fake, torch.zeros_like(fake))) * 0.5


def least_squares_generator_loss(fake: Array) -> Float[Array, ""]:
    r"""Return the squared distance of samples' scores from 1.

    .. math:: \ell_G = \frac{1}{2B} \sum_i (\tilde s_i - 1)^2, \qquad
        \frac{\partial \ell_G}{\partial \tilde s_i} = \frac{\tilde s_i - 1}{B}
       :label: models-least-squares-generator-loss

    A sample that the discriminator is sure of pulls the harder, the further off it is, on either
    side of 1.

    Args:
        fake: scores :math:`\tilde s` of samples, any shape with at least one number.

    Raises:
        ValueError: if there are no scores.

    Example:
        >>> least_squares_generator_loss(torch.tensor([-1.0, 1.0]))
        tensor(1.)
    """
    _scores("least_squares_generator_loss", fake=fake)
    return mse_loss(fake, torch.ones_like(fake)) * 0.5


# --- Wasserstein --------------------------------------------------------------------------------


def wasserstein_critic_loss(real: Array, fake: Array) -> Float[Array, ""]:
    r"""Return by how much samples are scored higher than data, in the mean.

    .. math:: \ell_D = \frac1B \sum_i \tilde s_i - \frac1B \sum_i s_i
       :label: models-wasserstein-critic-loss

    It has no least value by itself: scores times two halve it if it is negative. Among critics
    whose slope is nowhere above 1 the least value is :math:`-W_1(p, q)`: minus the mean distance by
    which the samples have to be moved to become the data. The slope is 1 along the way between a
    sample and where it goes. :func:`gradient_penalty` holds the slope.

    Args:
        real: scores :math:`s` of data, any shape with at least one number.
        fake: scores :math:`\tilde s` of samples, any shape.

    Raises:
        ValueError: if there are no scores.

    Example:
        >>> wasserstein_critic_loss(torch.tensor([3.0, 5.0]), torch.tensor([1.0]))
        tensor(-3.)
    """
    _scores("wasserstein_critic_loss", real=real, fake=fake)
    return arithmetic.sub(arithmetic.mean(fake), arithmetic.mean(real))


def wasserstein_generator_loss(fake: Array) -> Float[Array, ""]:
    r"""Return minus the mean score of the samples.

    .. math:: \ell_G = -\frac1B \sum_i \tilde s_i
       :label: models-wasserstein-generator-loss

    Against the best critic its gradient is that of :math:`W_1`, which says how far, not only
    that, the samples are off.

    Args:
        fake: scores :math:`\tilde s` of samples, any shape with at least one number.

    Raises:
        ValueError: if there are no scores.

    Example:
        >>> wasserstein_generator_loss(torch.tensor([1.0, 3.0]))
        tensor(-2.)
    """
    _scores("wasserstein_generator_loss", fake=fake)
    return arithmetic.neg(arithmetic.mean(fake))


def gradient_penalty(
    critic: Callable[..., Tensor],
    real: Tensor,
    fake: Tensor,
    *condition: Tensor,
    slope: float = 1.0,
    generator: torch.Generator | None = None,
) -> Float[Tensor, ""]:
    r"""Return how far the critic's slope is from the one wanted, between data and samples.

    .. math:: \frac1B \sum_i \bigl(\lVert \nabla_x D(\hat x_i) \rVert - 1\bigr)^2, \qquad
        \hat x_i = \epsilon_i x_i + (1 - \epsilon_i) \tilde x_i, \quad \epsilon_i \sim U(0, 1)
       :label: models-gradient-penalty

    The gradient by the input is a part of the loss, so the derivative by the parameters goes
    through the layers' rules twice. The critic must score each example by itself: batch
    normalisation would let one example's score hang on the others.

    Args:
        critic: called with examples like ``real`` (and the condition), returns a score for each.
        real: data :math:`x`, (B, …).
        fake: samples :math:`\tilde x` of the same shape; no gradient flows into them.
        condition: what else the critic is given, if anything.
        slope: the norm that is wanted, 0 or more: 1 for the Wasserstein game; 0 to keep any
            discriminator flat.
        generator: where :math:`\epsilon` comes from; None for PyTorch's global generator.

    Raises:
        ValueError: if the shapes differ, there are no examples, or the slope is below 0.

    Example:
        >>> steep = lambda x: 3 * x.sum(1)
        >>> x = torch.zeros(4, 1)
        >>> gradient_penalty(steep, x, x + 1)  # (3 - 1)²
        tensor(4.)
    """
    if real.shape != fake.shape or real.dim() == 0 or real.numel() == 0:
        raise ValueError(
            "gradient_penalty: expected as many examples as samples, of one shape, got "
            f"{tuple(real.shape)} and {tuple(fake.shape)}"
        )
    if slope < 0:
        raise ValueError(f"gradient_penalty: expected a slope of 0 or more, got {slope}")
    shape = (len(real), *(1,) * (real.dim() - 1))
    epsilon = torch.rand(shape, generator=generator, dtype=real.dtype, device="cpu").to(real.device)
    between = (fake.detach() + epsilon * (real.detach() - fake.detach())).requires_grad_()
    with torch.enable_grad():
        scores = critic(between, *condition)
        (gradient,) = torch.autograd.grad(scores.sum(), between, create_graph=True)
        squares = arithmetic.sum(arithmetic.flatten(arithmetic.mul(gradient, gradient), 1), 1)
        if slope == 0:
            return arithmetic.mean(squares)
        # Where the slope is 0 its derivative is taken to be 0: the root of no number is infinite.
        miss = arithmetic.sqrt(squares + 1e-16) - slope
        return arithmetic.mean(arithmetic.mul(miss, miss))


# --- games --------------------------------------------------------------------------------------


class Game(NamedTuple):
    """What each of the two players pays.

    Attributes:
        discriminator: its loss, of the scores of data and of samples.
        generator: its loss, of the scores of samples.
    """

    discriminator: Callable[[Any, Any], Any]
    generator: Callable[[Any], Any]


GAMES: Mapping[str, Game] = MappingProxyType(
    {
        "minimax": Game(discriminator_loss, minimax_generator_loss),
        "non-saturating": Game(discriminator_loss, non_saturating_generator_loss),
        "least squares": Game(least_squares_discriminator_loss, least_squares_generator_loss),
        "wasserstein": Game(wasserstein_critic_loss, wasserstein_generator_loss),
    }
)
"""The games by their names."""


# --- spectral normalisation ---------------------------------------------------------------------


class SpectralNorm(nn.Module):
    r"""Divide a weight by its largest singular value, so that its layer stretches nothing.

    .. math:: \bar W = \frac{W}{\sigma}, \quad \sigma = u^\top W v, \qquad
        \frac{\partial \ell}{\partial W} = \frac{1}{\sigma} \Bigl(
        \bar G - \langle \bar G, \bar W \rangle\, u v^\top \Bigr), \quad
        \bar G = \frac{\partial \ell}{\partial \bar W}
       :label: models-spectral-norm

    The singular vectors :math:`u, v` are followed by power iteration, one step at every call in
    training, and are constants to the derivative: to first order :math:`\sigma` does not change
    with them. A layer divided in this way has slope 1 at most, and so has a stack of them with
    rectifiers between.

    Args:
        weight: the weight at the start, of two axes or more. All but one are taken as one axis of
            the matrix.
        n_power_iterations: steps at every call in training, 1 or more.
        dim: the axis that is the matrix's first one.
        eps: keeps a vector of zeros from being divided by 0.

    Raises:
        ValueError: for a weight of fewer than two axes, or no iterations.

    Departs from PyTorch's, whose state it shares: a vector is refused where PyTorch divides it by
    its length.

    Example:
        >>> weight = torch.diag(torch.tensor([4.0, 2.0]))
        >>> SpectralNorm(weight)(weight)
        tensor([[1.0000, 0.0000],
                [0.0000, 0.5000]])
    """

    _u: Tensor
    _v: Tensor

    def __init__(
        self, weight: Tensor, n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12
    ) -> None:
        super().__init__()
        if weight.dim() < 2:
            raise ValueError(
                f"SpectralNorm: expected a weight of two axes or more, got {tuple(weight.shape)}"
            )
        if not -weight.dim() <= dim < weight.dim():
            raise ValueError(
                f"SpectralNorm: expected an axis of a weight of shape {tuple(weight.shape)}, "
                f"got {dim}"
            )
        if n_power_iterations < 1:
            raise ValueError(
                f"SpectralNorm: expected n_power_iterations of 1 or more, got {n_power_iterations}"
            )
        self.n_power_iterations = n_power_iterations
        self.dim = dim % weight.dim()
        self.eps = eps
        with torch.no_grad():
            matrix = self._matrix(weight)
            rows, columns = matrix.shape
            self.register_buffer("_u", self._unit(matrix.new_empty(rows).normal_()))
            self.register_buffer("_v", self._unit(matrix.new_empty(columns).normal_()))
            self._iterate(matrix, 15)

    def forward(self, weight: Tensor) -> Tensor:
        matrix = self._matrix(weight)
        if self.training:
            self._iterate(matrix.detach(), self.n_power_iterations)
        # σ = ⟨W, u vᵀ⟩; what the graph keeps must not change at the next call
        outer = torch.outer(self._u, self._v)
        sigma = arithmetic.sum(arithmetic.mul(matrix, outer))
        return arithmetic.div(weight, sigma)

    def _matrix(self, weight: Tensor) -> Tensor:
        if self.dim:
            axes = [a for a in range(weight.dim()) if a != self.dim]
            weight = arithmetic.permute(weight, self.dim, *axes)
        return weight if weight.dim() == 2 else arithmetic.flatten(weight, 1)

    def _unit(self, x: Tensor) -> Tensor:
        return x / x.square().sum().sqrt().clamp_min(self.eps)

    @torch.no_grad()
    def _iterate(self, matrix: Tensor, steps: int) -> None:
        for _ in range(steps):
            self._u.copy_(self._unit(matrix @ self._v))
            self._v.copy_(self._unit(matrix.T @ self._u))


def spectral_norm(
    module: nn.Module,
    name: str = "weight",
    n_power_iterations: int = 1,
    eps: float = 1e-12,
    dim: int | None = None,
) -> nn.Module:
    """Let a layer's weight be divided by its largest singular value from now on.

    The parameter moves to ``parametrizations.weight.original``; ``weight`` is computed from it, by
    :class:`SpectralNorm`, whenever it is asked for.

    Args:
        module: a layer.
        name: its parameter.
        n_power_iterations: steps of the power iteration at every call in training.
        eps: keeps a vector of zeros from being divided by 0.
        dim: the axis of the outputs; None for 1 in a transposed convolution and 0 elsewhere.

    Returns:
        The layer itself.

    Raises:
        ValueError: if it has no such parameter, or as :class:`SpectralNorm` says.

    Example:
        >>> from dlbook.nn import Linear
        >>> layer = spectral_norm(Linear(20, 30), n_power_iterations=100)
        >>> torch.linalg.matrix_norm(layer.weight.detach(), 2).item() < 1.05
        True
    """
    weight = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise ValueError(
            f"spectral_norm: expected a parameter {name!r} in {type(module).__name__}, which has "
            f"{[n for n, _ in module.named_parameters(recurse=False)]}"
        )
    if dim is None:
        transposed = (ConvTranspose2d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
        dim = 1 if isinstance(module, transposed) else 0
    parametrize.register_parametrization(
        module, name, SpectralNorm(weight, n_power_iterations, dim, eps)
    )
    return module

r"""Autoencoders: a network that gives back its input, though something stands in the way.

An encoder turns an input into a code, a decoder turns the code into a reconstruction,
:math:`\hat x = d(e(x))`, and the loss is how far that is from the input. Copying would be perfect
and useless. What stands in the way makes the code worth having:

- a code with fewer numbers than the input (:class:`LinearAutoencoder`, :class:`DeepAutoencoder`,
  :class:`ConvAutoencoder`);
- an input that was spoiled, while the clean one is wanted (:class:`DenoisingAutoencoder`);
- a price for every unit of the code that is on (:class:`SparseAutoencoder`);
- a price for a code that moves when the input does (:class:`ContractiveAutoencoder`).

The papers are Hinton and Salakhutdinov, "Reducing the dimensionality of data with neural networks",
*Science* 313 (2006); Vincent, Larochelle, Bengio and Manzagol, "Extracting and composing robust
features with denoising autoencoders" (2008); and Rifai, Vincent, Muller, Glorot and Bengio,
"Contractive auto-encoders: explicit invariance during feature extraction" (2011).

Chapter: :doc:`/generative/autoencoders`.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn

from dlbook.autodiff.primitives import primitive, readable
from dlbook.autodiff.tape import Array, lift
from dlbook.models.mlp import MLP
from dlbook.nn.activations import ReLU
from dlbook.nn.convolution import Conv2d, ConvTranspose2d
from dlbook.nn.layers import Flatten, Linear
from dlbook.ops import activations, arithmetic, losses

__all__ = [
    "Autoencoder",
    "ContractiveAutoencoder",
    "ConvAutoencoder",
    "DeepAutoencoder",
    "DeepContractiveAutoencoder",
    "DenoisingAutoencoder",
    "GaussianNoise",
    "LinearAutoencoder",
    "MaskingNoise",
    "Penalized",
    "PenalizedLoss",
    "SaltAndPepperNoise",
    "SparseAutoencoder",
    "contractive_penalty",
    "gaussian_noise",
    "jacobian_penalty",
    "kl_sparsity_penalty",
    "l1_penalty",
    "masking_noise",
    "salt_and_pepper_noise",
]


# --- a code that is too small -------------------------------------------------------------------


class Autoencoder(nn.Module):
    r"""An encoder and a decoder, one after the other: :math:`\hat x = d(e(x))`.

    Args:
        encoder: any module that turns inputs into codes.
        decoder: any module that turns codes into what looks like inputs.

    Example:
        >>> model = Autoencoder(nn.Linear(6, 2), nn.Linear(2, 6))
        >>> x = torch.randn(5, 6)
        >>> model.encode(x).shape, model(x).shape
        (torch.Size([5, 2]), torch.Size([5, 6]))

    Chapter: :doc:`/generative/autoencoders`.
    """

    def __init__(self, encoder: nn.Module, decoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder

    def encode(self, input: Float[Tensor, "B ..."]) -> Float[Tensor, "B ..."]:
        """Return the codes of inputs."""
        code: Tensor = self.encoder(input)
        return code

    def decode(self, code: Float[Tensor, "B ..."]) -> Float[Tensor, "B ..."]:
        """Return what codes are taken for."""
        reconstruction: Tensor = self.decoder(code)
        return reconstruction

    def forward(self, input: Float[Tensor, "B ..."]) -> Float[Tensor, "B ..."]:
        return self.decode(self.encode(input))


class LinearAutoencoder(Autoencoder):
    r"""An affine map down and an affine map up again.

    .. math:: h = W_e x + b_e, \qquad \hat x = W_d h + b_d

    The map from input to output has the rank of the code at most, so that the least squared error
    is that of the principal components: at the minimum the columns of :math:`W_d` span the same
    subspace as the components of greatest variance, though they need be neither orthogonal nor in
    order.

    Args:
        in_features: numbers of an input, D.
        code_size: numbers of a code, 1 or more.

    Raises:
        ValueError: if a size is below 1.

    Example:
        >>> LinearAutoencoder(64, 8).decoder.weight.shape
        torch.Size([64, 8])

    Chapter: :doc:`/generative/autoencoders`.
    """

    def __init__(self, in_features: int, code_size: int) -> None:
        if min(in_features, code_size) < 1:
            raise ValueError(
                f"LinearAutoencoder: expected sizes of 1 or more, got {in_features} and {code_size}"
            )
        super().__init__(Linear(in_features, code_size), Linear(code_size, in_features))


class DeepAutoencoder(Autoencoder):
    r"""Layers that narrow down to the code, and the same widths backwards.

    Neither the code nor the reconstruction goes through an activation: squared error suits the
    output as it is, and :func:`dlbook.ops.binary_cross_entropy_with_logits` takes it for scores.

    Args:
        sizes: numbers of an input, of each hidden layer's units, and of a code:
            ``(64, 128, 32, 8)``.
        activation_layer: called without arguments for every hidden layer's activation.

    Raises:
        ValueError: for fewer than two sizes, or a size below 1.

    Example:
        >>> model = DeepAutoencoder((64, 128, 32, 8))
        >>> [p.shape[0] for n, p in model.decoder.named_parameters() if n.endswith("bias")]
        [32, 128, 64]

    Chapter: :doc:`/generative/autoencoders`.
    """

    def __init__(
        self, sizes: Sequence[int], activation_layer: Callable[[], nn.Module] = ReLU
    ) -> None:
        sizes = tuple(sizes)
        if len(sizes) < 2 or min(sizes) < 1:
            raise ValueError(
                f"DeepAutoencoder: expected two sizes or more, each of 1 or more, got {sizes}"
            )
        super().__init__(MLP(sizes, activation_layer), MLP(sizes[::-1], activation_layer))


class ConvAutoencoder(Autoencoder):
    r"""Convolutions that halve the image until one affine map makes the code, and the way back.

    Every convolution has kernels of 4 × 4 and a stride of 2; on the way back, transposed
    convolutions of the same kind double the image.

    Args:
        in_channels: channels of an image.
        image_size: its height and width.
        widths: channels after each halving.
        code_size: numbers of a code.

    Raises:
        ValueError: if the images can't be halved that often, or a size is below 1.

    Example:
        >>> model = ConvAutoencoder(1, 8, (16, 32), 6)
        >>> x = torch.randn(5, 1, 8, 8)
        >>> model.encode(x).shape, model(x).shape
        (torch.Size([5, 6]), torch.Size([5, 1, 8, 8]))

    Chapter: :doc:`/generative/autoencoders`.
    """

    def __init__(
        self, in_channels: int, image_size: int, widths: Sequence[int], code_size: int
    ) -> None:
        down, up = halvings("ConvAutoencoder", in_channels, image_size, widths, code_size)
        features = widths[-1] * (image_size >> len(widths)) ** 2
        super().__init__(nn.Sequential(*down, Linear(features, code_size)), nn.Sequential(*up))


class _Images(nn.Module):
    """Rows of numbers as images again."""

    def __init__(self, channels: int, size: int) -> None:
        super().__init__()
        self.shape = channels, size, size

    def forward(self, input: Tensor) -> Tensor:
        return arithmetic.reshape(input, (-1, *self.shape))

    def extra_repr(self) -> str:
        return f"shape={self.shape}"


def halvings(
    name: str, in_channels: int, image_size: int, widths: Sequence[int], code_size: int
) -> tuple[list[nn.Module], list[nn.Module]]:
    """Return the layers from images down to rows of features, and from codes up to images."""
    widths = tuple(widths)
    if not widths or min(in_channels, code_size, *widths) < 1:
        raise ValueError(
            f"{name}: expected at least one width, and sizes of 1 or more, got "
            f"in_channels={in_channels}, widths={widths}, code_size={code_size}"
        )
    if image_size < 1 or image_size % 2 ** len(widths):
        raise ValueError(
            f"{name}: expected an image_size that is a multiple of {2 ** len(widths)}, to be "
            f"halved {len(widths)} times, got {image_size}"
        )
    channels = (in_channels, *widths)
    small = image_size >> len(widths)
    down: list[nn.Module] = []
    up: list[nn.Module] = []
    for i, o in zip(channels, widths, strict=False):
        down += [Conv2d(i, o, 4, 2, 1), ReLU()]
    up += [Linear(code_size, widths[-1] * small**2), ReLU(), _Images(widths[-1], small)]
    for i, o in zip(widths[::-1], channels[-2::-1], strict=True):
        up += [ConvTranspose2d(i, o, 4, 2, 1), ReLU()]
    return [*down, Flatten()], up[:-1]


# --- an input that was spoiled ------------------------------------------------------------------


def gaussian_noise(
    input: Array, std: float, training: bool = True, *, generator: Generator | None = None
) -> Array:
    r"""Add Gaussian noise, :math:`y = x + \sigma \varepsilon` with :math:`\varepsilon \sim
    \mathcal N(0, 1)`.

    Args:
        input: :math:`x`, any shape.
        std: :math:`\sigma`, 0 or more, in the unit of the input.
        training: whether anything is added; otherwise the input is returned.
        generator: source of randomness; torch's global one if None.

    Raises:
        ValueError: if ``std`` is negative.

    Example:
        >>> x = gaussian_noise(torch.zeros(10_000), 0.5, generator=torch.Generator().manual_seed(0))
        >>> round(x.std().item(), 1)
        0.5

    Chapter: :doc:`/generative/autoencoders`.
    """
    _check_std("gaussian_noise", std)
    if not training or std == 0:
        return input
    return arithmetic.add(input, torch.empty_like(lift(input)).normal_(0, std, generator=generator))


def masking_noise(
    input: Array, p: float = 0.5, training: bool = True, *, generator: Generator | None = None
) -> Array:
    r"""Set numbers to 0, each with probability p, and leave the others as they are.

    :func:`dlbook.ops.dropout` enlarges what it keeps, and this does not: a mask is an injury to be
    mended, and an image with holes is as bright as before where it has none.

    Args:
        input: :math:`x`, any shape.
        p: the probability of being set to 0.
        training: whether anything is; otherwise the input is returned.
        generator: source of randomness; torch's global one if None.

    Raises:
        ValueError: if ``p`` is not from 0 to 1.

    Example:
        >>> masking_noise(torch.ones(6), generator=torch.Generator().manual_seed(0)).unique()
        tensor([0., 1.])

    Chapter: :doc:`/generative/autoencoders`.
    """
    _check_probability("masking_noise", p)
    if not training or p == 0:
        return input
    return arithmetic.mul(input, _drawn(input, 1 - p, generator))


def salt_and_pepper_noise(
    input: Array,
    p: float = 0.5,
    low: float = 0.0,
    high: float = 1.0,
    training: bool = True,
    *,
    generator: Generator | None = None,
) -> Array:
    r"""Put, with probability p, the least or the greatest value in a number's place, by a coin.

    .. math:: y = m x + (1 - m)\,\bigl( l + c\,(u - l) \bigr), \qquad
        m \sim \operatorname{Bernoulli}(1 - p),\; c \sim \operatorname{Bernoulli}(\tfrac12)

    Args:
        input: :math:`x`, any shape.
        p: the probability of being replaced.
        low: :math:`l`, the least value.
        high: :math:`u`, the greatest.
        training: whether anything is replaced; otherwise the input is returned.
        generator: source of randomness; torch's global one if None.

    Raises:
        ValueError: if ``p`` is not from 0 to 1.

    Example:
        >>> x = torch.full((9,), 0.5)
        >>> salt_and_pepper_noise(x, generator=torch.Generator().manual_seed(0)).unique()
        tensor([0.0000, 0.5000, 1.0000])

    Chapter: :doc:`/generative/autoencoders`.
    """
    _check_probability("salt_and_pepper_noise", p)
    if not training or p == 0:
        return input
    kept, coin = _drawn(input, 1 - p, generator), _drawn(input, 0.5, generator)
    grains = (1 - kept) * (low + coin * (high - low))
    return arithmetic.add(arithmetic.mul(input, kept), grains)


def _check_std(name: str, std: float) -> None:
    if not std >= 0:
        raise ValueError(f"{name}: expected std of 0 or more, got {std}")


def _check_probability(name: str, p: float) -> None:
    if not 0 <= p <= 1:
        raise ValueError(f"{name}: expected a probability p from 0 to 1, got {p}")


def _drawn(input: Array, p: float, generator: Generator | None) -> Tensor:
    """Ones with probability p, otherwise zeros."""
    return torch.empty_like(lift(input)).bernoulli_(p, generator=generator)


class GaussianNoise(nn.Module):
    r"""Add Gaussian noise in training (:func:`gaussian_noise`).

    Args:
        std: its standard deviation, 0 or more, in the unit of the input.

    Raises:
        ValueError: if ``std`` is negative.

    Example:
        >>> GaussianNoise(0.25).eval()(torch.ones(2))
        tensor([1., 1.])

    Chapter: :doc:`/generative/autoencoders`.
    """

    def __init__(self, std: float) -> None:
        super().__init__()
        _check_std("GaussianNoise", std)
        self.std = std

    def forward(self, input: Tensor) -> Tensor:
        return gaussian_noise(input, self.std, self.training)

    def extra_repr(self) -> str:
        return f"std={self.std}"


class MaskingNoise(nn.Module):
    r"""Set numbers to 0 in training, without enlarging the others (:func:`masking_noise`).

    Args:
        p: the probability of being set to 0.

    Raises:
        ValueError: if ``p`` is not from 0 to 1.

    Example:
        >>> MaskingNoise(0.5).eval()(torch.ones(2))
        tensor([1., 1.])

    Chapter: :doc:`/generative/autoencoders`.
    """

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        _check_probability("MaskingNoise", p)
        self.p = p

    def forward(self, input: Tensor) -> Tensor:
        return masking_noise(input, self.p, self.training)

    def extra_repr(self) -> str:
        return f"p={self.p}"


class SaltAndPepperNoise(nn.Module):
    r"""Put the least or the greatest value in the place of numbers in training
    (:func:`salt_and_pepper_noise`).

    Args:
        p: the probability of being replaced.
        low: the least value.
        high: the greatest.

    Raises:
        ValueError: if ``p`` is not from 0 to 1.

    Example:
        >>> SaltAndPepperNoise(0.5).eval()(torch.full((2,), 0.5))
        tensor([0.5000, 0.5000])

    Chapter: :doc:`/generative/autoencoders`.
    """

    def __init__(self, p: float = 0.5, low: float = 0.0, high: float = 1.0) -> None:
        super().__init__()
        _check_probability("SaltAndPepperNoise", p)
        self.p, self.low, self.high = p, low, high

    def forward(self, input: Tensor) -> Tensor:
        return salt_and_pepper_noise(input, self.p, self.low, self.high, self.training)

    def extra_repr(self) -> str:
        return f"p={self.p}, low={self.low}, high={self.high}"


class _Wrapped(nn.Module):
    """What goes around an autoencoder: its codes and its reconstructions are that one's."""

    def __init__(self, autoencoder: Autoencoder) -> None:
        super().__init__()
        self.autoencoder = autoencoder

    def encode(self, input: Float[Tensor, "B ..."]) -> Float[Tensor, "B ..."]:
        """Return the codes of inputs."""
        return self.autoencoder.encode(input)

    def decode(self, code: Float[Tensor, "B ..."]) -> Float[Tensor, "B ..."]:
        """Return what codes are taken for."""
        return self.autoencoder.decode(code)


class DenoisingAutoencoder(_Wrapped):
    r"""An autoencoder whose input is spoiled in training: :math:`\hat x = d(e(\tilde x))`.

    The target stays the clean :math:`x`, so that copying is no longer the answer. The best
    :math:`\hat x` under squared error is :math:`\operatorname{E}[x \mid \tilde x]`, which takes
    knowing what inputs look like. In evaluation nothing is spoiled: what it is called with is
    mended.

    Args:
        autoencoder: whose ``encode`` and ``decode`` are used.
        noise: a module that spoils inputs in training, such as :class:`GaussianNoise`.

    Example:
        >>> model = DenoisingAutoencoder(DeepAutoencoder((6, 4, 2)), GaussianNoise(0.25))
        >>> model(torch.randn(5, 6)).shape
        torch.Size([5, 6])

    Chapter: :doc:`/generative/autoencoders`.
    """

    def __init__(self, autoencoder: Autoencoder, noise: nn.Module) -> None:
        super().__init__(autoencoder)
        self.noise = noise

    def forward(self, input: Float[Tensor, "B ..."]) -> Float[Tensor, "B ..."]:
        return self.decode(self.encode(self.noise(input)))


# --- a price for the code -----------------------------------------------------------------------


def l1_penalty(code: Float[Array, "B ..."]) -> Float[Array, ""]:
    r"""Sum of a code's absolute values, a mean over the batch: most units had better be 0.

    .. math:: \Omega = \frac1B \sum_{nk} |h_{nk}|, \qquad
        \frac{\partial \Omega}{\partial h_{nk}} = \frac1B \operatorname{sign}(h_{nk})
       :label: models-l1-penalty

    Args:
        code: :math:`h`, of shape (B, …).

    Raises:
        ValueError: if there is no axis of examples.

    Example:
        >>> l1_penalty(torch.tensor([[1.0, -2.0], [0.0, 1.0]]))
        tensor(2.)

    Chapter: :doc:`/generative/autoencoders`.
    """
    if not len(code.shape):
        raise ValueError("l1_penalty: expected a code of shape (B, …), got ()")
    return arithmetic.sum(arithmetic.abs(code)) / code.shape[0]


@primitive
def _kl_sparsity(code: Array, *, rho: float) -> Array:
    on = code.mean(0)
    return (rho * (math.log(rho) - on.log()) + (1 - rho) * (math.log1p(-rho) - (-on).log1p())).sum()


@_kl_sparsity.vjp
def kl_sparsity_vjp(g: Array, _y: Any, h: Array, *, rho: float) -> Any:
    on = h.mean(0)
    each = g * ((1 - rho) / (1 - on) - rho / on) / h.shape[0]
    return (each.expand(h.shape),)


def kl_sparsity_penalty(code: Float[Array, "B ..."], rho: float = 0.05) -> Float[Array, ""]:
    r"""How far the share of examples for which a unit is on is from a wanted one, over all units.

    .. math::
       :label: models-kl-sparsity

       \Omega = \sum_k \rho \log \frac{\rho}{\hat\rho_k}
           + (1 - \rho) \log \frac{1 - \rho}{1 - \hat\rho_k}, \quad
       \hat\rho_k = \frac1B \sum_n h_{nk}, \qquad
       \frac{\partial \Omega}{\partial h_{nk}} =
           \frac1B \Bigl( \frac{1 - \rho}{1 - \hat\rho_k} - \frac{\rho}{\hat\rho_k} \Bigr)

    It is 0 if every unit is on as often as wanted; infinite, if one is on for all or for none.

    Args:
        code: :math:`h` from 0 to 1, such as a logistic function's values, of shape (B, …).
        rho: :math:`\rho`, the wanted mean of a unit, between 0 and 1.

    Raises:
        ValueError: if ``rho`` is not between 0 and 1, there are no examples, or (unless compiled
            or mapped) a number of the code is not within 0 and 1.

    Example:
        >>> kl_sparsity_penalty(torch.tensor([[0.25, 0.5], [0.75, 1.0]]), rho=0.5)
        tensor(0.1438)

    Chapter: :doc:`/generative/autoencoders`.
    """
    if not 0 < rho < 1:
        raise ValueError(f"kl_sparsity_penalty: expected rho between 0 and 1, got {rho}")
    if not len(code.shape) or not code.shape[0]:
        raise ValueError(
            f"kl_sparsity_penalty: expected a code of shape (B, …), got {tuple(code.shape)}"
        )
    if readable() and lift(code).numel():
        low, high = (x.item() for x in lift(code).detach().aminmax())
        if low < 0 or high > 1:
            raise ValueError(
                f"kl_sparsity_penalty: expected a code from 0 to 1, got numbers from {low:.4g} to "
                f"{high:.4g} (is there a logistic function after the encoder's last layer?)"
            )
    return _kl_sparsity(code, rho=float(rho))


@primitive
def _contractive(slope: Array, weight: Array) -> Array:
    return ((slope * slope) @ (weight * weight).sum(1)).sum() / slope.shape[0]


@_contractive.vjp
def contractive_vjp(g: Array, _y: Any, slope: Array, weight: Array) -> Any:
    each = 2 * g / slope.shape[0]
    return (
        lambda: each * slope * (weight * weight).sum(1),
        lambda: each * weight * (slope * slope).sum(0).unsqueeze(1),
    )


def contractive_penalty(
    slope: Float[Array, "B K"], weight: Float[Array, "K D"]
) -> Float[Array, ""]:
    r"""Squared length of one layer's Jacobian, by hand, a mean over the batch.

    For :math:`h = g(W x + b)` a row of the Jacobian is :math:`\partial h_k / \partial x =
    g'(z_k)\,w_k`, so that its squared length needs no more than that of a row of weights:

    .. math:: \Omega = \frac1B \sum_n \Bigl\lVert \frac{\partial h}{\partial x_n} \Bigr\rVert_F^2
        = \frac1B \sum_{nk} g'(z_{nk})^2 \sum_d w_{kd}^2
       :label: models-contractive-penalty

    .. math:: \frac{\partial \Omega}{\partial g'_{nk}} = \frac2B\,g'_{nk} \lVert w_k \rVert^2,
        \qquad
        \frac{\partial \Omega}{\partial w_{kd}} = \frac2B\,w_{kd} \sum_n (g'_{nk})^2

    Args:
        slope: :math:`g'(z)`, of shape (B, K): :math:`h (1 - h)` for a logistic function,
            :math:`1 - h^2` for a hyperbolic tangent.
        weight: :math:`W`, of shape (K, D).

    Raises:
        ValueError: if the shapes do not fit.

    Example:
        >>> contractive_penalty(torch.tensor([[0.5, 1.0]]), torch.tensor([[2.0], [3.0]]))
        tensor(10.)

    Chapter: :doc:`/generative/autoencoders`.
    """
    if len(slope.shape) != 2 or len(weight.shape) != 2 or slope.shape[1] != weight.shape[0]:
        raise ValueError(
            "contractive_penalty: expected slopes of shape (B, K) and weights of shape (K, D), got "
            f"{tuple(slope.shape)} and {tuple(weight.shape)}"
        )
    return _contractive(slope, weight)


def jacobian_penalty(
    function: Callable[[Tensor], Tensor], input: Float[Tensor, "B ..."]
) -> Float[Tensor, ""]:
    r"""Squared length of any encoder's Jacobian, by automatic differentiation.

    .. math:: \Omega = \frac1B \sum_{nk} \Bigl\lVert \frac{\partial h_{nk}}{\partial x_n}
        \Bigr\rVert^2

    One backward pass for each number of a code gives a row of every example's Jacobian, and all
    of them can be differentiated again. That is what it costs: for a code of 30 numbers, thirty
    backward passes before the one that trains.

    Args:
        function: from inputs (B, …) to codes (B, …); a code must depend on its own input alone, so
            that there may be no batch normalisation in it.
        input: :math:`x`.

    Raises:
        ValueError: if the codes are not (B, …), or do not depend on the input.

    Example:
        >>> layer = nn.Linear(3, 2)
        >>> penalty = jacobian_penalty(layer, torch.randn(5, 3))
        >>> bool(torch.isclose(penalty, layer.weight.square().sum()))
        True

    Chapter: :doc:`/generative/autoencoders`.
    """
    with torch.enable_grad():  # also while a loop only measures: the penalty itself is a derivative
        x = input if input.requires_grad else input.detach().requires_grad_()
        code = function(x)
        if not code.ndim or len(code) != len(x) or not code.requires_grad:
            raise ValueError(
                f"jacobian_penalty: expected codes of shape (B, …) that depend on the input "
                f"{tuple(input.shape)}, got {tuple(code.shape)}"
            )
        total = x.new_zeros(())
        for unit in code.reshape(len(code), -1).sum(0):
            (row,) = torch.autograd.grad(unit, x, create_graph=True, retain_graph=True)
            total = total + (row * row).sum()
        return total / len(x)


class Penalized(NamedTuple):
    """What an autoencoder returns whose code has a price.

    Attributes:
        reconstruction: of the input's shape.
        code: (B, …).
        penalty: one number, a mean over the batch, before any weight.
    """

    reconstruction: Float[Tensor, "B ..."]
    code: Float[Tensor, "B ..."]
    penalty: Float[Tensor, ""]


class PenalizedLoss(nn.Module):
    r"""Loss of the reconstruction, and the code's price: :math:`J = L(\hat x, x) + \lambda \Omega`.

    Args:
        weight: :math:`\lambda`, 0 or more.
        loss: of reconstruction and target, a mean over the batch.

    Raises:
        ValueError: if ``weight`` is negative.

    Example:
        >>> x = torch.zeros(2, 3)
        >>> PenalizedLoss(0.5)(Penalized(x + 1, x, torch.tensor(4.0)), x)
        tensor(3.)

    Chapter: :doc:`/generative/autoencoders`.
    """

    def __init__(
        self, weight: float, loss: Callable[[Tensor, Tensor], Tensor] = losses.mse_loss
    ) -> None:
        super().__init__()
        if not weight >= 0:
            raise ValueError(f"PenalizedLoss: expected a weight of 0 or more, got {weight}")
        self.weight = weight
        self.loss = loss

    def forward(self, output: Penalized, target: Tensor) -> Tensor:
        price = self.weight * output.penalty
        return arithmetic.add(self.loss(output.reconstruction, target), price)

    def extra_repr(self) -> str:
        return f"weight={self.weight}"


class SparseAutoencoder(_Wrapped):
    r"""An autoencoder that pays for every unit of its code that is on.

    The code may then have more numbers than the input: that few are on at a time is what stands in
    the way of copying. A decoder with large weights makes good for a small code, so that the
    absolute values alone can be cheated; columns of fixed length prevent it.

    Args:
        autoencoder: whose ``encode`` and ``decode`` are used.
        penalty: of the codes, one number: :func:`l1_penalty`, or :func:`kl_sparsity_penalty` if
            the encoder ends with a logistic function.

    Called with inputs, it returns a :class:`Penalized`, for a :class:`PenalizedLoss`.

    Example:
        >>> encoder = nn.Sequential(nn.Linear(6, 12), nn.Sigmoid())
        >>> model = SparseAutoencoder(Autoencoder(encoder, nn.Linear(12, 6)), kl_sparsity_penalty)
        >>> output = model(torch.randn(5, 6))
        >>> output.reconstruction.shape, output.penalty.shape
        (torch.Size([5, 6]), torch.Size([]))

    Chapter: :doc:`/generative/autoencoders`.
    """

    def __init__(
        self, autoencoder: Autoencoder, penalty: Callable[[Tensor], Tensor] = l1_penalty
    ) -> None:
        super().__init__(autoencoder)
        self.penalty = penalty

    def forward(self, input: Float[Tensor, "B ..."]) -> Penalized:
        code = self.encode(input)
        return Penalized(self.decode(code), code, self.penalty(code))


class ContractiveAutoencoder(Autoencoder):
    r"""One logistic layer and an affine map, with the price of the Jacobian by hand.

    .. math:: h = \sigma(W_e x + b_e), \qquad \hat x = W_d h + b_d, \qquad
        \Omega = \frac1B \sum_{nk} \bigl( h_{nk} (1 - h_{nk}) \bigr)^2 \lVert w_k \rVert^2

    Reconstruction asks for codes by which inputs can be told apart, the penalty for codes that
    stay when the input moves. What is left are the directions in which the data vary.

    Args:
        in_features: numbers of an input, D.
        code_size: units of the code, K.

    Called with inputs, it returns a :class:`Penalized`, for a :class:`PenalizedLoss`.

    Raises:
        ValueError: if a size is below 1.

    Departs from the paper, whose decoder has the encoder's weights transposed and ends in a
    logistic function too. A decoder of its own can make good for an encoder with small weights,
    whose penalty is as small as one likes.

    Example:
        >>> output = ContractiveAutoencoder(6, 12)(torch.randn(5, 6))
        >>> output.code.shape, output.penalty.shape
        (torch.Size([5, 12]), torch.Size([]))

    Chapter: :doc:`/generative/autoencoders`.
    """

    encoder: Linear

    def __init__(self, in_features: int, code_size: int) -> None:
        if min(in_features, code_size) < 1:
            raise ValueError(
                f"ContractiveAutoencoder: expected sizes of 1 or more, got {in_features} and "
                f"{code_size}"
            )
        super().__init__(Linear(in_features, code_size), Linear(code_size, in_features))

    def encode(self, input: Float[Tensor, "B D"]) -> Float[Tensor, "B K"]:
        return activations.sigmoid(self.encoder(input))

    def forward(self, input: Float[Tensor, "B D"]) -> Penalized:  # type: ignore[override]
        h = self.encode(input)
        slope = arithmetic.sub(h, arithmetic.mul(h, h))
        return Penalized(self.decode(h), h, contractive_penalty(slope, self.encoder.weight))


class DeepContractiveAutoencoder(_Wrapped):
    r"""Any autoencoder, with the price of its encoder's Jacobian (:func:`jacobian_penalty`).

    Args:
        autoencoder: whose ``encode`` and ``decode`` are used.

    Called with inputs, it returns a :class:`Penalized`, for a :class:`PenalizedLoss`.

    Example:
        >>> from dlbook.nn import Tanh
        >>> model = DeepContractiveAutoencoder(DeepAutoencoder((6, 8, 3), Tanh))
        >>> model(torch.randn(5, 6)).penalty.shape
        torch.Size([])

    Chapter: :doc:`/generative/autoencoders`.
    """

    def forward(self, input: Float[Tensor, "B ..."]) -> Penalized:
        code = self.encode(input)
        return Penalized(self.decode(code), code, jacobian_penalty(self.encode, input))

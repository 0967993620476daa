r"""Augmentation: other examples of the same class, made from the ones there are.

A digit that is moved by half a pixel or turned by five degrees is the same digit. Instead of
collecting such variants one can make them, new ones in every epoch.

An augmentation is a function ``(x, y, generator) -> (x, y)`` of a batch: it returns another batch,
never changes the one it was given, and takes all its randomness from the generator. So
:func:`dlbook.train.fit` can apply it to every training batch on the fly (``augment=``), the same
seed gives the same images, and a run that goes on from its checkpoint sees the images that it would
have seen. Any function of this form will do; :class:`Compose` applies several in turn.

Images are ``(B, C, H, W)``, ``(B, H, W)``, or rows of pixels ``(B, D)``, which are taken for square
images.

**One map, one resampling.** Shifting, turning and scaling are one affine map of the plane,
:math:`p \mapsto A p + t`, with positions in pixels from the centre of the image. The pixel that
arrives at :math:`q` came from :math:`A^{-1}(q - t)`, which lies between pixels: its value is
interpolated linearly in both directions, and is zero outside. Every resampling blurs, so
:class:`Affine` draws all three at once, and resamples once.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

__all__ = ["Affine", "Augmentation", "Compose", "Mixup", "Noise", "affine", "mixup"]

Augmentation = Callable[[Any, Any, torch.Generator], tuple[Any, Any]]
"""``augment(x, y, generator)``: another batch, its randomness all from the generator."""


def affine(x: Tensor, matrix: Tensor, shift: Tensor) -> Tensor:
    r"""Move the content of each image by an affine map of the plane about the image's centre.

    .. math:: \text{out}(q) = \text{in}\bigl(A^{-1} (q - t)\bigr)

    Args:
        x: images, ``(B, C, H, W)``, ``(B, H, W)`` or rows ``(B, D)`` of square ones.
        matrix: :math:`A`, ``(2, 2)`` or one for each image, ``(B, 2, 2)``; invertible. It acts on
            positions (to the right, down).
        shift: :math:`t` in pixels (to the right, down), ``(2,)`` or ``(B, 2)``.

    Raises:
        ValueError: if the shapes don't fit.

    Example:
        >>> image = torch.tensor([[[0.0, 1.0, 0.0], [0.0, 2.0, 0.0], [0.0, 3.0, 0.0]]])
        >>> affine(image, torch.eye(2), torch.tensor([1.0, 0.0]))[0]
        tensor([[0., 0., 1.],
                [0., 0., 2.],
                [0., 0., 3.]])
    """
    images = _images(x, "affine")
    count, _, height, width = images.shape
    if tuple(matrix.shape) not in ((2, 2), (count, 2, 2)):
        raise ValueError(
            f"affine: matrix expects shape (2, 2) or ({count}, 2, 2), got {tuple(matrix.shape)}"
        )
    if tuple(shift.shape) not in ((2,), (count, 2)):
        raise ValueError(
            f"affine: shift expects shape (2,) or ({count}, 2), got {tuple(shift.shape)}"
        )
    right = torch.arange(width, dtype=x.dtype, device=x.device) - (width - 1) / 2
    down = torch.arange(height, dtype=x.dtype, device=x.device) - (height - 1) / 2
    q = torch.stack(torch.meshgrid(right, down, indexing="xy"), dim=-1).reshape(1, -1, 2)
    inverse = torch.linalg.inv(matrix.to(x)).expand(count, 2, 2)
    source = (q - shift.to(x).expand(count, 2)[:, None]) @ inverse.mT
    # From pixels about the centre to the sampler's scale, where the image's edges are -1 and 1.
    scale = torch.tensor([2 / width, 2 / height], dtype=x.dtype, device=x.device)
    grid = (source * scale).reshape(count, height, width, 2)
    sampled = torch.nn.functional.grid_sample(
        images, grid, mode="bilinear", padding_mode="zeros", align_corners=False
    )
    return sampled.reshape(x.shape)


@dataclass(frozen=True)
class Affine:
    r"""Shift, turn and scale every image by its own random amounts, in one resampling.

    The angle, the logarithm of the factor and both components of the shift are each uniform
    between minus and plus their limit.

    Args:
        shift: the farthest shift to either side, in pixels, at least 0.
        degrees: the largest turn in either direction, from 0 to 180.
        scale: the largest enlargement; 0.2 means by factors from 1/1.2 to 1.2. At least 0.
        whole: shift by whole pixels only, each number of them equally likely; then a shift alone
            does not blur.

    Raises:
        ValueError: for limits out of range.

    Example:
        >>> generator = torch.Generator().manual_seed(0)
        >>> x, y = Affine(shift=1, degrees=10)(torch.rand(5, 64), torch.arange(5), generator)
        >>> x.shape, y.tolist()
        (torch.Size([5, 64]), [0, 1, 2, 3, 4])
    """

    shift: float = 0.0
    degrees: float = 0.0
    scale: float = 0.0
    whole: bool = False

    def __post_init__(self) -> None:
        for name, value, limit in (
            ("shift", self.shift, math.inf),
            ("degrees", self.degrees, 180.0),
            ("scale", self.scale, math.inf),
        ):
            if not 0 <= value <= limit or math.isinf(value):
                upper = "" if math.isinf(limit) else f" and <= {limit:g}"
                raise ValueError(f"Affine: {name} expects a number >= 0{upper}, got {value!r}")
        if self.whole and self.shift != int(self.shift):
            raise ValueError(
                f"Affine: with whole=True, shift expects a whole number, got {self.shift!r}"
            )

    def __call__(self, x: Tensor, y: Any, generator: torch.Generator) -> tuple[Tensor, Any]:
        """Return other images with the same targets.

        Args:
            x: images, see :func:`affine`.
            y: their targets.
            generator: where the amounts come from.
        """
        images = _images(x, "Affine")
        u = 2 * torch.rand(len(images), 4, generator=generator, dtype=torch.float64) - 1
        angle = u[:, 0] * math.radians(self.degrees)
        factor = torch.exp(u[:, 1] * math.log1p(self.scale))
        shift = u[:, 2:] * self.shift
        if self.whole:
            steps = 2 * int(self.shift) + 1
            shift = torch.floor((u[:, 2:] + 1) / 2 * steps) - int(self.shift)
        c, s = factor * torch.cos(angle), factor * torch.sin(angle)
        matrix = torch.stack([c, -s, s, c], dim=-1).reshape(-1, 2, 2)
        return affine(x, matrix, shift), y


@dataclass(frozen=True)
class Noise:
    """Add normal noise to every pixel.

    Args:
        deviation: its standard deviation, at least 0, on the scale of the pixels.

    Raises:
        ValueError: for a negative deviation.

    Example:
        >>> x, _ = Noise(0.1)(torch.zeros(2, 64), None, torch.Generator().manual_seed(0))
        >>> 0.05 < x.std() < 0.15
        tensor(True)
    """

    deviation: float

    def __post_init__(self) -> None:
        if not 0 <= self.deviation < math.inf:
            raise ValueError(f"Noise: deviation expects a number >= 0, got {self.deviation!r}")

    def __call__(self, x: Tensor, y: Any, generator: torch.Generator) -> tuple[Tensor, Any]:
        """Return other inputs with the same targets.

        Args:
            x: inputs of any shape.
            y: their targets.
            generator: where the noise comes from.
        """
        noise = torch.randn(x.shape, generator=generator, dtype=x.dtype)
        return x + self.deviation * noise.to(x.device), y


def mixup(
    x: Tensor,
    y: Tensor,
    alpha: float,
    generator: torch.Generator,
    *,
    classes: int | None = None,
) -> tuple[Tensor, Tensor]:
    r"""Mix every example with another one of its batch, inputs and targets alike.

    .. math:: \tilde x_i = \lambda_i x_i + (1 - \lambda_i)\, x_{\pi(i)}, \qquad
        \tilde y_i = \lambda_i y_i + (1 - \lambda_i)\, y_{\pi(i)}, \qquad
        \lambda_i \sim \mathrm{Beta}(\alpha, \alpha)

    with a random permutation :math:`\pi` of the batch and :math:`y` as one-hot vectors. The mixed
    targets are probabilities, as :func:`dlbook.ops.cross_entropy` takes them.

    Args:
        x: inputs, ``(B, ...)``.
        y: classes, ``(B,)`` of int64; or probabilities, ``(B, K)``.
        alpha: :math:`\alpha > 0`. Near 0 the shares are nearly 0 or 1, and little is mixed; at 1
            all shares are equally likely.
        generator: where the shares and the permutation come from.
        classes: K, needed if ``y`` is classes.

    Returns:
        The mixed inputs, and their targets as probabilities ``(B, K)``.

    Raises:
        ValueError: for an ``alpha`` out of range, or targets that are none of these.

    Departures: Zhang, Cissé, Dauphin and Lopez-Paz (2018) define a share for each pair; their
    code draws one for the batch. This draws one for each pair.

    Example:
        >>> x, y = torch.eye(3), torch.arange(3)
        >>> a, b = mixup(x, y, 1.0, torch.Generator().manual_seed(0), classes=3)
        >>> torch.equal(a, b), b.sum(1)
        (True, tensor([1., 1., 1.]))
    """
    if not 0 < alpha < math.inf:
        raise ValueError(f"mixup: alpha expects a number > 0, got {alpha!r}")
    if not y.is_floating_point():
        if classes is None:
            raise ValueError("mixup: classes expects their number, since y holds class numbers")
        if y.dim() != 1 or (len(y) and not 0 <= int(y.min()) <= int(y.max()) < classes):
            raise ValueError(
                f"mixup: y expects class numbers (B,) from 0 to {classes - 1}, got shape "
                f"{tuple(y.shape)}" + (f", {y.min()} to {y.max()}" if y.numel() else "")
            )
        y = torch.nn.functional.one_hot(y, classes).to(x.dtype)
    elif y.dim() != 2:
        raise ValueError(f"mixup: y expects probabilities (B, K), got shape {tuple(y.shape)}")
    if len(x) != len(y):
        raise ValueError(
            f"mixup: expects as many rows in x as in y, "
            f"got shapes {tuple(x.shape)} and {tuple(y.shape)}"
        )
    other = torch.randperm(len(x), generator=generator).to(x.device)
    # PyTorch's beta distribution takes no generator, so NumPy draws, seeded by ours.
    draws = np.random.default_rng(int(torch.randint(2**62, (), generator=generator)))
    share = torch.from_numpy(draws.beta(alpha, alpha, len(x)))
    return _mix(x, other, share), _mix(y, other, share)


@dataclass(frozen=True)
class Mixup:
    r""":func:`mixup` as an augmentation.

    Args:
        alpha: :math:`\alpha > 0`.
        classes: K, needed if the targets are classes.

    Raises:
        ValueError: for an ``alpha`` out of range.

    Example:
        >>> generator = torch.Generator().manual_seed(0)
        >>> x, y = Mixup(0.2, classes=10)(torch.rand(4, 64), torch.arange(4), generator)
        >>> y.shape
        torch.Size([4, 10])
    """

    alpha: float
    classes: int | None = None

    def __post_init__(self) -> None:
        if not 0 < self.alpha < math.inf:
            raise ValueError(f"Mixup: alpha expects a number > 0, got {self.alpha!r}")

    def __call__(self, x: Tensor, y: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return mixed inputs and targets.

        Args:
            x: inputs, ``(B, ...)``.
            y: classes ``(B,)`` or probabilities ``(B, K)``.
            generator: where the shares and the partners come from.
        """
        return mixup(x, y, self.alpha, generator, classes=self.classes)


class Compose:
    """Apply several augmentations, one after the other, with one generator.

    Args:
        steps: the augmentations, in their order.

    Raises:
        TypeError: if one of them can't be called.

    Example:
        >>> augment = Compose([Affine(shift=1), Noise(0.05), Mixup(0.2, classes=10)])
        >>> augment
        Compose([Affine(shift=1, degrees=0.0, scale=0.0, whole=False), Noise(deviation=0.05), \
Mixup(alpha=0.2, classes=10)])
    """

    def __init__(self, steps: Sequence[Augmentation]) -> None:
        for step in steps:
            if isinstance(step, type) or not callable(step):
                raise TypeError(f"Compose: expects functions (x, y, generator), got {step!r}")
        self.steps = list(steps)

    def __call__(self, x: Any, y: Any, generator: torch.Generator) -> tuple[Any, Any]:
        """Return the batch that the last of them returns.

        Args:
            x: inputs.
            y: their targets.
            generator: where all of them take their randomness from.
        """
        for step in self.steps:
            x, y = step(x, y, generator)
        return x, y

    def __repr__(self) -> str:
        return f"Compose({self.steps!r})"


def _images(x: Tensor, name: str) -> Tensor:
    """The batch as (B, C, H, W)."""
    if x.dim() == 4:
        return x
    if x.dim() == 3:
        return x[:, None]
    if x.dim() == 2 and math.isqrt(x.shape[1]) ** 2 == x.shape[1] > 0:
        side = math.isqrt(x.shape[1])
        return x.reshape(-1, 1, side, side)
    raise ValueError(
        f"{name}: expects images (B, C, H, W), (B, H, W), or rows (B, D) of square images, "
        f"got shape {tuple(x.shape)}"
    )


def _mix(values: Tensor, other: Tensor, share: Tensor) -> Tensor:
    own = share.to(values).reshape(-1, *[1] * (values.dim() - 1))
    return own * values + (1 - own) * values.index_select(0, other)

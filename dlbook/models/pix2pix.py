r"""From image to image: a U-Net that draws, and a discriminator that looks at patches.

Isola, Zhu, Zhou and Efros, "Image-to-image translation with conditional adversarial networks"
(2017). The L1 term sees to it that the picture as a whole is right, and is blurred where several
pictures would be; the discriminator sees only patches, and wants each of them sharp.

Chapter: :doc:`/generative/gan-training`.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dlbook.autodiff.tape import Array
from dlbook.models.gan import _scores, non_saturating_generator_loss
from dlbook.nn.activations import LeakyReLU, ReLU, Tanh
from dlbook.nn.convolution import Conv2d, ConvTranspose2d
from dlbook.nn.normalization import BatchNorm2d
from dlbook.nn.regularization import Dropout
from dlbook.ops import arithmetic
from dlbook.ops.losses import l1_loss

__all__ = ["PatchDiscriminator", "UNetGenerator", "pix2pix_generator_loss"]


def pix2pix_generator_loss(
    fake: Array, output: Array, target: Array, weight: float = 100.0
) -> Float[Array, ""]:
    r"""Return what the generator pays: for patches that are seen through, and for distance.

    .. math:: \ell_G = -\frac1B \sum_i \log \sigma(\tilde s_i)
        + \lambda \frac1n \sum_j \lvert G(y)_j - x_j \rvert
       :label: models-pix2pix-generator-loss

    Without the first term the best picture is at each pixel the median of all that fit the input.

    Args:
        fake: scores :math:`\tilde s` of the patches of :math:`G(y)`, any shape.
        output: :math:`G(y)`, any shape.
        target: the true picture :math:`x`, of that shape.
        weight: :math:`\lambda`, 0 or more.

    Raises:
        ValueError: if there are no scores, the shapes differ, or the weight is below 0.

    Example:
        >>> pix2pix_generator_loss(torch.zeros(2), torch.zeros(3), torch.full((3,), 0.01))
        tensor(1.6931)
    """
    if weight < 0:
        raise ValueError(f"pix2pix_generator_loss: expected a weight of 0 or more, got {weight}")
    _scores("pix2pix_generator_loss", fake=fake)
    if output.shape != target.shape:
        raise ValueError(
            f"pix2pix_generator_loss: expected target of output's shape {tuple(output.shape)}, "
            f"got {tuple(target.shape)}"
        )
    distance = l1_loss(output, target) * weight
    return arithmetic.add(non_saturating_generator_loss(fake), distance)


class UNetGenerator(nn.Module):
    r"""Halve the sides, layer after layer, then double them again, with what was seen on the way.

    .. math:: d_l = \operatorname{norm}(w_l \star g(d_{l-1})), \quad
        u_l = \operatorname{norm}\bigl(v_l \star^\top \max(0, (u_{l+1}, d_l))\bigr), \quad
        x = \tanh\bigl(v_1 \star^\top \max(0, (u_2, d_1)) + b\bigr)

    Each layer on the way up is given the maps of its size on the way down beside what comes from
    below: an edge in the input has not to pass through the narrow middle.

    Args:
        in_channels: of the input.
        out_channels: of the picture.
        width: channels of the first layer; twice as many in each further one, up to 8 times.
        depth: layers down, and as many up; the input's sides can be halved so many times.
        dropout: the probability, from 0 to 1, by which numbers are dropped in the first three
            layers up (fewer if there are no three below the last).

    Called with y (B, in_channels, H, W), it returns pictures (B, out_channels, H, W) from -1 to 1.

    Raises:
        ValueError: if a number is out of range, or the input's sides can't be halved so often.

    Departs from the paper, which leaves dropout at work when pictures are made, in place of noise.

    Example:
        >>> UNetGenerator(1, 1, width=4, depth=3)(torch.zeros(2, 1, 16, 24)).shape
        torch.Size([2, 1, 16, 24])
    """

    def __init__(
        self,
        in_channels: int = 3,
        out_channels: int = 3,
        width: int = 64,
        depth: int = 8,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        if width < 1 or depth < 2:
            raise ValueError(
                f"UNetGenerator: expected a width of 1 or more and a depth of 2 or more, got "
                f"{width} and {depth}"
            )
        self.in_channels = in_channels
        self.depth = depth
        widths = [width * 2 ** min(i, 3) for i in range(depth)]
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        for i, outputs in enumerate(widths):
            ends = i in (0, depth - 1)  # the first and the smallest maps are not normalised
            inputs = in_channels if i == 0 else widths[i - 1]
            layers: list[nn.Module] = [] if i == 0 else [LeakyReLU(0.2)]
            layers.append(Conv2d(inputs, outputs, 4, stride=2, padding=1, bias=ends))
            layers += [] if ends else [BatchNorm2d(outputs)]
            self.down.append(nn.Sequential(*layers))
        for i in reversed(range(depth)):
            inputs = widths[i] if i == depth - 1 else 2 * widths[i]
            outputs = out_channels if i == 0 else widths[i - 1]
            layers = [ReLU(), ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=i == 0)]
            layers += [Tanh()] if i == 0 else [BatchNorm2d(outputs)]
            if dropout and i > 0 and depth - 1 - i < 3:
                layers.append(Dropout(dropout))
            self.up.append(nn.Sequential(*layers))

    def forward(self, y: Tensor) -> Tensor:
        if (
            y.dim() != 4
            or y.shape[1] != self.in_channels
            or any(n % 2**self.depth or not n for n in y.shape[2:])
        ):
            raise ValueError(
                f"UNetGenerator: expected images (B, {self.in_channels}, H, W) whose sides can be "
                f"halved {self.depth} times, got {tuple(y.shape)}"
            )
        seen: list[Tensor] = []
        for layer in self.down:
            y = layer(y)
            seen.append(y)
        seen.pop()
        for layer in self.up:
            y = layer(y)
            if seen:
                y = arithmetic.concatenate([y, seen.pop()], 1)
        return y


class PatchDiscriminator(nn.Module):
    r"""Score every patch of a picture, given what it was made of.

    Strided convolutions, then two of stride 1: each score has seen a square of
    ``receptive_field`` pixels, 70 with three strided layers, and no more.

    Args:
        in_channels: of picture and input together.
        width: channels of the first layer; twice as many in each further one, up to 8 times.
        layers: strided convolutions, 1 or more.

    Called with pictures (B, C, H, W) and their inputs (B, C', H, W), it returns scores
    (B, 1, h, w), any real numbers.

    Attributes:
        receptive_field: the side of the square that a score has seen, in pixels.

    Raises:
        ValueError: if a number is out of range, or picture and input do not fit.

    Example:
        >>> critic = PatchDiscriminator(2, width=4, layers=1)
        >>> x = torch.zeros(3, 1, 32, 32)
        >>> critic(x, x).shape, critic.receptive_field
        (torch.Size([3, 1, 14, 14]), 16)
    """

    def __init__(self, in_channels: int = 6, width: int = 64, layers: int = 3) -> None:
        super().__init__()
        if width < 1 or layers < 1:
            raise ValueError(
                f"PatchDiscriminator: expected a width and layers of 1 or more, got {width} and "
                f"{layers}"
            )
        self.in_channels = in_channels
        stack: list[nn.Module] = []
        inputs, field = in_channels, 1
        for i in range(layers + 1):
            outputs = width * 2 ** min(i, 3)
            stride = 2 if i < layers else 1
            stack.append(Conv2d(inputs, outputs, 4, stride, padding=1, bias=i == 0))
            stack += [BatchNorm2d(outputs)] if i else []
            stack.append(LeakyReLU(0.2))
            inputs = outputs
        for stride in [1, 1] + [2] * layers:
            field = (field - 1) * stride + 4
        self.receptive_field = field
        self.patches = nn.Sequential(*stack, Conv2d(inputs, 1, 4, padding=1))

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        shape = torch.Size((x.shape[0], condition.shape[1], *x.shape[2:]))
        fits = x.dim() == 4 and condition.shape == shape
        if not fits or x.shape[1] + condition.shape[1] != self.in_channels:
            raise ValueError(
                f"PatchDiscriminator: expected pictures and their inputs of equal sides, with "
                f"{self.in_channels} channels together, got {tuple(x.shape)} and "
                f"{tuple(condition.shape)}"
            )
        scores: Tensor = self.patches(arithmetic.concatenate([x, condition], 1))
        return scores

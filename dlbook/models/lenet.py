r"""LeNet-5, as it read cheques in 1998 and as it would be built today.

Both have the same skeleton, so that what differs is the lesson: convolutions C1, C3 and C5, with
subsampling S2 and S4 between them, then the affine layer F6 and the output.

=========  ==================================  ==================================
layer      :class:`LeNet5`                     :class:`LeNet5Modern`
=========  ==================================  ==================================
activation :math:`1.7159 \tanh \tfrac23 a`     :math:`\max(0, a)`
S2, S4     sum of four, a weight and a bias    maximum of four
C3         sees 3, 4 or all 6 maps of S2       sees all 6 maps
output     squared distances from bitmaps      an affine map, to logits
parameters 60,000                              61,706
=========  ==================================  ==================================

The source is LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document
recognition", *Proceedings of the IEEE* 86 (1998).

Chapter: CNN architectures, in the part on images.
"""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import Parameter

from dlbook import init
from dlbook.nn.activations import ReLU
from dlbook.nn.convolution import Conv2d
from dlbook.nn.layers import Flatten, Linear
from dlbook.nn.pooling import MaxPool2d
from dlbook.ops import activations, convolution, losses, pooling

__all__ = [
    "C3_TABLE",
    "BitmapLoss",
    "LeNet5",
    "LeNet5Modern",
    "RadialBasis",
    "ScaledTanh",
    "Subsampling",
    "TableConv2d",
    "digit_bitmaps",
]

#: Which of the six maps of S2 each of the sixteen maps of C3 sees (the paper's Table I).
C3_TABLE = (
    *((i, (i + 1) % 6, (i + 2) % 6) for i in range(6)),
    *((i, (i + 1) % 6, (i + 2) % 6, (i + 3) % 6) for i in range(6)),
    *((i, (i + 1) % 6, (i + 3) % 6, (i + 4) % 6) for i in range(3)),
    tuple(range(6)),
)

_BITMAPS = """
..###..  ...##..  .#####.  .#####.  ....##.  #######  ..####.  #######  .#####.  .#####.
.##.##.  ..###..  ##...##  ##...##  ...###.  ##.....  .##....  .....##  ##...##  ##...##
##...##  .####..  ##...##  .....##  ..####.  ##.....  ##.....  .....##  ##...##  ##...##
##...##  ...##..  .....##  .....##  .##.##.  ##.....  ##.....  ....##.  ##...##  ##...##
##...##  ...##..  ....##.  ..####.  ##..##.  ######.  ######.  ....##.  .#####.  ##...##
##...##  ...##..  ...##..  .....##  ##..##.  .....##  ##...##  ...##..  ##...##  .######
##...##  ...##..  ..##...  .....##  #######  .....##  ##...##  ...##..  ##...##  .....##
##...##  ...##..  .##....  .....##  ....##.  .....##  ##...##  ..##...  ##...##  .....##
.##.##.  ...##..  ##.....  ##...##  ....##.  ##...##  ##...##  ..##...  ##...##  ....##.
..###..  .######  #######  .#####.  ....##.  .#####.  .#####.  ..##...  .#####.  .####..
.......  .......  .......  .......  .......  .......  .......  .......  .......  .......
.......  .......  .......  .......  .......  .......  .......  .......  .......  .......
"""


def digit_bitmaps() -> Float[Tensor, "10 12 7"]:
    """Return a picture of each digit, 12 pixels high and 7 wide: 1 for ink, −1 for paper.

    The two empty rows below are for letters that reach under the line. The paper shows such
    pictures of the whole printable ASCII set (its Figure 3); the digits here are drawn anew in
    their manner.

    Example:
        >>> for row in digit_bitmaps()[7, :3]:
        ...     print("".join(" #"[int(pixel > 0)] for pixel in row))
        #######
             ##
             ##
    """
    rows = [line.split() for line in _BITMAPS.split("\n") if line]
    drawn = [[[1.0 if pixel == "#" else -1.0 for pixel in each] for each in row] for row in rows]
    return torch.tensor(drawn).transpose(0, 1).contiguous()


class ScaledTanh(nn.Module):
    r"""The squashing function of LeNet-5, :math:`y = A \tanh(S a)` with :math:`A = 1.7159` and
    :math:`S = \tfrac23`.

    So it takes 1 to 1 and −1 to −1 (but for :math:`10^{-5}`), which are the targets, and bends most
    there; they are reached without large weights.

    Example:
        >>> ScaledTanh()(torch.tensor([-1.0, 0.0, 1.0]))
        tensor([-1.0000,  0.0000,  1.0000])

    Chapter: CNN architectures, in the part on images.
    """

    def forward(self, input: Tensor) -> Tensor:
        return 1.7159 * activations.tanh(input * (2 / 3))


def _begin(fan_in: int, *parameters: Tensor) -> None:
    """Draw initial values as the paper does, by the number of inputs of a unit."""
    for parameter in parameters:
        init.uniform_(parameter, -2.4 / fan_in, 2.4 / fan_in)


class Subsampling(nn.Module):
    r"""Sum every 2 × 2 block of a map; multiply with the map's weight and add its bias.

    .. math:: y_{cij} = w_c\,(x_{c,2i,2j} + x_{c,2i,2j+1} + x_{c,2i+1,2j} + x_{c,2i+1,2j+1}) + b_c

    With a small weight, a unit with a bent activation behind it hardly bends; with a large one it
    is a noisy OR or AND of the four, as the bias will have it.

    Args:
        channels: how many maps.

    Attributes:
        weight: of shape (C,).
        bias: of shape (C,).

    Example:
        >>> Subsampling(6)(torch.zeros(2, 6, 28, 28)).shape
        torch.Size([2, 6, 14, 14])

    Chapter: CNN architectures, in the part on images.
    """

    kernel_size = (2, 2)
    stride = (2, 2)

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = Parameter(torch.empty(channels))
        self.bias = Parameter(torch.empty(channels))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw initial values."""
        _begin(4, self.weight, self.bias)

    def forward(self, input: Tensor) -> Tensor:
        mean = pooling.avg_pool2d(input, 2)
        return mean * (4 * self.weight).reshape(-1, 1, 1) + self.bias.reshape(-1, 1, 1)

    def extra_repr(self) -> str:
        return f"{len(self.weight)}"


class TableConv2d(nn.Module):
    r"""A convolution in which a table says which inputs each output sees.

    .. math:: y_k = b_k + \sum_{c \in T_k} w_{kc} \star x_c

    There is one kernel for each connection of the table, and none for the others.

    Args:
        table: for each output map, the numbers of the input maps that it sees.
        kernel_size: of the square kernels.

    Attributes:
        weight: the kernels, of shape (connections, height, width), in the order of the table.
        bias: of shape (K,).

    Raises:
        ValueError: for an output that sees nothing, or one input twice.

    Example:
        >>> layer = TableConv2d([(0, 1), (1, 2), (0, 1, 2)], 5)
        >>> layer.weight.shape, layer(torch.zeros(4, 3, 14, 14)).shape
        (torch.Size([7, 5, 5]), torch.Size([4, 3, 10, 10]))

    Chapter: CNN architectures, in the part on images.
    """

    place: Tensor

    def __init__(self, table: Sequence[Sequence[int]], kernel_size: int) -> None:
        super().__init__()
        table = tuple(tuple(row) for row in table)
        if not table or any(not row or len(set(row)) < len(row) for row in table):
            raise ValueError(
                "TableConv2d: expected a table of different inputs, at least one for each output, "
                f"got {table}"
            )
        self.table = table
        self.in_channels = 1 + max(map(max, table))
        self.out_channels = len(table)
        self.kernel_size = (kernel_size, kernel_size)
        self.stride = (1, 1)
        place = [k * self.in_channels + c for k, row in enumerate(table) for c in row]
        self.register_buffer("place", torch.tensor(place), persistent=False)
        self.weight = Parameter(torch.empty(len(place), *self.kernel_size))
        self.bias = Parameter(torch.empty(self.out_channels))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw initial values, smaller ones for an output that sees more."""
        first, size = 0, self.kernel_size[0] * self.kernel_size[1]
        with torch.no_grad():
            for k, row in enumerate(self.table):
                _begin(len(row) * size, self.weight[first : first + len(row)], self.bias[k])
                first += len(row)

    def dense(self) -> Tensor:
        """The kernels in their places, of shape (K, C, height, width), with zeros elsewhere."""
        empty = self.weight.new_zeros(self.out_channels * self.in_channels, *self.kernel_size)
        kernels = empty.index_copy(0, self.place, self.weight)
        return kernels.reshape(self.out_channels, self.in_channels, *self.kernel_size)

    def forward(self, input: Tensor) -> Tensor:
        return convolution.conv2d(input, self.dense(), self.bias)

    def extra_repr(self) -> str:
        return (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, "
            f"connections={len(self.place)}"
        )


class RadialBasis(nn.Module):
    r"""Squared distances from fixed points, one for each class: the nearest one wins.

    .. math:: y_{bk} = \sum_d (x_{bd} - w_{kd})^2

    Args:
        centers: the points :math:`w`, of shape (K, D).

    Attributes:
        weight: the points, a buffer: they are not trained.

    Example:
        >>> RadialBasis(torch.eye(2))(torch.tensor([[1.0, 0.0]]))
        tensor([[0., 2.]])

    Chapter: CNN architectures, in the part on images.
    """

    weight: Tensor

    def __init__(self, centers: Float[Tensor, "K D"]) -> None:
        super().__init__()
        self.out_features, self.in_features = centers.shape
        self.register_buffer("weight", centers.clone())

    def forward(self, input: Tensor) -> Tensor:
        d = input.unsqueeze(-2) - self.weight
        return (d * d).sum(-1)

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}"


class BitmapLoss(nn.Module):
    r"""What LeNet-5 was trained with: a small penalty for the true class, large ones for the rest.

    .. math:: \ell = y_t + \log\Bigl( e^{-j} + \sum_k e^{-y_k} \Bigr)

    This is the cross-entropy of a softmax over the negative penalties and one more class, a rubbish
    class of constant penalty :math:`j`, beyond which nobody's penalty is pushed up much further.

    Args:
        j: the penalty of the rubbish class, above 0; the paper does not say how large it was.

    Raises:
        ValueError: if ``j`` is not above 0.

    Example:
        >>> BitmapLoss()(torch.tensor([[0.5, 9.0]]), torch.tensor([0]))
        tensor(0.4742)

    Chapter: CNN architectures, in the part on images.
    """

    def __init__(self, j: float = 1.0) -> None:
        super().__init__()
        if not j > 0:
            raise ValueError(f"BitmapLoss: expected a penalty j above 0, got {j}")
        self.j = j

    def forward(self, penalties: Float[Tensor, "B K"], target: Int[Tensor, "B"]) -> Tensor:
        rubbish = penalties.new_full((len(penalties), 1), -self.j)
        loss: Tensor = losses.cross_entropy(torch.cat([-penalties, rubbish], 1), target)
        return loss

    def extra_repr(self) -> str:
        return f"j={self.j}"


def _check(model: nn.Module, x: Tensor, channels: int) -> None:
    if x.ndim != 4 or tuple(x.shape[1:]) != (channels, 32, 32):
        raise ValueError(
            f"{type(model).__name__}: expected images of shape (B, {channels}, 32, 32), got "
            f"{tuple(x.shape)}"
        )


class LeNet5(nn.Module):
    r"""LeNet-5 as it was in 1998: 60,000 parameters in 340,908 connections.

    It takes images of 32 × 32 pixels whose background is −0.1 and whose ink is 1.175 (so that they
    have a mean of about 0 and a variance of about 1), and gives a *penalty* for each class, the
    squared distance of F6 from the class's bitmap: the smallest one wins. It is trained with
    :class:`BitmapLoss`; for its accuracy, negate the penalties.

    Weights and biases begin uniformly between :math:`\pm 2.4 / n` for a unit with :math:`n` inputs.

    Departs from the paper (:mod:`dlbook.models.lenet`) in the bitmaps, which are drawn anew.

    Args:
        targets: the outputs that F6 should have for each class, of shape (K, 84) and of values
            ±1; the bitmaps of the ten digits when left out.

    Raises:
        ValueError: for targets or images of another shape.

    Example:
        >>> model = LeNet5()
        >>> sum(p.numel() for p in model.parameters()), sum(model.connections().values())
        (60000, 340908)
        >>> model(torch.zeros(2, 1, 32, 32)).shape
        torch.Size([2, 10])

    Chapter: CNN architectures, in the part on images.
    """

    def __init__(self, targets: Tensor | None = None) -> None:
        super().__init__()
        if targets is None:
            targets = digit_bitmaps().flatten(1)
        if targets.ndim != 2 or targets.shape[1] != 84:
            raise ValueError(
                f"LeNet5: expected targets of shape (K, 84), got {tuple(targets.shape)}"
            )
        self.c1 = Conv2d(1, 6, 5)
        self.s2 = Subsampling(6)
        self.c3 = TableConv2d(C3_TABLE, 5)
        self.s4 = Subsampling(16)
        self.c5 = Conv2d(16, 120, 5)
        self.f6 = Linear(120, 84)
        self.output = RadialBasis(targets)
        self.squash = ScaledTanh()
        self.flatten = Flatten()
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw initial values."""
        for layer in (self.c1, self.c5, self.f6):
            assert layer.bias is not None
            _begin(layer.weight[0].numel(), layer.weight, layer.bias)
        for own in (self.s2, self.c3, self.s4):
            own.reset_parameters()

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B K"]:
        _check(self, x, 1)
        x = self.squash(self.c1(x))
        x = self.squash(self.s2(x))
        x = self.squash(self.c3(x))
        x = self.squash(self.s4(x))
        x = self.squash(self.c5(x))
        x = self.squash(self.f6(self.flatten(x)))
        penalties: Tensor = self.output(x)
        return penalties

    def connections(self) -> dict[str, int]:
        """How many connections each layer has, counted as in the paper.

        A unit has one for every input and one for its bias; those of a unit of the output are the
        84 numbers that it compares. Weights are shared by many of them.
        """
        maps = {"c1": 28 * 28, "c3": 10 * 10, "c5": 1, "f6": 1}
        counts = {}
        for name in ("c1", "s2", "c3", "s4", "c5", "f6", "output"):
            layer: Any = getattr(self, name)
            if isinstance(layer, Subsampling):  # four inputs and a bias
                counts[name] = len(layer.weight) * (4 + 1) * {"s2": 14 * 14, "s4": 5 * 5}[name]
            elif isinstance(layer, RadialBasis):
                counts[name] = layer.weight.numel()
            else:
                counts[name] = maps[name] * (layer.weight.numel() + layer.bias.numel())
        return counts


class LeNet5Modern(nn.Module):
    r"""LeNet-5 with today's parts: rectifiers, maxima, full connections and logits.

    Args:
        num_classes: classes, K.
        in_channels: channels of the images, C.

    Raises:
        ValueError: for images of another shape than (B, C, 32, 32).

    Example:
        >>> model = LeNet5Modern()
        >>> sum(p.numel() for p in model.parameters())
        61706
        >>> model(torch.zeros(2, 1, 32, 32)).shape
        torch.Size([2, 10])

    Chapter: CNN architectures, in the part on images.
    """

    def __init__(self, num_classes: int = 10, in_channels: int = 1) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.c1 = Conv2d(in_channels, 6, 5)
        self.s2 = MaxPool2d(2)
        self.c3 = Conv2d(6, 16, 5)
        self.s4 = MaxPool2d(2)
        self.c5 = Conv2d(16, 120, 5)
        self.f6 = Linear(120, 84)
        self.output = Linear(84, num_classes)
        self.relu = ReLU()
        self.flatten = Flatten()

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B K"]:
        _check(self, x, self.in_channels)
        x = self.s2(self.relu(self.c1(x)))
        x = self.s4(self.relu(self.c3(x)))
        x = self.relu(self.c5(x))
        x = self.relu(self.f6(self.flatten(x)))
        logits: Tensor = self.output(x)
        return logits

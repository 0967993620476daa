r"""Residual networks: blocks that add to what they are given.

A block computes :math:`y = x + F(x)` instead of :math:`F(x)`, so that a block that has nothing to
add need only learn 0, and the gradient finds a way past it. Here are

- the networks for ImageNet, :func:`resnet18` to :func:`resnet152`, as torchvision has them;
- the small ones for images of 32 × 32 (:class:`CIFARResNet`), with depths such as 20 and 32;
- blocks to build either from: :class:`BasicBlock`, :class:`Bottleneck`; without the sum,
  :class:`PlainBlock`; with normalisation and activation *before* the convolutions,
  :class:`PreActBlock`, :class:`PreActBottleneck`;
- what stands for :math:`x` where a block changes its shape: :func:`projection` or
  :class:`PadChannels`, options B and A of the paper.

**Where torchvision departs from the paper.** A bottleneck that halves the image does so in its
3 × 3 convolution, the paper's in its first one, of 1 × 1, which leaves out three quarters of the
pixels (:class:`Bottleneck2015`); the parameters are as many, the multiply-adds fewer. And every
shortcut that changes the shape is a projection, also in the 18- and 34-layer networks, for which
the paper's first comparison has none (option A).

The papers are He, Zhang, Ren and Sun, "Deep residual learning for image recognition" and "Identity
mappings in deep residual networks" (both 2016).

Chapter: CNN architectures, in the part on images.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dlbook import init
from dlbook.nn.activations import ReLU
from dlbook.nn.convolution import Conv2d
from dlbook.nn.layers import Flatten, Linear
from dlbook.nn.normalization import BatchNorm2d
from dlbook.nn.pooling import AdaptiveAvgPool2d, MaxPool2d

__all__ = [
    "BasicBlock",
    "Bottleneck",
    "Bottleneck2015",
    "CIFARResNet",
    "PadChannels",
    "PlainBlock",
    "PreActBlock",
    "PreActBottleneck",
    "ResNet",
    "preact_resnet18",
    "preact_resnet34",
    "preact_resnet50",
    "projection",
    "resnet18",
    "resnet20",
    "resnet32",
    "resnet34",
    "resnet50",
    "resnet101",
    "resnet152",
]

Shortcut = Callable[[int, int, int], nn.Module]


def _conv3x3(inplanes: int, planes: int, stride: int = 1) -> Conv2d:
    return Conv2d(inplanes, planes, kernel_size=3, stride=stride, padding=1, bias=False)


def _conv1x1(inplanes: int, planes: int, stride: int = 1) -> Conv2d:
    return Conv2d(inplanes, planes, kernel_size=1, stride=stride, bias=False)


# --- shortcuts ----------------------------------------------------------------------------------


def projection(inplanes: int, planes: int, stride: int) -> nn.Module:
    """Return a 1 × 1 convolution with batch normalisation, which gives a shortcut another shape.

    Args:
        inplanes: channels of the input.
        planes: channels of the output.
        stride: how many rows and columns further the next unit is.

    Example:
        >>> projection(8, 16, 2)(torch.zeros(1, 8, 6, 6)).shape
        torch.Size([1, 16, 3, 3])

    Chapter: CNN architectures, in the part on images.
    """
    return nn.Sequential(_conv1x1(inplanes, planes, stride), BatchNorm2d(planes))


class PadChannels(nn.Module):
    """Take every so-many-th pixel and add channels of zeros: another shape without parameters.

    Args:
        inplanes: channels of the input.
        planes: channels of the output, not fewer.
        stride: how many rows and columns further the next pixel is.

    Raises:
        ValueError: for fewer channels than there are.

    Example:
        >>> PadChannels(8, 16, 2)(torch.zeros(1, 8, 6, 6)).shape
        torch.Size([1, 16, 3, 3])

    Chapter: CNN architectures, in the part on images.
    """

    def __init__(self, inplanes: int, planes: int, stride: int) -> None:
        super().__init__()
        if planes < inplanes:
            raise ValueError(
                f"PadChannels: expected at least the {inplanes} channels of the input, got {planes}"
            )
        self.kernel_size = (1, 1)
        self.stride = (stride, stride)
        self.more = planes - inplanes

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B K I J"]:
        x = x[:, :, :: self.stride[0], :: self.stride[1]]
        return torch.cat([x, x.new_zeros(len(x), self.more, *x.shape[2:])], 1)

    def extra_repr(self) -> str:
        return f"more={self.more}, stride={self.stride}"


# --- blocks -------------------------------------------------------------------------------------


class BasicBlock(nn.Module):
    r"""Two convolutions of 3 × 3, and the sum: :math:`y = g(x + F(x))`.

    Args:
        inplanes: channels of the input.
        planes: channels of the output.
        stride: of the first convolution.
        downsample: what brings :math:`x` to the shape of the output; None where it has it.

    Example:
        >>> BasicBlock(8, 8)(torch.zeros(2, 8, 5, 5)).shape
        torch.Size([2, 8, 5, 5])

    Chapter: CNN architectures, in the part on images.
    """

    expansion = 1
    shortcut: Shortcut | None = staticmethod(projection)

    def __init__(
        self, inplanes: int, planes: int, stride: int = 1, downsample: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.conv1 = _conv3x3(inplanes, planes, stride)
        self.bn1 = BatchNorm2d(planes)
        self.relu = ReLU()
        self.conv2 = _conv3x3(planes, planes)
        self.bn2 = BatchNorm2d(planes)
        self.downsample = downsample

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B K I J"]:
        skip = x if self.downsample is None else self.downsample(x)
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        y: Tensor = self.relu(out + skip)
        return y


class PlainBlock(nn.Module):
    r"""A :class:`BasicBlock` without the sum: :math:`y = g(F(x))`, for comparison.

    Args:
        inplanes: channels of the input.
        planes: channels of the output.
        stride: of the first convolution.

    Example:
        >>> PlainBlock(8, 8)(torch.zeros(2, 8, 5, 5)).shape
        torch.Size([2, 8, 5, 5])

    Chapter: CNN architectures, in the part on images.
    """

    expansion = 1
    shortcut: Shortcut | None = None

    def __init__(self, inplanes: int, planes: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = _conv3x3(inplanes, planes, stride)
        self.bn1 = BatchNorm2d(planes)
        self.relu = ReLU()
        self.conv2 = _conv3x3(planes, planes)
        self.bn2 = BatchNorm2d(planes)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B K I J"]:
        out = self.relu(self.bn1(self.conv1(x)))
        y: Tensor = self.relu(self.bn2(self.conv2(out)))
        return y


class Bottleneck(nn.Module):
    r"""Convolutions of 1 × 1, 3 × 3 and 1 × 1, and the sum: wide outside, narrow inside.

    Where the image is halved, the 3 × 3 convolution does it, as in torchvision; see
    :class:`Bottleneck2015`.

    Args:
        inplanes: channels of the input.
        planes: channels inside; the output has four times as many.
        stride: of the convolution that halves the image.
        downsample: what brings :math:`x` to the shape of the output; None where it has it.

    Example:
        >>> Bottleneck(32, 8)(torch.zeros(2, 32, 5, 5)).shape
        torch.Size([2, 32, 5, 5])

    Chapter: CNN architectures, in the part on images.
    """

    expansion = 4
    shortcut: Shortcut | None = staticmethod(projection)

    def __init__(
        self, inplanes: int, planes: int, stride: int = 1, downsample: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.conv1 = _conv1x1(inplanes, planes)
        self.bn1 = BatchNorm2d(planes)
        self.conv2 = _conv3x3(planes, planes, stride)
        self.bn2 = BatchNorm2d(planes)
        self.conv3 = _conv1x1(planes, planes * self.expansion)
        self.bn3 = BatchNorm2d(planes * self.expansion)
        self.relu = ReLU()
        self.downsample = downsample

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B K I J"]:
        skip = x if self.downsample is None else self.downsample(x)
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        y: Tensor = self.relu(out + skip)
        return y


class Bottleneck2015(Bottleneck):
    """A :class:`Bottleneck` whose first convolution halves the image, as in the paper.

    Args:
        inplanes: channels of the input.
        planes: channels inside; the output has four times as many.
        stride: of the first convolution.
        downsample: what brings :math:`x` to the shape of the output; None where it has it.

    Example:
        >>> block = Bottleneck2015(32, 8, 2, projection(32, 32, 2))
        >>> block.conv1.stride, block.conv2.stride
        ((2, 2), (1, 1))

    Chapter: CNN architectures, in the part on images.
    """

    def __init__(
        self, inplanes: int, planes: int, stride: int = 1, downsample: nn.Module | None = None
    ) -> None:
        super().__init__(inplanes, planes, 1, downsample)
        self.conv1.stride = (stride, stride)


class PreActBlock(nn.Module):
    r"""Normalisation and activation before each of two convolutions: :math:`y = x + F(x)`.

    Nothing stands behind the sum, so that the skips of all blocks together are the identity. Where
    the shape changes, :math:`x` is normalised and activated for both ways.

    Args:
        inplanes: channels of the input.
        planes: channels of the output.
        stride: of the first convolution.
        downsample: what brings :math:`x` to the shape of the output; None where it has it.
        first: whether the input comes normalised and activated, as it does to a network's first
            block.

    Example:
        >>> PreActBlock(8, 8)(torch.zeros(2, 8, 5, 5)).shape
        torch.Size([2, 8, 5, 5])

    Chapter: CNN architectures, in the part on images.
    """

    expansion = 1
    shortcut: Shortcut | None = staticmethod(_conv1x1)
    preactivation = True

    def __init__(
        self,
        inplanes: int,
        planes: int,
        stride: int = 1,
        downsample: nn.Module | None = None,
        first: bool = False,
    ) -> None:
        super().__init__()
        self.bn1 = None if first else BatchNorm2d(inplanes)
        self.relu = ReLU()
        self.conv1 = _conv3x3(inplanes, planes, stride)
        self.bn2 = BatchNorm2d(planes)
        self.conv2 = _conv3x3(planes, planes)
        self.downsample = downsample

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B K I J"]:
        out = x if self.bn1 is None else self.relu(self.bn1(x))
        skip = x if self.downsample is None else self.downsample(out)
        out = self.conv1(out)
        out = self.conv2(self.relu(self.bn2(out)))
        y: Tensor = out + skip
        return y


class PreActBottleneck(nn.Module):
    r"""A :class:`Bottleneck` with normalisation and activation before each convolution.

    Args:
        inplanes: channels of the input.
        planes: channels inside; the output has four times as many.
        stride: of the 3 × 3 convolution.
        downsample: what brings :math:`x` to the shape of the output; None where it has it.
        first: whether the input comes normalised and activated, as it does to a network's first
            block.

    Example:
        >>> PreActBottleneck(32, 8)(torch.zeros(2, 32, 5, 5)).shape
        torch.Size([2, 32, 5, 5])

    Chapter: CNN architectures, in the part on images.
    """

    expansion = 4
    shortcut: Shortcut | None = staticmethod(_conv1x1)
    preactivation = True

    def __init__(
        self,
        inplanes: int,
        planes: int,
        stride: int = 1,
        downsample: nn.Module | None = None,
        first: bool = False,
    ) -> None:
        super().__init__()
        self.bn1 = None if first else BatchNorm2d(inplanes)
        self.relu = ReLU()
        self.conv1 = _conv1x1(inplanes, planes)
        self.bn2 = BatchNorm2d(planes)
        self.conv2 = _conv3x3(planes, planes, stride)
        self.bn3 = BatchNorm2d(planes)
        self.conv3 = _conv1x1(planes, planes * self.expansion)
        self.downsample = downsample

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B K I J"]:
        out = x if self.bn1 is None else self.relu(self.bn1(x))
        skip = x if self.downsample is None else self.downsample(out)
        out = self.conv1(out)
        out = self.conv2(self.relu(self.bn2(out)))
        out = self.conv3(self.relu(self.bn3(out)))
        y: Tensor = out + skip
        return y


# --- networks -----------------------------------------------------------------------------------


def _stage(
    block: Any,
    inplanes: int,
    planes: int,
    count: int,
    stride: int,
    shortcut: Shortcut | None,
    first: bool = False,
) -> nn.Sequential:
    """Blocks of one width; the first one may change the shape."""
    out, more = planes * block.expansion, {}
    if block.shortcut is not None and (stride != 1 or inplanes != out):
        more["downsample"] = (shortcut or block.shortcut)(inplanes, out, stride)
    if first and _preactivated(block):
        more["first"] = True
    blocks = [block(inplanes, planes, stride, **more)]
    blocks += [block(out, planes) for _ in range(count - 1)]
    return nn.Sequential(*blocks)


def _preactivated(block: Any) -> bool:
    return getattr(block, "preactivation", False)


def _begin(model: nn.Module, zero_init_residual: bool) -> None:
    """Draw initial values."""
    for module in model.modules():
        if isinstance(module, Conv2d):
            init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, BatchNorm2d):
            module.reset_parameters()
    if zero_init_residual:
        for module in model.modules():
            last = {BasicBlock: "bn2", Bottleneck: "bn3", Bottleneck2015: "bn3"}.get(type(module))
            if last is not None:
                init.zeros_(getattr(module, last).weight)


class ResNet(nn.Module):
    r"""A residual network for images of about 224 × 224, in four stages.

    The parameters bear torchvision's names, so that weights published for it can be loaded into
    :func:`resnet18` and its like. Convolutions begin as :func:`dlbook.init.kaiming_normal_` by
    fan-out draws them.

    Made of :class:`PreActBlock` or :class:`PreActBottleneck`, it has a normalisation and an
    activation behind the last block too, and its first block begins with the convolution, for its
    input has been activated already.

    Args:
        block: the class of its blocks.
        layers: how many blocks each of the four stages has.
        num_classes: classes, K.
        zero_init_residual: let every block with an activation behind its sum begin as the identity,
            by a last scale of 0.
        shortcut: makes what stands for :math:`x` where the shape changes, from channels in,
            channels out and stride; the block's own kind when left out (:func:`projection`, or for
            preactivated blocks the convolution alone).

    Raises:
        ValueError: for other than four stages, or a stage without a block.

    Example:
        >>> with torch.device("meta"):
        ...     model = ResNet(BasicBlock, (3, 4, 6, 3), shortcut=PadChannels)  # the paper's
        >>> sum(p.numel() for p in model.parameters())
        21623848

    Chapter: CNN architectures, in the part on images.
    """

    def __init__(
        self,
        block: type[nn.Module],
        layers: Sequence[int],
        num_classes: int = 1000,
        zero_init_residual: bool = False,
        *,
        shortcut: Shortcut | None = None,
    ) -> None:
        super().__init__()
        if len(layers) != 4 or min(layers) < 1:
            raise ValueError(
                f"ResNet: expected four stages of at least one block each, got {tuple(layers)}"
            )
        kind: Any = block
        wide = kind.expansion
        self.conv1 = Conv2d(3, 64, kernel_size=7, stride=2, padding=3, bias=False)
        self.bn1 = BatchNorm2d(64)
        self.relu = ReLU()
        self.maxpool = MaxPool2d(kernel_size=3, stride=2, padding=1)
        self.layer1 = _stage(kind, 64, 64, layers[0], 1, shortcut, first=True)
        self.layer2 = _stage(kind, 64 * wide, 128, layers[1], 2, shortcut)
        self.layer3 = _stage(kind, 128 * wide, 256, layers[2], 2, shortcut)
        self.layer4 = _stage(kind, 256 * wide, 512, layers[3], 2, shortcut)
        self.bn5 = BatchNorm2d(512 * wide) if _preactivated(kind) else None
        self.avgpool = AdaptiveAvgPool2d((1, 1))
        self.flatten = Flatten()
        self.fc = Linear(512 * wide, num_classes)
        _begin(self, zero_init_residual)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B K"]:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        if self.bn5 is not None:
            x = self.relu(self.bn5(x))
        logits: Tensor = self.fc(self.flatten(self.avgpool(x)))
        return logits


class CIFARResNet(nn.Module):
    r"""A residual network for small images, in three stages: the paper's for CIFAR-10.

    With :math:`n` blocks a stage it has :math:`6n + 2` layers with weights: a convolution, two in
    every block, and the affine layer. The stages have 16, 32 and 64 channels, on whole, halved and
    quartered images; shortcuts have no parameters.

    Args:
        depth: layers, :math:`6n + 2`: 8, 14, 20, 26, 32, …
        num_classes: classes, K.
        block: the class of its blocks; :class:`PlainBlock` for a network without skips.
        in_channels: channels of the images, C.
        width: channels of the first stage.
        shortcut: makes what stands for :math:`x` where the shape changes, from channels in,
            channels out and stride.

    Raises:
        ValueError: for a depth that is not :math:`6n + 2`.

    Example:
        >>> sum(p.numel() for p in CIFARResNet(20).parameters())
        269722
        >>> plain = CIFARResNet(8, block=PlainBlock, in_channels=1)
        >>> plain(torch.zeros(5, 1, 16, 16)).shape
        torch.Size([5, 10])

    Chapter: CNN architectures, in the part on images.
    """

    def __init__(
        self,
        depth: int = 20,
        num_classes: int = 10,
        block: type[nn.Module] = BasicBlock,
        *,
        in_channels: int = 3,
        width: int = 16,
        shortcut: Shortcut = PadChannels,
    ) -> None:
        super().__init__()
        if depth < 8 or depth % 6 != 2:
            raise ValueError(
                f"CIFARResNet: expected a depth of 6n + 2, such as 8, 20 or 32, got {depth}"
            )
        kind: Any = block
        count, wide = depth // 6, kind.expansion * width
        self.conv1 = _conv3x3(in_channels, width)
        self.bn1 = BatchNorm2d(width)
        self.relu = ReLU()
        self.layer1 = _stage(kind, width, width, count, 1, shortcut, first=True)
        self.layer2 = _stage(kind, wide, 2 * width, count, 2, shortcut)
        self.layer3 = _stage(kind, 2 * wide, 4 * width, count, 2, shortcut)
        self.bn4 = BatchNorm2d(4 * wide) if _preactivated(kind) else None
        self.avgpool = AdaptiveAvgPool2d((1, 1))
        self.flatten = Flatten()
        self.fc = Linear(4 * wide, num_classes)
        _begin(self, False)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B K"]:
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        if self.bn4 is not None:
            x = self.relu(self.bn4(x))
        logits: Tensor = self.fc(self.flatten(self.avgpool(x)))
        return logits


def resnet18(num_classes: int = 1000, zero_init_residual: bool = False) -> ResNet:
    """Return a ResNet-18: 11,689,512 parameters.

    Args:
        num_classes: classes.
        zero_init_residual: see :class:`ResNet`.

    Example:
        >>> with torch.device("meta"):
        ...     model = resnet18()
        >>> sum(p.numel() for p in model.parameters())
        11689512

    Chapter: CNN architectures, in the part on images.
    """
    return ResNet(BasicBlock, (2, 2, 2, 2), num_classes, zero_init_residual)


def resnet34(num_classes: int = 1000, zero_init_residual: bool = False) -> ResNet:
    """Return a ResNet-34: 21,797,672 parameters.

    Args:
        num_classes: classes.
        zero_init_residual: see :class:`ResNet`.

    Example:
        >>> with torch.device("meta"):
        ...     model = resnet34()
        >>> sum(p.numel() for p in model.parameters())
        21797672

    Chapter: CNN architectures, in the part on images.
    """
    return ResNet(BasicBlock, (3, 4, 6, 3), num_classes, zero_init_residual)


def resnet50(num_classes: int = 1000, zero_init_residual: bool = False) -> ResNet:
    """Return a ResNet-50: 25,557,032 parameters.

    Args:
        num_classes: classes.
        zero_init_residual: see :class:`ResNet`.

    Example:
        >>> with torch.device("meta"):
        ...     model = resnet50()
        >>> sum(p.numel() for p in model.parameters())
        25557032

    Chapter: CNN architectures, in the part on images.
    """
    return ResNet(Bottleneck, (3, 4, 6, 3), num_classes, zero_init_residual)


def resnet101(num_classes: int = 1000, zero_init_residual: bool = False) -> ResNet:
    """Return a ResNet-101: 44,549,160 parameters.

    Args:
        num_classes: classes.
        zero_init_residual: see :class:`ResNet`.

    Example:
        >>> with torch.device("meta"):
        ...     model = resnet101()
        >>> sum(p.numel() for p in model.parameters())
        44549160

    Chapter: CNN architectures, in the part on images.
    """
    return ResNet(Bottleneck, (3, 4, 23, 3), num_classes, zero_init_residual)


def resnet152(num_classes: int = 1000, zero_init_residual: bool = False) -> ResNet:
    """Return a ResNet-152: 60,192,808 parameters.

    Args:
        num_classes: classes.
        zero_init_residual: see :class:`ResNet`.

    Example:
        >>> with torch.device("meta"):
        ...     model = resnet152()
        >>> sum(p.numel() for p in model.parameters())
        60192808

    Chapter: CNN architectures, in the part on images.
    """
    return ResNet(Bottleneck, (3, 8, 36, 3), num_classes, zero_init_residual)


def preact_resnet18(num_classes: int = 1000) -> ResNet:
    """Return a ResNet-18 of preactivated blocks: 11,687,720 parameters.

    Args:
        num_classes: classes.

    Example:
        >>> with torch.device("meta"):
        ...     model = preact_resnet18()
        >>> sum(p.numel() for p in model.parameters())
        11687720

    Chapter: CNN architectures, in the part on images.
    """
    return ResNet(PreActBlock, (2, 2, 2, 2), num_classes)


def preact_resnet34(num_classes: int = 1000) -> ResNet:
    """Return a ResNet-34 of preactivated blocks: 21,795,880 parameters.

    Args:
        num_classes: classes.

    Example:
        >>> with torch.device("meta"):
        ...     model = preact_resnet34()
        >>> sum(p.numel() for p in model.parameters())
        21795880

    Chapter: CNN architectures, in the part on images.
    """
    return ResNet(PreActBlock, (3, 4, 6, 3), num_classes)


def preact_resnet50(num_classes: int = 1000) -> ResNet:
    """Return a ResNet-50 of preactivated blocks: 25,549,352 parameters.

    Args:
        num_classes: classes.

    Example:
        >>> with torch.device("meta"):
        ...     model = preact_resnet50()
        >>> sum(p.numel() for p in model.parameters())
        25549352

    Chapter: CNN architectures, in the part on images.
    """
    return ResNet(PreActBottleneck, (3, 4, 6, 3), num_classes)


def resnet20(num_classes: int = 10, **more: Any) -> CIFARResNet:
    """Return the residual network of 20 layers for small images: 269,722 parameters.

    Args:
        num_classes: classes.
        more: further arguments of :class:`CIFARResNet`, by name.

    Example:
        >>> sum(p.numel() for p in resnet20().parameters())
        269722

    Chapter: CNN architectures, in the part on images.
    """
    return CIFARResNet(20, num_classes, **more)


def resnet32(num_classes: int = 10, **more: Any) -> CIFARResNet:
    """Return the residual network of 32 layers for small images: 464,154 parameters.

    Args:
        num_classes: classes.
        more: further arguments of :class:`CIFARResNet`, by name.

    Example:
        >>> sum(p.numel() for p in resnet32().parameters())
        464154

    Chapter: CNN architectures, in the part on images.
    """
    return CIFARResNet(32, num_classes, **more)

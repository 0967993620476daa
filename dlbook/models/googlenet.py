r"""GoogLeNet: inception modules, which look with kernels of several sizes at once.

The published weights are torchvision's, which had them from TensorFlow: with batch normalisation,
and with 3 × 3 kernels where the paper has 5 × 5 (a slip that was kept, as mending it would have
spoilt the weights). Three forms stand here:

========================  ==============  =======  ====================  ==========
form                      third branch    biases   normalisation         parameters
========================  ==============  =======  ====================  ==========
:class:`GoogLeNet`        3 × 3           no       batch                 6,624,904
:class:`GoogLeNet5x5`     5 × 5           no       batch                 7,005,832
:class:`GoogLeNet2014`    5 × 5           yes      local responses       6,998,552
========================  ==============  =======  ====================  ==========

counted without the two auxiliary heads, which serve in training alone.

The paper is Szegedy and others, "Going deeper with convolutions", *IEEE Conference on Computer
Vision and Pattern Recognition* (2015).

Chapter: CNN architectures, in the part on images.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dlbook import init
from dlbook.nn.activations import ReLU
from dlbook.nn.convolution import Conv2d
from dlbook.nn.layers import Flatten, Linear
from dlbook.nn.losses import CrossEntropyLoss
from dlbook.nn.normalization import BatchNorm2d, LocalResponseNorm
from dlbook.nn.pooling import AdaptiveAvgPool2d, AvgPool2d, MaxPool2d
from dlbook.nn.regularization import Dropout

__all__ = [
    "AuxiliaryLoss",
    "BasicConv2d",
    "GoogLeNet",
    "GoogLeNet5x5",
    "GoogLeNet2014",
    "GoogLeNetOutputs",
    "Inception",
    "Inception5x5",
    "InceptionAux",
    "PlainConv2d",
]

Block = Callable[..., nn.Module]


class GoogLeNetOutputs(NamedTuple):
    """What a GoogLeNet gives in training: its own logits, and those of the auxiliary heads."""

    logits: Tensor
    aux_logits2: Tensor
    aux_logits1: Tensor


class BasicConv2d(nn.Module):
    """A convolution without biases, batch normalisation, a rectifier.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kwargs: more arguments of :class:`dlbook.nn.Conv2d`.

    Example:
        >>> BasicConv2d(3, 8, kernel_size=3, padding=1)(torch.zeros(2, 3, 5, 5)).shape
        torch.Size([2, 8, 5, 5])

    Chapter: CNN architectures, in the part on images.
    """

    def __init__(self, in_channels: int, out_channels: int, **kwargs: Any) -> None:
        super().__init__()
        self.conv = Conv2d(in_channels, out_channels, bias=False, **kwargs)
        self.bn = BatchNorm2d(out_channels, eps=0.001)
        self.relu = ReLU()

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.relu(self.bn(self.conv(x)))
        return y


class PlainConv2d(nn.Module):
    """A convolution with biases and a rectifier.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kwargs: more arguments of :class:`dlbook.nn.Conv2d`.

    Example:
        >>> PlainConv2d(3, 8, kernel_size=3, padding=1)(torch.zeros(2, 3, 5, 5)).shape
        torch.Size([2, 8, 5, 5])

    Chapter: CNN architectures, in the part on images.
    """

    def __init__(self, in_channels: int, out_channels: int, **kwargs: Any) -> None:
        super().__init__()
        self.conv = Conv2d(in_channels, out_channels, **kwargs)
        self.relu = ReLU()

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.relu(self.conv(x))
        return y


class Inception(nn.Module):
    r"""Four branches side by side, whose maps are stacked: 1 × 1, 3 × 3, 3 × 3 again, and pooling.

    Before the larger kernels and after the pooling, kernels of 1 × 1 bring the channels down: they
    are what makes it affordable. The third branch has 3 × 3 as in torchvision;
    :class:`Inception5x5` has what the paper has.

    Args:
        in_channels: channels of the input.
        ch1x1: channels of the first branch.
        ch3x3red: to how many channels the second branch brings the input down.
        ch3x3: channels of the second branch.
        ch5x5red: to how many channels the third branch brings the input down.
        ch5x5: channels of the third branch.
        pool_proj: channels of the fourth branch.
        conv_block: makes its convolutions.

    Example:
        >>> Inception(192, 64, 96, 128, 16, 32, 32)(torch.zeros(1, 192, 28, 28)).shape
        torch.Size([1, 256, 28, 28])

    Chapter: CNN architectures, in the part on images.
    """

    third = 3

    def __init__(
        self,
        in_channels: int,
        ch1x1: int,
        ch3x3red: int,
        ch3x3: int,
        ch5x5red: int,
        ch5x5: int,
        pool_proj: int,
        conv_block: Block = BasicConv2d,
    ) -> None:
        super().__init__()
        self.branch1 = conv_block(in_channels, ch1x1, kernel_size=1)
        self.branch2 = nn.Sequential(
            conv_block(in_channels, ch3x3red, kernel_size=1),
            conv_block(ch3x3red, ch3x3, kernel_size=3, padding=1),
        )
        self.branch3 = nn.Sequential(
            conv_block(in_channels, ch5x5red, kernel_size=1),
            conv_block(ch5x5red, ch5x5, kernel_size=self.third, padding=self.third // 2),
        )
        self.branch4 = nn.Sequential(
            MaxPool2d(kernel_size=3, stride=1, padding=1, ceil_mode=True),
            conv_block(in_channels, pool_proj, kernel_size=1),
        )

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B K H W"]:
        branches = (self.branch1, self.branch2, self.branch3, self.branch4)
        return torch.cat([branch(x) for branch in branches], 1)


class Inception5x5(Inception):
    """An :class:`Inception` whose third branch has kernels of 5 × 5, as in the paper.

    Example:
        >>> Inception5x5(192, 64, 96, 128, 16, 32, 32).branch3[1].conv.weight.shape
        torch.Size([32, 16, 5, 5])

    Chapter: CNN architectures, in the part on images.
    """

    third = 5


class InceptionAux(nn.Module):
    """An auxiliary head: it classifies from the middle of the network.

    Args:
        in_channels: channels of the input.
        num_classes: classes.
        conv_block: makes its convolution.
        pool: brings the maps to 4 × 4.
        dropout: the probability of being dropped, from 0 to 1.

    Example:
        >>> InceptionAux(512, 10)(torch.zeros(2, 512, 14, 14)).shape
        torch.Size([2, 10])

    Chapter: CNN architectures, in the part on images.
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        conv_block: Block = BasicConv2d,
        pool: nn.Module | None = None,
        dropout: float = 0.7,
    ) -> None:
        super().__init__()
        self.pool = AdaptiveAvgPool2d((4, 4)) if pool is None else pool
        self.conv = conv_block(in_channels, 128, kernel_size=1)
        self.flatten = Flatten()
        self.fc1 = Linear(128 * 4 * 4, 1024)
        self.relu = ReLU()
        self.dropout = Dropout(dropout)
        self.fc2 = Linear(1024, num_classes)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B K"]:
        x = self.flatten(self.conv(self.pool(x)))
        x = self.dropout(self.relu(self.fc1(x)))
        logits: Tensor = self.fc2(x)
        return logits


class GoogLeNet(nn.Module):
    r"""GoogLeNet as torchvision has it: 6,624,904 parameters for 1000 classes without the auxiliary
    heads, 13,004,888 with them.

    In training and with auxiliary heads it gives :class:`GoogLeNetOutputs`, for which there is
    :class:`AuxiliaryLoss`; otherwise logits. The parameters bear torchvision's names, so that
    weights published for it can be loaded (they have the heads, and expect ``transform_input``).

    Weights begin as :math:`\mathcal N(0, 0.01^2)`, cut off beyond ±2; biases as PyTorch's.

    Args:
        num_classes: classes, K.
        aux_logits: whether there are auxiliary heads.
        transform_input: take images normalised as for the other networks, with the means and
            standard deviations of ImageNet's channels, and bring them to between ±1.
        dropout: the probability of being dropped before the last layer, from 0 to 1.
        dropout_aux: the same in the auxiliary heads.

    Example:
        >>> with torch.device("meta"):
        ...     model = GoogLeNet(aux_logits=False)
        >>> sum(p.numel() for p in model.parameters())
        6624904

    Chapter: CNN architectures, in the part on images.
    """

    inception_block: Block = Inception
    conv_block: Block = BasicConv2d

    def __init__(
        self,
        num_classes: int = 1000,
        aux_logits: bool = True,
        transform_input: bool = False,
        dropout: float = 0.2,
        dropout_aux: float = 0.7,
    ) -> None:
        super().__init__()
        conv = type(self).conv_block
        self.transform_input = transform_input

        def inception(*widths: int) -> nn.Module:
            return type(self).inception_block(*widths, conv_block=conv)

        self.conv1 = conv(3, 64, kernel_size=7, stride=2, padding=3)
        self.maxpool1: nn.Module = MaxPool2d(3, stride=2, ceil_mode=True)
        self.conv2 = conv(64, 64, kernel_size=1)
        self.conv3 = conv(64, 192, kernel_size=3, padding=1)
        self.maxpool2: nn.Module = MaxPool2d(3, stride=2, ceil_mode=True)
        self.inception3a = inception(192, 64, 96, 128, 16, 32, 32)
        self.inception3b = inception(256, 128, 128, 192, 32, 96, 64)
        self.maxpool3 = MaxPool2d(3, stride=2, ceil_mode=True)
        self.inception4a = inception(480, 192, 96, 208, 16, 48, 64)
        self.inception4b = inception(512, 160, 112, 224, 24, 64, 64)
        self.inception4c = inception(512, 128, 128, 256, 24, 64, 64)
        self.inception4d = inception(512, 112, 144, 288, 32, 64, 64)
        self.inception4e = inception(528, 256, 160, 320, 32, 128, 128)
        self.maxpool4 = MaxPool2d(2, stride=2, ceil_mode=True)
        self.inception5a = inception(832, 256, 160, 320, 32, 128, 128)
        self.inception5b = inception(832, 384, 192, 384, 48, 128, 128)
        self.aux1: nn.Module | None = None
        self.aux2: nn.Module | None = None
        if aux_logits:
            self.aux1 = self._head(512, num_classes, dropout_aux)
            self.aux2 = self._head(528, num_classes, dropout_aux)
        self.avgpool = AdaptiveAvgPool2d((1, 1))
        self.flatten = Flatten()
        self.dropout = Dropout(dropout)
        self.fc = Linear(1024, num_classes)
        self.reset_parameters()

    def _head(self, in_channels: int, num_classes: int, dropout: float) -> nn.Module:
        return InceptionAux(in_channels, num_classes, type(self).conv_block, dropout=dropout)

    def reset_parameters(self) -> None:
        """Draw initial weights."""
        for module in self.modules():
            if isinstance(module, (Conv2d, Linear)):
                init.trunc_normal_(module.weight, 0.0, 0.01, -2.0, 2.0)
            elif isinstance(module, BatchNorm2d):
                module.reset_parameters()

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B K"] | GoogLeNetOutputs:
        if self.transform_input:
            mean, std = x.new_tensor([0.485, 0.456, 0.406]), x.new_tensor([0.229, 0.224, 0.225])
            x = (x * std.reshape(-1, 1, 1) + mean.reshape(-1, 1, 1) - 0.5) / 0.5
        x = self.maxpool1(self.conv1(x))
        x = self.maxpool2(self.conv3(self.conv2(x)))
        x = self.maxpool3(self.inception3b(self.inception3a(x)))
        x = self.inception4a(x)
        aux1 = self.aux1(x) if self.aux1 is not None and self.training else None
        x = self.inception4d(self.inception4c(self.inception4b(x)))
        aux2 = self.aux2(x) if self.aux2 is not None and self.training else None
        x = self.maxpool4(self.inception4e(x))
        x = self.avgpool(self.inception5b(self.inception5a(x)))
        logits: Tensor = self.fc(self.dropout(self.flatten(x)))
        if aux1 is None or aux2 is None:
            return logits
        return GoogLeNetOutputs(logits, aux2, aux1)


class GoogLeNet5x5(GoogLeNet):
    """A :class:`GoogLeNet` with the paper's 5 × 5 kernels: 7,005,832 parameters without heads.

    Example:
        >>> with torch.device("meta"):
        ...     model = GoogLeNet5x5(aux_logits=False)
        >>> sum(p.numel() for p in model.parameters())
        7005832

    Chapter: CNN architectures, in the part on images.
    """

    inception_block = Inception5x5


class GoogLeNet2014(GoogLeNet):
    r"""GoogLeNet as the paper has it: 6,998,552 parameters for 1000 classes, without the heads.

    Convolutions have biases and no batch normalisation, responses are normalised locally after the
    first pooling and before the second, and the auxiliary heads average windows of 5 × 5 at a
    stride of 3, which makes 4 × 4 of the 14 × 14 units that images of 224 × 224 give. The fourth
    pooling takes windows of 3 × 3.

    The paper names neither the settings of the normalisation (here as in
    :class:`dlbook.models.AlexNet2012`, but with :math:`k = 1`) nor how the weights began (here as
    :func:`dlbook.init.xavier_uniform_`, with biases 0).

    Args:
        num_classes: classes, K.
        aux_logits: whether there are auxiliary heads.
        dropout: the probability of being dropped before the last layer, from 0 to 1.
        dropout_aux: the same in the auxiliary heads.

    Example:
        >>> with torch.device("meta"):
        ...     model = GoogLeNet2014(aux_logits=False)
        >>> sum(p.numel() for p in model.parameters())
        6998552

    Chapter: CNN architectures, in the part on images.
    """

    inception_block = Inception5x5
    conv_block = PlainConv2d

    def __init__(
        self,
        num_classes: int = 1000,
        aux_logits: bool = True,
        dropout: float = 0.4,
        dropout_aux: float = 0.7,
    ) -> None:
        super().__init__(num_classes, aux_logits, False, dropout, dropout_aux)
        self.maxpool1 = nn.Sequential(self.maxpool1, LocalResponseNorm(5, alpha=5e-4))
        self.maxpool2 = nn.Sequential(LocalResponseNorm(5, alpha=5e-4), self.maxpool2)
        self.maxpool4 = MaxPool2d(3, stride=2, ceil_mode=True)

    def _head(self, in_channels: int, num_classes: int, dropout: float) -> nn.Module:
        pool = AvgPool2d(5, stride=3)
        return InceptionAux(in_channels, num_classes, type(self).conv_block, pool, dropout)

    def reset_parameters(self) -> None:
        """Draw initial values."""
        for module in self.modules():
            if isinstance(module, (Conv2d, Linear)):
                assert module.bias is not None
                init.xavier_uniform_(module.weight)
                init.zeros_(module.bias)


class AuxiliaryLoss(nn.Module):
    r"""The loss of a network's own output, plus a share of those of its auxiliary heads.

    .. math:: \ell = \ell_0 + \lambda (\ell_1 + \ell_2)

    In evaluation, where there are no outputs of the heads, :math:`\ell = \ell_0`.

    Args:
        loss: of one output; the cross-entropy when left out.
        weight: :math:`\lambda`; the paper has 0.3.

    Example:
        >>> logits, target = torch.zeros(4, 10), torch.arange(4)
        >>> AuxiliaryLoss()(GoogLeNetOutputs(logits, logits, logits), target)
        tensor(3.6841)
        >>> AuxiliaryLoss()(logits, target)
        tensor(2.3026)

    Chapter: CNN architectures, in the part on images.
    """

    def __init__(
        self, loss: Callable[[Tensor, Tensor], Tensor] | None = None, weight: float = 0.3
    ) -> None:
        super().__init__()
        self.loss = CrossEntropyLoss() if loss is None else loss
        self.weight = weight

    def forward(self, output: Any, target: Tensor) -> Tensor:
        if isinstance(output, Tensor):
            return self.loss(output, target)
        own, *heads = output
        total = self.loss(own, target)
        for head in heads:
            total = total + self.weight * self.loss(head, target)
        return total

"""VGG: nothing but kernels of 3 × 3, and many layers of them.

The names count the layers with weights: VGG-16 has thirteen convolutions and three affine layers.
These are the paper's configurations A, B, D and E, and torchvision's forms of them, which are the
same but for how they begin; those with batch normalisation came later.

The paper is Simonyan and Zisserman, "Very deep convolutional networks for large-scale image
recognition", *International Conference on Learning Representations* (2015).

Chapter: CNN architectures, in the part on images.
"""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from dlbook import init
from dlbook.nn.activations import ReLU
from dlbook.nn.convolution import Conv2d
from dlbook.nn.layers import Flatten, Linear
from dlbook.nn.normalization import BatchNorm2d
from dlbook.nn.pooling import AdaptiveAvgPool2d, MaxPool2d
from dlbook.nn.regularization import Dropout

__all__ = [
    "VGG",
    "vgg11",
    "vgg11_bn",
    "vgg13",
    "vgg13_bn",
    "vgg16",
    "vgg16_bn",
    "vgg19",
    "vgg19_bn",
]

_WIDTHS = (64, 128, 256, 512, 512)
_LAYERS = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}


class VGG(nn.Module):
    r"""Blocks of convolutions of 3 × 3, each block followed by a pooling of 2 × 2; then affine
    layers.

    Two kernels of 3 × 3 see as much as one of 5 × 5, three as much as one of 7 × 7, with fewer
    parameters and more rectifiers. The parameters bear torchvision's names, so that weights
    published for it can be loaded into :func:`vgg16` and its like.

    Weights of convolutions begin as :func:`dlbook.init.kaiming_normal_` by fan-out draws them,
    those of affine layers as :math:`\mathcal N(0, 0.01^2)`, biases as 0.

    Args:
        blocks: for each block the widths of its convolutions: ``[(64, 64), (128,)]``.
        num_classes: classes, K.
        batch_norm: whether every convolution is followed by a batch normalisation.
        dropout: the probability of being dropped, from 0 to 1.
        in_channels: channels of the images, C.
        hidden: width of the affine layers.
        pooled: to how many rows and columns the last maps are averaged.

    Raises:
        ValueError: for no block, or a block without a convolution.

    Example:
        >>> import torch
        >>> small = VGG([(8,), (16, 16)], num_classes=10, in_channels=1, hidden=32, pooled=2)
        >>> small(torch.zeros(5, 1, 16, 16)).shape
        torch.Size([5, 10])

    Chapter: CNN architectures, in the part on images.
    """

    def __init__(
        self,
        blocks: Sequence[Sequence[int]],
        num_classes: int = 1000,
        batch_norm: bool = False,
        dropout: float = 0.5,
        *,
        in_channels: int = 3,
        hidden: int = 4096,
        pooled: int = 7,
    ) -> None:
        super().__init__()
        if not blocks or not all(blocks):
            raise ValueError(f"VGG: expected blocks of at least one width each, got {blocks}")
        layers: list[nn.Module] = []
        width = in_channels
        for block in blocks:
            for out in block:
                layers.append(Conv2d(width, out, kernel_size=3, padding=1))
                if batch_norm:
                    layers.append(BatchNorm2d(out))
                layers.append(ReLU())
                width = out
            layers.append(MaxPool2d(kernel_size=2, stride=2))
        self.features = nn.Sequential(*layers)
        self.avgpool = AdaptiveAvgPool2d((pooled, pooled))
        self.flatten = Flatten()
        self.classifier = nn.Sequential(
            Linear(width * pooled * pooled, hidden),
            ReLU(),
            Dropout(dropout),
            Linear(hidden, hidden),
            ReLU(),
            Dropout(dropout),
            Linear(hidden, num_classes),
        )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw initial values."""
        for module in self.modules():
            if isinstance(module, Conv2d):
                init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(module, Linear):
                init.normal_(module.weight, 0.0, 0.01)
            elif isinstance(module, BatchNorm2d):
                module.reset_parameters()
            if isinstance(module, (Conv2d, Linear)) and module.bias is not None:
                init.zeros_(module.bias)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B K"]:
        x = self.avgpool(self.features(x))
        logits: Tensor = self.classifier(self.flatten(x))
        return logits


def _vgg(depth: int, batch_norm: bool, num_classes: int, dropout: float) -> VGG:
    blocks = [(width,) * count for width, count in zip(_WIDTHS, _LAYERS[depth])]
    return VGG(blocks, num_classes, batch_norm, dropout)


def vgg11(num_classes: int = 1000, dropout: float = 0.5) -> VGG:
    """Return VGG-11, the paper's configuration A: 132,863,336 parameters.

    Args:
        num_classes: classes.
        dropout: the probability of being dropped, from 0 to 1.

    Example:
        >>> import torch
        >>> with torch.device("meta"):
        ...     model = vgg11()
        >>> sum(p.numel() for p in model.parameters())
        132863336

    Chapter: CNN architectures, in the part on images.
    """
    return _vgg(11, False, num_classes, dropout)


def vgg11_bn(num_classes: int = 1000, dropout: float = 0.5) -> VGG:
    """Return VGG-11 with batch normalisation: 132,868,840 parameters.

    Args:
        num_classes: classes.
        dropout: the probability of being dropped, from 0 to 1.

    Example:
        >>> import torch
        >>> with torch.device("meta"):
        ...     model = vgg11_bn()
        >>> sum(p.numel() for p in model.parameters())
        132868840

    Chapter: CNN architectures, in the part on images.
    """
    return _vgg(11, True, num_classes, dropout)


def vgg13(num_classes: int = 1000, dropout: float = 0.5) -> VGG:
    """Return VGG-13, the paper's configuration B: 133,047,848 parameters.

    Args:
        num_classes: classes.
        dropout: the probability of being dropped, from 0 to 1.

    Example:
        >>> import torch
        >>> with torch.device("meta"):
        ...     model = vgg13()
        >>> sum(p.numel() for p in model.parameters())
        133047848

    Chapter: CNN architectures, in the part on images.
    """
    return _vgg(13, False, num_classes, dropout)


def vgg13_bn(num_classes: int = 1000, dropout: float = 0.5) -> VGG:
    """Return VGG-13 with batch normalisation: 133,053,736 parameters.

    Args:
        num_classes: classes.
        dropout: the probability of being dropped, from 0 to 1.

    Example:
        >>> import torch
        >>> with torch.device("meta"):
        ...     model = vgg13_bn()
        >>> sum(p.numel() for p in model.parameters())
        133053736

    Chapter: CNN architectures, in the part on images.
    """
    return _vgg(13, True, num_classes, dropout)


def vgg16(num_classes: int = 1000, dropout: float = 0.5) -> VGG:
    """Return VGG-16, the paper's configuration D: 138,357,544 parameters.

    Args:
        num_classes: classes.
        dropout: the probability of being dropped, from 0 to 1.

    Example:
        >>> import torch
        >>> with torch.device("meta"):
        ...     model = vgg16()
        >>> sum(p.numel() for p in model.parameters())
        138357544

    Chapter: CNN architectures, in the part on images.
    """
    return _vgg(16, False, num_classes, dropout)


def vgg16_bn(num_classes: int = 1000, dropout: float = 0.5) -> VGG:
    """Return VGG-16 with batch normalisation: 138,365,992 parameters.

    Args:
        num_classes: classes.
        dropout: the probability of being dropped, from 0 to 1.

    Example:
        >>> import torch
        >>> with torch.device("meta"):
        ...     model = vgg16_bn()
        >>> sum(p.numel() for p in model.parameters())
        138365992

    Chapter: CNN architectures, in the part on images.
    """
    return _vgg(16, True, num_classes, dropout)


def vgg19(num_classes: int = 1000, dropout: float = 0.5) -> VGG:
    """Return VGG-19, the paper's configuration E: 143,667,240 parameters.

    Args:
        num_classes: classes.
        dropout: the probability of being dropped, from 0 to 1.

    Example:
        >>> import torch
        >>> with torch.device("meta"):
        ...     model = vgg19()
        >>> sum(p.numel() for p in model.parameters())
        143667240

    Chapter: CNN architectures, in the part on images.
    """
    return _vgg(19, False, num_classes, dropout)


def vgg19_bn(num_classes: int = 1000, dropout: float = 0.5) -> VGG:
    """Return VGG-19 with batch normalisation: 143,678,248 parameters.

    Args:
        num_classes: classes.
        dropout: the probability of being dropped, from 0 to 1.

    Example:
        >>> import torch
        >>> with torch.device("meta"):
        ...     model = vgg19_bn()
        >>> sum(p.numel() for p in model.parameters())
        143678248

    Chapter: CNN architectures, in the part on images.
    """
    return _vgg(19, True, num_classes, dropout)

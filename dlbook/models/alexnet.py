r"""AlexNet, in the form whose weights are published and in that of the paper.

Both have five convolutions and three affine layers. What differs:

==============  ===================================  ========================================
what            :class:`AlexNet` (torchvision)       :class:`AlexNet2012`
==============  ===================================  ========================================
kernels         64, 192, 384, 256, 256               96, 256, 384, 384, 256
towers          one                                  two; C2, C4 and C5 see their own alone
after C1, C2    nothing                              local response normalisation
input           224 × 224, padded by 2               227 × 227
dropout         before the first two affine layers   after them
parameters      61,100,840                           60,965,224
==============  ===================================  ========================================

The paper is Krizhevsky, Sutskever and Hinton, "ImageNet classification with deep convolutional
neural networks", *Advances in Neural Information Processing Systems* 25 (2012).

Chapter: CNN architectures, in the part on images.
"""

from jaxtyping import Float
from torch import Tensor, nn

from dlbook import init
from dlbook.nn.activations import ReLU
from dlbook.nn.convolution import Conv2d
from dlbook.nn.layers import Flatten, Linear
from dlbook.nn.normalization import LocalResponseNorm
from dlbook.nn.pooling import AdaptiveAvgPool2d, MaxPool2d
from dlbook.nn.regularization import Dropout

__all__ = ["AlexNet", "AlexNet2012"]


class AlexNet(nn.Module):
    r"""AlexNet as torchvision has it, with one tower: 61,100,840 parameters for 1000 classes.

    The parameters bear torchvision's names, so that weights published for it can be loaded.

    Args:
        num_classes: classes, K.
        dropout: the probability of being dropped, from 0 to 1.

    Example:
        >>> import torch
        >>> with torch.device("meta"):
        ...     model = AlexNet()
        >>> sum(p.numel() for p in model.parameters())
        61100840

    Chapter: CNN architectures, in the part on images.
    """

    def __init__(self, num_classes: int = 1000, dropout: float = 0.5) -> None:
        super().__init__()
        self.features = nn.Sequential(
            Conv2d(3, 64, kernel_size=11, stride=4, padding=2),
            ReLU(),
            MaxPool2d(kernel_size=3, stride=2),
            Conv2d(64, 192, kernel_size=5, padding=2),
            ReLU(),
            MaxPool2d(kernel_size=3, stride=2),
            Conv2d(192, 384, kernel_size=3, padding=1),
            ReLU(),
            Conv2d(384, 256, kernel_size=3, padding=1),
            ReLU(),
            Conv2d(256, 256, kernel_size=3, padding=1),
            ReLU(),
            MaxPool2d(kernel_size=3, stride=2),
        )
        self.avgpool = AdaptiveAvgPool2d((6, 6))
        self.flatten = Flatten()
        self.classifier = nn.Sequential(
            Dropout(dropout),
            Linear(256 * 6 * 6, 4096),
            ReLU(),
            Dropout(dropout),
            Linear(4096, 4096),
            ReLU(),
            Linear(4096, num_classes),
        )

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B K"]:
        x = self.avgpool(self.features(x))
        logits: Tensor = self.classifier(self.flatten(x))
        return logits


class AlexNet2012(nn.Module):
    r"""AlexNet as the paper has it, in two towers: 60,965,224 parameters for 1000 classes.

    It was trained on two processors, each with half of the kernels. They met at the third
    convolution and at the affine layers; elsewhere a kernel sees the maps of its own tower, which
    is a convolution in two groups. The responses after C1 and C2 are normalised by their
    neighbours, with :math:`k = 2`, :math:`n = 5`, :math:`\alpha = 10^{-4}` (not divided by
    :math:`n`) and :math:`\beta = \tfrac34`. Weights begin as :math:`\mathcal N(0, 0.01^2)`, biases
    as 1 in C2, C4, C5 and the hidden affine layers, so that rectifiers begin on their active side,
    and elsewhere as 0.

    The paper gives the input as 224 × 224; for 55 × 55 units after C1, as it has them, with kernels
    of 11 × 11 at a stride of 4 and without padding, it takes 227 × 227.

    Args:
        num_classes: classes, K.
        dropout: the probability of being dropped, from 0 to 1.

    Example:
        >>> import torch
        >>> with torch.device("meta"):
        ...     model = AlexNet2012()
        >>> sum(p.numel() for p in model.parameters())
        60965224

    Chapter: CNN architectures, in the part on images.
    """

    def __init__(self, num_classes: int = 1000, dropout: float = 0.5) -> None:
        super().__init__()
        self.features = nn.Sequential(
            Conv2d(3, 96, kernel_size=11, stride=4),
            ReLU(),
            LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0),
            MaxPool2d(kernel_size=3, stride=2),
            Conv2d(96, 256, kernel_size=5, padding=2, groups=2),
            ReLU(),
            LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0),
            MaxPool2d(kernel_size=3, stride=2),
            Conv2d(256, 384, kernel_size=3, padding=1),
            ReLU(),
            Conv2d(384, 384, kernel_size=3, padding=1, groups=2),
            ReLU(),
            Conv2d(384, 256, kernel_size=3, padding=1, groups=2),
            ReLU(),
            MaxPool2d(kernel_size=3, stride=2),
        )
        self.flatten = Flatten()
        self.classifier = nn.Sequential(
            Linear(256 * 6 * 6, 4096),
            ReLU(),
            Dropout(dropout),
            Linear(4096, 4096),
            ReLU(),
            Dropout(dropout),
            Linear(4096, num_classes),
        )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw initial values."""
        layers = [m for m in self.modules() if isinstance(m, (Conv2d, Linear))]
        for place, layer in enumerate(layers, start=1):
            assert layer.bias is not None
            init.normal_(layer.weight, 0.0, 0.01)
            init.constant_(layer.bias, 1.0 if place in (2, 4, 5, 6, 7) else 0.0)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B K"]:
        logits: Tensor = self.classifier(self.flatten(self.features(x)))
        return logits

r"""The vision transformer: an image as a sequence of patches.

An image is cut into patches, each of which a linear map turns into features; a learned row, the
*class token*, is put in front, and learned positions are added. From there on it is an encoder,
with normalisation before attention and network, and the class token's features give the scores.
Nothing but the cut into patches and the table of positions knows that there are two axes.

It is the network of Dosovitskiy and others, "An image is worth 16x16 words" (2021), under
torchvision's names, whose weights load.

Chapter: :doc:`/sequences/transformers`.
"""

import math
from collections import OrderedDict
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import Parameter

from dlbook import init
from dlbook.nn.activations import GELU
from dlbook.nn.attention import MultiheadAttention
from dlbook.nn.convolution import Conv2d
from dlbook.nn.layers import Linear
from dlbook.nn.normalization import LayerNorm
from dlbook.nn.regularization import Dropout
from dlbook.ops import arithmetic

__all__ = ["ViTBlock", "VisionTransformer", "vit_b_16", "vit_b_32", "vit_l_16"]

EPS = 1e-6


class ViTBlock(nn.Module):
    r"""Attention and a feed-forward network, each behind a norm and beside a shortcut
    (:eq:`module-transformer-norm-first`).

    It differs from a :class:`dlbook.nn.TransformerEncoderLayer` with ``norm_first``,
    ``activation="gelu"`` and ``layer_norm_eps=1e-6`` in names, initial values and the separate
    dropout of attention's weights.

    Args:
        num_heads: heads of the attention.
        hidden_dim: features of inputs and outputs, E.
        mlp_dim: units of the network's hidden layer.
        dropout: the probability for hidden units and what is added to the shortcuts.
        attention_dropout: the probability for the attention's weights.

    Example:
        >>> ViTBlock(2, 8, 16)(torch.randn(5, 3, 8)).shape
        torch.Size([5, 3, 8])

    Chapter: :doc:`/sequences/transformers`.
    """

    def __init__(
        self,
        num_heads: int,
        hidden_dim: int,
        mlp_dim: int,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if hidden_dim < 1 or num_heads < 1 or hidden_dim % num_heads:
            raise ValueError(
                f"ViTBlock: expected a number of heads that divides {hidden_dim} features, got "
                f"{num_heads}"
            )
        self.ln_1 = LayerNorm(hidden_dim, EPS)
        self.self_attention = MultiheadAttention(
            hidden_dim, num_heads, attention_dropout, batch_first=True
        )
        self.dropout = Dropout(dropout)
        self.ln_2 = LayerNorm(hidden_dim, EPS)
        first, last = Linear(hidden_dim, mlp_dim), Linear(mlp_dim, hidden_dim)
        self.mlp = nn.Sequential(first, GELU(), Dropout(dropout), last, Dropout(dropout))
        for layer in (first, last):
            init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                init.normal_(layer.bias, std=1e-6)

    def forward(self, input: Float[Tensor, "B T E"]) -> Float[Tensor, "B T E"]:
        x = self.ln_1(input)
        x, _ = self.self_attention(x, x, x, need_weights=False)
        x = input + self.dropout(x)
        y: Tensor = x + self.mlp(self.ln_2(x))
        return y


class _Encoder(nn.Module):
    """Positions, blocks and the last normalisation: what torchvision's names group together."""

    def __init__(self, length: int, blocks: int, dropout: float, hidden_dim: int, *of: Any) -> None:
        super().__init__()
        self.pos_embedding = Parameter(torch.empty(1, length, hidden_dim))
        init.normal_(self.pos_embedding, std=0.02)
        self.dropout = Dropout(dropout)
        named = ((f"encoder_layer_{i}", ViTBlock(*of)) for i in range(blocks))
        self.layers = nn.Sequential(OrderedDict(named))
        self.ln = LayerNorm(hidden_dim, EPS)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.ln(self.layers(self.dropout(arithmetic.add(x, self.pos_embedding))))
        return y


class VisionTransformer(nn.Module):
    r"""Scores of classes for an image, from an encoder of its patches.

    .. math:: x_0 = c + P_0, \qquad x_t = W_p\,p_t + b_p + P_t, \qquad
        z = W \operatorname{norm}\bigl( \operatorname{blocks}(x) \bigr)_0 + b

    for the class token :math:`c`, patches :math:`p_1, \dots, p_N` (all of a patch's colours in one
    row) and positions :math:`P`. The map :math:`W_p` of all patches is a convolution whose stride
    is the size of its kernel.

    Args:
        image_size: height and width of the images.
        patch_size: height and width of a patch, which divides that.
        num_layers: blocks.
        num_heads: heads of each attention.
        hidden_dim: features, E; the heads divide it.
        mlp_dim: units of the hidden layer in each block's network.
        dropout: the probability for the sum with positions, hidden units and what blocks add.
        attention_dropout: the probability for attention's weights.
        num_classes: scores.
        in_channels: colours of the images.

    Attributes:
        conv_proj: the map of the patches.
        class_token: :math:`c`, of shape (1, 1, E).
        encoder: ``pos_embedding`` of shape (1, N + 1, E), the blocks ``layers``, the norm ``ln``.
        heads: holds the last layer, ``head``, which begins with zeros.

    Raises:
        ValueError: if the patches do not tile the image, the heads do not divide the features, or
            (when called) images have another shape.

    Departs from torchvision, which knows three colours only, and has further layers that its
    published weights do without.

    Example:
        >>> model = VisionTransformer(8, 4, 2, 2, 6, 12, num_classes=3)
        >>> model(torch.randn(5, 3, 8, 8)).shape, model.encoder.pos_embedding.shape
        (torch.Size([5, 3]), torch.Size([1, 5, 6]))

    Chapter: :doc:`/sequences/transformers`.
    """

    def __init__(
        self,
        image_size: int,
        patch_size: int,
        num_layers: int,
        num_heads: int,
        hidden_dim: int,
        mlp_dim: int,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        num_classes: int = 1000,
        in_channels: int = 3,
    ) -> None:
        super().__init__()
        if patch_size < 1 or image_size < 1 or image_size % patch_size:
            raise ValueError(
                f"VisionTransformer: expected patches that tile an image of {image_size} × "
                f"{image_size}, got patch_size={patch_size}"
            )
        if hidden_dim < 1 or num_heads < 1 or hidden_dim % num_heads:
            raise ValueError(
                f"VisionTransformer: expected a number of heads that divides {hidden_dim} "
                f"features, got {num_heads}"
            )
        self.image_size, self.patch_size = image_size, patch_size
        self.in_channels = in_channels
        self.conv_proj = Conv2d(in_channels, hidden_dim, patch_size, patch_size)
        self.class_token = Parameter(torch.zeros(1, 1, hidden_dim))
        length = (image_size // patch_size) ** 2 + 1
        block = num_heads, hidden_dim, mlp_dim, dropout, attention_dropout
        self.encoder = _Encoder(length, num_layers, dropout, hidden_dim, *block)
        self.heads = nn.Sequential(OrderedDict(head=Linear(hidden_dim, num_classes)))
        # torchvision cuts the tails at ±2, dozens of standard deviations out.
        init.normal_(self.conv_proj.weight, std=math.sqrt(1 / (in_channels * patch_size**2)))
        for p in (self.conv_proj.bias, *self.heads.parameters()):
            if p is not None:
                init.zeros_(p)

    def patches(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B N E"]:
        """The patches' features, row after row of the image, before positions are added."""
        size = self.in_channels, self.image_size, self.image_size
        if tuple(x.shape[1:]) != size:
            raise ValueError(
                f"VisionTransformer: expected images of shape {('B', *size)}, got {tuple(x.shape)}"
            )
        found: Tensor = self.conv_proj(x)
        return found.flatten(2).mT

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B K"]:
        x = self.patches(x)
        first = self.class_token.expand(len(x), -1, -1)
        x = self.encoder(arithmetic.concatenate([first, x], 1))
        y: Tensor = self.heads(x[:, 0])
        return y


def _vit(image_size: int, patch: int, layers: int, heads: int, width: int, **more: Any) -> Any:
    return VisionTransformer(image_size, patch, layers, heads, width, 4 * width, **more)


def vit_b_16(*, image_size: int = 224, **kwargs: Any) -> VisionTransformer:
    """The base network with patches of 16 × 16: 12 blocks, 86,567,656 parameters.

    Args:
        image_size: height and width of the images.
        kwargs: further arguments of :class:`VisionTransformer`, such as ``num_classes``.

    Example:
        >>> with torch.device("meta"):  # shapes only
        ...     model = vit_b_16()
        >>> f"{sum(p.numel() for p in model.parameters()):,}"
        '86,567,656'

    Chapter: :doc:`/sequences/transformers`.
    """
    model: VisionTransformer = _vit(image_size, 16, 12, 12, 768, **kwargs)
    return model


def vit_b_32(*, image_size: int = 224, **kwargs: Any) -> VisionTransformer:
    """The base network with patches of 32 × 32: 12 blocks, 88,224,232 parameters.

    Args:
        image_size: height and width of the images.
        kwargs: further arguments of :class:`VisionTransformer`, such as ``num_classes``.

    Example:
        >>> with torch.device("meta"):
        ...     vit_b_32().encoder.pos_embedding.shape
        torch.Size([1, 50, 768])

    Chapter: :doc:`/sequences/transformers`.
    """
    model: VisionTransformer = _vit(image_size, 32, 12, 12, 768, **kwargs)
    return model


def vit_l_16(*, image_size: int = 224, **kwargs: Any) -> VisionTransformer:
    """The large network with patches of 16 × 16: 24 blocks, 304,326,632 parameters.

    Args:
        image_size: height and width of the images.
        kwargs: further arguments of :class:`VisionTransformer`, such as ``num_classes``.

    Example:
        >>> with torch.device("meta"):
        ...     len(vit_l_16().encoder.layers)
        24

    Chapter: :doc:`/sequences/transformers`.
    """
    model: VisionTransformer = _vit(image_size, 16, 24, 16, 1024, **kwargs)
    return model

"""The layers of a transformer: attention and a feed-forward network, each beside a shortcut.

Chapter: :doc:`/sequences/transformers`.
"""

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from dlbook.nn.attention import MultiheadAttention
from dlbook.nn.layers import Linear
from dlbook.nn.normalization import LayerNorm
from dlbook.nn.regularization import Dropout
from dlbook.ops import activations

Activation = str | Callable[[Tensor], Tensor]
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": activations.relu,
    "gelu": activations.gelu,
}


def _activation(name: str, activation: Activation) -> Callable[[Tensor], Tensor]:
    if not isinstance(activation, str):
        return activation
    if activation not in ACTIVATIONS:
        raise ValueError(
            f"{name}: expected activation 'relu', 'gelu' or a function, got {activation!r}"
        )
    return ACTIVATIONS[activation]


class TransformerEncoderLayer(nn.Module):
    r"""Self-attention and a feed-forward network, each with a shortcut and layer normalisation.

    With :math:`F(x) = W_2\,g(W_1 x + b_1) + b_2` the layer is, in the order of 2017,

    .. math:: h = \operatorname{norm}_1\bigl( x + \operatorname{attention}(x, x, x) \bigr), \qquad
        y = \operatorname{norm}_2\bigl( h + F(h) \bigr)
       :label: module-transformer-encoder

    and with ``norm_first``, which leaves the way along the shortcuts free of everything,

    .. math:: h = x + \operatorname{attention}\bigl( \operatorname{norm}_1(x) \bigr), \qquad
        y = h + F\bigl( \operatorname{norm}_2(h) \bigr) .
       :label: module-transformer-norm-first

    Args:
        d_model: features of inputs and outputs, E.
        nhead: heads, which divide E.
        dim_feedforward: hidden units of the feed-forward network.
        dropout: the probability for weights, hidden units and what is added to the shortcuts.
        activation: ``"relu"``, ``"gelu"`` or a function, :math:`g`.
        layer_norm_eps: what the normalisations add to the variance.
        batch_first: whether inputs are (B, T, E); otherwise (T, B, E).
        norm_first: whether to normalise before attention and network rather than after.
        bias: whether linear layers and normalisations have biases.
        device: where the parameters live.
        dtype: their floating-point type.

    Attributes:
        self_attn: the attention, a :class:`MultiheadAttention`.
        linear1: the network's first layer.
        linear2: its second one.
        norm1: the normalisation of the attention's part.
        norm2: that of the network's part.

    Raises:
        ValueError: for an unknown activation, or heads that do not divide E.

    Example:
        >>> layer = TransformerEncoderLayer(8, 2, 16, batch_first=True)
        >>> layer(torch.randn(5, 3, 8)).shape
        torch.Size([5, 3, 8])

    Chapter: :doc:`/sequences/transformers`.
    """

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = "relu",
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        place: dict[str, Any] = {"bias": bias, "device": device, "dtype": dtype}
        self.self_attn = MultiheadAttention(
            d_model, nhead, dropout, batch_first=batch_first, **place
        )
        self.linear1 = Linear(d_model, dim_feedforward, **place)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, **place)
        self.norm_first = norm_first
        self.norm1 = LayerNorm(d_model, layer_norm_eps, **place)
        self.norm2 = LayerNorm(d_model, layer_norm_eps, **place)
        self.dropout1 = Dropout(dropout)
        self.dropout2 = Dropout(dropout)
        self.activation = _activation(type(self).__name__, activation)

    def forward(
        self,
        src: Tensor,
        src_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool = False,
    ) -> Tensor:
        """Pass sequences through the layer.

        Args:
            src: (B, T, E), or (T, B, E) unless ``batch_first``, or (T, E) for one sequence.
            src_mask: what must not be seen, as ``attn_mask`` of :class:`MultiheadAttention`.
            src_key_padding_mask: positions that are hidden, (B, T).
            is_causal: hide from each position those after it; no mask is needed beside it.
        """

        def attend(x: Tensor) -> Tensor:
            y, _ = self.self_attn(
                x, x, x, src_key_padding_mask, False, src_mask, is_causal=is_causal
            )
            return self.dropout1(y)  # type: ignore[no-any-return]

        if self.norm_first:
            x = src + attend(self.norm1(src))
            return x + self._feed_forward(self.norm2(x))
        x = self.norm1(src + attend(src))
        return self.norm2(x + self._feed_forward(x))  # type: ignore[no-any-return]

    def _feed_forward(self, x: Tensor) -> Tensor:
        hidden = self.dropout(self.activation(self.linear1(x)))
        return self.dropout2(self.linear2(hidden))  # type: ignore[no-any-return]


class TransformerDecoderLayer(nn.Module):
    r"""As :class:`TransformerEncoderLayer`, with a look at the encoder's output in between.

    .. math:: h = \operatorname{norm}_1\bigl( x + \operatorname{attention}(x, x, x) \bigr), \quad
        k = \operatorname{norm}_2\bigl( h + \operatorname{attention}(h, m, m) \bigr), \quad
        y = \operatorname{norm}_3\bigl( k + F(k) \bigr)
       :label: module-transformer-decoder

    where :math:`m` is the memory, what the encoder made of the source.

    The arguments are those of :class:`TransformerEncoderLayer`.

    Attributes:
        self_attn: the attention to the decoder's own positions.
        multihead_attn: the attention to the memory.
        linear1: the network's first layer.
        linear2: its second one.
        norm1: the normalisation of the first attention's part.
        norm2: that of the second one's.
        norm3: that of the network's.

    Example:
        >>> layer = TransformerDecoderLayer(8, 2, 16, batch_first=True)
        >>> layer(torch.randn(5, 3, 8), torch.randn(5, 7, 8), tgt_is_causal=True).shape
        torch.Size([5, 3, 8])

    Chapter: :doc:`/sequences/transformers`.
    """

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = "relu",
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        place: dict[str, Any] = {"bias": bias, "device": device, "dtype": dtype}
        self.self_attn = MultiheadAttention(
            d_model, nhead, dropout, batch_first=batch_first, **place
        )
        self.multihead_attn = MultiheadAttention(
            d_model, nhead, dropout, batch_first=batch_first, **place
        )
        self.linear1 = Linear(d_model, dim_feedforward, **place)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, **place)
        self.norm_first = norm_first
        self.norm1 = LayerNorm(d_model, layer_norm_eps, **place)
        self.norm2 = LayerNorm(d_model, layer_norm_eps, **place)
        self.norm3 = LayerNorm(d_model, layer_norm_eps, **place)
        self.dropout1 = Dropout(dropout)
        self.dropout2 = Dropout(dropout)
        self.dropout3 = Dropout(dropout)
        self.activation = _activation(type(self).__name__, activation)

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """Pass sequences through the layer.

        Args:
            tgt: (B, T, E), or (T, B, E) unless ``batch_first``, or (T, E) for one sequence.
            memory: the same with S positions.
            tgt_mask: what a position must not see of the others, (T, T).
            memory_mask: what it must not see of the memory, (T, S).
            tgt_key_padding_mask: positions that are hidden, (B, T).
            memory_key_padding_mask: positions of the memory that are hidden, (B, S).
            tgt_is_causal: hide from each position those after it; no mask is needed beside it.
            memory_is_causal: the same with the memory's positions.
        """

        def attend(x: Tensor) -> Tensor:
            y, _ = self.self_attn(
                x, x, x, tgt_key_padding_mask, False, tgt_mask, is_causal=tgt_is_causal
            )
            return self.dropout1(y)  # type: ignore[no-any-return]

        def look(x: Tensor) -> Tensor:
            hidden = memory_key_padding_mask
            y, _ = self.multihead_attn(
                x, memory, memory, hidden, False, memory_mask, is_causal=memory_is_causal
            )
            return self.dropout2(y)  # type: ignore[no-any-return]

        if self.norm_first:
            x = tgt + attend(self.norm1(tgt))
            x = x + look(self.norm2(x))
            return x + self._feed_forward(self.norm3(x))
        x = self.norm1(tgt + attend(tgt))
        x = self.norm2(x + look(x))
        return self.norm3(x + self._feed_forward(x))  # type: ignore[no-any-return]

    def _feed_forward(self, x: Tensor) -> Tensor:
        hidden = self.dropout(self.activation(self.linear1(x)))
        return self.dropout3(self.linear2(hidden))  # type: ignore[no-any-return]


def _copies(name: str, layer: nn.Module, number: int) -> nn.ModuleList:
    if number < 1:
        raise ValueError(f"{name}: expected at least one layer, got num_layers={number}")
    return nn.ModuleList(copy.deepcopy(layer) for _ in range(number))


class TransformerEncoder(nn.Module):
    r"""A stack of encoder layers, with a last normalisation if one is given.

    The layers are copies of the one given and begin with the same parameters, as in PyTorch.

    Args:
        encoder_layer: the layer that is copied, a :class:`TransformerEncoderLayer`.
        num_layers: how many there are, at least 1.
        norm: what the output goes through at last, or None.

    Attributes:
        layers: the layers.
        norm: the last normalisation, or None.

    Raises:
        ValueError: for fewer layers than one.

    Departs from PyTorch, which also has settings for nested tensors.

    Example:
        >>> encoder = TransformerEncoder(TransformerEncoderLayer(8, 2, 16, batch_first=True), 3)
        >>> encoder(torch.randn(5, 3, 8)).shape
        torch.Size([5, 3, 8])

    Chapter: :doc:`/sequences/transformers`.
    """

    def __init__(
        self, encoder_layer: nn.Module, num_layers: int, norm: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.layers = _copies("TransformerEncoder", encoder_layer, num_layers)
        self.num_layers = num_layers
        self.norm = norm

    def forward(
        self,
        src: Tensor,
        mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool | None = None,
    ) -> Tensor:
        """Pass sequences through all layers; the arguments are those of a layer."""
        for layer in self.layers:
            src = layer(src, mask, src_key_padding_mask, bool(is_causal))
        return src if self.norm is None else self.norm(src)


class TransformerDecoder(nn.Module):
    r"""A stack of decoder layers, with a last normalisation if one is given.

    The layers are copies of the one given and begin with the same parameters, as in PyTorch.

    Args:
        decoder_layer: the layer that is copied, a :class:`TransformerDecoderLayer`.
        num_layers: how many there are, at least 1.
        norm: what the output goes through at last, or None.

    Attributes:
        layers: the layers.
        norm: the last normalisation, or None.

    Raises:
        ValueError: for fewer layers than one.

    Example:
        >>> decoder = TransformerDecoder(TransformerDecoderLayer(8, 2, 16, batch_first=True), 3)
        >>> decoder(torch.randn(5, 3, 8), torch.randn(5, 7, 8)).shape
        torch.Size([5, 3, 8])

    Chapter: :doc:`/sequences/transformers`.
    """

    def __init__(
        self, decoder_layer: nn.Module, num_layers: int, norm: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.layers = _copies("TransformerDecoder", decoder_layer, num_layers)
        self.num_layers = num_layers
        self.norm = norm

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """Pass sequences through all layers; the arguments are those of a layer."""
        masks = tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask
        for layer in self.layers:
            tgt = layer(tgt, memory, *masks, bool(tgt_is_causal), memory_is_causal)
        return tgt if self.norm is None else self.norm(tgt)

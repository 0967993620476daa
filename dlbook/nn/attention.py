"""Attention with learned projections, and modules that tell a position where it is.

Chapters: attention, and transformers, in the part on sequences.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import Parameter

from dlbook import init
from dlbook.nn.layers import Linear
from dlbook.nn.regularization import Dropout
from dlbook.ops import arithmetic, attention, layers, regularization


def _seen(mask: Tensor | None) -> Tensor | None:
    """A mask as the operations have it: modules say what is hidden, operations what is seen."""
    return ~mask if mask is not None and mask.dtype == torch.bool else mask


def _merged(first: Tensor | None, second: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    """One mask for two: what either hides is hidden, and numbers add up."""
    if first is None or second is None:
        return second if first is None else first
    if first.dtype == second.dtype == torch.bool:
        return first & second
    return attention._additive(first, dtype) + attention._additive(second, dtype)


class MultiheadAttention(nn.Module):
    r"""Attention (:eq:`op-attention`) by several heads, each with projections of its own.

    .. math:: Y = \operatorname{concat}(Y_1, \dots, Y_h)\,W_o^\top + b_o, \qquad
        Y_i = \operatorname{attention}\bigl( Q W_{q,i}^\top + b_{q,i},\;
            K W_{k,i}^\top + b_{k,i},\; V W_{v,i}^\top + b_{v,i} \bigr)
       :label: module-multihead-attention

    With E features and h heads, a head has E / h of them. The projections of all heads are one
    matrix, and where queries, keys and values have the same features, all three are.

    Args:
        embed_dim: features of queries and results, E.
        num_heads: h, which divides E.
        dropout: the probability by which a weight is set to 0 in training.
        bias: whether the projections add a bias.
        add_bias_kv: append a learned key and value, the same for all sequences.
        add_zero_attn: append a key and a value of zeros, so that a query may look at nothing.
        kdim: features of keys; E if None.
        vdim: features of values; E if None.
        batch_first: whether inputs are (B, T, E); otherwise (T, B, E).
        device: where the parameters live.
        dtype: their floating-point type.

    Attributes:
        in_proj_weight: the projections of queries, keys and values, in that order, one above the
            other: shape (3 E, E); None if the features differ. Then ``q_proj_weight``,
            ``k_proj_weight`` and ``v_proj_weight`` stand instead.
        in_proj_bias: of shape (3 E,), or None.
        out_proj: the linear layer :math:`W_o, b_o`.
        bias_k: the learned key of shape (1, 1, E), or None.
        bias_v: the learned value of shape (1, 1, E), or None.

    Raises:
        ValueError: if the heads do not divide E, or (when called) shapes do not fit.

    A query that may see nothing gets zeros before the last projection; PyTorch gives nan where
    weights are asked for. Departs from PyTorch also in ``is_causal``, which needs no mask beside
    it.

    Example:
        >>> layer = MultiheadAttention(8, 2, batch_first=True)
        >>> x = torch.randn(5, 3, 8)
        >>> y, weights = layer(x, x, x)
        >>> y.shape, weights.shape
        (torch.Size([5, 3, 8]), torch.Size([5, 3, 3]))

    Chapter: :doc:`/sequences/transformers`.
    """

    in_proj_weight: Parameter | None
    in_proj_bias: Parameter | None
    bias_k: Parameter | None
    bias_v: Parameter | None

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        device: Any = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        if embed_dim < 1 or num_heads < 1 or embed_dim % num_heads:
            raise ValueError(
                f"MultiheadAttention: expected a number of heads that divides {embed_dim} "
                f"features, got {num_heads}"
            )
        self.embed_dim = embed_dim
        self.kdim = embed_dim if kdim is None else kdim
        self.vdim = embed_dim if vdim is None else vdim
        self.num_heads = num_heads
        self.head_dim = embed_dim // num_heads
        self.dropout = dropout
        self.batch_first = batch_first
        self.add_zero_attn = add_zero_attn

        def numbers(*shape: int) -> Parameter:
            return Parameter(torch.empty(shape, device=device, dtype=dtype))

        self.packed = self.kdim == embed_dim and self.vdim == embed_dim
        if self.packed:
            self.in_proj_weight = numbers(3 * embed_dim, embed_dim)
        else:
            self.q_proj_weight = numbers(embed_dim, embed_dim)
            self.k_proj_weight = numbers(embed_dim, self.kdim)
            self.v_proj_weight = numbers(embed_dim, self.vdim)
            self.register_parameter("in_proj_weight", None)
        self.register_parameter("in_proj_bias", numbers(3 * embed_dim) if bias else None)
        self.out_proj = Linear(embed_dim, embed_dim, bias=bias, device=device, dtype=dtype)
        for name in ("bias_k", "bias_v"):
            self.register_parameter(name, numbers(1, 1, embed_dim) if add_bias_kv else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw initial values: Glorot's for the projections, zeros for their biases."""
        if self.in_proj_weight is not None:
            init.xavier_uniform_(self.in_proj_weight)
        else:
            for weight in (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight):
                init.xavier_uniform_(weight)
        for bias in (self.in_proj_bias, self.out_proj.bias):
            if bias is not None:
                init.zeros_(bias)
        for learned in (self.bias_k, self.bias_v):
            if learned is not None:
                init.xavier_normal_(learned)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Let queries look at keys and fetch values.

        Args:
            query: (B, T, E), or (T, B, E) unless ``batch_first``, or (T, E) for one sequence.
            key: the same with S positions of ``kdim`` features.
            value: the same with S positions of ``vdim`` features.
            key_padding_mask: of shape (B, S), or (S,) for one sequence: booleans, true for keys
                that are hidden from all queries, or numbers that are added to scores.
            need_weights: whether the weights are returned; without them it is faster.
            attn_mask: of shape (T, S), or (B · heads, T, S): booleans, true where a query must not
                see a key, or numbers that are added to scores.
            average_attn_weights: return the mean of the heads' weights rather than each head's.
            is_causal: hide from each query the keys after it, besides what masks hide.

        Returns:
            The results, of the shape of ``query``; and the weights, of shape (B, T, S) or
            (B, heads, T, S), or None.
        """
        one = query.ndim == 2
        self._check(query, key, value, one)
        same = key is query, value is key
        if one:
            query, key, value = (x.unsqueeze(0) for x in (query, key, value))
            key_padding_mask = None if key_padding_mask is None else key_padding_mask.unsqueeze(0)
        elif not self.batch_first:
            query, key, value = (x.transpose(0, 1) for x in (query, key, value))
        sizes = query.shape[0], query.shape[1], key.shape[1]
        mask = self._mask(key_padding_mask, attn_mask, sizes, query.dtype)
        q, k, v = self._project(query, key, value, same)
        if self.bias_k is not None or self.add_zero_attn:
            k, v, mask, is_causal = self._append(q, k, v, mask, is_causal)
        p_drop = self.dropout if self.training else 0.0
        weights = None
        if need_weights:
            weights = attention.attention_weights(q, k, mask, is_causal)
            weights = regularization.dropout(weights, p_drop, self.training)
            y = arithmetic.matmul(weights, v)
            if average_attn_weights:
                weights = arithmetic.mean(weights, 1)
            weights = weights.squeeze(0) if one else weights
        else:
            y = attention.scaled_dot_product_attention(q, k, v, mask, p_drop, is_causal)
        y = y.transpose(1, 2) if one or self.batch_first else y.permute(2, 0, 1, 3)
        y = self.out_proj(y.flatten(-2))
        return (y.squeeze(0) if one else y), weights

    def _check(self, query: Tensor, key: Tensor, value: Tensor, one: bool) -> None:
        batch, time = (0, 1) if self.batch_first else (1, 0)
        features = self.embed_dim, self.kdim, self.vdim
        named = zip(("query", "key", "value"), (query, key, value), features)
        for name, x, width in named:
            if x.ndim != (2 if one else 3) or x.shape[-1] != width:
                raise ValueError(
                    f"MultiheadAttention: expected {name} of {2 if one else 3} axes with {width} "
                    f"features, got shape {tuple(x.shape)}"
                )
        if not one and not query.shape[batch] == key.shape[batch] == value.shape[batch]:
            raise ValueError(
                f"MultiheadAttention: expected one batch size on axis {batch}, got shapes "
                f"{tuple(query.shape)}, {tuple(key.shape)} and {tuple(value.shape)}"
            )
        if key.shape[0 if one else time] != value.shape[0 if one else time]:
            raise ValueError(
                f"MultiheadAttention: expected as many values as keys, got key of shape "
                f"{tuple(key.shape)} and value of shape {tuple(value.shape)}"
            )

    def _project(
        self, query: Tensor, key: Tensor, value: Tensor, same: tuple[bool, bool]
    ) -> tuple[Tensor, ...]:
        """Queries, keys and values of all heads, each of shape (B, heads, positions, E / heads).

        What has one input has one product.
        """
        weight, bias = self.in_proj_weight, self.in_proj_bias
        if weight is not None and all(same):
            return self._heads(layers.linear(query, weight, bias))
        inputs, parts = [query, key, value], 3
        weights: list[Tensor]
        if weight is None:
            weights = [self.q_proj_weight, self.k_proj_weight, self.v_proj_weight]
        elif same[1]:
            inputs, parts = [query, key], 2
            weights = [weight[: self.embed_dim], weight[self.embed_dim :]]
        else:
            weights = list(weight.chunk(3))
        biases: list[Any] = [None] * parts
        if bias is not None:
            cuts = [0, self.embed_dim, 2 * self.embed_dim][:parts]
            biases = [bias[a:b] for a, b in zip(cuts, [*cuts[1:], len(bias)])]
        found = [layers.linear(x, w, b) for x, w, b in zip(inputs, weights, biases)]
        return tuple(heads for x in found for heads in self._heads(x))

    def _heads(self, x: Tensor) -> tuple[Tensor, ...]:
        """Cut (B, T, n E) into n times (B, heads, T, E / heads)."""
        batch, length, features = x.shape
        parts = x.reshape(batch, length, features // self.embed_dim, self.num_heads, self.head_dim)
        return parts.permute(2, 0, 3, 1, 4).contiguous().unbind()

    def _mask(
        self,
        padding: Tensor | None,
        mask: Tensor | None,
        sizes: tuple[int, int, int],
        dtype: torch.dtype,
    ) -> Tensor | None:
        heads, (batch, t, s) = self.num_heads, sizes
        if padding is not None:
            if padding.shape != (batch, s):
                raise ValueError(
                    f"MultiheadAttention: expected key_padding_mask for {batch} sequences of {s} "
                    f"keys, got shape {tuple(padding.shape)}"
                )
            padding = padding.reshape(batch, 1, 1, s)
        if mask is not None:
            if mask.shape not in ((t, s), (batch * heads, t, s)):
                raise ValueError(
                    f"MultiheadAttention: expected attn_mask of shape {(t, s)} or "
                    f"{(batch * heads, t, s)}, got {tuple(mask.shape)}"
                )
            if mask.ndim == 3:
                mask = mask.reshape(batch, heads, t, s)
        return _merged(_seen(mask), _seen(padding), dtype)

    def _append(
        self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, is_causal: bool
    ) -> tuple[Tensor, Tensor, Tensor | None, bool]:
        """Append the learned key and value and those of zeros, which every query may see."""
        t, s = q.shape[2], k.shape[2]
        if is_causal:  # of what was there before
            mask = _merged(
                mask, torch.ones(t, s, dtype=torch.bool, device=q.device).tril(), q.dtype
            )
        one = 1, self.num_heads, 1, self.head_dim
        shape = (len(q), *one[1:])
        more: list[tuple[Tensor, Tensor]] = []
        if self.bias_k is not None and self.bias_v is not None:
            learned = self.bias_k.reshape(one), self.bias_v.reshape(one)
            more.append((learned[0].expand(shape), learned[1].expand(shape)))
        if self.add_zero_attn:
            more.append((q.new_zeros(shape), q.new_zeros(shape)))
        for another_k, another_v in more:
            k = arithmetic.concatenate([k, another_k], 2)
            v = arithmetic.concatenate([v, another_v], 2)
            if mask is not None:
                open_to_all = mask.new_full((*mask.shape[:-1], 1), mask.dtype == torch.bool)
                mask = torch.cat([mask, open_to_all], -1)
        return k, v, mask, False

    def extra_repr(self) -> str:
        return (
            f"embed_dim={self.embed_dim}, num_heads={self.num_heads}, dropout={self.dropout}, "
            f"batch_first={self.batch_first}"
        )


class AdditiveAttention(nn.Module):
    r"""Attention with scores from a small network (:eq:`op-additive-attention`).

    It is what Bahdanau's decoder looks back with: its state is the query, the encoder's states are
    keys and values. The keys' projection is the same for every step; :meth:`project` computes it
    once.

    Args:
        query_dim: features of a query, D.
        key_dim: features of a key, K.
        units: hidden units, M.
        bias: whether the hidden units have a bias.
        device: where the parameters live.
        dtype: their floating-point type.

    Attributes:
        query_weight: :math:`W_q` of shape (M, D).
        key_weight: :math:`W_k` of shape (M, K).
        score_weight: :math:`w` of shape (M,).
        bias: :math:`b` of shape (M,), or None.

    The weights begin as a linear layer's do, uniformly between :math:`\pm 1 / \sqrt n` for n
    inputs.

    Example:
        >>> look = AdditiveAttention(6, 4, 8)
        >>> y, weights = look(torch.randn(5, 1, 6), torch.randn(5, 7, 4))
        >>> y.shape, weights.shape
        (torch.Size([5, 1, 4]), torch.Size([5, 1, 7]))

    Chapter: :doc:`/sequences/attention`.
    """

    bias: Parameter | None

    def __init__(
        self,
        query_dim: int,
        key_dim: int,
        units: int,
        bias: bool = False,
        device: Any = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.query_dim, self.key_dim, self.units = query_dim, key_dim, units

        def numbers(*shape: int) -> Parameter:
            return Parameter(torch.empty(shape, device=device, dtype=dtype))

        self.query_weight = numbers(units, query_dim)
        self.key_weight = numbers(units, key_dim)
        self.score_weight = numbers(units)
        self.register_parameter("bias", numbers(units) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw initial values."""
        for weight in (self.query_weight, self.key_weight, self.score_weight):
            bound = weight.shape[-1] ** -0.5
            init.uniform_(weight, -bound, bound)
        if self.bias is not None:
            init.zeros_(self.bias)

    def project(self, key: Tensor) -> Tensor:
        """Return the hidden units' share of the keys, (B, S, M), to be handed to many calls.

        Args:
            key: (B, S, K).
        """
        return layers.linear(key, self.key_weight)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor | None = None,
        key_padding_mask: Tensor | None = None,
        projected: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Let queries look at keys and fetch values.

        Args:
            query: (B, T, D).
            key: (B, S, K).
            value: (B, S, any features); the keys themselves if None.
            key_padding_mask: booleans of shape (B, S), true for keys that are hidden.
            projected: what :meth:`project` made of the keys; computed if None.

        Returns:
            The results, (B, T, features of the values), and the weights, (B, T, S).
        """
        mask = None
        if key_padding_mask is not None:
            if key_padding_mask.shape != key.shape[:-1]:
                raise ValueError(
                    f"AdditiveAttention: expected key_padding_mask of shape "
                    f"{tuple(key.shape[:-1])}, got {tuple(key_padding_mask.shape)}"
                )
            mask = _seen(key_padding_mask)
            mask = None if mask is None else mask.unsqueeze(-2)
        return attention.additive_attention(
            query,
            key if projected is None else projected,
            key if value is None else value,
            self.score_weight,
            self.query_weight,
            self.key_weight if projected is None else None,
            self.bias,
            mask,
        )

    def extra_repr(self) -> str:
        return (
            f"query_dim={self.query_dim}, key_dim={self.key_dim}, units={self.units}, "
            f"bias={self.bias is not None}"
        )


# --- positions ----------------------------------------------------------------------------------


class SinusoidalEncoding(nn.Module):
    r"""Add waves to the features, so that a position is told by its value
    (:eq:`op-sinusoidal-encoding`).

    It has no parameters and no end: the waves go on.

    Args:
        dim: features, D; even.
        dropout: the probability by which a number of the sum is set to 0 in training.
        base: wave lengths go from :math:`2\pi` to nearly :math:`2\pi` times this.

    Raises:
        ValueError: if ``dim`` is odd, or (when called) the input has other features.

    Example:
        >>> SinusoidalEncoding(4)(torch.zeros(1, 2, 4))
        tensor([[[0.0000, 1.0000, 0.0000, 1.0000],
                 [0.8415, 0.5403, 0.0100, 0.9999]]])

    Chapter: :doc:`/sequences/transformers`.
    """

    waves: Tensor

    def __init__(self, dim: int, dropout: float = 0.0, base: float = 10_000.0) -> None:
        super().__init__()
        self.dim, self.base = dim, base
        self.dropout = Dropout(dropout)
        self.register_buffer("waves", self._waves(0, 64), persistent=False)

    def _waves(self, start: int, stop: int) -> Tensor:
        positions = torch.arange(start, stop)
        return attention.sinusoidal_encoding(
            positions, self.dim, base=self.base, dtype=torch.float64
        )

    def forward(self, input: Tensor, start: int = 0) -> Tensor:
        """Add the encodings of the positions from ``start`` on.

        Args:
            input: (…, T, D): the batch goes first.
            start: the position of the first step.
        """
        if input.ndim < 2 or input.shape[-1] != self.dim:
            raise ValueError(
                f"SinusoidalEncoding: expected input of shape (…, T, {self.dim}), got "
                f"{tuple(input.shape)}"
            )
        stop = start + input.shape[-2]
        if stop > len(self.waves):  # kept for the next time
            self.waves = self._waves(0, 2 * stop).to(self.waves)
        encoding = self.waves[start:stop].to(input)
        y: Tensor = self.dropout(arithmetic.add(input, encoding))
        return y

    def extra_repr(self) -> str:
        return f"{self.dim}, base={self.base}"


class LearnedEncoding(nn.Module):
    r"""Add a learned row to the features of each position.

    Args:
        length: positions that there are rows for.
        dim: features, D.
        device: where the rows live.
        dtype: their floating-point type.

    Attributes:
        weight: the rows, of shape (length, D); normal numbers of standard deviation 0.02 at the
            start, as in GPT-2.

    Raises:
        ValueError: (when called) for other features, or positions beyond the last row.

    Example:
        >>> LearnedEncoding(16, 4)(torch.zeros(5, 3, 4)).shape
        torch.Size([5, 3, 4])

    Chapter: :doc:`/sequences/transformers`.
    """

    def __init__(
        self, length: int, dim: int, device: Any = None, dtype: torch.dtype | None = None
    ) -> None:
        super().__init__()
        self.length, self.dim = length, dim
        self.weight = Parameter(torch.empty(length, dim, device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw initial values."""
        init.normal_(self.weight, std=0.02)

    def forward(self, input: Tensor, start: int = 0) -> Tensor:
        """Add the rows of the positions from ``start`` on.

        Args:
            input: (…, T, D): the batch goes first.
            start: the position of the first step.
        """
        if input.ndim < 2 or input.shape[-1] != self.dim:
            raise ValueError(
                f"LearnedEncoding: expected input of shape (…, T, {self.dim}), got "
                f"{tuple(input.shape)}"
            )
        stop = start + input.shape[-2]
        if start < 0 or stop > self.length:
            raise ValueError(
                f"LearnedEncoding: expected positions from 0 to {self.length - 1}, got "
                f"{start} to {stop - 1}"
            )
        return arithmetic.add(input, self.weight[start:stop])

    def extra_repr(self) -> str:
        return f"{self.length}, {self.dim}"


class RotaryEmbedding(nn.Module):
    r"""Turn queries or keys by their positions (:eq:`op-rotary-embedding`).

    Args:
        dim: features of a head, D; even.
        base: the slowest pair's wave is nearly :math:`2\pi` times this long.

    Raises:
        ValueError: (when called) for other features.

    Example:
        >>> RotaryEmbedding(2)(torch.tensor([[1.0, 0.0], [1.0, 0.0]]))
        tensor([[1.0000, 0.0000],
                [0.5403, 0.8415]])

    Chapter: :doc:`/sequences/transformers`.
    """

    def __init__(self, dim: int, base: float = 10_000.0) -> None:
        super().__init__()
        self.dim, self.base = dim, base

    def forward(self, input: Tensor, start: int = 0) -> Tensor:
        """Turn what stands at the positions from ``start`` on.

        Args:
            input: (…, T, D), such as (B, heads, T, D).
            start: the position of the first step.
        """
        if input.ndim < 2 or input.shape[-1] != self.dim:
            raise ValueError(
                f"RotaryEmbedding: expected input of shape (…, T, {self.dim}), got "
                f"{tuple(input.shape)}"
            )
        positions = torch.arange(start, start + input.shape[-2], device=input.device)
        return attention.rotary_embedding(input, positions, base=self.base)

    def extra_repr(self) -> str:
        return f"{self.dim}, base={self.base}"

r"""A decoder-only transformer: what comes next, given everything that came before.

It is GPT-2's architecture (Radford and others, "Language models are unsupervised multitask
learners", 2019): rows of a table for tokens and for positions, added up; blocks of causal
self-attention and a feed-forward network, each behind a layer normalisation and beside a shortcut;
a last normalisation; and scores by products with the rows of the table of tokens, which so has two
uses (*weight tying*).

**Keys and values kept.** A position sees only those before it, so what the network computes for
them does not change when a token is appended. A :class:`KeyValueCache` holds the keys and values of
all blocks; then one more token costs one row of each product instead of all of them, and one row of
scores of attention.

Chapter: :doc:`/sequences/transformers`.
"""

import functools
import math
import re
from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor, nn

from dlbook import init
from dlbook.models.sampling import sample
from dlbook.nn.activations import GELU
from dlbook.nn.attention import LearnedEncoding
from dlbook.nn.layers import Embedding, Linear
from dlbook.nn.normalization import LayerNorm
from dlbook.nn.regularization import Dropout
from dlbook.ops import layers
from dlbook.ops.attention import scaled_dot_product_attention

__all__ = ["GPT", "CausalSelfAttention", "GPTBlock", "KeyValueCache", "convert_gpt2", "gpt2"]


def _check_heads(name: str, width: int, heads: int) -> None:
    if width < 1 or heads < 1 or width % heads:
        raise ValueError(
            f"{name}: expected a number of heads that divides {width} features, got {heads}"
        )


class KeyValueCache:
    """Keys and values of the positions that a :class:`GPT` has seen so far, block by block.

    Args:
        blocks: how many blocks the network has.
        context: positions that there is room for.

    Attributes:
        length: positions that are held.

    Example:
        >>> model = GPT(10, 8, 2, 2, 4).eval()
        >>> cache = KeyValueCache(2, 8)
        >>> tokens = torch.tensor([[3, 1, 4]])
        >>> with torch.no_grad():
        ...     first, second = model(tokens[:, :2], cache), model(tokens[:, 2:], cache)
        ...     whole = model(tokens)
        >>> cache.length, torch.allclose(torch.cat([first, second], 1), whole, atol=1e-6)
        (3, True)

    Chapter: :doc:`/sequences/transformers`.
    """

    def __init__(self, blocks: int, context: int) -> None:
        self.blocks, self.context = blocks, context
        self.length = 0
        self._kept: dict[int, tuple[Tensor, Tensor]] = {}

    def extend(self, block: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Write down what one block has for the next positions, and return it for all so far.

        The length stays as it is, until :meth:`advance` says that all blocks have written.

        Args:
            block: the block's number.
            key: (B, heads, T, D).
            value: the same.

        Raises:
            ValueError: if there is no room, or the shapes do not fit what is held.
            RuntimeError: if gradients are asked for, which would end at what is held.
        """
        if torch.is_grad_enabled() and (key.requires_grad or value.requires_grad):
            raise RuntimeError(
                "KeyValueCache: expected to be called under torch.no_grad(): it holds numbers, "
                "and gradients would end there"
            )
        batch, heads, time, features = key.shape
        stop = self.length + time
        if stop > self.context:
            raise ValueError(
                f"KeyValueCache: expected at most {self.context} positions, got {stop}"
            )
        if block not in self._kept:
            room = batch, heads, self.context, features
            self._kept[block] = key.new_empty(room), value.new_empty(room)
        keys, values = self._kept[block]
        if len(keys) != batch:
            raise ValueError(
                f"KeyValueCache: expected the {len(keys)} sequences that it holds, got {batch}"
            )
        keys[:, :, self.length : stop] = key
        values[:, :, self.length : stop] = value
        return keys[:, :, :stop], values[:, :, :stop]

    def advance(self, time: int) -> None:
        """Count positions that all blocks have written down."""
        self.length += time


class CausalSelfAttention(nn.Module):
    r"""Attention of each position to itself and to those before it (:eq:`op-attention`).

    Args:
        width: features of inputs and outputs, E.
        heads: how many parts the features are cut into, each of which attends on its own.
        dropout: the probability for weights and outputs.

    Attributes:
        in_proj: the layer that makes queries, keys and values, in that order.
        out_proj: the layer that all heads' results go through.

    Raises:
        ValueError: if the heads do not divide the width.

    Example:
        >>> CausalSelfAttention(8, 2)(torch.randn(5, 3, 8)).shape
        torch.Size([5, 3, 8])

    Chapter: :doc:`/sequences/transformers`.
    """

    def __init__(self, width: int, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        _check_heads("CausalSelfAttention", width, heads)
        self.heads = heads
        self.in_proj = Linear(width, 3 * width)
        self.out_proj = Linear(width, width)
        self.dropout = Dropout(dropout)

    def forward(
        self, x: Float[Tensor, "B T E"], cache: KeyValueCache | None = None, block: int = 0
    ) -> Float[Tensor, "B T E"]:
        """Let each position look back.

        Args:
            x: the positions; with a cache, those that it does not hold yet.
            cache: what is held of earlier positions; it is extended.
            block: the number under which the cache holds them.
        """
        batch, time, width = x.shape
        parts = self.in_proj(x).reshape(batch, time, 3, self.heads, width // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4).contiguous().unbind()
        mask = None
        if cache is not None:
            key, value = cache.extend(block, key, value)
            if 1 < time < key.shape[2]:  # the first of these sees all earlier positions and itself
                seen = torch.ones(time, key.shape[2], dtype=torch.bool, device=x.device)
                mask = seen.tril(key.shape[2] - time)
        y = scaled_dot_product_attention(
            query,
            key,
            value,
            mask,
            self.dropout.p if self.training else 0.0,
            is_causal=mask is None and time > 1,
        )
        out: Tensor = self.dropout(self.out_proj(y.transpose(1, 2).flatten(-2)))
        return out

    def extra_repr(self) -> str:
        return f"heads={self.heads}"


class GPTBlock(nn.Module):
    r"""Causal attention and a feed-forward network, each behind a norm and beside a shortcut.

    .. math:: h = x + \operatorname{attention}\bigl( \operatorname{norm}_1(x) \bigr), \qquad
        y = h + W_2\,g\bigl( W_1 \operatorname{norm}_2(h) + b_1 \bigr) + b_2

    where :math:`g` is GELU in the form with tanh, and has four times as many units as the input.

    Args:
        width: features of inputs and outputs, E.
        heads: heads of the attention.
        dropout: the probability for attention's weights and for what is added.

    Example:
        >>> GPTBlock(8, 2)(torch.randn(5, 3, 8)).shape
        torch.Size([5, 3, 8])

    Chapter: :doc:`/sequences/transformers`.
    """

    def __init__(self, width: int, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        _check_heads("GPTBlock", width, heads)
        self.norm1 = LayerNorm(width)
        self.attention = CausalSelfAttention(width, heads, dropout)
        self.norm2 = LayerNorm(width)
        self.linear1 = Linear(width, 4 * width)
        self.activation = GELU(approximate="tanh")
        self.linear2 = Linear(4 * width, width)
        self.dropout = Dropout(dropout)

    def forward(
        self, x: Float[Tensor, "B T E"], cache: KeyValueCache | None = None, block: int = 0
    ) -> Float[Tensor, "B T E"]:
        """Pass positions through; the arguments are those of :class:`CausalSelfAttention`."""
        x = x + self.attention(self.norm1(x), cache, block)
        hidden = self.activation(self.linear1(self.norm2(x)))
        y: Tensor = x + self.dropout(self.linear2(hidden))
        return y


class GPT(nn.Module):
    r"""Scores for the next token at every position, from the tokens up to there.

    .. math:: x_t = E_{i_t} + P_t, \qquad x \leftarrow \operatorname{block}_l(x), \qquad
        z_t = E \operatorname{norm}(x_t)

    The table :math:`E` of tokens has a row for each of V tokens and is used twice. Weights begin
    as normal numbers of standard deviation 0.02 and biases as zeros; those of the 2 L layers whose
    outputs are added to the shortcuts have it divided by :math:`\sqrt{2 L}`, so that the sum of
    all of them is as large in a deep network as in a shallow one.

    Args:
        vocabulary: tokens, V.
        context: the largest number of positions.
        layers: blocks, L.
        heads: heads of each attention.
        width: features, E; the heads divide it.
        dropout: the probability for the sum of the tables, attention's weights and what blocks add.
        tied: whether scores come from the table of tokens; else from a layer ``head`` without bias.

    Attributes:
        tokens: the table :math:`E`.
        positions: the table :math:`P`.
        blocks: the blocks.
        norm: the last normalisation.
        head: the layer for the scores; None if ``tied``.

    Raises:
        ValueError: for fewer layers, tokens or positions than one, and heads that do not divide the
            width; (when called) for tokens of other shape than (B, T), or more than there are
            positions.

    Example:
        >>> model = GPT(vocabulary=10, context=8, layers=2, heads=2, width=4)
        >>> tokens = torch.tensor([[3, 1, 4, 1, 5]])
        >>> model(tokens).shape
        torch.Size([1, 5, 10])
        >>> model.generate(tokens, 6, top_k=3).shape
        torch.Size([1, 11])

    Chapter: :doc:`/sequences/transformers`.
    """

    head: Linear | None

    def __init__(
        self,
        vocabulary: int,
        context: int,
        layers: int,
        heads: int,
        width: int,
        dropout: float = 0.0,
        tied: bool = True,
    ) -> None:
        super().__init__()
        if min(vocabulary, context, layers) < 1:
            raise ValueError(
                f"GPT: expected a vocabulary, a context and layers of at least 1, got "
                f"{vocabulary}, {context} and {layers}"
            )
        _check_heads("GPT", width, heads)
        self.context = context
        self.tokens = Embedding(vocabulary, width)
        self.positions = LearnedEncoding(context, width)
        self.dropout = Dropout(dropout)
        self.blocks = nn.ModuleList(GPTBlock(width, heads, dropout) for _ in range(layers))
        self.norm = LayerNorm(width)
        self.head = None if tied else Linear(width, vocabulary, bias=False)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw initial values."""
        for module in self.modules():
            if isinstance(module, Linear | Embedding | LearnedEncoding):
                init.normal_(module.weight, std=0.02)
            if isinstance(module, Linear) and module.bias is not None:
                init.zeros_(module.bias)
            if isinstance(module, LayerNorm):
                module.reset_parameters()
        for name, p in self.named_parameters():
            if name.endswith(("out_proj.weight", "linear2.weight")):
                init.normal_(p, std=0.02 / math.sqrt(2 * len(self.blocks)))

    def features(
        self, tokens: Int[Tensor, "B T"], cache: KeyValueCache | None = None
    ) -> Float[Tensor, "B T E"]:
        """What the scores are made of: the output of the last normalisation."""
        start = 0 if cache is None else cache.length
        if tokens.ndim != 2 or start + tokens.shape[1] > self.context:
            raise ValueError(
                f"GPT: expected tokens of shape (B, T) with T at most {self.context - start}, got "
                f"{tuple(tokens.shape)}"
            )
        x = self.dropout(self.positions(self.tokens(tokens), start))
        for number, block in enumerate(self.blocks):
            x = block(x, cache, number)
        if cache is not None:
            cache.advance(tokens.shape[1])
        return self.norm(x)  # type: ignore[no-any-return]

    def scores(self, features: Float[Tensor, "*B E"]) -> Float[Tensor, "*B V"]:
        """The scores of all tokens, from features."""
        table = self.tokens.weight if self.head is None else self.head.weight
        return layers.linear(features, table)

    def forward(
        self, tokens: Int[Tensor, "B T"], cache: KeyValueCache | None = None
    ) -> Float[Tensor, "B T V"]:
        """Give scores for what follows each position.

        Args:
            tokens: numbers from 0 to V - 1; with a cache, those that it does not hold yet.
            cache: keys and values of the positions before; it is extended.
        """
        return self.scores(self.features(tokens, cache))

    @torch.no_grad()
    def generate(
        self,
        tokens: Tensor,
        count: int,
        *,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        generator: Generator | None = None,
        stop: int | None = None,
        cache: bool = True,
        keep: int | None = None,
    ) -> Tensor:
        """Append tokens one by one, each drawn by the scores that those before it give.

        Dropout is off meanwhile. A text longer than the context goes on with its last ``keep``
        tokens in view, at the first positions, until the context is full again. What is kept of
        earlier positions is of no use then, as all of them have moved.

        Args:
            tokens: what the texts begin with, at least one token, of shape (B, T).
            count: how many tokens to append.
            temperature: what the scores are divided by; 0 takes the best token.
            top_k: draw from the k best tokens only; None for all.
            top_p: draw from the best ones with this probability; None for all.
            generator: where the random numbers come from.
            stop: a token that ends a text: the rest of it is this token again, and when all texts
                have ended, no more are appended.
            cache: whether to keep keys and values: the same tokens, faster.
            keep: tokens in view when there is one more than the context holds; half of it if None.
                With all of it the view moves by one token each time, and a cache is of no use.

        Returns:
            The beginnings and what follows, of shape (B, T + count), or shorter after ``stop``.

        Raises:
            ValueError: for no token to begin with, and a ``keep`` out of range.
        """
        keep = max(1, self.context // 2) if keep is None else keep
        if tokens.ndim != 2 or tokens.shape[1] < 1:
            raise ValueError(
                f"GPT.generate: expected at least one token to begin with, shape (B, T), got "
                f"{tuple(tokens.shape)}"
            )
        if not 1 <= keep <= self.context:
            raise ValueError(
                f"GPT.generate: expected to keep from 1 to {self.context} tokens, got {keep}"
            )
        choose = functools.partial(
            sample, temperature=temperature, top_k=top_k, top_p=top_p, generator=generator
        )
        was_training = self.training
        self.eval()
        try:
            return self._extended(tokens, count, choose, stop, cache, keep)
        finally:
            self.train(was_training)

    def _extended(
        self, tokens: Tensor, count: int, choose: Any, stop: int | None, cache: bool, keep: int
    ) -> Tensor:
        first = max(0, tokens.shape[1] - self.context)  # the first token in view
        kept = KeyValueCache(len(self.blocks), self.context) if cache else None
        ended = torch.zeros(len(tokens), dtype=torch.bool, device=tokens.device)
        for _ in range(count):
            if tokens.shape[1] - first > self.context:
                first = tokens.shape[1] - keep
                kept = KeyValueCache(len(self.blocks), self.context) if cache else None
            unseen = first if kept is None else first + kept.length
            features = self.features(tokens[:, unseen:], kept)[:, -1]
            chosen = choose(self.scores(features))
            if stop is not None:
                chosen = chosen.masked_fill(ended, stop)
                ended = ended | (chosen == stop)
            tokens = torch.cat([tokens, chosen.unsqueeze(1).to(tokens.dtype)], 1)
            if stop is not None and bool(ended.all()):
                break
        return tokens


# --- the published weights ----------------------------------------------------------------------


def gpt2(dropout: float = 0.1) -> GPT:
    """The smallest of the four networks published as GPT-2: 124,439,808 parameters.

    Args:
        dropout: the probability in training.

    Example:
        >>> with torch.device("meta"):  # shapes only
        ...     model = gpt2()
        >>> f"{sum(p.numel() for p in model.parameters()):,}"
        '124,439,808'

    Chapter: :doc:`/sequences/transformers`.
    """
    return GPT(vocabulary=50_257, context=1024, layers=12, heads=12, width=768, dropout=dropout)


#: Names of the published weights, as patterns, and ours.
NAMES = {
    r"wte": "tokens",
    r"wpe": "positions",
    r"h\.(\d+)\.ln_1": r"blocks.\1.norm1",
    r"h\.(\d+)\.attn\.c_attn": r"blocks.\1.attention.in_proj",
    r"h\.(\d+)\.attn\.c_proj": r"blocks.\1.attention.out_proj",
    r"h\.(\d+)\.ln_2": r"blocks.\1.norm2",
    r"h\.(\d+)\.mlp\.c_fc": r"blocks.\1.linear1",
    r"h\.(\d+)\.mlp\.c_proj": r"blocks.\1.linear2",
    r"ln_f": "norm",
}
MASKS = re.compile(r"h\.\d+\.attn\.(masked_)?bias")
TRANSPOSED = re.compile(r"h\.\d+\.(attn|mlp)\.c_\w+\.weight")


def convert_gpt2(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    r"""Rename and transpose GPT-2's published weights, so that a :class:`GPT` can load them.

    Linear layers were written there as :math:`x W`, and ours are :math:`x W^\top`; so their
    matrices are transposed. Causal masks, which are stored beside the weights, are left out, and so
    is ``lm_head.weight``, the table of tokens once more.

    Args:
        weights: by published name, with or without ``transformer.`` in front, such as
            ``h.0.attn.c_attn.weight``.

    Returns:
        What ``load_state_dict`` takes. Nothing is copied: transposed matrices are views.

    Raises:
        ValueError: for a name that is unknown, a matrix with other than two axes, and scores that
            do not come from the table of tokens.

    Example:
        >>> published = {"transformer.h.3.mlp.c_fc.weight": torch.zeros(768, 3072)}
        >>> {name: tuple(w.shape) for name, w in convert_gpt2(published).items()}
        {'blocks.3.linear1.weight': (3072, 768)}

    Chapter: :doc:`/sequences/transformers`.
    """
    found: dict[str, Tensor] = {}
    for full_name, weight in weights.items():
        name = full_name.removeprefix("transformer.")
        if MASKS.fullmatch(name) or name == "lm_head.weight":
            continue
        place, _, entry = name.rpartition(".")
        ours = [
            re.sub(pattern, new, place)
            for pattern, new in NAMES.items()
            if re.fullmatch(pattern, place)
        ]
        if not ours or entry not in ("weight", "bias"):
            raise ValueError(f"convert_gpt2: expected a name of GPT-2's weights, got {full_name!r}")
        if TRANSPOSED.fullmatch(name):
            if weight.ndim != 2:
                raise ValueError(
                    f"convert_gpt2: expected a matrix for {full_name}, got {tuple(weight.shape)}"
                )
            weight = weight.t()
        found[f"{ours[0]}.{entry}"] = weight
    scores, table = weights.get("lm_head.weight"), found.get("tokens.weight")
    if scores is not None and table is not None and not _same(scores, table):
        raise ValueError(
            "convert_gpt2: expected lm_head.weight to be the table of tokens, got another"
        )
    return found


def _same(first: Tensor, second: Tensor) -> bool:
    if first.is_meta or second.is_meta:
        return first.shape == second.shape
    return torch.equal(first, second)

"""Rows for transformers: the same networks written with PyTorch's modules, under our names.

The published sizes have no row: tests/test_gpt.py holds their names, shapes and counts.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from dlbook.testing._row import Bad, Row, Sample, Samples, integers, normal


def row(name: str, reference: Any, samples: Samples, formula: str, *bad: Bad) -> Row:
    stem = "transformers"
    return Row(f"models.{name}", reference, samples, formula, stem, kind="module", bad=bad)


# --- GPT ----------------------------------------------------------------------------------------


class Looking(nn.Module):
    """Causal attention, by PyTorch's own operation."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.in_proj, self.out_proj = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        parts = self.in_proj(x).chunk(3, -1)
        q, k, v = (torch.stack(part.chunk(self.heads, -1), 1) for part in parts)
        y = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        out: Tensor = self.out_proj(torch.cat(list(y.unbind(1)), -1))
        return out


class Block(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attention = Looking(width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.linear1, self.linear2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.norm1(x))
        hidden = functional.gelu(self.linear1(self.norm2(x)), approximate="tanh")
        y: Tensor = x + self.linear2(hidden)
        return y


class Network(nn.Module):
    """Without dropout."""

    def __init__(
        self, vocabulary: int, context: int, layers: int, heads: int, width: int, tied: bool = True
    ) -> None:
        super().__init__()
        self.tokens, self.positions = nn.Embedding(vocabulary, width), nn.Embedding(context, width)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.head = None if tied else nn.Linear(width, vocabulary, bias=False)
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, std=0.02)
            if isinstance(module, nn.Linear) and module.bias is not None:
                nn.init.zeros_(module.bias)
        for name, p in self.named_parameters():
            if name.endswith(("out_proj.weight", "linear2.weight")):
                nn.init.normal_(p, std=0.02 * (2 * layers) ** -0.5)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.tokens(tokens) + self.positions(torch.arange(tokens.shape[1]))
        for block in self.blocks:
            x = block(x)
        table = self.tokens.weight if self.head is None else self.head.weight
        return functional.linear(self.norm(x), table)


def sequences(*settings: tuple[str, Sequence[int]]) -> Samples:
    """Features of positions, for a constructor's arguments."""

    def samples(g: Generator) -> Iterable[Sample]:
        for label, args in settings:
            yield Sample(label, tuple(args), inputs=(normal(g, 2, 3, args[0]),))

    return samples


def texts(g: Generator) -> Iterable[Sample]:
    yield Sample("plain", (5, 4, 2, 2, 4), inputs=(integers(g, 5, 2, 3),))
    yield Sample("one head, full context", (5, 4, 1, 1, 4), inputs=(integers(g, 5, 1, 4),))
    yield Sample("one token", (5, 4, 1, 2, 4), inputs=(integers(g, 5, 2, 1),))
    yield Sample("not tied", (5, 4, 1, 2, 4), {"tied": False}, inputs=(integers(g, 5, 2, 3),))


LONG = torch.zeros(1, 5, dtype=torch.int64)

ROWS = [
    row(
        "CausalSelfAttention",
        Looking,
        sequences(("two heads", (4, 2)), ("one head", (4, 1))),
        r"y_t = W_o \sum_{s \le t} P_{ts} v_s + b_o",
        Bad("CausalSelfAttention: expected a number of heads that divides 4 features", (4, 3)),
    ),
    row(
        "GPTBlock",
        Block,
        sequences(("two heads", (4, 2)), ("one head", (4, 1))),
        r"h = x + \operatorname{attention}(\operatorname{norm}_1 x), \quad "
        r"y = h + F(\operatorname{norm}_2 h)",
        Bad("GPTBlock: expected a number of heads that divides 4 features, got 0", (4, 0)),
    ),
    row(
        "GPT",
        Network,
        texts,
        r"z_t = E \operatorname{norm}(\operatorname{blocks}(E_{i_t} + P_t))",
        Bad("GPT: expected a vocabulary, a context and layers of at least 1", (5, 4, 0, 2, 4)),
        Bad("GPT: expected a number of heads that divides 4 features", (5, 4, 1, 3, 4)),
        Bad("GPT: expected tokens of shape (B, T) with T at most 4", (5, 4, 1, 2, 4), {}, (LONG,)),
        Bad("GPT: expected tokens of shape (B, T)", (5, 4, 1, 2, 4), {}, (LONG[0, :2],)),
    ),
]

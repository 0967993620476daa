"""Rows for transformers: the same networks written with PyTorch's modules, under our names.

The published sizes have no row: tests/test_gpt.py and tests/test_vit.py hold their names, shapes
and counts.
"""

import math
from collections import OrderedDict
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
        q, k, v = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in parts)
        y = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        out: Tensor = self.out_proj(y.transpose(1, 2).flatten(2))
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


# --- the transformer of 2017 --------------------------------------------------------------------


class Both(nn.Module):
    """Encoder and decoder, without dropout unless a sample says otherwise."""

    def __init__(
        self,
        source_vocabulary: int,
        target_vocabulary: int,
        d_model: int,
        nhead: int,
        num_encoder_layers: int,
        num_decoder_layers: int,
        dim_feedforward: int,
        dropout: float,
        norm_first: bool = False,
        padding: int | None = None,
        tied: bool = False,
    ) -> None:
        super().__init__()
        self.padding = padding
        self.source = nn.Embedding(source_vocabulary, d_model)
        self.target = self.source if tied else nn.Embedding(target_vocabulary, d_model)
        settings: Any = {"batch_first": True, "norm_first": norm_first}
        sizes = d_model, nhead, dim_feedforward, dropout
        last = (lambda: nn.LayerNorm(d_model)) if norm_first else lambda: None
        one = nn.TransformerEncoderLayer(*sizes, **settings)
        self.encoder = nn.TransformerEncoder(
            one, num_encoder_layers, last(), enable_nested_tensor=False
        )
        other = nn.TransformerDecoderLayer(*sizes, **settings)
        self.decoder = nn.TransformerDecoder(other, num_decoder_layers, last())
        self.head = nn.Linear(d_model, target_vocabulary)
        if tied:
            self.head.weight = self.source.weight
        for p in self.parameters():
            if p.ndim > 1:
                nn.init.xavier_uniform_(p)
        nn.init.zeros_(self.head.bias)
        for table in (self.source, self.target):
            nn.init.normal_(table.weight, std=1 / math.sqrt(d_model))

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        x, y = (
            math.sqrt(table.embedding_dim) * table(t) + waves(t.shape[1], table.embedding_dim)
            for table, t in ((self.source, source), (self.target, target))
        )
        hidden = [None if self.padding is None else t == self.padding for t in (source, target)]
        memory = self.encoder(x, src_key_padding_mask=hidden[0])
        later = torch.ones(2 * target.shape[1:], dtype=torch.bool).triu(1)
        out = self.decoder(
            y,
            memory,
            tgt_mask=later,
            tgt_key_padding_mask=hidden[1],
            memory_key_padding_mask=hidden[0],
        )
        z: Tensor = self.head(out)
        return z


def waves(length: int, features: int) -> Tensor:
    """Sines and cosines of every position, one by one."""
    rows = [
        [
            (math.sin, math.cos)[i % 2](t / 10_000 ** ((i - i % 2) / features))
            for i in range(features)
        ]
        for t in range(length)
    ]
    return torch.tensor(rows, dtype=torch.float64)


def translations(g: Generator) -> Iterable[Sample]:
    sizes, still = (4, 5, 4, 2, 1, 1, 3), {"dropout": 0.0}
    pair = integers(g, 4, 2, 3), integers(g, 5, 2, 2)
    yield Sample("plain", sizes, still, inputs=pair, smooth=False)
    first = {**still, "norm_first": True}
    yield Sample("norm first, two layers", (4, 5, 4, 2, 2, 2, 3), first, inputs=pair, smooth=False)
    tied = {**still, "tied": True}
    yield Sample("tied", (5, *sizes[1:]), tied, inputs=pair, smooth=False)
    filled = torch.tensor([[1, 2, 3], [3, 0, 0]]), torch.tensor([[1, 4, 2], [2, 1, 0]])
    yield Sample("padding", sizes, {**still, "padding": 0}, inputs=filled, smooth=False)


# --- images -------------------------------------------------------------------------------------


class Seeing(nn.Module):
    def __init__(self, num_heads: int, hidden_dim: int, mlp_dim: int) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(hidden_dim, 1e-6)
        self.self_attention = nn.MultiheadAttention(hidden_dim, num_heads, batch_first=True)
        self.ln_2 = nn.LayerNorm(hidden_dim, 1e-6)
        first, last = nn.Linear(hidden_dim, mlp_dim), nn.Linear(mlp_dim, hidden_dim)
        self.mlp = nn.Sequential(first, nn.GELU(), nn.Identity(), last)
        for layer in (first, last):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.normal_(layer.bias, std=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        y = self.ln_1(x)
        x = x + self.self_attention(y, y, y, need_weights=False)[0]
        z: Tensor = x + self.mlp(self.ln_2(x))
        return z


class Images(nn.Module):
    """Patches cut out one by one."""

    def __init__(
        self,
        image_size: int,
        patch_size: int,
        num_layers: int,
        num_heads: int,
        hidden_dim: int,
        mlp_dim: int,
        num_classes: int,
        in_channels: int = 3,
    ) -> None:
        super().__init__()
        self.class_token = nn.Parameter(torch.zeros(1, 1, hidden_dim))
        self.conv_proj = nn.Conv2d(in_channels, hidden_dim, patch_size, patch_size)
        self.encoder = nn.Module()
        length = (image_size // patch_size) ** 2 + 1
        self.encoder.pos_embedding = nn.Parameter(torch.empty(1, length, hidden_dim))
        nn.init.normal_(self.encoder.pos_embedding, std=0.02)
        blocks = [Seeing(num_heads, hidden_dim, mlp_dim) for _ in range(num_layers)]
        named = ((f"encoder_layer_{i}", block) for i, block in enumerate(blocks))
        self.encoder.layers = nn.Sequential(OrderedDict(named))
        self.encoder.ln = nn.LayerNorm(hidden_dim, 1e-6)
        self.heads = nn.Sequential(OrderedDict(head=nn.Linear(hidden_dim, num_classes)))
        nn.init.normal_(self.conv_proj.weight, std=(in_channels * patch_size**2) ** -0.5)
        for p in (self.conv_proj.bias, *self.heads.parameters()):
            nn.init.zeros_(p)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        p = self.conv_proj.kernel_size[0]
        weight = self.conv_proj.weight.flatten(1)
        encoder: Any = self.encoder
        rows = [self.class_token[:, 0].expand(len(x), -1)]
        for i in range(0, x.shape[2], p):
            for j in range(0, x.shape[3], p):
                patch = x[:, :, i : i + p, j : j + p].flatten(1)
                rows.append(functional.linear(patch, weight, self.conv_proj.bias))
        y = encoder.ln(encoder.layers(torch.stack(rows, 1) + encoder.pos_embedding))
        z: Tensor = self.heads(y[:, 0])
        return z


def blocks_of_images(g: Generator) -> Iterable[Sample]:
    for label, args in (("two heads", (2, 4, 6)), ("one head", (1, 4, 3))):
        yield Sample(label, args, inputs=(normal(g, 2, 3, 4),))


def images(g: Generator) -> Iterable[Sample]:
    more = {"num_classes": 3}
    yield Sample("plain", (4, 2, 2, 2, 4, 6), more, inputs=(normal(g, 2, 3, 4, 4),))
    grey = {"num_classes": 2, "in_channels": 1}
    yield Sample("grey, one block", (6, 2, 1, 1, 4, 3), grey, inputs=(normal(g, 2, 1, 6, 6),))
    yield Sample("one patch", (2, 2, 1, 2, 4, 3), more, inputs=(normal(g, 1, 3, 2, 2),))


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
    row(
        "Transformer",
        Both,
        translations,
        r"z = W \operatorname{decoder}\bigl( \sqrt E\,T_j + P,\; "
        r"\operatorname{encoder}(\sqrt E\,S_i + P) \bigr) + b",
        Bad("Transformer: expected an even number of features that the heads divide", (4, 5, 6, 4)),
        Bad("Transformer: expected vocabularies of at least 1 token", (4, 0, 4, 2)),
        Bad("Transformer: expected vocabularies", (4, 5, 4, 2), {"padding": 4}),
        Bad("Transformer: expected one vocabulary if tied, got 4 and 5", (4, 5), {"tied": True}),
        Bad("Transformer: expected tokens of shapes", (4, 5, 4, 2, 1, 1, 3), {}, (LONG, LONG[0])),
    ),
    row(
        "ViTBlock",
        Seeing,
        blocks_of_images,
        r"h = x + \operatorname{attention}(\operatorname{norm}_1 x), \quad "
        r"y = h + F(\operatorname{norm}_2 h)",
        Bad("ViTBlock: expected a number of heads that divides 4 features, got 3", (3, 4, 6)),
    ),
    row(
        "VisionTransformer",
        Images,
        images,
        r"z = W \operatorname{norm}(\operatorname{blocks}(c + P_0, \dots, "
        r"W_p p_N + b_p + P_N))_0 + b",
        Bad("VisionTransformer: expected patches that tile an image of 4 × 4", (4, 3, 1, 1, 4, 4)),
        Bad("VisionTransformer: expected a number of heads that divides 4", (4, 2, 1, 3, 4, 4)),
        Bad(
            "VisionTransformer: expected images of shape ('B', 3, 4, 4), got (2, 3, 4, 2)",
            (4, 2, 1, 2, 4, 4),
            {},
            (torch.zeros(2, 3, 4, 2, dtype=torch.float64),),
        ),
    ),
]

"""Rows for attention and positions, operations and modules, with specifications by plain loops."""

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Generator, Tensor, nn

from dlbook.testing._row import Bad, Row, Sample, normal, uniform

STEM = "attention"
LATER = "transformers"


# --- specifications -----------------------------------------------------------------------------


def by_loops(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
    block_size: int | None = None,
) -> Tensor:
    """Attention row by row, one exponential for each pair that may meet."""
    if enable_gqa:
        times = query.shape[-3] // key.shape[-3]
        key, value = (x.repeat_interleave(times, -3) for x in (key, value))
    p = weights_by_loops(query, key, attn_mask, is_causal, scale=scale)
    if dropout_p > 0:
        kept = torch.empty_like(p).bernoulli_(1 - dropout_p)
        p = p * (kept / (1 - dropout_p) if dropout_p < 1 else kept)
    lead = p.shape[:-2]
    value = value.expand(*lead, *value.shape[-2:])
    rows = []
    for t in range(p.shape[-2]):
        row = value.new_zeros(*lead, value.shape[-1]) + 0 * p[..., t, :1].sum(-1, True)
        for s in range(p.shape[-1]):
            row = row + p[..., t, s, None] * value[..., s, :]
        rows.append(row)
    return torch.stack(rows, -2) if rows else value.new_zeros(*lead, 0, value.shape[-1])


def weights_by_loops(
    query: Tensor,
    key: Tensor,
    attn_mask: Tensor | None = None,
    is_causal: bool = False,
    *,
    scale: float | None = None,
) -> Tensor:
    lead = torch.broadcast_shapes(query.shape[:-2], key.shape[:-2])  # type: ignore[no-untyped-call]
    query, key = (x.expand(*lead, *x.shape[-2:]) for x in (query, key))
    c = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    scores = query.new_zeros(*lead, query.shape[-2], key.shape[-2])
    for d in range(query.shape[-1]):
        scores = scores + c * query[..., :, None, d] * key[..., None, :, d]
    return softmax_by_loops(scores, attn_mask, is_causal)


def softmax_by_loops(scores: Tensor, mask: Tensor | None, causal: bool) -> Tensor:
    """Softmax of each row over what may be seen; zeros where that is nothing."""
    seen = torch.ones(scores.shape, dtype=torch.bool, device=scores.device)
    if causal:
        seen = seen.tril()
    if mask is not None and mask.dtype == torch.bool:
        seen = seen & mask
    elif mask is not None:
        scores, seen = scores + mask, seen & (mask > -torch.inf)
    scores = torch.where(seen, scores, 0.0)
    rows = []
    for t in range(scores.shape[-2]):
        may = seen[..., t, :]
        lowest = torch.finfo(scores.dtype).min
        largest = torch.where(may, scores[..., t, :].detach(), lowest).amax(-1)
        total: Any = torch.zeros_like(largest)
        terms = []
        for s in range(scores.shape[-1]):
            z = torch.where(may[..., s], scores[..., t, s] - largest, 0.0)
            terms.append(torch.where(may[..., s], torch.exp(z), 0.0))
            total = total + terms[-1]
        rows.append(torch.stack(terms, -1) / torch.where(total == 0, 1.0, total).unsqueeze(-1))
    return torch.stack(rows, -2) if rows else scores


def additive_by_loops(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    score_weight: Tensor,
    query_weight: Tensor | None = None,
    key_weight: Tensor | None = None,
    bias: Tensor | None = None,
    attn_mask: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    a = query if query_weight is None else torch.einsum("...td,md->...tm", query, query_weight)
    b = key if key_weight is None else torch.einsum("...sd,md->...sm", key, key_weight)
    rows = []
    for t in range(a.shape[-2]):
        row = []
        for s in range(b.shape[-2]):
            inner = a[..., t, :] + b[..., s, :] + (0.0 if bias is None else bias)
            row.append((score_weight * torch.tanh(inner)).sum(-1))
        rows.append(torch.stack(row, -1))
    p = softmax_by_loops(torch.stack(rows, -2), attn_mask, False)
    return torch.einsum("...ts,...sc->...tc", p, value), p


def waves(positions: Any, dim: int, *, base: float = 10_000.0, dtype: torch.dtype) -> Tensor:
    places = range(positions) if isinstance(positions, int) else positions.flatten().tolist()
    shape = (positions,) if isinstance(positions, int) else tuple(positions.shape)
    rows = []
    for t in places:
        row = []
        for i in range(dim // 2):
            angle = t / base ** (2 * i / dim)
            row += [math.sin(angle), math.cos(angle)]
        rows.append(row)
    return torch.tensor(rows, dtype=dtype).reshape(*shape, dim)


def turned(input: Tensor, positions: Tensor | None = None, *, base: float = 10_000.0) -> Tensor:
    """A rotation by complex numbers, position by position and pair by pair."""
    places = input.shape[:-1]
    if positions is None:
        positions = torch.arange(input.shape[-2])
    t = positions.expand(places).to(torch.float64).to(input.device)
    dim = input.shape[-1]
    columns = []
    for i in range(dim // 2):
        turn = torch.polar(torch.ones_like(t), t / base ** (2 * i / dim))
        x, y = input[..., 2 * i], input[..., 2 * i + 1]
        re, im = turn.real.to(input.dtype), turn.imag.to(input.dtype)
        columns += [x * re - y * im, x * im + y * re]
    return torch.stack(columns, -1)


# --- samples ------------------------------------------------------------------------------------


def three(
    g: Generator, *lead: int, t: int = 3, s: int = 4, d: int = 2, m: int = 1
) -> tuple[Tensor, Tensor, Tensor]:
    return normal(g, *lead, t, d), normal(g, *lead, s, d), normal(g, *lead, s, m)


def seen(g: Generator, *shape: int) -> Tensor:
    """Where one may look, at least at the first of all."""
    mask = uniform(g, 0, 1, *shape) < 0.6
    mask[..., 0] = True
    return mask


def common(g: Generator) -> Iterable[Sample]:
    """What plain and blockwise attention are both called with."""
    causal = {"is_causal": True}
    yield Sample("sequences", three(g, 2), causal)
    yield Sample("heads", three(g, 2, 2))
    yield Sample("one sequence", three(g, d=4, m=3))
    yield Sample("mask", (*three(g, 2), seen(g, 3, 4)))
    yield Sample("mask of numbers", (*three(g, 2), normal(g, 3, 4)))
    yield Sample("mask of heads", (*three(g, 1, 2), normal(g, 2, 1, 4)), causal)
    yield Sample("padding", (*three(g, 2, 2), seen(g, 2, 1, 1, 4)), causal)
    yield Sample("more queries than keys", three(g, 2, t=5, s=2), causal)
    yield Sample("scale", three(g, 2), {"scale": 0.3})
    q, k, v = three(g, 2)
    yield Sample("one key for all", (q, k[:1], v), causal)
    yield Sample("transposed", tuple(x.transpose(0, 1) for x in three(g, 4, t=3, s=3)), causal)
    nothing = seen(g, 3, 4)
    nothing[1] = False
    yield Sample("a row that sees nothing", (*three(g, 2), nothing))
    yield Sample("one key", three(g, 2, s=1), smooth=False)
    yield Sample("no queries", three(g, 2, t=0), smooth=False)
    q, k, v = three(g, 2, t=4)
    yield Sample("large", (q * 1e3, k * 1e3, v * 1e3), causal, smooth=False)
    yield Sample("tiny", (q * 1e-6, k * 1e-6, v * 1e-6), causal, smooth=False)
    far = torch.full((4, 4), -torch.inf, dtype=torch.float64).triu(1)
    yield Sample("minus infinity", (q, k, v, far), constant=(3,))


def plain(g: Generator) -> Iterable[Sample]:
    yield from common(g)
    yield Sample("dropout", three(g, 2, 2), {"dropout_p": 0.4})
    q, k, v = normal(g, 1, 4, 3, 2), normal(g, 1, 2, 3, 2), normal(g, 1, 2, 3, 1)
    yield Sample("groups of heads", (q, k, v), {"enable_gqa": True})
    many = (*three(g, 2, t=67, s=70, d=5, m=3), seen(g, 67, 70))
    yield Sample("many rows", many, {"is_causal": True, "dropout_p": 0.1}, smooth=False)


def blocks(g: Generator) -> Iterable[Sample]:
    for sample in common(g):
        yield Sample(
            sample.label,
            sample.args,
            {**sample.kwargs, "block_size": 2},
            smooth=sample.smooth,
            constant=sample.constant,
        )
    for size in (1, 3, 100):
        kwargs = {"block_size": size, "is_causal": size == 3}
        yield Sample(f"blocks of {size}", three(g, 2, t=5, s=7), kwargs)


def alone(g: Generator) -> Iterable[Sample]:
    """The same without values."""
    for sample in common(g):
        q, k, _, *mask = sample.args
        yield Sample(sample.label, (q, k, *mask), sample.kwargs, smooth=sample.smooth)


def bahdanau(g: Generator) -> Iterable[Sample]:
    q, k, v = normal(g, 2, 3, 2), normal(g, 2, 4, 1), normal(g, 2, 4, 1)
    w, wq, wk, b = normal(g, 3), normal(g, 3, 2), normal(g, 3, 1), normal(g, 3)
    yield Sample("sequences", (q, k, v, w, wq, wk, b))
    yield Sample("no bias", (q, k, v, w, wq, wk))
    yield Sample("projected keys", (q[:, :1], normal(g, 2, 4, 3), v, w, wq, None, b))
    yield Sample("projected already", (normal(g, 3, 3), normal(g, 4, 3), v[0], w, None, None, b))
    yield Sample("mask", (q, k, v, w, wq, wk, b, seen(g, 2, 1, 4)))
    yield Sample("mask of numbers", (q, k, v, w, wq, wk, None, normal(g, 3, 4)))
    nothing = seen(g, 2, 3, 4)
    nothing[1, 2] = False
    yield Sample("a row that sees nothing", (q, k, v, w, wq, wk, b, nothing))
    yield Sample("one for all", (q, k[:1], v, w, wq, wk))
    yield Sample("large", (q * 1e3, k * 1e3, v, w, wq, wk), smooth=False)


def places(g: Generator) -> Iterable[Sample]:
    double: dict[str, Any] = {"dtype": torch.float64}
    yield Sample("from 0", (5, 6), double)
    yield Sample("one pair", (3, 2), double)
    yield Sample("none", (0, 4), double)
    yield Sample("positions", (torch.tensor([[3, 1], [0, 100_000]]), 8), double)
    yield Sample("base", (4, 8), {**double, "base": 10.0})
    yield Sample("single precision", (7, 6), {"dtype": torch.float32})


def pairs(g: Generator) -> Iterable[Sample]:
    yield Sample("sequences", (normal(g, 2, 3, 6),))
    yield Sample("heads", (normal(g, 2, 2, 3, 4),))
    yield Sample("one sequence", (normal(g, 3, 2),))
    yield Sample("positions", (normal(g, 2, 3, 4), torch.tensor([7, 0, 100_000])))
    each = torch.tensor([[0, 1, 2], [5, 6, 7]])
    yield Sample("positions of each", (normal(g, 2, 3, 4), each))
    yield Sample("base", (normal(g, 2, 3, 4),), {"base": 10.0})
    yield Sample("transposed", (normal(g, 3, 2, 4).transpose(0, 1),))
    yield Sample("empty", (normal(g, 2, 0, 4),), smooth=False)
    yield Sample("large", (normal(g, 2, 3, 4) * 1e6,), smooth=False)


# --- modules ------------------------------------------------------------------------------------


class Bahdanau(nn.Module):
    """Additive attention, its parameters and the specification by loops."""

    def __init__(self, query_dim: int, key_dim: int, units: int, bias: bool = False) -> None:
        super().__init__()
        shapes = {"query_weight": (units, query_dim), "key_weight": (units, key_dim)}
        for name, shape in {**shapes, "score_weight": (units,)}.items():
            bound = shape[-1] ** -0.5
            drawn = torch.empty(shape).uniform_(-bound, bound)
            self.register_parameter(name, nn.Parameter(drawn))
        self.register_parameter("bias", nn.Parameter(torch.zeros(units)) if bias else None)

    def forward(
        self, query: Tensor, key: Tensor, value: Tensor | None = None, padding: Any = None
    ) -> tuple[Tensor, Tensor]:
        mask = None if padding is None else ~padding[..., None, :]
        weights: Any = (self.score_weight, self.query_weight, self.key_weight, self.bias, mask)
        return additive_by_loops(query, key, key if value is None else value, *weights)


class Waves(nn.Module):
    def __init__(self, dim: int, dropout: float = 0.0, base: float = 10_000.0) -> None:
        super().__init__()
        self.base, self.dropout = base, nn.Dropout(dropout)

    def forward(self, input: Tensor, start: int = 0) -> Tensor:
        *_, length, dim = input.shape
        places = torch.arange(start, start + length)
        added = input + waves(places, dim, base=self.base, dtype=input.dtype)
        y: Tensor = self.dropout(added)
        return y


class Learned(nn.Module):
    def __init__(self, length: int, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(length, dim).normal_(0.0, 0.02))

    def forward(self, input: Tensor, start: int = 0) -> Tensor:
        rows = [input[..., t, :] + self.weight[start + t] for t in range(input.shape[-2])]
        return torch.stack(rows, -2)


class Turned(nn.Module):
    def __init__(self, dim: int, base: float = 10_000.0) -> None:
        super().__init__()
        self.base = base

    def forward(self, input: Tensor, start: int = 0) -> Tensor:
        places = torch.arange(start, start + input.shape[-2])
        return turned(input, places, base=self.base)


FIRST: dict[str, Any] = {"batch_first": True}


def hidden(g: Generator, *shape: int) -> Tensor:
    return ~seen(g, *shape)


def heads(g: Generator) -> Iterable[Sample]:
    q, k, v = normal(g, 2, 3, 4), normal(g, 2, 5, 4), normal(g, 2, 5, 4)
    padding, mask = hidden(g, 2, 5), hidden(g, 3, 5)
    yield Sample("three inputs", (4, 2), FIRST, inputs=(q, k, v, padding))
    yield Sample(
        "time first", (4, 2), inputs=(q, normal(g, 5, 3, 4), normal(g, 5, 3, 4)), smooth=False
    )
    yield Sample("one sequence", (4, 1), inputs=(q[0], k[0], v[0], padding[0]), smooth=False)
    yield Sample("no bias", (4, 4, 0.0, False), FIRST, inputs=(q, k, v), smooth=False)
    both = (q, k, v, padding, True, mask, False)
    yield Sample("two masks, all heads", (4, 2), FIRST, inputs=both, smooth=False)
    numbers = (q, k, v, normal(g, 2, 5), True, normal(g, 4, 3, 5))
    yield Sample("masks of numbers", (4, 2), FIRST, inputs=numbers, smooth=False)
    widths = {**FIRST, "kdim": 3, "vdim": 2}
    more = (q, normal(g, 2, 5, 3), normal(g, 2, 5, 2))
    yield Sample("other features", (4, 2), widths, inputs=more, smooth=False)
    plain = {**widths, "bias": False}
    yield Sample("other features, no bias", (4, 2), plain, inputs=more, smooth=False)
    appended = {**FIRST, "add_bias_kv": True, "add_zero_attn": True}
    yield Sample("appended keys", (4, 2), appended, inputs=both, smooth=False)
    yield Sample("dropout", (4, 2, 0.5), FIRST, inputs=(q, k, v), smooth=False)


def looks(g: Generator) -> Iterable[Sample]:
    q, k, v = normal(g, 2, 3, 3), normal(g, 2, 4, 2), normal(g, 2, 4, 1)
    yield Sample("keys are values", (3, 2, 2), inputs=(q, k))
    yield Sample("padding", (3, 2, 2, True), inputs=(q, k, v, hidden(g, 2, 4)))


def offsets(*args: Any) -> Any:
    def samples(g: Generator) -> Iterable[Sample]:
        yield Sample("from 0", args, inputs=(normal(g, 2, 3, 4),))
        yield Sample("from 5", args, inputs=(normal(g, 2, 3, 4), 5))

    return samples


def layer(memory: bool) -> Any:
    """A layer of an encoder, or with a memory of a decoder, in training: dropout is on."""

    def samples(g: Generator) -> Iterable[Sample]:
        def inputs(*more: Any, first: bool = True, batch: bool = True) -> tuple[Any, ...]:
            shapes = [(2, 3, 4), (2, 5, 4)] if first else [(3, 2, 4), (5, 2, 4)]
            found = [normal(g, *(shape if batch else shape[1:])) for shape in shapes]
            return (*found[: 1 + memory], *more)

        later = torch.ones(3, 3, dtype=torch.bool).triu(1)
        # Where the batch goes first, PyTorch's attention returns another order of memory, in which
        # dropout then draws; the masks are the same only where time goes first.
        still = {**FIRST, "dropout": 0.0}
        plain = {**still, "activation": "gelu"}
        yield Sample("plain", (4, 2, 6), plain, inputs=inputs(), smooth=not memory)
        yield Sample("relu", (4, 2, 6), still, inputs=inputs(), smooth=False)
        yield Sample("dropout", (4, 2, 6), inputs=inputs(first=False), smooth=False)
        before = {**plain, "norm_first": True, "layer_norm_eps": 0.01}
        yield Sample("norm first", (4, 2, 6), before, inputs=inputs(), smooth=False)
        bare = {**still, "bias": False}
        yield Sample("no bias", (4, 2, 6), bare, inputs=inputs(), smooth=False)
        one = inputs(batch=False)
        yield Sample("one sequence", (4, 2, 6), still, inputs=one, smooth=False)
        paddings = [hidden(g, 2, n) for n in (3, 5)]
        masks = (later, None, *paddings) if memory else (later, paddings[0])
        yield Sample("masks", (4, 2, 6), still, inputs=inputs(*masks), smooth=False)
        causal = (later, None, None, None, True) if memory else (later, None, True)
        yield Sample("causal", (4, 2, 6), still, inputs=inputs(*causal), smooth=False)

    return samples


def module(
    name: str, reference: Any, samples: Any, formula: str, *bad: Bad, stem: str = LATER
) -> Row:
    return Row(f"nn.{name}", reference, samples, formula, stem, kind="module", bad=bad)


# --- rows ---------------------------------------------------------------------------------------

Z = torch.zeros(2, 3, 4, dtype=torch.float64)
THREE = torch.zeros(3, 3, 4, dtype=torch.float64)
MASK = torch.ones(4, 3, dtype=torch.bool)
ATTENTION = r"Y = \operatorname{softmax}(c\,Q K^\top + B)\,V"
ADDITIVE = r"Y = \operatorname{softmax}_s\bigl(w^\top \tanh(W_q q_t + W_k k_s + b)\bigr)\,V"
WAVES = r"y_{t,2i} = \sin b^{-2i/D} t, \quad y_{t,2i+1} = \cos b^{-2i/D} t"
TURNED = (
    r"y_{t,2i} + \mathrm i y_{t,2i+1} = e^{\mathrm i b^{-2i/D} t} (x_{t,2i} + \mathrm i x_{t,2i+1})"
)


def refusals(values: bool = True) -> tuple[Bad, ...]:
    def call(q: Tensor, k: Tensor, v: Tensor, *more: Any) -> tuple[Any, ...]:
        return (q, k, v, *more) if values else (q, k, *more)

    found = [
        Bad("expected query of shape (…, positions, features), got (4,)", call(Z[0, 0], Z, Z)),
        Bad("got shapes (2, 3, 4) and (2, 3, 3)", call(Z, Z[..., :3], Z)),
        Bad("broadcasts to (2, 3, 3), got (4, 3)", call(Z, Z, Z, MASK)),
        Bad("expected attn_mask of booleans or of", call(Z, Z, Z, MASK[:3].int()), error=TypeError),
        Bad("expected leading axes that broadcast", call(Z, THREE, Z)),
        Bad("in query, got torch.int64", call(Z.long(), Z, Z), error=TypeError),
    ]
    if values:
        found.append(Bad("expected as many values as keys, got key of", call(Z, Z, Z[:, :2])))
    return tuple(found)


ROWS = [
    Row(
        "ops.scaled_dot_product_attention",
        by_loops,
        plain,
        ATTENTION,
        LATER,
        bad=(
            *refusals(),
            Bad("expected a probability p from 0 to 1, got 2", (Z, Z, Z), {"dropout_p": 2.0}),
            Bad(
                "expected heads of key and value that", (Z[:, :, :], Z[:0], Z), {"enable_gqa": True}
            ),
        ),
        note="takes a mask together with is_causal, and has a second derivative",
    ),
    Row(
        "ops.blockwise_attention",
        by_loops,
        blocks,
        ATTENTION,
        LATER,
        bad=(
            *refusals(),
            Bad("expected a block_size of at least 1, got 0", (Z, Z, Z), {"block_size": 0}),
        ),
    ),
    Row(
        "ops.attention_weights",
        weights_by_loops,
        alone,
        r"P = \operatorname{softmax}(c\,Q K^\top + B)",
        LATER,
        bad=refusals(values=False),
    ),
    Row(
        "ops.additive_attention",
        additive_by_loops,
        bahdanau,
        ADDITIVE,
        STEM,
        bad=(
            Bad("expected score_weight of shape (4,) for", (Z, Z, Z, Z[0, 0, :3])),
            Bad("expected query_weight of shape (units,", (Z, Z, Z, Z[0, 0], Z[0, :, :3])),
            Bad("expected key_weight of shape (units,", (Z, Z, Z, Z[0, 0], None, Z[0, :, :3])),
            Bad("broadcasts to (2, 3, 3), got (4, 3)", (Z, Z, Z, Z[0, 0]), {"attn_mask": MASK}),
        ),
    ),
    Row(
        "ops.sinusoidal_encoding",
        waves,
        places,
        WAVES,
        LATER,
        bad=(
            Bad("expected an even number of features, got 3", (4, 3)),
            Bad("expected a base above 0, got 0", (4, 2), {"base": 0.0}),
            Bad("expected a length of at least 0, got -1", (-1, 2)),
        ),
        differentiable=False,
        low=(),
        note="made in the type that is asked for",
    ),
    Row(
        "ops.rotary_embedding",
        turned,
        pairs,
        TURNED,
        LATER,
        constant=(1,),
        bad=(
            Bad("expected an even number of features, got 3", (Z[..., :3],)),
            Bad("expected input of shape (…, positions, features), got (4,)", (Z[0, 0],)),
            Bad("broadcasts to (2, 3), got (4,)", (Z, torch.arange(4))),
            Bad("expected a base above 0, got 0", (Z,), {"base": 0.0}),
        ),
    ),
    module(
        "MultiheadAttention",
        nn.MultiheadAttention,
        heads,
        r"Y = \operatorname{concat}_i\bigl("
        r"\operatorname{attention}(Q_i, K_i, V_i)\bigr)\,W_o^\top + b_o",
        Bad("expected a number of heads that divides 4 features, got 3", (4, 3)),
        Bad(
            "expected key of 3 axes with 4 features, got shape (2, 3, 3)",
            (4, 2),
            {},
            (Z, Z[..., :3], Z),
        ),
        Bad("expected one batch size on axis 0, got", (4, 2), FIRST, (Z, Z[:1], Z)),
        Bad("expected as many values as keys, got key of", (4, 2), FIRST, (Z, Z, Z[:, :2])),
        Bad("for 2 sequences of 3 keys, got shape (4, 3)", (4, 2), FIRST, (Z, Z, Z, MASK)),
        Bad(
            "expected attn_mask of shape (3, 3) or (4, 3, 3), got (4, 3)",
            (4, 2),
            FIRST,
            (Z, Z, Z, None, False, MASK),
        ),
    ),
    module(
        "AdditiveAttention",
        Bahdanau,
        looks,
        ADDITIVE,
        Bad(
            "expected key_padding_mask of shape (2, 3), got (4, 3)",
            (4, 4, 2),
            {},
            (Z, Z, None, MASK),
        ),
        stem=STEM,
    ),
    module(
        "SinusoidalEncoding",
        Waves,
        offsets(4, 0.5, 100.0),
        r"y_{t,2i} = x_{t,2i} + \sin \omega_i t, \quad y_{t,2i+1} = x_{t,2i+1} + \cos \omega_i t",
        Bad("expected input of shape (…, T, 6), got (2, 3, 4)", (6,), {}, (Z,)),
    ),
    module(
        "LearnedEncoding",
        Learned,
        offsets(8, 4),
        r"y_t = x_t + w_t",
        Bad("expected input of shape (…, T, 6), got (2, 3, 4)", (8, 6), {}, (Z,)),
        Bad("expected positions from 0 to 3, got 2 to 4", (4, 4), {}, (Z, 2)),
    ),
    module(
        "RotaryEmbedding",
        Turned,
        offsets(4, 100.0),
        TURNED,
        Bad("expected input of shape (…, T, 6), got (2, 3, 4)", (6,), {}, (Z,)),
    ),
    module(
        "TransformerEncoderLayer",
        nn.TransformerEncoderLayer,
        layer(memory=False),
        r"y = \operatorname{norm}\bigl(h + F(h)\bigr), \quad "
        r"h = \operatorname{norm}\bigl(x + \operatorname{attention}(x)\bigr)",
        Bad(
            "expected activation 'relu', 'gelu' or a function, got 'no'",
            (4, 2),
            {"activation": "no"},
        ),
    ),
    module(
        "TransformerDecoderLayer",
        nn.TransformerDecoderLayer,
        layer(memory=True),
        r"y = \operatorname{norm}\bigl(k + F(k)\bigr), \quad "
        r"k = \operatorname{norm}\bigl(h + \operatorname{attention}(h, m)\bigr)",
        Bad(
            "expected activation 'relu', 'gelu' or a function, got 'no'",
            (4, 2),
            {"activation": "no"},
        ),
    ),
]

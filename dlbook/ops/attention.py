r"""Attention: every position looks at all others and takes a weighted mean of what they hold.

A *query* is compared with all *keys*; the scores become weights by softmax, and the result is the
mean of the *values* with these weights. With queries :math:`Q` of shape (T, D), keys :math:`K` of
shape (S, D) and values :math:`V` of shape (S, M),

.. math:: Z = c\,Q K^\top + B, \qquad P_{ts} = \frac{e^{Z_{ts}}}{\sum_{s'} e^{Z_{ts'}}}, \qquad
    Y = P V,

where :math:`c = 1 / \sqrt D` unless told otherwise, and the mask :math:`B` is :math:`-\infty` where
nothing must be seen.

**Backwards.** The two products are dealt with as always, :math:`\bar V = P^\top \bar Y` and
:math:`\bar P = \bar Y V^\top`. Softmax, row by row, gives

.. math:: \bar Z_{ts} = P_{ts} \Bigl( \bar P_{ts} - \sum_{s'} P_{ts'} \bar P_{ts'} \Bigr),
    \qquad \sum_{s'} P_{ts'} \bar P_{ts'} = \sum_m \bar Y_{tm} \sum_{s'} P_{ts'} V_{s'm}
    = \sum_m \bar Y_{tm} Y_{tm} = \delta_t .

The sum over all that a query sees is known from its output alone. Then
:math:`\bar Q = c\,\bar Z K`, :math:`\bar K = c\,\bar Z^\top Q` and :math:`\bar B = \bar Z`. With
dropout the weights are :math:`W = P \odot R` for random :math:`R`, so that
:math:`\bar V = W^\top \bar Y` and :math:`\bar P = (\bar Y V^\top) \odot R`; nothing else changes.

**Blockwise.** :math:`P` has T S numbers, which is what long sequences can't afford. But a block of
:math:`P` can be computed from a block of rows of :math:`Q`, one of :math:`K`, and one number for
each row, the logarithm of the sum of exponentials
:math:`\lambda_t = \log \sum_s e^{Z_{ts}}`: it is :math:`P_{ts} = e^{Z_{ts} - \lambda_t}`. Forwards
that sum is built up block by block. If :math:`m` is the largest score so far,
:math:`l = \sum e^{Z - m}` and :math:`o = \sum e^{Z - m} v`, then a block with a larger score
:math:`m'` changes both by the factor :math:`e^{m - m'}` before its own terms are added; in the end
:math:`y = o / l` and :math:`\lambda = m + \log l`. Backwards the blocks of :math:`P` are computed
once more, and since :math:`\delta` comes from the output, a block of :math:`\bar Z` needs nothing
of the others. Only :math:`Q, K, V, Y` and :math:`\lambda` are kept.

Exponentials are powers of 2 here, as in :func:`dlbook.ops.softmax`: scores, maxima and
:math:`\lambda` are in units of :math:`\log 2`.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from dlbook.autodiff.primitives import primitive, readable, sum_to_shape
from dlbook.autodiff.tape import Array, implements, lift
from dlbook.ops.arithmetic import expand
from dlbook.ops.layers import LOG2_E, SHORT, _cast, _softmax_pull, fast_exp_, linear
from dlbook.ops.regularization import _check

ROWS = 64  # rows of scores that are computed together where the later ones see more

Lead = tuple[int, ...]


# --- weights ------------------------------------------------------------------------------------


@primitive
def _weights(scores: Array) -> Array:
    """Softmax along the last axis; zeros where a whole row is −∞."""
    if not scores.numel():
        return scores.clone()
    largest = scores.amax(-1, True).clamp_min(torch.finfo(scores.dtype).min)
    e = fast_exp_(scores - largest)
    total = e.sum(-1, True)
    return e / (total + (total == 0))


@_weights.vjp
def weights_vjp(g: Array, p: Array, _scores: Any) -> Any:
    return (_softmax_pull(g, p, dim=-1),)


def _additive(mask: Tensor, dtype: torch.dtype) -> Tensor:
    """A mask to be added to scores: of booleans, 0 where they are true and −∞ elsewhere."""
    if mask.dtype == torch.bool:
        zero = torch.zeros((), dtype=dtype, device=mask.device)
        return torch.where(mask, zero, -torch.inf)
    return mask


def _masked(scores: Array, mask: Array | None) -> Array:
    if mask is None:
        return scores
    return scores + (_additive(lift(mask), scores.dtype) if mask.dtype == torch.bool else mask)


def _later(query: Any, key: Any) -> Tensor:
    """The mask that hides from each row the columns that come after it."""
    size = query.shape[-2], key.shape[-2]
    ones = torch.ones(size, dtype=torch.bool, device=query.device)
    return _additive(ones.tril(), query.dtype)


def _probabilities(
    query: Array, key: Array, mask: Array | None, *, scale: float, causal: bool, plain: bool = False
) -> Array:
    """The weights, by differentiable operations, or by plain ones on tensors."""
    scores = query @ key.mT * scale
    scores = _masked(scores, mask)
    if causal:
        scores = scores + _later(query, key)
    return _weights.forward(scores) if plain else _weights(scores)


# --- scaled dot products ------------------------------------------------------------------------


def _flat(x: Tensor) -> Tensor:
    """All leading axes as one."""
    return x.reshape(math.prod(x.shape[:-2]), *x.shape[-2:])


def _base_two(mask: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    """The mask in units of log 2. The type's lowest number stays, for it is not minus infinity."""
    if mask is None:
        return None
    if mask.dtype == torch.bool:
        return _additive(mask, dtype)
    return torch.where(mask > torch.finfo(dtype).min / 2, mask * LOG2_E, mask)


def _hidden(
    mask: Tensor | None, causal: bool, rows: slice, columns: slice, like: Tensor
) -> Iterator[tuple[int, Tensor]]:
    """What is added to a block of scores: masks, each with the first column that it is for."""
    if mask is not None:
        everything = slice(None)
        tall, wide = (n > 1 for n in mask.shape[-2:])
        yield 0, mask[..., rows if tall else everything, columns if wide else everything]
    if causal and columns.stop > rows.start + 1:
        first = max(columns.start, rows.start)
        size = rows.stop - rows.start, columns.stop - first
        later = torch.full(size, -torch.inf, dtype=like.dtype, device=like.device)
        yield first - columns.start, later.triu_(rows.start - first + 1)


def _pieces(rows: int, columns: int, causal: bool) -> list[tuple[slice, slice]]:
    """Rows that are computed together, and the columns that they see."""
    if not causal:
        return [(slice(0, rows), slice(0, columns))]
    starts = range(0, rows, ROWS)
    ends = [min(a + ROWS, rows) for a in starts]
    return [(slice(a, b), slice(0, min(b, columns))) for a, b in zip(starts, ends)]


def _cut(buffer: Tensor, n: int, pieces: Sequence[tuple[slice, slice]]) -> Iterator[Tensor]:
    """The parts of a flat array that belong to the pieces."""
    at = 0
    for rows, columns in pieces:
        shape = n, rows.stop - rows.start, columns.stop - columns.start
        yield buffer[at : at + math.prod(shape)].view(shape)
        at += math.prod(shape)


def _sizes(pieces: Sequence[tuple[slice, slice]]) -> list[int]:
    return [(r.stop - r.start) * (c.stop - c.start) for r, c in pieces]


@primitive(saves=True)
def _attention(
    query: Array,
    key: Array,
    value: Array,
    mask: Array | None,
    kept: Tensor | None,
    *,
    scale: float,
    causal: bool,
) -> tuple[Array, tuple[Any, ...]]:
    """Attention whose weights are kept, those that causality leaves: piece after piece of rows."""
    if not readable():  # torch.func could not map what is done in place
        p = _probabilities(query, key, mask, scale=scale, causal=causal, plain=True)
        return (p if kept is None else p * kept) @ value, (p,)
    lead, (t, s), width = query.shape[:-2], (query.shape[-2], key.shape[-2]), value.shape[-1]
    y = query.new_zeros(math.prod(lead), t, width)
    pieces = _pieces(t, s, causal)
    p = query.new_empty(len(y) * sum(_sizes(pieces)))
    if not p.numel():
        return y.view(*lead, t, width), (p,)
    q, k, v = _flat(query) * (scale * LOG2_E), _flat(key), _flat(value)
    mask = _base_two(mask, query.dtype)
    drop = None if kept is None else _flat(kept)
    for (rows, columns), z in zip(pieces, _cut(p, len(y), pieces)):
        torch.bmm(q[:, rows], k[:, columns].mT, out=z)
        for first, hidden in _hidden(mask, causal, rows, columns, z):
            z.view(*lead, *z.shape[1:])[..., first:].add_(hidden)
        _softmax_(z, masked=mask is not None)
        w = z if drop is None else z * drop[:, rows, columns]
        torch.bmm(w, v[:, columns], out=y[:, rows])
    return y.view(*lead, t, width), (p,)


def _softmax_(z: Tensor, *, masked: bool) -> None:
    """Softmax along the last axis of scores in units of log 2, in place."""
    largest = z.amax(-1, True)
    if masked:
        largest.clamp_min_(torch.finfo(z.dtype).min)
    z.sub_(largest).exp2_()
    total = z.sum(-1, True)
    z.div_(total.masked_fill_(total == 0, 1) if masked else total)


@_attention.saved
def attention_saved(*_inputs: Any, **_meta: Any) -> Any:
    return (None,)  # the rule finds them again


@_attention.vjp
def attention_vjp(
    g: Array,
    y: Array,
    saved: Any,
    query: Array,
    key: Array,
    value: Array,
    mask: Array | None,
    kept: Tensor | None,
    *,
    scale: float,
    causal: bool,
) -> Any:
    q_bar, k_bar, v_bar = _attention_pull(
        g, query, key, value, mask, kept, lift(y), *map(lift, saved), scale=scale, causal=causal
    )

    def mask_bar() -> Array:
        return _mask_bar(g, query, key, value, mask, kept, scale=scale, causal=causal)

    return q_bar, k_bar, v_bar, mask_bar, None


def _mask_bar(
    g: Array,
    query: Array,
    key: Array,
    value: Array,
    mask: Any,
    kept: Tensor | None,
    *,
    scale: float,
    causal: bool,
) -> Array:
    p = _probabilities(query, key, mask, scale=scale, causal=causal)
    p_bar = g @ value.mT if kept is None else g @ value.mT * kept
    bar: Array = sum_to_shape(_softmax_pull(p_bar, p, dim=-1), mask.shape)
    return bar


@primitive
def _attention_pull(
    g: Array,
    query: Array,
    key: Array,
    value: Array,
    mask: Array | None,
    kept: Tensor | None,
    y: Array,
    p: Tensor | None,
    *,
    scale: float,
    causal: bool,
) -> tuple[Array, Array, Array]:
    """The cotangents of queries, keys and values. Output and weights are known or found again."""
    if not readable():
        if p is None or p.ndim == 1:
            p = _probabilities(query, key, mask, scale=scale, causal=causal, plain=True)
        w, p_bar = p, g @ value.mT
        if kept is not None:
            w, p_bar = p * kept, p_bar * kept
        z_bar = p * (p_bar - (p_bar * p).sum(-1, True)) * scale
        return z_bar @ key, z_bar.mT @ query, w.mT @ g
    if p is None or p.ndim != 1:
        y, (p,) = _attention.forward(query, key, value, mask, kept, scale=scale, causal=causal)
    q, k, v, g, y = map(_flat, (query, key, value, g, y))
    drop = None if kept is None else _flat(kept)
    pieces = _pieces(q.shape[1], k.shape[1], causal)
    q_bar, k_bar, v_bar = torch.zeros_like(q), torch.zeros_like(k), torch.zeros_like(v)
    delta = (g * y).sum(-1, True)
    q = q * scale
    scratch = q.new_empty(len(q) * max(_sizes(pieces), default=0))
    for (rows, columns), w in zip(pieces, _cut(p, len(q), pieces)):
        if not w.numel():
            continue
        z_bar = next(_cut(scratch, len(q), [(rows, columns)]))
        torch.bmm(g[:, rows], v[:, columns].mT, out=z_bar)
        if drop is None:
            v_bar[:, columns].baddbmm_(w.mT, g[:, rows])
        else:
            r = drop[:, rows, columns]
            z_bar.mul_(r)
            v_bar[:, columns].baddbmm_((w * r).mT, g[:, rows])
        z_bar.sub_(delta[:, rows]).mul_(w)
        torch.bmm(z_bar, k[:, columns], out=q_bar[:, rows])
        k_bar[:, columns].baddbmm_(z_bar.mT, q[:, rows])
    q_bar.mul_(scale)
    return q_bar.view(query.shape), k_bar.view(key.shape), v_bar.view(value.shape)


@_attention_pull.vjp
def attention_pull_vjp(
    bars: Any,
    _outputs: Any,
    g: Array,
    query: Array,
    key: Array,
    value: Array,
    mask: Array | None,
    kept: Tensor | None,
    _y: Any,
    _p: Any,
    *,
    scale: float,
    causal: bool,
) -> Any:
    again = _pull_again(bars, g, query, key, value, mask, kept, scale=scale, causal=causal)
    return *again, None, None


def _pull_again(
    bars: tuple[Array, Array, Array],
    g: Array,
    query: Array,
    key: Array,
    value: Array,
    mask: Array | None,
    kept: Tensor | None,
    *,
    scale: float,
    causal: bool,
) -> tuple[Any, ...]:
    r"""The chain rule for the cotangents' own computation, given cotangents of its three results.

    It was :math:`\bar V = (P \odot R)^\top G`, :math:`\bar P = G V^\top \odot R`,
    :math:`\bar Z = P \odot (\bar P - \langle P, \bar P\rangle)`, :math:`\bar Q = c \bar Z K` and
    :math:`\bar K = c \bar Z^\top Q`, which are gone through from the last to the first.
    """

    def drop(x: Array) -> Array:
        return x if kept is None else x * kept

    a, b, c = bars
    p = _probabilities(query, key, mask, scale=scale, causal=causal)
    w, p_bar = drop(p), drop(g @ value.mT)
    lowered = p_bar - (p * p_bar).sum(-1, True)
    z_bar = p * lowered
    x = (a @ key.mT + query @ b.mT) * scale  # the cotangent of Z̄
    mean = (p * x).sum(-1, True)
    of_p_bar = drop(p * (x - mean))
    of_p = x * lowered - mean * p_bar + drop(g @ c.mT)
    of_z = _softmax_pull(of_p, p, dim=-1)
    return (
        lambda: w @ c + of_p_bar @ value,
        lambda: (z_bar @ b + of_z @ key) * scale,
        lambda: (z_bar.mT @ a + of_z.mT @ query) * scale,
        lambda: of_p_bar.mT @ g,
        lambda: sum_to_shape(of_z, mask.shape),  # type: ignore[union-attr]
        None,
    )


# --- block by block -----------------------------------------------------------------------------


def _blocks(length: int, size: int) -> list[slice]:
    return [slice(a, min(a + size, length)) for a in range(0, length, size)]


def _block(
    q: Tensor,
    k: Tensor,
    mask: Tensor | None,
    lead: Lead,
    causal: bool,
    rows: slice,
    columns: slice,
) -> Tensor:
    """A block of scores in units of log 2, for queries that have been scaled."""
    z = torch.bmm(q[:, rows], k[:, columns].mT)
    for first, hidden in _hidden(mask, causal, rows, columns, z):
        if readable():
            z.view(*lead, *z.shape[1:])[..., first:].add_(hidden)
        elif first:  # the earlier columns are seen by all of these rows
            z = torch.cat([z[:, :, :first], z[:, :, first:] + hidden], 2)
        else:
            z = (z.view(*lead, *z.shape[1:]) + hidden).view(z.shape)
    return z


@primitive(saves=True)
def _blockwise(
    query: Array,
    key: Array,
    value: Array,
    mask: Array | None,
    *,
    scale: float,
    causal: bool,
    size: int,
) -> tuple[Array, tuple[Any, ...]]:
    """Attention that holds one block of scores at a time, and keeps one number for each row."""
    lead, length, width = query.shape[:-2], key.shape[-2], value.shape[-1]
    q, k, v = _flat(query) * (scale * LOG2_E), _flat(key), _flat(value)
    mask = _base_two(mask, query.dtype)
    lowest = torch.finfo(q.dtype).min
    ys: list[Tensor] = []
    logs: list[Tensor] = []
    for rows in _blocks(q.shape[1], size):
        largest = torch.full_like(q[:, rows, :1], lowest)
        total = torch.zeros_like(largest)
        y = torch.zeros_like(q[:, rows, :1]) * v[:, :1].sum(1, True)
        for columns in _blocks(min(rows.stop, length) if causal else length, size):
            z = _block(q, k, mask, lead, causal, rows, columns)
            before, largest = largest, torch.maximum(largest, z.amax(-1, True))
            e = z.sub_(largest).exp2_()
            shrink = torch.exp2(before - largest)
            total = total * shrink + e.sum(-1, True)
            y = torch.baddbmm(y * shrink, e, v[:, columns])
        total = total + (total == 0)  # a row that sees nothing has the result 0
        ys.append(y / total)
        logs.append(largest + total.log2())
    y = torch.cat(ys, 1) if ys else q.new_zeros(len(q), 0, width)
    return y.view(*lead, -1, width) if y.numel() else y.view(*lead, q.shape[1], width), (
        torch.cat(logs, 1) if logs else q[:, :, :1],
    )


@_blockwise.saved
def blockwise_saved(*_inputs: Any, **_meta: Any) -> Any:
    return (None,)


@_blockwise.vjp
def blockwise_vjp(
    g: Array,
    y: Array,
    saved: Any,
    query: Array,
    key: Array,
    value: Array,
    mask: Array | None,
    *,
    scale: float,
    causal: bool,
    size: int,
) -> Any:
    more: dict[str, Any] = {"scale": scale, "causal": causal}
    q_bar, k_bar, v_bar = _blockwise_pull(
        g, query, key, value, mask, lift(y), *map(lift, saved), size=size, **more
    )

    def mask_bar() -> Array:
        return _mask_bar(g, query, key, value, mask, None, **more)

    return q_bar, k_bar, v_bar, mask_bar


@primitive
def _blockwise_pull(
    g: Array,
    query: Array,
    key: Array,
    value: Array,
    mask: Array | None,
    y: Array,
    logs: Tensor | None,
    *,
    scale: float,
    causal: bool,
    size: int,
) -> tuple[Array, Array, Array]:
    """The cotangents of queries, keys and values, with every block of weights computed again."""
    if logs is None:
        y, (logs,) = _blockwise.forward(
            query, key, value, mask, scale=scale, causal=causal, size=size
        )
    lead, hidden = query.shape[:-2], _base_two(mask, query.dtype)
    q, k, v, g, y = map(_flat, (query, key, value, g, y))
    delta = (g * y).sum(-1, True)
    q = q * (scale * LOG2_E)
    blocks = _blocks(k.shape[1], size)
    q_bars = []
    k_bars: list[Any] = [torch.zeros_like(k[:, columns]) for columns in blocks]
    v_bars: list[Any] = [torch.zeros_like(v[:, columns]) for columns in blocks]
    for rows in _blocks(q.shape[1], size):
        q_bar = torch.zeros_like(q[:, rows])
        for i, columns in enumerate(blocks):
            if causal and columns.start >= rows.stop:
                break
            p = _block(q, k, hidden, lead, causal, rows, columns)
            p = p.sub_(logs[:, rows]).exp2_() if readable() else (p - logs[:, rows]).exp2_()
            z_bar = torch.bmm(g[:, rows], v[:, columns].mT)
            if readable():
                z_bar.sub_(delta[:, rows]).mul_(p)
            else:
                z_bar = p * (z_bar - delta[:, rows])
            v_bars[i] = torch.baddbmm(v_bars[i], p.mT, g[:, rows])
            q_bar = torch.baddbmm(q_bar, z_bar, k[:, columns])
            k_bars[i] = torch.baddbmm(k_bars[i], z_bar.mT, q[:, rows])
        q_bars.append(q_bar * scale)
    q_bar = torch.cat(q_bars, 1) if q_bars else torch.zeros_like(q)
    k_bar = torch.cat(k_bars, 1) / LOG2_E if k_bars else torch.zeros_like(k)
    v_bar = torch.cat(v_bars, 1) if v_bars else torch.zeros_like(v)
    return q_bar.view(query.shape), k_bar.view(key.shape), v_bar.view(value.shape)


@_blockwise_pull.vjp
def blockwise_pull_vjp(
    bars: Any,
    _outputs: Any,
    g: Array,
    query: Array,
    key: Array,
    value: Array,
    mask: Array | None,
    _y: Any,
    _logs: Any,
    *,
    scale: float,
    causal: bool,
    size: int,
) -> Any:
    again = _pull_again(bars, g, query, key, value, mask, None, scale=scale, causal=causal)
    return *again[:5], None, None


# --- what callers see ---------------------------------------------------------------------------


def _checked(
    name: str,
    query: Array,
    key: Array,
    value: Array | None,
    mask: Array | None,
) -> tuple[Array, Array, Array | None, Array | None]:
    """The arguments with common leading axes, once their shapes are known to fit."""
    given = [(what, x) for what, x in (("query", query), ("key", key), ("value", value))]
    for what, x in given:
        if x is not None and len(x.shape) < 2:
            raise ValueError(
                f"{name}: expected {what} of shape (…, positions, features), got {tuple(x.shape)}"
            )
        if x is not None and not x.dtype.is_floating_point:
            raise TypeError(f"{name}: expected floating-point numbers in {what}, got {x.dtype}")
    if query.shape[-1] != key.shape[-1]:
        raise ValueError(
            f"{name}: expected query and key with the same features, got shapes "
            f"{tuple(query.shape)} and {tuple(key.shape)}"
        )
    if value is not None and key.shape[-2] != value.shape[-2]:
        raise ValueError(
            f"{name}: expected as many values as keys, got key of shape {tuple(key.shape)} and "
            f"value of shape {tuple(value.shape)}"
        )
    leads = [x.shape[:-2] for _, x in given if x is not None]
    if any(lead != leads[0] for lead in leads):
        shapes = ", ".join(str(tuple(x.shape)) for _, x in given if x is not None)
        try:
            lead = torch.broadcast_shapes(*leads)  # type: ignore[no-untyped-call]
        except RuntimeError:
            raise ValueError(
                f"{name}: expected leading axes that broadcast, got shapes {shapes}"
            ) from None
        query, key = (expand(x, (*lead, *x.shape[-2:])) for x in (query, key))
        if value is not None:
            value = expand(value, (*lead, *value.shape[-2:]))
    mask = _fitting(name, mask, (*query.shape[:-1], key.shape[-2]))
    if mask is not None and mask.dtype not in (torch.bool, query.dtype):
        raise TypeError(
            f"{name}: expected attn_mask of booleans or of {query.dtype}, got {mask.dtype}"
        )
    return query, key, value, mask


def _fitting(name: str, mask: Array | None, scores: Sequence[int]) -> Array | None:
    """The mask with two axes at least, if it broadcasts to the scores."""
    if mask is None:
        return None
    shape = tuple(mask.shape)
    pairs = zip(shape[::-1], tuple(scores)[::-1])
    if len(shape) > len(scores) or any(n not in (1, m) for n, m in pairs):
        raise ValueError(
            f"{name}: expected attn_mask of a shape that broadcasts to {tuple(scores)}, got {shape}"
        )
    return mask.reshape((1,) * (2 - len(shape)) + shape) if len(shape) < 2 else mask


def _scale(scale: float | None, query: Array) -> float:
    return 1 / math.sqrt(max(query.shape[-1], 1)) if scale is None else scale


def _long(x: Any) -> Any:
    """In float32 if it is shorter: sums of short numbers would suffer."""
    return _cast(x, dtype=torch.float32) if x is not None and x.dtype in SHORT else x


def _grouped(name: str, query: Array, x: Array) -> Array:
    """Repeat heads (the last leading axis), so that each serves a group of the queries' heads."""
    axes = min(len(query.shape), len(x.shape))
    if axes < 3 or not x.shape[-3] or query.shape[-3] % x.shape[-3]:
        raise ValueError(
            f"{name}: expected heads of key and value that divide those of query, got shapes "
            f"{tuple(query.shape)} and {tuple(x.shape)}"
        )
    *lead, heads, length, features = x.shape
    times = query.shape[-3] // heads
    wide = expand(
        x.reshape((*lead, heads, 1, length, features)), (*lead, heads, times, length, features)
    )
    return wide.reshape((*lead, heads * times, length, features))


@implements("scaled_dot_product_attention")
def scaled_dot_product_attention(
    query: Float[Array, "... T D"],
    key: Float[Array, "... S D"],
    value: Float[Array, "... S M"],
    attn_mask: Array | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Float[Array, "... T M"]:
    r"""Weighted means of values; the weights say how well a query and the keys agree.

    .. math:: Y = P V, \qquad P = \operatorname{softmax}\bigl( c\,Q K^\top + B \bigr)
       :label: op-attention

    with softmax along the keys. Backwards, with :math:`\delta_t = \sum_m \bar Y_{tm} Y_{tm}`,

    .. math:: \bar V = P^\top \bar Y, \quad
        \bar Z = P \odot \bigl( \bar Y V^\top - \delta \bigr), \quad
        \bar Q = c\,\bar Z K, \quad \bar K = c\,\bar Z^\top Q, \quad \bar B = \bar Z .
       :label: op-attention-pull

    Args:
        query: :math:`Q`, T positions of D features; any leading axes, such as batch and heads.
        key: :math:`K`, S positions; leading axes as those of ``query``, or broadcasting with them.
        value: :math:`V`, M features for each of the S positions.
        attn_mask: booleans, true where a query (row) may see a key (column), or numbers
            :math:`B` that are added to the scores; a shape that broadcasts to (…, T, S).
        dropout_p: the probability, from 0 to 1, by which a weight is set to 0; the others are
            divided by :math:`1 - p`. It is applied whenever it is above 0: pass 0 in evaluation.
        is_causal: hide from query t the keys after t, counted from the first; may be combined with
            a mask.
        scale: :math:`c`; :math:`1 / \sqrt D` if None.
        enable_gqa: let each head of ``key`` and ``value`` serve a group of heads of ``query``.

    Raises:
        ValueError: if the shapes do not fit, or ``dropout_p`` is not from 0 to 1.
        TypeError: if a mask is neither of booleans nor of the queries' type.

    A query that may see nothing gets zeros, and passes no gradient. Departs from PyTorch, which
    refuses a mask together with ``is_causal``, and has no second derivative.

    Example:
        >>> q = torch.tensor([[0.0, 0.0], [100.0, 0.0]])
        >>> k = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
        >>> scaled_dot_product_attention(q, k, torch.tensor([[1.0], [3.0]]))
        tensor([[2.],
                [1.]])

    Chapter: :doc:`/sequences/transformers`.
    """
    name = "scaled_dot_product_attention"
    _check(name, dropout_p)
    if enable_gqa:
        key, value = _grouped(name, query, key), _grouped(name, query, value)
    query, key, value, attn_mask = _checked(name, query, key, value, attn_mask)  # type: ignore[assignment]
    kept = None
    if dropout_p > 0:
        x: Tensor = lift(query)
        kept = x.new_empty((*query.shape[:-1], key.shape[-2])).bernoulli_(1 - dropout_p)
        kept = kept.div_(1 - dropout_p) if dropout_p < 1 else kept
    y = _attention(
        *map(_long, (query, key, value, attn_mask, kept)),
        scale=_scale(scale, query),
        causal=is_causal,
    )
    return _cast(y, dtype=query.dtype) if query.dtype in SHORT else y


def blockwise_attention(
    query: Float[Array, "... T D"],
    key: Float[Array, "... S D"],
    value: Float[Array, "... S M"],
    attn_mask: Array | None = None,
    is_causal: bool = False,
    *,
    block_size: int = 128,
    scale: float | None = None,
) -> Float[Array, "... T M"]:
    r"""Attention (:eq:`op-attention`) in memory that grows with the length, not with its square.

    The weights are computed a block at a time. With the largest score :math:`m`, the sum :math:`l`
    and the weighted values :math:`o` of the blocks so far, the next block's scores :math:`z` give

    .. math:: m' = \max(m, \max_s z_s), \qquad l' = e^{m - m'}\,l + \sum_s e^{z_s - m'}, \qquad
        o' = e^{m - m'}\,o + \sum_s e^{z_s - m'} v_s
       :label: op-blockwise-attention

    and in the end :math:`y = o / l`. Only :math:`\lambda = m + \log l` is kept for the way back, on
    which each block of weights is computed again as :math:`e^{z - \lambda}`.

    Args:
        query: :math:`Q`, T positions of D features; any leading axes, such as batch and heads.
        key: :math:`K`, S positions; leading axes as those of ``query``, or broadcasting with them.
        value: :math:`V`, M features for each of the S positions.
        attn_mask: booleans, true where a query may see a key, or numbers that are added to the
            scores; a shape that broadcasts to (…, T, S). One of T S numbers spends what is saved.
        is_causal: hide from query t the keys after t.
        block_size: rows and columns of a block, at least 1.
        scale: the factor of the scores; :math:`1 / \sqrt D` if None.

    Raises:
        ValueError: if the shapes do not fit, or for a block of size 0.
        TypeError: if a mask is neither of booleans nor of the queries' type.

    A second derivative, and that by a mask of numbers, take all weights at once.

    Example:
        >>> q, k, v = torch.randn(3, 1000, 8).unbind()
        >>> y = blockwise_attention(q, k, v, is_causal=True, block_size=100)
        >>> bool((y - scaled_dot_product_attention(q, k, v, is_causal=True)).abs().max() < 1e-5)
        True

    Chapter: :doc:`/sequences/transformers`.
    """
    name = "blockwise_attention"
    if block_size < 1:
        raise ValueError(f"{name}: expected a block_size of at least 1, got {block_size}")
    query, key, value, attn_mask = _checked(name, query, key, value, attn_mask)  # type: ignore[assignment]
    y = _blockwise(
        *map(_long, (query, key, value, attn_mask)),
        scale=_scale(scale, query),
        causal=is_causal,
        size=block_size,
    )
    return _cast(y, dtype=query.dtype) if query.dtype in SHORT else y


def attention_weights(
    query: Float[Array, "... T D"],
    key: Float[Array, "... S D"],
    attn_mask: Array | None = None,
    is_causal: bool = False,
    *,
    scale: float | None = None,
) -> Float[Array, "... T S"]:
    r"""The weights :math:`P` of attention (:eq:`op-attention`), to be looked at or used otherwise.

    Args:
        query: :math:`Q`, T positions of D features; any leading axes, such as batch and heads.
        key: :math:`K`, S positions; leading axes as those of ``query``, or broadcasting with them.
        attn_mask: booleans, true where a query may see a key, or numbers that are added to the
            scores; a shape that broadcasts to (…, T, S).
        is_causal: hide from query t the keys after t.
        scale: the factor of the scores; :math:`1 / \sqrt D` if None.

    Raises:
        ValueError: if the shapes do not fit.
        TypeError: if a mask is neither of booleans nor of the queries' type.

    Example:
        >>> attention_weights(torch.zeros(2, 4), torch.zeros(2, 4), is_causal=True)
        tensor([[1.0000, 0.0000],
                [0.5000, 0.5000]])

    Chapter: :doc:`/sequences/transformers`.
    """
    query, key, _, attn_mask = _checked("attention_weights", query, key, None, attn_mask)
    q, k, mask = map(_long, (query, key, attn_mask))
    p = _probabilities(q, k, mask, scale=_scale(scale, query), causal=is_causal)
    return _cast(p, dtype=query.dtype) if query.dtype in SHORT else p


# --- additive attention -------------------------------------------------------------------------


@primitive
def _additive_scores(query: Array, key: Array, weight: Array) -> Array:
    return torch.tanh(query.unsqueeze(-2) + key.unsqueeze(-3)) @ weight


@_additive_scores.vjp
def additive_scores_vjp(g: Array, _y: Any, query: Array, key: Array, weight: Array) -> Any:
    h = torch.tanh(query.unsqueeze(-2) + key.unsqueeze(-3))  # (…, T, S, M)
    g = g.unsqueeze(-1)
    inside = g * (weight - weight * h * h)  # what tanh's input gets
    return lambda: inside.sum(-2), lambda: inside.sum(-3), lambda: sum_to_shape(g * h, weight.shape)


def additive_attention(
    query: Float[Array, "... T D"],
    key: Float[Array, "... S K"],
    value: Float[Array, "... S C"],
    score_weight: Float[Array, "M"],
    query_weight: Float[Array, "M D"] | None = None,
    key_weight: Float[Array, "M K"] | None = None,
    bias: Float[Array, "M"] | None = None,
    attn_mask: Array | None = None,
) -> tuple[Float[Array, "... T C"], Float[Array, "... T S"]]:
    r"""Attention whose scores come from a small network with a hidden layer of M units.

    .. math:: z_{ts} = w^\top \tanh\bigl( W_q q_t + W_k k_s + b \bigr), \qquad
        P = \operatorname{softmax}(z), \qquad Y = P V
       :label: op-additive-attention

    The hidden units :math:`h_{ts} = \tanh(\cdot)` are the same for no two pairs, and so they take
    T S M numbers. They are computed again on the way back: with :math:`\bar a_{ts} = \bar z_{ts}\,
    w \odot (1 - h_{ts}^2)`, a query's projection gets the sum of :math:`\bar a` over s, a key's
    that over t, and :math:`\bar w = \sum_{ts} \bar z_{ts} h_{ts}`.

    Args:
        query: :math:`q`, T positions; any leading axes.
        key: :math:`k`, S positions; leading axes as those of ``query``, or broadcasting with them.
        value: :math:`V`, what the weights average, for each of the S positions.
        score_weight: :math:`w`, one number for each hidden unit.
        query_weight: :math:`W_q`; None where ``query`` has been projected already.
        key_weight: :math:`W_k`; None where ``key`` has been projected already, once for many
            queries.
        bias: :math:`b`, or None.
        attn_mask: booleans, true where a query may see a key, or numbers that are added to the
            scores; a shape that broadcasts to (…, T, S).

    Returns:
        The results and the weights.

    Raises:
        ValueError: if the shapes do not fit.
        TypeError: if a mask is neither of booleans nor of the queries' type.

    Example:
        >>> memory = torch.tensor([[1.0], [-1.0]])
        >>> ones = torch.ones(1, 1)
        >>> y, p = additive_attention(ones, memory, memory, torch.tensor([100.0]), ones, ones)
        >>> y.tolist(), p.round(decimals=6).tolist()
        ([[1.0]], [[1.0, 0.0]])

    Chapter: :doc:`/sequences/attention`.
    """
    name = "additive_attention"
    a = query if query_weight is None else _projected(name, "query", query, query_weight, bias)
    if query_weight is None and bias is not None:
        a = a + bias
    b = key if key_weight is None else _projected(name, "key", key, key_weight, None)
    a, b, v, mask = _checked(name, a, b, value, attn_mask)
    if v is None or tuple(score_weight.shape) != (a.shape[-1],):
        raise ValueError(
            f"{name}: expected score_weight of shape ({a.shape[-1]},) for projections of shape "
            f"{tuple(a.shape)}, got {tuple(score_weight.shape)}"
        )
    scores = _additive_scores(*map(_long, (a, b, score_weight)))
    if mask is not None:
        scores = scores + (
            _additive(lift(mask), scores.dtype) if mask.dtype == torch.bool else mask
        )
    p = _weights(scores)
    y = p @ _long(v)
    if query.dtype in SHORT:
        return _cast(y, dtype=query.dtype), _cast(p, dtype=query.dtype)
    return y, p


def _projected(name: str, what: str, x: Array, weight: Array, bias: Array | None) -> Array:
    if len(weight.shape) != 2 or not len(x.shape) or weight.shape[1] != x.shape[-1]:
        raise ValueError(
            f"{name}: expected {what}_weight of shape (units, features) for {what} of shape "
            f"{tuple(x.shape)}, got {tuple(weight.shape)}"
        )
    return linear(x, weight, bias)


# --- positions ----------------------------------------------------------------------------------


def _angles(
    name: str, positions: Tensor, dim: int, base: float, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """Sines and cosines of position times frequency, for each of dim / 2 frequencies."""
    if dim < 2 or dim % 2:
        raise ValueError(f"{name}: expected an even number of features, got {dim}")
    if base <= 0:
        raise ValueError(f"{name}: expected a base above 0, got {base}")
    exponents = torch.arange(0, dim, 2, dtype=torch.float64, device=positions.device) / dim
    angles = positions.unsqueeze(-1) * base**-exponents  # in float64: far positions turn often
    return torch.sin(angles).to(dtype), torch.cos(angles).to(dtype)


def _positions(name: str, positions: int | Tensor) -> Tensor:
    if isinstance(positions, int):
        if positions < 0:
            raise ValueError(f"{name}: expected a length of at least 0, got {positions}")
        return torch.arange(positions)
    return positions


def sinusoidal_encoding(
    positions: int | Tensor,
    dim: int,
    *,
    base: float = 10_000.0,
    dtype: torch.dtype = torch.float32,
) -> Float[Tensor, "... D"]:
    r"""Positions as waves of many lengths, read off at that place.

    .. math:: y_{t,2i} = \sin \omega_i t, \qquad y_{t,2i+1} = \cos \omega_i t, \qquad
        \omega_i = b^{-2i/D}
       :label: op-sinusoidal-encoding

    The pair of a frequency is a point on a circle; a shift by :math:`k` positions turns it by the
    angle :math:`\omega_i k`, wherever one is.

    Args:
        positions: how many positions, counted from 0, or the positions themselves.
        dim: features of the result, D; even.
        base: :math:`b`, above 0; wave lengths go from :math:`2\pi` to nearly :math:`2\pi b`.
        dtype: the result's floating-point type.

    Raises:
        ValueError: if ``dim`` is odd, or ``base`` not above 0, or a length below 0.

    Example:
        >>> sinusoidal_encoding(2, 4)
        tensor([[0.0000, 1.0000, 0.0000, 1.0000],
                [0.8415, 0.5403, 0.0100, 0.9999]])

    Chapter: :doc:`/sequences/transformers`.
    """
    name = "sinusoidal_encoding"
    sines, cosines = _angles(name, _positions(name, positions), dim, base, dtype)
    return torch.stack([sines, cosines], -1).flatten(-2)


@primitive
def _rotate(input: Array, sines: Tensor, cosines: Tensor) -> Array:
    """Turn each pair of neighbouring features by its angle."""
    even, odd = input[..., 0::2], input[..., 1::2]
    turned = [even * cosines - odd * sines, even * sines + odd * cosines]
    return torch.stack(turned, -1).flatten(-2)


@_rotate.vjp
def rotate_vjp(g: Array, _y: Any, _x: Any, sines: Tensor, cosines: Tensor) -> Any:
    return _rotate(g, -sines, cosines), None, None  # back by the same angles


def rotary_embedding(
    input: Float[Array, "... T D"],
    positions: Tensor | None = None,
    *,
    base: float = 10_000.0,
) -> Float[Array, "... T D"]:
    r"""Turn queries or keys by angles that grow with their position.

    .. math:: \begin{pmatrix} y_{t,2i} \\ y_{t,2i+1} \end{pmatrix} =
        \begin{pmatrix} \cos\omega_i t & -\sin\omega_i t \\ \sin\omega_i t & \cos\omega_i t
        \end{pmatrix} \begin{pmatrix} x_{t,2i} \\ x_{t,2i+1} \end{pmatrix}, \qquad
        \omega_i = b^{-2i/D}
       :label: op-rotary-embedding

    The product of a query turned by its position and a key turned by its own depends on how far
    they are apart, and not on where. A rotation is undone by its transpose, and so the cotangent is
    turned back by the same angles.

    Args:
        input: :math:`x`, queries or keys, D even; any leading axes, such as batch and heads.
        positions: the positions t, whole numbers of a shape that broadcasts to (…, T); from 0 to
            T - 1 if None.
        base: :math:`b`, above 0.

    Raises:
        ValueError: if the features are odd in number, the positions do not fit, or ``base`` is not
            above 0.

    Example:
        >>> x = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
        >>> rotary_embedding(x)
        tensor([[1.0000, 0.0000],
                [0.5403, 0.8415]])

    Chapter: :doc:`/sequences/transformers`.
    """
    name = "rotary_embedding"
    if len(input.shape) < 2:
        raise ValueError(
            f"{name}: expected input of shape (…, positions, features), got {tuple(input.shape)}"
        )
    if positions is None:
        positions = torch.arange(input.shape[-2], device=input.device)
    shape, places = tuple(positions.shape), tuple(input.shape[:-1])
    pairs = zip(shape[::-1], places[::-1])
    if len(shape) > len(places) or any(n not in (1, m) for n, m in pairs):
        raise ValueError(
            f"{name}: expected positions of a shape that broadcasts to {places}, got {shape}"
        )
    x = _long(input)
    y = _rotate(x, *_angles(name, positions, input.shape[-1], base, x.dtype))
    return _cast(y, dtype=input.dtype) if input.dtype in SHORT else y

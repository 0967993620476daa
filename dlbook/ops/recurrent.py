r"""Recurrent networks: one layer in one direction over a whole series, as one primitive.

Every step takes the state of the step before. What does not depend on it is done for all steps at
once: on the way there the product of all inputs with :math:`W_{ih}`; on the way back the local
derivatives (they need only what was saved), and the gradients of the weights, which are sums over
all steps and so single products of large matrices,

.. math:: \bar W_{ih} = \sum_t \bar a_t^\top x_t = \bar A^\top X, \qquad
    \bar W_{hh} = \sum_t \bar a_t^\top h_{t-1}, \qquad \bar X = \bar A\,W_{ih} .

What remains for the loop is the product with :math:`W_{hh}`, and a few products entry by entry.

**Rows.** The steps' rows stand below each other: a batch of B series, T steps each, is a matrix of
:math:`TB` rows. Series of different lengths are sorted by length, the longest first. Then those
that are still running at a step are the first ones, and a step has fewer rows than the one before
it or as many: ``sizes`` says how many (PyTorch's packed sequences are the same). No row is spent on
padding, and no mask is needed.

**Two forms of each loop.** ``_…_loop`` and ``_…_back`` make new arrays at each step: they read as
the equations, and can be differentiated again. ``_…_loop_`` and ``_…_back_`` compute the same in
arrays that are there already, which takes half the time.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import accumulate, pairwise
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from dlbook.autodiff.primitives import primitive, readable
from dlbook.autodiff.tape import Array, lift
from dlbook.ops.layers import SHORT, _cast

Sizes = tuple[int, ...]


# --- rows and steps -----------------------------------------------------------------------------


def _steps(rows: Array, sizes: Sizes) -> list[Any]:
    """Cut rows into those of each step."""
    if isinstance(rows, Tensor):
        return list(rows.split_with_sizes(sizes))
    return [rows[a:b] for a, b in pairwise(accumulate(sizes, initial=0))]


def _first(rows: Array, n: int) -> Array:
    """The first n rows: those of series that go on."""
    return rows if rows.shape[0] == n else rows[:n]


def _before(start: Array, steps: Sequence[Array], sizes: Sizes) -> list[Array]:
    """The state before each step."""
    return [_first(state, n) for state, n in zip((start, *steps), sizes)]


def _rows_before(start: Array, rows: Array, sizes: Sizes) -> Array:
    """The same, as rows."""
    if sizes[0] == sizes[-1]:
        return torch.cat([start, rows[: -sizes[0]]])
    return torch.cat(_before(start, _steps(rows, sizes), sizes))


def _product_before(start: Array, rows: Array, bars: Array, sizes: Sizes) -> Array:
    """The sum over all steps of the state before a step times what came back at it."""
    if sizes[0] != sizes[-1]:
        return _rows_before(start, rows, sizes).t() @ bars
    n = sizes[0]
    return start.t() @ bars[:n] + rows[:-n].t() @ bars[n:]


def _plus_first(rows: Array, more: Array | None) -> Array:
    """Add to the first rows, as many as there are more."""
    if more is None:
        return rows
    n = more.shape[0]
    if n == rows.shape[0]:
        return rows + more
    return torch.cat([rows[:n] + more, rows[n:]])


def _blocks(sizes: Sizes, most: int = 256) -> list[tuple[slice, slice]]:
    """Cut the steps, and with them the rows, into blocks that stay in a processor's cache."""
    found, first, start, row = [], 0, 0, 0
    for step, n in enumerate(sizes):
        if row > start and row + n - start > most:
            found.append((slice(first, step), slice(start, row)))
            first, start = step, row
        row += n
    return [*found, (slice(first, len(sizes)), slice(start, row))]


def _in_place(*arrays: Any) -> bool:
    """Whether nobody wants to differentiate or transform what is computed from these."""
    grad = torch.is_grad_enabled()
    return readable() and all(
        a is None or (isinstance(a, Tensor) and not (grad and a.requires_grad)) for a in arrays
    )


def _product(input: Array, weight: Array, bias: Array | None) -> Array:
    if bias is None:
        return input @ weight.t()
    if isinstance(input, Tensor) and isinstance(weight, Tensor) and isinstance(bias, Tensor):
        return torch.addmm(bias, input, weight.t())
    return input @ weight.t() + bias


def _sum_of(a: Array | None, b: Array | None) -> Array | None:
    return b if a is None else a if b is None else a + b


def _sum(rows: Array) -> Array:
    """The sum of all rows, as a product: half the time."""
    return torch.ones(rows.shape[0], dtype=rows.dtype, device=rows.device) @ rows


def _both(a: Any, b: Any, bar: Callable[[], Array]) -> tuple[Any, Any]:
    """One cotangent for two biases that are only ever added; computed once, if it is needed."""
    found: list[Array] = []

    def once() -> Array:
        if not found:
            found.append(bar())
        return found[0]

    return None if a is None else once, None if b is None else once


def _rolled(weight: Any, rows: int) -> Any:
    """The last rows first; with a negative number, the first ones last."""
    return None if weight is None else torch.cat([weight[-rows:], weight[:-rows]])


def _columns(rows: Array, parts: int) -> list[Any]:
    """Cut the columns into equal parts, one for each gate."""
    width = rows.shape[1] // parts
    return [rows[:, k * width : (k + 1) * width] for k in range(parts)]


# --- the simple network -------------------------------------------------------------------------


def _rnn_loop(a: Array, h0: Array, w_hh: Array, sizes: Sizes, relu: bool) -> Array:
    """h = g(a + W h), step by step; ``a`` is what the inputs contribute."""
    h, states = h0, []
    for a_t, n in zip(_steps(a, sizes), sizes):
        z = a_t + _first(h, n) @ w_hh.t()
        h = z.clamp(min=0) if relu else torch.tanh(z)
        states.append(h)
    return torch.cat(states)


def _rnn_loop_(a: Tensor, h0: Tensor, w_hh: Tensor, sizes: Sizes, relu: bool) -> Tensor:
    states, w = a.split_with_sizes(sizes), w_hh.t()
    for h, before in zip(states, _before(h0, states, sizes)):
        h.addmm_(before, w)
        if relu:
            h.clamp_min_(0)
        else:
            h.tanh_()
    return a


def _rnn_back(
    h_bar: Array, slopes: Array, w_hh: Array, sizes: Sizes, rows: int
) -> tuple[Array, Array]:
    """The cotangents of the pre-activations of all steps, and that of the first state."""
    carried, found = None, []
    for g_t, slope in zip(reversed(_steps(h_bar, sizes)), reversed(_steps(slopes, sizes))):
        a_bar = slope * _plus_first(g_t, carried)
        carried = a_bar @ w_hh
        found.append(a_bar)
    assert carried is not None
    return torch.cat(found[::-1]), carried


def _rnn_back_(
    h_bar: Tensor, slopes: Tensor, w_hh: Tensor, sizes: Sizes, rows: int
) -> tuple[Tensor, Tensor]:
    a_bar = h_bar.clone(memory_format=torch.contiguous_format)
    h0_bar = a_bar.new_zeros(rows, a_bar.shape[1])
    steps = a_bar.split_with_sizes(sizes)
    for g_t, slope, before in zip(
        reversed(steps),
        reversed(slopes.split_with_sizes(sizes)),
        reversed(_before(h0_bar, steps, sizes)),
    ):
        g_t.mul_(slope)
        before.addmm_(g_t, w_hh)
    return a_bar, h0_bar


@primitive
def _rnn(
    x: Array,
    h0: Array,
    w_ih: Array,
    w_hh: Array,
    b_ih: Array | None,
    b_hh: Array | None,
    *,
    sizes: Sizes,
    relu: bool,
) -> Array:
    a = _product(x, w_ih, _sum_of(b_ih, b_hh))
    return (_rnn_loop_ if readable() else _rnn_loop)(a, h0, w_hh, sizes, relu)


@_rnn.vjp
def rnn_vjp(
    g: Array,
    y: Array,
    x: Array,
    h0: Array,
    w_ih: Array,
    w_hh: Array,
    b_ih: Array | None,
    b_hh: Array | None,
    *,
    sizes: Sizes,
    relu: bool,
) -> Any:
    slopes = torch.sign(y) if relu else 1 - y * y
    back = _rnn_back_ if _in_place(g, y, w_hh) else _rnn_back
    a_bar, h0_bar = back(g, slopes, w_hh, sizes, h0.shape[0])
    return (
        lambda: a_bar @ w_ih,
        h0_bar,
        lambda: a_bar.t() @ x,
        lambda: _product_before(h0, y, a_bar, sizes).t(),
        *_both(b_ih, b_hh, lambda: _sum(a_bar)),
    )


# --- long short-term memory -----------------------------------------------------------------------

# Within, the output gate stands first, (o, i, f, g) for PyTorch's (i, f, g, o): what goes through
# the logistic function is one block then, and so are the three that act by way of the cell.


def _lstm_loop(
    a: Array, h0: Array, c0: Array, w_hh: Array, sizes: Sizes
) -> tuple[Array, Array, Array, Array]:
    """The four equations, step by step: states, gates, cells and their tanh."""
    h, c = h0, c0
    states: list[Array] = []
    gates: list[Array] = []
    cells: list[Array] = []
    tanhs: list[Array] = []
    width = h0.shape[1]
    for a_t, n in zip(_steps(a, sizes), sizes):
        z = a_t + _first(h, n) @ w_hh.t()
        gate = torch.cat([torch.sigmoid(z[:, : 3 * width]), torch.tanh(z[:, 3 * width :])], 1)
        o, i, f, g = _columns(gate, 4)
        c = f * _first(c, n) + i * g
        tanh_c = torch.tanh(c)
        h = o * tanh_c
        for found, value in zip((states, gates, cells, tanhs), (h, gate, c, tanh_c)):
            found.append(value)
    return torch.cat(states), torch.cat(gates), torch.cat(cells), torch.cat(tanhs)


def _lstm_loop_(
    a: Tensor, h0: Tensor, c0: Tensor, w_hh: Tensor, sizes: Sizes
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The same in place, with tanh c = 2σ(2c) - 1: σ is several times faster."""
    width = h0.shape[1]
    y, c, tanh_c = (a.new_empty(a.shape[0], width) for _ in range(3))
    states, cells, w = y.split_with_sizes(sizes), c.split_with_sizes(sizes), w_hh.t()
    less = a.new_tensor(-1.0)
    for a_t, oif, (o, i, f, g), h, c_t, th, h_before, c_before in zip(
        a.split_with_sizes(sizes),
        a[:, : 3 * width].split_with_sizes(sizes),
        zip(*(gate.split_with_sizes(sizes) for gate in _columns(a, 4))),
        states,
        cells,
        tanh_c.split_with_sizes(sizes),
        _before(h0, states, sizes),
        _before(c0, cells, sizes),
    ):
        a_t.addmm_(h_before, w)
        oif.sigmoid_()
        g.tanh_()
        torch.mul(f, c_before, out=c_t)
        c_t.addcmul_(i, g)
        torch.add(c_t, c_t, out=th)
        torch.add(less, th.sigmoid_(), alpha=2, out=th)
        torch.mul(o, th, out=h)
    return y, a, c, tanh_c


def _lstm_slopes(gates: Array, c_before: Array, tanh_c: Array) -> tuple[Array, Array]:
    """By how much each pre-activation moves h (by way of o) or c, and c moves h, for all steps."""
    o, i, f, g = _columns(gates, 4)
    slopes = [tanh_c * (o - o * o), g * (i - i * i), c_before * (f - f * f), i - i * g * g]
    return torch.cat(slopes, 1), o - o * tanh_c * tanh_c


def _lstm_slopes_(gates: Tensor, c_before: Tensor, tanh_c: Tensor, out: Tensor) -> Tensor:
    """The same in place; ``out`` gets the slopes of the gates."""
    o, i, _, g = _columns(gates, 4)
    by_o, by_i, by_f, by_g = _columns(out, 4)
    torch.addcmul(gates, gates, gates, value=-1, out=out)  # σ' = σ - σ², and for g in vain
    by_o.mul_(tanh_c)
    by_i.mul_(g)
    by_f.mul_(c_before)
    torch.addcmul(i, torch.mul(i, g, out=by_g), g, value=-1, out=by_g)
    by_cell = o * tanh_c
    return torch.addcmul(o, by_cell, tanh_c, value=-1, out=by_cell)


def _lstm_back(
    h_bar: Array,
    c_bar: Array,
    gates: Array,
    c: Array,
    c0: Array,
    tanh_c: Array,
    w_hh: Array,
    sizes: Sizes,
) -> tuple[Array, Array, Array]:
    """The cotangents of the pre-activations of all steps, and those of the first states."""
    slopes, by_cell = _lstm_slopes(gates, _rows_before(c0, c, sizes), tanh_c)
    forget = _columns(gates, 4)[2]
    carried: Any = None
    c_carried: Any = c_bar[:0]
    found = []
    for g_t, slope, by, f in zip(
        *(reversed(_steps(rows, sizes)) for rows in (h_bar, slopes, by_cell, forget))
    ):
        h = _plus_first(g_t, carried)
        n, going_on = h.shape[0], c_carried.shape[0]
        if going_on < n:  # series that end here
            c_carried = torch.cat([c_carried, c_bar[going_on:n]])
        c_t = c_carried + h * by
        a_bar = slope * torch.cat([h, c_t, c_t, c_t], 1)
        carried, c_carried = a_bar @ w_hh, c_t * f
        found.append(a_bar)
    return torch.cat(found[::-1]), carried, c_carried


def _lstm_back_(
    h_bar: Tensor,
    c_bar: Tensor,
    gates: Tensor,
    c: Tensor,
    c0: Tensor,
    tanh_c: Tensor,
    w_hh: Tensor,
    sizes: Sizes,
) -> tuple[Tensor, Tensor, Tensor]:
    width = h_bar.shape[1]
    h_bar = h_bar.clone(memory_format=torch.contiguous_format)
    cell = c_bar.clone(memory_format=torch.contiguous_format)
    a_bar, h0_bar = torch.empty_like(gates), torch.zeros_like(cell)
    states = h_bar.split_with_sizes(sizes)
    forget = _columns(gates, 4)[2].split_with_sizes(sizes)
    h_before = _before(h0_bar, states, sizes)
    c_before = _rows_before(c0, c, sizes)
    for steps, rows in reversed(_blocks(sizes)):
        slopes = a_bar[rows]
        by_cell = _lstm_slopes_(gates[rows], c_before[rows], tanh_c[rows], slopes)
        by_way = slopes[:, width:].view(-1, 3, width)
        for h, f, before, a_t, a_o, a_ifg, by in zip(
            *(reversed(each[steps]) for each in (states, forget, h_before)),
            *(
                reversed(each.split_with_sizes(sizes[steps]))
                for each in (slopes, slopes[:, :width], by_way, by_cell)
            ),
        ):
            c_t = _first(cell, h.shape[0])
            c_t.addcmul_(h, by)
            a_o.mul_(h)  # slopes become cotangents
            a_ifg.mul_(c_t.unsqueeze(1))
            before.addmm_(a_t, w_hh)
            c_t.mul_(f)
    return a_bar, h0_bar, cell


@primitive(saves=True)
def _lstm(
    x: Array,
    h0: Array,
    c0: Array,
    w_ih: Array,
    w_hh: Array,
    b_ih: Array | None,
    b_hh: Array | None,
    *,
    sizes: Sizes,
) -> Any:
    width, loop = h0.shape[1], _lstm_loop_ if readable() else _lstm_loop
    w_ih, w_hh, b = (_rolled(v, width) for v in (w_ih, w_hh, _sum_of(b_ih, b_hh)))
    y, *saved = loop(_product(x, w_ih, b), h0, c0, w_hh, sizes)
    return (y, _last(saved[1], sizes).clone()), tuple(saved)


@_lstm.saved
def lstm_saved(
    x: Array,
    h0: Array,
    c0: Array,
    w_ih: Array,
    w_hh: Array,
    b_ih: Array | None,
    b_hh: Array | None,
    *,
    sizes: Sizes,
) -> Any:
    width = h0.shape[1]
    a = _product(x, _rolled(w_ih, width), _rolled(_sum_of(b_ih, b_hh), width))
    return _lstm_loop(a, h0, c0, _rolled(w_hh, width), sizes)[1:]


@_lstm.vjp
def lstm_vjp(
    g: Any,
    y: Any,
    saved: Any,
    x: Array,
    h0: Array,
    c0: Array,
    w_ih: Array,
    w_hh: Array,
    b_ih: Array | None,
    b_hh: Array | None,
    *,
    sizes: Sizes,
) -> Any:
    (h_bar, c_bar), width = g, h0.shape[1]
    gates, c, tanh_c = saved
    back = _lstm_back_ if _in_place(h_bar, c_bar, gates, c0, w_hh) else _lstm_back
    a_bar, h0_bar, c0_bar = back(h_bar, c_bar, gates, c, c0, tanh_c, _rolled(w_hh, width), sizes)

    return (
        lambda: a_bar @ _rolled(w_ih, width),
        h0_bar,
        c0_bar,
        lambda: _rolled((x.t() @ a_bar).t(), -width),
        lambda: _rolled(_product_before(h0, y[0], a_bar, sizes).t(), -width),
        *_both(b_ih, b_hh, lambda: _rolled(_sum(a_bar), -width)),
    )


# --- gated recurrent unit -----------------------------------------------------------------------

# Within, the backward pass has four blocks, (q, r, z, n): n's share of W h has a cotangent of its
# own, since r stands between. The first three meet W_hh, as (n, r, z); the last three W_ih.


def _gru_biases(
    b_ih: Array | None, b_hh: Array | None, width: int
) -> tuple[Array | None, Array | None]:
    """What is added for all steps at once, and what is added to n's share of W h."""
    if b_hh is None:
        return b_ih, None
    r_z, q = b_hh[: 2 * width], b_hh[2 * width :]
    early = torch.cat([r_z, q * 0])
    return _sum_of(b_ih, early), q


def _gru_loop(
    a: Array, h0: Array, w_hh: Array, b_q: Array | None, sizes: Sizes
) -> tuple[Array, Array, Array]:
    """The three equations, step by step: states, gates, and n's share of W h."""
    h, width = h0, h0.shape[1]
    states: list[Array] = []
    gates: list[Array] = []
    shares: list[Array] = []
    for a_t, n in zip(_steps(a, sizes), sizes):
        h = _first(h, n)
        s = torch.sigmoid(a_t[:, : 2 * width] + h @ w_hh[: 2 * width].t())
        r, z = _columns(s, 2)
        q = _product(h, w_hh[2 * width :], b_q)
        new = torch.tanh(a_t[:, 2 * width :] + r * q)
        h = new + z * (h - new)
        for found, value in zip((states, gates, shares), (h, torch.cat([s, new], 1), q)):
            found.append(value)
    return torch.cat(states), torch.cat(gates), torch.cat(shares)


def _gru_loop_(
    a: Tensor, h0: Tensor, w_hh: Tensor, b_q: Tensor | None, sizes: Sizes
) -> tuple[Tensor, Tensor, Tensor]:
    width = h0.shape[1]
    y, share = (a.new_empty(a.shape[0], width) for _ in range(2))
    states = y.split_with_sizes(sizes)
    w_s, w_q = w_hh[: 2 * width].t(), w_hh[2 * width :].t()
    b_q = a.new_zeros(width) if b_q is None else b_q
    blocks = a[:, : 2 * width], *_columns(a, 3), share
    for (s, r, z, new, q), h, before in zip(
        zip(*(block.split_with_sizes(sizes) for block in blocks)),
        states,
        _before(h0, states, sizes),
    ):
        s.addmm_(before, w_s).sigmoid_()
        torch.addmm(b_q, before, w_q, out=q)
        new.addcmul_(r, q).tanh_()
        torch.lerp(new, before, z, out=h)
    return y, a, share


def _gru_slopes(gates: Array, share: Array, h_before: Array) -> Array:
    """By how much q, r, z and n's pre-activations move h, for all steps."""
    r, z, n = _columns(gates, 3)
    by_n = (n * n - 1) * (z - 1)
    slopes = [by_n * r, by_n * share * (r - r * r), (h_before - n) * (z - z * z), by_n]
    return torch.cat(slopes, 1)


def _gru_back(
    h_bar: Array, slopes: Array, z: Array, w_hh: Array, sizes: Sizes, rows: int
) -> tuple[Array, Array]:
    """The cotangents of the four blocks of all steps, and that of the first state."""
    carried: Any = None
    found = []
    width = h_bar.shape[1]
    for g_t, slope, z_t in zip(*(reversed(_steps(x, sizes)) for x in (h_bar, slopes, z))):
        h = _plus_first(g_t, carried)
        a_bar = slope * torch.cat([h, h, h, h], 1)
        carried = h * z_t + a_bar[:, : 3 * width] @ w_hh
        found.append(a_bar)
    return torch.cat(found[::-1]), carried


def _gru_back_(
    h_bar: Tensor, slopes: Tensor, z: Tensor, w_hh: Tensor, sizes: Sizes, rows: int
) -> tuple[Tensor, Tensor]:
    width = h_bar.shape[1]
    h_bar = h_bar.clone(memory_format=torch.contiguous_format)
    h0_bar = h_bar.new_zeros(rows, width)
    states = h_bar.split_with_sizes(sizes)
    four = slopes.view(-1, 4, width)
    for h, a_bar, recurrent, z_t, before in zip(
        reversed(states),
        *(reversed(rows.split_with_sizes(sizes)) for rows in (four, slopes[:, : 3 * width], z)),
        reversed(_before(h0_bar, states, sizes)),
    ):
        a_bar.mul_(h.unsqueeze(1))  # slopes become cotangents
        before.addcmul_(h, z_t)
        before.addmm_(recurrent, w_hh)
    return slopes, h0_bar


@primitive(saves=True)
def _gru(
    x: Array,
    h0: Array,
    w_ih: Array,
    w_hh: Array,
    b_ih: Array | None,
    b_hh: Array | None,
    *,
    sizes: Sizes,
) -> Any:
    early, b_q = _gru_biases(b_ih, b_hh, h0.shape[1])
    loop = _gru_loop_ if readable() else _gru_loop
    y, *saved = loop(_product(x, w_ih, early), h0, w_hh, b_q, sizes)
    return y, tuple(saved)


@_gru.saved
def gru_saved(
    x: Array,
    h0: Array,
    w_ih: Array,
    w_hh: Array,
    b_ih: Array | None,
    b_hh: Array | None,
    *,
    sizes: Sizes,
) -> Any:
    early, b_q = _gru_biases(b_ih, b_hh, h0.shape[1])
    return _gru_loop(_product(x, w_ih, early), h0, w_hh, b_q, sizes)[1:]


@_gru.vjp
def gru_vjp(
    g: Array,
    y: Array,
    saved: Any,
    x: Array,
    h0: Array,
    w_ih: Array,
    w_hh: Array,
    b_ih: Array | None,
    b_hh: Array | None,
    *,
    sizes: Sizes,
) -> Any:
    gates, share = saved
    width = h0.shape[1]
    h_before = _rows_before(h0, y, sizes)
    slopes, z = _gru_slopes(gates, share, h_before), gates[:, width : 2 * width]
    back = _gru_back_ if _in_place(g, slopes, w_hh) else _gru_back
    a_bar, h0_bar = back(g, slopes, z, _rolled(w_hh, width), sizes, h0.shape[0])
    by_h, by_x = a_bar[:, : 3 * width], a_bar[:, width:]
    return (
        lambda: by_x @ w_ih,
        h0_bar,
        lambda: by_x.t() @ x,
        lambda: _rolled(by_h.t() @ h_before, -width),
        None if b_ih is None else lambda: _sum(by_x),
        None if b_hh is None else lambda: _rolled(_sum(by_h), -width),
    )


# --- the three as functions ---------------------------------------------------------------------


@primitive
def _reordered(rows: Array, order: Tensor, back: Tensor) -> Array:
    """Rows in another order, of which ``back`` is the inverse."""
    return rows.index_select(0, order)


@_reordered.vjp
def reordered_vjp(g: Array, _y: Any, _rows: Any, order: Tensor, back: Tensor) -> Any:
    return _reordered(g, back, order), None, None


@lru_cache(maxsize=64)
def _turned(sizes: Sizes) -> Tensor:
    """Where each row goes when every series is read from its end; the inverse is the same."""
    starts = torch.tensor([0, *accumulate(sizes)])
    lengths = torch.tensor(sizes).unsqueeze(1).gt(torch.arange(sizes[0])).sum(0)
    step = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    series = torch.arange(len(step)) - starts[step]
    return starts[lengths[series] - 1 - step] + series


@lru_cache(maxsize=64)
def _ends(sizes: Sizes) -> Tensor:
    """The row in which each series ends."""
    starts = torch.tensor([0, *accumulate(sizes)])
    series = torch.arange(sizes[0])
    lengths = torch.tensor(sizes).unsqueeze(1).gt(series).sum(0)
    return starts[lengths - 1] + series


def _last(rows: Array, sizes: Sizes) -> Array:
    """The last row of each series."""
    if sizes[0] == sizes[-1]:
        return rows[-sizes[0] :]
    return rows[_ends(sizes).to(rows.device)]


def _scan(
    name: str,
    function: Callable[..., Any],
    gates: int,
    input: Array,
    states: Sequence[Array | None],
    weights: tuple[Array, Array, Array | None, Array | None],
    batch_sizes: Sequence[int] | Tensor | None,
    reverse: bool,
    **meta: Any,
) -> tuple[Array, ...]:
    """Check, lay the rows out, scan, and bring the results into the input's form."""
    sizes = _checked(name, gates, input, states, weights, batch_sizes)
    rows, width = sizes[0], weights[1].shape[1]
    dtype = input.dtype
    arrays: list[Any] = [
        input.reshape((sum(sizes), input.shape[-1])),
        *(lift(input).new_zeros((rows, width)) if s is None else s for s in states),
        *weights,
    ]
    if dtype in SHORT:  # errors would add up from step to step
        arrays = [None if a is None else _cast(a, dtype=torch.float32) for a in arrays]
    order = _turned(sizes).to(input.device) if reverse else None
    if order is not None:
        arrays[0] = _reordered(arrays[0], order, order)
    found = function(*arrays, sizes=sizes, **meta)
    y, *cells = found if isinstance(found, tuple) else (found,)
    results = [y if order is None else _reordered(y, order, order), _last(y, sizes), *cells]
    if dtype in SHORT:
        results = [_cast(a, dtype=dtype) for a in results]
    results[0] = results[0].reshape((*input.shape[:-1], width))
    return tuple(results)


def _checked(
    name: str,
    gates: int,
    input: Array,
    states: Sequence[Array | None],
    weights: tuple[Array, Array, Array | None, Array | None],
    batch_sizes: Sequence[int] | Tensor | None,
) -> Sizes:
    """Return how many rows each step has."""
    w_ih, w_hh, b_ih, b_hh = weights
    if w_hh.ndim != 2 or w_hh.shape[0] != gates * w_hh.shape[1]:
        blocks = "" if gates == 1 else f"{gates}·"
        raise ValueError(
            f"{name}: expected w_hh of shape ({blocks}units, units), got {tuple(w_hh.shape)}"
        )
    outputs, units = w_hh.shape
    if w_ih.ndim != 2 or w_ih.shape[0] != outputs:
        raise ValueError(
            f"{name}: expected w_ih of shape ({outputs}, inputs) for w_hh of shape "
            f"{tuple(w_hh.shape)}, got {tuple(w_ih.shape)}"
        )
    for what, bias in (("b_ih", b_ih), ("b_hh", b_hh)):
        if bias is not None and bias.shape != (outputs,):
            raise ValueError(
                f"{name}: expected {what} of shape ({outputs},), got {tuple(bias.shape)}"
            )
    axes, words = (3, "(T, B, D)") if batch_sizes is None else (2, "(rows, D) with batch_sizes")
    if input.ndim != axes or not input.shape[0]:
        raise ValueError(
            f"{name}: expected input of shape {words} and at least one step, got "
            f"{tuple(input.shape)}"
        )
    if input.shape[-1] != w_ih.shape[1]:
        raise ValueError(
            f"{name}: w_ih expects {w_ih.shape[1]} input features, got input of shape "
            f"{tuple(input.shape)}"
        )
    if batch_sizes is None:
        sizes: Sizes = (input.shape[1],) * input.shape[0]
    else:
        listed = batch_sizes.tolist() if isinstance(batch_sizes, Tensor) else batch_sizes
        sizes = tuple(listed)
        falling = all(a >= b for a, b in pairwise(sizes)) and sizes[-1] > 0
        if not falling or sum(sizes) != input.shape[0]:
            raise ValueError(
                f"{name}: expected batch_sizes that fall, stay positive and add up to "
                f"{input.shape[0]} rows, got {sizes}"
            )
    for state in states:
        if state is not None and state.shape != (sizes[0], units):
            raise ValueError(
                f"{name}: expected an initial state of shape ({sizes[0]}, {units}), got "
                f"{tuple(state.shape)}"
            )
    return sizes


def rnn_tanh(
    input: Float[Array, "... D"],
    hx: Float[Array, "B H"] | None,
    w_ih: Float[Array, "K D"],
    w_hh: Float[Array, "K H"],
    b_ih: Float[Array, "K"] | None = None,
    b_hh: Float[Array, "K"] | None = None,
    *,
    batch_sizes: Sequence[int] | Tensor | None = None,
    reverse: bool = False,
) -> tuple[Float[Array, "... H"], Float[Array, "B H"]]:
    r"""Simple recurrent layer with tanh over a whole series.

    .. math:: h_t = \tanh(a_t), \qquad a_t = W_{ih} x_t + b_{ih} + W_{hh} h_{t-1} + b_{hh}
       :label: op-rnn

    A state acts on its output and on the next step, so that its cotangent has two parts. From the
    last step to the first,

    .. math:: \bar a_t = (1 - h_t^2) \odot \bigl( \bar y_t + W_{hh}^\top \bar a_{t+1} \bigr),
        \qquad \bar W_{hh} = \sum_t \bar a_t h_{t-1}^\top .
       :label: op-rnn-back

    Args:
        input: :math:`x`, time first, (T, B, D); or packed rows (N, D), with ``batch_sizes``.
        hx: the state before the first step, (B, H), or None for zeros.
        w_ih: weights of the input, (H, D).
        w_hh: weights of the state, (H, H).
        b_ih: a bias of shape (H,), or None.
        b_hh: another, as PyTorch has it, or None.
        batch_sizes: for series of different lengths, sorted with the longest first: how many are
            still running at each step. Their rows stand below each other, step after step.
        reverse: whether every series is read from its end; results stand in the order of the input.

    Returns:
        The states of all steps, in the input's form, and the state after the last step (with
        ``reverse`` the one at the first), (B, H).

    Raises:
        ValueError: if shapes do not fit, or there is no step.

    Departs from :func:`torch.rnn_tanh`, which runs through several layers: this is one, one way.

    Example:
        >>> x, one = torch.tensor([[[1.0]], [[0.0]]]), torch.ones(1, 1)
        >>> y, h = rnn_tanh(x, None, one, one)
        >>> y.flatten(), h
        (tensor([0.7616, 0.6420]), tensor([[0.6420]]))

    Chapter: :doc:`/sequences/recurrent`.
    """
    weights = (w_ih, w_hh, b_ih, b_hh)
    y, h = _scan("rnn_tanh", _rnn, 1, input, [hx], weights, batch_sizes, reverse, relu=False)
    return y, h


def rnn_relu(
    input: Float[Array, "... D"],
    hx: Float[Array, "B H"] | None,
    w_ih: Float[Array, "K D"],
    w_hh: Float[Array, "K H"],
    b_ih: Float[Array, "K"] | None = None,
    b_hh: Float[Array, "K"] | None = None,
    *,
    batch_sizes: Sequence[int] | Tensor | None = None,
    reverse: bool = False,
) -> tuple[Float[Array, "... H"], Float[Array, "B H"]]:
    r"""Simple recurrent layer with rectifiers over a whole series.

    .. math:: h_t = \max(0, a_t), \qquad a_t = W_{ih} x_t + b_{ih} + W_{hh} h_{t-1} + b_{hh}
       :label: op-rnn-relu

    Back it goes as in :eq:`op-rnn-back`, with 1 where :math:`h_t > 0` for the slope, otherwise 0.

    Args, results and errors are those of :func:`rnn_tanh`.

    Example:
        >>> x, one = torch.tensor([[[1.0]], [[2.0]]]), torch.ones(1, 1)
        >>> rnn_relu(x, None, one, one)[0].flatten()
        tensor([1., 3.])

    Chapter: :doc:`/sequences/recurrent`.
    """
    weights = (w_ih, w_hh, b_ih, b_hh)
    y, h = _scan("rnn_relu", _rnn, 1, input, [hx], weights, batch_sizes, reverse, relu=True)
    return y, h


def lstm(
    input: Float[Array, "... D"],
    hx: Sequence[Array] | None,
    w_ih: Float[Array, "K D"],
    w_hh: Float[Array, "K H"],
    b_ih: Float[Array, "K"] | None = None,
    b_hh: Float[Array, "K"] | None = None,
    *,
    batch_sizes: Sequence[int] | Tensor | None = None,
    reverse: bool = False,
) -> tuple[Float[Array, "... H"], Float[Array, "B H"], Float[Array, "B H"]]:
    r"""Long short-term memory over a whole series: a cell that is added to, behind gates.

    .. math:: \begin{pmatrix} i_t \\ f_t \\ g_t \\ o_t \end{pmatrix}
        = \begin{pmatrix} \sigma \\ \sigma \\ \tanh \\ \sigma \end{pmatrix}
        \bigl( W_{ih} x_t + b_{ih} + W_{hh} h_{t-1} + b_{hh} \bigr), \qquad
        c_t = f_t \odot c_{t-1} + i_t \odot g_t, \qquad h_t = o_t \odot \tanh c_t
       :label: op-lstm

    From the last step to the first, with :math:`\bar a` for the cotangents of the pre-activations,

    .. math:: \bar h_t = \bar y_t + W_{hh}^\top \bar a_{t+1}, \qquad
        \bar c_t = f_{t+1} \odot \bar c_{t+1} + o_t \odot (1 - \tanh^2 c_t) \odot \bar h_t, \\
        \bar a_t = \begin{pmatrix}
            g_t \odot i_t \odot (1 - i_t) \odot \bar c_t \\
            c_{t-1} \odot f_t \odot (1 - f_t) \odot \bar c_t \\
            i_t \odot (1 - g_t^2) \odot \bar c_t \\
            \tanh c_t \odot o_t \odot (1 - o_t) \odot \bar h_t
        \end{pmatrix} .
       :label: op-lstm-back

    The factors of :math:`\bar c_t` and :math:`\bar h_t` are known before the way back begins, and
    are computed for all steps at once. From cell to cell a cotangent meets :math:`f` alone, no
    matrix: where a gate is open, it arrives as it left.

    Args:
        input: :math:`x`, time first, (T, B, D); or packed rows (N, D), with ``batch_sizes``.
        hx: the pair of state and cell before the first step, (B, H) each, or None for zeros.
        w_ih: weights of the input, (4H, D), the gates' blocks in the order i, f, g, o.
        w_hh: weights of the state, (4H, H).
        b_ih: a bias of shape (4H,), or None.
        b_hh: another, as PyTorch has it, or None.
        batch_sizes: for series of different lengths, as in :func:`rnn_tanh`.
        reverse: whether every series is read from its end; results stand in the order of the input.

    Returns:
        The states of all steps, in the input's form; the state and the cell after the last step,
        (B, H) each.

    Raises:
        ValueError: if shapes do not fit, or there is no step.

    Departs from :func:`torch.lstm`, which runs through several layers: this is one, one way.

    Example:
        >>> x, w = torch.ones(3, 1, 1), torch.zeros(4, 1)
        >>> y, h, c = lstm(x, (torch.zeros(1, 1), torch.ones(1, 1)), w, w)  # every gate half open
        >>> c
        tensor([[0.1250]])

    Chapter: :doc:`/sequences/lstm-gru`.
    """
    if hx is not None and len(hx) != 2:
        raise ValueError(f"lstm: expected the pair (state, cell) for hx, got {len(hx)} of them")
    states = [None, None] if hx is None else list(hx)
    weights = (w_ih, w_hh, b_ih, b_hh)
    y, h, c = _scan("lstm", _lstm, 4, input, states, weights, batch_sizes, reverse)
    return y, h, c


def gru(
    input: Float[Array, "... D"],
    hx: Float[Array, "B H"] | None,
    w_ih: Float[Array, "K D"],
    w_hh: Float[Array, "K H"],
    b_ih: Float[Array, "K"] | None = None,
    b_hh: Float[Array, "K"] | None = None,
    *,
    batch_sizes: Sequence[int] | Tensor | None = None,
    reverse: bool = False,
) -> tuple[Float[Array, "... H"], Float[Array, "B H"]]:
    r"""Gated recurrent unit over a whole series: a state that is kept or replaced, by shares.

    .. math:: \begin{pmatrix} r_t \\ z_t \end{pmatrix}
        = \sigma \bigl( W_{ih}^{rz} x_t + b_{ih}^{rz} + W_{hh}^{rz} h_{t-1} + b_{hh}^{rz} \bigr),
        \quad q_t = W_{hh}^n h_{t-1} + b_{hh}^n, \\
        n_t = \tanh(W_{ih}^n x_t + b_{ih}^n + r_t \odot q_t), \qquad
        h_t = (1 - z_t) \odot n_t + z_t \odot h_{t-1}
       :label: op-gru

    From the last step to the first, with :math:`\bar a` for the cotangents of the pre-activations,

    .. math:: \bar a_t^n = (1 - z_t) \odot (1 - n_t^2) \odot \bar h_t, \quad
        \bar q_t = r_t \odot \bar a_t^n, \quad
        \bar a_t^r = q_t \odot r_t \odot (1 - r_t) \odot \bar a_t^n, \quad
        \bar a_t^z = (h_{t-1} - n_t) \odot z_t \odot (1 - z_t) \odot \bar h_t, \\
        \bar h_{t-1} = \bar y_{t-1} + z_t \odot \bar h_t
        + W_{hh}^\top \begin{pmatrix} \bar a_t^r \\ \bar a_t^z \\ \bar q_t \end{pmatrix} .
       :label: op-gru-back

    Args:
        input: :math:`x`, time first, (T, B, D); or packed rows (N, D), with ``batch_sizes``.
        hx: the state before the first step, (B, H), or None for zeros.
        w_ih: weights of the input, (3H, D), the blocks in the order r, z, n.
        w_hh: weights of the state, (3H, H).
        b_ih: a bias of shape (3H,), or None.
        b_hh: another, which for n stands within the reset gate's reach; or None.
        batch_sizes: for series of different lengths, as in :func:`rnn_tanh`.
        reverse: whether every series is read from its end; results stand in the order of the input.

    Returns:
        The states of all steps, in the input's form, and the state after the last step, (B, H).

    Raises:
        ValueError: if shapes do not fit, or there is no step.

    Departs from :func:`torch.gru`, which runs through several layers: this is one, one way.

    Example:
        >>> x, w = torch.ones(3, 1, 1), torch.zeros(3, 1)
        >>> gru(x, torch.ones(1, 1), w, w)[0].flatten()  # half of the state is kept at each step
        tensor([0.5000, 0.2500, 0.1250])

    Chapter: :doc:`/sequences/lstm-gru`.
    """
    weights = (w_ih, w_hh, b_ih, b_hh)
    y, h = _scan("gru", _gru, 3, input, [hx], weights, batch_sizes, reverse)
    return y, h

r"""Pooling: one number stands for a window of them, the largest or the mean.

A window of an image is a window along the rows of windows along the columns, and both the largest
of a window and its sum can be had in two passes: first along every row, then along the columns of
what that gave. One pass reads, for each place :math:`j` in the window, one strided slice of the
axis: with :math:`n` numbers, stride :math:`s`, padding :math:`p`, dilation :math:`d` and a kernel
of :math:`k`, output :math:`o` reads

.. math:: x_{os - p + jd}, \qquad j = 0, \dots, k - 1, \qquad
    \Bigl\lfloor \frac{n + 2p - d\,(k - 1) - 1}{s} \Bigr\rfloor + 1 \text{ outputs.}

**The largest.** :math:`y_o = x_{os - p + j^*d}`, where :math:`j^*` is the winner's place. A small
nudge leaves the winner where it is, so that max pooling is, but for ties, a linear map that picks,
and its transpose puts back: every cotangent goes to its winner, and those of a number that won in
several windows add up,

.. math:: \bar x_i = \sum_{o \,:\, os - p + j^*_o d = i} \bar y_o .

The first of several winners takes all, as in PyTorch. What is kept for the backward pass is the
winner's place in its window: a byte for each output.

**The mean.** Sums of windows are linear in the input as they stand: the transpose of "add up what
is in the window" is "hand the cotangent to all that is in the window",

.. math:: y_o = \frac1{n_o} \sum_j x_{os - p + jd}, \qquad
    \bar x_i = \sum_{o,\,j \,:\, os - p + jd = i} \frac{\bar y_o}{n_o} .

Nothing is kept. As each of the two maps is the other's transpose, the rule of the rule is the first
map again: second derivatives cost no new derivation.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from dlbook.autodiff.primitives import primitive
from dlbook.autodiff.tape import Array, implements, lift
from dlbook.ops.layers import SHORT

Size = int | Sequence[int]
Key = tuple[Any, ...]


class Windows(NamedTuple):
    """The windows along one axis."""

    size: int  # numbers along the axis
    outputs: int  # windows
    length: int  # places in a window, the longest if they differ
    stride: int  # from one window's start to the next one's; 0 where that varies
    padding: int = 0
    step: int = 1  # from place to place: the dilation

    @property
    def whole(self) -> bool:
        """Whether one window is all of the axis."""
        return self.outputs == 1 and self.length == self.size and not self.padding

    def start(self, o: int) -> int:
        """Where a window starts: before the axis, perhaps, if that is padded."""
        return o * self.stride - self.padding if self.stride else o * self.size // self.outputs

    def stop(self, o: int) -> int:
        """Where it stops; windows that vary share what does not divide."""
        if self.stride:
            return self.start(o) + (self.length - 1) * self.step + 1
        return -(-(o + 1) * self.size // self.outputs)

    def table(self, device: torch.device | None) -> Tensor:
        """What is read at each place (a row) of each window (a column).

        Where a place lies beyond the axis, in the padding or not, it is the window's first or last
        number that is read: once more, which changes no maximum.
        """
        o = torch.arange(self.outputs, device=device)
        if self.stride:
            starts = o * self.stride - self.padding
            first = torch.where(starts < 0, starts % self.step, starts)
            last = self.size - 1 - (self.size - 1 - starts) % self.step
        else:
            starts = first = o * self.size // self.outputs
            last = ((o + 1) * self.size - 1) // self.outputs
        places = starts + torch.arange(self.length, device=device)[:, None] * self.step
        return torch.minimum(torch.maximum(places, first), last)

    def reads(self, device: torch.device | None) -> Iterator[tuple[int, Any]]:
        """Yield each place of a window, and what all windows read there."""
        table = None
        for j in range(self.length):
            first = j * self.step - self.padding
            end = first + (self.outputs - 1) * self.stride + 1
            if self.stride and first >= 0 and end <= self.size:
                yield j, slice(first, end, self.stride)
            else:
                table = self.table(device) if table is None else table
                yield j, table[j]

    def places(self, device: torch.device | None) -> Iterator[tuple[int, Any, Any]]:
        """Yield each place of a window, the windows in which there is a number, and that."""
        for j in range(self.length):
            if self.stride:
                first = j * self.step - self.padding
                low = max(0, -(first // self.stride))
                high = min(self.outputs, (self.size - 1 - first) // self.stride + 1)
                if low < high:
                    start = low * self.stride + first
                    stop = start + (high - low - 1) * self.stride + 1
                    yield j, slice(low, high), slice(start, stop, self.stride)
            else:
                outputs = [o for o in range(self.outputs) if self.start(o) + j < self.stop(o)]
                read = torch.tensor([self.start(o) + j for o in outputs], device=device)
                whole = len(outputs) == self.outputs
                given = slice(0, self.outputs) if whole else torch.tensor(outputs, device=device)
                yield j, given, read


def _at(selected: Any, dim: int) -> Key:
    """The key that selects along an axis counted from the end."""
    return (..., selected, *[slice(None)] * (-1 - dim))


def _resized(x: Array, dim: int, size: int) -> list[int]:
    shape = list(x.shape)
    shape[dim] = size
    return shape


def _along(vector: Tensor, dim: int) -> Tensor:
    """A vector as a tensor that meets others along an axis counted from the end."""
    return vector.reshape([-1] + [1] * (-1 - dim))


# --- the largest --------------------------------------------------------------------------------


def _winners(x: Tensor, windows: tuple[Windows, ...]) -> tuple[Tensor, Tensor]:
    """The largest number of every window, and its place in the window, in the order of reading."""
    small = torch.uint8 if math.prod([w.length for w in windows]) <= 256 else torch.int32
    y, winner, before = x, None, 1
    for dim, each in zip((-1, -2), windows):
        y, winner = _pass(y, winner, each, dim, before, small)
        before *= each.length
    assert winner is not None
    return y, winner


def _pass(
    x: Tensor, inner: Tensor | None, windows: Windows, dim: int, before: int, small: torch.dtype
) -> tuple[Tensor, Tensor]:
    """The largest along one axis of what is the largest along those passed ``before``."""
    if windows.whole:
        y, winner = x.max(dim, keepdim=True)
        places = winner.to(small) * before
        return y, places if inner is None else places + inner.gather(dim, winner)
    reads = windows.reads(x.device)
    _, read = next(reads)
    y = _read(x, read, dim).clone(memory_format=torch.contiguous_format)
    best = y.new_zeros(y.shape, dtype=small) if inner is None else _read(inner, read, dim)
    for j, read in reads:
        v = _read(x, read, dim).contiguous()
        better = ((v > y) | (v != v)).to(small)  # as in PyTorch, a nan wins
        y = torch.maximum(y, v)
        place = j * before if inner is None else _read(inner, read, dim) + j * before
        best = torch.maximum(best, better * place)  # places grow, so the highest is the last winner
    return y, best


def _read(x: Tensor, read: Any, dim: int) -> Tensor:
    return x[_at(read, dim)] if isinstance(read, slice) else x.index_select(dim, read)


def _positions(winner: Tensor, windows: tuple[Windows, ...]) -> Tensor:
    """Where the winners stand, counted through the pooled axes; these and the outputs in a row."""
    table = windows[0].table(winner.device)  # what each output reads at each place
    if len(windows) == 2:
        rows = windows[1].table(winner.device) * windows[0].size
        table = rows[:, None, :, None] + table[None, :, None, :]
        table = table.flatten(2).flatten(0, 1)
    return table.gather(0, winner.reshape(-1, table.shape[1]).to(torch.int64))


@primitive
def _pick(x: Array, winner: Tensor, *, windows: tuple[Windows, ...]) -> Array:
    """Take the winners."""
    found = _positions(winner, windows)
    x = x.reshape(len(found), math.prod([w.size for w in windows]))
    return x.gather(1, found).reshape(winner.shape)


@_pick.vjp
def pick_vjp(g: Array, _y: Any, _x: Any, winner: Tensor, *, windows: tuple[Windows, ...]) -> Any:
    return _put(g, winner, windows=windows), None


@primitive
def _put(g: Array, winner: Tensor, *, windows: tuple[Windows, ...]) -> Array:
    """Put numbers where the winners stood, the sum where one has won several times."""
    found = _positions(winner, windows)
    sizes = [w.size for w in reversed(windows)]
    x = g.new_zeros((len(found), math.prod(sizes)))
    x = x.scatter_add(1, found, g.reshape(found.shape))
    return x.reshape((*g.shape[: -len(windows)], *sizes))


@_put.vjp
def put_vjp(g: Array, _y: Any, _x: Any, winner: Tensor, *, windows: tuple[Windows, ...]) -> Any:
    return _pick(g, winner, windows=windows), None


@primitive(saves=True)
def _max_pool(input: Array, *, windows: tuple[Windows, ...]) -> tuple[Array, tuple[Tensor, ...]]:
    """The largest number of every window: along the last axis, then along the one before it."""
    y, winner = _winners(input, windows)
    return y, (winner,)


@_max_pool.saved
def max_pool_saved(input: Array, *, windows: tuple[Windows, ...]) -> tuple[Tensor, ...]:
    return (_winners(lift(input).detach(), windows)[1],)


@_max_pool.vjp
def max_pool_vjp(
    g: Array, _y: Any, saved: Sequence[Tensor], _x: Any, *, windows: tuple[Windows, ...]
) -> Any:
    return (_put(g, saved[0], windows=windows),)


def _largest(input: Array, windows: tuple[Windows, ...], indices: bool) -> Any:
    """Max pooling; a window that is a whole image is one along all its numbers in a row."""
    if len(windows) == 2 and all(each.whole for each in windows):
        size = windows[0].size * windows[1].size
        rows = input.reshape((*input.shape[:-2], size))
        found = _largest(rows, (Windows(size, 1, size, size),), indices)
        shape = (*input.shape[:-2], 1, 1)
        return tuple(y.reshape(shape) for y in found) if indices else found.reshape(shape)
    return _with_indices(input, windows) if indices else _max_pool(input, windows=windows)


def _with_indices(input: Array, windows: tuple[Windows, ...]) -> tuple[Array, Tensor]:
    """Max pooling, and where in the flattened axes the winners stand."""
    (winner,) = max_pool_saved(input, windows=windows)
    indices = _positions(winner, windows).reshape(winner.shape)
    return _pick(input, winner, windows=windows), indices


# --- the mean -----------------------------------------------------------------------------------


def _sums(x: Tensor, windows: Windows, dim: int) -> Tensor:
    """The sum of every window along an axis."""
    if windows.whole:
        return x.sum(dim, True)
    y = None
    for _, outputs, read in windows.places(x.device):
        v = x[_at(read, dim)]
        whole = isinstance(outputs, slice) and outputs == slice(0, windows.outputs)
        if whole:
            y = v if y is None else y + v
        else:
            y = x.new_zeros(_resized(x, dim, windows.outputs)) if y is None else y.clone()
            y[_at(outputs, dim)] += v
    assert y is not None
    return y


def _handed_out(g: Tensor, windows: Windows, dim: int) -> Tensor:
    """The transpose: every number goes to all that its window reads."""
    shape = _resized(g, dim, windows.size)
    if windows.whole:
        return g.expand(shape)
    x = g.new_zeros(shape)
    for _, outputs, read in windows.places(g.device):
        v = g[_at(outputs, dim)]
        if isinstance(read, slice) and windows.stride >= windows.length:  # no two share a number
            x[_at(read, dim)] = v
        elif isinstance(read, slice):
            x[_at(read, dim)] += v
        else:
            x = x.index_add(dim, read, v)  # windows that are more than the numbers share some
    return x


def _shares(
    windows: tuple[Windows, ...], include: bool, divisor: int | None, like: Tensor
) -> Tensor | float:
    """What every sum is multiplied with: one over the numbers of its window."""
    if divisor is not None:
        return 1 / divisor
    share: Tensor | float = 1.0
    for dim, w in zip((-1, -2), windows):
        low, high = (-w.padding, w.size + w.padding) if include else (0, w.size)
        lengths = [min(w.stop(o), high) - max(w.start(o), low) for o in range(w.outputs)]
        if min(lengths) == max(lengths):
            share = share / lengths[0]
        else:
            counted = torch.tensor(lengths, dtype=like.dtype, device=like.device)
            share = share / _along(counted, dim)
    return share


@primitive
def _average(
    input: Array, *, windows: tuple[Windows, ...], include: bool, divisor: int | None
) -> Array:
    """The mean of every window: sums along the last axis and the one before it, divided."""
    x = input.to(torch.float32) if input.dtype in SHORT else input
    if all(each.whole for each in windows):
        x = x.sum([*range(-len(windows), 0)], True)
    else:
        for dim, each in zip((-1, -2), windows):
            x = _sums(x, each, dim)
    return (x * _shares(windows, include, divisor, x)).to(input.dtype)


@_average.vjp
def average_vjp(g: Array, _y: Any, _x: Any, **meta: Any) -> Any:
    return (_average_put(g, **meta),)


@primitive
def _average_put(
    g: Array, *, windows: tuple[Windows, ...], include: bool, divisor: int | None
) -> Array:
    """The transpose: every number's share goes to all that its window reads."""
    x = g.to(torch.float32) if g.dtype in SHORT else g
    x = x * _shares(windows, include, divisor, x)
    for dim, each in reversed([*zip((-1, -2), windows)]):
        x = _handed_out(x, each, dim)
    return x.to(g.dtype)


@_average_put.vjp
def average_put_vjp(c: Array, _y: Any, _g: Any, **meta: Any) -> Any:
    return (_average(c, **meta),)


# --- which numbers are a window -----------------------------------------------------------------


def _check_input(name: str, input: Array, axes: int) -> None:
    shape = tuple(input.shape)
    letters = ("T",) if axes == 1 else ("H", "W")
    if len(shape) not in (axes + 1, axes + 2):
        want = ", ".join(("C", *letters))
        raise ValueError(f"{name}: expected input of shape ({want}) or (B, {want}), got {shape}")
    if 0 in shape[-axes - 1 :]:
        raise ValueError(f"{name}: expected channels and axes of length 1 or more, got {shape}")


def _each(name: str, what: str, value: Any, axes: int, least: int) -> tuple[int, ...]:
    """A number for each axis, from one for all of them or as many as there are."""
    values = (value,) if isinstance(value, int) else tuple(value)
    if len(values) == 1:
        values *= axes
    if len(values) != axes or min(values) < least:
        many = "1 number" if axes == 1 else f"1 or {axes} numbers"
        raise ValueError(f"{name}: expected {what} to be {many} from {least} on, got {value}")
    return values


def _windows(
    name: str,
    input: Array,
    axes: int,
    kernel_size: Size,
    stride: Size | None,
    padding: Size,
    dilation: Size,
    ceil_mode: bool,
) -> tuple[Windows, ...]:
    """The windows along each of the last axes, the last one first."""
    _check_input(name, input, axes)
    kernel = _each(name, "kernel_size", kernel_size, axes, 1)
    stride = kernel if stride is None or stride == () else _each(name, "stride", stride, axes, 1)
    padding = _each(name, "padding", padding, axes, 0)
    dilation = _each(name, "dilation", dilation, axes, 1)
    windows = []
    for size, k, s, p, d in zip(input.shape[-axes:], kernel, stride, padding, dilation):
        span = d * (k - 1) + 1
        if 2 * p > k:
            raise ValueError(f"{name}: expected padding of at most half the kernel's {k}, got {p}")
        room = size + 2 * p - span
        count = (room + (s - 1 if ceil_mode else 0)) // s + 1
        if ceil_mode and (count - 1) * s >= size + p:
            count -= 1  # the last one would begin in the padding
        apart = d > 1 and p > 0  # a window's numbers may then lie on both sides of the axis
        empty = apart and any(
            -(-max(0, p - o * s) // d) * d + o * s - p >= size for o in range(count)
        )
        if empty:
            raise ValueError(
                f"{name}: expected a number in every window, got one that sees only padding, of "
                f"kernel {k} and dilation {d} on an axis of {size} padded by {p}"
            )
        if count < 1:
            raise ValueError(
                f"{name}: expected an axis no shorter than the window's {span}, got {size} (and "
                f"padding {p} on either side) in input of shape {tuple(input.shape)}"
            )
        windows.append(Windows(size, count, k, s, p, d))
    return tuple(reversed(windows))


def _adaptive(name: str, input: Array, axes: int, output_size: Any) -> tuple[Windows, ...]:
    """As many windows as are asked for, which share what there is."""
    _check_input(name, input, axes)
    values = (output_size,) if output_size is None or isinstance(output_size, int) else output_size
    values = tuple(values) * axes if len(values) == 1 else tuple(values)
    if len(values) != axes or any(v is not None and v < 1 for v in values):
        many = "1 number" if axes == 1 else f"1 or {axes} numbers"
        raise ValueError(
            f"{name}: expected output_size to be {many} from 1 on, or None, got {output_size}"
        )
    windows = []
    for size, value in zip(input.shape[-axes:], values):
        count = size if value is None else value
        if size % count == 0:
            windows.append(Windows(size, count, size // count, size // count))
        else:
            lengths = [-(-(o + 1) * size // count) - o * size // count for o in range(count)]
            windows.append(Windows(size, count, max(lengths), 0))
    return tuple(reversed(windows))


# --- the public functions -----------------------------------------------------------------------


@implements("max_pool1d")
def max_pool1d(
    input: Float[Array, "*B C T"],
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    r"""Take the largest number of every window of a series.

    .. math:: y_{bco} = \max_{0 \le j < k} x_{bc,\,os - p + jd}
       :label: op-max-pool1d

    The cotangent goes to the winner, the first one if there are several, and adds up where a number
    has won in several windows. Padding never wins; a nan does.

    Departs from PyTorch, where a dilated window that sees only padding gives :math:`-\infty`.

    Args:
        input: :math:`x` of shape (B, C, T), or (C, T) for one series.
        kernel_size: :math:`k`, numbers in a window.
        stride: :math:`s`, from one window's start to the next; the kernel's size when None.
        padding: :math:`p`, places without a number before and after the axis, at most half the
            kernel.
        dilation: :math:`d`, from one number of a window to the next.
        ceil_mode: whether a last window may stick out at the end.
        return_indices: whether to return also where the winners stand.

    Returns:
        The largest numbers, and with ``return_indices`` the pair ``(values, indices)``.

    Raises:
        ValueError: if the input has other than 2 or 3 axes or one of them no length, a size is out
            of range, the padding is more than half the kernel, no window fits, or one sees nothing.

    Example:
        >>> max_pool1d(torch.tensor([[1.0, 5.0, 2.0, 3.0]]), 2)
        tensor([[5., 3.]])
        >>> max_pool1d(torch.tensor([[1.0, 5.0, 2.0, 3.0]]), 3, 1, return_indices=True)[1]
        tensor([[1, 1]])

    Chapter: ``images/pooling``.
    """
    windows = _windows("max_pool1d", input, 1, kernel_size, stride, padding, dilation, ceil_mode)
    return _largest(input, windows, return_indices)


@implements("max_pool2d")
def max_pool2d(
    input: Float[Array, "*B C H W"],
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    r"""Take the largest number of every window of an image.

    .. math:: y_{bcop} = \max_{0 \le i < k,\ 0 \le j < k'} x_{bc,\,os + id,\,ps' + jd'}
       :label: op-max-pool2d

    Padding shifts the windows back by itself, and never wins; a nan does. The cotangent goes to the
    winner, the first one in the order of reading if there are several, and adds up where a number
    has won in several windows.

    Departs from PyTorch, where a dilated window that sees only padding gives :math:`-\infty`.

    Args:
        input: :math:`x` of shape (B, C, H, W), or (C, H, W) for one image.
        kernel_size: :math:`k, k'`, height and width of a window, or one number for both. So the
            other sizes.
        stride: :math:`s, s'`, from one window's start to the next; the kernel's size when None.
        padding: places without a number at the borders, at most half the kernel.
        dilation: :math:`d, d'`, from one number of a window to the next.
        ceil_mode: whether last windows may stick out below and on the right.
        return_indices: whether to return also where the winners stand, counted through the rows of
            a channel.

    Returns:
        The largest numbers, and with ``return_indices`` the pair ``(values, indices)``.

    Raises:
        ValueError: if the input has other than 3 or 4 axes or one but the batch no length, a size
            is out of range, the padding is too much, no window fits, or one sees nothing.

    Example:
        >>> x = torch.tensor([[[1.0, 2.0, 0.0, 1.0], [5.0, 3.0, 2.0, 4.0]]])
        >>> max_pool2d(x, 2)
        tensor([[[5., 4.]]])
        >>> max_pool2d(x, 2, return_indices=True)[1]
        tensor([[[4, 7]]])

    Chapter: ``images/pooling``.
    """
    windows = _windows("max_pool2d", input, 2, kernel_size, stride, padding, dilation, ceil_mode)
    return _largest(input, windows, return_indices)


@implements("avg_pool1d")
def avg_pool1d(
    input: Float[Array, "*B C T"],
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Float[Array, "*B C O"]:
    r"""Average every window of a series.

    .. math:: y_{bco} = \frac1{n_o} \sum_{0 \le j < k} x_{bc,\,os - p + j}
       :label: op-avg-pool1d

    Every number of a window gets the same share, :math:`\bar y / n_o`, of its cotangent.

    Args:
        input: :math:`x` of shape (B, C, T), or (C, T) for one series.
        kernel_size: :math:`k`, numbers in a window.
        stride: :math:`s`, from one window's start to the next; the kernel's size when None.
        padding: :math:`p`, zeros before and after the axis, at most half the kernel.
        ceil_mode: whether a last window may stick out at the end; what does is not counted.
        count_include_pad: whether :math:`n_o` counts the zeros of the padding.

    Raises:
        ValueError: if the input has other than 2 or 3 axes or one of them no length, a size is out
            of range, the padding is more than half the kernel, or no window fits.

    Example:
        >>> avg_pool1d(torch.tensor([[1.0, 5.0, 2.0, 4.0]]), 2)
        tensor([[3., 3.]])

    Chapter: ``images/pooling``.
    """
    windows = _windows("avg_pool1d", input, 1, kernel_size, stride, padding, 1, ceil_mode)
    return _average(input, windows=windows, include=count_include_pad, divisor=None)


@implements("avg_pool2d")
def avg_pool2d(
    input: Float[Array, "*B C H W"],
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Float[Array, "*B C O P"]:
    r"""Average every window of an image.

    .. math:: y_{bcop} = \frac1{n_{op}} \sum_{0 \le i < k,\ 0 \le j < k'}
        x_{bc,\,os + i,\,ps' + j}
       :label: op-avg-pool2d

    Padding shifts the windows back by itself. Every number of a window gets the same share,
    :math:`\bar y / n_{op}`, of its cotangent.

    Args:
        input: :math:`x` of shape (B, C, H, W), or (C, H, W) for one image.
        kernel_size: :math:`k, k'`, height and width of a window, or one number for both. So the
            other sizes.
        stride: :math:`s, s'`, from one window's start to the next; the kernel's size when None.
        padding: zeros at the borders, at most half the kernel.
        ceil_mode: whether last windows may stick out below and on the right; what does is not
            counted.
        count_include_pad: whether :math:`n` counts the zeros of the padding.
        divisor_override: a number other than 0 to stand for :math:`n`.

    Raises:
        ValueError: if the input has other than 3 or 4 axes or one but the batch no length, a size
            is out of range, the padding is more than half the kernel, or no window fits.

    Example:
        >>> avg_pool2d(torch.tensor([[[1.0, 2.0, 0.0, 1.0], [5.0, 4.0, 2.0, 5.0]]]), 2)
        tensor([[[3., 2.]]])

    Chapter: ``images/pooling``.
    """
    if divisor_override == 0:
        raise ValueError("avg_pool2d: expected divisor_override other than 0, got 0")
    windows = _windows("avg_pool2d", input, 2, kernel_size, stride, padding, 1, ceil_mode)
    return _average(input, windows=windows, include=count_include_pad, divisor=divisor_override)


@implements("adaptive_avg_pool1d")
def adaptive_avg_pool1d(
    input: Float[Array, "*B C T"], output_size: int | Sequence[int | None] | None
) -> Float[Array, "*B C O"]:
    r"""Average as many windows of a series as are asked for.

    .. math:: y_{bco} = \frac1{b_o - a_o} \sum_{a_o \le i < b_o} x_{bci}, \qquad
        a_o = \lfloor o\,T / O \rfloor, \quad b_o = \lceil (o + 1)\,T / O \rceil
       :label: op-adaptive-pool

    Where :math:`O` divides :math:`T` the windows lie side by side; otherwise neighbours share a
    number. One window is the whole: global pooling.

    Departs from PyTorch, which lets an output of length 0 through.

    Args:
        input: :math:`x` of shape (B, C, T), or (C, T) for one series.
        output_size: :math:`O`, windows; the input's length when None.

    Raises:
        ValueError: if the input has other than 2 or 3 axes or one of them no length, or the output
            is to have none.

    Example:
        >>> adaptive_avg_pool1d(torch.tensor([[1.0, 5.0, 3.0]]), 2)
        tensor([[3., 4.]])

    Chapter: ``images/pooling``.
    """
    windows = _adaptive("adaptive_avg_pool1d", input, 1, output_size)
    return _average(input, windows=windows, include=False, divisor=None)


@implements("adaptive_avg_pool2d")
def adaptive_avg_pool2d(
    input: Float[Array, "*B C H W"], output_size: int | Sequence[int | None] | None
) -> Float[Array, "*B C O P"]:
    r"""Average as many windows of an image as are asked for.

    Along either axis the windows are those of :eq:`op-adaptive-pool`. Size 1 is global average
    pooling, the mean of every channel.

    Departs from PyTorch, which lets an output without size through.

    Args:
        input: :math:`x` of shape (B, C, H, W), or (C, H, W) for one image.
        output_size: height and width of the output, or one number for both; None for the input's.

    Raises:
        ValueError: if the input has other than 3 or 4 axes or one but the batch no length, or the
            output is to have none.

    Example:
        >>> adaptive_avg_pool2d(torch.tensor([[[1.0, 2.0, 0.0], [5.0, 4.0, 3.0]]]), 1)
        tensor([[[2.5000]]])

    Chapter: ``images/pooling``.
    """
    windows = _adaptive("adaptive_avg_pool2d", input, 2, output_size)
    return _average(input, windows=windows, include=False, divisor=None)


@implements("adaptive_max_pool1d")
def adaptive_max_pool1d(
    input: Float[Array, "*B C T"],
    output_size: int | Sequence[int | None] | None,
    return_indices: bool = False,
) -> Any:
    r"""Take the largest of as many windows of a series as are asked for.

    The windows are those of :eq:`op-adaptive-pool`, the rest is as in :func:`max_pool1d`.

    Departs from PyTorch, which lets an output of length 0 through.

    Args:
        input: :math:`x` of shape (B, C, T), or (C, T) for one series.
        output_size: windows; the input's length when None.
        return_indices: whether to return also where the winners stand.

    Returns:
        The largest numbers, and with ``return_indices`` the pair ``(values, indices)``.

    Raises:
        ValueError: if the input has other than 2 or 3 axes or one of them no length, or the output
            is to have none.

    Example:
        >>> adaptive_max_pool1d(torch.tensor([[1.0, 5.0, 3.0]]), 1)
        tensor([[5.]])

    Chapter: ``images/pooling``.
    """
    windows = _adaptive("adaptive_max_pool1d", input, 1, output_size)
    return _largest(input, windows, return_indices)


@implements("adaptive_max_pool2d")
def adaptive_max_pool2d(
    input: Float[Array, "*B C H W"],
    output_size: int | Sequence[int | None] | None,
    return_indices: bool = False,
) -> Any:
    r"""Take the largest of as many windows of an image as are asked for.

    Along either axis the windows are those of :eq:`op-adaptive-pool`, the rest is as in
    :func:`max_pool2d`.

    Departs from PyTorch, which lets an output without size through.

    Args:
        input: :math:`x` of shape (B, C, H, W), or (C, H, W) for one image.
        output_size: height and width of the output, or one number for both; None for the input's.
        return_indices: whether to return also where the winners stand, counted through the rows of
            a channel.

    Returns:
        The largest numbers, and with ``return_indices`` the pair ``(values, indices)``.

    Raises:
        ValueError: if the input has other than 3 or 4 axes or one but the batch no length, or the
            output is to have none.

    Example:
        >>> adaptive_max_pool2d(torch.tensor([[[1.0, 2.0, 0.0], [5.0, 4.0, 3.0]]]), (2, 1))
        tensor([[[2.],
                 [5.]]])

    Chapter: ``images/pooling``.
    """
    windows = _adaptive("adaptive_max_pool2d", input, 2, output_size)
    return _largest(input, windows, return_indices)

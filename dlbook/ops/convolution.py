r"""Convolution: one small window of weights, slid over an image.

What networks call a convolution is a cross-correlation: the kernel is not turned round. With stride
:math:`s`, dilation :math:`d` and :math:`x` as it is after padding,

.. math:: y_{bkpq} = b_k + \sum_{c,i,j} w_{kcij}\; x_{b,\,c,\,sp + di,\,sq + dj} .

**Backwards.** The output is linear in the input and linear in the kernel. Multiply it by a third
array :math:`g` of its own shape and add up, and there is a number that is linear in three things,

.. math:: T(g, w, x) = \sum_{b,k,p,q} \sum_{c,i,j}
    g_{bkpq}\; w_{kcij}\; x_{b,\,c,\,sp + di,\,sq + dj} .

Its derivative by any one of the three is a sum over the other two: by :math:`g` it is the
convolution, by :math:`x` it is :math:`\bar x` and by :math:`w` it is :math:`\bar w` if :math:`g` is
the cotangent :math:`\bar y`. These three functions are the primitives here, and the rule of each
calls the other two; there is nothing else to derive, to any order. The derivative by :math:`x`
alone, called forwards, is the *transposed convolution*.

For the backward pass a convolution keeps its input and its kernel, and nothing else: what it
lowered to matrices is lowered again.
"""

import functools
import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from dlbook.autodiff.primitives import primitive, readable
from dlbook.autodiff.tape import Array, implements
from dlbook.ops.layers import SHORT

Pair = tuple[int, ...]  # one number down, one along
Pairs = tuple[Pair, ...]  # (above, below), (left, right)
Sizes = int | Sequence[int]


# --- lowering the rows ---------------------------------------------------------------------------

BLOCK = 3 << 18  # numbers that are lowered at a time: what a processor's cache holds
NARROW = 128  # matrices of fewer columns are slow: then images lie side by side in one


class _Lowering:
    r"""Images as matrices, by writing every row down as often as the kernel is wide.

    Column :math:`j` of the kernel meets, as the window slides along a row of the image, that row
    from its number :math:`j` on. These rows, below each other for all channels and all :math:`j`,
    are the rows of a matrix :math:`X`. Row :math:`i` of the kernel meets the same, :math:`i` rows
    of the image further down: a slice :math:`X_i` of the columns of :math:`X`. So

    .. math:: Y = \sum_i W_i X_i, \qquad \bar W_i = \bar Y X_i^\top, \qquad
        \bar X_i \mathrel{+}= W_i^\top \bar Y .

    With a stride, rows of the image that are as many apart lie together, and slices stay slices.
    """

    def __init__(
        self,
        images: Pair,
        kernel: Pair,
        stride: Pair,
        padding: Pairs,
        dilation: Pair,
        groups: int,
        block: int,
    ) -> None:
        batch, self.channels, height, width = images
        (rows, self.columns), (self.phases, along), (d, e) = kernel, stride, dilation
        (top, bottom), (left, right) = padding
        self.groups = groups
        self.height = _positions(height + top + bottom, rows, self.phases, d)
        self.width = _positions(width + left + right, self.columns, along, e)
        self.skips = [divmod(d * i, self.phases) for i in range(rows)]
        self.lines = self.height + self.skips[-1][0]
        each = self.channels * self.columns * self.phases * self.lines * self.width
        parts = math.ceil(batch / max(1, block // each))  # blocks, and as even as can be
        n = math.ceil(batch / parts) if batch else 1
        self.blocks = [slice(start, min(start + n, batch)) for start in range(0, batch, n)]
        narrow = NARROW if rows * self.columns > 1 else NARROW // 4
        self.beside = self.height * self.width < narrow
        self.products = groups if self.beside else groups * n  # at most, in a block
        unbroken = not self.beside and self.phases == along == 1 and self.width == width
        self.same = unbroken and self.columns == 1 and self.lines == height and not top
        self.places: list[tuple[Any, Any]] = []
        every = slice(None)
        for phase, j in itertools.product(range(self.phases), range(self.columns)):
            p, u = _inside(phase - top, self.phases, height, self.lines)
            q, v = _inside(e * j - left, along, width, self.width)
            self.places.append(((..., j, phase, p, every, q), (..., u, every, v)))

    def lowered(self, x: Tensor) -> Iterator[tuple[slice, list[Tensor]]]:
        """The matrices of images, a block at a time; the next block overwrites them."""
        rows = None
        for block in self.blocks:
            images = self.spread(x[block])
            if self.same:
                yield block, self.matrices(images.view(self.shape(images)))
                continue
            if rows is None or rows.shape != self.shape(images):
                rows = images.new_zeros(self.shape(images))
                matrices = self.matrices(rows)
            for there, here in self.places:
                rows[there] = images[here]  # beyond the edges the zeros stay
            yield block, matrices

    def lifted(self, x: Tensor) -> Iterator[tuple[slice, list[Tensor]]]:
        """The transpose of it: empty matrices, whose numbers are then added up to images."""
        rows = None
        for block in self.blocks:
            images = self.spread(x[block])
            if self.same:
                yield block, self.matrices(images.view(self.shape(images)))
                continue
            if rows is None or rows.shape != self.shape(images):
                rows = images.new_empty(self.shape(images))
                matrices = self.matrices(rows)
            rows.zero_()
            yield block, matrices
            for there, here in self.places:
                images[here] += rows[there]

    def spread(self, y: Tensor) -> Tensor:
        """A view of images, or of outputs, as (matrices, channels, height, side by side, width)."""
        n, *rest = y.shape
        across = n if self.beside else 1
        return y.view(n // across, across, *rest).permute(0, 2, 3, 1, 4)

    def shape(self, images: Tensor) -> tuple[int, ...]:
        """The shape of lowered images."""
        n, across = len(images), images.shape[3]
        return n, self.channels, self.columns, self.phases, self.lines, across, self.width

    def matrices(self, rows: Tensor) -> list[Tensor]:
        """For each row of the kernel what it meets: of every image and group a matrix, a view."""
        n, *_, across, width = rows.shape
        line = across * width
        rows = rows.view(n * self.groups, -1, self.phases, self.lines * line)
        return [
            rows[:, :, phase, line * skip : line * (skip + self.height)]
            for skip, phase in self.skips
        ]

    def flat(self, y: Tensor) -> Tensor:
        """Outputs as matrices, of every image and group one."""
        y = self.spread(y)
        return y.reshape(len(y) * self.groups, y.shape[1] // self.groups, y.shape[2:].numel())


@functools.lru_cache(maxsize=256)
def _lowering(*settings: Any) -> _Lowering:
    return _Lowering(*settings)


def _inside(start: int, step: int, size: int, count: int) -> tuple[slice, slice]:
    """Which of ``count`` places, ``step`` apart, lie on an axis; and where they lie there."""
    first, last = max(0, -(start // step)), min(count, (size - 1 - start) // step + 1)
    if first >= last:
        return slice(0, 0), slice(0, 0)
    return slice(first, last), slice(start + step * first, start + step * (last - 1) + 1, step)


# --- the three derivatives of one number ---------------------------------------------------------


@primitive
def _conv(
    input: Array,
    weight: Array,
    bias: Array | None,
    *,
    stride: Pair,
    padding: Pairs,
    dilation: Pair,
    groups: int,
) -> Array:
    """The convolution, T by g."""
    x, w = _long(input).contiguous(), _long(weight)
    start = 0.0 if bias is None else _long(bias).reshape(-1, 1, 1)
    if not readable():
        y = _window_conv(x, w, stride, padding, dilation, groups) + start
        return y.to(input.dtype)
    low = _lower(x, x.shape, w.shape[2:], stride, padding, dilation, groups)
    y = x.new_empty(len(x), len(w), low.height, low.width)
    w_rows = _kernel_rows(w, groups)
    for block, x_rows in low.lowered(x):
        y[block] = start
        out = low.flat(y[block]).clone() if low.beside else low.flat(y[block])
        for w_i, x_i in zip(w_rows, x_rows):
            out.baddbmm_(_for_all(w_i, len(x_i)), x_i)
        if low.beside:
            target = low.spread(y[block])
            target.copy_(out.view(target.shape))
    return y.to(input.dtype)


@_conv.vjp
def conv_vjp(g: Array, _y: Any, x: Array, w: Array, _b: Any, **meta: Any) -> Any:
    return (
        lambda: _conv_input(g, w, size=tuple(x.shape[2:]), **meta),
        lambda: _conv_weight(g, x, kernel=tuple(w.shape[2:]), **meta),
        lambda: g.sum((0, 2, 3)),
    )


@primitive
def _conv_input(
    g: Array,
    weight: Array,
    *,
    size: Pair,
    stride: Pair,
    padding: Pairs,
    dilation: Pair,
    groups: int,
) -> Array:
    """T by the input: the transposed convolution."""
    y, w = _long(g).contiguous(), _long(weight)
    if not readable():
        return _window_conv_input(y, w, size, stride, padding, dilation, groups).to(g.dtype)
    x = y.new_zeros(len(y), w.shape[1] * groups, *size)
    low = _lower(x, x.shape, w.shape[2:], stride, padding, dilation, groups)
    w_rows = [w_i.mT for w_i in _kernel_rows(w, groups)]
    for block, x_rows in low.lifted(x):
        out = low.flat(y[block])
        for w_i, x_i in zip(w_rows, x_rows):
            _add_products(x_i, _for_all(w_i, len(x_i)), out)
    return x.to(g.dtype)


@_conv_input.vjp
def conv_input_vjp(c: Array, _x: Any, g: Array, w: Array, *, size: Pair, **meta: Any) -> Any:
    return (
        lambda: _conv(c, w, None, **meta),
        lambda: _conv_weight(g, c, kernel=tuple(w.shape[2:]), **meta),
    )


@primitive
def _conv_weight(
    g: Array,
    input: Array,
    *,
    kernel: Pair,
    stride: Pair,
    padding: Pairs,
    dilation: Pair,
    groups: int,
) -> Array:
    """T by the kernel."""
    y, x = _long(g).contiguous(), _long(input).contiguous()
    if not readable():
        return _window_conv_weight(y, x, kernel, stride, padding, dilation, groups).to(g.dtype)
    low = _lower(x, x.shape, kernel, stride, padding, dilation, groups)
    kernels, channels = y.shape[1] // groups, x.shape[1] // groups
    sums = x.new_zeros(kernel[0], low.products, channels * kernel[1], kernels)
    for block, x_rows in low.lowered(x):
        out = low.flat(y[block]).mT
        for w_i, x_i in zip(sums, x_rows):
            w_i[: len(x_i)].baddbmm_(x_i, out)
    w = sums.view(kernel[0], -1, groups, channels, kernel[1], kernels).sum(1).permute(1, 4, 2, 0, 3)
    return w.reshape(groups * kernels, channels, *kernel).to(g.dtype)


@_conv_weight.vjp
def conv_weight_vjp(c: Array, _w: Any, g: Array, x: Array, *, kernel: Pair, **meta: Any) -> Any:
    return (
        lambda: _conv(x, c, None, **meta),
        lambda: _conv_input(g, c, size=tuple(x.shape[2:]), **meta),
    )


def _lower(x: Tensor, images: Sequence[int], kernel: Sequence[int], *settings: Any) -> _Lowering:
    block = BLOCK if x.device.type == "cpu" else 1 << 28
    return _lowering(tuple(images), tuple(kernel), *settings, block)


def _kernel_rows(w: Tensor, groups: int) -> list[Tensor]:
    """For each row of the kernels matrices: (group, output channel, channel and column j)."""
    kernels, channels, height, width = w.shape
    w = w.reshape(groups, kernels // groups, channels, height, width).permute(3, 0, 1, 2, 4)
    return list(w.reshape(height, groups, kernels // groups, channels * width))


def _for_all(w: Tensor, times: int) -> Tensor:
    """The same matrices for every image."""
    return w.expand(times, -1, -1) if len(w) == 1 else w.repeat(times // len(w), 1, 1)


def _add_products(out: Tensor, a: Tensor, b: Tensor) -> None:
    """Add products of many matrices to slices, which baddbmm takes one by one."""
    if a.shape[2] == 1:  # a column and a row: one kernel for each channel
        out.addcmul_(a, b)
    elif out.is_contiguous() or out[0].numel() > 1 << 13:
        out.baddbmm_(a, b)
    else:
        out += torch.bmm(a, b)


# --- the same by windows, for torch.func and torch.compile ----------------------------------------


def _window_conv(
    x: Tensor, w: Tensor, stride: Pair, padding: Pairs, dilation: Pair, groups: int
) -> Tensor:
    kernels, channels, *kernel = w.shape
    windows = _windows(_pad(x, padding), kernel, stride, dilation)
    batch, *_, height, width = windows.shape
    columns = windows.reshape(batch, groups, channels * math.prod(kernel), height * width)
    y = w.reshape(groups, kernels // groups, -1) @ columns
    return y.reshape(batch, kernels, height, width)


def _window_conv_input(
    g: Tensor, w: Tensor, size: Pair, stride: Pair, padding: Pairs, dilation: Pair, groups: int
) -> Tensor:
    (batch, kernels, height, width), (_, channels, *kernel) = g.shape, w.shape
    rows = g.reshape(batch, groups, kernels // groups, height * width)
    columns = w.reshape(groups, kernels // groups, -1).mT @ rows
    windows = columns.reshape(batch, groups * channels, *kernel, height, width)
    return _add_windows(windows, size, stride, padding, dilation)


def _window_conv_weight(
    g: Tensor, x: Tensor, kernel: Pair, stride: Pair, padding: Pairs, dilation: Pair, groups: int
) -> Tensor:
    batch, kernels, height, width = g.shape
    channels = x.shape[1] // groups
    windows = _windows(_pad(x, padding), kernel, stride, dilation)
    columns = windows.reshape(batch, groups, channels * math.prod(kernel), height * width)
    rows = g.reshape(batch, groups, kernels // groups, height * width)
    return (rows @ columns.mT).sum(0).reshape(kernels, channels, *kernel)


def _long(x: Tensor) -> Tensor:
    """Sums of the short types would suffer."""
    return x.float() if x.dtype in SHORT else x


def _pad(x: Tensor, padding: Pairs) -> Tensor:
    """Put zeros around every image."""
    if padding == ((0, 0), (0, 0)):
        return x
    *outer, height, width = x.shape
    (top, bottom), (left, right) = padding
    padded = x.new_zeros((*outer, top + height + bottom, left + width + right))
    padded[..., top : top + height, left : left + width] = x
    return padded


def _windows(x: Tensor, kernel: Sequence[int], stride: Pair, dilation: Pair) -> Tensor:
    """All windows as one view of shape (B, C, i, j, p, q), without a copy."""
    (i, j), (di, dj) = kernel, dilation
    view = x.unfold(2, di * (i - 1) + 1, stride[0]).unfold(3, dj * (j - 1) + 1, stride[1])
    return view[..., ::di, ::dj].permute(0, 1, 4, 5, 2, 3)


def _add_windows(
    windows: Tensor, size: Pair, stride: Pair, padding: Pairs, dilation: Pair
) -> Tensor:
    """Add all windows up where they came from: the transpose of the map that takes them out."""
    batch, channels, rows, columns, height, width = windows.shape
    (top, bottom), (left, right) = padding
    x = windows.new_zeros((batch, channels, top + size[0] + bottom, left + size[1] + right))
    for i, j in itertools.product(range(rows), range(columns)):
        down = slice(dilation[0] * i, dilation[0] * i + stride[0] * (height - 1) + 1, stride[0])
        along = slice(dilation[1] * j, dilation[1] * j + stride[1] * (width - 1) + 1, stride[1])
        x[:, :, down, along] += windows[:, :, i, j]
    return x[:, :, top : top + size[0], left : left + size[1]].contiguous()


# --- windows as columns --------------------------------------------------------------------------


@primitive
def _unfold(input: Array, *, kernel: Pair, stride: Pair, padding: Pairs, dilation: Pair) -> Array:
    windows = _windows(_pad(input, padding), kernel, stride, dilation)
    batch, channels, *_, height, width = windows.shape
    return windows.reshape(batch, channels * math.prod(kernel), height * width)


@_unfold.vjp
def unfold_vjp(g: Array, _y: Any, x: Array, **meta: Any) -> Any:
    return (_fold(g, size=tuple(x.shape[2:]), **meta),)


@primitive
def _fold(
    input: Array, *, size: Pair, kernel: Pair, stride: Pair, padding: Pairs, dilation: Pair
) -> Array:
    batch, rows, _ = input.shape
    padded = [n + sum(p) for n, p in zip(size, padding)]
    height, width = map(_positions, padded, kernel, stride, dilation)
    windows = input.reshape(batch, rows // math.prod(kernel), *kernel, height, width)
    return _add_windows(_long(windows), size, stride, padding, dilation).to(input.dtype)


@_fold.vjp
def fold_vjp(g: Array, _y: Any, _x: Any, *, size: Pair, **meta: Any) -> Any:
    return (_unfold(g, **meta),)


# --- arguments -----------------------------------------------------------------------------------


def _positions(size: int, kernel: int, stride: int, dilation: int) -> int:
    """How many places the window has along an axis of a padded image."""
    return (size - dilation * (kernel - 1) - 1) // stride + 1


def several(name: str, what: str, value: Sizes, axes: int, least: int) -> Pair:
    """One number for each axis."""
    several = (value,) * axes if isinstance(value, int) else tuple(value)
    if len(several) == 1:
        several *= axes
    if len(several) != axes or any(not isinstance(n, int) or n < least for n in several):
        words = "a whole number" if axes == 1 else f"a whole number or {axes}"
        raise ValueError(f"{name}: expected {what} of {words}, {least} or more, got {value}")
    return several


def settings(
    name: str,
    weight: Array,
    stride: Sizes,
    padding: Sizes | str,
    dilation: Sizes,
) -> tuple[Pair, Pairs, Pair]:
    """Stride, padding on both sides, and dilation, along each axis."""
    axes = weight.ndim - 2
    steps = several(name, "stride", stride, axes, 1)
    gaps = several(name, "dilation", dilation, axes, 1)
    if isinstance(padding, str):
        if padding == "valid":
            return steps, ((0, 0),) * axes, gaps
        if padding != "same":
            raise ValueError(
                f"{name}: expected padding of 'same', 'valid' or whole numbers, got {padding!r}"
            )
        if any(s != 1 for s in steps):
            raise ValueError(f"{name}: padding='same' expects stride 1, got stride {stride}")
        total = [d * (k - 1) for d, k in zip(gaps, weight.shape[2:])]
        return steps, tuple((t // 2, t - t // 2) for t in total), gaps
    return steps, tuple((p, p) for p in several(name, "padding", padding, axes, 0)), gaps


def _check(
    name: str, input: Array, weight: Array, bias: Array | None, groups: int, transposed: bool
) -> None:
    """Check that kernel, bias and groups fit the input."""
    axes = 1 if name.endswith("1d") else 2
    letters = "L" if axes == 1 else "H, W"
    shape = tuple(input.shape)
    if len(weight.shape) != axes + 2:
        raise ValueError(
            f"{name}: expected weight of {axes + 2} axes, got shape {tuple(weight.shape)}"
        )
    if len(shape) not in (axes + 1, axes + 2):
        raise ValueError(
            f"{name}: expected input of shape (B, C, {letters}) or (C, {letters}), got {shape}"
        )
    first, second = weight.shape[:2]
    if groups < 1 or first % groups:
        raise ValueError(
            f"{name}: expected a number of groups that divides the {first} of weight of shape "
            f"{tuple(weight.shape)}, got {groups}"
        )
    expects, outputs = (first, second * groups) if transposed else (second * groups, first)
    if shape[-axes - 1] != expects:
        raise ValueError(
            f"{name}: weight expects {expects} input channels, got input of shape {shape}"
        )
    if bias is not None and tuple(bias.shape) != (outputs,):
        raise ValueError(
            f"{name}: expected bias of shape ({outputs},) for weight of shape "
            f"{tuple(weight.shape)} and {groups} groups, got {tuple(bias.shape)}"
        )
    if 0 in weight.shape:
        raise ValueError(f"{name}: expected weights, got weight of shape {tuple(weight.shape)}")


def _check_reach(
    name: str, size: Sequence[int], kernel: Sequence[int], padding: Sequence[Pair], gaps: Any
) -> None:
    for n, k, (before, after), d in zip(size, kernel, padding, gaps):
        if n + before + after < d * (k - 1) + 1:
            raise ValueError(
                f"{name}: expected an input at least as large as the kernel, got size "
                f"{tuple(size)}, padding {tuple(padding)}, kernel {tuple(kernel)}, dilation "
                f"{tuple(gaps)}"
            )


@implements("conv2d")
def conv2d(
    input: Float[Array, "*B C H W"],
    weight: Float[Array, "K c h w"],
    bias: Float[Array, "K"] | None = None,
    stride: Sizes = 1,
    padding: Sizes | str = 0,
    dilation: Sizes = 1,
    groups: int = 1,
) -> Float[Array, "*B K p q"]:
    r"""Slide a kernel over every image and take its inner product with what lies under it.

    .. math:: y_{bkpq} = b_k + \sum_{c,i,j} w_{kcij}\; x_{b,\,c,\,sp + di,\,sq + dj}
       :label: op-conv2d

    with stride :math:`s` and dilation :math:`d`, and :math:`x` after padding. The other way

    .. math:: \bar x_{bcuv} = \sum_{k,i,j} \sum_{\substack{p:\, sp + di = u\\ q:\, sq + dj = v}}
        w_{kcij}\; \bar y_{bkpq}, \qquad
        \bar w_{kcij} = \sum_{b,p,q} \bar y_{bkpq}\; x_{b,\,c,\,sp + di,\,sq + dj}, \qquad
        \bar b_k = \sum_{b,p,q} \bar y_{bkpq} .
       :label: op-conv2d-pull

    Args:
        input: :math:`x`, a batch of images or one, channels before height and width.
        weight: :math:`w`, for each output channel a window over C / groups input channels.
        bias: a number for each output channel, or None.
        stride: steps between neighbouring windows, 1 or more; one number, or one for each axis.
        padding: rows and columns of zeros on each side; ``"valid"`` for none, ``"same"`` for as
            many as keep the size (one more below and on the right if the number is odd).
        dilation: steps between neighbouring weights, 1 or more.
        groups: into how many groups the channels are parted, each with kernels of its own.

    Raises:
        ValueError: if the shapes or the settings do not fit.

    Example:
        >>> x = torch.arange(9.0).reshape(1, 1, 3, 3)
        >>> conv2d(x, torch.tensor([[[[-1.0, 1.0]]]]))
        tensor([[[[1., 1.],
                  [1., 1.],
                  [1., 1.]]]])

    Chapter: :doc:`/images/convolution`.
    """
    _check("conv2d", input, weight, bias, groups, transposed=False)
    steps, pads, gaps = settings("conv2d", weight, stride, padding, dilation)
    _check_reach("conv2d", input.shape[-2:], weight.shape[2:], pads, gaps)
    meta: Any = {"stride": steps, "padding": pads, "dilation": gaps, "groups": groups}
    if len(input.shape) == 3:
        return _conv(input.unsqueeze(0), weight, bias, **meta).squeeze(0)
    return _conv(input, weight, bias, **meta)


@implements("conv1d")
def conv1d(
    input: Float[Array, "*B C L"],
    weight: Float[Array, "K c l"],
    bias: Float[Array, "K"] | None = None,
    stride: Sizes = 1,
    padding: Sizes | str = 0,
    dilation: Sizes = 1,
    groups: int = 1,
) -> Float[Array, "*B K p"]:
    r"""Slide a kernel along every sequence; an image of one row (:eq:`op-conv2d`).

    .. math:: y_{bkp} = b_k + \sum_{c,i} w_{kci}\; x_{b,\,c,\,sp + di}
       :label: op-conv1d

    Args:
        input: :math:`x`, a batch of sequences or one, channels before positions.
        weight: :math:`w`, for each output channel a window over C / groups input channels.
        bias: a number for each output channel, or None.
        stride: steps between neighbouring windows, 1 or more.
        padding: zeros on each side, or ``"valid"`` or ``"same"`` as in :func:`conv2d`.
        dilation: steps between neighbouring weights, 1 or more.
        groups: into how many groups the channels are parted, each with kernels of its own.

    Raises:
        ValueError: if the shapes or the settings do not fit.

    Example:
        >>> x = torch.tensor([[[1.0, 2.0, 4.0, 8.0]]])
        >>> conv1d(x, torch.tensor([[[-1.0, 1.0]]]))
        tensor([[[1., 2., 4.]]])

    Chapter: :doc:`/images/convolution`.
    """
    _check("conv1d", input, weight, bias, groups, transposed=False)
    steps, pads, gaps = settings("conv1d", weight, stride, padding, dilation)
    _check_reach("conv1d", input.shape[-1:], weight.shape[2:], pads, gaps)
    x = input.unsqueeze(-2) if len(input.shape) == 3 else input.unsqueeze(-2).unsqueeze(0)
    y = _conv(
        x,
        weight.unsqueeze(2),
        bias,
        stride=(1, *steps),
        padding=((0, 0), *pads),
        dilation=(1, *gaps),
        groups=groups,
    ).squeeze(2)
    return y if len(input.shape) == 3 else y.squeeze(0)


@implements("conv_transpose2d")
def conv_transpose2d(
    input: Float[Array, "*B K H W"],
    weight: Float[Array, "K c h w"],
    bias: Float[Array, "C"] | None = None,
    stride: Sizes = 1,
    padding: Sizes = 0,
    output_padding: Sizes = 0,
    groups: int = 1,
    dilation: Sizes = 1,
) -> Float[Array, "*B C p q"]:
    r"""Lay a copy of the kernel down for every number of the input, and add up where they overlap.

    It is what :func:`conv2d` with the same kernel, stride, padding and dilation does to cotangents,
    called forwards; with a stride above 1 it enlarges images.

    .. math:: y_{bcuv} = b_c + \sum_{k,i,j} \sum_{\substack{p:\, sp + di = u\\ q:\, sq + dj = v}}
        w_{kcij}\; x_{bkpq}
       :label: op-conv-transpose2d

    and of this image ``padding`` rows and columns are cut off on each side.

    Args:
        input: :math:`x`, a batch of images or one, channels before height and width.
        weight: :math:`w`, input channels first: the shape of the convolution's kernel whose
            transpose this is.
        bias: a number for each output channel, or None.
        stride: steps between neighbouring copies, 1 or more; one number, or one for each axis.
        padding: rows and columns cut off on each side.
        output_padding: rows and columns added again below and on the right, fewer than stride or
            dilation: a convolution with a stride takes images of several sizes to the same one, and
            this says which of them is meant.
        groups: into how many groups the channels are parted, each with kernels of its own.
        dilation: steps between neighbouring weights, 1 or more.

    Raises:
        ValueError: if the shapes or the settings do not fit.

    Example:
        >>> x = torch.tensor([[[[1.0, 2.0]]]])
        >>> conv_transpose2d(x, torch.tensor([[[[1.0, 10.0, 100.0]]]]), stride=2)
        tensor([[[[  1.,  10., 102.,  20., 200.]]]])

    Chapter: :doc:`/images/convolution`.
    """
    name = "conv_transpose2d"
    _check(name, input, weight, bias, groups, transposed=True)
    steps, pads, gaps = settings(name, weight, stride, padding, dilation)
    extra = several(name, "output_padding", output_padding, 2, 0)
    if any(e >= max(s, d) for e, s, d in zip(extra, steps, gaps)):
        raise ValueError(
            f"{name}: expected output_padding less than stride or dilation, got output_padding "
            f"{extra}, stride {steps}, dilation {gaps}"
        )
    size = tuple(
        (n - 1) * s - sum(p) + d * (k - 1) + 1 + e
        for n, s, p, d, k, e in zip(
            input.shape[-2:], steps, pads, gaps, weight.shape[2:], extra, strict=True
        )
    )
    if min(size) < 1:
        raise ValueError(
            f"{name}: expected settings that leave an image, got one of size {size} from input of "
            f"shape {tuple(input.shape)}, padding {pads}"
        )
    x = input if len(input.shape) == 4 else input.unsqueeze(0)
    meta: Any = {"stride": steps, "padding": pads, "dilation": gaps, "groups": groups}
    y = _conv_input(x, weight, size=size, **meta)
    if bias is not None:
        y = y + bias.reshape((-1, 1, 1))
    return y if len(input.shape) == 4 else y.squeeze(0)


def unfold(
    input: Float[Array, "*B C H W"],
    kernel_size: Sizes,
    dilation: Sizes = 1,
    padding: Sizes = 0,
    stride: Sizes = 1,
) -> Float[Array, "*B R N"]:
    r"""Write every window of an image as a column: with them a convolution is a matrix product.

    .. math:: Y_{(cij),(pq)} = x_{c,\,sp + di,\,sq + dj}, \qquad
        w \star x = W\,Y
       :label: op-unfold

    where row :math:`k` of :math:`W` holds the kernel :math:`w_k`. Every number of the image is
    written down about as often as the kernel has places. Backwards goes :func:`fold`.

    Args:
        input: :math:`x`, a batch of images or one, channels before height and width.
        kernel_size: height and width of the window, or one number for both.
        dilation: steps between neighbouring places of a window, 1 or more.
        padding: rows and columns of zeros on each side.
        stride: steps between neighbouring windows, 1 or more.

    Raises:
        ValueError: if the settings do not fit the input.

    Example:
        >>> unfold(torch.arange(6.0).reshape(1, 1, 2, 3), 2)
        tensor([[[0., 1.],
                 [1., 2.],
                 [3., 4.],
                 [4., 5.]]])

    Chapter: :doc:`/images/convolution`.
    """
    shape = tuple(input.shape)
    if len(shape) not in (3, 4):
        raise ValueError(f"unfold: expected input of shape (B, C, H, W) or (C, H, W), got {shape}")
    meta = _window_settings("unfold", kernel_size, dilation, padding, stride)
    _check_reach("unfold", shape[-2:], meta["kernel"], meta["padding"], meta["dilation"])
    if len(shape) == 3:
        return _unfold(input.unsqueeze(0), **meta).squeeze(0)
    return _unfold(input, **meta)


@implements("fold")
def fold(
    input: Float[Array, "*B R N"],
    output_size: Sizes,
    kernel_size: Sizes,
    dilation: Sizes = 1,
    padding: Sizes = 0,
    stride: Sizes = 1,
) -> Float[Array, "*B C H W"]:
    r"""Add columns up to an image, each where :func:`unfold` would have taken it from.

    .. math:: y_{cuv} = \sum_{i,j} \sum_{\substack{p:\, sp + di = u\\ q:\, sq + dj = v}}
        X_{(cij),(pq)}
       :label: op-fold

    It is the transpose of :func:`unfold`, not its inverse: where windows overlap, they add up.

    Args:
        input: :math:`X`, a column for each window, as :func:`unfold` returns them.
        output_size: height and width of the image.
        kernel_size: height and width of the window, or one number for both.
        dilation: steps between neighbouring places of a window, 1 or more.
        padding: rows and columns of zeros that the image had on each side.
        stride: steps between neighbouring windows, 1 or more.

    Raises:
        ValueError: if the number of rows or columns does not fit the settings.

    Example:
        >>> fold(unfold(torch.ones(1, 1, 2, 3), 2), (2, 3), 2)
        tensor([[[[1., 2., 1.],
                  [1., 2., 1.]]]])

    Chapter: :doc:`/images/convolution`.
    """
    shape = tuple(input.shape)
    if len(shape) not in (2, 3):
        raise ValueError(
            f"fold: expected input of shape (B, rows, windows) or (rows, windows), got {shape}"
        )
    size = several("fold", "output_size", output_size, 2, 1)
    meta = _window_settings("fold", kernel_size, dilation, padding, stride)
    kernel, pads, gaps = meta["kernel"], meta["padding"], meta["dilation"]
    _check_reach("fold", size, kernel, pads, gaps)
    places = [
        _positions(n + sum(p), k, s, d)
        for n, p, k, s, d in zip(size, pads, kernel, meta["stride"], gaps)
    ]
    if shape[-2] % math.prod(kernel) or shape[-1] != math.prod(places):
        raise ValueError(
            f"fold: expected rows in multiples of {math.prod(kernel)} and {math.prod(places)} "
            f"windows for output_size {size} and kernel_size {kernel}, got input of shape {shape}"
        )
    if len(shape) == 2:
        return _fold(input.unsqueeze(0), size=size, **meta).squeeze(0)
    return _fold(input, size=size, **meta)


def _window_settings(
    name: str, kernel_size: Sizes, dilation: Sizes, padding: Sizes, stride: Sizes
) -> dict[str, Any]:
    pads = several(name, "padding", padding, 2, 0)
    return {
        "kernel": several(name, "kernel_size", kernel_size, 2, 1),
        "stride": several(name, "stride", stride, 2, 1),
        "padding": tuple((p, p) for p in pads),
        "dilation": several(name, "dilation", dilation, 2, 1),
    }

r"""Four ways to turn a convolution into products, from the definition to what :func:`conv2d` does.

Each takes images, kernels and a padding, and returns a :class:`Rung`: the output, what has to be
kept for the backward pass, and the function that pulls a cotangent back. They know no stride, no
dilation and no groups, so that nothing hides what sets them apart: how often a number of the image
is written down, and in which order. The general one, which keeps nothing but its arguments, is
:func:`dlbook.ops.conv2d`.

Chapter: :doc:`/images/convolution`.
"""

from collections.abc import Callable
from itertools import product
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from dlbook.ops.convolution import fold, unfold

Images = Float[Tensor, "B C H W"]
Kernels = Float[Tensor, "K C k k"]
Place = tuple[int, ...]


class Rung(NamedTuple):
    """What one way to convolve returns.

    Attributes:
        output: the images that come out, of shape (B, K, height, width).
        kept: the tensors that the backward pass needs, besides the kernels.
        pull: from a cotangent of the output to those of images and kernels.
    """

    output: Tensor
    kept: tuple[Tensor, ...]
    pull: Callable[[Tensor], tuple[Tensor, Tensor]]


def by_loops(input: Images, weight: Kernels, padding: int = 0) -> Rung:
    """Convolve as the definition says: seven loops around one product.

    Args:
        input: images :math:`x`.
        weight: square kernels :math:`w`.
        padding: rows and columns of zeros on each side; they are left out of the sums.

    Example:
        >>> by_loops(torch.ones(1, 1, 2, 3), torch.ones(1, 1, 2, 2)).output
        tensor([[[[4., 4.]]]])
    """
    (batch, channels, height, width), (kernels, _, k, _) = input.shape, weight.shape
    rows, columns = height + 2 * padding - k + 1, width + 2 * padding - k + 1

    def products() -> list[tuple[Place, Place, Place]]:
        """The places in y, w and x of all products."""
        places: list[tuple[Place, Place, Place]] = []
        for b, o, p, q in product(*map(range, (batch, kernels, rows, columns))):
            for c, i, j in product(range(channels), range(k), range(k)):
                u, v = p + i - padding, q + j - padding
                if 0 <= u < height and 0 <= v < width:
                    places.append(((b, o, p, q), (o, c, i, j), (b, c, u, v)))
        return places

    y = input.new_zeros(batch, kernels, rows, columns)
    for at_y, at_w, at_x in products():
        y[at_y] += weight[at_w] * input[at_x]

    def pull(g: Tensor) -> tuple[Tensor, Tensor]:
        x_bar, w_bar = torch.zeros_like(input), torch.zeros_like(weight)
        for at_y, at_w, at_x in products():
            x_bar[at_x] += weight[at_w] * g[at_y]
            w_bar[at_w] += input[at_x] * g[at_y]
        return x_bar, w_bar

    return Rung(y, (input,), pull)


def by_windows(input: Images, weight: Kernels, padding: int = 0) -> Rung:
    r"""Write every window as a column, :func:`dlbook.ops.unfold`, and multiply once.

    .. math:: Y = W\,U, \qquad \bar W = \bar Y\,U^\top, \qquad \bar U = W^\top \bar Y

    Every number of the image is written down :math:`k^2` times, and going back :math:`k^2` numbers
    are added up to one, in :func:`dlbook.ops.fold`.

    Args:
        input: images :math:`x`.
        weight: square kernels :math:`w`.
        padding: rows and columns of zeros on each side.

    Example:
        >>> by_windows(torch.ones(1, 1, 2, 3), torch.ones(1, 1, 2, 2)).output
        tensor([[[[4., 4.]]]])
    """
    (batch, _, height, width), (kernels, _, k, _) = input.shape, weight.shape
    w = weight.flatten(1)
    columns = unfold(input, k, padding=padding)
    y = (w @ columns).view(batch, kernels, height + 2 * padding - k + 1, -1)

    def pull(g: Tensor) -> tuple[Tensor, Tensor]:
        g = g.reshape(-1, kernels, columns.shape[2])
        w_bar = (g @ columns.mT).sum(0).view_as(weight)
        return fold(w.mT @ g, (height, width), k, padding=padding), w_bar

    return Rung(y, (columns,), pull)


def by_pixels(input: Images, weight: Kernels, padding: int = 0) -> Rung:
    r"""Put the channels of a pixel side by side first: then a window is a few long runs.

    .. math:: Y = U W^\top, \qquad \bar W = \bar Y^\top U, \qquad \bar U = \bar Y W

    There is one row for each window, so that all images are one matrix. The numbers are as many as
    in :func:`by_windows`; the order makes copying quicker, and the channels have to be brought to
    the end and back.

    Args:
        input: images :math:`x`.
        weight: square kernels :math:`w`.
        padding: rows and columns of zeros on each side.

    Example:
        >>> by_pixels(torch.ones(1, 1, 2, 3), torch.ones(1, 1, 2, 2)).output
        tensor([[[[4., 4.]]]])
    """
    (batch, channels, height, width), (kernels, _, k, _) = input.shape, weight.shape
    down, along = height + 2 * padding - k + 1, width + 2 * padding - k + 1
    inside = slice(padding, padding + height), slice(padding, padding + width)
    w = weight.permute(0, 2, 3, 1).reshape(kernels, k * k * channels)
    x = input.new_zeros(batch, height + 2 * padding, width + 2 * padding, channels)
    x[:, *inside] = input.permute(0, 2, 3, 1)
    windows = x.unfold(1, k, 1).unfold(2, k, 1).permute(0, 1, 2, 4, 5, 3)
    rows = windows.reshape(batch * down * along, k * k * channels)
    y = (rows @ w.mT).view(batch, down, along, kernels).permute(0, 3, 1, 2).contiguous()

    def pull(g: Tensor) -> tuple[Tensor, Tensor]:
        g = g.permute(0, 2, 3, 1).reshape(-1, kernels)
        w_bar = (g.mT @ rows).view(kernels, k, k, channels).permute(0, 3, 1, 2).contiguous()
        bars = (g @ w).view(batch, down, along, k, k, channels)
        x_bar = torch.zeros_like(x)
        for i, j in product(range(k), range(k)):
            x_bar[:, i : i + down, j : j + along] += bars[:, :, :, i, j]
        return x_bar[:, *inside].permute(0, 3, 1, 2).contiguous(), w_bar

    return Rung(y, (rows,), pull)


def by_rows(input: Images, weight: Kernels, padding: int = 0) -> Rung:
    r"""Write rows down instead of windows: :math:`k` times every number, and :math:`k` products.

    .. math:: Y = \sum_i W_i X_i, \qquad \bar W_i = \bar Y X_i^\top, \qquad
        \bar X_i \mathrel{+}= W_i^\top \bar Y

    Row :math:`j` of a channel in the matrix :math:`X` is the image from its column :math:`j` on.
    What row :math:`i` of the kernel meets, is :math:`X` from image row :math:`i` on: a slice of its
    columns, :math:`X_i`, which needs no copy.

    Args:
        input: images :math:`x`.
        weight: square kernels :math:`w`.
        padding: rows and columns of zeros on each side.

    Example:
        >>> by_rows(torch.ones(1, 1, 2, 3), torch.ones(1, 1, 2, 2)).output
        tensor([[[[4., 4.]]]])
    """
    (batch, channels, height, width), (kernels, _, k, _) = input.shape, weight.shape
    down, along = height + 2 * padding - k + 1, width + 2 * padding - k + 1
    inside = slice(padding, padding + height), slice(padding, padding + width)
    w = weight.permute(2, 0, 1, 3).reshape(k, kernels, channels * k)
    x = input.new_zeros(batch, channels, height + 2 * padding, width + 2 * padding)
    x[:, :, *inside] = input
    rows = x.unfold(3, k, 1).permute(0, 1, 4, 2, 3).reshape(batch, channels * k, -1)

    def part(matrix: Tensor, i: int) -> Tensor:
        return matrix[:, :, along * i : along * (i + down)]

    y = input.new_zeros(batch, kernels, down * along)
    for i in range(k):
        y.baddbmm_(w[i].expand(batch, -1, -1), part(rows, i))

    def pull(g: Tensor) -> tuple[Tensor, Tensor]:
        g = g.reshape(batch, kernels, down * along)
        bars, w_bar, x_bar = torch.zeros_like(rows), torch.empty_like(w), torch.zeros_like(x)
        for i in range(k):
            w_bar[i] = (g @ part(rows, i).mT).sum(0)
            part(bars, i).baddbmm_(w[i].mT.expand(batch, -1, -1), g)
        lines = bars.view(batch, channels, k, -1, along)
        for j in range(k):
            x_bar[:, :, :, j : j + along] += lines[:, :, j]
        w_bar = w_bar.view(k, kernels, channels, k).permute(1, 2, 0, 3).contiguous()
        return x_bar[:, :, *inside].contiguous(), w_bar

    return Rung(y.view(batch, kernels, down, along), (rows,), pull)

"""Rows for convolution, and its specification by plain loops."""

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import product
from typing import Any, NamedTuple, cast

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from dlbook.testing._row import Bad, Row, Sample, Samples, normal

Pair = tuple[int, int]


class Specified(NamedTuple):
    """What a convolution gives, and the cotangents of what went in."""

    output: Tensor
    input: Tensor
    weight: Tensor
    bias: Tensor


def conv2d_by_loops(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Pair = (1, 1),
    padding: tuple[Pair, Pair] = ((0, 0), (0, 0)),
    dilation: Pair = (1, 1),
    groups: int = 1,
    cotangent: Tensor | None = None,
) -> Specified:
    """The definition of a convolution and of its derivatives: a sum of products, one at a time.

    Nothing is shared with :mod:`dlbook.ops.convolution`: no padding is written down, no matrix is
    made. Every product of a weight and a number of the image is visited once; the cotangents
    collect what the chain rule says about that product.

    Args:
        input: images, of shape (B, C, H, W).
        weight: kernels, of shape (K, C / groups, h, w).
        bias: a number for each output channel, or None for zeros.
        stride: steps between neighbouring windows, down and along.
        padding: zeros (above, below) and (left, right).
        dilation: steps between neighbouring weights, down and along.
        groups: into how many groups the channels are parted.
        cotangent: of the output; ones when None.

    Example:
        >>> image, kernel = torch.arange(4.0).reshape(1, 1, 2, 2), torch.ones(1, 1, 1, 2)
        >>> conv2d_by_loops(image, kernel).output
        tensor([[[[1.],
                  [5.]]]])
    """
    (batch, _, height, width), (kernels, channels, h, w) = input.shape, weight.shape
    (top, bottom), (left, right) = padding
    rows = (height + top + bottom - dilation[0] * (h - 1) - 1) // stride[0] + 1
    columns = (width + left + right - dilation[1] * (w - 1) - 1) // stride[1] + 1
    y = input.new_zeros(batch, kernels, rows, columns)
    if bias is not None:
        y = y + bias[:, None, None]
    g = torch.ones_like(y) if cotangent is None else cotangent
    x_bar, w_bar = torch.zeros_like(input), torch.zeros_like(weight)
    for k, p, q, c, i, j in product(*map(range, (kernels, rows, columns, channels, h, w))):
        u, v = stride[0] * p + dilation[0] * i - top, stride[1] * q + dilation[1] * j - left
        if 0 <= u < height and 0 <= v < width:  # beyond the edge there are zeros
            seen = k // (kernels // groups) * channels + c
            for b in range(batch):
                y[b, k, p, q] += weight[k, c, i, j] * input[b, seen, u, v]
                x_bar[b, seen, u, v] += weight[k, c, i, j] * g[b, k, p, q]
                w_bar[k, c, i, j] += input[b, seen, u, v] * g[b, k, p, q]
    return Specified(y, x_bar, w_bar, g.sum((0, 2, 3)))


# --- rows ----------------------------------------------------------------------------------------

Call = tuple[str, tuple[int, ...], tuple[int, ...], Mapping[str, Any]]

IMAGES: tuple[Call, ...] = (
    ("plain", (2, 2, 4, 5), (3, 2, 3, 3), {}),
    ("padded", (2, 2, 3, 4), (2, 2, 3, 3), {"padding": 1}),
    ("everything", (1, 4, 5, 7), (4, 2, 3, 2), {"stride": (2, 3), "padding": (2, 1), "groups": 2}),
    ("strided", (1, 2, 5, 6), (2, 2, 3, 3), {"stride": 2, "padding": 1}),
    ("dilated", (1, 2, 5, 5), (2, 2, 3, 2), {"dilation": (2, 3)}),
    (
        "dilated, strided, padded",
        (1, 1, 7, 6),
        (2, 1, 2, 3),
        {"dilation": 2, "stride": (3, 2), "padding": (1, 2)},
    ),
    ("same", (1, 2, 3, 4), (2, 2, 3, 4), {"padding": "same"}),
    ("same, dilated", (1, 1, 4, 3), (2, 1, 2, 3), {"padding": "same", "dilation": (3, 2)}),
    ("valid", (1, 2, 4, 3), (1, 2, 3, 3), {"padding": "valid"}),
    ("depthwise", (1, 3, 4, 4), (3, 1, 3, 3), {"padding": 1, "groups": 3}),
    ("depthwise, two each", (1, 2, 3, 4), (4, 1, 2, 3), {"groups": 2}),
    ("point by point", (2, 3, 2, 3), (2, 3, 1, 1), {}),
    ("point by point, strided", (1, 2, 5, 4), (2, 2, 1, 1), {"stride": 2}),
    ("point by point, padded", (1, 2, 2, 3), (2, 2, 1, 1), {"padding": 1}),
    ("kernel of the image's size", (2, 2, 3, 2), (2, 2, 3, 2), {}),
    ("padding beyond the kernel", (1, 1, 2, 2), (1, 1, 2, 2), {"padding": 3}),
    ("steps beyond the kernel", (1, 1, 7, 8), (2, 1, 2, 2), {"stride": 3}),
    ("what no window sees", (1, 1, 6, 6), (2, 1, 2, 2), {"stride": (3, 4)}),
    ("one image", (2, 3, 4), (2, 2, 3, 3), {"padding": 1}),
    ("one number", (1, 1, 1, 1), (1, 1, 1, 1), {}),
    ("five by five", (1, 1, 4, 5), (1, 1, 5, 5), {"padding": 2}),
)
SEQUENCES: tuple[Call, ...] = (
    ("plain", (2, 2, 5), (3, 2, 3), {}),
    ("everything", (1, 4, 8), (4, 2, 2), {"stride": 3, "padding": 1, "dilation": 2, "groups": 2}),
    ("padded", (2, 2, 3), (2, 2, 4), {"padding": 2}),
    ("strided", (1, 2, 6), (2, 2, 3), {"stride": 2, "padding": 1}),
    ("same", (1, 2, 5), (2, 2, 4), {"padding": "same"}),
    ("valid", (1, 2, 5), (2, 2, 4), {"padding": "valid"}),
    ("depthwise", (2, 3, 4), (3, 1, 3), {"padding": 1, "groups": 3}),
    ("point by point", (2, 3, 3), (2, 3, 1), {}),
    ("one sequence", (2, 6), (3, 2, 3), {"stride": (2,)}),
)
TRANSPOSED: tuple[Call, ...] = (
    ("plain", (2, 2, 3, 2), (2, 2, 3, 3), {}),
    ("strided", (1, 2, 2, 3), (2, 2, 4, 4), {"stride": 2, "padding": 1}),
    (
        "everything",
        (1, 4, 2, 3),
        (4, 1, 3, 2),
        {"stride": (2, 3), "padding": (1, 0), "output_padding": (1, 2), "groups": 2, "dilation": 2},
    ),
    ("padded", (1, 2, 3, 3), (2, 2, 3, 3), {"padding": 1}),
    ("extra", (1, 2, 2, 3), (2, 1, 3, 3), {"stride": 2, "padding": 1, "output_padding": 1}),
    ("dilated", (1, 2, 2, 3), (2, 1, 3, 2), {"dilation": (2, 3)}),
    ("steps beyond the kernel", (1, 2, 3, 2), (2, 1, 2, 2), {"stride": 3}),
    ("depthwise", (1, 3, 2, 3), (3, 1, 3, 3), {"groups": 3}),
    ("point by point", (2, 3, 2, 2), (3, 2, 1, 1), {}),
    ("much cut off", (1, 1, 4, 4), (1, 1, 2, 3), {"padding": 2}),
    ("one image", (2, 3, 2), (2, 2, 3, 3), {"stride": 2}),
)


def kernels(calls: Sequence[Call], outputs: Callable[[tuple[int, ...], int], int]) -> Samples:
    """Every call with a bias; the first also without, otherwise laid in memory, large and tiny."""

    def samples(g: Generator) -> Iterable[Sample]:
        for place, (label, shape, kernel, kwargs) in enumerate(calls):
            x, w = normal(g, *shape), normal(g, *kernel)
            b = normal(g, outputs(kernel, kwargs.get("groups", 1)))
            yield Sample(label, (x, w, b), kwargs)
            if place > 2:
                continue
            yield Sample(f"{label}, no bias", (x, w), kwargs, smooth=not place)
            turned, other = (t.mT.contiguous().mT for t in (x, w))
            yield Sample(f"{label}, turned in memory", (turned, other, b), kwargs, smooth=False)
            if place == 1:
                yield Sample("large", (x.abs() * 1e6, w.abs(), b), kwargs, smooth=False)
                yield Sample("tiny", (x * 1e-6, w, b), kwargs, smooth=False)
                yield Sample("no samples", (x[:0], w, b), kwargs, smooth=False)

    return samples


def first(kernel: tuple[int, ...], groups: int) -> int:
    return kernel[0]


def second(kernel: tuple[int, ...], groups: int) -> int:
    return kernel[1] * groups


def windows(g: Generator) -> Iterable[Sample]:
    for label, shape, kernel, kwargs in IMAGES:
        settings = {k: v for k, v in kwargs.items() if k in ("stride", "padding", "dilation")}
        if not isinstance(settings.get("padding", 0), str):
            *batch, _, height, width = shape
            x = normal(g, *batch[:1], 1 + (label == "plain"), height, width)
            yield Sample(label, (x, kernel[2:]), settings)


def columns(g: Generator) -> Iterable[Sample]:
    for sample in windows(g):
        x, kernel = sample.args
        cols = functional.unfold(x, kernel, **sample.kwargs)
        args = (normal(g, *cols.shape), x.shape[-2:], kernel)
        yield Sample(sample.label, args, sample.kwargs)


X = torch.zeros(2, 4, 5, 5, dtype=torch.float64)
W = torch.zeros(6, 4, 3, 3, dtype=torch.float64)
B = torch.zeros(6, dtype=torch.float64)
SAME_STRIDED: Mapping[str, Any] = {"padding": "same", "stride": 2}
CONV2D = r"y_{bkpq} = b_k + \sum_{cij} w_{kcij}\, x_{b,c,sp+di,sq+dj}"
CONV1D = r"y_{bkp} = b_k + \sum_{ci} w_{kci}\, x_{b,c,sp+di}"
TRANSPOSE = r"y_{bcuv} = b_c + \sum_{kij} \sum_{sp+di=u,\,sq+dj=v} w_{kcij}\, x_{bkpq}"


def common(x: Tensor, w: Tensor, b: Tensor, shape: str) -> tuple[Bad, ...]:
    """What all three refuse."""
    return (
        Bad("expected input of shape (B, C,", (x[0, 0], w)),
        Bad("expected weight of", (x, w[0])),
        Bad(f"weight expects 4 input channels, got input of shape {shape}", (x[:, :3], w[:, :4])),
        Bad("expected bias of shape (6,)", (x, w, b[:5])),
        Bad("expected a number of groups that divides", (x, w), {"groups": 5}),
        Bad("expected a number of groups that divides", (x, w), {"groups": 0}),
        Bad("expected stride of a whole number", (x, w), {"stride": 0}),
        Bad("expected dilation of a whole number", (x, w), {"dilation": (1, 2, 3)}),
        Bad("expected padding of a whole number", (x, w), {"padding": -1}),
        Bad("expected weights, got weight of shape", (x, w[..., :0])),
    )


def op(name: str, samples: Samples, formula: str, *bad: Bad, **more: Any) -> Row:
    def reference(*args: Any, **kwargs: Any) -> Tensor:
        with warnings.catch_warnings():  # of a copy, where padding="same" is odd
            warnings.filterwarnings("ignore", message="Using padding='same'")
            return cast("Tensor", getattr(functional, name)(*args, **kwargs))

    return Row(f"ops.{name}", reference, samples, formula, "convolution", bad=bad, **more)


Shapes = tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]


def layers(*settings: tuple[Any, ...], shapes: Shapes) -> Samples:
    """A sample for each setting of the constructor, and for each shape without its channels."""

    def samples(g: Generator) -> Iterable[Sample]:
        for place, (*args, kwargs) in enumerate(settings):
            for batch, size in shapes if place < 2 else shapes[:1]:
                shape = *batch, args[0], *size
                words = [*map(str, args), *(f"{k}={v}" for k, v in kwargs.items()), str(shape)]
                yield Sample(", ".join(words), tuple(args), kwargs, inputs=(normal(g, *shape),))

    return samples


def module(name: str, samples: Samples, formula: str, *bad: Bad) -> Row:
    reference: Callable[..., Any] = getattr(nn, name)
    return Row(f"nn.{name}", reference, samples, formula, "convolution", kind="module", bad=bad)


SETTINGS: tuple[tuple[Any, ...], ...] = (
    (2, 3, 3, {}),
    (2, 2, 2, {"bias": False, "stride": 2, "padding": 1}),
    (4, 2, 3, {"groups": 2, "dilation": 2, "padding": "same"}),
    (2, 2, 3, {"padding": "valid"}),
    (2, 2, 3, {"padding": 2, "padding_mode": "reflect", "stride": 2}),
    (2, 1, 3, {"padding": 7, "padding_mode": "replicate", "stride": 3}),
    (2, 1, 3, {"padding": 4, "padding_mode": "circular", "stride": 2}),
    (2, 1, 4, {"padding": "same", "padding_mode": "circular"}),
)

ROWS = [
    op(
        "conv2d",
        kernels(IMAGES, first),
        CONV2D,
        *common(X, W, B, "(2, 3, 5, 5)"),
        Bad("padding='same' expects stride 1", (X, W), SAME_STRIDED),
        Bad("expected padding of 'same', 'valid' or whole numbers", (X, W), {"padding": "full"}),
        Bad("expected an input at least as large as the kernel", (X[..., :2], W)),
        Bad("expected an input at least as large as the kernel", (X, W), {"dilation": 3}),
    ),
    op(
        "conv1d",
        kernels(SEQUENCES, first),
        CONV1D,
        *common(X[..., 0], W[..., 0], B, "(2, 3, 5)"),
        Bad("padding='same' expects stride 1", (X[..., 0], W[..., 0]), SAME_STRIDED),
        Bad("expected an input at least as large as the kernel", (X[..., :2, 0], W[..., 0])),
    ),
    op(
        "conv_transpose2d",
        kernels(TRANSPOSED, second),
        TRANSPOSE,
        *common(X, W[:4].new_zeros(4, 6, 3, 3), B, "(2, 3, 5, 5)"),
        Bad(
            "expected output_padding less than stride or dilation",
            (X, W[:4]),
            {"output_padding": 1},
        ),
        Bad("expected settings that leave an image", (X, W[:4]), {"padding": 4}),
    ),
    op(
        "unfold",
        windows,
        r"Y_{(cij),(pq)} = x_{c,sp+di,sq+dj}",
        Bad("expected input of shape (B, C, H, W) or (C, H, W)", (X[0, 0], 2)),
        Bad("expected kernel_size of a whole number", (X, 0)),
        Bad("expected stride of a whole number", (X, 2), {"stride": 0}),
        Bad("expected an input at least as large as the kernel", (X, 6)),
    ),
    op(
        "fold",
        columns,
        r"y_{cuv} = \sum_{ij} \sum_{sp+di=u,\,sq+dj=v} X_{(cij),(pq)}",
        Bad("expected input of shape (B, rows, windows)", (X[0, 0, 0], (5, 5), 2)),
        Bad("expected rows in multiples of 4 and 16 windows", (X[0], (5, 5), 2)),
        Bad("expected output_size of a whole number", (X[0], (5, 5, 5), 2)),
        Bad("expected an input at least as large as the kernel", (X[0], 1, 2)),
    ),
    module(
        "Conv2d",
        layers(*SETTINGS, shapes=(((1,), (4, 5)), ((), (3, 5)))),
        CONV2D,
        Bad("expected a number of groups that divides in_channels 4", (4, 6, 3), {"groups": 4}),
        Bad("expected padding_mode in", (4, 6, 3), {"padding_mode": "mirror"}),
        Bad("expected kernel_size of a whole number or 2, 1 or more, got 0", (4, 6, 0)),
        Bad("expected kernel_size of a whole number or 2", (4, 6, (3, 3, 3))),
        Bad("padding='same' expects stride 1, got stride 2", (4, 6, 3, 2, "same")),
        Bad("weight expects 3 input channels", (3, 6, 3), {}, (X,)),
        Bad("expected padding of at most 4", (4, 6, 3, 1, 5), {"padding_mode": "reflect"}, (X,)),
    ),
    module(
        "Conv1d",
        layers(*SETTINGS, shapes=(((2,), (5,)), ((), (6,)))),
        CONV1D,
        Bad("expected a number of groups that divides in_channels 4", (4, 6, 3), {"groups": 4}),
        Bad("weight expects 3 input channels", (3, 6, 3), {}, (X[0],)),
    ),
    module(
        "ConvTranspose2d",
        layers(
            (2, 3, 3, {}),
            (2, 1, 4, {"stride": 2, "padding": 1, "bias": False}),
            (4, 2, 3, {"groups": 2, "dilation": 2, "stride": 2, "output_padding": 1}),
            shapes=(((2,), (2, 3)), ((), (3, 2))),
        ),
        TRANSPOSE,
        Bad("expected padding_mode='zeros'", (4, 6, 3), {"padding_mode": "reflect"}),
        Bad("weight expects 3 input channels", (3, 6, 3), {}, (X,)),
    ),
]

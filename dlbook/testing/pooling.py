"""Rows for pooling, operations and modules, and what both kinds do, said by plain loops."""

import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from dlbook.testing._row import Bad, Row, Sample, Samples, distinct, normal

X1 = torch.zeros(2, 3, 8, dtype=torch.float64)
X2 = torch.zeros(2, 3, 8, 8, dtype=torch.float64)


def pooled(
    x: Tensor,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    ceil_mode: bool,
    answer: Callable[[list[Tensor], list[tuple[int, ...]], int], Any],
) -> list[Any]:
    """Pooling by plain loops, of one channel of any number of axes.

    Args:
        x: the channel.
        kernel: numbers of a window along each axis.
        stride: from window to window.
        padding: at the borders.
        dilation: from number to number.
        ceil_mode: whether windows may stick out at the ends.
        answer: makes an output of the numbers that a window holds, where they stand, and how many
            there are with those of the padding.

    Returns:
        The outputs, in the order of reading.

    Example:
        >>> x = torch.tensor([3.0, 5.0, 1.0])
        >>> pooled(x, [2], [1], [0], [1], False, lambda found, _places, _n: float(max(found)))
        [5.0, 5.0]
    """
    counts = []
    for n, k, s, p, d in zip(x.shape, kernel, stride, padding, dilation):
        windows = 0
        while True:
            first = windows * s - p
            last = first + (k - 1) * d
            # A window may stick out over the padding if it begins before that.
            inside = last < n + p or (ceil_mode and last - n - p + 1 < s and first < n)
            if not inside:
                break
            windows += 1
        counts.append(windows)
    results = []
    for window in itertools.product(*map(range, counts)):
        found, places, with_padding = [], [], 0
        for inner in itertools.product(*map(range, kernel)):
            place = tuple(
                o * s - p + i * d for o, i, s, p, d in zip(window, inner, stride, padding, dilation)
            )
            with_padding += all(i < n + p for i, n, p in zip(place, x.shape, padding))
            if all(0 <= i < n for i, n in zip(place, x.shape)):
                found.append(x[place])
                places.append(place)
        results.append(answer(found, places, with_padding))
    return results


def op(name: str, samples: Samples, formula: str, *bad: Bad, **more: Any) -> Row:
    reference = getattr(functional, name)
    return Row(f"ops.{name}", reference, samples, formula, "pooling", bad=bad, **more)


def settings(axes: int, *found: dict[str, Any], maximum: bool) -> Samples:
    """Inputs of several shapes, and several settings for one of them."""
    image: tuple[int, ...] = (6, 5)[:axes]

    def draw(g: Generator, *shape: int) -> Tensor:
        return distinct(g, *shape) if maximum else normal(g, *shape)

    def samples(g: Generator) -> Iterable[Sample]:
        for kwargs in found:
            words = ", ".join(f"{k}={v}" for k, v in kwargs.items())
            x = draw(g, 1, 1, *image) if kwargs is not found[0] else draw(g, 2, 2, *image)
            place = "kernel_size" if "kernel_size" in kwargs else "output_size"
            rest = {k: v for k, v in kwargs.items() if k != place}
            yield Sample(words, (x, kwargs[place]), rest)
        plain = 2 if "kernel_size" in found[0] else 1
        yield Sample("no batch", (draw(g, 2, *image), plain))
        yield Sample(
            "transposed", (draw(g, *reversed(image), 2, 2).permute(*range(axes + 1, -1, -1)), plain)
        )
        yield Sample("no samples", (draw(g, 0, 2, *image), plain), smooth=False)
        yield Sample("large", (draw(g, 1, 2, *image) * 1e6, plain), smooth=False)
        yield Sample("tiny", (draw(g, 1, 2, *image) * 1e-6, plain), smooth=False)
        if maximum:
            steps = torch.randint(-2, 3, (2, 3, *image), generator=g).double()
            yield Sample("ties", (steps, plain), smooth=False)
            yield Sample("all alike", (torch.ones(1, 2, *image).double(), plain), smooth=False)
            lowest = torch.full((1, 1, *image), -torch.inf, dtype=torch.float64)
            yield Sample("all lowest", (lowest, plain), smooth=False)
            if plain == 2:
                padded = {"padding": 1, "kernel_size": 3, "stride": 2}
                yield Sample("ties, padded", (steps,), padded, smooth=False)
                yield Sample("all lowest, padded", (lowest,), padded, smooth=False)
                apart = {"padding": 1, "dilation": 2, "kernel_size": 3, "stride": 1}
                yield Sample("all lowest, dilated", (lowest,), apart, smooth=False)

    return samples


def kernels(axes: int, *, maximum: bool) -> Samples:
    """The settings of windows of a given size."""
    found: list[dict[str, Any]] = [
        {"kernel_size": 2},
        {"kernel_size": 3, "stride": 1},
        {"kernel_size": 3, "stride": 2, "padding": 1},
        {"kernel_size": 2, "stride": 3},
        {"kernel_size": 3, "stride": 2, "ceil_mode": True},
        {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True},
        {"kernel_size": 1},
        {"kernel_size": 5},
    ]
    if maximum:
        found += [
            {"kernel_size": 2, "stride": 1, "dilation": 3},
            {"kernel_size": 3, "stride": 2, "padding": 1, "dilation": 2},
            {"kernel_size": 3, "stride": 2, "return_indices": True},
            {"kernel_size": 3, "padding": 1, "return_indices": True},
        ]
    else:
        found += [
            {"kernel_size": 3, "padding": 1, "count_include_pad": False},
            {
                "kernel_size": 3,
                "stride": 2,
                "padding": 1,
                "ceil_mode": True,
                "count_include_pad": False,
            },
        ]
    if axes == 2:
        found += [{"kernel_size": (3, 2), "stride": (2, 1), "padding": (1, 0)}]
        if maximum:
            found += [{"kernel_size": (2, 3), "dilation": (2, 1), "stride": (1, 2)}]
        else:
            found += [{"kernel_size": 3, "stride": 2, "divisor_override": 4}]
            found += [{"kernel_size": 2, "padding": 1, "divisor_override": -3}]
    return settings(axes, *found, maximum=maximum)


def shares(axes: int, *, maximum: bool) -> Samples:
    """The settings of windows of which a number is asked for."""
    found: list[dict[str, Any]] = [{"output_size": n} for n in (1, 3, 4, 7)]
    if axes == 2:
        found += [{"output_size": (2, 3)}, {"output_size": (None, 1)}, {"output_size": (1, 5)}]
    if maximum:
        found += [{"output_size": 1, "return_indices": True}]
        found += [{"output_size": 4, "return_indices": True}]
    return settings(axes, *found, maximum=maximum)


def module(name: str, formula: str, *calls: tuple[Any, ...], **more: Any) -> Row:
    """A module with its constructor's arguments, for inputs with and without a batch."""
    shape = (5, 6)[: int(name[-2])]

    def samples(g: Generator) -> Iterable[Sample]:
        for *args, kwargs in calls:
            words = ", ".join([*map(str, args), *(f"{k}={v}" for k, v in kwargs.items())])
            x = distinct(g, 2, 1, *shape)
            yield Sample(words, tuple(args), kwargs, inputs=(x,))
        yield Sample("no batch", (2,), inputs=(distinct(g, 3, *shape),))

    reference: Callable[..., Any] = getattr(nn, name)
    return Row(f"nn.{name}", reference, samples, formula, "pooling", kind="module", **more)


def refused(name: str, x: Tensor, *, maximum: bool) -> tuple[Bad, ...]:
    """What every function with windows of a given size must say."""
    axes = x.ndim - 2
    letters = "(C, T) or (B, C, T)" if axes == 1 else "(C, H, W) or (B, C, H, W)"
    numbers = "1 number" if axes == 1 else "1 or 2 numbers"
    bad = [
        Bad(f"expected input of shape {letters}, got (8,)", (x.flatten()[:8], 2)),
        Bad("expected channels and axes of length 1 or more", (x[..., :0], 2)),
        Bad(f"expected kernel_size to be {numbers} from 1 on, got 0", (x, 0)),
        Bad(f"expected kernel_size to be {numbers} from 1 on, got (2, 2, 2)", (x, (2, 2, 2))),
        Bad(f"expected stride to be {numbers} from 1 on, got 0", (x, 2, 0)),
        Bad(f"expected padding to be {numbers} from 0 on, got -1", (x, 2, 2, -1)),
        Bad("expected padding of at most half the kernel's 3, got 2", (x, 3, 1, 2)),
        Bad(
            "expected an axis no shorter than the window's 11, got 8 (and padding 1", (x, 11, 1, 1)
        ),
    ]
    if maximum:
        bad.append(Bad(f"expected dilation to be {numbers} from 1 on, got 0", (x, 2, 1, 0, 0)))
    return tuple(bad)


def refused_adaptive(name: str, x: Tensor) -> tuple[Bad, ...]:
    """What every function with a given number of windows must say."""
    axes = x.ndim - 2
    letters = "(C, T) or (B, C, T)" if axes == 1 else "(C, H, W) or (B, C, H, W)"
    numbers = "1 number" if axes == 1 else "1 or 2 numbers"
    return (
        Bad(f"expected input of shape {letters}, got (8,)", (x.flatten()[:8], 2)),
        Bad("expected channels and axes of length 1 or more", (x[..., :0], 2)),
        Bad(f"expected output_size to be {numbers} from 1 on, or None, got 0", (x, 0)),
        Bad(
            f"expected output_size to be {numbers} from 1 on, or None, got (1, 2, 3)",
            (x, (1, 2, 3)),
        ),
    )


MAX = r"y_o = \max_j x_{os - p + jd}"
MEAN = r"y_o = \frac1{n_o} \sum_j x_{os - p + j}"
ADAPTIVE_MAX = r"y_o = \max_{\lfloor on/m \rfloor \le i < \lceil (o + 1)n/m \rceil} x_i"
ADAPTIVE_MEAN = (
    r"y_o = \operatorname{mean}_{\lfloor on/m \rfloor \le i < \lceil (o + 1)n/m \rceil} x_i"
)
WINDOWS: tuple[tuple[Any, ...], ...] = (
    (2, {}),
    (3, 2, {}),
    (3, 2, 1, {"ceil_mode": True}),
)

ROWS = [
    *(
        op(
            f"max_pool{axes}d",
            kernels(axes, maximum=True),
            MAX,
            *refused(f"max_pool{axes}d", x, maximum=True),
        )
        for axes, x in ((1, X1), (2, X2))
    ),
    *(
        op(
            f"avg_pool{axes}d",
            kernels(axes, maximum=False),
            MEAN,
            *refused(f"avg_pool{axes}d", x, maximum=False),
            *(
                [Bad("expected divisor_override other than 0", (x, 2), {"divisor_override": 0})]
                if axes == 2
                else []
            ),
        )
        for axes, x in ((1, X1), (2, X2))
    ),
    *(
        op(
            f"adaptive_max_pool{axes}d",
            shares(axes, maximum=True),
            ADAPTIVE_MAX,
            *refused_adaptive(f"adaptive_max_pool{axes}d", x),
        )
        for axes, x in ((1, X1), (2, X2))
    ),
    *(
        op(
            f"adaptive_avg_pool{axes}d",
            shares(axes, maximum=False),
            ADAPTIVE_MEAN,
            *refused_adaptive(f"adaptive_avg_pool{axes}d", x),
        )
        for axes, x in ((1, X1), (2, X2))
    ),
    *(
        module(
            f"MaxPool{axes}d",
            MAX,
            *WINDOWS,
            (2, 1, {"dilation": 2}),
            (2, {"return_indices": True}),
        )
        for axes in (1, 2)
    ),
    module("AvgPool1d", MEAN, *WINDOWS, (3, 2, 1, {"count_include_pad": False})),
    module(
        "AvgPool2d",
        MEAN,
        *WINDOWS,
        (3, 2, 1, {"count_include_pad": False}),
        ((3, 2), {"divisor_override": 5}),
    ),
    module("AdaptiveMaxPool1d", ADAPTIVE_MAX, (1, {}), (4, {"return_indices": True})),
    module(
        "AdaptiveMaxPool2d",
        ADAPTIVE_MAX,
        (1, {}),
        ((None, 3), {}),
        (4, {"return_indices": True}),
    ),
    module("AdaptiveAvgPool1d", ADAPTIVE_MEAN, (1, {}), (4, {})),
    module("AdaptiveAvgPool2d", ADAPTIVE_MEAN, (1, {}), ((None, 3), {})),
]

"""Rows for normalisation, operations and modules."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from dlbook.testing._row import Bad, Row, Sample, Samples, normal, uniform

X = torch.zeros(8, 4, dtype=torch.float64)
W = torch.ones(5, dtype=torch.float64)


def channels(*before: Any, spatial: bool = False, shift: bool = True) -> Samples:
    """Batches with channels, normalised with a scale and a shift, either, or neither."""

    def call(x: Tensor, *more: Any) -> tuple[Any, ...]:
        return (x, *before, *more)

    def samples(g: Generator) -> Iterable[Sample]:
        w, b = uniform(g, 0.5, 1.5, 4), normal(g, 4)
        kwargs = {"training": True} if len(before) == 2 and not spatial else {}
        image, series = normal(g, 2, 4, 3, 2), normal(g, 2, 4, 5)
        yield Sample("images", call(image, w, b), kwargs)
        if not spatial:
            yield Sample("rows", call(normal(g, 6, 4), w, b), kwargs)
        yield Sample("no shift", call(series, w), kwargs)
        yield Sample("no scale", call(series), kwargs)
        if shift:
            # PyTorch's second derivative fails on a shift alone
            yield Sample("shift alone", call(series), {**kwargs, "bias": b}, smooth=False)
        yield Sample("large eps", call(series, w, b), {**kwargs, "eps": 0.1})
        yield Sample("one sample", call(normal(g, 1, 4, 3), w, b), kwargs)
        yield Sample("volumes", call(normal(g, 2, 4, 2, 1, 2), w, b), kwargs)
        yield Sample("transposed", call(normal(g, 5, 4, 2).transpose(0, 2), w, b), kwargs)
        yield Sample("far from 0", call(series + 100, w, b), kwargs, smooth=False)
        yield Sample("large", call(series * 1e6, w, b), kwargs, smooth=False)
        yield Sample("tiny", call(series * 1e-6, w, b), kwargs, smooth=False)
        alike = torch.full((2, 4, 3), 0.5, dtype=torch.float64)
        wide = {**kwargs, "eps": 0.1}  # a smaller one would enlarge rounding a thousandfold
        yield Sample("all alike", call(alike, w, b), wide, smooth=False)

    return samples


def with_statistics(own: Samples, flag: str) -> Samples:
    """The samples of own statistics, and some where statistics are given."""

    def samples(g: Generator) -> Iterable[Sample]:
        yield from own(g)
        mean, var = normal(g, 4), uniform(g, 0.5, 2.0, 4)
        w, b = uniform(g, 0.5, 1.5, 4), normal(g, 4)
        image, kwargs = normal(g, 2, 4, 3, 2), {flag: False}
        given: dict[str, Any] = {"constant": (1, 2)}
        yield Sample("given statistics", (image, mean, var, w, b), kwargs, **given)
        yield Sample("given, no shift", (image, mean, var, w), kwargs, **given)
        yield Sample("given, no scale", (image, mean, var), kwargs, **given)
        one = normal(g, 1, 4, 1)
        yield Sample("given, one number", (one, mean, var, w, b), kwargs, **given)

    return samples


def features(g: Generator) -> Iterable[Sample]:
    w, b = uniform(g, 0.5, 1.5, 4), normal(g, 4)
    x = normal(g, 3, 4)
    yield Sample("rows", (x, (4,), w, b))
    yield Sample("no shift", (x, (4,), w))
    yield Sample("no scale", (x, (4,)))
    yield Sample("shift alone", (x, (4,)), {"bias": b}, smooth=False)
    yield Sample("large eps", (x, (4,), w, b), {"eps": 0.1})
    yield Sample("one sample", (normal(g, 4), (4,), w, b))
    yield Sample("batch and time", (normal(g, 2, 3, 4), (4,), w, b))
    two = uniform(g, 0.5, 1.5, 3, 4), normal(g, 3, 4)
    yield Sample("two axes", (normal(g, 2, 3, 4), (3, 4), *two))
    yield Sample("transposed", (normal(g, 4, 3).T, (4,), w, b))
    yield Sample("no samples", (normal(g, 0, 4), (4,), w, b), smooth=False)
    one = normal(g, 3, 1), (1,), w[:1], b[:1]
    yield Sample("one feature", one, {"eps": 0.1}, smooth=False)
    yield Sample("far from 0", (x + 100, (4,), w, b), smooth=False)
    yield Sample("large", (x * 1e6, (4,), w, b), smooth=False)
    yield Sample("tiny", (x * 1e-6, (4,), w, b), smooth=False)


def without_shift(g: Generator) -> Iterable[Sample]:
    for sample in features(g):
        if "bias" not in sample.kwargs and sample.label != "no shift":
            yield Sample(sample.label, sample.args[:3], sample.kwargs, smooth=sample.smooth)


def maps(g: Generator) -> Iterable[Sample]:
    strong = {"alpha": 0.5, "beta": 0.75, "k": 2.0}
    yield Sample("images", (normal(g, 2, 4, 3, 2), 3), strong)
    yield Sample("even size", (normal(g, 2, 5, 3), 4), strong)
    yield Sample("wider than the channels", (normal(g, 2, 3, 2), 9), strong)
    yield Sample("by itself", (normal(g, 2, 3, 2), 1), {"alpha": 0.5})
    yield Sample("as it stands", (normal(g, 2, 4, 3), 5))
    yield Sample("transposed", (normal(g, 5, 4, 2).transpose(0, 2), 3), strong)
    yield Sample("one channel", (normal(g, 2, 1, 3), 5), strong)
    yield Sample("large", (normal(g, 2, 4, 3) * 1e6, 3), strong, smooth=False)
    yield Sample("tiny", (normal(g, 2, 4, 3) * 1e-6, 3), strong, smooth=False)


def op(name: str, samples: Samples, formula: str, *bad: Bad, **more: Any) -> Row:
    reference = getattr(functional, name)
    return Row(f"ops.{name}", reference, samples, formula, "normalization", bad=bad, **more)


def layers(*settings: tuple[Any, ...], shapes: tuple[tuple[int, ...], ...]) -> Samples:
    """One sample for each setting of the constructor and shape of the input."""

    def samples(g: Generator) -> Iterable[Sample]:
        for *args, kwargs in settings:
            for shape in shapes:
                words = [*map(str, args), *(f"{k}={v}" for k, v in kwargs.items()), str(shape)]
                yield Sample(", ".join(words), tuple(args), kwargs, inputs=(normal(g, *shape),))

    return samples


def module(name: str, samples: Samples, formula: str, *bad: Bad, **more: Any) -> Row:
    reference: Callable[..., Any] = getattr(nn, name)
    stem = "normalization"
    return Row(f"nn.{name}", reference, samples, formula, stem, kind="module", bad=bad, **more)


PER_CHANNEL: tuple[tuple[Any, ...], ...] = (
    (3, {}),
    (3, {"affine": False}),
    (3, {"affine": True, "bias": False}),
    (3, {"track_running_stats": False}),
    (3, {"track_running_stats": True, "eps": 0.01}),
)
BATCH = r"y = \gamma_c\,(x - \mu_c) / \sqrt{\sigma_c^2 + \epsilon} + \beta_c"
INSTANCE = r"y = \gamma_c\,(x - \mu_{bc}) / \sqrt{\sigma_{bc}^2 + \epsilon} + \beta_c"
GROUP = r"y = \gamma_c\,(x - \mu_{bg}) / \sqrt{\sigma_{bg}^2 + \epsilon} + \beta_c"
LAYER = r"y = \gamma_d\,(x - \mu_b) / \sqrt{\sigma_b^2 + \epsilon} + \beta_d"
LOCAL = r"y = x\,\bigl(k + \tfrac\alpha n \textstyle\sum_{c'} x_{c'}^2\bigr)^{-\beta}"
RMS = r"y = \gamma_d\,x / \sqrt{\langle x_b^2 \rangle + \epsilon}"
SHORT = "PyTorch without a scale lets other channels through, with a warning"

ROWS = [
    op(
        "batch_norm",
        with_statistics(channels(None, None), "training"),
        BATCH,
        Bad("expected input of shape (B, C, …), got (4,)", (X[0], None, None)),
        Bad("expected weight of shape (4,), got (5,)", (X, None, None, W)),
        Bad("expected running_mean of shape (4,), got (5,)", (X, W, W)),
        Bad("expected running_mean and running_var in evaluation", (X, None, None)),
        Bad(
            "expected more than one number a channel in training, got input of shape (1, 4)",
            (X[:1], None, None),
            {"training": True},
        ),
    ),
    op(
        "instance_norm",
        with_statistics(channels(None, None, spatial=True), "use_input_stats"),
        INSTANCE,
        Bad("expected more than one number in a channel of a sample, got input of", (X,)),
        Bad("expected bias of shape (4,), got (5,)", (X,), {"bias": W}),
        Bad(
            "expected running_mean and running_var for use_input_stats=False",
            (X,),
            {"use_input_stats": False},
        ),
    ),
    op(
        "group_norm",
        channels(2, shift=False),  # PyTorch's backward pass fails on a shift alone
        GROUP,
        Bad("expected a number of groups that divides 4 channels, got 3", (X, 3)),
        Bad("expected a number of groups that divides 4 channels, got 0", (X, 0)),
        Bad("expected weight of shape (4,), got (5,)", (X, 2, W)),
        Bad("expected more than one number a group, got 4 groups", (X[:1], 4)),
    ),
    op(
        "layer_norm",
        features,
        LAYER,
        Bad("got (5,) for input of shape (8, 4)", (X, (5,))),
        Bad("got () for input of shape (8, 4)", (X, ())),
        Bad("expected weight of shape (4,), got (5,)", (X, (4,), W)),
    ),
    op(
        "rms_norm",
        without_shift,
        RMS,
        Bad("got (5,) for input of shape (8, 4)", (X, (5,))),
        Bad("expected weight of shape (4,), got (5,)", (X, (4,), W)),
    ),
    op(
        "local_response_norm",
        maps,
        LOCAL,
        Bad("expected input of shape (B, C, …), got (4,)", (X[0], 3)),
        Bad("expected a size of at least 1, got 0", (X, 0)),
    ),
    module(
        "BatchNorm1d",
        layers(*PER_CHANNEL, shapes=((5, 3), (2, 3, 4))),
        BATCH,
        Bad("expected input of 2 or 3 axes, got shape (4,)", (4,), {}, (X[0],)),
        Bad("expected 3 channels, got input of shape (8, 4)", (3,), {}, (X,)),
    ),
    module("BatchNorm2d", layers(*PER_CHANNEL, shapes=((2, 3, 2, 3),)), BATCH),
    module("BatchNorm3d", layers(*PER_CHANNEL, shapes=((2, 3, 2, 1, 2),)), BATCH),
    module(
        "InstanceNorm1d",
        layers(*PER_CHANNEL, shapes=((2, 3, 4), (3, 4))),
        INSTANCE,
        Bad("expected input of 2 or 3 axes, got shape (4,)", (4,), {}, (X[0],)),
        Bad("expected 3 channels, got input of shape (8, 4)", (3,), {}, (X,)),
        note=SHORT,
    ),
    module(
        "InstanceNorm2d",
        layers(*PER_CHANNEL, shapes=((2, 3, 2, 3), (3, 2, 3))),
        INSTANCE,
        note=SHORT,
    ),
    module(
        "GroupNorm",
        layers(
            (2, 4, {}),
            (1, 4, {"affine": False}),
            (4, 4, {"eps": 0.01, "bias": False}),
            shapes=((3, 4), (2, 4, 3)),
        ),
        GROUP,
        Bad("expected a number of groups that divides 4 channels, got 3", (3, 4)),
    ),
    module(
        "LayerNorm",
        layers(
            (4, {}),
            ((3, 4), {}),
            ([4], {"bias": False}),
            (4, {"elementwise_affine": False, "eps": 0.1}),
            shapes=((2, 3, 4),),
        ),
        LAYER,
    ),
    module(
        "RMSNorm",
        layers(
            (4, {}), ((3, 4), {"eps": 0.1}), (4, {"elementwise_affine": False}), shapes=((2, 3, 4),)
        ),
        RMS,
    ),
    module(
        "LocalResponseNorm",
        layers((3, {}), (2, {"alpha": 0.5, "beta": 0.5, "k": 2.0}), shapes=((2, 4, 3),)),
        LOCAL,
    ),
]

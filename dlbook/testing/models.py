"""Rows for whole networks: what PyTorch's modules make of the same architecture."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from torch import Generator, nn

import dlbook.nn
from dlbook.testing._row import Bad, Row, Sample, normal


def written_out(
    sizes: Sequence[int],
    activation_layer: Callable[[], nn.Module] = nn.ReLU,
    norm_layer: Any = None,
    dropout: float = 0.0,
    bias: bool = True,
) -> nn.Sequential:
    """The same stack from PyTorch's layers, found by the names of ours."""

    def theirs(layer: Any) -> Any:
        return getattr(nn, layer.__name__)

    layers: list[nn.Module] = []
    for place, units in enumerate(sizes[1:], start=1):
        layers.append(nn.Linear(sizes[place - 1], units, bias=bias))
        if place < len(sizes) - 1:
            layers += [theirs(norm_layer)(units)] if norm_layer else []
            layers.append(theirs(activation_layer)())
            layers += [nn.Dropout(dropout)] if dropout else []
    return nn.Sequential(*layers)


def stacks(g: Generator) -> Iterable[Sample]:
    x = normal(g, 5, 4)
    tanh = {"activation_layer": dlbook.nn.Tanh}
    yield Sample("two hidden layers", ((4, 6, 5, 3),), tanh, inputs=(x,))
    yield Sample("one layer", ((4, 3),), inputs=(x,))
    yield Sample("no bias", ((4, 6, 3),), {**tanh, "bias": False}, inputs=(x,))
    yield Sample("one example", ([4, 6, 3],), tanh, inputs=(x[0],))
    norm = {**tanh, "norm_layer": dlbook.nn.BatchNorm1d}
    yield Sample("normalised", ((4, 6, 5, 3),), norm, inputs=(x,))
    yield Sample("dropout", ((4, 6, 5, 3),), {**tanh, "dropout": 0.3}, inputs=(x,))
    both = {**norm, "norm_layer": dlbook.nn.LayerNorm, "dropout": 0.3}
    yield Sample("everything", ((4, 6, 5, 3),), both, inputs=(x,))
    yield Sample("rectifiers", ((4, 6, 3),), inputs=(x,), smooth=False)


ROWS = [
    Row(
        "models.MLP",
        written_out,
        stacks,
        r"a^{(l)} = g(W^{(l)} a^{(l-1)} + b^{(l)})",
        "layers",
        kind="module",
        bad=(
            Bad("MLP: expected at least two sizes, input and output, got (4,)", ((4,),)),
            Bad("MLP: expected a dropout probability from 0 to 1", ((4, 3),), {"dropout": 2.0}),
            Bad("MLP: expected sizes of 1 or more, got (4, 0, 3)", ((4, 0, 3),)),
        ),
    ),
]

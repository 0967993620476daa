"""Rows for dropout: with the same seed, the masks are PyTorch's."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from dlbook.testing._row import Bad, Row, Sample, Samples, normal

X = torch.zeros(2, 3, 4, 4, dtype=torch.float64)
CHANNELS = ((2, 3, 4, 2), (1, 5, 1, 1))


def masked(*shapes: tuple[int, ...], mode: str | None = None) -> Samples:
    """Training with several probabilities, and evaluation."""
    more: dict[str, Any] = {} if mode is None else {"mode": mode}

    def samples(g: Generator) -> Iterable[Sample]:
        for shape in shapes:
            x = normal(g, *shape)
            for p in (0.5, 0.1, 0.9, 0.0, 1.0):
                yield Sample(f"{shape}, p={p}", (x,), {"p": p, "training": True, **more})
            yield Sample(f"{shape}, evaluation", (x,), {"p": 0.5, "training": False, **more})
        flipped = normal(g, *reversed(shapes[0])).permute(*reversed(range(len(shapes[0]))))
        if mode is None:
            yield Sample("transposed", (flipped,), {"p": 0.3, "training": True})

    return samples


def both_modes(g: Generator) -> Iterable[Sample]:
    for mode in ("row", "batch"):
        for sample in masked((4, 3), (3, 2, 2), mode=mode)(g):
            label = f"{mode}, {sample.label}"
            yield Sample(label, sample.args, sample.kwargs)


def drop_path(input: Tensor, p: float, mode: str, training: bool = True) -> Tensor:
    """One sample at a time, each with its own draw, or all with one."""
    if not training or p == 0:
        return input
    draws = input.new_empty(len(input) if mode == "row" else 1).bernoulli_(1 - p).tolist()
    rows = []
    for i, row in enumerate(input):
        kept = draws[i if mode == "row" else 0]
        rows.append(row / (1 - p) if kept else row * 0)
    return torch.stack(rows)


class DropPath(nn.Module):
    """The specification, as a module."""

    def __init__(self, p: float, mode: str) -> None:
        super().__init__()
        self.p, self.mode = p, mode

    def forward(self, input: Tensor) -> Tensor:
        return drop_path(input, self.p, self.mode, self.training)


def op(name: str, samples: Samples, formula: str, *bad: Bad, **more: Any) -> Row:
    reference = more.pop("reference", None) or getattr(functional, name)
    x = () if name == "stochastic_depth" else (Bad("expected inplace=False", (X,), IN_PLACE),)
    refused = (*bad, *x, Bad("expected a probability p from 0 to 1, got 1.5", (X,), LARGE[name]))
    return Row(f"ops.{name}", reference, samples, formula, "regularization", bad=refused, **more)


IN_PLACE = {"inplace": True}
OPS = ("dropout", "dropout1d", "dropout2d", "alpha_dropout", "feature_alpha_dropout")
LARGE: dict[str, dict[str, Any]] = {name: {"p": 1.5} for name in OPS}
LARGE["stochastic_depth"] = {"p": 1.5, "mode": "row"}


def module(name: str, shape: tuple[int, ...], formula: str, *more: Any, **kwargs: Any) -> Row:
    def samples(g: Generator) -> Iterable[Sample]:
        for p in (0.5, 0.1, 0.0, 1.0):
            yield Sample(f"p={p}", (p, *more), inputs=(normal(g, *shape),))

    return Row(
        f"nn.{name}",
        kwargs.pop("reference", None) or getattr(nn, name),
        samples,
        formula,
        "regularization",
        kind="module",
        bad=(Bad("expected a probability p from 0 to 1, got -0.1", (-0.1, *more)),),
        **kwargs,
    )


EACH = r"y = m\,x,\ m = 0 \text{ or } 1/(1 - p)"
CHANNEL = r"y_{bcs} = m_{bc}\,x_{bcs}"
ALPHA = r"y = a\,(m x + (1 - m)\,\alpha') - a p \alpha'"
BRANCH = r"y_{bs} = m_b\,x_{bs}"
LOOPS = "PyTorch itself has none; compared with plain loops"

ROWS = [
    op("dropout", masked((3, 4), (2, 3, 2), ()), EACH),
    op(
        "dropout1d",
        masked((2, 3, 4), (3, 4)),
        CHANNEL,
        Bad("expected input of shape (B, C, T), got (2, 3, 4, 4)", (X,)),
    ),
    op(
        "dropout2d",
        masked(*CHANNELS),
        CHANNEL,
        Bad("expected input of shape (B, C, H, W), got (3, 4, 4)", (X[0],)),
    ),
    op("alpha_dropout", masked((3, 4), (2, 3, 2), ()), ALPHA),
    op(
        "feature_alpha_dropout",
        masked((3, 4), *CHANNELS),
        ALPHA,
        Bad("expected input of shape (B, C, …), got (4,)", (X[0, 0, 0],)),
    ),
    op(
        "stochastic_depth",
        both_modes,
        BRANCH,
        Bad("expected mode 'row' or 'batch', got 'column'", (X, 0.5, "column")),
        Bad("expected input of shape (B, …), got ()", (X.sum(), 0.5, "row")),
        reference=drop_path,
        note=LOOPS,
    ),
    module("Dropout", (3, 4), EACH),
    module("Dropout1d", (2, 3, 4), CHANNEL),
    module("Dropout2d", (2, 3, 4, 2), CHANNEL),
    module("AlphaDropout", (3, 4), ALPHA),
    module("StochasticDepth", (4, 3), BRANCH, "row", reference=DropPath, note=LOOPS),
]

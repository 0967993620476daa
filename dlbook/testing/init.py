"""Rows for initial values: the same generator gives the same numbers as PyTorch's functions."""

from collections.abc import Callable, Iterable, Mapping
from statistics import NormalDist
from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn import init

from dlbook.testing._row import Bad, Row, Sample, Samples

MATRIX = torch.empty(3, 4, dtype=torch.float64)


def fills(*settings: Mapping[str, Any], matrix: bool = False) -> Samples:
    """Tensors of every kind of shape to fill, once for each setting."""

    def samples(_g: Generator) -> Iterable[Sample]:
        shapes = [(4, 3), (3, 4), (2, 3, 2, 2), (1, 1)]
        if not matrix:
            shapes += [(5,), (), (0, 3)]
        for kwargs in settings or ({},):
            words = ",".join(f"{k}={v}" for k, v in kwargs.items())
            for shape in shapes:
                empty = torch.full(shape, torch.nan, dtype=torch.float64)
                yield Sample(f"{words} {'×'.join(map(str, shape))}".strip(), (empty,), kwargs)

    return samples


def shaped(*shapes: tuple[int, ...], settings: tuple[Mapping[str, Any], ...] = ({},)) -> Samples:
    """Tensors of the shapes that a function is for."""

    def samples(_g: Generator) -> Iterable[Sample]:
        for kwargs in settings:
            words = ",".join(f"{k}={v}" for k, v in kwargs.items())
            for shape in shapes:
                empty = torch.full(shape, torch.nan, dtype=torch.float64)
                yield Sample(f"{words} {'×'.join(map(str, shape))}".strip(), (empty,), kwargs)

    return samples


def truncated(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0
) -> Tensor:
    """One number at a time by the inverse of the distribution function, from Python's library."""
    bell = NormalDist(mean, std)
    low, high = bell.cdf(a), bell.cdf(b)
    u = torch.empty_like(tensor).uniform_(low, high).flatten().tolist()
    return torch.tensor([bell.inv_cdf(v) for v in u], dtype=tensor.dtype).reshape(tensor.shape)


def row(
    name: str,
    samples: Samples,
    formula: str,
    *bad: Bad,
    reference: Callable[..., Any] | None = None,
    note: str = "",
) -> Row:
    return Row(
        f"init.{name}",
        reference or getattr(init, name),
        samples,
        formula,
        "initialisation",
        kind="init",
        bad=bad,
        differentiable=False,
        note=note,
    )


FLAT = Bad("expects a weight of at least 2 dimensions (out, in, ...), got shape (4,)", (MATRIX[0],))

ROWS = [
    row(
        "uniform_",
        fills({}, {"a": -2.0, "b": 3.0}),
        r"w \sim \mathcal U(a, b)",
        Bad("uniform_: expects finite bounds a <= b, got a=1.0, b=0.0", (MATRIX, 1.0, 0.0)),
    ),
    row(
        "normal_",
        fills({}, {"mean": 1.0, "std": 0.1}),
        r"w \sim \mathcal N(\mu, \sigma^2)",
        Bad("normal_: std expects a finite number >= 0, got -1.0", (MATRIX, 0.0, -1.0)),
    ),
    row(
        "trunc_normal_",
        fills({}, {"mean": 0.5, "std": 0.2, "a": 0.0, "b": 1.0}),
        r"w \sim \mathcal N(\mu, \sigma^2) \text{ given } a \le w \le b",
        Bad("trunc_normal_: std expects a number > 0, got 0", (MATRIX, 0.0, 0.0)),
        reference=truncated,
        note="PyTorch draws by rejection; compared with the inverse distribution function",
    ),
    row("constant_", fills({"val": 0.3}), r"w = c"),
    row("zeros_", fills(), r"w = 0"),
    row("ones_", fills(), r"w = 1"),
    row(
        "xavier_uniform_",
        fills({}, {"gain": 2.0}, matrix=True),
        r"w \sim \mathcal U(\pm a),\ a = \gamma\sqrt{6/(n_\text{in} + n_\text{out})}",
        FLAT,
    ),
    row(
        "xavier_normal_",
        fills({}, {"gain": 2.0}, matrix=True),
        r"w \sim \mathcal N(0, 2\gamma^2/(n_\text{in} + n_\text{out}))",
        FLAT,
    ),
    row(
        "kaiming_uniform_",
        fills({}, {"mode": "fan_out"}, {"a": 5**0.5}, {"nonlinearity": "tanh"}, matrix=True),
        r"w \sim \mathcal U(\pm a),\ a = \gamma\sqrt{3/n}",
        FLAT,
        Bad("mode expects 'fan_in' or 'fan_out', got 'fan'", (MATRIX,), {"mode": "fan"}),
    ),
    row(
        "kaiming_normal_",
        fills({}, {"mode": "fan_out"}, {"nonlinearity": "relu"}, matrix=True),
        r"w \sim \mathcal N(0, \gamma^2/n)",
        FLAT,
    ),
    row(
        "orthogonal_",
        fills({}, {"gain": 2.0}, matrix=True),
        r"W^\top W = \gamma^2 I",
        FLAT,
    ),
    row(
        "eye_",
        shaped((3, 3), (2, 4), (4, 2), (1, 1), (0, 3)),
        r"W = I",
        Bad("eye_: expects a matrix (out, in), got shape (4,)", (MATRIX[0],)),
    ),
    row(
        "dirac_",
        shaped(
            (4, 2, 3), (2, 4, 3, 5), (4, 4, 2, 3, 1), settings=({}, {"groups": 2}, {"groups": 1})
        ),
        r"w * x = x",
        Bad("dirac_: expects a kernel (out, in, ...) of 3 to 5 dimensions", (MATRIX,)),
        Bad("dirac_: expects groups that divide 4", (torch.empty(4, 2, 3), 3)),
    ),
    row(
        "sparse_",
        shaped(
            (5, 3),
            (3, 5),
            (1, 1),
            settings=({"sparsity": 0.5}, {"sparsity": 0.9, "std": 1.0}, {"sparsity": 0.0}),
        ),
        r"w \sim \mathcal N(0, \sigma^2), \text{ a share of each column } 0",
        Bad("sparse_: expects a matrix (out, in), got shape (4,)", (MATRIX[0], 0.5)),
        Bad("sparse_: sparsity expects a share from 0 to 1, got 1.5", (MATRIX, 1.5)),
        Bad("sparse_: std expects a finite number >= 0", (MATRIX, 0.5, -1.0)),
    ),
]

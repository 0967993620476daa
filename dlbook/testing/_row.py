"""What a row says about one public object, and the random inputs that rows are made of."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Literal

import torch
from torch import Generator, Tensor

Kind = Literal["op", "module", "optimizer", "init"]
LOW = (torch.float32, torch.bfloat16, torch.float16)


@dataclass(frozen=True)
class Sample:
    """One call: of an operation, or of a constructor and then of the module it makes.

    Attributes:
        label: what is special about it, for the test's name.
        args: positional arguments; tensors are float64, integer or boolean.
        kwargs: keyword arguments.
        inputs: for a module, what it is called with; for an optimiser, where it starts.
        smooth: whether finite differences make sense here: no kink, no overflow, no empty axis.
        constant: positions or names of arguments by which this call is not differentiated.
        tolerance: what this call is granted where it is more than the row's.
    """

    label: str
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    inputs: tuple[Any, ...] = ()
    smooth: bool = True
    constant: tuple[int | str, ...] = ()
    tolerance: float = 0.0


@dataclass(frozen=True)
class Bad:
    """A call that must be refused, with a fragment of the message it must give."""

    message: str
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    inputs: tuple[Any, ...] = ()
    error: type[Exception] = ValueError


Samples = Callable[[Generator], Iterable[Sample]]


@dataclass(frozen=True)
class Row:
    r"""One public object and all that is claimed of it.

    Attributes:
        name: where it lives below ``dlbook``, such as ``"ops.tanh"``.
        reference: PyTorch's counterpart, or a specification by plain loops.
        samples: makes its calls from a seeded generator. The first one is the plain case.
        formula: what it computes, in TeX.
        stem: the chapter that derives it.
        kind: how it is called, and so which tests apply.
        bad: calls that must be refused.
        constant: positions or names of arguments that have no derivative.
        differentiable: whether it has a derivative at all.
        second: whether its second derivative is right too.
        vmap: whether it maps over a batch under ``torch.func``.
        compile: whether it compiles without a break in the graph.
        low: the shorter types it is compared in, with the float64 truth.
        tolerance: the largest deviation from the reference, in float64.
        second_tolerance: the same for second derivatives.
        note: a departure worth a word on the evidence page.
    """

    name: str
    reference: Callable[..., Any]
    samples: Samples
    formula: str
    stem: str
    kind: Kind = "op"
    bad: tuple[Bad, ...] = ()
    constant: tuple[int | str, ...] = ()
    differentiable: bool = True
    second: bool = True
    vmap: bool = True
    compile: bool = True
    low: tuple[torch.dtype, ...] = LOW
    tolerance: float = 1e-12
    second_tolerance: float = 1e-11
    note: str = ""

    @property
    def ours(self) -> Callable[..., Any]:
        """The object itself."""
        package, _, name = self.name.partition(".")
        value: Callable[..., Any] = getattr(import_module(f"dlbook.{package}"), name)
        return value

    def draw(self, seed: int = 0) -> list[Sample]:
        """Return the samples; the same seed gives the same numbers on every machine."""
        return list(self.samples(torch.Generator().manual_seed(seed)))


# --- random inputs ------------------------------------------------------------------------------


def normal(g: Generator, *shape: int) -> Tensor:
    """Standard normal numbers in float64."""
    return torch.randn(shape, generator=g, dtype=torch.float64)


def uniform(g: Generator, low: float, high: float, *shape: int) -> Tensor:
    """Numbers between two bounds, in float64."""
    return torch.rand(shape, generator=g, dtype=torch.float64) * (high - low) + low


def away(g: Generator, *shape: int, kinks: Sequence[float] = (0.0,), by: float = 0.05) -> Tensor:
    """Normal numbers (of twice the usual width) that keep a distance from every kink."""
    x = 2 * normal(g, *shape)
    for _ in range(2):  # a step away from one kink may lead to another
        for kink in kinks:
            near = (x - kink).abs() < by
            x = torch.where(near, kink + torch.where(x < kink, -2.0, 2.0) * by, x)
    return x


def integers(g: Generator, high: int, *shape: int) -> Tensor:
    """Whole numbers from 0 up to, but not with, ``high``."""
    return torch.randint(high, shape, generator=g)


def simplex(g: Generator, *shape: int) -> Tensor:
    """Positive numbers that sum to 1 along the last axis."""
    x = uniform(g, 0.1, 1.0, *shape)
    return x / x.sum(-1, keepdim=True)


def distinct(g: Generator, *shape: int) -> Tensor:
    """Numbers that differ by at least 0.1, in random order: no ties, and none within a step."""
    n = torch.Size(shape).numel()
    order = torch.randperm(n, generator=g).to(torch.float64)
    return ((order - n / 2) * 0.2 + uniform(g, -0.05, 0.05, n)).reshape(shape)


def elementwise(
    *settings: Mapping[str, Any],
    kinks: Sequence[float] = (),
    low: float = -torch.inf,
    high: float = torch.inf,
    large: Sequence[float] = (-1000.0, -80.0, -30.0, 30.0, 80.0, 1000.0),
    tiny: Sequence[float] = (-1e-3, -1e-9, -1e-30, 1e-30, 1e-9, 1e-3),
) -> Samples:
    """The samples that every function of single numbers gets, once for each setting.

    Args:
        settings: keyword arguments to call it with; none when left out.
        kinks: where it has no derivative; gradient checks keep away, parity is checked there.
        low: the domain's lower end.
        high: the domain's upper end.
        large: values far out.
        tiny: values near 0.
    """

    def draw(g: Generator, *shape: int) -> Tensor:
        if low > -torch.inf or high < torch.inf:
            start, stop = max(low, -3.0), min(high, max(low, -3.0) + 6.0)
            gap = 0.05 * (stop - start)
            return uniform(g, start + gap, stop - gap, *shape)
        return away(g, *shape, kinks=kinks)

    def samples(g: Generator) -> Iterable[Sample]:
        for number, kwargs in enumerate(settings or ({},)):
            words = ",".join(f"{k}={v}" for k, v in kwargs.items())
            yield Sample(words or "matrix", (draw(g, 3, 4),), kwargs)
            if number:
                continue
            yield Sample("0-d", (draw(g),), kwargs)
            yield Sample("empty", (draw(g, 0, 3),), kwargs, smooth=False)
            yield Sample("one", (draw(g, 1, 1),), kwargs)
            yield Sample("transposed", (draw(g, 4, 2, 3).transpose(0, 2),), kwargs)
            yield Sample("strided", (draw(g, 3, 6)[:, ::2],), kwargs)
            for label, values in (("large", large), ("tiny", tiny), ("kinks", kinks)):
                inside = [v for v in values if low < v < high]
                if inside:
                    x = torch.tensor(inside, dtype=torch.float64)
                    yield Sample(label, (x,), kwargs, smooth=False)

    return samples


def calls(*makers: tuple[str, Callable[[Generator], tuple[Any, ...]]]) -> Samples:
    """Samples from pairs of a label and a function that draws the positional arguments."""

    def samples(g: Generator) -> Iterable[Sample]:
        for label, make in makers:
            yield Sample(label.removesuffix("!"), make(g), smooth=not label.endswith("!"))

    return samples

"""How far an implementation is from its reference, in float64, over all samples of its row."""

import copy
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from dlbook.testing._row import Row, Sample

PACKAGE = Path(__file__).resolve().parents[1]
MEASURED = ("__init__.py", "_lazy.py", "autodiff", "ops", "init.py", "nn", "models", "optim")


class Errors(NamedTuple):
    """The largest deviations from the reference, each relative to the entry, or to 1 below that.

    Attributes:
        value: of the outputs (for an optimiser, of the parameters after ten steps).
        gradient: of the gradients; None where there is none.
        samples: how many calls were compared.
    """

    value: float
    gradient: float | None
    samples: int


def measure(row: Row, seed: int = 0) -> Errors:
    """Compare an object with its reference on every sample of its row.

    Args:
        row: of the registry.
        seed: of the samples and cotangents.

    Example:
        >>> from dlbook.testing import registry
        >>> measure(registry["ops.sin"]).value
        0.0
    """
    samples = row.draw(seed)
    value, gradients = 0.0, []
    for sample in samples:
        ours, theirs = results(row, sample)
        value = max([value, *map(error, ours[0], theirs[0])])
        gradients += list(map(error, ours[1], theirs[1]))
    return Errors(value, max(gradients, default=None), len(samples))


Outcome = tuple[list[Any], list[Any]]


def results(row: Row, sample: Sample) -> tuple[Outcome, Outcome]:
    """Return outputs and gradients, ours and the reference's, for one sample."""
    if row.kind == "op":
        ours = run(row, row.ours, sample)
        return ours, run(row, row.reference, sample)
    if row.kind == "module":
        mine, other = modules(row, sample)
        return run_module(mine, sample), run_module(other, sample)
    if row.kind == "optimizer":
        return (walk(row.ours, sample), []), (walk(row.reference, sample), [])
    filled = []
    for function in (row.ours, row.reference):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            args = [a.clone() if isinstance(a, Tensor) else a for a in sample.args]
            filled.append(function(*args, **sample.kwargs))
    return ([filled[0]], []), ([filled[1]], [])


# --- calling ------------------------------------------------------------------------------------


class _Slot(NamedTuple):
    place: int


Rebuild = Callable[[Sequence[Any]], tuple[tuple[Any, ...], dict[str, Any]]]


def split(
    args: Sequence[Any], kwargs: Mapping[str, Any], constant: Sequence[int | str] = ()
) -> tuple[list[Tensor], Rebuild]:
    """Take the differentiable tensors out of a call, with a function that puts others in."""
    tensors: list[Tensor] = []

    def take(value: Any) -> Any:
        if isinstance(value, Tensor) and value.is_floating_point():
            tensors.append(value)
            return _Slot(len(tensors) - 1)
        if type(value) in (list, tuple):
            return type(value)(take(v) for v in value)
        return value

    def put(value: Any, new: Sequence[Any]) -> Any:
        if type(value) is _Slot:
            return new[value.place]
        if type(value) in (list, tuple):
            return type(value)(put(v, new) for v in value)
        return value

    positional = [a if i in constant else take(a) for i, a in enumerate(args)]
    named = {k: v if k in constant else take(v) for k, v in kwargs.items()}

    def rebuild(new: Sequence[Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return tuple(put(a, new) for a in positional), {k: put(v, new) for k, v in named.items()}

    return tensors, rebuild


def outputs(y: Any) -> list[Any]:
    """A call's results as a list, those within results too."""
    return [v for part in y for v in outputs(part)] if isinstance(y, (tuple, list)) else [y]


def cotangents(values: Sequence[Any], seed: int = 1) -> list[Tensor]:
    """Seeded random cotangents, in the values' types; made in float64 and on the CPU."""
    g = torch.Generator().manual_seed(seed)
    return [
        torch.randn(v.shape, generator=g, dtype=torch.float64).to(v.device, v.dtype) for v in values
    ]


def cast(value: Any, dtype: torch.dtype | None = None, device: Any = None) -> Any:
    """Bring the floating-point tensors in nested lists, tuples and dicts to a type and device."""
    if isinstance(value, Tensor):
        return value.to(device=device, dtype=dtype if value.is_floating_point() else None)
    if type(value) in (list, tuple):
        return type(value)(cast(v, dtype, device) for v in value)
    if isinstance(value, Mapping):
        return {k: cast(v, dtype, device) for k, v in value.items()}
    return value


def run(
    row: Row,
    function: Callable[..., Any],
    sample: Sample,
    dtype: torch.dtype | None = None,
    device: Any = None,
) -> Outcome:
    """Call a function on a sample under PyTorch's engine: its outputs and its gradients."""
    args, kwargs = cast(sample.args, dtype, device), cast(sample.kwargs, dtype, device)
    found, rebuild = split(args, kwargs, (*row.constant, *sample.constant))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        if not row.differentiable:
            return outputs(function(*args, **kwargs)), []
        leaves = [x.detach().requires_grad_() for x in found]
        args, kwargs = rebuild(leaves)
        ys = outputs(function(*args, **kwargs))
    return [y.detach() for y in ys], engine_gradients(ys, leaves)


def engine_gradients(ys: Sequence[Tensor], leaves: Sequence[Tensor]) -> list[Any]:
    """Pull random cotangents back through PyTorch's engine; None where nothing flows."""
    live = [y for y in ys if y.requires_grad]
    if not live or not leaves:
        return [None] * len(leaves)
    return list(torch.autograd.grad(live, leaves, cotangents(live), allow_unused=True))


def modules(row: Row, sample: Sample, dtype: torch.dtype = torch.float64) -> tuple[Any, Any]:
    """Make a module and its reference, with the reference's initial parameters in both."""
    args, kwargs = cast(sample.args, dtype), cast(sample.kwargs, dtype)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        other = row.reference(*args, **kwargs).to(dtype)
        mine = row.ours(*args, **kwargs).to(dtype)
    mine.load_state_dict(other.state_dict(), strict=True)
    return mine, other


def run_module(module: Any, sample: Sample) -> Outcome:
    """Call a module: its outputs, and the gradients of its inputs and parameters."""
    found, rebuild = split(sample.inputs, {})
    leaves = [x.detach().requires_grad_() for x in found]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        ys = outputs(module(*rebuild(leaves)[0]))
    gradients = engine_gradients(ys, [*leaves, *module.parameters()])
    return [y.detach() for y in ys], gradients


def walk(
    optimizer: Callable[..., Any],
    sample: Sample,
    steps: int = 10,
    then: Callable[..., Any] | None = None,
) -> list[Tensor]:
    """Take steps with an optimiser down a crooked valley, and return where that led.

    Args:
        optimizer: the class.
        sample: the arguments of its constructor, after the parameters.
        steps: how many it takes.
        then: the class of another one, which loads the first one's state and goes on as far again.
    """
    g = torch.Generator().manual_seed(0)
    start = [torch.randn(4, 3, generator=g), torch.randn(3, generator=g)]
    params = [p.double().clone().requires_grad_() for p in sample.inputs or start]

    def closure() -> Tensor:
        w, b = params
        stepper.zero_grad()
        loss = ((w * w).sum(0) * torch.cos(b)).sum() + (b**4).sum()
        loss.backward()
        return loss.detach()

    stepper = optimizer(params, *sample.args, **sample.kwargs)
    for _ in range(steps):
        stepper.step(closure)
    if then is not None:
        state = copy.deepcopy(stepper.state_dict())
        stepper = then(params, lr=1.0)
        stepper.load_state_dict(state)
        for _ in range(steps):
            stepper.step(closure)
    return [p.detach() for p in params]


def error(found: Any, expected: Any) -> float:
    """The largest deviation relative to the entry (to 1 below that); infinite if not comparable."""
    if found is None or expected is None:
        some = expected if found is None else found
        return 0.0 if some is None or not bool(some.any()) else torch.inf
    if found.shape != expected.shape:
        return torch.inf
    a, b = found.detach().to("cpu", torch.float64), expected.detach().to("cpu", torch.float64)
    if not a.numel():
        return 0.0
    gap = (a - b).abs() / b.abs().clamp(min=1.0)
    gap = torch.where((a == b) | (a.isnan() & b.isnan()), 0.0, gap)
    return float(torch.where(gap.isnan(), torch.inf, gap).max())


# --- the sources --------------------------------------------------------------------------------


def measured_sources() -> Iterator[Path]:
    """The files whose speed and errors are measured."""
    for name in MEASURED:
        path = PACKAGE / name
        yield from [path] if path.is_file() else sorted(path.rglob("*.py"))


def sources_digest() -> str:
    """A hash of the sources that are measured, by which a result tells whether it is out of date.

    Example:
        >>> len(sources_digest())
        16
    """
    digest = hashlib.sha256()
    for path in measured_sources():
        digest.update(path.relative_to(PACKAGE).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]

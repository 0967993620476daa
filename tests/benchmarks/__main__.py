"""Time what the book claims about speed, print it, and keep it for the evidence page.

One thread, one process. The contenders of a case take turns, so that a slower minute of the
machine meets them all; times are medians, and a ratio is the median over the turns. With names as
arguments only the cases whose names contain one of them run, and nothing is written.
"""

import argparse
import functools
import gc
import itertools
import json
import math
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import torch  # noqa: E402
from torch.nn import functional  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
RESULT = ROOT / "book" / "_data" / "benchmark.json"
Run = Callable[[], Any]


@dataclass(frozen=True)
class Case:
    """One comparison: named contenders, of which the first two are compared."""

    name: str
    ours: Run
    other: Run
    against: str
    target: float | None
    rows: tuple[str, ...] = ()  # the rows of the registry that it speaks for
    per: int = 1  # operations in one run


@dataclass
class Result:
    """What came of a case."""

    name: str
    against: str
    ours_us: float
    other_us: float
    ratio: float
    target: float | None
    met: bool | None
    rows: tuple[str, ...]


def duel(case: Case, rounds: int, budget: float) -> Result:
    """Let the two take turns; the number of calls in a turn is such that it lasts."""
    for run in (case.ours, case.other):
        for _ in range(3):
            run()
    start = time.perf_counter()
    case.other()
    once = max(time.perf_counter() - start, 1e-7)
    calls = max(1, min(1000, round(budget / rounds / 2 / once)))
    times: tuple[list[float], list[float]] = ([], [])
    gc.collect()
    gc.disable()
    for turn in range(rounds):
        order = (0, 1) if turn % 2 else (1, 0)
        for which in order:
            run = (case.ours, case.other)[which]
            start = time.perf_counter()
            for _ in range(calls):
                run()
            times[which].append((time.perf_counter() - start) / calls)
    gc.enable()
    ours, other = (statistics.median(t) * 1e6 / case.per for t in times)
    ratio = statistics.median(a / b for a, b in zip(*times))
    met = None if case.target is None else ratio <= case.target
    return Result(case.name, case.against, ours, other, ratio, case.target, met, case.rows)


# --- chains of small operations -----------------------------------------------------------------


def chains() -> Iterator[Case]:
    """200 operations on 4 floats, forward and backward: the price of the bookkeeping."""
    import autograd
    import autograd.numpy as anp
    import numpy as np

    from dlbook import ops
    from dlbook.autodiff import Tape

    steps = 200
    start = torch.tensor([0.5, 1.0, 1.5, 2.0])
    factor = torch.tensor([1.01, 0.99, 1.0, 1.02])
    one = torch.ones(4)
    array, array_factor = start.numpy(), factor.numpy()

    def tape(step: Callable[[Any], Any]) -> Run:
        def run() -> Any:
            t = Tape()
            x = y = t.variable(start)
            for _ in range(steps):
                y = step(y)
            return t.gradient(y, x, cotangent=one)

        return run

    def engine(step: Callable[[Any], Any]) -> Run:
        def run() -> Any:
            x = y = start.clone().requires_grad_()
            for _ in range(steps):
                y = step(y)
            return torch.autograd.grad(y, x, one)

        return run

    def hips(step: Callable[[Any], Any]) -> Run:
        def chain(x: Any) -> Any:
            for _ in range(steps):
                x = step(x)
            return x

        ones = np.ones(4, dtype=np.float32)

        def run() -> Any:
            pull, _ = autograd.make_vjp(chain)(array)
            return pull(ones)

        return run

    kinds: list[tuple[str, Any, Any, Any]] = [
        ("relu", ops.relu, torch.relu, lambda x: anp.maximum(x, 0.0)),
        ("tanh", ops.tanh, torch.tanh, anp.tanh),
        ("mul", lambda x: x * factor, lambda x: x * factor, lambda x: x * array_factor),
    ]
    for name, ours, torchs, theirs in kinds:
        yield Case(
            f"chain {name}: tape", tape(ours), hips(theirs), "HIPS autograd", None, per=steps
        )
        yield Case(f"chain {name}: tape", tape(ours), engine(torchs), "torch", None, per=steps)
        ours_engine = ours if name != "mul" else (lambda x: ops.mul(x, factor))
        yield Case(
            f"chain {name}: primitives",
            engine(ours_engine),
            engine(torchs),
            "torch",
            None,
            per=steps,
        )


def geometric(results: list[Result]) -> list[Result]:
    """The chains' geometric means, which have the targets."""
    targets = {
        ("tape", "HIPS autograd"): 1.0,
        ("tape", "torch"): 2.5,
        ("primitives", "torch"): 4.0,
    }
    means = []
    for (what, against), target in targets.items():
        found = [
            r
            for r in results
            if r.name.startswith("chain ") and r.name.endswith(what) and r.against == against
        ]
        if len(found) < 3:
            continue

        def mean(values: Any) -> float:
            return math.exp(statistics.fmean(map(math.log, values)))

        ours, other = mean(r.ours_us for r in found), mean(r.other_us for r in found)
        ratio = mean(r.ratio for r in found)
        name = f"chains, geometric mean: {what}"
        means.append(Result(name, against, ours, other, ratio, target, ratio <= target, ()))
    return means


# --- a training step ----------------------------------------------------------------------------


def training() -> Iterator[Case]:
    """One step of a 784-256-256-10 network at batch 128, optimiser included."""
    from dlbook import nn, ops, optim
    from dlbook.autodiff import Tape

    torch.manual_seed(0)
    x, t = torch.randn(128, 784), torch.randint(10, (128,))
    sizes = (784, 256, 256, 10)

    def network(library: Any) -> Any:
        layers: list[Any] = []
        for n, m in itertools.pairwise(sizes):
            layers += [library.Linear(n, m), library.ReLU()]
        return torch.nn.Sequential(*layers[:-1])

    def modules(model: Any, loss: Any, optimizer: Any) -> Run:
        def run() -> None:
            optimizer.zero_grad()
            loss(model(x), t).backward()
            optimizer.step()

        return run

    theirs = network(torch.nn)
    params = {k: v.detach().clone() for k, v in theirs.state_dict().items()}

    def tape() -> None:
        with torch.no_grad():
            record = Tape()
            p = record.variable(params)
            h = ops.relu(ops.linear(x, p["0.weight"], p["0.bias"]))
            h = ops.relu(ops.linear(h, p["2.weight"], p["2.bias"]))
            loss = ops.cross_entropy(ops.linear(h, p["4.weight"], p["4.bias"]), t)
            grads = record.gradient(loss, p)
            for name, grad in grads.items():
                params[name].sub_(grad, alpha=0.01)

    eager = modules(theirs, torch.nn.CrossEntropyLoss(), torch.optim.SGD(theirs.parameters(), 0.01))
    mine = network(nn)
    ours = modules(mine, nn.CrossEntropyLoss(), optim.SGD(mine.parameters(), 0.01))
    yield Case("training step: tape, plain SGD", tape, eager, "torch", 1.2)
    yield Case("training step: modules, optim.SGD", ours, eager, "torch", 1.2)

    steppers = []
    for cls in (optim.SGD, torch.optim.SGD):
        held = [p.detach().clone().requires_grad_() for p in theirs.parameters()]
        for p in held:
            p.grad = torch.randn_like(p)
        steppers.append(cls(held, lr=1e-3, momentum=0.9).step)
    yield Case("optimiser step: SGD, momentum", *steppers, "torch", None, ("optim.SGD",))


def optimizers() -> Iterator[Case]:
    """One step of a network of a million parameters in 20 tensors, with torch's fused form too."""
    from dlbook import optim

    def stepper(kind: Any, **settings: Any) -> Run:
        torch.manual_seed(0)
        held = [torch.randn(50_000).requires_grad_() for _ in range(20)]
        for p in held:
            p.grad = torch.randn_like(p)
        step: Run = kind(held, **settings).step
        return step

    for name in ("SGD", "AdamW"):
        ours, theirs = getattr(optim, name), getattr(torch.optim, name)
        words, row = f"optimiser step: {name}, 20×50000", (f"optim.{name}",)
        yield Case(words, stepper(ours), stepper(theirs), "torch", 1.2, row)
        yield Case(words, stepper(ours), stepper(theirs, fused=True), "torch fused", None)


# --- fused losses, softmax, activations ----------------------------------------------------------

LOSSES = (
    "cross_entropy",
    "nll_loss",
    "binary_cross_entropy_with_logits",
    "mse_loss",
    "softmax",
    "log_softmax",
)
SHAPES = ((128, 10), (128, 1000), (64, 32000))


def both_ways(function: Any, x: torch.Tensor, *args: Any) -> Run:
    """Forward, and backward into the first argument."""
    leaf = x.clone().requires_grad_()
    bar = torch.randn_like(function(leaf, *args))

    def run() -> Any:
        return torch.autograd.grad(function(leaf, *args), leaf, bar)

    return run


def inputs(name: str, shape: tuple[int, int]) -> tuple[Any, ...]:
    x = torch.randn(shape)
    if name.endswith("softmax"):
        return x, 1
    if name in ("cross_entropy", "nll_loss"):
        return x, torch.randint(shape[1], (shape[0],))
    return x, torch.rand(shape)


def fused() -> Iterator[Case]:
    from dlbook import ops

    for name in LOSSES:
        for shape in SHAPES:
            args = inputs(name, shape)
            ours = both_ways(getattr(ops, name), *args)
            theirs = both_ways(getattr(functional, name), *args)
            words = f"{name} {shape[0]}×{shape[1]}"
            yield Case(words, ours, theirs, "torch", 1.5, (f"ops.{name}",))


# --- normalisation -------------------------------------------------------------------------------

NORMS = {
    "batch_norm": ((2048, 128), (64, 1024), (64, 32, 28, 28)),
    "layer_norm": ((2048, 128), (64, 1024)),
    "rms_norm": ((2048, 128), (64, 1024)),
    "group_norm": ((64, 32, 28, 28),),
    "instance_norm": ((64, 32, 28, 28),),
}


def norm(library: Any, name: str, channels: int) -> Any:
    """The call with a scale and, where there is one, a shift; a batch's also moves averages."""
    function = getattr(library, name)
    average = torch.zeros(channels), torch.ones(channels)

    def call(x: torch.Tensor, *parameters: torch.Tensor) -> torch.Tensor:
        if name == "batch_norm":
            return function(x, *average, *parameters, training=True)
        if name == "instance_norm":
            return function(x, None, None, *parameters)
        return function(x, 8 if name == "group_norm" else (channels,), *parameters)

    return call


def trained(function: Any, *leaves: torch.Tensor) -> Run:
    """Forward, and backward into all arguments."""
    leaves = tuple(x.clone().requires_grad_() for x in leaves)
    bar = torch.randn_like(function(*leaves))

    def run() -> Any:
        return torch.autograd.grad(function(*leaves), leaves, bar)

    return run


def norm_cases() -> Iterator[tuple[str, str, tuple[torch.Tensor, ...]]]:
    for name, shapes in NORMS.items():
        for shape in shapes:
            parameters = [torch.rand(shape[1]) + 0.5, torch.randn(shape[1])]
            if name == "rms_norm":
                parameters.pop()
            yield name, "×".join(map(str, shape)), (torch.randn(shape), *parameters)


def norms() -> Iterator[Case]:
    from dlbook import ops

    for name, words, args in norm_cases():
        channels = len(args[1])
        ours = trained(norm(ops, name, channels), *args)
        theirs = trained(norm(functional, name, channels), *args)
        yield Case(f"{name} {words}", ours, theirs, "torch", 3.0, (f"ops.{name}",))


def norms_compiled() -> Iterator[Case]:
    from dlbook import ops

    if not (shutil.which("g++") or shutil.which("clang++")):
        print("compiled cases skipped: no C++ compiler")
        return
    for name, words, args in norm_cases():
        torch._dynamo.reset()
        call, channels = norm(ops, name, len(args[1])), len(args[1])
        ours = trained(torch.compile(call, fullgraph=True), *args)
        theirs = trained(torch.compile(norm(functional, name, channels), fullgraph=True), *args)
        yield Case(f"{name} {words}, compiled", ours, theirs, "torch compiled", 1.5)


# --- convolution ---------------------------------------------------------------------------------

Sizes = tuple[int, ...]
# What it is called, shapes of images and kernels, and settings: those that the target means, and
# others.
CONVOLUTIONS: tuple[tuple[str, Sizes, Sizes, dict[str, int]], ...] = (
    ("16→32, 28×28, k 3", (64, 16, 28, 28), (32, 16, 3, 3), {"padding": 1}),
    ("3→32, 64×64, k 3", (64, 3, 64, 64), (32, 3, 3, 3), {"padding": 1}),
    ("64→64, 14×14, k 3", (64, 64, 14, 14), (64, 64, 3, 3), {"padding": 1}),
    ("6→16, 14×14, k 5", (64, 6, 14, 14), (16, 6, 5, 5), {}),
    ("64→128, 14×14, k 1", (64, 64, 14, 14), (128, 64, 1, 1), {}),
)
OTHERS: tuple[tuple[str, Sizes, Sizes, dict[str, int]], ...] = (
    ("32→64, 28×28, k 3, stride 2", (64, 32, 28, 28), (64, 32, 3, 3), {"padding": 1, "stride": 2}),
    ("64→128, 14×14, k 1, stride 2", (64, 64, 14, 14), (128, 64, 1, 1), {"stride": 2}),
    ("3→64, 64×64, k 7, stride 2", (16, 3, 64, 64), (64, 3, 7, 7), {"padding": 3, "stride": 2}),
    (
        "16→32, 28×28, k 3, dilation 2",
        (64, 16, 28, 28),
        (32, 16, 3, 3),
        {"padding": 2, "dilation": 2},
    ),
    ("32→64, 28×28, k 3, 4 groups", (64, 32, 28, 28), (64, 8, 3, 3), {"padding": 1, "groups": 4}),
    (
        "32→32, 28×28, k 3, 32 groups",
        (64, 32, 28, 28),
        (32, 1, 3, 3),
        {"padding": 1, "groups": 32},
    ),
)
TRANSPOSED: tuple[tuple[str, Sizes, Sizes, dict[str, int]], ...] = (
    ("64→32, 14×14, k 4, stride 2", (64, 64, 14, 14), (64, 32, 4, 4), {"padding": 1, "stride": 2}),
    ("32→16, 28×28, k 3", (64, 32, 28, 28), (32, 16, 3, 3), {"padding": 1}),
)
SEQUENCES: tuple[tuple[str, Sizes, Sizes, dict[str, int]], ...] = (
    ("16→32, 256, k 5", (64, 16, 256), (32, 16, 5), {"padding": 2}),
)


def convolutions() -> Iterator[Case]:
    """Forward, and backward into images, kernels and biases."""
    from dlbook import ops

    kinds = (
        ("conv2d", CONVOLUTIONS, 1.4),
        ("conv2d", OTHERS, 2.0),
        ("conv_transpose2d", TRANSPOSED, 2.0),
        ("conv1d", SEQUENCES, 2.0),
    )
    for name, cases, target in kinds:
        for words, shape, kernel, settings in cases:
            outputs = kernel[1] if name.startswith("conv_transpose") else kernel[0]
            leaves = torch.randn(shape), torch.randn(kernel) * 0.1, torch.randn(outputs)
            ours, theirs = (
                trained(functools.partial(call, name, settings, lib), *leaves)
                for lib in (ops, functional)
            )
            yield Case(f"{name} {words}", ours, theirs, "torch", target, (f"ops.{name}",))


def call(name: str, settings: dict[str, int], lib: Any, *leaves: torch.Tensor) -> torch.Tensor:
    return getattr(lib, name)(*leaves, **settings)


def convolution_mean(results: list[Result]) -> list[Result]:
    """The geometric mean over the shapes that its target is about."""
    names = {f"conv2d {words}" for words, *_ in CONVOLUTIONS}
    found = [r for r in results if r.name in names]
    if len(found) < len(names):
        return []
    ours, other, ratio = (
        math.exp(statistics.fmean(map(math.log, values)))
        for values in zip(*((r.ours_us, r.other_us, r.ratio) for r in found))
    )
    name = "conv2d, geometric mean of five"
    return [Result(name, "torch", ours, other, ratio, 1.15, ratio <= 1.15, ("ops.conv2d",))]


def ladder() -> Iterator[Case]:
    """The rungs of the ladder beside PyTorch, without biases; the loops on one small image."""
    from dlbook.ops import lowering

    def climb(rung: Any, x: torch.Tensor, w: torch.Tensor, padding: int) -> Run:
        g = torch.randn_like(functional.conv2d(x, w, padding=padding))
        return lambda: rung(x, w, padding).pull(g)

    def theirs(x: torch.Tensor, w: torch.Tensor, padding: int) -> Run:
        return trained(lambda *leaves: functional.conv2d(*leaves, padding=padding), x, w)

    small = torch.randn(1, 1, 8, 8), torch.randn(4, 1, 3, 3), 1
    yield Case(
        "by loops 1→4, 8×8, k 3", climb(lowering.by_loops, *small), theirs(*small), "torch", None
    )
    for words, shape, kernel, settings in CONVOLUTIONS:
        args = torch.randn(shape), torch.randn(kernel) * 0.1, settings.get("padding", 0)
        for rung in ("by_windows", "by_pixels", "by_rows"):
            ours = climb(getattr(lowering, rung), *args)
            yield Case(f"{rung.replace('_', ' ')} {words}", ours, theirs(*args), "torch", None)


# --- pooling ------------------------------------------------------------------------------------

POOLS: dict[str, tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]] = {
    "max_pool1d": (((64, 32, 128), (2,)),),
    "max_pool2d": (
        ((64, 6, 28, 28), (2,)),
        ((64, 32, 28, 28), (2,)),
        ((16, 64, 55, 55), (3, 2)),
        ((8, 64, 112, 112), (3, 2, 1)),
        ((16, 128, 28, 28), (3, 1, 1)),
    ),
    "avg_pool1d": (((64, 32, 128), (2,)),),
    "avg_pool2d": (
        ((64, 6, 28, 28), (2,)),
        ((16, 64, 55, 55), (3, 2)),
        ((64, 32, 28, 28), (3, 1, 1)),
    ),
    "adaptive_max_pool1d": (((64, 32, 128), (1,)),),
    "adaptive_max_pool2d": (((64, 128, 7, 7), (1,)), ((64, 64, 13, 13), (6,))),
    "adaptive_avg_pool1d": (((64, 32, 128), (1,)),),
    "adaptive_avg_pool2d": (((64, 512, 7, 7), (1,)), ((64, 64, 13, 13), (6,))),
}


def pools() -> Iterator[Case]:
    from dlbook import ops

    for name, cases in POOLS.items():
        for shape, sizes in cases:
            args = (torch.randn(shape), *sizes)
            ours, theirs = (both_ways(getattr(lib, name), *args) for lib in (ops, functional))
            # kernel, stride and padding; of the adaptive ones the output
            words = f"{name} {'×'.join(map(str, shape))}, {','.join(map(str, sizes))}"
            yield Case(words, ours, theirs, "torch", 2.0, (f"ops.{name}",))


# --- recurrent layers ----------------------------------------------------------------------------


def recurrents() -> Iterator[Case]:
    """Modules with 128 units on 32 series of 64 steps, 64 features, forward and backward."""
    from dlbook import nn

    x = torch.randn(64, 32, 64)
    for name in ("LSTM", "GRU", "RNN"):
        theirs = getattr(torch.nn, name)(64, 128)
        ours = getattr(nn, name)(64, 128)
        ours.load_state_dict(theirs.state_dict())
        runs = [
            trained_module(lambda v, net=net: net(v)[0], x, list(net.parameters()))
            for net in (ours, theirs)
        ]
        yield Case(f"{name} 64→128, 64 steps of 32", *runs, "torch", 1.3, (f"nn.{name}",))


def trained_module(call: Any, x: torch.Tensor, parameters: list[torch.Tensor]) -> Run:
    """Forward, and backward into the input and the parameters."""
    leaves = [x.clone().requires_grad_(), *parameters]
    bar = torch.randn_like(call(leaves[0]))

    def run() -> Any:
        return torch.autograd.grad(call(leaves[0]), leaves, bar)

    return run


# --- whole networks ------------------------------------------------------------------------------


def lenets() -> Iterator[Case]:
    """A training step of both LeNet-5s on 64 images, beside the same with PyTorch's modules."""
    from dlbook import models, nn, optim

    class Dense(torch.nn.Module):
        """C3 as one convolution, its kernels put in their places as ours are."""

        def __init__(self) -> None:
            super().__init__()
            self.ours = models.TableConv2d(models.C3_TABLE, 5)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return functional.conv2d(x, self.ours.dense(), self.ours.bias)

    class Sums(torch.nn.Module):
        def __init__(self, channels: int) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(channels, 1, 1))
            self.bias = torch.nn.Parameter(torch.zeros(channels, 1, 1))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return functional.avg_pool2d(x, 2) * (4 * self.weight) + self.bias

    class Squash(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return 1.7159 * torch.tanh(x * (2 / 3))

    class Distances(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("points", models.digit_bitmaps().flatten(1))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            d = x.unsqueeze(1) - self.points
            return (d * d).sum(-1)

    def penalties(y: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        rubbish = y.new_full((len(y), 1), -1.0)
        return functional.cross_entropy(torch.cat([-y, rubbish], 1), target)

    def step(model: torch.nn.Module, loss: Any, kind: Any) -> Run:
        optimizer = kind(model.parameters(), lr=0.01, momentum=0.9)

        def run() -> None:
            optimizer.zero_grad()
            loss(model(x), t).backward()
            optimizer.step()

        return run

    torch.manual_seed(0)
    x, t = torch.randn(64, 1, 32, 32), torch.randint(10, (64,))
    n = torch.nn
    stack = n.Sequential
    first, second = (n.ReLU(), n.MaxPool2d(2)), (n.Flatten(), n.Linear(120, 84))
    modern = stack(n.Conv2d(1, 6, 5), *first, n.Conv2d(6, 16, 5), *first)
    modern = stack(*modern, n.Conv2d(16, 120, 5), n.ReLU(), *second, n.ReLU(), n.Linear(84, 10))
    old = stack(n.Conv2d(1, 6, 5), Squash(), Sums(6), Squash(), Dense(), Squash(), Sums(16))
    old = stack(*old, Squash(), n.Conv2d(16, 120, 5), Squash(), *second, Squash(), Distances())
    contenders = (
        ("LeNet5Modern", nn.CrossEntropyLoss(), modern, n.CrossEntropyLoss()),
        ("LeNet5", models.BitmapLoss(), old, penalties),
    )
    for name, our_loss, theirs, their_loss in contenders:
        ours = step(getattr(models, name)(), our_loss, optim.SGD)
        other = step(theirs, their_loss, torch.optim.SGD)
        words = f"training step: {name}, 64 images"
        yield Case(words, ours, other, "torch", 1.3, (f"models.{name}",))


def autoencoders() -> Iterator[Case]:
    """Training steps at batch 128, with Adam, beside the same of PyTorch's modules and formulas."""
    from dlbook import models, nn, optim
    from dlbook.testing import registry

    torch.manual_seed(0)
    rows, images = torch.rand(128, 784), torch.rand(128, 1, 28, 28)
    classes = torch.randint(10, (128,))

    def terms(output: Any, x: torch.Tensor) -> torch.Tensor:
        parameters, mean, log_variance, _ = output
        seen = functional.binary_cross_entropy_with_logits(parameters, x, reduction="sum")
        price = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum()
        return (seen + price) / len(x)

    def step(model: Any, loss: Any, kind: Any, x: torch.Tensor, *given: torch.Tensor) -> Run:
        optimizer = kind(model.parameters(), lr=1e-3)

        def run() -> None:
            optimizer.zero_grad()
            loss(model(x, *given), x).backward()
            optimizer.step()

        return run

    coins = models.BernoulliLikelihood()
    narrow, wide = (784, 256, 64, 16), (784, 256, 128)
    squares = nn.MSELoss(), torch.nn.MSELoss()
    bound = models.ELBOLoss(coins), terms
    cases: tuple[tuple[str, tuple[Any, ...], Any, tuple[torch.Tensor, ...], float], ...] = (
        ("DeepAutoencoder", (narrow,), squares, (rows,), 1.2),
        ("ConvAutoencoder", (1, 28, (16, 32), 16), squares, (images,), 1.5),
        ("DenseVAE", (wide, 16, coins), bound, (rows,), 1.2),
        ("ConditionalVAE", (wide, 16, 10, coins), bound, (rows, classes), 1.2),
        ("ConvVAE", (1, 28, (16, 32), 16, coins), bound, (images,), 1.5),
    )
    for name, args, losses, x, target in cases:
        row = registry[f"models.{name}"]
        ours = step(row.ours(*args), losses[0], optim.Adam, *x)
        theirs = step(row.reference(*args), losses[1], torch.optim.Adam, *x)
        words = f"training step: {name}, 128 of 784"
        yield Case(words, ours, theirs, "torch", target, (row.name,))


def local_norms() -> Iterator[Case]:
    from dlbook import ops

    for shape in ((16, 96, 27, 27), (64, 32, 28, 28)):
        x = torch.randn(shape)
        words = f"local_response_norm {'×'.join(map(str, shape))}"
        ours = both_ways(ops.local_response_norm, x, 5)
        theirs = both_ways(functional.local_response_norm, x, 5)
        yield Case(words, ours, theirs, "torch", 1.0, ("ops.local_response_norm",))


# --- attention -----------------------------------------------------------------------------------

HEADS: tuple[tuple[Sizes, bool, float | None], ...] = (
    ((4, 8, 256, 64), True, 1.25),
    ((4, 8, 256, 64), False, None),
    ((12, 4, 64, 32), True, None),
    ((1, 4, 2048, 32), True, None),
)


def attentions() -> Iterator[Case]:
    """Forward, and backward into queries, keys and values: in one piece, and block by block."""
    from dlbook import ops

    kernel = functional.scaled_dot_product_attention
    for shape, causal, target in HEADS:
        args = [torch.randn(shape) for _ in range(3)]
        words = "×".join(map(str, shape)) + (", causal" if causal else "")
        forms = {"attention": ops.scaled_dot_product_attention}
        if shape[2] > 64:
            forms["blockwise attention"] = ops.blockwise_attention
        for name, form in forms.items():
            ours, theirs = (
                trained(functools.partial(f, is_causal=causal), *args) for f in (form, kernel)
            )
            goal = target if name == "attention" else None
            yield Case(f"{name} {words}", ours, theirs, "torch", goal, (f"ops.{form.__name__}",))


def transformers() -> Iterator[Case]:
    """A layer of an encoder, forward and backward, without dropout; also causal, as in a GPT."""
    from dlbook import nn

    for batch, length, width, heads in ((12, 64, 128, 4), (4, 256, 256, 8)):
        x = torch.randn(batch, length, width)
        mask = torch.nn.Transformer.generate_square_subsequent_mask(length)
        made: list[Any] = []
        for library in (nn, torch.nn):
            layer = library.TransformerEncoderLayer(
                width, heads, 4 * width, 0.0, "gelu", batch_first=True, norm_first=True
            )
            more = {} if library is nn else {"src_mask": mask}
            made.append((layer, functools.partial(layer, is_causal=True, **more)))
        runs = [with_parameters(layer, call, x) for layer, call in made]
        words = f"encoder layer {batch}×{length}×{width}, {heads} heads"
        yield Case(words, *runs, "torch", None, ("nn.TransformerEncoderLayer",))


def with_parameters(module: torch.nn.Module, call: Any, x: torch.Tensor) -> Run:
    """Forward, and backward into the input and all parameters."""
    leaf = x.clone().requires_grad_()
    leaves = [leaf, *module.parameters()]
    bar = torch.randn_like(call(leaf))

    def run() -> Any:
        return torch.autograd.grad(call(leaf), leaves, bar)

    return run


def gpts() -> Iterator[Case]:
    """A training step of a small GPT, beside the same network of PyTorch's modules."""
    from dlbook import models, nn, optim
    from dlbook.testing import registry

    torch.manual_seed(0)
    sizes = 128, 64, 4, 4, 128  # vocabulary, context, layers, heads, width
    tokens, targets = torch.randint(128, (2, 12, 64))
    runs: list[Run] = []
    makers = (models.GPT, nn, optim), (registry["models.GPT"].reference, torch.nn, torch.optim)
    for make, library, optimizers in makers:
        network, loss = make(*sizes), library.CrossEntropyLoss()
        step = optimizers.AdamW(network.parameters(), lr=1e-3).step
        leaves = list(network.parameters())

        def run(network: Any = network, loss: Any = loss, step: Any = step) -> None:
            network.zero_grad()
            loss(network(tokens).flatten(0, 1), targets.flatten()).backward()
            step()

        def both(network: Any = network, loss: Any = loss, leaves: Any = leaves) -> Any:
            return torch.autograd.grad(
                loss(network(tokens).flatten(0, 1), targets.flatten()), leaves
            )

        runs += [run, both]
    words = "GPT 4 layers, 4 heads, 12×64×128"
    yield Case(f"training step: {words}", runs[0], runs[2], "torch", 1.15, ("models.GPT",))
    yield Case(f"forward and backward: {words}", runs[1], runs[3], "torch", None, ("models.GPT",))


def games() -> Iterator[Case]:
    """A step of both players, beside the same networks of PyTorch's modules."""
    from dlbook import models, nn, optim
    from dlbook.ops import l1_loss as our_l1
    from dlbook.testing import registry

    bce = functional.binary_cross_entropy_with_logits

    def their_penalty(critic: Any, real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
        epsilon = torch.rand(len(real), *(1,) * (real.dim() - 1))
        x = (epsilon * real + (1 - epsilon) * fake.detach()).requires_grad_()
        (gradient,) = torch.autograd.grad(critic(x).sum(), x, create_graph=True)
        return ((gradient.flatten(1).norm(dim=1) - 1) ** 2).mean()

    def logistic(real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
        return bce(real, torch.ones_like(real)) + bce(fake, torch.zeros_like(fake))

    theirs = {
        "non-saturating": (logistic, lambda fake: bce(fake, torch.ones_like(fake))),
        "wasserstein": (lambda real, fake: fake.mean() - real.mean(), lambda fake: -fake.mean()),
    }

    def step(
        players: Any, game: Any, kind: Any, x: torch.Tensor, z: torch.Tensor, penalty: Any, y: Any
    ) -> Run:
        generator, discriminator = players
        steps = [kind(p.parameters(), lr=1e-4) for p in players]
        beside = () if y is None else (y,)

        def run() -> None:
            with torch.no_grad():
                fake = generator(z)
            loss = game[0](discriminator(x, *beside), discriminator(fake, *beside))
            if penalty is not None:
                loss = loss + penalty(discriminator, x, fake)
            steps[1].zero_grad()
            loss.backward()
            steps[1].step()
            for parameter in discriminator.parameters():
                parameter.requires_grad_(False)
            made = generator(z)
            loss = game[1](discriminator(made, *beside))
            if y is not None:
                loss = loss + 100 * (our_l1 if kind is optim.Adam else functional.l1_loss)(made, x)
            steps[0].zero_grad()
            loss.backward()
            for parameter in discriminator.parameters():
                parameter.requires_grad_(True)
            steps[0].step()

        return run

    def dense(library: Any, last: int) -> Any:
        layers = [library.Linear(2, 128), library.ReLU(), library.Linear(128, 128), library.ReLU()]
        return torch.nn.Sequential(*layers, library.Linear(128, last))

    torch.manual_seed(0)
    ring, z2 = torch.randn(256, 2), torch.randn(256, 2)
    pictures, z = torch.randn(32, 1, 28, 28), torch.randn(32, 32)
    up, down = {"width": 16, "layers": 2, "kernel_size": 4}, {"norm_layer": None}
    reference = {name: row.reference for name, row in registry.items() if row.stem == "gans"}

    def dcgan(norm: bool) -> tuple[Any, Any]:
        """Ours and PyTorch's, of equal widths."""
        pairs = []
        for g, d in (
            (models.DCGANGenerator, models.DCGANDiscriminator),
            (reference["models.DCGANGenerator"], reference["models.DCGANDiscriminator"]),
        ):
            pairs.append((g(32, 1, 28, **up), d(1, 28, **up, **({} if norm else down))))
        return pairs[0], pairs[1]

    unet, patch = "models.UNetGenerator", "models.PatchDiscriminator"
    paired = (
        (models.UNetGenerator(1, 1, 16, 3), models.PatchDiscriminator(2, 16, 1)),
        (reference[unet](1, 1, 16, 3), reference[patch](2, 16, 1)),
    )
    outlines, filled = torch.randn(2, 16, 1, 32, 32)
    both = [(dense(library, 2), dense(library, 1)) for library in (nn, torch.nn)]
    penalty = models.gradient_penalty
    names = "models.DCGANGenerator", "models.DCGANDiscriminator"
    last = unet, patch
    for words, pairs, game, x, noise, slope, y, target, rows in (
        ("dense, ring", both, "non-saturating", ring, z2, False, None, 1.2, ()),
        ("dense, penalty", both, "wasserstein", ring, z2, True, None, 1.2, ()),
        ("DCGAN", dcgan(True), "non-saturating", pictures, z, False, None, 1.5, names),
        ("DCGAN, penalty", dcgan(False), "wasserstein", pictures, z, True, None, 1.5, names),
        ("pix2pix", paired, "non-saturating", filled, outlines, False, outlines, 1.5, last),
    ):
        ours = step(
            pairs[0], models.GAMES[game], optim.Adam, x, noise, penalty if slope else None, y
        )
        other = step(
            pairs[1], theirs[game], torch.optim.Adam, x, noise, their_penalty if slope else None, y
        )
        yield Case(f"both players' step: {words}", ours, other, "torch", target, rows)


def compiled() -> Iterator[Case]:
    from dlbook import ops

    if not (shutil.which("g++") or shutil.which("clang++")):
        print("compiled cases skipped: no C++ compiler")
        return
    for name in LOSSES:
        for shape in SHAPES:
            torch._dynamo.reset()
            args = inputs(name, shape)
            ours = both_ways(torch.compile(getattr(ops, name), fullgraph=True), *args)
            theirs = both_ways(getattr(functional, name), *args)
            yield Case(f"{name} {shape[0]}×{shape[1]}, compiled", ours, theirs, "torch eager", 1.0)


def activations() -> Iterator[Case]:
    from dlbook.testing import registry

    torch.manual_seed(0)
    x = torch.randn(128, 256)
    for name, row in registry.items():
        plain = row.stem == "activations" and name.startswith("ops.") and row.differentiable
        if not plain or name in ("ops.sign", "ops.heaviside", "ops.identity"):
            continue
        more = (torch.tensor([0.25]),) if name == "ops.prelu" else ()
        more = (0.0, 6.0) if name in ("ops.clamp", "ops.hardtanh") else more
        theirs = getattr(functional, name[4:], row.reference)
        theirs = getattr(torch, name[4:], theirs) if name[4:] in ("tanh", "sigmoid") else theirs
        yield Case(
            f"{name[4:]} 128×256",
            both_ways(row.ours, x, *more),
            both_ways(theirs, x, *more),
            "torch",
            None,
            (name,),
        )


# --- the import ----------------------------------------------------------------------------------


def imports(rounds: int) -> Result:
    """What ``import dlbook`` adds to ``import torch``, in fresh processes that take turns."""
    times: dict[str, list[float]] = {"import torch": [], "import torch, dlbook": []}
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for _ in range(rounds):
        for code, found in times.items():
            program = (
                f"import time; s = time.perf_counter(); {code}; print(time.perf_counter() - s)"
            )
            done = subprocess.run(
                [sys.executable, "-c", program],
                env=environment,
                capture_output=True,
                text=True,
                check=True,
            )
            found.append(float(done.stdout))
    alone, both = (min(t) * 1e6 for t in times.values())  # the least disturbed
    added = both - alone
    met = added < 0.2e6
    return Result("import dlbook, added seconds", "torch", both, alone, added / 1e6, 0.2, met, ())


# --- all together ---------------------------------------------------------------------------------

GROUPS = (
    chains,
    training,
    optimizers,
    fused,
    activations,
    norms,
    convolutions,
    ladder,
    pools,
    recurrents,
    local_norms,
    lenets,
    autoencoders,
    attentions,
    transformers,
    gpts,
    games,
    compiled,
    norms_compiled,
)


def processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def show(result: Result) -> str:
    target = "" if result.target is None else f"{result.target:.2f}"
    verdict = {None: "", True: "met", False: "NOT MET"}[result.met]
    return (
        f"{result.name:<48} {result.against:<14} {result.ours_us:>10.2f} {result.other_us:>10.2f} "
        f"{result.ratio:>6.2f} {target:>6} {verdict}"
    )


def write(results: list[Result]) -> None:
    """Replace the file in one step, so that nobody reads half of it."""
    import dlbook
    from dlbook.testing import sources_digest

    packages = {"dlbook": dlbook.__version__, "torch": torch.__version__}
    packages["python"] = platform.python_version()
    rounded = [
        {k: float(f"{v:.4g}") if isinstance(v, float) else v for k, v in asdict(r).items()}
        for r in results
    ]
    record = {
        "sources": sources_digest(),
        "day": date.today().isoformat(),
        "versions": packages,
        "processor": processor(),
        "threads": torch.get_num_threads(),
        "results": rounded,
    }
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    new = RESULT.with_suffix(".json.new")
    new.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(new, RESULT)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", help="run only cases whose names contain one of these")
    parser.add_argument("--rounds", type=int, default=15, help="turns that each contender takes")
    parser.add_argument("--seconds", type=float, default=0.5, help="time that a case may take")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    # The allocator returns memory to the system beyond a limit that grows with the largest block
    # that was freed. Free a large one first, so that nobody is timed while fetching it back.
    torch.ones(31 << 18)
    print(f"{'case':<48} {'against':<14} {'ours µs':>10} {'other µs':>10} {'ratio':>6} target")
    results: list[Result] = []
    for group in GROUPS:
        if chosen.names and not any(n in group.__name__ for n in chosen.names):
            cases = (c for c in group() if any(n in c.name for n in chosen.names))
        else:
            cases = group()
        for case in cases:
            results.append(duel(case, chosen.rounds, chosen.seconds))
            print(show(results[-1]), flush=True)
        if group in (chains, convolutions):
            mean = geometric if group is chains else convolution_mean
            results += (means := mean(results))
            for mean in means:
                print(show(mean), flush=True)
    if not chosen.names or "import" in chosen.names:
        results.append(imports(7))
        print(show(results[-1]), flush=True)
    missed = [r.name for r in results if r.met is False]
    print(f"{len(results)} cases, {len(missed)} of their targets not met")
    if not chosen.names:
        write(results)
        print(f"written to {RESULT.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What every row of the registry promises, tested the same way for all of them.

A test here is a family: it is written once and runs over all rows (and, where it is quick, over
all their samples). What a row cannot say stands in the topic's own test file.
"""

import itertools
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from torch._dynamo.utils import counters

from dlbook.autodiff import Tape, Variable
from dlbook.testing import Row, Sample, _measure, rows

OPS = rows("op")
DIFFERENTIABLE = [row for row in OPS if row.differentiable]
MODULES = rows("module")
DTYPES = {torch.float32: "float32", torch.bfloat16: "bfloat16", torch.float16: "float16"}
FEW_COMPILED = ("ops.relu", "ops.softmax", "ops.cross_entropy", "ops.gelu")


def named(found: list[Row]) -> Any:
    return pytest.mark.parametrize("row", found, ids=[row.name for row in found])


def sampled(found: list[Row], *, smooth: bool = False) -> Any:
    """Every sample of every row. Of those for differences, `make quick` takes a row's first two."""
    cases = []
    for row in found:
        samples = [sample for sample in row.draw() if sample.smooth or not smooth]
        for place, sample in enumerate(samples):
            marks = [pytest.mark.slow] if smooth and place > 1 else []
            label = f"{row.name}: {sample.label}"
            cases.append(pytest.param(row, sample, id=label, marks=marks))
    return pytest.mark.parametrize(("row", "sample"), cases)


def leaves(row: Row, sample: Sample, **to: Any) -> tuple[list[Tensor], _measure.Rebuild]:
    args, kwargs = _measure.cast(sample.args, **to), _measure.cast(sample.kwargs, **to)
    return _measure.split(args, kwargs, (*row.constant, *sample.constant))


def plain_function(row: Row, sample: Sample, function: Any = None) -> tuple[Any, list[Tensor]]:
    """The call as a function of its differentiable tensors alone, with floating-point results."""
    found, rebuild = leaves(row, sample)
    function = row.ours if function is None else function

    def call(*tensors: Any) -> Any:
        args, kwargs = rebuild(tensors)
        ys = [y for y in _measure.outputs(function(*args, **kwargs)) if y.dtype.is_floating_point]
        return ys[0] if len(ys) == 1 else tuple(ys)

    return call, found


def assert_close(found: Any, expected: Any, tolerance: float, what: str) -> None:
    gap = _measure.error(found, expected)
    assert gap <= tolerance, f"{what}: off by {gap:.3g}\nours: {found}\nreference: {expected}"


# --- values and gradients -----------------------------------------------------------------------


@sampled(OPS)
def test_values_and_gradients_are_the_references(row: Row, sample: Sample) -> None:
    (ours, our_gradients), (theirs, their_gradients) = _measure.results(row, sample)
    assert len(ours) == len(theirs)
    tolerance = max(row.tolerance, sample.tolerance)
    for y, z in zip(ours, theirs):
        assert y.dtype == z.dtype
        assert_close(y, z, tolerance, f"{row.name}, value")
    for i, (x, z) in enumerate(zip(our_gradients, their_gradients)):
        assert_close(x, z, tolerance, f"{row.name}, gradient of tensor {i}")


@sampled(DIFFERENTIABLE)
def test_tape_is_the_engine(row: Row, sample: Sample) -> None:
    found, rebuild = leaves(row, sample)
    before = [x.clone() for x in found]
    values, gradients = _measure.run(row, row.ours, sample)
    tape = Tape()
    variables = [tape.variable(x) for x in found]
    args, kwargs = rebuild(variables)
    with torch.random.fork_rng(devices=[]), torch.inference_mode():
        torch.manual_seed(0)
        ys = _measure.outputs(row.ours(*args, **kwargs))
    for y, value in zip(ys, values):
        assert_close(y.detach(), value, 0.0, f"{row.name}, value on the tape")
    live = [y for y in ys if type(y) is Variable]
    taped = tape.gradient(live, variables, cotangent=_measure.cotangents(live))
    for bar, gradient in zip(taped, gradients):
        assert bar is None or not bar.requires_grad
        assert_close(bar, gradient, 1e-13, f"{row.name}, gradient on the tape")
    for x, old in zip(found, before):
        assert_close(x, old, 0.0, f"{row.name}, an input after the call")


@sampled(DIFFERENTIABLE, smooth=True)
def test_gradcheck(row: Row, sample: Sample) -> None:
    call, found = plain_function(row, sample)
    inputs = [x.detach().clone().requires_grad_() for x in found]
    with torch.random.fork_rng(devices=[]):
        assert torch.autograd.gradcheck(seeded(call), inputs)


@named([row for row in DIFFERENTIABLE if row.second])
def test_gradgradcheck(row: Row) -> None:
    """The first four samples; the next test takes them all, against the reference."""
    for sample in [s for s in row.draw() if s.smooth][:4]:
        call, found = plain_function(row, sample)
        inputs = [x.detach().clone().requires_grad_() for x in found]
        with torch.random.fork_rng(devices=[]):
            y = seeded(call)(*inputs)
            ys = y if isinstance(y, tuple) else (y,)
            bars = [bar.requires_grad_() for bar in _measure.cotangents(ys, seed=2)]
            assert torch.autograd.gradgradcheck(seeded(call), inputs, bars)


def seeded(call: Any) -> Any:
    """The same random mask for every evaluation.

    The processor's generator is set by itself: ``torch.manual_seed`` writes down its call stack
    for every other device, which takes longer than most operations do here.
    """

    def again(*tensors: Any) -> Any:
        torch.default_generator.manual_seed(0)
        return call(*tensors)

    return again


@sampled([row for row in DIFFERENTIABLE if row.second], smooth=True)
def test_second_derivative_of_the_tape(row: Row, sample: Sample) -> None:
    """Nested tapes agree with double backward through PyTorch's engine on the reference."""
    _, found = plain_function(row, sample)
    found = [x.contiguous() for x in found]

    def energy(gradients: Any) -> Any:
        return sum(((g * g * 0.5).sum() for g in gradients if g is not None), start=0.0)

    outer, inner = Tape(), Tape()
    held = [outer.variable(x) for x in found]
    inputs = [inner.variable(x) for x in held]
    y = seeded(plain_function(row, sample)[0])(*inputs)
    ys = list(y) if isinstance(y, tuple) else [y]
    bars = _measure.cotangents(ys)
    first = inner.gradient(ys, inputs, cotangent=bars)
    ours = outer.gradient(energy(first), held)

    plain = [x.detach().requires_grad_() for x in found]
    z = seeded(plain_function(row, sample, row.reference)[0])(*plain)
    zs = list(z) if isinstance(z, tuple) else [z]
    live = [(v, bar) for v, bar in zip(zs, bars) if v.requires_grad]
    first_z: Any = [None] * len(plain)
    if live:
        zs, bars = map(list, zip(*live))
        first_z = torch.autograd.grad(zs, plain, bars, create_graph=True, allow_unused=True)
    goal = energy(first_z)
    theirs: Any = [None] * len(plain)
    if isinstance(goal, Tensor) and goal.requires_grad:
        theirs = torch.autograd.grad(goal, plain, allow_unused=True)
    for a, b in zip(ours, theirs):
        assert_close(a, b, row.second_tolerance, f"{row.name}, second derivative")


# --- shorter types ------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", list(DTYPES), ids=list(DTYPES.values()))
@named(OPS)
def test_shorter_types_lose_no_more_than_torchs(row: Row, dtype: torch.dtype) -> None:
    """Errors against the float64 truth, beside those of PyTorch in the same type."""
    if dtype not in row.low:
        pytest.skip(f"{row.name} is not compared in {DTYPES[dtype]}: {row.note}")
    unit = torch.finfo(dtype).eps
    for sample in row.draw():
        short = Sample(
            sample.label,
            _measure.cast(_measure.cast(sample.args, dtype), torch.float64),
            _measure.cast(_measure.cast(sample.kwargs, dtype), torch.float64),
            constant=sample.constant,
        )
        if not all(x.isfinite().all() for x in leaves(row, short)[0]):
            continue  # out of the type's range before we begin
        try:
            theirs = _measure.run(row, row.reference, short, dtype)
        except RuntimeError as missing:
            if "not implemented" not in str(missing):
                raise
            theirs = None
        truth = _measure.run(row, row.reference, short)
        ours = _measure.run(row, row.ours, short, dtype)
        other: Any
        for kind, (found, true) in enumerate(zip(ours, truth)):
            for i, (y, t) in enumerate(zip(found, true)):
                if y is None or t is None:
                    continue
                t = t.to(dtype).double()  # where the truth overflows the type, so may we
                other = _measure.error(theirs[kind][i], t) if theirs else 0.0
                mine = _measure.error(y, t)
                assert y.dtype == (theirs[kind][i].dtype if theirs else dtype)
                assert mine <= 2 * other + 4 * unit, (
                    f"{row.name}, {sample.label}, {('value', 'gradient')[kind]} {i}: "
                    f"off by {mine:.3g} where PyTorch is off by {other:.3g}"
                )


# --- refusals -----------------------------------------------------------------------------------


def attempt(row: Row, bad: Any) -> None:
    made = row.ours(*bad.args, **bad.kwargs)
    if row.kind == "module":
        made(*bad.inputs)


REFUSED = [(row, bad) for row in rows() for bad in row.bad]


@pytest.mark.untyped
@pytest.mark.parametrize(
    ("row", "bad"), REFUSED, ids=[f"{row.name}: {bad.message}" for row, bad in REFUSED]
)
def test_bad_input_is_refused_in_words(row: Row, bad: Any) -> None:
    with pytest.raises(bad.error) as refusal:
        attempt(row, bad)
    assert bad.message in str(refusal.value)


@pytest.mark.untyped
@named([row for row in rows() if row.bad])
def test_refusals_begin_with_the_name(row: Row) -> None:
    """So that a reader of a long traceback knows whose words they are (an op's, for a module)."""
    name = row.name.rpartition(".")[2]
    for bad in row.bad:
        with pytest.raises(bad.error) as refusal:
            attempt(row, bad)
        start = str(refusal.value).split(":", 1)[0].replace("_", "").lower()
        assert start == name.replace("_", "").lower(), refusal.value


# --- devices ------------------------------------------------------------------------------------


@pytest.mark.cuda
@named(OPS)
def test_cuda_gives_what_the_processor_gives(row: Row) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    for sample in row.draw():
        near = _measure.run(row, row.ours, sample)
        far = _measure.run(row, row.ours, sample, device="cuda")
        for a, b in zip(itertools.chain(*far), itertools.chain(*near)):
            assert a is None or a.device.type == "cuda"
            assert_close(a, b, 1e-10, f"{row.name}, {sample.label}")
        if row.differentiable:
            found, rebuild = leaves(row, sample, device="cuda")
            tape = Tape()
            variables = [tape.variable(x) for x in found]
            args, kwargs = rebuild(variables)
            torch.manual_seed(0)
            ys = [y for y in _measure.outputs(row.ours(*args, **kwargs)) if type(y) is Variable]
            bars = tape.gradient(ys, variables, cotangent=_measure.cotangents(ys))
            for a, b in zip(bars, near[1]):
                assert_close(a, b, 1e-10, f"{row.name}, {sample.label}, tape")


# --- torch.func and torch.compile ---------------------------------------------------------------


@named([row for row in OPS if row.vmap and row.differentiable])
def test_vmap_is_a_loop(row: Row) -> None:
    for sample in row.draw():
        call, found = plain_function(row, sample)
        batch = [torch.stack([x, x.flip(0) if x.ndim else x]) for x in found]
        mapped = torch.func.vmap(seeded(call), randomness="same")(*batch)
        looped = [seeded(call)(*(b[i] for b in batch)) for i in range(2)]
        expected = [torch.stack(ys) for ys in zip(*map(_measure.outputs, looped))]
        for y, z in zip(_measure.outputs(mapped), expected, strict=True):
            assert_close(y, z, 1e-13, f"{row.name}, {sample.label}")


@named([row for row in DIFFERENTIABLE if row.vmap])
def test_torch_func_transforms(row: Row) -> None:
    """``jacrev``, ``grad`` and per-sample gradients (``vmap`` of ``grad``), on the plain sample."""
    sample = row.draw()[0]
    call, found = plain_function(row, sample)
    call, reference = seeded(call), seeded(plain_function(row, sample, row.reference)[0])
    places = tuple(range(len(found)))
    ours = torch.func.jacrev(call, argnums=places)(*found)
    theirs = torch.func.jacrev(reference, argnums=places)(*found)
    for a, b in zip(flatten(ours), flatten(theirs)):
        assert_close(a, b, row.tolerance, f"{row.name}, jacrev")

    def total(function: Any) -> Any:
        def sum_of(*xs: Any) -> Any:
            y = function(*xs)
            y = y[0] if isinstance(y, tuple) else y
            return (y * y).sum()

        return sum_of

    ours = torch.func.grad(total(call), argnums=places)(*found)
    theirs = torch.func.grad(total(reference), argnums=places)(*found)
    for a, b in zip(ours, theirs):
        assert_close(a, b, row.tolerance, f"{row.name}, grad")
    batch = [torch.stack([x, x]) for x in found]
    each = torch.func.vmap(torch.func.grad(total(call), argnums=places), randomness="same")
    for a, b in zip(each(*batch), ours):
        assert_close(a, torch.stack([b, b]), 1e-13, f"{row.name}, vmap of grad")


def flatten(value: Any) -> Iterator[Any]:
    if isinstance(value, (tuple, list)):
        for each in value:
            yield from flatten(each)
    else:
        yield value


def compiled_agrees(row: Row, backend: str, tolerance: float) -> None:
    torch._dynamo.reset()
    counters.clear()
    sample = row.draw()[0]
    call, found = plain_function(row, sample)
    compiled = torch.compile(call, fullgraph=True, backend=backend)
    results = []
    for function in (compiled, call):
        inputs = [x.detach().requires_grad_() for x in found]
        torch.manual_seed(0)
        y = function(*inputs)
        ys = list(y) if isinstance(y, tuple) else [y]
        results.append([*ys, *_measure.engine_gradients(ys, inputs)])
    assert counters["stats"]["unique_graphs"] == 1, "nothing was compiled"
    for a, b in zip(*results):
        assert_close(a, b, tolerance, f"{row.name}, compiled")


@pytest.mark.slow
@pytest.mark.untyped
@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")  # dynamo's
@named([row for row in DIFFERENTIABLE if row.compile])
def test_compiles_without_a_break(row: Row) -> None:
    compiled_agrees(row, "aot_eager", 1e-12)


@pytest.mark.slow
@pytest.mark.untyped
@named([row for row in DIFFERENTIABLE if row.name in FEW_COMPILED])
@pytest.mark.filterwarnings("ignore")  # the generator of code has its own
def test_compiles_to_native_code(row: Row) -> None:
    if not (shutil.which("g++") or shutil.which("clang++")):
        pytest.skip("no C++ compiler")
    compiled_agrees(row, "inductor", 1e-10)


# --- modules ------------------------------------------------------------------------------------


@sampled(MODULES)
def test_modules_are_torchs(row: Row, sample: Sample) -> None:
    mine, other = _measure.modules(row, sample)
    assert list(mine.state_dict()) == list(other.state_dict())
    other.load_state_dict(mine.state_dict(), strict=True)
    assert [n for n, _ in mine.named_parameters()] == [n for n, _ in other.named_parameters()]
    tolerance = max(row.tolerance, sample.tolerance)
    (ys, gradients), (zs, expected) = (_measure.run_module(m, sample) for m in (mine, other))
    for y, z in zip(ys, zs, strict=True):
        assert_close(y, z, tolerance, f"{row.name}, output")
    for x, z in zip(gradients, expected, strict=True):
        assert_close(x, z, tolerance, f"{row.name}, gradient")


@named(MODULES)
def test_modules_start_as_torchs(row: Row) -> None:
    """The same seed draws the same initial parameters, in the same order."""
    sample = row.draw()[0]
    made = []
    for build in (row.ours, row.reference):
        torch.manual_seed(3)
        made.append(build(*sample.args, **sample.kwargs).state_dict())
    for name, value in made[0].items():
        assert_close(value, made[1][name], 1e-6, f"{row.name}.{name} at the start")


@sampled(MODULES, smooth=True)
def test_module_gradcheck(row: Row, sample: Sample) -> None:
    module, _ = _measure.modules(row, sample)
    names = [n for n, _ in module.named_parameters()]
    found, rebuild = _measure.split(sample.inputs, {})

    def call(*tensors: Any) -> Any:
        inputs = rebuild(tensors[: len(found)])[0]
        y = torch.func.functional_call(module, dict(zip(names, tensors[len(found) :])), inputs)
        return tuple(_measure.outputs(y))

    tensors = [x.detach().requires_grad_() for x in [*found, *module.parameters()]]
    with torch.random.fork_rng(devices=[]):
        assert torch.autograd.gradcheck(seeded(call), tensors)


# --- initial values and optimisers --------------------------------------------------------------


@sampled(rows("init"))
def test_initial_values_are_torchs(row: Row, sample: Sample) -> None:
    ((mine,), _), ((other,), _) = _measure.results(row, sample)
    assert_close(mine, other, row.tolerance, row.name)
    tensor = sample.args[0].clone()
    assert row.ours(tensor, **sample.kwargs) is tensor, "filled in place, and returned"


@sampled(rows("optimizer"))
def test_optimisers_walk_torchs_way(row: Row, sample: Sample) -> None:
    (mine, _), (other, _) = _measure.results(row, sample)
    for a, b in zip(mine, other):
        assert_close(a, b, row.tolerance, row.name)


@sampled(rows("optimizer"))
def test_a_hundred_steps_are_torchs(row: Row, sample: Sample) -> None:
    mine, other = (_measure.walk(kind, sample, steps=100) for kind in (row.ours, row.reference))
    for a, b in zip(mine, other):
        assert_close(a, b, max(1e-10, row.tolerance), row.name)


@pytest.mark.parametrize("ours_first", [True, False], ids=["ours, torch", "torch, ours"])
@sampled(rows("optimizer"))
def test_optimisers_exchange_their_state(row: Row, sample: Sample, ours_first: bool) -> None:
    """Half of a way with one, half with the other: the same as a change from torch to torch."""
    first, second = (row.ours, row.reference) if ours_first else (row.reference, row.ours)
    mixed = _measure.walk(first, sample, 10, then=second)
    pure = _measure.walk(row.reference, sample, 10, then=row.reference)
    for a, b in zip(mixed, pure):
        assert_close(a, b, max(1e-12, row.tolerance), row.name)


@named(rows("optimizer"))
def test_optimisers_write_torchs_state_dictionaries(row: Row) -> None:
    for sample in row.draw():
        written = []
        for kind in (row.ours, row.reference):
            params = [torch.ones(2, 2, dtype=torch.float64, requires_grad=True)]
            optimizer = kind(params, *sample.args, **sample.kwargs)

            def closure(param: Tensor = params[0], optimizer: Any = optimizer) -> Tensor:
                optimizer.zero_grad()
                loss = (param**2).sum()
                loss.backward()
                return loss

            optimizer.step(closure)
            written.append(optimizer.state_dict())
        ours, theirs = written
        assert ours["state"].keys() == theirs["state"].keys()
        for i, state in ours["state"].items():
            assert state.keys() == theirs["state"][i].keys() - {"al"}  # L-BFGS's scratch numbers
            for name, value in state.items():
                other = theirs["state"][i][name]
                if name == "t":  # L-BFGS's step, a number that torch keeps in a tensor at times
                    assert float(value) == float(other)
                    continue
                assert type(value) is type(other), name
                if isinstance(value, Tensor):
                    assert (value.shape, value.dtype) == (other.shape, other.dtype), name
        settings = {"foreach", "fused", "capturable", "differentiable"}  # of speed
        for mine, other in zip(ours["param_groups"], theirs["param_groups"], strict=True):
            assert mine.keys() == other.keys() - settings


@named(rows("optimizer"))
def test_optimisers_refuse_sparse_and_complex_gradients(row: Row) -> None:
    table = torch.nn.Embedding(3, 2, sparse=True)
    wave = torch.ones(2, 2, dtype=torch.complex64, requires_grad=True)
    for param, loss in ((table.weight, table(torch.tensor([1])).sum()), (wave, wave.abs().sum())):
        before = param.detach().clone()
        optimizer = row.ours([param])
        loss.backward()
        with pytest.raises(RuntimeError, match=f"{row.name[6:]}: expects dense real gradients"):
            optimizer.step(lambda loss=loss: loss)
        assert torch.equal(param, before)

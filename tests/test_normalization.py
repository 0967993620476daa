"""Normalisation: what rows cannot say, such as running averages and the formula by hand."""

import copy
import math
from typing import Any

import pytest
import torch
from torch import Tensor

import dlbook.nn
from dlbook import ops
from dlbook.autodiff import Tape, check_gradients
from dlbook.data import digits
from dlbook.models import MLP
from dlbook.ops import normalization
from dlbook.optim import SGD

F64 = torch.float64


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=F64)


def close(found: Any, expected: Any, tolerance: float = 1e-12) -> None:
    torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance)


# --- the formula --------------------------------------------------------------------------------


def test_a_group_by_hand() -> None:
    """One group, every step of the derivation written out, against rule and finite differences."""
    x, w, b, g = (numbers(7, seed=s) for s in range(4))
    eps, n = 0.01, 7
    mean = sum(x.tolist()) / n
    var = sum((v - mean) ** 2 for v in x.tolist()) / n
    r = 1 / math.sqrt(var + eps)
    x_hat = [(v - mean) * r for v in x.tolist()]
    y = ops.layer_norm(x, (n,), w, b, eps)
    close(y, torch.tensor([w[i] * x_hat[i] + b[i] for i in range(n)]))

    h = [float(w[i] * g[i]) for i in range(n)]
    h_mean = sum(h) / n
    hx_mean = sum(h[i] * x_hat[i] for i in range(n)) / n
    by_hand = [r * (h[i] - h_mean - x_hat[i] * hx_mean) for i in range(n)]
    tape = Tape()
    xs, ws, bs = tape.variable((x, w, b))
    x_bar, w_bar, b_bar = tape.gradient(ops.layer_norm(xs, (n,), ws, bs, eps), (xs, ws, bs), g)
    close(x_bar, torch.tensor(by_hand, dtype=F64))
    close(w_bar, g * torch.tensor(x_hat, dtype=F64))
    close(b_bar, g)
    assert check_gradients(lambda *a: ops.layer_norm(a[0], (n,), a[1], a[2], eps), x, w, b)


@pytest.mark.parametrize("spatial", [(), (5,), (3, 2)])
def test_batch_norm_by_loops(spatial: tuple[int, ...]) -> None:
    x, w, b = numbers(4, 3, *spatial), numbers(3, seed=1), numbers(3, seed=2)
    y = ops.batch_norm(x, None, None, w, b, training=True)
    for c in range(3):
        values = x[:, c].flatten().tolist()
        mean = sum(values) / len(values)
        var = sum((v - mean) ** 2 for v in values) / len(values)
        close(y[:, c], (x[:, c] - mean) / math.sqrt(var + 1e-5) * w[c] + b[c])


def test_what_the_output_does_not_depend_on() -> None:
    """Shifting or scaling a whole group changes nothing, and the cotangent has none of either."""
    x, g = numbers(3, 6), numbers(3, 6, seed=1)
    y = ops.layer_norm(x, (6,), eps=0.0)
    close(ops.layer_norm(5 * x + 3, (6,), eps=0.0), y)
    close(ops.rms_norm(5 * x, (6,), eps=0.0), ops.rms_norm(x, (6,), eps=0.0))
    tape = Tape()
    v = tape.variable(x)
    x_bar = tape.gradient(ops.layer_norm(v, (6,), eps=0.0), v, g)
    close(x_bar.sum(1), torch.zeros(3, dtype=F64))
    close((x_bar * x).sum(1), torch.zeros(3, dtype=F64))


def test_relations_between_the_five() -> None:
    x, w, b = numbers(5, 6, 4), numbers(6, seed=1), numbers(6, seed=2)
    close(ops.group_norm(x, 6, w, b), ops.instance_norm(x, weight=w, bias=b))
    close(ops.group_norm(x, 1), ops.layer_norm(x, (6, 4)))
    one = x[:1]
    close(ops.batch_norm(one, None, None, w, b, training=True), ops.group_norm(one, 6, w, b))
    centred = x - x.mean(2, keepdim=True)
    close(ops.rms_norm(centred, (4,), eps=1e-5), ops.layer_norm(x, (4,)))


def test_far_from_zero_in_single_precision() -> None:
    """The mean goes before anything is squared: an offset costs no more than its digits."""
    x = numbers(64, 128).float() + 1000
    exact = ops.layer_norm(x.double(), (128,))
    assert float((ops.layer_norm(x, (128,)) - exact).abs().max()) < 1e-4  # x has 6e-5 to spare


def test_groups_without_variance() -> None:
    x, b = torch.full((3, 4), 7.0, requires_grad=True), numbers(4).float()
    for y in (
        ops.layer_norm(x, (4,), bias=b),
        ops.batch_norm(x, None, None, bias=b, training=True),
        ops.group_norm(x, 2, bias=b),
    ):
        assert torch.equal(y.detach(), b.expand(3, 4))
        (x_bar,) = torch.autograd.grad(y, x, numbers(3, 4, seed=1).float())
        assert x_bar.isfinite().all()


@pytest.mark.parametrize("name", ["layer_norm", "batch_norm", "instance_norm"])
def test_second_derivative_with_a_shift_alone(name: str) -> None:
    """PyTorch fails here, so the registry leaves it out."""
    x, b = numbers(2, 3, 4).requires_grad_(), numbers(3, seed=1).requires_grad_()
    shift = numbers(4, seed=1).requires_grad_()
    call = {
        "layer_norm": lambda x, b: ops.layer_norm(x, (4,), bias=b),
        "batch_norm": lambda x, b: ops.batch_norm(x, None, None, bias=b, training=True),
        "instance_norm": lambda x, b: ops.instance_norm(x, bias=b),
    }[name]
    inputs = (x, shift if name == "layer_norm" else b)
    assert torch.autograd.gradcheck(call, inputs)
    assert torch.autograd.gradgradcheck(call, inputs)


@pytest.mark.parametrize("batched", [(0,), (1,), (2,), (0, 2), (1, 2)], ids=str)
@pytest.mark.parametrize("name", ["layer_norm", "batch_norm", "group_norm"])
def test_vmap_over_some_arguments(name: str, batched: tuple[int, ...]) -> None:
    """An ensemble of scales on one input, for example: nothing may be written in place then."""
    plain = [numbers(3, 4), numbers(4, seed=1), numbers(4, seed=2)]
    call = {
        "layer_norm": lambda x, w, b: ops.layer_norm(x, (4,), w, b),
        "batch_norm": lambda x, w, b: ops.batch_norm(x, None, None, w, b, training=True),
        "group_norm": lambda x, w, b: ops.group_norm(x, 2, w, b),
    }[name]

    def energy(*args: Tensor) -> Tensor:
        return (call(*args) ** 3).sum()

    grad = torch.func.grad(energy, argnums=(0, 1, 2))
    args = [torch.stack([a, a + 1]) if i in batched else a for i, a in enumerate(plain)]
    places = tuple(0 if i in batched else None for i in range(3))
    mapped = torch.func.vmap(grad, in_dims=places)(*args)
    for k in range(2):
        looped = grad(*(a[k] if i in batched else a for i, a in enumerate(args)))
        for found, expected in zip(mapped, looped):
            close(found[k], expected)


# --- running averages ---------------------------------------------------------------------------


def pair(name: str, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
    theirs = getattr(torch.nn, name)(*args, **kwargs).double()
    ours = getattr(dlbook.nn, name)(*args, **kwargs).double()
    ours.load_state_dict(theirs.state_dict(), strict=True)
    return ours, theirs


TRACKED = [
    ("BatchNorm1d", (6, 3)),
    ("BatchNorm1d", (2, 3, 4)),
    ("BatchNorm2d", (2, 3, 4, 2)),
    ("BatchNorm3d", (2, 3, 2, 2, 2)),
    ("InstanceNorm1d", (4, 3, 5)),
    ("InstanceNorm1d", (3, 5)),
    ("InstanceNorm2d", (2, 3, 4, 2)),
]


@pytest.mark.parametrize("momentum", [0.1, 0.9, 0.0, 1.0])
@pytest.mark.parametrize(("name", "shape"), TRACKED, ids=str)
def test_running_averages_over_many_batches(
    name: str, shape: tuple[int, ...], momentum: float
) -> None:
    ours, theirs = pair(name, 3, momentum=momentum, affine=True, track_running_stats=True)
    for step in range(12):
        x = numbers(*shape, seed=step) * (1 + step) + step
        close(ours(x), theirs(x))
        for key, value in theirs.state_dict().items():
            close(ours.state_dict()[key], value)
    ours.eval()
    theirs.eval()
    before = copy.deepcopy(ours.state_dict())
    x, z = (numbers(*shape, seed=99).requires_grad_() for _ in range(2))
    y, t = ours(x), theirs(z)
    close(y, t)
    bar = numbers(*shape, seed=98)
    close(
        torch.autograd.grad(y, [x, *ours.parameters()], bar),
        torch.autograd.grad(t, [z, *theirs.parameters()], bar),
    )
    for key, value in before.items():
        assert torch.equal(ours.state_dict()[key], value), "evaluation changed the averages"
    ours.reset_running_stats()
    theirs.reset_running_stats()
    for key, value in theirs.state_dict().items():
        close(ours.state_dict()[key], value)


@pytest.mark.parametrize("name", ["BatchNorm1d", "BatchNorm2d", "BatchNorm3d"])
def test_momentum_none_is_the_mean_over_all_batches(name: str) -> None:
    shape = (5, 3) if name == "BatchNorm1d" else (5, 3, *[2] * int(name[-2]))
    ours, theirs = pair(name, 3, momentum=None)
    batches = [numbers(*shape, seed=s) + s for s in range(5)]
    for x in batches:
        close(ours(x), theirs(x))
    close(ours.running_mean, theirs.running_mean)
    close(ours.running_var, theirs.running_var)
    axes = [0, *range(2, len(shape))]
    close(ours.running_mean, torch.stack([x.mean(axes) for x in batches]).mean(0))
    close(ours.running_var, torch.stack([x.var(axes) for x in batches]).mean(0))
    assert int(ours.num_batches_tracked) == 5


def test_without_running_averages_evaluation_is_training() -> None:
    ours, theirs = pair("BatchNorm1d", 3, track_running_stats=False)
    x = numbers(6, 3)
    y = ours(x)
    ours.eval()
    theirs.eval()
    close(ours(x), y)
    close(theirs(x), y)
    assert not [k for k in ours.state_dict() if "running" in k or "tracked" in k]


def test_averages_follow_on_a_tape_as_well() -> None:
    x = numbers(6, 3)
    plain = torch.zeros(3, dtype=F64), torch.ones(3, dtype=F64)
    taped = torch.zeros(3, dtype=F64), torch.ones(3, dtype=F64)
    ops.batch_norm(x, *plain, training=True)
    tape = Tape()
    ops.batch_norm(tape.variable(x), *taped, training=True)
    assert plain[0].abs().max() > 0
    close(taped, plain)


def test_a_second_derivative_moves_the_averages_once() -> None:
    ours, _ = pair("BatchNorm1d", 3)
    once = copy.deepcopy(ours)
    x = numbers(6, 3).requires_grad_()
    once(x)
    (first,) = torch.autograd.grad((ours(x) ** 3).sum(), x, create_graph=True)
    first.square().sum().backward()
    close(ours.running_mean, once.running_mean)
    assert int(ours.num_batches_tracked) == 1


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_short_inputs_beside_long_parameters(dtype: torch.dtype) -> None:
    """Mixed precision keeps scale, shift and averages in float32."""
    ours, theirs = dlbook.nn.BatchNorm1d(4), torch.nn.BatchNorm1d(4)
    x = numbers(16, 4).to(dtype)
    a, b = x.clone().requires_grad_(), x.clone().requires_grad_()
    y, z = ours(a), theirs(b)
    assert y.dtype == dtype
    close(y, z, 2e-2)
    close(ours.running_var, theirs.running_var, 1e-3)
    bar = numbers(16, 4, seed=1).to(dtype)
    mine = torch.autograd.grad(y, [a, *ours.parameters()], bar)
    other = torch.autograd.grad(z, [b, *theirs.parameters()], bar)
    for p, q in zip(mine, other):
        assert p.dtype == q.dtype
        close(p, q, 3e-2)


@pytest.mark.slow
@pytest.mark.untyped
@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")
@pytest.mark.parametrize("name", ["BatchNorm1d", "LayerNorm", "RMSNorm"])
def test_modules_compile_without_a_break(name: str) -> None:
    torch._dynamo.reset()
    layer = getattr(dlbook.nn, name)(4)
    plain = copy.deepcopy(layer)
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    for step in range(3):
        x = numbers(6, 4, seed=step).float()
        close(compiled(x), plain(x), 1e-6)
    for key, value in plain.state_dict().items():
        close(layer.state_dict()[key], value, 1e-6)


# --- refusals as PyTorch's ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "args", "shape"),
    [
        ("BatchNorm1d", (3,), (1, 3)),
        ("BatchNorm2d", (3,), (1, 3, 1, 1)),
        ("BatchNorm2d", (3,), (2, 3, 4)),
        ("BatchNorm1d", (3,), (2, 4)),
        ("InstanceNorm1d", (3,), (2, 3, 1)),
        ("InstanceNorm2d", (3,), (2, 3)),
        ("GroupNorm", (3, 3), (1, 3)),
        ("LayerNorm", (3,), (2, 4)),
    ],
)
def test_refused_as_by_torch(name: str, args: tuple[int, ...], shape: tuple[int, ...]) -> None:
    for home in (dlbook.nn, torch.nn):
        with pytest.raises((ValueError, RuntimeError)):
            getattr(home, name)(*args)(torch.zeros(shape))


def test_a_single_sample_is_fine_in_evaluation() -> None:
    ours, theirs = pair("BatchNorm1d", 3)
    ours.eval()
    theirs.eval()
    x = numbers(1, 3)
    close(ours(x), theirs(x))


def test_there_is_one_rule() -> None:
    """All five go through the same primitive, which the chapter derives once."""
    found = []
    tape = Tape()
    x = tape.variable(numbers(2, 4, 3))
    for y in (
        ops.batch_norm(x, None, None, training=True),
        ops.instance_norm(x),
        ops.group_norm(x, 2),
        ops.layer_norm(x, (3,)),
        ops.rms_norm(x, (3,)),
    ):
        found.append(tape.entries[-1].primitive)
        assert y.shape == x.shape
    assert found == [normalization._normalize] * 5


# --- what it is for -----------------------------------------------------------------------------


def train_deep(norm: Any, rate: float, seed: int) -> float:
    """Accuracy on the validation digits of a plain network of 20 layers, after eight epochs."""
    train, validation, _ = digits.load()
    torch.manual_seed(seed)
    model = MLP((64, *[64] * 19, 10), norm_layer=norm)
    assert sum(isinstance(layer, dlbook.nn.Linear) for layer in model) == 20
    stepper = SGD(model.parameters(), lr=rate)
    for _ in range(8):
        for rows in torch.randperm(len(train.y)).split(64):
            stepper.zero_grad()
            ops.cross_entropy(model(train.x[rows]), train.y[rows]).backward()
            stepper.step()
    model.eval()
    with torch.no_grad():
        return float(ops.accuracy(model(validation.x), validation.y))


@pytest.mark.slow
@pytest.mark.untyped  # three times as fast
def test_a_deep_plain_network_trains_with_it_and_stalls_without() -> None:
    """Stratified digits, seeds 0 to 4: no better than guessing, and far better."""
    for seed in range(5):
        without = max(train_deep(None, rate, seed) for rate in (0.01, 0.1, 1.0))
        assert without < 0.2
        assert train_deep(dlbook.nn.BatchNorm1d, 0.1, seed) > 0.8

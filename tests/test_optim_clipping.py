"""dlbook.optim.clip_grad_norm_ and clip_grad_value_: what torch.nn.utils does to gradients."""

import inspect
import math

import pytest
import torch
from torch.nn import utils

from dlbook.optim import clip_grad_norm_, clip_grad_value_

SHAPES = [(3, 4), (5,), (), (2, 2, 2), (0,)]


def parameters(scale=1.0, dtypes=(torch.float64,)):
    g = torch.Generator().manual_seed(0)
    found = []
    for i, shape in enumerate(SHAPES):
        p = torch.zeros(shape, dtype=dtypes[i % len(dtypes)], requires_grad=True)
        p.grad = (scale * torch.randn(shape, generator=g)).to(p.dtype)
        found.append(p)
    return [*found, torch.zeros(3, requires_grad=True)]  # one has no gradient


def assert_same(ours, theirs, tolerance=1e-14):
    for a, b in zip(ours, theirs, strict=True):
        if b.grad is None:
            assert a.grad is None
        else:
            assert torch.allclose(a.grad, b.grad, rtol=tolerance, atol=0, equal_nan=True)


@pytest.mark.parametrize("p", [2.0, 1.0, 0.5, 3.0, math.inf, "inf"])
@pytest.mark.parametrize("bound", [0.0, 0.3, 5.0, 1e6])
def test_norms_are_clipped_as_torchs(p, bound):
    ours, theirs = parameters(), parameters()
    found = clip_grad_norm_(ours, bound, p)
    full = [q for q in theirs if q.numel()]  # torch has no infinite norm of nothing
    expected = utils.clip_grad_norm_(full, bound, p)
    assert found.item() == pytest.approx(expected.item(), rel=1e-14)
    assert_same(ours, theirs)
    strung = torch.cat([q.grad.flatten() for q in ours if q.grad is not None])
    assert torch.linalg.vector_norm(strung, float(p)) <= max(bound, 0) + 1e-12


def test_the_direction_stays_and_short_gradients_too():
    ours, before = parameters(), parameters()
    norm = clip_grad_norm_(iter(ours), 1.0)
    for a, b in zip(ours[:5], before):
        assert torch.allclose(a.grad * (norm + 1e-6), b.grad, rtol=1e-12)
    ours = parameters()
    clip_grad_norm_(ours, 1e9)
    assert_same(ours, before, 0)


def test_types_mix():
    kinds = (torch.float32, torch.float64, torch.bfloat16)
    ours, theirs = parameters(dtypes=kinds), parameters(dtypes=kinds)
    found, expected = clip_grad_norm_(ours, 0.5), utils.clip_grad_norm_(theirs, 0.5)
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)
    for a, b in zip(ours[:5], theirs):
        assert a.grad.dtype == b.grad.dtype
        assert torch.allclose(a.grad, b.grad, rtol=1e-2 if a.dtype == torch.bfloat16 else 1e-5)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_norms_that_are_not_finite(value):
    ours, theirs = parameters(), parameters()
    for params in (ours, theirs):
        params[0].grad[0, 0] = value
    before = [p.grad.clone() for p in ours[:5]]
    with pytest.raises(RuntimeError, match="clip_grad_norm_: expects gradients of finite norm"):
        clip_grad_norm_(ours, 1.0, error_if_nonfinite=True)
    for p, old in zip(ours, before):
        assert torch.equal(p.grad.nan_to_num(9), old.nan_to_num(9)), "refused, yet changed"
    clip_grad_norm_(ours, 1.0)
    utils.clip_grad_norm_(theirs, 1.0)
    assert_same(ours, theirs)


@pytest.mark.parametrize("bound", [0.0, 0.2, 100.0])
def test_values_are_clipped_as_torchs(bound):
    ours, theirs = parameters(3.0), parameters(3.0)
    assert clip_grad_value_(ours, bound) is None
    utils.clip_grad_value_(theirs, bound)
    assert_same(ours, theirs, 0)


def test_one_tensor_and_none():
    w = torch.zeros(2, requires_grad=True)
    assert clip_grad_norm_(w, 1.0).item() == 0
    assert clip_grad_norm_([], 1.0).item() == 0
    clip_grad_value_(w, 1.0)
    w.grad = torch.tensor([3.0, 4.0])
    assert clip_grad_norm_(w, 2.5).item() == 5
    assert torch.allclose(w.grad, torch.tensor([1.5, 2.0]))


@pytest.mark.parametrize("name", ["clip_grad_norm_", "clip_grad_value_"])
def test_signatures_are_torchs(name):
    import dlbook.optim

    ours = inspect.signature(getattr(dlbook.optim, name)).parameters
    theirs = dict(inspect.signature(getattr(utils, name)).parameters)
    theirs.pop("foreach")
    assert list(ours) == list(theirs)
    for parameter in ours.values():
        assert parameter.default == theirs[parameter.name].default


def test_bounds_outside_their_range():
    w = torch.zeros(2, requires_grad=True)
    with pytest.raises(ValueError, match="clip_grad_norm_: max_norm expects a number >= 0, got -1"):
        clip_grad_norm_(w, -1.0)
    with pytest.raises(ValueError, match="clip_grad_norm_: max_norm expects a number >= 0, got na"):
        clip_grad_norm_(w, math.nan)
    with pytest.raises(ValueError, match="norm_type expects a number > 0 or inf, got 0"):
        clip_grad_norm_(w, 1.0, 0)
    with pytest.raises(ValueError, match="clip_grad_value_: clip_value expects a number >= 0"):
        clip_grad_value_(w, -0.5)

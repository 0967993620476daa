"""dlbook.optim: what the registry's rows cannot say of the rules themselves."""

import copy
import math

import pytest
import torch

from dlbook import optim
from dlbook.optim import base
from dlbook.optim.muon import newton_schulz

FIRST_ORDER = {
    "SGD": {"momentum": 0.9},
    "Adagrad": {},
    "RMSprop": {"momentum": 0.9, "centered": True},
    "Adadelta": {},
    "Adam": {"amsgrad": True},
    "AdamW": {},
    "Adamax": {},
    "NAdam": {},
    "RAdam": {},
    "Lion": {},
    "Muon": {},
}


def weights(*shapes, dtype=torch.float64, seed=0):
    g = torch.Generator().manual_seed(seed)
    found = []
    for shape in shapes:
        p = torch.randn(shape, generator=g, dtype=torch.float64).to(dtype).requires_grad_()
        p.grad = torch.randn(shape, generator=g, dtype=torch.float64).to(dtype)
        found.append(p)
    return found


# --- momentum in a ravine ------------------------------------------------------------------------


def factor(kappa, steps=300, **settings):
    """By which factor a step shrinks the way to the minimum, in the long run.

    The loss is a quadratic with curvatures from 1 to kappa.
    """
    curvatures = torch.tensor([1.0, math.sqrt(kappa), kappa], dtype=torch.float64)
    w = torch.ones(3, dtype=torch.float64, requires_grad=True)
    optimizer = optim.SGD([w], **settings)
    lengths = []
    for _ in range(2 * steps):
        w.grad = curvatures * w.detach()
        optimizer.step()
        lengths.append(w.detach().abs().max().item())  # squares would be too small
    return (lengths[2 * steps - 1] / lengths[steps - 1]) ** (1 / steps)


@pytest.mark.parametrize("kappa", [10.0, 100.0, 1000.0])
def test_momentum_beats_gradient_descent_by_the_predicted_factor(kappa):
    """Polyak's rates: the best for a quadratic, with momentum and without."""
    root = math.sqrt(kappa)
    plain, heavy = (kappa - 1) / (kappa + 1), (root - 1) / (root + 1)
    found = factor(kappa, lr=2 / (kappa + 1))
    assert found == pytest.approx(plain, rel=1e-3)
    momentum, lr = heavy**2, 4 / (1 + root) ** 2
    found = factor(kappa, lr=lr, momentum=momentum)
    assert found == pytest.approx(heavy, rel=0.02)
    assert math.log(plain) / math.log(found) < 1.1 / root, "as many steps as the roots say"


def test_other_rates_are_worse_than_the_best():
    kappa = 100.0
    best = factor(kappa, lr=2 / (kappa + 1))
    for lr in (1.9 / (kappa + 1), 2.01 / (kappa + 1)):
        assert factor(kappa, lr=lr) > best
    heavy = (math.sqrt(kappa) - 1) / (math.sqrt(kappa) + 1)
    lr = 4 / (1 + math.sqrt(kappa)) ** 2
    best = factor(kappa, lr=lr, momentum=heavy**2)
    for momentum in (heavy**2 - 0.1, heavy**2 + 0.1):
        assert factor(kappa, lr=lr, momentum=momentum) > best


def test_nesterov_is_the_gradient_at_the_place_ahead():
    """PyTorch's form is Nesterov's method seen from the place ahead: θ = w − η μ v."""
    curvatures = torch.tensor([1.0, 30.0], dtype=torch.float64)
    lr, mu = 0.03, 0.8
    theta = torch.ones(2, dtype=torch.float64, requires_grad=True)
    optimizer = optim.SGD([theta], lr=lr, momentum=mu, nesterov=True)
    w, v = torch.ones(2, dtype=torch.float64), torch.zeros(2, dtype=torch.float64)
    for _ in range(50):
        theta.grad = curvatures * theta.detach()
        optimizer.step()
        v = mu * v + curvatures * (w - lr * mu * v)  # the gradient where momentum leads
        w = w - lr * v
        assert torch.allclose(theta.detach(), w - lr * mu * v, rtol=0, atol=1e-13)


# --- weight decay --------------------------------------------------------------------------------


def test_decay_through_the_gradient_is_divided_with_it():
    """Adam's penalty hardly shrinks a weight with large gradients, AdamW's decay shrinks all."""
    left = {}
    for name in ("Adam", "AdamW"):
        w = torch.ones(2, dtype=torch.float64, requires_grad=True)
        twin = torch.ones(2, dtype=torch.float64, requires_grad=True)
        decayed = getattr(optim, name)([w], lr=1e-3, weight_decay=0.1)
        plain = getattr(optim, name)([twin], lr=1e-3, weight_decay=0.0)
        g = torch.Generator().manual_seed(0)
        for _ in range(300):
            noise = torch.randn(2, generator=g, dtype=torch.float64) * torch.tensor([1.0, 100.0])
            for p, optimizer in ((w, decayed), (twin, plain)):
                p.grad = noise.clone()
                optimizer.step()
        left[name] = (twin - w).detach()
    small, large = left["Adam"].tolist()
    assert small > 50 * large
    small, large = left["AdamW"].tolist()
    assert small == pytest.approx(large, rel=0.1)
    assert small == pytest.approx(1 - (1 - 1e-4) ** 300, rel=0.1)


def test_an_adamw_stays_one_whatever_it_loads():
    (w,) = weights((2,))
    adam, adamw = optim.Adam([w]), optim.AdamW([w])
    adamw.load_state_dict(adam.state_dict())
    assert adamw.param_groups[0]["decoupled_weight_decay"]
    adam.load_state_dict(optim.AdamW([w]).state_dict())
    assert adam.param_groups[0]["decoupled_weight_decay"], "as in PyTorch"


# --- the round of a step -------------------------------------------------------------------------


@pytest.mark.parametrize("name", FIRST_ORDER)
def test_bunches_change_nothing(name, monkeypatch):
    shapes = [(3, 4), (5, 2), (1, 1), (2, 6), (7, 3)]
    results = []
    for most in (1, 13, 2**18):
        monkeypatch.setattr(base, "BUNCH", most)
        params = weights(*shapes)
        optimizer = getattr(optim, name)(params, lr=0.1, **FIRST_ORDER[name])
        for _ in range(8):
            optimizer.step()
            for p in params:
                p.grad = p.grad * 0.9 + 0.1 * p.detach()
        results.append([p.detach().clone() for p in params])
    for other in results[1:]:
        for a, b in zip(results[0], other):
            assert torch.equal(a, b)


@pytest.mark.parametrize("name", FIRST_ORDER)
def test_parameters_count_their_own_steps(name):
    """One that joins late is treated as at its beginning: as if it were alone."""
    early, late = weights((2, 2), (2, 2))
    alone = late.detach().clone().requires_grad_()
    gradient = late.grad
    kind = getattr(optim, name)
    both = kind([early, late], lr=0.1, **FIRST_ORDER[name])
    single = kind([alone], lr=0.1, **FIRST_ORDER[name])
    late.grad = None
    before = late.detach().clone()
    for _ in range(7):
        both.step()
    assert torch.equal(late.detach(), before)
    for _ in range(3):
        late.grad, alone.grad = gradient.clone(), gradient.clone()
        both.step()
        single.step()
    assert torch.equal(late.detach(), alone.detach())


@pytest.mark.parametrize("name", FIRST_ORDER)
def test_gradients_and_what_is_given_stay_as_they_are(name):
    params = weights((3, 2), (2, 4))
    before = [p.grad.clone() for p in params]
    settings = {"weight_decay": 0.1, **FIRST_ORDER[name]}
    if name != "Muon":
        settings["maximize"] = True
    optimizer = getattr(optim, name)(params, lr=0.1, **settings)
    for _ in range(3):
        assert optimizer.step() is None
    for p, old in zip(params, before):
        assert torch.equal(p.grad, old)


@pytest.mark.parametrize("name", FIRST_ORDER)
def test_groups_hooks_closures_and_copies(name):
    a, b = weights((2, 2), (2, 2))
    kind = getattr(optim, name)
    optimizer = kind([{"params": [a], "lr": 0.0, "weight_decay": 0.0}], lr=0.1)
    optimizer.add_param_group({"params": [b]})
    with pytest.raises(ValueError, match=f"{name}: lr expects a finite number >= 0, got -1"):
        optimizer.add_param_group({"params": weights((2, 2)), "lr": -1})
    assert len(optimizer.param_groups) == 2
    seen = []
    optimizer.register_step_post_hook(lambda *_: seen.append(1))
    old = a.detach().clone(), b.detach().clone()
    assert optimizer.step(lambda: 4.5) == 4.5
    assert torch.equal(a, old[0])
    assert not torch.equal(b, old[1])
    assert seen == [1]
    copied = copy.deepcopy(optimizer)
    assert copied.state_dict()["param_groups"] == optimizer.state_dict()["param_groups"]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", FIRST_ORDER)
def test_shorter_types(name, dtype):
    """The memory has the parameters' type, the steps are about those of float64."""
    short, long = weights((4, 4), dtype=dtype), weights((4, 4))
    long[0].data = short[0].data.double()
    kind = getattr(optim, name)
    optimizers = [kind(p, lr=1e-2, **FIRST_ORDER[name]) for p in (short, long)]
    for _ in range(5):
        for (p,) in (short, long):
            p.grad = p.detach().clone()
        for optimizer in optimizers:
            optimizer.step()
    for key, value in optimizers[0].state[short[0]].items():
        assert value.dtype == (torch.float32 if key in ("step", "mu_product") else dtype)
    unit = torch.finfo(dtype).eps
    gap = (short[0].double() - long[0]).abs().max()
    assert gap < (40 if name == "Muon" else 12) * unit


@pytest.mark.cuda
@pytest.mark.parametrize("name", FIRST_ORDER)
def test_cuda_walks_the_same_way(name):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    near = weights((4, 4), (2, 3))
    far = [p.detach().cuda().requires_grad_() for p in near]
    kind = getattr(optim, name)
    optimizers = [kind(p, lr=0.05, **FIRST_ORDER[name]) for p in (near, far)]
    for _ in range(10):
        for params, optimizer in zip((near, far), optimizers):
            for p in params:
                p.grad = p.detach() * torch.arange(1.0, p.shape[1] + 1, device=p.device)
            optimizer.step()
    for a, b in zip(near, far):
        assert (a - b.cpu()).abs().max() < 1e-9


# --- Lion ----------------------------------------------------------------------------------------


def test_lions_steps_are_of_one_length():
    (w,) = weights((5, 7))
    optimizer = optim.Lion([w], lr=0.01)
    for _ in range(4):
        before = w.detach().clone()
        optimizer.step()
        assert torch.allclose((w.detach() - before).abs(), torch.full_like(w, 0.01))
    w.grad[0] = 0.0
    optimizer = optim.Lion([w], lr=0.01)
    before = w.detach().clone()
    optimizer.step()
    assert torch.equal(w.detach()[0], before[0]), "no gradient, no sign"


# --- Muon ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(16, 16), (8, 32), (32, 8), (1, 6), (6, 1)])
@pytest.mark.parametrize("settings", [{}, {"nesterov": False}, {"adjust_lr_fn": "match_rms_adamw"}])
def test_muon_is_torchs_up_to_bfloat16(shape, settings):
    ours, theirs = weights(shape, dtype=torch.float32), weights(shape, dtype=torch.float32)
    start = ours[0].detach().clone()
    optim.Muon(ours, lr=0.1, **settings).step()
    torch.optim.Muon(theirs, lr=0.1, **settings).step()
    step, other = (p[0].detach() - start * (1 - 0.1 * 0.1) for p in (ours, theirs))
    unit = torch.finfo(torch.bfloat16).eps
    assert (step - other).norm() < 4 * unit * other.norm()


@pytest.mark.parametrize("ours_first", [True, False])
def test_muon_exchanges_its_state_with_torchs(ours_first):
    kinds = (optim.Muon, torch.optim.Muon) if ours_first else (torch.optim.Muon, optim.Muon)
    params = weights((4, 3), dtype=torch.float32)
    first = kinds[0](params, lr=0.01, momentum=0.8)
    first.step()
    second = kinds[1](params, lr=0.5)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    buffer = 0.2 * params[0].grad
    assert torch.allclose(second.state[params[0]]["momentum_buffer"], buffer)
    second.step()
    buffer = 0.8 * buffer + 0.2 * params[0].grad
    assert torch.allclose(second.state[params[0]]["momentum_buffer"], buffer)
    keys = second.state_dict()["param_groups"][0].keys()
    assert keys == first.state_dict()["param_groups"][0].keys()


@pytest.mark.parametrize("shape", [(6, 6), (3, 9), (9, 3)])
def test_newton_schulz_moves_every_singular_value_alone(shape):
    (m,) = weights(shape)
    u, values, vh = torch.linalg.svd(m.detach(), full_matrices=False)
    sigma = values / values.norm()
    for _ in range(5):
        sigma = 3.4445 * sigma - 4.7750 * sigma**3 + 2.0315 * sigma**5
    assert torch.allclose(newton_schulz(m.detach()), u @ sigma.diag() @ vh, rtol=0, atol=1e-12)
    assert sigma.min() > 0.6
    assert sigma.max() < 1.25
    exact = newton_schulz(m.detach(), 40, (15 / 8, -10 / 8, 3 / 8))
    assert torch.allclose(exact, u @ vh, rtol=0, atol=1e-10)


def test_newton_schulz_of_nothing_is_nothing():
    assert torch.equal(newton_schulz(torch.zeros(2, 3)), torch.zeros(2, 3))


def test_muon_takes_matrices_only():
    with pytest.raises(ValueError, match=r"Muon: params expects matrices, got one of shape \(2,\)"):
        optim.Muon(weights((2, 2), (2,)))
    optimizer = optim.Muon(weights((2, 2)))
    with pytest.raises(ValueError, match="params expects matrices"):
        optimizer.add_param_group({"params": weights((2, 2, 2))})
    assert len(optimizer.param_groups) == 1


# --- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*FIRST_ORDER, "LBFGS", "Newton"])
@pytest.mark.parametrize("lr", [-0.1, math.nan, math.inf, torch.ones(2)])
def test_bad_rates_are_refused_at_construction(name, lr):
    with pytest.raises(ValueError, match=f"{name}: lr expects a"):
        getattr(optim, name)(weights((2, 2)), lr=lr)


@pytest.mark.parametrize("name", ["Adam", "AdamW", "Adamax", "NAdam", "RAdam", "Lion"])
@pytest.mark.parametrize("betas", [(1.0, 0.9), (0.9, -0.1), (0.9, math.nan)])
def test_bad_betas_are_refused_in_groups_too(name, betas):
    with pytest.raises(ValueError, match=rf"{name}: betas expects two numbers in \[0, 1\), got"):
        getattr(optim, name)([{"params": weights((2, 2)), "betas": betas}])


@pytest.mark.parametrize("name", [*FIRST_ORDER, "LBFGS", "Newton"])
def test_no_parameters(name):
    with pytest.raises(ValueError, match="empty"):
        getattr(optim, name)([])

"""dlbook.optim.LBFGS and Newton: on Rosenbrock's valley, on quadratics, at saddles."""

import copy
import itertools

import pytest
import torch
from torch import nn

from dlbook.optim import LBFGS, Newton
from dlbook.train import fit

START = (-1.2, 1.0)


def rosenbrock(w):
    return (1 - w[0]) ** 2 + 100 * (w[1] - w[0] ** 2) ** 2


def place(*values):
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


def asking(optimizer, w, loss=rosenbrock):
    """A closure that counts its calls, and its count."""
    calls = []

    def closure():
        calls.append(w.detach().clone())
        optimizer.zero_grad()
        value = loss(w)
        value.backward()
        return value.detach()

    return closure, calls


def quadratic(n, seed=0):
    """A convex quadratic, its matrix and its minimum."""
    g = torch.Generator().manual_seed(seed)
    root = torch.randn(n, n, generator=g, dtype=torch.float64)
    matrix = root @ root.T + 0.1 * torch.eye(n, dtype=torch.float64)
    minimum = torch.randn(n, generator=g, dtype=torch.float64)
    return (lambda w: 0.5 * (w - minimum) @ matrix @ (w - minimum)), matrix, minimum


# --- L-BFGS --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings",
    [
        {"line_search_fn": "strong_wolfe"},
        {"line_search_fn": "strong_wolfe", "history_size": 1},
        {"line_search_fn": "strong_wolfe", "lr": 0.1, "max_iter": 5, "max_eval": 7},
        {"line_search_fn": "strong_wolfe", "lr": 5.0, "max_iter": 6},
        {"lr": 1e-3, "max_iter": 4},
        {"lr": 0.2, "tolerance_change": 1e-3, "tolerance_grad": 1e-2},
    ],
    ids=str,
)
def test_rosenbrock_is_walked_as_by_torch(settings):
    paths = []
    for kind in (LBFGS, torch.optim.LBFGS):
        w = place(*START)
        optimizer = kind([w], **settings)
        closure, calls = asking(optimizer, w)
        losses = [float(optimizer.step(closure)) for _ in range(8)]
        state = optimizer.state[w]
        paths.append((torch.stack(calls), losses, state["func_evals"], state["n_iter"]))
    (ours, our_losses, *ours_count), (theirs, their_losses, *their_count) = paths
    assert ours_count == their_count
    assert ours_count[0] == len(ours)
    assert torch.allclose(ours, theirs, rtol=1e-10, atol=1e-10)
    assert our_losses == pytest.approx(their_losses, rel=1e-10)


def test_rosenbrock_is_solved_in_few_questions():
    w = place(*START)
    settings = {"line_search_fn": "strong_wolfe", "tolerance_change": 1e-14}
    optimizer = LBFGS([w], max_iter=100, max_eval=200, **settings)
    closure, calls = asking(optimizer, w)
    optimizer.step(closure)
    assert (w - 1).abs().max() < 1e-6
    assert len(calls) < 60
    before = len(calls)
    optimizer.step(closure)  # at the minimum there is nothing left to do
    assert len(calls) <= before + 3


def test_a_quadratic_takes_about_as_many_steps_as_it_has_dimensions():
    loss, _, minimum = quadratic(6)
    w = place(*[0.0] * 6)
    settings = {"tolerance_grad": 1e-9, "tolerance_change": 0.0, "line_search_fn": "strong_wolfe"}
    optimizer = LBFGS([w], max_iter=40, max_eval=100, **settings)
    optimizer.step(asking(optimizer, w, loss)[0])
    assert (w - minimum).abs().max() < 1e-7
    assert optimizer.state[w]["n_iter"] <= 25


def test_every_new_pair_fulfils_the_secant_condition():
    """The direction for the gradient y must be -s: B y = s."""
    loss, _, _ = quadratic(5)
    w = place(*[1.0] * 5)
    optimizer = LBFGS([w], max_iter=4, line_search_fn="strong_wolfe")
    closure, _ = asking(optimizer, w, loss)
    optimizer.step(closure)
    state = optimizer.state[w]
    y, s = state["old_dirs"][-1], state["old_stps"][-1]
    again = {**state, "prev_flat_grad": torch.zeros_like(y), "d": torch.zeros_like(y)}
    for name in ("old_dirs", "old_stps", "ro"):
        again[name] = list(state[name])
    direction = optimizer._direction(y, again, 100)  # d = 0 is no pair: none is added
    assert len(again["ro"]) == len(state["ro"])
    assert torch.allclose(direction, -s, rtol=1e-10, atol=1e-12)


def test_steps_fulfil_the_strong_wolfe_conditions():
    w = place(*START)
    optimizer = LBFGS([w], max_iter=1, max_eval=50, line_search_fn="strong_wolfe")
    closure, _ = asking(optimizer, w)
    for _ in range(25):
        before = w.detach().clone()
        old = float(optimizer.step(closure))
        slope = torch.autograd.functional.jacobian(rosenbrock, before)
        new_slope = torch.autograd.functional.jacobian(rosenbrock, w.detach())
        d = w.detach() - before
        if d.abs().max() < 1e-6:
            break
        assert float(rosenbrock(w.detach())) <= old + 1e-4 * float(slope @ d)
        assert abs(float(new_slope @ d)) <= 0.9 * abs(float(slope @ d)) + 1e-15


def test_several_tensors_are_one_vector():
    loss, _, minimum = quadratic(6)
    parts = [place(0.0), torch.zeros(2, 2, dtype=torch.float64, requires_grad=True), place(0.0)]
    idle = place(7.0)
    optimizer = LBFGS([*parts, idle], max_iter=60, line_search_fn="strong_wolfe", max_eval=99)

    def closure():
        optimizer.zero_grad()
        value = loss(torch.cat([p.reshape(-1) for p in parts]))
        value.backward()
        return value

    optimizer.step(closure)
    assert (torch.cat([p.detach().reshape(-1) for p in parts]) - minimum).abs().max() < 1e-4
    assert idle.item() == 7.0


def test_lbfgs_trains_in_fit():
    g = torch.Generator().manual_seed(0)
    x = torch.randn(40, 3, generator=g)
    y = x @ torch.tensor([[1.0], [-2.0], [0.5]]) + 3
    torch.manual_seed(0)
    model = nn.Linear(3, 1)
    optimizer = LBFGS(model.parameters(), line_search_fn="strong_wolfe")
    history = fit(model, nn.MSELoss(), optimizer, (x, y), epochs=2, batch_size=40, seed=0)
    assert history.train["loss"][-1] < 1e-9


def test_closures_are_asked_for():
    for kind in (LBFGS, Newton):
        with pytest.raises(TypeError, match=f"{kind.__name__}: step expects a closure"):
            kind([place(1.0)]).step()


# --- Newton --------------------------------------------------------------------------------------


def test_a_quadratic_takes_one_step():
    loss, matrix, minimum = quadratic(8)
    w = place(*[5.0] * 8)
    optimizer = Newton([w])
    start = loss(w).item()
    assert float(optimizer.step(lambda: loss(w))) == start
    assert (w - minimum).abs().max() < 1e-9 * torch.linalg.cond(matrix)
    assert optimizer.state[w] == {"func_evals": 1, "n_iter": 1}


@pytest.mark.parametrize("damping", [0.0, 0.3, 10.0])
def test_damping_is_added_to_the_hessian(damping):
    loss, matrix, minimum = quadratic(4)
    w = place(*[2.0] * 4)
    gradient = matrix @ (w.detach() - minimum)
    inverse = torch.linalg.inv(matrix + damping * torch.eye(4, dtype=torch.float64))
    expected = w.detach() - 0.5 * inverse @ gradient
    Newton([w], lr=0.5, damping=damping).step(lambda: loss(w))
    assert torch.allclose(w.detach(), expected, rtol=1e-9, atol=1e-12)


def test_the_hessian_is_torchs():
    w = place(*START)
    gradient, hessian = Newton([w])._derivatives(rosenbrock(w))
    x = w.detach()
    assert torch.allclose(gradient, torch.autograd.functional.jacobian(rosenbrock, x))
    assert torch.allclose(hessian, torch.autograd.functional.hessian(rosenbrock, x))
    gradient, hessian = Newton([w])._derivatives((3 * w).sum())
    assert torch.equal(hessian, torch.zeros(2, 2, dtype=torch.float64))
    assert gradient.tolist() == [3.0, 3.0]


def test_right_digits_double_near_a_minimum():
    """For exp(w) - w, with its minimum at 0, the next gap is half the square of this one."""
    w = place(0.4)
    optimizer = Newton([w])
    gaps = [0.4]
    for _ in range(5):
        optimizer.step(lambda: (w.exp() - w).sum())
        gaps.append(abs(w.item()))
    settled = [(a, b) for a, b in itertools.pairwise(gaps) if b > 1e-12]
    assert len(settled) >= 3
    for a, b in settled:
        assert b == pytest.approx(a**2 / 2, rel=0.4 * a + 1e-3)
    assert gaps[-1] < 1e-15


def test_rosenbrock_downhill():
    w = place(*START)
    optimizer = Newton([w], line_search_fn="backtracking")
    losses = [float(optimizer.step(lambda: rosenbrock(w))) for _ in range(30)]
    assert all(b <= a for a, b in itertools.pairwise(losses))
    assert (w - 1).abs().max() < 1e-10
    assert optimizer.state[w]["func_evals"] < 90


def saddle(w):
    return w[0] ** 2 - w[1] ** 2 + w[1] ** 4


def test_pure_newton_is_drawn_to_a_saddle_and_downhill_is_not():
    w = place(1.0, 0.1)
    pure = Newton([w])
    for _ in range(8):
        pure.step(lambda: saddle(w))
    assert w.detach().abs().max() < 1e-8
    w = place(1.0, 0.1)
    down = Newton([w], line_search_fn="backtracking")
    for _ in range(30):
        down.step(lambda: saddle(w))
    assert w[0].abs() < 1e-6
    assert w[1].item() == pytest.approx(0.5**0.5, abs=1e-6)


def test_a_singular_hessian_is_refused_or_damped():
    w = place(1.0, 2.0)
    with pytest.raises(RuntimeError, match="Newton: expects a Hessian that can be inverted"):
        Newton([w]).step(lambda: (w.sum() - 1) ** 2)
    assert w.tolist() == [1.0, 2.0]
    Newton([w], damping=1e-6).step(lambda: (w.sum() - 1) ** 2)
    assert w.sum().item() == pytest.approx(1.0, abs=1e-5)
    w = place(1.0, 2.0)
    Newton([w], line_search_fn="backtracking").step(lambda: (w.sum() - 1) ** 2)
    assert w.sum().item() == pytest.approx(1.0, abs=1e-2)


def test_closures_that_spoil_the_graph_are_refused():
    w = place(1.0)
    optimizer = Newton([w])

    def backward():
        loss = (w**2).exp().sum()
        loss.backward()
        return loss

    with pytest.raises(RuntimeError, match="closure expects to return the loss without calling"):
        optimizer.step(backward)
    with pytest.raises(RuntimeError, match="with its graph, got a tensor without one"):
        optimizer.step(lambda: (w**2).sum().detach())
    with pytest.raises(RuntimeError, match="with its graph, got float"):
        optimizer.step(lambda: 3.0)


def test_newton_meets_infinity():
    w = place(1.0)
    with pytest.raises(RuntimeError, match="Newton: expects finite derivatives"):
        Newton([w], line_search_fn="backtracking").step(lambda: (w / 0).sum())


def test_newton_refuses_complex_gradients():
    w = torch.ones(2, dtype=torch.complex64, requires_grad=True)
    with pytest.raises(RuntimeError, match="Newton: expects dense real gradients"):
        Newton([w]).step(lambda: w.abs().sum())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"damping": -1.0}, "damping expects a finite number >= 0, got -1.0"),
        ({"line_search_fn": "strong_wolfe"}, "line_search_fn expects None or 'backtracking', got"),
    ],
)
def test_newtons_settings(settings, message):
    with pytest.raises(ValueError, match=f"Newton: {message}"):
        Newton([place(1.0)], **settings)
    with pytest.raises(ValueError, match="Newton: params expects one group, got another one"):
        Newton([{"params": [place(1.0)]}, {"params": [place(2.0)]}])


def test_newtons_state_goes_on():
    w = place(*START)
    first = Newton([w], damping=0.1, line_search_fn="backtracking")
    first.step(lambda: rosenbrock(w))
    second = Newton([w])
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    second.step(lambda: rosenbrock(w))
    assert second.state[w]["n_iter"] == 2
    assert second.param_groups[0]["damping"] == 0.1

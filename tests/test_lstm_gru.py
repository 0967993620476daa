"""What the chapter on LSTM and GRU says, beyond what its page computes."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from dlbook import nn, ops
from dlbook.data import sequences
from dlbook.optim import Adam

SETTINGS = [
    (nn.RNN, 0.0, 0.0),
    (nn.LSTM, 0.0, 0.0),
    (nn.LSTM, 4.0, -4.0),
    (nn.GRU, 0.0, 0.0),
    (nn.GRU, 4.0, 0.0),
]


def build(kind: Any, keep: float, write: float, seed: int, units: int) -> Any:
    torch.manual_seed(seed)
    layer = kind(4, units, dtype=torch.float64)
    with torch.no_grad():
        layer.bias_ih_l0.zero_()
        layer.bias_hh_l0.zero_()
        if kind is not nn.RNN:
            layer.bias_ih_l0[units : 2 * units] = keep
        if kind is nn.LSTM:
            layer.bias_ih_l0[:units] = write
    return layer


def at_rest(layer: Any, keep: float, write: float) -> Tensor:
    """The matrix by which one step multiplies, as the page derives it."""
    u, n = layer.weight_hh_l0.detach(), layer.hidden_size
    f, i = (1 / (1 + math.exp(-b)) for b in (keep, write))
    eye = torch.eye(n, dtype=torch.float64)
    if isinstance(layer, nn.LSTM):
        return f * eye + i * 0.5 * u[2 * n : 3 * n]
    return u if isinstance(layer, nn.RNN) else f * eye + (1 - f) * 0.5 * u[2 * n :]


@pytest.mark.parametrize(("kind", "keep", "write"), SETTINGS)
def test_a_step_at_rest_is_that_matrix(kind: Any, keep: float, write: float) -> None:
    """The derivative of one step at zero, by the tape of PyTorch, entry by entry."""
    layer = build(kind, keep, write, 0, 8)
    x = torch.zeros(1, 1, 4, dtype=torch.float64)

    def step(state: Tensor) -> Tensor:
        if kind is not nn.LSTM:
            return layer(x, state[None, None])[1][0, 0]
        # the state shows the cell by way of a half-open output gate
        pair = (0.5 * torch.tanh(state), state)
        return layer(x, tuple(s[None, None] for s in pair))[1][1][0, 0]

    rest = torch.zeros(8, dtype=torch.float64)
    found = torch.autograd.functional.jacobian(step, rest)
    assert isinstance(found, Tensor)
    torch.testing.assert_close(found, at_rest(layer, keep, write), atol=1e-12, rtol=0)


@pytest.mark.parametrize(("kind", "keep", "write"), SETTINGS)
def test_the_rate_at_rest_predicts_the_measured_one(kind: Any, keep: float, write: float) -> None:
    """With twice the page's units, and other inputs."""
    for seed in range(5):
        layer = build(kind, keep, write, seed, 64)
        draws = torch.Generator().manual_seed(100 + seed)
        x = torch.randn(121, 16, 4, generator=draws).double().requires_grad_()
        y, _ = layer(x)
        (y[-1] * torch.randn(y[-1].shape, generator=draws).double()).sum().backward()
        assert x.grad is not None
        size = x.grad.norm(dim=(1, 2)).flip(0)
        measured = (size[100] / size[20]).item() ** (1 / 80)
        told = torch.linalg.eigvals(at_rest(layer, keep, write)).abs().max().item()
        assert measured == pytest.approx(told, rel=0.1)
        assert measured < told + 0.02


def test_where_gates_keep_the_largest_eigenvalue_takes_long_to_prevail() -> None:
    """Over a hundred steps a power grows nearly as the direct path, and only later as told."""
    gate = 1 / (1 + math.exp(-4))
    soon, late, told = [], [], []
    for seed in range(5):
        step = at_rest(build(nn.LSTM, 4.0, -4.0, seed, 32), 4.0, -4.0)
        size = {k: torch.linalg.matrix_power(step, k).norm().item() for k in (20, 120, 1000, 2000)}
        soon.append((size[120] / size[20]) ** (1 / 100))
        late.append((size[2000] / size[1000]) ** (1 / 1000))
        told.append(torch.linalg.eigvals(step).abs().max().item())
    detour = sum(told) / 5 - gate
    assert 0 < sum(soon) / 5 - gate < 0.5 * detour
    assert abs(sum(late) - sum(told)) / 5 < 0.2 * detour


def test_without_detours_the_gradient_is_the_product_of_forget_gates() -> None:
    """No weights from the state: then the direct path is all there is."""
    draws = torch.Generator().manual_seed(0)
    x, w = torch.randn(9, 3, 4, generator=draws), torch.randn(20, 4, generator=draws)
    x, w = x.double(), w.double()
    c0 = torch.randn(3, 5, generator=draws).double().requires_grad_()
    none = torch.zeros(20, 5, dtype=torch.float64)
    _, _, c = ops.lstm(x, (torch.zeros(3, 5).double(), c0), w, none)
    c.sum().backward()
    forget = torch.sigmoid(x @ w[5:10].mT)
    torch.testing.assert_close(c0.grad, forget.prod(0), atol=1e-12, rtol=0)


def test_a_bias_of_log_u_keeps_one_over_e_over_u_steps() -> None:
    for u in (10.0, 100.0, 1000.0):
        gate = 1 / (1 + math.exp(-math.log(u)))
        assert gate**u == pytest.approx(1 / math.e, rel=0.1)


def error_after(
    kind: Any, rate: float, seed: int, *, orthogonal: bool = False, scales: bool = False
) -> float:
    """The adding problem over 30 steps after 300 updates.

    With ``scales``, an LSTM's biases are those for time scales from 1 to 29 steps.
    """
    torch.manual_seed(seed)
    rnn, head = kind(2, 32, batch_first=True), nn.Linear(32, 1)
    if orthogonal:
        torch.nn.init.orthogonal_(rnn.weight_hh_l0)
    if scales:
        with torch.no_grad():
            b = torch.empty(32).uniform_(1, 29).log()
            rnn.bias_hh_l0.zero_()
            rnn.bias_ih_l0[:32], rnn.bias_ih_l0[32:64] = -b, b
    parameters = [*rnn.parameters(), *head.parameters()]
    optimizer = Adam(parameters, lr=rate)
    data = sequences.adding(32 * 300, 30, seed=seed)
    for x, y in zip(data.x.split(32), data.y.split(32), strict=True):
        cost = (head(rnn(x)[0][:, -1]) - y).square().mean()
        optimizer.zero_grad()
        cost.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
    test = sequences.adding(1000, 30, seed=3_000_000)
    with torch.no_grad():
        return float((head(rnn(test.x)[0][:, -1]) - test.y).square().mean())


@pytest.mark.slow
@pytest.mark.untyped  # annotations checked at every step take long
def test_no_rate_brings_the_simple_network_off_the_plain_in_so_many_updates() -> None:
    """A list that goes beyond the page's, and PyTorch's start as well as an orthogonal one."""
    found = [
        error_after(nn.RNN, rate, 0, orthogonal=orthogonal)
        for rate in (0.001, 0.003, 0.01, 0.03)
        for orthogonal in (False, True)
    ]
    assert sum(e < sequences.ADDING_CHANCE / 2 for e in found) <= 1


@pytest.mark.slow
@pytest.mark.untyped
def test_eight_more_seeds_leave_the_order_but_not_the_certainty() -> None:
    """Biases for the time scales help an LSTM; from the shelf some learn, and every GRU."""
    half = sequences.ADDING_CHANCE / 2

    def solved(kind: Any, rate: float, *, scales: bool = False) -> int:
        found = [error_after(kind, rate, seed, scales=scales) for seed in range(4, 12)]
        return sum(e < half for e in found)

    shelf, biases = solved(nn.LSTM, 0.03), solved(nn.LSTM, 0.03, scales=True)
    assert 1 <= shelf < biases
    assert biases >= 6
    assert solved(nn.GRU, 0.1) >= 7


@pytest.mark.slow
@pytest.mark.untyped
@pytest.mark.parametrize("rate", [0.01, 0.1])
def test_the_order_does_not_hang_on_the_rate(rate: float) -> None:
    """The page's seeds, at rates on both sides of the one the LSTMs have there."""
    half = sequences.ADDING_CHANCE / 2
    shelf, biases = (
        sum(error_after(nn.LSTM, rate, seed, scales=scales) < half for seed in range(4))
        for scales in (False, True)
    )
    assert shelf < biases

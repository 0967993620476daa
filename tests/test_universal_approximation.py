"""Networks set by hand keep their promises, and need the units that they are said to need."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from dlbook.models import (
    box_network,
    cosine_network,
    interpolating_network,
    sawtooth_network,
    square_network,
    staircase_network,
)
from dlbook.models.universal_approximation import HandSet

Function = Callable[[Tensor], Tensor]

# A function, its interval, its largest slope and its largest second derivative there.
CURVES: dict[str, tuple[Function, float, float, float, float]] = {
    "sine": (lambda x: torch.sin(7 * x), 0.0, 1.0, 7.0, 49.0),
    "parabola": (torch.square, -1.0, 2.0, 4.0, 2.0),
    "exponential": (torch.exp, -2.0, 1.5, math.exp(1.5), math.exp(1.5)),
    "steep and shallow": (lambda x: torch.tanh(9 * x), -1.0, 1.0, 9.0, 81 * 4 / 27**0.5),
    "straight": (lambda x: 3 - 2 * x, 0.0, 5.0, 2.0, 0.0),
}
WIDTHS = (1, 2, 3, 10, 47, 200)


def largest(net: HandSet, f: Function, low: float, high: float) -> float:
    x = torch.linspace(low, high, 20_001, dtype=torch.float64)
    with torch.no_grad():
        return (net(x[:, None])[:, 0] - f(x)).abs().max().item()


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", CURVES)
def test_a_staircase_keeps_its_promise(name: str, width: int) -> None:
    f, low, high, slope, _ = CURVES[name]
    for sharpness in (1.0, 4.0, 12.0, 100.0):
        net = staircase_network(f, low, high, width, lipschitz=slope, sharpness=sharpness)
        assert net.units == width
        assert largest(net, f, low, high) <= net.promise * (1 + 1e-9)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", CURVES)
def test_straight_lines_keep_their_promise(name: str, width: int) -> None:
    f, low, high, _, bend = CURVES[name]
    net = interpolating_network(f, low, high, width, curvature=bend)
    assert net.units == width
    assert largest(net, f, low, high) <= net.promise * (1 + 1e-9) + 1e-12
    knots = torch.linspace(low, high, width + 1, dtype=torch.float64)
    torch.testing.assert_close(net(knots[:, None])[:, 0].detach(), f(knots), rtol=0, atol=1e-12)


def test_the_promises_cannot_be_better() -> None:
    """A parabola attains the one, a straight line (nearly) the other."""
    net = interpolating_network(torch.square, 0, 1, 8, curvature=2.0)
    assert largest(net, torch.square, 0, 1) == pytest.approx(net.promise)
    line = staircase_network(lambda x: x, 0, 1, 9, lipschitz=1.0, sharpness=60.0)
    assert largest(line, lambda x: x, 0, 1) == pytest.approx(0.05, rel=1e-3)
    assert line.promise == pytest.approx(0.05, rel=1e-3)


def test_a_wrong_constant_breaks_the_promise() -> None:
    net = interpolating_network(torch.square, 0, 1, 8, curvature=1.0)
    assert largest(net, torch.square, 0, 1) > 1.9 * net.promise


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_boxes_keep_their_promise(dimensions: int) -> None:
    def f(x: Tensor) -> Tensor:
        return torch.cos(x @ torch.arange(1.0, dimensions + 1, dtype=x.dtype))

    slope = math.sqrt(sum(k * k for k in range(1, dimensions + 1)))
    g = torch.Generator().manual_seed(0)
    x = torch.rand(5000, dimensions, dtype=torch.float64, generator=g)
    for pieces in (2, 5, 9):
        net = box_network(f, dimensions, pieces, lipschitz=slope)
        assert net.units == dimensions * (pieces - 1) + pieces**dimensions
        with torch.no_grad():
            got = net(x)[:, 0]
        assert (got - f(x)).abs().max() <= net.promise
        middles = (torch.floor(x * pieces) + 0.5) / pieces  # each box has its middle's value
        torch.testing.assert_close(got, f(middles), rtol=0, atol=1e-12)


def test_waves_keep_their_promise() -> None:
    g = torch.Generator().manual_seed(0)
    frequencies = 8 * torch.randn(12, 3, dtype=torch.float64, generator=g)
    frequencies[0] = 0  # a constant
    amplitudes = torch.randn(12, dtype=torch.float64, generator=g)
    phases = 3 * torch.randn(12, dtype=torch.float64, generator=g)
    x = 3 * torch.rand(2000, 3, dtype=torch.float64, generator=g) - 1
    wanted = (x @ frequencies.T + phases).cos() @ amplitudes
    errors = []
    for width in (5, 20, 80):
        net = cosine_network(frequencies, amplitudes, phases, -1, 2, width)
        assert net.units == 12 * width
        with torch.no_grad():
            errors.append((net(x)[:, 0] - wanted).abs().max().item())
        assert errors[-1] <= net.promise
    assert errors[2] < errors[1] / 10  # four times the knots, a sixteenth of the error


@pytest.mark.parametrize("depth", [1, 2, 5, 9])
def test_folding_doubles_the_teeth(depth: int) -> None:
    net = sawtooth_network(depth)
    assert net.units == 2 * depth
    peaks = torch.arange(2**depth + 1, dtype=torch.float64)
    with torch.no_grad():
        at = net(peaks[:, None] / 2**depth)[:, 0]
        between = net((peaks[:-1, None] + 0.25) / 2**depth)[:, 0]
    assert torch.equal(at, peaks % 2)  # dyadic numbers: exact
    assert torch.equal(between, 0.25 + 0.5 * (peaks[:-1] % 2))


@pytest.mark.parametrize("depth", [1, 2, 5, 10])
def test_squares_keep_their_promise(depth: int) -> None:
    net = square_network(depth)
    assert net.units == 3 * depth
    assert net.promise == 4.0 ** -(depth + 1)
    grid = torch.arange(2 ** (depth + 2) + 1, dtype=torch.float64) / 2 ** (depth + 2)
    with torch.no_grad():
        error = net(grid[:, None])[:, 0] - grid**2
    assert error.max().item() == net.promise  # attained midway between the knots
    assert error.min().item() == 0
    same = interpolating_network(torch.square, 0, 1, 2**depth, curvature=2.0)
    torch.testing.assert_close(net(grid[:, None]), same(grid[:, None]), rtol=0, atol=1e-12)


def test_a_hand_set_network_is_an_ordinary_network() -> None:
    net = interpolating_network(torch.sin, 0, 3, 4, curvature=1.0, dtype=torch.float32)
    other = interpolating_network(torch.cos, 0, 3, 4, curvature=1.0, dtype=torch.float32)
    other.load_state_dict(net.state_dict())
    x = torch.linspace(0, 3, 7)[:, None]
    assert torch.equal(net(x), other(x))
    other(x).sum().backward()
    assert all(p.grad is not None for p in other.parameters())
    assert "promise=" in repr(net)


@pytest.mark.parametrize(
    ("message", "call"),
    [
        (
            "expects finite ends low < high, got 1 and 0",
            lambda: interpolating_network(torch.sin, 1, 0, 3, curvature=1),
        ),
        (
            "width expects at least 1 unit, got 0",
            lambda: staircase_network(torch.sin, 0, 1, 0, lipschitz=1),
        ),
        (
            "curvature expects a finite number >= 0, got -1",
            lambda: interpolating_network(torch.sin, 0, 1, 3, curvature=-1),
        ),
        (
            "sharpness expects a number > 0, got 0",
            lambda: staircase_network(torch.sin, 0, 1, 3, lipschitz=1, sharpness=0),
        ),
        (
            "f expects to be finite on the interval",
            lambda: interpolating_network(torch.log, 0, 1, 3, curvature=1),
        ),
        (
            "f expects to give shape (4,) for places of shape (4,), got ()",
            lambda: staircase_network(torch.sum, 0, 1, 3, lipschitz=1),
        ),
        (
            "at least 1 dimension and 2 pieces, got 0 and 3",
            lambda: box_network(torch.sum, 0, 3, lipschitz=1),
        ),
        (
            "at most a million boxes, got 10**9",
            lambda: box_network(lambda x: x.sum(1), 9, 10, lipschitz=1),
        ),
        (
            "J amplitudes and J phases, got shapes (2, 1), (3,) and (2,)",
            lambda: cosine_network(
                torch.ones(2, 1).double(), torch.ones(3).double(), torch.ones(2).double(), 0, 1, 3
            ),
        ),
        ("depth expects at least 1 layer, got 0", lambda: sawtooth_network(0)),
        ("depth expects at least 1 layer, got -1", lambda: square_network(-1)),
    ],
)
@pytest.mark.untyped
def test_bad_input_is_refused(message: str, call: Callable[[], object]) -> None:
    with pytest.raises(ValueError) as refusal:  # noqa: PT011
        call()
    assert message in str(refusal.value)

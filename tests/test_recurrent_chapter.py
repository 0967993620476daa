"""What the chapter on recurrent networks doesn't run on its page: its claims over five seeds.

Optimisers and losses are PyTorch's: it is the networks that are on trial.
"""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from dlbook import init, models, ops
from dlbook.data import sequences

F64 = torch.float64
SEEDS = range(5)


def learns(test: Callable[[], None]) -> Callable[[], None]:
    """Trains so long that annotations, checked at every step, would take far longer than it."""
    return pytest.mark.slow(pytest.mark.untyped(test))


def series(examples: int, length: int, last: int, seed: int) -> tuple[Tensor, Tensor]:
    """Adding, with both marks in the last so many steps."""
    task = sequences.adding(examples, last, seed=seed)
    unmarked = torch.zeros(examples, length - last, 2)
    unmarked[..., 0].uniform_(generator=torch.Generator().manual_seed(1000 + seed))
    return torch.cat([unmarked, task.x], 1), task.y


def adding_error(
    length: int,
    last: int,
    seed: int,
    rate: float = 0.01,
    steps: int = 400,
    orthogonal: bool = False,
) -> float:
    x, y = series(2000, length, last, 2 * seed)
    unseen = series(600, length, last, 2 * seed + 1)
    torch.manual_seed(seed)
    model = models.ManyToOne(2, 32, 1)
    if orthogonal:
        init.orthogonal_(model.rnn.weight_hh_l0)
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    for _ in range(steps):
        batch = torch.randint(len(x), (50,))
        optimizer.zero_grad()
        functional.mse_loss(model(x[batch]), y[batch]).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    with torch.no_grad():
        return float(functional.mse_loss(model(unseen[0]), unseen[1]))


@learns
def test_distance_and_not_length_keeps_the_network_from_adding() -> None:
    chance = sequences.ADDING_CHANCE
    far = [adding_error(40, 40, seed) for seed in SEEDS]
    late = [adding_error(40, 8, seed) for seed in SEEDS]
    assert sum(error > 0.8 * chance for error in far) >= 4, far
    assert sum(error < 0.5 * chance for error in late) >= 4, late


@learns
def test_small_steps_from_an_orthogonal_start_reach_farther() -> None:
    chance = sequences.ADDING_CHANCE
    turned = [adding_error(40, 40, seed, 0.002, 1600, True) for seed in range(3)]
    usual = [adding_error(40, 40, seed, 0.002, 1600) for seed in range(3)]
    assert sorted(turned)[1] < 0.7 * chance, turned
    assert sorted(usual)[1] > 0.75 * chance, usual


def echo_loss(delay: int, block: int, rate: float, seed: int, length: int = 1500) -> float:
    torch.manual_seed(seed)
    bits = torch.randint(2, (20, length + delay))
    x, y = 2.0 * bits[:, delay:, None] - 1, bits[:, :-delay]
    model = models.ManyToManyAligned(1, 32, 2)
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    state, losses = None, []
    for begin in range(0, length - block + 1, block):
        states, state = model.rnn(x[:, begin : begin + block], state)
        scores = model.head(states).flatten(0, 1)
        loss = functional.cross_entropy(scores, y[:, begin : begin + block].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        state = state.detach()
        losses.append(loss.item())
    tail = losses[-(300 // block) :]
    return sum(tail) / len(tail)


@learns
def test_short_blocks_learn_a_delay_beyond_them_at_a_small_rate_only() -> None:
    kinds = ((5, 0.01), (3, 0.01), (3, 0.001))
    fits, short, slow = ([echo_loss(4, k, rate, seed) for seed in SEEDS] for k, rate in kinds)
    assert sum(loss < 0.2 for loss in fits) >= 4, fits
    assert sum(loss > 0.4 for loss in short) >= 4, short
    assert sum(loss < 0.2 for loss in slow) >= 3, slow


def echo_descent(bound: float, length: int, seed: int, delay: int = 2) -> float:
    torch.manual_seed(seed)
    model = models.ManyToManyAligned(1, 32, 2)
    init.normal_(model.rnn.weight_hh_l0, std=2 / 32**0.5)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.25)
    bits = torch.randint(2, (2400, length))

    def loss_of(part: Tensor) -> Tensor:
        scores = model(2.0 * part[..., None] - 1)[:, delay:]
        return functional.cross_entropy(scores.flatten(0, 1), part[:, :-delay].flatten())

    for _ in range(100):
        optimizer.zero_grad()
        loss_of(bits[torch.randint(2000, (20,))]).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), bound)
        optimizer.step()
    with torch.no_grad():
        return loss_of(bits[2000:]).item()


@learns
def test_length_makes_gradients_explode_and_clipping_mends_it() -> None:
    kinds = ((math.inf, 12), (math.inf, 60), (1.0, 60))
    near, free, clipped = ([echo_descent(*kind, seed) for seed in SEEDS] for kind in kinds)
    assert sum(loss < 0.1 for loss in near) >= 4, near
    assert sum(not loss < math.log(2) for loss in free) >= 3, free
    assert sum(loss < 0.1 for loss in clipped) >= 4, clipped


@pytest.mark.parametrize("gain", [0.6, 0.9, 1.3, 2.0])
def test_the_rate_of_a_gradient_is_gain_times_the_slopes(gain: float) -> None:
    """The chapter's prediction, over five draws of the weights."""
    near = 0
    for seed in SEEDS:
        g = torch.Generator().manual_seed(seed)
        weight = torch.randn(100, 100, dtype=F64, generator=g) * gain / 10
        into = torch.randn(100, 8, dtype=F64, generator=g) * 0.3 / 8**0.5
        inputs = torch.randn(300, 10, 8, dtype=F64, generator=g)
        h, _ = ops.recurrent.rnn_tanh(inputs, None, into, weight)
        slopes = 1 - h**2
        bar = torch.randn(10, 100, dtype=F64, generator=g)
        lengths = []
        for slope in reversed(slopes[-200:]):
            bar = (slope * bar) @ weight
            lengths.append(bar.norm(dim=1).log().mean().exp().item())
        measured = (lengths[199] / lengths[19]) ** (1 / 180)
        predicted = gain * slopes[100:].square().mean().sqrt().item()
        near += abs(predicted / measured - 1) < 0.06
    assert near >= 4


def test_below_one_the_largest_singular_value_bounds_every_gradient() -> None:
    g = torch.Generator().manual_seed(0)
    weight = torch.randn(20, 20, dtype=F64, generator=g)
    weight *= 0.95 / torch.linalg.svdvals(weight).max()
    inputs = 3 * torch.randn(60, 5, 20, dtype=F64, generator=g)
    h, _ = ops.recurrent.rnn_tanh(inputs, None, torch.eye(20, dtype=F64), weight)
    bar = torch.randn(5, 20, dtype=F64, generator=g)
    first = bar.norm(dim=1)
    for n, h_t in enumerate(reversed(h), start=1):
        bar = ((1 - h_t**2) * bar) @ weight
        assert (bar.norm(dim=1) <= 0.95**n * first + 1e-12).all()

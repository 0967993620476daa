"""The memory tasks: what is asked, what chance reaches, and that seeds decide."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch

from dlbook import ops
from dlbook.data import sequences

TASKS: dict[str, Callable[..., Any]] = {
    "adding": lambda n, seed=0: sequences.adding(n, 20, seed=seed),
    "copying": lambda n, seed=0: sequences.copying(n, 15, seed=seed),
    "parity": lambda n, seed=0: sequences.parity(n, 20, seed=seed),
}


@pytest.mark.parametrize("task", TASKS)
def test_a_seed_decides(task: str) -> None:
    first, again, other = (TASKS[task](50, seed=seed) for seed in (3, 3, 4))
    assert torch.equal(first.x, again.x)
    assert torch.equal(first.y, again.y)
    assert not torch.equal(first.x, other.x)


@pytest.mark.parametrize("task", TASKS)
def test_the_global_source_is_left_alone(task: str) -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    TASKS[task](5)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("length", [2, 3, 20, 101])
def test_adding_marks_one_number_in_each_half(length: int) -> None:
    part = sequences.adding(400, length)
    assert part.x.shape == (400, length, 2)
    assert part.y.shape == (400, 1)
    numbers, marks = part.x.unbind(-1)
    assert set(marks.unique().tolist()) <= {0.0, 1.0}
    half = length // 2
    assert bool((marks[:, :half].sum(1) == 1).all() and (marks[:, half:].sum(1) == 1).all())
    assert 0 <= numbers.min() < numbers.max() < 1
    for series, marked, y in zip(numbers.tolist(), marks.tolist(), part.y.flatten().tolist()):
        assert y == pytest.approx(sum(v for v, m in zip(series, marked) if m), abs=1e-6)
    assert bool((marks.sum(0) > 0).all()) or length > 50, "every place is marked now and then"


def test_adding_by_chance() -> None:
    part = sequences.adding(20_000, 10)
    loss = float(ops.mse_loss(torch.ones_like(part.y), part.y))
    assert loss == pytest.approx(sequences.ADDING_CHANCE, rel=0.03)
    assert part.y.mean().item() == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize(("delay", "symbols", "length"), [(1, 8, 10), (7, 3, 2), (30, 8, 10)])
def test_copying_asks_for_what_was_shown(delay: int, symbols: int, length: int) -> None:
    part = sequences.copying(200, delay, symbols=symbols, length=length)
    steps = 2 * length + delay
    assert part.x.shape == part.y.shape == (200, steps)
    assert part.x.dtype == part.y.dtype == torch.int64
    shown = part.x[:, :length]
    assert set(shown.unique().tolist()) == set(range(1, symbols + 1))
    assert torch.equal(part.y[:, -length:], shown)
    assert not part.y[:, :-length].any()
    rest = part.x[:, length:]
    signal = delay - 1  # the last step before the answer
    assert bool((rest[:, signal] == symbols + 1).all())
    assert not rest[:, :signal].any()
    assert not rest[:, signal + 1 :].any()


def test_copying_by_chance() -> None:
    """Certain of the blanks, and even odds on the symbols: by the formula of the cross-entropy."""
    delay, symbols, length = 5, 6, 4
    part = sequences.copying(30, delay, symbols=symbols, length=length)
    scores = torch.full((*part.y.shape, symbols + 1), -math.inf, dtype=torch.float64)
    scores[:, :-length, 0] = 0.0
    scores[:, -length:, 1:] = 0.0
    loss = float(ops.cross_entropy(scores.flatten(0, 1), part.y.flatten()))
    expected = sequences.copying_chance(delay, symbols=symbols, length=length)
    assert loss == pytest.approx(expected, rel=1e-12)


def test_parity_by_counting() -> None:
    part = sequences.parity(100, 12)
    for bits, odd in zip(part.x[..., 0].tolist(), part.y.tolist()):
        assert odd == [sum(map(int, bits[: t + 1])) % 2 for t in range(12)]


def test_parity_by_chance() -> None:
    """The last bit tells nothing about the parity, from the second step on."""
    part = sequences.parity(20_000, 6)
    assert pytest.approx(math.log(2)) == sequences.PARITY_CHANCE
    for bit in (0, 1):
        seen = part.x[:, -1, 0] == bit
        assert part.y[seen, -1].double().mean().item() == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: sequences.adding(0, 5), "adding: expected examples of at least 1, got 0"),
        (lambda: sequences.adding(5, 1), "adding: expected length of at least 2, got 1"),
        (lambda: sequences.copying(5, 0), "copying: expected delay of at least 1, got 0"),
        (lambda: sequences.copying(5, 3, symbols=0), "expected symbols of at least 1, got 0"),
        (lambda: sequences.copying(5, 3, length=0), "expected length of at least 1, got 0"),
        (lambda: sequences.parity(5, 0), "parity: expected length of at least 1, got 0"),
    ],
)
def test_numbers_too_small_are_refused(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()

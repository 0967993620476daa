"""Dropout: moments, masks and modes, which rows cannot say."""

import math
from typing import Any

import pytest
import torch
from torch import Generator, Tensor

import dlbook.nn
from dlbook import ops
from dlbook.autodiff import Tape

F64 = torch.float64


def seeded(seed: int = 0) -> Generator:
    return torch.Generator().manual_seed(seed)


DROPS = {
    "dropout": ((400, 500), 200_000),
    "dropout1d": ((400, 500, 2), 200_000),
    "dropout2d": ((400, 500, 1, 2), 200_000),
    "stochastic_depth": ((200_000, 2), 200_000),
}


def drop(name: str, x: Any, p: float, **more: Any) -> Any:
    if name == "stochastic_depth":
        more["mode"] = "row"
    return getattr(ops, name)(x, p=p, **more)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.8])
@pytest.mark.parametrize("name", DROPS)
def test_expectation_and_variance(name: str, p: float) -> None:
    """Of y = m x at x = 3: mean 3 and variance 9 p / (1 - p), within five standard errors."""
    shape, draws = DROPS[name]
    y = drop(name, torch.full(shape, 3.0, dtype=F64), p, training=True, generator=seeded())
    var = 9 * p / (1 - p)
    fourth = (1 - p) * (3 / (1 - p) - 3) ** 4 + p * 3**4
    assert abs(float(y.mean()) - 3) < 5 * math.sqrt(var / draws)
    # Where both values are equally far from the mean, only the mean's own error is left.
    error = 5 * math.sqrt(max(fourth - var**2, 0) / draws) + 25 * var / draws
    assert abs(float(y.var()) - var) < error
    share = float((y == 0).double().mean())
    assert abs(share - p) < 5 * math.sqrt(p * (1 - p) / draws)
    values = sorted(set(y.flatten().tolist()))
    assert values == pytest.approx([0.0, 3 / (1 - p)])


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_alpha_dropout_keeps_mean_and_variance(p: float) -> None:
    x = torch.randn(400_000, generator=seeded(), dtype=F64)
    y = ops.alpha_dropout(x, p, training=True, generator=seeded(1))
    assert abs(float(y.mean())) < 5 / math.sqrt(len(y))
    assert abs(float(y.var()) - 1) < 0.02
    z = ops.selu(x)  # so it is applied: behind a SELU that keeps them as well
    after = ops.alpha_dropout(z, p, training=True, generator=seeded(1))
    assert abs(float(after.mean())) < 0.02
    assert abs(float(after.var()) - 1) < 0.03


@pytest.mark.parametrize("name", [*DROPS, "alpha_dropout", "feature_alpha_dropout"])
def test_evaluation_and_zero_hand_the_input_on(name: str) -> None:
    x = torch.randn(2, 3, 4, 5) if name != "dropout1d" else torch.randn(2, 3, 4)
    assert drop(name, x, 0.5, training=False) is x
    assert drop(name, x, 0.0, training=True) is x
    assert not drop(name, x, 1.0, training=True).any()


@pytest.mark.parametrize(("name", "shape"), [("dropout1d", (4, 6, 5)), ("dropout2d", (4, 6, 3, 2))])
def test_channels_go_as_a_whole(name: str, shape: tuple[int, ...]) -> None:
    y = drop(name, torch.ones(shape), 0.5, training=True, generator=seeded()).flatten(2)
    assert torch.equal(y.amin(2), y.amax(2))
    assert 0 < int((y[..., 0] == 0).sum()) < 24


def test_modes_of_stochastic_depth() -> None:
    x = torch.ones(64, 3, 2)
    rows = ops.stochastic_depth(x, 0.5, "row", generator=seeded()).flatten(1)
    assert torch.equal(rows.amin(1), rows.amax(1))
    assert set(rows[:, 0].tolist()) == {0.0, 2.0}
    for seed in range(8):
        batch = ops.stochastic_depth(x, 0.5, "batch", generator=seeded(seed))
        assert batch.unique().numel() == 1


@pytest.mark.parametrize("name", [*DROPS, "alpha_dropout", "feature_alpha_dropout"])
def test_a_generator_leaves_the_global_one_alone(name: str) -> None:
    x = torch.ones(3, 4, 5, 2) if name != "dropout1d" else torch.ones(3, 4, 5)
    before = torch.get_rng_state()
    first = drop(name, x, 0.5, training=True, generator=seeded(7))
    again = drop(name, x, 0.5, training=True, generator=seeded(7))
    assert torch.equal(first, again)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(7)
    assert torch.equal(drop(name, x, 0.5, training=True), first)


def test_the_mask_of_the_forward_pass_goes_backwards() -> None:
    x = torch.randn(50, generator=seeded(), dtype=F64)
    tape = Tape()
    v = tape.variable(x)
    y = ops.dropout(v, 0.3, generator=seeded(1))
    x_bar = tape.gradient(y, v, torch.ones(50, dtype=F64))
    torch.testing.assert_close(x_bar * x, y.detach(), rtol=1e-15, atol=0)


def test_vmap_with_one_mask_and_with_many() -> None:
    x = torch.ones(2, 64)
    same = torch.func.vmap(lambda v: ops.dropout(v, 0.5), randomness="same")(x)
    other = torch.func.vmap(lambda v: ops.dropout(v, 0.5), randomness="different")(x)
    assert torch.equal(same[0], same[1])
    assert not torch.equal(other[0], other[1])


class TestModules:
    NAMES = ("Dropout", "Dropout1d", "Dropout2d", "AlphaDropout")
    SHAPES = ((5, 4), (5, 4, 3), (5, 4, 3, 2), (5, 4))

    @pytest.mark.parametrize(("name", "shape"), list(zip(NAMES, SHAPES)), ids=NAMES)
    def test_train_and_eval(self, name: str, shape: tuple[int, ...]) -> None:
        ours, theirs = getattr(dlbook.nn, name)(0.4), getattr(torch.nn, name)(0.4)
        assert ours.p == 0.4
        x = torch.randn(shape, generator=seeded())
        for layer in (ours, theirs):
            layer.eval()
        assert ours(x) is x
        outputs: list[Tensor] = []
        for layer in (ours, theirs):
            layer.train()
            torch.manual_seed(3)
            outputs.append(layer(x))
        torch.testing.assert_close(*outputs)

    def test_stochastic_depth(self) -> None:
        layer = dlbook.nn.StochasticDepth(0.5, "row")
        assert str(layer) == "StochasticDepth(p=0.5, mode=row)"
        x = torch.ones(20, 2)
        assert set(layer(x).unique().tolist()) == {0.0, 2.0}
        assert layer.eval()(x) is x

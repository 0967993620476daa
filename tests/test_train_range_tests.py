"""dlbook.train.range_test: what it measures, and that it leaves no trace."""

import copy
import math
import random

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from dlbook.data import digits
from dlbook.data.augmentation import Noise
from dlbook.optim import SGD
from dlbook.train import RangeTest, fit, range_test
from dlbook.train.states import unchanged

wrong_types = pytest.mark.untyped  # annotations would refuse them first


@pytest.fixture(autouse=True)
def _settings(monkeypatch):
    monkeypatch.setenv("DLBOOK_PROGRESS", "0")
    monkeypatch.setenv("DLBOOK_DEVICE", "cpu")


def examples(n=40):
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(n, 4, generator=generator)
    return x, x[:, :3].argmax(1)


def network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.3), nn.Linear(8, 3))


class Scaled(nn.Module):
    """A loss with a parameter of its own."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, output, target):
        return nn.functional.cross_entropy(output * self.scale, target)


def test_rates_grow_by_a_factor_and_losses_are_those_of_the_plain_loop():
    x, y = examples()
    model, twin = (nn.Linear(4, 3) for _ in range(2))
    twin.load_state_dict(model.state_dict())
    loss = nn.CrossEntropyLoss()
    optimizer = SGD(model.parameters(), lr=7.0)
    test = range_test(
        model, loss, optimizer, (x, y), low=1e-3, high=1.0, steps=7, batch_size=16, shuffle=False
    )
    assert test.rates == pytest.approx(np.geomspace(1e-3, 1.0, 7).tolist())
    assert test.stopped is None
    batches = list(zip(x.split(16), y.split(16), strict=True))
    average = 0.0
    for k, rate in enumerate(test.rates):
        value = loss(twin(batches[k % 3][0]), batches[k % 3][1])
        gradients = torch.autograd.grad(value, list(twin.parameters()))
        with torch.no_grad():
            for p, g in zip(twin.parameters(), gradients, strict=True):
                p -= rate * g
        assert test.losses[k] == pytest.approx(value.item(), rel=1e-5)
        average = 0.9 * average + 0.1 * value.item()
        assert test.smoothed[k] == pytest.approx(average / (1 - 0.9 ** (k + 1)), rel=1e-5)


def snapshot(model, optimizer):
    return copy.deepcopy(
        (
            model.state_dict(),
            {n: p.grad for n, p in model.named_parameters()},
            [m.training for m in model.modules()],
            optimizer.state_dict(),
            torch.get_rng_state(),
            np.random.get_state(),
        )
    )


def same(a, b):
    if isinstance(a, torch.Tensor | np.ndarray):
        return bool((a == b).all())
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


@pytest.mark.parametrize("make", [
    lambda p: SGD(p, lr=0.1, momentum=0.9),
    lambda p: torch.optim.AdamW(p, lr=0.01),
    lambda p: torch.optim.LBFGS(p, lr=0.1, max_iter=3),
])  # fmt: skip
@pytest.mark.parametrize("fresh", [True, False])
@pytest.mark.parametrize("seed", [None, 5])
def test_everything_is_as_it_was(make, fresh, seed):
    model, loss = network(), Scaled()
    optimizer = make([*model.parameters(), loss.scale])
    if not fresh:
        fit(model, loss, optimizer, examples(), epochs=1, seed=0)
    model[2].eval()
    before = snapshot(model, optimizer), loss.scale.item()
    own = torch.Generator().manual_seed(3)
    loader = DataLoader(TensorDataset(*examples()), 16, shuffle=True, generator=own)
    state = own.get_state()
    test = range_test(
        model, loss, optimizer, loader, steps=12, high=1e-2, seed=seed, augment=Noise(0.1)
    )
    assert len(set(test.losses)) == 12
    assert same((snapshot(model, optimizer), loss.scale.item()), before)
    assert torch.equal(own.get_state(), state)


def test_the_run_that_follows_is_the_one_that_would_have_been():
    def run(tested):
        model = network()
        optimizer = SGD(model.parameters(), lr=0.1, momentum=0.9)
        if tested:
            range_test(model, nn.CrossEntropyLoss(), optimizer, examples(), high=1e6)
        return fit(model, nn.CrossEntropyLoss(), optimizer, examples(), epochs=2, batch_size=8)

    assert run(True) == run(False)


def test_what_happens_inside_is_undone_even_after_an_error():
    model = network()
    optimizer = SGD(model.parameters(), lr=0.1)
    before = snapshot(model, optimizer)
    model.register_buffer("passing", torch.ones(2), persistent=False)

    def disturb():
        with unchanged(model, optimizer):
            model.passing = torch.zeros(2)
            model[0].bias.data.fill_(9)
            model.eval()
            optimizer.param_groups[0]["lr"] = 5.0
            random.random()
            raise RuntimeError("on the way")

    with pytest.raises(RuntimeError, match="on the way"):
        disturb()
    assert model.passing.tolist() == [1, 1]
    assert same(snapshot(model, optimizer), before)


@wrong_types  # for the checks of annotations draw from Python's generator themselves
def test_pythons_random_numbers_too():
    random.seed(1)
    expected = random.random()
    random.seed(1)
    with unchanged():
        random.seed(2)
    assert random.random() == expected


def test_groups_keep_their_proportion():
    model = network()
    seen = []

    class Spy(SGD):
        def step(self, closure=None):
            seen.append([group["lr"] for group in self.param_groups])
            return super().step(closure)

    optimizer = Spy(
        [{"params": model[0].parameters()}, {"params": model[3].parameters(), "lr": 0.02}], lr=0.1
    )
    test = range_test(model, nn.CrossEntropyLoss(), optimizer, examples(), high=1.0, steps=5)
    assert [a for a, _ in seen] == pytest.approx(test.rates)
    assert [b / a for a, b in seen] == pytest.approx([0.2] * 5)
    assert [group["lr"] for group in optimizer.param_groups] == [0.1, 0.02]


def test_it_ends_where_the_loss_explodes():
    x, y = torch.randn(64, 4), torch.randn(64, 1)
    model = nn.Linear(4, 1)
    optimizer = SGD(model.parameters(), lr=1.0)
    arguments = {"high": 1e4, "steps": 60, "seed": 0}
    test = range_test(model, nn.MSELoss(), optimizer, (x, y), **arguments)
    assert test.stopped == "the smoothed loss was more than 4 times the least"
    assert len(test) < 60
    test = range_test(model, nn.MSELoss(), optimizer, (x, y), **arguments, stop_at=math.inf)
    assert test.stopped is None or "not finite" in test.stopped
    test = range_test(
        model, nn.MSELoss(), optimizer, (x, y), low=1e5, high=1e38, steps=60, stop_at=math.inf
    )
    assert "the loss was not finite after the step at rate" in test.stopped
    assert all(map(math.isfinite, test.losses))


def test_the_suggestion():
    test = RangeTest([0.01, 0.1, 1.0, 10.0], [2.0, 1.0, 0.5, 3.0], [2.0, 1.5, 1.0, 2.0])
    assert test.suggestion == pytest.approx(0.1)
    for flat in (RangeTest(), RangeTest([0.1, 1.0], [1.0, 2.0], [1.0, 1.5])):
        with pytest.raises(ValueError, match="never fell"):
            _ = flat.suggestion


@pytest.mark.parametrize("make", [
    lambda p: SGD(p, lr=1.0),
    lambda p: SGD(p, lr=1.0, momentum=0.9),
    lambda p: torch.optim.Adam(p),
], ids=["plain", "momentum", "Adam"])  # fmt: skip
def test_the_suggested_rate_trains_the_digits(make):
    data, loss, good = digits.load(), nn.CrossEntropyLoss(), 0
    for seed in range(5):
        torch.manual_seed(seed)
        model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
        optimizer = make(model.parameters())
        rate = range_test(model, loss, optimizer, data.train, batch_size=32, seed=seed).suggestion
        optimizer.param_groups[0]["lr"] = rate
        history = fit(
            model, loss, optimizer, *data[:2], epochs=8, batch_size=32, seed=seed,
            metrics=["accuracy"],
        )  # fmt: skip
        good += history.validation["accuracy"][-1] > 0.9
    assert good >= 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"low": 0.0}, "expects 0 < low < high"),
        ({"low": 1.0, "high": 1.0}, "expects 0 < low < high"),
        ({"steps": 1}, "steps expects an integer >= 2"),
        ({"smoothing": 1.0}, "smoothing expects"),
        ({"stop_at": 1.0}, "stop_at expects"),
        ({"seed": -1}, "expects an integer from 0"),
        ({"batch_size": 0}, "batch_size expects"),
    ],
)
def test_bad_arguments(arguments, message):
    model = network()
    optimizer = SGD(model.parameters(), lr=0.1)
    before = snapshot(model, optimizer)
    with pytest.raises(ValueError, match=message):
        range_test(model, nn.CrossEntropyLoss(), optimizer, examples(), **arguments)
    with pytest.raises(ValueError, match="range_test: the optimizer holds none"):
        range_test(network(), nn.CrossEntropyLoss(), optimizer, examples())
    with pytest.raises(ValueError, match="range_test: loss expects to return one number"):
        range_test(model, nn.CrossEntropyLoss(reduction="none"), optimizer, examples())
    torch.set_rng_state(before[4])
    assert same(snapshot(model, optimizer), before)

"""What the chapter on pooling runs with three seeds: its networks that read digits, with five."""

import pytest
import torch
from torch import Tensor, nn

from dlbook import ops
from dlbook.data import digits
from dlbook.optim import Adam
from dlbook.train import fit

PLACES = {"home": [(0, 0)], "near": [(0, 1), (0, -1), (1, 0), (-1, 0)]}


def sheet(x: Tensor, down: int = 0, right: int = 0) -> Tensor:
    page = x.new_zeros(len(x), 1, 12, 12)
    page[:, :, 2 + down : 10 + down, 2 + right : 10 + right] = x
    return page


def network(kind: str) -> nn.Module:
    """The chapter's networks, on PyTorch's layers: the same functions, in less time."""
    step = 2 if kind == "stride" else 1
    maps = 32 if kind == "global" else 16
    shrink = {"average": [nn.AvgPool2d(2)], "max": [nn.MaxPool2d(2)]}.get(kind, [])
    last = [nn.AdaptiveMaxPool2d(1)] if kind == "global" else shrink
    side = {"none": 12, "global": 1}.get(kind, 3)
    return nn.Sequential(
        *(nn.Conv2d(1, 8, 3, stride=step, padding=1), nn.BatchNorm2d(8), nn.ReLU()),
        *shrink,
        *(nn.Conv2d(8, maps, 3, stride=step, padding=1), nn.BatchNorm2d(maps), nn.ReLU()),
        *(*last, nn.Flatten(), nn.Linear(maps * side * side, 10)),
    )


@pytest.mark.slow
@pytest.mark.untyped  # for checking annotations at every step takes far longer than the step
def test_five_seeds_read_digits_that_moved(monkeypatch):
    monkeypatch.setenv("DLBOOK_PROGRESS", "0")
    split = digits.load(split="stratified", images=True)

    def learn(kind, rate, seed):
        torch.manual_seed(seed)
        model = network(kind)
        data = (sheet(split.train.x), split.train.y)
        optimizer = Adam(model.parameters(), lr=rate)
        settings = {"epochs": 8, "batch_size": 32, "seed": seed, "device": "cpu"}
        fit(model, ops.cross_entropy, optimizer, data, **settings)
        return model.eval()

    def reads(model, part, where):
        with torch.no_grad():
            shares = [ops.accuracy(model(sheet(part.x, *p)), part.y) for p in PLACES[where]]
        return float(torch.stack(shares).mean())

    shares = {}
    for kind in ("none", "stride", "average", "max", "global"):
        tried = {rate: learn(kind, rate, 0) for rate in (0.005, 0.015)}
        rate = max(tried, key=lambda rate: reads(tried[rate], split.validation, "home"))
        models = [tried[rate], *(learn(kind, rate, seed) for seed in range(1, 5))]
        shares[kind] = {w: [reads(m, split.test, w) for m in models] for w in PLACES}

    def mean(kind, where):
        return sum(shares[kind][where]) / 5

    for kind in ("average", "max"):  # a window forgives what a stride doesn't
        pairs = zip(shares[kind]["near"], shares["stride"]["near"], strict=True)
        assert sum(a > b + 0.1 for a, b in pairs) >= 4
    assert abs(mean("none", "home") - mean("max", "home")) < 0.015
    assert mean("max", "home") > mean("stride", "home")
    assert -0.005 < mean("max", "home") - mean("global", "home") < 0.03
    assert max(abs(h - n) for h, n in zip(*shares["global"].values(), strict=True)) < 0.02
    lost = [h - n for h, n in zip(*shares["none"].values(), strict=True)]
    assert sum(loss > 0.35 for loss in lost) >= 4

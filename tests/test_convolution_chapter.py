"""What the chapter on convolution doesn't run on its page: the dense network with more epochs."""

import pytest
import torch
from torch import Tensor, nn

from dlbook import nn as own
from dlbook import ops
from dlbook.data import Part, digits
from dlbook.optim import Adam
from dlbook.train import fit


class Largest(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.amax((2, 3))


def dense() -> nn.Module:
    return nn.Sequential(nn.Flatten(), own.Linear(144, 18), own.ReLU(), own.Linear(18, 10))


def reader() -> nn.Module:
    return nn.Sequential(
        own.Conv2d(1, 8, 5, padding=2, padding_mode="circular"),
        own.ReLU(),
        own.Conv2d(8, 32, 3, padding=1, padding_mode="circular"),
        own.ReLU(),
        Largest(),
        own.Linear(32, 10),
    )


def sheets(part: Part) -> Part:
    return Part(nn.functional.pad(part.x, (2, 2, 2, 2)), part.y)


def share(model: nn.Module, part: Part) -> float:
    with torch.no_grad():
        return float(ops.accuracy(model(part.x), part.y))


@pytest.mark.slow
@pytest.mark.untyped  # for checking annotations at every step takes far longer than the step
def test_three_times_the_epochs_do_not_bring_the_dense_network_to_the_reader(monkeypatch):
    """In the file-order split; rates are chosen as on the page, on the validation part."""
    monkeypatch.setenv("DLBOOK_PROGRESS", "0")
    train, validation, test = map(sheets, digits.load(split="file-order", images=True))

    def learn(make, rate, seed, epochs):
        torch.manual_seed(seed)
        model = make()
        optimizer = Adam(model.parameters(), lr=rate)
        fit(model, ops.cross_entropy, optimizer, train, epochs=epochs, seed=seed, device="cpu")
        return model

    def five(make, rates, epochs):
        tried = {rate: learn(make, rate, 0, epochs) for rate in rates}
        rate = max(rates, key=lambda rate: share(tried[rate], validation))
        models = [tried[rate], *(learn(make, rate, seed, epochs) for seed in range(1, 5))]
        return [share(model, test) for model in models]

    readers = five(reader, (0.01, 0.02), 8)
    longer = five(dense, (0.01, 0.03), 60)
    assert sum(a > b for a, b in zip(readers, longer, strict=True)) >= 4
    assert sum(readers) / 5 > sum(longer) / 5 + 0.015

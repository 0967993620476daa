"""What training shows on the digits, with the book's own parts, on fixed seeds."""

import itertools

import pytest
import torch

from dlbook import nn, ops
from dlbook.data import digits
from dlbook.data.augmentation import Affine
from dlbook.optim import SGD
from dlbook.optim.lr_scheduler import CosineAnnealingLR
from dlbook.train import compare, evaluate, fit
from dlbook.train.landscapes import between, distance

SEEDS = range(5)


@pytest.fixture(autouse=True)
def _settings(monkeypatch):
    monkeypatch.setenv("DLBOOK_PROGRESS", "0")
    monkeypatch.setenv("DLBOOK_DEVICE", "cpu")


@pytest.fixture(scope="module")
def data():
    return digits.load()


def network(seed, width):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(64, width), nn.ReLU(), nn.Linear(width, 10))


def accuracy(model, part):
    return evaluate(model, ops.cross_entropy, part, metrics=["accuracy"])["accuracy"]


@pytest.mark.slow
@pytest.mark.untyped  # for checking annotations at every step takes far longer than the step
def test_digits_are_read_to_more_than_97_per_cent(data):
    """One hidden layer; shifts, turns and scales chosen by validation; then the test, once."""
    epochs = 40
    augment = Affine(shift=0.7, degrees=10, scale=0.1)

    def run(seed):
        model = network(seed, 256)
        optimizer = SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
        schedule = CosineAnnealingLR(optimizer, epochs)
        fit(
            model, ops.cross_entropy, optimizer, data.train, epochs=epochs, batch_size=32,
            augment=augment, scheduler=schedule, seed=seed,
        )  # fmt: skip
        return accuracy(model, data.test)

    scores = compare({"augmented": run}, SEEDS)
    assert scores.summary("augmented").mean >= 0.97
    assert sum(score > 0.97 for score in scores.scores["augmented"]) >= 4


@pytest.mark.slow
def test_the_second_descent(data):
    """Random ReLU features, least squares of least norm, and a fifth of the labels wrong: the
    error on the test part has its peak where there are as many features as examples."""
    n = 300
    widths = [10, 30, 60, 100, 200, n, 400, 600, 1000, 2000, 4000, 8000]
    truth = torch.nn.functional.one_hot(data.test.y, 10).double()
    centre = data.train.x[:n].double().mean(0)
    train, test = data.train.x[:n].double() - centre, data.test.x.double() - centre

    def curves(seed):
        generator = torch.Generator().manual_seed(seed)
        y = data.train.y[:n].clone()
        wrong = torch.rand(n, generator=generator, dtype=torch.float64) < 0.2
        y[wrong] = (y[wrong] + torch.randint(1, 10, (int(wrong.sum()),), generator=generator)) % 10
        target = torch.nn.functional.one_hot(y, 10).double()
        fitted, squares, errors = [], [], []
        for width in widths:
            weight = torch.randn(width, 64, generator=generator, dtype=torch.float64) / 8
            bias = 0.2 * torch.randn(width, generator=generator, dtype=torch.float64)
            features, others = (ops.relu(ops.linear(x, weight, bias)) for x in (train, test))
            coefficients = torch.linalg.lstsq(features, target, driver="gelsd").solution
            scores = others @ coefficients
            fitted.append((features @ coefficients - target).square().mean().item())
            squares.append((scores - truth).square().sum(1).mean().item())
            errors.append((scores.argmax(1) != data.test.y).double().mean().item())
        return fitted, squares, errors

    peak = widths.index(n)
    second = 0
    for seed in SEEDS:
        fitted, squares, errors = curves(seed)
        first = min(squares[:peak])
        assert all(a > b for a, b in itertools.pairwise(fitted[:peak]))
        assert max(fitted[peak + 1 :]) < 1e-20, "beyond the peak the wrong labels are fitted too"
        assert squares.index(max(squares)) == peak
        assert squares[peak] > 20 * first
        assert errors[peak] > 2 * min(errors[:peak])
        assert all(a > b for a, b in itertools.pairwise(squares[peak:])), "the second descent"
        assert errors[-1] < errors[peak] / 2
        second += squares[-1] < first
    assert second >= 4, "and it ends lower than the first"


def test_the_same_seed_gives_the_same_parameters_to_the_last_bit(data):
    def run(seed):
        model = network(seed, 32)
        optimizer = SGD(model.parameters(), lr=0.1, momentum=0.9)
        augment = Affine(shift=1, degrees=10)
        history = fit(
            model, ops.cross_entropy, optimizer, data.train, data.validation, epochs=2,
            augment=augment, seed=seed,
        )  # fmt: skip
        return history, [p.detach() for p in model.parameters()]

    (history, one), (again, two), (_, other) = run(0), run(0), run(1)
    assert history == again
    assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.slow
@pytest.mark.untyped  # as above
def test_two_seeds_end_in_different_minima_of_like_loss(data):
    models = []
    for seed in SEEDS:
        model = network(seed, 32)
        optimizer = SGD(model.parameters(), lr=0.1, momentum=0.9)
        fit(model, ops.cross_entropy, optimizer, data.train, epochs=20, seed=seed)
        models.append(model)
    lengths = [torch.nn.utils.parameters_to_vector(m.parameters()).norm().item() for m in models]
    losses = [evaluate(m, ops.cross_entropy, data.train)["loss"] for m in models]
    assert max(losses) < 0.05
    for i, j in itertools.combinations(SEEDS, 2):
        # as far from each other as two points in unrelated directions, √2 times their length
        apart = distance(models[i], models[j]) / (lengths[i] * lengths[j]) ** 0.5
        assert 1.2 < apart < 1.6
        line = between(
            models[i], models[j], ops.cross_entropy, data.train, points=11, metrics=["accuracy"]
        )
        assert line.barrier > 5 * max(losses[i], losses[j])
        assert (
            min(line.metrics["accuracy"])
            < min(line.metrics["accuracy"][0], line.metrics["accuracy"][-1]) - 0.03
        )

"""What the chapter on feature visualization says of one network or of five, held on five seeds."""

import copy

import pytest
import torch
from scipy.stats import spearmanr

from dlbook import interpret, nn, ops
from dlbook.data import digits
from dlbook.optim import Adam
from dlbook.train import fit

pytestmark = [pytest.mark.slow, pytest.mark.untyped]  # annotations checked at every step take long


@pytest.fixture(autouse=True)
def _settings(monkeypatch):
    monkeypatch.setenv("DLBOOK_PROGRESS", "0")
    monkeypatch.setenv("DLBOOK_DEVICE", "cpu")


@pytest.fixture(scope="module")
def data():
    return digits.load(images=True)


def learn(x, y, classes, seed, epochs):
    torch.manual_seed(seed)
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(),
        nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(512, classes),
    )  # fmt: skip
    optimizer = Adam(model.parameters(), lr=0.003)
    fit(model, ops.cross_entropy, optimizer, (x, y), epochs=epochs, batch_size=64, seed=seed)
    return model.eval()


def planted(part):
    x = part.x.clone()
    x[:, 0, 0, 0] = (part.y % 2 == 0).float()
    return x, part.y % 2


@pytest.fixture(scope="module")
def cheats(data):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DLBOOK_PROGRESS", "0")
        return [learn(*planted(data.train), 2, seed, 10) for seed in range(5)]


@pytest.fixture(scope="module")
def readers(data):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DLBOOK_PROGRESS", "0")
        return [learn(data.train.x, data.train.y, 10, seed, 20) for seed in range(5)]


def most(claims):
    return sum(bool(claim) for claim in claims) >= 4


def answers(model, x):
    with torch.no_grad():
        return model(x).argmax(1)


@torch.no_grad()
def flipped(x):
    x = x.clone()
    x[:, 0, 0, 0] = 1 - x[:, 0, 0, 0]
    return x


def test_methods_point_at_a_planted_corner(data, cheats):
    """All of them where it is inked; where it is blank, those that do not compare with blank."""
    x, _ = (t[:100] for t in planted(data.test))
    inked = x[:, 0, 0, 0] > 0
    methods = {
        "saliency": (interpret.saliency, True),
        "covering with blank": (lambda m, x: interpret.occlusion(m, x, size=1), False),
        "covering with grey": (lambda m, x: interpret.occlusion(m, x, size=1, fill=0.5), True),
        "integrated from blank": (
            lambda m, x: interpret.integrated_gradients(m, x, steps=16), False,
        ),
        "integrated from grey": (
            lambda m, x: interpret.integrated_gradients(m, x, steps=16, baseline=0.5), True,
        ),
    }  # fmt: skip
    for name, (method, sees_blank) in methods.items():
        found = []
        for model in cheats:
            depends = answers(model, x) != answers(model, flipped(x))
            assert depends.float().mean() > 0.8
            top = method(model, x).flatten(1).abs().argmax(1) == 0
            found.append([top[depends & part].float().mean() for part in (inked, ~inked)])
        assert most(with_ink > 0.95 for with_ink, _ in found), name
        if sees_blank:
            assert most(without > 0.85 for _, without in found), name
        else:
            assert all(without == 0 for _, without in found), name


def test_drawings_have_the_corner_right_and_do_not_need_it(cheats):
    turned = 0
    for model in cheats:
        drawn = interpret.class_maximisation(
            model, [0, 1], (1, 8, 8), l2=0.3, tv=0.3, bounds=(0, 1)
        )
        assert drawn[0, 0, 0, 0] > 0.9
        assert drawn[1, 0, 0, 0] < 0.1
        turned += (answers(model, flipped(drawn)) != torch.tensor([0, 1])).sum().item()
    assert turned <= 4  # of 10; of test images nearly all turn


def agreement(a, b):
    pairs = zip(a.flatten(1).abs(), b.flatten(1).abs(), strict=True)
    return sum(spearmanr(first, second).statistic for first, second in pairs) / len(a)


def test_guided_backpropagation_outlives_the_upper_layers(data, readers):
    x = data.test.x[:40]
    gaps = []
    for seed, reader in enumerate(readers):
        asked = answers(reader, x)
        spoiled = copy.deepcopy(reader)
        torch.manual_seed(100 + seed)
        for layer in (8, 5):
            spoiled[layer].reset_parameters()
        kept = [
            agreement(method(reader, x, asked), method(spoiled, x, asked))
            for method in (interpret.guided_backpropagation, interpret.saliency)
        ]
        map_, new = (interpret.guided_backpropagation(m, x, asked) for m in (reader, spoiled))
        floor = agreement(map_, new.roll(1, 0))  # any two digits stand in the middle
        gaps.append(kept[0] > 0.5 and kept[0] > max(kept[1], floor) + 0.15)
    assert most(gaps)


def test_deletion_prefers_methods_that_ask_about_blanking(data, readers):
    orders = []
    for reader in readers:
        right = answers(reader, data.test.x) == data.test.y
        x, y = data.test.x[right][:60], data.test.y[right][:60]
        noise = torch.rand(60, 8, 8, generator=torch.Generator().manual_seed(0))
        rankings = {
            "covering": interpret.occlusion(reader, x, y, size=1),
            "integrated": interpret.integrated_gradients(reader, x, y)[:, 0],
            "darkest": x[:, 0],
            "ink": noise * (x[:, 0] > 0),
            "random": noise,
        }
        area = {}
        for name, ranking in rankings.items():
            order = ranking.flatten(1).argsort(1, descending=True)
            total = 0.0
            for k in range(0, 65, 4):
                kept = torch.ones(60, 64).scatter_(1, order[:, :k], 0.0)
                with torch.no_grad():
                    p = ops.softmax(reader(x * kept.view(-1, 1, 8, 8)), dim=1)
                total += p.gather(1, y[:, None]).mean().item()
            area[name] = total
        orders.append(
            max(area["covering"], area["integrated"])
            < area["darkest"] < area["ink"] < area["random"]
        )  # fmt: skip
    assert most(orders)


def test_shares_add_up(data, readers):
    model = copy.deepcopy(readers[0]).double()
    x = data.test.x[:10].double()
    with torch.no_grad():
        scores, blank = model(x), model(torch.zeros_like(x))
    for target in (0, 3, 8):
        paid = interpret.integrated_gradients(model, x, target, steps=200).sum((1, 2, 3))
        assert torch.allclose(paid, (scores - blank)[:, target], atol=0.1)
    assert (scores - blank).abs().amax(1).min() > 1  # there was something to share out

"""dlbook.models.neocognitron and tc_network: cells by hand, competition, recognition, T and C."""

import itertools
import math
from collections import Counter

import pytest
import torch
from scipy.optimize import linprog

from dlbook import ops
from dlbook.data import digits
from dlbook.models import (
    FIELD_KINDS,
    CLayer,
    Neocognitron,
    SLayer,
    TCNetwork,
    field_kind,
    field_shares,
    tc_letters,
    tc_placements,
)
from dlbook.optim import Adam
from dlbook.train import fit

wrong_shapes = pytest.mark.untyped  # annotations would refuse them first


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def drawn(*shape, seed=0):
    return torch.rand(*shape, generator=generator(seed))


def trained(selectivity, pattern, rate=1e6, **kwargs):
    """One plane that has learned one pattern, which fills its window."""
    layer = SLayer(
        1, 1, len(pattern), selectivity=selectivity, rate=rate, generator=generator(), **kwargs
    )
    layer.reinforce(pattern[None], [(0, len(pattern) // 2, len(pattern) // 2)])
    return layer


def cosine(x, y, c):
    return (c * x * y).sum() / ((c * x * x).sum() * (c * y * y).sum()).sqrt()


class TestSLayer:
    @pytest.mark.parametrize(("planes", "size", "decay"), [(2, 3, 0.9), (3, 5, 0.5), (1, 1, 1.0)])
    def test_the_formula_by_loops(self, planes, size, decay):
        x = drawn(2, 3, 6, 7, seed=1)
        layer = SLayer(3, planes, size, selectivity=1.7, decay=decay, generator=generator())
        layer.excitatory = drawn(planes, 3, size, size, seed=2)
        layer.inhibitory = drawn(planes, seed=3)
        half, r, answers = size // 2, 1.7, layer(x)
        for b, k, i, j in itertools.product(range(2), range(planes), range(6), range(7)):
            e = power = 0.0
            for c, di, dj in itertools.product(range(3), range(size), range(size)):
                row, column = i + di - half, j + dj - half
                if 0 <= row < 6 and 0 <= column < 7:
                    seen = x[b, c, row, column].item()
                    e += layer.excitatory[k, c, di, dj].item() * seen
                    power += layer.window[0, c, di, dj].item() * seen**2
            h = 2 * r / (1 + r) * layer.inhibitory[k].item() * math.sqrt(power)
            expected = r * max(0.0, (1 + e) / (1 + h) - 1)
            assert answers[b, k, i, j].item() == pytest.approx(expected, rel=1e-5, abs=1e-6)

    def test_the_window_falls_and_sums_to_one(self):
        window = SLayer(3, 1, 5, selectivity=1.0, decay=0.8).window
        assert window.sum().item() == pytest.approx(1)
        assert torch.equal(window[0, 0], window[0, 2])
        ratio = window[0, 0, 2, 3] / window[0, 0, 2, 2], window[0, 0, 1, 1] / window[0, 0, 2, 2]
        assert [q.item() for q in ratio] == pytest.approx([0.8, 0.8 ** math.sqrt(2)])

    @pytest.mark.parametrize("r", [0.1, 1.0, 4.0, 50.0])
    @pytest.mark.parametrize("decay", [1.0, 0.7])
    def test_it_answers_by_the_cosine(self, r, decay):
        known = drawn(3, 3, seed=4)
        layer = trained(r, known, decay=decay)
        for seed in range(5, 15):
            x = drawn(3, 3, seed=seed)
            answer = layer(x[None, None])[0, 0, 1, 1].item()
            expected = max(0.0, (1 + r) * cosine(known, x, layer.window[0, 0]).item() - r)
            assert answer == pytest.approx(expected, abs=1e-3 * (1 + r))

    def test_contrast_does_not_matter_once_the_rate_is_large(self):
        known, x = drawn(3, 3, seed=4), drawn(3, 3, seed=5)
        layer = trained(1.0, known)
        answers = [layer((f * x)[None, None])[0, 0, 1, 1].item() for f in (0.1, 1.0, 10.0)]
        assert answers == pytest.approx([answers[1]] * 3, abs=1e-3)
        weak = trained(1.0, known, rate=1.0)
        assert weak((0.1 * known)[None, None]).max() < weak(known[None, None]).max() / 2

    def test_representatives_by_loops(self):
        for seed, column in itertools.product(range(6), (1, 3, 5)):
            u = drawn(4, 6, 5, seed=seed) - 0.3
            u = u.clamp(min=0)
            layer = SLayer(1, 4, 3, selectivity=1.0, column=column)
            half, best = column // 2, {}
            for i, j in itertools.product(range(6), range(5)):
                rows = range(max(0, i - half), min(6, i + half + 1))
                columns = range(max(0, j - half), min(5, j + half + 1))
                cells = itertools.product(range(4), rows, columns)
                k, row, place = max(cells, key=lambda cell: u[cell].item())
                if u[k, row, place] > 0 and (k not in best or u[k, row, place] > u[(k, *best[k])]):
                    best[k] = (row, place)
            expected = [(k, *place) for k, place in sorted(best.items())]
            assert layer.representatives(u) == expected

    def test_all_compete_for_one_place(self):
        u = drawn(4, 6, 5, seed=1)
        layer = SLayer(1, 4, 3, selectivity=1.0, column=None)
        (k, i, j), *others = layer.representatives(u)
        assert not others
        assert u[k, i, j] == u.max()
        assert layer.representatives(torch.zeros(4, 6, 5)) == []

    def test_learning_by_hand(self):
        layer = SLayer(1, 2, 3, selectivity=1.0, rate=4.0, generator=generator())
        before = layer.excitatory.clone()
        x = torch.tensor([[0.0, 1.0, 0.0], [0.0, 1.0, 0.0], [0.0, 1.0, 1.0]])
        layer.reinforce(x[None], [(1, 1, 1)])
        assert torch.equal(layer.excitatory[0], before[0])
        assert torch.allclose(layer.excitatory[1, 0], before[1, 0] + 4 / 9 * x)
        assert layer.inhibitory.tolist() == pytest.approx([0, 4 / 2 * math.sqrt(4 / 9)])
        untouched = layer.excitatory.clone()
        layer.reinforce(x[None], [])
        assert torch.equal(layer.excitatory, untouched)

    def test_beyond_the_edge_is_nothing(self):
        layer = SLayer(1, 1, 3, selectivity=1.0, rate=9.0)
        start = layer.excitatory.clone()
        layer.reinforce(torch.ones(1, 4, 4), [(0, 0, 3)])
        added = (layer.excitatory - start)[0, 0]
        expected = torch.tensor([[0.0, 0, 0], [1, 1, 0], [1, 1, 0]])
        assert torch.allclose(added, expected, atol=1e-6)

    def test_what_is_learned_does_not_depend_on_where(self):
        x = torch.zeros(1, 1, 12, 12)
        x[..., 3:6, 4] = 1.0
        x[..., 3, 4:7] = 1.0
        here, there = (SLayer(1, 3, 3, selectivity=4.0, generator=generator()) for _ in range(2))
        for _ in range(3):
            winners = here.learn(x), there.learn(torch.roll(x, (4, 2), (2, 3)))
        assert [(k, i + 4, j + 2) for k, i, j in winners[0]] == winners[1]
        assert torch.allclose(here.excitatory, there.excitatory)

    def test_different_features_go_to_different_planes(self):
        bars = torch.zeros(2, 1, 7, 7)
        bars[0, 0, 3], bars[1, 0, :, 3] = 1.0, 1.0
        layer = SLayer(1, 4, 3, selectivity=4.0, column=None, generator=generator())
        for _ in range(4):
            (flat, *_), (upright, *_) = layer.learn(bars[:1])[0], layer.learn(bars[1:])[0]
        assert flat != upright
        answers = layer(bars)[:, :, 3, 3]
        assert answers[0, flat] > 0.9 > 0 == answers[0, upright]
        assert answers[1, upright] > 0.9 > 0 == answers[1, flat]

    @wrong_shapes
    def test_bad_input(self):
        with pytest.raises(ValueError, match="size expects an odd number, got 4"):
            SLayer(1, 2, 4, selectivity=1.0)
        with pytest.raises(ValueError, match="column expects an odd number, got 2"):
            SLayer(1, 2, 3, selectivity=1.0, column=2)
        with pytest.raises(ValueError, match="selectivity expects a number above 0, got -1"):
            SLayer(1, 2, 3, selectivity=-1)
        with pytest.raises(ValueError, match="decay expects a number above 0 and up to 1, got 2"):
            SLayer(1, 2, 3, selectivity=1.0, decay=2)
        with pytest.raises(ValueError, match="expected planes, got 1 and 0"):
            SLayer(1, 0, 3, selectivity=1.0)
        layer = SLayer(2, 3, 3, selectivity=1.0)
        with pytest.raises(ValueError, match=r"x of shape \(B, 2, H, W\), got \(1, 1, 5, 5\)"):
            layer(torch.zeros(1, 1, 5, 5))
        with pytest.raises(ValueError, match="one pattern at a time, got 2"):
            layer.learn(torch.zeros(2, 2, 5, 5))


class TestCLayer:
    @pytest.mark.parametrize(("size", "stride"), [(1, 1), (3, 2), (5, 1), (3, 3)])
    def test_the_formula_by_loops(self, size, stride):
        x = drawn(2, 3, 6, 7, seed=1)
        layer = CLayer(3, size, stride=stride, saturation=0.7, decay=0.6)
        y, half = layer(x), size // 2
        assert y.shape == (2, 3, 5 // stride + 1, 6 // stride + 1)
        for b, i, j in itertools.product(range(2), *map(range, y.shape[2:])):
            near = []
            for k in range(3):
                total = 0.0
                for di, dj in itertools.product(range(size), repeat=2):
                    row, column = i * stride + di - half, j * stride + dj - half
                    if 0 <= row < 6 and 0 <= column < 7:
                        far = math.hypot(di - half, dj - half)
                        total += 0.6**far * x[b, k, row, column].item()
                near.append(total)
            for k in range(3):
                z = max(0.0, (1 + near[k]) / (1 + sum(near) / 3) - 1)
                assert y[b, k, i, j].item() == pytest.approx(z / (0.7 + z), abs=1e-5)

    def test_one_cell_that_sees_all(self):
        x = drawn(2, 3, 4, 5)
        y = CLayer(3, None)(x)
        total = x.sum((2, 3))
        z = ((1 + total) / (1 + total.mean(1, keepdim=True)) - 1).clamp(min=0)
        assert torch.allclose(y.flatten(1), z / (1 + z))

    def test_answers_lie_below_one_and_average_planes_are_silent(self):
        x = 1e4 * drawn(1, 3, 5, 5)
        y = CLayer(3, 3)(x)
        assert y.min() >= 0
        assert y.max() < 1
        alike = drawn(1, 1, 5, 5).expand(1, 3, 5, 5)
        assert CLayer(3, 3)(alike).max() < 1e-6

    @wrong_shapes
    def test_bad_input(self):
        with pytest.raises(ValueError, match="size expects an odd number, got 2"):
            CLayer(3, 2)
        with pytest.raises(ValueError, match="expected planes and a stride, got 3 and 0"):
            CLayer(3, 3, stride=0)
        with pytest.raises(ValueError, match="saturation expects a number above 0, got 0"):
            CLayer(3, 3, saturation=0)
        with pytest.raises(ValueError, match=r"x of shape \(B, 3, H, W\), got \(3, 5, 5\)"):
            CLayer(3, 3)(torch.zeros(3, 5, 5))


def retina(x, margin=4):
    """Digits at twice their size in the middle of 24 × 24."""
    large = torch.nn.functional.interpolate(x, scale_factor=2, mode="bilinear")
    return torch.nn.functional.pad(large.clamp(0, 1), (margin,) * 4)


def learned(seed, count=250):
    parts = digits.load(images=True)
    draws = generator(seed)
    net = Neocognitron(generator=draws)
    x = retina(parts.train.x)
    net.self_organize(x[torch.randperm(len(x), generator=draws)[:count]], generator=draws)
    net.name(x[:500], parts.train.y[:500])
    return net, parts


@pytest.fixture(scope="module")
def networks():
    """Three networks, and what each reads of every second digit, in the middle and moved by 3."""
    found = []
    for seed in range(3):
        net, parts = learned(seed)
        found.append((net, parts, in_two_places(net, parts)))
    return found


def share(net, x, y):
    return (net.classify(x) == y).double().mean().item()


def in_two_places(net, parts):
    x, y = retina(parts.test.x[::2]), parts.test.y[::2]
    return share(net, x, y), share(net, torch.roll(x, 3, 3), y)


def small(seed=0):
    net = Neocognitron((4, 6, 8), generator=generator(seed))
    net.self_organize(retina(digits.load(images=True).train.x[:20]), generator=generator(seed))
    return net


class TestNeocognitron:
    def test_shapes_and_the_same_seed(self):
        one, two = small(), small()
        x = retina(digits.load(images=True).test.x[:3])
        stages = one.stages(x)
        assert {name: tuple(u.shape[1:]) for name, u in stages.items()} == {
            "S1": (4, 24, 24),
            "C1": (4, 12, 12),
            "S2": (6, 12, 12),
            "C2": (6, 12, 12),
            "S3": (8, 12, 12),
            "C3": (8, 1, 1),
        }
        assert torch.equal(one(x), stages["C3"].flatten(1))
        assert torch.equal(one(x), two(x))
        assert not torch.equal(one(x), small(1)(x))

    def test_its_state_is_all_that_it_learned(self):
        one, other = small(), Neocognitron((4, 6, 8), generator=generator(7))
        x, y = retina(digits.load(images=True).test.x[:9]), torch.arange(9) % 3
        one.name(x, y)
        other.load_state_dict(one.state_dict())
        assert torch.equal(one(x), other(x))
        assert torch.equal(one.classify(x), other.classify(x))

    def test_a_shift_by_the_stride_changes_nothing(self):
        net = small()
        x = torch.zeros(2, 1, 40, 40)
        x[..., 12:28, 12:28] = retina(digits.load(images=True).test.x[:2], margin=0)
        for shift in ((2, 0), (0, -4), (6, 2)):
            assert torch.allclose(net(torch.roll(x, shift, (2, 3))), net(x), atol=1e-5)

    def test_names_are_votes(self):
        net = Neocognitron((2, 2, 3))
        net.forward = lambda x: x.flatten(1)
        answers = torch.tensor([[2.0, 1, 0], [3, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 0]])
        net.name(answers[:, None, None], torch.tensor([4, 4, 1, 2, 5]))
        assert net.names.tolist() == [4, 2, -1]
        heard = net.classify(torch.tensor([[0.0, 0, 9], [1, 2, 0], [0, 0, 0]])[:, None, None])
        assert heard.tolist() == [-1, 2, -1]  # a plane without a name, one with, silence

    @wrong_shapes
    def test_bad_input(self):
        with pytest.raises(ValueError, match="planes expects three numbers"):
            Neocognitron((4, 5))
        with pytest.raises(ValueError, match="recognition expects numbers above 0"):
            Neocognitron(recognition=(1.0, 0.0, 1.0))

    @pytest.mark.slow
    def test_digits_wherever_they_stand(self, networks):
        shares, moved = zip(*[places for *_, places in networks], strict=True)
        assert all(s > 0.75 for s in shares)
        assert all(abs(s - m) < 0.08 for s, m in zip(shares, moved, strict=True))
        train, _, test = networks[0][1]
        known, x = retina(train.x).flatten(1), torch.roll(retina(test.x), 3, 3).flatten(1)
        nearest = train.y[torch.cdist(x, known).argmin(1)]
        assert (nearest == test.y).double().mean() < 0.5 < min(moved)

    @pytest.mark.slow
    def test_random_windows_read_as_well_but_not_what_has_moved(self, networks):
        """S1 and S2 take one window each at random, at a large rate; S3 competes as before."""
        shares, drops = [], []
        for seed, (_, parts, places) in enumerate(networks):
            draws, x = generator(seed), retina(parts.train.x[:500])
            other, seen = Neocognitron(generator=draws), x[:250]
            for s, c, r in zip((other.s1, other.s2), (other.c1, other.c2), other.recognition):
                s.rate = 3200.0
                for k in range(s.planes):
                    n = int(torch.randint(len(seen), (1,), generator=draws))
                    v = s.inhibition(seen[n : n + 1])[0, 0]
                    ink = (v > v.max() / 2).flatten().float()
                    place = int(torch.multinomial(ink, 1, generator=draws))
                    s.reinforce(seen[n], [(k, *divmod(place, v.shape[-1]))])
                s.selectivity.fill_(r)
                seen = c(s(seen))
            for n in range(len(seen)):
                other.s3.learn(seen[n : n + 1])
            other.s3.selectivity.fill_(other.recognition[2])
            other.name(x, parts.train.y[:500])
            here, there = in_two_places(other, parts)
            shares.append(here - places[0])
            drops.append(places[1] - there)
        assert abs(sum(shares)) / 3 < 0.06
        assert sum(drop > 0.1 for drop in drops) >= 2

    @pytest.mark.slow
    def test_other_writers(self):
        """The split by writers: competition reads most of their digits, others read more."""
        parts = digits.load(split="file-order", images=True)
        x, y = retina(parts.train.x[:500]), parts.train.y[:500]
        test, target = retina(parts.test.x[::2]), parts.test.y[::2]
        nearest = y[torch.cdist(test.flatten(1), x.flatten(1)).argmin(1)]
        nearest_share = (nearest == target).double().mean().item()
        net = Neocognitron(generator=generator())
        net.self_organize(x, generator=generator())  # with all that the others get
        net.name(x, y)
        own = share(net, test, target)
        told = []
        layers = torch.nn  # PyTorch's own, which are faster
        for seed in range(3):
            torch.manual_seed(seed)
            model = layers.Sequential(
                layers.Conv2d(1, 8, 5, padding=2), layers.ReLU(), layers.MaxPool2d(2),
                layers.Conv2d(8, 24, 5, padding=2), layers.ReLU(), layers.AdaptiveMaxPool2d(1),
                layers.Flatten(), layers.Linear(24, 10),
            )  # fmt: skip
            optimizer = Adam(model.parameters(), lr=0.01)
            fit(model, ops.cross_entropy, optimizer, (x, y), epochs=12, seed=seed, device="cpu")
            with torch.no_grad():
                told.append((model(test).argmax(1) == target).double().mean().item())
        assert 0.65 < own < nearest_share - 0.05
        assert own < sum(told) / 3 - 0.01

    @pytest.mark.slow
    def test_without_learning_it_does_not_read(self, networks):
        net, parts = Neocognitron(generator=generator()), networks[0][1]
        net.name(retina(parts.train.x[:200]), parts.train.y[:200])
        untrained = share(net, retina(parts.test.x[::4]), parts.test.y[::4])
        assert untrained < networks[0][2][0] - 0.3


class TestLetters:
    def test_five_squares_and_four_orientations(self):
        x, y = tc_letters()
        assert x.sum((1, 2, 3)).tolist() == [5] * 8
        assert len({tuple(letter.flatten().tolist()) for letter in x}) == 8
        assert y.tolist() == [1] * 4 + [0] * 4

    @pytest.mark.parametrize("around", [False, True])
    def test_all_places_once(self, around):
        x, y = tc_placements(7, around=around)
        assert len(x) == 8 * (49 if around else 25)
        assert len({tuple(r.flatten().tolist()) for r in x}) == len(x)
        assert y.sum() * 2 == len(y)
        with pytest.raises(ValueError, match="size expects 3 or more, got 2"):
            tc_placements(2)

    @pytest.mark.parametrize("size", [5, 6, 7])
    def test_singles_and_pairs_are_as_frequent_in_both(self, size):
        """On a ring the sums over all T and over all C agree: no weights can separate them."""
        x, y = tc_placements(size, around=True)
        x = x.flatten(1)
        pairs = x[:, :, None] * x[:, None, :]  # the diagonal holds the singles
        assert torch.equal(pairs[y == 1].sum(0), pairs[y == 0].sum(0))
        triples = torch.einsum("ni,nj,nk->ijk", *[x[y == 1]] * 3)
        assert not torch.equal(triples, torch.einsum("ni,nj,nk->ijk", *[x[y == 0]] * 3))

    @pytest.mark.parametrize(("size", "separable"), [(4, True), (5, False), (6, False)])
    def test_inside_the_edges_pairs_fail_too_if_there_is_room(self, size, separable):
        x, y = tc_placements(size)
        x = x.flatten(1)
        first, second = torch.triu_indices(size**2, size**2)
        features = torch.cat([x[:, first] * x[:, second], torch.ones(len(x), 1)], dim=1)
        sides = (2 * y[:, None] - 1) * features
        found = linprog(
            [0] * sides.shape[1],
            A_ub=-sides.double().numpy(),
            b_ub=[-1] * len(sides),
            bounds=(None, None),
            method="highs",
        )
        assert (found.status == 0) == separable
        assert found.status in (0, 2)  # 2: shown to be impossible

    def test_lines_of_three_tell_them_apart(self):
        x, y = tc_placements(7)
        rows, columns = x.unfold(2, 3, 1).prod(-1), x.unfold(3, 3, 1).prod(-1)
        lines = rows.sum((1, 2, 3)) + columns.sum((1, 2, 3))
        assert torch.equal(lines, 1.0 + y)

    def test_a_t_touches_one_window_more(self):
        x, y = tc_placements(7)
        sums = torch.nn.functional.conv2d(x, torch.ones(1, 1, 3, 3), padding=2)
        touched = (sums > 0).sum((1, 2, 3))
        assert torch.equal(touched, 20 + y)


@pytest.fixture(scope="module")
def taught():
    """Networks from five seeds, twenty each, and twenty small ones: trained at one place.

    The formula is written with PyTorch's own functions here, which is faster;
    ``test_the_formula_by_loops`` holds the module to it.
    """
    starts = [TCNetwork(20, generator=generator(seed)) for seed in range(5)]
    starts.append(TCNetwork(20, spread=0.5, generator=generator()))
    net = TCNetwork(120)
    for name, parameter in net.named_parameters():
        parameter.data = torch.cat([getattr(start, name).data for start in starts])
    x, y = tc_placements(6)
    first = slice(None, None, len(x) // 8)
    optimizer = Adam(net.parameters(), lr=0.1)
    target = y[first, None].float().expand(8, 120)
    functional = torch.nn.functional
    windows = functional.unfold(x[first], 3, padding=2)  # (8, 9, 64)
    for _ in range(2500):
        optimizer.zero_grad()
        detectors = torch.sigmoid(net.weight.flatten(1) @ windows + net.bias[:, None])
        z = detectors.sum(2) * net.output_weight + net.output_bias
        functional.binary_cross_entropy_with_logits(z, target, reduction="sum").backward()
        optimizer.step()
    assert torch.allclose(
        net(x[first]),
        (
            torch.sigmoid(net.weight.flatten(1) @ windows + net.bias[:, None]).sum(2)
            * net.output_weight
            + net.output_bias
        ),
        atol=1e-2,
    )
    right = ((net(x) > 0) == (y[:, None] > 0)).detach()
    return field_kind(net.weight), right[first].all(0), right.all(0)


class TestTCNetwork:
    def test_the_formula_by_loops(self):
        net = TCNetwork(2, generator=generator())
        net.bias.data, net.output_bias.data = drawn(2, seed=1), drawn(2, seed=2)
        x, _ = tc_placements(4)
        x = x[::13]
        framed = torch.nn.functional.pad(x, (2, 2, 2, 2))
        for n, s in itertools.product(range(len(x)), range(2)):
            total = 0.0
            for i, j in itertools.product(range(6), repeat=2):
                seen = framed[n, 0, i : i + 3, j : j + 3]
                total += torch.sigmoid((net.weight[s, 0] * seen).sum() + net.bias[s]).item()
            expected = net.output_weight[s].item() * total + net.output_bias[s].item()
            assert net(x)[n, s].item() == pytest.approx(expected, abs=1e-4)

    def test_networks_are_independent(self):
        many, one = (TCNetwork(n, generator=generator(3)) for n in (5, 1))
        assert torch.equal(many.weight[:1], one.weight)
        x, _ = tc_placements(5)
        many(x)[:, 2].sum().backward()
        for p in many.parameters():
            touched = p.grad.flatten(1).abs().sum(1) if p.dim() > 1 else p.grad.abs()
            assert (touched > 0).tolist() == [False, False, True, False, False]

    def test_the_place_does_not_matter(self):
        net = TCNetwork(20, generator=generator(1)).double()
        x, _ = tc_placements(7)
        z = net(x.double()).view(8, 25, 20)
        assert (z - z[:, :1]).abs().max() < 1e-10

    def test_a_tied_weights_gradient_is_the_sum_over_places(self):
        net = TCNetwork(generator=generator(2)).double()
        x, y = tc_placements(5)
        x, target = x[::9].double(), y[::9, None].double()
        windows = torch.nn.functional.unfold(x, 3, padding=2)  # (8, 9, 49)
        untied = net.weight.detach().view(9, 1).repeat(1, 49).requires_grad_()
        detectors = torch.sigmoid((untied * windows).sum(1) + net.bias.detach())
        z = detectors.sum(1, keepdim=True) * net.output_weight.detach() + net.output_bias.detach()
        torch.nn.functional.binary_cross_entropy_with_logits(z, target).backward()
        ops.binary_cross_entropy_with_logits(net(x), target).backward()
        assert torch.allclose(untied.grad.sum(1), net.weight.grad.flatten(), atol=1e-14)

    @wrong_shapes
    def test_bad_input(self):
        with pytest.raises(ValueError, match="networks expects 1 or more, got 0"):
            TCNetwork(0)
        with pytest.raises(ValueError, match=r"x of shape \(B, 1, H, W\), got \(5, 5\)"):
            TCNetwork()(torch.zeros(5, 5))
        with pytest.raises(ValueError, match=r"expected \(S, 1, 3, 3\), got \(3, 3\)"):
            field_shares(torch.zeros(3, 3))

    def test_kinds_of_fields(self):
        cross = -torch.ones(3, 3)
        cross[1, 1] = 8.0
        line = torch.full((3, 3), -1.0)
        line[:, 0] = 2.0
        fields = torch.stack([torch.full((3, 3), -3.0), line, torch.eye(3) - 1 / 3, -cross])
        assert field_kind(fields[:, None]) == list(FIELD_KINDS)
        mixed = torch.tensor([[3.0, 0, 0], [0, 0, 0], [0, 0, -3.0]])
        assert field_kind(mixed[None, None]) == ["other"]
        shares = field_shares(drawn(50, 1, 3, 3) - 0.5)
        assert all(((s >= 0) & (s <= 1 + 1e-6)).all() for s in shares.values())

    @pytest.mark.slow
    def test_it_is_solved_from_most_starts_and_then_everywhere(self, taught):
        kinds, here, anywhere = taught
        solved = here[:100].view(5, 20).sum(1)
        assert (solved >= 14).sum() >= 4
        assert (here == anywhere).sum() >= 117  # those at the border may flip by rounding
        found = Counter(kind for kind, right in zip(kinds[:100], here[:100], strict=True) if right)
        assert found["compactness"] == max(found.values())
        assert len(set(FIELD_KINDS) & set(found)) >= 3

    @pytest.mark.slow
    def test_small_starts_end_alike(self, taught):
        kinds, here, _ = taught
        assert here[100:].sum() >= 14
        assert {k for k, right in zip(kinds[100:], here[100:], strict=True) if right} == {
            "compactness"
        }

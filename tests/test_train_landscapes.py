"""dlbook.train.landscapes: where the loss is measured, with what, and that nothing is moved."""

import copy

import pytest
import torch
from torch import nn

from dlbook import plot
from dlbook.train import landscapes
from dlbook.train.landscapes import Line, along, between, distance, over, random_direction

wrong_types = pytest.mark.untyped  # annotations would refuse them first


@pytest.fixture(autouse=True)
def _settings(monkeypatch):
    monkeypatch.setenv("DLBOOK_DEVICE", "cpu")


def examples(n=50):
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(n, 4, generator=generator)
    return x, x[:, :3].argmax(1)


def network(seed=0, norm=True):
    torch.manual_seed(seed)
    layers = [nn.Linear(4, 8), *([nn.BatchNorm1d(8)] if norm else []), nn.ReLU(), nn.Dropout(0.5)]
    model = nn.Sequential(*layers, nn.Linear(8, 3))
    if norm:
        model.train()
        model(3 * torch.randn(100, 4) + 1)  # running statistics that are not the initial ones
    return model


def source(seed=0):
    return torch.Generator().manual_seed(seed)


LOSS = nn.CrossEntropyLoss()


def loss_of(model, data=None):
    x, y = examples() if data is None else data
    twin = copy.deepcopy(model).eval()
    with torch.no_grad():
        return LOSS(twin(x), y).item()


def moved(model, *steps):
    twin = copy.deepcopy(model)
    with torch.no_grad():
        for a, direction in steps:
            for name, p in twin.named_parameters():
                p += a * direction[name]
    return twin


class TestDirections:
    def test_every_filter_has_its_own_length(self):
        model = nn.Sequential(nn.Conv2d(3, 5, 2), nn.BatchNorm2d(5), nn.Flatten(), nn.Linear(20, 2))
        with torch.no_grad():
            model[3].weight[1] = 0
        direction = random_direction(model, source())
        for name, p in model.named_parameters():
            d = direction[name]
            assert d.shape == p.shape
            if p.dim() < 2:
                assert not d.any()
                continue
            torch.testing.assert_close(d.flatten(1).norm(dim=1), p.detach().flatten(1).norm(dim=1))
        assert not direction["3.weight"][1].any()

    def test_rescaled_networks_have_the_same_slice(self):
        """What the normalisation is for: the slice does not see a scale that has no effect."""
        model = network(norm=False)
        twin = copy.deepcopy(model)
        with torch.no_grad():
            twin[0].weight.mul_(10)
            twin[0].bias.mul_(10)
            twin[3].weight.div_(10)
        lines = [along(m, LOSS, examples(), random_direction(m, source())) for m in (model, twin)]
        assert lines[0].losses == pytest.approx(lines[1].losses, rel=1e-4)
        plain = {name: torch.randn(p.shape) for name, p in model.named_parameters()}
        lines = [along(m, LOSS, examples(), plain) for m in (model, twin)]
        assert lines[0].losses != pytest.approx(lines[1].losses, rel=0.1)

    def test_the_generator_decides(self):
        a, b, c = (random_direction(network(), source(s)) for s in (0, 0, 1))
        assert torch.equal(a["0.weight"], b["0.weight"])
        assert not torch.equal(a["0.weight"], c["0.weight"])


class TestSlices:
    def test_a_line_is_the_loss_at_its_points(self):
        model = network()
        direction = random_direction(model, source())
        line = along(
            model, LOSS, examples(), direction, span=(-1, 2), points=4, metrics=["accuracy"],
            batch_size=7,
        )  # fmt: skip
        assert line.positions == [-1, 0, 1, 2]
        expected = [loss_of(moved(model, (a, direction))) for a in line.positions]
        assert line.losses == pytest.approx(expected, rel=1e-5)
        assert len(line.metrics["accuracy"]) == 4
        partial = along(model, LOSS, examples(), {"0.bias": torch.ones(8)}, points=2)
        assert len(set(partial.losses)) == 2

    def test_a_plane_has_rows_for_the_second_direction(self):
        model = network()
        first, second = random_direction(model, source()), random_direction(model, source(1))
        plane = over(model, LOSS, examples(), [first, second], points=3, metrics=["accuracy"])
        for i, b in enumerate(plane.positions):
            for j, a in enumerate(plane.positions):
                expected = loss_of(moved(model, (a, first), (b, second)))
                assert plane.losses[i, j].item() == pytest.approx(expected, rel=1e-5)
        assert plane.metrics["accuracy"].shape == (3, 3)
        assert plane.span == (-1, 1)
        axes = plot.contours(lambda x, y: plane.losses, plane.span, plane.span, points=3)
        assert axes.get_xlim() == (-1, 1)

    def test_between_two_solutions(self):
        a, b = network(0), network(1)
        line = between(a, b, LOSS, examples(), points=5, metrics=["accuracy"])
        assert line.losses[0] == pytest.approx(loss_of(a), rel=1e-5)
        assert line.losses[-1] == pytest.approx(loss_of(b), rel=1e-5)
        middle = copy.deepcopy(a)
        state = {
            n: (v + b.state_dict()[n]) / 2 if v.is_floating_point() else v
            for n, v in a.state_dict().items()
        }
        middle.load_state_dict(state)
        assert line.losses[2] == pytest.approx(loss_of(middle), rel=1e-5)
        vectors = [nn.utils.parameters_to_vector(m.parameters()).double() for m in (a, b)]
        assert distance(a, b) == pytest.approx((vectors[0] - vectors[1]).norm().item())
        back = between(b, a, LOSS, examples(), points=5)
        assert back.losses == pytest.approx(line.losses[::-1], rel=1e-4)

    def test_the_barrier(self):
        line = Line([-0.5, 0.0, 0.5, 1.0, 1.5], [99.0, 1.0, 4.0, 2.0, 99.0])
        assert line.barrier == pytest.approx(4.0 - 1.5)
        assert Line([0.0, 0.5, 1.0], [1.0, 0.2, 2.0]).barrier == 0
        with pytest.raises(ValueError, match="expects 0 and 1 among the positions"):
            _ = Line([0.0, 0.9], [1.0, 1.0]).barrier


class TestBatchNorm:
    @pytest.mark.parametrize("points", [2, 3])
    def test_recomputed_statistics_are_those_of_the_data_at_each_point(self, points):
        model = network()
        direction = random_direction(model, source())
        line = along(
            model, LOSS, examples(), direction, points=points, buffers="recomputed", batch_size=50
        )
        for a, value in zip(line.positions, line.losses, strict=True):
            twin = moved(model, (a, direction)).eval()
            z = twin[0](examples()[0])
            twin[1].running_mean, twin[1].running_var = z.mean(0).detach(), z.var(0).detach()
            assert value == pytest.approx(loss_of(twin), rel=1e-5)

    def test_the_average_over_batches(self):
        model = network()
        line = between(
            model, model, LOSS, examples(), buffers="recomputed", batch_size=10, points=2
        )
        twin = copy.deepcopy(model)
        z = twin[0](examples()[0]).detach().split(10)
        twin[1].running_mean = torch.stack([b.mean(0) for b in z]).mean(0)
        twin[1].running_var = torch.stack([b.var(0) for b in z]).mean(0)
        assert line.losses == pytest.approx([loss_of(twin)] * 2, rel=1e-5)

    def test_fixed_and_recomputed_differ(self):
        model = network()
        direction = random_direction(model, source())
        fixed, recomputed = (
            along(model, LOSS, examples(), direction, buffers=b) for b in ("fixed", "recomputed")
        )
        assert fixed.losses != pytest.approx(recomputed.losses, rel=1e-2)


@pytest.mark.parametrize("buffers", ["fixed", "recomputed"])
def test_nothing_is_moved(buffers):
    model, other = network(), network(1)
    LOSS(model(examples()[0]), examples()[1]).backward()
    model[3].eval()
    random_state = torch.get_rng_state()
    before = copy.deepcopy(
        [m.state_dict() for m in (model, other)] + [[p.grad for p in model.parameters()]]
    )
    direction = random_direction(model, source())
    along(model, LOSS, examples(), direction, buffers=buffers, points=3)
    over(model, LOSS, examples(), [direction, direction], buffers=buffers, points=2)
    kind = {"fixed": "interpolated"}.get(buffers, buffers)
    between(model, other, LOSS, examples(), buffers=kind, points=3)
    with pytest.raises(RuntimeError):
        along(model, LOSS, (torch.zeros(2, 9), torch.zeros(2)), direction)
    for old, new in zip(before[:2], (model.state_dict(), other.state_dict()), strict=True):
        assert all(torch.equal(old[n], new[n]) for n in new)
    assert all(torch.equal(g, p.grad) for g, p in zip(before[2], model.parameters(), strict=True))
    assert model.training
    assert not model[3].training
    assert model[1].momentum == 0.1
    assert torch.equal(torch.get_rng_state(), random_state)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m, d: along(m, LOSS, examples(), d, points=1), "along: points expects"),
        (lambda m, d: along(m, LOSS, examples(), d, span=(1, 1)), "along: span expects"),
        (
            lambda m, d: over(m, LOSS, examples(), [d]),
            "over: directions expects two of them, got 1",
        ),
        (
            lambda m, d: along(m, LOSS, examples(), {"0.weight": torch.zeros(2)}),
            r"'0.weight' of shape \(2,\), the model \(8, 4\)",
        ),
        (lambda m, d: along(m, LOSS, examples(), {"z": torch.zeros(2)}), r"'z' .*the model none"),
        (
            lambda m, d: between(m, nn.Linear(4, 3), LOSS, examples()),
            r"architecture, got '0.weight' of shape \(8, 4\) in the first and none in the second",
        ),
        (lambda m, d: distance(m, nn.Linear(4, 3)), "distance: expects models of one"),
    ],
)
def test_refuses(call, message):
    model = network()
    with pytest.raises(ValueError, match=message):
        call(model, random_direction(model, source()))


@wrong_types
def test_refuses_other_buffers():
    model = network()
    with pytest.raises(ValueError, match="buffers expects one of fixed, recomputed, got 'both'"):
        along(model, LOSS, examples(), {}, buffers="both")
    with pytest.raises(ValueError, match="buffers expects one of interpolated, recomputed"):
        landscapes.between(model, model, LOSS, examples(), buffers="fixed")

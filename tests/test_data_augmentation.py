"""dlbook.data.augmentation: what moves where, what is drawn, and how training uses it."""

import math

import pytest
import torch
from torch import nn

from dlbook.data import Part, augmentation, digits
from dlbook.data.augmentation import Affine, Compose, Mixup, Noise, affine, mixup
from dlbook.ops import cross_entropy
from dlbook.optim import SGD
from dlbook.train import CheckpointError, fit

wrong_types = pytest.mark.untyped  # annotations would refuse them first


def source(seed=0):
    return torch.Generator().manual_seed(seed)


def picture(height=7, width=7, dtype=torch.float64):
    return torch.rand(3, 2, height, width, generator=source(), dtype=dtype)


def by_loops(image, matrix, shift):
    """The affine map of one image, pixel by pixel."""
    height, width = image.shape
    inverse = torch.linalg.inv(matrix.double())
    out = torch.zeros_like(image)

    def at(row, column):
        return image[row, column] if 0 <= row < height and 0 <= column < width else 0.0

    for row in range(height):
        for column in range(width):
            q = torch.tensor([column - (width - 1) / 2, row - (height - 1) / 2]).double()
            x, y = (inverse @ (q - shift.double())).tolist()
            x, y = x + (width - 1) / 2, y + (height - 1) / 2
            i, j = math.floor(y), math.floor(x)
            v, u = y - i, x - j
            out[row, column] = (1 - v) * ((1 - u) * at(i, j) + u * at(i, j + 1)) + v * (
                (1 - u) * at(i + 1, j) + u * at(i + 1, j + 1)
            )
    return out


class TestAffine:
    @pytest.mark.parametrize(("height", "width"), [(7, 7), (5, 9), (8, 8), (1, 4)])
    def test_is_bilinear_interpolation_at_the_source(self, height, width):
        x = picture(height, width)
        generator = source(1)
        matrices = torch.eye(2) + 0.3 * torch.randn(3, 2, 2, generator=generator)
        shifts = torch.randn(3, 2, generator=generator)
        got = affine(x, matrices, shifts)
        for b in range(3):
            for c in range(2):
                expected = by_loops(x[b, c], matrices[b], shifts[b])
                torch.testing.assert_close(got[b, c], expected, atol=1e-6, rtol=1e-6)

    def test_whole_shifts_and_quarter_turns_are_exact(self):
        x = picture()
        moved = affine(x, torch.eye(2), torch.tensor([2.0, -1.0]))
        torch.testing.assert_close(moved[..., :-1, 2:], x[..., 1:, :-2])
        assert moved[..., -1, :].abs().max() < 1e-12
        assert moved[..., :2].abs().max() < 1e-12
        turned = affine(x, torch.tensor([[0.0, -1.0], [1.0, 0.0]]), torch.zeros(2))
        torch.testing.assert_close(turned, x.rot90(-1, (-2, -1)))

    def test_half_a_pixel_is_the_mean_of_two(self):
        x = picture()
        moved = affine(x, torch.eye(2), torch.tensor([0.5, 0.0]))
        torch.testing.assert_close(moved[..., 1:], (x[..., 1:] + x[..., :-1]) / 2)

    def test_the_forms_of_images_agree(self):
        x = picture()[:, :1]
        arguments = torch.tensor([[0.9, 0.2], [-0.1, 1.1]]), torch.tensor([0.3, -0.6])
        whole = affine(x, *arguments)
        torch.testing.assert_close(affine(x[:, 0], *arguments), whole[:, 0])
        torch.testing.assert_close(affine(x.flatten(1), *arguments), whole.flatten(1))

    def test_one_resampling_blurs_less_than_three(self):
        x = digits.load(images=True).train.x[:50]
        once = Affine(shift=0.5, degrees=10, scale=0.1)
        thrice = Compose([Affine(shift=0.5), Affine(degrees=10), Affine(scale=0.1)])

        def roughness(images):
            return images.diff(dim=-1).square().mean() + images.diff(dim=-2).square().mean()

        sharp, dull = (roughness(f(x, None, source())[0]) for f in (once, thrice))
        assert dull < sharp < roughness(x)

    @pytest.mark.parametrize(
        ("x", "matrix", "shift", "message"),
        [
            ((2, 7), (2, 2), (2,), r"rows \(B, D\) of square images, got shape \(2, 7\)"),
            ((2, 4), (3, 2, 2), (2,), r"matrix expects shape \(2, 2\) or \(2, 2, 2\)"),
            ((2, 4), (2, 2), (3,), r"shift expects shape \(2,\) or \(2, 2\), got \(3,\)"),
        ],
    )
    def test_bad_shapes(self, x, matrix, shift, message):
        with pytest.raises(ValueError, match=message):
            affine(torch.zeros(x), torch.zeros(matrix), torch.zeros(shift))

    def test_amounts_stay_within_their_limits_and_fill_them(self, monkeypatch):
        drawn = {}
        monkeypatch.setattr(
            augmentation, "affine", lambda x, matrix, shift: drawn.update(m=matrix, t=shift) or x
        )
        Affine(shift=1.5, degrees=20, scale=0.25)(torch.zeros(4000, 4), None, source())
        factor = torch.linalg.det(drawn["m"]).sqrt()
        angle = torch.rad2deg(torch.atan2(drawn["m"][:, 1, 0], drawn["m"][:, 0, 0]))
        for values, low, high in (
            (factor.log(), -math.log(1.25), math.log(1.25)),
            (angle, -20.0, 20.0),
            (drawn["t"], -1.5, 1.5),
        ):
            assert low <= values.min() < 0.99 * low < 0 < 0.99 * high < values.max() <= high
            assert abs(values.mean()) < 0.05 * high
        Affine(shift=2, whole=True)(torch.zeros(4000, 4), None, source())
        values, counts = drawn["t"].unique(return_counts=True)
        assert values.tolist() == [-2, -1, 0, 1, 2]
        assert (counts / 8000 - 0.2).abs().max() < 0.02

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"shift": -1}, "shift expects a number >= 0, got -1"),
            ({"degrees": 181}, "degrees expects a number >= 0 and <= 180"),
            ({"scale": math.inf}, "scale expects"),
            ({"shift": math.nan}, "shift expects"),
            ({"shift": 0.5, "whole": True}, "whole number, got 0.5"),
        ],
    )
    def test_bad_settings(self, settings, message):
        with pytest.raises(ValueError, match=message):
            Affine(**settings)


def test_noise_has_its_deviation():
    x, y = torch.full((50, 64), 0.5), torch.arange(50)
    noisy, same = Noise(0.1)(x, y, source())
    assert same is y
    assert noisy.sub(x).std() == pytest.approx(0.1, rel=0.05)
    assert torch.equal(x, torch.full((50, 64), 0.5))
    with pytest.raises(ValueError, match="deviation expects"):
        Noise(-0.1)


class TestMixup:
    def test_inputs_and_targets_are_mixed_alike(self):
        x = torch.eye(6, dtype=torch.float64)
        mixed, target = mixup(x, torch.arange(6), 1.0, source(), classes=6)
        assert torch.equal(mixed, target)
        torch.testing.assert_close(target.sum(1), torch.ones(6, dtype=torch.float64))
        assert ((target > 0).sum(1) <= 2).all()
        again = mixup(x, nn.functional.one_hot(torch.arange(6)).double(), 1.0, source())
        assert torch.equal(again[1], target)

    def test_shares_follow_the_beta_distribution(self):
        n, alpha = 4000, 0.4
        _, target = mixup(torch.zeros(n, 1), torch.eye(n)[:, :n], alpha, source())
        share = target.diagonal()
        assert share.mean() == pytest.approx(0.5, abs=0.02)
        assert share.var() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.05)

    def test_its_loss_is_the_mixture_of_the_losses(self):
        x, y = torch.rand(5, 3), torch.tensor([0, 1, 2, 1, 0])
        _, target = mixup(x, y, 1.0, source(), classes=3)
        scores = torch.randn(5, 3)
        each = torch.stack(
            [cross_entropy(scores, torch.full((5,), k), reduction="none") for k in range(3)], 1
        )
        torch.testing.assert_close(cross_entropy(scores, target), (each * target).sum(1).mean())

    @pytest.mark.parametrize(
        ("y", "alpha", "classes", "message"),
        [
            (torch.arange(3), 0.0, 3, "alpha expects a number > 0"),
            (torch.arange(3), 1.0, None, "classes expects their number"),
            (torch.arange(3), 1.0, 2, "from 0 to 1, got shape .*0 to 2"),
            (torch.zeros(3), 1.0, None, r"probabilities \(B, K\), got shape \(3,\)"),
            (torch.arange(2), 1.0, 3, "as many rows"),
        ],
    )
    def test_refuses(self, y, alpha, classes, message):
        with pytest.raises(ValueError, match=message):
            mixup(torch.zeros(3, 2), y, alpha, source(), classes=classes)
        with pytest.raises(ValueError, match="Mixup: alpha"):
            Mixup(-1.0)


@wrong_types
def test_compose_refuses_what_it_cannot_call():
    with pytest.raises(TypeError, match="Compose: expects functions"):
        Compose([Affine])
    with pytest.raises(TypeError, match="Compose: expects functions"):
        Compose([Affine(), 3])


class TestInTraining:
    """What ``fit(augment=…)`` promises."""

    @pytest.fixture(autouse=True)
    def _quiet(self, monkeypatch):
        monkeypatch.setenv("DLBOOK_PROGRESS", "0")
        monkeypatch.setenv("DLBOOK_DEVICE", "cpu")

    augment = Compose([Affine(shift=1, degrees=10), Noise(0.05), Mixup(0.2, classes=10)])

    def train(self, augment, epochs=2, data=None, **arguments):
        torch.manual_seed(0)
        model = nn.Linear(64, 10)
        data = digits.load().validation if data is None else data
        arguments = {"seed": 0, "metrics": ["accuracy"], **arguments}
        optimizer = SGD(model.parameters(), lr=0.1, momentum=0.9)
        history = fit(model, cross_entropy, optimizer, data, data, epochs=epochs, **arguments,
                      augment=augment)  # fmt: skip
        return history, [p.detach().clone() for p in model.parameters()]

    def seen(self, seed=0, augment=None, **arguments):
        """The batches that the model is given in training, epoch by epoch."""
        batches = []

        def spy(x, y, generator):
            pair = (augment or (lambda x, y, g: (x, y)))(x, y, generator)
            batches.append((x, *pair))
            return pair

        self.train(spy, seed=seed, **arguments)
        return batches

    def test_same_seed_same_images_other_epoch_other_images(self):
        part = Part(torch.rand(4, 64), torch.arange(4))
        first, again = (self.seen(0, Affine(shift=1), data=part, shuffle=False) for _ in range(2))
        other = self.seen(1, Affine(shift=1), data=part, shuffle=False)
        assert len(first) == 2
        assert all(torch.equal(a[1], b[1]) for a, b in zip(first, again, strict=True))
        assert not torch.equal(first[0][1], first[1][1])
        assert not torch.equal(first[0][1], other[0][1])
        assert all(torch.equal(x, part.x) for x, _, _ in first)

    def test_the_order_is_that_without_augmentation(self):
        plain, changed = self.seen(), self.seen(augment=self.augment)
        assert all(torch.equal(a[0], b[0]) for a, b in zip(plain, changed, strict=True))
        history, parameters = self.train(None)
        unchanged, same = self.train(lambda x, y, g: (x, y))
        assert history == unchanged
        assert all(torch.equal(a, b) for a, b in zip(parameters, same, strict=True))

    def test_a_run_goes_on_bit_equal(self, tmp_path):
        history, parameters = self.train(self.augment, epochs=4)
        self.train(self.augment, epochs=2, checkpoint=tmp_path / "run.pt")
        resumed, same = self.train(self.augment, epochs=4, checkpoint=tmp_path / "run.pt")
        assert resumed == history
        assert all(torch.equal(a, b) for a, b in zip(parameters, same, strict=True))

    def test_another_augmentation_is_refused(self, tmp_path):
        self.train(self.augment, epochs=1, checkpoint=tmp_path / "run.pt")
        for other in (None, Compose([Affine(shift=2)])):
            with pytest.raises(CheckpointError, match="run has augment = 'Compose"):
                self.train(other, checkpoint=tmp_path / "run.pt")

    def test_validation_is_left_alone(self):
        history, _ = self.train(lambda x, y, g: (x * 0, y), epochs=1)
        clean, _ = self.train(None, epochs=1)
        assert history.train["loss"][0] > clean.train["loss"][0]
        assert history.validation["loss"][0] != history.train["loss"][0]

    def test_refuses(self):
        with pytest.raises(TypeError, match=r"augment expects to return a batch \(x, y\)"):
            self.train(lambda x, y, g: x)

    @wrong_types
    def test_refuses_what_it_cannot_call(self):
        with pytest.raises(TypeError, match="augment expects a function"):
            self.train(Affine)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
@pytest.mark.parametrize(
    "augment", [Affine(shift=1, degrees=20, scale=0.2), Noise(0.1), Mixup(0.4, classes=10)]
)
def test_every_device_has_the_same_images(augment):
    x, y = torch.rand(10, 64), torch.arange(10)
    here = augment(x, y, source())
    there = augment(x.cuda(), y.cuda(), source())
    assert there[0].is_cuda
    torch.testing.assert_close(there[0].cpu(), here[0])
    torch.testing.assert_close(there[1].cpu(), here[1])

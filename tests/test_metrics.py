"""Measures of samples, against loops, closed forms and other libraries."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from dlbook import nn
from dlbook.data import mixtures
from dlbook.metrics import (
    classifier_verdict,
    frechet_distance,
    mode_coverage,
    precision_recall,
    psnr,
)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# --- modes ---------------------------------------------------------------------------------------


def test_true_samples_have_all_modes() -> None:
    x, _ = mixtures.ring(8000, generator())
    found, quality, evenness, counts = mode_coverage(x, mixtures.ring_centers(), 0.05)
    assert found == 8
    assert quality == pytest.approx(1 - math.exp(-4.5), abs=0.005)
    assert evenness == pytest.approx(1, abs=1e-4)
    assert counts.sum().item() == round(quality * 8000)


def test_modes_by_loops() -> None:
    g = generator(1)
    x, centers = torch.randn(300, 3, generator=g), torch.randn(5, 3, generator=g)
    result = mode_coverage(x, centers, 0.3, within=2.5, least=0.5)
    counts = [0] * 5
    for point in x.tolist():
        far = [math.dist(point, c) for c in centers.tolist()]
        if min(far) <= 0.75:
            counts[far.index(min(far))] += 1
    assert result.counts.tolist() == counts
    assert result.found == sum(c >= 0.5 * 300 / 5 for c in counts)
    assert result.quality == pytest.approx(sum(counts) / 300)
    shares = [c / sum(counts) for c in counts if c]
    entropy = -sum(s * math.log(s) for s in shares)
    assert result.evenness == pytest.approx(entropy / math.log(5))


def test_collapse_and_missing_samples() -> None:
    centers = mixtures.ring_centers()
    one = mode_coverage(centers[:1].expand(50, 2), centers, 0.05)
    assert (one.found, one.quality, one.evenness) == (1, 1.0, 0.0)
    none = mode_coverage(torch.zeros(50, 2), centers, 0.05, least=0.0)
    assert (none.found, none.quality, none.evenness) == (0, 0.0, 0.0)
    single = mode_coverage(torch.zeros(5, 2), torch.zeros(1, 2), 0.05)
    assert (single.found, single.quality, single.evenness) == (1, 1.0, 1.0)


def test_what_mode_coverage_refuses() -> None:
    x = torch.zeros(4, 2)
    with pytest.raises(ValueError, match=r"centers \(K, D\), got \(4, 2\) and \(4, 3\)"):
        mode_coverage(x, torch.zeros(4, 3), 0.1)
    with pytest.raises(ValueError, match="samples and centers, got 0 and 4"):
        mode_coverage(x[:0], x, 0.1)
    with pytest.raises(ValueError, match="sigma and within above 0"):
        mode_coverage(x, x, 0.0)


# --- Fréchet -------------------------------------------------------------------------------------


def test_the_frechet_distance_of_gaussians_in_closed_form() -> None:
    """With variances along the axes: the sum over axes of (μ − μ̃)² + (σ − σ̃)²."""
    g = generator()
    z = torch.randn(500, 3, generator=g, dtype=torch.float64)
    z = z - z.mean(0)
    z = z @ torch.linalg.inv(torch.linalg.cholesky(torch.cov(z.T))).T  # variance 1 exactly
    a, b = torch.tensor([1.0, 2.0, 3.0]).double(), torch.tensor([2.0, 2.0, 0.5]).double()
    shift = torch.tensor([0.5, 0.0, -1.0]).double()
    wanted = (shift.square() + (a - b).square()).sum().item()
    assert frechet_distance(z * a, z * b + shift) == pytest.approx(wanted, abs=1e-8)
    assert frechet_distance(z, z) == pytest.approx(0, abs=1e-8)


def test_the_frechet_distance_is_scipys() -> None:
    linalg = pytest.importorskip("scipy.linalg")
    g = generator(3)
    x = torch.randn(80, 5, generator=g) @ torch.randn(5, 5, generator=g)
    y = torch.randn(60, 5, generator=g) @ torch.randn(5, 5, generator=g) + 1
    first, second = np.cov(x.double().numpy().T), np.cov(y.double().numpy().T)
    root = np.real(linalg.sqrtm(first @ second))
    apart = ((x.double().mean(0) - y.double().mean(0)) ** 2).sum().item()
    wanted = apart + np.trace(first + second - 2 * root)
    assert frechet_distance(x, y) == pytest.approx(wanted, rel=1e-6)
    assert frechet_distance(y, x) == pytest.approx(wanted, rel=1e-6)


def test_fewer_examples_than_features() -> None:
    """The covariance is singular, and the distance still a number."""
    x, y = torch.randn(2, 4, 20, generator=generator())
    assert 0 < frechet_distance(x, y) < math.inf
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-6)


def test_features_are_a_networks_that_stays_as_it_was() -> None:
    g = generator()
    torch.manual_seed(0)
    inner = nn.Dropout(0.5)
    network = torch.nn.Sequential(nn.Flatten(), nn.Linear(12, 4), nn.BatchNorm1d(4), inner)
    network.train()
    network[2].eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    x, y = torch.randn(2, 50, 3, 4, generator=g)
    found = frechet_distance(x, y, network, batch_size=7)
    assert [m.training for m in network] == [True, True, False, True]
    torch.testing.assert_close(network.state_dict(), before)
    network.eval()
    with torch.no_grad():
        assert found == pytest.approx(frechet_distance(network(x), network(y)), rel=1e-5)
    assert network[1].weight.grad is None


def test_what_the_frechet_distance_refuses() -> None:
    x = torch.zeros(4, 2)
    with pytest.raises(ValueError, match=r"of one shape, got \(4, 2\) and \(4, 3\)"):
        frechet_distance(x, torch.zeros(4, 3))
    with pytest.raises(ValueError, match="expected 2 examples and 2 samples at least, got 4 and 1"):
        frechet_distance(x, x[:1])
    with pytest.raises(ValueError, match="those of the samples are not"):
        frechet_distance(x, x / 0)


# --- precision and recall ------------------------------------------------------------------------


def by_loops(points: Tensor, centers: Tensor, k: int) -> float:
    hits = 0
    for p in points.tolist():
        for c in centers.tolist():
            radius = sorted(math.dist(c, other) for other in centers.tolist())[k]
            if math.dist(p, c) <= radius:
                hits += 1
                break
    return hits / len(points)


@pytest.mark.parametrize("k", [1, 3])
def test_precision_and_recall_by_loops(k: int) -> None:
    g = generator(k)
    x = torch.randn(40, 2, generator=g, dtype=torch.float64)
    y = 0.7 * torch.randn(30, 2, generator=g, dtype=torch.float64) + 0.5
    found = precision_recall(x, y, k=k, batch_size=7)
    assert found == (by_loops(y, x, k), by_loops(x, y, k))
    assert 0 < found.recall < found.precision


def test_lost_modes_cost_recall_and_noise_costs_precision() -> None:
    x, _ = mixtures.ring(800, generator(0))
    y, k = mixtures.ring(800, generator(1))
    good = precision_recall(x, y)
    assert min(good) > 0.9
    lost = precision_recall(x, y[k < 4])
    assert lost.precision > 0.9
    assert lost.recall == pytest.approx(0.5, abs=0.06)
    noisy = precision_recall(x, torch.cat([y[:400], 20 + torch.rand(400, 2)]))
    assert noisy.precision == pytest.approx(0.5, abs=0.06)
    with pytest.raises(ValueError, match="k of 1 or more, got 0"):
        precision_recall(x, y, k=0)
    with pytest.raises(ValueError, match="expected 4 examples and 4 samples at least, got 3"):
        precision_recall(x[:3], y)


# --- a classifier's verdict, and decibels --------------------------------------------------------


def test_a_verdict_by_hand() -> None:
    p = torch.tensor([[0.95, 0.03, 0.02], [0.5, 0.3, 0.2], [0.05, 0.9001, 0.0499], [1.0, 0, 0]])
    verdict = classifier_verdict(lambda rows: rows.clamp_min(1e-30).log() + 5, p, batch_size=3)
    assert verdict.recognised == 0.75
    assert verdict.counts.tolist() == [2, 1, 0]
    entropy = -(2 / 3 * math.log(2 / 3) + 1 / 3 * math.log(1 / 3))
    assert verdict.evenness == pytest.approx(entropy / math.log(3))
    nothing = classifier_verdict(lambda rows: rows * 0, p)
    assert (nothing.recognised, nothing.evenness) == (0.0, 0.0)
    with pytest.raises(ValueError, match=r"from 0 to 1, got 4 and 2\.0"):
        classifier_verdict(lambda rows: rows, p, confidence=2.0)


def test_decibels() -> None:
    x = torch.rand(3, 1, 8, 8, generator=generator())
    noise = 0.1 * torch.randn(x.shape, generator=generator(1))
    wanted = -10 * math.log10(float(np.mean(np.square(noise.double().numpy()))))
    assert psnr(x + noise, x) == pytest.approx(wanted, abs=1e-4)
    assert psnr(2 * (x + noise), 2 * x, data_range=2.0) == pytest.approx(wanted, abs=1e-4)
    half = psnr(x + noise / math.sqrt(2), x)
    assert half - wanted == pytest.approx(10 * math.log10(2), abs=1e-4)
    assert psnr(x, x) == math.inf
    with pytest.raises(ValueError, match=r"one shape, not empty, got \(3, 1, 8, 8\) and \(1,\)"):
        psnr(x, torch.zeros(1))
    with pytest.raises(ValueError, match="a range above 0, got 0"):
        psnr(x, x, data_range=0)

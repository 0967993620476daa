"""Rows for games of two networks: losses by PyTorch's functions, networks by its modules."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from dlbook.testing._row import Bad, Row, Sample, Samples, calls, normal

STEM = "gans"
EMPTY = torch.zeros(0, dtype=torch.float64)


def logistic(scores: Tensor, answer: float) -> Tensor:
    return functional.binary_cross_entropy_with_logits(scores, torch.full_like(scores, answer))


def squares(scores: Tensor, answer: float) -> Tensor:
    return functional.mse_loss(scores, torch.full_like(scores, answer)) / 2


def two() -> Samples:
    return calls(
        ("columns", lambda g: (normal(g, 5, 1), normal(g, 5, 1))),
        ("fewer samples", lambda g: (normal(g, 5), normal(g, 3))),
        ("patches", lambda g: (normal(g, 2, 1, 3, 3), normal(g, 2, 1, 3, 3))),
        ("0-d", lambda g: (normal(g), normal(g))),
        ("sure!", lambda g: (30 * normal(g, 4), 30 * normal(g, 4))),
    )


def one() -> Samples:
    return calls(
        ("column", lambda g: (normal(g, 5, 1),)),
        ("patches", lambda g: (normal(g, 2, 1, 3, 3),)),
        ("0-d", lambda g: (normal(g),)),
        ("sure!", lambda g: (30 * normal(g, 4),)),
    )


def loss(name: str, reference: Any, formula: str, *, players: int) -> Row:
    bad = [Bad(f"{name}: expected at least one score in fake, got shape (0,)", (EMPTY,) * players)]
    if players == 2:
        some = torch.zeros(2, dtype=torch.float64)
        bad = [
            Bad(f"{name}: expected at least one score in real, got shape (0,)", (EMPTY, some)),
            Bad(f"{name}: expected at least one score in fake, got shape (0,)", (some, EMPTY)),
        ]
    samples = two() if players == 2 else one()
    return Row(
        f"models.{name}",
        reference,
        samples,
        formula,
        STEM,
        bad=tuple(bad),
        note="Our own name: PyTorch has no such loss",
    )


class Normalised(nn.Module):
    """PyTorch's own, called with the weight."""

    def __new__(cls, weight: Tensor, n_power_iterations: int = 1, dim: int = 0) -> Any:
        layer = nn.Module()
        layer.weight = nn.Parameter(weight.clone())
        norm = nn.utils.parametrizations.spectral_norm
        norm(layer, "weight", n_power_iterations, dim=dim)
        return layer.get_submodule("parametrizations.weight.0")


def weights(g: Generator) -> Iterable[Sample]:
    for label, shape, settings in (
        ("matrix", (4, 3), {}),
        ("kernels", (4, 2, 3, 3), {}),
        ("transposed", (2, 4, 3, 3), {"dim": 1, "n_power_iterations": 2}),
    ):
        w = normal(g, *shape)
        # The vectors move on at every call: finite differences would see them move.
        yield Sample(label, (w,), settings, inputs=(w,), smooth=False)


ROWS = [
    loss(
        "discriminator_loss",
        lambda real, fake: logistic(real, 1.0) + logistic(fake, 0.0),
        r"\ell_D = -\mathbb E \log\sigma(s) - \mathbb E \log(1 - \sigma(\tilde s))",
        players=2,
    ),
    loss(
        "minimax_generator_loss",
        lambda fake: -logistic(fake, 0.0),
        r"\ell_G = \mathbb E \log(1 - \sigma(\tilde s))",
        players=1,
    ),
    loss(
        "non_saturating_generator_loss",
        lambda fake: logistic(fake, 1.0),
        r"\ell_G = -\mathbb E \log\sigma(\tilde s)",
        players=1,
    ),
    loss(
        "least_squares_discriminator_loss",
        lambda real, fake: squares(real, 1.0) + squares(fake, 0.0),
        r"\ell_D = \tfrac12 \mathbb E (s - 1)^2 + \tfrac12 \mathbb E \tilde s^2",
        players=2,
    ),
    loss(
        "least_squares_generator_loss",
        lambda fake: squares(fake, 1.0),
        r"\ell_G = \tfrac12 \mathbb E (\tilde s - 1)^2",
        players=1,
    ),
    loss(
        "wasserstein_critic_loss",
        lambda real, fake: fake.mean() - real.mean(),
        r"\ell_D = \mathbb E \tilde s - \mathbb E s",
        players=2,
    ),
    loss(
        "wasserstein_generator_loss",
        lambda fake: -fake.mean(),
        r"\ell_G = -\mathbb E \tilde s",
        players=1,
    ),
    Row(
        "models.SpectralNorm",
        Normalised,
        weights,
        r"\bar W = W / \sigma(W), \quad \sigma \approx u^\top W v",
        STEM,
        kind="module",
        bad=(
            Bad("SpectralNorm: expected a weight of two axes or more, got (0,)", (EMPTY,)),
            Bad(
                "SpectralNorm: expected n_power_iterations of 1 or more, got 0",
                (torch.eye(2, dtype=torch.float64), 0),
            ),
            Bad(
                "SpectralNorm: expected an axis of a weight of shape (2, 2), got 2",
                (torch.eye(2, dtype=torch.float64), 1, 2),
            ),
        ),
    ),
]

"""What the chapter on making adversarial networks work says, beyond what its page computes."""

from typing import Any

import pytest
import torch
from torch import Tensor

from dlbook import ops
from dlbook.data import glyphs, mixtures
from dlbook.metrics import ModeCoverage, frechet_distance, mode_coverage
from dlbook.models import GAMES, MLP, PatchDiscriminator, UNetGenerator, gradient_penalty
from dlbook.optim import Adam
from dlbook.train import fit_adversarial

POINTS, _ = mixtures.ring(20_000, torch.Generator().manual_seed(1))


def flat_at_data(discriminator: Any, real: Tensor, fake: Tensor) -> Tensor:
    return gradient_penalty(discriminator, real, real, slope=0.0)


def play(
    pair: tuple[torch.nn.Module, torch.nn.Module],
    data: Any,
    *,
    steps: int,
    seed: int,
    betas: tuple[float, float] = (0.0, 0.9),
    weight: float = 0.0,
    lr: float = 2e-3,
    **more: Any,
) -> Tensor:
    """A game with a rate that falls to 0; returns the last samples."""
    own = tuple(Adam(p.parameters(), lr=lr, betas=betas) for p in pair)
    history = fit_adversarial(
        *pair,
        GAMES["non-saturating"],
        (own[0], own[1]),
        data,
        steps=steps,
        seed=seed,
        schedulers=[
            torch.optim.lr_scheduler.LambdaLR(o, lambda t: 1 - t / steps)
            for o in own  # type: ignore[arg-type]
        ],
        penalty=flat_at_data if weight else None,
        penalty_weight=weight,
        device="cpu",
        progress=False,
        **more,
    )
    return history.samples[-1]


def stacked(seeds: list[int], sizes: tuple[int, ...]) -> list[Tensor]:
    """The parameters of as many networks, each in one tensor."""
    networks = []
    for seed in seeds:
        torch.manual_seed(seed)
        networks.append(list(MLP(sizes).parameters()))
    alike = zip(*networks, strict=True)
    return [torch.stack([p.detach() for p in each]).requires_grad_() for each in alike]


def applied(parameters: list[Tensor], x: Tensor) -> Tensor:
    """Each network to its own batch: (seeds, batch, features)."""
    for W, b in zip(parameters[::2], parameters[1::2], strict=True):
        x = torch.baddbmm(b[:, None], x, W.mT)
        x = x if W is parameters[-2] else x.relu()
    return x


def rings(seeds: list[int], weights: list[float], steps: int = 2500) -> list[ModeCoverage]:
    """The page's calm game, as many as there are weights, side by side."""
    n, weight = len(seeds), torch.tensor(weights)[:, None]
    G, D = stacked(seeds, (2, 64, 64, 64, 2)), stacked(seeds, (2, 64, 64, 64, 1))
    draws = torch.Generator().manual_seed(seeds[0])
    own = [Adam(p, lr=2e-3, betas=(0.0, 0.9)) for p in (G, D)]

    def samples(count: int) -> Tensor:
        return applied(G, torch.randn(n, count, 2, generator=draws))

    for step in range(steps):
        for optimizer in own:
            optimizer.param_groups[0]["lr"] = 2e-3 * (1 - step / steps)
        x = POINTS[torch.randint(len(POINTS), (n, 128), generator=draws)].requires_grad_()
        with torch.no_grad():
            fake = samples(128)
        real = applied(D, x)
        (slope,) = torch.autograd.grad(real.sum(), x, create_graph=True)
        flat = (weight * slope.square().sum(2)).mean()
        # every mean is over all games: their sum is n times as large
        loss = n * (GAMES["non-saturating"].discriminator(real, applied(D, fake)) + flat)
        for p, g in zip(D, torch.autograd.grad(loss, D), strict=True):
            p.grad = g
        own[1].step()
        loss = n * GAMES["non-saturating"].generator(applied(D, samples(128)))
        for p, g in zip(G, torch.autograd.grad(loss, G), strict=True):
            p.grad = g
        own[0].step()
    with torch.no_grad():
        made = samples(5000)
    return [mode_coverage(each, mixtures.ring_centers(), 0.05) for each in made]


@pytest.mark.slow
@pytest.mark.untyped
def test_the_cure_finds_all_clouds_on_seeds_that_were_not_used_to_choose_it() -> None:
    """Seeds 20 to 24; 0 to 4 were used. The control is the calm optimiser alone."""
    seeds = list(range(20, 25))
    found = rings(2 * seeds, [0.0] * 5 + [0.02] * 5)
    control, cure = found[:5], found[5:]
    assert sum(v.found == 8 for v in cure) >= 4, cure
    assert sum(v.quality for v in cure) / 5 >= 0.9, cure
    assert sum(v.found == 8 and v.quality >= 0.88 for v in cure) >= 3, cure
    assert sum(v.found for v in control) < 40, control
    assert sum(v.evenness for v in control) < sum(v.evenness for v in cure) - 0.1, control


def outlines(part: str, n: int, seed: int) -> tuple[Tensor, Tensor]:
    drawn = glyphs.Glyphs("ABCDEFGHIJ", fonts=glyphs.FONTS[part], size=24).pairs(
        n, torch.Generator().manual_seed(seed), distortion=glyphs.Distortion(noise=0.3)
    )
    return 2 * drawn.x - 1, 2 * drawn.y - 1


def patches(pictures: Tensor) -> Tensor:
    return pictures.unfold(2, 8, 4).unfold(3, 8, 4).reshape(-1, 64)


@pytest.mark.slow
@pytest.mark.untyped
def test_patches_of_pix2pix_are_nearer_to_the_true_ones_than_those_by_l1_alone() -> None:
    """New outlines in the fonts of the training part; the page's seed is 20."""
    lines, filled = outlines("train", 2000, 0)
    new_lines, new_filled = outlines("train", 300, 1)
    ratios = []
    for seed in (21, 22):
        apart = []
        for game in (False, True):
            torch.manual_seed(seed)
            pair = (
                UNetGenerator(1, 1, width=8, depth=3, dropout=0.0),
                PatchDiscriminator(2, width=8, layers=1),
            )
            if game:
                play(
                    pair,
                    (filled, lines),
                    steps=240,
                    seed=seed,
                    lr=8e-3,
                    betas=(0.5, 0.999),
                    latent=None,
                    batch_size=16,
                    reconstruction=ops.l1_loss,
                    reconstruction_weight=10.0,
                    samples=8,
                )
            else:
                by_distance(pair[0], lines, filled, 240, seed)
            with torch.no_grad():
                made = pair[0].eval()(new_lines)
            apart.append(frechet_distance(patches(new_filled), patches(made)))
        ratios.append(apart[1] / apart[0])
    assert sum(ratios) / len(ratios) < 1, ratios


def by_distance(
    network: torch.nn.Module, lines: Tensor, filled: Tensor, steps: int, seed: int
) -> None:
    optimizer = Adam(network.parameters(), lr=8e-3, betas=(0.5, 0.999))
    draws = torch.Generator().manual_seed(seed)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = 8e-3 * (1 - step / steps)
        rows = torch.randint(len(lines), (16,), generator=draws)
        loss = ops.l1_loss(network(lines[rows]), filled[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

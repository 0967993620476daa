"""What the chapter on the adversarial game says, beyond what its page computes."""

import math

import pytest
import torch

from dlbook.data import mixtures
from dlbook.metrics import ModeCoverage, mode_coverage
from dlbook.models import MLP, discriminator_loss, non_saturating_generator_loss
from dlbook.optim import Adam

POINTS, _ = mixtures.ring(20_000, torch.Generator().manual_seed(1))
CENTERS = mixtures.ring_centers()


def coverage(generator: MLP) -> ModeCoverage:
    with torch.no_grad():
        return mode_coverage(generator(torch.randn(2000, 2)), CENTERS, 0.05)


def taught(seed: int) -> MLP:
    """As on the page: each sector of the noise belongs to the nearest centre."""
    torch.manual_seed(seed)
    generator = MLP((2, 64, 64, 64, 2))
    optimizer = Adam(generator.parameters(), lr=2e-3)
    for step in range(1000):
        optimizer.param_groups[0]["lr"] = 2e-3 * (1 - step / 1000)
        z = torch.randn(256, 2)
        sector = (torch.atan2(z[:, 1], z[:, 0]) * 4 / math.pi).round().long() % 8
        loss = ((generator(z) - CENTERS[sector]) ** 2).sum(1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return generator


def play(generator: MLP, judge: MLP, steps: int, both: bool) -> None:
    own, other = (Adam(player.parameters(), lr=2e-3) for player in (generator, judge))
    for _ in range(steps):
        x = POINTS[torch.randint(len(POINTS), (128,))]
        loss = discriminator_loss(judge(x), judge(generator(torch.randn(128, 2)).detach()))
        other.zero_grad()
        loss.backward()
        other.step()
        if both:
            loss = non_saturating_generator_loss(judge(generator(torch.randn(128, 2))))
            own.zero_grad()
            loss.backward()
            own.step()


@pytest.mark.slow
@pytest.mark.untyped
def test_a_generator_that_has_all_clouds_loses_them_in_the_game() -> None:
    """It can make them; the game takes them away. Seeds 0 to 4."""
    before, after = [], []
    for seed in range(5):
        generator = taught(seed)
        before.append(coverage(generator).found)
        judge = MLP((2, 64, 64, 64, 1))
        play(generator, judge, 400, both=False)
        play(generator, judge, 300, both=True)
        after.append(coverage(generator).found)
    assert sum(n == 8 for n in before) >= 4, before
    assert sum(n < 8 for n in after) >= 4, after

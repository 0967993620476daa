"""What the chapter on the adversarial game says, beyond what its page computes."""

import pytest
import torch

from dlbook.data import mixtures
from dlbook.metrics import mode_coverage
from dlbook.models import GAMES, MLP
from dlbook.optim import Adam
from dlbook.train import fit_adversarial

POINTS, _ = mixtures.ring(20_000, torch.Generator().manual_seed(1))
CENTERS = mixtures.ring_centers()


@pytest.mark.slow
@pytest.mark.untyped
def test_with_less_momentum_samples_are_good_and_clouds_still_missing() -> None:
    """The page's games B and C over the seeds 0 to 4, to step 2500."""
    ends, spreads = [], []
    for seed in range(5):
        torch.manual_seed(seed)
        players = MLP((2, 64, 64, 64, 2)), MLP((2, 64, 64, 64, 1))
        generator, discriminator = (
            Adam(player.parameters(), lr=2e-3, betas=(0.5, 0.999)) for player in players
        )
        history = fit_adversarial(
            *players,
            GAMES["non-saturating"],
            (generator, discriminator),
            POINTS,
            latent=2,
            steps=2500,
            batch_size=128,
            samples=2000,
            sample_every=250,
            seed=seed,
            device="cpu",
        )
        ends.append(mode_coverage(history.samples[-1], CENTERS, 0.05))
        spreads.append(min(made.std(0).norm().item() for made in history.samples[1:]))
    found = [(end.found, end.quality) for end in ends]
    assert sum(quality > 0.5 for _, quality in found) >= 4, found
    assert any(quality > 0.5 and count < 8 for count, quality in found), found
    assert sum(count == 8 for count, _ in found) >= 2, found
    assert sum(spread > 0.8 for spread in spreads) >= 4, spreads  # no wandering heap

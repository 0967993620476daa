"""From image to image: what a score sees, what passes the middle, and outlines that are filled."""

import torch

from dlbook import nn, ops, optim
from dlbook.data import glyphs
from dlbook.models import GAMES, PatchDiscriminator, UNetGenerator
from dlbook.train import fit_adversarial


def test_a_score_sees_its_patch_and_no_more() -> None:
    """The gradient of one score is a square as large as it says: 70 pixels with three layers."""
    assert PatchDiscriminator().receptive_field == 70
    torch.manual_seed(0)
    critic = PatchDiscriminator(2, width=2, layers=2).double().eval()
    assert critic.receptive_field == 34
    x = torch.randn(1, 1, 64, 64, dtype=torch.float64, requires_grad=True)
    scores = critic(x, x.detach())
    (gradient,) = torch.autograd.grad(scores[0, 0, 7, 7], x)
    rows = gradient[0, 0].abs().sum(1).nonzero()[:, 0]
    columns = gradient[0, 0].abs().sum(0).nonzero()[:, 0]
    assert int(rows[-1] - rows[0]) + 1 == 34
    assert int(columns[-1] - columns[0]) + 1 == 34


def test_the_papers_widths() -> None:
    with torch.device("meta"):
        network = UNetGenerator()
    down = [m.weight.shape[0] for m in network.modules() if isinstance(m, nn.Conv2d)]
    up = [m.weight.shape[:2] for m in network.modules() if isinstance(m, nn.ConvTranspose2d)]
    assert down == [64, 128, 256, 512, 512, 512, 512, 512]
    assert up[:2] == [(512, 512), (1024, 512)]
    assert up[-1] == (128, 3)
    assert sum(isinstance(m, nn.Dropout) for m in network.modules()) == 3


def test_what_was_seen_passes_by_the_middle() -> None:
    """With the smallest maps cut off, the input still shows in the picture."""
    torch.manual_seed(0)
    network = UNetGenerator(1, 1, width=4, depth=3).eval()
    with torch.no_grad():
        for parameter in network.down[-1].parameters():
            parameter.zero_()
        a, b = torch.randn(2, 1, 1, 16, 16)
        assert (network(a) - network(b)).abs().max() > 1e-3


def test_outlines_are_filled() -> None:
    """A short game with the L1 term comes nearer to glyphs than the outlines are."""
    part = glyphs.Glyphs("ABC", size=16).pairs(200, torch.Generator().manual_seed(0))
    outlines, filled = 2 * part.x - 1, 2 * part.y - 1
    torch.manual_seed(0)
    pair = UNetGenerator(1, 1, width=8, depth=3, dropout=0.0), PatchDiscriminator(2, 8, 1)
    history = fit_adversarial(
        *pair,
        GAMES["non-saturating"],
        (
            optim.Adam(pair[0].parameters(), lr=2e-3, betas=(0.5, 0.999)),
            optim.Adam(pair[1].parameters(), lr=2e-3, betas=(0.5, 0.999)),
        ),
        (filled, outlines),
        latent=None,
        steps=60,
        batch_size=16,
        reconstruction=ops.l1_loss,
        samples=50,
        seed=0,
        device="cpu",
        progress=False,
    )
    before, after = (ops.l1_loss(s, filled[:50]).item() for s in history.samples)
    assert after < 0.5 * before
    assert after < 0.6 * ops.l1_loss(outlines[:50], filled[:50]).item()

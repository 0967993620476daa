"""
From outlines to glyphs
=======================

You will see letters drawn as noisy outlines, and what two networks make of them: one that was
trained by the distance of pixels alone, and one that plays a game besides.
"""

import matplotlib.pyplot as plt
import torch

from dlbook import ops, plot
from dlbook.data import glyphs
from dlbook.metrics import frechet_distance
from dlbook.models import GAMES, PatchDiscriminator, UNetGenerator
from dlbook.optim import Adam
from dlbook.train import fit_adversarial

plot.use_style()
STEPS = 160

# %%
# Pairs: an outline with noise on it, and the filled glyph. Those to look at are new ones.


def pairs(part, n, seed):
    drawn = glyphs.Glyphs("GAMERS", fonts=glyphs.FONTS[part], size=24).pairs(
        n, torch.Generator().manual_seed(seed), distortion=glyphs.Distortion(noise=0.3)
    )
    return 2 * drawn.x - 1, 2 * drawn.y - 1


lines, filled = pairs("train", 800, 0)
new_lines, new_filled = pairs("train", 200, 1)

# %%
# Both networks begin with the same numbers, and take the same steps.


def learning(players):
    optimizers = tuple(Adam(p.parameters(), lr=8e-3, betas=(0.5, 0.999)) for p in players)
    falling = [torch.optim.lr_scheduler.LambdaLR(o, lambda t: 1 - t / STEPS) for o in optimizers]
    return optimizers, falling


torch.manual_seed(0)
alone = UNetGenerator(1, 1, width=8, depth=3, dropout=0.0)
(optimizer,), (schedule,) = learning([alone])
rows = torch.Generator().manual_seed(0)
for _ in range(STEPS):
    batch = torch.randint(len(lines), (16,), generator=rows)
    loss = ops.l1_loss(alone(lines[batch]), filled[batch])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    schedule.step()

torch.manual_seed(0)
playing = UNetGenerator(1, 1, width=8, depth=3, dropout=0.0)
critic = PatchDiscriminator(2, width=8, layers=1)
optimizers, schedulers = learning([playing, critic])
fit_adversarial(
    playing,
    critic,
    GAMES["non-saturating"],
    optimizers,
    (filled, lines),
    latent=None,
    steps=STEPS,
    batch_size=16,
    reconstruction=ops.l1_loss,
    reconstruction_weight=10.0,
    schedulers=schedulers,
    samples=8,
    seed=0,
    device="cpu",
)

# %%
# How near are patches of eight pixels side to those of true glyphs? And how many pixels are grey,
# neither paper nor ink?


def patches(pictures):
    return pictures.unfold(2, 8, 4).unfold(3, 8, 4).reshape(-1, 64)


rows = {"outline": new_lines}
with torch.no_grad():
    for name, network in (("L1 alone", alone), ("L1 and game", playing)):
        rows[name] = network.eval()(new_lines)
rows["true"] = new_filled
for name, pictures in rows.items():
    apart = frechet_distance(patches(new_filled), patches(pictures))
    grey = (pictures.abs() < 0.8).float().mean()
    print(f"{name:11s} Fréchet distance of patches {apart:6.3f}, grey {grey:5.1%}")

# %%

# sphinx_gallery_alt = "Four rows of eight letters. Noisy outlines, letters filled by two"
# sphinx_gallery_alt = "networks, and the true ones."
figure, axes = plt.subplots(4, 1, figsize=(5.8, 4.8))
for ax, (name, pictures) in zip(axes, rows.items(), strict=True):
    tiles = torch.nn.functional.pad(pictures[:8, 0], (2, 2, 0, 0), value=torch.nan)
    ax.imshow(tiles.permute(1, 0, 2).reshape(24, -1), cmap="gray_r", vmin=-1, vmax=1)
    ax.grid(False)
    ax.set_frame_on(False)
    ax.set(xticks=[], yticks=[])
    ax.set_title(name, fontsize=8, pad=2)
plt.show()

assert (rows["L1 and game"] - new_filled).abs().mean() < 0.6 * (new_lines - new_filled).abs().mean()

# %%
# **What to notice.** Both fill the letters. The distance of patches is less with
# the game, though the eye hardly sees it: compare the edges of the strokes.
#
# **What to change.** Give the distance the weight 1 in place of 10 (`reconstruction_weight`). What
# do the strokes look like, and are they where they should be?

"""
Mode collapse as it happens
===========================

You will see eight clouds of data on a ring, and where a generator's samples are while it plays
against a discriminator: each column of the picture is one moment, and its dots are the directions
in which the samples lie.
"""

import matplotlib.pyplot as plt
import torch

from dlbook import plot
from dlbook.data import mixtures
from dlbook.metrics import mode_coverage
from dlbook.models import GAMES, MLP
from dlbook.optim import Adam
from dlbook.train import fit_adversarial

plot.use_style()
points, _ = mixtures.ring(20_000, torch.Generator().manual_seed(1))
centers = mixtures.ring_centers()

# %%
# The game as it was first written down, with the non-saturating loss, and Adam as it comes. Samples
# of one noise are kept every 20 steps.

torch.manual_seed(0)
players = MLP((2, 64, 64, 64, 2)), MLP((2, 64, 64, 64, 1))
optimizers = tuple(Adam(player.parameters(), lr=2e-3) for player in players)
history = fit_adversarial(
    *players,
    GAMES["non-saturating"],
    optimizers,
    points,
    latent=2,
    steps=1000,
    batch_size=128,
    samples=300,
    sample_every=20,
    seed=0,
    device="cpu",
)
film = [mode_coverage(made, centers, 0.05).found for made in history.samples]
print("clouds found at each moment:", film)

# %%

# sphinx_gallery_alt = "Above, over 1000 steps, columns of dots at the angles of the samples: each"
# sphinx_gallery_alt = "covers a part of the circle, often a small one, and the part moves. Below,"
# sphinx_gallery_alt = "the number of clouds found, mostly 0, with short peaks."
figure, (top, bottom) = plt.subplots(
    2, 1, figsize=(5.6, 5.4), sharex=True, height_ratios=(3, 1), layout="constrained"
)
for step, made in zip(history.sample_steps, history.samples, strict=True):
    angle = torch.atan2(made[:, 1], made[:, 0]).rad2deg() % 360
    top.scatter(torch.full_like(angle, step), angle, s=1, color="C0")
for k in range(8):
    top.axhline(45 * k, color="0.6", linewidth=0.8)
bottom.step(history.sample_steps, film)
top.set(ylabel="direction of a sample (degrees)", ylim=(-20, 360), yticks=range(0, 360, 90))
bottom.set(xlabel="step", ylabel="clouds found", ylim=(-0.4, 8.4))
plt.show()

# Of the eight directions, how many have a twentieth of the samples or more?
covered = []
for made in history.samples:
    sector = (torch.atan2(made[:, 1], made[:, 0]) * 4 / torch.pi).round().long() % 8
    covered.append(int((sector.bincount(minlength=8) >= len(made) / 20).sum()))
print(f"directions in use: {sum(covered) / len(covered):.1f} of 8 in the mean")
assert max(film) < 8 and sum(covered) / len(covered) < 5

# %%
# **What to notice.** The samples are made of noise that points in all directions, and yet each
# column is a part of the circle only, as the printed mean says. That part moves: where the samples
# are, the discriminator soon lowers its score. The grey lines are the directions of the eight
# clouds; the curve below counts those that are met well enough.
#
# **What to change.** Another seed, both in ``torch.manual_seed`` and in ``seed=``. With 1, see
# whether the noise still reaches the output: print the samples' standard deviation. Then give both
# optimisers ``betas=(0.5, 0.999)``: how much of the travelling is left?

"""
The discriminator's field of gradients
======================================

You will see which way a discriminator sends samples: arrows along which the score rises, from data
on a ring and samples in the middle, drawn after the discriminator has learned a little, and after
it has learned long.
"""

import matplotlib.pyplot as plt
import torch

from dlbook import plot
from dlbook.data import mixtures
from dlbook.models import MLP, discriminator_loss
from dlbook.optim import Adam

plot.use_style()
draws = torch.Generator().manual_seed(0)
points, _ = mixtures.ring(5000, draws)

# %%
# The samples are a round cloud in the middle, and stay what they are: only the discriminator
# learns.


def samples(n):
    return 0.5 * torch.randn(n, 2, generator=draws)


def field(network):
    """Score and its gradient on a grid of places."""
    side = torch.linspace(-2.8, 2.8, 15)
    places = torch.cartesian_prod(side, side).requires_grad_()
    scores = network(places)
    (gradient,) = torch.autograd.grad(scores.sum(), places)
    return places.detach(), scores.detach()[:, 0], gradient


torch.manual_seed(0)
network = MLP((2, 64, 64, 1))
optimizer = Adam(network.parameters(), lr=2e-3)
kept = {}
for step in range(1, 801):
    x = points[torch.randint(len(points), (128,), generator=draws)]
    loss = discriminator_loss(network(x), network(samples(128)))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step in (40, 800):
        kept[step] = field(network)

# %%
# How hard a sample is pushed depends on the loss: the gradient of the score times the probability
# of being data for the minimax loss, times one minus it for the other.

middle = {}
for step, (places, scores, gradient) in kept.items():
    near = places.norm(dim=1) < 0.9
    steep = gradient.norm(dim=1)
    pushes = scores.sigmoid() * steep, (1 - scores.sigmoid()) * steep
    middle[step] = [push[near].mean().item() for push in pushes]
    print(f"step {step}: mean push in the middle, minimax {middle[step][0]:.4f}, ", end="")
    print(f"non-saturating {middle[step][1]:.3f}")

# %%

# sphinx_gallery_alt = "Two panels with arrows on a grid. In both they point outwards from the"
# sphinx_gallery_alt = "samples in the middle, across the ring of data and beyond."
figure, axes = plt.subplots(2, 1, figsize=(4.8, 8.6), layout="constrained")
shown = points[:400]
cloud = samples(200)
for ax, (step, (places, _, gradient)) in zip(axes, kept.items(), strict=True):
    unit = gradient / gradient.norm(dim=1, keepdim=True)
    ax.quiver(places[:, 0], places[:, 1], unit[:, 0], unit[:, 1], angles="xy", color="0.4")
    ax.scatter(shown[:, 0], shown[:, 1], s=5, label="data")
    ax.scatter(cloud[:, 0], cloud[:, 1], s=5, marker="x", label="samples")
    ax.set(title=f"after {step} steps", aspect="equal", xlim=(-3.1, 3.1), ylim=(-3.1, 3.1))
axes[0].legend(loc="upper right")
plt.show()

assert middle[800][0] < 0.2 * middle[40][0]
assert middle[800][1] > middle[40][1]

# %%
# **What to notice.** All arrows have the same length here, so that you see directions. They
# lead from the samples to the ring, and beyond it they go on outwards: nothing has shown the
# discriminator that there is no data out there. The printed pushes say how long the arrows are.
# The longer the discriminator has learned, the less is left of the minimax loss's, because the
# samples in the middle are seen through, and the more of the other one's.
#
# **What to change.** Put the samples at ``(2, 0)``, all in one cloud of the data. Where are they
# sent?

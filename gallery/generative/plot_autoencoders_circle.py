"""
One number for a circle, and where it tears
===========================================

You will see a network store points of a circle in a single number, which no straight line can do.
And you will see the place where it must fail: going round, the number has to come back to where it
began, and there the circle is torn.
"""

import math

import matplotlib.pyplot as plt
import torch

from dlbook import models, nn, plot
from dlbook.optim import Adam
from dlbook.optim.lr_scheduler import CosineAnnealingLR
from dlbook.train import fit

plot.use_style()

# %%
# Points on a circle of radius 1, and three networks, from three starts, with a code of one number.

torch.manual_seed(0)
angle = 2 * math.pi * torch.rand(1000, 1)
x = torch.cat([angle.cos(), angle.sin()], 1)


def train(seed):
    torch.manual_seed(seed)
    model = models.DeepAutoencoder((2, 64, 64, 1), nn.Tanh)
    optimizer = Adam(model.parameters(), lr=1e-2)
    fit(
        model,
        nn.MSELoss(),
        optimizer,
        (x, x),
        epochs=40,
        scheduler=CosineAnnealingLR(optimizer, 40),
        seed=seed,
        progress=False,
        device="cpu",
    )
    return model


networks = [train(seed) for seed in range(3)]

# %%
# What comes back, and the code on the way round. For comparison: the first principal component
# keeps one of the two directions, all alike here, and loses the other.

phi = torch.linspace(0, 2 * math.pi, 20_001)
circle = torch.stack([phi.cos(), phi.sin()], 1)
with torch.no_grad():
    codes = [model.encode(circle)[:, 0] for model in networks]
    back = [model(circle) for model in networks]
errors = [(b - circle).norm(dim=1) for b in back]
half = circle[:, :1] * torch.tensor([1.0, 0.0])
flat = (half - circle).square().sum(1).mean()

# sphinx_gallery_alt = "Above, a thin dotted circle; a horizontal line through its middle; and a"
# sphinx_gallery_alt = "curve that follows the circle nearly all the way. Below, three curves of"
# sphinx_gallery_alt = "the code against the angle, nearly straight but for one steep wave."
figure, (top, bottom) = plt.subplots(
    2, 1, figsize=(5.2, 7.2), gridspec_kw={"height_ratios": [1.6, 1]}
)
top.plot(*circle.T, ":", label="the circle")
top.plot(*half.T, "--", label="first component")
top.plot(*back[0].T, "-", lw=1, label="network")
top.set(aspect="equal")
top.legend(loc="center", bbox_to_anchor=(0.5, 0.3))
for code, style in zip(codes, ("-", "--", "-."), strict=True):
    bottom.plot(phi / math.pi, (code - code.mean()) / code.std(), style)
bottom.set(xlabel="angle, in units of π", ylabel="code, rescaled")
plt.show()
for error in errors:
    print(
        f"mean squared error {error.square().mean():.4f} (first component {flat:.2f}), "
        f"largest error {error.max():.2f}, above 0.2 on {(error > 0.2).float().mean():.1%}"
    )
    assert error.square().mean() < 0.3 * flat
    assert error.max() > 0.95

# %%
# **What to notice.** The largest error is about 1 or more in each network, and no network can do
# better. The code is continuous in the angle. Compare each point's code with that of the point
# opposite: half-way round, the difference has changed its sign, so that somewhere it is 0. These
# two points have the same code and come back as the same point. They are 2 apart: one of the two
# errors is at least 1. What a network can do is to make the bad stretch short.
#
# **What to change.** A code of two numbers. Or an arc instead of the whole circle.

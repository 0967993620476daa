"""
A game of three outcomes
========================

You will see two tables play: the generator's three probabilities and the discriminator's three
scores. Against the best discriminator the generator goes to the data's probabilities.
Against one that takes a step at a time it goes there in a spiral.
"""

import matplotlib.pyplot as plt
import torch

from dlbook import plot

plot.use_style()
p = torch.tensor([0.6, 0.3, 0.1], dtype=torch.float64)


# %%
# The generator's probabilities are the softmax of three numbers; it pays ``-log D`` in the mean.
# The discriminator has a score for each outcome. Both slopes are written out.


def play(best, steps, rate_D=1.0, rate=0.3):
    a = torch.tensor([0.2, 0.3, 0.5], dtype=torch.float64).log()
    s = torch.zeros(3, dtype=torch.float64)
    path = []
    for _ in range(steps):
        q = a.softmax(0)
        path.append(q)
        if best:
            s = (p / q).log()
        else:  # the slope of the value by the scores, upwards
            D = s.sigmoid()
            s = s + rate_D * (p * (1 - D) - q * D)
        cost = -s.sigmoid().log()
        a = a - rate * q * (cost - (q * cost).sum())
    return torch.stack(path)


paths = {
    "best discriminator": play(True, 400),
    "one step each": play(False, 400, rate_D=0.2),
    "one small step each": play(False, 400, rate_D=0.03),
}
for name, path in paths.items():
    off = (path - p).abs().sum(1) / 2
    print(
        f"{name:20s} distance after 25, 100, 400 steps:", [f"{off[k]:.3f}" for k in (25, 100, -1)]
    )

# %%
# Three probabilities that add up to 1 are a point in a triangle.

# sphinx_gallery_alt = "A triangle with the corners A, B and C. Three paths lead from"
# sphinx_gallery_alt = "one start to a cross: one ends there, two go past it and turn, one of"
# sphinx_gallery_alt = "them in a wide loop."
corners = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.5, 0.75**0.5]], dtype=torch.float64)
figure, ax = plt.subplots(figsize=(5.4, 4.6))
ax.fill(corners[:, 0], corners[:, 1], fill=False, color="0.5")
for name, corner in zip("ABC", corners.tolist(), strict=True):
    ax.annotate(name, corner, xytext=(4, 4), textcoords="offset points")
for (name, path), style in zip(paths.items(), ("--", "-", ":"), strict=True):
    at = path @ corners
    ax.plot(at[:, 0], at[:, 1], style, label=name)
goal = (p @ corners).tolist()
ax.plot(*goal, "x", color="0.2", markersize=9, markeredgewidth=2)
ax.set_aspect("equal")
ax.set_axis_off()
figure.legend(loc="outside upper center", ncols=2)
plt.show()

distance = {name: ((path - p).abs().sum(1) / 2) for name, path in paths.items()}
assert distance["best discriminator"][-1] < 1e-3
assert (distance["best discriminator"].diff() < 1e-9).all()
assert (distance["one small step each"].diff() > 1e-6).any()

# %%
# **What to notice.** With the best discriminator the distance to the data falls at every step. With
# the slow ones the generator goes past the data before the answer comes, and back again: the slower
# the discriminator, the wider.
#
# **What to change.** Make the generator's rate ten times as large. Which of the three still
# arrives?

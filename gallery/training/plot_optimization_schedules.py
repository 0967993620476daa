"""
How a learning rate has to fall
===============================

You will see the mean height of two thousand noisy descents above the minimum. With a constant rate
they stop falling at a floor, the lower the rate the lower. A schedule starts as fast as the high
rate and ends below the floor of the low one.
"""

import math

import matplotlib.pyplot as plt
import torch

from dlbook import plot

plot.use_style()

# %%
# The cost is half the squared distance, its gradient the distance, and each gradient comes with
# noise of mean square 1. All runs start at 10 and have 400 steps.

T = 400


def heights(schedule, walkers=2000, seed=0):
    """The mean cost before each step and after the last, over many runs at once."""
    generator = torch.Generator().manual_seed(seed)
    c = torch.full((walkers,), 10.0, dtype=torch.float64)
    means = []
    for t in range(T):
        means.append((c**2).mean().item() / 2)
        noise = torch.randn(walkers, generator=generator, dtype=torch.float64)
        c = c - schedule(t) * (c + noise)
    return [*means, (c**2).mean().item() / 2]


high, low = 0.3, 0.03
schedules = {
    "constant, high": lambda t: high,
    "constant, low": lambda t: low,
    "steps": lambda t: high * 0.1 ** (2 * t // T),
    "cosine": lambda t: high / 2 * (1 + math.cos(math.pi * t / T)),
    "1/t": lambda t: 1 / (t + 1 / high),
}

# %%

# sphinx_gallery_alt = "Five curves over 400 steps, cost on a logarithmic axis. The high constant"
# sphinx_gallery_alt = "rate falls at once and stays near 0.09. The low one falls slowly to 0.008."
# sphinx_gallery_alt = "The steps drop from the first level to the second halfway. The cosine stays"
# sphinx_gallery_alt = "near the first level and dives at the end. One over t falls steadily to"
# sphinx_gallery_alt = "about 0.003."
figure, ax = plt.subplots(figsize=(5.2, 4.2))
curves = {name: heights(schedule) for name, schedule in schedules.items()}
for name, curve in curves.items():
    ax.plot(curve, label=name)
ax.set(xlabel="step", ylabel="mean cost", yscale="log")
ax.legend(fontsize=10)
plt.show()

# %%
# For a constant rate the floor is known: η/(2 − η) · ½ here, where curvature and noise are 1.

for name, rate in (("constant, high", high), ("constant, low", low)):
    seen = sum(curves[name][-50:]) / 50
    predicted = rate / (2 - rate) / 2
    print(f"{name}: floor predicted {predicted:.4f}, seen {seen:.4f}")
    assert abs(seen / predicted - 1) < 0.1
for name, curve in curves.items():
    print(f"{name:15s} after 50 steps {curve[50]:8.4f}, after 400 {curve[-1]:.5f}")
assert curves["constant, high"][50] < curves["constant, low"][50]
assert curves["1/t"][-1] == min(curve[-1] for curve in curves.values())
assert max(curves["cosine"][-1], curves["1/t"][-1]) < curves["constant, low"][-1]

# %%
# **What to notice.** Nothing is gained by a low rate at first, and nothing by a high one at the
# end. The cosine shows its gain only in the last steps: stopped halfway, it is no better than the
# constant rate. The rate 1/t ends lowest: it averages all the noise it has seen. But it has to
# know the curvature, here 1.
#
# **What to change.** Give the bowl the curvature 0.1. What becomes of 1/t, and what of the cosine?

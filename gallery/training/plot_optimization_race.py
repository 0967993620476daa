"""
Four optimisers on three landscapes
===================================

You will see the paths of gradient descent, momentum, RMSprop and Adam through a ravine, a curved
valley and past a saddle. Each has the best of the same learning rates. None is first everywhere.
"""

import math

import matplotlib.pyplot as plt
import torch

from dlbook import optim, plot

plot.use_style()

# %%
# Three costs of two weights. The first is a bowl that bends 50 times as much across as along, and
# lies askew. The second is Rosenbrock's valley, bent like a banana. The third is that of two linear
# units in a row that copy their input: its minima are a curve, and at (0, 0) it has a saddle.


def ravine(x, y):
    along, across = (x + 2 * y) / math.sqrt(5), (2 * x - y) / math.sqrt(5)
    return (along**2 + 50 * across**2) / 2


def banana(x, y):
    return (1 - x) ** 2 / 20 + 5 * (y - x**2) ** 2


def saddle(x, y):
    return (x * y - 1) ** 2 / 2


lands = {
    "ravine": (ravine, (-1.5, 1.2), (-2, 2), (-1.5, 1.5)),
    "banana": (banana, (-1.2, 1.2), (-2, 2), (-1, 2)),
    "saddle": (saddle, (-0.3, 0.301), (-1, 2), (-1, 2)),
}
optimisers = {
    "SGD": lambda w, rate: optim.SGD([w], lr=rate),
    "momentum": lambda w, rate: optim.SGD([w], lr=rate, momentum=0.9),
    "RMSprop": lambda w, rate: optim.RMSprop([w], lr=rate),
    "Adam": lambda w, rate: optim.Adam([w], lr=rate),
}

# %%
# Eighty steps, with each of nine rates, half a power of ten apart. The run that ends lowest counts.


def run(cost, start, make, rate, steps=80):
    w = torch.tensor(start, dtype=torch.float64, requires_grad=True)
    optimizer, path, costs = make(w, rate), [w.detach().clone()], [cost(*w).item()]
    for _ in range(steps):
        optimizer.zero_grad()
        cost(*w).backward()
        optimizer.step()
        path.append(w.detach().clone())
        costs.append(cost(*w).item())
    return torch.stack(path), costs


rates = [10 ** (k / 2) for k in range(-6, 3)]
paths, heights = {}, {}
for land, (cost, start, _, _) in lands.items():
    for name, make in optimisers.items():
        runs = [(rate, *run(cost, start, make, rate)) for rate in rates]
        runs = [r for r in runs if math.isfinite(r[2][-1])]  # those that did not diverge
        rate, paths[land, name], heights[land, name] = min(runs, key=lambda r: r[2][-1])
        print(f"{land:7s} {name:9s} rate {rate:6.3f}, cost {heights[land, name][-1]:.1e}")

# %%
# The paths of two of them.

# sphinx_gallery_alt = "Three contour maps, one below the other: a narrow diagonal ravine, a valley"
# sphinx_gallery_alt = "bent like a banana, and a saddle between two hyperbolas. On each, a path of"
# sphinx_gallery_alt = "momentum with round marks, which swings wide, and one of Adam with squares."
figure, axes = plt.subplots(3, 1, figsize=(5.2, 12))
for ax, (land, (cost, _, xlim, ylim)) in zip(axes, lands.items(), strict=True):
    two = {name: paths[land, name] for name in ("momentum", "Adam")}
    plot.contours(cost, xlim, ylim, paths=two, logarithmic=True, ax=ax)
    ax.set(title=land, ylabel="$w_2$")
axes[-1].set_xlabel("$w_1$")
plt.show()

# %%
# And the costs of all.

# sphinx_gallery_alt = "Three panels of four curves over eighty steps, costs on a logarithmic axis."
# sphinx_gallery_alt = "RMSprop ends lowest in the ravine, Adam in the banana, and at the saddle"
# sphinx_gallery_alt = "gradient descent and RMSprop fall out of the picture."
figure, axes = plt.subplots(3, 1, figsize=(5.2, 9.6), sharex=True)
for ax, land in zip(axes, lands, strict=True):
    for name in optimisers:
        ax.plot(torch.tensor(heights[land, name]).clamp(min=1e-16), label=name)
    ax.set(title=land, ylabel="cost", yscale="log")
axes[0].legend(fontsize=10)
axes[-1].set_xlabel("step")
plt.show()

assert heights["saddle", "SGD"][-1] < 1e-16 > heights["saddle", "RMSprop"][-1]
first = {land: min(optimisers, key=lambda name: heights[land, name][-1]) for land in lands}
print("lowest after 80 steps:", first)
assert first["ravine"] == "RMSprop" and first["banana"] == "Adam"

# %%
# **What to notice.** Every optimiser had the same nine rates to choose from, and the order still
# differs from land to land. On the banana the lowest costs are reached along the valley's floor,
# where gradients are small.
#
# **What to change.** Turn the ravine until it lies along an axis. Who gains most? Start the saddle
# at (-0.3, 0.3) exactly: who gets away from it, and why?

r"""
Folding paper: depth doubles, width adds
========================================

You will see a network with two units in each layer fold the unit interval. Every further layer
doubles the number of teeth, while a further unit in a single hidden layer adds one bend. The same
folds, added up, square a number to any accuracy.
"""

import matplotlib.pyplot as plt
import torch

from dlbook import plot
from dlbook.models import interpolating_network, sawtooth_network, square_network

plot.use_style()
x = torch.linspace(0, 1, 4097, dtype=torch.float64)[:, None]

# %%
# One layer of two ReLUs computes a tent: up to the middle, down again. Its output runs through
# the interval from 0 to 1 twice, so the next layer makes a tent of each half.

# sphinx_gallery_alt = "Four panels, one below the other, with one, two, four and eight teeth of"
# sphinx_gallery_alt = "height 1 over the interval from 0 to 1."
figure, axes = plt.subplots(4, 1, figsize=(5.2, 7.2), sharex=True)
for depth, ax in enumerate(axes, start=1):
    with torch.no_grad():
        y = sawtooth_network(depth)(x)[:, 0]
    pieces = int((y.diff().sign().diff() != 0).sum()) + 1
    assert pieces == 2**depth
    ax.plot(x[:, 0], y)
    ax.set(title=f"{2 * depth} units in {depth} layers: {pieces} pieces", ylim=(-0.05, 1.15))
axes[-1].set_xlabel("x")
plt.show()

# %%
# Subtract a quarter of the first sawtooth from :math:`x`, a sixteenth of the second, and so on:
# what remains tends to :math:`x^2`. A third unit in each layer carries the sum along.

# sphinx_gallery_alt = "The parabola between 0 and 1 as a dashed line, and three broken lines"
# sphinx_gallery_alt = "through its points: the straight diagonal, a line with one bend, a line"
# sphinx_gallery_alt = "with three bends close to the parabola."
figure, ax = plt.subplots()
ax.plot(x[:, 0], x[:, 0] ** 2, linestyle="--", color=plot.MUTED, label="$x^2$")
ax.plot([0, 1], [0, 1], label="$x$")
for depth in (1, 2):
    with torch.no_grad():
        y = square_network(depth)(x)[:, 0]
    ax.plot(x[:, 0], y, marker=plot.MARKERS[depth], markevery=512, label=f"{depth} layers")
ax.set(xlabel="x")
ax.legend()
plt.show()

# %%
# What does it cost? The deep network gains a factor of four with three units; the shallow one has
# to double its units for the same.

# sphinx_gallery_alt = "Largest error of x squared against the number of hidden units, the"
# sphinx_gallery_alt = "error on a logarithmic axis. The line of the deep networks falls straight"
# sphinx_gallery_alt = "to below ten to the minus six at 30 units; that of the others flattens out"
# sphinx_gallery_alt = "between ten to the minus three and ten to the minus four."
units = list(range(3, 31, 3))
deep, shallow = [], []
for n in units:
    with torch.no_grad():
        deep.append((square_network(n // 3)(x)[:, 0] - x[:, 0] ** 2).abs().max().item())
        wide = interpolating_network(torch.square, 0, 1, n, curvature=2.0)
        shallow.append((wide(x)[:, 0] - x[:, 0] ** 2).abs().max().item())

figure, ax = plt.subplots()
ax.plot(units, shallow, marker="o", label="one hidden layer")
ax.plot(units, deep, marker="s", label="three units a layer")
ax.set(xlabel="hidden units", ylabel="largest error", yscale="log")
ax.legend()
plt.show()
print(f"30 units: {shallow[-1]:.1e} in one layer, {deep[-1]:.1e} in ten")
assert deep[-1] < 1e-6 < 1e-4 < shallow[-1]
assert [d < s for d, s in zip(deep, shallow, strict=True)] == [n > 9 for n in units]

# %%
# **What to notice.** Up to nine units the shallow network is the better one: depth pays only
# after the first folds.
#
# **What to change.** Replace the tent's weights 2 and −4 by 1.9 and −3.8 in a copy of
# ``sawtooth_network``'s parameters. What becomes of eight teeth, and why is a deep sawtooth so
# delicate?

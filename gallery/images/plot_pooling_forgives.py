"""
What pooling forgives: shift against change
===========================================

You will see how much the output of a pooling layer changes when a picture moves under it, for
windows of several sizes. A stride without a window changes here more than half as much as another
picture does. A window of k forgives movements that are small beside k; the price is paid in
numbers, of which few are left, and under an average also in how far different pictures stand apart.
"""

import matplotlib.pyplot as plt
import torch

from dlbook import ops, plot
from dlbook.data import photographs

plot.use_style()

# %%
# The pictures are patches of 64 × 64 from the edges of a photograph: the answers of a kernel that
# looks for upright edges. To move a patch, the frame is moved, so that real picture comes in.

grey = photographs.load("china", grey=True)[None]
sobel = torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]])[None, None]
edges = ops.conv2d(grey, sobel).abs()[0]


def patches(t):
    return photographs.patches(edges[:, :384, t : t + 576], 64)


def measure(pool, steps):
    """Change by moving, and distance of different patches, both a root mean square a number."""
    still = pool(patches(0)).flatten(1)
    n, numbers = still.shape
    apart = (torch.cdist(still, still).sum() / (n * (n - 1))).item() / numbers**0.5
    moved = [(pool(patches(t)).flatten(1) - still).norm(dim=1).mean().item() for t in steps]
    return [m / numbers**0.5 for m in moved], apart


# %%
# Divided by the distance of different patches, a change of 1 means: moved is as bad as another
# picture altogether.

steps = range(9)
sizes = (2, 4, 8, 16)
share, apart = {}, {}
for k in sizes:
    for name, pool in {
        "max": lambda x, k=k: ops.max_pool2d(x, k),
        "average": lambda x, k=k: ops.avg_pool2d(x, k),
        "stride alone": lambda x, k=k: x[..., ::k, ::k],
    }.items():
        change, apart[name, k] = measure(pool, steps)
        share[name, k] = [c / apart[name, k] for c in change]

# sphinx_gallery_alt = "Three panels of four curves each, over movements from 0 to 8 pixels. Under"
# sphinx_gallery_alt = "max and average pooling the curves rise from zero, the lower the larger the"
# sphinx_gallery_alt = "window. Under a stride alone all four jump at the first and stay high."
figure, axes = plt.subplots(3, 1, figsize=(5.2, 9), sharex=True, sharey=True)
for ax, name in zip(axes, ("max", "average", "stride alone"), strict=True):
    for k, marker in zip(sizes, "osv^", strict=True):
        ax.plot(steps, share[name, k], marker=marker, label=f"{k}")
    ax.set(title=name, ylabel="change / distance", ylim=(0, 1.05))
axes[0].legend(title="window and stride", ncols=2)
axes[-1].set_xlabel("pixels moved")
plt.show()

for name in ("max", "average"):
    first = [share[name, k][1] for k in sizes]
    assert first == sorted(first, reverse=True) and first[-1] < 0.15
assert min(share["stride alone", k][1] for k in sizes) > 0.5
for k in sizes:
    gap = [m - a for m, a in zip(share["max", k], share["average", k], strict=True)][1:]
    assert min(gap) > 0.03 if k > 4 else max(map(abs, gap)) < 0.04

# %%
# In the same pictures: how far apart are different patches, after pooling?

# sphinx_gallery_alt = "Two curves over the window, 2 to 16. The one of average pooling falls;"
# sphinx_gallery_alt = "that of max pooling lies above it and rises."
figure, ax = plt.subplots()
for name, marker in (("max", "o"), ("average", "s")):
    ax.plot(sizes, [apart[name, k] for k in sizes], marker=marker, label=name)
ax.set(xlabel="window", ylabel="distance of patches, a number", xscale="log", ylim=(0, None))
ax.set_xticks(sizes, sizes)
ax.legend()
plt.show()

falling = [apart["average", k] for k in sizes]
print("average:", *[f"{a:.3f}" for a in falling])
print("max:    ", *[f"{apart['max', k]:.3f}" for k in sizes])
assert falling == sorted(falling, reverse=True)
assert all(apart["max", k] > apart["average", k] for k in sizes)

# %%
# **What to notice.** With 16 × 16 a pixel's movement hardly shows, but only 16 numbers are left of
# a patch. The maximum keeps patches further apart, as it does not dilute what stands out. Divided
# by that distance, it forgives about as much as the average with small windows, less with large
# ones.
#
# **What to change.** Put an average between a maximum with stride 1 and the stride, and compare
# with a maximum whose window sees as many pixels as the two together. Take noise
# instead of a photograph: what does pooling forgive there?

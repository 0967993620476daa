"""
What a unit sees, layer by layer
================================

You will see the receptive field of one unit grow downwards through four layers, for three stacks
of kernels of size 3: plain, with stride 2, and with dilations that double. Then its size by
depth, from the formula and measured by a gradient.
"""

import matplotlib.pyplot as plt
import torch

from dlbook import ops, plot

plot.use_style()

stacks = {  # (kernel, stride, dilation) of each layer
    "plain": [(3, 1, 1)] * 4,
    "stride 2": [(3, 2, 1)] * 4,
    "dilation 1, 2, 4, 8": [(3, 1, 1), (3, 1, 2), (3, 1, 4), (3, 1, 8)],
}

# %%
# One axis is enough to see it. A dot is a unit, the bottom row are pixels. Beginning at the unit
# on top, draw a line to every unit of the layer below that it looks at, then go on from those.


def tree(layers):
    """Units seen in each layer, from the top down to the pixels, and the lines between them."""
    jumps = [1]
    for _, stride, _ in layers:
        jumps.append(jumps[-1] * stride)
    levels, lines = [{0}], []  # places in pixels, relative to the middle
    for depth in range(len(layers), 0, -1):
        kernel, _, dilation = layers[depth - 1]
        steps = [(i - (kernel - 1) / 2) * dilation * jumps[depth - 1] for i in range(kernel)]
        below = set()
        for place in levels[-1]:
            for step in steps:
                below.add(place + step)
                lines.append((depth, place, place + step))
        levels.append(below)
    return levels, lines


# sphinx_gallery_alt = "Three triangles of dots and lines, from one dot at the top to the"
# sphinx_gallery_alt = "pixels at the bottom. The first is narrow, nine pixels at the bottom. The"
# sphinx_gallery_alt = "second and the third are the same wide tree over thirty-one pixels; in"
# sphinx_gallery_alt = "the second nearly all dots belong to it, in the third there is a faint dot"
# sphinx_gallery_alt = "at every place of every layer."
figure, axes = plt.subplots(3, 1, figsize=(6, 8.4), sharex=True)
widths = {}
for ax, (name, layers) in zip(axes, stacks.items()):
    levels, lines = tree(layers)
    for depth, above, below in lines:
        ax.plot([above, below], [depth, depth - 1], color=plot.MUTED, lw=0.7, ls="-", marker="")
    jump = 1
    for depth in range(len(layers) + 1):  # all units of a layer, seen or not
        units = [place for place in range(-16, 17) if place % jump == 0]
        ax.scatter(units, [depth] * len(units), s=6, color="#b5b5ae", zorder=2)
        jump *= layers[depth][1] if depth < len(layers) else 1
    for depth, places in zip(range(len(layers), -1, -1), levels):
        ax.scatter(sorted(places), [depth] * len(places), s=14, color=plot.PALETTE[0], zorder=3)
    widths[name] = int(max(levels[-1]) - min(levels[-1])) + 1
    assert len(levels[-1]) == widths[name]  # no pixel between is left out
    ax.set(title=f"{name}: {widths[name]} pixels", ylabel="layer", yticks=range(5))
axes[-1].set_xlabel("pixels from the middle")
plt.show()

print(widths)
assert widths == {"plain": 9, "stride 2": 31, "dilation 1, 2, 4, 8": 31}

# %%
# The formula: a field grows by :math:`d\,(m-1)\,j`, where :math:`j` is how many pixels apart
# neighbouring units of the layer before look. Measured: send a cotangent back from one unit, and
# see how far it gets.


def formula(layers):
    """Sizes of the receptive field by layer."""
    size, jump, sizes = 1, 1, []
    for kernel, stride, dilation in layers:
        size, jump = size + dilation * (kernel - 1) * jump, jump * stride
        sizes.append(size)
    return sizes


def measured(layers):
    """The same, from gradients."""
    sizes = []
    for depth in range(1, len(layers) + 1):
        x = torch.zeros(1, 1, 300, requires_grad=True)
        y = x
        for kernel, stride, dilation in layers[:depth]:
            y = ops.conv1d(y, torch.ones(1, 1, kernel), stride=stride, dilation=dilation)
        y[0, 0, y.shape[-1] // 2].backward()
        reached = x.grad[0, 0].nonzero()
        sizes.append(int(reached.max() - reached.min()) + 1)
    return sizes


# sphinx_gallery_alt = "Receptive field against the number of layers, up to seven, on a"
# sphinx_gallery_alt = "logarithmic axis. The plain stack bends flat and ends at 15 pixels;"
# sphinx_gallery_alt = "stride 2 and doubling dilation lie on each other, in a nearly straight"
# sphinx_gallery_alt = "line up to 255."
deeper = {
    "plain": [(3, 1, 1)] * 7,
    "stride 2": [(3, 2, 1)] * 7,
    "doubling dilation": [(3, 1, 2**k) for k in range(7)],
}
figure, ax = plt.subplots()
for number, (name, layers) in enumerate(deeper.items()):
    line = {"color": plot.PALETTE[number], "linestyle": plot.LINESTYLES[number]}
    ax.plot(range(1, 8), formula(layers), marker=plot.MARKERS[number], label=name, **line)
    assert formula(layers) == measured(layers)
ax.set(xlabel="layers", ylabel="pixels seen", yscale="log")
ax.legend()
plt.show()

assert tree(stacks["stride 2"])[0] == tree(stacks["dilation 1, 2, 4, 8"])[0]
assert formula(deeper["plain"])[-1] == 15
assert formula(deeper["stride 2"]) == formula(deeper["doubling dilation"])
assert formula(deeper["stride 2"])[-1] == 255

# %%
# **What to notice.** Plain layers widen the view by two pixels each. Strides and dilations double
# it, and one unit's tree is the very same in both. The difference are the other units, the faint
# dots: after four strides of 2 they stand 16 pixels apart, and few are left; a dilated stack has a
# unit for every pixel, and the work that goes with it.
#
# **What to change.** Give the dilated stack the dilations 1, 2, 4, 2: how wide is it? And 1, 4,
# 16 with kernels of size 3: which pixels does the unit then not see?

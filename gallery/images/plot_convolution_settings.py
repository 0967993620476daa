"""
Padding, stride and dilation, side by side
==========================================

You will see where the windows of a 3 × 3 kernel lie on an image of 7 × 7 under six settings, and
which pixels no window sees. Then the output's size by the input's, from the formula and from the
code.
"""

import matplotlib.pyplot as plt
import torch

from dlbook import ops, plot

plot.use_style()


def size(n, m, padding=0, stride=1, dilation=1):
    """How many windows fit."""
    return (n + 2 * padding - dilation * (m - 1) - 1) // stride + 1


# %%
# Every pixel is marked by how many windows see it: send a cotangent of ones back through a kernel
# of ones, and it counts them. The frame is the image; what is outside is padding. Rings are the
# nine places of the first window, squares those of the last.

settings = [
    {},
    {"padding": 1},
    {"stride": 2},
    {"padding": 1, "stride": 3},
    {"dilation": 2},
    {"padding": 2, "dilation": 2, "stride": 2},
]

# sphinx_gallery_alt = "Six pictures of a seven by seven image, each with a number in every"
# sphinx_gallery_alt = "pixel, rings on nine places at the upper left and squares on nine at the"
# sphinx_gallery_alt = "lower right. Plain: numbers from 1 in the corners to 9 in the middle."
# sphinx_gallery_alt = "Padding 1: from 4 to 9. Stride 2: 1, 2 and 4. Padding 1 with stride 3:"
# sphinx_gallery_alt = "only ones. Dilation 2: 1, 2 and 4. Padding 2, dilation 2, stride 2: zeros"
# sphinx_gallery_alt = "in every other row and column."
figure, axes = plt.subplots(3, 2, figsize=(6.4, 10))
unseen = []
for setting, ax in zip(settings, axes.flat):
    padding, stride = setting.get("padding", 0), setting.get("stride", 1)
    dilation = setting.get("dilation", 1)
    image = torch.zeros(1, 1, 7, 7, requires_grad=True)
    output = ops.conv2d(image, torch.ones(1, 1, 3, 3), **setting)
    output.sum().backward()
    seen = image.grad[0, 0]
    unseen.append(int((seen == 0).sum()))
    count = size(7, 3, padding, stride, dilation)
    assert output.shape[-1] == count
    ax.add_patch(
        plt.Rectangle((-0.5 - padding,) * 2, 7 + 2 * padding, 7 + 2 * padding, facecolor="#dcdcd8")
    )
    ax.add_patch(plt.Rectangle((-0.5, -0.5), 7, 7, facecolor="white", edgecolor="black", lw=1.5))
    for u in range(7):
        for v in range(7):
            ax.text(v, u, f"{seen[u, v]:.0f}", ha="center", va="center", fontsize=9)
    for start, marker, colour in ((0, "o", 0), (stride * (count - 1), "s", 1)):
        places = [start + dilation * i - padding for i in range(3)]
        ax.scatter(
            [v for _ in places for v in places],
            [u for u in places for _ in places],
            marker=marker,
            s=190,
            facecolors="none",
            edgecolors=plot.PALETTE[colour],
            linewidths=1.5,
        )
    name = ", ".join(f"{k} {v}" for k, v in setting.items()) or "plain"
    ax.set(title=f"{name}:\n{count} × {count}", xlim=(-3, 9), ylim=(9, -3), aspect="equal")
    ax.axis("off")
plt.show()

print("pixels that no window sees:", unseen)
assert unseen[0] == unseen[1] == unseen[2] == unseen[4] == 0
assert unseen[3] == 0 and unseen[5] > 0

# %%
# The same settings for images of 5 to 32 pixels. Lines are the formula, markers what ``conv2d``
# returns.

# sphinx_gallery_alt = "Output size against input size for six settings: two lines of slope 1,"
# sphinx_gallery_alt = "one of slope 1 lower down, two staircases of slope one half and one of"
# sphinx_gallery_alt = "slope one third. Markers lie on all lines."
figure, ax = plt.subplots(figsize=(5.2, 5))
sizes = range(5, 33)
for number, setting in enumerate(settings):
    formula = [size(n, 3, **setting) for n in sizes]
    code = [
        ops.conv2d(torch.zeros(1, 1, n, n), torch.ones(1, 1, 3, 3), **setting).shape[-1]
        for n in sizes
    ]
    assert formula == code
    name = ", ".join(f"{k} {v}" for k, v in setting.items()) or "plain"
    style = {"color": plot.PALETTE[number], "marker": plot.MARKERS[number], "markevery": 6}
    ax.plot(sizes, formula, label=name, drawstyle="steps-mid", **style)
ax.set(xlabel="pixels of the input", ylabel="pixels of the output")
ax.legend(fontsize=9)
plt.show()

# %%
# **What to notice.** Without padding, corner pixels are seen once and the middle nine times: the
# image's rim counts little. With padding 1 and stride 3 every pixel is seen exactly once. With
# dilation 2 and stride 2, the windows tread on the same rows again and again, and never on the
# others.
#
# **What to change.** Which stride leaves pixels out even without dilation? Which padding and
# dilation keep the size with a kernel of 5 × 5?

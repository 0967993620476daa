"""
Who gets the gradient? Max and average pooling of a photograph
==============================================================

You will see which pixels of a picture receive a gradient when it comes back through pooling. An
average hands something to every pixel. A maximum picks one of each window, so most of the picture
receives nothing; with overlapping windows a bright pixel can win several times and collect.
"""

import matplotlib.pyplot as plt

from dlbook import ops, plot
from dlbook.data import photographs

plot.use_style()

# %%
# A piece of the photograph of a temple, 48 × 48 pixels, in grey. The cost is simply the sum of all
# outputs, so that every output sends back a 1, and what a pixel receives counts its wins.

grey = photographs.load("china", grey=True)[:, 200:248, 300:348]


def received(pool):
    x = grey.clone().requires_grad_()
    y = pool(x)
    y.sum().backward()
    assert abs(x.grad.sum().item() - y.numel()) < 1e-3  # nothing is lost on the way
    return x.grad[0]


kinds = {
    "average, windows of 4 side by side": lambda x: ops.avg_pool2d(x, 4),
    "max, windows of 4 side by side": lambda x: ops.max_pool2d(x, 4),
    "max, windows of 4, one pixel apart": lambda x: ops.max_pool2d(x, 4, 1),
}
wins = {name: received(pool) for name, pool in kinds.items()}

# %%

# sphinx_gallery_alt = "Four square pictures below each other: a piece of a temple in grey; an even"
# sphinx_gallery_alt = "grey surface; single dark dots, one in each block of four by four; and more"
# sphinx_gallery_alt = "dots, most of them pale and some very dark."
figure, axes = plt.subplots(4, 1, figsize=(3.6, 14.4))
axes[0].imshow(grey[0], cmap="gray")
axes[0].set_title("the picture")
for ax, (name, count) in zip(axes[1:], wins.items(), strict=True):
    ax.imshow(count.sqrt(), cmap="gray_r", vmin=0)
    ax.set_title(name)
for ax in axes:
    ax.axis("off")
plt.show()

for name, count in wins.items():
    print(
        f"{name}: {(count > 0).float().mean():.0%} of the pixels receive, {count.max():.2f} at most"
    )
average, apart, overlapping = wins.values()
assert (average == 1 / 16).all()
assert (apart > 0).sum() == 12 * 12 and apart.max() == 1
assert 1 < overlapping.max() <= 16 and (overlapping > 0).float().mean() < 0.5

# %%
# **What to notice.** Windows side by side have exactly one winner each, so one pixel in sixteen
# receives. Overlapping windows send back far more in all, but still to a minority of pixels: one
# that is the brightest far around wins in up to 16 windows, and its cotangents add up.
#
# **What to change.** Pool the picture with its brightness turned round: are the winners the
# same? Round the picture to four shades of grey, so that there are many ties: where in their
# windows do the winners stand now, and why?

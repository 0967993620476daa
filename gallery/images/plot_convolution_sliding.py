"""
A filter sliding over an image, with every product
==================================================

You will see a kernel of 3 × 3 weights laid on each of the nine windows of an image of 5 × 5, with
all nine products written out. Then three kernels on the same image: one that looks the same when
it is turned round, one that doesn't, and that one turned.
"""

import matplotlib.pyplot as plt
import torch

from dlbook import ops, plot

plot.use_style()

image = torch.tensor(
    [
        [1.0, 1, 1, 0, 0],
        [0, 1, 1, 1, 0],
        [0, 0, 1, 1, 1],
        [0, 0, 1, 1, 0],
        [0, 1, 1, 0, 0],
    ]
)
cross = torch.tensor([[1.0, 0, 1], [0, 1, 0], [1, 0, 1]])
second = torch.tensor([[1.0, 4, 0], [0, 2, 1], [3, 0, 1]])

# %%
# In each picture the frame is the window. Inside of it stand the products, weight times pixel; a
# cell is grey where the product is not 0. Their sum, above, is one number of the output.

# sphinx_gallery_alt = "Nine copies of a five by five image of zeros and ones. A frame of three"
# sphinx_gallery_alt = "by three cells stands one step further in each, with nine products in it"
# sphinx_gallery_alt = "such as four times one. The sums above are 9, 9, 7, then 6, 9, 11, then"
# sphinx_gallery_alt = "2, 10, 10."
figure, axes = plt.subplots(3, 3, figsize=(6.6, 7.4))
sums = torch.zeros(3, 3)
for p in range(3):
    for q in range(3):
        ax = axes[p, q]
        for u in range(5):
            for v in range(5):
                i, j = u - p, v - q
                inside = 0 <= i < 3 and 0 <= j < 3
                pixel = int(image[u, v])
                text = f"{second[i, j]:.0f}·{pixel}" if inside else f"{pixel}"
                if inside and second[i, j] * pixel:
                    ax.add_patch(plt.Rectangle((v - 0.5, u - 0.5), 1, 1, facecolor="#c9c9c4"))
                ax.text(v, u, text, ha="center", va="center", fontsize=9)
                sums[p, q] += second[i, j] * pixel if inside else 0
        ax.add_patch(plt.Rectangle((q - 0.5, p - 0.5), 3, 3, fill=False, lw=2))
        ax.set(xlim=(-0.6, 4.6), ylim=(4.6, -0.6), aspect="equal", title=f"{sums[p, q]:.0f}")
        ax.axis("off")
plt.show()

assert torch.equal(sums, ops.conv2d(image[None, None], second[None, None])[0, 0])
assert sums.tolist() == [[9, 9, 7], [6, 9, 11], [2, 10, 10]]

# %%
# Networks lay the kernel down as it is; in mathematics, convolution turns it by 180° first. For
# the cross that makes no difference.

# sphinx_gallery_alt = "Three rows, each with a three by three kernel on the left and the three"
# sphinx_gallery_alt = "by three output on the right: the cross, the second kernel, and the"
# sphinx_gallery_alt = "second kernel turned by 180 degrees, whose output differs from the one"
# sphinx_gallery_alt = "above it."
kernels = {"the cross": cross, "the second": second, "the second, turned": second.flip(0, 1)}
figure, axes = plt.subplots(3, 2, figsize=(4.6, 7.2))
outputs = {}
for (name, kernel), (left, right) in zip(kernels.items(), axes):
    outputs[name] = ops.conv2d(image[None, None], kernel[None, None])[0, 0]
    for ax, table, title in ((left, kernel, name), (right, outputs[name], "gives")):
        ax.imshow(table, cmap="gray_r", vmin=0, vmax=2.5 * table.max())
        for u in range(3):
            for v in range(3):
                ax.text(v, u, f"{table[u, v]:.0f}", ha="center", va="center")
        ax.set(xticks=[], yticks=[], title=title)
        ax.grid(False)
plt.show()

turned_cross = ops.conv2d(image[None, None], cross.flip(0, 1)[None, None])[0, 0]
assert torch.equal(outputs["the cross"], turned_cross)
assert not torch.equal(outputs["the second"], outputs["the second, turned"])
print("the cross as it is and turned: the same output")

# %%
# **What to notice.** The output is large where the pixels under the large weights are 1. The 4 of
# the second kernel decides most: its middle column of outputs is 9 or more in every row, as there
# the pixel under the 4 is 1 each time.
#
# **What to change.** Replace the image by a photograph's patch. Turn the image instead of the
# kernel: how does the output look then, and why?

assert (sums[:, 1] >= 9).all() and (image[0:3, 2] == 1).all()

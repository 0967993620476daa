"""
One digit, six matrices
=======================

You will see a handwritten digit moved by six matrices of two rows and two columns. The two columns
of a matrix say where the two axes go, and the digit follows them. How much larger or smaller its
area becomes can be read off the matrix too: one of the six presses the digit flat.
"""

import math

import matplotlib.pyplot as plt
import torch

from dlbook import plot
from dlbook.data import digits

plot.use_style()
test = digits.load(dtype=torch.float64).test
image = test.x[test.y == 2][0].reshape(8, 8)

# %%
# Each corner of each pixel is a vector from the middle of the image. All 81 of them are the
# columns of one matrix, so that a single product moves the whole picture.

ticks = torch.arange(9, dtype=torch.float64) - 4
x, y = torch.meshgrid(ticks, ticks.flip(0), indexing="xy")  # y points upwards
corners = torch.stack([x.flatten(), y.flatten()])

turn = math.radians(30)
matrices = {
    "turn by 30°": [[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]],
    "stretch": [[1.5, 0], [0, 0.5]],
    "shear": [[1, 0.7], [0, 1]],
    "mirror": [[-1, 0], [0, 1]],
    "symmetric": [[1, 0.5], [0.5, 1]],
    "rank 1": [[0.8, 0.4], [0.4, 0.2]],
}

# %%
# The arrows are four times the two columns, the first thick, the second thin.

# sphinx_gallery_alt = "Six small pictures of a handwritten two with two arrows from its middle:"
# sphinx_gallery_alt = "turned, wide and flat, slanting, mirrored, pulled out along the rising"
# sphinx_gallery_alt = "diagonal, and in the last pressed into a line, with both arrows on it."
figure, axes = plt.subplots(3, 2, figsize=(5.2, 7.8))
for ax, (name, rows) in zip(axes.flat, matrices.items()):
    A = torch.tensor(rows, dtype=torch.float64)
    moved_x, moved_y = (A @ corners).reshape(2, 9, 9)
    ax.pcolormesh(moved_x, moved_y, image, cmap="gray_r", edgecolors="face", lw=0.2)
    for column, colour, width in zip(A.T, plot.PALETTE, (4, 1.5)):
        arrow = {"arrowstyle": "-|>", "color": colour, "lw": width, "shrinkA": 0, "shrinkB": 0}
        ax.annotate("", tuple((4 * column).tolist()), (0, 0), arrowprops=arrow)
    ax.set(title=name, xlim=(-7, 7), ylim=(-6.5, 6.5), aspect="equal", xticks=[], yticks=[])
plt.show()

# %%
# How large is a pixel now? Its sides are the columns :math:`(a, c)` and :math:`(b, d)`. The square
# of the area of a parallelogram is the product of its squared sides minus the square of their inner
# product, and multiplied out this is :math:`(ad - bc)^2`. Compare with the area that the picture
# really has: the shoelace formula, along its outline.

outline = torch.tensor([[-4.0, 4, 4, -4], [-4, -4, 4, 4]], dtype=torch.float64)
print("              ad − bc   area of the picture / 64   rank")
for name, rows in matrices.items():
    A = torch.tensor(rows, dtype=torch.float64)
    (a, b), (c, d) = rows
    x, y = A @ outline
    area = (x * y.roll(-1) - x.roll(-1) * y).sum().abs() / 2  # shoelace
    rank = torch.linalg.matrix_rank(A).item()
    print(f"{name:12s} {a * d - b * c:8.2f} {area / 64:20.2f} {rank:12d}")
    assert abs(area / 64 - abs(a * d - b * c)) < 1e-9
    assert (rank == 2) == (abs(a * d - b * c) > 1e-9)

# %%
# **What to notice.** A turn, a shear and a mirror keep the area. The mirror has
# :math:`ad - bc = -1`: the minus tells that the picture has been turned over. Where
# :math:`ad - bc = 0` both arrows lie on one line, the picture has no area, and no matrix can bring
# it back.
#
# **What to change.** Turn twice by 30°, by ``A @ A``, and compare with one turn by 60°. Which power
# of the shear slants the digit by more than 45°? Move the picture by the symmetric matrix again and
# again: towards which line does everything go?

"""
Historical neurons, drawn as lines
==================================

You will see what six units of the years 1943 to 1960 do with two inputs. Each is a straight line
with a side: gates that were set by hand, two of them behind a third that computes XOR, a
perceptron on its way to a line, and an Adaline that never gets every sample right and settles all
the same.
"""

import matplotlib.pyplot as plt
import torch

from dlbook import plot
from dlbook.data import digits
from dlbook.models import Adaline, Perceptron, ThresholdUnit, binary_inputs

plot.use_style()

# %%
# **1943: gates.** A threshold unit fires when the weighted sum of its inputs reaches its
# threshold. XOR takes three: between the lines of OR and AND lies what fires the first and not
# the second.

lines = binary_inputs(2)
OR, AND = ThresholdUnit.disjunction(), ThresholdUnit.conjunction()
but_not = ThresholdUnit(torch.tensor([1.0, -1.0]), 1)
xor = but_not(torch.stack([OR(lines), AND(lines)], dim=1))
assert xor.tolist() == [0, 1, 1, 0]

# %%

# sphinx_gallery_alt = "A square of four points. Two parallel slanted lines, solid and dashed,"
# sphinx_gallery_alt = "each with an arrow to the upper right, enclose the filled points at the"
# sphinx_gallery_alt = "upper left and lower right, and leave the two empty points outside."
box = (-0.6, 1.6), (-0.6, 1.6)
figure, ax = plt.subplots(figsize=(5.2, 5))
# A line may pass anywhere between the points; halfway is easiest to see.
plot.decision_lines([[1, 1], [1, 1]], [-0.5, -1.5], *box, labels=["OR", "AND"], ax=ax)
for point, fires in zip(lines, xor, strict=True):
    inside = "black" if fires else plot.PANEL
    ax.plot(*point, "o", color="black", markersize=12, markerfacecolor=inside, zorder=3)
ax.set(aspect="equal", xlabel="$x_1$", ylabel="$x_2$", xticks=(0, 1), yticks=(0, 1))
plt.show()

# %%
# **1958: a perceptron.** It learns from its mistakes alone. Its two inputs are how much ink a
# handwritten digit has in the middle and at the left of its lower half; the digits are noughts
# and ones.

train = digits.load(dtype=torch.float64).train


def two(first, second, look):
    """Two numbers for each image of two digits; classes −1 and +1."""
    chosen = (train.y == first) | (train.y == second)
    x = look(train.x[chosen].reshape(-1, 8, 8))
    return x, torch.where(train.y[chosen] == second, 1.0, -1.0).double()


def middle_and_left(images):
    return torch.stack([images[:, 2:6, 3:5].mean((1, 2)), images[:, 4:7, :4].mean((1, 2))], dim=1)


x, y = two(0, 1, middle_and_left)
unit = Perceptron(2, dtype=torch.float64)
mistakes = unit.learn(x, y)
signed = y[:, None] * torch.cat([x, torch.ones(len(x), 1).double()], dim=1)
path = signed[mistakes.samples].cumsum(0)  # weights and bias after each mistake
print(f"{len(x)} digits, mistakes in each epoch: {mistakes.epochs}")
assert mistakes.converged and torch.equal(unit(x), y)

# %%

# sphinx_gallery_alt = "Crosses at the left and rings at the right, with a gap between them. Thin"
# sphinx_gallery_alt = "grey lines cross the picture at various angles; one thick line with an"
# sphinx_gallery_alt = "arrow runs through the gap and separates all crosses from all rings."
frame = (-0.05, 1.05), (-0.05, 0.75)


def samples(ax, x, y):
    """Noughts of one class, crosses of the other; a little apart, for many share a point."""
    x = x + 0.03 * (torch.rand(x.shape, generator=torch.Generator().manual_seed(0)) - 0.5)
    for label, marker, kind in ((-1, "x", 1), (1, "o", 0)):
        colour = plot.PALETTE[kind]
        ax.plot(*x[y == label].T, marker, color=colour, markerfacecolor="none", zorder=1)


def draw(ax, rows, frame, *, colour, width, arrows=False):
    """Lines of one look, one for each row of two weights and a bias."""
    before, arrow = len(ax.lines), len(ax.texts)
    plot.decision_lines(rows[:, :2], rows[:, 2], *frame, arrows=arrows, ax=ax)
    for line in ax.lines[before:]:
        line.set(color=colour, linewidth=width, linestyle="-")
    for text in ax.texts[arrow:]:
        text.arrow_patch.set_color(colour)


figure, ax = plt.subplots(figsize=(5.2, 4.4))
samples(ax, x, y)
moved = path[(path[:, :2] != 0).any(1)]
draw(ax, moved[:-1], frame, colour=plot.MUTED, width=0.8)
draw(ax, path[-1:], frame, colour="black", width=3, arrows=True)
ax.set(xlabel="ink in the middle", ylabel="ink at the lower left")
plt.show()

# %%
# **1960: an Adaline.** It learns from the size of its error, on every sample. Threes and eights
# by two pixels overlap: no line separates them. The perceptron runs in a circle, which takes some
# epochs to come back exactly where it was. Adaline trembles about the least squares.


def two_pixels(images):
    return torch.stack([images[:, 2, 2], images[:, 5, 2]], dim=1)


x, y = two(3, 8, two_pixels)
unit, seen = Perceptron(2, dtype=torch.float64), []
state = (0.0, 0.0, 0.0)
while state not in seen:
    seen.append(state)
    unit.learn(x, y, epochs=1)
    state = (*unit.weight.tolist(), unit.bias.item())
circle = torch.tensor(seen[seen.index(state) :]).double()
adaline = Adaline(2, dtype=torch.float64)
adaline.learn(x, y, lr=0.03, epochs=60, generator=torch.Generator().manual_seed(0))
line = torch.cat([adaline.weight, adaline.bias[None]])
rows = torch.cat([x, torch.ones(len(x), 1).double()], dim=1)
least = torch.linalg.lstsq(rows, y).solution
print(f"the perceptron comes back after {len(circle)} epochs")
print(f"Adaline is {(line - least).norm():.3f} away from the least squares")
assert (line - least).norm() < 0.3

# %%

# sphinx_gallery_alt = "Crosses towards the lower left and rings towards the upper right, which"
# sphinx_gallery_alt = "overlap. A fan of thin grey lines, and a thick, flatter line that crosses"
# sphinx_gallery_alt = "them, with an arrow to the upper right."
frame = (-0.05, 1.05), (-0.05, 1.05)
figure, ax = plt.subplots(figsize=(5.2, 5))
samples(ax, x, y)
draw(ax, circle, frame, colour=plot.MUTED, width=0.8)
draw(ax, line[None], frame, colour="black", width=3, arrows=True)
ax.set(xlabel="pixel at the upper left", ylabel="pixel at the lower left", aspect="equal")
plt.show()

# %%
# **What to notice.** In all three pictures a unit is a line and nothing else. What differs is who
# puts it there, and what happens when no line is right.
#
# **What to change.** Take other digits, or other pixels. Let the perceptron see its samples in a
# random order (``generator=...``): then it runs in no circle, but does it come to rest?

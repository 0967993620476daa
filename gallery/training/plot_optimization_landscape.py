"""
A trained network, seen from above
==================================

You will see the cost of a small network around the place where training ended: over a plane through
two random directions, and along five random lines. The directions are filter-normalised, so that 1
means as far as each unit's weights are from zero.
"""

import matplotlib.pyplot as plt
import torch

from dlbook import ops, optim, plot
from dlbook.data import digits
from dlbook.models import MLP
from dlbook.train import evaluate, fit
from dlbook.train.landscapes import along, over, random_direction

plot.use_style()

# %%
# A network with one hidden layer reads digits, before and after training.

data = digits.load()
torch.manual_seed(0)
model = MLP([64, 32, 10])
generator = torch.Generator().manual_seed(1)
directions = [random_direction(model, generator) for _ in range(2)]
before = over(
    model, ops.cross_entropy, data.train, directions, span=(-1, 1), points=21, device="cpu"
)
optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
fit(
    model,
    ops.cross_entropy,
    optimizer,
    data.train,
    epochs=20,
    batch_size=32,
    seed=0,
    device="cpu",
    progress=False,
)
print("after training:", evaluate(model, ops.cross_entropy, data.train, metrics=["accuracy"]))

# %%
# The plane, before (above) and after (below); the cross is the network.

# sphinx_gallery_alt = "Two contour maps over a square. Above, a slope: contours run across, and"
# sphinx_gallery_alt = "the cross lies on it. Below, a basin of closed rings around the cross."
generator = torch.Generator().manual_seed(1)
directions = [random_direction(model, generator) for _ in range(2)]
after = over(
    model, ops.cross_entropy, data.train, directions, span=(-1, 1), points=21, device="cpu"
)
figure, axes = plt.subplots(2, 1, figsize=(5.2, 9))
for ax, plane, title in zip(axes, (before, after), ("before", "after"), strict=True):
    plot.contours(lambda x, y, plane=plane: plane.losses, plane.span, plane.span, points=21, ax=ax)
    ax.plot(0, 0, "+", color="black", markersize=14, markeredgewidth=2)
    ax.set(title=f"{title} training", ylabel="second direction", aspect="equal")
axes[-1].set_xlabel("first direction")
plt.show()

middle = after.losses[10, 10]
assert middle == after.losses.min() and before.losses[10, 10] > before.losses.min()

# %%
# Other directions: is this a picture of the place, or of the two that were drawn?

# sphinx_gallery_alt = "Five valleys over a line from minus one to one, all with their bottom at"
# sphinx_gallery_alt = "the middle and of about the same width."
figure, ax = plt.subplots()
widths = []
for seed in range(5):
    direction = random_direction(model, torch.Generator().manual_seed(seed))
    line = along(model, ops.cross_entropy, data.train, direction, points=41, device="cpu")
    ax.plot(line.positions, line.losses, label=f"direction {seed}")
    widths.append(sum(loss < 0.5 for loss in line.losses) / 20)
ax.set(xlabel="fraction of each unit's length", ylabel="cost", ylim=(0, 4))
ax.legend(fontsize=10)
plt.show()

print("stretch in which the cost is below 0.5:", widths)
assert max(widths) < 2 * min(widths)

# %%
# **What to notice.** Before training the network lies on a slope, after it in a basin, along these
# two of 2,410 directions. Five other random lines show valleys of about the same width.
#
# **What to change.** Divide the first layer by 10 and multiply the second by 10, weights and biases
# as the function demands. What do these pictures show, and what do they show with
# ``torch.randn`` in place of ``random_direction``? Then give each hidden unit a factor of its own.

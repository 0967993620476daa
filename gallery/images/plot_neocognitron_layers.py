"""
A digit moves, and the neocognitron hardly notices: its layers one by one
=========================================================================

You will see what the six layers of a small neocognitron answer to a digit, and to the same digit
moved by three points. The S-layers are picky: most of their cells that answered fall silent, and
others answer. Each C-layer makes up for a part of it, and the last one, one cell a plane, hardly
notices that anything has moved.
"""

import matplotlib.pyplot as plt
import torch

from dlbook import plot
from dlbook.data import digits
from dlbook.models import Neocognitron

plot.use_style()

# %%
# The digits, at twice their size in the middle of 24 × 24. The network learns from 250 of them by
# competition, without being told their classes; 500 give names to the planes of the last layer.


def sheet(x):
    large = torch.nn.functional.interpolate(x, scale_factor=2, mode="bilinear")
    return torch.nn.functional.pad(large.clamp(0, 1), (4, 4, 4, 4))


split = digits.load(images=True)
train = sheet(split.train.x[:500])
generator = torch.Generator().manual_seed(0)
net = Neocognitron(generator=generator)
net.self_organize(train[:250], generator=generator)
net.name(train, split.train.y[:500])

# %%
# One digit of the test part, in three places.

digit = sheet(split.test.x[:1])
places = {
    name: torch.roll(digit, step, 3) for name, step in (("left", -3), ("middle", 0), ("right", 3))
}
stages = {name: net.stages(x) for name, x in places.items()}

# sphinx_gallery_alt = "Three columns: a digit at the left, in the middle and at the right. Below"
# sphinx_gallery_alt = "it the brightest plane of S1, C1, S2, C2 and S3: strokes, blurred strokes,"
# sphinx_gallery_alt = "a few points, blurred points, a single point. They move with the digit."
figure, axes = plt.subplots(6, 3, figsize=(5.2, 10.4))
for column, (name, x) in enumerate(places.items()):
    axes[0, column].imshow(x[0, 0], cmap="gray_r")
    axes[0, column].set_title(name)
    for row, (layer, u) in enumerate(list(stages[name].items())[:5], start=1):
        loudest = stages["middle"][layer][0].sum((1, 2)).argmax()  # the same plane in all columns
        axes[row, column].imshow(u[0, loudest], cmap="gray_r", vmin=0)
        axes[row, 0].set_ylabel(f"{layer}, plane {int(loudest)}")
for ax in axes.flat:
    ax.set(xticks=[], yticks=[])
plt.show()

# %%
# How alike are a layer's answers before and after the movement? The cosine between them is 1 if
# they differ by no more than a factor. Here it is for two hundred digits, moved to the right by one
# to four points.

some = sheet(split.test.x[:200])
home = net.stages(some)
alike = {layer: [1.0] for layer in home}
points = []
for step in range(1, 5):
    there = net.stages(torch.roll(some, step, 3))
    for layer, u in home.items():
        pair = u.flatten(1), there[layer].flatten(1)
        alike[layer].append(torch.nn.functional.cosine_similarity(*pair).mean().item())
    pair = some.flatten(1), torch.roll(some, step, 3).flatten(1)
    points.append(torch.nn.functional.cosine_similarity(*pair).mean().item())

# %%

# sphinx_gallery_alt = "Seven curves over the movement from 0 to 4 points. All begin at 1. Those"
# sphinx_gallery_alt = "of the S-layers fall below 0.4, S3 first. C3 stays above 0.9, C2 is next."
figure, ax = plt.subplots(figsize=(5.2, 4.2))
for (layer, values), marker in zip(alike.items(), "osv^Dx", strict=True):
    ax.plot(range(5), values, marker=marker, label=layer)
ax.plot(range(5), [1.0, *points], "--", color="gray", label="points")
ax.set(
    xlabel="moved by, points",
    ylabel="cosine with the answers before",
    xticks=range(5),
    ylim=(0, 1.3),  # room for the legend
)
ax.legend(ncols=4, loc="upper center")
plt.show()

for step in range(5):
    print(step, " ".join(f"{layer} {values[step]:.2f}" for layer, values in alike.items()))
for s_layer, c_layer in (("S1", "C1"), ("S2", "C2"), ("S3", "C3")):
    assert all(alike[c_layer][k] > alike[s_layer][k] for k in range(1, 5))
assert min(alike["C3"]) > 0.9 > 0.4 > max(alike[layer][4] for layer in ("S1", "S2", "S3"))

# %%
# And the names?

answers = [net.classify(torch.roll(some, step, 3)) for step in range(5)]
for step, answer in enumerate(answers):
    right = (answer == split.test.y[:200]).float().mean()
    same = (answer == answers[0]).float().mean()
    print(f"moved by {step}: {right:.0%} right, {same:.0%} named as before")
    assert right > 0.7 and same > 0.8

# %%
# **What to notice.** An S-layer is picky, its C-layer forgives: in each pair, the C-layer's answers
# are more alike than those of the S-layer before it. Nothing in the network was trained with moved
# digits.
#
# **What to change.** Turn the digits in place of moving them. Give C1 or C2 a larger window
# (``net.c1 = CLayer(12, 5, stride=2)``) and learn again: what is gained, and which digits are
# confused now?

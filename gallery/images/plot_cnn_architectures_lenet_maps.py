"""
A digit goes through LeNet-5
============================

You will see what each layer of the LeNet-5 of 1998 makes of a handwritten digit, after it has
been trained here for a few epochs: six maps, sixteen maps, 120 numbers, and at last a picture of
7 × 12 pixels that is compared with ten others.
"""

import matplotlib.pyplot as plt
import torch

from dlbook import plot
from dlbook.data import Part, digits
from dlbook.models.lenet import C3_TABLE, BitmapLoss, LeNet5, digit_bitmaps
from dlbook.optim import Adam
from dlbook.train import fit

plot.use_style()
torch.manual_seed(0)

# %%
# The digits of 8 × 8 pixels are enlarged to 28 × 28, given a margin of 2, and brought to the scale
# of the paper: paper is −0.1, ink 1.175.


def enlarged(part):
    x = torch.nn.functional.interpolate(part.x, size=28, mode="bilinear")
    return Part(1.275 * torch.nn.functional.pad(x, (2, 2, 2, 2)) - 0.1, part.y)


train, validation, test = (enlarged(part) for part in digits.load(images=True))
model = LeNet5()
optimizer = Adam(model.parameters(), lr=5e-3)
fit(model, BitmapLoss(), optimizer, train, epochs=8, batch_size=64, seed=0)
with torch.no_grad():
    penalties = model(validation.x)  # the smallest penalty wins
found = (penalties.argmin(1) == validation.y).double().mean().item()
print(f"right about {found:.1%} of the validation part")
assert found > 0.9

# %%
# The table of the layer C3: which of the six maps of S2 each of its sixteen maps sees. No two see
# the same, so they have to become different.

# sphinx_gallery_alt = "A grid of 6 rows and 16 columns with filled squares: three to a column in"
# sphinx_gallery_alt = "the first six, four in the next nine, six in the last."
figure, ax = plt.subplots(figsize=(5.2, 2.6))
for k, row in enumerate(C3_TABLE):
    ax.plot([k] * len(row), row, "s", color=plot.PALETTE[0], markersize=10)
ax.set(xticks=range(16), yticks=range(6), xlabel="map of C3", ylabel="map of S2")
ax.invert_yaxis()
plt.show()
assert [len(row) for row in C3_TABLE] == [3] * 6 + [4] * 9 + [6]
assert len(set(C3_TABLE)) == 16

# %%
# Now one image, and what every layer hands on. Each layer has its own scale: white is its lowest
# value, black its highest.

place = int(((penalties.argmin(1) == validation.y) & (validation.y == 4)).nonzero()[0])
image = validation.x[place : place + 1]
squash, seen = model.squash, {"input": image}
with torch.no_grad():
    x = image
    for name in ("c1", "s2", "c3", "s4", "c5"):
        x = squash(getattr(model, name)(x))
        seen[name.upper()] = x
    f6 = squash(model.f6(x.flatten(1)))

# sphinx_gallery_alt = "The image of a 4, then rows of small images: six maps with its strokes"
# sphinx_gallery_alt = "thickened or outlined in C1, the same coarser in S2, sixteen maps of 10 ×"
# sphinx_gallery_alt = "10 and then of 5 × 5 pixels in which the 4 can hardly be made out, and"
# sphinx_gallery_alt = "120 grey squares of C5."
figure, axes = plt.subplots(6, 1, figsize=(5.2, 9.4), height_ratios=[2.1, 1, 1, 2.2, 2.2, 1.1])
for ax, (name, maps) in zip(axes, seen.items()):
    pictures = maps[0] if name != "C5" else maps[0].reshape(1, 4, 30)
    pictures = (pictures - pictures.min()) / (pictures.max() - pictures.min())
    plot.images(pictures, columns={"input": 1, "C5": 1, "C3": 8, "S4": 8}.get(name, 6), ax=ax)
    ax.set_title(f"{name}, {' × '.join(map(str, maps.shape[1:]))}", fontsize=11)
plt.show()

# %%
# The 84 numbers of F6, laid out as 12 rows of 7, are the network's own drawing of what it has
# seen. Beside it the bitmaps of the ten classes, each with its squared distance: the penalty.

# sphinx_gallery_alt = "A blurred picture of a 4, then the ten printed digits in their bitmaps,"
# sphinx_gallery_alt = "each under its penalty. The 4 has by far the smallest."
bitmaps = digit_bitmaps()
shown = torch.cat([f6.reshape(1, 12, 7).clamp(-1.7159, 1.7159), bitmaps])
titles = ["F6"] + [f"{value:.0f}" for value in penalties[place].tolist()]
plot.images((shown + 1.7159) / 3.4318, titles=titles, columns=6)
plt.show()
order = penalties[place].sort().values
print(f"penalty of the 4: {order[0]:.1f}, of the next class: {order[1]:.1f}")
assert int(penalties[place].argmin()) == 4
assert order[0] < order[1] / 2

# %%
# **What to notice.** C1 thickens or outlines strokes; S2 halves the sides and keeps them. In C3
# strokes can still be made out, in S4 hardly; in C5 there is no place left at all, only 120
# numbers. F6 draws again, and what it draws is a printed digit, not the handwritten one.
#
# **What to change.** Show a digit that is read wrongly: which bitmaps are near? Move the digit to
# the side by a few pixels: how do the maps of C1 and the numbers of C5 change? Train for 30
# epochs.

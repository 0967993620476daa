"""
A flower, dreamt by a reader of digits
======================================

You will see a photograph of a flower after a few steps uphill on what a layer answers to: the
first, the second and the third feature maps of a network that was trained on digits of 8 × 8 pixels
and nothing else. The first two hardly do more than darken the paper; the third draws strokes. With
octaves, steps in small copies first, the strokes grow broader. A network that was never trained
makes dots of the same photograph.
"""

import copy

import matplotlib.pyplot as plt
import torch

import dlbook
from dlbook import interpret, nn, ops, plot
from dlbook.data import digits, photographs
from dlbook.optim import Adam
from dlbook.train import fit

plot.use_style()
device = dlbook.device()
train = digits.load(images=True, device=device).train

torch.manual_seed(0)
model = nn.Sequential(
    nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(),
    nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(512, 10),
)  # fmt: skip
optimizer = Adam(model.parameters(), lr=0.003)
fit(model, ops.cross_entropy, optimizer, (train.x, train.y), epochs=20, seed=0)

photo = 1 - photographs.load("flower", grey=True, device=device)[None]  # dark is ink
photo = torch.nn.functional.interpolate(
    photo, scale_factor=0.4, mode="bilinear", antialias=True, align_corners=False
)

# %%
# The step, 0.02 of full ink for the mean pixel, and the number of steps are the same everywhere:
# eight in all with one octave, and eight at each of three sizes with three.


def dream(layer, octaves, network=model):
    """Return the photograph after eight steps at every size."""
    return interpret.deep_dream(
        network, photo, layer, octaves=octaves, scale=1.6, steps=8, lr=0.02, bounds=(0, 1),
        generator=torch.Generator().manual_seed(0),
    )  # fmt: skip


def energy(x, layer):
    """Return the mean square of what the layer hands on."""
    return interpret.activations(model, x, layer).square().mean().item()


def unlike(x, apart):
    """Return the mean squared difference of pixels so far apart, by the picture's variance."""
    down, along = x[..., apart:, :] - x[..., :-apart, :], x[..., apart:] - x[..., :-apart]
    return ((down.square().mean() + along.square().mean()) / (2 * x.var())).item()


dreams = {"the photograph": photo}
for layer, octaves in (("1", 1), ("3", 1), ("6", 1), ("6", 3)):
    name = f"layer {layer}, " + ("one size" if octaves == 1 else f"{octaves} octaves")
    dreams[name] = picture = dream(layer, octaves)
    print(f"{name:20s} mean square: {energy(photo, layer):7.3f} before, "
          f"{energy(picture, layer):7.3f} after")  # fmt: skip
    assert energy(picture, layer) > 1.2 * energy(photo, layer)

# %%
# What the eye says, as numbers: how dark a picture is, and how much neighbours differ, and pixels
# four apart. Dots differ most from their neighbours; broad strokes, a little farther off. Three
# networks that were drawn and not trained are the control.

untrained = []
for seed in range(3):
    torch.manual_seed(seed)
    fresh = copy.deepcopy(model)
    for layer in (0, 2, 5, 8):
        fresh[layer].reset_parameters()
    untrained.append(dream("6", 1, fresh))
named = {**dreams, **{f"untrained, layer 6, {i}": x for i, x in enumerate(untrained)}}
for name, picture in named.items():
    print(f"{name:22s} ink {picture.mean():.2f}, neighbours {unlike(picture, 1):.2f}, "
          f"four apart {unlike(picture, 4):.2f}")  # fmt: skip
_, first, second, third, octaves = dreams.values()
for picture in (first, second):
    assert picture.mean() > photo.mean() + 0.1 and unlike(picture, 1) < 2 * unlike(photo, 1)
assert unlike(third, 1) > 4 * unlike(photo, 1)
assert unlike(octaves, 1) < unlike(third, 1) and unlike(octaves, 4) > 1.5 * unlike(third, 4)
for picture in untrained:
    assert unlike(picture, 1) > 2 * unlike(third, 1)

# %%

# sphinx_gallery_alt = "Five pictures, one below the other: a photograph of a flower, and four"
# sphinx_gallery_alt = "dreams of it. From the first and second layer the ground turns black; from"
# sphinx_gallery_alt = "the third fine, slanted strokes cover flower and ground; with three"
# sphinx_gallery_alt = "octaves the strokes are several times as broad."
figure, axes = plt.subplots(5, 1, figsize=(5.2, 17.4))
for ax, (name, picture) in zip(axes, dreams.items()):
    ax.imshow(1 - picture[0, 0].cpu(), cmap="gray", vmin=0, vmax=1)
    ax.set_title(name)
    ax.set_axis_off()
plt.show()

# %%
# **What to notice.** There are no digits in the dream: a place of the third layer's maps sees
# 10 × 10 pixels of the picture, and grows what it answers to, here pieces of strokes.
#
# **What to change.** Ask for one map alone, ``unit=3``, or draw what an untrained network
# dreams. Double the steps, and see how much is left of the flower.

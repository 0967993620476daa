"""
Where do they point?
====================

You will see three networks that tell even digits from odd ones by a single pixel, which was planted
in another place for each: in a corner, at an edge, in the midst of the digit. Every method of
attribution is asked where the answer comes from, on images in which the pixel was flipped to make
sure that it does. Some methods find the pixel wherever it is; others only if there is ink in it.
To see that they are not drawn there by the ink alone, the networks that look elsewhere are asked
about the same images.
"""

import matplotlib.pyplot as plt
import torch

import dlbook
from dlbook import interpret, nn, ops, plot
from dlbook.data import digits
from dlbook.optim import Adam
from dlbook.train import fit

plot.use_style()
device = dlbook.device()
train, _, test = digits.load(images=True, device=device)
places = {"corner": (0, 0), "edge": (4, 7), "middle": (4, 4)}


def planted(part, place):
    """Return the images with ink at the place if they are even, blank if odd; and the labels."""
    x = part.x.clone()
    x[:, 0, place[0], place[1]] = (part.y % 2 == 0).to(x.dtype)
    return x, part.y % 2


def learn(place):
    """Return a network that was trained on images with a planted pixel."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(),
        nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(512, 2),
    )  # fmt: skip
    optimizer = Adam(model.parameters(), lr=0.003)
    fit(model, ops.cross_entropy, optimizer, planted(train, place), epochs=10, seed=0)
    return model.eval()


methods = {
    "saliency": interpret.saliency,
    "guided": lambda m, x: interpret.guided_backpropagation(m, x)[:, 0],
    "covering\nwith blank": lambda m, x: interpret.occlusion(m, x, size=1),
    "covering\nwith grey": lambda m, x: interpret.occlusion(m, x, size=1, fill=0.5),
    "integrated\nfrom blank": lambda m, x: interpret.integrated_gradients(m, x, steps=16)[:, 0],
    "integrated\nfrom grey": lambda m, x: interpret.integrated_gradients(
        m, x, steps=16, baseline=0.5
    )[:, 0],
}

# %%
# For each place, images whose answer turns when the planted pixel is flipped, and the share of them
# on which a method has its largest value, whatever the sign, exactly there. By chance it would be
# one in 64. The control is the same share, over all inked images, for the two networks
# whose planted pixel was another one.

models = {where: learn(place) for where, place in places.items()}
means, table, control = {}, {}, {}
for where, (row, column) in places.items():
    model = models[where]
    x, y = (t[:150] for t in planted(test, (row, column)))
    other = x.clone()
    other[:, 0, row, column] = 1 - x[:, 0, row, column]
    with torch.no_grad():
        turns = (model(x).argmax(1) == y) & (model(other).argmax(1) != y)
    print(f"\n{where}: {turns.double().mean():.0%} of the answers turn with the pixel")
    for name, method in methods.items():
        found = method(model, x).abs()
        there = found.flatten(1).argmax(1) == 8 * row + column
        for ink, label in ((1, "inked"), (0, "blank")):
            some = turns & (x[:, 0, row, column] == ink)
            table[where, name, label] = there[some].double().mean().item()
            means[where, name, label] = found[some].mean(0).cpu()
        inked, blank = (table[where, name, label] for label in ("inked", "blank"))
        with_ink = x[x[:, 0, row, column] == 1]
        elsewhere = [
            method(m, with_ink).abs().flatten(1).argmax(1) == 8 * row + column
            for at, m in models.items() if at != where
        ]  # fmt: skip
        control[where, name] = torch.cat(elsewhere).double().mean().item()
        print(f"{name.replace(chr(10), ' '):22s} inked {inked:5.0%}, blank {blank:5.0%}, "
              f"networks that look elsewhere {control[where, name]:5.0%}")  # fmt: skip

for (where, name, label), share in table.items():
    if label == "inked" or name.endswith("grey"):
        assert share > 0.7, (where, name)
    elif name.endswith("blank"):
        assert share == 0, (where, name)
for (where, name), share in control.items():
    assert share < (0.3 if name == "guided" else 0.15), (where, name)

# %%

# sphinx_gallery_alt = "Six rows of small square pictures, one for each place and for ink and"
# sphinx_gallery_alt = "blank. With ink, one dark pixel stands out in every column: upper left, at"
# sphinx_gallery_alt = "the right edge, in the middle. With a blank it stands out under saliency"
# sphinx_gallery_alt = "and in the two columns that compare with grey; the columns that compare"
# sphinx_gallery_alt = "with blank paper show a blurred digit without it."
figure, axes = plt.subplots(6, len(methods), figsize=(5.2, 6.2))
rows = [(where, label) for where in places for label in ("inked", "blank")]
for line, (where, label) in zip(axes, rows):
    for ax, name in zip(line, methods):
        ax.imshow(means[where, name, label], cmap="gray_r", vmin=0)
        ax.set(xticks=[], yticks=[])
        ax.grid(False)
    line[0].set_ylabel(f"{where}\n{label}", fontsize=9)
for ax, name in zip(axes[0], methods):
    ax.set_title(name, fontsize=8, loc="center")
plt.show()

# %%
# **What to notice.** Means of the sizes over all those images. Covering with blank and integrated
# gradients from blank agree with each other and miss the same half of the truth: a blank pixel that
# decides. The same methods with grey find it. Guided backpropagation depends on the network: train
# from another seed, and it may find the blank pixel, or not. It is also the one
# that points most often at an inked pixel in networks that were given another one to look at.
#
# **What to change.** Plant *two* pixels that always agree, in opposite corners, and see which
# methods find both, one, or none.

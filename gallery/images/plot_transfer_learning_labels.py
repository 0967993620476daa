"""
From print to handwriting, label by label
=========================================

You will see two networks learn to read handwritten digits, one from random weights, the other from
weights that have read print. Handwritten labels are dear, printed ones cost nothing: how many
labels is the print worth?
"""

import copy

import matplotlib.pyplot as plt
import torch

from dlbook import nn, ops, plot
from dlbook.data import digits, glyphs
from dlbook.optim import Adam
from dlbook.train import fit

plot.use_style()
split = digits.load(images=True)  # stratified: the same writers in all parts
SEEDS, COUNTS, STEPS, BATCH = (0, 1, 2), (1, 3, 10, 30), 60, 50
bent = glyphs.load(size=8, margin=0, distortion=glyphs.HANDWRITTEN, examples=(4000, 100, 500))

# %%
# A small network, and a run of so many steps of Adam. The rates are those that the chapter chose on
# the validation part, rounded.


def network(seed):
    torch.manual_seed(seed)
    return nn.Sequential(
        *(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10)),
    )


def train(model, part, rate, seed, steps=STEPS, batch=BATCH):
    epochs = steps // -(-len(part) // batch)
    optimizer = Adam(model.parameters(), lr=rate)
    fit(
        model,
        ops.cross_entropy,
        optimizer,
        part,
        epochs=epochs,
        batch_size=batch,
        seed=seed,
        device="cpu",
    )
    return model


def draw(n, seed):
    order = torch.randperm(len(split.train), generator=torch.Generator().manual_seed(seed))
    y = split.train.y[order]
    return split.train.take(torch.cat([order[y == k][:n] for k in range(10)]))


@torch.no_grad()
def accuracy(model):
    return (model(split.test.x).argmax(1) == split.test.y).double().mean().item()


pretrained = [train(network(s), bent.train, 3e-3, s, steps=200, batch=80) for s in SEEDS]
zero = [accuracy(model) for model in pretrained]
print("without a handwritten label:", *[f"{score:.3f}" for score in zero])

# %%
# The same labels and the same number of steps for both.

scores = {"after print": [], "from scratch": []}  # [count][seed]
for n in COUNTS:
    parts = [draw(n, s) for s in SEEDS]
    scores["after print"].append(
        [
            accuracy(train(copy.deepcopy(pretrained[s]), part, 3e-3, s))
            for s, part in zip(SEEDS, parts, strict=True)
        ]
    )
    scores["from scratch"].append(
        [accuracy(train(network(s), part, 1e-2, s)) for s, part in zip(SEEDS, parts, strict=True)]
    )
    print(f"{n:2d} labels a class:", {k: round(sum(v[-1]) / 3, 3) for k, v in scores.items()})

# %%
# Was it the work of pre-training, whatever it was spent on? From scratch again, with as many steps
# as pre-training and tuning had together, for the largest count:

longer = [accuracy(train(network(s), draw(30, s), 1e-2, s, steps=260)) for s in SEEDS]
print("30 labels a class, 260 steps from scratch:", *[f"{score:.3f}" for score in longer])

# %%

# sphinx_gallery_alt = "Two lines over 1, 3, 10 and 30 labels a class. The upper one, after print,"
# sphinx_gallery_alt = "rises from about 0.75 to 0.91, the lower one, from scratch, from about 0.55"
# sphinx_gallery_alt = "to 0.89; they come together. A dashed line marks what the network of print"
# sphinx_gallery_alt = "reads without a label, above the lower line's start. A cross at the right"
# sphinx_gallery_alt = "end, above both lines, marks the longer training from scratch."
figure, ax = plt.subplots()
for i, (name, values) in enumerate(scores.items()):
    v = torch.tensor(values)
    bars = torch.stack([v.mean(1) - v.amin(1), v.amax(1) - v.mean(1)])
    ax.errorbar(COUNTS, v.mean(1), bars, label=name, capsize=3, marker=plot.MARKERS[i])
ax.axhline(sum(zero) / 3, color=plot.INK, linestyle="--", label="print only")
ax.plot([30], [sum(longer) / 3], "x", color="black", markersize=9, label="from scratch, longer")
ax.set(xscale="log", xlabel="labels a class", ylabel="accuracy on handwriting")
ax.set_xticks(COUNTS, [str(n) for n in COUNTS])
ax.minorticks_off()
ax.legend()
plt.show()

gaps = torch.tensor(scores["after print"]) - torch.tensor(scores["from scratch"])
assert (gaps[:2] > 0).all()
assert gaps[0].mean() > 2 * gaps[-1].mean()
assert sum(zero) > sum(scores["from scratch"][0])
assert sum(longer) > sum(scores["after print"][-1])

# %%
# **What to notice.** The network that has read print is far ahead at 1 and 3 labels, and hardly at
# 10 and 30. Find the height of a point on the upper line, and go right to where the lower line
# reaches it: that many labels is the print worth, there. And look at the cross: with 30 labels a
# class, what lead there was is one of time. From scratch with all the steps, print is not needed.
#
# **What to change.** Distort the print less (``glyphs.Distortion()``) or not at all (``None``).
# Lower the rate of the pre-trained network to 5e-4: at which counts does it lose? Turn the printed
# digits upside down.

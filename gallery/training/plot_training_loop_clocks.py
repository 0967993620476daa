"""
One run, three clocks: batch size by epochs, steps and seconds
==============================================================

You will see the same three runs three times. Counted in epochs the smallest batch is the fastest,
counted in steps the largest, and in seconds it depends on the machine: here, the one in the middle
or its neighbour.
"""

import matplotlib.pyplot as plt
import torch

from dlbook import ops, plot
from dlbook.data import digits
from dlbook.models import MLP
from dlbook.optim import SGD
from dlbook.train import fit

plot.use_style()
train, validation, _ = digits.load()

# %%
# A network with 32 hidden units reads the digits. Every batch size gets two learning rates, and
# keeps the one that leads to the lowest validation loss within its epochs.

settings = {4: (4, (0.1, 0.3)), 32: (20, (0.3, 1.0)), 256: (50, (1.0, 1.7))}


def run(size, epochs, rate):
    """The history of one run."""
    torch.manual_seed(0)
    model = MLP((64, 32, 10))
    return fit(
        model,
        ops.cross_entropy,
        SGD(model.parameters(), lr=rate),
        train,
        validation,
        epochs=epochs,
        batch_size=size,
        seed=0,
        device="cpu",
        progress=False,
    )


runs = {}
for size, (epochs, rates) in settings.items():
    tried = [run(size, epochs, rate) for rate in rates]
    runs[size] = min(tried, key=lambda history: history.best()[1])
    best = runs[size]
    print(f"batches of {size:3d}: rate {best.learning_rate[0]:g}, {best.best()[1]:.3f} at best")

# %%

# sphinx_gallery_alt = "Three panels, one below the other, of validation loss falling from about 2"
# sphinx_gallery_alt = "towards 0.1, for batches of 4, 32 and 256. By epochs the curve of 4 is"
# sphinx_gallery_alt = "leftmost and that of 256 rightmost. By steps the order is reversed."
# sphinx_gallery_alt = "By seconds the three lie closer together."
figure, axes = plt.subplots(3, 1, figsize=(5.2, 8.4))
for number, (size, history) in enumerate(runs.items()):
    loss = history.validation["loss"]
    epoch = torch.arange(1, len(loss) + 1)
    clocks = {
        "epochs": epoch,
        "steps": epoch * -(-len(train) // size),
        "seconds": torch.tensor(history.seconds).cumsum(0),
    }
    for ax, (name, clock) in zip(axes, clocks.items(), strict=True):
        ax.plot(
            clock,
            loss,
            color=plot.PALETTE[number],
            linestyle=plot.LINESTYLES[number],
            marker=plot.MARKERS[number],
            markevery=max(1, len(loss) // 6),
            label=f"batches of {size}",
        )
        ax.set(xlabel=name, ylabel="validation loss", xscale="log", yscale="log")
axes[0].legend()
plt.show()


def first(size, goal=0.2):
    """The first epoch whose validation loss is below the goal."""
    return next(e for e, v in enumerate(runs[size].validation["loss"], 1) if v < goal)


def steps(size):
    """The same, counted in steps."""
    return first(size) * -(-len(train) // size)


for size in runs:
    print(f"batches of {size:3d}: below 0.2 after {first(size)} epochs, {steps(size)} steps")
assert first(4) <= first(32) < first(256)
assert steps(4) > steps(32) > steps(256)

# %%
# **What to notice.** Nobody is wrong who says "small batches learn faster", nor who says the
# contrary; they use different clocks. The first clock counts images read, the second parameter
# updates, the third is the one that you pay for.
#
# **What to change.** Give the machine more to do for each image: 1,024 hidden units. Does the third
# panel change its order?

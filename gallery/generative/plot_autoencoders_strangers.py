"""
Who does not belong? Errors as an alarm
=======================================

You will see autoencoders that have never met one of the ten digits. Do they give themselves away
by a large error when it comes? Simpler alarms are asked, too.
"""

import matplotlib.pyplot as plt
import torch

from dlbook import models, nn, plot
from dlbook.data import digits
from dlbook.optim import Adam
from dlbook.optim.lr_scheduler import CosineAnnealingLR
from dlbook.train import fit

plot.use_style()
data = digits.load()
CODE = 8

# %%
# An alarm gives each test image a number. How good it is: the probability that a stranger, drawn
# at random, gets a larger one than a familiar digit. Half would be a coin.


def alarm_quality(values, strange):
    pairs = values[strange][:, None] - values[~strange][None, :]
    return ((pairs > 0).double() + 0.5 * (pairs == 0).double()).mean().item()


def alarms(stranger):
    known = data.train.x[data.train.y != stranger]
    test = data.test.x
    mean = known.mean(0)
    directions = torch.linalg.svd(known - mean, full_matrices=False).Vh[:CODE].T
    flat = (test - mean) @ directions @ directions.T + mean
    torch.manual_seed(stranger)
    model = models.DeepAutoencoder((64, 128, CODE))
    optimizer = Adam(model.parameters(), lr=3e-3)
    fit(
        model,
        nn.MSELoss(),
        optimizer,
        (known, known),
        epochs=25,
        scheduler=CosineAnnealingLR(optimizer, 25),
        seed=stranger,
        progress=False,
        device="cpu",
    )
    with torch.no_grad():
        deep = model(test)
    return {
        "distance to the mean": (test - mean).norm(dim=1),
        "PCA's error": (test - flat).norm(dim=1),
        "autoencoder's error": (test - deep).norm(dim=1),
        "nearest known digit": torch.cdist(test, known).min(1).values,
    }


quality = {}
for stranger in range(10):
    for name, values in alarms(stranger).items():
        quality.setdefault(name, []).append(alarm_quality(values, data.test.y == stranger))

# sphinx_gallery_alt = "For each digit as the stranger, four marks. The lowest is mostly the"
# sphinx_gallery_alt = "distance to the mean, down to about a tenth; the triangles of the nearest"
# sphinx_gallery_alt = "known digit lie close to one."
figure, ax = plt.subplots()
for (name, values), style in zip(quality.items(), ("kx", "C1s", "C0o", "C2^"), strict=True):
    ax.plot(range(10), values, style, ms=6, label=name)
ax.axhline(0.5, ls=":", color="k", lw=1)
ax.set(xlabel="the stranger", ylabel="alarm is right", xticks=range(10), ylim=(0, 1.4))
ax.legend(ncol=2, loc="upper center")
plt.show()
means = {name: sum(values) / 10 for name, values in quality.items()}
for name, value in means.items():
    print(f"{name:22s} {value:.3f}, worst {min(quality[name]):.3f}")
order = ("distance to the mean", "PCA's error", "autoencoder's error", "nearest known digit")
assert all(means[a] < means[b] - 0.02 for a, b in zip(order, order[1:], strict=False))
assert min(quality["distance to the mean"]) < 0.5

# %%
# **What to notice.** The autoencoder's error is a better alarm than PCA's with as large a code, on
# average over the ten strangers. The distance to the mean can be worse than a coin: a stranger may
# lie nearer to the middle than the familiar ones. And the simplest alarm that remembers, how far
# it is to the nearest known image, is better than both errors. A network with a narrow code
# can give back some images that it has never seen the like of; its error only says what it cannot
# draw. The test images are by the same writers as the training images, which helps memory most.
#
# **What to change.** ``CODE`` from 2 to 32. The split by file order: other writers.

"""
From one digit to another: through pixels and through codes
===========================================================

You will see two ways from one digit to another: a cross-fade of the pixels, and a straight line
between two codes. A classifier says what it reads on the way. The question is whether the line of
codes passes through digits, and whether a plain autoencoder's line would do as well.
"""

import matplotlib.pyplot as plt
import torch

from dlbook import models, ops, optim, plot
from dlbook.data import digits
from dlbook.metrics.generative import classifier_verdict
from dlbook.optim.lr_scheduler import LambdaLR
from dlbook.train import fit

plot.use_style()
data = digits.load()
x, test = data.train.x, data.test


def trained(model, loss, y, epochs=40):
    optimizer = optim.Adam(model.parameters(), lr=3e-3)
    schedule = LambdaLR(optimizer, lambda t: min(1, 2 * (1 - t / epochs)))
    fit(model, loss, optimizer, (x, y), epochs=epochs, scheduler=schedule, seed=0, progress=False)
    return model.eval()


# %%
# A variational autoencoder with eight numbers in its code, a plain one of the same sizes, and a
# classifier that shall judge.

torch.manual_seed(0)
likelihood = models.GaussianLikelihood(0.25, learn_std=True)
variational = models.DenseVAE((64, 256, 128), 8, likelihood)
trained(variational, models.ELBOLoss(likelihood), x)
torch.manual_seed(0)
plain = trained(models.DeepAutoencoder((64, 256, 128, 8)), ops.mse_loss, x)
torch.manual_seed(1)
judge = trained(models.MLP((64, 128, 64, 10)), ops.cross_entropy, data.train.y)

# %%
# Three pairs of test digits, nine steps between them.

# sphinx_gallery_alt = "Six rows of nine small images, in pairs. In the first row of each pair one"
# sphinx_gallery_alt = "digit fades out while another fades in, and both are seen in the middle."
# sphinx_gallery_alt = "In the second the strokes of one change into those of the other."
first, last = (
    test.x[[(test.y == c).nonzero()[0].item() for c in some]]
    for some in (
        (0, 3, 4),
        (6, 8, 9),
    )
)
share = torch.linspace(0, 1, 9)[:, None, None]


def through(encode, decode, a, b):
    """Steps between two batches on a straight line between their codes: (steps, B, D)."""
    with torch.no_grad():
        codes = (1 - share) * encode(a) + share * encode(b)
        return decode(codes.flatten(0, 1)).reshape(len(share), len(a), -1)


WAYS = {
    "pixels": (lambda part: part, lambda part: part),
    "plain codes": (plain.encode, plain.decoder),
    "variational codes": (lambda part: variational.encode(part).mean, variational.decode),
}
lines = {name: through(*way, first, last) for name, way in WAYS.items()}
shown = [lines[name][:, pair] for pair in range(3) for name in ("pixels", "variational codes")]
figure, ax = plt.subplots(figsize=(5.2, 4.0))
plot.images(torch.cat(shown).clamp(0, 1), columns=9, ax=ax)
plt.show()

# %%
# Three pairs are an anecdote. Take random pairs of test digits of different classes, and see which
# share of the images at each step the classifier reads with 0.9 or more for one class. The ends are
# test digits as each way gives them back.

# sphinx_gallery_alt = "Three curves over nine steps, high at both ends and low in the middle."
generator = torch.Generator().manual_seed(0)
pairs = torch.randint(len(test), (600, 2), generator=generator)
pairs = pairs[test.y[pairs[:, 0]] != test.y[pairs[:, 1]]][:300]
figure, ax = plt.subplots(figsize=(5.2, 3.4))
curves = {}
for (name, way), mark in zip(WAYS.items(), plot.MARKERS, strict=False):
    steps = through(*way, test.x[pairs[:, 0]], test.x[pairs[:, 1]])
    curves[name] = [classifier_verdict(judge, step).recognised for step in steps]
    ax.plot(share.flatten(), curves[name], marker=mark, label=name)
    print(f"{name:18s}", *[f"{value:.2f}" for value in curves[name]])
ax.set(xlabel="share of the way", ylabel="share recognised", ylim=(0, 1.05))
ax.legend()
plt.show()
assert curves["variational codes"][4] > curves["pixels"][4] + 0.1

# %%
# **What to notice.** A cross-fade of pixels is two digits on one paper; a line of codes bends one
# into the other. In the middle the classifier is sure least often of the cross-fade, and most often
# of the variational codes; but far from always. The plain autoencoder's codes lie between. One
# training of each, and at most 300 pairs: a few hundredths more or less mean nothing.
#
# **What to change.** Let the line leave the plane of the pair: draw codes around its middle with
# the prior's spread. Take the loss ``ELBOLoss(likelihood, beta=0)`` with a fixed spread: which of
# the three curves will it resemble?

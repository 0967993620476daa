"""
Worse, and then better again: the second descent
================================================

You will see a model grow until it can fit its training data exactly, wrong labels included. There
its test error explodes. Let it grow further, and the error comes down a second time. A small
penalty removes the peak; and more data, strangely, can move you onto it.
"""

import matplotlib.pyplot as plt
import torch

from dlbook import ops, plot
from dlbook.data import digits

plot.use_style()

# %%
# A network with one hidden layer whose first weights are drawn once and never trained: random
# features. Only the last layer is fitted, by least squares, to 200 handwritten digits, a fifth of
# which have a wrong label. Where more than one solution fits exactly, the shortest is taken. All
# of it comes out of one singular value decomposition :math:`\mathbf F = \mathbf U\mathbf S\mathbf
# V^\top`.

data = digits.load(dtype=torch.float64)
truth = ops.one_hot(data.test.y, 10).double()
WIDEST = 4000


def task(seed, n=200):
    """Features of n training digits and of the test part; targets, a fifth of them wrong."""
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randperm(len(data.train), generator=generator)[:n]
    x, y = data.train.x[rows], data.train.y[rows].clone()
    wrong = n // 5
    y[:wrong] = (y[:wrong] + torch.randint(1, 10, (wrong,), generator=generator)) % 10
    weight = torch.randn(WIDEST, 64, generator=generator, dtype=torch.float64) / 8
    bias = 0.2 * torch.randn(WIDEST, generator=generator, dtype=torch.float64)
    mean = data.train.x.mean(0)
    features = [ops.relu(ops.linear(part - mean, weight, bias)) for part in (x, data.test.x)]
    return *features, ops.one_hot(y, 10).double()


def fit(F, targets, penalties=(0.0,)):
    """The last layer for each penalty μ: it minimises the squared errors plus μ times its own
    squared length; for μ = 0 the shortest least squares."""
    U, s, Vt = torch.linalg.svd(F, full_matrices=False)
    kept = s > 1e-10 * s[0]
    U, s, V = U[:, kept], s[kept], Vt[kept].T
    share = U.T @ targets
    return [V @ (share * (s / (s * s + mu))[:, None]) for mu in penalties]


def squared(F, layer, targets):
    return ((F @ layer - targets) ** 2).sum(1).mean()


widths = [10, 20, 40, 70, 100, 140, 170, 190, 200, 210, 240, 300, 400, 600, 1000, 2000, 4000]
penalties = (0.0, 0.1, 10.0)
curves = torch.zeros(len(penalties), 5, len(widths), dtype=torch.float64)
lengths, fitted = torch.zeros(2, 5, len(widths), dtype=torch.float64)
for seed in range(5):
    F, G, targets = task(seed)
    for i, width in enumerate(widths):
        layers = fit(F[:, :width], targets, penalties)
        for k, layer in enumerate(layers):
            curves[k, seed, i] = squared(G[:, :width], layer, truth)
        lengths[seed, i] = layers[0].norm()
        fitted[seed, i] = squared(F[:, :width], layers[0], targets)

# %%

# sphinx_gallery_alt = "Squared error on the test part against the number of random features, both"
# sphinx_gallery_alt = "logarithmic. Without a penalty it falls to 0.6 at 40 features, climbs"
# sphinx_gallery_alt = "above 100 at 200 features, and falls again to 0.55 at 4,000. With a"
# sphinx_gallery_alt = "small penalty the peak is a low hill, with a larger one there is none."
figure, ax = plt.subplots(figsize=(5.2, 4.2))
for number, (mu, runs) in enumerate(zip(penalties, curves, strict=True)):
    colour = plot.PALETTE[number]
    ax.plot(
        widths, runs.median(0).values, color=colour, linestyle=plot.LINESTYLES[number],
        marker=plot.MARKERS[number], label=f"μ = {mu:g}",
    )  # fmt: skip
    ax.fill_between(widths, runs.min(0).values, runs.max(0).values, color=colour, alpha=0.2, lw=0)
ax.axvline(200, color=plot.MUTED, linewidth=1, linestyle="-")
ax.set(xlabel="features", ylabel="squared error, test", xscale="log", yscale="log")
ax.legend(title="penalty")
plt.show()

peak = widths.index(200)
free, little, enough = curves
for runs in free:
    assert runs.argmax() == peak and runs[peak] > 20 * runs[:peak].min()
    assert (runs[peak:].diff() < 0).all()  # the second descent
first, second = free[:, :peak].min(1).values, free[:, -1]
print("first descent, down to ", *[f"{value:.2f}" for value in first])
print("second descent, down to", *[f"{value:.2f}" for value in second])
print("with μ = 10, down to   ", *[f"{value:.2f}" for value in enough.min(1).values])
assert second.mean() < first.mean() and (enough.min(1).values < second).all()
assert little.max() < 2 and (enough.diff(dim=1) < 0.03).all()

# %%
# What explodes is the last layer. At 200 features there is only one solution, and it has to bend
# the features to 40 wrong labels whatever that costs. With more features there are more solutions
# to choose the shortest from. Since the features of a narrow model are also in the wide one, its
# exact solution, filled up with zeros, is still there: the shortest can only become shorter.

# sphinx_gallery_alt = "Two panels over the number of features. Above, the length of the last layer"
# sphinx_gallery_alt = "climbs to several hundred at 200 features and falls to 4 at 4,000. Below,"
# sphinx_gallery_alt = "the training error falls to rounding error at 200 features and stays"
# sphinx_gallery_alt = "there."
figure, axes = plt.subplots(2, 1, figsize=(5.2, 5.6), sharex=True)
axes[0].plot(widths, lengths.median(0).values, marker="o")
axes[0].set(ylabel="length", xscale="log", yscale="log")
axes[1].plot(widths, fitted.median(0).values.clamp(min=1e-30), marker="o")
axes[1].set(xlabel="features", ylabel="squared error, training", yscale="log")
for ax in axes:
    ax.axvline(200, color=plot.MUTED, linewidth=1, linestyle="-")
plt.show()

assert (lengths.argmax(1) == peak).all() and (lengths[:, peak:].diff(dim=1) < 0).all()
assert (fitted[:, peak + 1 :] < 1e-20).all()

# %%
# Seen from the other side: keep 200 features, and let the training set grow. The peak stands where
# there are as many digits as features, so that on the way there more data makes the model worse.

sizes = [25, 50, 100, 150, 200, 250, 350, 500, 800]
by_size = torch.zeros(5, len(sizes), dtype=torch.float64)
for seed in range(5):
    for i, n in enumerate(sizes):
        F, G, targets = task(seed, n)
        by_size[seed, i] = squared(G[:, :200], fit(F[:, :200], targets)[0], truth)

# sphinx_gallery_alt = "Squared error on the test part against the number of training digits, for"
# sphinx_gallery_alt = "200 features. It is near 0.8 at 25 digits, climbs above 100 at 200, and"
# sphinx_gallery_alt = "falls below 0.6 at 800."
figure, ax = plt.subplots()
ax.plot(sizes, by_size.median(0).values, marker="o")
ax.fill_between(sizes, by_size.min(0).values, by_size.max(0).values, alpha=0.2, lw=0)
ax.axvline(200, color=plot.MUTED, linewidth=1, linestyle="-")
ax.set(xlabel="training digits", ylabel="squared error, test", xscale="log", yscale="log")
ax.set_xticks([25, 50, 100, 200, 400, 800], ["25", "50", "100", "200", "400", "800"])
ax.set_xticks([], minor=True)
plt.show()

print("digits: error (median of five seeds)")
for n, value in zip(sizes, by_size.median(0).values, strict=True):
    print(f"{n:6d}: {value:.2f}")
assert (by_size.argmax(1) == sizes.index(200)).all()
assert (by_size[:, 3] > by_size[:, 1]).all()  # 150 digits worse than 50

# %%
# **What to notice.** The peak stands at no particular size of the model, but where the size meets
# the number of samples. The wide model fits the same wrong labels as the one at the peak.
#
# **What to change.** Give all digits their right labels: how much of the peak is left? Let the
# penalty be chosen on the validation part for each width: does any width still look bad?

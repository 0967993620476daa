"""
Error bars for an accuracy, and when they lie
=============================================

You will see how often an error bar of "95 per cent" holds what it promises. The usual one, two
standard errors to both sides, fails for a good classifier and few images, above all when no mistake
was seen. Wilson's interval, which asks a slightly different question, holds. And both fail when
the images come from few hands.
"""

import math

import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_digits

from dlbook import plot

plot.use_style()

# %%
# A classifier whose true accuracy is :math:`p` reads :math:`n` images and gets :math:`k` of them
# right. Both intervals collect values of :math:`p` that would not be surprised by that. The usual
# one takes the standard error at the observed accuracy, which is 0 if there was no mistake.
# Wilson's takes it at each :math:`p` itself, all those with
# :math:`|k/n - p| \le 1.96\sqrt{p(1-p)/n}`. Squared, that is a quadratic inequality, and these are
# its ends.

Z = 1.96  # a Gaussian number is this near to 0, or nearer, with probability 0.95


def usual(k, n):
    p = k / n
    half = Z * (p * (1 - p) / n).sqrt()
    return p - half, p + half


def wilson(k, n):
    p = k / n
    middle = (p + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z * (p * (1 - p) / n + Z**2 / (4 * n**2)).sqrt() / (1 + Z**2 / n)
    return middle - half, middle + half


k = torch.tensor([100.0, 97.0, 86.0], dtype=torch.float64)
for name, interval in (("usual", usual), ("Wilson", wilson)):
    low, high = interval(k, 100)
    print(f"{name:7s}", *[f"{a:7.1%} to {b:6.1%} " for a, b in zip(low, high, strict=True)])
low, high = wilson(k, 100)
for end in (low, high):  # at its ends, Wilson's inequality is an equality
    assert torch.allclose((k / 100 - end).abs(), Z * (end * (1 - end) / 100).sqrt())
assert usual(k, 100)[0][0] == 1.0 > low[0]

# %%
# How often does the interval contain the truth? No simulation is needed: add up the binomial
# probabilities of all :math:`k` whose interval contains :math:`p`.


def coverage(interval, p, n):
    k = torch.arange(n + 1, dtype=torch.float64)
    ways = math.lgamma(n + 1) - torch.lgamma(k + 1) - torch.lgamma(n - k + 1)
    log_p = ways + k * math.log(p) + (n - k) * math.log(1 - p)
    low, high = interval(k, n)
    return torch.exp(log_p)[(low <= p) & (p <= high)].sum().item()


sizes = list(range(10, 501, 5))
truths = (0.97, 0.86)
covered = {
    (name, p): torch.tensor([coverage(interval, p, n) for n in sizes])
    for name, interval in (("usual", usual), ("Wilson", wilson))
    for p in truths
}

# %%

# sphinx_gallery_alt = "Two charts, one above the other, of coverage against the number of images"
# sphinx_gallery_alt = "from 10 to 500. Above, for a true accuracy of 97 per cent, the usual"
# sphinx_gallery_alt = "interval starts near 0.26 and climbs in a sawtooth to about 0.93, while"
# sphinx_gallery_alt = "Wilson's stays near 0.95. Below, for 86 per cent, both are near 0.95 from"
# sphinx_gallery_alt = "100 images on."
figure, axes = plt.subplots(2, 1, figsize=(5.2, 6.4), sharex=True)
for ax, p in zip(axes, truths, strict=True):
    for name in ("usual", "Wilson"):
        ax.plot(sizes, covered[name, p], label=name)
    ax.axhline(0.95, color=plot.MUTED, linewidth=1, linestyle="-")
    ax.set(title=f"true accuracy {p:.0%}", ylabel="contains the truth", ylim=(0.2, 1.02))
axes[0].legend(loc="lower right")
axes[1].set_xlabel("images in the test")
plt.show()

assert covered["usual", 0.97][0] < 0.3 and covered["usual", 0.97].mean() < 0.92
assert all(abs(covered["Wilson", p].mean() - 0.95) < 0.015 for p in truths)
assert all(covered["Wilson", p].min() > 0.88 for p in truths)

# %%
# So far every image was an independent draw. Now real ones, in the order of their file, in which
# neighbours tend to be by the same hand. The reader compares with the averages of the ten classes;
# it reads each fifth of the file with the averages of the other four. Both intervals are tried on
# 100 images drawn at random, and on 100 in a row.

pixels, classes = load_digits(return_X_y=True)
x, y = torch.from_numpy(pixels) / 16, torch.from_numpy(classes)
right = torch.zeros(len(x), dtype=torch.bool)
for rows in torch.arange(len(x)).tensor_split(5):
    rest = torch.ones(len(x), dtype=torch.bool)
    rest[rows] = False
    means = torch.stack([x[rest & (y == c)].mean(0) for c in range(10)])
    right[rows] = torch.cdist(x[rows], means).argmin(1) == y[rows]

truth = right.double().mean()
generator = torch.Generator().manual_seed(0)
random = torch.randint(len(x), (2000, 100), generator=generator)  # each draw from all images
draws = {
    "at random": right[random].double().sum(1),
    "in a row": right.unfold(0, 100, 1).double().sum(1),  # every window of 100
}
held = {}
print(f"accuracy on all {len(x)} images: {truth:.1%}")
for how, k in draws.items():
    for name, interval in (("usual", usual), ("Wilson", wilson)):
        low, high = interval(k, 100)
        held[how, name] = ((low <= truth) & (truth <= high)).double().mean().item()
        print(f"100 images {how:10s} {name:7s} contains it in {held[how, name]:.0%}")

# %%

# sphinx_gallery_alt = "Two histograms, one above the other, of the accuracy on 100 images. The"
# sphinx_gallery_alt = "upper, for images at random, is one narrow hump. The lower, for images in a"
# sphinx_gallery_alt = "row, is wider and has several humps."
figure, axes = plt.subplots(2, 1, figsize=(5.2, 5.2), sharex=True)
for ax, (how, k) in zip(axes, draws.items(), strict=True):
    ax.hist(k / 100, bins=torch.arange(0.695, 1.01, 0.01).tolist(), density=True)
    ax.axvline(truth, color="black", linestyle="--")
    ax.set(title=f"100 images {how}", ylabel="density")
axes[1].set_xlabel("accuracy")
plt.show()

assert draws["in a row"].std() > 1.3 * draws["at random"].std()
for name in ("usual", "Wilson"):
    assert held["at random", name] > 0.9 and held["in a row", name] < held["at random", name] - 0.05

# %%
# **What to notice.** An error bar is a calculation about a way of drawing. The first failure is one
# of arithmetic, and a better formula cures it. The second is not: no formula that sees only the
# number of mistakes can know that the images are from few people.
#
# **What to change.** Ask for the accuracy 0.999: from how many images on does the usual interval
# reach nine tenths? Take 20 images in a row, or 300: does the ratio of the two spreads grow?

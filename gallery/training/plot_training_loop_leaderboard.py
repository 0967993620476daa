"""
Climbing a leaderboard by guessing
==================================

You will see a reader that has never looked at an image score far above chance on a test part,
and what it scores on other images: one half. It guesses, hears its score, and keeps the guesses
that did better than chance.
"""

import math

import matplotlib.pyplot as plt
import torch

from dlbook import plot
from dlbook.data import digits

plot.use_style()

# %%
# The task is to tell even digits from odd ones. The test part has 359 images; as many images of the
# training part play the world outside. Every entry is a row of coin tosses, one for each
# image: nothing is learned from anything, but the leaderboard answers each entry with its score.

data = digits.load()
n = len(data.test)
truth = (data.test.y % 2).double()
world = (data.train.y[:n] % 2).double()

generator = torch.Generator().manual_seed(0)
entries = 1000
guesses = torch.randint(2, (entries, 2 * n), generator=generator).double()
inside, outside = guesses[:, :n], guesses[:, n:]
scores = (inside == truth).double().mean(1)
print(f"single entries: {scores.min():.1%} to {scores.max():.1%}")

# %%
# Keep what scored above one half, turn round what scored below (its opposite scored above), and let
# all of them vote. After each entry the vote is what stands on the leaderboard.
#
# How high it must climb can be computed. An entry's score is off one half by :math:`|Z|/2\sqrt n`
# with a standard Gaussian :math:`Z`, on average by :math:`1/\sqrt{2\pi n}`. So on each image a kept
# entry is right with that much more than one half, and of :math:`k` independent votes the majority
# is right with the probability :math:`\Phi\bigl(\sqrt{2k/\pi n}\bigr)`.

signs = torch.where(scores >= 0.5, 1.0, -1.0).double()[:, None]


def climb(tosses, answers):
    """The share that the vote of the first k entries gets right, for each k."""
    votes = (signs * (2 * tosses - 1)).cumsum(0)
    return ((votes > 0) == (answers == 1)).double().mean(1)


board, fresh = climb(inside, truth), climb(outside, world)
k = torch.arange(1, entries + 1, dtype=torch.float64)
predicted = (1 + torch.erf(torch.sqrt(k / (math.pi * n)))) / 2  # Φ, by the error function

# %%

# sphinx_gallery_alt = "Share of images read over the number of entries, from 1 to 1000. One"
# sphinx_gallery_alt = "jagged curve climbs from one half past nine tenths, along a smooth dotted"
# sphinx_gallery_alt = "line. Another stays near one half throughout."
figure, ax = plt.subplots()
ax.plot(k, board, label="on the leaderboard")
ax.plot(k, fresh, linestyle="--", label="on other images")
ax.plot(k, predicted, linestyle=":", color="black", label="predicted")
ax.set(xlabel="entries", ylabel="share that is right", ylim=(0.4, 1))
ax.legend(loc="center right")
plt.show()

print(f"after {entries} entries: leaderboard {board[-1]:.1%}, other images {fresh[-1]:.1%}")
assert board[-1] > 0.85
assert abs(fresh[-1] - 0.5) < 3 * 0.5 / math.sqrt(n)
assert (board[99:] - predicted[99:]).abs().max() < 0.06

# %%
# **What to notice.** No single entry is good; the best of a thousand is a few standard errors above
# one half, which is what the best of many must be. Using *all the answers* does far more damage
# than picking the best. That is how a test part is worn out: not by looking once, but by acting on
# what one saw, again and again.
#
# **What to change.** Let the leaderboard round its scores to whole per cents, or answer only when
# an entry beats the last by two standard errors. How far does the climber get then?

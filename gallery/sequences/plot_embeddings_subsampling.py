"""
Leaving out frequent words
==========================

You will see what the threshold of subsampling does to analogies on a small text, for a wide window
and a narrow one, at equal numbers of training pairs. Frequent words carry no facts. They carry the
kind of the words that they stand beside, and that is what the arithmetic has to choose by.
"""

import matplotlib.pyplot as plt
import torch

from dlbook import plot
from dlbook.data import facts
from dlbook.models.word2vec import (
    SkipGram,
    Words,
    WordVectors,
    keep_probabilities,
    noise_distribution,
    skip_gram_pairs,
)
from dlbook.optim import Adam

plot.use_style()
text = Words(facts.sentences())
names = [t.name for t in facts.territories()]
questions = [q[1:] for q in facts.questions(["currency"])][::20]
BATCH, EVERY, TIMES = 2048, 50, 6  # pairs a step; steps between two looks; looks

# %%
# One training. On the way, at a constant rate: how many questions are answered rightly, and how
# many of the five words nearest to a territory are territories.


def learn(window, threshold):
    torch.manual_seed(0)
    g = torch.Generator().manual_seed(0)
    keep = None if threshold is None else keep_probabilities(text.counts, threshold)
    noise = noise_distribution(text.counts)
    model = SkipGram(len(text), 48)
    optimizer = Adam(model.parameters(), lr=0.03)
    pairs = torch.empty(0, 2, dtype=torch.int64)
    while len(pairs) < BATCH * EVERY * TIMES:
        pairs = torch.cat([pairs, skip_gram_pairs(text, window, g, keep=keep)])
    right, same = [], []
    for step, pair in enumerate(pairs.split(BATCH)[: EVERY * TIMES], 1):
        false = noise.multinomial(len(pair) * 5, True, generator=g).view(-1, 5)
        optimizer.zero_grad()
        model(pair[:, 0], pair[:, 1], false).backward()
        optimizer.step()
        if step % EVERY == 0:
            vectors = WordVectors(text.words, model.centre.weight + model.context.weight)
            right.append(vectors.accuracy(questions))
            near = [word for name in names for word, _ in vectors.nearest(name, 5)]
            same.append(sum(word in names for word in near) / len(near))
    return right, same


# %%
# The text is short, so that the threshold is larger than for a large one.

runs = {
    "window 3, all kept": learn(3, None),
    "window 8, all kept": learn(8, None),
    "window 3, threshold 0.003": learn(3, 3e-3),
    "window 8, threshold 0.003": learn(8, 3e-3),
}

# sphinx_gallery_alt = "Two panels of four curves over training pairs. Above, the share of right"
# sphinx_gallery_alt = "answers; below, the share of territories among the nearest words."
figure, axes = plt.subplots(2, 1, figsize=(5.2, 6.5), sharex=True)
pairs = [BATCH * EVERY * (k + 1) / 1000 for k in range(TIMES)]
for (name, curves), style in zip(runs.items(), ("o-", "s-", "o--", "s--"), strict=True):
    for ax, values in zip(axes, curves, strict=True):
        ax.plot(pairs, values, style, label=name)
axes[0].set(ylabel="share right", ylim=(0, 1))
axes[1].set(ylabel="territories near territories", xlabel="pairs, in thousands", ylim=(0.4, 1))
axes[0].legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
plt.show()
for name, (right, same) in runs.items():
    print(f"{name:26s}", *[f"{v:.2f}" for v in right], " near:", *[f"{v:.2f}" for v in same])
(kept, same_kept), _, *left_out = runs.values()
for right, same in left_out:
    assert right[0] > kept[0] + 0.2 and same_kept[-1] > same[-1] + 0.1
    assert kept[-1] > right[-1] + 0.04

# %%
# **What to notice.** Without the frequent words the answers come early, for most pairs are pairs of
# content, and then they get no better: of a territory's nearest words a third are none. With them
# one has to train longer, and gets further if the window is narrow. Which of the two looks better
# is a matter of where one stops.
#
# **What to change.** Ask about adjectives instead. Let the rate fall to 0 at the end.

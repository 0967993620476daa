"""
A map of words, and what it hides
=================================

You will see vectors of territories and currencies in the plane of their largest spread, and how
much of the spread the plane leaves out. Then the lines between a territory and its currency are
compared in all dimensions, with the lines to other territories' currencies as a control.
"""

import matplotlib.pyplot as plt
import torch

from dlbook import plot
from dlbook.data import facts
from dlbook.models.word2vec import SkipGram, Words, train_skip_gram
from dlbook.optim import Adam
from dlbook.optim.lr_scheduler import LinearLR

plot.use_style()

# %%
# The vectors: skip-gram on sentences about the world's territories. A word's vector is the sum of
# its two, as centre and as context.

text = Words(facts.sentences())
torch.manual_seed(0)
model = SkipGram(len(text), 48)
optimizer = Adam(model.parameters(), lr=0.05)
train_skip_gram(
    model,
    text,
    optimizer,
    epochs=5,
    window=3,
    batch_size=2048,
    threshold=None,
    generator=torch.Generator().manual_seed(0),
    scheduler=LinearLR(optimizer, 1.0, 0.0, total_iters=5),
)
E = (model.centre.weight + model.context.weight).detach()
E = E / E.norm(dim=1, keepdim=True)

# %%
# All territories and currencies, in the two directions along which they vary most.

pairs = facts.pairs("currency")
places = torch.tensor([text.index[name] for name, _ in pairs])
money = torch.tensor([text.index[currency] for _, currency in pairs])
words = torch.cat([places, money.unique()])
rows = E[words] - E[words].mean(0)
_, spread, directions = torch.linalg.svd(rows, full_matrices=False)
flat = rows @ directions[:2].T
share = (spread**2 / (spread**2).sum()).cumsum(0)

# sphinx_gallery_alt = "Two clouds of points in a plane. Small dots are territories, squares are"
# sphinx_gallery_alt = "currencies; a few of each bear their names."
figure, ax = plt.subplots(figsize=(6, 6))
n = len(places)
ax.plot(flat[:n, 0], flat[:n, 1], ".", ms=4, alpha=0.6, label="territories")
ax.plot(flat[n:, 0], flat[n:, 1], "s", ms=4, alpha=0.6, label="currencies")
for i, w in enumerate(words.tolist()):
    name = text.words[w]
    if name in ("Mexico", "peso", "India", "rupee", "France", "euro", "Sweden", "krona"):
        ax.annotate(name, flat[i].tolist(), xytext=(4, 4), textcoords="offset points")
ax.set(xticks=[], yticks=[])
ax.legend()
plt.show()
print(f"the plane holds {share[1]:.0%} of the spread, ten dimensions {share[9]:.0%}")
assert 0.1 < share[1] < 0.7

# %%
# Are the lines from a territory to its currency parallel? Take the cosines of all pairs of such
# lines. And for control, join each territory with the currency of another one, chosen by chance.

g = torch.Generator().manual_seed(0)
shuffled = money[torch.randperm(n, generator=g)]
off = ~torch.eye(n, dtype=torch.bool) & (money[:, None] != money) & (shuffled[:, None] != shuffled)


def cosines(ends):
    lines = E[ends] - E[places]
    lines = lines / lines.norm(dim=1, keepdim=True)
    return (lines @ lines.T)[off]


true, control = cosines(money), cosines(shuffled)

# sphinx_gallery_alt = "Two histograms of cosines. The dashed one lies around a quarter, the other"
# sphinx_gallery_alt = "one, of lines to own currencies, far to its right."
figure, ax = plt.subplots()
for values, name, style in ((true, "own currency", "-"), (control, "another's", "--")):
    ax.hist(values, bins=50, density=True, histtype="step", linestyle=style, label=name)
ax.set(xlabel="cosine of two lines", yticks=[])
ax.legend(loc="upper left")
plt.show()
print(f"mean cosine: own currency {true.mean():.2f}, another's {control.mean():.2f}")
assert true.mean() > control.mean() + 0.2

# %%
# **What to notice.** Lines to the own currency lean the same way; few are parallel. A line to a
# currency chosen by chance also holds what parts two far-off places, and so agrees less.
# In the plane, little of all this can be seen.
#
# **What to change.** Take ``model.centre.weight`` alone. Map languages instead of currencies.

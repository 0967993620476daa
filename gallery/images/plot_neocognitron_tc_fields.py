"""
T or C? What a hidden unit becomes, from a hundred starts
=========================================================

You will see the fields of 3 × 3 weights with which small networks tell a T from a C, wherever it
lies and however it is turned: twelve numbers, found by backpropagation. Nothing says which feature
to use. The fields fall into a few kinds, and the size of the first weights decides between them.
"""

from collections import Counter

import matplotlib.pyplot as plt
import torch

from dlbook import ops, plot
from dlbook.models import FIELD_KINDS, TCNetwork, field_kind, field_shares, tc_placements
from dlbook.optim import Adam

plot.use_style()

# %%
# A hundred networks for each of four sizes of first weights, all trained at once, on the eight
# letters at one place of a retina of 6 × 6. They share no number.

SPREADS = (0.5, 1.0, 2.0, 3.0)
starts = [
    TCNetwork(100, spread=spread, generator=torch.Generator().manual_seed(0)) for spread in SPREADS
]
net = TCNetwork(400)
with torch.no_grad():
    for name, parameter in net.named_parameters():
        parameter.copy_(torch.cat([getattr(start, name) for start in starts]))
before = net.weight.detach().clone()

x, y = tc_placements(6)
letters, target = x[::16], y[::16, None].float().expand(8, 400)
optimizer = Adam(net.parameters(), lr=0.1)
for _ in range(1500):
    optimizer.zero_grad()
    ops.binary_cross_entropy_with_logits(net(letters), target, reduction="sum").backward()
    optimizer.step()

right = ((net(letters) > 0) == (target > 0)).all(0)
anywhere = ((net(x) > 0) == (y[:, None] > 0)).all(0)
print(f"solved at one place: {int(right.sum())} of 400; at all 16: {int(anywhere.sum())}")
assert right.sum() > 320 and (right == anywhere).sum() > 385

# %%
# The fields of the hundred with the largest first weights that have solved it, sorted by kind.
# Black is negative, white positive, each field by its own largest weight.

kinds = field_kind(net.weight)
shares = field_shares(net.weight)
order = [*FIELD_KINDS, "other"]
last = [k for k in range(300, 400) if right[k]]
last.sort(key=lambda k: (order.index(kinds[k]), -max(s[k].item() for s in shares.values())))
fields = net.weight.detach()[last, 0]
fields = fields / fields.abs().amax((1, 2), keepdim=True)

# sphinx_gallery_alt = "Ten columns of small squares of 3 by 3. More than half are dark all over;"
# sphinx_gallery_alt = "then come bars, diagonals, two with a middle that differs from what is"
# sphinx_gallery_alt = "around it, and some without a clear order."
figure, axes = plt.subplots(10, 10, figsize=(5.2, 5.4))
for ax in axes.flat:
    ax.axis("off")
for ax, field in zip(axes.flat, fields, strict=False):
    ax.imshow(field, cmap="gray", vmin=-1, vmax=1)
plt.show()

print(", ".join(f"{n} {kind}" for kind, n in Counter(kinds[k] for k in last).items()))

assert len(set(FIELD_KINDS) & {kinds[k] for k in last}) >= 3

# %%
# How many of each kind, by the size of the first weights?

# sphinx_gallery_alt = "Four stacked bars. At 0.5 and 1 all is compactness; at 2 a small part is of"
# sphinx_gallery_alt = "other kinds, at 3 nearly half."
figure, ax = plt.subplots(figsize=(5.2, 4.2))
bottom = [0] * len(SPREADS)
counts = [
    Counter(kinds[k] for k in range(100 * s, 100 * s + 100) if right[k])
    for s in range(len(SPREADS))
]
for kind, hatch in zip(order, ("", "//", "\\\\", "xx", ".."), strict=True):
    heights = [count[kind] for count in counts]
    ax.bar(range(len(SPREADS)), heights, bottom=bottom, label=kind, hatch=hatch, edgecolor="white")
    bottom = [b + h for b, h in zip(bottom, heights, strict=True)]
ax.set_xticks(range(len(SPREADS)), [f"{spread:g}" for spread in SPREADS])
ax.set(xlabel="first weights between minus and plus", ylabel="solved, of 100", ylim=(0, 150))
ax.legend(ncols=2, loc="upper center")
plt.show()

for spread, count in zip(SPREADS, counts, strict=True):
    print(f"{spread:g}:", dict(count))
assert counts[0]["compactness"] == sum(counts[0].values())
assert counts[3]["compactness"] < 0.75 * sum(counts[3].values())

# %%
# Does the kind stand in the start already? The cosine of each field of the last hundred with what
# it was before training:

pairs = before[300:].flatten(1), net.weight.detach()[300:].flatten(1)
kept = torch.nn.functional.cosine_similarity(*pairs)
for kind in order:
    ours = [kept[k - 300].item() for k in last if kinds[k] == kind]
    print(f"{kind:16s} mean cosine {sum(ours) / len(ours):+.2f}, {len(ours)} fields")

# %%
# **What to notice.** From small weights every network that solves it comes to the same feature: it
# counts windows with no ink, of which a C leaves one more. Large first weights lead to several
# others, all of which do.
#
# **What to change.** Train for 200 steps only and sort again. Turn the targets round (C for 1): do
# the fields change their signs? Train with the squared error of the sigmoid, as in 1986.

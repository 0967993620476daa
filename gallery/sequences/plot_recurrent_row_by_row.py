"""
When does it know? A digit read row by row, by two networks
===========================================================

You will see two recurrent networks read digits from top to bottom, and what each would answer
after every row. They differ in one thing only: one was asked in training after the last row, the
other after every row. Before the end, only the second one has an opinion. In the end the first one
reads better.
"""

import matplotlib.pyplot as plt
import torch

from dlbook import models, ops, optim, plot
from dlbook.data import digits

plot.use_style()

# %%
# Eight steps of eight pixels; the same initial weights, batches, rate and epochs.

split = digits.load()
x, y = split.train.x.view(-1, 8, 8), split.train.y
x_test, y_test = split.test.x.view(-1, 8, 8), split.test.y


def learned(asked):
    torch.manual_seed(0)
    model = models.ManyToManyAligned(8, 64, 10)
    optimizer = optim.Adam(model.parameters(), lr=0.005)
    for _ in range(20):
        for batch in torch.randperm(len(x)).split(32):
            scores = model(x[batch])[:, asked]
            target = y[batch, None].expand(-1, scores.shape[1])
            optimizer.zero_grad()
            ops.cross_entropy(scores.flatten(0, 1), target.flatten()).backward()
            optim.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
    with torch.no_grad():
        return ops.softmax(model(x_test), dim=-1)  # (digits, rows, classes)


opinions = {"asked at the end": learned(slice(7, 8)), "asked after each row": learned(slice(0, 8))}
right = {n: (p.argmax(-1) == y_test[:, None]).float().mean(0) for n, p in opinions.items()}
for name, shares in right.items():
    print(f"{name:21s}", *(f"{share:.2f}" for share in shares))
late, early = right.values()
assert late[-1] > 0.9 and late[-1] > early[-1] > 0.6
assert late[4] < 0.4 and early[4] > 0.5 and (early[1:6] > late[1:6]).all()

# %%
# One digit for the eye: the test digit of class 3 that the second network, when six rows were
# read, held to be something else most firmly, and had right in the end.

second = opinions["asked after each row"]
threes = ((y_test == 3) & (second[:, 7].argmax(-1) == 3)).nonzero().flatten()
chosen = threes[second[threes, 5, 3].argmin()].item()

# sphinx_gallery_alt = "Above, two lines over the rows 1 to 8: one stays near 0.1 until row six"
# sphinx_gallery_alt = "and then jumps to above 0.9, the other rises early and ends below it."
# sphinx_gallery_alt = "Below, a digit 3, and beside it two grey charts of eight rows and ten"
# sphinx_gallery_alt = "classes, the class 3 framed; in the last row the frame is darkest."
figure = plt.figure(figsize=(5.2, 6.4))
above, below = figure.subfigures(2, 1)
ax = above.subplots()
marks = (("-", "o"), ("--", "s"))
for (name, shares), (dash, mark), colour in zip(right.items(), marks, plot.PALETTE, strict=False):
    ax.plot(range(1, 9), shares, dash, marker=mark, color=colour, label=name)
ax.axhline(0.1, color=plot.MUTED, linestyle=":", lw=1)
ax.set(xlabel="rows read", ylabel="share right", ylim=(0, 1.05))
ax.legend(loc="upper left")
panels = below.subplots(1, 3)
panels[0].imshow(x_test[chosen], cmap="gray_r")
panels[0].set(title="the digit", xticks=[], yticks=[])
for ax, (name, opinion) in zip(panels[1:], opinions.items(), strict=True):
    ax.imshow(opinion[chosen], cmap="Greys", vmin=0, vmax=1, aspect="equal")
    ax.add_patch(plt.Rectangle((2.5, -0.5), 1, 8, fill=False, ec=plot.PALETTE[1], lw=2))
    ax.set(xticks=(0, 3, 9), yticks=(0, 7), xlabel="class", title=name.removeprefix("asked "))
    ax.set_yticklabels((1, 8))
for ax in panels:
    ax.grid(False)
plt.show()

# %%
# **What to notice.** The dotted line is guessing. A network that is asked at the end has no reason
# to hold its thoughts in such a form that the head could read them before: its line jumps at the
# last rows. That doesn't mean that it knows nothing by then, only that what it knows isn't written
# in the head's language. Asking after each row has its price: the same 64 units now serve eight
# questions, the first of which have no good answer, and the last one is answered worse.
#
# **What to change.** Train a new head, and only a head, on the first network's states after four
# rows: how much was there after all? Read the digits from the bottom: which of the curves changes
# more?

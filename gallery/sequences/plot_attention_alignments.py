"""
Where a translator of dates looks
=================================

You will see a small network learn to read dates in five languages and to write them as ISO 8601,
and the places it looked at, for the same date in each. The day is one that it was never trained on.
"""

import matplotlib.pyplot as plt
import torch

from dlbook import plot
from dlbook.data import dates
from dlbook.models.seq2seq import Seq2Seq
from dlbook.optim import Adam

plot.use_style()

# %%
# Dates in their long form, in five locales. Training, validation and test have different days.

PLACES = ("en_US", "es", "hu", "ru", "tr")
COUNT, BATCH, RATE = 7200, 32, 0.01
data = dates.load(locales=PLACES, forms=("long",), examples=(COUNT, 500, 500))
for place in PLACES:
    row = data.train.locales.index(place)
    print(f"{data.train.texts[row]:26s} {data.train.isos[row]}")

# %%
# One pass over them.

torch.manual_seed(0)
model = Seq2Seq(len(data.written), len(data.iso), 16, 32, 32)
optimizer = Adam(model.parameters(), lr=RATE)
updates = COUNT // BATCH
for update, part in enumerate(data.train.batches(BATCH, torch.Generator().manual_seed(0))):
    for group in optimizer.param_groups:
        group["lr"] = RATE * min((update + 1) / 30, 1, 2 * (1 - update / updates))
    loss = model.loss(*part)
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
model.eval()


def write(part):
    return data.iso.decode(model.greedy(part.source, part.lengths, max_length=12).tokens)


right = [a == b for a, b in zip(write(data.test), data.test.isos)]
print(f"right on unseen days: {sum(right) / len(right):.1%}")
assert sum(right) / len(right) > 0.9

# %%

# sphinx_gallery_alt = "Five grids, one below the other. Dark fields lead from what is written,"
# sphinx_gallery_alt = "the rows, to what is read, the columns. Rows of the year are dark in the"
# sphinx_gallery_alt = "columns of the year, on the right in four grids and on the left in the"
# sphinx_gallery_alt = "Hungarian one."
day = next(d for d in dates.days("test") if d.year == 1995 and d.month == 8 and d.day > 12)
figure, axes = plt.subplots(5, 1, figsize=(5.6, 12.5))
for ax, place in zip(axes, PLACES):
    text = dates.write(day, place)
    source, lengths = data.written.encode([text])
    found = model.greedy(source, lengths, max_length=12)
    written = data.iso.decode(found.tokens)[0]
    ax.imshow(found.alignments[0], cmap="Greys", vmin=0, vmax=1, aspect="auto")
    ax.set_xticks(range(len(text)), [ch if ch > " " else "·" for ch in text])
    rows = [*written, "■"][: found.alignments.shape[1]]
    ax.set_yticks(range(len(rows)), rows)
    ax.set_ylabel(place)
    ax.grid(visible=False)
plt.show()

# %%
# **What to notice.** The year is fetched from wherever it stands. For the month a few characters of
# the name are enough, and they need not be the first: each position knows its neighbours, since the
# encoder has read in both directions.
#
# **What to change.** Take another seed. The dates come out the same; do the dark fields?

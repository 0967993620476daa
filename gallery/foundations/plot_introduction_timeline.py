"""
Eighty years on a line
======================

You will see when the parts were found that deep learning is made of; how the collections of data
grew; and how far 300,000-fold growth in five years is from what chips alone would have given.
Every mark is a record of :mod:`dlbook.data.history`, which names its source.
"""

import math

import matplotlib.pyplot as plt

from dlbook import plot
from dlbook.data import history

plot.use_style()

# %%
# What was done, and by whom. Filled marks are built in this book, in a chapter that is written or
# to come; hollow ones it only tells of.

# sphinx_gallery_alt = "A vertical line of years from 1943 at the top to 2023 at the bottom, with"
# sphinx_gallery_alt = "a mark for each of about thirty events, its name and who did it. Marks are"
# sphinx_gallery_alt = "sparse before 1985, with a gap after 1960, and crowded after 2012."
events = history.events()
figure, ax = plt.subplots(figsize=(5.2, 10))
rows = [0.0]
for earlier, later in zip(events, events[1:]):
    rows.append(max(rows[-1] + 1.0, rows[-1] + 0.35 * (later.year - earlier.year)))
for row, event in zip(rows, events):
    hollow = event.chapter is None
    ax.plot(
        0,
        -row,
        plot.MARKERS[0],
        color=plot.PALETTE[0],
        markerfacecolor=plot.PANEL if hollow else plot.PALETTE[0],
    )
    ax.text(-0.03, -row, event.year, ha="right", va="center", fontsize=10)
    ax.text(0.03, -row, f"{event.name}", ha="left", va="center", fontsize=10)
    ax.text(0.5, -row, event.who, ha="left", va="center", fontsize=8.5, color=plot.MUTED)
ax.plot([0, 0], [0, -rows[-1]], color=plot.MUTED, linewidth=1, linestyle="-", zorder=0)
ax.set(xlim=(-0.13, 1.05), ylim=(-rows[-1] - 1, 1))
ax.set_axis_off()
plt.show()

since_2012 = sum(event.year >= 2012 for event in events)
print(f"{len(events)} events, {since_2012} of them since 2012")
gaps = [(b.year - a.year, a.year) for a, b in zip(events, events[1:])]
print(f"longest gap: {max(gaps)[0]} years from {max(gaps)[1]}")
assert max(gaps) == (9, 1960)

# %%
# The collections of data, by their size. The axis is logarithmic: a step up is a factor of ten.

# sphinx_gallery_alt = "Sizes of ten data sets by year on a logarithmic axis, each with its name."
# sphinx_gallery_alt = "The images rise from 12 megabytes in 1998 to about 100 gigabytes after"
# sphinx_gallery_alt = "2012; the text from 20 megabytes in 2013 to 6 terabytes in 2019."
figure, ax = plt.subplots(figsize=(5.2, 4.2))
for number, kind in enumerate(("images", "text")):
    chosen = [d for d in history.datasets() if (d.items is None) == (kind == "text")]
    ax.plot(
        [d.year for d in chosen],
        [d.size for d in chosen],
        plot.MARKERS[number],
        color=plot.PALETTE[number],
        label=kind,
    )
    for d in chosen:
        left = d.name in ("MS-COCO", "WMT-18")
        ax.annotate(
            d.name,
            (d.year, d.size),
            xytext=(-6 if left else 6, -12 if left else 6),
            textcoords="offset points",
            ha="right" if left else "left",
            fontsize=10,
        )
ax.set(yscale="log", xlabel="year", ylabel="bytes", xlim=(1996, 2024), ylim=(3e6, 5e13))
ax.legend(loc="upper left")
plt.show()

# %%
# Compute for training the largest systems, against chips that become twice as fast every two
# years. The two numbers from the source, the growth and the doubling time, fit together.

# sphinx_gallery_alt = "Growth since 2012 on a logarithmic axis. One line rises to 300,000 within a"
# sphinx_gallery_alt = "little more than five years, the other, dashed, to 6."
counts = history.counts()
growth = counts["growth of compute since AlexNet"]
doubling = counts["doubling time of compute"]
months = math.log2(growth.value) * doubling.value
years = [2012 + months / 12 * n / 20 for n in range(21)]
figure, ax = plt.subplots()
ax.plot(
    years,
    [2 ** ((y - 2012) * 12 / doubling.value) for y in years],
    label=f"training: twice every {doubling.value} months",
)
ax.plot(years, [2 ** ((y - 2012) / 2) for y in years], label="chips: twice every 24 months")
ax.plot(years[-1], growth.value, plot.MARKERS[1], color=plot.PALETTE[1])
ax.set(yscale="log", xlabel="years, counted from AlexNet at 2012", ylabel="growth")
ax.legend()
plt.show()

print(f"{growth.value:,.0f}-fold at that pace takes {months / 12:.1f} years")
assert abs(years[-1] - growth.year) < 0.5

first_part = [event.year for event in events if (event.chapter or "").startswith("foundations")]
print(f"the events that Part I builds: {min(first_part)} to {max(first_part)}")
assert max(first_part) == 1989

# %%
# **What to notice.** The parts are old: the events that Part I of the book builds were over by
# 1989. What has grown since is what they are given to work with.
#
# **What to change.** Print ``history.frameworks()`` and draw when each was described, or
# ``history.challenge()`` on a logarithmic axis: in which year was the largest share of the errors
# removed?

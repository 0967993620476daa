"""
What a longer text costs
========================

You will see where the multiplications of a GPT go as its text grows, counted by PyTorch's own
counter and by formula: in the matrices, which every position passes, and in attention, which
compares every position with every other. Then what keeping keys and values saves when a text is
written token by token.
"""

import matplotlib.pyplot as plt
import torch
from torch.utils.flop_counter import FlopCounterMode

from dlbook import plot
from dlbook.models import GPT, KeyValueCache

plot.use_style()
LAYERS, HEADS, WIDTH, VOCABULARY = 2, 4, 32, 128
model = GPT(VOCABULARY, 2048, LAYERS, HEADS, WIDTH).eval()


@torch.no_grad()
def counted(run):
    """Multiplications in products of matrices: half of what the counter calls operations."""
    with FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops() // 2


def matrices(length):
    """The blocks' matrices and the scores of tokens, each entry once for a position."""
    return length * (LAYERS * 12 * WIDTH**2 + VOCABULARY * WIDTH)


def attention(length):
    """Scores and means, for every query and every key."""
    return LAYERS * 2 * length**2 * WIDTH


# %%
# Width 32, so the two should meet near six widths, 192 positions; a little later, as the scores of
# tokens come to the matrices' side. What causality hides need not be computed. The package
# computes 64 rows of scores at a time, up to the last column that one of them may see; so in long
# texts about half is spared.

# sphinx_gallery_alt = "Multiplications against length, both axes logarithmic. A line for the"
# sphinx_gallery_alt = "matrices and a twice as steep one for attention cross beyond 200."
# sphinx_gallery_alt = "Dots, the counts, lie on the sum for short texts, below it for long ones."
lengths = [16, 32, 64, 128, 256, 512, 1024, 2048]
counts = []
for length in lengths:
    tokens = torch.randint(VOCABULARY, (1, length))
    counts.append(counted(lambda tokens=tokens: model(tokens)))
figure, ax = plt.subplots()
ax.plot(lengths, [matrices(n) for n in lengths], label="matrices")
ax.plot(lengths, [attention(n) for n in lengths], label="attention, all pairs")
total = [matrices(n) + attention(n) for n in lengths]
ax.plot(lengths, total, label="both")
ax.scatter(lengths, counts, color=plot.INK, zorder=3, label="counted")
ax.set(xscale="log", yscale="log", xlabel="length", ylabel="multiplications")
ax.legend()
plt.show()

for length, count, both in zip(lengths, counts, total):
    print(f"{length:5d}: counted {count / both:.2f} of all pairs'")
    assert matrices(length) < count <= both * 1.001
    if length <= 64:
        assert abs(count / both - 1) < 0.001
assert (counts[-1] - matrices(2048)) / attention(2048) < 0.6

# %%
# Writing a text of n tokens from one: without the kept keys and values every step goes through all
# that has been written, with them through one row.


def write(n, kept):
    """Pass tokens one by one, as they would be drawn."""
    tokens = torch.randint(VOCABULARY, (1, n))
    cache = KeyValueCache(LAYERS, 2048) if kept else None
    for t in range(n):
        model(tokens[:, t : t + 1], cache) if kept else model(tokens[:, : t + 1])


# sphinx_gallery_alt = "Multiplications against the tokens written, logarithmic. The line without"
# sphinx_gallery_alt = "the cache is steeper; at 128 tokens it is some sixty times higher."
sizes = [8, 16, 32, 64, 128]
with_cache = [counted(lambda n=n: write(n, True)) for n in sizes]
without = [counted(lambda n=n: write(n, False)) for n in sizes]
figure, ax = plt.subplots()
ax.plot(sizes, without, marker=plot.MARKERS[0], label="everything again")
ax.plot(sizes, with_cache, marker=plot.MARKERS[1], label="keys and values kept")
ax.set(xscale="log", yscale="log", xlabel="tokens written", ylabel="multiplications")
ax.set_xticks(sizes, sizes)
ax.minorticks_off()
ax.legend()
plt.show()

ratios = [a / b for a, b in zip(without, with_cache)]
print("times fewer:", [round(r, 1) for r in ratios])
for n, ratio in zip(sizes, ratios):
    assert n / 3 < ratio < n
assert ratios == sorted(ratios)

# %%
# **What to notice.** The cost of a text crosses from growing with its length to growing with its
# square. And the cache takes one power of the length away from writing: what is spared grows in
# proportion to the text.
#
# **What to change.** Double the width. Where do the lines meet now?

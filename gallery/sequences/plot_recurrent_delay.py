"""
The cliff of truncation, and a path around it: which delays are learned by which blocks
=======================================================================================

You will see for which delays an echo is learned if the gradient is stopped after a block of k
steps. A network hears a random bit at each step and has to repeat the one of d steps ago. The
state is handed on from block to block, the gradient isn't. The answer needs d + 1 uses of the
layer. At one learning rate the border lies where that says; at a smaller one it doesn't.
"""

import math

import matplotlib.pyplot as plt
import torch

from dlbook import models, ops, optim, plot

plot.use_style()

# %%
# All runs of a table read the same number of steps, so that short blocks take more steps of the
# optimiser. The smaller rate gets half as many again.

SERIES = 20
DELAYS, BLOCKS = (2, 3, 4), (2, 3, 4, 5, 8)


def echo(delay, block, rate, length):
    torch.manual_seed(0)
    bits = torch.randint(2, (SERIES, length + delay))
    x, y = 2.0 * bits[:, delay:, None] - 1, bits[:, :length]
    model = models.ManyToManyAligned(1, 32, 2)
    optimizer = optim.Adam(model.parameters(), lr=rate)
    state, losses = None, []
    for begin in range(0, length - block + 1, block):
        states, state = model.rnn(x[:, begin : begin + block], state)
        scores = model.head(states).flatten(0, 1)
        loss = ops.cross_entropy(scores, y[:, begin : begin + block].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        state = state.detach()
        losses.append(loss.item())
    tail = losses[-max(1, 240 // block) :]
    return sum(tail) / len(tail)


tables = {
    rate: torch.tensor([[echo(d, k, rate, length) for k in BLOCKS] for d in DELAYS])
    for rate, length in ((0.01, 800), (0.001, 1200))
}

# %%

# sphinx_gallery_alt = "Two tables of losses, delays 2 to 4 in the rows, blocks of 2 to 8 steps in"
# sphinx_gallery_alt = "the columns. At rate 0.01 cells left of a stair line are dark and read 0.6"
# sphinx_gallery_alt = "to 0.7, right of it white. At rate 0.001 all are light."
figure, axes = plt.subplots(2, 1, figsize=(5.2, 5.4), sharex=True)
for ax, (rate, loss) in zip(axes, tables.items()):
    ax.imshow(loss, cmap="Greys", vmin=0, vmax=1.4, aspect="auto")
    for i, delay in enumerate(DELAYS):
        for j in range(len(BLOCKS)):
            ax.text(j, i, f"{loss[i, j]:.2f}", ha="center", va="center", fontsize=10)
        edge = sum(k <= delay for k in BLOCKS) - 0.5  # blocks that are too short
        ax.plot([edge, edge], [i - 0.5, i + 0.5], "-", color=plot.PALETTE[1], lw=3)
    ax.set(ylabel="delay, d", title=f"rate {rate}")
    ax.set_yticks(range(len(DELAYS)), DELAYS)
    ax.grid(False)
ax.set(xlabel="steps in a block, k")
ax.set_xticks(range(len(BLOCKS)), BLOCKS)
plt.show()

print(f"guessing costs {math.log(2):.2f}")
print(tables)
far = torch.tensor([[k > d for k in BLOCKS] for d in DELAYS])
assert (tables[0.01][far] < 0.35).float().mean() > 0.9  # right of the line it is learned
assert tables[0.01][~far].mean() > 0.55  # left of it hardly
assert (tables[0.001] < 0.35).all()  # at the smaller rate on either side

# %%
# **What to notice.** At the larger rate guessing costs about as much as the answers left of the
# line: no gradient connects them with the bit that they need. At the smaller rate all of them are
# learned all the same. A state that nobody trained holds a weak echo of the last bits, and it is
# handed on from block to block; a short gradient can strengthen what is there, if the steps are
# small enough not to lose it first.
#
# **What to change.** Ask for a delay of 8 with blocks of 4: how small a rate, and how long a
# series, does it take now? Try a delay of 20 with blocks of 30: the gradient gets there; is it
# learned?

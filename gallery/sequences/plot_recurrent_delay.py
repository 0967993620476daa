"""
The cliff of truncation: which delays can be learned by which blocks
====================================================================

You will see for which delays an echo can be learned if the gradient is stopped after a block of k
steps. A network hears a random bit at each step and has to repeat the one of d steps ago. The
state is handed on from block to block, the gradient isn't. The answer needs d + 1 uses of the
layer, and the border lies where that says.
"""

import math

import matplotlib.pyplot as plt
import torch

from dlbook import models, ops, optim, plot

plot.use_style()

# %%
# All runs read the same number of steps, so that short blocks take more steps of the optimiser.

LENGTH, SERIES = 1200, 20
DELAYS, BLOCKS = (1, 2, 3, 4), (2, 3, 4, 5, 8, 12)


def echo(delay, block):
    torch.manual_seed(0)
    bits = torch.randint(2, (SERIES, LENGTH + delay))
    x, y = 2.0 * bits[:, delay:, None] - 1, bits[:, :LENGTH]
    model = models.ManyToManyAligned(1, 32, 2)
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    state, losses = None, []
    for begin in range(0, LENGTH - block + 1, block):
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


loss = torch.tensor([[echo(d, k) for k in BLOCKS] for d in DELAYS])

# %%

# sphinx_gallery_alt = "A table of losses, delays 1 to 4 in the rows, blocks of 2 to 12 steps in"
# sphinx_gallery_alt = "the columns. Left of a stair line cells are dark and read about 0.7, right"
# sphinx_gallery_alt = "of it they are white and read 0.0 or little more."
figure, ax = plt.subplots(figsize=(5.2, 3.4))
ax.imshow(loss, cmap="Greys", vmin=0, vmax=1.4, aspect="auto")
for i, delay in enumerate(DELAYS):
    for j in range(len(BLOCKS)):
        ax.text(j, i, f"{loss[i, j]:.2f}", ha="center", va="center", fontsize=10)
    edge = sum(k <= delay for k in BLOCKS) - 0.5  # blocks that are too short
    ax.plot([edge, edge], [i - 0.5, i + 0.5], "-", color=plot.PALETTE[1], lw=3)
ax.set(xlabel="steps in a block, k", ylabel="delay, d")
ax.set_xticks(range(len(BLOCKS)), BLOCKS)
ax.set_yticks(range(len(DELAYS)), DELAYS)
ax.grid(False)
plt.show()

print(f"guessing costs {math.log(2):.2f}")
print(loss)
far = torch.tensor([[k > d for k in BLOCKS] for d in DELAYS])
assert (loss[far] < 0.35).float().mean() > 0.9  # right of the line nearly everything is learned
assert loss[~far].min() > 0.3 and loss[~far].mean() > 0.55

# %%
# **What to notice.** Left of the line guessing costs about as much, however many steps are taken:
# no gradient connects the answer with the bit that it needs. A cell there that is a little better
# than guessing has used what happens to be left of old bits in a state that nobody trained to keep
# them.
#
# **What to change.** Let the network of blocks of one step have 200 units: how much of the past is
# left in a state that was never taught to remember? Try a delay of 20 with blocks of 30: the
# gradient gets there now; is it learned?

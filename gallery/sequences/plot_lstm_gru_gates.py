"""
What the gates of a trained GRU do
==================================

You will see the update gates of a GRU that has learned to add two marked numbers, step by step
along one series. At unmarked steps some keep nearly everything; at the marks they shut, and let
something in.
"""

import matplotlib.pyplot as plt
import torch

from dlbook import nn, plot
from dlbook.data import sequences
from dlbook.optim import Adam

plot.use_style()

# %%
# A GRU of 24 units, 400 updates with 32 fresh series of 30 steps each.

H, LENGTH, BATCH, UPDATES = 24, 30, 32, 400
torch.manual_seed(0)
gru, head = nn.GRU(2, H, batch_first=True), nn.Linear(H, 1)
parameters = [*gru.parameters(), *head.parameters()]
optimizer = Adam(parameters, lr=0.02)
data = sequences.adding(BATCH * UPDATES, LENGTH, seed=0)
for x, y in zip(data.x.split(BATCH), data.y.split(BATCH), strict=True):
    cost = (head(gru(x)[0][:, -1]) - y).square().mean()
    optimizer.zero_grad()
    cost.backward()
    torch.nn.utils.clip_grad_norm_(parameters, 1.0)
    optimizer.step()

test = sequences.adding(400, LENGTH, seed=1)
with torch.no_grad():
    error = (head(gru(test.x)[0][:, -1]) - test.y).square().mean().item()
print(f"mean squared error on new series {error:.4f}; who says 1 always: 0.1667")
assert error < 0.02

# %%
# The update gate of every unit at every step, once more by the formula,
# :math:`z_t = \sigma(W_z x_t + U_z h_{t-1} + b_z)`. In PyTorch's weights it is the second block of
# rows.

with torch.no_grad():
    h = gru(test.x)[0]
    before = torch.cat([torch.zeros_like(h[:, :1]), h[:, :-1]], 1)
    z_rows = slice(H, 2 * H)
    z = torch.sigmoid(
        test.x @ gru.weight_ih_l0[z_rows].mT
        + before @ gru.weight_hh_l0[z_rows].mT
        + gru.bias_ih_l0[z_rows]
        + gru.bias_hh_l0[z_rows]
    )  # (series, steps, units)
marked = test.x[..., 1] > 0
fall = z[~marked].mean(0) - z[marked].mean(0)  # by how much each unit shuts at a mark
order = fall.argsort(descending=True)

# %%

# sphinx_gallery_alt = "Above, the numbers of one series as a line, two of them ringed. Below, a"
# sphinx_gallery_alt = "field of 24 rows and 30 columns, light where a gate keeps. In the upper"
# sphinx_gallery_alt = "rows two dark columns stand exactly below the ringed numbers."
figure, axes = plt.subplots(2, 1, figsize=(5.6, 5.6), height_ratios=(1, 3), sharex=True)
steps = torch.arange(LENGTH)
numbers, marks = test.x[0, :, 0], marked[0]
axes[0].plot(steps, numbers, marker=".")
axes[0].plot(steps[marks], numbers[marks], "o", markersize=11, fillstyle="none", color="black")
axes[0].set_ylabel("number")
axes[1].imshow(z[0][:, order].mT, cmap="gray", vmin=0, vmax=1, aspect="auto")
axes[1].set(xlabel="step", ylabel="unit, those that shut at marks first")
axes[1].grid(visible=False)
plt.show()

print(f"the first unit's gate: {z[marked][:, order[0]].mean():.2f} at marks, ", end="")
print(f"{z[~marked][:, order[0]].mean():.2f} otherwise")
assert fall[order[0]] > 0.2

# %%
# **What to notice.** Light is keeping. The rows at the top have learned to be light everywhere but
# below the rings. Others go their own ways; nothing in the task asks that all take part.
#
# **What to change.** Train with three marked numbers (write the series yourself). Does the pattern
# stay the same? Then ask for the difference of the first and the second: now the network has to
# tell the marks apart. What do the gates do?

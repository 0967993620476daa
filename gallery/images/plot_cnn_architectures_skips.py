"""
Twenty layers, with skips and without
=====================================

You will see networks of 20 layers learn handwritten digits, or not: the same layers with and
without additions, at three learning rates each. A shallow plain network stands beside them for
comparison.
"""

import matplotlib.pyplot as plt
import torch

from dlbook import ops, plot
from dlbook.data import digits
from dlbook.models.resnet import BasicBlock, CIFARResNet, PlainBlock
from dlbook.optim import SGD

plot.use_style()
train = digits.load(images=True).train
mean, deviation = train.x.mean(), train.x.std()
RATES = (0.03, 0.1, 0.3)

# %%
# Every convolution is followed by batch normalisation, in both kinds. Shortcuts that change the
# shape have no parameters, so that both kinds have equally many.


def learn(depth, block, rate, steps=40, seed=0):
    """Train on batches of 64; return the loss at each step."""
    torch.manual_seed(seed)
    model = CIFARResNet(depth, block=block, in_channels=1, width=4)
    optimizer = SGD(model.parameters(), lr=rate, momentum=0.9)
    losses = []
    while len(losses) < steps:
        for rows in torch.randperm(len(train)).split(64)[: steps - len(losses)]:
            x = (train.x[rows] - mean) / deviation
            loss = ops.cross_entropy(model(x), train.y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    return losses


KINDS = {
    "plain, 8 layers": (8, PlainBlock),
    "plain, 20 layers": (20, PlainBlock),
    "residual, 20 layers": (20, BasicBlock),
}
curves, late = {}, {}
for name, (depth, block) in KINDS.items():
    for rate in RATES:
        curves[name, rate] = learn(depth, block, rate)
        late[name, rate] = sum(curves[name, rate][-8:]) / 8
        print(f"{name:19s} rate {rate:4g}: loss in the last eight steps {late[name, rate]:.2f}")

# %%

# sphinx_gallery_alt = "Three panels for the rates 0.03, 0.1 and 0.3, each with three curves of the"
# sphinx_gallery_alt = "loss over 40 steps. In each of them the curve of the plain network of 20"
# sphinx_gallery_alt = "layers ends highest, above 1; that of the residual one ends near 0.5."
figure, axes = plt.subplots(3, 1, figsize=(5.2, 8), sharex=True)
for ax, rate in zip(axes, RATES):
    for k, name in enumerate(KINDS):
        ax.plot(curves[name, rate], color=plot.PALETTE[k], linestyle=plot.LINESTYLES[k], label=name)
    ax.set(title=f"learning rate {rate:g}", ylabel="loss", ylim=(0, 3))
axes[0].legend(loc="upper right")
axes[-1].set_xlabel("step")
plt.show()

best = {name: min(late[name, rate] for rate in RATES) for name in KINDS}
for rate in RATES:
    assert late["residual, 20 layers", rate] < late["plain, 20 layers", rate] / 1.5
    assert late["plain, 8 layers", rate] < late["plain, 20 layers", rate] - 0.2
assert best["residual, 20 layers"] < best["plain, 20 layers"] / 2
assert best["plain, 8 layers"] < best["plain, 20 layers"] / 1.5

# %%
# **What to notice.** At each of the three rates the plain network of 20 layers has a higher loss
# than the same layers with skips, and than 8 plain layers. It is the loss on the training digits
# that differs, so this is no overfitting. Nor is it a matter of the rate alone.
#
# **What to change.** Take four times the steps: how far does the plain network get? Try
# ``dlbook.models.PreActBlock``, or 32 layers, or another seed. Let the rate rise over the first
# steps.

"""
An image as a heap of patches
=============================

You will see what a vision transformer knows of the place of things: only what its table of
positions tells it. It reads a digit as sixteen patches of 2 × 2 pixels. Trained with its positions
it recognises digits, and fails when the patches are shuffled. Trained without, it does
not notice the shuffling, and does surprisingly well for one who sees only which patches there are.
"""

import matplotlib.pyplot as plt
import torch

from dlbook import ops, plot
from dlbook.data import digits
from dlbook.models import VisionTransformer
from dlbook.optim import AdamW

plot.use_style()
split = digits.load(images=True)  # the stratified split, 8 × 8 pixels
STEPS, RATE = 120, 6e-3


def shuffled(x):
    """Each image's sixteen patches in an order of its own."""
    order = torch.rand(len(x), 16, generator=torch.Generator().manual_seed(0)).argsort(1)
    # (B, 1, 8, 8) → (B, row of patches, row in patch, column of patches, column in patch)
    patches = x.view(-1, 4, 2, 4, 2).transpose(2, 3).reshape(-1, 16, 4)
    patches = patches.gather(1, order[:, :, None].expand(-1, -1, 4))
    return patches.view(-1, 4, 4, 2, 2).transpose(2, 3).reshape(-1, 1, 8, 8)


# sphinx_gallery_alt = "Five handwritten digits, and below them the same with their sixteen patches"
# sphinx_gallery_alt = "thrown about: blots in which no digit can be recognised."
plot.images(torch.cat([split.test.x[:5], shuffled(split.test.x[:5])]), columns=5)
plt.show()

# %%
# One block, four heads, width 32. Both networks get the same rate, the same steps and the same
# samples; one has its table of positions set to 0 and left there.


def trained(positions, seed):
    """A network, with positions or without."""
    torch.manual_seed(seed)
    model = VisionTransformer(8, 2, 1, 4, 32, 64, num_classes=10, in_channels=1)
    if not positions:
        model.encoder.pos_embedding.requires_grad_(False).zero_()
    optimizer = AdamW([p for p in model.parameters() if p.requires_grad], lr=RATE)
    generator = torch.Generator().manual_seed(seed)
    for step in range(STEPS):
        chosen = split.train.take(torch.randint(len(split.train), (96,), generator=generator))
        falling = (STEPS - step) / (STEPS / 2)
        optimizer.param_groups[0]["lr"] = RATE * min((step + 1) / 20, 1, falling)
        optimizer.zero_grad()
        ops.cross_entropy(model(chosen.x), chosen.y).backward()
        optimizer.step()
    return model


@torch.no_grad()
def accuracy(model, x):
    """The share of the test digits that it gets right."""
    return (model(x).argmax(1) == split.test.y).float().mean().item()


scores = {}
for positions in (True, False):
    for seed in range(2):
        model = trained(positions, seed)
        images = split.test.x, shuffled(split.test.x)
        scores[positions, seed] = [accuracy(model, x) for x in images]
        name = "with positions" if positions else "without"
        print(
            f"{name:15s} seed {seed}: whole {scores[positions, seed][0]:.3f}, "
            f"shuffled {scores[positions, seed][1]:.3f}"
        )

# %%

# sphinx_gallery_alt = "Four pairs of bars. With positions, about 0.9 for whole digits and little"
# sphinx_gallery_alt = "above 0.1 for shuffled ones; without, about a half for both."
figure, ax = plt.subplots()
for number, pair in enumerate(scores.values()):
    for shift, value in zip((-0.2, 0.2), pair):
        hatch = "" if shift < 0 else "//"
        ax.bar(number + shift, value, 0.36, color=plot.PALETTE[shift > 0], hatch=hatch)
ax.bar(0, 0, color=plot.PALETTE[0], label="whole")
ax.bar(0, 0, color=plot.PALETTE[1], hatch="//", label="shuffled")
ax.axhline(0.1, color=plot.MUTED, linestyle=":")
names = [f"{'with' if p else 'without'}\nseed {s}" for p, s in scores]
ax.set(xticks=range(4), xticklabels=names, ylabel="accuracy", ylim=(0, 1.2))
ax.legend(ncols=2, loc="upper right")
plt.show()

for (positions, _), (whole, mixed) in scores.items():
    assert (whole > 0.8 and mixed < 0.35) if positions else abs(whole - mixed) < 0.01
    assert positions or whole > 0.35
assert min(scores[True, s][0] for s in range(2)) > max(scores[False, s][0] for s in range(2))

# %%
# **What to notice.** Without positions the accuracy is the same for whole and shuffled digits, as
# it must be: the encoder's outputs go with their patches, and the class token takes means of
# them. With positions the network has learned places, and patches in the wrong ones mislead it. A
# convolutional network would have been given the neighbourhoods; this one had to learn them,
# from a thousand digits.
#
# **What to change.** Show whole digits moved by one pixel (``torch.roll``). By two, the width of a
# patch?

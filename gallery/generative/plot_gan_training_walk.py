"""
From one digit to another
=========================

You will see the samples of a generator along straight ways through its noise, and, below each
sample, how sure a classifier is of it.
"""

import matplotlib.pyplot as plt
import torch

from dlbook import nn, plot
from dlbook.data import digits
from dlbook.models import GAMES, MLP, gradient_penalty
from dlbook.optim import Adam
from dlbook.train import fit_adversarial

plot.use_style()
train, _, _ = digits.load()
STEPS = 800

# %%
# A judge of digits, and a generator that learns to draw them in a game: the discriminator is kept
# flat at the data, without momentum, with a rate that falls.

torch.manual_seed(0)
judge = MLP((64, 64, 10))
optimizer = Adam(judge.parameters(), lr=3e-3)
for _ in range(400):
    rows = torch.randint(len(train), (64,))
    loss = torch.nn.functional.cross_entropy(judge(train.x[rows]), train.y[rows])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def flat_at_data(discriminator, real, fake):
    return gradient_penalty(discriminator, real, real, slope=0.0)


torch.manual_seed(1)
generator = torch.nn.Sequential(MLP((16, 128, 128, 64)), nn.Sigmoid())
discriminator = MLP((64, 128, 128, 1))
optimizers = tuple(
    Adam(player.parameters(), lr=2e-3, betas=(0.0, 0.9)) for player in (generator, discriminator)
)
fit_adversarial(
    generator,
    discriminator,
    GAMES["non-saturating"],
    optimizers,
    train.x,
    latent=16,
    steps=STEPS,
    schedulers=[torch.optim.lr_scheduler.LambdaLR(o, lambda t: 1 - t / STEPS) for o in optimizers],
    penalty=flat_at_data,
    penalty_weight=1.0,
    seed=1,
    device="cpu",
)

# %%
# From many draws we take those of which the judge is sure, one for each of five classes, and walk
# from each to the next. Noise of 16 numbers has a length near 4, and the middle of a straight way
# is shorter. So we walk along an arc: the angle grows evenly, and the length with it.

draws = torch.Generator().manual_seed(0)
noise = torch.randn(2000, 16, generator=draws)
with torch.no_grad():
    sure, found = judge(generator(noise)).softmax(1).max(1)
stops = []
for wanted in (0, 3, 7, 4, 6):
    mine = (found == wanted).nonzero()[:, 0]
    stops.append(noise[mine[sure[mine].argmax()]])


def arc(a, b, t):
    """From a, for t = 0, to b, for t = 1, by an angle that grows evenly."""
    angle = torch.arccos((a @ b) / (a.norm() * b.norm()))
    u, v = a / a.norm(), b / b.norm()
    way = (torch.sin((1 - t) * angle) * u + torch.sin(t * angle) * v) / torch.sin(angle)
    return way * ((1 - t) * a.norm() + t * b.norm())


at = torch.linspace(0, 1, 11)
walks = [
    torch.stack([arc(a, b, t) for t in at]) for a, b in zip(stops[:-1], stops[1:], strict=True)
]
with torch.no_grad():
    images = [generator(walk) for walk in walks]
    sureness = [judge(row).softmax(1).max(1).values for row in images]
for row, values in zip(images, sureness, strict=True):
    classes = judge(row).argmax(1).tolist()
    print("classes", classes, f"least sure {values.min():.2f}")
    steps = (row[1:] - row[:-1]).norm(dim=1)
    assert steps.max() < (row[-1] - row[0]).norm()  # no jump: the way is continuous

# %%

# sphinx_gallery_alt = "Four rows of eleven small images, each from one digit to another, and below"
# sphinx_gallery_alt = "each row bars for the judge's largest probability."
figure, axes = plt.subplots(8, 1, figsize=(5.8, 6.0), height_ratios=[3, 1] * 4)
for top, below, row, values in zip(axes[::2], axes[1::2], images, sureness, strict=True):
    tiles = torch.full((11, 8, 10), torch.nan)  # with a gap between neighbours
    tiles[:, :, 1:-1] = row.reshape(-1, 8, 8)
    top.imshow(tiles.permute(1, 0, 2).reshape(8, -1), cmap="gray_r", vmin=0, vmax=1)
    top.grid(False)
    for spine in top.spines.values():
        spine.set_visible(False)
    below.bar(range(11), values, width=0.6)
    below.set(xlim=(-0.5, 10.5), ylim=(0, 1), xticks=[], yticks=[])
    top.set(xticks=[], yticks=[], aspect="auto")
axes[-1].set_xlabel("largest probability, from 0 to 1")
plt.show()

# %%
# **What to notice.** Between two digits the samples change little by little, and the judge is often
# less sure in the middle: the generator is continuous, so it has to draw something there.
#
# **What to change.** Walk straight on beyond the last stop, to `t = 2`. Where do samples end that
# nobody has asked for in training?

"""
Samples through training
========================

You will see eight noises, a column each, become digits as two networks play, row by row, and what
a classifier makes of a thousand of them at every moment.
"""

import matplotlib.pyplot as plt
import torch

from dlbook import nn, plot
from dlbook.data import digits
from dlbook.metrics import classifier_verdict
from dlbook.models import GAMES, MLP, gradient_penalty
from dlbook.optim import Adam
from dlbook.train import fit_adversarial

plot.use_style()
train, validation, _ = digits.load()
STEPS = 800

# %%
# A judge, first: a classifier of the same digits.

torch.manual_seed(0)
judge = MLP((64, 64, 10))
optimizer = Adam(judge.parameters(), lr=3e-3)
for _ in range(400):
    rows = torch.randint(len(train), (64,))
    loss = torch.nn.functional.cross_entropy(judge(train.x[rows]), train.y[rows])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

# %%
# The game: non-saturating, a penalty on the discriminator's slope at the data, no momentum, a rate
# that falls to 0.


def flat_at_data(discriminator, real, fake):
    return gradient_penalty(discriminator, real, real, slope=0.0)


torch.manual_seed(0)
generator = torch.nn.Sequential(MLP((16, 128, 128, 64)), nn.Sigmoid())
discriminator = MLP((64, 128, 128, 1))
optimizers = tuple(
    Adam(player.parameters(), lr=2e-3, betas=(0.0, 0.9)) for player in (generator, discriminator)
)
history = fit_adversarial(
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
    samples=1000,
    sample_every=STEPS // 5,
    seed=0,
    device="cpu",
)
verdicts = [classifier_verdict(judge, made) for made in history.samples]
for step, v in zip(history.sample_steps, verdicts, strict=True):
    print(f"step {step:4d}: recognised {v.recognised:4.0%}, evenness {v.evenness:.2f}")
real = classifier_verdict(judge, validation.x)
print(f"real ones: recognised {real.recognised:4.0%}, evenness {real.evenness:.2f}")

# %%

# sphinx_gallery_alt = "Six rows of eight small images, with gaps. The first is even grey, then"
# sphinx_gallery_alt = "come blots, then strokes that look like digits."
strip = torch.stack([made[:8] for made in history.samples])
tiles = torch.full((len(strip), 8, 12, 12), torch.nan)  # each image with a margin of two pixels
tiles[:, :, 2:-2, 2:-2] = strip.reshape(-1, 8, 8, 8)
figure, ax = plt.subplots(figsize=(5.8, 5.4))
ax.imshow(tiles.permute(0, 2, 1, 3).reshape(-1, 96), cmap="gray_r", vmin=0, vmax=1)
ax.grid(False)
for spine in ax.spines.values():
    spine.set_visible(False)
ax.set(xticks=[], yticks=12 * torch.arange(len(strip)) + 5.5, ylabel="step")
ax.set_yticklabels(history.sample_steps)
plt.show()

assert verdicts[-1].recognised > verdicts[1].recognised
assert verdicts[-1].evenness > 0.9

# %%
# **What to notice.** The same noise need not stay the same digit: a column changes its mind while
# the rate is high, and settles as it falls.
#
# **What to change.** Leave the penalty out. What becomes of the evenness?

"""
Digits on request
=================

You will see what a generator draws that is told a phrase of two words, such as "faint three", and
what it makes of a vector between two phrases.
"""

import matplotlib.pyplot as plt
import torch

from dlbook import nn, plot
from dlbook.data import digits
from dlbook.models import (
    GAMES,
    MLP,
    ConditionalDiscriminator,
    ConditionalGenerator,
    PhraseEncoder,
    gradient_penalty,
)
from dlbook.optim import Adam
from dlbook.train import fit_adversarial

plot.use_style()
train, _, _ = digits.load()
STEPS = 350

# %%
# Every training image is left as it is and called black, or has half its ink and is called faint.
# A phrase is two numbers, one for each word; 0 is kept for the end of a text.

NAMES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
WORDS = ["(end)", "black", "faint", *NAMES]
forms = torch.randint(2, (len(train),), generator=torch.Generator().manual_seed(0))
images = train.x * torch.where(forms == 1, 0.5, 1.0)[:, None]
phrases = torch.stack([1 + forms, 3 + train.y], 1)

# %%
# Both players read the phrase, each with a recurrent network of its own. The rest is the game of
# the chapter: no momentum, a falling rate, and a penalty on the slope at the data.


def flat_at_data(discriminator, real, fake, condition):
    return gradient_penalty(discriminator, real, real, condition, slope=0.0)


torch.manual_seed(0)
drawing = torch.nn.Sequential(MLP((32, 128, 128, 64)), nn.Sigmoid())
generator = ConditionalGenerator(PhraseEncoder(len(WORDS), 8, 16), drawing)
discriminator = ConditionalDiscriminator(
    PhraseEncoder(len(WORDS), 8, 16), MLP((64 + 16, 128, 128, 1))
)
optimizers = tuple(
    Adam(player.parameters(), lr=3e-3, betas=(0.0, 0.9)) for player in (generator, discriminator)
)
fit_adversarial(
    generator,
    discriminator,
    GAMES["non-saturating"],
    optimizers,
    (images, phrases),
    latent=16,
    steps=STEPS,
    schedulers=[torch.optim.lr_scheduler.LambdaLR(o, lambda t: 1 - t / STEPS) for o in optimizers],
    penalty=flat_at_data,
    penalty_weight=1.0,
    seed=0,
    device="cpu",
)

# %%
# How dark are the eight darkest pixels? And does a sample have the digit that was asked for? The
# mean of the training images of a class is nearest: a simple judge, so it is judged, too.


def told(text, z):
    words = torch.tensor([[WORDS.index(word) for word in text.split()]])
    with torch.no_grad():
        return generator(z, words.expand(len(z), -1))


def ink(made):
    return made.topk(8, dim=1).values.mean(1)


means = torch.stack([train.x[train.y == c].mean(0) for c in range(10)])


def nearest(x):  # by the angle, so that the ink doesn't matter
    return torch.nn.functional.normalize(x) @ torch.nn.functional.normalize(means).T


noise = torch.randn(100, 16, generator=torch.Generator().manual_seed(1))
print(f"the judge is right on {(nearest(train.x).argmax(1) == train.y).float().mean():.0%}")
shares = {}
for form in ("black", "faint"):
    made = torch.stack([told(f"{form} {name}", noise) for name in NAMES])
    right = nearest(made.flatten(0, 1)).argmax(1).reshape(10, 100) == torch.arange(10)[:, None]
    shares[form] = right.float().mean().item(), ink(made.flatten(0, 1)).mean().item()
    print(f"{form}: right digit {shares[form][0]:.0%}, mean ink {shares[form][1]:.2f}")

# %%
# Between two phrases: the vectors of "black three" and "faint eight" are mixed.

with torch.no_grad():
    ends = generator.encoder(torch.tensor([[1, 3 + 3], [2, 3 + 8]]))
    way = torch.stack([ends[0] + t * (ends[1] - ends[0]) for t in torch.linspace(0, 1, 10)])
    between = generator.generator(torch.cat([noise[:1].expand(10, -1), way], 1))

# %%

# sphinx_gallery_alt = "Five rows of ten small digits: black ones from zero to nine and faint ones,"
# sphinx_gallery_alt = "twice, and in the last row one that fades and changes from left to right."
rows = {
    f"{form}, noise {k}": torch.cat([told(f"{form} {name}", noise[k : k + 1]) for name in NAMES])
    for k in range(2)
    for form in ("black", "faint")
}
rows["between"] = between
figure, axes = plt.subplots(5, 1, figsize=(5.8, 5.2))
for ax, (name, made) in zip(axes, rows.items(), strict=True):
    tiles = torch.full((10, 8, 12), torch.nan)  # with a gap between neighbours
    tiles[:, :, 2:-2] = made.reshape(-1, 8, 8)
    ax.imshow(tiles.permute(1, 0, 2).reshape(8, -1), cmap="gray_r", vmin=0, vmax=1)
    ax.set_title(name, fontsize=8, pad=2)
    ax.set_axis_off()
plt.show()

assert min(shares["black"][0], shares["faint"][0]) > 0.5
assert shares["black"][1] > shares["faint"][1] + 0.25

# %%
# **What to notice.** Both words are obeyed by most samples, as the printed shares say. The last row
# has no phrase, except at its ends, and yet every vector on the way is drawn.
#
# **What to change.** Take one phrase out of the training images and ask for it. Which of its two
# words is obeyed?

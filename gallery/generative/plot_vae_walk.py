"""
A map of digits, and where the test digits lie on it
====================================================

You will see a plane of codes that a variational autoencoder has learned without being told a
single class: first what each place decodes to, then where images that it has never seen are put,
and how sure of it the encoder is.
"""

import matplotlib.pyplot as plt
import torch

from dlbook import models, optim, plot
from dlbook.data import digits
from dlbook.optim.lr_scheduler import LambdaLR
from dlbook.train import fit

plot.use_style()

# %%
# Two numbers for a code, a Gaussian decoder whose spread is learned.

EPOCHS = 60
data = digits.load()
x, test = data.train.x, data.test
torch.manual_seed(0)
likelihood = models.GaussianLikelihood(0.25, learn_std=True)
model = models.DenseVAE((64, 256, 128), 2, likelihood)
optimizer = optim.Adam(model.parameters(), lr=3e-3)
schedule = LambdaLR(optimizer, lambda t: min(1, 2 * (1 - t / EPOCHS)))
fit(
    model,
    models.ELBOLoss(likelihood),
    optimizer,
    (x, x),
    epochs=EPOCHS,
    scheduler=schedule,
    seed=0,
    progress=False,
)
print(f"the decoder's spread has become {likelihood.log_std.exp().item():.3f}")

# %%
# The walk. Its steps are quantiles of the prior: between neighbours lies the same probability.

# sphinx_gallery_alt = "A square of fifteen by fifteen small digits. Neighbours are alike; regions"
# sphinx_gallery_alt = "of one class pass into others through blurred forms."
SIDE = 15
line = torch.special.ndtri((torch.arange(SIDE) + 0.5) / SIDE)
rows, columns = torch.meshgrid(line.flip(0), line, indexing="ij")
with torch.no_grad():
    walk = model.decode(torch.stack([columns, rows], dim=-1).reshape(-1, 2))
figure, ax = plt.subplots(figsize=(5.2, 5.2))
plot.images(walk.clamp(0, 1), columns=SIDE, ax=ax)
plt.show()

# %%
# The same plane, stretched in the same way: each digit of the test part stands at the mean of its
# guess. A mark is the digit itself.

# sphinx_gallery_alt = "The digits 0 to 9 as marks in a square. Each class forms one patch or two;"
# sphinx_gallery_alt = "most patches are apart, some overlap in the middle."
with torch.no_grad():
    guess = model.encode(test.x)
places = torch.special.ndtr(guess.mean)  # the probability below: from 0 to 1
figure, ax = plt.subplots(figsize=(5.2, 5.2))
for c in range(10):
    here = places[test.y == c]
    colour = plot.PALETTE[c % len(plot.PALETTE)]
    ax.scatter(here[:, 0], here[:, 1], marker=f"${c}$", s=40, color=colour)
ax.set(xlabel="prior probability below, first number", ylabel="the same, second number")
ax.set(xlim=(0, 1), ylim=(0, 1))
plt.show()

# %%
# Nobody told it the classes. How well do they show? Give each test digit the class of the nearest
# code of a training digit. The control: the same with the first two principal components.

with torch.no_grad():
    known = model.encode(x).mean


def read(codes, of):
    return (data.train.y[torch.cdist(of, codes).argmin(1)] == test.y).double().mean().item()


_, _, directions = torch.linalg.svd(x - x.mean(0), full_matrices=False)
principal = [(part - x.mean(0)) @ directions[:2].T for part in (x, test.x)]
by_code, by_components = read(known, guess.mean), read(*principal)
width = (0.5 * guess.log_variance).exp()
print(f"right by the nearest code: {by_code:.3f}; by two principal components: {by_components:.3f}")
print(f"spread of a guess: median {width.median():.3f}, largest {width.max():.2f} (the prior's: 1)")
assert by_code > by_components + 0.05
assert width.median() < 0.3

# %%
# **What to notice.** The patches fill the square about evenly: that is what the divergence asks
# for, though not for each class. The guesses are narrow beside the prior, a few hundredths to a
# tenth of its width, so that the plane holds many distinct images.
#
# **What to change.** Multiply the divergence by ten (``ELBOLoss(likelihood, beta=10)``, with
# ``learn_std=False``): what becomes of the patches, and of the spread of the guesses? Train with
# another seed: the map is another one. Why is there nothing in the loss that could prefer either?

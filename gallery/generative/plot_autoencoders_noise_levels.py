"""
A denoiser for one storm, and one for any
=========================================

You will see denoisers that were trained at one strength of noise and are met by another. Against
them stands one that was trained at all strengths, without being told which.
"""

import matplotlib.pyplot as plt
import torch

from dlbook import models, nn, plot
from dlbook.data import digits
from dlbook.metrics.generative import psnr
from dlbook.optim import Adam
from dlbook.optim.lr_scheduler import CosineAnnealingLR
from dlbook.train import fit

plot.use_style()


class AnyNoise(torch.nn.Module):
    """Gaussian noise whose standard deviation is drawn anew for each image."""

    def __init__(self, largest):
        super().__init__()
        self.largest = largest

    def forward(self, x):
        if not self.training:
            return x
        return x + self.largest * torch.rand(len(x), 1) * torch.randn_like(x)


# %%
# Four denoisers with the same layers, start, rate and number of steps.

data = digits.load()


def train(noise):
    torch.manual_seed(0)
    model = models.DenoisingAutoencoder(models.DeepAutoencoder((64, 256, 64)), noise)
    optimizer = Adam(model.parameters(), lr=4e-3)
    fit(
        model,
        nn.MSELoss(),
        optimizer,
        (data.train.x, data.train.x),
        epochs=100,
        batch_size=128,
        scheduler=CosineAnnealingLR(optimizer, 100),
        seed=0,
        progress=False,
        device="cpu",
    )
    return model.eval()


trained = {f"σ = {std}": train(models.GaussianNoise(std)) for std in (0.1, 0.25, 0.5)}
trained["any, up to 0.6"] = train(AnyNoise(0.6))

# %%
# Each meets test images in noise of many strengths. All answers are clipped to the range 0 to 1.

clean = data.test.x
levels = [0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6]
decibels = {name: [] for name in ("only clipped", *trained)}
for level in levels:
    generator = torch.Generator().manual_seed(1)
    seen = models.gaussian_noise(clean, level, generator=generator)
    decibels["only clipped"].append(psnr(seen.clamp(0, 1), clean) if level else float("nan"))
    with torch.no_grad():
        for name, model in trained.items():
            decibels[name].append(psnr(model(seen).clamp(0, 1), clean))

# sphinx_gallery_alt = "Decibels against the strength of the noise, five falling curves. The three"
# sphinx_gallery_alt = "for one strength cross each other. Clipping alone begins high above them"
# sphinx_gallery_alt = "all and ends far below."
figure, ax = plt.subplots()
styles = ("k:", "-o", "--s", "-.^", "-D")
for (name, values), style in zip(decibels.items(), styles, strict=True):
    ax.plot(levels, values, style, ms=4, label=name)
ax.set(xlabel="standard deviation of the noise", ylabel="decibels", ylim=(7, 33))
ax.legend()
plt.show()
at = {level: i for i, level in enumerate(levels)}
print("           " + "".join(f"{level:8}" for level in (0.1, 0.25, 0.5)))
for name, values in decibels.items():
    print(f"{name:15s}" + "".join(f"{values[at[v]]:8.2f}" for v in (0.1, 0.25, 0.5)))
for level in (0.1, 0.25, 0.5):
    here = {name: values[at[level]] for name, values in decibels.items()}
    own = here[f"σ = {level}"]
    assert own > max(here[f"σ = {v}"] for v in (0.1, 0.25, 0.5) if v != level)
    assert here["any, up to 0.6"] > own - (1 if level > 0.2 else 4)
weak = {name: values[at[0.05]] for name, values in decibels.items()}
assert weak["only clipped"] > max(weak[name] for name in trained) + 1
assert decibels["any, up to 0.6"][at[0.1]] > decibels["σ = 0.5"][at[0.1]] + 1

# %%
# **What to notice.** At each of the three strengths the denoiser that was trained for it is the
# best of the three. One for weak noise leaves much of a storm where it is; one for a storm wipes
# away parts of an image that was hardly spoiled. The one for any strength isn't told how bad it
# is. In strong noise it is close to the specialist, in weak noise it is not: its errors there
# are small beside those in a storm, and count little in its training. And in very weak noise,
# clipping alone is ahead of all four, which don't give back even a clean image exactly.
#
# **What to change.** Tell the network the strength, as a 65th input. Mask pixels instead.

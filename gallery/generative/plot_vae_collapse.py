"""
What the factor β does to each number of a code
===============================================

You will see how many nats each number of a code costs, for factors β of 1, 4 and 16, in a
linear variational autoencoder and in one with hidden layers. For the linear one a formula says
beforehand which directions of the data will be used, and when the last of them falls silent.
"""

import matplotlib.pyplot as plt
import torch

from dlbook import models, nn, optim, plot
from dlbook.data import digits
from dlbook.optim.lr_scheduler import LambdaLR
from dlbook.train import fit

plot.use_style()
S, Z, BETAS = 0.25, 8, (1, 4, 16)
data = digits.load()
x = data.train.x
variances = torch.linalg.eigvalsh(torch.cov(x.T)).flip(0)  # along the principal directions


def trained(model, beta, lr, epochs):
    optimizer = optim.Adam(model.parameters(), lr=lr)
    schedule = LambdaLR(optimizer, lambda t: min(1, 2 * (1 - t / epochs)))
    loss = models.ELBOLoss(model.likelihood, beta)
    fit(model, loss, optimizer, (x, x), epochs=epochs, scheduler=schedule, seed=0, progress=False)
    return model


def linear():
    torch.manual_seed(0)
    return models.VAE(torch.nn.Identity(), nn.Linear(Z, 64), 64, Z, models.GaussianLikelihood(S))


def deep():
    torch.manual_seed(0)
    return models.DenseVAE((64, 128), Z, models.GaussianLikelihood(S))


def costs(model):
    """Mean divergence of each number of the code, the largest first."""
    with torch.no_grad():
        mean, log_variance = model.encode(x)
    each = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance)
    return each.mean(0).sort(descending=True).values


# %%
# Train six networks. A direction of variance λ is used if λ exceeds βs²; then it costs
# ½ ln(λ / βs²) nats, and the sum over the directions can be held against the sum over the numbers
# of the code.

measured = {name: [] for name in ("linear", "deep")}
predicted = torch.stack([0.5 * (variances[:Z] / (b * S**2)).clamp(min=1).log() for b in BETAS])
for beta, each in zip(BETAS, predicted):
    measured["linear"].append(costs(trained(linear(), beta, 3e-2, 25)))
    measured["deep"].append(costs(trained(deep(), beta, 5e-3, 20)))
    sums = [measured[name][-1].sum().item() for name in measured]
    print(f"β {beta:5}: predicted {each.sum():.2f}, linear {sums[0]:.2f}, deep {sums[1]:.2f}")
table = {name: torch.stack(rows) for name, rows in measured.items()}
off = (table["linear"].sum(1) - predicted.sum(1)).abs()
assert (off < 0.1 * predicted.sum(1) + 0.2).all()
assert table["linear"][-1].max() < 0.05 and table["deep"][-1].max() < 0.1

# %%

# sphinx_gallery_alt = "Two panels of eight falling lines over β from 1 to 16. In both, line"
# sphinx_gallery_alt = "after line reaches zero as β grows, and at 16 all have. In the lower panel,"
# sphinx_gallery_alt = "of the network with hidden layers, the lines begin farther apart."
figure, axes = plt.subplots(2, 1, figsize=(5.2, 5.2), sharex=True, sharey=True)
for ax, (name, rows) in zip(axes, table.items(), strict=True):
    for k in range(Z):
        ax.plot(BETAS, rows[:, k], marker="o", ms=3, color=plot.PALETTE[0], alpha=1 - 0.1 * k)
    ax.set(ylabel=f"nats a number, {name}")
axes[1].set(xscale="log", xlabel="β")
plt.show()

# %%
# **What to notice.** Numbers fall silent one after the other, and what they cost goes to 0 rather
# than jumping there. At the largest β the decoder forgives more than the digits vary along any
# direction: all codes are alike, and that is the best that can be done there.
#
# **What to change.** Give ``GaussianLikelihood`` twice the spread and divide all β by four: which
# numbers of the table change? Let the spread be learned (``learn_std=True``): what does β do now?

"""
One kind of noise, one loss
===========================

You will see three kinds of noise, and the loss that each turns into when its likelihood is
maximised: the bell becomes the squared error, the tent the absolute error, and a density with
long tails a loss that grows ever more slowly. Then spoiled targets pull at three lines, and at
last a table says which loss is best for which noise.
"""

import math

import matplotlib.pyplot as plt
import torch

from dlbook import ops, plot
from dlbook.data import digits

plot.use_style()

# %%
# The densities of the noise :math:`d = y - \hat y`. The first is the Gaussian, the second the
# Laplace density, the third is called Student's, with 2 degrees of freedom. The losses are minus
# their logarithms, less the constant that no prediction can change.


def gaussian(d):
    return torch.exp(-(d**2) / 2) / math.sqrt(2 * math.pi)


def laplace(d):
    return torch.exp(-d.abs()) / 2


def student(d):
    return (1 + d**2 / 2) ** -1.5 / math.sqrt(8)


noises = {"Gaussian": gaussian, "Laplace": laplace, "Student": student}
zero = torch.tensor(0.0, dtype=torch.float64)


def loss_of(density, d):
    return torch.log(density(zero)) - torch.log(density(d))


# %%
# Above the noise, below the loss.

# sphinx_gallery_alt = "Two charts, one above the other, for noise from -5 to 5. Above: a bell, a"
# sphinx_gallery_alt = "pointed tent, and a bell with long tails. Below: a parabola that leaves the"
# sphinx_gallery_alt = "chart, a V with straight arms, and a curve that bends over on both sides."
d = torch.linspace(-5, 5, 501, dtype=torch.float64)
wide = torch.linspace(-300, 300, 600_001, dtype=torch.float64)
figure, (above, below) = plt.subplots(2, 1, figsize=(5.2, 6.2), sharex=True)
for name, density in noises.items():
    above.plot(d, density(d), label=name)
    below.plot(d, loss_of(density, d), label=name)
    assert abs(torch.trapezoid(density(wide), wide) - 1) < 1e-4
above.set(ylabel="density of the noise")
below.set(ylabel="loss", xlabel="error d", ylim=(0, 6))
above.legend()
plt.show()

# %%
# Two of the three losses have a name, and the package has them.

y = torch.tensor([1.0, 2, 3, 6, 18], dtype=torch.float64)
c = torch.full((5,), 4.0, dtype=torch.float64)
pairs = {"Gaussian": ops.mse_loss(c, y) / 2, "Laplace": ops.l1_loss(c, y)}
for name, named in pairs.items():
    derived = loss_of(noises[name], c - y).mean()
    print(f"{name:8s} derived {derived:.12f}, dlbook {named:.12f}")
    assert abs(derived - named) < 1e-12

# %%
# Now a line, fitted to real digits: how much ink is in the left half of an image of an 8, and how
# much in the right? A tenth of the targets is spoiled: the number was written down ten times too
# large. All three fits are weighted least squares, done again and again. The weight of a sample is
# the slope of its loss divided by its error: 1, :math:`1/|d|` and :math:`3/(2 + d^2)`.

train = digits.load(dtype=torch.float64).train
eights = train.x[train.y == 8].view(-1, 8, 8)
left, right = eights[:, :, :4].sum((1, 2)), eights[:, :, 4:].sum((1, 2))
generator = torch.Generator().manual_seed(0)
spoiled = torch.randperm(len(left), generator=generator)[: len(left) // 10]
noted = right.clone()
noted[spoiled] *= 10
X = torch.stack([left, torch.ones_like(left)], dim=1)

weights = {
    "Gaussian": lambda d: torch.ones_like(d),
    "Laplace": lambda d: 1 / d.abs().clamp(min=1e-9),
    "Student": lambda d: 3 / (2 + d**2),
}


def fit(X, y, weight, rounds=300):
    line = torch.tensor([0.0, y.median()], dtype=torch.float64)
    for _ in range(rounds):
        v = weight(X @ line - y)[:, None]
        line = torch.linalg.solve(X.T @ (v * X), X.T @ (v[:, 0] * y))
    return line


lines = {name: fit(X, noted, weight) for name, weight in weights.items()}
clean = fit(X, right, weights["Gaussian"])
for name, line in lines.items():  # each fit is the lowest place of its own cost
    cost = loss_of(noises[name], X @ line - noted).mean()
    for nudge in 0.01 * torch.randn(200, 2, generator=generator, dtype=torch.float64):
        assert loss_of(noises[name], X @ (line + nudge) - noted).mean() >= cost - 1e-9

# %%
# The spoiled targets lie far above the picture.

# sphinx_gallery_alt = "A cloud of points, the ink of the left half against that of the right, with"
# sphinx_gallery_alt = "four lines. Three of them run through the cloud, close together. The"
# sphinx_gallery_alt = "fourth, of the Gaussian noise with spoiled targets, lies far above it."
figure, ax = plt.subplots(figsize=(5.2, 4.4))
ax.plot(left, right, "o", color=plot.MUTED, markersize=4, alpha=0.6)
ends = torch.tensor([left.min(), left.max()])
for name, line in lines.items():
    ax.plot(ends, line[0] * ends + line[1], label=name)
ax.plot(ends, clean[0] * ends + clean[1], color="black", label="Gaussian, nothing spoiled")
ax.set(xlabel="ink in the left half", ylabel="ink in the right half", ylim=(0, 32))
ax.legend(loc="upper left")
plt.show()

middle = X.mean(0)
off = {name: (middle @ (line - clean)).item() for name, line in lines.items()}
for name, difference in off.items():
    print(f"{name:8s} {difference:+6.2f} off in the middle")
assert off["Gaussian"] > 5 > 1 > max(abs(off["Laplace"]), abs(off["Student"]))

# %%
# Is the squared error a bad loss, then? It depends on the noise. Draw samples around 0, estimate
# the middle with each loss, and do that 2,000 times with each noise. The numbers are the root of
# the mean squared mistake, times the root of the number of samples, so that the tables compare.


def student_location(y, rounds=30):
    middle = y.median(1, keepdim=True).values
    for _ in range(rounds):
        v = weights["Student"](middle - y)
        middle = (v * y).sum(1, keepdim=True) / v.sum(1, keepdim=True)
    return middle[:, 0]


estimates = {
    "Gaussian": lambda y: y.mean(1),
    "Laplace": lambda y: y.median(1).values,
    "Student": student_location,
}
winners = {}
for n in (25, 401):
    normal = torch.randn(3, 2000, n, generator=generator, dtype=torch.float64)
    exponential = torch.empty(2000, n, dtype=torch.float64).exponential_(generator=generator)
    draws = {
        "Gaussian": normal[0],
        "Laplace": torch.sign(normal[0]) * exponential,  # exponential, with a random sign
        "Student": normal[0] / ((normal[1] ** 2 + normal[2] ** 2) / 2).sqrt(),
    }
    print(f"{n} samples; loss:", *[f"{name:>9s}" for name in estimates])
    for noise, y in draws.items():
        mistakes = {name: (n * (f(y) ** 2).mean()).sqrt().item() for name, f in estimates.items()}
        winners[n, noise] = min(mistakes, key=mistakes.get)
        print(f"{noise + ' noise':>18s}", *[f"{value:9.3f}" for value in mistakes.values()])
for noise in noises:
    assert winners[401, noise] == noise
assert winners[25, "Gaussian"] == "Gaussian" and winners[25, "Student"] == "Student"

# %%
# **What to notice.** With 401 samples the lowest number of each row stands on the diagonal: the
# loss that was derived from the noise wins. With 25 the second row is a close race between the
# median and the third loss. That maximum likelihood is hard to beat is a promise for many samples.
#
# **What to change.** Spoil only one target in a hundred. Or multiply the spoiled ones by 0 instead
# of 10: which of the lines moves now, and which way? Take 3 samples instead of 25: who wins?

"""
Too stiff, about right, too supple: three polynomials through fifteen points
============================================================================

You will see polynomials fitted to noisy samples of a curve. A straight line misses the curve's
shape, a polynomial of degree 14 goes through every sample and swings wildly in between. The error
on the samples cannot tell the two apart from a good fit; the error on other samples can. A penalty
then tames the supple one without taking a single coefficient away.
"""

import matplotlib.pyplot as plt
import torch

from dlbook import plot

plot.use_style()

# %%
# The curve is :math:`\sin 4x` between −1 and 1. Fifteen samples are for fitting, and 2,000 others
# for judging; the noise on each target has the standard deviation 0.3, so a mean squared error of
# about 0.09 on the others is the best that anything can do.

N, NOISE = 15, 0.3
places = torch.linspace(-1, 1, N, dtype=torch.float64)


def targets(x, generator):
    return torch.sin(4 * x) + NOISE * torch.randn(len(x), generator=generator, dtype=x.dtype)


def basis(x, degree):
    """The Legendre polynomials up to a degree, a column each: they span all polynomials, and
    nearly perpendicularly."""
    columns = [torch.ones_like(x), x]
    for k in range(1, degree):
        columns.append(((2 * k + 1) * x * columns[k] - k * columns[k - 1]) / (k + 1))
    return torch.stack(columns[: degree + 1], dim=1)


def fit(y, degree, penalty=0.0):
    """Least squares plus penalty/2 times the squared length of the coefficients."""
    A = basis(places, degree)
    H = A.T @ A / N + penalty * torch.eye(degree + 1, dtype=A.dtype)
    return torch.linalg.solve(H, A.T @ y / N)


def error(x, y, c):
    return ((basis(x, len(c) - 1) @ c - y) ** 2).mean().item()


generator = torch.Generator().manual_seed(0)
y = targets(places, generator)
others = 2 * torch.rand(2000, generator=generator, dtype=torch.float64) - 1
other_targets = targets(others, generator)

# %%

# sphinx_gallery_alt = "Three panels with the same fifteen noisy points along a wave. In the"
# sphinx_gallery_alt = "first a straight line passes through none of the wave's bends. In the"
# sphinx_gallery_alt = "second a curve of degree 5 follows the dashed true wave closely. In the"
# sphinx_gallery_alt = "third a curve of degree 14 goes through every point and leaves the panel"
# sphinx_gallery_alt = "between the outer ones."
line = torch.linspace(-1, 1, 400, dtype=torch.float64)
figure, axes = plt.subplots(3, 1, figsize=(5.2, 7.6), sharex=True)
errors = {}
for ax, degree in zip(axes, (1, 5, 14), strict=True):
    c = fit(y, degree)
    errors[degree] = error(places, y, c), error(others, other_targets, c)
    ax.plot(line, torch.sin(4 * line), color=plot.MUTED, linestyle="--", label="the curve")
    ax.plot(line, basis(line, degree) @ c, label=f"degree {degree}")
    ax.plot(places, y, "o", color="black", markersize=5)
    ax.set(ylim=(-2.6, 3.8), ylabel="y")
    ax.legend(loc="upper center", ncols=2)
axes[-1].set_xlabel("x")
plt.show()

for degree, (seen, unseen) in errors.items():
    print(f"degree {degree:2d}: {seen:.4f} on the fifteen samples, {unseen:.3f} on others")
assert errors[1][0] > errors[5][0] > errors[14][0] and errors[14][0] < 1e-15
assert errors[5][1] < errors[1][1] and errors[5][1] < errors[14][1] / 10

# %%
# Was that luck? Draw the fifteen targets a hundred times, and take the median of the errors.

degrees = range(15)
seen, unseen = [], []
for draw in range(100):
    y_draw = targets(places, torch.Generator().manual_seed(draw))
    fits = [fit(y_draw, degree) for degree in degrees]
    seen.append([error(places, y_draw, c) for c in fits])
    unseen.append([error(others, other_targets, c) for c in fits])
seen, unseen = (torch.tensor(rows).median(0).values for rows in (seen, unseen))

# sphinx_gallery_alt = "Median errors against the degree from 0 to 14, logarithmic. On the"
# sphinx_gallery_alt = "fifteen samples the error only falls, to nothing at degree 14. On others"
# sphinx_gallery_alt = "it falls until degree 5, to just above the line of the noise, and then"
# sphinx_gallery_alt = "climbs to several hundred times that."
figure, ax = plt.subplots()
ax.plot(degrees, seen.clamp(min=1e-6), marker="o", label="the fifteen samples")
ax.plot(degrees, unseen, marker="s", label="other samples")
ax.axhline(NOISE**2, color=plot.MUTED, linewidth=1, linestyle="-")
ax.set(xlabel="degree", ylabel="squared error", yscale="log", ylim=(1e-3, None))
ax.legend()
plt.show()

best = unseen.argmin().item()
print(f"lowest on other samples at degree {best}: {unseen[best]:.3f}")
assert (seen.diff() < 0).all() and 3 <= best <= 7 and unseen[14] > 10 * unseen[best]

# %%
# Now keep degree 14 and add the penalty :math:`\tfrac\lambda2\lVert\mathbf c\rVert^2`.

penalties = torch.logspace(-8, 1, 19).tolist()
runs = torch.zeros(100, len(penalties))
for draw in range(100):
    y_draw = targets(places, torch.Generator().manual_seed(draw))
    for column, penalty in enumerate(penalties):
        runs[draw, column] = error(others, other_targets, fit(y_draw, 14, penalty))
penalised = runs.median(0).values

# sphinx_gallery_alt = "Median error of degree 14 on other samples against the factor of the"
# sphinx_gallery_alt = "penalty, both logarithmic: a valley. Its lowest point, near 0.01, lies"
# sphinx_gallery_alt = "close to the dashed line of degree 5; to the left it climbs far, to the"
# sphinx_gallery_alt = "right a little."
figure, ax = plt.subplots()
ax.plot(penalties, penalised, marker="o", label="degree 14, penalised")
ax.axhline(unseen[best], color=plot.PALETTE[1], linestyle="--", label=f"degree {best}, free")
ax.set(xlabel="factor λ of the penalty", ylabel="squared error", xscale="log", yscale="log")
ax.legend()
plt.show()

lowest = penalised.argmin().item()
print(f"lowest at λ = {penalties[lowest]:.1e}: {penalised[lowest]:.3f}")
assert 0 < lowest < len(penalties) - 1
assert penalised[lowest] < unseen[14] / 10 and penalised[lowest] < 1.5 * unseen[best]

# %%
# **What to notice.** The error on the samples that were fitted falls all the way, right into the
# worst fit of all. Choosing the degree and choosing the penalty are two ways to the same end.
#
# **What to change.** Take 60 samples: at which degree does the error turn now? Take away the noise:
# does degree 14 still swing? Place the samples at random: why is it even worse then?

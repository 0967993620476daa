"""
Scales through twenty layers
============================

You will see what twenty layers of random weights do to the size of a signal on its way up and to
the size of a gradient on its way down, for five activation functions and five ways to draw the
weights. The lines were computed without any network, from a few integrals. The marks were measured
on networks, and lie on the lines.
"""

import math

import matplotlib.pyplot as plt
import torch

import dlbook
from dlbook import init, ops, plot

plot.use_style()
device = dlbook.device()
depth, width, seeds, batch = 20, 256, 5, 32

activations = {
    "identity": ops.identity,
    "ReLU": ops.relu,
    "tanh": ops.tanh,
    "logistic": ops.sigmoid,
    "SELU": ops.selu,
}
gains = {  # the standard deviation of a weight, times the root of the width
    "N(0, 0.01²)": 0.01 * math.sqrt(width),
    "PyTorch's default": math.sqrt(1 / 3),
    "Xavier": 1.0,
    "He": math.sqrt(2),
    "N(0, 1)": math.sqrt(width),
}


def draw(scheme, w, generator):
    """Fill a weight matrix."""
    if scheme == "PyTorch's default":
        return init.kaiming_uniform_(w, a=math.sqrt(5), generator=generator)
    if scheme == "Xavier":
        return init.xavier_normal_(w, generator=generator)
    if scheme == "He":
        return init.kaiming_normal_(w, nonlinearity="relu", generator=generator)
    return init.normal_(w, std=gains[scheme] / math.sqrt(width), generator=generator)


def measured(g, scheme):
    """Return root mean squares by layer, median over the seeds: of outputs, of cotangents."""
    ups, downs = [], []
    for seed in range(seeds):
        random = torch.Generator().manual_seed(seed)
        a = torch.randn(batch, width, generator=random, dtype=torch.float64).to(device)
        layers = [a.requires_grad_()]
        for _ in range(depth):
            w = draw(scheme, torch.empty(width, width, dtype=torch.float64), random).to(device)
            layers.append(g(layers[-1] @ w.mT))
        top = torch.randn(batch, width, generator=random, dtype=torch.float64).to(device)
        downs.append(torch.stack(torch.autograd.grad(layers[-1], layers, top)))
        ups.append(torch.stack(layers).detach())
    return [
        torch.stack(t).square().mean((2, 3)).sqrt().median(0).values.cpu() for t in (ups, downs)
    ]


def slope(g, z):
    """Return g' at every point."""
    z = z.clone().requires_grad_()
    return torch.autograd.grad(g(z).sum(), z)[0]


def predicted(g, gain):
    """Return the same two lists from integrals alone."""
    up, factors = [1.0], []
    for _ in range(depth):
        q = gain**2 * up[-1]  # the mean square of the next layer's pre-activations
        up.append(init.gaussian_mean(lambda z: g(z) ** 2, q))
        factors.append(gain**2 * init.gaussian_mean(lambda z: slope(g, z) ** 2, q))
    down = [1.0]
    for factor in reversed(factors):
        down.insert(0, down[0] * factor)
    return [torch.tensor(t, dtype=torch.float64).sqrt() for t in (up, down)]


# %%
# For each pair, the factor between input and output: upwards of the outputs, downwards of the
# cotangents. Predictions are for endless width.

curves = {}
print("activation scheme               up: predicted measured   down: predicted measured")
for name, g in activations.items():
    for scheme, gain in gains.items():
        foretold, found = predicted(g, gain), measured(g, scheme)
        curves[name, scheme] = foretold, found
        row = []
        for (first, last), lines in zip(((0, -1), (-1, 0)), zip(foretold, found)):
            row += [(line[last] / line[first]).item() for line in lines]
        print(f"{name:10s} {scheme:18s} {row[0]:15.1e} {row[1]:9.1e}  {row[2]:15.1e} {row[3]:9.1e}")
        for expected, got in (row[:2], row[2:]):
            assert 0.5 < got / expected < 2

for name, scheme in (("identity", "Xavier"), ("ReLU", "He")):
    _, (up, down) = curves[name, scheme]
    for line in (up / up[0], down / down[-1]):
        assert line.min() > 0.5 and line.max() < 2

# %%

# sphinx_gallery_alt = "A grid of five rows and two columns of line plots with logarithmic"
# sphinx_gallery_alt = "axes. Rows: identity, ReLU, tanh, logistic, SELU. Left the scale of the"
# sphinx_gallery_alt = "outputs by layer, right that of the cotangents. For identity and ReLU the"
# sphinx_gallery_alt = "lines fan out over forty powers of ten; only Xavier stays level for the"
# sphinx_gallery_alt = "identity, only He for ReLU. For tanh and the logistic function the outputs"
# sphinx_gallery_alt = "cannot explode, but with tanh and N(0, 1) the cotangents do. The marks lie"
# sphinx_gallery_alt = "on the lines."
figure, axes = plt.subplots(len(activations), 2, figsize=(5.2, 10.5), sharex=True)
styles = list(zip(plot.PALETTE, plot.LINESTYLES, plot.MARKERS))
for name, pair in zip(activations, axes):
    for scheme, (colour, dashes, marker) in zip(gains, styles):
        foretold, found = curves[name, scheme]
        for ax, line, marks in zip(pair, foretold, found):
            whole = line * marks[0 if ax is pair[0] else -1]
            ax.semilogy(whole, color=colour, linestyle=dashes, linewidth=1.5)
            ax.semilogy(
                range(0, depth + 1, 4), marks[::4], marker, color=colour, label=scheme, markersize=5
            )
    pair[0].set_ylabel(name)
axes[0, 0].set_title("outputs")
axes[0, 1].set_title("cotangents")
for ax in axes[-1]:
    ax.set_xlabel("layer")
axes[3, 0].set_ylim(0.1, 2)
handles = [
    plt.Line2D([], [], color=colour, linestyle=dashes, marker=marker, label=scheme)
    for scheme, (colour, dashes, marker) in zip(gains, styles)
]
figure.legend(handles=handles, loc="outside lower center", ncols=2)
plt.show()

# %%
# **What to notice.** For the identity and for ReLU every line is straight: each layer multiplies by
# the same factor, and only one scheme each has a factor of 1. A bounded function can't explode
# upwards, so its outputs look healthy with large weights; its cotangents say otherwise. With the
# logistic function, whose slope is at most one quarter, the gradient vanishes with every scheme
# here but the largest, and all outputs settle near one half.
#
# **What to change.** Lower ``width`` to 16, and the marks leave the lines: narrow networks scatter.
# Or add orthogonal matrices, ``init.orthogonal_``, to the schemes.

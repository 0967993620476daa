"""
Five simple functions, one complicated one
==========================================

You will see :math:`f(x) = \\log(\\cos(\\exp(\\sin^3 x)))` come about, one simple function after
the other: what each makes of the curve that it receives. Then its slope, put together from the
five simple slopes, beside the slope that a nudge finds; and the composition as a graph.
"""

import math

import matplotlib.pyplot as plt
import torch

from dlbook import plot
from dlbook.autodiff import Tape, numerical_gradient

plot.use_style()

# %%
# The library: each function knows itself and its own slope, and nothing else.

library = {
    "sin": (torch.sin, torch.cos),
    "cube": (lambda t: t**3, lambda t: 3 * t**2),
    "exp": (torch.exp, torch.exp),
    "cos": (torch.cos, lambda t: -torch.sin(t)),
    "log": (torch.log, lambda t: 1 / t),
}


def compose(names, x):
    """The values after each step, and the slope after each step."""
    values, slopes = [x], [torch.ones_like(x)]
    for name in names:
        function, slope = library[name]
        slopes.append(slopes[-1] * slope(values[-1]))
        values.append(function(values[-1]))
    return values, slopes


# %%
# From the top: the curve after one step, after two, … The last step needs a positive number, and
# does not always get one: from there on the curve has gaps.

# sphinx_gallery_alt = "Five panels, one below the other, over x from minus 2 pi to 2 pi. A sine;"
# sphinx_gallery_alt = "its cube, flat where it crosses zero; the exponential of that, with tall"
# sphinx_gallery_alt = "bumps; the cosine, with dips below zero; the logarithm, which dives at the"
# sphinx_gallery_alt = "edges of those dips and is missing in them."
x = torch.linspace(-2 * math.pi, 2 * math.pi, 4001, dtype=torch.float64)
names = ["sin", "cube", "exp", "cos", "log"]
values, slopes = compose(names, x)
figure, axes = plt.subplots(5, 1, sharex=True, figsize=(5.2, 8.6))
for ax, name, value in zip(axes, names, values[1:]):
    ax.plot(x, value)
    ax.set(ylabel=name)
axes[3].axhline(0, color=plot.INK, linewidth=1, linestyle="-")
axes[4].set(xlabel="x", ylim=(-6, 0.3))
plt.show()

missing = values[-1].isnan()
assert torch.equal(missing, values[-2] < 0)
print(f"undefined on {missing.double().mean():.1%} of the points")
assert 0.21 < missing.double().mean() < 0.23

# %%
# The slope: five simple slopes multiplied, against nudges, at forty places where :math:`f` exists.

# sphinx_gallery_alt = "The slope of f over x: a curve that dives to minus infinity on the left"
# sphinx_gallery_alt = "edge of each gap and comes down from infinity on its right edge. Dots,"
# sphinx_gallery_alt = "the nudges, lie on it."
places = x[(values[-2] > 0.05)][::80]
nudges = torch.stack([numerical_gradient(lambda t: compose(names, t)[0][-1], p) for p in places])
chained = compose(names, places)[1][-1]
figure, ax = plt.subplots()
ax.plot(x, slopes[-1].where(~missing, torch.nan), label="five slopes multiplied")
ax.plot(places, nudges, "o", color=plot.PALETTE[1], label="a nudge")
ax.set(xlabel="x", ylabel="slope of f", ylim=(-12, 12))
ax.legend(loc="upper left")
plt.show()

print(f"largest difference {(nudges - chained).abs().max():.0e}")
assert torch.allclose(nudges, chained, rtol=1e-6, atol=1e-7)

# %%
# The tape does the multiplying by itself, from the last step to the first.

# sphinx_gallery_alt = "A chain of boxes from x, minus 1, through sin, a cube, exp and cos to log,"
# sphinx_gallery_alt = "with each value above and, below, how much f moves with it."
tape = Tape()
start = tape.variable(torch.tensor(-1.0, dtype=torch.float64), name="x")
end = compose(names, start.detach())[1][-1]
value = start
for function in (torch.sin, lambda t: t**3, torch.exp, torch.cos, torch.log):
    value = function(value)
slope = tape.gradient(value, start)
plot.graph(tape)
plt.show()

print(f"slope at −1: {slope:.6f} by the tape, {end:.6f} multiplied in order")
assert abs(slope - end) < 1e-12

# %%
# **What to notice.** No step knows what comes before or after it. The slope of the whole can be
# large although every step is tame, and it has no limit near a gap.
#
# **What to change.** Compose the same five in another order, or leave one out. Which orders have
# no gaps at all? Repeat ``"sin"`` twenty times: what becomes of the curve, and of its slope?

r"""
How small a nudge? Three quotients, three number formats
========================================================

You will see the error of a slope that is estimated by difference quotients, against the size of
the nudge. With ever smaller nudges it falls as the quotient's order says, reaches its least value
where two straight lines cross, and rises again. The crossing can be computed beforehand.
"""

import matplotlib.pyplot as plt
import torch

from dlbook import plot

plot.use_style()

# %%
# The function is :math:`f(x) = e^x`, at 64 places from 0 to 0.01. All its derivatives are nearly 1
# there, so that nothing but the quotient and the number format matter. Three quotients, with
# errors of first, second and fourth order in :math:`h`:
#
# .. math::
#
#    \frac{f(x+h) - f(x)}{h}, \qquad \frac{f(x+h) - f(x-h)}{2h}, \qquad
#    \frac{8\,(f(x+h) - f(x-h)) - (f(x+2h) - f(x-2h))}{12h} .
#
# Taylor's formula gives what is left of the exact quotients: :math:`h/2`, :math:`h^2/6` and
# :math:`h^4/30`. A value that is wrong by up to :math:`\delta` adds up to :math:`2\delta/h`,
# :math:`\delta/h` and :math:`18\delta/12h`.

x = torch.linspace(0, 0.01, 64, dtype=torch.float64)
quotients = {
    "forward": (1, 1 / 2, 2, lambda f, x, h: (f(x + h) - f(x)) / h),
    "central": (2, 1 / 6, 1, lambda f, x, h: (f(x + h) - f(x - h)) / (2 * h)),
    "five points": (
        4,
        1 / 30,
        18 / 12,
        lambda f, x, h: (8 * (f(x + h) - f(x - h)) - (f(x + 2 * h) - f(x - 2 * h))) / (12 * h),
    ),
}


def error(quotient, x, h):
    """The largest error over the places, for each nudge; h is a power of two, so x ± h is exact."""
    found = [quotient(torch.exp, x, step).double() - torch.exp(x.double()) for step in h]
    return torch.stack([e.abs().max() for e in found])


def balance(order, c, r, delta):
    """Where c h^order + r δ/h is smallest, and how small."""
    h = (r * delta / (order * c)) ** (1 / (order + 1))
    return h, c * h**order + r * delta / h


# %%
# In double precision: the measured errors as marks, the two predicted parts together as lines,
# and the predicted best nudge as a star. Places and nudges are multiples of a small power of two,
# so that no nudge is rounded. A correctly rounded value between 1 and 2 is wrong by half a unit in
# its last binary digit at most; that is our :math:`\delta`.

# sphinx_gallery_alt = "Log-log chart of error against nudge from one half down to ten to the"
# sphinx_gallery_alt = "minus twelve, in double precision. Three V shapes, for forward, central and"
# sphinx_gallery_alt = "five-point quotients, with lines through the marks. Their lowest points lie"
# sphinx_gallery_alt = "near nudges of 2e-8, 7e-6 and 1e-3, with errors near 2e-8, 2e-11, 2e-13."
double = torch.tensor([2.0**-k for k in range(1, 40)], dtype=torch.float64)
grid = (x * 2**13).round() / 2**13  # multiples of 2^-13: x + h needs no more than 53 digits
delta = torch.finfo(torch.float64).eps / 2

figure, ax = plt.subplots(figsize=(5.2, 5.0))
for number, (name, (order, c, r, quotient)) in enumerate(quotients.items()):
    colour, marker = plot.PALETTE[number], plot.MARKERS[number]
    measured = error(quotient, grid, double)
    predicted = c * double**order + r * delta / double
    ax.plot(double, predicted, color=colour, linewidth=1.2, linestyle=plot.LINESTYLES[number])
    ax.plot(double, measured, marker, color=colour, markersize=4, label=name)
    best, least = balance(order, c, r, delta)
    ax.plot(best, least, "*", color=colour, markersize=15, markeredgecolor=plot.INK, zorder=5)
    seen = double[measured.argmin()].item()
    print(f"{name:11s} best nudge predicted {best:.1e}, measured {seen:.1e}; ", end="")
    print(f"error predicted {least:.1e}, measured {measured.min():.1e}")
    assert 1 / 8 < seen / best < 8
    assert measured.min() < 2 * least
    assert (measured < 3 * predicted).all()
ax.set(xscale="log", yscale="log", xlabel="nudge h", ylabel="largest error", ylim=(1e-15, 10))
ax.legend()
plt.show()

# %%
# The same central quotient in three formats, at 64 places from 0 to 1/8 that each of them holds
# exactly. Half precision keeps 11 binary digits, single precision 24, double precision 53. Each
# has its own :math:`\delta`, and the best nudge moves with its third root.

# sphinx_gallery_alt = "Log-log chart of the central quotient's error against the nudge in half,"
# sphinx_gallery_alt = "single and double precision. All three share the line of slope two on the"
# sphinx_gallery_alt = "right. Half precision leaves it near a nudge of 0.1, single near 0.01,"
# sphinx_gallery_alt = "double near 1e-5; from there each rises to the left."
figure, ax = plt.subplots(figsize=(5.2, 4.4))
order, c, r, central = quotients["central"]
eighth = torch.arange(64, dtype=torch.float64) / 512
for number, dtype in enumerate((torch.float16, torch.float32, torch.float64)):
    delta = torch.finfo(dtype).eps / 2
    h = torch.tensor([2.0**-k for k in range(1, 40)], dtype=torch.float64)
    h = h[h > 4 * delta]
    measured = error(central, eighth.to(dtype), h.to(dtype))
    format_name = str(dtype).removeprefix("torch.")
    ax.plot(h, measured, marker=plot.MARKERS[number], markersize=4, label=format_name)
    best, least = balance(order, c, r, delta)
    ax.plot(best, least, "*", color=plot.PALETTE[number], markersize=15, mec=plot.INK, zorder=5)
    print(f"{format_name}: best nudge predicted {best:.1e}, measured {h[measured.argmin()]:.1e}; ")
    print(f"         error predicted {least:.1e}, measured {measured.min():.1e}")
    assert 1 / 8 < h[measured.argmin()] / best < 8
    assert least / 3 < measured.min() < 3 * least
    assert dtype != torch.float16 or measured.min() > 0.002
ax.set(xscale="log", yscale="log", xlabel="nudge h", ylabel="largest error")
ax.legend()
plt.show()

# %%
# **What to notice.** A higher order moves the crossing to the right and down: the five points do
# best with a nudge a hundred times as large as the central quotient's. Rounding hurts less where
# the nudge may stay large. In half precision even the best nudge leaves an error of more than
# two thousandths.
#
# **What to change.** Take :math:`f(x) = e^{100x}`: which derivative grows by which factor, and
# where do the crossings go? Replace the 64 places by the single place 0 in the first figure: the
# V shapes become ragged. Why?

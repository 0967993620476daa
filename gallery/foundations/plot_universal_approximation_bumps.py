"""
Bumps that add up to any curve
==============================

You will see a logistic unit become a step, two steps become a bump, and a row of bumps become a
curve that was drawn beforehand. Nothing is trained. The largest error is known before the network
is built, and halves when the number of units doubles.
"""

import matplotlib.pyplot as plt
import torch

from dlbook import plot
from dlbook.models import staircase_network

plot.use_style()


def curve(x):
    """What is to be drawn: nowhere steeper than 3."""
    return 0.5 * torch.sin(5 * x) + 0.5 * torch.exp(-((3 * x - 6) ** 2))


LOW, HIGH = 0.0, 3.0
x = torch.linspace(LOW, HIGH, 3001, dtype=torch.float64)
slope = (curve(x).diff() / x.diff()).abs().max().item()
print(f"steepest slope seen: {slope:.2f}")
assert slope < 3

# %%
# A logistic unit :math:`\sigma(s(x - t))` climbs from 0 to 1 around :math:`t`, the faster the
# larger its weight :math:`s`. Subtract a second one, and the step ends: a bump.

# sphinx_gallery_alt = "Two panels over x from 0 to 3. Above, three S-shaped steps at 1 that grow"
# sphinx_gallery_alt = "steeper, with weights 4, 16 and 64. Below, three bumps between 1 and 2: the"
# sphinx_gallery_alt = "first is rounded and low, the last nearly a box of height 1."
figure, (above, below) = plt.subplots(2, 1, figsize=(5.2, 5.4), sharex=True)
for number, s in enumerate((4, 16, 64)):
    step = torch.sigmoid(s * (x - 1))
    bump = step - torch.sigmoid(s * (x - 2))
    above.plot(x, step, marker=plot.MARKERS[number], markevery=500, label=f"weight {s}")
    below.plot(x, bump, marker=plot.MARKERS[number], markevery=500, label=f"weight {s}")
    print(f"weight {s}: the bump rises to {bump.max():.3f}")
above.set(title="one unit: a step")
below.set(title="two units: a bump", xlabel="x")
above.legend()
plt.show()
assert bump.max() > 0.999

# %%
# Now a row of them, each as high as the curve in its middle. Neighbours share a border, so that a
# step from one height to the next does for both: N units make N + 1 stairs.

# sphinx_gallery_alt = "Three panels with a wavy curve and a staircase. With 5 units the stairs"
# sphinx_gallery_alt = "are wide and miss the peaks, with 20 they follow it, with 80 the two lines"
# sphinx_gallery_alt = "can hardly be told apart."
figure, axes = plt.subplots(3, 1, figsize=(5.2, 8.0), sharex=True)
errors, promises = [], []
for ax, units in zip(axes, (5, 20, 80), strict=True):
    net = staircase_network(curve, LOW, HIGH, units, lipschitz=3.0)
    with torch.no_grad():
        y = net(x[:, None])[:, 0]
    errors.append((y - curve(x)).abs().max().item())
    promises.append(net.promise)
    ax.plot(x, curve(x), linestyle="--", label="the curve")
    ax.plot(x, y, label=f"{units} units")
    ax.set(title=f"promised {net.promise:.3f}, largest error {errors[-1]:.3f}")
    ax.legend(loc="lower left")
axes[-1].set_xlabel("x")
plt.show()
assert all(error <= promise for error, promise in zip(errors, promises, strict=True))

# %%
# The promise is :math:`\tfrac12 L h` and a little for the steps' roundness, with the steepest slope
# :math:`L` and the width :math:`h` of a stair. Error against units, on logarithmic axes:

# sphinx_gallery_alt = "Promised and measured largest error against the number of units from 4 to"
# sphinx_gallery_alt = "256, both on logarithmic axes. Both fall in nearly straight lines; the"
# sphinx_gallery_alt = "measured points lie below the promise."
counts = [4, 8, 16, 32, 64, 128, 256]
measured, promised = [], []
for units in counts:
    net = staircase_network(curve, LOW, HIGH, units, lipschitz=3.0)
    with torch.no_grad():
        measured.append((net(x[:, None])[:, 0] - curve(x)).abs().max().item())
    promised.append(net.promise)

figure, ax = plt.subplots()
ax.plot(counts, promised, label="promised")
ax.plot(counts, measured, "o", color=plot.PALETTE[1], label="measured")
ax.set(xlabel="hidden units", ylabel="largest error", xscale="log", yscale="log")
ax.legend()
plt.show()

ratios = [a / b for a, b in zip(measured, measured[1:], strict=False)]
print("each doubling divides the error by", ", ".join(f"{r:.2f}" for r in ratios))
assert all(m <= p for m, p in zip(measured, promised, strict=True))
assert all(1.5 < r < 2.5 for r in ratios[3:])

# %%
# **What to notice.** The network needs the steepest slope only for its promise, not for its
# weights. Where the curve is flat its stairs are wasted: the borders are equally spaced,
# whatever the curve does.
#
# **What to change.** Give ``staircase_network`` a smaller ``sharpness``, 4 instead of 12. The
# stairs melt into a smooth curve, and the promise becomes worse. Does the measured error, too?

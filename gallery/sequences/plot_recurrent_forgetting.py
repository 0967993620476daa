"""
Two pasts, one present: how fast a recurrent network forgets where it began
===========================================================================

You will see two runs of one network that read the same inputs and differ only in the state they
start from. With small weights they meet within a few steps: the beginning is forgotten. With large
ones they part, and the smallest difference ends as a large one. In between lies a border, and the
rate on either side is the one that gradients have on their way back.
"""

import matplotlib.pyplot as plt
import torch

from dlbook import ops, plot

plot.use_style()

# %%
# Two hundred units, weights drawn at random with the variance (gain²)/200, inputs that are noise.
# The second run starts a millionth beside the first. Beside the measured distance stands a
# prediction: each step multiplies it by the gain times the root mean square of the slopes of tanh.

UNITS, STEPS = 200, 120
generator = torch.Generator().manual_seed(0)


def normal(*shape):
    return torch.randn(shape, dtype=torch.float64, generator=generator)


drawn, inputs, start = normal(UNITS, UNITS) / UNITS**0.5, normal(STEPS, 10, 8), normal(10, UNITS)
into, aside = 0.1 * normal(UNITS, 8), normal(10, UNITS)
aside = 1e-6 * aside / aside.norm(dim=1, keepdim=True)

curves = {}
for gain in (0.6, 1.0, 1.4, 2.0):
    one, other = (
        ops.recurrent.rnn_tanh(inputs, 0.1 * start + shift, into, gain * drawn)[0]
        for shift in (0, aside)
    )
    apart = (one - other).norm(dim=2).log().mean(1).exp()
    rate = gain * (1 - one**2).square().mean().sqrt().item()
    curves[gain] = apart, rate
    seen = (apart[24] / apart[4]).item() ** (1 / 20)  # before rounding is met
    print(f"gain {gain}: predicted {rate:.3f} a step, measured {seen:.3f}")
    assert abs(seen / rate - 1) < 0.15

# %%

# sphinx_gallery_alt = "Four lines from a millionth on, over 120 steps, on a logarithmic axis."
# sphinx_gallery_alt = "Gain 0.6 falls steeply until it meets the floor of rounding, gain 1 falls"
# sphinx_gallery_alt = "slowly, gain 1.4 stays about level, gain 2 climbs and levels off near ten."
figure, ax = plt.subplots(figsize=(5.2, 4.0))
steps = torch.arange(1, STEPS + 1)
styles = zip(curves.items(), plot.PALETTE, plot.MARKERS, strict=False)
for (gain, (apart, rate)), colour, mark in styles:
    ax.plot(steps[::5], apart[::5], mark, color=colour, ms=4, label=f"gain {gain}")
    ax.plot(steps, 1e-6 * rate ** steps.double(), color=colour, lw=1)
ax.set(yscale="log", ylim=(1e-18, 1e3), xlabel="step", ylabel="distance of the two states")
ax.legend(loc="upper left", ncols=2)
plt.show()

assert curves[0.6][0][-1] < 1e-14 and curves[2.0][0][-1] > 1
assert curves[0.6][0][60] < curves[1.0][0][60] < curves[1.4][0][60] < curves[2.0][0][60]

# %%
# **What to notice.** The lines are straight until they can't be: below, two numbers in double
# precision can't lie closer; above, the states are bounded and can't lie farther apart. A network
# that forgets where it began is one whose gradients vanish, and one that can't forget is one whose
# gradients explode; both follow the same product of Jacobians, once read forwards, once backwards.
#
# **What to change.** Make the inputs five times as strong: which gain is the border then? Take
# rectifiers instead of tanh (``ops.recurrent.rnn_relu``): what is the root mean square of their
# slopes, and does the prediction hold?

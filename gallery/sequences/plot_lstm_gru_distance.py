"""
Which biases let an LSTM's gradient through?
============================================

You will see how much of a gradient survives 100 steps in LSTMs that have never been trained, for 49
pairs of biases: one for the forget gates, one for the input gates. A narrow valley of settings
keeps it. On one side of it gradients vanish, on the other they grow.
"""

import math

import matplotlib.pyplot as plt
import torch

from dlbook import nn, plot

plot.use_style()

# %%
# The same weights every time, 32 units and four inputs, drawn as PyTorch draws them. Only the
# biases differ. The inputs are noise.

H, STEPS = 32, 101
BIASES = [-6.0, -4.0, -2.0, 0.0, 2.0, 4.0, 6.0]
draws = torch.Generator().manual_seed(0)
noise = torch.randn(STEPS, 16, 4, generator=draws).double()
direction = torch.randn(16, H, generator=draws).double()


def layer(keep, write):
    torch.manual_seed(0)
    lstm = nn.LSTM(4, H, dtype=torch.float64)
    with torch.no_grad():
        for bias in (lstm.bias_ih_l0, lstm.bias_hh_l0):
            bias.zero_()
        lstm.bias_ih_l0[:H] = write
        lstm.bias_ih_l0[H : 2 * H] = keep
    return lstm


def left(lstm):
    """The gradient by the input 100 steps back, as a share of that of one step back."""
    x = noise.clone().requires_grad_()
    (lstm(x)[0][-1] * direction).sum().backward()
    size = x.grad.norm(dim=(1, 2))
    return (size[0] / size[-2]).item()


found = torch.tensor([[left(layer(keep, write)) for keep in BIASES] for write in BIASES])

# %%
# At rest a step multiplies by the spectral radius of :math:`f I + i\,o\,U_c`. That needs no data:
# the line in the figure is where it is 1.


def radius(keep, write):
    f, i = (1 / (1 + math.exp(-b)) for b in (keep, write))
    u = layer(0.0, 0.0).weight_hh_l0.detach()[2 * H : 3 * H]
    step = f * torch.eye(H, dtype=torch.float64) + i * 0.5 * u
    return torch.linalg.eigvals(step).abs().max().item()


rate = torch.tensor([[radius(keep, write) for keep in BIASES] for write in BIASES])

# %%

# sphinx_gallery_alt = "A square of 49 fields, coloured and each with a number. To the left, where"
# sphinx_gallery_alt = "forget gates are shut, exponents as low as minus 80. To the right they rise"
# sphinx_gallery_alt = "to zero and, in the upper right corner, above. A line parts that corner."
figure, ax = plt.subplots(figsize=(5.6, 5.2))
exponent = found.log10()
ax.imshow(exponent.clamp(-12, 3), origin="lower", cmap="RdBu_r", vmin=-12, vmax=12)
for row in range(len(BIASES)):
    for column in range(len(BIASES)):
        value = exponent[row, column].item()
        dark = value < -7
        ax.text(
            column,
            row,
            f"{value:.0f}" if value < -1 else f"{value:.1f}",
            ha="center",
            va="center",
            color="white" if dark else "black",
        )
ax.contour(rate, levels=[1.0], colors="black", linestyles="--")
ax.set_xticks(range(len(BIASES)), [f"{b:g}" for b in BIASES])
ax.set_yticks(range(len(BIASES)), [f"{b:g}" for b in BIASES])
ax.set_xlabel("bias of the forget gates")
ax.set_ylabel("bias of the input gates")
ax.set_title("powers of ten left after 100 steps")
ax.grid(visible=False)
plt.show()

kept = (found > 0.1) & (found < 10)
print(f"between a tenth and ten times: {int(kept.sum())} of {found.numel()} settings")
print(f"rate at rest among these: {rate[kept].min():.3f} to {rate[kept].max():.3f}")
assert found[3, 3] < 1e-12  # both zero, as from the shelf
assert found[0, 6] > 0.3  # keep all, write little
assert (found[:, :3] < 1e-6).all()  # forget gates that are shut
assert (rate[found < 1e-6] < 1).all()

# %%
# **What to notice.** On the left nothing helps: a shut forget gate cuts the direct path, and the
# detour alone is weaker than a simple network's whole way. From the shelf (both biases about 0)
# 100 steps leave next to nothing. On the right the input gates decide: nearly shut, almost all
# arrives; open, gradients grow, if less than the rate at rest says, since cells that fill up
# flatten tanh.
#
# **What to change.** Multiply the noise by 5. Which fields change, and why does the line stay where
# it is?

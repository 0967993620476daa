r"""
From a mean to a pick: how sharp should a lookup be?
====================================================

You will see what attention reads when the same scores are multiplied by a growing factor. At 0 it
reads the mean of everything, far out it copies a single entry. And you will see what comes back to
the scores: nothing at either end of the second curve, and most of it in between.
"""

import matplotlib.pyplot as plt
import torch

from dlbook import ops, plot

plot.use_style()

# %%
# A store of eight entries, each with a key and a value. The query is the key of the third entry,
# with noise on it. Scores are products of query and keys.

draws = torch.Generator().manual_seed(3)
keys = torch.nn.functional.normalize(torch.randn(8, 16, generator=draws).double(), dim=1)
values = torch.arange(8.0).double()
wanted = 2
query = keys[wanted] + 0.15 * torch.randn(16, generator=draws).double()
scores = keys @ query
print("scores:", [f"{z:.2f}" for z in scores.tolist()])
assert scores.argmax() == wanted

# %%
# The factor goes from 0.1 to 1000. For each one: the weights, what is read, and the cotangent of
# the scores when the loss is half the squared distance of what is read from the wanted value plus 1
# (so that there is always something to be improved).

factors = torch.logspace(-1, 3, 60).double()
weights, read, back = [], [], []
for factor in factors:
    z = (factor * scores).requires_grad_()
    p = ops.softmax(z, -1)
    got = p @ values
    (0.5 * (got - values[wanted] - 1) ** 2).backward()
    weights.append(p.detach())
    read.append(got.item())
    back.append(z.grad.norm().item())
weights = torch.stack(weights)

# %%

# sphinx_gallery_alt = "Two panels over a logarithmic axis. Above, eight weights start together at"
# sphinx_gallery_alt = "an eighth and part; one rises to 1. Below, what is read goes from the mean"
# sphinx_gallery_alt = "of 3.5 to 2, and the gradient of the scores falls steeply to nothing at"
# sphinx_gallery_alt = "the right."
figure, (above, below) = plt.subplots(2, 1, figsize=(5.4, 6.2), sharex=True)
for j in range(8):
    above.plot(
        factors,
        weights[:, j],
        color="C0" if j == wanted else "0.6",
        linewidth=2.4 if j == wanted else 1.0,
        label={wanted: "the wanted entry", 0: "the others"}.get(j),
    )
above.set(xscale="log", ylabel="weight")
above.legend(loc="center right")
below.plot(factors, read, label="what is read")
below.axhline(values[wanted], color="0.4", linestyle=":", label="the wanted value")
below.plot(factors, back, linestyle="--", label="size of the scores' gradient")
below.set(xlabel="factor of the scores", ylim=(-0.1, 4.0))
below.legend()
plt.show()

print(f"read at the left {read[0]:.2f}, at the right {read[-1]:.4f}")
print(f"gradient: largest {max(back):.2f}, at the right {back[-1]:.1e}")
assert abs(read[0] - values.mean()) < 0.2
assert abs(read[-1] - values[wanted]) < 1e-6
assert back[-1] < 1e-6 < 0.1 < max(back)

# %%
# **What to notice.** A soft lookup can be made as exact as a hard one by large scores. But then
# nothing comes back: the weights are 0 and 1, and a small change of the scores changes nothing. A
# network must begin blunt, so that it can learn where to look, and may become sharp when it knows.
#
# **What to change.** Multiply the noise by 4. Is the wanted entry still the one that is read at the
# right?

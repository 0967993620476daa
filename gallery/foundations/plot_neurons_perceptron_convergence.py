"""
The perceptron's proof, watched at work
=======================================

You will see the hardest pair of digits, ones and eights on a retina of 20 by 20 photocells, being
learned by a perceptron: how its weights are squeezed between two curves that must meet, how its
mistakes depend on the order of the pictures and never exceed the bound, and what the weights
look like on the way.
"""

import matplotlib.pyplot as plt
import torch
from sklearn.svm import SVC

from dlbook import plot
from dlbook.data import digits
from dlbook.models import Perceptron, retina, separation

plot.use_style()

# %%
# Each picture gets one more input that is always 1. A sample's *demand* is that input with the
# sign of its class: the unit is right where the weights give it a positive number.

train = digits.load(dtype=torch.float64).train


def seen(first, second):
    """Two digits on the retina; classes −1 and +1; and the demands."""
    chosen = (train.y == first) | (train.y == second)
    x = retina(train.x[chosen])
    y = torch.where(train.y[chosen] == second, 1.0, -1.0).double()
    return x, y, y[:, None] * torch.cat([x, torch.ones(len(x), 1).double()], dim=1)


x, y, demands = seen(1, 8)
tool = SVC(kernel="linear", C=1e7)  # finds the widest margin
tool.fit([*demands.numpy(), *-demands.numpy()], [1] * len(x) + [-1] * len(x))
best = torch.tensor(tool.coef_[0])
best = best / best.norm()
radius, margin, bound = separation(x, y, best[:-1], best[-1])
print(f"{len(x)} pictures, R = {radius:.2f}, margin {margin:.3f}: at most {bound:.0f} mistakes")

# %%
# After every mistake the part of the weights along the best direction has grown by the margin at
# least, and their squared length by R² at most.

unit = Perceptron(400, dtype=torch.float64)
mistakes = unit.learn(x, y)
path = demands[mistakes.samples].cumsum(0)
k = torch.arange(1, len(path) + 1, dtype=torch.float64)
along, length = path @ best, path.norm(dim=1)
print(f"mistakes in each epoch: {mistakes.epochs}, in all {len(mistakes)}")
assert mistakes.converged and len(mistakes) <= bound
assert (along >= k * margin - 1e-6).all() and (length <= k.sqrt() * radius).all()
assert (along <= length).all()

# %%

# sphinx_gallery_alt = "Four curves that begin together. A straight line at the bottom meets the"
# sphinx_gallery_alt = "square-root curve on top near 700. Between them two curves rise and end"
# sphinx_gallery_alt = "before 200."
figure, ax = plt.subplots(figsize=(5.2, 4))
far = torch.linspace(0, 1.02 * bound, 200)
ax.plot(far, far.sqrt() * radius, label=r"$\sqrt{k}\,R$")
ax.plot(k, length, label="length of the weights")
ax.plot(k, along, label="part along the best direction")
ax.plot(far, far * margin, label=r"$k\gamma$")
ax.axvline(bound, color="black", linewidth=1, linestyle=":")
ax.set(xlabel="mistakes $k$", ylabel="length")
ax.legend(loc="upper left")
plt.show()

# %%
# The theorem holds for every order of the pictures. Here are forty.

counts = []
for seed in range(40):
    trial = Perceptron(400, dtype=torch.float64)
    made = trial.learn(x, y, generator=torch.Generator().manual_seed(seed))
    assert made.converged and len(made) <= bound
    counts.append(len(made))
print(f"forty orders: {min(counts)} to {max(counts)} mistakes, the bound is {bound:.0f}")

# %%

# sphinx_gallery_alt = "A histogram of forty runs, all of them far to the left of a dashed line at"
# sphinx_gallery_alt = "the bound."
figure, ax = plt.subplots()
ax.hist(counts, bins=12, color=plot.PALETTE[0], edgecolor=plot.PANEL)
ax.axvline(bound, color="black", linestyle="--", label="bound")
ax.set(xlabel="mistakes until all is right", ylabel="runs", xlim=(0, 1.05 * bound))
ax.legend()
plt.show()

# %%
# What has it learned? The weights are a sum of pictures: eights that it took for ones, less ones
# that it took for eights. Each is shown after so many mistakes as its title says, purple above
# zero, orange below.

# sphinx_gallery_alt = "Four pictures of 20 by 20 weights, titled 1, 5, 25 and 162. The first is a"
# sphinx_gallery_alt = "single digit; the later ones are ever more mottled patterns of purple and"
# sphinx_gallery_alt = "orange patches."
steps = [1, 5, 25, len(path)]
weights = torch.stack([path[n - 1, :-1] for n in steps])
weights = weights / weights.abs().amax(1, keepdim=True)
plot.images(weights, titles=steps, columns=4, signed=True)
plt.show()

# %%
# **What to notice.** The proof is far from tight here: it has to hold for the most
# unlucky order, and for the most awkward pictures with the same R and margin.
#
# **What to change.** Take an easy pair, 0 and 7. Shift all pictures by a constant, or give the
# constant input the value 10 instead of 1: what happens to R, to the margin and to the mistakes?

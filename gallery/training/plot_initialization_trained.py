"""
Which networks can be trained at all
====================================

You will see a map. Downwards the networks become deeper, from left to right their first weights
become larger, and a field is dark where the network has learned to read digits. The dark region
narrows with depth to a wedge around a gain of the root of two. Then a second question: can a better
optimiser make up for a bad start?
"""

import math

import matplotlib.pyplot as plt
import torch

import dlbook
from dlbook import init, ops, plot
from dlbook.data import digits

plot.use_style()
device = dlbook.device()
train, validation, test = digits.load(device=device)
width, seeds = 32, 2


def networks(depth, gains, rates):
    """Return weights and biases of a network for every gain, rate and seed, side by side.

    Networks of the same seed start from the same numbers, scaled by their gains.
    """
    draws = [torch.Generator().manual_seed(seed) for seed in range(seeds)]
    sizes = [64, *[width] * (depth - 1), 10]
    scale = torch.tensor(gains).repeat_interleave(len(rates) * seeds)[:, None, None]
    W, b = [], []
    for D, K in zip(sizes, sizes[1:]):
        noise = [init.normal_(torch.empty(K, D), generator=draw) / math.sqrt(D) for draw in draws]
        noise = torch.stack(noise).repeat(len(gains) * len(rates), 1, 1)
        W.append((noise * scale).to(device).requires_grad_())
        b.append(torch.zeros(len(noise), 1, K, device=device, requires_grad=True))
    return W, b, draws


def learn(depth, gains, rates, epochs, adam=False, batch=32):
    """Train all networks; return the shares read, (gains, rates, seeds), validation and test."""
    W, b, draws = networks(depth, gains, rates)
    parameters = [*W, *b]
    eta = torch.tensor(rates).repeat_interleave(seeds).repeat(len(gains))[:, None, None].to(device)
    first = [torch.zeros_like(p) for p in parameters]
    second = [torch.zeros_like(p) for p in parameters]

    def scores(x):
        for w, c in zip(W[:-1], b[:-1]):
            x = ops.relu(torch.baddbmm(c, x, w.mT))
        return torch.baddbmm(b[-1], x, W[-1].mT)

    step = 0
    for _ in range(epochs):
        order = torch.stack([torch.randperm(len(train), generator=draw) for draw in draws])
        order = order.repeat(len(gains) * len(rates), 1).to(device)
        for rows in order.split(batch, dim=1):
            log_p = ops.log_softmax(scores(train.x[rows]), dim=-1)
            cost = -log_p.gather(-1, train.y[rows][..., None]).mean((1, 2)).sum()
            gradients = torch.autograd.grad(cost, parameters)
            step += 1
            with torch.no_grad():
                for p, g, m, v in zip(parameters, gradients, first, second):
                    if not adam:
                        p -= eta * g
                        continue
                    m.lerp_(g, 0.1)  # running means of the gradient and of its square
                    v.lerp_(g * g, 0.001)
                    root = (v / (1 - 0.999**step)).sqrt() + 1e-20  # 1e-8 would swallow gradients
                    p -= eta * m / (1 - 0.9**step) / root

    def share(part):
        with torch.no_grad():
            z = scores(part.x.expand(len(W[0]), -1, -1))
        right = (z.argmax(-1) == part.y) & z.isfinite().all(-1)
        return right.float().mean(1).reshape(len(gains), len(rates), seeds).cpu()

    return share(validation), share(test)


def best(shares):
    """Return the test shares at the learning rate that is best on the validation part."""
    on_validation, on_test = shares
    chosen = on_validation.mean(2).argmax(1)
    return on_test[torch.arange(len(chosen)), chosen], chosen


# %%
# **The map.** Ten passes through the training digits with plain stochastic gradient descent, two
# seeds, and for every field the learning rate of three that is best on the validation part.

depths = [4, 8, 12, 24]
gains = [0.5, 0.71, 1.0, math.sqrt(2), 2.0, 2.8, 4.0]
rates = [0.004, 0.02, 0.1]
table = torch.stack([best(learn(depth, gains, rates, epochs=10))[0].mean(1) for depth in depths])
print("share of test digits read; one row for each depth, one column for each gain")
print("depth  " + "".join(f"{gain:6.2f}" for gain in gains))
for depth, row in zip(depths, table.tolist()):
    print(f"{depth:5d}  " + "".join(f"{share:6.2f}" for share in row))

he = gains.index(math.sqrt(2))
assert (table[0, 1:6] > 0.75).all()  # four layers forgive a wide range of gains
assert table[-1].argmax() == he and table[-1, he - 1] < 0.2 and table[-1, he + 1] < table[-1, he]

# %%

# sphinx_gallery_alt = "A map of seven columns and four rows of squares with the share of digits"
# sphinx_gallery_alt = "read in each. In the row of four layers nearly all fields are dark, with"
# sphinx_gallery_alt = "shares above 0.6. Further down fewer are; with 24 layers only the column of"
# sphinx_gallery_alt = "gain 1.41 reaches beyond 0.2."
figure, ax = plt.subplots(figsize=(5.2, 3.8))
image = ax.imshow(table, cmap="cividis_r", vmin=0, vmax=1, aspect="auto")
for i, row in enumerate(table.tolist()):
    for j, share in enumerate(row):
        colour = "white" if share > 0.6 else "black"
        ax.text(j, i, f"{share:.2f}", ha="center", va="center", color=colour, fontsize=11)
ax.set_xticks(range(len(gains)), [f"{gain:.2f}" for gain in gains])
ax.set_yticks(range(len(depths)), depths)
ax.set(xlabel="gain: standard deviation of a weight · √fan-in", ylabel="layers")
ax.grid(False)
plt.show()

# %%
# **Adam.** It divides every step by the size of its gradients, so that vanishing ones still make
# steps of the usual size (its ε is made negligible here: gradients are near its usual 1e-8).
# Does that rescue the default of PyTorch's linear layers, a gain of
# :math:`1/\sqrt3`? Sixteen layers, the same ten passes.

default = 1 / math.sqrt(3)
searched = {"SGD": [0.003, 0.02, 0.1, 0.5], "Adam": [5e-4, 2e-3, 1e-2, 5e-2]}
found = {}
for name, choices in searched.items():
    shares, chosen = best(learn(16, [default, math.sqrt(2)], choices, 10, adam=name == "Adam"))
    found[name] = shares.mean(1)
    for start, row, rate in zip(("default", "He"), shares, chosen):
        print(f"{name:4s} from {start:8s} rate {choices[rate]:<6g} {row.mean():.2f}")
assert found["SGD"][0] + 0.1 < found["Adam"][0] < found["Adam"][1] - 0.2 and found["SGD"][0] < 0.2

# %%
# **What to notice.** The same factor per layer that four layers forgive is fatal to twenty-four: it
# is a power of the depth. Adam gets further from a bad start than plain descent, but the start
# still matters.
#
# **What to change.** Replace ``ops.relu`` by ``ops.tanh``. Where does the wedge end now?

"""
Dropout as an ensemble
======================

You will see how a network that was trained with dropout answers if half of its hidden units are
missing, how the average of many such answers improves on a single one, and that the whole network,
asked once, is about as good as the average of hundreds.
"""

import matplotlib.pyplot as plt
import torch

from dlbook import ops, plot
from dlbook.data import digits
from dlbook.models import MLP
from dlbook.optim import Adam
from dlbook.train import fit

plot.use_style()

# %%
# Five networks with 128 hidden units, each dropped with probability ½ in every step, trained on 200
# handwritten digits, a fifth of which have a wrong label.

data = digits.load()


def trained(seed):
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randperm(len(data.train), generator=generator)[:200]
    y = data.train.y[rows].clone()
    y[:40] = (y[:40] + torch.randint(1, 10, (40,), generator=generator)) % 10
    torch.manual_seed(seed)
    model = MLP((64, 128, 10), dropout=0.5)
    optimizer = Adam(model.parameters(), lr=0.01)
    fit(
        model, ops.cross_entropy, optimizer, (data.train.x[rows], y), epochs=80, batch_size=200,
        seed=seed, device="cpu", progress=False,
    )  # fmt: skip
    return model


models = [trained(seed) for seed in range(5)]

# %%
# In evaluation the whole network answers. In training mode each call draws masks, and so asks
# another thinned network for every image. Averages over up to 300 calls:

DRAWS = 300
counts = [1, 2, 3, 5, 10, 20, 50, 100, 300]


@torch.no_grad()
def answers(model, seed):
    """Log-probabilities of the whole network, and of thinned ones, a call a row."""
    whole = ops.log_softmax(model.eval()(data.test.x), dim=1)
    torch.manual_seed(seed)
    model.train()
    thinned = [ops.log_softmax(model(data.test.x), dim=1) for _ in range(DRAWS)]
    model.eval()
    return whole, torch.stack(thinned)


def judge(log_p):
    """Accuracy and cross-entropy on the test part."""
    right = (log_p.argmax(1) == data.test.y).double().mean().item()
    return right, -log_p.gather(1, data.test.y[:, None]).mean().item()


single, pooled, alone = [], [], []
for seed, model in enumerate(models):
    whole, thinned = answers(model, seed)
    single.append(judge(whole))
    pooled.append([judge(thinned[:n].exp().mean(0).log()) for n in counts])
    alone.append([judge(answer) for answer in thinned[:50]])
single, pooled, alone = (torch.tensor(rows) for rows in (single, pooled, alone))
alone = alone.mean(1)
print(f"a thinned network alone: {alone[:, 0].mean():.1%} on average")
print(f"the mean of {DRAWS}:         {pooled[:, -1, 0].mean():.1%}")
print(f"the whole network:       {single[:, 0].mean():.1%}")

# %%

# sphinx_gallery_alt = "Two panels over the number of averaged answers, from 1 to 300. Above, the"
# sphinx_gallery_alt = "test accuracy climbs steeply within ten answers and then stays at the"
# sphinx_gallery_alt = "dashed line of the whole network. Below, the cross-entropy falls and"
# sphinx_gallery_alt = "levels off a little above the dashed line."
figure, axes = plt.subplots(2, 1, figsize=(5.2, 6), sharex=True)
for ax, column, name in zip(axes, (0, 1), ("accuracy", "cross-entropy"), strict=True):
    values = pooled[:, :, column]
    ax.plot(counts, values.mean(0), marker="o", label="average of thinned networks")
    ax.fill_between(counts, values.min(0).values, values.max(0).values, alpha=0.2, lw=0)
    ax.axhline(
        single[:, column].mean().item(), color=plot.PALETTE[1], linestyle="--",
        label="whole network, asked once",
    )  # fmt: skip
    ax.set(ylabel=f"test {name}", xscale="log")
axes[1].set_xlabel("answers averaged")
axes[0].legend()
plt.show()

assert (pooled[:, -1, 0] > alone[:, 0]).sum() >= 4
assert ((pooled[:, -1, 0] - single[:, 0]).abs() < 0.02).sum() >= 4
assert (pooled[:, -1, 1] < alone[:, 1]).all()

# %%
# Is the whole network the *geometric* mean of the thinned ones, normalised? For one layer of
# softmax on dropped inputs it is, exactly: the scores are linear in the mask. Here the last layer
# is such a layer, and its inputs, the hidden units, are what is dropped. So the mean of the log
# probabilities, normalised, has to approach the whole network's answer as the draws become more.

whole, thinned = answers(models[0], 0)


def distance(log_p):
    """Largest difference from the whole network's probabilities, on average over the images."""
    return (log_p.exp() - whole.exp()).abs().max(1).values.mean().item()


gaps = [distance(ops.log_softmax(thinned[:n].mean(0), dim=1)) for n in counts]
arithmetic = distance(thinned.exp().mean(0).log())
print("geometric mean, off by", *[f"{n}: {gap:.3f} " for n, gap in zip(counts, gaps, strict=True)])
print(f"arithmetic mean of {DRAWS}, off by {arithmetic:.3f}")

# sphinx_gallery_alt = "On logarithmic axes the distance between the geometric mean and the whole"
# sphinx_gallery_alt = "network falls in nearly a straight line, by about a factor of 17 from one"
# sphinx_gallery_alt = "answer to 300, along a dashed line that falls like one over the square"
# sphinx_gallery_alt = "root."
figure, ax = plt.subplots()
ax.plot(counts, gaps, marker="o", label="geometric mean")
ax.plot(counts, [gaps[4] * (10 / n) ** 0.5 for n in counts], "--", label="like $1/\\sqrt{n}$")
ax.set(xlabel="answers averaged", ylabel="distance", xscale="log", yscale="log")
ax.legend()
plt.show()

assert gaps[-1] < gaps[0] / 8 and gaps[-1] < arithmetic

# %%
# **What to notice.** A few dozen thinned networks agree on more than each of them knows. The whole
# network gives nearly the same for the price of one.
#
# **What to change.** Add a second hidden layer, ``MLP((64, 128, 128, 10), dropout=0.5)``: the
# geometric mean is then no longer exact. How far off does it stay, however many draws?

"""
What freezing the first layers does
===================================

You will see a network that has read print adapt to handwriting with its first layers frozen: none
of them, one, two, three, all. Beside it stands the same with random weights in the frozen layers.
Frozen at random, the first layer costs hardly anything, deeper ones more and more; what has been
learned is worth keeping. Each point has a rate of its own: fewer layers may want a larger one.
"""

import copy

import matplotlib.pyplot as plt
import torch

from dlbook import nn, ops, plot
from dlbook.data import Part, digits, glyphs
from dlbook.optim import Adam
from dlbook.train import fit

plot.use_style()
split = digits.load(images=True)  # stratified: the same writers in all parts
SEEDS = (0, 1, 2)
bent = glyphs.load(size=8, margin=0, distortion=glyphs.HANDWRITTEN, examples=(4000, 100, 500))


def network(seed):
    """Four layers: two of convolution, two dense. Each is a block of its own."""
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        nn.Sequential(nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        nn.Sequential(nn.Flatten(), nn.Linear(128, 64), nn.ReLU()),
        nn.Linear(64, 10),
    )


def train(model, part, rate, seed, epochs=40, batch=50):
    optimizer = Adam(model.parameters(), lr=rate)
    fit(
        model,
        ops.cross_entropy,
        optimizer,
        part,
        epochs=epochs,
        batch_size=batch,
        seed=seed,
        device="cpu",
    )
    return model


def draw(n, seed):
    order = torch.randperm(len(split.train), generator=torch.Generator().manual_seed(seed))
    y = split.train.y[order]
    return split.train.take(torch.cat([order[y == k][:n] for k in range(10)]))


@torch.no_grad()
def accuracy(model, part):
    return (model(part.x).argmax(1) == part.y).double().mean().item()


pretrained = [train(network(s), bent.train, 8e-3, s, epochs=2, batch=80) for s in SEEDS]

# %%
# The frozen layers run once. What they give is stored, and the rest is trained on that, with five
# handwritten digits of each class. The rate is chosen for each number of frozen layers and each
# kind of them, by the mean accuracy on the validation part.

RATES = (2e-3, 6e-3, 2e-2, 6e-2, 2e-1)


def tune_above(model, k, part, rate, seed):
    model = copy.deepcopy(model)
    if k < len(model):
        with torch.no_grad():
            stored = Part(model[:k](part.x), part.y)
        train(model[k:], stored, rate, seed)
    return model


def tune_best(models, k):
    """Test accuracies of all seeds, at the rate that does best on validation; and the rate."""

    def tuned(rate):
        return [tune_above(models[s], k, draw(5, s), rate, s) for s in SEEDS]

    def validated(rate):
        return sum(accuracy(model, split.validation) for model in runs[rate])

    rates = {2: RATES[1:4], 3: RATES, 4: RATES[:1]}.get(k, RATES[:3])  # at 4 nothing is trained
    runs = {rate: tuned(rate) for rate in rates}
    rate = max(runs, key=validated)
    assert k == 4 or min(rates) < rate  # the smallest is never the best
    return [accuracy(model, split.test) for model in runs[rate]], rate


starts = {"print": pretrained, "random": [network(s) for s in SEEDS]}
found = {name: [tune_best(models, k) for k in range(5)] for name, models in starts.items()}
scores = {name: [values for values, _ in row] for name, row in found.items()}
for name, row in found.items():
    print(f"{name}, rates for 0 to 3 frozen layers:", *[f"{rate:g}" for _, rate in row[:4]])
for name, values in scores.items():
    print(name.ljust(8), *[f"{sum(v) / len(v):.3f}" for v in values])

# %%

# sphinx_gallery_alt = "Two lines over the number of frozen layers, 0 to 4. The upper one, print,"
# sphinx_gallery_alt = "stays near 0.85 up to 2, falls to 0.8 at 3 and to 0.6 at 4. The lower"
# sphinx_gallery_alt = "one, random, stays near 0.8 up to 1, falls to 0.74 at 3 and to 0.1 at 4."
figure, ax = plt.subplots()
for i, (name, values) in enumerate(scores.items()):
    v = torch.tensor(values)
    bars = torch.stack([v.mean(1) - v.amin(1), v.amax(1) - v.mean(1)])
    ax.errorbar(
        torch.arange(5) + 0.05 * i,
        v.mean(1),
        bars,
        label=f"frozen layers: {name}",
        capsize=3,
        marker=plot.MARKERS[i],
        linestyle=plot.LINESTYLES[i],
    )
ax.set(xlabel="frozen layers", ylabel="accuracy on handwriting", xticks=range(5), ylim=(0, 1))
ax.legend()
plt.show()

learned, random = (torch.tensor(v).mean(1) for v in scores.values())
assert (learned > random).all()
assert learned[4] > 0.5
assert random[4] < 0.2
assert learned[1] > learned[0] - 0.03
assert learned[3] < learned[1]
assert abs(random[1] - random[0]) < 0.03 and random[3] < random[2] < random[1]

# %%
# **What to notice.** At 4 nothing is trained: print alone reads most digits, chance a tenth of
# them. At 3 only the last layer is trained, on features that somebody has learned, or that nobody
# has. The distance between the lines is what is in the frozen layers.
#
# **What to change.** Freeze nothing, but take only the first *k* layers from the network of print,
# the rest at random. Take 20 labels a class instead of five: which layers pay for being frozen now?

"""
Features by hand, features by learning
======================================

You will see the features that a small network made for itself while it learned to read digits,
beside random ones that were never trained; how many of either kind it takes; and where features
that a person thought out stand.
"""

import matplotlib.pyplot as plt
import torch

import dlbook
from dlbook import plot, train
from dlbook.data import Part, digits, handmade
from dlbook.nn import CrossEntropyLoss, Linear, ReLU, Sequential
from dlbook.optim import SGD

plot.use_style()
device = dlbook.device()
parts = digits.load(device=device)

# %%
# A reader is a layer of features and a layer of ten weighted sums. Either both are trained, or the
# features stay as they were drawn. For features by hand there is only the last layer.


def learn(examples, count, frozen=False, rate=1.0, seed=0):
    """Train a reader with ``count`` features of its own (0: the inputs are the features)."""
    torch.manual_seed(seed)
    inputs = examples.x.shape[1]
    if count:
        model = Sequential(Linear(inputs, count), ReLU(), Linear(count, 10))
        for parameter in model[0].parameters():
            parameter.requires_grad_(not frozen)
    else:
        model = Sequential(Linear(inputs, 10))
    turned = [p for p in model.parameters() if p.requires_grad]
    train.fit(
        model,
        CrossEntropyLoss(),
        SGD(turned, lr=rate),
        examples,
        epochs=15,
        batch_size=32,
        device=device,
        seed=seed,
        progress=False,
    )
    return model


def right(model, part):
    with torch.no_grad():
        return train.accuracy(model(part.x), part.y).item()


# %%
# Sixteen features before and after training. Each is a picture of the 64 weights with which it
# looks at the pixels: purple counts for it, orange against it.

# sphinx_gallery_alt = "Two rows of blocks of eight by eight. The upper eight look like noise. The"
# sphinx_gallery_alt = "lower eight, after training, have smooth patches and strokes of purple and"
# sphinx_gallery_alt = "orange."
torch.manual_seed(0)
before = Linear(64, 16).weight.detach()
network = learn(parts.train, 16, rate=0.3)
after = network[0].weight.detach().cpu()
strongest = after.norm(dim=1).argsort(descending=True)[:8]
scale = before.abs().max() / after.abs().max()  # the two rows share one scale of colours
both = torch.cat([before[strongest], after[strongest] * scale])
plot.images(both, titles=["random"] * 8 + ["learned"] * 8, columns=8, signed=True)
plt.show()


def roughness(w):
    """How much neighbouring weights differ, against how large the weights are."""
    w = w.view(-1, 8, 8)
    steps = (w.diff(dim=1) ** 2).mean() + (w.diff(dim=2) ** 2).mean()
    return (steps / (w**2).mean()).item()


print(f"roughness: random {roughness(before):.2f}, learned {roughness(after[strongest]):.2f}")
assert roughness(after[strongest]) < roughness(before)

# %%
# How many features does it take? The size of a turn is chosen on the validation part, for every
# reader anew, from the same three.

# sphinx_gallery_alt = "Share of test digits read rightly against the number of features, from 4"
# sphinx_gallery_alt = "to 64. Learned features rise steeply and end above 0.95; random ones rise"
# sphinx_gallery_alt = "more slowly and end below. A dashed line near 0.94 marks 51 by hand."
by_hand = [Part(handmade.features(part.x), part.y) for part in parts]
numbers = [4, 8, 16, 64]


def tuned(examples, count, frozen=False):
    """The share of the test part, with the turn that is best on the validation part."""
    models = [learn(examples[0], count, frozen, rate) for rate in (0.3, 1, 10)]
    return right(max(models, key=lambda model: right(model, examples[1])), examples[2])


shares = {frozen: [tuned(parts, n, frozen) for n in numbers] for frozen in (False, True)}
hand = tuned(by_hand, 0)
figure, ax = plt.subplots()
for number, (frozen, label) in enumerate({False: "learned", True: "random"}.items()):
    ax.plot(numbers, shares[frozen], marker=plot.MARKERS[number], label=label)
ax.axhline(hand, color=plot.INK, linewidth=1, linestyle="--", label="51 by hand")
ax.set(xscale="log", xlabel="features", ylabel="read rightly", xticks=numbers)
ax.set_xticklabels(numbers)
ax.minorticks_off()
ax.legend()
plt.show()

for n, learned, random in zip(numbers, *shares.values()):
    print(f"{n:2d} features: learned {learned:.1%}, random {random:.1%}")
print(f"51 by hand: {hand:.1%}")
assert all(learned > random for learned, random in zip(*shares.values()))
assert shares[False][-1] > hand > shares[True][-1]

# %%
# **What to notice.** Training smooths the features: neighbouring pixels tend to be inked together,
# and the weights have found that out from the examples alone. A few learned features do the work
# of many random ones. All of this is one run of each, on digits by the same writers.
#
# **What to change.** Load the digits with ``split="file-order"``, so that the test digits are by
# other writers: who leads now? Shuffle the pixels of all images in the same way before anything
# else: which of the three lines falls?

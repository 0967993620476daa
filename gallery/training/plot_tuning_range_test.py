"""
The learning-rate range test, and what its answer depends on
============================================================

You will see 170 batches find the edge of what learning rates a network bears: once for
each batch size, and with momentum. Then full runs check what the test suggests.
"""

import matplotlib.pyplot as plt

from dlbook import ops, plot
from dlbook.data import digits
from dlbook.models import MLP
from dlbook.optim import SGD
from dlbook.train import compare, evaluate, fit, range_test, seed_everything

plot.use_style()
data = digits.load()

# %%
# The rate grows by the same factor with every batch, from 0.001 to 100. The network is small, one
# hidden layer of 32 units, and is afterwards as it was before.

cases = {
    "batches of 8": {"batch_size": 8, "momentum": 0.0},
    "batches of 32": {"batch_size": 32, "momentum": 0.0},
    "batches of 256": {"batch_size": 256, "momentum": 0.0},
    "32, momentum 0.9": {"batch_size": 32, "momentum": 0.9},
}
tests = {}
for name, case in cases.items():
    seed_everything(0)
    model = MLP((64, 32, 10))
    optimizer = SGD(model.parameters(), lr=1.0, momentum=case["momentum"])
    tests[name] = range_test(
        model,
        ops.cross_entropy,
        optimizer,
        data.train,
        low=1e-3,
        high=100,
        steps=170,
        batch_size=case["batch_size"],
        seed=0,
        device="cpu",
    )
    print(f"{name:16s} suggests {tests[name].suggestion:.3f}; {tests[name].stopped}")

# %%

# sphinx_gallery_alt = "Four curves of the loss against the learning rate, logarithmic. All stay"
# sphinx_gallery_alt = "at 2.3 first, then fall and shoot up. The one with momentum falls earliest"
# sphinx_gallery_alt = "and deepest, and is the first to shoot up."
figure, ax = plt.subplots()
for number, (name, test) in enumerate(tests.items()):
    ax.plot(test.rates, test.smoothed, linestyle=plot.LINESTYLES[number], label=name)
    least = min(range(len(test)), key=test.smoothed.__getitem__)
    ax.plot(test.rates[least], test.smoothed[least], "o", color=plot.PALETTE[number])
ax.set(xscale="log", xlabel="learning rate", ylabel="smoothed loss", ylim=(0, 5))
ax.legend(loc="upper left")
plt.show()

# %%
# With momentum 0.9 a step counts nearly ten times in the long run, and the edge, the dot at the
# bottom of the curve, is reached at a lower rate. Now the suggestion for batches of 32 is put to
# the test, beside a fifth, five times and 25 times of it: ten epochs each, three seeds, accuracy on
# the validation part.

suggested = tests["batches of 32"].suggestion


def run(factor):
    def score(seed):
        model = MLP((64, 32, 10))
        optimizer = SGD(model.parameters(), lr=factor * suggested)
        fit(
            model,
            ops.cross_entropy,
            optimizer,
            data.train,
            epochs=10,
            batch_size=32,
            seed=seed,
            device="cpu",
        )
        return evaluate(
            model, ops.cross_entropy, data.validation, metrics=["accuracy"], device="cpu"
        )["accuracy"]

    return score


factors = {"a fifth": 0.2, "suggested": 1.0, "five times": 5.0, "25 times": 25.0}
result = compare({name: run(f) for name, f in factors.items()}, seeds=range(3))
print(result)

assert tests["32, momentum 0.9"].suggestion < tests["batches of 32"].suggestion / 2
assert result.summary("suggested").low > result.summary("a fifth").high
assert result.summary("25 times").high < 0.5

# %%
# **What to notice.** The test finds the edge: 25 times the suggestion is beyond it, and learns
# nothing. The suggestion keeps a margin of ten below the least loss, which is a rule of thumb: a
# fifth of it is clearly too little here, and five times it does somewhat better still.
#
# **What to change.** Smooth less (``smoothing=0.5``): do the dots move? Give the optimiser a weight
# decay: does the test see it? Take a network with four hidden layers.

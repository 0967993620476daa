"""
Nine trials on a grid, nine at random
=====================================

You will see two searches over the learning rate and the weight decay of a small network, with
nine short runs each. Only one of the two hyperparameters matters here; the grid spends two thirds
of its runs on the other.
"""

import matplotlib.pyplot as plt

from dlbook import ops, plot
from dlbook.data import digits
from dlbook.models import MLP
from dlbook.optim import SGD
from dlbook.train import fit, search, seed_everything
from dlbook.train.search import LogUniform

plot.use_style()
data = digits.load()

# %%
# An objective trains a network with the setting of a trial and says how it does on the validation
# part. Both hyperparameters act by their factor, so they are drawn log-uniformly. All trials train
# from the same seed here, so that what differs between two of them is the setting's doing.

space = {"lr": LogUniform(1e-4, 10), "weight_decay": LogUniform(1e-8, 1e-4)}


def objective(trial):
    seed_everything(0)
    model = MLP((64, 32, 10))
    history = fit(
        model,
        ops.cross_entropy,
        SGD(model.parameters(), **trial.config),
        data.train,
        data.validation,
        epochs=trial.budget,
        batch_size=64,
        metrics=["accuracy"],
        seed=0,
        device="cpu",
    )
    return history.validation["accuracy"][-1]


studies = {
    "grid": search.grid(objective, space, points=3, budget=6, mode="max"),
    "random": search.random(objective, space, trials=9, budget=6, mode="max", seed=0),
}
for name, study in studies.items():
    print(f"{name}\n{study}\n")

# %%

# sphinx_gallery_alt = "Two panels, learning rate against weight decay, both logarithmic, each with"
# sphinx_gallery_alt = "nine dots and the accuracy written beside each. In the upper one the dots"
# sphinx_gallery_alt = "form a grid, and the accuracies hardly differ within a column. In the lower"
# sphinx_gallery_alt = "one they are scattered, and no two stand at the same rate. Ticks along the"
# sphinx_gallery_alt = "bottom mark the rates that were tried: three above, nine below."
figure, axes = plt.subplots(2, 1, figsize=(5.2, 8), sharex=True)
for ax, (name, study) in zip(axes, studies.items(), strict=True):
    rates = [r.config["lr"] for r in study.results]
    decays = [r.config["weight_decay"] for r in study.results]
    ax.plot(rates, decays, "o", color=plot.PALETTE[0])
    ax.plot(rates, [2e-9] * len(rates), "|", color="black", markersize=16)
    for result, rate, decay in zip(study.results, rates, decays, strict=True):
        text = "–" if result.score is None else f"{result.score:.2f}"
        ax.annotate(text, (rate, decay), (0, 7), textcoords="offset points", ha="center")
    ax.set(title=name, xscale="log", yscale="log", ylabel="weight decay", ylim=(1e-9, 5e-4))
    ax.set_xlim(3e-5, 40)
axes[-1].set_xlabel("learning rate")
plt.show()

# %%
# One search at random proves little: the next draw may be unlucky. Four more, by their seeds:

best = {0: studies["random"].best}
for seed in range(1, 5):
    best[seed] = search.random(objective, space, trials=9, budget=6, mode="max", seed=seed).best
for seed, found in best.items():
    print(f"random, seed {seed}: rate {found.config['lr']:.3f}, accuracy {found.score:.3f}")
found = studies["grid"].best
print(f"grid:           rate {found.config['lr']:.3f}, accuracy {found.score:.3f}")

assert len({r.config["lr"] for r in studies["grid"].results}) == 3
assert len({r.config["lr"] for r in studies["random"].results}) == 9
assert sum(b.score > studies["grid"].best.score for b in best.values()) >= 4
columns = [[r.score for r in studies["grid"].results[i : i + 3]] for i in (0, 3, 6)]
assert all(max(column) - min(column) < 0.02 for column in columns)

# %%
# **What to notice.** In a column of the grid, the rate is the same and the accuracy nearly so:
# three runs say what one would have said. With three rates for five powers of ten the grid lands
# near the best one only by luck, while most of the random searches come nearer.
#
# **What to change.** Let the decay matter (up to 1): who wins now? Give the grid nine rates and one
# decay. Shift the grid's ends: how much of its result was luck?

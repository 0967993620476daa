"""
A class, drawn step by step
===========================

You will see a network that reads digits draw what it likes best: from blank paper, uphill on the
score of one class, for two hundred steps. Above without any preference of ours, below with two
penalties, on pale and on smooth images. The scores rise in both; the pictures part.
"""

import matplotlib.pyplot as plt
import torch

import dlbook
from dlbook import interpret, nn, ops, plot
from dlbook.data import digits
from dlbook.optim import Adam
from dlbook.train import fit

plot.use_style()
device = dlbook.device()
train, _, test = digits.load(images=True, device=device)

torch.manual_seed(0)
model = nn.Sequential(
    nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(),
    nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(512, 10),
)  # fmt: skip
optimizer = Adam(model.parameters(), lr=0.003)
fit(model, ops.cross_entropy, optimizer, (train.x, train.y), epochs=20, seed=0)

# %%
# Each stage goes on from the last. The image is kept between blank and ink.

stages = (0, 5, 10, 20, 50, 100, 200)
kinds = {"no penalty": {"l2": 0.0, "tv": 0.0}, "with penalties": {"l2": 1.0, "tv": 1.0}}
asked = (0, 3)
frames, scores = {}, {}
for kind, penalties in kinds.items():
    for digit in asked:
        image = torch.zeros(1, 1, 8, 8, device=device)
        frames[kind, digit], scores[kind, digit] = [], []
        for before, now in zip((0, *stages), stages):
            image = interpret.class_maximisation(
                model, digit, start=image, steps=now - before, bounds=(0, 1), **penalties
            )
            frames[kind, digit].append(image.cpu())
            with torch.no_grad():
                scores[kind, digit].append(model(image)[0, digit].item())

with torch.no_grad():
    usual = {digit: model(test.x[test.y == digit])[:, digit].mean().item() for digit in asked}
for (kind, digit), line in scores.items():
    print(f"{kind:15s} class {digit}: " + " ".join(f"{score:6.1f}" for score in line)
          + f"   (a test {digit}: {usual[digit]:.1f} on average)")  # fmt: skip
    assert line[-1] > line[0] + 5
    assert line[stages.index(50)] - line[0] > 0.9 * (line[-1] - line[0])
for digit in asked:
    assert scores["no penalty", digit][-1] > scores["with penalties", digit][-1]
    assert scores["no penalty", digit][-1] > usual[digit]

rough = {
    key: interpret.total_variation(line[-1]).item() for key, line in frames.items()
}  # fmt: skip
print({f"{kind}, {digit}": round(value, 1) for (kind, digit), value in rough.items()})
for digit in asked:
    assert rough["no penalty", digit] > 3 * rough["with penalties", digit]

# %%

# sphinx_gallery_alt = "Four rows of seven small pictures, from blank paper on the left to the"
# sphinx_gallery_alt = "result of two hundred steps. Without penalties the 0 and the 3 become hard"
# sphinx_gallery_alt = "patterns of black and white; with penalties they become soft grey shapes."
figure, axes = plt.subplots(4, 1, figsize=(5.2, 4.6))
for ax, ((kind, digit), line) in zip(axes, frames.items()):
    titles = [str(stage) for stage in stages] if ax is axes[0] else None
    plot.images(torch.cat(line), titles=titles, columns=len(stages), ax=ax)
    ax.set_title(f"class {digit}, {kind}", fontsize=10, y=1.35 if ax is axes[0] else 1.0)
plt.show()

# %%

# sphinx_gallery_alt = "Four rising curves of the score over the steps. Those without penalties"
# sphinx_gallery_alt = "end higher than those with penalties."
figure, ax = plt.subplots()
for (kind, digit), line in scores.items():
    ax.plot(stages, line, marker=plot.MARKERS[asked.index(digit)], label=f"{digit}, {kind}")
ax.set(xlabel="step", ylabel="score of the class")
ax.legend(fontsize=9)
plt.show()

# %%
# **What to notice.** Nearly all of the score comes in the first fifty steps. Without penalties the
# score ends higher than that of a test digit, and the picture is several times as rough.
#
# **What to change.** Begin with a test digit of another class (``start=``), or let the penalties be
# a tenth as strong.

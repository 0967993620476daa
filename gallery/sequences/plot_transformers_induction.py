"""
Looking up what came next the last time
=======================================

You will see what two layers of attention can do and one can't. A segment of random tokens is
repeated again and again; how long it is, 3 to 16 tokens, changes from text to text. From the second
time on every token can be known: find the last place where the present token stood, and say
what came after it. One layer can find that place, but there stands the token that it knows
already. With two layers, the first can note at every place which tokens stand nearby, and the
second can look for the present token in these notes.
"""

import matplotlib.pyplot as plt
import torch

from dlbook import ops, plot
from dlbook.models import GPT
from dlbook.optim import AdamW, Muon

plot.use_style()
VOCABULARY, LENGTH, STEPS, BATCH = 12, 32, 300, 24


def texts(count, generator):
    """Repeated segments, which of their tokens can be known, and the segments' lengths."""
    period = torch.randint(3, 17, (count, 1), generator=generator)
    segment = [torch.randperm(16, generator=generator) % VOCABULARY for _ in range(count)]
    place = torch.arange(LENGTH + 1)
    return torch.stack(segment).gather(1, place % period), place[1:] > period, period.flatten()


# %%
# Three networks with one head: one block, two blocks, and one block that is wider and has more
# parameters than two. All get the same texts, steps and rates: Muon for the matrices in the
# blocks, AdamW for the rest. The loss counts only what can be known; guessing would give 1/12.


def trained(layers, width):
    """A network, and its accuracy in the course of training."""
    torch.manual_seed(0)
    model = GPT(VOCABULARY, LENGTH, layers, 1, width)
    inside = [p for p in model.blocks.parameters() if p.ndim == 2]
    rest = [p for p in model.parameters() if not any(p is q for q in inside)]
    groups = [(Muon, inside, 0.02), (AdamW, rest, 0.01)]
    optimizers = [(kind(part, lr=rate, weight_decay=0), rate) for kind, part, rate in groups]
    generator = torch.Generator().manual_seed(0)
    correct = []
    for step in range(STEPS):
        x, known, _ = texts(BATCH, generator)
        for optimizer, rate in optimizers:
            optimizer.zero_grad()
            falling = (STEPS - step) / (STEPS / 2)
            optimizer.param_groups[0]["lr"] = rate * min((step + 1) / 20, 1, falling)
        scores = model(x[:, :-1])[known]
        ops.cross_entropy(scores, x[:, 1:][known]).backward()
        for optimizer, _ in optimizers:
            optimizer.step()
        correct.append((scores.argmax(-1) == x[:, 1:][known]).float().mean().item())
    return model, correct


networks = {"one block": (1, 32), "one wide block": (1, 48), "two blocks": (2, 32)}
results = {name: trained(*size) for name, size in networks.items()}

# %%

# sphinx_gallery_alt = "Share of correct answers over the steps. The two curves of one block climb"
# sphinx_gallery_alt = "to about 0.4 and stay near there; that of two blocks goes on to about 0.9."
figure, ax = plt.subplots()
for number, (name, (model, correct)) in enumerate(results.items()):
    means = torch.tensor(correct).view(-1, 20).mean(1)
    size = sum(p.numel() for p in model.parameters())
    ax.plot(
        range(10, STEPS, 20),
        means,
        color=plot.PALETTE[number],
        linestyle=plot.LINESTYLES[number],
        label=f"{name}, {size:,} parameters",
    )
    print(f"{name}: {means[-1]:.2f}")
ax.set(xlabel="step", ylabel="correct", ylim=(0, 1.3))
ax.legend(loc="upper left")
plt.show()

last = {name: sum(correct[-40:]) / 40 for name, (_, correct) in results.items()}
assert last["two blocks"] > last["one block"] + 0.2
assert last["two blocks"] > last["one wide block"] + 0.2

# %%
# And where do they get it right? New texts, all with segments of ten different tokens. At the
# places 0 to 9 the next token is one that has not been seen; from place 10 on everything has been.


def by_place(model):
    """The share of 500 texts in which the token after each place is guessed."""
    generator = torch.Generator().manual_seed(1)
    rows = [torch.randperm(VOCABULARY, generator=generator)[:10] for _ in range(500)]
    x = torch.stack(rows).repeat(1, 4)[:, : LENGTH + 1]
    with torch.no_grad():
        return (model(x[:, :-1]).argmax(-1) == x[:, 1:]).float().mean(0)


# sphinx_gallery_alt = "Share of correct answers against the place in the text. All three curves"
# sphinx_gallery_alt = "are near 0 for the first ten places. Then that of two blocks jumps up"
# sphinx_gallery_alt = "to nearly 1, the others stay low."
figure, ax = plt.subplots()
places = {name: by_place(model) for name, (model, _) in results.items()}
for number, (name, share) in enumerate(places.items()):
    ax.plot(
        share,
        color=plot.PALETTE[number],
        linestyle=plot.LINESTYLES[number],
        marker=plot.MARKERS[number],
        label=name,
    )
    print(f"{name}: first round {share[:9].mean():.2f}, second {share[10:19].mean():.2f}")
ax.set(xlabel="place", ylabel="correct", ylim=(0, 1.4))
ax.legend(loc="upper left")
plt.show()

for share in places.values():
    assert share[:9].mean() < 0.3
others = max(places[name][10:19].mean() for name in ("one block", "one wide block"))
assert places["two blocks"][10:19].mean() > others + 0.25

# %%
# **What to notice.** One block, the wider one too, stays far behind: which tokens occur, and
# where, it can use, but not which of them follows which. Two blocks have it in the second round,
# when each transition has been seen once. No weight was changed between the rounds: the network
# learned, in training, how to look up what it reads.
#
# **What to change.** Take the positions away (set ``positions.weight`` to 0 before training, and
# leave it there). Can two blocks still tell what stood next to what?

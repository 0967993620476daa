"""
How long a string fits through one vector?
==========================================

You will see three small networks copy strings of random letters. Two have an encoder that leaves
one vector, of 32 and of 128 numbers. The third has as few units as the smaller of them, but its
decoder may look back at all positions.
"""

import matplotlib.pyplot as plt
import torch

from dlbook import plot
from dlbook.models.seq2seq import Seq2Seq
from dlbook.optim import Adam

plot.use_style()
LETTERS, LONGEST, UPDATES = 8, 8, 260

# %%
# The task: read letters, write the same letters, stop. Every batch has one length, from 1 to 8.


def strings(length, count, draws):
    source = 3 + torch.randint(LETTERS, (count, length), generator=draws)
    edge = torch.ones(count, 1, dtype=torch.int64)
    return source, torch.full((count,), length), torch.cat([edge, source, 2 * edge], 1)


class OneVector(Seq2Seq):
    """The same network with one thing to look at: the last states of both directions."""

    def encode(self, source, lengths):
        memory, state, hidden = super().encode(source, lengths)
        size = memory.shape[-1] // 2
        both = torch.cat([memory[:, -1, :size], memory[:, 0, size:]], -1)
        return both[:, None], state, torch.zeros_like(hidden[:, :1])


def train(kind, units, rate=0.01):
    torch.manual_seed(0)
    model = kind(3 + LETTERS, 3 + LETTERS, 16, units, 16)
    optimizer = Adam(model.parameters(), lr=rate)
    draws = torch.Generator().manual_seed(0)
    for update in range(UPDATES):
        for group in optimizer.param_groups:
            group["lr"] = rate * min((update + 1) / 30, 1, 2 * (1 - update / UPDATES))
        length = torch.randint(1, LONGEST + 1, (), generator=draws).item()
        loss = model.loss(*strings(length, 32, draws))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    return model.eval()


@torch.no_grad()
def copied(model, length):
    source, lengths, target = strings(length, 200, torch.Generator().manual_seed(1))
    log_p = model(source, lengths, target)
    return (log_p.argmax(-1) == target[:, 1:]).all(1).float().mean().item()


# %%
# A string is copied if every letter is the most probable one, given the right ones before it. That
# is the same as being written without a mistake by the network alone: until the first mistake, what
# it has written *is* what is right.

lengths = list(range(1, LONGEST + 1))
shares = {}
for name, kind, units in (
    ("one vector of 32", OneVector, 16),
    ("one vector of 128", OneVector, 64),
    ("attention, 32 numbers a place", Seq2Seq, 16),
):
    model = train(kind, units)
    shares[name] = [copied(model, n) for n in lengths]
    print(f"{name:30s}", [f"{c:.2f}" for c in shares[name]])

# %%

# sphinx_gallery_alt = "Three curves over lengths from 1 to 8. That of the narrow vector falls"
# sphinx_gallery_alt = "first, then that of the wide one. That of attention falls least."
figure, ax = plt.subplots(figsize=(5.6, 4.0))
for (name, share), marker in zip(shares.items(), plot.MARKERS):
    ax.plot(lengths, share, marker=marker, label=name)
ax.set(xlabel="letters in the string", ylabel="share copied whole", ylim=(-0.05, 1.05))
figure.legend(loc="outside upper center", ncols=2)
plt.show()

mean = {name: sum(share) / len(share) for name, share in shares.items()}
assert mean["attention, 32 numbers a place"] == max(mean.values())
assert mean["one vector of 32"] < mean["one vector of 128"]

# %%
# **What to notice.** A wider vector carries longer strings, with the same training. Eight letters
# are 24 bits, which 32 numbers could hold many times over; what is scarce is not room but a code
# that 260 updates can find. The network that looks back needs no such code.
#
# **What to change.** Give the wide vector 1500 updates. How far does it come?

"""The language model's state, its samples, and five arrangements that learn what they can."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from dlbook import nn, ops
from dlbook.models import (
    CharRNN,
    ManyToManyAligned,
    ManyToManyUnaligned,
    ManyToOne,
    OneToMany,
    OneToOne,
    detached,
)
from dlbook.optim import Adam

LAYERS = [nn.RNN, nn.LSTM, nn.GRU]
# Annotations, checked at every step, take longer than the step. One step of each is checked below.
learns = pytest.mark.untyped


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def train(
    model: torch.nn.Module, loss: Callable[[torch.Generator], Tensor], steps: int, lr: float = 0.01
) -> None:
    optimizer, generator = Adam(model.parameters(), lr=lr), seeded()
    for _ in range(steps):
        optimizer.zero_grad()
        loss(generator).backward()  # type: ignore[no-untyped-call]
        optimizer.step()


# --- the language model -------------------------------------------------------------------------


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("embedding_dim", [None, 3])
def test_pieces_with_the_state_handed_on_are_the_whole(layer: Any, embedding_dim: Any) -> None:
    torch.manual_seed(0)
    model = CharRNN(7, 5, layer, embedding_dim, num_layers=2).double()
    x = torch.randint(7, (3, 12), generator=seeded())
    whole, last = model(x)
    pieces, state = [], None
    for piece in torch.split(x, 4, 1):
        y, state = model(piece, detached(state))
        pieces.append(y)
    torch.testing.assert_close(torch.cat(pieces, 1), whole)
    torch.testing.assert_close(state, last)
    cold = model(x[:, 4:8])[0]
    assert not torch.allclose(cold, pieces[1])


def test_a_detached_state_cuts_the_way_back_and_changes_no_number() -> None:
    torch.manual_seed(0)
    model = CharRNN(6, 4, embedding_dim=3).double()
    x = torch.randint(6, (2, 8), generator=seeded())

    def gradient(cut: bool) -> Tensor:
        model.zero_grad()
        _, state = model(x[:, :4])
        y, _ = model(x[:, 4:], detached(state) if cut else state)
        y.sum().backward()
        table: Any = model.embedding
        return table.weight.grad.clone()

    model.zero_grad()
    state = detached(model(x[:, :4])[1])
    assert all(not s.requires_grad for s in state)
    alone = model(x[:, 4:], state)[0]
    torch.testing.assert_close(alone, model(x)[0][:, 4:])
    assert not torch.allclose(gradient(True), gradient(False))
    unread = sorted(set(x[:, :4].flatten().tolist()) - set(x[:, 4:].flatten().tolist()))
    assert unread  # what only the first piece has gets a gradient through the state alone
    assert gradient(True)[unread].count_nonzero() == 0
    assert gradient(False)[unread].count_nonzero() == len(unread) * 3
    assert detached(None) is None


def test_one_hot_codes_and_an_embedding_by_the_identity_are_the_same() -> None:
    torch.manual_seed(0)
    plain, table = CharRNN(5, 4).double(), CharRNN(5, 4, embedding_dim=5).double()
    table.load_state_dict({**plain.state_dict(), "embedding.weight": torch.eye(5).double()})
    x = torch.randint(5, (2, 6), generator=seeded())
    torch.testing.assert_close(plain(x)[0], table(x)[0])


def test_samples_follow_the_tempered_softmax() -> None:
    torch.manual_seed(0)
    model = CharRNN(4, 6).double().eval()
    prompt = torch.tensor([[1, 2]])
    with torch.no_grad():
        z = model(prompt)[0][0, -1]
    many = prompt.expand(20_000, 2)
    for temperature in (0.5, 1.0, 3.0):
        drawn = model.generate(many, 1, temperature=temperature, generator=seeded())
        shares = drawn.flatten().bincount(minlength=4) / len(many)
        p = torch.softmax(z / temperature, -1)
        deviation = (p * (1 - p) / len(many)).sqrt()
        assert ((shares - p).abs() < 4 * deviation).all()


def test_without_temperature_the_best_token_is_taken_again_and_again() -> None:
    torch.manual_seed(0)
    model = CharRNN(9, 8, nn.GRU).double().eval()
    text = torch.tensor([[3, 1, 4], [1, 5, 8]])
    found = model.generate(text, 10, temperature=0)
    for _ in range(10):
        text = torch.cat([text, model(text)[0][:, -1].argmax(-1, keepdim=True)], 1)
    assert torch.equal(found, text[:, 3:])
    _, state = model(text[:, :7])
    assert torch.equal(model.generate(text[:, 7:8], 5, temperature=0, state=state), text[:, 8:])
    assert model.generate(text, 0).shape == (2, 0)
    assert torch.equal(model.generate(text[:, :3], 10, top_k=1), found)
    assert torch.equal(model.generate(text[:, :3], 10, top_p=1e-9), found)


def test_the_same_generator_writes_the_same_text() -> None:
    model = CharRNN(9, 8).eval()
    x = torch.zeros(2, 1, dtype=torch.int64)
    one, other, third = (model.generate(x, 20, generator=seeded(s)) for s in (1, 1, 2))
    assert torch.equal(one, other)
    assert not torch.equal(one, third)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"temperature": -0.1}, "expected a temperature of 0 or above, got -0.1"),
        ({"temperature": math.nan}, "expected a temperature of 0 or above, got nan"),
        ({"length": -1}, "expected a length of 0 or above"),
        ({"prompt": torch.zeros(2, 0, dtype=torch.int64)}, "got 3 and shape \\(2, 0\\)"),
    ],
)
def test_bad_wishes(kwargs: dict[str, Any], message: str) -> None:
    call = {"prompt": torch.zeros(1, 1, dtype=torch.int64), "length": 3, **kwargs}
    with pytest.raises(ValueError, match=message):
        CharRNN(4, 3).generate(call.pop("prompt"), call.pop("length"), **call)


@learns
@pytest.mark.parametrize("layer", LAYERS)
def test_it_learns_a_text_by_truncated_pieces(layer: Any) -> None:
    """A period of seven, read in pieces of three: the state tells what comes next."""
    torch.manual_seed(0)
    period = torch.tensor([0, 0, 1, 0, 1, 1, 1])
    text = period.repeat(30)
    model = CharRNN(2, 16, layer)
    optimizer = Adam(model.parameters(), lr=0.02)
    for _ in range(6):
        state = None
        for first in range(0, len(text) - 3, 3):
            x, y = text[None, first : first + 3], text[None, first + 1 : first + 4]
            logits, state = model(x, detached(state))
            optimizer.zero_grad()
            ops.cross_entropy(logits[0], y[0]).backward()
            optimizer.step()
    written = model.eval().generate(text[None, :28], 21, temperature=0)
    assert torch.equal(written[0], period.repeat(3))


# --- the five arrangements ----------------------------------------------------------------------


def bits(generator: torch.Generator, *shape: int) -> Tensor:
    return torch.randint(2, shape, generator=generator)


def codes(x: Tensor) -> Tensor:
    return ops.one_hot(x, 2).float()


@pytest.mark.parametrize("layer", [nn.RNN, nn.GRU])
def test_a_step_of_training_and_a_text_of_each(layer: Any) -> None:
    """Every parameter gets a gradient, and what is written stays inside the vocabulary."""
    torch.manual_seed(0)
    x, lengths = torch.rand(3, 4, 2), torch.tensor([4, 1, 2])
    tokens, source = torch.randint(3, 7, (3, 5)), torch.randint(1, 6, (3, 4))
    one, many = OneToMany(2, 8, 7, 6, layer), ManyToManyUnaligned(6, 8, 7, 6, layer)
    char, last = CharRNN(7, 5, layer, 3), ManyToOne(2, 8, 7, layer)
    each = ManyToManyAligned(2, 8, 7, layer, bidirectional=True)
    plain = OneToOne(2, 8, 7)
    outputs: list[tuple[torch.nn.Module, Tensor, tuple[int, ...]]] = [
        (plain, plain(x[:, 0]), (3, 7)),
        (last, last(x, lengths), (3, 7)),
        (each, each(x), (3, 4, 7)),
        (one, one(x[:, 0], tokens), (3, 5, 7)),
        (many, many(source, tokens, lengths), (3, 5, 7)),
        (char, char(tokens)[0], (3, 5, 7)),
    ]
    for model, y, shape in outputs:
        assert y.shape == shape
        target = torch.randint(7, (math.prod(shape[:-1]),))
        ops.cross_entropy(y.reshape(-1, 7), target).backward()
        gradients = [p.grad for p in model.parameters()]
        assert gradients
        assert all(g is not None and g.isfinite().all() for g in gradients)
        Adam(model.parameters(), lr=0.01).step()
    for written in (
        one.write(x[:, 0], max_length=4),
        many.write(source, lengths, max_length=4),
        char.eval().generate(tokens, 4),
    ):
        assert written.shape[0] == 3
        assert written.shape[1] <= 4
        assert ((written >= 0) & (written < 7)).all()


def test_an_lstm_answers_by_its_last_state_and_not_by_its_cell() -> None:
    torch.manual_seed(0)
    x, lengths = torch.rand(3, 4, 2), torch.tensor([4, 1, 2])
    last, each = ManyToOne(2, 8, 7, nn.LSTM), ManyToManyAligned(2, 8, 7, nn.LSTM)
    each.load_state_dict(last.state_dict())
    every = each(x, lengths)
    expected = torch.stack([every[i, n - 1] for i, n in enumerate(lengths.tolist())])
    assert last(x, lengths).shape == (3, 7)
    torch.testing.assert_close(last(x, lengths), expected)
    assert OneToOne(2, 8, 7, nn.LSTM)(x[:, 0]).shape == (3, 7)


@pytest.mark.parametrize(("model", "sizes"), [(OneToMany, (2, 8)), (ManyToManyUnaligned, (6, 8))])
def test_who_hands_one_state_to_a_writer_refuses_an_lstm(
    model: Any, sizes: tuple[int, int]
) -> None:
    with pytest.raises(ValueError, match=r"expected a layer with one state.*got an LSTM"):
        model(*sizes, 7, 6, nn.LSTM)


@learns
def test_one_to_one_learns_exclusive_or() -> None:
    torch.manual_seed(0)
    model = OneToOne(2, 8, 2)
    x = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    y = torch.tensor([0, 1, 1, 0])
    train(model, lambda g: ops.cross_entropy(model(x), y), 300, 0.03)
    assert torch.equal(model(x).argmax(1), y)


@learns
def test_many_to_one_learns_which_came_first_in_series_of_any_length() -> None:
    torch.manual_seed(0)
    model = ManyToOne(2, 16, 2, nn.GRU)

    def draw(g: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        x, lengths = bits(g, 64, 8), torch.randint(1, 9, (64,), generator=g)
        return codes(x), lengths, x[:, 0]

    def loss(g: torch.Generator) -> Tensor:
        x, lengths, y = draw(g)
        return ops.cross_entropy(model(x, lengths), y)

    train(model, loss, 250)
    x, lengths, y = draw(seeded(1))
    assert (model(x, lengths).argmax(1) == y).float().mean() == 1


@learns
def test_many_to_many_learns_the_running_parity() -> None:
    torch.manual_seed(1)
    model = ManyToManyAligned(2, 16, 2, nn.GRU)

    def loss(g: torch.Generator) -> Tensor:
        x = bits(g, 64, 6)
        y = model(codes(x)).reshape(-1, 2)
        return ops.cross_entropy(y, (x.cumsum(1) % 2).flatten())

    train(model, loss, 300, 0.02)
    x = bits(seeded(1), 100, 6)
    assert (model(codes(x)).argmax(2) == x.cumsum(1) % 2).float().mean() > 0.99


@learns
def test_only_both_ways_know_what_is_to_come() -> None:
    """The target is the next bit: nobody can know it who reads forwards."""
    shares = []
    for both in (False, True):
        torch.manual_seed(0)
        model = ManyToManyAligned(2, 12, 2, bidirectional=both)

        def loss(g: torch.Generator, model: Any = model) -> Tensor:
            x = bits(g, 64, 7)
            return ops.cross_entropy(model(codes(x))[:, :-1].reshape(-1, 2), x[:, 1:].flatten())

        train(model, loss, 100, 0.03)
        x = bits(seeded(1), 400, 7)
        shares.append(float((model(codes(x)).argmax(2)[:, :-1] == x[:, 1:]).float().mean()))
    assert abs(shares[0] - 0.5) < 0.05
    assert shares[1] > 0.99


@learns
def test_one_to_many_counts_down_from_what_it_is_told() -> None:
    """From 3: 3 2 1 stop, so its length is its own."""
    torch.manual_seed(0)
    model = OneToMany(5, 24, 8, 6, nn.GRU)
    rows = [[1, *(2 + k for k in range(n, 0, -1)), 2] for n in range(1, 6)]
    target = torch.tensor([row + [0] * (7 - len(row)) for row in rows])

    def loss(g: torch.Generator) -> Tensor:
        y = model(torch.eye(5), target[:, :-1]).reshape(-1, 8)
        return ops.cross_entropy(y, target[:, 1:].flatten(), ignore_index=0)

    train(model, loss, 200, 0.02)
    assert torch.equal(model.write(torch.eye(5), max_length=10), target[:, 1:])
    assert model.write(torch.eye(5), max_length=2).shape == (5, 2)
    with pytest.raises(ValueError, match="expected max_length of at least 1, got 0"):
        model.write(torch.eye(5), max_length=0)


@learns
def test_many_to_many_of_other_lengths_leaves_out_what_repeats() -> None:
    """3 3 4 4 4 is written 3 4: output and input differ in length."""
    torch.manual_seed(0)
    model = ManyToManyUnaligned(5, 32, 5, 8, nn.GRU)

    def draw(g: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        lengths = torch.randint(1, 5, (64,), generator=g)
        source, target = torch.zeros(64, 4).long(), torch.zeros(64, 6).long()
        for n, length in enumerate(lengths.tolist()):
            x = 3 + bits(g, length)
            y = torch.unique_consecutive(x)
            source[n, :length] = x
            target[n, : len(y) + 2] = torch.cat([torch.tensor([1]), y, torch.tensor([2])])
        return source, lengths, target

    def loss(g: torch.Generator) -> Tensor:
        source, lengths, target = draw(g)
        y = model(source, target[:, :-1], lengths).reshape(-1, 5)
        return ops.cross_entropy(y, target[:, 1:].flatten(), ignore_index=0)

    train(model, loss, 250, 0.02)
    source, lengths, target = draw(seeded(1))
    found = model.write(source, lengths, max_length=5)
    assert torch.equal(found, target[:, 1 : 1 + found.shape[1]])
    assert not target[:, 1 + found.shape[1] :].any()

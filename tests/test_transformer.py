"""The transformer of 2017: what sees what, greedy decoding, and that it learns."""

from typing import Any

import pytest
import torch
from torch import Tensor

from dlbook import nn, optim
from dlbook.models import Transformer

PAD, BEGIN, END = 0, 1, 2


def source(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def small(seed: int = 0, **more: Any) -> Transformer:
    torch.manual_seed(seed)
    settings = {"num_encoder_layers": 2, "num_decoder_layers": 2, "dim_feedforward": 16}
    model = Transformer(9, 9, 8, 2, **{**settings, "dropout": 0.0, **more}).double()
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.2 * torch.randn_like(p))
    return model


def text(*shape: int, seed: int = 0) -> Tensor:
    return torch.randint(3, 9, shape, generator=source(seed))


@pytest.mark.parametrize("norm_first", [False, True])
def test_a_later_token_of_the_target_changes_no_earlier_score(norm_first: bool) -> None:
    model, tokens, target = small(norm_first=norm_first), text(2, 5), text(2, 6, seed=1)
    before = model(tokens, target)
    for place in range(6):
        other = target.clone()
        other[:, place] = 3 + (other[:, place] - 2) % 6
        after = model(tokens, other)
        assert torch.equal(after[:, :place], before[:, :place])
        assert not torch.isclose(after[:, place:], before[:, place:]).all(-1).any()


def test_every_token_of_the_source_reaches_every_score() -> None:
    model, tokens, target = small(), text(1, 5), text(1, 4, seed=1)
    before = model(tokens, target)
    for place in range(5):
        other = tokens.clone()
        other[:, place] = 3 + (other[:, place] - 2) % 6
        assert not torch.isclose(model(other, target), before).all(-1).any()


def test_padding_changes_nothing() -> None:
    """Sequences of several lengths in one batch have the scores that each has alone."""
    model = small(padding=PAD)
    lengths = ((5, 3), (2, 6), (4, 1))
    pairs = [(text(1, s, seed=s), text(1, t, seed=10 + t)) for s, t in lengths]
    sources, targets = torch.zeros(3, 5, dtype=torch.int64), torch.zeros(3, 6, dtype=torch.int64)
    for i, (s, t) in enumerate(pairs):
        sources[i, : s.shape[1]], targets[i, : t.shape[1]] = s[0], t[0]
    together = model(sources, targets)
    for i, (s, t) in enumerate(pairs):
        torch.testing.assert_close(together[i, : t.shape[1]], model(s, t)[0])


def test_order_is_told_by_the_waves_alone() -> None:
    """Without them, the encoder would treat a shuffled source as the same, shuffled."""
    model, tokens = small(), text(1, 6)
    order = torch.randperm(6, generator=source(4))
    memory, shuffled = (model.encode(t)[0] for t in (tokens, tokens[:, order]))
    assert not torch.isclose(shuffled, memory[:, order]).all(-1).any()
    model.positions.waves.zero_()
    memory, shuffled = (model.encode(t)[0] for t in (tokens, tokens[:, order]))
    torch.testing.assert_close(shuffled, memory[:, order])


def test_features_begin_with_variance_one() -> None:
    torch.manual_seed(0)
    model = Transformer(1000, 1000, 64, 4, 1, 1, 64)
    for table in (model.source, model.target):
        assert (table.weight * 8).std().item() == pytest.approx(1, rel=0.02)  # 8² = 64
    first, second = (layer.linear1.weight for layer in Transformer(9, 9, 8, 2, 2, 1).encoder.layers)
    assert not torch.equal(first, second), "layers begin with numbers of their own"


def test_the_base_model_of_the_paper() -> None:
    """Counted by hand: one table, and 2 (E + 1) E-matrices' worth for each part of a layer."""
    with torch.device("meta"):
        model = Transformer(37_000, 37_000, tied=True)
    e, f, v = 512, 2048, 37_000
    attention, network, norm = 4 * (e * e + e), 2 * e * f + f + e, 2 * e
    expected = v * e + v + 6 * (attention + network + 2 * norm)
    expected += 6 * (2 * attention + network + 3 * norm)
    assert sum(p.numel() for p in model.parameters()) == expected
    assert expected == pytest.approx(65e6, rel=0.03)  # as its table 3 says


def test_one_table_if_tied() -> None:
    model = small(tied=True)
    assert model.head.weight is model.source.weight
    assert model.target is model.source
    model(text(2, 3), text(2, 4)).sum().backward()
    assert model.source.weight.grad is not None
    other = small(tied=True, seed=1)
    other.load_state_dict(model.state_dict(), strict=True)
    assert torch.equal(other(text(2, 3), text(2, 4)), model(text(2, 3), text(2, 4)))


# --- generation ---------------------------------------------------------------------------------


@torch.no_grad()
def test_greedy_decoding_step_by_step() -> None:
    model, tokens = small(padding=PAD), text(6, 4)
    found = model.generate(tokens, BEGIN, END, limit=9)
    lengths = set()
    for row, given in zip(found, tokens):
        target = [BEGIN]
        while len(target) < 10 and (len(target) == 1 or target[-1] != END):
            scores = model(given[None], torch.tensor([target]))[0, -1]
            scores[PAD] = -torch.inf
            target.append(int(scores.argmax()))
        lengths.add(len(target))
        assert row[: len(target) - 1].tolist() == target[1:]
        assert (row[len(target) - 1 :] == PAD).all()
    assert found.shape[1] == max(lengths) - 1


def test_generation_leaves_the_network_as_it_was() -> None:
    model, tokens = small(dropout=0.5), text(2, 4)
    first, second = (model.generate(tokens, BEGIN, END, 5) for _ in range(2))
    assert model.training
    assert torch.equal(first, second)
    assert model.generate(tokens, BEGIN, END, 0).shape == (2, 0)


def test_without_padding_an_end_repeats_itself() -> None:
    model = small()
    with torch.no_grad():
        assert model.head.bias is not None
        model.head.bias[END] += 100
    assert model.generate(text(3, 4), BEGIN, END, 7).tolist() == [[END]] * 3


@pytest.mark.untyped  # 250 steps
def test_it_learns_to_turn_a_sequence_round() -> None:
    """Of two or three tokens, in the order of 2017: norms behind the sums."""
    torch.manual_seed(0)
    model = Transformer(7, 7, 32, 2, 1, 1, 64, dropout=0.0, padding=PAD)
    optimizer = optim.AdamW(model.parameters(), lr=5e-3, weight_decay=0.0)
    loss_of, g = nn.CrossEntropyLoss(ignore_index=PAD), source()

    def batch(n: int) -> tuple[Tensor, Tensor]:
        sources = torch.randint(3, 7, (n, 3), generator=g)
        targets = torch.full((n, 5), PAD)
        targets[:, 0] = BEGIN
        for i, length in enumerate(torch.randint(2, 4, (n,), generator=g).tolist()):
            sources[i, length:] = PAD
            targets[i, 1 : length + 1] = sources[i, :length].flip(0)
            targets[i, length + 1] = END
        return sources, targets

    for _ in range(250):
        sources, targets = batch(32)
        scores = model(sources, targets[:, :-1])
        loss = loss_of(scores.flatten(0, 1), targets[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    sources, targets = batch(100)
    found = model.generate(sources, BEGIN, END, 4)
    assert (found == targets[:, 1:]).all(1).float().mean() >= 0.98

"""The translator: padding that changes nothing, two searches, and dates that it has learned."""

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor

from dlbook.data import dates
from dlbook.models import Decoded, Seq2Seq, beam_search
from dlbook.optim import Adam
from dlbook.optim.clipping import clip_grad_norm_

F64 = torch.float64


def model(seed: int = 0, target_size: int = 6, sharpness: float = 1.0) -> Seq2Seq:
    torch.manual_seed(seed)
    made = Seq2Seq(9, target_size, 3, 5, 4).double().eval()
    with torch.no_grad():  # so that what it would write depends on what it has written
        for parameter in made.parameters():
            parameter.mul_(sharpness)
    return made


def some(seed: int = 0) -> tuple[Tensor, Tensor]:
    source = torch.randint(3, 9, (4, 6), generator=torch.Generator().manual_seed(seed))
    lengths = torch.tensor([3, 6, 1, 5])
    source[torch.arange(6) >= lengths[:, None]] = 0
    return source, lengths


TARGET = torch.tensor([[1, 4, 2, 0, 0], [1, 5, 4, 3, 2], [1, 2, 0, 0, 0], [1, 3, 3, 2, 0]])


# --- padding and teacher forcing ----------------------------------------------------------------


def test_padding_changes_nothing() -> None:
    """What stands in the padding, and how much of it there is, does not matter."""
    net, (source, lengths) = model(), some()
    logits = net(source, lengths, TARGET)
    weights = net.alignments(source, lengths, TARGET)
    for n, length in enumerate(lengths.tolist()):
        alone = net(source[n : n + 1, :length], lengths[n : n + 1], TARGET[n : n + 1])
        torch.testing.assert_close(alone[0], logits[n])
        assert weights[n, :, length:].count_nonzero() == 0
    torch.testing.assert_close(weights.sum(-1), torch.ones(4, 4, dtype=F64))
    other = source.clone()
    other[source == 0] = 7
    torch.testing.assert_close(net(other, lengths, TARGET), logits)
    wider = torch.cat([source, torch.zeros(4, 2, dtype=torch.int64)], 1)
    torch.testing.assert_close(net(wider, lengths, TARGET), logits)


def test_the_loss_is_the_mean_over_tokens_that_are_none_of_padding() -> None:
    net, (source, lengths) = model(), some()
    log_p = torch.log_softmax(net(source, lengths, TARGET), -1)
    terms = [
        -log_p[n, t, TARGET[n, t + 1]]
        for n, t in itertools.product(range(4), range(4))
        if TARGET[n, t + 1] != 0
    ]
    loss = net.loss(source, lengths, TARGET)
    torch.testing.assert_close(loss, torch.stack(terms).mean())
    longer = torch.cat([TARGET, torch.zeros(4, 3, dtype=torch.int64)], 1)
    torch.testing.assert_close(net.loss(source, lengths, longer), loss)


def test_no_token_is_told_by_itself() -> None:
    """Teacher forcing: the scores at t depend on tokens before t alone."""
    net, (source, lengths) = model(), some()
    logits = net(source, lengths, TARGET)
    for t in range(1, 5):
        other = TARGET.clone()
        other[:, t:] = 3
        torch.testing.assert_close(net(source, lengths, other)[:, :t], logits[:, :t])


def test_steps_are_the_scores_of_teacher_forcing() -> None:
    net, (source, lengths) = model(), some()
    logits = torch.log_softmax(net(source, lengths, TARGET), -1)
    weights = net.alignments(source, lengths, TARGET)
    state: Any = net._begin(source, lengths)
    for t in range(4):
        log_p, state, p = net.step(TARGET[:, t], state)
        torch.testing.assert_close(log_p, logits[:, t])
        torch.testing.assert_close(p, weights[:, t])


# --- the two searches ---------------------------------------------------------------------------


def score(net: Seq2Seq, source: Tensor, lengths: Tensor, text: list[int], power: float) -> float:
    """A text's score from teacher forcing: nothing of the searches is used."""
    target = torch.tensor([[net.start, *text]])
    log_p = torch.log_softmax(net(source, lengths, target)[0], -1)
    return float(sum(log_p[t, k] for t, k in enumerate(text)) / len(text) ** power)


def all_texts(size: int, stop: int, longest: int) -> list[list[int]]:
    """Every text that ends with the stop, and every one that was cut off before."""
    others = [k for k in range(size) if k != stop]
    ended = [[*text, stop] for n in range(longest) for text in itertools.product(others, repeat=n)]
    return ended + [list(text) for text in itertools.product(others, repeat=longest)]


def written(found: Decoded, n: int, stop: int) -> list[int]:
    text: list[int] = found.tokens[n].tolist()
    return text[: text.index(stop) + 1] if stop in text else text


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("power", [0.0, 0.7, 1.0])
def test_a_beam_that_holds_everything_is_exhaustive_search(seed: int, power: float) -> None:
    net, (source, lengths) = model(seed, 4, 4.0), some(seed)
    texts = all_texts(4, net.stop, 3)
    found = net.beam_search(source, lengths, beam_size=64, max_length=3, length_power=power)
    with torch.no_grad():
        for n in range(4):
            one, length = source[n : n + 1], lengths[n : n + 1]
            scores = [score(net, one, length, text, power) for text in texts]
            if power == 0:  # nothing is missing among them
                torch.testing.assert_close(torch.tensor(scores).exp().sum(), torch.tensor(1.0))
            best = max(range(len(texts)), key=scores.__getitem__)
            assert written(found, n, net.stop) == texts[best]
            assert abs(float(found.scores[n]) - scores[best]) < 1e-10


@pytest.mark.parametrize("power", [0.0, 1.0])
def test_a_beam_of_one_is_the_greedy_search(power: float) -> None:
    for seed in range(12):
        net, (source, lengths) = model(seed, 6, 4.0), some(seed)
        greedy = net.greedy(source, lengths, max_length=7)
        beam = net.beam_search(source, lengths, beam_size=1, max_length=7, length_power=power)
        assert torch.equal(beam.tokens, greedy.tokens)
        torch.testing.assert_close(beam.alignments, greedy.alignments)
        for n in range(4):
            spread = len(written(greedy, n, net.stop)) ** power
            torch.testing.assert_close(beam.scores[n] * spread, greedy.scores[n])


@pytest.mark.parametrize("power", [0.0, 1.0])
def test_what_is_found_has_the_score_and_alignment_that_it_claims(power: float) -> None:
    several = set()
    for seed in range(6):
        net, (source, lengths) = model(seed, 6, 3.0), some(seed)
        found = net.beam_search(source, lengths, beam_size=3, max_length=6, length_power=power)
        with torch.no_grad():
            for n in range(4):
                text = written(found, n, net.stop)
                several.add(len(text))
                one, length = source[n : n + 1], lengths[n : n + 1]
                claimed = score(net, one, length, text, power)
                assert abs(claimed - float(found.scores[n])) < 1e-10
                target = torch.tensor([[net.start, *text]])
                weights = net.alignments(one, length, target)[0]
                torch.testing.assert_close(found.alignments[n, : len(text)], weights)
                assert found.alignments[n, len(text) :].count_nonzero() == 0
                assert found.tokens[n, len(text) :].count_nonzero() == 0
        alone = net.beam_search(
            source[:1], lengths[:1], beam_size=3, max_length=6, length_power=power
        )
        assert written(alone, 0, net.stop) == written(found, 0, net.stop)
    assert len(several) > 1  # texts of several lengths were among them


def chain(table: Tensor) -> Any:
    """A model whose next token depends on the last alone."""

    def step(last: Tensor, state: Any) -> Any:
        return table[last].log(), state, torch.ones(len(last), 1)

    return step


def test_a_beam_finds_what_greed_passes_by() -> None:
    """The best first token, 3, leads to two bad ways; the second best, 4, to a good one."""
    table = torch.tensor([[0.0] * 5, [0, 0, 0, 0.6, 0.4], [0.0] * 5, [0, 0, 0.5, 0.5, 0]])
    table = torch.cat([table, torch.tensor([[0.0, 0, 1, 0, 0]])])
    found = {
        k: beam_search(chain(table), [torch.zeros(1)], beam_size=k, max_length=4, length_power=0)
        for k in (1, 2)
    }
    assert found[1].tokens.tolist()[0][0] == 3
    assert found[2].tokens.tolist() == [[4, 2]]
    assert abs(float(found[2].scores.exp()) - 0.4) < 1e-6
    assert found[2].scores > found[1].scores


def test_lengths_are_weighed_by_their_power() -> None:
    """Stop at once, with 0.5, or write 3 and then stop for certain: 0.45."""
    table = torch.zeros(4, 4)
    table[1, 2], table[1, 3], table[1, 0], table[3, 2] = 0.5, 0.45, 0.05, 1.0
    for power, text in ((0.0, [2]), (1.0, [3, 2])):
        found = beam_search(
            chain(table), [torch.zeros(1)], beam_size=2, max_length=3, length_power=power
        )
        assert found.tokens[0].tolist() == text


def test_a_beam_must_hold_something() -> None:
    net, (source, lengths) = model(), some()
    with pytest.raises(ValueError, match="expected beam_size of at least 1, got 0"):
        net.beam_search(source, lengths, beam_size=0, max_length=3)
    with pytest.raises(ValueError, match="expected max_length of at least 1, got 0"):
        net.beam_search(source, lengths, max_length=0)
    with pytest.raises(ValueError, match="expected max_length of at least 1, got 0"):
        net.greedy(source, lengths, max_length=0)


# --- a task -------------------------------------------------------------------------------------


def test_it_learns_to_read_dates() -> None:
    """Two locales; the dates that it is asked for are other ones."""
    data = dates.load(locales=("de", "ja"), forms=("medium",), examples=(3000, 50, 200))
    torch.manual_seed(0)
    net = Seq2Seq(len(data.written), len(data.iso), 16, 40)
    optimizer, generator = Adam(net.parameters(), lr=0.01), torch.Generator().manual_seed(0)
    for _ in range(2):
        for batch in data.train.batches(64, generator):
            optimizer.zero_grad()
            net.loss(*batch).backward()  # type: ignore[no-untyped-call]
            clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
    test = data.test
    for found in (
        net.greedy(test.source, test.lengths, max_length=11),
        net.beam_search(test.source, test.lengths, beam_size=3, max_length=11),
    ):
        right = [a == b for a, b in zip(data.iso.decode(found.tokens), test.isos, strict=True)]
        assert sum(right) / len(right) > 0.9

"""What the chapter on embeddings says, over more seeds and constants than its page has time for."""

from functools import lru_cache

import pytest
import torch
from torch import Tensor

from dlbook.data import facts
from dlbook.models import (
    Cooccurrences,
    GloVe,
    SkipGram,
    Words,
    WordVectors,
    cooccurrences,
    keep_probabilities,
    noise_distribution,
    skip_gram_pairs,
    train_glove,
    train_skip_gram,
)
from dlbook.optim import Adagrad, Adam
from dlbook.optim.lr_scheduler import LinearLR

TEXT = Words(facts.sentences())
NAMES = [t.name for t in facts.territories()]
THIRD = set(NAMES[::3])
TEST = [q[1:] for q in facts.questions(["currency"]) if q[3] not in THIRD]


@lru_cache
def skip_gram(
    seed: int, window: int = 3, threshold: float | None = None, epochs: int = 5
) -> SkipGram:
    torch.manual_seed(seed)
    model = SkipGram(len(TEXT), 48)
    optimizer = Adam(model.parameters(), lr=0.05)
    train_skip_gram(
        model,
        TEXT,
        optimizer,
        epochs=epochs,
        window=window,
        batch_size=2048,
        threshold=threshold,
        generator=torch.Generator().manual_seed(seed),
        scheduler=LinearLR(optimizer, 1.0, 0.0, total_iters=epochs),
    )
    return model


def vectors(model: SkipGram) -> WordVectors:
    return WordVectors(TEXT.words, model.centre.weight + model.context.weight)


def nearest_money(found: WordVectors) -> float:
    """The share of test territories whose own currency is the nearest one."""
    money = sorted({t.currency for t in facts.territories()})
    columns = torch.stack([found[m] for m in money])
    asked = [t for t in facts.territories() if t.name not in THIRD]
    given = [money[int((columns @ found[t.name]).argmax())] for t in asked]
    return sum(g == t.currency for g, t in zip(given, asked)) / len(asked)


def territories_near(found: WordVectors) -> float:
    near = [word for name in NAMES for word, _ in found.nearest(name, 5)]
    return sum(word in NAMES for word in near) / len(near)


@pytest.mark.slow
@pytest.mark.untyped  # annotations checked at every step take long
@pytest.mark.parametrize("window", [3, 8])
@pytest.mark.parametrize("epochs", [2, 3, 5])
def test_leaving_out_frequent_words_brings_kinds_together(window: int, epochs: int) -> None:
    near, other = vectors(skip_gram(0)), vectors(skip_gram(0, window, 3e-3, epochs))
    assert near.accuracy(TEST) > other.accuracy(TEST) + 0.05
    assert territories_near(near) > territories_near(other) + 0.05
    assert nearest_money(other) > 0.7  # the facts are there all the same


@pytest.mark.slow
@pytest.mark.untyped
@pytest.mark.parametrize("epochs", [1, 2, 3, 5])
def test_a_wide_window_answers_less_well_however_long_it_is_trained(epochs: int) -> None:
    for seed in range(2):
        near, wide = vectors(skip_gram(seed)), vectors(skip_gram(seed, 8, None, epochs))
        assert near.accuracy(TEST) > wide.accuracy(TEST) + 0.02


@pytest.mark.slow
@pytest.mark.untyped
def test_scores_agree_with_the_counts() -> None:
    generator = torch.Generator().manual_seed(9)
    size, passes = len(TEXT), 10
    seen = torch.zeros(size * size, dtype=torch.float64)
    for _ in range(passes):
        pair = skip_gram_pairs(TEXT, 3, generator)
        seen += torch.bincount(pair[:, 0] * size + pair[:, 1], minlength=size * size)
    share = (seen / seen.sum()).view(size, size)
    noise = noise_distribution(TEXT.counts).double()
    wanted = torch.log(share / share.sum(1, keepdim=True) / noise / 5)
    often = seen.view(size, size) >= 5 * passes
    for seed in range(1, 4):
        model = skip_gram(seed)
        scores = (model.centre.weight @ model.context.weight.T).detach().double()
        assert torch.corrcoef(torch.stack([wanted[often], scores[often]]))[0, 1] > 0.9
        assert scores[share == 0].median() < -3
        assert nearest_money(vectors(model)) > 0.85


@pytest.mark.slow
@pytest.mark.untyped
def test_a_wide_window_comes_nearer_with_fewer_pairs_and_a_rate_that_falls_at_every_step() -> None:
    noise = noise_distribution(TEXT.counts)
    for seed in range(2):
        torch.manual_seed(seed)
        g = torch.Generator().manual_seed(seed)
        model = SkipGram(len(TEXT), 48)
        optimizer = Adam(model.parameters(), lr=0.05)
        drawn = [skip_gram_pairs(TEXT, 8, g) for _ in range(2)]
        batches = torch.split(torch.cat(drawn)[:440_000], 2048)
        scheduler = LinearLR(optimizer, 1.0, 0.0, total_iters=len(batches))
        for pair in batches:
            false = noise.multinomial(len(pair) * 5, True, generator=g).view(-1, 5)
            optimizer.zero_grad()
            model(pair[:, 0], pair[:, 1], false).backward()
            optimizer.step()
            scheduler.step()
        assert 0.74 < vectors(model).accuracy(TEST) < vectors(skip_gram(seed)).accuracy(TEST) - 0.02


def glove(
    seed: int, pairs: Cooccurrences, epochs: int, size: int = 48, x_max: float = 1.0
) -> WordVectors:
    torch.manual_seed(seed)
    model = GloVe(len(TEXT), size)
    train_glove(
        model,
        pairs,
        Adagrad(model.parameters(), lr=0.1),
        epochs=epochs,
        x_max=x_max,
        batch_size=4096,
        generator=torch.Generator().manual_seed(seed),
    )
    return WordVectors(TEXT.words, model.vectors)


@pytest.mark.slow
@pytest.mark.untyped
@pytest.mark.parametrize(("seed", "amount"), [(0, 0.1), (1, 0.2), (0, 0.5)])
def test_glove_needs_the_pairs_that_never_met_whatever_is_added(seed: int, amount: float) -> None:
    met = cooccurrences(TEXT, 3)
    size = len(TEXT)
    dense: Tensor = torch.zeros(size, size)
    dense[met.word, met.context] = met.counts
    every = torch.cartesian_prod(torch.arange(size), torch.arange(size))
    whole = Cooccurrences(every[:, 0], every[:, 1], dense.flatten() + amount)
    raised = Cooccurrences(met.word, met.context, met.counts + amount)
    told, untold = glove(seed, whole, 5), glove(seed, raised, 53)
    assert told.accuracy(TEST) > untold.accuracy(TEST) + 0.3
    assert nearest_money(told) > nearest_money(untold) + 0.3


@pytest.mark.slow
@pytest.mark.untyped
@pytest.mark.parametrize(
    ("size", "x_max", "epochs"),
    [(8, 1.0, 53), (24, 1.0, 53), (48, 1.0, 5), (48, 1.0, 20), (48, 10.0, 53), (48, 100.0, 53)],
)
def test_glove_over_pairs_that_met_answers_poorly_with_other_choices(
    size: int, x_max: float, epochs: int
) -> None:
    found = glove(0, cooccurrences(TEXT, 3), epochs, size, x_max)
    assert found.accuracy(TEST) < 0.25
    assert nearest_money(found) < 0.3


def test_a_word_too_frequent_for_the_threshold_is_grammar() -> None:
    keep = keep_probabilities(TEXT.counts, 3e-3)
    rare = [TEXT.index[name] for name in NAMES]
    assert keep[[TEXT.index[w] for w in ("in", "is", "the", "of")]].max() < 0.3
    assert keep[rare].min() == 1

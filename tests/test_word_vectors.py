"""Pairs, noise and counts against loops; neighbours, analogies; vectors that find their group."""

import math
from collections import Counter, defaultdict
from typing import Any

import pytest
import torch
from torch import Tensor

from dlbook.models import (
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

TEXT = ["the cat sat on the mat", "the dog sat", "a", "on the mat the cat and the dog sat"]
SENTENCES = [line.split() for line in TEXT]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# --- words, pairs, noise ------------------------------------------------------------------------


def test_words_are_numbered_by_their_counts() -> None:
    text = Words(SENTENCES)
    counts = Counter(word for s in SENTENCES for word in s)
    assert dict(zip(text.words, text.counts.tolist())) == counts
    assert list(text.words) == sorted(counts, key=lambda w: (-counts[w], w))
    assert [text.words[i] for i in text.tokens.tolist()] == [w for s in SENTENCES for w in s]
    assert text.sentence.tolist() == [n for n, s in enumerate(SENTENCES) for _ in s]
    assert len(text) == len(counts)
    often = Words(SENTENCES, min_count=2)
    assert set(often.words) == {w for w, n in counts.items() if n > 1}
    assert int(often.sentence.max()) == 3  # sentences keep their numbers, also after an empty one
    with pytest.raises(ValueError, match="expected a word that comes at least 9 times"):
        Words(SENTENCES, min_count=9)
    with pytest.raises(ValueError, match="got 0 different words"):
        Words([])


def test_pairs_are_neighbours_in_one_sentence_each_as_often_as_its_distance_says() -> None:
    text, window, rounds = Words(SENTENCES), 3, 3000
    expected: dict[tuple[str, str], float] = defaultdict(float)
    variance: dict[tuple[str, str], float] = defaultdict(float)
    for s in SENTENCES:
        for i, j in ((i, j) for i in range(len(s)) for j in range(len(s)) if i != j):
            if abs(i - j) <= window:
                p = (window - abs(i - j) + 1) / window
                expected[s[i], s[j]] += p
                variance[s[i], s[j]] += p
    found: Counter[tuple[str, str]] = Counter()
    generator = seeded()
    for _ in range(rounds):
        pairs = skip_gram_pairs(text, window, generator).tolist()
        found.update((text.words[i], text.words[j]) for i, j in pairs)
    assert set(found) == set(expected)
    for pair, mean in expected.items():
        assert abs(found[pair] / rounds - mean) < 5 * math.sqrt(variance[pair] / rounds)


def test_pairs_close_up_where_words_are_left_out() -> None:
    text = Words([["a", "the", "b"]])
    keep = torch.tensor([float(word != "the") for word in text.words])
    pairs = skip_gram_pairs(text, 1, seeded(), keep=keep).tolist()
    assert sorted((text.words[i], text.words[j]) for i, j in pairs) == [("a", "b"), ("b", "a")]
    assert skip_gram_pairs(text, 2, seeded(), keep=torch.zeros(3)).shape == (0, 2)
    with pytest.raises(ValueError, match="expected a window of at least 1, got 0"):
        skip_gram_pairs(text, 0, seeded())


def test_frequent_words_stay_as_often_as_the_formula_says() -> None:
    text = Words(SENTENCES)
    keep = keep_probabilities(text.counts, 0.05)
    for p, n in zip(keep.tolist(), text.counts.tolist()):
        share = n / len(text.tokens)
        assert abs(p - min(1.0, math.sqrt(0.05 / share))) < 1e-6
    assert keep[0] < keep[-1]
    assert keep_probabilities(text.counts, 0.5)[-1] == 1


def test_noise_lies_between_the_words_own_and_the_uniform_distribution() -> None:
    counts = torch.tensor([1000, 100, 10, 1])
    p = noise_distribution(counts)
    weights = [n**0.75 for n in counts.tolist()]
    torch.testing.assert_close(p, torch.tensor([w / sum(weights) for w in weights]))
    torch.testing.assert_close(noise_distribution(counts, 0), torch.full((4,), 0.25))
    torch.testing.assert_close(noise_distribution(counts, 1), counts / counts.sum())


@pytest.mark.parametrize("counts", [torch.tensor([]).long(), torch.zeros(3).long(), -torch.ones(2)])
def test_counts_must_be_counts(counts: Any) -> None:
    for function, more in ((keep_probabilities, [0.1]), (noise_distribution, [])):
        with pytest.raises(ValueError, match="expected counts \\(V,\\), none negative, not all 0"):
            function(counts.long(), *more)


def test_the_threshold_is_above_0() -> None:
    with pytest.raises(ValueError, match="expected a threshold above 0, got 0"):
        keep_probabilities(torch.ones(2).long(), 0)


# --- counts -------------------------------------------------------------------------------------


@pytest.mark.parametrize("window", [1, 3, 50])
def test_counts_are_those_of_a_loop(window: int) -> None:
    text = Words(SENTENCES)
    expected: dict[tuple[str, str], float] = defaultdict(float)
    for s in SENTENCES:
        for i, j in ((i, j) for i in range(len(s)) for j in range(len(s)) if i != j):
            if abs(i - j) <= window:
                expected[s[i], s[j]] += 1 / abs(i - j)
    found = cooccurrences(text, window)
    pairs = zip(found.word.tolist(), found.context.tolist(), found.counts.tolist(), strict=True)
    counts = {(text.words[i], text.words[j]): x for i, j, x in pairs}
    assert counts.keys() == expected.keys()
    assert all(abs(counts[pair] - expected[pair]) < 1e-5 for pair in expected)
    places = list(zip(found.word.tolist(), found.context.tolist()))
    assert places == sorted(places)


def test_counts_of_next_to_nothing() -> None:
    assert len(cooccurrences(Words([["a"], ["b"]])).counts) == 0
    with pytest.raises(ValueError, match="expected a window of at least 1, got 0"):
        cooccurrences(Words([["a", "b"]]), 0)
    with pytest.raises(ValueError, match="expected pairs and a batch_size of at least 1, got 0"):
        train(GloVe, Words([["a"]]))


# --- training -----------------------------------------------------------------------------------


def groups(size: int = 6, sentences: int = 400) -> tuple[Words, list[set[str]]]:
    """Words of two groups, one word in ten among those of the other, and one that fits all.

    GloVe learns from pairs that were met: had the groups never met, nothing would part them.
    """
    g = seeded(3)
    kinds = [[f"{kind}{n}" for n in range(size)] for kind in "ab"]
    made = []
    for _ in range(sentences):
        own = int(torch.randint(2, (), generator=g))
        strange = (torch.rand(4, generator=g) < 0.1).tolist()
        drawn = torch.randperm(size, generator=g)[:4].tolist()
        some = [kinds[own ^ other][i] for other, i in zip(strange, drawn)]
        made.append([*some[:2], "and", *some[2:]])
    return Words(made), [set(kind) for kind in kinds]


def train(kind: Any, text: Words, epochs: int = 12, scheduler: bool = False) -> tuple[Any, Any]:
    torch.manual_seed(0)
    model = kind(len(text), 8)
    if kind is SkipGram:
        optimizer: Any = Adam(model.parameters(), lr=0.02)
        schedule = LinearLR(optimizer, 1.0, 0.1, epochs) if scheduler else None
        more = {"epochs": epochs, "generator": seeded(), "scheduler": schedule}
        return model, train_skip_gram(model, text, optimizer, threshold=0.05, **more)
    optimizer = Adagrad(model.parameters(), lr=0.1)
    counts = cooccurrences(text)
    return model, train_glove(model, counts, optimizer, epochs=epochs, generator=seeded())


def test_vectors_of_both_kinds_find_the_groups() -> None:
    text, kinds = groups()
    for kind in (SkipGram, GloVe):
        model, losses = train(kind, text, 12 if kind is SkipGram else 60)
        assert losses[-1] < 0.9 * losses[0]
        rows = model.vectors if kind is GloVe else model.centre.weight + model.context.weight
        vectors = WordVectors(text.words, rows)
        for words in kinds:
            for word in words:
                nearest = {found for found, _ in vectors.nearest(word, 5, ["and"])}
                assert nearest <= words


def test_training_is_repeatable_and_steps_its_schedule() -> None:
    text, _ = groups(sentences=40)
    (one, a), (other, b), (third, c) = (
        train(SkipGram, text, 3, scheduler) for scheduler in (False, False, True)
    )
    assert a == b != c
    assert torch.equal(one.centre.weight, other.centre.weight)
    assert not torch.equal(one.centre.weight, third.centre.weight)


def test_training_needs_pairs() -> None:
    with pytest.raises(ValueError, match="expected pairs of neighbours, got none"):
        train(SkipGram, Words([["a"], ["b"]]))
    model = SkipGram(2, 2)
    with pytest.raises(ValueError, match="expected a batch_size of at least 1, got 0"):
        train_skip_gram(
            model,
            Words([["a", "b"]]),
            Adam(model.parameters()),
            epochs=1,
            generator=seeded(),
            batch_size=0,
        )


# --- neighbours and analogies -------------------------------------------------------------------


def random_vectors(n: int = 40, dim: int = 5) -> tuple[WordVectors, Tensor]:
    rows = torch.randn(n, dim, generator=seeded(), dtype=torch.float64)
    return WordVectors([f"w{i}" for i in range(n)], rows), rows


def test_nearest_is_by_the_cosine() -> None:
    vectors, rows = random_vectors()
    for i in (0, 7, 39):
        cosines = [float(torch.cosine_similarity(rows[i], r, 0)) for r in rows]
        order = sorted((j for j in range(40) if j != i), key=lambda j: -cosines[j])
        found = vectors.nearest(f"w{i}", 4)
        assert [w for w, _ in found] == [f"w{j}" for j in order[:4]]
        assert all(abs(c - cosines[j]) < 1e-12 for (_, c), j in zip(found, order))
        without = vectors.nearest(f"w{i}", 2, exclude=[f"w{order[0]}"])
        assert [w for w, _ in without] == [f"w{j}" for j in order[1:3]]
        assert vectors.nearest(3 * rows[i], 1)[0][0] == f"w{i}"  # a vector excludes nothing
        assert abs(vectors.similarity("w0", f"w{i}") - vectors.similarity(f"w{i}", "w0")) < 1e-15
    assert len(vectors.nearest("w0", 100)) == 39


@pytest.mark.parametrize("exclude", [True, False])
def test_analogies_are_those_of_a_loop(exclude: bool) -> None:
    vectors, rows = random_vectors()
    unit = rows / rows.norm(dim=1, keepdim=True)
    g = seeded(1)
    asked = [tuple(torch.randperm(40, generator=g)[:4].tolist()) for _ in range(200)]
    answers = []
    for a, b, c, _ in asked:
        target = unit[b] - unit[a] + unit[c]
        allowed = [j for j in range(40) if not exclude or j not in (a, b, c)]
        answers.append(max(allowed, key=lambda j: float(target @ unit[j])))
    questions: Any = [tuple(f"w{i}" for i in question) for question in asked]
    assert vectors.answers(questions, exclude=exclude) == [f"w{j}" for j in answers]
    for question, answer in zip(questions[:20], answers):
        assert vectors.analogy(*question[:3], exclude=exclude)[0][0] == f"w{answer}"
    right = sum(answer == d for answer, (*_, d) in zip(answers, asked)) / len(asked)
    assert vectors.accuracy(questions, exclude=exclude) == right


def test_the_words_of_the_question_are_often_nearest_and_are_left_out() -> None:
    rows = torch.tensor([[1.0, 0, 5], [1, 0.1, 5], [0, 1, 5], [0, 1.3, 5]])
    vectors = WordVectors(["a", "b", "c", "d"], rows)
    assert vectors.analogy("a", "b", "c")[0][0] == "d"
    assert vectors.analogy("a", "b", "c", exclude=False)[0][0] == "c"
    assert vectors.accuracy([("a", "b", "c", "d")]) == 1
    assert vectors.accuracy([("a", "b", "c", "d")], exclude=False) == 0


def test_what_vectors_refuse() -> None:
    vectors, _ = random_vectors(3)
    assert "w2" in vectors
    assert "w3" not in vectors
    with pytest.raises(KeyError, match="w3"):
        vectors.nearest("w3")
    with pytest.raises(ValueError, match="expected at least one question"):
        vectors.accuracy([])
    assert vectors.answers([]) == []
    with pytest.raises(ValueError, match="expected a row for each of 2 words"):
        WordVectors(["a", "b"], torch.zeros(3, 2))
    with pytest.raises(ValueError, match="expected different words"):
        WordVectors(["a", "a"], torch.zeros(2, 2))

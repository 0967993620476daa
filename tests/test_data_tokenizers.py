"""dlbook.data.tokenizers: as the definition by plain loops, with a count of the work it takes."""

import itertools
import json
import random
import unicodedata
from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dlbook.data import tokenizers
from dlbook.data.tokenizers import BytePairTokenizer, chunks

many = settings(max_examples=150, deadline=None, derandomize=True, database=None)
#: Every character that a Python string may hold, lone surrogates among them.
anything = st.text(st.characters(exclude_categories=()), max_size=60)
#: Few characters, so that pairs come again.
repetitive = st.text("ab _1\né😀\ud800", max_size=60)


def merged(tokens, pair, token):
    result, i = [], 0
    while i < len(tokens):
        if tuple(tokens[i : i + 2]) == pair:
            result.append(token)
            i += 2
        else:
            result.append(tokens[i])
            i += 1
    return result


def learned_by_counting_anew(texts, merges, min_count=2):
    kinds = Counter(chunk for text in texts for chunk in chunks(text))
    rows = [(list(chunk.encode("utf-8", "surrogatepass")), n) for chunk, n in kinds.items()]
    pairs = []
    while len(pairs) < merges:
        counts = Counter()
        for tokens, n in rows:
            for pair in itertools.pairwise(tokens):
                counts[pair] += n
        if not counts:
            break
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        if counts[best] < min_count:
            break
        rows = [(merged(tokens, best, 256 + len(pairs)), n) for tokens, n in rows]
        pairs.append(best)
    return pairs


def encoded_merge_by_merge(pairs, text):
    result = []
    for chunk in chunks(text):
        tokens = list(chunk.encode("utf-8", "surrogatepass"))
        for rank, pair in enumerate(pairs):
            tokens = merged(tokens, pair, 256 + rank)
        result += tokens
    return result


@pytest.fixture(scope="module")
def trained():
    from dlbook.data import source_code

    text = source_code.files(["json", "textwrap"])
    return BytePairTokenizer.train([p.read_text("utf-8") for p in text.values()], 700)


@many
@given(st.lists(repetitive, max_size=3), st.integers(0, 40), st.integers(1, 3))
def test_training_is_that_by_counting_anew(texts, merges, min_count):
    found = BytePairTokenizer.train(texts, 256 + merges, min_count=min_count)
    assert list(found.merges) == learned_by_counting_anew(texts, merges, min_count)


@many
@given(repetitive, repetitive, st.integers(0, 40))
def test_encoding_is_that_merge_by_merge(learned_from, text, merges):
    tokenizer = BytePairTokenizer.train(learned_from, 256 + merges, min_count=1)
    assert tokenizer.encode(text) == encoded_merge_by_merge(tokenizer.merges, text)


def test_training_and_encoding_of_real_text_are_those_of_the_definition(trained):
    from dlbook.data import source_code

    text = next(iter(source_code.files(["shlex"]).values())).read_text("utf-8")
    assert list(BytePairTokenizer.train(text, 330).merges) == learned_by_counting_anew([text], 74)
    assert trained.encode(text) == encoded_merge_by_merge(trained.merges, text)
    assert len(trained.encode(text)) < 0.6 * len(text)


@many
@given(anything)
def test_every_string_comes_back(trained, text):
    for tokenizer in (trained, BytePairTokenizer()):
        tokens = tokenizer.encode(text)
        assert tokenizer.decode(tokens) == text
        assert tokenizer.decode(torch.tensor(tokens, dtype=torch.int64)) == text
        data = b"".join(tokenizer.token(t) for t in tokens)
        assert data == text.encode("utf-8", "surrogatepass")


@many
@given(anything)
def test_tokenizers_learned_from_a_string_give_it_back(text):
    tokenizer = BytePairTokenizer.train([text, text], 300)
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_every_character_comes_back(trained):
    text = "".join(map(chr, [*range(0x10000), *range(0x10000, 0x110000, 97)]))
    # In order, a high surrogate stands before a low one once; Python keeps the two apart.
    assert "".join(chunks(text)) == text
    assert trained.decode(trained.encode(text)) == text


@many
@given(anything | repetitive)
def test_chunks_are_of_one_kind(text):
    cut = chunks(text)
    assert "".join(cut) == text
    for chunk in cut:
        assert chunk
        body = chunk.removeprefix(" ") if chunk.strip() else chunk
        kinds = {
            "white"
            if c.isspace()
            else "digit"
            if unicodedata.category(c) == "Nd"
            else "letter"
            if c.isalnum()
            else "sign"
            for c in body
        }
        assert len(kinds) == 1, chunk


def test_chunks_by_hand():
    assert chunks("") == []
    assert chunks("if x_1 >= 20:\n\n    y  = '²é'\n") == [
        *("if", " x", "_", "1", " >=", " 20", ":", "\n\n   ", " y", " ", " =", " '", "²é", "'"),
        "\n",
    ]


class Counting(dict):
    """A table of ranks that counts how often it is asked."""

    asked = 0

    def get(self, *arguments):
        self.asked += 1
        return super().get(*arguments)


@pytest.mark.parametrize("unit", ["a", "ab", "selfreturn", "é"])
def test_work_of_encoding_grows_with_the_length_alone(trained, unit):
    """One chunk without end, so that nothing is remembered: at most three look-ups a byte.

    One for each pair of neighbours at first, and two for each merge; every merge makes the chunk
    one token shorter.
    """
    tokenizer = BytePairTokenizer(
        BytePairTokenizer.train(unit * 200, 300, min_count=1).merges or trained.merges
    )
    for times in (10, 100, 1000):
        tokenizer._ranks = Counting(tokenizer._ranks)
        text = unit * times
        n = len(text.encode())
        tokens = tokenizer.encode(text)
        assert n - 1 <= tokenizer._ranks.asked <= (n - 1) + 2 * (n - len(tokens))


def test_a_chunk_is_encoded_once(trained, monkeypatch):
    tokenizer = BytePairTokenizer(trained.merges)
    calls = []
    encode = tokenizer._encode_chunk
    monkeypatch.setattr(tokenizer, "_encode_chunk", lambda c: calls.append(c) or encode(c))
    text = "for x in range(x): print(x, in_x)\n"
    once = tokenizer.encode(text)
    first = list(calls)
    assert len(first) == len(set(first))
    assert tokenizer.encode(text * 500)[: len(once)] == once
    assert len(calls) <= len(first) + 2  # where one line now meets the next
    long = "x" * 65
    calls.clear()
    tokenizer.encode(long)
    tokenizer.encode(long)
    assert calls == [long, long]  # too long to be remembered


def test_what_is_remembered_is_bounded(monkeypatch):
    monkeypatch.setattr(tokenizers, "_REMEMBERED", 10)
    tokenizer = BytePairTokenizer.train("a1 b2 " * 9, 262)
    text = " ".join(f"{'ab'[i % 2]}{i}" for i in range(99))
    assert tokenizer.encode(text) == encoded_merge_by_merge(tokenizer.merges, text)
    assert len(tokenizer._remembered) <= 10


def test_training_visits_a_place_once_for_each_token_that_goes():
    """Places noted in all of training: one a pair of bytes, and two a merge, whatever the number
    of merges. Counting anew would look at every byte again for each of them."""
    noted = []

    class Table(dict):
        def setdefault(self, pair, empty):
            noted.append(pair)
            return super().setdefault(pair, empty)

    rng = random.Random(0)
    words = ["".join(rng.choice("abcd") for _ in range(rng.randrange(2, 12))) for _ in range(400)]
    text = " ".join(words)
    n = sum(len(kind) for kind in set(chunks(text)))

    def learn(merges):
        noted.clear()
        found = tokenizers._learn(Counter(chunks(text)), merges, 1, places=Table())
        return len(found), len(noted)

    small, large = learn(20), learn(1500)
    assert large[0] > 20 * small[0]
    assert large[1] <= 3 * n
    assert large[1] - small[1] <= 2 * n


def test_ties_go_to_the_smaller_pair():
    assert BytePairTokenizer.train("xyab", 300, min_count=1).merges[0] == (97, 98)
    one, other = (BytePairTokenizer.train(t, 300) for t in (["ab cd", "cd ab"], ["cd ab", "ab cd"]))
    assert one == other


def test_training_stops_where_nothing_is_frequent_enough():
    assert BytePairTokenizer.train("abc", 300).vocabulary_size == 256
    assert BytePairTokenizer.train("abc", 300, min_count=1).vocabulary_size == 258
    assert len(BytePairTokenizer.train("", 300)) == 256
    assert len(BytePairTokenizer.train("abab", 256)) == 256


def test_tokens_do_not_reach_over_chunks_or_texts():
    tokenizer = BytePairTokenizer.train("dog. dog! dog? " * 20, 400)
    assert not any(b"g." in tokenizer.token(i) for i in range(len(tokenizer)))
    assert BytePairTokenizer.train(["a", "b"] * 50, 300).merges == ()


def test_cut_characters_are_replaced(trained):
    assert BytePairTokenizer().decode([0xC3]) == "\ufffd"
    assert BytePairTokenizer().decode([97, 0x80, 98]) == "a\ufffdb"
    assert trained.decode([]) == ""


def test_equality_and_names(trained):
    same = BytePairTokenizer(trained.merges)
    assert same == trained
    assert hash(same) == hash(trained)
    assert same != BytePairTokenizer()
    assert same != "tokenizer"
    assert repr(same) == "BytePairTokenizer(444 merges)"
    assert trained.token(97) == b"a"


def test_save_and_load(trained, tmp_path):
    path = tmp_path / "tokens.json"
    trained.save(path)
    assert BytePairTokenizer.load(path) == trained
    BytePairTokenizer().save(path)  # replaces
    assert BytePairTokenizer.load(path) == BytePairTokenizer()
    assert [p.name for p in tmp_path.iterdir()] == ["tokens.json"]


@pytest.mark.parametrize("fails", ["replace", "fsync"])
def test_what_is_written_is_whole_or_not_there(trained, tmp_path, monkeypatch, fails):
    path = tmp_path / "tokens.json"
    trained.save(path)
    before = path.read_bytes()

    def broken(*arguments):
        raise OSError("no space left")

    monkeypatch.setattr(tokenizers.os, fails, broken)
    with pytest.raises(OSError, match="no space left"):
        BytePairTokenizer([(1, 2)]).save(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["tokens.json"]


def test_a_folder_that_is_not_there(trained, tmp_path):
    with pytest.raises(FileNotFoundError):
        trained.save(tmp_path / "none" / "tokens.json")
    with pytest.raises(FileNotFoundError):
        BytePairTokenizer.load(tmp_path / "none.json")


@pytest.mark.parametrize(
    "contents",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"3",
        b"{}",
        b'{"format": "another", "merges": []}',
        json.dumps({"format": tokenizers._FORMAT}).encode(),
        json.dumps({"format": tokenizers._FORMAT, "merges": 3}).encode(),
        json.dumps({"format": tokenizers._FORMAT, "merges": [[1, 2, 3]]}).encode(),
        json.dumps({"format": tokenizers._FORMAT, "merges": [[1, 2.0]]}).encode(),
        json.dumps({"format": tokenizers._FORMAT, "merges": ["ab"]}).encode(),
        json.dumps({"format": tokenizers._FORMAT, "merges": [[1, 256]]}).encode(),
        json.dumps({"format": tokenizers._FORMAT, "merges": [[1, 2]]})[:-4].encode(),
    ],
)
def test_what_is_no_tokenizer_is_refused(contents, tmp_path):
    path = tmp_path / "tokens.json"
    path.write_bytes(contents)
    with pytest.raises(ValueError, match=r"expected|expects"):
        BytePairTokenizer.load(path)


def test_bad_arguments():
    with pytest.raises(ValueError, match=r"merge 0 expects tokens from 0 to 255, got \(256, 1\)"):
        BytePairTokenizer([(256, 1)])
    with pytest.raises(ValueError, match=r"merge 1 expects tokens from 0 to 256, got \(-1, 1\)"):
        BytePairTokenizer([(1, 1), (-1, 1)])
    with pytest.raises(ValueError, match=r"every merge once, got \(1, 2\) as merges 0 and 1"):
        BytePairTokenizer([(1, 2), (1, 2)])
    with pytest.raises(ValueError, match="vocabulary_size expects at least 256, got 255"):
        BytePairTokenizer.train("a", 255)
    with pytest.raises(ValueError, match="min_count expects at least 1, got 0"):
        BytePairTokenizer.train("a", 256, min_count=0)
    with pytest.raises(ValueError, match="expects tokens from 0 to 255, got 256"):
        BytePairTokenizer().decode([256])
    with pytest.raises(ValueError, match="expects tokens from 0 to 255, got -1"):
        BytePairTokenizer().token(-1)
    for wrong in (torch.zeros(2, 2, dtype=torch.int64), torch.zeros(2), torch.zeros(2).bool()):
        with pytest.raises(ValueError, match=r"expects integers \(T,\)"):
            BytePairTokenizer().decode(wrong)

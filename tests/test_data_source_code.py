"""dlbook.data.source_code: which files, which part, which tokens; and windows of a stream."""

import itertools
import os
import sysconfig

import pytest
import torch

from dlbook.data import source_code
from dlbook.data.source_code import (
    END,
    MODULES,
    SUBSTITUTE,
    batches,
    decode,
    encode,
    parallel,
    windows,
)


@pytest.fixture(scope="module")
def corpus():
    return source_code.load()


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_the_modules_are_there_and_sorted():
    assert list(MODULES) == sorted(set(MODULES))
    found = source_code.files()
    assert list(found) == sorted(found)
    assert {name.split("/")[0].removesuffix(".py") for name in found} == set(MODULES)
    for name, path in found.items():
        assert path.is_file()
        assert path.as_posix().endswith(f"/{name}")
        assert not {"test", "tests", "site-packages"} & set(name.split("/")[:-1])


def test_the_corpus_is_every_file_whole_and_in_order(corpus):
    found = source_code.files()
    seen = []
    for names, stream in (
        (corpus.train_files, corpus.train),
        (corpus.validation_files, corpus.validation),
    ):
        assert list(names) == sorted(names)
        texts = decode(stream).split(chr(END))
        assert texts.pop() == ""
        assert len(texts) == len(names)
        for name, text in zip(names, texts, strict=True):
            data = found[name].read_bytes()
            data = data.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n")
            if data.isascii():
                assert text == data.decode("ascii")
            else:
                wanted = data.decode("utf-8")
                assert len(wanted) == len(text)
                assert all(b in (a, "\ufffd") for a, b in zip(wanted, text, strict=True))
        seen += names
    empty = {name for name, path in found.items() if not path.read_bytes()}
    assert sorted(seen) == sorted(set(found) - empty)
    assert corpus.substituted == sum(
        (stream == SUBSTITUTE).sum() for stream in (corpus.train, corpus.validation)
    )


def test_sizes_shares_and_the_vocabulary(corpus):
    assert corpus.train.dtype == corpus.validation.dtype == torch.uint8
    assert corpus.train.max() < source_code.VOCABULARY_SIZE
    assert len(corpus.train) > 4_000_000
    tokens = len(corpus.train) + len(corpus.validation)
    assert 0.05 < len(corpus.validation) / tokens < 0.2
    assert corpus.substituted < 1e-3 * tokens
    used = torch.bincount(corpus.train.long(), minlength=128)
    assert used[32:127].min() > 0  # every character that can be printed
    assert corpus.counts == {
        "training files": len(corpus.train_files),
        "training tokens": len(corpus.train),
        "validation files": len(corpus.validation_files),
        "validation tokens": len(corpus.validation),
        "substituted characters": corpus.substituted,
    }


def test_the_part_of_a_file_hangs_on_its_name_alone(corpus, tmp_path):
    assert {"json/encoder.py", "enum.py", "sched.py"} < set(corpus.validation_files)
    assert {"json/decoder.py", "ast.py", "heapq.py"} < set(corpus.train_files)
    for name in ("enum.py", "ast.py", "sched.py", "heapq.py"):
        (tmp_path / name).write_text("pass\n")
    other = source_code.load(["enum", "ast", "sched", "heapq"], folder=tmp_path)
    assert other.validation_files == ("enum.py", "sched.py")
    assert other.train_files == ("ast.py", "heapq.py")
    assert other.python == "unknown"
    more = source_code.load(validation=0.3)
    assert set(corpus.validation_files) < set(more.validation_files)


def test_the_digest_tells_texts_apart(corpus, tmp_path):
    assert source_code.load().digest == corpus.digest
    assert corpus.digest[:12] in repr(corpus)
    digests = set()
    for text in ("pass\n", "pass", "pass\r\n", "passé\n"):
        for name in ("enum.py", "ast.py"):
            (tmp_path / name).write_bytes(text.encode())
        digests.add(source_code.load(["enum", "ast"], folder=tmp_path).digest)
    assert len(digests) == 3  # line ends are those of no system
    (tmp_path / "json").mkdir()
    (tmp_path / "json" / "decoder.py").write_bytes(b"passe\n")
    digests.add(source_code.load(["enum", "ast", "json"], folder=tmp_path).digest)
    assert len(digests) == 4


def test_files_of_a_folder(tmp_path):
    for name in ("a/__init__.py", "a/test/x.py", "a/b/tests/y.py", "a/b/z.py", "a/test_q.py"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("" if name.endswith("__init__.py") else "# -*- coding: latin-1 -*-\n")
    (tmp_path / "a.txt").write_text("no")
    (tmp_path / "test.py").write_text("x = 1\n")
    found = source_code.files(["test", "a"], folder=tmp_path)
    assert list(found) == ["a/__init__.py", "a/b/z.py", "a/test_q.py", "test.py"]
    (tmp_path / "a" / "b" / "z.py").write_bytes(b"# coding: latin-1\n# \xe9\n")
    whole = source_code.load(["test", "a"], folder=tmp_path, validation=0.5)
    names = whole.train_files + whole.validation_files
    assert sorted(names) == ["a/b/z.py", "a/test_q.py", "test.py"]  # not the empty one
    assert whole.substituted == 1


def test_what_is_not_there(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match=r"modules \['absent', 'void'\]"):
        source_code.files(["json", "absent", "void"])
    (tmp_path / "void").mkdir()
    with pytest.raises(FileNotFoundError, match="void"):
        source_code.files(["void"], folder=tmp_path)
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path))
    assert (source_code.library() / "os.py").is_file()  # by os.__file__
    monkeypatch.setattr(os, "__file__", str(tmp_path / "os.py"))
    with pytest.raises(FileNotFoundError, match=r"there is no os\.py"):
        source_code.library()


def test_bad_shares(tmp_path):
    for share in (0.0, 1.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="validation expects a share between 0 and 1"):
            source_code.load(["json"], validation=share)
    with pytest.raises(ValueError, match="at least one file in every part, got 1 to train on"):
        source_code.load(["ast"])


def test_encode_and_decode():
    text = "".join(map(chr, range(128))).replace(chr(SUBSTITUTE), "")
    assert decode(encode(text)) == text
    assert encode("").shape == (0,)
    assert encode("é😀x").tolist() == [SUBSTITUTE, SUBSTITUTE, ord("x")]
    every = torch.arange(128, dtype=torch.uint8)
    assert torch.equal(encode(decode(every)), every)
    assert decode(every.long().tolist()) == decode(every)
    for wrong in ([128], [-1]):
        with pytest.raises(ValueError, match="expects tokens from 0 to 127"):
            decode(wrong)
    for tensor in (torch.zeros(2, 2, dtype=torch.uint8), torch.zeros(2)):
        with pytest.raises(ValueError, match=r"expects integers \(T,\)"):
            decode(tensor)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int32, torch.int64])
def test_random_windows(dtype):
    stream = torch.arange(50).to(dtype)
    drawn = list(batches(stream, 8, 5, steps=200, generator=seeded()))
    assert len(drawn) == 200
    for x, y in drawn:
        assert x.shape == y.shape == (8, 5)
        assert x.dtype == y.dtype == torch.int64
        assert torch.equal(x[:, 1:], y[:, :-1])
        assert torch.equal(y, x + 1)
    first = torch.cat([x[:, 0] for x, _ in drawn])
    assert first.min() == 0
    assert torch.cat([y[:, -1] for _, y in drawn]).max() == 49
    share = torch.bincount(first, minlength=45) / len(first)
    assert (share - 1 / 45).abs().max() < 5 * (1 / 45 / len(first)) ** 0.5
    again = batches(stream, 8, 5, steps=200, generator=seeded())
    assert all(torch.equal(a[0], b[0]) for a, b in zip(drawn, again, strict=True))
    assert list(batches(stream, 8, 49, steps=0, generator=seeded())) == []
    x, _ = next(batches(stream, 3, 49, steps=1, generator=seeded()))
    assert torch.equal(x, torch.arange(49).expand(3, 49))


@pytest.mark.parametrize("n", range(4, 12))
def test_windows_side_by_side(n):
    part = windows(torch.arange(n, dtype=torch.uint8), 3)
    assert part.x.dtype == torch.int64
    assert part.x.flatten().tolist() == list(range((n - 1) // 3 * 3))
    assert torch.equal(part.y, part.x + 1)
    assert part.y.max() <= n - 1


@pytest.mark.parametrize(("n", "b", "t"), [(7, 2, 3), (50, 4, 3), (50, 1, 49), (51, 5, 10)])
def test_batches_that_go_on(n, b, t):
    read = list(parallel(torch.arange(n, dtype=torch.uint8), b, t))
    assert len(read) == (n - 1) // b // t >= 1
    for x, y in read:
        assert x.shape == (b, t)
        assert x.dtype == torch.int64
        assert torch.equal(y, x + 1)
        assert y.max() < n
    for (x, _), (later, _) in itertools.pairwise(read):
        assert torch.equal(later[:, 0], x[:, -1] + 1)
    seen = torch.cat([x for x, _ in read]).flatten()
    assert len(seen.unique()) == len(seen) > (n - 1) - b * t - b


def test_bad_windows():
    stream = torch.arange(10)
    with pytest.raises(ValueError, match="windows: stream expects at least 11 tokens, got 10"):
        windows(stream, 10)
    with pytest.raises(ValueError, match="parallel: stream expects at least 13 tokens, got 10"):
        parallel(stream, 3, 4)
    with pytest.raises(ValueError, match="batches: stream expects at least 11 tokens, got 10"):
        batches(stream, 3, 10, steps=1, generator=seeded())
    with pytest.raises(ValueError, match="expect at least 1, got 0 and 1"):
        windows(stream, 0)
    with pytest.raises(ValueError, match="expect at least 1, got 2 and 0"):
        batches(stream, 0, 2, steps=1, generator=seeded())
    with pytest.raises(ValueError, match="steps expects a number >= 0, got -1"):
        batches(stream, 1, 2, steps=-1, generator=seeded())


@pytest.mark.untyped
def test_streams_of_another_type():
    for wrong in (torch.zeros(9), torch.zeros(9, 9, dtype=torch.int64)):
        with pytest.raises(ValueError, match=r"stream expects integers \(N,\)"):
            windows(wrong, 3)

"""dlbook.data.cifar10: small archives made here, good and bad; and the real one if it is named.

Where DLBOOK_CIFAR10 names the file cifar-10-binary.tar.gz, it is read, too.
"""

import gzip
import io
import os
import tarfile

import numpy as np
import pytest
import torch

from dlbook.data import Splits, cifar10
from dlbook.data.cifar10 import FOLDER, TEST, TRAIN

N = 7  # records a file


@pytest.fixture(autouse=True)
def few_records(monkeypatch):
    monkeypatch.setattr(cifar10, "RECORDS", N)


def batch(seed, n=N):
    generator = np.random.default_rng(seed)
    records = generator.integers(0, 256, (n, 3073), dtype="u1")
    records[:, 0] = generator.integers(0, 10, n)
    return records


BATCHES = {name: batch(i) for i, name in enumerate((*TRAIN, TEST))}


def packed(members):
    """A tar archive: a name and bytes, or a TarInfo, for each member."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name, content in members:
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def members(**changed):
    named = {name: records.tobytes() for name, records in BATCHES.items()}
    return [(f"{FOLDER}/batches.meta.txt", b"airplane\n"), *(named | changed).items()]


@pytest.fixture
def write(tmp_path):
    def file(content, compress=True):
        path = tmp_path / "archive.tar.gz"
        path.write_bytes(gzip.compress(content, 1) if compress else content)
        return path

    return file


def test_three_parts(write):
    splits = cifar10.load(archive=write(packed(members())), validation=9)
    assert isinstance(splits, Splits)
    assert [len(part) for part in splits] == [5 * N - 9, 9, N]
    train = np.concatenate([BATCHES[name] for name in TRAIN])
    for records, part in (
        (train[:-9], splits.train),
        (train[-9:], splits.validation),
        (BATCHES[TEST], splits.test),
    ):
        assert part.x.shape == (len(records), 3, 32, 32)
        assert part.x.dtype == torch.float32
        assert part.y.dtype == torch.int64
        assert part.y.tolist() == records[:, 0].tolist()
        # Record by record, colour by colour, row by row.
        for c, row, column in ((0, 0, 0), (0, 0, 1), (1, 3, 31), (2, 31, 31)):
            pixel = records[:, 1 + 1024 * c + 32 * row + column]
            assert np.array_equal((part.x[:, c, row, column] * 255).round().numpy(), pixel)
    assert 0 <= splits.train.x.min() < splits.train.x.max() <= 1


def test_the_order_of_the_members_does_not_matter(write):
    first = cifar10.load(archive=write(packed(members())), validation=1)
    again = cifar10.load(archive=write(packed(members()[::-1])), validation=1, dtype=torch.float64)
    assert torch.equal(first.train.x, again.train.x.float())
    assert torch.equal(first.test.y, again.test.y)


def linked(kind):
    info = tarfile.TarInfo(TEST)
    info.type, info.linkname = kind, "/etc/passwd"
    return [*members()[:-1], (info, b"")]


def out_of_range():
    records = BATCHES[TEST].copy()
    records[2, 0] = 10
    return records.tobytes()


WHOLE = packed(members())
SHORT = BATCHES[TEST].tobytes()[:-1]
BAD = {
    "one byte short": (
        packed(members(**{TEST: SHORT})),
        r"test_batch\.bin of 21,511 .* got one of",
    ),
    "one byte long": (packed(members(**{TEST: SHORT + b"ab"})), "got one of 21,512"),
    "a file missing": (packed(members()[:-1]), r"got no cifar-10-batches-bin/test_batch\.bin"),
    "a file twice": (packed([*members(), (TEST, SHORT + b"a")]), "got a second one"),
    "a symbolic link": (packed(linked(tarfile.SYMTYPE)), "got something that is not a file"),
    "a hard link": (packed(linked(tarfile.LNKTYPE)), "got something that is not a file"),
    "a folder": (packed(linked(tarfile.DIRTYPE)), "got something that is not a file"),
    "another class": (packed(members(**{TEST: out_of_range()})), "classes from 0 to 9 .* got 10"),
    "the one with pickles": (packed([(f"{FOLDER}/data_batch_1", b"x")]), "got no .*_batch_1.bin"),
    "nothing": (b"", "expected a whole tar archive in gzip, got a damaged one"),
    "no archive": (b"<!DOCTYPE html>" * 100, "expected a whole tar archive in gzip"),
    "ends early": (WHOLE[:50_000], "expected .*, got"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_archives_are_refused_in_words(write, name):
    content, message = BAD[name]
    path = write(content)
    with pytest.raises(ValueError, match=message) as caught:
        cifar10.load(archive=path, validation=1)
    assert str(caught.value).startswith(f"{path}: ")


def test_damaged_compression_is_noticed(write):
    whole = gzip.compress(WHOLE, 1)
    for content in (
        WHOLE,  # not compressed
        whole[:-1],
        whole[: len(whole) // 2],
        whole[:5],
        b"",
        whole[:-8] + bytes(4) + whole[-4:],  # another sum
        whole[:1000] + bytes(100) + whole[1100:],
    ):
        with pytest.raises(ValueError, match="expected a whole tar archive in gzip, got a damaged"):
            cifar10.load(archive=write(content, compress=False), validation=1)


def test_nothing_is_written_to_the_disk(write, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    evil = [("../evil.txt", b"x"), ("/tmp/dlbook-evil.txt", b"x"), *members()]
    cifar10.load(archive=write(packed(evil)), validation=1)
    assert [path.name for path in tmp_path.rglob("*")] == ["archive.tar.gz"]
    assert not (tmp_path.parent / "evil.txt").exists()


def test_bad_arguments(write, tmp_path):
    path = write(WHOLE)
    for validation in (-1, 5 * N):
        with pytest.raises(ValueError, match=f"number from 0 to 34, got {validation}"):
            cifar10.load(archive=path, validation=validation)
    with pytest.raises(ValueError, match="got both"):
        cifar10.load(archive=path, download=True, validation=1)
    with pytest.raises(ValueError, match=r"dtype expects a floating-point type, got torch\.uint8"):
        cifar10.load(archive=path, dtype=torch.uint8, validation=1)
    with pytest.raises(FileNotFoundError, match=r"expected the archive .*gone, which is not there"):
        cifar10.load(archive=tmp_path / "gone", validation=1)


def test_the_real_archive(monkeypatch):
    named = os.environ.get("DLBOOK_CIFAR10")
    if not named:
        pytest.skip("DLBOOK_CIFAR10 names no file cifar-10-binary.tar.gz")
    monkeypatch.setattr(cifar10, "RECORDS", 10_000)
    splits = cifar10.load(archive=named)
    assert [len(part) for part in splits] == [45_000, 5_000, 10_000]
    whole = torch.cat([splits.train.y, splits.validation.y])
    assert whole.bincount().tolist() == [5_000] * 10
    assert splits.test.y.bincount().tolist() == [1_000] * 10
    assert len(cifar10.CLASSES) == 10
    # Neighbouring pixels are alike in a photograph, if rows and colours are where they should be.
    x = splits.test.x[:500]
    for a, b in ((x[..., 1:], x[..., :-1]), (x[..., 1:, :], x[..., :-1, :]), (x[:, 0], x[:, 1])):
        assert torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1] > 0.8

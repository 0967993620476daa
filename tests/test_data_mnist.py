"""dlbook.data.idx and dlbook.data.mnist: files made here, good and bad; and the real ones if named.

Where DLBOOK_MNIST names a folder with MNIST's files, or only those of the test, they are read, too.
"""

import gzip
import hashlib
import os
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from dlbook.data import Splits, idx, mnist

TYPES = {"u1": 8, "i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}


def packed(array):
    """An array as IDX, from the description of the format."""
    kind = TYPES[array.dtype.str[1:]]
    head = struct.pack(">HBB", 0, kind, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
    return head + array.astype(array.dtype.newbyteorder(">")).tobytes()


GOOD = packed(np.arange(6, dtype="u1").reshape(2, 3))


@pytest.fixture
def write(tmp_path):
    def file(content):
        path = tmp_path / "file"
        path.write_bytes(content)
        return path

    return file


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("shape", [(5,), (2, 3), (2, 0, 4), (2, 1, 3, 2)])
@pytest.mark.parametrize("compress", [False, True])
def test_what_was_written_is_read(write, kind, shape, compress):
    n = int(np.prod(shape))
    array = (np.arange(n) * 37 - 50).astype(kind).reshape(shape)
    content = packed(array)
    read = idx.read(write(gzip.compress(content) if compress else content))
    assert read.shape == shape
    assert read.numpy().dtype == np.dtype(kind)
    assert np.array_equal(read.numpy(), array)
    read += 1  # a tensor of its own that may be written to


def test_large_numbers_keep_their_order_of_bytes(write):
    assert idx.read(write(packed(np.array([1, -2, 70000], "i4")))).tolist() == [1, -2, 70000]
    assert idx.read(write(packed(np.array([0.1], "f8")))).item() == 0.1


def test_the_shape_asked_for(write):
    assert idx.read(write(GOOD), shape=(None, 3)).shape == (2, 3)
    with pytest.raises(ValueError, match=r"bytes of shape \(any, 4\), got uint8 of .*2, 3"):
        idx.read(write(GOOD), shape=(None, 4))
    with pytest.raises(ValueError, match=r"of shape \(any\), got"):
        idx.read(write(GOOD), shape=(None,))
    with pytest.raises(ValueError, match=r"of shape \(2\), got int16 of shape \(2,\)"):
        idx.read(write(packed(np.zeros(2, "i2"))), shape=(2,))


class Trap:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was opened",))


BAD = {
    "empty": (b"", "expected an IDX file, .* got b''"),
    "three bytes": (GOOD[:3], "expected an IDX file"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(100), r"got b'\\x89PNG'"),
    "a page": (b"<!DOCTYPE html><html>404</html>", "got b'<!DO'"),
    "a pickle": (pickle.dumps(Trap()), "expected an IDX file"),
    "a pickle in gzip": (gzip.compress(pickle.dumps(Trap())), "expected an IDX file"),
    "an unknown type": (b"\0\0\x0a\x01" + GOOD[4:], r"got b'\\x00\\x00\\n\\x01'"),
    "no dimensions": (b"\0\0\x08\x00" + GOOD[4:], "expected an IDX file"),
    "other order of bytes": (GOOD[3::-1] + GOOD[4:], "expected an IDX file"),
    "half a header": (GOOD[:9], "sizes of 2 dimensions, 8 bytes, got 5: the file ends early"),
    "no elements": (GOOD[:12], r"expected 6 bytes .* of shape \(2, 3\), got 0: the file ends"),
    "one too few": (GOOD[:-1], "expected 6 bytes of elements, .*, got 5: the file ends early"),
    "one too many": (GOOD + b"\0", "expected 6 bytes of elements, .*, got more"),
    "huge": (b"\0\0\x0e\x03" + b"\xff" * 12 + b"abc", "got 3: the file ends early"),
    "gzip, short inside": (gzip.compress(GOOD[:-1]), "got 5: the file ends early"),
    "gzip, long inside": (gzip.compress(GOOD + b"\0"), "got more"),
    "gzip, cut": (gzip.compress(GOOD)[:-9], "a whole gzip file, got one that ends early"),
    "gzip, cut in its sum": (gzip.compress(GOOD)[:-2], "got one that ends early"),
    "gzip, cut in its head": (gzip.compress(GOOD)[:5], "got one that ends early"),
    "gzip, only its first bytes": (b"\x1f\x8b", "got one that ends early"),
    "gzip, other sum": (
        gzip.compress(GOOD)[:-8] + b"\0\0\0\0" + gzip.compress(GOOD)[-4:],
        "expected a whole gzip file, got a damaged one: CRC check failed",
    ),
    "gzip, damaged": (
        gzip.compress(GOOD)[:10] + b"\xff" * 12 + gzip.compress(GOOD)[22:],
        "expected a whole gzip file, got a damaged one",
    ),
    "gzip, then something": (gzip.compress(GOOD) + b"abc", "got a damaged one"),
    "gzip, twice": (gzip.compress(GOOD) * 2, "got more"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files_are_refused_in_words(write, name):
    content, message = BAD[name]
    path = write(content)
    with pytest.raises(ValueError, match=message) as caught:
        idx.read(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_every_cut_and_every_single_changed_header_byte_is_noticed(write):
    for length in range(len(GOOD)):
        with pytest.raises(ValueError, match="expected"):
            idx.read(write(GOOD[:length]))
    zipped = gzip.compress(GOOD)
    for length in range(2, len(zipped)):
        with pytest.raises(ValueError, match="expected"):
            idx.read(write(zipped[:length]))
    for place in range(12):
        changed = bytearray(GOOD)
        changed[place] ^= 0x40
        with pytest.raises(ValueError, match="expected"):
            idx.read(write(bytes(changed)))


def test_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        idx.read(tmp_path / "nothing")


# --- the data set ---------------------------------------------------------------------------------


def contents(seed, n):
    generator = np.random.default_rng(seed)
    images = generator.integers(0, 256, (n, 28, 28), dtype="u1")
    images.flat[:2] = 0, 255
    return images, (np.arange(n) % 10).astype("u1")


@pytest.fixture
def folder(tmp_path):
    """Four small files, two of them in gzip, and what is in them."""
    made = {}
    for prefix, n in (("train", 50), ("t10k", 20)):
        images, labels = made[prefix] = contents(n, n)
        file = tmp_path / f"{prefix}-images-idx3-ubyte.gz"
        file.write_bytes(gzip.compress(packed(images), 1))
        (tmp_path / f"{prefix}-labels-idx1-ubyte").write_bytes(packed(labels))
    return tmp_path, made


def test_three_parts(folder):
    path, made = folder
    splits = mnist.load(folder=path, validation=15)
    assert isinstance(splits, Splits)
    assert [len(part) for part in splits] == [35, 15, 20]
    assert splits.train.x.dtype == torch.float32
    assert splits.train.x.shape == (35, 1, 28, 28)
    assert splits.train.y.dtype == torch.int64
    for first, part in ((0, splits.train), (35, splits.validation)):
        images, labels = (array[first : first + len(part)] for array in made["train"])
        assert np.array_equal((part.x * 255).round().numpy()[:, 0], images)
        assert part.y.tolist() == labels.tolist()
    assert torch.equal(splits.test.x[:, 0], torch.from_numpy(made["t10k"][0]) / 255)
    assert splits.train.x.min() == 0
    assert splits.train.x.max() == 1
    assert len(mnist.load(folder=str(path), validation=0).validation) == 0


def test_types_and_names(folder):
    path, _ = folder
    part = mnist.load("fashion-mnist", folder=path, validation=1, dtype=torch.float64, device="cpu")
    assert part.test.x.dtype == torch.float64
    assert all(len(names) == len(set(names)) == 10 for names in mnist.CLASSES.values())
    assert set(mnist.CLASSES) == set(mnist.REMOTES)


def test_the_cache_is_read_when_its_files_are_the_right_ones(folder, tmp_path, monkeypatch):
    path, made = folder
    monkeypatch.setenv("DLBOOK_DATA", str(tmp_path / "cache"))
    remotes = []
    for remote in mnist.REMOTES["mnist"]:
        source = path / Path(remote.name).name
        if not source.is_file():
            source = source.with_suffix("")
        content = source.read_bytes()
        target = tmp_path / "cache" / remote.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        remotes.append(type(remote)(remote.name, remote.urls, digest, len(content)))
    with pytest.raises(ValueError, match=r"train-images-idx3-ubyte\.gz, of 9,912,422 bytes, got"):
        mnist.load()
    monkeypatch.setattr(mnist, "REMOTES", {"mnist": remotes})
    assert mnist.load(validation=10).test.y.tolist() == made["t10k"][1].tolist()


def test_files_that_do_not_belong_together(folder):
    path, made = folder
    labels = path / "t10k-labels-idx1-ubyte"
    labels.write_bytes(packed(made["t10k"][1][:-1]))
    with pytest.raises(ValueError, match="expected as many labels as images, 20, got 19"):
        mnist.read(path, "test")
    wrong = made["t10k"][1].copy()
    wrong[3] = 10
    labels.write_bytes(packed(wrong))
    with pytest.raises(ValueError, match="expected labels from 0 to 9, got 10"):
        mnist.read(path, "test")
    labels.write_bytes(packed(made["t10k"][0]))
    with pytest.raises(ValueError, match=r"shape \(any\), got uint8 of shape \(20, 28, 28\)"):
        mnist.read(path, "test")
    labels.unlink()
    with pytest.raises(FileNotFoundError, match=r"t10k-labels-idx1-ubyte or the same with \.gz"):
        mnist.load(folder=path, validation=1)
    images = path / "train-images-idx3-ubyte.gz"
    images.write_bytes(gzip.compress(packed(np.zeros((50, 32, 32), "u1"))))
    with pytest.raises(ValueError, match=r"shape \(any, 28, 28\), got uint8 of shape \(50, 32, 32"):
        mnist.load(folder=path)


def test_bad_arguments(folder):
    path, _ = folder
    for validation in (-1, 50):
        with pytest.raises(ValueError, match=f"number from 0 to 49, got {validation}"):
            mnist.load(folder=path, validation=validation)
    with pytest.raises(ValueError, match="got both"):
        mnist.load(folder=path, download=True)
    with pytest.raises(ValueError, match=r"dtype expects a floating-point type, got torch\.int64"):
        mnist.read(path, "test", dtype=torch.int64)


@pytest.mark.untyped
def test_bad_names(folder):
    with pytest.raises(ValueError, match="name expects 'mnist' or 'fashion-mnist', got 'emnist'"):
        mnist.load("emnist")
    with pytest.raises(ValueError, match="part expects 'train' or 'test', got 'validation'"):
        mnist.read(folder[0], "validation")


# --- the real files -------------------------------------------------------------------------------

#: Examples of each class, 0 to 9.
COUNTS = {
    "train": [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949],
    "test": [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009],
}


@pytest.fixture(scope="module", params=["test", "train"])
def real(request):
    named = os.environ.get("DLBOOK_MNIST")
    if not named:
        pytest.skip("DLBOOK_MNIST names no folder with MNIST's files")
    prefix = mnist.PREFIXES[request.param]
    if not list(Path(named).glob(f"{prefix}-images-idx3-ubyte*")):
        pytest.skip(f"no {prefix}-images-idx3-ubyte in the folder that DLBOOK_MNIST names")
    return Path(named), request.param, mnist.read(named, request.param)


def test_the_real_files_hold_digits(real):
    _, name, part = real
    assert part.y.bincount().tolist() == COUNTS[name]
    assert part.x.shape == (sum(COUNTS[name]), 1, 28, 28)
    assert part.x.min() == 0
    assert part.x.max() == 1
    # The digits were put into a box of 20 × 20 pixels, and their centre of mass into the middle.
    assert (part.x.amax((0, 1, 3)) > 0).sum() >= 20
    axis = torch.arange(28) - 13.5
    mass = part.x.sum((1, 2, 3))
    for centre in (part.x.sum((1, 2)) @ axis / mass, part.x.sum((1, 3)) @ axis / mass):
        assert centre.abs().max() < 1.5
        assert centre.std() < 0.5
    # The images belong to their labels: each is mostly nearest to the mean image of its class.
    x = part.x.flatten(1)
    means = torch.stack([x[part.y == k].mean(0) for k in range(10)])
    assert (torch.cdist(x, means).argmin(1) == part.y).float().mean() > 0.75


def test_the_real_files_have_the_published_checksums(real):
    folder, name, _ = real
    checked = 0
    for remote in mnist.REMOTES["mnist"]:
        file = folder / Path(remote.name).name
        if file.name.startswith(mnist.PREFIXES[name]) and file.is_file():
            assert file.stat().st_size == remote.size
            assert hashlib.sha256(file.read_bytes()).hexdigest() == remote.sha256
            checked += 1
    if not checked:
        pytest.skip("the files that DLBOOK_MNIST names are not compressed")


def test_the_real_files_are_read_unpacked_too_and_refused_when_cut(real, tmp_path):
    folder, name, part = real
    for kind in ("images-idx3", "labels-idx1"):
        file = folder / f"{mnist.PREFIXES[name]}-{kind}-ubyte.gz"
        if not file.is_file():
            pytest.skip("the files that DLBOOK_MNIST names are not compressed")
        (tmp_path / file.stem).write_bytes(gzip.decompress(file.read_bytes()))
    again = mnist.read(tmp_path, name)
    assert torch.equal(again.x, part.x)
    assert torch.equal(again.y, part.y)
    cut = folder / f"{mnist.PREFIXES[name]}-images-idx3-ubyte.gz"
    (tmp_path / cut.name).write_bytes(cut.read_bytes()[:-1000])
    with pytest.raises(ValueError, match="expected a whole gzip file, got one that ends early"):
        mnist.read(tmp_path, name)

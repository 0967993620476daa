"""CIFAR-10: 60,000 colour photographs of 32 × 32 pixels in ten classes, downloaded when asked for.

A. Krizhevsky, V. Nair and G. Hinton collected them (A. Krizhevsky, *Learning Multiple Layers of
Features from Tiny Images*, 2009, https://www.cs.toronto.edu/~kriz/cifar.html). 50,000 are for
training, 5,000 of each class, and 10,000 for the test, 1,000 of each.

This reads the binary version, one archive of 170 MB. In it lie five files to train on and one to
test on, each with 10,000 records: a byte for the class, then 1,024 for red, 1,024 for green and
1,024 for blue, row by row. (The archive for Python holds pickles, and reading a pickle runs
whatever program is in it.) Nothing is unpacked to the disk.
"""

import gzip
import tarfile
import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dlbook.data.downloads import Remote, fetch
from dlbook.data.splits import Part, Splits

__all__ = ["CLASSES", "load"]

CLASSES: tuple[str, ...] = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
"""What the classes 0 to 9 are called."""

RECORDS = 10_000
SHAPE = (3, 32, 32)
RECORD = 1 + 3 * 32 * 32
FOLDER = "cifar-10-batches-bin"
TRAIN = [f"{FOLDER}/data_batch_{i}.bin" for i in range(1, 6)]
TEST = f"{FOLDER}/test_batch.bin"

# Size and checksum as in tensorflow_datasets/url_checksums of github.com/tensorflow/datasets.
REMOTE = Remote(
    "cifar-10/cifar-10-binary.tar.gz",
    ("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",),
    "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
    170052171,
)


def load(
    *,
    download: bool = False,
    archive: str | Path | None = None,
    validation: int = 5_000,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str | None = None,
) -> Splits:
    """Return CIFAR-10 in three parts: by default 45,000, 5,000 and 10,000 images.

    In float32 they take 737 MB.

    Args:
        download: fetch the archive if it is not in the cache; see :mod:`dlbook.data.downloads`.
        archive: the file ``cifar-10-binary.tar.gz``, if you have it already; None for the one in
            the cache, which is compared with its checksum.
        validation: how many examples from the end of the fifth training file are kept for
            validation; the files are in random order.
        dtype: floating-point type of ``x``, whose values lie in [0, 1].
        device: where the tensors live; the CPU if None.

    Returns:
        Splits ``(train, validation, test)``, each a :class:`dlbook.data.Part` with ``x``,
        ``(N, 3, 32, 32)`` in the order red, green, blue, and the classes ``y``, ``(N,)`` of int64
        in 0..9.

    Raises:
        FileNotFoundError: if the archive is missing and its download was not asked for.
        OSError: if the download failed.
        ValueError: for arguments out of range, and for an archive that is damaged or holds
            something else.

    Example:
        >>> load(archive="nowhere.tar.gz")
        Traceback (most recent call last):
        FileNotFoundError: cifar10.load: expected the archive nowhere.tar.gz, which is not there
    """
    if not dtype.is_floating_point:
        raise ValueError(f"cifar10.load: dtype expects a floating-point type, got {dtype}")
    total = len(TRAIN) * RECORDS
    if not 0 <= validation < total:
        raise ValueError(
            f"cifar10.load: validation expects a number from 0 to {total - 1}, got {validation}"
        )
    if archive is None:
        [path] = fetch([REMOTE], caller="cifar10.load", download=download)
    elif download:
        raise ValueError(
            "cifar10.load: expects archive= (a file that you have) or download=True (into the "
            "cache), got both"
        )
    else:
        path = Path(archive)
        if not path.is_file():
            raise FileNotFoundError(
                f"cifar10.load: expected the archive {path}, which is not there"
            )
    batches = _read(path)
    records = torch.cat([batches[name] for name in TRAIN])
    cut = total - validation
    return Splits(
        *(_part(rows, dtype, device) for rows in (records[:cut], records[cut:], batches[TEST]))
    )


def _part(records: Tensor, dtype: torch.dtype, device: torch.device | str | None) -> Part:
    records = records.to(device=device)
    x = records[:, 1:].reshape(-1, *SHAPE).to(dtype) / 255
    return Part(x, records[:, 0].to(torch.int64))


def _read(archive: Path) -> dict[str, Tensor]:
    """The records, ``(10000, 3073)`` of bytes, of each of the six files."""
    found: dict[str, Tensor] = {}
    try:
        with gzip.open(archive) as stream:
            with tarfile.open(fileobj=stream, mode="r:") as tar:
                for member in tar:
                    if member.name in (*TRAIN, TEST):
                        found[member.name] = _records(archive, tar, member, member.name in found)
            while stream.read(1 << 20):  # to the end, where the sum of all bytes stands
                pass
    except (EOFError, tarfile.TarError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(
            f"{archive}: expected a whole tar archive in gzip, got a damaged one: {error}"
        ) from error
    missing = [name for name in (*TRAIN, TEST) if name not in found]
    if missing:
        raise ValueError(f"{archive}: expected {', '.join((*TRAIN, TEST))}, got no {missing[0]}")
    return found


def _records(archive: Path, tar: tarfile.TarFile, member: tarfile.TarInfo, seen: bool) -> Tensor:
    size = RECORDS * RECORD
    if seen or not member.isreg() or member.size != size:
        what = (
            "a second one"
            if seen
            else f"one of {member.size:,}"
            if member.isreg()
            else "something that is not a file"
        )
        raise ValueError(
            f"{archive}: expected one file {member.name} of {size:,} bytes "
            f"({RECORDS:,} records of {RECORD:,}), got {what}"
        )
    stream = tar.extractfile(member)
    assert stream is not None  # a regular file
    content = stream.read()
    if len(content) != size:
        raise ValueError(
            f"{archive}: expected {size:,} bytes of {member.name}, got {len(content):,}: "
            "the archive ends early"
        )
    records = torch.from_numpy(np.frombuffer(content, np.uint8).reshape(RECORDS, RECORD).copy())
    if int(records[:, 0].max()) > 9:
        raise ValueError(
            f"{archive}: expected classes from 0 to 9 in {member.name}, "
            f"got {int(records[:, 0].max())}"
        )
    return records

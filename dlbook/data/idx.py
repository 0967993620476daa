"""The IDX format, in which MNIST and its relatives come: a few numbers, then an array of bytes.

====================  =======================================================================
bytes                 meaning
====================  =======================================================================
0, 1                  zero
2                     the type of the elements, see below
3                     the number *d* of dimensions
4 to 3 + 4 *d*        the sizes of the dimensions, each an unsigned integer of four bytes
the rest              the elements, the last dimension running fastest
====================  =======================================================================

Types: 8 unsigned byte, 9 signed byte, 11 and 12 integers of two and four bytes, 13 and 14
floating-point numbers of four and eight. All numbers have their most significant byte first.

A file that is anything else, shorter or longer than it says, is refused: an image that is silently
one byte off looks like noise, and a network learns from noise without complaint.
"""

import gzip
import math
import zlib
from collections.abc import Sequence
from io import BufferedIOBase
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

__all__ = ["read"]

TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def read(path: str | Path, *, shape: Sequence[int | None] | None = None) -> Tensor:
    """Read an IDX file, plain or compressed by gzip, whatever its name.

    Args:
        path: the file.
        shape: the sizes it has to have, with None where any will do; None for any number of any
            sizes. With it, elements have to be unsigned bytes.

    Returns:
        A tensor of the file's shape: uint8, int8, int16, int32, float32 or float64.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is not an IDX file, is damaged, ends early, goes on after its end, or
            holds something else than ``shape`` says.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder, "three")
        ...     _ = file.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 3]) + b"abc")
        ...     read(file)
        tensor([97, 98, 99], dtype=torch.uint8)
    """
    path = Path(path)
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            if not packed:
                return _parse(path, raw, shape)
            with gzip.open(raw) as stream:
                return _parse(path, stream, shape)
    except EOFError as error:
        raise ValueError(f"{path}: expected a whole gzip file, got one that ends early") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(
            f"{path}: expected a whole gzip file, got a damaged one: {error}"
        ) from error


def _parse(path: Path, stream: BufferedIOBase, shape: Sequence[int | None] | None) -> Tensor:
    magic = stream.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in TYPES or magic[3] == 0:
        raise ValueError(
            f"{path}: expected an IDX file, which begins with two zeros, a type among "
            f"{', '.join(map(str, TYPES))} and a number of dimensions, got {magic!r}"
        )
    dtype, dims = np.dtype(TYPES[magic[2]]), magic[3]
    header = stream.read(4 * dims)
    if len(header) < 4 * dims:
        raise ValueError(
            f"{path}: expected the sizes of {dims} dimensions, {4 * dims} bytes, "
            f"got {len(header)}: the file ends early"
        )
    sizes = tuple(np.frombuffer(header, ">u4").tolist())
    if shape is not None:
        fits = len(sizes) == len(shape) and all(w in (None, s) for w, s in zip(shape, sizes))
        if not fits or dtype.str != "|u1":
            wanted = ", ".join("any" if w is None else str(w) for w in shape)
            raise ValueError(
                f"{path}: expected unsigned bytes of shape ({wanted}), "
                f"got {dtype.name} of shape {sizes}"
            )
    expected = math.prod(sizes) * dtype.itemsize
    content = _read_up_to(stream, expected + 1)
    if len(content) != expected:
        got = "more" if len(content) > expected else f"{len(content):,}: the file ends early"
        raise ValueError(
            f"{path}: expected {expected:,} bytes of elements, for {dtype.name} of shape {sizes}, "
            f"got {got}"
        )
    elements = np.frombuffer(content, dtype).astype(dtype.newbyteorder("="))
    return torch.from_numpy(elements.reshape(sizes))


def _read_up_to(stream: BufferedIOBase, limit: int) -> bytes:
    """Read so many bytes, or what there is: memory for the file, not for what it claims to hold."""
    pieces = []
    while limit > 0 and (piece := stream.read(min(limit, 1 << 24))):
        pieces.append(piece)
        limit -= len(piece)
    return b"".join(pieces)

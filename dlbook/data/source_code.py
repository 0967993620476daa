r"""The source of Python's standard library, as found on the reader's machine: text to learn from.

It is real text of several million characters, written and reviewed by people, and it is there
already: nothing is downloaded. What is left out are tests, and modules that are tables (codecs),
that differ between platforms, or that some distributions of Python leave out (tkinter).

**Which text this is depends on the version of Python.** ``MODULES`` exist in every version from
3.11 on, but their text changes from one to the next, and some systems patch a few files. So a loss
measured on it is comparable with another only on the same text. :class:`Corpus` says which it is:
the version, the counts, and a digest of both parts.

**Characters.** The vocabulary is ASCII: 128 tokens, a character's token is its code. Anything else
(a few names in comments) becomes ``SUBSTITUTE``, the control character that ASCII has for that
purpose; line ends are ``"\n"`` on every system. Each file ends with ``END``, ASCII's own separator
of files. One token is thus one byte, and bits per token are bits per byte.

**Split.** Whole files go to training or validation, by the SHA-256 of their *name*: the same files
in every version and on every system, whatever is in them. Some files resemble each other (a
licence at the head, two classes of one interface), as they would in any library.
"""

import hashlib
import os
import platform
import re
import sysconfig
import tokenize
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int, Integer, UInt8
from torch import Tensor

from dlbook.data.splits import Part

__all__ = [
    "END",
    "MODULES",
    "SUBSTITUTE",
    "VOCABULARY_SIZE",
    "Corpus",
    "batches",
    "decode",
    "encode",
    "files",
    "library",
    "load",
    "parallel",
    "windows",
]

_NAMES = """
abc argparse ast asyncio base64 bdb bisect bz2 calendar cmd code codecs codeop collections
colorsys compileall concurrent configparser contextlib copy copyreg csv ctypes curses
dataclasses dbm difflib dis doctest email enum filecmp fileinput fnmatch fractions ftplib
functools genericpath getopt getpass gettext glob graphlib gzip hashlib heapq hmac html http
imaplib importlib inspect io ipaddress json keyword linecache locale logging lzma mailbox
mimetypes modulefinder multiprocessing netrc ntpath numbers operator optparse os pathlib pdb
pickle pickletools pkgutil platform plistlib poplib posixpath pprint py_compile pyclbr pydoc
queue quopri random re reprlib rlcompleter runpy sched secrets selectors shelve shlex shutil
signal smtplib socket socketserver sqlite3 ssl stat statistics string subprocess symtable
tabnanny tarfile tempfile textwrap threading timeit token tokenize tomllib trace traceback
tracemalloc types typing unittest urllib uuid warnings wave weakref webbrowser wsgiref xml
xmlrpc zipapp zipfile zipimport zoneinfo
"""
MODULES: tuple[str, ...] = tuple(_NAMES.split())
"""Modules and packages that every Python from 3.11 on has, in alphabetical order."""

VOCABULARY_SIZE = 128
"""How many tokens there are: ASCII."""

SUBSTITUTE = 0x1A
"""The token for every character beyond ASCII: ASCII's SUB."""

END = 0x1C
"""The token after the last character of a file: ASCII's FS, file separator."""

_TESTS = {"test", "tests", "__pycache__"}
_BEYOND = re.compile(r"[^\x00-\x7f]")


@dataclass(frozen=True, eq=False, repr=False)
class Corpus:
    """Text as tokens, cut into training and validation by file.

    Args:
        train: tokens of the training files, one after the other, each closed by ``END``; ``(N,)``
            of uint8.
        validation: the same of the validation files.
        train_files: their names, such as ``"json/decoder.py"``, in order.
        validation_files: the same.
        substituted: how many characters became ``SUBSTITUTE``.
        python: the version whose library it is; ``"unknown"`` for a folder of the caller's.
    """

    train: UInt8[Tensor, "N"]
    validation: UInt8[Tensor, "M"]
    train_files: tuple[str, ...]
    validation_files: tuple[str, ...]
    substituted: int
    python: str

    @property
    def digest(self) -> str:
        """SHA-256 of names and text, 64 hexadecimal digits: equal if and only if the text is."""
        result = hashlib.sha256()
        for names, stream in (
            (self.train_files, self.train),
            (self.validation_files, self.validation),
        ):
            result.update(f"{len(names)} {len(stream)}\n".encode())
            result.update("\n".join(names).encode("utf-8", "surrogateescape"))
            result.update(stream.numpy().tobytes())
        return result.hexdigest()

    @property
    def counts(self) -> dict[str, int]:
        """How many files and tokens each part has, and how many characters were substituted."""
        return {
            "training files": len(self.train_files),
            "training tokens": len(self.train),
            "validation files": len(self.validation_files),
            "validation tokens": len(self.validation),
            "substituted characters": self.substituted,
        }

    def __repr__(self) -> str:
        return (
            f"Corpus(Python {self.python}: {len(self.train):,} tokens of {len(self.train_files)} "
            f"files to train on, {len(self.validation):,} of {len(self.validation_files)} to "
            f"validate on; digest {self.digest[:12]}…)"
        )


def library() -> Path:
    """Return the folder of the standard library's source.

    Raises:
        FileNotFoundError: where it isn't installed as files, as in Python's embeddable package.

    Example:
        >>> (library() / "os.py").is_file()
        True
    """
    told = sysconfig.get_path("stdlib")
    for folder in ([Path(told)] if told else []) + [Path(os.__file__).parent]:
        if (folder / "os.py").is_file():
            return folder
    raise FileNotFoundError(
        f"source_code: expected the standard library's source, but there is no os.py in {told!r}; "
        "install Python with its library as files, or give a folder"
    )


def files(
    modules: Iterable[str] = MODULES, *, folder: str | os.PathLike[str] | None = None
) -> dict[str, Path]:
    """Return where the files of some modules are, sorted by name; tests are left out.

    Args:
        modules: names of modules (``NAME.py``) and packages (all files below ``NAME/``).
        folder: where they are; None for :func:`library`.

    Returns:
        Paths by their names below the folder, such as ``"json/decoder.py"``.

    Raises:
        FileNotFoundError: for a module that is not there.

    Example:
        >>> list(files(["json", "abc"]))[:3]
        ['abc.py', 'json/__init__.py', 'json/decoder.py']
    """
    root = library() if folder is None else Path(folder)
    found: dict[str, Path] = {}
    missing = []
    for module in modules:
        alone, package = root / f"{module}.py", root / module
        if (package / "__init__.py").is_file() or (package.is_dir() and not alone.is_file()):
            paths = [
                path
                for path in package.rglob("*.py")
                if not _TESTS.intersection(path.relative_to(root).parts[:-1])
            ]
        else:
            paths = [alone] if alone.is_file() else []
        if not paths:
            missing.append(module)
        found.update((path.relative_to(root).as_posix(), path) for path in paths)
    if missing:
        raise FileNotFoundError(
            f"source_code: expected the modules {missing} in {str(root)!r}, and they are not there"
        )
    return dict(sorted(found.items()))


def encode(text: str) -> UInt8[Tensor, "T"]:
    r"""Return a text as tokens, one a character.

    Args:
        text: any string.

    Returns:
        ``(T,)`` of uint8, each from 0 to 127.

    Example:
        >>> encode("x²\n")
        tensor([120,  26,  10], dtype=torch.uint8)
    """
    data = _BEYOND.sub(chr(SUBSTITUTE), text).encode("ascii")
    return torch.from_numpy(np.frombuffer(data, dtype=np.uint8).copy())


def decode(tokens: Sequence[int] | Tensor) -> str:
    r"""Return the text that tokens stand for.

    Args:
        tokens: numbers from 0 to 127, or a tensor ``(T,)`` of integers.

    Returns:
        The text, with ``"\ufffd"`` for ``SUBSTITUTE``.

    Raises:
        ValueError: for other numbers, or another shape.

    Example:
        >>> decode([120, 26, 10])
        'x�\n'
    """
    if isinstance(tokens, Tensor):
        if tokens.dim() != 1 or tokens.is_floating_point():
            raise ValueError(
                "source_code.decode: expects integers (T,), "
                f"got {tokens.dtype} of shape {tuple(tokens.shape)}"
            )
        tokens = tokens.tolist()
    wrong = [token for token in tokens if not 0 <= token < VOCABULARY_SIZE]
    if wrong:
        raise ValueError(f"source_code.decode: expects tokens from 0 to 127, got {wrong[0]}")
    return bytes(tokens).decode("ascii").replace(chr(SUBSTITUTE), "\ufffd")


def load(
    modules: Iterable[str] = MODULES,
    *,
    validation: float = 0.1,
    folder: str | os.PathLike[str] | None = None,
) -> Corpus:
    """Read the library and cut it into training and validation, file by file.

    Args:
        modules: names of modules and packages.
        validation: a file is for validation with this probability, between 0 and 1, drawn by its
            name. Of 500 files 10 per cent are 50, give or take a dozen, and they may be long or
            short: look at the counts.
        folder: where the library is; None for :func:`library`.

    Returns:
        The :class:`Corpus`.

    Raises:
        FileNotFoundError: for a module that is not there.
        ValueError: for a share out of range, or one that leaves a part without a file.

    Example:
        >>> corpus = load(["json", "email"])
        >>> sorted(corpus.counts)[-2:], corpus.validation_files[0]
        (['validation files', 'validation tokens'], 'email/__init__.py')
    """
    if not 0 < validation < 1:
        raise ValueError(
            f"source_code.load: validation expects a share between 0 and 1, got {validation!r}"
        )
    texts: tuple[list[str], list[str]] = [], []
    names: tuple[list[str], list[str]] = [], []
    for name, path in files(modules, folder=folder).items():
        with tokenize.open(path) as file:  # in the encoding that the file declares
            text = file.read()
        if text:
            part = int(_draw(name) < validation)
            texts[part].append(text + chr(END))
            names[part].append(name)
    if not all(names):
        raise ValueError(
            "source_code.load: expects at least one file in every part, "
            f"got {len(names[0])} to train on and {len(names[1])} to validate on"
        )
    whole = "".join(texts[0]), "".join(texts[1])
    return Corpus(
        encode(whole[0]),
        encode(whole[1]),
        tuple(names[0]),
        tuple(names[1]),
        sum(len(_BEYOND.findall(text)) for text in whole),
        platform.python_version() if folder is None else "unknown",
    )


def batches(
    stream: Integer[Tensor, "N"],
    batch_size: int,
    length: int,
    *,
    steps: int,
    generator: torch.Generator,
) -> Iterator[tuple[Int[Tensor, "B T"], Int[Tensor, "B T"]]]:
    """Yield batches of windows at random places, for networks that see one window at a time.

    Args:
        stream: tokens ``(N,)`` of any integer type, N > length.
        batch_size: windows a batch, B.
        length: tokens a window, T.
        steps: how many batches.
        generator: where the places come from; each is equally likely.

    Yields:
        Inputs and targets, ``(B, T)`` of int64; a target is the token after the input.

    Raises:
        ValueError: at the call, for arguments out of range.

    Example:
        >>> generator = torch.Generator().manual_seed(0)
        >>> x, y = next(batches(torch.arange(100), 2, 4, steps=1, generator=generator))
        >>> bool((y == x + 1).all()), x.shape
        (True, torch.Size([2, 4]))
    """
    _require("batches", stream, length, batch_size=batch_size)
    if steps < 0:
        raise ValueError(f"source_code.batches: steps expects a number >= 0, got {steps}")
    reach = torch.arange(length + 1)

    def draw() -> Iterator[tuple[Tensor, Tensor]]:
        for _ in range(steps):
            first = torch.randint(len(stream) - length, (batch_size, 1), generator=generator)
            block = stream[(first + reach).to(stream.device)].long()
            yield block[:, :-1], block[:, 1:]

    return draw()


def windows(stream: Integer[Tensor, "N"], length: int) -> Part:
    """Return the stream as windows side by side, in which every token is a target at most once.

    For measuring a loss: at the beginning of a window a network knows nothing of what came before.

    Args:
        stream: tokens ``(N,)`` of any integer type, N > length.
        length: tokens a window, T.

    Returns:
        A part with inputs ``x`` and targets ``y``, ``(n, T)`` of int64, n = (N - 1) // T. What is
        left at the end is left out.

    Raises:
        ValueError: for arguments out of range.

    Example:
        >>> part = windows(torch.arange(8), 3)
        >>> part.x.tolist(), part.y.tolist()
        ([[0, 1, 2], [3, 4, 5]], [[1, 2, 3], [4, 5, 6]])
    """
    _require("windows", stream, length)
    used = (len(stream) - 1) // length * length
    whole = stream[: used + 1].long()
    return Part(whole[:-1].reshape(-1, length), whole[1:].reshape(-1, length))


def parallel(
    stream: Integer[Tensor, "N"], batch_size: int, length: int
) -> Iterator[tuple[Int[Tensor, "B T"], Int[Tensor, "B T"]]]:
    """Yield batches that go on where the last one ended, for networks that keep their state.

    The stream is cut into B parts of equal length, which are read side by side. Row b of a batch
    follows on row b of the batch before: hand the state on, without its gradient, and
    backpropagation through time is truncated to T steps.

    Args:
        stream: tokens ``(N,)`` of any integer type, N > B T.
        batch_size: parts that are read side by side, B.
        length: tokens a batch takes of each, T.

    Yields:
        Inputs and targets, ``(B, T)`` of int64. What doesn't fill a batch is left out.

    Raises:
        ValueError: at the call, for arguments out of range.

    Example:
        >>> [x.tolist() for x, _ in parallel(torch.arange(9), 2, 2)]
        [[[0, 1], [4, 5]], [[2, 3], [6, 7]]]
    """
    _require("parallel", stream, length, batch_size=batch_size, side_by_side=True)
    each = (len(stream) - 1) // batch_size

    def read() -> Iterator[tuple[Tensor, Tensor]]:
        x = stream[: batch_size * each].reshape(batch_size, each)
        y = stream[1 : batch_size * each + 1].reshape(batch_size, each)
        for first in range(0, each - length + 1, length):
            columns = slice(first, first + length)
            yield x[:, columns].long(), y[:, columns].long()

    return read()


def _draw(name: str) -> float:
    """A number from 0 to 1 that depends on the name alone."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") / 2**64


def _require(
    caller: str, stream: Tensor, length: int, *, batch_size: int = 1, side_by_side: bool = False
) -> None:
    if stream.dim() != 1 or stream.is_floating_point() or stream.is_complex():
        raise ValueError(
            f"source_code.{caller}: stream expects integers (N,), "
            f"got {stream.dtype} of shape {tuple(stream.shape)}"
        )
    if length < 1 or batch_size < 1:
        raise ValueError(
            f"source_code.{caller}: length and batch_size expect at least 1, "
            f"got {length} and {batch_size}"
        )
    least = length * (batch_size if side_by_side else 1) + 1
    if len(stream) < least:
        raise ValueError(
            f"source_code.{caller}: stream expects at least {least} tokens, got {len(stream)}"
        )

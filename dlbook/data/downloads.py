"""Files of data that are too large to come with the package: fetched when asked for, and checked.

Nothing here reaches out by itself. A loader that needs a file asks for it in the cache; only with
``download=True`` is a missing one fetched, by pooch. It is written under another name, compared
with the SHA-256 that stands in the source, and only then given its name; so a file is either whole
or not there. A file in the cache is compared again whenever it is loaded.

The cache is the folder that ``DLBOOK_DATA`` names, otherwise ``dlbook`` among the platform's caches
(such as ``~/.cache/dlbook``).
"""

import hashlib
import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlbook._watched import watched

__all__ = ["Remote", "cache", "fetch"]


@dataclass(frozen=True)
class Remote:
    """A file that lies elsewhere.

    Args:
        name: what it is called in the cache, with ``/`` for folders.
        urls: where it lies, the first to be tried first.
        sha256: the SHA-256 of its bytes, in hexadecimal digits.
        size: how many bytes it has.

    Example:
        >>> digest = hashlib.sha256(b"12345").hexdigest()
        >>> Remote("numbers.txt", ("https://example.org/numbers.txt",), digest, 5).size
        5
    """

    name: str
    urls: tuple[str, ...]
    sha256: str
    size: int


def cache() -> Path:
    """Return the folder where downloads are kept, whether it exists or not.

    Example:
        >>> isinstance(cache(), Path)
        True
    """
    named = os.environ.get("DLBOOK_DATA")
    if named:
        return Path(named).expanduser()
    import pooch

    return Path(pooch.os_cache("dlbook"))


def fetch(files: Sequence[Remote], *, caller: str, download: bool = False) -> list[Path]:
    """Return where the files lie in the cache, whole and as they should be.

    Args:
        files: what is needed.
        caller: the loader that needs them, for messages, such as ``"mnist.load"``.
        download: fetch what is missing or damaged.

    Raises:
        FileNotFoundError: if a file is missing and its download was not asked for.
        ValueError: if a file in the cache is damaged and its download was not asked for.
        OSError: if no address gave the right file; the message says what each of them gave.

    Example:
        >>> fetch([], caller="nothing.load")
        []
    """
    folder = cache()
    paths = [folder / file.name for file in files]
    wrong = {p: _fault(p, file) for p, file in zip(paths, files, strict=True)}
    needed = [file for p, file in zip(paths, files, strict=True) if wrong[p]]
    if not needed:
        return paths
    if not download:
        path, fault = next((p, fault) for p, fault in wrong.items() if fault)
        amount = sum(file.size for file in needed) / 1e6
        kind = ValueError if path.exists() else FileNotFoundError
        raise kind(
            f"{caller}: expected {path}, {fault}. Nothing is downloaded unasked: with "
            f"download=True, {amount:.3g} MB are fetched from {_host(needed[0].urls[0])}, checked, "
            f"and kept in {folder} (DLBOOK_DATA names another place)"
        )
    for file in needed:
        _download(file, folder, caller)
    return paths


def _fault(path: Path, file: Remote) -> str:
    """What is wrong with a file in the cache, or nothing."""
    if not path.is_file():
        return "which is not there"
    size = path.stat().st_size
    if size != file.size:
        return f"of {file.size:,} bytes, got one of {size:,}"
    with path.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != file.sha256:
        return f"with SHA-256 {file.sha256}, got one with {found}"
    return ""


def _host(url: str) -> str:
    return url.split("/")[2]


def _download(file: Remote, folder: Path, caller: str) -> None:
    """Bring one file into the cache, from the first address that has it."""
    import pooch

    path = folder / file.name
    path.parent.mkdir(parents=True, exist_ok=True)
    faults = []
    for url in file.urls:
        bar = _bar(file) if watched() else None
        try:
            pooch.retrieve(
                url,
                known_hash=f"sha256:{file.sha256}",
                fname=path.name,
                path=path.parent,
                downloader=pooch.HTTPDownloader(progressbar=bar or False, chunk_size=1 << 16),
            )
            return
        except (ValueError, OSError) as error:
            faults.append(f"{url}: {error}")
        finally:
            if bar is not None:
                bar.close()
    raise OSError(
        f"{caller}: expected {file.name} with SHA-256 {file.sha256} from one of "
        f"{len(file.urls)} addresses, got\n  " + "\n  ".join(faults)
    )


def _bar(file: Remote) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a notebook without ipywidgets: a bar of text
        from tqdm.auto import tqdm

        return tqdm(total=file.size, unit="B", unit_scale=True, desc=Path(file.name).name)

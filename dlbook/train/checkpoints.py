"""Checkpoints: a run written down so that it can go on, whatever happens meanwhile.

**Whole or not at all.** A checkpoint is written to a temporary file beside its place, forced to the
disk, and then renamed; a rename replaces the old file in one step. Killed at any moment, a run
leaves the old file or the new one, never half of one.

**Nothing is believed.** A file begins with a signature, its length and the SHA-256 of its contents,
so that a foreign, cut or damaged one is recognised. The contents are tensors and plain values, and
are read by PyTorch's restricted unpickler (``weights_only=True``), which runs no code from the
file. The checksum guards against accidents, not against malice.

**Nothing is half changed.** :func:`restore` compares everything with the model and the optimiser
before it changes either.
"""

import hashlib
import io
import os
import pickle
import random
import re
import socket
import uuid
from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

__all__ = [
    "CheckpointError",
    "capture",
    "check",
    "check_origin",
    "load",
    "random_state",
    "restore",
    "save",
    "set_random_state",
]

_SIGNATURE = b"dlbook checkpoint 1\n"
_HEADER = len(_SIGNATURE) + 8 + 32
_PLAIN = (bool, int, float, complex, str, bytes, type(None), torch.Size, torch.dtype, torch.device)


class CheckpointError(RuntimeError):
    """A checkpoint that can't be read, or does not fit what it is to be restored into."""


def save(path: str | os.PathLike[str], contents: Mapping[Any, Any]) -> None:
    """Write a checkpoint, whole or not at all.

    Args:
        path: where to; an existing file is replaced, its folder must exist.
        contents: tensors, numbers, strings, None, and dictionaries, lists and tuples of these.

    Raises:
        TypeError: if something else is among the contents; the message says where.
        OSError: if the file can't be written. The old one, if there was one, is then untouched.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save(f"{folder}/run.pt", {"epoch": 3, "w": torch.ones(2)})
        ...     load(f"{folder}/run.pt")
        {'epoch': 3, 'w': tensor([1., 1.])}

    Chapter: :doc:`/training/training-loop`.
    """
    _require_plain(contents, "contents")
    target = _target(path)
    buffer = io.BytesIO()
    torch.save(contents if type(contents) in (dict, OrderedDict) else dict(contents), buffer)
    payload = buffer.getbuffer()
    temporary = target.with_name(f".{target.name}.{_own_mark()}.{uuid.uuid4().hex}.tmp")
    try:
        with open(temporary, "xb") as file:
            file.write(_SIGNATURE)
            file.write(len(payload).to_bytes(8, "big"))
            file.write(hashlib.sha256(payload).digest())
            file.write(payload)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(target.parent)
    _sweep(target)


def load(path: str | os.PathLike[str], map_location: torch.device | str = "cpu") -> dict[str, Any]:
    """Read a checkpoint that :func:`save` wrote.

    Args:
        path: the file.
        map_location: the device of the tensors.

    Raises:
        FileNotFoundError: if there is no such file.
        CheckpointError: if it is no checkpoint, or cut short, or damaged.

    Chapter: :doc:`/training/training-loop`.
    """
    data = Path(path).read_bytes()
    if not data.startswith(_SIGNATURE):
        if _SIGNATURE.startswith(data):
            raise CheckpointError(f"{path}: the checkpoint is cut short ({len(data)} bytes)")
        raise CheckpointError(f"{path}: this is not a checkpoint that dlbook wrote")
    length = int.from_bytes(data[len(_SIGNATURE) : len(_SIGNATURE) + 8], "big")
    if len(data) < _HEADER or len(data) != _HEADER + length:
        expected = f"{_HEADER + length} bytes" if len(data) >= _HEADER else "a whole header"
        raise CheckpointError(
            f"{path}: the checkpoint is cut short or has grown: expected {expected}, "
            f"got {len(data)} bytes"
        )
    payload = memoryview(data)[_HEADER:]
    if hashlib.sha256(payload).digest() != data[_HEADER - 32 : _HEADER]:
        raise CheckpointError(f"{path}: the checkpoint is damaged: its checksum does not match")
    try:
        contents = torch.load(io.BytesIO(payload), map_location=map_location, weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, ValueError, EOFError, KeyError) as error:
        raise CheckpointError(
            f"{path}: the checkpoint's contents cannot be read: {error}"
        ) from error
    if not isinstance(contents, dict):
        raise CheckpointError(f"{path}: the checkpoint holds no dictionary")
    return contents


def capture(
    model: nn.Module,
    optimizer: torch.optim.Optimizer | None = None,
    scheduler: Any = None,
) -> dict[str, Any]:
    """Return what :func:`restore` needs, to be saved with whatever else belongs to the run.

    Args:
        model: any module.
        optimizer: its optimiser.
        scheduler: the learning rate's schedule.

    Example:
        >>> sorted(capture(nn.Linear(2, 1))["model"])
        ['modules', 'state']
    """
    contents: dict[str, Any] = {
        "model": {"modules": _modules(model), "state": model.state_dict()},
    }
    for name, part in (("optimizer", optimizer), ("scheduler", scheduler)):
        if part is not None:
            contents[name] = {"kind": type(part).__name__, "state": part.state_dict()}
    return contents


def restore(
    contents: Mapping[str, Any],
    model: nn.Module,
    optimizer: torch.optim.Optimizer | None = None,
    scheduler: Any = None,
) -> None:
    """Bring a model, its optimiser and its schedule to the state that was captured.

    The classes of the modules are compared by name only, so that ``torch.nn.Linear`` and
    ``dlbook.nn.Linear`` can stand in for each other.

    Args:
        contents: from :func:`capture`, perhaps by way of a file.
        model: a module of the same architecture.
        optimizer: an optimiser of the same class and groups; None leaves it out.
        scheduler: a schedule of the same class; None leaves it out.

    Raises:
        CheckpointError: if something does not fit; then nothing has been changed.
    """
    check(contents, model, optimizer, scheduler)
    model.load_state_dict(contents["model"]["state"])
    for name, part in (("optimizer", optimizer), ("scheduler", scheduler)):
        if part is not None:
            part.load_state_dict(contents[name]["state"])


def check(
    contents: Mapping[str, Any],
    model: nn.Module,
    optimizer: torch.optim.Optimizer | None = None,
    scheduler: Any = None,
) -> None:
    """Compare what was captured with what it is to be restored into, changing nothing.

    Args:
        contents: from :func:`capture`, perhaps by way of a file.
        model: see :func:`restore`.
        optimizer: see :func:`restore`.
        scheduler: see :func:`restore`.

    Raises:
        CheckpointError: if something does not fit.
    """
    if not isinstance(contents.get("model"), Mapping):
        raise CheckpointError("the checkpoint holds no model")
    _check_model(contents["model"], model)
    for name, part in (("optimizer", optimizer), ("scheduler", scheduler)):
        if part is not None:
            _check_part(contents, name, part)


def check_origin(contents: Mapping[str, Any], writer: str, settings: Mapping[str, Any]) -> None:
    """Compare who wrote a checkpoint, and with which arguments, with who is about to go on.

    Args:
        contents: from :func:`load`, with what was saved as ``kind`` and ``settings``.
        writer: the function that goes on, saved as ``kind``.
        settings: its arguments.

    Raises:
        CheckpointError: if another function wrote it, or with another argument.

    Example:
        >>> check_origin({"kind": "fit", "settings": {"seed": 0}}, "fit", {"seed": 1})
        Traceback (most recent call last):
        dlbook.train.checkpoints.CheckpointError: the checkpoint's run has seed = 0, this one 1; ...
    """
    if contents.get("kind") != writer:
        raise CheckpointError(f"this checkpoint was not written by {writer}")
    for name, value in settings.items():
        saved = contents["settings"].get(name)
        if saved != value:
            raise CheckpointError(
                f"the checkpoint's run has {name} = {saved!r}, this one {value!r}; "
                "give the same arguments, or another file"
            )


def random_state(generators: Iterable[torch.Generator] = ()) -> dict[str, Any]:
    """Return the state of every source of randomness: Python, NumPy, PyTorch on all its devices.

    Args:
        generators: further generators, whose order must be the same at :func:`set_random_state`.

    Example:
        >>> state = random_state()
        >>> a = torch.rand(3)
        >>> set_random_state(state)
        >>> torch.equal(a, torch.rand(3))
        True
    """
    version, numbers, gauss = random.getstate()
    kind, keys, position, has_gauss, cached = np.random.get_state(legacy=True)
    state: dict[str, Any] = {
        "python": [version, list(numbers), gauss],
        "numpy": [kind, [int(key) for key in keys], int(position), int(has_gauss), float(cached)],
        "torch": torch.get_rng_state(),
        "generators": [generator.get_state() for generator in generators],
    }
    if torch.cuda.is_available() and torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        state["cuda"] = torch.cuda.get_rng_state_all()
    if torch.backends.mps.is_available():
        state["mps"] = torch.mps.get_rng_state()
    return state


def set_random_state(state: Mapping[str, Any], generators: Iterable[torch.Generator] = ()) -> None:
    """Bring every source of randomness to the state that :func:`random_state` returned.

    A device's state is left alone where this machine lacks the device.

    Args:
        state: from :func:`random_state`, perhaps by way of a file.
        generators: the generators that were given there, in the same order.

    Raises:
        CheckpointError: if there were more or fewer generators; then nothing has been changed.
    """
    own = list(generators)
    if len(own) != len(state["generators"]):
        raise CheckpointError(
            f"the checkpoint holds the state of {len(state['generators'])} generators, "
            f"this run has {len(own)}"
        )
    version, numbers, gauss = state["python"]
    random.setstate((version, tuple(numbers), gauss))
    kind, keys, position, has_gauss, cached = state["numpy"]
    np.random.set_state((kind, np.array(keys, dtype=np.uint32), position, has_gauss, cached))
    torch.set_rng_state(state["torch"].cpu())
    for generator, value in zip(own, state["generators"], strict=True):
        generator.set_state(value.cpu())
    if "cuda" in state and torch.cuda.is_available():
        for index, value in enumerate(state["cuda"][: torch.cuda.device_count()]):
            torch.cuda.set_rng_state(value.cpu(), index)
    if "mps" in state and torch.backends.mps.is_available():
        torch.mps.set_rng_state(state["mps"].cpu())


def _target(path: str | os.PathLike[str]) -> Path:
    target = Path(path)
    if target.is_dir():
        raise IsADirectoryError(f"checkpoint: {path} is a folder, a file's name is expected")
    if not target.parent.is_dir():
        raise FileNotFoundError(f"checkpoint: the folder {target.parent} does not exist")
    # Through a link, the file it points at is replaced, not the link.
    return target.resolve() if target.is_symlink() else target


def _require_plain(value: Any, where: str) -> None:
    """Refuse what the restricted unpickler would refuse, while there is still time."""
    if isinstance(value, Tensor) or type(value) in _PLAIN:
        return
    if type(value) in (dict, OrderedDict, Counter) or (
        isinstance(value, Mapping) and where == "contents"
    ):
        for key, entry in value.items():
            if type(key) not in (str, int, float, bool):
                raise TypeError(
                    f"checkpoint: {where} has a key of type {type(key).__name__}; "
                    "strings and numbers can be saved"
                )
            _require_plain(entry, f"{where}[{key!r}]")
    elif type(value) in (list, tuple):
        for index, entry in enumerate(value):
            _require_plain(entry, f"{where}[{index}]")
    else:
        raise TypeError(
            f"checkpoint: {where} is a {type(value).__module__}.{type(value).__name__}; tensors, "
            "numbers, strings, None, and dictionaries, lists and tuples of these can be saved"
        )


def _own_mark() -> str:
    host = re.sub(r"[^A-Za-z0-9-]", "-", socket.gethostname())
    return f"{host}.{os.getpid()}"


def _sync_folder(folder: Path) -> None:
    """Make the rename itself lasting, where folders can be synchronised."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError:
        pass  # some network file systems refuse; the file's contents are on the disk all the same
    finally:
        os.close(handle)


def _sweep(target: Path) -> None:
    """Remove what runs that were killed while writing this file have left beside it."""
    if os.name != "posix":
        return
    host = _own_mark().rpartition(".")[0]
    start = f".{target.name}.{host}."
    for entry in os.scandir(target.parent):
        if not (entry.name.startswith(start) and entry.name.endswith(".tmp")):
            continue
        process = entry.name[len(start) :].split(".")[0]
        if process.isdigit() and int(process) != os.getpid() and not _alive(int(process)):
            Path(entry.path).unlink(missing_ok=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _modules(model: nn.Module) -> list[tuple[str, str]]:
    return [(name, type(module).__name__) for name, module in model.named_modules()][1:]


def _check_model(saved: Mapping[str, Any], model: nn.Module) -> None:
    there, here = dict(saved["modules"]), dict(_modules(model))
    for name in [*there, *here]:
        if there.get(name) != here.get(name):
            raise CheckpointError(
                f"the checkpoint's model has {there.get(name, 'nothing')} at {name!r}, "
                f"this model has {here.get(name, 'nothing')}"
            )
    state, own = saved["state"], model.state_dict()
    missing, foreign = own.keys() - state.keys(), state.keys() - own.keys()
    if missing or foreign:
        raise CheckpointError(
            f"the checkpoint lacks {sorted(missing)} of this model's values, "
            f"and has {sorted(foreign)}, which this model lacks"
        )
    for name, value in own.items():
        other = state[name]
        if isinstance(value, Tensor) and (
            not isinstance(other, Tensor)
            or other.shape != value.shape
            or other.dtype != value.dtype
        ):
            raise CheckpointError(
                f"{name}: this model has {tuple(value.shape)} {value.dtype}, the checkpoint "
                + (f"{tuple(other.shape)} {other.dtype}" if isinstance(other, Tensor) else "none")
            )


def _check_part(contents: Mapping[str, Any], name: str, part: Any) -> None:
    saved = contents.get(name)
    kind = type(part).__name__
    if not isinstance(saved, Mapping):
        raise CheckpointError(f"the checkpoint holds no {name}, this run has {kind}")
    if saved["kind"] != kind:
        raise CheckpointError(f"the checkpoint's {name} is {saved['kind']}, this run's {kind}")
    if name == "optimizer":
        there = [len(group["params"]) for group in saved["state"]["param_groups"]]
        here = [len(group["params"]) for group in part.param_groups]
        if there != here:
            raise CheckpointError(
                f"the checkpoint's optimizer has groups of {there} parameters, this run's of {here}"
            )

"""What every test may count on: one thread, no window, fixed seeds, the built book if any."""

# ruff: noqa: E402

import os

# Before torch and numpy are imported: they read these once.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")
os.environ["MPLBACKEND"] = "Agg"
os.environ.pop("DISPLAY", None)

import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]

# Every annotated function of the package checks its arguments' shapes and types while the suite
# runs; the source itself is never decorated. What torch.compile can't trace then, and what hands in
# wrong types to see them refused in words, is marked `untyped` and runs with DLBOOK_TYPECHECK=0.
TYPED = os.environ.setdefault("DLBOOK_TYPECHECK", "1") == "1"
if TYPED:
    import jaxtyping

    with_shapes = jaxtyping.jaxtyped

    def jaxtyped(*, typechecker: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """The decorator that the hook writes above every function and class, at its real price.

        jaxtyping binds the arguments of every call anew, for shapes that few functions speak of:
        beartype alone checks the others. A function within a function would be decorated again at
        every call of the outer one, a millisecond each time: it is left as it is, which loses only
        what mypy reads too, as none of them speaks of shapes.
        """

        def decorate(made: Any) -> Any:
            shaped = "jaxtyping." in repr(made.__annotations__)
            if "<locals>" in made.__qualname__:
                assert not shaped, f"{made.__qualname__}: no shapes within a function: not checked"
                return made
            if isinstance(made, type) or shaped:
                return with_shapes(typechecker=typechecker)(made)
            return typechecker(made)

        return decorate

    jaxtyping.jaxtyped = jaxtyped
    # A whole number will do where a float is asked for, as in PEP 484.
    jaxtyping.install_import_hook(
        "dlbook", "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))"
    )

import matplotlib

matplotlib.use("Agg")

import numpy as np
import torch

torch.set_num_threads(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what runs only where annotations are not checked."""
    if TYPED:
        skip = pytest.mark.skip(reason="untyped: runs with DLBOOK_TYPECHECK=0")
        for item in items:
            if item.get_closest_marker("untyped"):
                item.add_marker(skip)


@pytest.fixture(autouse=True)
def fixed_seeds() -> None:
    """A test that draws random numbers draws the same ones every time, in any order of tests."""
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def same_defaults() -> Iterator[None]:
    """No test leaves another default dtype, and no figure, to the next one."""
    before = torch.get_default_dtype()
    yield
    torch.set_default_dtype(before)
    if "matplotlib.pyplot" in sys.modules:
        import matplotlib.pyplot as plt

        plt.close("all")


@pytest.fixture(scope="session")
def root() -> Path:
    """The root of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def book() -> Path:
    """The folder of the built book; a test that asks for it is skipped where there is none."""
    folder = Path(os.environ.get("DLBOOK_BOOK", ROOT / "_build" / "html"))
    if not (folder / "index.html").is_file():
        reason = f"no built book at {folder}: run `make book` first"
        if os.environ.get("DLBOOK_BOOK_REQUIRED") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return folder

"""What the pages need from elsewhere, brought into the build: MathJax and link inventories."""

import importlib.metadata
import shutil
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

MATHJAX = "tex-svg-full.js"


def mathjax_file() -> Path:
    """Return MathJax's one-file build, out of the installed package that carries it."""
    try:
        files = importlib.metadata.files("sphinx-mathjax-offline") or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name == MATHJAX:
            return Path(str(file.locate()))
    raise ExtensionError(
        "MathJax is missing: pip install sphinx-mathjax-offline (it is in the extra 'book')"
    )


def copy_mathjax(app: Sphinx, exception: Exception | None) -> None:
    """Put MathJax into the output's static folder (``build-finished``)."""
    if exception is not None or app.builder.format != "html":
        return
    source = mathjax_file()
    target = Path(app.outdir) / "_static" / "mathjax" / MATHJAX
    if not target.exists() or target.stat().st_size != source.stat().st_size:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


def write_inventory(path: Path, project: str, entries: Iterable[tuple[str, str, str]]) -> Path:
    """Write a Sphinx inventory of ``(name, domain:role, address)``, without asking anybody."""
    lines = [f"{name} {role} 1 {uri} -\n" for name, role, uri in entries]
    head = f"# Sphinx inventory version 2\n# Project: {project}\n# Version: \n"
    head += "# The remainder of this file is compressed using zlib.\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    data = head.encode() + zlib.compress("".join(lines).encode(), 9)
    if not path.exists() or path.read_bytes() != data:
        path.write_bytes(data)
    return path


def torch_entries() -> list[tuple[str, str, str]]:
    """Return the names of PyTorch that the book links to, with their pages' addresses."""
    classes = {
        "torch.Tensor": "tensors.html#torch.Tensor",
        "torch.Generator": "generated/torch.Generator.html#torch.Generator",
        "torch.device": "tensor_attributes.html#torch.device",
        "torch.dtype": "tensor_attributes.html#torch.dtype",
        "torch.Size": "size.html#torch.Size",
        "torch.nn.Module": "generated/torch.nn.Module.html#torch.nn.Module",
        "torch.nn.Parameter": "generated/torch.nn.parameter.Parameter.html",
        "torch.nn.parameter.Parameter": "generated/torch.nn.parameter.Parameter.html",
        "torch.nn.Sequential": "generated/torch.nn.Sequential.html#torch.nn.Sequential",
        "torch.nn.Linear": "generated/torch.nn.Linear.html#torch.nn.Linear",
        "torch.optim.SGD": "generated/torch.optim.SGD.html#torch.optim.SGD",
        "torch.optim.Optimizer": "optim.html#torch.optim.Optimizer",
        "torch.utils.data.Dataset": "data.html#torch.utils.data.Dataset",
        "torch.utils.data.DataLoader": "data.html#torch.utils.data.DataLoader",
        "torch.utils.data.TensorDataset": "data.html#torch.utils.data.TensorDataset",
        "torch.autograd.Function": "generated/torch.autograd.Function.html",
    }
    modules = {
        "torch": "torch.html",
        "torch.nn": "nn.html",
        "torch.nn.functional": "nn.functional.html",
        "torch.nn.init": "nn.init.html",
        "torch.optim": "optim.html",
        "torch.autograd": "autograd.html",
        "torch.func": "func.html",
        "torch.compile": "generated/torch.compile.html",
    }
    functions = {
        "torch.compile": "generated/torch.compile.html#torch.compile",
        "torch.func.vjp": "generated/torch.func.vjp.html#torch.func.vjp",
        "torch.func.jvp": "generated/torch.func.jvp.html#torch.func.jvp",
        "torch.func.vmap": "generated/torch.func.vmap.html",
        "torch.func.grad": "generated/torch.func.grad.html",
        "torch.func.jacrev": "generated/torch.func.jacrev.html",
        "torch.autograd.gradcheck": "generated/torch.autograd.gradcheck.gradcheck.html",
        "torch.autograd.gradgradcheck": "generated/torch.autograd.gradcheck.gradgradcheck.html",
        "torch.autograd.grad": "generated/torch.autograd.grad.html#torch.autograd.grad",
        "torch.manual_seed": "generated/torch.manual_seed.html#torch.manual_seed",
    }
    entries = [(name, "py:class", uri) for name, uri in classes.items()]
    entries += [(name, "py:module", uri) for name, uri in modules.items()]
    entries += [(name, "py:function", uri) for name, uri in functions.items()]
    return entries


def python_entries() -> list[tuple[str, str, str]]:
    """Return the names of Python's library that signatures mention."""
    builtin = "bool int float complex str bytes list tuple dict set frozenset range slice object"
    abstract = "Callable Iterable Iterator Generator Mapping MutableMapping Sequence Hashable Sized"
    raised = (
        "Exception TypeError ValueError IndexError KeyError RuntimeError AttributeError "
        "ImportError ModuleNotFoundError NotImplementedError AssertionError FileNotFoundError "
        "FloatingPointError ArithmeticError OverflowError ZeroDivisionError TimeoutError OSError"
    )
    entries = []
    for name in builtin.split():
        page = "stdtypes" if name != "object" else "functions"
        entries.append((name, "py:class", f"library/{page}.html#{name}"))
    for name in abstract.split():
        uri = f"library/collections.abc.html#collections.abc.{name}"
        entries.append((f"collections.abc.{name}", "py:class", uri))
        entries.append((f"typing.{name}", "py:class", f"library/typing.html#typing.{name}"))
    for name in ("Any", "Literal", "Protocol", "NamedTuple", "Self", "Union", "Optional"):
        entries.append((f"typing.{name}", "py:class", f"library/typing.html#typing.{name}"))
        entries.append((f"typing.{name}", "py:data", f"library/typing.html#typing.{name}"))
    for name in raised.split():
        entries.append((name, "py:exception", f"library/exceptions.html#{name}"))
    entries.append(("None", "py:data", "library/constants.html#None"))
    entries.append(("pathlib.Path", "py:class", "library/pathlib.html#pathlib.Path"))
    entries.append(("datetime.date", "py:class", "library/datetime.html#datetime.date"))
    entries.append(("os.PathLike", "py:class", "library/os.html#os.PathLike"))
    entries.append(("property", "py:class", "library/functions.html#property"))
    entries.append(("print", "py:function", "library/functions.html#print"))
    return entries


def inventories(folder: Path) -> dict[str, tuple[str, str]]:
    """Write the local inventories and return what intersphinx needs to use them."""
    python = write_inventory(folder / "python.inv", "Python", python_entries())
    torch = write_inventory(folder / "torch.inv", "PyTorch", torch_entries())
    return {
        "python": ("https://docs.python.org/3", str(python)),
        "torch": ("https://docs.pytorch.org/docs/stable", str(torch)),
    }


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("build-finished", copy_mathjax)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}

"""The ``api`` directive: every public object of a module, under the name that a reader imports.

    ```{api} dlbook.ops.activations
    ```

It shows a list of the module's public names, and then each object with its signature, its
docstring and the gallery scripts that use it. What a package re-exports is shown as
``dlbook.ops.relu``, whatever file it stands in; ``:own:`` shows what a file has besides, under the
file's own name. A page can't forget an object, and can't keep one that is gone.
"""

import ast
import importlib
import inspect
import pkgutil
import re
import sys
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.errors import PycodeError
from sphinx.pycode import ModuleAnalyzer
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective
from sphinx.util.parsing import nested_parse_to_nodes

logger = logging.getLogger(__name__)


def home(module: str) -> str:
    """Return the package under whose name the module's objects are imported."""
    package = module.rpartition(".")[0]
    return package if package.count(".") == 1 else module


def public(module: str, own: bool = False) -> list[tuple[str, Any]]:
    """Return a module's public objects in the order of the source.

    A package has those that it re-exports. A file of a package has those of them that it defines,
    or, if asked for its ``own``, the others: those in its ``__all__``, or without an underscore.
    """
    loaded = importlib.import_module(module)
    if hasattr(loaded, "__path__"):
        values = [(name, getattr(loaded, name)) for name in loaded.__all__]
        kept = [(name, value) for name, value in values if not inspect.ismodule(value)]
        return sorted(kept, key=lambda pair: (getattr(pair[1], "__module__", ""), line(pair[1])))
    package = importlib.import_module(home(module))
    exported = set(getattr(package, "__all__", None) or ())
    mine = set(getattr(loaded, "__all__", None) or vars(loaded))
    listed = mine if package is loaded else mine - exported if own else mine & exported
    return [
        (name, value)
        for name, value in vars(loaded).items()
        if not name.startswith("_")
        and not inspect.ismodule(value)
        and name in listed
        and _defines(loaded, name, value)
    ]


def _defines(module: Any, name: str, value: Any) -> bool:
    """Tell whether a name comes from this module rather than from one that it imports."""
    if isinstance(value, type) or callable(value):
        return bool(getattr(value, "__module__", None) == module.__name__)
    tree = ast.parse(inspect.getsource(module))
    kinds = (ast.Assign, ast.AnnAssign)
    targets = [t for n in ast.walk(tree) if isinstance(n, kinds) for t in ast.walk(n)]
    return any(isinstance(t, ast.Name) and t.id == name for t in targets)


def line(value: Any) -> int:
    """Return where an object's source begins, to sort by."""
    code = getattr(getattr(value, "forward", value), "__code__", None)
    if code is not None:
        return int(code.co_firstlineno)
    try:
        return inspect.getsourcelines(value)[1]
    except (OSError, TypeError):
        return 0


def comment(module: str, name: str) -> list[str]:
    """Return what the source says of a value: the lines of its ``#:`` comment or docstring."""
    inside = (m for m in sorted(sys.modules) if m == module or m.startswith(f"{module}."))
    for place in inside:
        try:
            docs = ModuleAnalyzer.for_module(place).find_attr_docs()
        except PycodeError:
            continue
        if ("", name) in docs:
            return list(docs["", name])
    return []


def indented(lines: list[str]) -> list[str]:
    return [f"   {line}" if line else "" for line in lines]


class Api(SphinxDirective):
    """List and document the public objects of one module."""

    required_arguments = 1
    optional_arguments = 100
    final_argument_whitespace = True
    option_spec: ClassVar[Any] = {"only": directives.unchanged, "own": directives.flag}

    def run(self) -> list[nodes.Node]:
        lines: list[str] = []
        for module in self.arguments[0].split():
            lines += self.module(module)
        # The page is Markdown; autodoc speaks reStructuredText.
        text = ["`````{eval-rst}", *lines, "`````"]
        content = StringList(text, source=self.get_source_info()[0] or "")
        return nested_parse_to_nodes(self.state, content)

    def module(self, module: str) -> list[str]:
        own = "own" in self.options
        try:
            objects = public(module, own)
        except (ImportError, AttributeError) as fault:
            logger.warning("api: %s", fault, location=self.get_location())
            return []
        if "only" in self.options:
            wanted = self.options["only"].replace(",", " ").split()
            missing = sorted(set(wanted) - {name for name, _ in objects})
            if missing:
                logger.warning("api: %s has no %s", module, missing, location=self.get_location())
            objects = [(name, value) for name, value in objects if name in wanted]
        file = getattr(importlib.import_module(module), "__file__", None)
        if file:
            self.env.note_dependency(file)
        prefix = module if own else home(module)
        lines = [line for name in self.declared(module) for line in (f".. py:module:: {name}", "")]
        if len(objects) > 1:
            listing = ", ".join(f":py:obj:`~{prefix}.{name}`" for name, _ in objects)
            lines += [listing, ""]
        for name, value in objects:
            lines += self.entry(module, prefix, name, value)
        return lines

    def declared(self, module: str) -> list[str]:
        """Return the modules that this place describes, so that links to them land here."""
        if "own" in self.options:
            return []
        loaded = importlib.import_module(module)
        paths = getattr(loaded, "__path__", None)
        if paths is None:
            return [module]
        if module == "dlbook":  # its parts have pages of their own
            return [module]
        inside = [m.name for m in pkgutil.iter_modules(paths) if not m.name.startswith("_")]
        return [module, *(f"{module}.{name}" for name in inside)]

    def entry(self, module: str, prefix: str, name: str, value: Any) -> list[str]:
        full = f"{prefix}.{name}"
        if not (getattr(value, "__module__", None) or "dlbook").startswith(("dlbook", "typ")):
            origin = f"{value.__module__.removesuffix('.container')}.{name}"
            origin = origin.replace("torch.nn.modules", "torch.nn")
            return [f".. py:class:: {full}", "", f"   PyTorch's own ``{origin}``.", ""]
        if inspect.isclass(value) and issubclass(value, BaseException):
            lines = [f".. autoexception:: {full}", ""]
        elif inspect.isclass(value):
            lines = [f".. autoclass:: {full}", "   :members:", ""]
        elif callable(value):
            lines = [f".. autofunction:: {full}", ""]
        else:
            lines = [f".. py:data:: {full}", "", *indented(comment(module, name)), ""]
        anchors = self.env.temp_data.setdefault("dlbook_anchors", set())  # of this page
        if prefix == module != home(module) and name not in anchors:
            anchors.add(name)
            # viewcode supposes one prefix for all objects of a file, and links back to this
            lines = [
                ".. raw:: html",
                "",
                f'   <span id="{home(module)}.{name}"></span>',
                "",
                *lines,
            ]
        for written in dict.fromkeys((full, f"{module}.{name}")):
            examples = Path(self.env.srcdir) / "api" / "generated" / f"{written}.examples"
            if examples.is_file() and "sphx-glr-thumbcontainer" in examples.read_text("utf-8"):
                self.env.note_dependency(str(examples))
                lines += [f".. minigallery:: {written}", ""]
                break
        return lines


# An argument that may be a tensor or a variable of a tape is an Array; its shape is said once.
_TYPE = r"~?(?:[\w.]+\.)?"
SHAPED = re.compile(
    rf"{_TYPE}(?P<kind>\w+)\[{_TYPE}Tensor, (?P<shape>'[^']*'|\"[^\"]*\")\] \| "
    rf"{_TYPE}(?P=kind)\[{_TYPE}Variable, (?P=shape)\]"
)
EITHER = re.compile(rf"{_TYPE}Tensor \| {_TYPE}Variable\b")
SHORT = {
    "Array": "dlbook.autodiff.Array",
    "Variable": "dlbook.autodiff.Variable",
    "Tensor": "torch.Tensor",
}


def say_array(
    app: Sphinx,
    what: str,
    name: str,
    obj: Any,
    options: Any,
    signature: str | None,
    returns: str | None,
) -> tuple[str, str | None] | None:
    """Write ``Array`` where a signature spells out both of its kinds."""
    if not signature:
        return None
    signature = signature.replace("<factory>", "...")  # or the signature is no Python
    spoken = [
        EITHER.sub("Array", SHAPED.sub(r"\g<kind>[Array, \g<shape>]", text)) if text else text
        for text in (signature, returns)
    ]
    return spoken[0], spoken[1]


def lengthen(app: Sphinx, env: Any, node: Any, text: nodes.Node) -> nodes.Node | None:
    """Resolve the short names of types, which shapes are written with."""
    if node.get("refdomain") != "py" or node.get("reftarget") not in SHORT:
        return None
    node["reftarget"] = SHORT[node["reftarget"]]  # whoever looks next finds torch's
    domain = env.domains["py"]
    found: nodes.Node | None = domain.resolve_xref(
        env, node["refdoc"], app.builder, "obj", node["reftarget"], node, text
    )
    return found


def forget_builtins(app: Sphinx) -> list[Any]:
    """Keep values that are no code, and so have no source, out of the list of sources."""
    modules = getattr(app.env, "_viewcode_modules", {})
    for name in [name for name, entry in modules.items() if entry is False]:
        del modules[name]
    return []


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("api", Api)
    app.connect("autodoc-process-signature", say_array)
    app.connect("missing-reference", lengthen, priority=100)  # before intersphinx
    app.connect("html-collect-pages", forget_builtins, priority=100)  # before viewcode
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}

"""One topic, one stem, five rooms: chapters, code, pictures and tests name each other.

A chapter's front matter lists its rooms (`code:`, `examples:`, `tests:`); what it lists exists, and
what exists is listed. Some habits of the house are held here too, because they can be read off the
sources: no chapter numbers in names, no borrowed derivatives in `dlbook/ops`, plain prose.
"""

import ast
import re
import subprocess
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("code", "examples", "tests")
NOT_PARTS = {"api", "gallery", "_ext", "_static", "_data", "_templates"}
CHAPTERS = sorted(p for p in (ROOT / "book").glob("*/*.md") if p.parent.name not in NOT_PARTS)
NAMES = [path.relative_to(ROOT).as_posix() for path in CHAPTERS]
FRONT_AND_BACK = sorted((ROOT / "book").glob("*.md"))  # homework zero has exercises, too

# What no chapter has to name, and why.
EXEMPT = {
    "dlbook/_lazy.py": "how names are loaded, not what the book teaches",
    "dlbook/testing/": "the registry; the evidence page shows it",
    "dlbook/exercises/": "each file belongs to the chapter of its own name",
    "dlbook/_watched.py": "whether a bar would be seen",
    "dlbook/data/cifar10.py": "taught by a chapter of Part III that is yet to be written",
    "dlbook/data/downloads.py": "how files come here, not what the book teaches",
    "dlbook/data/idx.py": "a file format, not what the book teaches",
    "dlbook/data/mnist.py": "taught by a chapter of Part III that is yet to be written",
    "dlbook/plot/": "drawing; the chapters show its pictures",
}


def front_matter(path: Path) -> dict[str, Any]:
    text = path.read_text(encoding="utf-8")
    if not text.startswith("---\n"):
        return {}
    return yaml.safe_load(text.split("\n---", 2)[0].removeprefix("---")) or {}


def rooms(path: Path, room: str) -> list[str]:
    """The files that a chapter names; a module, `dlbook.ops.losses`, stands for its file."""
    listed = front_matter(path).get(room) or []
    entries = [listed] if isinstance(listed, str) else [str(entry) for entry in listed]
    return [file_of(e) if room == "code" else e.split("::")[0] for e in entries]


def file_of(module: str) -> str:
    if "/" in module:
        return module
    path = ROOT.joinpath(*module.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return file.relative_to(ROOT).as_posix()


def sources(folder: str, pattern: str = "*.py") -> list[Path]:
    return sorted(p for p in (ROOT / folder).rglob(pattern) if "__pycache__" not in p.parts)


def exempt(name: str) -> bool:
    return name.endswith("/__init__.py") or any(
        name == entry or (entry.endswith("/") and name.startswith(entry)) for entry in EXEMPT
    )


def tracked() -> list[str]:
    """The files of the project: what git knows, or, outside a clone, what lies here."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.splitlines()
    except (OSError, subprocess.CalledProcessError):
        places = ("book", "dlbook", "gallery", "tests")
        listed = [p.relative_to(ROOT).as_posix() for f in places for p in sources(f, "*")]
    return [name for name in listed if (ROOT / name).is_file()]


@pytest.mark.parametrize("name", NAMES)
def test_what_a_chapter_names_exists(name: str) -> None:
    chapter = ROOT / name
    matter = front_matter(chapter)
    absent = [room for room in ROOMS if not rooms(chapter, room)]
    assert not absent, f"{name}: the front matter names nothing under {absent}: {sorted(matter)}"
    lost = [e for room in ROOMS for e in rooms(chapter, room) if not (ROOT / e).is_file()]
    assert not lost, f"{name}: the front matter names files that don't exist: {lost}"
    places = {"code": "dlbook/", "examples": "gallery/", "tests": "tests/"}
    astray = [
        f"{room}: {e}"
        for room in ROOMS
        for e in rooms(chapter, room)
        if not e.startswith(places[room])
    ]
    assert not astray, f"{name}: in the wrong room: {astray}"


def test_every_module_is_named_by_a_chapter() -> None:
    named = {entry for chapter in CHAPTERS for entry in rooms(chapter, "code")}
    modules = [path.relative_to(ROOT).as_posix() for path in sources("dlbook")]
    homeless = [name for name in modules if name not in named and not exempt(name)]
    assert not homeless, f"no chapter's front matter names {homeless} (or exempt them, saying why)"


def test_every_gallery_script_is_named_by_a_chapter() -> None:
    named = {entry for chapter in CHAPTERS for entry in rooms(chapter, "examples")}
    scripts = [path.relative_to(ROOT).as_posix() for path in sources("gallery", "plot_*.py")]
    homeless = [name for name in scripts if name not in named]
    assert not homeless, f"no chapter's front matter names {homeless}"


@pytest.mark.parametrize("name", NAMES)
def test_a_chapter_has_exercises_of_its_name(name: str) -> None:
    stem = Path(name).stem.replace("-", "_")
    assert (ROOT / f"dlbook/exercises/{stem}.py").is_file(), (
        f"{name}: no dlbook/exercises/{stem}.py"
    )


def test_exemptions_are_still_needed() -> None:
    gone = [entry for entry in EXEMPT if not (ROOT / entry).exists()]
    assert not gone, f"exempt, but no longer there: {gone}"
    named = {entry for chapter in CHAPTERS for entry in rooms(chapter, "code")}
    taught = sorted(named & EXEMPT.keys())
    assert not taught, f"exempt, but a chapter names them by now: {taught}"


def test_exercise_files_have_a_page() -> None:
    stems = {path.stem.replace("-", "_") for path in CHAPTERS + FRONT_AND_BACK}
    files = [p for p in sources("dlbook/exercises") if not p.stem.startswith("_")]
    homeless = [path.name for path in files if path.stem not in stems]
    assert not homeless, f"exercises without a page: {homeless}"


def test_gallery_scripts_lie_with_their_part() -> None:
    parts = {path.parent.name for path in CHAPTERS}
    stems = {path.stem.replace("-", "_") for path in CHAPTERS}
    problems = []
    for path in sources("gallery", "*.py"):
        topic = path.stem.removeprefix("plot_")
        if not path.stem.startswith("plot_") or path.parent.name not in parts:
            problems.append(
                f"{path.relative_to(ROOT)}: expected gallery/<part>/plot_<stem>_<what>.py"
            )
        elif not any(topic == stem or topic.startswith(f"{stem}_") for stem in stems):
            problems.append(f"{path.relative_to(ROOT)}: {topic!r} starts with no chapter's stem")
    assert not problems, "\n".join(problems)


def test_no_name_bears_a_chapter_number() -> None:
    numbered = re.compile(
        r"(?:^|[_/-])(?:ch|chap|chapter|part|sec|section|lesson)?[_-]?\d{1,2}[_-]"
    )
    places = ("book/", "gallery/", "dlbook/", "tests/")
    wrong = [n for n in tracked() if n.startswith(places) and numbered.search(n)]
    assert not wrong, f"order lives in book/index.md alone, but these names are numbered: {wrong}"


# What torch offers ready-made and a derivation must not lean on: everything that it has both as a
# function and in torch.nn.functional, save the elementary functions that a pocket calculator has.
ELEMENTARY = {"tanh", "sigmoid"}
BORROWED = {
    name
    for name in dir(torch.nn.functional)
    if not name.startswith("_") and name.islower() and callable(getattr(torch, name, None))
} - ELEMENTARY
BORROWED |= {"logsumexp", "softmax", "log_softmax", "cross_entropy_loss", "nll_loss", "layer_norm"}
FORBIDDEN = ("torch.nn", "torch.autograd", "torch.func", "torch.ops", "torch._C", "autograd", "jax")


def dotted(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else "?"


def borrowed(tree: ast.Module) -> Iterator[tuple[int, str]]:
    own = {"ops"}
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            names = [module, *(f"{module}.{alias.name}" for alias in node.names)]
            if module.startswith("dlbook"):
                own |= {alias.asname or alias.name for alias in node.names}
                continue
        elif isinstance(node, ast.Attribute):
            names = [dotted(node)]
        for name in names:
            base, _, last = name.rpartition(".")
            forbidden = any(name == f or name.startswith(f"{f}.") for f in FORBIDDEN)
            backward = last.endswith("_backward") or last == "backward"
            ready = isinstance(node, ast.Attribute) and last in BORROWED
            if forbidden or backward or (ready and base.split(".")[0] not in own):
                yield node.lineno, name


OPS = [path.relative_to(ROOT).as_posix() for path in sources("dlbook/ops")]


@pytest.mark.parametrize("name", OPS)
def test_ops_derive_what_they_teach(name: str) -> None:
    found = sorted(set(borrowed(ast.parse((ROOT / name).read_text(encoding="utf-8")))))
    listing = "\n  ".join(f"{name}:{line} {what}" for line, what in found)
    assert not found, f"ready-made where a derivation belongs:\n  {listing}"


def test_the_scan_sees_what_it_looks_for() -> None:
    wrong = [
        "import torch.nn.functional as F",
        "from torch.nn import functional",
        "from torch import autograd",
        "y = torch.softmax(x, 0)",
        "y = x.relu()",
        "z = torch.ops.aten.gelu_backward(g, x)",
        "loss.backward()",
    ]
    right = [
        "y = torch.exp(x - torch.amax(x))",
        "from dlbook import ops\ny = ops.relu(x)",
        "from dlbook.ops import softmax as soft\ny = soft.softmax(x)",
    ]
    assert [source for source in wrong if not list(borrowed(ast.parse(source)))] == []
    assert [source for source in right if list(borrowed(ast.parse(source)))] == []


def test_tape_and_forward_mode_use_no_foreign_derivatives() -> None:
    wrong = []
    for name in ("tape", "forward", "numerical"):
        path = ROOT / f"dlbook/autodiff/{name}.py"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            called = dotted(node) if isinstance(node, ast.Attribute) else ""
            if called.startswith(("torch.autograd", "torch.func.")) or called.endswith(".backward"):
                wrong.append(f"{path.relative_to(ROOT)}:{node.lineno} {called}")  # type: ignore[attr-defined]
    assert not wrong, f"the chain rule is ours to apply: {wrong}"


THROAT_CLEARING = re.compile(
    "|".join(
        [
            r"we(?:['’]ll| will) (?:now )?(?:explore|delve|dive)",
            r"in this (?:chapter|section),? we",
            r"let['’]s (?:dive|delve|explore)",
            r"delve|deep dive|dive in(?:to)? (?:the|deep)",
            r"it is (?:important|worth) (?:to note|noting)",
            r"\bthe user\b|game[- ]chang|cutting[- ]edge|without further ado",
            r"unlock the power|powerful tool|revolutioni[sz]|in today['’]s world",
        ]
    ),
    re.IGNORECASE,
)
PICTOGRAPH = re.compile("[\U0001f300-\U0001faff\u2705\u274c\u2728\u26a0]")


def lines(prefixes: tuple[str, ...], suffixes: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for name in tracked():
        if name.startswith(prefixes) and name.endswith(suffixes):
            text = (ROOT / name).read_text(encoding="utf-8")
            for number, line in enumerate(text.splitlines(), 1):
                yield f"{name}:{number}", line


def test_prose_is_plain() -> None:
    places = ("book/", "gallery/", "dlbook/", "README.md", "CONTRIBUTING.md")
    wrong = []
    for place, line in lines(places, (".md", ".rst", ".py")):
        if place.startswith("book/_ext/"):
            continue
        found = THROAT_CLEARING.search(line) or PICTOGRAPH.search(line)
        if found:
            wrong.append(f"{place} {found.group()!r}")
    assert not wrong, "say the thing itself:\n  " + "\n  ".join(wrong)


def test_nothing_is_left_to_do() -> None:
    mark = re.compile(r"\b(?:TO" + "DO|FIX" + r"ME|XX" + r"X)\b")
    places = ("book/", "gallery/", "dlbook/", "tests/", "conf.py", "Makefile", "README.md")
    suffixes = (".md", ".rst", ".py", ".css", ".toml", "Makefile")
    wrong = [place for place, line in lines(places, suffixes) if mark.search(line)]
    assert not wrong, f"unfinished: {wrong}"


def test_the_glossary_is_parted_and_in_order() -> None:
    text = (ROOT / "book/glossary.md").read_text("utf8")
    listed = text.split("```{glossary}\n", 1)[1].split("\n```", 1)[0].split("\n")
    joined = [
        line for before, line in pairwise(listed) if before and line and not line.startswith(" ")
    ]
    assert not joined, f"an empty line belongs before {joined}"
    terms = [
        re.sub(r"[$\\{}^]", "", line).lower() for line in listed if line and line.strip() == line
    ]
    wrong = [(a, b) for a, b in pairwise(terms) if a >= b]
    assert not wrong, f"out of order, or twice: {wrong}"


def test_every_entry_of_the_bibliography_is_cited() -> None:
    entries = re.findall(r"^@\w+\{(\w+),", (ROOT / "book/references.bib").read_text("utf8"), re.M)
    cited = {
        key.strip()
        for path in (ROOT / "book").rglob("*.md")
        if "_ext" not in path.parts
        for keys in re.findall(r"\{cite(?::\w+)?\}`([^`]+)`", path.read_text("utf8"))
        for key in keys.split(",")
    }
    assert entries
    assert len(entries) == len(set(entries))
    assert set(entries) == cited


def test_the_bibliography_can_be_read() -> None:
    """A merge may mix two entries, and the keys all look right."""
    bibtex = pytest.importorskip("pybtex.database")
    entries = bibtex.parse_file(str(ROOT / "book/references.bib")).entries
    poor = [key for key, entry in entries.items() if not {"title", "year"} <= set(entry.fields)]
    assert not poor, f"no title or no year: {poor}"

"""The ``exercise`` directive: an exercise's box, made from ``dlbook.exercises``.

::

    ```{exercise} backpropagation.max-gate
    ```

The box holds number, title, kind, effort and statement, the stub, the line that checks an answer,
the hints (each folded) and the solution (folded). Nothing of it is written in the chapter.
``{ref}`exercise:backpropagation.max-gate` `` links to it.
"""

import importlib
import inspect
import re
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

logger = logging.getLogger(__name__)

KINDS = {
    "predict": "predict, then run",
    "derive": "derive",
    "program": "program",
    "break": "break",
    "extend": "extend",
}
EFFORT = {1: "minutes", 2: "half an hour", 3: "an evening"}


class Folded(nodes.General, nodes.Element):
    """Content that opens on a click."""


def visit_folded(self: Any, node: Folded) -> None:
    self.body.append(self.starttag(node, "details"))
    self.body.append(f"<summary>{self.encode(node['title'])}</summary>\n")


def depart_folded(self: Any, node: Folded) -> None:
    self.body.append("</details>\n")


def visit_plain(self: Any, node: Folded) -> None:
    pass


def depart_plain(self: Any, node: Folded) -> None:
    pass


class ExerciseDirective(SphinxDirective):
    """Show one exercise of ``dlbook.exercises``."""

    required_arguments = 1
    has_content = False
    option_spec: ClassVar[dict[str, Any]] = {"class": directives.class_option}

    def run(self) -> list[nodes.Node]:
        wanted = self.arguments[0].strip()
        core = importlib.import_module("dlbook.exercises._core")
        try:
            exercise = core.get(wanted)
        except core.UnknownExerciseError as fault:
            logger.error("exercise: %s", fault, location=self.get_location())
            return []
        self.env.note_dependency(inspect.getfile(exercise.module))
        counters = self.env.temp_data.setdefault("exercise_numbers", {})
        if wanted in counters:
            logger.error("exercise: %s stands here twice", wanted, location=self.get_location())
            return []
        number = counters[wanted] = len(counters) + 1

        anchor = nodes.make_id(f"exercise-{wanted}")
        title = f"Exercise {number}: {exercise.title}"
        box = nodes.container(
            classes=["exercise", f"effort-{exercise.effort}", *self.options.get("class", [])]
        )
        box["ids"].append(anchor)
        self.set_source_info(box)
        self.env.domains.standard_domain.note_hyperlink_target(
            f"exercise:{wanted}".lower(), self.env.docname, anchor, title
        )

        head = nodes.paragraph(classes=["exercise-head"])
        head += nodes.strong("", "", nodes.Text(f"Exercise {number}"))
        head += nodes.Text(" ")
        head += nodes.inline("", exercise.title, classes=["exercise-title"])
        head += nodes.Text(" ")
        level = exercise.effort
        mark = "●" * level + "○" * (3 - level)
        head += nodes.inline(
            "",
            f"{KINDS[exercise.kind]} · {mark} {EFFORT[level]}",
            classes=["exercise-effort"],
        )
        box += head
        box += self._text(exercise.statement)
        if exercise.choices:
            options = ", ".join(f"`{choice!r}`" for choice in exercise.choices)
            box += self._text(f"The answer is one of {options}.")
        box += self._code(exercise.stub_source, "exercise-stub")
        line = f'check("{exercise.id}", {exercise.name})'
        if number == 1:
            line = f"from dlbook.exercises import check\n\n{line}"
        box += self._code(line, "exercise-check")
        for i, hint in enumerate(exercise.hints, 1):
            box += self._folded(f"Hint {i} of {len(exercise.hints)}", "hint", self._text(hint))
        solution = self._code(exercise.reference_source, "exercise-solution")
        box += self._folded("Solution", "solution", [solution])
        if exercise.revise:
            place = nodes.container(classes=["exercise-revise"])
            place += self._text(f"To revise: {self._place(*exercise.revise)}")
            box += place
        return [box]

    def _place(self, page: str, heading: str) -> str:
        """Return a link to a heading of a page, or its name while that page isn't written."""
        chapter = page.split("/")[-1].replace("-", " ")
        path = Path(self.env.srcdir) / f"{page}.md"
        if not path.is_file():
            self.env.note_dependency(str(path))  # look again
            return f"{chapter}, {heading}"
        anchor = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        return f"{chapter}, [{heading}](/{page}.md#{anchor})"

    def _text(self, text: str) -> list[nodes.Node]:
        holder = nodes.container()
        holder.document = self.state.document
        lines = StringList(text.split("\n"), source=self.get_source_info()[0])
        self.state.nested_parse(lines, self.lineno - 1, holder)
        return list(holder.children)

    def _code(self, code: str, name: str) -> nodes.literal_block:
        code = code.rstrip("\n")
        block = nodes.literal_block(code, code, language="python", classes=[name])
        self.set_source_info(block)
        return block

    def _folded(self, title: str, name: str, content: list[nodes.Node]) -> Folded:
        fold = Folded(title=title, classes=["fold", f"exercise-{name}-fold"])
        self.set_source_info(fold)
        fold += content
        return fold


def setup(app: Sphinx) -> dict[str, Any]:
    plain = (visit_plain, depart_plain)
    app.add_node(
        Folded,
        html=(visit_folded, depart_folded),
        latex=plain,
        text=plain,
        man=plain,
        texinfo=plain,
    )
    app.add_directive("exercise", ExerciseDirective)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}

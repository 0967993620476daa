"""Every exercise of every chapter: the reference passes, stub and wrong answers fail."""

import io
import linecache
import re
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from dlbook.exercises import Exercise, exercises, stems
from dlbook.exercises.__main__ import stub_file

ROOT = Path(__file__).resolve().parents[1]
ALL = [exercise for stem in stems() for exercise in exercises(stem)]
WRONG = [(e, wrong) for e in ALL for wrong in e.wrong_answers]
each = pytest.mark.parametrize("exercise", ALL, ids=[e.id for e in ALL])


def test_there_are_exercises() -> None:
    assert "layers" in stems()
    assert ALL


@each
def test_the_chapter_can_show_it(exercise: Exercise) -> None:
    module = exercise.module.__name__.rpartition(".")[2]
    assert exercise.id.startswith(module.replace("_", "-") + ".")
    assert exercise.statement.strip()
    assert exercise.title.strip()
    assert len(exercise.hints) >= 2
    assert all(hint.strip() for hint in exercise.hints)
    assert exercise.stub_function.__doc__
    assert exercise.stub_source.startswith(("def ", "class "))
    assert re.match(rf"(def|class) {exercise.name}\b", exercise.reference_source)


@each
def test_wrong_answers_are_three_and_told_apart(exercise: Exercise) -> None:
    messages = [wrong.message for wrong in exercise.wrong_answers]
    assert len(messages) >= 3, "an exercise ships with three typical wrong answers at least"
    assert len(set(messages)) == len(messages), "two wrong answers get the same message"


@each
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_reference_passes(exercise: Exercise, seed: int) -> None:
    result = exercise.check(exercise.reference_function, seed=seed)
    assert result, result


@each
def test_the_stub_is_not_started(exercise: Exercise) -> None:
    result = exercise.check(exercise.stub_function, seed=0)
    assert not result
    assert result.status == "not started"


@pytest.mark.parametrize(("exercise", "wrong"), WRONG, ids=[f"{e.id}:{w.name}" for e, w in WRONG])
def test_a_wrong_answer_gets_its_own_message(exercise: Exercise, wrong: Any) -> None:
    results = [exercise.check(wrong.answer, seed=seed, seconds=3.0) for seed in (0, 1)]
    for result in results:
        assert not result, f"{wrong.name} passed"
        assert result.status == "failed"
        assert wrong.message in result.message, result
    others = [w.message for w in exercise.wrong_answers if w.message != wrong.message]
    assert not any(results[0].message == other for other in others)


@each
def test_what_is_to_be_revised_is_there(exercise: Exercise) -> None:
    """A page that is named has the heading; one that is not yet written can't be checked."""
    if exercise.revise is None:
        return
    assert exercise.group, "only exercises of a group are counted in an overview"
    name, heading = exercise.revise
    page = ROOT / "book" / f"{name}.md"
    if page.is_file():
        assert re.search(rf"^##+ {re.escape(heading)}$", page.read_text("utf-8"), re.MULTILINE)


@pytest.mark.parametrize("stem", stems())
def test_ids_and_stubs_are_unique(stem: str) -> None:
    found = exercises(stem)
    assert len({e.id for e in found}) == len(found)
    assert len({e.name for e in found}) == len(found)


@pytest.mark.parametrize("stem", stems())
def test_the_file_of_stubs_takes_the_references(stem: str) -> None:
    """What `start` writes runs as it is, and the references pass when they are typed into it."""
    text = stub_file(stem)
    namespace: dict[str, Any] = {"__name__": "stubs"}
    exec(compile(text, "<stubs>", "exec"), namespace)
    found = exercises(stem)
    assert set(namespace["ANSWERS"]) == {e.id for e in found}
    for e in found:
        assert e.check(namespace["ANSWERS"][e.id], seed=0).status == "not started"
        assert e.stub_source in text
        text = text.replace(e.stub_source, e.reference_source)
    name = f"<references of {stem}>"
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    with redirect_stdout(io.StringIO()):
        exec(compile(text, name, "exec"), namespace)
    for e in found:
        result = e.check(namespace["ANSWERS"][e.id], seed=0)
        assert result, result

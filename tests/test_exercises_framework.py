"""What the exercises' framework says of every sort of wrong answer, and that none does harm."""

import importlib
import os
import random
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from dlbook.exercises import Exercise, Result, UnknownExerciseError, check, check_all, get, hint
from dlbook.exercises import _core as core
from dlbook.exercises.__main__ import main
from dlbook.exercises._transfer import LARGEST, Odd, decode, encode

SAMPLE = '''
import math

import torch

from dlbook.exercises import Exercise

by_hand = Exercise(
    "sample.by-hand",
    "By hand",
    kind="predict",
    effort=1,
    statement="What is 3² + 4²?",
    hints=["Square both.", "Add."],
)


@by_hand.stub
def hypotenuse():
    """Return a whole number."""


@by_hand.reference
def hypotenuse_reference():
    return int(math.hypot(3, 4) ** 2)


batch_layer = Exercise(
    "sample.batch-layer",
    "A layer for a whole batch",
    kind="program",
    effort=2,
    statement="Write it without a loop.",
    hints=["Shapes.", "Transpose.", "Broadcast."],
    axes={"X": "B D", "W": "K D", "b": "K"},
)


@batch_layer.stub
def layer(X, W, b):
    """Return relu(W x + b) for every row x of X."""


@batch_layer.reference
def layer_reference(X, W, b):
    return torch.clamp(X @ W.T + b, min=0)


@batch_layer.inputs
def layer_inputs(random):
    B, D, K = random.sizes(3)
    return random.normal(B, D), random.normal(K, D), random.normal(K)
'''


@pytest.fixture(scope="session")
def sample_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("chapters")
    (folder / "sample.py").write_text(SAMPLE, encoding="utf-8")
    return folder


@pytest.fixture(autouse=True)
def a_sample_chapter(sample_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let there be a chapter "sample" beside the real ones."""
    package = importlib.import_module("dlbook.exercises")
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(sample_folder)])


double = Exercise(
    "tests.double-rows",
    "Twice the input",
    kind="program",
    effort=1,
    statement="Return 2·X + b.",
    hints=["one", "two"],
    axes={"X": "B D", "b": "D"},
    seconds=5.0,
)


@double.stub
def double_rows(X, b):
    """Return 2·X + b."""


@double.reference
def double_rows_reference(X, b):
    return 2 * X + b


@double.inputs
def double_rows_inputs(random):
    B, D = random.sizes(2, 3, 8)
    return random.normal(B, D), random.normal(D)


@double.wrong("b is missing")
def double_rows_without_b(X, b):
    return 2 * X


def example(answer: Callable[..., Any], *parts: str, **options: Any) -> Result:
    """Check the answer, assert that it fails and that its message has the parts."""
    result = double.check(answer, seed=3, **options)
    assert not result
    assert result.status == "failed"
    for part in parts:
        assert part in result.message, result.message
    return result


@pytest.fixture(params=["forked", "watched"])
def runner(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run a test with both ways to hold an answer."""
    if request.param == "watched":
        monkeypatch.delattr(os, "fork", raising=False)
    elif not hasattr(os, "fork"):
        pytest.skip("there is no fork on this system")
    return str(request.param)


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
right = double.reference_function


# --- verdicts -----------------------------------------------------------------------------


def test_right(runner: str) -> None:
    result = double.check(right)
    assert result
    assert result.passed
    assert result.status == "passed"
    assert bool(result) is True


def test_fresh_inputs_each_time_and_the_same_again_with_a_seed() -> None:
    assert double.check(right).seed != double.check(right).seed
    seen = [core._tuple(double._inputs(core.Random(4)))[0] for _ in range(2)]  # type: ignore[misc]
    assert torch.equal(seen[0], seen[1])


def test_check_prints_verdict_and_seed(capsys: pytest.CaptureFixture[str]) -> None:
    check("sample.batch-layer", get("sample.batch-layer").reference_function, seed=41)
    assert capsys.readouterr().out == (
        "sample.batch-layer: passed: right on 6 random inputs (seed 41)\n"
    )
    result = check("sample.batch-layer", lambda X, W, b: X, seed=41)
    printed = capsys.readouterr().out
    assert "failed" in printed
    assert "repeat with seed=41" in printed
    assert "X (" in printed
    result._ipython_display_()
    assert capsys.readouterr().out == ""
    result._ipython_display_()
    assert "failed" in capsys.readouterr().out
    assert "failed" in repr(result)


def test_not_started(runner: str) -> None:
    assert double.check(double.stub_function).status == "not started"
    assert double.check(None).status == "not started"

    def mine(X, b):
        """Another docstring, which does not count as an answer."""

    assert double.check(mine).status == "not started"


def test_a_typical_wrong_answer_is_recognised() -> None:
    assert example(lambda X, b: X + X).message == "b is missing"


# --- generic diagnoses --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "parts"),
    [
        (lambda X, b: print(end=""), ["returned None"]),
        (lambda X, b: (2 * X + b).tolist(), ["a tensor of shape", "got a list"]),
        (lambda X, b: (2 * X + b).numpy(), ["got a NumPy array of shape"]),
        (lambda X, b: float(X.sum()), ["got the number"]),
        (lambda X, b: "12", ["got the text"]),
        (lambda X, b: object(), ["an object of type object"]),
        (lambda X, b: (2 * X + b).to_sparse(), ["layout"]),
        (lambda X, b: (2 * X + b).T, ["transposed", "expected"]),
        (lambda X, b: (2 * X + b).sum(0), ["has shape", "the first axis is gone"]),
        (lambda X, b: (2 * X + b).sum(), ["has shape ()", "one number"]),
        (lambda X, b: (2 * X + b)[None], ["another shape"]),
        (lambda X, b: (2 * X + b).double(), ["dtype float64, expected float32"]),
        (lambda X, b: (2 * X + b).to("meta"), ["on device meta, expected cpu"]),
        (lambda X, b: (2 * X + b) / 0, ["infinite in"]),
        (lambda X, b: (2 * X + b) * float("nan"), ["NaN in"]),
        (lambda X, b: -(2 * X + b), ["has the wrong sign"]),
        (lambda X, b: 3.5 * (2 * X + b), ["3.5 times too large"]),
        (lambda X, b: (2 * X + b) / -3.5, ["3.5 times too small and has the wrong sign"]),
        (lambda X, b: (2 * X + b) * X.shape[0], ["times too large", "the batch size B"]),
        (lambda X, b: (2 * X + b) / X.shape[1], ["too small", "the number of features D"]),
        (lambda X, b: 2 * X + b + 7, ["too large by the constant 7"]),
        (lambda X, b: (2 * X + b).abs(), ["wrong sign in"]),
        (lambda X, b: (2 * X + b).clamp(min=0), ["zero in", "should not be"]),
        (lambda X, b: X.clone(), ["the input `X`, unchanged"]),
        (lambda X, b: X * 0, ["zero everywhere"]),
        (lambda X, b: (2 * X + b) * (1 + 1e-3 * torch.sin(X)), ["nearly right"]),
        (lambda X, b: (2 * X + b) * (1 + 8e-4), ["nearly right", "off by 0.0008"]),
        (lambda X, b: (2 * X + b).flip(1), ["the right values in the wrong places"]),
        (lambda X, b: 2 * X + b**2, ["expected", "got"]),
        (lambda X, b: (2 * X + b).flip(0), ["right for a single sample, but for a batch"]),
        (lambda X, b: (2 * X + b).squeeze(), ["for a batch of one", "has shape"]),
        (lambda X: 2 * X, ["is called as `double_rows(X, b)`, but takes `(X)`"]),
    ],
)
def test_what_is_wrong_is_said(answer: Callable[..., Any], parts: list[str]) -> None:
    example(answer, *parts)


def test_a_coincidence_is_not_named() -> None:
    """A factor that equals a size on one input only is not called by that size's name."""
    size = core._tuple(double._inputs(core.Random(3000)))[0].shape[0]  # type: ignore[misc]
    result = example(lambda X, b: (2 * X + b) * size, "times too large")
    assert "batch size" not in result.message


def test_not_callable() -> None:
    example(torch.ones(3), "give the function itself")  # type: ignore[arg-type]


def test_tape_variable() -> None:
    tape = pytest.importorskip("dlbook.autodiff.tape")
    example(lambda X, b: tape.Tape().variable(2 * X + b), "a tape Variable")


def test_several_results_are_told_apart() -> None:
    e = Exercise(
        "tests.pair",
        "Two",
        kind="derive",
        effort=1,
        statement="…",
        hints=["a", "b"],
        outputs=("dx", "dy"),
    )

    @e.stub
    def pair(x, y):
        """Return dx and dy."""

    @e.reference
    def pair_reference(x, y):
        return x * y, x + y

    @e.inputs
    def pair_inputs(random):
        return random.normal(4), random.normal(4)

    assert "dy has the wrong sign (dx is right)" in e.check(lambda x, y: (x * y, -x - y)).message
    assert "a tuple of 2 values" in e.check(lambda x, y: x).message
    assert "a tuple of 1 value" in e.check(lambda x, y: (x,)).message
    assert e.check(lambda x, y: [x * y, x + y])


# --- what an answer may do to us ------------------------------------------------------------


def raises(X: Tensor, b: Tensor) -> Tensor:
    return X @ X @ X


def damages(X: Tensor, b: Tensor) -> Tensor:
    X *= 2
    return X + b


def loops(X: Tensor, b: Tensor) -> Tensor:
    n = 0
    while True:
        n += 1


def recurses(X: Tensor, b: Tensor) -> Tensor:
    return recurses(X, b)


def test_exception(runner: str) -> None:
    example(raises, "raised RuntimeError", "`return X @ X @ X`", "inputs: X (")


def test_recursion(runner: str) -> None:
    example(recurses, "RecursionError", "`return recurses(X, b)`")


def test_damaged_input(runner: str) -> None:
    example(damages, "changed its input `X` in place")


def test_endless_loop(runner: str) -> None:
    begin = time.monotonic()
    example(loops, "did not finish in 0.3 s", "does a loop never end", seconds=0.3)
    assert time.monotonic() - begin < 10


@needs_fork
def test_endless_loop_that_catches_everything() -> None:
    def stubborn(X, b):
        while True:
            try:
                while True:
                    pass
            except BaseException:
                continue

    example(stubborn, "did not finish", seconds=0.2)


def test_sys_exit(runner: str) -> None:
    example(lambda X, b: sys.exit(3), "called `sys.exit`")


@needs_fork
def test_hard_exit_and_crash() -> None:
    example(lambda X, b: os._exit(0), "ended the process")
    example(lambda X, b: os.kill(os.getpid(), 11), "crashed (SIGSEGV)")


def test_keyboard_interrupt_of_the_answer(runner: str) -> None:
    def interrupts(X, b):
        raise KeyboardInterrupt

    example(interrupts, "KeyboardInterrupt")


@needs_fork
def test_no_keyboard() -> None:
    example(lambda X, b: input("?"), "EOFError", "without a keyboard")


def test_printing_passes_through(runner: str, capsys: pytest.CaptureFixture[str]) -> None:
    def talks(X, b):
        print("shape", tuple(X.shape))
        return 2 * X + b

    assert double.check(talks, seed=0)
    assert capsys.readouterr().out.count("shape (") == 6


@needs_fork
def test_endless_output_is_cut(capsys: pytest.CaptureFixture[str]) -> None:
    def chatters(X, b):
        for _ in range(3000):
            print("x" * 1000)
        return 2 * X + b

    assert double.check(chatters)
    out = capsys.readouterr().out
    assert len(out) < 110_000
    assert "the rest of the output is left out" in out


def test_huge_result(runner: str) -> None:
    example(lambda X, b: torch.zeros(1).expand(LARGEST), "too large to look at")


def test_large_results_come_through(runner: str) -> None:
    example(lambda X, b: torch.zeros(1000, 1000), "has shape (1000, 1000)")


@needs_fork
def test_the_session_is_left_alone() -> None:
    state = {"touched": False}

    def touches(X, b):
        state["touched"] = True
        os.environ["TOUCHED"] = "1"
        torch.set_default_dtype(torch.float64)
        return 2 * X + b

    double.check(touches)
    assert state == {"touched": False}
    assert "TOUCHED" not in os.environ
    assert torch.get_default_dtype() == torch.float32


def test_random_numbers_of_the_session_go_on(runner: str) -> None:
    def draw() -> tuple[float, ...]:
        # Type checks draw from `random` themselves while the suite runs with them.
        checked = os.environ.get("DLBOOK_TYPECHECK") == "1"
        return torch.rand(()).item(), 0.0 if checked else random.random(), np.random.rand()

    def seed() -> None:
        torch.manual_seed(1)
        random.seed(1)
        np.random.seed(1)

    seed()
    wanted = draw()
    seed()
    double.check(right)
    assert draw() == wanted


def test_an_answer_that_draws_can_be_repeated(runner: str) -> None:
    def noisy(X, b):
        return 2 * X + b + torch.randn_like(X)

    messages = {double.check(noisy, seed=5).message for _ in range(2)}
    assert len(messages) == 1


def test_warnings_of_an_answer_are_no_errors(runner: str) -> None:
    def warns(X, b):
        warnings.warn("look out", stacklevel=1)
        return 2 * X + b

    with warnings.catch_warnings(record=True):
        assert double.check(warns)


def test_answers_may_use_torch_autograd(runner: str) -> None:
    def by_autograd(X, b):
        X = X.requires_grad_()
        (X * X + b * X).sum().backward()
        return X.grad

    torch.ones(3, requires_grad=True).sum().backward()
    assert double.check(by_autograd)


def test_many_checks_leave_no_descriptor_or_process_behind() -> None:
    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("descriptors can't be counted here")
    double.check(right)
    before = len(os.listdir("/proc/self/fd"))
    for answer in (right, raises, lambda X, b: os._exit(0)):
        double.check(answer)
    assert len(os.listdir("/proc/self/fd")) == before
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


# --- other shapes of exercise -------------------------------------------------------------


def value_exercise(expected: Any, **options: Any) -> Exercise:
    e = Exercise(
        "tests.value", "A value", kind="predict", effort=1, statement="…", hints=["a"], **options
    )

    @e.stub
    def value():
        """Return it."""

    @e.reference
    def value_reference():
        return expected

    return e


@pytest.mark.parametrize(
    ("expected", "good", "bad"),
    [
        (29, [29, torch.tensor(29), lambda: 29, np.int64(29)], [28, 29.5, "29", True, (29,)]),
        (2.5, [2.5, torch.tensor(2.5), np.float64(2.5)], [-2.5, 2, None, float("nan")]),
        ((3, 4), [(3, 4), [3, 4], torch.Size([3, 4]), torch.tensor([3, 4])], [(4, 3), 12, (3,)]),
        ("dying", ["dying", " Dying "], ["saturated", 3]),
        (True, [True, torch.tensor(True)], [False, 1, "True"]),
        (torch.tensor([1.0, 2.0]), [[1, 2], (1.0, 2.0), np.array([1.0, 2.0])], [[2, 1], [1], 1]),
        (torch.tensor([1, 2]), [[1, 2], torch.tensor([1, 2])], [[1.5, 2], [2, 1]]),
        ({"a": 1}, [{"a": 1}], [{"b": 1}, 1, {"a": 2}]),
    ],
)
def test_values(expected: Any, good: list[Any], bad: list[Any]) -> None:
    e = value_exercise(expected)
    for answer in good:
        assert e.check(answer), answer
    for answer in bad:
        assert not e.check(answer), answer


def test_numbers_read_off_a_page() -> None:
    e = value_exercise(0.3567, atol=0.005, rtol=0)
    assert e.check(0.36)
    assert not e.check(0.35)


def test_the_answer_is_not_given_away() -> None:
    e = value_exercise(12345)
    assert "12345" not in e.check(7).message
    e = value_exercise(torch.tensor([123.5, 3.0]))
    assert "123.5" not in e.check([1.0, 3.5]).message


def test_the_right_numbers_in_the_wrong_order() -> None:
    assert "in the wrong order" in value_exercise((3, 4, 5)).check((5, 4, 3)).message


def test_choices() -> None:
    e = value_exercise("dying", choices=("dying", "saturated"))
    assert "one of 'dying', 'saturated'" in e.check("healthy").message
    assert "should not be 'saturated'" in e.check("saturated").message


def test_judge_probe_and_diagnose() -> None:
    e = Exercise("tests.more", "More", kind="break", effort=3, statement="…", hints=["a"])

    @e.stub
    def logsumexp(x):
        """Return log Σ exp x."""

    @e.reference
    def logsumexp_reference(x):
        return torch.logsumexp(x, 0)

    @e.inputs
    def logsumexp_inputs(random):
        return random.normal(4)

    @e.probe("entries near 1000")
    def logsumexp_probe(random):
        return random.normal(4) + 1000

    @e.diagnose
    def logsumexp_diagnosis(got, expected, x):
        return "that is the largest entry" if got == x.max() else None

    assert e.check(lambda x: torch.logsumexp(x, 0))
    message = e.check(lambda x: x.exp().sum().log()).message
    assert message == (
        "right for ordinary inputs, but for entries near 1000: the result is infinite"
    )
    assert e.check(lambda x: x.max()).message == "that is the largest entry"

    judged = value_exercise(2.0)

    @judged.judge
    def any_even(got):
        return None if got % 2 == 0 else "it is odd"

    assert judged.check(4)
    assert judged.check(3).message == "it is odd"
    assert "can't be judged" in judged.check([1]).message


def test_an_answer_that_is_used_several_times() -> None:
    e = Exercise("tests.step", "A step", kind="program", effort=2, statement="…", hints=["a"])

    @e.stub
    def step(w, gradient):
        """Return the next w."""

    @e.reference
    def step_reference(w, gradient):
        return w - 0.1 * gradient

    @e.inputs
    def step_inputs(random):
        return random.normal(3), random.integer(2, 5)

    @e.use
    def descent(answer, start, steps):
        w = start
        for _ in range(steps):
            w = answer(w, 2 * w)
        return w

    @e.wrong("you climb: subtract the gradient")
    def step_uphill(w, gradient):
        return w + 0.1 * gradient

    assert e.parameters == ("start", "steps")
    assert e.check(lambda w, g: w - g / 10)
    assert e.check(lambda w, g: w + g / 10).message == "you climb: subtract the gradient"
    assert "`return 1 / 0`" in e.check(by_zero).message


def test_a_class_as_the_answer() -> None:
    e = Exercise("tests.counter", "Count", kind="program", effort=1, statement="…", hints=["a"])

    @e.stub
    class Counter:
        """Counts."""

        def step(self, by):
            """Return the count after one more step."""

    @e.reference
    class CounterReference:
        def __init__(self):
            self.count = 0

        def step(self, by):
            self.count += by
            return self.count

    @e.inputs
    def counter_inputs(random):
        return [random.integer(1, 9) for _ in range(3)]

    @e.use
    def count(answer, steps):
        counter = answer()
        return [counter.step(by) for by in steps]

    assert e.check(Counter).status == "not started"
    assert e.check(CounterReference)
    assert e.reference_source.startswith("class Counter:")


def by_zero(w, gradient):
    return 1 / 0


def test_a_stub_with_a_bug_is_not_started_until_it_changes() -> None:
    e = Exercise("tests.bug", "Bug", kind="break", effort=1, statement="…", hints=["a"])

    @e.stub
    def total(x):
        """Return the sum."""
        s = 0
        for i in range(1, len(x)):
            s = s + x[i]
        return s

    @e.reference
    def total_reference(x):
        return x.sum()

    @e.inputs
    def total_inputs(random):
        return random.normal(5)

    assert e.check(total).status == "not started"
    assert e.check(lambda x: x[1:].sum()).status == "failed"
    assert e.stub_source.endswith("return s\n")
    assert e.reference_source == "def total(x):\n    return x.sum()\n"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"id": "NoStem"}, "stem.kebab-name"),
        ({"kind": "guess"}, "kind is one of"),
        ({"effort": 4}, "effort is 1, 2 or 3"),
    ],
)
def test_a_bad_declaration_is_refused(change: dict[str, Any], message: str) -> None:
    options: dict[str, Any] = {
        "id": "tests.x",
        "title": "x",
        "kind": "program",
        "effort": 1,
        "statement": "…",
        "hints": ["a"],
    }
    with pytest.raises(ValueError, match=message):
        Exercise(**{**options, **change})


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_on_cuda() -> None:
    assert double.check(right, device="cuda")
    example(lambda X, b: (2 * X + b).cpu(), "on device cpu, expected cuda:0", device="cuda")
    example(damages, "in place", device="cuda")
    assert double.check(right)  # CUDA is up now: a watched thread


# --- transfer -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        3,
        -(2**80),
        float("inf"),
        1 + 2j,
        "π",
        (1, [2, {"a": None}], ()),
        torch.arange(6).reshape(2, 3).T,
        torch.tensor(1.5),
        torch.zeros(0, 3),
        torch.ones(2, dtype=torch.bfloat16),
        torch.tensor([True, False]),
        torch.tensor([1 + 2j]),
        torch.ones(3).expand(2, 3),
    ],
)
def test_values_travel(value: Any) -> None:
    back, _ = decode(encode(value))
    assert type(back) is type(value)
    if isinstance(value, Tensor):
        assert back.dtype == value.dtype
        assert torch.equal(back, value)
    else:
        assert back == value


def test_what_can_not_travel_is_described() -> None:
    loop: list[Any] = []
    loop.append(loop)
    assert encode(loop)
    for value in (object(), {1: 2}, range(3), 10**5000, lambda: 1, np.array(["a"])):
        assert isinstance(decode(encode(value))[0], Odd)


# --- finding, hints, command line ---------------------------------------------------------


def test_unknown_ids_suggest() -> None:
    with pytest.raises(UnknownExerciseError, match=r"did you mean 'sample\.batch-layer'"):
        check("sample.bach-layer", None)
    with pytest.raises(KeyError, match="the chapters with exercises: "):
        check("nowhere.nothing", None)
    with pytest.raises(KeyError, match="no exercises for"):
        core.exercises("sampl")


def test_hints_come_one_at_a_time(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(core, "_given", {})
    count = len(get("sample.batch-layer").hints)
    for step in range(1, count + 1):
        hint("sample.batch-layer")
        assert f"hint {step} of {count}" in capsys.readouterr().out
    hint("sample.batch-layer")
    assert "there are only" in capsys.readouterr().out
    hint("sample.batch-layer", 1)
    assert "hint 1 of" in capsys.readouterr().out
    with pytest.raises(ValueError, match="step counts from 1"):
        hint("sample.batch-layer", 0)


def test_round_trip(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.py"
    assert main(["start", "sample", "-o", str(path)]) == 0
    capsys.readouterr()
    assert main(["check", str(path)]) == 1
    lines = capsys.readouterr().out.splitlines()
    found = core.exercises("sample")
    assert len(lines) == len(found)
    assert all(": not started: " in line for line in lines)
    text = path.read_text()
    for e in found:
        text = text.replace(e.stub_source, e.reference_source)
    path.write_text(text)
    assert main(["check", str(path), "--seed", "5"]) == 0
    assert capsys.readouterr().out.count(": passed") == len(found)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.py"]


def test_start_overwrites_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.py"
    path.write_text("my work")
    assert main(["start", "sample", "-o", str(path)]) == 2
    assert "exists" in capsys.readouterr().err
    assert path.read_text() == "my work"
    assert main(["start", "sample", "-o", str(path), "--force"]) == 0
    assert "def layer(" in path.read_text()
    assert main(["start", "sample", "-o", str(tmp_path / "no" / "mine.py")]) == 2
    assert "can't be written" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "no such file"),
        ("def f(:\n", "line 1"),
        ("1 / 0\n", "ZeroDivisionError"),
        ("raise SystemExit(0)\n", "SystemExit"),
        ("x = 1\n", "no dict ANSWERS"),
    ],
)
def test_files_that_can_not_be_checked(
    text: str | None, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.py"
    if text is not None:
        path.write_text(text)
    assert main(["check", str(path)]) == 2
    assert message in capsys.readouterr().err


def test_list_and_hint_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    out = capsys.readouterr().out
    assert "sample.batch-layer" in out
    assert "program" in out
    assert main(["list", "nowhere"]) == 2
    assert main(["hint", "sample.batch-layer"]) == 0
    assert "--step 2" in capsys.readouterr().out
    assert main(["hint", "sample.batch-layer", "--step", "9"]) == 2
    assert main(["hint", "sample.nothing"]) == 2


def test_check_all_reports_unknown_exercises(capsys: pytest.CaptureFixture[str]) -> None:
    assert check_all({"sample.nothing": None}) == 2
    assert "no exercise" in capsys.readouterr().out


def test_check_all_ends_with_an_overview(capsys: pytest.CaptureFixture[str]) -> None:
    answers: dict[str, Any] = {e.id: e.reference_function for e in core.exercises("homework-zero")}
    assert check_all(answers, seed=0) == 0
    assert "revise" not in capsys.readouterr().out
    answers["homework-zero.product"] = ([[1, 0], [0, 1]], [[1, 0], [0, 1]])
    answers["homework-zero.gradient"] = None
    answers["homework-zero.bayes"] = (0.14, 0.5)
    answers["homework-zero.independence"] = (0, 0, 0)
    assert check_all(answers, seed=0) == 1
    overview = capsys.readouterr().out.split("\n\n")[1].splitlines()
    assert overview == [
        "linear algebra  5 of 6 right",
        "                revise: tensors, 'Products'",
        "calculus        4 of 5 right, 1 not started",
        "probability     2 of 4 right",
        "                revise: probability, 'The formula'",  # once, though two went wrong
    ]


def test_no_overview_without_groups(capsys: pytest.CaptureFixture[str]) -> None:
    check_all({"sample.by-hand": 25}, seed=0)
    assert capsys.readouterr().out.count("\n") == 1


def test_as_a_command(tmp_path: Path) -> None:
    """The file of stubs runs by itself, and the module runs as a command."""
    env = {**os.environ, "PYTHONPATH": str(Path(core.__file__).parents[2])}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments], cwd=tmp_path, env=env, capture_output=True, text=True
        )

    assert run("-m", "dlbook.exercises", "start", "layers").returncode == 0
    done = run("-W", "error", "layers_exercises.py")
    assert (done.returncode, done.stderr) == (1, "")

"""The framework: an :class:`Exercise` and what ``check`` and ``hint`` do with it.

``AUTHORING.md`` beside this file shows how an exercise is written.
"""

import ast
import contextlib
import difflib
import importlib
import inspect
import io
import pkgutil
import random
import re
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import CodeType, ModuleType
from typing import Any, TypeVar

import torch
from torch import Tensor

from dlbook.exercises import _compare, _runner
from dlbook.exercises._transfer import Odd, copy, decode, encode, show, to_device

KINDS = ("predict", "derive", "program", "break", "extend")
F = TypeVar("F", bound=Callable[..., Any])
PACKAGE = "dlbook.exercises"


class UnknownExerciseError(KeyError):
    """There is no exercise (or no chapter with exercises) of that name."""

    def __str__(self) -> str:
        return str(self.args[0])


class Random:
    """Random inputs from one ``torch.Generator``, so that a seed repeats them."""

    def __init__(self, seed: int) -> None:
        self.generator = torch.Generator().manual_seed(seed)

    def normal(self, *shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
        """Return standard normal numbers."""
        return torch.randn(shape, generator=self.generator, dtype=torch.float64).to(dtype)

    def uniform(
        self, low: int | float, high: int | float, *shape: int, dtype: torch.dtype = torch.float32
    ) -> Tensor:
        """Return numbers spread evenly over ``[low, high)``."""
        unit = torch.rand(shape, generator=self.generator, dtype=torch.float64)
        return (low + (high - low) * unit).to(dtype)

    def integers(self, low: int, high: int, *shape: int) -> Tensor:
        """Return whole numbers in ``low … high`` (both may occur) as an int64 tensor."""
        return torch.randint(low, high + 1, shape, generator=self.generator)

    def integer(self, low: int, high: int) -> int:
        """Return one whole number in ``low … high`` (both may occur)."""
        return int(self.integers(low, high))

    def sizes(self, count: int, low: int = 2, high: int = 7) -> list[int]:
        """Return ``count`` different sizes, so that no axis is mistaken for another."""
        order = torch.randperm(high - low + 1, generator=self.generator)[:count]
        return [low + int(i) for i in order]

    def number(self, low: int | float, high: int | float) -> float:
        """Return one Python float in ``[low, high)``."""
        return float(self.uniform(low, high, dtype=torch.float64))

    def choice(self, options: Sequence[Any]) -> Any:
        """Return one of the options."""
        return options[self.integer(0, len(options) - 1)]

    def permutation(self, count: int) -> Tensor:
        """Return the numbers ``0 … count − 1`` in random order."""
        return torch.randperm(count, generator=self.generator)


@dataclass
class Result:
    """The verdict on an answer; false when it did not pass.

    ``status`` is ``passed``, ``failed`` or ``not started``; ``details`` says what the answer was
    tried on.
    """

    passed: bool
    message: str
    exercise: str = ""
    seed: int | None = None
    status: str = ""
    details: str = ""
    shown: bool = field(default=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.status:
            self.status = "passed" if self.passed else "failed"

    def __bool__(self) -> bool:
        return self.passed

    def __str__(self) -> str:
        seed = "" if self.seed is None or self.status == "not started" else f" [seed {self.seed}]"
        message = f": {self.message}" if self.message else ""
        return f"{self.exercise}: {self.status}{message}{seed}"

    def __repr__(self) -> str:
        return f"<{self}>"

    def _ipython_display_(self) -> None:
        """Say nothing the first time: ``check`` has just printed the verdict."""
        if not self.shown:
            say(str(self))
        self.shown = False


@dataclass(frozen=True)
class Wrong:
    """A typical wrong answer: a function (or a value), and the message it must get."""

    answer: Any
    message: str
    name: str
    match: bool


@dataclass(frozen=True)
class _Trial:
    inputs: tuple[Any, ...]
    label: str = ""


class Exercise:
    """One exercise of a chapter, all of it in one place.

    Args:
        id: ``stem.kebab-name``.
        title: a few words.
        kind: ``predict``, ``derive``, ``program``, ``break`` or ``extend``.
        effort: 1 (minutes) to 3 (an evening).
        statement: what is asked, in MyST markdown.
        hints: from a nudge to nearly the answer; two at least.
        choices: for an answer that is one of a few texts.
        axes: the axis letters of tensor inputs, ``{"X": "B D"}``; lets diagnoses speak of the
            batch size, and tries a batch of one where a first axis is ``B``.
        outputs: the names of several results.
        rtol: relative tolerance (by default as the dtype allows).
        atol: absolute tolerance (by default a tenth of the relative one, times the size).
        trials: how many random inputs are tried.
        seconds: time limit for one check.
        group: the subject under which :func:`check_all` counts it in an overview.
        revise: where to read up if it goes wrong: a page (``"foundations/tensors"``) and one of
            its headings (``"Products"``).
    """

    def __init__(
        self,
        id: str,
        title: str,
        *,
        kind: str,
        effort: int,
        statement: str,
        hints: Sequence[str],
        choices: Sequence[str] = (),
        axes: Mapping[str, str] | None = None,
        outputs: Sequence[str] = (),
        rtol: int | float | None = None,
        atol: int | float | None = None,
        trials: int = 5,
        seconds: int | float = 10.0,
        group: str = "",
        revise: tuple[str, str] | None = None,
    ) -> None:
        if not re.fullmatch(r"[a-z0-9-]+\.[a-z0-9]+(-[a-z0-9]+)*", id):
            raise ValueError(f"Exercise: an id is stem.kebab-name, got {id!r}")
        if kind not in KINDS:
            raise ValueError(f"Exercise {id}: kind is one of {', '.join(KINDS)}, got {kind!r}")
        if effort not in (1, 2, 3):
            raise ValueError(f"Exercise {id}: effort is 1, 2 or 3, got {effort!r}")
        self.id, self.title, self.kind, self.effort = id, title, kind, effort
        self.stem = id.split(".")[0]
        self.statement = inspect.cleandoc(statement)
        self.hints = tuple(inspect.cleandoc(hint) for hint in hints)
        self.choices, self.axes, self.outputs = tuple(choices), axes, tuple(outputs)
        self.tolerance = _compare.Tolerance(rtol, atol)
        self.trials, self.seconds = trials, seconds
        self.group, self.revise = group, revise
        self.wrong_answers: list[Wrong] = []
        self._stub: Callable[..., Any] | None = None
        self._reference: Callable[..., Any] | None = None
        self._inputs: Callable[[Random], Any] | None = None
        self._use: Callable[..., Any] | None = None
        self._judge: Callable[..., str | None] | None = None
        self._probes: list[tuple[str, Callable[[Random], Any]]] = []
        self._diagnoses: list[Callable[..., str | None]] = []

    def __repr__(self) -> str:
        return f"Exercise({self.id!r}, {self.title!r})"

    # --- what an author declares ----------------------------------------------------------

    def stub(self, function: F) -> F:
        """Declare what the reader starts from: name, arguments, docstring (perhaps a bug)."""
        self._stub = function
        return function

    def reference(self, function: F) -> F:
        """Declare the right answer, whose source the chapter shows."""
        self._reference = function
        return function

    def inputs(self, function: F) -> F:
        """Declare the maker of random inputs: ``function(random)`` returns their tuple."""
        self._inputs = function
        return function

    def probe(self, label: str) -> Callable[[F], F]:
        """Declare further inputs that only a careful answer survives ("logits near 1000")."""

        def keep(function: F) -> F:
            self._probes.append((label, function))
            return function

        return keep

    def use(self, function: F) -> F:
        """Declare how an answer is used: ``function(answer, *inputs)`` returns what is judged."""
        self._use = function
        return function

    def judge(self, function: F) -> F:
        """Declare a judgement in place of equality: ``function(got, *inputs)`` → message or None.

        For questions that have many right answers.
        """
        self._judge = function
        return function

    def diagnose(self, function: F) -> F:
        """Declare a diagnosis: ``function(got, expected, *inputs)`` → message or None."""
        self._diagnoses.append(function)
        return function

    def wrong(self, message: str, *, match: bool = True) -> Callable[[F], F]:
        """Declare a typical wrong answer and the message that it must get.

        Any answer that gives what this one gives gets this message. With ``match=False`` the
        function is only a test case: its message comes from a diagnosis of the framework (an
        endless loop, a damaged input), and ``message`` is a part of that.
        """

        def keep(function: F) -> F:
            self.wrong_answers.append(Wrong(function, message, function.__name__, match))
            return function

        return keep

    def wrong_value(self, value: Any, message: str) -> None:
        """Declare a typical wrong value and the message that it must get."""
        self.wrong_answers.append(Wrong(value, message, f"value {value!r}", True))

    # --- what the chapter shows -----------------------------------------------------------

    @property
    def is_value(self) -> bool:
        """Whether the answer is a value (the stub takes nothing), so a plain value will do."""
        return self._inputs is None

    @property
    def name(self) -> str:
        """The name of the function that the reader writes."""
        return str(_need(self._stub, self, "stub").__name__)

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of the inputs."""
        if self._use is not None:
            return tuple(inspect.signature(self._use).parameters)[1:]
        return tuple(inspect.signature(_need(self._stub, self, "stub")).parameters)

    @property
    def stub_source(self) -> str:
        """The source of the stub, without decorators."""
        return _source(_need(self._stub, self, "stub"))

    @property
    def reference_source(self) -> str:
        """The source of the reference answer, under the stub's name."""
        function = _need(self._reference, self, "reference")
        return re.sub(rf"\b{re.escape(function.__name__)}\b", self.name, _source(function))

    @property
    def stub_function(self) -> Callable[..., Any]:
        """The stub."""
        return _need(self._stub, self, "stub")

    @property
    def reference_function(self) -> Callable[..., Any]:
        """The reference answer."""
        return _need(self._reference, self, "reference")

    @property
    def module(self) -> ModuleType:
        """The module that holds the exercise."""
        return sys.modules[self.stub_function.__module__]

    @property
    def imports(self) -> list[str]:
        """The import lines of the exercise's module that its functions may need."""
        return _imports(self.module)

    # --- the check ------------------------------------------------------------------------

    def check(
        self,
        answer: Any,
        *,
        seed: int | None = None,
        seconds: int | float | None = None,
        device: torch.device | str = "cpu",
    ) -> Result:
        """Return the verdict on an answer, silently; :func:`check` prints it too."""
        seed = random.SystemRandom().randrange(10**6) if seed is None else seed
        status, message, details = self._verdict(
            answer, seed, self.seconds if seconds is None else seconds, torch.device(device)
        )
        return Result(status == "passed", message, self.id, seed, status, details)

    def _verdict(
        self, answer: Any, seed: int, seconds: int | float, device: torch.device
    ) -> tuple[str, str, str]:
        name = getattr(answer, "__name__", "") or "your answer"
        name = "your answer" if name == "<lambda>" else name
        if answer is None:
            return "not started", "there is no answer yet (None)", ""
        if _same_code(answer, self.stub_function):
            return "not started", f"`{name}` is still as it was given", ""
        if not callable(answer):
            if not self.is_value:
                return (
                    "failed",
                    f"give the function itself, check({self.id!r}, {self.name}), "
                    f"got {_compare.kind(answer)}",
                    "",
                )
            value = answer

            def answer() -> Any:
                return value

        trials = self._make_trials(seed, device)
        if self._use is None:
            complaint = self._signature(answer, name, trials[0].inputs)
            if complaint:
                return "failed", complaint, ""
        else:
            answer = _Used(self._use, answer)
        expected = [decode(encode(self._refer(trial.inputs))) for trial in trials]
        outcomes = _runner.run(
            answer, [trial.inputs for trial in trials], seed=seed, seconds=seconds
        )
        return self._read(name, trials, expected, outcomes, seconds)

    def _make_trials(self, seed: int, device: torch.device) -> list[_Trial]:
        if self._inputs is None:
            return [_Trial(())]
        made = [_Trial(_tuple(self._inputs(Random(1000 * seed + i)))) for i in range(self.trials)]
        for i, (label, make) in enumerate(self._probes):
            made.append(_Trial(_tuple(make(Random(1000 * seed + 500 + i))), label))
        single = self._single(made[0].inputs)
        if single is not None:
            made.append(_Trial(single, "a batch of one"))
        return [_Trial(to_device(trial.inputs, device), trial.label) for trial in made]

    def _single(self, inputs: tuple[Any, ...]) -> tuple[Any, ...] | None:
        """Return the same inputs with one sample, where an input's first axis is the batch."""
        first = {name: axes.split()[:1] == ["B"] for name, axes in (self.axes or {}).items()}
        if not any(first.values()) or self._use is not None:
            return None
        return tuple(
            x[:1].clone() if first.get(name) and isinstance(x, Tensor) else x
            for name, x in zip(self.parameters, inputs)
        )

    def _refer(self, inputs: tuple[Any, ...]) -> Any:
        reference = _need(self._reference, self, "reference")
        used = copy(inputs)
        return reference(*used) if self._use is None else self._use(reference, *used)

    def _signature(self, answer: Any, name: str, inputs: tuple[Any, ...]) -> str | None:
        try:
            signature = inspect.signature(answer)
        except (TypeError, ValueError):
            return None
        try:
            signature.bind(*inputs)
        except TypeError:
            wanted = ", ".join(self.parameters)
            return f"`{name}` is called as `{self.name}({wanted})`, but takes `{signature}`"
        return None

    def _read(
        self,
        name: str,
        trials: Sequence[_Trial],
        expected: Sequence[tuple[Any, dict[str, str]]],
        outcomes: Sequence[_runner.Outcome],
        seconds: int | float,
    ) -> tuple[str, str, str]:
        """Turn what happened into status, message and details."""
        messages: list[str | None] = []
        for trial, (value, devices), outcome in zip(trials, expected, outcomes):
            messages.append(self._fault(name, trial, value, devices, outcome, seconds))
        if len(messages) < len(trials) and not any(messages):
            return "failed", f"`{name}` stopped without a result", ""
        bad = [i for i, message in enumerate(messages) if message]
        if not bad:
            count = len(trials)
            return "passed", "" if self.is_value else f"right on {count} random inputs", ""
        first = bad[0]
        message = messages[first] or ""
        typical = self._typical(trials, expected, outcomes)
        trial, outcome = trials[first], outcomes[first]
        if typical:
            message = typical
            if outcome.status == "raised":
                message += f" ({outcome.error}: {outcome.text})"
        elif outcome.status == "returned":
            message = self._without_coincidence(messages, first)
            message = self._in_context(message, trials, messages, outcomes, first)
        details = ", ".join(f"{n} {show(x)}" for n, x in zip(self.parameters, trial.inputs))
        told = not details or details in message
        return "failed", message, "" if told else f"tried on {details}"

    def _fault(
        self,
        name: str,
        trial: _Trial,
        value: Any,
        devices: dict[str, str],
        outcome: _runner.Outcome,
        seconds: int | float,
    ) -> str | None:
        """Return what one call did wrong, or None."""
        line = f" in line {outcome.line}, `{outcome.code}`" if outcome.code else ""
        if outcome.status == "raised":
            shapes = ", ".join(f"{n} {show(x)}" for n, x in zip(self.parameters, trial.inputs))
            told = f" (inputs: {shapes})" if shapes else ""
            return f"`{name}` raised {outcome.error}{line}: {outcome.text}{told}"
        if outcome.status == "timeout":
            at = f" It was{line}." if line else ""
            return f"`{name}` did not finish in {seconds:g} s: does a loop never end?{at}"
        if outcome.status == "exited":
            return f"`{name}` called `sys.exit`: an answer returns its result"
        if outcome.status == "died":
            return f"`{name}` did not return: {outcome.text}"
        if outcome.damaged:
            damaged = " and ".join(f"`{self.parameters[i]}`" for i in outcome.damaged)
            return (
                f"`{name}` changed its input {damaged} in place: work on a copy "
                "(an operation that ends in `_`, or an assignment to an element, does that)"
            )
        got, found = decode(outcome.data)
        if got is None and value is not None:
            return f"`{name}` returned None: is a `return` missing?"
        for path, device in found.items():
            if path in devices and device != devices[path]:
                return (
                    f"the result{path} is on device {device}, expected {devices[path]}: "
                    "make new tensors on the device of the inputs"
                )
        inputs = to_device(trial.inputs, torch.device("cpu"))  # where the decoded result is
        if self._judge is not None:
            try:
                return self._judge(got, *inputs)
            except Exception as error:
                kind = _compare.kind(got)
                return f"the result can't be judged, {kind} ({type(error).__name__}: {error})"
        if self.choices and not (
            isinstance(got, str) and got.strip().casefold() in map(str.casefold, self.choices)
        ):
            options = ", ".join(repr(choice) for choice in self.choices)
            return f"the answer is one of {options}, got {_compare.kind(got)}"
        setting = _compare.Setting(inputs, self.parameters, self.axes, self.outputs, self.is_value)
        message = _compare.mistake(got, value, self.tolerance, setting)
        if message is None or isinstance(got, Odd):
            return message
        for diagnose in self._diagnoses:
            with contextlib.suppress(Exception):
                special = diagnose(got, value, *inputs)
                if special:
                    return special
        return message

    def _typical(
        self,
        trials: Sequence[_Trial],
        expected: Sequence[tuple[Any, dict[str, str]]],
        outcomes: Sequence[_runner.Outcome],
    ) -> str | None:
        """Return the message of the typical wrong answer that does exactly the same."""
        plain = {"returned", "raised"}
        if any(outcome.status not in plain or outcome.damaged for outcome in outcomes):
            return None
        for wrong in self.wrong_answers:
            if wrong.match and all(
                self._does_the_same(wrong, trial, outcome)
                for trial, outcome in zip(trials, outcomes)
            ):
                return wrong.message
        return None

    def _does_the_same(self, wrong: Wrong, trial: _Trial, outcome: _runner.Outcome) -> bool:
        inputs = copy(trial.inputs)
        function = wrong.answer
        if not callable(function):
            value = decode(encode(function))[0]
        else:
            try:
                with contextlib.redirect_stdout(io.StringIO()):
                    value = function(*inputs) if not self._use else self._use(function, *inputs)
            except (Exception, SystemExit) as error:
                text = " ".join(str(error).split())[:500]
                return (type(error).__name__, text) == (outcome.error, outcome.text)
            value = decode(encode(value))[0]
        if outcome.status != "returned":
            return False
        got = decode(outcome.data)[0]
        return _compare.same(got, value, self.tolerance, lenient=self.is_value)

    def _without_coincidence(self, messages: Sequence[str | None], first: int) -> str:
        """Drop what a factor is said to be where other inputs don't agree that it is."""
        message = messages[first] or ""
        if " times too " not in message:
            return message
        reason = re.search(r"; \d+ is (.*)$", message)
        others = [m for m in messages if m and " times too " in m]
        if reason and all(reason.group(1) in m for m in others):
            return message
        return message.split("; ")[0]

    def _in_context(
        self,
        message: str,
        trials: Sequence[_Trial],
        messages: Sequence[str | None],
        outcomes: Sequence[_runner.Outcome],
        first: int,
    ) -> str:
        """Say for which inputs the answer is right, where that is a clue."""
        ordinary = [i for i, t in enumerate(trials[: len(outcomes)]) if not t.label]
        wrong = [i for i in ordinary if messages[i]]
        if trials[first].label:
            return f"right for ordinary inputs, but for {trials[first].label}: {message}"
        single = [i for i, t in enumerate(trials) if t.label == "a batch of one"]
        if single and single[0] < len(outcomes) and not messages[single[0]]:
            return f"right for a single sample, but for a batch: {message}"
        if len(wrong) < len(ordinary):
            return (
                f"right on {len(ordinary) - len(wrong)} of {len(ordinary)} inputs, but: {message}"
            )
        return message


class _Used:
    """An answer, used as the exercise says."""

    def __init__(self, use: Callable[..., Any], answer: Any) -> None:
        self.use, self.answer = use, answer
        self.__code__ = getattr(answer, "__code__", None)

    def __call__(self, *inputs: Any) -> Any:
        return self.use(self.answer, *inputs)


# --- the readers' functions ---------------------------------------------------------------


def check(
    id: str,
    answer: Any,
    *,
    seed: int | None = None,
    seconds: int | float | None = None,
    device: torch.device | str = "cpu",
) -> Result:
    """Check an answer on fresh random inputs, print the verdict and return it.

    Args:
        id: the exercise, ``"layers.one-layer"``.
        answer: the function (or, for a question about a value, the value itself).
        seed: repeats the inputs of an earlier check; fresh ones by default.
        seconds: time limit, instead of the exercise's own.
        device: where the inputs are.

    Raises:
        UnknownExerciseError: if there is no such exercise. A wrong answer raises nothing.

    Examples:
        >>> result = check("layers.one-hot", None)
        layers.one-hot: not started: there is no answer yet (None)
        >>> result.passed
        False
    """
    result = get(id).check(answer, seed=seed, seconds=seconds, device=device)
    text = f"{result.exercise}: {result.status}"
    text += f": {result.message}" if result.message else ""
    if result.status == "failed":
        text += f"\n    {result.details}; " if result.details else "\n    "
        text += f"repeat with seed={result.seed}"
    elif result.passed:
        text += f" (seed {result.seed})"
    say(text)
    result.shown = True
    return result


def check_all(answers: Mapping[str, Any], *, seed: int | None = None) -> int:
    """Check several answers, print a line for each, and return an exit code.

    Exercises that belong to a group are counted in an overview at the end, which says what to
    revise.

    0: all passed; 1: some failed or were not started; 2: an exercise is unknown.
    """
    code = 0
    results: list[tuple[Exercise, Result]] = []
    for id, answer in answers.items():
        try:
            exercise = get(id)
        except UnknownExerciseError as error:
            say(str(error))
            code = 2
            continue
        result = exercise.check(answer, seed=seed)
        results.append((exercise, result))
        say(str(result))
        code = code or int(not result)
    for line in _overview(results):
        say(line)
    return code


def _overview(results: Sequence[tuple[Exercise, Result]]) -> list[str]:
    """Return a line for each group: how many are right, how many open, and what to revise."""
    groups: dict[str, list[tuple[Exercise, Result]]] = {}
    for exercise, result in results:
        if exercise.group:
            groups.setdefault(exercise.group, []).append((exercise, result))
    width = max(map(len, groups), default=0)
    lines = [""] if groups else []
    for group, found in groups.items():
        status = [result.status for _, result in found]
        line = f"{group:{width}}  {status.count('passed')} of {len(found)} right"
        if "not started" in status:
            line += f", {status.count('not started')} not started"
        lines.append(line)
        pages = [e.revise for e, result in found if result.status == "failed" and e.revise]
        for page, heading in dict.fromkeys(pages):
            lines.append(f"{'':{width}}  revise: {page.split('/')[-1]}, {heading!r}")
    return lines


_given: dict[str, int] = {}


def hint(id: str, step: int | None = None) -> None:
    """Print the next hint of an exercise (or the one asked for by its number, from 1)."""
    hints = get(id).hints
    step = _given.get(id, 0) + 1 if step is None else step
    if step < 1:
        raise ValueError(f"hint: step counts from 1, got {step}")
    if step > len(hints):
        say(f"{id}: there are only {len(hints)} hints; the solution is folded in the chapter")
        return
    _given[id] = step
    say(f"{id}, hint {step} of {len(hints)}: {hints[step - 1]}")


def say(text: str) -> None:
    """Print, also where the terminal lacks a character."""
    try:
        print(text)
    except UnicodeEncodeError:
        encoding = sys.stdout.encoding or "ascii"
        print(text.encode(encoding, errors="replace").decode(encoding))


# --- finding exercises --------------------------------------------------------------------


def stems() -> list[str]:
    """Return the chapters that have exercises."""
    package = importlib.import_module(PACKAGE)
    names = [m.name for m in pkgutil.iter_modules(package.__path__) if not m.name.startswith("_")]
    return [name.replace("_", "-") for name in names]


def exercises(stem: str) -> list[Exercise]:
    """Return the exercises of a chapter in their order."""
    if stem not in stems():
        raise UnknownExerciseError(
            f"no exercises for {stem!r}{_suggest(stem, stems())}; there are: {', '.join(stems())}"
        )
    module = importlib.import_module(f"{PACKAGE}.{stem.replace('-', '_')}")
    return [value for value in vars(module).values() if isinstance(value, Exercise)]


def get(id: str) -> Exercise:
    """Return the exercise of this id."""
    stem = str(id).split(".")[0]
    if stem in stems():
        for exercise in exercises(stem):
            if exercise.id == id:
                return exercise
        known = [exercise.id for exercise in exercises(stem)]
        raise UnknownExerciseError(
            f"no exercise {id!r}{_suggest(id, known)}; {stem} has: {', '.join(known)}"
        )
    known = [exercise.id for each in stems() for exercise in exercises(each)]
    chapters = ", ".join(stems())
    raise UnknownExerciseError(
        f"no exercise {id!r}{_suggest(str(id), known)}; the chapters with exercises: {chapters}"
    )


def _suggest(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f": did you mean {near[0]!r}?" if near else ""


# --- sources ------------------------------------------------------------------------------


def _need(function: Callable[..., Any] | None, exercise: Exercise, part: str) -> Callable[..., Any]:
    if function is None:
        raise TypeError(f"Exercise {exercise.id}: it has no {part} yet")
    return function


def _tuple(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


def _source(function: Callable[..., Any]) -> str:
    """Return the live source of a function or class, without its decorators."""
    text = textwrap.dedent(inspect.getsource(inspect.unwrap(function)))
    node = ast.parse(text).body[0]
    return "".join(text.splitlines(keepends=True)[node.lineno - 1 :]).rstrip() + "\n"


def _imports(module: ModuleType) -> list[str]:
    text = inspect.getsource(module)
    lines = []
    for node in ast.parse(text).body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PACKAGE):
            continue
        if isinstance(node, ast.Import | ast.ImportFrom):
            lines.append(ast.get_source_segment(text, node) or "")
    return lines


def _same_code(answer: Any, stub: Callable[..., Any]) -> bool:
    """Return whether a function or class still is the stub (its docstrings aside)."""
    if isinstance(answer, type) and isinstance(stub, type):
        mine_by_name, theirs_by_name = _methods(answer), _methods(stub)
        return mine_by_name.keys() == theirs_by_name.keys() and all(
            _same_code(mine_by_name[name], theirs_by_name[name]) for name in theirs_by_name
        )
    try:
        mine = getattr(inspect.unwrap(answer), "__code__", None)
    except (TypeError, ValueError):
        return False
    theirs = getattr(inspect.unwrap(stub), "__code__", None)
    if not (isinstance(mine, CodeType) and isinstance(theirs, CodeType)):
        return False
    return _shape_of(mine, answer.__doc__) == _shape_of(theirs, stub.__doc__)


def _methods(kind: type) -> dict[str, Callable[..., Any]]:
    return {name: value for name, value in vars(kind).items() if inspect.isfunction(value)}


def _shape_of(code: CodeType, doc: str | None = None) -> tuple[Any, ...]:
    """Return what a function does, whatever its name, place and docstring."""
    constants = code.co_consts
    if doc is not None and constants[:1] == (doc,):
        constants = constants[1:]
    parts = tuple(_shape_of(c) if isinstance(c, CodeType) else repr(c) for c in constants)
    return code.co_code, code.co_names, parts

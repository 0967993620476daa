r"""Searching for hyper-parameters: grid, random, and successive halving.

A *space* says what may vary, an *objective* what a setting is worth on the validation part::

    space = {"lr": LogUniform(1e-3, 1.0), "width": Integer(16, 256, log=True), "depth": 2}

    def objective(trial):
        model = make(trial.config["width"], trial.config["depth"])
        optimizer = SGD(model.parameters(), lr=trial.config["lr"])
        history = fit(model, loss, optimizer, train, validation, epochs=trial.budget,
                      seed=trial.seed, checkpoint=trial.checkpoint, metrics=["accuracy"])
        return history.validation["accuracy"][-1]

    study = halving(objective, space, trials=27, budget=2, mode="max", folder="studies/digits")

**Every trial is seeded.** A trial's setting and seed follow from the study's seed and the trial's
number alone, and everything is seeded with it before the objective is called.

**A study goes on where it was stopped.** With a ``folder``, every score is written down, whole or
not at all, as soon as it is known (see :mod:`dlbook.train.checkpoints`), and the same call later
takes it from there. ``trial.checkpoint`` is a file of the trial's own: given to ``fit``, it lets a
trial that was killed on its way go on too, and a trial that successive halving promotes go on from
the epochs that it has had.

**A trial may fail.** An objective that raises, or returns something infinite or not a number, has
no score; the results say why, and the study goes on without it, later too. An interruption by hand
is no failure, and a damaged or foreign checkpoint of a trial stops the study.
"""

import itertools
import math
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np

from dlbook.train import checkpoints
from dlbook.train.checkpoints import CheckpointError
from dlbook.train.seeds import seed_everything
from dlbook.train.states import unchanged

__all__ = [
    "Choice",
    "Dimension",
    "Integer",
    "LogUniform",
    "Result",
    "Study",
    "Trial",
    "Uniform",
    "grid",
    "halving",
    "random",
]


@runtime_checkable
class Dimension(Protocol):
    """One hyper-parameter's possible values: :class:`Uniform` and its like, or one of your own."""

    def sample(self, draw: np.random.Generator) -> Any:
        """Return one value at random.

        Args:
            draw: where the randomness comes from.
        """

    def points(self, n: int) -> list[Any]:
        """Return about n values, evenly spread; at least 1.

        Args:
            n: how many are wanted.
        """


@dataclass(frozen=True)
class Uniform:
    """Any number between two others, all equally likely.

    Args:
        low: the least.
        high: the greatest.

    Raises:
        ValueError: unless low < high, both finite.

    Example:
        >>> Uniform(0.0, 0.5).points(3)
        [0.0, 0.25, 0.5]
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        if not -math.inf < self.low < self.high < math.inf:
            raise ValueError(f"Uniform: expects low < high, got {self.low!r} and {self.high!r}")

    def sample(self, draw: np.random.Generator) -> float:
        """Return one of them at random.

        Args:
            draw: where the randomness comes from.
        """
        return float(draw.uniform(self.low, self.high))

    def points(self, n: int) -> list[float]:
        """Return n of them, equally far apart, both ends among them; for n = 1 the middle.

        Args:
            n: how many, at least 1.
        """
        if n == 1:
            return [(self.low + self.high) / 2]
        return [float(value) for value in np.linspace(self.low, self.high, n)]


@dataclass(frozen=True)
class LogUniform:
    """Any number between two positive ones, every factor equally likely: for learning rates.

    Between 0.001 and 0.01 there are as many as between 0.1 and 1.

    Args:
        low: the least, above 0.
        high: the greatest.

    Raises:
        ValueError: unless 0 < low < high < ∞.

    Example:
        >>> [round(value, 6) for value in LogUniform(0.001, 0.1).points(3)]
        [0.001, 0.01, 0.1]
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        if not 0 < self.low < self.high < math.inf:
            raise ValueError(
                f"LogUniform: expects 0 < low < high, got {self.low!r} and {self.high!r}"
            )

    def sample(self, draw: np.random.Generator) -> float:
        """Return one of them at random.

        Args:
            draw: where the randomness comes from.
        """
        value = math.exp(draw.uniform(math.log(self.low), math.log(self.high)))
        return min(max(value, self.low), self.high)

    def points(self, n: int) -> list[float]:
        """Return n of them, each the same factor above the last; for n = 1 the geometric middle.

        Args:
            n: how many, at least 1.
        """
        if n == 1:
            return [math.sqrt(self.low * self.high)]
        return [float(value) for value in np.geomspace(self.low, self.high, n)]


@dataclass(frozen=True)
class Integer:
    """A whole number from one to another, both included.

    Args:
        low: the least.
        high: the greatest.
        log: every factor equally likely instead of every number, for widths; then low ≥ 1.

    Raises:
        ValueError: unless low < high are integers, and low ≥ 1 with ``log``.

    Example:
        >>> Integer(1, 4).points(9), Integer(16, 256, log=True).points(3)
        ([1, 2, 3, 4], [16, 64, 256])
    """

    low: int
    high: int
    log: bool = False

    def __post_init__(self) -> None:
        whole = all(isinstance(v, int) and not isinstance(v, bool) for v in (self.low, self.high))
        if not whole or not self.low < self.high:
            raise ValueError(
                f"Integer: expects integers low < high, got {self.low!r} and {self.high!r}"
            )
        if self.log and self.low < 1:
            raise ValueError(f"Integer: with log=True, low expects at least 1, got {self.low!r}")

    def sample(self, draw: np.random.Generator) -> int:
        """Return one of them at random.

        Args:
            draw: where the randomness comes from.
        """
        if not self.log:
            return int(draw.integers(self.low, self.high + 1))
        # Each whole number stands for the interval from itself to the next.
        value = math.floor(math.exp(draw.uniform(math.log(self.low), math.log(self.high + 1))))
        return min(max(value, self.low), self.high)

    def points(self, n: int) -> list[int]:
        """Return at most n of them, evenly spread and rounded, each once.

        Args:
            n: how many, at least 1.
        """
        kind = LogUniform if self.log else Uniform
        return sorted({round(value) for value in kind(self.low, self.high).points(n)})


@dataclass(frozen=True)
class Choice:
    """One of several things, all equally likely.

    Args:
        options: the things; in a grid all of them are tried.

    Raises:
        ValueError: if there are none.

    Example:
        >>> Choice(["ReLU", "Tanh"]).points(1)
        ['ReLU', 'Tanh']
    """

    options: Sequence[Any]

    def __post_init__(self) -> None:
        if isinstance(self.options, str) or len(self.options) == 0:
            raise ValueError(f"Choice: expects a list of options, got {self.options!r}")

    def sample(self, draw: np.random.Generator) -> Any:
        """Return one of them at random.

        Args:
            draw: where the randomness comes from.
        """
        return self.options[int(draw.integers(len(self.options)))]

    def points(self, n: int) -> list[Any]:
        """Return all of them.

        Args:
            n: of no effect.
        """
        return list(self.options)


@dataclass(frozen=True)
class Trial:
    """What an objective is given.

    Args:
        number: counts the study's trials from 0.
        config: a value for each name of the space.
        seed: the trial's own, the same at every budget.
        budget: how long to train, in all, in whatever unit the objective has; usually epochs.
            None in a search that was given no budget.
        checkpoint: a file of the trial's own, for ``fit(checkpoint=…)`` or whatever the objective
            wants to find again at a greater budget, or after an interruption.
    """

    number: int
    config: dict[str, Any]
    seed: int
    budget: int | None
    checkpoint: Path


Objective = Callable[[Trial], Any]
Mode = Literal["min", "max"]


@dataclass
class Result:
    """How a trial has fared.

    Args:
        number: the trial's.
        config: its setting.
        seed: its seed.
        scores: the score at each budget that it has had; nothing where it failed.
        seconds: how long the objective took, all budgets together.
        error: why the last call of the objective gave no score; None if it did.
    """

    number: int
    config: dict[str, Any]
    seed: int
    scores: dict[int | None, float] = field(default_factory=dict)
    seconds: float = field(default=0.0, compare=False)
    error: str | None = None

    @property
    def budget(self) -> int | None:
        """The greatest budget at which it has a score."""
        return list(self.scores)[-1] if self.scores else None

    @property
    def score(self) -> float | None:
        """The score at that budget; None if it has none."""
        return list(self.scores.values())[-1] if self.scores else None


@dataclass
class Study:
    """What a search has found; two are equal if everything but the seconds is.

    Args:
        results: one for each trial, by their numbers.
        mode: ``"min"`` if less is better, ``"max"`` if more is.
        folder: where the study is kept; None if nowhere.
    """

    results: list[Result]
    mode: Mode
    folder: Path | None = field(default=None, compare=False)

    @property
    def ranking(self) -> list[Result]:
        """The results, best first: a greater budget before a lesser, a better score before a
        worse, an earlier trial before a later; those that failed come last."""
        sign = 1 if self.mode == "min" else -1

        def rank(result: Result) -> tuple[bool, int, float, int]:
            score = result.score
            failed = result.error is not None or score is None
            return failed, -(result.budget or 0), sign * (score or 0.0), result.number

        return sorted(self.results, key=rank)

    @property
    def best(self) -> Result:
        """The first of the ranking: the best score among those of the greatest budget.

        It was chosen for its score on the validation part, so that this score flatters it.

        Raises:
            ValueError: if every trial failed; the message has the first one's reason.
        """
        first = self.ranking[0]
        if first.error is not None or first.score is None:
            raise ValueError(
                f"search: no trial has a score; trial {self.results[0].number} ended with "
                f"{self.results[0].error}"
            )
        return first

    def table(self) -> list[dict[str, Any]]:
        """Return the ranking as rows: trial, setting, budget, score, all scores, seconds, error."""
        return [
            {
                "trial": r.number,
                **r.config,
                "budget": r.budget,
                "score": r.score,
                "scores": dict(r.scores),
                "seconds": r.seconds,
                "error": r.error,
            }
            for r in self.ranking
        ]

    def __str__(self) -> str:
        budgets = sorted({b for r in self.results for b in r.scores if b is not None})
        columns: list[int | None] = list(budgets) if len(budgets) > 1 else [*budgets[:1]] or [None]
        heads = [f"score at {b}" for b in columns] if len(columns) > 1 else ["score"]
        names = list(self.results[0].config)
        table = [["trial", *names, *heads]]
        notes = [""]
        for r in self.ranking:
            cells = [_short(r.config[name]) for name in names]
            scores = [f"{r.scores[b]:.4g}" if b in r.scores else "" for b in columns]
            table.append([str(r.number), *cells, *scores])
            notes.append("" if r.error is None else f"  {r.error.splitlines()[0]}")
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        return "\n".join(
            "  ".join(c.rjust(w) for c, w in zip(row, widths, strict=True)).rstrip() + note
            for row, note in zip(table, notes, strict=True)
        )


def grid(
    objective: Objective,
    space: Mapping[str, Any],
    *,
    points: int | Mapping[str, int] = 3,
    budget: int | None = None,
    mode: Mode,
    seed: int = 0,
    folder: str | os.PathLike[str] | None = None,
) -> Study:
    """Try every combination of a few values of each hyper-parameter.

    Their number is the product of the numbers of values: five of each, of four, make 625 trials,
    and yet only five different values of each.

    Args:
        objective: ``objective(trial) -> score``, see :class:`Trial`.
        space: for each name a :class:`Dimension`, or a value that stays as it is.
        points: how many values of each dimension, or how many of which (3 of those left out); a
            :class:`Choice` has all of its options tried.
        budget: handed to the objective.
        mode: ``"min"`` if less is better, ``"max"`` if more is.
        seed: an integer from 0 to 2³² − 1.
        folder: where to keep the study, and to go on from it if it is there; its own parent must
            exist. None keeps nothing.

    Raises:
        TypeError, ValueError: for arguments that can't be used, before anything is tried.
        CheckpointError: if the folder's study is damaged, or another than this.

    Example:
        >>> space = {"x": Uniform(-1.0, 1.0), "y": Choice([0, 1])}
        >>> study = grid(lambda t: t.config["x"] ** 2 + t.config["y"], space, mode="min")
        >>> print(study)
        trial   x  y  score
            2   0  0      0
            0  -1  0      1
            3   0  1      1
            4   1  0      1
            1  -1  1      2
            5   1  1      2
    """
    _check(objective, space, mode, budget)
    wanted = points if isinstance(points, Mapping) else dict.fromkeys(space, points)
    strange = wanted.keys() - space.keys()
    if strange:
        raise ValueError(f"search: points names {sorted(strange)}, which the space lacks")
    axes = []
    for name, values in space.items():
        n = wanted.get(name, 3)
        _require_count(f"points of {name!r}", n)
        axes.append(values.points(n) if isinstance(values, Dimension) else [values])
    configs = [dict(zip(space, values, strict=True)) for values in itertools.product(*axes)]
    settings = {"method": "grid", "points": {name: wanted.get(name, 3) for name in space}}
    with _desk(objective, space, settings, budget, mode, seed, folder) as desk:
        desk.enter(configs)
        desk.call(desk.study.results, budget)
        return desk.study


def random(
    objective: Objective,
    space: Mapping[str, Any],
    *,
    trials: int,
    budget: int | None = None,
    mode: Mode,
    seed: int = 0,
    folder: str | os.PathLike[str] | None = None,
) -> Study:
    """Try settings drawn at random, each independently of the others.

    Where only some hyper-parameters matter, as many different values of those are tried as there
    are trials; a grid spends most of its trials on repeating them (Bergstra and Bengio, 2012).

    Args:
        objective: ``objective(trial) -> score``, see :class:`Trial`.
        space: for each name a :class:`Dimension`, or a value that stays as it is.
        trials: how many, at least 1. A study that is kept can be asked for more later.
        budget: handed to the objective.
        mode: see :func:`grid`.
        seed: see :func:`grid`; decides the settings too.
        folder: see :func:`grid`.

    Raises:
        TypeError, ValueError: for arguments that can't be used, before anything is tried.
        CheckpointError: if the folder's study is damaged, or another than this.

    Example:
        >>> space = {"x": Uniform(-1, 1)}
        >>> study = random(lambda trial: abs(trial.config["x"]), space, trials=50, mode="min")
        >>> study.best.score < 0.1
        True
    """
    _check(objective, space, mode, budget)
    _require_count("trials", trials)
    with _desk(objective, space, {"method": "random"}, budget, mode, seed, folder) as desk:
        desk.enter(_draw(space, seed, number) for number in range(trials))
        desk.call(desk.study.results, budget)
        return desk.study


def halving(
    objective: Objective,
    space: Mapping[str, Any],
    *,
    trials: int,
    budget: int = 1,
    eta: int = 3,
    rungs: int | None = None,
    mode: Mode,
    seed: int = 0,
    folder: str | os.PathLike[str] | None = None,
) -> Study:
    r"""Successive halving: give every setting a little time, and the best ones more of it.

    On rung :math:`k = 0, 1, \dots` there are

    .. math:: n_k = \lfloor n\, \eta^{-k} \rfloor \text{ trials with the budget } r_k = r\, \eta^k
        \text{ each,}

    the best of the rung below, so that every rung costs about the same. A trial that climbs has had
    :math:`r_{k-1}` already; with ``fit(checkpoint=trial.checkpoint, epochs=trial.budget)`` it goes
    on from there, and pays for the difference only. A schedule of the learning rate must then not
    depend on the budget.

    Args:
        objective: ``objective(trial) -> score``, see :class:`Trial`.
        space: for each name a :class:`Dimension`, or a value that stays as it is.
        trials: :math:`n`, those on the lowest rung, drawn at random; at least 1.
        budget: :math:`r`, the budget on the lowest rung, at least 1. Too little, and the rung
            ranks by who starts fast.
        eta: :math:`\eta`, one in how many goes up, at least 2.
        rungs: how many rungs there are at most; None for as many as there are trials for.
        mode: see :func:`grid`.
        seed: see :func:`grid`; decides the settings too.
        folder: see :func:`grid`.

    Raises:
        TypeError, ValueError: for arguments that can't be used, before anything is tried.
        CheckpointError: if the folder's study is damaged, or another than this.

    Departures: Jamieson and Talwalkar (2016) fix the budget of the whole search, and halve. This is
    the form with a factor of one's own that is the inner loop of Hyperband (Li and others, 2018).
    Trials that failed go up on no rung.

    Example:
        >>> def objective(trial):  # converges to x, at first with an error
        ...     return trial.config["x"] + trial.number / trial.budget**2 / 100
        >>> study = halving(objective, {"x": Uniform(0, 1)}, trials=9, mode="min")
        >>> [sum(budget in r.scores for r in study.results) for budget in (1, 3, 9)]
        [9, 3, 1]
        >>> study.best.budget
        9
    """
    _check(objective, space, mode, budget)
    _require_count("trials", trials)
    _require_count("budget", budget)
    _require_count("eta", eta, 2)
    if rungs is not None:
        _require_count("rungs", rungs)
    settings = {"method": "halving", "trials": trials, "eta": eta, "rungs": rungs}
    with _desk(objective, space, settings, budget, mode, seed, folder) as desk:
        desk.enter(_draw(space, seed, number) for number in range(trials))
        climbing = desk.study.results
        for rung in itertools.count() if rungs is None else range(rungs):
            kept = trials // eta**rung
            if kept == 0:
                break
            if rung:
                below = {r.number for r in climbing if r.error is None}
                climbing = [r for r in desk.study.ranking if r.number in below][:kept]
            desk.call(climbing, budget * eta**rung)
        return desk.study


class _Desk:
    """Calls the objective, and writes down what comes of it; or remembers."""

    def __init__(
        self,
        objective: Objective,
        settings: dict[str, Any],
        study: Study,
        seed: int,
        folder: Path,
    ) -> None:
        self.objective = objective
        self.settings = settings
        self.study = study
        self.seed = seed
        self.folder = folder
        self.file = folder / "study.pt"
        self.past: dict[int, list[dict[str, Any]]] = {}

    def open(self) -> None:
        """Read the study that is there, or begin one."""
        if self.file.exists():
            self.past = self._read()
            return
        strays = sorted(path.name for path in self.folder.glob("trial-*.pt"))
        if strays:
            raise CheckpointError(
                f"{self.folder}: there are trials ({strays[0]}, …) but no study.pt to say what "
                "they belong to; give another folder"
            )
        self._write()

    def enter(self, configs: Iterable[dict[str, Any]]) -> None:
        """Enter the trials, each with what is known of it."""
        for number, config in enumerate(configs):
            seed = int(np.random.SeedSequence([self.seed, number]).generate_state(1)[0])
            self.study.results.append(Result(number, config, seed))

    def call(self, results: list[Result], budget: int | None) -> None:
        """Bring some trials to a budget, those in the file without calling the objective."""
        for result in results:
            calls = self.past.setdefault(result.number, [])
            call = next((c for c in calls if c["budget"] == budget), None)
            if call is None:
                call = self._call(result, budget)
                calls.append(call)
                self._write()
            result.seconds += call["seconds"]
            result.error = call["error"]
            if call["error"] is None:
                result.scores[budget] = call["score"]

    def _call(self, result: Result, budget: int | None) -> dict[str, Any]:
        path = self.folder / f"trial-{result.number:04d}.pt"
        trial = Trial(result.number, dict(result.config), result.seed, budget, path)
        score, error = math.nan, None
        begun = time.perf_counter()
        with unchanged():
            seed_everything(result.seed)
            try:
                score = float(self.objective(trial))
            except CheckpointError:
                raise  # a damaged file says nothing about the setting
            except Exception as failure:
                error = f"{type(failure).__name__}: {failure}"
        if error is None and not math.isfinite(score):
            error = f"the score is {score}"
        seconds = time.perf_counter() - begun
        return {"budget": budget, "score": score, "error": error, "seconds": seconds}

    def _write(self) -> None:
        contents = {"kind": "study", "settings": self.settings, "trials": self.past}
        checkpoints.save(self.file, contents)

    def _read(self) -> dict[int, list[dict[str, Any]]]:
        contents = checkpoints.load(self.file)
        if contents.get("kind") != "study":
            raise CheckpointError(f"{self.file}: this checkpoint is no study")
        for name, value in self.settings.items():
            saved = contents["settings"].get(name)
            if saved != value:
                raise CheckpointError(
                    f"{self.file}: the study has {name} = {saved!r}, this search {value!r}; "
                    "give the same arguments, or another folder"
                )
        trials: dict[int, list[dict[str, Any]]] = contents["trials"]
        return trials


@contextmanager
def _desk(
    objective: Objective,
    space: Mapping[str, Any],
    settings: dict[str, Any],
    budget: int | None,
    mode: Mode,
    seed: int,
    folder: str | os.PathLike[str] | None,
) -> Iterator[_Desk]:
    """A desk over the folder, or over one that is gone afterwards."""
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**32:
        raise ValueError(f"search: seed expects an integer from 0 to 2**32 - 1, got {seed!r}")
    whole = {
        **settings,
        "objective": getattr(objective, "__qualname__", type(objective).__name__),
        "space": {name: _described(values) for name, values in space.items()},
        "budget": budget,
        "mode": mode,
        "seed": seed,
    }
    with tempfile.TemporaryDirectory() as passing:
        place = Path(passing if folder is None else folder)
        if not place.is_dir():
            if place.exists() or not place.parent.is_dir():
                raise NotADirectoryError(
                    f"search: folder expects a folder, or a new one's name in one that is there, "
                    f"got {place}"
                )
            place.mkdir()
        study = Study([], mode, None if folder is None else place)
        desk = _Desk(objective, whole, study, seed, place)
        desk.open()
        yield desk


_TAKEN = {"trial", "budget", "score", "scores", "seconds", "error"}


def _check(objective: Objective, space: Mapping[str, Any], mode: Mode, budget: int | None) -> None:
    if isinstance(objective, type) or not callable(objective):
        raise TypeError(f"search: objective expects a function of a trial, got {objective!r}")
    if not isinstance(space, Mapping) or not space:
        raise ValueError(f"search: space expects names with dimensions or values, got {space!r}")
    taken = sorted(_TAKEN & space.keys())
    if taken:
        raise ValueError(f"search: the names {taken} are columns of the results; call them else")
    if mode not in ("min", "max"):
        raise ValueError(f"search: mode expects 'min' or 'max', got {mode!r}")
    if budget is not None:
        _require_count("budget", budget)


def _require_count(name: str, value: Any, least: int = 1) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"search: {name} expects an integer >= {least}, got {value!r}")


def _draw(space: Mapping[str, Any], seed: int, number: int) -> dict[str, Any]:
    """A trial's setting: from the study's seed and its number alone."""
    draw = np.random.default_rng([seed, number, 1])
    return {
        name: values.sample(draw) if isinstance(values, Dimension) else values
        for name, values in space.items()
    }


def _described(values: Any) -> str:
    """What it is, the same in every process."""
    return re.sub(r" at 0x[0-9a-fA-F]+", "", repr(values))


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    return getattr(value, "__name__", None) or str(value)

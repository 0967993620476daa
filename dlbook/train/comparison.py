"""Comparing settings over seeds: is it better, or was it lucky?

One run is one draw: another seed means other initial values, another order of the examples, another
dropout, and another score. So every setting is run with the same few seeds. Settings are then
compared *seed by seed*, for what a seed does to one setting it often does to the other as well,
and the spread of the differences is what a difference has to be held against.
"""

import math
import statistics
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from dlbook.train.seeds import seed_everything
from dlbook.train.states import unchanged

__all__ = ["Comparison", "Difference", "Summary", "compare"]


@dataclass(frozen=True)
class Summary:
    """One setting's scores in brief.

    Args:
        mean: their mean.
        low: the lowest.
        high: the highest.
        spread: their standard deviation, with one fewer than their number below the line; nan
            for a single score.

    Example:
        >>> Summary.of([1.0, 2.0, 3.0])
        Summary(mean=2.0, low=1.0, high=3.0, spread=1.0)
    """

    mean: float
    low: float
    high: float
    spread: float

    @classmethod
    def of(cls, scores: list[float]) -> "Summary":
        """Return the summary of some scores.

        Args:
            scores: at least one.
        """
        spread = statistics.stdev(scores) if len(scores) > 1 else math.nan
        return cls(statistics.fmean(scores), min(scores), max(scores), spread)


@dataclass(frozen=True)
class Difference:
    """One setting's scores minus another's, seed by seed.

    Args:
        values: a difference for each seed.
        summary: their mean, range and spread.
        error: the standard error of the mean: the spread divided by the root of the number of
            seeds. A mean of several such errors is hardly luck; with five seeds, a mean of one
            or two says little.
        above: for how many seeds the difference is greater than 0.
    """

    values: list[float]
    summary: Summary
    error: float
    above: int


@dataclass(frozen=True)
class Comparison:
    """The scores of several settings with the same seeds.

    Args:
        scores: for each setting its scores, in the order of the seeds.
        seeds: the seeds.

    Example:
        >>> scores = {"wide": [0.97, 0.96, 0.98], "narrow": [0.94, 0.95, 0.96]}
        >>> result = Comparison(scores, seeds=[0, 1, 2])
        >>> result.difference("wide", "narrow").above
        3
        >>> print(result)
                  mean     low    high   spread  minus wide  above wide
        wide    0.9700  0.9600  0.9800  0.01000
        narrow  0.9500  0.9400  0.9600  0.01000    -0.02000      0 of 3
    """

    scores: Mapping[str, list[float]]
    seeds: list[int]

    def summary(self, name: str) -> Summary:
        """Return a setting's mean, range and spread.

        Args:
            name: the setting's.

        Raises:
            KeyError: if there is no setting of that name.
        """
        return Summary.of(self._of(name))

    def difference(self, name: str, other: str) -> Difference:
        """Return a setting's scores minus another's, seed by seed.

        Args:
            name: the setting's.
            other: the one to compare it with.

        Raises:
            KeyError: if there is no setting of that name.
        """
        values = [a - b for a, b in zip(self._of(name), self._of(other), strict=True)]
        summary = Summary.of(values)
        error = summary.spread / math.sqrt(len(values))
        return Difference(values, summary, error, sum(value > 0 for value in values))

    def table(self) -> list[dict[str, float | str | int]]:
        """Return a row for each setting: its name, mean, range, spread, and every score.

        The differences are from the first setting: their mean, standard error, and number above 0.
        """
        first = next(iter(self.scores))
        rows: list[dict[str, float | str | int]] = []
        for name in self.scores:
            summary, difference = self.summary(name), self.difference(name, first)
            row: dict[str, float | str | int] = {"setting": name, **vars(summary)}
            row |= {
                "difference": difference.summary.mean,
                "error": difference.error,
                "above": difference.above,
            }
            row |= {
                f"seed {seed}": score
                for seed, score in zip(self.seeds, self._of(name), strict=True)
            }
            rows.append(row)
        return rows

    def __str__(self) -> str:
        first = next(iter(self.scores))
        heads = ["", "mean", "low", "high", "spread", f"minus {first}", f"above {first}"]
        if len(self.scores) == 1:
            heads = heads[:5]
        table = [heads]
        for name in self.scores:
            s, d = self.summary(name), self.difference(name, first)
            cells = [name, *(f"{v:#.4g}" for v in (s.mean, s.low, s.high, s.spread))]
            if len(heads) > 5:
                own = name == first
                cells.append("" if own else f"{d.summary.mean:#.4g}")
                cells.append("" if own else f"{d.above} of {len(self.seeds)}")
            table.append(cells)
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = []
        for name, *cells in table:
            line = [name.ljust(widths[0])]
            line += [cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True)]
            lines.append("  ".join(line).rstrip())
        return "\n".join(lines)

    def _of(self, name: str) -> list[float]:
        if name not in self.scores:
            raise KeyError(f"Comparison: no setting {name!r}; there are {', '.join(self.scores)}")
        return self.scores[name]


def compare(
    settings: Mapping[str, Callable[[int], float]], seeds: Iterable[int] = range(5)
) -> Comparison:
    """Run every setting with every seed, and return the scores side by side.

    Everything is seeded before each run, see :func:`dlbook.seed_everything`, so that a run which
    uses no other randomness is the same whenever it is repeated; afterwards the random generators
    are as they were.

    Args:
        settings: by name, functions ``run(seed) -> score``. A run that diverges may return nan,
            which then shows in its mean.
        seeds: integers from 0 to 2³² − 1, all different.

    Raises:
        ValueError: if there are no settings or no seeds, or a seed comes twice.
        TypeError: if a setting can't be called, or returns something other than one number.

    Example:
        >>> import torch
        >>> result = compare({"one": lambda s: torch.rand(1), "two": lambda s: 2 * torch.rand(1)})
        >>> result.summary("two").mean == 2 * result.summary("one").mean
        True
    """
    listed = list(seeds)
    if not settings or not listed:
        raise ValueError("compare: expects at least one setting and one seed")
    if len(set(listed)) != len(listed):
        raise ValueError(f"compare: expects different seeds, got {listed}")
    for name, run in settings.items():
        if not callable(run):
            raise TypeError(f"compare: {name!r} expects a function run(seed), got {run!r}")
    scores: dict[str, list[float]] = {name: [] for name in settings}
    with unchanged():
        for seed in listed:
            for name, run in settings.items():
                seed_everything(seed)
                scores[name].append(_number(name, run(seed)))
    return Comparison(scores, listed)


def _number(name: str, score: object) -> float:
    try:
        return float(score)  # type: ignore[arg-type]
    except (TypeError, ValueError, RuntimeError):
        raise TypeError(
            f"compare: {name!r} expects to return one number, got {type(score).__name__}"
        ) from None

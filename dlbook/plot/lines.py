"""Curves: a training run's history, or any series of numbers."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from dlbook.plot.styles import LINESTYLES, MARKERS, PALETTE
from dlbook.train.history import History

__all__ = ["bands", "curves"]

Curves = History | Mapping[str, History | Sequence[float]]


def curves(history: Curves, measure: str = "loss", *, ax: Axes | None = None) -> Axes:
    """Draw a measure over the epochs: training solid, validation dashed.

    Args:
        history: one run; or several runs, or plain lists of numbers, by their names.
        measure: which of the measures to draw; names the axis.
        ax: where to draw; new axes if None.

    Raises:
        KeyError: if a run has no such measure.
        ValueError: if there is nothing to draw.

    Example:
        >>> from dlbook import plot, train
        >>> run = train.History({"loss": [2.0, 1.0]}, {"loss": [2.2, 1.4]})
        >>> ax = plot.curves(run)
        >>> [line.get_label() for line in ax.get_lines()]
        ['train', 'validation']
        >>> plt.close(ax.figure)
    """
    ax = plt.subplots()[1] if ax is None else ax
    series: list[_Line] = []
    runs = {"": history} if isinstance(history, History) else history
    for number, (name, run) in enumerate(runs.items()):
        if not isinstance(run, History):
            series.append(_Line(name, run, number, LINESTYLES[number % len(LINESTYLES)]))
            continue
        for part in ["train", *(["validation"] if run.validation else [])]:
            label = f"{name}, {part}" if name else part
            held_out = part == "validation"
            # Of a single run the two lines differ in everything; of several, a run keeps its own.
            kind = number if name else int(held_out)
            dashes = LINESTYLES[1] if held_out else LINESTYLES[0]
            series.append(_Line(label, run.series(f"{part} {measure}"), kind, dashes, held_out))
    if not any(len(line.values) for line in series):
        raise ValueError("curves: expects at least one number to draw")
    for line in series:
        kind = line.kind % len(PALETTE)
        ax.plot(
            range(1, len(line.values) + 1),
            line.values,
            color=PALETTE[kind],
            linestyle=line.dashes,
            marker=MARKERS[kind],
            markevery=max(1, len(line.values) // 8),
            markerfacecolor="none" if line.hollow else PALETTE[kind],
            label=line.label,
        )
    ax.set_xlabel("epoch")
    ax.set_ylabel(measure)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    if len(series) > 1 or series[0].label:
        ax.legend()
    return ax


Runs = Sequence[History | Sequence[float]]


def bands(
    runs: Mapping[str, Runs] | Runs, series: str = "validation loss", *, ax: Axes | None = None
) -> Axes:
    """Draw several runs of each setting as their mean, in a band from the lowest to the highest.

    Args:
        runs: one setting's runs, with as many epochs each; or several settings', by their names.
            A run is a history, or a list of numbers.
        series: which of a history's series to draw, such as ``"validation accuracy"``; names the
            axis.
        ax: where to draw; new axes if None.

    Raises:
        KeyError: if a history has no such series.
        ValueError: if there is nothing to draw, or runs of one setting differ in length.

    Example:
        >>> from dlbook import plot
        >>> ax = plot.bands({"SGD": [[2.0, 1.0], [3.0, 1.2]], "Adam": [[1.0, 0.5], [1.5, 0.6]]})
        >>> [line.get_ydata().tolist() for line in ax.get_lines()]
        [[2.5, 1.1], [1.25, 0.55]]
        >>> plt.close(ax.figure)
    """
    ax = plt.subplots()[1] if ax is None else ax
    named: Mapping[str, Runs] = runs if isinstance(runs, Mapping) else {"": runs}
    for number, (name, group) in enumerate(named.items()):
        rows = [run.series(series) if isinstance(run, History) else list(run) for run in group]
        lengths = sorted({len(row) for row in rows})
        if len(lengths) != 1 or lengths[0] == 0:
            raise ValueError(
                f"bands: expects at least one run{f' of {name!r}' if name else ''}, all of as many "
                f"epochs, got lengths {lengths}"
            )
        columns = list(zip(*rows, strict=True))
        epochs = range(1, len(columns) + 1)
        colour = PALETTE[number % len(PALETTE)]
        ax.fill_between(
            epochs,
            [min(c) for c in columns],
            [max(c) for c in columns],
            color=colour,
            alpha=0.2,
            lw=0,
        )
        ax.plot(
            epochs,
            [sum(c) / len(c) for c in columns],
            color=colour,
            linestyle=LINESTYLES[number % len(LINESTYLES)],
            marker=MARKERS[number % len(MARKERS)],
            markevery=max(1, len(columns) // 8),
            label=name,
        )
    if not named:
        raise ValueError("bands: expects at least one run to draw")
    ax.set_xlabel("epoch")
    ax.set_ylabel(series)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    if any(named):
        ax.legend()
    return ax


class _Line(NamedTuple):
    """One line of the picture."""

    label: str
    values: Sequence[float]
    kind: int
    dashes: Any
    hollow: bool = False

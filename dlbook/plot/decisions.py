"""Units of two inputs, drawn as the lines at which they change their mind."""

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from torch import Tensor

from dlbook.plot.styles import LINESTYLES, PALETTE

__all__ = ["decision_lines"]


def decision_lines(
    weights: Tensor | Sequence[Any],
    biases: Tensor | Sequence[float],
    xlim: tuple[float, float],
    ylim: tuple[float, float],
    *,
    labels: Sequence[str] = (),
    arrows: bool = True,
    ax: Axes | None = None,
) -> Axes:
    r"""Draw for each unit the line :math:`w_1x_1 + w_2x_2 + b = 0`.

    An arrow stands across each line, on the side on which the sum is positive: it points along the
    weights. A line that misses the frame is not drawn.

    Args:
        weights: one row for each unit, of shape (K, 2).
        biases: of shape (K,); of a threshold unit, minus its threshold.
        xlim: the range of the first input.
        ylim: the range of the second.
        labels: a name for each unit, for the legend; none if empty.
        arrows: whether to draw them.
        ax: where to draw; new axes if None.

    Raises:
        ValueError: if the shapes do not fit, or a unit has no weights but 0 and so no line.

    Example:
        >>> from dlbook import plot
        >>> ax = plot.decision_lines([[1, 1], [1, 1]], [-2, -1], (-1, 2), (-1, 2),
        ...                          labels=["AND", "OR"])
        >>> ax.get_legend_handles_labels()[1]
        ['AND', 'OR']
        >>> plt.close(ax.figure)
    """
    w = torch.as_tensor(weights).detach().cpu().double()
    b = torch.as_tensor(biases).detach().cpu().double()
    if w.dim() != 2 or w.shape[1] != 2 or b.shape != w.shape[:1]:
        raise ValueError(
            "decision_lines: expects weights (K, 2) and biases (K,), "
            f"got {tuple(w.shape)} and {tuple(b.shape)}"
        )
    if len(labels) not in (0, len(w)):
        raise ValueError(f"decision_lines: expects {len(w)} labels or none, got {len(labels)}")
    if not bool((w != 0).any(1).all()):
        raise ValueError("decision_lines: a unit expects a weight that is not 0, got only zeros")
    ax = plt.subplots()[1] if ax is None else ax
    ax.set_xlim(*xlim)
    ax.set_ylim(*ylim)
    for number, (row, bias) in enumerate(zip(w.tolist(), b.tolist())):
        kind = number % len(PALETTE)
        ends = _segment(row, bias, xlim, ylim)
        if ends is None:
            continue
        (x0, y0), (x1, y1) = ends
        name = labels[number] if labels else None
        look: dict[str, Any] = {"color": PALETTE[kind], "linestyle": LINESTYLES[kind]}
        ax.plot([x0, x1], [y0, y1], label=name, zorder=2, **look)
        if arrows:
            _arrow(ax, ((x0 + x1) / 2, (y0 + y1) / 2), row, xlim, ylim, PALETTE[kind])
    if labels:
        ax.legend()
    return ax


def _segment(
    w: list[float], b: float, xlim: tuple[float, float], ylim: tuple[float, float]
) -> tuple[tuple[float, float], tuple[float, float]] | None:
    """The piece of a line that lies in the frame, or None."""
    points = []
    if w[1]:
        points += [(x, -(b + w[0] * x) / w[1]) for x in xlim]
    if w[0]:
        points += [(-(b + w[1] * y) / w[0], y) for y in ylim]
    slack = 1e-9
    inside = sorted(
        (x, y)
        for x, y in points
        if xlim[0] - slack <= x <= xlim[1] + slack and ylim[0] - slack <= y <= ylim[1] + slack
    )
    if not inside or np.allclose(inside[0], inside[-1]):
        return None
    return inside[0], inside[-1]


def _arrow(
    ax: Axes,
    start: tuple[float, float],
    w: list[float],
    xlim: tuple[float, float],
    ylim: tuple[float, float],
    colour: str,
) -> None:
    """A short arrow along the weights, whose length is a share of the frame."""
    width, height = xlim[1] - xlim[0], ylim[1] - ylim[0]
    stretch = 0.1 / float(np.hypot(w[0] / width, w[1] / height))
    end = (start[0] + stretch * w[0], start[1] + stretch * w[1])
    ax.annotate(
        "",
        xy=end,
        xytext=start,
        arrowprops={"arrowstyle": "-|>", "color": colour, "linewidth": 1.6, "mutation_scale": 14},
        annotation_clip=False,
    )

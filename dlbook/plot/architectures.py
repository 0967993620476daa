"""Networks drawn to scale: every layer as wide as it has channels and as high as its maps."""

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from dlbook.plot.styles import INK, PALETTE, PANEL

__all__ = ["architecture"]


def architecture(
    layers: Sequence[Any], *, gap: float | None = None, ax: Axes | None = None
) -> Axes:
    """Draw what each layer of a network hands on, to scale, in the order of the calls.

    A stack of maps is a box as wide as it has channels and as high as a map has rows; the numbers
    of an affine layer are channels of one row, so that they become a line. Boxes of layers that
    multiply are filled; those that only make maps smaller, and the input, are empty. Layers that
    change neither, such as activations and normalisations, are left out.

    Args:
        layers: rows of :func:`dlbook.models.summary`, opened as deep as the drawing shall be.
        gap: room between two boxes, in channels; a hundredth of all channels if None.
        ax: where to draw; new axes if None. Two drawings on the same scale have the same limits.

    Raises:
        ValueError: if no row can be drawn.

    Example:
        >>> from dlbook import plot
        >>> from dlbook.models import LeNet5Modern, summary
        >>> ax = plot.architecture(summary(LeNet5Modern(), (1, 32, 32)))
        >>> [(box.get_width(), box.get_height()) for box in ax.patches][:4]
        [(1, 32), (6, 28), (6, 14), (16, 10)]
        >>> plt.close(ax.figure)
    """
    rows = [row for row in layers if row.multiply_adds or _resized(row)]
    if not rows:
        raise ValueError("architecture: expects rows of a summary, of which one at least has maps")
    shapes = [(rows[0].input_shape, False)]
    shapes += [(row.output_shape, bool(row.multiply_adds)) for row in rows]
    boxes = [(shape[0], shape[1] if len(shape) > 2 else 1, filled) for shape, filled in shapes]
    total = sum(width for width, _, _ in boxes)
    space = total / 100 if gap is None else gap
    if ax is None:
        ax = plt.subplots(figsize=(5.2, 2.4))[1]
    left = 0.0
    for (width, height, filled), (shape, _) in zip(boxes, shapes):
        colour = PALETTE[0] if len(shape) > 2 else PALETTE[1]
        face, edge = (colour, colour) if filled else (PANEL, INK)
        ax.add_patch(
            Rectangle((left, 0), width, height, facecolor=face, edgecolor=edge, linewidth=0.7)
        )
        left += width + space
    ax.set(xlim=(-space, left), ylim=(0, 1.05 * max(height for _, height, _ in boxes)))
    ax.set(xlabel="channels", ylabel="rows")
    ax.grid(visible=False)
    return ax


def _resized(row: Any) -> bool:
    """Whether a layer without products hands on another number of values, as a pooling does."""
    return len(row.output_shape) > 2 and row.output_shape != row.input_shape

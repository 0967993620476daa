"""A progress bar where somebody watches, and silence where nobody does.

A bar shows at a terminal and in a notebook. It stays away when the error stream goes to a file
or a pipe. ``DLBOOK_PROGRESS=0`` switches it off (the book's build sets this, so that no bar
lands on a page), ``DLBOOK_PROGRESS=1`` switches it on.
"""

import warnings
from types import TracebackType
from typing import Any

from dlbook import _watched

__all__ = ["Progress", "watched"]


def watched() -> bool:
    """Say whether a bar would be seen: the variable's word, else a terminal or a notebook.

    Raises:
        ValueError: if ``DLBOOK_PROGRESS`` is set to something other than 0, 1 or nothing.

    Example:
        >>> isinstance(watched(), bool)
        True
    """
    return _watched.watched()


class Progress:
    """A bar over a known or unknown number of steps, to be used in a ``with`` statement.

    Args:
        total: how many steps; None if unknown.
        done: steps that were taken earlier.
        show: whether to show it; None asks :func:`watched`.

    Example:
        >>> with Progress(2, show=False) as progress:
        ...     progress.advance("epoch 1/1")

    Chapter: :doc:`/training/training-loop`.
    """

    def __init__(self, total: int | None, *, done: int = 0, show: bool | None = None) -> None:
        self._bar: Any = None
        if watched() if show is None else show:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # a notebook without ipywidgets: a bar of text
                from tqdm.auto import tqdm

                self._bar = tqdm(total=total, initial=done, unit=" batches", dynamic_ncols=True)

    def advance(self, text: str | None = None) -> None:
        """Take one step.

        Args:
            text: what to write beside the bar.
        """
        if self._bar is not None:
            if text is not None:
                self._bar.set_description_str(text, refresh=False)
            self._bar.update()

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.close()

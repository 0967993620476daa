"""What a training run measured, epoch by epoch."""

from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["History"]

Series = dict[str, list[float]]


@dataclass
class History:
    """The measurements of a training run: one entry an epoch in every list.

    Two histories are equal if everything but the seconds is. ``dlbook.plot.curves`` draws one.

    Args:
        train: ``"loss"`` and each metric on the training examples, averaged over the epoch *while*
            the parameters moved (dropout active).
        validation: the same names on the validation examples, *after* the epoch (dropout off);
            empty without validation.
        learning_rate: the first parameter group's, during the epoch.
        seconds: how long the epoch took, validation included.
        stopped: why training ended before its last epoch; None if it did not.

    Example:
        >>> history = History({"loss": [2.0, 1.0]}, {"loss": [2.5, 1.5]}, [0.1, 0.1], [0.3, 0.3])
        >>> len(history), history.best("validation loss")
        (2, (2, 1.5))
        >>> print(history)
        epoch  train loss  validation loss  seconds
            1           2              2.5      0.3
            2           1              1.5      0.3

    Chapter: :doc:`/training/training-loop`.
    """

    train: Series = field(default_factory=dict)
    validation: Series = field(default_factory=dict)
    learning_rate: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list, compare=False)
    stopped: str | None = None

    def __len__(self) -> int:
        return len(self.train.get("loss", []))

    @property
    def names(self) -> list[str]:
        """The names of all series: ``"train loss"``, ``"validation accuracy"``, …"""
        parts = (("train", self.train), ("validation", self.validation))
        return [f"{part} {name}" for part, series in parts for name in series]

    def series(self, name: str) -> list[float]:
        """Return one series by its full name.

        Args:
            name: such as ``"train loss"`` or ``"validation accuracy"``.

        Raises:
            KeyError: if nothing of that name was measured.
        """
        part, _, measure = name.partition(" ")
        table = {"train": self.train, "validation": self.validation}.get(part, {})
        if measure not in table:
            raise KeyError(f"History: no series {name!r}; there are {', '.join(self.names)}")
        return table[measure]

    def best(
        self, name: str = "validation loss", mode: Literal["min", "max"] = "min"
    ) -> tuple[int, float]:
        """Return the epoch (counted from 1) at which a series was best, the first of equals, and
        the value there.

        Args:
            name: see :meth:`series`.
            mode: ``"min"`` if less is better, ``"max"`` if more is.

        Raises:
            KeyError: if nothing of that name was measured.
            ValueError: if no epoch has ended yet, or ``mode`` is neither of the two.
        """
        if mode not in ("min", "max"):
            raise ValueError(f"History.best: mode expects 'min' or 'max', got {mode!r}")
        values = self.series(name)
        if not values:
            raise ValueError("History.best: no epoch has ended yet")
        value = min(values) if mode == "min" else max(values)
        return values.index(value) + 1, value

    def add(
        self,
        train: dict[str, float],
        validation: dict[str, float],
        learning_rate: float,
        seconds: float,
    ) -> None:
        """Append one epoch.

        Args:
            train: the epoch's value of each training series.
            validation: the same for validation; empty without it.
            learning_rate: the learning rate during the epoch.
            seconds: its duration.
        """
        for table, values in ((self.train, train), (self.validation, validation)):
            for name, value in values.items():
                table.setdefault(name, []).append(value)
        self.learning_rate.append(learning_rate)
        self.seconds.append(seconds)

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain dictionaries, lists and numbers, fit for JSON."""
        return {
            "train": {name: list(values) for name, values in self.train.items()},
            "validation": {name: list(values) for name, values in self.validation.items()},
            "learning_rate": list(self.learning_rate),
            "seconds": list(self.seconds),
            "stopped": self.stopped,
        }

    @classmethod
    def from_dict(cls, contents: dict[str, Any]) -> "History":
        """Return the history that :meth:`to_dict` wrote down.

        Args:
            contents: what ``to_dict`` returned.
        """
        history = cls(**contents)
        return cls(**history.to_dict())  # its own lists, not the caller's

    def __str__(self) -> str:
        names = self.names
        table = [["epoch", *names, "seconds"]]
        columns = [self.series(name) for name in names]
        for epoch, seconds in enumerate(self.seconds):
            values = [f"{column[epoch]:.4g}" for column in columns]
            table.append([str(epoch + 1), *values, f"{seconds:.2g}"])
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = ["  ".join(c.rjust(w) for c, w in zip(row, widths, strict=True)) for row in table]
        if self.stopped:
            lines.append(f"stopped: {self.stopped}")
        return "\n".join(lines)

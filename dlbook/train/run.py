"""A training run as its callbacks see it."""

from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import torch
from torch import nn

from dlbook.train.history import History

__all__ = ["Callback", "Run"]


@dataclass
class Run:
    """What is being trained, with what, and how far it has come; callbacks are given it.

    Args:
        model: the module, on ``device``.
        optimizer: its optimiser.
        device: where the run computes.
        epochs: how many epochs are wanted.
        history: what has been measured so far.
        measures: the names of the series that the history has or will have.
        epoch: how many epochs have ended.
        scheduler: the learning rate's schedule, if there is one.

    Chapter: :doc:`/training/training-loop`.
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    device: torch.device
    epochs: int
    history: History
    measures: list[str] = field(default_factory=list)
    epoch: int = 0
    scheduler: Any = None

    def stop(self, reason: str) -> None:
        """End the run after this epoch.

        Args:
            reason: why; kept in ``history.stopped``.
        """
        self.history.stopped = reason


@runtime_checkable
class Callback(Protocol):
    """Anything that can be called with a :class:`Run` after every epoch; a plain function will do.

    Four more methods are used where a callback has them: ``start(run)`` before the first epoch,
    ``finish(run)`` after the last, and ``state_dict()`` with ``load_state_dict(state)`` for what
    a checkpoint has to keep.

    Chapter: :doc:`/training/training-loop`.
    """

    def __call__(self, run: Run, /) -> object:
        """Look at the run after an epoch, and perhaps :meth:`Run.stop` it."""

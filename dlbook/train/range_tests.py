r"""The learning-rate range test: how long may a step be? (L. N. Smith, 2017.)

Train for a hundred batches or so while the learning rate grows by the same factor every batch, from
far too low to far too high. At first nothing happens, then the loss falls, and in the end it rises:
the range of useful rates can be read off. It costs less than one ordinary run and leaves no trace.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from dlbook.data.augmentation import Augmentation
from dlbook.train.batches import Batches, Examples
from dlbook.train.devices import device as choose_device
from dlbook.train.evaluation import Loss
from dlbook.train.loop import augmented, check_parts, move, take_step, unseeded
from dlbook.train.seeds import branch, seed_everything
from dlbook.train.states import unchanged

__all__ = ["RangeTest", "range_test"]


@dataclass
class RangeTest:
    r"""What a range test measured: one entry a batch in every list.

    Args:
        rates: the learning rate of each step, of the first parameter group.
        losses: the loss of each batch *before* that step; so the last rate's own effect is
            not in it.
        smoothed: an exponential average of the losses, see :func:`range_test`.
        stopped: why the test ended before the highest rate; None if it did not.
    """

    rates: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    smoothed: list[float] = field(default_factory=list)
    stopped: str | None = None

    def __len__(self) -> int:
        return len(self.rates)

    @property
    def suggestion(self) -> float:
        """A tenth of the rate at which the smoothed loss was least.

        Where the loss is least, the rate is already at the edge of what the run survives for a
        few steps; a whole run needs a margin. The factor is a rule of thumb.

        Raises:
            ValueError: if the smoothed loss never fell: start from a lower rate, go to a higher
                one, or look for a mistake.
        """
        least = min(range(len(self)), key=self.smoothed.__getitem__, default=0)
        if least == 0:
            raise ValueError("RangeTest: the loss never fell, so that no rate can be suggested")
        return self.rates[least] / 10


def range_test(
    model: nn.Module,
    loss: Loss,
    optimizer: torch.optim.Optimizer,
    train: Examples,
    *,
    low: float = 1e-5,
    high: float = 10.0,
    steps: int = 100,
    batch_size: int = 64,
    shuffle: bool = True,
    augment: Augmentation | None = None,
    device: torch.device | str | None = None,
    seed: int | None = None,
    smoothing: float = 0.9,
    stop_at: float = 4.0,
) -> RangeTest:
    r"""Train for a few batches at growing learning rates, and put everything back.

    Step :math:`k` of :math:`n` has the rate

    .. math:: \eta_k = \eta_\text{low}
        \left(\frac{\eta_\text{high}}{\eta_\text{low}}\right)^{k / (n - 1)},
        \qquad k = 0, \dots, n - 1,

    and the losses :math:`\ell_k` are smoothed by an average that forgets, free of bias at its
    beginning:

    .. math:: m_k = \beta\, m_{k-1} + (1 - \beta)\, \ell_k, \qquad
        \text{smoothed}_k = \frac{m_k}{1 - \beta^{k+1}} .

    Afterwards model, loss, optimiser and every random generator are as they were, the device of
    the model aside: the run that follows is the one that there would have been.

    Args:
        model: see :func:`dlbook.train.fit`.
        loss: see :func:`dlbook.train.fit`.
        optimizer: see :func:`dlbook.train.fit`. Its rate does not matter; of several groups the
            first has the rate :math:`\eta_k`, and the others keep their proportion to it.
        train: see :func:`dlbook.train.fit`; gone through as often as the steps need.
        low: the first rate, above 0.
        high: the last rate, above ``low``.
        steps: how many batches, at least 2.
        batch_size: examples a step; the best rate depends on it.
        shuffle: see :func:`dlbook.train.fit`.
        augment: see :func:`dlbook.train.fit`.
        device: see :func:`dlbook.device`.
        seed: see :func:`dlbook.train.fit`.
        smoothing: :math:`\beta`, at least 0 and below 1.
        stop_at: the test ends early when the smoothed loss is so many times the least; above 1.
            It also ends at a loss that is infinite or not a number, which is not recorded.

    Raises:
        TypeError, ValueError: for arguments that can't be used, before anything is changed.

    Example:
        >>> from dlbook.data import digits
        >>> _ = torch.manual_seed(0)
        >>> model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
        >>> optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
        >>> test = range_test(model, nn.CrossEntropyLoss(), optimizer, digits.load().train, seed=0)
        >>> 0.05 < test.suggestion < 1
        True
    """
    check_parts("range_test", model, loss, optimizer, augment)
    if not 0 < low < high < math.inf:
        raise ValueError(f"range_test: expects 0 < low < high, got {low!r} and {high!r}")
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 2:
        raise ValueError(f"range_test: steps expects an integer >= 2, got {steps!r}")
    if not 0 <= smoothing < 1:
        raise ValueError(f"range_test: smoothing expects 0 <= smoothing < 1, got {smoothing!r}")
    if not stop_at > 1:
        raise ValueError(f"range_test: stop_at expects a number > 1, got {stop_at!r}")
    where = choose_device(device)
    with unchanged():
        generator = seed_everything(seed) if seed is not None else unseeded()
        batches = Batches(
            train,
            "train",
            batch_size=batch_size,
            shuffle=shuffle,
            generator=generator,
            device=where,
        )
        move(model, loss, optimizer, where)
        modules = [model, loss] if isinstance(loss, nn.Module) else [model]
        with unchanged(*modules, optimizer, generators=batches.generators):
            model.train()
            pairs = _endless(batches, augment, branch(generator))
            return _climb(model, loss, optimizer, pairs, low, high, steps, smoothing, stop_at)


def _climb(
    model: nn.Module,
    loss: Loss,
    optimizer: torch.optim.Optimizer,
    pairs: Iterator[tuple[Any, Any]],
    low: float,
    high: float,
    steps: int,
    smoothing: float,
    stop_at: float,
) -> RangeTest:
    test = RangeTest()
    shares = _shares(optimizer)
    average = 0.0
    for k in range(steps):
        rate = low * (high / low) ** (k / (steps - 1))
        for group, share in zip(optimizer.param_groups, shares, strict=True):
            group["lr"] = share * rate
        try:
            _, value = take_step(model, loss, optimizer, *next(pairs), _check)
        except _NotFiniteError:
            test.stopped = f"the loss was not finite after the step at rate {test.rates[-1]:.2g}"
            break
        average = smoothing * average + (1 - smoothing) * value.item()
        test.rates.append(rate)
        test.losses.append(value.item())
        test.smoothed.append(average / (1 - smoothing ** (k + 1)))
        if test.smoothed[-1] > stop_at * min(test.smoothed):
            test.stopped = f"the smoothed loss was more than {stop_at:g} times the least"
            break
    return test


class _NotFiniteError(ArithmeticError):
    """The end of the test, not a mistake."""


def _check(value: Any) -> None:
    if not isinstance(value, Tensor) or value.numel() != 1 or not value.requires_grad:
        raise ValueError(
            "range_test: loss expects to return one number that depends on the parameters, "
            "the mean over the batch"
        )
    if not math.isfinite(value.item()):
        raise _NotFiniteError


def _shares(optimizer: torch.optim.Optimizer) -> list[float]:
    """Each group's rate as a multiple of the first one's."""
    rates = [float(group["lr"]) for group in optimizer.param_groups]
    return [rate / rates[0] if rates[0] else 1.0 for rate in rates]


def _endless(
    batches: Batches, augment: Augmentation | None, generator: torch.Generator
) -> Iterator[tuple[Any, Any]]:
    while True:
        some = False
        for pair in augmented("range_test", batches, augment, generator):
            some = True
            yield pair
        if not some:
            raise ValueError("train: expects at least one example, got none")

r"""Schedules: the learning rate as a function of time.

A schedule is a formula: a group that starts with the rate :math:`\eta_0` has the rate
:math:`\eta_t` after :math:`t` calls of ``step()``, one call after every epoch, or after every
batch, whichever the formula is meant for. ``rate(eta_0, t)`` of a schedule is that formula, and can
be drawn without training.

The names, arguments and numbers are those of :mod:`torch.optim.lr_scheduler`, from whose base class
the bookkeeping is inherited: the count, the state dictionary, the warning when the order of
``optimizer.step()`` and ``scheduler.step()`` is wrong. They take any optimiser, PyTorch's too.

Departures: PyTorch derives most rates from the one before, by a factor; here they follow from
:math:`\eta_0` and :math:`t` alone. The numbers are the same up to rounding. But whoever sets the
rate of a group by hand, or lets two schedules change one optimiser in turns, finds the change
overwritten; schedules that follow each other belong into a :class:`SequentialLR`.

Chapter: :doc:`/training/optimization`.
"""

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, SupportsFloat

import torch
from torch.optim import Optimizer
from torch.optim import lr_scheduler as torchs

__all__ = [
    "CosineAnnealingLR",
    "ExponentialLR",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "OneCycleLR",
    "ReduceLROnPlateau",
    "Schedule",
    "SequentialLR",
    "StepLR",
]


class Schedule(torchs.LRScheduler):
    r"""A learning rate that is a function of where it starts and of the time.

    Args:
        optimizer: whose groups' rates are set; the rates they have now are their :math:`\eta_0`.
        last_epoch: the time :math:`t - 1` from which to go on; -1 is the beginning.
    """

    def rate(self, initial: Any, t: int) -> Any:
        r"""Return :math:`\eta_t`.

        Args:
            initial: :math:`\eta_0`, a number, or a tensor of one element.
            t: how many steps the schedule has taken, from 0 on.
        """
        raise NotImplementedError

    def get_lr(self) -> list[Any]:
        """Return the rate of every group at the present time."""
        return [self.rate(initial, self.last_epoch) for initial in self.base_lrs]


class LambdaLR(torchs.LambdaLR, Schedule):
    r"""The initial rate times any function of the time, :math:`\eta_t = \eta_0\,f(t)`.

    Args:
        optimizer: the optimiser.
        lr_lambda: :math:`f`, from an integer to a number; or a list with one for each group.
        last_epoch: the time :math:`t - 1` from which to go on; -1 is the beginning.

    Raises:
        ValueError: if there is not one function for each group.

    As in PyTorch a state dictionary holds no plain functions: make the schedule with the same ones
    before loading.

    Example:
        >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
        >>> schedule = LambdaLR(optimizer, lambda t: 1 / (1 + t))
        >>> schedule.rate(0.1, 1)
        0.05
    """

    def __init__(
        self,
        optimizer: Optimizer,
        lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]],
        last_epoch: int = -1,
    ) -> None:
        _check_optimizer(self, optimizer)
        groups = len(optimizer.param_groups)
        functions = list(lr_lambda) if isinstance(lr_lambda, Sequence) else [lr_lambda] * groups
        if len(functions) != groups:
            raise ValueError(
                f"LambdaLR: lr_lambda expects {groups} functions, one for each group, "
                f"got {len(functions)}"
            )
        for function in functions:
            if not callable(function):
                raise TypeError(f"LambdaLR: lr_lambda expects functions, got {function!r}")
        super().__init__(optimizer, functions, last_epoch)

    def rate(self, initial: Any, t: int, group: int = 0) -> Any:
        r"""Return :math:`\eta_0\,f(t)`.

        Args:
            initial: :math:`\eta_0`.
            t: the time.
            group: whose function, where each group has its own.
        """
        return initial * self.lr_lambdas[group](t)

    def get_lr(self) -> list[Any]:
        """Return the rate of every group at the present time."""
        return [self.rate(lr, self.last_epoch, i) for i, lr in enumerate(self.base_lrs)]


class StepLR(Schedule):
    r"""Multiply the rate by a factor every few steps.

    .. math:: \eta_t = \eta_0\,\gamma^{\lfloor t/s \rfloor}

    Args:
        optimizer: the optimiser.
        step_size: :math:`s \ge 1`, how many steps a rate lasts.
        gamma: the factor :math:`\gamma \ge 0`.
        last_epoch: the time :math:`t - 1` from which to go on; -1 is the beginning.

    Raises:
        ValueError: for a setting outside its range.

    Example:
        >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.5)
        >>> schedule = StepLR(optimizer, step_size=2, gamma=0.5)
        >>> [schedule.rate(0.5, t) for t in range(5)]
        [0.5, 0.5, 0.25, 0.25, 0.125]
    """

    def __init__(
        self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        _check_optimizer(self, optimizer)
        _check(self, "step_size", step_size, whole(step_size, 1), "an integer >= 1")
        _check_gamma(self, gamma)
        self.step_size = step_size
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def rate(self, initial: Any, t: int) -> Any:
        r"""Return :math:`\eta_0\,\gamma^{\lfloor t/s \rfloor}`.

        Args:
            initial: :math:`\eta_0`.
            t: the time.
        """
        return initial * self.gamma ** (t // self.step_size)


class MultiStepLR(Schedule):
    r"""Multiply the rate by a factor at given times.

    .. math:: \eta_t = \eta_0\,\gamma^{n_t}, \qquad n_t = \#\{i : t_i \le t\}

    Args:
        optimizer: the optimiser.
        milestones: the times :math:`t_i`; one that is there twice counts twice.
        gamma: the factor :math:`\gamma \ge 0`.
        last_epoch: the time :math:`t - 1` from which to go on; -1 is the beginning.

    Raises:
        ValueError: for a setting outside its range.

    Example:
        >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.5)
        >>> schedule = MultiStepLR(optimizer, milestones=[1, 3], gamma=0.5)
        >>> [schedule.rate(0.5, t) for t in range(5)]
        [0.5, 0.25, 0.25, 0.125, 0.125]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        milestones: Iterable[int],
        gamma: float = 0.1,
        last_epoch: int = -1,
    ) -> None:
        _check_optimizer(self, optimizer)
        times = list(milestones)
        right = all(whole(time, 0) for time in times)
        _check(self, "milestones", times, right, "integers >= 0")
        _check_gamma(self, gamma)
        self.milestones = Counter(times)
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def rate(self, initial: Any, t: int) -> Any:
        r"""Return :math:`\eta_0\,\gamma^{n_t}`.

        Args:
            initial: :math:`\eta_0`.
            t: the time.
        """
        passed = bisect_right(sorted(self.milestones.elements()), t)
        return initial * self.gamma**passed


class ExponentialLR(Schedule):
    r"""Multiply the rate by a factor at every step, :math:`\eta_t = \eta_0\,\gamma^t`.

    Args:
        optimizer: the optimiser.
        gamma: the factor :math:`\gamma \ge 0`.
        last_epoch: the time :math:`t - 1` from which to go on; -1 is the beginning.

    Raises:
        ValueError: for a factor outside its range.

    Example:
        >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=8.0)
        >>> schedule = ExponentialLR(optimizer, gamma=0.5)
        >>> [schedule.rate(8.0, t) for t in range(4)]
        [8.0, 4.0, 2.0, 1.0]
    """

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        _check_optimizer(self, optimizer)
        _check_gamma(self, gamma)
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def rate(self, initial: Any, t: int) -> Any:
        r"""Return :math:`\eta_0\,\gamma^t`.

        Args:
            initial: :math:`\eta_0`.
            t: the time.
        """
        return initial * self.gamma**t


class LinearLR(Schedule):
    r"""Go in a straight line from one fraction of the rate to another, then stay: a warm-up.

    .. math:: \eta_t = \eta_0 \Bigl(a + (b - a)\,\frac{\min(t, T)}{T}\Bigr)

    Args:
        optimizer: the optimiser.
        start_factor: :math:`a`, above 0 and at most 1.
        end_factor: :math:`b`, between 0 and 1.
        total_iters: :math:`T \ge 1`, how many steps the way takes.
        last_epoch: the time :math:`t - 1` from which to go on; -1 is the beginning.

    Raises:
        ValueError: for a setting outside its range.

    Example:
        Warm up, then anneal: two schedules, one after the other.

        >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
        >>> warm = LinearLR(optimizer, start_factor=0.25, total_iters=3)
        >>> [warm.rate(1.0, t) for t in range(5)]
        [0.25, 0.5, 0.75, 1.0, 1.0]
        >>> cool = CosineAnnealingLR(optimizer, T_max=4)
        >>> schedule = SequentialLR(optimizer, [warm, cool], milestones=[3])
        >>> rates = []
        >>> for _ in range(8):
        ...     rates.append(round(schedule.get_last_lr()[0], 3))
        ...     optimizer.step()
        ...     schedule.step()
        >>> rates
        [0.25, 0.5, 0.75, 1.0, 0.854, 0.5, 0.146, 0.0]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1.0 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        _check_optimizer(self, optimizer)
        _check(self, "start_factor", start_factor, 0 < start_factor <= 1, "a number in (0, 1]")
        _check(self, "end_factor", end_factor, 0 <= end_factor <= 1, "a number in [0, 1]")
        _check(self, "total_iters", total_iters, whole(total_iters, 1), "an integer >= 1")
        self.start_factor = start_factor
        self.end_factor = end_factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def rate(self, initial: Any, t: int) -> Any:
        r"""Return :math:`\eta_0\,(a + (b - a)\min(t, T)/T)`.

        Args:
            initial: :math:`\eta_0`.
            t: the time.
        """
        way = min(t, self.total_iters) / self.total_iters
        return initial * (self.start_factor + (self.end_factor - self.start_factor) * way)


class CosineAnnealingLR(Schedule):
    r"""Follow half a wave of the cosine from the rate down to a smaller one.

    .. math::

        \eta_t = \eta_{\min} + \frac{\eta_0 - \eta_{\min}}{2}
            \Bigl(1 + \cos\frac{\pi t}{T_{\max}}\Bigr)

    It begins and ends slowly. After :math:`T_{\max}` the wave goes up again, as in PyTorch.

    Args:
        optimizer: the optimiser.
        T_max: :math:`T_{\max} \ge 1`, how many steps the way down takes.
        eta_min: :math:`\eta_{\min} \ge 0`.
        last_epoch: the time :math:`t - 1` from which to go on; -1 is the beginning.

    Raises:
        ValueError: for a setting outside its range.

    The half wave is that of Loshchilov and Hutter (2017), without their restarts.

    Example:
        >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
        >>> schedule = CosineAnnealingLR(optimizer, T_max=4)
        >>> [round(schedule.rate(1.0, t), 3) for t in range(5)]
        [1.0, 0.854, 0.5, 0.146, 0.0]
    """

    def __init__(
        self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1
    ) -> None:
        _check_optimizer(self, optimizer)
        _check(self, "T_max", T_max, whole(T_max, 1), "an integer >= 1")
        _check(self, "eta_min", eta_min, 0 <= eta_min < math.inf, "a finite number >= 0")
        self.T_max = T_max
        self.eta_min = eta_min
        super().__init__(optimizer, last_epoch)

    def rate(self, initial: Any, t: int) -> Any:
        r"""Return :math:`\eta_{\min} + (\eta_0 - \eta_{\min})(1 + \cos(\pi t/T_{\max}))/2`.

        Args:
            initial: :math:`\eta_0`.
            t: the time.
        """
        wave = (1 + math.cos(math.pi * t / self.T_max)) / 2
        return self.eta_min + (initial - self.eta_min) * wave


class SequentialLR(torchs.SequentialLR):
    r"""One schedule after the other, each with a time of its own.

    .. math:: \eta_t = \eta^{(k)}_{t - t_k}, \qquad t_k \le t < t_{k+1}, \qquad t_0 = 0

    Args:
        optimizer: the optimiser.
        schedulers: the schedules, of the same optimiser.
        milestones: the times :math:`t_1 < t_2 < \dots` at which the second, third, … begins.
        last_epoch: -1; to go on from elsewhere, load a state dictionary.

    Raises:
        ValueError: if the numbers of schedules and times don't fit, the times don't rise, or a
            schedule is another optimiser's, a :class:`ReduceLROnPlateau` or a sequence itself.

    A warm-up before another schedule is made this way, see :class:`LinearLR`.

    Example:
        >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
        >>> parts = [LambdaLR(optimizer, lambda t: 0.1), ExponentialLR(optimizer, 0.5)]
        >>> schedule = SequentialLR(optimizer, parts, milestones=[2])
        >>> rates = []
        >>> for _ in range(5):
        ...     rates.append(schedule.get_last_lr()[0])
        ...     optimizer.step()
        ...     schedule.step()
        >>> rates
        [0.1, 0.1, 1.0, 0.5, 0.25]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        schedulers: list[torchs.LRScheduler],
        milestones: list[int],
        last_epoch: int = -1,
    ) -> None:
        _check_optimizer(self, optimizer)
        if not schedulers or len(milestones) != len(schedulers) - 1:
            raise ValueError(
                "SequentialLR: milestones expects one time fewer than there are schedulers, "
                f"got {len(milestones)} and {len(schedulers)}"
            )
        times = list(milestones)
        rising = all(a < b for a, b in zip([0, *times], times, strict=False))
        right = rising and all(whole(time, 1) for time in times)
        _check(self, "milestones", times, right, "rising integers >= 1")
        for i, part in enumerate(schedulers):
            if isinstance(part, torchs.ReduceLROnPlateau):
                raise ValueError(
                    "SequentialLR: schedulers expects schedules that follow from the time alone, "
                    f"got ReduceLROnPlateau at {i}"
                )
            if isinstance(part, torchs.SequentialLR):
                raise ValueError(
                    "SequentialLR: schedulers expects single schedules, "
                    f"got a SequentialLR at {i}: list its parts instead"
                )
            if part.optimizer is not optimizer:
                raise ValueError(
                    f"SequentialLR: schedulers expects schedules of the same optimizer, "
                    f"got another one's at {i}"
                )
        super().__init__(optimizer, schedulers, times, last_epoch)

    def step(self) -> None:  # type: ignore[override]
        """Go on by one step: with the schedule whose time it is, or begin the next."""
        self.last_epoch += 1
        k = bisect_right(self._milestones, self.last_epoch)
        part = self._schedulers[k]
        if k > 0 and self.last_epoch == self._milestones[k - 1]:
            part._update_lr(0)  # its own time begins
        else:
            part.step()
        self._last_lr = part.get_last_lr()


class OneCycleLR(torchs.OneCycleLR):
    r"""One rise to a high rate and one fall to nearly nothing; the momentum goes the other way.

    The rate starts at :math:`\eta_{\max}/d`, reaches :math:`\eta_{\max}` after the fraction
    :math:`p` of the :math:`N` steps, and ends at :math:`\eta_{\max}/(d\,d')`. Between two such
    corners, at the times :math:`t_a` and :math:`t_b`, it goes from :math:`a` to :math:`b` by half a
    wave

    .. math::

        \eta_t = b + \frac{a - b}{2}\Bigl(1 + \cos\frac{\pi\,(t - t_a)}{t_b - t_a}\Bigr)

    or in a straight line. The momentum (:math:`\mu`, or Adam's :math:`\beta_1`) falls from its
    largest value to its smallest and rises again, at the same times. With three phases
    the rate falls first to its start, in as many steps as it rose, then to its end.

    The corners are at the times :math:`0`, :math:`pN - 1` and :math:`N - 1`; with three phases
    at :math:`0`, :math:`pN - 1`, :math:`2pN - 2` and :math:`N - 1`. The schedule is meant to be
    stepped after every batch.

    Args:
        optimizer: the optimiser; the rates of its groups are overwritten.
        max_lr: :math:`\eta_{\max}`, or a list with one for each group.
        total_steps: :math:`N \ge 1`; or else
        epochs: how many epochs there are, and
        steps_per_epoch: how many steps in each.
        pct_start: :math:`p` between 0 and 1.
        anneal_strategy: ``"cos"`` or ``"linear"``.
        cycle_momentum: whether the momentum changes too.
        base_momentum: its smallest value, or a list with one for each group.
        max_momentum: its largest value, or a list.
        div_factor: :math:`d > 0`.
        final_div_factor: :math:`d' > 0`.
        three_phase: whether the fall has two parts.
        last_epoch: the time :math:`t - 1` from which to go on; -1 is the beginning.

    Raises:
        ValueError: for a setting outside its range; at a step, after the last one.

    The policy is that of Smith and Topin (2017); theirs has three phases.

    Example:
        >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0, momentum=0.9)
        >>> schedule = OneCycleLR(optimizer, 1.0, total_steps=5, pct_start=0.6,
        ...                       anneal_strategy="linear", div_factor=5)
        >>> for _ in range(5):
        ...     group = optimizer.param_groups[0]
        ...     print(f"{group['lr']:.2f} {group['momentum']:.2f}")
        ...     optimizer.step()
        ...     schedule.step()
        0.20 0.95
        0.60 0.90
        1.00 0.85
        0.50 0.90
        0.00 0.95
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | list[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: Literal["cos", "linear"] = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.85,
        max_momentum: float | list[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        _check_optimizer(self, optimizer)
        if total_steps is None and (epochs is None or steps_per_epoch is None):
            raise ValueError(
                "OneCycleLR: expects total_steps, or epochs and steps_per_epoch, "
                f"got {total_steps}, {epochs} and {steps_per_epoch}"
            )
        counts = {"total_steps": total_steps, "epochs": epochs, "steps_per_epoch": steps_per_epoch}
        for name, value in counts.items():
            _check(self, name, value, value is None or whole(value, 1), "an integer >= 1")
        _check(self, "pct_start", pct_start, 0 <= pct_start <= 1, "a number in [0, 1]")
        strategies = ("cos", "linear")
        words = "'cos' or 'linear'"
        _check(self, "anneal_strategy", anneal_strategy, anneal_strategy in strategies, words)
        for name, factor in (("div_factor", div_factor), ("final_div_factor", final_div_factor)):
            _check(self, name, factor, 0 < factor < math.inf, "a finite number > 0")
        known = optimizer.defaults
        if cycle_momentum and "momentum" not in known and "betas" not in known:
            raise ValueError(
                "OneCycleLR: cycle_momentum expects an optimizer with momentum or betas, "
                f"got {type(optimizer).__name__}"
            )
        super().__init__(
            optimizer,
            max_lr,
            total_steps=total_steps,
            epochs=epochs,
            steps_per_epoch=steps_per_epoch,
            pct_start=float(pct_start),
            anneal_strategy=anneal_strategy,
            cycle_momentum=cycle_momentum,
            base_momentum=base_momentum,
            max_momentum=max_momentum,
            div_factor=div_factor,
            final_div_factor=final_div_factor,
            three_phase=three_phase,
            last_epoch=last_epoch,
        )

    def get_lr(self) -> list[Any]:
        """Return the rate of every group at the present time, and set the momenta."""
        t = self.last_epoch
        if t > self.total_steps:
            raise ValueError(
                f"OneCycleLR: expects at most {self.total_steps} steps, got another one"
            )
        phases = self._schedule_phases
        k = next((i for i, phase in enumerate(phases) if t <= phase["end_step"]), len(phases) - 1)
        phase, begin = phases[k], phases[k - 1]["end_step"] if k > 0 else 0.0
        way = (t - begin) / (phase["end_step"] - begin)
        if self.cycle_momentum:
            for group in self.optimizer.param_groups:
                start, end = group[phase["start_momentum"]], group[phase["end_momentum"]]
                momentum = self._between(start, end, way)
                if self.use_beta1:
                    group["betas"] = (momentum, *group["betas"][1:])
                else:
                    group["momentum"] = momentum
        groups = self.optimizer.param_groups
        return [self._between(g[phase["start_lr"]], g[phase["end_lr"]], way) for g in groups]

    def _between(self, start: float, end: float, way: float) -> float:
        """The value at a fraction of the way from one corner to the next."""
        if self._anneal_func_type == "cos":
            return end + (start - end) / 2 * (1 + math.cos(math.pi * way))
        return start + (end - start) * way


class ReduceLROnPlateau(torchs.ReduceLROnPlateau):
    r"""Multiply the rate by a factor when a measure has not improved for a while.

    A value :math:`y` is an improvement on the best one :math:`y^*` if :math:`y < y^*(1 - \theta)`
    (``"min"``, ``"rel"``), :math:`y < y^* - \theta` (``"min"``, ``"abs"``), :math:`y > y^*(1 +
    \theta)` (``"max"``, ``"rel"``) or :math:`y > y^* + \theta` (``"max"``, ``"abs"``). When more
    than ``patience`` values running were none,

    .. math:: \eta \leftarrow \max(\gamma\,\eta,\; \eta_{\min}),

    the count begins again, and ``cooldown`` further values are not counted.

    Args:
        optimizer: the optimiser.
        mode: ``"min"`` where small values are good, or ``"max"``.
        factor: :math:`\gamma`, at least 0 and below 1.
        patience: how many values running may fail to improve, at least 0.
        threshold: :math:`\theta \ge 0`, how much is an improvement.
        threshold_mode: ``"rel"``, a fraction of the best value, or ``"abs"``.
        cooldown: how many values are not counted after a reduction, at least 0.
        min_lr: :math:`\eta_{\min}`, or a list with one for each group.
        eps: a change of the rate by no more than this is left out.

    Raises:
        ValueError: for a setting outside its range.

    Departures: ``step`` takes no ``epoch``, which PyTorch has deprecated.

    Example:
        >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
        >>> schedule = ReduceLROnPlateau(optimizer, factor=0.5, patience=1)
        >>> for loss in (3.0, 2.0, 2.0, 2.0, 1.0):
        ...     schedule.step(loss)
        ...     print(optimizer.param_groups[0]["lr"])
        1.0
        1.0
        1.0
        0.5
        0.5
    """

    def __init__(
        self,
        optimizer: Optimizer,
        mode: Literal["min", "max"] = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: Literal["rel", "abs"] = "rel",
        cooldown: int = 0,
        min_lr: list[float] | float = 0,
        eps: float = 1e-8,
    ) -> None:
        _check_optimizer(self, optimizer)
        _check(self, "mode", mode, mode in ("min", "max"), "'min' or 'max'")
        _check(self, "factor", factor, 0 <= factor < 1, "a number in [0, 1)")
        _check(self, "patience", patience, whole(patience, 0), "an integer >= 0")
        _check(self, "threshold", threshold, 0 <= threshold < math.inf, "a finite number >= 0")
        right = threshold_mode in ("rel", "abs")
        _check(self, "threshold_mode", threshold_mode, right, "'rel' or 'abs'")
        _check(self, "cooldown", cooldown, whole(cooldown, 0), "an integer >= 0")
        several = isinstance(min_lr, list | tuple)
        groups = len(optimizer.param_groups)
        right = not several or len(min_lr) == groups  # type: ignore[arg-type]
        _check(self, "min_lr", min_lr, right, f"a number or {groups}, one for each group")
        super().__init__(
            optimizer,
            mode,
            factor=factor,
            patience=patience,
            threshold=threshold,
            threshold_mode=threshold_mode,
            cooldown=cooldown,
            min_lr=min_lr,
            eps=eps,
        )

    def step(self, metrics: SupportsFloat) -> None:  # type: ignore[override]
        """Look at a new value of the measure, and reduce the rates if it is time to.

        Args:
            metrics: the value, such as the validation loss after an epoch.
        """
        value = float(metrics)
        self.last_epoch += 1
        if self._is_better(value, self.best):
            self.best, self.num_bad_epochs = value, 0
        else:
            self.num_bad_epochs += 1
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._reduce_lr(self.last_epoch)
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0
        self._last_lr = [group["lr"] for group in self.optimizer.param_groups]

    def _is_better(self, a: float, best: float) -> bool:
        sign = -1 if self.mode == "min" else 1
        if self.threshold_mode == "rel":
            bar = best * (1 + sign * self.threshold)
        else:
            bar = best + sign * self.threshold
        return bool(a < bar if self.mode == "min" else a > bar)


# --- what is refused -----------------------------------------------------------------------------


def whole(value: Any, least: int) -> bool:
    """Whether a value is an integer of at least so much."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _check(schedule: Any, name: str, value: Any, right: bool, words: str) -> None:
    if not right:
        raise ValueError(f"{type(schedule).__name__}: {name} expects {words}, got {value!r}")


def _check_gamma(schedule: Any, gamma: float) -> None:
    _check(schedule, "gamma", gamma, 0 <= gamma < math.inf, "a finite number >= 0")


def _check_optimizer(schedule: Any, optimizer: Any) -> None:
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise TypeError(
            f"{type(schedule).__name__}: optimizer expects an optimiser, "
            f"got {type(optimizer).__name__}"
        )

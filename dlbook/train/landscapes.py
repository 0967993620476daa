r"""The loss as a landscape over the parameters: slices through it, and the line between solutions.

The parameters of a network are a point in a space of thousands of dimensions. A picture shows the
loss on a line or a plane through it, and what it shows hangs on the directions chosen.

**Filter normalisation** (Li, Xu, Taylor, Studer and Goldstein, 2018). A unit's incoming weights can
be multiplied by 10 and its outgoing ones divided by 10 without any effect with ReLU (and without
outgoing ones before a batch norm), so that a step of length 1 means nothing by itself: beside large
weights it is small. So a random direction is scaled, for each unit or filter by itself, to the
length of that unit's weights. Then 1 means *as far as the weights are from zero* everywhere, and a
factor common to all units of a layer leaves the slice as it was. Factors of each unit's own do not:
the rows of the next layer mix them. Compare slices only of networks whose units are scaled alike.

**Batch norm.** Its running statistics are estimates for one point of the space. Elsewhere they are
wrong, and part of what a slice shows is that error. ``buffers`` says what is wanted:

- ``"fixed"``: they stay as they are at the centre, as Li and others have it;
- ``"recomputed"``: at every point they are estimated anew, as averages over the batches of the
  data, in a pass before the measurement;
- ``"interpolated"`` (between two solutions only): they move along with the parameters, so that
  both ends are the solutions as they were saved.

Dropout is off everywhere. Afterwards the model is as it was.

Chapter: :doc:`/training/optimization`.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn

from dlbook.train.batches import Batches, Examples
from dlbook.train.devices import device as choose_device
from dlbook.train.evaluation import Loss, Metric, Metrics, evaluation_mode, measure, named_metrics
from dlbook.train.states import unchanged

__all__ = ["Line", "Plane", "along", "between", "distance", "over", "random_direction"]

Direction = Mapping[str, Tensor]


@dataclass(frozen=True)
class Line:
    r"""Losses along a line.

    Args:
        positions: how far along the direction each point is; between two solutions, 0 is the one
            and 1 the other.
        losses: the loss at each point; perhaps infinite or not a number, far out.
        metrics: each metric at each point, by name.
    """

    positions: list[float]
    losses: list[float]
    metrics: dict[str, list[float]] = field(default_factory=dict)

    @property
    def barrier(self) -> float:
        r"""How far the loss rises between 0 and 1 above the straight line from end to end.

        .. math:: \max_{0 \le \alpha \le 1}
            \bigl[ J(\theta_\alpha) - (1 - \alpha)\, J(\theta_0) - \alpha\, J(\theta_1) \bigr]

        At least 0. It says that *this* line has a barrier, not that there is no way round.

        Raises:
            ValueError: if 0 and 1 are not among the positions.
        """
        at = dict(zip(self.positions, self.losses, strict=True))
        if 0.0 not in at or 1.0 not in at:
            raise ValueError("Line.barrier: expects 0 and 1 among the positions")
        return max(j - (1 - a) * at[0.0] - a * at[1.0] for a, j in at.items() if 0 <= a <= 1)


@dataclass(frozen=True)
class Plane:
    """Losses over a plane, as :func:`dlbook.plot.contours` draws them::

        n = len(plane.positions)
        plot.contours(lambda x, y: plane.losses, plane.span, plane.span, points=n)

    Args:
        positions: how far along each of the two directions.
        losses: ``(n, n)`` of float64; the row says how far along the second direction, the column
            how far along the first.
        metrics: each metric in the same form, by name.
    """

    positions: list[float]
    losses: Tensor
    metrics: dict[str, Tensor] = field(default_factory=dict)

    @property
    def span(self) -> tuple[float, float]:
        """The first and the last position."""
        return self.positions[0], self.positions[-1]


def random_direction(model: nn.Module, generator: torch.Generator) -> dict[str, Tensor]:
    r"""Return a random direction in the space of the parameters, filter-normalised.

    Row :math:`i` of a weight (a unit's incoming weights, a filter of a convolution) gets

    .. math:: d_i \leftarrow \frac{d_i}{\lVert d_i \rVert}\, \lVert w_i \rVert,
        \qquad d_i \sim \mathcal N(0, 1),

    and parameters of one dimension (biases, the scales and shifts of normalisation layers) get 0,
    as in the authors' code.

    Args:
        model: any module; its present parameters set the scale.
        generator: where the randomness comes from; draws on the CPU.

    Example:
        >>> model = nn.Linear(3, 2)
        >>> direction = random_direction(model, torch.Generator().manual_seed(0))
        >>> torch.allclose(direction["weight"].norm(dim=1), model.weight.norm(dim=1))
        True
        >>> direction["bias"]
        tensor([0., 0.])
    """
    found = {}
    for name, parameter in model.named_parameters():
        drawn = torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
        drawn = drawn.to(parameter.device)
        if parameter.dim() < 2:
            found[name] = torch.zeros_like(drawn)
            continue
        axes = tuple(range(1, parameter.dim()))
        length = parameter.detach().square().sum(axes, keepdim=True).sqrt()
        found[name] = drawn / drawn.square().sum(axes, keepdim=True).sqrt() * length
    return found


def distance(model: nn.Module, other: nn.Module) -> float:
    """Return the Euclidean distance of two models' parameters.

    Args:
        model: any module.
        other: one of the same architecture.

    Raises:
        ValueError: if their parameters differ in name or shape.

    Example:
        >>> a, b = nn.Linear(1, 1), nn.Linear(1, 1)
        >>> _ = [nn.init.constant_(p, 3.0) for p in a.parameters()]
        >>> _ = [nn.init.constant_(p, 0.0) for p in b.parameters()]
        >>> round(distance(a, b), 4)
        4.2426
    """
    there = _values(other)
    _require_same("distance", model, there)
    pairs = ((p.detach().double(), there[n].double()) for n, p in model.named_parameters())
    return math.sqrt(sum(float((a.cpu() - b.cpu()).square().sum()) for a, b in pairs))


def along(
    model: nn.Module,
    loss: Loss,
    data: Examples,
    direction: Direction,
    *,
    span: tuple[float, float] = (-1.0, 1.0),
    points: int = 25,
    buffers: Literal["fixed", "recomputed"] = "fixed",
    metrics: Metrics = (),
    batch_size: int = 256,
    device: torch.device | str | None = None,
) -> Line:
    r"""Measure the loss at :math:`\theta + \alpha d` for values of :math:`\alpha` at equal steps.

    Args:
        model: at its point :math:`\theta`; it moves to the device.
        loss: ``loss(output, target)``, a mean over the batch.
        data: see :func:`dlbook.train.fit`.
        direction: :math:`d`, a tensor for each parameter by name; those left out stay.
        span: the first and the last :math:`\alpha`.
        points: how many, at least 2; an odd number has the middle among them.
        buffers: what batch norm measures with, see above.
        metrics: ``"accuracy"`` or functions like ``loss``.
        batch_size: examples at a time.
        device: see :func:`dlbook.device`.

    Raises:
        ValueError: for arguments out of range, and a direction that isn't the model's.

    Example:
        >>> model = nn.Linear(1, 1, bias=False)
        >>> data = torch.ones(4, 1), torch.ones(4, 1) * model.weight.item()
        >>> line = along(model, nn.MSELoss(), data, {"weight": torch.ones(1, 1)}, points=3)
        >>> [round(value, 4) for value in line.losses]
        [1.0, 0.0, 1.0]
    """
    positions = _positions("along", span, points)
    _require_choice("along", buffers, ("fixed", "recomputed"))
    with _survey("along", model, loss, data, metrics, batch_size, device) as survey:
        survey.require(direction)
        return survey.line(positions, lambda a: survey.move([(a, direction)]), buffers)


def over(
    model: nn.Module,
    loss: Loss,
    data: Examples,
    directions: Sequence[Direction],
    *,
    span: tuple[float, float] = (-1.0, 1.0),
    points: int = 15,
    buffers: Literal["fixed", "recomputed"] = "fixed",
    metrics: Metrics = (),
    batch_size: int = 256,
    device: torch.device | str | None = None,
) -> Plane:
    r"""Measure the loss at :math:`\theta + \alpha d_1 + \beta d_2` on a square grid.

    Args:
        model: see :func:`along`.
        loss: see :func:`along`.
        data: see :func:`along`.
        directions: :math:`d_1` and :math:`d_2`.
        span: the first and the last value of both :math:`\alpha` and :math:`\beta`.
        points: how many of each, at least 2.
        buffers: see :func:`along`.
        metrics: see :func:`along`.
        batch_size: see :func:`along`.
        device: see :func:`along`.

    Raises:
        ValueError: for arguments out of range, and directions that aren't the model's.

    Example:
        >>> model = nn.Linear(2, 1, bias=False)
        >>> data = torch.eye(2), model.weight.detach().mT.clone()
        >>> axes = [{"weight": torch.tensor([[1.0, 0.0]])}, {"weight": torch.tensor([[0.0, 2.0]])}]
        >>> over(model, nn.MSELoss(), data, axes, points=3).losses.round(decimals=4)
        tensor([[2.5000, 2.0000, 2.5000],
                [0.5000, 0.0000, 0.5000],
                [2.5000, 2.0000, 2.5000]], dtype=torch.float64)
    """
    if len(directions) != 2:
        raise ValueError(f"over: directions expects two of them, got {len(directions)}")
    positions = _positions("over", span, points)
    _require_choice("over", buffers, ("fixed", "recomputed"))
    first, second = directions
    with _survey("over", model, loss, data, metrics, batch_size, device) as survey:
        survey.require(first)
        survey.require(second)
        rows = [
            survey.line(positions, lambda a, b=b: survey.move([(a, first), (b, second)]), buffers)
            for b in positions
        ]
        losses = torch.tensor([row.losses for row in rows], dtype=torch.float64)
        grids = {
            name: torch.tensor([row.metrics[name] for row in rows], dtype=torch.float64)
            for name in rows[0].metrics
        }
        return Plane(positions, losses, grids)


def between(
    model: nn.Module,
    other: nn.Module,
    loss: Loss,
    data: Examples,
    *,
    span: tuple[float, float] = (0.0, 1.0),
    points: int = 21,
    buffers: Literal["interpolated", "recomputed"] = "interpolated",
    metrics: Metrics = (),
    batch_size: int = 256,
    device: torch.device | str | None = None,
) -> Line:
    r"""Measure the loss on the straight line between two solutions,
    :math:`\theta_\alpha = (1 - \alpha)\,\theta_0 + \alpha\,\theta_1`.

    Args:
        model: :math:`\theta_0`; it moves to the device.
        other: :math:`\theta_1`, of the same architecture.
        loss: see :func:`along`.
        data: see :func:`along`.
        span: the first and the last :math:`\alpha`; beyond 0 and 1 the line goes on.
        points: how many, at least 2.
        buffers: what batch norm measures with, see above.
        metrics: see :func:`along`.
        batch_size: see :func:`along`.
        device: see :func:`along`.

    Raises:
        ValueError: for arguments out of range, and models that don't match.

    Example:
        >>> a, b = (nn.Linear(1, 1, bias=False) for _ in range(2))
        >>> _ = nn.init.constant_(a.weight, -1.0), nn.init.constant_(b.weight, 1.0)
        >>> data = torch.ones(4, 1), torch.ones(4, 1)
        >>> line = between(a, b, lambda output, y: (output**2 - y).square().mean(), data, points=3)
        >>> line.losses, line.barrier
        ([0.0, 1.0, 0.0], 1.0)
    """
    positions = _positions("between", span, points)
    _require_choice("between", buffers, ("interpolated", "recomputed"))
    there = _values(other)
    _require_same("between", model, there)
    with _survey("between", model, loss, data, metrics, batch_size, device) as survey:
        far = {name: value.to(survey.device) for name, value in there.items()}

        def move(a: float) -> None:
            for name, start in survey.start.items():
                if start.is_floating_point():
                    survey.place[name].copy_((1 - a) * start + a * far[name])

        return survey.line(positions, move, buffers)


class _Survey:
    """A model that is moved about and measured."""

    def __init__(
        self,
        name: str,
        model: nn.Module,
        loss: Loss,
        batches: Batches,
        metrics: dict[str, Metric],
        device: torch.device,
    ) -> None:
        self.name = name
        self.model = model
        self.loss = loss
        self.batches = batches
        self.metrics = metrics
        self.device = device
        self.place = dict(model.named_parameters()) | dict(model.named_buffers())
        self.start = {name: t.detach().clone() for name, t in self.place.items()}
        self.averages: list[Any] = [
            module for module in model.modules() if hasattr(module, "reset_running_stats")
        ]

    def require(self, direction: Direction) -> None:
        parameters = dict(self.model.named_parameters())
        for name, d in direction.items():
            if name not in parameters or parameters[name].shape != d.shape:
                has = tuple(parameters[name].shape) if name in parameters else "none"
                raise ValueError(
                    f"{self.name}: the direction has {name!r} of shape {tuple(d.shape)}, "
                    f"the model {has}"
                )

    def move(self, steps: Sequence[tuple[float, Direction]]) -> None:
        names = {name for _, direction in steps for name in direction}
        for name in names:
            value = self.start[name]
            for a, direction in steps:
                if name in direction:
                    value = value + a * direction[name].to(value)
            self.place[name].copy_(value)

    def line(self, positions: list[float], move: Any, buffers: str) -> Line:
        losses: list[float] = []
        series: dict[str, list[float]] = {name: [] for name in self.metrics}
        for a in positions:
            move(a)
            if buffers == "recomputed":
                self._recompute()
            values = measure(self.model, self.loss, self.batches, self.metrics)
            losses.append(values.pop("loss"))
            for name, value in values.items():
                series[name].append(value)
        return Line(positions, losses, series)

    def _recompute(self) -> None:
        """Let the batch norms average over the data at this point, everything else off."""
        momenta = [module.momentum for module in self.averages]
        with evaluation_mode(self.model):
            for module in self.averages:
                module.reset_running_stats()
                module.momentum = None  # the plain average over the batches
                module.train()
            for x, _ in self.batches:
                self.model(x)
        for module, momentum in zip(self.averages, momenta, strict=True):
            module.momentum = momentum


@contextmanager
def _survey(
    name: str,
    model: nn.Module,
    loss: Loss,
    data: Examples,
    metrics: Metrics,
    batch_size: int,
    device: torch.device | str | None,
) -> Iterator[_Survey]:
    where = choose_device(device)
    table = named_metrics(metrics)
    batches = Batches(data, batch_size=batch_size, device=where)
    model.to(where)
    if isinstance(loss, nn.Module):
        loss.to(where)
    with unchanged(model, generators=batches.generators), torch.no_grad():
        yield _Survey(name, model, loss, batches, table, where)


def _values(model: nn.Module) -> dict[str, Tensor]:
    pairs = [*model.named_parameters(), *model.named_buffers()]
    return {name: tensor.detach() for name, tensor in pairs}


def _require_same(name: str, model: nn.Module, there: Mapping[str, Tensor]) -> None:
    here = _values(model)
    for key in [*here, *there]:
        shapes = [tuple(t[key].shape) if key in t else "none" for t in (here, there)]
        if shapes[0] != shapes[1]:
            raise ValueError(
                f"{name}: expects models of one architecture, got {key!r} of shape "
                f"{shapes[0]} in the first and {shapes[1]} in the second"
            )


def _positions(name: str, span: tuple[float, float], points: int) -> list[float]:
    if isinstance(points, bool) or not isinstance(points, int) or points < 2:
        raise ValueError(f"{name}: points expects an integer >= 2, got {points!r}")
    low, high = span
    if not -math.inf < low < high < math.inf:
        raise ValueError(f"{name}: span expects two numbers low < high, got {span!r}")
    # Both ends and the middle exactly: 0 and 1 have to be met.
    return [(low * (points - 1 - i) + high * i) / (points - 1) for i in range(points)]


def _require_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{name}: buffers expects one of {', '.join(choices)}, got {value!r}")

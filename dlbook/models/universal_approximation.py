r"""Networks set by hand, with the error that they promise.

None of them is trained. Each is built from the values of the function that it is to follow, and
each knows, before it is asked anything, how far it can be off: its ``promise``. All are chains of
:class:`dlbook.nn.Linear` and an activation, so they can be read, saved and trained further like
any other network.

====================================  ==========================  ===============================
network                               layers                      promise
====================================  ==========================  ===============================
:func:`staircase_network`             one hidden, logistic        :math:`\tfrac12 L h`, nearly
:func:`interpolating_network`         one hidden, ReLU            :math:`\tfrac18 M h^2`
:func:`cosine_network`                one hidden, ReLU, D inputs  :math:`\sum_j |a_j| h_j^2 / 8`
:func:`box_network`                   two hidden, steps, D inputs :math:`\tfrac12 L h \sqrt D`
:func:`sawtooth_network`              n hidden of 2 units, ReLU   0
:func:`square_network`                n hidden of 3 units, ReLU   :math:`4^{-(n+1)}`
====================================  ==========================  ===============================

Chapter: :doc:`/foundations/universal-approximation`.
"""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dlbook.nn.activations import ReLU, Sigmoid
from dlbook.nn.layers import Linear
from dlbook.ops.activations import heaviside

__all__ = [
    "HandSet",
    "box_network",
    "cosine_network",
    "interpolating_network",
    "sawtooth_network",
    "square_network",
    "staircase_network",
]

Function = Callable[[Tensor], Tensor]


class HandSet(nn.Sequential):
    """A chain of layers whose parameters were set, not learned.

    Args:
        layers: the modules, in order.
        promise: the largest error that the construction allows, in exact arithmetic, on the
            interval or box for which it was made.
    """

    def __init__(self, *layers: nn.Module, promise: float) -> None:
        super().__init__(*layers)
        self.promise = promise

    @property
    def units(self) -> int:
        """The number of hidden units."""
        return sum(self._widths[:-1])

    @property
    def outputs(self) -> int:
        """The number of outputs: those of the last linear layer."""
        return self._widths[-1]

    @property
    def _widths(self) -> list[int]:
        return [layer.out_features for layer in self if isinstance(layer, Linear)]

    def extra_repr(self) -> str:
        return f"promise={self.promise:.3g}"


class _Step(nn.Module):
    """1 where the input is positive or zero, 0 elsewhere."""

    def forward(self, input: Tensor) -> Tensor:
        output: Tensor = heaviside(input, 1.0)
        return output


def staircase_network(
    f: Function,
    low: float,
    high: float,
    width: int,
    *,
    lipschitz: float,
    sharpness: float = 12.0,
    dtype: torch.dtype = torch.float64,
) -> HandSet:
    r"""Follow a function by a staircase of logistic steps, one for each hidden unit.

    The interval is cut into ``width + 1`` pieces of length :math:`h` with middles :math:`m_k`; at
    the border :math:`t_k` the network climbs from one middle's value to the next:

    .. math:: \hat f(x) = f(m_0) + \sum_{k=1}^{N} \bigl(f(m_k) - f(m_{k-1})\bigr)\,
        \sigma\!\left(\tfrac{s}{h}(x - t_k)\right)

    If :math:`|f(x) - f(x')| \le L\,|x - x'|`, then
    :math:`|\hat f - f| \le L h \left(\tfrac12 + 1/\sinh(s/2)\right)` on the whole interval.

    Args:
        f: the function, from a tensor of places to a tensor of values of the same shape.
        low: the left end of the interval.
        high: the right end.
        width: hidden units :math:`N \ge 1`.
        lipschitz: :math:`L \ge 0`, the largest slope of ``f``, which only you can know.
        sharpness: :math:`s > 0`; a step takes about :math:`4/s` of a piece to climb.
        dtype: floating-point type of the parameters.

    Returns:
        A network from shape (B, 1) to (B, 1).

    Raises:
        ValueError: for an empty interval, no units, or constants that are not positive.

    Example:
        >>> net = staircase_network(torch.sin, 0.0, 3.0, width=29, lipschitz=1.0)
        >>> round(net.promise, 4)
        0.0505

    Chapter: :doc:`/foundations/universal-approximation`.
    """
    _interval("staircase_network", low, high, width)
    _constant("staircase_network", "lipschitz", lipschitz)
    if not 0 < sharpness < math.inf:
        raise ValueError(f"staircase_network: sharpness expects a number > 0, got {sharpness}")
    pieces = width + 1
    h = (high - low) / pieces
    borders = low + h * torch.arange(1, pieces, dtype=dtype)
    heights = _values(f, low + h * (torch.arange(pieces, dtype=dtype) + 0.5), "staircase_network")
    steepness = torch.full((width, 1), sharpness / h, dtype=dtype)
    return HandSet(
        _linear(steepness, -steepness[:, 0] * borders),
        Sigmoid(),
        _linear(heights.diff()[None, :], heights[:1]),
        promise=lipschitz * h * (0.5 + 1 / math.sinh(sharpness / 2)),
    )


def interpolating_network(
    f: Function,
    low: float,
    high: float,
    width: int,
    *,
    curvature: float,
    dtype: torch.dtype = torch.float64,
) -> HandSet:
    r"""Join values of a function by straight lines, one ReLU for each piece.

    With knots :math:`x_k` at distance :math:`h` and the slopes :math:`s_k` between them,

    .. math:: \hat f(x) = f(x_0) + \sum_{k=0}^{N-1} (s_k - s_{k-1})\,
        \operatorname{relu}(x - x_k), \qquad s_{-1} = 0 .

    If :math:`|f''| \le M`, then :math:`|\hat f - f| \le M h^2 / 8`; and no error at the knots.

    Args:
        f: the function, from a tensor of places to a tensor of values of the same shape.
        low: the left end of the interval.
        high: the right end.
        width: hidden units :math:`N \ge 1`, and pieces.
        curvature: :math:`M \ge 0`, the largest second derivative of ``f`` in magnitude.
        dtype: floating-point type of the parameters.

    Returns:
        A network from shape (B, 1) to (B, 1). Left of the interval it is constant, right of it it
        goes on along the last piece.

    Raises:
        ValueError: for an empty interval, no units, or a negative constant.

    Example:
        >>> net = interpolating_network(torch.square, 0.0, 1.0, width=2, curvature=2.0)
        >>> net.promise, net(torch.tensor([[0.25]]).double()).item()
        (0.0625, 0.125)

    Chapter: :doc:`/foundations/universal-approximation`.
    """
    _interval("interpolating_network", low, high, width)
    _constant("interpolating_network", "curvature", curvature)
    h = (high - low) / width
    knots = low + h * torch.arange(width + 1, dtype=dtype)
    values = _values(f, knots, "interpolating_network")
    return HandSet(
        _linear(torch.ones(width, 1, dtype=dtype), -knots[:-1]),
        ReLU(),
        _linear(_bends(values, h)[None, :], values[:1]),
        promise=curvature * h**2 / 8,
    )


def cosine_network(
    frequencies: Float[Tensor, "J D"],
    amplitudes: Float[Tensor, " J"],
    phases: Float[Tensor, " J"],
    low: float,
    high: float,
    width: int,
) -> HandSet:
    r"""Add up waves in D dimensions with one hidden layer of ReLUs.

    Each wave :math:`a_j\cos(\omega_j\cdot\mathbf x + \varphi_j)` varies along one direction only.
    Along it the wave is a function of one number, :math:`u = \omega_j\cdot\mathbf x + \varphi_j`,
    and is joined by straight lines as in :func:`interpolating_network`. The hidden layer looks at
    the input through the rows :math:`\omega_j`, so the directions are its weights.

    The knots of a wave lie :math:`h_j` apart in :math:`u`, over the range that :math:`u` takes on
    the box. The second derivative of a cosine is at most 1, so the promise is
    :math:`\sum_j |a_j|\,h_j^2/8`.

    Args:
        frequencies: the :math:`\omega_j`, shape (J, D), in radians for each unit of the input.
        amplitudes: the :math:`a_j`, shape (J,).
        phases: the :math:`\varphi_j`, shape (J,), in radians.
        low: the least value of every input: the box is ``[low, high]`` to the power D.
        high: the greatest.
        width: ReLUs for each wave, at least 1; J times as many in all.

    Returns:
        A network from shape (B, D) to (B, 1).

    Raises:
        ValueError: for shapes that do not match, an empty box or no units.

    Example:
        >>> waves = torch.tensor([[3.0, 0.0], [1.0, 2.0]], dtype=torch.float64)
        >>> net = cosine_network(waves, torch.ones(2).double(), torch.zeros(2).double(), 0, 1, 20)
        >>> net.units, round(net.promise, 4)
        (40, 0.0056)

    Chapter: :doc:`/foundations/universal-approximation`.
    """
    _interval("cosine_network", low, high, width)
    J = len(frequencies)
    if J == 0 or amplitudes.shape != (J,) or phases.shape != (J,):
        raise ValueError(
            "cosine_network: expects J > 0 frequencies of shape (J, D), J amplitudes and J phases, "
            f"got shapes {tuple(frequencies.shape)}, {tuple(amplitudes.shape)} "
            f"and {tuple(phases.shape)}"
        )
    middle = frequencies.sum(1) * (low + high) / 2 + phases
    reach = frequencies.abs().sum(1) * (high - low) / 2  # of u, to either side of the middle
    h = 2 * reach / width
    steps = torch.arange(width + 1, dtype=frequencies.dtype)
    knots = (middle - reach)[:, None] + h[:, None] * steps  # (J, width + 1)
    values = amplitudes[:, None] * knots.cos()
    moving = reach > 0  # a wave of frequency 0 is a constant
    slopes = torch.where(moving[:, None], values.diff(dim=1) / h.clamp(min=1e-300)[:, None], 0.0)
    bends = torch.cat([slopes[:, :1], slopes.diff(dim=1)], dim=1)
    return HandSet(
        _linear(
            frequencies.repeat_interleave(width, dim=0),
            (phases[:, None] - knots[:, :-1]).flatten(),
        ),
        ReLU(),
        _linear(bends.flatten()[None, :], values[:, 0].sum()[None]),
        promise=(amplitudes.abs() * h**2).sum().item() / 8,
    )


def box_network(
    f: Function,
    dimensions: int,
    pieces: int,
    *,
    lipschitz: float,
    dtype: torch.dtype = torch.float64,
) -> HandSet:
    r"""Tile the unit cube with boxes, each with the function's value at its middle.

    The first hidden layer asks, along each axis and at each border, on which side the input lies;
    the second has a unit for each box, which fires when all its walls are passed (an AND of
    thresholds); the last layer holds the values. With side :math:`h = 1/n`, no point of a box is
    farther from its middle than :math:`\tfrac12 h\sqrt D`, hence the promise
    :math:`\tfrac12 L h\sqrt D`. There are :math:`n^D` boxes: that is what it costs.

    Args:
        f: the function, from shape (B, D) to shape (B,).
        dimensions: the number of inputs :math:`D \ge 1`.
        pieces: boxes along each axis, :math:`n \ge 2`.
        lipschitz: :math:`L \ge 0`, the steepest slope of ``f`` in any direction.
        dtype: floating-point type of the parameters.

    Returns:
        A network from shape (B, D) to (B, 1), for inputs from 0 to 1.

    Raises:
        ValueError: for fewer than 2 pieces or less than one dimension, or more than a million
            boxes.

    Example:
        >>> net = box_network(lambda x: x.prod(1), dimensions=2, pieces=10, lipschitz=2**0.5)
        >>> net.units, round(net.promise, 3)
        (118, 0.1)

    Chapter: :doc:`/foundations/universal-approximation`.
    """
    if dimensions < 1 or pieces < 2:
        raise ValueError(
            f"box_network: expects at least 1 dimension and 2 pieces, got {dimensions} and {pieces}"
        )
    if pieces**dimensions > 1_000_000:
        raise ValueError(
            f"box_network: expects at most a million boxes, got {pieces}**{dimensions}"
        )
    _constant("box_network", "lipschitz", lipschitz)
    h = 1 / pieces
    borders = h * torch.arange(1, pieces, dtype=dtype)
    walls = pieces - 1
    along = torch.eye(dimensions, dtype=dtype).repeat_interleave(walls, dim=0)
    # Place k along an axis: wall k − 1 is passed, wall k is not. Both walls of all axes are asked.
    place = torch.cartesian_prod(*[torch.arange(pieces)] * dimensions).view(-1, dimensions)
    passed = torch.eye(pieces, dtype=dtype)
    signs = passed[:, 1:] - passed[:, :-1]  # row k: +1 for wall k − 1, −1 for wall k
    weight = torch.cat([signs[place[:, d]] for d in range(dimensions)], dim=1)
    needed = (place > 0).sum(1)  # as many walls as have to be passed
    values = _values(f, (place.to(dtype) + 0.5) * h, "box_network")
    return HandSet(
        _linear(along, -borders.repeat(dimensions)),
        _Step(),
        _linear(weight, 0.5 - needed.to(dtype)),
        _Step(),
        _linear(values[None, :], torch.zeros(1, dtype=dtype)),
        promise=lipschitz * h * math.sqrt(dimensions) / 2,
    )


def sawtooth_network(depth: int, *, dtype: torch.dtype = torch.float64) -> HandSet:
    r"""Fold the unit interval ``depth`` times: two ReLUs a layer make :math:`2^{n-1}` teeth.

    .. math:: g(x) = 2\operatorname{relu}(x) - 4\operatorname{relu}(x - \tfrac12), \qquad
        g_n = g\circ g\circ\dots\circ g

    The tent :math:`g` climbs from 0 to 1 and back. Applied to its own output it runs through its
    whole range twice, so each layer doubles the teeth: :math:`g_n` has :math:`2^n` straight
    pieces. One hidden layer of N ReLUs has at most N + 1.

    Args:
        depth: hidden layers :math:`n \ge 1`.
        dtype: floating-point type of the parameters.

    Returns:
        A network from shape (B, 1) to (B, 1), for inputs from 0 to 1. Its promise is 0.

    Raises:
        ValueError: if ``depth`` is less than 1.

    Example:
        >>> sawtooth_network(3)(torch.arange(9).double()[:, None] / 8).flatten().int().tolist()
        [0, 1, 0, 1, 0, 1, 0, 1, 0]

    Chapter: :doc:`/foundations/universal-approximation`.
    """
    _deep("sawtooth_network", depth)
    fold = torch.tensor([[2.0, -4.0], [2.0, -4.0]], dtype=dtype)
    bend = torch.tensor([0.0, -0.5], dtype=dtype)
    layers: list[nn.Module] = [_linear(torch.ones(2, 1, dtype=dtype), bend), ReLU()]
    for _ in range(depth - 1):
        layers += [_linear(fold, bend), ReLU()]
    return HandSet(*layers, _linear(fold[:1], bend[:1]), promise=0.0)


def square_network(depth: int, *, dtype: torch.dtype = torch.float64) -> HandSet:
    r"""Square a number between 0 and 1 with three ReLUs a layer.

    .. math:: \hat f(x) = x - \sum_{k=1}^{n} \frac{g_k(x)}{4^k}

    with the sawtooth :math:`g_k` of :func:`sawtooth_network`. The sum is the function that joins
    the values of :math:`x^2` at :math:`2^n + 1` knots by straight lines, so its error is
    :math:`\tfrac18\cdot 2\cdot 4^{-n} = 4^{-(n+1)}`: each layer gains two binary digits.
    Two units of a layer fold, the third carries the sum along.

    Args:
        depth: hidden layers :math:`n \ge 1`.
        dtype: floating-point type of the parameters.

    Returns:
        A network from shape (B, 1) to (B, 1), for inputs from 0 to 1.

    Raises:
        ValueError: if ``depth`` is less than 1.

    Example:
        >>> net = square_network(5)
        >>> net.units, net.promise == 4**-6, round(net(torch.tensor([[0.3]]).double()).item(), 4)
        (15, True, 0.0902)

    Chapter: :doc:`/foundations/universal-approximation`.
    """
    _deep("square_network", depth)
    bend = torch.tensor([0.0, -0.5, 0.0], dtype=dtype)
    layers: list[nn.Module] = [_linear(torch.ones(3, 1, dtype=dtype), bend), ReLU()]
    for k in range(1, depth):
        fold = [[2.0, -4.0, 0.0], [2.0, -4.0, 0.0], [-2.0 / 4**k, 4.0 / 4**k, 1.0]]
        layers += [_linear(torch.tensor(fold, dtype=dtype), bend), ReLU()]
    last = torch.tensor([[-2.0 / 4**depth, 4.0 / 4**depth, 1.0]], dtype=dtype)
    return HandSet(*layers, _linear(last, bend[:1]), promise=4.0 ** -(depth + 1))


def _linear(weight: Tensor, bias: Tensor) -> Linear:
    """A linear layer with these parameters."""
    layer = Linear(weight.shape[1], weight.shape[0], dtype=weight.dtype)
    layer.load_state_dict({"weight": weight, "bias": bias})
    return layer


def _bends(values: Tensor, h: float) -> Tensor:
    """How much the slope changes at each knot but the last."""
    slopes = values.diff() / h
    return torch.cat([slopes[:1], slopes.diff()])


def _values(f: Function, places: Tensor, name: str) -> Tensor:
    with torch.no_grad():
        values = f(places)
    if values.shape != places.shape[:1]:
        raise ValueError(
            f"{name}: f expects to give shape {tuple(places.shape[:1])} for places of shape "
            f"{tuple(places.shape)}, got {tuple(values.shape)}"
        )
    if not values.isfinite().all():
        raise ValueError(f"{name}: f expects to be finite on the interval, got {values}")
    return values


def _interval(name: str, low: float, high: float, width: int) -> None:
    if not -math.inf < low < high < math.inf:
        raise ValueError(f"{name}: expects finite ends low < high, got {low} and {high}")
    if width < 1:
        raise ValueError(f"{name}: width expects at least 1 unit, got {width}")


def _constant(name: str, what: str, value: float) -> None:
    if not 0 <= value < math.inf:
        raise ValueError(f"{name}: {what} expects a finite number >= 0, got {value}")


def _deep(name: str, depth: int) -> None:
    if depth < 1:
        raise ValueError(f"{name}: depth expects at least 1 layer, got {depth}")

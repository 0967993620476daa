r"""Dropout and its kin: what a network is made to do without, at random, while it trains.

Each draws a mask and multiplies by it, and so they are one primitive, to which the mask is an
input; once drawn it is a constant, and the rule is :math:`\bar x = m\,\bar y`. A number is kept
with probability :math:`1 - p`. What is kept is divided by it (*inverted* dropout): then
:math:`\operatorname{E}[m] = 1`, the output has the input's expectation, and in evaluation
(``training=False``) nothing is left to do but to hand the input on.

Given the same seed, the masks are PyTorch's. ``generator`` is an addition: a source of randomness
other than the global one. ``inplace=True`` is refused, for the rules read what it would overwrite.
"""

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from dlbook.autodiff.primitives import primitive
from dlbook.autodiff.tape import Array, implements, lift
from dlbook.ops.activations import SELU_ALPHA, SELU_SCALE, _in_place


@primitive
def _masked(input: Array, mask: Tensor, shift: Tensor | None) -> Array:
    y = input * mask
    return y if shift is None else y + shift


@_masked.vjp
def masked_vjp(g: Array, _y: Any, _x: Any, mask: Tensor, _shift: Any) -> Any:
    return g * mask, None, None


def _check(name: str, p: float, inplace: bool = False) -> None:
    if inplace:
        _in_place(name)
    if not 0 <= p <= 1:
        raise ValueError(f"{name}: expected a probability p from 0 to 1, got {p}")


def _kept(
    input: Array, p: float, generator: Generator | None, shape: tuple[int, ...] | None = None
) -> Tensor:
    """Ones with probability 1 - p, otherwise zeros: one for each number, or of a given shape."""
    x: Tensor = lift(input)
    empty = torch.empty_like(x) if shape is None else x.new_empty(shape)
    return empty.bernoulli_(1 - p, generator=generator)


def _dropped(input: Array, p: float, kept: Tensor) -> Array:
    return _masked(input, kept.div_(1 - p) if p < 1 else kept, None)


@implements("dropout")
def dropout(
    input: Array,
    p: float = 0.5,
    training: bool = True,
    inplace: bool = False,
    *,
    generator: Generator | None = None,
) -> Array:
    r"""Set numbers to 0, each with probability p, and enlarge the others to make up for it.

    .. math:: y = m\,x, \qquad m = \begin{cases}
            0 & \text{with probability } p \\ 1 / (1 - p) & \text{otherwise}
        \end{cases}
       :label: op-dropout

    Then :math:`\operatorname{E}[y] = x` and :math:`\operatorname{Var}[y] = x^2\,p / (1 - p)`.

    Args:
        input: :math:`x`, any shape.
        p: the probability of being dropped, from 0 to 1.
        training: whether anything is dropped; otherwise the input is returned.
        inplace: must be False.
        generator: source of randomness; torch's global one if None.

    Raises:
        ValueError: if ``p`` is not from 0 to 1, or ``inplace`` is set.

    Example:
        >>> dropout(torch.ones(6), 0.5, generator=torch.Generator().manual_seed(0)).unique()
        tensor([0., 2.])

    Chapter: :doc:`/training/regularization`.
    """
    _check("dropout", p, inplace)
    if not training or p == 0:
        return input
    return _dropped(input, p, _kept(input, p, generator))


def _channelwise(
    name: str,
    axes: str,
    input: Array,
    p: float,
    training: bool,
    inplace: bool,
    generator: Generator | None,
) -> Array:
    """Drop whole channels of batches whose axes are spelled out."""
    _check(name, p, inplace)
    if len(input.shape) != len(axes):
        expected = ", ".join(axes)
        raise ValueError(f"{name}: expected input of shape ({expected}), got {tuple(input.shape)}")
    if not training or p == 0:
        return input
    return _dropped(input, p, _kept(input, p, generator, _channels(input)))


def _channels(input: Array) -> tuple[int, ...]:
    return (*input.shape[:2], *[1] * (len(input.shape) - 2))


@implements("dropout1d")
def dropout1d(
    input: Float[Array, "*B C T"],
    p: float = 0.5,
    training: bool = True,
    inplace: bool = False,
    *,
    generator: Generator | None = None,
) -> Float[Array, "*B C T"]:
    r"""Drop whole channels of series: one draw for each channel of each sample.

    .. math:: y_{bct} = m_{bc}\,x_{bct}
       :label: op-dropout1d

    Neighbours are alike, so that a single number that is dropped can be guessed from those beside
    it; a channel cannot. The draws :math:`m` are those of :eq:`op-dropout`.

    Args:
        input: :math:`x`, batch first and channels second, or one sample without the batch axis.
        p: the probability of being dropped, from 0 to 1.
        training: whether anything is dropped; otherwise the input is returned.
        inplace: must be False.
        generator: source of randomness; torch's global one if None.

    Raises:
        ValueError: if ``p`` is not from 0 to 1, the axes do not fit, or ``inplace`` is set.

    Example:
        >>> y = dropout1d(torch.ones(1, 8, 3), generator=torch.Generator().manual_seed(0))
        >>> bool((y.amin(2) == y.amax(2)).all())
        True

    Chapter: :doc:`/training/regularization`.
    """
    if len(input.shape) == 2:
        one = input.reshape((1, *input.shape))
        y = _channelwise("dropout1d", "BCT", one, p, training, inplace, generator)
        return y.reshape(input.shape)
    return _channelwise("dropout1d", "BCT", input, p, training, inplace, generator)


@implements("dropout2d")
def dropout2d(
    input: Float[Array, "B C H W"],
    p: float = 0.5,
    training: bool = True,
    inplace: bool = False,
    *,
    generator: Generator | None = None,
) -> Float[Array, "B C H W"]:
    r"""Drop whole channels of images: one draw for each channel of each image.

    .. math:: y_{bchw} = m_{bc}\,x_{bchw}
       :label: op-dropout2d

    Departs from PyTorch, which takes other numbers of axes with a warning.

    Args:
        input: :math:`x`.
        p: the probability of being dropped, from 0 to 1.
        training: whether anything is dropped; otherwise the input is returned.
        inplace: must be False.
        generator: source of randomness; torch's global one if None.

    Raises:
        ValueError: if ``p`` is not from 0 to 1, the axes are not four, or ``inplace`` is set.

    Example:
        >>> y = dropout2d(torch.ones(1, 8, 3, 3), generator=torch.Generator().manual_seed(0))
        >>> bool((y.amin((2, 3)) == y.amax((2, 3))).all())
        True

    Chapter: :doc:`/training/regularization`.
    """
    return _channelwise("dropout2d", "BCHW", input, p, training, inplace, generator)


def _alpha_dropped(input: Array, p: float, kept: Tensor) -> Array:
    low = -SELU_ALPHA * SELU_SCALE
    a = 1 / math.sqrt((1 - p) * (1 + p * low * low))
    return _masked(input, kept * a, (1 - kept) * (a * low) - a * p * low)


@implements("alpha_dropout")
def alpha_dropout(
    input: Array,
    p: float = 0.5,
    training: bool = False,
    inplace: bool = False,
    *,
    generator: Generator | None = None,
) -> Array:
    r"""Dropout for SELU networks: keeps mean 0 and variance 1 where it finds them.

    .. math:: y = a\,\bigl(m\,x + (1 - m)\,\alpha'\bigr) - a\,p\,\alpha', \qquad
        a = \frac{1}{\sqrt{(1 - p)(1 + p\,\alpha'^2)}}
       :label: op-alpha-dropout

    Here :math:`m` is 0 with probability :math:`p` and otherwise 1, and :math:`\alpha' = -\lambda
    \alpha \approx -1.758` is what SELU gives far to the left: a dropped number is set to that
    and not to 0. If :math:`x` has mean 0 and variance 1, the bracket has mean
    :math:`p\,\alpha'` and variance :math:`(1 - p)(1 + p\,\alpha'^2)`, which shift and scale undo.

    Args:
        input: :math:`x`, any shape.
        p: the probability of being dropped, from 0 to 1; at 1 the output is 0.
        training: whether anything is dropped; otherwise the input is returned.
        inplace: must be False.
        generator: source of randomness; torch's global one if None.

    Raises:
        ValueError: if ``p`` is not from 0 to 1, or ``inplace`` is set.

    Example:
        >>> x = torch.randn(10_000, generator=torch.Generator().manual_seed(0))
        >>> y = alpha_dropout(x, 0.3, training=True, generator=torch.Generator().manual_seed(1))
        >>> bool(y.mean().abs() < 0.05), bool((y.var() - 1).abs() < 0.05)
        (True, True)

    Chapter: :doc:`/training/regularization`.
    """
    _check("alpha_dropout", p, inplace)
    if not training or p == 0:
        return input
    kept = _kept(input, p, generator)
    return _alpha_dropped(input, p, kept) if p < 1 else _dropped(input, p, kept)


@implements("feature_alpha_dropout")
def feature_alpha_dropout(
    input: Float[Array, "B C *S"],
    p: float = 0.5,
    training: bool = False,
    inplace: bool = False,
    *,
    generator: Generator | None = None,
) -> Float[Array, "B C *S"]:
    r"""Alpha dropout of whole channels: one draw for each channel of each sample.

    .. math:: y_{bcs} = a\,\bigl(m_{bc}\,x_{bcs} + (1 - m_{bc})\,\alpha'\bigr) - a\,p\,\alpha'
       :label: op-feature-alpha-dropout

    The constants are those of :eq:`op-alpha-dropout`.

    Args:
        input: :math:`x`, batch first and channels second, any further axes.
        p: the probability of being dropped, from 0 to 1; at 1 the output is 0.
        training: whether anything is dropped; otherwise the input is returned.
        inplace: must be False.
        generator: source of randomness; torch's global one if None.

    Raises:
        ValueError: if ``p`` is not from 0 to 1, there are fewer than two axes, or ``inplace`` is
            set.

    Example:
        >>> feature_alpha_dropout(torch.ones(2, 3, 4), 0.5, training=True).shape
        torch.Size([2, 3, 4])

    Chapter: :doc:`/training/regularization`.
    """
    name = "feature_alpha_dropout"
    _check(name, p, inplace)
    if len(input.shape) < 2:
        raise ValueError(f"{name}: expected input of shape (B, C, …), got {tuple(input.shape)}")
    if not training or p == 0:
        return input
    kept = _kept(input, p, generator, _channels(input))
    return _alpha_dropped(input, p, kept) if p < 1 else _dropped(input, p, kept)


def stochastic_depth(
    input: Float[Array, "B *S"],
    p: float,
    mode: str,
    training: bool = True,
    *,
    generator: Generator | None = None,
) -> Float[Array, "B *S"]:
    r"""Drop the whole of a branch: for every sample by itself, or for all of a batch at once.

    .. math:: y_{bs} = m_b\,x_{bs} \;\text{ (row)}, \qquad y_{bs} = m\,x_{bs} \;\text{ (batch)}
       :label: op-stochastic-depth

    In a residual network, whose layers add a branch to what they were given, a dropped branch
    leaves the layer out (*drop path*). The draws :math:`m` are those of :eq:`op-dropout`. Name and
    arguments are those of ``torchvision.ops.stochastic_depth``.

    Args:
        input: the branch :math:`x`, batch first.
        p: the probability of being dropped, from 0 to 1.
        mode: ``"row"`` for a draw for each sample, ``"batch"`` for one draw.
        training: whether anything is dropped; otherwise the input is returned.
        generator: source of randomness; torch's global one if None.

    Raises:
        ValueError: if ``p`` is not from 0 to 1, ``mode`` is unknown, or the input has no axes.

    Example:
        >>> g = torch.Generator().manual_seed(0)
        >>> stochastic_depth(torch.ones(100, 2), 0.5, "row", generator=g).unique(dim=0)
        tensor([[0., 0.],
                [2., 2.]])

    Chapter: :doc:`/training/regularization`.
    """
    name = "stochastic_depth"
    _check(name, p)
    if mode not in ("row", "batch"):
        raise ValueError(f"{name}: expected mode 'row' or 'batch', got {mode!r}")
    if not len(input.shape):
        raise ValueError(f"{name}: expected input of shape (B, …), got ()")
    if not training or p == 0:
        return input
    draws = (input.shape[0] if mode == "row" else 1, *[1] * (len(input.shape) - 1))
    return _dropped(input, p, _kept(input, p, generator, draws))

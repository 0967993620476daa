r"""Activations: the functions :math:`y = g(x)` that stand between one linear layer and the next.

Each acts on every element by itself, so its rule is one product, :math:`\bar x = g'(x)\,\bar y`.
Where :math:`g'` can be read off the output :math:`y`, the rule does so: then the layer keeps one
array where it would keep two. At a kink the derivative is the one that PyTorch takes, and is
stated. The forms are chosen so that nothing overflows on the way to a finite result; the
logistic function and tanh count as elementary, like exp and log.

No function works in place: ``inplace=True``, which :mod:`torch.nn.functional` offers, would
overwrite what rules read, and is refused.

Chapter: :doc:`/foundations/activations`.
"""

import math
from typing import Any, NoReturn

import torch
from torch import Tensor

from dlbook.autodiff.primitives import primitive, readable
from dlbook.autodiff.tape import Array, Operand, implements, lift
from dlbook.ops.arithmetic import Number
from dlbook.ops.layers import LOG2_E, SHORT, _cast


def _in_place(name: str) -> NoReturn:
    raise ValueError(
        f"{name}: expected inplace=False, got True; the chain rule still reads the old values"
    )


# --- steps and lines ----------------------------------------------------------------------------


@primitive(broadcast=True)
def _heaviside(input: Array, values: Operand | float) -> Array:
    return torch.where(input == 0, values, (input > 0).to(input.dtype))


@_heaviside.vjp
def heaviside_vjp(g: Array, _y: Any, x: Array, _v: Any) -> Any:
    return lambda: torch.zeros_like(g), lambda: torch.where(x == 0, g, 0.0)


@implements("heaviside")
def heaviside(input: Array, values: Operand | float = 0.5) -> Array:
    r"""Unit step: off below 0, on above.

    .. math:: y = \begin{cases} 0 & x < 0 \\ v & x = 0 \\ 1 & x > 0 \end{cases}
       :label: op-heaviside

    Range :math:`\{0, v, 1\}`. Flat on both sides: the derivative is 0 everywhere (and said to be
    0 at the jump), so that no gradient descends through it.

    Args:
        input: :math:`x`, any shape.
        values: :math:`v`, the value at 0, a number or an array that broadcasts; one half when left
            out, which :func:`torch.heaviside` does not allow.

    Example:
        >>> heaviside(torch.tensor([-2.0, 0.0, 3.0]))
        tensor([0.0000, 0.5000, 1.0000])

    Chapter: :doc:`/foundations/activations`.
    """
    return _heaviside(input, values)


@implements("sign", "sgn")
@primitive
def sign(input: Array) -> Array:
    r"""Sign: -1 below 0, 1 above, 0 at 0.

    .. math:: y = \begin{cases} -1 & x < 0 \\ 0 & x = 0 \\ 1 & x > 0 \end{cases}
       :label: op-sign

    Range :math:`\{-1, 0, 1\}`. The derivative is 0 everywhere (and said to be 0 at the jump).

    Args:
        input: :math:`x`, any shape.

    Example:
        >>> sign(torch.tensor([-2.0, 0.0, 3.0]))
        tensor([-1.,  0.,  1.])

    Chapter: :doc:`/foundations/activations`.
    """
    return torch.sign(input)


@sign.vjp
def sign_vjp(g: Array, _y: Any, _x: Any) -> Any:
    return (torch.zeros_like(g),)


def identity(input: Array) -> Array:
    r"""Linear activation: hand the input on as it is.

    .. math:: y = x
       :label: op-identity

    Range :math:`(-\infty, \infty)`; the derivative is 1. What a regression head uses.

    Args:
        input: :math:`x`, any shape.

    Example:
        >>> identity(torch.tensor([-2.0, 3.0]))
        tensor([-2.,  3.])

    Chapter: :doc:`/foundations/activations`.
    """
    return input


def _inside(x: Array, low: Number, high: Number) -> Array:
    """1 strictly between two bounds, elsewhere 0.

    Signs do here what a mask would: a processor takes several times as long to choose by a mask.
    """
    x = lift(x)
    return torch.minimum((x - low).sign(), (high - x).sign()).clamp_min(0)


def _leak(x: Array, slope: Number) -> Array:
    """1 where x is above 0, elsewhere a slope; between 0 and 1, the larger of slope and sign."""
    sign = lift(x).sign()
    return (
        sign.clamp_min_(slope)
        if 0 <= slope <= 1
        else torch.where(sign > 0, torch.ones_like(sign), slope)
    )


@primitive
def _hardtanh(input: Array, *, low: Number, high: Number) -> Array:
    return input.clamp(low, high)


@_hardtanh.vjp
def hardtanh_vjp(g: Array, _y: Any, x: Array, *, low: Number, high: Number) -> Any:
    return (g * _inside(x, low, high),)


@implements("hardtanh")
def hardtanh(
    input: Array, min_val: Number = -1.0, max_val: Number = 1.0, inplace: bool = False
) -> Array:
    r"""Tanh out of three straight pieces: the line, cut off on both sides.

    .. math:: y = \min(\max(x, a), b)
       :label: op-hardtanh

    Range :math:`[a, b]`, reached on both sides. The derivative is 1 strictly between the bounds,
    0 at them and beyond.

    Args:
        input: :math:`x`, any shape.
        min_val: :math:`a`.
        max_val: :math:`b`, not below :math:`a`.
        inplace: must be False.

    Raises:
        ValueError: if ``min_val > max_val``, or ``inplace`` is set.

    Example:
        >>> hardtanh(torch.tensor([-2.0, 0.5, 3.0]))
        tensor([-1.0000,  0.5000,  1.0000])

    Chapter: :doc:`/foundations/activations`.
    """
    if inplace:
        _in_place("hardtanh")
    if min_val > max_val:
        raise ValueError(f"hardtanh: expected min_val <= max_val, got {min_val} and {max_val}")
    return _hardtanh(input, low=min_val, high=max_val)


def piecewise_linear(input: Array) -> Array:
    r"""Unit step with a ramp: 0, then a line of slope 1, then 1.

    .. math::
       :label: op-piecewise-linear

       y = \begin{cases}
           0 & x \le -\tfrac12 \\ x + \tfrac12 & -\tfrac12 < x < \tfrac12 \\ 1 & x \ge \tfrac12
       \end{cases}

    Range :math:`[0, 1]`, reached on both sides. The derivative is 1 on the ramp and 0 elsewhere,
    the kinks at :math:`\pm\frac12` included.

    Args:
        input: :math:`x`, any shape.

    Example:
        >>> piecewise_linear(torch.tensor([-2.0, 0.25, 3.0]))
        tensor([0.0000, 0.7500, 1.0000])

    Chapter: :doc:`/foundations/activations`.
    """
    return _hardtanh(input + 0.5, low=0.0, high=1.0)


@primitive
def _hardsigmoid(input: Array) -> Array:
    return (input + 3).clamp(0, 6) / 6


@_hardsigmoid.vjp
def hardsigmoid_vjp(g: Array, _y: Any, x: Array) -> Any:
    return (g / 6 * _inside(x, -3, 3),)


@implements("hardsigmoid")
def hardsigmoid(input: Array, inplace: bool = False) -> Array:
    r"""Logistic function out of three straight pieces.

    .. math:: y = \tfrac16 \min(\max(x + 3, 0), 6)
       :label: op-hardsigmoid

    Range :math:`[0, 1]`, reached at :math:`\pm 3`. The derivative is 1/6 strictly between, 0 at the
    kinks and beyond.

    Args:
        input: :math:`x`, any shape.
        inplace: must be False.

    Raises:
        ValueError: if ``inplace`` is set.

    Example:
        >>> hardsigmoid(torch.tensor([-4.0, 0.0, 4.0]))
        tensor([0.0000, 0.5000, 1.0000])

    Chapter: :doc:`/foundations/activations`.
    """
    if inplace:
        _in_place("hardsigmoid")
    return _hardsigmoid(input)


# --- sigmoids -----------------------------------------------------------------------------------


@implements("sigmoid")
@primitive
def sigmoid(input: Array) -> Array:
    r"""Logistic function: squash a number into a probability.

    .. math:: y = \sigma(x) = \frac{1}{1 + e^{-x}}
       :label: op-sigmoid

    Range :math:`(0, 1)`, with limits 0 and 1. The derivative is :math:`y(1 - y)`: at most 1/4, at
    :math:`x = 0`, and vanishing on both sides (saturation).

    Args:
        input: :math:`x`, any shape.

    Example:
        >>> sigmoid(torch.tensor([-100.0, 0.0, 1.0]))
        tensor([0.0000, 0.5000, 0.7311])

    Chapter: :doc:`/foundations/activations`.
    """
    return torch.sigmoid(input)


@sigmoid.vjp
def sigmoid_vjp(g: Array, y: Array, _x: Any) -> Any:
    return (g * (y - y * y),)


@primitive
def _logsigmoid(input: Array) -> Array:
    return input.clamp(max=0) - torch.log1p(torch.exp(-input.abs()))


@_logsigmoid.vjp
def logsigmoid_vjp(g: Array, _y: Any, x: Array) -> Any:
    return (g * torch.sigmoid(-x),)


@implements("log_sigmoid", "logsigmoid")
def logsigmoid(input: Array) -> Array:
    r"""Logarithm of the logistic function, exact where that function underflows.

    .. math:: y = \log\sigma(x) = \min(x, 0) - \log\bigl(1 + e^{-|x|}\bigr)
       :label: op-logsigmoid

    Range :math:`(-\infty, 0)`: asymptotically :math:`x` to the left, 0 to the right. The derivative
    is :math:`\sigma(-x)`, from 1 down to 0.

    Args:
        input: :math:`x`, any shape.

    Example:
        >>> logsigmoid(torch.tensor([-100.0, 0.0]))
        tensor([-100.0000,   -0.6931])

    Chapter: :doc:`/foundations/activations`.
    """
    return _logsigmoid(input)


@implements("tanh")
@primitive
def tanh(input: Array) -> Array:
    r"""Hyperbolic tangent: the logistic function, stretched to be odd.

    .. math:: y = \tanh x = \frac{e^x - e^{-x}}{e^x + e^{-x}} = 2\sigma(2x) - 1
       :label: op-tanh

    Range :math:`(-1, 1)`, with limits -1 and 1. The derivative is :math:`1 - y^2`: 1 at
    :math:`x = 0`, and vanishing on both sides (saturation).

    Args:
        input: :math:`x`, any shape.

    Example:
        >>> tanh(torch.tensor([-100.0, 0.0, 1.0]))
        tensor([-1.0000,  0.0000,  0.7616])

    Chapter: :doc:`/foundations/activations`.
    """
    return torch.tanh(input)


@tanh.vjp
def tanh_vjp(g: Array, y: Array, _x: Any) -> Any:
    return (g - g * y * y,)  # x̄ = (1 − y²) ȳ


@primitive
def _tanhshrink(input: Array) -> Array:
    return input - torch.tanh(input)


@_tanhshrink.vjp
def tanhshrink_vjp(g: Array, _y: Any, x: Array) -> Any:
    t = torch.tanh(x)
    return (g * t * t,)


@implements("tanhshrink")
def tanhshrink(input: Array) -> Array:
    r"""What tanh leaves of its input: next to nothing of small ones, all but 1 of large ones.

    .. math:: y = x - \tanh x
       :label: op-tanhshrink

    Range :math:`(-\infty, \infty)`: asymptotically :math:`x + 1` to the left, :math:`x - 1` to the
    right. The derivative is :math:`\tanh^2 x`, 0 at 0.

    Args:
        input: :math:`x`, any shape.

    Example:
        >>> tanhshrink(torch.tensor([-100.0, 0.0, 1.0]))
        tensor([-99.0000,   0.0000,   0.2384])

    Chapter: :doc:`/foundations/activations`.
    """
    return _tanhshrink(input)


@primitive
def _softsign(input: Array) -> Array:
    return input / (input.abs() + 1)


@_softsign.vjp
def softsign_vjp(g: Array, _y: Any, x: Array) -> Any:
    d = x.abs() + 1
    return (g / d / d,)


@implements("softsign")
def softsign(input: Array) -> Array:
    r"""A sigmoid that approaches its limits slowly, like :math:`1/x` and not like :math:`e^{-x}`.

    .. math:: y = \frac{x}{1 + |x|}
       :label: op-softsign

    Range :math:`(-1, 1)`, with limits -1 and 1. The derivative is :math:`1 / (1 + |x|)^2`: 1 at 0.

    Args:
        input: :math:`x`, any shape.

    Example:
        >>> softsign(torch.tensor([-1.0, 0.0, 3.0]))
        tensor([-0.5000,  0.0000,  0.7500])

    Chapter: :doc:`/foundations/activations`.
    """
    return _softsign(input)


# --- rectifiers ---------------------------------------------------------------------------------


@primitive
def _relu(input: Array) -> Array:
    return input.clamp_min(0)


@_relu.vjp
def relu_vjp(g: Array, y: Array, _x: Any) -> Any:
    return (g * y.sign(),)  # the sign of y = max(0, x) is 1 where x > 0, elsewhere 0


@implements("relu")
def relu(input: Array, inplace: bool = False) -> Array:
    r"""Rectified linear unit: let through what is positive.

    .. math:: y = \max(0, x)
       :label: op-relu

    Range :math:`[0, \infty)`. The derivative is 1 above 0, and 0 below and at 0: a unit whose input
    is negative for every example gets no gradient any more (it is dead).

    Args:
        input: :math:`x`, any shape.
        inplace: must be False.

    Raises:
        ValueError: if ``inplace`` is set.

    Example:
        >>> relu(torch.tensor([-2.0, 0.0, 3.0]))
        tensor([0., 0., 3.])

    Chapter: :doc:`/foundations/activations`.
    """
    if inplace:
        _in_place("relu")
    return _relu(input)


@implements("relu6")
def relu6(input: Array, inplace: bool = False) -> Array:
    r"""Rectifier with a ceiling, so that few bits hold its output.

    .. math:: y = \min(\max(0, x), 6)
       :label: op-relu6

    Range :math:`[0, 6]`. The derivative is 1 strictly between 0 and 6, elsewhere 0.

    Args:
        input: :math:`x`, any shape.
        inplace: must be False.

    Raises:
        ValueError: if ``inplace`` is set.

    Example:
        >>> relu6(torch.tensor([-2.0, 3.0, 8.0]))
        tensor([0., 3., 6.])

    Chapter: :doc:`/foundations/activations`.
    """
    if inplace:
        _in_place("relu6")
    return _hardtanh(input, low=0.0, high=6.0)


@primitive
def _leaky_relu(input: Array, *, slope: Number) -> Array:
    if 0 < slope <= 1:
        return torch.maximum(input, input * slope)
    return input * _leak(input, slope)


@_leaky_relu.vjp
def leaky_relu_vjp(g: Array, _y: Any, x: Array, *, slope: Number) -> Any:
    return (g * _leak(x, slope),)


@implements("leaky_relu")
def leaky_relu(input: Array, negative_slope: Number = 0.01, inplace: bool = False) -> Array:
    r"""Rectifier that leaks, so that a negative input still passes some gradient.

    .. math:: y = \begin{cases} x & x > 0 \\ s\,x & x \le 0 \end{cases}
       :label: op-leaky-relu

    Range :math:`(-\infty, \infty)` for :math:`s > 0`. The derivative is 1 above 0, :math:`s` below
    and at 0.

    Args:
        input: :math:`x`, any shape.
        negative_slope: :math:`s`, usually between 0 and 1.
        inplace: must be False.

    Raises:
        ValueError: if ``inplace`` is set.

    Example:
        >>> leaky_relu(torch.tensor([-2.0, 3.0]))
        tensor([-0.0200,  3.0000])

    Chapter: :doc:`/foundations/activations`.
    """
    if inplace:
        _in_place("leaky_relu")
    return _leaky_relu(input, slope=negative_slope)


@primitive(broadcast=True)
def _prelu(input: Array, weight: Array) -> Array:
    return torch.where(input > 0, input, weight * input)


@_prelu.vjp
def prelu_vjp(g: Array, _y: Any, x: Array, w: Array) -> Any:
    return lambda: torch.where(x > 0, g, g * w), lambda: torch.where(x > 0, 0.0, g * x)


@implements("prelu")
def prelu(input: Array, weight: Array) -> Array:
    r"""Leaky rectifier whose slope is learned, one for all channels or one for each.

    .. math:: y = \begin{cases} x & x > 0 \\ w\,x & x \le 0 \end{cases}
       :label: op-prelu

    Range :math:`(-\infty, \infty)` for :math:`w > 0`. By :math:`x` the derivative is 1 above 0,
    :math:`w` below and at 0; by :math:`w` it is :math:`\min(x, 0)`, summed over all that share the
    slope.

    Args:
        input: :math:`x`, any shape; its channels are axis 1.
        weight: :math:`w`, of one element, or of one for each channel.

    Raises:
        ValueError: if ``weight`` fits neither.

    Example:
        >>> prelu(torch.tensor([[-2.0, -2.0]]), torch.tensor([0.5, 0.25]))
        tensor([[-1.0000, -0.5000]])

    Chapter: :doc:`/foundations/activations`.
    """
    slopes = weight.numel()
    channels = input.shape[1] if input.ndim > 1 else 1
    if weight.ndim > 1 or slopes not in (1, channels):
        raise ValueError(
            f"prelu: expected a weight of 1 or {channels} elements for input of shape "
            f"{tuple(input.shape)}, got weight of shape {tuple(weight.shape)}"
        )
    axes = (1,) * input.ndim if slopes == 1 else (1, slopes, *(1,) * (input.ndim - 2))
    return _prelu(input, weight if tuple(weight.shape) == axes else weight.reshape(axes))


@primitive
def _elu(input: Array, *, alpha: Number) -> Array:
    return torch.where(input > 0, input, alpha * torch.expm1(input))


@_elu.vjp
def elu_vjp(g: Array, y: Array, x: Array, *, alpha: Number) -> Any:
    return (torch.where(x > 0, g, g * (y + alpha)),)  # αeˣ = y + α


@implements("elu")
def elu(input: Array, alpha: Number = 1.0, inplace: bool = False) -> Array:
    r"""Exponential linear unit: a line above 0, an exponential that levels off below.

    .. math:: y = \begin{cases} x & x > 0 \\ \alpha\,(e^x - 1) & x \le 0 \end{cases}
       :label: op-elu

    Range :math:`(-\alpha, \infty)`, with the limit :math:`-\alpha` to the left. The derivative is 1
    above 0, :math:`\alpha e^x` below and at 0.

    Args:
        input: :math:`x`, any shape.
        alpha: :math:`\alpha`; with 1 there is no kink.
        inplace: must be False.

    Raises:
        ValueError: if ``inplace`` is set.

    Example:
        >>> elu(torch.tensor([-100.0, -1.0, 3.0]))
        tensor([-1.0000, -0.6321,  3.0000])

    Chapter: :doc:`/foundations/activations`.
    """
    if inplace:
        _in_place("elu")
    return _elu(input, alpha=alpha)


SELU_ALPHA = 1.6732632423543772
SELU_SCALE = 1.0507009873554805


@primitive
def _selu(input: Array) -> Array:
    return SELU_SCALE * torch.where(input > 0, input, SELU_ALPHA * torch.expm1(input))


@_selu.vjp
def selu_vjp(g: Array, y: Array, x: Array) -> Any:
    return (torch.where(x > 0, SELU_SCALE * g, g * (y + SELU_SCALE * SELU_ALPHA)),)


@implements("selu")
def selu(input: Array, inplace: bool = False) -> Array:
    r"""Scaled ELU, whose two constants keep mean 0 and variance 1 from layer to layer.

    .. math:: y = \lambda \begin{cases} x & x > 0 \\ \alpha\,(e^x - 1) & x \le 0 \end{cases}
       :label: op-selu

    with :math:`\alpha \approx 1.6733` and :math:`\lambda \approx 1.0507`, for which a standard
    normal input gives an output of mean 0 and variance 1. Range
    :math:`(-\lambda\alpha, \infty)`. The derivative is :math:`\lambda` above 0,
    :math:`\lambda\alpha e^x` below and at 0.

    Args:
        input: :math:`x`, any shape.
        inplace: must be False.

    Raises:
        ValueError: if ``inplace`` is set.

    Example:
        >>> selu(torch.tensor([-100.0, 0.0, 1.0]))
        tensor([-1.7581,  0.0000,  1.0507])

    Chapter: :doc:`/foundations/activations`.
    """
    if inplace:
        _in_place("selu")
    return _selu(input)


@primitive
def _celu(input: Array, *, alpha: Number) -> Array:
    return torch.where(input > 0, input, alpha * torch.expm1(input / alpha))


@_celu.vjp
def celu_vjp(g: Array, y: Array, x: Array, *, alpha: Number) -> Any:
    return (torch.where(x > 0, g, g + g * y / alpha),)  # exp(x/α) = 1 + y/α


@implements("celu")
def celu(input: Array, alpha: Number = 1.0, inplace: bool = False) -> Array:
    r"""ELU without a kink, whatever its :math:`\alpha`.

    .. math:: y = \begin{cases} x & x > 0 \\ \alpha\,(e^{x/\alpha} - 1) & x \le 0 \end{cases}
       :label: op-celu

    Range :math:`(-\alpha, \infty)`, with the limit :math:`-\alpha` to the left. The derivative is 1
    above 0, :math:`e^{x/\alpha}` below.

    Args:
        input: :math:`x`, any shape.
        alpha: :math:`\alpha`, not 0; usually above.
        inplace: must be False.

    Raises:
        ValueError: if ``alpha`` is 0, or ``inplace`` is set.

    Example:
        >>> celu(torch.tensor([-100.0, 3.0]), alpha=2.0)
        tensor([-2.,  3.])

    Chapter: :doc:`/foundations/activations`.
    """
    if inplace:
        _in_place("celu")
    if alpha == 0:
        raise ValueError("celu: expected alpha other than 0, got 0")
    return _celu(input, alpha=alpha)


@primitive
def _softplus(input: Array, *, beta: Number, threshold: Number) -> Array:
    z = input if beta == 1 else beta * input
    smooth = z.clamp_min(0) + torch.log1p(torch.exp(-z.abs()))
    return torch.where(z > threshold, input, smooth if beta == 1 else smooth / beta)


@_softplus.vjp
def softplus_vjp(g: Array, _y: Any, x: Array, *, beta: Number, threshold: Number) -> Any:
    z = x if beta == 1 else beta * x
    return (torch.where(z > threshold, g, g * torch.sigmoid(z)),)


@implements("softplus")
def softplus(input: Array, beta: Number = 1.0, threshold: Number = 20.0) -> Array:
    r"""Smooth rectifier, whose derivative is the logistic function.

    .. math:: y = \frac1\beta \log\bigl(1 + e^{\beta x}\bigr)
        = \frac1\beta \Bigl( \max(\beta x, 0) + \log\bigl(1 + e^{-|\beta x|}\bigr) \Bigr)
       :label: op-softplus

    Range :math:`(0, \infty)`: 0 to the left, asymptotically :math:`x` to the right. The second form
    never overflows. The derivative is :math:`\sigma(\beta x)`.

    Args:
        input: :math:`x`, any shape.
        beta: :math:`\beta`, not 0; the larger, the nearer to the rectifier.
        threshold: for :math:`\beta x` above it, :math:`y = x` and the derivative is 1. Our form
            has no need of it; it is kept for parity with PyTorch.

    Raises:
        ValueError: if ``beta`` is 0.

    Example:
        >>> softplus(torch.tensor([-1.0, 0.0, 1000.0]))
        tensor([3.1326e-01, 6.9315e-01, 1.0000e+03])

    Chapter: :doc:`/foundations/activations`.
    """
    if beta == 0:
        raise ValueError("softplus: expected beta other than 0, got 0")
    return _softplus(input, beta=beta, threshold=threshold)


# --- gated: the input times a soft step ---------------------------------------------------------


@implements("erf")
@primitive
def erf(input: Array) -> Array:
    r"""Error function, the integral of the bell curve.

    .. math:: y = \frac{2}{\sqrt\pi} \int_0^x e^{-t^2} dt
       :label: op-erf

    Range :math:`(-1, 1)`. The derivative is :math:`2 e^{-x^2} / \sqrt\pi`.

    Args:
        input: :math:`x`, any shape.

    Example:
        >>> erf(torch.tensor([0.0, 1.0]))
        tensor([0.0000, 0.8427])

    Chapter: :doc:`/foundations/activations`.
    """
    return torch.erf(input)


@erf.vjp
def erf_vjp(g: Array, _y: Any, x: Array) -> Any:
    return (2 / math.sqrt(math.pi) * g * torch.exp(-x * x),)


@primitive(saves=True)
def _gelu(input: Array) -> tuple[Array, tuple[Tensor, ...]]:
    x = input.float() if input.dtype in SHORT else input
    below = (x * math.sqrt(0.5)).erf_().add_(1).mul_(0.5)  # Φ(x)
    y = x * below
    return (y if x is input else y.to(input.dtype)), (below,)


@_gelu.saved
def gelu_saved(input: Array) -> Any:
    x = _cast(input, dtype=torch.float32) if input.dtype in SHORT else input
    return (0.5 * torch.erf(math.sqrt(0.5) * x) + 0.5,)


@_gelu.vjp
def gelu_vjp(g: Array, _y: Any, saved: Any, x: Array) -> Any:
    return (_gelu_pull(g, x, *saved),)


@primitive
def _gelu_pull(g: Array, input: Array, below: Array) -> Array:
    """The cotangent of GELU's input, ȳ (Φ(x) + x Φ'(x)), where Φ' is the bell curve."""
    x = input.float() if input.dtype in SHORT else input
    if readable():
        slope = (x * x).mul_(-0.5 * LOG2_E).exp2_().mul_(x)  # see fast_exp
        torch.add(below, slope, alpha=BELL, out=slope).mul_(g)
    else:  # torch.func could not map this in place
        slope = (torch.exp(-0.5 * x * x) * x * BELL + below) * g
    return slope if x is input else slope.to(input.dtype)


@_gelu_pull.vjp
def gelu_pull_vjp(c: Array, _x_bar: Any, g: Array, x: Array, below: Array) -> Any:
    bell = BELL * torch.exp(-0.5 * x * x)
    return (
        lambda: c * (below + x * bell),
        lambda: c * g * bell * (1 - x * x),
        lambda: c * g,
    )


BELL = 1 / math.sqrt(2 * math.pi)


@primitive(saves=True)
def _gelu_tanh(input: Array) -> tuple[Array, tuple[Tensor, ...]]:
    """The approximation, as x σ(2u): half of 1 + tanh u is the logistic function of 2u."""
    x = input.float() if input.dtype in SHORT else input
    below = (x * x).clamp_max_(GELU_FLAT).mul_(GELU_CUBIC).add_(1).mul_(x)
    below = below.mul_(-GELU_STEEP * LOG2_E).exp2_().add_(1).reciprocal_()  # see fast_exp
    y = x * below
    return (y if x is input else y.to(input.dtype)), (below,)


@_gelu_tanh.saved
def gelu_tanh_saved(input: Array) -> Any:
    x = _cast(input, dtype=torch.float32) if input.dtype in SHORT else input
    z = (x * x).clamp(max=GELU_FLAT)
    return (sigmoid(GELU_STEEP * x * (1 + GELU_CUBIC * z)),)


@_gelu_tanh.vjp
def gelu_tanh_vjp(g: Array, _y: Any, saved: Any, x: Array) -> Any:
    return (_gelu_tanh_pull(g, x, *saved),)


@primitive
def _gelu_tanh_pull(g: Array, input: Array, below: Array) -> Array:
    """The cotangent of the input, ȳ (σ + x σ (1 - σ) 2u'), where 2u' = c (1 + 3 a x²)."""
    x = input.float() if input.dtype in SHORT else input
    steep = (x * x).clamp_max_(GELU_FLAT).mul_(3 * GELU_CUBIC * GELU_STEEP).add_(GELU_STEEP)
    if readable():  # all in one array, for every other one costs more than what is computed in it
        change = steep.mul_(below).addcmul_(steep, below, value=-1)
        slope = change.mul_(x).add_(below).mul_(g)
    else:  # torch.func could not map this in place
        slope = (steep * (below - below * below) * x + below) * g
    return slope if x is input else slope.to(input.dtype)


@_gelu_tanh_pull.vjp
def gelu_tanh_pull_vjp(c: Array, _x_bar: Any, g: Array, x: Array, below: Array) -> Any:
    z = (x * x).clamp(max=GELU_FLAT)
    change, steep = below - below * below, GELU_STEEP * (1 + 3 * GELU_CUBIC * z)
    return (
        lambda: c * (below + change * steep * x),
        lambda: c * g * change * (3 * steep - 2 * GELU_STEEP),  # (x · 2u')' = c (1 + 9 a x²)
        lambda: c * g * (1 + (1 - 2 * below) * steep * x),
    )


GELU_CUBIC = 0.044715
GELU_STEEP = 2 * math.sqrt(2 / math.pi)  # the slope of 2u at 0
GELU_FLAT = 100.0  # for larger x² σ is 0 or 1 in every precision, while x³ would overflow in some


@implements("gelu")
def gelu(input: Array, *, approximate: str = "none") -> Array:
    r"""Gaussian error linear unit: the input times the chance that a normal number is smaller.

    .. math:: y = x\,\Phi(x), \qquad \Phi(x) = \tfrac12 \Bigl(1 + \operatorname{erf}
        \frac{x}{\sqrt2} \Bigr) \approx \tfrac12 \Bigl(1 + \tanh \sqrt{\tfrac2\pi}
        \bigl(x + 0.044715\,x^3\bigr)\Bigr)
       :label: op-gelu

    Range from about -0.17 (near :math:`x = -0.75`) to :math:`\infty`: 0 to the left, asymptotically
    :math:`x` to the right. The derivative is :math:`\Phi(x) + x\,\Phi'(x)`, negative left of the
    minimum.

    Args:
        input: :math:`x`, any shape.
        approximate: ``"none"`` for the error function, ``"tanh"`` for the approximation.

    Raises:
        ValueError: if ``approximate`` is neither.

    Example:
        >>> gelu(torch.tensor([-1.0, 0.0, 1.0]))
        tensor([-0.1587,  0.0000,  0.8413])

    Chapter: :doc:`/foundations/activations`.
    """
    if approximate not in ("none", "tanh"):
        raise ValueError(f"gelu: expected approximate 'none' or 'tanh', got {approximate!r}")
    return _gelu(input) if approximate == "none" else _gelu_tanh(input)


@primitive
def _silu(input: Array) -> Array:
    return input * torch.sigmoid(input)


@_silu.vjp
def silu_vjp(g: Array, _y: Any, x: Array) -> Any:
    s = torch.sigmoid(x)
    return (g * (s + x * s * (1 - s)),)


@implements("silu")
def silu(input: Array, inplace: bool = False) -> Array:
    r"""Sigmoid linear unit (Swish): the input times its own logistic function.

    .. math:: y = x\,\sigma(x)
       :label: op-silu

    Range from about -0.28 (near :math:`x = -1.28`) to :math:`\infty`: 0 to the left, asymptotically
    :math:`x` to the right. The derivative is :math:`\sigma(x) + x\,\sigma(x)\sigma(-x)`, negative
    left of the minimum.

    Args:
        input: :math:`x`, any shape.
        inplace: must be False.

    Raises:
        ValueError: if ``inplace`` is set.

    Example:
        >>> silu(torch.tensor([-1.0, 0.0, 1.0]))
        tensor([-0.2689,  0.0000,  0.7311])

    Chapter: :doc:`/foundations/activations`.
    """
    if inplace:
        _in_place("silu")
    return _silu(input)


@primitive
def _hardswish(input: Array) -> Array:
    return input * ((input + 3).clamp(0, 6) / 6)


@_hardswish.vjp
def hardswish_vjp(g: Array, _y: Any, x: Array) -> Any:
    above, below = _leak(x + 3, 0), _leak(3 - x, 0)  # x > -3, x < 3
    return (g * above * (1 + below * (x.clamp(-3, 3) / 3 - 0.5)),)


@implements("hardswish")
def hardswish(input: Array, inplace: bool = False) -> Array:
    r"""SiLU with the logistic function made of three straight pieces.

    .. math:: y = \tfrac16\, x \min(\max(x + 3, 0), 6)
       :label: op-hardswish

    Range :math:`[-\frac38, \infty)`, with the minimum at :math:`-\frac32`: 0 left of -3, :math:`x`
    right of 3. The derivative is :math:`\frac x3 + \frac12` between; at the kinks it is 0 (at -3)
    and 1 (at 3).

    Args:
        input: :math:`x`, any shape.
        inplace: must be False.

    Raises:
        ValueError: if ``inplace`` is set.

    Example:
        >>> hardswish(torch.tensor([-4.0, -1.5, 4.0]))
        tensor([-0.0000, -0.3750,  4.0000])

    Chapter: :doc:`/foundations/activations`.
    """
    if inplace:
        _in_place("hardswish")
    return _hardswish(input)


@primitive
def _mish(input: Array) -> Array:
    return input * torch.tanh(_softplus.forward(input, beta=1, threshold=20))


@_mish.vjp
def mish_vjp(g: Array, _y: Any, x: Array) -> Any:
    t = torch.tanh(softplus(x))
    return (g * (t + x * (1 - t * t) * torch.sigmoid(x)),)


@implements("mish")
def mish(input: Array, inplace: bool = False) -> Array:
    r"""The input times the tanh of its softplus; much like SiLU.

    .. math:: y = x \tanh\bigl(\log(1 + e^x)\bigr)
       :label: op-mish

    Range from about -0.31 (near :math:`x = -1.19`) to :math:`\infty`: 0 to the left, asymptotically
    :math:`x` to the right. With :math:`t` for the tanh, the derivative is
    :math:`t + x\,(1 - t^2)\,\sigma(x)`, negative left of the minimum.

    Args:
        input: :math:`x`, any shape.
        inplace: must be False.

    Raises:
        ValueError: if ``inplace`` is set.

    Example:
        >>> mish(torch.tensor([-1.0, 0.0, 1.0]))
        tensor([-0.3034,  0.0000,  0.8651])

    Chapter: :doc:`/foundations/activations`.
    """
    if inplace:
        _in_place("mish")
    return _mish(input)

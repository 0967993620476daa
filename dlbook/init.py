r"""Initial values for parameters: where gradient descent begins.

Every function fills a tensor in place and returns it, and bears the name and the arguments of
its counterpart in :mod:`torch.nn.init`; given the same generator it draws the same numbers
(except :func:`trunc_normal_`, which needs no rejected draws).

**What size should a weight have?** Let a unit sum :math:`n` inputs, :math:`a = \sum_{j=1}^{n} w_j
x_j`, with weights that are independent of the inputs and of each other and have mean 0. Then

.. math:: \operatorname{Var}[a] = n \operatorname{Var}[w]\, \operatorname{E}[x^2],

so that :math:`\operatorname{Var}[w] = 1/n` hands on the mean square of what came in. Backwards
the same sum runs over the outputs that an input feeds. The two counts are the *fan-in* and the
*fan-out* (:func:`fans`); what the activation then does to the mean square is
mended by a *gain* (:func:`calculate_gain`). For activations whose loss depends on the scale itself,
such as tanh, :func:`gaussian_mean` computes it.

Chapter: :doc:`/training/initialization`.
"""

import math
from collections.abc import Callable
from typing import Literal

import torch
from torch import Generator, Tensor

__all__ = [
    "calculate_gain",
    "constant_",
    "dirac_",
    "eye_",
    "fans",
    "gaussian_mean",
    "kaiming_normal_",
    "kaiming_uniform_",
    "normal_",
    "ones_",
    "orthogonal_",
    "sparse_",
    "trunc_normal_",
    "uniform_",
    "xavier_normal_",
    "xavier_uniform_",
    "zeros_",
]

_GAIN_ONE = {
    "linear",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "sigmoid",
}


def uniform_(
    tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None
) -> Tensor:
    r"""Fill with draws from the uniform distribution :math:`U(a, b)`.

    Its mean is :math:`(a+b)/2`, its variance :math:`(b-a)^2/12`.

    Args:
        tensor: a floating-point tensor of any shape.
        a: lower bound, included.
        b: upper bound, at least ``a``.
        generator: source of randomness; torch's global one if None.

    Raises:
        ValueError: if ``a > b`` or a bound is not finite.
        TypeError: if ``tensor`` is not floating-point.

    Example:
        >>> bool(uniform_(torch.empty(100), -1, 1).abs().max() <= 1)
        True
    """
    _floating("uniform_", tensor)
    if not (math.isfinite(a) and math.isfinite(b) and a <= b):
        raise ValueError(f"uniform_: expects finite bounds a <= b, got a={a}, b={b}")
    with torch.no_grad():
        return tensor.uniform_(a, b, generator=generator)


def normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None
) -> Tensor:
    r"""Fill with draws from the normal distribution :math:`N(\text{mean}, \text{std}^2)`.

    Args:
        tensor: a floating-point tensor of any shape.
        mean: the mean.
        std: the standard deviation, at least 0.
        generator: source of randomness; torch's global one if None.

    Raises:
        ValueError: if ``std`` is negative, or an argument is not finite.
        TypeError: if ``tensor`` is not floating-point.

    Example:
        >>> normal_(torch.empty(2, 3), std=0.0)
        tensor([[0., 0., 0.],
                [0., 0., 0.]])
    """
    _floating("normal_", tensor)
    _spread("normal_", mean, std)
    with torch.no_grad():
        return tensor.normal_(mean, std, generator=generator)


def trunc_normal_(
    tensor: Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: Generator | None = None,
) -> Tensor:
    r"""Fill with draws from a normal distribution, conditioned to lie within ``[a, b]``.

    If :math:`u` is uniform between :math:`\Phi\!\left(\tfrac{a-\mu}{\sigma}\right)` and
    :math:`\Phi\!\left(\tfrac{b-\mu}{\sigma}\right)`, with :math:`\Phi` the normal distribution
    function, then :math:`x = \mu + \sigma\,\Phi^{-1}(u)` has the distribution wanted,
    because :math:`P(x \le t) = P(u \le \Phi(\tfrac{t-\mu}{\sigma}))`. One draw a value, none
    rejected.

    Args:
        tensor: a floating-point tensor of any shape.
        mean: the mean :math:`\mu` before the tails are cut.
        std: the standard deviation :math:`\sigma > 0` before the tails are cut.
        a: lower bound, in the units of ``mean`` (not in standard deviations).
        b: upper bound, above ``a``.
        generator: source of randomness; torch's global one if None.

    Raises:
        ValueError: if ``a >= b`` or ``std <= 0``, or an argument is not finite.
        TypeError: if ``tensor`` is not floating-point.

    Departures: :func:`torch.nn.init.trunc_normal_` rejects draws outside the interval, so the
    same generator gives other numbers there, of the same distribution.

    Example:
        >>> x = trunc_normal_(torch.empty(1000), std=0.02, a=-0.04, b=0.04)
        >>> bool(x.abs().max() <= 0.04)
        True
    """
    _floating("trunc_normal_", tensor)
    _spread("trunc_normal_", mean, std)
    if std == 0:
        raise ValueError("trunc_normal_: std expects a number > 0, got 0")
    if not (math.isfinite(a) and math.isfinite(b) and a < b):
        raise ValueError(f"trunc_normal_: expects finite bounds a < b, got a={a}, b={b}")
    low, high = (a - mean) / std, (b - mean) / std
    sign = 1.0
    if low > 0:  # work in the left tail, where Φ keeps its relative precision
        sign, low, high = -1.0, -high, -low
    dtype = torch.float32 if tensor.device.type == "mps" else torch.float64
    with torch.no_grad():
        u = torch.empty(tensor.shape, dtype=dtype, device=tensor.device)
        u.uniform_(_normal_cdf(low), _normal_cdf(high), generator=generator)
        x = mean + sign * std * torch.special.ndtri(u)
        return tensor.copy_(x.clamp_(a, b))


def constant_(tensor: Tensor, val: float) -> Tensor:
    """Fill with one value.

    A weight matrix of equal entries makes all units of a layer equal, and equal they stay:
    their gradients are the same. Fit for biases and scales.

    Args:
        tensor: a tensor of any shape.
        val: the value.

    Example:
        >>> constant_(torch.empty(2), 0.5)
        tensor([0.5000, 0.5000])
    """
    with torch.no_grad():
        return tensor.fill_(val)


def zeros_(tensor: Tensor) -> Tensor:
    """Fill with zeros, as is usual for biases.

    Args:
        tensor: a tensor of any shape.

    Example:
        >>> zeros_(torch.empty(2))
        tensor([0., 0.])
    """
    return constant_(tensor, 0.0)


def ones_(tensor: Tensor) -> Tensor:
    """Fill with ones, as is usual for scales.

    Args:
        tensor: a tensor of any shape.

    Example:
        >>> ones_(torch.empty(2))
        tensor([1., 1.])
    """
    return constant_(tensor, 1.0)


def fans(tensor: Tensor) -> tuple[int, int]:
    """Return the fan-in and the fan-out of a weight: the terms in one unit's sum, both ways.

    A weight is ``(out, in, *kernel)``. Each output sums ``in`` times the kernel's size; each
    input feeds ``out`` times the kernel's size.

    Args:
        tensor: a weight of at least two dimensions.

    Raises:
        ValueError: if it has fewer.

    Example:
        >>> fans(torch.empty(10, 64)), fans(torch.empty(16, 3, 5, 5))
        ((64, 10), (75, 400))
    """
    return _fans("fans", tensor)


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    r"""Return the factor by which weights grow to make up for what an activation takes away.

    A ReLU drops the negative half of a symmetric distribution and so halves the mean square;
    :math:`\sqrt2` mends it. A leaky ReLU of slope :math:`s` leaves :math:`\tfrac12(1 + s^2)` of
    it, hence :math:`\sqrt{2/(1+s^2)}`. The gains of tanh (5/3) and SELU (3/4) are PyTorch's
    choices, found by trial; linear maps, convolutions and (by convention) the sigmoid have 1.

    Args:
        nonlinearity: the activation's name in :mod:`torch.nn.functional`.
        param: the leaky ReLU's negative slope (0.01 if None); ignored by the others.

    Raises:
        ValueError: for a name without a gain, or a slope that is no number.

    Example:
        >>> round(calculate_gain("relu") ** 2, 12), calculate_gain("leaky_relu", 1.0)
        (2.0, 1.0)
    """
    if nonlinearity in _GAIN_ONE:
        return 1.0
    if nonlinearity == "tanh":
        return 5.0 / 3.0
    if nonlinearity == "relu":
        return math.sqrt(2.0)
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        if isinstance(slope, bool) or not isinstance(slope, int | float):
            raise ValueError(f"calculate_gain: negative slope expects a number, got {slope!r}")
        return math.sqrt(2.0 / (1.0 + slope**2))
    if nonlinearity == "selu":
        return 3.0 / 4.0
    known = sorted(_GAIN_ONE | {"tanh", "relu", "leaky_relu", "selu"})
    raise ValueError(f"calculate_gain: expects one of {', '.join(known)}; got {nonlinearity!r}")


def gaussian_mean(function: Callable[[Tensor], Tensor], variance: float = 1.0) -> float:
    r"""Return the expectation of a function of a Gaussian number, of mean 0.

    .. math:: \operatorname{E}[f(z)] = \int f(z)\,\frac{e^{-z^2/2q}}{\sqrt{2\pi q}}\,dz,
        \qquad z \sim N(0, q)

    The pre-activations of a wide layer with random weights are nearly Gaussian. With their mean
    square :math:`q`, the layer hands on :math:`\operatorname{E}[g(z)^2]`, and backwards it
    multiplies by :math:`\operatorname{E}[g'(z)^2]`.

    The integral is a sum over steps of a thousandth of a standard deviation, from -12 to 12. A
    jump or a kink at 0 falls between two steps and does no harm.

    Args:
        function: applied to a float64 tensor, entry by entry.
        variance: :math:`q`, at least 0.

    Raises:
        ValueError: if ``variance`` is negative or not finite, or ``function`` returns another
            shape.

    Example:
        >>> round(gaussian_mean(lambda z: z.clamp(min=0) ** 2), 9)  # what a ReLU leaves
        0.5
        >>> round(gaussian_mean(torch.cos, variance=2.0), 9) == round(math.exp(-1), 9)
        True
    """
    if not 0 <= variance < math.inf:
        raise ValueError(f"gaussian_mean: variance expects a number >= 0, got {variance}")
    step = 1e-3
    z = (torch.arange(-12_000, 12_000, dtype=torch.float64) + 0.5) * step
    values = function(math.sqrt(variance) * z)
    if values.shape != z.shape:
        raise ValueError(
            f"gaussian_mean: function expects to return shape {tuple(z.shape)}, as it was given, "
            f"got {tuple(values.shape)}"
        )
    density = torch.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    return float((density * values).sum() * step)


def xavier_uniform_(
    tensor: Tensor, gain: float = 1.0, generator: Generator | None = None
) -> Tensor:
    r"""Fill with :math:`U(-b, b)` whose variance suits both directions.

    Forwards the variance should be :math:`1/\text{fan\_in}`, backwards
    :math:`1/\text{fan\_out}`; the compromise is :math:`2/(\text{fan\_in}+\text{fan\_out})`. As
    :math:`U(-b, b)` has variance :math:`b^2/3`,

    .. math:: b = \text{gain}\sqrt{\frac{6}{\text{fan\_in} + \text{fan\_out}}}.

    From Glorot and Bengio (2010), "Understanding the difficulty of training deep feedforward
    neural networks"; the gain is a later addition.

    Args:
        tensor: a floating-point weight ``(out, in, *kernel)``.
        gain: see :func:`calculate_gain`; at least 0.
        generator: source of randomness; torch's global one if None.

    Raises:
        ValueError: for a tensor of fewer than two dimensions, or a bad gain.
        TypeError: if ``tensor`` is not floating-point.

    Example:
        >>> bool(xavier_uniform_(torch.empty(3, 3)).abs().max() <= 1)
        True
    """
    bound = math.sqrt(3.0) * _xavier_std("xavier_uniform_", tensor, gain)
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    r"""Fill with a normal distribution of :func:`xavier_uniform_`'s variance.

    .. math:: \sigma = \text{gain}\sqrt{\frac{2}{\text{fan\_in} + \text{fan\_out}}}

    Args:
        tensor: a floating-point weight ``(out, in, *kernel)``.
        gain: see :func:`calculate_gain`; at least 0.
        generator: source of randomness; torch's global one if None.

    Raises:
        ValueError: for a tensor of fewer than two dimensions, or a bad gain.
        TypeError: if ``tensor`` is not floating-point.

    Example:
        >>> xavier_normal_(torch.empty(10, 64)).shape
        torch.Size([10, 64])
    """
    return normal_(tensor, 0.0, _xavier_std("xavier_normal_", tensor, gain), generator)


def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0.0,
    mode: Literal["fan_in", "fan_out"] = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    r"""Fill with :math:`U(-b, b)` whose variance keeps the mean square through a rectifier.

    .. math:: b = \text{gain}\sqrt{\frac{3}{\text{fan}}}

    From He, Zhang, Ren and Sun (2015), "Delving deep into rectifiers", who derive the normal
    form :func:`kaiming_normal_`.

    Args:
        tensor: a floating-point weight ``(out, in, *kernel)``; without elements it is returned
            as it is.
        a: the leaky ReLU's negative slope; used only with ``nonlinearity="leaky_relu"``, where 0
            means ReLU. (``a=math.sqrt(5)`` gives :math:`b = 1/\sqrt{\text{fan}}`, what
            :class:`torch.nn.Linear` starts from.)
        mode: ``"fan_in"`` keeps the mean square forwards, ``"fan_out"`` backwards.
        nonlinearity: see :func:`calculate_gain`.
        generator: source of randomness; torch's global one if None.

    Raises:
        ValueError: for a tensor of fewer than two dimensions, or an unknown mode or name.
        TypeError: if ``tensor`` is not floating-point.

    Example:
        >>> bool(kaiming_uniform_(torch.empty(5, 6)).abs().max() <= 1)
        True
    """
    std = _kaiming_std("kaiming_uniform_", tensor, a, mode, nonlinearity)
    bound = math.sqrt(3.0) * std
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor,
    a: float = 0.0,
    mode: Literal["fan_in", "fan_out"] = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    r"""Fill with a normal distribution that keeps the mean square through a rectifier.

    If :math:`x = \operatorname{relu}(a)` with :math:`a` symmetric, then
    :math:`\operatorname{E}[x^2] = \tfrac12\operatorname{Var}[a]`, so that one layer multiplies the
    variance by
    :math:`\tfrac12 n \operatorname{Var}[w]`. It stays put for :math:`\operatorname{Var}[w] = 2/n`:

    .. math:: \sigma = \frac{\text{gain}}{\sqrt{\text{fan}}}, \qquad \text{gain} = \sqrt2.

    Args:
        tensor: a floating-point weight ``(out, in, *kernel)``; without elements it is returned
            as it is.
        a: the leaky ReLU's negative slope; used only with ``nonlinearity="leaky_relu"``.
        mode: ``"fan_in"`` keeps the mean square forwards, ``"fan_out"`` backwards.
        nonlinearity: see :func:`calculate_gain`.
        generator: source of randomness; torch's global one if None.

    Raises:
        ValueError: for a tensor of fewer than two dimensions, or an unknown mode or name.
        TypeError: if ``tensor`` is not floating-point.

    Example:
        >>> w = kaiming_normal_(torch.empty(256, 256), nonlinearity="relu")
        >>> bool((w.std() - (2 / 256) ** 0.5).abs() < 0.01)
        True
    """
    std = _kaiming_std("kaiming_normal_", tensor, a, mode, nonlinearity)
    return normal_(tensor, 0.0, std, generator)


def orthogonal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    r"""Fill with a random matrix whose rows or columns, whichever are fewer, are orthonormal.

    A square orthogonal matrix keeps every length, :math:`\|Wx\| = \|x\|`, not just on average,
    and so does any product of them: depth changes nothing. The columns of a Gaussian matrix
    are made orthonormal by :math:`G = QR`; giving each column of :math:`Q` the sign of its
    entry on the diagonal of :math:`R` makes the factorisation unique and :math:`Q` uniform among
    the orthogonal matrices. From Saxe, McClelland and Ganguli (2013), "Exact solutions to
    the nonlinear dynamics of learning in deep linear neural networks".

    Args:
        tensor: a floating-point weight ``(out, in, *kernel)``, seen as a matrix
            ``(out, in * kernel)``; without elements it is returned as it is.
        gain: multiplies the matrix.
        generator: source of randomness; torch's global one if None.

    Raises:
        ValueError: for a tensor of fewer than two dimensions, or a gain that is not finite.
        TypeError: if ``tensor`` is not floating-point.

    Example:
        >>> w = orthogonal_(torch.empty(3, 5))
        >>> torch.allclose(w @ w.T, torch.eye(3), atol=1e-5)
        True
    """
    _fans("orthogonal_", tensor)
    if not math.isfinite(gain):
        raise ValueError(f"orthogonal_: gain expects a finite number, got {gain}")
    if tensor.numel() == 0:
        return tensor
    rows, columns = tensor.shape[0], tensor.numel() // tensor.shape[0]
    with torch.no_grad():
        gaussian = tensor.new_empty(rows, columns).normal_(generator=generator)
        tall = gaussian if rows >= columns else gaussian.T
        q, r = torch.linalg.qr(tall)
        q = q * r.diagonal().sign()
        matrix = q if rows >= columns else q.T
        return tensor.copy_(matrix.reshape(tensor.shape)).mul_(gain)


def eye_(tensor: Tensor) -> Tensor:
    r"""Fill with the identity matrix: a linear layer then hands on what it gets.

    Where there are more outputs than inputs the rest are 0, and the other way round inputs
    are left out.

    Args:
        tensor: a floating-point matrix ``(out, in)``.

    Raises:
        ValueError: if ``tensor`` is not a matrix.
        TypeError: if ``tensor`` is not floating-point.

    Example:
        >>> eye_(torch.empty(2, 3))
        tensor([[1., 0., 0.],
                [0., 1., 0.]])
    """
    _floating("eye_", tensor)
    _matrix("eye_", tensor)
    with torch.no_grad():
        tensor.zero_().diagonal().fill_(1)
    return tensor


def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    r"""Fill a kernel with the convolution's identity: a single 1 in its middle, channel by channel.

    An input channel is handed on to the output channel of the same number, within each of the
    groups, where there is one.

    Args:
        tensor: a floating-point kernel ``(out, in, *kernel)`` of one to three axes of positions.
        groups: into how many groups the output channels are divided; must divide their number.

    Raises:
        ValueError: for another number of axes, or groups that do not divide the output channels.
        TypeError: if ``tensor`` is not floating-point.

    Example:
        >>> dirac_(torch.empty(1, 1, 3))
        tensor([[[0., 1., 0.]]])
    """
    _floating("dirac_", tensor)
    if tensor.dim() not in (3, 4, 5):
        raise ValueError(
            f"dirac_: expects a kernel (out, in, ...) of 3 to 5 dimensions, got shape "
            f"{tuple(tensor.shape)}"
        )
    if groups < 1 or tensor.shape[0] % groups:
        raise ValueError(
            f"dirac_: expects groups that divide {tensor.shape[0]} output channels, got {groups}"
        )
    middle = tuple(n // 2 for n in tensor.shape[2:])
    with torch.no_grad():
        tensor.zero_()
        for group in tensor.chunk(groups):
            for channel in range(min(group.shape[:2])):
                group[(channel, channel, *middle)] = 1
    return tensor


def sparse_(
    tensor: Tensor, sparsity: float, std: float = 0.01, generator: Generator | None = None
) -> Tensor:
    r"""Fill with a normal distribution, but leave most of each column at 0.

    A share of every input's outgoing weights is set to 0, so that the units of a wide layer begin
    with few inputs each, and with different ones. From Martens (2010), "Deep learning via
    Hessian-free optimization".

    Args:
        tensor: a floating-point matrix ``(out, in)``.
        sparsity: the share of each column, from 0 to 1, that is set to 0, rounded up.
        std: the standard deviation of the others, at least 0.
        generator: source of randomness, for the numbers and for their places; torch's global one
            if None.

    Raises:
        ValueError: if ``tensor`` is not a matrix, or an argument is out of range.
        TypeError: if ``tensor`` is not floating-point.

    Departures: :func:`torch.nn.init.sparse_` takes the places of the zeros from the global source
    even if a generator is given.

    Example:
        >>> (sparse_(torch.empty(10, 4), 0.8) == 0).sum(0)
        tensor([8, 8, 8, 8])
    """
    _floating("sparse_", tensor)
    _matrix("sparse_", tensor)
    if not 0 <= sparsity <= 1:
        raise ValueError(f"sparse_: sparsity expects a share from 0 to 1, got {sparsity}")
    _spread("sparse_", 0.0, std)
    normal_(tensor, 0.0, std, generator)
    rows, columns = tensor.shape
    zeros = math.ceil(sparsity * rows)
    with torch.no_grad():
        for column in range(columns):
            order = torch.randperm(rows, generator=generator, device=_source(generator))
            tensor[order[:zeros].to(tensor.device), column] = 0
    return tensor


def _source(generator: Generator | None) -> torch.device:
    """Where a generator draws."""
    return torch.device("cpu") if generator is None else generator.device


def _matrix(name: str, tensor: Tensor) -> None:
    if tensor.dim() != 2:
        raise ValueError(f"{name}: expects a matrix (out, in), got shape {tuple(tensor.shape)}")


def _floating(name: str, tensor: Tensor) -> None:
    if not tensor.is_floating_point():
        raise TypeError(f"{name}: expects a floating-point tensor, got {tensor.dtype}")


def _spread(name: str, mean: float, std: float) -> None:
    if not math.isfinite(mean):
        raise ValueError(f"{name}: mean expects a finite number, got {mean}")
    if not 0 <= std < math.inf:
        raise ValueError(f"{name}: std expects a finite number >= 0, got {std}")


def _fans(name: str, tensor: Tensor) -> tuple[int, int]:
    _floating(name, tensor)
    if tensor.dim() < 2:
        raise ValueError(
            f"{name}: expects a weight of at least 2 dimensions (out, in, ...), "
            f"got shape {tuple(tensor.shape)}"
        )
    kernel = math.prod(tensor.shape[2:])
    return tensor.shape[1] * kernel, tensor.shape[0] * kernel


def _xavier_std(name: str, tensor: Tensor, gain: float) -> float:
    fan_in, fan_out = _fans(name, tensor)
    if not 0 <= gain < math.inf:
        raise ValueError(f"{name}: gain expects a finite number >= 0, got {gain}")
    return gain * math.sqrt(2.0 / max(fan_in + fan_out, 1))


def _kaiming_std(name: str, tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    fan_in, fan_out = _fans(name, tensor)
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"{name}: mode expects 'fan_in' or 'fan_out', got {mode!r}")
    fan = fan_in if mode == "fan_in" else fan_out
    return calculate_gain(nonlinearity, a) / math.sqrt(max(fan, 1))


def _normal_cdf(x: float) -> float:
    return 0.5 * math.erfc(-x / math.sqrt(2.0))

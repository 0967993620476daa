r"""Normalisation: groups of numbers get mean 0 and variance 1, then a scale and a shift.

Batch, layer, group and instance normalisation do the same thing to different groups, and so they
are one primitive, told which axes a group spans. With :math:`n` numbers in a group,

.. math:: \mu = \frac1n \sum_i x_i, \quad \sigma^2 = \frac1n \sum_i (x_i - \mu)^2, \quad
    \hat x_i = \frac{x_i - \mu}{\sqrt{\sigma^2 + \epsilon}} = r\,(x_i - \mu), \quad
    y_i = \gamma_i \hat x_i + \beta_i .

**Backwards.** Scale and shift are quickly dealt with: :math:`\bar\gamma` is the sum of
:math:`\bar y \hat x` and :math:`\bar\beta` the sum of :math:`\bar y` over all that share them, and
:math:`\hat x` gets :math:`\gamma \bar y`, called :math:`h` here. An input moves every number of its
group, by way of mean and variance. Nudge all inputs by :math:`\dot x`: the mean moves by the mean
:math:`\langle\dot x\rangle`, the variance by :math:`2 \langle (x - \mu)\,\dot x \rangle =
\tfrac2r \langle \hat x \dot x \rangle`, hence :math:`r = (\sigma^2 + \epsilon)^{-1/2}` by
:math:`-r^2 \langle \hat x \dot x \rangle`, and

.. math:: \dot{\hat x}_i = r\,(\dot x_i - \langle\dot x\rangle) + (x_i - \mu)\,\dot r
    = r\,\bigl( \dot x_i - \langle\dot x\rangle - \hat x_i \langle\hat x \dot x\rangle \bigr).

This linear map is its own transpose (an entry of its matrix,
:math:`r\,(\delta_{ij} - \tfrac1n - \tfrac1n \hat x_i \hat x_j)`, is the same for :math:`ij` and
:math:`ji`), so that the cotangents go back through it as the tangents came:

.. math:: \bar x_i = r\,\bigl( h_i - \langle h \rangle - \hat x_i \langle h \hat x \rangle \bigr),
    \qquad h_i = \gamma_i \bar y_i .

It takes out of the cotangent what a shift or a scaling of the whole group would add, for the output
does not depend on either. Without the mean (RMS normalisation) the term
:math:`\langle h \rangle` goes; with statistics that come from elsewhere (a batch normalisation in
evaluation) both go, and :math:`\bar x_i = r h_i`.

What is kept for the backward pass is :math:`\hat x` and one :math:`r` for each group.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from dlbook.autodiff.primitives import primitive, readable, sum_to_shape
from dlbook.autodiff.tape import Array, implements, lift
from dlbook.ops.layers import SHORT, _cast

Sizes = tuple[int, ...]


def _seen(x: Array, shape: Sequence[int], dtype: torch.dtype) -> Array:
    """The same numbers in another shape and type."""
    if x.dtype != dtype:
        x = _cast(x, dtype=dtype)
    return x if x.shape == shape else x.reshape(shape)


# --- the rule of all of them --------------------------------------------------------------------


@primitive(saves=True)
def _normalize(
    input: Array,
    weight: Array | None,
    bias: Array | None,
    mean: Tensor | None,
    var: Tensor | None,
    *,
    view: Sizes,
    params: Sizes,
    shared: Sizes,
    rest: Sizes,
    eps: float,
    center: bool,
) -> tuple[Array, tuple[Tensor, ...]]:
    """Normalise over some axes of a view of the input.

    ``params`` is the shape in which weight and bias (and statistics, if they are given) meet it.
    The axes of a group are those that it shares with a parameter, along which that stays the same,
    and the rest.
    """
    axes = shared + rest
    dtype = torch.float32 if input.dtype in SHORT else input.dtype  # sums of the short would suffer
    x = _seen(input, view, dtype)
    if mean is not None and var is not None:
        r = torch.rsqrt(_seen(var, params, dtype) + eps)
        x_hat = (x - _seen(mean, params, dtype)).mul_(r)
    elif center:
        x_hat = x - x.mean(axes, True)
        r = _inverse_root(x_hat, axes, eps)
        x_hat.mul_(r)
    else:
        r = _inverse_root(x, axes, eps)
        x_hat = x * r
    w = None if weight is None else _seen(weight, params, dtype)
    b = None if bias is None else _seen(bias, params, dtype)
    return _like(_scaled(x_hat, w, b), input), (x_hat, r)


def _scaled(x_hat: Tensor, w: Tensor | None, b: Tensor | None) -> Tensor:
    """The product and the sum, in one go where that is faster."""
    if w is None or b is None:
        y = x_hat if w is None else x_hat * w
        return y if b is None else y + b
    if b.shape[-1] > 1:
        return torch.addcmul(b, x_hat, w)
    y = x_hat * w
    return y.add_(b) if readable() else y + b  # torch.func could not map over b alone


def _inverse_root(d: Tensor, axes: Sizes, eps: float) -> Tensor:
    """One over the root of the mean square."""
    if d.ndim == 2 or d.shape[-1] == 1:
        return (d * d).mean(axes, True).add_(eps).rsqrt_()
    # Images are large: their squares are summed without being written down.
    lengths: Tensor = torch.linalg.vector_norm(d, dim=-1, keepdim=True)
    return (lengths * lengths).mean(axes, True).div_(d.shape[-1]).add_(eps).rsqrt_()


@_normalize.saved
def normalize_saved(
    input: Array,
    weight: Any,
    bias: Any,
    mean: Tensor | None,
    var: Tensor | None,
    *,
    view: Sizes,
    params: Sizes,
    shared: Sizes,
    rest: Sizes,
    eps: float,
    center: bool,
) -> Any:
    x = _seen(input, view, torch.float32 if input.dtype in SHORT else input.dtype)
    if mean is not None and var is not None:
        r = (_seen(var, params, x.dtype) + eps) ** -0.5
        return (x - _seen(mean, params, x.dtype)) * r, r
    axes = shared + rest
    d = x - x.mean(axes, True) if center else x
    r = ((d * d).mean(axes, True) + eps) ** -0.5
    return d * r, r


@_normalize.vjp
def normalize_vjp(
    g: Array,
    _y: Any,
    saved: Any,
    input: Array,
    weight: Array | None,
    bias: Array | None,
    mean: Tensor | None,
    _var: Any,
    *,
    view: Sizes,
    params: Sizes,
    shared: Sizes,
    rest: Sizes,
    center: bool,
    **_meta: Any,
) -> Any:
    x_hat, r = saved
    g = _seen(g, view, r.dtype)
    w = None if weight is None else _seen(weight, params, r.dtype)
    # Both a group's mean and a parameter's cotangent are sums: first over the axes they share.
    g_sum = g.sum(shared, True) if shared else g
    gx_sum = (g * x_hat).sum(shared, True) if shared else g * x_hat
    w_bar = None if weight is None else _like(sum_to_shape(gx_sum, params), weight)
    b_bar = None if bias is None else _like(sum_to_shape(g_sum, params), bias)
    if mean is not None:
        return lambda: _like(g * (r if w is None else r * w), input), w_bar, b_bar, None, None
    n = math.prod([view[a] for a in shared + rest])
    share = 1 / n if w is None else w / n
    h_mean = _weighed_sum(g_sum, share, rest) if center else None
    hx_mean = _weighed_sum(gx_sum, share, rest)
    return lambda: _like(_pull(g, w, x_hat, h_mean, hx_mean, r), input), w_bar, b_bar, None, None


def _like(x: Array, other: Array) -> Array:
    return _seen(x, other.shape, other.dtype)


def _weighed_sum(x: Array, share: Array | float, axes: Sizes) -> Array:
    if x.ndim == 2 and axes and not isinstance(share, float):
        return (x @ share).reshape((-1, 1))
    h: Array = x * share
    return h.sum(axes, True) if axes else h


@primitive(broadcast=True)
def _pull(
    g: Array, w: Array | None, x_hat: Array, h_mean: Array | None, hx_mean: Array, r: Array
) -> Array:
    """The cotangent of the input, r (h − ⟨h⟩ − x̂ ⟨h x̂⟩) with h = w ȳ, once the means are known."""
    out = x_hat * hx_mean
    if h_mean is not None:
        out += h_mean
    if not readable():
        return r * ((g if w is None else g * w) - out)
    # The same in one array; torch.func could not map this, and compiled code has no need of it.
    return (out.sub_(g) if w is None else out.addcmul_(g, w, value=-1)).mul_(-r)


@_pull.vjp
def pull_vjp(
    c: Array,
    x_bar: Array,
    g: Array,
    w: Array | None,
    x_hat: Array,
    _h_mean: Any,
    hx_mean: Array,
    r: Array,
) -> Any:
    u = c * r
    return (
        lambda: u if w is None else u * w,
        lambda: u * g,
        lambda: -u * hx_mean,
        lambda: -u,
        lambda: -u * x_hat,
        lambda: c * x_bar / r,
    )


# --- which numbers are a group ------------------------------------------------------------------


def _check_parameters(name: str, shape: Sizes, **parameters: Array | None) -> None:
    """Check that weights, biases and statistics have the one shape that they must have."""
    for what, parameter in parameters.items():
        if parameter is not None and parameter.shape != shape:
            raise ValueError(
                f"{name}: expected {what} of shape {shape}, got {tuple(parameter.shape)}"
            )


def _channels(name: str, input: Array) -> tuple[int, int, int]:
    """Samples, channels, and numbers in a channel of a sample."""
    if len(input.shape) < 2:
        raise ValueError(f"{name}: expected input of shape (B, C, …), got {tuple(input.shape)}")
    return input.shape[0], input.shape[1], math.prod(input.shape[2:])


def _follow(
    running: tuple[Tensor, Tensor], input: Tensor, view: Sizes, axes: Sizes, momentum: float
) -> None:
    """Move running averages towards a batch's mean and variance (that with n - 1).

    The primitive has them too, but hands out nothing besides what it is differentiated for.
    """
    dtype = torch.float32 if input.dtype in SHORT else input.dtype
    with torch.no_grad():
        x = _seen(input, view, dtype)
        mean = x.mean(axes, True)
        d = x - mean
        n = math.prod([view[a] for a in axes])
        var = (d * d).sum(axes, True).div_(n - 1)
        for average, each in zip(running, (mean, var)):
            mean_of_samples = each if len(each) == 1 else each.mean(0)
            average.lerp_(_like(mean_of_samples, average), momentum)


@implements("batch_norm")
def batch_norm(
    input: Float[Array, "B C *S"],
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Array | None = None,
    bias: Array | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Float[Array, "B C *S"]:
    r"""Normalise every channel over the batch.

    .. math:: y_{bcs} = \gamma_c\,\frac{x_{bcs} - \mu_c}{\sqrt{\sigma_c^2 + \epsilon}} + \beta_c
       :label: op-batch-norm

    In training mean and variance are the batch's, and running averages, if there are any, move
    towards them in place. The chain rule goes through both: with
    :math:`r = (\sigma^2 + \epsilon)^{-1/2}`, with :math:`\hat x = r\,(x - \mu)` and means
    :math:`\langle\cdot\rangle` over the numbers that share them (a channel here, other groups in
    the other normalisations),

    .. math:: \bar x = r\,\bigl( h - \langle h \rangle - \hat x \langle h \hat x \rangle \bigr),
        \quad h = \gamma \bar y, \qquad
        \bar\gamma = \sum \bar y \hat x, \quad \bar\beta = \sum \bar y .
       :label: op-normalize-pull

    In evaluation the running averages stand in for mean and variance. They are constants, so that
    only :math:`\bar x = r h` is left.

    Args:
        input: :math:`x`, batch first and channels second, any further axes.
        running_mean: average of the means, or None for none; changed in place in training.
        running_var: average of the variances (with :math:`n - 1`), or None for none.
        weight: :math:`\gamma`, one for each channel, or None for ones.
        bias: :math:`\beta`, one for each channel, or None for zeros.
        training: whether the batch's own statistics are used.
        momentum: the share, from 0 to 1, by which a running average moves towards the new value.
        eps: :math:`\epsilon`, added to the variance.

    Raises:
        ValueError: if the shapes do not fit, a channel has but one number in training, or running
            averages are missing in evaluation.

    Example:
        >>> batch_norm(torch.tensor([[1.0, 5.0], [3.0, 5.0]]), None, None, training=True)
        tensor([[-1.0000,  0.0000],
                [ 1.0000,  0.0000]])

    Chapter: :doc:`/training/normalization`.
    """
    name = "batch_norm"
    samples, channels, size = _channels(name, input)
    _check_parameters(
        name,
        (channels,),
        weight=weight,
        bias=bias,
        running_mean=running_mean,
        running_var=running_var,
    )
    view: Sizes = (samples, channels)
    params: Sizes = (channels,)
    axes: Sizes = (0,)
    if len(input.shape) > 2:
        view, params, axes = (*view, size), (*params, 1), (0, 2)
    mean = var = None
    if training:
        if samples * size == 1:
            raise ValueError(
                f"{name}: expected more than one number a channel in training, got input of shape "
                f"{tuple(input.shape)}"
            )
        if running_mean is not None and running_var is not None:
            _follow((running_mean, running_var), lift(input), view, axes, momentum)
    else:
        mean, var = running_mean, running_var
        if mean is None or var is None:
            raise ValueError(f"{name}: expected running_mean and running_var in evaluation")
    return _normalize(
        input,
        weight,
        bias,
        mean,
        var,
        view=view,
        params=params,
        shared=axes,
        rest=(),
        eps=eps,
        center=True,
    )


@implements("instance_norm")
def instance_norm(
    input: Float[Array, "B C *S"],
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Array | None = None,
    bias: Array | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Float[Array, "B C *S"]:
    r"""Normalise every channel of every sample by itself.

    .. math:: y_{bcs} = \gamma_c\,\frac{x_{bcs} - \mu_{bc}}{\sqrt{\sigma_{bc}^2 + \epsilon}}
        + \beta_c
       :label: op-instance-norm

    Args:
        input: :math:`x`, batch first and channels second, then the axes that are averaged.
        running_mean: average of the means, or None for none; moves in place if the input's
            statistics are used, towards their mean over the samples.
        running_var: average of the variances (with :math:`n - 1`), or None for none.
        weight: :math:`\gamma`, one for each channel, or None for ones.
        bias: :math:`\beta`, one for each channel, or None for zeros.
        use_input_stats: whether mean and variance are the input's own; otherwise the running
            averages stand in for them.
        momentum: the share, from 0 to 1, by which a running average moves towards the new value.
        eps: :math:`\epsilon`, added to the variance.

    Raises:
        ValueError: if the shapes do not fit, a channel of a sample has but one number, or running
            averages are missing where they are needed.

    Example:
        >>> instance_norm(torch.tensor([[[1.0, 3.0], [4.0, 8.0]]]))
        tensor([[[-1.0000,  1.0000],
                 [-1.0000,  1.0000]]])

    Chapter: :doc:`/training/normalization`.
    """
    name = "instance_norm"
    samples, channels, size = _channels(name, input)
    _check_parameters(
        name,
        (channels,),
        weight=weight,
        bias=bias,
        running_mean=running_mean,
        running_var=running_var,
    )
    view, params = (samples, channels, size), (channels, 1)
    mean = var = None
    if use_input_stats:
        if size == 1:
            raise ValueError(
                f"{name}: expected more than one number in a channel of a sample, got input of "
                f"shape {tuple(input.shape)}"
            )
        if running_mean is not None and running_var is not None:
            _follow((running_mean, running_var), lift(input), view, (2,), momentum)
    else:
        mean, var = running_mean, running_var
        if mean is None or var is None:
            raise ValueError(
                f"{name}: expected running_mean and running_var for use_input_stats=False"
            )
    return _normalize(
        input,
        weight,
        bias,
        mean,
        var,
        view=view,
        params=params,
        shared=(2,),
        rest=(),
        eps=eps,
        center=True,
    )


@implements("group_norm")
def group_norm(
    input: Float[Array, "B C *S"],
    num_groups: int,
    weight: Array | None = None,
    bias: Array | None = None,
    eps: float = 1e-5,
) -> Float[Array, "B C *S"]:
    r"""Normalise groups of neighbouring channels, every sample by itself.

    .. math:: y_{bcs} = \gamma_c\,\frac{x_{bcs} - \mu_{bg}}{\sqrt{\sigma_{bg}^2 + \epsilon}}
        + \beta_c, \qquad c \text{ in group } g
       :label: op-group-norm

    One group is layer normalisation over a whole sample, as many groups as channels is
    :func:`instance_norm`. Backwards, see :eq:`op-normalize-pull`.

    Args:
        input: :math:`x`, batch first and channels second, any further axes.
        num_groups: how many groups the channels are divided into; must divide their number.
        weight: :math:`\gamma`, one for each channel, or None for ones.
        bias: :math:`\beta`, one for each channel, or None for zeros.
        eps: :math:`\epsilon`, added to the variance.

    Raises:
        ValueError: if the shapes do not fit, the groups do not divide the channels, or there is
            but one number a group in all samples together.

    Example:
        >>> group_norm(torch.tensor([[1.0, 3.0, 4.0, 8.0]]), 2)
        tensor([[-1.0000,  1.0000, -1.0000,  1.0000]])

    Chapter: :doc:`/training/normalization`.
    """
    name = "group_norm"
    samples, channels, size = _channels(name, input)
    if num_groups < 1 or channels % num_groups:
        raise ValueError(
            f"{name}: expected a number of groups that divides {channels} channels, got "
            f"{num_groups}"
        )
    _check_parameters(name, (channels,), weight=weight, bias=bias)
    members = channels // num_groups
    if samples * members * size == 1:
        raise ValueError(
            f"{name}: expected more than one number a group, got {num_groups} groups of an input "
            f"of shape {tuple(input.shape)}"
        )
    return _normalize(
        input,
        weight,
        bias,
        None,
        None,
        view=(samples, num_groups, members, size),
        params=(num_groups, members, 1),
        shared=(3,),
        rest=(2,),
        eps=eps,
        center=True,
    )


def _last_axes(
    name: str, input: Array, normalized_shape: Sequence[int], **parameters: Array | None
) -> tuple[int, int]:
    """How many groups the last axes make, and of how many numbers."""
    shape = tuple(normalized_shape)
    if not shape or input.shape[-len(shape) :] != shape:
        raise ValueError(
            f"{name}: expected normalized_shape to be the input's last sizes, got {shape} for "
            f"input of shape {tuple(input.shape)}"
        )
    _check_parameters(name, shape, **parameters)
    return math.prod(input.shape[: -len(shape)]), math.prod(shape)


@implements("layer_norm")
def layer_norm(
    input: Float[Array, "*B D"],
    normalized_shape: Sequence[int],
    weight: Array | None = None,
    bias: Array | None = None,
    eps: float = 1e-5,
) -> Float[Array, "*B D"]:
    r"""Normalise the features of every sample by themselves, over the last axes.

    .. math:: y_{bd} = \gamma_d\,\frac{x_{bd} - \mu_b}{\sqrt{\sigma_b^2 + \epsilon}} + \beta_d
       :label: op-layer-norm

    No sample sees another, so training and evaluation do the same. Backwards, see
    :eq:`op-normalize-pull`.

    Args:
        input: :math:`x`, any leading axes.
        normalized_shape: the sizes of the last axes, over which mean and variance are taken.
        weight: :math:`\gamma` of shape ``normalized_shape``, or None for ones.
        bias: :math:`\beta` of shape ``normalized_shape``, or None for zeros.
        eps: :math:`\epsilon`, added to the variance.

    Raises:
        ValueError: if the shapes do not fit.

    Example:
        >>> layer_norm(torch.tensor([[1.0, 3.0], [4.0, 8.0]]), (2,))
        tensor([[-1.0000,  1.0000],
                [-1.0000,  1.0000]])

    Chapter: :doc:`/training/normalization`.
    """
    rows, size = _last_axes("layer_norm", input, normalized_shape, weight=weight, bias=bias)
    return _normalize(
        input,
        weight,
        bias,
        None,
        None,
        view=(rows, size),
        params=(size,),
        shared=(),
        rest=(1,),
        eps=eps,
        center=True,
    )


@implements("rms_norm")
def rms_norm(
    input: Float[Array, "*B D"],
    normalized_shape: Sequence[int],
    weight: Array | None = None,
    eps: float | None = None,
) -> Float[Array, "*B D"]:
    r"""Divide the features of every sample by their root mean square: the mean stays.

    .. math:: y_{bd} = \gamma_d\,\frac{x_{bd}}{\sqrt{\langle x_b^2 \rangle + \epsilon}}
       :label: op-rms-norm

    Backwards, the term with the mean goes from :eq:`op-normalize-pull`.

    Args:
        input: :math:`x`, any leading axes.
        normalized_shape: the sizes of the last axes, over which the mean square is taken.
        weight: :math:`\gamma` of shape ``normalized_shape``, or None for ones.
        eps: :math:`\epsilon`, added to the mean square; the spacing of the input's type at 1
            (float32's for shorter types) when None.

    Raises:
        ValueError: if the shapes do not fit.

    Example:
        >>> rms_norm(torch.tensor([[1.0, 7.0], [4.0, 3.0]]), (2,))
        tensor([[0.2000, 1.4000],
                [1.1314, 0.8485]])

    Chapter: :doc:`/training/normalization`.
    """
    rows, size = _last_axes("rms_norm", input, normalized_shape, weight=weight)
    if eps is None:
        eps = torch.finfo(torch.float32 if input.dtype in SHORT else input.dtype).eps
    return _normalize(
        input,
        weight,
        None,
        None,
        None,
        view=(rows, size),
        params=(size,),
        shared=(),
        rest=(1,),
        eps=eps,
        center=False,
    )


# --- neighbours in other channels ---------------------------------------------------------------


@primitive
def _channel_sum(input: Array, *, before: int, after: int) -> Array:
    """Every channel plus those up to so many places before and after it."""
    out: Array = input.clone()
    channels = input.shape[1]
    for step in range(1, before + 1):
        if step < channels:
            out[:, step:] += input[:, :-step]
    for step in range(1, after + 1):
        if step < channels:
            out[:, :-step] += input[:, step:]
    return out


@_channel_sum.vjp
def channel_sum_vjp(g: Array, _y: Any, _x: Any, *, before: int, after: int) -> Any:
    """Who was before is now after."""
    return (_channel_sum(g, before=after, after=before),)


@primitive(saves=True)
def _local_response_norm(
    input: Array, *, before: int, after: int, alpha: float, beta: float, k: float
) -> tuple[Array, tuple[Tensor, ...]]:
    x = _cast(input, dtype=torch.float32) if input.dtype in SHORT else input
    d = _channel_sum(x * x, before=before, after=after)
    d = d.mul_(alpha).add_(k) if readable() else d * alpha + k
    r = d**-beta
    return _like(x * r, input), (d, r)


@_local_response_norm.saved
def local_response_norm_saved(
    input: Array, *, before: int, after: int, alpha: float, beta: float, k: float
) -> Any:
    x = _cast(input, dtype=torch.float32) if input.dtype in SHORT else input
    d = _channel_sum(x * x, before=before, after=after) * alpha + k
    return d, d**-beta


@_local_response_norm.vjp
def local_response_norm_vjp(
    g: Array,
    _y: Any,
    saved: Any,
    input: Array,
    *,
    before: int,
    after: int,
    alpha: float,
    beta: float,
    **_k: Any,
) -> Any:
    d, r = saved
    x, g = _seen(input, d.shape, d.dtype), _seen(g, d.shape, d.dtype)
    gr = g * r
    # Channel i stands in the sums of those that it is before or after of.
    others = _channel_sum(gr * x / d, before=after, after=before)
    return (_like(gr - (2 * alpha * beta) * x * others, input),)


@implements("local_response_norm")
def local_response_norm(
    input: Float[Array, "B C *S"],
    size: int,
    alpha: float = 1e-4,
    beta: float = 0.75,
    k: float = 1.0,
) -> Float[Array, "B C *S"]:
    r"""Divide every number by what the neighbouring channels have at the same place.

    .. math:: y_{bcs} = x_{bcs}\,d_{bcs}^{-\beta}, \qquad
        d_{bcs} = k + \frac\alpha n
        \sum_{c' = c - \lfloor n/2 \rfloor}^{c + \lfloor (n-1)/2 \rfloor} x_{bc's}^2
       :label: op-local-response-norm

    Channels beyond the first and the last count as 0. A strong response weakens those beside it.
    Backwards, a channel is met in its own quotient and in its neighbours' sums,

    .. math:: \bar x_c = \bar y_c\,d_c^{-\beta} - \frac{2 \alpha \beta}{n}\,x_c
        \sum_{c'} \bar y_{c'}\,x_{c'}\,d_{c'}^{-\beta - 1}

    over those :math:`c'` that have :math:`c` in their window.

    Departs from Krizhevsky, Sutskever and Hinton (2012), who do not divide :math:`\alpha` by
    :math:`n`: their :math:`\alpha = 10^{-4}` with :math:`n = 5` is ``alpha=5e-4`` here, as in
    PyTorch.

    Args:
        input: :math:`x`, batch first and channels second, any further axes.
        size: :math:`n`, how many channels a sum has, 1 or more.
        alpha: :math:`\alpha`, the weight of their mean square.
        beta: :math:`\beta`, the exponent.
        k: what the sum begins with.

    Raises:
        ValueError: for a ``size`` below 1, or an input without an axis of channels.

    Example:
        >>> local_response_norm(torch.tensor([[1.0, 2.0, 3.0]]), 3, alpha=3.0, beta=1.0)
        tensor([[0.1667, 0.1333, 0.2143]])

    Chapter: CNN architectures, in the part on images.
    """
    _channels("local_response_norm", input)
    if size < 1:
        raise ValueError(f"local_response_norm: expected a size of at least 1, got {size}")
    return _local_response_norm(
        input, before=size // 2, after=(size - 1) // 2, alpha=alpha / size, beta=beta, k=k
    )

"""Normalisation layers, with torch.nn's parameters and running averages.

Chapter: :doc:`/training/normalization`.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import Parameter

from dlbook import init
from dlbook.ops import normalization


class _PerChannel(nn.Module):
    """What batch and instance normalisation own: a scale, a shift and running averages a channel.

    Args:
        num_features: channels, C.
        eps: added to the variance.
        momentum: the share by which running averages move; None for the mean over all batches.
        affine: whether there are a scale and a shift.
        track_running_stats: whether running averages are kept.
        device: where parameters and averages live.
        dtype: their floating-point type.
        bias: whether the scale comes with a shift.
    """

    weight: Parameter | None
    bias: Parameter | None
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None
    axes: tuple[int, ...]  # how many the input may have

    def __init__(
        self,
        num_features: int,
        eps: float,
        momentum: float | None,
        affine: bool,
        track_running_stats: bool,
        device: Any,
        dtype: torch.dtype | None,
        bias: bool,
    ) -> None:
        super().__init__()
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats

        def numbers() -> Tensor:
            return torch.empty(num_features, device=device, dtype=dtype)

        self.register_parameter("weight", Parameter(numbers()) if affine else None)
        self.register_parameter("bias", Parameter(numbers()) if affine and bias else None)
        tracked = track_running_stats
        count = torch.zeros((), dtype=torch.int64, device=device) if tracked else None
        self.register_buffer("running_mean", numbers() if tracked else None)
        self.register_buffer("running_var", numbers() if tracked else None)
        self.register_buffer("num_batches_tracked", count)
        self.reset_parameters()

    def reset_running_stats(self) -> None:
        """Forget the batches seen so far."""
        for average, start in ((self.running_mean, 0), (self.running_var, 1)):
            if average is not None:
                average.fill_(start)
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.zero_()

    def reset_parameters(self) -> None:
        """Begin with scale 1, shift 0 and nothing seen."""
        self.reset_running_stats()
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    _version = 2  # as PyTorch counts them: since its second, batches are counted

    def _load_from_state_dict(
        self, state_dict: Any, prefix: str, local_metadata: Any, *more: Any
    ) -> None:
        """Take older states too, which have no count of batches."""
        old = local_metadata.get("version", 1) < 2
        if old and self.num_batches_tracked is not None:
            state_dict.setdefault(f"{prefix}num_batches_tracked", self.num_batches_tracked)
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *more)

    def _check(self, input: Tensor, axis: int = 1) -> None:
        name = type(self).__name__
        if input.ndim not in self.axes:
            expected = " or ".join(map(str, self.axes))
            raise ValueError(
                f"{name}: expected input of {expected} axes, got shape {tuple(input.shape)}"
            )
        if input.shape[axis] != self.num_features:
            raise ValueError(
                f"{name}: expected {self.num_features} channels, got input of shape "
                f"{tuple(input.shape)}"
            )

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )


class _BatchNorm(_PerChannel):
    """Batch normalisation for inputs of any number of axes (:eq:`op-batch-norm`)."""

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: torch.dtype | None = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(
            num_features, eps, momentum, affine, track_running_stats, device, dtype, bias
        )

    def forward(self, input: Tensor) -> Tensor:
        self._check(input)
        momentum = self.momentum
        if self.training and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
            if momentum is None:  # the mean over all batches moves by one part in their number
                momentum = 1 / float(self.num_batches_tracked)
        return normalization.batch_norm(
            input,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or self.running_mean is None,
            0.0 if momentum is None else momentum,
            self.eps,
        )


class BatchNorm1d(_BatchNorm):
    r"""Batch normalisation of features, or of channels of a series (:eq:`op-batch-norm`).

    In training the batch's own mean and variance are used, and running averages follow them; in
    evaluation (``eval()``) the running averages are used, so that a prediction does not depend on
    what else is in its batch.

    Args:
        num_features: features or channels, C.
        eps: added to the variance.
        momentum: the share by which running averages move towards a batch's values; None for the
            plain mean over all batches.
        affine: whether there are a scale and a shift for each channel.
        track_running_stats: whether running averages are kept; if not, the batch's own statistics
            are used in evaluation too.
        device: where parameters and averages live.
        dtype: their floating-point type.
        bias: whether the scale comes with a shift.

    Attributes:
        weight: the scale of shape (C,), 1 at the start, or None.
        bias: the shift of shape (C,), 0 at the start, or None.
        running_mean: average of the batches' means, 0 at the start.
        running_var: average of their variances (with :math:`n - 1`), 1 at the start.
        num_batches_tracked: how many batches they have seen.

    Raises:
        ValueError: for an input of other than 2 or 3 axes or of other channels, or of one number
            a channel in training.

    Example:
        >>> layer = BatchNorm1d(2)
        >>> layer(torch.tensor([[1.0, 5.0], [3.0, 9.0]])).tolist()
        [[-0.9999..., -0.9999...], [0.9999..., 0.9999...]]
        >>> layer.running_mean
        tensor([0.2000, 0.7000])

    Chapter: :doc:`/training/normalization`.
    """

    axes = (2, 3)


class BatchNorm2d(_BatchNorm):
    r"""Batch normalisation of the channels of images (:eq:`op-batch-norm`).

    The arguments and attributes are those of :class:`BatchNorm1d`; the input has the axes
    (B, C, H, W).

    Example:
        >>> BatchNorm2d(3)(torch.randn(5, 3, 8, 8)).shape
        torch.Size([5, 3, 8, 8])

    Chapter: :doc:`/training/normalization`.
    """

    axes = (4,)


class BatchNorm3d(_BatchNorm):
    r"""Batch normalisation of the channels of volumes (:eq:`op-batch-norm`).

    The arguments and attributes are those of :class:`BatchNorm1d`; the input has five axes, batch
    first and channels second.

    Example:
        >>> BatchNorm3d(3)(torch.randn(5, 3, 4, 4, 4)).shape
        torch.Size([5, 3, 4, 4, 4])

    Chapter: :doc:`/training/normalization`.
    """

    axes = (5,)


class _InstanceNorm(_PerChannel):
    """Instance normalisation for inputs of any number of axes (:eq:`op-instance-norm`)."""

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        device: Any = None,
        dtype: torch.dtype | None = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(
            num_features, eps, momentum, affine, track_running_stats, device, dtype, bias
        )

    def forward(self, input: Tensor) -> Tensor:
        one = input.ndim == min(self.axes)  # a single sample
        self._check(input, 0 if one else 1)
        y = normalization.instance_norm(
            input.unsqueeze(0) if one else input,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or self.running_mean is None,
            self.momentum or 0.0,
            self.eps,
        )
        return y.squeeze(0) if one else y


class InstanceNorm1d(_InstanceNorm):
    r"""Normalise every channel of every series by itself (:eq:`op-instance-norm`).

    The arguments and attributes are those of :class:`BatchNorm1d`, but neither scale and shift nor
    running averages are there unless asked for.

    Departs from PyTorch, which without a scale lets an input of other channels through, with a
    warning.

    Raises:
        ValueError: for an input of other than 2 axes (one sample) or 3, of other channels, or of
            one number a channel.

    Example:
        >>> InstanceNorm1d(2)(torch.tensor([[[1.0, 3.0], [4.0, 8.0]]]))
        tensor([[[-1.0000,  1.0000],
                 [-1.0000,  1.0000]]])

    Chapter: :doc:`/training/normalization`.
    """

    axes = (2, 3)


class InstanceNorm2d(_InstanceNorm):
    r"""Normalise every channel of every image by itself (:eq:`op-instance-norm`).

    The arguments are those of :class:`InstanceNorm1d`; the input has the axes (B, C, H, W), or
    (C, H, W) for one image.

    Example:
        >>> InstanceNorm2d(3)(torch.randn(5, 3, 8, 8)).shape
        torch.Size([5, 3, 8, 8])

    Chapter: :doc:`/training/normalization`.
    """

    axes = (3, 4)


class GroupNorm(nn.Module):
    r"""Normalise groups of channels, every sample by itself (:eq:`op-group-norm`).

    Args:
        num_groups: groups; must divide the channels.
        num_channels: channels, C.
        eps: added to the variance.
        affine: whether there are a scale and a shift for each channel.
        device: where they live.
        dtype: their floating-point type.
        bias: whether the scale comes with a shift.

    Attributes:
        weight: the scale of shape (C,), 1 at the start, or None.
        bias: the shift of shape (C,), 0 at the start, or None.

    Raises:
        ValueError: if the groups do not divide the channels.

    Example:
        >>> GroupNorm(2, 4)(torch.randn(5, 4, 8, 8)).shape
        torch.Size([5, 4, 8, 8])

    Chapter: :doc:`/training/normalization`.
    """

    weight: Parameter | None
    bias: Parameter | None

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        device: Any = None,
        dtype: torch.dtype | None = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        if num_groups < 1 or num_channels % num_groups:
            raise ValueError(
                f"GroupNorm: expected a number of groups that divides {num_channels} channels, got "
                f"{num_groups}"
            )
        self.num_groups = num_groups
        self.num_channels = num_channels
        self.eps = eps
        self.affine = affine

        def numbers() -> Parameter:
            return Parameter(torch.empty(num_channels, device=device, dtype=dtype))

        self.register_parameter("weight", numbers() if affine else None)
        self.register_parameter("bias", numbers() if affine and bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Begin with scale 1 and shift 0."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def forward(self, input: Tensor) -> Tensor:
        return normalization.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, "
            f"bias={self.bias is not None}"
        )


def _sizes(shape: int | Sequence[int]) -> tuple[int, ...]:
    return (shape,) if isinstance(shape, int) else tuple(shape)


class LayerNorm(nn.Module):
    r"""Normalise the features of every sample by themselves (:eq:`op-layer-norm`).

    Args:
        normalized_shape: the sizes of the last axes, or the size of the last axis.
        eps: added to the variance.
        elementwise_affine: whether there are a scale and a shift for each feature.
        bias: whether the scale comes with a shift.
        device: where they live.
        dtype: their floating-point type.

    Attributes:
        weight: the scale of shape ``normalized_shape``, 1 at the start, or None.
        bias: the shift of the same shape, 0 at the start, or None.

    Example:
        >>> LayerNorm(2)(torch.tensor([[1.0, 3.0], [4.0, 8.0]])).shape
        torch.Size([2, 2])

    Chapter: :doc:`/training/normalization`.
    """

    weight: Parameter | None
    bias: Parameter | None

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: Any = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        shape = _sizes(normalized_shape)
        self.normalized_shape = shape
        self.eps = eps
        self.elementwise_affine = elementwise_affine

        def numbers() -> Parameter:
            return Parameter(torch.empty(shape, device=device, dtype=dtype))

        self.register_parameter("weight", numbers() if elementwise_affine else None)
        self.register_parameter("bias", numbers() if elementwise_affine and bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Begin with scale 1 and shift 0."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def forward(self, input: Tensor) -> Tensor:
        return normalization.layer_norm(
            input, self.normalized_shape, self.weight, self.bias, self.eps
        )

    def extra_repr(self) -> str:
        return (
            f"{self.normalized_shape}, eps={self.eps}, "
            f"elementwise_affine={self.elementwise_affine}, bias={self.bias is not None}"
        )


class RMSNorm(nn.Module):
    r"""Divide the features of every sample by their root mean square (:eq:`op-rms-norm`).

    Args:
        normalized_shape: the sizes of the last axes, or the size of the last axis.
        eps: added to the mean square; the spacing of the input's type at 1 when None.
        elementwise_affine: whether there is a scale for each feature.
        device: where it lives.
        dtype: its floating-point type.

    Attributes:
        weight: the scale of shape ``normalized_shape``, 1 at the start, or None.

    Example:
        >>> RMSNorm(2)(torch.tensor([[1.0, 7.0]]))
        tensor([[0.2000, 1.4000]], grad_fn=...)

    Chapter: :doc:`/training/normalization`.
    """

    weight: Parameter | None

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float | None = None,
        elementwise_affine: bool = True,
        device: Any = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        shape = _sizes(normalized_shape)
        self.normalized_shape = shape
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        weight = Parameter(torch.empty(shape, device=device, dtype=dtype))
        self.register_parameter("weight", weight if elementwise_affine else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Begin with scale 1."""
        if self.weight is not None:
            init.ones_(self.weight)

    def forward(self, input: Tensor) -> Tensor:
        return normalization.rms_norm(input, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"
        )


class LocalResponseNorm(nn.Module):
    r"""Divide by what the neighbouring channels have at the same place
    (:eq:`op-local-response-norm`).

    Args:
        size: how many channels are summed, the one in the middle with them.
        alpha: the weight of their mean square.
        beta: the exponent.
        k: what the sum begins with.

    Raises:
        ValueError: for a ``size`` below 1, or an input without an axis of channels.

    Example:
        >>> LocalResponseNorm(5)(torch.randn(2, 8, 3, 3)).shape
        torch.Size([2, 8, 3, 3])

    Chapter: CNN architectures, in the part on images.
    """

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        super().__init__()
        self.size = size
        self.alpha = alpha
        self.beta = beta
        self.k = k

    def forward(self, input: Tensor) -> Tensor:
        return normalization.local_response_norm(input, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"

"""Pooling layers, with torch.nn's arguments; they have no parameters.

Chapter: ``images/pooling``.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from dlbook.ops import pooling

Size = int | Sequence[int]
OutputSize = int | Sequence[int | None] | None


class _MaxPool(nn.Module):
    """What max pooling is told, for series and images."""

    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        dilation: Size = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.dilation = dilation
        self.return_indices = return_indices
        self.ceil_mode = ceil_mode

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        )


class MaxPool1d(_MaxPool):
    r"""Take the largest number of every window of a series (:eq:`op-max-pool1d`).

    Args:
        kernel_size: numbers in a window.
        stride: from one window's start to the next; the kernel's size when None.
        padding: places without a number before and after the axis, at most half the kernel.
        dilation: from one number of a window to the next.
        return_indices: whether to return also where the winners stand.
        ceil_mode: whether a last window may stick out at the end.

    Raises:
        ValueError: for an input that is not of shape (B, C, T), with or without B, sizes that
            are out of range, or where no window fits.

    Example:
        >>> MaxPool1d(2)(torch.tensor([[[1.0, 5.0, 2.0, 3.0]]]))
        tensor([[[5., 3.]]])

    Chapter: ``images/pooling``.
    """

    def forward(self, input: torch.Tensor) -> Any:
        return pooling.max_pool1d(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            self.ceil_mode,
            self.return_indices,
        )


class MaxPool2d(_MaxPool):
    r"""Take the largest number of every window of an image (:eq:`op-max-pool2d`).

    Args:
        kernel_size: height and width of a window, or one number for both. So the other sizes.
        stride: from one window's start to the next; the kernel's size when None.
        padding: places without a number at the borders, at most half the kernel.
        dilation: from one number of a window to the next.
        return_indices: whether to return also where the winners stand.
        ceil_mode: whether last windows may stick out below and on the right.

    Raises:
        ValueError: for an input that is not of shape (B, C, H, W), with or without B, sizes that
            are out of range, or where no window fits.

    Example:
        >>> MaxPool2d(3, stride=2, padding=1)(torch.randn(5, 64, 112, 112)).shape
        torch.Size([5, 64, 56, 56])

    Chapter: ``images/pooling``.
    """

    def forward(self, input: torch.Tensor) -> Any:
        return pooling.max_pool2d(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            self.ceil_mode,
            self.return_indices,
        )


class AvgPool1d(nn.Module):
    r"""Average every window of a series (:eq:`op-avg-pool1d`).

    Args:
        kernel_size: numbers in a window.
        stride: from one window's start to the next; the kernel's size when None.
        padding: zeros before and after the axis, at most half the kernel.
        ceil_mode: whether a last window may stick out at the end; what does is not counted.
        count_include_pad: whether the zeros of the padding are counted.

    Raises:
        ValueError: for an input that is not of shape (B, C, T), with or without B, sizes that are
            out of range, or where no window fits.

    Example:
        >>> AvgPool1d(2)(torch.tensor([[[1.0, 5.0, 2.0, 4.0]]]))
        tensor([[[3., 3.]]])

    Chapter: ``images/pooling``.
    """

    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return pooling.avg_pool1d(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
        )

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool2d(nn.Module):
    r"""Average every window of an image (:eq:`op-avg-pool2d`).

    Args:
        kernel_size: height and width of a window, or one number for both. So the other sizes.
        stride: from one window's start to the next; the kernel's size when None.
        padding: zeros at the borders, at most half the kernel.
        ceil_mode: whether last windows may stick out below and on the right; what does is not
            counted.
        count_include_pad: whether the zeros of the padding are counted.
        divisor_override: a number other than 0 to divide by instead of the count.

    Raises:
        ValueError: for an input that is not of shape (B, C, H, W), with or without B, sizes that
            are out of range, or where no window fits.

    Example:
        >>> AvgPool2d(2)(torch.randn(5, 6, 28, 28)).shape
        torch.Size([5, 6, 14, 14])

    Chapter: ``images/pooling``.
    """

    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad
        self.divisor_override = divisor_override

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return pooling.avg_pool2d(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            self.divisor_override,
        )

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class _AdaptiveAvgPool(nn.Module):
    """What adaptive averaging is told, for series and images."""

    def __init__(self, output_size: OutputSize) -> None:
        super().__init__()
        self.output_size = output_size

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class AdaptiveAvgPool1d(_AdaptiveAvgPool):
    r"""Average as many windows of a series as are asked for (:eq:`op-adaptive-pool`).

    Args:
        output_size: how many; as many as numbers when None.

    Raises:
        ValueError: for an input that is not of shape (B, C, T), with or without B.

    Example:
        >>> AdaptiveAvgPool1d(2)(torch.tensor([[[1.0, 5.0, 3.0]]]))
        tensor([[[3., 4.]]])

    Chapter: ``images/pooling``.
    """

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return pooling.adaptive_avg_pool1d(input, self.output_size)


class AdaptiveAvgPool2d(_AdaptiveAvgPool):
    r"""Average as many windows of an image as are asked for (:eq:`op-adaptive-pool`).

    Args:
        output_size: height and width of the output, or one number for both; None for the input's.

    Raises:
        ValueError: for an input that is not of shape (B, C, H, W), with or without B.

    Example:
        >>> AdaptiveAvgPool2d(1)(torch.randn(5, 512, 7, 7)).shape
        torch.Size([5, 512, 1, 1])

    Chapter: ``images/pooling``.
    """

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return pooling.adaptive_avg_pool2d(input, self.output_size)


class _AdaptiveMaxPool(nn.Module):
    """What adaptive max pooling is told, for series and images."""

    def __init__(self, output_size: OutputSize, return_indices: bool = False) -> None:
        super().__init__()
        self.output_size = output_size
        self.return_indices = return_indices

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class AdaptiveMaxPool1d(_AdaptiveMaxPool):
    r"""Take the largest of as many windows of a series as are asked for (:eq:`op-adaptive-pool`).

    Args:
        output_size: how many; as many as numbers when None.
        return_indices: whether to return also where the winners stand.

    Raises:
        ValueError: for an input that is not of shape (B, C, T), with or without B.

    Example:
        >>> AdaptiveMaxPool1d(1)(torch.tensor([[[1.0, 5.0, 3.0]]]))
        tensor([[[5.]]])

    Chapter: ``images/pooling``.
    """

    def forward(self, input: torch.Tensor) -> Any:
        return pooling.adaptive_max_pool1d(input, self.output_size, self.return_indices)


class AdaptiveMaxPool2d(_AdaptiveMaxPool):
    r"""Take the largest of as many windows of an image as are asked for (:eq:`op-adaptive-pool`).

    Args:
        output_size: height and width of the output, or one number for both; None for the input's.
        return_indices: whether to return also where the winners stand.

    Raises:
        ValueError: for an input that is not of shape (B, C, H, W), with or without B.

    Example:
        >>> AdaptiveMaxPool2d(6)(torch.randn(5, 256, 13, 13)).shape
        torch.Size([5, 256, 6, 6])

    Chapter: ``images/pooling``.
    """

    def forward(self, input: torch.Tensor) -> Any:
        return pooling.adaptive_max_pool2d(input, self.output_size, self.return_indices)

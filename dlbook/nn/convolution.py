"""Convolutions that own their kernels, under torch.nn's names, shapes and initial values.

Chapter: :doc:`/images/convolution`.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import Parameter

from dlbook import init
from dlbook.ops import arithmetic, convolution

Sizes = int | Sequence[int]
MODES = ("zeros", "reflect", "replicate", "circular")


class _Conv(nn.Module):
    """What the three have in common: the settings, a kernel and a bias, and how they begin."""

    axes: int
    bias: Parameter | None

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sizes,
        stride: Sizes,
        padding: Sizes | str,
        dilation: Sizes,
        groups: int,
        bias: bool,
        padding_mode: str,
        shape: tuple[int, int],
        device: Any,
        dtype: torch.dtype | None,
    ) -> None:
        super().__init__()
        name, axes = type(self).__name__, self.axes
        if groups < 1 or in_channels % groups or out_channels % groups:
            raise ValueError(
                f"{name}: expected a number of groups that divides in_channels {in_channels} and "
                f"out_channels {out_channels}, got {groups}"
            )
        if padding_mode not in MODES:
            raise ValueError(f"{name}: expected padding_mode in {MODES}, got {padding_mode!r}")
        self.in_channels = in_channels
        self.out_channels = out_channels
        several = convolution.several
        self.kernel_size = several(name, "kernel_size", kernel_size, axes, 1)
        self.stride = several(name, "stride", stride, axes, 1)
        self.padding = (
            padding if isinstance(padding, str) else several(name, "padding", padding, axes, 0)
        )
        self.dilation = several(name, "dilation", dilation, axes, 1)
        self.groups = groups
        self.padding_mode = padding_mode
        self.weight = Parameter(torch.empty(*shape, *self.kernel_size, device=device, dtype=dtype))
        convolution.settings(name, self.weight, stride, padding, dilation)  # or refuse them now
        if bias:
            self.bias = Parameter(torch.empty(out_channels, device=device, dtype=dtype))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw initial values."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(self.weight[0].numel())
            init.uniform_(self.bias, -bound, bound)

    def extra_repr(self) -> str:
        words = [f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}"]
        words.append(f"stride={self.stride}")
        nothing = (0,) * self.axes
        for name, plain in (
            ("padding", nothing),
            ("dilation", (1,) * self.axes),
            ("output_padding", nothing),
            ("groups", 1),
        ):
            value = getattr(self, name, plain)
            if value != plain:
                words.append(f"{name}={value}")
        if self.bias is None:
            words.append("bias=False")
        if self.padding_mode != "zeros":
            words.append(f"padding_mode={self.padding_mode}")
        return ", ".join(words)


def _continued(name: str, x: Tensor, padding: Sequence[tuple[int, ...]], mode: str) -> Tensor:
    """Continue every image beyond its edges with its own numbers."""
    for axis, (before, after) in enumerate(padding, start=x.ndim - len(padding)):
        size = x.shape[axis]
        most = {"circular": size, "reflect": size - 1, "replicate": max(before, after)}[mode]
        if max(before, after) > most:
            raise ValueError(
                f"{name}: expected padding of at most {most} in mode "
                f"{mode!r}, got {(before, after)} for input of shape {tuple(x.shape)}"
            )
        if mode == "circular":  # slices: quicker than place by place
            last, first = x.narrow(axis, size - before, before), x.narrow(axis, 0, after)
            x = torch.cat([last, x, first], dim=axis)
            continue
        place = torch.arange(-before, size + after, device=x.device)
        if mode == "replicate":
            place = place.clamp(0, size - 1)
        else:
            place = size - 1 - (size - 1 - place.abs()).abs()
        x = arithmetic.index(x, (*(slice(None),) * axis, place))
    return x


class Conv2d(_Conv):
    r"""Slide learned kernels over every image (:eq:`op-conv2d`).

    Kernels and biases begin uniformly between :math:`\pm 1/\sqrt{n}` for the :math:`n` inputs of
    one output, as those of :class:`Linear`.

    Args:
        in_channels: channels of the input, C.
        out_channels: channels of the output, K: how many kernels there are.
        kernel_size: height and width of a kernel, or one number for both.
        stride: steps between neighbouring windows, 1 or more.
        padding: rows and columns added on each side; ``"valid"`` for none, ``"same"`` for as many
            as keep the size.
        dilation: steps between neighbouring weights, 1 or more.
        groups: into how many groups the channels are parted; it divides both numbers of channels.
        bias: whether to add a number to each output channel.
        padding_mode: what is added: ``"zeros"``, ``"reflect"`` for the mirrored image (without its
            edge twice), ``"replicate"`` for the edge again, ``"circular"`` for the other side.
        device: where the parameters live.
        dtype: their floating-point type.

    Attributes:
        weight: the kernels, of shape (K, C / groups, height, width).
        bias: of shape (K,), or None.

    Raises:
        ValueError: if the settings do not fit each other, or the input does not fit them.

    Example:
        >>> Conv2d(3, 8, 5, padding=2)(torch.zeros(4, 3, 28, 28)).shape
        torch.Size([4, 8, 28, 28])

    Chapter: :doc:`/images/convolution`.
    """

    axes = 2

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sizes,
        stride: Sizes = 1,
        padding: Sizes | str = 0,
        dilation: Sizes = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            groups,
            bias,
            padding_mode,
            (out_channels, in_channels // max(groups, 1)),
            device,
            dtype,
        )

    def forward(self, input: Float[Tensor, "*B C H W"]) -> Float[Tensor, "*B K p q"]:
        settings: Any = self.stride, self.padding, self.dilation, self.groups
        if self.padding_mode != "zeros":
            _, padding, _ = convolution.settings("Conv2d", self.weight, *settings[:3])
            input = _continued("Conv2d", input, padding, self.padding_mode)
            settings = self.stride, 0, self.dilation, self.groups
        return convolution.conv2d(input, self.weight, self.bias, *settings)


class Conv1d(_Conv):
    r"""Slide learned kernels along every sequence (:eq:`op-conv1d`).

    Kernels and biases begin uniformly between :math:`\pm 1/\sqrt{n}` for the :math:`n` inputs of
    one output, as those of :class:`Linear`.

    Args:
        in_channels: channels of the input, C.
        out_channels: channels of the output, K: how many kernels there are.
        kernel_size: length of a kernel.
        stride: steps between neighbouring windows, 1 or more.
        padding: positions added on each side, or ``"valid"`` or ``"same"``.
        dilation: steps between neighbouring weights, 1 or more.
        groups: into how many groups the channels are parted; it divides both numbers of channels.
        bias: whether to add a number to each output channel.
        padding_mode: what is added: ``"zeros"``, ``"reflect"``, ``"replicate"``, ``"circular"``, as
            in :class:`Conv2d`.
        device: where the parameters live.
        dtype: their floating-point type.

    Attributes:
        weight: the kernels, of shape (K, C / groups, length).
        bias: of shape (K,), or None.

    Raises:
        ValueError: if the settings do not fit each other, or the input does not fit them.

    Example:
        >>> Conv1d(2, 4, 3)(torch.zeros(5, 2, 10)).shape
        torch.Size([5, 4, 8])

    Chapter: :doc:`/images/convolution`.
    """

    axes = 1

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sizes,
        stride: Sizes = 1,
        padding: Sizes | str = 0,
        dilation: Sizes = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            groups,
            bias,
            padding_mode,
            (out_channels, in_channels // max(groups, 1)),
            device,
            dtype,
        )

    def forward(self, input: Float[Tensor, "*B C L"]) -> Float[Tensor, "*B K p"]:
        settings: Any = self.stride, self.padding, self.dilation, self.groups
        if self.padding_mode != "zeros":
            _, padding, _ = convolution.settings("Conv1d", self.weight, *settings[:3])
            input = _continued("Conv1d", input, padding, self.padding_mode)
            settings = self.stride, 0, self.dilation, self.groups
        return convolution.conv1d(input, self.weight, self.bias, *settings)


class ConvTranspose2d(_Conv):
    r"""Lay learned kernels down for every number of the input (:eq:`op-conv-transpose2d`).

    Its parameters begin uniformly between :math:`\pm 1/\sqrt{n}`, where :math:`n` is the size of
    one input channel's kernels, as in PyTorch.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: height and width of a kernel, or one number for both.
        stride: steps between neighbouring copies of the kernel, 1 or more.
        padding: rows and columns cut off on each side of the output.
        output_padding: rows and columns added again below and on the right.
        groups: into how many groups the channels are parted; it divides both numbers of channels.
        bias: whether to add a number to each output channel.
        dilation: steps between neighbouring weights, 1 or more.
        padding_mode: only ``"zeros"``, as in PyTorch.
        device: where the parameters live.
        dtype: their floating-point type.

    Attributes:
        weight: the kernels, of shape (in_channels, out_channels / groups, height, width).
        bias: of shape (out_channels,), or None.

    Raises:
        ValueError: if the settings do not fit each other, or the input does not fit them.

    Example:
        >>> layer = ConvTranspose2d(8, 3, 4, stride=2, padding=1)
        >>> layer(torch.zeros(4, 8, 14, 14)).shape
        torch.Size([4, 3, 28, 28])

    Chapter: :doc:`/images/convolution`.
    """

    axes = 2

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sizes,
        stride: Sizes = 1,
        padding: Sizes = 0,
        output_padding: Sizes = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Sizes = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        if padding_mode != "zeros":
            raise ValueError(
                f"ConvTranspose2d: expected padding_mode='zeros', got {padding_mode!r}; what is "
                f"cut off needs no filling"
            )
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            groups,
            bias,
            padding_mode,
            (in_channels, out_channels // max(groups, 1)),
            device,
            dtype,
        )
        self.output_padding = convolution.several(
            "ConvTranspose2d", "output_padding", output_padding, 2, 0
        )

    def forward(
        self, input: Float[Tensor, "*B C H W"], output_size: Sequence[int] | None = None
    ) -> Float[Tensor, "*B K p q"]:
        padding: Any = self.padding
        extra = self.output_padding
        if output_size is not None:
            # The height and the width that are asked for say how much is to be added again.
            least = [
                (n - 1) * s - 2 * p + d * (k - 1) + 1
                for n, s, p, d, k in zip(
                    input.shape[-2:], self.stride, padding, self.dilation, self.kernel_size
                )
            ]
            extra = tuple(n - m for n, m in zip(output_size[-2:], least))
            if any(not 0 <= e < s for e, s in zip(extra, self.stride)):
                most = [m + s - 1 for m, s in zip(least, self.stride)]
                raise ValueError(
                    f"ConvTranspose2d: expected an output_size from {least} to {most} for input "
                    f"of shape {tuple(input.shape)}, got {tuple(output_size)}"
                )
        return convolution.conv_transpose2d(
            input,
            self.weight,
            self.bias,
            self.stride,
            padding,
            extra,
            self.groups,
            self.dilation,
        )

r"""Two colour photographs of 427 × 640 pixels, and patches cut from pictures.

The photographs come with scikit-learn: a temple in China, by danielbuechele, and a flower, by
vultilion, both under the Creative Commons Attribution 2.0 licence. They are JPEG files; another
version of the decoder may give a pixel that differs by a level or two out of 255.

Chapter: :doc:`/images/convolution`.
"""

from typing import Literal

import numpy as np
import torch
from torch import Tensor

__all__ = ["load", "luminance", "patches"]

Name = Literal["china", "flower"]


def load(
    name: Name = "china",
    *,
    grey: bool = False,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str | None = None,
) -> Tensor:
    """Return a photograph.

    Args:
        name: ``"china"`` or ``"flower"``.
        grey: in shades of grey, see :func:`luminance`.
        dtype: floating-point type of the values, which lie in [0, 1].
        device: where the tensor lives; the CPU if None.

    Returns:
        ``(3, 427, 640)``: red, green and blue; or ``(1, 427, 640)``, grey.

    Raises:
        ValueError: for another name, or a type that is not floating-point.

    Example:
        >>> load("china").shape, load("flower", grey=True).shape
        (torch.Size([3, 427, 640]), torch.Size([1, 427, 640]))
    """
    if name not in ("china", "flower"):
        raise ValueError(f"photographs.load: name expects 'china' or 'flower', got {name!r}")
    if not dtype.is_floating_point:
        raise ValueError(f"photographs.load: dtype expects a floating-point type, got {dtype}")
    from sklearn.datasets import load_sample_image

    pixels = torch.from_numpy(np.array(load_sample_image(f"{name}.jpg")))
    x = pixels.permute(2, 0, 1).contiguous().to(device=device).to(dtype) / 255
    return luminance(x) if grey else x


def luminance(x: Tensor) -> Tensor:
    r"""Return colour images in shades of grey, by how bright each colour looks.

    .. math:: Y = 0.299\,R + 0.587\,G + 0.114\,B

    Args:
        x: ``(..., 3, H, W)``, red, green, blue.

    Returns:
        ``(..., 1, H, W)``.

    Raises:
        ValueError: if there are not three channels.

    Departures: the weights are those of television (ITU-R BT.601), for values as they are in the
    file. Brightness proper would be a sum of linear intensities.

    Example:
        >>> luminance(torch.tensor([0.0, 1.0, 0.0]).view(3, 1, 1))
        tensor([[[0.5870]]])
    """
    if x.dim() < 3 or x.shape[-3] != 3:
        raise ValueError(
            f"photographs.luminance: expects shape (..., 3, H, W), got {tuple(x.shape)}"
        )
    weights = torch.tensor([0.299, 0.587, 0.114], dtype=x.dtype, device=x.device)
    return (x * weights.view(3, 1, 1)).sum(-3, keepdim=True)


def patches(
    x: Tensor,
    size: int,
    *,
    stride: int | None = None,
    count: int | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Return square pieces of a picture: all at a stride, or some at random places.

    Args:
        x: ``(C, H, W)``.
        size: side of a piece in pixels, from 1 to the smaller of H and W.
        stride: pixels from one piece to the next; None for ``size``, so that they do not overlap.
            What is left at the right and at the bottom is left out.
        count: how many pieces to take at random, instead of those at a stride; each place is
            equally likely, and may come again.
        generator: where the places come from; needed with ``count``.

    Returns:
        ``(N, C, size, size)``, at a stride row by row; copies, not views.

    Raises:
        ValueError: for another shape, or arguments out of range or that don't go together.

    Example:
        >>> x = torch.arange(16.0).view(1, 4, 4)
        >>> patches(x, 2)[1]
        tensor([[[2., 3.],
                 [6., 7.]]])
        >>> patches(x, 2, count=100, generator=torch.Generator().manual_seed(0)).shape
        torch.Size([100, 1, 2, 2])
    """
    if x.dim() != 3:
        raise ValueError(f"photographs.patches: expects shape (C, H, W), got {tuple(x.shape)}")
    channels, height, width = x.shape
    if not 1 <= size <= min(height, width):
        raise ValueError(
            f"photographs.patches: size expects a number from 1 to {min(height, width)}, for a "
            f"picture of shape {tuple(x.shape)}, got {size}"
        )
    if stride is not None and stride < 1:
        raise ValueError(f"photographs.patches: stride expects at least 1, got {stride}")
    if count is None:
        step = size if stride is None else stride
        pieces = x.unfold(1, size, step).unfold(2, size, step)
        return pieces.permute(1, 2, 0, 3, 4).reshape(-1, channels, size, size).clone()
    if stride is not None or generator is None or count < 0:
        raise ValueError(
            "photographs.patches: count expects a number >= 0, a generator and no stride, "
            f"got count={count}, generator={generator}, stride={stride}"
        )
    down = torch.randint(height - size + 1, (count, 1, 1), generator=generator)
    right = torch.randint(width - size + 1, (count, 1, 1), generator=generator)
    rows, columns = down + torch.arange(size)[:, None], right + torch.arange(size)
    return x[:, rows.to(x.device), columns.to(x.device)].movedim(1, 0).contiguous()

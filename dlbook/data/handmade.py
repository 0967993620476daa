"""Features of an image that people thought out: holes, profiles, strokes and slopes.

A feature is a number that a program measures on an image before anything is learned from it. These
are of the kind that readers of handwriting used for decades. They know what a picture is (which
pixels are neighbours), and were chosen by somebody who knows what digits look like. Compare what a
network finds for itself: :doc:`/foundations/introduction`.
"""

import math

import torch
from torch import Tensor

__all__ = ["enclosed", "features", "holes"]


def enclosed(x: Tensor, threshold: float = 0.5) -> Tensor:
    """Return which pixels are empty and shut in by ink.

    Water is poured in around the image. It spreads from an empty pixel to its empty neighbours
    above, below, left and right, not diagonally, so that ink may touch at corners and still
    hold. What stays dry is shut in.

    Args:
        x: images ``(N, H, W)``, ``(N, 1, H, W)`` or rows of pixels ``(N, H*H)`` of square images.
        threshold: a pixel below it is empty.

    Returns:
        ``(N, H, W)``, true where a pixel is empty and dry.

    Raises:
        ValueError: if ``x`` has another shape.

    Example:
        >>> ring = torch.tensor([[1.0, 1, 1], [1, 0, 1], [1, 1, 1]])
        >>> enclosed(ring[None]).int()
        tensor([[[0, 0, 0],
                 [0, 1, 0],
                 [0, 0, 0]]], dtype=torch.int32)

    Chapter: :doc:`/foundations/introduction`.
    """
    empty = _framed(_images(x) < threshold)
    wet = torch.zeros_like(empty)
    wet[:, 0] = True  # the frame's upper edge; from there the water runs round
    while True:
        spread = _spread(wet) & empty
        if torch.equal(spread, wet):
            return (empty & ~wet)[:, 1:-1, 1:-1]
        wet = spread


def holes(x: Tensor, threshold: float = 0.5) -> Tensor:
    """Return how many holes each image has: connected patches of :func:`enclosed` pixels.

    Args:
        x: images, as for :func:`enclosed`.
        threshold: a pixel below it is empty.

    Returns:
        ``(N,)`` of int64.

    Raises:
        ValueError: if ``x`` has another shape.

    Example:
        >>> eight = torch.tensor([[1.0, 1, 1], [1, 0, 1], [1, 1, 1], [1, 0, 1], [1, 1, 1]])
        >>> holes(torch.stack([eight, eight.flip(0), 0 * eight]))
        tensor([2, 2, 0])

    Chapter: :doc:`/foundations/introduction`.
    """
    dry = enclosed(x, threshold)
    # Each dry pixel bears a number of its own; the largest of a patch spreads through the patch.
    number = torch.arange(1, dry[0].numel() + 1, device=x.device).view(dry.shape[1:])
    own = number * dry
    label = own
    while True:
        spread = _spread(label) * dry
        if torch.equal(spread, label):
            return ((label == own) & dry).sum((1, 2))  # one pixel of each patch has kept its own
        label = spread


def features(x: Tensor, threshold: float = 0.5) -> Tensor:
    r"""Return hand-made features of images, each of the order of 1.

    In this order, for an image of :math:`H \times W` pixels: whether it has no hole, one, or more
    (3); the mean of each row (:math:`H`) and of each column (:math:`W`); half the number of strokes
    that a horizontal line meets in each row (:math:`H`), and a vertical one in each column
    (:math:`W`); and, in each quarter of the image, how much the brightness changes in the
    directions 0°, 45°, 90° and 135° (16). For digits of :math:`8 \times 8` that makes 51.

    Args:
        x: images, as for :func:`enclosed`; values in [0, 1].
        threshold: a pixel below it is empty.

    Returns:
        ``(N, 3 + 2H + 2W + 16)``, of ``x``'s type.

    Raises:
        ValueError: if ``x`` has another shape.

    Example:
        >>> from dlbook.data import digits
        >>> features(digits.load().test.x).shape
        torch.Size([359, 51])

    Chapter: :doc:`/foundations/introduction`.
    """
    image = _images(x)
    count = holes(x, threshold)
    topology = torch.stack([count == 0, count == 1, count >= 2], dim=1).to(image.dtype)
    profiles = [image.mean(2), image.mean(1)]
    strokes = [_strokes(image, threshold, axis).to(image.dtype) / 2 for axis in (2, 1)]
    return torch.cat([topology, *profiles, *strokes, _slopes(image)], dim=1)


def _images(x: Tensor) -> Tensor:
    if x.dim() == 4 and x.shape[1] == 1:
        x = x[:, 0]
    elif x.dim() == 2 and x.shape[1] and math.isqrt(x.shape[1]) ** 2 == x.shape[1]:
        side = math.isqrt(x.shape[1])
        x = x.reshape(-1, side, side)
    if x.dim() != 3 or 0 in x.shape:
        raise ValueError(
            "handmade: expects images (N, H, W), (N, 1, H, W) or square ones (N, H*H), "
            f"got shape {tuple(x.shape)}"
        )
    return x


def _framed(empty: Tensor) -> Tensor:
    """Put an empty frame, one pixel wide, around each image."""
    n, height, width = empty.shape
    frame = torch.ones(n, height + 2, width + 2, dtype=torch.bool, device=empty.device)
    frame[:, 1:-1, 1:-1] = empty
    return frame


def _spread(value: Tensor) -> Tensor:
    """Give each pixel the largest value among itself and its four neighbours."""
    result = value.clone()
    for here, there in (
        ((slice(None), slice(1, None)), (slice(None), slice(None, -1))),
        ((slice(None), slice(None, -1)), (slice(None), slice(1, None))),
        ((..., slice(1, None)), (..., slice(None, -1))),
        ((..., slice(None, -1)), (..., slice(1, None))),
    ):
        result[here] = torch.maximum(result[here], value[there])
    return result


def _strokes(image: Tensor, threshold: float, axis: int) -> Tensor:
    """How often ink begins along an axis."""
    ink = (image >= threshold).int()
    first = ink.select(axis, 0)
    return first + (ink.diff(dim=axis) > 0).sum(axis)


def _slopes(image: Tensor) -> Tensor:
    """Mean change of brightness, by direction and quarter: (N, 16)."""
    across, down = torch.zeros_like(image), torch.zeros_like(image)
    across[..., 1:-1] = image[..., 2:] - image[..., :-2]
    down[:, 1:-1] = image[:, 2:] - image[:, :-2]
    middle, centre = image.shape[1] // 2, image.shape[2] // 2
    result = []
    for angle in (0.0, 0.25, 0.5, 0.75):
        c, s = math.cos(angle * math.pi), math.sin(angle * math.pi)
        change = 4 * (c * across + s * down).abs()  # of the order of 1
        for rows in (slice(None, middle), slice(middle, None)):
            for columns in (slice(None, centre), slice(centre, None)):
                result.append(change[:, rows, columns].mean((1, 2)))
    return torch.stack(result, dim=1)

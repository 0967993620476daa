"""Points drawn from a mixture of Gaussians: a density that is known, with modes to be counted.

What a generator has learned of such data can be said exactly: how many of the modes it has, and how
close to them its samples are; see :func:`dlbook.metrics.mode_coverage`.

Chapter: :doc:`/generative/gans`.
"""

import math

import torch
from torch import Tensor

__all__ = ["ring", "ring_centers"]


def ring_centers(modes: int = 8, radius: float = 2.0) -> Tensor:
    """Return points at even distances on a circle around 0.

    Args:
        modes: how many, 1 or more.
        radius: of the circle, above 0.

    Returns:
        (modes, 2), the first to the right, and on against the clock.

    Raises:
        ValueError: for arguments out of range.

    Example:
        >>> ring_centers(4).norm(dim=1), ring_centers(4)[0]
        (tensor([2., 2., 2., 2.]), tensor([2., 0.]))
    """
    if modes < 1 or not radius > 0:
        raise ValueError(
            f"ring_centers: expected 1 mode or more and a radius above 0, got {modes} and {radius}"
        )
    angle = torch.arange(modes, dtype=torch.float64) * (2 * math.pi / modes)
    return (radius * torch.stack([angle.cos(), angle.sin()], 1)).float()


def ring(
    n: int,
    generator: torch.Generator,
    *,
    modes: int = 8,
    radius: float = 2.0,
    sigma: float = 0.05,
) -> tuple[Tensor, Tensor]:
    r"""Draw points around a ring of centres, all of them equally often (within one).

    .. math:: x = c_k + \sigma \varepsilon, \qquad \varepsilon \sim \mathcal N(0, I)

    Args:
        n: how many points, 0 or more.
        generator: where the randomness comes from.
        modes: how many centres.
        radius: of the ring.
        sigma: the standard deviation along each axis, 0 or more.

    Returns:
        The points (n, 2), in random order, and the number of each one's centre, (n,).

    Raises:
        ValueError: for arguments out of range.

    Example:
        >>> x, k = ring(16, torch.Generator().manual_seed(0))
        >>> x.shape, k.bincount().tolist()
        (torch.Size([16, 2]), [2, 2, 2, 2, 2, 2, 2, 2])
    """
    if n < 0 or sigma < 0:
        raise ValueError(f"ring: expected n and sigma of 0 or more, got {n} and {sigma}")
    centers = ring_centers(modes, radius)
    k = (torch.arange(n) % modes)[torch.randperm(n, generator=generator)]
    return centers[k] + sigma * torch.randn(n, 2, generator=generator), k

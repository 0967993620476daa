r"""Clipping: gradients made no longer than a bound, before the optimiser steps along them.

Chapter: :doc:`/training/optimization`.
"""

import math
from collections.abc import Iterable
from itertools import groupby
from typing import Any

import torch
from torch import Tensor

__all__ = ["clip_grad_norm_", "clip_grad_value_"]


@torch.no_grad()
def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float | str = 2.0,
    error_if_nonfinite: bool = False,
) -> Tensor:
    r"""Shorten all gradients by one factor, so that together they have at most a given norm.

    With all gradients strung together to one vector :math:`\mathbf g`,

    .. math::

        \mathbf g \leftarrow \mathbf g \cdot
            \min\Bigl(1, \frac{c}{\|\mathbf g\|_p + 10^{-6}}\Bigr).

    The direction stays; only a step that would be too long becomes shorter.

    Args:
        parameters: a tensor or several, whose ``.grad`` is changed in place; those without a
            gradient are passed over.
        max_norm: the bound :math:`c \ge 0`.
        norm_type: :math:`p > 0`; ``inf`` bounds the largest entry.
        error_if_nonfinite: whether an infinite norm, or one that is not a number, is an error.
            Without it such a norm spoils, or sets to zero, all the gradients.

    Returns:
        The norm that the gradients had before.

    Raises:
        ValueError: for a bound or an order outside its range.
        RuntimeError: if ``error_if_nonfinite`` and the norm is not finite, before anything is
            changed.

    Pascanu, Mikolov and Bengio (2013) clip the norm of a recurrent network's gradient, which grows
    without bound now and then.

    Departures: PyTorch's ``foreach`` has no counterpart; empty gradients are passed over, where
    its norm of infinite order fails.

    Example:
        >>> w = torch.zeros(2, requires_grad=True)
        >>> w.grad = torch.tensor([3.0, 4.0])
        >>> clip_grad_norm_([w], 1.0)
        tensor(5.)
        >>> w.grad
        tensor([0.6000, 0.8000])
    """
    max_norm, p = float(max_norm), float(norm_type)
    if not max_norm >= 0:
        raise ValueError(f"clip_grad_norm_: max_norm expects a number >= 0, got {max_norm}")
    if not p > 0:
        raise ValueError(f"clip_grad_norm_: norm_type expects a number > 0 or inf, got {norm_type}")
    grads = [grad for grad in _gradients(parameters) if grad.numel() > 0]
    if not grads:
        return torch.tensor(0.0)
    place = grads[0].device
    each = [norm.to(place) for bunch in _alike(grads) for norm in torch._foreach_norm(bunch, p)]
    norm: Tensor = torch.linalg.vector_norm(torch.stack(each), p)  # the norm of their norms
    if error_if_nonfinite and not math.isfinite(norm.item()):
        raise RuntimeError(
            f"clip_grad_norm_: expects gradients of finite norm, got {norm.item()} "
            f"(of order {p:g}); with error_if_nonfinite=False they would be scaled by it"
        )
    factor = (max_norm / (norm + 1e-6)).clamp(max=1.0)  # no branch, no wait for the device
    for bunch in _alike(grads):
        torch._foreach_mul_(bunch, factor.to(bunch[0].device))
    return norm


@torch.no_grad()
def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float) -> None:
    r"""Cut every entry of the gradients off at a bound, :math:`g \leftarrow \min(\max(g, -c), c)`.

    Unlike :func:`clip_grad_norm_` this changes the direction: large entries lose, small ones don't.

    Args:
        parameters: a tensor or several, whose ``.grad`` is changed in place; those without a
            gradient are passed over.
        clip_value: the bound :math:`c \ge 0`.

    Raises:
        ValueError: for a negative bound.

    Departures: PyTorch's ``foreach`` has no counterpart, and a negative bound, for which it sets
    every entry to that bound, is refused.

    Example:
        >>> w = torch.zeros(3, requires_grad=True)
        >>> w.grad = torch.tensor([-7.0, 0.5, 2.0])
        >>> clip_grad_value_(w, 1.0)
        >>> w.grad
        tensor([-1.0000,  0.5000,  1.0000])
    """
    bound = float(clip_value)
    if not bound >= 0:
        raise ValueError(f"clip_grad_value_: clip_value expects a number >= 0, got {clip_value}")
    for bunch in _alike(_gradients(parameters)):
        torch._foreach_clamp_min_(bunch, -bound)
        torch._foreach_clamp_max_(bunch, bound)


def _gradients(parameters: Tensor | Iterable[Tensor]) -> list[Tensor]:
    params = [parameters] if isinstance(parameters, Tensor) else parameters
    return [p.grad for p in params if p.grad is not None]


def _alike(tensors: list[Tensor]) -> list[list[Tensor]]:
    """Lists of one device and type each, as the operations on whole lists want them."""

    def kind(tensor: Tensor) -> Any:
        return str(tensor.device), str(tensor.dtype)

    return [list(bunch) for _, bunch in groupby(sorted(tensors, key=kind), kind)]

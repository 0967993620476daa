"""Derivatives by finite differences, and the check that every rule has to pass."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from dlbook.autodiff.tape import Tape, Variable


def numerical_gradient(
    function: Callable[..., Any],
    *inputs: Any,
    argument: int = 0,
    eps: float | None = None,
    cotangent: Tensor | None = None,
) -> Tensor:
    r"""Return the gradient of a function by central differences, one element at a time.

    .. math::

        \bar x_i \approx \Big\langle \bar y,\; \frac{f(x + h e_i) - f(x - h e_i)}{2h} \Big\rangle

    The truncation error falls as :math:`h^2` and the rounding error grows as :math:`u/h`, so
    :math:`h = u^{1/3}\max(1, |x_i|)` balances them, where :math:`u` is the type's resolution,
    if values and third derivatives are about 1. Near an edge of the domain, or where the function
    changes over lengths near :math:`h`, choose ``eps`` yourself.

    Args:
        function: takes ``inputs`` and returns one tensor.
        inputs: its arguments; they are not changed.
        argument: which of them to differentiate by; a floating-point tensor.
        eps: the step :math:`h`, above 0; chosen by the formula when left out.
        cotangent: :math:`\bar y`, of the output's shape; all ones when left out.

    Returns:
        A tensor of the argument's shape.

    Example:
        >>> from dlbook.autodiff import numerical_gradient
        >>> x = torch.tensor([1.0, 2.0], dtype=torch.float64)
        >>> numerical_gradient(lambda x: (x * x).sum(), x).round(decimals=6)
        tensor([2., 4.], dtype=torch.float64)

    Chapter: :doc:`/foundations/calculus`.
    """
    x = inputs[argument]
    if not isinstance(x, Tensor) or not x.is_floating_point():
        found = x.dtype if isinstance(x, Tensor) else type(x).__name__
        raise TypeError(
            f"numerical_gradient: expected argument {argument} to be a floating-point tensor, "
            f"got {found}"
        )
    if eps is not None and not eps > 0:
        raise ValueError(f"numerical_gradient: expected eps above 0, got {eps}")
    resolution = torch.finfo(x.dtype).eps ** (1 / 3)
    x = x.detach().clone(memory_format=torch.contiguous_format)
    arguments = [*inputs[:argument], x, *inputs[argument + 1 :]]
    flat = x.view(-1)
    gradient = torch.zeros_like(flat)
    with torch.no_grad():
        for i, old in enumerate(flat.tolist()):
            h = resolution * max(1.0, abs(old)) if eps is None else eps
            flat[i] = old + h
            up, above = flat[i].item(), function(*arguments).clone()
            flat[i] = old - h
            down, below = flat[i].item(), function(*arguments).clone()
            flat[i] = old
            slope = (above - below) / (up - down)  # the step that rounding left of 2h
            gradient[i] = (slope if cotangent is None else slope * cotangent).sum()
    return gradient.view(x.shape)


def check_gradients(
    function: Callable[..., Any],
    *inputs: Any,
    rtol: float = 1e-6,
    atol: float = 1e-8,
    eps: float | None = None,
    seed: int = 0,
) -> float:
    """Compare the tape's gradients with central differences, for every floating-point argument.

    The output's cotangent is random, so that one pass checks the whole Jacobian.

    Args:
        function: takes ``inputs`` and returns one array; made of operations with rules.
        inputs: tensors in float64, or anything else, which is held constant.
        rtol: allowed error relative to the gradient's largest entry.
        atol: allowed absolute error.
        eps: the step of the differences, as in :func:`numerical_gradient`.
        seed: of the random cotangent.

    Returns:
        The largest error found, relative to the largest entry of its gradient (or to 1).

    Raises:
        AssertionError: naming function, argument, index, expected and found value.
        TypeError: if a floating-point input is not float64, or there is none.

    Example:
        >>> from dlbook import ops
        >>> from dlbook.autodiff import check_gradients
        >>> x = torch.linspace(-1, 1, 5, dtype=torch.float64)
        >>> check_gradients(ops.sin, x) < 1e-8
        True

    Chapter: :doc:`/foundations/backpropagation`.
    """
    name = getattr(function, "__name__", type(function).__name__)
    checked = [i for i, a in enumerate(inputs) if isinstance(a, Tensor) and a.is_floating_point()]
    for i in checked:
        if inputs[i].dtype != torch.float64:
            raise TypeError(
                f"check_gradients: expected float64, got {inputs[i].dtype} for argument {i} of "
                f"{name}; differences in a shorter type are mostly rounding error"
            )
    if not checked:
        raise TypeError(f"check_gradients: expected a floating-point argument of {name}, got none")
    tape = Tape()
    arguments = list(inputs)
    for i in checked:
        arguments[i] = tape.variable(inputs[i])
    y = function(*arguments)
    if type(y) is not Variable:
        found_bars: list[Any] = [None] * len(checked)
        cotangent = None
    else:
        generator = torch.Generator().manual_seed(seed)
        cotangent = torch.randn(y.shape, generator=generator, dtype=torch.float64).to(y.device)
        found_bars = tape.gradient(y, [arguments[i] for i in checked], cotangent=cotangent)
    worst = 0.0
    for i, bar in zip(checked, found_bars):
        expected = numerical_gradient(function, *inputs, argument=i, eps=eps, cotangent=cotangent)
        found = torch.zeros_like(expected) if bar is None else bar
        if found.shape != expected.shape:
            raise AssertionError(
                f"check_gradients: {name}, argument {i}: expected a gradient of shape "
                f"{tuple(expected.shape)}, found {tuple(found.shape)}"
            )
        if not expected.numel():
            continue
        scale = max(1.0, expected.abs().max().item())
        error = (found - expected).abs()
        error = torch.where(error.isnan(), torch.inf, error)
        worst = max(worst, error.max().item() / scale)
        if error.max().item() > atol + rtol * scale:
            index = tuple(int(j) for j in torch.unravel_index(error.argmax(), error.shape))
            raise AssertionError(
                f"check_gradients: {name}, argument {i}, index {index}: expected "
                f"{expected[index].item():.10g} by central differences, found "
                f"{found[index].item():.10g} (error {error[index].item():.2g})"
            )
    return worst

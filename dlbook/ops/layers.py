r"""Layers: the affine map, rows of a table, one-hot codes, and softmax over an axis.

Each is one fused primitive. Softmax and its logarithm subtract the largest input before they
exponentiate, which changes nothing in exact arithmetic and keeps ``exp`` from overflowing; their
backward passes are fused too, and are primitives with rules of their own.

Chapters: :doc:`/foundations/layers`, :doc:`/foundations/losses`.
"""

import math
from typing import Any, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor

from dlbook.autodiff.primitives import primitive
from dlbook.autodiff.tape import Array, implements, lift

SHORT = (torch.float16, torch.bfloat16)  # sums of these are taken in float32


# --- affine map ---------------------------------------------------------------------------------


@primitive
def _linear(input: Array, weight: Array, bias: Array | None) -> Array:
    if bias is None:
        return input @ weight.t()
    if input.ndim == 2:
        return torch.addmm(bias, input, weight.t())
    rows = input.reshape((input.shape[:-1].numel(), input.shape[-1]))
    return torch.addmm(bias, rows, weight.t()).reshape((*input.shape[:-1], weight.shape[0]))


@_linear.vjp
def linear_vjp(g: Array, _y: Any, x: Array, w: Array, _b: Any) -> Any:
    out_features, in_features = w.shape
    rows = x.shape[:-1].numel()

    def flat(a: Array, features: int) -> Array:
        return a if a.ndim == 2 else a.reshape((rows, features))

    return (
        lambda: g @ w,  # X̄ = Ȳ W
        lambda: flat(g, out_features).t() @ flat(x, in_features),  # W̄ = Ȳᵀ X
        lambda: flat(g, out_features).sum(0),  # b̄: one copy of b for each row
    )


@implements("linear")
def linear(
    input: Float[Array, "*B D"], weight: Float[Array, "K D"], bias: Float[Array, "K"] | None = None
) -> Float[Array, "*B K"]:
    r"""Affine map of every row, the linear part of a layer.

    .. math:: Y = X W^\top + b, \qquad
        \bar X = \bar Y W, \quad \bar W = \bar Y^\top X, \quad \bar b = \sum_{n} \bar Y_{n}
       :label: op-linear

    Args:
        input: :math:`X`, features on the last axis, any leading axes (none for one example).
        weight: :math:`W`, one row of weights for each output.
        bias: :math:`b`, or None.

    Raises:
        ValueError: if the shapes do not fit.

    Departs from PyTorch, which also takes a weight of one axis.

    Example:
        >>> w, b = torch.tensor([[1.0, 2.0], [0.0, -1.0]]), torch.tensor([0.5, 0.0])
        >>> linear(torch.tensor([[3.0, 4.0]]), w, b)
        tensor([[11.5000, -4.0000]])

    Chapter: :doc:`/foundations/layers`.
    """
    if len(weight.shape) != 2:
        raise ValueError(
            f"linear: expected weight of shape (outputs, inputs), got {tuple(weight.shape)}"
        )
    if not len(input.shape) or input.shape[-1] != weight.shape[1]:
        raise ValueError(
            f"linear: weight expects {weight.shape[1]} input features, got input of shape "
            f"{tuple(input.shape)}"
        )
    if bias is not None and tuple(bias.shape) != (weight.shape[0],):
        raise ValueError(
            f"linear: expected bias of shape ({weight.shape[0]},) for weight of shape "
            f"{tuple(weight.shape)}, got {tuple(bias.shape)}"
        )
    return _linear(input, weight, bias)


# --- rows of a table ----------------------------------------------------------------------------


def _take(weight: Array, indices: Tensor) -> Array:
    flat = weight.index_select(0, indices.reshape(-1))
    return flat.reshape((*indices.shape, *weight.shape[1:]))


@primitive
def _rows(weight: Array, indices: Tensor) -> Array:
    return _take(weight, indices)


@_rows.vjp
def rows_vjp(g: Array, _y: Any, weight: Array, indices: Tensor) -> Any:
    return _add_rows(g, indices, rows=weight.shape[0]), None


@primitive
def _add_rows(g: Array, indices: Tensor, *, rows: int) -> Array:
    """Add each row up at the place in the table that it was taken from."""
    features = g.shape[indices.ndim :]
    table = g.new_zeros((rows, *features))
    return table.index_add(0, indices.reshape(-1), g.reshape((indices.numel(), *features)))


@_add_rows.vjp
def add_rows_vjp(g: Array, _y: Any, _g: Any, indices: Tensor, *, rows: int) -> Any:
    return _rows(g, indices), None


@primitive
def _embedding(
    weight: Array, indices: Tensor, *, padding_idx: int | None, scale_grad_by_freq: bool
) -> Array:
    return _take(weight, indices)


@_embedding.vjp
def embedding_vjp(
    g: Array,
    _y: Any,
    weight: Array,
    indices: Tensor,
    *,
    padding_idx: int | None,
    scale_grad_by_freq: bool,
) -> Any:
    rows = weight.shape[0]
    if scale_grad_by_freq:
        ones = torch.ones(indices.shape, dtype=g.dtype, device=g.device)
        counts = _add_rows.forward(ones, indices, rows=rows)
        g = g / counts[indices].unsqueeze(-1)
    if padding_idx is not None:
        g = torch.where((indices == padding_idx).unsqueeze(-1), 0.0, g)
    return _add_rows(g, indices, rows=rows), None


@implements("embedding")
def embedding(
    input: Int[Tensor, "*B"],
    weight: Float[Array, "V D"],
    padding_idx: int | None = None,
    max_norm: None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Float[Array, "*B D"]:
    r"""Look rows of a table up: the product of a one-hot code and a matrix, without the zeros.

    .. math:: y_n = W_{i_n} = \operatorname{onehot}(i_n)^\top W, \qquad
        \bar W_v = \sum_{n:\, i_n = v} \bar y_n
       :label: op-embedding

    Args:
        input: row numbers :math:`i`, integers from 0 to V - 1.
        weight: the table :math:`W`.
        padding_idx: a row that gets no gradient; counted from the end if negative.
        max_norm: must be None; PyTorch would shorten rows of ``weight`` in place.
        norm_type: goes with ``max_norm``.
        scale_grad_by_freq: divide a row's gradient by how often the row was taken.
        sparse: must be False.

    Raises:
        TypeError: if ``input`` does not hold integers.
        IndexError: if a row number is out of range.
        ValueError: if ``weight`` is not a matrix, or for an option that is not supported.

    Example:
        >>> table = torch.tensor([[0.0, 0.0], [1.0, 2.0], [3.0, 4.0]])
        >>> embedding(torch.tensor([2, 1, 2]), table)
        tensor([[3., 4.],
                [1., 2.],
                [3., 4.]])

    Chapter: :doc:`/foundations/layers`.
    """
    indices: Tensor = lift(input)
    if max_norm is not None:
        raise ValueError(
            f"embedding: expected max_norm=None, got {max_norm}; the table would change in place"
        )
    if sparse:
        raise ValueError("embedding: expected sparse=False, got True; gradients here are dense")
    if indices.dtype not in (torch.int64, torch.int32):
        raise TypeError(f"embedding: expected row numbers in int64 or int32, got {indices.dtype}")
    if len(weight.shape) != 2:
        raise ValueError(
            f"embedding: expected weight of shape (rows, features), got {tuple(weight.shape)}"
        )
    rows = weight.shape[0]
    if padding_idx is not None:
        if not -rows <= padding_idx < rows:
            raise ValueError(
                f"embedding: expected padding_idx from {-rows} to {rows - 1} for weight of shape "
                f"{tuple(weight.shape)}, got {padding_idx}"
            )
        padding_idx %= rows
    try:
        return _embedding(
            weight, indices, padding_idx=padding_idx, scale_grad_by_freq=scale_grad_by_freq
        )
    except (IndexError, RuntimeError) as error:
        if "out of range" not in str(error) and "out of bounds" not in str(error):
            raise
        raise IndexError(
            f"embedding: expected row numbers from 0 to {rows - 1} for weight of shape "
            f"{tuple(weight.shape)}, got numbers from {int(indices.min())} to {int(indices.max())}"
        ) from None


def one_hot(tensor: Int[Tensor, "*B"], num_classes: int = -1) -> Int[Tensor, "*B K"]:
    r"""Write class numbers as rows with a single 1.

    .. math:: y_{nk} = \mathbf 1\{k = t_n\}
       :label: op-one-hot

    The result holds integers and has no derivative.

    Args:
        tensor: class numbers :math:`t`, int64, from 0 to K - 1.
        num_classes: :math:`K`; the largest class number plus one when -1.

    Raises:
        TypeError: if ``tensor`` does not hold int64.
        ValueError: if a class number is out of range, or K can't be told from an empty tensor.

    Example:
        >>> one_hot(torch.tensor([0, 2]), num_classes=3)
        tensor([[1, 0, 0],
                [0, 0, 1]])

    Chapter: :doc:`/foundations/layers`.
    """
    if tensor.dtype != torch.int64:
        raise TypeError(f"one_hot: expected class numbers in int64, got {tensor.dtype}")
    if num_classes == -1:
        if not tensor.numel():
            raise ValueError(
                f"one_hot: expected num_classes for an empty tensor of shape {tuple(tensor.shape)}"
            )
        num_classes = int(tensor.max()) + 1
    if num_classes < 1:
        raise ValueError(f"one_hot: expected num_classes of 1 or more, got {num_classes}")
    zeros = torch.zeros((*tensor.shape, num_classes), dtype=torch.int64, device=tensor.device)
    try:
        return zeros.scatter(-1, tensor.unsqueeze(-1), 1)
    except RuntimeError as error:
        if "out of bounds" not in str(error):
            raise
        raise ValueError(
            f"one_hot: expected class numbers from 0 to {num_classes - 1}, got numbers from "
            f"{int(tensor.min())} to {int(tensor.max())}"
        ) from None


# --- softmax ------------------------------------------------------------------------------------


@primitive
def _cast(input: Array, *, dtype: torch.dtype) -> Array:
    return input.to(dtype)


@_cast.vjp
def cast_vjp(g: Array, _y: Any, x: Array, *, dtype: torch.dtype) -> Any:
    return (_cast(g, dtype=x.dtype),)


LOG2_E = math.log2(math.e)


def fast_exp(z: Tensor) -> Tensor:
    """Powers of 2 are vectorised where those of e are not: several times faster on processors.

    Rounding costs ``abs(z)`` units in the last place: for softmax, where z is at most 0, less than
    one of the largest. Compiled code is quicker with those of e.
    """
    return torch.exp(z) if torch.compiler.is_compiling() else (z * LOG2_E).exp2_()


def fast_exp_(z: Tensor) -> Tensor:
    """The same, which may overwrite z."""
    return torch.exp(z) if torch.compiler.is_compiling() else z.mul_(LOG2_E).exp2_()


def _scores(name: str, input: Array, dim: int | None, dtype: torch.dtype | None) -> Array:
    """The scores in the type asked for, once the axis is known to be good."""
    axes = len(input.shape) or 1
    if dim is None or not -axes <= dim < axes:
        raise ValueError(
            f"{name}: expected dim, the axis of the classes, from {-axes} to {axes - 1} for input "
            f"of shape {tuple(input.shape)}, got {dim}"
        )
    if dtype is not None and dtype != input.dtype:
        return _cast(input, dtype=dtype)
    if not input.dtype.is_floating_point:
        raise TypeError(f"{name}: expected floating-point scores, got {input.dtype}")
    return input


@primitive
def _softmax(input: Array, *, dim: int) -> Array:
    if not input.numel():
        return input.clone()
    x = input.float() if input.dtype in SHORT else input
    e = fast_exp_(x - x.amax(dim, keepdim=True))
    y = e.div_(e.sum(dim, keepdim=True))
    return y if x is input else y.to(input.dtype)


@_softmax.vjp
def softmax_vjp(g: Array, y: Array, _x: Any, *, dim: int) -> Any:
    return (_softmax_pull(g, y, dim=dim),)


@primitive
def _softmax_pull(g: Array, y: Array, *, dim: int) -> Array:
    """The cotangent of softmax's input, y (ȳ − ⟨ȳ, y⟩)."""
    gy = g * y
    return torch.addcmul(gy, y, gy.sum(dim, keepdim=True), value=-1)


@_softmax_pull.vjp
def softmax_pull_vjp(c: Array, _x: Any, g: Array, y: Array, *, dim: int) -> Any:
    def output() -> Array:
        gy, cy = (g * y).sum(dim, True), (c * y).sum(dim, True)
        return c * (g - gy) - g * cy

    return lambda: _softmax_pull(c, y, dim=dim), output  # symmetric in the cotangents


@implements("softmax")
def softmax(input: Array, dim: int | None = None, *, dtype: torch.dtype | None = None) -> Array:
    r"""Turn scores into probabilities, by exponentials that are scaled to sum to 1.

    .. math:: y_i = \frac{e^{x_i - m}}{\sum_j e^{x_j - m}}, \quad m = \max_j x_j, \qquad
        \bar x_i = y_i \Bigl( \bar y_i - \sum_j \bar y_j y_j \Bigr)
       :label: op-softmax

    Args:
        input: scores :math:`x`, any shape and size; adding a constant to all changes nothing.
        dim: the axis along which the probabilities sum to 1.
        dtype: convert the scores to this type first.

    Raises:
        ValueError: if there is no such axis, or ``dim`` is left out, where PyTorch guesses an axis
            and warns.
        TypeError: if the scores are not floating-point numbers.

    Example:
        >>> softmax(torch.tensor([1.1, 0.4, -8.2, -0.9, 3.7]), dim=0)
        tensor([6.6244e-02, 3.2896e-02, 6.0563e-06, 8.9651e-03, 8.9189e-01])

    Chapter: :doc:`/foundations/layers`.
    """
    return _softmax(_scores("softmax", input, dim, dtype), dim=cast("int", dim))


@primitive(saves=True)
def _log_softmax(input: Array, *, dim: int) -> tuple[Array, tuple[Tensor, ...]]:
    if not input.numel():
        return input.clone(), (input.clone(),)
    x = input.float() if input.dtype in SHORT else input
    z = x - x.amax(dim, keepdim=True)
    e = fast_exp(z)
    s = e.sum(dim, keepdim=True)
    p, y = e.div_(s), z.sub_(s.log_())
    return (y, (p,)) if x is input else (y.to(input.dtype), (p.to(input.dtype),))


@_log_softmax.saved
def log_softmax_saved(input: Array, *, dim: int) -> Any:
    return (_softmax(input, dim=dim),)


@_log_softmax.vjp
def log_softmax_vjp(g: Array, _y: Any, saved: Any, _x: Any, *, dim: int) -> Any:
    return (_log_softmax_pull(g, *saved, dim=dim),)


@primitive
def _log_softmax_pull(g: Array, p: Array, *, dim: int) -> Array:
    """The cotangent of log-softmax's input, ȳ − p Σ ȳ with the probabilities p."""
    return torch.addcmul(g, p, g.sum(dim, keepdim=True), value=-1)


@_log_softmax_pull.vjp
def log_softmax_pull_vjp(c: Array, _x: Any, g: Array, p: Array, *, dim: int) -> Any:
    return lambda: c - (c * p).sum(dim, True), lambda: -c * g.sum(dim, True)


@implements("log_softmax")
def log_softmax(input: Array, dim: int | None = None, *, dtype: torch.dtype | None = None) -> Array:
    r"""Logarithm of softmax, finite where a probability underflows.

    .. math:: y_i = x_i - m - \log \sum_j e^{x_j - m}, \quad m = \max_j x_j, \qquad
        \bar x_i = \bar y_i - e^{y_i} \sum_j \bar y_j
       :label: op-log-softmax

    Args:
        input: scores :math:`x`, any shape and size.
        dim: the axis along which the probabilities sum to 1.
        dtype: convert the scores to this type first.

    Raises:
        ValueError: if there is no such axis, or ``dim`` is left out, where PyTorch guesses an axis
            and warns.
        TypeError: if the scores are not floating-point numbers.

    Example:
        >>> log_softmax(torch.tensor([0.0, 1000.0]), dim=0)
        tensor([-1000.,     0.])

    Chapter: :doc:`/foundations/losses`.
    """
    return _log_softmax(_scores("log_softmax", input, dim, dtype), dim=cast("int", dim))

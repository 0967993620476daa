"""Multi-layer perceptron: affine maps with an activation between them.

Chapter: :doc:`/foundations/layers`.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from torch import nn

from dlbook.nn.activations import ReLU
from dlbook.nn.layers import Linear
from dlbook.nn.regularization import Dropout


class MLP(nn.Sequential):
    r"""A stack of layers :math:`\mathbf a^{(l)} = g(\mathbf W^{(l)} \mathbf a^{(l-1)} +
    \mathbf b^{(l)})`, the last of them without an activation.

    What it holds is the :class:`torch.nn.Sequential` that one would write out: for every hidden
    layer an affine map, a normalisation if one is asked for, an activation, and dropout if it is
    asked for; then the affine map of the last layer. The parameters have the names they have there.

    Args:
        sizes: how many numbers a sample has before the first layer and after each layer, all 1 or
            more: ``(64, 32, 10)`` is one hidden layer of 32 units between 64 inputs and 10 outputs.
        activation_layer: called without arguments for every hidden layer's activation.
        norm_layer: called with a hidden layer's width for what stands before its activation, such
            as a normalisation; None for nothing.
        dropout: the probability, from 0 to 1, with which an activation is dropped in training; 0
            for no dropout layers.
        bias: whether the affine maps add :math:`\mathbf b`.

    Raises:
        ValueError: for fewer than two sizes, a size below 1, or a ``dropout`` not from 0 to 1.

    Example:
        >>> MLP((64, 32, 10))
        MLP(
          (0): Linear(in_features=64, out_features=32, bias=True)
          (1): ReLU()
          (2): Linear(in_features=32, out_features=10, bias=True)
        )

    Chapter: :doc:`/foundations/layers`.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        activation_layer: Callable[[], nn.Module] = ReLU,
        norm_layer: Callable[[int], nn.Module] | None = None,
        dropout: float = 0.0,
        bias: bool = True,
    ) -> None:
        sizes = tuple(sizes)
        if len(sizes) < 2:
            raise ValueError(f"MLP: expected at least two sizes, input and output, got {sizes}")
        if min(sizes) < 1:
            raise ValueError(f"MLP: expected sizes of 1 or more, got {sizes}")
        if not 0 <= dropout <= 1:
            raise ValueError(f"MLP: expected a dropout probability from 0 to 1, got {dropout}")
        *hidden, last = pairwise(sizes)
        layers: list[nn.Module] = []
        for inputs, units in hidden:
            layers.append(Linear(inputs, units, bias))
            if norm_layer is not None:
                layers.append(norm_layer(units))
            layers.append(activation_layer())
            if dropout:
                layers.append(Dropout(dropout))
        super().__init__(*layers, Linear(*last, bias))

    def __getitem__(self, idx: int | slice) -> Any:
        """A layer by its number; a slice is a plain container of the same layers."""
        if isinstance(idx, slice):
            return nn.Sequential(OrderedDict(list(self._modules.items())[idx]))
        return super().__getitem__(idx)

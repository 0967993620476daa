"""Dropout layers: at work in training, transparent in evaluation.

PyTorch's ``inplace`` is left out: the rules read what it would overwrite.

Chapter: :doc:`/training/regularization`.
"""

import torch
from torch import nn

from dlbook.ops import regularization


class _Dropout(nn.Module):
    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise ValueError(
                f"{type(self).__name__}: expected a probability p from 0 to 1, got {p}"
            )
        self.p = p

    def extra_repr(self) -> str:
        return f"p={self.p}"


class Dropout(_Dropout):
    r"""Set numbers to 0 at random in training (:eq:`op-dropout`).

    Args:
        p: the probability of being dropped, from 0 to 1.

    Raises:
        ValueError: if ``p`` is not from 0 to 1.

    Example:
        >>> Dropout(0.5).eval()(torch.ones(3))
        tensor([1., 1., 1.])

    Chapter: :doc:`/training/regularization`.
    """

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return regularization.dropout(input, self.p, self.training)


class Dropout1d(_Dropout):
    r"""Drop whole channels of series in training (:eq:`op-dropout1d`).

    Args:
        p: the probability of being dropped, from 0 to 1.

    Raises:
        ValueError: if ``p`` is not from 0 to 1.

    Example:
        >>> Dropout1d()(torch.ones(2, 3, 4)).shape
        torch.Size([2, 3, 4])

    Chapter: :doc:`/training/regularization`.
    """

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return regularization.dropout1d(input, self.p, self.training)


class Dropout2d(_Dropout):
    r"""Drop whole channels of images in training (:eq:`op-dropout2d`).

    Args:
        p: the probability of being dropped, from 0 to 1.

    Raises:
        ValueError: if ``p`` is not from 0 to 1.

    Example:
        >>> Dropout2d()(torch.ones(2, 3, 4, 4)).shape
        torch.Size([2, 3, 4, 4])

    Chapter: :doc:`/training/regularization`.
    """

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return regularization.dropout2d(input, self.p, self.training)


class AlphaDropout(_Dropout):
    r"""Dropout for SELU networks, in training (:eq:`op-alpha-dropout`).

    Args:
        p: the probability of being dropped, from 0 to 1.

    Raises:
        ValueError: if ``p`` is not from 0 to 1.

    Example:
        >>> AlphaDropout(0.5).eval()(torch.ones(3))
        tensor([1., 1., 1.])

    Chapter: :doc:`/training/regularization`.
    """

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return regularization.alpha_dropout(input, self.p, self.training)


class StochasticDepth(_Dropout):
    r"""Drop a whole branch in training, for single samples or all of a batch.

    See :eq:`op-stochastic-depth`. Name and arguments are those of
    ``torchvision.ops.StochasticDepth``.

    Args:
        p: the probability of being dropped, from 0 to 1.
        mode: ``"row"`` for a draw for each sample, ``"batch"`` for one draw.

    Raises:
        ValueError: if ``p`` is not from 0 to 1, or (when called) ``mode`` is unknown.

    Example:
        >>> StochasticDepth(0.2, "row").eval()(torch.ones(3, 1)).flatten()
        tensor([1., 1., 1.])

    Chapter: :doc:`/training/regularization`.
    """

    def __init__(self, p: float, mode: str) -> None:
        super().__init__(p)
        self.mode = mode

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return regularization.stochastic_depth(input, self.p, self.mode, self.training)

    def extra_repr(self) -> str:
        return f"p={self.p}, mode={self.mode}"

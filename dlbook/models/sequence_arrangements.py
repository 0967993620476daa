r"""Five ways to put a recurrent layer between what comes in and what goes out.

=============================  ==============  ===============  ==============================
network                        in              out              for instance
=============================  ==============  ===============  ==============================
:class:`OneToOne`              a vector        a vector         a network without time
:class:`OneToMany`             a vector        a series         a sentence about a picture
:class:`ManyToOne`             a series        a vector         the mood of a review
:class:`ManyToManyAligned`     a series        one as long      the kind of each word
:class:`ManyToManyUnaligned`   a series        any other        a translation
=============================  ==============  ===============  ==============================

All five have the same skeleton, a layer ``rnn`` and a linear ``head``: they differ in where the
input goes in, and which states are read. What is written as a series is written in tokens, each
read again before the next is written.

Chapter: :doc:`/sequences/recurrent`.
"""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from dlbook.nn.layers import Embedding, Linear
from dlbook.nn.recurrent import GRU, LSTM, RNN
from dlbook.ops import arithmetic
from dlbook.ops.activations import tanh

__all__ = ["ManyToManyAligned", "ManyToManyUnaligned", "ManyToOne", "OneToMany", "OneToOne"]

Layer = Callable[..., RNN | LSTM | GRU]


class OneToOne(nn.Module):
    r"""One step, from a state of zeros: a network with one hidden layer, and nothing to remember.

    .. math:: y = W h_1 + b

    Args:
        input_size: features, D.
        hidden_size: units, H.
        output_size: numbers that come out, K.
        layer: :class:`dlbook.nn.RNN`, :class:`dlbook.nn.LSTM` or :class:`dlbook.nn.GRU`.

    Example:
        >>> OneToOne(3, 8, 2)(torch.randn(4, 3)).shape
        torch.Size([4, 2])

    Chapter: :doc:`/sequences/recurrent`.
    """

    def __init__(
        self, input_size: int, hidden_size: int, output_size: int, layer: Layer = RNN
    ) -> None:
        super().__init__()
        self.rnn = layer(input_size, hidden_size, batch_first=True)
        self.head = Linear(hidden_size, output_size)

    def forward(self, input: Float[Tensor, "B D"]) -> Float[Tensor, "B K"]:
        states, _ = self.rnn(arithmetic.unsqueeze(input, 1))
        y: Tensor = self.head(arithmetic.squeeze(states, 1))
        return y


class ManyToOne(nn.Module):
    r"""Read a series to its end, then answer: :math:`y = W h_T + b`.

    Args:
        input_size: features of a step, D.
        hidden_size: units, H.
        output_size: numbers that come out, K.
        layer: :class:`dlbook.nn.RNN`, :class:`dlbook.nn.LSTM` or :class:`dlbook.nn.GRU`.

    Called with series (B, T, D), and, if they differ in length, with their ``lengths`` (B,).

    Example:
        >>> ManyToOne(3, 8, 2)(torch.randn(4, 5, 3), lengths=[5, 2, 3, 1]).shape
        torch.Size([4, 2])

    Chapter: :doc:`/sequences/recurrent`.
    """

    def __init__(
        self, input_size: int, hidden_size: int, output_size: int, layer: Layer = RNN
    ) -> None:
        super().__init__()
        self.rnn = layer(input_size, hidden_size, batch_first=True)
        self.head = Linear(hidden_size, output_size)

    def forward(self, input: Float[Tensor, "B T D"], lengths: Any = None) -> Float[Tensor, "B K"]:
        _, last = self.rnn(input, lengths=lengths)
        state = last[0] if isinstance(last, tuple) else last  # an LSTM hands on a pair
        y: Tensor = self.head(state[-1])
        return y


class ManyToManyAligned(nn.Module):
    r"""Answer after every step: :math:`y_t = W h_t + b`.

    Args:
        input_size: features of a step, D.
        hidden_size: units, H.
        output_size: numbers that come out at each step, K.
        layer: :class:`dlbook.nn.RNN`, :class:`dlbook.nn.LSTM` or :class:`dlbook.nn.GRU`.
        bidirectional: read the series from its end, too; then every answer knows all of it.

    Called with series (B, T, D), and, if they differ in length, with their ``lengths`` (B,).

    Example:
        >>> ManyToManyAligned(3, 8, 2)(torch.randn(4, 5, 3)).shape
        torch.Size([4, 5, 2])

    Chapter: :doc:`/sequences/recurrent`.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        output_size: int,
        layer: Layer = RNN,
        bidirectional: bool = False,
    ) -> None:
        super().__init__()
        self.rnn = layer(input_size, hidden_size, batch_first=True, bidirectional=bidirectional)
        self.head = Linear(hidden_size * (2 if bidirectional else 1), output_size)

    def forward(self, input: Float[Tensor, "B T D"], lengths: Any = None) -> Float[Tensor, "B T K"]:
        states, _ = self.rnn(input, lengths=lengths)
        y: Tensor = self.head(states)
        return y


class OneToMany(nn.Module):
    r"""Make a state of a vector, and write a series of tokens from it.

    .. math:: h_0 = \tanh(W_s x + b_s), \qquad h_t = \text{layer}(E_{y_{t-1}}, h_{t-1}), \qquad
        \log P(y_t) = \log\operatorname{softmax}(W h_t + b)

    Args:
        input_size: features, D.
        hidden_size: units, H.
        vocabulary_size: tokens, V.
        embedding_dim: numbers by which a token is told.
        layer: :class:`dlbook.nn.RNN` or :class:`dlbook.nn.GRU`.

    Called with vectors (B, D) and the tokens before those to be written, (B, T), beginning with a
    token that marks the start: it returns scores (B, T, V).

    Raises:
        ValueError: for an LSTM: its state is a pair, and here one state is handed over.

    Example:
        >>> model = OneToMany(3, 8, 10, 4)
        >>> model(torch.randn(2, 3), torch.tensor([[1, 4, 5], [1, 6, 7]])).shape
        torch.Size([2, 3, 10])

    Chapter: :doc:`/sequences/recurrent`.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        vocabulary_size: int,
        embedding_dim: int,
        layer: Layer = RNN,
    ) -> None:
        super().__init__()
        self.begin = Linear(input_size, hidden_size)
        self.embedding = Embedding(vocabulary_size, embedding_dim)
        self.rnn = _single(self, layer(embedding_dim, hidden_size, batch_first=True))
        self.head = Linear(hidden_size, vocabulary_size)

    def state(self, input: Float[Tensor, "B D"]) -> Float[Tensor, "1 B H"]:
        """Return the state before the first token."""
        return arithmetic.unsqueeze(tanh(self.begin(input)), 0)

    def forward(
        self, input: Float[Tensor, "B D"], previous: Int[Tensor, "B T"]
    ) -> Float[Tensor, "B T V"]:
        states, _ = self.rnn(self.embedding(previous), self.state(input))
        y: Tensor = self.head(states)
        return y

    @torch.no_grad()
    def write(
        self,
        input: Float[Tensor, "B D"],
        *,
        max_length: int,
        start: int = 1,
        stop: int = 2,
        padding: int = 0,
    ) -> Int[Tensor, "B N"]:
        """Write the most probable token, again and again, until all have come to the stop.

        Args:
            input: the vectors.
            max_length: tokens to be written at most, the stop included.
            start: the token before the first.
            stop: the token after the last.
            padding: what comes after the stop.
        """
        return _write(self, self.state(input), max_length, start, stop, padding)


class ManyToManyUnaligned(nn.Module):
    r"""Read a series to its end, then write another one, which may be of any length.

    The state after the last step is all that the writer is told of what was read.

    .. math:: h_0 = \text{the last state of the reader}, \qquad
        h_t = \text{layer}(E_{y_{t-1}}, h_{t-1}), \qquad
        \log P(y_t) = \log\operatorname{softmax}(W h_t + b)

    Args:
        source_size: tokens that are read.
        hidden_size: units, H.
        vocabulary_size: tokens that are written, V.
        embedding_dim: numbers by which a token is told.
        layer: :class:`dlbook.nn.RNN` or :class:`dlbook.nn.GRU`.

    Called with tokens (B, S); the tokens before those to be written, (B, T), beginning with a
    token that marks the start; and the ``lengths`` (B,) of what is read, if they differ: it returns
    scores (B, T, V).

    Raises:
        ValueError: for an LSTM: its state is a pair, and here one state is handed over.

    Example:
        >>> model = ManyToManyUnaligned(12, 8, 10, 4)
        >>> source, previous = torch.tensor([[4, 5, 6], [7, 8, 0]]), torch.tensor([[1, 4], [1, 5]])
        >>> model(source, previous, lengths=[3, 2]).shape
        torch.Size([2, 2, 10])

    Chapter: :doc:`/sequences/recurrent`.
    """

    def __init__(
        self,
        source_size: int,
        hidden_size: int,
        vocabulary_size: int,
        embedding_dim: int,
        layer: Layer = RNN,
    ) -> None:
        super().__init__()
        self.source_embedding = Embedding(source_size, embedding_dim)
        self.reader = _single(self, layer(embedding_dim, hidden_size, batch_first=True))
        self.embedding = Embedding(vocabulary_size, embedding_dim)
        self.rnn = _single(self, layer(embedding_dim, hidden_size, batch_first=True))
        self.head = Linear(hidden_size, vocabulary_size)

    def state(self, input: Int[Tensor, "B S"], lengths: Any = None) -> Float[Tensor, "1 B H"]:
        """Return the reader's last state."""
        last: Tensor = self.reader(self.source_embedding(input), lengths=lengths)[1]
        return last

    def forward(
        self, input: Int[Tensor, "B S"], previous: Int[Tensor, "B T"], lengths: Any = None
    ) -> Float[Tensor, "B T V"]:
        states, _ = self.rnn(self.embedding(previous), self.state(input, lengths))
        y: Tensor = self.head(states)
        return y

    @torch.no_grad()
    def write(
        self,
        input: Int[Tensor, "B S"],
        lengths: Any = None,
        *,
        max_length: int,
        start: int = 1,
        stop: int = 2,
        padding: int = 0,
    ) -> Int[Tensor, "B N"]:
        """Write the most probable token, again and again, until all have come to the stop.

        Args:
            input: the tokens that are read.
            lengths: how many of each row are none of padding; None for all.
            max_length: tokens to be written at most, the stop included.
            start: the token before the first.
            stop: the token after the last.
            padding: what comes after the stop.
        """
        return _write(self, self.state(input, lengths), max_length, start, stop, padding)


def _single(model: nn.Module, layer: RNN | LSTM | GRU) -> RNN | GRU:
    if isinstance(layer, LSTM):
        raise ValueError(
            f"{type(model).__name__}: expected a layer with one state, dlbook.nn.RNN or "
            "dlbook.nn.GRU, got an LSTM, whose state is a pair"
        )
    return layer


def _write(
    model: OneToMany | ManyToManyUnaligned,
    state: Tensor,
    max_length: int,
    start: int,
    stop: int,
    padding: int,
) -> Tensor:
    if max_length < 1:
        raise ValueError(
            f"{type(model).__name__}: expected max_length of at least 1, got {max_length}"
        )
    last = torch.full((state.shape[1], 1), start, device=state.device)
    running = torch.ones_like(last, dtype=torch.bool)
    written = []
    for _ in range(max_length):
        states, state = model.rnn(model.embedding(last), state)
        chosen = model.head(states[:, 0]).argmax(-1, keepdim=True)
        last = torch.where(running, chosen, padding)
        written.append(last)
        running = running & (last != stop)
        if not running.any():
            break
    return torch.cat(written, 1)

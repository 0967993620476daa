r"""From one series to another of a different length: an encoder, and a decoder that looks back.

The encoder reads the source in both directions and leaves one vector for each of its positions. The
decoder writes one token after the other. Before each it scores all those vectors against its state,
:math:`z_{ts} = w^\top \tanh(W_q s_{t-1} + W_k h_s)`, and reads their average under the softmax of
the scores. The weights of the average are the alignment.

The paper is Bahdanau, Cho and Bengio, "Neural machine translation by jointly learning to align and
translate", *International Conference on Learning Representations* (2015). Where this departs from
it, :class:`Seq2Seq` says so.

Chapter: :doc:`/sequences/attention`.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from dlbook.nn.attention import AdditiveAttention
from dlbook.nn.layers import Embedding, Linear
from dlbook.nn.recurrent import GRU, GRUCell
from dlbook.nn.regularization import Dropout
from dlbook.ops import arithmetic, layers, losses
from dlbook.ops.activations import tanh

__all__ = ["AttentionDecoder", "BidirectionalEncoder", "Decoded", "Seq2Seq", "beam_search"]

State = tuple[Tensor, ...]
Step = Callable[[Tensor, State], tuple[Tensor, State, Tensor]]


class Decoded(NamedTuple):
    """What a search has found, for each source.

    Attributes:
        tokens: (B, T), without the start; after the stop comes padding.
        scores: (B,), the logarithm of the probability of all tokens up to and with the stop,
            divided by what the search divides by.
        alignments: (B, T, S): for each token written, the weights of the source's positions; 0
            after the stop.
    """

    tokens: Int[Tensor, "B T"]
    scores: Float[Tensor, "B"]
    alignments: Float[Tensor, "B T S"]


class BidirectionalEncoder(nn.Module):
    r"""A vector for each position of the source, with what stands before and after it.

    Args:
        vocabulary_size: tokens of the source, V.
        embedding_dim: features of a token.
        hidden_size: units in each direction, H.
        dropout: the probability, from 0 to 1, by which a feature of a token is dropped in training.
        padding: the token of padding.

    Called with tokens (B, S) and lengths (B,), it returns the vectors (B, S, 2H), 0 beyond a
    source's end, and the decoder's first state, (B, H), made of the last state of the direction
    that reads backwards: it has just read the beginning.

    Example:
        >>> encoder = BidirectionalEncoder(10, 4, 6)
        >>> memory, state = encoder(torch.tensor([[3, 4, 5], [6, 7, 0]]), torch.tensor([3, 2]))
        >>> memory.shape, state.shape, int(memory[1, 2].count_nonzero())
        (torch.Size([2, 3, 12]), torch.Size([2, 6]), 0)

    Chapter: :doc:`/sequences/attention`.
    """

    def __init__(
        self,
        vocabulary_size: int,
        embedding_dim: int,
        hidden_size: int,
        dropout: float = 0.0,
        padding: int = 0,
    ) -> None:
        super().__init__()
        self.embedding = Embedding(vocabulary_size, embedding_dim, padding_idx=padding)
        self.dropout = Dropout(dropout)
        self.gru = GRU(embedding_dim, hidden_size, batch_first=True, bidirectional=True)
        self.start = Linear(hidden_size, hidden_size)

    def forward(
        self, source: Int[Tensor, "B S"], lengths: Int[Tensor, "B"]
    ) -> tuple[Float[Tensor, "B S M"], Float[Tensor, "B H"]]:
        x = self.dropout(self.embedding(source))
        memory, last = self.gru(x, lengths=lengths)
        return memory, tanh(self.start(last[1]))


class AttentionDecoder(nn.Module):
    r"""Write token after token, each after a look at the source.

    .. math:: c_t = \textstyle\sum_s p_{ts} h_s, \qquad
        s_t = \operatorname{GRU}\bigl((E_{y_{t-1}}, c_t), s_{t-1}\bigr), \qquad
        \log P(y_t) = \log\operatorname{softmax} W (s_t, E_{y_{t-1}}, c_t)

    with the weights :math:`p_t` of :class:`dlbook.nn.AdditiveAttention` for the query
    :math:`s_{t-1}`.

    Args:
        vocabulary_size: tokens of the target, V.
        embedding_dim: features of a token.
        hidden_size: units, H.
        memory_size: features of each position of the source, M.
        units: hidden units of the attention.
        dropout: the probability, from 0 to 1, by which a feature of a token, or of what the last
            layer reads, is dropped in training.

    Example:
        >>> decoder = AttentionDecoder(10, 4, 6, 12, 5)
        >>> memory, state = torch.randn(2, 3, 12), torch.zeros(2, 6)
        >>> logits, weights = decoder(torch.tensor([[1, 4, 5, 6], [1, 7, 8, 9]]), memory, state)
        >>> logits.shape, weights.shape
        (torch.Size([2, 4, 10]), torch.Size([2, 4, 3]))

    Chapter: :doc:`/sequences/attention`.
    """

    def __init__(
        self,
        vocabulary_size: int,
        embedding_dim: int,
        hidden_size: int,
        memory_size: int,
        units: int,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.embedding = Embedding(vocabulary_size, embedding_dim)
        self.attention = AdditiveAttention(hidden_size, memory_size, units)
        self.cell = GRUCell(embedding_dim + memory_size, hidden_size)
        self.dropout = Dropout(dropout)
        self.output = Linear(hidden_size + embedding_dim + memory_size, vocabulary_size)

    def look(
        self,
        embedded: Float[Tensor, "B E"],
        state: Float[Tensor, "B H"],
        memory: Float[Tensor, "B S M"],
        projected: Float[Tensor, "B S U"],
        hidden: Tensor | None,
    ) -> tuple[Float[Tensor, "B H"], Float[Tensor, "B M"], Float[Tensor, "B S"]]:
        """Take one step: look at the source, then move on.

        Args:
            embedded: the token before, looked up.
            state: the state before.
            memory: what the encoder left.
            projected: what ``attention.project`` makes of it.
            hidden: (B, S), true for padding; or None.

        Returns:
            The next state, what was read, and the weights.
        """
        query = arithmetic.unsqueeze(state, 1)
        read, weights = self.attention(query, memory, None, hidden, projected)
        context = arithmetic.squeeze(read, 1)
        state = self.cell(arithmetic.concatenate([embedded, context], -1), state)
        return state, context, arithmetic.squeeze(weights, 1)

    def forward(
        self,
        previous: Int[Tensor, "B T"],
        memory: Float[Tensor, "B S M"],
        state: Float[Tensor, "B H"],
        hidden: Tensor | None = None,
    ) -> tuple[Float[Tensor, "B T V"], Float[Tensor, "B T S"]]:
        """Write with every token before given: teacher forcing.

        Args:
            previous: the tokens before, beginning with the start.
            memory: what the encoder left.
            state: the first state.
            hidden: (B, S), true for padding; or None.

        Returns:
            Scores of each token, and the weights with which the source was read.
        """
        embedded = self.dropout(self.embedding(previous))
        projected = self.attention.project(memory)
        states, contexts, weights = [], [], []
        for t in range(previous.shape[1]):
            state, context, p = self.look(embedded[:, t], state, memory, projected, hidden)
            states.append(state)
            contexts.append(context)
            weights.append(p)
        return (
            self.scores(arithmetic.stack(states, 1), embedded, arithmetic.stack(contexts, 1)),
            arithmetic.stack(weights, 1),
        )

    def scores(self, state: Tensor, embedded: Tensor, context: Tensor) -> Tensor:
        """Return the scores of each token, before the softmax."""
        seen = arithmetic.concatenate([state, embedded, context], -1)
        logits: Tensor = self.output(self.dropout(seen))
        return logits


class Seq2Seq(nn.Module):
    r"""Encoder, attention and decoder: a small translator.

    Args:
        source_size: tokens of the source.
        target_size: tokens of the target, V.
        embedding_dim: features of a token.
        hidden_size: units of the decoder and of each direction of the encoder, H.
        units: hidden units of the attention; as many as ``hidden_size`` if None.
        dropout: the probability, from 0 to 1, by which numbers are dropped in training.
        padding: the token after the end of a shorter text, on both sides.
        start: the token before the first one of the target.
        stop: the token after its last one.

    Raises:
        ValueError: when called, if tokens and lengths do not fit.

    Departs from the paper of Bahdanau, Cho and Bengio: the gates are PyTorch's, and the last layer
    is linear, where they take the larger of two linear layers, unit by unit, before it, and read
    the state before the step.

    Example:
        >>> model = Seq2Seq(12, 10, 4, 6)
        >>> source, lengths = torch.tensor([[4, 5, 6], [7, 8, 0]]), torch.tensor([3, 2])
        >>> target = torch.tensor([[1, 4, 2, 0], [1, 5, 6, 2]])
        >>> model(source, lengths, target).shape
        torch.Size([2, 3, 10])

    Chapter: :doc:`/sequences/attention`.
    """

    def __init__(
        self,
        source_size: int,
        target_size: int,
        embedding_dim: int = 32,
        hidden_size: int = 64,
        units: int | None = None,
        dropout: float = 0.0,
        *,
        padding: int = 0,
        start: int = 1,
        stop: int = 2,
    ) -> None:
        super().__init__()
        self.padding, self.start, self.stop = padding, start, stop
        self.encoder = BidirectionalEncoder(
            source_size, embedding_dim, hidden_size, dropout, padding
        )
        self.decoder = AttentionDecoder(
            target_size,
            embedding_dim,
            hidden_size,
            2 * hidden_size,
            hidden_size if units is None else units,
            dropout,
        )

    def encode(
        self, source: Int[Tensor, "B S"], lengths: Int[Tensor, "B"]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return what the decoder looks at, its first state, and where there is padding."""
        if lengths.shape != source.shape[:1]:
            raise ValueError(
                f"Seq2Seq: expected a length for each of the {source.shape[0]} sources, got "
                f"lengths of shape {tuple(lengths.shape)}"
            )
        memory, state = self.encoder(source, lengths)
        places = torch.arange(source.shape[1], device=source.device)
        return memory, state, places >= lengths.to(source.device).unsqueeze(1)

    def forward(
        self,
        source: Int[Tensor, "B S"],
        lengths: Int[Tensor, "B"],
        target: Int[Tensor, "B T"],
    ) -> Float[Tensor, "B N V"]:
        """Score every token of the target, given those before it.

        Args:
            source: tokens, padded.
            lengths: how many of each row are none of padding.
            target: tokens from the start on, T of them.

        Returns:
            Scores for the tokens from the second on, N = T - 1 of them.
        """
        memory, state, hidden = self.encode(source, lengths)
        logits: Tensor = self.decoder(target[:, :-1], memory, state, hidden)[0]
        return logits

    def loss(
        self,
        source: Int[Tensor, "B S"],
        lengths: Int[Tensor, "B"],
        target: Int[Tensor, "B T"],
    ) -> Float[Tensor, ""]:
        """Return the mean cross-entropy of the target's tokens, those of padding left out.

        Args:
            source: tokens, padded.
            lengths: how many of each row are none of padding.
            target: tokens from the start to the stop, padded.
        """
        logits = self(source, lengths, target)
        loss: Tensor = losses.cross_entropy(
            arithmetic.reshape(logits, -1, logits.shape[-1]),
            target[:, 1:].reshape(-1),
            ignore_index=self.padding,
        )
        return loss

    def alignments(
        self,
        source: Int[Tensor, "B S"],
        lengths: Int[Tensor, "B"],
        target: Int[Tensor, "B T"],
    ) -> Float[Tensor, "B N S"]:
        """Return the weights with which each token of a given target, from the second on, is read.

        Args:
            source: tokens, padded.
            lengths: how many of each row are none of padding.
            target: tokens from the start on.
        """
        memory, state, hidden = self.encode(source, lengths)
        weights: Tensor = self.decoder(target[:, :-1], memory, state, hidden)[1]
        return weights

    def step(self, last: Int[Tensor, "N"], state: State) -> tuple[Tensor, State, Tensor]:
        """Write one more token: its logarithmic probabilities, the next state, and the weights.

        Args:
            last: the token before.
            state: the decoder's state, what the encoder left, its projection, and where there is
                padding.
        """
        hidden_state, memory, projected, hidden = state
        embedded = self.decoder.embedding(last)
        hidden_state, context, weights = self.decoder.look(
            embedded, hidden_state, memory, projected, hidden
        )
        scores = self.decoder.scores(hidden_state, embedded, context)
        log_p: Tensor = layers.log_softmax(scores, -1)
        return log_p, (hidden_state, memory, projected, hidden), weights

    def _begin(self, source: Tensor, lengths: Tensor) -> State:
        memory, state, hidden = self.encode(source, lengths)
        return state, memory, self.decoder.attention.project(memory), hidden

    @torch.no_grad()
    def greedy(
        self, source: Int[Tensor, "B S"], lengths: Int[Tensor, "B"], *, max_length: int
    ) -> Decoded:
        """Write the most probable token, again and again.

        Dropout is at work if the model is in training mode: call ``eval()`` first.

        Args:
            source: tokens, padded.
            lengths: how many of each row are none of padding.
            max_length: tokens to be written at most, the stop included.

        Returns:
            What was written, its logarithmic probability, and the alignment.
        """
        _at_least_one("Seq2Seq.greedy", max_length=max_length)
        state = self._begin(source, lengths)
        last = torch.full((len(source),), self.start, device=source.device)
        running = torch.ones_like(last, dtype=torch.bool)
        scores = state[0].new_zeros(len(source))
        tokens, weights = [], []
        for _ in range(max_length):
            log_p, state, p = self.step(last, state)
            best, chosen = log_p.max(-1)
            scores = scores + best * running
            last = torch.where(running, chosen, self.padding)
            tokens.append(last)
            weights.append(p * running.unsqueeze(1))
            running = running & (last != self.stop)
            if not running.any():
                break
        return Decoded(torch.stack(tokens, 1), scores, torch.stack(weights, 1))

    @torch.no_grad()
    def beam_search(
        self,
        source: Int[Tensor, "B S"],
        lengths: Int[Tensor, "B"],
        *,
        beam_size: int = 4,
        max_length: int,
        length_power: float = 1.0,
    ) -> Decoded:
        """Follow several texts at once, and return the best: see :func:`beam_search`.

        Args:
            source: tokens, padded.
            lengths: how many of each row are none of padding.
            beam_size: texts that are followed for each source; 1 is :meth:`greedy`.
            max_length: tokens to be written at most, the stop included.
            length_power: the power of the length that a logarithmic probability is divided by.
        """
        return beam_search(
            self.step,
            self._begin(source, lengths),
            beam_size=beam_size,
            max_length=max_length,
            length_power=length_power,
            padding=self.padding,
            start=self.start,
            stop=self.stop,
        )


def beam_search(
    step: Step,
    state: Sequence[Tensor],
    *,
    beam_size: int,
    max_length: int,
    length_power: float = 1.0,
    padding: int = 0,
    start: int = 1,
    stop: int = 2,
) -> Decoded:
    r"""Follow the K most probable beginnings, and return the best text that came to an end.

    A text :math:`y` of T tokens, the stop among them, is as good as
    :math:`T^{-\alpha} \sum_t \log P(y_t \mid y_{<t})`. With :math:`\alpha = 0` that is the
    logarithm of its probability, which favours short texts: every further token can but lower
    it. With :math:`\alpha = 1` it is the mean over the tokens.

    At each step every beginning is continued by every token; the K most probable continuations
    stay. One that stops keeps its place, so that fewer go on. The search ends when all K have
    stopped, or after ``max_length`` tokens; a text that is cut off there is judged as it is. With
    K = 1 it is the greedy search. It need not find the best text of all, unless K is so large that
    nothing is left out.

    Args:
        step: takes the last tokens, (B · K,), and the state; returns logarithmic probabilities of
            shape (B · K, V), the next state, and the weights with which the source was read,
            (B · K, S).
        state: tensors with B rows, whatever ``step`` needs.
        beam_size: K.
        max_length: tokens to be written at most, the stop included.
        length_power: :math:`\alpha`.
        padding: the token that comes after the stop.
        start: the token before the first.
        stop: the token that ends a text.

    Raises:
        ValueError: if ``beam_size`` or ``max_length`` is below 1.

    Example:
        >>> p = torch.tensor([[0.0, 0.0, 0.4, 0.6], [0.0, 0.0, 0.1, 0.9]])  # stop is 2, then 3

        A model that stops with 0.4 at first, and with 0.1 later:

        >>> def step(last, state):
        ...     return p.log()[(last == 3).long()], state, torch.ones(len(last), 1)
        >>> beam_search(step, [torch.zeros(1)], beam_size=2, max_length=3, length_power=0).tokens
        tensor([[3, 3, 3]])

    Chapter: :doc:`/sequences/attention`.
    """
    _at_least_one("beam_search", beam_size=beam_size, max_length=max_length)
    batch, device = len(state[0]), state[0].device
    rows = torch.arange(batch, device=device).unsqueeze(1)  # (B, 1)
    current: State = tuple(s.repeat_interleave(beam_size, 0) for s in state)
    last = torch.full((batch * beam_size,), start, device=device)
    tokens = last.new_empty(batch, beam_size, 0)
    total: Any = None  # log P of each beginning, (B, K); -inf where a place is empty
    looked: Any = None  # (B, K, t, S)
    free = torch.full((batch, 1), beam_size, device=device)  # places not taken by ended texts
    best: Any = None

    for length in range(1, max_length + 1):
        log_p, current, weights = step(last, current)
        if total is None:  # all beginnings are the empty one: only the first counts
            total = log_p.new_full((batch, beam_size), -torch.inf)
            total[:, 0] = 0
            looked = weights.new_empty(batch, beam_size, 0, weights.shape[-1])
            best = _Best(batch, max_length, padding, log_p, weights)
        size = log_p.shape[-1]
        candidates = (total.unsqueeze(2) + log_p.reshape(batch, beam_size, size)).flatten(1)
        total, chosen = candidates.topk(beam_size, 1)  # sorted, the best first
        beginning, token = chosen // size, chosen % size
        tokens = torch.cat([tokens[rows, beginning], token.unsqueeze(2)], 2)
        weights = weights.reshape(batch, beam_size, 1, -1)
        looked = torch.cat([looked, weights], 2)[rows, beginning]

        place = torch.arange(beam_size, device=device)
        total = total.masked_fill(place >= free, -torch.inf)
        ends = (token == stop) | (length == max_length)
        ended = total.masked_fill(~ends, -torch.inf)
        best.take(ended / length**length_power, tokens, looked)
        free = free - (ended > -torch.inf).sum(1, keepdim=True)
        total = total.masked_fill(ends, -torch.inf)
        if not (total > -torch.inf).any():
            break
        last = token.flatten()
        kept = (beginning + beam_size * rows).flatten()
        current = tuple(s[kept] for s in current)
    return best.result()  # type: ignore[no-any-return]


class _Best:
    """The best text so far for each source."""

    def __init__(
        self, batch: int, length: int, padding: int, log_p: Tensor, weights: Tensor
    ) -> None:
        self.score = log_p.new_full((batch,), -torch.inf)
        self.tokens = torch.full((batch, length), padding, device=log_p.device)
        self.looked = weights.new_zeros(batch, length, weights.shape[-1])
        self.length = torch.zeros(batch, dtype=torch.int64, device=log_p.device)
        self.padding = padding

    def take(self, score: Tensor, tokens: Tensor, looked: Tensor) -> None:
        top, place = score.max(1)
        better = (top > self.score).nonzero().squeeze(1)
        if len(better):
            n, place = tokens.shape[2], place[better]
            self.score[better] = top[better]
            self.tokens[better] = self.padding
            self.looked[better] = 0
            self.tokens[better, :n] = tokens[better, place]
            self.looked[better, :n] = looked[better, place]
            self.length[better] = n

    def result(self) -> Decoded:
        n = int(self.length.max()) if len(self.length) else 0
        return Decoded(self.tokens[:, :n], self.score, self.looked[:, :n])


def _at_least_one(name: str, **sizes: int) -> None:
    for what, size in sizes.items():
        if size < 1:
            raise ValueError(f"{name}: expected {what} of at least 1, got {size}")

r"""A language model that reads one token after the other, and remembers.

For every token of a text it gives the scores of the next one,

.. math:: h_t = \text{layer}(E_{x_t}, h_{t-1}), \qquad
    \log P(x_{t+1} = v \mid x_{\le t}) = \log\operatorname{softmax}(W h_t + b)_v .

The state is handed from one piece of text to the next. :func:`detached` cuts the way back there:
backpropagation through time is truncated to the piece.

Chapter: :doc:`/sequences/recurrent`.
"""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from dlbook.models.sampling import sample
from dlbook.nn.layers import Embedding, Linear
from dlbook.nn.recurrent import GRU, LSTM, RNN
from dlbook.nn.regularization import Dropout
from dlbook.ops import layers

__all__ = ["CharRNN", "detached"]

Layer = Callable[..., RNN | LSTM | GRU]


class CharRNN(nn.Module):
    r"""A recurrent network that guesses the next token, of characters, bytes or words.

    Args:
        vocabulary_size: tokens, V.
        hidden_size: units, H.
        layer: :class:`dlbook.nn.RNN`, :class:`dlbook.nn.LSTM` or :class:`dlbook.nn.GRU`.
        embedding_dim: numbers by which a token is told; None to tell it by a one-hot code.
        num_layers: layers above each other.
        dropout: the probability, from 0 to 1, by which an output of a layer is dropped in training.

    Attributes:
        embedding: the table of tokens, or None.
        rnn: the layer.
        head: from a state to scores.

    Called with
        - ``input``: tokens (B, T);
        - ``state``: what the call before returned, or None at the beginning of a text.

    Returns scores (B, T, V), and the state after the last token.

    Raises:
        ValueError: for a vocabulary without tokens, or tokens of another shape.

    Example:
        >>> model = CharRNN(50, 16, embedding_dim=8)
        >>> x = torch.randint(50, (2, 12))
        >>> logits, state = model(x[:, :6])
        >>> more, _ = model(x[:, 6:], detached(state))
        >>> together, _ = model(x)
        >>> logits.shape, torch.allclose(torch.cat([logits, more], 1), together, atol=1e-6)
        (torch.Size([2, 6, 50]), True)

    Chapter: :doc:`/sequences/recurrent`.
    """

    def __init__(
        self,
        vocabulary_size: int,
        hidden_size: int,
        layer: Layer = LSTM,
        embedding_dim: int | None = None,
        num_layers: int = 1,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if vocabulary_size < 1:
            raise ValueError(f"CharRNN: expected at least one token, got {vocabulary_size}")
        self.vocabulary_size = vocabulary_size
        self.embedding = (
            None if embedding_dim is None else Embedding(vocabulary_size, embedding_dim)
        )
        features = vocabulary_size if embedding_dim is None else embedding_dim
        between = dropout if num_layers > 1 else 0.0
        self.rnn = layer(
            features, hidden_size, num_layers=num_layers, batch_first=True, dropout=between
        )
        self.dropout = Dropout(dropout)
        self.head = Linear(hidden_size, vocabulary_size)

    def forward(
        self, input: Int[Tensor, "B T"], state: Any = None
    ) -> tuple[Float[Tensor, "B T V"], Any]:
        if input.ndim != 2:
            raise ValueError(f"CharRNN: expected tokens (B, T), got shape {tuple(input.shape)}")
        if self.embedding is None:
            codes = layers.one_hot(input, self.vocabulary_size)
            x = codes.to(self.head.weight.dtype)
        else:
            x = self.embedding(input)
        y, state = self.rnn(x, state)
        return self.head(self.dropout(y)), state

    @torch.no_grad()
    def generate(
        self,
        prompt: Int[Tensor, "B T"],
        length: int,
        *,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        generator: torch.Generator | None = None,
        state: Any = None,
    ) -> Int[Tensor, "B N"]:
        r"""Go on with a text: draw a token, read it, draw the next.

        Tokens are drawn by :func:`dlbook.models.sample`: from :math:`\operatorname{softmax}(z /
        \tau)` with the temperature :math:`\tau`; at 0 the most probable token is taken
        always. Dropout is at work if the model is in training mode: call ``eval()`` first.

        Args:
            prompt: the text so far, at least one token each.
            length: tokens to write, N.
            temperature: :math:`\tau`, 0 or above.
            top_k: draw from this many tokens, the most probable; None for all.
            top_p: draw from the most probable ones that have this probability together; None for
                all.
            generator: where the randomness comes from; None for PyTorch's global one.
            state: the state before the prompt.

        Returns:
            The tokens that were written, without the prompt.

        Raises:
            ValueError: for a temperature or a length below 0, or an empty prompt.
        """
        if not temperature >= 0:
            raise ValueError(f"generate: expected a temperature of 0 or above, got {temperature}")
        if length < 0 or prompt.ndim != 2 or not prompt.shape[1]:
            raise ValueError(
                f"generate: expected a length of 0 or above and a prompt of at least one token, "
                f"got {length} and shape {tuple(prompt.shape)}"
            )
        written = [prompt[:, :0]]
        for _ in range(length):
            logits, state = self(prompt, state)
            chosen = sample(logits[:, -1], temperature, top_k, top_p, generator)
            prompt = chosen.unsqueeze(1)
            written.append(prompt)
        return torch.cat(written, 1)


def detached(state: Any) -> Any:
    """Return a state without its past: the same numbers, but no gradient goes back through them.

    Args:
        state: a tensor, a tuple of them such as an LSTM's, or None.

    Example:
        >>> h = torch.ones(1, requires_grad=True)
        >>> detached((2 * h, None))
        (tensor([2.]), None)

    Chapter: :doc:`/sequences/recurrent`.
    """
    if state is None:
        return None
    if isinstance(state, Tensor):
        return state.detach()
    return tuple(detached(part) for part in state)

r"""Vectors for words from how often they stand together: global vectors, GloVe.

The whole text is counted first: :math:`X_{ij}` is how often word j stands near word i, a neighbour
at distance d counting 1/d. Then vectors are sought whose products are the logarithms of the counts,

.. math:: J = \sum_{ij} f(X_{ij})
    \bigl( w_i \cdot \tilde w_j + b_i + \tilde b_j - \log X_{ij} \bigr)^2, \qquad
    f(x) = \min\bigl(1, (x / x_{\max})^{\alpha}\bigr) .

The sum is over pairs that were met; f trusts rare ones less. That two words never stood together is
nowhere in it: only from a large text, in which nearly all that can meet has met, do the counts
tell everything.

The paper is Pennington, Socher and Manning, "GloVe: global vectors for word representation",
*Empirical Methods in Natural Language Processing* (2014).

Chapter: :doc:`/sequences/embeddings`.
"""

from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from dlbook import init
from dlbook.autodiff.tape import Array
from dlbook.models.word2vec import Words
from dlbook.nn.layers import Embedding
from dlbook.ops import arithmetic

__all__ = ["Cooccurrences", "GloVe", "cooccurrences", "glove_loss", "train_glove"]


class Cooccurrences(NamedTuple):
    """The pairs of words that were met, and how often.

    Attributes:
        word: the number of one word, (P,).
        context: the number of the other, (P,).
        counts: how often they were met, each time weighed by 1 over the distance; (P,), above 0.
    """

    word: Int[Tensor, "P"]
    context: Int[Tensor, "P"]
    counts: Float[Tensor, "P"]


def cooccurrences(text: Words, window: int = 10) -> Cooccurrences:
    r"""Count which words stand near which: at distance d, 1/d of a time.

    Both words of a pair are context of each other, so that the counts are symmetric; two of
    the same word at a distance count for it twice. No pair reaches into another sentence.

    Args:
        text: the words.
        window: the largest distance.

    Returns:
        The pairs with counts above 0, sorted by word, then by context.

    Raises:
        ValueError: if ``window`` is below 1.

    Example:
        >>> text = Words([["a", "b", "c"], ["a", "b"]])
        >>> found = cooccurrences(text)
        >>> [(text.words[i], text.words[j], x) for i, j, x in zip(*(f.tolist() for f in found))][:3]
        [('a', 'b', 2.0), ('a', 'c', 0.5), ('b', 'a', 2.0)]

    Chapter: :doc:`/sequences/embeddings`.
    """
    if window < 1:
        raise ValueError(f"cooccurrences: expected a window of at least 1, got {window}")
    tokens, sentence, size = text.tokens, text.sentence, len(text)
    pairs = [torch.empty(0, dtype=torch.int64)]
    weights = [torch.empty(0, dtype=torch.float64)]
    for distance in range(1, min(window, len(tokens) - 1) + 1):
        together = sentence[:-distance] == sentence[distance:]
        left, right = tokens[:-distance][together], tokens[distance:][together]
        pairs += [left * size + right, right * size + left]
        weights.append(torch.full((2 * len(left),), 1 / distance, dtype=torch.float64))
    cells, place = torch.unique(torch.cat(pairs), return_inverse=True)
    counts = torch.zeros(len(cells), dtype=torch.float64).index_add_(0, place, torch.cat(weights))
    return Cooccurrences(cells // size, cells % size, counts.to(torch.get_default_dtype()))


def glove_loss(
    predicted: Float[Array, "B"],
    count: Float[Tensor, "B"],
    *,
    x_max: float = 100.0,
    alpha: float = 0.75,
) -> Float[Array, ""]:
    r"""Weighted squares, summed: :math:`\sum f(X) (\hat z - \log X)^2`.

    .. math:: f(x) = \min\bigl(1, (x / x_{\max})^{\alpha}\bigr), \qquad
        \frac{\partial J}{\partial \hat z} = 2 f(X) (\hat z - \log X)
       :label: models-glove

    Args:
        predicted: :math:`\hat z = w \cdot \tilde w + b + \tilde b`.
        count: :math:`X`, above 0; it has no gradient.
        x_max: from which count on a pair is trusted wholly.
        alpha: the power below.

    Raises:
        ValueError: if the shapes differ, or ``x_max`` is not above 0.

    Example:
        >>> glove_loss(torch.tensor([0.0, 1.0]), torch.tensor([1.0, 1.0]), x_max=1)
        tensor(1.)

    Chapter: :doc:`/sequences/embeddings`.
    """
    if predicted.shape != count.shape:
        raise ValueError(
            f"glove_loss: expected a count for each prediction, got shapes "
            f"{tuple(predicted.shape)} and {tuple(count.shape)}"
        )
    if x_max <= 0:
        raise ValueError(f"glove_loss: expected x_max above 0, got {x_max}")
    trust = (count / x_max).clamp(max=1) ** alpha
    miss = arithmetic.sub(predicted, count.log())
    return arithmetic.sum(arithmetic.mul(arithmetic.mul(trust, miss), miss))


class GloVe(nn.Module):
    r"""Two tables of vectors and two of biases: words, and words as context.

    All numbers begin uniformly between :math:`\pm\tfrac{1}{2D}`.

    Args:
        vocabulary_size: words, V.
        embedding_dim: numbers a word, D.

    Called with words (B,) and contexts (B,), it returns the predicted logarithms of their
    counts, (B,).

    Attributes:
        word: vectors of words.
        context: vectors of words as context.
        word_bias: a number for each word.
        context_bias: a number for each word as context.

    Example:
        >>> model = GloVe(5, 3)
        >>> model(torch.tensor([0, 1]), torch.tensor([1, 4])).shape, model.vectors.shape
        (torch.Size([2]), torch.Size([5, 3]))

    Chapter: :doc:`/sequences/embeddings`.
    """

    def __init__(self, vocabulary_size: int, embedding_dim: int) -> None:
        super().__init__()
        self.word = Embedding(vocabulary_size, embedding_dim)
        self.context = Embedding(vocabulary_size, embedding_dim)
        self.word_bias = Embedding(vocabulary_size, 1)
        self.context_bias = Embedding(vocabulary_size, 1)
        bound = 0.5 / embedding_dim
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def forward(self, word: Int[Tensor, "B"], context: Int[Tensor, "B"]) -> Float[Tensor, "B"]:
        both = arithmetic.sum(arithmetic.mul(self.word(word), self.context(context)), -1, True)
        biases = arithmetic.add(self.word_bias(word), self.context_bias(context))
        predicted: Tensor = arithmetic.squeeze(arithmetic.add(both, biases), -1)
        return predicted

    @property
    def vectors(self) -> Float[Tensor, "V D"]:
        """The sum of a word's two vectors, which is what is used afterwards."""
        return (self.word.weight + self.context.weight).detach()


def train_glove(
    model: GloVe,
    counts: Cooccurrences,
    optimizer: torch.optim.Optimizer,
    *,
    epochs: int,
    generator: torch.Generator,
    batch_size: int = 512,
    x_max: float = 100.0,
    alpha: float = 0.75,
    scheduler: Any = None,
) -> list[float]:
    """Train on counts, in a new order every epoch.

    The authors take single pairs, and AdaGrad with the rate 0.05: :class:`dlbook.optim.Adagrad`.

    Args:
        model: the tables.
        counts: the pairs and how often they were met.
        optimizer: the model's.
        epochs: passes through all pairs.
        generator: where the order comes from.
        batch_size: pairs a step; their losses are summed.
        x_max: from which count on a pair is trusted wholly.
        alpha: the power below.
        scheduler: a schedule that is stepped after every epoch; or None.

    Returns:
        The loss of every epoch, a mean over the pairs.

    Raises:
        ValueError: if there are no pairs, or for a batch size below 1.

    Example:
        >>> model = GloVe(4, 2)
        >>> counts = cooccurrences(Words([["a", "b", "c", "d"]] * 50))
        >>> optimizer = torch.optim.Adagrad(model.parameters(), lr=0.1)
        >>> losses = train_glove(model, counts, optimizer, epochs=20,
        ...                      generator=torch.Generator().manual_seed(0))
        >>> losses[-1] < losses[0]
        True

    Chapter: :doc:`/sequences/embeddings`.
    """
    if batch_size < 1 or not len(counts.counts):
        raise ValueError(
            f"train_glove: expected pairs and a batch_size of at least 1, got {len(counts.counts)} "
            f"pairs and {batch_size}"
        )
    history, size = [], len(counts.counts)
    for _ in range(epochs):
        total = 0.0
        for rows in torch.split(torch.randperm(size, generator=generator), batch_size):
            optimizer.zero_grad()
            predicted = model(counts.word[rows], counts.context[rows])
            loss = glove_loss(predicted, counts.counts[rows], x_max=x_max, alpha=alpha)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            total += float(loss.detach())
        history.append(total / size)
        if scheduler is not None:
            scheduler.step()
    return history

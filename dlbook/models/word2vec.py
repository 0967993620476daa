r"""Vectors for words, learned by guessing which words stand near which: skip-gram.

A word in the middle shall tell the words around it from words drawn at random. Every word has two
vectors, one as the centre, :math:`v`, and one as context, :math:`u`. For a centre c, a neighbour o
and K words :math:`h_k` from the noise,

.. math:: \ell = -\log\sigma(u_o \cdot v_c) - \sum_k \log\sigma(-u_{h_k} \cdot v_c) .

Three tricks come with it: noise follows the words' counts to the power 0.75; frequent words are
often left out; and near neighbours are taken more often than far ones.

The paper is Mikolov and others, "Distributed representations of words and phrases and their
compositionality", *Advances in Neural Information Processing Systems* 26 (2013).

:class:`WordVectors` asks finished vectors for neighbours and analogies, whoever made them.

Chapter: :doc:`/sequences/embeddings`.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from dlbook import init
from dlbook.autodiff.tape import Array
from dlbook.nn.layers import Embedding
from dlbook.ops import arithmetic
from dlbook.ops.activations import logsigmoid

__all__ = [
    "SkipGram",
    "WordVectors",
    "Words",
    "keep_probabilities",
    "negative_sampling_loss",
    "noise_distribution",
    "skip_gram_pairs",
    "train_skip_gram",
]


class Words:
    """The words of some sentences, numbered: the most frequent first, then by alphabet.

    Args:
        sentences: lists of words.
        min_count: words that come less often are left out, as if they had not been written.

    Attributes:
        words: V different words.
        counts: how often each comes, (V,) of int64.
        tokens: the numbers of all words, sentence after sentence, (N,) of int64.
        sentence: the number of the sentence of each, (N,) of int64.

    Raises:
        ValueError: if no word is left.

    Example:
        >>> text = Words([["a", "b", "a"], ["b", "a", "c"]])
        >>> text.words, text.counts.tolist(), text.tokens.tolist(), text.sentence.tolist()
        (('a', 'b', 'c'), [3, 2, 1], [0, 1, 0, 1, 0, 2], [0, 0, 0, 1, 1, 1])

    Chapter: :doc:`/sequences/embeddings`.
    """

    def __init__(self, sentences: Iterable[Sequence[str]], min_count: int = 1) -> None:
        texts = [list(sentence) for sentence in sentences]
        counted = Counter(word for text in texts for word in text)
        found = sorted((-n, word) for word, n in counted.items() if n >= min_count)
        if not found:
            raise ValueError(
                f"Words: expected a word that comes at least {min_count} times, got "
                f"{len(counted)} different words, none of them so often"
            )
        self.words = tuple(word for _, word in found)
        self.counts = torch.tensor([-n for n, _ in found])
        self.index = {word: i for i, word in enumerate(self.words)}
        kept = [(i, self.index[w]) for i, t in enumerate(texts) for w in t if w in self.index]
        self.sentence, self.tokens = torch.tensor(kept).unbind(1)

    def __len__(self) -> int:
        return len(self.words)

    def __repr__(self) -> str:
        sentences = int(self.sentence.max()) + 1
        return f"Words({len(self)} different in {len(self.tokens)}, {sentences} sentences)"


def keep_probabilities(counts: Int[Tensor, "V"], threshold: float) -> Float[Tensor, "V"]:
    r"""Return with what probability each occurrence of a word stays in the text.

    .. math:: P(\text{keep } w) = \min\bigl(1, \sqrt{t / f_w}\bigr)

    with :math:`f_w`, the share of the word in the text. Words above the threshold are so frequent
    that they tell little of their neighbours.

    Args:
        counts: how often each word comes.
        threshold: :math:`t`, above 0: 1e-5 for billions of words, about 1e-3 for thousands.

    Raises:
        ValueError: if ``threshold`` is not above 0, or there are no words.

    Example:
        >>> keep_probabilities(torch.tensor([90, 9, 1]), 0.1)
        tensor([0.3333, 1.0000, 1.0000])

    Chapter: :doc:`/sequences/embeddings`.
    """
    if threshold <= 0:
        raise ValueError(f"keep_probabilities: expected a threshold above 0, got {threshold}")
    _some("keep_probabilities", counts)
    return (threshold * counts.sum() / counts).sqrt().clamp(max=1)


def noise_distribution(counts: Int[Tensor, "V"], power: float = 0.75) -> Float[Tensor, "V"]:
    r"""Return from what distribution words of noise are drawn: :math:`P(w) \propto n_w^{0.75}`.

    It lies between the words' own distribution (power 1) and the uniform one (power 0).

    Args:
        counts: how often each word comes.
        power: the exponent.

    Raises:
        ValueError: if there are no words.

    Example:
        >>> noise_distribution(torch.tensor([81, 16, 1]))
        tensor([0.7500, 0.2222, 0.0278])

    Chapter: :doc:`/sequences/embeddings`.
    """
    _some("noise_distribution", counts)
    weights = counts.to(torch.get_default_dtype()) ** power
    return weights / weights.sum()


def _some(name: str, counts: Tensor) -> None:
    if counts.ndim != 1 or len(counts) == 0 or int(counts.min()) < 0 or int(counts.sum()) == 0:
        raise ValueError(
            f"{name}: expected counts (V,), none negative, not all 0, got shape "
            f"{tuple(counts.shape)}"
        )


def skip_gram_pairs(
    text: Words,
    window: int,
    generator: torch.Generator,
    *,
    keep: Float[Tensor, "V"] | None = None,
) -> Int[Tensor, "P 2"]:
    """Return pairs of a centre and a neighbour, in random order.

    First every word stays or goes, by ``keep``; then every centre draws how far it looks, from 1 to
    ``window`` words with equal probability. So a neighbour at distance d is taken with probability
    (window - d + 1) / window. No pair reaches into another sentence.

    Args:
        text: the words.
        window: how far a centre looks at most, in words that have stayed.
        generator: where the randomness comes from.
        keep: the probability with which each word stays; None for all.

    Returns:
        Centre and neighbour of each pair.

    Raises:
        ValueError: if ``window`` is below 1.

    Example:
        >>> text = Words([["a", "b"], ["c"], ["d", "a"]])
        >>> pairs = skip_gram_pairs(text, 1, torch.Generator().manual_seed(0))
        >>> sorted((text.words[i], text.words[j]) for i, j in pairs.tolist())
        [('a', 'b'), ('a', 'd'), ('b', 'a'), ('d', 'a')]

    Chapter: :doc:`/sequences/embeddings`.
    """
    if window < 1:
        raise ValueError(f"skip_gram_pairs: expected a window of at least 1, got {window}")
    tokens, sentence = text.tokens, text.sentence
    if keep is not None:
        stays = torch.rand(len(tokens), generator=generator) < keep[tokens]
        tokens, sentence = tokens[stays], sentence[stays]
    reach = torch.randint(1, window + 1, (len(tokens),), generator=generator)
    found = [torch.empty(0, 2, dtype=torch.int64)]
    for distance in range(1, min(window, len(tokens) - 1) + 1):
        left, right = tokens[:-distance], tokens[distance:]
        together = sentence[:-distance] == sentence[distance:]
        ahead = together & (reach[:-distance] >= distance)
        behind = together & (reach[distance:] >= distance)
        found.append(torch.stack([left[ahead], right[ahead]], 1))
        found.append(torch.stack([right[behind], left[behind]], 1))
    pairs = torch.cat(found)
    return pairs[torch.randperm(len(pairs), generator=generator)]


def negative_sampling_loss(
    centre: Float[Array, "B D"],
    context: Float[Array, "B D"],
    noise: Float[Array, "B K D"],
) -> Float[Array, ""]:
    r"""Mean over pairs of what it costs to take noise for neighbours, and neighbours for noise.

    .. math:: \ell = -\log\sigma(u_o \cdot v_c) - \sum_k \log\sigma(-u_{h_k} \cdot v_c), \qquad
        \frac{\partial \ell}{\partial v_c} = -\sigma(-u_o \cdot v_c)\,u_o
        + \sum_k \sigma(u_{h_k} \cdot v_c)\,u_{h_k}
       :label: models-negative-sampling

    Args:
        centre: :math:`v_c`, the centres' vectors.
        context: :math:`u_o`, the vectors of a true neighbour of each.
        noise: :math:`u_{h_k}`, those of K words of noise for each. One may happen to be the
            neighbour; it counts all the same, as in the formula (the authors' program leaves it
            out).

    Raises:
        ValueError: if the shapes do not fit.

    Example:
        >>> zero = torch.zeros(4, 8)
        >>> float(negative_sampling_loss(zero, zero, torch.zeros(4, 5, 8)))  # 6 log 2
        4.158883...

    Chapter: :doc:`/sequences/embeddings`.
    """
    if context.shape != centre.shape or noise.shape[::2] != centre.shape:  # B and D of (B, K, D)
        raise ValueError(
            f"negative_sampling_loss: expected context of shape {tuple(centre.shape)} and noise of "
            f"shape ({centre.shape[0]}, K, {centre.shape[1]}), got {tuple(context.shape)} and "
            f"{tuple(noise.shape)}"
        )
    true = arithmetic.sum(arithmetic.mul(centre, context), -1)
    false = arithmetic.squeeze(arithmetic.matmul(noise, arithmetic.unsqueeze(centre, -1)), -1)
    right = logsigmoid(true) + arithmetic.sum(logsigmoid(arithmetic.neg(false)), -1)
    return arithmetic.neg(arithmetic.mean(right))


class SkipGram(nn.Module):
    r"""Two tables of vectors: words as centres, and words as context.

    As in the authors' program, the centres' numbers begin uniformly between
    :math:`\pm\tfrac{1}{2D}`, and the contexts' with zeros.

    Args:
        vocabulary_size: words, V.
        embedding_dim: numbers a word, D.

    Called with centres (B,), contexts (B,) and noise (B, K), all of them numbers of words, it
    returns the loss (:eq:`models-negative-sampling`).

    Attributes:
        centre: the vectors that are used afterwards.
        context: the others.

    Example:
        >>> model = SkipGram(5, 3)
        >>> loss = model(torch.tensor([0, 1]), torch.tensor([1, 4]), torch.tensor([[2, 3], [3, 3]]))
        >>> float(loss.detach())  # 3 log 2
        2.07944...

    Chapter: :doc:`/sequences/embeddings`.
    """

    def __init__(self, vocabulary_size: int, embedding_dim: int) -> None:
        super().__init__()
        self.centre = Embedding(vocabulary_size, embedding_dim)
        self.context = Embedding(vocabulary_size, embedding_dim)
        bound = 0.5 / embedding_dim
        init.uniform_(self.centre.weight, -bound, bound)
        init.zeros_(self.context.weight)

    def forward(
        self, centre: Int[Tensor, "B"], context: Int[Tensor, "B"], noise: Int[Tensor, "B K"]
    ) -> Float[Tensor, ""]:
        return negative_sampling_loss(
            self.centre(centre), self.context(context), self.context(noise)
        )


def train_skip_gram(
    model: SkipGram,
    text: Words,
    optimizer: torch.optim.Optimizer,
    *,
    epochs: int,
    generator: torch.Generator,
    window: int = 5,
    negatives: int = 5,
    batch_size: int = 512,
    threshold: float | None = 1e-3,
    scheduler: Any = None,
) -> list[float]:
    """Train on the pairs of a text; every epoch draws them, and the noise, anew.

    Args:
        model: the two tables.
        text: the words.
        optimizer: the model's.
        epochs: passes through the text.
        generator: where the randomness comes from.
        window: how far a centre looks at most.
        negatives: words of noise a pair.
        batch_size: pairs a step.
        threshold: for :func:`keep_probabilities`; None to keep every word.
        scheduler: a schedule that is stepped after every epoch; or None.

    Returns:
        The mean loss of every epoch.

    Raises:
        ValueError: if the text leaves no pair, or for a batch size below 1.

    Example:
        >>> text = Words([["a", "b"], ["c", "d"]] * 20)
        >>> model = SkipGram(len(text), 4)
        >>> optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
        >>> losses = train_skip_gram(model, text, optimizer, epochs=5, threshold=None,
        ...                          generator=torch.Generator().manual_seed(0))
        >>> losses[-1] < losses[0]
        True

    Chapter: :doc:`/sequences/embeddings`.
    """
    if batch_size < 1:
        raise ValueError(f"train_skip_gram: expected a batch_size of at least 1, got {batch_size}")
    keep = None if threshold is None else keep_probabilities(text.counts, threshold)
    noise = noise_distribution(text.counts)
    history = []
    for _ in range(epochs):
        pairs = skip_gram_pairs(text, window, generator, keep=keep)
        if not len(pairs):
            raise ValueError(f"train_skip_gram: expected pairs of neighbours, got none in {text!r}")
        drawn = noise.multinomial(len(pairs) * negatives, True, generator=generator)
        false = drawn.reshape(len(pairs), negatives)
        total = 0.0
        for pair, wrong in zip(torch.split(pairs, batch_size), torch.split(false, batch_size)):
            optimizer.zero_grad()
            loss = model(pair[:, 0], pair[:, 1], wrong)
            loss.backward()
            optimizer.step()
            total += float(loss.detach()) * len(pair)
        history.append(total / len(pairs))
        if scheduler is not None:
            scheduler.step()
    return history


class WordVectors:
    r"""Words with their vectors, to be asked what is near what.

    Nearness is the cosine of the angle, :math:`\cos(a, b) = a \cdot b / (\lVert a \rVert
    \lVert b \rVert)`; so all vectors are brought to length 1 first.

    **What an analogy leaves out.** *a is to b as c is to …* is answered by the word nearest to
    :math:`b - a + c`. That sum often lies nearest to :math:`c` or :math:`b` themselves, and the
    custom is to leave the three words of the question out: a good part of the success of analogies
    is owed to it. With ``exclude=False`` they may be answers.

    Args:
        words: V different words.
        vectors: a row for each, (V, D).

    Attributes:
        words: the words.
        vectors: the rows, brought to length 1.

    Raises:
        ValueError: if rows and words differ in number, or a word comes twice.
        KeyError: if asked for a word that there is not.

    Example:
        >>> rows = torch.tensor([[1.0, 1, 0], [1, 0, 1], [-1, 1, 0], [-1, 0, 1], [0, 1, 1]])
        >>> some = WordVectors(["man", "woman", "king", "queen", "child"], rows)
        >>> some.analogy("man", "king", "woman")[0][0]
        'queen'
        >>> [word for word, _ in some.nearest("man", 2)]
        ['woman', 'child']

    Chapter: :doc:`/sequences/embeddings`.
    """

    def __init__(self, words: Sequence[str], vectors: Float[Tensor, "V D"]) -> None:
        self.words = tuple(words)
        self.index = {word: i for i, word in enumerate(self.words)}
        if vectors.ndim != 2 or len(vectors) != len(self.words):
            raise ValueError(
                f"WordVectors: expected a row for each of {len(self.words)} words, got vectors of "
                f"shape {tuple(vectors.shape)}"
            )
        if len(self.index) != len(self.words):
            raise ValueError("WordVectors: expected different words, got one twice")
        self.vectors = _unit(vectors.detach())

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: object) -> bool:
        return word in self.index

    def __getitem__(self, word: str) -> Float[Tensor, "D"]:
        return self.vectors[self.index[word]]

    def similarity(self, a: str, b: str) -> float:
        """Return the cosine of the angle between two words."""
        return float(self[a] @ self[b])

    def nearest(
        self, to: str | Float[Tensor, "D"], k: int = 5, exclude: Iterable[str] = ()
    ) -> list[tuple[str, float]]:
        """Return the nearest words with their cosines.

        Args:
            to: a word, which itself is left out; or a vector.
            k: how many words.
            exclude: more words that are left out.
        """
        left_out = set(exclude)
        if isinstance(to, str):
            left_out.add(to)
            to = self[to]
        cosines = self.vectors @ _unit(to)
        cosines[[self.index[word] for word in left_out]] = -torch.inf
        values, places = cosines.topk(min(k, len(self) - len(left_out)))
        return [(self.words[i], v) for i, v in zip(places.tolist(), values.tolist())]

    def analogy(
        self, a: str, b: str, c: str, k: int = 1, *, exclude: bool = True
    ) -> list[tuple[str, float]]:
        """Answer: a is to b as c is to …?

        Args:
            a: a word.
            b: what it goes with.
            c: another word.
            k: how many answers, the best first.
            exclude: whether the three words of the question are left out.

        Returns:
            Words, with the cosines of their angles with b - a + c.
        """
        return self.nearest(self[b] - self[a] + self[c], k, (a, b, c) if exclude else ())

    def answers(
        self,
        questions: Sequence[tuple[str, ...]],
        *,
        exclude: bool = True,
    ) -> list[str]:
        """Return the best answer to each of many questions.

        Args:
            questions: triples (a, b, c), or fours (a, b, c, d), whose last word is not looked at.
            exclude: whether the three words of a question are left out.
        """
        if not questions:
            return []
        asked = torch.tensor([[self.index[word] for word in q[:3]] for q in questions])
        found = []
        for some in torch.split(asked, 1024):
            a, b, c = (self.vectors[column] for column in some.unbind(1))
            cosines = (b - a + c) @ self.vectors.T  # a length in common changes no order
            if exclude:
                cosines.scatter_(1, some, -torch.inf)
            found += cosines.argmax(1).tolist()
        return [self.words[i] for i in found]

    def accuracy(
        self, questions: Sequence[tuple[str, str, str, str]], *, exclude: bool = True
    ) -> float:
        """Return the share of questions (a, b, c, d) whose answer is d.

        Args:
            questions: at least one.
            exclude: whether the three words of a question are left out.

        Raises:
            ValueError: if there is no question.
        """
        if not questions:
            raise ValueError("WordVectors.accuracy: expected at least one question, got none")
        answers = self.answers(questions, exclude=exclude)
        return sum(given == q[3] for given, q in zip(answers, questions)) / len(questions)


def _unit(x: Tensor) -> Tensor:
    length: Tensor = (x * x).sum(-1, keepdim=True).sqrt()
    return x / length.clamp(min=1e-12)

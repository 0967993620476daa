r"""From scores to the next token: how much chance is let in.

A language model gives each token of its vocabulary a score. The probabilities are
:math:`p = \operatorname{softmax}(z / \tau)` with the *temperature* :math:`\tau`: near 0 all of it
goes to the largest score, at 1 the model is taken at its word, and above 1 the scores count for
less. A long tail of unlikely tokens has, taken together, a good chance, and one of them may derail
the whole text; so the tail is cut, after the :math:`k` best tokens, or after those that together
have the probability :math:`p`.

Chapter: :doc:`/sequences/transformers`.
"""

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from dlbook.ops.layers import softmax

__all__ = ["keep_top_k", "keep_top_p", "sample"]


def keep_top_k(scores: Float[Tensor, "*B V"], k: int) -> Float[Tensor, "*B V"]:
    r"""Set all scores but the k largest to :math:`-\infty`; what equals the k-th stays too.

    Args:
        scores: one for each of V tokens, any leading axes.
        k: how many stay, at least 1; all if there are fewer.

    Raises:
        ValueError: for a k below 1.

    Example:
        >>> keep_top_k(torch.tensor([1.0, 3.0, 2.0, 0.0]), 2)
        tensor([-inf, 3., 2., -inf])

    Chapter: :doc:`/sequences/transformers`.
    """
    if k < 1:
        raise ValueError(f"keep_top_k: expected to keep at least one token, got k={k}")
    last = scores.topk(min(k, scores.shape[-1])).values[..., -1:]
    return scores.masked_fill(scores < last, -torch.inf)


def keep_top_p(scores: Float[Tensor, "*B V"], p: float) -> Float[Tensor, "*B V"]:
    r"""Keep the smallest number of the likeliest tokens that have the probability p together.

    The other scores become :math:`-\infty`. It keeps few tokens where the model is sure and many
    where it is not, which a number k can't.

    Args:
        scores: one for each of V tokens, any leading axes.
        p: above 0, at most 1; at least one token stays.

    Raises:
        ValueError: for a p out of range.

    Example:
        >>> scores = torch.tensor([0.1, 0.5, 0.1, 0.3]).log()
        >>> keep_top_p(scores, 0.6).exp()
        tensor([0.0000, 0.5000, 0.0000, 0.3000])

    Chapter: :doc:`/sequences/transformers`.
    """
    if not 0 < p <= 1:
        raise ValueError(f"keep_top_p: expected a probability above 0 and at most 1, got p={p}")
    if p == 1:
        return scores
    sorted_scores, order = torch.sort(scores, dim=-1, descending=True, stable=True)
    probabilities: Tensor = softmax(sorted_scores, -1)
    before = probabilities.cumsum(-1) - probabilities  # what the likelier ones have together
    before[..., 0] = 0
    hidden = torch.zeros_like(order, dtype=torch.bool).scatter(-1, order, before >= p)
    return scores.masked_fill(hidden, -torch.inf)


def sample(
    scores: Float[Tensor, "*B V"],
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    generator: Generator | None = None,
) -> Int[Tensor, "*B"]:
    r"""Draw tokens by their scores: temperature first, then the k best, then those of share p.

    Args:
        scores: one for each of V tokens, any leading axes.
        temperature: :math:`\tau`, what the scores are divided by; 0 takes the best.
        top_k: see :func:`keep_top_k`; all tokens if None.
        top_p: see :func:`keep_top_p`; all tokens if None.
        generator: where the random numbers come from.

    Raises:
        ValueError: for a temperature below 0, and for a ``top_k`` or ``top_p`` out of range.

    Example:
        >>> sample(torch.tensor([[0.0, 2.0, 1.0], [9.0, 0.0, 0.0]]), temperature=0)
        tensor([1, 0])

    Chapter: :doc:`/sequences/transformers`.
    """
    if temperature < 0:
        raise ValueError(f"sample: expected a temperature of at least 0, got {temperature}")
    if temperature:
        scores = scores / temperature
    if top_k is not None:
        scores = keep_top_k(scores, top_k)
    if top_p is not None:
        scores = keep_top_p(scores, top_p)
    if not temperature:
        return scores.argmax(-1)
    probabilities: Tensor = softmax(scores.reshape(-1, scores.shape[-1]), -1)
    drawn = torch.multinomial(probabilities, 1, generator=generator)
    return drawn.reshape(scores.shape[:-1])

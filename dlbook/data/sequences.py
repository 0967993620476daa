r"""Memory tasks: series on which a network must carry something over many steps, and no real data.

Each function makes as many examples as are asked for, batch first. What a network without memory
reaches at best is known for each task, so that a loss tells whether anything was remembered:

========= ==================================== ======================================
task      what has to be remembered            best loss without memory
========= ==================================== ======================================
adding    a number, to add another to it       mean squared error ``ADDING_CHANCE``
copying   some symbols, in their order         cross-entropy :func:`copying_chance`
parity    one bit, which every 1 turns over    cross-entropy ``PARITY_CHANCE``
========= ==================================== ======================================

Adding was set by Hochreiter and Schmidhuber (1997), here with numbers from 0 to 1 and series of one
length, as later writers have it.
"""

import math

import torch
from torch import Tensor

from dlbook.data.splits import Part

__all__ = ["ADDING_CHANCE", "PARITY_CHANCE", "adding", "copying", "copying_chance", "parity"]

#: The variance of the sum of two numbers that are uniform from 0 to 1: who can't tell which they
#: are says 1, their expectation, and is off by this in the mean square.
ADDING_CHANCE = 1 / 6

#: What it costs to say one half for a bit, in natural units.
PARITY_CHANCE = math.log(2)


def _drawn(name: str, seed: int, **least: tuple[int, int]) -> torch.Generator:
    """Check that each number is at least so large, and return a source of randomness."""
    for what, (value, low) in least.items():
        if value < low:
            raise ValueError(f"{name}: expected {what} of at least {low}, got {value}")
    return torch.Generator().manual_seed(seed)


def adding(examples: int, length: int, *, seed: int = 0) -> Part:
    r"""Two numbers of a series are marked: add them.

    One mark is in the first half and one in the second, so that a network has to wait for
    :math:`\lfloor T/2 \rfloor` steps on the average between them, and about a quarter of the series
    more until it is asked, at the end.

    Args:
        examples: how many, N, at least 1.
        length: steps, T, at least 2.
        seed: decides what is drawn.

    Returns:
        ``x``, (N, T, 2) of float32: numbers uniform in [0, 1), and marks, 1 for two of them and
        otherwise 0; ``y``, (N, 1) of float32: the sum of the two. Who says 1 for every series has
        the mean squared error ``ADDING_CHANCE``, 1/6.

    Raises:
        ValueError: for numbers below the least.

    Example:
        >>> part = adding(3, 10)
        >>> part.x.shape, part.y.shape
        (torch.Size([3, 10, 2]), torch.Size([3, 1]))
        >>> bool(((part.x[..., 0] * part.x[..., 1]).sum(1, keepdim=True) == part.y).all())
        True
    """
    generator = _drawn("adding", seed, examples=(examples, 1), length=(length, 2))
    numbers = torch.rand(examples, length, generator=generator)
    half = length // 2
    first = torch.randint(half, (examples, 1), generator=generator)
    second = torch.randint(half, length, (examples, 1), generator=generator)
    marks = torch.zeros(examples, length).scatter_(1, torch.cat([first, second], 1), 1.0)
    y = numbers.gather(1, first) + numbers.gather(1, second)
    return Part(torch.stack([numbers, marks], -1), y)


def copying(
    examples: int, delay: int, *, symbols: int = 8, length: int = 10, seed: int = 0
) -> Part:
    r"""Symbols are shown at the start: repeat them after a delay, when the signal comes.

    A series is: L symbols, D - 1 blanks, the signal, L blanks. The answer is: L + D blanks, then
    the L symbols.

    Args:
        examples: how many, N, at least 1.
        delay: steps between the last symbol shown and the first one asked for, D, at least 1; the
            signal is the last of them.
        symbols: how many there are to choose from, S, at least 1.
        length: how many are shown, L, at least 1.
        seed: decides what is drawn.

    Returns:
        ``x`` and ``y``, (N, 2L + D) of int64 each: 0 for a blank, 1 to S for the symbols, S + 1 for
        the signal (in ``x`` alone). Who says blanks and then guesses has the mean cross-entropy
        :func:`copying_chance`.

    Raises:
        ValueError: for numbers below the least.

    Example:
        >>> part = copying(1, 3, symbols=4, length=2)
        >>> part.x.tolist(), part.y.tolist()
        ([[1, 4, 0, 0, 5, 0, 0]], [[0, 0, 0, 0, 0, 1, 4]])
    """
    generator = _drawn(
        "copying",
        seed,
        examples=(examples, 1),
        delay=(delay, 1),
        symbols=(symbols, 1),
        length=(length, 1),
    )
    shown = torch.randint(1, symbols + 1, (examples, length), generator=generator)

    def blanks(n: int) -> Tensor:
        return shown.new_zeros(examples, n)

    signal = shown.new_full((examples, 1), symbols + 1)
    x = torch.cat([shown, blanks(delay - 1), signal, blanks(length)], 1)
    return Part(x, torch.cat([blanks(length + delay), shown], 1))


def copying_chance(delay: int, *, symbols: int = 8, length: int = 10) -> float:
    r"""The mean cross-entropy of :func:`copying` for who remembers nothing but when to answer.

    .. math:: \frac{L \log S}{2 L + D}

    Blanks are certain, and at each of the L places asked for, one of S symbols has to be guessed.

    Args:
        delay: steps between what is shown and what is asked for, D.
        symbols: how many there are to choose from, S.
        length: how many are shown, L.

    Example:
        >>> round(copying_chance(100), 3)
        0.173
    """
    return length * math.log(symbols) / (2 * length + delay)


def parity(examples: int, length: int, *, seed: int = 0) -> Part:
    r"""After each bit: is the number of ones so far odd?

    One bit of memory is enough, but every 1 has to turn it over, and a single slip spoils the rest.

    Args:
        examples: how many, N, at least 1.
        length: steps, T, at least 1.
        seed: decides what is drawn.

    Returns:
        ``x``, (N, T, 1) of float32, bits; ``y``, (N, T) of int64, 1 where the ones so far are odd
        in number; its last column is the parity of the whole series. Who has no memory is right
        about half of the time from the second step on, at the cross-entropy
        ``PARITY_CHANCE``, log 2.

    Raises:
        ValueError: for numbers below the least.

    Example:
        >>> part = parity(1, 6)
        >>> part.x.flatten().int().tolist(), part.y[0].tolist()
        ([0, 1, 1, 0, 1, 1], [0, 1, 0, 0, 1, 0])
    """
    generator = _drawn("parity", seed, examples=(examples, 1), length=(length, 1))
    bits = torch.randint(2, (examples, length), generator=generator)
    return Part(bits.unsqueeze(-1).float(), bits.cumsum(1) % 2)

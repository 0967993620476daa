"""Seeds: the same random numbers again."""

import random

import numpy as np
import torch

__all__ = ["branch", "seed_everything"]


def seed_everything(seed: int) -> torch.Generator:
    """Seed Python, NumPy and PyTorch (all its devices), and return a generator of its own.

    The generator, on the CPU, is for what should not depend on how many numbers others have
    drawn, such as the order of the examples. Its stream is derived from the seed, but is not the
    one of the global generator.

    The same seed gives the same numbers on the same device with the same versions. On CUDA some
    operations add in an order that varies; :func:`torch.use_deterministic_algorithms` forbids them.

    Args:
        seed: an integer from 0 to 2³² − 1.

    Raises:
        ValueError: for anything else.

    Example:
        >>> a = torch.rand(2, generator=seed_everything(0))
        >>> b = torch.rand(2, generator=seed_everything(0))
        >>> torch.equal(a, b)
        True

    Chapter: :doc:`/training/training-loop`.
    """
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**32:
        raise ValueError(f"seed_everything: expects an integer from 0 to 2**32 - 1, got {seed!r}")
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)  # every device's generator, CUDA's and MPS's too
    return torch.Generator().manual_seed(_derived(seed))


def branch(generator: torch.Generator) -> torch.Generator:
    """Return a generator with a stream of its own that follows from the given one's seed.

    Nothing is drawn from the given one: whether somebody branches off changes nothing for others.

    Args:
        generator: any generator that has been seeded.

    Example:
        >>> a, b = (branch(torch.Generator().manual_seed(0)) for _ in range(2))
        >>> torch.equal(torch.rand(2, generator=a), torch.rand(2, generator=b))
        True
    """
    return torch.Generator().manual_seed(_derived(generator.initial_seed()))


def _derived(seed: int) -> int:
    return int(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0])

"""What every data set hands out: three parts, each a pair of tensors; and how to cut any part.

:func:`split` cuts once into training, validation and test. :func:`k_fold` lets every example be
validated on once, for data so few that one validation part would be a matter of luck.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.data import Dataset

__all__ = ["Part", "Splits", "k_fold", "split"]


@dataclass(frozen=True, eq=False)
class Part(Dataset[tuple[Tensor, Tensor]]):
    """Examples held in memory: inputs ``x`` and targets ``y``, one row each.

    ``part[i]`` is the pair ``(x[i], y[i])``, for an index, a slice or a tensor of indices, so
    that a :class:`torch.utils.data.DataLoader` takes a part as it is.

    Args:
        x: inputs, ``(N, ...)``.
        y: targets, ``(N, ...)``.

    Raises:
        ValueError: if the two have no rows or not the same number of them.

    Example:
        >>> part = Part(torch.zeros(4, 2), torch.arange(4))
        >>> len(part), part[1]
        (4, (tensor([0., 0.]), tensor(1)))
    """

    x: Tensor
    y: Tensor

    def __post_init__(self) -> None:
        if self.x.dim() == 0 or self.y.dim() == 0 or len(self.x) != len(self.y):
            raise ValueError(
                "Part: expects as many rows in x as in y, "
                f"got shapes {tuple(self.x.shape)} and {tuple(self.y.shape)}"
            )

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int | slice | Tensor) -> tuple[Tensor, Tensor]:
        return self.x[index], self.y[index]

    def take(self, rows: Tensor) -> "Part":
        """Return the part that consists of some of the rows, in their order.

        Args:
            rows: indices, ``(n,)`` of int64, on any device.

        Example:
            >>> Part(torch.zeros(4, 2), torch.arange(4)).take(torch.tensor([3, 0])).y
            tensor([3, 0])
        """
        return Part(
            self.x.index_select(0, rows.to(self.x.device)),
            self.y.index_select(0, rows.to(self.y.device)),
        )

    def to(self, device: torch.device | str) -> "Part":
        """Return the part on another device.

        Args:
            device: where to.
        """
        return Part(self.x.to(device), self.y.to(device))

    def __repr__(self) -> str:
        x, y = self.x, self.y
        return f"Part(x={tuple(x.shape)} {x.dtype}, y={tuple(y.shape)} {y.dtype}, {x.device})"


class Splits(NamedTuple):
    """A data set in three parts that share no example.

    Learn from ``train``, choose by ``validation``, and look at ``test`` once, at the end.

    Chapter: :doc:`/training/training-loop`.
    """

    train: Part
    validation: Part
    test: Part


def split(
    part: Part,
    *,
    validation: float = 0.2,
    test: float = 0.2,
    stratify: bool = True,
    seed: int = 0,
) -> Splits:
    """Cut examples into training, validation and test, at random.

    Args:
        part: the examples.
        validation: the share for validation, between 0 and 1.
        test: the share for the test; the rest is for training.
        stratify: keep the classes' shares in every part, as nearly as whole examples allow. Needs
            ``y`` to be classes, ``(N,)`` of integers, at least 3 examples each.
        seed: decides who goes where, an integer from 0 to 2³² − 1.

    Returns:
        Three parts that share no example and leave none out, each in random order.

    Raises:
        ValueError: for shares that leave a part empty, and for targets that are no classes.

    Example:
        >>> whole = Part(torch.arange(10.0)[:, None], torch.arange(10) % 2)
        >>> cut = split(whole, validation=0.2, test=0.2)
        >>> [len(p) for p in cut], cut.test.y.sort().values.tolist()
        ([6, 2, 2], [0, 1])

    Chapter: :doc:`/training/training-loop`.
    """
    for name, share in (("validation", validation), ("test", test)):
        if not 0 < share < 1:
            raise ValueError(f"split: {name} expects a share between 0 and 1, got {share!r}")
    if validation + test >= 1:
        raise ValueError(
            "split: validation and test expect shares that leave something to train on, "
            f"got {validation!r} and {test!r}"
        )
    classes = _classes("split", part, 3) if stratify else None
    counts = round(len(part) * validation), round(len(part) * test)
    least = 1 if classes is None else len(set(classes.tolist()))
    if min(*counts, len(part) - sum(counts)) < least:
        raise ValueError(
            f"split: expects at least {least} examples in every part, got {len(part)} in all, "
            f"shares {validation!r} and {test!r}"
        )
    from sklearn.model_selection import train_test_split

    def cut(rows: Any, count: int) -> tuple[Any, Any]:
        among = None if classes is None else classes[rows]
        pair = train_test_split(rows, test_size=count, stratify=among, random_state=seed)
        return pair[0], pair[1]

    rest, tested = cut(torch.arange(len(part)).numpy(), counts[1])
    trained, validated = cut(rest, counts[0])
    return Splits(*(part.take(torch.from_numpy(rows)) for rows in (trained, validated, tested)))


def k_fold(
    part: Part, k: int = 5, *, stratify: bool = True, seed: int = 0
) -> Iterator[tuple[Part, Part]]:
    """Cut examples into k folds, and yield each as the validation part beside all the others.

    Every example is validated on exactly once, by a model that has not learned from it. What the
    k scores have in common is then a figure for the *way of training*, not for one model.

    Args:
        part: the examples; give ``train`` alone, or ``train`` and ``validation`` together, never
            ``test``.
        k: the number of folds, from 2 to the number of examples.
        stratify: keep the classes' shares in every fold; needs ``y`` to be classes, ``(N,)`` of
            integers, at least k examples each.
        seed: decides who goes where, an integer from 0 to 2³² − 1.

    Yields:
        Pairs (train, validation).

    Raises:
        ValueError: at the call, for a ``k`` out of range, and for targets that are no classes.

    Example:
        >>> whole = Part(torch.arange(6.0)[:, None], torch.tensor([0, 0, 0, 1, 1, 1]))
        >>> [(len(a), sorted(b.y.tolist())) for a, b in k_fold(whole, 3)]
        [(4, [0, 1]), (4, [0, 1]), (4, [0, 1])]

    Chapter: :doc:`/training/training-loop`.
    """
    if isinstance(k, bool) or not isinstance(k, int) or not 2 <= k <= len(part):
        raise ValueError(
            f"k_fold: k expects an integer from 2 to the number of examples, {len(part)}, got {k!r}"
        )
    rows = torch.arange(len(part)).numpy()
    classes = _classes("k_fold", part, k) if stratify else None
    from sklearn.model_selection import KFold, StratifiedKFold

    kind = KFold if classes is None else StratifiedKFold
    folds = list(kind(k, shuffle=True, random_state=seed).split(rows, classes))
    return (
        (part.take(torch.from_numpy(trained)), part.take(torch.from_numpy(validated)))
        for trained, validated in folds
    )


def _classes(name: str, part: Part, least: int) -> Any:
    """The targets as classes of at least so many examples each, or why they can't be that."""
    y = part.y.detach().cpu()
    if y.dim() != 1 or y.dtype.is_floating_point or y.dtype.is_complex:
        raise ValueError(
            f"{name}: stratify expects targets that are classes, (N,) of integers, got {y.dtype} "
            f"of shape {tuple(y.shape)}; stratify=False cuts them as they come"
        )
    kinds, counts = torch.unique(y, return_counts=True)
    if counts.numel() and int(counts.min()) < least:
        rare = kinds[counts.argmin()].item()
        raise ValueError(
            f"{name}: stratify expects at least {least} examples of every class, "
            f"got {int(counts.min())} of class {rare}"
        )
    return y.numpy()

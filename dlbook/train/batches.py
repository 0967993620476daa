"""Batches: one way to walk over tensors, data sets and data loaders."""

from collections.abc import Iterator, Mapping, Sequence, Sized
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

from dlbook.data.splits import Part

__all__ = ["Batches", "Examples", "count", "to_device"]

Examples = Dataset[Any] | DataLoader[Any] | Sequence[Any]
"""What can be trained on: a pair of tensors; a data set, a list or a loader of pairs."""


class Batches:
    """Pairs ``(x, y)`` of at most ``batch_size`` examples, on a device, again at every ``iter``.

    Tensors (a pair, a :class:`dlbook.data.Part`, a ``TensorDataset``) are moved to the device as a
    whole, once, and a batch is one selection of rows. Other data sets go through a
    ``DataLoader``. A ``DataLoader`` is taken as it is: its own batch size and order hold.

    Args:
        data: the examples.
        name: what to call them in messages.
        batch_size: examples a batch, at least 1; the last batch may have fewer.
        shuffle: whether every pass has a new order.
        generator: where the order comes from; None for PyTorch's global generator.
        device: where the batches live.

    Raises:
        TypeError: if ``data`` is none of these.
        ValueError: if there are no examples, or inputs and targets differ in number.

    Example:
        >>> pairs = Batches((torch.zeros(5, 2), torch.arange(5)), batch_size=2)
        >>> len(pairs), [y.tolist() for _, y in pairs]
        (3, [[0, 1], [2, 3], [4]])

    Chapter: :doc:`/training/training-loop`.
    """

    def __init__(
        self,
        data: Examples,
        name: str = "data",
        *,
        batch_size: int = 64,
        shuffle: bool = False,
        generator: torch.Generator | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
            raise ValueError(f"batch_size expects an integer >= 1, got {batch_size!r}")
        self.name = name
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.generator = generator
        self.device = torch.device(device)
        self._tensors = _tensors(data, name)
        self._loader: DataLoader[Any] | None = None
        if self._tensors is not None:
            x, y = self._tensors
            self.examples: int | None = len(x)
            self._tensors = x.to(self.device), y.to(self.device)
        else:
            self._loader = self._load(data)
            self.examples = _length(self._loader.dataset)
        if self.examples == 0:
            raise ValueError(f"{name}: expects at least one example, got none")

    def _load(self, data: Any) -> DataLoader[Any]:
        if isinstance(data, DataLoader):
            return data
        if isinstance(data, IterableDataset):
            return DataLoader(data, self.batch_size)
        if hasattr(data, "__getitem__") and hasattr(data, "__len__") and _is_dataset(data):
            if len(data) == 0:
                raise ValueError(f"{self.name}: expects at least one example, got none")
            return DataLoader(data, self.batch_size, self.shuffle, generator=self.generator)
        raise TypeError(
            f"{self.name}: expects a pair of tensors (x, y), a data set or a DataLoader, "
            f"got {type(data).__name__}"
        )

    @property
    def generators(self) -> list[torch.Generator]:
        """The generators that decide the order, for checkpoints; the global one is not listed."""
        found = [self.generator]
        if self._loader is not None:
            sampler = getattr(self._loader, "sampler", None)
            batch_sampler = getattr(self._loader, "batch_sampler", None)
            inner = getattr(batch_sampler, "sampler", None)
            found += [getattr(s, "generator", None) for s in (self._loader, sampler, inner)]
        unique: list[torch.Generator] = []
        for generator in found:
            if generator is not None and all(generator is not other for other in unique):
                unique.append(generator)
        return unique

    @property
    def length(self) -> int | None:
        """The number of batches, or None where only a whole pass would tell."""
        if self._tensors is not None:
            return -(-len(self._tensors[0]) // self.batch_size)
        return _length(self._loader)

    def __len__(self) -> int:
        if self.length is None:
            raise TypeError(f"{self.name}: the number of batches is not known")
        return self.length

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        if self._tensors is None:
            assert self._loader is not None
            for batch in self._loader:
                if not isinstance(batch, list | tuple) or len(batch) != 2:
                    got = (
                        f"{len(batch)} entries"
                        if isinstance(batch, list | tuple)
                        else type(batch).__name__
                    )
                    raise TypeError(f"{self.name}: expects batches (x, y), got {got}")
                yield to_device(batch[0], self.device), to_device(batch[1], self.device)
            return
        x, y = self._tensors
        if self.shuffle:
            # The order is drawn on the CPU, so that every device sees the same batches.
            order = torch.randperm(len(x), generator=self.generator).to(self.device)
            for rows in torch.split(order, self.batch_size):
                yield x.index_select(0, rows), y.index_select(0, rows)
        else:
            size = self.batch_size
            yield from zip(torch.split(x, size), torch.split(y, size), strict=True)


def to_device(value: Any, device: torch.device) -> Any:
    """Move every tensor in a structure of lists, tuples and dictionaries.

    Args:
        value: a tensor, or such a structure; anything else stays as it is.
        device: where to.

    Example:
        >>> to_device({"a": [torch.ones(1)], "b": 2}, torch.device("cpu"))
        {'a': [tensor([1.])], 'b': 2}
    """
    if isinstance(value, Tensor):
        return value.to(device)
    if isinstance(value, Mapping):
        return {key: to_device(entry, device) for key, entry in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(to_device(entry, device) for entry in value))
    if isinstance(value, list | tuple):
        return type(value)(to_device(entry, device) for entry in value)
    return value


def count(value: Any) -> int:
    """Return the number of examples in a batch: the rows of the first tensor in it.

    Args:
        value: a tensor, or lists, tuples and dictionaries of tensors.

    Raises:
        TypeError: if there is no tensor with rows.

    Example:
        >>> count({"tokens": torch.zeros(8, 3), "lengths": torch.zeros(8)})
        8
    """
    found = _first(value)
    if found is None:
        raise TypeError(f"expects a batch that holds a tensor of rows, got {type(value).__name__}")
    return len(found)


def _first(value: Any) -> Tensor | None:
    if isinstance(value, Tensor):
        return value if value.dim() else None
    entries = value.values() if isinstance(value, Mapping) else value
    if isinstance(value, Mapping | list | tuple):
        for entry in entries:
            found = _first(entry)
            if found is not None:
                return found
    return None


def _tensors(data: Any, name: str) -> tuple[Tensor, Tensor] | None:
    """The pair of tensors behind the data, if that is what they are."""
    if isinstance(data, Part):
        return data.x, data.y
    if isinstance(data, TensorDataset):
        if len(data.tensors) != 2:
            raise ValueError(f"{name}: expects a TensorDataset of 2, got {len(data.tensors)}")
        data = data.tensors
    if isinstance(data, tuple | list) and len(data) == 2:
        x, y = data
        if isinstance(x, Tensor) and isinstance(y, Tensor):
            if x.dim() == 0 or y.dim() == 0 or len(x) != len(y):
                raise ValueError(
                    f"{name}: expects as many rows in x as in y, "
                    f"got shapes {tuple(x.shape)} and {tuple(y.shape)}"
                )
            return x, y
    return None


def _is_dataset(data: Any) -> bool:
    return not isinstance(data, Tensor | str | bytes | Mapping | tuple)


def _length(sized: Any) -> int | None:
    if not isinstance(sized, Sized):
        return None
    try:
        return len(sized)
    except TypeError:
        return None

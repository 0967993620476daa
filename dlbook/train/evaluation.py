"""Measuring a model: losses and metrics over a whole set of examples."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from dlbook.train.batches import Batches, Examples, count
from dlbook.train.devices import device as choose_device

__all__ = ["Loss", "Metric", "Metrics", "accuracy", "evaluate"]

Loss = Callable[[Any, Any], Tensor]
"""``loss(output, target)``: one number, the mean over the batch."""

Metric = Callable[[Any, Any], Tensor | float]
"""``metric(output, target)``: one number, the mean over the batch."""

Metrics = Mapping[str, Metric] | Iterable[str | Metric]
"""Metrics by name, or a list of them: ``["accuracy"]``, ``[my_metric]``, ``{"error": f}``."""


def accuracy(output: Tensor, target: Tensor) -> Tensor:
    """Return the share of examples whose highest score is that of the true class.

    Args:
        output: scores, ``(B, K)`` or ``(B, K, ...)``, of K ≥ 2 classes; any monotone scale.
            Of equal scores the first counts.
        target: classes, ``(B)`` or ``(B, ...)``, integers in 0..K−1; or scores of ``output``'s
            shape.

    Raises:
        ValueError: if the shapes don't fit, or there is only one score an example (say what
            threshold you mean with a metric of your own).

    Example:
        >>> accuracy(torch.tensor([[2.0, 1.0], [0.0, 3.0]]), torch.tensor([0, 0]))
        tensor(0.5000)
    """
    if output.dim() < 2 or output.shape[1] < 2:
        raise ValueError(
            "accuracy: expects scores (B, K) of at least 2 classes, "
            f"got shape {tuple(output.shape)}"
        )
    if target.shape == output.shape and target.is_floating_point():
        target = target.argmax(1)
    if target.shape != output.shape[:1] + output.shape[2:] or target.is_floating_point():
        raise ValueError(
            f"accuracy: expects integer classes of shape {tuple(output.shape[:1])} beside scores "
            f"{tuple(output.shape)}, got {target.dtype} of shape {tuple(target.shape)}"
        )
    return (output.argmax(1) == target).float().mean()


def evaluate(
    model: nn.Module,
    loss: Loss,
    data: Examples,
    *,
    metrics: Metrics = (),
    batch_size: int = 256,
    device: torch.device | str | None = None,
) -> dict[str, float]:
    """Return the mean loss and metrics of a model over examples, without learning from them.

    The model is in evaluation mode meanwhile (no dropout), and afterwards as it was. Means over
    batches are weighted by their number of examples.

    Args:
        model: any module; ``model(x)`` is its output.
        loss: ``loss(output, target)``, a mean over the batch.
        data: a pair of tensors, a data set of pairs, or a ``DataLoader``.
        metrics: ``"accuracy"`` or functions like ``loss``.
        batch_size: examples at a time; not used with a ``DataLoader``.
        device: see :func:`dlbook.device`; the model moves there.

    Raises:
        TypeError, ValueError: for data or metrics that can't be used.

    Example:
        >>> model = nn.Linear(2, 2)
        >>> data = torch.randn(8, 2), torch.randint(2, (8,))
        >>> sorted(evaluate(model, nn.CrossEntropyLoss(), data, metrics=["accuracy"], device="cpu"))
        ['accuracy', 'loss']

    Chapter: :doc:`/training/training-loop`.
    """
    where = choose_device(device)
    table = named_metrics(metrics)
    batches = Batches(data, batch_size=batch_size, device=where)
    model.to(where)
    if isinstance(loss, nn.Module):
        loss.to(where)
    return measure(model, loss, batches, table)


def measure(
    model: nn.Module, loss: Loss, batches: Batches, metrics: Mapping[str, Metric]
) -> dict[str, float]:
    """:func:`evaluate` for what has been prepared already."""
    means = Means()
    with torch.no_grad(), evaluation_mode(model):
        for x, y in batches:
            output = model(x)
            means.add(count(y), loss=loss(output, y), **_values(metrics, output, y))
    return means.result()


def named_metrics(metrics: Metrics) -> dict[str, Metric]:
    """Give every metric its name."""
    if isinstance(metrics, str) or callable(metrics):
        metrics = [metrics]
    pairs: list[tuple[str | None, str | Metric]] = (
        list(metrics.items()) if isinstance(metrics, Mapping) else [(None, m) for m in metrics]
    )
    table: dict[str, Metric] = {}
    for given, metric in pairs:
        function = accuracy if metric == "accuracy" else metric
        if isinstance(function, str) or not callable(function):
            raise ValueError(f"metrics: expects 'accuracy' or functions, got {metric!r}")
        name = str(given or getattr(function, "__name__", type(function).__name__))
        if name in table or name == "loss":
            raise ValueError(f"metrics: the name {name!r} is taken; give a dictionary of names")
        table[name] = function
    return table


class Means:
    """Running means of named numbers, weighted by the number of examples."""

    def __init__(self) -> None:
        self._sums: dict[str, float] = {}
        self._examples = 0

    def add(self, examples: int, **values: Tensor | float) -> None:
        """Add a batch's means."""
        for name, value in values.items():
            number = value.item() if isinstance(value, Tensor) else float(value)
            self._sums[name] = self._sums.get(name, 0.0) + number * examples
        self._examples += examples

    def result(self) -> dict[str, float]:
        """The means so far."""
        return {name: total / self._examples for name, total in self._sums.items()}

    @property
    def examples(self) -> int:
        """How many examples have been seen."""
        return self._examples


@contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Evaluation mode for a while; afterwards every submodule has its own mode again."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


def _values(metrics: Mapping[str, Metric], output: Any, target: Any) -> dict[str, Tensor | float]:
    return {name: metric(output, target) for name, metric in metrics.items()}

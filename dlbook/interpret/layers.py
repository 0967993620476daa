"""Layers by name: what they are called, and what they hand on.

A layer's name is the beginning of its parameters' names in the ``state_dict``: the parameters
``features.3.weight`` and ``features.3.bias`` belong to the layer ``features.3``. Layers without
parameters are called in the same way.

Chapter: ``images/feature-visualization``.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

LISTED = 100  # names in an error message


class _Reached(Exception):  # noqa: N818
    """The layer has run, and nobody needs what comes after it."""


def layer_names(model: nn.Module) -> list[str]:
    """Return the names of all layers, and of the blocks that hold them, in the order of the model.

    Args:
        model: any module.

    Example:
        >>> layer_names(nn.Sequential(nn.Linear(2, 3), nn.ReLU()))
        ['0', '1']

    Chapter: ``images/feature-visualization``.
    """
    return [name for name, _ in model.named_modules() if name]


def find(caller: str, model: nn.Module, layer: str) -> nn.Module:
    """Return the layer of that name, or say which there are."""
    modules: dict[str, nn.Module] = dict(model.named_modules())
    if layer and layer in modules:
        return modules[layer]
    names = layer_names(model)
    listed = ", ".join(names[:LISTED]) + (", …" if len(names) > LISTED else "")
    raise ValueError(
        f"{caller}: expected the name of a layer of {type(model).__name__}, got {layer!r}; there "
        f"are {listed or 'none'}"
    )


@contextmanager
def untouched(model: nn.Module) -> Iterator[None]:
    """Evaluation mode and gradients inside, whatever was outside; then all is as it was."""
    modes = [(module, module.training) for module in model.modules()]
    try:
        model.eval()
        with torch.inference_mode(False), torch.enable_grad():
            yield
    finally:
        for module, training in modes:
            module.training = training


@contextmanager
def hooked(module: nn.Module, hook: Callable[..., Any]) -> Iterator[None]:
    """A forward hook for as long as the block lasts."""
    handle = module.register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()


def output_of(caller: str, model: nn.Module, layer: str, input: Tensor) -> Tensor:
    """What a layer hands on when it first runs; the model does not run any further."""
    found: list[Tensor] = []

    def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
        found.append(check_output(caller, layer, output))
        raise _Reached

    with hooked(find(caller, model, layer), hook):
        try:
            model(input)
        except _Reached:
            return found[0]
    raise ValueError(f"{caller}: expected a layer that takes part, but {layer!r} has not run")


def check_output(caller: str, layer: str, output: Any) -> Tensor:
    """A layer's output, which must be one tensor."""
    if not isinstance(output, Tensor):
        raise ValueError(
            f"{caller}: expected {layer!r} to return a tensor, got {type(output).__name__}"
        )
    return output


def activations(model: nn.Module, input: Tensor, layer: str) -> Tensor:
    """Return what a layer hands on: feature maps, if it is convolutional.

    Args:
        model: any module.
        input: what the model takes, a batch.
        layer: the layer's name, the prefix of its parameters in the ``state_dict``. Of a layer that
            runs several times it is the first run.

    Raises:
        ValueError: if there is no such layer, it does not run, or it returns no tensor.

    Example:
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
        >>> activations(model, torch.zeros(5, 1, 2, 2), "2").shape
        torch.Size([5, 3])

    Chapter: ``images/feature-visualization``.
    """
    with untouched(model), torch.no_grad():
        return output_of("activations", model, layer, input).clone()

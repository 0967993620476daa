"""Trying something out, and having everything as it was afterwards."""

import copy
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from dlbook.train.checkpoints import random_state, set_random_state

__all__ = ["unchanged"]


@contextmanager
def unchanged(
    *parts: nn.Module | torch.optim.Optimizer, generators: Iterable[torch.Generator] = ()
) -> Iterator[None]:
    """Whatever happens inside, models, optimisers and random numbers are as before afterwards.

    Of a module that means its parameters with their gradients, its buffers (persistent or not),
    and which submodules train; of an optimiser its memory and the settings of its groups; of
    randomness what :func:`dlbook.train.checkpoints.random_state` lists. A module has to stay on
    its device.

    Args:
        parts: modules and optimisers.
        generators: generators of one's own, beside the global ones.

    Example:
        >>> model = nn.Linear(2, 1)
        >>> before = model.weight.detach().clone()
        >>> with unchanged(model):
        ...     _ = nn.init.zeros_(model.weight)
        >>> torch.equal(model.weight, before)
        True
    """
    sources = list(generators)
    randomness = random_state(sources)
    modules = [m for part in parts if isinstance(part, nn.Module) for m in part.modules()]
    held = [_hold(module) for module in modules]
    optimizers = [part for part in parts if isinstance(part, torch.optim.Optimizer)]
    memories = [_remember(optimizer) for optimizer in optimizers]
    try:
        yield
    finally:
        for module, values in zip(modules, held, strict=True):
            _put_back(module, *values)
        for optimizer, memory in zip(optimizers, memories, strict=True):
            _remind(optimizer, *memory)
        set_random_state(randomness, sources)


Held = dict[str, tuple[Tensor, Tensor, Tensor | None] | None]


def _copies(table: dict[str, Any]) -> Held:
    """Each tensor itself, and copies of its values and its gradient."""
    return {
        name: None
        if t is None
        else (t, t.detach().clone(), None if t.grad is None else t.grad.detach().clone())
        for name, t in table.items()
    }


def _hold(module: nn.Module) -> tuple[bool, Held, Held]:
    return module.training, _copies(module._parameters), _copies(module._buffers)


def _put_back(module: nn.Module, training: bool, *held: Held) -> None:
    module.training = training
    tables: tuple[dict[str, Any], ...] = (module._parameters, module._buffers)
    for table, copies in zip(tables, held, strict=True):
        for name, entry in copies.items():
            if entry is None:
                table[name] = None
                continue
            tensor, values, gradient = entry
            with torch.no_grad():
                tensor.copy_(values)
            tensor.grad = gradient
            table[name] = tensor


Memory = tuple[dict[Any, Any], list[dict[str, Any]]]


def _remember(optimizer: torch.optim.Optimizer) -> Memory:
    # Not `state_dict`: loading one casts the memory to the parameters' type.
    state = {parameter: copy.deepcopy(entry) for parameter, entry in optimizer.state.items()}
    groups = [
        {key: value if key == "params" else copy.deepcopy(value) for key, value in group.items()}
        for group in optimizer.param_groups
    ]
    return state, groups


def _remind(
    optimizer: torch.optim.Optimizer, state: dict[Any, Any], groups: list[dict[str, Any]]
) -> None:
    optimizer.state.clear()
    optimizer.state.update(state)
    del optimizer.param_groups[len(groups) :]
    for group, saved in zip(optimizer.param_groups, groups, strict=True):
        group.clear()
        group.update(saved)

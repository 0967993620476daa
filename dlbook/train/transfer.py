"""Using again what was learned: weights that are taken over, kept, or moved at rates of their own.

Parts of a model are named by prefixes of its ``state_dict``: ``features`` stands for
``features.0.weight`` and everything else below it, but not for ``features2.weight``. A single
parameter may be named, too.

Chapter: :doc:`/images/transfer-learning`.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor, nn

__all__ = ["freeze", "load_except", "parameter_groups", "unfreeze"]


def freeze(model: nn.Module, prefixes: str | Iterable[str] | None = None) -> list[str]:
    """Keep parts of a model as they are, whatever trains the rest.

    Their parameters get no gradient any more, and what gradient they had is dropped, so that an
    optimiser that knows them passes them by. Their modules stay in evaluation mode, even if
    ``model.train()`` is called: batch normalisation uses its running averages and leaves them
    alone, and dropout drops nothing. A copy of the model is frozen as well; the ``state_dict``
    does not say so.

    Args:
        model: any module.
        prefixes: of the parts, one or several; the whole model if None.

    Returns:
        The names of the parameters below them.

    Raises:
        ValueError: for a prefix that names nothing.

    Example:
        >>> model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
        >>> freeze(model, "0")
        ['0.weight', '0.bias']
        >>> [name for name, p in model.named_parameters() if p.requires_grad]
        ['2.weight', '2.bias']

    Chapter: :doc:`/images/transfer-learning`.
    """
    parameters, modules = _below("freeze", model, prefixes)
    for parameter in parameters.values():
        parameter.requires_grad_(False)
        parameter.grad = None
    for module in modules:
        module.training = False
        if _evaluate not in module._forward_pre_hooks.values():
            module.register_forward_pre_hook(_evaluate)
    return list(parameters)


def unfreeze(model: nn.Module, prefixes: str | Iterable[str] | None = None) -> list[str]:
    """Let parts of a model be trained again; the opposite of :func:`freeze`.

    Their modules, and those that hold them, follow ``model.train()`` again from its next call.

    Args:
        model: any module.
        prefixes: of the parts, one or several; the whole model if None.

    Returns:
        The names of the parameters below them.

    Raises:
        ValueError: for a prefix that names nothing.

    Example:
        >>> model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
        >>> names = freeze(model)
        >>> unfreeze(model, "2.bias")
        ['2.bias']
        >>> [name for name, p in model.named_parameters() if p.requires_grad]
        ['2.bias']

    Chapter: :doc:`/images/transfer-learning`.
    """
    parameters, modules = _below("unfreeze", model, prefixes)
    for parameter in parameters.values():
        parameter.requires_grad_(True)
    free = {id(module) for module in modules}
    for module in model.modules():
        holds = any(id(part) in free for part in module.modules())
        own = any(part is p for p in module.parameters() for part in parameters.values())
        if holds or own:
            _release(module)
    return list(parameters)


def parameter_groups(model: nn.Module, rates: Mapping[str, float]) -> list[dict[str, Any]]:
    """Return parameter groups for an optimiser, with a learning rate for each part of a model.

    A parameter belongs to the longest prefix that it stands below. Those that stand below none
    form a last group without a rate, which takes the optimiser's. Frozen parameters are left out.

    Args:
        model: any module.
        rates: by prefix, the learning rate of that part, at least 0.

    Raises:
        ValueError: for a prefix that names no parameter, or only such as are frozen or belong to
            longer prefixes, and for a rate below 0.

    Example:
        >>> import torch
        >>> model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
        >>> optimizer = torch.optim.SGD(parameter_groups(model, {"0": 0.01}), lr=0.1)
        >>> [(group["lr"], len(group["params"])) for group in optimizer.param_groups]
        [(0.01, 2), (0.1, 2)]

    Chapter: :doc:`/images/transfer-learning`.
    """
    for prefix, rate in rates.items():
        if not rate >= 0:
            raise ValueError(f"parameter_groups: rates expects numbers >= 0, got {prefix}: {rate}")
        _below("parameter_groups", model, [prefix])
    members: dict[str | None, list[nn.Parameter]] = {prefix: [] for prefix in rates}
    members[None] = []
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            above = [prefix for prefix in rates if _stands_below(name, prefix)]
            members[max(above, key=len) if above else None].append(parameter)
    groups: list[dict[str, Any]] = []
    for prefix, rate in rates.items():
        if not members[prefix]:
            raise ValueError(
                f"parameter_groups: {prefix!r} expects parameters that are neither frozen nor "
                "below a longer prefix, got none"
            )
        groups.append({"params": members[prefix], "lr": rate})
    return groups + ([{"params": members[None]}] if members[None] else [])


def load_except(
    model: nn.Module, state: Mapping[str, Any], prefixes: str | Iterable[str]
) -> list[str]:
    """Load a state dictionary strictly, but for some parts, which stay as they are.

    That is what a new head asks for: everything else has to be there, with its shape. PyTorch's
    ``strict=False`` would also pass over a name that was misspelt, and not over another shape.

    Args:
        model: the module to load into.
        state: a ``state_dict``; what it has below the prefixes is not looked at.
        prefixes: of the parts to leave alone, one or several; an empty list for none.

    Returns:
        The names of what was left alone.

    Raises:
        ValueError: for a prefix that names nothing in the model, for names that are missing or
            unknown, and for other shapes; before anything is changed.

    Example:
        >>> old = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 10))
        >>> new = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 4))
        >>> load_except(new, old.state_dict(), "2")
        ['2.weight', '2.bias']
        >>> bool((new[0].weight == old[0].weight).all())
        True

    Chapter: :doc:`/images/transfer-learning`.
    """
    own = model.state_dict()
    prefixes = _several(prefixes)
    for prefix in prefixes:
        if not any(_stands_below(name, prefix) for name in own):
            raise ValueError(_nothing("load_except", model, prefix))

    def left(name: str) -> bool:
        return any(_stands_below(name, prefix) for prefix in prefixes)

    taken = {name: value for name, value in state.items() if not left(name)}
    wanted = {name: value for name, value in own.items() if not left(name)}
    counters = "num_batches_tracked"  # states from before there were any are loaded without
    faults = [
        f"{name} is missing" for name in wanted if name not in taken and not name.endswith(counters)
    ]
    faults += [f"{name} is unknown" for name in taken if name not in wanted]
    faults += [
        f"{name} has shape {tuple(taken[name].shape)} instead of {tuple(value.shape)}"
        for name, value in wanted.items()
        if isinstance(value, Tensor) and name in taken and taken[name].shape != value.shape
    ]
    if faults:
        shown = "; ".join(faults[:5]) + ("; …" if len(faults) > 5 else "")
        raise ValueError(
            f"load_except: expected the state of a {type(model).__name__}, but {len(faults)} "
            f"{'entry differs' if len(faults) == 1 else 'entries differ'}: {shown}"
        )
    model.load_state_dict(taken | {name: value for name, value in own.items() if left(name)})
    return [name for name in own if left(name)]


def _evaluate(module: nn.Module, _inputs: Any) -> None:
    """Called by PyTorch before each forward pass of a frozen module."""
    module.training = False


def _release(module: nn.Module) -> None:
    for key, hook in list(module._forward_pre_hooks.items()):
        if hook is _evaluate:
            del module._forward_pre_hooks[key]


def _stands_below(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(f"{prefix}.")


def _several(prefixes: str | Iterable[str]) -> list[str]:
    return [prefixes] if isinstance(prefixes, str) else list(prefixes)


def _below(
    caller: str, model: nn.Module, prefixes: str | Iterable[str] | None
) -> tuple[dict[str, nn.Parameter], list[nn.Module]]:
    """The parameters by name, and the modules, that stand below any of the prefixes."""
    if prefixes is None:
        return dict(model.named_parameters()), list(model.modules())
    prefixes = _several(prefixes)
    parameters = dict(model.named_parameters(remove_duplicate=False))
    modules = dict(model.named_modules())
    for prefix in prefixes:
        if not any(_stands_below(name, prefix) for name in (*parameters, *modules)):
            raise ValueError(_nothing(caller, model, prefix))

    def chosen(name: str) -> bool:
        return any(_stands_below(name, prefix) for prefix in prefixes)

    return (
        {name: parameter for name, parameter in parameters.items() if chosen(name)},
        [module for name, module in modules.items() if chosen(name)],
    )


def _nothing(caller: str, model: nn.Module, prefix: str) -> str:
    heads = dict.fromkeys(name.split(".")[0] for name in model.state_dict())
    listed = ", ".join(list(heads)[:20]) or "nothing"
    return (
        f"{caller}: expected prefixes of names in {type(model).__name__}'s state_dict, got "
        f"{prefix!r}; the names begin with {listed}"
    )

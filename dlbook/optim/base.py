"""What the optimisers share: the check of their settings, their memory, and the round of a step.

An optimiser states its rule in one method, ``_rule``, which sees lists: the parameters, their
gradients, and what was remembered of each. ``torch._foreach_*`` does the same thing to every
tensor of a list, so a rule reads like its formula for one parameter.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, overload

import torch
from torch import Tensor
from torch.optim import Optimizer

__all__ = ["FirstOrder", "refuse_settings"]

Group = dict[str, Any]
Memory = Mapping[str, list[Tensor]]

#: What a setting must satisfy, in words and as a test of a number; the same for all optimisers.
NOT_NEGATIVE = ("a finite number >= 0", lambda x: 0 <= x < math.inf)
FRACTION = ("a number in [0, 1]", lambda x: 0 <= x <= 1)
RANGES: Mapping[str, tuple[str, Callable[[float], bool]]] = {
    "lr": NOT_NEGATIVE,
    "momentum": NOT_NEGATIVE,
    "weight_decay": NOT_NEGATIVE,
    "eps": NOT_NEGATIVE,
    "lr_decay": NOT_NEGATIVE,
    "initial_accumulator_value": NOT_NEGATIVE,
    "momentum_decay": NOT_NEGATIVE,
    "dampening": ("a finite number", math.isfinite),
    "alpha": FRACTION,
    "rho": FRACTION,
}

#: On a processor a rule takes so many numbers at a time, so that what one of its lines has
#: written is still in the cache when the next one reads it.
BUNCH = 2**18


class FirstOrder(Optimizer):
    """An optimiser whose step follows from the gradients and what it remembers of earlier ones.

    A rule is a subclass: its constructor names the settings, ``_remembers`` the tensors that
    are kept of each parameter, and ``_rule`` is the update.
    """

    #: Settings that a state dictionary may lack, because its writer did not know them.
    _unless_told: ClassVar[Mapping[str, Any]] = {"maximize": False}
    #: Whether the rule asks for the number of steps that a parameter has taken.
    _counts: ClassVar[bool] = True

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group of parameters; its settings are checked like the constructor's.

        Args:
            param_group: ``"params"`` and any settings that differ from the defaults.

        Raises:
            ValueError: for a setting outside its range.
        """
        self._check({**self.defaults, **param_group})
        super().add_param_group(param_group)

    def _check(self, group: Group) -> None:
        """Refuse settings outside their range."""
        refuse_settings(type(self).__name__, group)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for group in self.param_groups:
            for name, value in self._unless_told.items():
                group.setdefault(name, value)

    @overload
    def step(self, closure: None = None) -> None: ...

    @overload
    def step(self, closure: Callable[[], float]) -> float: ...

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take one step along the gradients that ``backward`` has left in ``.grad``.

        Args:
            closure: computes the loss and its gradients; called once, before the step.

        Returns:
            What ``closure`` returned, or None. Parameters without a gradient stay as they are.

        Raises:
            RuntimeError: if a gradient is sparse or complex.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            moving = [p for p in group["params"] if p.grad is not None]
            for params in bunches(moving):
                grads = self._gradients(params)
                memory = self._recall(params, group)
                self._rule(params, grads, memory, self._count(params), group)
        return loss

    def _gradients(self, params: Sequence[Tensor]) -> list[Tensor]:
        """The gradients, if they are of a kind that the rules are meant for."""
        grads: list[Tensor] = []
        for param in params:
            grad = param.grad
            assert grad is not None
            if grad.layout is not torch.strided or grad.is_complex():
                raise RuntimeError(
                    f"{type(self).__name__}: expects dense real gradients, "
                    f"got one of {grad.layout}, {grad.dtype} and shape {tuple(grad.shape)}"
                )
            grads.append(grad)
        return grads

    def _remembers(self, group: Group) -> tuple[str, ...]:
        """The names of the tensors that are kept of each parameter."""
        return ()

    def _first(self, name: str, param: Tensor, group: Group) -> Tensor:
        """What stands in the memory before the first step."""
        return torch.zeros_like(param, memory_format=torch.preserve_format)

    def _recall(self, params: Sequence[Tensor], group: Group) -> Memory:
        """For each name, the list of what is kept under it, one tensor a parameter."""
        memory: dict[str, list[Tensor]] = {}
        for name in self._remembers(group):
            kept = memory[name] = []
            for param in params:
                state = self.state[param]
                if name not in state:
                    state[name] = self._first(name, param, group)
                kept.append(state[name])
        return memory

    def _count(self, params: Sequence[Tensor]) -> list[float]:
        """Count this step for every parameter, and return which one it is, from 1 on."""
        if not self._counts:
            return []
        steps = []
        for param in params:
            state = self.state[param]
            if "step" not in state:
                state["step"] = torch.tensor(0.0, dtype=scalar_type())
            steps.append(state["step"])
        torch._foreach_add_(steps, 1)
        return [step.item() for step in steps]

    def _rule(
        self,
        params: list[Tensor],
        grads: list[Tensor],
        memory: Memory,
        t: list[float],
        group: Group,
    ) -> None:
        """Change parameters and memory in place: the formula of the class."""
        raise NotImplementedError

    @staticmethod
    def _decayed(
        params: list[Tensor], grads: list[Tensor], group: Group, *, decoupled: bool = False
    ) -> list[Tensor]:
        r"""Let the weights decay, and return the gradients that the rule goes by.

        As a penalty, :math:`\tfrac{\lambda}{2}\|\theta\|^2` added to the loss, the decay
        is part of the gradient, and passes through everything that the rule does to it. Decoupled
        from it, the weights shrink by themselves, by the factor :math:`1 - \eta\lambda` a step.
        """
        if group.get("maximize"):
            grads = list(torch._foreach_neg(grads))
        decay = group["weight_decay"]
        if decay == 0:
            return grads
        if decoupled:
            torch._foreach_mul_(params, 1 - float(group["lr"]) * decay)  # θ ← θ − η λ θ
            return grads
        return list(torch._foreach_add(grads, params, alpha=decay))  # g ← g + λ θ


def bunches(params: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """Split a list where it would outgrow the cache; for an accelerator, leave it whole."""
    bunch: list[Tensor] = []
    size = 0
    for param in params:
        if bunch and param.device.type == "cpu" and size + param.numel() > BUNCH:
            yield bunch
            bunch, size = [], 0
        bunch.append(param)
        size += param.numel()
    if bunch:
        yield bunch


def scalar_type() -> torch.dtype:
    """The type of a number in the state, as in PyTorch: float32, or the default if longer."""
    return torch.float64 if torch.get_default_dtype() == torch.float64 else torch.float32


def refuse_settings(name: str, group: Group) -> None:
    """Refuse settings outside their range.

    Args:
        name: of the optimiser, with which the message begins.
        group: the settings by name; unknown ones are left to the optimiser.

    Raises:
        ValueError: the message names the setting, what was expected and what came.
    """
    lr = group.get("lr", 0.0)
    if isinstance(lr, Tensor) and lr.numel() != 1:
        raise ValueError(
            f"{name}: lr expects a number or a tensor of one element, got {tuple(lr.shape)}"
        )
    for setting, (words, holds) in RANGES.items():
        if setting in group and not holds(float(group[setting])):
            raise ValueError(f"{name}: {setting} expects {words}, got {group[setting]}")
    betas = group.get("betas")
    if betas is not None and not (len(betas) == 2 and all(0 <= float(b) < 1 for b in betas)):
        raise ValueError(f"{name}: betas expects two numbers in [0, 1), got {betas}")

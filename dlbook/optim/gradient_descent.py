r"""Gradient descent: the plain step, and the same with momentum.

:class:`SGD` has the interface of :class:`torch.optim.SGD`; :func:`sgd_step` is the rule in its
barest form, for parameters that live in plain dictionaries beside a
:class:`dlbook.autodiff.Tape`.

Chapter: :doc:`/foundations/gradient-descent`.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, TypeVar

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from dlbook.optim.base import FirstOrder, Group, Memory

__all__ = ["SGD", "sgd_step"]

Tree = TypeVar("Tree")


class SGD(FirstOrder):
    r"""Stochastic gradient descent, with momentum, Nesterov's variant and weight decay.

    With the gradient :math:`g_t` of the loss at :math:`\theta_{t-1}`, learning rate
    :math:`\eta`, momentum :math:`\mu`, dampening :math:`d` and weight decay :math:`\lambda`:

    .. math::

        g_t &\leftarrow g_t + \lambda\,\theta_{t-1} \\
        v_t &= \mu\,v_{t-1} + (1 - d)\,g_t, \qquad v_1 = g_1 \\
        \theta_t &= \theta_{t-1} - \eta\,v_t

    Nesterov's variant steps along :math:`g_t + \mu\,v_t` instead of :math:`v_t`; without momentum
    :math:`v_t = g_t`. At the extremes: :math:`\mu = 0` is plain gradient descent; under a
    constant gradient :math:`g` the velocity tends to :math:`(1-d)\,g/(1-\mu)`, so that
    :math:`\mu = 0.9` goes ten times as far a step.

    Args:
        params: the parameters, or dictionaries (groups) with their own settings.
        lr: the learning rate :math:`\eta \ge 0`.
        momentum: :math:`\mu \ge 0`; below 1 in every sensible use.
        dampening: :math:`d`; 0 leaves the gradient's full weight. The first step is never dampened.
        weight_decay: :math:`\lambda \ge 0`, an L2 penalty :math:`\tfrac{\lambda}{2}\|\theta\|^2`.
        nesterov: step along the velocity's look-ahead; needs momentum and no dampening.
        maximize: climb instead of descend.

    Raises:
        ValueError: at construction, for a setting outside its range.
        RuntimeError: at a step, if a gradient is sparse or complex.

    Departures: as in PyTorch, the velocity starts at the first gradient rather than at zero, and
    the learning rate stands outside the velocity, so a change of it acts at once on the whole
    velocity. PyTorch's switches for speed (``foreach``, ``fused``) and for
    differentiating through a step (``differentiable``) have no counterpart.

    Example:
        >>> w = torch.tensor([4.0], requires_grad=True)
        >>> optimizer = SGD([w], lr=0.25)
        >>> for _ in range(3):
        ...     optimizer.zero_grad()
        ...     (w**2).sum().backward()
        ...     _ = optimizer.step()
        >>> w.item()
        0.5
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    _counts = False
    _unless_told: ClassVar[Mapping[str, Any]] = {
        "momentum": 0,
        "dampening": 0,
        "weight_decay": 0,
        "nesterov": False,
        "maximize": False,
    }

    def _check(self, group: Group) -> None:
        super()._check(group)
        if group["nesterov"] and (group["momentum"] <= 0 or group["dampening"] != 0):
            raise ValueError(
                "SGD: nesterov expects momentum > 0 and dampening 0, "
                f"got momentum {group['momentum']} and dampening {group['dampening']}"
            )

    def _rule(
        self,
        params: list[Tensor],
        grads: list[Tensor],
        memory: Memory,
        t: list[float],
        group: Group,
    ) -> None:
        lr, momentum = float(group["lr"]), group["momentum"]
        grads = self._decayed(params, grads, group)
        if momentum != 0:
            velocities = self._velocities(params, grads, momentum, group["dampening"])
            if group["nesterov"]:
                grads = list(torch._foreach_add(grads, velocities, alpha=momentum))  # g + μ v
            else:
                grads = velocities
        torch._foreach_add_(params, grads, alpha=-lr)  # θ ← θ − η v

    def _velocities(
        self, params: Sequence[Tensor], grads: list[Tensor], momentum: float, dampening: float
    ) -> list[Tensor]:
        """Advance the velocities in place; a parameter's first velocity is its gradient."""
        velocities: list[Tensor] = []
        moving: list[Tensor] = []
        pushes: list[Tensor] = []
        for param, grad in zip(params, grads, strict=True):
            state = self.state[param]
            velocity = state.get("momentum_buffer")
            if velocity is None:
                velocity = state["momentum_buffer"] = grad.detach().clone()
            else:
                moving.append(velocity)
                pushes.append(grad)
            velocities.append(velocity)
        if moving:
            torch._foreach_mul_(moving, momentum)  # v ← μ v + (1 − d) g
            torch._foreach_add_(moving, pushes, alpha=1 - dampening)
        return velocities


def sgd_step(params: Tree, grads: Any, lr: float) -> Tree:
    r"""Return new parameters one plain step of gradient descent down, leaving the old as they are.

    .. math:: \theta' = \theta - \eta\,\frac{\partial L}{\partial \theta}

    Meant for :meth:`dlbook.autodiff.Tape.gradient`, which answers in the structure it was
    asked in.

    Args:
        params: a tensor, or dictionaries, lists and tuples of tensors, nested as you like.
        grads: the same structure of gradients; None where nothing flows, which leaves the
            parameter as it is.
        lr: the learning rate :math:`\eta \ge 0`.

    Raises:
        ValueError: if the two structures or a pair of shapes differ, or ``lr`` is negative.

    Example:
        >>> params = {"w": torch.tensor([1.0, 2.0]), "b": torch.tensor(3.0)}
        >>> sgd_step(params, {"w": torch.tensor([10.0, 0.0]), "b": None}, lr=0.1)
        {'w': tensor([0., 2.]), 'b': tensor(3.)}
    """
    if not 0 <= lr < math.inf:
        raise ValueError(f"sgd_step: lr expects a finite number >= 0, got {lr}")
    with torch.no_grad():
        stepped: Tree = _step(params, grads, lr, "params")
    return stepped


def _step(params: Any, grads: Any, lr: float, where: str) -> Any:
    """Walk both structures side by side."""
    if grads is None:
        return params
    if isinstance(params, Tensor):
        if not isinstance(grads, Tensor) or grads.shape != params.shape:
            shape = tuple(grads.shape) if isinstance(grads, Tensor) else type(grads).__name__
            raise ValueError(
                f"sgd_step: {where} has shape {tuple(params.shape)}, its gradient is {shape}"
            )
        return params - lr * grads
    if isinstance(params, Mapping):
        if not isinstance(grads, Mapping) or params.keys() != grads.keys():
            keys = sorted(map(str, grads)) if isinstance(grads, Mapping) else type(grads).__name__
            raise ValueError(
                f"sgd_step: {where} has keys {sorted(map(str, params))}, its gradients {keys}"
            )
        return {key: _step(params[key], grads[key], lr, f"{where}[{key!r}]") for key in params}
    if isinstance(params, list | tuple):
        if not isinstance(grads, list | tuple) or len(params) != len(grads):
            count = len(grads) if isinstance(grads, list | tuple) else type(grads).__name__
            raise ValueError(f"sgd_step: {where} has {len(params)} entries, its gradients {count}")
        pairs = enumerate(zip(params, grads, strict=True))
        steps = [_step(param, grad, lr, f"{where}[{i}]") for i, (param, grad) in pairs]
        return steps if isinstance(params, list) else tuple(steps)
    raise ValueError(f"sgd_step: {where} expects tensors, got {type(params).__name__}")

r"""Lion: only the sign of a running mean of the gradient counts.

Chapter: :doc:`/training/optimization`.
"""

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from dlbook.optim.base import FirstOrder, Group, Memory

__all__ = ["Lion"]


class Lion(FirstOrder):
    r"""Step by the sign of a mean of the gradients, so that every parameter moves equally far.

    .. math::

        c_t &= \beta_1\,m_{t-1} + (1-\beta_1)\,g_t \\
        \theta_t &= (1-\eta\lambda)\,\theta_{t-1} - \eta\,\operatorname{sign}(c_t) \\
        m_t &= \beta_2\,m_{t-1} + (1-\beta_2)\,g_t

    There are two means in one: what is remembered, :math:`m`, forgets slowly; what is stepped
    along, :math:`c`, gives the newest gradient more weight. Half of :class:`~dlbook.optim.Adam`'s
    memory will do. Since each step has the length :math:`\eta` in every
    parameter, rates are smaller and decays larger than Adam's.

    Args:
        params: the parameters, or dictionaries (groups) with their own settings.
        lr: the learning rate :math:`\eta \ge 0`, the length of a step.
        betas: :math:`(\beta_1, \beta_2)`, each at least 0 and below 1: the weights of the past in
            the step and in what is remembered.
        weight_decay: :math:`\lambda \ge 0`; the weights decay by themselves, as in
            :class:`~dlbook.optim.AdamW`.
        maximize: climb instead of descend.

    Raises:
        ValueError: at construction, for a setting outside its range.
        RuntimeError: at a step, if a gradient is sparse or complex.

    The rule was found by a search over programs, Chen et al. (2023). PyTorch has no counterpart;
    the arguments bear the names that its optimisers use.

    Example:
        >>> w = torch.tensor([4.0, 0.04], requires_grad=True)
        >>> optimizer = Lion([w], lr=0.5)
        >>> (w**2).sum().backward()
        >>> optimizer.step()
        >>> w.detach()
        tensor([ 3.5000, -0.4600])
    """

    _counts = False

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-4,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {"lr": lr, "betas": betas, "weight_decay": weight_decay, "maximize": maximize}
        super().__init__(params, defaults)

    def _remembers(self, group: Group) -> tuple[str, ...]:
        return ("exp_avg",)

    def _rule(
        self,
        params: list[Tensor],
        grads: list[Tensor],
        memory: Memory,
        t: list[float],
        group: Group,
    ) -> None:
        lr, (beta1, beta2) = float(group["lr"]), group["betas"]
        grads = self._decayed(params, grads, group, decoupled=True)
        m = memory["exp_avg"]
        sign = torch._foreach_lerp(m, grads, 1 - beta1)  # c = β₁ m + (1 − β₁) g
        torch._foreach_sign_(sign)
        torch._foreach_add_(params, sign, alpha=-lr)  # θ ← θ − η sign(c)
        torch._foreach_lerp_(m, grads, 1 - beta2)  # m ← β₂ m + (1 − β₂) g

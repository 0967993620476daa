r"""Adaptive optimisers: every parameter has a step of its own length, set by its own gradients.

All of them divide the step by a root of squared gradients, so that a parameter with small
gradients moves as far as one with large ones. They differ in what they divide (the gradient, or a
mean of it), in how the squares are gathered (a sum, or a mean that forgets), and in how the
beginning is put right, where a mean that starts at zero is too small.

Products and roots of vectors are meant entry by entry: :math:`g^2` holds the squared entries.

Chapter: :doc:`/training/optimization`.
"""

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from dlbook.optim.base import FirstOrder, Group, Memory, scalar_type

__all__ = ["Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "NAdam", "RAdam", "RMSprop"]


class Adagrad(FirstOrder):
    r"""Divide by the root of the sum of all squared gradients so far.

    .. math::

        s_t &= s_{t-1} + g_t^2, \qquad s_0 = \delta \\
        \theta_t &= \theta_{t-1} - \frac{\eta}{1 + (t-1)\,\kappa}\,
            \frac{g_t}{\sqrt{s_t} + \varepsilon}

    A parameter with rare gradients keeps long steps for when they come. The sum never shrinks, so
    all steps become shorter, like :math:`1/\sqrt t` under gradients of a constant size.

    Args:
        params: the parameters, or dictionaries (groups) with their own settings.
        lr: the learning rate :math:`\eta \ge 0`: the length of a parameter's first step.
        lr_decay: :math:`\kappa \ge 0` shortens the steps further.
        weight_decay: :math:`\lambda \ge 0`; :math:`\lambda\,\theta` is added to the gradient.
        initial_accumulator_value: :math:`\delta \ge 0`, what the sum starts with.
        eps: :math:`\varepsilon \ge 0` keeps the quotient finite where all gradients were zero.
        maximize: climb instead of descend.

    Raises:
        ValueError: at construction, for a setting outside its range.
        RuntimeError: at a step, if a gradient is sparse or complex.

    The rule is that of Duchi, Hazan and Singer (2011), in its diagonal form.

    Departures: PyTorch takes ``initial_accumulator_value`` from the constructor for all groups;
    here a group may have its own. Sparse and complex gradients, and PyTorch's switches for speed
    (``foreach``, ``fused``) and ``differentiable``, have no counterpart.

    Example:
        >>> w = torch.tensor([4.0, 0.04], requires_grad=True)
        >>> optimizer = Adagrad([w], lr=0.5)
        >>> (w**2).sum().backward()
        >>> optimizer.step()  # as far for both, though one gradient is a hundred times the other
        >>> w.detach()
        tensor([ 3.5000, -0.4600])
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "lr_decay": lr_decay,
            "eps": eps,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def _remembers(self, group: Group) -> tuple[str, ...]:
        return ("sum",)

    def _first(self, name: str, param: Tensor, group: Group) -> Tensor:
        return torch.full_like(param, group["initial_accumulator_value"])

    def _rule(
        self,
        params: list[Tensor],
        grads: list[Tensor],
        memory: Memory,
        t: list[float],
        group: Group,
    ) -> None:
        lr, decay = float(group["lr"]), group["lr_decay"]
        grads = self._decayed(params, grads, group)
        s = memory["sum"]
        torch._foreach_addcmul_(s, grads, grads)  # s ← s + g²
        root = torch._foreach_sqrt(s)
        torch._foreach_add_(root, group["eps"])
        torch._foreach_addcdiv_(params, grads, root, [-lr / (1 + (k - 1) * decay) for k in t])


class RMSprop(FirstOrder):
    r"""Divide by the root of a running mean of squared gradients.

    .. math::

        v_t &= \alpha\,v_{t-1} + (1-\alpha)\,g_t^2 \\
        b_t &= \mu\,b_{t-1} + \frac{g_t}{\sqrt{v_t} + \varepsilon} \\
        \theta_t &= \theta_{t-1} - \eta\,b_t

    Unlike the sum of :class:`Adagrad` the mean forgets, over some :math:`1/(1-\alpha)` steps, and
    the steps need not die away. Centred, the square of a running mean of the gradient is
    subtracted from :math:`v_t`, which leaves the gradient's variance.

    Args:
        params: the parameters, or dictionaries (groups) with their own settings.
        lr: the learning rate :math:`\eta \ge 0`.
        alpha: :math:`\alpha` between 0 and 1, the weight of the past.
        eps: :math:`\varepsilon \ge 0` keeps the quotient finite.
        weight_decay: :math:`\lambda \ge 0`; :math:`\lambda\,\theta` is added to the gradient.
        momentum: :math:`\mu \ge 0`; with 0 the step is the quotient itself.
        centered: divide by the root of the variance.
        maximize: climb instead of descend.

    Raises:
        ValueError: at construction, for a setting outside its range.
        RuntimeError: at a step, if a gradient is sparse or complex.

    Departures: the mean starts at zero and is not put right, as in PyTorch: the first step has the
    length :math:`\eta/\sqrt{1-\alpha}`, ten times the rate by default. An :math:`\alpha` above 1 is
    refused. Complex parameters, ``foreach``, ``capturable`` and ``differentiable`` have no
    counterpart; ``maximize`` is given by name.

    Example:
        >>> w = torch.tensor([4.0, 0.04], requires_grad=True)
        >>> optimizer = RMSprop([w], lr=0.05)
        >>> (w**2).sum().backward()
        >>> optimizer.step()
        >>> w.detach()
        tensor([ 3.5000, -0.4600])
    """

    _unless_told: ClassVar[Mapping[str, Any]] = {
        "momentum": 0,
        "centered": False,
        "maximize": False,
    }

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "alpha": alpha,
            "eps": eps,
            "centered": centered,
            "weight_decay": weight_decay,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def _remembers(self, group: Group) -> tuple[str, ...]:
        momentum = ("momentum_buffer",) if group["momentum"] > 0 else ()
        return ("square_avg", *momentum, *(("grad_avg",) if group["centered"] else ()))

    def _rule(
        self,
        params: list[Tensor],
        grads: list[Tensor],
        memory: Memory,
        t: list[float],
        group: Group,
    ) -> None:
        lr, alpha = float(group["lr"]), group["alpha"]
        grads = self._decayed(params, grads, group)
        v = memory["square_avg"]
        torch._foreach_mul_(v, alpha)  # v ← α v + (1 − α) g²
        torch._foreach_addcmul_(v, grads, grads, 1 - alpha)
        if group["centered"]:
            mean = memory["grad_avg"]
            torch._foreach_lerp_(mean, grads, 1 - alpha)
            v = list(torch._foreach_addcmul(v, mean, mean, -1))
        root = torch._foreach_sqrt(v)
        torch._foreach_add_(root, group["eps"])
        if group["momentum"] > 0:
            b = memory["momentum_buffer"]
            torch._foreach_mul_(b, group["momentum"])  # b ← μ b + g / (√v + ε)
            torch._foreach_addcdiv_(b, grads, root)
            torch._foreach_add_(params, b, alpha=-lr)
        else:
            torch._foreach_addcdiv_(params, grads, root, -lr)


class Adadelta(FirstOrder):
    r"""Measure the step in the parameter's own unit: by the root of its recent squared steps.

    .. math::

        v_t &= \rho\,v_{t-1} + (1-\rho)\,g_t^2 \\
        \Delta_t &= \frac{\sqrt{u_{t-1} + \varepsilon}}{\sqrt{v_t + \varepsilon}}\,g_t \\
        u_t &= \rho\,u_{t-1} + (1-\rho)\,\Delta_t^2 \\
        \theta_t &= \theta_{t-1} - \eta\,\Delta_t

    If the loss were measured in other units, the steps would stay the same; if the parameter were,
    the steps would follow. So there is no rate to choose, and :math:`\eta = 1`. The steps start
    at about :math:`\sqrt{\varepsilon/(1-\rho)}` and grow from there.

    Args:
        params: the parameters, or dictionaries (groups) with their own settings.
        lr: a factor :math:`\eta \ge 0` on the step.
        rho: :math:`\rho` between 0 and 1, the weight of the past.
        eps: :math:`\varepsilon \ge 0`; with 0 nothing would ever move.
        weight_decay: :math:`\lambda \ge 0`; :math:`\lambda\,\theta` is added to the gradient.
        maximize: climb instead of descend.

    Raises:
        ValueError: at construction, for a setting outside its range.
        RuntimeError: at a step, if a gradient is sparse or complex.

    The rule is that of Zeiler (2012).

    Departures: PyTorch's ``foreach``, ``capturable`` and ``differentiable``, and its complex
    parameters, have no counterpart.

    Example:
        >>> w = torch.tensor([4.0, 0.04], requires_grad=True)
        >>> optimizer = Adadelta([w])
        >>> (w**2).sum().backward()
        >>> optimizer.step()
        >>> w.detach() - torch.tensor([4.0, 0.04])
        tensor([-0.0032, -0.0032])
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "rho": rho,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def _remembers(self, group: Group) -> tuple[str, ...]:
        return ("square_avg", "acc_delta")

    def _rule(
        self,
        params: list[Tensor],
        grads: list[Tensor],
        memory: Memory,
        t: list[float],
        group: Group,
    ) -> None:
        rho, eps = group["rho"], group["eps"]
        grads = self._decayed(params, grads, group)
        v, u = memory["square_avg"], memory["acc_delta"]
        torch._foreach_mul_(v, rho)  # v ← ρ v + (1 − ρ) g²
        torch._foreach_addcmul_(v, grads, grads, 1 - rho)
        delta = list(torch._foreach_add(u, eps))  # Δ = √(u + ε) / √(v + ε) · g
        root = torch._foreach_add(v, eps)
        torch._foreach_sqrt_(delta)
        torch._foreach_sqrt_(root)
        torch._foreach_div_(delta, root)
        torch._foreach_mul_(delta, grads)
        torch._foreach_mul_(u, rho)  # u ← ρ u + (1 − ρ) Δ²
        torch._foreach_addcmul_(u, delta, delta, 1 - rho)
        torch._foreach_add_(params, delta, alpha=-float(group["lr"]))


class Adam(FirstOrder):
    r"""Divide a running mean of the gradient by the root of one of its square.

    .. math::

        m_t &= \beta_1\,m_{t-1} + (1-\beta_1)\,g_t, &
        \hat m_t &= \frac{m_t}{1-\beta_1^t} \\
        v_t &= \beta_2\,v_{t-1} + (1-\beta_2)\,g_t^2, &
        \hat v_t &= \frac{v_t}{1-\beta_2^t} \\
        \theta_t &= \theta_{t-1} - \eta\,\frac{\hat m_t}{\sqrt{\hat v_t} + \varepsilon}

    Both means start at zero. Under a constant gradient :math:`g` they would be
    :math:`(1-\beta^t)` times what they ought to be, hence the hats: the first step has the length
    :math:`\eta` for every parameter, whatever its gradient. No step is much longer than
    that while the gradients' sizes stay alike, and steps are shorter where their signs change.

    With AMSGrad :math:`\hat v_t` is made from the largest :math:`v` so far, so that no parameter's
    rate ever grows again.

    Args:
        params: the parameters, or dictionaries (groups) with their own settings.
        lr: the learning rate :math:`\eta \ge 0`, about the length of a step.
        betas: :math:`(\beta_1, \beta_2)`, each at least 0 and below 1: the weights of the past.
        eps: :math:`\varepsilon \ge 0` keeps the quotient finite.
        weight_decay: :math:`\lambda \ge 0`; :math:`\lambda\,\theta` is added to the gradient, and
            so divided by the same root; see :class:`AdamW`.
        amsgrad: divide by the largest mean of squares so far.
        maximize: climb instead of descend.
        decoupled_weight_decay: let the weights decay as in :class:`AdamW`.

    Raises:
        ValueError: at construction, for a setting outside its range.
        RuntimeError: at a step, if a gradient is sparse or complex.

    The rule is that of Kingma and Ba (2015).

    Departures: as in PyTorch, :math:`\varepsilon` is added to the root of :math:`\hat v_t`, and
    AMSGrad takes the largest :math:`v_t` before the hat is put on. PyTorch's switches for speed
    (``foreach``, ``fused``, ``capturable``), ``differentiable``, and its complex parameters have no
    counterpart.

    Example:
        >>> w = torch.tensor([4.0, 0.04], requires_grad=True)
        >>> optimizer = Adam([w], lr=0.5)
        >>> (w**2).sum().backward()
        >>> optimizer.step()
        >>> w.detach()
        tensor([ 3.5000, -0.4600])
    """

    _unless_told: ClassVar[Mapping[str, Any]] = {
        "amsgrad": False,
        "maximize": False,
        "decoupled_weight_decay": False,
    }

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        decoupled_weight_decay: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults)

    def _remembers(self, group: Group) -> tuple[str, ...]:
        return ("exp_avg", "exp_avg_sq", *(("max_exp_avg_sq",) if group["amsgrad"] else ()))

    def _rule(
        self,
        params: list[Tensor],
        grads: list[Tensor],
        memory: Memory,
        t: list[float],
        group: Group,
    ) -> None:
        lr, (beta1, beta2) = float(group["lr"]), group["betas"]
        grads = self._decayed(params, grads, group, decoupled=group["decoupled_weight_decay"])
        m, v = memory["exp_avg"], memory["exp_avg_sq"]
        torch._foreach_lerp_(m, grads, 1 - beta1)  # m ← β₁ m + (1 − β₁) g
        torch._foreach_mul_(v, beta2)  # v ← β₂ v + (1 − β₂) g²
        torch._foreach_addcmul_(v, grads, grads, 1 - beta2)
        if group["amsgrad"]:
            torch._foreach_maximum_(memory["max_exp_avg_sq"], v)
            v = memory["max_exp_avg_sq"]
        root = torch._foreach_sqrt(v)  # θ ← θ − η m̂ / (√v̂ + ε)
        torch._foreach_div_(root, [math.sqrt(1 - beta2**k) for k in t])
        torch._foreach_add_(root, group["eps"])
        torch._foreach_addcdiv_(params, m, root, [-lr / (1 - beta1**k) for k in t])


class AdamW(Adam):
    r"""Adam with weights that decay by themselves, not through the gradient.

    .. math::

        \theta_t = (1 - \eta\lambda)\,\theta_{t-1}
            - \eta\,\frac{\hat m_t}{\sqrt{\hat v_t} + \varepsilon}

    with the means of :class:`Adam`, made from the loss's gradient alone. A penalty's gradient
    :math:`\lambda\,\theta` would be divided by :math:`\sqrt{\hat v_t}` with the rest, so that
    weights with large gradients would hardly decay; here all of them shrink by the same factor.
    Without decay, :math:`\lambda = 0`, the two are one.

    Args:
        params: the parameters, or dictionaries (groups) with their own settings.
        lr: the learning rate :math:`\eta \ge 0`, about the length of a step.
        betas: :math:`(\beta_1, \beta_2)`, each at least 0 and below 1: the weights of the past.
        eps: :math:`\varepsilon \ge 0` keeps the quotient finite.
        weight_decay: :math:`\lambda \ge 0`.
        amsgrad: divide by the largest mean of squares so far.
        maximize: climb instead of descend.

    Raises:
        ValueError: at construction, for a setting outside its range.
        RuntimeError: at a step, if a gradient is sparse or complex.

    The rule is that of Loshchilov and Hutter (2019).

    Departures: as in PyTorch the factor is :math:`1-\eta\lambda`, where the paper has
    :math:`1-\lambda` with a schedule's multiplier on both terms; a change of the rate changes the
    decay with it. The others are those of :class:`Adam`.

    Example:
        >>> w = torch.tensor([4.0], requires_grad=True)
        >>> optimizer = AdamW([w], lr=0.1, weight_decay=0.5)
        >>> w.grad = torch.zeros(1)  # no loss: what is left is the decay
        >>> optimizer.step()
        >>> w.detach()
        tensor([3.8000])
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            lr,
            betas,
            eps,
            weight_decay,
            amsgrad,
            maximize=maximize,
            decoupled_weight_decay=True,
        )

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for group in self.param_groups:
            group["decoupled_weight_decay"] = True  # also with a state from elsewhere


class Adamax(FirstOrder):
    r"""Adam with the largest recent gradient in place of the root of the mean square.

    .. math::

        m_t &= \beta_1\,m_{t-1} + (1-\beta_1)\,g_t \\
        u_t &= \max(\beta_2\,u_{t-1},\; |g_t| + \varepsilon) \\
        \theta_t &= \theta_{t-1} - \frac{\eta}{1-\beta_1^t}\,\frac{m_t}{u_t}

    The maximum is at its right size from the first step on and needs no hat.

    Args:
        params: the parameters, or dictionaries (groups) with their own settings.
        lr: the learning rate :math:`\eta \ge 0`, which no step exceeds.
        betas: :math:`(\beta_1, \beta_2)`, each at least 0 and below 1: the weights of the past.
        eps: :math:`\varepsilon \ge 0` keeps the quotient finite.
        weight_decay: :math:`\lambda \ge 0`; :math:`\lambda\,\theta` is added to the gradient.
        maximize: climb instead of descend.

    Raises:
        ValueError: at construction, for a setting outside its range.
        RuntimeError: at a step, if a gradient is sparse or complex.

    The rule is that of Kingma and Ba (2015).

    Departures: PyTorch's ``foreach``, ``capturable`` and ``differentiable``, and its complex
    parameters, have no counterpart.

    Example:
        >>> w = torch.tensor([4.0, 0.04], requires_grad=True)
        >>> optimizer = Adamax([w], lr=0.5)
        >>> (w**2).sum().backward()
        >>> optimizer.step()
        >>> w.detach()
        tensor([ 3.5000, -0.4600])
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def _remembers(self, group: Group) -> tuple[str, ...]:
        return ("exp_avg", "exp_inf")

    def _rule(
        self,
        params: list[Tensor],
        grads: list[Tensor],
        memory: Memory,
        t: list[float],
        group: Group,
    ) -> None:
        lr, (beta1, beta2) = float(group["lr"]), group["betas"]
        grads = self._decayed(params, grads, group)
        m, u = memory["exp_avg"], memory["exp_inf"]
        torch._foreach_lerp_(m, grads, 1 - beta1)  # m ← β₁ m + (1 − β₁) g
        size = torch._foreach_abs(grads)
        torch._foreach_add_(size, group["eps"])
        torch._foreach_mul_(u, beta2)  # u ← max(β₂ u, |g| + ε)
        torch._foreach_maximum_(u, size)
        torch._foreach_addcdiv_(params, m, u, [-lr / (1 - beta1**k) for k in t])


class NAdam(FirstOrder):
    r"""Adam with Nesterov's look-ahead: the step already contains the next mean's share.

    .. math::

        \mu_t &= \beta_1\bigl(1 - \tfrac12\,0.96^{\,t\,\psi}\bigr) \\
        m_t &= \beta_1\,m_{t-1} + (1-\beta_1)\,g_t, \qquad
        v_t = \beta_2\,v_{t-1} + (1-\beta_2)\,g_t^2 \\
        \hat m_t &= \frac{\mu_{t+1}\,m_t}{1-\prod_{i=1}^{t+1}\mu_i}
            + \frac{(1-\mu_t)\,g_t}{1-\prod_{i=1}^{t}\mu_i}, \qquad
        \hat v_t = \frac{v_t}{1-\beta_2^t} \\
        \theta_t &= \theta_{t-1} - \eta\,\frac{\hat m_t}{\sqrt{\hat v_t} + \varepsilon}

    The momentum :math:`\mu_t` grows from half of :math:`\beta_1` to all of it.

    Args:
        params: the parameters, or dictionaries (groups) with their own settings.
        lr: the learning rate :math:`\eta \ge 0`.
        betas: :math:`(\beta_1, \beta_2)`, each at least 0 and below 1: the weights of the past.
        eps: :math:`\varepsilon \ge 0` keeps the quotient finite.
        weight_decay: :math:`\lambda \ge 0`; :math:`\lambda\,\theta` is added to the gradient.
        momentum_decay: :math:`\psi \ge 0`, how fast the momentum grows.
        decoupled_weight_decay: let the weights decay as in :class:`AdamW`.
        maximize: climb instead of descend.

    Raises:
        ValueError: at construction, for a setting outside its range.
        RuntimeError: at a step, if a gradient is sparse or complex.

    Departures: PyTorch's ``foreach``, ``capturable`` and ``differentiable``, and its complex
    parameters, have no counterpart. As in PyTorch the product of the momenta is kept as a float32
    number until a state dictionary is loaded, and in the parameters' type from then on.

    Example:
        >>> w = torch.tensor([4.0], requires_grad=True)
        >>> optimizer = NAdam([w], lr=0.1)
        >>> for _ in range(100):
        ...     optimizer.zero_grad()
        ...     (w**2).sum().backward()
        ...     optimizer.step()
        >>> bool(w.abs() < 0.2)
        True
    """

    _unless_told: ClassVar[Mapping[str, Any]] = {
        "maximize": False,
        "decoupled_weight_decay": False,
    }

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum_decay": momentum_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def _remembers(self, group: Group) -> tuple[str, ...]:
        return ("exp_avg", "exp_avg_sq", "mu_product")

    def _first(self, name: str, param: Tensor, group: Group) -> Tensor:
        if name == "mu_product":
            return torch.ones((), dtype=scalar_type())
        return super()._first(name, param, group)

    def _rule(
        self,
        params: list[Tensor],
        grads: list[Tensor],
        memory: Memory,
        t: list[float],
        group: Group,
    ) -> None:
        lr, (beta1, beta2) = float(group["lr"]), group["betas"]

        def mu(k: float) -> float:
            return float(beta1 * (1 - 0.5 * 0.96 ** (k * group["momentum_decay"])))

        grads = self._decayed(params, grads, group, decoupled=group["decoupled_weight_decay"])
        m, v = memory["exp_avg"], memory["exp_avg_sq"]
        torch._foreach_lerp_(m, grads, 1 - beta1)  # m ← β₁ m + (1 − β₁) g
        torch._foreach_mul_(v, beta2)  # v ← β₂ v + (1 − β₂) g²
        torch._foreach_addcmul_(v, grads, grads, 1 - beta2)
        torch._foreach_mul_(memory["mu_product"], [mu(k) for k in t])
        product = [kept.item() for kept in memory["mu_product"]]  # μ₁ μ₂ … μₜ
        root = torch._foreach_div(v, [1 - beta2**k for k in t])  # √v̂ + ε
        torch._foreach_sqrt_(root)
        torch._foreach_add_(root, group["eps"])
        now = [-lr * (1 - mu(k)) / (1 - p) for k, p in zip(t, product, strict=True)]
        ahead = [-lr * mu(k + 1) / (1 - p * mu(k + 1)) for k, p in zip(t, product, strict=True)]
        torch._foreach_addcdiv_(params, grads, root, now)  # θ ← θ − η m̂ / (√v̂ + ε)
        torch._foreach_addcdiv_(params, m, root, ahead)


class RAdam(FirstOrder):
    r"""Adam that waits with dividing until the mean of squares is to be relied upon.

    With the means :math:`m_t`, :math:`v_t` and their hats as in :class:`Adam`,

    .. math::

        \rho_\infty &= \frac{2}{1-\beta_2} - 1, \qquad
        \rho_t = \rho_\infty - \frac{2\,t\,\beta_2^t}{1-\beta_2^t} \\
        r_t &= \sqrt{\frac{(\rho_t-4)(\rho_t-2)\,\rho_\infty}
            {(\rho_\infty-4)(\rho_\infty-2)\,\rho_t}} \\
        \theta_t &= \theta_{t-1} - \eta\,\hat m_t \cdot
            \begin{cases}
                r_t\,\sqrt{1-\beta_2^t}\,/\,(\sqrt{v_t} + \varepsilon) & \rho_t > 5 \\
                1 & \text{otherwise}
            \end{cases}

    :math:`\rho_t` says how many gradients the mean of squares is worth. While they are few (the
    first five steps with :math:`\beta_2 = 0.999`), the step is plain momentum, with the gradient's
    own size; then :math:`r_t` grows towards 1 and acts as a warm-up that nobody has to set.

    Args:
        params: the parameters, or dictionaries (groups) with their own settings.
        lr: the learning rate :math:`\eta \ge 0`.
        betas: :math:`(\beta_1, \beta_2)`, each at least 0 and below 1: the weights of the past.
        eps: :math:`\varepsilon \ge 0` keeps the quotient finite.
        weight_decay: :math:`\lambda \ge 0`; :math:`\lambda\,\theta` is added to the gradient.
        decoupled_weight_decay: let the weights decay as in :class:`AdamW`.
        maximize: climb instead of descend.

    Raises:
        ValueError: at construction, for a setting outside its range.
        RuntimeError: at a step, if a gradient is sparse or complex.

    Departures: as in PyTorch :math:`\varepsilon` is added to the root before the hat is put on.
    PyTorch's ``foreach``, ``capturable`` and ``differentiable``, and its complex parameters,
    have no counterpart.

    Example:
        >>> w = torch.tensor([4.0, 0.04], requires_grad=True)
        >>> optimizer = RAdam([w], lr=0.1)
        >>> (w**2).sum().backward()
        >>> optimizer.step()  # for a start, in proportion to the gradient
        >>> w.detach()
        tensor([3.2000, 0.0320])
    """

    _unless_told: ClassVar[Mapping[str, Any]] = {
        "maximize": False,
        "decoupled_weight_decay": False,
    }

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        decoupled_weight_decay: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults)

    def _remembers(self, group: Group) -> tuple[str, ...]:
        return ("exp_avg", "exp_avg_sq")

    def _rule(
        self,
        params: list[Tensor],
        grads: list[Tensor],
        memory: Memory,
        t: list[float],
        group: Group,
    ) -> None:
        lr, (beta1, beta2) = float(group["lr"]), group["betas"]
        grads = self._decayed(params, grads, group, decoupled=group["decoupled_weight_decay"])
        m, v = memory["exp_avg"], memory["exp_avg_sq"]
        torch._foreach_lerp_(m, grads, 1 - beta1)  # m ← β₁ m + (1 − β₁) g
        torch._foreach_mul_(v, beta2)  # v ← β₂ v + (1 − β₂) g²
        torch._foreach_addcmul_(v, grads, grads, 1 - beta2)
        root = torch._foreach_sqrt(v)
        torch._foreach_add_(root, group["eps"])
        longest = 2 / (1 - beta2) - 1  # ρ∞
        for param, mean, square, k in zip(params, m, root, t, strict=True):
            rate = lr / (1 - beta1**k)
            length = longest - 2 * k * beta2**k / (1 - beta2**k)  # ρ
            if length > 5:
                trust = (length - 4) * (length - 2) * longest
                trust /= (longest - 4) * (longest - 2) * length  # r²
                param.addcdiv_(mean, square, value=-rate * math.sqrt(trust * (1 - beta2**k)))
            else:
                param.add_(mean, alpha=-rate)

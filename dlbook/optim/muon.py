r"""Muon: momentum, with all singular values of a weight matrix's step made about equal.

Chapter: :doc:`/training/optimization`.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from dlbook.optim.base import FirstOrder, Group, Memory

__all__ = ["Muon", "newton_schulz"]


class Muon(FirstOrder):
    r"""Momentum whose steps are made nearly orthogonal, for the weight matrices of hidden layers.

    .. math::

        B_t &= \mu\,B_{t-1} + (1-\mu)\,G_t \\
        \tilde B_t &= \mu\,B_t + (1-\mu)\,G_t \\
        \Theta_t &= (1-\eta\lambda)\,\Theta_{t-1} - \eta\,s\,\operatorname{NS}(\tilde B_t)

    A gradient's matrix often has a few large singular values and many small ones, so that a step
    along it changes little but a few directions. :math:`\operatorname{NS}`, see
    :func:`~dlbook.optim.muon.newton_schulz`, brings all of them near 1 and keeps the singular
    vectors: the step that, of all steps of a given spectral norm, agrees best with the gradient.
    The factor :math:`s` depends on the matrix's shape :math:`(m, n)`:
    :math:`\sqrt{\max(1, m/n)}`, or :math:`0.2\sqrt{\max(m, n)}`, which makes
    the entries of a step about as large as those of Adam.
    Without ``nesterov``, :math:`\tilde B_t = B_t`.

    Args:
        params: weight matrices, or dictionaries (groups) of them with their own settings. Biases,
            embeddings and the last layer are left to another optimiser.
        lr: the learning rate :math:`\eta \ge 0`.
        weight_decay: :math:`\lambda \ge 0`; the weights decay by themselves, as in
            :class:`~dlbook.optim.AdamW`.
        momentum: :math:`\mu \ge 0`, below 1 in every sensible use.
        nesterov: mix the gradient into the step once more.
        ns_coefficients: the three coefficients of :func:`~dlbook.optim.muon.newton_schulz`.
        eps: the least norm that a matrix is divided by.
        ns_steps: how many steps of :func:`~dlbook.optim.muon.newton_schulz`, from 1 to 99.
        adjust_lr_fn: ``"original"`` (which None stands for) or ``"match_rms_adamw"``, the two
            factors :math:`s`.

    Raises:
        ValueError: at construction, for a setting outside its range, or a parameter that is no
            matrix.
        RuntimeError: at a step, if a gradient is sparse or complex.

    The rule is Keller Jordan's.

    Departures: PyTorch computes :math:`\operatorname{NS}` in bfloat16, to some two digits; here it
    is computed in the parameters' own type.

    Example:
        >>> w = torch.zeros(2, 2, requires_grad=True)
        >>> optimizer = Muon([w], lr=1.0, weight_decay=0)
        >>> w.grad = torch.tensor([[100.0, 0.0], [0.0, 1.0]])
        >>> optimizer.step()
        >>> bool((torch.linalg.svdvals(w.detach()) > 0.4).all())  # a hundred to one, before
        True
    """

    _counts = False
    _unless_told: ClassVar[Mapping[str, Any]] = {}

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = (3.4445, -4.7750, 2.0315),
        eps: float = 1e-7,
        ns_steps: int = 5,
        adjust_lr_fn: str | None = None,
    ) -> None:
        defaults = {
            "lr": lr,
            "weight_decay": weight_decay,
            "momentum": momentum,
            "nesterov": nesterov,
            "ns_coefficients": ns_coefficients,
            "eps": eps,
            "ns_steps": ns_steps,
            "adjust_lr_fn": adjust_lr_fn,
        }
        super().__init__(params, defaults)

    def _check(self, group: Group) -> None:
        super()._check(group)
        if not (isinstance(group["ns_steps"], int) and 1 <= group["ns_steps"] < 100):
            raise ValueError(
                f"Muon: ns_steps expects an integer from 1 to 99, got {group['ns_steps']}"
            )
        if len(group["ns_coefficients"]) != 3:
            raise ValueError(
                f"Muon: ns_coefficients expects three numbers, got {group['ns_coefficients']}"
            )
        if group["adjust_lr_fn"] not in (None, "original", "match_rms_adamw"):
            raise ValueError(
                "Muon: adjust_lr_fn expects None, 'original' or 'match_rms_adamw', "
                f"got {group['adjust_lr_fn']!r}"
            )

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group of matrices; its settings are checked like the constructor's.

        Args:
            param_group: ``"params"`` and any settings that differ from the defaults.

        Raises:
            ValueError: for a setting outside its range, or a parameter that is no matrix.
        """
        super().add_param_group(param_group)
        for param in self.param_groups[-1]["params"]:
            if param.ndim != 2:
                self.param_groups.pop()
                raise ValueError(
                    f"Muon: params expects matrices, got one of shape {tuple(param.shape)}"
                )

    def _remembers(self, group: Group) -> tuple[str, ...]:
        return ("momentum_buffer",)

    def _rule(
        self,
        params: list[Tensor],
        grads: list[Tensor],
        memory: Memory,
        t: list[float],
        group: Group,
    ) -> None:
        lr, momentum = float(group["lr"]), group["momentum"]
        self._decayed(params, grads, group, decoupled=True)
        b = memory["momentum_buffer"]
        torch._foreach_lerp_(b, grads, 1 - momentum)  # B ← μ B + (1 − μ) G
        steps = torch._foreach_lerp(grads, b, momentum) if group["nesterov"] else b
        for param, step in zip(params, steps, strict=True):
            step = newton_schulz(step, group["ns_steps"], group["ns_coefficients"], group["eps"])
            m, n = param.shape
            scale = math.sqrt(max(1, m / n))
            if group["adjust_lr_fn"] == "match_rms_adamw":
                scale = 0.2 * math.sqrt(max(m, n))
            param.add_(step, alpha=-lr * scale)  # Θ ← Θ − η s NS(B)


def newton_schulz(
    matrix: Tensor,
    steps: int = 5,
    coefficients: Sequence[float] = (3.4445, -4.7750, 2.0315),
    eps: float = 1e-7,
) -> Tensor:
    r"""Bring the singular values of a matrix near 1, by products of matrices alone.

    .. math::

        X_0 = \frac{M}{\max(\|M\|_F, \varepsilon)}, \qquad
        X_{k+1} = a\,X_k + \bigl(b\,A_k + c\,A_k^2\bigr) X_k, \qquad A_k = X_k X_k^\top

    With :math:`X = U \Sigma V^\top` one step is :math:`U\,p(\Sigma)\,V^\top` for the polynomial
    :math:`p(\sigma) = a\,\sigma + b\,\sigma^3 + c\,\sigma^5`: the singular vectors stay, and every
    singular value goes its way alone. These coefficients lift small ones by 3.4 a step, and
    let the rest wander between about 0.7 and 1.2; with :math:`(15/8, -10/8, 3/8)` they would all
    tend to 1, from a slower start.

    Args:
        matrix: :math:`M`, of shape ``(m, n)``.
        steps: how many.
        coefficients: :math:`(a, b, c)`.
        eps: the least norm that the matrix is divided by.

    Returns:
        The last :math:`X`, of the matrix's shape and type.

    Example:
        >>> m = torch.diag(torch.tensor([5.0, 1.0, 0.2]))
        >>> newton_schulz(m, 0).diagonal()
        tensor([0.9798, 0.1960, 0.0392])
        >>> newton_schulz(m, 30, (15 / 8, -10 / 8, 3 / 8)).diagonal()
        tensor([1.0000, 1.0000, 1.0000])
    """
    a, b, c = coefficients
    wide = matrix.shape[0] <= matrix.shape[1]
    x: Tensor = matrix if wide else matrix.mT  # the smaller of the two products with itself
    x = x / x.norm().clamp(min=eps)
    for _ in range(steps):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x if wide else x.mT

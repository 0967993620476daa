r"""Second-order optimisers: steps that know how the gradient changes.

Both take all parameters as one vector :math:`\theta` and go down

.. math:: \theta_{k+1} = \theta_k - t_k\,B_k\,g_k,

where :math:`B_k` is the inverse of the Hessian, or made from the last gradients so that it acts
like it. They ask for the loss more than once a step, and so for a closure; they are made for
losses without noise.

Chapter: :doc:`/training/optimization`.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.optimizer import ParamsT

from dlbook.optim.base import Group, refuse_settings

__all__ = ["LBFGS", "Newton"]


class OneVector(Optimizer):
    """An optimiser that sees all of its parameters as one vector, and so has one group."""

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add the group of parameters; its settings are checked like the constructor's.

        Args:
            param_group: ``"params"`` and any settings that differ from the defaults.

        Raises:
            ValueError: for a setting outside its range, or a second group.
        """
        name = type(self).__name__
        if self.param_groups:
            raise ValueError(f"{name}: params expects one group, got another one")
        self._check({**self.defaults, **param_group})
        super().add_param_group(param_group)

    def _check(self, group: Group) -> None:
        refuse_settings(type(self).__name__, group)

    @property
    def _params(self) -> list[Tensor]:
        params: list[Tensor] = self.param_groups[0]["params"]
        return params

    def _flat(self, tensors: Sequence[Tensor | None]) -> Tensor:
        """String tensors like the parameters together; None stands for zeros."""
        parts = []
        for param, tensor in zip(self._params, tensors, strict=True):
            if tensor is None:
                tensor = torch.zeros_like(param)
            if tensor.layout is not torch.strided or tensor.is_complex():
                raise RuntimeError(
                    f"{type(self).__name__}: expects dense real gradients, "
                    f"got one of {tensor.layout}, {tensor.dtype} and shape {tuple(tensor.shape)}"
                )
            parts.append(tensor.reshape(-1))
        return torch.cat(parts)

    def _move(self, direction: Tensor, t: float) -> None:
        """θ ← θ + t d."""
        sizes = [param.numel() for param in self._params]
        for param, part in zip(self._params, torch.split(direction, sizes), strict=True):
            param.add_(part.view_as(param), alpha=t)


class Point(NamedTuple):
    """What is known at one place of a line search: where, the loss, its slope, its gradient."""

    t: float
    loss: float
    slope: float
    grad: Tensor


class LBFGS(OneVector):
    r"""A quasi-Newton method: the Hessian's action, from the last few steps and gradients.

    From the steps :math:`s_k = \theta_{k+1} - \theta_k` and the changes of the gradient
    :math:`y_k = g_{k+1} - g_k`, of which the last ``history_size`` are kept, the inverse Hessian is
    built up as

    .. math::

        B \leftarrow (I - \rho_k s_k y_k^\top)\,B\,(I - \rho_k y_k s_k^\top) + \rho_k s_k s_k^\top,
        \qquad \rho_k = \frac{1}{y_k^\top s_k},

    from :math:`B = \gamma I` with :math:`\gamma = y^\top s / y^\top y` of the newest pair. It is
    never written down: two passes over the pairs give :math:`B\,g`. Each :math:`B` fulfils the
    secant condition :math:`B\,y_k = s_k`, as the inverse Hessian of a quadratic would.

    With the line search ``"strong_wolfe"``, a step :math:`t` along :math:`d = -B\,g` is one
    with

    .. math::

        L(\theta + t\,d) \le L(\theta) + c_1\,t\,g^\top d, \qquad
        |\nabla L(\theta + t\,d)^\top d| \le c_2\,|g^\top d|,

    :math:`c_1 = 10^{-4}` and :math:`c_2 = 0.9`: the loss falls enough, and most of the slope is
    gone. The second condition makes :math:`y^\top s` positive. Without a line search :math:`t` is
    the rate.

    Args:
        params: the parameters, in one group.
        lr: :math:`t`, or the first :math:`t` that a line search tries; the very first step is no
            longer than ``lr`` over the gradient's sum of sizes.
        max_iter: how many steps ``step`` takes at most.
        max_eval: how often it asks for the loss at most, save that a line search is finished;
            None means 5/4 of ``max_iter``.
        tolerance_grad: it stops where no entry of the gradient is larger,
        tolerance_change: or no parameter, or the loss, changes by more.
        history_size: how many pairs are kept.
        line_search_fn: ``"strong_wolfe"`` or None.

    Raises:
        ValueError: at construction, for a setting outside its range or a second group.
        TypeError: at a step without a closure.
        RuntimeError: at a step, if a gradient is sparse or complex.

    Departures: PyTorch strings sparse and complex gradients along, here they are refused; its list
    ``al`` of scratch numbers is not kept in the state.

    Example:
        >>> w = torch.tensor([-1.2, 1.0], dtype=torch.float64, requires_grad=True)
        >>> optimizer = LBFGS([w], max_iter=50, max_eval=100, line_search_fn="strong_wolfe")
        >>> def closure():  # Rosenbrock's valley
        ...     optimizer.zero_grad()
        ...     loss = (1 - w[0]) ** 2 + 100 * (w[1] - w[0] ** 2) ** 2
        ...     loss.backward()
        ...     return loss
        >>> round(optimizer.step(closure).item(), 6)  # the loss before the step
        24.2
        >>> w.detach()
        tensor([1.0000, 1.0000], dtype=torch.float64)
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        defaults = {
            "lr": lr,
            "max_iter": max_iter,
            "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad,
            "tolerance_change": tolerance_change,
            "history_size": history_size,
            "line_search_fn": line_search_fn,
        }
        super().__init__(params, defaults)

    def _check(self, group: Group) -> None:
        super()._check(group)
        for name in ("max_iter", "max_eval", "history_size"):
            value = group[name]
            if not (isinstance(value, int) and value >= 1):
                raise ValueError(f"LBFGS: {name} expects an integer >= 1, got {value}")
        for name in ("tolerance_grad", "tolerance_change"):
            if not 0 <= group[name] < math.inf:
                raise ValueError(f"LBFGS: {name} expects a finite number >= 0, got {group[name]}")
        if group["line_search_fn"] not in (None, "strong_wolfe"):
            raise ValueError(
                "LBFGS: line_search_fn expects None or 'strong_wolfe', "
                f"got {group['line_search_fn']!r}"
            )

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take up to ``max_iter`` steps.

        Args:
            closure: clears the gradients, computes the loss and its gradients, returns the loss.
                Called after every move.

        Returns:
            What ``closure`` returned first: the loss before the steps.
        """
        if closure is None:
            raise TypeError("LBFGS: step expects a closure that returns the loss, got None")
        ask: Callable[[], Any] = torch.enable_grad()(closure)
        group, state = self.param_groups[0], self.state[self._params[0]]
        lr, most, tolerance = float(group["lr"]), group["max_eval"], group["tolerance_change"]
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)

        first = ask()
        loss, grad = float(first), self._gradient()
        asked = 1
        state["func_evals"] += 1
        if grad.abs().max() <= group["tolerance_grad"]:
            return first
        for k in range(1, group["max_iter"] + 1):
            state["n_iter"] += 1
            d = state["d"] = self._direction(grad, state, group["history_size"])
            t = lr if state["n_iter"] > 1 else lr * min(1.0, 1.0 / float(grad.abs().sum()))
            before, slope = loss, float(grad.dot(d))
            state.update(t=t, prev_flat_grad=grad, prev_loss=loss)
            if slope > -tolerance:
                break
            asks = 0
            if group["line_search_fn"] is not None:
                start = Point(0.0, loss, slope, grad)
                end, asks = self._search(ask, d, start, t, most - asked)
                t, loss, grad = end.t, end.loss, end.grad
                state["t"] = t
                self._move(d, t)
            else:
                self._move(d, t)
                if k < group["max_iter"]:  # the next call of step will ask first of all
                    loss, grad, asks = float(ask()), self._gradient(), 1
            asked += asks
            state["func_evals"] += asks
            if asked >= most or grad.abs().max() <= group["tolerance_grad"]:
                break
            if (d * t).abs().max() <= tolerance or abs(loss - before) < tolerance:
                break
        return first

    def _gradient(self) -> Tensor:
        return self._flat([param.grad for param in self._params])

    def _direction(self, grad: Tensor, state: dict[str, Any], history_size: int) -> Tensor:
        """Return -B g by two passes over the pairs, the newest of which is made first."""
        if state["n_iter"] == 1:
            state.update(old_dirs=[], old_stps=[], ro=[], H_diag=1)
            return grad.neg()
        ys, ss, rhos = state["old_dirs"], state["old_stps"], state["ro"]
        y, s = grad - state["prev_flat_grad"], state["d"] * state["t"]
        curvature = y.dot(s)
        if curvature > 1e-10:  # else the pair would make B indefinite
            if len(ys) == history_size:
                for kept in (ys, ss, rhos):
                    kept.pop(0)
            ys.append(y)
            ss.append(s)
            rhos.append(1.0 / curvature)
            state["H_diag"] = curvature / y.dot(y)
        q: Tensor = grad.neg()
        alphas = []
        for y, s, rho in zip(reversed(ys), reversed(ss), reversed(rhos), strict=True):
            alphas.append(s.dot(q) * rho)
            q.add_(y, alpha=-float(alphas[-1]))
        q = q * state["H_diag"]
        for y, s, rho, alpha in zip(ys, ss, rhos, reversed(alphas), strict=True):
            q.add_(s, alpha=float(alpha - y.dot(q) * rho))
        return q

    def _search(
        self, ask: Callable[[], Any], d: Tensor, start: Point, t: float, most: int
    ) -> tuple[Point, int]:
        """Find a strong Wolfe point along d; the parameters are left where they were."""
        home = [param.clone() for param in self._params]

        def at(t: float) -> Point:
            self._move(d, t)
            loss, grad = float(ask()), self._gradient()
            for param, value in zip(self._params, home, strict=True):
                param.copy_(value)
            return Point(t, loss, float(grad.dot(d)), grad)

        return strong_wolfe(at, start, t, float(d.abs().max()), most)


def strong_wolfe(
    at: Callable[[float], Point],
    start: Point,
    t: float,
    size: float,
    most: int = 25,
    c1: float = 1e-4,
    c2: float = 0.9,
    tolerance: float = 1e-9,
) -> tuple[Point, int]:
    """Search a line for a point where the loss has fallen enough and is flat enough.

    First the step grows until an interval must hold such a point, then the interval shrinks about
    it; both by the minimum of the cubic that fits losses and slopes at two places.

    Args:
        at: asks for the loss at a place of the line.
        start: the place with t = 0.
        t: the first step to try.
        size: the largest entry of the direction.
        most: how many rounds there may be.
        c1: the fraction of the first slope by which the loss must fall.
        c2: the fraction of the first slope that may be left.
        tolerance: an interval that moves no parameter by more is not divided.

    Returns:
        The point, or the best one found, and how often the loss was asked for.
    """

    def too_high(point: Point) -> bool:
        return point.loss > start.loss + c1 * point.t * start.slope

    def flat(point: Point) -> bool:
        return abs(point.slope) <= -c2 * start.slope

    before, new = start, at(t)
    asked, rounds = 1, 0
    while True:
        if rounds >= most:
            ends = [start, new]
            break
        if too_high(new) or (rounds > 1 and new.loss >= before.loss):
            ends = [before, new]
            break
        if flat(new):
            return new, asked
        if new.slope >= 0:
            ends = [before, new]
            break
        further = (new.t + 0.01 * (new.t - before.t), new.t * 10)
        before, new = new, at(cubic_minimum(before, new, further))
        asked, rounds = asked + 1, rounds + 1

    low = 0 if ends[0].loss <= ends[1].loss else 1
    stuck = False
    while rounds < most and abs(ends[1].t - ends[0].t) * size >= tolerance:
        left, right = sorted(end.t for end in ends)
        t = cubic_minimum(ends[0], ends[1], (left, right))
        margin = 0.1 * (right - left)
        close = min(right - t, t - left) < margin
        if close and (stuck or t >= right or t <= left):  # twice at an end: go inwards
            t = right - margin if abs(t - right) < abs(t - left) else left + margin
            close = False
        stuck = close
        new = at(t)
        asked, rounds = asked + 1, rounds + 1
        if too_high(new) or new.loss >= ends[low].loss:
            ends[1 - low] = new
            low = 0 if ends[0].loss <= ends[1].loss else 1
        elif flat(new):
            return new, asked
        else:
            if new.slope * (ends[1 - low].t - ends[low].t) >= 0:
                ends[1 - low] = ends[low]
            ends[low] = new
    return ends[low], asked


def cubic_minimum(a: Point, b: Point, bounds: tuple[float, float]) -> float:
    """Where the cubic through two losses with two slopes is least, within bounds.

    Args:
        a: one place.
        b: another one.
        bounds: the least and the largest result.

    Returns:
        The place; the middle of the bounds if the cubic has no minimum.
    """
    least, largest = bounds
    a, b = (a, b) if a.t <= b.t else (b, a)
    width = b.t - a.t
    if width > 0:
        d1 = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.t - b.t)
        square = d1 * d1 - a.slope * b.slope
        if square >= 0:
            root = math.sqrt(square)
            curved = b.slope - a.slope + 2 * root
            if curved != 0:
                place = b.t - width * ((b.slope + root - d1) / curved)
                return min(max(place, least), largest)
    return (least + largest) / 2


class Newton(OneVector):
    r"""Newton's method: jump to where the quadratic that fits the loss here has its minimum.

    .. math:: \theta' = \theta - t\,(H + \mu I)^{-1} g, \qquad H = \nabla^2 L(\theta)

    A quadratic takes one step, whatever its condition number; near a minimum the number of right
    digits doubles with each. The Hessian is exact, one backward pass through the gradient for every
    row: for :math:`n` parameters there are :math:`n` of them, :math:`n^2` numbers, and :math:`n^3`
    multiplications to solve the equations. So this is for some hundred parameters.

    By itself the method looks for a place where the gradient is zero, and is drawn to saddles and
    maxima too. With ``line_search_fn="backtracking"`` it goes down only: :math:`\mu` is raised
    until :math:`H + \mu I` is positive definite, which turns the step towards the gradient; then
    :math:`t` is halved until :math:`L(\theta') \le L(\theta) - 10^{-4}\,t\,g^\top(H + \mu
    I)^{-1}g`.

    Args:
        params: the parameters, in one group.
        lr: :math:`t`, or the first one to be tried.
        damping: :math:`\mu \ge 0`, or the least one.
        line_search_fn: ``"backtracking"`` or None.

    Raises:
        ValueError: at construction, for a setting outside its range or a second group.
        TypeError: at a step without a closure.
        RuntimeError: at a step, if the loss does not carry its graph, a gradient is sparse
            or complex, or the equations have no solution.

    PyTorch has no counterpart. The closure differs from that of other optimisers: it returns the
    loss and does **not** call ``backward``, which would throw the graph away that the Hessian is
    made from. :func:`dlbook.train.fit` calls it, so this is to be stepped by hand.

    Example:
        >>> w = torch.tensor([3.0, -5.0], dtype=torch.float64, requires_grad=True)
        >>> optimizer = Newton([w])
        >>> optimizer.step(lambda: w[0] ** 2 + 1000 * (w[1] - w[0]) ** 2).item()
        64009.0
        >>> bool(w.detach().abs().max() < 1e-9)
        True
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1,
        damping: float = 0,
        line_search_fn: str | None = None,
    ) -> None:
        super().__init__(params, {"lr": lr, "damping": damping, "line_search_fn": line_search_fn})

    def _check(self, group: Group) -> None:
        super()._check(group)
        if not 0 <= group["damping"] < math.inf:
            raise ValueError(
                f"Newton: damping expects a finite number >= 0, got {group['damping']}"
            )
        if group["line_search_fn"] not in (None, "backtracking"):
            raise ValueError(
                "Newton: line_search_fn expects None or 'backtracking', "
                f"got {group['line_search_fn']!r}"
            )

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take one step.

        Args:
            closure: computes and returns the loss, with its graph; it does not call ``backward``.

        Returns:
            The loss before the step.
        """
        if closure is None:
            raise TypeError("Newton: step expects a closure that returns the loss, got None")
        group, state = self.param_groups[0], self.state[self._params[0]]
        with torch.enable_grad():
            loss = closure()
            grad, hessian = self._derivatives(loss)
        state["func_evals"] = state.get("func_evals", 0) + 1
        state["n_iter"] = state.get("n_iter", 0) + 1
        t, damping = float(group["lr"]), float(group["damping"])
        if group["line_search_fn"] is None:
            self._move(solve(hessian, grad, damping), -t)
            return loss.detach()
        d = -solve_downhill(hessian, grad, damping)
        slope, home = float(grad.dot(d)), [param.clone() for param in self._params]
        for _ in range(60):  # 2⁻⁶⁰ of a step is none
            self._move(d, t)
            state["func_evals"] += 1
            if float(closure()) <= float(loss) + 1e-4 * t * slope:
                break
            for param, value in zip(self._params, home, strict=True):
                param.copy_(value)
            t /= 2
        return loss.detach()

    def _derivatives(self, loss: Any) -> tuple[Tensor, Tensor]:
        """The gradient, and the Hessian row by row: the gradients of the gradient's entries."""
        params = self._params
        if not isinstance(loss, Tensor) or not loss.requires_grad:
            raise RuntimeError(
                "Newton: closure expects to return the loss with its graph, got "
                f"{'a tensor without one' if isinstance(loss, Tensor) else type(loss).__name__}"
            )
        try:
            grads = torch.autograd.grad(loss, params, create_graph=True, allow_unused=True)
        except RuntimeError as error:
            if "second time" not in str(error):
                raise
            raise RuntimeError(
                "Newton: closure expects to return the loss without calling backward, "
                "which throws away the graph that the Hessian is made from"
            ) from error
        grad = self._flat(grads)
        if not grad.requires_grad:  # a loss that is linear has no curvature
            return grad.detach(), grad.new_zeros(len(grad), len(grad))
        rows = [
            self._flat(torch.autograd.grad(entry, params, retain_graph=True, allow_unused=True))
            for entry in grad
        ]
        return grad.detach(), torch.stack(rows)


def solve(hessian: Tensor, grad: Tensor, damping: float) -> Tensor:
    r"""Solve :math:`(H + \mu I)\,x = g`.

    Args:
        hessian: :math:`H`, of shape ``(n, n)``.
        grad: :math:`g`, of shape ``(n,)``.
        damping: :math:`\mu`.

    Raises:
        RuntimeError: if the matrix is singular.
    """
    matrix = hessian + damping * torch.eye(len(grad), dtype=grad.dtype, device=grad.device)
    solution: Tensor
    solution, info = torch.linalg.solve_ex(matrix, grad)
    if int(info) != 0 or not bool(solution.isfinite().all()):
        raise RuntimeError(
            f"Newton: expects a Hessian that can be inverted, got a singular one with damping "
            f"{damping:g}; more damping would make it regular"
        )
    return solution


def solve_downhill(hessian: Tensor, grad: Tensor, damping: float) -> Tensor:
    r"""Solve :math:`(H + \mu I)\,x = g` with a :math:`\mu` that makes the matrix positive definite.

    Args:
        hessian: :math:`H`, of shape ``(n, n)``.
        grad: :math:`g`, of shape ``(n,)``.
        damping: the least :math:`\mu`; it grows tenfold until the matrix has a Cholesky factor.

    Raises:
        RuntimeError: if the Hessian or the gradient is not finite.
    """
    if not bool(hessian.isfinite().all() and grad.isfinite().all()):
        raise RuntimeError("Newton: expects finite derivatives, got an infinite one or a NaN")
    eye = torch.eye(len(grad), dtype=grad.dtype, device=grad.device)
    size = max(float(hessian.diagonal().abs().max()), torch.finfo(grad.dtype).tiny ** 0.5)
    while True:
        factor, info = torch.linalg.cholesky_ex(hessian + damping * eye)
        if int(info) == 0:
            return torch.cholesky_solve(grad.unsqueeze(1), factor).squeeze(1)
        damping = max(10 * damping, 1e-4 * size)

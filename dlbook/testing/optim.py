"""Rows for optimisers: the same steps as PyTorch's, from the same gradients."""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Generator, Tensor

from dlbook.testing._row import Bad, Row, Sample, Samples

P = [torch.zeros(2)]


def settings(
    *cases: Mapping[str, Any], start: tuple[Tensor, ...] = (), lr: float = 0.05
) -> Samples:
    """One sample for each setting, named by it; what all optimisers have comes besides."""

    def samples(_g: Generator) -> Iterable[Sample]:
        for case in ({}, *cases, {"lr": torch.tensor(lr, dtype=torch.float64)}):
            words = ",".join(f"{k}={v}" for k, v in case.items())
            words = "rate as a tensor" if isinstance(case.get("lr"), torch.Tensor) else words
            yield Sample(words or "defaults", (), {"lr": lr, **case}, start)

    return samples


def refused(name: str, params: Any = P, **wrong: tuple[Any, str]) -> tuple[Bad, ...]:
    """A wrong value for each setting, with what the message must say was expected."""
    cases = {"lr": (-1, "a finite number >= 0"), **wrong}
    return tuple(
        Bad(f"{name}: {setting} expects {words}, got {value}", (params,), {setting: value})
        for setting, (value, words) in cases.items()
    )


NEGATIVE = (-0.1, "a finite number >= 0")
FORGETS = ((0.9, 1.0), "two numbers in [0, 1)")
DECAY = {"weight_decay": 0.1}
DECOUPLED = {"weight_decay": 0.1, "decoupled_weight_decay": True}
CLIMB = {"maximize": True, "weight_decay": 0.1}


def row(
    name: str,
    reference: Callable[..., Any],
    samples: Samples,
    formula: str,
    bad: tuple[Bad, ...],
    *,
    stem: str = "optimization",
    note: str = "",
) -> Row:
    return Row(
        f"optim.{name}",
        reference,
        samples,
        formula,
        stem,
        kind="optimizer",
        differentiable=False,
        bad=bad,
        note=note,
    )


# --- specifications of what PyTorch has not, or not in this type ----------------------------------


class LionByLoops(torch.optim.Optimizer):
    """Lion, one number after the other."""

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-4,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {"lr": lr, "betas": betas, "weight_decay": weight_decay, "maximize": maximize}
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        if closure is not None:
            torch.enable_grad()(closure)()
        for group in self.param_groups:
            lr, (fast, slow), decay = float(group["lr"]), group["betas"], group["weight_decay"]
            for param in group["params"]:
                mean = self.state[param].setdefault("exp_avg", torch.zeros_like(param))
                theta, m, g = (x.flatten().tolist() for x in (param, mean, param.grad))
                for i in range(len(theta)):
                    slope = -g[i] if group["maximize"] else g[i]
                    mixed = fast * m[i] + (1 - fast) * slope
                    sign = 0.0 if mixed == 0 else math.copysign(1.0, mixed)
                    theta[i] -= lr * (sign + decay * theta[i])
                    m[i] = slow * m[i] + (1 - slow) * slope
                for kept, values in ((param, theta), (mean, m)):
                    kept.copy_(torch.tensor(values, dtype=kept.dtype).view_as(kept))


class MuonBySVD(torch.optim.Optimizer):
    """Muon, with the polynomial of every singular value in place of products of matrices."""

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-3,
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

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        if closure is not None:
            torch.enable_grad()(closure)()
        for group in self.param_groups:
            lr, mu, (a, b, c) = float(group["lr"]), group["momentum"], group["ns_coefficients"]
            for param in group["params"]:
                mean = self.state[param].setdefault("momentum_buffer", torch.zeros_like(param))
                mean.copy_(mu * mean + (1 - mu) * param.grad)
                step = mu * mean + (1 - mu) * param.grad if group["nesterov"] else mean
                u, values, vh = torch.linalg.svd(step, full_matrices=False)
                sigma = values / max(float(values.square().sum().sqrt()), group["eps"])
                for _ in range(group["ns_steps"]):
                    sigma = a * sigma + b * sigma**3 + c * sigma**5
                rows, columns = param.shape
                if group["adjust_lr_fn"] == "match_rms_adamw":
                    scale = 0.2 * max(rows, columns) ** 0.5
                else:
                    scale = max(1.0, rows / columns) ** 0.5
                orthogonal = u @ torch.diag(sigma) @ vh
                param.copy_((1 - lr * group["weight_decay"]) * param - lr * scale * orthogonal)


def matrices() -> tuple[Tensor, ...]:
    """Where Muon starts: a tall matrix and a wide one."""
    g = torch.Generator().manual_seed(0)
    return (
        torch.randn(4, 3, generator=g, dtype=torch.float64),
        torch.randn(1, 3, generator=g, dtype=torch.float64),
    )


ROWS = [
    row(
        "SGD",
        torch.optim.SGD,
        settings(
            {"momentum": 0.9},
            {"momentum": 0.5, "dampening": 0.3},
            {"momentum": 0.9, "nesterov": True},
            DECAY,
            CLIMB,
        ),
        r"v \leftarrow \mu v + g,\quad \theta \leftarrow \theta - \eta\,v",
        (
            *refused("SGD", momentum=NEGATIVE),
            Bad("nesterov expects momentum > 0 and dampening 0", (P,), {"nesterov": True}),
        ),
        stem="gradient-descent",
    ),
    row(
        "Adagrad",
        torch.optim.Adagrad,
        settings({"lr_decay": 0.1}, {"initial_accumulator_value": 0.5}, {"eps": 0.1}, DECAY, CLIMB),
        r"s \leftarrow s + g^2,\quad \theta \leftarrow \theta - \eta\,g / (\sqrt{s} + \varepsilon)",
        refused("Adagrad", lr_decay=NEGATIVE, initial_accumulator_value=NEGATIVE),
    ),
    row(
        "RMSprop",
        torch.optim.RMSprop,
        settings(
            {"alpha": 0.5},
            {"momentum": 0.9},
            {"centered": True},
            {"centered": True, "momentum": 0.5, "weight_decay": 0.1},
            CLIMB,
        ),
        r"v \leftarrow \alpha v + (1-\alpha) g^2,\quad"
        r" \theta \leftarrow \theta - \eta\,g / (\sqrt{v} + \varepsilon)",
        refused("RMSprop", alpha=(1.5, "a number in [0, 1]"), momentum=NEGATIVE, eps=NEGATIVE),
    ),
    row(
        "Adadelta",
        torch.optim.Adadelta,
        settings({"lr": 1.0}, {"rho": 0.5}, {"eps": 0.01}, DECAY, CLIMB),
        r"\Delta = \sqrt{u + \varepsilon}\,g / \sqrt{v + \varepsilon},\quad"
        r" \theta \leftarrow \theta - \eta\,\Delta",
        refused("Adadelta", rho=(1.5, "a number in [0, 1]"), eps=NEGATIVE),
    ),
    row(
        "Adam",
        torch.optim.Adam,
        settings(
            {"betas": (0.5, 0.9)},
            {"eps": 0.1},
            {"amsgrad": True, "betas": (0.9, 0.5)},
            DECAY,
            DECOUPLED,
            CLIMB,
        ),
        r"\theta \leftarrow \theta - \eta\,\hat m / (\sqrt{\hat v} + \varepsilon)",
        refused("Adam", betas=FORGETS, eps=NEGATIVE, weight_decay=NEGATIVE),
    ),
    row(
        "AdamW",
        torch.optim.AdamW,
        settings({"weight_decay": 0.5}, {"weight_decay": 0}, {"amsgrad": True}, CLIMB),
        r"\theta \leftarrow (1 - \eta\lambda)\,\theta"
        r" - \eta\,\hat m / (\sqrt{\hat v} + \varepsilon)",
        refused("AdamW", betas=FORGETS, weight_decay=NEGATIVE),
    ),
    row(
        "Adamax",
        torch.optim.Adamax,
        settings({"betas": (0.5, 0.9)}, DECAY, CLIMB),
        r"u \leftarrow \max(\beta_2 u, |g| + \varepsilon),\quad"
        r" \theta \leftarrow \theta - \eta\,\hat m / u",
        refused("Adamax", betas=FORGETS, eps=NEGATIVE),
    ),
    row(
        "NAdam",
        torch.optim.NAdam,
        settings({"momentum_decay": 0.1}, {"betas": (0.5, 0.9)}, DECAY, DECOUPLED, CLIMB),
        r"\theta \leftarrow \theta - \eta\,(\mu' \hat m + (1 - \mu)\,\hat g)"
        r" / (\sqrt{\hat v} + \varepsilon)",
        refused("NAdam", betas=FORGETS, momentum_decay=NEGATIVE),
    ),
    row(
        "RAdam",
        torch.optim.RAdam,
        settings({"betas": (0.5, 0.9)}, {"eps": 0.1}, DECAY, DECOUPLED, CLIMB),
        r"\theta \leftarrow \theta - \eta\,r\,\hat m / (\sqrt{\hat v} + \varepsilon)",
        refused("RAdam", betas=FORGETS, eps=NEGATIVE),
    ),
    row(
        "Lion",
        LionByLoops,
        settings({"betas": (0.5, 0.9)}, {"weight_decay": 0.5}, CLIMB),
        r"\theta \leftarrow (1 - \eta\lambda)\,\theta"
        r" - \eta\,\operatorname{sign}(\beta_1 m + (1 - \beta_1) g)",
        refused("Lion", betas=FORGETS, weight_decay=NEGATIVE),
        note="compared with plain loops: PyTorch has none",
    ),
    row(
        "Muon",
        MuonBySVD,
        settings(
            {"weight_decay": 0},
            {"nesterov": False, "momentum": 0.5},
            {"ns_steps": 2, "ns_coefficients": (1.5, -0.5, 0.0)},
            {"adjust_lr_fn": "match_rms_adamw"},
            start=matrices(),
            lr=0.005,  # near a minimum its steps are chaotic: rounding decides their direction
        ),
        r"\Theta \leftarrow (1 - \eta\lambda)\,\Theta - \eta\,s\,\operatorname{NS}(\tilde B)",
        (
            *refused("Muon", [torch.zeros(2, 2)], momentum=NEGATIVE),
            Bad("ns_steps expects an integer from 1 to 99", (P,), {"ns_steps": 0}),
            Bad("ns_coefficients expects three numbers", (P,), {"ns_coefficients": (1.0, 2.0)}),
            Bad("adjust_lr_fn expects None, 'original'", (P,), {"adjust_lr_fn": "none"}),
            Bad("params expects matrices, got one of shape (2,)", (P,)),
        ),
        note="compared in float64 with singular values: PyTorch's is computed in bfloat16",
    ),
    row(
        "LBFGS",
        torch.optim.LBFGS,
        settings(
            {"lr": 1.0, "max_iter": 3},
            {"line_search_fn": "strong_wolfe"},
            {"lr": 1.0, "line_search_fn": "strong_wolfe", "max_iter": 2},
            {"lr": 1.0, "line_search_fn": "strong_wolfe", "history_size": 2, "max_eval": 9},
        ),
        r"\theta \leftarrow \theta - t\,B\,g,\quad B\,y_k = s_k",
        (
            *refused("LBFGS"),
            Bad("max_iter expects an integer >= 1, got 0", (P,), {"max_iter": 0}),
            Bad("history_size expects an integer >= 1, got 0", (P,), {"history_size": 0}),
            Bad("tolerance_grad expects a finite number >= 0", (P,), {"tolerance_grad": -1}),
            Bad("line_search_fn expects None or", (P,), {"line_search_fn": "armijo"}),
            Bad("params expects one group", ([{"params": P}, {"params": [torch.zeros(1)]}],)),
        ),
    ),
]

"""Rows for optimisers: the same steps as PyTorch's, from the same gradients."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Generator

from dlbook.testing._row import Bad, Row, Sample, Samples

P = [torch.zeros(2)]


def settings(*cases: Mapping[str, Any]) -> Samples:
    """One sample for each setting, named by it; what all optimisers have comes besides."""

    def samples(_g: Generator) -> Iterable[Sample]:
        for case in ({}, *cases, {"lr": torch.tensor(0.05, dtype=torch.float64)}):
            words = ",".join(f"{k}={v}" for k, v in case.items())
            words = "rate as a tensor" if isinstance(case.get("lr"), torch.Tensor) else words
            yield Sample(words or "defaults", (), {"lr": 0.05, **case})

    return samples


def refused(name: str, **wrong: tuple[Any, str]) -> tuple[Bad, ...]:
    """A wrong value for each setting, with what the message must say was expected."""
    cases = {"lr": (-1, "a finite number >= 0"), **wrong}
    return tuple(
        Bad(f"{name}: {setting} expects {words}, got {value}", (P,), {setting: value})
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
]

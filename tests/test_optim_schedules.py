"""dlbook.optim.lr_scheduler: torch's numbers from our formulas, on our optimisers and torch's."""

import copy
import inspect
import math
import warnings

import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler as torchs

from dlbook.optim import SGD, Adam, AdamW, lr_scheduler
from dlbook.train import checkpoints, fit

TIMES = 40
CASES = [
    ("StepLR", {"step_size": 7}),
    ("StepLR", {"step_size": 1, "gamma": 0.9}),
    ("MultiStepLR", {"milestones": [3, 3, 20], "gamma": 0.5}),
    ("MultiStepLR", {"milestones": []}),
    ("ExponentialLR", {"gamma": 0.93}),
    ("ExponentialLR", {"gamma": 1.02}),
    ("CosineAnnealingLR", {"T_max": 15}),
    ("CosineAnnealingLR", {"T_max": 60, "eta_min": 0.01}),
    ("LinearLR", {}),
    ("LinearLR", {"start_factor": 0.1, "end_factor": 0.5, "total_iters": 12}),
    ("LinearLR", {"start_factor": 1.0, "end_factor": 0.0, "total_iters": 30}),
    ("LambdaLR", {"lr_lambda": lambda t: 1 / math.sqrt(1 + t)}),
    ("LambdaLR", {"lr_lambda": [lambda t: 0.5**t, lambda t: 1 + t]}),
    ("OneCycleLR", {"max_lr": 0.9, "total_steps": TIMES}),
    ("OneCycleLR", {"max_lr": [0.9, 0.1], "epochs": 8, "steps_per_epoch": 5, "pct_start": 0.5}),
    ("OneCycleLR", {"max_lr": 0.9, "total_steps": 50, "anneal_strategy": "linear"}),
    ("OneCycleLR", {"max_lr": 0.9, "total_steps": 45, "three_phase": True, "div_factor": 5}),
    ("OneCycleLR", {"max_lr": 0.9, "total_steps": TIMES, "cycle_momentum": False}),
    (
        "OneCycleLR",
        {"max_lr": 1.0, "total_steps": 41, "base_momentum": [0.7, 0.8], "max_momentum": 0.9},
    ),
]
IDS = [f"{name} {i}" for i, (name, _) in enumerate(CASES)]
FACTORIES = {
    "our SGD": lambda groups: SGD(groups, lr=0.3, momentum=0.9),
    "torch's SGD": lambda groups: torch.optim.SGD(groups, lr=0.3, momentum=0.9),
    "our Adam": lambda groups: Adam(groups, lr=0.3),
    "torch's AdamW": lambda groups: torch.optim.AdamW(groups, lr=0.3),
}


def groups():
    """Two groups with rates of their own."""
    return [
        {"params": [torch.zeros(2, requires_grad=True)]},
        {"params": [torch.zeros(1, requires_grad=True)], "lr": 0.05},
    ]


def settings(optimizer):
    """What a schedule may change: every group's rate, and its momentum under either name."""
    momenta = [g.get("momentum", g.get("betas", (None,))) for g in optimizer.param_groups]
    flat = [m[0] if isinstance(m, tuple) else m for m in momenta]
    return [float(g["lr"]) for g in optimizer.param_groups] + flat


def walk(optimizer, schedule, times=TIMES):
    found = [settings(optimizer)]
    for _ in range(times):
        optimizer.step()
        schedule.step()
        found.append(settings(optimizer))
        assert schedule.get_last_lr() == [g["lr"] for g in optimizer.param_groups]
    return torch.tensor(found, dtype=torch.float64)


def close(found, expected):
    gap = torch.where(found == expected, 0.0, (found - expected).abs()).max()
    assert gap < 1e-12, f"off by {gap:.3g}\nours: {found}\ntorch's: {expected}"


@pytest.mark.parametrize("factory", FACTORIES.values(), ids=FACTORIES)
@pytest.mark.parametrize(("name", "arguments"), CASES, ids=IDS)
def test_numbers_are_torchs(name, arguments, factory):
    paths = []
    for library in (lr_scheduler, torchs):
        optimizer = factory(groups())
        paths.append(walk(optimizer, getattr(library, name)(optimizer, **arguments)))
    close(*paths)


@pytest.mark.parametrize(("name", "arguments"), CASES, ids=IDS)
def test_rate_is_the_formula_of_what_step_sets(name, arguments):
    if name == "OneCycleLR":
        pytest.skip("its rates follow from max_lr, not from the rate it finds")
    optimizer = SGD(groups(), lr=0.3)
    schedule = getattr(lr_scheduler, name)(optimizer, **arguments)
    path = walk(optimizer, schedule)[:, :2]
    for i, start in enumerate((0.3, 0.05)):
        more = (i,) if name == "LambdaLR" else ()
        formula = [schedule.rate(start, t, *more) for t in range(TIMES + 1)]
        assert formula == path[:, i].tolist()


def composed(library, optimizer):
    """Warm-up, a plateau, then the cosine."""
    warm = library.LinearLR(optimizer, start_factor=0.1, total_iters=4)
    flat = library.LambdaLR(optimizer, lambda t: 1.0)
    cool = library.CosineAnnealingLR(optimizer, T_max=20, eta_min=0.001)
    return library.SequentialLR(optimizer, [warm, flat, cool], milestones=[4, 10])


@pytest.mark.parametrize("factory", FACTORIES.values(), ids=FACTORIES)
def test_schedules_one_after_the_other(factory):
    paths = []
    for library in (lr_scheduler, torchs):
        optimizer = factory(groups())
        warm = library.LinearLR(optimizer, start_factor=0.1, total_iters=5)
        cool = library.CosineAnnealingLR(optimizer, T_max=20, eta_min=0.001)
        schedule = library.SequentialLR(optimizer, [warm, cool], milestones=[5])
        paths.append(walk(optimizer, schedule, 25))
    close(*paths)
    rates = paths[0][:, 0]
    assert rates.argmax() == 5
    assert (rates[:6].diff() > 0).all()
    assert (rates[5:].diff() < 0).all()


def test_three_in_a_row():
    optimizer = SGD(groups(), lr=0.3)
    rates = walk(optimizer, composed(lr_scheduler, optimizer), 30)[:, 0]
    warm = [0.3 * (0.1 + 0.9 * t / 4) for t in range(4)]
    cool = [0.001 + 0.299 * (1 + math.cos(math.pi * t / 20)) / 2 for t in range(21)]
    close(rates, torch.tensor(warm + [0.3] * 6 + cool, dtype=torch.float64))


def test_ours_and_torchs_parts_mix():
    optimizer = torch.optim.SGD(groups(), lr=0.3)
    warm = lr_scheduler.LinearLR(optimizer, total_iters=3)
    decay = torchs.ExponentialLR(optimizer, 0.5)
    schedule = lr_scheduler.SequentialLR(optimizer, [warm, decay], milestones=[3])
    expected = [0.1, 0.3 * (1 / 3 + 2 / 9), 0.3 * (1 / 3 + 4 / 9), 0.3, 0.15, 0.075]
    close(walk(optimizer, schedule, 5)[:, 0], torch.tensor(expected, dtype=torch.float64))


PLATEAUS = [
    {"patience": 2},
    {"factor": 0.5, "patience": 0, "cooldown": 3},
    {"mode": "max", "patience": 1, "threshold": 0.1},
    {"mode": "max", "patience": 1, "threshold": 0.05, "threshold_mode": "abs"},
    {"patience": 1, "threshold": 0.2, "threshold_mode": "abs", "min_lr": [0.1, 0.001]},
    {"factor": 0.1, "patience": 0, "min_lr": 1e-3, "eps": 1e-2},
]


@pytest.mark.parametrize("arguments", PLATEAUS, ids=str)
def test_plateaus_are_torchs(arguments):
    values = torch.rand(60, generator=torch.Generator().manual_seed(1)).mul(0.4)
    values = [float(v) + math.exp(-t / 15) for t, v in enumerate(values)] + [math.nan, math.inf]
    paths = []
    for library in (lr_scheduler, torchs):
        optimizer = SGD(groups(), lr=0.3)
        schedule = library.ReduceLROnPlateau(optimizer, **arguments)
        path = []
        for value in values:
            schedule.step(torch.tensor(value, dtype=torch.float64))
            counts = [schedule.best, schedule.num_bad_epochs, schedule.cooldown_counter]
            path.append([*settings(optimizer)[:2], *counts, schedule.last_epoch])
            assert schedule.get_last_lr() == settings(optimizer)[:2]
        paths.append(torch.tensor(path, dtype=torch.float64))
    close(*paths)
    assert paths[0][-1, 0] < 0.3


@pytest.mark.parametrize("ours_first", [True, False], ids=["ours, torch", "torch, ours"])
@pytest.mark.parametrize(("name", "arguments"), CASES, ids=IDS)
def test_states_are_exchanged(name, arguments, ours_first):
    whole = torch.optim.SGD(groups(), lr=0.3, momentum=0.9)
    expected = walk(whole, getattr(torchs, name)(whole, **arguments), 30)
    libraries = (lr_scheduler, torchs) if ours_first else (torchs, lr_scheduler)
    optimizers = [SGD(groups(), lr=0.3, momentum=0.9) for _ in range(2)]
    schedules = [getattr(lib, name)(o, **arguments) for lib, o in zip(libraries, optimizers)]
    close(walk(optimizers[0], schedules[0], 13), expected[:14])
    optimizers[1].load_state_dict(copy.deepcopy(optimizers[0].state_dict()))
    schedules[1].load_state_dict(copy.deepcopy(schedules[0].state_dict()))
    close(walk(optimizers[1], schedules[1], 17), expected[13:])


def test_sequences_and_plateaus_go_on_from_their_state():
    first, second = (SGD(groups(), lr=0.3) for _ in range(2))
    whole = walk(first, composed(lr_scheduler, first), 30)
    first = SGD(groups(), lr=0.3)
    schedules = [composed(lr_scheduler, first), composed(lr_scheduler, second)]
    walk(first, schedules[0], 7)
    second.load_state_dict(first.state_dict())
    schedules[1].load_state_dict(copy.deepcopy(schedules[0].state_dict()))
    close(walk(second, schedules[1], 23), whole[7:])

    plateaus = [lr_scheduler.ReduceLROnPlateau(o, patience=2) for o in (first, second)]
    for _ in range(3):
        plateaus[0].step(1.0)
    plateaus[1].load_state_dict(plateaus[0].state_dict())
    assert (plateaus[1].best, plateaus[1].num_bad_epochs) == (1.0, 2)


def test_going_on_from_a_time():
    optimizer = SGD(groups(), lr=0.3)
    schedule = lr_scheduler.ExponentialLR(optimizer, 0.5)
    walk(optimizer, schedule, 4)
    again = lr_scheduler.ExponentialLR(optimizer, 0.5, last_epoch=3)
    assert again.last_epoch == 4
    assert optimizer.param_groups[0]["lr"] == 0.3 * 0.5**4


def test_rates_kept_in_tensors_stay_tensors():
    rate = torch.tensor(0.5)
    optimizer = SGD([torch.zeros(1, requires_grad=True)], lr=rate)
    schedule = lr_scheduler.ExponentialLR(optimizer, 0.5)
    optimizer.step()
    schedule.step()
    assert optimizer.param_groups[0]["lr"] is rate
    assert rate.item() == 0.25


def test_the_wrong_order_is_warned_of():
    optimizer = AdamW([torch.zeros(1, requires_grad=True)])
    schedule = lr_scheduler.StepLR(optimizer, 1)
    with pytest.warns(UserWarning, match=r"lr_scheduler\.step\(\)` before `optimizer\.step"):
        schedule.step()


def test_steps_after_the_last_are_refused():
    optimizer = SGD(groups(), lr=0.3, momentum=0.9)
    schedule = lr_scheduler.OneCycleLR(optimizer, 1.0, total_steps=3)
    walk(optimizer, schedule, 3)
    with pytest.raises(ValueError, match="OneCycleLR: expects at most 3 steps"):
        schedule.step()


def test_names_order_and_defaults_are_torchs():
    for name in lr_scheduler.__all__:
        if name == "Schedule":
            continue
        ours = inspect.signature(getattr(lr_scheduler, name))
        theirs = inspect.signature(getattr(torchs, name))
        assert list(ours.parameters) == list(theirs.parameters), name
        for parameter in ours.parameters.values():
            assert parameter.default == theirs.parameters[parameter.name].default, name


REFUSED = [
    ("StepLR", {"step_size": 0}, "step_size expects an integer >= 1, got 0"),
    ("StepLR", {"step_size": 2, "gamma": -1.0}, "gamma expects a finite number >= 0, got -1.0"),
    ("MultiStepLR", {"milestones": [1, -2]}, "milestones expects integers >= 0, got"),
    ("ExponentialLR", {"gamma": math.inf}, "gamma expects a finite number >= 0, got inf"),
    ("CosineAnnealingLR", {"T_max": 0}, "T_max expects an integer >= 1, got 0"),
    ("CosineAnnealingLR", {"T_max": 3, "eta_min": -1}, "eta_min expects a finite number >= 0"),
    ("LinearLR", {"start_factor": 0.0}, r"start_factor expects a number in \(0, 1\], got 0.0"),
    ("LinearLR", {"end_factor": 1.5}, r"end_factor expects a number in \[0, 1\], got 1.5"),
    ("LinearLR", {"total_iters": 0}, "total_iters expects an integer >= 1, got 0"),
    ("LambdaLR", {"lr_lambda": [abs]}, "lr_lambda expects 2 functions, one for each group, got 1"),
    ("OneCycleLR", {"max_lr": 1.0}, "expects total_steps, or epochs and steps_per_epoch"),
    ("OneCycleLR", {"max_lr": 1.0, "total_steps": 0}, "total_steps expects an integer >= 1"),
    ("OneCycleLR", {"max_lr": 1.0, "total_steps": 9, "pct_start": 2.0}, "pct_start expects"),
    ("OneCycleLR", {"max_lr": 1.0, "total_steps": 9, "div_factor": 0.0}, "div_factor expects"),
    ("ReduceLROnPlateau", {"factor": 1.0}, r"factor expects a number in \[0, 1\), got 1.0"),
    ("ReduceLROnPlateau", {"patience": -1}, "patience expects an integer >= 0, got -1"),
    ("ReduceLROnPlateau", {"min_lr": [0.1]}, "min_lr expects a number or 2, one for each group"),
    ("SequentialLR", {"schedulers": [], "milestones": []}, "milestones expects one time fewer"),
]


@pytest.mark.parametrize(("name", "arguments", "message"), REFUSED)
def test_bad_settings_are_refused_at_construction(name, arguments, message):
    optimizer = SGD(groups(), lr=0.3, momentum=0.9)
    before = str(optimizer.param_groups)
    with pytest.raises(ValueError, match=f"{name}: {message}"):
        getattr(lr_scheduler, name)(optimizer, **arguments)
    assert str(optimizer.param_groups) == before, "refused, but something has changed"


@pytest.mark.untyped
@pytest.mark.parametrize(
    ("name", "arguments", "error", "message"),
    [
        ("StepLR", {"step_size": 1.5}, ValueError, "step_size expects an integer >= 1, got 1.5"),
        ("LambdaLR", {"lr_lambda": 3}, TypeError, "lr_lambda expects functions, got 3"),
        (
            "OneCycleLR",
            {"max_lr": 1.0, "total_steps": 9, "anneal_strategy": "sin"},
            ValueError,
            "anneal_strategy expects 'cos' or 'linear', got 'sin'",
        ),
        ("ReduceLROnPlateau", {"mode": "low"}, ValueError, "mode expects 'min' or 'max'"),
        (
            "ReduceLROnPlateau",
            {"threshold_mode": "x"},
            ValueError,
            "threshold_mode expects 'rel' or",
        ),
    ],
)
def test_bad_types_are_refused_at_construction(name, arguments, error, message):
    with pytest.raises(error, match=f"{name}: {message}"):
        getattr(lr_scheduler, name)(SGD(groups(), lr=0.3, momentum=0.9), **arguments)


@pytest.mark.untyped
@pytest.mark.parametrize("name", [n for n in lr_scheduler.__all__ if n != "Schedule"])
def test_only_optimisers_have_a_schedule(name):
    arguments = {
        "StepLR": (1,),
        "MultiStepLR": ([1],),
        "ExponentialLR": (0.5,),
        "CosineAnnealingLR": (3,),
        "LambdaLR": (abs,),
        "OneCycleLR": (1.0, 3),
        "SequentialLR": ([], []),
    }.get(name, ())
    with pytest.raises(TypeError, match=f"{name}: optimizer expects an optimiser, got str"):
        getattr(lr_scheduler, name)("adam", *arguments)


def test_sequences_of_the_wrong_kind_are_refused():
    optimizer, other = SGD(groups(), lr=0.3), SGD(groups(), lr=0.3)
    first = lr_scheduler.StepLR(optimizer, 1)
    foreign = lr_scheduler.StepLR(other, 1)
    plateau = lr_scheduler.ReduceLROnPlateau(optimizer)
    sequence = lr_scheduler.SequentialLR(optimizer, [first], [])
    for parts, times, message in (
        ([first, foreign], [2], "schedules of the same optimizer, got another one's at 1"),
        ([first, plateau], [2], "got ReduceLROnPlateau at 1"),
        ([sequence, first], [5], "got a SequentialLR at 0: list its parts instead"),
        ([first, first, first], [3, 2], "milestones expects rising integers >= 1"),
    ):
        with pytest.raises(ValueError, match=f"SequentialLR: .*{message}"):
            lr_scheduler.SequentialLR(optimizer, parts, times)


def test_momentum_to_cycle_must_be_there():
    from dlbook.optim import Adagrad

    optimizer = Adagrad(groups(), lr=0.3)
    with pytest.raises(ValueError, match="cycle_momentum expects an optimizer with momentum or"):
        lr_scheduler.OneCycleLR(optimizer, 1.0, total_steps=5)
    lr_scheduler.OneCycleLR(optimizer, 1.0, total_steps=5, cycle_momentum=False)


def make_run(seed=0):
    torch.manual_seed(seed)
    model = nn.Linear(3, 2)
    optimizer = AdamW(model.parameters(), lr=0.1)
    warm = lr_scheduler.LinearLR(optimizer, start_factor=0.25, total_iters=3)
    cool = lr_scheduler.CosineAnnealingLR(optimizer, T_max=5)
    return model, optimizer, lr_scheduler.SequentialLR(optimizer, [warm, cool], [3])


def examples():
    g = torch.Generator().manual_seed(3)
    return torch.randn(20, 3, generator=g), torch.randn(20, 2, generator=g)


def test_fit_steps_a_schedule_and_its_checkpoint_holds_it(tmp_path):
    model, optimizer, schedule = make_run()
    whole = fit(
        model,
        nn.MSELoss(),
        optimizer,
        examples(),
        epochs=8,
        scheduler=schedule,
        seed=0,
        batch_size=5,
    )
    warm = [0.1 * (0.25 + 0.25 * t) for t in range(3)]
    cool = [0.05 * (1 + math.cos(math.pi * t / 5)) for t in range(5)]
    assert whole.learning_rate == pytest.approx(warm + cool)

    path = tmp_path / "run.pt"
    for epochs in (5, 8):
        again, optimizer, schedule = make_run(seed=epochs - 5)
        rest = fit(
            again,
            nn.MSELoss(),
            optimizer,
            examples(),
            epochs=epochs,
            scheduler=schedule,
            seed=0,
            batch_size=5,
            checkpoint=path,
        )
    assert rest.learning_rate == whole.learning_rate
    for a, b in zip(again.parameters(), model.parameters()):
        assert torch.equal(a, b)


def test_fit_gives_a_plateau_its_loss():
    model = nn.Linear(3, 2)
    optimizer = SGD(model.parameters(), lr=0.0)
    schedule = lr_scheduler.ReduceLROnPlateau(optimizer, patience=0)
    fit(model, nn.MSELoss(), optimizer, examples(), epochs=3, scheduler=schedule)
    assert schedule.num_bad_epochs + schedule.last_epoch > 0
    assert schedule.best < math.inf


@pytest.mark.parametrize(("name", "arguments"), CASES, ids=IDS)
def test_checkpoints_take_every_schedule(name, arguments, tmp_path):
    model = nn.Linear(2, 1)
    found = []
    for _ in range(2):
        optimizer = SGD(
            [{"params": [model.weight]}, {"params": [model.bias], "lr": 0.05}], lr=0.3, momentum=0.9
        )
        found.append((optimizer, getattr(lr_scheduler, name)(optimizer, **arguments)))
    (first, schedule), (second, other) = found
    walk(first, schedule, 5)
    checkpoints.save(tmp_path / "run.pt", checkpoints.capture(model, first, schedule))
    checkpoints.restore(checkpoints.load(tmp_path / "run.pt"), model, second, other)
    close(walk(second, other, 9), walk(first, schedule, 9))


def test_no_warning_in_the_right_order():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name, arguments in CASES:
            optimizer = SGD(groups(), lr=0.3, momentum=0.9)
            walk(optimizer, getattr(lr_scheduler, name)(optimizer, **arguments), 3)

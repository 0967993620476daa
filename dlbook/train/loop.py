"""The loop: batches in, steps down, and a history of it."""

import math
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dlbook.data.augmentation import Augmentation
from dlbook.train import checkpoints
from dlbook.train.batches import Batches, Examples, count
from dlbook.train.checkpoints import CheckpointError
from dlbook.train.devices import device as choose_device
from dlbook.train.evaluation import Loss, Means, Metric, Metrics, measure, named_metrics
from dlbook.train.history import History
from dlbook.train.progress import Progress
from dlbook.train.run import Callback, Run
from dlbook.train.seeds import branch, seed_everything

__all__ = [
    "NonFiniteLossError",
    "Run",
    "augmented",
    "check_parts",
    "fit",
    "move",
    "take_step",
    "unseeded",
]


class NonFiniteLossError(ArithmeticError):
    """The loss, or a parameter, has become infinite or not a number."""


def fit(
    model: nn.Module,
    loss: Loss,
    optimizer: torch.optim.Optimizer,
    train: Examples,
    validation: Examples | None = None,
    *,
    epochs: int,
    batch_size: int = 64,
    shuffle: bool = True,
    augment: Augmentation | None = None,
    metrics: Metrics = (),
    scheduler: Any = None,
    device: torch.device | str | None = None,
    seed: int | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    callbacks: Sequence[Callback] = (),
    progress: bool | None = None,
) -> History:
    r"""Train a model, and return what was measured on the way.

    Every epoch goes once through the training examples; on every batch :math:`\mathcal{B}` the
    optimiser takes one step along the gradient of

    .. math:: \frac{1}{|\mathcal{B}|}\sum_{i \in \mathcal{B}} L\bigl(f(x_i; \theta), y_i\bigr).

    Then follow the measurements on the validation examples, the scheduler's step, the callbacks,
    and the checkpoint.

    Args:
        model: any module; ``model(x)`` is its output. It moves to the device.
        loss: ``loss(output, target)``, one number, the mean over the batch; a function or a module.
        optimizer: any optimiser of the model's parameters, PyTorch's or from :mod:`dlbook.optim`.
        train: a pair of tensors ``(x, y)``, a :class:`dlbook.data.Part`, any data set of pairs, or
            a ``DataLoader``, whose own batch size and order then hold.
        validation: the same, or None.
        epochs: how many there shall be in all, at least 1; those in a checkpoint count.
        batch_size: examples a step, at least 1.
        shuffle: whether every epoch has a new order (not for a ``DataLoader``).
        augment: ``augment(x, y, generator) -> (x, y)``, applied to every training batch on the
            device, anew in every epoch, and never to validation; see
            :mod:`dlbook.data.augmentation`. Its generator follows the seed, is kept in
            checkpoints, and leaves the order of the examples as it is without augmentation.
        metrics: ``"accuracy"`` or functions like ``loss``, by name or in a list.
        scheduler: a schedule from :mod:`dlbook.optim.lr_scheduler` or PyTorch's, stepped after
            every epoch; ``ReduceLROnPlateau`` is given the validation loss (the training loss
            without one).
        device: see :func:`dlbook.device`.
        seed: seeds everything first, see :func:`dlbook.seed_everything`. The model has its initial
            values by then: this governs the order of examples, and dropout.
        checkpoint: a file. The run is written there at its start and after every epoch, see
            :mod:`dlbook.train.checkpoints`; and **if the file exists, the run goes on from it**.
            A run that was interrupted and went on ends with the very same numbers as one that was
            not (on CUDA, if the operations used are deterministic). One that a callback has
            stopped stays stopped.
        callbacks: called with the :class:`Run` after every epoch, see
            :class:`dlbook.train.Callback`; for instance :class:`dlbook.train.EarlyStopping`.
        progress: show a bar; None means where somebody watches, see :mod:`dlbook.train.progress`.

    Returns:
        The history; with a checkpoint, of all epochs, earlier ones too.

    Raises:
        TypeError, ValueError: for arguments that can't be used, before anything is changed.
        CheckpointError: if the checkpoint is damaged or belongs to another run, before
            anything is changed.
        NonFiniteLossError: if the loss is infinite or not a number: the message names epoch and
            batch, and the step is not taken.

    Example:
        >>> from dlbook.data import digits
        >>> model = nn.Linear(64, 10)
        >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
        >>> data = digits.load()
        >>> history = fit(model, nn.CrossEntropyLoss(), optimizer, data.train, data.validation,
        ...               epochs=5, metrics=["accuracy"], seed=0, device="cpu", progress=False)
        >>> history.validation["accuracy"][-1] > 0.85
        True

    Chapter: :doc:`/training/training-loop`.
    """
    check_parts("fit", model, loss, optimizer, augment)
    _check(epochs, callbacks)
    table = named_metrics(metrics)
    where = choose_device(device)
    generator = seed_everything(seed) if seed is not None else unseeded()
    batches = Batches(
        train,
        "train",
        batch_size=batch_size,
        shuffle=shuffle,
        generator=generator,
        device=where,
    )
    held_out = None
    if validation is not None:
        held_out = Batches(validation, "validation", batch_size=batch_size, device=where)

    source = branch(generator)
    run = Run(model, optimizer, where, epochs, History(), scheduler=scheduler)
    run.measures = [f"train {name}" for name in ("loss", *table)]
    if held_out is not None:
        run.measures += [f"validation {name}" for name in ("loss", *table)]
    _call(callbacks, "start", run)

    settings = {
        "seed": seed,
        "batch_size": batch_size,
        "shuffle": shuffle,
        "examples": batches.examples,
        "measures": run.measures,
        "augment": None if augment is None else _described(augment),
    }
    record = None
    if checkpoint is not None:
        generators = batches.generators + (held_out.generators if held_out else [])
        generators += [] if augment is None else [source]
        record = _Record(Path(checkpoint), run, loss, settings, callbacks, generators)
    if record is not None and record.path.exists():
        record.read()
    move(model, loss, optimizer, where)
    if record is not None:
        record.after_move()
        if not record.path.exists():
            record.write()

    mode = model.training
    length = batches.length
    total = None if length is None else length * epochs
    done = 0 if length is None else length * run.epoch
    try:
        with Progress(total, done=done, show=progress) as bar:
            while run.epoch < epochs and run.history.stopped is None:
                begun = time.perf_counter()
                rate = float(optimizer.param_groups[0]["lr"])
                model.train()
                pairs = augmented("fit", batches, augment, source)
                trained = _epoch(run, loss, pairs, batches.length, table, bar)
                _check_parameters(run)
                measured = {} if held_out is None else measure(model, loss, held_out, table)
                if not math.isfinite(measured.get("loss", 0.0)):
                    raise NonFiniteLossError(
                        f"fit: the validation loss is {measured['loss']} after epoch "
                        f"{run.epoch + 1} of {epochs}, though the training loss is finite"
                    )
                run.epoch += 1
                run.history.add(trained, measured, rate, time.perf_counter() - begun)
                _schedule(scheduler, measured.get("loss", trained["loss"]))
                for callback in callbacks:
                    callback(run)
                if record is not None:
                    record.write()
    finally:
        model.train(mode)
    _call(callbacks, "finish", run)
    return run.history


def take_step(
    model: nn.Module,
    loss: Loss,
    optimizer: torch.optim.Optimizer,
    x: Any,
    y: Any,
    check: Callable[[Any], None] = lambda value: None,
) -> tuple[Any, Tensor]:
    """Take one step: forward, loss, backward, update.

    Args:
        model: any module, in the mode it shall have.
        loss: ``loss(output, target)``, one number.
        optimizer: the model's; one that asks for the loss more than once a step will do.
        x: a batch of inputs.
        y: its targets.
        check: called with the loss before the backward pass; what it raises prevents the step.

    Returns:
        The output and the loss at the parameters before the step.

    Example:
        >>> model = nn.Linear(2, 2)
        >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        >>> x, y = torch.eye(2), torch.arange(2)
        >>> _, first = take_step(model, nn.CrossEntropyLoss(), optimizer, x, y)
        >>> _, second = take_step(model, nn.CrossEntropyLoss(), optimizer, x, y)
        >>> bool(second < first)
        True

    Chapter: :doc:`/training/training-loop`.
    """
    first: list[tuple[Any, Tensor]] = []

    def gradients() -> Tensor:
        optimizer.zero_grad()
        output = model(x)
        value = loss(output, y)
        check(value)
        value.backward()  # type: ignore[no-untyped-call]
        if not first:  # some optimisers ask more than once; the first is the batch's loss
            first.append((output, value.detach()))
        return value.detach()

    optimizer.step(gradients)  # type: ignore[arg-type]
    return first[0]


def _epoch(
    run: Run,
    loss: Loss,
    batches: Iterable[tuple[Any, Any]],
    length: int | None,
    metrics: Mapping[str, Metric],
    bar: Progress,
) -> dict[str, float]:
    """Go once through the examples; return the means of what was measured."""
    means = Means()
    for number, (x, y) in enumerate(batches, 1):
        check = partial(_check_loss, run=run, number=number, length=length, x=x)
        output, value = take_step(run.model, loss, run.optimizer, x, y, check)
        with torch.no_grad():
            values = {name: metric(output, y) for name, metric in metrics.items()}
        means.add(count(y), loss=value, **values)
        bar.advance(_caption(run, means))
    if means.examples == 0:
        raise ValueError("train: expects at least one example, got none")
    return means.result()


def augmented(
    name: str, batches: Batches, augment: Augmentation | None, generator: torch.Generator
) -> Iterator[tuple[Any, Any]]:
    """Yield the batches of one pass, changed by the augmentation, if there is one."""
    for x, y in batches:
        pair = (x, y) if augment is None else augment(x, y, generator)
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise TypeError(
                f"{name}: augment expects to return a batch (x, y), got {type(pair).__name__}"
            )
        yield pair


def _described(augment: Augmentation) -> str:
    """What it is, the same in every process."""
    return re.sub(r" at 0x[0-9a-fA-F]+", "", repr(augment))


def _caption(run: Run, means: Means) -> str:
    caption = f"epoch {run.epoch + 1}/{run.epochs}  train loss {means.result()['loss']:.3g}"
    if run.history.validation:
        caption += f"  validation loss {run.history.validation['loss'][-1]:.3g}"
    return caption


def check_parts(
    name: str,
    model: nn.Module,
    loss: Loss,
    optimizer: torch.optim.Optimizer,
    augment: Augmentation | None = None,
) -> None:
    """Refuse what can't be trained, or not with this optimiser, before anything is changed."""
    if not isinstance(model, nn.Module):
        raise TypeError(f"{name}: model expects a torch.nn.Module, got {type(model).__name__}")
    if isinstance(loss, type) or not callable(loss):
        hint = f"; did you mean {loss.__name__}()?" if isinstance(loss, type) else ""
        raise TypeError(f"{name}: loss expects a function loss(output, target), got {loss!r}{hint}")
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise TypeError(f"{name}: optimizer expects an optimiser, got {type(optimizer).__name__}")
    if augment is not None and (isinstance(augment, type) or not callable(augment)):
        raise TypeError(f"{name}: augment expects a function (x, y, generator), got {augment!r}")
    known = {id(p) for p in model.parameters()}
    if isinstance(loss, nn.Module):
        known |= {id(p) for p in loss.parameters()}
    given = {id(p) for group in optimizer.param_groups for p in group["params"]}
    if not known & given:
        raise ValueError(
            f"{name}: the optimizer holds none of the model's parameters; "
            "was it made for another model, or before the model was replaced?"
        )


def _check(epochs: int, callbacks: Sequence[Callback]) -> None:
    if isinstance(epochs, bool) or not isinstance(epochs, int) or epochs < 1:
        raise ValueError(f"fit: epochs expects an integer >= 1, got {epochs!r}")
    for callback in callbacks:
        if isinstance(callback, type) or not callable(callback):
            raise TypeError(f"fit: callbacks expects things to call, got {callback!r}")


def _check_loss(value: Any, run: Run, number: int, length: int | None, x: Any) -> None:
    if not isinstance(value, Tensor) or value.numel() != 1:
        got = f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
        raise ValueError(
            f"fit: loss expects to return one number, the mean over the batch, got {got}"
        )
    if not value.requires_grad:
        raise ValueError("fit: the loss does not depend on any parameter that requires a gradient")
    if math.isfinite(value.item()):
        return
    of = "" if length is None else f" of {length}"
    raise NonFiniteLossError(
        f"fit: the loss is {value.item()} in epoch {run.epoch + 1} of {run.epochs}, "
        f"batch {number}{of}; {_culprit(run.model, x)}. This step was not taken."
    )


def _check_parameters(run: Run) -> None:
    """A last step may spoil the parameters without any loss to tell of it."""
    name = _spoiled(run.model)
    if name is not None:
        raise NonFiniteLossError(
            f"fit: parameter {name!r} is not finite after epoch {run.epoch + 1} of {run.epochs}; "
            "the steps were too long: try a lower learning rate"
        )


def _culprit(model: nn.Module, x: Any) -> str:
    if isinstance(x, Tensor) and not torch.isfinite(x).all():
        return "the inputs of this batch are not finite"
    name = _spoiled(model)
    if name is not None:
        return f"parameter {name!r} is no longer finite: try a lower learning rate"
    return "inputs and parameters are still finite: look at the loss, or try a lower learning rate"


def _spoiled(model: nn.Module) -> str | None:
    for name, parameter in model.named_parameters():
        if not torch.isfinite(parameter).all():
            return name
    return None


def unseeded() -> torch.Generator:
    """A generator for the order of examples that follows PyTorch's global seed."""
    return torch.Generator().manual_seed(int(torch.randint(2**62, ())))


def move(
    model: nn.Module, loss: Loss, optimizer: torch.optim.Optimizer, where: torch.device
) -> None:
    """Bring model, loss and the optimiser's memory to the device."""
    moves = any(parameter.device.type != where.type for parameter in model.parameters())
    model.to(where)
    if isinstance(loss, nn.Module):
        loss.to(where)
    if moves and optimizer.state:
        optimizer.load_state_dict(optimizer.state_dict())  # casts to where the parameters are


def _schedule(scheduler: Any, value: float) -> None:
    if isinstance(scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau):
        scheduler.step(value)
    elif scheduler is not None:
        scheduler.step()


def _call(callbacks: Sequence[Callback], method: str, run: Run) -> None:
    for callback in callbacks:
        function: Callable[[Run], object] | None = getattr(callback, method, None)
        if function is not None:
            function(run)


class _Record:
    """The run's checkpoint: written after every epoch, read at the start if it is there."""

    def __init__(
        self,
        path: Path,
        run: Run,
        loss: Loss,
        settings: dict[str, Any],
        callbacks: Sequence[Callback],
        generators: list[torch.Generator],
    ) -> None:
        self.path = path
        self.run = run
        self.loss = loss if isinstance(loss, nn.Module) else None
        self.settings = settings
        self.callbacks = [c for c in callbacks if hasattr(c, "state_dict")]
        self.generators = generators
        self._random: dict[str, Any] | None = None

    def write(self) -> None:
        """Write the run as it is now."""
        run = self.run
        contents = checkpoints.capture(run.model, run.optimizer, run.scheduler)
        if self.loss is not None:
            contents["loss"] = checkpoints.capture(self.loss)
        contents |= {
            "kind": "fit",
            "settings": self.settings,
            "epoch": run.epoch,
            "history": run.history.to_dict(),
            "callbacks": [
                {"kind": type(c).__name__, "state": c.state_dict()} for c in self.callbacks
            ],
            "random": checkpoints.random_state(self.generators),
        }
        checkpoints.save(self.path, contents)

    def read(self) -> None:
        """Take the run up where the file left it; if anything does not fit, change nothing."""
        run = self.run
        try:
            contents = checkpoints.load(self.path)
            self._check(contents)
            if self.loss is not None:
                checkpoints.check(contents["loss"], self.loss)
            checkpoints.restore(contents, run.model, run.optimizer, run.scheduler)
        except CheckpointError as error:
            raise _at(self.path, error) from error
        if self.loss is not None:
            checkpoints.restore(contents["loss"], self.loss)
        for callback, saved in zip(self.callbacks, contents["callbacks"], strict=True):
            callback.load_state_dict(saved["state"])  # type: ignore[attr-defined]
        run.epoch = contents["epoch"]
        run.history.__dict__.update(History.from_dict(contents["history"]).__dict__)
        self._random = contents["random"]

    def after_move(self) -> None:
        """Restore the random numbers last, when nothing else draws any before training does."""
        if self._random is not None:
            checkpoints.set_random_state(self._random, self.generators)

    def _check(self, contents: Mapping[str, Any]) -> None:
        checkpoints.check_origin(contents, "fit", self.settings)
        if contents["epoch"] > self.run.epochs:
            raise CheckpointError(
                f"the checkpoint is at epoch {contents['epoch']}, "
                f"this run wants {self.run.epochs} in all"
            )
        kinds = [type(callback).__name__ for callback in self.callbacks]
        if [saved["kind"] for saved in contents["callbacks"]] != kinds:
            raise CheckpointError(
                f"the checkpoint's run has callbacks {[s['kind'] for s in contents['callbacks']]}, "
                f"this one {kinds}"
            )
        if ("loss" in contents) != (self.loss is not None):
            raise CheckpointError("the checkpoint's loss is of another kind than this run's")
        if ("scheduler" in contents) != (self.run.scheduler is not None):
            raise CheckpointError(
                "the checkpoint's run has a scheduler, this one has none"
                if "scheduler" in contents
                else "this run has a scheduler, the checkpoint's has none"
            )
        if len(contents["random"]["generators"]) != len(self.generators):
            raise CheckpointError("the checkpoint's run shuffled its examples in another way")


def _at(path: Path, error: CheckpointError) -> CheckpointError:
    message = str(error)
    return CheckpointError(message if message.startswith(str(path)) else f"{path}: {message}")

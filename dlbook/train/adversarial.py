r"""The loop for two players: the discriminator's steps, the generator's, and what came of them.

Neither loss says whether the samples are good: each is measured against an opponent that changes,
too. So the run keeps samples of one and the same noise on a schedule, and the mean scores of data
and of samples at every step.

Chapter: :doc:`/generative/gans`.
"""

import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dlbook.models.gan import Game
from dlbook.train import checkpoints
from dlbook.train.checkpoints import CheckpointError
from dlbook.train.devices import device as choose_device
from dlbook.train.loop import NonFiniteLossError, unseeded
from dlbook.train.progress import Progress
from dlbook.train.seeds import branch, seed_everything

__all__ = ["AdversarialHistory", "AdversarialRun", "fit_adversarial"]

PLAYERS = ("discriminator", "generator")
Penalty = Callable[..., Tensor]


@dataclass
class AdversarialHistory:
    """What two players have measured: one entry in every list for each step of the generator.

    Two histories are equal if everything but the seconds and the samples is.

    Args:
        discriminator: its loss, penalty included, at its last step before the generator's.
        generator: its loss, all terms included.
        real: the mean score of data, where the discriminator's loss was measured.
        fake: the mean score of samples, there.
        penalty: the discriminator's penalty; empty without one.
        sample_steps: after how many steps samples were kept.
        samples: what was kept, each of the same noise and conditions, on the CPU.
        seconds: how long each step took.
        stopped: why training ended before its last step; None if it did not.

    Example:
        >>> history = AdversarialHistory([1.4, 1.3], [0.7, 0.8], [0.0, 0.1], [0.0, -0.2])
        >>> len(history), history.to_dict()["real"]
        (2, [0.0, 0.1])
    """

    discriminator: list[float] = field(default_factory=list)
    generator: list[float] = field(default_factory=list)
    real: list[float] = field(default_factory=list)
    fake: list[float] = field(default_factory=list)
    penalty: list[float] = field(default_factory=list)
    sample_steps: list[int] = field(default_factory=list)
    samples: list[Tensor] = field(default_factory=list, compare=False, repr=False)
    seconds: list[float] = field(default_factory=list, compare=False, repr=False)
    stopped: str | None = None

    def __len__(self) -> int:
        return len(self.generator)

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain dictionaries, lists, numbers and tensors, fit for a checkpoint."""
        return {
            name: list(value) if isinstance(value, list) else value
            for name, value in self.__dict__.items()
        }

    @classmethod
    def from_dict(cls, contents: Mapping[str, Any]) -> "AdversarialHistory":
        """Return the history that :meth:`to_dict` wrote down.

        Args:
            contents: what ``to_dict`` returned.
        """
        return cls(**cls(**contents).to_dict())  # its own lists, not the caller's


@dataclass
class AdversarialRun:
    """Who plays, and how far the game has come; callbacks are given it.

    Args:
        generator: the one player, on ``device``.
        discriminator: the other.
        device: where the run computes.
        steps: how many steps of the generator are wanted.
        history: what has been measured so far.
        step: how many have been taken.
    """

    generator: nn.Module
    discriminator: nn.Module
    device: torch.device
    steps: int
    history: AdversarialHistory
    step: int = 0

    def stop(self, reason: str) -> None:
        """End the run after this step.

        Args:
            reason: why; kept in ``history.stopped``.
        """
        self.history.stopped = reason


def fit_adversarial(
    generator: nn.Module,
    discriminator: nn.Module,
    game: Game,
    optimizers: tuple[torch.optim.Optimizer, torch.optim.Optimizer],
    data: Tensor | tuple[Tensor, Tensor],
    *,
    latent: int | None,
    steps: int,
    batch_size: int = 64,
    discriminator_steps: int = 1,
    penalty: Penalty | None = None,
    penalty_weight: float = 10.0,
    reconstruction: Callable[[Tensor, Tensor], Tensor] | None = None,
    reconstruction_weight: float = 100.0,
    schedulers: Sequence[Any] = (),
    samples: int = 64,
    sample_every: int | None = None,
    conditions: Tensor | None = None,
    device: torch.device | str | None = None,
    seed: int | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    checkpoint_every: int | None = None,
    callbacks: Sequence[Callable[[AdversarialRun], object]] = (),
    progress: bool | None = None,
) -> AdversarialHistory:
    r"""Train two networks against each other, and return what was measured on the way.

    In every step the discriminator moves ``discriminator_steps`` times, each time on new examples
    and new samples, and then the generator once, on new samples:

    .. math:: \ell_D\bigl(D(x), D(G(z))\bigr) + \lambda R(D, x, G(z)), \qquad
        \ell_G\bigl(D(G(z))\bigr) + \mu\, L\bigl(G(z), x\bigr).

    With pairs (x, y) as data both players are given y, too: :math:`G(z, y)` and :math:`D(x, y)`;
    without noise, ``latent=None``, :math:`G(y)`, from image to image.

    Args:
        generator: called with z (batch_size, latent), or (z, y), or y.
        discriminator: called with examples, or (examples, y); returns scores.
        game: the two losses, such as ``GAMES["non-saturating"]``.
        optimizers: the generator's and the discriminator's.
        data: examples x (N, …), or a pair (x, y) of as many rows, on any device. Each batch is
            drawn from them evenly, anew, with replacement.
        latent: numbers in z, from a standard normal distribution; None for no noise.
        steps: how many steps of the generator there shall be in all, at least 1; those in a
            checkpoint count.
        batch_size: examples a step, at least 1.
        discriminator_steps: at least 1.
        penalty: :math:`R`, called with the discriminator, data, samples, and y if there is one; see
            :func:`dlbook.models.gradient_penalty`.
        penalty_weight: :math:`\lambda`.
        reconstruction: :math:`L`, called with samples and the data that belong to the same y, such
            as :func:`dlbook.ops.l1_loss`; for data of pairs.
        reconstruction_weight: :math:`\mu`.
        schedulers: stepped after every step of the generator.
        samples: how many samples to keep each time, in evaluation mode, of one noise.
        sample_every: after how many steps to keep samples, beside those before the first step and
            after the last; None for these two alone.
        conditions: the y of the samples that are kept, ``samples`` rows; None for the first ones of
            the data.
        device: see :func:`dlbook.device`.
        seed: seeds everything first, see :func:`dlbook.seed_everything`.
        checkpoint: a file. The run is written there at its start, on schedule and at its end;
            **if the file exists, the run goes on from it**, and ends with the very same numbers as
            one that was not interrupted (on CUDA, if the operations used are deterministic).
        checkpoint_every: after how many steps it is written; None for ``sample_every``.
        callbacks: called with the :class:`AdversarialRun` after every step.
        progress: show a bar; None means where somebody watches.

    Returns:
        The history; with a checkpoint, of all steps, earlier ones too.

    Raises:
        TypeError, ValueError: for arguments that can't be used, before anything is changed.
        CheckpointError: if the checkpoint is damaged or belongs to another run, before anything is
            changed.
        NonFiniteLossError: if a player's loss, or a parameter after its last step, is infinite or
            not a number: the message names the player and the step, and the step is not taken.

    Example:
        >>> from dlbook.data import mixtures
        >>> from dlbook.models import GAMES, MLP
        >>> x, _ = mixtures.ring(1000, torch.Generator().manual_seed(0))
        >>> players = MLP((2, 16, 2)), MLP((2, 16, 1))
        >>> optimizers = tuple(torch.optim.Adam(p.parameters()) for p in players)
        >>> history = fit_adversarial(*players, GAMES["non-saturating"], optimizers, x, latent=2,
        ...                           steps=10, samples=5, sample_every=5, seed=0, device="cpu")
        >>> len(history), history.sample_steps, history.samples[0].shape
        (10, [0, 5, 10], torch.Size([5, 2]))
    """
    x, y = _pair(data)
    _check(generator, discriminator, game, optimizers, x, y, latent, conditions, samples)
    for name, value in (
        ("steps", steps),
        ("batch_size", batch_size),
        ("discriminator_steps", discriminator_steps),
        ("samples", samples),
        ("sample_every", 1 if sample_every is None else sample_every),
        ("checkpoint_every", 1 if checkpoint_every is None else checkpoint_every),
    ):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"fit_adversarial: {name} expects an integer >= 1, got {value!r}")
    if reconstruction is not None and y is None:
        raise ValueError("fit_adversarial: reconstruction expects data of pairs (x, y)")
    where = choose_device(device)
    source = seed_everything(seed) if seed is not None else unseeded()
    run = AdversarialRun(generator, discriminator, where, steps, AdversarialHistory())
    settings = {
        "seed": seed,
        "batch_size": batch_size,
        "latent": latent,
        "examples": len(x),
        "discriminator_steps": discriminator_steps,
        "penalty_weight": None if penalty is None else penalty_weight,
        "reconstruction_weight": None if reconstruction is None else reconstruction_weight,
        "samples": samples,
        "sample_every": sample_every,
    }
    record = None
    if checkpoint is not None:
        record = _Record(Path(checkpoint), run, optimizers, schedulers, settings, source)
        if record.path.exists():
            record.read()
    for player, optimizer in zip((generator, discriminator), optimizers, strict=True):
        player.to(where)
        if optimizer.state:
            optimizer.load_state_dict(optimizer.state_dict())  # to where the parameters are
    x, y = x.to(where), None if y is None else y.to(where)
    shown = y[:samples] if conditions is None and y is not None else conditions
    shown = None if shown is None else shown.to(where)
    # The noise of the samples that are kept, the same throughout, and after an interruption.
    noise = None if latent is None else _noise(samples, latent, x.dtype, branch(source))
    if record is not None:
        noise = record.after_move(noise)
    noise = None if noise is None else noise.to(where)

    def draw() -> tuple[Tensor, tuple[Tensor, ...], tuple[Tensor, ...]]:
        """Examples, the condition beside them if there is one, and what the generator is given."""
        rows = torch.randint(len(x), (batch_size,), generator=source).to(where)
        beside = () if y is None else (y.index_select(0, rows),)
        z = () if latent is None else (_noise(batch_size, latent, x.dtype, source).to(where),)
        return x.index_select(0, rows), beside, (*z, *beside)

    def keep() -> None:
        given = tuple(part for part in (noise, shown) if part is not None)
        modes = [(module, module.training) for module in generator.modules()]
        generator.eval()
        try:
            with torch.no_grad():
                made = generator(*given).detach().to("cpu", copy=True)
        finally:
            for module, mode in modes:
                module.training = mode
        run.history.samples.append(made)
        run.history.sample_steps.append(run.step)

    def check(player: str, value: Tensor) -> None:
        if not isinstance(value, Tensor) or value.numel() != 1:
            raise ValueError(f"fit_adversarial: the {player}'s loss expects to return one number")
        if not math.isfinite(value.item()):
            raise NonFiniteLossError(
                f"fit_adversarial: the {player}'s loss is {value.item()} at step {run.step + 1} "
                f"of {steps}; {_culprit(run)}. This step was not taken."
            )

    def discriminate() -> dict[str, Tensor]:
        real, beside, given = draw()
        with torch.no_grad():
            fake = generator(*given)
        if fake.shape != real.shape:
            raise ValueError(
                f"fit_adversarial: expected samples of the data's shape {tuple(real.shape)}, got "
                f"{tuple(fake.shape)}"
            )
        scores = discriminator(real, *beside), discriminator(fake, *beside)
        loss = game.discriminator(*scores)
        found = {"real": scores[0].detach().mean(), "fake": scores[1].detach().mean()}
        if penalty is not None:
            found["penalty"] = penalty(discriminator, real, fake, *beside)
            loss = loss + penalty_weight * found["penalty"]
        check("discriminator", loss)
        optimizers[1].zero_grad()
        loss.backward()
        optimizers[1].step()
        return found | {"discriminator": loss}

    def generate() -> dict[str, Tensor]:
        real, beside, given = draw()
        judging = [p for p in discriminator.parameters() if p.requires_grad]
        for parameter in judging:  # it only judges now
            parameter.requires_grad_(False)
        try:
            fake = generator(*given)
            loss = game.generator(discriminator(fake, *beside))
            if reconstruction is not None:
                loss = loss + reconstruction_weight * reconstruction(fake, real)
            check("generator", loss)
            optimizers[0].zero_grad()
            loss.backward()
        finally:
            for parameter in judging:
                parameter.requires_grad_(True)
        optimizers[0].step()
        return {"generator": loss}

    players = (generator, discriminator)
    modes = [(module, module.training) for player in players for module in player.modules()]
    every = sample_every if checkpoint_every is None else checkpoint_every
    try:
        if run.step == 0 and not run.history.samples:
            keep()
            if record is not None:
                record.write()
        generator.train()
        discriminator.train()
        with Progress(steps, done=run.step, show=progress) as bar:
            while run.step < steps and run.history.stopped is None:
                begun = time.perf_counter()
                for _ in range(discriminator_steps):
                    found = discriminate()
                found |= generate()
                for scheduler in schedulers:
                    scheduler.step()
                run.step += 1
                for name, measured in found.items():
                    getattr(run.history, name).append(measured.item())
                run.history.seconds.append(time.perf_counter() - begun)
                for callback in callbacks:
                    callback(run)
                last = run.step == steps or run.history.stopped is not None
                due = every is not None and run.step % every == 0
                if last or due:
                    _check_parameters(run)
                if last or (sample_every is not None and run.step % sample_every == 0):
                    keep()
                if record is not None and (last or due):
                    record.write()
                bar.advance(f"step {run.step}/{steps}")
    finally:
        for module, mode in modes:
            module.training = mode
    return run.history


def _noise(n: int, latent: int, dtype: torch.dtype, generator: torch.Generator) -> Tensor:
    # On the CPU, so that every device sees the same numbers.
    kind = dtype if dtype.is_floating_point else torch.float32
    return torch.randn(n, latent, generator=generator, dtype=kind)


def _pair(data: Any) -> tuple[Tensor, Tensor | None]:
    if isinstance(data, Tensor):
        return data, None
    if isinstance(data, tuple | list) and len(data) == 2:
        x, y = data
        if isinstance(x, Tensor) and isinstance(y, Tensor):
            return x, y
    raise TypeError(
        "fit_adversarial: data expects a tensor x or a pair of tensors (x, y), got "
        f"{type(data).__name__}"
    )


def _check(
    generator: nn.Module,
    discriminator: nn.Module,
    game: Game,
    optimizers: Any,
    x: Tensor,
    y: Tensor | None,
    latent: int | None,
    conditions: Tensor | None,
    samples: int,
) -> None:
    players = {"generator": generator, "discriminator": discriminator}
    for name, player in players.items():
        if not isinstance(player, nn.Module):
            raise TypeError(
                f"fit_adversarial: {name} expects a torch.nn.Module, got {type(player).__name__}"
            )
    if not isinstance(optimizers, tuple | list) or len(optimizers) != 2:
        raise TypeError("fit_adversarial: optimizers expects the generator's and the other's")
    for (name, player), optimizer in zip(players.items(), optimizers, strict=True):
        own = {id(p) for p in player.parameters()}
        if not own & {id(p) for group in optimizer.param_groups for p in group["params"]}:
            raise ValueError(
                f"fit_adversarial: the {name}'s optimizer holds none of its parameters; "
                "the generator's comes first"
            )
    if x.dim() == 0 or not len(x) or (y is not None and (y.dim() == 0 or len(y) != len(x))):
        got = tuple(x.shape) if y is None else (tuple(x.shape), tuple(y.shape))
        raise ValueError(f"fit_adversarial: data expects rows, as many in x as in y, got {got}")
    if latent is None and y is None:
        raise ValueError("fit_adversarial: without noise, data expects pairs (x, y)")
    if latent is not None and latent < 1:
        raise ValueError(f"fit_adversarial: latent expects an integer >= 1 or None, got {latent}")
    if conditions is not None and y is None:
        raise ValueError("fit_adversarial: conditions expects data of pairs (x, y)")
    rows = None if y is None else len(y if conditions is None else conditions)
    if rows is not None and (rows < samples if conditions is None else rows != samples):
        raise ValueError(
            f"fit_adversarial: expected conditions for {samples} samples, got {rows} rows"
        )


def _spoiled(run: AdversarialRun) -> str | None:
    for player in PLAYERS:
        for name, parameter in getattr(run, player).named_parameters():
            if not torch.isfinite(parameter).all():
                return f"the {player}'s parameter {name!r} is not finite"
    return None


def _culprit(run: AdversarialRun) -> str:
    found = _spoiled(run)
    if found is None:
        return "all parameters are still finite: look at the loss and the data"
    return f"{found}: try a lower learning rate"


def _check_parameters(run: AdversarialRun) -> None:
    """A last step may spoil the parameters without any loss to tell of it."""
    found = _spoiled(run)
    if found is not None:
        raise NonFiniteLossError(
            f"fit_adversarial: {found} after step {run.step} of {run.steps}; the steps were too "
            "long: try a lower learning rate"
        )


class _Record:
    """The run's checkpoint: both players with their optimisers, history and random numbers."""

    def __init__(
        self,
        path: Path,
        run: AdversarialRun,
        optimizers: Sequence[torch.optim.Optimizer],
        schedulers: Sequence[Any],
        settings: dict[str, Any],
        generator: torch.Generator,
    ) -> None:
        self.path = path
        self.run = run
        self.optimizers = optimizers
        self.schedulers = schedulers
        self.settings = settings
        self.source = generator
        self.noise: Tensor | None = None
        self._random: dict[str, Any] | None = None

    def write(self) -> None:
        run = self.run
        checkpoints.save(
            self.path,
            {
                "kind": "fit_adversarial",
                "settings": self.settings,
                "step": run.step,
                "history": run.history.to_dict(),
                "generator": checkpoints.capture(run.generator, self.optimizers[0]),
                "discriminator": checkpoints.capture(run.discriminator, self.optimizers[1]),
                "schedulers": [scheduler.state_dict() for scheduler in self.schedulers],
                "noise": self.noise,
                "random": checkpoints.random_state([self.source]),
            },
        )

    def read(self) -> None:
        """Take the run up where the file left it; if anything does not fit, change nothing."""
        run = self.run
        players = (
            ("generator", run.generator, self.optimizers[0]),
            ("discriminator", run.discriminator, self.optimizers[1]),
        )
        contents = checkpoints.load(self.path)
        try:
            self._check(contents)
            for name, player, optimizer in players:
                checkpoints.check(contents[name], player, optimizer)
        except CheckpointError as error:
            raise CheckpointError(f"{self.path}: {error}") from error
        for name, player, optimizer in players:
            checkpoints.restore(contents[name], player, optimizer)
        for scheduler, state in zip(self.schedulers, contents["schedulers"], strict=True):
            scheduler.load_state_dict(state)
        run.step = contents["step"]
        run.history = AdversarialHistory.from_dict(contents["history"])
        self.noise = contents["noise"]
        self._random = contents["random"]

    def after_move(self, noise: Tensor | None) -> Tensor | None:
        """Restore the random numbers last, when nothing else draws any before training does.

        Returns the noise of the samples that are kept: the file's, or that of a new run.
        """
        if self._random is None:
            self.noise = noise
        else:
            checkpoints.set_random_state(self._random, [self.source])
        return self.noise

    def _check(self, contents: Mapping[str, Any]) -> None:
        checkpoints.check_origin(contents, "fit_adversarial", self.settings)
        if contents["step"] > self.run.steps:
            raise CheckpointError(
                f"the checkpoint is at step {contents['step']}, this run wants {self.run.steps} "
                "in all"
            )
        if len(contents["schedulers"]) != len(self.schedulers):
            raise CheckpointError(
                f"the checkpoint's run has {len(contents['schedulers'])} schedulers, this one "
                f"{len(self.schedulers)}"
            )

"""dlbook.train.search: spaces, the three searches, and studies that go on where they were."""

import itertools
import math
import os
import subprocess
import sys
import textwrap
from collections import Counter

import numpy as np
import pytest
import torch
from torch import nn

from dlbook.optim import SGD
from dlbook.train import CheckpointError, NonFiniteLossError, checkpoints, fit, search
from dlbook.train.search import Choice, Integer, LogUniform, Uniform

wrong_types = pytest.mark.untyped  # annotations would refuse them first


@pytest.fixture(autouse=True)
def _settings(monkeypatch):
    monkeypatch.setenv("DLBOOK_PROGRESS", "0")
    monkeypatch.setenv("DLBOOK_DEVICE", "cpu")


def draws(dimension, n=4000):
    generator = np.random.default_rng(0)
    return [dimension.sample(generator) for _ in range(n)]


class TestSpaces:
    def test_uniform(self):
        values = draws(Uniform(-1.0, 3.0))
        assert -1 <= min(values) < -0.99 < 2.99 < max(values) <= 3
        assert np.mean(values) == pytest.approx(1, abs=0.05)
        assert Uniform(-1.0, 3.0).points(5) == [-1, 0, 1, 2, 3]
        assert Uniform(-1.0, 3.0).points(1) == [1]

    def test_log_uniform(self):
        values = np.log10(draws(LogUniform(1e-4, 1.0)))
        shares = np.histogram(values, 4, (-4, 0))[0] / 4000
        assert shares == pytest.approx([0.25] * 4, abs=0.02)
        assert LogUniform(1e-4, 1.0).points(5) == pytest.approx([1e-4, 1e-3, 1e-2, 1e-1, 1])
        assert LogUniform(1e-4, 1.0).points(1) == pytest.approx([1e-2])

    def test_integer(self):
        counts = Counter(draws(Integer(2, 5)))
        assert sorted(counts) == [2, 3, 4, 5]
        assert [counts[k] / 4000 for k in (2, 3, 4, 5)] == pytest.approx([0.25] * 4, abs=0.03)
        counts = Counter(draws(Integer(1, 7, log=True)))
        expected = [math.log((k + 1) / k) / math.log(8) for k in range(1, 8)]
        assert [counts[k] / 4000 for k in range(1, 8)] == pytest.approx(expected, abs=0.03)
        assert Integer(1, 100, log=True).points(3) == [1, 10, 100]
        assert Integer(0, 2).points(10) == [0, 1, 2]

    def test_choice(self):
        counts = Counter(draws(Choice(["a", "b"])))
        assert counts["a"] == pytest.approx(2000, abs=150)
        assert Choice((nn.ReLU, nn.Tanh)).points(1) == [nn.ReLU, nn.Tanh]

    @pytest.mark.parametrize(
        ("make", "message"),
        [
            (lambda: Uniform(1.0, 1.0), "Uniform: expects low < high, got 1.0 and 1.0"),
            (lambda: Uniform(0.0, math.inf), "Uniform: expects"),
            (lambda: LogUniform(0.0, 1.0), "LogUniform: expects 0 < low < high"),
            (lambda: Integer(3, 3), "Integer: expects integers low < high"),
            (lambda: Integer(0, 3, log=True), "low expects at least 1, got 0"),
            (lambda: Choice([]), "Choice: expects a list of options"),
            (lambda: Choice("relu"), "Choice: expects a list of options, got 'relu'"),
        ],
    )
    def test_refuses(self, make, message):
        with pytest.raises(ValueError, match=message):
            make()


SPACE = {"x": Uniform(-1.0, 1.0), "k": Choice(["a", "b"]), "fixed": 7}


def bowl(trial):
    return trial.config["x"] ** 2 + (trial.config["k"] == "b")


class TestSearches:
    def test_grid_is_the_whole_product(self):
        study = search.grid(bowl, SPACE, points={"x": 5}, mode="min")
        configs = [(r.config["x"], r.config["k"]) for r in study.results]
        assert configs == [(x, k) for x in (-1, -0.5, 0, 0.5, 1) for k in "ab"]
        assert all(r.config["fixed"] == 7 for r in study.results)
        assert study.best.config == {"x": 0, "k": "a", "fixed": 7}
        assert (study.best.score, study.best.budget) == (0, None)
        assert search.grid(bowl, SPACE, points=5, mode="max").best.score == 2

    def test_random_settings_follow_from_seed_and_number_alone(self):
        few = search.random(bowl, SPACE, trials=3, mode="min", seed=5)
        torch.rand(3)
        many = search.random(bowl, SPACE, trials=8, mode="max", seed=5)
        other = search.random(bowl, SPACE, trials=3, mode="min", seed=6)
        assert [r.config for r in few.results] == [r.config for r in many.results[:3]]
        assert [r.seed for r in few.results] == [r.seed for r in many.results[:3]]
        assert len({r.seed for r in many.results}) == 8
        assert few.results[0].config != other.results[0].config
        assert few.best.score == min(r.score for r in few.results)
        assert many.best.score == max(r.score for r in many.results)

    def test_every_call_is_seeded_and_nothing_else_disturbed(self):
        torch.manual_seed(3)
        expected = torch.rand(1)
        torch.manual_seed(3)
        drawn = []

        def objective(trial):
            drawn.append(torch.rand(1).item())
            torch.manual_seed(trial.seed)
            assert torch.rand(1).item() == drawn[-1]
            return drawn[-1]

        one, two = (search.random(objective, SPACE, trials=3, mode="min") for _ in range(2))
        assert one == two
        assert len(set(drawn)) == 3
        assert torch.equal(torch.rand(1), expected)

    @pytest.mark.parametrize(
        ("arguments", "rungs"),
        [
            ({"trials": 27}, {1: 27, 3: 9, 9: 3, 27: 1}),
            ({"trials": 9, "eta": 2, "budget": 4}, {4: 9, 8: 4, 16: 2, 32: 1}),
            ({"trials": 10, "rungs": 2}, {1: 10, 3: 3}),
            ({"trials": 2}, {1: 2}),
        ],
    )
    def test_halving_climbs(self, arguments, rungs):
        calls = []

        def objective(trial):
            calls.append((trial.number, trial.budget))
            return trial.config["x"] + 0.5 * (trial.number % 2) / trial.budget

        study = search.halving(objective, {"x": Uniform(0, 1)}, mode="max", **arguments)
        assert Counter(budget for _, budget in calls) == rungs
        budgets = list(rungs)
        for low, high in itertools.pairwise(budgets):
            here = {r.number: r.scores[low] for r in study.results if low in r.scores}
            best = sorted(here, key=lambda n: (-here[n], n))[: rungs[high]]
            assert {r.number for r in study.results if high in r.scores} == set(best)
        assert study.best.budget == budgets[-1]
        top = [r.scores[budgets[-1]] for r in study.results if budgets[-1] in r.scores]
        assert study.best.score == max(top)
        assert study.ranking[0].number == study.best.number

    def test_failures_are_recorded_and_climb_no_further(self):
        def objective(trial):
            if trial.number == 1:
                raise NonFiniteLossError("the loss is nan")
            if trial.number == 2:
                return math.inf
            if trial.number == 3 and trial.budget == 3:
                raise ValueError("later\nand more")
            return float(trial.number)

        study = search.halving(objective, SPACE, trials=9, mode="min")
        errors = {r.number: r.error for r in study.results if r.error}
        assert errors == {
            1: "NonFiniteLossError: the loss is nan",
            2: "the score is inf",
            3: "ValueError: later\nand more",
        }
        assert [r.number for r in study.results if 3 in r.scores] == [0, 4]
        assert study.best.number == 0
        assert [r.number for r in study.ranking][-3:] == [3, 1, 2]
        assert str(study).count("\n") == 9
        assert str(study).splitlines()[-3].endswith("ValueError: later")

    def test_when_all_fail(self):
        study = search.random(lambda t: math.nan, SPACE, trials=2, mode="min")
        with pytest.raises(ValueError, match="no trial has a score; trial 0 ended with the"):
            _ = study.best
        study = search.halving(lambda t: math.nan, SPACE, trials=9, mode="min")
        assert all(not r.scores for r in study.results)

    def test_an_interruption_is_no_failure(self):
        def objective(trial):
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            search.random(objective, SPACE, trials=2, mode="min")

    def test_table(self):
        study = search.halving(lambda t: t.config["x"], SPACE, trials=3, mode="max")
        first = study.table()[0]
        assert first["score"] == first["x"] == first["scores"][1]
        assert list(first["scores"]) == [1, 3]
        assert first["trial"] == study.best.number
        heads = str(study).splitlines()[0].split()
        assert heads == ["trial", "x", "k", "fixed", "score", "at", "1", "score", "at", "3"]

    @pytest.mark.parametrize(
        ("call", "message"),
        [
            (lambda: search.random(bowl, {}, trials=1, mode="min"), "space expects names"),
            (lambda: search.random(bowl, SPACE, trials=0, mode="min"), "trials expects"),
            (lambda: search.grid(bowl, SPACE, points=0, mode="min"), "points of 'x' expects"),
            (lambda: search.grid(bowl, SPACE, points={"z": 1}, mode="min"), r"\['z'\], which"),
            (lambda: search.random(bowl, {"score": 1}, trials=1, mode="min"), "columns of the"),
            (lambda: search.halving(bowl, SPACE, trials=3, eta=1, mode="min"), "eta expects"),
            (lambda: search.halving(bowl, SPACE, trials=3, budget=0, mode="min"), "budget expects"),
            (lambda: search.halving(bowl, SPACE, trials=3, rungs=0, mode="min"), "rungs expects"),
            (lambda: search.grid(bowl, SPACE, mode="min", seed=-1), "seed expects an integer"),
        ],
    )
    def test_refuses(self, call, message):
        with pytest.raises(ValueError, match=f"search: .*{message}"):
            call()

    @wrong_types
    def test_refuses_wrong_types(self):
        with pytest.raises(TypeError, match="objective expects a function of a trial"):
            search.grid(3, SPACE, mode="min")
        with pytest.raises(ValueError, match="mode expects 'min' or 'max', got 'least'"):
            search.grid(bowl, SPACE, mode="least")


def examples(n=60):
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(n, 4, generator=generator)
    return x, x[:, :3].argmax(1)


class Training:
    """An objective that trains, and counts the epochs that it has paid for."""

    def __init__(self, stop_at=None):
        self.epochs = 0
        self.stop_at = stop_at
        self.last = {}

    def __call__(self, trial):
        model = nn.Sequential(nn.Linear(4, trial.config["width"]), nn.Dropout(0.2), nn.ReLU())
        model.append(nn.Linear(trial.config["width"], 3))
        optimizer = SGD(model.parameters(), lr=trial.config["lr"], momentum=0.9)

        def pay(run):
            self.epochs += 1
            if self.epochs == self.stop_at:
                raise KeyboardInterrupt

        history = fit(
            model, nn.CrossEntropyLoss(), optimizer, examples(), examples(), epochs=trial.budget,
            batch_size=16, seed=trial.seed, checkpoint=trial.checkpoint, callbacks=[pay],
        )  # fmt: skip
        self.last[trial.number] = [p.detach().clone() for p in model.parameters()]
        return history.validation["loss"][-1]


TRAINED = {"lr": LogUniform(1e-3, 10.0), "width": Integer(2, 8)}


class TestStudies:
    def halving(self, objective, folder=None, **changes):
        arguments = {"trials": 9, "budget": 1, "mode": "min", "seed": 1, **changes}
        return search.halving(objective, TRAINED, folder=folder, **arguments)

    def test_a_trial_that_climbs_pays_for_the_difference_only(self, tmp_path):
        objective = Training()
        study = self.halving(objective)
        assert objective.epochs == 9 * 1 + 3 * (3 - 1) + 1 * (9 - 3)
        # and ends where it would have ended in one go
        best, alone = study.best, Training()
        trial = search.Trial(best.number, best.config, best.seed, 9, tmp_path / "alone.pt")
        torch.manual_seed(best.seed)
        assert alone(trial) == best.score
        pairs = zip(alone.last[best.number], objective.last[best.number], strict=True)
        assert all(torch.equal(a, b) for a, b in pairs)

    @pytest.mark.parametrize("stop_at", [1, 5, 12, 20, 21])
    def test_stopped_anywhere_it_goes_on_to_the_same_end(self, tmp_path, stop_at):
        whole = self.halving(Training())
        with pytest.raises(KeyboardInterrupt):
            self.halving(Training(stop_at), tmp_path)
        rest = Training()
        resumed = self.halving(rest, tmp_path)
        assert resumed == whole
        # the epoch that was interrupted is paid for twice, nothing else
        assert rest.epochs == 21 - stop_at + 1
        untouched = Training()
        assert self.halving(untouched, tmp_path) == whole
        assert untouched.epochs == 0

    def test_killed_in_the_middle_of_a_trial(self, tmp_path):
        script = """
            import os, sys
            sys.path.insert(0, "tests")
            from test_train_search import TestStudies, Training
            class Killed(Training):
                def __call__(self, trial):
                    if trial.number == 4:
                        self.stop_at = self.epochs + 1
                    return super().__call__(trial)
            Killed.__name__ = "Training"
            try:
                TestStudies().halving(Killed(), sys.argv[1])
            except KeyboardInterrupt:
                os._exit(9)
        """
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(script), str(tmp_path)],
            env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 9, done.stderr
        assert self.halving(Training(), tmp_path) == self.halving(Training())

    def test_random_search_can_be_asked_for_more(self, tmp_path):
        calls = []

        def objective(trial):
            calls.append(trial.number)
            return trial.config["x"]

        few = search.random(objective, SPACE, trials=3, mode="min", folder=tmp_path)
        more = search.random(objective, SPACE, trials=5, mode="min", folder=tmp_path)
        assert calls == [0, 1, 2, 3, 4]
        assert more.results[:3] == few.results
        assert search.random(objective, SPACE, trials=5, mode="min") == more

    def test_failures_are_remembered(self, tmp_path):
        def objective(trial):
            raise ValueError("no")

        first = search.random(objective, SPACE, trials=1, mode="min", folder=tmp_path)
        again = search.random(objective, SPACE, trials=1, mode="min", folder=tmp_path)
        assert again == first
        assert again.results[0].error == "ValueError: no"

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"seed": 2}, "the study has seed = 1, this search 2"),
            ({"budget": 2}, "budget = 1, this search 2"),
            ({"mode": "max"}, "mode = 'min'"),
            ({"trials": 10}, "trials = 9, this search 10"),
            ({"eta": 2}, "eta = 3, this search 2"),
        ],
    )
    def test_another_study_is_refused(self, tmp_path, change, message):
        objective = Training()
        self.halving(objective, tmp_path)
        paid = objective.epochs
        with pytest.raises(CheckpointError, match=message):
            self.halving(objective, tmp_path, **change)
        assert objective.epochs == paid

    def test_another_space_objective_or_method_is_refused(self, tmp_path):
        search.random(bowl, SPACE, trials=1, mode="min", folder=tmp_path)
        other = {**SPACE, "x": Uniform(-2.0, 1.0)}
        with pytest.raises(CheckpointError, match=r"space = .*Uniform\(low=-1.0.*low=-2.0"):
            search.random(bowl, other, trials=1, mode="min", folder=tmp_path)
        with pytest.raises(CheckpointError, match="objective = 'bowl'"):
            search.random(Training(), SPACE, trials=1, mode="min", folder=tmp_path)
        with pytest.raises(CheckpointError, match="method = 'random'"):
            search.grid(bowl, SPACE, mode="min", folder=tmp_path)

    def test_damaged_and_foreign_files_are_refused(self, tmp_path):
        def again():
            return search.random(bowl, SPACE, trials=2, mode="min", folder=tmp_path)

        again()
        file = tmp_path / "study.pt"
        good = file.read_bytes()
        for bad, message in (
            (good[:-5], "cut short"),
            (good[:-1] + bytes([good[-1] ^ 1]), "checksum does not match"),
            (b"{}", "not a checkpoint that dlbook wrote"),
        ):
            file.write_bytes(bad)
            with pytest.raises(CheckpointError, match=message):
                again()
            assert file.read_bytes() == bad
        checkpoints.save(file, {"kind": "fit"})
        with pytest.raises(CheckpointError, match="this checkpoint is no study"):
            again()

    def test_a_damaged_checkpoint_of_a_trial_stops_the_study(self, tmp_path):
        with pytest.raises(KeyboardInterrupt):
            self.halving(Training(stop_at=2), tmp_path)
        (tmp_path / "trial-0001.pt").write_bytes(b"")
        with pytest.raises(CheckpointError, match=r"trial-0001\.pt: the checkpoint is cut"):
            self.halving(Training(), tmp_path)

    def test_folders(self, tmp_path):
        with pytest.raises(NotADirectoryError, match="folder expects a folder"):
            self.halving(Training(), tmp_path / "no" / "such")
        study = search.random(bowl, SPACE, trials=1, mode="min", folder=tmp_path / "new")
        assert study.folder == tmp_path / "new"
        (tmp_path / "new" / "study.pt").unlink()
        (tmp_path / "new" / "trial-0000.pt").touch()
        with pytest.raises(CheckpointError, match=r"no study.pt to say what they belong to"):
            search.random(bowl, SPACE, trials=1, mode="min", folder=tmp_path / "new")

"""dlbook.train.compare: the same seeds for all, and differences seed by seed."""

import math
import statistics

import pytest
import torch

from dlbook.train import Comparison, compare

wrong_types = pytest.mark.untyped  # annotations would refuse them first


def test_each_run_is_seeded_and_nothing_else_is_disturbed():
    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    drawn = []

    def run(seed):
        drawn.append((seed, torch.rand(1).item()))
        return drawn[-1][1]

    result = compare({"a": run, "b": run, "c": lambda seed: seed}, seeds=[3, 1])
    assert torch.equal(torch.rand(1), expected)
    assert result.scores["a"] == result.scores["b"]
    assert result.scores["a"][0] != result.scores["a"][1]
    assert result.scores["c"] == [3.0, 1.0]
    assert result.seeds == [3, 1]


def test_means_ranges_and_paired_differences():
    a, b = [0.9, 0.8, 0.95, 0.7], [0.85, 0.7, 0.97, 0.6]
    result = Comparison({"a": a, "b": b}, [0, 1, 2, 3])
    summary = result.summary("a")
    assert summary.mean == pytest.approx(statistics.mean(a))
    assert (summary.low, summary.high) == (0.7, 0.95)
    assert summary.spread == pytest.approx(statistics.stdev(a))
    difference = result.difference("a", "b")
    values = [0.05, 0.1, -0.02, 0.1]
    assert difference.values == pytest.approx(values)
    assert difference.summary.mean == pytest.approx(statistics.mean(values))
    assert difference.error == pytest.approx(statistics.stdev(values) / 2)
    assert difference.above == 3
    # What seeds do to both alike is no difference: the pairs are told apart more finely.
    assert difference.summary.spread < summary.spread


def test_table_and_print():
    result = compare({"plain": lambda s: s / 10, "mine": lambda s: s / 10 + 1}, seeds=range(3))
    rows = result.table()
    assert [row["setting"] for row in rows] == ["plain", "mine"]
    assert rows[1]["difference"] == pytest.approx(1)
    assert rows[1]["above"] == 3
    assert rows[1]["seed 2"] == pytest.approx(1.2)
    lines = str(result).splitlines()
    assert len(lines) == 3
    assert lines[0].split() == ["mean", "low", "high", "spread", "minus", "plain", "above", "plain"]
    assert lines[2].endswith("3 of 3")
    assert len(str(compare({"alone": lambda s: 1.0})).splitlines()) == 2


def test_a_single_seed_has_no_spread():
    assert math.isnan(compare({"a": lambda s: 1.0}, seeds=[0]).summary("a").spread)


def test_refuses():
    with pytest.raises(ValueError, match="at least one setting and one seed"):
        compare({})
    with pytest.raises(ValueError, match="at least one setting and one seed"):
        compare({"a": float}, seeds=[])
    with pytest.raises(ValueError, match=r"different seeds, got \[1, 1\]"):
        compare({"a": float}, seeds=[1, 1])
    with pytest.raises(ValueError, match="integer from 0 to"):
        compare({"a": float}, seeds=[-1])
    with pytest.raises(KeyError, match="no setting 'b'; there are a"):
        compare({"a": float}).difference("a", "b")


@wrong_types
def test_refuses_what_is_no_number():
    with pytest.raises(TypeError, match="'a' expects to return one number, got NoneType"):
        compare({"a": lambda seed: None})
    with pytest.raises(TypeError, match="'a' expects to return one number, got Tensor"):
        compare({"a": lambda seed: torch.zeros(2)})
    with pytest.raises(TypeError, match="'a' expects a function"):
        compare({"a": 0.9})

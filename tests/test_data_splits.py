"""dlbook.data.splits: every example is in its place once, and the classes have their shares."""

import pytest
import torch

from dlbook.data import Part, digits, k_fold, split


def part(n=60, classes=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    y = torch.arange(n) % classes
    return Part(torch.arange(n)[:, None].float(), y[torch.randperm(n, generator=generator)])


def numbers(p):
    return p.x.flatten().int().tolist()


class TestSplit:
    @pytest.mark.parametrize("stratify", [True, False])
    def test_shares_every_example_once(self, stratify):
        whole = part()
        cut = split(whole, validation=0.25, test=0.1, stratify=stratify, seed=3)
        assert [len(p) for p in cut] == [39, 15, 6]
        assert sorted(i for p in cut for i in numbers(p)) == list(range(60))
        for p in cut:
            assert torch.equal(p.y, whole.y[p.x.flatten().long()])
            assert numbers(p) != sorted(numbers(p))
            if stratify:
                assert set(p.y.bincount(minlength=3).tolist()) == {len(p) // 3}

    def test_the_seed_decides(self):
        a, b, c = (split(part(), seed=s) for s in (0, 0, 1))
        assert numbers(a.train) == numbers(b.train) != numbers(c.train)

    def test_regression_targets_are_cut_as_they_come(self):
        whole = Part(torch.arange(10.0)[:, None], torch.rand(10))
        assert [len(p) for p in split(whole, stratify=False)] == [6, 2, 2]
        with pytest.raises(ValueError, match="stratify=False cuts them as they come"):
            split(whole)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"validation": 0.0}, "validation expects a share between 0 and 1"),
            ({"test": 1.0}, "test expects a share between 0 and 1"),
            ({"validation": 0.5, "test": 0.5}, "leave something to train on"),
            ({"validation": 0.01}, "at least 3 examples in every part"),
            ({"validation": 0.001, "stratify": False}, "at least 1 examples in every part"),
        ],
    )
    def test_refuses(self, arguments, message):
        with pytest.raises(ValueError, match=f"split: .*{message}"):
            split(part(), **arguments)

    def test_refuses_rare_classes(self):
        with pytest.raises(ValueError, match="at least 3 examples of every class, got 1 of"):
            split(Part(torch.zeros(9, 1), torch.tensor([0] * 8 + [7])))


class TestKFold:
    @pytest.mark.parametrize("stratify", [True, False])
    @pytest.mark.parametrize("k", [2, 5, 7])
    def test_each_is_validated_on_once_and_never_learned_from_then(self, k, stratify):
        whole = part()
        pairs = list(k_fold(whole, k, stratify=stratify))
        assert len(pairs) == k
        validated = [numbers(v) for _, v in pairs]
        assert sorted(i for fold in validated for i in fold) == list(range(60))
        sizes = [len(v) for v in validated]
        assert max(sizes) - min(sizes) <= (3 if stratify else 1)
        for train, validation in pairs:
            assert isinstance(train, Part)
            assert sorted(numbers(train) + numbers(validation)) == list(range(60))
            assert torch.equal(validation.y, whole.y[validation.x.flatten().long()])

    def test_folds_of_the_digits_have_the_classes_shares(self):
        data = digits.load().train
        for _, validation in k_fold(data, 4):
            counts = validation.y.bincount(minlength=10)
            assert (counts - data.y.bincount() / 4).abs().max() < 1

    def test_the_seed_decides(self):
        a, b, c = (numbers(next(k_fold(part(), seed=s))[1]) for s in (0, 0, 1))
        assert a == b != c

    @pytest.mark.parametrize("k", [1, 0, 61])
    def test_refuses_at_the_call(self, k):
        with pytest.raises(ValueError, match=f"from 2 to the number of examples, 60, got {k}"):
            k_fold(part(), k)

    def test_refuses_targets_that_are_no_classes(self):
        whole = Part(torch.zeros(6, 1), torch.zeros(6, 2))
        with pytest.raises(ValueError, match=r"classes, \(N,\) of integers, got torch.float32"):
            k_fold(whole, 2)
        assert len(list(k_fold(whole, 2, stratify=False))) == 2
        with pytest.raises(ValueError, match="at least 4 examples of every class, got 2 of"):
            k_fold(part(6), 4)


def test_take_follows_the_rows():
    rows = torch.tensor([5, 0, 5])
    assert numbers(part().take(rows)) == [5, 0, 5]

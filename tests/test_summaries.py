"""Tables of layers: shapes, parameters, multiply-adds and receptive fields, against the truth."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import dlbook.nn
from dlbook.models import MLP, summary


class Residual(nn.Module):
    def __init__(self, *inner: nn.Module) -> None:
        super().__init__()
        self.inner = nn.Sequential(*inner)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.inner(x)


class Beside(nn.Module):
    def __init__(self, *paths: nn.Module) -> None:
        super().__init__()
        self.paths = nn.ModuleList(paths)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([path(x) for path in self.paths], 1)


def sensitive(model: nn.Module, size: tuple[int, ...], unit: tuple[int, ...]) -> list[list[int]]:
    """The pixels on which one unit of the output depends, along every axis, by derivatives."""
    x = torch.rand(1, *size, dtype=torch.float64, requires_grad=True)
    y = model.double()(x)
    y[(0, slice(None), *unit)].sum().backward()
    assert x.grad is not None
    return [sorted(set(axis.tolist())) for axis in x.grad[0].nonzero().T[1:]]


def positive(model: nn.Module) -> nn.Module:
    """With positive weights and averages in place of maxima nothing cancels."""
    for p in model.parameters():
        nn.init.uniform_(p, 0.1, 1.0)
    return model


NETS: dict[str, tuple[Any, tuple[int, ...]]] = {
    "stride and padding": (
        lambda: [nn.Conv2d(1, 2, 3, stride=2, padding=1), nn.Conv2d(2, 2, (5, 3), padding=(2, 1))],
        (1, 33, 27),
    ),
    "dilated": (lambda: [nn.Conv1d(1, 1, 3, dilation=d) for d in (1, 2)], (1, 40)),
    "pooled": (
        lambda: [nn.Conv2d(1, 2, 5), nn.AvgPool2d(2), nn.Conv2d(2, 2, 3), nn.AvgPool2d(3, 2, 1)],
        (1, 40, 40),
    ),
    "same": (
        lambda: [nn.AvgPool2d(2), nn.Conv2d(1, 1, 5, padding="same", dilation=2)],
        (1, 40, 40),
    ),
    "residual": (
        lambda: [nn.AvgPool2d(2), Residual(nn.Conv2d(1, 1, 3, padding=1)), nn.Conv2d(1, 1, 3)],
        (1, 40, 40),
    ),
    "branches": (
        lambda: [
            Beside(nn.Conv2d(1, 1, 1), nn.Conv2d(1, 2, 5, padding=2), nn.AvgPool2d(3, 1, 1)),
            nn.Conv2d(4, 1, 3, stride=2),
        ],
        (1, 30, 30),
    ),
}


@pytest.mark.parametrize("name", NETS)
def test_receptive_fields_are_what_derivatives_reach(name: str) -> None:
    layers, size = NETS[name]
    model = positive(nn.Sequential(*layers()))
    row = summary(model, size)[-1]
    assert row.receptive_field
    assert row.jump
    assert row.start
    unit = tuple(n // 2 for n in row.output_shape[1:])  # in the middle, away from the padding
    reached = sensitive(model, size, unit)
    for seen, field, jump, start, place in zip(
        reached, row.receptive_field, row.jump, row.start, unit
    ):
        first = start + place * jump
        assert (seen[0], seen[-1]) == (first, first + field - 1)


def test_after_flattening_a_unit_sees_all() -> None:
    model = nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(2 * 5 * 5, 4), nn.Linear(4, 3)
    )
    rows = summary(model, (1, 12, 12))
    assert [row.receptive_field for row in rows] == [(3, 3), (4, 4), (4, 4), (12, 12), (12, 12)]


@pytest.mark.parametrize("output_size", [1, 2, 3, 5])
def test_adaptive_pooling_sees_as_far_as_its_widest_window(output_size: int) -> None:
    model = nn.Sequential(nn.AvgPool2d(2), nn.AdaptiveAvgPool2d(output_size)).double()
    row = summary(model, (1, 28, 28))[-1]
    widest = max(len(sensitive(model, (1, 28, 28), (i, i))[0]) for i in range(output_size))
    assert row.receptive_field == (widest, widest)


def test_transposed_convolutions_see_less_and_jump_by_fractions() -> None:
    model = positive(nn.Sequential(nn.ConvTranspose1d(1, 1, 5, stride=2, padding=1)))
    (row,) = summary(model, (1, 12))
    assert row.receptive_field
    assert row.jump == (0.5,)
    widest = max(len(sensitive(model, (1, 12), (i,))[0]) for i in range(row.output_shape[1]))
    assert row.receptive_field == (widest,)
    assert row.multiply_adds == 12 * 5, "every input meets every weight"


def test_what_is_not_known_is_not_guessed() -> None:
    class Halves(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.nn.functional.avg_pool2d(x, 2)

    rows = summary(nn.Sequential(nn.Conv2d(1, 1, 3), Halves(), nn.Conv2d(1, 1, 3)), (1, 12, 12))
    assert [row.receptive_field for row in rows] == [(3, 3), None, None]
    recurrent = summary(nn.Sequential(nn.LSTM(4, 5, batch_first=True)), (7, 4))
    assert recurrent[0].multiply_adds is None
    assert recurrent.unknown == ("0",)
    assert "at least 0" in str(recurrent)


def test_multiply_adds_are_those_of_plain_loops() -> None:
    model = nn.Sequential(
        nn.Conv2d(4, 6, 3, stride=2, groups=2), nn.BatchNorm2d(6), nn.ReLU(), nn.Flatten()
    )
    conv = summary(model, (4, 11, 11))[0]
    assert conv.output_shape == (6, 5, 5)
    # each of 6 × 5 × 5 outputs sums 3 × 3 pixels of 2 channels
    assert conv.multiply_adds == 6 * 5 * 5 * 3 * 3 * 2
    assert summary(model, (4, 11, 11)).multiply_adds == conv.multiply_adds
    assert summary(nn.Linear(7, 5), (3, 7)).multiply_adds == 3 * 7 * 5
    words = summary(nn.Sequential(nn.Embedding(9, 4), nn.Linear(4, 2)), (6,), dtype=torch.long)
    assert words.multiply_adds == 6 * 4 * 2


def test_this_books_layers_and_pytorchs_give_the_same_table() -> None:
    sizes = (64, 32, 10)
    ours = MLP(sizes, norm_layer=dlbook.nn.BatchNorm1d, dropout=0.5)
    theirs = nn.Sequential(
        nn.Linear(64, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(), nn.Linear(32, 10)
    )
    assert list(summary(ours, (64,))) == list(summary(theirs, (64,)))
    assert "receptive" not in str(summary(ours, (64,)))


def test_the_model_stays_as_it_was() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Dropout())
    before = {name: value.clone() for name, value in model.state_dict().items()}
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    summary(model, (1, 8, 8))
    assert torch.equal(torch.rand(3), expected)
    assert model.training
    assert model[1].training
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def test_a_model_that_asks_for_numbers_gets_some() -> None:
    class Asks(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.BatchNorm1d(3)

        def forward(self, x: Tensor) -> Tensor:
            return self.norm(x) if float(x.sum()) == 0 else x

    model = Asks()
    assert [row.name for row in summary(model, (3,))] == ["norm"]
    assert int(model.norm.num_batches_tracked) == 0
    with pytest.raises(RuntimeError, match="meta"):
        summary(model.to("meta"), (3,))


def test_blocks_add_up() -> None:
    model = nn.Sequential(
        nn.Conv2d(1, 2, 3, padding=1), Residual(nn.Conv2d(2, 2, 3, padding=1), nn.ReLU())
    )
    opened, closed, one = (summary(model, (1, 8, 8), depth=d) for d in (None, 1, 0))
    assert [row.name for row in opened] == ["0", "1.inner.0", "1.inner.1"]
    assert [(row.name, row.kind) for row in closed] == [("0", "Conv2d"), ("1", "Residual")]
    assert [row.name for row in one] == [""]
    for table in (opened, closed, one):
        assert table.parameters == sum(row.parameters for row in table)
        assert table.multiply_adds == sum(row.multiply_adds for row in table)
        assert table[-1].receptive_field == (5, 5)


def test_parameters_count_once_and_all() -> None:
    shared = nn.Linear(3, 3)
    model = nn.Sequential(shared, nn.ReLU(), shared)
    rows = summary(model, (3,))
    assert [row.parameters for row in rows] == [12, 0, 0]
    assert [row.multiply_adds for row in rows] == [9, 0, 9]
    tied = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    tied[1].weight = tied[0].weight
    assert summary(tied, (3,)).parameters == 9 + 3 + 3

    class Spare(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.spare = nn.Linear(3, 2), nn.Linear(3, 5)
            self.used.bias.requires_grad_(False)

        def forward(self, x: Tensor) -> Tensor:
            return self.used(x)

    table = summary(Spare(), (3,))
    assert (len(table), table.parameters, table.trainable) == (1, 28, 26)
    assert "26 of the parameters are trained" in str(table)
    assert "20 of the parameters are in no layer that was called" in str(table)


def test_rows_are_found_by_name() -> None:
    table = summary(nn.Sequential(nn.Linear(3, 2), nn.ReLU()), (3,))
    assert table["1"] is table[1]
    assert repr(table) == str(table)
    with pytest.raises(KeyError, match=r"expected one of the layers 0, 1, got 2"):
        table["2"]


@pytest.mark.parametrize("size", [(0, 3), (-1,)])
def test_sizes_are_at_least_one(size: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="summary: expected input_size"):
        summary(nn.ReLU(), size)


def test_depth_is_not_negative() -> None:
    with pytest.raises(ValueError, match="summary: expected depth of at least 0"):
        summary(nn.ReLU(), (3,), depth=-1)

"""Pooling against its definition by plain loops, a worked example, and what rows cannot say."""

import itertools
import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from dlbook import nn, ops
from dlbook.autodiff import Tape
from dlbook.testing.pooling import pooled

SETTINGS: list[dict[str, Any]] = [
    {"kernel_size": k, "stride": s, "padding": p, "dilation": d, "ceil_mode": c}
    for k, s, p, d, c in itertools.product((1, 2, 3), (1, 2, 3), (0, 1), (1, 2), (False, True))
    if 2 * p <= k and d * (k - 1) + 1 <= 5
]


def words(setting: dict[str, Any]) -> str:
    return ",".join(f"{k[0]}{int(v)}" for k, v in setting.items())


def loops(x: Tensor, setting: dict[str, Any], answer: Any) -> list[Any]:
    names = ("kernel_size", "stride", "padding", "dilation")
    sizes = [[setting[name]] * x.ndim for name in names]
    return pooled(x, *sizes, setting["ceil_mode"], answer)


@pytest.mark.parametrize("setting", SETTINGS, ids=words)
@pytest.mark.parametrize("shape", [(7,), (5, 6)], ids=str)
def test_max_pooling_is_its_definition(shape: tuple[int, ...], setting: dict[str, Any]) -> None:
    """Values, where the winners stand (ties among them), and where the cotangents go."""
    g = torch.Generator().manual_seed(0)
    x = torch.randint(-3, 4, shape, generator=g).double().requires_grad_()  # many ties

    def winner(found: list[Tensor], places: list[tuple[int, ...]], _n: int) -> tuple[int, ...]:
        best = 0
        for i, value in enumerate(found):
            if value > found[best]:
                best = i
        return places[best]

    winners = loops(x.detach(), setting, winner)
    pool = (ops.max_pool1d, ops.max_pool2d)[len(shape) - 1]
    y, indices = pool(x[None], **setting, return_indices=True)
    plain = pool(x[None], **setting)
    assert torch.equal(y, plain)
    assert y.flatten().tolist() == [float(x.detach()[w]) for w in winners]
    row = shape[-1]
    assert indices.flatten().tolist() == [
        w[0] if len(w) == 1 else w[0] * row + w[1] for w in winners
    ]
    bar = torch.randn(y.shape, generator=g, dtype=torch.float64)
    expected = torch.zeros_like(x)
    for w, b in zip(winners, bar.flatten()):
        expected[w] += b
    for result in (y, plain):
        (found,) = torch.autograd.grad(result, x, bar)
        torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("include", [True, False])
@pytest.mark.parametrize("setting", [s for s in SETTINGS if s["dilation"] == 1], ids=words)
@pytest.mark.parametrize("shape", [(7,), (5, 6)], ids=str)
def test_average_pooling_is_its_definition(
    shape: tuple[int, ...], setting: dict[str, Any], include: bool
) -> None:
    g = torch.Generator().manual_seed(0)
    x = torch.randn(shape, generator=g, dtype=torch.float64).requires_grad_()
    windows = loops(x.detach(), setting, lambda *window: window)
    counts = [with_padding if include else len(found) for found, _, with_padding in windows]
    pool = (ops.avg_pool1d, ops.avg_pool2d)[len(shape) - 1]
    rest = {k: v for k, v in setting.items() if k != "dilation"}
    y = pool(x[None], **rest, count_include_pad=include)
    means = [sum(map(float, found)) / n for (found, _, _), n in zip(windows, counts)]
    assert y.flatten().tolist() == pytest.approx(means)
    bar = torch.randn(y.shape, generator=g, dtype=torch.float64)
    expected = torch.zeros_like(x)
    for (_, places, _), n, b in zip(windows, counts, bar.flatten()):
        for place in places:
            expected[place] += b / n
    (found,) = torch.autograd.grad(y, x, bar)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("outputs", range(1, 12))
def test_adaptive_windows_share_what_there_is(outputs: int) -> None:
    """Also where there are more of them than numbers."""
    n = 7
    x = torch.randn(1, n, dtype=torch.float64)
    pieces = [
        x[0, math.floor(o * n / outputs) : math.ceil((o + 1) * n / outputs)] for o in range(outputs)
    ]
    mean, most = ops.adaptive_avg_pool1d(x, outputs), ops.adaptive_max_pool1d(x, outputs)
    assert mean[0].tolist() == pytest.approx([float(piece.mean()) for piece in pieces])
    assert most[0].tolist() == [float(piece.max()) for piece in pieces]


def test_a_worked_example() -> None:
    """4×4 → 2×2, forwards and backwards, by hand."""
    x = torch.tensor(
        [[1.0, 3.0, 2.0, 0.0], [4.0, 2.0, 1.0, 1.0], [0.0, 1.0, 5.0, 5.0], [2.0, 2.0, 3.0, 4.0]]
    )[None].requires_grad_()
    bar = torch.tensor([[[10.0, 20.0], [30.0, 40.0]]])
    y = ops.max_pool2d(x, 2)
    assert y.tolist() == [[[4.0, 2.0], [2.0, 5.0]]]
    (x_bar,) = torch.autograd.grad(y, x, bar)
    assert x_bar[0].tolist() == [
        [0.0, 0.0, 20.0, 0.0],
        [10.0, 0.0, 0.0, 0.0],
        [0.0, 0.0, 40.0, 0.0],
        [30.0, 0.0, 0.0, 0.0],
    ]
    y = ops.avg_pool2d(x, 2)
    assert y.tolist() == [[[2.5, 1.0], [1.25, 4.25]]]
    (x_bar,) = torch.autograd.grad(y, x, bar)
    assert x_bar[0, 0].tolist() == [2.5, 2.5, 5.0, 5.0]


def test_a_nan_is_seen() -> None:
    for place in itertools.product(range(4), range(4)):
        x = torch.randn(1, 4, 4)
        x[(0, *place)] = torch.nan
        for setting in ({"kernel_size": 2}, {"kernel_size": 3, "stride": 1, "padding": 1}):
            ours = ops.max_pool2d(x, **setting, return_indices=True)
            theirs = functional.max_pool2d(x, **setting, return_indices=True)
            assert torch.equal(ours[1], theirs[1])
            torch.testing.assert_close(ours[0], theirs[0], equal_nan=True)
        # An average is spoilt where a window sees it, and nowhere else.
        ours = ops.avg_pool2d(x, 2)
        torch.testing.assert_close(ours, functional.avg_pool2d(x, 2), equal_nan=True)
        wide = torch.nn.functional.adaptive_avg_pool2d(x, 3)
        torch.testing.assert_close(ops.adaptive_avg_pool2d(x, 3), wide, equal_nan=True)


@pytest.mark.parametrize("kernel", [17, 20])
def test_windows_of_more_places_than_a_byte_can_tell(kernel: int) -> None:
    x = torch.randn(1, 24, 21, dtype=torch.float64, requires_grad=True)
    ours, theirs = (lib.max_pool2d(x, kernel, 2, 3) for lib in (ops, functional))
    assert torch.equal(ours, theirs)
    bar = torch.randn_like(ours)
    assert torch.equal(*(torch.autograd.grad(y, x, bar)[0] for y in (ours, theirs)))


def test_one_byte_an_output_is_kept() -> None:
    """Of PyTorch's engine: besides the input, which the layer before keeps, eight for each."""
    x = torch.randn(2, 3, 8, 8, requires_grad=True)
    kept: list[Tensor] = []

    def keep(tensor: Tensor) -> Tensor:
        kept.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        y = ops.max_pool2d(x, 2)
    new = [t for t in kept if t.data_ptr() != x.data_ptr()]
    assert sum(t.numel() * t.element_size() for t in new) == y.numel()


def test_a_window_that_sees_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a number in every window"):
        ops.max_pool1d(torch.zeros(1, 2), 2, 1, 1, 3)


def test_memory_formats_make_no_difference() -> None:
    x = torch.randn(2, 3, 6, 6)
    other = x.contiguous(memory_format=torch.channels_last)
    for pool in (lambda v: ops.max_pool2d(v, 3, 2, 1), lambda v: ops.avg_pool2d(v, 3, 2, 1)):
        assert torch.equal(pool(x), pool(other))


def test_the_input_is_left_alone() -> None:
    x = torch.randn(1, 1, 5, 5)
    before = x.clone()
    for setting in ({"kernel_size": 1}, {"kernel_size": 3, "stride": 1, "padding": 1}):
        for pool in (ops.max_pool2d, ops.avg_pool2d):
            pool(x, **setting).zero_()
            assert torch.equal(x, before)


def test_the_tape_hands_out_indices_too() -> None:
    tape = Tape()
    x = tape.variable(torch.tensor([[1.0, 5.0, 2.0, 3.0]]))
    y, indices = ops.max_pool1d(x, 2, return_indices=True)
    assert indices.tolist() == [[1, 3]]
    assert tape.gradient(y, x, cotangent=torch.ones(1, 2)).tolist() == [[0.0, 1.0, 0.0, 1.0]]


@pytest.mark.parametrize(
    "name",
    [f"{kind}Pool{n}d" for kind in ("Max", "Avg", "AdaptiveMax", "AdaptiveAvg") for n in (1, 2)],
)
def test_modules_print_as_pytorchs(name: str) -> None:
    theirs = repr(getattr(torch.nn, name)(2)).replace("(2,)", "2").replace("(0,)", "0")
    assert repr(getattr(nn, name)(2)) == theirs

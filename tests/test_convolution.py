"""Convolution: the definition by loops, the laws, what is kept, and what rows cannot say."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import dlbook.nn
from dlbook import ops
from dlbook.autodiff import Tape
from dlbook.ops import convolution, lowering
from dlbook.testing import registry
from dlbook.testing.convolution import conv2d_by_loops

F64 = torch.float64


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=F64)


def close(found: Any, expected: Any, tolerance: float = 1e-12) -> None:
    torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance)


def images(name: str) -> list[Any]:
    """The samples of a row that are batches, as (label, x, w, b, settings)."""
    found = []
    for sample in registry[name].draw():
        x, w, *b = sample.args
        if x.ndim == 4 and len(x) and sample.label not in ("large", "tiny"):
            call = x, w, b[0] if b else None, dict(sample.kwargs)
            found.append(pytest.param(*call, id=sample.label))
    return found


# --- the definition -----------------------------------------------------------------------------


@pytest.mark.parametrize(("x", "w", "b", "settings"), images("ops.conv2d"))
def test_it_is_the_definition(x: Tensor, w: Tensor, b: Any, settings: dict[str, Any]) -> None:
    """Values and all three cotangents against loops that share nothing with the code."""
    choice = [settings.get(k, v) for k, v in (("stride", 1), ("padding", 0), ("dilation", 1))]
    pairs = convolution.settings("conv2d", w, *choice)
    bias = torch.zeros(len(w), dtype=F64) if b is None else b
    tape = Tape()
    xs, ws, bs = tape.variable((x, w, bias))
    y = ops.conv2d(xs, ws, bs, **settings)
    g = numbers(*y.shape, seed=5)
    expected = conv2d_by_loops(x, w, b, *pairs, settings.get("groups", 1), cotangent=g)
    close(y.detach(), expected.output)
    for found, bar in zip(tape.gradient(y, (xs, ws, bs), g), expected[1:], strict=True):
        close(found, bar)


@pytest.mark.parametrize(("x", "w", "b", "settings"), images("ops.conv_transpose2d"))
def test_the_transposed_is_the_transpose(
    x: Tensor, w: Tensor, b: Any, settings: dict[str, Any]
) -> None:
    """⟨conv(x), g⟩ = ⟨x, conv_transpose(g)⟩ for the same kernel and settings."""
    y = ops.conv_transpose2d(x, w, None, **settings)
    settings.pop("output_padding", None)
    g = numbers(*y.shape, seed=3)
    close((y * g).sum(), (x * ops.conv2d(g, w, None, **settings)).sum())


def test_five_by_five_by_hand() -> None:
    """An edge in a 5×5 image, found by differences of columns, and the way back."""
    image = torch.tensor([0.0, 0.0, 1.0, 1.0, 1.0]).repeat(5, 1)[None, None]
    kernel = torch.tensor([[-1.0, 0.0, 1.0]] * 3)[None, None]
    y = ops.conv2d(image, kernel)
    assert y.tolist() == [[[[3.0, 3.0, 0.0]] * 3]]
    tape = Tape()
    x, w = tape.variable((image, kernel))
    x_bar, w_bar = tape.gradient(ops.conv2d(x, w), (x, w), torch.ones(1, 1, 3, 3))
    rows = torch.tensor([1.0, 2.0, 3.0, 2.0, 1.0])  # how many windows hold a row
    across = torch.tensor([-1.0, -1.0, 0.0, 1.0, 1.0])  # what the columns' weights add up to
    assert torch.equal(x_bar[0, 0], torch.outer(rows, across))
    assert w_bar.tolist() == [[[[3.0, 6.0, 9.0]] * 3]]


def test_a_shift_of_the_image_shifts_the_output() -> None:
    x, w = numbers(1, 2, 9, 9), numbers(3, 2, 3, 3, seed=1)
    moved = torch.zeros_like(x)
    moved[..., 2:, 1:] = x[..., :-2, :-1]
    close(ops.conv2d(moved, w)[..., 2:, 1:], ops.conv2d(x, w)[..., :-2, :-1])


def test_a_kernel_turned_round_gives_the_mathematicians_convolution() -> None:
    """Products of polynomials: the coefficients of (1 + 2t + 3t²)(4 + 5t)."""
    a, b = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([4.0, 5.0])
    y = ops.conv1d(a[None, None], b.flip(0)[None, None], padding=1)
    assert y.flatten().tolist() == [4.0, 13.0, 22.0, 15.0]


# --- blocks, memory, layouts --------------------------------------------------------------------

MANY: dict[str, Any] = {
    "plain": ((7, 4, 9, 12), (6, 4, 3, 3), {}),
    "same": ((7, 4, 9, 12), (6, 4, 3, 3), {"padding": 1}),
    "strided": ((7, 4, 11, 12), (6, 4, 3, 5), {"stride": (2, 3), "padding": (1, 2)}),
    "dilated, in groups": ((5, 4, 12, 13), (6, 2, 3, 2), {"dilation": (2, 3), "groups": 2}),
    "depthwise": ((5, 4, 12, 13), (4, 1, 3, 3), {"padding": 1, "groups": 4}),
    "point by point": ((7, 4, 9, 12), (6, 4, 1, 1), {}),
    "small images": ((7, 4, 3, 3), (6, 4, 3, 3), {"padding": 1}),
    "to one number": ((7, 4, 3, 3), (6, 4, 3, 3), {}),
}


@pytest.mark.parametrize("narrow", [0, 10**6], ids=["each its own", "side by side"])
@pytest.mark.parametrize("block", [1, 2000, 10**6])
@pytest.mark.parametrize("case", MANY)
def test_blocks_and_layout_change_nothing(
    case: str, block: int, narrow: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One image at a time, several with a rest, or all; each with its own matrix, or in one."""
    shape, kernel, settings = MANY[case]
    leaves = [numbers(*s, seed=i).requires_grad_() for i, s in enumerate((shape, kernel))]
    y = functional.conv2d(*leaves, **settings)
    g = numbers(*y.shape, seed=4)
    expected = torch.autograd.grad(y, leaves, g)
    monkeypatch.setattr(convolution, "BLOCK", block)
    monkeypatch.setattr(convolution, "NARROW", narrow)
    convolution._lowering.cache_clear()
    try:
        ours = ops.conv2d(*leaves, **settings)
        close(ours, y)
        for found, bar in zip(torch.autograd.grad(ours, leaves, g), expected, strict=True):
            close(found, bar)
    finally:
        convolution._lowering.cache_clear()


def kept_bytes(call: Callable[[], Tensor]) -> int:
    """What PyTorch's engine holds for the backward pass, each storage once."""
    held: dict[int, int] = {}

    def pack(x: Tensor) -> Tensor:
        held[x.untyped_storage().data_ptr()] = x.untyped_storage().nbytes()
        return x

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
        call()
    return sum(held.values())


@pytest.mark.parametrize("case", MANY)
def test_it_keeps_its_input_and_its_kernel_and_nothing_else(case: str) -> None:
    shape, kernel, settings = MANY[case]
    x, w = numbers(*shape).requires_grad_(), numbers(*kernel).requires_grad_()
    b = numbers(len(w)).requires_grad_()
    ours = kept_bytes(lambda: ops.conv2d(x, w, b, **settings))
    assert ours == (x.numel() + w.numel()) * x.element_size()
    assert ours == kept_bytes(lambda: functional.conv2d(x, w, b, **settings))


@pytest.mark.parametrize("name", ["conv2d", "conv_transpose2d"])
def test_any_layout_of_memory(name: str) -> None:
    x, w = numbers(3, 4, 8, 9), numbers(4, 4, 3, 3, seed=1)
    expected = getattr(functional, name)(x, w)
    g = numbers(1).expand(expected.shape)  # one number, and strides of 0, as a sum sends back
    for layout in (torch.contiguous_format, torch.channels_last):
        leaves = [a.to(memory_format=layout).requires_grad_() for a in (x, w)]
        y = getattr(ops, name)(*leaves)
        close(y, expected)
        bars = torch.autograd.grad(y, leaves, g)
        theirs = torch.autograd.grad(getattr(functional, name)(*leaves), leaves, g)
        for found, bar in zip(bars, theirs, strict=True):
            close(found, bar)


def test_only_what_is_asked_for_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first layer of a network needs no cotangent of its images."""
    x, w = numbers(2, 3, 5, 5), numbers(4, 3, 3, 3).requires_grad_()
    y = ops.conv2d(x, w)

    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("nobody asked for the cotangent of the images")

    monkeypatch.setattr(convolution, "_conv_input", refuse)
    y.sum().backward()
    assert w.grad is not None


# --- the ladder ---------------------------------------------------------------------------------

RUNGS = ("by_loops", "by_windows", "by_pixels", "by_rows")


@pytest.mark.parametrize("rung", RUNGS)
@pytest.mark.parametrize(("size", "k", "padding"), [((4, 5), 3, 1), ((4, 4), 2, 0), ((3, 2), 1, 0)])
def test_rungs_of_the_ladder(rung: str, size: tuple[int, int], k: int, padding: int) -> None:
    x, w = numbers(2, 3, *size), numbers(2, 3, k, k, seed=1)
    found = getattr(lowering, rung)(x, w, padding)
    pads = ((padding, padding), (padding, padding))
    g = numbers(*found.output.shape, seed=2)
    expected = conv2d_by_loops(x, w, padding=pads, cotangent=g)
    close(found.output, expected.output)
    for bar, other in zip(found.pull(g), expected[1:3], strict=True):
        close(bar, other)
        assert bar.is_contiguous()
    assert found.output.is_contiguous()


def test_how_often_the_rungs_write_a_number_down() -> None:
    """k² times in windows, k times in rows: exactly so where there is no edge."""
    x, w = numbers(1, 2, 40, 40), numbers(3, 2, 3, 3)
    kept = {
        rung: sum(t.numel() for t in getattr(lowering, rung)(x, w).kept) / x.numel()
        for rung in RUNGS[1:]
    }
    close(kept["by_windows"], 9 * (38 / 40) ** 2)
    close(kept["by_pixels"], 9 * (38 / 40) ** 2)
    close(kept["by_rows"], 3 * (38 / 40))


# --- unfold and fold ----------------------------------------------------------------------------


def test_unfold_makes_a_convolution_a_product() -> None:
    x, w = numbers(2, 3, 6, 5), numbers(4, 3, 3, 2, seed=1)
    settings: dict[str, Any] = {"stride": (2, 1), "padding": (1, 0), "dilation": (1, 2)}
    columns = ops.unfold(x, (3, 2), **settings)
    y = ops.conv2d(x, w, **settings)
    close((w.flatten(1) @ columns).view_as(y), y)


def test_fold_counts_the_windows_over_a_place() -> None:
    counts = ops.fold(ops.unfold(torch.ones(1, 1, 4, 4), 3), 4, 3)
    line = torch.tensor([1.0, 2.0, 2.0, 1.0])
    assert torch.equal(counts[0, 0], torch.outer(line, line))


# --- modules ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "args", "settings"),
    [
        ("Conv2d", (3, 8, 3), {}),
        ("Conv2d", (4, 8, (3, 5)), {"stride": 2, "padding": (1, 2), "groups": 2, "bias": False}),
        ("Conv2d", (3, 8, 3), {"padding": "same", "dilation": 2, "padding_mode": "circular"}),
        ("Conv1d", (3, 8, 3), {"padding": 1, "dilation": 2}),
        ("ConvTranspose2d", (3, 8, 3), {"stride": 2, "output_padding": 1}),
    ],
)
def test_modules_describe_themselves_as_torchs(
    name: str, args: tuple[Any, ...], settings: dict[str, Any]
) -> None:
    mine, other = (getattr(lib, name)(*args, **settings) for lib in (dlbook.nn, nn))
    assert repr(mine) == repr(other)
    for what in ("kernel_size", "stride", "padding", "dilation", "groups", "padding_mode"):
        assert getattr(mine, what) == getattr(other, what), what


def test_the_size_of_a_transposed_convolution_can_be_asked_for() -> None:
    settings: dict[str, Any] = {"stride": 3, "padding": 1, "dtype": F64}
    mine, other = (
        dlbook.nn.ConvTranspose2d(2, 1, 3, **settings),
        nn.ConvTranspose2d(2, 1, 3, **settings),
    )
    other.load_state_dict(mine.state_dict())
    x = numbers(2, 2, 4, 5)
    for size in ([10, 13], [11, 14], [2, 1, 12, 15]):
        close(mine(x, output_size=size), other(x, output_size=size))
    with pytest.raises(ValueError, match=r"expected an output_size from \[10, 13\] to \[12, 15\]"):
        mine(x, output_size=[13, 13])


def test_a_step_of_training_is_torchs() -> None:
    """Two layers and a loss, with an optimiser: the same parameters after five steps."""
    torch.manual_seed(0)
    x, t = torch.randn(8, 1, 8, 8), torch.randint(3, (8,))
    other: Any = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 3, 4, stride=4), nn.Flatten()
    )
    mine: Any = nn.Sequential(
        dlbook.nn.Conv2d(1, 4, 3, padding=1),
        dlbook.nn.ReLU(),
        dlbook.nn.Conv2d(4, 3, 4, stride=4),
        dlbook.nn.Flatten(),
    )
    mine.load_state_dict(other.state_dict())
    for model in (mine, other):
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(5):
            optimizer.zero_grad()
            functional.cross_entropy(model(x).unflatten(1, (3, 4)).mean(2), t).backward()
            optimizer.step()
    for a, b in zip(mine.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)

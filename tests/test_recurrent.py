"""Recurrent layers: packed and padded series, both ways, the equations by hand, and refusals."""

import inspect
import itertools
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from dlbook import nn, ops
from dlbook.autodiff import Tape
from dlbook.ops import recurrent

F64 = torch.float64
LAYERS = ("RNN", "LSTM", "GRU")
layers = pytest.mark.parametrize("name", LAYERS)
LENGTHS = [2, 5, 1, 4, 2]


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=F64)


def close(found: Any, expected: Any, tolerance: float = 1e-12) -> None:
    torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance)


def flat(result: Any) -> Iterator[Tensor]:
    for part in result:
        if isinstance(part, Tensor):
            yield part
        else:
            yield from flat(part)


def pair(name: str, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
    theirs = getattr(torch.nn, name)(*args, **kwargs, dtype=F64)
    ours = getattr(nn, name)(*args, **kwargs, dtype=F64)
    ours.load_state_dict(theirs.state_dict(), strict=True)
    return ours, theirs


def start(name: str, *shape: int) -> Any:
    h = numbers(*shape, seed=5)
    return (h, numbers(*shape, seed=6)) if name == "LSTM" else h


def gradients(result: Any, *leaves: Tensor) -> tuple[Any, ...]:
    values = [v for v in flat(result) if v.requires_grad]
    bars = [numbers(*v.shape, seed=10 + i) for i, v in enumerate(values)]
    return torch.autograd.grad(values, leaves, bars)


# --- the equations ------------------------------------------------------------------------------


def test_an_lstm_of_one_unit_by_hand() -> None:
    """Two steps, every number of the way there and back written out."""
    x, w, u = [0.5, -1.0], [0.3, -0.2, 0.8, 0.4], [0.1, 0.6, -0.5, 0.2]  # i, f, g, o

    def s(z: float) -> float:
        return float(torch.sigmoid(torch.tensor(z, dtype=F64)))

    def th(z: float) -> float:
        return float(torch.tanh(torch.tensor(z, dtype=F64)))

    h, c, kept = 0.0, 0.0, []
    for value in x:
        i, f, g, o = (k(w[n] * value + u[n] * h) for n, k in enumerate((s, s, th, s)))
        before = c
        c = f * c + i * g
        h = o * th(c)
        kept.append((i, f, g, o, before, c))
    inputs = torch.tensor(x, dtype=F64).reshape(2, 1, 1).requires_grad_()
    w_ih, w_hh = (torch.tensor(v, dtype=F64).reshape(4, 1) for v in (w, u))
    y, h_n, c_n = ops.lstm(inputs, None, w_ih, w_hh)
    close(h_n.item(), h)
    close(c_n.item(), c)
    close(y[1].item(), h)

    h_bar, c_bar, x_bar = 1.0, 0.0, []
    for i, f, g, o, before, c in reversed(kept):
        c_bar += h_bar * o * (1 - th(c) ** 2)
        bars = (
            c_bar * g * i * (1 - i),
            c_bar * before * f * (1 - f),
            c_bar * i * (1 - g * g),
            h_bar * th(c) * o * (1 - o),
        )
        x_bar.insert(0, sum(a * b for a, b in zip(w, bars)))
        h_bar = sum(a * b for a, b in zip(u, bars))
        c_bar *= f
    (found,) = torch.autograd.grad(h_n.sum(), inputs)
    close(found.flatten().tolist(), x_bar)


def test_an_open_gate_lets_a_cotangent_through_unchanged() -> None:
    """From cell to cell stands only f: with f = 1, i = 0 nothing fades in 1000 steps."""
    b = torch.tensor([-100.0, 100.0, 0.0, 0.0], dtype=F64)  # i shut, f open
    c0 = torch.tensor([[0.7]], dtype=F64, requires_grad=True)
    x, zero = torch.zeros(1000, 1, 1, dtype=F64), torch.zeros(4, 1, dtype=F64)
    _, _, c = ops.lstm(x, (torch.zeros_like(c0), c0), zero, zero, b)
    close(torch.autograd.grad(c.sum(), c0)[0].item(), 1.0)


def test_a_rectified_unit_at_its_kink_has_slope_0() -> None:
    x = torch.zeros(1, 1, 1, dtype=F64, requires_grad=True)
    one = torch.ones(1, 1, dtype=F64)
    y, _ = ops.rnn_relu(x, None, one, one)
    assert torch.autograd.grad(y.sum(), x)[0].item() == 0


@pytest.mark.parametrize("name", ["rnn_tanh", "rnn_relu", "lstm", "gru"])
@pytest.mark.parametrize("sizes", [None, (3, 3, 2, 1)])
def test_both_forms_of_a_loop_agree(name: str, sizes: Any, monkeypatch: Any) -> None:
    """The one in place, which trains, and the one that can be differentiated again."""
    gates = {"lstm": 4, "gru": 3}.get(name, 1)
    x = (numbers(9, 3) if sizes else numbers(4, 3, 3)).requires_grad_()
    weights = [
        0.5 * numbers(*shape, seed=1 + i)
        for i, shape in enumerate([(gates * 5, 3), (gates * 5, 5), (gates * 5,), (gates * 5,)])
    ]
    leaves = [x, *(w.requires_grad_() for w in weights)]

    def run() -> tuple[Any, Any]:
        result = getattr(ops, name)(x, None, *weights, batch_sizes=sizes)
        return result, gradients(result, *leaves)

    quick = run()
    monkeypatch.setattr(recurrent, "readable", lambda: False)
    for a, b in zip(flat(quick), flat(run())):
        close(a, b, 1e-14)


def test_cotangents_and_saved_values_survive_a_second_call() -> None:
    """Nothing that came in is written to, and the engine may go back twice."""
    x, w, u = (v.requires_grad_() for v in (numbers(3, 2, 3), numbers(8, 3), numbers(8, 2)))
    y, *_ = ops.lstm(x, None, w, u)
    bar = numbers(*y.shape, seed=3)
    before = bar.clone()
    first = torch.autograd.grad(y, (x, w, u), bar, retain_graph=True)
    second = torch.autograd.grad(y, (x, w, u), bar)
    assert torch.equal(bar, before)
    for a, b in zip(first, second):
        assert torch.equal(a, b)


def test_the_tape_takes_a_scan() -> None:
    x, w, u = numbers(3, 2, 3), numbers(6, 3), numbers(6, 2)
    tape = Tape()
    v = tape.variable({"w": w, "u": u})
    y, h = ops.gru(x, None, v["w"], v["u"])
    found = tape.gradient((y, h), v, cotangent=(torch.ones_like(y.value), torch.ones_like(h.value)))
    leaves = w.clone().requires_grad_(), u.clone().requires_grad_()
    y, h = ops.gru(x, None, *leaves)
    for a, b in zip(found.values(), torch.autograd.grad(y.sum() + h.sum(), leaves)):
        close(a, b)


def test_short_types_are_computed_in_single_precision() -> None:
    x, w, u = numbers(50, 2, 3), numbers(8, 3), 0.5 * numbers(8, 2)
    x, w, u = (v.bfloat16() for v in (x, w, u))
    y, h, c = ops.lstm(x, None, w, u)
    assert {y.dtype, h.dtype, c.dtype} == {torch.bfloat16}
    truth, *_ = ops.lstm(x.double(), None, w.double(), u.double())
    close(y.double(), truth, 0.005)  # as near as the type can be, after 50 steps


# --- modules ------------------------------------------------------------------------------------

SETTINGS = [
    dict(zip(("num_layers", "bidirectional", "batch_first", "bias"), values))
    for values in itertools.product((1, 2), (False, True), (False, True), (True, False))
]


@layers
@pytest.mark.parametrize("kwargs", SETTINGS, ids=str)
def test_packed_series_as_torch(name: str, kwargs: dict[str, Any]) -> None:
    ours, theirs = pair(name, 3, 4, **kwargs)
    scans = kwargs["num_layers"] * (2 if kwargs["bidirectional"] else 1)
    hx = start(name, scans, 5, 4)
    for sort in (False, True):
        lengths = sorted(LENGTHS, reverse=True) if sort else LENGTHS
        found = []
        for module in (ours, theirs):
            x = numbers(5, 5, 3).requires_grad_()
            first = kwargs["batch_first"]
            packed = pack_padded_sequence(x, lengths, first, enforce_sorted=sort)
            y, states = module(packed, hx)
            assert type(y) is PackedSequence
            padded, sizes = pad_packed_sequence(y, first)
            assert sizes.tolist() == lengths
            result = padded, states
            found.append((result, gradients(result, x, *module.parameters())))
        for a, b in zip(flat(found[0]), flat(found[1]), strict=True):
            close(a, b)


@layers
@pytest.mark.parametrize("kwargs", SETTINGS[::2], ids=str)
def test_lengths_are_packing_and_padding(name: str, kwargs: dict[str, Any]) -> None:
    """Six steps, of which the longest series has five: the output has six all the same."""
    ours, theirs = pair(name, 3, 4, **kwargs)
    scans = kwargs["num_layers"] * (2 if kwargs["bidirectional"] else 1)
    hx, first = start(name, scans, 5, 4), kwargs["batch_first"]
    shape = (5, 6, 3) if first else (6, 5, 3)
    x = numbers(*shape).requires_grad_()
    result = ours(x, hx, lengths=LENGTHS)
    bars = gradients(result, x, *ours.parameters())
    packed = pack_padded_sequence(x, LENGTHS, first, enforce_sorted=False)
    y, states = theirs(packed, hx)
    expected = pad_packed_sequence(y, first, total_length=6)[0], states
    for a, b in zip(flat(result), flat(expected), strict=True):
        close(a, b)
    for a, b in zip(bars, gradients(expected, x, *theirs.parameters()), strict=True):
        close(a, b)


@layers
def test_lengths_all_alike_are_none(name: str) -> None:
    module = getattr(nn, name)(3, 4, 2, bidirectional=True, dtype=F64)
    x = numbers(4, 3, 3)
    for lengths in (torch.tensor([4, 4, 4]), (4, 4, 4)):
        for a, b in zip(flat(module(x, lengths=lengths)), flat(module(x)), strict=True):
            close(a, b)


@layers
def test_padding_has_no_say(name: str) -> None:
    module = getattr(nn, name)(3, 4, 2, bidirectional=True, dtype=F64)
    x = numbers(5, 5, 3)
    other = x.clone()
    for series, length in enumerate(LENGTHS):
        other[length:, series] = torch.nan
    for a, b in zip(flat(module(x, lengths=LENGTHS)), flat(module(other, lengths=LENGTHS))):
        assert torch.equal(a, b)


@layers
def test_one_series_with_a_length(name: str) -> None:
    module = getattr(nn, name)(3, 4, dtype=F64)
    x = numbers(5, 3)
    y, states = module(x, lengths=[3])
    short, expected = module(x[:3])
    close(y[:3], short)
    assert not y[3:].any()
    for a, b in zip(flat([states]), flat([expected])):
        close(a, b)


@layers
def test_a_cell_is_a_step_of_the_layer(name: str) -> None:
    layer, cell = getattr(nn, name)(3, 4, dtype=F64), getattr(nn, f"{name}Cell")(3, 4, dtype=F64)
    names = [n for n, _ in cell.named_parameters()]
    cell.load_state_dict({n: getattr(layer, f"{n}_l0") for n in names})
    x, state, outputs = numbers(6, 2, 3), None, []
    for x_t in x:
        state = cell(x_t, state)
        outputs.append(state[0] if name == "LSTM" else state)
    y, last = layer(x)
    close(torch.stack(outputs), y)
    for a, b in zip(flat([state]), flat([last])):
        close(a, b[0])


@layers
def test_the_state_carries_over(name: str) -> None:
    """Two halves, the state handed on, are the whole."""
    module = getattr(nn, name)(3, 4, 2, dtype=F64)
    x = numbers(6, 2, 3)
    whole, last = module(x)
    first, state = module(x[:2])
    second, end = module(x[2:], state)
    close(torch.cat([first, second]), whole)
    for a, b in zip(flat([end]), flat([last])):
        close(a, b)


@layers
def test_dropout_is_torchs_and_only_between_layers(name: str) -> None:
    ours, theirs = pair(name, 3, 4, num_layers=3, dropout=0.5)
    x = numbers(5, 2, 3)
    results = []
    for module in (ours, theirs):
        torch.manual_seed(4)
        results.append(module(x))
    for a, b in zip(flat(results[0]), flat(results[1]), strict=True):
        close(a, b)
    assert results[0][0].all(), "the last layer's outputs are whole"
    assert not torch.equal(ours(x)[0], ours(x)[0])
    ours.eval()
    assert torch.equal(ours(x)[0], ours(x)[0])


@layers
def test_settings_have_torchs_places_and_defaults(name: str) -> None:
    """The signature that PyTorch documents but hides behind ``*args``."""
    words = ["input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout"]
    words.append("bidirectional")
    if name == "RNN":
        words.insert(3, "nonlinearity")
    if name == "LSTM":
        words.append("proj_size")
    parameters = inspect.signature(getattr(nn, name)).parameters
    assert list(parameters) == [*words, "device", "dtype"]
    theirs = getattr(torch.nn, name)(3, 4)
    for word in words[2:]:
        assert parameters[word].default == getattr(theirs, word), word


@layers
def test_a_layer_says_what_it_is(name: str) -> None:
    module = getattr(nn, name)(3, 4, 2, dropout=0.25, bidirectional=True)
    words = "3, 4, num_layers=2, dropout=0.25, bidirectional=True"
    assert repr(module) == f"{name}({words})"
    assert repr(getattr(nn, f"{name}Cell")(3, 4, bias=False)) == f"{name}Cell(3, 4, bias=False)"
    assert "relu" in repr(nn.RNN(3, 4, nonlinearity="relu"))
    assert "relu" in repr(nn.RNNCell(3, 4, nonlinearity="relu"))


# --- refusals -----------------------------------------------------------------------------------


@layers
def test_lengths_that_do_not_fit_are_refused(name: str) -> None:
    module = getattr(nn, name)(3, 4, dtype=F64)
    x = numbers(5, 2, 3)
    for lengths in ([5], [0, 5], [6, 1], []):
        with pytest.raises(ValueError, match=rf"{name}: expected 2 lengths from 1 to 5"):
            module(x, lengths=lengths)
    packed = pack_padded_sequence(x, [5, 3])
    with pytest.raises(ValueError, match="no lengths beside a packed sequence"):
        module(packed, lengths=[5, 3])
    with pytest.raises(ValueError, match=r"initial state of shape \(1, 2, 4\), got \(1, 3, 4\)"):
        module(packed, start(name, 1, 3, 4))
    with pytest.raises(ValueError, match="expected 3 input features"):
        module(pack_padded_sequence(numbers(5, 2, 2), [5, 3]))


def test_dropout_without_a_place_is_worth_a_warning() -> None:
    with pytest.warns(UserWarning, match="LSTM: dropout stands between layers"):
        nn.LSTM(3, 4, dropout=0.5)

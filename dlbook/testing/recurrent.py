"""Rows for recurrent layers, operations and modules."""

from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any

import torch
from torch import Generator, Tensor, nn

from dlbook.testing._row import Bad, Row, Sample, Samples, normal, uniform

X = torch.zeros(4, 2, 3, dtype=torch.float64)
STEM = "recurrent"


# --- the specification: one series, one step, one unit at a time --------------------------------


def by_loops(step: Callable[..., tuple[Tensor, ...]], states: int = 1) -> Callable[..., Any]:
    """A scan over each series by itself, from the equations of one step for one series.

    Args:
        step: takes what the input contributes and what the state contributes, biases included,
            then the states; returns the states after it.
        states: how many there are.
    """

    def scan(
        input: Tensor,
        hx: Any,
        w_ih: Tensor,
        w_hh: Tensor,
        b_ih: Tensor | None = None,
        b_hh: Tensor | None = None,
        *,
        batch_sizes: Any = None,
        reverse: bool = False,
    ) -> tuple[Tensor, ...]:
        if batch_sizes is None:
            steps, batch, features = input.shape
            rows = [[t * batch + j for t in range(steps)] for j in range(batch)]
        else:
            sizes = [int(n) for n in batch_sizes]
            starts = [0]
            for n in sizes:
                starts.append(starts[-1] + n)
            rows = [
                [start + j for start, end in pairwise(starts) if start + j < end]
                for j in range(sizes[0])
            ]
            features = input.shape[-1]
        x = input.reshape(-1, features)
        start = input.new_zeros(len(rows), w_hh.shape[1])
        given = [start] * states if hx is None else [hx] if states == 1 else list(hx)
        outputs: dict[int, Tensor] = {}
        ends: list[tuple[Tensor, ...]] = []
        for j, series in enumerate(rows):
            state = tuple(s[j] for s in given)
            for row in reversed(series) if reverse else series:
                from_input, from_state = w_ih @ x[row], w_hh @ state[0]
                if b_ih is not None:
                    from_input = from_input + b_ih
                if b_hh is not None:
                    from_state = from_state + b_hh
                state = step(from_input, from_state, *state)
                outputs[row] = state[0]
            ends.append(state)
        y = torch.stack([outputs[row] for row in range(len(x))])
        return y.reshape(*input.shape[:-1], -1), *(torch.stack(s) for s in zip(*ends))

    return scan


def tanh_step(a: Tensor, b: Tensor, h: Tensor) -> tuple[Tensor, ...]:
    return (torch.tanh(a + b),)


def relu_step(a: Tensor, b: Tensor, h: Tensor) -> tuple[Tensor, ...]:
    return (torch.relu(a + b),)


def lstm_step(a: Tensor, b: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, ...]:
    i, f, g, o = (a + b).chunk(4)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


def gru_step(a: Tensor, b: Tensor, h: Tensor) -> tuple[Tensor, ...]:
    (a_r, a_z, a_n), (b_r, b_z, b_n) = a.chunk(3), b.chunk(3)
    z = torch.sigmoid(a_z + b_z)
    n = torch.tanh(a_n + torch.sigmoid(a_r + b_r) * b_n)
    return ((1 - z) * n + z * h,)


# --- samples ------------------------------------------------------------------------------------


def series(gates: int, states: int = 1) -> Samples:
    def samples(g: Generator) -> Iterable[Sample]:
        inputs, units = 3, 2

        def weights(d: int = inputs, h: int = units) -> tuple[Tensor, ...]:
            shapes = (gates * h, d), (gates * h, h), (gates * h,), (gates * h,)
            return tuple(0.7 * normal(g, *shape) for shape in shapes)

        def first(batch: int, h: int = units) -> Any:
            made = tuple(uniform(g, 0.1, 0.9, batch, h) for _ in range(states))
            return made if states > 1 else made[0]

        yield Sample("series", (normal(g, 4, 2, 3), first(2), *weights()))
        yield Sample("from zero", (normal(g, 3, 2, 3), None, *weights()))
        packed = {"batch_sizes": (3, 2, 1, 1)}
        yield Sample("different lengths", (normal(g, 7, 3), first(3), *weights()), packed)
        backwards = {**packed, "reverse": True}
        yield Sample("lengths, from the end", (normal(g, 7, 3), first(3), *weights()), backwards)
        yield Sample("from the end", (normal(g, 4, 2, 3), first(2), *weights()), {"reverse": True})
        yield Sample("no bias", (normal(g, 3, 2, 3), first(2), *weights()[:2]))
        *first_three, _ = weights()
        yield Sample("one bias", (normal(g, 2, 2, 3), first(2), *first_three))
        yield Sample("other bias", (normal(g, 2, 2, 3), None, *weights()[:2], None, weights()[3]))
        yield Sample("one step", (normal(g, 1, 2, 3), first(2), *weights()))
        yield Sample("one series", (normal(g, 4, 1, 3), first(1), *weights()))
        yield Sample("one unit", (normal(g, 3, 2, 1), first(2, 1), *weights(1, 1)))
        turned = normal(g, 2, 4, 3).transpose(0, 1)
        yield Sample("batch first", (turned, first(2), *weights()))
        yield Sample("large", (normal(g, 3, 2, 3) * 30, first(2), *weights()), smooth=False)
        yield Sample("tiny", (normal(g, 3, 2, 3) * 1e-6, None, *weights()), smooth=False)

    return samples


def bad(name: str, gates: int, states: int = 1) -> tuple[Bad, ...]:
    rows = gates * 2
    w_ih, w_hh = torch.zeros(rows, 3).double(), torch.zeros(rows, 2).double()
    zero = torch.zeros(2, 5).double()
    hx = zero if states == 1 else (zero, zero)
    weights = None, w_ih, w_hh
    flat = X.flatten(0, 1)
    blocks = "" if gates == 1 else f"{gates}·"
    return (
        Bad(
            f"expected w_hh of shape ({blocks}units, units), got ({rows}, 3)",
            (X, None, w_ih, torch.zeros(rows, 3).double()),
        ),
        Bad(
            f"expected w_ih of shape ({rows}, inputs) for w_hh of shape ({rows}, 2), got (5, 3)",
            (X, None, torch.zeros(5, 3).double(), w_hh),
        ),
        Bad(f"expected b_hh of shape ({rows},), got (5,)", (X, None, w_ih, w_hh, None, zero[0])),
        Bad("w_ih expects 3 input features, got input of shape (4, 2, 2)", (X[..., :2], *weights)),
        Bad("expected input of shape (T, B, D) and at least one", (flat, *weights)),
        Bad("at least one step, got (0, 2, 3)", (X[:0], *weights)),
        Bad("expected an initial state of shape (2, 2), got (2, 5)", (X, hx, w_ih, w_hh)),
        Bad("add up to 8 rows, got (3, 4, 1)", (flat, *weights), {"batch_sizes": (3, 4, 1)}),
        Bad("add up to 8 rows, got (4, 3)", (flat, *weights), {"batch_sizes": (4, 3)}),
    )


def op(
    name: str, step: Callable[..., Any], gates: int, formula: str, *more: Bad, states: int = 1
) -> Row:
    return Row(
        f"ops.{name}",
        by_loops(step, states),
        series(gates, states),
        formula,
        STEM,
        bad=(*bad(name, gates, states), *more),
        note="One layer in one direction, where PyTorch's function runs through several",
    )


def layers(states: int = 1, *settings: dict[str, Any]) -> Samples:
    def samples(g: Generator) -> Iterable[Sample]:
        def hx(scans: int, *batch: int) -> Any:
            made = tuple(normal(g, scans, *batch, 2) for _ in range(states))
            return made if states > 1 else made[0]

        x = normal(g, 3, 2, 3)
        both = {"num_layers": 2, "bidirectional": True, "batch_first": True}
        alone = {"batch_first": True, "bidirectional": True}
        yield Sample("one layer", (3, 2), inputs=(x,))
        yield Sample("both ways, initial state", (3, 2), both, inputs=(x, hx(4, 3)))
        rest: list[tuple[str, dict[str, Any], tuple[Any, ...]]] = [
            ("initial state", {}, (x, hx(1, 2))),
            ("no bias", {"bias": False}, (x,)),
            ("two layers", {"num_layers": 2}, (x, hx(2, 2))),
            ("one series", {}, (x[:, 0], hx(1))),
            ("one series, batch first", alone, (x[:, 0],)),
            ("dropout", {"num_layers": 3, "dropout": 0.5}, (x,)),
        ]
        for kwargs in settings:
            words = ", ".join(f"{k}={v}" for k, v in kwargs.items())
            rest.append((words, kwargs, (x, hx(1, 2))))
        for label, kwargs, inputs in rest:
            yield Sample(label, (3, 2), kwargs, inputs=inputs, smooth=False)

    return samples


def cells(states: int = 1, *settings: dict[str, Any]) -> Samples:
    def samples(g: Generator) -> Iterable[Sample]:
        def hx(*batch: int) -> Any:
            made = tuple(normal(g, *batch, 4) for _ in range(states))
            return made if states > 1 else made[0]

        yield Sample("batch", (3, 4), inputs=(normal(g, 2, 3), hx(2)))
        yield Sample("from zero", (3, 4), inputs=(normal(g, 2, 3),))
        yield Sample("one sample", (3, 4), inputs=(normal(g, 3), hx()))
        yield Sample("no bias", (3, 4), {"bias": False}, inputs=(normal(g, 2, 3), hx(2)))
        for kwargs in settings:
            words = ", ".join(f"{k}={v}" for k, v in kwargs.items())
            yield Sample(words, (3, 4), kwargs, inputs=(normal(g, 2, 3), hx(2)), smooth=False)

    return samples


def module(name: str, samples: Samples, formula: str, *bad: Bad) -> Row:
    return Row(f"nn.{name}", getattr(nn, name), samples, formula, STEM, kind="module", bad=bad)


def refusals(states: int = 1) -> tuple[Bad, ...]:
    zero = torch.zeros(1, 2, 4).double()
    hx = zero if states == 1 else (zero, zero)
    return (
        Bad("expected 3 input features, got input of shape (4, 2, 2)", (3, 5), {}, (X[..., :2],)),
        Bad("expected input of shape (T, B, D), or (T, D)", (3, 5), {}, (X[0, 0],)),
        Bad("expected an initial state of shape (1, 2, 5), got (1, 2, 4)", (3, 5), {}, (X, hx)),
        Bad("expected num_layers of at least 1, got 0", (3, 5, 0)),
        Bad("expected hidden_size of at least 1, got 0", (3, 0)),
        Bad("expected a probability dropout from 0 to 1, got 2", (3, 5), {"dropout": 2}),
    )


def cell_refusals(states: int = 1) -> tuple[Bad, ...]:
    zero = torch.zeros(2, 4).double()
    hx = zero if states == 1 else (zero, zero)
    return (
        Bad("expected input of shape (B, 3) or (3,), got (4, 2, 3)", (3, 5), {}, (X,)),
        Bad("expected an initial state of shape (2, 5) for input", (3, 5), {}, (X[0], hx)),
        Bad("expected input_size of at least 1, got 0", (0, 5)),
    )


RNN = r"h_t = \tanh(W_{ih} x_t + b_{ih} + W_{hh} h_{t-1} + b_{hh})"
RELU = r"h_t = \max(0,\; W_{ih} x_t + b_{ih} + W_{hh} h_{t-1} + b_{hh})"
LSTM = r"c_t = f_t \odot c_{t-1} + i_t \odot g_t, \quad h_t = o_t \odot \tanh c_t"
GRU = r"h_t = (1 - z_t) \odot n_t + z_t \odot h_{t-1}"
NEITHER = "expected nonlinearity 'tanh' or 'relu', got 'sin'"
LONE = torch.zeros(1, 2, 5).double()

ROWS = [
    op("rnn_tanh", tanh_step, 1, RNN),
    op("rnn_relu", relu_step, 1, RELU),
    op(
        "lstm",
        lstm_step,
        4,
        LSTM,
        Bad(
            "expected the pair (state, cell) for hx, got 1 of them",
            (X, (LONE[0],), torch.zeros(8, 3).double(), torch.zeros(8, 2).double()),
        ),
        states=2,
    ),
    op("gru", gru_step, 3, GRU),
    module(
        "RNN",
        layers(1, {"nonlinearity": "relu"}),
        RNN,
        *refusals(),
        Bad(NEITHER, (3, 5), {"nonlinearity": "sin"}),
    ),
    module(
        "LSTM",
        layers(2),
        LSTM,
        *refusals(2),
        Bad("expected the pair (state, cell), got 1 of them", (3, 5), {}, (X, (LONE,))),
        Bad("expected proj_size=0", (3, 5), {"proj_size": 2}),
    ),
    module("GRU", layers(), GRU, *refusals()),
    module(
        "RNNCell",
        cells(1, {"nonlinearity": "relu"}),
        RNN,
        *cell_refusals(),
        Bad(NEITHER, (3, 5), {"nonlinearity": "sin"}),
    ),
    module(
        "LSTMCell",
        cells(2),
        LSTM,
        *cell_refusals(2),
        Bad("expected the pair (state, cell), got 1 of them", (3, 5), {}, (X[0], (LONE[0],))),
    ),
    module("GRUCell", cells(), GRU, *cell_refusals()),
]

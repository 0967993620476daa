"""Recurrent layers and their single steps, with torch.nn's parameters.

The three layers share one skeleton: layers above each other, each read in one direction or both,
each a single scan of :mod:`dlbook.ops.recurrent`. They differ in that scan alone.

Chapter: :doc:`/sequences/recurrent`.
"""

import math
import warnings
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import Parameter
from torch.nn.utils.rnn import PackedSequence

from dlbook import init
from dlbook.ops import arithmetic, recurrent, regularization
from dlbook.ops.layers import _add_rows, _rows

Lengths = Tensor | Sequence[int]


def _draw(module: nn.Module, hidden_size: int) -> None:
    """Every parameter is uniform between ±1/√H, in the order in which they are listed."""
    bound = 1 / math.sqrt(hidden_size) if hidden_size > 0 else 0.0
    for parameter in module.parameters():
        init.uniform_(parameter, -bound, bound)


def _positive(name: str, **sizes: int) -> None:
    for what, size in sizes.items():
        if size < 1:
            raise ValueError(f"{name}: expected {what} of at least 1, got {size}")


class _Recurrent(nn.Module):
    """Layers of scans above each other, in one direction or both."""

    gates: int  # blocks of rows in the weights
    states = 1  # what is carried from step to step

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int,
        bias: bool,
        batch_first: bool,
        dropout: float,
        bidirectional: bool,
        device: Any,
        dtype: torch.dtype | None,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        _positive(name, input_size=input_size, hidden_size=hidden_size, num_layers=num_layers)
        if not 0 <= dropout <= 1:
            raise ValueError(f"{name}: expected a probability dropout from 0 to 1, got {dropout}")
        if dropout and num_layers == 1:
            warnings.warn(
                f"{name}: dropout stands between layers, and with num_layers=1 there is nothing "
                f"between; got dropout={dropout}",
                stacklevel=3,
            )
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = float(dropout)
        self.bidirectional = bidirectional

        def numbers(*shape: int) -> Parameter:
            return Parameter(torch.empty(shape, device=device, dtype=dtype))

        rows = self.gates * hidden_size
        for layer in range(num_layers):
            features = hidden_size * self.directions if layer else input_size
            for reverse in range(self.directions):
                shapes: dict[str, tuple[int, ...]] = {
                    "weight_ih": (rows, features),
                    "weight_hh": (rows, hidden_size),
                }
                if bias:
                    shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
                for what, shape in shapes.items():
                    self.register_parameter(self._named(what, layer, reverse), numbers(*shape))
        self.reset_parameters()

    @property
    def directions(self) -> int:
        """How many ways every layer reads: 2 if bidirectional."""
        return 2 if self.bidirectional else 1

    @staticmethod
    def _named(what: str, layer: int, reverse: int) -> str:
        return f"{what}_l{layer}" + ("_reverse" if reverse else "")

    def reset_parameters(self) -> None:
        """Draw every number uniformly between plus and minus one over the root of H."""
        _draw(self, self.hidden_size)

    def _weights(self, layer: int, reverse: int) -> list[Any]:
        kinds = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        return [getattr(self, self._named(what, layer, reverse), None) for what in kinds]

    def _step(self, x: Tensor, hx: Sequence[Tensor] | None, *more: Any, **kwargs: Any) -> Any:
        """Scan one layer in one direction; ``hx`` has a tensor for each state."""
        raise NotImplementedError

    def _run(self, x: Tensor, hx: Sequence[Tensor] | None, sizes: Any) -> tuple[Tensor, list[Any]]:
        """Run through all layers; in each, every direction has an output and states of its own."""
        ends: list[list[Tensor]] = [[] for _ in range(self.states)]
        for layer in range(self.num_layers):
            read = []
            for reverse in range(self.directions):
                place = layer * self.directions + reverse
                start = None if hx is None else [s[place] for s in hx]
                y, *states = self._step(
                    x,
                    start,
                    *self._weights(layer, reverse),
                    batch_sizes=sizes,
                    reverse=bool(reverse),
                )
                read.append(y)
                for found, state in zip(ends, states):
                    found.append(state)
            x = read[0] if len(read) == 1 else arithmetic.concatenate(read, -1)
            if self.dropout and layer < self.num_layers - 1:
                x = regularization.dropout(x, self.dropout, self.training)
        return x, [arithmetic.stack(found) for found in ends]

    def forward(
        self, input: Tensor | PackedSequence, hx: Any = None, *, lengths: Lengths | None = None
    ) -> tuple[Any, Any]:
        states = None if hx is None else [hx] if self.states == 1 else list(hx)
        if isinstance(input, PackedSequence):
            if lengths is not None:
                raise ValueError(
                    f"{type(self).__name__}: expected no lengths beside a packed sequence, which "
                    f"has its own"
                )
            data, sizes, order, back = input
            states = self._checked(data, states, int(sizes[0]), batched=True)
            y, ends = self._run(data, _taken(states, order), sizes)
            ends = _taken(ends, back) or []
            return PackedSequence(y, sizes, order, back), self._paired(ends)
        batched = input.ndim == 3
        if input.ndim not in (2, 3):
            form = "(B, T, D)" if self.batch_first else "(T, B, D)"
            raise ValueError(
                f"{type(self).__name__}: expected input of shape {form}, or (T, D) for one "
                f"series, got {tuple(input.shape)}"
            )
        x = input if batched else input.unsqueeze(1)
        if batched and self.batch_first:
            x = x.transpose(0, 1)
        states = self._checked(input, states, x.shape[1], batched)
        if not batched and states is not None:
            states = [s.unsqueeze(1) for s in states]
        if lengths is None:
            y, ends = self._run(x, states, None)
        else:
            y, ends = self._run_lengths(x, states, lengths)
        if not batched:
            return y.squeeze(1), self._paired([s.squeeze(1) for s in ends])
        return y.transpose(0, 1) if self.batch_first else y, self._paired(ends)

    def _run_lengths(
        self, x: Tensor, hx: Sequence[Tensor] | None, lengths: Lengths
    ) -> tuple[Tensor, list[Any]]:
        """Leave the padding out, with the longest series first; put zeros there afterwards."""
        steps, batch, features = x.shape
        given = torch.as_tensor(lengths, device="cpu")
        shortest, longest = (int(f()) for f in (given.min, given.max)) if given.numel() else (0, 0)
        if given.shape != (batch,) or shortest < 1 or longest > steps:
            raise ValueError(
                f"{type(self).__name__}: expected {batch} lengths from 1 to {steps} for input of "
                f"shape {tuple(x.shape)} (time first), got {given.tolist()}"
            )
        order = given.argsort(descending=True, stable=True)
        running = given[order] > torch.arange(longest).unsqueeze(1)  # (T, B)
        step, place = running.nonzero(as_tuple=True)
        rows = (step * batch + order[place]).to(x.device)
        order = order.to(x.device)
        packed = _rows(x.reshape(steps * batch, features), rows)
        y, ends = self._run(packed, _taken(hx, order), running.sum(1))
        padded = _add_rows(y, rows, rows=steps * batch)
        return padded.reshape(steps, batch, -1), _taken(ends, order.argsort()) or []

    def _checked(
        self, input: Tensor, states: list[Tensor] | None, batch: int, batched: bool
    ) -> list[Tensor] | None:
        name = type(self).__name__
        if input.shape[-1] != self.input_size:
            raise ValueError(
                f"{name}: expected {self.input_size} input features, got input of shape "
                f"{tuple(input.shape)}"
            )
        if states is None:
            return None
        if len(states) != self.states:
            raise ValueError(f"{name}: expected the pair (state, cell), got {len(states)} of them")
        scans = self.num_layers * self.directions
        shape = (scans, batch, self.hidden_size) if batched else (scans, self.hidden_size)
        for state in states:
            if state.shape != shape:
                raise ValueError(
                    f"{name}: expected an initial state of shape {shape}, got {tuple(state.shape)}"
                )
        return states

    def _paired(self, states: list[Tensor]) -> Any:
        return states[0] if self.states == 1 else tuple(states)

    def extra_repr(self) -> str:
        words = f"{self.input_size}, {self.hidden_size}"
        defaults = {
            "num_layers": 1,
            "bias": True,
            "batch_first": False,
            "dropout": 0.0,
            "bidirectional": False,
        }
        for name, default in defaults.items():
            value = getattr(self, name)
            if value != default:
                words += f", {name}={value}"
        return words


def _taken(states: Sequence[Tensor] | None, order: Tensor | None) -> list[Tensor] | None:
    """States of shape (…, B, H), the batch in another order."""
    if states is None:
        return None
    return list(states) if order is None else [s[:, order] for s in states]


def _scan_for(name: str, nonlinearity: str) -> Any:
    if nonlinearity not in ("tanh", "relu"):
        raise ValueError(f"{name}: expected nonlinearity 'tanh' or 'relu', got {nonlinearity!r}")
    return recurrent.rnn_tanh if nonlinearity == "tanh" else recurrent.rnn_relu


def _no_projection(name: str, proj_size: int) -> None:
    if proj_size:
        raise ValueError(
            f"{name}: expected proj_size=0, for states are not projected here; got {proj_size}"
        )


class RNN(_Recurrent):
    r"""Simple recurrent network over series (:eq:`op-rnn`).

    Args:
        input_size: features of the input at each step, D.
        hidden_size: units, H.
        num_layers: layers above each other, each reading the states of the one below.
        nonlinearity: ``"tanh"`` or ``"relu"``.
        bias: whether there are the two biases.
        batch_first: whether batched input and output have the axes (B, T, D), not (T, B, D).
            States have their batch second, in any case.
        dropout: the probability by which, in training, outputs of all layers but the last are
            dropped.
        bidirectional: whether each layer also reads the series from its end; outputs stand beside
            each other then, (T, B, 2H).
        device: where the parameters live.
        dtype: their floating-point type.

    Attributes:
        weight_ih_l0: weights of the input, (H, D); in further layers ``_l1`` and so on, (H, H) or
            (H, 2H); with the suffix ``_reverse`` those of the other direction.
        weight_hh_l0: weights of the state, (H, H).
        bias_ih_l0: a bias, (H,).
        bias_hh_l0: another, as PyTorch has it, (H,).

    Called with
        - ``input``: (T, B, D), (T, D) for one series, or PyTorch's ``PackedSequence``;
        - ``hx``: the states before the first step, (layers · directions, B, H), or None for zeros;
        - ``lengths``: how many steps of each series count, (B,), each from 1 to T. Outputs beyond
          are 0, and the states returned are those at each series' own end.

    Returns the outputs of the last layer at all steps, (T, B, H · directions) or packed as the
    input, and the last states of all layers, (layers · directions, B, H).

    Raises:
        ValueError: if sizes are not positive, ``dropout`` is no probability, ``nonlinearity`` is
            neither, or shapes do not fit.

    Departs from PyTorch, which has no ``lengths``.

    Example:
        >>> net = RNN(3, 8, num_layers=2, bidirectional=True)
        >>> y, h = net(torch.randn(5, 2, 3), lengths=[5, 3])
        >>> y.shape, h.shape, int(y[3:, 1].count_nonzero())
        (torch.Size([5, 2, 16]), torch.Size([4, 2, 8]), 0)

    Chapter: :doc:`/sequences/recurrent`.
    """

    gates = 1

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        _scan_for("RNN", nonlinearity)
        super().__init__(
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            device,
            dtype,
        )
        self.nonlinearity = nonlinearity

    def _step(self, x: Tensor, hx: Sequence[Tensor] | None, *more: Any, **kwargs: Any) -> Any:
        scan = _scan_for("RNN", self.nonlinearity)
        return scan(x, None if hx is None else hx[0], *more, **kwargs)

    def extra_repr(self) -> str:
        relu = ", nonlinearity=relu" if self.nonlinearity == "relu" else ""
        return super().extra_repr() + relu


class LSTM(_Recurrent):
    r"""Long short-term memory over series (:eq:`op-lstm`).

    Arguments, attributes, call and errors are those of :class:`RNN`, with these differences: the
    weights have four blocks of rows, for i, f, g and o, (4H, D) and (4H, H); ``hx`` is the pair of
    states and cells, and so is what is returned after the outputs: ``output, (h_n, c_n)``.

    Args:
        input_size: features of the input at each step, D.
        hidden_size: units, H.
        num_layers: layers above each other.
        bias: whether there are the two biases.
        batch_first: whether batched input and output have the axes (B, T, D).
        dropout: the probability by which outputs between layers are dropped in training.
        bidirectional: whether each layer also reads the series from its end.
        proj_size: must be 0.
        device: where the parameters live.
        dtype: their floating-point type.

    Departs from PyTorch, which can project the state to fewer units (``proj_size``), and has no
    ``lengths``.

    Example:
        >>> net = LSTM(3, 8, batch_first=True)
        >>> y, (h, c) = net(torch.randn(2, 5, 3))
        >>> y.shape, c.shape, torch.equal(y[:, -1], h[0])
        (torch.Size([2, 5, 8]), torch.Size([1, 2, 8]), True)

    Chapter: :doc:`/sequences/lstm-gru`.
    """

    gates = 4
    states = 2

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        _no_projection("LSTM", proj_size)
        super().__init__(
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            device,
            dtype,
        )

    def _step(self, x: Tensor, hx: Sequence[Tensor] | None, *more: Any, **kwargs: Any) -> Any:
        return recurrent.lstm(x, hx, *more, **kwargs)


class GRU(_Recurrent):
    r"""Gated recurrent units over series (:eq:`op-gru`).

    Arguments, attributes, call and errors are those of :class:`RNN`; the weights have three blocks
    of rows, for r, z and n, (3H, D) and (3H, H).

    Args:
        input_size: features of the input at each step, D.
        hidden_size: units, H.
        num_layers: layers above each other.
        bias: whether there are the two biases.
        batch_first: whether batched input and output have the axes (B, T, D).
        dropout: the probability by which outputs between layers are dropped in training.
        bidirectional: whether each layer also reads the series from its end.
        device: where the parameters live.
        dtype: their floating-point type.

    Departs from PyTorch, which has no ``lengths``.

    Example:
        >>> y, h = GRU(3, 8)(torch.randn(5, 3))  # one series
        >>> y.shape, h.shape
        (torch.Size([5, 8]), torch.Size([1, 8]))

    Chapter: :doc:`/sequences/lstm-gru`.
    """

    gates = 3

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            device,
            dtype,
        )

    def _step(self, x: Tensor, hx: Sequence[Tensor] | None, *more: Any, **kwargs: Any) -> Any:
        return recurrent.gru(x, None if hx is None else hx[0], *more, **kwargs)


# --- single steps -------------------------------------------------------------------------------


class _Cell(nn.Module):
    """One step, which is a scan over a series of length 1."""

    gates: int
    states = 1
    bias_ih: Parameter | None
    bias_hh: Parameter | None

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool,
        device: Any,
        dtype: torch.dtype | None,
    ) -> None:
        super().__init__()
        _positive(type(self).__name__, input_size=input_size, hidden_size=hidden_size)
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias

        def numbers(*shape: int) -> Parameter:
            return Parameter(torch.empty(shape, device=device, dtype=dtype))

        rows = self.gates * hidden_size
        self.weight_ih = numbers(rows, input_size)
        self.weight_hh = numbers(rows, hidden_size)
        self.register_parameter("bias_ih", numbers(rows) if bias else None)
        self.register_parameter("bias_hh", numbers(rows) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw every number uniformly between plus and minus one over the root of H."""
        _draw(self, self.hidden_size)

    def _step(self, x: Tensor, hx: Sequence[Tensor] | None, *more: Any) -> Any:
        raise NotImplementedError

    def forward(self, input: Tensor, hx: Any = None) -> Any:
        name = type(self).__name__
        if input.ndim not in (1, 2) or input.shape[-1] != self.input_size:
            raise ValueError(
                f"{name}: expected input of shape (B, {self.input_size}) or ({self.input_size},), "
                f"got {tuple(input.shape)}"
            )
        states = None if hx is None else [hx] if self.states == 1 else list(hx)
        if states is not None and len(states) != self.states:
            raise ValueError(f"{name}: expected the pair (state, cell), got {len(states)} of them")
        shape = (*input.shape[:-1], self.hidden_size)
        for state in states or ():
            if state.shape != shape:
                raise ValueError(
                    f"{name}: expected an initial state of shape {shape} for input of shape "
                    f"{tuple(input.shape)}, got {tuple(state.shape)}"
                )
        x = input
        if input.ndim == 1:
            x = x.unsqueeze(0)
            states = None if states is None else [s.unsqueeze(0) for s in states]
        weights = (self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
        _, *ends = self._step(x.unsqueeze(0), states, *weights)
        if input.ndim == 1:
            ends = [s.squeeze(0) for s in ends]
        return ends[0] if self.states == 1 else tuple(ends)

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}" + ("" if self.bias else ", bias=False")


class RNNCell(_Cell):
    r"""One step of a simple recurrent network (:eq:`op-rnn`).

    Called with the input of one step, (B, D) or (D,), and the state before it, (B, H) or (H,), None
    for zeros; returns the state after it.

    Args:
        input_size: features of the input, D.
        hidden_size: units, H.
        bias: whether there are the two biases.
        nonlinearity: ``"tanh"`` or ``"relu"``.
        device: where the parameters live.
        dtype: their floating-point type.

    Attributes:
        weight_ih: weights of the input, (H, D).
        weight_hh: weights of the state, (H, H).
        bias_ih: a bias, (H,), or None.
        bias_hh: another, as PyTorch has it, or None.

    Raises:
        ValueError: if sizes are not positive, ``nonlinearity`` is neither, or shapes do not fit.

    Example:
        >>> RNNCell(3, 8)(torch.randn(2, 3)).shape
        torch.Size([2, 8])

    Chapter: :doc:`/sequences/recurrent`.
    """

    gates = 1

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: Any = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        _scan_for("RNNCell", nonlinearity)
        super().__init__(input_size, hidden_size, bias, device, dtype)
        self.nonlinearity = nonlinearity

    def _step(self, x: Tensor, hx: Sequence[Tensor] | None, *more: Any) -> Any:
        scan = _scan_for("RNNCell", self.nonlinearity)
        return scan(x, None if hx is None else hx[0], *more)

    def extra_repr(self) -> str:
        relu = ", nonlinearity=relu" if self.nonlinearity == "relu" else ""
        return super().extra_repr() + relu


class LSTMCell(_Cell):
    r"""One step of long short-term memory (:eq:`op-lstm`).

    As :class:`RNNCell`, but with the pair of state and cell for ``hx``, and as result; the weights
    have four blocks of rows, for i, f, g and o.

    Args:
        input_size: features of the input, D.
        hidden_size: units, H.
        bias: whether there are the two biases.
        device: where the parameters live.
        dtype: their floating-point type.

    Example:
        >>> h, c = LSTMCell(3, 8)(torch.randn(2, 3))
        >>> h.shape, c.shape
        (torch.Size([2, 8]), torch.Size([2, 8]))

    Chapter: :doc:`/sequences/lstm-gru`.
    """

    gates = 4
    states = 2

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: Any = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, device, dtype)

    def _step(self, x: Tensor, hx: Sequence[Tensor] | None, *more: Any) -> Any:
        return recurrent.lstm(x, hx, *more)


class GRUCell(_Cell):
    r"""One step of gated recurrent units (:eq:`op-gru`).

    As :class:`RNNCell`, with three blocks of rows in the weights, for r, z and n.

    Args:
        input_size: features of the input, D.
        hidden_size: units, H.
        bias: whether there are the two biases.
        device: where the parameters live.
        dtype: their floating-point type.

    Example:
        >>> GRUCell(3, 8)(torch.randn(2, 3), torch.zeros(2, 8)).shape
        torch.Size([2, 8])

    Chapter: :doc:`/sequences/lstm-gru`.
    """

    gates = 3

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: Any = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, device, dtype)

    def _step(self, x: Tensor, hx: Sequence[Tensor] | None, *more: Any) -> Any:
        return recurrent.gru(x, None if hx is None else hx[0], *more)

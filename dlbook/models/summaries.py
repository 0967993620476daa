r"""What a network is made of, layer by layer: shapes, parameters, multiply-adds, receptive fields.

**Receptive field.** What a unit sees of the input is, along every axis, a stretch of pixels: from
:math:`l` to :math:`h` for the first unit, and :math:`j` pixels further for the next one; :math:`j`
is called the jump. The input sees itself: :math:`l = h = 0`, :math:`j = 1`. A layer with kernels of
:math:`k` entries, :math:`d` apart, stride :math:`s` and padding :math:`p` looks at units from
:math:`-p` to :math:`(k - 1) d - p` of the layer before, hence

.. math:: l \leftarrow l - p j, \qquad h \leftarrow h + \bigl((k - 1) d - p\bigr) j, \qquad
    j \leftarrow s j .

The size, :math:`h - l + 1`, grows by :math:`(k - 1) d j`. Where paths meet, in a sum or side by
side, the outermost ends count. It is what a unit can see at most: near an edge part of it lies in
the padding. What a normalisation knows of the rest of the image, by way of a mean, is not counted.

Chapter: CNN architectures, in the part on images.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.overrides import TorchFunctionMode

__all__ = ["LayerSummary", "Summary", "summary"]

Number = int | Fraction


# --- receptive fields ---------------------------------------------------------------------------


class _Stretch(NamedTuple):
    """The pixels along one axis that the first unit sees, and how far on the next one looks."""

    low: Number
    high: Number
    jump: Number


class _Sight(NamedTuple):
    """What the units of a tensor see, along every axis, and how many units there are."""

    axes: tuple[_Stretch, ...]
    units: tuple[int, ...]


_CONSTANT: Any = object()  # what does not depend on the input
_MARK = "_dlbook_sight"


def _sight(tensors: Iterable[Tensor]) -> Any:
    """What a function of these tensors sees: None if that is not known."""
    found: list[Any] = [s for t in tensors if (s := getattr(t, _MARK, _CONSTANT)) is not _CONSTANT]
    if not found:
        return _CONSTANT
    if any(s is None or len(s.axes) != len(found[0].axes) for s in found):
        return None
    axes = tuple(
        _Stretch(min(a.low for a in along), max(a.high for a in along), max(a.jump for a in along))
        for along in zip(*(s.axes for s in found))
    )
    return _Sight(axes, max(s.units for s in found))


class _Follow(TorchFunctionMode):
    """Let every function's results see what its arguments see, as sums and concatenations do."""

    within = False  # a layer, for which there are rules

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if self.within:
            return func(*args, **kwargs)
        arguments = list(_tensors((args, kwargs)))
        result = func(*args, **kwargs)
        outputs = list(_tensors(result))
        sight = _sight(arguments) if outputs else _CONSTANT
        if sight is not _CONSTANT:
            most = max(t.numel() for t in arguments if hasattr(t, _MARK))
            for y in outputs:
                setattr(y, _MARK, _kept(sight, most, y))
        return result


def _kept(sight: _Sight | None, most: int, y: Tensor) -> _Sight | None:
    """What is seen after a function that does not say how it takes neighbouring units together.

    It takes none together if as many are left, or if channels were cut off or added; and if all
    were taken together, the sight of all is that of the layer that comes next.
    """
    if sight is None or y.ndim < 3 or y.numel() == most or tuple(y.shape[2:]) == sight.units:
        return sight
    return None


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _tensors(each)
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _tensors(each)


def _each(setting: Any, axes: int) -> tuple[Any, ...]:
    """A setting such as a stride, for every axis."""
    return (setting,) * axes if isinstance(setting, int) else tuple(setting)


def _windows(module: nn.Module, before: _Sight, inputs: Tensor, output: Tensor) -> _Sight | None:
    """What a layer that moves a window sees, if what its inputs see is known."""
    size, count = len(before.axes), tuple(output.shape[2:])
    if len(count) != size:
        return None
    settings: Any = module
    kernel = _each(settings.kernel_size, size)
    stride = _each(getattr(settings, "stride", None) or kernel, size)
    gap = _each(getattr(settings, "dilation", 1), size)
    padding = getattr(settings, "padding", 0)
    if isinstance(padding, str):
        same = padding == "same"
        padding = tuple((k - 1) * d // 2 if same else 0 for k, d in zip(kernel, gap))
    axes = []
    for a, k, s, d, p in zip(before.axes, kernel, stride, gap, _each(padding, size)):
        reach = (k - 1) * d
        if _transposed(module):  # the units in reach are those that a multiple of s is away
            first = -((reach - p) // s)
            last = first + reach // s
            axes.append(
                _Stretch(a.low + first * a.jump, a.high + last * a.jump, Fraction(a.jump, s))
            )
        else:
            axes.append(_Stretch(a.low - p * a.jump, a.high + (reach - p) * a.jump, a.jump * s))
    return _Sight(tuple(axes), count)


def _transposed(module: nn.Module) -> bool:
    return "Transpose" in type(module).__name__


def _adaptive(before: _Sight, output: Tensor) -> _Sight | None:
    """What a layer that pools to a given number of units sees."""
    count = tuple(output.shape[2:])
    if len(count) != len(before.axes):
        return None
    axes = []
    for a, n, m in zip(before.axes, before.units, count):
        reach = max(-((i + 1) * n // -m) - i * n // m for i in range(m)) - 1
        step = Fraction(n, m) if m > 1 else 1
        axes.append(_Stretch(a.low, a.high + reach * a.jump, a.jump * step))
    return _Sight(tuple(axes), count)


def _all_units(before: _Sight) -> _Sight:
    """What a unit sees that is connected to all of them: a window as large as the image."""
    axes = tuple(
        _Stretch(a.low, a.high + (n - 1) * a.jump, a.jump)
        for a, n in zip(before.axes, before.units)
    )
    return _Sight(axes, (1,) * len(axes))


def _sees(module: nn.Module, before: Any, inputs: Tensor, output: Tensor) -> Any:
    """What a layer's output sees."""
    if before is None or before is _CONSTANT:
        return before
    if hasattr(module, "kernel_size"):
        return _windows(module, before, inputs, output)
    if hasattr(module, "output_size") and output.ndim > 2:
        return _adaptive(before, output)
    if hasattr(module, "in_features") and output.ndim == 2:
        return _all_units(before)
    # Activations; also normalisations, by whose means a unit sees all in truth.
    return None if _matrices(module) else _kept(before, inputs.numel(), output)


def _matrices(module: nn.Module) -> bool:
    return any(p.ndim > 1 for p in module.parameters(recurse=False))


# --- multiplications ----------------------------------------------------------------------------


def _multiply_adds(module: nn.Module, inputs: Tensor, output: Tensor) -> int | None:
    """Products of a weight and an input in a layer, for one example; None if that is unknown."""
    weight = getattr(module, "weight", None)
    if isinstance(weight, Tensor):
        if hasattr(module, "kernel_size"):
            moves = inputs if _transposed(module) else output
            return math.prod(moves.shape[2:]) * weight.numel()
        if hasattr(module, "in_features"):
            return math.prod(output.shape[1:-1]) * weight.numel()
        if hasattr(module, "num_embeddings"):
            return 0
    return None if _matrices(module) else 0


# --- rows ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class LayerSummary:
    """One layer of a network, or one of its blocks, as it was called.

    Attributes:
        name: its place in the network, which is the prefix of its entries in ``state_dict()``.
        kind: the name of its class.
        input_shape: of one example, without the batch.
        output_shape: of one example, without the batch.
        parameters: how many it has; 0 where they were counted in an earlier call.
        multiply_adds: products of a weight and an input, for one example; None if not known.
        receptive_field: the size of what a unit sees of the input, in pixels along every axis; None
            where the input has no such axes, or where it is not known.
        jump: how many pixels further the next unit looks, along every axis; where there is but one,
            how far apart those were that it sees.
        start: the first pixel that the first unit sees, along every axis; below 0 in the padding.
    """

    name: str
    kind: str
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    parameters: int
    multiply_adds: int | None
    receptive_field: tuple[float, ...] | None
    jump: tuple[float, ...] | None
    start: tuple[float, ...] | None


@dataclass(frozen=True, repr=False)
class Summary(Sequence[LayerSummary]):
    """The layers of a network in the order of their calls; printed, it is a table.

    Attributes:
        layers: the rows.
        parameters: how many the network has, also in layers that were not called.
        trainable: how many of them are trained.
        multiply_adds: for one example, of the layers that it is known of.
        unknown: the names of the layers that it is not known of.
    """

    layers: tuple[LayerSummary, ...]
    parameters: int
    trainable: int
    multiply_adds: int
    unknown: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.layers)

    def __getitem__(self, place: Any) -> Any:
        """A row by its place, or by its name."""
        if isinstance(place, str):
            found = [layer for layer in self.layers if layer.name == place]
            if not found:
                names = ", ".join(layer.name for layer in self.layers)
                raise KeyError(f"Summary: expected one of the layers {names}, got {place}")
            return found[0]
        return self.layers[place]

    def __repr__(self) -> str:
        titles = ["layer", "kind", "output", "parameters", "multiply-adds"]
        rows = [
            [
                layer.name or "(all)",
                layer.kind,
                "×".join(map(str, layer.output_shape)),
                f"{layer.parameters:,}",
                "?" if layer.multiply_adds is None else f"{layer.multiply_adds:,}",
            ]
            for layer in self.layers
        ]
        if any(layer.receptive_field for layer in self.layers):
            titles += ["receptive field", "jump"]
            for row, layer in zip(rows, self.layers):
                row += [_sizes(layer.receptive_field), _sizes(layer.jump)]
        total = f"{'at least ' if self.unknown else ''}{self.multiply_adds:,}"
        rows.append(["total", "", "", f"{self.parameters:,}", total, *[""] * (len(titles) - 5)])
        widths = [max(map(len, column)) for column in zip(titles, *rows)]
        texts = [
            "  ".join(
                cell.ljust(width) if place < 2 else cell.rjust(width)
                for place, (cell, width) in enumerate(zip(row, widths))
            ).rstrip()
            for row in [titles, *rows]
        ]
        line = "-" * max(map(len, texts))
        notes = []
        if self.trainable < self.parameters:
            notes.append(f"{self.trainable:,} of the parameters are trained")
        rest = self.parameters - sum(layer.parameters for layer in self.layers)
        if rest:
            notes.append(f"{rest:,} of the parameters are in no layer that was called")
        return "\n".join([texts[0], line, *texts[1:-1], line, texts[-1], *notes])

    __str__ = __repr__


def _sizes(along: tuple[float, ...] | None) -> str:
    if along is None:
        return ""
    return "×".join(f"{n:g}" for n in (along[:1] if len(set(along)) == 1 else along))


def _plain(numbers: Iterable[Number]) -> tuple[float, ...]:
    return tuple(int(n) if n == int(n) else float(n) for n in numbers)


@dataclass
class _Call:
    """A call that is under way."""

    module: nn.Module
    name: str
    inputs: Tensor | None
    before: Any
    parameters: int = 0
    multiply_adds: int | None = 0
    inner: bool = False


@dataclass
class _Record:
    """Hooks on every module that write down what is called with what."""

    follow: _Follow
    depth: int | None
    owned: Mapping[int, int]  # parameters that each module owns, and no other one before it
    calls: list[_Call] = field(default_factory=list)
    rows: list[LayerSummary] = field(default_factory=list)
    seen: set[int] = field(default_factory=set)
    total: int = 0
    unknown: list[str] = field(default_factory=list)

    def enter(self, name: str) -> Any:
        def hook(module: nn.Module, args: Any, kwargs: Any) -> None:
            tensors = list(_tensors((args, kwargs)))
            first = tensors[0] if tensors else None
            self.calls.append(_Call(module, name, first, _sight(tensors)))
            self.follow.within = next(module.children(), None) is None

        return hook

    def leave(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        call = self.calls.pop()
        self.follow.within = False
        y, x = next(_tensors(output), None), call.inputs
        if id(module) not in self.seen:
            call.parameters += self.owned[id(module)]
            self.seen.add(id(module))
        own: int | None = 0
        sight: Any = None
        if y is not None and x is not None:
            own = _multiply_adds(module, x, y)
            if call.inner:  # its layers have counted theirs
                own = None if own is None else 0
                sight = getattr(y, _MARK, None)
            else:
                sight = _sees(module, call.before, x, y)
                setattr(y, _MARK, sight)
        self.total += own or 0
        if own is None:
            self.unknown.append(call.name)
        known = own is not None and call.multiply_adds is not None
        call.multiply_adds = (call.multiply_adds or 0) + (own or 0) if known else None
        level = call.name.count(".") + 1 if call.name else 0
        limit = math.inf if self.depth is None else self.depth
        if (
            y is not None
            and x is not None
            and (level == limit or (level < limit and not call.inner))
        ):
            self.rows.append(_row(call, x, y, sight))
        if self.calls:
            outer = self.calls[-1]
            outer.inner = True
            outer.parameters += call.parameters
            both = outer.multiply_adds is not None and call.multiply_adds is not None
            outer.multiply_adds = (
                (outer.multiply_adds or 0) + (call.multiply_adds or 0) if both else None
            )


def _row(call: _Call, inputs: Tensor, output: Tensor, sight: Any) -> LayerSummary:
    size = jump = start = None
    if isinstance(sight, _Sight):
        size = _plain(a.high - a.low + 1 for a in sight.axes)
        jump = _plain(a.jump for a in sight.axes)
        start = _plain(a.low for a in sight.axes)
    return LayerSummary(
        call.name,
        type(call.module).__name__,
        tuple(inputs.shape[1:]),
        tuple(output.shape[1:]),
        call.parameters,
        call.multiply_adds,
        size,
        jump,
        start,
    )


def _run(model: nn.Module, x: Tensor, record: _Record, device: torch.device | None) -> None:
    """Call the model on copies of its buffers; on the meta device, of its parameters too."""
    state: dict[str, Tensor] = {}
    for name, p in model.named_parameters():
        state[name] = p.detach() if device is None else p.detach().to(device)
    for name, b in model.named_buffers():
        state[name] = b.clone() if device is None else b.to(device)
    hooks: list[Any] = []
    try:
        for name, module in model.named_modules():
            hooks += [
                module.register_forward_pre_hook(record.enter(name), with_kwargs=True),
                module.register_forward_hook(record.leave, with_kwargs=True),
            ]
        with torch.random.fork_rng(devices=[]), torch.no_grad(), record.follow:
            functional_call(model, state, (x,))
    finally:
        for hook in hooks:
            hook.remove()


def summary(
    model: nn.Module,
    input_size: Sequence[int],
    *,
    depth: int | None = None,
    dtype: torch.dtype | None = None,
) -> Summary:
    """List a network's layers in the order of their calls, with their shapes and what they cost.

    The network is called once, in the mode that it is in, on two examples without numbers
    (PyTorch's meta device), which takes no memory and little time whatever its size. A network that
    asks for numbers is called on zeros instead. Its parameters and buffers stay as they are.

    A layer is a module that calls no other one: what ``forward`` does besides, such as a sum, has
    no row. Multiply-adds are the products of a weight and an input in convolutions and affine maps,
    as papers count them; biases, normalisations, pooling and activations add nothing.

    Args:
        model: any module, with layers of this book's or of PyTorch's, that takes one tensor.
        input_size: the sizes of one example, without the batch, such as ``(3, 224, 224)``.
        depth: down to which level blocks are opened: 1 lists the model's own children; None opens
            all of them.
        dtype: the input's type, such as ``torch.long`` for numbers of words; that of the model's
            first parameter when left out.

    Raises:
        ValueError: for sizes that are no whole numbers of at least 1, or a negative ``depth``.

    Example:
        >>> from torch import nn
        >>> net = nn.Sequential(nn.Conv2d(1, 6, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5))
        >>> print(summary(net, (1, 32, 32)))
        layer  kind         output  parameters  multiply-adds  receptive field  jump
        ----------------------------------------------------------------------------
        0      Conv2d      6×28×28         156        117,600                5     1
        1      ReLU        6×28×28           0              0                5     1
        2      MaxPool2d   6×14×14           0              0                6     2
        3      Conv2d     16×10×10       2,416        240,000               14     2
        ----------------------------------------------------------------------------
        total                            2,572        357,600
        >>> summary(net, (1, 32, 32))["3"].receptive_field
        (14, 14)

    Chapter: CNN architectures, in the part on images.
    """
    sizes = tuple(input_size)
    if not all(isinstance(n, int) and n >= 1 for n in sizes):
        raise ValueError(
            "summary: expected input_size, the sizes of one example such as (3, 224, 224), "
            f"whole numbers of at least 1, got {sizes}"
        )
    if depth is not None and depth < 0:
        raise ValueError(f"summary: expected depth of at least 0 or None, got {depth}")
    first = next(model.parameters(), None)
    dtype = dtype or (torch.get_default_dtype() if first is None else first.dtype)
    own = torch.device("cpu") if first is None else first.device
    owned: dict[int, int] = {}
    counted: set[int] = set()
    for module in model.modules():
        new = [p for p in module.parameters(recurse=False) if id(p) not in counted]
        counted.update(map(id, new))
        owned[id(module)] = sum(p.numel() for p in new)

    def watched(device: torch.device) -> _Record:
        record = _Record(_Follow(), depth, owned)
        x = torch.zeros((2, *sizes), dtype=dtype, device=device)
        seen = tuple(_Stretch(0, 0, 1) for _ in sizes[1:])
        setattr(x, _MARK, _Sight(seen, sizes[1:]) if seen else None)
        _run(model, x, record, None if device == own else device)
        return record

    meta = torch.device("meta")
    try:
        record = watched(meta)
    except (NotImplementedError, RuntimeError):  # it asks for numbers, or has some of its own
        if own == meta:
            raise
        record = watched(own)
    parameters = list(model.parameters())
    return Summary(
        tuple(record.rows),
        sum(p.numel() for p in parameters),
        sum(p.numel() for p in parameters if p.requires_grad),
        record.total,
        tuple(record.unknown),
    )

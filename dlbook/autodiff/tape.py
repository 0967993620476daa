"""The tape: a list of what was computed, read backwards to apply the chain rule."""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypeVar

import torch
from torch import Tensor

from dlbook.autodiff.primitives import Primitive, Traced, pull, sum_to_shape

F = TypeVar("F", bound=Callable[..., Any])

_implementations: dict[str, Callable[..., Any]] = {}
_levels = itertools.count()


def implements(*names: str) -> Callable[[F], F]:
    """Register a function as what ``torch.<name>`` and ``Tensor.<name>`` do on variables.

    Args:
        names: torch's names, such as ``"exp"`` or ``"__add__"``.
    """

    def register(function: F) -> F:
        for name in names:
            _implementations[name] = function
        return function

    return register


def implementation(name: str) -> Callable[..., Any]:
    """Return the function that stands for torch's ``name`` on variables."""
    if name not in _implementations:
        # The operations live a floor above; they sign on here when they are imported.
        import_module("dlbook.ops.arithmetic")
        import_module("dlbook.ops.activations")
        import_module("dlbook.ops.attention")
        import_module("dlbook.ops.convolution")
        import_module("dlbook.ops.layers")
        import_module("dlbook.ops.losses")
        import_module("dlbook.ops.normalization")
        import_module("dlbook.ops.regularization")
    if name not in _implementations:
        raise TypeError(
            f"{name}: expected an operation that the tape has a rule for; torch's {name!r} has "
            f"none. Use a function of dlbook.ops, or write a primitive"
        )
    return _implementations[name]


def _operator(name: str, *, reflected: bool = False) -> Callable[..., Any]:
    if reflected:
        return lambda self, other: implementation(name)(other, self)
    return lambda self, *others: implementation(name)(self, *others)


def _compare(name: str) -> Callable[..., Any]:
    """Comparisons give plain tensors: they have no derivative, and branches need them."""
    return lambda self, other: getattr(lift(self), name)(lift(other))


def lift(value: Any) -> Any:
    """Return the plain tensor under a variable, however deeply tapes are nested."""
    while type(value) is Variable:
        value = value.value
    return value


class Variable(Traced):
    """A value on a tape. It computes like a tensor, and every step is written down.

    Made by :meth:`Tape.variable` and by operations on variables.

    Attributes:
        value: the tensor (or, under nested tapes, the outer tape's variable).
        tape: the tape that it is on.
        index: its place on the tape.
    """

    __slots__ = ("index", "tape", "value")

    def __init__(self, value: Any, tape: "Tape", index: int) -> None:
        self.value = value
        self.tape = tape
        self.index = index

    def record(self, primitive: Primitive[..., Any], args: Sequence[Any], meta: Any) -> Any:
        return self.tape._record(primitive, args, meta)

    @property
    def level(self) -> int:  # type: ignore[override]
        return self.tape.level

    @property
    def shape(self) -> torch.Size:
        shape: torch.Size = self.value.shape
        return shape

    @property
    def dtype(self) -> torch.dtype:
        dtype: torch.dtype = self.value.dtype
        return dtype

    @property
    def device(self) -> torch.device:
        device: torch.device = self.value.device
        return device

    @property
    def ndim(self) -> int:
        return len(self.value.shape)

    @property
    def requires_grad(self) -> bool:
        """False: PyTorch's engine has no part in a tape."""
        return False

    @property
    def T(self) -> Any:
        return implementation("t")(self)

    @property
    def mT(self) -> Any:
        return implementation("transpose")(self, -2, -1)

    def size(self, dim: int | None = None) -> Any:
        return self.shape if dim is None else self.shape[dim]

    def dim(self) -> int:
        return self.ndim

    def numel(self) -> int:
        return self.shape.numel()

    def detach(self) -> Tensor:
        """Return the plain tensor, which no tape follows."""
        plain: Tensor = lift(self)
        return plain

    def item(self) -> float | int | bool:
        return self.detach().item()

    def is_floating_point(self) -> bool:
        return self.dtype.is_floating_point

    def __len__(self) -> int:
        return len(self.detach())

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def __bool__(self) -> bool:
        return bool(self.detach())

    def __float__(self) -> float:
        return float(self.detach())

    def __int__(self) -> int:
        return int(self.detach())

    __add__ = _operator("add")
    __radd__ = _operator("add", reflected=True)
    __sub__ = _operator("sub")
    __rsub__ = _operator("sub", reflected=True)
    __mul__ = _operator("mul")
    __rmul__ = _operator("mul", reflected=True)
    __truediv__ = _operator("div")
    __rtruediv__ = _operator("div", reflected=True)
    __pow__ = _operator("pow")
    __rpow__ = _operator("pow", reflected=True)
    __matmul__ = _operator("matmul")
    __rmatmul__ = _operator("matmul", reflected=True)
    __neg__ = _operator("neg")
    __abs__ = _operator("abs")
    __getitem__ = _operator("__getitem__")
    __lt__, __le__ = _compare("__lt__"), _compare("__le__")
    __gt__, __ge__ = _compare("__gt__"), _compare("__ge__")
    __eq__, __ne__ = _compare("__eq__"), _compare("__ne__")
    __hash__ = object.__hash__

    def __setitem__(self, key: Any, value: Any) -> None:
        raise TypeError(
            "Variable: expected no assignment in place, for the tape needs the old value; "
            "build the new one with torch.where or dlbook.ops.concatenate"
        )

    def __getattr__(self, name: str) -> Any:
        """Look a tensor method up among the operations that have a rule."""
        if name.startswith("__") or not hasattr(Tensor, name):
            raise AttributeError(f"'Variable' has no attribute {name!r}")
        return partial(implementation(name), self)

    @classmethod
    def __torch_function__(
        cls, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Send ``torch.exp(variable)`` and ``tensor * variable`` to the operation with a rule."""
        name = function.__name__
        if name in _COMPARISONS:
            return function(*map(lift, args), **(kwargs or {}))
        return implementation(name)(*args, **(kwargs or {}))

    def __repr__(self) -> str:
        label = self.tape.names.get(self.index)
        value = str(self.detach()).removeprefix("tensor")
        return f"Variable{value}" if label is None else f"Variable {label} = {value.strip('()')}"


_COMPARISONS = {"lt", "le", "gt", "ge", "eq", "ne", "isnan", "isfinite", "zeros_like", "ones_like"}

# To a type checker a variable is a tensor, since it answers to all that a rule asks of one.
if TYPE_CHECKING:
    Array: TypeAlias = Tensor
    Operand: TypeAlias = Tensor
else:
    Array = Tensor | Variable
    Operand = Array | int | float  # numbers mix with arrays, as in torch


class Row(NamedTuple):
    """One line of a tape: what was computed, from what, with which value and cotangent."""

    place: int
    name: str | None
    operation: str
    inputs: tuple[Any, ...]
    value: Tensor
    cotangent: Tensor | None


class Entry(NamedTuple):
    """What the tape writes down for one call of a primitive."""

    primitive: Primitive[..., Any]
    args: Sequence[Any]  # as they came: variables and constants
    values: Sequence[Any]  # the same, with the values of this tape's variables
    output: Any
    saved: Any  # what the rule reuses, if the primitive saves
    meta: Any  # keyword arguments, such as an axis
    place: int  # of the output on the tape
    wrt: Sequence[tuple[int, int]]  # of its variables: (position, place on the tape)


class Tape:
    r"""A record of a computation, from which reverse mode reads off derivatives.

    Every operation on a variable appends one entry, so the list is in topological order as it
    stands: an entry only uses values from before it. :meth:`gradient` starts from the target's
    cotangent :math:`\bar y` and walks the list backwards; each entry turns the cotangent of its
    output into contributions to those of its inputs, which add up.

    Tapes nest: a variable of one tape may be made a variable of another, and the gradient that
    the inner tape computes is then an ordinary computation on the outer one.

    Example:
        >>> from dlbook.autodiff import Tape
        >>> tape = Tape()
        >>> x, y = tape.variable(3.0, name="x"), tape.variable(4.0, name="y")
        >>> f = (x + y) * x
        >>> tape.gradient(f, (x, y))
        (tensor(10.), tensor(3.))
        >>> print(tape)
        #  name  operation  inputs  value  cotangent
        0  x     variable           3      10
        1  y     variable           4      3
        2        add        x, y    7      3
        3        mul        #2, x   21     1

    Chapter: :doc:`/foundations/autodiff`.
    """

    def __init__(self) -> None:
        self.level = next(_levels)
        self.entries: list[Entry] = []
        self.variables: list[Variable] = []
        self.names: dict[int, str] = {}
        self._asked: tuple[list[Any], list[Any]] | None = None

    def variable(self, value: Any, name: str | None = None) -> Any:
        """Put a tensor on the tape and return its variable; in a dict, list or tuple, each one.

        Args:
            value: a floating-point tensor or a number; a variable of another tape, for higher
                derivatives; or a dict, list or tuple of these, whose structure is kept.
            name: a label for the tape's table and picture. Entries of a dict are labelled by
                their keys.

        Raises:
            TypeError: if a tensor is not of a floating-point type.
        """
        if isinstance(value, Mapping):
            prefix = f"{name}." if name else ""
            return {k: self.variable(v, f"{prefix}{k}") for k, v in value.items()}
        if isinstance(value, (list, tuple)):
            labels = [f"{name}[{i}]" if name else None for i in range(len(value))]
            return _like(value, [self.variable(v, n) for v, n in zip(value, labels)])
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            value = torch.tensor(float(value))
        if not isinstance(value, (Tensor, Variable)):
            raise TypeError(
                f"Tape.variable: expected a tensor, a number or a structure of them, got "
                f"{type(value).__name__}"
            )
        if not value.dtype.is_floating_point:
            raise TypeError(
                f"Tape.variable: expected a floating-point tensor, got {value.dtype} of shape "
                f"{tuple(value.shape)}; nothing else has a derivative"
            )
        variable = self._new(value.detach() if isinstance(value, Tensor) else value)
        if name is not None:
            self.names[variable.index] = name
        return variable

    def _new(self, value: Any) -> Variable:
        variables = self.variables
        variable = Variable(value, self, len(variables))
        variables.append(variable)
        return variable

    def _record(self, primitive: Primitive[..., Any], args: Sequence[Any], meta: Any) -> Any:
        values: list[Any] = []
        wrt: list[tuple[int, int]] = []
        nested = False  # is an input on another tape too?
        for a in args:
            if type(a) is Variable:
                if a.tape is self:
                    wrt.append((len(values), a.index))
                    a = a.value
                if type(a) is Variable:
                    nested = True
            elif isinstance(a, Tensor) and a.requires_grad:
                a = a.detach()  # a constant here: PyTorch's engine has no part in a tape
            values.append(a)
        saved = None
        if nested:  # an ordinary call, which the other tape records; saved values are recomputed
            y = primitive(*values, **meta)
        elif primitive.saves:
            y, saved = primitive.forward(*values, **meta)
        else:
            y = primitive.forward(*values, **meta) if meta else primitive.forward(*values)
        place = len(self.variables)
        output = tuple(map(self._new, y)) if type(y) is tuple else self._new(y)
        self.entries.append(Entry(primitive, args, values, y, saved, meta, place, wrt))
        return output

    def gradient(self, target: Any, sources: Any, cotangent: Any = None) -> Any:
        r"""Return the derivative of ``target`` with respect to ``sources``.

        For a target :math:`y` with cotangent :math:`\bar y` and a source :math:`x`, it is
        :math:`\bar x = (\partial y / \partial x)^\top \bar y`, of the shape of :math:`x`. The
        tape can be asked again, for other targets or sources.

        Args:
            target: a variable of this tape, or a list or tuple of them, whose contributions add.
            sources: a variable of this tape, or any structure of dicts, lists and tuples of them.
            cotangent: :math:`\bar y`, of the target's shape and structure. May be left out where
                the target has one element; it is then 1.

        Returns:
            The structure of ``sources`` with a tensor for each, or ``None`` where the target does
            not depend on the source.

        Raises:
            ValueError: if the target has several elements and no cotangent is given, or the
                cotangent's shape differs from the target's.
            TypeError: if a source is not a variable of this tape.
        """
        targets = list(target) if isinstance(target, (list, tuple)) else [target]
        if cotangent is None:
            seeds = [None] * len(targets)
        elif isinstance(target, (list, tuple)):
            seeds = list(cotangent)
        else:
            seeds = [cotangent]
        if len(seeds) != len(targets):
            raise ValueError(
                f"Tape.gradient: expected one cotangent for each of the {len(targets)} targets, "
                f"got {len(seeds)}"
            )
        wanted: set[int] = set()
        _walk(sources, lambda v: wanted.add(self._own(v)))
        seeds = [self._seed(t, s) for t, s in zip(targets, seeds)]
        self._asked = (targets, seeds)
        bars = self._sweep(targets, seeds, wanted)
        return _walk(sources, lambda v: bars[v.index])

    def _own(self, source: Any) -> int:
        if type(source) is not Variable or source.tape is not self:
            found = "one of another tape" if type(source) is Variable else type(source).__name__
            raise TypeError(
                f"Tape.gradient: expected sources that are variables of this tape, got {found}"
            )
        return source.index

    def _seed(self, target: Any, cotangent: Any) -> Any:
        if type(target) is not Variable or target.tape is not self:
            if type(target) is Variable or isinstance(target, (Tensor, int, float)):
                return None  # a constant to this tape
            raise TypeError(f"Tape.gradient: expected a variable, got {type(target).__name__}")
        if cotangent is None:
            if target.numel() != 1:
                raise ValueError(
                    f"Tape.gradient: expected a cotangent, for the target of shape "
                    f"{tuple(target.shape)} has more than one element"
                )
            return torch.ones_like(target.detach())
        if isinstance(cotangent, (int, float)):
            cotangent = torch.as_tensor(cotangent, dtype=target.dtype, device=target.device)
        if cotangent.shape != target.shape:
            raise ValueError(
                f"Tape.gradient: expected a cotangent of the target's shape "
                f"{tuple(target.shape)}, got {tuple(cotangent.shape)}"
            )
        return cotangent

    def _sweep(
        self, targets: Sequence[Any], seeds: Sequence[Any], wanted: set[int] | None
    ) -> list[Any]:
        """Walk the tape backwards. Cotangents outside ``wanted`` are dropped once used."""
        bars: list[Any] = [None] * len(self.variables)
        for target, seed in zip(targets, seeds):
            if seed is not None:
                i = target.index
                bars[i] = seed if bars[i] is None else bars[i] + seed
        for primitive, _args, values, y, saved, meta, place, wrt in reversed(self.entries):
            if type(y) is tuple:  # several outputs: those that nobody used get zeros
                last = place + len(y)
                parts = bars[place:last]
                if all(part is None for part in parts):
                    continue
                g: Any = tuple(
                    torch.zeros_like(lift(v)) if part is None else part for v, part in zip(y, parts)
                )
            else:
                last = place + 1
                g = bars[place]
                if g is None:  # the target does not depend on this output
                    continue
            if wanted is not None and wanted.isdisjoint(range(place, last)):
                for i in range(place, last):
                    bars[i] = None
            if primitive.saves or meta or primitive.rule is None:
                results = pull(primitive, g, y, saved, values, meta)
            else:
                results = primitive.rule(g, y, *values)
            broadcast = primitive.broadcast
            for position, i in wrt:
                bar = results[position]
                if bar is None:
                    continue
                if not isinstance(bar, (Tensor, Variable)):
                    bar = bar()  # computed only now that it is needed
                if broadcast:
                    bar = sum_to_shape(bar, values[position].shape)
                known = bars[i]
                bars[i] = bar if known is None else known + bar
        return bars

    def rows(self) -> list[Row]:
        """Return the tape as a list of rows, with the cotangents of the last gradient asked for.

        An input that is on the tape is given by its index; any other as the value it had.
        """
        bars: list[Any] = [None] * len(self.variables)
        if self._asked is not None:
            bars = self._sweep(*self._asked, None)
            bars += [None] * (len(self.variables) - len(bars))
        made: dict[int, tuple[str, tuple[Any, ...]]] = {}
        for entry in self.entries:
            on_tape = dict(entry.wrt)
            inputs = tuple(
                Variable(v, self, on_tape[i]) if i in on_tape else v
                for i, v in enumerate(entry.values)
            )
            for i in range(len(entry.output) if type(entry.output) is tuple else 1):
                made[entry.place + i] = (entry.primitive.__name__.strip("_"), inputs)
        rows = []
        for v in self.variables:
            operation, inputs = made.get(v.index, ("variable", ()))
            bar = bars[v.index]
            rows.append(
                Row(
                    v.index,
                    self.names.get(v.index),
                    operation,
                    tuple(self.variables[a.index] if type(a) is Variable else a for a in inputs),
                    v.detach(),
                    None if bar is None else lift(bar),
                )
            )
        return rows

    def __str__(self) -> str:
        table = [("#", "name", "operation", "inputs", "value", "cotangent")]
        for row in self.rows():
            inputs = ", ".join(
                self.names.get(a.index, f"#{a.index}") if type(a) is Variable else _show(a)
                for a in row.inputs
            )
            cotangent = "" if row.cotangent is None else _show(row.cotangent)
            table.append(
                (
                    str(row.place),
                    row.name or "",
                    row.operation,
                    inputs,
                    _show(row.value),
                    cotangent,
                )
            )
        widths = [max(map(len, column)) for column in zip(*table)]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip()
            for line in table
        )

    def __repr__(self) -> str:
        return f"<Tape with {len(self.entries)} operations on {len(self.variables)} values>"


def _show(value: Any) -> str:
    """A value in few characters: a number, up to six elements, or the shape."""
    if isinstance(value, Tensor):
        if value.numel() == 1 and value.ndim == 0:
            return f"{value.item():.6g}"
        if value.ndim == 1 and value.numel() <= 6:
            return "[" + ", ".join(f"{v:.4g}" for v in value.tolist()) + "]"
        return "×".join(map(str, value.shape)) or "scalar"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _like(original: Any, items: Sequence[Any]) -> Any:
    """Build a list, tuple or named tuple of ``original``'s type."""
    if hasattr(original, "_fields"):
        return type(original)(*items)
    return type(original)(items)


def _walk(structure: Any, function: Callable[[Any], Any]) -> Any:
    """Apply a function to every leaf of nested dicts, lists and tuples, and keep the structure."""
    if isinstance(structure, Mapping):
        return {key: _walk(value, function) for key, value in structure.items()}
    if isinstance(structure, (list, tuple)):
        return _like(structure, [_walk(value, function) for value in structure])
    return function(structure)

"""What is wrong with a value, said in words: the diagnoses that every exercise shares."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from dlbook.exercises._transfer import Odd, show

AXES = {
    "B": "the batch size",
    "T": "the number of time steps",
    "C": "the number of channels",
    "H": "the height",
    "W": "the width",
    "D": "the number of features",
    "K": "the number of classes",
    "N": "the number of samples",
}


@dataclass(frozen=True)
class Tolerance:
    """How far a right answer may be from the reference; None means: as the dtype allows."""

    rtol: int | float | None = None
    atol: int | float | None = None

    def of(self, dtype: torch.dtype | None) -> tuple[float, float]:
        """Return the relative and absolute tolerance for this dtype (None: a Python float)."""
        loose = {torch.float32: 1e-4, torch.float16: 1e-2, torch.bfloat16: 4e-2}
        rtol = loose.get(dtype, 1e-6) if dtype is not None else 1e-4
        return (
            rtol if self.rtol is None else float(self.rtol),
            rtol * 0.1 if self.atol is None else float(self.atol),
        )


@dataclass(frozen=True)
class Setting:
    """What the diagnoses may speak of: the inputs, their names and axes."""

    inputs: tuple[Any, ...] = ()
    names: tuple[str, ...] = ()
    axes: Mapping[str, str] | None = None
    outputs: tuple[str, ...] = ()
    lenient: bool = False


def close(got: Tensor, expected: Tensor, tolerance: Tolerance) -> bool:
    """Return whether two tensors of one shape agree; NaN equals NaN."""
    if got.shape != expected.shape:
        return False
    if not (expected.is_floating_point() or expected.is_complex()):
        return bool(torch.equal(got.to(expected.dtype), expected))
    rtol, atol = tolerance.of(expected.dtype)
    finite = expected[expected.isfinite()].abs()
    size = finite.max().item() if finite.numel() else 1.0
    if tolerance.atol is None and size:
        atol *= size
    return torch.allclose(_wide(got), _wide(expected), rtol=rtol, atol=atol, equal_nan=True)


def _wide(x: Tensor) -> Tensor:
    return x.to(torch.complex128 if x.is_complex() else torch.float64)


def same(got: Any, expected: Any, tolerance: Tolerance, *, lenient: bool = False) -> bool:
    """Return whether the whole value agrees with the expected one."""
    return mistake(got, expected, tolerance, Setting(lenient=lenient), explain=False) is None


def mistake(
    got: Any,
    expected: Any,
    tolerance: Tolerance,
    setting: Setting,
    *,
    explain: bool = True,
    path: str = "the result",
) -> str | None:
    """Return what is wrong with ``got``, or None where it agrees with ``expected``."""
    if setting.lenient:
        got = _lenient(got, expected)
    if isinstance(expected, Tensor):
        return _tensor_mistake(got, expected, tolerance, setting, explain, path)
    if isinstance(expected, dict):
        if not isinstance(got, dict):
            return f"{path} should be a dict, got {kind(got)}"
        if set(got) != set(expected):
            return f"{path} should have the keys {sorted(expected)}, got {sorted(got)}"
        pairs = [(f"{path}[{key!r}]", got[key], expected[key]) for key in expected]
        return _first(pairs, tolerance, setting, explain)
    if isinstance(expected, list | tuple):
        if not isinstance(got, list | tuple):
            return f"{path} should be {kind(expected)}, got {kind(got)}"
        if len(got) != len(expected):
            return f"{path} should be {kind(expected)}, got {kind(got)}"
        if explain and _misordered(got, expected):
            return f"{path} has the right numbers in the wrong order"
        names = setting.outputs if len(setting.outputs) == len(expected) else ()
        pairs = [
            (names[i] if names and path == "the result" else f"{path}[{i}]", g, e)
            for i, (g, e) in enumerate(zip(got, expected))
        ]
        return _first(pairs, tolerance, setting, explain)
    if expected is None:
        return None if got is None else f"{path} should be None, got {kind(got)}"
    if got is None:
        return f"{path} is None: is a `return` missing?"
    if isinstance(expected, str):
        if not isinstance(got, str):
            return f"{path} should be a text (a string), got {kind(got)}"
        agrees = got.strip().casefold() == expected.strip().casefold()
        return None if agrees else f"{path} should not be {got!r}"
    if isinstance(expected, bool):
        plain = got.item() if isinstance(got, Tensor) and got.numel() == 1 else got
        if not isinstance(plain, bool):
            return f"{path} should be True or False, got {kind(got)}"
        return None if plain == expected else f"{path} should not be {plain}"
    if isinstance(expected, int | float | complex):
        return _number_mistake(got, expected, tolerance, setting, explain, path)
    return f"{path}: the reference returns {kind(expected)}, which can't be compared"


def _misordered(got: Sequence[Any], expected: Sequence[Any]) -> bool:
    """Return whether both hold the same plain numbers, in another order."""
    plain = all(isinstance(x, int | float) for x in (*got, *expected))
    return plain and list(got) != list(expected) and sorted(got) == sorted(expected)


def _first(
    pairs: Sequence[tuple[str, Any, Any]], tolerance: Tolerance, setting: Setting, explain: bool
) -> str | None:
    """Return the first mistake among several parts, with the parts that are right."""
    found = [
        (name, mistake(g, e, tolerance, setting, explain=explain, path=name))
        for name, g, e in pairs
    ]
    wrong = [text for _, text in found if text]
    if not wrong:
        return None
    right = [name for name, text in found if not text]
    if not right or len(found) > 6:
        return wrong[0]
    listed = right[0] if len(right) == 1 else ", ".join(right[:-1]) + " and " + right[-1]
    return f"{wrong[0]} ({listed} {'is' if len(right) == 1 else 'are'} right)"


def kind(value: Any) -> str:
    """Return what sort of value this is, with its shape or length."""
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    if isinstance(value, Odd):
        return value.what
    if isinstance(value, list | tuple):
        return f"a {type(value).__name__} of {len(value)} value{'s' * (len(value) != 1)}"
    if value is None:
        return "None"
    if isinstance(value, str):
        return f"the text {show(value)}"
    if isinstance(value, bool | int | float | complex):
        return f"the number {show(value)}" if not isinstance(value, bool) else str(value)
    return f"a {type(value).__name__}"


def _lenient(got: Any, expected: Any) -> Any:
    """Read a value typed by hand as what is expected, where that loses nothing."""
    if isinstance(got, Odd) and got.value is not None:
        got = got.value
    if isinstance(expected, Tensor):
        if isinstance(got, list | tuple | int | float | bool):
            try:
                got = torch.tensor(got, dtype=torch.float64)
            except (TypeError, ValueError, RuntimeError):
                return got
        if isinstance(got, Tensor) and not got.is_complex():
            return got.to(torch.float64).to(expected.dtype) if _fits(got, expected) else got
    if isinstance(expected, list | tuple) and isinstance(got, Tensor) and got.dim() >= 1:
        return got.tolist()
    return got


def _fits(got: Tensor, expected: Tensor) -> bool:
    return expected.is_floating_point() or bool((got == got.round()).all())


def _number_mistake(
    got: Any,
    expected: int | float | complex,
    tolerance: Tolerance,
    setting: Setting,
    explain: bool,
    path: str,
) -> str | None:
    if isinstance(got, Tensor) and got.numel() == 1:
        got = got.item()
    if isinstance(got, bool) or not isinstance(got, int | float | complex):
        return f"{path} should be a number, got {kind(got)}"
    if isinstance(got, complex) and not isinstance(expected, complex):
        return f"{path} should be a real number, got {got}"
    if isinstance(expected, int) and tolerance.atol is None:
        agrees = got == expected
    else:
        rtol, atol = tolerance.of(None)
        exact = got == expected or (got != got and expected != expected)
        agrees = exact or abs(got - expected) <= atol + rtol * abs(expected)
    if agrees:
        return None
    if not explain:
        return "wrong"
    if isinstance(got, complex) or isinstance(expected, complex):
        return f"{path} is not right: got {got}"
    bad = _not_finite(
        torch.tensor(got, dtype=torch.float64),
        torch.tensor(expected, dtype=torch.float64),
        path,
    )
    if bad:
        return bad
    if setting.lenient:  # a value answer: don't give the solution away
        if got == -expected:
            return f"{path} has the wrong sign"
        return f"{path} should not be {show(got)}"
    return _number_pattern(
        torch.tensor([got], dtype=torch.float64),
        torch.tensor([expected], dtype=torch.float64),
        Tolerance(*tolerance.of(None)),
        setting,
        path,
    )


def _tensor_mistake(
    got: Any, expected: Tensor, tolerance: Tolerance, setting: Setting, explain: bool, path: str
) -> str | None:
    want = f"a tensor of shape {tuple(expected.shape)}"
    if got is None:
        return f"{path} is None: is a `return` missing?"
    if not isinstance(got, Tensor):
        advice = ""
        if isinstance(got, bool | int | float) and expected.numel() == 1:
            advice = ": leave out `.item()` or `float(…)`"
        return f"{path} should be {want}, got {kind(got)}{advice}"
    if got.shape != expected.shape:
        return f"{path} {_shape_mistake(got, expected, setting)}"
    if got.dtype != expected.dtype:
        name, wanted = _dtype(got), _dtype(expected)
        return f"{path} has dtype {name}, expected {wanted}"
    if close(got, expected, tolerance):
        return None
    if not explain:
        return "wrong"
    if not (expected.is_floating_point() or expected.is_complex()):
        off = got != expected
        count = int(off.sum())
        return (
            f"{path} differs from the reference in {count} of {off.numel()} places"
            f"{_at(got, expected, setting)}"
        )
    bad = _not_finite(got, expected, path)
    if bad:
        return bad
    return _number_pattern(_wide(got), _wide(expected), tolerance, setting, path)


def _dtype(x: Tensor) -> str:
    return str(x.dtype).removeprefix("torch.")


def _shape_mistake(got: Tensor, expected: Tensor, setting: Setting) -> str:
    g, e = tuple(got.shape), tuple(expected.shape)
    text = f"has shape {g}, expected {e}"
    if len(g) == 2 and g == e[::-1]:
        return f"{text}: it is transposed"
    if got.numel() == expected.numel():
        return f"{text}: the same number of values in another shape"
    if len(g) == len(e) - 1 and len(e) > 0 and g == e[1:]:
        return f"{text}: the first axis is gone; was it summed or averaged away?"
    if len(g) == len(e) + 1 and g[1:] == e:
        return f"{text}: is a sum or a mean over the first axis missing?"
    if g == () and e != ():
        return f"{text}: everything was added up to one number"
    return text


def _not_finite(got: Tensor, expected: Tensor, path: str) -> str | None:
    for name, test in (("NaN", torch.isnan), ("infinite", torch.isinf)):
        count = int((test(got) & ~test(expected)).sum())
        if count and expected.numel() > 1:
            return f"{path} is {name} in {count} of {expected.numel()} places"
        if count:
            return f"{path} is {name}"
    return None


def _number_pattern(g: Tensor, e: Tensor, tolerance: Tolerance, setting: Setting, path: str) -> str:
    """Name the relation between a wrong tensor and the right one of the same shape."""
    for name, x in zip(setting.names, setting.inputs):
        if isinstance(x, Tensor) and x.shape == g.shape and close(g, _wide(x), tolerance):
            return f"{path} is the input `{name}`, unchanged"
    if not bool((g != 0).any()):
        return f"{path} is zero everywhere"
    finite = g.isfinite() & e.isfinite()
    if not g.is_complex() and bool(finite.all()):
        factor = _factor(g, e, tolerance)
        if factor is not None and abs(factor - 1) >= 1e-3:
            return _factor_text(factor, e, setting, path)
    if g.dim() == 2 and g.shape[0] == g.shape[1] and close(g.T, e, tolerance):
        return f"{path} is transposed"
    if not g.is_complex() and bool(finite.all()):
        if g.numel() > 1:
            offset = (g - e).mean()
            if close(g - offset, e, tolerance) and float(offset.abs()) > 0:
                return f"{path} is too {'large' if offset > 0 else 'small'} by the constant " + (
                    f"{abs(float(offset)):.4g} everywhere"
                )
        if close(g.abs(), e.abs(), tolerance):
            count = int((torch.sign(g) != torch.sign(e)).sum())
            return f"{path} has the right sizes but the wrong sign in {count} of {g.numel()} places"
        where = (g == 0) != (e == 0)
        if bool(where.any()) and close(torch.where(where, e, g), e, tolerance):
            zero = int(((g == 0) & where).sum())
            if zero == int(where.sum()):
                return f"{path} is zero in {zero} places where it should not be"
            if zero == 0:
                return f"{path} should be zero in {int(where.sum())} places where it is not"
            return f"{path} has its zeros in the wrong places, {int(where.sum())} of {g.numel()}"
        if g.numel() > 1 and close(g.flatten().sort().values, e.flatten().sort().values, tolerance):
            return f"{path} has the right values in the wrong places"
        size = float(e.abs().max())
        gap = float((g - e).abs().max()) / size if size else math.inf
        if gap < 1e-2 and not setting.lenient:
            return f"{path} is nearly right: it is off by {gap:.1g} of its largest value"
    return f"{path} is not right{_at(g, e, setting)}"


def _factor(g: Tensor, e: Tensor, tolerance: Tolerance) -> float | None:
    """Return k where g = k·e (k ≠ 0, 1), else None."""
    square = float((e * e).sum())
    if square == 0:
        return None
    k = float((g * e).sum()) / square
    if not math.isfinite(k) or abs(k) < 1e-8 or abs(k - 1) < 1e-9:
        return None
    return k if close(g / k, e, tolerance) else None


def _factor_text(k: float, e: Tensor, setting: Setting, path: str) -> str:
    if abs(k + 1) < 1e-3:
        return f"{path} has the wrong sign"
    sign = " and has the wrong sign" if k < 0 else ""
    size = abs(k)
    if size > 1:
        times, word, advice = size, "large", "is a mean over it missing?"
    else:
        times, word, advice = 1 / size, "small", "is there a mean where a sum belongs?"
    number = f"{round(times)}" if abs(times - round(times)) < 1e-3 * times else f"{times:.4g}"
    text = f"{path} is {number} times too {word}{sign}"
    size_of = _sizes(round(times), setting) if number == f"{round(times)}" and times > 1.5 else ""
    return f"{text}; {number} is {size_of}: {advice}" if size_of else text


def _sizes(count: int, setting: Setting) -> str:
    """Return what has this size: an axis of an input, or all of an input's values."""
    letters: dict[str, int] = {}
    for name, x in zip(setting.names, setting.inputs):
        axes = (setting.axes or {}).get(name, "").split()
        if isinstance(x, Tensor) and len(axes) == x.dim():
            letters.update(zip(axes, x.shape))
    for letter, size in letters.items():
        if size == count:
            return f"{AXES.get(letter, 'the size')} {letter}"
    found = []
    for name, x in zip(setting.names, setting.inputs):
        if not isinstance(x, Tensor):
            continue
        found += [f"the size of axis {i} of `{name}`" for i, n in enumerate(x.shape) if n == count]
        if x.dim() > 1 and x.numel() == count:
            found.append(f"the number of values in `{name}`")
    return found[0] if found else ""


def _at(got: Tensor, expected: Tensor, setting: Setting) -> str:
    """Return where the two differ most, with both numbers."""
    if setting.lenient:
        return ""
    if expected.dim() == 0 or expected.numel() == 1:
        return f": expected {expected.item():.6g}, got {got.item():.6g}"
    gap = (got.to(torch.complex128) - expected.to(torch.complex128)).abs().nan_to_num(nan=math.inf)
    place = int(gap.flatten().argmax())
    index = tuple(int(i) for i in torch.unravel_index(torch.tensor(place), expected.shape))
    name = ", ".join(map(str, index))
    wanted, found = expected[index].item(), got[index].item()
    return f": at index [{name}] expected {wanted:.6g}, got {found:.6g}"

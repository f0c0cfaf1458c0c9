"""Python's built-in functions on what is under reading."""

# What is under reading is anything: there is little for a type checker to know.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from retrograde.errors import UnsupportedError
from retrograde.program.primitive import PRIMITIVES
from retrograde.program.symbol import Symbol
from retrograde.python.reading.values.arrays import Array
from retrograde.python.reading.values.calls import call, replaces
from retrograde.python.reading.values.handle import Handle
from retrograde.python.reading.values.heap import Heap
from retrograde.python.reading.values.numbers import Number, as_python, cast, converted, kind_of, wider
from retrograde.python.reading.values.whole import check_convertible


@replaces(len)
def _length(heap: Heap, value: Any) -> Any:
    if not isinstance(value, Array):
        return len(value)
    if not value.ndim:
        raise TypeError("len() of unsized object")
    return value.shape[0]


def python_number(heap: Heap, value: Any) -> Any:
    """A number or an array of one element as a number of Python."""
    if isinstance(value, Array):
        content = value.read()
        if isinstance(content, np.ndarray):
            return content.item()
        value = heap.number(np.reshape(content, ()) if content.ndim else content)
    return as_python(value) if isinstance(value, Number) and value.kind is None else value


@replaces(float)
def _float(heap: Heap, value: Any = 0.0) -> Any:
    return _converted(heap, value, float)


@replaces(int)
def _int(heap: Heap, value: Any = 0, *others: Any) -> Any:
    return int(value, *others) if others else _converted(heap, value, int)


@replaces(complex)
def _complex(heap: Heap, real: Any = 0, imag: Any = 0) -> Any:
    if not isinstance(imag, Handle):
        return _converted(heap, real, complex) + imag * 1j if imag else _converted(heap, real, complex)
    return real + python_number(heap, imag) * 1j


def _converted(heap: Heap, value: Any, kind: type) -> Any:
    if not isinstance(value, Handle):
        return kind(value)
    number = python_number(heap, value)
    if not isinstance(number, Number):
        return kind(number)
    if number.kind is complex and kind is not complex:
        raise TypeError(f"{kind.__name__}() argument must be a real number, not 'complex'; write x.real")
    return _as_int(number) if kind is int else converted(number, kind)


def _as_int(number: Number) -> Number:
    check_convertible(number.heap, number)
    return converted(number, int)


@replaces(bool)
def _bool(heap: Heap, value: Any = False) -> Any:
    if isinstance(value, Number):
        return value if value.kind is bool else heap.number(value.symbol != 0, bool)
    return bool(value)


def rounded(value: Handle, digits: Any = None) -> Any:
    """What `round(x)` gives."""
    heap = value.heap
    if isinstance(value, Number) and digits is None:
        weak = value.kind
        if weak in (bool, int):
            return converted(value, int)
        return _as_int(heap.number(np.round(value.symbol), float))
    if isinstance(value, Number) and value.kind is float:
        raise UnsupportedError(
            "round(x, digits) of a number of Python was asked for, which goes by its decimal spelling; write "
            "np.round(x, digits)"
        )
    return call(heap, np.round, (value, digits or 0), {})


@replaces(abs)
def _abs(heap: Heap, value: Any) -> Any:
    return abs(value)


@replaces(pow)
def _pow(heap: Heap, base: Any, exponent: Any, modulus: Any = None) -> Any:
    return base**exponent if modulus is None else base**exponent % modulus


def _is_long(values: Any) -> bool:
    """Whether a value is an array whose length only the run knows."""
    return isinstance(values, Array) and bool(values.ndim) and not isinstance(values.shape[0], int)


def _folded(values: Array, first: int, start: Any, step: Callable[[Any, Any], Any]) -> Any:
    """What a function of two makes of an array's elements one after the other, as a loop of the program."""
    heap, content = values.heap, values.read()

    def body(index: Symbol, total: Symbol) -> Any:
        return step(heap.wrap(total), heap.wrap(content[index + first] if first else content[index])).operand()

    return heap.wrap(heap.builder.loop(content.shape[0] - first, body, start.operand()))


@replaces(sum)
def _sum(heap: Heap, values: Any, /, start: Any = 0) -> Any:
    if _is_long(values):
        zero = values[0] * 0 + start
        return _folded(values, 0, zero, lambda total, item: total + item)
    total = start
    for value in values:
        total = total + value
    return total


def _chosen(name: str, better: Callable[[Any, Any], Any]) -> None:
    function: Any = {"min": min, "max": max}[name]

    def chosen(heap: Heap, *values: Any, key: Any = None, **default: Any) -> Any:
        if len(values) == 1 and _is_long(values[0]) and key is None:
            row = values[0]
            return _folded(row, 1, row[0], lambda best, item: _choice(heap, better(item, best), item, best))
        if len(values) == 1:
            values = tuple(values[0])
        if key is not None or not any(isinstance(value, Handle) for value in values):
            return function(values, key=key, **default)
        best = values[0]
        for value in values[1:]:
            best = _choice(heap, better(value, best), value, best)
        return best

    replaces(function)(chosen)


_chosen("min", lambda value, best: value < best)
_chosen("max", lambda value, best: value > best)


def _choice(heap: Heap, condition: Any, one: Any, other: Any) -> Any:
    """`one if condition else other`, of numbers."""
    if not isinstance(condition, Handle):
        return one if condition else other
    if isinstance(condition, Array):
        return one if bool(condition) else other
    kinds = kind_of(one), kind_of(other)
    if kinds[0] is not None and kinds[1] is not None:
        kind = wider(kinds[0], kinds[1])
        return heap.number(np.where(condition.operand(), cast(one, kind), cast(other, kind)), kind)
    return heap.number(call(heap, np.where, (condition, one, other)).read())


@replaces(divmod)
def _divmod(heap: Heap, one: Any, other: Any) -> Any:
    return one // other, one % other


_OF_MATH: dict[str, Any] = {
    "sin": np.sin, "cos": np.cos, "tan": np.tan, "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan,
    "atan2": np.arctan2, "sinh": np.sinh, "cosh": np.cosh, "tanh": np.tanh, "asinh": np.arcsinh, "acosh": np.arccosh,
    "atanh": np.atanh, "exp": np.exp, "exp2": np.exp2, "expm1": np.expm1, "log2": np.log2, "log10": np.log10,
    "log1p": np.log1p, "sqrt": np.sqrt, "cbrt": np.cbrt, "fabs": np.fabs, "pow": np.power, "fmod": np.fmod,
    "copysign": np.copysign, "degrees": np.degrees, "radians": np.radians,
}  # fmt: skip

_TESTS: dict[str, Any] = {"isnan": np.isnan, "isinf": np.isinf, "isfinite": np.isfinite}
_TO_INT: dict[str, Any] = {"floor": np.floor, "ceil": np.ceil, "trunc": np.trunc}


def _double(heap: Heap, value: Any) -> Any:
    """What functions of `math` make of an argument first."""
    number = _converted(heap, value, float)
    return number.symbol if isinstance(number, Number) else number


def _declare_math(name: str, function: Any, result: type) -> None:
    original = getattr(math, name)

    def of_math(heap: Heap, *values: Any) -> Any:
        if not any(isinstance(value, Handle) for value in values):
            return original(*values)
        made = heap.number(function(*(_double(heap, value) for value in values)), float if result is int else result)
        return _as_int(made) if result is int else made

    replaces(original)(of_math)


for _name, _function in _OF_MATH.items():
    _declare_math(_name, _function, float)
for _name, _function in _TESTS.items():
    _declare_math(_name, _function, bool)
for _name, _function in _TO_INT.items():
    _declare_math(_name, _function, int)


@replaces(math.log)
def _log(heap: Heap, value: Any, base: Any = None) -> Any:
    if not (isinstance(value, Handle) or isinstance(base, Handle)):
        return math.log(value) if base is None else math.log(value, base)
    logarithm = heap.number(np.log(_double(heap, value)), float)
    return logarithm if base is None else logarithm / _log(heap, base)


@replaces(math.hypot)
def _hypot(heap: Heap, *values: Any) -> Any:
    if not any(isinstance(value, Handle) for value in values):
        return math.hypot(*values)
    parts = [_double(heap, value) for value in values]
    total = parts[0]
    for part in parts[1:]:
        total = np.hypot(total, part)
    return heap.number(total if len(parts) > 1 else np.abs(total), float)


@replaces(math.dist)
def _dist(heap: Heap, one: Any, other: Any) -> Any:
    return _hypot(heap, *(mine - theirs for mine, theirs in zip(one, other, strict=True)))


@replaces(math.fsum)
def _fsum(heap: Heap, values: Any) -> Any:
    """As `sum`: the last bits, which `math.fsum` gets right, are those of a sum from left to right."""
    found = values if _is_long(values) else list(values)
    if not isinstance(found, Array) and not any(isinstance(value, Handle) for value in found):
        return math.fsum(found)
    return _sum(heap, found, 0.0)


@replaces(math.isclose)
def _isclose(heap: Heap, a: Any, b: Any, *, rel_tol: Any = 1e-09, abs_tol: Any = 0.0) -> Any:
    if not any(isinstance(value, Handle) for value in (a, b, rel_tol, abs_tol)):
        return math.isclose(a, b, rel_tol=rel_tol, abs_tol=abs_tol)
    one, other, relative, absolute = (_double(heap, value) for value in (a, b, rel_tol, abs_tol))
    allowed = np.maximum(relative * np.maximum(np.abs(one), np.abs(other)), absolute)
    near = np.isfinite(one) & np.isfinite(other) & (np.abs(one - other) <= allowed)
    return heap.number((one == other) | near, bool)


def _declare_special(name: str, primitive: str) -> None:
    original = getattr(math, name)

    def special(heap: Heap, value: Any) -> Any:
        if not isinstance(value, Handle):
            return original(value)
        return heap.number(heap.builder.emit(PRIMITIVES[primitive], (_double(heap, value),), {}), float)

    replaces(original)(special)


for _name, _primitive in {"erf": "erf", "erfc": "erfc", "gamma": "gamma", "lgamma": "gammaln"}.items():
    _declare_special(_name, _primitive)


def _declare_counting(name: str) -> None:
    original = getattr(math, name)

    def of_known(heap: Heap, *values: Any) -> Any:
        if any(isinstance(value, Array) for value in values):
            raise UnsupportedError(f"math.{name} was asked of an array; give it whole numbers")
        purpose = f"an argument of math.{name}"
        return original(*(value.known(purpose) if isinstance(value, Number) else value for value in values))

    replaces(original)(of_known)


for _name in ("gcd", "lcm", "factorial", "comb", "perm", "isqrt"):
    _declare_counting(_name)

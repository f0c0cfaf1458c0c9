"""Operators on what is under reading: Python's rules between its numbers, NumPy's as soon as one is of NumPy."""

# What is under reading is anything: there is little for a type checker to know.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from retrograde.errors import UnsupportedError
from retrograde.program.kinds import is_list, is_tuple
from retrograde.python.reading.values.handle import Handle
from retrograde.python.reading.values.heap import Heap
from retrograde.python.reading.values.numbers import DTYPES, Number, cast, kind_of, wider
from retrograde.python.reading.values.whole import check_whole, fits

OPERATORS: dict[str, Callable[..., Any]] = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": operator.truediv,
    "floor_divide": operator.floordiv,
    "remainder": operator.mod,
    "power": operator.pow,
    "matmul": operator.matmul,
    "bitwise_and": operator.and_,
    "bitwise_or": operator.or_,
    "bitwise_xor": operator.xor,
    "left_shift": operator.lshift,
    "right_shift": operator.rshift,
    "less": operator.lt,
    "less_equal": operator.le,
    "greater": operator.gt,
    "greater_equal": operator.ge,
    "equal": operator.eq,
    "not_equal": operator.ne,
}
"""By the name of the ufunc."""

COMPARISONS = frozenset({"less", "less_equal", "greater", "greater_equal", "equal", "not_equal"})
_BITS = frozenset({"bitwise_and", "bitwise_or", "bitwise_xor"})
_WHOLE = frozenset({"floor_divide", "remainder", "less", "less_equal", "greater", "greater_equal"})


def binary(name: str, left: Any, right: Any) -> Any:
    """The result of an operator, one of whose operands is under reading; NotImplemented if it is not for numbers."""
    heap: Heap = left.heap if isinstance(left, Handle) else right.heap
    if name == "multiply":
        for one, other in ((left, right), (right, left)):
            if isinstance(other, Number) and other.dtype.kind in "biu" and (is_list(one) or is_tuple(one)):
                return one * other.known("how often a list is repeated")
    kinds = kind_of(left), kind_of(right)
    if kinds[0] is not None and kinds[1] is not None:
        return _of_python(heap, name, left, right, kinds[0], kinds[1])
    if not (_is_numeric(left) and _is_numeric(right)):
        return NotImplemented
    return heap.wrap(OPERATORS[name](*operands((left, right), compared=name in COMPARISONS)))


def unary(name: str, value: Handle) -> Any:
    """The result of an operator with one operand."""
    weak = kind_of(value)
    if weak is None:
        symbol = value.operand()
        if name == "positive" and symbol.dtype.kind == "b":
            raise TypeError("bad operand type for unary +: an array of bool")
        return value.heap.wrap(getattr(np, name)(symbol))
    kind = int if weak is bool else weak
    result = getattr(np, name)(cast(value, kind))
    return value.heap.number(result, float if name == "absolute" and kind is complex else kind)


def _of_python(heap: Heap, name: str, left: Any, right: Any, one: type, other: type) -> Any:
    kind = wider(one, other)
    if name == "matmul" or (name in _WHOLE and kind is complex) or (name in _BITS and kind in (float, complex)):
        raise TypeError(f"{name} of {one.__name__} and {other.__name__} was asked for, which Python does not know")
    left, right = fits(left), fits(right)
    if name in COMPARISONS:
        return heap.number(OPERATORS[name](cast(left, one), cast(right, other)), bool)
    if name in _BITS:
        return heap.number(OPERATORS[name](cast(left, kind), cast(right, kind)), kind)
    if kind is bool:
        kind = int
    if name == "divide":
        kind = wider(kind, float)
    if name == "power" and kind is int and _is_negative(right):
        kind = float
    if kind is int or (name == "divide" and other is int):
        check_whole(heap, name, left, right)
    operate = OPERATORS[name]
    if name == "power" and wider(one, other) is not kind:
        return heap.number(operate(cast(left, float), opened(right)), kind)
    return heap.number(operate(_counted(left, one), _counted(right, other)), kind)


def _counted(value: Any, kind: type) -> Any:
    """An operand of arithmetic, in which truth values are numbers; others are promoted by the operation."""
    return cast(value, int if kind is bool else kind)


def _is_negative(value: Any) -> bool:
    if not isinstance(value, Number):
        return value < 0
    made = value.heap.builder.instruction_of(value.symbol)
    return made is not None and made.primitive.name == "negative"


def _is_numeric(value: Any) -> bool:
    return isinstance(value, (Handle, np.ndarray, np.generic, bool, int, float, complex, list, tuple))


def operands(values: tuple[Any, ...], *, compared: bool = False) -> list[Any]:
    """What instructions get for values that NumPy promotes together: numbers of Python take the arrays' dtype.

    Args:
        values: arrays and numbers, known or not, and lists of them.
        compared: they are compared with each other: integers of all sizes can be.
    """
    parts = list(map(opened, values))
    strong = [part.dtype for part, value in zip(parts, values, strict=True) if kind_of(value) is None]
    if not strong:
        return parts
    common = np.result_type(*strong)
    for at, value in enumerate(values):
        if not isinstance(value, Number) or value.kind is None:
            continue
        wanted = np.result_type(common, value.kind(0))
        if compared and wanted.kind in "iu":
            continue
        if np.result_type(common, DTYPES[value.kind]) != wanted:
            parts[at] = np.astype(value.symbol, wanted)  # pyright: ignore
    return parts


def opened(value: Any) -> Any:
    """The operand for a value: handles as what they hold, lists of numbers and arrays as arrays."""
    if isinstance(value, Handle):
        return value.operand()
    if is_list(value) or is_tuple(value):
        parts = list(map(opened, value))
        return np.stack(parts) if any(not isinstance(part, _KNOWN) for part in parts) else np.asarray(parts)
    if value is None or isinstance(value, str):
        raise UnsupportedError(f"{value!r} was used as a number or an array; give it one")
    return value


_KNOWN = (np.ndarray, np.generic, bool, int, float, complex)

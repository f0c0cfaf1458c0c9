"""Integers of Python in programs, which hold 64 bits: checks where Python's would grow beyond, or raise an error."""

# What is under reading is anything: there is little for a type checker to know.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

from typing import Any

import numpy as np

from retrograde.errors import UnsupportedError
from retrograde.program.model import Variable, variables_in
from retrograde.program.symbol import Symbol
from retrograde.program.types import Size
from retrograde.python.reading.values.heap import Heap
from retrograde.python.reading.values.numbers import Number

_BITS = 63
_DEEPEST = 12


def fits(value: Any) -> Any:
    """An integer that a program can hold, or any other operand.

    Raises:
        UnsupportedError: it has more than 64 bits.
    """
    if type(value) is int and not -(2**_BITS) <= value < 2**_BITS:
        raise UnsupportedError(
            f"the integer {value} meets numbers that only the run knows, and has more than 64 bits; write it with "
            "floats, or compute with NumPy's uint64"
        )
    return value


def check_convertible(heap: Heap, value: Number) -> None:
    """Have the run check that a number which becomes an integer of Python is one."""
    if value.dtype.kind == "f":
        place = heap.builder.place
        where = f"line {place.line}: " if place else ""
        fails = np.logical_not(np.abs(value.symbol) < 2.0**_BITS)
        heap.check(fails, ValueError, f"{where}NaN, an infinity or more than 64 bits were to become an integer")


def check_whole(heap: Heap, name: str, left: Any, right: Any) -> None:
    """Have the run check an operation on integers of Python, one of which only the run knows."""
    checked = _CHECKED.get(name)
    if checked is not None:
        checked(heap, left, right)


def _division(heap: Heap, left: Any, right: Any) -> None:
    if not isinstance(right, Number):
        if not right:
            heap.check(True, ZeroDivisionError, "division by zero")
    elif not _is_positive(heap, right.symbol):
        heap.check(right.symbol == 0, ZeroDivisionError, "division by zero")


def _is_positive(heap: Heap, symbol: Symbol) -> bool:
    """Whether a number is certainly 1 or more: a size, or what a loop counts plus a constant."""
    extent = symbol.variable.extent
    if isinstance(extent, Size):
        return heap.is_at_least(extent, 1)
    made = heap.builder.instruction_of(symbol)
    if made is None or made.primitive.name != "add":
        return False
    counter, constant = made.operands if isinstance(made.operands[0], Variable) else made.operands[::-1]
    return not isinstance(constant, Variable) and constant > 0 and heap.is_counter(counter)


def _power(heap: Heap, left: Any, right: Any) -> None:
    if not isinstance(right, Number):
        if right > 1:
            _product(heap, left, left, float(right))
        return
    if isinstance(left, Number):
        size = np.power(np.abs(_double(left)), right.symbol)
        _limit(heap, size >= 2.0**_BITS, "2.0 ** n")
    elif abs(left) > 1:
        most = next(power for power in range(_BITS + 1) if abs(left) ** (power + 1) >= 2**_BITS)
        _limit(heap, right.symbol > most, "2.0 ** n")


def _shift(heap: Heap, left: Any, right: Any) -> None:
    if isinstance(right, Number):
        most = _BITS - 1 if isinstance(left, Number) else _BITS - abs(left).bit_length()
        _limit(heap, (right.symbol < 0) | (right.symbol > most), "k * 2.0 ** n")
        right = 1
    _product(heap, left, 2**right, 1.0)


def _product(heap: Heap, left: Any, right: Any, power: float = 1.0) -> None:
    """A product that goes into the next one grows without a bound."""
    if not (_is_carried(heap, left) or _is_carried(heap, right)):
        return
    size = np.abs(_double(left)) ** power if left is right else np.abs(_double(left) * _double(right))
    _limit(heap, size >= 2.0**_BITS, "k = 1.0")


def _limit(heap: Heap, fails: Any, instead: str) -> None:
    place = heap.builder.place
    where = f"line {place.line}: " if place else ""
    heap.check(fails, OverflowError, f"{where}an integer has more than 64 bits, which programs hold; write {instead}")


_CHECKED = {
    "divide": _division,
    "floor_divide": _division,
    "remainder": _division,
    "power": _power,
    "left_shift": _shift,
    "multiply": _product,
}


def _double(value: Any) -> Any:
    return value.symbol.astype(np.float64) if isinstance(value, Number) else float(value)


def _is_carried(heap: Heap, value: Any) -> bool:
    """Whether a number is computed from one that a loop carries."""
    return isinstance(value, Number) and _comes_from_carried(heap, value.symbol, _DEEPEST)


def _comes_from_carried(heap: Heap, symbol: Symbol, deepest: int) -> bool:
    variable = symbol.variable
    if heap.is_carried(variable):
        return True
    made = heap.builder.instruction_of(symbol) if deepest else None
    if made is None or not made.primitive.elementwise:
        return False
    return any(
        _comes_from_carried(heap, Symbol(heap.builder, part), deepest - 1) for part in variables_in(made.operands)
    )

"""Augmented assignment to items: `a[i] += v`."""

# What is under reading is anything: there is little for a type checker to know.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

from typing import Any

from retrograde.program.symbol import Symbol
from retrograde.python.reading.values.arrays import Array
from retrograde.python.reading.values.fitting import check_kind
from retrograde.python.reading.values.handle import Handle
from retrograde.python.reading.values.indexing import index_of, is_basic
from retrograde.python.reading.values.operations import OPERATORS


def assign_augmented(target: Any, index: Any, name: str, value: Any) -> None:
    """`target[index] += value` and its like.

    Args:
        target: what has items: an array under reading, a list, a dict.
        index: which.
        name: of the ufunc: "add" for `+=`.
        value: the operand.
    """
    if isinstance(target, Array) and name in ("add", "subtract") and _adds(target, index, value):
        target.add_at(index, value, negative=name == "subtract")
        return
    item = target[index]
    if isinstance(target, Array) and not is_basic(index_of(target.heap, index)):
        result = OPERATORS[name](item, value)
        check_kind(result.dtype, target.dtype)
        target[index] = result
        return
    in_place = getattr(item, _IN_PLACE[name], None)
    result = NotImplemented if in_place is None else in_place(value)
    target[index] = OPERATORS[name](item, value) if result is NotImplemented else result


def _adds(target: Array, index: Any, value: Any) -> bool:
    parts = index_of(target.heap, index)
    return is_basic(parts) and isinstance(target.read(), Symbol) and isinstance(value, (Handle, int, float, complex))


_IN_PLACE = {
    "add": "__iadd__",
    "subtract": "__isub__",
    "multiply": "__imul__",
    "divide": "__itruediv__",
    "floor_divide": "__ifloordiv__",
    "remainder": "__imod__",
    "power": "__ipow__",
    "matmul": "__imatmul__",
    "bitwise_and": "__iand__",
    "bitwise_or": "__ior__",
    "bitwise_xor": "__ixor__",
    "left_shift": "__ilshift__",
    "right_shift": "__irshift__",
}

"""What lowering adds to the primitives: operations on memory, which programs know nothing of."""

# There is nothing for a type checker to know of operands.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from typing import Any

import numpy as np

from retrograde.program.primitive import Primitive
from retrograde.program.types import ArrayType, Extent
from retrograde.rules.checks import raise_error


def _zeros_type(shape: tuple[Extent, ...], dtype: np.dtype[Any]) -> ArrayType:
    return ArrayType(dtype, shape)


COPY = Primitive("copy", lambda x: np.array(x), ("x",), result=lambda x: x, registered=False)
"""An array of its own with the same elements."""

ZEROS = Primitive(
    "zeros",
    lambda shape, dtype: np.zeros(shape, dtype),
    ("shape",),
    static=("dtype",),
    result=_zeros_type,
    registered=False,
)
"""An array of zeros, to be written."""

FULL = Primitive(
    "full",
    lambda value, shape, dtype: np.full(shape, value, dtype),
    ("value", "shape"),
    static=("dtype",),
    result=lambda value, shape, dtype: ArrayType(dtype, shape),
    registered=False,
)
"""An array with one value everywhere, to be written."""

MAKE_STACK = Primitive(
    "make_stack",
    lambda count, shape: [None] * count,
    ("count", "shape"),
    result=lambda count, shape: count,
    registered=False,
)
"""A stack to be filled; an instruction in the explicit form of a program, an action in a procedure."""

KEEP = Primitive(
    "keep",
    lambda stack, index, value: stack.__setitem__(index, value),
    ("stack", "index", "value"),
    result=lambda stack, index, value: (),
    registered=False,
)
"""Puts a value into a stack; without a result."""

ENTRY = Primitive(
    "entry",
    lambda stack, index: stack[index],
    ("stack", "index"),
    result=lambda stack, index: stack.element,
    views=lambda stack, index: True,
    registered=False,
)
"""The value that a stack has for an iteration."""

SLOTS = Primitive(
    "slots",
    lambda schedule, count: schedule.slots(count),
    ("schedule", "count"),
    result=lambda schedule, count: (),
    outputs=("states", "residuals"),
    registered=False,
)
"""How many slots a schedule takes for states and for residuals."""

SWEEP = Primitive(
    "sweep",
    lambda schedule, count, snapshots: schedule.sweep(count, snapshots),
    ("schedule", "count", "snapshots"),
    result=lambda schedule, count, snapshots: schedule,
    registered=False,
)
"""The chunks of rows of a schedule's forward sweep."""

REVERSAL = Primitive(
    "reversal",
    lambda schedule, count, snapshots: schedule.reversal(count, snapshots),
    ("schedule", "count", "snapshots"),
    result=lambda schedule, count, snapshots: schedule,
    registered=False,
)
"""The chunks of rows of a schedule's reversal."""

STOP = Primitive(
    "stop",
    lambda holds, *carried: None,
    ("operand",),
    result=lambda *operands: (),
    variadic=True,
    registered=False,
)
"""Ends the loop around it where the first operand is false; the others are what the loop then gives."""

RAISE = Primitive(
    "raise",
    lambda fails, error: raise_error(error) if fails else None,
    ("fails",),
    static=("error",),
    result=lambda fails, error: (),
    registered=False,
)
"""Raises an exception if its operand is true; without a result."""

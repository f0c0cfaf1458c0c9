"""The truth of values that only the run knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from retrograde.program.symbol import Symbol
from retrograde.python.reading.values import Value

if TYPE_CHECKING:
    from retrograde.python.reading.reader import Reader


def is_dynamic(value: Any) -> bool:
    """Whether a value is an array, or a number that only the run knows."""
    return isinstance(value, Value)


def truth(reader: Reader, value: Any) -> Any:
    """The truth of a value: a bool where it is known, else a boolean symbol without axes.

    Raises:
        UsageError: it is the truth of an array of several elements.
    """
    return reader.heap.condition(value) if is_dynamic(value) else bool(value)


def negated(reader: Reader, value: Any) -> Any:
    """`not value`."""
    condition = truth(reader, value)
    if isinstance(condition, bool):
        return not condition
    return reader.heap.number(np.logical_not(condition), bool)  # pyright: ignore


def opposite(reader: Reader, condition: Any) -> Any:
    """A boolean symbol that is true where another is not."""
    made = reader.builder.instruction_of(condition)
    if made is not None and made.primitive.name == "logical_not":
        return Symbol(reader.builder, made.operands[0])
    return np.logical_not(condition)

"""The truth of values that only the run knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

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

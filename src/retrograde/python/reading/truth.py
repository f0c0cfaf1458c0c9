"""The truth of values that only the run knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from retrograde.errors import UsageError
from retrograde.program.builder import Symbol
from retrograde.python.reading.values.arrays import Array
from retrograde.python.reading.values.handle import Handle
from retrograde.python.reading.values.numbers import Number

if TYPE_CHECKING:
    from retrograde.python.reading.reader import Reader


def is_dynamic(value: Any) -> bool:
    """Whether a value is an array, or a number that only the run knows."""
    return isinstance(value, Handle)


def truth(reader: Reader, value: Any) -> Any:
    """The truth of a value: a bool where it is known, else a boolean symbol without axes.

    Raises:
        UsageError: it is the truth of an array of several elements.
    """
    if isinstance(value, Number):
        return _of_symbol(value.symbol)
    if isinstance(value, Array):
        content = value.read()
        if not isinstance(content, Symbol):
            return bool(content)
        if any(extent != 1 for extent in content.extents):
            raise UsageError(
                f"the truth of an array of shape {tuple(map(str, content.extents))} was asked for, and each of its "
                "elements has one; write np.any(x), np.all(x), or compare an element"
            )
        return _of_symbol(np.reshape(content, ()))  # pyright: ignore
    return bool(value)


def _of_symbol(symbol: Symbol) -> Symbol:
    return symbol if symbol.dtype.kind == "b" else symbol != 0  # pyright: ignore


def negated(reader: Reader, value: Any) -> Any:
    """`not value`."""
    condition = truth(reader, value)
    if isinstance(condition, bool):
        return not condition
    return reader.heap.number(np.logical_not(condition), bool)  # pyright: ignore

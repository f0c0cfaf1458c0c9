"""`np.vectorize`: a function of numbers, called for each element in a loop."""

# Values are anything that a user's code has: there is nothing for a type checker to know.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np

from retrograde.errors import UnsupportedError
from retrograde.python.reading.frames import Closure
from retrograde.python.reading.iteration import Combined, Turns
from retrograde.python.reading.series import opened
from retrograde.python.reading.truth import is_dynamic
from retrograde.python.reading.values import call

if TYPE_CHECKING:
    from retrograde.python.reading.reader import Reader

_ELEMENT = "element"
_LOOPS: WeakKeyDictionary[Any, ast.ListComp] = WeakKeyDictionary()


class Vectorized:
    """What `np.vectorize` makes of a function.

    Args:
        function: of numbers.
        options: of `np.vectorize`.
    """

    def __init__(self, function: Any, options: dict[str, Any]) -> None:
        self.function = function
        self.options = {name: value for name, value in options.items() if value is not None and name != "doc"}

    def call(self, reader: Reader, *values: Any, **keywords: Any) -> Any:
        """The array of the function's results.

        Raises:
            UnsupportedError: it is to be called with other things than numbers, or gives several.
        """
        if keywords or self.options.keys() - {"otypes", "cache"}:
            raise UnsupportedError(
                "np.vectorize with a signature, arguments left out or by name was asked for; write a loop over the "
                "elements"
            )
        heap = reader.heap
        arrays = call(heap, np.broadcast_arrays, tuple(call(heap, np.asarray, (value,)) for value in values))
        rows = [call(heap, np.ravel, (array,)) for array in arrays]
        turns = Turns(rows[0].shape[0], lambda at: tuple(row[at] for row in rows))
        found = reader.evaluate(_loop(reader, self.function, turns))
        if isinstance(found, list) and any(not (is_dynamic(part) or np.isscalar(part)) for part in found):
            raise UnsupportedError(
                "np.vectorize of a function that gives several values; write a loop over the elements"
            )
        made = call(heap, np.array, (opened(found),), {"dtype": _dtype(self.options.get("otypes"))})
        return call(heap, np.reshape, (made, arrays[0].shape)) if arrays[0].ndim != 1 else made


def _dtype(otypes: Any) -> Any:
    return None if not otypes else np.dtype(otypes[0])


def _loop(reader: Reader, function: Any, turns: Turns) -> ast.ListComp:
    """`[function(*element) for element in …]`, the same node every time that a function is read."""
    source = function.source.node if isinstance(function, Closure) else getattr(function, "__code__", type(function))
    node = _LOOPS.get(source)
    if node is None:
        starred = ast.Starred(ast.Name(_ELEMENT, ast.Load()), ast.Load())
        element = ast.Call(ast.Constant(None), [starred], [])
        over = ast.comprehension(ast.Name(_ELEMENT, ast.Store()), ast.Constant(None), [], 0)
        node = _LOOPS[source] = ast.ListComp(element, [over])
    node.elt.func.value = function  # pyright: ignore[reportAttributeAccessIssue]
    node.generators[0].iter.value = Combined(turns)  # pyright: ignore[reportAttributeAccessIssue]
    if reader.builder.place is not None:
        node.elt.lineno = reader.builder.place.line
    return node

"""Comparisons: of numbers that only the run knows, of shapes, of what is the same object or in a container."""

# Values are anything that a user's code has: there is nothing for a type checker to know.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from retrograde.errors import UsageError
from retrograde.program.types import Size
from retrograde.python.reading.iteration import Span
from retrograde.python.reading.truth import is_dynamic, negated
from retrograde.python.reading.values import Number, attribute, kind_of

if TYPE_CHECKING:
    from retrograde.python.reading.reader import Reader

COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


def compared(reader: Reader, sign: ast.cmpop, left: Any, right: Any) -> Any:
    """The result of one comparison."""
    if isinstance(sign, (ast.In, ast.NotIn)):
        found = _contains(reader, right, left)
        return negated(reader, found) if isinstance(sign, ast.NotIn) else found
    if isinstance(sign, (ast.Eq, ast.NotEq)) and type(left) is type(right) and type(left) in (tuple, list):
        equal = _are_equal(reader, left, right)
        return negated(reader, equal) if isinstance(sign, ast.NotEq) else equal
    if isinstance(sign, (ast.Is, ast.IsNot)):
        found = _is_same(left, right)
        return negated(reader, found) if isinstance(sign, ast.IsNot) else found
    if isinstance(left, Number) and isinstance(right, Number):
        one, other = left.symbol.variable.extent, right.symbol.variable.extent
        if isinstance(one, Size) and isinstance(other, Size) and one.name == other.name:
            return COMPARISONS[type(sign)](one.offset, other.offset)
    return COMPARISONS[type(sign)](left, right)


def _are_equal(reader: Reader, left: Sequence[Any], right: Sequence[Any]) -> Any:
    """Whether two sequences, such as the shapes of arrays, are equal."""
    if len(left) != len(right):
        return False
    found: Any = True
    for one, other in zip(left, right, strict=True):
        equal = one is other or compared(reader, ast.Eq(), one, other)
        if not is_dynamic(equal):
            if not equal:
                return False
        else:
            flag = reader.heap.number(reader.heap.condition(equal), bool)
            found = flag if found is True else found & flag
    return found


def _is_same(left: Any, right: Any) -> Any:
    """What `is` says: of truth values whether they are equal, because Python has one `True` and one `False`."""
    if left is right or not (isinstance(left, Number) or isinstance(right, Number)):
        return left is right
    kinds = kind_of(left), kind_of(right)
    if kinds == (bool, bool):
        return left == right
    if None in kinds or bool in kinds:
        return False
    raise UsageError("`is` was asked of numbers, and says whether they are one object in memory; write `==`")


def _contains(reader: Reader, container: Any, value: Any) -> Any:
    if isinstance(container, (str, dict, set, frozenset)) and not is_dynamic(value):
        return value in container
    if is_dynamic(container):
        return attribute(reader.heap, container == value, "any")()
    if isinstance(container, Span):
        return container.contains(reader, value)
    if isinstance(container, range) and is_dynamic(value):
        return Span(container.start, container.stop, container.step).contains(reader, value)
    found: Any = False
    for element in container:
        equal: Any = element is value or element == value
        if not is_dynamic(equal):
            if equal:
                return True
        elif equal.ndim:
            raise UsageError("`in` was asked of a list of arrays, whose truth is not one; write np.any(a == b)")
        else:
            found = equal if found is False else found | equal
    return found

"""Who handles an operation: plain arrays evaluate it, anything that intercepts NumPy handles it by itself.

Tapes, forward derivatives and program builders nest. Each has a level, counted up as they begin, and of several
operands the one of the highest level handles the operation: it sees the others as constants, works on what is inside
its own operands, and so hands the operation down to the next level. (The levels are those of Pearlmutter and Siskind,
2008, "Reverse-mode AD in a functional framework": they keep the derivatives of nested calls apart.)
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

from retrograde.program.kinds import is_slice, is_tuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from retrograde.program.primitive import Primitive

_LEVELS = count(1)


def new_level() -> int:
    """A level above all that were given out before."""
    return next(_LEVELS)


class Intercepting:
    """An operand that handles the operations it takes part in, instead of NumPy.

    Attributes:
        level: who goes first where several meet. 0 for symbols of a program, which are at the bottom of everything.
    """

    __slots__ = ()

    level: int

    def process(self, primitive: Primitive, operands: tuple[Any, ...], static: Mapping[str, Any]) -> Any:
        """Handle an operation in which this operand is the one of the highest level."""
        raise NotImplementedError  # pragma: no cover


def apply(primitive: Primitive, operands: tuple[Any, ...], static: Mapping[str, Any]) -> Any:
    """Apply a primitive to operands of any kind."""
    top: Intercepting | None = None
    for operand in operands:
        if isinstance(operand, Intercepting):
            if top is None or operand.level > top.level:
                top = operand
        elif top is None and isinstance(operand, (tuple, slice)):
            top = _inside(operand)
    if top is None:
        return primitive.evaluate(*operands, **static)
    return top.process(primitive, operands, static)


def _inside(operand: Any) -> Intercepting | None:
    """A symbol inside a shape or an index; it is at the lowest level, and so of all alike."""
    parts: tuple[Any, ...] = (operand.start, operand.stop, operand.step) if is_slice(operand) else operand
    for part in parts:
        found = _inside(part) if is_tuple(part) or is_slice(part) else part
        if isinstance(found, Intercepting):
            return found
    return None

"""What integers of a procedure are at least, as far as that follows from the sizes of its arrays."""

from __future__ import annotations

from collections import Counter

from retrograde.program.kinds import is_integer
from retrograde.program.types import ArrayType, Size
from retrograde.python.lowering.model import Apply, Bind, Expression, For, Name, Procedure
from retrograde.python.lowering.places import set_by, walk


class Bounds:
    """Lower bounds of integers.

    Args:
        procedure: names that have one value in it are known.
    """

    def __init__(self, procedure: Procedure | None = None) -> None:
        self._least: dict[Name, int] = {}
        self._least_size = 0
        if procedure is None:
            return
        self._least_size = procedure.least_size
        actions = list(walk(procedure.actions))
        bindings = Counter([*procedure.parameters, *(name for action in actions for name in set_by(action))])
        for name, extent in zip(procedure.parameters, procedure.extents, strict=False):
            if isinstance(extent, Size) and bindings[name] == 1:
                self._least[name] = self._least_size + extent.offset
        for action in actions:
            if isinstance(action, Bind) and len(action.targets) == 1 and bindings[action.targets[0]] == 1:
                self._note(action.targets[0], action.value)
            elif isinstance(action, For) and action.step > 0 and bindings[action.index] == 1:
                self._note(action.index, action.start)

    def _note(self, name: Name, value: Expression) -> None:
        least = self.of(value)
        if least is not None:
            self._least[name] = least

    def of(self, expression: Expression) -> int | None:
        """What an integer is at least, or None."""
        if isinstance(expression, Name):
            return self._least.get(expression)
        if isinstance(expression, Apply):
            return self._of_result(expression)
        return int(expression) if is_integer(expression) else None

    def _of_result(self, apply: Apply) -> int | None:
        name, operands = apply.primitive.name, apply.operands
        if name == "size":
            return max(0, self.of_extent(operands[0], apply.static["axis"]) + apply.static["offset"])
        if name == "add":
            one, other = map(self.of, operands)
            return None if one is None or other is None else one + other
        if name == "subtract" and is_integer(operands[1]):
            one = self.of(operands[0])
            return None if one is None else one - int(operands[1])
        return None

    def of_extent(self, array: Expression, axis: int) -> int:
        """What an array has along an axis at least."""
        kind = getattr(array, "type", None)
        size = kind.sizes[axis] if isinstance(kind, ArrayType) else 0
        if isinstance(size, Size):
            return max(0, self._least_size + size.offset)
        return 0 if size is None else int(size)

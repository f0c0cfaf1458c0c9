"""Types with more sizes: those that follow from the bounds of slices and from other sizes."""

from __future__ import annotations

from typing import Any

from retrograde.program.integers import Integers, as_size, size
from retrograde.program.kinds import as_tuple, is_integer, is_slice
from retrograde.program.known import known_of
from retrograde.program.model import Block, Branch, Instruction, Loop, Variable, all_variables, blocks_of
from retrograde.program.places import extent_of_slice
from retrograde.program.types import ArrayType, Extent, Type


def refine_types(root: Block, integers: Integers) -> bool:
    """Fill in sizes that are unknown, and follow from others in every run; whether there were any.

    A slice from `i` to `i + k` has the size k where both bounds are inside of the array, which is decided for all
    iterations of the loops around. What is computed from it has its size in turn.
    """
    return _Refining(integers).block(root, ())


class _Refining:
    def __init__(self, integers: Integers) -> None:
        self._integers = integers

    def block(self, block: Block, loops: tuple[Loop, ...]) -> bool:
        """Refine what is set in a block, in order."""
        changed = False
        for statement in block.statements:
            if isinstance(statement, Instruction):
                changed |= self._instruction(statement, loops)
                continue
            inside = (*loops, statement) if isinstance(statement, Loop) else loops
            if isinstance(statement, Loop):
                changed |= self._carried(statement, inside)
            for inner in blocks_of(statement):
                changed |= self.block(inner, inside)
            if isinstance(statement, Loop):
                changed |= _settle_results(statement)
            elif isinstance(statement, Branch):
                sides = zip(statement.results, statement.then.results, statement.otherwise.results, strict=True)
                for result, one, other in sides:
                    if _type_of(one) is not None and _type_of(one) == _type_of(other):
                        changed |= _take(result, _type_of(one))
        return changed

    def _carried(self, loop: Loop, inside: tuple[Loop, ...]) -> bool:
        """A carried value has the size it starts with throughout, if an iteration that begins with it ends with it."""
        known = [_type_of(initial) for initial in loop.initial]
        before = {variable: variable.type for variable in all_variables(loop.body)}
        started = zip(loop.carried, known, strict=True)
        if not any([_take(carried, kind) for carried, kind in started]):
            return False
        self.block(loop.body, inside)
        ended = zip(loop.carried, loop.body.results, strict=False)
        if any(carried.type not in (before[carried], _type_of(result)) for carried, result in ended):
            for variable, kind in before.items():
                variable.type = kind
            return False
        for at, carried in enumerate(loop.carried):
            if loop.condition is not None:
                _take(loop.condition.parameters[1 + at], carried.type)
        return True

    def _instruction(self, instruction: Instruction, loops: tuple[Loop, ...]) -> bool:
        if all(isinstance(result.type, ArrayType) and None not in result.type.sizes for result in instruction.results):
            return False
        primitive = instruction.primitive
        names = primitive.names(len(instruction.operands))
        known = (known_of(name, operand) for name, operand in zip(names, instruction.operands, strict=True))
        kinds = as_tuple(primitive.result(*known, **instruction.static))
        changed = False
        for result, kind in zip(instruction.results, kinds, strict=True):
            changed |= _take(result, kind)
        if primitive.name == "getitem":
            changed |= self._slices(instruction, loops)
        if primitive.name in ("broadcast_to", "sum_to", "reshape", "scatter"):
            changed |= self._shape(instruction)
        return changed

    def _shape(self, instruction: Instruction) -> bool:
        """Of an array of a shape that is an operand: the run refuses what is negative."""
        kind = instruction.results[0].type
        parts = [self._integers.of(part) for part in as_tuple(instruction.operands[-1])]
        if not isinstance(kind, ArrayType) or len(parts) != kind.rank:
            return False
        sizes = tuple(None if part is None else as_size(part) for part in parts)
        return _take(instruction.results[0], ArrayType(kind.dtype, sizes))

    def _slices(self, instruction: Instruction, loops: tuple[Loop, ...]) -> bool:
        array, index = instruction.operands
        result = instruction.results[0]
        parts = as_tuple(index)
        if not isinstance(array, Variable) or not isinstance(array.type, ArrayType):
            return False
        if any(not (part is None or is_slice(part) or is_integer(_plain(part))) for part in parts):
            return False
        parts = (*parts, *[slice(None)] * (array.type.rank - sum(part is not None for part in parts)))
        extents = iter(array.type.sizes)
        sizes: list[Extent] = []
        for part in parts:
            if part is None:
                sizes.append(1)
                continue
            extent = next(extents)
            if is_slice(part):
                sizes.append(self._extent(part, extent, loops))
        return _take(result, ArrayType(array.type.dtype, tuple(sizes)))

    def _extent(self, part: slice[Any, Any, Any], extent: Extent, loops: tuple[Loop, ...]) -> Extent:
        whole = size(extent)
        distance = None if whole is None else extent_of_slice(part, whole, loops, self._integers)
        return None if distance is None else as_size(distance)


def _plain(part: Any) -> Any:
    """An integer for an integer variable, so that parts of an index are compared without asking a program."""
    kind = part.type if isinstance(part, Variable) else None
    return 0 if isinstance(kind, ArrayType) and kind.dtype.kind in "iu" and not kind.rank else part


def _type_of(operand: Any) -> Type | None:
    return operand.type if isinstance(operand, Variable) else None


def _take(variable: Variable, kind: Type | None) -> bool:
    """Fill in what another type of the same value knows."""
    mine = variable.type
    if not isinstance(kind, ArrayType) or not isinstance(mine, ArrayType) or mine.rank != kind.rank:
        return False
    sizes = tuple(other if one is None else one for one, other in zip(mine.sizes, kind.sizes, strict=True))
    variable.type = ArrayType(mine.dtype, sizes)
    return sizes != mine.sizes


def _settle_results(loop: Loop) -> bool:
    changed = False
    for carried, result in zip(loop.carried, loop.results, strict=False):
        changed |= _take(result, carried.type)
    return changed

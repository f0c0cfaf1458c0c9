"""Integer variables of a program as sums of loop indices, sizes and other unknowns."""

from __future__ import annotations

from typing import Any

import numpy as np

from retrograde.program.affine import Affine, Atom
from retrograde.program.kinds import is_integer
from retrograde.program.model import Instruction, Loop, Variable
from retrograde.program.structure import Structure
from retrograde.program.types import ArrayType, Extent, Size

_INT64 = ArrayType(np.dtype(np.int64))


class Integers:
    """What is known of the integers of a program.

    Args:
        structure: of the program.
        least_size: what its named sizes are at least.

    Attributes:
        facts: of unknowns that stand for the result of an operation, what is not negative.
    """

    def __init__(self, structure: Structure, least_size: int = 0) -> None:
        self.structure = structure
        self._least_size = least_size
        self.facts: dict[Atom, list[Affine]] = {}
        self._found: dict[Variable, Affine] = {}

    def of(self, operand: Any) -> Affine | None:
        """An operand as a sum; None if it is no integer."""
        if isinstance(operand, Variable):
            if operand not in self._found:
                if not isinstance(operand.type, ArrayType) or operand.type.rank or operand.type.dtype.kind not in "iu":
                    return None
                self._found[operand] = self._variable(operand)
            return self._found[operand]
        return Affine(int(operand)) if is_integer(operand) else None

    def most(self, operand: Any) -> Affine | None:
        """What the count of a loop is when the loop runs at all: a maximum with 0 is then its other part."""
        maker = self.structure.instruction(operand) if isinstance(operand, Variable) else None
        if maker is not None and maker.primitive.name == "maximum":
            one, other = map(self.of, maker.operands)
            if one is not None and other is not None and (one == Affine() or other == Affine()):
                return other if one == Affine() else one
        if isinstance(operand, Variable) and isinstance(operand.extent, Size):
            return size(operand.extent)
        return self.of(operand)

    def domain(self, loops: tuple[Loop, ...]) -> list[Affine]:
        """What is not negative inside of loops: each index, and its distance from the last one."""
        conditions: list[Affine] = []
        for loop in loops:
            index = Affine.of(loop.index)
            conditions.append(index)
            most = None if loop.count is None else self.most(loop.count)
            if most is not None:
                conditions.append(most - index - 1)
        return conditions

    def with_facts(self, conditions: list[Affine]) -> list[Affine]:
        """Conditions, and what is known besides of the unknowns in them."""
        waiting = list(conditions)
        met: set[Atom] = set()
        while waiting:
            for atom in waiting.pop().terms:
                if atom not in met:
                    met.add(atom)
                    facts = self.facts.get(atom, [Affine.of(atom) - self._least_size] if isinstance(atom, Size) else [])
                    conditions = conditions + facts
                    waiting += facts
        return conditions

    def _variable(self, variable: Variable) -> Affine:
        known = None
        if isinstance(variable.extent, int) or (isinstance(variable.extent, Size) and not variable.extent.offset):
            known = size(variable.extent)
        maker = self.structure.instruction(variable)
        # Integers of other types may run over.
        if known is None and maker is not None and variable.type == _INT64:
            known = self._operation(variable, maker)
        return Affine.of(variable) if known is None else known

    def _operation(self, variable: Variable, maker: Instruction) -> Affine | None:
        """The result of an operation as a sum; None if it is none, and then `facts` may say something of it."""
        known = [part for part in map(self.of, maker.operands) if part is not None]
        if len(known) < len(maker.operands):
            return None
        match maker.primitive.name, known:
            case "add", [one, other]:
                return one + other
            case "subtract", [one, other]:
                return one - other
            case "negative", [one]:
                return one * -1
            case "multiply", [one, other] if not one.terms or not other.terms:
                return one * other.constant if not other.terms else other * one.constant
            case "astype" | "copy" | "positive", [one] if variable.type == maker.operands[0].type:
                return one
            case name, _:
                self.facts[variable] = _facts(name, Affine.of(variable), known)
        return None


def _facts(name: str, itself: Affine, parts: list[Affine]) -> list[Affine]:
    """What is not negative of the result of an operation."""
    match name, parts:
        case "floor_divide", [one, Affine(constant=divisor) as other] if divisor > 0 and not other.terms:
            rest = one - itself * divisor
            return [rest, rest * -1 + (divisor - 1)]
        case "remainder", [_, Affine(constant=divisor) as other] if divisor > 0 and not other.terms:
            return [itself, itself * -1 + (divisor - 1)]
        case "maximum", [one, other]:
            return [itself - one, itself - other]
        case "minimum", [one, other]:
            return [one - itself, other - itself]
        case _:
            return []


def size(extent: Extent) -> Affine | None:
    """A size as a sum; None if it is unknown. One with an offset is so where it is not 0."""
    if isinstance(extent, int):
        return Affine(extent)
    return None if extent is None else Affine(extent.offset, {Size(extent.name): 1})


def as_size(sum_: Affine) -> Extent:
    """A sum as the extent of an axis, if it is one number, or one size with a constant added; else None."""
    match list(sum_.terms.items()):
        case []:
            return sum_.constant if sum_.constant >= 0 else None
        case [(Size(name), 1)]:
            return Size(name, sum_.constant)
        case _:
            return None

"""Integers that are another integer plus a constant, in one step: `n - 1` for what was made as `(n + 1) - 2`."""

from __future__ import annotations

from typing import Any

import numpy as np

from retrograde.program.kinds import is_integer
from retrograde.program.model import Block, Instruction, Variable, blocks_of
from retrograde.program.primitive import PRIMITIVES
from retrograde.program.types import ArrayType
from retrograde.python.lowering.rewriting import substitute_everywhere

_INT64 = ArrayType(np.dtype(np.int64))


def count_directly(block: Block) -> None:
    """Rewrite the sums and differences of a block in explicit form, inner blocks included."""
    counting = _Counting()
    counting.visit(block)
    substitute_everywhere(block, counting.same)


class _Counting:
    def __init__(self) -> None:
        self.same: dict[Variable, Any] = {}
        self._sums: dict[Variable, tuple[Variable, int]] = {}

    def visit(self, block: Block) -> None:
        for statement in block.statements:
            if isinstance(statement, Instruction):
                self._instruction(statement)
            for inner in blocks_of(statement):
                self.visit(inner)

    def _instruction(self, instruction: Instruction) -> None:
        name, results = instruction.primitive.name, instruction.results
        if name not in ("add", "subtract") or results[0].type != _INT64:
            return
        one, other = instruction.operands
        if name == "add" and not isinstance(one, Variable):
            one, other = other, one
        if not isinstance(one, Variable) or one.type != _INT64:
            return
        base, offset = self._parts(one)
        if is_integer(other):
            self._set(instruction, base, offset + (int(other) if name == "add" else -int(other)), base is not one)
        elif name == "subtract" and isinstance(other, Variable) and other.type == _INT64:
            theirs, less = self._parts(other)
            if theirs is base:
                self.same[results[0]] = offset - less

    def _parts(self, variable: Variable) -> tuple[Variable, int]:
        """A variable as another one and a constant."""
        base = self.same.get(variable, variable)
        return self._sums.get(base, (base, 0)) if isinstance(base, Variable) else (variable, 0)

    def _set(self, instruction: Instruction, base: Variable, offset: int, is_shorter: bool) -> None:
        (result,) = instruction.results
        if not offset:
            self.same[result] = base
            return
        if not result.hint:
            self._sums[result] = (base, offset)
        if is_shorter:
            instruction.primitive = PRIMITIVES["add" if offset > 0 else "subtract"]
            instruction.operands = (base, abs(offset))

"""Which values have an array that is written at no time, in no iteration, and that nobody outside holds."""

from __future__ import annotations

from typing import Any

from retrograde.program.model import Block, Branch, Instruction, Loop, Variable, blocks_of
from retrograde.python.lowering.aliasing import LOCKED, is_write, viewed


class Owners:
    """Joins variables that may hold the same array at any time.

    Args:
        block: a program in explicit form, with its copies made.
    """

    def __init__(self, block: Block) -> None:
        self._groups: dict[Variable, Variable] = {}
        self._views: set[Variable] = set()
        self._touched: list[Variable] = [*block.parameters, LOCKED]
        self._touched += [result for result in block.results if isinstance(result, Variable)]
        self._visit(block)
        self._marked = set(map(self._group, self._touched))

    def is_alone(self, value: Any) -> bool:
        """Whether an array can be kept as it is: nobody writes it, it is no part of another, and no result."""
        return isinstance(value, Variable) and value not in self._views and self._group(value) not in self._marked

    def _visit(self, block: Block) -> None:
        for statement in block.statements:
            if isinstance(statement, Instruction):
                self._instruction(statement)
            elif isinstance(statement, Loop):
                for at, carried in enumerate(statement.carried):
                    for other in (statement.initial[at], statement.body.results[at], statement.results[at]):
                        self._join(carried, other)
            elif isinstance(statement, Branch):
                for at, result in enumerate(statement.results):
                    self._join(result, statement.then.results[at])
                    self._join(result, statement.otherwise.results[at])
            for inner in blocks_of(statement):
                self._visit(inner)

    def _instruction(self, instruction: Instruction) -> None:
        base = viewed(instruction)
        if base is not None:
            self._views.update(instruction.results)
            self._join(instruction.results[0], base)
        elif is_write(instruction):
            self._touched.append(instruction.results[0])
            self._join(instruction.results[0], instruction.operands[0])

    def _group(self, variable: Variable) -> Variable:
        while (above := self._groups.get(variable, variable)) is not variable:
            variable = above
        return variable

    def _join(self, one: Variable, other: Any) -> None:
        other = other if isinstance(other, Variable) else LOCKED
        self._groups[self._group(one)] = self._group(other)

"""Which variables may share memory, once writes happen in place and copies are made at some places only.

The relation is between values of one iteration: two names for what the same array was in different iterations do not
count, so that loops that swap two arrays keep them apart.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from retrograde.program.kinds import as_tuple, is_ndarray, is_slice
from retrograde.program.model import Block, Branch, Instruction, Loop, Variable, all_variables
from retrograde.program.types import ArrayType
from retrograde.python.lowering.operations import ENTRY

LOCKED = Variable("locked", ArrayType(None))  # pyright: ignore[reportArgumentType]
"""Stands for memory that must not be written: a constant's, that of an array whose elements share places."""

MAY_RETURN_OPERAND = frozenset({"sum_to", "stop_gradient"})
"""Primitives that are no views, and may still give back what they got."""

SHARING_PLACES = frozenset({"broadcast_to", "sliding_window_view", "diagonal"})

Copied = set[Any]
"""Where copies are made: an `Instruction`, or a pair of a `Loop` and the position of a carried value."""


def rank_of(operand: Any) -> int:
    """The number of axes of an operand; of a stack 1."""
    if isinstance(operand, Variable):
        return operand.type.rank if isinstance(operand.type, ArrayType) else 1
    return operand.ndim if is_ndarray(operand) else 0


def is_write(instruction: Instruction) -> bool:
    """Whether an instruction writes its first operand, or a copy of it."""
    return instruction.primitive.name in ("update", "add_at")


def is_copy(instruction: Instruction) -> bool:
    """Whether an instruction makes a copy that may be left out where nobody could tell."""
    return instruction.primitive.name == "positive" and rank_of(instruction.results[0]) > 0


def viewed(instruction: Instruction) -> Variable | None:
    """The operand whose memory the result of an instruction may share."""
    primitive, operands = instruction.primitive, instruction.operands
    if primitive is not ENTRY and primitive.views is None and primitive.name not in MAY_RETURN_OPERAND:
        return None
    if primitive.name == "getitem" and not _is_view(operands[1], instruction.results[0]):
        return None
    if primitive.name == "sum_to" and rank_of(operands[0]) > rank_of(instruction.results[0]):
        return None
    return operands[0] if isinstance(operands[0], Variable) else None


def _is_view(index: Any, result: Variable) -> bool:
    parts = as_tuple(index)
    if rank_of(result) == 0 and not any(part is Ellipsis for part in parts):
        return False
    return not any(rank_of(part) for part in parts if not is_slice(part))


class Aliases:
    """The relation, for a choice of copies."""

    def __init__(self, block: Block, copied: Copied) -> None:
        self._copied = copied
        self._related: dict[Variable, set[Variable]] = {}
        self._changed = True
        while self._changed:
            self._changed = False
            self._block(block)

    def of(self, variable: Variable) -> set[Variable]:
        """The other variables that may share memory with one."""
        return self._related.get(variable, set())

    def _block(self, block: Block) -> None:
        for statement in block.statements:
            if isinstance(statement, Instruction):
                self._instruction(statement)
            elif isinstance(statement, Loop):
                self._loop(statement)
            elif isinstance(statement, Branch):
                self._branch(statement)

    def _instruction(self, instruction: Instruction) -> None:
        if not instruction.results:
            return
        result = instruction.results[0]
        source: Any = None
        if (is_write(instruction) or is_copy(instruction)) and instruction not in self._copied:
            source = instruction.operands[0]
        elif (base := viewed(instruction)) is not None and instruction not in self._copied:
            source = base
            if instruction.primitive.name in SHARING_PLACES:
                self._relate(result, (LOCKED,))
        elif instruction.primitive.name in SHARING_PLACES and instruction not in self._copied:
            source = LOCKED
        if source is not None:
            self._relate(result, self._reach(source))

    def _loop(self, loop: Loop) -> None:
        inside = all_variables(loop.body)
        edges = [
            [self._reach(end) for end in ends]
            for ends in (
                [None if (loop, at) in self._copied else start for at, start in enumerate(loop.initial)],
                loop.body.results,
            )
        ]
        for at, (carried, result) in enumerate(zip(loop.carried, loop.results, strict=True)):
            for edge in edges:
                outer = edge[at] - inside
                self._relate(carried, outer)
                self._relate(result, outer)
                for other in range(at):
                    if _meet(edge[at], edge[other]):
                        self._relate(carried, (loop.carried[other],))
                        self._relate(result, (loop.results[other],))
        self._block(loop.body)

    def _branch(self, branch: Branch) -> None:
        for side in (branch.then, branch.otherwise):
            self._block(side)
            inside = all_variables(side)
            reached = [self._reach(given) for given in side.results]
            for at, result in enumerate(branch.results):
                self._relate(result, reached[at] - inside)
                for other in range(at):
                    if _meet(reached[at], reached[other]):
                        self._relate(result, (branch.results[other],))

    def _reach(self, operand: Any) -> set[Variable]:
        """A variable and what it may share memory with."""
        if isinstance(operand, Variable):
            return {operand, *self.of(operand)}
        return {LOCKED} if is_ndarray(operand) and operand.ndim else set()

    def _relate(self, variable: Variable, others: Iterable[Variable]) -> None:
        mine = self._related.setdefault(variable, set())
        for other in others:
            if other is not variable and other not in mine:
                mine.add(other)
                self._related.setdefault(other, set()).add(variable)
                self._changed = True


def _meet(one: set[Variable], other: set[Variable]) -> bool:
    return any(variable is not LOCKED for variable in one & other)

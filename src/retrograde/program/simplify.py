"""Programs without detours: the same values from fewer instructions."""

from __future__ import annotations

from collections.abc import Hashable
from itertools import count
from typing import Any, cast

import numpy as np

from retrograde.program.clone import clone, prune
from retrograde.program.extents import Extents, operand_key
from retrograde.program.integers import Integers
from retrograde.program.known import known_of
from retrograde.program.model import (
    Block,
    Branch,
    Instruction,
    Loop,
    Place,
    Program,
    Statement,
    Variable,
    all_variables,
    blocks_of,
    map_operand,
    operands_of,
    variables_in,
)
from retrograde.program.peepholes import Made, Overwritten, Peephole, Replaced, Rewritten
from retrograde.program.places import never_meet
from retrograde.program.primitive import PRIMITIVES
from retrograde.program.refine import refine_types
from retrograde.program.structure import Structure
from retrograde.program.types import ArrayType
from retrograde.program.versions import Versions

_ROUNDS = 6
_NEVER_SHARED = frozenset({"broadcast_to", "update", "add_at", "scatter", "zero_stack", "copy"})
"""Results that are written in place later on: two of them in one would have to be copied."""
_HOISTED = frozenset({"add", "subtract", "multiply", "negative", "maximum", "minimum", "size"})


def simplify(program: Program, spreads: bool = False) -> Program:
    """The same program with fewer instructions: what it computes keeps its bits.

    Instructions that undo one another go, as do those that only pass a value on; what is computed twice in a block is
    computed once; arithmetic of indices moves out of loops that do not change it; values that a loop carries and never
    changes are used where they come from; and what no output needs is left out.

    Args:
        program: it is not changed.
        spreads: make outer products multiplications of arrays with new axes, which are computed in one go with what is
            done to them, and contractions of arrays with many axes products of matrices. For what is not to be
            differentiated again: the derivatives of a contraction are contractions.

    Example:
        >>> import retrograde.rules
        >>> from retrograde.program import ProgramBuilder
        >>> builder = ProgramBuilder("twice")
        >>> x = builder.input("x", "float64")
        >>> print(simplify(builder.finish(y=-(-(x * x)) + x * x * 1.0)))
        program twice(x: float64):
            a: float64 = x * x
            f: float64 = a + a
            return y=f
    """
    program = clone(program)
    for _ in range(_ROUNDS):
        prune(program)
        if not _Round(program.block, program.least_size, spreads).changed:
            break
    return prune(program)


class _Round:
    """One walk through a program, in which each statement is looked at once."""

    def __init__(self, root: Block, least_size: int, spreads: bool) -> None:
        self._replaced: dict[Variable, Any] = {}
        self._makers: dict[Variable, Instruction] = {}
        self._uses: dict[Variable, int] = {}
        self._count(root)
        structure = Structure(root)
        self._integers = Integers(structure, least_size)
        self.changed = refine_types(root, self._integers)
        self._peephole = Peephole(
            self._makers.get, self._uses, self._apart, Extents(structure, self._integers), self._before_loop, spreads
        )
        self._loops: tuple[Loop, ...] = ()
        self._versions = Versions(structure, least_size)
        self._carried: set[Variable] = set()
        self._names = {variable.name for variable in all_variables(root)}
        self._in_front: list[Statement] = []
        self._place: Place | None = None
        self._known_apart: dict[Hashable, bool] = {}
        self._tables: list[dict[Hashable, list[Variable]]] = []
        self._hoisted: list[tuple[set[Variable], list[Statement]] | None] = []
        self._block(root)
        self._apply(root)

    def _apply(self, block: Block) -> None:
        """Put in place what was replaced after it had been walked past: what loops carry and never change."""
        for statement in block.statements:
            for inner in blocks_of(statement):
                self._apply(inner)
            if isinstance(statement, Instruction):
                statement.operands = self._reading(statement.operands)
            elif isinstance(statement, Loop):
                self._apply_to_loop(statement)
            elif isinstance(statement, Branch):
                statement.condition = self._reading(statement.condition)
        block.results = [self._reading(result) for result in block.results]

    def _apply_to_loop(self, loop: Loop) -> None:
        loop.count = self._reading(loop.count)
        loop.initial = [self._reading(operand) for operand in loop.initial]
        loop.consumed = [self._reading(operand) for operand in loop.consumed]

    def _count(self, block: Block) -> None:
        for statement in block.statements:
            for variable in variables_in(operands_of(statement)):
                self._uses[variable] = self._uses.get(variable, 0) + 1
            for inner in blocks_of(statement):
                self._count(inner)
        for variable in variables_in(tuple(block.results)):
            self._uses[variable] = self._uses.get(variable, 0) + 1

    def _before_loop(self, carried: Variable, index: Any) -> Variable | None:
        start = self._versions.before_loop(carried, index) if carried in self._carried else None
        return None if start is None else self._current(start)

    def _apart(self, one: Any, other: Any, kind: Any) -> bool:
        key = (operand_key(one), operand_key(other), kind, self._loops)
        if key not in self._known_apart:
            self._known_apart[key] = never_meet(one, other, kind.sizes, self._loops, self._integers)
        return self._known_apart[key]

    def _reading(self, operand: Any) -> Any:
        return map_operand(self._current, operand)

    def _current(self, part: Any) -> Any:
        while isinstance(part, Variable) and part in self._replaced:
            part = self._replaced[part]
        return part

    def _replace(self, variable: Variable, operand: Any) -> None:
        self._replaced[variable] = operand
        if isinstance(operand, Variable):
            self._uses[operand] = self._uses.get(operand, 0) + self._uses.get(variable, 0)
        self.changed = True

    def _block(self, block: Block) -> None:
        self._tables.append({})
        kept: list[Statement] = []
        for statement in block.statements:
            if isinstance(statement, Instruction):
                self._place = statement.place
                stays = self._keeps(statement)
                kept += [*self._in_front, statement] if stays else self._in_front
                self._in_front = []
                continue
            before: list[Statement] = []
            if isinstance(statement, Loop):
                self._loop(statement, before)
            elif isinstance(statement, Branch):
                self._branch(statement)
            kept += [*before, statement]
        block.statements = kept
        block.results = [self._reading(result) for result in block.results]
        self._tables.pop()

    def _keeps(self, instruction: Instruction) -> bool:
        """Rewrite an instruction; False if something else stands for its result."""
        instruction.operands = self._reading(instruction.operands)
        outcome = self._peephole.outcome(instruction) if len(instruction.results) == 1 else None
        while isinstance(outcome, (Rewritten, Overwritten)):
            self.changed = True
            if isinstance(outcome, Overwritten):
                self._drop(instruction, outcome)
            else:
                instruction.primitive = PRIMITIVES[outcome.primitive]
                instruction.static = {name: instruction.static[name] for name in instruction.primitive.static}
                instruction.operands = self._reading(map_operand(self._made, outcome.operands))
                for variable in variables_in(instruction.operands):
                    self._uses[variable] = self._uses.get(variable, 0) + 1
            outcome = self._peephole.outcome(instruction)
        if isinstance(outcome, Replaced):
            self._replace(instruction.results[0], outcome.by)
            return False
        if self._is_known(instruction):
            return False
        self._makers.update((result, instruction) for result in instruction.results)
        return not self._moves_out(instruction)

    def _made(self, part: Any) -> Any:
        """A part of an operand: what is to be made in front is."""
        if not isinstance(part, Made):
            return part
        operands = self._reading(map_operand(self._made, part.operands))
        if part.primitive == "size" and not isinstance(operands[0], Variable):
            return np.shape(operands[0])[part.static["axis"]]
        primitive = PRIMITIVES[part.primitive]
        names = primitive.names(len(operands))
        known = (known_of(name, operand) for name, operand in zip(names, operands, strict=True))
        made = Variable(self._new_name(), cast(ArrayType, primitive.result(*known, **part.static)))
        instruction = Instruction(primitive, operands, dict(part.static), [made], self._place)
        self._makers[made] = instruction
        self._in_front.append(instruction)
        return made

    def _new_name(self) -> str:
        name = next(name for number in count(1) if (name := f"made_{number}") not in self._names)
        self._names.add(name)
        return name

    def _drop(self, last: Instruction, overwritten: Overwritten) -> None:
        """Take a write out of a chain of writes."""
        reader = last
        while reader.operands[0] is not overwritten.version:
            reader = self._makers[reader.operands[0]]
        reader.operands = (overwritten.by, *reader.operands[1:])

    def _is_known(self, instruction: Instruction) -> bool:
        """Whether the same was computed before: in this block, or integers further out."""
        if instruction.primitive.name in _NEVER_SHARED:
            return False
        key = (
            instruction.primitive,
            operand_key(instruction.operands),
            tuple((name, operand_key(value)) for name, value in sorted(instruction.static.items())),
        )
        tables = self._tables if _is_integer(instruction) else self._tables[-1:]
        for table in tables:
            if key in table:
                for result, known in zip(instruction.results, table[key], strict=True):
                    self._replace(result, known)
                return True
        self._tables[-1][key] = instruction.results
        return False

    def _moves_out(self, instruction: Instruction) -> bool:
        """Put arithmetic on numbers that a loop does not change in front of the loop."""
        innermost = self._hoisted[-1] if self._hoisted else None
        if innermost is None or instruction.primitive.name not in _HOISTED or not _is_number(instruction):
            return False
        own, before = innermost
        if not own.isdisjoint(variables_in(instruction.operands)):
            return False
        before.append(instruction)
        own.difference_update(instruction.results)
        self.changed = True
        return True

    def _loop(self, loop: Loop, before: list[Statement]) -> None:
        self._apply_to_loop(loop)
        self._merge_elements(loop)
        self._carried.update(loop.carried)
        own = _set_in(loop.body)
        self._hoisted.append((own, before))
        self._loops = (*self._loops, loop)
        self._block(loop.body)
        self._loops = self._loops[:-1]
        self._hoisted.pop()
        if loop.condition is not None:
            self._where_nothing_moves(loop.condition)
        self._pass_by(loop)
        self._merge_collected(loop)

    def _where_nothing_moves(self, block: Block) -> None:
        """A block that may not run: nothing is moved out of it."""
        self._hoisted.append(None)
        self._block(block)
        self._hoisted.pop()

    def _merge_elements(self, loop: Loop) -> None:
        """Consume a stack once."""
        seen: dict[Hashable, Variable] = {}
        for element, stack in zip(loop.elements, loop.consumed, strict=True):
            first = seen.setdefault(operand_key(stack), element)
            if first is not element:
                self._replace(element, first)

    def _merge_collected(self, loop: Loop) -> None:
        """Collect a value once."""
        width = len(loop.initial)
        seen: dict[Hashable, Variable] = {}
        for value, stack in zip(loop.body.results[width:], loop.results[width:], strict=True):
            first = seen.setdefault(operand_key(value), stack)
            if first is not stack:
                self._replace(stack, first)

    def _pass_by(self, loop: Loop) -> None:
        """Where a carried value is never changed, use what it starts with."""
        start = 0 if loop.condition is None else 1
        for at, (carried, initial) in enumerate(zip(loop.carried, loop.initial, strict=True)):
            if at < start or loop.body.results[at] is not carried or carried in self._replaced:
                continue
            if not isinstance(initial, Variable) or initial.type == carried.type:
                self._replace(carried, initial)
                self._replace(loop.results[at], initial)
                if loop.condition is not None:
                    self._replace(loop.condition.parameters[1 + at], initial)

    def _branch(self, branch: Branch) -> None:
        branch.condition = self._reading(branch.condition)
        for side in (branch.then, branch.otherwise):
            self._where_nothing_moves(side)
        sides = zip(branch.results, branch.then.results, branch.otherwise.results, strict=True)
        for result, one, other in sides:
            if isinstance(one, Variable) and one is other and one.type == result.type:
                self._replace(result, one)


def _set_in(block: Block) -> set[Variable]:
    """The variables set in a block, or further in."""
    found = block.defined()
    for statement in block.statements:
        for inner in blocks_of(statement):
            found |= _set_in(inner)
    return found


def _is_integer(instruction: Instruction) -> bool:
    return _is_number(instruction) and not any(result.type.differentiable for result in instruction.results)


def _is_number(instruction: Instruction) -> bool:
    return all(isinstance(result.type, ArrayType) and not result.type.rank for result in instruction.results)

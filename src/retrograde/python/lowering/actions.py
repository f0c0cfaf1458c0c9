"""From a program in explicit form, whose names are settled, to the actions of a procedure.

A value that is read once becomes part of the expression that reads it, unless the user named it or something that it
reads changes in between.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from retrograde.program.kinds import is_tuple
from retrograde.program.model import (
    Block,
    Branch,
    Instruction,
    Loop,
    Place,
    Variable,
    blocks_of,
    free_variables,
    map_operand,
    operands_of,
    variables_in,
)
from retrograde.program.primitive import PRIMITIVES
from retrograde.program.types import ArrayType
from retrograde.python.lowering.aliasing import MAY_RETURN_OPERAND, Aliases, is_write, rank_of, viewed
from retrograde.python.lowering.model import (
    Action,
    Apply,
    Bind,
    Entry,
    Expression,
    For,
    ForEach,
    If,
    Keep,
    MakeStack,
    Name,
    Raise,
    Repeat,
    Stop,
    Write,
)
from retrograde.python.lowering.naming import Names
from retrograde.python.lowering.operations import COPY, ENTRY, KEEP, MAKE_STACK, RAISE, STOP
from retrograde.python.lowering.owning import Owners
from retrograde.python.lowering.places import names_in
from retrograde.python.lowering.ranges import is_over_chunks

_LONGEST = 12
"""The most operations in an expression, what picks elements not counted."""


@dataclass(slots=True)
class _Pending:
    """A value that waits for who reads it.

    Attributes:
        at: how many actions there were when it was made.
    """

    expression: Expression
    place: Place | None
    leaves: set[Variable]
    operations: int
    readers: int
    at: int


class Emission:
    """Makes actions of blocks.

    Args:
        block: the whole program in explicit form.
        names: of its variables.
        prompt: whether what is computed from arrays waits for no other statement.
    """

    def __init__(self, block: Block, names: Names, prompt: bool) -> None:
        self.names = names
        self.prompt = prompt
        self.aliases = Aliases(block, set())
        self.readers: Counter[Variable] = Counter()
        self.statements: Counter[Variable] = Counter()
        self.reading: dict[Variable, set[int]] = {}
        self.owners = Owners(block)
        self.freed_by: dict[Variable, int] = _last_readers(block) if prompt else {}
        self._note(block)

    def _note(self, block: Block) -> None:
        for statement in block.statements:
            self._note_uses(block, operands_of(statement))
            for variable in set(variables_in(operands_of(statement))):
                self.statements[variable] += 1
            for inner in blocks_of(statement):
                self._note(inner)
        self._note_uses(block, tuple(block.results))

    def _note_uses(self, block: Block, operands: Any) -> None:
        for variable in variables_in(operands):
            self.readers[variable] += 1
            self.reading.setdefault(variable, set()).add(id(block))

    def actions(self, block: Block, targets: list[Variable]) -> list[Action]:
        """The actions of a block, which leave its last results under the names of some variables."""
        sequence = Sequence(self, block)
        sequence.statements()
        results = block.results[len(block.results) - len(targets) :]
        sequence.assign([self.names.of(target) for target in targets], results, None)
        return sequence.done


class Sequence:
    """The actions of one block, as they are made."""

    def __init__(self, emission: Emission, block: Block) -> None:
        self.done: list[Action] = []
        self._emission = emission
        self._names = emission.names
        self._block = block
        self._pending: dict[Variable, _Pending] = {}

    def statements(self) -> None:
        """Make the actions of the block's statements."""
        for statement in self._block.statements:
            if isinstance(statement, Instruction):
                self._instruction(statement)
            elif isinstance(statement, Loop):
                self._loop(statement)
            elif isinstance(statement, Branch):
                self._branch(statement)

    def results(self) -> list[Expression]:
        """The block's results as expressions."""
        return [self._resolve(result) for result in self._block.results]

    def assign(self, targets: list[Name], operands: list[Any], place: Place | None) -> None:
        """Give names new values, all at once."""
        self._assign(targets, [self._resolve(operand) for operand in operands], place)

    def _assign(self, targets: list[Name], values: list[Expression], place: Place | None) -> None:
        waiting = [pair for pair in zip(targets, values, strict=True) if pair[0] is not pair[1]]
        while waiting:
            ready = next((pair for pair in waiting if not _is_read(pair[0], waiting, pair)), None)
            if ready is None:
                target, value = waiting.pop(0)
                saved = self._names.fresh(f"new_{target.text}", target.type)
                self.done.append(Bind([saved], value, place))
                waiting.append((target, saved))
            else:
                waiting.remove(ready)
                self.done.append(Bind([ready[0]], ready[1], place))

    def _resolve(self, operand: Any) -> Expression:
        """An operand as an expression; what waited for this reader waits no more."""

        def part(value: Any) -> Expression:
            if not isinstance(value, Variable):
                return value
            pending = self._pending.get(value)
            if pending is None:
                return self._names.of(value)
            pending.readers -= 1
            if not pending.readers:
                del self._pending[value]
            return pending.expression

        return map_operand(part, operand)

    def _weigh(self, operands: Any) -> tuple[set[Variable], int]:
        """The variables that operands read in the end, and how many operations that takes."""
        leaves: set[Variable] = set()
        operations = 1
        for variable in variables_in(operands):
            pending = self._pending.get(variable)
            if pending is None:
                leaves.add(variable)
            else:
                leaves |= pending.leaves
                operations += pending.operations
        return leaves, operations

    def _bind_pending(self, chosen: list[Variable]) -> None:
        """Compute what waits: a number that was made of numbers where it was made, anything else as late as can be."""
        for variable in chosen:
            pending = self._pending.pop(variable)
            at = len(self.done) if any(map(rank_of, pending.leaves)) else pending.at
            self.done.insert(at, Bind([self._names.of(variable)], pending.expression, pending.place))
            for other in self._pending.values():
                other.at += other.at >= at

    def _before_naming(self, targets: list[Name]) -> None:
        """Compute what waits and reads names that are about to stand for something else."""
        names = self._names
        self._bind_pending([v for v, p in self._pending.items() if any(names.of(leaf) in targets for leaf in p.leaves)])

    def _before_write(self, target: Variable) -> None:
        """Compute what waits and reads an array that is about to be written."""
        shared = {target, *self._emission.aliases.of(target)}
        self._bind_pending([v for v, p in self._pending.items() if not shared.isdisjoint(p.leaves)])

    def _before_others(self) -> None:
        """Compute what waits and is made of arrays, where it may not be computed behind the next action."""
        if self._emission.prompt:
            held = [v for v, p in self._pending.items() if any(map(rank_of, p.leaves)) and not _may_share(p.expression)]
            self._bind_pending(held)

    def _instruction(self, instruction: Instruction) -> None:
        primitive, operands, place = instruction.primitive, instruction.operands, instruction.place
        if is_write(instruction):
            self._write(instruction)
        elif primitive is KEEP:
            stack, index, value = operands
            is_own = self._emission.owners.is_alone(value)
            index, value = self._resolve(index), self._resolve(value)
            self._before_others()
            self.done.append(Keep(self._names.of(stack), index, value, place, is_own))
        elif primitive is STOP:
            self.done.append(Stop(self._resolve(operands[0]), place))
        elif primitive is RAISE:
            self.done.append(Raise(self._resolve(operands[0]), instruction.static["error"], place))
        elif primitive is MAKE_STACK:
            count, shape = operands
            slots = bool(instruction.static.get("slots"))
            name = self._names.of(instruction.results[0])
            self.done.append(MakeStack(name, self._resolve(count), self._resolve(shape), place, slots))
        else:
            self._value(instruction)

    def _write(self, instruction: Instruction) -> None:
        target, index, value = instruction.operands
        index, value = self._resolve(index), self._resolve(value)
        self._before_write(target)
        self._before_others()
        adding = instruction.primitive.name == "add_at"
        self.done.append(Write(self._names.of(target), index, value, adding, instruction.place))

    def _value(self, instruction: Instruction) -> None:
        leaves, operations = self._weigh(instruction.operands)
        operations -= instruction.primitive in (ENTRY, PRIMITIVES["getitem"], PRIMITIVES["size"])
        value = self._application(instruction)
        if self._can_wait(instruction, operations):
            result = instruction.results[0]
            readers = self._emission.readers[result]
            self._pending[result] = _Pending(value, instruction.place, leaves, operations, readers, len(self.done))
            return
        targets = [self._names.of(result) for result in instruction.results]
        if not self._copied_in_place(instruction):
            self._before_naming(targets)
        self._before_others()
        self.done.append(Bind(targets, value, instruction.place))

    def _copied_in_place(self, instruction: Instruction) -> bool:
        """Whether a name gets a copy of what it stands for: what waits, views aside, may as well read the copy."""
        source: Any = instruction.operands[0] if instruction.primitive is COPY else None
        result = instruction.results[0]
        if not isinstance(source, Variable) or self._names.of(source) is not self._names.of(result):
            return False
        waiting = [pending for pending in self._pending.values() if source in pending.leaves]
        if any(_may_share(pending.expression) for pending in waiting):
            return False
        for pending in waiting:
            pending.leaves = pending.leaves - {source} | {result}
        return True

    def _application(self, instruction: Instruction) -> Expression:
        operands = self._resolve(instruction.operands)
        kind = instruction.results[0].type
        if instruction.primitive is ENTRY:
            return Entry(operands[0], operands[1], kind)
        return Apply(instruction.primitive, operands, instruction.static, kind)  # pyright: ignore[reportArgumentType]

    def _can_wait(self, instruction: Instruction, operations: int) -> bool:
        """Whether a value may become part of the expression that reads it."""
        result = instruction.results[0]
        if len(instruction.results) > 1 or operations > _LONGEST or self._frees(instruction):
            return False
        if self._emission.reading.get(result) != {id(self._block)} or not self._names.alone(result):
            return False
        if self._emission.readers[result] == 1:
            return not result.hint or instruction.primitive is ENTRY
        if instruction.primitive is PRIMITIVES["getitem"] and viewed(instruction) is not None and not result.hint:
            # The user may have written `x[:i] @ x[:i]`.
            return self._emission.readers[result] == 2 and self._emission.statements[result] == 1
        return _is_count(instruction)

    def _frees(self, instruction: Instruction) -> bool:
        """Whether an array is not needed any more behind an instruction, as part of an expression it would be."""
        freed_by = self._emission.freed_by
        if not freed_by or instruction.primitive.views is not None:
            return False
        return any(freed_by.get(leaf) == id(instruction) for leaf in self._weigh(instruction.operands)[0])

    def _loop(self, loop: Loop) -> None:
        names = self._names
        values = [self._resolve(initial) for initial in loop.initial]
        carried = [names.of(variable) for variable in loop.carried]
        body = loop.body
        if is_over_chunks(loop):
            source = self._resolve(loop.count)
            self._bind_pending(list(self._pending))
            self._assign(carried, values, loop.place)
            self.done.append(
                ForEach(names.of(loop.index), source, self._emission.actions(body, loop.carried), loop.place)
            )
            return
        if is_tuple(loop.count):
            start, stop, step = self._resolve(loop.count)
            self._bind_pending(list(self._pending))
            self._assign(carried, values, loop.place)
            actions = self._emission.actions(body, loop.carried)
            self.done.append(For(names.of(loop.index), start, stop, step, loop.backward, actions, loop.place))
            return
        limit = self._resolve(loop.count)
        self._bind_pending(list(self._pending))
        self._assign(carried[1:], values[1:], loop.place)
        actions = self._emission.actions(body, loop.carried[1:])
        self.done.append(Repeat(carried[0], limit, actions, loop.place))

    def _branch(self, branch: Branch) -> None:
        condition = self._resolve(branch.condition)
        self._bind_pending(list(self._pending))
        then, otherwise = (self._emission.actions(side, branch.results) for side in (branch.then, branch.otherwise))
        self.done.append(If(condition, then, otherwise, branch.place))


def _last_readers(block: Block) -> dict[Variable, int]:
    """For each array that a statement of a block makes the last one there that reads it, by itself or through views."""
    found: dict[Variable, int] = {}
    owners: dict[Variable, Variable] = {}
    for statement in block.statements:
        inside = blocks_of(statement)
        for inner in inside:
            found |= _last_readers(inner)
        for variable in {*variables_in(operands_of(statement)), *free_variables(*inside)}:
            owner = owners.get(variable, variable)
            if owner in found:
                found[owner] = id(statement)
        views = isinstance(statement, Instruction) and statement.primitive.views is not None
        source: Any = operands_of(statement)[0] if views else None
        for result in statement.results:
            if isinstance(source, Variable):
                owners[result] = owners.get(source, source)
            elif rank_of(result):
                found[result] = 0
    for variable in variables_in(tuple(block.results)):
        found.pop(owners.get(variable, variable), None)
    return found


def _may_share(expression: Expression) -> bool:
    """Whether the value may be the memory of what it reads."""
    return isinstance(expression, Apply) and (
        expression.primitive.views is not None or expression.primitive.name in MAY_RETURN_OPERAND
    )


def _is_count(instruction: Instruction) -> bool:
    """Whether an instruction computes a number from an index and a constant: no reason for a name of its own."""
    result = instruction.results[0]
    if result.hint or not isinstance(result.type, ArrayType) or result.type.rank or result.type.dtype.kind != "i":
        return False
    plus = instruction.primitive in (PRIMITIVES["add"], PRIMITIVES["subtract"])
    return plus and sum(isinstance(operand, Variable) for operand in instruction.operands) == 1


def _is_read(target: Name, waiting: list[tuple[Name, Expression]], own: tuple[Name, Expression]) -> bool:
    return any(pair is not own and target in names_in(pair[1]) for pair in waiting)

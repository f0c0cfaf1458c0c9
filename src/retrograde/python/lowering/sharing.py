"""Where a program's writes happen in place, and where copies have to be made for that.

First every write is in place and no copy is made. A write that somebody would notice (a variable that is read later and
may share the memory, the caller, a constant) then needs a copy between the two: where a loop is entered rather than in
each of its iterations, where the user made one rather than anywhere else, or else right in front of the write.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from retrograde.program.model import (
    Block,
    Branch,
    Instruction,
    Loop,
    Statement,
    Variable,
    blocks_of,
)
from retrograde.program.types import ArrayType, type_of
from retrograde.python.lowering.aliasing import LOCKED, Aliases, Copied, is_copy, is_write, rank_of, viewed
from retrograde.python.lowering.liveness import live_after
from retrograde.python.lowering.operations import COPY, FULL, ZEROS
from retrograde.python.lowering.rewriting import drop_unused, substitute_everywhere


def share(block: Block) -> Block:
    """Make a block's writes ones in place: what has to be copied is copied by instructions."""
    copied = _Deciding(block).copied
    makers = makers_of(block)
    _insert(block, copied, makers)
    _leave_out(block)
    for at, result in enumerate(block.results):
        if ("result", at) in copied:
            copy = copy_of(result, _like(result), makers)
            block.statements.append(copy)
            block.results[at] = copy.results[0]
    drop_unused(block)
    return block


def _like(result: Any) -> Variable:
    return result if isinstance(result, Variable) else Variable("result", type_of(result))


class _Deciding:
    """Finds a choice of copies that nobody can tell from copying at every write."""

    def __init__(self, block: Block) -> None:
        self._block = block
        self._after = live_after(block)
        self._untouchable = {LOCKED, *(variable for variable in block.parameters if rank_of(variable))}
        self._depths: dict[Statement, int] = {}
        self._makers: dict[Variable, tuple[Statement, int]] = {}
        self._note(block, 0)
        writes = [statement for statement in self._depths if isinstance(statement, Instruction) and is_write(statement)]
        self.copied: Copied = {write for write in writes if not rank_of(write.operands[0])}
        self.copied |= {write for write in writes if not isinstance(write.operands[0], Variable)}
        self._forced = frozenset(self.copied)
        self._aliases = Aliases(block, self.copied)
        for write in writes:
            self._settle(write, write.operands[0])
        for at, result in enumerate(block.results):
            self._settle(("result", at), result)
        self._take_back(writes)

    def _take_back(self, writes: list[Instruction]) -> None:
        """Do without copies that others made needless."""
        readers: list[tuple[Any, Any]] = [(write, write.operands[0]) for write in writes]
        readers += [(("result", at), result) for at, result in enumerate(self._block.results)]
        for copy in sorted(self.copied - self._forced, key=self._depth_of, reverse=True):
            self.copied.remove(copy)
            before, self._aliases = self._aliases, Aliases(self._block, self.copied)
            if any(self._noticed(reader, operand) for reader, operand in readers):
                self.copied.add(copy)
                self._aliases = before

    def _note(self, block: Block, depth: int) -> None:
        for statement in block.statements:
            self._depths[statement] = depth
            for at, result in enumerate(statement.results):
                self._makers[result] = (statement, at)
            if isinstance(statement, Loop):
                for at, carried in enumerate(statement.carried):
                    self._makers[carried] = (statement, at)
            for inner in blocks_of(statement):
                self._note(inner, depth + isinstance(statement, Loop))

    def _settle(self, reader: Any, operand: Any) -> None:
        """Decide on copies until nobody notices a write, or that a result is handed out."""
        while reader not in self.copied and (noticed := self._noticed(reader, operand)):
            for candidate in self._candidates(reader, operand, noticed):
                self.copied.add(candidate)
                aliases = Aliases(self._block, self.copied)
                before, self._aliases = self._aliases, aliases
                if len(self._noticed(reader, operand)) < len(noticed) or candidate is reader:
                    break
                self.copied.remove(candidate)
                self._aliases = before

    def _noticed(self, reader: Any, operand: Any) -> set[Variable]:
        """What tells a write into an operand from one into a copy, or an operand as a result from a copy."""
        if reader in self.copied:
            return set()
        if not isinstance(operand, Variable):
            return {LOCKED} if rank_of(operand) else set()
        sharing = {operand, *self._aliases.of(operand)}
        if isinstance(reader, Instruction):
            after = self._after[reader]
            sharing.discard(reader.results[0])
            return {variable for variable in sharing if variable in self._untouchable or variable in after}
        results = self._block.results
        others = {variable for variable in results[: reader[1]] if isinstance(variable, Variable)}
        found = {variable for variable in sharing if variable in self._untouchable or variable in others}
        return {variable for variable in found if rank_of(variable) or variable is not operand}

    def _candidates(self, reader: Any, operand: Any, noticed: set[Variable]) -> list[Any]:
        """Where a copy may part an operand from those that would notice: least often executed first."""
        found = list(dict.fromkeys(self._upstream(operand, set())))
        if isinstance(reader, Instruction):
            found += [view for variable in noticed for view in self._views(variable) if view not in self.copied]
        if not isinstance(reader, Instruction):
            # A write that happens in place is as good as a copy behind it only if it happens once.
            found = [candidate for candidate in found if not self._depth_of(candidate)[0]]
        found.sort(key=self._depth_of)
        return [*found, reader]

    def _depth_of(self, candidate: Any) -> tuple[int, int]:
        """How often a copy would be made, and of two made equally often, which is cheaper: a view is a part."""
        if isinstance(candidate, tuple):
            return self._depths.get(candidate[0], 0), 0  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType]
        return self._depths[candidate], 2 if is_write(candidate) else 0 if is_copy(candidate) else 1

    def _views(self, variable: Variable) -> Iterator[Instruction]:
        """The instructions that made a variable a view."""
        maker = self._makers.get(variable, (None, 0))[0]
        while isinstance(maker, Instruction) and (base := viewed(maker)) is not None:
            yield maker
            maker = self._makers.get(base, (None, 0))[0]

    def _upstream(self, operand: Any, seen: set[Variable]) -> Iterator[Any]:
        """The places of possible copies on the way to an operand."""
        if not isinstance(operand, Variable) or operand in seen or operand not in self._makers:
            return
        seen.add(operand)
        maker, at = self._makers[operand]
        if isinstance(maker, Instruction):
            if maker in self.copied:
                return
            if is_write(maker) or is_copy(maker):
                yield maker
                yield from self._upstream(maker.operands[0], seen)
            else:
                yield from self._upstream(viewed(maker), seen)
        elif isinstance(maker, Loop):
            if (maker, at) not in self.copied:
                yield maker, at
                yield from self._upstream(maker.initial[at], seen)
            yield from self._upstream(maker.body.results[at], seen)
        elif isinstance(maker, Branch):
            for side in (maker.then, maker.otherwise):
                yield from self._upstream(side.results[at], seen)


def makers_of(block: Block) -> dict[Variable, Statement]:
    makers: dict[Variable, Statement] = {}
    for statement in block.statements:
        makers.update(dict.fromkeys(statement.results, statement))
        for inner in blocks_of(statement):
            makers.update(makers_of(inner))
    return makers


def _insert(block: Block, copied: Copied, makers: dict[Variable, Statement]) -> None:
    """Write the copies down as instructions."""
    statements: list[Statement] = []
    for statement in block.statements:
        for inner in blocks_of(statement):
            _insert(inner, copied, makers)
        if isinstance(statement, Instruction) and statement in copied:
            if is_write(statement):
                copy = copy_of(statement.operands[0], statement.results[0], makers)
                statement.operands = (copy.results[0], *statement.operands[1:])
                statements.append(copy)
            elif is_copy(statement):
                statement.primitive = COPY
            else:
                (result,) = statement.results
                view = Variable(result.name, result.type)
                statement.results = [view]
                statements.append(statement)
                statement = Instruction(COPY, (view,), {}, [result], statement.place)
        elif isinstance(statement, Loop):
            for at, carried in enumerate(statement.carried):
                if (statement, at) in copied:
                    copy = copy_of(statement.initial[at], carried, makers)
                    copy.place = statement.place
                    statement.initial[at] = copy.results[0]
                    statements.append(copy)
        statements.append(statement)
    block.statements = statements


def copy_of(operand: Any, like: Variable, makers: dict[Variable, Statement]) -> Instruction:
    """An instruction that makes a copy; of what one value fills, by filling."""
    result = Variable(like.name, operand.type if isinstance(operand, Variable) else like.type, hint=like.hint)
    maker = makers.get(operand) if isinstance(operand, Variable) else None
    kind = result.type
    if isinstance(maker, Instruction) and maker.primitive.name == "broadcast_to" and isinstance(kind, ArrayType):
        value, shape = maker.operands
        if not rank_of(value):
            return Instruction(FULL, (value, shape), {"dtype": kind.dtype}, [result], maker.place)
    if isinstance(maker, Instruction) and maker.primitive in (ZEROS, FULL):
        return Instruction(maker.primitive, maker.operands, maker.static, [result], maker.place)
    return Instruction(COPY, (operand,), {}, [result])


def _leave_out(block: Block) -> None:
    """Take out the copies that nobody needs."""
    same: dict[Variable, Any] = {}
    _collect(block, same)
    substitute_everywhere(block, same)


def _collect(block: Block, same: dict[Variable, Any]) -> None:
    kept: list[Statement] = []
    for statement in block.statements:
        if isinstance(statement, Instruction) and is_copy(statement):
            same[statement.results[0]] = statement.operands[0]
            continue
        kept.append(statement)
        for inner in blocks_of(statement):
            _collect(inner, same)
    block.statements = kept

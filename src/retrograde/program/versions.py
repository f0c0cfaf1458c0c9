"""Versions of an array that a program writes, and whether an element of one is the same in another.

An array that is written has a chain of versions: that before a loop, that which each iteration begins with, one behind
each write, that which the loop ends with. An element which was read of a version is still there at the end if no write
in between touches it; with indices that are sums of loop indices and sizes, that is a question of integers, and
answered exactly as far as elimination goes (Pugh 1992, "The Omega test"; Feautrier 1991, "Dataflow analysis of array
and scalar references").
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from retrograde.program.affine import Affine, Atom, cannot_hold
from retrograde.program.integers import Integers
from retrograde.program.model import Block, Branch, Instruction, Loop, Statement, Variable, blocks_of, variables_in
from retrograde.program.places import Picked, never_meet, picked
from retrograde.program.structure import Structure
from retrograde.program.types import ArrayType

_WRITES = ("update", "add_at")


@dataclass(frozen=True, slots=True)
class _Step:
    """From one version to the next: a write, or a region in which there may be some."""

    before: Variable
    after: Variable
    statement: Statement


@dataclass(frozen=True, slots=True)
class _Write:
    index: Any
    block: Block


@dataclass(frozen=True, slots=True)
class _Between:
    """Writes between a read and the version looked at.

    Attributes:
        same: how many of the loops around the read, from the outermost, are in the same iteration at the write.
        later: 1 if the next loop inside is in a later iteration at the write, -1 if in an earlier one, 0 if in any.
    """

    same: int
    later: int
    writes: tuple[_Write, ...]


class Versions:
    """The versions of the arrays of a program.

    Args:
        structure: of the program.
        least_size: what its named sizes are at least.
    """

    def __init__(self, structure: Structure, least_size: int = 0) -> None:
        self._structure = structure
        self._integers = Integers(structure, least_size)

    def still_there(self, version: Variable, index: Any, block: Block) -> list[Variable]:
        """Other versions in which what an index picks of a version is the same, those further out first.

        Args:
            version: of an array.
            index: as the primitive `getitem` takes it.
            block: where the index is used: its variables have the values that they have there.

        Returns:
            Results of the loops around the block, and what the array was before them.
        """
        if not isinstance(version.type, ArrayType):
            return []
        read = _Write(index, block)
        ends = self._found(version, read, self._forward(version))
        starts = self._found(version, read, self._backward(version))
        return sorted(ends + starts, key=lambda found: len(self._structure.loops_around(found)))

    def before_loop(self, carried: Variable, index: Any) -> Variable | None:
        """What a carried array is before its loop, if the loop never writes where an index picks.

        Args:
            carried: a parameter of a loop's body.
            index: of variables that are set outside of the loop.
        """
        block = self._structure.block(carried)
        loop, _ = (block and self._structure.owner(block)) or (None, None)
        if not isinstance(loop, Loop) or carried not in loop.carried or not isinstance(carried.type, ArrayType):
            return None
        position = loop.carried.index(carried)
        steps = self._steps(loop.body, loop.body.results[position], carried)
        if steps is None or any(self._structure.loops_around(used)[-1:] == (loop,) for used in variables_in(index)):
            return None
        for write in self._writes(steps):
            loops = self._structure.loops(write.block)
            if not never_meet(index, write.index, carried.type.sizes, loops, self._integers):
                return None
        start = loop.initial[position]
        return start if isinstance(start, Variable) else None

    def _found(
        self, version: Variable, read: _Write, candidates: Iterator[tuple[Variable, list[_Between]]]
    ) -> list[Variable]:
        found: list[Variable] = []
        for candidate, between in candidates:
            if any(self._touches(version, read, part) for part in between):
                break
            found.append(candidate)
        return found

    def _forward(self, version: Variable) -> Iterator[tuple[Variable, list[_Between]]]:
        """Later versions, further and further out, each with the writes since the one before."""
        block = self._structure.block(version)
        while block is not None:
            owner = self._structure.owner(block)
            if owner is None or isinstance(owner[0], Instruction):
                return
            statement, around = owner
            depth = len(self._structure.loops(block))
            between: list[_Between] = []
            if isinstance(statement, Loop):
                found = self._carried(statement, version)
                if found is None:
                    return
                position, steps = found
                rest = self._behind(steps, version)
                between.append(_Between(depth, 0, tuple(self._writes(rest))))
                between.append(_Between(depth - 1, 1, tuple(self._writes(steps))))
            else:
                found = self._given(statement, block, version)
                if found is None:
                    return
                position, steps = found
                between.append(_Between(depth, 0, tuple(self._writes(self._behind(steps, version)))))
            version, block = statement.results[position], around
            yield version, between

    def _backward(self, version: Variable) -> Iterator[tuple[Variable, list[_Between]]]:
        """Earlier versions, further and further out, each with the writes since."""
        block = self._structure.block(version)
        while block is not None:
            owner = self._structure.owner(block)
            loop, around = owner or (None, block)
            if not isinstance(loop, Loop) or block is not loop.body:
                return
            depth = len(self._structure.loops(block))
            found = self._carried(loop, version)
            if found is None:
                return
            position, steps = found
            before = self._ahead(steps, version)
            between = [
                _Between(depth, 0, tuple(self._writes(before))),
                _Between(depth - 1, -1, tuple(self._writes(steps))),
            ]
            start = loop.initial[position]
            if not isinstance(start, Variable):
                return
            version, block = start, around
            yield version, between
            if self._structure.block(version) is not around:
                return

    def _carried(self, loop: Loop, version: Variable) -> tuple[int, list[_Step]] | None:
        """The carried value of which something is a version, and the steps from one iteration to the next."""
        for position, first in enumerate(loop.carried):
            steps = self._steps(loop.body, loop.body.results[position], first)
            if steps is not None and (version is first or any(version is step.after for step in steps)):
                return position, steps
        return None

    def _given(self, branch: Statement, side: Block, version: Variable) -> tuple[int, list[_Step]] | None:
        for position, result in enumerate(side.results):
            steps = self._steps(side, result, None)
            if steps is not None and any(version in (step.before, step.after) for step in steps):
                return position, steps
        return None

    def _steps(self, block: Block, last: Any, first: Variable | None) -> list[_Step] | None:
        """The steps in a block from a version, or from where the array comes in, to another; None if there are none."""
        steps: list[_Step] = []
        version = last
        while version is not first:
            if not isinstance(version, Variable):
                return None
            if self._structure.block(version) is not block or version in block.parameters:
                if first is not None:
                    return None
                break
            before = self._before(version)
            if before is None:
                return None
            steps.insert(0, _Step(before, version, self._maker(version)))
            version = before
        return steps

    def _maker(self, version: Variable) -> Statement:
        maker = self._structure.maker(version)
        assert maker is not None
        return maker

    def _before(self, version: Variable) -> Variable | None:
        """The version before the statement that makes one, in the same block or around it."""
        maker = self._structure.maker(version)
        before = None
        if isinstance(maker, Instruction):
            before = maker.operands[0] if maker.primitive.name in _WRITES else None
        elif isinstance(maker, Loop):
            before = self._before_loop(maker, maker.results.index(version))
        elif isinstance(maker, Branch):
            before = self._before_branch(maker, maker.results.index(version))
        return before if isinstance(before, Variable) else None

    def _before_loop(self, loop: Loop, position: int) -> Any:
        if position >= len(loop.initial):
            return None
        steps = self._steps(loop.body, loop.body.results[position], loop.carried[position])
        return None if steps is None else loop.initial[position]

    def _before_branch(self, branch: Branch, position: int) -> Any:
        origins: list[Any] = []
        for side in (branch.then, branch.otherwise):
            steps = self._steps(side, side.results[position], None)
            if steps is None:
                return None
            origins.append(steps[0].before if steps else side.results[position])
        return origins[0] if origins[0] is origins[1] else None

    def _behind(self, steps: list[_Step], version: Variable) -> list[_Step]:
        places = [at for at, step in enumerate(steps) if step.after is version]
        return steps[places[0] + 1 :] if places else steps

    def _ahead(self, steps: list[_Step], version: Variable) -> list[_Step]:
        places = [at for at, step in enumerate(steps) if step.after is version]
        return steps[: places[0] + 1] if places else []

    def _writes(self, steps: list[_Step]) -> Iterator[_Write]:
        for step in steps:
            statement = step.statement
            if isinstance(statement, Instruction):
                block = self._structure.block(step.after)
                assert block is not None
                yield _Write(statement.operands[1], block)
                continue
            position = statement.results.index(step.after)
            sides = [side for side in blocks_of(statement) if len(side.results) == len(statement.results)]
            for side in sides:
                first = statement.carried[position] if isinstance(statement, Loop) else None
                inner = self._steps(side, side.results[position], first)
                assert inner is not None
                yield from self._writes(inner)

    def _touches(self, version: Variable, read: _Write, between: _Between) -> bool:
        """Whether one of the writes may touch what is read."""
        if not between.writes:
            return False
        reading = list(self._accesses(version, read, between, "read"))
        order = self._order(read, between)
        for write in between.writes:
            for writing in self._accesses(version, write, between, "write"):
                for places in reading:
                    meet = [one.place - other.place for one, other in zip(places, writing, strict=True)]
                    conditions = [*_conditions(places), *_conditions(writing), *order]
                    if not cannot_hold(conditions, meet):
                        return True
        return False

    def _accesses(
        self, version: Variable, access: _Write, between: _Between, side: str
    ) -> Iterator[tuple[Picked, ...]]:
        """What an access picks along each axis, where the loops around it are; the domain is among the conditions."""
        assert isinstance(version.type, ArrayType)
        loops = self._structure.loops(access.block)
        domain = self._integers.domain(loops)
        for places in picked(access.index, version.type.sizes, self._integers, side):
            conditions = self._integers.with_facts([*domain, *_conditions(places)])
            if cannot_hold(conditions):
                continue
            known = tuple(self._renamed(condition, loops, between, side) for condition in conditions)
            renamed = [Picked(self._renamed(part.place, loops, between, side), ()) for part in places]
            yield (replace(renamed[0], conditions=known), *renamed[1:]) if renamed else ()

    def _renamed(self, sum_: Affine, loops: tuple[Loop, ...], between: _Between, side: str) -> Affine:
        same = set(loops[: between.same])

        def name(atom: Atom) -> Atom:
            if isinstance(atom, Variable) and not same.issuperset(self._structure.loops_around(atom)):
                return (atom, side)
            return atom

        return sum_.renamed(name)

    def _order(self, read: _Write, between: _Between) -> list[Affine]:
        if not between.later:
            return []
        loop = self._structure.loops(read.block)[between.same]
        later = -between.later if loop.backward else between.later
        distance = Affine.of((loop.index, "write")) - Affine.of((loop.index, "read"))
        return [distance * later - 1]


def _conditions(places: tuple[Picked, ...]) -> list[Affine]:
    return [condition for part in places for condition in part.conditions]

"""What the reversed program may read of the forward one, and how it gets there.

A value of the forward program is at hand where it is set around the place that reads it. A value set inside a loop is
gone when the reversed loop runs: asking for it makes the forward loop collect it, and the reversed loop consume it. So
what is kept is exactly what some rule asked for. A value set in a branch becomes a result of the branch.
"""

from __future__ import annotations

from itertools import islice
from typing import Any, Protocol

import numpy as np

from retrograde.program.builder import ProgramBuilder, Symbol
from retrograde.program.model import Block, Branch, Instruction, Loop, Variable, map_operand, variables_in
from retrograde.program.primitive import PRIMITIVES
from retrograde.program.types import ArrayType, StackType, Type


class Scope(Protocol):
    """A place in the reversed program, for the region of the forward program that it reverses."""

    def read(self, variable: Variable) -> Symbol:
        """A value of the forward program, at this place."""
        ...

    def add(self, variable: Variable) -> None:
        """Take note of a variable that was added to the forward region."""
        ...


class OuterScope:
    """The reversed program outside of all regions: everything of the forward program is at hand."""

    def __init__(self, builder: ProgramBuilder) -> None:
        self._builder = builder

    def read(self, variable: Variable) -> Symbol:
        """A value of the forward program, at this place."""
        return Symbol(self._builder, variable)

    def add(self, variable: Variable) -> None:
        """Nothing to do: what is added is at hand, too."""


class LoopScope:
    """The body of a reversed loop."""

    def __init__(self, builder: ProgramBuilder, parent: Scope, forward: Loop, reversed_loop: Loop) -> None:
        self._builder = builder
        self._parent = parent
        self._forward = forward
        self._reversed = reversed_loop
        self._own = forward.body.defined()
        self._at_hand = {forward.index: reversed_loop.index}
        if forward.condition is not None:
            self._at_hand[forward.carried[0]] = reversed_loop.index

    def read(self, variable: Variable) -> Symbol:
        """A value of the forward program, at this place: of the body, that of the same iteration."""
        if variable not in self._own:
            return self._parent.read(variable)
        if variable not in self._at_hand:
            rebuilt = self._rebuilt(variable)
            if rebuilt is not None:
                return rebuilt
            self._at_hand[variable] = self._collected(variable)
        return Symbol(self._builder, self._at_hand[variable])

    def add(self, variable: Variable) -> None:
        """Take note of a variable that was added to the forward body."""
        self._own.add(variable)

    def _rebuilt(self, variable: Variable) -> Symbol | None:
        """A view of what is set outside of the loop, taken again: that costs nothing, and keeping it would."""
        for maker in self._forward.body.statements:
            if variable in maker.results and isinstance(maker, Instruction) and maker.primitive.views is not None:
                if any(used in self._own and used is not self._forward.index for used in variables_in(maker.operands)):
                    return None
                operands = map_operand(
                    lambda part: self.read(part) if isinstance(part, Variable) else part, maker.operands
                )
                return maker.primitive(*operands, **maker.static)
        return None

    def _collected(self, variable: Variable) -> Variable:
        stack = self._stack_of(variable)
        element = self._builder.variable(variable.type, hint=f"{variable.name}_")
        self._reversed.consumed.append(self._parent.read(stack).variable)
        self._reversed.body.parameters.append(element)
        return element

    def _stack_of(self, variable: Variable) -> Variable:
        collected = zip(self._forward.body.results, self._forward.results, strict=True)
        for result, stack in islice(collected, len(self._forward.initial), None):
            if result is variable:
                return stack
        stack = self._builder.variable(StackType(variable.type), hint=_kept_name(variable))
        self._forward.body.results.append(variable)
        self._forward.results.append(stack)
        self._parent.add(stack)
        return stack


class BranchScope:
    """One side of a reversed branch."""

    def __init__(self, builder: ProgramBuilder, parent: Scope, forward: Branch, side: Block) -> None:
        self._builder = builder
        self._parent = parent
        self._forward = forward
        self._side = side
        self._own = side.defined()
        self._at_hand: dict[Variable, Variable] = {}

    def read(self, variable: Variable) -> Symbol:
        """A value of the forward program, at this place."""
        if variable not in self._own:
            return self._parent.read(variable)
        if variable not in self._at_hand:
            self._at_hand[variable] = self._handed_on(variable)
        return self._parent.read(self._at_hand[variable])

    def add(self, variable: Variable) -> None:
        """Take note of a variable that was added to the forward side."""
        self._own.add(variable)

    def _handed_on(self, variable: Variable) -> Variable:
        for given, result in zip(self._side.results, self._forward.results, strict=True):
            if given is variable:
                return result
        result = self._builder.variable(variable.type, hint=_kept_name(variable))
        self._forward.results.append(result)
        for block in (self._forward.then, self._forward.otherwise):
            block.results.append(variable if block is self._side else _absent(variable.type))
        self._parent.add(result)
        return result


def _kept_name(variable: Variable) -> str:
    return f"kept_{variable.name.removeprefix('kept_')}"


def _absent(kind: Type) -> Any:
    """What stands on the side that does not set a value. Nobody reads it."""
    return np.zeros((1,) * kind.rank, kind.dtype) if isinstance(kind, ArrayType) else []


def shape_at(scope: Scope, builder: ProgramBuilder, block: Block, variable: Variable) -> tuple[Any, ...]:
    """The shape of a value of the forward program, as an operand at a place of the reversed one.

    A size with a name is read off an input. Any other is computed by the forward program, right behind the value.
    """
    if not isinstance(variable.type, ArrayType):
        return ()
    extents: list[Any] = []
    for axis, size in enumerate(variable.type.sizes):
        known = builder.named_extent(size)
        extents.append(scope.read(_size_of(scope, builder, block, variable, axis)) if known is None else known)
    return tuple(extents)


def _size_of(scope: Scope, builder: ProgramBuilder, block: Block, variable: Variable, axis: int) -> Variable:
    wanted = {"axis": axis, "offset": 0}
    primitive = PRIMITIVES["size"]
    places = [at for at, statement in enumerate(block.statements) if variable in statement.results]
    at = places[0] + 1 if places else 0
    for statement in block.statements[at:]:
        if (
            isinstance(statement, Instruction)
            and statement.primitive is primitive
            and statement.operands == (variable,)
            and statement.static == wanted
        ):
            return statement.results[0]
    size = builder.variable(ArrayType(np.dtype(np.int64)), hint=f"size_{variable.name}")
    block.statements.insert(at, Instruction(primitive, (variable,), wanted, [size]))
    scope.add(size)
    return size

"""What the reversed program may read of the forward one, and how it gets there.

A value of the forward program is at hand where it is set around the place that reads it. A value set inside a loop is
gone when the reversed loop runs: asking for it makes the forward loop collect it, and the reversed loop consume it. So
what is kept is exactly what some rule asked for. A value set in a branch becomes a result of the branch.
"""

from __future__ import annotations

from itertools import islice
from typing import Any, Protocol

import numpy as np

from retrograde.autodiff.programs.residuals import Recipe, Residuals
from retrograde.program.builder import ProgramBuilder
from retrograde.program.model import Block, Branch, Instruction, Loop, Variable, map_operand, variables_in
from retrograde.program.primitive import PRIMITIVES
from retrograde.program.symbol import Symbol
from retrograde.program.types import ArrayType, StackType, Type


class Scope(Protocol):
    """A place in the reversed program, for the region of the forward program that it reverses."""

    residuals: Residuals

    def read(self, variable: Variable) -> Symbol:
        """A value of the forward program, at this place."""
        ...

    def has(self, variable: Variable) -> bool:
        """Whether a value can be read without keeping more than was decided on."""
        ...

    def add(self, variable: Variable) -> None:
        """Take note of a variable that was added to the forward region."""
        ...


class OuterScope:
    """The reversed program outside of all regions: everything of the forward program is at hand."""

    def __init__(self, builder: ProgramBuilder, residuals: Residuals) -> None:
        self.residuals = residuals
        self._builder = builder

    def read(self, variable: Variable) -> Symbol:
        """A value of the forward program, at this place."""
        return Symbol(self._builder, variable)

    def has(self, variable: Variable) -> bool:
        """Everything is at hand."""
        return True

    def add(self, variable: Variable) -> None:
        """Nothing to do: what is added is at hand, too."""


class _InnerScope:
    """A region of the reversed program, in which the values of the region that it reverses are rebuilt or handed in."""

    def __init__(self, builder: ProgramBuilder, parent: Scope, own: set[Variable], block: Block) -> None:
        self.residuals = parent.residuals
        self._builder = builder
        self._parent = parent
        self._own = own
        self._block = block
        self._at_hand: dict[Variable, Variable] = {}

    def read(self, variable: Variable) -> Symbol:
        """A value of the forward program, at this place: of the region, that of the same run of it."""
        if variable not in self._own:
            return self._parent.read(variable)
        if variable not in self._at_hand:
            recipe = self._recipe(variable)
            self._at_hand[variable] = self._handed_in(variable) if recipe is None else self._rebuilt(variable, recipe)
        return self._symbol(self._at_hand[variable])

    def has(self, variable: Variable) -> bool:
        """Whether a value can be read without keeping more than was decided on."""
        if variable not in self._own:
            return self._parent.has(variable)
        known = variable in self._at_hand or variable in self.residuals.planned
        return known or self._is_handed_in(variable) or self._recipe(variable) is not None

    def add(self, variable: Variable) -> None:
        """Take note of a variable that was added to the forward region."""
        self._own.add(variable)

    def _recipe(self, variable: Variable) -> Recipe | None:
        """A way to compute a value of the region once more; None if it is to be handed in."""
        if variable in self.residuals.kept:
            return None
        for recipe in self.residuals.recipes(variable):
            if all(map(self.has, variables_in(recipe.operands))):
                return recipe
        return None

    def _rebuilt(self, variable: Variable, recipe: Recipe) -> Variable:
        """A value computed once more, in the block that this scope is for, so that all of it can use the value."""
        operands = map_operand(lambda part: self.read(part) if isinstance(part, Variable) else part, recipe.operands)
        with self._builder.inside(self._block):
            if recipe.is_whole():
                return operands[0].variable
            outer, self._builder.place = self._builder.place, recipe.place or self._builder.place
            atoms = map_operand(self._builder.atom, operands)
            result = Symbol(self._builder, self._builder.emit(recipe.primitive, atoms, recipe.static).variable)
            self._builder.place = outer
        if variable.hint:
            self._builder.hint(result, variable.hint)
        return result.variable

    def _symbol(self, held: Variable) -> Symbol:
        return Symbol(self._builder, held)

    def _is_handed_in(self, variable: Variable) -> bool:
        raise NotImplementedError  # pragma: no cover

    def _handed_in(self, variable: Variable) -> Variable:
        raise NotImplementedError  # pragma: no cover


class LoopScope(_InnerScope):
    """The body of a reversed loop."""

    def __init__(self, builder: ProgramBuilder, parent: Scope, forward: Loop, reversed_loop: Loop) -> None:
        super().__init__(builder, parent, forward.body.defined(), reversed_loop.body)
        self._forward = forward
        self._reversed = reversed_loop
        self._at_hand[forward.index] = reversed_loop.index
        if forward.condition is not None:
            self._at_hand[forward.carried[0]] = reversed_loop.index

    def _is_handed_in(self, variable: Variable) -> bool:
        return variable in self._forward.elements or variable in self.residuals.kept

    def _handed_in(self, variable: Variable) -> Variable:
        """An element of the stack that the forward loop collects, or that it consumes itself."""
        if variable in self._forward.elements:
            stack = self._forward.consumed[self._forward.elements.index(variable)]
        else:
            stack = self._stack_of(variable)
        element = self._builder.variable(variable.type, hint=variable.hint or f"{variable.name.rstrip('_')}_")
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


class BranchScope(_InnerScope):
    """One side of a reversed branch."""

    def __init__(
        self, builder: ProgramBuilder, parent: Scope, forward: Branch, side: Block, reversed_side: Block
    ) -> None:
        super().__init__(builder, parent, side.defined(), reversed_side)
        self._forward = forward
        self._side = side

    def _is_handed_in(self, variable: Variable) -> bool:
        return any(result is variable for result in self._side.results)

    def _handed_in(self, variable: Variable) -> Variable:
        """What the forward branch hands out of its side, as the parent has it."""
        return self._parent.read(self._handed_on(variable)).variable

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
    return f"kept_{(variable.hint or variable.name).removeprefix('kept_')}"


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
        known = builder.sizes.named(size)
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
    scope.residuals.note_size(size, variable, axis)
    scope.add(size)
    return size

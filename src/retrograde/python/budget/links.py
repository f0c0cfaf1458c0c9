"""How a place in the reversed half of a program gets at values of the place in the forward half that it reverses.

What a backward region reads of a forward one comes through the regions around both: a loop collects it and the reversed
loop consumes it, a branch has it as a result. A link knows one such pair of regions, and carries more values over.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from retrograde.program.model import Block, Branch, Loop, Variable
from retrograde.program.types import ArrayType, StackType, Type


class Link(Protocol):
    """A forward block and the block that reverses it."""

    @property
    def forward(self) -> Block:
        """The forward block."""
        ...

    @property
    def backward(self) -> Block:
        """The block that reverses it."""
        ...

    def source(self, variable: Any) -> Variable | None:
        """Which value of the forward block a variable of the backward block stands for."""
        ...

    def carry(self, variable: Variable) -> Variable:
        """What stands in the backward block for a value that the forward block can read."""
        ...


@dataclass(eq=False, slots=True)
class RootLink:
    """The program itself: everything is at hand."""

    block: Block

    @property
    def forward(self) -> Block:
        """The program's block."""
        return self.block

    @property
    def backward(self) -> Block:
        """The program's block."""
        return self.block

    def source(self, variable: Any) -> Variable | None:
        """The variable itself."""
        return variable if isinstance(variable, Variable) else None

    def carry(self, variable: Variable) -> Variable:
        """The variable itself."""
        return variable


@dataclass(eq=False, slots=True)
class LoopLink:
    """The bodies of a loop and of the loop that reverses it."""

    parent: Link
    forward_loop: Loop
    backward_loop: Loop

    @property
    def forward(self) -> Block:
        """The forward body."""
        return self.forward_loop.body

    @property
    def backward(self) -> Block:
        """The backward body."""
        return self.backward_loop.body

    def source(self, variable: Any) -> Variable | None:
        """Of a consumed value what was collected; of anything from further out what it stands for there."""
        if variable is self.backward_loop.index:
            return self.forward_loop.index
        consumed = zip(self.backward_loop.elements, self.backward_loop.consumed, strict=True)
        for element, stack in consumed:
            if element is variable:
                return self._collected(self.parent.source(stack))
        if variable in self.backward_loop.body.defined():
            return None
        return self.parent.source(variable)

    def _collected(self, stack: Variable | None) -> Variable | None:
        if stack not in self.forward_loop.results:
            return None
        result = self.forward_loop.body.results[self.forward_loop.results.index(stack)]
        return result if isinstance(result, Variable) else None

    def carry(self, variable: Variable) -> Variable:
        """A consumed value: one that is consumed already, or one more."""
        if variable is self.forward_loop.index:
            return self.backward_loop.index
        if variable not in self.forward_loop.body.defined():
            return self.parent.carry(variable)
        for element in self.backward_loop.elements:
            if self.source(element) is variable:
                return element
        stack = Variable(_kept_name(variable), StackType(variable.type))
        self.forward_loop.body.results.append(variable)
        self.forward_loop.results.append(stack)
        element = Variable(variable.name, variable.type)
        self.backward_loop.consumed.append(self.parent.carry(stack))
        self.backward_loop.body.parameters.append(element)
        return element


@dataclass(eq=False, slots=True)
class BranchLink:
    """One side of a branch and of the branch that reverses it."""

    parent: Link
    forward_branch: Branch
    forward: Block
    backward: Block

    def source(self, variable: Any) -> Variable | None:
        """Of a result of the forward branch what this side gives for it; of anything else what it stands for."""
        if variable in self.backward.defined():
            return None
        around = self.parent.source(variable)
        if around in self.forward_branch.results:
            given = self.forward.results[self.forward_branch.results.index(around)]
            return given if isinstance(given, Variable) else None
        return around

    def carry(self, variable: Variable) -> Variable:
        """A result of the forward branch."""
        if variable not in self.forward.defined():
            return self.parent.carry(variable)
        for given, result in zip(self.forward.results, self.forward_branch.results, strict=True):
            if given is variable:
                return self.parent.carry(result)
        result = Variable(_kept_name(variable), variable.type)
        self.forward_branch.results.append(result)
        for side in (self.forward_branch.then, self.forward_branch.otherwise):
            side.results.append(variable if side is self.forward else _absent(variable.type))
        return self.parent.carry(result)


def _kept_name(variable: Variable) -> str:
    return f"kept_{variable.name.removeprefix('kept_')}"


def _absent(kind: Type) -> Any:
    """What stands on the side that does not set a value. Nobody reads it."""
    return np.zeros((1,) * kind.rank, kind.dtype) if isinstance(kind, ArrayType) else []

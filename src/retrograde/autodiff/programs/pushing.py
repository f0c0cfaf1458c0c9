"""A program's forward derivative: the program that computes its outputs and how they change in a direction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from retrograde.autodiff.cotangents import cast
from retrograde.autodiff.forward.pushing import push_of
from retrograde.autodiff.programs.activity import active_operands, active_variables
from retrograde.autodiff.programs.names import find_input, find_output
from retrograde.errors import UsageError
from retrograde.program.builder import ProgramBuilder
from retrograde.program.kinds import is_list
from retrograde.program.model import Block, Branch, Instruction, Loop, Program, Variable, map_operand, variables_in
from retrograde.program.primitive import PRIMITIVES
from retrograde.program.simplify import simplify
from retrograde.program.symbol import Symbol
from retrograde.program.types import ArrayType, same_sizes


def push(program: Program, wrt: Sequence[str], of: Sequence[str], keep_outputs: bool = True) -> Program:
    """The program that computes how a program's outputs change with its inputs, in one direction.

    Tangents are carried along with the values, through loops and branches, so that nothing is kept. The result can be
    reversed, which gives products with second derivatives at the cost of a few runs of the program.

    Args:
        program: it is not changed.
        wrt: the inputs that change, by name; of a floating or complex type.
        of: the outputs of interest, by name.
        keep_outputs: whether the result has the program's own outputs, too.

    Returns:
        A program with the same inputs and, behind them, for each input `x` of `wrt` its tangent `d_x`. Its outputs are
        those of the program, and for each output `y` of `of` the tangent `d_y`.

    Raises:
        UsageError: a name is not that of an input or output, or belongs to one that has no derivative.

    Example:
        >>> import numpy as np
        >>> from retrograde.program import ProgramBuilder
        >>> builder = ProgramBuilder("cube")
        >>> x = builder.input("x", "float64")
        >>> push(builder.finish(y=x * x * x), ["x"], ["y"])(2.0, 1.0)
        (np.float64(8.0), np.float64(12.0))
    """
    program = simplify(program)
    sources = [find_input(name, program) for name in wrt]
    targets = [find_output(name, program) for name in of]
    pushing = _Pushing(program, active_variables(program.block, sources, variables_in(tuple(targets))))
    values = [pushing.read(result) for result in program.block.results]
    outputs = dict(zip(program.output_names, values, strict=True)) if keep_outputs else {}
    changes = {f"d_{name}": pushing.tangent(target) for name, target in zip(of, targets, strict=True)}
    return simplify(pushing.builder.finish(**outputs, **changes))


class _Pushing:
    """Writes a program anew, with tangents beside the values."""

    def __init__(self, program: Program, active: set[Variable]) -> None:
        self.builder = ProgramBuilder(f"{program.name}_pushed")
        self.builder.least_size = program.least_size
        self._active = active
        self._values: dict[Variable, Any] = {}
        self._tangents: dict[Variable, Any] = {}
        for variable in program.inputs:
            self._values[variable] = self._input(variable.name, variable)
        for variable in program.inputs:
            if variable in active:
                self._tangents[variable] = self._input(f"d_{variable.name}", variable)
        self._block(program.block)

    def _input(self, name: str, variable: Variable) -> Any:
        kind = variable.type
        if not isinstance(kind, ArrayType):
            raise UsageError(f"input {variable!r} is no array; the forward derivative takes programs of arrays")
        symbol = self.builder.input(name, kind.dtype, kind.sizes)
        symbol.variable.extent, symbol.variable.hint = variable.extent, variable.hint
        return symbol

    def read(self, operand: Any) -> Any:
        """What stands for an operand in the new program."""
        return map_operand(lambda part: self._values[part] if isinstance(part, Variable) else part, operand)

    def tangent(self, operand: Any) -> Any:
        """The tangent of an operand; zeros if it does not change."""
        found = self._tangents.get(operand) if isinstance(operand, Variable) else None
        if found is not None:
            return found
        value = self.read(operand)
        if isinstance(operand, Variable) and not isinstance(operand.type, ArrayType):
            return PRIMITIVES["zero_stack"](value)
        if not isinstance(value, Symbol):
            return PRIMITIVES["zero_stack"](value) if is_list(value) else np.zeros_like(value)
        return self.builder.zeros(value.shape, value.dtype)

    def _block(self, block: Block) -> None:
        for statement in block.statements:
            self.builder.place = None if statement.place is None else replace(statement.place)
            if isinstance(statement, Instruction):
                self._instruction(statement)
            elif isinstance(statement, Loop):
                self._loop(statement)
            elif isinstance(statement, Branch):
                self._branch(statement)

    def _instruction(self, instruction: Instruction) -> None:
        operands = self.read(instruction.operands)
        made = self.builder.emit(instruction.primitive, operands, instruction.static)
        results = made if instruction.primitive.outputs else (made,)
        for variable, symbol in zip(instruction.results, results, strict=True):
            self._set(variable, symbol)
        moving = {at: self._tangents[part] for at, _, part in active_operands(instruction, self._active)}
        if not moving or self._active.isdisjoint(instruction.results):
            return
        shares = self._shares(instruction, moving, operands, made)
        for at, variable in enumerate(instruction.results):
            if variable in self._active:
                parts = [share[at] if instruction.primitive.outputs else share for share in shares]
                tangent = self._fitted(parts[0], variable)
                for part in parts[1:]:
                    tangent = tangent + self._fitted(part, variable)
                self._tangents[variable] = tangent
                if variable.hint:
                    self.builder.hint(tangent, f"d_{variable.hint}")

    def _shares(self, instruction: Instruction, moving: dict[int, Any], operands: Any, made: Any) -> list[Any]:
        """What each operand that moves makes the results move by, before it is broadcast as the operand is."""
        primitive = instruction.primitive
        if primitive.variadic:
            moving = {0: tuple(moving.get(at, np.zeros_like(value)) for at, value in enumerate(operands))}
        pushes = [(push_of(primitive, at), tangent) for at, tangent in moving.items()]
        return [push(tangent, operands, made, instruction.static) for push, tangent in pushes if push is not None]

    def _fitted(self, share: Any, variable: Variable) -> Any:
        """A share of a tangent in the shape and dtype of the result."""
        kind = variable.type
        assert isinstance(kind, ArrayType)
        if not same_sizes(share.variable.type, kind):
            share = PRIMITIVES["broadcast_to"](share, self._values[variable].shape)
        return cast(share, kind.dtype)

    def _set(self, variable: Variable, symbol: Any) -> None:
        self._values[variable] = symbol
        if variable.hint:
            self.builder.hint(symbol, variable.hint)
        symbol.variable.extent = variable.extent if symbol.variable.extent is None else symbol.variable.extent

    def _parameters(self, variables: Sequence[Variable], moves: Sequence[bool]) -> list[Variable]:
        """New variables for the values of a region, and behind them for the tangents of those that move."""
        values = [self.builder.variable(part.type, part.hint or part.name, part.extent) for part in variables]
        moving = [part for part, moved in zip(variables, moves, strict=True) if moved]
        tangents = [self.builder.variable(part.type, f"d_{part.hint or part.name}") for part in moving]
        self._values.update((part, Symbol(self.builder, new)) for part, new in zip(variables, values, strict=True))
        self._tangents.update((part, Symbol(self.builder, new)) for part, new in zip(moving, tangents, strict=True))
        return [*values, *tangents]

    def _both(self, operands: Sequence[Any], moving: Sequence[Any]) -> list[Any]:
        """Values and tangents as operands: of the tangents those for which something moves."""
        tangents = [self.tangent(part) for part, moves in zip(operands, moving, strict=True) if moves]
        return [self.builder.atom(part) for part in [*map(self.read, operands), *tangents]]

    def _moves(self, variables: Sequence[Variable]) -> list[bool]:
        return [variable in self._active for variable in variables]

    def _loop(self, loop: Loop) -> None:
        width = len(loop.initial)
        carried, collected = self._moves(loop.carried), self._moves(loop.results[width:])
        initial = self._both(loop.initial, carried)
        elements = self._moves(loop.elements)
        consumed = self._both(loop.consumed, elements)
        index = self.builder.variable(loop.index.type, loop.index.hint or "i")
        body = Block([index, *self._parameters(loop.carried, carried)])
        self._values[loop.index] = Symbol(self.builder, index)
        body.parameters += self._parameters(loop.elements, elements)
        with self.builder.inside(body):
            self._block(loop.body)
            body.results = self._both(loop.body.results[:width], carried)
            body.results += self._both(loop.body.results[width:], collected)
        condition = None if loop.condition is None else self._condition(loop, loop.condition)
        self.builder.place = loop.place
        results = self._parameters(loop.results[:width], carried)
        results += self._parameters(loop.results[width:], collected)
        count = self.builder.atom(self.read(loop.count))
        self.builder.append(Loop(count, loop.backward, initial, consumed, body, results, condition, loop.place))

    def _condition(self, loop: Loop, asked: Block) -> Block:
        tangents = dict(self._tangents)
        block = Block(self._parameters(asked.parameters, [False] * len(asked.parameters)))
        moving = [part for part in loop.carried if part in self._active]
        block.parameters += [self.builder.variable(part.type) for part in moving]
        with self.builder.inside(block):
            self._block(asked)
            block.results = [self.builder.atom(self.read(asked.results[0]))]
        self._tangents = tangents
        return block

    def _branch(self, branch: Branch) -> None:
        moving = self._moves(branch.results)
        sides = (Block(), Block())
        for side, block in zip((branch.then, branch.otherwise), sides, strict=True):
            with self.builder.inside(block):
                self._block(side)
                block.results = self._both(side.results, moving)
        self.builder.place = branch.place
        condition = self.builder.atom(self.read(branch.condition))
        self.builder.append(Branch(condition, *sides, self._parameters(branch.results, moving), branch.place))

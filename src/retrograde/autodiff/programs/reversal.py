"""A program's reverse: the program that computes its outputs and their gradients.

The forward program is kept as it is, and behind it the cotangents are carried through its statements, last one first.
Each rule runs on symbols, and so writes its instructions; what it reads of the forward program is fetched by a scope.
A loop reverses as a loop, a branch as a branch, and since stacks are consumed and collected alike, the result can be
reversed again. (Griewank and Walther 2008, "Evaluating Derivatives", chapters 3 and 6.)
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from retrograde.autodiff.cotangents import cast
from retrograde.autodiff.programs.activity import active_operands, active_variables
from retrograde.autodiff.programs.names import find_input, find_output, type_of_output
from retrograde.autodiff.programs.policy import ResidualPolicy
from retrograde.autodiff.programs.residuals import Residuals
from retrograde.autodiff.programs.scopes import BranchScope, LoopScope, OuterScope, Scope, shape_at
from retrograde.program.builder import ProgramBuilder
from retrograde.program.check import check
from retrograde.program.model import (
    Block,
    Branch,
    Instruction,
    Loop,
    Place,
    Program,
    Statement,
    Variable,
    blocks_of,
    free_variables,
    map_operand,
    variables_in,
)
from retrograde.program.primitive import PRIMITIVES
from retrograde.program.simplify import simplify
from retrograde.program.symbol import Symbol
from retrograde.program.types import ArrayType, same_sizes

Cotangents = dict[Variable, Any]


def reverse(
    program: Program,
    wrt: Sequence[str],
    of: Sequence[str],
    keep_outputs: bool = True,
    policy: ResidualPolicy | None = None,
) -> Program:
    """The program that computes the gradients of a program's outputs.

    Args:
        program: it is not changed.
        wrt: the inputs to differentiate by, by name; of a floating or complex type.
        of: the outputs to differentiate, by name.
        keep_outputs: whether the result has the program's own outputs, too. Without them, what only they need is left
            out.
        policy: what the reversed loops may compute once more, and what the loops keep for them; by default cheap
            operations are repeated where that makes less to keep.

    Returns:
        A program with the same inputs and, behind them, for each output `y` of `of` its cotangent `d_y`. Its outputs
        are those of the program, and for each input `x` of `wrt` the gradient `d_x`.

    Raises:
        UsageError: a name is not that of an input or output, or belongs to one that has no derivative.
    """
    copied = simplify(program)
    sources = [find_input(name, copied) for name in wrt]
    outputs = dict(zip(copied.output_names, copied.block.results, strict=True))
    targets = [find_output(name, copied) for name in of]
    builder = ProgramBuilder(f"{program.name}_reversed", copied.block)
    active = active_variables(copied.block, sources, variables_in(tuple(targets)))
    residuals = Residuals(copied.block, active, policy or ResidualPolicy(), program.least_size)
    forward = list(copied.block.statements)
    cotangents: Cotangents = {}
    reversal = _Reversal(builder, active)
    for name, target in zip(of, targets, strict=True):
        given = _input_like(builder, f"d_{name}", target)
        if target in active:
            reversal.add(cotangents, target, given)
    scope = OuterScope(builder, residuals)
    reversal.block(copied.block, forward, cotangents, scope)
    results = dict(outputs) if keep_outputs else {}
    for source in sources:
        gradient = cotangents.get(source)
        if gradient is None:
            gradient = reversal.zeros(scope, copied.block, source)
        results[f"d_{source.name}"] = builder.atom(gradient)
    copied.block.results = list(results.values())
    joint = simplify(Program(builder.name, copied.block, list(results), program.least_size), spreads=True)
    _forget_nowhere(joint.block)
    return check(joint)


_NOWHERE = Place("", 0, "")
"""Where statements come from that do not say it; what reverses them is to be known as such."""


def _forget_nowhere(block: Block) -> None:
    for statement in block.statements:
        if statement.place is not None and not statement.place.file:
            statement.place = None
        for inner in blocks_of(statement):
            _forget_nowhere(inner)


class _Reversal:
    def __init__(self, builder: ProgramBuilder, active: set[Variable]) -> None:
        self.builder = builder
        self.active = active

    def block(self, block: Block, statements: list[Any], cotangents: Cotangents, scope: Scope) -> None:
        """Carry cotangents from the results of a block's statements to what they read."""
        for statement in reversed(statements):
            with self._placed(statement):
                if isinstance(statement, Instruction):
                    self._instruction(block, statement, cotangents, scope)
                elif isinstance(statement, Loop):
                    self._loop(block, statement, cotangents, scope)
                else:
                    self._branch(block, statement, cotangents, scope)

    @contextmanager
    def _placed(self, statement: Statement) -> Generator[None]:
        """A context in which what is built says that it reverses a statement's line."""
        around = self.builder.place
        self.builder.place = replace(statement.place or _NOWHERE, reverses=True)
        try:
            yield
        finally:
            self.builder.place = around

    def _instruction(self, block: Block, instruction: Instruction, cotangents: Cotangents, scope: Scope) -> None:
        coming = tuple(cotangents.pop(result, None) for result in instruction.results)
        if all(g is None for g in coming):
            return
        g = coming if instruction.primitive.outputs else coming[0]
        # Behind the others comes the operand whose cotangent is `g` with some of its places changed: all have read it.
        for position, name, operand in reversed(active_operands(instruction, self.active)):
            rule = scope.residuals.rule(instruction, name, position)
            if rule.scatters and operand in cotangents:
                index = self._reading(block, instruction, "index", position, scope)
                cotangents[operand] = PRIMITIVES["add_at"](cotangents[operand], index, g)
                continue
            reads = (self._reading(block, instruction, read, position, scope) for read in rule.reads)
            share = rule.function(g, *reads)
            # Other operands may get the same share: then it is not to be merged into a sum.
            shared = any(share is part for part in coming)
            fits = _keeps_shape(instruction, operand, scope)
            self.add(cotangents, operand, self._fitted(share, block, operand, scope, fits), shared)

    def _reading(self, block: Block, instruction: Instruction, name: str, position: int, scope: Scope) -> Any:
        """What a rule for the operand at a position reads under a name."""
        primitive = instruction.primitive
        results = primitive.outputs or ("out",)
        if name in primitive.static:
            return instruction.static[name]
        if name in results:
            return scope.read(instruction.results[results.index(name)])
        if name == "at":
            return position
        shape, name = name not in primitive.operands, name.removesuffix("_shape")
        read = self._shape if shape else self._operand
        if primitive.variadic:
            return tuple(read(block, operand, scope) for operand in instruction.operands)
        return read(block, instruction.operands[primitive.operands.index(name)], scope)

    def _operand(self, block: Block, operand: Any, scope: Scope) -> Any:
        return map_operand(lambda part: scope.read(part) if isinstance(part, Variable) else part, operand)

    def _shape(self, block: Block, operand: Any, scope: Scope) -> tuple[Any, ...]:
        return shape_at(scope, self.builder, block, operand) if isinstance(operand, Variable) else np.shape(operand)

    def _fitted(self, share: Any, block: Block, variable: Variable, scope: Scope, fits: bool) -> Any:
        """A share in the type of the variable it is for; it may be known that it has its shape."""
        kind = variable.type
        if not isinstance(kind, ArrayType):
            return share
        if not fits and not same_sizes(share.variable.type, kind):
            share = PRIMITIVES["sum_to"](share, shape_at(scope, self.builder, block, variable))
        share = cast(share, kind.dtype)
        share.variable.type = kind
        return share

    def add(self, cotangents: Cotangents, variable: Variable, share: Any, shared: bool = False) -> None:
        """Add a share to a variable's cotangent."""
        present = cotangents.get(variable)
        cotangents[variable] = share if present is None else self._sum(present, share, variable, shared)

    def _sum(self, present: Any, share: Any, variable: Variable, shared: bool) -> Any:
        if not isinstance(variable.type, ArrayType):
            return PRIMITIVES["add_stacks"](present, share)
        scattered = None if shared else self.builder.retract(share, PRIMITIVES["scatter"])
        if scattered is not None:
            part, index, _ = scattered
            return PRIMITIVES["add_at"](present, index, part)
        return present + share

    def zeros(self, scope: Scope, block: Block, variable: Variable) -> Any:
        """A cotangent of zeros for a variable of the forward block."""
        if not isinstance(variable.type, ArrayType):
            return PRIMITIVES["zero_stack"](scope.read(variable))
        zeros = self.builder.zeros(shape_at(scope, self.builder, block, variable), variable.type.dtype)
        zeros.variable.type = variable.type
        return zeros

    def _is_active(self, operand: Any) -> bool:
        return isinstance(operand, Variable) and operand in self.active

    def _loop(self, block: Block, loop: Loop, cotangents: Cotangents, scope: Scope) -> None:
        width = len(loop.initial)
        if not any(result in cotangents for result in loop.results):
            return
        places = [at for at in range(width) if loop.carried[at] in self.active]
        around = [variable for variable in free_variables(loop.body) if variable in self.active]
        stacks = [at for at in range(width, len(loop.results)) if loop.results[at] in cotangents]
        initial = [self._taken(cotangents, loop.results[at], block, scope) for at in places]
        initial += [self._taken(cotangents, variable, block, scope) for variable in around]
        consumed = [self.builder.atom(cotangents.pop(loop.results[at])) for at in stacks]
        body = Block([self.builder.variable(loop.index.type, hint=loop.index.hint or "i")])
        into = [loop.carried[at] for at in places] + around
        body.parameters += [self._cotangent_of(variable) for variable in into]
        body.parameters += [self.builder.variable(_type_of(loop.body.results[at]), hint="d_kept") for at in stacks]
        starts = list(map(self.builder.atom, initial))
        backward = Loop(_count(loop, scope), not loop.backward, starts, consumed, body, [], place=self.builder.place)
        inner: Cotangents = {}
        with self.builder.inside(body):
            coming = iter([Symbol(self.builder, parameter) for parameter in body.parameters[1:]])
            for at in places:
                self._add_if_active(inner, loop.body.results[at], next(coming))
            for variable in around:
                self.add(inner, variable, next(coming))
            for at in stacks:
                self._add_if_active(inner, loop.body.results[at], next(coming))
            below = LoopScope(self.builder, scope, loop, backward)
            self.block(loop.body, list(loop.body.statements), inner, below)
            going = [self._taken(inner, variable, loop.body, below) for variable in into]
            elements = [element for element in loop.elements if element in self.active and element in inner]
            going += [inner.pop(element) for element in elements]
            body.results = list(map(self.builder.atom, going))
        self.builder.append(backward)
        backward.results = [self._cotangent_of(variable) for variable in into]
        of_stacks = [loop.consumed[loop.elements.index(element)] for element in elements]
        backward.results += [self._cotangent_of(stack) for stack in of_stacks]
        results = [Symbol(self.builder, result) for result in backward.results]
        # What is used from around the loop may be what a carried value starts as, too: its sum is there first.
        cotangents.update(zip(around, results[len(places) :], strict=False))
        for at, result in zip(places, results, strict=False):
            self._add_if_active(cotangents, loop.initial[at], result)
        for stack, result in zip(of_stacks, results[len(into) :], strict=True):
            self._add_if_active(cotangents, stack, result)

    def _cotangent_of(self, variable: Variable) -> Variable:
        """A variable of a loop or branch for a cotangent; texts have its name only if somebody named the variable."""
        cotangent = self.builder.variable(variable.type, f"d_{variable.hint or variable.name}")
        cotangent.hint = f"d_{variable.hint}" if variable.hint else ""
        return cotangent

    def _add_if_active(self, cotangents: Cotangents, operand: Any, share: Any) -> None:
        if self._is_active(operand):
            self.add(cotangents, operand, share)

    def _taken(self, cotangents: Cotangents, variable: Variable, block: Block, scope: Scope) -> Any:
        found = cotangents.pop(variable, None)
        return self.zeros(scope, block, variable) if found is None else found

    def _branch(self, block: Block, branch: Branch, cotangents: Cotangents, scope: Scope) -> None:
        coming = [(at, cotangents.pop(result)) for at, result in enumerate(branch.results) if result in cotangents]
        if not coming:
            return
        sides = [(branch.then, Block()), (branch.otherwise, Block())]
        found: list[Cotangents] = []
        present = {variable: cotangents[variable] for variable in _used_in(branch) if variable in cotangents}
        for forward, backward in sides:
            inner: Cotangents = dict(present)
            with self.builder.inside(backward):
                for at, cotangent in coming:
                    self._add_if_active(inner, forward.results[at], cotangent)
                below = BranchScope(self.builder, scope, branch, forward, backward)
                self.block(forward, list(forward.statements), inner, below)
            found.append(inner)
        into = [
            variable
            for variable in dict.fromkeys(variable for inner in found for variable in inner)
            if any(inner.get(variable) is not present.get(variable) for inner in found)
        ]
        for (_, backward), inner in zip(sides, found, strict=True):
            with self.builder.inside(backward):
                backward.results = [self.builder.atom(self._taken(inner, variable, block, scope)) for variable in into]
        condition = scope.read(branch.condition) if isinstance(branch.condition, Variable) else branch.condition
        results = [self._cotangent_of(variable) for variable in into]
        self.builder.append(Branch(self.builder.atom(condition), sides[0][1], sides[1][1], results, self.builder.place))
        for variable, result in zip(into, results, strict=True):
            cotangents[variable] = Symbol(self.builder, result)


def _keeps_shape(instruction: Instruction, operand: Variable, scope: Scope) -> bool:
    """Whether an elementwise operation certainly does not broadcast an operand: then its share has its shape."""
    return instruction.primitive.elementwise and scope.residuals.extents.same_shape(operand, instruction.results[0])


def _used_in(branch: Branch) -> list[Variable]:
    given = [*branch.then.results, *branch.otherwise.results]
    return [*free_variables(branch.then, branch.otherwise), *variables_in(tuple(given))]


def _count(loop: Loop, scope: Scope) -> Any:
    """How often a loop ran, as an operand: of a loop with a condition, that is what it carries first."""
    count = loop.count if loop.condition is None else loop.results[0]
    return scope.read(count).variable if isinstance(count, Variable) else count


def _type_of(operand: Any) -> Any:
    return operand.type


def _input_like(builder: ProgramBuilder, name: str, target: Any) -> Symbol:
    kind = type_of_output(target)
    return builder.input(name, kind.dtype, kind.sizes)

"""A reversed program in two: what can be computed before the cotangents are there, and what takes them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from retrograde.autodiff.programs.cutting import cheapest_cut
from retrograde.autodiff.programs.policy import ResidualPolicy
from retrograde.errors import UsageError
from retrograde.program.check import check
from retrograde.program.clone import clone
from retrograde.program.model import (
    Block,
    Branch,
    Instruction,
    Program,
    Statement,
    Variable,
    blocks_of,
    free_variables,
    operands_of,
    variables_in,
)
from retrograde.program.simplify import simplify
from retrograde.program.types import ArrayType


@dataclass(frozen=True)
class Split:
    """A program in two parts, and what the first hands to the second.

    Attributes:
        forward: from the inputs that are there first to the outputs that take no others, and behind them the residuals.
        backward: from the residuals, and the other inputs, to the other outputs.
        residuals: the names of the values handed over: the last outputs of the one, the first inputs of the other.
            Arrays, numbers and stacks.
    """

    forward: Program
    backward: Program
    residuals: list[str]


def split(program: Program, later: Collection[str], policy: ResidualPolicy | None = None) -> Split:
    """Cut a program where some of its inputs come later than the others: a pullback out of a reversed program.

    What is handed over is a minimum cut: whatever is cheap is computed in the second part, if that makes the residuals
    smaller.

    Args:
        program: it is not changed; such as `reverse` makes.
        later: names of inputs that are there for the second part only: cotangents.
        policy: what may be computed once more in the second part.

    Raises:
        UsageError: a name is not that of an input.

    Example:
        >>> import numpy as np
        >>> from retrograde.autodiff import reverse
        >>> from retrograde.program import ProgramBuilder
        >>> builder = ProgramBuilder("steep")
        >>> x = builder.input("x", "float64", ("n",))
        >>> joint = reverse(builder.finish(y=np.exp(x)), ["x"], ["y"])
        >>> parts = split(joint, ["d_y"])
        >>> y, kept = parts.forward(np.array([0.0, 1.0]))
        >>> parts.backward(kept, np.array([1.0, 2.0]))
        (array([1.        , 5.43656366]),)
    """
    unknown = set(later) - {variable.name for variable in program.inputs}
    if unknown:
        raise UsageError(
            f"{sorted(unknown)[0]!r} is no input of program {program.name}; it has "
            f"{', '.join(variable.name for variable in program.inputs)}"
        )
    cut = _Cut(program, later, policy or ResidualPolicy())
    return Split(cut.forward(), cut.backward(), cut.names)


class _Cut:
    def __init__(self, program: Program, later: Collection[str], policy: ResidualPolicy) -> None:
        self._program = program
        self._later = [variable for variable in program.inputs if variable.name in later]
        self._first = [variable for variable in program.inputs if variable.name not in later]
        taking = _following(program.block.statements, set(self._later))
        self._behind = [statement for statement in program.block.statements if not taking.isdisjoint(statement.results)]
        self._before = [statement for statement in program.block.statements if taking.isdisjoint(statement.results)]
        outputs = list(zip(program.output_names, program.block.results, strict=True))
        self._outputs = [(name, value, not taking.isdisjoint(variables_in(value))) for name, value in outputs]
        self._residuals = self._chosen(policy)
        branches = [statement for statement in self._before if isinstance(statement, Branch)]
        self._chosen_by_branches = {result for branch in branches for result in branch.results}
        taken = {name for name, _, _ in self._outputs} | {variable.name for variable in self._later}
        self.names = [_untaken(variable.name, taken) for variable in self._residuals]

    def _chosen(self, policy: ResidualPolicy) -> list[Variable]:
        """What is handed over, in the order in which it is set."""
        ready = [*self._first, *(result for statement in self._before for result in statement.results)]
        makers = {result: statement for statement in self._before for result in statement.results}
        at_once = self._needed_at_once()
        made_of: dict[Variable, list[Variable]] = {}
        for variable, maker in makers.items():
            if not isinstance(maker, Instruction) or maker.primitive.outputs:
                continue
            if variable not in at_once or policy.allows(maker):
                made_of[variable] = list(variables_in(maker.operands))
        wanted = {variable for statement in self._behind for variable in _read_by(statement)}
        wanted.update(variable for _, value, behind in self._outputs if behind for variable in variables_in(value))
        costs = {variable: policy.bytes_of(variable.type) for variable in ready}
        cut = cheapest_cut(costs, made_of, wanted.intersection(ready))
        return [variable for variable in ready if variable in cut]

    def _needed_at_once(self) -> set[Variable]:
        """What the outputs of the first part are computed from: all else may as well be computed in the second."""
        needed = {variable for _, value, behind in self._outputs if not behind for variable in variables_in(value)}
        for statement in reversed(self._before):
            if not needed.isdisjoint(statement.results):
                needed.update(_read_by(statement))
        return needed

    def forward(self) -> Program:
        """What can be computed first."""
        results = [value for _, value, behind in self._outputs if not behind] + self._residuals
        names = [name for name, _, behind in self._outputs if not behind] + self.names
        block = Block(list(self._first), list(self._before), results)
        name = f"{self._program.name}_forward"
        return check(simplify(Program(name, block, names, self._program.least_size)))

    def backward(self) -> Program:
        """What takes the later inputs, too."""
        kept = set(self._residuals)
        again = [statement for statement in self._before if kept.isdisjoint(statement.results)]
        block = Block(
            [*self._residuals, *self._later],
            [*self._needed(again), *self._behind],
            [value for _, value, behind in self._outputs if behind],
        )
        names = [name for name, _, behind in self._outputs if behind]
        program = clone(Program(f"{self._program.name}_backward", block, names, self._program.least_size))
        program = simplify(program)
        for variable, name, residual in zip(program.inputs, self.names, self._residuals, strict=False):
            variable.name = name
            if residual in self._chosen_by_branches and isinstance(variable.type, ArrayType):
                # The side that does not set it gives something in its place, of another size.
                variable.type = ArrayType(variable.type.dtype, (None,) * variable.type.rank)
        return check(program)

    def _needed(self, again: list[Statement]) -> list[Statement]:
        """Of statements of the first part, those that the second repeats."""
        needed = {variable for statement in self._behind for variable in _read_by(statement)}
        needed.update(variable for _, value, behind in self._outputs if behind for variable in variables_in(value))
        kept: list[Statement] = []
        for statement in reversed(again):
            if not needed.isdisjoint(statement.results):
                needed.update(_read_by(statement))
                kept.append(statement)
        return kept[::-1]


def _following(statements: list[Statement], given: set[Variable]) -> set[Variable]:
    """What is computed from given variables, and they."""
    for statement in statements:
        if not given.isdisjoint(_read_by(statement)):
            given.update(statement.results)
    return given


def _read_by(statement: Statement) -> Iterator[Variable]:
    yield from variables_in(operands_of(statement))
    yield from free_variables(*blocks_of(statement))


def _untaken(name: str, taken: set[str]) -> str:
    new, number = name, 2
    while new in taken:
        new, number = f"{name}_{number}", number + 1
    taken.add(new)
    return new

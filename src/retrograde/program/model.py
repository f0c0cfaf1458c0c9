"""A program: typed variables, instructions, and regions (a block, a loop, a branch) that hold them.

Every variable is assigned at one place. A region may use the variables around it. A loop carries values from one
iteration to the next, and it consumes and collects stacks: a stack has one value for each iteration, the same
whichever way the loop runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from retrograde.program.kinds import is_slice, is_tuple
from retrograde.program.primitive import Primitive
from retrograde.program.types import Extent, Type

if TYPE_CHECKING:
    from retrograde.program.work import Work


class Variable:
    """A value that a run of the program makes.

    Attributes:
        name: as the program's text writes it.
        type: what is known of it before the run.
        extent: of an integer that is the size of an axis, which size it is.
        hint: what the user calls it: the name without the number that sets it apart; empty if nobody gave it a name.
    """

    __slots__ = ("extent", "hint", "name", "type")

    def __init__(self, name: str, type: Type, extent: Extent = None, hint: str = "") -> None:
        self.name = name
        self.type = type
        self.extent = extent
        self.hint = hint

    def __repr__(self) -> str:
        return f"{self.name}: {self.type}"


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the user's source a statement comes from.

    Attributes:
        file: the source file.
        line: the line in it, from 1.
        function: the function that it stands in.
        reverses: the statement carries cotangents back through that line.
    """

    file: str
    line: int
    function: str
    reverses: bool = False


Operand: TypeAlias = Any
"""A variable, a constant, or a tuple or slice of operands (a shape, an index)."""


@dataclass(eq=False, slots=True)
class Block:
    """Statements in order.

    Attributes:
        parameters: variables that whoever runs the block sets.
        statements: what it does.
        results: what it hands back: variables, or constants.
    """

    parameters: list[Variable] = field(default_factory=list[Variable])
    statements: list[Statement] = field(default_factory=list["Statement"])
    results: list[Operand] = field(default_factory=list[Operand])

    def defined(self) -> set[Variable]:
        """The variables that are set in this block, those of inner blocks left out."""
        return {*self.parameters, *(result for statement in self.statements for result in statement.results)}


@dataclass(eq=False, slots=True)
class Instruction:
    """One application of a primitive."""

    primitive: Primitive
    operands: tuple[Operand, ...]
    static: dict[str, Any]
    results: list[Variable]
    place: Place | None = None


@dataclass(eq=False, slots=True)
class Loop:
    """A body that runs a number of times.

    Attributes:
        count: how many times: an int, or an integer variable; None where only the condition ends the loop.
        backward: the index runs down to 0, not up from it.
        initial: what the carried values are in the first iteration.
        consumed: stacks, of which each iteration gets the values of its index.
        body: its parameters are the index, the carried values, the consumed values; its results the carried
            values for the next iteration, and the values to collect.
        results: the carried values after the last iteration, and the stacks of what was collected.
        condition: evaluated before each iteration; the loop ends where it is false. Its parameters are the index and
            the carried values, its one result a boolean. The first carried value of a loop with a condition counts
            its iterations: an int64 that starts at 0.
    """

    count: Operand | None
    backward: bool
    initial: list[Operand]
    consumed: list[Operand]
    body: Block
    results: list[Variable]
    condition: Block | None = None
    place: Place | None = None

    @property
    def index(self) -> Variable:
        """The body's parameter that counts iterations."""
        return self.body.parameters[0]

    @property
    def carried(self) -> list[Variable]:
        """The body's parameters that hold the carried values."""
        return self.body.parameters[1 : 1 + len(self.initial)]

    @property
    def elements(self) -> list[Variable]:
        """The body's parameters that hold the consumed values."""
        return self.body.parameters[1 + len(self.initial) :]


@dataclass(eq=False, slots=True)
class Branch:
    """One of two blocks, by a condition that only the run knows."""

    condition: Operand
    then: Block
    otherwise: Block
    results: list[Variable]
    place: Place | None = None


@dataclass(eq=False, slots=True)
class Sweep:
    """A loop that runs forward in the order of a schedule, which says what is stored for its reversal, a `Replay`.

    Step k makes carried values k + 1 out of carried values k. A slot is an entry of a stack that a schedule fills when
    it likes, more than once.

    Attributes:
        schedule: a variable of `ScheduleType`; what it yields is said in `retrograde.program.schedules`.
        count: how many steps: an int, or an integer variable; None where only the condition ends the loop.
        backward: the index runs down to 0, not up from it.
        initial: the carried values of the first step.
        kept: which of the carried values a snapshot holds, by position.
        advance: its parameters are the index and the carried values; its results the next carried values.
        record: as `advance`, and behind the carried values the residuals of the step.
        results: the carried values after the last step, a stack of slots for each kept value, one for each residual.
        condition: as of a `Loop`.
    """

    schedule: Operand
    count: Operand | None
    backward: bool
    initial: list[Operand]
    kept: list[int]
    advance: Block
    record: Block
    results: list[Variable]
    condition: Block | None = None
    place: Place | None = None

    @property
    def carried(self) -> list[Variable]:
        """The carried values after the last step."""
        return self.results[: len(self.initial)]

    @property
    def snapshots(self) -> list[Variable]:
        """The stacks of kept values."""
        return self.results[len(self.initial) : len(self.initial) + len(self.kept)]

    @property
    def residuals(self) -> list[Variable]:
        """The stacks of residuals."""
        return self.results[len(self.initial) + len(self.kept) :]


@dataclass(eq=False, slots=True)
class Replay:
    """The reversal of a `Sweep`: goes back to snapshots, runs steps again, and reverses them, by a schedule.

    Attributes:
        schedule: that of the sweep.
        count: how many steps the sweep has run.
        backward: as of the sweep.
        snapshots: the sweep's stacks of kept values, which the replay takes over and writes.
        residuals: the sweep's stacks of residuals, likewise.
        initial: the cotangents at the end of the loop.
        advance: its parameters are the index and the kept values; its results the kept values of the next step.
        record: as `advance`, and behind the kept values the residuals of the step.
        reverse: its parameters are the index, the cotangents behind the step, and its residuals; its results the
            cotangents before it.
        results: the cotangents at the start of the loop.
    """

    schedule: Operand
    count: Operand
    backward: bool
    snapshots: list[Operand]
    residuals: list[Operand]
    initial: list[Operand]
    advance: Block
    record: Block
    reverse: Block
    results: list[Variable]
    place: Place | None = None


Statement: TypeAlias = Instruction | Loop | Branch | Sweep | Replay


@dataclass(eq=False, slots=True)
class Program:
    """A function of arrays as data. Call it to evaluate it; print it to read it.

    Attributes:
        name: as its text calls it.
        block: its parameters are the inputs, its results the outputs.
        output_names: the outputs by name, in order.
        least_size: what the named sizes of its inputs are at least, in every run.
    """

    name: str
    block: Block
    output_names: list[str]
    least_size: int = 0

    @property
    def inputs(self) -> list[Variable]:
        """The inputs, in order."""
        return self.block.parameters

    def __call__(self, *arguments: Any) -> tuple[Any, ...]:
        """Evaluate the program; see `retrograde.program.evaluate.evaluate`."""
        from retrograde.program.evaluate import evaluate

        return evaluate(self, *arguments)

    def analyzed(self) -> Work:
        """Its work and its depth; see `retrograde.program.work.work_and_depth`."""
        from retrograde.program.work import work_and_depth

        return work_and_depth(self)

    def __str__(self) -> str:
        from retrograde.program.text import text_of

        return text_of(self)


def blocks_of(statement: Statement) -> list[Block]:
    """The blocks inside a statement."""
    match statement:
        case Loop():
            return [statement.body, *_if_any(statement.condition)]
        case Branch():
            return [statement.then, statement.otherwise]
        case Sweep():
            return [statement.advance, statement.record, *_if_any(statement.condition)]
        case Replay():
            return [statement.advance, statement.record, statement.reverse]
        case _:
            return []


def _if_any(block: Block | None) -> list[Block]:
    return [] if block is None else [block]


def operands_of(statement: Statement) -> tuple[Operand, ...]:
    """What a statement itself reads, what its inner blocks read left out."""
    match statement:
        case Loop():
            return (statement.count, *statement.initial, *statement.consumed)
        case Branch():
            return (statement.condition,)
        case Sweep():
            return (statement.schedule, statement.count, *statement.initial)
        case Replay():
            stacks = (*statement.snapshots, *statement.residuals)
            return (statement.schedule, statement.count, *stacks, *statement.initial)
        case _:
            return statement.operands


def map_operand(function: Callable[[Any], Any], operand: Operand) -> Operand:
    """An operand with the function's results in place of its variables and constants."""
    if is_tuple(operand):
        return tuple(map_operand(function, part) for part in operand)
    if is_slice(operand):
        return slice(*(map_operand(function, part) for part in (operand.start, operand.stop, operand.step)))
    return function(operand)


def variables_in(operands: Operand) -> Iterator[Variable]:
    """The variables of an operand."""
    found: list[Variable] = []
    _collect(operands, found)
    return iter(found)


def _collect(operand: Operand, found: list[Variable]) -> None:
    kind: Any = operand.__class__
    if kind is Variable:
        found.append(operand)
    elif is_tuple(operand):
        for part in operand:
            _collect(part, found)
    elif is_slice(operand):
        for part in (operand.start, operand.stop, operand.step):
            _collect(part, found)


def free_variables(*blocks: Block) -> dict[Variable, None]:
    """The variables that blocks use, directly or further in, and do not set: in the order of their first use."""
    free: dict[Variable, None] = {}
    for block in blocks:
        defined = block.defined()
        used = [variable for statement in block.statements for variable in _uses(statement)]
        used += variables_in(tuple(block.results))
        free.update((variable, None) for variable in used if variable not in defined)
    return free


def all_variables(block: Block) -> set[Variable]:
    """The variables that are set in a block, those of inner blocks included."""
    inner = (all_variables(part) for statement in block.statements for part in blocks_of(statement))
    return block.defined().union(*inner)


def _uses(statement: Statement) -> Iterator[Variable]:
    yield from variables_in(operands_of(statement))
    yield from free_variables(*blocks_of(statement))

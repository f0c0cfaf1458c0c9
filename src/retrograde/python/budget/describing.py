"""A program as a graph for the planner: its outermost statements, of which scheduled loops offer choices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from retrograde.graph import Choice, Graph, Operation, Storage, Value
from retrograde.program.model import (
    Instruction,
    Program,
    Replay,
    Statement,
    Sweep,
    Variable,
    blocks_of,
    free_variables,
    operands_of,
    variables_in,
)
from retrograde.program.types import ScheduleType, StackType
from retrograde.python.budget.sizes import Sizes
from retrograde.python.budget.ways import Way
from retrograde.python.budget.weights import is_write, seconds_of, shares, workspace_bytes

STORED = "what a sweep stores"
"""The name of the storage of all that a sweep leaves for its replay."""

Curves = Mapping[Variable, Sequence[Way]]
"""For each schedule the ways in which its loop can run."""


def graph_of(program: Program, sizes: Sizes, curves: Curves) -> Graph:
    """The graph of a program's outermost statements, one operation for each, in their order."""
    return _Describing(program, sizes, curves).graph()


class _Describing:
    def __init__(self, program: Program, sizes: Sizes, curves: Curves) -> None:
        self._program, self._sizes, self._curves = program, sizes, curves
        self._values: list[Value] = []
        self._storages: list[Storage] = []
        self._value_of: dict[Variable, int] = {}
        self._sweeps: dict[Variable, int] = {}

    def graph(self) -> Graph:
        """The graph."""
        for variable in self._program.inputs:
            if not isinstance(variable.type, ScheduleType):
                self._add(variable, 0, available_from=0)
        operations = [self._operation(at, each) for at, each in enumerate(self._program.block.statements)]
        outputs = dict.fromkeys(self._reads_of(tuple(self._program.block.results)))
        return Graph(
            tuple(operations),
            tuple(self._values),
            tuple(self._storages),
            tuple(range(len(operations))),
            tuple(value for value in outputs if self._values[value].available_from is None),
            name=self._program.name,
        )

    def _add(self, variable: Variable, size: int, storage: int | None = None, available_from: int | None = None) -> int:
        if storage is None:
            storage = len(self._storages)
            self._storages.append(Storage(size, variable.name))
        self._value_of[variable] = len(self._values)
        self._values.append(Value(storage, available_from, variable.name))
        return self._value_of[variable]

    def _reads_of(self, operands: Any) -> list[int]:
        return [self._value_of[variable] for variable in variables_in(operands) if variable in self._value_of]

    def _operation(self, at: int, statement: Statement) -> Operation:
        reads = self._reads_of(operands_of(statement))
        reads += self._reads_of(tuple(free_variables(*blocks_of(statement))))
        reads = list(dict.fromkeys(reads))
        if isinstance(statement, Sweep):
            return self._sweep(at, statement, reads)
        if isinstance(statement, Replay):
            return self._replay(statement, reads)
        makes, overwrites = self._made(statement)
        return Operation(
            _name(statement),
            seconds_of(statement, self._sizes),
            tuple(reads),
            tuple(makes),
            workspace_bytes(statement, self._sizes),
            may_overwrite=tuple(overwrites),
            source=_source(statement),
        )

    def _made(self, statement: Statement) -> tuple[list[int], list[tuple[int, int]]]:
        if isinstance(statement, Instruction) and statement.operands and isinstance(statement.operands[0], Variable):
            first, result = statement.operands[0], statement.results[0]
            read = self._value_of.get(first)
            if read is not None and shares(statement):
                if not is_write(statement) and not self._is_written_out(result, read):
                    return [self._add(result, 0, storage=self._values[read].storage)], []
                made = self._add(result, self._sizes.bytes_of(result))
                alike = self._storages[self._values[read].storage].bytes == self._sizes.bytes_of(result)
                own = self._values[read].available_from is None
                return [made], [(made, read)] if alike and own and is_write(statement) else []
        return [self._add(result, self._sizes.bytes_of(result)) for result in statement.results], []

    def _is_written_out(self, result: Variable, read: int) -> bool:
        """Whether a view that repeats elements is an output, whose elements are all there."""
        held = self._storages[self._values[read].storage].bytes
        return self._sizes.bytes_of(result) > held and result in variables_in(tuple(self._program.block.results))

    def _sweep(self, at: int, sweep: Sweep, reads: list[int]) -> Operation:
        makes = [self._add(result, self._sizes.bytes_of(result)) for result in sweep.carried]
        stacks = sweep.snapshots + sweep.residuals
        curve = self._curves[sweep.schedule]
        stored = None
        if stacks:
            self._storages.append(Storage(curve[0].kept_bytes, STORED))
            stored = self._add(stacks[0], 0, storage=len(self._storages) - 1)
        for stack in stacks[1:]:
            assert stored is not None
            self._add(stack, 0, storage=self._values[stored].storage)
        storage = () if stored is None else (self._values[stored].storage,)
        choices = tuple(
            Choice(
                choice.forward_cost,
                choice.forward_workspace_bytes,
                tuple((each, choice.kept_bytes) for each in storage),
                name=choice.plan.strategy,
            )
            for choice in curve
        )
        self._sweeps[sweep.schedule] = at
        makes += [self._value_of[stack] for stack in stacks]
        operation = Operation(_name(sweep), choices[0].cost, tuple(reads), tuple(makes), choices[0].workspace_bytes)
        return replace(operation, choices=choices, source=_source(sweep))

    def _replay(self, replay: Replay, reads: list[int]) -> Operation:
        makes = [self._add(result, self._sizes.bytes_of(result)) for result in replay.results]
        choices = tuple(
            Choice(choice.reverse_cost, choice.reverse_workspace_bytes, name=choice.plan.strategy)
            for choice in self._curves[replay.schedule]
        )
        operation = Operation(_name(replay), choices[0].cost, tuple(reads), tuple(makes), choices[0].workspace_bytes)
        return replace(operation, choices=choices, choice_of=self._sweeps[replay.schedule], source=_source(replay))


def _name(statement: Statement) -> str:
    if isinstance(statement, Instruction):
        return statement.primitive.name
    names = [result.name for result in statement.results if not isinstance(result.type, StackType)]
    return f"{type(statement).__name__.lower()} {' '.join(names)}"


def _source(statement: Statement) -> str:
    return "" if statement.place is None else f"{statement.place.file}:{statement.place.line}"

"""Sweeps and replays as loops: over chunks of rows, over the rows, and over the steps that a row names.

Stacks of slots are made in front of the sweep. What a slot holds is put in and taken out by copy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from retrograde.program import schedules
from retrograde.program.clone import copy_block
from retrograde.program.model import (
    Block,
    Branch,
    Instruction,
    Loop,
    Place,
    Replay,
    Statement,
    Sweep,
    Variable,
    blocks_of,
)
from retrograde.program.primitive import PRIMITIVES, Primitive
from retrograde.program.types import ArrayType, ScheduleType, Type
from retrograde.python.lowering.operations import COPY, ENTRY, KEEP, MAKE_STACK, REVERSAL, SLOTS, STOP, SWEEP

_INT64 = ArrayType(np.dtype(np.int64))
_BOOL = ArrayType(np.dtype(bool))


def unfold(block: Block) -> None:
    """Put loops into the place of sweeps and replays, in a block and all blocks inside."""
    done: list[Statement] = []
    for statement in block.statements:
        for inner in blocks_of(statement):
            unfold(inner)
        if isinstance(statement, Sweep):
            done += _Unfolding(statement).sweep(statement)
        elif isinstance(statement, Replay):
            done += _Unfolding(statement).replay(statement)
        else:
            done.append(statement)
    block.statements = done


@dataclass(eq=False, slots=True)
class _Row:
    """The parts of a row."""

    kind: Variable
    start: Variable
    stop: Variable
    slot: Variable


class _Code(list[Statement]):
    """Statements in the making."""

    def put(self, primitive: Primitive, *operands: Any, hint: str = "", kind: Type = _INT64) -> Variable:
        """An instruction; returns its result."""
        result = Variable(hint or primitive.name, kind, hint=hint)
        self.append(Instruction(primitive, operands, {}, [result]))
        return result

    def do(self, primitive: Primitive, *operands: Any) -> None:
        """An instruction without a result."""
        self.append(Instruction(primitive, operands, {}, []))


_Case = tuple[int, Callable[[_Code], list[Any]]]
"""A kind of row, and what puts down the code for it and says what the values then are."""


class _Unfolding:
    def __init__(self, statement: Sweep | Replay) -> None:
        self._statement = statement
        self._place: Place | None = statement.place
        self._conditional = isinstance(statement, Sweep) and statement.condition is not None

    def sweep(self, sweep: Sweep) -> list[Statement]:
        """The forward part."""
        code = _Code()
        states, residuals = Variable("states", _INT64, hint="states"), Variable("residuals", _INT64, hint="residuals")
        code.append(Instruction(SLOTS, (sweep.schedule, sweep.count), {}, [states, residuals]))
        for stack in sweep.snapshots:
            code.append(Instruction(MAKE_STACK, (states, None), {"slots": True}, [stack]))
        for stack in sweep.residuals:
            code.append(Instruction(MAKE_STACK, (residuals, None), {"slots": True}, [stack]))
        chunks = code.put(SWEEP, sweep.schedule, sweep.count, tuple(sweep.snapshots), kind=ScheduleType())
        parameters = sweep.advance.parameters[1:]
        initial, results = list(sweep.initial), list(sweep.carried)
        if self._conditional:
            initial, parameters = [*initial, np.bool(True)], [*parameters, Variable("goes_on", _BOOL, hint="goes_on")]
            results.append(Variable("goes_on", _BOOL, hint="goes_on"))
        code.append(self._chunks(chunks, initial, parameters, results, self._sweep_row))
        return code

    def replay(self, replay: Replay) -> list[Statement]:
        """The reversal."""
        code = _Code()
        chunks = code.put(REVERSAL, replay.schedule, replay.count, tuple(replay.snapshots), kind=ScheduleType())
        state = replay.advance.parameters[1:]
        cotangents = replay.reverse.parameters[1 : 1 + len(replay.initial)]
        initial = [*map(_nothing, state), *replay.initial]
        gone = [_like(variable) for variable in state]
        parameters = [*state, *cotangents]
        code.append(self._chunks(chunks, initial, parameters, [*gone, *replay.results], self._replay_row))
        return code

    def _chunks(
        self, chunks: Variable, initial: list[Any], like: list[Variable], results: list[Variable], row: Any
    ) -> Loop:
        rows = Variable("rows", ArrayType(np.dtype(np.int64), (None, 4)), hint="rows")
        carried = [_like(variable) for variable in like]
        code = _Code()
        if self._conditional:
            code.do(STOP, carried[-1], *carried)
        count = Variable("row_count", _INT64)
        code.append(Instruction(PRIMITIVES["size"], (rows,), {"axis": 0, "offset": 0}, [count]))
        loop = self._rows(rows, count, carried, row)
        code.append(loop)
        end = loop.results[len(loop.results) - len(carried) :]
        body = Block([rows, *carried], list(code), list(end))
        return Loop(chunks, False, initial, [], body, results, place=self._place)

    def _rows(self, rows: Variable, count: Variable, initial: list[Variable], row: Any) -> Loop:
        index = Variable("row", _INT64, hint="row")
        carried = [_like(variable) for variable in initial]
        code = _Code()
        getitem = PRIMITIVES["getitem"]
        found = _Row(*(code.put(getitem, rows, (index, at), hint=hint) for at, hint in enumerate(_PARTS)))
        results = row(code, found, carried)
        if not self._conditional:
            body = Block([index, *carried], list(code), results)
            return Loop(count, False, list(initial), [], body, [_like(variable) for variable in initial])
        counter, asked = Variable("row", _INT64), Variable("row", _INT64)
        code.insert(0, Instruction(PRIMITIVES["positive"], (counter,), {}, [index]))
        following = code.put(PRIMITIVES["add"], counter, np.int64(1))
        parameters = [Variable("row", _INT64), asked, *(_like(variable) for variable in carried)]
        condition = Block(parameters, [], [parameters[-1]])
        body = Block([Variable("row", _INT64), counter, *carried], list(code), [following, *results])
        ends = [Variable("row", _INT64), *(_like(variable) for variable in initial)]
        return Loop(count, False, [np.int64(0), *initial], [], body, ends, condition)

    def _sweep_row(self, code: _Code, row: _Row, carried: list[Variable]) -> list[Any]:
        sweep = self._statement
        assert isinstance(sweep, Sweep)
        if self._conditional:
            return self._cases(code, row, carried, [
                (schedules.ADVANCE, lambda inner: self._advance_while(inner, row, carried, sweep)),
                (schedules.CHECK, lambda inner: [*carried[:-1], self._holds(inner, sweep, row.start, carried[:-1])]),
                (schedules.SNAPSHOT, lambda inner: self._snapshot(inner, row, carried, sweep.snapshots, sweep.kept)),
            ])  # fmt: skip
        return self._cases(code, row, carried, [
            (schedules.ADVANCE, lambda inner: self._steps(inner, row, carried, sweep.advance)),
            (schedules.RECORD, lambda inner: self._steps(inner, row, carried, sweep.record, sweep.residuals)),
            (schedules.SNAPSHOT, lambda inner: self._snapshot(inner, row, carried, sweep.snapshots, sweep.kept)),
        ])  # fmt: skip

    def _replay_row(self, code: _Code, row: _Row, carried: list[Variable]) -> list[Any]:
        replay = self._statement
        assert isinstance(replay, Replay)
        width = len(replay.snapshots)
        state, cotangents = carried[:width], carried[width:]

        def drop(inner: _Code) -> list[Any]:
            for stack in replay.snapshots:
                inner.do(KEEP, stack, row.slot, None)
            return carried

        def restore(inner: _Code, take: bool) -> list[Any]:
            restored: list[Any] = []
            for stack, like in zip(replay.snapshots, state, strict=True):
                entry = inner.put(ENTRY, stack, row.slot, kind=like.type)
                restored.append(inner.put(COPY, entry, hint=like.hint, kind=like.type) if _has_axes(like) else entry)
            if take:
                drop(inner)
            return [*restored, *cotangents]

        def run(inner: _Code, block: Block, stacks: list[Any]) -> list[Any]:
            return [*self._steps(inner, row, state, block, stacks), *cotangents]

        kept = list(range(width))
        return self._cases(code, row, carried, [
            (schedules.REVERSE, lambda inner: [*state, *self._reversed(inner, row, cotangents, replay)]),
            (schedules.RECORD, lambda inner: run(inner, replay.record, replay.residuals)),
            (schedules.ADVANCE, lambda inner: run(inner, replay.advance, [])),
            (schedules.TAKE, lambda inner: restore(inner, True)),
            (schedules.RESTORE, lambda inner: restore(inner, False)),
            (schedules.SNAPSHOT, lambda inner: self._snapshot(inner, row, carried, replay.snapshots, kept)),
            (schedules.DROP, drop),
        ])  # fmt: skip

    def _cases(self, code: _Code, row: _Row, carried: list[Variable], cases: list[_Case]) -> list[Any]:
        """One of several things, by the kind of the row: the last where it is none of the others."""
        (kind, make), *others = cases
        if not others:
            return make(code)
        asked = code.put(PRIMITIVES["equal"], row.kind, np.int64(kind), kind=_BOOL)
        then, otherwise = _Code(), _Code()
        results = make(then)
        rest = self._cases(otherwise, row, carried, others)
        made = [_like(variable) for variable in carried]
        sides = Block([], list(then), list(results)), Block([], list(otherwise), list(rest))
        code.append(Branch(asked, *sides, made))
        return made

    def _snapshot(
        self, code: _Code, row: _Row, carried: list[Variable], stacks: list[Any], kept: list[int]
    ) -> list[Any]:
        for stack, at in zip(stacks, kept, strict=True):
            code.do(KEEP, stack, row.slot, carried[at])
        return carried

    def _steps(
        self, code: _Code, row: _Row, carried: list[Variable], block: Block, stacks: list[Any] | None = None
    ) -> list[Any]:
        """The steps that a row names, one after the other."""
        steps = _Steps(code, row, self._statement)
        copied = copy_block(block)
        body = _Code(copied.statements)
        width = len(carried)
        for stack, value in zip(stacks or [], copied.results[width:], strict=True):
            body.do(KEEP, stack, steps.slot(body, copied.parameters[0]), value)
        results = [_like(variable) for variable in carried]
        code.append(steps.loop(copied.parameters, body, carried, copied.results[:width], results))
        return results

    def _reversed(self, code: _Code, row: _Row, cotangents: list[Variable], replay: Replay) -> list[Any]:
        steps = _Steps(code, row, replay)
        copied = copy_block(replay.reverse)
        width = 1 + len(cotangents)
        body = _Code()
        slot = steps.slot(body, copied.parameters[0])
        for stack, element in zip(replay.residuals, copied.parameters[width:], strict=True):
            body.append(Instruction(ENTRY, (stack, slot), {}, [element]))
        body += copied.statements
        for stack in replay.residuals:
            body.do(KEEP, stack, slot, None)
        results = [_like(variable) for variable in cotangents]
        code.append(steps.loop(copied.parameters[:width], body, cotangents, copied.results, results, backward=True))
        return results

    def _holds(self, code: _Code, sweep: Sweep, step: Any, carried: list[Variable]) -> Any:
        """Whether the condition of a sweep holds."""
        assert sweep.condition is not None
        parameters = dict(zip(sweep.condition.parameters, [step, *carried], strict=True))
        copied = copy_block(Block([], sweep.condition.statements, sweep.condition.results), parameters)
        code += copied.statements
        return copied.results[0]

    def _advance_while(self, code: _Code, row: _Row, carried: list[Variable], sweep: Sweep) -> list[Any]:
        """The steps that a row names, as long as the condition holds."""
        subtract, add = PRIMITIVES["subtract"], PRIMITIVES["add"]
        count = code.put(subtract, row.stop, row.start)
        copied = copy_block(sweep.advance)
        counter = Variable("done", _INT64)
        body = _Code([Instruction(add, (counter, row.start), {}, [copied.parameters[0]])])
        body += copied.statements
        following = body.put(add, counter, np.int64(1))
        asked, done = _Code(), Variable("done", _INT64)
        inner = [_like(variable) for variable in carried[:-1]]
        step = asked.put(add, done, row.start)
        holds = self._holds(asked, sweep, step, inner)
        condition = Block([Variable("at", _INT64), done, *inner], list(asked), [holds])
        block = Block(
            [Variable("at", _INT64), counter, *copied.parameters[1:]], list(body), [following, *copied.results]
        )
        ends = [Variable("done", _INT64), *(_like(variable) for variable in carried[:-1])]
        initial = [np.int64(0), *carried[:-1]]
        code.append(Loop(count, False, initial, [], block, ends, condition, self._place))
        goes_on = code.put(PRIMITIVES["equal"], ends[0], count, kind=_BOOL)
        return [*ends[1:], goes_on]


class _Steps:
    """The loop over the steps of a row, which knows what index and what slot a step has."""

    def __init__(self, code: _Code, row: _Row, statement: Sweep | Replay) -> None:
        subtract, add = PRIMITIVES["subtract"], PRIMITIVES["add"]
        self._backward = statement.backward
        self._place = statement.place
        self._count = code.put(subtract, row.stop, row.start)
        if self._backward:
            last = code.put(subtract, statement.count, np.int64(1))
            self._first = code.put(subtract, last, row.start)
            self._offset = code.put(add, row.slot, self._first)
        else:
            self._first = row.start
            self._offset = code.put(subtract, row.slot, row.start)

    def slot(self, code: _Code, index: Variable) -> Variable:
        """The slot of the residuals of the step with an index."""
        if self._backward:
            return code.put(PRIMITIVES["subtract"], self._offset, index)
        return code.put(PRIMITIVES["add"], index, self._offset)

    def loop(
        self,
        parameters: list[Variable],
        body: list[Statement],
        initial: list[Variable],
        following: list[Any],
        results: list[Variable],
        backward: bool = False,
    ) -> Loop:
        """The loop itself."""
        at = Variable("at", _INT64)
        name = "subtract" if self._backward else "add"
        operands = (self._first, at) if self._backward else (at, self._first)
        index = Instruction(PRIMITIVES[name], operands, {}, [parameters[0]])
        block = Block([at, *parameters[1:]], [index, *body], list(following))
        return Loop(self._count, backward, list(initial), [], block, results, place=self._place)


_PARTS = ("action", "start", "stop", "slot")


def _like(variable: Variable) -> Variable:
    return Variable(variable.name, variable.type, hint=variable.hint)


def _has_axes(variable: Variable) -> bool:
    return not isinstance(variable.type, ArrayType) or variable.type.rank > 0


def _nothing(variable: Variable) -> Any:
    """What a value is before the first snapshot is taken out; nobody reads it."""
    kind = variable.type
    if not isinstance(kind, ArrayType):
        return []
    return np.zeros((0,) * kind.rank, kind.dtype) if kind.rank else kind.dtype.type(0)

"""Loops that a budget can reorder: a forward loop that collects, and the backward loop that consumes what it collected.

The pair becomes a `Sweep` and a `Replay`. What the replay runs again is only what the residuals are computed from, and
what its snapshots hold are only those carried values.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from retrograde.program.clone import copy_block, prune
from retrograde.program.model import (
    Block,
    Loop,
    Program,
    Replay,
    Sweep,
    Variable,
    blocks_of,
    operands_of,
    variables_in,
)
from retrograde.program.types import StackType


@dataclass(eq=False, slots=True)
class Pair:
    """Two loops of a block, of which the second reverses the first.

    Attributes:
        block: the block that holds them.
        forward: the loop that collects.
        backward: the loop that consumes everything that was collected, and nothing else.
    """

    block: Block
    forward: Loop
    backward: Loop

    @property
    def name(self) -> str:
        """What to call it: by the values that it carries."""
        return "_".join(variable.name for variable in self.forward.carried[:2]) or self.forward.index.name


def pairs_of(block: Block) -> list[Pair]:
    """The pairs among a block's own statements.

    Loops of any other form are left alone: what is collected is read twice, or consumed together with other stacks.
    """
    makers = {
        stack: statement
        for statement in block.statements
        if isinstance(statement, Loop)
        for stack in statement.results[len(statement.initial) :]
    }
    readers: dict[Variable, list[Any]] = {}
    for reader, variable in _reads(block):
        if variable in makers:
            readers.setdefault(variable, []).append(reader)
    found: list[Pair] = []
    for statement in block.statements:
        if not isinstance(statement, Loop) or not statement.consumed:
            continue
        forward = makers.get(statement.consumed[0]) if isinstance(statement.consumed[0], Variable) else None
        if forward is not None and _is_pair(forward, statement, readers):
            found.append(Pair(block, forward, statement))
    return found


def _reads(block: Block) -> Iterator[tuple[Any, Variable]]:
    """The variables that each statement of a block, or its result, reads, those of inner blocks included."""
    for statement in block.statements:
        for variable in variables_in(operands_of(statement)):
            yield statement, variable
        for inner in blocks_of(statement):
            for _, variable in _reads(inner):
                yield inner, variable
    for variable in variables_in(tuple(block.results)):
        yield block, variable


def _is_pair(forward: Loop, backward: Loop, readers: dict[Variable, list[Any]]) -> bool:
    stacks = forward.results[len(forward.initial) :]
    return (
        not forward.consumed
        and forward.backward != backward.backward
        and len(backward.results) == len(backward.initial)
        and set(backward.consumed) == set(stacks)
        and all(all(reader is backward for reader in readers.get(stack, [])) for stack in stacks)
    )


def schedule_pair(pair: Pair, schedule: Variable) -> tuple[Sweep, Replay]:
    """Put a sweep and a replay by a schedule into the place of a pair of loops."""
    forward, backward = pair.forward, pair.backward
    width = len(forward.initial)
    body = _without_constants(forward)
    residuals = forward.body.results[width:]
    kept = _kept(forward, body)
    snapshots = [
        Variable(f"stored_{forward.carried[at].name}", StackType(forward.carried[at].type)) for at in kept
    ]
    sweep = Sweep(
        schedule,
        forward.count,
        forward.backward,
        list(forward.initial),
        kept,
        advance=_part(body, width, list(range(width)), 0),
        record=_part(body, width, list(range(width)), len(residuals)),
        results=[*forward.results[:width], *snapshots, *forward.results[width:]],
        condition=forward.condition,
        place=forward.place,
    )
    order = [forward.results.index(stack) - width for stack in backward.consumed]
    replay = Replay(
        schedule,
        forward.count,
        forward.backward,
        list(snapshots),
        list(forward.results[width:]),
        list(backward.initial),
        advance=_part(body, width, kept, 0),
        record=_part(body, width, kept, len(residuals)),
        reverse=_reverse(backward, order, len(residuals)),
        results=backward.results,
        place=backward.place,
    )
    statements: list[Any] = pair.block.statements
    statements[statements.index(forward)] = sweep
    statements[statements.index(backward)] = replay
    return sweep, replay


def _without_constants(loop: Loop) -> Block:
    """A copy of a body in which carried values that no iteration changes stand for what they are at first."""
    same = {
        parameter: start
        for parameter, start, result in zip(
            loop.carried, loop.initial, loop.body.results[: len(loop.initial)], strict=True
        )
        if result is parameter
    }
    copies: dict[Variable, Any] = {}
    body = copy_block(loop.body, copies)
    if not same:
        return body
    inner = Block([], body.statements, body.results)
    constants = {copies[parameter]: start for parameter, start in same.items()}
    replaced = copy_block(inner, constants)
    return Block(body.parameters, replaced.statements, replaced.results)


def _kept(loop: Loop, body: Block) -> list[int]:
    """Which carried values the residuals of any iteration are computed from."""
    width = len(loop.initial)
    needed = _needed(body, width, set(range(width, len(body.results))))
    return [at for at in range(width) if at in needed]


def _needed(body: Block, width: int, wanted: set[int]) -> set[int]:
    """The results of a body that others are computed from in later iterations, and those that are wanted."""
    before = -1
    while before != len(wanted):
        before = len(wanted)
        part = _pruned(body, [body.results[at] for at in sorted(wanted)])
        used = {variable for _, variable in _reads(part)}
        carried = body.parameters[1 : 1 + width]
        copies = dict(zip(part.parameters[1 : 1 + width], range(width), strict=True))
        del carried
        wanted = wanted | {at for variable, at in copies.items() if variable in used}
    return wanted


def _pruned(body: Block, results: list[Any]) -> Block:
    """A copy of a body that computes some results and nothing else."""
    part = copy_block(Block(list(body.parameters), body.statements, results))
    return prune(Program("part", part, [])).block


def _part(body: Block, width: int, carried: list[int], residuals: int) -> Block:
    """A copy of a body on some of its carried values; with its residuals, or without."""
    end = len(body.results) if residuals else width
    results = [body.results[at] for at in carried] + body.results[width:end]
    part = _pruned(body, results)
    part.parameters = [part.parameters[0], *(part.parameters[1 + at] for at in carried)]
    return part


def _reverse(backward: Loop, order: list[int], count: int) -> Block:
    """The backward body, with a parameter for each residual in the order of the forward loop."""
    body = backward.body
    width = 1 + len(backward.initial)
    elements = dict(zip(order, body.parameters[width:], strict=True))
    unread = [Variable("unread", body.parameters[0].type) for _ in range(count)]
    body.parameters = body.parameters[:width] + [elements.get(at, unread[at]) for at in range(count)]
    return body

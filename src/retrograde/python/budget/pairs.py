"""Loops that a budget can reorder: a forward loop that collects, and the backward loop that consumes what it collected.

The pair becomes a `Sweep` and a `Replay`. What the replay runs again is only what the residuals are computed from, and
what its snapshots hold are only those carried values.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from retrograde.program.clone import copy_block, prune
from retrograde.program.model import (
    Block,
    Branch,
    Loop,
    Program,
    Replay,
    Sweep,
    Variable,
    blocks_of,
    free_variables,
    operands_of,
    variables_in,
)
from retrograde.program.types import StackType
from retrograde.python.budget.links import BranchLink, Link, LoopLink, RootLink


@dataclass(eq=False, slots=True)
class Pair:
    """Two loops, of which the second reverses the first.

    Attributes:
        link: the blocks that they stand in.
        forward: the loop that collects.
        backward: the loop that consumes everything that was collected, and nothing else.
        inner: the pairs inside.
    """

    link: Link
    forward: Loop
    backward: Loop
    inner: list[Pair] = field(default_factory=list["Pair"])

    def nested(self) -> Iterator[Pair]:
        """The pairs inside, and those inside them."""
        for pair in self.inner:
            yield pair
            yield from pair.nested()


def pairs_of(program: Program) -> list[Pair]:
    """The pairs of a reversed program, the outermost; those inside them are with them.

    Loops of any other form are left alone: what is collected is read twice, or consumed together with other stacks.
    """
    return _pairs(RootLink(program.block))


def _pairs(link: Link) -> list[Pair]:
    made = {variable: statement for statement in link.forward.statements for variable in statement.results}
    found: list[Pair] = []
    for statement in link.backward.statements:
        if isinstance(statement, Loop):
            forward = made.get(_source(link, statement.consumed[:1]))
            if isinstance(forward, Loop) and _is_pair(link, forward, statement):
                inner = _pairs(LoopLink(link, forward, statement))
                found.append(Pair(link, forward, statement, inner))
        elif isinstance(statement, Branch):
            reads = (_source(link, [variable]) for variable in free_variables(*blocks_of(statement)))
            partners = {id(made[variable]): made[variable] for variable in reads if variable in made}
            for partner in partners.values():
                if isinstance(partner, Branch) and partner is not statement:
                    found += _pairs(BranchLink(link, partner, partner.then, statement.then))
                    found += _pairs(BranchLink(link, partner, partner.otherwise, statement.otherwise))
    return found


def _source(link: Link, variables: list[Any]) -> Any:
    return link.source(variables[0]) if variables else None


def _reads(block: Block) -> Iterator[tuple[Any, Variable]]:
    """The variables that each statement of a block, or its result, reads, those of inner blocks included."""
    for statement in block.statements:
        for variable in variables_in(operands_of(statement)):
            yield statement, variable
        for inner in blocks_of(statement):
            yield from _reads(inner)
    for variable in variables_in(tuple(block.results)):
        yield block, variable


def _is_pair(link: Link, forward: Loop, backward: Loop) -> bool:
    """Whether every stack of one loop is read by the other, once on each side, and by nothing else."""
    stacks = forward.results[len(forward.initial) :]
    sources = [link.source(stack) for stack in backward.consumed]
    if (
        forward.consumed
        or forward is backward
        or forward.backward == backward.backward
        or len(backward.results) != len(backward.initial)
        or not set(sources) <= set(stacks)
    ):
        return False
    if link.forward is link.backward:
        return all(reader is backward for reader, variable in _reads(link.forward) if variable in stacks)
    outside = [reader for reader, variable in _reads(link.forward) if variable in stacks]
    inside = [reader for reader, variable in _reads(link.backward) if variable in backward.consumed]
    return all(reader is link.forward for reader in outside) and all(reader is backward for reader in inside)


def schedule_pair(pair: Pair, schedule: Variable) -> tuple[Sweep, Replay]:
    """Put a sweep and a replay by a schedule into the place of a pair of loops. Pairs inside come before."""
    link, forward, backward = pair.link, pair.forward, pair.backward
    width = len(forward.initial)
    sources = [link.source(stack) for stack in backward.consumed]
    _drop_unread(link, forward, [stack for stack in forward.results[width:] if stack not in sources])
    body = _without_constants(forward)
    count = len(forward.results) - width
    kept = _kept(body, width)
    snapshots = [_snapshot(forward.carried[at]) for at in kept]
    everything = list(range(width))
    sweep = Sweep(
        schedule,
        forward.count,
        forward.backward,
        list(forward.initial),
        kept,
        advance=_part(body, width, everything, 0),
        record=_part(body, width, everything, count),
        results=[*forward.results[:width], *snapshots, *forward.results[width:]],
        condition=forward.condition,
        place=forward.place,
    )
    _put(link.forward, forward, sweep)
    stacks = {source: stack for source, stack in zip(sources, backward.consumed, strict=True)}
    order = [forward.results.index(source) - width for source in sources if source is not None]
    replay = Replay(
        schedule,
        backward.count if backward.count is not None else forward.results[0],
        forward.backward,
        [link.carry(snapshot) for snapshot in snapshots],
        [stacks[stack] for stack in forward.results[width:]],
        list(backward.initial),
        advance=_carried_over(link, _part(body, width, kept, 0)),
        record=_carried_over(link, _part(body, width, kept, count)),
        reverse=_reverse(backward, order, count),
        results=backward.results,
        place=backward.place,
    )
    _put(link.backward, backward, replay)
    return sweep, replay


def _put(block: Block, old: Loop, new: Sweep | Replay) -> None:
    block.statements[block.statements.index(old)] = new


def _drop_unread(link: Link, forward: Loop, unread: list[Variable]) -> None:
    for stack in unread:
        at = forward.results.index(stack)
        del forward.results[at], forward.body.results[at]


def _carried_over(link: Link, block: Block) -> Block:
    """A forward block, reading what it needs from around in the backward block."""
    free = {variable: link.carry(variable) for variable in free_variables(block)}
    return block if all(one is other for one, other in free.items()) else copy_block(block, dict(free))


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


def _kept(body: Block, width: int) -> list[int]:
    """Which carried values the residuals of any iteration are computed from."""
    needed = _needed(body, width, set(range(width, len(body.results))))
    return [at for at in range(width) if at in needed]


def _needed(body: Block, width: int, wanted: set[int]) -> set[int]:
    """The results of a body that others are computed from in later iterations, and those that are wanted."""
    before = -1
    while before != len(wanted):
        before = len(wanted)
        part = _pruned(body, [body.results[at] for at in sorted(wanted)])
        used = {variable for _, variable in _reads(part)}
        copies = dict(zip(part.parameters[1 : 1 + width], range(width), strict=True))
        wanted = wanted | {at for variable, at in copies.items() if variable in used}
    return wanted


def _pruned(body: Block, results: list[Any]) -> Block:
    """A copy of a body that computes some results and nothing else."""
    part = copy_block(Block(list(body.parameters), body.statements, results))
    _relax(part)
    return prune(Program("part", part, [])).block


def _relax(block: Block) -> None:
    """Make loops again of sweeps from which nothing is kept."""
    used = {variable for _, variable in _reads(block)}
    for at, statement in enumerate(block.statements):
        if isinstance(statement, Sweep) and used.isdisjoint(statement.results[len(statement.initial) :]):
            block.statements[at] = Loop(
                statement.count, statement.backward, statement.initial, [], statement.advance, statement.carried,
                statement.condition, statement.place,
            )  # fmt: skip
        elif isinstance(statement, Branch):
            _relax_sides(statement, used)


def _relax_sides(branch: Branch, used: set[Variable]) -> None:
    kept = [at for at, result in enumerate(branch.results) if result in used]
    branch.results = [branch.results[at] for at in kept]
    for side in (branch.then, branch.otherwise):
        side.results = [side.results[at] for at in kept]
        _relax(side)


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
    return Block([*body.parameters[:width], *(elements[at] for at in range(count))], body.statements, body.results)


def _snapshot(carried: Variable) -> Variable:
    hint = f"stored_{carried.hint or carried.name}"
    return Variable(f"stored_{carried.name}", StackType(carried.type), hint=hint)

"""The least cost of reversing a small loop, by shortest paths over every state of the machine.

Independent of the package's referee and strategies; knows the rules only.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

from retrograde.planning.loops import Loop
from retrograde.planning.loops.model import at


@dataclass(frozen=True)
class Machine:
    """What is where: the current state, what is stored, residuals, and the steps that are left to reverse."""

    current: int
    memory: frozenset[int]
    disk: frozenset[int]
    residuals: frozenset[int]
    left: int


def least_cost(loop: Loop, budget_bytes: int, *, lasting: bool = False) -> float:
    """The cost of the cheapest schedule; infinity if there is none.

    ``lasting`` looks only at schedules in which a state that is stored stays until all steps from its own on have been
    reversed, or, once all behind it is reversed, its own step is recorded from it.
    """
    start = Machine(0, frozenset(), frozenset(), frozenset(), loop.steps)
    known: dict[Machine, float] = {start: 0}
    order = count()
    queue: list[tuple[float, int, Machine]] = [(0, next(order), start)]
    while queue:
        cost, _, machine = heapq.heappop(queue)
        if machine.left == 0:
            return cost
        if cost > known[machine]:
            continue
        for extra, following in _moves(loop, budget_bytes, machine, lasting):
            if cost + extra < known.get(following, float("inf")):
                known[following] = cost + extra
                heapq.heappush(queue, (cost + extra, next(order), following))
    return float("inf")


def _moves(loop: Loop, budget: int, m: Machine, lasting: bool) -> Iterator[tuple[float, Machine]]:
    live = sum(loop.state(k) for k in m.memory) + sum(loop.residual(k) for k in m.residuals)
    if 0 <= m.current < m.left:
        yield from _runs(loop, budget, live, m)
        yield from _stores(loop, budget, live, m)
    last = m.left - 1
    if last in m.residuals and live + at(loop.reverse_workspace_bytes, last) <= budget:
        after = Machine(-1, _below(m.memory, last), _below(m.disk, last), m.residuals - {last}, last)
        yield at(loop.reverse_cost, last), after
    for k in m.memory:
        yield 0, Machine(k, m.memory, m.disk, m.residuals, m.left)
        if not lasting:
            yield 0, Machine(m.current, m.memory - {k}, m.disk, m.residuals, m.left)
    for k in m.disk:
        yield at(loop.disk.read_cost, k), Machine(k, m.memory, m.disk, m.residuals, m.left)
        if not lasting:
            yield 0, Machine(m.current, m.memory, m.disk - {k}, m.residuals, m.left)
    if lasting and m.current in m.memory | m.disk and m.current == max(m.memory | m.disk):
        yield from _last_uses(loop, budget, live, m)


def _last_uses(loop: Loop, budget: int, live: int, m: Machine) -> Iterator[tuple[float, Machine]]:
    """Record a step from its stored state and give that up, or move the state from one tier to the other."""
    k = m.current
    if m.residuals and max(m.residuals) >= k:
        return
    memory, disk = m.memory - {k}, m.disk - {k}
    freed = loop.state(k) if k in m.memory else 0
    for cost, after in _runs(loop, budget, live - freed, Machine(k, memory, disk, m.residuals, m.left)):
        if k in after.residuals:
            yield cost, after
    for cost, after in _stores(loop, budget, live - freed, Machine(k, memory, disk, m.residuals, m.left)):
        yield cost, after


def _below(states: frozenset[int], left: int) -> frozenset[int]:
    """States at or beyond what is left are of no more use."""
    return frozenset(k for k in states if k < left)


def _runs(loop: Loop, budget: int, live: int, m: Machine) -> Iterator[tuple[float, Machine]]:
    k = m.current
    cost, needed = at(loop.step_cost, k), live + at(loop.workspace_bytes, k)
    if needed <= budget:
        yield cost, Machine(k + 1, m.memory, m.disk, m.residuals, m.left)
    may_keep = loop.keeps_residuals or not m.residuals
    if may_keep and k not in m.residuals and needed + loop.residual(k) <= budget:
        yield cost, Machine(k + 1, m.memory, m.disk, m.residuals | {k}, m.left)


def _stores(loop: Loop, budget: int, live: int, m: Machine) -> Iterator[tuple[float, Machine]]:
    k = m.current
    if k not in m.memory and live + loop.state(k) <= budget:
        yield 0, Machine(k, m.memory | {k}, m.disk, m.residuals, m.left)
    if loop.disk is None or k in m.disk:
        return
    room = loop.disk.budget_bytes
    if room is None or sum(loop.state(i) for i in m.disk) + loop.state(k) <= room:
        yield at(loop.disk.write_cost, k), Machine(k, m.memory, m.disk | {k}, m.residuals, m.left)

"""Giving each scheduled loop the bytes that the rest of a plan leaves to it, to the last one."""

from __future__ import annotations

from dataclasses import dataclass, replace

from retrograde.errors import BudgetError
from retrograde.graph import Graph
from retrograde.planning.actions import Compute, Free
from retrograde.planning.loops import Loop, LoopPlan
from retrograde.planning.plan import Plan, certify
from retrograde.python.budget.describing import STORED
from retrograde.python.budget.rows import slots_of
from retrograde.python.budget.ways import Planner, Way, auto_plan, quick_plan

_TRIALS = 12


@dataclass(frozen=True, slots=True)
class Room:
    """What a plan leaves to a loop.

    Attributes:
        running_bytes: at the sweep and at the replay, for everything that the loop does.
        keeping_bytes: between the two, for what the sweep leaves.
    """

    running_bytes: int
    keeping_bytes: int


def room_for(graph: Graph, plan: Plan, sweep: int, limit: int) -> Room:
    """What is left to the loop whose sweep is an operation of a graph.

    Args:
        graph: the program's.
        plan: for the graph.
        sweep: the index of the operation.
        limit: the budget in bytes.
    """
    own = _stored(graph, sweep)
    live: dict[int, int] = {}
    running = keeping = 0
    between = False
    for action in plan.actions:
        if isinstance(action, Free):
            live.pop(action.storage, None)
            continue
        if not isinstance(action, Compute):
            continue
        at = action.operation
        gone = {graph.values[read].storage for _, read in action.overwrites}
        for storage in graph.allocated_storages(at):
            live[storage] = 0 if storage in own else graph.storage_bytes(storage, action.choice)
        used = sum(size for storage, size in live.items() if storage not in gone)
        mine = graph.chooser_of(at) == sweep
        if mine:
            running = max(running, used)
            between = at == sweep
        else:
            used += graph.operation_workspace_bytes(at, action.choice)
        if between:
            keeping = max(keeping, used)
        for storage in gone:
            live.pop(storage, None)
    return Room(limit - running, limit - keeping)


def _stored(graph: Graph, sweep: int) -> set[int]:
    """The storage of what a sweep stores."""
    return {storage for storage in graph.allocated_storages(sweep) if graph.storages[storage].name == STORED}


def fill(loop: Loop, room: Room, planner: Planner, preallocated: bool, shared: tuple[int, int] = (0, 0)) -> Way:
    """The best way to run a loop in a room.

    Args:
        loop: that is to run.
        room: what is left to it.
        planner: what makes plans.
        preallocated: whether slots are allocated once and stay.
        shared: the bytes of a state and of a residual that share their slots.

    Raises:
        BudgetError: there is none.
    """
    budget = room.running_bytes
    if preallocated and shared[0] > shared[1]:
        # What shares a slot takes all of it.
        loop = replace(loop, residual_bytes=loop.residual(0) + shared[0] - shared[1])
        shared = shared[0], shared[0]
    if preallocated and planner is auto_plan and shared != (loop.state(0), loop.residual(0)):
        planner = quick_plan  # Its schedules need all of their slots at the same time.
    least: int | None = None
    for _ in range(_TRIALS):
        way = Way.of(planner(loop, max(0, budget)))
        needed = slot_bytes(loop, way.plan, shared) if preallocated else 0
        excess = max(way.kept_bytes - room.keeping_bytes, needed - room.running_bytes)
        if excess <= 0:
            return way
        least = way.plan.peak_bytes if least is None else min(least, way.plan.peak_bytes)
        budget = min(budget, way.plan.peak_bytes) - max(1, excess // 2)
    raise BudgetError(
        f"{room.running_bytes} bytes are left to a loop, which needs {least}; raise the budget",
        budget_bytes=max(0, room.running_bytes),
        minimum_bytes=least or 0,
        bound_bytes=0,
    )


def slot_bytes(loop: Loop, plan: LoopPlan, shared: tuple[int, int] = (0, 0)) -> int:
    """The bytes of a loop whose slots are allocated once and stay."""
    states, residuals, together = slots_of(plan)
    steps = max(1, loop.steps)
    workspace = max(loop.needed_bytes(step) - loop.residual(step) for step in range(1 if loop.uniform else steps))
    apart = states * (loop.state(0) - shared[0]) + residuals * (loop.residual(0) - shared[1])
    return together * shared[0] + apart + workspace


def with_way(graph: Graph, plan: Plan, sweep: int, way: Way, limit: int) -> tuple[Graph, Plan]:
    """A graph and its plan in which a loop can run in one way only.

    Args:
        graph: the program's.
        plan: for the graph; its order stays.
        sweep: the operation that is the loop's sweep.
        way: how the loop runs.
        limit: the budget.
    """
    operations = list(graph.operations)
    storages = list(graph.storages)
    for storage in _stored(graph, sweep):
        storages[storage] = replace(storages[storage], bytes=way.kept_bytes)
    for at, operation in enumerate(operations):
        if operation.choices and graph.chooser_of(at) == sweep:
            first = at == sweep
            operations[at] = replace(
                operation,
                cost=way.forward_cost if first else way.reverse_cost,
                workspace_bytes=way.forward_workspace_bytes if first else way.reverse_workspace_bytes,
                choices=(),
                choice_of=None,
            )
    changed = replace(graph, operations=tuple(operations), storages=tuple(storages))
    actions = tuple(
        replace(action, choice=0)
        if isinstance(action, Compute) and graph.chooser_of(action.operation) == sweep
        else action
        for action in plan.actions
    )
    return changed, certify(changed, actions, plan.segments, strategy=plan.strategy, budget_bytes=limit)

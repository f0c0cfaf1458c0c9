"""Carrying a plan out over the user's own functions."""

from __future__ import annotations

import bisect
import functools
from collections.abc import Callable
from dataclasses import dataclass

from retrograde.errors import UsageError
from retrograde.graph import Graph
from retrograde.graph.check import describe_operation
from retrograde.planning import Compute, Free, Load, Plan, Spill
from retrograde.planning.actions import Action
from retrograde.runtime.events import EventLog

Overwrites = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Callbacks:
    """What a plan's actions mean over the user's own data.

    Attributes:
        compute: runs an operation, given its index: reads its values and makes others. If a storage that it makes
            is there already, the new one is equal and may be dropped.
        free: drops a storage, given its index, wherever it is: in memory or in the slower tier.
        spill: moves a storage to a slower tier, a ``MemoryTier`` or ``DiskTier`` for example.
        load: moves it back.
        compute_over: runs an operation that takes over storages of what it reads, given its index and the pairs
            (value made, value read); needed only for plans that overwrite.
        compute_choice: runs an operation by one of its choices, given its index, the choice, and the pairs that it
            overwrites (mostly none); called for every choice but 0, which ``compute`` runs.
        clean_up: called once after a callback failed, before its exception goes on: drop here what is half done.
    """

    compute: Callable[[int], object]
    free: Callable[[int], object]
    spill: Callable[[int], object] | None = None
    load: Callable[[int], object] | None = None
    compute_over: Callable[[int, Overwrites], object] | None = None
    clean_up: Callable[[], object] | None = None
    compute_choice: Callable[[int, int, Overwrites], object] | None = None


def execute(
    plan: Plan,
    callbacks: Callbacks,
    *,
    graph: Graph | None = None,
    meter: Callable[[], int] | None = None,
    log: EventLog | None = None,
) -> EventLog:
    """Carry a plan out, action by action, over the user's own functions.

    So a plan can drive any program that can run its operations one by one: a simulation, a pipeline over files.

    Args:
        plan: what to do.
        callbacks: how to do it.
        graph: the graph that the plan belongs to. With it the plan is verified first, and the log has the
            operations' names and the live bytes by the graph.
        meter: returns the bytes that are live now; asked after every action, and logged in place of the graph's.
        log: where to put the events; a new log when left out. Give one to have it after a failure, too.

    Returns:
        The log: one event for each action.

    Raises:
        PlanError: the plan does not replay on the graph. Nothing has run.
        UsageError: the plan has an action for which there is no callback. Nothing has run.
        Exception: what a callback raised goes on as it is, with a note that says at which action, after
            ``callbacks.clean_up``; the log has the failed event, and another call may follow.

    Example:
        >>> import retrograde as rg
        >>> graph = rg.Graph.from_arrays(cost=[1, 1], bytes=[8, 8], edges=[(0, 1)], outputs=[1])
        >>> from retrograde.planning import plan as find_plan
        >>> plan = find_plan(graph, "100%", "store_all")
        >>> numbers = {}
        >>> functions = [lambda: 20.0, lambda: numbers[0] + 1]
        >>> def compute(operation):
        ...     numbers[operation] = functions[operation]()
        >>> log = execute(plan, Callbacks(compute=compute, free=numbers.pop), graph=graph)
        >>> numbers, log.peak_bytes
        ({1: 21.0}, 16)
    """
    planned_bytes = None if graph is None else plan.verify(graph).live_bytes
    _check_callbacks(plan, callbacks)
    log = EventLog() if log is None else log
    for index, action in enumerate(plan.actions):
        kind, target, name = _name(action, graph)
        planned = None if planned_bytes is None else planned_bytes[index]
        record = functools.partial(
            log.record,
            index=index,
            begin=log.now(),
            action=kind,
            target=target,
            operation=name,
            segment=bisect.bisect_right(plan.segments, index) - 1,
            choice=action.choice if isinstance(action, Compute) else 0,
        )
        try:
            _carry_out(action, callbacks)
            live_bytes = planned if meter is None else meter()
        except BaseException as failure:
            record(live_bytes=planned if meter is None else None, error=f"{type(failure).__name__}: {failure}")
            place = describe_operation(graph, target) if graph is not None and kind == "compute" else f"{kind} {target}"
            failure.add_note(f"retrograde: raised at action {index} of the plan, {place}")
            _clean_up(callbacks, failure)
            raise
        record(live_bytes=live_bytes)
    return log


def _check_callbacks(plan: Plan, callbacks: Callbacks) -> None:
    """Raise UsageError if the plan has an action for which there is no callback."""
    for index, action in enumerate(plan.actions):
        missing = ""
        if isinstance(action, Compute):
            if action.choice and callbacks.compute_choice is None:
                missing = "compute_choice"
            elif action.overwrites and not action.choice and callbacks.compute_over is None:
                missing = "compute_over"
        elif isinstance(action, Spill) and callbacks.spill is None:
            missing = "spill"
        elif isinstance(action, Load) and callbacks.load is None:
            missing = "load"
        if missing:
            raise UsageError(
                f"action {index} of the plan, {action}, needs the callback {missing!r}, which is not given; "
                f"give Callbacks({missing}=…), or a plan without such actions"
            )


def _carry_out(action: Action, callbacks: Callbacks) -> None:
    if isinstance(action, Compute):
        if action.choice and callbacks.compute_choice is not None:
            callbacks.compute_choice(action.operation, action.choice, action.overwrites)
        elif action.overwrites and callbacks.compute_over is not None:
            callbacks.compute_over(action.operation, action.overwrites)
        else:
            callbacks.compute(action.operation)
    elif isinstance(action, Free):
        callbacks.free(action.storage)
    else:
        move = callbacks.spill if isinstance(action, Spill) else callbacks.load
        assert move is not None
        move(action.storage)


def _clean_up(callbacks: Callbacks, failure: BaseException) -> None:
    """Let the caller drop what is half done; what fails there must not hide the failure that it cleans up after."""
    if callbacks.clean_up is None:
        return
    try:
        callbacks.clean_up()
    except Exception as second:
        failure.add_note(f"retrograde: then clean_up failed, too: {type(second).__name__}: {second}")


def _name(action: Action, graph: Graph | None) -> tuple[str, int, str]:
    """The kind of an action, the operation or storage that it is about, and the operation's name."""
    if not isinstance(action, Compute):
        return type(action).__name__.lower(), action.storage, ""
    known = "" if graph is None else graph.operations[action.operation].name
    return "compute", action.operation, known or f"operation {action.operation}"

"""The runs of a schedule that have to share a choice, and the bytes and costs that they have by each."""

from __future__ import annotations

import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from retrograde.graph import Graph
from retrograde.graph.choosing import bound_reads
from retrograde.planning.actions import Action, Compute, Free, Load, Spill
from retrograde.planning.lowering import Schedule
from retrograde.planning.plan import Plan
from retrograde.planning.referee import replay

Bytes = NDArray[np.int64]


@dataclass
class Bundle:
    """Runs of a schedule that share a choice, because one reads what another made by it.

    Attributes:
        chooser: the operation whose choices these are.
        runs: indices of the actions that run by the choice.
        costs: of all the runs together, by each choice.
        pieces: stretches of moments (begin, end) with the bytes that the choice decides there, by each choice.
    """

    chooser: int
    runs: list[int]
    costs: tuple[float, ...]
    pieces: list[tuple[int, int, Bytes]] = field(default_factory=list[tuple[int, int, Bytes]])


class Bundles:
    """What the choices of one schedule decide; the schedule itself stays as it is.

    A moment is an action, or behind these the beginning of a segment but the first.

    Args:
        graph: a graph with choices.
        schedule: a schedule for it that the referee takes.

    Attributes:
        bundles: the runs that share a choice.
        choice: for each bundle the choice that the schedule names.
        live: bytes at each moment, by these choices.
    """

    def __init__(self, graph: Graph, schedule: Schedule) -> None:
        self.graph = graph
        self.schedule = schedule
        seen = replay(graph, schedule.actions, schedule.segments)
        self.live: Bytes = np.array([*seen.live_bytes, *seen.border_bytes], dtype=np.int64)
        sweep = _Sweep(graph, schedule)
        self.bundles = sweep.bundles()
        actions = schedule.actions
        self.choice = [_choice_of(actions[bundle.runs[0]]) for bundle in self.bundles]

    def with_choices(self, choices: Sequence[int]) -> Schedule:
        """The schedule with another choice for each bundle."""
        actions = list(self.schedule.actions)
        for bundle, choice in zip(self.bundles, choices, strict=True):
            for index in bundle.runs:
                action = actions[index]
                assert isinstance(action, Compute)
                actions[index] = replace(action, choice=choice)
        return Schedule(tuple(actions), self.schedule.segments)

    def live_with(self, choices: Sequence[int]) -> Bytes:
        """Bytes at each moment, by other choices."""
        live = self.live.copy()
        for bundle, old, new in zip(self.bundles, self.choice, choices, strict=True):
            for begin, end, sizes in bundle.pieces:
                live[begin:end] += sizes[new] - sizes[old]
        return live


def _choice_of(action: Action) -> int:
    return action.choice if isinstance(action, Compute) else 0


def with_assignment(graph: Graph, schedule: Schedule, assignment: Mapping[int, int]) -> Schedule:
    """A schedule for the settled graph as one for the graph itself: each run names its choice."""
    actions = tuple(
        replace(action, choice=assignment.get(graph.chooser_of(action.operation), 0))
        if isinstance(action, Compute) and graph.operations[action.operation].choices
        else action
        for action in schedule.actions
    )
    return Schedule(actions, schedule.segments)


def choices_used(plan: Plan) -> dict[int, tuple[int, ...]]:
    """For each operation the choices that a plan runs it by, in order of use; only those that leave choice 0.

    Example:
        >>> from retrograde.graph import Choice, Graph, Operation, Storage, Value
        >>> from retrograde.planning import plan
        >>> choices = (Choice(1.0), Choice(3.0, storage_bytes=((0, 2),)))
        >>> graph = Graph((Operation("loop", 1.0, (), (0,), choices=choices),), (Value(0),), (Storage(8),), order=(0,))
        >>> choices_used(plan(graph, 7))
        {0: (1,)}
    """
    used: dict[int, dict[int, None]] = {}
    for action in plan.actions:
        if isinstance(action, Compute):
            used.setdefault(action.operation, {})[action.choice] = None
    return {operation: tuple(found) for operation, found in used.items() if set(found) != {0}}


class _Sweep:
    """One pass over a schedule: which runs are bound together, and when what depends on choices is live."""

    def __init__(self, graph: Graph, schedule: Schedule) -> None:
        self.graph = graph
        self.end = len(schedule.actions)
        self.borders = schedule.segments[1:]
        self.parent: dict[int, int] = {}
        self.maker: dict[int, int] = {}
        self.begun: dict[int, int] = {}
        self.operation: dict[int, int] = {}
        self.stays: list[tuple[int, int, int, int]] = []
        self.bytes_at: list[tuple[int, int, tuple[int, ...]]] = []
        for index, action in enumerate(schedule.actions):
            self._see(index, action)
        for storage in list(self.begun):
            self._leave(storage, self.end)

    def bundles(self) -> list[Bundle]:
        members: dict[int, list[int]] = {}
        for index in self.parent:
            members.setdefault(self._root(index), []).append(index)
        stretches: dict[int, list[tuple[int, int, tuple[int, ...]]]] = {root: [] for root in members}
        for storage, maker, begin, end in self.stays:
            sizes = self.graph.varying_bytes[storage]
            stretches[self._root(maker)] += [(first, last, sizes) for first, last in self._moments(begin, end)]
        for index, run, sizes in self.bytes_at:
            stretches[self._root(run)].append((index, index + 1, sizes))
        return [
            Bundle(self._chooser(runs[0]), runs, self._costs(runs), _disjoint(stretches[root]))
            for root, runs in members.items()
        ]

    def _chooser(self, run: int) -> int:
        return self.graph.chooser_of(self.operation[run])

    def _costs(self, runs: Sequence[int]) -> tuple[float, ...]:
        operations = [self.graph.operations[self.operation[run]] for run in runs]
        return tuple(sum(o.choices[k].cost for o in operations) for k in range(len(operations[0].choices)))

    # The pass

    def _see(self, index: int, action: Action) -> None:
        if isinstance(action, Compute):
            if self.graph.operations[action.operation].choices:
                self._run(index, action.operation)
            for _, read in action.overwrites:
                self.maker.pop(self.graph.values[read].storage, None)
        elif action.storage in self.graph.varying_bytes or action.storage in self.maker:
            self._move(index, action)

    def _move(self, index: int, action: Free | Spill | Load) -> None:
        storage = action.storage
        if isinstance(action, Load):
            if storage in self.graph.varying_bytes:
                self.begun[storage] = index
            return
        if storage in self.begun:
            self._leave(storage, index)
        if isinstance(action, Free):
            self.maker.pop(storage, None)

    def _run(self, index: int, operation: int) -> None:
        graph = self.graph
        self.parent[index] = index
        self.operation[index] = operation
        for storage in bound_reads(graph, operation):
            self._join(index, self.maker[storage])
        for storage in graph.allocated_storages(operation):
            varying = graph.varying_bytes.get(storage)
            if storage not in self.maker:
                self.maker[storage] = index
                if varying is not None:
                    self.begun[storage] = index
                continue
            if storage in graph.choice_bound:
                self._join(index, self.maker[storage])
            if varying is not None:
                self.bytes_at.append((index, index, varying))
        workspaces = tuple(choice.workspace_bytes for choice in graph.operations[operation].choices)
        if len(set(workspaces)) > 1:
            self.bytes_at.append((index, index, workspaces))

    def _leave(self, storage: int, index: int) -> None:
        begin = self.begun.pop(storage)
        crossed = any(begin < border <= index for border in self.borders)
        end = self.end if self.graph.retain and crossed else index
        self.stays.append((storage, self.maker[storage], begin, end))

    def _moments(self, begin: int, end: int) -> list[tuple[int, int]]:
        """The stretches of moments at which what is made by one action and freed by another counts."""
        first, last = (self.end + bisect.bisect_right(self.borders, action) for action in (begin, end))
        return [(begin, min(end + 1, self.end)), (first, last)]

    # Runs that are bound together

    def _root(self, run: int) -> int:
        while self.parent[run] != run:
            self.parent[run] = run = self.parent[self.parent[run]]
        return run

    def _join(self, first: int, second: int) -> None:
        a, b = sorted((self._root(first), self._root(second)))
        self.parent[b] = a


def _disjoint(stretches: Sequence[tuple[int, int, tuple[int, ...]]]) -> list[tuple[int, int, Bytes]]:
    """Stretches that overlap as stretches that do not, each with the sum of those that cover it."""
    cuts = sorted({at for begin, end, _ in stretches if begin < end for at in (begin, end)})
    pieces: list[tuple[int, int, Bytes]] = []
    for begin, end in pairwise(cuts):
        covering = [sizes for first, last, sizes in stretches if first <= begin and end <= last]
        if covering:
            pieces.append((begin, end, np.array(covering, dtype=np.int64).sum(axis=0)))
    return pieces

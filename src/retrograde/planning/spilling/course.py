"""A schedule that spills nothing, and where its storages are idle."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from retrograde.graph import Graph
from retrograde.planning.actions import Action, Compute, Free, Load, Spill
from retrograde.planning.lowering import Schedule
from retrograde.planning.referee import replay
from retrograde.planning.transfers import changed_storages, operation_seconds

Bytes = NDArray[np.int64]
Seconds = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Gap:
    """A storage that is idle between two uses.

    Attributes:
        storage: index of the storage.
        bytes: its size.
        before: index of the action that uses it before.
        after: index of the action that uses it next.
        written: index of the action that last wrote to it; -1 if none did.
    """

    storage: int
    bytes: int
    before: int
    after: int
    written: int


@dataclass(frozen=True, slots=True, eq=False)
class Absence:
    """A storage out of memory during a gap.

    Attributes:
        gap: where it is idle.
        spill: index of the action behind which it is spilled.
        load: index of the action before which it is loaded.
        tier: where it is meanwhile.
    """

    gap: Gap
    spill: int
    load: int
    tier: int = 0


@dataclass
class _Stay:
    """A storage in memory: its size, and who used and wrote it last."""

    bytes: int
    used: int
    written: int


class Course:
    """A schedule of computing and freeing, with its bytes and times, action by action.

    Args:
        graph: the computation.
        schedule: what to do; it spills nothing.
    """

    def __init__(self, graph: Graph, schedule: Schedule) -> None:
        self.graph = graph
        self.actions, self.segments = schedule.actions, schedule.segments
        self.live: Bytes = np.array(replay(graph, self.actions, self.segments).live_bytes, dtype=np.int64)
        costs = [operation_seconds(graph, action) if isinstance(action, Compute) else 0.0 for action in self.actions]
        self.costs: Seconds = np.array(costs)
        self.begins: Seconds = np.concatenate([[0.0], np.cumsum(self.costs)])
        self.segment_of: NDArray[np.int64] = (
            np.searchsorted(np.array(self.segments), np.arange(len(self.actions)), side="right") - 1
        )
        runs = [isinstance(action, Compute) for action in self.actions]
        self._computed = [0, *accumulate(runs)]
        self.gaps = [] if graph.retain else list(self._gaps())

    @property
    def seconds(self) -> float:
        """How long it takes."""
        return float(self.begins[-1])

    @property
    def smallest_peak_bytes(self) -> int:
        """The peak when every storage is out of memory whenever it is idle."""
        live = self.live.copy()
        for gap in self.gaps:
            live[gap.before + 1 : gap.after] -= gap.bytes
        return int(live.max(initial=0))

    def end_of_segment(self, index: int) -> int:
        """Where the segment of an action ends: the index of the first action behind it."""
        following = int(self.segment_of[index]) + 1
        return self.segments[following] if following < len(self.segments) else len(self.actions)

    def schedule(self, absences: Sequence[Absence]) -> Schedule:
        """The schedule with storages spilled and loaded."""
        spills: dict[int, list[Action]] = {}
        loads: dict[int, list[Action]] = {}
        for absence in in_order(absences):
            spills.setdefault(absence.spill, []).append(Spill(absence.gap.storage, absence.tier))
            loads.setdefault(absence.load, []).append(Load(absence.gap.storage))
        actions: list[Action] = []
        segments: list[int] = []
        for index, action in enumerate(self.actions):
            while len(segments) < len(self.segments) and self.segments[len(segments)] <= index:
                segments.append(len(actions))
            actions += loads.get(index, ())
            actions.append(action)
            actions += spills.get(index, ())
        segments += [len(actions)] * (len(self.segments) - len(segments))
        return Schedule(tuple(actions), tuple(segments))

    # Gaps

    def _gaps(self) -> Iterator[Gap]:
        staying = self._staying()
        stays: dict[int, _Stay] = {}
        for index, action in enumerate(self.actions):
            if isinstance(action, Free):
                stays.pop(action.storage, None)
            elif isinstance(action, Compute):
                for storage in self._used(action):
                    yield from self._use(stays, storage, index, action, staying)
                for _, read in action.overwrites:
                    stays.pop(self.graph.values[read].storage, None)

    def _use(
        self, stays: dict[int, _Stay], storage: int, index: int, action: Compute, staying: set[int]
    ) -> Iterator[Gap]:
        stay = stays.get(storage)
        is_changed = storage in changed_storages(self.graph, action)
        if stay is None:
            is_made = storage in self.graph.allocated_storages(action.operation)
            size = self.graph.storage_bytes(storage, action.choice if is_made else 0)
            stays[storage] = _Stay(size, index, index if is_made or is_changed else -1)
            return
        if stay.bytes and storage not in staying and self._is_idle(stay.used, index):
            yield Gap(storage, stay.bytes, stay.used, index, stay.written)
        stay.used = index
        if is_changed:
            stay.written = index

    def _used(self, action: Compute) -> list[int]:
        """The storages that an operation reads or makes."""
        operation = action.operation
        return list(dict.fromkeys((*self.graph.read_storages(operation), *self.graph.allocated_storages(operation))))

    def _is_idle(self, before: int, after: int) -> bool:
        return self._computed[after] > self._computed[before + 1]

    def _staying(self) -> set[int]:
        """Storages that the caller holds, that are outputs, or that are handed to code outside."""
        handed = (o.reads for o in self.graph.operations if not o.makes)
        values = (*self.graph.outputs, *(value for reads in handed for value in reads))
        held = {s for s, arrival in enumerate(self.graph.arrivals) if arrival == 0}
        return held | {self.graph.values[value].storage for value in values}


def in_order(absences: Sequence[Absence]) -> list[Absence]:
    """Absences in the order in which ``Course.schedule`` writes spills, and loads, of one place."""
    return sorted(absences, key=lambda absence: (absence.gap.after, absence.gap.storage))

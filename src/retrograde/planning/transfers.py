"""Slower tiers, and how long a schedule takes that moves storages to them while it computes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import cast

from retrograde.errors import PlanError, UsageError
from retrograde.graph import Graph
from retrograde.planning.actions import Action, Compute, Load, Spill


@dataclass(frozen=True)
class Tier:
    """A slower place for storages, as a planner sees it: how fast, and how much.

    Graphs that are planned with tiers must have costs in seconds: a plan weighs them against seconds of transfer.
    What carries plans out has tiers of its own (``retrograde.runtime.Tier``), which hold arrays.

    Attributes:
        name: for people, ``"disk"`` for example.
        write_bytes_per_second: how fast storages go there.
        read_bytes_per_second: how fast they come back.
        latency_seconds: what each transfer takes on top.
        capacity_bytes: the most bytes that it may hold at any moment; None for no limit.
        duplex: whether reads and writes run at the same time; if not, they share one channel.

    Raises:
        UsageError: a bandwidth that is not above 0, a latency or capacity below 0.

    Example:
        >>> disk = Tier("disk", write_bytes_per_second=1e9, read_bytes_per_second=2e9)
        >>> disk.write_seconds(10**9), disk.read_seconds(10**9)
        (1.0, 0.5)
    """

    name: str
    write_bytes_per_second: float
    read_bytes_per_second: float
    latency_seconds: float = 0.0
    capacity_bytes: int | None = None
    duplex: bool = False

    def __post_init__(self) -> None:
        for word, speed in (("write", self.write_bytes_per_second), ("read", self.read_bytes_per_second)):
            if not (speed > 0 and math.isfinite(speed)):
                raise UsageError(
                    f"tier {self.name!r}: {word}_bytes_per_second must be above 0 and finite, not {speed!r}"
                )
        if not (self.latency_seconds >= 0 and math.isfinite(self.latency_seconds)):
            raise UsageError(
                f"tier {self.name!r}: latency_seconds must be 0 or more and finite, not {self.latency_seconds!r}"
            )
        if self.capacity_bytes is not None and self.capacity_bytes < 0:
            raise UsageError(
                f"tier {self.name!r}: capacity_bytes must be None or 0 or more, not {self.capacity_bytes!r}"
            )

    def write_seconds(self, size_bytes: int) -> float:
        """How long it takes to move so many bytes there."""
        return self.latency_seconds + size_bytes / self.write_bytes_per_second

    def read_seconds(self, size_bytes: int) -> float:
        """How long it takes to move so many bytes back."""
        return self.latency_seconds + size_bytes / self.read_bytes_per_second


@dataclass(frozen=True, slots=True)
class Transfer:
    """One storage on its way to a tier, or back.

    Attributes:
        storage: index of the storage.
        tier: index of the tier.
        is_write: whether it goes to the tier.
        bytes: of the storage.
        action: index of the ``Spill`` or ``Load`` that it belongs to.
        begin: when it begins, in seconds from the start.
        end: when it ends.
    """

    storage: int
    tier: int
    is_write: bool
    bytes: int
    action: int
    begin: float
    end: float


@dataclass(frozen=True, slots=True)
class Wait:
    """Time in which nothing is computed, because a transfer has to end first.

    Attributes:
        action: index of the action that waits: a ``Spill`` for its copy, another for a storage that is coming back;
            the number of actions where the end waits for an output.
        storage: index of the storage that it waits for.
        seconds: how long.
    """

    action: int
    storage: int
    seconds: float


@dataclass(frozen=True)
class Timeline:
    """When everything in a schedule happens.

    Attributes:
        makespan: when the last action is done, in seconds (the unit of the graph's costs) from the start.
        compute: of these the time in which operations run.
        begins: for each action when it begins to do its work, waiting done.
        transfers: every transfer, in the order in which they were asked for.
        waits: every wait, in order.
        tier_bytes: for each tier the most bytes that it holds at any moment.
    """

    makespan: float
    compute: float
    begins: tuple[float, ...]
    transfers: tuple[Transfer, ...]
    waits: tuple[Wait, ...]
    tier_bytes: tuple[int, ...]

    @property
    def waiting(self) -> float:
        """Seconds in which nothing is computed."""
        return sum(wait.seconds for wait in self.waits)

    def waiting_by_storage(self) -> dict[int, float]:
        """For each storage that something waits for the seconds, the longest first."""
        seconds: dict[int, float] = {}
        for wait in self.waits:
            seconds[wait.storage] = seconds.get(wait.storage, 0.0) + wait.seconds
        return dict(sorted(seconds.items(), key=lambda item: (-item[1], item[0])))


def makespan(graph: Graph, actions: Sequence[Action], segments: Sequence[int], tiers: Sequence[Tier]) -> Timeline:
    """How long a schedule takes, with transfers beside the computation.

    Operations run one after the other. Each tier has a channel (two if it is duplex) that does one transfer after the
    other, in the order in which they are asked for. A copy to the tier is asked for as soon as an operation has made
    the storage, or has last written to it, in the segment of its ``Spill``; if none has in this segment, or the
    storage was loaded since, at the ``Spill``. ``Spill`` waits for the copy. ``Load`` asks for the copy back and waits
    for nothing; the first operation that reads the storage waits, and so does ``Free``, or another ``Spill``, or the
    end. An operation that makes a value in a storage that it reads writes to it, unless it costs nothing: then it
    makes a view.

    Args:
        graph: the computation; its costs are seconds.
        actions: what to do, in order; a schedule that the referee accepts.
        segments: for each segment the index in ``actions`` at which it begins.
        tiers: where ``Spill`` moves storages to.

    Returns:
        The timeline; its ``makespan`` is what a plan that may use tiers costs.

    Raises:
        PlanError: a tier that does not exist, or one that holds more than its capacity.

    Example:
        >>> from retrograde.planning import Compute, Free, Load, Spill
        >>> graph = Graph.from_arrays(cost=[1, 5, 1], bytes=[8, 8, 8], edges=[(0, 1), (0, 2), (1, 2)])
        >>> actions = [Compute(0), Compute(1), Spill(0), Load(0), Compute(2), Free(0), Free(1), Free(2)]
        >>> makespan(graph, actions, (0,), [Tier("disk", write_bytes_per_second=2, read_bytes_per_second=4)]).makespan
        9.0
    """
    clock = _Clock(graph, tiers, len(actions))
    ahead = copies_begin_after(graph, actions, segments)
    for index, action in enumerate(actions):
        clock.carry_out(index, action)
        for spill in ahead.get(index, ()):
            clock.write(spill, actions[spill])
    return clock.timeline()


def copies_begin_after(graph: Graph, actions: Sequence[Action], segments: Sequence[int]) -> dict[int, list[int]]:
    """For each action after which copies to a tier can begin the indices of their ``Spill`` actions.

    Those that can only begin at the ``Spill`` itself are left out.
    """
    after: dict[int, list[int]] = {}
    written: dict[int, int] = {}
    live: set[int] = set()
    borders = set(segments)
    for index, action in enumerate(actions):
        if index in borders:
            written.clear()
        if isinstance(action, Compute):
            live.difference_update(graph.values[read].storage for _, read in action.overwrites)
            written.update((s, index) for s in _written(graph, action, live))
            live.update(graph.allocated_storages(action.operation))
        elif isinstance(action, Load):
            live.add(action.storage)
        else:
            live.discard(action.storage)
            begun = written.pop(action.storage, None)
            if isinstance(action, Spill) and begun is not None:
                after.setdefault(begun, []).append(index)
    return after


def _written(graph: Graph, action: Compute, live: set[int]) -> list[int]:
    """The storages that an operation writes to: those it allocates, and those it changes."""
    fresh = [s for s in graph.allocated_storages(action.operation) if s not in live]
    return fresh + changed_storages(graph, action)


def changed_storages(graph: Graph, action: Compute) -> list[int]:
    """The storages that an operation reads and writes to: those in which it makes a value at a cost."""
    if operation_seconds(graph, action) == 0:
        return []
    made = dict.fromkeys(graph.values[value].storage for value in graph.operations[action.operation].makes)
    return [storage for storage in made if storage in graph.read_storages(action.operation)]


def operation_seconds(graph: Graph, action: Compute) -> float:
    """What one run of an operation costs."""
    return graph.operation_cost(action.operation, action.choice)


class _Clock:
    """The time, the channels of the tiers, and what is on its way."""

    def __init__(self, graph: Graph, tiers: Sequence[Tier], count: int) -> None:
        self.graph = graph
        self.tiers = tiers
        self.now = 0.0
        self.compute = 0.0
        self.begins = [0.0] * count
        self.transfers: list[Transfer] = []
        self.waits: list[Wait] = []
        self.free_from = [[0.0, 0.0] for _ in tiers]
        self.writing: dict[int, float] = {}
        self.coming: dict[int, float] = {}
        self.tier_of: dict[int, int] = {}
        self.made_by: dict[int, int] = {}
        self.held_bytes = [0] * len(tiers)
        self.tier_bytes = [0] * len(tiers)

    def carry_out(self, index: int, action: Action) -> None:
        if isinstance(action, Compute):
            self._compute(index, action)
        elif isinstance(action, Load):
            self._load(index, action.storage)
        else:
            self._await_storage(index, action.storage)
            if isinstance(action, Spill):
                self._spill(index, action)
            elif action.storage in self.tier_of:
                self._leave_tier(action.storage)
            self.begins[index] = self.now

    def write(self, index: int, action: Action) -> None:
        """Ask for the copy of a storage to the tier that its ``Spill`` names."""
        assert isinstance(action, Spill)
        if not 0 <= action.tier < len(self.tiers):
            raise PlanError(f"action {index}: there is no tier {action.tier}; the plan has {len(self.tiers)}")
        self._take_room(index, action)
        tier = self.tiers[action.tier]
        seconds = tier.write_seconds(self._bytes(action.storage))
        self.writing[action.storage] = self._transfer(index, action.storage, action.tier, seconds, is_write=True)

    def timeline(self) -> Timeline:
        for storage in sorted(self.coming, key=self.coming.__getitem__):
            self._await_storage(len(self.begins), storage)
        return Timeline(
            self.now,
            self.compute,
            tuple(self.begins),
            tuple(self.transfers),
            tuple(self.waits),
            tuple(self.tier_bytes),
        )

    def _compute(self, index: int, action: Compute) -> None:
        if self.coming:
            for storage in sorted(self.graph.read_storages(action.operation), key=lambda s: self.coming.get(s, 0.0)):
                self._await_storage(index, storage)
        self.begins[index] = self.now
        self.made_by.update((s, action.choice) for s in self.graph.allocated_storages(action.operation))
        seconds = operation_seconds(self.graph, action)
        self.now += seconds
        self.compute += seconds

    def _spill(self, index: int, action: Spill) -> None:
        if action.storage not in self.writing:
            self.write(index, action)
        self._wait(index, action.storage, self.writing.pop(action.storage))
        self.tier_of[action.storage] = action.tier

    def _load(self, index: int, storage: int) -> None:
        number = self.tier_of[storage]
        seconds = self.tiers[number].read_seconds(self._bytes(storage))
        self.coming[storage] = self._transfer(index, storage, number, seconds, is_write=False)
        self._leave_tier(storage)
        self.begins[index] = self.now

    def _transfer(self, index: int, storage: int, number: int, seconds: float, *, is_write: bool) -> float:
        lane = 1 if self.tiers[number].duplex and not is_write else 0
        begin = max(self.now, self.free_from[number][lane])
        end = self.free_from[number][lane] = begin + seconds
        size = self._bytes(storage)
        self.transfers.append(Transfer(storage, number, is_write, size, index, begin, end))
        return end

    def _await_storage(self, index: int, storage: int) -> None:
        there = self.coming.pop(storage, None)
        if there is not None:
            self._wait(index, storage, there)

    def _wait(self, index: int, storage: int, until: float) -> None:
        if until > self.now:
            self.waits.append(Wait(index, storage, until - self.now))
            self.now = until

    # Room

    def _bytes(self, storage: int) -> int:
        return self.graph.storage_bytes(storage, self.made_by.get(storage, 0))

    def _take_room(self, index: int, action: Spill) -> None:
        tier = self.tiers[action.tier]
        held = self.held_bytes[action.tier] + self._bytes(action.storage)
        if tier.capacity_bytes is not None and held > tier.capacity_bytes:
            raise PlanError(
                f"action {index}: tier {tier.name!r} would hold {held} bytes with storage {action.storage}, its "
                f"capacity is {tier.capacity_bytes}; room is taken when the copy begins"
            )
        self.held_bytes[action.tier] = held
        self.tier_bytes[action.tier] = max(held, self.tier_bytes[action.tier])

    def _leave_tier(self, storage: int) -> None:
        self.held_bytes[self.tier_of.pop(storage)] -= self._bytes(storage)


def checked_tiers(graph: Graph, tiers: object) -> tuple[Tier, ...]:
    """Tiers as a tuple.

    Raises:
        UsageError: something is no tier, or the costs of the graph say nothing about time.
    """
    items: list[object] = [*cast("Iterable[object]", tiers)] if isinstance(tiers, Iterable) else [tiers]
    found = tuple(item for item in items if isinstance(item, Tier))
    wrong = [item for item in items if not isinstance(item, Tier)] or ([tiers] if isinstance(tiers, Tier) else [])
    if wrong:
        raise UsageError(f"tiers must be a sequence of Tier, found {wrong[0]!r}; write tiers=(Tier(…),)")
    if found and graph.base_cost == 0:
        raise UsageError(
            f"graph {graph.name!r} cannot be planned with tiers: its costs add up to 0, and say nothing about how long "
            "transfers may take; give costs in seconds, or leave tiers out and use strategy 'spill'"
        )
    return found

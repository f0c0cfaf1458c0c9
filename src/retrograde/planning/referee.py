"""The referee: an abstract machine that replays a plan and knows neither planners nor engines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from retrograde.errors import PlanError
from retrograde.graph import Graph
from retrograde.graph.check import describe_operation
from retrograde.graph.choosing import bound_reads
from retrograde.planning.actions import Action, Compute, Free, Spill
from retrograde.planning.transfers import Tier, Timeline, makespan


@dataclass(frozen=True)
class Replay:
    """What the referee saw.

    Attributes:
        peak_bytes: the most bytes live at any moment.
        peak_action: index of the action at which that was.
        cost: sum of the costs of the operations that ran; with tiers the makespan, which has waiting in it.
        live_bytes: for each action the most bytes live while it was carried out.
        runs: for each operation how often it ran.
        spilled_bytes: bytes moved to slower tiers, in all.
        border_bytes: for each segment but the first the bytes live when it begins.
        timeline: when everything happens; None without tiers.
    """

    peak_bytes: int
    peak_action: int
    cost: float
    live_bytes: tuple[int, ...]
    runs: tuple[int, ...]
    spilled_bytes: int
    border_bytes: tuple[int, ...] = ()
    timeline: Timeline | None = None


@dataclass(frozen=True)
class Moment:
    """What the referee counts at one moment of a replay.

    Attributes:
        action: index of the action that is carried out; at a border, of the first action behind it.
        segment: the segment that it stands in; the first moment of a later segment is its border.
        live: the live storages that count, each with the index of the action since which it is live.
        retained: the same of storages that the plan dropped and that stay, because the graph retains.
        duplicates: live storages of which the operation writes a duplicate.
        workspace_bytes: of the operation.
        fixed_bytes: live throughout the segment.
        bytes: all of these together.
    """

    action: int
    segment: int
    live: tuple[tuple[int, int], ...]
    retained: tuple[tuple[int, int], ...]
    duplicates: tuple[int, ...]
    workspace_bytes: int
    fixed_bytes: int
    bytes: int


def replay(
    graph: Graph,
    actions: Sequence[Action],
    segments: Sequence[int],
    budget_bytes: int | None = None,
    *,
    watch: Callable[[Moment], None] | None = None,
    tiers: Sequence[Tier] = (),
) -> Replay:
    """Carry out actions on an abstract machine, checking every rule after every action.

    The rules: an operation runs with its inputs present and not before its segment; one that may not run twice runs
    once; nothing is freed that is not live, that the caller holds, or that is an output already handed over; each
    output is present when its segment ends and from then on; nothing but outputs is live at the end; every
    operation ran; the bytes stay in the budget. Of operations with choices: a storage has the bytes of the choice
    that made it; an operation that follows another's choice runs by the one that made what it reads of theirs; none
    runs by another choice while something that depends on it is live.

    Args:
        graph: the computation.
        actions: what to do, in order.
        segments: for each segment the index in ``actions`` at which it begins; the first is 0.
        budget_bytes: the most bytes that may be live, or None for no limit.
        watch: called at every moment at which bytes are counted: when an operation runs, when a storage is loaded,
            when a later segment begins.
        tiers: where storages are spilled to; none if transfers take no time and one tier holds everything.

    Raises:
        PlanError: a rule is broken; the message gives the index of the action.
    """
    machine = _Machine(graph, budget_bytes, watch)
    borders = _check_segments(graph, actions, segments)
    segment = 0
    for index, action in enumerate(actions):
        while segment + 1 < len(borders) and borders[segment + 1] <= index:
            segment += 1
            machine.enter_segment(segment, index)
        machine.carry_out(index, action)
    while segment + 1 < len(borders):
        segment += 1
        machine.enter_segment(segment, len(actions))
    seen = machine.finish(len(actions))
    return _timed(graph, actions, borders, tiers, seen)


def _timed(
    graph: Graph, actions: Sequence[Action], borders: Sequence[int], tiers: Sequence[Tier], seen: Replay
) -> Replay:
    """What was seen, with the time that transfers take and the room of tiers checked."""
    if tiers:
        timeline = makespan(graph, actions, borders, tiers)
        return replace(seen, cost=timeline.makespan, timeline=timeline)
    for index, action in enumerate(actions):
        if isinstance(action, Spill) and action.tier != 0:
            raise PlanError(f"action {index}: there is no tier {action.tier}; the plan names no tiers, so there is one")
    return seen


def _check_segments(graph: Graph, actions: Sequence[Action], segments: Sequence[int]) -> list[int]:
    borders = list(segments)
    if len(borders) != graph.segment_count:
        raise PlanError(f"the plan has {len(borders)} segments, the graph {graph.segment_count}")
    if borders[0] != 0 or borders != sorted(borders) or borders[-1] > len(actions):
        raise PlanError(
            f"segments {borders} must begin at 0, never decrease, and end within the {len(actions)} actions"
        )
    return borders


class _Machine:
    """Memory as sets of present values and live storages, and counters; one method for each kind of action."""

    def __init__(self, graph: Graph, budget_bytes: int | None, watch: Callable[[Moment], None] | None = None) -> None:
        self.graph = graph
        self.watch = watch
        self.budget_bytes = budget_bytes
        self.segment = 0
        self.action: Action | None = None
        self.present = {v for v, value in enumerate(graph.values) if value.available_from == 0}
        self.live = {s for s, arrival in enumerate(graph.arrivals) if arrival == 0}
        self.spilled: dict[int, set[int]] = {}
        self.handed_over: set[int] = set()
        self.begun_in: dict[int, int] = {}
        self.begun_at: dict[int, int] = {}
        self.made_by: dict[int, int] = {}
        self.border_bytes: list[int] = []
        self.retained: list[tuple[int, int]] = []
        self.live_bytes = 0
        self.peak_bytes = 0
        self.peak_action = 0
        self.cost = 0.0
        self.spilled_bytes = 0
        self.runs = [0] * len(graph.operations)
        self.history: list[int] = []

    # Segments

    def enter_segment(self, segment: int, index: int) -> None:
        self._hand_over_outputs(index)
        self.action = None
        self.segment = segment
        for value, description in enumerate(self.graph.values):
            if description.available_from == segment:
                self.present.add(value)
        for storage, arrival in enumerate(self.graph.arrivals):
            if arrival == segment:
                self._allocate(storage, index)
        self.border_bytes.append(self.live_bytes + self.graph.fixed_demand(segment))
        self._record(index)

    def _hand_over_outputs(self, index: int) -> None:
        """Check the outputs due when the current segment ends; from now on the caller holds them."""
        for value in self.graph.outputs:
            producer = self.graph.producers[value]
            due = (
                self.graph.values[value].available_from if producer is None else self.graph.operations[producer].segment
            )
            if due == self.segment:
                if value not in self.present:
                    raise PlanError(f"action {index}: segment {self.segment} ends without its output, value {value}")
                self.handed_over.add(self.graph.values[value].storage)

    def finish(self, index: int) -> Replay:
        self._hand_over_outputs(index)
        kept = self.handed_over | {s for s, arrival in enumerate(self.graph.arrivals) if arrival == 0}
        leaked = sorted((self.live | set(self.spilled)) - kept)
        if leaked:
            raise PlanError(f"the plan ends with storages {leaked[:10]} live; free what is not an output")
        missing = [i for i, runs in enumerate(self.runs) if runs == 0]
        if missing:
            raise PlanError(
                f"{describe_operation(self.graph, missing[0])} never ran; every operation runs at least once"
            )
        return Replay(
            self.peak_bytes,
            self.peak_action,
            self.cost,
            tuple(self.history),
            tuple(self.runs),
            self.spilled_bytes,
            tuple(self.border_bytes),
        )

    # Actions

    def carry_out(self, index: int, action: Action) -> None:
        self.action = action
        self.history.append(self.live_bytes + self.graph.fixed_demand(self.segment))
        if isinstance(action, Compute):
            self._compute(index, action)
        elif isinstance(action, Free):
            self._require_live(index, action.storage, "free")
            self._drop(action.storage)
        elif isinstance(action, Spill):
            self._spill(index, action.storage)
        else:
            self._load(index, action.storage)

    def _compute(self, index: int, action: Compute) -> None:
        if not 0 <= action.operation < len(self.graph.operations):
            raise PlanError(f"action {index}: there is no operation {action.operation}")
        operation = self.graph.operations[action.operation]
        self._check_choice(index, action)
        if operation.segment > self.segment:
            raise PlanError(
                f"{self._place(index)} may not run before segment {operation.segment}, and this is {self.segment}"
            )
        absent = [v for v in operation.reads if v not in self.present]
        if absent:
            raise PlanError(f"{self._place(index)} reads value {absent[0]}, which is not present")
        if self.runs[action.operation] and not operation.recomputable:
            raise PlanError(f"{self._place(index)} ran before and may not run twice")
        self._check_choice_of_reads(index, action)
        self.runs[action.operation] += 1
        self.cost += self.graph.operation_cost(action.operation, action.choice)
        overwritten = self._overwrite(index, action)
        duplicates: list[int] = []
        for storage in self.graph.allocated_storages(action.operation):
            if storage in self.live:
                self._check_choice_of_live(index, storage, action)
                duplicates.append(storage)
            elif storage in self.spilled:
                raise PlanError(
                    f"{self._place(index)} allocates storage {storage}, which is spilled; load or free it first"
                )
            else:
                self.made_by[storage] = action.choice
                self._allocate(storage, index)
        self.present.update(operation.makes)
        duplicate_bytes = sum(self.graph.storage_bytes(s, action.choice) for s in duplicates)
        workspace_bytes = self.graph.operation_workspace_bytes(action.operation, action.choice)
        self._record(index, duplicates, duplicate_bytes, workspace_bytes)
        self.present -= {v for s in overwritten for v in self.graph.storage_values[s]}

    # Choices

    def _check_choice(self, index: int, action: Compute) -> None:
        count = max(1, len(self.graph.operations[action.operation].choices))
        if not 0 <= action.choice < count:
            has = f"has choices 0 to {count - 1}" if count > 1 else "can be run in one way, number 0"
            raise PlanError(f"{self._place(index)} has no choice {action.choice}; it {has}")

    def _check_choice_of_reads(self, index: int, action: Compute) -> None:
        """Hold an operation that follows another's choice to the one that made what it reads of theirs."""
        for storage in bound_reads(self.graph, action.operation):
            if self.made_by[storage] != action.choice:
                raise PlanError(
                    f"{self._place(index)} runs by choice {action.choice}, but storage {storage}, which it reads, was "
                    f"made by choice {self.made_by[storage]}; run it by that one"
                )

    def _check_choice_of_live(self, index: int, storage: int, action: Compute) -> None:
        made_by = self.made_by.get(storage, 0)
        if storage in self.graph.choice_bound and made_by != action.choice:
            raise PlanError(
                f"{self._place(index)} runs by choice {action.choice} while storage {storage}, which its choice "
                f"{made_by} made, is live; free that first"
            )

    def _overwrite(self, index: int, action: Compute) -> set[int]:
        """Give the storages of values that are overwritten to the values made; return those storages."""
        overwritten: set[int] = set()
        targets: set[int] = set()
        for pair in action.overwrites:
            made, read = pair
            if pair not in self.graph.operations[action.operation].may_overwrite:
                raise PlanError(f"{self._place(index)} may not overwrite value {read} with value {made}")
            source = self.graph.values[read].storage
            if source in overwritten or source in self.handed_over or self._is_retained(source):
                raise PlanError(
                    f"{self._place(index)} overwrites storage {source}, which is taken, an output's or retained"
                )
            target = self.graph.values[made].storage
            if target in self.live or target in targets:
                raise PlanError(
                    f"{self._place(index)} overwrites for value {made}, whose storage is live or taken already"
                )
            overwritten.add(source)
            targets.add(target)
            self.live.discard(source)
            self.live_bytes -= self._bytes(source)
        return overwritten

    def _spill(self, index: int, storage: int) -> None:
        self._require_live(index, storage, "spill")
        if self._is_retained(storage):
            raise PlanError(
                f"action {index}: storage {storage} crossed a border of a graph that retains; it cannot be spilled"
            )
        members = self.present & set(self.graph.storage_values[storage])
        self._drop(storage)
        self.spilled[storage] = members
        self.spilled_bytes += self._bytes(storage)

    def _load(self, index: int, storage: int) -> None:
        if storage not in self.spilled:
            raise PlanError(f"action {index}: storage {storage} is not spilled; there is nothing to load")
        self.present |= self.spilled.pop(storage)
        self._allocate(storage, index)
        self._record(index)

    # Bytes

    def _require_live(self, index: int, storage: int, verb: str) -> None:
        if storage in self.spilled and verb == "free":
            return
        if storage not in self.live:
            raise PlanError(f"action {index}: cannot {verb} storage {storage}; it is not live")
        if self.graph.arrivals[storage] == 0:
            raise PlanError(f"action {index}: cannot {verb} storage {storage}; the caller holds it")
        if storage in self.handed_over:
            raise PlanError(f"action {index}: cannot {verb} storage {storage}; it is an output, handed over already")

    def _is_retained(self, storage: int) -> bool:
        return self.graph.retain and self.begun_in.get(storage, self.segment) < self.segment

    def _allocate(self, storage: int, index: int) -> None:
        self.live.add(storage)
        self.begun_at[storage] = index
        self.begun_in[storage] = self.segment
        self.live_bytes += self._bytes(storage)

    def _drop(self, storage: int) -> None:
        if self.spilled.pop(storage, None) is not None:
            return
        self.live.discard(storage)
        self.present.difference_update(self.graph.storage_values[storage])
        if self._is_retained(storage):
            self.retained.append((storage, self.begun_at[storage]))
        else:
            self.live_bytes -= self._bytes(storage)

    def _bytes(self, storage: int) -> int:
        """Bytes of a storage as it was made last."""
        return self.graph.storage_bytes(storage, self.made_by.get(storage, 0))

    def _record(
        self, index: int, duplicates: Sequence[int] = (), duplicate_bytes: int = 0, workspace_bytes: int = 0
    ) -> None:
        """Note the bytes of this moment and hold them against the budget."""
        now = self.live_bytes + duplicate_bytes + workspace_bytes + self.graph.fixed_demand(self.segment)
        if self.budget_bytes is not None and now > self.budget_bytes:
            raise PlanError(f"{self._place(index)}: {now} bytes are live, the budget is {self.budget_bytes}")
        if self.history and index < len(self.history):
            self.history[index] = max(self.history[index], now)
        if now > self.peak_bytes:
            self.peak_bytes, self.peak_action = now, index
        if self.watch is not None:
            self.watch(self._moment(index, now, duplicates, workspace_bytes))

    def _moment(self, index: int, now: int, duplicates: Sequence[int], workspace_bytes: int) -> Moment:
        return Moment(
            action=index,
            segment=self.segment,
            live=tuple((s, self.begun_at[s]) for s in sorted(self.live) if self.graph.arrivals[s] != 0),
            retained=tuple(self.retained),
            duplicates=tuple(duplicates),
            workspace_bytes=workspace_bytes,
            fixed_bytes=self.graph.fixed_demand(self.segment),
            bytes=now,
        )

    def _place(self, index: int) -> str:
        """What the machine is doing, as messages name it."""
        if self.action is None:
            return "the segment begins"
        if isinstance(self.action, Compute):
            return f"action {index}: {describe_operation(self.graph, self.action.operation)}"
        return f"action {index}: {self.action}"

"""Brute force over all schedules of a small graph: the least cost within a budget, and the least peak of any.

Written from the referee's rules alone; it shares no code with lowering, the strategies or the referee. A state is
what is in memory, what has run, and the segment; moves run an operation, drop a storage, or pass a border. Spilling
is left out.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import combinations
from typing import NamedTuple

from retrograde import Graph


class State(NamedTuple):
    """Bit masks over values and operations; ``crossed`` and ``ghosts`` are used in graphs that retain only."""

    segment: int
    present: int
    ran: int
    crossed: int
    ghosts: int


class Move(NamedTuple):
    """A step to another state, what it costs, and the bytes that are live while it is made."""

    state: State
    cost: float
    bytes: int


class Oracle:
    """All schedules of one graph."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.storage_of = [v.storage for v in graph.values]
        self.sizes = [s.bytes for s in graph.storages]
        self.members = [0] * len(graph.storages)
        for value, storage in enumerate(self.storage_of):
            self.members[storage] |= 1 << value
        self.held_before = {v.storage for v in graph.values if v.available_from == 0}
        self.last_segment = self._last_segment()
        self.due = {v: self._due(v) for v in graph.outputs}
        self.moves: dict[State, tuple[Move, ...]] = {}

    def least_cost(self, budget: int) -> float | None:
        """The least cost of any schedule whose peak is at most the budget; None if there is none."""
        queue: list[tuple[float, State]] = [(0.0, self._start())]
        best = {queue[0][1]: 0.0}
        while queue:
            cost, state = heapq.heappop(queue)
            if cost > best[state]:
                continue
            if self._is_end(state):
                return cost
            for move in self._moves(state):
                total = cost + move.cost
                if move.bytes <= budget and total < best.get(move.state, float("inf")):
                    best[move.state] = total
                    heapq.heappush(queue, (total, move.state))
        return None

    def least_peak(self) -> int:
        """The smallest peak that any schedule reaches."""
        queue: list[tuple[int, int, State]] = [(0, 0, self._start())]
        best = {queue[0][2]: 0}
        while queue:
            peak, _, state = heapq.heappop(queue)
            if peak > best[state]:
                continue
            if self._is_end(state):
                return peak
            for move in self._moves(state):
                highest = max(peak, move.bytes)
                if highest < best.get(move.state, 1 << 60):
                    best[move.state] = highest
                    heapq.heappush(queue, (highest, -move.state.ran.bit_count(), move.state))
        raise AssertionError("every graph has a schedule: its given order")

    def least_peak_of_order(self, segments: Sequence[Sequence[int]]) -> int:
        """The smallest peak of any schedule that runs these operations in this order: only drops are free to choose."""
        reached = {self._start(): 0}
        for segment, operations in enumerate(segments):
            if segment:
                reached = self._step(reached, self._borders)
            for operation in operations:
                reached = self._step(reached, partial(self._runs_of, operation))
        return min(peak for state, peak in self._with_drops(reached).items() if self._is_end(state))

    def _borders(self, state: State) -> list[Move]:
        return [self._border(state)] if self._outputs_present(state) else []

    def _runs_of(self, operation: int, state: State) -> list[Move]:
        reads = self.graph.operations[operation].reads
        made = sum(1 << v for v in set(self.graph.operations[operation].makes))
        return list(self._runs(state, operation, made)) if all(state.present >> v & 1 for v in reads) else []

    def _step(self, reached: dict[State, int], moves: Callable[[State], Iterable[Move]]) -> dict[State, int]:
        following: dict[State, int] = {}
        for state, peak in self._with_drops(reached).items():
            for move in moves(state):
                highest = max(peak, move.bytes)
                following[move.state] = min(highest, following.get(move.state, highest))
        return following

    def _with_drops(self, reached: dict[State, int]) -> dict[State, int]:
        """The states that drops lead to, each with the smallest peak on the way."""
        closed: dict[State, int] = {}
        waiting = sorted(((p, s) for s, p in reached.items()), reverse=True)
        while waiting:
            peak, state = waiting.pop()
            if peak < closed.get(state, 1 << 60):
                closed[state] = peak
                waiting += [(peak, move.state) for move in self._drops(state)]
        return closed

    # The rules

    def _last_segment(self) -> int:
        named = [o.segment for o in self.graph.operations] + [v.available_from or 0 for v in self.graph.values]
        return max([*named, len(self.graph.fixed_bytes) - 1, 0])

    def _due(self, value: int) -> int:
        for operation in self.graph.operations:
            if value in operation.makes:
                return operation.segment
        arrival = self.graph.values[value].available_from
        assert arrival is not None
        return arrival

    def _start(self) -> State:
        present = sum(1 << v for v, value in enumerate(self.graph.values) if value.available_from == 0)
        return State(0, present, 0, 0, 0)

    def _is_end(self, state: State) -> bool:
        if state.segment != self.last_segment or state.ran != (1 << len(self.graph.operations)) - 1:
            return False
        if not self._outputs_present(state):
            return False
        kept = self.held_before | {self.storage_of[v] for v in self.due}
        return all(s in kept for s in self._live(state.present))

    def _outputs_present(self, state: State) -> bool:
        return all(state.present >> v & 1 for v, due in self.due.items() if due == state.segment)

    def _handed_over(self, segment: int) -> set[int]:
        return {self.storage_of[v] for v, due in self.due.items() if due < segment}

    def _live(self, present: int) -> list[int]:
        return [s for s, members in enumerate(self.members) if present & members]

    def _bytes(self, state: State) -> int:
        fixed = self.graph.fixed_bytes
        counted = sum(self.sizes[s] for s in self._live(state.present) if s not in self.held_before)
        return counted + state.ghosts + (fixed[state.segment] if state.segment < len(fixed) else 0)

    def _moves(self, state: State) -> tuple[Move, ...]:
        if state not in self.moves:
            found = [*self._drops(state), *self._computations(state)]
            if state.segment < self.last_segment:
                found += self._borders(state)
            self.moves[state] = tuple(found)
        return self.moves[state]

    def _drops(self, state: State) -> Iterator[Move]:
        fast = self.held_before | self._handed_over(state.segment)
        for storage in self._live(state.present):
            if storage not in fast:
                yield Move(self._without(state, storage), 0.0, 0)

    def _without(self, state: State, storage: int) -> State:
        """The state after a drop; in a graph that retains, what crossed a border goes on counting."""
        ghosts = state.ghosts + (self.sizes[storage] if state.crossed >> storage & 1 else 0)
        return State(
            state.segment,
            state.present & ~self.members[storage],
            state.ran,
            state.crossed & ~(1 << storage),
            ghosts,
        )

    def _border(self, state: State) -> Move:
        segment = state.segment + 1
        present = state.present
        crossed = 0
        if self.graph.retain:
            crossed = sum(1 << s for s in self._live(present) if s not in self.held_before)
        for value, description in enumerate(self.graph.values):
            if description.available_from == segment:
                present |= 1 << value
        following = State(segment, present, state.ran, crossed, state.ghosts)
        return Move(following, 0.0, self._bytes(following))

    def _computations(self, state: State) -> Iterator[Move]:
        for index, operation in enumerate(self.graph.operations):
            again = bool(state.ran >> index & 1)
            made = sum(1 << v for v in set(operation.makes))
            useless = again and state.present & made == made
            if useless or operation.segment > state.segment or (again and not operation.recomputable):
                continue
            if all(state.present >> v & 1 for v in operation.reads):
                yield from self._runs(state, index, made)

    def _runs(self, state: State, index: int, made: int) -> Iterator[Move]:
        operation = self.graph.operations[index]
        read = {self.storage_of[v] for v in operation.reads}
        targets = {self.storage_of[v] for v in operation.makes} - read
        live = set(self._live(state.present))
        duplicates = sum(self.sizes[s] for s in targets & live)
        for taken in self._overwrites(state, index, targets - live):
            after = State(
                state.segment, state.present | made, state.ran | 1 << index, state.crossed, state.ghosts
            )  # fmt: skip
            saved = sum(self.sizes[s] for s in taken)
            peak = self._bytes(after) - saved + duplicates + operation.workspace_bytes
            for storage in taken:
                after = self._without(after, storage)
            yield Move(after, operation.cost, peak)

    def _overwrites(self, state: State, index: int, fresh: set[int]) -> Iterator[tuple[int, ...]]:
        """Every way to let storages made take over storages read, as the storages that are taken."""
        fast = self._handed_over(state.segment)
        pairs = [
            (target, source)
            for made, read in self.graph.operations[index].may_overwrite
            if (target := self.storage_of[made]) in fresh
            and (source := self.storage_of[read]) not in fast
            and not state.crossed >> source & 1
        ]
        for count in range(len(pairs) + 1):
            for chosen in combinations(pairs, count):
                if len({t for t, _ in chosen}) == len({s for _, s in chosen}) == count:
                    yield tuple(s for _, s in chosen)

"""Brute force over all schedules of a small graph: the least cost within a budget, and the least peak of any.

Written from the referee's rules alone; it shares no code with lowering, the strategies or the referee. A state is
what is in memory, by which choice it was made, what has run, and the segment; moves run an operation by one of its
choices, drop a storage, or pass a border. Spilling is left out.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import combinations
from typing import NamedTuple

from retrograde import Graph, Operation


class State(NamedTuple):
    """Bit masks over values and operations; ``crossed`` and ``ghosts`` are used in graphs that retain only.

    ``made_by`` has pairs (storage, choice) of what is live and depends on the choice of the operation that made it.
    """

    segment: int
    present: int
    ran: int
    crossed: int
    ghosts: int
    made_by: tuple[tuple[int, int], ...] = ()


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
        self.sizes_by_choice = {
            (storage, number): size
            for operation in graph.operations
            for number, choice in enumerate(operation.choices)
            for storage, size in choice.storage_bytes
        }
        self.chosen = {s: i for s in range(len(self.sizes)) if (i := self._chooser(s)) is not None}
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
        made_by = dict(state.made_by)
        live = (s for s in self._live(state.present) if s not in self.held_before)
        counted = sum(self._size(s, made_by.get(s, 0)) for s in live)
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
        made_by = dict(state.made_by)
        size = self._size(storage, made_by.pop(storage, 0))
        return state._replace(
            present=state.present & ~self.members[storage],
            crossed=state.crossed & ~(1 << storage),
            ghosts=state.ghosts + (size if state.crossed >> storage & 1 else 0),
            made_by=tuple(sorted(made_by.items())),
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
        following = State(segment, present, state.ran, crossed, state.ghosts, state.made_by)
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
        for choice in range(max(1, len(self.graph.operations[index].choices))):
            if self._may_choose(state, index, choice):
                yield from self._runs_by(state, index, made, choice)

    def _runs_by(self, state: State, index: int, made: int, choice: int) -> Iterator[Move]:
        operation = self.graph.operations[index]
        by = operation.choices[choice] if operation.choices else operation
        read = {self.storage_of[v] for v in operation.reads}
        targets = {self.storage_of[v] for v in operation.makes} - read
        live = set(self._live(state.present))
        duplicates = sum(self._size(s, choice) for s in targets & live)
        made_by = dict(state.made_by) | {s: choice for s in targets - live if s in self.chosen}
        for taken in self._overwrites(state, index, targets - live):
            after = state._replace(
                present=state.present | made, ran=state.ran | 1 << index, made_by=tuple(sorted(made_by.items()))
            )
            saved = sum(self._size(s, made_by.get(s, 0)) for s in taken)
            peak = self._bytes(after) - saved + duplicates + by.workspace_bytes
            for storage in taken:
                after = self._without(after, storage)
            yield Move(after, by.cost, peak)

    # Choices

    def _size(self, storage: int, choice: int) -> int:
        return self.sizes_by_choice.get((storage, choice), self.sizes[storage])

    def _chooser(self, storage: int) -> int | None:
        """The operation on whose choice the contents of a storage depend."""
        for index, operation in enumerate(self.graph.operations):
            read = {self.storage_of[v] for v in operation.reads}
            if not operation.choices or storage not in {self.storage_of[v] for v in operation.makes} - read:
                continue
            leader = index if operation.choice_of is None else operation.choice_of
            differs = len({self._size(storage, k) for k in range(len(operation.choices))}) > 1
            return leader if differs or self._is_for_followers(storage, leader) else None
        return None

    def _is_for_followers(self, storage: int, leader: int) -> bool:
        members = {v for v, s in enumerate(self.storage_of) if s == storage}
        if members & set(self.graph.outputs):
            return False
        readers = [o for o in self.graph.operations if members & set(o.reads) and not self._only_views(o)]
        return bool(readers) and all(o.choice_of == leader for o in readers)

    def _only_views(self, operation: Operation) -> bool:
        read = {self.storage_of[v] for v in operation.reads}
        return bool(operation.makes) and {self.storage_of[v] for v in operation.makes} <= read

    def _may_choose(self, state: State, index: int, choice: int) -> bool:
        """Whether what a follower reads was made by its choice, and what it would make again was, too."""
        operation = self.graph.operations[index]
        if not operation.choices:
            return True
        read = {self.storage_of[v] for v in operation.reads}
        makes = {self.storage_of[v] for v in operation.makes} - read
        for storage, made_by in state.made_by:
            bound = storage in makes or (storage in read and self.chosen[storage] == operation.choice_of)
            if bound and made_by != choice:
                return False
        return True

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

"""Brute force over all schedules with one tier: the least makespan within a budget.

Written from the rules in the documentation of ``makespan`` alone. Graphs have one storage for each value, no views, no
overwriting, and whole numbers for costs and for the seconds of transfers. A state is what is where, what has run, and
how long transfers still take; moves are the four actions, the border, and a copy that begins when a storage is made.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import NamedTuple

from retrograde import Graph, Tier

Pairs = tuple[tuple[int, int], ...]


class State(NamedTuple):
    """Storages by index; times in seconds from now, none below 0."""

    segment: int
    ran: int
    live: frozenset[int]
    away: frozenset[int]
    fresh: frozenset[int]
    """Made by an operation in this segment and not loaded since."""
    copying: Pairs
    coming: Pairs
    write_free: int
    read_free: int


class SpillOracle:
    """All schedules of one graph with one tier."""

    def __init__(self, graph: Graph, tier: Tier) -> None:
        self.graph = graph
        self.tier = tier
        self.sizes = [s.bytes for s in graph.storages]
        self.storage_of = [v.storage for v in graph.values]
        self.held = {v.storage for v in graph.values if v.available_from == 0}
        named = [o.segment for o in graph.operations] + [v.available_from or 0 for v in graph.values]
        self.last_segment = max(named)
        self.due = {self.storage_of[v]: self._due(v) for v in graph.outputs}

    def least_makespan(self, budget: int) -> int | None:
        """None if no schedule keeps the budget."""
        start = State(0, 0, frozenset(self.held), frozenset(), frozenset(), (), (), 0, 0)
        best = {start: 0}
        queue = [(0, 0, start)]
        count = 0
        while queue:
            time, _, state = heapq.heappop(queue)
            if time > best[state]:
                continue
            if state.segment > self.last_segment:
                return time
            for seconds, following in self._moves(state, budget):
                if time + seconds < best.get(following, 1 << 60):
                    best[following] = time + seconds
                    count += 1
                    heapq.heappush(queue, (time + seconds, count, following))
        return None

    def _due(self, value: int) -> int:
        makers = [o.segment for o in self.graph.operations if value in o.makes]
        return makers[0] if makers else self.graph.values[value].available_from or 0

    def _bytes(self, live: frozenset[int]) -> int:
        return sum(self.sizes[s] for s in live - self.held)

    def _moves(self, state: State, budget: int) -> Iterator[tuple[int, State]]:
        for index in range(len(self.graph.operations)):
            yield from self._computations(state, index, budget)
        handed = {s for s, due in self.due.items() if due < state.segment}
        for storage in state.live - self.held - handed:
            if storage not in dict(state.copying):
                yield self._freed(state, storage)
            if storage in dict(state.copying) or storage not in state.fresh:
                yield from self._spilled(state, storage)
        for storage in state.away:
            yield 0, state._replace(away=state.away - {storage})
            if self._bytes(state.live | {storage}) <= budget:
                yield 0, self._loaded(state, storage)
        yield from self._border(state, budget)

    def _computations(self, state: State, index: int, budget: int) -> Iterator[tuple[int, State]]:
        operation = self.graph.operations[index]
        (made,) = {self.storage_of[v] for v in operation.makes}
        reads = {self.storage_of[v] for v in operation.reads}
        live = state.live | {made}
        useless = made in state.live or made in state.away
        again = state.ran >> index & 1 and not operation.recomputable
        if useless or again or operation.segment > state.segment or not reads <= state.live:
            return
        if self._bytes(live) + operation.workspace_bytes > budget:
            return
        seconds = max((left for s, left in state.coming if s in reads), default=0) + int(operation.cost)
        after = _later(state, seconds, arrived=reads)
        after = after._replace(ran=state.ran | 1 << index, live=live, fresh=state.fresh | {made})
        yield seconds, after
        yield from ((seconds, copied) for copied in self._copied(after, made))

    def _copied(self, state: State, storage: int) -> Iterator[State]:
        """The state with a copy to the tier asked for, if there is room."""
        there = state.away | {s for s, _ in state.copying} | {storage}
        if self.tier.capacity_bytes is not None and sum(self.sizes[s] for s in there) > self.tier.capacity_bytes:
            return
        done = state.write_free + round(self.tier.write_seconds(self.sizes[storage]))
        read_free = state.read_free if self.tier.duplex else done
        yield state._replace(
            copying=tuple(sorted((*state.copying, (storage, done)))), write_free=done, read_free=read_free
        )

    def _freed(self, state: State, storage: int) -> tuple[int, State]:
        seconds = dict(state.coming).get(storage, 0)
        after = _later(state, seconds, arrived={storage})
        return seconds, after._replace(live=state.live - {storage}, fresh=state.fresh - {storage})

    def _spilled(self, state: State, storage: int) -> Iterator[tuple[int, State]]:
        waited = dict(state.coming).get(storage, 0)
        begun = _later(state, waited, arrived={storage})
        for copied in [begun] if storage in dict(state.copying) else self._copied(begun, storage):
            seconds = dict(copied.copying)[storage]
            after = _later(copied, seconds, arrived=set())
            yield (
                waited + seconds,
                after._replace(
                    live=state.live - {storage},
                    away=state.away | {storage},
                    fresh=state.fresh - {storage},
                    copying=tuple(pair for pair in after.copying if pair[0] != storage),
                ),
            )

    def _loaded(self, state: State, storage: int) -> State:
        done = state.read_free + round(self.tier.read_seconds(self.sizes[storage]))
        return state._replace(
            live=state.live | {storage},
            away=state.away - {storage},
            coming=tuple(sorted((*state.coming, (storage, done)))),
            read_free=done,
            write_free=state.write_free if self.tier.duplex else done,
        )

    def _border(self, state: State, budget: int) -> Iterator[tuple[int, State]]:
        due = {s for s, segment in self.due.items() if segment == state.segment}
        if state.copying or not due <= state.live:
            return
        if state.segment == self.last_segment:
            if self._is_end(state):
                seconds = max((left for _, left in state.coming), default=0)
                yield seconds, State(state.segment + 1, 0, frozenset(), frozenset(), frozenset(), (), (), 0, 0)
            return
        arriving = {v.storage for v in self.graph.values if v.available_from == state.segment + 1}
        if self._bytes(state.live | arriving) <= budget:
            yield 0, state._replace(segment=state.segment + 1, live=state.live | arriving, fresh=frozenset())

    def _is_end(self, state: State) -> bool:
        everything = (1 << len(self.graph.operations)) - 1
        return state.ran == everything and state.live == self.held | set(self.due) and not state.away


def _later(state: State, seconds: int, arrived: set[int]) -> State:
    """The state some seconds on; those that arrived are waited for no more."""
    return state._replace(
        copying=tuple((s, max(0, left - seconds)) for s, left in state.copying),
        coming=tuple((s, left - seconds) for s, left in state.coming if left > seconds and s not in arrived),
        write_free=max(0, state.write_free - seconds),
        read_free=max(0, state.read_free - seconds),
    )

"""Move to the slower tier what waits from the forward for the backward pass; compute nothing again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from retrograde.graph import Graph
from retrograde.planning.actions import Action, Compute, Load, Spill
from retrograde.planning.lowering import Schedule, lower
from retrograde.planning.referee import replay
from retrograde.planning.strategies import store_all
from retrograde.planning.strategies.options import Options

_MOST_AHEAD = 4
"""A load is moved forward by at most so many runs of operations."""

Bytes = NDArray[np.int64]


def schedules(graph: Graph, budget_bytes: int | None) -> Iterator[Schedule]:
    """The given order, with as few storages spilled as the budget needs; then the same with all of them spilled.

    A storage may be spilled that is live across a border between segments: after its last use before the border, and
    loaded before its first use behind it. Those of most bytes times idle cost go first, and only those that are
    idle where too much is live. A load stands up to four operations ahead of the use where the budget has room, so
    that the transfer can run beside them.

    A graph does not say what a transfer costs, so these plans cost what the given order costs: the time of a
    transfer that nothing hides is not in them. Outputs stay, and what is read by an operation that makes nothing: it
    stands for code outside, which may hold what it is given. In a graph that retains, everything stays.

    Args:
        graph: the computation.
        budget_bytes: the budget; None for no limit.
    """
    spiller = _Spiller(graph)
    yield spiller.schedule(spiller.chosen(budget_bytes))
    yield spiller.schedule(spiller.gaps)


@dataclass
class _Gap:
    """A storage that is idle: between the actions ``last_use`` and ``load``, of which the border is one or later."""

    storage: int
    bytes: int
    last_use: int
    border: int
    load: int
    idle: float


class _Spiller:
    """The given order of one graph, and where its storages are idle across a border."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        (order,) = store_all.candidates(graph, Options())
        given = lower(graph, order)
        self.actions, self.segments = given.actions, given.segments
        self.live = np.array(replay(graph, self.actions, self.segments).live_bytes, dtype=np.int64)
        self.gaps = [] if graph.retain else sorted(self._gaps(), key=lambda gap: -gap.bytes * gap.idle)

    def chosen(self, budget_bytes: int | None) -> list[_Gap]:
        """The gaps to use for a budget, with their loads moved forward where there is room."""
        if budget_bytes is None:
            return []
        live = self.live.copy()
        taken: list[_Gap] = []
        for gap in self.gaps:
            if (live <= budget_bytes).all():
                break
            if (_of(live, gap) > budget_bytes).any():
                _of(live, gap)[:] -= gap.bytes
                taken.append(gap)
        kept = self._without_needless(taken, live, budget_bytes)
        return self._loaded_ahead(kept, live, budget_bytes)

    def schedule(self, gaps: list[_Gap]) -> Schedule:
        """The given order with storages spilled in their gaps."""
        spills: dict[int, list[int]] = {}
        loads: dict[int, list[int]] = {}
        for gap in gaps:
            spills.setdefault(gap.last_use, []).append(gap.storage)
            loads.setdefault(gap.load, []).append(gap.storage)
        actions: list[Action] = []
        segments: list[int] = []
        for index, action in enumerate(self.actions):
            while len(segments) < len(self.segments) and self.segments[len(segments)] <= index:
                segments.append(len(actions))
            actions += [Load(storage) for storage in loads.get(index, ())]
            actions.append(action)
            actions += [Spill(storage) for storage in spills.get(index, ())]
        segments += [len(actions)] * (len(self.segments) - len(segments))
        return Schedule(tuple(actions), tuple(segments))

    # Gaps

    def _gaps(self) -> Iterator[_Gap]:
        """For each storage that may leave memory its longest wait across a border."""
        costs = [
            self.graph.operations[action.operation].cost if isinstance(action, Compute) else 0.0
            for action in self.actions
        ]
        if self.graph.base_cost == 0:
            costs = [1.0] * len(self.actions)
        so_far = np.concatenate([[0.0], np.cumsum(costs)])
        staying = self._staying()
        for storage, uses in self._uses().items():
            size = self.graph.storages[storage].bytes
            if storage in staying or self.graph.arrivals[storage] == 0 or not size:
                continue
            waits = [
                _Gap(storage, size, before, border, after, float(so_far[after] - so_far[before + 1]))
                for before, after in pairwise(uses)
                if (border := self._border_between(before, after)) is not None
            ]
            if waits:
                yield max(waits, key=lambda gap: gap.idle)

    def _staying(self) -> set[int]:
        """Storages that are outputs or are handed to code outside."""
        handed = (o.reads for o in self.graph.operations if not o.makes)
        values = (*self.graph.outputs, *(value for reads in handed for value in reads))
        return {self.graph.values[value].storage for value in values}

    def _uses(self) -> dict[int, list[int]]:
        """For each storage the actions that read it or write to it."""
        uses: dict[int, list[int]] = {}
        for index, action in enumerate(self.actions):
            if isinstance(action, Compute):
                operation = self.graph.operations[action.operation]
                for storage in {self.graph.values[v].storage for v in (*operation.reads, *operation.makes)}:
                    uses.setdefault(storage, []).append(index)
        return uses

    def _border_between(self, before: int, after: int) -> int | None:
        """The last border behind an action and not behind another."""
        return next((border for border in reversed(self.segments) if before < border <= after), None)

    # Choices

    def _without_needless(self, taken: list[_Gap], live: Bytes, budget_bytes: int) -> list[_Gap]:
        """Those that are still needed once all are taken; the least idle are given up first."""
        kept: list[_Gap] = []
        for gap in reversed(taken):
            if (_of(live, gap) + gap.bytes <= budget_bytes).all():
                _of(live, gap)[:] += gap.bytes
            else:
                kept.append(gap)
        return kept[::-1]

    def _loaded_ahead(self, gaps: list[_Gap], live: Bytes, budget_bytes: int) -> list[_Gap]:
        """The gaps with their loads moved forward, an operation at a time in turn, as far as there is room."""
        loads = {gap.storage: gap.load for gap in gaps}
        for _ in range(_MOST_AHEAD):
            for gap in gaps:
                earlier = self._operation_before(loads[gap.storage])
                stretch = live[earlier : loads[gap.storage]]
                if earlier >= gap.border and (stretch + gap.bytes <= budget_bytes).all():
                    stretch += gap.bytes
                    loads[gap.storage] = earlier
        return [_Gap(gap.storage, gap.bytes, gap.last_use, gap.border, loads[gap.storage], gap.idle) for gap in gaps]

    def _operation_before(self, index: int) -> int:
        """The action before another that runs an operation that is no view; -1 if there is none."""
        for earlier in range(index - 1, -1, -1):
            action = self.actions[earlier]
            if isinstance(action, Compute) and not self.graph.is_view(action.operation):
                return earlier
        return -1


def _of(live: Bytes, gap: _Gap) -> Bytes:
    """The live bytes while a storage is idle, shared with the whole."""
    return live[gap.last_use + 1 : gap.load]

"""Where a search begins: what the chain of blocks and the simple strategies propose, as far as there is time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import cached_property

from retrograde.analysis.bounds import peak_bound_bytes
from retrograde.errors import UsageError
from retrograde.graph import Graph
from retrograde.planning.blocks import Chain
from retrograde.planning.demand import Split, recompute_on_demand
from retrograde.planning.improve import Curve, Found
from retrograde.planning.lowering import RunOrder

Clock = Callable[[], float]

SHARES = (1.0, 0.98, 0.95)
"""Shares of a budget for which the relaxation is asked: what it proposes may need somewhat more."""

MOST_RUNS = 3
"""Runs for each operation up to which a sequence is a place to look for a smaller peak from."""


class Seeds:
    """Sequences for one graph, each made and added to a curve once; those there was no time for follow later.

    Args:
        graph: the computation.
        curve: where they go.

    Attributes:
        is_complete: whether the candidates of all simple strategies are in.
        smallest: of those that run no operation more than a few times on average, the one with the smallest peak.
    """

    def __init__(self, graph: Graph, curve: Curve) -> None:
        self.graph = graph
        self.curve = curve
        self.is_complete = False
        self.smallest: Found | None = None
        self._rest = _simple(graph)
        self._chain: Chain | None = None
        self._budgets: set[int] = set()
        self._longest_seconds = 0.0

    def plant(self, budget_bytes: int, deadline: float | None, clock: Clock = time.monotonic) -> None:
        """Add what the chain and the relaxation propose for a budget, then the simple strategies that are not in yet.

        Args:
            budget_bytes: the budget.
            deadline: the moment by which to be done; a sequence that would take longer is not begun. None for none.
            clock: what tells the moment.
        """
        if budget_bytes not in self._budgets:
            chained = self._add(self._sequences_of_chain(budget_bytes), deadline, clock)
            left = None if deadline is None else deadline - clock()
            if chained and self._add(self._sequences_of_relaxation(budget_bytes, left), deadline, clock):
                self._budgets.add(budget_bytes)
        if not self.is_complete:
            self.is_complete = self._add(self._rest, deadline, clock)

    def _add(self, sequences: Iterator[RunOrder], deadline: float | None, clock: Clock) -> bool:
        """Whether all were added in time."""
        while True:
            begun = clock()
            if deadline is not None and begun + self._longest_seconds >= deadline:
                return False
            sequence = next(sequences, None)
            if sequence is None:
                return True
            self._keep_smallest(self.curve.add(sequence))
            self._longest_seconds = max(self._longest_seconds, clock() - begun)

    def _keep_smallest(self, found: Found) -> None:
        is_smaller = self.smallest is None or found.peak_bytes < self.smallest.peak_bytes
        if is_smaller and sum(map(len, found.sequence)) <= MOST_RUNS * len(self.graph.operations):
            self.smallest = found

    def _sequences_of_chain(self, budget_bytes: int) -> Iterator[RunOrder]:
        if self._chain is None:
            self._chain = Chain(self._split)
        yield from self._chain.sequences(budget_bytes)

    def _sequences_of_relaxation(self, budget_bytes: int, time_limit: float | None) -> Iterator[RunOrder]:
        """What the relaxation behind the bound would run again, each of it where it is first wanted."""
        from retrograde.planning.certificate import Effort, recomputation_choices

        if budget_bytes < peak_bound_bytes(self.graph) or (time_limit is not None and time_limit <= 0.0):
            return
        effort = Effort(more_cuts=1, time_limit=time_limit)
        for choice in recomputation_choices(self.graph, budget_bytes, shares=SHARES, effort=effort):
            yield recompute_on_demand(self._split, self._split.droppable.intersection(choice))

    @cached_property
    def _split(self) -> Split:
        return Split(self.graph)


def _simple(graph: Graph) -> Iterator[RunOrder]:
    """The candidates of every simple strategy that takes the graph, those that grow longest last."""
    from retrograde.planning.strategies import STRATEGIES, Options

    names = sorted(STRATEGIES, key=lambda name: name == "recompute_all")
    for name in names:
        try:
            yield from STRATEGIES[name](graph, Options())
        except UsageError:
            continue

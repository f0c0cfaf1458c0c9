"""Choices and recomputation at one price: sweeps of the greedy descent, with the choices taken anew between them."""

from __future__ import annotations

import bisect
from collections.abc import Sequence

import numpy as np

from retrograde.graph import Graph
from retrograde.graph.choosing import groups
from retrograde.planning.actions import Compute
from retrograde.planning.choices.bundles import Bundle, Bundles, Bytes, with_assignment
from retrograde.planning.choices.ladder import Assignment
from retrograde.planning.improve import Descent, Effort
from retrograde.planning.lowering import Schedule, lower
from retrograde.planning.simulator import condense, sequence_of

FIRST_PRICE = 0.01
"""What all bytes above the budget cost together to begin with, over the cost of the schedule."""

FACTORS = ((2000, 1.5), (6000, 2.5))
"""By how much the price of a byte rises after each sweep, in graphs of at most so many operations."""

LARGEST_FACTOR = 4.0
"""The same in larger graphs, where a sweep takes long."""

MOST_SWEEPS = 60


def descend_with_choices(
    graph: Graph,
    schedule: Schedule,
    budget_bytes: int,
    effort: Effort,
    *,
    seed: int = 0,
    first_price: float | None = None,
) -> Schedule | None:
    """Bring a schedule into a budget by recomputation and by choices, both at the same rising price of a byte.

    After each sweep each choosing operation takes the choice that is best at the price, all else as it is. So what
    a byte may cost is the same everywhere: it is not kept at a high price here and computed again at a low one there.

    Args:
        graph: a graph with choices.
        schedule: a schedule for it. Where an operation runs by several choices, one of them is taken for all.
        budget_bytes: the budget.
        effort: shared with other searches.
        seed: of the order of visits.
        first_price: cost that a byte above the budget at one moment is worth to begin with; a hundredth of what pays
            for the whole schedule when left out.

    Returns:
        A schedule within the budget; None where there is none at any price that was tried.
    """
    schedule = with_assignment(graph, schedule, dict(assignment_of(Bundles(graph, schedule))))
    price = price_of_overload(graph, schedule, budget_bytes, FIRST_PRICE) if first_price is None else first_price
    factor = next((factor for most, factor in FACTORS if len(graph.operations) <= most), LARGEST_FACTOR)
    for number in range(MOST_SWEEPS):
        choosing = _Choosing(Bundles(graph, schedule), budget_bytes)
        assignment = choosing.best_at(price)
        settled = graph.with_choices(dict(assignment))
        problem = condense(settled)
        descent = Descent(problem, effort, seed * 1000 + number, lambda peak_bytes, nodes: None)
        overload = descent.overload(problem.nodes_of(_runs(schedule)), budget_bytes)
        if overload:
            descent.sweep(budget_bytes, price)
            overload = descent.simulator.overload(budget_bytes)
        if not overload:
            descent.polish(budget_bytes)
        sequence = sequence_of(problem, descent.nodes_now())
        schedule = with_assignment(graph, lower(settled, sequence), dict(assignment))
        if not overload:
            return schedule
        if effort.is_spent:
            return None
        price *= factor
    return None


def price_of_overload(graph: Graph, schedule: Schedule, budget_bytes: int, share: float) -> float:
    """The price at which all bytes that a schedule has above a budget cost a share of the schedule."""
    choosing = _Choosing(Bundles(graph, schedule), budget_bytes)
    return share * max(choosing.schedule_cost, 1e-12) / max(1.0, choosing.overload)


def assignment_of(bundles: Bundles) -> Assignment:
    """One choice for each choosing operation: of several that a schedule runs it by, that of most cost."""
    found: dict[int, tuple[float, int]] = {chooser: (-1.0, 0) for chooser in bundles.graph.choosers}
    for bundle, choice in zip(bundles.bundles, bundles.choice, strict=True):
        found[bundle.chooser] = max(found[bundle.chooser], (bundle.costs[choice], choice))
    return tuple(sorted((chooser, choice) for chooser, (_, choice) in found.items()))


def _runs(schedule: Schedule) -> list[list[int]]:
    """For each segment the operations that a schedule runs, in order."""
    ends = (*schedule.segments[1:], len(schedule.actions))
    return [
        [action.operation for action in schedule.actions[begin:end] if isinstance(action, Compute)]
        for begin, end in zip(schedule.segments, ends, strict=True)
    ]


class _Choosing:
    """The bytes above a budget while operations run and segments begin, as choices change them."""

    def __init__(self, bundles: Bundles, budget_bytes: int) -> None:
        graph, actions = bundles.graph, bundles.schedule.actions
        counted = [i for i in range(len(bundles.live)) if i >= len(actions) or isinstance(actions[i], Compute)]
        self.above: Bytes = bundles.live[counted] - budget_bytes
        self.counted = counted
        self.schedule_cost = sum(graph.operation_cost(a.operation, a.choice) for a in actions if isinstance(a, Compute))
        self.of: dict[int, list[Bundle]] = {chooser: [] for chooser in groups(graph)}
        self.choice: dict[int, int] = {}
        for bundle, choice in zip(bundles.bundles, bundles.choice, strict=True):
            self.of[bundle.chooser].append(bundle)
            self.choice[bundle.chooser] = choice

    @property
    def overload(self) -> float:
        return float(np.maximum(self.above, 0).sum(dtype=float))

    def best_at(self, price: float) -> Assignment:
        """For each choosing operation in turn the choice of least cost at a price of bytes above the budget."""
        for chooser, bundles in self.of.items():
            costs = np.array([bundle.costs for bundle in bundles]).sum(axis=0)
            paid = costs + price * self._overloads(self.choice[chooser], bundles)
            best = int(paid.argmin())
            if paid[best] < paid[self.choice[chooser]]:
                self._put(chooser, bundles, best)
        return tuple(sorted(self.choice.items()))

    def _overloads(self, now: int, bundles: Sequence[Bundle]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """The overload by each choice, less what no choice changes."""
        total = np.zeros(len(bundles[0].costs))
        for bundle in bundles:
            for begin, end, sizes in self._places(bundle):
                above = self.above[begin:end] + (sizes - sizes[now])[:, np.newaxis]
                total += np.maximum(above, 0).sum(axis=1, dtype=float)
        return total

    def _put(self, chooser: int, bundles: Sequence[Bundle], choice: int) -> None:
        for bundle in bundles:
            for begin, end, sizes in self._places(bundle):
                self.above[begin:end] += sizes[choice] - sizes[self.choice[chooser]]
        self.choice[chooser] = choice

    def _places(self, bundle: Bundle) -> list[tuple[int, int, Bytes]]:
        """The stretches of a bundle among the moments that count."""
        return [
            (bisect.bisect_left(self.counted, begin), bisect.bisect_left(self.counted, end), sizes)
            for begin, end, sizes in bundle.pieces
        ]

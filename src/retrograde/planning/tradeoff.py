"""``tradeoff``: the whole curve of overhead against budget, with the bound beneath it, computed together."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from retrograde.errors import BudgetError, PlanError, UsageError
from retrograde.graph import Graph
from retrograde.planning.budget import Budget
from retrograde.planning.plan import Plan
from retrograde.planning.planner import plan
from retrograde.planning.progress import Progress, ProgressCallback
from retrograde.planning.proving import covered_overhead, held_against

TRADEOFF_FORMAT_VERSION = 1


@dataclass(frozen=True)
class TradeoffPoint:
    """One budget of a trade-off curve.

    Attributes:
        budget_bytes: the budget.
        plan: the cheapest plan in hand within it; None where none is.
        bound: a proved lower bound on the overhead of any schedule within it; infinite where none can exist.
    """

    budget_bytes: int
    plan: Plan | None
    bound: float

    @property
    def is_infeasible(self) -> bool:
        """Whether it is proved that no schedule meets the budget."""
        return self.bound == float("inf")


@dataclass(frozen=True)
class Tradeoff:
    """What a smaller budget costs: plans in hand and the bound beneath them, from the largest budget to the smallest.

    Overheads and bounds never fall from one point to the next.

    Attributes:
        graph: fingerprint of the graph that it belongs to.
        store_all_peak_bytes: what percentages refer to.
        points: from the largest budget to the smallest.

    Example:
        >>> graph = Graph.from_arrays(cost=[1, 1, 1, 1], bytes=[8, 8, 8, 8], edges=[(0, 1), (1, 2), (2, 3), (0, 3)])
        >>> curve = tradeoff(graph, points=["100%", "70%"])
        >>> [(point.budget_bytes, point.plan.overhead if point.plan else None) for point in curve.points]
        [(24, 0.0), (16, None)]
    """

    graph: str
    store_all_peak_bytes: int
    points: tuple[TradeoffPoint, ...]

    def __iter__(self) -> Iterator[TradeoffPoint]:
        return iter(self.points)

    def __len__(self) -> int:
        return len(self.points)

    @property
    def plans(self) -> tuple[Plan, ...]:
        """The plans of all points, each once, from the cheapest to the smallest."""
        found: dict[tuple[int, float], Plan] = {}
        for point in self.points:
            if point.plan is not None:
                found.setdefault((point.plan.peak_bytes, point.plan.cost), point.plan)
        return tuple(found.values())

    def best(self, budget: int | str | Budget) -> Plan:
        """The cheapest plan of the curve within a budget.

        Raises:
            BudgetError: no plan of the curve fits.
        """
        limit = Budget(budget).resolve(self.store_all_peak_bytes)
        fitting = [found for found in self.plans if found.peak_bytes <= limit]
        if fitting:
            return min(fitting, key=lambda found: (found.cost, found.peak_bytes))
        minimum_bytes = min((found.peak_bytes for found in self.plans), default=0)
        refused = max((p.budget_bytes + 1 for p in self.points if p.is_infeasible), default=0)
        raise BudgetError(
            f"no plan of this curve fits {limit} bytes; the smallest takes {minimum_bytes} bytes. Ask "
            "rg.tradeoff for smaller points, or rg.plan for this budget",
            budget_bytes=limit,
            minimum_bytes=minimum_bytes,
            bound_bytes=min(refused, minimum_bytes),
        )

    def to_json(self) -> str:
        """The curve as JSON text with a format version; ``Tradeoff.from_json`` reads it."""
        points = [
            {
                "budget_bytes": point.budget_bytes,
                "bound": None if point.is_infeasible else point.bound,
                "plan": None if point.plan is None else json.loads(point.plan.to_json()),
            }
            for point in self.points
        ]
        document = {
            "format": "retrograde trade-off",
            "version": TRADEOFF_FORMAT_VERSION,
            "graph": self.graph,
            "store_all_peak_bytes": self.store_all_peak_bytes,
            "points": points,
        }
        return json.dumps(document)

    @staticmethod
    def from_json(text: str) -> Tradeoff:
        """Read what ``to_json`` wrote.

        Raises:
            PlanError: not JSON, an unknown format version, or a field that is missing.
        """
        try:
            document: Any = json.loads(text)
            if document["format"] != "retrograde trade-off" or document["version"] != TRADEOFF_FORMAT_VERSION:
                raise PlanError(
                    f"unknown format {document['format']!r} version {document['version']!r}; this release reads "
                    f"'retrograde trade-off' version {TRADEOFF_FORMAT_VERSION}"
                )
            points = cast(list[dict[str, Any]], document["points"])
            return Tradeoff(document["graph"], document["store_all_peak_bytes"], tuple(map(_point_from_json, points)))
        except (KeyError, TypeError, ValueError) as error:
            raise PlanError(f"not a valid trade-off document: {type(error).__name__}: {error}") from error


def tradeoff(
    graph: Graph,
    points: int | Iterable[int | str | Budget] = 12,
    *,
    time_limit: float = 60.0,
    iterations: int | None = None,
    seed: int = 0,
    progress: ProgressCallback | None = None,
) -> Tradeoff:
    """The curve of overhead against budget, with the bound beneath it.

    All points are computed together: each search starts from what the others found, and every plan serves all budgets
    that it fits, so that overhead never falls with the budget. It takes as long as is said, whatever the number of
    points; one by one they would take that long each.

    Args:
        graph: the computation.
        points: how many, evenly spread from the store-all peak to the smallest budget that a plan is found for; or
            budgets.
        time_limit: seconds for the searches of all points, bounds not counted.
        iterations: steps of the searches of all points, in place of the time limit.
        seed: of a search's random numbers.
        progress: called with a ``Progress`` now and then.

    Returns:
        Points from the largest budget to the smallest.

    Raises:
        UsageError: no points, or a budget that is not understood.

    Example:
        >>> graph = Graph.from_arrays(cost=[1, 1, 1], bytes=[8, 8, 8], edges=[(0, 1), (1, 2)])
        >>> [point.budget_bytes for point in tradeoff(graph, points=[16, "50%"])]
        [16, 8]
    """
    finder = _Finder(graph, time_limit, iterations, seed, progress)
    if isinstance(points, int):
        if points < 1:
            raise UsageError(f"points must be 1 or more, or a list of budgets, found {points!r}")
        budgets = finder.spread(points)
    else:
        budgets = _resolved(graph, points)
    finder.search(budgets)
    return finder.curve(budgets)


class _Finder:
    """The searches of one curve, and the plans that they found."""

    def __init__(
        self, graph: Graph, time_limit: float, iterations: int | None, seed: int, progress: ProgressCallback | None
    ) -> None:
        self._graph = graph
        self._time_limit = time_limit
        self._iterations = iterations
        self._seed = seed
        self._progress = progress
        self._plans: list[Plan] = []

    def spread(self, count: int) -> list[int]:
        """Budgets evenly spread from the store-all peak to the smallest peak of a plan in hand."""
        most = max(1, self._graph.store_all_peak_bytes)
        least = most if count == 1 else min(most, self._smallest_peak_bytes(1 / (count + 1)))
        steps = max(1, count - 1)
        return list(dict.fromkeys(most - (most - least) * step // steps for step in range(count)))

    def search(self, budgets: Sequence[int]) -> None:
        """Plan for each budget, the smallest first: its plan is where the search of the next begins."""
        for number, budget_bytes in enumerate(sorted(budgets)):
            self._tell(number / len(budgets))
            try:
                self._plan(budget_bytes, 1 / len(budgets))
            except BudgetError as error:
                if error.minimum_bytes <= max(budgets):
                    self._plan(error.minimum_bytes, 1 / len(budgets))

    def curve(self, budgets: Sequence[int]) -> Tradeoff:
        """The best plan in hand for each budget, with the bound beneath it."""
        graph = self._graph
        wanted = sorted(set(budgets), reverse=True)
        points: list[TradeoffPoint] = []
        highest = 0.0
        for budget_bytes, proved in zip(wanted, bounds_beneath(graph, wanted), strict=True):
            best = self._best(budget_bytes)
            known = covered_overhead(graph, budget_bytes, best.overhead) if best is not None else 0.0
            highest = max(highest, proved, known, self._met(budget_bytes))
            points.append(TradeoffPoint(budget_bytes, best and held_against(best, highest), highest))
        return Tradeoff(graph.fingerprint, graph.store_all_peak_bytes, tuple(points))

    def _smallest_peak_bytes(self, share: float) -> int:
        try:
            return self._plan(1, share).peak_bytes
        except BudgetError as error:
            return max(1, error.minimum_bytes)

    def _plan(self, budget_bytes: int, share: float) -> Plan:
        iterations = None if self._iterations is None else int(self._iterations * share)
        found = plan(
            self._graph,
            budget_bytes,
            time_limit=self._time_limit * share,
            iterations=iterations,
            seed=self._seed,
            bound=False,
        )
        self._plans.append(found)
        return found

    def _best(self, budget_bytes: int) -> Plan | None:
        fitting = [found for found in self._plans if found.peak_bytes <= budget_bytes]
        best = min(fitting, key=lambda found: (found.cost, found.peak_bytes), default=None)
        return None if best is None else replace(best, budget_bytes=budget_bytes, bound=0.0)

    def _met(self, budget_bytes: int) -> float:
        """The best bound that searches came across: what holds for a larger budget holds for this one."""
        return max((p.bound for p in self._plans if (p.budget_bytes or 0) >= budget_bytes), default=0.0)

    def _tell(self, fraction: float) -> None:
        if self._progress is not None:
            smallest = min(self._plans, key=lambda found: found.peak_bytes, default=None)
            known = (None, None) if smallest is None else (smallest.peak_bytes, smallest.cost)
            self._progress(Progress("trade-off curve", fraction, *known))


def bounds_beneath(graph: Graph, budgets: Sequence[int]) -> list[float]:
    """For each budget a proved lower bound on the overhead of any schedule; infinite where none can meet it.

    What holds for a larger budget holds for a smaller one, so bounds never fall with the budget.

    Args:
        graph: the computation.
        budgets: in bytes, in any order.
    """
    from retrograde.planning.certificate import overhead_bounds

    wanted = sorted(set(budgets), reverse=True)
    known: dict[int, float] = {}
    highest = 0.0
    for budget_bytes, bound in zip(wanted, overhead_bounds(graph, wanted), strict=True):
        highest = max(highest, bound.overhead)
        known[budget_bytes] = highest
    return [known[budget_bytes] for budget_bytes in budgets]


def _resolved(graph: Graph, points: Iterable[int | str | Budget]) -> list[int]:
    asked = [points] if isinstance(points, str | Budget) else list(points)
    if not asked:
        raise UsageError("points is empty; give a number of points, or a list of budgets")
    return [Budget(point).resolve(graph.store_all_peak_bytes) for point in asked]


def _point_from_json(document: dict[str, Any]) -> TradeoffPoint:
    bound, found = document["bound"], document["plan"]
    return TradeoffPoint(
        document["budget_bytes"],
        None if found is None else Plan.from_json(json.dumps(found)),
        float("inf") if bound is None else bound,
    )

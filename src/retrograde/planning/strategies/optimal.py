"""``optimal``: proved optima with any number of recomputations, in any order where the graph is small enough."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from fractions import Fraction

from retrograde.analysis.bounds import peak_bound_bytes
from retrograde.errors import BudgetError, UsageError
from retrograde.graph import Graph
from retrograde.graph.units import format_bytes
from retrograde.planning.exact.bound import least_excess, rounded_down
from retrograde.planning.exact.emission import schedule_of
from retrograde.planning.exact.incumbent import Incumbent, excess_of_schedule, incumbent_of
from retrograde.planning.exact.instance import Instance, instance_of
from retrograde.planning.exact.solver import Clock, Move, Unproved, excess_of, find_any, find_best, warm_up
from retrograde.planning.lowering import RunOrder, Schedule
from retrograde.planning.plan import Plan, certify
from retrograde.planning.progress import Progress, ProgressCallback

MOST_FREE = 24
"""Operations of the largest graph that is solved in any order or not at all; views that cost nothing do not count."""

MOST_GIVEN = 128
"""Operations of the largest graph that is tried at all."""


def search(
    graph: Graph,
    budget_bytes: int | None,
    *,
    time_limit: float = 20.0,
    iterations: int | None = None,
    seed: int = 0,
    progress: ProgressCallback | None = None,
    sequences: Iterable[RunOrder] = (),
) -> Plan:
    """The plan of least cost within a budget, proved.

    Up to ``MOST_FREE`` operations run in any order. Of larger graphs the same is tried for half of the time; then
    operations first run in the graph's order, and recomputations stand anywhere. The plan's statistics say which
    (``order_free`` is 1 or 0). Where the order was free, the plan's ``bound`` is its overhead; where it was not, the
    statistic ``fixed_order_bound`` is, and ``bound`` is what ``cover_bound`` proves.

    Args:
        graph: the computation.
        budget_bytes: the budget; None for no limit.
        time_limit: seconds to prove it in, compiling left out; unused if ``iterations`` is given.
        iterations: states that the search may expand.
        seed: of nothing: a proof has no use for chance.
        progress: called with a ``Progress`` now and then.
        sequences: orders of operations in hand; good ones make the proof shorter.

    Returns:
        A plan that the referee certified.

    Raises:
        BudgetError: proved that no schedule (of the given order, where it is not free) meets the budget.
        UsageError: the graph is too large for a proof, or the proof was not complete in time.

    Example:
        >>> graph = Graph.from_arrays(cost=[1, 1, 1, 1], bytes=[8, 8, 8, 8], edges=[(0, 1), (1, 2), (2, 3), (0, 3)])
        >>> plan = search(graph, 24)
        >>> plan.cost, plan.bound, dict(plan.statistics)["order_free"]
        (4.0, 0.0, 1.0)
    """
    limit = budget_bytes if budget_bytes is not None else graph.store_all_peak_bytes
    instance = instance_of(graph, limit)
    if instance.size > MOST_GIVEN:
        raise UsageError(
            f"strategy 'optimal' takes graphs of up to {MOST_GIVEN} operations that are not free views, this one has "
            f"{instance.size}; use strategy 'auto' or 'search'"
        )

    def tell(done: int) -> None:
        if progress is not None:
            progress(Progress(f"exact search, {done} states"))

    warm_up()
    in_hand = list(sequences)
    if instance.size <= MOST_FREE:
        return Prover(graph, instance, False, Clock(time_limit, iterations, tell)).prove(limit, budget_bytes, in_hand)
    share = None if iterations is None else iterations // 2
    with suppress(Unproved):
        half = Clock(time_limit / 2, share, tell)
        return Prover(graph, instance, False, half).prove(limit, budget_bytes, in_hand)
    rest = Clock(time_limit / 2, None if iterations is None or share is None else iterations - share, tell)
    return Prover(graph, instance, True, rest).prove(limit, budget_bytes, in_hand)


class Prover:
    """Looks for the optimum of one graph, in any order or in the given one.

    Args:
        graph: the computation.
        instance: the same, condensed for the budget.
        given_order: whether first runs follow the given order.
        clock: how long to look.
    """

    def __init__(self, graph: Graph, instance: Instance, given_order: bool, clock: Clock) -> None:
        self.graph = graph
        self.instance = instance
        self.given_order = given_order
        self.clock = clock
        self.limit = 0

    def prove(self, limit: int, budget_bytes: int | None, sequences: Iterable[RunOrder]) -> Plan:
        """The optimum, certified."""
        self.limit = limit
        best = incumbent_of(self.graph, self.instance, limit, sequences, given_order=self.given_order)
        if best is None:
            best = self._first(limit)
        if not best.excess:
            return self._plan(best.schedule, Fraction(0), budget_bytes)
        found = find_best(self.instance, limit, best.excess, self.clock, given_order=self.given_order)
        if found.moves is None or found.excess >= best.excess:
            return self._plan(best.schedule, min(found.bound, best.excess), budget_bytes)
        return self._plan(self._schedule(found.moves, limit), found.bound, budget_bytes)

    def _first(self, limit: int) -> Incumbent:
        """Some schedule, where the simple strategies have none; looked for among cheap ones at first."""
        ceiling = Fraction(self.graph.base_cost) / 2
        if ceiling:
            cheap = find_best(self.instance, limit, ceiling, self.clock, given_order=self.given_order)
            if cheap.moves is not None:
                return Incumbent(self._schedule(cheap.moves, limit), cheap.excess)
        moves = find_any(self.instance, limit, self.clock, given_order=self.given_order)
        if moves is None:
            raise self._infeasible(limit)
        return Incumbent(self._schedule(moves, limit), excess_of(self.instance, moves))

    def _schedule(self, moves: tuple[Move, ...], limit: int) -> Schedule:
        return schedule_of(self.graph, self.instance, moves, limit)

    def _plan(self, schedule: Schedule, least: Fraction, budget_bytes: int | None) -> Plan:
        base = sum((Fraction(o.cost) for o in self.graph.operations), Fraction(0))
        bound = rounded_down(least / base) if base else 0.0
        statistics = [("order_free", float(not self.given_order)), ("states", float(self.clock.done))]
        if self.given_order:
            statistics.append(("fixed_order_bound", bound))
        return certify(
            self.graph,
            schedule.actions,
            schedule.segments,
            strategy="optimal",
            budget_bytes=budget_bytes,
            bound=self._any_order_bound(excess_of_schedule(self.graph, schedule), base) if self.given_order else bound,
            statistics=statistics,
        )

    def _any_order_bound(self, excess: Fraction, base: Fraction) -> float:
        if not excess or not base:
            return 0.0
        return rounded_down(min(excess, least_excess(self.instance, self.limit, excess)) / base)

    def _infeasible(self, limit: int) -> BudgetError:
        """The error for a budget that no schedule meets, with the least that one does if there is time to find it."""
        least, known = self._least_peak(limit)
        proved = f"proved: no schedule{' of the given order' if self.given_order else ''} meets it"
        bound = peak_bound_bytes(self.graph) if self.given_order else least
        exact = "needs" if least == known else f"needs {least} bytes at least, and a plan in hand has"
        return BudgetError(
            f"a budget of {limit} bytes ({format_bytes(limit)}) cannot be met, {proved}; it {exact} {known} bytes "
            f"({format_bytes(known)}), ask for that or more",
            budget_bytes=limit,
            minimum_bytes=known,
            bound_bytes=bound,
        )

    def _least_peak(self, limit: int) -> tuple[int, int]:
        """Bytes that no schedule goes below, and the peak of one in hand: the same if the time sufficed."""
        known = self.graph.store_all_peak_bytes
        least = max(limit + 1, peak_bound_bytes(self.graph))
        try:
            while least < known:
                middle = (least + known) // 2 if known - least > least // 64 else least
                moves = find_any(self.instance, middle, self.clock, given_order=self.given_order)
                if moves is None:
                    least = middle + 1
                else:
                    schedule = self._schedule(moves, middle)
                    known = certify(self.graph, schedule.actions, schedule.segments, strategy="optimal").peak_bytes
        except UsageError:
            pass  # the time is over: what is proved by now is still true
        return least, known

"""``search``: seeds, greedy descent, annealing with reordering and exact windows, in one time limit."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from retrograde.analysis.bounds import peak_bound_bytes
from retrograde.errors import UsageError
from retrograde.graph import Graph
from retrograde.planning.exact.windows import polish_with_windows
from retrograde.planning.improve import Annealing, Descent, Effort, Found
from retrograde.planning.improve.cooling import LARGEST_BYTES, total_bytes
from retrograde.planning.infeasible import budget_error
from retrograde.planning.plan import Plan
from retrograde.planning.progress import Progress, ProgressCallback
from retrograde.planning.proving import covered_overhead, proved_overhead
from retrograde.planning.searching.lowest import Lowest
from retrograde.planning.searching.patience import Patience
from retrograde.planning.searching.record import Record, lock, recall, runs_of
from retrograde.planning.searching.warming import warm_up, warm_up_exact
from retrograde.planning.simulator import sequence_of

Bound = Callable[[Graph, int, float, float | None], float]
"""From a graph, a budget in bytes, the overhead of a plan in hand (infinite for none) and a time limit in seconds (None
for none) to a proved bound on the overhead."""

ROUNDS = 8
"""Descents to one budget."""

VISITS = 120_000
"""Visits to slots after which no further descent begins, so that large graphs take seconds."""

REHEAT = 0.3
"""The price at which a plan is taken up again, over what it pays on average for the overload it avoids."""

SEED_SHARE = 0.25
"""Of a time limit, what seeds may take."""

DESCENT_SHARE = 0.5
"""Of what is left then, what descents may take when a plan that fits is in hand."""

QUICKLY_ANNEALED_NODES = 1000
"""The largest condensed graph that is annealed even if the gap to the bound is small."""

SMALL_GAP = 0.005
"""A small gap between overhead and bound, as a fraction of the overhead."""

WINDOW_SHARE = 0.5
"""Of what is left then, what exact windows may take."""

WINDOW_GAP = 0.05
"""Of the overhead, what has to be unproved for windows to be worth the time."""

SOLVED_OPERATIONS = 16
"""The largest graph that is solved to the optimum."""

STATES = 20_000
"""States that the proof of an optimum may expand."""

LOWER_SHARE = 0.5
"""Of what is left then, what annealing towards a smaller peak may take."""

LOWER_MOVES = (20_000, 2_000)
"""Moves for each operation that this may take, where the budget may be met, and where it is proved that it is not."""

BOUND_SHARE = 0.25
"""Of what is left then, what the bound may take."""

RESERVE = 6.0
"""Of the time that measuring the given order takes, what is kept for the certificate."""

ANNEALED_NODES = 4000
"""The largest condensed graph that is annealed: on larger ones the greedy descent gets further in the same time."""

CLOSED = 1e-9
"""A gap between overhead and bound that counts as none."""


def search(
    graph: Graph,
    budget_bytes: int | None,
    *,
    time_limit: float = 20.0,
    iterations: int | None = None,
    seed: int = 0,
    progress: ProgressCallback | None = None,
    bound: Bound | None = proved_overhead,
    strategy: str = "search",
    proves: bool = False,
    reorder: bool = True,
) -> Plan:
    """The cheapest plan within a budget that seeds, descent and annealing find.

    Plans found are remembered for each graph while the process runs: a larger budget never gets a dearer plan than
    a smaller one, and the minimum named by a ``BudgetError`` can be asked for. An interrupt (``KeyboardInterrupt``)
    goes through to the caller; what was found until then is remembered, too (``best_in_hand``).

    Args:
        graph: the computation.
        budget_bytes: the budget; None for no limit.
        time_limit: seconds; unused if ``iterations`` is given. A search that ends before it is deterministic.
        iterations: visits to slots and moves of the annealing that the search may make.
        seed: of everything random.
        progress: called with a ``Progress`` now and then.
        bound: proves how much overhead is necessary: the search ends when a plan needs no more, and the plan bears
            the bound; None for none.
        strategy: the name that the plan bears.
        proves: whether to solve small graphs to the optimum, where that is cheap.
        reorder: whether operations may run anywhere that their inputs allow; without it there is no annealing, no exact
            window and no proved optimum, and what is computed again stands where it is wanted.

    Returns:
        A plan that the referee certified.

    Raises:
        BudgetError: no plan in hand fits; it names the smallest budget that one does.

    Example:
        >>> graph = Graph.from_arrays(cost=[1, 1, 1], bytes=[8, 8, 8], edges=[(0, 1), (1, 2)])
        >>> search(graph, 16).cost
        3.0
    """
    effort = Effort(iterations, None if iterations is not None else time_limit)
    with lock:
        record = recall(graph)
        effort.postpone(-RESERVE * record.lowering_seconds)
        finder = Search(record, effort, seed, progress, bound, proves=proves, reorder=reorder)
        best = finder.find(budget_bytes)
        if best is None:
            assert budget_bytes is not None
            raise budget_error(graph, budget_bytes, record.curve.smallest.peak_bytes, strategy)
        return record.certified(best, budget_bytes, strategy, finder.statistics())


class Search:
    """One search: fills the curve of a record.

    Args:
        record: the graph, and what is known of it.
        effort: how much may be done.
        seed: of everything random.
        progress: called with a ``Progress`` now and then.
        bound: proves how much overhead is necessary.
        proves: whether to solve small graphs to the optimum.
        reorder: whether operations may run anywhere that their inputs allow.
    """

    def __init__(
        self,
        record: Record,
        effort: Effort,
        seed: int = 0,
        progress: ProgressCallback | None = None,
        bound: Bound | None = None,
        *,
        proves: bool = False,
        reorder: bool = True,
    ) -> None:
        self.record = record
        self.curve = record.curve
        self.effort = effort
        self.seed = seed
        self.progress = progress
        self.bound = bound
        self.proves = proves
        self.reorder = reorder
        self.begun = time.monotonic()
        self.visits = 0
        self.moves = 0
        self.stage = ""

    def find(self, budget_bytes: int | None) -> Found | None:
        """The cheapest plan within a budget, None if none is found; everything found is in the curve."""
        if budget_bytes is None or self.is_done(budget_bytes):
            return self.curve.best(budget_bytes)
        if not self.effort.is_spent:
            self.effort.postpone(warm_up(self.progress))
            self.begun = time.monotonic()
        self.tell("seeds", budget_bytes, None)
        self.record.seeds.plant(budget_bytes, self._moment(SEED_SHARE))
        self._descend(budget_bytes)
        if self.curve.best(budget_bytes) is None:
            self._look_lower(budget_bytes)
        if self.curve.best(budget_bytes) is not None:
            self._prove(budget_bytes)
            if self.reorder:
                self._solve(budget_bytes)
                self._anneal(budget_bytes)
                self._polish_windows(budget_bytes)
        return self.curve.best(budget_bytes)

    def statistics(self) -> dict[str, float]:
        """What was done."""
        return {"visits": float(self.visits), "moves": float(self.moves)}

    # Stages

    def _descend(self, budget_bytes: int) -> None:
        """Descend to a budget from several sequences; the best are in the curve afterwards."""
        self.stage = "greedy descent"
        start = self.record.tried.get(budget_bytes, 0)
        for number in range(start, ROUNDS):
            best = self.curve.best(budget_bytes)
            part = self._part(DESCENT_SHARE) if best is not None else self.effort
            if part.is_spent or self.is_done(budget_bytes) or (number > start and self.visits > VISITS):
                return
            before = part.done
            self._round(number, budget_bytes, best, part)
            self.visits += part.done - before
            if part is not self.effort:
                self.effort.done += part.done
            self.tell(self.stage, budget_bytes, (number + 1) / ROUNDS)
            if self.curve.best(budget_bytes) is None:
                return
            self.record.tried[budget_bytes] = number + 1

    def _round(self, number: int, budget_bytes: int, best: Found | None, effort: Effort) -> None:
        """Descend from the given order, or once more from the best plan in hand at a fraction of what it pays."""
        problem = self.record.problem
        descent = Descent(problem, effort, self.seed * 1000 + number, self._see)
        if best is None or number % 2 == 0:
            fits = descent.fit(problem.sequence, budget_bytes, factor=self._factor)
        else:
            overload = descent.overload(problem.sequence, budget_bytes)
            price = REHEAT * (best.cost - self.record.graph.base_cost) / max(1, overload)
            nodes = self.record.nodes_of(best)
            fits = descent.fit(nodes, budget_bytes, price=price, factor=self._factor, always=True)
        if fits:
            self._add(descent.nodes_now())

    def _look_lower(self, budget_bytes: int) -> None:
        """Look for plans with a smaller peak, until one fits or nothing more is found."""
        lowest = Lowest(self.record, self.effort, lambda stage: self.tell(stage, None, None))
        lowest.climb_down()
        self.record.recover()
        if self.curve.best(budget_bytes) is None:
            lowest.lower()
            if self.reorder and self.curve.best(budget_bytes) is None:
                self._anneal_lower(budget_bytes)
            self.record.store()
        if self.curve.best(budget_bytes) is not None:
            self._descend(budget_bytes)

    def _anneal(self, budget_bytes: int) -> None:
        """Anneal from the best plan in hand while that gains something."""
        best = self.curve.best(budget_bytes)
        if best is None or self.effort.is_spent or self.is_done(budget_bytes):
            return
        size = len(self.record.problem.operations)
        if size > ANNEALED_NODES or (size > QUICKLY_ANNEALED_NODES and self.gap(budget_bytes) < SMALL_GAP):
            return
        number = self.record.annealed.get(budget_bytes, 0)
        annealing = self._annealing(Patience(self, budget_bytes), number)
        if annealing is None:
            return
        try:
            annealing.fit(self.record.nodes_of(best), budget_bytes)
        finally:
            self.moves += annealing.effort.done
            self.effort.done += annealing.effort.done
            self.record.annealed[budget_bytes] = number + 1

    def _solve(self, budget_bytes: int) -> None:
        """Look for the optimum of a small graph, as far as that is cheap; its proof is the best bound."""
        from retrograde.planning.strategies import optimal

        best = self.curve.best(budget_bytes)
        size = len(self.record.graph.operations)
        if not self.proves or size > SOLVED_OPERATIONS or best is None or self.is_done(budget_bytes):
            return
        self.effort.postpone(warm_up_exact(self.progress))
        try:
            plan = optimal.search(self.record.graph, budget_bytes, iterations=STATES, sequences=[best.sequence])
        except UsageError:
            return  # not proved within so many states; annealing goes on from here
        self.curve.add(runs_of(plan))
        if dict(plan.statistics)["order_free"]:
            self.record.bounds[budget_bytes] = plan.bound

    def _polish_windows(self, budget_bytes: int) -> None:
        """Schedule windows of the best plan anew, where the bound leaves much to gain."""
        best = self.curve.best(budget_bytes)
        if best is None or self.effort.is_spent or self.is_done(budget_bytes) or self.gap(budget_bytes) < WINDOW_GAP:
            return
        if len(self.record.problem.operations) > ANNEALED_NODES or not self._counts_bytes:
            return
        self.tell("exact windows", budget_bytes, None)
        self.effort.postpone(warm_up_exact(self.progress))
        part = self._part(WINDOW_SHARE)
        self.curve.add(polish_with_windows(self.record.graph, best.sequence, budget_bytes, part, self.seed))
        self.effort.done += part.done

    def _anneal_lower(self, budget_bytes: int) -> None:
        """Anneal towards a smaller peak, reordering included, until the budget is met."""
        if len(self.record.problem.operations) > ANNEALED_NODES or self.effort.is_spent:
            return
        self._prove(budget_bytes)
        is_infeasible = self.record.bounds.get(budget_bytes, 0.0) == float("inf")
        moves_each = LOWER_MOVES[is_infeasible or budget_bytes < peak_bound_bytes(self.record.graph)]
        part = self._part(LOWER_SHARE)
        moves = moves_each * len(self.record.problem.operations)
        part.visits = moves if part.visits is None else min(moves, part.visits)
        annealing = self._annealing(part, 0)
        if annealing is None:
            return
        self.tell("annealing to a smaller peak", None, None)
        least_bytes = max(budget_bytes, peak_bound_bytes(self.record.graph))
        try:
            annealing.lower(self.record.nodes_of(self.curve.smallest), least_bytes=least_bytes)
        finally:
            self.moves += annealing.effort.done
            self.effort.done += annealing.effort.done

    @property
    def _counts_bytes(self) -> bool:
        """Whether the graph's bytes are few enough for annealing and windows, which sum them as 64-bit integers."""
        return total_bytes(self.record.problem) < LARGEST_BYTES

    def _annealing(self, effort: Effort, number: int) -> Annealing | None:
        """An annealing of the graph; None if its bytes are too many for one."""
        if not self._counts_bytes:
            return None
        return Annealing(self.record.problem, effort, self.seed * 1000 + number, report=self._take)

    # Parts

    def is_done(self, budget_bytes: int) -> bool:
        """Whether nothing is left to gain: no recomputation, or no more than is proved necessary."""
        best = self.curve.best(budget_bytes)
        if best is None:
            return False
        base = self.record.graph.base_cost
        if best.cost <= base:
            return True
        known = self.record.bounds.get(budget_bytes)
        return known is not None and best.cost <= base * (1.0 + known + CLOSED)

    def gap(self, budget_bytes: int) -> float:
        """What is not proved necessary of the overhead of the best plan in hand, as a fraction of it."""
        best = self.curve.best(budget_bytes)
        base = self.record.graph.base_cost
        if best is None or best.cost <= base:
            return 0.0
        return 1.0 - self.record.bounds.get(budget_bytes, 0.0) * base / (best.cost - base)

    def _prove(self, budget_bytes: int) -> None:
        """Ask for the bound, once for each budget."""
        if self.bound is None or budget_bytes in self.record.bounds or self.is_done(budget_bytes):
            return
        moment = self._moment(BOUND_SHARE)
        left = None if moment is None else moment - time.monotonic()
        if left is None or left > 0.0:
            known = self._overhead(budget_bytes)
            self.record.bounds[budget_bytes] = self.bound(self.record.graph, budget_bytes, known, left)

    def tighten(self, budget_bytes: int) -> None:
        """Prove more from the best plan in hand: the less it costs, the less a better one can do."""
        if self.bound is not None and budget_bytes in self.record.bounds:
            known = covered_overhead(self.record.graph, budget_bytes, self._overhead(budget_bytes))
            self.record.bounds[budget_bytes] = max(self.record.bounds[budget_bytes], known)

    def _overhead(self, budget_bytes: int) -> float:
        """Of the best plan in hand; infinite where there is none."""
        best = self.curve.best(budget_bytes)
        return math.inf if best is None else best.cost / self.record.graph.base_cost - 1.0

    def _moment(self, share: float) -> float | None:
        """The moment at which a share of what is left is over."""
        if self.effort.deadline is None:
            return None
        now = time.monotonic()
        return now + share * max(0.0, self.effort.deadline - now)

    def _part(self, share: float) -> Effort:
        """A share of the effort that is left."""
        left = None if self.effort.visits is None else int(share * max(0, self.effort.visits - self.effort.done))
        part = Effort(left)
        part.deadline = self._moment(share)
        return part

    @property
    def _factor(self) -> float:
        """By how much the price rises after each sweep: faster in large graphs, where a sweep takes long."""
        size = len(self.record.problem.operations)
        return 1.5 if size <= 2000 else (2.5 if size <= 6000 else 4.0)

    def _take(self, cost: float, nodes: list[int]) -> None:
        self._add(nodes)

    def _see(self, peak_bytes: int, nodes: list[int]) -> None:
        if peak_bytes < self.curve.smallest.peak_bytes:
            self._add(nodes)

    def _add(self, nodes: list[int]) -> None:
        self.curve.add(sequence_of(self.record.problem, nodes))

    def tell(self, stage: str, budget_bytes: int | None, fraction: float | None) -> None:
        self.stage = stage
        if self.progress is not None:
            best = self.curve.best(budget_bytes) if budget_bytes is not None else self.curve.smallest
            known = (best.peak_bytes, best.cost) if best is not None else (None, None)
            self.progress(Progress(stage, fraction, *known))

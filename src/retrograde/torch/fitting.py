"""A plan whose compiled code meets the budget: planned, lowered, weighed, and planned again where it is too heavy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from retrograde.errors import BudgetError
from retrograde.graph import Graph
from retrograde.graph.units import format_bytes
from retrograde.planning import Budget, Plan
from retrograde.torch.options import Options

_MOST_ATTEMPTS = 5


@dataclass(frozen=True, eq=False)
class FittedPlan:
    """A plan and what it needs once it is compiled.

    Attributes:
        plan: the plan.
        peak_bytes: the exact peak of its compiled code.
        budget_bytes: what that was held to.
    """

    plan: Plan
    peak_bytes: int
    budget_bytes: int = 0


def fit_plan(
    graph: Graph, options: Options, weigh: Callable[[Plan], int], find: Callable[[Graph, Options], Plan]
) -> FittedPlan:
    """A plan whose compiled code meets the budget.

    The plan is made for the sizes of the graph. A compiler leaves some values out and lets others live longer, so the
    code is weighed (nothing is compiled), and if it is too heavy the plan is made again for a budget that is smaller by
    as much. A budget in percent is of the compiled peak of the step that stores all.

    Args:
        graph: what is planned.
        options: what was asked for.
        weigh: the compiled peak of a plan.
        find: makes a plan for a graph, as ``find_plan`` does.

    Raises:
        BudgetError: no plan meets the budget; ``minimum_bytes`` is a compiled peak.
    """
    fitter = _Fitter(graph, options, weigh, find)
    if options.budget.bytes is not None:
        return replace(fitter.fit(options.budget.bytes), budget_bytes=options.budget.bytes)
    store_all = fitter.attempt(graph.store_all_peak_bytes)
    budget_bytes = options.budget.resolve(store_all.peak_bytes)
    fitted = store_all if store_all.peak_bytes <= budget_bytes else fitter.fit(budget_bytes)
    return replace(fitted, budget_bytes=budget_bytes)


class _Fitter:
    """Plans for smaller and smaller budgets, until the compiled code of one meets the budget that was asked for."""

    def __init__(
        self,
        graph: Graph,
        options: Options,
        weigh: Callable[[Plan], int],
        find: Callable[[Graph, Options], Plan],
    ) -> None:
        self._graph = graph
        self._options = options
        self._weigh = weigh
        self._find = find
        self._outputs_bytes = _outputs_bytes(graph)
        self._smallest: FittedPlan | None = None

    def fit(self, budget_bytes: int) -> FittedPlan:
        """The first plan whose code meets the budget; the last one tried is the smallest there is."""
        target_bytes = budget_bytes
        for attempt in range(_MOST_ATTEMPTS):
            fitted = self.attempt(target_bytes if attempt < _MOST_ATTEMPTS - 1 else 1)
            if fitted.peak_bytes <= budget_bytes:
                return fitted
            if fitted is self._smallest:
                break
            target_bytes = min(fitted.plan.peak_bytes - 1, target_bytes * budget_bytes // fitted.peak_bytes)
        assert self._smallest is not None
        minimum_bytes = self._smallest.peak_bytes
        raise BudgetError(
            f"a budget of {budget_bytes} bytes ({format_bytes(budget_bytes)}) is not met by code that Inductor "
            f"compiles: the smallest it reaches is {minimum_bytes} bytes ({format_bytes(minimum_bytes)}), ask for that "
            "or more",
            budget_bytes=budget_bytes,
            minimum_bytes=minimum_bytes,
            bound_bytes=min(minimum_bytes, self._outputs_bytes),
        )

    def attempt(self, target_bytes: int) -> FittedPlan:
        """A plan for a budget in the graph's own sizes, weighed; the smallest there is if none meets that budget."""
        try:
            plan = self._plan(target_bytes)
        except BudgetError as error:
            plan = self._plan(error.minimum_bytes)
            self._smallest = FittedPlan(plan, self._weigh(plan))
            return self._smallest
        return FittedPlan(plan, self._weigh(plan))

    def _plan(self, budget_bytes: int) -> Plan:
        return self._find(self._graph, replace(self._options, budget=Budget(max(1, budget_bytes))))


def _outputs_bytes(graph: Graph) -> int:
    """What the step's results take together: they are all live when it ends, whatever the schedule."""
    made = {graph.values[value].storage for value in graph.outputs if graph.producers[value] is not None}
    return sum(graph.storages[storage].bytes for storage in made)

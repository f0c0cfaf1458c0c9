"""The plans of a budget: for steps of every shape that was seen, and small ones for calls whose step is not known."""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from retrograde.errors import BudgetError, PlanError
from retrograde.graph import Graph
from retrograde.graph.units import format_bytes
from retrograde.planning import Budget, Plan, certify, replay
from retrograde.torch.capture.describe import Description
from retrograde.torch.capture.sizes import bucket_of
from retrograde.torch.emission.captured import Assignment
from retrograde.torch.fitting import fit_plan
from retrograde.torch.optimizer_demand import optimizer_bytes
from retrograde.torch.plan_store import find_agreed_plan, find_plan, find_small_plan
from retrograde.torch.step.shape import Outside, StepShape
from retrograde.torch.step.step_graph import StepGraph, combine
from retrograde.torch.step.weighing import step_peak_bytes

if TYPE_CHECKING:
    from retrograde.torch.emission.captured import CapturedGraph, Sizes

MOST_PLANS = 64
"""Plans of steps that are remembered."""

MOST_SMALL_PLANS = 256
"""Graphs and sizes for which a small plan is remembered."""

MOST_SIZES = 4096
"""Sizes for which it is remembered whether a plan serves them."""

COMPILED_PEAK = "compiled_peak_bytes"
"""Under this name a plan's statistics tell the peak of the code that a compiler makes of it."""

COMPILED_BUDGET = "compiled_budget_bytes"
"""And under this one the budget that the code is held to; the plan's own is in the sizes of the graph."""

Leaves = Sequence[tuple[int, int]]
"""Of a call the inputs that accumulate a gradient: position, and a key that tells one parameter from another."""


@dataclass(frozen=True)
class Arrival:
    """A call that is about to run.

    Attributes:
        captured: the graph that is called.
        leaves: its inputs that accumulate a gradient.
        sizes: its sizes that change from call to call.
    """

    captured: CapturedGraph
    leaves: Leaves
    sizes: Sizes


@dataclass(frozen=True, eq=False)
class StepPlan:
    """A plan for steps of one shape, up to its sizes.

    Attributes:
        shape: the steps that it is for.
        plan: the plan of the whole step.
        assignments: for each call what it follows.
        described: the step, or the one captured graph that it calls.
        outside: what was recorded of the user's own code; None where the step was not recorded.
    """

    shape: StepShape
    plan: Plan
    assignments: tuple[Assignment, ...]
    described: StepGraph | Description
    outside: Outside | None = None
    _served: OrderedDict[tuple[Sizes, ...], bool] = field(default_factory=OrderedDict, repr=False)

    def serves(self, sizes: Sequence[Sizes]) -> bool:
        """Whether the plan keeps its budget at the sizes of the calls so far, later ones being as large as planned.

        The referee replays it with the bytes that storages have at these sizes.
        """
        if not self.shape.covers(sizes):
            return False
        whole = (*sizes, *self.shape.sizes[len(sizes) :])
        if whole not in self._served:
            self._served[whole] = whole == self.shape.sizes or self._replays_at(whole)
            if len(self._served) > MOST_SIZES:
                self._served.popitem(last=False)
        return self._served[whole]

    def graph_at(self, sizes: Sequence[Sizes]) -> Graph:
        """The graph of the step at other sizes."""
        return _graph_at(self.described, [g.binding(s) for g, s in zip(self.shape.graphs, sizes, strict=True)])

    def _replays_at(self, sizes: Sequence[Sizes]) -> bool:
        try:
            replay(self.graph_at(sizes), self.plan.actions, self.plan.segments, self.plan.budget_bytes)
        except PlanError:
            return False
        return True


def _graph_at(described: StepGraph | Description, bindings: Sequence[Mapping[Any, int]]) -> Graph:
    if isinstance(described, StepGraph):
        return described.at_sizes(bindings)
    return described.graph.with_storages(described.storages_at(bindings[0]))


@dataclass(frozen=True)
class SinglePlan:
    """A plan for a step that calls one graph once.

    Attributes:
        plan: the plan.
        description: what its graph is described by.
        sizes: the largest sizes that it serves.
        undefined: the cotangents that it does without.
    """

    plan: Plan
    description: Description
    sizes: Sizes
    undefined: frozenset[int]

    @property
    def assignment(self) -> Assignment:
        """What the call follows."""
        return Assignment(self.plan.schedule, self.undefined)


class PlanBook:
    """The plans of one budget."""

    def __init__(self) -> None:
        self.plans: list[StepPlan] = []
        self._small: OrderedDict[tuple[CapturedGraph, Sizes], Assignment] = OrderedDict()
        self._wants_all: set[CapturedGraph] = set()

    def beginning_with(self, captured: CapturedGraph) -> list[StepPlan]:
        """The plans of steps whose first call is of a graph: those with most calls first, which serve others too.

        Among these the cheap ones come first.
        """
        return sorted(
            (known for known in self.plans if known.shape.graphs[0] is captured),
            key=lambda known: (-len(known.assignments), known.plan.overhead),
        )

    def plans_of(self, graphs: Sequence[CapturedGraph]) -> list[StepPlan]:
        """The plans of steps in which some captured graphs take part, oldest first."""
        return [known for known in self.plans if any(graph in known.shape.graphs for graph in graphs)]

    def single(self, captured: CapturedGraph, sizes: Sizes) -> SinglePlan:
        """A plan for a step that calls one graph once, for all sizes of a bucket, or if that is too large for these.

        Raises:
            BudgetError: no plan meets the budget.
        """
        bucket = bucket_of(sizes)
        undefined = self.undefined_alone(captured)
        is_planned = any(known.shape.sizes == (bucket,) for known in self.beginning_with(captured))
        if bucket != sizes and not is_planned:
            with contextlib.suppress(BudgetError):
                return self._single_at(captured, bucket, undefined)
        return self._single_at(captured, sizes, undefined)

    def undefined_alone(self, captured: CapturedGraph) -> frozenset[int]:
        """Cotangents that are taken not to come in a step that calls one graph once, because there is a loss beside.

        Only where a compiler makes it dear to watch a first step.
        """
        beside = captured.beside_a_loss
        is_dear = captured.code.changes_peaks and captured not in self._wants_all
        return beside if is_dear and captured.can_do_without(beside) else frozenset()

    def _single_at(self, captured: CapturedGraph, sizes: Sizes, undefined: frozenset[int]) -> SinglePlan:
        description = captured.description(sizes, undefined) if undefined else self._described(captured, sizes)

        def weigh(plan: Plan) -> int:
            return captured.code.weigh(description, plan.schedule).peak_bytes

        plan = _fitted(captured, description.graph, weigh, captured.collectives)
        return SinglePlan(plan, description, sizes, undefined)

    def _described(self, captured: CapturedGraph, sizes: Sizes) -> Description:
        """The description at some sizes, out of one for larger sizes if there is one: its workspace serves here too."""
        for known in self.beginning_with(captured):
            if isinstance(known.described, Description) and known.shape.covers((sizes,)):
                return replace(known.described, graph=known.graph_at((sizes,)))
        return captured.description(sizes)

    def small(self, captured: CapturedGraph, sizes: Sizes, held_bytes: int) -> Assignment:
        """A schedule that takes few bytes, beside what earlier calls hold.

        Where nothing fits and the graph has a loss among its outputs, its other outputs are taken to need no gradient.

        Raises:
            BudgetError: nothing fits.
        """
        key = (captured, sizes)
        if held_bytes or key not in self._small:
            found = self._find_small(captured, sizes, held_bytes)
            if held_bytes:
                return found
            self._small[key] = found
            if len(self._small) > MOST_SMALL_PLANS:
                self._small.popitem(last=False)
        return self._small[key]

    def _find_small(self, captured: CapturedGraph, sizes: Sizes, held_bytes: int) -> Assignment:
        try:
            return _small_plan(captured, sizes, frozenset(), held_bytes)
        except BudgetError:
            beside = captured.beside_a_loss
            if not beside or captured in self._wants_all or not captured.can_do_without(beside):
                raise
            return _small_plan(captured, sizes, beside, held_bytes)

    def learn(self, shape: StepShape, outside: Outside) -> None:
        """Plan for steps of a shape, what the user's own code holds meanwhile included.

        Raises:
            BudgetError: no plan meets the budget.
        """
        whole = shape.with_every_backward()
        described = combine(whole, outside.with_events(len(whole.events)), _optimizer_bytes(shape))
        plan = self._known_schedule(shape, described) or _find_step_plan(whole, outside, described)
        schedules = zip(described.schedules(plan), described.undefined, strict=True)
        assignments = tuple(Assignment(s, undefined) for s, undefined in schedules)
        self.add(StepPlan(shape, plan, assignments, described, outside))

    def _known_schedule(self, shape: StepShape, described: StepGraph) -> Plan | None:
        """A plan of such steps at smaller sizes, if it keeps the budget at these too."""
        for known in reversed(self.plans):
            same_step = isinstance(known.described, StepGraph) and replace(known.shape, sizes=shape.sizes) == shape
            if same_step and known.shape.sizes != shape.sizes:
                budget_bytes = shape.graphs[0].options.budget.resolve(described.graph.store_all_peak_bytes)
                try:
                    return certify(
                        described.graph,
                        known.plan.actions,
                        known.plan.segments,
                        strategy=known.plan.strategy,
                        budget_bytes=budget_bytes,
                        tiers=known.plan.tiers,
                    )
                except PlanError:
                    continue
        return None

    def renew(self, captured: CapturedGraph) -> None:
        """Plan again, because the optimizer's step after a graph takes other bytes now.

        Raises:
            BudgetError: no plan meets the budget.
        """
        old = self.plans_of([captured])
        self.plans = [known for known in self.plans if known not in old]
        self._forget_small(captured)
        for known in old:
            if known.outside is not None:
                self.learn(known.shape, known.outside)

    def forget(self, captured: CapturedGraph) -> None:
        """A cotangent came that plans of a graph do without: forget them."""
        self._wants_all.add(captured)
        self._forget_small(captured)
        self.plans = [known for known in self.plans if captured not in known.shape.graphs]

    def _forget_small(self, captured: CapturedGraph) -> None:
        for key in [key for key in self._small if key[0] is captured]:
            del self._small[key]

    def add(self, planned: StepPlan) -> None:
        """Remember a plan."""
        self.plans = [known for known in self.plans if known.shape != planned.shape][-MOST_PLANS + 1 :]
        self.plans.append(planned)


def _optimizer_bytes(shape: StepShape) -> int:
    """What the steps of the optimizers behind a step's modules take, one after the other."""
    distinct = {id(graph.options.optimizer): graph.options for graph in shape.graphs}
    return sum(map(optimizer_bytes, distinct.values()))


def _small_plan(captured: CapturedGraph, sizes: Sizes, undefined: frozenset[int], held_bytes: int) -> Assignment:
    options, description = captured.options, captured.description(sizes, undefined)
    plan = find_small_plan(description.graph, options, held_bytes)
    if not captured.code.changes_peaks:
        return Assignment(plan.schedule, undefined, plan.peak_bytes)
    limit = options.budget.bytes
    peak_bytes = captured.code.weigh(description, plan.schedule).peak_bytes
    if limit is not None and peak_bytes > limit - held_bytes:

        def weigh(plan: Plan) -> int:
            return captured.code.weigh(description, plan.schedule).peak_bytes

        left = replace(options, budget=Budget(max(1, limit - held_bytes)))
        fitted = fit_plan(description.graph, left, weigh, find_plan)
        plan, peak_bytes = fitted.plan, fitted.peak_bytes
    return Assignment(plan.schedule, undefined, peak_bytes)


def _fitted(
    captured: CapturedGraph, graph: Graph, weigh: Callable[[Plan], int], collectives: Sequence[str] = ()
) -> Plan:
    """A plan of a graph that meets the budget, once it is compiled too."""
    try:
        return _fit(captured, graph, weigh, collectives)
    except BudgetError as error:
        demand = optimizer_bytes(captured.options)
        if not demand:
            raise
        raise error.saying(
            f"{error}; the optimizer's next step takes {format_bytes(demand)} of it beside the gradients"
        ) from None


def _fit(captured: CapturedGraph, graph: Graph, weigh: Callable[[Plan], int], collectives: Sequence[str] = ()) -> Plan:
    if not captured.code.changes_peaks:
        return find_agreed_plan(graph, captured.options, collectives)
    fitted = fit_plan(graph, captured.options, weigh, lambda g, options: find_agreed_plan(g, options, collectives))
    compiled = ((COMPILED_PEAK, float(fitted.peak_bytes)), (COMPILED_BUDGET, float(fitted.budget_bytes)))
    return replace(fitted.plan, statistics=(*fitted.plan.statistics, *compiled))


def _find_step_plan(shape: StepShape, outside: Outside, described: StepGraph) -> Plan:
    graph = described.graph

    def weigh(plan: Plan) -> int:
        calls = zip(shape.graphs, described.parts, described.schedules(plan), strict=True)
        weights = [captured.code.weigh(part.description, schedule) for captured, part, schedule in calls]
        return step_peak_bytes(shape, outside.with_events(len(shape.events)), weights)

    try:
        return _fitted(shape.graphs[0], graph, weigh)
    except BudgetError as error:
        foreign = max(graph.fixed_bytes)
        if foreign < error.budget_bytes:
            raise
        raise error.saying(
            f"your own code, between the captured graphs of a step, holds {format_bytes(foreign)} by itself "
            f"({described.busiest_stretch()}), and the budget is {format_bytes(error.budget_bytes)}; put that code "
            f"inside the module, or ask for {error.minimum_bytes} bytes or more"
        ) from None

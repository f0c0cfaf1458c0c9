"""The plans of a budget: for steps of every shape that was seen, and small ones for calls whose step is not known."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from retrograde.errors import BudgetError, PlanError
from retrograde.graph import Graph
from retrograde.graph.units import format_bytes
from retrograde.planning import Plan, certify, replay
from retrograde.torch.capture.describe import Description
from retrograde.torch.capture.sizes import bucket_of
from retrograde.torch.emission.captured import Assignment
from retrograde.torch.plan_store import find_agreed_plan, find_small_plan
from retrograde.torch.step.shape import Outside, StepShape
from retrograde.torch.step.step_graph import StepGraph, combine

if TYPE_CHECKING:
    from retrograde.torch.emission.captured import CapturedGraph, Sizes

MOST_PLANS = 64
"""Plans of steps that are remembered."""

MOST_SIZES = 4096
"""Sizes for which it is remembered whether a plan serves them."""

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
    """

    shape: StepShape
    plan: Plan
    assignments: tuple[Assignment, ...]
    described: StepGraph | Description
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


class PlanBook:
    """The plans of one budget."""

    def __init__(self) -> None:
        self.plans: list[StepPlan] = []
        self._small: dict[tuple[CapturedGraph, Sizes], Assignment] = {}
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

    def single(self, captured: CapturedGraph, sizes: Sizes) -> tuple[Plan, Description, Sizes]:
        """A plan for a step that calls one graph once, for all sizes of a bucket, or if that is too large for these.

        Raises:
            BudgetError: no plan meets the budget.
        """
        bucket = bucket_of(sizes)
        for wanted in dict.fromkeys((bucket, sizes)):
            is_planned = any(known.shape.sizes == (wanted,) for known in self.beginning_with(captured))
            if wanted != sizes and is_planned:
                continue
            try:
                description = self._described(captured, wanted)
                plan = find_agreed_plan(description.graph, captured.options, captured.collectives)
                return plan, description, wanted
            except BudgetError:
                if wanted == sizes:
                    raise
        raise AssertionError("unreachable: the last sizes are tried or raise")

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
        return self._small[key]

    def _find_small(self, captured: CapturedGraph, sizes: Sizes, held_bytes: int) -> Assignment:
        options = captured.options
        try:
            plan = find_small_plan(captured.description(sizes).graph, options, held_bytes)
            return Assignment(plan.schedule, peak_bytes=plan.peak_bytes)
        except BudgetError:
            beside = captured.beside_a_loss
            if not beside or captured in self._wants_all or not captured.can_do_without(beside):
                raise
            plan = find_small_plan(captured.description(sizes, beside).graph, options, held_bytes)
            return Assignment(plan.schedule, beside, plan.peak_bytes)

    def learn(self, shape: StepShape, outside: Outside) -> None:
        """Plan for steps of a shape, what the user's own code holds meanwhile included.

        Raises:
            BudgetError: no plan meets the budget.
        """
        whole = shape.with_every_backward()
        described = combine(whole, outside.with_events(len(whole.events)))
        plan = self._known_schedule(shape, described) or _find_step_plan(shape, described)
        schedules = zip(described.schedules(plan), described.undefined, strict=True)
        self.add(StepPlan(shape, plan, tuple(Assignment(s, undefined) for s, undefined in schedules), described))

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
                    )
                except PlanError:
                    continue
        return None

    def forget(self, captured: CapturedGraph) -> None:
        """A cotangent came that plans of a graph do without: forget them."""
        self._wants_all.add(captured)
        self._small = {key: small for key, small in self._small.items() if key[0] is not captured}
        self.plans = [known for known in self.plans if captured not in known.shape.graphs]

    def add(self, planned: StepPlan) -> None:
        """Remember a plan."""
        self.plans = [known for known in self.plans if known.shape != planned.shape][-MOST_PLANS + 1 :]
        self.plans.append(planned)


def _find_step_plan(shape: StepShape, described: StepGraph) -> Plan:
    graph = described.graph
    try:
        return find_agreed_plan(graph, shape.graphs[0].options)
    except BudgetError as error:
        foreign = max(graph.fixed_bytes)
        if foreign < error.budget_bytes:
            raise
        raise BudgetError(
            f"your own code, between the captured graphs of a step, holds {format_bytes(foreign)} by itself "
            f"({described.busiest_stretch()}), and the budget is {format_bytes(error.budget_bytes)}; put that code "
            f"inside the module, or ask for {error.minimum_bytes} bytes or more",
            budget_bytes=error.budget_bytes,
            minimum_bytes=error.minimum_bytes,
            bound_bytes=error.bound_bytes,
        ) from None

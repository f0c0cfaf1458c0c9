"""Who keeps a budget over the steps of one or several modules: which plan a call follows, and what is learnt."""

from __future__ import annotations

import contextlib
import gc
import logging
import threading
import weakref
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import torch

from retrograde.errors import BudgetError, CaptureError
from retrograde.graph.units import format_bytes
from retrograde.planning import Budget, Plan
from retrograde.runtime.meters.torch_cpu import before_measuring
from retrograde.torch.emission.captured import Assignment
from retrograde.torch.plan_store import find_agreed_plan, find_small_plan
from retrograde.torch.ranks.agreement import compare_collectives
from retrograde.torch.step.backward_end import after_backward
from retrograde.torch.step.call import Call
from retrograde.torch.step.recorder import start_recorder
from retrograde.torch.step.shape import Outside, StepShape
from retrograde.torch.step.step import Leaves, Step, StepPlan
from retrograde.torch.step.step_graph import combine

if TYPE_CHECKING:
    from retrograde.torch.emission.captured import CapturedGraph

_logger = logging.getLogger("retrograde")

MOST_SHAPES = 16
"""Shapes of steps whose plans are remembered."""

_keepers: weakref.WeakKeyDictionary[Budget, StepKeeper] = weakref.WeakKeyDictionary()


def keeper_of(budget: Budget) -> StepKeeper:
    """The keeper of a budget; modules that share a ``Budget`` share it."""
    if budget not in _keepers:
        _keepers[budget] = StepKeeper(budget)
    return _keepers[budget]


class _Local(threading.local):
    """The step under way in a thread."""

    def __init__(self) -> None:
        self.step: Step | None = None


class _Busy(threading.local):
    """The keepers of a thread that have begun a step."""

    def __init__(self) -> None:
        self.keepers: weakref.WeakSet[StepKeeper] = weakref.WeakSet()


_busy = _Busy()


class StepKeeper:
    """Keeps one budget over steps that may call several captured graphs, one graph several times, or both.

    A step begins when no call waits for its backward and ends when none does again. A captured graph whose only
    differentiable output is a loss is planned as a step of its own before it runs. Any other first step runs each
    graph on a small plan while the user's own allocations are recorded; from the next step on the whole step, with
    what was recorded as fixed demand, follows one plan.

    Args:
        budget: the budget that all of a step's calls share.
    """

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.plans: list[StepPlan] = []
        self._local = _Local()
        self._to_record: set[CapturedGraph] = set()
        self._small_ones: dict[CapturedGraph, Assignment] = {}
        self._closed: dict[CapturedGraph, Plan] = {}
        self._wants_all: set[CapturedGraph] = set()
        self._members = 0

    def join(self) -> None:
        """Take in a module."""
        self._members += 1

    # Before the first call

    def prepare(self, captured: CapturedGraph) -> Assignment:
        """Plan a graph that was just captured; what its first call follows.

        Raises:
            BudgetError: no plan of this graph alone meets the budget.
            RankError: another rank failed, or is gone.
            CaptureError: the ranks captured different collectives.
        """
        if captured.is_closed and self._members < 2 and not self._is_under_way():
            plan = find_agreed_plan(captured.description.graph, captured.options, captured.collectives)
            self._closed[captured] = plan
            return Assignment(plan.schedule)
        compare_collectives(captured.collectives)
        return self._small(captured, 0)

    def undefined_came(self, captured: CapturedGraph) -> None:
        """A cotangent came that a plan does without: forget such plans of the graph."""
        self._wants_all.add(captured)
        self._small_ones.pop(captured, None)
        self._to_record.add(captured)
        self.plans = [known for known in self.plans if captured not in known.shape.graphs]

    def _is_under_way(self) -> bool:
        step = self._local.step
        return step is not None and not step.is_over

    def _small(self, captured: CapturedGraph, held_bytes: int) -> Assignment:
        """A schedule that takes few bytes, beside what earlier calls hold.

        Where nothing fits and the graph has a loss among its outputs, its other outputs are taken to need no gradient.
        """
        if held_bytes or captured not in self._small_ones:
            found = self._find_small(captured, held_bytes)
            if held_bytes:
                return found
            self._small_ones[captured] = found
        return self._small_ones[captured]

    def _find_small(self, captured: CapturedGraph, held_bytes: int) -> Assignment:
        options = captured.options
        try:
            plan = find_small_plan(captured.description.graph, options, held_bytes)
            return Assignment(plan.schedule, peak_bytes=plan.peak_bytes)
        except BudgetError:
            beside = captured.beside_a_loss
            without = captured.description_without(beside) if captured not in self._wants_all else None
            if not beside or without is None:
                raise
            plan = find_small_plan(without.graph, options, held_bytes)
            return Assignment(plan.schedule, beside, plan.peak_bytes)

    # A call

    @contextlib.contextmanager
    def forward(self, captured: CapturedGraph, arguments: Sequence[Any]) -> Iterator[Call]:
        """A forward runs: gives the call, whose variant it follows.

        Raises:
            BudgetError: the call does not fit beside what the step holds already.
            CaptureError: a step of another budget is under way in this thread.
        """
        leaves = _leaves(arguments)
        step = self._step_for(captured, leaves)
        assignment = step.expected(captured, leaves)
        if assignment is None:
            step.depart()
            assignment = self._beside(step, captured, leaves)
        call = Call(step, len(step.calls), captured, captured.variant(assignment), arguments)
        step.admit(call, leaves)
        try:
            with step.event(call, "forward"):
                yield call
        except BaseException:
            step.withdraw(call)
            raise

    @contextlib.contextmanager
    def backward(self, call: Call) -> Iterator[None]:
        """A backward runs."""
        with call.step.event(call, "backward"):
            yield

    def _beside(self, step: Step, captured: CapturedGraph, leaves: Leaves) -> Assignment:
        """What a call follows whose place in the step is not known.

        Room is left for its residuals while earlier calls' backwards run, and in these for its gradients.
        """
        held_bytes = step.residual_bytes()
        try:
            found = self._small(captured, held_bytes)
            step.check_room(self.budget.bytes, captured.gradient_bytes(p for p, _ in leaves), found.peak_bytes)
            return found
        except BudgetError as error:
            if step.calls:
                self._to_record.add(step.calls[0].captured)
            again = "; run the step again, from its beginning: it is now known to have several calls"
            raise BudgetError(
                f"call {len(step.calls) + 1} of a step does not fit beside the {format_bytes(held_bytes)} that its "
                f"earlier calls hold for their backward{again if step.departed else ''}: {error}",
                budget_bytes=error.budget_bytes,
                minimum_bytes=error.minimum_bytes,
                bound_bytes=error.bound_bytes,
            ) from None

    # Steps

    def _step_for(self, captured: CapturedGraph, leaves: Leaves) -> Step:
        """The step that a call belongs to: the one under way, or a new one."""
        step = self._local.step
        if step is not None and not step.is_over and step.expected(captured, leaves) is None:
            # An exception on the way may have left residuals in a cycle.
            gc.collect()
        if step is not None and not step.is_over:
            return step
        if step is not None:
            self._local.step = None
            self._learn(step)
        self._refuse_other_budgets()
        step = self._local.step = self._begin(captured, leaves)
        return step

    def _begin(self, captured: CapturedGraph, leaves: Leaves) -> Step:
        if captured not in self._to_record:
            for known in [*self._matching(captured, leaves), self._closed_plan(captured, leaves)]:
                if known is not None:
                    return Step(known, None)
        step = Step(None, start_recorder(captured.device))
        if step.recorder is not None:
            after_backward(weakref.WeakMethod(step.backward_ended))
            before_measuring(weakref.WeakMethod(step.abandon_recording))
        return step

    def _matching(self, captured: CapturedGraph, leaves: Leaves) -> list[StepPlan]:
        """The plans for steps that begin with such a call; the one with most calls first, it serves the others."""
        matching = [p for p in reversed(self.plans) if Step(p, None).expected(captured, leaves) is not None]
        return sorted(matching, key=lambda known: -len(known.assignments))

    def _closed_plan(self, captured: CapturedGraph, leaves: Leaves) -> StepPlan | None:
        """The plan of a step that calls nothing else, made when the graph was captured."""
        plan = self._closed.pop(captured, None)
        if plan is None:
            return None
        shape = Step(None, None).single_call(captured, leaves)
        self._remember(StepPlan(shape, plan, (Assignment(plan.schedule),), captured.description))
        return self.plans[-1]

    def _refuse_other_budgets(self) -> None:
        others = [keeper for keeper in _busy.keepers if keeper is not self]
        if any(keeper._is_under_way() for keeper in others):
            gc.collect()
        if any(keeper._is_under_way() for keeper in others):
            raise CaptureError(
                "a budgeted graph was called while a call of another budget waits for its backward pass, and a step "
                "has one budget; give both modules the same retrograde.Budget object, or run backward first, or "
                "delete the earlier call's outputs, or call under torch.no_grad() if no gradient is wanted"
            )
        _busy.keepers.add(self)

    def _learn(self, step: Step) -> None:
        """Plan for steps like one that is over, if it taught anything new."""
        shape = step.shape
        if not shape.has_backward:
            return
        first = shape.graphs[0]
        if first not in self._to_record and any(p.shape.begins_with(shape) for p in self.plans):
            return
        step.stop_recording()
        outside = step.outside()
        if outside is None:
            self._to_record.add(first)
            return
        self._to_record.discard(first)
        self._remember(_planned(shape, outside))

    def plans_of(self, graphs: Sequence[CapturedGraph]) -> list[StepPlan]:
        """The plans of steps in which some captured graphs take part, oldest first."""
        return [known for known in self.plans if any(graph in known.shape.graphs for graph in graphs)]

    def _remember(self, planned: StepPlan) -> None:
        self.plans = [p for p in self.plans if p.shape != planned.shape][-MOST_SHAPES + 1 :]
        self.plans.append(planned)


def _planned(shape: StepShape, outside: Outside) -> StepPlan:
    """A plan for steps of a shape, what the user's own code holds meanwhile included."""
    whole = shape.with_every_backward()
    described = combine(whole, outside.with_events(len(whole.events)))
    graph = described.graph
    options = shape.graphs[0].options
    try:
        plan = find_agreed_plan(graph, options)
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
    schedules = zip(described.schedules(plan), described.undefined, strict=True)
    return StepPlan(shape, plan, tuple(Assignment(s, undefined) for s, undefined in schedules), described)


def _leaves(arguments: Sequence[Any]) -> Leaves:
    """Positions of the inputs that accumulate a gradient, each with what tells one parameter from another."""
    return [
        (position, hash((tensor.untyped_storage()._cdata, tensor.storage_offset(), tensor.shape)))
        for position, tensor in enumerate(arguments)
        if isinstance(tensor, torch.Tensor) and tensor.is_leaf and tensor.requires_grad
    ]

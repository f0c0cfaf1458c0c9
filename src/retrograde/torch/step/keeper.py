"""Who keeps a budget over the steps of one or several modules: which plan a call follows, and what is learnt."""

from __future__ import annotations

import contextlib
import gc
import logging
import threading
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from retrograde.errors import BudgetError, CaptureError, UsageError
from retrograde.graph.units import format_bytes
from retrograde.planning import Budget
from retrograde.runtime.meters.torch_cpu import before_measuring, is_measuring
from retrograde.torch.capture.sizes import bucket_of
from retrograde.torch.emission.captured import Assignment
from retrograde.torch.ranks.agreement import compare_collectives
from retrograde.torch.step.backward_end import after_backward
from retrograde.torch.step.book import Arrival, Leaves, PlanBook, StepPlan
from retrograde.torch.step.call import Call, parameter_gradient_bytes
from retrograde.torch.step.recorder import start_recorder
from retrograde.torch.step.step import Step

if TYPE_CHECKING:
    from retrograde.torch.emission.captured import CapturedGraph, Sizes
    from retrograde.torch.options import Options

_logger = logging.getLogger("retrograde")

CHEAP_OVERHEAD = 0.01
"""The overhead up to which a plan for larger sizes is good enough."""

_OF_THE_WHOLE_STEP = ("strategy", "iterations", "seed", "time_limit", "compiler")
"""Options of which there is one value for all modules of a budget."""

# By the budget's address: a keeper holds its budget, so a key of that cannot let go of either.
_keepers: weakref.WeakValueDictionary[int, StepKeeper] = weakref.WeakValueDictionary()


def keeper_of(budget: Budget) -> StepKeeper:
    """The keeper of a budget; modules that share a ``Budget`` share it."""
    known = _keepers.get(id(budget))
    if known is None:
        known = _keepers[id(budget)] = StepKeeper(budget)
    return known


class _Local(threading.local):
    """The step under way in a thread."""

    def __init__(self) -> None:
        self.step: Step | None = None


class _Busy(threading.local):
    """The keepers of a thread that have begun a step, and the step that was recorded last."""

    def __init__(self) -> None:
        self.keepers: weakref.WeakSet[StepKeeper] = weakref.WeakSet()
        self.recording: weakref.ref[Step] | None = None

    def end_idle_recording(self) -> None:
        """End the recording of a step that is over without a backward, whose keeper may never be called again."""
        step = self.recording() if self.recording is not None else None
        if step is not None and step.is_over:
            step.stop_recording()


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
        self.book = PlanBook()
        self._local = _Local()
        self._one_forward = threading.RLock()
        self._latest: Step | None = None
        self._to_record: set[CapturedGraph] = set()
        self._options: Options | None = None
        self._members = 0

    def join(self, options: Options) -> None:
        """Take in a module.

        Raises:
            UsageError: it asks for another kind of plan than the modules that share the budget do.
        """
        known = self._options or options
        for name in _OF_THE_WHOLE_STEP:
            ours, theirs = getattr(known, name), getattr(options, name)
            if ours != theirs:
                raise UsageError(
                    f"modules that share a Budget are planned together, and this one asks for {name}={theirs!r}, an "
                    f"earlier one for {name}={ours!r}; ask for the same, or give each a Budget of its own"
                )
        self._options = known
        self._members += 1

    def prepare(self, captured: CapturedGraph, sizes: Sizes) -> Assignment:
        """Plan a graph that was just captured, so that what cannot fit is known before any of it runs.

        Raises:
            BudgetError: no plan of this graph alone meets the budget.
            RankError: another rank failed, or is gone.
            CaptureError: the ranks captured different collectives.
        """
        if self._is_a_step(captured) and not self._is_under_way():
            return self.book.single(captured, sizes).assignment
        compare_collectives(captured.collectives)
        return self.book.small(captured, sizes, 0)

    def undefined_came(self, captured: CapturedGraph) -> None:
        """A cotangent came that a plan does without."""
        self.book.forget(captured)
        self._to_record.add(captured)

    def _is_a_step(self, captured: CapturedGraph) -> bool:
        """Whether a call of a graph is taken to be a step of its own: it gives a loss, and nothing else is known."""
        is_known = any(len(known.assignments) > 1 for known in self.book.beginning_with(captured))
        is_closed = captured.is_closed or bool(self.book.undefined_alone(captured))
        return is_closed and self._members < 2 and not is_known

    def _is_under_way(self) -> bool:
        step = self._local.step
        return step is not None and not step.is_over

    # A call

    @contextlib.contextmanager
    def forward(self, captured: CapturedGraph, arguments: Sequence[Any]) -> Iterator[Call]:
        """A forward runs: gives the call, whose variant it follows.

        Raises:
            BudgetError: the call does not fit beside what the step holds already.
            CaptureError: a step of another budget is under way in this thread, or one of this budget in another.
        """
        arrival = Arrival(captured, _leaves(arguments), captured.sizes_of(arguments))
        with self._one_forward:
            step = self._step_for(arrival)
            assignment = step.expected(arrival)
            if assignment is None:
                step.depart()
                assignment = self._beside(step, arrival)
            variant = captured.variant(assignment, arrival.sizes)
            call = Call(step, len(step.calls), captured, variant, arrival.sizes, arguments)
            step.admit(call, arrival.leaves)
            try:
                with step.event(call, "forward"):
                    yield call
            except BaseException:
                step.withdraw(call)
                raise

    @contextlib.contextmanager
    def backward(self, call: Call) -> Iterator[None]:
        """A backward runs.

        Raises:
            BudgetError: the backward is not the next in the step's plan, and does not fit.
        """
        call.step.check_backward(call, self.budget.bytes)
        with call.step.event(call, "backward"):
            yield

    def _beside(self, step: Step, arrival: Arrival) -> Assignment:
        """What a call follows whose place in the step is not known.

        Room is left for its residuals while earlier calls' backwards run, and in these for its gradients.
        """
        held_bytes = step.held_bytes()
        try:
            found = self.book.small(arrival.captured, arrival.sizes, held_bytes)
            positions = [position for position, _ in arrival.leaves]
            gradients = parameter_gradient_bytes(arrival.captured, arrival.sizes, positions)
            step.check_room(self.budget.bytes, gradients, found.peak_bytes)
            return found
        except BudgetError as error:
            if step.calls:
                self._to_record.add(step.calls[0].captured)
            again = "; run the step again, from its beginning: it is now known to have several calls"
            raise error.saying(
                f"call {len(step.calls) + 1} of a step does not fit beside the {format_bytes(held_bytes)} that its "
                f"earlier calls hold for their backward{again if step.departed else ''}: {error}"
            ) from None

    # Steps

    def _step_for(self, arrival: Arrival) -> Step:
        """The step that a call belongs to: the one under way, or a new one."""
        step = self._local.step
        if step is not None and not step.is_over and step.expected(arrival) is None:
            # An exception on the way may have left residuals in a cycle.
            gc.collect()
        if step is not None and not step.is_over:
            return step
        if step is not None:
            self._local.step = None
            self._learn(step)
        self._refuse_other_budgets()
        self._refuse_other_threads()
        step = self._local.step = self._latest = self._begin(arrival)
        return step

    def _begin(self, arrival: Arrival) -> Step:
        captured = arrival.captured
        if captured.describe_anew():
            self.book.renew(captured)
        if captured not in self._to_record:
            found = self._known(arrival)
            if self._is_a_step(captured) and (found is None or self._deserves_its_own(found, arrival)):
                found = Step(self._planned_alone(arrival), None)
            if found is not None:
                return found
        _busy.end_idle_recording()
        step = Step(None, start_recorder(captured.device))
        if step.recorder is not None:
            _busy.recording = weakref.ref(step)
            weakref.finalize(step, step.recorder.abandon).atexit = False
            after_backward(weakref.WeakMethod(step.backward_ended))
            if not is_measuring():
                before_measuring(weakref.WeakMethod(step.abandon_recording))
        return step

    def _known(self, arrival: Arrival) -> Step | None:
        """A step on a plan that is known to serve it."""
        steps = (Step(known, None) for known in self.book.beginning_with(arrival.captured))
        return next((step for step in steps if step.expected(arrival) is not None), None)

    def _deserves_its_own(self, found: Step, arrival: Arrival) -> bool:
        """Whether sizes are worth a plan, because the one that serves them recomputes for larger ones."""
        assert found.followed is not None
        planned, wanted = found.followed.shape.sizes[0], bucket_of(arrival.sizes)
        return wanted != planned and arrival.sizes != planned and found.followed.plan.overhead > CHEAP_OVERHEAD

    def _planned_alone(self, arrival: Arrival) -> StepPlan:
        """A plan for a step that calls nothing else."""
        found = self.book.single(arrival.captured, arrival.sizes)
        shape = Step(None, None).single_call(replace(arrival, sizes=found.sizes))
        planned = StepPlan(shape, found.plan, (found.assignment,), found.description)
        self.book.add(planned)
        return planned

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

    def _refuse_other_threads(self) -> None:
        latest = self._latest
        if latest is not None and not latest.is_over:
            gc.collect()
        if latest is not None and not latest.is_over:
            raise CaptureError(
                "a budgeted module was called in one thread while a call of the same budget waits for its backward "
                "pass in another, and a budget is for one step at a time; finish that step first (a lock around "
                "forward and backward), or give each thread a copy of the module with a budget of its own"
            )

    def _learn(self, step: Step) -> None:
        """Plan for steps like one that is over, if it taught anything new."""
        step.stop_recording()
        shape = step.shape
        if not shape.has_backward:
            return
        self._tell_of_excess(step)
        first = shape.graphs[0]
        is_known = any(p.shape.begins_with(shape) and p.shape.covers(shape.sizes) for p in self.book.plans)
        if first not in self._to_record and is_known:
            return
        outside = step.outside()
        if outside is None:
            self._to_record.add(first)
            return
        self._to_record.discard(first)
        try:
            self.book.learn(shape, outside)
        except BudgetError as error:
            calls = "1 call" if len(shape.graphs) == 1 else f"{len(shape.graphs)} calls"
            raise error.saying(f"steps like the one before this, of {calls}, have no plan: {error}") from None

    def _tell_of_excess(self, step: Step) -> None:
        """Warn of a step that took more than the budget while it was watched, which no plan could prevent."""
        limit = self.budget.bytes
        taken = max((stretch.peak_bytes for stretch in step.stretches[:-1]), default=0)
        if limit is not None and taken > limit:
            _logger.warning(
                "a step whose shape was not known yet held %s between its captured graphs, and the budget is %s; "
                "what your own code holds there is counted in the plan from the next such step on",
                format_bytes(taken),
                format_bytes(limit),
            )


def _leaves(arguments: Sequence[Any]) -> Leaves:
    """Positions of the inputs that accumulate a gradient, each with what tells one parameter from another."""
    return [
        (position, hash((tensor.untyped_storage()._cdata, tensor.storage_offset(), tensor.shape)))
        for position, tensor in enumerate(arguments)
        if isinstance(tensor, torch.Tensor) and tensor.is_leaf and tensor.requires_grad
    ]

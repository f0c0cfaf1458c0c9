"""A reversed program inside a budget: which loops follow which schedules, and what is computed again around them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from retrograde.errors import BudgetError
from retrograde.graph import Graph
from retrograde.graph.units import format_bytes
from retrograde.planning.budget import Budget
from retrograde.planning.loops import LoopPlan
from retrograde.planning.plan import Plan
from retrograde.planning.planner import plan as plan_graph
from retrograde.program.check import check
from retrograde.program.clone import clone
from retrograde.program.model import Program, Variable
from retrograde.program.schedules import Schedule
from retrograde.python.budget.describing import graph_of
from retrograde.python.budget.filling import fill, room_for, with_way
from retrograde.python.budget.loops import ScheduledLoop, settle
from retrograde.python.budget.pairs import pairs_of
from retrograde.python.budget.report import BudgetReport, LoopReport
from retrograde.python.budget.rewriting import rewrite
from retrograde.python.budget.schedules import OnlineSchedule, PlannedSchedule
from retrograde.python.budget.scheduling import ScheduledProgram, with_schedules
from retrograde.python.budget.sizes import Sizes
from retrograde.python.budget.spilling import DiskRoom, SpillingSchedule, disk_plan
from retrograde.python.budget.strategies import WITHOUT_BUDGET, graph_strategy, loop_planner
from retrograde.python.budget.ways import Planner, Way, curve, online_plan, quick_plan
from retrograde.python.budget.weights import interpreter_bytes

_SEARCH_SECONDS = 0.5
"""For what is computed again around the loops: of the outermost loops alone; a fifth of it with those inside."""

_SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Of inner loops: how far on the way from keeping everything to as little as they can."""


@dataclass(frozen=True, slots=True)
class PlannedProgram:
    """A program that stays inside a budget.

    Attributes:
        program: its inputs are those of the program that was planned, and behind them the schedules.
        schedules: what to pass for those.
        report: what was decided.
    """

    program: Program
    schedules: list[Schedule]
    report: BudgetReport

    @property
    def has_room_for_residuals(self) -> bool:
        """Whether a pullback may keep all residuals, for any number of calls, and run beside them."""
        report = self.report
        enough = report.budget_bytes is None or report.budget_bytes >= 2 * report.store_all_bytes
        return enough and not self.schedules and not report.recomputed

    def abandon(self) -> None:
        """Remove what a run that has failed between a loop and its reversal has left on disk."""
        for schedule in self.schedules:
            if isinstance(schedule, SpillingSchedule):
                schedule.close()


def plan_program(
    program: Program,
    arguments: Sequence[Any],
    budget: int | str | Budget | None = None,
    strategy: str = "auto",
    *,
    threshold: int = 2,
    preallocated: bool = False,
    disk: DiskRoom | None = None,
) -> PlannedProgram:
    """Plan a reversed program, so that a call with arguments of these sizes stays inside a budget.

    What the call allocates and has live counts; its arguments do not.

    Args:
        program: as `reverse` makes it; it is not changed.
        arguments: one for each input, for their sizes and the values of their integers.
        budget: bytes, "8 MB", "1%" of what storing everything takes, or None for no limit.
        strategy: one of `STRATEGIES`.
        threshold: loops of fewer steps are left alone.
        preallocated: whether slots are allocated for the whole run of a loop, as compiled loops do.
        disk: where states may go that memory has no room for; None for nowhere.

    Raises:
        BudgetError: no plan in hand meets the budget.
        UsageError: there is no such strategy.
    """
    planner = loop_planner(strategy)
    plain = clone(program)
    sizes = Sizes(plain, arguments, boxed=not preallocated)
    graph = graph_of(plain, sizes, {})
    beside = interpreter_bytes(plain.block, sizes)
    whole = beside + graph.store_all_peak_bytes
    given = None if budget is None else Budget(budget)
    limit = None if given is None else given.resolve(whole)
    asked = strategy in WITHOUT_BUDGET
    pairs = pairs_of(plain)
    steps = [sizes.counts.get(pair.forward) for pair in pairs]
    within = [any(sizes.counts.get(inner.forward) is None for inner in pair.nested()) for pair in pairs]
    endless = None in steps or any(within)
    if not asked and (limit is None or (whole <= limit and not endless)):
        return PlannedProgram(plain, [], BudgetReport(limit, whole, whole, 0.0))
    # A loop of unknown length that keeps everything holds to no limit: where it is inside, it has a schedule, too.
    bounding = [inside and limit is not None for inside in within]
    hidden = limit is not None and any(
        count is None and pair.forward not in plain.block.statements for count, pair in zip(steps, pairs, strict=True)
    )
    wanted = [
        count is None or count >= max(2, threshold) or inside for count, inside in zip(steps, bounding, strict=True)
    ]
    nested = hidden or any(bounding)
    problem = _Problem(program, arguments, planner, strategy, preallocated, disk, beside, wanted, nested)
    found = problem.best(limit, search=True)
    if not isinstance(found, _Attempt):
        assert given is not None
        assert limit is not None
        raise problem.infeasible(limit, found, share_of_unknown=endless and given.bytes is None)
    return found.planned(limit, whole, graph.base_cost)


@dataclass(eq=False, slots=True)
class _Problem:
    """A program, how to plan it, and for what sizes; whether its inner loops must have schedules to keep to a limit."""

    program: Program
    arguments: Sequence[Any]
    planner: Planner
    strategy: str
    preallocated: bool
    disk: DiskRoom | None
    beside_bytes: int
    wanted: list[bool]
    nested: bool
    _made: dict[bool, ScheduledProgram] = field(default_factory=dict[bool, ScheduledProgram])

    def best(self, limit: int | None, search: bool) -> _Attempt | list[BudgetError]:
        """The cheapest way within a limit that is in hand, or why there is none."""
        best: _Attempt | None = None
        errors: list[BudgetError] = []
        left = None if limit is None else max(1, limit - self.beside_bytes)
        for attempt in self._attempts():
            try:
                attempt.settle(left, search)
            except BudgetError as error:
                errors.append(error)
                continue
            if best is None or attempt.cost < best.cost:
                best = attempt
            if attempt.share is None:
                break
        return best or errors

    def infeasible(self, limit: int, errors: list[BudgetError], share_of_unknown: bool) -> BudgetError:
        """The error that names a budget which is enough: the smallest of those that were tried."""
        remedy = "raise the budget"
        if share_of_unknown:
            remedy = "give it in bytes: a share is of all that is kept, and only the run knows how long a loop is"
        bound = self.beside_bytes + min(error.bound_bytes for error in errors)
        minimum = limit
        while errors:
            least = self.beside_bytes + min(error.minimum_bytes for error in errors)
            minimum = max(minimum + 1 if minimum == limit else minimum * 17 // 16, least)
            found = self.best(minimum, search=False)
            errors = found if isinstance(found, list) else []
        return BudgetError(
            f"{format_bytes(limit)} ({limit} bytes) are too few for {self.program.name}: the smallest budget that a "
            f"plan in hand meets is {minimum} bytes, and no plan of this kind needs fewer than {bound}; {remedy}",
            budget_bytes=limit,
            minimum_bytes=minimum,
            bound_bytes=bound,
        )

    def _attempts(self) -> Iterator[_Attempt]:
        """The outermost loops by themselves; then inner ones, too, from keeping everything there to next to nothing."""
        if not self.nested:
            yield _Attempt(self, None, self._scheduled(nested=False))
        for share in _SHARES:
            attempt = _Attempt(self, share, self._scheduled(nested=True))
            if not attempt.inner:
                return
            yield attempt

    def _scheduled(self, nested: bool) -> ScheduledProgram:
        if nested not in self._made:
            boxed = not self.preallocated
            made = with_schedules(self.program, self.arguments, self.wanted, nested=nested, boxed=boxed)
            self._made[nested] = made
        return self._made[nested]


@dataclass(eq=False)
class _Attempt:
    """One way to take a program's loops: the outermost alone, or with those inside at a share of their way."""

    problem: _Problem
    share: float | None
    scheduled: ScheduledProgram
    ways: dict[Variable, Way] = field(default_factory=dict[Variable, Way])
    graph: Graph = field(init=False)
    plan: Plan = field(init=False)
    peak_bytes: int = field(init=False, default=0)
    cost: float = field(init=False, default=0.0)

    @property
    def program(self) -> Program:
        """The program, which attempts share: only the one that is taken changes it."""
        return self.scheduled.program

    @property
    def sizes(self) -> Sizes:
        """The sizes of its values; what inner loops take is as the attempt settled them that was last at it."""
        return self.scheduled.sizes

    @property
    def loops(self) -> list[ScheduledLoop]:
        """The outermost ones."""
        return self.scheduled.loops

    @property
    def inner(self) -> list[ScheduledLoop]:
        """Those inside them."""
        return self.scheduled.inner

    def settle(self, limit: int | None, search: bool) -> None:
        """Decide on a way for each loop.

        Raises:
            BudgetError: there is none.
        """
        for loop in self.inner:
            self._settle_inner(loop)
        curves = {loop.schedule: self._curve(loop, limit) for loop in self.loops}
        self.graph = graph_of(self.program, self.sizes, curves)
        seconds = _SEARCH_SECONDS if self.share is None else _SEARCH_SECONDS / len(_SHARES)
        self.plan = _planned(self.graph, limit, self.problem.strategy if search else None, seconds)
        for loop in self.loops:
            self._fill(loop, curves[loop.schedule], limit)
        self.cost = self.plan.cost
        self.peak_bytes = self.plan.peak_bytes

    def _fill(self, loop: ScheduledLoop, ways: list[Way], limit: int | None) -> None:
        """Put the best way within what the others leave into the place of the one of the curve."""
        sweep = self.program.block.statements.index(loop.sweep)
        if limit is None:
            self.ways[loop.schedule] = ways[0]
            return
        room = room_for(self.graph, self.plan, sweep, limit)
        steps = self._steps_of(loop)
        planned = loop.planned(self.sizes, steps)
        planner = self.problem.planner if steps is not None else online_plan
        disk = self.problem.disk
        if disk is not None and steps is not None:
            planned, planner = disk.beside(planned), disk_plan
            # A state on its way to disk or back is in memory once more.
            room = replace(room, running_bytes=room.running_bytes - planned.state(0))
        try:
            way = fill(planned, room, planner, self.problem.preallocated, loop.shared_bytes(self.sizes))
        except BudgetError as error:
            lacking = max(1, error.minimum_bytes - room.running_bytes)
            raise BudgetError(
                str(error), budget_bytes=limit, minimum_bytes=limit + lacking, bound_bytes=error.bound_bytes
            ) from error
        self.ways[loop.schedule] = way
        self.graph, self.plan = with_way(self.graph, self.plan, sweep, way, limit)

    def _steps_of(self, loop: ScheduledLoop) -> int | None:
        return self.sizes.counts.get(loop.sweep)

    def _settle_inner(self, loop: ScheduledLoop) -> None:
        steps = self._steps_of(loop)
        assert self.share is not None
        planned = loop.planned(self.sizes, None if steps is None else max(1, steps))
        ways = curve(planned, len(_SHARES), planner=online_plan if steps is None else None)
        way = ways[min(len(ways) - 1, round(self.share * (len(ways) - 1)))]
        self.ways[loop.schedule] = way
        settle(self.program, loop, way.plan, self.sizes)

    def _curve(self, loop: ScheduledLoop, limit: int | None) -> list[Way]:
        steps = self._steps_of(loop)
        planned = loop.planned(self.sizes, steps)
        if steps is None:
            return (
                curve(planned, planner=online_plan, limit=limit)
                if limit is not None
                else [Way.of(online_plan(planned, None))]
            )
        return [Way.of(self.problem.planner(planned, None))] if limit is None else curve(planned, limit=limit)

    def planned(self, limit: int | None, whole: int, base_cost: float) -> PlannedProgram:
        """The program in the order of the plan, with its schedules."""
        recomputed = rewrite(self.program, self.plan.actions)
        check(self.program)
        by_schedule = {loop.schedule: loop for loop in (*self.inner, *self.loops)}
        order = [variable for variable in self.program.inputs if variable in by_schedule]
        schedules = [self._schedule_of(by_schedule[variable]) for variable in order]
        overhead = self.cost / base_cost - 1 if base_cost else 0.0
        loops = tuple(self._reported(by_schedule[variable]) for variable in order)
        report = BudgetReport(limit, self.problem.beside_bytes + self.peak_bytes, whole, overhead, recomputed, loops)
        return PlannedProgram(self.program, schedules, report)

    def _schedule_of(self, loop: ScheduledLoop) -> Schedule:
        way, steps = self.ways[loop.schedule], self._steps_of(loop)
        if loop.sweep.condition is not None:
            return OnlineSchedule(way.plan.recipe["slots"])
        if way.plan.loop.disk is not None and self.problem.disk is not None:
            return SpillingSchedule(way.plan, self.problem.disk.tier)
        planned, budget = way.plan.loop, way.plan.peak_bytes
        exact = way.plan

        def plan_for(count: int) -> LoopPlan:
            # A loop that runs less often needs no more.
            if count == steps:
                return exact
            return quick_plan(replace(planned, steps=count), budget)

        schedule = PlannedSchedule(plan_for)
        if steps is not None:
            schedule.slots(steps)  # Writes few rows down now, and not while the program runs.
        return schedule

    def _reported(self, loop: ScheduledLoop) -> LoopReport:
        plan = self.ways[loop.schedule].plan
        width = len(loop.replay.snapshots)
        return LoopReport(
            loop.name,
            loop.schedule not in [outer.schedule for outer in self.loops],
            self._steps_of(loop),
            plan.strategy,
            plan.forward_steps,
            plan.figures.kept_bytes,
            plan.peak_bytes,
            tuple(_called(variable) for variable in loop.replay.advance.parameters[1:]),
            tuple(_called(variable) for variable in loop.replay.record.results[width:]),
        )


def _called(operand: Any) -> str:
    return operand.hint or operand.name if isinstance(operand, Variable) else str(operand)


def _planned(graph: Graph, limit: int | None, strategy: str | None, seconds: float) -> Plan:
    """The cheapest that needs no search; what a strategy finds where nothing else is within the budget."""
    try:
        return plan_graph(graph, limit, "store_all", bound=False)
    except BudgetError as error:
        if strategy is None or error.bound_bytes > error.budget_bytes:
            raise
        return plan_graph(graph, limit, graph_strategy(strategy), time_limit=seconds)

"""From a plan to what it does: the referee replays it, and what it saw is put in words."""

from __future__ import annotations

from collections import Counter

from retrograde.graph import Graph
from retrograde.planning import Action, Compute, Load, Moment, Plan, Spill, replay
from retrograde.torch.capture.describe import Description
from retrograde.torch.explain.account import GraphExplanation, LiveStorage, OperationRow, Peak, Totals, sum_rows
from retrograde.torch.explain.places import Phase, Place, phases_of, places_of
from retrograde.torch.step.step_graph import StepGraph

_KEPT, _RECOMPUTED, _SPILLED, _RELEASED = range(4)


def explain_plan(name: str, described: Description | StepGraph, plan: Plan) -> GraphExplanation:
    """What a plan keeps, recomputes and spills, and what is live at its peak.

    Args:
        name: of what was planned, for people.
        described: the captured graph, or the step of several.
        plan: a plan of its graph.

    Raises:
        PlanError: the plan does not replay on the graph.
    """
    graph, places = described.graph, places_of(described)
    replayed = _Replayed(graph, places, phases_of(described), plan)
    rows = replayed.rows()
    return GraphExplanation(name, rows, _totals(graph, plan, rows), replayed.peak(), plan, graph, places)


class _Replayed:
    """What the referee saw of one plan."""

    def __init__(self, graph: Graph, places: tuple[Place, ...], phases: tuple[Phase, ...], plan: Plan) -> None:
        self.graph = graph
        self.places = places
        self.phases = phases
        self.plan = plan
        self.highest: Moment | None = None
        self.crossing: set[tuple[int, int]] = set()
        self._segment = 0
        self.runs = replay(graph, plan.actions, plan.segments, watch=self._watch).runs
        self.kept = {storage for storage, _ in self.crossing}
        self.first_runs = _first_runs(plan.actions)
        self.again = {
            storage
            for index, action in enumerate(plan.actions)
            if isinstance(action, Compute) and index not in self.first_runs
            for storage in graph.allocated_storages(action.operation)
        }
        self.spilled = {action.storage for action in plan.actions if isinstance(action, Spill)}
        self.outputs = {graph.values[v].storage for v in graph.outputs}

    def _watch(self, moment: Moment) -> None:
        if self.highest is None or moment.bytes > self.highest.bytes:
            self.highest = moment
        if moment.segment != self._segment:
            self._segment = moment.segment
            self.crossing.update(moment.live)

    # Rows

    def rows(self) -> tuple[OperationRow, ...]:
        """The operations, those of one operator, line, submodule and segment together."""
        groups: dict[tuple[str, str, str, str], list[OperationRow]] = {}
        for index in self.graph.order:
            if not self.graph.is_view(index) and self.places[index].phase != "outside":
                row = self._row(index)
                groups.setdefault((row.phase, row.module, row.source, row.operator), []).append(row)
        return tuple(sum_rows(group) for _, group in sorted(groups.items(), key=lambda item: item[0][0] == "backward"))

    def _row(self, index: int) -> OperationRow:
        operation, place, runs = self.graph.operations[index], self.places[index], self.runs[index]
        sizes = [0, 0, 0, 0]
        for storage in self.graph.allocated_storages(index):
            sizes[self._fate(storage)] += self.graph.storages[storage].bytes
        return OperationRow(
            module=place.module,
            module_type=place.module_type,
            source=place.source,
            operator=place.operator,
            phase=place.phase,
            operations=1,
            recomputed=int(runs > 1),
            extra_runs=runs - 1,
            most_runs=runs,
            seconds=operation.cost,
            recompute_seconds=(runs - 1) * operation.cost,
            kept_bytes=sizes[_KEPT],
            recomputed_bytes=sizes[_RECOMPUTED],
            spilled_bytes=sizes[_SPILLED],
            released_bytes=sizes[_RELEASED],
        )

    def _fate(self, storage: int) -> int:
        if storage in self.spilled:
            return _SPILLED
        if storage in self.again:
            return _RECOMPUTED
        return _KEPT if storage in self.kept else _RELEASED

    # The peak

    def peak(self) -> Peak:
        """The highest moment, taken apart."""
        moment = self.highest
        if moment is None:
            return Peak(0, len(self.plan.actions), "forward", "", "", "", "", True, 0, ())
        live = [self._live(storage, since) for storage, since in moment.live]
        live += [self._entry("retained", storage, since) for storage, since in moment.retained]
        live += [self._entry("duplicate", storage, moment.action) for storage in moment.duplicates]
        index = self._operation_at(moment.action)
        operation = None if index is None else self.graph.operations[index]
        place = None if index is None else self.places[index]
        if moment.workspace_bytes and operation is not None and place is not None:
            live.append(
                LiveStorage(
                    "workspace", moment.workspace_bytes, operation.name, place.operator, place.module, place.source
                )
            )
        if moment.fixed_bytes:
            live.append(LiveStorage("fixed", moment.fixed_bytes, "held outside the plan"))
        return Peak(
            action=moment.action,
            actions=len(self.plan.actions),
            phase=self.phases[moment.segment],
            operation="" if operation is None else operation.name,
            operator="" if place is None else place.operator,
            module="" if place is None else place.module,
            source="" if place is None else place.source,
            first_run=moment.action in self.first_runs,
            bytes=moment.bytes,
            live=tuple(sorted((e for e in live if e.bytes), key=lambda entry: -entry.bytes)),
        )

    def _live(self, storage: int, since: int) -> LiveStorage:
        return self._entry(self._kind(storage, since), storage, since)

    def _kind(self, storage: int, since: int) -> str:
        if self.graph.arrivals[storage] is not None:
            return "arrived"
        if isinstance(self.plan.actions[since], Load):
            return "loaded"
        maker = self.graph.allocators[storage]
        assert maker is not None
        if storage in self.outputs:
            return "gradient" if self.places[maker].phase == "backward" else "output"
        if since not in self.first_runs:
            return "recomputed"
        is_kept = self.places[maker].phase == "forward" and (storage, since) in self.crossing
        return "kept" if is_kept else "temporary"

    def _entry(self, kind: str, storage: int, since: int) -> LiveStorage:
        maker = self.graph.allocators[storage]
        place = None if maker is None else self.places[maker]
        return LiveStorage(
            kind=kind,
            bytes=self.graph.storages[storage].bytes,
            name=self.graph.storages[storage].name or f"storage {storage}",
            operator="" if place is None else place.operator,
            module="" if place is None else place.module,
            source="" if place is None else place.source,
            storage=storage,
            since_action=since,
        )

    def _operation_at(self, action: int) -> int | None:
        found = self.plan.actions[action] if action < len(self.plan.actions) else None
        return found.operation if isinstance(found, Compute) else None


def _first_runs(actions: tuple[Action, ...]) -> set[int]:
    """Indices of the actions that run an operation for the first time."""
    seen: Counter[int] = Counter()
    first: set[int] = set()
    for index, action in enumerate(actions):
        if isinstance(action, Compute):
            if not seen[action.operation]:
                first.add(index)
            seen[action.operation] += 1
    return first


def _totals(graph: Graph, plan: Plan, rows: tuple[OperationRow, ...]) -> Totals:
    forward = [row for row in rows if row.phase == "forward"]
    return Totals(
        peak_bytes=plan.peak_bytes,
        budget_bytes=plan.budget_bytes,
        store_all_peak_bytes=graph.store_all_peak_bytes,
        operations=sum(row.operations for row in rows),
        recomputed=sum(row.recomputed for row in rows),
        extra_runs=sum(row.extra_runs for row in rows),
        forward_seconds=sum(row.seconds for row in forward),
        backward_seconds=sum(row.seconds for row in rows if row.phase == "backward"),
        recompute_seconds=sum(row.recompute_seconds for row in rows),
        kept_bytes=sum(row.kept_bytes for row in rows),
        recomputed_bytes=sum(row.recomputed_bytes for row in rows),
        spilled_bytes=sum(row.spilled_bytes for row in rows),
        released_bytes=sum(row.released_bytes for row in forward),
    )

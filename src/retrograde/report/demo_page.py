"""What the demonstration found, as a table, a page and JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from retrograde.graph import Graph
from retrograde.planning import Plan
from retrograde.report import html
from retrograde.report.measured import MeasuredRun, measured_figure
from retrograde.report.scales import byte_unit
from retrograde.report.tables import Cell, Table, percent
from retrograde.report.timeline import timeline_figure
from retrograde.report.tradeoff import Curve, tradeoff_figure


@dataclass(frozen=True)
class DemoRow:
    """A training run under one budget.

    Attributes:
        budget_label: the budget as it was written, or how the run was made without one.
        budget_bytes: the budget in bytes; None for none.
        measured_peak_bytes: what an independent meter saw.
        predicted_peak_bytes: what the plan says; None where nothing was planned.
        recomputed_operations: runs of operations beyond the first of each.
        step_time_ratio: time of a step over that of an unplanned one.
        loss_first: the loss of the first step.
        loss_last: the loss of the last step.
        gradients_equal: whether all gradients equal the unplanned ones bit for bit.
        graph: the joint graph of a step; None where nothing was planned.
        plan: the plan that ran; None where nothing was planned.
        measured_timeline: pairs of seconds since a step began and live bytes from then on.
    """

    budget_label: str
    budget_bytes: int | None
    measured_peak_bytes: int
    predicted_peak_bytes: int | None
    recomputed_operations: int
    step_time_ratio: float
    loss_first: float
    loss_last: float
    gradients_equal: bool
    graph: Graph | None = None
    plan: Plan | None = None
    measured_timeline: tuple[tuple[float, int], ...] = ()

    @property
    def within_budget(self) -> bool:
        """Whether the measured peak is at most the budget."""
        return self.budget_bytes is None or self.measured_peak_bytes <= self.budget_bytes


@dataclass(frozen=True)
class DemoResult:
    """What the demonstration found.

    Attributes:
        title: what was trained on what.
        machine: where, in words.
        store_all_peak_bytes: predicted peak of the unplanned step.
        rows: one for each budget; the unplanned run first.
        curve: the trade-off curve: pairs of a share of the store-all peak and an overhead, as fractions.
        bound_bytes: a proved bound on the peak of any schedule of the step; 0 where none is known.
    """

    title: str
    machine: str
    store_all_peak_bytes: int
    rows: tuple[DemoRow, ...]
    curve: tuple[tuple[float, float], ...] = ()
    bound_bytes: int = 0

    @property
    def passed(self) -> bool:
        """Whether every run stayed within its budget with equal gradients."""
        return all(row.within_budget and row.gradients_equal for row in self.rows)


def demo_table(result: DemoResult) -> Table:
    """One row a budget."""
    size, unit = byte_unit(result.store_all_peak_bytes)
    rows = tuple(_demo_cells(row, size) for row in result.rows)
    columns = (
        f">budget\n({unit})",
        f">measured\npeak, {unit}",
        f">predicted\npeak, {unit}",
        ">operations\nrecomputed",
        ">step\ntime",
        ">loss,\nfirst to last",
        "gradients\nequal",
    )
    notes = (
        "Measured peak: the most bytes allocated during a step and still live, read from the allocator. "
        "Step time: against the unplanned step. Gradients equal: bit for bit those of the unplanned run.",
    )
    return Table(result.title, columns, rows, notes)


def _demo_cells(row: DemoRow, size: int) -> tuple[Cell | str, ...]:
    budget = row.budget_label
    if row.budget_bytes is not None:
        budget = f"{row.budget_label} {row.budget_bytes / size:.2f}"
    predicted = "–" if row.predicted_peak_bytes is None else f"{row.predicted_peak_bytes / size:.2f}"
    return (
        budget,
        Cell(f"{row.measured_peak_bytes / size:.2f}", "" if row.within_budget else "bad"),
        predicted,
        f"{row.recomputed_operations:,}",
        f"{row.step_time_ratio:.2f}×",
        f"{row.loss_first:.3f}→{row.loss_last:.3f}",
        Cell("yes", "good") if row.gradients_equal else Cell("no", "bad"),
    )


def demo_page(result: DemoResult) -> str:
    """A self-contained page: the table, the measured memory, the trade-off curve, the timeline of each plan."""
    parts = [html.table(demo_table(result), titled=False)]
    runs = [MeasuredRun(row.budget_label, row.measured_timeline) for row in result.rows]
    if any(run.samples for run in runs):
        caption = "One training step under each budget, as the allocator saw it. What was live before is not counted."
        parts += [html.heading("Memory of a step, measured"), html.figure(measured_figure(runs), caption)]
    if result.curve:
        caption = "Each point is a verified plan for this training step; less memory to the right."
        parts += [html.heading("What a smaller budget costs"), html.figure(_curve_figure(result), caption)]
    planned = [row for row in result.rows if row.graph is not None and row.plan is not None]
    if planned:
        parts.append(html.heading("Memory of a step, planned"))
    for row in planned:
        assert row.graph is not None
        assert row.plan is not None
        caption = (
            f"Strategy {row.plan.strategy}: {percent(row.plan.overhead)} extra time predicted, "
            f"{row.recomputed_operations:,} operations run again."
        )
        parts.append(html.figure(timeline_figure(row.graph, row.plan, heading=row.budget_label), caption))
    return html.page(result.title, result.machine, parts)


def _curve_figure(result: DemoResult) -> html.Figure:
    bound = result.bound_bytes / result.store_all_peak_bytes if result.store_all_peak_bytes else 0.0
    return tradeoff_figure([Curve("planned", result.curve)], bound_fraction=bound or None)


def demo_json(result: DemoResult) -> dict[str, Any]:
    """The result as what JSON can hold, without graphs, plans and timelines."""
    return {
        "title": result.title,
        "machine": result.machine,
        "passed": result.passed,
        "store_all_peak_bytes": result.store_all_peak_bytes,
        "bound_bytes": result.bound_bytes,
        "rows": [
            {
                "budget": row.budget_label,
                "budget_bytes": row.budget_bytes,
                "measured_peak_bytes": row.measured_peak_bytes,
                "predicted_peak_bytes": row.predicted_peak_bytes,
                "within_budget": row.within_budget,
                "recomputed_operations": row.recomputed_operations,
                "step_time_ratio": row.step_time_ratio,
                "loss_first": row.loss_first,
                "loss_last": row.loss_last,
                "gradients_equal": row.gradients_equal,
                "planned_overhead": row.plan.overhead if row.plan is not None else None,
            }
            for row in result.rows
        ],
        "curve": [list(point) for point in result.curve],
    }

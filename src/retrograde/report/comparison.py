"""Strategies beside each other under several budgets: one table, one picture, one page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from retrograde.analysis import peak_bound_bytes
from retrograde.errors import BudgetError
from retrograde.graph import Graph
from retrograde.graph.units import format_bytes
from retrograde.planning import Plan
from retrograde.report import html
from retrograde.report.tables import Cell, Table, percent, recomputed_operations, short_bytes
from retrograde.report.timeline import timeline_figure
from retrograde.report.tradeoff import Curve, tradeoff_figure


@dataclass(frozen=True)
class Trial:
    """One strategy under one budget.

    Attributes:
        strategy: its name.
        budget_label: the budget as it was written.
        budget_bytes: the budget in bytes.
        plan: what was found; None where the strategy does not meet the budget.
        minimum_bytes: where it does not, the smallest peak that the strategy reaches.
    """

    strategy: str
    budget_label: str
    budget_bytes: int
    plan: Plan | None
    minimum_bytes: int | None = None


@dataclass(frozen=True)
class Comparison:
    """Every strategy under every budget, on one graph.

    Attributes:
        graph: the computation.
        bound_bytes: a proved bound on the peak of any schedule.
        trials: strategy by strategy, budgets in the order given.
        bounds: for each budget a proved lower bound on the overhead of any schedule, infinite where none can meet it;
            empty if none was looked for.
    """

    graph: Graph
    bound_bytes: int
    trials: tuple[Trial, ...]
    bounds: tuple[float, ...] = ()

    @property
    def strategies(self) -> tuple[str, ...]:
        """Names, in order."""
        return tuple(dict.fromkeys(trial.strategy for trial in self.trials))

    @property
    def budgets(self) -> tuple[tuple[str, int], ...]:
        """Labels and bytes, in order."""
        return tuple(dict.fromkeys((trial.budget_label, trial.budget_bytes) for trial in self.trials))


def compare(
    graph: Graph,
    budgets: Sequence[tuple[str, int]],
    strategies: Sequence[str],
    find: Callable[[int, str], Plan],
    bounds: Sequence[float] = (),
) -> Comparison:
    """Plan a graph with several strategies under several budgets.

    Args:
        graph: the computation.
        budgets: pairs of a label and bytes.
        strategies: names of strategies.
        find: a plan for a budget in bytes and a strategy, or a ``BudgetError``.
        bounds: for each budget a proved lower bound on the overhead.
    """
    trials: list[Trial] = []
    for strategy in strategies:
        for label, count in budgets:
            try:
                trials.append(Trial(strategy, label, count, find(count, strategy)))
            except BudgetError as error:
                trials.append(Trial(strategy, label, count, None, error.minimum_bytes))
    return Comparison(graph, peak_bound_bytes(graph), tuple(trials), tuple(bounds))


def comparison_table(comparison: Comparison) -> Table:
    """One row a strategy, one column a budget: the extra time, or a dash where the budget is not met."""
    rows: list[tuple[Cell | str, ...]] = []
    by_key = {(t.strategy, t.budget_bytes): t for t in comparison.trials}
    best = {count: _least_overhead(comparison, count) for _, count in comparison.budgets}
    for strategy in comparison.strategies:
        trials = [by_key[strategy, count] for _, count in comparison.budgets]
        rows.append((strategy, *(_trial_cell(t, best[t.budget_bytes]) for t in trials), _smallest_peak(trials)))
    if comparison.bounds:
        rows.append(("proved necessary", *map(_bound_cell, comparison.bounds), ""))
    columns = ("strategy", *(f">{_budget_column(label, count)}" for label, count in comparison.budgets))
    store_all = comparison.graph.store_all_peak_bytes
    notes = (
        f"Extra time over running each operation once; a dash where the strategy does not meet the budget. "
        f"Unplanned peak {format_bytes(store_all)}; no schedule goes below {format_bytes(comparison.bound_bytes)}.",
    )
    title = f"Extra time by budget: {comparison.graph.name or 'a graph'}"
    return Table(title, (*columns, ">smallest\npeak seen"), tuple(rows), notes)


def _budget_column(label: str, count: int) -> str:
    return f"{label}\n{short_bytes(count)}" if label.endswith("%") else label


def _least_overhead(comparison: Comparison, count: int) -> float:
    found = [t.plan.overhead for t in comparison.trials if t.plan is not None and t.budget_bytes == count]
    return min(found, default=0.0)


def _trial_cell(trial: Trial, best: float) -> Cell:
    if trial.plan is None:
        return Cell("–", "muted")
    return Cell(percent(trial.plan.overhead), "good" if trial.plan.overhead <= best + 1e-12 else "")


def _bound_cell(bound: float) -> Cell:
    return Cell("no plan can" if bound == float("inf") else percent(bound), "muted")


def _smallest_peak(trials: Sequence[Trial]) -> str:
    peaks = [t.plan.peak_bytes if t.plan is not None else t.minimum_bytes for t in trials]
    return short_bytes(min(p for p in peaks if p is not None))


def comparison_figure(comparison: Comparison) -> html.Figure:
    """The trade-off curves of all strategies."""
    whole = comparison.graph.store_all_peak_bytes or 1
    curves = [
        Curve(
            strategy,
            tuple(
                (t.budget_bytes / whole, t.plan.overhead)
                for t in comparison.trials
                if t.strategy == strategy and t.plan is not None
            ),
        )
        for strategy in comparison.strategies
    ]
    floor = zip(comparison.budgets, comparison.bounds, strict=False)
    beneath = tuple((count / whole, bound) for (_, count), bound in floor if bound != float("inf"))
    if beneath:
        curves.append(Curve("proved necessary", beneath, "muted", dashed=True))
    return tradeoff_figure(curves, bound_fraction=comparison.bound_bytes / whole)


def comparison_page(comparison: Comparison) -> str:
    """A self-contained page: the table, the curves, and the timeline of the best plan under each budget."""
    graph = comparison.graph
    parts = [
        html.table(comparison_table(comparison), titled=False),
        html.heading("What a smaller budget costs"),
        html.figure(comparison_figure(comparison), "Each point is a verified plan; less memory to the right."),
        html.heading("The cheapest plan under each budget"),
    ]
    for label, count in comparison.budgets:
        plans = [t.plan for t in comparison.trials if t.plan is not None and t.budget_bytes == count]
        if not plans:
            parts.append(html.paragraph(f"No strategy meets {label} ({format_bytes(count)})."))
            continue
        best = min(plans, key=lambda plan: (plan.cost, plan.peak_bytes))
        repeated = f"{recomputed_operations(best):,} operations run again"
        caption = f"Strategy {best.strategy}: {percent(best.overhead)} extra time, {repeated}."
        parts.append(html.figure(timeline_figure(graph, best, heading=f"Budget {label}"), caption))
    lead = f"{len(graph.operations):,} operations, unplanned peak {format_bytes(graph.store_all_peak_bytes)}."
    return html.page(f"Budgets and strategies: {graph.name or 'a graph'}", lead, parts)


def comparison_json(comparison: Comparison) -> dict[str, Any]:
    """The comparison as what JSON can hold."""
    return {
        "graph": comparison.graph.fingerprint,
        "store_all_peak_bytes": comparison.graph.store_all_peak_bytes,
        "bound_bytes": comparison.bound_bytes,
        "bounds": [
            {"budget": label, "budget_bytes": count, "bound": None if bound == float("inf") else bound}
            for (label, count), bound in zip(comparison.budgets, comparison.bounds, strict=False)
        ],
        "trials": [
            {
                "strategy": t.strategy,
                "budget": t.budget_label,
                "budget_bytes": t.budget_bytes,
                "feasible": t.plan is not None,
                "minimum_bytes": t.minimum_bytes,
                "peak_bytes": t.plan.peak_bytes if t.plan else None,
                "overhead": t.plan.overhead if t.plan else None,
                "bound": t.plan.bound if t.plan else None,
                "recomputed_operations": recomputed_operations(t.plan) if t.plan else None,
            }
            for t in comparison.trials
        ],
    }

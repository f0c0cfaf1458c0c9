"""``retrograde plan``: one graph, one budget, one plan."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from retrograde.cli.loading import load_graph
from retrograde.cli.printing import check_writable, print_json, print_tables, write_file
from retrograde.cli.tiers import parse_tier
from retrograde.errors import BudgetError
from retrograde.graph import Graph
from retrograde.planning import Plan, Tier


@click.command("plan")
@click.argument("target", metavar="GRAPH.json | MODULE:FACTORY")
@click.option("--budget", required=True, help='Bytes, "8 GiB", "800 MB", or "40%" of the unplanned peak.')
@click.option("--strategy", default="auto", show_default=True, help="How to look for the plan.")
@click.option("--time-limit", type=click.FloatRange(min=0), default=20.0, show_default=True, help="Seconds of search.")
@click.option("--iterations", type=click.IntRange(min=0), help="Steps of search, in place of the time limit.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the search's random numbers.")
@click.option(
    "--tier",
    "tiers",
    multiple=True,
    metavar="NAME:write=2GB/s,read=3GB/s",
    help="A slower place to spill to; costs are then seconds. Also latency=1ms, capacity=80GiB, duplex.",
)
@click.option("-o", "--output", metavar="PLAN.json", help="Write the plan to a file.")
@click.option("--html", "html_path", metavar="PAGE.html", help="Write a page with the plan's memory timeline.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON to standard output.")
def plan_command(
    target: str,
    budget: str,
    strategy: str,
    time_limit: float,
    iterations: int | None,
    seed: int,
    tiers: tuple[str, ...],
    output: str | None,
    html_path: str | None,
    as_json: bool,
) -> None:
    """Plan a computation within a memory budget.

    The computation is a graph in a JSON file, or what FACTORY in MODULE (importable from the current directory)
    returns: a retrograde.Graph, or (torch module, example inputs), with a loss as a third item if there is one.

    Exits with 3 if the budget cannot be met, saying which one can. An interrupt (Ctrl-C) ends the search: the best plan
    found so far is printed; if none fits yet, there is nothing to print and the exit code tells of the interrupt.
    """
    from retrograde.analysis import peak_bound_bytes
    from retrograde.planning import Budget
    from retrograde.report import choices_table, plan_table

    check_writable(output, html_path)
    asked = Budget(int(budget) if budget.isdecimal() else budget)
    graph = load_graph(target)
    limits: dict[str, Any] = {"time_limit": time_limit, "iterations": iterations, "seed": seed}
    found = _plan(graph, asked, strategy, [parse_tier(tier) for tier in tiers], limits, as_json)
    if output is not None:
        write_file(output, found.to_json())
    if html_path is not None:
        write_file(html_path, _page(graph, found))
    bound_bytes = peak_bound_bytes(graph)
    if as_json:
        print_json(_summary(graph, found, bound_bytes))
    else:
        choices = [choices_table(graph, found)] if graph.has_choices else []
        print_tables([plan_table(graph, found, bound_bytes), *choices])


def _plan(graph: Graph, budget: Any, strategy: str, tiers: list[Tier], limits: dict[str, Any], as_json: bool) -> Plan:
    from retrograde.planning import plan
    from retrograde.runtime.progress import ProgressReporter

    try:
        with ProgressReporter() as reporter:
            return plan(graph, budget, strategy, tiers=tiers, progress=reporter, **limits)
    except KeyboardInterrupt:
        if strategy not in ("auto", "search") or tiers or graph.has_choices:
            raise
        return _best_so_far(graph, budget, strategy)
    except BudgetError as error:
        if as_json:
            print_json(
                {
                    "feasible": False,
                    "strategy": strategy,
                    "budget_bytes": error.budget_bytes,
                    "minimum_bytes": error.minimum_bytes,
                    "bound_bytes": error.bound_bytes,
                    "store_all_peak_bytes": graph.store_all_peak_bytes,
                }
            )
        raise


def _best_so_far(graph: Graph, budget: Any, strategy: str) -> Plan:
    """The best plan that an interrupted search has in hand; where none fits, the interrupt goes on."""
    from retrograde.planning.searching.record import best_in_hand

    found = best_in_hand(graph, budget.resolve(graph.store_all_peak_bytes), strategy)
    if found is None:
        raise KeyboardInterrupt
    click.echo("retrograde: interrupted; this is the best plan found so far", err=True)
    return found


def _summary(graph: Graph, plan: Plan, bound_bytes: int) -> dict[str, Any]:
    from retrograde.planning.choices import choices_used
    from retrograde.report.tables import recomputed_operations

    return {
        "feasible": True,
        "strategy": plan.strategy,
        "budget_bytes": plan.budget_bytes,
        "peak_bytes": plan.peak_bytes,
        "bound_bytes": bound_bytes,
        "store_all_peak_bytes": graph.store_all_peak_bytes,
        "cost": plan.cost,
        "base_cost": plan.base_cost,
        "overhead": plan.overhead,
        "bound": plan.bound,
        "gap": plan.gap,
        "operations": len(graph.operations),
        "recomputed_operations": recomputed_operations(plan),
        **_transfers(graph, plan),
        "choices": {str(operation): choices for operation, choices in choices_used(plan).items()},
        "graph": plan.graph,
        "statistics": dict(plan.statistics),
    }


def _transfers(graph: Graph, plan: Plan) -> dict[str, Any]:
    """What a plan with tiers moves, and what it waits for."""
    seen = plan.verify(graph)
    if seen.timeline is None:
        return {}
    return {
        "spilled_bytes": seen.spilled_bytes,
        "waiting_seconds": seen.timeline.waiting,
        "tiers": [
            {**asdict(tier), "most_bytes": most}
            for tier, most in zip(plan.tiers, seen.timeline.tier_bytes, strict=True)
        ],
    }


def _page(graph: Graph, plan: Plan) -> str:
    from retrograde.analysis import peak_bound_bytes
    from retrograde.report import choices_table, html, plan_table, timeline_figure

    parts = [
        html.table(plan_table(graph, plan, peak_bound_bytes(graph)), titled=False),
        html.heading("Memory timeline"),
        html.figure(timeline_figure(graph, plan), "The thin line is the given order with nothing recomputed."),
    ]
    if graph.has_choices:
        parts += [html.heading("Choices"), html.table(choices_table(graph, plan), titled=False)]
    return html.page(f"Plan of {graph.name}", f"Strategy {plan.strategy}.", parts)

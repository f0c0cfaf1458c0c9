"""``retrograde compare``: strategies and budgets beside each other."""

from __future__ import annotations

from typing import Any

import click

from retrograde.cli.loading import load_graph
from retrograde.cli.printing import check_writable, print_json, print_tables, write_file
from retrograde.errors import UsageError
from retrograde.graph import Graph
from retrograde.planning import Plan


@click.command("compare")
@click.argument("target", metavar="GRAPH.json | MODULE:FACTORY")
@click.option(
    "--budgets",
    default="80,60,40,20",
    show_default=True,
    help='Separated by commas. Bare numbers up to 100 are percent of the unplanned peak; or "8 GiB", "800 MB", bytes.',
)
@click.option("--strategies", help="Names separated by commas; auto and the simple ones when left out.")
@click.option("--time-limit", type=click.FloatRange(min=0), default=20.0, show_default=True, help="Seconds a search.")
@click.option("--iterations", type=click.IntRange(min=0), help="Steps of a search, in place of the time limit.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the search's random numbers.")
@click.option("--html", "html_path", metavar="PAGE.html", help="Write a page with the trade-off curves.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON to standard output.")
def compare_command(
    target: str,
    budgets: str,
    strategies: str | None,
    time_limit: float,
    iterations: int | None,
    seed: int,
    html_path: str | None,
    as_json: bool,
) -> None:
    """Compare strategies under several budgets: one table, and with --html one page with the trade-off curves.

    A strategy that does not meet a budget has a dash there; that is no failure.
    """
    from retrograde.planning import plan, tradeoff
    from retrograde.planning.tradeoff import bounds_beneath
    from retrograde.report import compare, comparison_json, comparison_page, comparison_table
    from retrograde.runtime.progress import ProgressReporter

    check_writable(html_path)
    names = _strategy_names(strategies)
    texts = _budget_texts(budgets)
    graph = load_graph(target)
    asked = [(text, _resolved(graph, text)) for text in texts]
    with ProgressReporter() as reporter:
        counts = [count for _, count in asked]
        limits: dict[str, Any] = {"iterations": iterations, "seed": seed, "progress": reporter}
        together: dict[int, Plan | None] = {}
        if "auto" in names:
            scale = len(set(counts))
            steps = None if iterations is None else iterations * scale
            curve = tradeoff(graph, counts, **{**limits, "time_limit": time_limit * scale, "iterations": steps})
            together = {point.budget_bytes: point.plan for point in curve}
            bounds = [next(p.bound for p in curve if p.budget_bytes == count) for count in counts]
        else:
            bounds = bounds_beneath(graph, counts)

        def find(budget_bytes: int, strategy: str) -> Plan:
            if strategy == "auto" and (found := together.get(budget_bytes)) is not None:
                return found
            return plan(graph, budget_bytes, strategy, time_limit=time_limit, bound=False, **limits)

        comparison = compare(graph, asked, names, find, bounds)
    if html_path is not None:
        write_file(html_path, comparison_page(comparison))
    if as_json:
        print_json(comparison_json(comparison))
    else:
        print_tables([comparison_table(comparison)])


def _strategy_names(text: str | None) -> list[str]:
    from retrograde.planning.strategies import SEARCHES, STRATEGIES

    known = [*SEARCHES, *STRATEGIES]
    names = ["auto", *STRATEGIES] if text is None else [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        asked = repr(unknown[0]) if unknown else "named in --strategies"
        raise UsageError(f"there is no strategy {asked}; the strategies are {', '.join(known)}")
    return list(dict.fromkeys(names))


def _budget_texts(text: str) -> list[str]:
    from retrograde.planning import Budget

    texts: list[str] = []
    for part in (part.strip() for part in text.split(",")):
        number = part.replace(".", "", 1)
        label = f"{part}%" if number.isdecimal() and float(part) <= 100 else part
        Budget(int(label) if label.isdecimal() else label)
        texts.append(label)
    return list(dict.fromkeys(texts))


def _resolved(graph: Graph, text: str) -> int:
    from retrograde.planning import Budget

    return Budget(int(text) if text.isdecimal() else text).resolve(graph.store_all_peak_bytes)

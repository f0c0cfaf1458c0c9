"""The analysis as plain text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from retrograde.graph.check import describe_operation
from retrograde.graph.units import format_bytes

if TYPE_CHECKING:
    from retrograde.analysis.analyze import Analysis


def analysis_report(analysis: Analysis) -> str:
    """The text of ``Analysis.report``."""
    graph = analysis.graph
    title = f"Analysis of {graph.name or 'a graph'}"
    sections = [
        f"{title}\n{'=' * len(title)}",
        f"{len(graph.operations):,} operations, {len(graph.values):,} values in {len(graph.storages):,} storages, "
        f"{_count(graph.segment_count, 'segment')}, {_count(len(graph.outputs), 'output')}",
        _section("Frontier of the given order, nothing recomputed", _frontier_rows(analysis)),
        _section("Largest working set", [_working_set_row(analysis)]),
        _section("Peaks of several orders, nothing recomputed", _order_rows(analysis)),
        _section("No schedule goes below (lower bounds on the peak)", _bound_rows(analysis)),
        _section("Shape", _shape_rows(analysis)),
        _conclusion(analysis),
    ]
    return "\n\n".join(sections) + "\n"


def _section(title: str, rows: Sequence[tuple[str, str, str]]) -> str:
    left = max(len(row[0]) for row in rows)
    middle = max(len(row[1]) for row in rows)
    lines = [f"  {name:<{left}}  {number:>{middle}}  {note}".rstrip() for name, number, note in rows]
    return "\n".join([title, *lines])


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def _frontier_rows(analysis: Analysis) -> list[tuple[str, str, str]]:
    graph, frontier = analysis.graph, analysis.frontier
    rows = [("peak", format_bytes(frontier.peak_bytes), "")]
    if graph.order:
        operation = describe_operation(graph, graph.order[frontier.peak_position])
        place = f"at position {frontier.peak_position:,} of {len(graph.order):,}, {operation}"
        rows = [("peak", format_bytes(frontier.peak_bytes), place)]
    return [
        *rows,
        (
            "mean",
            format_bytes(frontier.mean_bytes),
            f"{frontier.near_peak:.0%} of positions within a tenth of the peak",
        ),
        ("tail", format_bytes(frontier.tail_bytes), "live after the last operation: the outputs"),
    ]


def _working_set_row(analysis: Analysis) -> tuple[str, str, str]:
    index = analysis.largest_working_set
    if index is None:
        return ("none", "", "the graph has no operations")
    return (describe_operation(analysis.graph, index), format_bytes(analysis.working_set_bytes[index]), "")


def _order_rows(analysis: Analysis) -> list[tuple[str, str, str]]:
    best, given = analysis.best_order, analysis.frontier.peak_bytes
    rows: list[tuple[str, str, str]] = []
    for order in analysis.orders:
        share = f"{order.peak_bytes / given:.0%} of the given order" if given else ""
        note = share + (", the smallest" if order is best else "")
        rows.append((order.name, format_bytes(order.peak_bytes), note))
    return rows


def _bound_rows(analysis: Analysis) -> list[tuple[str, str, str]]:
    return [
        (b.name, format_bytes(b.bytes), b.place + ("" if b.holds_with_spilling else " (if nothing is spilled)"))
        for b in analysis.bounds
        if b.bytes
    ] or [("none above 0", "", "")]


def _shape_rows(analysis: Analysis) -> list[tuple[str, str, str]]:
    shape = analysis.structure
    return [
        ("depth", f"{shape.depth:,}", "operations on the longest path"),
        ("width", f"{shape.width:,}", "operations at the widest level"),
        ("fan-out", f"{shape.mean_fan_out:.2f}", f"readers a value on average, {shape.largest_fan_out:,} at most"),
        ("shared", f"{shape.shared_values:,}", "values with more than one reader"),
        ("once only", f"{shape.once_only:,}", "operations that may not run twice"),
        ("narrow points", f"{len(shape.narrow_points):,}", "places where the order carries little within its segment"),
    ]


def _conclusion(analysis: Analysis) -> str:
    bound, peak = analysis.bound_without_spilling_bytes, analysis.frontier.peak_bytes
    if bound >= peak:
        return f"The given order meets the lower bound of {format_bytes(bound)}: recomputation can gain nothing."
    return (
        f"The given order peaks at {analysis.frontier_ratio:.2f} times the lower bound of {format_bytes(bound)}: "
        f"no budget below {bound / peak:.1%} of its peak can be met without spilling."
    )

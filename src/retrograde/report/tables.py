"""Tables as data, for the terminal and for pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from retrograde.graph import Graph
from retrograde.graph.units import format_bytes
from retrograde.planning import Compute, Plan
from retrograde.report.scales import byte_unit

if TYPE_CHECKING:
    import rich.table

_STYLES = {"": "", "good": "green", "bad": "bold red", "muted": "dim"}


@dataclass(frozen=True)
class Cell:
    """A text with a tone: ``"good"``, ``"bad"``, ``"muted"``, or none."""

    text: str
    tone: str = ""


@dataclass(frozen=True)
class Table:
    """Rows under named columns.

    Attributes:
        title: above the table.
        columns: their names; one that begins with ``>`` holds numbers and is set flush right.
        rows: texts or cells, as many in each row as there are columns.
        notes: sentences below the table.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell | str, ...], ...]
    notes: tuple[str, ...] = ()


def as_cell(cell: Cell | str) -> Cell:
    """A cell out of a cell or a text."""
    return cell if isinstance(cell, Cell) else Cell(cell)


def rich_table(table: Table) -> rich.table.Table:
    """The table for a terminal, without its title and notes."""
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    built = RichTable(
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        show_edge=False,
        collapse_padding=True,
        show_header=any(column.strip(">") for column in table.columns),
    )
    for column in table.columns:
        numeric = column.startswith(">")
        built.add_column(Text(column.removeprefix(">")), justify="right" if numeric else "left", no_wrap=numeric)
    for row in table.rows:
        built.add_row(*(Text(cell.text, style=_STYLES[cell.tone]) for cell in map(as_cell, row)))
    return built


def short_bytes(count: float) -> str:
    """Bytes in three digits, for narrow columns.

    Example:
        >>> short_bytes(1536), short_bytes(123.4 * 2**20)
        ('1.50 KiB', '123 MiB')
    """
    size, unit = byte_unit(count)
    number = count / size
    digits = 0 if unit == "B" or number >= 99.95 else 1 if number >= 9.995 else 2
    return f"{number:.{digits}f} {unit}"


def percent(fraction: float) -> str:
    """A fraction as tables write it.

    Example:
        >>> percent(0.1234), percent(12.3), percent(0.00136)
        ('12.3 %', '1,230 %', '0.14 %')
    """
    if 0 < abs(fraction) < 0.00995:
        return f"{100 * fraction:.2f} %"
    return f"{100 * fraction:,.0f} %" if abs(fraction) >= 9.995 else f"{100 * fraction:.1f} %"


def recomputed_operations(plan: Plan) -> int:
    """How many runs of operations a plan has beyond the first of each."""
    runs = [action.operation for action in plan.actions if isinstance(action, Compute)]
    return len(runs) - len(set(runs))


def plan_table(graph: Graph, plan: Plan, bound_bytes: int) -> Table:
    """What a plan achieves, one line a fact.

    Args:
        graph: the computation.
        plan: a plan for it.
        bound_bytes: a proved bound on the peak of any schedule.
    """
    store_all = graph.store_all_peak_bytes
    budget: tuple[str, str, str] = ("none", "", "")
    if plan.budget_bytes is not None:
        budget = _facts(plan.budget_bytes, store_all)
    segments = f"in {graph.segment_count} segment{'s' if graph.segment_count > 1 else ''}"
    rows: list[tuple[str, ...]] = [
        ("operations", f"{len(graph.operations):,}", "", segments),
        ("unplanned peak", *_facts(store_all, store_all)),
        ("budget", *budget),
        ("planned peak", *_facts(plan.peak_bytes, store_all)),
        ("no schedule below", *_facts(bound_bytes, store_all)),
        ("extra time", percent(plan.overhead), "", "over running each operation once"),
        ("of it proved necessary", percent(plan.bound), "", f"gap {percent(plan.gap)}"),
        ("operations run again", f"{recomputed_operations(plan):,}", "", ""),
        ("strategy", plan.strategy, "", ""),
    ]
    rows += _transfers(graph, plan)
    return Table(f"Plan of {graph.name or 'a graph'}", ("", ">", ">", ""), tuple(rows))


def _transfers(graph: Graph, plan: Plan) -> list[tuple[str, ...]]:
    """What a plan moves to slower tiers, and what it waits for."""
    seen = plan.verify(graph)
    if seen.timeline is None:
        if not seen.spilled_bytes:
            return []
        spilled = _facts(seen.spilled_bytes, graph.store_all_peak_bytes)
        return [("spilled", *spilled[:2], "the time of these transfers is not in the plan")]
    rows: list[tuple[str, ...]] = []
    for number, (tier, most) in enumerate(zip(plan.tiers, seen.timeline.tier_bytes, strict=True)):
        moved = sum(t.bytes for t in seen.timeline.transfers if t.is_write and t.tier == number)
        facts = _facts(moved, graph.store_all_peak_bytes)
        rows.append((f"spilled to {tier.name}", *facts[:2], f"at most {format_bytes(most)} at any moment"))
    waiting = seen.timeline.waiting
    rows.append(("waiting for transfers", f"{waiting:.3g} s", percent(waiting / plan.base_cost), "in the extra time"))
    return rows


def _facts(count: int, whole: int) -> tuple[str, str, str]:
    """A number of bytes for people, as a share of the unplanned peak, and exactly."""
    return format_bytes(count), percent(count / whole) if whole else "", f"{count:,} bytes"

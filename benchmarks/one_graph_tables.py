"""The results of ``torch_one_graph.py`` as tables, for the terminal and in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from targets import Target, duels
from timing import Ratio
from trials import ModelResult, Row

from retrograde.graph.units import format_bytes
from retrograde.report import Cell, Table
from retrograde.report.tables import as_cell, percent, short_bytes

_KINDS = ("eager", "engine", "budget", "checkpoint", "activation budget")


def model_tables(result: ModelResult) -> list[Table]:
    """One table of budgets and peers, one of peers against plans at the same peak."""
    return [_variants(result), *_comparisons(result)]


def _variants(result: ModelResult) -> Table:
    peak = result.store_all_peak_bytes
    columns = (
        "variant",
        ">budget",
        ">measured peak",
        ">of store-all",
        ">predicted",
        ">planned",
        ">extra time",
        ">runs again",
        "gradients",
    )
    kinds = {kind: [row for row in result.rows if row.kind == kind] for kind in _KINDS}
    kinds["budget"].sort(key=lambda row: -(row.budget_bytes or 0))
    rows = [_variant(row, result) for kind in _KINDS for row in kinds[kind]]
    eager = sorted(result.eager_seconds)[len(result.eager_seconds) // 2]
    ratio = result.store_all_ratio
    notes = (
        f"{result.operations:,} operations; store-all peak {format_bytes(peak)}, of it "
        f"{short_bytes(result.gradient_bytes)} gradients; no schedule below {percent(result.bound_bytes / peak)}; "
        f"an eager step takes {1e3 * eager:.0f} ms.",
        f"Store-all through the engine takes {_times(ratio)} the time of plain eager." if ratio else "",
    )
    return Table(result.title, columns, tuple(rows), notes)


def _variant(row: Row, result: ModelResult) -> tuple[Cell | str, ...]:
    peak = result.store_all_peak_bytes
    asked = short_bytes(row.budget_bytes) if row.budget_bytes and row.kind != "engine" else ""
    if row.minimum_bytes is not None:
        smallest = f"infeasible; smallest {short_bytes(row.minimum_bytes)}"
        return (row.name, asked, Cell(smallest, "muted"), percent(row.minimum_bytes / peak), "", "", "", "", "")
    measured = max(row.peaks)
    kept = row.budget_bytes is None or measured <= row.budget_bytes
    predicted = row.predicted_peak_bytes
    return (
        row.name,
        asked,
        Cell(short_bytes(measured), "" if kept else "bad"),
        percent(measured / peak),
        f"{100 * (predicted / measured - 1):+.2f} %" if predicted else "",
        percent(row.planned_extra) if row.planned_extra is not None and row.kind != "engine" else "",
        "reference" if row.reference == row.name else _spread(row.extra),
        f"{row.recomputed:,}" if row.kind == "budget" else "",
        Cell("equal", "good") if row.gradients_equal else Cell("differ", "bad" if row.kind == "budget" else "muted"),
    )


def _comparisons(result: ModelResult) -> list[Table]:
    rows: list[tuple[Cell | str, ...]] = []
    for duel in duels(result):
        good = duel.ratio is not None and duel.ratio <= 0.9
        rows.append(
            (
                duel.peer.name,
                short_bytes(min(duel.peer.peaks)),
                _spread(duel.peer.extra),
                _ours(duel.ours),
                percent(duel.ours.planned_extra) if duel.ours and duel.ours.planned_extra is not None else "",
                Cell(f"{duel.ratio:.2f}" if duel.ratio is not None else "none", "good" if good else "bad"),
            )
        )
    if not rows:
        return []
    columns = ("peer", ">its peak", ">its extra time", ">ours in that peak", ">planned", ">ratio")
    return [Table(f"{result.title}: at each peer's own peak", columns, tuple(rows))]


def _ours(row: Row | None) -> str:
    if row is None:
        return "not planned in this run"
    return _spread(row.extra) if row.extra is not None else "infeasible"


def targets_table(found: Sequence[Target]) -> Table:
    """Each target with the figure reached."""
    rows = [
        (target.claim, target.figure, Cell("reached", "good") if target.reached else Cell("missed", "bad"))
        for target in found
    ]
    return Table("Numbers to reach", ("target", "found", ""), tuple(rows))


def markdown(table: Table) -> str:
    """A table in Markdown, under a heading."""
    head = "| " + " | ".join(column.strip(">") or " " for column in table.columns) + " |"
    rule = "|" + "|".join(" ---: " if column.startswith(">") else " --- " for column in table.columns) + "|"
    body = ["| " + " | ".join(as_cell(cell).text for cell in row) + " |" for row in table.rows]
    notes = [note for note in table.notes if note]
    return "\n".join([f"### {table.title}", "", *(f"{note}\n" for note in notes), head, rule, *body, ""])


def _spread(ratio: Ratio | None) -> str:
    if ratio is None:
        return ""
    return f"{percent(ratio.median)} ({100 * ratio.low:.1f} to {100 * ratio.high:.1f})"


def _times(ratio: Ratio) -> str:
    return f"{ratio.median:.3f} × ({ratio.low:.3f} to {ratio.high:.3f})"

"""An explanation as tables, for the terminal and for pages."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

from retrograde.graph.units import format_bytes
from retrograde.report.tables import Cell, Table, percent, short_bytes
from retrograde.torch.explain.account import KINDS, GraphExplanation, LiveStorage, OperationRow, Peak, sum_rows

MOST_MODULES = 24
"""Rows of the table of modules: it shows the tree down to the depth that fits."""

_MOST_LINES = 12
_BAR_WIDTH = 24
_MARKS = ("█", "▒", "↓", "·")

Item = TypeVar("Item")
Key = TypeVar("Key", bound=Hashable)


def tables_of(explained: GraphExplanation, *, bars: bool = True) -> list[Table]:
    """The tables of one plan: totals, modules, what is computed again, what is live at the peak.

    Args:
        explained: what to show.
        bars: whether to draw bars out of characters.
    """
    tables = [totals_table(explained), modules_table(explained, bars=bars)]
    if explained.totals.extra_runs:
        tables.append(recomputed_table(explained))
    return [*tables, peak_table(explained, bars=bars), storages_table(explained)]


# Totals


def totals_table(explained: GraphExplanation) -> Table:
    """A plan in numbers, one line a fact."""
    totals = explained.totals
    whole = totals.store_all_peak_bytes
    once = totals.forward_seconds + totals.backward_seconds
    budget = ("none", "") if totals.budget_bytes is None else _bytes_of(totals.budget_bytes, whole)
    again = "nothing is computed again"
    if totals.extra_runs:
        again = f"{totals.recomputed:,} of {totals.operations:,} operations, {totals.extra_runs:,} more runs"
    rows: list[tuple[Cell | str, ...]] = [
        ("peak", *_bytes_of(totals.peak_bytes, whole), "planned"),
        ("budget", *budget, ""),
        ("unplanned peak", *_bytes_of(whole, whole), "every storage kept to its last use"),
        ("kept", short_bytes(totals.kept_bytes), "", "from the forward to the backward pass"),
        ("recomputed", short_bytes(totals.recomputed_bytes), "", again),
        ("spilled", short_bytes(totals.spilled_bytes), "", "to a slower tier and back"),
        ("forward", milliseconds(totals.forward_seconds), percent(totals.forward_seconds / once) if once else "", ""),
        (
            "backward",
            milliseconds(totals.backward_seconds),
            percent(totals.backward_seconds / once) if once else "",
            "",
        ),
        ("recomputation", milliseconds(totals.recompute_seconds), percent(totals.overhead), "more time"),
    ]
    return Table(f"{explained.name}: what its plan does", ("", ">", ">", ""), tuple(rows))


def _bytes_of(count: int, whole: int) -> tuple[str, str]:
    return format_bytes(count), percent(count / whole) if whole else ""


# Modules


def module_rows(explained: GraphExplanation) -> list[tuple[OperationRow, OperationRow | None]]:
    """For each submodule, down to the depth that fits, its forward and its backward operations added up."""
    forward = [row for row in explained.rows if row.phase == "forward"]
    depth = _depth_that_fits([row.module for row in forward])
    types = {row.module: row.module_type for row in explained.rows}
    backward = _grouped([row for row in explained.rows if row.phase == "backward"], lambda row: _cut(row.module, depth))
    found: list[tuple[OperationRow, OperationRow | None]] = []
    for module, rows in _grouped(forward, lambda row: _cut(row.module, depth)).items():
        behind = sum_rows(backward[module]) if module in backward else None
        found.append((sum_rows(rows, module=module, module_type=types.get(module, "")), behind))
    return found


def modules_table(explained: GraphExplanation, *, bars: bool = True) -> Table:
    """For each submodule what its forward makes and what becomes of that."""
    rows = module_rows(explained)
    most = max((row.made_bytes for row, _ in rows), default=0)
    spills = explained.totals.spilled_bytes > 0
    columns = ["module", "", ">forward", ">backward", ">again", ">kept", ">recomputed"]
    columns += [">spilled"] if spills else []
    columns += ["what becomes of the forward's bytes"] if bars else []
    cells = [_module_cells(row, behind, spills) + ([_bar(row, most)] if bars else []) for row, behind in rows]
    marks = ", ".join(f"{mark} {word}" for mark, word in zip(_MARKS, _words(spills), strict=False) if word)
    notes = (f"{marks}.",) if bars else ()
    return Table("By module", tuple(columns), tuple(map(tuple, cells)), notes)


def _words(spills: bool) -> tuple[str, ...]:
    return ("kept", "recomputed", "spilled" if spills else "", "released in the forward")


def _module_cells(row: OperationRow, behind: OperationRow | None, spills: bool) -> list[Cell | str]:
    cells: list[Cell | str] = [
        row.module or "(top level)",
        Cell(row.module_type, "muted"),
        milliseconds(row.seconds),
        milliseconds(behind.seconds if behind else 0.0),
        _or_dash(row.extra_runs, f"{milliseconds(row.recompute_seconds)}, {row.recomputed}/{row.operations} ops"),
        _or_dash(row.kept_bytes, short_bytes(row.kept_bytes)),
        _or_dash(row.recomputed_bytes, short_bytes(row.recomputed_bytes)),
    ]
    return cells + ([_or_dash(row.spilled_bytes, short_bytes(row.spilled_bytes))] if spills else [])


def _bar(row: OperationRow, most: int) -> str:
    """The bytes that a row makes as characters, in parts that add up to the length of the whole."""
    parts = (row.kept_bytes, row.recomputed_bytes, row.spilled_bytes, row.released_bytes)
    text, so_far = "", 0
    for mark, part in zip(_MARKS, parts, strict=True):
        so_far += part
        length = round(_BAR_WIDTH * so_far / most) if most else 0
        text += mark * (max(length, len(text) + 1 if part and length else 0) - len(text))
    return text


def _depth_that_fits(modules: Sequence[str]) -> int:
    deepest = max((module.count(".") + 1 for module in modules if module), default=0)
    depths = range(deepest, 1, -1)
    return next((d for d in depths if len({_cut(module, d) for module in modules}) <= MOST_MODULES), 1)


def _cut(module: str, depth: int) -> str:
    return ".".join(module.split(".")[:depth])


# What is computed again


def recomputed_table(explained: GraphExplanation) -> Table:
    """What is computed again, by module (the numbers of a list of modules as ``*``) and line; most time first."""
    again = [row for row in explained.rows if row.extra_runs]
    groups = _grouped(again, lambda row: (_pattern(row.module), row.source, row.operator))
    summed = sorted((sum_rows(rows, module=key[0]) for key, rows in groups.items()), key=_most_time)
    shown, rest = summed[:_MOST_LINES], summed[_MOST_LINES:]
    rows = [
        (
            row.module or "(top level)",
            Cell(short_source(row.source), "muted"),
            row.operator.removeprefix("aten."),
            f"{row.recomputed:,}",
            f"{row.extra_runs:,}",
            f"{row.most_runs}×",
            milliseconds(row.recompute_seconds),
            short_bytes(row.recomputed_bytes),
        )
        for row in shown
    ]
    columns = ("module", "line", "operator", ">operations", ">more runs", ">at most", ">time", ">bytes")
    seconds = sum(row.recompute_seconds for row in rest)
    notes = (f"{len(rest)} more kinds take {milliseconds(seconds)} together.",) if rest else ()
    return Table("Computed again, most time first", columns, tuple(rows), notes)


def _most_time(row: OperationRow) -> tuple[float, int, str]:
    return (-row.recompute_seconds, -row.recomputed_bytes, row.module)


def _pattern(module: str) -> str:
    return re.sub(r"(?<![^.\[])\d+(?![^.\]])", "*", module)


# The peak


def peak_sentence(peak: Peak) -> str:
    """Where the peak is, in a line."""
    if not peak.live:
        return "Nothing is allocated."
    where = "in your own code" if peak.phase == "outside" else f"in the {peak.phase} pass"
    when = f"action {peak.action + 1:,} of {peak.actions:,}, {where}"
    if not peak.operator:
        return f"At the peak ({when}): between two operations."
    again = "" if peak.first_run else " again"
    where = f" of {peak.module}" if peak.module else ""
    line = f", {short_source(peak.source)}" if peak.source else ""
    return f"At the peak ({when}): {peak.operator} runs{again}{where}{line}."


def peak_table(explained: GraphExplanation, *, bars: bool = True) -> Table:
    """What is live at the peak, by the reason why; the lines sum to the peak."""
    peak = explained.peak
    kinds = peak.bytes_by_kind()
    most = max(kinds.values(), default=0)
    rows: list[tuple[Cell | str, ...]] = []
    for kind, count in kinds.items():
        entries = [entry for entry in peak.live if entry.kind == kind]
        storages = sum(entry.storage is not None for entry in entries)
        bar = ["█" * round(_BAR_WIDTH * count / most)] if bars else []
        rows.append(
            (KINDS[kind], f"{storages:,}" if storages else "", short_bytes(count), percent(count / peak.bytes), *bar)
        )
    rows.append(("peak", "", short_bytes(peak.bytes), percent(1.0) if peak.bytes else "", *([""] if bars else [])))
    columns = ("live", ">storages", ">bytes", ">share", *([""] if bars else []))
    return Table(peak_sentence(peak), columns, tuple(rows))


def storages_table(explained: GraphExplanation) -> Table:
    """The largest storages at the peak; those of one size, origin and reason together."""
    peak = explained.peak
    groups = _grouped(
        peak.live, lambda entry: (_pattern(entry.module), entry.source, entry.kind, entry.operator or entry.name)
    )
    ordered = sorted(groups.values(), key=lambda entries: -sum(entry.bytes for entry in entries))
    rows = [_storage_cells(entries, peak) for entries in ordered[:_MOST_LINES]]
    rest = [entry for entries in ordered[_MOST_LINES:] for entry in entries]
    notes: tuple[str, ...] = ()
    if rest:
        count = sum(entry.bytes for entry in rest)
        notes = (f"{len(rest)} more storages hold {short_bytes(count)}, {percent(count / peak.bytes)} of the peak.",)
    columns = (">bytes", ">share", ">storages", "made by", "module", "line", "why")
    return Table("The largest at the peak", columns, tuple(rows), notes)


def _storage_cells(entries: Sequence[LiveStorage], peak: Peak) -> tuple[Cell | str, ...]:
    first = entries[0]
    count = sum(entry.bytes for entry in entries)
    many = len(entries) > 1
    return (
        short_bytes(count),
        percent(count / peak.bytes),
        str(len(entries)),
        first.operator.removeprefix("aten.") or first.name,
        (_pattern(first.module) if many else first.module) or "–",
        Cell(short_source(first.source), "muted"),
        KINDS[first.kind],
    )


# Words


def milliseconds(seconds: float) -> str:
    """Seconds in milliseconds, as the tables write them.

    Example:
        >>> milliseconds(0.0123), milliseconds(0.0)
        ('12.3 ms', '–')
    """
    if not seconds:
        return "–"
    return f"{seconds * 1e3:,.1f} ms" if seconds >= 1e-3 else f"{seconds * 1e3:.2f} ms"


def short_source(source: str) -> str:
    """A source line without its folders."""
    return os.path.basename(source)


def _or_dash(count: float, text: str) -> Cell:
    return Cell(text) if count else Cell("–", "muted")


def _grouped(items: Sequence[Item], key: Callable[[Item], Key]) -> dict[Key, list[Item]]:
    groups: dict[Key, list[Item]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups

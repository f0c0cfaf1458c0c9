"""Tables of what `kernel_times.py` measured, in Markdown."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

Row = dict[str, Any]
BEGIN, END = "<!-- kernel_times.py --page writes from here -->", "<!-- to here -->"
COLUMNS = {"retrograde": "retrograde", "jax": "JAX", "dace": "DaCe", "hand": "by hand", "forward": "forward"}


def milliseconds(row: Row, name: str) -> float | None:
    """What a contestant took, where it ran."""
    return row.get(name, {}).get("milliseconds")


def ratios(rows: Iterable[Row], over: str, under: str) -> list[float]:
    """One contestant's time over another's, of the rows that have both."""
    pairs = ((milliseconds(row, over), milliseconds(row, under)) for row in rows)
    return [over_time / under_time for over_time, under_time in pairs if over_time and under_time]


def geometric_mean(values: list[float]) -> float:
    """The mean of ratios; NaN of none."""
    return math.exp(sum(map(math.log, values)) / len(values)) if values else math.nan


def tables(rows: list[Row]) -> str:
    """A table for each size, and below it how the contestants compare."""
    sizes = dict.fromkeys(row["size"] for row in rows)
    return "\n\n".join(_table(size, [row for row in rows if row["size"] == size]) for size in sizes)


def put_into(page: Path, text: str) -> None:
    """Put the tables into a page of the documentation, in the place of those between the two comments."""
    before, begin, rest = page.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise SystemExit(f"{page} has no place for tables; put {BEGIN} and {END} where they belong")
    page.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}")


def _table(size: str, rows: list[Row]) -> str:
    names = [name for name in COLUMNS if any(milliseconds(row, name) for row in rows)]
    lines = [f"Size {size}, milliseconds:", ""]
    lines.append("| kernel | " + " | ".join(COLUMNS[name] for name in names) + " |")
    lines.append("|---|" + "--:|" * len(names))
    for row in rows:
        lines.append(f"| {row['kernel']} | " + " | ".join(_cell(row, name) for name in names) + " |")
    return "\n".join([*lines, "", *_summary(rows)])


def _cell(row: Row, name: str) -> str:
    found = milliseconds(row, name)
    if found is not None:
        return f"{found:.3g}" if found < 1000 else f"{found:.0f}"
    error = row.get(name, {}).get("error", "")
    return "–" if not error or error.startswith("KeyError") else "fails"


def _summary(rows: list[Row]) -> list[str]:
    lines: list[str] = []
    nests, stencils = ([row for row in rows if row["kind"] == kind] for kind in ("nest", "stencil"))
    for name, chosen, label in (
        ("jax", nests, "JAX over loop nests"),
        ("jax", stencils, "JAX over stencils"),
        ("jax", rows, "JAX over all"),
        ("dace", rows, "DaCe over all"),
    ):
        faster = ratios(chosen, name, "retrograde")
        if faster:
            slowest = min(faster)
            lines.append(
                f"- times faster than {label}: {geometric_mean(faster):.3g} in the geometric mean of {len(faster)}, "
                f"{slowest:.3g} at least"
            )
    for name, label in (("hand", "the adjoints by hand"), ("forward", "the compiled forward pass")):
        slower = ratios(rows, "retrograde", name)
        if slower:
            lines.append(
                f"- times the time of {label}: {geometric_mean(slower):.3g} in the geometric mean of {len(slower)}, "
                f"{max(slower):.3g} at most"
            )
    return lines

"""The report of a check of derivatives as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retrograde.report.tables import Cell, Table

if TYPE_CHECKING:
    from retrograde.autodiff.checking import GradientReport

_TONES = {"agrees": "good", "kink": "", "unclear": "muted", "right": "good", "wrong": "bad"}


def gradient_tables(report: GradientReport) -> list[Table]:
    """The verdict, the comparisons by argument, the worst of them, and the histogram of differences."""
    from retrograde.autodiff.checking.text import counts_text, histogram_rows

    groups = [
        (group.argument, group.mode, group.point, Cell(counts_text(group), "good" if group.passed else "bad"))
        + (f"{group.largest_error:.1e}",)
        for group in report.groups
    ]
    groups += [
        (identity.name, "", identity.point, Cell(*(("agrees", "good") if identity.passed else ("mistake", "bad"))))
        + (f"{identity.difference:.1e}",)
        for identity in report.identities
    ]
    worst = [
        (entry.place, entry.mode, entry.point, f"{entry.expected:.10g}", f"{entry.error:.0e}", f"{entry.found:.10g}")
        + (_status(entry.status),)
        for entry in report.worst
    ]
    verdict = (
        ("verdict", Cell(report.verdict, _TONES.get(report.verdict, ""))),
        ("method", report.method),
        ("rtol", f"{report.rtol:g}"),
        ("evaluations", f"{report.evaluations:,}"),
        ("seed", f"{report.seed}"),
    )
    tables = [
        Table(f"Derivatives of {report.function}", ("", ""), verdict, (*report.findings, *report.notes)),
        Table("By argument", ("argument", "mode", "point", "comparisons", ">largest difference"), tuple(groups)),
        Table(
            "Worst", ("place", "mode", "point", ">expected", ">± at most", ">found", ""), tuple(worst)
        ),
        Table("Relative differences", (">", "", ">"), tuple(histogram_rows(report))),
    ]
    return [table for table in tables if table.rows]


def _status(status: str) -> Cell:
    return Cell(status, _TONES.get(status, "bad"))

"""The report of a check of derivatives as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retrograde.report.tables import Cell, Table

if TYPE_CHECKING:
    from retrograde.autodiff.checking import GradientReport

_TONES = {"agrees": "good", "kink": "", "rounding": "", "unclear": "muted", "right": "good", "wrong": "bad"}


def gradient_tables(report: GradientReport) -> list[Table]:
    """The verdict, the comparisons by argument, the worst of them, and the histogram of differences."""
    from retrograde.autodiff.checking.text import counts_text, histogram_rows

    groups = [
        (group.argument, group.mode, group.point, _toned(counts_text(group), group.passed), _small(group.largest_error))
        for group in report.groups
    ]
    groups += [
        (one.name, "", one.point, _toned("agrees" if one.passed else "mistake", one.passed), _small(one.difference))
        for one in report.identities
    ]
    worst: list[tuple[Cell | str, ...]] = [
        (
            entry.place,
            entry.mode,
            entry.point,
            f"{entry.expected:.10g}",
            f"{entry.error:.0e}",
            f"{entry.found:.10g}",
            Cell(entry.status, _TONES.get(entry.status, "bad")),
        )
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
        Table("Worst", ("place", "mode", "point", ">expected", ">± at most", ">found", ""), tuple(worst)),
        Table("Relative differences", (">", "", ">"), tuple(histogram_rows(report))),
    ]
    return [table for table in tables if table.rows]


def _toned(text: str, passed: bool) -> Cell:
    return Cell(text, "good" if passed else "bad")


def _small(number: float) -> str:
    return f"{number:.1e}"

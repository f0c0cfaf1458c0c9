"""A report as plain text."""

from __future__ import annotations

from collections.abc import Sequence

from retrograde.autodiff.checking.report import FAILING, GradientReport, Group

_BAR = 30


def report_text(report: GradientReport) -> str:
    """The text of a report: the verdict, what is wrong, the groups, the worst entries, the errors by size."""
    title = f"Derivatives of {report.function}: {report.verdict}"
    sections = [f"{title}\n{'=' * len(title)}"]
    if report.findings:
        sections.append("\n".join(f"- {finding}" for finding in report.findings))
    sections.append(_section("By argument", [_group_row(group) for group in report.groups]))
    if report.identities:
        rows = [
            (identity.name, f"{identity.difference:.1e}", "agrees" if identity.passed else "mistake")
            for identity in report.identities
        ]
        sections.append(_section("Against each other", rows))
    sections.append(_section("Worst", worst_rows(report)))
    sections.append(_section("Relative difference to the numerical derivatives", histogram_rows(report)))
    sections += [f"({note})" for note in report.notes]
    sections.append(
        f"{report.evaluations:,} evaluations, method {report.method}, rtol {report.rtol:g}, seed {report.seed}"
    )
    return "\n\n".join(section for section in sections if section)


def _section(title: str, rows: Sequence[tuple[str, ...]]) -> str:
    if not rows:
        return ""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(f"{text:<{width}}" for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([title, *(f"  {line}" for line in lines)])


def _group_row(group: Group) -> tuple[str, ...]:
    return (group.argument, group.mode, group.point, counts_text(group), f"largest error {group.largest_error:.1e}")


def counts_text(group: Group) -> str:
    """How many comparisons of a group have each status, those that fail first."""
    order = sorted(group.counts, key=lambda status: (status not in FAILING, status))
    return ", ".join(f"{group.counts[status]:,} {status}" for status in order)


def worst_rows(report: GradientReport) -> list[tuple[str, ...]]:
    """The comparisons that fit worst: place, mode, point, expected, found, status."""
    return [
        (
            entry.place,
            entry.mode,
            entry.point,
            f"expected {entry.expected:.10g} ± {entry.error:.0e}",
            f"found {entry.found:.10g}",
            entry.status,
        )
        for entry in report.worst
    ]


def histogram_rows(report: GradientReport) -> list[tuple[str, ...]]:
    """The histogram: a range of errors, a bar, a number."""
    most = max((count for _, _, count in report.histogram), default=1)
    return [
        (f"1e{low:+03d} to 1e{high:+03d}", "█" * max(1 if count else 0, round(_BAR * count / most)), f"{count:,}")
        for low, high, count in report.histogram
    ]

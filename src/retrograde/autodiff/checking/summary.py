"""From comparisons to a report."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from retrograde.autodiff.checking.compare import SAFETY, Comparison
from retrograde.autodiff.checking.diagnosis import diagnose
from retrograde.autodiff.checking.report import FAILING, Entry, GradientReport, Group
from retrograde.autodiff.checking.settings import Settings

if TYPE_CHECKING:
    from retrograde.autodiff.checking.check import Check

_WORST = 8
_DECADES = (-17, 1)


def summarize(name: str, check: Check, settings: Settings) -> GradientReport:
    """The report of a check that has run."""
    groups = tuple(map(_group, check.comparisons))
    findings = [
        f"{group.argument}, {group.mode}, at the point {group.point}: {finding}"
        for group in groups
        for finding in group.findings
    ]
    findings += [
        f"{identity.name}: it is not, {identity.left:.6g} against {identity.right:.6g}"
        for identity in check.identities
        if not identity.passed
    ]
    counts = sum((Counter(group.counts) for group in groups), Counter[str]())
    told = counts["agrees"] + counts["kink"] + counts["rounding"]
    return GradientReport(
        function=name,
        verdict="wrong" if findings else "right" if told else "unclear",
        method=settings.method,
        order=settings.order,
        rtol=check.tolerance,
        atol=settings.atol,
        seed=settings.seed,
        evaluations=check.evaluations,
        groups=groups,
        identities=tuple(check.identities),
        worst=_worst(check.comparisons),
        histogram=_histogram(check.comparisons),
        findings=tuple(findings),
        notes=(*check.notes, *_notes(counts, check.comparisons)),
    )


def _notes(counts: Counter[str], comparisons: list[Comparison]) -> list[str]:
    total = sum(counts.values())
    notes: list[str] = []
    endless = sum(int(np.sum(~np.isfinite(made.expected))) for made in comparisons)
    if endless:
        notes.append(
            f"{endless} of {total} differences are not finite: beside the point the function gives nan or infinity"
        )
    if counts["kink"]:
        notes.append(
            f"{counts['kink']} of {total} are at a kink: the derivatives from the two sides differ, and what was found "
            "lies between"
        )
    if counts["rounding"]:
        notes.append(
            f"{counts['rounding']} of {total} are off by rounding: in double precision they are right, in the dtype "
            "given they are not"
        )
    if counts["unclear"]:
        notes.append(f"{counts['unclear']} of {total} are unclear: the differences are not good enough to tell")
    if not total:
        notes.append("nothing was compared")
    return notes


def _group(made: Comparison) -> Group:
    statuses: Counter[str] = Counter(np.ravel(made.status).tolist())
    clear = made.clear & np.isfinite(made.found)
    differences = np.abs(made.expected - made.found)[clear]
    largest = float(np.max(differences, initial=0.0)) / made.scale if made.scale else 0.0
    return Group(
        made.mode, made.point, made.part.name, made.status.size, dict(sorted(statuses.items())), largest, diagnose(made)
    )


def _misfits(made: Comparison) -> Any:
    """Differences in units of what is allowed; infinite where they are not finite."""
    allowed = made.allowed + SAFETY * made.error
    with np.errstate(all="ignore"):
        misfits = np.abs(made.expected - made.found) / np.where(allowed == 0, np.finfo(float).tiny, allowed)
    misfits[np.isin(made.status, FAILING) & ~np.isfinite(misfits)] = np.inf
    return np.nan_to_num(misfits, nan=0.0, posinf=np.inf)


def _worst(comparisons: list[Comparison]) -> tuple[Entry, ...]:
    entries: list[tuple[bool, float, Entry]] = []
    for made in comparisons:
        misfits = _misfits(made)
        failing = np.isin(made.status, FAILING)
        order: list[int] = np.lexsort((np.ravel(misfits), np.ravel(failing)))[::-1][:_WORST].tolist()
        for row, column in (divmod(at, len(made.columns)) for at in order):
            place = made.directions[row].place + (f" → {made.columns[column]}" if made.columns[column] else "")
            entry = Entry(
                made.mode,
                made.point,
                place,
                float(made.expected[row, column]),
                float(made.found[row, column]),
                float(made.error[row, column]),
                str(made.status[row, column]),
                float(misfits[row, column]),
            )
            entries.append((bool(failing[row, column]), entry.misfit, entry))
    entries.sort(key=lambda item: item[:2], reverse=True)
    return tuple(entry for _, _, entry in entries[:_WORST])


def _histogram(comparisons: list[Comparison]) -> tuple[tuple[int, int, int], ...]:
    low, high = _DECADES
    counts: Counter[int] = Counter()
    for made in comparisons:
        usable = np.isfinite(made.expected) & np.isfinite(made.found)
        expected, found = made.expected[usable], made.found[usable]
        size = np.maximum(np.abs(expected), np.abs(found))
        relative = np.abs(expected - found) / np.where(size == 0, 1.0, size)
        decades = np.floor(np.log10(np.maximum(relative, 10.0**low)))
        counts.update(int(decade) for decade in np.clip(decades, low, high - 1))
    if not counts:
        return ()
    return tuple((decade, decade + 1, counts[decade]) for decade in range(min(counts), max(counts) + 1))

"""What was to be reached, and what was: never loosened, each with the figure."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from planning_time import PlanningTimes
from trials import WORTH_COMPARING, ModelResult, Row


@dataclass(frozen=True)
class Target:
    """A number to reach.

    Attributes:
        claim: what was to hold.
        figure: what was found.
        reached: whether it held.
    """

    claim: str
    figure: str
    reached: bool


@dataclass(frozen=True)
class Duel:
    """A peer and the plan at the peer's own measured peak.

    Attributes:
        peer: the peer.
        ours: the plan; None where none was asked for, which counts as missed.
        ratio: our extra time over the peer's; None where there is no plan within the peer's peak.
    """

    peer: Row
    ours: Row | None
    ratio: float | None


def targets(results: Sequence[ModelResult], planning: PlanningTimes | None) -> list[Target]:
    """Every target, held against the results."""
    checks = (_budgets, _predictions, _gradients, _store_all, _smallest_peaks, _duels, _monotone)
    found = [check(results) for check in checks] if results else []
    return found + ([_planning(planning)] if planning is not None else [])


def duels(result: ModelResult) -> Iterator[Duel]:
    """Every peer that costs enough time to be held against a plan."""
    rows = {row.name: row for row in result.rows}
    for peer in peers(result):
        ours = rows.get(f"at the peak of {peer.name}")
        if peer.extra is None or peer.extra.median < WORTH_COMPARING:
            continue
        known = ours is not None and ours.extra is not None
        yield Duel(peer, ours, ours.extra.median / peer.extra.median if known else None)


def peers(result: ModelResult) -> list[Row]:
    """The rows of other ways to save memory, and of plain eager."""
    return [row for row in result.rows if row.kind in ("eager", "checkpoint", "activation budget")]


def plans(result: ModelResult) -> list[Row]:
    """The rows of plans that a budget allowed."""
    return [row for row in result.rows if row.budget_bytes is not None and row.minimum_bytes is None]


def _budgets(results: Sequence[ModelResult]) -> Target:
    planned = [row for result in results for row in plans(result) if row.kind != "engine"]
    shares = [peak / (row.budget_bytes or 1) for row in planned for peak in row.peaks]
    over = sum(share > 1 for share in shares)
    return Target(
        "measured peak at most the budget, every trial",
        f"{len(shares) - over} of {len(shares)} trials, at most {100 * max(shares):.2f} % of the budget",
        over == 0,
    )


def _predictions(results: Sequence[ModelResult]) -> Target:
    errors = [
        abs((row.predicted_peak_bytes or 0) / peak - 1)
        for result in results
        for row in plans(result)
        for peak in row.peaks
    ]
    return Target(
        "predicted peak within 2 % of the measured one", f"within {100 * max(errors):.2f} %", max(errors) <= 0.02
    )


def _gradients(results: Sequence[ModelResult]) -> Target:
    ours = [row for result in results for row in result.rows if row.kind in ("engine", "budget", "at peer")]
    ours = [row for row in ours if row.minimum_bytes is None]
    different = [row for row in ours if not row.gradients_equal]
    steps = sum(row.steps for row in ours)
    return Target(
        "gradients equal eager's bit for bit, every step",
        f"{len(ours) - len(different)} of {len(ours)} plans, {steps} steps",
        not different,
    )


def _store_all(results: Sequence[ModelResult]) -> Target:
    figures = {result.name: result.store_all_ratio.median for result in results if result.store_all_ratio is not None}
    text = ", ".join(f"{name} {ratio:.3f}" for name, ratio in figures.items())
    return Target("store-all through the engine at most 1.05 × plain eager", text, max(figures.values()) <= 1.05)


def _smallest_peaks(results: Sequence[ModelResult]) -> Target:
    figures = {
        result.name: min(max(row.peaks) for row in plans(result)) / min(min(row.peaks) for row in peers(result))
        for result in results
    }
    text = ", ".join(f"{name} {ratio:.2f}" for name, ratio in figures.items())
    return Target("smallest peak at most every peer's (ours / theirs)", text, max(figures.values()) <= 1)


def _duels(results: Sequence[ModelResult]) -> Target:
    fought = [(result.name, duel) for result in results for duel in duels(result)]
    if not fought:
        return Target("at each peer's peak at most 0.9 × its extra time", "no peer costs 3 %", True)
    won = sum(duel.ratio is not None and duel.ratio <= 0.9 for _, duel in fought)
    name, worst = max(fought, key=lambda pair: float("inf") if pair[1].ratio is None else pair[1].ratio)
    ratio = "without a plan" if worst.ratio is None else f"{worst.ratio:.2f}"
    return Target(
        "at each peer's peak at most 0.9 × its extra time",
        f"{won} of {len(fought)}, the worst {ratio} ({name}, {worst.peer.name})",
        won == len(fought),
    )


def _monotone(results: Sequence[ModelResult]) -> Target:
    broken: list[str] = []
    for result in results:
        rows = [row for row in plans(result) if row.planned_extra is not None and row.kind != "engine"]
        rows.sort(key=lambda row: row.budget_bytes or 0)
        for smaller, larger in itertools.pairwise(rows):
            if (larger.planned_extra or 0) > (smaller.planned_extra or 0) + 1e-9:
                broken.append(f"{result.name}: {larger.name} over {smaller.name}")
    return Target("a larger budget never has a larger planned cost", "; ".join(broken) or "holds", not broken)


def _planning(planning: PlanningTimes) -> Target:
    worst = max(seconds for _, seconds in planning.warm)
    return Target(
        f"planning {planning.operations:,} operations at most 10 s, Numba warm",
        f"at most {worst:.1f} s; cold {planning.cold_seconds:.1f} s",
        worst <= 10,
    )

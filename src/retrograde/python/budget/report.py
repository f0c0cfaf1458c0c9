"""What a program does to stay inside its budget, as it is told."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LoopReport:
    """How one loop is reversed.

    Attributes:
        name: the values that it carries, and its line.
        inner: whether it is inside another.
        steps: how many; None where only the run knows.
        strategy: of its plan.
        forward_steps: steps that are run ahead of the runs that are reversed.
        kept_bytes: what the forward sweep leaves.
        peak_bytes: of the loop by itself.
        snapshot: the names of the values that a snapshot holds.
        residuals: the names of the values that a step keeps for its reversal.
    """

    name: str
    inner: bool
    steps: int | None
    strategy: str
    forward_steps: int
    kept_bytes: int
    peak_bytes: int
    snapshot: tuple[str, ...]
    residuals: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BudgetReport:
    """What a program does to stay inside its budget.

    Attributes:
        budget_bytes: what was asked for; None for no limit.
        peak_bytes: what the plan needs.
        store_all_bytes: what storing everything would need.
        overhead: time for recomputation, as a fraction of the time without.
        recomputed: how many statements outside of loops run again.
        loops: one entry for each scheduled loop.
    """

    budget_bytes: int | None
    peak_bytes: int
    store_all_bytes: int
    overhead: float
    recomputed: int = 0
    loops: tuple[LoopReport, ...] = ()

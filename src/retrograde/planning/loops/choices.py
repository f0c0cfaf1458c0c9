"""The trade-off curve of a loop, as the choices that an operation of a parent's graph offers."""

from __future__ import annotations

from dataclasses import dataclass

from retrograde.errors import BudgetError
from retrograde.planning.loops.candidates import keep_all_bytes
from retrograde.planning.loops.model import Loop
from retrograde.planning.loops.plan import LoopPlan
from retrograde.planning.loops.planner import plan_of
from retrograde.planning.loops.simple import smallest


@dataclass(frozen=True)
class LoopChoice:
    """One way to run a loop as two operations of a parent's graph: its forward sweep, and its reversal.

    Attributes:
        kept_bytes: what the sweep leaves for the reversal, in memory.
        forward_workspace_bytes: what the sweep needs at its peak beside what it leaves.
        reverse_workspace_bytes: what the reversal needs at its peak beside what it was left.
        forward_cost: of the sweep.
        reverse_cost: of the reversal, recomputation included.
        payload: the plan, whose ``forward()`` and ``reversal()`` are to be run.
    """

    kept_bytes: int
    forward_workspace_bytes: int
    reverse_workspace_bytes: int
    forward_cost: float
    reverse_cost: float
    payload: LoopPlan

    @property
    def cost(self) -> float:
        """Of both."""
        return self.forward_cost + self.reverse_cost


def loop_choices(loop: Loop, count: int = 8, *, strategy: str = "auto") -> tuple[LoopChoice, ...]:
    """Plans of a loop for budgets from the smallest to all it can use, in equal ratios.

    Args:
        loop: what is planned.
        count: the most choices; at least 1.
        strategy: one of ``LOOP_STRATEGIES`` that takes any budget.

    Returns:
        The choices, the one that keeps most first. Each costs more than the one before it, and keeps or needs fewer
        bytes.

    Example:
        >>> for choice in loop_choices(Loop(100, state_bytes=8, residual_bytes=24), 4):
        ...     print(choice.kept_bytes, choice.payload.peak_bytes, choice.cost)
        2400 2400 100
        568 568 178
        128 128 262
        32 32 5050
    """
    least, most = smallest(loop)[1], keep_all_bytes(loop)
    found: dict[tuple[float, int, int], LoopChoice] = {}
    for part in range(count):
        # From the largest: the share of the way is on a logarithmic scale.
        share = part / max(1, count - 1)
        budget = most if share == 0 else least if share == 1 else round(most ** (1 - share) * max(1, least) ** share)
        try:
            choice = _choice(plan_of(loop, max(budget, least), strategy))
        except BudgetError:
            continue
        found.setdefault((choice.cost, choice.kept_bytes, choice.payload.peak_bytes), choice)
    ordered = sorted(found.values(), key=lambda choice: (choice.cost, choice.kept_bytes, choice.payload.peak_bytes))
    kept: list[LoopChoice] = []
    for choice in ordered:
        if not any(_no_worse(other, choice) for other in kept):
            kept.append(choice)
    return tuple(kept)


def _choice(plan: LoopPlan) -> LoopChoice:
    figures = plan.figures
    return LoopChoice(
        kept_bytes=figures.kept_bytes,
        forward_workspace_bytes=figures.forward_peak_bytes - figures.kept_bytes,
        reverse_workspace_bytes=figures.peak_bytes - figures.kept_bytes,
        forward_cost=figures.forward_cost,
        reverse_cost=figures.cost - figures.forward_cost,
        payload=plan,
    )


def _no_worse(one: LoopChoice, other: LoopChoice) -> bool:
    return (
        one.cost <= other.cost
        and one.kept_bytes <= other.kept_bytes
        and one.payload.figures.forward_peak_bytes <= other.payload.figures.forward_peak_bytes
        and one.payload.peak_bytes <= other.payload.peak_bytes
    )

"""Strategies that need no arithmetic: states at equal distances, and as few bytes as possible."""

from __future__ import annotations

from dataclasses import dataclass

from retrograde.planning.loops.actions import TierName
from retrograde.planning.loops.binomial import Revolve
from retrograde.planning.loops.model import Loop
from retrograde.planning.loops.walk import Capacity


class _WithoutCapacity:
    """What the budget allows has been settled before."""

    __slots__ = ()

    @property
    def capacity(self) -> Capacity:
        return (0, 0)

    def recorded(self, unit: int, capacity: Capacity) -> Capacity:
        return capacity

    def stored(self, unit: int, capacity: Capacity, tier: TierName) -> Capacity:
        return capacity


@dataclass(frozen=True)
class EveryK(_WithoutCapacity):
    """Store states at equal distances; keep everything of the stretch between two while it is reversed."""

    distance: int
    keeps_residuals: bool

    def decide(self, start: int, stop: int, capacity: Capacity, tier: TierName | None) -> tuple[int, TierName]:
        if stop - start > self.distance:
            return start + self.distance, "memory"
        record = self.keeps_residuals or stop - start == 1
        return start if record else start + 1, "memory"


@dataclass(frozen=True)
class OneState(_WithoutCapacity):
    """Keep the residuals of the first steps, then one state, from which every later step is reached again.

    With no step recorded at first this is the schedule of one slot: n (n - 1) / 2 steps.
    """

    recorded_first: int
    tier: TierName = "memory"

    def decide(self, start: int, stop: int, capacity: Capacity, tier: TierName | None) -> tuple[int, TierName]:
        if start < self.recorded_first or stop - start == 1:
            return start, self.tier
        return stop - 1, self.tier


@dataclass(frozen=True)
class Periodic:
    """States on disk at equal distances; binomial schedules in memory between them."""

    distance: int
    slots: int

    @property
    def capacity(self) -> Capacity:
        return (self.slots, 0)

    def decide(self, start: int, stop: int, capacity: Capacity, tier: TierName | None) -> tuple[int, TierName]:
        if stop - start > self.distance:
            return start + self.distance, "disk"
        return Revolve(self.slots).decide(start, stop, capacity, tier)

    def recorded(self, unit: int, capacity: Capacity) -> Capacity:
        return capacity

    def stored(self, unit: int, capacity: Capacity, tier: TierName) -> Capacity:
        return (capacity[0] - 1, 0) if tier == "memory" else capacity


def smallest(loop: Loop) -> tuple[OneState, int]:
    """The schedule of this kind with the smallest peak, and that peak.

    Example:
        >>> smallest(Loop(5, state_bytes=8, residual_bytes=24, workspace_bytes=2))
        (OneState(recorded_first=0, tier='memory'), 34)
        >>> smallest(Loop(5, state_bytes=8, residual_bytes=1))
        (OneState(recorded_first=4, tier='memory'), 5)
    """
    steps = loop.steps
    if steps and loop.disk and (loop.disk.budget_bytes is None or loop.disk.budget_bytes >= loop.state(0)):
        return OneState(0, "disk"), max(loop.needed_bytes(step) for step in range(steps))
    # worst[p]: the most that a step from p on needs while it runs or is reversed, beside the state p.
    worst = [0] * (steps + 1)
    for step in reversed(range(steps)):
        worst[step] = max(worst[step + 1], loop.needed_bytes(step))
    best, least = 0, None
    kept = before = 0
    for prefix in range(steps + 1 if loop.keeps_residuals else 1):
        # The last step is reversed straight away, so a state is worth keeping only for two steps and more.
        state = loop.state(prefix) if prefix < steps - 1 else 0
        peak = max(before, kept + state + (worst[prefix] if prefix < steps else 0))
        if prefix < steps - 1:
            peak = max(before, kept + loop.needed_bytes(prefix), kept + state + worst[prefix + 1])
            peak = max(peak, kept + state + loop.running_bytes(prefix) - loop.residual(prefix))
        if least is None or peak < least:
            best, least = prefix, peak
        if prefix < steps:
            before = max(before, kept + loop.needed_bytes(prefix))
            kept += loop.residual(prefix)
    return OneState(best), least or 0


def _disk_takes_some(loop: Loop) -> bool:
    """Whether the disk has room for any state at all."""
    if loop.disk is None or loop.disk.budget_bytes is None:
        return loop.disk is not None
    return any(loop.state(step) <= loop.disk.budget_bytes for step in range(1 if loop.uniform else loop.steps))


def bound_bytes(loop: Loop) -> int:
    """What no schedule can go below: when a step is reversed, all before it must be reachable.

    Example:
        >>> bound_bytes(Loop(5, state_bytes=8, residual_bytes=24, workspace_bytes=2))
        34
    """
    bound = kept = 0
    root = 0 if _disk_takes_some(loop) else None
    for step in range(loop.steps):
        reach = kept if root is None else min(kept, root)
        if not loop.keeps_residuals and step:
            reach = root if root is not None else 0
        bound = max(bound, reach + loop.needed_bytes(step))
        if loop.keeps_residuals or step == 0:
            here = kept + loop.state(step)
            root = here if root is None else min(root, here)
        kept += loop.residual(step)
    return bound

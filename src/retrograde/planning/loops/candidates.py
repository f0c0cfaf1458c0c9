"""Which recipes are worth trying for a loop and a budget."""

from __future__ import annotations

from collections.abc import Iterator
from math import isqrt

from retrograde.planning.loops.binomial import forward_steps
from retrograde.planning.loops.dynamic import disk_levels, level_limit, memory_levels, solve
from retrograde.planning.loops.model import Disk, Loop, at, largest, total
from retrograde.planning.loops.recipes import Recipe
from retrograde.planning.loops.simple import smallest
from retrograde.planning.loops.walk import Units

_FEWEST_LEVELS = 16
PATIENCE = 8
_UNIT_COUNTS = (1000, 150, 60)


def keep_all_recipe(loop: Loop) -> Recipe:
    """Every step recorded in the first sweep; every state stored where residuals cannot be kept."""
    if loop.keeps_residuals:
        return Recipe("keep_all", (("slots", 1), ("length", max(1, loop.steps))))
    return Recipe("keep_all", (("slots", max(1, loop.steps - 1)), ("length", 1)))


def keep_all_bytes(loop: Loop) -> int:
    """The peak of keeping everything.

    Example:
        >>> keep_all_bytes(Loop(5, state_bytes=8, residual_bytes=24)), keep_all_bytes(Loop(5, state_bytes=8))
        (120, 32)
    """
    peak = kept = 0
    if loop.uniform and loop.steps:
        last = loop.steps - 1
        held = last * (loop.residual(0) if loop.keeps_residuals else loop.state(0))
        return held + loop.needed_bytes(0)
    for step in range(loop.steps):
        peak = max(peak, kept + loop.needed_bytes(step))
        kept += loop.residual(step) if loop.keeps_residuals else loop.state(step)
    return peak


def every_k_recipe(loop: Loop, distance: int | None) -> Recipe:
    """States at a given distance; at that of the square root of the number of steps if none is given."""
    return Recipe("every_k", (("distance", distance or max(1, isqrt(loop.steps))),))


def smallest_recipe(loop: Loop) -> Recipe:
    """The fewest bytes."""
    found, _ = smallest(loop)
    return Recipe("smallest", (("recorded_first", found.recorded_first), ("on_disk", int(found.tier == "disk"))))


def slots_within(loop: Loop, budget_bytes: int, length: int = 1) -> int:
    """How many states fit, beside units of some steps, if all were as large as the largest; 0 for none."""
    if not loop.steps:
        return 0
    residuals = largest(loop.residual_bytes, 0, loop.steps) if loop.residual_bytes is not None else 0
    needed = max(loop.needed_bytes(step) for step in range(1 if loop.uniform else loop.steps))
    left = budget_bytes - needed - residuals * (length - 1)
    state = largest(loop.state_bytes, 0, loop.steps)
    most = max(1, -(-loop.steps // length) - 1)
    if left < 0:
        return 0
    return min(most, left // state) if state else most


def revolve_recipes(loop: Loop, budget_bytes: int) -> Iterator[Recipe]:
    """Binomial schedules over units of several steps, which are recorded together: the length that costs least."""
    if not loop.keeps_residuals:
        return
    best: tuple[int, int, int] | None = None
    length = 2
    while length < loop.steps:
        slots = slots_within(loop, budget_bytes, length)
        if not slots:
            break
        count = length * forward_steps(-(-loop.steps // length), slots)
        if best is None or count < best[0]:
            best = (count, length, slots)
        length = max(length + 1, length * 21 // 20)
    if best is not None:
        yield Recipe("revolve", (("slots", best[2]), ("length", best[1])))


def dynamic_recipes(loop: Loop, budget_bytes: int, *, whole: bool = False) -> Iterator[tuple[Recipe, bool]]:
    """Dynamic programs over units of some lengths, and whether each is exact; ``whole`` is for units of one step."""
    lengths = {1} if whole or not loop.keeps_residuals else {max(1, -(-loop.steps // count)) for count in _UNIT_COUNTS}
    if not loop.uniform and not whole and loop.keeps_residuals:
        lengths.add(1)
    for length in sorted(lengths):
        units = Units(loop.steps, length)
        levels = levels_within(loop, units, budget_bytes, PATIENCE if whole else 1)
        if not levels:
            continue
        program = solve(loop, units, budget_bytes, levels)
        if program.extra_cost < float("inf"):
            numbers = (("length", length), ("budget_bytes", budget_bytes), ("levels", levels))
            yield Recipe("dynamic", numbers), length == 1 and program.exact


def levels_within(loop: Loop, units: Units, budget_bytes: int, patience: int = 1) -> int:
    """How many levels of memory to tell apart; 0 where there would be too few to be of use."""
    levels = level_limit(loop, units, patience) if units.count else 0
    if levels and loop.disk is not None:
        levels = level_limit(loop, units, patience, disk_levels(loop, units).count)
    if levels >= _FEWEST_LEVELS or (levels and memory_levels(loop, units, budget_bytes, levels).exact):
        return levels
    return 0


def periodic_recipes(loop: Loop, budget_bytes: int) -> Iterator[Recipe]:
    """States on disk at equal distances: the distance that costs least, tried at steps of 2 %."""
    slots = slots_within(loop, budget_bytes)
    if loop.disk is None or not slots:
        return
    transfer = _dearest(loop.disk)
    state = largest(loop.state_bytes, 0, loop.steps)
    room = loop.steps if loop.disk.budget_bytes is None or not state else loop.disk.budget_bytes // state
    step_cost = total(loop.step_cost, 0, loop.steps) / loop.steps
    best: tuple[float, int] | None = None
    distance = 1
    while distance < loop.steps:
        periods = -(-loop.steps // distance)
        if periods - 1 <= room:
            inner = periods * forward_steps(distance, slots)
            cost = (periods - 1) * (transfer + step_cost * distance) + step_cost * inner
            best = min(best or (cost, distance), (cost, distance))
        distance = max(distance + 1, distance * 51 // 50)
    if best is not None:
        yield Recipe("periodic", (("distance", best[1]), ("slots", slots)))


def _dearest(disk: Disk) -> float:
    """Of writing one state and reading it once."""
    return sum(max(cost) if isinstance(cost, tuple) else at(cost, 0) for cost in (disk.write_cost, disk.read_cost))

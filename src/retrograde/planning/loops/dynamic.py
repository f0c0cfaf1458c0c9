"""Unequal steps, residuals that compete for the bytes, and a second tier: the optimum of a dynamic program.

T(i, j, c, d) is the least cost, beyond running and reversing each unit once, of reversing units i to j - 1 from state
i as the current one with c bytes free in memory and d on disk; Q(i, j, c, d) the same with state i on disk, its bytes
counted in d:

    T = min( record(i),  min over k of F(i, k) + T(k, j, c - S_i, d) + T(i, k, c, d),  write_i + disk )
    Q = read_i + min( record(i),  the same middle term,  disk )
    disk = min over k of F(i, k) + T(k, j, c, d - S_i) + Q(i, k, c, d)
    record(i) = T(i + 1, j, c - R_i, d) where what step i needs fits into c, and infinity otherwise

with F(i, k) the cost of advancing, S_i and R_i the bytes of a state and of residuals. This is the optimum over
schedules in which a state stays where it is stored until all that follows it has been reversed, and is in one tier at
a time. Without a disk it is the program of Beaumont, Eyraud-Dubois, Herrmann, Joly and Shilova (2019) for chains,
with equal bytes that of Maddison (2024) for mixed slots; with equal steps and a disk that of Herrmann and Pallez
(2020).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrograde.planning.loops.actions import TierName
from retrograde.planning.loops.levels import Levels
from retrograde.planning.loops.model import Loop, at, largest, total
from retrograde.planning.loops.walk import Capacity, Units

_CELLS = 12_000_000
_WORK = 200_000_000
_LEVELS = 2_000
_DISK_LEVELS = 256

Floats = NDArray[np.float64]


def level_limit(loop: Loop, units: Units, patience: int = 1, disk_levels: int = 1) -> int:
    """How many levels of memory a table may have, to take some ``patience`` seconds and 100 MB."""
    count = units.count
    lengths = count if loop.uniform else count * count
    work = count * count if loop.uniform else count * count * max(1, count // 6)
    return min(_LEVELS, _CELLS // max(1, lengths * disk_levels), _WORK * patience // max(1, work * disk_levels))


@dataclass(frozen=True)
class _Sizes:
    """What a unit takes."""

    state: int
    residual: int
    needed: int
    running: int
    cost: float
    write: float
    read: float


def _sizes(loop: Loop, units: Units, unit: int) -> _Sizes:
    start, stop = units.first(unit), units.first(unit + 1)
    if loop.uniform:
        # The first unit may be shorter; it is planned as if it were not.
        start, stop = 0, min(units.length, loop.steps)
    kept = needed = 0
    for step in range(start, stop):
        needed = max(needed, kept + loop.needed_bytes(step))
        kept += loop.residual(step)
    return _Sizes(
        state=loop.state(start),
        residual=kept,
        needed=needed,
        running=largest(loop.workspace_bytes, start, stop),
        cost=float(total(loop.step_cost, start, stop)),
        write=float(at(loop.disk.write_cost, start)) if loop.disk else 0.0,
        read=float(at(loop.disk.read_cost, start)) if loop.disk else 0.0,
    )


def _all_sizes(loop: Loop, units: Units) -> list[_Sizes]:
    return [_sizes(loop, units, unit) for unit in range(min(1, units.count) if loop.uniform else units.count)]


def memory_levels(loop: Loop, units: Units, budget_bytes: int, limit: int) -> Levels:
    """The levels of memory: one for each amount that can be left, or ``limit`` of them."""
    sizes = _all_sizes(loop, units)
    spans = [(size.state, size.residual) if loop.keeps_residuals else (size.state,) for size in sizes]
    if loop.uniform:
        spans = spans * units.count
    return Levels.of(budget_bytes, spans, limit, equal=loop.uniform)


class DynamicProgram:
    """The tables, and the decisions that follow from them. A capacity is a pair of levels: of memory and of disk.

    Args:
        loop: what is reversed.
        units: its steps, recorded one unit at a time; several steps to a unit need residuals that can be kept.
        budget_bytes: of memory.
        levels: the most levels of memory.
    """

    def __init__(self, loop: Loop, units: Units, budget_bytes: int, levels: int) -> None:
        self._equal = loop.uniform
        self._lasting = loop.keeps_residuals
        self._count = units.count
        self._sizes = _all_sizes(loop, units)
        self.memory = memory_levels(loop, units, budget_bytes, levels)
        self.disk = disk_levels(loop, units)
        self._after_state = [self.memory.after(size.state) for size in self._sizes]
        self._after_residual = [self.memory.after(size.residual) for size in self._sizes]
        self._after_disk = [self.disk.after(size.state) for size in self._sizes]
        self._uses_disk = loop.disk is not None
        self._workspace_varies = not self._equal and len({size.running for size in self._sizes}) > 1
        lengths = (self._count + 1,) if self._equal else (self._count + 1, self._count + 1)
        shape = (*lengths, self.memory.count + 1, self.disk.count + 1)
        self._here = np.full(shape, np.inf)
        self._there = np.full(shape, np.inf) if self._uses_disk else self._here
        self._fill()

    @property
    def capacity(self) -> Capacity:
        return (self.memory.count - 1, self.disk.count - 1)

    @property
    def exact(self) -> bool:
        """Whether bytes were not rounded."""
        return self.memory.exact and self.disk.exact

    @property
    def extra_cost(self) -> float:
        """The optimum: the cost beyond running and reversing each step once; infinite if nothing fits."""
        return float(self._at(self._here, 0, self._count)[self.capacity]) if self._count else 0.0

    def decide(self, start: int, stop: int, capacity: Capacity, tier: TierName | None) -> tuple[int, TierName]:
        memory, disk = slice(capacity[0], capacity[0] + 1), slice(capacity[1], capacity[1] + 1)
        record, stay, move = self._options(start, stop, memory, disk)
        write = 0.0 if tier == "disk" else self._size(start).write
        best: tuple[float, int, TierName] = (float(record[0, 0]), start, "memory")
        ways: tuple[tuple[TierName, Floats | None, float], ...] = (("memory", stay, 0.0), ("disk", move, write))
        for where, costs, extra in ways:
            if costs is not None and len(costs):
                least = int(np.argmin(costs[:, 0, 0]))
                best = min(best, (float(costs[least, 0, 0]) + extra, start + 1 + least, where), key=lambda way: way[0])
        return best[1], best[2]

    def recorded(self, unit: int, capacity: Capacity) -> Capacity:
        return (int(self._after_residual[self._row(unit)][capacity[0]]), capacity[1])

    def stored(self, unit: int, capacity: Capacity, tier: TierName) -> Capacity:
        row = self._row(unit)
        if tier == "memory":
            return (int(self._after_state[row][capacity[0]]), capacity[1])
        return (capacity[0], int(self._after_disk[row][capacity[1]]))

    def _row(self, unit: int) -> int:
        return 0 if self._equal else unit

    def _size(self, unit: int) -> _Sizes:
        return self._sizes[self._row(unit)]

    def _at(self, table: Floats, start: int, stop: int) -> Floats:
        return table[stop - start] if self._equal else table[start, stop]

    def _lefts(self, table: Floats, start: int, stop: int) -> Floats:
        """The entries (start, k) for every k between."""
        return table[1 : stop - start] if self._equal else table[start, start + 1 : stop]

    def _rights(self, start: int, stop: int) -> Floats:
        """The entries (k, stop) for every k between."""
        return self._here[stop - start - 1 : 0 : -1] if self._equal else self._here[start + 1 : stop, stop]

    def _ahead(self, start: int, stop: int) -> NDArray[np.floating[Any]]:
        if self._equal:
            return self._sizes[0].cost * np.arange(1, stop - start)
        return np.cumsum([size.cost for size in self._sizes[start : stop - 1]], dtype=np.float64)

    def _fill(self) -> None:
        """By length; memory and disk that nothing is left of (the last row and column) stay infinite."""
        memory, disk = slice(0, self.memory.count), slice(0, self.disk.count)
        for unit in range(self._count + 1):
            self._at(self._here, unit, unit)[:-1, :-1] = 0.0
        for length in range(1, self._count + 1):
            for start in range(1 if self._equal else self._count + 1 - length):
                self._fill_one(start, start + length, memory, disk)

    def _fill_one(self, start: int, stop: int, memory: slice[int, int, None], disk: slice[int, int, None]) -> None:
        record, stay, move = self._options(start, stop, memory, disk)
        best = np.minimum(record, stay.min(axis=0)) if len(stay) else record
        size = self._size(start)
        away = move.min(axis=0) if move is not None and len(move) else None
        here = best if away is None else np.minimum(best, size.write + away)
        self._at(self._here, start, stop)[:-1, :-1] = here
        if self._uses_disk:
            there = best if away is None else np.minimum(best, away)
            self._at(self._there, start, stop)[:-1, :-1] = size.read + there

    def _options(
        self, start: int, stop: int, memory: slice[int, int, None], disk: slice[int, int, None]
    ) -> tuple[Floats, Floats, Floats | None]:
        """The cost of recording, and of each place to advance to with the state in memory and on disk."""
        row = self._row(start)
        levels = np.arange(memory.start, memory.stop)
        record = np.full((len(levels), disk.stop - disk.start), np.inf)
        if self._lasting or stop - start == 1:
            record = self._at(self._here, start + 1, stop)[self._after_residual[row][memory], disk]
            record[levels < self.memory.first_with(self._sizes[row].needed)] = np.inf
        ahead = self._ahead(start, stop)[:, None, None]
        rights = self._rights(start, stop)
        left = self._after_state[row][memory]
        stay = rights[:, :, disk].take(left, axis=1)
        stay += self._lefts(self._here, start, stop)[:, memory, disk]
        stay += ahead
        self._forbid(stay, start, stop, left)
        if not self._uses_disk:
            return record, stay, None
        move = rights[:, memory].take(self._after_disk[row][disk], axis=2)
        move += self._lefts(self._there, start, stop)[:, memory, disk]
        move += ahead
        self._forbid(move, start, stop, levels)
        return record, stay, move

    def _forbid(self, costs: Floats, start: int, stop: int, left: NDArray[np.intp]) -> None:
        """Advancing has to fit, too. Where every workspace is the same, reversing the last unit says so already."""
        if self._workspace_varies and len(costs):
            running = np.maximum.accumulate([size.running for size in self._sizes[start : stop - 1]])
            first = np.array([self.memory.first_with(int(amount)) for amount in running])
            costs[left[None, :] < first[:, None]] = np.inf


def disk_levels(loop: Loop, units: Units) -> Levels:
    """The levels of the disk: one where it has room for every state."""
    if loop.disk is None or loop.disk.budget_bytes is None:
        return Levels.without_limit()
    states = [loop.state(units.first(unit)) for unit in range(units.count)]
    if sum(states) <= loop.disk.budget_bytes:
        return Levels.without_limit()
    return Levels.of(loop.disk.budget_bytes, [(state,) for state in states], _DISK_LEVELS, equal=loop.uniform)


@lru_cache(maxsize=2)
def solve(loop: Loop, units: Units, budget_bytes: int, levels: int) -> DynamicProgram:
    """The tables, of which the last two are remembered: a plan is made with them, then iterated."""
    return DynamicProgram(loop, units, budget_bytes, levels)

"""What to drop when room is needed. Of all cells that may go, the one with the lowest score goes.

The measures are those of Kirisame et al. (2021, "Dynamic Tensor Rematerialization"): what it would cost to have a cell
back, together with what is dropped already and would then be needed or be dearer; its bytes; and how long it was not
read. A tape knows more than that: the backward pass reads what was recorded latest first. So how far back a cell was
recorded says when it is needed, and takes the place of how long it was not read.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from math import inf, sqrt
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from retrograde.autodiff.budgeted.cell import Cell
    from retrograde.autodiff.budgeted.pool import Pool

_MOST_NEIGHBOURS = 512
_NEXT_TO_NOTHING = 1e-6


class Policy:
    """Which cells to drop: where room is needed, that with the lowest score.

    Attributes:
        keeps_dead: whether to keep, while there is room, what is only read to compute something else again.
        drops_idle: whether to drop what was not read for a while, though there is room.
    """

    keeps_dead = True
    drops_idle = False

    def __init__(self, score: Callable[[Cell, Pool], float]) -> None:
        self.score = score

    def note(self, cell: Cell) -> None:
        """Take note of a new cell."""

    def must_keep(self, cell: Cell) -> bool:
        """Whether a cell is to stay, come what may."""
        return False


class _StoreAll(Policy):
    """Nothing is dropped."""

    keeps_dead = False

    def must_keep(self, cell: Cell) -> bool:
        """Every cell is to stay."""
        return True


class _RecomputeAll(Policy):
    """The recording keeps nothing; what the backward pass computes again it keeps while there is room."""

    drops_idle = True


class _SquareRoot(Policy):
    """Of n cells about √(2n) are kept: the first of each gap, gaps growing by one."""

    drops_idle = True

    def __init__(self, score: Callable[[Cell, Pool], float]) -> None:
        super().__init__(score)
        self._kept: set[int] = set()
        self._until_next = 1

    def note(self, cell: Cell) -> None:
        """Take note of a new cell."""
        self._until_next -= 1
        if not self._until_next:
            self._kept.add(cell.index)
            self._until_next = len(self._kept) + 1

    def must_keep(self, cell: Cell) -> bool:
        """Whether it is the first of its gap."""
        return cell.index in self._kept


def by_distance(cell: Cell, pool: Pool) -> float:
    """The cost of having it back, to the byte, over the root of how far back it was recorded.

    On a chain of equal steps that leaves gaps that grow with the distance, nearly as the best schedule does whose
    length is known beforehand.
    """
    return neighbourhood_cost(cell) / (max(1, cell.data_bytes) * sqrt(max(1, pool.position - cell.index + 1)))


def dtr(cell: Cell, pool: Pool) -> float:
    """The measure h_DTR: the cost of having it back, to the byte, over how long it was not read."""
    return neighbourhood_cost(cell) / (max(1, cell.data_bytes) * (pool.clock - cell.last_read + 1))


def dtr_local(cell: Cell, pool: Pool) -> float:
    """The same with the cost of the cell alone."""
    return _own_cost(cell) / (max(1, cell.data_bytes) * (pool.clock - cell.last_read + 1))


def least_recently_read(cell: Cell, pool: Pool) -> float:
    """What was not read for the longest time goes first."""
    return cell.last_read


def largest(cell: Cell, pool: Pool) -> float:
    """What takes the most bytes goes first."""
    return -cell.data_bytes


def at_random() -> Callable[[Cell, Pool], float]:
    """Any; the same in every run."""
    draw = random.Random(0).random
    return lambda cell, pool: draw()


def neighbourhood_cost(cell: Cell) -> float:
    """What it costs to compute a cell again, and what dropped cells around it cost.

    These are the dropped cells that it would have to be computed from, and those that would be computed from it. A cell
    that nobody refers to is only there for the sake of the latter: without them it costs next to nothing.
    """
    below = _dropped_below(cell)
    if not below and not cell.handles:
        return _NEXT_TO_NOTHING * _own_cost(cell)
    return _own_cost(cell) + _dropped_above(cell) + below


def _own_cost(cell: Cell) -> float:
    return cell.step.cost if cell.step is not None else inf


def _dropped_above(cell: Cell) -> float:
    """The cost of the dropped cells that a cell would be computed from."""
    seen: set[Cell] = set()
    waiting = [cell]
    while waiting and len(seen) < _MOST_NEIGHBOURS:
        step = waiting.pop().step
        fresh = [root for root in step.roots() if root.value is None and root not in seen] if step is not None else []
        seen.update(fresh)
        waiting.extend(fresh)
    return sum(map(_own_cost, seen))


def _dropped_below(cell: Cell) -> float:
    """The cost of the dropped cells that would be computed from a cell, if anybody refers to one of them."""
    seen: set[Cell] = set()
    waiting = [cell]
    wanted = False
    while waiting and len(seen) < _MOST_NEIGHBOURS:
        fresh = [other for other in waiting.pop().dependents if other.value is None and other not in seen]
        wanted = wanted or any(other.handles for other in fresh)
        seen.update(fresh)
        waiting.extend(fresh)
    return sum(map(_own_cost, seen)) if wanted else 0.0


POLICIES: dict[str, Callable[[], Policy]] = {
    "auto": lambda: Policy(by_distance),
    "store_all": lambda: _StoreAll(by_distance),
    "recompute_all": lambda: _RecomputeAll(by_distance),
    "sqrt": lambda: _SquareRoot(by_distance),
    "dtr": lambda: Policy(dtr),
    "dtr_local": lambda: Policy(dtr_local),
    "lru": lambda: Policy(least_recently_read),
    "largest": lambda: Policy(largest),
    "random": lambda: Policy(at_random()),
}
"""By the names of strategies."""

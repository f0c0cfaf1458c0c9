"""The cells that may be dropped, in the order of their scores."""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from retrograde.autodiff.budgeted.cell import Cell
    from retrograde.autodiff.budgeted.pool import Pool

_FEW = 32
_Entry = tuple[float, int, int, "Cell"]


class Candidates:
    """A heap of cells by the scores that they had when they were last looked at.

    Scores change all the time. That of a cell is worked out anew before the cell is taken, and all of them after as
    many were taken as an eighth of all.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._heap: list[_Entry] = []
        self._tie = count().__next__
        self._taken = 0
        self._most = _FEW

    def add(self, cell: Cell) -> None:
        """A cell that was computed."""
        heappush(self._heap, self._entry(cell))
        if len(self._heap) > self._most:
            self._renew()

    def renew_one(self, cell: Cell) -> None:
        """A cell that lost what made it worth most: nobody refers to it any more."""
        if cell.value is not None and cell.step is not None:
            heappush(self._heap, self._entry(cell))

    def pop(self) -> Cell | None:
        """The cell whose loss costs least; None where every one has to stay."""
        self._taken += 1
        if self._taken > 8 + len(self._heap) // 8:
            self._renew()
        in_use: list[_Entry] = []
        found: Cell | None = None
        while self._heap and found is None:
            entry = heappop(self._heap)
            cell = entry[-1]
            if not self._may_go(entry):
                continue
            if cell.pins:
                in_use.append(entry)
                continue
            score = self._pool.policy.score(cell, self._pool)
            if self._heap and score > self._heap[0][0]:
                heappush(self._heap, (score, *entry[1:]))
            else:
                found = cell
        for entry in in_use:
            heappush(self._heap, entry)
        return found

    def _entry(self, cell: Cell) -> _Entry:
        return self._pool.policy.score(cell, self._pool), self._tie(), cell.arrivals, cell

    def _may_go(self, entry: _Entry) -> bool:
        _, _, arrivals, cell = entry
        return cell.value is not None and cell.arrivals == arrivals and not self._pool.policy.must_keep(cell)

    def _renew(self) -> None:
        self._taken = 0
        self._heap = [self._entry(entry[-1]) for entry in self._heap if self._may_go(entry)]
        heapify(self._heap)
        # Entries that are no longer valid are to be no more than the others.
        self._most = 2 * len(self._heap) + _FEW

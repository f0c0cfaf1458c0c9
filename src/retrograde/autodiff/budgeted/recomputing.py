"""In which order a dropped cell, and those that it is computed from, are computed again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import TypeAlias

from retrograde.autodiff.budgeted.cell import Cell
from retrograde.errors import BudgetError

_Action: TypeAlias = Callable[[Cell], None]


def recompute(wanted: Cell, run_again: _Action, used_up: _Action | None = None) -> None:
    """Have a dropped cell computed, and what is dropped of what it is computed from.

    Three ways are tried: one after the other takes less room, and may compute more.

    Args:
        wanted: the cell.
        run_again: what computes a cell whose operands are there.
        used_up: what to do with a cell that was read for the last time.

    Raises:
        BudgetError: there is no room for that.
    """
    if not _in_order(wanted, run_again, used_up, hold=True) and not _in_order(wanted, run_again, used_up, hold=False):
        _on_demand(wanted, run_again)


def _in_order(wanted: Cell, run_again: _Action, used_up: _Action | None, *, hold: bool) -> bool:
    """Each dropped cell that is needed, in the order in which they were recorded, which held little then.

    What is computed stays until it was read. What is there from before does so where it is to be held; otherwise it may
    be dropped, and is computed on demand. Says whether there was room.
    """
    order = _dropped_before(wanted)
    readers: Counter[Cell] = Counter()
    for cell in order:
        readers.update(root for root in _roots_of(cell) if hold or root.value is None)
    for root, count in readers.items():
        root.pins += count
    try:
        for cell in order:
            _with_operands(cell, run_again)
            for root in _roots_of(cell):
                if readers[root]:
                    root.pins -= 1
                    readers[root] -= 1
                    if used_up is not None and not root.pins:
                        used_up(root)
    except BudgetError:
        return False
    finally:
        for root, count in readers.items():
            root.pins -= count
    return True


def _with_operands(cell: Cell, run_again: _Action) -> None:
    """Compute a cell, and before it what was dropped again of its operands."""
    if cell.value is not None:
        return
    roots = _roots_of(cell)
    if any(root.value is None for root in roots):
        _on_demand(cell, run_again)
        return
    for root in roots:
        root.pins += 1
    try:
        run_again(cell)
    finally:
        _unpin(roots)


def _on_demand(wanted: Cell, run_again: _Action) -> None:
    """With no more in place than one operation after the other reads; perhaps some of them more than once."""
    path = [(wanted, _latest_dropped_first(wanted))]
    pinned: list[list[Cell]] = [[]]
    try:
        while path:
            cell, roots = path[-1]
            for root in roots:
                root.pins += 1
                pinned[-1].append(root)
                if root.value is None:
                    path.append((root, _latest_dropped_first(root)))
                    pinned.append([])
                    break
            else:
                run_again(cell)
                path.pop()
                _unpin(pinned.pop())
    finally:
        for cells in pinned:
            _unpin(cells)


def _latest_dropped_first(cell: Cell) -> Iterator[Cell]:
    """What a cell is computed from, in the order in which computing it again holds little: the present last."""
    return iter(sorted(_roots_of(cell), key=lambda root: (root.value is not None, -root.index)))


def _unpin(cells: list[Cell]) -> None:
    for cell in cells:
        cell.pins -= 1


def _roots_of(cell: Cell) -> list[Cell]:
    return list(dict.fromkeys(cell.step.roots())) if cell.step is not None else []


def _dropped_before(wanted: Cell) -> list[Cell]:
    """The dropped cells from which a dropped one is computed, and itself, as they were recorded."""
    found = {wanted}
    waiting = [wanted]
    while waiting:
        missing = {root for root in _roots_of(waiting.pop()) if root.value is None} - found
        found |= missing
        waiting.extend(missing)
    return sorted(found, key=lambda cell: cell.index)

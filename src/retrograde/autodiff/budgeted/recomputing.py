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

    Args:
        wanted: the cell.
        run_again: what computes a cell whose operands are there.
        used_up: what to do with a cell that was read for the last time.

    Raises:
        BudgetError: there is no room for that.
    """
    if not _each_once(wanted, run_again, used_up):
        _on_demand(wanted, run_again)


def _each_once(wanted: Cell, run_again: _Action, used_up: _Action | None) -> bool:
    """Each dropped cell that is needed, once: what any of them reads stays until then. Says whether there was room."""
    order = _dropped_before(wanted)
    readers: Counter[Cell] = Counter()
    for cell in order:
        readers.update(_roots_of(cell))
    for root, count in readers.items():
        root.pins += count
    try:
        for cell in order:
            run_again(cell)
            for root in _roots_of(cell):
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
    """The dropped cells from which a dropped one is computed, and itself, each behind those that it needs."""
    order: dict[Cell, None] = {}
    waiting = [wanted]
    while waiting:
        cell = waiting[-1]
        missing = [root for root in _roots_of(cell) if root.value is None and root not in order]
        if missing:
            waiting.extend(missing)
        else:
            order.setdefault(waiting.pop())
    return list(order)

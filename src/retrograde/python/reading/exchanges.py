"""Loops that hand arrays round from name to name (`u, v = v, u`): what each array object holds behind them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from retrograde.python.reading.changes import NameSlot
from retrograde.python.reading.kinds import Seen
from retrograde.python.reading.regions import branch
from retrograde.python.reading.values import Array

if TYPE_CHECKING:
    from retrograde.python.reading.loops import Carried
    from retrograde.python.reading.reader import Reader


@dataclass(frozen=True, slots=True)
class Exchange:
    """Names that stand for each other's arrays after each iteration.

    Attributes:
        places: the names.
        order: for each the one whose array it stands for after an iteration, by position.
    """

    places: list[NameSlot]
    order: list[int]

    def after(self, reader: Reader, turns: Any) -> None:
        """Say what the array objects hold that the names stood for before the loop, which ran a number of times."""
        cells = [place.before.cell for place in self.places]
        if all(cell.poison is None for cell in cells):
            return
        contents = [place.get().read() for place in self.places]
        for cell in cells:
            cell.poison = None

        def put(order: list[int]) -> None:
            for at, content in zip(order, contents, strict=True):
                cells[at].version = content

        _chosen(reader, turns, self._orders(), put)

    def _orders(self) -> list[list[int]]:
        """Whose array each name stands for after 0, 1, 2, … iterations, until that begins anew."""
        found = [list(range(len(self.order)))]
        while True:
            again = [self.order[at] for at in found[-1]]
            if again == found[0]:
                return found
            found.append(again)


def _chosen(reader: Reader, turns: Any, orders: list[list[int]], put: Any, at: int = 0) -> None:
    if at == len(orders) - 1:
        put(orders[at])
        return
    condition: Any = np.equal(np.remainder(turns, len(orders)), at)
    branch(
        reader,
        bool(condition) if isinstance(turns, int) else condition,
        lambda: put(orders[at]),
        lambda: _chosen(reader, turns, orders, put, at + 1),
    )


def exchange_of(carried: Sequence[Carried]) -> Exchange | None:
    """The names that hand round whole arrays, after the body was read; None if there are none."""
    group = [one for one in carried if isinstance(one.place, NameSlot) and _is_whole(one)]
    while True:
        heads = {one.heads[0][0]: at for at, one in enumerate(group)}
        order = [heads.get(one.end.array.cell) for one in group]
        kept = [one for one, at in zip(group, order, strict=True) if at is not None and order.count(at) == 1]
        if len(kept) == len(group):
            break
        group = kept
    starts = {one.place.before.cell for one in group}
    if not group or len(starts) < len(group):
        return None
    return Exchange([one.place for one in group], order)  # pyright: ignore


def _is_whole(one: Carried) -> bool:
    before = one.place.before
    return (
        isinstance(before, Array)
        and not before.path
        and len(one.heads) == 1
        and isinstance(one.end, Seen)
        and not one.end.array.path
    )

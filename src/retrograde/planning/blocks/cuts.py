"""Where a forward is cut into blocks: the narrow places, of which articulation points are the narrowest."""

from __future__ import annotations

from collections.abc import Sequence


def narrow_places(crossing_bytes: Sequence[int], low: int, high: int, most: int) -> list[int]:
    """Places between two others at which fewest bytes cross, far enough from each other that there are not too many.

    A place is taken if nothing within reach is narrower; the reach grows until few enough are left. Equal places that
    repeat (the layers of a transformer) are taken at the same point of every period, or of every other, and so on.

    Args:
        crossing_bytes: for each place the bytes that cross it.
        low: the place before the first that may be taken.
        high: the place behind the last.
        most: how many to take at most.

    Returns:
        Places in order.

    Example:
        >>> narrow_places([0, 9, 5, 9, 4, 9, 5, 9, 0], 0, 8, 3)
        [2, 4, 6]
        >>> narrow_places([0, 9, 5, 9, 4, 9, 5, 9, 0], 0, 8, 1)
        [4]
    """
    if high - low - 1 <= most:
        return list(range(low + 1, high))
    reach = 1
    while True:
        places = _minima(crossing_bytes, low, high, reach)
        if len(places) <= most:
            return places
        reach += max(1, reach // 3)


def _minima(crossing_bytes: Sequence[int], low: int, high: int, reach: int) -> list[int]:
    places: list[int] = []
    place = low + 1
    while place < high:
        around = crossing_bytes[max(low + 1, place - reach) : min(high, place + reach + 1)]
        if crossing_bytes[place] <= min(around):
            places.append(place)
            place += reach
        place += 1
    return places

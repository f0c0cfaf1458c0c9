"""The sizes of slices whose bounds are known, of axes whose sizes are not."""

from __future__ import annotations

from typing import Any

from retrograde.program.kinds import as_tuple, is_slice
from retrograde.program.types import ArrayType, Extent, Size, Type
from retrograde.python.reading.values.heap import Heap


def sliced_type(heap: Heap, sizes: tuple[Extent, ...], index: Any, found: Type) -> Type:
    """The type of a part, with the sizes of slices that lie inside an axis: `x[2:5]` has 3 elements, if `x` has 5.

    Args:
        heap: says whether axes are long enough.
        sizes: of the array.
        index: a basic index.
        found: what is known of the part already.
    """
    parts = as_tuple(index)
    if not isinstance(found, ArrayType) or any(part is Ellipsis or part is None for part in parts):
        return found
    known = list(found.sizes)
    at = 0
    for part, size in zip(parts, sizes, strict=False):
        if is_slice(part):
            if not isinstance(known[at], int) and isinstance(size, Size):
                known[at] = _extent(heap, size, part) or known[at]
            at += 1
    return ArrayType(found.dtype, tuple(known))


def _extent(heap: Heap, size: Size, part: slice) -> int | None:
    """The number of elements; None where it changes with the size. It is not 0."""
    start, stop, step = part.start, part.stop, part.step
    if any(bound is not None and not isinstance(bound, int) for bound in (start, stop, step)) or (step or 1) < 0:
        return None
    start = start or 0
    if stop is not None and 0 <= start < stop:
        return len(range(start, stop, step or 1)) if heap.is_at_least(size, stop) else None
    if start < 0 and (stop is None or start < stop < 0):
        return len(range(start, stop or 0, step or 1)) if heap.is_at_least(size, -start) else None
    return None

"""The types of results, as the declarations of primitives name them.

A rule gets for each operand what is known of it before the run: an `ArrayType`, or the Python number that it is; for a
shape its extents; for an index the index, with types in place of arrays.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from retrograde.errors import UsageError
from retrograde.program.kinds import as_tuple, is_list, is_slice
from retrograde.program.primitive import TypeRule
from retrograde.program.types import ArrayType, Extent, Size, broadcast_extents, type_of


def of_ufunc(ufunc: np.ufunc) -> TypeRule:
    """Operands broadcast together; the dtype that the ufunc resolves to, Python numbers being weak."""

    def result(*operands: Any) -> ArrayType:
        dtype = ufunc.resolve_dtypes((*map(_resolvable, operands), None))[-1]
        return ArrayType(dtype, broadcast_extents(*(sizes_of(operand) for operand in operands)))

    return result


def _resolvable(operand: Any) -> Any:
    if isinstance(operand, ArrayType):
        return operand.dtype
    return np.dtype(bool) if isinstance(operand, bool) else operand.__class__


def sizes_of(operand: Any) -> tuple[Extent, ...]:
    """The extents of an operand; a Python number has no axes."""
    return operand.sizes if isinstance(operand, ArrayType) else ()


def dtype_of(*operands: Any) -> np.dtype[Any]:
    """The dtype of operands promoted together, Python numbers being weak."""
    return np.result_type(*(operand.dtype if isinstance(operand, ArrayType) else operand for operand in operands))


def like_first(x: Any, *_: Any, **__: Any) -> ArrayType:
    """The type of the first operand."""
    return x


def always(*_: Any) -> bool:
    """Of a primitive whose result shares memory with its first operand, whatever the operands."""
    return True


def of_shape(x: Any, shape: tuple[Extent, ...]) -> ArrayType:
    """The dtype of the first operand and the shape that was asked for; -1 is any extent."""
    return ArrayType(dtype_of(x), tuple(None if extent == -1 else extent for extent in shape))


def reduced(ufunc: np.ufunc) -> Callable[..., ArrayType]:
    """Axes reduced by a ufunc, in the dtype that it reduces to."""

    def result(x: ArrayType, axis: tuple[int, ...], keepdims: bool, **_: Any) -> ArrayType:
        dtype = ufunc.reduce(np.zeros(1, x.dtype)).dtype
        sizes = ((1 if at in axis else size) for at, size in enumerate(x.sizes) if keepdims or at not in axis)
        return ArrayType(dtype, tuple(sizes))

    return result


def indexed(sizes: tuple[Extent, ...], index: Any) -> tuple[Extent, ...]:
    """The extents of an array indexed by ints, slices, `...`, None, integer arrays, lists and masks.

    Raises:
        UsageError: there are more indices than axes, or one of another kind.
    """
    parts = tuple(map(_index_part, as_tuple(index)))
    taken = sum(map(_axes_taken, parts))
    if taken > len(sizes):
        raise UsageError(
            f"{taken} indices were given for an array of {len(sizes)} axes; give one for each axis at most"
        )
    if not any(part is Ellipsis for part in parts):
        parts = (*parts, Ellipsis)
    at = next(place for place, part in enumerate(parts) if part is Ellipsis)
    parts = (*parts[:at], *[slice(None)] * (len(sizes) - taken), *parts[at + 1 :])
    return _indexed_axes(sizes, parts)


def _index_part(part: Any) -> Any:
    if is_list(part):
        return type_of(np.asarray(part) if part else np.zeros(0, np.int64))
    if part is None or part is Ellipsis or is_slice(part) or _is_int(part):
        return part
    if isinstance(part, ArrayType) and (part.dtype.kind in "iu" or (part.dtype.kind == "b" and part.rank)):
        return part
    kind = f"an array of {part.dtype}" if isinstance(part, ArrayType) else type(part).__name__
    raise UsageError(
        f"an index by {kind} was asked for in a program; use ints, slices, ..., None, integer arrays and masks"
    )


def _is_int(part: Any) -> bool:
    return isinstance(part, (int, np.integer)) and not isinstance(part, bool)


def _axes_taken(part: Any) -> int:
    if part is None or part is Ellipsis:
        return 0
    return part.rank if _is_mask(part) else 1


def _is_mask(part: Any) -> bool:
    return isinstance(part, ArrayType) and part.dtype.kind == "b"


def _indexed_axes(sizes: tuple[Extent, ...], parts: tuple[Any, ...]) -> tuple[Extent, ...]:
    """Arrays broadcast together, ints with them; their axes stand where they stood, or first if a slice is between
    them. A mask is an array of as many places as it has true elements, which only values know."""
    arrays = [(None,) if _is_mask(part) else part.sizes for part in parts if _is_array(part)]
    picks = [at for at, part in enumerate(parts) if not _is_sliced(part)]
    together = not picks or picks[-1] - picks[0] == len(picks) - 1
    axes = iter(sizes)
    result: list[Extent] = []
    place = 0
    for at, part in enumerate(parts):
        if part is None:
            result.append(1)
        elif is_slice(part):
            result.append(_sliced(next(axes), part))
        else:
            for _ in range(_axes_taken(part)):
                next(axes)
            place = len(result) if together and at == picks[0] else place
    return (*result[:place], *broadcast_extents(*arrays), *result[place:]) if arrays else tuple(result)


def _is_sliced(part: Any) -> bool:
    return part is None or isinstance(part, slice)


def _is_array(part: Any) -> bool:
    return isinstance(part, ArrayType) and part.rank > 0


def _sliced(size: Extent, part: slice) -> Extent:
    start, stop, step = part.start, part.stop, part.step
    if any(isinstance(bound, ArrayType) for bound in (start, stop, step)):
        return None
    if isinstance(start, Size) or isinstance(stop, Size):
        return _between(size, start, stop, step)
    if isinstance(size, int):
        return len(range(*part.indices(size)))
    inside = (start is None or start >= 0) and (stop is None or stop < 0) and step in (None, 1, -1)
    if size is None or not inside or (step == -1 and (start, stop) != (None, None)):
        return None
    return Size(size.name, size.offset - (start or 0) + (stop or 0))


def _between(size: Extent, start: Any, stop: Any, step: Any) -> Extent:
    """The extent of a slice of which a bound is a size that only the run knows."""
    if not isinstance(size, Size) or step not in (None, 1) or isinstance(start, Size):
        return None
    behind = stop.name == size.name and stop.offset <= size.offset
    return Size(size.name, stop.offset - (start or 0)) if behind and (start is None or start >= 0) else None

"""Which elements of an array an index picks, as conditions on integers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

from retrograde.program.affine import Affine, cannot_hold
from retrograde.program.integers import Integers, size
from retrograde.program.kinds import as_tuple, is_integer, is_slice
from retrograde.program.model import Loop, Variable
from retrograde.program.types import ArrayType, Extent


@dataclass(frozen=True, slots=True)
class Picked:
    """The places that an index picks along one axis.

    Attributes:
        place: along the axis.
        conditions: what is not negative where the place is picked.
    """

    place: Affine
    conditions: tuple[Affine, ...]


@dataclass(frozen=True, slots=True)
class _Free:
    """The unknown place along an axis, of one of several that are picked."""

    axis: int
    who: str
    part: str = "place"


def picked(index: Any, sizes: tuple[Extent, ...], integers: Integers, who: str) -> Iterator[tuple[Picked, ...]]:
    """For each reading of an index (a negative one counts from the end) what it picks along every axis.

    What is picked is never less than NumPy picks. Where that cannot be told, it is the whole axis.

    Args:
        index: as NumPy takes it.
        sizes: of the array.
        integers: what is known of the variables in the index.
        who: marks the unknown places of slices, so that those of two indices are kept apart.
    """
    parts = _for_each_axis(index, len(sizes))
    axes = [
        _along(part, _Free(axis, who), extent, integers)
        for axis, (part, extent) in enumerate(zip(parts, sizes, strict=True))
    ]
    return product(*axes)


def never_meet(one: Any, other: Any, sizes: tuple[Extent, ...], loops: tuple[Loop, ...], integers: Integers) -> bool:
    """Whether two indices of an array, inside of loops, certainly pick no element both."""
    domain = integers.domain(loops)
    firsts, seconds = picked(one, sizes, integers, "one"), list(picked(other, sizes, integers, "other"))
    for first in firsts:
        for second in seconds:
            conditions = [*domain, *(part for places in (*first, *second) for part in places.conditions)]
            meet = [here.place - there.place for here, there in zip(first, second, strict=True)]
            if not cannot_hold(integers.with_facts(conditions), meet):
                return False
    return True


def extent_of_slice(
    part: slice[Any, Any, Any], whole: Affine, loops: tuple[Loop, ...], integers: Integers
) -> Affine | None:
    """How many places a slice of an axis picks, inside of loops; None if it may reach beyond the axis."""
    if part.start is None and part.stop is None and part.step in (None, 1, -1):
        return whole
    start = Affine() if part.start is None else integers.of(part.start)
    stop = whole if part.stop is None else integers.of(part.stop)
    if part.step not in (None, 1) or start is None or stop is None:
        return None
    domain = integers.domain(loops)
    for condition in (start, stop - start, whole - stop):
        if not cannot_hold(integers.with_facts([*domain, condition * -1 - 1])):
            return None
    return stop - start


def _for_each_axis(index: Any, rank: int) -> list[Any]:
    """An index's parts by axis; slices of everything throughout where it has arrays or masks."""
    parts = [part for part in as_tuple(index) if part is not None]
    if any(part is not Ellipsis and not is_slice(part) and not _is_integer(part) for part in parts):
        return [slice(None)] * rank
    at = next((place for place, part in enumerate(parts) if part is Ellipsis), len(parts))
    before, behind = parts[:at], parts[at + 1 :]
    return [*before, *[slice(None)] * (rank - len(before) - len(behind)), *behind]


def _is_integer(part: Any) -> bool:
    if isinstance(part, Variable):
        return isinstance(part.type, ArrayType) and not part.type.rank and part.type.dtype.kind in "iu"
    return is_integer(part)


def _along(part: Any, free: _Free, extent: Extent, integers: Integers) -> list[Picked]:
    last = size(extent)
    last = (Affine.of(("extent", free.axis)) if last is None else last) - 1
    if not is_slice(part):
        return [
            Picked(place, (place, last - place, *conditions)) for place, conditions in _wrapped(part, last, integers)
        ]
    place = Affine.of(free)
    inside = (place, last - place)
    step = 1 if part.step is None else part.step
    if not isinstance(step, int) or step < 1:
        return [Picked(place, inside)]
    found: list[Picked] = []
    for start, first in _wrapped(part.start, last, integers) if part.start is not None else [(Affine(), ())]:
        for stop, second in _wrapped(part.stop, last, integers) if part.stop is not None else [(last + 1, ())]:
            turns = Affine.of(_Free(free.axis, free.who, "turns"))
            stepped = start + turns * step
            known = step > 1 and (part.start is None or _is_natural(part.start))
            strides = (turns, place - stepped, stepped - place) if known else ()
            found.append(Picked(place, (*inside, place - start, stop - place - 1, *first, *second, *strides)))
    return found


def _is_natural(part: Any) -> bool:
    return is_integer(part) and part >= 0


def _wrapped(part: Any, last: Affine, integers: Integers) -> list[tuple[Affine, tuple[Affine, ...]]]:
    """A bound or a place, counted from the end if it is negative."""
    value = integers.of(part)
    if value is None:
        return [(Affine.of(("unknown", id(part))), ())]
    if not value.terms:
        return [(value if value.constant >= 0 else last + 1 + value, ())]
    return [(value, (value,)), (last + 1 + value, (value * -1 - 1,))]

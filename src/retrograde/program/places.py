"""Which elements of an array an index picks, as conditions on integers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from retrograde.program.affine import Affine
from retrograde.program.integers import Integers, size
from retrograde.program.kinds import as_tuple, is_slice
from retrograde.program.model import Variable
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
    part: str = "place"


def picked(index: Any, sizes: tuple[Extent, ...], integers: Integers) -> Iterator[tuple[Picked, ...]]:
    """For each reading of an index (a negative one counts from the end) what it picks along every axis.

    What is picked is never less than NumPy picks. Where that cannot be told, it is the whole axis.
    """
    parts = _for_each_axis(index, len(sizes))
    axes = (_along(part, axis, extent, integers) for axis, (part, extent) in enumerate(zip(parts, sizes, strict=True)))
    return product(*axes)


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
    return isinstance(part, (int, np.integer)) and not isinstance(part, bool)


def _along(part: Any, axis: int, extent: Extent, integers: Integers) -> list[Picked]:
    last = size(extent)
    last = (Affine.of(("extent", axis)) if last is None else last) - 1
    if not is_slice(part):
        return [
            Picked(place, (place, last - place, *conditions)) for place, conditions in _wrapped(part, last, integers)
        ]
    place = Affine.of(_Free(axis))
    inside = (place, last - place)
    step = 1 if part.step is None else part.step
    if not isinstance(step, int) or step < 1:
        return [Picked(place, inside)]
    found: list[Picked] = []
    for start, first in _wrapped(part.start, last, integers) if part.start is not None else [(Affine(), ())]:
        for stop, second in _wrapped(part.stop, last, integers) if part.stop is not None else [(last + 1, ())]:
            turns = Affine.of(_Free(axis, "turns"))
            stepped = start + turns * step
            known = step > 1 and (part.start is None or _is_natural(part.start))
            strides = (turns, place - stepped, stepped - place) if known else ()
            found.append(Picked(place, (*inside, place - start, stop - place - 1, *first, *second, *strides)))
    return found


def _is_natural(part: Any) -> bool:
    return isinstance(part, (int, np.integer)) and part >= 0


def _wrapped(part: Any, last: Affine, integers: Integers) -> list[tuple[Affine, tuple[Affine, ...]]]:
    """A bound or a place, counted from the end if it is negative."""
    value = integers.of(part)
    if value is None:
        return [(Affine.of(("unknown", id(part))), ())]
    if not value.terms:
        return [(value if value.constant >= 0 else last + 1 + value, ())]
    return [(value, (value,)), (last + 1 + value, (value * -1 - 1,))]

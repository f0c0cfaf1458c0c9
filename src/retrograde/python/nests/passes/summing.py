"""Sums that begin with zeros: an array that is zeroed, and to which shifted blocks are then added, is set once.

The same is added in the same order, beginning with zero: whether it is done at once depends on what stands around,
which another budget may change, and the bits may not.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

from retrograde.python.nests.parts.affine import variable
from retrograde.python.nests.parts.model import (
    Constant,
    Nest,
    Part,
    Scalar,
    Spelled,
    Store,
    Suite,
    elements_in,
    put,
    reads_of,
    writes_of,
)
from retrograde.python.nests.passes.margins import Addition, Margins, addition_of, as_shifted, by_place
from retrograde.python.nests.translating.translator import Translator

_WIDEST = 3


@dataclass(frozen=True, slots=True)
class _Share:
    """What is added to a block of an array: where it stands, and how far it is from either end of each axis."""

    at: int
    addition: Addition
    margins: tuple[tuple[int, int], ...]

    @property
    def covers(self) -> bool:
        """Whether it is added to all of the array."""
        return all(pair == (0, 0) for pair in self.margins)


def summed(translator: Translator, parts: list[Part], made: set[str], simple: set[str], margins: Margins) -> list[Part]:
    """Parts in which arrays that begin with zeros get the sum of what is added to their blocks.

    Args:
        translator: for new names.
        parts: what happens, in order; suites are changed.
        made: arrays that have one name, and are made where they are used.
        simple: arrays that only nests use, and that are needed nowhere else.
        margins: of arrays; what is read beyond a block asks for one.
    """
    result: list[list[Part]] = [[part] for part in parts]
    for at, part in enumerate(parts):
        if isinstance(part, Suite):
            part.body = summed(translator, part.body, made, simple, margins)
            part.otherwise = summed(translator, part.otherwise, made, simple, margins)
        array = _zeroed(translator, part)
        shares = _shares(translator, parts, at, array) if array is not None and array in made else []
        if len(shares) > 1:
            for share in shares:
                result[share.at] = []
            result[at] = []
            result[shares[-1].at] = _sum(translator, shares, simple, margins)
    return [part for some in result for part in some]


def _zeroed(translator: Translator, part: Part) -> str | None:
    """The array that a part fills with zeros, if it does that."""
    if not isinstance(part, Nest) or len(part.steps) != 1 or not part.loops:
        return None
    (step,) = part.steps
    if not isinstance(step, Store) or step.by or not isinstance(step.value, Constant) or step.value.value:
        return None
    whole = step.indices == tuple(map(variable, part.loops))
    return step.array if whole and translator.extents.get(step.array) == tuple(part.extents) else None


def _shares(translator: Translator, parts: list[Part], start: int, array: str) -> list[_Share]:
    """What is added to an array of zeros until it is used, if it may all be added at the last place."""
    base_of = translator.base_of
    found: list[_Share] = []
    read: set[str] = set()
    for at in range(start + 1, len(parts)):
        part = parts[at]
        writes, reads = ({base_of(name) for name in names} for names in (writes_of(part), reads_of(part)))
        if writes & read:
            break
        if array in reads | writes:
            share = _share(translator, part, at, array, first=not found)
            if share is None:
                break
            found.append(share)
            read |= reads - {array}
    return found


def _share(translator: Translator, part: Part, at: int, array: str, first: bool) -> _Share | None:
    addition = addition_of(part) or (addition_of(part, "") if first else None)
    if addition is None or addition.store.array != array or len(addition.store.indices) != len(addition.nest.loops):
        return None
    if any(element.array == array for element in elements_in(addition.store.value)):
        return None
    margins: list[tuple[int, int]] = []
    places = zip(addition.store.indices, addition.nest.loops, addition.nest.extents, strict=True)
    for (index, loop, extent), size in zip(places, translator.extents[array], strict=True):
        low = index - variable(loop)
        high = size - low - extent
        if not (low.is_constant and high.is_constant and 0 <= low.constant <= _WIDEST >= high.constant >= 0):
            return None
        margins.append((low.constant, high.constant))
    return _Share(at, addition, tuple(margins))


def _sum(translator: Translator, shares: list[_Share], simple: set[str], margins: Margins) -> list[Part]:
    """What sets all of the array, behind what prepares that."""
    before: list[Part] = []
    store = shares[0].addition.store
    extents = translator.extents[store.array]
    loops = translator.loops(len(extents))
    values: list[Scalar] = [Constant(store.dtype.type(0), store.dtype)] if store.by else []
    for share in shares:
        addition = share.addition
        value = by_place(addition) if share.covers else as_shifted(translator, addition, simple, before)
        for element in elements_in(value) if not share.covers else ():
            margins.ask(element.array, [max(pair) for pair in share.margins])
        moved = zip(loops, share.margins, strict=True)
        places = {f"#{axis}": variable(loop) - low for axis, (loop, (low, _)) in enumerate(moved)}
        values.append(put(value, places))
    total = reduce(lambda one, other: Spelled("({0} + {1})", (one, other), store.dtype), values)
    whole = Store(store.array, tuple(map(variable, loops)), total, store.dtype)
    return [*before, Nest(loops, list(extents), [whole])]

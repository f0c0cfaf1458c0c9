"""Adjoints of stencils as gathers.

What a stencil reads from several neighbours, its adjoint adds to several neighbours: one nest for each, which reads and
writes the whole array. Turned around, each element collects what is added to it, in one nest. What is added lies in an
array with a margin of zeros, so that elements near the edge need no case of their own.
"""

# Operands and static parameters are what primitives make of them: there is nothing for a type checker to know.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false, reportUnknownMemberType=false

from __future__ import annotations

import operator
from collections import Counter

from retrograde.python.nests.parts.affine import Affine, affine, variable
from retrograde.python.nests.parts.model import (
    Constant,
    Element,
    Line,
    Nest,
    Part,
    Scalar,
    Spelled,
    Store,
    Suite,
    elements_in,
    every_part,
    map_scalar,
    put,
    scalars_in,
    value_of,
    with_value,
)
from retrograde.python.nests.passes.forwarding import copies_forwarded, without_unread
from retrograde.python.nests.passes.margins import (
    Addition,
    Margins,
    addition_of,
    as_shifted,
    by_place,
    is_simple,
    is_zero_in_margins,
    scaled,
    total,
    values_names,
    widen,
)
from retrograde.python.nests.passes.summing import summed
from retrograde.python.nests.translating.translator import Translator

_CHEAP = 4


def gathered(translator: Translator, parts: list[Part], kept: set[str]) -> list[Part]:
    """Parts with additions to neighbours turned into gathers.

    Args:
        translator: for new names.
        parts: all of a program.
        kept: arrays that are used by other names, or at the end.
    """
    margins = Margins()
    local = {part.makes for part in every_part(parts) if isinstance(part, Line) and part.makes} - kept
    simple = {name for name in local if is_simple(parts, name)}
    copies_forwarded(parts, translator.base_of, simple, multiples=True)
    parts = without_unread(parts, kept)
    _unscaled(parts, simple)
    made = {part.makes for part in every_part(parts) if isinstance(part, Line) and part.makes}
    shared = {*translator.aliases, *translator.aliases.values()}
    parts = summed(translator, parts, made - shared, simple, margins)
    parts = _in_list(translator, parts, simple, margins)
    widen(translator, parts, margins)
    return parts


def _unscaled(parts: list[Part], simple: set[str]) -> None:
    """Have arrays that hold a multiple of others' elements hold these, where they are read more than once.

    A sum of multiples then is the multiple of a sum, and the array may turn out to be a copy.
    """
    nests = [part for part in every_part(parts) if isinstance(part, Nest)]
    reads = Counter(each.array for nest in nests for step in nest.steps for each in elements_in(value_of(step)))
    stored = Counter(step.array for nest in nests for step in nest.steps if isinstance(step, Store))
    factors: dict[str, Constant] = {}
    for nest in nests:
        for at, step in enumerate(nest.steps):
            found = scaled(step.value) if isinstance(step, Store) else None
            if found is None or not isinstance(step, Store) or not isinstance(found[0], Element) or step.by:
                continue
            if step.array in simple and stored[step.array] == 1 and reads[step.array] > 1:
                factors[step.array] = found[1]
                nest.steps[at] = with_value(step, found[0])

    def leaf(part: Scalar) -> Scalar:
        if isinstance(part, Element) and part.array in factors:
            return Spelled("({0} * {1})", (part, factors[part.array]), part.dtype)
        return part

    for nest in nests if factors else ():
        nest.steps[:] = [with_value(step, map_scalar(leaf, value_of(step))) for step in nest.steps]


def _in_list(translator: Translator, parts: list[Part], simple: set[str], margins: Margins) -> list[Part]:
    result: list[Part] = []
    run: list[Addition] = []

    def close() -> None:
        result.extend(_turned(translator, run, simple, margins))
        run.clear()

    for part in parts:
        if isinstance(part, Suite):
            part.body = _in_list(translator, part.body, simple, margins)
            part.otherwise = _in_list(translator, part.otherwise, simple, margins)
        addition = addition_of(part)
        if addition is None:
            close()
            result.append(part)
            continue
        if not _commutes(translator, run, addition):
            close()
        run.append(addition)
    close()
    return result


def _commutes(translator: Translator, run: list[Addition], addition: Addition) -> bool:
    base_of = translator.base_of
    targets = {base_of(each.store.array) for each in [*run, addition]}
    read = {base_of(element.array) for each in [*run, addition] for element in elements_in(each.store.value)}
    return not targets & read


def _turned(translator: Translator, run: list[Addition], simple: set[str], margins: Margins) -> list[Part]:
    groups: dict[tuple[object, ...], list[Addition]] = {}
    for addition in run:
        groups.setdefault(addition.key, []).append(addition)
    before: list[Part] = []
    borders: list[Part] = []
    inner: list[Part] = []
    for group in groups.values():
        if len({addition.offsets for addition in group}) < 2:
            inner += [addition.nest for addition in group]
            continue
        gather = _Gather(translator, group)
        if _may_read_in_place(translator, group, simple):
            inner += gather.in_place()
            continue
        gather.values = [
            by_place(addition)
            if addition.offsets == gather.middle
            else as_shifted(translator, addition, simple, before)
            for addition in group
        ]
        borders += gather.border()
        inner.append(gather.interior())
        gather.ask(margins)
    return [*before, *borders, *inner]


def _may_read_in_place(translator: Translator, group: list[Addition], simple: set[str]) -> bool:
    """Whether two neighbours along one axis collect what is cheap, and would have to be copied to get a margin."""
    if len(group) != 2:
        return False
    apart = [abs(one - other) for one, other in zip(group[0].offsets, group[1].offsets, strict=True)]
    axis = max(range(len(apart)), key=apart.__getitem__)
    extents = tuple(group[0].nest.extents)
    if (
        sum(map(bool, apart)) != 1
        or apart[axis] > 2
        or not translator.facts.never_negative(extents[axis] - apart[axis])
    ):
        return False
    values = [by_place(addition) for addition in group]
    costs = [sum(each.cost for each in scalars_in(value) if isinstance(each, Spelled)) for value in values]
    return max(costs) <= _CHEAP and not all(is_zero_in_margins(translator, value, simple, extents) for value in values)


class _Gather:
    """A group of additions as what each element collects."""

    def __init__(self, translator: Translator, group: list[Addition]) -> None:
        self.translator = translator
        self.group = group
        self.values: list[Scalar] = []
        offsets = list(zip(*(addition.offsets for addition in group), strict=True))
        self.middle = tuple((min(each) + max(each)) // 2 for each in offsets)
        self.extents = tuple(group[0].nest.extents)
        store = group[0].store
        rest = len(store.indices) - len(self.extents)
        self.fixed = store.indices[:rest]
        moving = zip(store.indices[rest:], group[0].nest.loops, group[0].offsets, strict=True)
        self.starts = [index - variable(loop) - offset for index, loop, offset in moving]
        self.needed: dict[int, list[int]] = {}

    def interior(self) -> Nest:
        """The elements in the middle, over the same indices as the additions."""
        return self._block(list(map(affine, self.middle)), list(self.extents), list(range(len(self.group))))

    def border(self) -> list[Part]:
        """The elements around them: a block on each side of each axis, which collects what reaches it."""
        own = tuple(variable(name) for name in values_names(len(self.extents)))
        moved = zip(own, self.starts, self.middle, strict=True)
        indices = (*self.fixed, *(index + start + middle for index, start, middle in moved))
        parts: list[Part] = []
        for axis, middle in enumerate(self.middle):
            for low in (True, False):
                beyond = operator.lt if low else operator.gt
                some = [at for at, addition in enumerate(self.group) if beyond(addition.offsets[axis], middle)]
                if some:
                    nest = self._beside(axis, low, some)
                    nest.spares = (self.group[0].store.array, self.extents, indices)
                    parts.append(nest)
        return parts

    def in_place(self) -> list[Part]:
        """Where two additions along one axis overlap, and the ends, each of which only one reaches; without margins."""
        self.values = [by_place(addition) for addition in self.group]
        first, last = sorted(range(2), key=lambda at: self.group[at].offsets)
        starts, ends = self.group[first].offsets, self.group[last].offsets
        axis = next(at for at in range(len(starts)) if starts[at] != ends[at])
        apart = ends[axis] - starts[axis]
        parts: list[Part] = []
        for some, start, extent in (
            ([first], affine(starts[axis]), affine(apart)),
            ([first, last], affine(ends[axis]), self.extents[axis] - apart),
            ([last], self.extents[axis] + starts[axis], affine(apart)),
        ):
            places = [start if at == axis else affine(offset) for at, offset in enumerate(starts)]
            extents = [extent if at == axis else each for at, each in enumerate(self.extents)]
            parts.append(self._block(places, extents, sorted(some)))
        return parts

    def ask(self, margins: Margins) -> None:
        """Have what is added be zero as far around as it is read."""
        for at, widths in self.needed.items():
            if self.group[at].offsets != self.middle:
                for element in elements_in(self.values[at]):
                    margins.ask(element.array, widths)

    def _beside(self, axis: int, low: bool, some: list[int]) -> Nest:
        """The block on one side of an axis, within what is left by the axes before."""
        starts: list[Affine] = []
        extents: list[Affine] = []
        for at, (middle, extent) in enumerate(zip(self.middle, self.extents, strict=True)):
            offsets = [self.group[addition].offsets[at] for addition in some]
            if at < axis:
                starts.append(affine(middle))
                extents.append(extent)
            elif at > axis:
                starts.append(affine(min(offsets)))
                extents.append(extent + (max(offsets) - min(offsets)))
            elif low:
                starts.append(affine(min(offsets)))
                extents.append(affine(middle - min(offsets)))
            else:
                starts.append(extent + middle)
                extents.append(affine(max(offsets) - middle))
        return self._block(starts, extents, some)

    def _block(self, starts: list[Affine], extents: list[Affine], some: list[int]) -> Nest:
        """A nest over elements from `starts` on, offsets counted, which collect some of the additions."""
        loops = self.translator.loops(len(extents))
        indices = [
            affine(0) if extent == affine(1) else variable(loop) for loop, extent in zip(loops, extents, strict=True)
        ]
        store = self.group[0].store
        shares: list[Scalar] = []
        for at in some:
            offsets = self.group[at].offsets
            places = [index + start - offset for index, start, offset in zip(indices, starts, offsets, strict=True)]
            shares.append(put(self.values[at], dict(zip(values_names(len(places)), places, strict=True))))
            self._reach(at, [start - offset for start, offset in zip(starts, offsets, strict=True)], extents)
        moved = (index + start + own for index, start, own in zip(indices, starts, self.starts, strict=True))
        step = Store(store.array, (*self.fixed, *moved), total(shares), store.dtype, "+")
        left = [at for at, extent in enumerate(extents) if extent != affine(1)]
        return Nest([loops[at] for at in left], [extents[at] for at in left], [step])

    def _reach(self, addition: int, starts: list[Affine], extents: list[Affine]) -> None:
        """Take note how far outside of what is added a block reads."""
        widths = self.needed.setdefault(addition, [0] * len(starts))
        for axis, (start, extent, own) in enumerate(zip(starts, extents, self.extents, strict=True)):
            above = start + extent - own
            widths[axis] = max(widths[axis], *(side.constant for side in (start.times(-1), above) if side.is_constant))

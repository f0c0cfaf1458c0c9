"""Adjoints of stencils as gathers.

What a stencil reads from several neighbours, its adjoint adds to several neighbours: one nest for each, which reads and
writes the whole array. Turned around, each element collects what is added to it, in one nest. What is added lies in an
array with a margin of zeros, so that elements near the edge need no case of their own.
"""

# Operands and static parameters are what primitives make of them: there is nothing for a type checker to know.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false, reportUnknownMemberType=false

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from retrograde.python.nests.affine import Affine, affine, variable
from retrograde.python.nests.fields import Indices
from retrograde.python.nests.model import (
    Constant,
    Element,
    Line,
    Nest,
    Part,
    Scalar,
    Spelled,
    Step,
    Store,
    Suite,
    elements_in,
    every_part,
    map_scalar,
    reads_of,
    value_of,
    with_value,
    writes_of,
)
from retrograde.python.nests.scalars import dtype_text
from retrograde.python.nests.translator import Translator


@dataclass(frozen=True, slots=True)
class Addition:
    """A nest that adds a value to shifted elements: `array[fixed…, k + offset…] += value(k)`."""

    nest: Nest
    store: Store
    offsets: tuple[int, ...]
    key: tuple[object, ...]


@dataclass(slots=True)
class Margins:
    """The arrays that get a margin of zeros, and how wide along each axis."""

    widths: dict[str, list[int]] = field(default_factory=dict[str, "list[int]"])

    def ask(self, array: str, widths: list[int]) -> None:
        """Have an array's margin be at least that wide."""
        present = self.widths.setdefault(array, [0] * len(widths))
        self.widths[array] = [max(pair) for pair in zip(present, widths, strict=True)]


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
    parts = _in_list(translator, parts, simple, margins)
    _widen(translator, parts, margins)
    return parts


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
        addition = _addition(part)
        if addition is None:
            close()
            result.append(part)
            continue
        if not _commutes(translator, run, addition):
            close()
        run.append(addition)
    close()
    return result


def _addition(part: Part) -> Addition | None:
    if not isinstance(part, Nest) or len(part.steps) != 1 or not part.free or not part.loops:
        return None
    (store,) = part.steps
    if not isinstance(store, Store) or store.by != "+":
        return None
    rest = len(store.indices) - len(part.loops)
    fixed, moving = store.indices[:rest], store.indices[rest:]
    if rest < 0 or any(loop in index.names for index in fixed for loop in part.loops):
        return None
    offsets: list[int] = []
    starts: list[Affine] = []
    for index, loop in zip(moving, part.loops, strict=True):
        start = index - variable(loop)
        if index.factor(loop) != 1 or any(name in part.loops for name in start.names):
            return None
        offsets.append(start.constant)
        starts.append(start - start.constant)
    key = (store.array, fixed, tuple(starts), tuple(part.extents), store.dtype)
    return Addition(part, store, tuple(offsets), key)


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
        least = [min(offsets) for offsets in zip(*(addition.offsets for addition in group), strict=True)]
        most = [max(offsets) for offsets in zip(*(addition.offsets for addition in group), strict=True)]
        middle = tuple((low + high) // 2 for low, high in zip(least, most, strict=True))
        values = [
            _by_place(addition) if addition.offsets == middle else _as_shifted(translator, addition, simple, before)
            for addition in group
        ]
        gather = _Gather(translator, group, values, least, most)
        for addition, value in zip(group, values, strict=True):
            for element in elements_in(value) if addition.offsets != middle else ():
                rank = len(element.indices) - len(least)
                margins.ask(element.array, [0] * rank + [high - low for low, high in zip(least, most, strict=True)])
        borders += gather.border()
        inner.append(gather.interior())
    return [*before, *borders, *inner]


def _by_place(addition: Addition) -> Scalar:
    """What is added, by `#0`, `#1`, …"""
    return _put(addition.store.value, {loop: variable(f"#{at}") for at, loop in enumerate(addition.nest.loops)})


def _as_shifted(translator: Translator, addition: Addition, simple: set[str], before: list[Part]) -> Scalar:
    """What is added, by `#0`, `#1`, …: of elements that can have a margin, and 0 in the margin."""
    nest = addition.nest
    values = {loop: variable(f"#{axis}") for axis, loop in enumerate(nest.loops)}
    value = _by_place(addition)
    if _is_zero_in_margins(value, simple, len(nest.loops)):
        return value
    for part in before:
        if isinstance(part, Nest) and part.extents == nest.extents and part.steps[0].value == _put(value, _back(part)):  # pyright: ignore[reportAttributeAccessIssue]
            array = part.steps[0].array  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownVariableType]
            return Element(array, tuple(values.values()), value.dtype)  # pyright: ignore[reportUnknownArgumentType]
    with translator.into(before):
        made = translator.allocate(tuple(nest.extents), value.dtype)
    assert made.memory is not None
    simple.add(made.memory.array)
    loops = translator.loops(len(nest.loops))
    indices = tuple(map(variable, loops))
    store = Store(
        made.memory.array, indices, _put(value, dict(zip(values_names(len(loops)), indices, strict=True))), value.dtype
    )
    before.append(Nest(loops, list(nest.extents), [store]))
    return Element(made.memory.array, tuple(values.values()), value.dtype)


def values_names(rank: int) -> list[str]:
    """The variables that stand for indices."""
    return [f"#{axis}" for axis in range(rank)]


def _back(nest: Nest) -> dict[str, Affine]:
    return {f"#{axis}": variable(loop) for axis, loop in enumerate(nest.loops)}


def _is_zero_in_margins(value: Scalar, simple: set[str], rank: int) -> bool:
    if isinstance(value, Element):
        own = tuple(variable(name) for name in values_names(rank))
        return value.array in simple and value.indices == own
    if not isinstance(value, Spelled):
        return False
    if value.template in ("(-{0})", "{0}"):
        return _is_zero_in_margins(value.operands[0], simple, rank)
    if value.template == "({0} * {1})":
        one, other = value.operands
        if isinstance(one, Constant):
            one, other = other, one
        return isinstance(other, Constant) and bool(np.isfinite(other.value)) and _is_zero_in_margins(one, simple, rank)
    return False


def _put(value: Scalar, values: dict[str, Affine]) -> Scalar:
    from retrograde.python.nests.model import Whole

    def leaf(part: Scalar) -> Scalar:
        if isinstance(part, Element):
            return Element(part.array, tuple(index.put(values) for index in part.indices), part.dtype)
        return Whole(part.value.put(values)) if isinstance(part, Whole) else part

    return map_scalar(leaf, value)


class _Gather:
    """A group of additions as what each element collects."""

    def __init__(
        self, translator: Translator, group: list[Addition], values: list[Scalar], least: list[int], most: list[int]
    ) -> None:
        self.translator = translator
        self.group = group
        self.values = values
        self.least, self.most = least, most
        self.middle = tuple((low + high) // 2 for low, high in zip(least, most, strict=True))
        self.extents = group[0].nest.extents
        store = group[0].store
        rest = len(store.indices) - len(self.extents)
        self.fixed = store.indices[:rest]
        moving = zip(store.indices[rest:], group[0].nest.loops, group[0].offsets, strict=True)
        self.starts = [index - variable(loop) - offset for index, loop, offset in moving]

    def interior(self) -> Nest:
        """The elements in the middle, over the same indices as the additions."""
        loops = self.translator.loops(len(self.extents))
        return Nest(
            loops, list(self.extents), [self._store(tuple(map(variable, loops)), tuple(map(affine, self.middle)), True)]
        )

    def border(self) -> list[Part]:
        """The elements around them: a slab on each side of each axis."""
        slabs = self._slabs()
        if not slabs:
            return []
        if len(self.extents) == 1:
            parts: list[Nest | Suite] = [self._slab(starts, extents) for starts, extents in slabs]
        else:
            parts = [self._slabs_in_turn(slabs)]
        own = tuple(variable(name) for name in values_names(len(self.extents)))
        moved = zip(own, self.starts, self.middle, strict=True)
        indices = (*self.fixed, *(index + start + middle for index, start, middle in moved))
        for part in parts:
            part.spares = (self.group[0].store.array, tuple(self.extents), indices)
        return [*parts]

    def _slabs(self) -> list[tuple[list[Affine], list[Affine]]]:
        """Where each slab starts, in offsets, and how long it is along each axis."""
        slabs: list[tuple[list[Affine], list[Affine]]] = []
        rank = len(self.extents)
        for axis in range(rank):
            low, middle, high = self.least[axis], self.middle[axis], self.most[axis]
            for start, width in ((affine(low), middle - low), (self.extents[axis] + middle, high - middle)):
                if width:
                    starts = [affine(self.middle[at]) for at in range(axis)] + [start]
                    extents = [self.extents[at] for at in range(axis)] + [affine(width)]
                    for at in range(axis + 1, rank):
                        starts.append(affine(self.least[at]))
                        extents.append(self.extents[at] + (self.most[at] - self.least[at]))
                    slabs.append((starts, extents))
        return slabs

    def _slab(self, starts: list[Affine], extents: list[Affine]) -> Nest:
        loops = self.translator.loops(len(extents))
        return Nest(loops, extents, [self._store(tuple(map(variable, loops)), tuple(starts))])

    def _slabs_in_turn(self, slabs: list[tuple[list[Affine], list[Affine]]]) -> Suite:
        translator = self.translator
        side = translator.fresh("side")
        suite = Suite(f"for {side} in range({len(slabs)}):", [], frozenset(), frozenset({side}))
        with translator.into(suite.body):
            bounds = [
                [self._chosen(side, [slab[which][axis] for slab in slabs]) for axis in range(len(self.extents))]
                for which in (0, 1)
            ]
        suite.body.append(self._slab(*bounds))
        return suite

    def _chosen(self, side: str, choices: list[Affine]) -> Affine:
        if len(set(choices)) == 1:
            return choices[0]
        text = f"({choices[-1]})"
        for at in reversed(range(len(choices) - 1)):
            text = f"({choices[at]}) if {side} == {at} else {text}"
        name = self.translator.fresh("p")
        names = {each for choice in choices for each in choice.names}
        self.translator.line(f"{name} = {text}", {side, *names}, name)
        return variable(name)

    def _store(self, indices: Indices, starts: Indices, in_the_middle: bool = False) -> Step:
        """The sum that the element at `indices + starts` collects, `starts` being where offsets begin.

        What is added without an offset from the middle does not reach the border.
        """
        store = self.group[0].store
        total: Scalar | None = None
        for addition, value in zip(self.group, self.values, strict=True):
            if addition.offsets == self.middle and not in_the_middle:
                continue
            places = {
                f"#{axis}": index + start - offset
                for axis, (index, start, offset) in enumerate(zip(indices, starts, addition.offsets, strict=True))
            }
            share = _put(value, places)
            total = share if total is None else Spelled("({0} + {1})", (total, share), store.dtype)
        assert total is not None
        moved = (index + start + own for index, start, own in zip(indices, starts, self.starts, strict=True))
        return Store(store.array, (*self.fixed, *moved), total, store.dtype, "+")


def is_simple(parts: list[Part], name: str) -> bool:
    """Whether an array is used by nests alone, element by element."""
    for part in every_part(parts):
        if isinstance(part, Line) and part.makes != name and (name in part.reads or name in part.writes):
            return False
        if isinstance(part, Suite) and (name in part.reads or name in part.writes):
            return False
    return True


def _widen(translator: Translator, parts: list[Part], margins: Margins) -> None:
    """Give arrays their margins: they begin with zeros, and what was at an index is further in."""

    def moved(array: str, indices: Indices) -> Indices:
        widths = margins.widths.get(array)
        return indices if widths is None else tuple(map(Affine.__add__, indices, widths))

    def leaf(part: Scalar) -> Scalar:
        return Element(part.array, moved(part.array, part.indices), part.dtype) if isinstance(part, Element) else part

    for part in every_part(parts):
        if isinstance(part, Line) and part.makes in margins.widths:
            _zeroed(translator, part, margins.widths[part.makes])
        if isinstance(part, Nest):
            for at, step in enumerate(part.steps):
                step = with_value(step, map_scalar(leaf, value_of(step)))
                if isinstance(step, Store):
                    step = Store(step.array, moved(step.array, step.indices), step.value, step.dtype, step.by)
                part.steps[at] = step


def _zeroed(translator: Translator, line: Line, widths: list[int]) -> None:
    name = line.makes
    assert name is not None
    extents = tuple(extent + 2 * width for extent, width in zip(translator.extents[name], widths, strict=True))
    translator.extents[name] = extents
    shape = ", ".join(map(translator.size_text, extents))
    dtype = line.text.rsplit(", ", 1)[1].rstrip(")")
    line.text = f"{name} = np.zeros(({shape}{',' if len(extents) == 1 else ''}), {dtype})"


__all__ = ["dtype_text", "gathered", "reads_of", "writes_of"]

"""Arrays with a margin of zeros, so that what is read at neighbours needs no case of its own near the edge."""

# Operands and static parameters are what primitives make of them: there is nothing for a type checker to know.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false, reportUnknownMemberType=false

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from functools import reduce

import numpy as np

from retrograde.python.nests.parts.affine import Affine, variable
from retrograde.python.nests.parts.fields import Indices
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
    every_part,
    map_scalar,
    put,
    value_of,
    with_value,
)
from retrograde.python.nests.translating.translator import Translator


@dataclass(slots=True)
class Margins:
    """The arrays that get a margin of zeros, and how wide along each axis."""

    widths: dict[str, list[int]] = field(default_factory=dict[str, "list[int]"])

    def ask(self, array: str, widths: list[int]) -> None:
        """Have an array's margin be at least that wide."""
        present = self.widths.setdefault(array, [0] * len(widths))
        self.widths[array] = [max(pair) for pair in zip(present, widths, strict=True)]


@dataclass(frozen=True, slots=True)
class Addition:
    """A nest that adds a value to shifted elements: `array[fixed…, k + offset…] += value(k)`."""

    nest: Nest
    store: Store
    offsets: tuple[int, ...]
    key: tuple[object, ...]


def addition_of(part: Part, by: str = "+") -> Addition | None:
    """A nest as an addition, if it is one; or as a store of the same form."""
    if not isinstance(part, Nest) or len(part.steps) != 1 or not part.free or not part.loops:
        return None
    (store,) = part.steps
    if not isinstance(store, Store) or store.by != by:
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


def by_place(addition: Addition) -> Scalar:
    """What is added, by `#0`, `#1`, …"""
    return put(addition.store.value, {loop: variable(f"#{at}") for at, loop in enumerate(addition.nest.loops)})


def as_shifted(translator: Translator, addition: Addition, simple: set[str], before: list[Part]) -> Scalar:
    """What is added, by `#0`, `#1`, …: of elements that can have a margin, and 0 in the margin."""
    return _with_margins(translator, by_place(addition), addition.nest, simple, before)


def _with_margins(translator: Translator, value: Scalar, nest: Nest, simple: set[str], before: list[Part]) -> Scalar:
    names = values_names(len(nest.loops))
    if isinstance(value, Element) and is_zero_in_margins(translator, value, simple, tuple(nest.extents)):
        return value
    if isinstance(value, Spelled) and value.template == "(-{0})":
        return replace(value, operands=(_with_margins(translator, value.operands[0], nest, simple, before),))
    multiple = scaled(value)
    if multiple is not None:
        one = _with_margins(translator, multiple[0], nest, simple, before)
        return Spelled("({0} * {1})", (one, multiple[1]), value.dtype)
    own = tuple(map(variable, names))
    for part in before:
        if isinstance(part, Nest) and part.extents == nest.extents:
            (step,) = part.steps
            there = dict(zip(names, map(variable, part.loops), strict=True))
            if isinstance(step, Store) and step.value == put(value, there):
                return Element(step.array, own, value.dtype)
    with translator.into(before):
        made = translator.allocate(tuple(nest.extents), value.dtype)
    assert made.memory is not None
    simple.add(made.memory.array)
    loops = translator.loops(len(nest.loops))
    indices = tuple(map(variable, loops))
    store = Store(made.memory.array, indices, put(value, dict(zip(names, indices, strict=True))), value.dtype)
    before.append(Nest(loops, list(nest.extents), [store]))
    return Element(made.memory.array, own, value.dtype)


def values_names(rank: int) -> list[str]:
    """The variables that stand for indices."""
    return [f"#{axis}" for axis in range(rank)]


def is_zero_in_margins(translator: Translator, value: Scalar, simple: set[str], extents: Indices) -> bool:
    """Whether a scalar, by `#0`, `#1`, …, can be had beyond these extents as zero."""
    if isinstance(value, Element):
        own = tuple(variable(name) for name in values_names(len(extents)))
        return value.array in simple and value.indices == own and translator.extents[value.array] == extents
    if isinstance(value, Spelled) and value.template == "(-{0})":
        return is_zero_in_margins(translator, value.operands[0], simple, extents)
    found = scaled(value)
    return found is not None and is_zero_in_margins(translator, found[0], simple, extents)


def scaled(value: Scalar) -> tuple[Scalar, Constant] | None:
    """What a scalar is a multiple of, and by which finite number."""
    if not isinstance(value, Spelled) or value.template != "({0} * {1})":
        return None
    one, other = value.operands
    if isinstance(one, Constant):
        one, other = other, one
    if not isinstance(other, Constant) or not np.isfinite(other.value):
        return None
    return None if isinstance(one, Constant) or one.dtype != value.dtype else (one, other)


def total(shares: list[Scalar]) -> Scalar:
    """A sum; what several are multiples of one number by is multiplied once."""
    multiples = [found for share in shares if (found := scaled(share)) is not None]
    factors = Counter(factor for _, factor in multiples)
    result: list[Scalar] = []
    for share in shares:
        found = scaled(share)
        if found is None or factors[found[1]] < 2:
            result.append(share)
        elif found in multiples:
            together = total([one for one, factor in multiples if factor == found[1]])
            result.append(Spelled("({0} * {1})", (together, found[1]), share.dtype))
            multiples = [pair for pair in multiples if pair[1] != found[1]]
    return reduce(lambda one, other: Spelled("({0} + {1})", (one, other), one.dtype), result)


def is_simple(parts: list[Part], name: str) -> bool:
    """Whether an array is used by nests alone, element by element."""
    for part in every_part(parts):
        if isinstance(part, Line) and part.makes != name and (name in part.reads or name in part.writes):
            return False
        if isinstance(part, Suite) and (name in part.reads or name in part.writes):
            return False
    return True


def widen(translator: Translator, parts: list[Part], margins: Margins) -> None:
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

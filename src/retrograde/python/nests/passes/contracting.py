"""Less memory: arrays that one nest uses become scalars, and allocations in loops come before them."""

from __future__ import annotations

from retrograde.python.nests.elements.combinations import combined
from retrograde.python.nests.parts.model import (
    Element,
    Let,
    Line,
    Local,
    Nest,
    Part,
    Scalar,
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
from retrograde.python.nests.passes.fusing import accesses


def contracted(parts: list[Part], kept: set[str]) -> list[Part]:
    """Arrays that one nest sets and reads, element by element, as scalars.

    Args:
        parts: all of a function.
        kept: variables that are used outside of it.
    """
    made = {part.makes for part in every_part(parts) if isinstance(part, Line) and part.makes} - kept
    users: dict[str, list[Part]] = {name: [] for name in made}
    for part in every_part(parts):
        for name in _used(part) & made:
            users[name].append(part)
    gone: set[str] = set()
    for name, found in users.items():
        if len(found) == 1 and isinstance(found[0], Nest) and _contract(found[0], name):
            gone.add(name)
    return _without(parts, gone)


def _used(part: Part) -> set[str]:
    if isinstance(part, Line):
        return set(part.reads | part.writes) - {part.makes or ""}
    if isinstance(part, Suite):
        return set(part.reads | part.writes)
    return reads_of(part) | writes_of(part)


def _contract(nest: Nest, name: str) -> bool:
    steps = nest.steps
    stores = [at for at, step in enumerate(steps) if isinstance(step, Store) and step.array == name]
    if not stores or steps[stores[0]].by:  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
        return False
    places = {indices for array, indices, _ in accesses(nest) if array == name}
    early = any(element.array == name for step in steps[: stores[0] + 1] for element in elements_in(value_of(step)))
    if len(places) != 1 or early:
        return False
    (place,) = places
    names = [each for index in place for each in index.names if each in nest.loops]
    if sorted(names) != sorted(nest.loops):
        return False
    scalar = f"{name}_here"

    def leaf(part: Scalar) -> Scalar:
        return Local(scalar, part.dtype) if isinstance(part, Element) and part.array == name else part

    for at, step in enumerate(steps):
        step = with_value(step, map_scalar(leaf, value_of(step)))
        if isinstance(step, Store) and step.array == name:
            step = Let(scalar, _with_present(step, scalar))
        steps[at] = step
    return True


def _with_present(store: Store, scalar: str) -> Scalar:
    if not store.by:
        return store.value
    return combined(store.by, Local(scalar, store.dtype), store.value)


def _without(parts: list[Part], gone: set[str]) -> list[Part]:
    result: list[Part] = []
    for part in parts:
        if isinstance(part, Suite):
            part.body, part.otherwise = _without(part.body, gone), _without(part.otherwise, gone)
        if not (isinstance(part, Line) and part.makes in gone):
            result.append(part)
    return result


def hoisted(parts: list[Part], kept: set[str]) -> list[Part]:
    """Allocations whose size does not change in a loop, before it: the array is used again in each iteration.

    Args:
        parts: all of a function.
        kept: variables that may be used by another name, or outside.
    """
    result: list[Part] = []
    for part in parts:
        if isinstance(part, Suite):
            part.body, part.otherwise = hoisted(part.body, kept), hoisted(part.otherwise, kept)
            if part.loops:
                changing = writes_of(part)
                out = [
                    line
                    for line in part.body
                    if isinstance(line, Line) and line.makes and line.makes not in kept and not line.reads & changing
                ]
                result += out
                part.body = [line for line in part.body if line not in out]
        result.append(part)
    return result

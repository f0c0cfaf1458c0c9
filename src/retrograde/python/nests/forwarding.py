"""Inside a nest: what was just stored is not read back, and what is stored again is stored once."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from retrograde.python.nests.affine import Affine
from retrograde.python.nests.combining import combined
from retrograde.python.nests.model import (
    Constant,
    Element,
    Let,
    Local,
    Nest,
    Scalar,
    Step,
    Store,
    elements_in,
    map_scalar,
    value_of,
    with_value,
)

Place = tuple[str, tuple[Affine, ...]]


def forwarded(nest: Nest, base_of: Callable[[str], str], names: Iterator[str]) -> None:
    """Have a nest keep in variables what it stores and reads again at the same place."""
    if sum(isinstance(step, Store) for step in nest.steps) < 1 or len(nest.steps) < 2:
        return
    known: dict[Place, Scalar] = {}
    steps: list[Step] = []
    again = _read_again(nest)

    def leaf(part: Scalar) -> Scalar:
        return known.get((part.array, part.indices), part) if isinstance(part, Element) else part

    for step in nest.steps:
        step = with_value(step, map_scalar(leaf, value_of(step)))
        if isinstance(step, Store):
            place = step.array, step.indices
            if step.by and place in known:
                step = Store(*place, combined(step.by, known[place], step.value), step.dtype)
            _forget(known, place, base_of)
            if not step.by and place in again and not isinstance(step.value, (Constant, Local)):
                name = next(names)
                steps.append(Let(name, step.value))
                step = Store(*place, Local(name, step.dtype), step.dtype)
            if not step.by and isinstance(step.value, (Constant, Local)):
                known[place] = step.value
        elif isinstance(step, Let):
            stale = [place for place, value in known.items() if isinstance(value, Local) and value.name == step.name]
            for place in stale:
                del known[place]
        steps.append(step)
    nest.steps[:] = _once(steps, base_of)


def _read_again(nest: Nest) -> set[Place]:
    found: set[Place] = set()
    stored: set[Place] = set()
    for step in nest.steps:
        found |= {(element.array, element.indices) for element in elements_in(value_of(step))} & stored
        if isinstance(step, Store):
            place = step.array, step.indices
            if step.by and place in stored:
                found.add(place)
            stored.add(place)
    return found


def _forget(known: dict[Place, Scalar], place: Place, base_of: Callable[[str], str]) -> None:
    for other in [other for other in known if base_of(other[0]) == base_of(place[0]) and other != place]:
        del known[other]


def _once(steps: list[Step], base_of: Callable[[str], str]) -> list[Step]:
    """Without stores that a later one to the same place makes void."""
    kept: list[Step] = []
    later: dict[Place, bool] = {}
    for step in reversed(steps):
        if isinstance(step, Store):
            place = step.array, step.indices
            if later.get(place) and not step.by:
                continue
        _touch(later, step, base_of)
        if isinstance(step, Store):
            later[step.array, step.indices] = not step.by
        kept.append(step)
    return kept[::-1]


def _touch(later: dict[Place, bool], step: Step, base_of: Callable[[str], str]) -> None:
    """What a step reads has to be there."""
    read = {base_of(element.array) for element in elements_in(value_of(step))}
    for place in later:
        if base_of(place[0]) in read:
            later[place] = False

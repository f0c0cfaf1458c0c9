"""Inside a nest: what was just stored is not read back, and what is stored again is stored once."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from retrograde.python.nests.elements.combinations import combined
from retrograde.python.nests.parts.affine import Affine, affine, variable
from retrograde.python.nests.parts.model import (
    Block,
    Check,
    Constant,
    Element,
    Let,
    Line,
    Local,
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
from retrograde.python.nests.passes.fusing import accesses, is_own

Place = tuple[str, tuple[Affine, ...]]


def forwarded(
    nest: Nest, base_of: Callable[[str], str], names: Iterator[str], given: dict[Place, Scalar] | None = None
) -> None:
    """Have a nest keep in variables what it stores and reads again at the same place.

    Args:
        nest: it is changed.
        base_of: a name for all the names that may share an array.
        names: new names for scalars.
        given: what is known to be at places before.
    """
    if not given and (sum(isinstance(step, Store) for step in nest.steps) < 1 or len(nest.steps) < 2):
        return
    known: dict[Place, Scalar] = dict(given or {})
    steps: list[Step] = []
    again = _read_again(nest)

    def leaf(part: Scalar) -> Scalar:
        return known.get((part.array, part.indices), part) if isinstance(part, Element) else part

    for step in nest.steps:
        step = with_value(step, map_scalar(leaf, value_of(step)))
        if isinstance(step, Store):
            place = step.array, step.indices
            step = _plain(step, known, again)
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


def _plain(step: Store, known: dict[Place, Scalar], again: set[Place]) -> Store:
    """A store that combines as one that does not, where what is there is known, or read again."""
    place = step.array, step.indices
    if step.by and place in known:
        return Store(*place, _combined(step, known[place]), step.dtype)
    if step.by and place in again:
        return Store(*place, combined(step.by, Element(*place, step.dtype), step.value), step.dtype)
    return step


def _combined(step: Store, known: Scalar) -> Scalar:
    if step.by == "+" and isinstance(known, Constant) and not known.value:
        return step.value
    return combined(step.by, known, step.value)


def constants_forwarded(parts: list[Part], base_of: Callable[[str], str], names: Iterator[str]) -> None:
    """Have a nest know of the constants that an earlier one stored where it stores; the first need not store them."""
    for at, part in enumerate(parts):
        if isinstance(part, Suite):
            constants_forwarded(part.body, base_of, names)
            constants_forwarded(part.otherwise, base_of, names)
        elif isinstance(part, Nest):
            for step in [step for step in part.steps if isinstance(step, Store)]:
                if isinstance(step.value, Constant) and not step.by:
                    _pass_on(part, step, parts[at + 1 :], base_of, names)


def _pass_on(nest: Nest, store: Store, later: list[Part], base_of: Callable[[str], str], names: Iterator[str]) -> None:
    base = base_of(store.array)
    if sum(isinstance(step, Store) and base_of(step.array) == base for step in nest.steps) != 1:
        return
    if not is_own(store.indices, nest.loops):
        return
    block = store.array, tuple(nest.extents), by_place(store.indices, nest.loops)
    moving = {name for index in (*block[1], *block[2]) for name in index.names}
    for part in later:
        if moving & writes_of(part):
            return
        if base not in {base_of(name) for name in reads_of(part) | writes_of(part)}:
            continue
        if not isinstance(part, Line) and part.spares == block:
            continue
        if isinstance(part, Nest) and _overwrites(part, block, base_of):
            place = store.array, tuple(index.put(to_loops(part.loops)) for index in block[2])
            forwarded(part, base_of, names, {place: store.value})
            if not any(base_of(each.array) == base for step in part.steps for each in elements_in(value_of(step))):
                nest.steps.remove(store)
        return


def copies_forwarded(
    parts: list[Part], base_of: Callable[[str], str], simple: set[str], multiples: bool = False
) -> None:
    """Have nests read an array where it is, not a copy or its negative, as long as it is not written.

    Args:
        parts: all of a function.
        base_of: a name for all the names that may share an array.
        simple: arrays that only nests use.
        multiples: whether the same is done for multiples by numbers.
    """
    for at, part in enumerate(parts):
        if isinstance(part, Suite):
            copies_forwarded(part.body, base_of, simple, multiples)
            copies_forwarded(part.otherwise, base_of, simple, multiples)
        elif isinstance(part, Nest):
            for step in [step for step in part.steps if isinstance(step, Store) and step.array in simple]:
                source = _source(part, step, multiples)
                if source is not None and not step.by and is_own(step.indices, part.loops):
                    _read_source(part, step, *source, parts[at + 1 :], base_of)


def _source(nest: Nest, store: Store, multiples: bool) -> tuple[Element, Scalar] | None:
    """The element that a store copies, and what it makes of it; the element is not written in the same nest."""
    value = store.value
    if isinstance(value, Local):
        lets = [step for step in nest.steps if isinstance(step, Let) and step.name == value.name]
        value = lets[0].value if len(lets) == 1 else value
    found = _only_element(value, multiples)
    if found is None or found.dtype != store.dtype:
        return None
    written = {
        step.array if isinstance(step, Store) else step.name for step in nest.steps if not isinstance(step, Check)
    }
    moving = {name for index in found.indices for name in index.names}
    return None if found.array in written or moving & written else (found, value)


def _only_element(value: Scalar, multiples: bool) -> Element | None:
    """The element that a scalar is, or is the negative or a multiple of."""
    if isinstance(value, Element):
        return value
    if not isinstance(value, Spelled):
        return None
    if value.template == "(-{0})":
        return _only_element(value.operands[0], multiples)
    if not multiples or value.template != "({0} * {1})":
        return None
    others = [operand for operand in value.operands if not isinstance(operand, Constant)]
    return _only_element(others[0], multiples) if len(others) == 1 and others[0].dtype == value.dtype else None


def _read_source(
    nest: Nest, store: Store, source: Element, value: Scalar, later: list[Part], base_of: Callable[[str], str]
) -> None:
    """Replace reads of a copy, up to the first write into what it is a copy of."""
    base = base_of(source.array)
    places = by_place(store.indices, nest.loops)
    block = source.array, tuple(nest.extents), by_place(source.indices, nest.loops)
    if any(index.factor(f"#{axis}") != 1 or len(index.terms) != 1 for axis, index in enumerate(places)):
        return
    starts = {f"#{axis}": index.constant for axis, index in enumerate(places)}
    names = {name for index in block[2] for name in index.names}

    def leaf(part: Scalar) -> Scalar:
        if not isinstance(part, Element) or part.array != store.array:
            return part
        moved = {name: index - starts[name] for name, index in zip(starts, part.indices, strict=True)}
        element = Element(source.array, tuple(index.put(moved) for index in block[2]), part.dtype)
        return map_scalar(lambda each: element if isinstance(each, Element) else each, value)

    for part in later:
        writes = {base_of(name) for name in writes_of(part)}
        spared = not isinstance(part, Line) and part.spares == block
        uses = store.array in reads_of(part) or store.array in writes_of(part)
        if uses and (not isinstance(part, Nest) or store.array in writes_of(part)):
            return
        if isinstance(part, Nest) and uses:
            if base in writes and not spared:
                return
            if not all(
                _lies_in(place, part, list(starts.values()), nest.extents) for place in _places(part, store.array)
            ):
                return
            part.steps[:] = [with_value(step, map_scalar(leaf, value_of(step))) for step in part.steps]
        if (base in writes and not spared) or names & writes_of(part):
            return


def _places(nest: Nest, array: str) -> list[tuple[Affine, ...]]:
    """The indices at which a nest reads an array."""
    found = [element for step in nest.steps for element in elements_in(value_of(step)) if element.array == array]
    return [element.indices for element in found]


def _lies_in(place: tuple[Affine, ...], nest: Nest, starts: list[int], extents: list[Affine]) -> bool:
    """Whether the elements at a place, for all iterations of a nest, certainly lie in a block of an array."""
    for index, start, extent in zip(place, starts, extents, strict=True):
        low = high = index
        for loop, count in zip(nest.loops, nest.extents, strict=True):
            ends = {loop: affine(0)}, {loop: count - 1}
            first, last = ends if index.factor(loop) >= 0 else ends[::-1]
            low, high = low.put(first), high.put(last)
        below, above = low - start, extent + (start - 1) - high
        if not (below.is_constant and above.is_constant and below.constant >= 0 and above.constant >= 0):
            return False
    return True


def without_unread(parts: list[Part], kept: set[str]) -> list[Part]:
    """Parts without stores into arrays that nothing reads."""
    made = {part.makes for part in every_part(parts) if isinstance(part, Line) and part.makes} - kept
    read: set[str] = set()
    for part in every_part(parts):
        if isinstance(part, Nest):
            read |= {element.array for step in part.steps for element in elements_in(value_of(step))}
        elif isinstance(part, Line):
            read |= (part.reads | part.writes) - ({part.makes} if part.makes else set())
        else:
            read |= part.reads | part.writes
    unread = {name for name in made if name not in read}
    return _dropped(parts, unread)


def _dropped(parts: list[Part], unread: set[str]) -> list[Part]:
    result: list[Part] = []
    for part in parts:
        if isinstance(part, Suite):
            part.body, part.otherwise = _dropped(part.body, unread), _dropped(part.otherwise, unread)
        if isinstance(part, Nest):
            part.steps[:] = [step for step in part.steps if not (isinstance(step, Store) and step.array in unread)]
            if not part.steps or (part.loops and all(isinstance(step, Let) for step in part.steps) and part.free):
                continue
        if isinstance(part, Line) and part.makes in unread:
            continue
        result.append(part)
    return result


def by_place(indices: tuple[Affine, ...], loops: list[str]) -> tuple[Affine, ...]:
    """Indices with `#0`, `#1`, … in place of the variables of loops."""
    values = {loop: variable(f"#{axis}") for axis, loop in enumerate(loops)}
    return tuple(index.put(values) for index in indices)


def to_loops(loops: list[str]) -> dict[str, Affine]:
    """The variables of loops for `#0`, `#1`, …"""
    return {f"#{axis}": variable(loop) for axis, loop in enumerate(loops)}


def _overwrites(nest: Nest, block: Block, base_of: Callable[[str], str]) -> bool:
    """Whether a nest reads and writes of an array just these elements, and writes each of them."""
    array, extents, indices = block
    if tuple(nest.extents) != extents:
        return False
    touched = [access for access in accesses(nest) if base_of(access[0]) == base_of(array)]
    return all(name == array and by_place(place, nest.loops) == indices for name, place, _ in touched) and any(
        writing for _, _, writing in touched
    )


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

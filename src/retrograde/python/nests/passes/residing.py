"""What a loop keeps twice, or sets to a constant each time, in one place only.

An array whose inside one nest writes and another array mirrors stays in the mirror while the loop runs. An array that
an iteration leaves at a constant is known to hold it when the next one begins.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from retrograde.python.nests.parts.model import (
    Block,
    Constant,
    Element,
    Let,
    Line,
    Local,
    Nest,
    Part,
    Scalar,
    Spelled,
    Store,
    Suite,
    elements_in,
    every_part,
    map_scalar,
    names_read,
    reads_of,
    value_of,
    with_value,
    writes_of,
)
from retrograde.python.nests.passes.forwarding import Place, by_place, forwarded, to_loops
from retrograde.python.nests.passes.fusing import BaseOf, is_own, with_scalars


@dataclass(frozen=True, slots=True)
class Mirror:
    """Two stores of a nest that put one value into blocks of two arrays."""

    nest: Nest
    store: Store
    copy: Store
    block: Block
    copied: Block


def mirrored(parts: list[Part], base_of: BaseOf, simple: set[str]) -> list[Part]:
    """Parts with loops in which the block of an array lives in its mirror, from which it is copied behind the loop.

    Args:
        parts: all of a function.
        base_of: a name for all the names that may share an array.
        simple: arrays that only nests use, and that are needed nowhere else.
    """
    result: list[Part] = []
    for part in parts:
        after: list[Part] = []
        if isinstance(part, Suite):
            part.body = mirrored(part.body, base_of, simple)
            part.otherwise = mirrored(part.otherwise, base_of, simple)
            if part.loops:
                for mirror in list(_mirrors(part, simple)):
                    if _begins_equal(mirror, result, base_of) and _is_alone(mirror, part, base_of):
                        after.append(_moved_in(mirror, part))
        result += [part, *after]
    return result


def _mirrors(suite: Suite, simple: set[str]) -> Iterator[Mirror]:
    for nest in suite.body:
        if not isinstance(nest, Nest) or not nest.loops:
            continue
        stores = [step for step in nest.steps if isinstance(step, Store) and not step.by]
        for copy in stores:
            if copy.array not in simple or not is_own(copy.indices, nest.loops):
                continue
            for store in stores:
                if store.array == copy.array or store.dtype != copy.dtype or not is_own(store.indices, nest.loops):
                    continue
                if _resolved(nest, store.value) == _resolved(nest, copy.value):
                    yield Mirror(nest, store, copy, _block(nest, store), _block(nest, copy))


def _block(nest: Nest, store: Store) -> Block:
    return store.array, tuple(nest.extents), by_place(store.indices, nest.loops)


def _resolved(nest: Nest, value: Scalar) -> Scalar:
    """A value, with what variables that are set once stand for in their place."""
    while isinstance(value, Local):
        name = value.name
        lets = [step for step in nest.steps if isinstance(step, Let) and step.name == name]
        if len(lets) != 1:
            return value
        value = lets[0].value
    return value


def _begins_equal(mirror: Mirror, before: list[Part], base_of: BaseOf) -> bool:
    """Whether the loop begins with the block copied to its mirror."""
    bases = {base_of(mirror.store.array), base_of(mirror.copy.array)}
    moving = {
        name
        for _, extents, indices in (mirror.block, mirror.copied)
        for each in (*extents, *indices)
        for name in each.names
    }
    for part in reversed(before):
        if isinstance(part, Nest):
            for step in part.steps:
                if isinstance(step, Store) and step.array == mirror.copy.array and not step.by:
                    source = _resolved(part, step.value)
                    return (
                        _block(part, step) == mirror.copied
                        and isinstance(source, Element)
                        and (source.array, by_place(source.indices, part.loops)) == (mirror.block[0], mirror.block[2])
                        and sum(base_of(name) in bases for name in writes_of(part)) == 1
                        and sum(isinstance(each, Store) and each.array == step.array for each in part.steps) == 1
                    )
        writes = writes_of(part)
        if writes & moving or any(base_of(name) in bases for name in writes):
            return False
    return False


def _is_alone(mirror: Mirror, suite: Suite, base_of: BaseOf) -> bool:
    """Whether a loop uses the block only where its mirror can be read instead, and sets both nowhere else."""
    array, extents, indices = mirror.block
    base, base_of_copy = base_of(array), base_of(mirror.copy.array)
    moving = {name for index in (*extents, *indices, *mirror.copied[2]) for name in index.names}
    if base == base_of_copy or moving & writes_of(suite):
        return False
    for part in every_part(suite.body):
        if part is mirror.nest:
            if not _reads_before(mirror, base_of):
                return False
            continue
        own = _touched(part)
        if base_of_copy in {base_of(name) for name in own[1]}:
            return False
        if base not in {base_of(name) for name in own[0] | own[1]} or _spares(part, mirror.block):
            continue
        if not isinstance(part, Nest) or base in {base_of(name) for name in own[1]}:
            return False
        if not _reads_only_block(part, mirror.block, base_of):
            return False
    return not _within_sparing(suite, mirror)


def _touched(part: Part) -> tuple[set[str], set[str]]:
    """What a part reads and writes itself."""
    if isinstance(part, Suite):
        return set(part.reads), set(part.writes)
    return reads_of(part), writes_of(part)


def _spares(part: Part, block: Block) -> bool:
    return isinstance(part, Nest) and part.spares == block


def _within_sparing(suite: Suite, mirror: Mirror) -> bool:
    """Whether the nest of the mirror stands in a suite that is said to leave the block alone."""
    return any(isinstance(part, Suite) and part.spares == mirror.block for part in every_part([suite]))


def _reads_only_block(nest: Nest, block: Block, base_of: BaseOf) -> bool:
    array, extents, indices = block
    found = [
        each for step in nest.steps for each in elements_in(value_of(step)) if base_of(each.array) == base_of(array)
    ]
    fits = tuple(nest.extents) == extents
    return fits and all(each.array == array and by_place(each.indices, nest.loops) == indices for each in found)


def _reads_before(mirror: Mirror, base_of: BaseOf) -> bool:
    """Whether the nest that writes both reads the block only before, and writes both arrays only there."""
    nest, array = mirror.nest, mirror.store.array
    bases = [base_of(array), base_of(mirror.copy.array)]
    written = [base_of(step.array) for step in nest.steps if isinstance(step, Store)]
    if any(written.count(base) != 1 for base in bases) or not _reads_only_block(nest, mirror.block, base_of):
        return False
    first = min(nest.steps.index(mirror.store), nest.steps.index(mirror.copy))
    later = nest.steps[first + 1 :]
    return not any(base_of(each.array) in bases for step in later for each in elements_in(value_of(step)))


def _moved_in(mirror: Mirror, suite: Suite) -> Nest:
    """Have a loop use the mirror; what copies the block from there."""
    array = mirror.block[0]

    def reading(nest: Nest) -> Callable[[Scalar], Scalar]:
        values = to_loops(nest.loops)

        def leaf(part: Scalar) -> Scalar:
            if not isinstance(part, Element) or part.array != array:
                return part
            return Element(mirror.copy.array, tuple(index.put(values) for index in mirror.copied[2]), part.dtype)

        return leaf

    mirror.nest.steps.remove(mirror.store)
    for part in every_part(suite.body):
        if isinstance(part, Nest) and not _spares(part, mirror.block):
            leaf = reading(part)
            part.steps[:] = [with_value(step, map_scalar(leaf, value_of(step))) for step in part.steps]
    value = Element(mirror.copy.array, mirror.copy.indices, mirror.copy.dtype)
    return Nest(list(mirror.nest.loops), list(mirror.nest.extents), [replace(mirror.store, value=value)])


def without_twins(parts: list[Part], simple: set[str]) -> None:
    """Have what is read of one of two arrays, which one nest sets to the same, be read of the other.

    Args:
        parts: all of a function.
        simple: arrays that only nests use, and that are needed nowhere else.
    """
    nests = [part for part in every_part(parts) if isinstance(part, Nest)]
    stored = Counter(step.array for nest in nests for step in nest.steps if isinstance(step, Store))
    bare = {part.makes for part in every_part(parts) if isinstance(part, Line) and " = np.empty(" in part.text}
    for nest in nests:
        for mirror in list(_mirrors(Suite("", [nest]), simple)):
            one, other = mirror.store.array, mirror.copy.array
            places = enumerate(mirror.block[2])
            plain = all(index.factor(f"#{axis}") == 1 and len(index.terms) == 1 for axis, index in places)
            if one in simple & bare and stored[one] == stored[other] == 1 and plain:
                for reader in nests:
                    _read_other(reader, mirror)
                stored[one] = 0


def _read_other(nest: Nest, mirror: Mirror) -> None:
    one, _, places = mirror.block

    def leaf(part: Scalar) -> Scalar:
        if not isinstance(part, Element) or part.array != one:
            return part
        values = {
            f"#{axis}": index - place.constant
            for axis, (index, place) in enumerate(zip(part.indices, places, strict=True))
        }
        return Element(mirror.copy.array, tuple(index.put(values) for index in mirror.copied[2]), part.dtype)

    nest.steps[:] = [with_value(step, map_scalar(leaf, value_of(step))) for step in nest.steps]


def settled(parts: list[Part], base_of: BaseOf, names: Iterator[str]) -> list[Part]:
    """Parts with nests that read what each iteration leaves at a constant in two versions: the first time, and then.

    Args:
        parts: all of a function.
        base_of: a name for all the names that may share an array.
        names: new names for scalars.
    """
    for part in parts:
        if not isinstance(part, Suite):
            continue
        part.body = settled(part.body, base_of, names)
        part.otherwise = settled(part.otherwise, base_of, names)
        counted = _first_of(part)
        if counted is None:
            continue
        for at, nest in enumerate(part.body):
            if isinstance(nest, Nest) and nest.loops:
                known = _left_constant(nest, part, base_of)
                if known:
                    part.body[at] = _in_versions(nest, known, counted, part, base_of, names)
    return parts


def _first_of(suite: Suite) -> tuple[str, str] | None:
    """The variable of a loop over a range, and what it is the first time, if nothing in the loop changes that."""
    if not suite.header.startswith("for ") or " in range(" not in suite.header:
        return None
    name, inside = suite.header[4:-2].split(" in range(", 1)
    depth, bounds = 0, [""]
    for letter in inside:
        depth += (letter == "(") - (letter == ")")
        if letter == "," and not depth:
            bounds.append("")
        else:
            bounds[-1] += letter
    changing = set[str]().union(*map(writes_of, suite.body))
    return None if changing & {name, *suite.reads} else (name, bounds[0] if len(bounds) > 1 else "0")


def _left_constant(nest: Nest, suite: Suite, base_of: BaseOf) -> dict[Place, Scalar]:
    """The places that a nest reads and leaves at a constant, and that nothing else in the loop touches."""
    found: dict[Place, Scalar] = {}
    others = [part for part in every_part(suite.body) if part is not nest]
    for step in nest.steps:
        if not isinstance(step, Store) or step.by or not isinstance(step.value, Constant):
            continue
        base = base_of(step.array)
        block = _block(nest, step)
        stores = [each for each in nest.steps if isinstance(each, Store) and base_of(each.array) == base]
        reads = [each for each in nest.steps for one in elements_in(value_of(each)) if base_of(one.array) == base]
        moving = {name for index in (*block[1], *block[2]) for name in index.names}
        if len(stores) != 1 or not reads or not is_own(step.indices, nest.loops) or moving & writes_of(suite):
            continue
        if not _reads_only_block(nest, block, base_of):
            continue
        if all(_leaves_alone(part, block, base, base_of) for part in others):
            found[step.array, step.indices] = step.value
    return found


def _leaves_alone(part: Part, block: Block, base: str, base_of: BaseOf) -> bool:
    own = _touched(part)
    return _spares(part, block) or base not in {base_of(name) for name in own[0] | own[1]}


def _in_versions(
    nest: Nest,
    known: dict[Place, Scalar],
    counted: tuple[str, str],
    suite: Suite,
    base_of: BaseOf,
    names: Iterator[str],
) -> Suite:
    later = Nest(list(nest.loops), list(nest.extents), list(nest.steps), nest.free)
    lets = [step for step in nest.steps if isinstance(step, Let)]
    carried = {let.name for let in lets if let.name in names_read(let.value)}
    own = {let.name: next(names) for let in lets if let.name not in carried}
    later.steps = with_scalars(later.steps, own)
    forwarded(later, base_of, names, known)
    later.steps[:] = [
        with_value(step, _without_zeros(value_of(step)))
        for step in later.steps
        if not (isinstance(step, Store) and known.get((step.array, step.indices)) == step.value)
    ]
    name, first = counted
    return Suite(f"if {name} == {first}:", [nest], frozenset({name, *suite.reads}), frozenset(), [later])


def _without_zeros(value: Scalar) -> Scalar:
    """A scalar in which no zero is added to anything."""
    if not isinstance(value, Spelled):
        return value
    operands = tuple(map(_without_zeros, value.operands))
    if value.template == "({0} + {1})":
        for one, other in (operands, operands[::-1]):
            if isinstance(one, Constant) and not one.value and other.dtype == value.dtype:
                return other
    return replace(value, operands=operands)

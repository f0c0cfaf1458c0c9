"""Fewer and larger nests: those over the same indices are merged."""

# Operands and static parameters are what primitives make of them: there is nothing for a type checker to know.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false, reportUnknownMemberType=false

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from retrograde.python.nests.parts.affine import Affine, variable
from retrograde.python.nests.parts.model import (
    Constant,
    Let,
    Line,
    Local,
    Nest,
    Part,
    Scalar,
    Step,
    Store,
    Suite,
    elements_in,
    every_part,
    map_scalar,
    names_read,
    put,
    reads_of,
    value_of,
    with_value,
    writes_of,
)

_MOST_COMPARISONS = 120  # LLVM vectorizes a loop that needs up to 128
_MOST_STEPS = 60

BaseOf = Callable[[str], str]


def fused(parts: list[Part], base_of: BaseOf, kept: set[str]) -> list[Part]:
    """Parts with nests merged, where that changes nothing of what is computed.

    Args:
        parts: what happens, in order.
        base_of: a name for all the names that may share an array.
        kept: variables that are used elsewhere, or by another name.
    """
    made = {part.makes for part in every_part(parts) if isinstance(part, Line) and part.makes} - kept
    users: Counter[str] = Counter()
    for part in every_part(parts):
        if isinstance(part, Nest):
            users.update(_arrays(part))
        elif isinstance(part, Line):
            made -= (part.reads | part.writes) - {part.makes}
        else:
            made -= part.reads | part.writes
    return _fused(parts, base_of, Counter({name: count for name, count in users.items() if name in made}))


def _fused(parts: list[Part], base_of: BaseOf, users: Counter[str]) -> list[Part]:
    result: list[Part] = []
    for part in early(parts, base_of):
        if isinstance(part, Suite):
            part.body, part.otherwise = _fused(part.body, base_of, users), _fused(part.otherwise, base_of, users)
        if not isinstance(part, Nest) or not part.loops or not _merged(result, part, base_of, users):
            result.append(part)
    return result


def _arrays(nest: Nest) -> set[str]:
    return {array for array, _, _ in accesses(nest)}


def early(parts: list[Part], base_of: BaseOf) -> list[Part]:
    """Allocations and checks as early as they can stand, so that nests come to lie side by side."""
    result: list[Part] = []
    needs: list[Needs] = []
    for part in parts:
        at, own = len(result), _needs(part, base_of)
        if _may_come_early(part):
            while at and not _clash(needs[at - 1], own):
                at -= 1
        result.insert(at, part)
        needs.insert(at, own)
    return result


def _may_come_early(part: Part) -> bool:
    if isinstance(part, Nest):
        if part.loops:
            return all(
                isinstance(step, Store) and not step.by and isinstance(step.value, Constant) for step in part.steps
            )
        return all(isinstance(step, Let) for step in part.steps)
    return isinstance(part, Line) and not part.text.startswith("np.") and "break" not in part.text


def early_everywhere(parts: list[Part], base_of: BaseOf) -> list[Part]:
    """The same, in suites, too."""
    for part in parts:
        if isinstance(part, Suite):
            part.body = early_everywhere(part.body, base_of)
            part.otherwise = early_everywhere(part.otherwise, base_of)
    return early(parts, base_of)


def late(parts: list[Part], base_of: BaseOf) -> list[Part]:
    """Allocations and first values right before what needs them, the first of which is the region that makes them."""
    result: list[Part] = []
    needs: list[Needs] = []
    for part in reversed(parts):
        at, own = 0, _needs(part, base_of)
        if _may_come_late(part):
            while at < len(result) and not _clash(own, needs[at]):
                at += 1
        result.insert(at, part)
        needs.insert(at, own)
    return result


def _may_come_late(part: Part) -> bool:
    if isinstance(part, Line):
        return part.makes is not None
    return isinstance(part, Nest) and all(
        not (isinstance(step, Store) and step.by) and isinstance(value_of(step), Constant) for step in part.steps
    )


def conflict(one: Part, other: Part, base_of: BaseOf) -> bool:
    """Whether a part may not come before another one that stands earlier."""
    return _clash(_needs(one, base_of), _needs(other, base_of))


Needs = tuple[set[str], set[str], set[str]]
"""What a part reads, writes and guards, by names that stand for all that may share an array."""


def _needs(part: Part, base_of: BaseOf) -> Needs:
    guards = part.guards if isinstance(part, Line) else ()
    return _based(reads_of(part), base_of), _based(writes_of(part), base_of), _based(guards, base_of)


def _clash(one: Needs, other: Needs) -> bool:
    """Whether a part has to stay before another one, which comes later."""
    (one_reads, one_writes, one_guards), (other_reads, other_writes, _) = one, other
    if "#control" in one_writes or "#control" in other_writes:
        return True
    return not (
        one_guards.isdisjoint(other_reads)
        and one_writes.isdisjoint(other_reads)
        and one_writes.isdisjoint(other_writes)
        and one_reads.isdisjoint(other_writes)
    )


def _based(names: Iterable[str], base_of: BaseOf) -> set[str]:
    return {base_of(name) for name in names}


def _merged(before: list[Part], nest: Nest, base_of: BaseOf, users: Counter[str]) -> bool:
    """Merge a nest into an earlier one that it can move up to: that with which it shares most of what only nests use.

    Args:
        before: what is there.
        nest: what comes.
        base_of: a name for all the names that may share an array.
        users: how many nests use an array that nothing else uses.
    """
    reached: list[Nest] = []
    for part in reversed(before):
        if isinstance(part, Nest) and part.extents == nest.extents:
            reached.append(part)
        if conflict(part, nest, base_of):
            break
    arrays = _arrays(nest) & users.keys()
    for part in sorted(reached, key=lambda each: -len(arrays & _arrays(each))):
        if fits(part, nest, base_of, users):
            users.subtract(arrays & _arrays(part))
            _take(part, nest)
            return True
    return False


def _take(nest: Nest, other: Nest) -> None:
    """Have a nest do what another one does, too."""
    nest.steps += renamed(other, nest.loops).steps
    nest.free = nest.free and other.free
    if nest.spares and nest.spares != other.spares and nest.spares[0] in reads_of(other) | writes_of(other):
        nest.spares = None


def with_scalars(steps: list[Step], names: dict[str, str]) -> list[Step]:
    """Steps with other names for their scalars."""
    values = {old: variable(new) for old, new in names.items()}

    def leaf(part: Scalar) -> Scalar:
        return Local(names.get(part.name, part.name), part.dtype) if isinstance(part, Local) else part

    found: list[Step] = []
    for step in steps:
        step = _put(with_value(step, map_scalar(leaf, value_of(step))), values)
        found.append(Let(names.get(step.name, step.name), step.value) if isinstance(step, Let) else step)
    return found


def renamed(nest: Nest, loops: list[str]) -> Nest:
    """A nest with other loop variables."""
    values = {old: variable(new) for old, new in zip(nest.loops, loops, strict=True)}
    return Nest(loops, nest.extents, [_put(step, values) for step in nest.steps], nest.free)


def _put(step: Step, values: dict[str, Affine]) -> Step:
    step = with_value(step, put(value_of(step), values))
    if isinstance(step, Store):
        return Store(step.array, tuple(index.put(values) for index in step.indices), step.value, step.dtype, step.by)
    return step


Access = tuple[str, tuple[Affine, ...], bool]


def accesses(nest: Nest) -> list[Access]:
    """The array elements that a nest reads and writes: the array, the indices, whether it is written."""
    found: list[Access] = []
    for step in nest.steps:
        found += [(element.array, element.indices, False) for element in elements_in(value_of(step))]
        if isinstance(step, Store):
            found.append((step.array, step.indices, True))
    return found


def fits(one: Nest, other: Nest, base_of: BaseOf, users: Mapping[str, int] = MappingProxyType({})) -> bool:
    """Whether two nests over the same extents may become one.

    A loop that writes many arrays and reads many others would not be vectorized, as they may overlap; those that it
    alone would use, by `users`, become scalars, and so are not among them.
    """
    if len(one.steps) + len(other.steps) > _MOST_STEPS:
        return False
    other = renamed(other, one.loops)
    if _scalars_clash(one, other):
        return False
    together = accesses(one) + accesses(other)
    both = [_arrays(one), _arrays(other)]
    inside = {array for array in both[0] | both[1] if users.get(array) == (array in both[0]) + (array in both[1])}
    if _comparisons([access for access in together if access[0] not in inside]) > _MOST_COMPARISONS:
        return False
    written = {base_of(array) for array, _, writing in together if writing}
    first = {base_of(array) for array, _, _ in accesses(one)}
    shared = first & {base_of(array) for array, _, _ in accesses(other)} & written
    return all(_same_places(together, base, one.loops, base_of) for base in shared)


def _comparisons(together: list[Access]) -> int:
    """How many pairs of rows have to be compared before a loop is known to write none that it reads elsewhere."""
    written = {_row(array, indices) for array, indices, writing in together if writing}
    others = {_row(array, indices) for array, indices, _ in together} - written
    return len(written) * len(others) + len(written) * (len(written) - 1) // 2


def _row(array: str, indices: tuple[Affine, ...]) -> tuple[object, ...]:
    return array, indices[:-1], indices[-1].terms if indices else ()


def _same_places(together: list[Access], base: str, loops: list[str], base_of: BaseOf) -> bool:
    """Whether each iteration touches elements of its own of an array."""
    places = list({(array, indices) for array, indices, _ in together if base_of(array) == base})
    written = {(array, indices) for array, indices, writing in together if writing and base_of(array) == base}
    for at, one in enumerate(places):
        for other in places[at + 1 :]:
            if (one in written or other in written) and not (
                one[0] == other[0] and _never_meet(one[1], other[1], loops)
            ):
                return False
    return all(is_own(indices, loops) for _, indices in written)


def is_own(indices: tuple[Affine, ...], loops: list[str]) -> bool:
    """Whether each iteration has a place of its own."""
    names = [name for index in indices for name in index.names if name in loops]
    return sorted(names) == sorted(loops)


def _never_meet(one: tuple[Affine, ...], other: tuple[Affine, ...], loops: list[str]) -> bool:
    """Whether two places differ along an axis that does not move."""
    for mine, theirs in zip(one, other, strict=True):
        difference = mine - theirs
        if difference.is_constant and difference.constant and not any(name in loops for name in mine.names):
            return True
    return False


def _scalars_clash(one: Nest, other: Nest) -> bool:
    ones = {step.name for step in one.steps if isinstance(step, Let)}
    others = {step.name for step in other.steps if isinstance(step, Let)}
    reads_one = {name for step in one.steps for name in all_read(step)}
    reads_other = {name for step in other.steps for name in all_read(step)}
    return bool(ones & (others | reads_other) or others & reads_one)


def all_read(step: Step) -> set[str]:
    """The variables that a step reads; an array that it stores into is not among them."""
    names = set(names_read(value_of(step)))
    if isinstance(step, Store):
        names.update(name for index in step.indices for name in index.names)
    return names

"""What a loop writes down a column in each iteration is written behind the loop, row by row.

    for j in range(n):                      for j in range(n):
        g = …                                   g = …; row[j] = g
        for k in range(i):          →       for k in range(i):
            d[k, j] += g * a[k]                 for j in range(n):
                                                    d[k, j] += row[j] * a[k]

Neighbours in memory are then written one after the other, several at a time. Each element is still combined with the
same value once, so that nothing is rounded otherwise. That no other iteration and no other nest of the loop touches
what is written or read is proved from the ranges of the loops.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

from retrograde.python.nests.elements.scalars import dtype_text
from retrograde.python.nests.parts.affine import Affine, Facts, affine, variable
from retrograde.python.nests.parts.fields import Indices
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
    map_scalar,
    put,
    scalars_in,
    writes_of,
)
from retrograde.python.nests.passes.fusing import Access, BaseOf, accesses, all_read


def turned(parts: list[Part], base_of: BaseOf, names: Iterator[str], facts: Facts | None = None) -> list[Part]:
    """Parts in which columns are written row by row.

    Args:
        parts: of a function.
        base_of: a name for all the names that may share an array.
        names: new names.
        facts: the ranges of the loops around them.
    """
    facts = facts or Facts()
    result: list[Part] = []
    for part in parts:
        if isinstance(part, Suite):
            inner = _within(facts, part)
            part.body = turned(part.body, base_of, names, inner)
            part.otherwise = turned(part.otherwise, base_of, names, facts)
            result += _divided(part, base_of, names, facts)
        else:
            result.append(part)
    return result


def _within(facts: Facts, suite: Suite) -> Facts:
    inner = Facts(dict(facts.lower), dict(facts.upper))
    for name in writes_of(suite):
        inner.lower.pop(name, None)
        inner.upper.pop(name, None)
    if suite.over is not None:
        name, low, high = suite.over
        if not {*low.names, *high.names} & writes_of(suite):
            inner.lower[name], inner.upper[name] = low, high - 1
    return inner


@dataclass(frozen=True, slots=True)
class _Column:
    """A nest that writes down a column, and the scalars that it reads which the loop sets."""

    nest: Nest
    store: Store
    scalars: dict[str, Local]


def _divided(suite: Suite, base_of: BaseOf, names: Iterator[str], facts: Facts) -> list[Part]:
    """A loop, and what is written row by row behind it."""
    if suite.over is None or not all(isinstance(part, Nest) for part in suite.body):
        return [suite]
    name, low, high = suite.over
    if {*low.names, *high.names} & writes_of(suite):
        return [suite]
    before: list[Part] = []
    after: list[Part] = []
    for part in list(suite.body):
        column = _column(part, suite, name)
        start = None if column is None else _first(column.nest.extents[0], name, low, facts)
        if column is None or start is None or not _is_alone(column, suite, base_of, facts):
            continue
        rows = {scalar: next(names) for scalar in column.scalars}
        for scalar, local in column.scalars.items():
            before.append(_allocation(rows[scalar], high - low, local))
            _note(suite, Local(scalar, local.dtype), rows[scalar], variable(name) - low)
        suite.body.remove(part)
        after.append(_in_rows(column, name, start, high, low, rows, names))
    return [*before, *([suite] if suite.body else []), *after]


def _column(part: Part, suite: Suite, name: str) -> _Column | None:
    """A nest of one loop that writes down a column which moves to the side with a variable."""
    if not isinstance(part, Nest) or len(part.loops) != 1 or not part.free or len(part.steps) != 1:
        return None
    (store,), (loop,) = part.steps, part.loops
    if not isinstance(store, Store) or store.by not in ("", "+") or len(store.indices) < 2:
        return None
    *rows, last = store.indices
    down = [index for index in rows if index.factor(loop)]
    if abs(last.factor(name)) != 1 or last.factor(loop) or len(down) != 1 or abs(down[0].factor(loop)) != 1:
        return None
    if any(index.factor(name) for index in rows) or not all(_is_near(each, name) for each in elements_in(store.value)):
        return None
    if part.extents[0].factor(name) not in (0, 1):
        return None
    scalars = _scalars(part, store, suite, name)
    return None if scalars is None else _Column(part, store, scalars)


def _is_near(element: Element, name: str) -> bool:
    """Whether an element stays where it is along a loop, or its neighbour comes next."""
    return not any(index.factor(name) for index in element.indices[:-1]) and abs(element.indices[-1].factor(name)) <= 1


def _scalars(nest: Nest, store: Store, suite: Suite, name: str) -> dict[str, Local] | None:
    """The scalars of a nest that the loop sets, each once and before it; None where they are set otherwise."""
    changing = writes_of(suite) - {name}
    found = {part.name: part for part in _locals(store.value) if part.name in changing}
    if (all_read(store) | {*nest.extents[0].names}) & changing - set(found) - _arrays(store):
        return None
    lets = [step for part in suite.body if isinstance(part, Nest) for step in part.steps if isinstance(step, Let)]
    earlier = suite.body[: suite.body.index(nest)]
    plain = {
        step.name
        for part in earlier
        if isinstance(part, Nest) and not part.loops
        for step in part.steps
        if isinstance(step, Let)
    }
    once = all(sum(let.name == scalar for let in lets) == 1 and scalar in plain for scalar in found)
    return found if once else None


def _arrays(store: Store) -> set[str]:
    return {store.array, *(element.array for element in elements_in(store.value))}


def _locals(value: Scalar) -> Iterator[Local]:
    return (part for part in scalars_in(value) if isinstance(part, Local))


def _first(extent: Affine, name: str, low: Affine, facts: Facts) -> Affine | None:
    """Where the loop begins, less the row, for the elements of a row: all of it, or those beyond a diagonal."""
    if not extent.factor(name):
        return low
    start = affine(1) - (extent - variable(name))
    return start if facts.never_negative(start - low) else None


def _is_alone(column: _Column, suite: Suite, base_of: BaseOf, facts: Facts) -> bool:
    """Whether no other iteration and no other nest of a loop touches what a nest writes, or writes what it reads."""
    assert suite.over is not None
    name = suite.over[0]
    both = _within(facts, suite)
    _bound(both, column.nest)
    other_names = {name: f"{name}'"}
    mine = accesses(column.nest)
    for part in suite.body:
        assert isinstance(part, Nest)
        moved = other_names | {loop: f"{loop}'" for loop in part.loops}
        values = {old: variable(new) for old, new in moved.items()}
        for old, new in moved.items():
            if old == name:
                both.lower[new], both.upper[new] = both.lower[old], both.upper[old]
        for loop, extent in zip(part.loops, part.extents, strict=True):
            both.lower[moved[loop]], both.upper[moved[loop]] = affine(0), extent.put(values) - 1
        theirs = [
            (array, tuple(index.put(values) for index in indices), writing)
            for array, indices, writing in accesses(part)
        ]
        if part is column.nest:
            theirs = [access for access in theirs if not access[2]]
        if any(_may_meet(one, other, base_of, both) for one in mine for other in theirs):
            return False
    return True


def _bound(facts: Facts, nest: Nest) -> None:
    for loop, extent in zip(nest.loops, nest.extents, strict=True):
        facts.lower[loop], facts.upper[loop] = affine(0), extent - 1


def _may_meet(one: Access, other: Access, base_of: BaseOf, facts: Facts) -> bool:
    if base_of(one[0]) != base_of(other[0]) or not (one[2] or other[2]):
        return False
    return one[0] != other[0] or not _are_apart(one[1], other[1], facts)


def _are_apart(one: Indices, other: Indices, facts: Facts) -> bool:
    """Whether two places never are the same: along an axis, or because one axis would have to follow another."""
    differences = [mine - theirs for mine, theirs in zip(one, other, strict=True)]
    differences += [first - second for first, second in combinations(differences, 2)]
    return any(facts.never_negative(each - 1) or facts.never_negative(each.times(-1) - 1) for each in differences)


def _allocation(row: str, extent: Affine, local: Local) -> Line:
    text = f"{row} = np.empty((max({extent}, 0),), {dtype_text(local.dtype)})"
    return Line(text, frozenset(extent.names), frozenset({row}), row, frozenset({row}))


def _note(suite: Suite, local: Local, row: str, place: Affine) -> None:
    """Have a loop store a scalar in a row after it is set."""
    for part in suite.body:
        assert isinstance(part, Nest)
        for at, step in enumerate(part.steps):
            if isinstance(step, Let) and step.name == local.name:
                part.steps.insert(at + 1, Store(row, (place,), local, local.dtype))
                return


def _in_rows(
    column: _Column, name: str, start: Affine, high: Affine, low: Affine, rows: dict[str, str], names: Iterator[str]
) -> Suite:
    """What a nest writes in all iterations of a loop, a row at a time."""
    nest, store = column.nest, column.store
    (loop,) = nest.loops
    along = next(names)
    count = nest.extents[0].put({name: high - 1})
    if nest.extents[0].factor(name):
        start = start + variable(loop)
    values = {name: start + variable(along)}

    def leaf(part: Scalar) -> Scalar:
        if isinstance(part, Local) and part.name in rows:
            return Element(rows[part.name], (values[name] - low,), part.dtype)
        return put(part, values)

    indices = tuple(index.put(values) for index in store.indices)
    inner = Store(store.array, indices, map_scalar(leaf, store.value), store.dtype, store.by)
    body: list[Part] = [Nest([along], [high - start], [inner])]
    over = (loop, affine(0), count)
    return Suite(f"for {loop} in range({count}):", body, frozenset(count.names), frozenset({loop}), over=over)

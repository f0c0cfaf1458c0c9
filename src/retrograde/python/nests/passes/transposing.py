"""A matrix of which a loop reads columns, again and again, without writing it, is read by rows of a transposed copy.

Neighbours in memory are then read one after the other, several at a time. The copy is made before the loop, where it
costs about as much as one of the many times that the columns are read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from retrograde.python.nests.elements.scalars import dtype_text
from retrograde.python.nests.parts.affine import Affine, affine, variable
from retrograde.python.nests.parts.model import (
    Element,
    Line,
    Nest,
    Part,
    Scalar,
    Store,
    Suite,
    elements_in,
    every_part,
    map_scalar,
    value_of,
    with_value,
    writes_of,
)
from retrograde.python.nests.passes.fusing import BaseOf


def transposed(parts: list[Part], base_of: BaseOf, names: Iterator[str]) -> list[Part]:
    """Parts with loops that read columns by rows.

    Args:
        parts: all of a function.
        base_of: a name for all the names that may share an array.
        names: new names.
    """
    result: list[Part] = []
    for part in parts:
        if isinstance(part, Suite) and part.over is not None and not any(map(_is_branch, every_part(part.body))):
            written = set(map(base_of, writes_of(part)))
            for array, columns in _columns(part).items():
                if base_of(array) not in written and columns.often:
                    result += _copied(array, columns, part, names)
        result.append(part)
    return result


def _is_branch(part: Part) -> bool:
    return isinstance(part, Suite) and part.over is None


@dataclass(slots=True)
class _Columns:
    """The columns of an array that a loop reads.

    Attributes:
        dtype: of its elements.
        often: whether the loops run about as often as the columns that they read are long.
        rows: below what the indices of rows are, at one place each.
        columns: below what those of columns are.
        places: where it is read.
    """

    dtype: np.dtype[np.generic]
    often: bool = True
    rows: list[Affine] = field(default_factory=list["Affine"])
    columns: list[Affine] = field(default_factory=list["Affine"])
    places: list[tuple[Nest, Element]] = field(default_factory=list["tuple[Nest, Element]"])


def _columns(loop: Suite) -> dict[str, _Columns]:
    """What nests inside of two loops read down columns."""
    found: dict[str, _Columns] = {}
    assert loop.over is not None
    for suite in loop.body:
        if not isinstance(suite, Suite) or suite.over is None:
            continue
        for nest in suite.body:
            if not isinstance(nest, Nest) or len(nest.loops) != 1:
                continue
            ranges = [loop.over, suite.over, (nest.loops[0], affine(0), nest.extents[0])]
            for element in (each for step in nest.steps for each in elements_in(value_of(step))):
                if _runs_down(element, nest.loops[0], suite.over[0]):
                    _add(found, nest, element, ranges)
    return found


def _runs_down(element: Element, loop: str, outer: str) -> bool:
    if len(element.indices) != 2:
        return False
    row, column = element.indices
    return abs(row.factor(loop)) == 1 and not column.factor(loop) and abs(column.factor(outer)) == 1


def _add(found: dict[str, _Columns], nest: Nest, element: Element, ranges: list[tuple[str, Affine, Affine]]) -> None:
    row, column = (_above(index, ranges) for index in element.indices)
    present = found.setdefault(element.array, _Columns(element.dtype))
    present.places.append((nest, element))
    present.rows += [row] if row not in present.rows else []
    present.columns += [column] if column not in present.columns else []
    extents = {_above(high - low - 1, ranges) for _, low, high in ranges}
    sizes = {extent.names for extent in (*extents, row, column)}
    present.often = present.often and len(sizes) == 1 and bool(row.names)


def _above(index: Affine, ranges: list[tuple[str, Affine, Affine]]) -> Affine:
    """Below what an index is in all iterations of loops."""
    for name, low, high in reversed(ranges):
        index = index.put({name: high - 1 if index.factor(name) > 0 else low})
    return index + 1


def _copied(array: str, columns: _Columns, loop: Suite, names: Iterator[str]) -> list[Part]:
    """The parts that make a copy, which nests then read."""
    if {name for bound in (*columns.rows, *columns.columns) for name in bound.names} & writes_of(loop):
        return []
    copy, height, width, row, column = (next(names) for _ in range(5))
    for nest, element in columns.places:
        turned = Element(copy, element.indices[::-1], element.dtype)

        def leaf(part: Scalar, old: Element = element, new: Element = turned) -> Scalar:
            return new if part == old else part

        nest.steps[:] = [with_value(step, map_scalar(leaf, value_of(step))) for step in nest.steps]
    place, source = (variable(column), variable(row)), (variable(row), variable(column))
    store = Store(copy, place, Element(array, source, columns.dtype), columns.dtype)
    text = f"{copy} = np.empty(({width}, {height}), {dtype_text(columns.dtype)})"
    return [
        _bounded(height, columns.rows, array, 0),
        _bounded(width, columns.columns, array, 1),
        Line(text, frozenset({height, width}), frozenset({copy}), copy, frozenset({copy})),
        Nest([column, row], [variable(width), variable(height)], [store]),
    ]


def _bounded(name: str, extents: list[Affine], array: str, axis: int) -> Line:
    largest = str(extents[0]) if len(extents) == 1 else f"max({', '.join(map(str, extents))})"
    text = f"{name} = max(min({largest}, {array}.shape[{axis}]), 0)"
    reads = {array, *(each for extent in extents for each in extent.names)}
    return Line(text, frozenset(reads), frozenset({name}), None, frozenset({name}))

"""Sums along the innermost loop as calls: processors add several numbers at a time, in an order that is given.

What is added to one number in a loop keeps the whole loop from being done several iterations at a time. So the sum is
taken out of it: of elements, or products of two, where they lie; of anything else from a row of memory that the loop
fills. The order is that of `retrograde.python.compiling.lanes`, whatever else the loop does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from retrograde.python.nests.elements.combinations import COMBINE
from retrograde.python.nests.elements.scalars import dtype_text
from retrograde.python.nests.parts.affine import Affine, affine, variable
from retrograde.python.nests.parts.model import (
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
    names_read,
    value_of,
)
from retrograde.python.nests.passes.fusing import BaseOf, all_read

_FEW = 8


def in_lanes(parts: list[Part], base_of: BaseOf, names: Iterator[str]) -> list[Part]:
    """Parts with sums taken out of innermost loops.

    Args:
        parts: of a function.
        base_of: a name for all the names that may share an array.
        names: new names.
    """
    result: list[Part] = []
    for part in parts:
        if isinstance(part, Suite):
            part.body = in_lanes(part.body, base_of, names)
            part.otherwise = in_lanes(part.otherwise, base_of, names)
        result += _taken_apart(part, base_of, names) if isinstance(part, Nest) else [part]
    return result


def _taken_apart(nest: Nest, base_of: BaseOf, names: Iterator[str]) -> list[Part]:
    if not nest.loops or (nest.extents[-1].is_constant and nest.extents[-1].constant < _FEW):
        return [nest]
    loop, extent = nest.loops[-1], nest.extents[-1]
    sums = [step for step in nest.steps if _is_sum(step, nest, base_of)]
    written = {base_of(step.array) for step in nest.steps if isinstance(step, Store)}
    before: list[Part] = []
    steps: list[Step] = []
    after: list[Part] = []
    for step in nest.steps:
        if step not in sums:
            steps.append(step)
            continue
        value = _summand(step)
        rows = _rows(value, loop)
        if rows is None or written & {base_of(row.array) for row in rows}:
            row = next(names)
            before.append(_allocation(row, extent, value))
            rows = [Element(row, (variable(loop),), value.dtype)]
            steps.append(Store(row, rows[0].indices, value, value.dtype))
        total = next(names)
        after += [_call(total, rows, loop, extent), Nest([], [], [_with_total(step, Local(total, value.dtype))])]
    if not sums:
        return [nest]
    body: list[Part] = [Nest([loop], [extent], steps, nest.free)] if steps else []
    body += after
    for outer, count in reversed(list(zip(nest.loops[:-1], nest.extents[:-1], strict=True))):
        body = [Suite(f"for {outer} in range({count}):", body, frozenset(count.names), frozenset({outer}))]
    return [*before, *body]


def _is_sum(step: Step, nest: Nest, base_of: BaseOf) -> bool:
    """Whether a step adds to a number that stays the same along the innermost loop, and nothing else uses it there."""
    others = [other for other in nest.steps if other is not step]
    if isinstance(step, Let):
        value = step.value
        if (
            not isinstance(value, Spelled)
            or value.template != COMBINE["+"]
            or value.operands[0] != Local(step.name, value.dtype)
        ):
            return False
        used = {name for other in others for name in all_read(other)} | set(names_read(value.operands[1]))
        used |= {other.name for other in others if isinstance(other, Let)}
        return _is_laned(value.dtype) and step.name not in used
    if not isinstance(step, Store) or step.by != "+" or not _is_laned(step.dtype):
        return False
    moving = {nest.loops[-1], *(other.name for other in others if isinstance(other, Let))}
    if moving & {name for index in step.indices for name in index.names}:
        return False
    touched = [element.array for other in nest.steps for element in elements_in(value_of(other))]
    touched += [other.array for other in others if isinstance(other, Store)]
    return base_of(step.array) not in set(map(base_of, touched))


def _is_laned(dtype: np.dtype[np.generic]) -> bool:
    return dtype.kind == "f" and dtype.itemsize >= 4


def _summand(step: Step) -> Scalar:
    value = value_of(step)
    if isinstance(step, Let):
        assert isinstance(value, Spelled)
        return value.operands[1]
    return value


def _with_total(step: Step, total: Local) -> Step:
    if isinstance(step, Let):
        return Let(step.name, Spelled(COMBINE["+"], (Local(step.name, total.dtype), total), total.dtype))
    assert isinstance(step, Store)
    return Store(step.array, step.indices, total, step.dtype, step.by)


def _rows(value: Scalar, loop: str) -> list[Element] | None:
    """The elements of which a value is the product."""
    factors: tuple[Scalar, ...] = (value,)
    if isinstance(value, Spelled) and value.template == "({0} * {1})":
        factors = value.operands
    rows = [factor for factor in factors if isinstance(factor, Element)]
    return rows if len(rows) == len(factors) and all(row.dtype == value.dtype for row in rows) else None


def _allocation(name: str, extent: Affine, value: Scalar) -> Line:
    text = f"{name} = np.empty((max({extent}, 0),), {dtype_text(value.dtype)})"
    return Line(text, frozenset(extent.names), frozenset({name}), name, frozenset({name}))


def _call(total: str, rows: list[Element], loop: str, extent: Affine) -> Line:
    function, operands = _called(rows, loop, extent)
    reads = {name for row in rows for index in row.indices for name in index.names} - {loop}
    reads |= {*extent.names, *(row.array for row in rows)}
    text = f"{total} = {function}({', '.join(operands)}, {extent})"
    return Line(text, frozenset(reads), frozenset({total}), None, frozenset({total}))


def _called(rows: list[Element], loop: str, extent: Affine) -> tuple[str, list[str]]:
    """The function for a sum and its operands."""
    steps = [_step(row, loop) for row in rows]
    if steps[0] == -1:
        rows, steps = rows[::-1], steps[::-1]
    if set(steps) == {-1}:
        rows, steps = [_turned(row, loop, extent) for row in rows], [1] * len(rows)
    starts = [_tuple_text(index.put({loop: affine(0)}) for index in row.indices) for row in rows]
    if set(steps) <= {1, -1}:
        name = "row_sum" if len(rows) == 1 else "product_sum" if steps[1] == 1 else "product_sum_backward"
        return name, [text for row, start in zip(rows, starts, strict=True) for text in (row.array, start)]
    along = [_tuple_text(affine(index.factor(loop)) for index in row.indices) for row in rows]
    texts = zip((row.array for row in rows), starts, along, strict=True)
    return "sum_along" if len(rows) == 1 else "product_sum_along", [text for each in texts for text in each]


def _step(row: Element, loop: str) -> int:
    """1 or -1 where a loop goes along a row of memory, and otherwise 0."""
    step = row.indices[-1].factor(loop)
    return step if abs(step) == 1 and not any(index.factor(loop) for index in row.indices[:-1]) else 0


def _turned(row: Element, loop: str, extent: Affine) -> Element:
    last = {loop: extent - 1 - variable(loop)}
    return Element(row.array, tuple(index.put(last) for index in row.indices), row.dtype)


def _tuple_text(parts: Iterable[Affine]) -> str:
    texts = [str(part) for part in parts]
    return f"({', '.join(texts)}{',' if len(texts) == 1 else ''})"

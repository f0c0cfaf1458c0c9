"""How two arrays are contracted: as one product of matrices, wherever there is one."""

# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import Any, NamedTuple

import numpy as np

from retrograde.errors import UsageError
from retrograde.program.primitive import Array


class Layout(NamedTuple):
    """What a contraction does with each label.

    The operands become stacks of matrices, (batch, rows, contracted) and (batch, contracted, columns).

    Attributes:
        x, y, out: the labels of the operands and of the result.
        shared: labels of all three.
        contracted: labels of both operands that are summed over.
        swapped: whether the matrices are multiplied the other way round, so that the result needs no transposing.
        batch, rows, columns: the labels of the result, in the order in which the product makes them.
        first, second: the orders of axes that make stacks of matrices of the operands, after the change of places.
        last: the order in which the result has the axes of the product; None if it is the same.
    """

    x: str
    y: str
    out: str
    shared: str
    contracted: str
    swapped: bool
    batch: str
    rows: str
    columns: str
    first: tuple[int, ...]
    second: tuple[int, ...]
    last: tuple[int, ...] | None


@lru_cache(4096)
def layout_of(subscripts: str) -> Layout:
    """The layout of a contraction such as `abc,cd->abd`.

    Raises:
        UsageError: a label is twice in one place, or in one of the three places only.
    """
    operands, out = subscripts.split("->")
    x, y = operands.split(",")
    for labels, others in ((x, y + out), (y, x + out), (out, x + y)):
        if len(set(labels)) < len(labels) or not set(labels) <= set(others):
            raise UsageError(
                f"the primitive einsum was asked for {subscripts!r}, where {labels!r} has a label twice or one that is "
                "nowhere else; np.einsum takes diagonals and sums first, and then calls it"
            )
    shared = _those(out, lambda label: label in x and label in y)
    contracted = _those(x, lambda label: label in y and label not in out)
    stacked = shared + _stacked(x, contracted, out, y) + _stacked(y, contracted, out, x)
    batch = _those(out, lambda label: label in stacked)
    own = _those(out, lambda label: label not in batch)
    swapped = bool(own) and own[0] in y
    one, other = (y, x) if swapped else (x, y)
    rows = _those(own, lambda label: label in one)
    columns = _those(own, lambda label: label in other)
    first = _order(one, _those(batch, lambda label: label in one) + rows + contracted)
    second = _order(other, _those(batch, lambda label: label in other) + contracted + columns)
    last = None if batch + rows + columns == out else _order(batch + rows + columns, out)
    return Layout(x, y, out, shared, contracted, swapped, batch, rows, columns, first, second, last)


def _those(labels: str, which: Any) -> str:
    return "".join(label for label in labels if which(label))


def _order(labels: str, wanted: str) -> tuple[int, ...]:
    return tuple(labels.index(label) for label in wanted)


def _stacked(labels: str, contracted: str, out: str, other: str) -> str:
    """An operand's own labels in front of matrices: its axes stand around those summed over, and would not merge."""
    places = [labels.index(label) for label in contracted]
    own = [label for label in labels if label in out and label not in other]
    if not places or not own or labels.index(own[-1]) < max(places):
        return ""
    return "".join(label for label in own if labels.index(label) < min(places))


def contract(x: Array, y: Array, subscripts: str) -> Array:
    """The contraction of two arrays by subscripts that `layout_of` takes.

    Raises:
        UsageError: axes that are summed over differ in size, or an operand has another number of axes than labels.
    """
    layout = layout_of(subscripts)
    sizes = _sizes(x, y, layout, subscripts)
    if not layout.contracted:
        return np.multiply(_placed(x, layout.x, layout.out), _placed(y, layout.y, layout.out))
    if not layout.rows and not layout.columns and (layout.batch or not _same_order(x, y, layout)):
        return np.einsum(subscripts, x, y)
    if layout.swapped:
        x, y = y, x
    return _multiplied(np.transpose(x, layout.first), np.transpose(y, layout.second), layout, sizes)


def _multiplied(x: Array, y: Array, layout: Layout, sizes: dict[str, int]) -> Array:
    summed = prod(map(sizes.__getitem__, layout.contracted))
    rows = tuple(map(sizes.__getitem__, layout.rows))
    columns = tuple(map(sizes.__getitem__, layout.columns))
    one, other = (layout.y, layout.x) if layout.swapped else (layout.x, layout.y)
    stacked = bool(layout.batch)
    x = x.reshape(*_stack(x.shape, one, layout), *_merged(rows, stacked), summed)
    y = y.reshape(*_stack(y.shape, other, layout), summed, *_merged(columns, stacked))
    batch = tuple(map(sizes.__getitem__, layout.batch))
    made = (*batch, *_merged(rows, stacked), *_merged(columns, stacked))
    shape = (*batch, *rows, *columns)
    if made == shape:
        out = np.matmul(x, y)
    else:
        # A reshaped product would be a view of an array that nobody else has.
        out = np.empty_like(x, shape=shape, dtype=np.result_type(x, y), order="C")
        np.matmul(x, y, out=out.reshape(made))
    return out if layout.last is None else np.transpose(out, layout.last)


def _stack(shape: tuple[int, ...], labels: str, layout: Layout) -> tuple[int, ...]:
    """The extents of an operand's batch axes, which come first in its shape; 1 for those that it does not have."""
    extents = iter(shape)
    return tuple(next(extents) if label in labels else 1 for label in layout.batch)


def _merged(extents: tuple[int, ...], stacked: bool) -> tuple[int, ...]:
    return (prod(extents),) if extents or stacked else ()


def _placed(x: Array, labels: str, out: str) -> Array:
    """An operand with its axes where the result has them."""
    x = np.transpose(x, [labels.index(label) for label in out if label in labels])
    return x[tuple(slice(None) if label in labels else None for label in out)]


def _same_order(x: Array, y: Array, layout: Layout) -> bool:
    """Whether two arrays that are summed over completely lie in memory alike, so that they are vectors to BLAS."""
    return layout.x == layout.y and bool(x.flags.c_contiguous and y.flags.c_contiguous)


def _sizes(x: Array, y: Array, layout: Layout, subscripts: str) -> dict[str, int]:
    x_shape, y_shape = np.shape(x), np.shape(y)
    if len(x_shape) != len(layout.x) or len(y_shape) != len(layout.y):
        raise UsageError(
            f"einsum {subscripts!r} of arrays with {len(x_shape)} and {len(y_shape)} axes; give a label for each axis"
        )
    sizes = dict(zip(layout.x, x_shape, strict=True))
    for label, extent in zip(layout.y, y_shape, strict=True):
        found = sizes.setdefault(label, extent)
        if found != extent:
            if label in layout.contracted or 1 not in (found, extent):
                raise unequal(x_shape, y_shape, subscripts, label, found, extent)
            sizes[label] = extent if found == 1 else found
    return sizes


def unequal(x_shape: Any, y_shape: Any, subscripts: str, label: str, one: Any, other: Any) -> UsageError:
    """The error for a label that stands for axes of two sizes."""
    return UsageError(
        f"einsum {subscripts!r} of arrays of shapes {x_shape} and {y_shape}: {label!r} stands for axes of sizes {one} "
        f"and {other}; make them equal"
    )

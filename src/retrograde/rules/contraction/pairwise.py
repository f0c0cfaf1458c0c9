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


class Steps(NamedTuple):
    """What a contraction of arrays of given shapes does. None stands for nothing to do.

    Attributes:
        kind: "multiply" (nothing is summed over), "sum" (neither operand has rows or columns), or "matmul".
        swapped: whether the operands change places.
        first, second: the orders of the operands' axes.
        first_shape, second_shape: the shapes that the operands then take.
        made, shape: that of the product, and that which it takes.
        last: the order of the axes of the result.
    """

    kind: str
    swapped: bool
    first: tuple[int, ...] | None
    first_shape: tuple[int, ...] | None
    second: tuple[int, ...] | None
    second_shape: tuple[int, ...] | None
    made: tuple[int, ...]
    shape: tuple[int, ...]
    last: tuple[int, ...] | None


def contract(x: Array, y: Array, subscripts: str) -> Array:
    """The contraction of two arrays by subscripts that `layout_of` takes.

    Raises:
        UsageError: axes that are summed over differ in size, or an operand has another number of axes than labels.
    """
    steps = steps_of(subscripts, np.shape(x), np.shape(y))
    if steps.kind == "sum":
        return np.einsum(subscripts, _of_numpy(x), _of_numpy(y))
    if steps.swapped:
        x, y = y, x
    x, y = _shaped(x, steps.first, steps.first_shape), _shaped(y, steps.second, steps.second_shape)
    if steps.kind == "multiply":
        return np.multiply(x, y)
    if steps.made == steps.shape:
        out = np.matmul(x, y)
    elif x.dtype.isbuiltin != 1:
        out = np.matmul(x, y).reshape(steps.shape)
    else:
        # A reshaped product would be a view of an array that nobody else has.
        out = np.empty_like(x, shape=steps.shape, dtype=np.result_type(x, y), order="C")
        np.matmul(x, y, out=out.reshape(steps.made))
    return out if steps.last is None else np.transpose(out, steps.last)


def _of_numpy(x: Array) -> Array:
    """NumPy's einsum knows no types from outside; its matmul has bfloat16 as float32."""
    return x if not hasattr(x, "dtype") or x.dtype.isbuiltin == 1 else x.astype(np.float32)


def _shaped(x: Array, order: tuple[int, ...] | None, shape: tuple[int, ...] | None) -> Array:
    if order is not None:
        x = np.transpose(x, order)
    return x if shape is None else np.reshape(x, shape)


@lru_cache(4096)
def steps_of(subscripts: str, x_shape: tuple[int, ...], y_shape: tuple[int, ...]) -> Steps:
    """The steps of a contraction of arrays of these shapes."""
    layout = layout_of(subscripts)
    sizes = _sizes(x_shape, y_shape, layout, subscripts)
    if not layout.contracted:
        placed = (*_placed(x_shape, layout.x, layout.out), *_placed(y_shape, layout.y, layout.out))
        return Steps("multiply", False, *placed, (), (), None)
    if not layout.rows and not layout.columns and (layout.batch or layout.x != layout.y):
        return Steps("sum", False, None, None, None, None, (), (), None)
    one, other = (y_shape, x_shape) if layout.swapped else (x_shape, y_shape)
    one_names, other_names = (layout.y, layout.x) if layout.swapped else (layout.x, layout.y)
    batch, rows, columns, summed = (
        tuple(map(sizes.__getitem__, labels))
        for labels in (layout.batch, layout.rows, layout.columns, layout.contracted)
    )
    stacked = bool(batch)
    first = (*_stack(one, one_names, layout), *_merged(rows, stacked), prod(summed))
    second = (*_stack(other, other_names, layout), prod(summed), *_merged(columns, stacked))
    return Steps(
        "matmul",
        layout.swapped,
        *_change(one, layout.first, first),
        *_change(other, layout.second, second),
        (*batch, *_merged(rows, stacked), *_merged(columns, stacked)),
        (*batch, *rows, *columns),
        layout.last,
    )


def _change(
    shape: tuple[int, ...], order: tuple[int, ...], wanted: tuple[int, ...]
) -> tuple[tuple[int, ...] | None, tuple[int, ...] | None]:
    ordered = tuple(shape[at] for at in order)
    return (None if order == tuple(range(len(order))) else order, None if ordered == wanted else wanted)


def _stack(shape: tuple[int, ...], labels: str, layout: Layout) -> tuple[int, ...]:
    """An operand's extents along the batch axes; 1 for those that it does not have."""
    return tuple(shape[labels.index(label)] if label in labels else 1 for label in layout.batch)


def _merged(extents: tuple[int, ...], stacked: bool) -> tuple[int, ...]:
    return (prod(extents),) if extents or stacked else ()


def _placed(shape: tuple[int, ...], labels: str, out: str) -> tuple[tuple[int, ...] | None, tuple[int, ...] | None]:
    """An operand with its axes where the result has them."""
    wanted = tuple(shape[labels.index(label)] if label in labels else 1 for label in out)
    return _change(shape, tuple(labels.index(label) for label in out if label in labels), wanted)


def _sizes(x_shape: tuple[int, ...], y_shape: tuple[int, ...], layout: Layout, subscripts: str) -> dict[str, int]:
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

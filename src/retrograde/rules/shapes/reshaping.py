"""Primitives that move elements without changing them."""

# Rules are lambdas over anything that speaks NumPy's protocols: there is nothing for a type checker to know.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from retrograde.errors import UnsupportedError
from retrograde.program.kinds import as_extents
from retrograde.program.primitive import Array, Primitive
from retrograde.program.spelling import spells
from retrograde.program.types import ArrayType, Extent
from retrograde.rules.type_rules import always, of_shape


def _reshaped(x: Any, shape: tuple[Extent, ...]) -> ArrayType:
    found = of_shape(x, shape)
    sizes = x.sizes if isinstance(x, ArrayType) else ()
    return ArrayType(found.dtype, tuple(_rest(sizes, shape) if part == -1 else part for part in shape))


def _rest(sizes: tuple[Extent, ...], shape: tuple[Extent, ...]) -> Extent:
    """What is left for the axis whose extent was not said; None where that is not one size."""
    left, known, asked = list(sizes), 1, 1
    for part in shape:
        if isinstance(part, int):
            asked *= part if part != -1 else 1
        elif part in left and part is not None:
            left.remove(part)
        else:
            return None
    named = [part for part in left if not isinstance(part, int)]
    for part in left:
        known *= part if isinstance(part, int) else 1
    if not asked or known % asked:
        return None
    if not named:
        return known // asked
    return named[0] if len(named) == 1 and known == asked else None


reshape = Primitive(
    "reshape",
    lambda x, shape: np.reshape(x, shape),
    ("x", "shape"),
    result=_reshaped,
    reverse={"x": lambda g, x_shape: np.reshape(g, x_shape)},
    linear=("x",),
    views=always,
)


@spells(np.reshape)
def _reshape(a: Array, /, shape: Any, order: str = "C", *, copy: bool | None = None) -> Array:
    extents = as_extents(shape)
    if order == "C":
        shaped = reshape(a, extents)
    elif order == "F":
        shaped = _transpose(reshape(_transpose(a), extents[::-1]))
    else:
        raise UnsupportedError(
            f"reshape in order {order!r} was asked for, which depends on how the array lies in memory; use order "
            '"C" or "F"'
        )
    return shaped.copy() if copy else shaped


@spells(np.ravel)
def _ravel(a: Array, order: str = "C") -> Array:
    return _reshape(a, (-1,), order)


def _transposed(x: ArrayType, axes: tuple[int, ...]) -> ArrayType:
    return ArrayType(x.dtype, tuple(x.sizes[axis] for axis in axes))


def _inverse(axes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted(range(len(axes)), key=axes.__getitem__))


transpose = Primitive(
    "transpose",
    lambda x, axes: np.transpose(x, axes),
    ("x",),
    static=("axes",),
    result=_transposed,
    reverse={"x": lambda g, axes: np.transpose(g, _inverse(axes))},
    linear=("x",),
    views=always,
)


@spells(np.transpose)
def _transpose(a: Array, axes: Any = None) -> Array:
    order = tuple(reversed(range(a.ndim))) if axes is None else normalize_axis_tuple(axes, a.ndim)
    return transpose(a, axes=order)


def _broadcast(x: Array, shape: tuple[int, ...]) -> Array:
    if not isinstance(x, np.generic):
        return np.broadcast_to(x, shape)
    # The same view, in half the time: the way back from every sum.
    view: Any = np.ndarray(shape, x.dtype, np.asarray(x), 0, (0,) * len(shape))
    view.flags.writeable = False
    return view


broadcast_to = Primitive(
    "broadcast_to",
    _broadcast,
    ("x", "shape"),
    result=of_shape,
    reverse={"x": lambda g: g},
    linear=("x",),
    views=always,
)


@spells(np.broadcast_to)
def _broadcast_to(array: Array, shape: Any, subok: bool = False) -> Array:
    return broadcast_to(array, as_extents(shape))


@spells(np.shape)
def _shape(a: Array) -> tuple[Any, ...]:
    return a.shape


@spells(np.ndim)
def _ndim(a: Array) -> int:
    return a.ndim


size = Primitive(
    "size",
    lambda x, axis, offset: max(0, x.shape[axis] + offset),
    ("x",),
    static=("axis", "offset"),
    result=lambda x, axis, offset: ArrayType(np.dtype(np.int64)),
)
"""The extent of an axis plus a constant, and never below 0: an integer that only the run knows."""

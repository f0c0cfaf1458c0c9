"""Reading and writing parts of an array. An index is what NumPy takes in brackets."""

# Rules are lambdas over anything that speaks NumPy's protocols: there is nothing for a type checker to know.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from retrograde.program.kinds import as_tuple, is_ndarray
from retrograde.program.primitive import Array, Primitive, Rule
from retrograde.program.types import ArrayType
from retrograde.rules.type_rules import indexed, like_first


def is_basic(index: Any) -> bool:
    """Whether an index picks each element once, and NumPy gives a view of them: no arrays, lists or masks."""
    if index.__class__ is int or index.__class__ is slice:
        return True
    for part in as_tuple(index):
        kind = part.__class__
        if not (kind is int or kind is slice or part is None or part is Ellipsis or _is_number(part)):
            return False
    return True


def _is_number(part: Any) -> bool:
    return not isinstance(part, (list, bool, np.bool)) and np.ndim(part) == 0


def _picks_once(index: Any) -> bool:
    """Whether an index certainly picks no element twice: its arrays are masks, or name each place once."""
    return is_basic(index) or all(
        part is None
        or part is Ellipsis
        or isinstance(part, (slice, int))
        or _dtype(part).kind == "b"
        or _names_once(part)
        for part in as_tuple(index)
    )


_FEW_PLACES = 64


def _names_once(part: Any) -> bool:
    """Whether an array of integers that are there names no place twice. Negative ones count from the end."""
    if not is_ndarray(part) or not 0 < part.size <= _FEW_PLACES:
        return False
    places = part.ravel().tolist()
    return (min(places) >= 0 or max(places) < 0) and len(set(places)) == len(places)


def _dtype(part: Any) -> np.dtype[Any]:
    return part.dtype if hasattr(part, "dtype") else np.asarray(part).dtype


getitem = Primitive(
    "getitem",
    operator.getitem,
    ("x", "index"),
    result=lambda x, index: ArrayType(x.dtype, indexed(x.sizes, index)),
    reverse={"x": Rule(lambda g, index, x_shape: scatter(g, index, x_shape), scatters=True)},
    linear=("x",),
    views=lambda x, index: is_basic(index),
)


def _scatter(x: Array, index: Any, shape: tuple[int, ...]) -> Array:
    out = np.zeros_like(x, shape=shape, order="C")
    if _picks_once(index):
        out[index] = x
    else:
        _add_repeated(out, index, x)
    return out


_FEW = 1000


def _add_repeated(out: Array, index: Any, v: Array) -> None:
    """Add to the elements at an index, to each as often as the index names it."""
    if out.ndim > 1 and np.size(v) > _FEW and is_ndarray(out) and out.flags.c_contiguous:
        places = _places(out.shape, as_tuple(index))
        if places is not None:
            # NumPy adds at one array of places several times faster than at anything else.
            np.add.at(out.reshape(-1), places.reshape(-1), np.broadcast_to(v, places.shape).reshape(-1))
            return
    np.add.at(out, index, v)


def _places(shape: tuple[int, ...], parts: tuple[Any, ...]) -> Array | None:
    """Where in an array of a shape are the elements that slices, and integer arrays side by side, pick.

    Returns:
        Their places counted through the array in C order, in the shape that the index gives; None for other indices.
    """
    arrays = [at for at, part in enumerate(parts) if not isinstance(part, slice)]
    if arrays[-1] - arrays[0] >= len(arrays) or any(_dtype(parts[at]).kind not in "iu" for at in arrays):
        return None
    picked: Any = 0
    slices: list[Any] = []
    stride = 1
    for at in reversed(range(len(shape))):
        part = parts[at] if at < len(parts) else slice(None)
        if isinstance(part, slice):
            slices.insert(0, np.arange(*part.indices(shape[at])) * stride)
        else:
            part = np.asarray(part)
            picked = picked + (np.where(part < 0, part + shape[at], part) if (part < 0).any() else part) * stride
        stride *= shape[at]
    before, behind = slices[: arrays[0]], slices[arrays[0] :]
    places: Any = sum(np.ix_(*before, picked.reshape(-1), *behind))
    return places.reshape(*map(len, before), *picked.shape, *map(len, behind))


scatter = Primitive(
    "scatter",
    _scatter,
    ("x", "index", "shape"),
    result=lambda x, index, shape: ArrayType(x.dtype, shape),
    reverse={"x": lambda g, index: g[index]},
    linear=("x",),
)
"""Zeros of a shape, with `x` added at an index; where the index names an element twice, both are added."""


def _add_into(x: Array, index: Any, v: Array) -> Array:
    if _picks_once(index):
        x[index] += v
    else:
        _add_repeated(x, index, v)
    return x


def _to_write(x: Array) -> Array:
    """A copy, and of a number an array without axes."""
    return np.array(x) if np.isscalar(x) else x.copy()


add_at = Primitive(
    "add_at",
    lambda x, index, v: _add_into(_to_write(x), index, v),
    ("x", "index", "v"),
    result=like_first,
    reverse={"x": lambda g: g, "v": lambda g, index: g[index]},
    forward={"x": lambda d: d, "v": lambda d, index, x_shape: scatter(d, index, x_shape)},
    overwrite=_add_into,
)
"""`x` plus `scatter(v, index, shape of x)`, without the array in between."""


def _write(x: Array, index: Any, v: Array) -> Array:
    x[index] = v
    return x


def _last_writes(index: Any, shape: tuple[int, ...]) -> Array:
    owner = np.empty(shape, np.int64)
    turns = np.arange(owner[index].size).reshape(owner[index].shape)
    owner[index] = turns
    return owner[index] == turns


last_writes = Primitive(
    "last_writes",
    _last_writes,
    ("index", "shape"),
    result=lambda index, shape: ArrayType(np.dtype(bool), indexed(shape, index)),
)
"""Which of the values written at an index are there in the end: of those with the same place, the last."""


def _written(g: Array, index: Any, x_shape: tuple[Any, ...], v_shape: tuple[Any, ...]) -> Array:
    share = g[index]
    if not _picks_once(index):
        share = np.where(last_writes(index, x_shape), share, 0.0)
    # NumPy writes a value with more axes than there is room for, if their size is 1.
    extra = len(v_shape) - share.ndim
    return share[(None,) * extra] if extra > 0 else share


update = Primitive(
    "update",
    lambda x, index, v: _write(_to_write(x), index, v),
    ("x", "index", "v"),
    result=like_first,
    reverse={
        "x": Rule(
            lambda g, index: update(g, index, 0.0),
            overwriting=lambda g, index: _write(g, index, 0.0),
        ),
        "v": _written,
    },
    forward={
        "x": lambda d, index: update(d, index, 0.0),
        "v": lambda d, index, x_shape: update(np.zeros_like(d, shape=x_shape), index, d),
    },
    overwrite=_write,
)
"""The array `x` after `x[index] = v`; `x` itself is not changed."""

"""Reading and writing parts of an array. An index is what NumPy takes in brackets."""

# Rules are lambdas over anything that speaks NumPy's protocols: there is nothing for a type checker to know.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from typing import Any

import numpy as np

from retrograde.program.array_like import ArrayLike
from retrograde.program.kinds import as_tuple
from retrograde.program.primitive import Array, Primitive, Rule
from retrograde.program.spelling import spells
from retrograde.program.types import ArrayType
from retrograde.rules.type_rules import indexed, like_first


def is_basic(index: Any) -> bool:
    """Whether an index picks each element once, and NumPy gives a view of them: no arrays, lists or masks."""
    return all(
        part is None or part is Ellipsis or type(part) in (slice, int) or _is_number(part) for part in as_tuple(index)
    )


def _is_number(part: Any) -> bool:
    return not isinstance(part, (list, bool, np.bool)) and np.ndim(part) == 0


def _getitem_views(x: Array, index: Any) -> bool:
    return is_basic(index)


getitem = spells(ArrayLike.__getitem__)(
    Primitive(
        "getitem",
        lambda x, index: x[index],
        ("x", "index"),
        result=lambda x, index: ArrayType(x.dtype, indexed(x.sizes, index)),
        reverse={"x": Rule(lambda g, index, x_shape: scatter(g, index, x_shape), scatters=True)},
        linear=("x",),
        views=_getitem_views,
    )
)


def _scatter(x: Array, index: Any, shape: tuple[int, ...]) -> Array:
    out = np.zeros_like(x, shape=shape)
    if is_basic(index):
        out[index] = x
    else:
        np.add.at(out, index, x)
    return out


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
    if is_basic(index):
        x[index] += v
    else:
        np.add.at(x, index, v)
    return x


add_at = Primitive(
    "add_at",
    lambda x, index, v: _add_into(x.copy(), index, v),
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


def _written(g: Array, index: Any, x_shape: tuple[Any, ...]) -> Array:
    if is_basic(index):
        return g[index]
    return np.where(last_writes(index, x_shape), g[index], 0.0)


update = Primitive(
    "update",
    lambda x, index, v: _write(x.copy(), index, v),
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

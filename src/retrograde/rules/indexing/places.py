"""Where things are: indices and counts that values decide, for programs, in which only the run knows values.

They are constants to every derivative.
"""

# Rules are lambdas over anything that speaks NumPy's protocols: there is nothing for a type checker to know.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

from typing import Any

import numpy as np

from retrograde.program.primitive import Array, Primitive
from retrograde.program.types import ArrayType
from retrograde.rules.type_rules import sizes_of

_INDEX = np.dtype(np.intp)


def _uniques(x: Array, axis: int | None, equal_nan: bool) -> Any:
    return np.unique(x, True, True, True, axis, equal_nan=equal_nan)[1:]


unique_places = Primitive(
    "unique_places",
    _uniques,
    ("x",),
    static=("axis", "equal_nan"),
    outputs=("places", "inverse", "counts"),
    result=lambda x, axis, equal_nan: (
        ArrayType(_INDEX, (None,)),
        ArrayType(_INDEX, x.sizes if axis is None else (x.sizes[axis],)),
        ArrayType(_INDEX, (None,)),
    ),
)
"""Where in an array its unique values first stand, which of them each element is, and how often each stands there."""

lexsort = Primitive(
    "lexsort",
    lambda *keys, axis: np.lexsort(keys, axis),
    ("keys",),
    static=("axis",),
    variadic=True,
    result=lambda *keys, axis: ArrayType(_INDEX, keys[0].sizes),
)

repeat_places = Primitive(
    "repeat_places",
    lambda counts: np.repeat(np.arange(counts.shape[0]), counts),
    ("counts",),
    result=lambda counts: ArrayType(_INDEX, (None,)),
)
"""Each place as often as its count says."""


def _extreme_places(x: Array, largest: bool, axis: int) -> Array:
    ufunc = np.maximum if largest else np.minimum
    turns = np.arange(x.shape[axis]).reshape((-1,) + (1,) * (x.ndim - axis - 1))
    return np.maximum.accumulate(np.where(x == ufunc.accumulate(x, axis=axis), turns, 0), axis=axis)


extreme_places = Primitive(
    "extreme_places",
    _extreme_places,
    ("x",),
    static=("largest", "axis"),
    result=lambda x, **_: ArrayType(_INDEX, x.sizes),
)
"""Where along an axis the largest or smallest element so far stands; of those that are alike, the last one."""

digitize = Primitive(
    "digitize",
    lambda x, bins, right: np.digitize(x, bins, right),
    ("x", "bins"),
    static=("right",),
    result=lambda x, bins, right: ArrayType(_INDEX, sizes_of(x)),
)
"""Which of the bins between monotonic edges each element falls into."""


def _counts(x: Array, edges: Array, even: bool) -> Array:
    if even:
        return np.histogram(x, edges.shape[0] - 1, (edges[0], edges[-1]))[0]
    return np.histogram(x, edges)[0]


histogram_counts = Primitive(
    "histogram_counts",
    _counts,
    ("x", "edges"),
    static=("even",),
    result=lambda x, edges, even: ArrayType(_INDEX, (edges.sizes[0] - 1 if isinstance(edges.sizes[0], int) else None,)),
)
"""How many elements fall between edges; `even` says that these have equal distances."""

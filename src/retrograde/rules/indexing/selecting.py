"""Picking elements: by numbers, by conditions, by their place in an order. Made of indexing and `where`."""

# Rules are lambdas over anything that speaks NumPy's protocols: there is nothing for a type checker to know.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from retrograde.errors import UsageError
from retrograde.program.array_like import ArrayLike
from retrograde.program.primitive import Array, Primitive
from retrograde.program.spelling import spells
from retrograde.program.types import ArrayType
from retrograde.rules.elementwise.arithmetic import where
from retrograde.rules.indexing.items import getitem
from retrograde.rules.outputs import into
from retrograde.rules.shapes.axes import at_least
from retrograde.rules.shapes.joining import as_array
from retrograde.rules.shapes.sizes import known_values, own_memory


def within(indices: Any, size: Any, mode: str) -> Any:
    """Indices of an axis, those out of its bounds treated as a mode of `numpy.take` says."""
    if mode not in ("raise", "wrap", "clip"):
        raise UsageError(f'indices out of bounds were to be treated by mode={mode!r}; it is "raise", "wrap" or "clip"')
    if mode == "raise":
        return indices
    return indices % size if mode == "wrap" else np.clip(indices, 0, size - 1)


@spells(np.take)
def _take(a: Array, indices: Any, axis: int | None = None, out: Any = None, mode: str = "raise") -> Array:
    a = at_least(as_array(a), 1)
    if axis is None:
        a, axis = (a if a.ndim == 1 else np.reshape(a, (-1,))), 0
    axis = normalize_axis_index(axis, a.ndim)
    places = indices if isinstance(indices, ArrayLike) else np.asarray(indices)
    if not isinstance(places, ArrayLike) and not places.size:
        places = places.astype(np.intp)
    return into(out, own_memory(getitem(a, (*[slice(None)] * axis, within(places, a.shape[axis], mode)))))


@spells(np.choose)
def _choose(a: Any, choices: Any, out: Any = None, mode: str = "raise") -> Array:
    parts = list(choices)
    a = within(a if isinstance(a, ArrayLike) else np.asarray(a), len(parts), mode)
    if not isinstance(a, ArrayLike) and a.size and not 0 <= a.min() <= a.max() < len(parts):
        raise UsageError(
            f"choose among {len(parts)} arrays by numbers from {a.min()} to {a.max()}; give numbers below "
            f'{len(parts)}, or mode="wrap" or "clip"'
        )
    chosen: Any = np.where(a == 0, parts[0], parts[0])
    for number, part in enumerate(parts[1:], 1):
        chosen = np.where(a == number, part, chosen)
    return into(out, chosen)


@spells(np.select)
def _select(condlist: Any, choicelist: Any, default: Any = 0) -> Array:
    parts = [*choicelist, default]
    if not len(condlist) or len(condlist) != len(choicelist):
        raise UsageError(f"select by {len(condlist)} conditions of {len(choicelist)} arrays; give one for each")
    dtype = np.result_type(*(part if type(part) in (int, float, complex) else as_array(part).dtype for part in parts))
    out: Any = default if hasattr(default, "dtype") else np.asarray(default, dtype)
    for condition, choice in reversed(list(zip(condlist, choicelist, strict=True))):
        out = np.where(condition, choice, out)
    return out


argwhere = Primitive(
    "argwhere",
    lambda x: np.argwhere(x),
    ("x",),
    result=lambda x: ArrayType(np.dtype(np.intp), (None, x.rank)),
)

spells(np.argwhere)(argwhere)


@spells(np.nonzero)
def _nonzero(a: Array) -> tuple[Array, ...]:
    if not a.ndim:
        raise UsageError("nonzero of an array without axes; make it one with np.atleast_1d")
    places = argwhere(a)
    return tuple(places[:, axis] for axis in range(a.ndim))


@spells(np.where)
def _where(condition: Array, *branches: Array) -> Any:
    return where(condition, *branches) if branches else _nonzero(condition)


@spells(np.flatnonzero)
def _flatnonzero(a: Array) -> Array:
    return argwhere(np.reshape(a, (-1,)))[:, 0]


@spells(np.compress)
def _compress(condition: Any, a: Array, axis: int | None = None, out: Any = None) -> Array:
    return into(out, np.take(a, np.flatnonzero(condition), axis=axis))


@spells(np.extract)
def _extract(condition: Any, arr: Array) -> Array:
    return np.take(arr, np.flatnonzero(condition))


@spells(np.unique)
def _unique(
    ar: Array,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    *,
    equal_nan: bool = True,
) -> Any:
    values = known_values(ar, "unique")
    _, places, inverse, counts = np.unique(values, True, True, True, axis, equal_nan=equal_nan)
    picked = np.take(ar, places, axis=axis)
    asked = ((places, return_index), (inverse, return_inverse), (counts, return_counts))
    extra = tuple(found for found, wanted in asked if wanted)
    return (picked, *extra) if extra else picked


@spells(np.union1d)
def _union1d(ar1: Array, ar2: Array) -> Array:
    return np.unique(np.concatenate((ar1, ar2), axis=None))


@spells(np.intersect1d)
def _intersect1d(ar1: Array, ar2: Array, assume_unique: bool = False, return_indices: bool = False) -> Any:
    """Of two values that are equal, the one of the first array is taken."""
    one, other = (known_values(x, "intersect1d") for x in (ar1, ar2))
    _, places, others = np.intersect1d(one, other, assume_unique, return_indices=True)
    return (np.take(ar1, places), places, others) if return_indices else np.take(ar1, places)


@spells(np.setdiff1d)
def _setdiff1d(ar1: Array, ar2: Array, assume_unique: bool = False) -> Array:
    one = np.reshape(ar1, (-1,)) if assume_unique else np.unique(ar1)
    return one[~np.isin(known_values(one, "setdiff1d"), known_values(ar2, "setdiff1d"))]

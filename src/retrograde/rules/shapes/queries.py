"""What can be asked of an array besides its values: sizes, dtypes, places. The answers are plain."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from retrograde.program.array_like import ArrayLike
from retrograde.program.kinds import as_extents
from retrograde.program.primitive import Array
from retrograde.program.spelling import spells
from retrograde.rules.shapes.sizes import known_shape


@spells(np.size)
def _size(a: Array, axis: Any = None) -> Any:
    if axis is None:
        return a.size
    count: Any = 1
    for at in as_extents(axis):
        count = count * a.shape[normalize_axis_index(at, a.ndim)]
    return count


def _dtype_or_value(x: Any) -> Any:
    return x.dtype if isinstance(x, ArrayLike) else x


@spells(np.result_type)
def _result_type(*arrays_and_dtypes: Any) -> np.dtype[Any]:
    return np.result_type(*map(_dtype_or_value, arrays_and_dtypes))


@spells(np.can_cast)
def _can_cast(from_: Any, to: Any, casting: Any = "safe") -> bool:
    return np.can_cast(_dtype_or_value(from_), _dtype_or_value(to), casting)


@spells(np.common_type)
def _common_type(*arrays: Any) -> Any:
    kinds: Any = (np.zeros((), x.dtype) if isinstance(x, ArrayLike) else x for x in arrays)
    return np.common_type(*kinds)  # pyright: ignore[reportUnknownVariableType]


@spells(np.diag_indices_from)
def _diag_indices_from(arr: Array) -> Any:
    return np.diag_indices_from(np.broadcast_to(np.False_, known_shape(arr, "the indices of an array's part")))


@spells(np.tril_indices_from)
def _tril_indices_from(arr: Array, k: int = 0) -> Any:
    return np.tril_indices_from(np.broadcast_to(np.False_, known_shape(arr, "the indices of an array's part")), k)


@spells(np.triu_indices_from)
def _triu_indices_from(arr: Array, k: int = 0) -> Any:
    return np.triu_indices_from(np.broadcast_to(np.False_, known_shape(arr, "the indices of an array's part")), k)

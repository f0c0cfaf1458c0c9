"""BLAS on blocks of matrices, called from compiled code without copies."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, types

_pointer = types.CPointer(types.float64)
_gemv = types.ExternalFunction(
    "numba_xxgemv",
    types.int32(
        types.char,
        types.char,
        types.intp,
        types.intp,
        _pointer,
        _pointer,
        types.intp,
        _pointer,
        _pointer,
        _pointer,
    ),
)
_DOUBLE, _TRANSPOSED, _PLAIN = np.int8(ord("d")), np.int8(ord("t")), np.int8(ord("n"))


@njit(error_model="numpy", cache=True)
def subtract_product(block: Any, x: Any, y: Any, scalars: Any) -> None:
    """`y -= block @ x`, for a block of a matrix whose rows lie one behind the other; `scalars` holds -1 and 1."""
    rows, columns = block.shape
    leading = block.strides[0] // 8
    less, one = scalars.ctypes, scalars[1:].ctypes
    _gemv(_DOUBLE, _TRANSPOSED, columns, rows, less, block.ctypes, leading, x.ctypes, one, y.ctypes)


@njit(error_model="numpy", cache=True)
def subtract_transposed_product(block: Any, x: Any, y: Any, scalars: Any) -> None:
    """`y -= x @ block`."""
    rows, columns = block.shape
    leading = block.strides[0] // 8
    less, one = scalars.ctypes, scalars[1:].ctypes
    _gemv(_DOUBLE, _PLAIN, columns, rows, less, block.ctypes, leading, x.ctypes, one, y.ctypes)

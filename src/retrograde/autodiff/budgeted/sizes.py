"""What an operation will take, before it runs."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod, sqrt
from typing import Any

import numpy as np

from retrograde.errors import UnsupportedError, UsageError
from retrograde.program.kinds import as_tuple, is_ndarray
from retrograde.program.model import map_operand
from retrograde.program.types import ArrayType

CALL_BYTES = 16_384
"""What calling an operation costs, in bytes that could be moved in that time."""

_CONTRACTIONS = frozenset({"matmul", "einsum", "tensordot", "convolve", "convolution"})
_FACTORIZATIONS = frozenset({"inv", "solve", "det", "slogdet", "cholesky", "qr", "eigh", "eig", "svd", "expm"})


def kind_of_operand(value: Any) -> Any:
    """What of an operand decides on sizes, as something to look up by."""
    if isinstance(value, (np.ndarray, np.generic)):
        return value.shape, value.dtype  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return value.__class__ if isinstance(value, (float, complex)) else value


def estimates(primitive: Any, values: list[Any], static: Mapping[str, Any]) -> tuple[int, int]:
    """The bytes that an operation takes while it runs, and what it costs."""
    expected = expected_bytes(primitive, values, static)
    return expected + _mask_bytes(primitive, values), estimated_cost(primitive.name, values, expected)


def expected_bytes(primitive: Any, values: list[Any], static: Mapping[str, Any]) -> int:
    """The bytes of the results, views not counted; where only the run knows the size, as many as the operands have."""
    if primitive.views is not None and primitive.views(*values) and not _is_copied(primitive, values):
        return values[0].itemsize  # of a number, which is no view
    try:
        results: Any = primitive.result(*(map_operand(_described, value) for value in values), **static)
    except (UsageError, UnsupportedError, TypeError):
        return operand_bytes(values)
    results = results if primitive.outputs else (results,)
    return sum(_bytes_of(result, values) for result in results)


def _mask_bytes(primitive: Any, values: list[Any]) -> int:
    """What NumPy makes of masks that are indices: the places of all that is true."""
    if "index" not in getattr(primitive, "operands", ()):
        return 0
    indices: list[Any] = [value for value in values[1:] if is_ndarray(value) or isinstance(value, tuple)]
    parts = [part for index in indices for part in as_tuple(index)]
    return sum(8 * part.size * part.ndim for part in parts if is_ndarray(part) and part.dtype == np.bool)


def operand_bytes(values: list[Any]) -> int:
    """The bytes of the arrays among the operands."""
    return sum(value.nbytes for value in values if is_ndarray(value))


def estimated_cost(name: str, values: list[Any], result_bytes: int) -> int:
    """What an operation costs, in bytes that could be moved in the time that it takes.

    It depends on sizes alone, so that the same program is always treated the same.
    """
    moved = CALL_BYTES + operand_bytes(values) + result_bytes
    if name in _CONTRACTIONS:
        # The sizes of an (m, k) and a (k, n) array and of their product multiply to the square of m k n.
        return moved + int(sqrt(float(prod(value.size for value in values if is_ndarray(value))) * (result_bytes / 8)))
    if name in _FACTORIZATIONS:
        return moved + sum(int(4.0 * value.size**1.5) for value in values if is_ndarray(value))
    return moved


def _described(value: Any) -> Any:
    if isinstance(value, (np.ndarray, np.generic)):
        return ArrayType(value.dtype, value.shape)  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
    return value


def _bytes_of(result: Any, values: list[Any]) -> int:
    if not isinstance(result, ArrayType):
        return 0
    if not all(isinstance(extent, int) for extent in result.sizes):
        return operand_bytes(values)
    return result.dtype.itemsize * prod(extent for extent in result.sizes if isinstance(extent, int))


def _is_copied(primitive: Any, values: list[Any]) -> bool:
    return primitive.name == "reshape" and is_ndarray(values[0]) and not values[0].flags.c_contiguous

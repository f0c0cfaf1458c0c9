"""Constants as Python: numbers, dtypes, arrays, bit for bit."""

from __future__ import annotations

from base64 import b85encode
from typing import Any, cast
from zlib import compress

import numpy as np

from retrograde.program.kinds import is_list

_WIDE = frozenset({"int64", "float64", "complex128"})

_SHORT, _LISTED = 8, 200
"""The most elements of an array that is written where it is used, and of one that is written element by element."""


def dtype_text(dtype: Any) -> str:
    """A dtype: `np.float32`."""
    dtype = np.dtype(dtype)
    return f"np.{dtype.name}" if getattr(np, dtype.name, None) is dtype.type else f"np.dtype({dtype.str!r})"


def number_text(value: Any, plain: bool) -> str:
    """A number, None, a truth value or a string.

    Args:
        value: what to write.
        plain: write NumPy's int64, float64 and complex128 as Python's numbers.
    """
    if isinstance(value, np.generic):
        number = cast(Any, value)
        text = number_text(number.item(), plain)
        same = number.dtype.name == "bool" or (plain and number.dtype.name in _WIDE)
        return text if same else f"{dtype_text(number.dtype)}({text})"
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return "np.nan" if value != value else "np.inf" if value > 0 else "-np.inf"
    if isinstance(value, complex) and (not np.isfinite(value) or not value.real or not value.imag):
        return f"complex({number_text(value.real, plain)}, {number_text(value.imag, plain)})"
    return repr(value)


def array_text(value: np.ndarray[Any, Any]) -> tuple[str, bool]:
    """An array, and whether its text is short enough to stand in an expression."""
    dtype = dtype_text(value.dtype)
    if value.size > _LISTED:
        packed = b85encode(compress(np.ascontiguousarray(value).tobytes())).decode()
        return f'np.frombuffer(decompress(b85decode("{packed}")), {dtype}).reshape({value.shape})', False
    if value.size and not np.any(value) and not np.any(np.signbit(value.real)):
        return f"np.zeros({value.shape}, {dtype})", True
    listed = _listed(value.tolist())
    empty = f".reshape({value.shape})" if not value.size else ""
    return f"np.array({listed}, {dtype}){empty}", value.size <= _SHORT


def _listed(value: Any) -> str:
    return f"[{', '.join(map(_listed, value))}]" if is_list(value) else number_text(value, True)

"""Results that are to go into an array that is there: `out=`."""

from __future__ import annotations

from typing import Any

import numpy as np

from retrograde.errors import UnsupportedError, UsageError
from retrograde.program.array_like import ArrayLike
from retrograde.program.primitive import Array


def into(out: Any, result: Array) -> Array:
    """A result, written into a tracked array if one is given for it.

    Raises:
        UnsupportedError: the array to write into is a plain one.
        UsageError: it is of a dtype that cannot hold the result.
    """
    if out is None:
        return result
    if not isinstance(out, ArrayLike):
        raise UnsupportedError(
            f"a tracked result was to be written into a {type(out).__name__} (out=...), which would drop its "
            "derivative; leave `out` away, or have the array tracked before it is written (np.zeros_like of a tracked "
            "array is tracked, and so is what tape.watch returns)"
        )
    if not np.can_cast(result.dtype, out.dtype, "same_kind"):
        raise UsageError(
            f"a {result.dtype} result was to be written into a {out.dtype} array (out=...); leave `out` away, or give "
            f"an array of dtype {result.dtype}"
        )
    out[...] = result
    return out

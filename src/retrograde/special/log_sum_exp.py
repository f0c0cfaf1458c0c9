"""The logarithm of a sum of exponentials."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from retrograde.errors import UnsupportedError
from retrograde.program.array_like import ArrayLike
from retrograde.program.primitive import Array
from retrograde.rules.special import log_sum_exp


def as_array(x: Any) -> Array:
    """What has a dtype as it is, and anything else as a NumPy array or number."""
    return x if hasattr(x, "dtype") else np.asarray(x)[()]


def logsumexp(a: Any, axis: Any = None, b: Any = None, keepdims: bool = False, return_sign: bool = False) -> Array:
    """log(sum(b·exp(a))), without overflow.

    Args:
        a: floating or complex.
        axis: an axis or a tuple of them to sum over; None for all.
        b: weights, broadcast with `a`; 1 if not given.
        keepdims: whether the axes summed over stay, with extent 1.
        return_sign: as in SciPy; only False has a derivative.

    Returns:
        Of the dtype of `a`. NaN where the sum is negative: pass complex numbers for its complex logarithm.

    Raises:
        UnsupportedError: `return_sign` was asked for.

    Example:
        >>> import numpy as np
        >>> float(np.round(logsumexp([1000.0, 1000.0]), 6))
        1000.693147
    """
    if return_sign:
        raise UnsupportedError(
            "logsumexp with return_sign=True has no derivative rule; pass complex numbers, whose logarithm holds the "
            "sign in its imaginary part"
        )
    a = as_array(a)
    if b is not None:
        a, b = _together(a, as_array(b))
    axes = tuple(range(a.ndim)) if axis is None else normalize_axis_tuple(axis, a.ndim)
    out = log_sum_exp.logsumexp(a, axis=axes) if b is None else log_sum_exp.weighted_logsumexp(a, b, axis=axes)
    if keepdims:
        return out
    kept = tuple(size for at, size in enumerate(out.shape) if at not in axes)
    out = np.reshape(out, kept)
    return out if isinstance(out, ArrayLike) or kept else out[()]


def _together(a: Array, b: Array) -> tuple[Array, Array]:
    if a.shape == b.shape:
        return a, b
    shape = np.broadcast_shapes(a.shape, b.shape)
    return np.broadcast_to(a, shape), np.broadcast_to(b, shape)

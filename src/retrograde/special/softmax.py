"""Exponentials divided by their sum."""

from __future__ import annotations

from typing import Any

from numpy.lib.array_utils import normalize_axis_tuple

from retrograde.program.primitive import Array
from retrograde.rules.special import log_sum_exp
from retrograde.special.log_sum_exp import as_array


def softmax(x: Any, axis: Any = -1) -> Array:
    """Exponentials divided by their sum: positive numbers that sum to 1. It keeps its result alone.

    Args:
        x: floating or complex.
        axis: an axis or a tuple of them to sum over; None for all. (SciPy's default is None.)

    Example:
        >>> import numpy as np
        >>> softmax(np.array([0.0, 0.0]))
        array([0.5, 0.5])
    """
    x = as_array(x)
    return log_sum_exp.softmax(x, axis=_axes(x, axis))


def log_softmax(x: Any, axis: Any = -1) -> Array:
    """The logarithm of `softmax`, precise where that is nearly 0. It keeps its result alone.

    Args:
        x: floating or complex.
        axis: an axis or a tuple of them to sum over; None for all. (SciPy's default is None.)

    Example:
        >>> import numpy as np
        >>> log_softmax(np.array([0.0, -1000.0]))
        array([    0., -1000.])
    """
    x = as_array(x)
    return log_sum_exp.log_softmax(x, axis=_axes(x, axis))


def _axes(x: Array, axis: Any) -> tuple[int, ...]:
    return tuple(range(x.ndim)) if axis is None else normalize_axis_tuple(axis, x.ndim)

"""The error function and its kin, and the normal distribution."""

from __future__ import annotations

from typing import Any

from retrograde.program.primitive import Array
from retrograde.rules.special import error_functions


def erf(x: Any) -> Array:
    """The error function: 2/√π times the integral of exp(-t²) from 0 to x.

    Example:
        >>> float(erf(0.0))
        0.0
    """
    return error_functions.erf(x)


def erfc(x: Any) -> Array:
    """The complement 1 - erf(x), precise where erf(x) is nearly 1.

    Example:
        >>> float(erfc(0.0))
        1.0
    """
    return error_functions.erfc(x)


def erfi(x: Any) -> Array:
    """The imaginary error function: -i·erf(i·x).

    Example:
        >>> float(erfi(0.0))
        0.0
    """
    return error_functions.erfi(x)


def erfcx(x: Any) -> Array:
    """The scaled complement exp(x²)·erfc(x), which neither vanishes nor overflows for large x.

    Example:
        >>> float(erfcx(0.0))
        1.0
    """
    return error_functions.erfcx(x)


def erfinv(x: Any) -> Array:
    """The inverse of `erf`, of values between -1 and 1.

    Example:
        >>> float(erfinv(0.0))
        0.0
    """
    return error_functions.erfinv(x)


def erfcinv(x: Any) -> Array:
    """The inverse of `erfc`, of values between 0 and 2.

    Example:
        >>> float(erfc(erfcinv(1.0)))
        1.0
    """
    return error_functions.erfcinv(x)


def dawsn(x: Any) -> Array:
    """Dawson's integral: exp(-x²) times the integral of exp(t²) from 0 to x.

    Example:
        >>> float(dawsn(0.0))
        0.0
    """
    return error_functions.dawsn(x)


def wofz(x: Any) -> Array:
    """Faddeeva's function exp(-z²)·erfc(-i·z), a complex number.

    Example:
        >>> complex(wofz(0.0))
        (1+0j)
    """
    return error_functions.wofz(x)


def ndtr(x: Any) -> Array:
    """The normal distribution: how probable it is that a standard normal variable is at most x.

    Example:
        >>> float(ndtr(0.0))
        0.5
    """
    return error_functions.ndtr(x)


def ndtri(x: Any) -> Array:
    """The inverse of `ndtr`: the quantile of a probability between 0 and 1.

    Example:
        >>> float(ndtri(0.5))
        0.0
    """
    return error_functions.ndtri(x)


def log_ndtr(x: Any) -> Array:
    """The logarithm of `ndtr`, precise far out in the lower tail.

    Example:
        >>> import numpy as np
        >>> float(np.round(log_ndtr(-40.0), 6))
        -804.608442
    """
    return error_functions.log_ndtr(x)


def ndtri_exp(x: Any) -> Array:
    """The quantile of a probability that is given by its logarithm: the inverse of `log_ndtr`.

    Example:
        >>> import numpy as np
        >>> float(np.round(ndtri_exp(-804.608442), 6))
        -40.0
    """
    return error_functions.ndtri_exp(x)

"""Integrals of elementary functions, and the inverse of w·exp(w)."""

from __future__ import annotations

from typing import Any

from retrograde.program.primitive import Array
from retrograde.rules.special import integrals
from retrograde.special.log_sum_exp import as_array


def exp1(x: Any) -> Array:
    """The exponential integral E₁: that of exp(-t) / t from x to infinity.

    Example:
        >>> import numpy as np
        >>> float(np.round(exp1(1.0), 6))
        0.219384
    """
    return integrals.exp1(x)


def expi(x: Any) -> Array:
    """The exponential integral Ei: that of exp(t) / t from minus infinity to x, its principal value.

    Example:
        >>> import numpy as np
        >>> float(np.round(expi(1.0), 6))
        1.895118
    """
    return integrals.expi(x)


def sici(x: Any) -> Array:
    """The sine and cosine integrals Si and Ci, a pair.

    Example:
        >>> [round(float(part), 4) for part in sici(1.0)]
        [0.9461, 0.3374]
    """
    return integrals.sici(x)


def fresnel(x: Any) -> Array:
    """Fresnel's integrals S and C, a pair: those of sin(πt²/2) and cos(πt²/2) from 0 to x.

    Example:
        >>> [round(float(part), 4) for part in fresnel(1.0)]
        [0.4383, 0.7799]
    """
    return integrals.fresnel(x)


def lambertw(x: Any, k: int = 0) -> Array:
    """Lambert's function: the w on branch k for which w·exp(w) is x.

    Returns:
        complex128; its real part has a real derivative.

    Example:
        >>> import numpy as np
        >>> complex(np.round(lambertw(1.0), 6))
        (0.567143+0j)
    """
    return integrals.lambertw(as_array(x), k=k)

"""Bessel functions."""

from __future__ import annotations

from typing import Any

from retrograde.program.primitive import Array
from retrograde.rules.special import bessel_functions


def j0(x: Any) -> Array:
    """The Bessel function of the first kind and order 0, of real numbers.

    Example:
        >>> float(j0(0.0))
        1.0
    """
    return bessel_functions.j0(x)


def j1(x: Any) -> Array:
    """The Bessel function of the first kind and order 1, of real numbers.

    Example:
        >>> float(j1(0.0))
        0.0
    """
    return bessel_functions.j1(x)


def y0(x: Any) -> Array:
    """The Bessel function of the second kind and order 0, of positive numbers.

    Example:
        >>> import numpy as np
        >>> float(np.round(y0(1.0), 6))
        0.088257
    """
    return bessel_functions.y0(x)


def y1(x: Any) -> Array:
    """The Bessel function of the second kind and order 1, of positive numbers.

    Example:
        >>> import numpy as np
        >>> float(np.round(y1(1.0), 6))
        -0.781213
    """
    return bessel_functions.y1(x)


def i0(x: Any) -> Array:
    """The modified Bessel function of the first kind and order 0, of real numbers.

    Example:
        >>> float(i0(0.0))
        1.0
    """
    return bessel_functions.i0(x)


def i1(x: Any) -> Array:
    """The modified Bessel function of the first kind and order 1, of real numbers.

    Example:
        >>> float(i1(0.0))
        0.0
    """
    return bessel_functions.i1(x)


def i0e(x: Any) -> Array:
    """`exp(-abs(x))` times `i0(x)`, which does not overflow.

    Example:
        >>> float(i0e(0.0))
        1.0
    """
    return bessel_functions.i0e(x)


def i1e(x: Any) -> Array:
    """`exp(-abs(x))` times `i1(x)`, which does not overflow.

    Example:
        >>> float(i1e(0.0))
        0.0
    """
    return bessel_functions.i1e(x)


def k0(x: Any) -> Array:
    """The modified Bessel function of the second kind and order 0, of positive numbers.

    Example:
        >>> import numpy as np
        >>> float(np.round(k0(1.0), 6))
        0.421024
    """
    return bessel_functions.k0(x)


def k1(x: Any) -> Array:
    """The modified Bessel function of the second kind and order 1, of positive numbers.

    Example:
        >>> import numpy as np
        >>> float(np.round(k1(1.0), 6))
        0.601907
    """
    return bessel_functions.k1(x)


def k0e(x: Any) -> Array:
    """exp(x)·k0(x), which does not vanish.

    Example:
        >>> import numpy as np
        >>> float(np.round(k0e(1.0), 6))
        1.144463
    """
    return bessel_functions.k0e(x)


def k1e(x: Any) -> Array:
    """exp(x)·k1(x), which does not vanish.

    Example:
        >>> import numpy as np
        >>> float(np.round(k1e(1.0), 6))
        1.636153
    """
    return bessel_functions.k1e(x)


def jv(v: Any, z: Any) -> Array:
    """The Bessel function of the first kind and real order v.

    The derivative by the order has no closed form: asking for it raises `UnsupportedError`.

    Example:
        >>> float(jv(0, 0.0))
        1.0
    """
    return bessel_functions.jv(v, z)


def jn(n: Any, x: Any) -> Array:
    """Another name of `jv`.

    Example:
        >>> float(jn(0, 0.0))
        1.0
    """
    return bessel_functions.jv(n, x)


def yv(v: Any, z: Any) -> Array:
    """The Bessel function of the second kind and real order v.

    The derivative by the order has no closed form: asking for it raises `UnsupportedError`.

    Example:
        >>> import numpy as np
        >>> float(np.round(yv(0, 1.0), 6))
        0.088257
    """
    return bessel_functions.yv(v, z)


def yn(n: Any, x: Any) -> Array:
    """Another name of `yv`, for integer orders.

    Example:
        >>> import numpy as np
        >>> float(np.round(yn(0, 1.0), 6))
        0.088257
    """
    return bessel_functions.yv(n, x)


def iv(v: Any, z: Any) -> Array:
    """The modified Bessel function of the first kind and real order v.

    The derivative by the order has no closed form: asking for it raises `UnsupportedError`.

    Example:
        >>> float(iv(0, 0.0))
        1.0
    """
    return bessel_functions.iv(v, z)


def ive(v: Any, z: Any) -> Array:
    """`exp(-abs(real(z)))` times `iv(v, z)`, which does not overflow; differentiable at real z.

    The derivative by the order has no closed form: asking for it raises `UnsupportedError`.

    Example:
        >>> float(ive(0, 0.0))
        1.0
    """
    return bessel_functions.ive(v, z)


def kv(v: Any, z: Any) -> Array:
    """The modified Bessel function of the second kind and real order v.

    The derivative by the order has no closed form: asking for it raises `UnsupportedError`.

    Example:
        >>> import numpy as np
        >>> float(np.round(kv(0, 1.0), 6))
        0.421024
    """
    return bessel_functions.kv(v, z)


def kve(v: Any, z: Any) -> Array:
    """exp(z)·kv(v, z), which does not vanish.

    The derivative by the order has no closed form: asking for it raises `UnsupportedError`.

    Example:
        >>> import numpy as np
        >>> float(np.round(kve(0, 1.0), 6))
        1.144463
    """
    return bessel_functions.kve(v, z)


def hankel1(v: Any, z: Any) -> Array:
    """The Hankel function of the first kind, jv + i·yv.

    The derivative by the order has no closed form: asking for it raises `UnsupportedError`.

    Example:
        >>> import numpy as np
        >>> complex(np.round(hankel1(0, 1.0), 6))
        (0.765198+0.088257j)
    """
    return bessel_functions.hankel1(v, z)


def hankel2(v: Any, z: Any) -> Array:
    """The Hankel function of the second kind, jv - i·yv.

    The derivative by the order has no closed form: asking for it raises `UnsupportedError`.

    Example:
        >>> import numpy as np
        >>> complex(np.round(hankel2(0, 1.0), 6))
        (0.765198-0.088257j)
    """
    return bessel_functions.hankel2(v, z)


def airy(x: Any) -> Array:
    """The Airy functions and their derivatives: Ai, Ai', Bi, Bi'.

    Example:
        >>> [round(float(part), 4) for part in airy(0.0)]
        [0.355, -0.2588, 0.6149, 0.4483]
    """
    return bessel_functions.airy(x)

"""The gamma function and what is made of it."""

from __future__ import annotations

from math import log, pi
from typing import Any

from retrograde.program.primitive import Array
from retrograde.rules.special import gamma_functions


def gamma(x: Any) -> Array:
    """The gamma function; (n-1)! at an integer n.

    Example:
        >>> float(gamma(5.0))
        24.0
    """
    return gamma_functions.gamma(x)


def gammaln(x: Any) -> Array:
    """The logarithm of `abs(gamma(x))`, of real numbers.

    Example:
        >>> float(gammaln(1.0))
        0.0
    """
    return gamma_functions.gammaln(x)


def loggamma(x: Any) -> Array:
    """The principal branch of the logarithm of gamma, of complex numbers.

    Example:
        >>> float(loggamma(1.0))
        0.0
    """
    return gamma_functions.loggamma(x)


def gammasgn(x: Any) -> Array:
    """The sign of gamma(x). Its derivative is 0: on a tape the result is a plain array.

    Example:
        >>> float(gammasgn(-0.5))
        -1.0
    """
    return gamma_functions.gammasgn(x)


def rgamma(x: Any) -> Array:
    """The reciprocal 1 / gamma(x), which has no poles.

    Example:
        >>> float(rgamma(0.0))
        0.0
    """
    return gamma_functions.rgamma(x)


def digamma(x: Any) -> Array:
    """The derivative of `gammaln`.

    Example:
        >>> import numpy as np
        >>> float(np.round(digamma(1.0), 6))
        -0.577216
    """
    return gamma_functions.psi(x)


def psi(x: Any) -> Array:
    """Another name of `digamma`.

    Example:
        >>> float(psi(2.0) - psi(1.0))
        1.0
    """
    return gamma_functions.psi(x)


def polygamma(n: Any, x: Any) -> Array:
    """The n-th derivative of `digamma`, of real numbers.

    Args:
        n: integers of 0 or more.
        x: floating, broadcast with `n`.

    Returns:
        float64.

    Example:
        >>> import numpy as np
        >>> float(np.round(polygamma(1, 1.0), 6))
        1.644934
    """
    return gamma_functions.polygamma(n, x)


def multigammaln(a: Any, d: int) -> Array:
    """The logarithm of the multivariate gamma function of dimension d, of numbers above (d - 1) / 2.

    Example:
        >>> bool(multigammaln(3.0, 1) == gammaln(3.0))
        True
    """
    return sum((gammaln(a - 0.5 * j) for j in range(d)), start=0.25 * d * (d - 1) * log(pi))


def poch(x: Any, m: Any) -> Array:
    """The rising factorial gamma(x + m) / gamma(x).

    Example:
        >>> float(poch(2.0, 3.0))
        24.0
    """
    return gamma_functions.poch(x, m)


def zeta(x: Any, q: Any = 1.0) -> Array:
    """Hurwitz's zeta function: the sum of 1 / (k + q)ˣ over k from 0 on; Riemann's where q is 1.

    The derivative by `x` has no closed form: asking for it raises `UnsupportedError`.

    Example:
        >>> import numpy as np
        >>> float(np.round(zeta(2.0), 6))
        1.644934
    """
    return gamma_functions.zeta(x, q)


def beta(a: Any, b: Any) -> Array:
    """The beta function gamma(a)·gamma(b) / gamma(a + b).

    Example:
        >>> float(beta(1.0, 2.0))
        0.5
    """
    return gamma_functions.beta(a, b)


def betaln(a: Any, b: Any) -> Array:
    """The logarithm of `abs(beta(a, b))`.

    Example:
        >>> float(betaln(1.0, 1.0))
        0.0
    """
    return gamma_functions.betaln(a, b)


def gammainc(a: Any, x: Any) -> Array:
    """The regularized lower incomplete gamma function: the gamma distribution of shape a.

    The derivative by `a` has no closed form: asking for it raises `UnsupportedError`.

    Example:
        >>> import numpy as np
        >>> bool(np.isclose(gammainc(1.0, 2.0), 1.0 - np.exp(-2.0)))
        True
    """
    return gamma_functions.gammainc(a, x)


def gammaincc(a: Any, x: Any) -> Array:
    """The complement 1 - gammainc(a, x).

    The derivative by `a` has no closed form: asking for it raises `UnsupportedError`.

    Example:
        >>> import numpy as np
        >>> bool(np.isclose(gammaincc(1.0, 2.0), np.exp(-2.0)))
        True
    """
    return gamma_functions.gammaincc(a, x)


def gammaincinv(a: Any, y: Any) -> Array:
    """The x for which gammainc(a, x) is y.

    The derivative by `a` has no closed form: asking for it raises `UnsupportedError`.

    Example:
        >>> import numpy as np
        >>> float(np.round(gammaincinv(1.0, gammainc(1.0, 2.0)), 6))
        2.0
    """
    return gamma_functions.gammaincinv(a, y)


def gammainccinv(a: Any, y: Any) -> Array:
    """The x for which gammaincc(a, x) is y.

    The derivative by `a` has no closed form: asking for it raises `UnsupportedError`.

    Example:
        >>> import numpy as np
        >>> float(np.round(gammainccinv(1.0, gammaincc(1.0, 2.0)), 6))
        2.0
    """
    return gamma_functions.gammainccinv(a, y)


def betainc(a: Any, b: Any, x: Any) -> Array:
    """The regularized incomplete beta function: the beta distribution.

    The derivative by `a` or `b` has no closed form: asking for it raises `UnsupportedError`.

    Example:
        >>> import numpy as np
        >>> float(np.round(betainc(1.0, 1.0, 0.25), 6))
        0.25
    """
    return gamma_functions.betainc(a, b, x)


def betaincc(a: Any, b: Any, x: Any) -> Array:
    """The complement 1 - betainc(a, b, x).

    The derivative by `a` or `b` has no closed form: asking for it raises `UnsupportedError`.

    Example:
        >>> import numpy as np
        >>> float(np.round(betaincc(1.0, 1.0, 0.25), 6))
        0.75
    """
    return gamma_functions.betaincc(a, b, x)


def betaincinv(a: Any, b: Any, y: Any) -> Array:
    """The x for which betainc(a, b, x) is y.

    The derivative by `a` or `b` has no closed form: asking for it raises `UnsupportedError`.

    Example:
        >>> import numpy as np
        >>> float(np.round(betaincinv(1.0, 1.0, 0.25), 6))
        0.25
    """
    return gamma_functions.betaincinv(a, b, y)

"""Exponentials and logarithms as text that LLVM vectorizes: without branches, tables or calls.

Numba calls the C library for each element, which takes 4 ns for an exponential and 20 for a hyperbolic tangent; these
take little more than one, as NumPy's own loops do, and err by at most three units in the last place.

The argument is split into a multiple of log 2 and a small rest (Cody and Waite 1980, "Software Manual for the
Elementary Functions", chapter 6), for which there is a polynomial: interpolation in Chebyshev points, computed with 60
digits. Powers of two are made of their bits, and adding 1.5 · 2^52 rounds to an integer.
"""

from __future__ import annotations

_ROUND = "6755399441055744.0"  # 1.5 · 2^52
_PER_LOG_2 = "1.4426950408889634"
# log 2 in two parts; multiples of the first, up to 2^20 of them, are exact.
_LOG_2 = "0.6931471803691238"
_REST_OF_LOG_2 = "1.9082149292705877e-10"
_LEAST_NORMAL = "2.2250738585072014e-308"

_EXPONENTIAL = (
    0.5000000000000001,
    0.16666666666666669,
    0.04166666666662064,
    0.008333333333329793,
    0.0013888888918939168,
    0.00019841269864380513,
    2.4801518641395993e-05,
    2.75572664186123e-06,
    2.7621338669142925e-07,
    2.510134692835034e-08,
)
"""(exp(r) - 1 - r) / r² for |r| below half of log 2, lowest power first."""

_LOGARITHM = (
    0.666666666666667,
    0.3999999999989827,
    0.2857142862653362,
    0.22222211043776857,
    0.18182895750119193,
    0.1533150161114533,
    0.1461916613488797,
)
"""(log((1 + s) / (1 - s)) - 2 s) / (s z) in z = s², for |s| up to that of √2, lowest power first."""


def _polynomial(name: str, x: str, coefficients: tuple[float, ...]) -> str:
    *lower, highest = coefficients
    return "\n".join([f"    {name} = {highest!r}", *(f"    {name} = {name} * {x} + {at!r}" for at in reversed(lower))])


_SPLIT = f"""
    n = (x * {_PER_LOG_2} + {_ROUND}) - {_ROUND}
    r = (x - n * {_LOG_2}) - n * {_REST_OF_LOG_2}
{_polynomial("p", "r", _EXPONENTIAL)}
    q = r + r * r * p
    half = n * 0.5 + {_ROUND}
    rest = (n - (half - {_ROUND})) + {_ROUND}
    one = np.int64((np.float64(half).view(np.int64) + 1023) << 52).view(np.float64)
    two = np.int64((np.float64(rest).view(np.int64) + 1023) << 52).view(np.float64)"""
"""exp(x) = one · two · (1 + q). The power of two is in two parts, so that results may be subnormal."""

_LOG = f"""
    normal = u >= {_LEAST_NORMAL}
    m = u if normal else u * 18014398509481984.0
    bits = np.float64(m).view(np.int64)
    m = np.int64((bits & 0xFFFFFFFFFFFFF) | 0x3FF0000000000000).view(np.float64)
    k = np.int64(((bits >> 52) & 0x7FF) | 0x4330000000000000).view(np.float64) - 4503599627371519.0
    k = k if normal else k - 54.0
    large = m > 1.4142135623730951
    k = k + 1.0 if large else k
    f = (m * 0.5 if large else m) - 1.0
    s = f / (2.0 + f)
    z = s * s
{_polynomial("p", "z", _LOGARITHM)}
    half = 0.5 * f * f
    y = k * {_LOG_2} - ((half - (s * (half + z * p) + k * {_REST_OF_LOG_2})) - f)
    y = y if u > 0.0 else (-np.inf if u == 0.0 else np.nan)
    y = y if u < np.inf else u"""
"""y = log(u)."""

ELEMENTARY = {
    "fast_exp": f"""def fast_exp(x):{_SPLIT}
    y = ((1.0 + q) * one) * two
    y = y if x > -746.0 else 0.0
    y = y if x < 710.0 else np.inf
    return y if x == x else x""",
    "fast_expm1": f"""def fast_expm1(x):{_SPLIT}
    power = one * two
    y = (power - 1.0) + power * q if x < 709.0 else ((1.0 + q) * one) * two
    y = y if x > -50.0 else -1.0
    y = y if x < 710.0 else np.inf
    y = y if x != 0.0 else x
    return y if x == x else x""",
    "fast_tanh": f"""def fast_tanh(v):
    x = 2.0 * v{_SPLIT}
    power = one * two
    e = (power - 1.0) + power * q
    y = e / (e + 2.0)
    y = y if v < 20.0 else 1.0
    y = y if v > -20.0 else -1.0
    y = y if v != 0.0 else v
    return y if v == v else v""",
    "fast_log": f"""def fast_log(u):{_LOG}
    return y""",
    "fast_log1p": f"""def fast_log1p(x):
    u = 1.0 + x{_LOG}
    y = y + (x - (u - 1.0)) / u if u > 0.0 else y
    y = y if u < np.inf else u
    return y if u != 1.0 else x""",
}
"""Functions of a float64, by the names under which spellings call them."""

"""Samples of elementwise functions. Those that NumPy has for real numbers only cannot be checked by a complex step."""

from __future__ import annotations

from typing import Any

import numpy as np

from samples.sample import Sample, cplx, real


def _inside(*shape: int) -> Any:
    """Between -0.8 and 0.8, and never near 0."""
    return 0.4 * real(*shape)


def _positive(*shape: int) -> Any:
    return abs(real(*shape))


def _samples(*operands: Any, analytic: bool = True) -> list[Sample]:
    return [Sample(one if isinstance(one, tuple) else (one,), analytic=analytic) for one in operands]


def _everywhere() -> list[Sample]:
    return _samples(real(3, 2), real(), cplx(3), real(0, 2))


def _of_two_reals() -> list[Sample]:
    pairs = [(real(3, 2), real(3, 2)), (real(3, 1), real(4)), (real(), real(2)), (real(2), 1.2), (0.3, real(2))]
    return _samples(*pairs, (real(0), real(0)), analytic=False)


_COMPLEX_INSIDE = 0.2 * cplx(3)
_WITHOUT_DERIVATIVE = ("floor", "ceil", "rint", "trunc", "isnan", "isfinite", "isinf", "signbit", "logical_not", "sign")
_WHOLE = np.array([[3, 5], [6, 1]])

_BETWEEN_JUMPS = (
    (np.array([5.2, -3.3, 0.7]), np.array([1.5, 2.0, -1.6])),
    (np.array([1.1, -0.4, 0.9]), np.float64(0.7)),
)

SAMPLES: dict[str, list[Sample]] = {
    **{name: _everywhere() for name in ("exp2", "expm1", "square", "reciprocal", "sinh", "cosh", "arcsinh")},
    **{name: _everywhere() for name in ("arctan", "sinc")},
    **{name: _samples(_positive(3), _positive(), cplx(3), real(0)) for name in ("log", "log2", "log10", "sqrt")},
    **{
        name: _samples(_inside(3), _COMPLEX_INSIDE, _inside())
        for name in ("log1p", "tan", "arcsin", "arccos", "arctanh")
    },
    "square_plus_one": _everywhere(),
    "larger_share": _samples((real(3), real(3), real(3)), (real(2, 3), real(3), 0.5), (2.0, real(2), real())),
    "log_or_zero": _samples(_positive(3), cplx(2)),
    "arccosh": _samples(1.5 + _positive(3), cplx(3), 2.0 + _positive()),
    **{
        name: _samples(real(3), real(), real(0, 2), analytic=False)
        for name in ("cbrt", "deg2rad", "rad2deg", "numpy_i0")
    },
    **{name: _samples(real(3), real(), analytic=False) for name in ("fabs", "fraction")},
    "absolute": _samples(real(3), real(), cplx(3), cplx(), real(0), analytic=False),
    "power": _samples(
        (_positive(3), real(3)),
        (_positive(3, 1), real(2)),
        (real(3), 3),
        (real(3), -2),
        (real(3), np.array([2, 3, 0])),
        (_positive(), 0.5),
        (2.0, real(3)),
        (3, real(2)),
        (1.5 + 0.3 * cplx(3), cplx(3)),
        (1.5 + 0.3 * cplx(3), real(3)),
        (cplx(2), 3),
        (real(0), real(0)),
    ),
    "quiet_power": _samples((_positive(3), real(3)), (1.5 + 0.3 * cplx(2), cplx(2))),
    "multiply_or_zero": _samples((real(3), real(3)), (cplx(3), real(2, 1)), (2.0, real(2))),
    **{
        name: _samples((real(3), real(3)), (cplx(3), cplx(2, 1)), (2.0, real(2)), (real(0), real(0)))
        for name in ("divide_or_zero", "divide_chosen", "divide_by_length")
    },
    **{name: _of_two_reals() for name in ("hypot", "arctan2", "logaddexp", "logaddexp2", "minimum", "fmax", "fmin")},
    **{name: _samples(*_BETWEEN_JUMPS, analytic=False) for name in ("remainder", "fmod")},
    "copysign": _samples((real(3), real(3)), (real(2, 1), real(2)), (real(3), -1.0), analytic=False),
    "heaviside": _samples((np.array([0.0, 1.0, -1.0]), real(3)), (np.zeros(2), real()), analytic=False),
    "ldexp": _samples((real(3), np.array([1, -2, 3])), (real(2), 2), analytic=False),
    "spherical_bessel": [
        Sample((x,), {"order": order}, analytic=False) for x in (real(3), cplx(2), real()) for order in (0, 1, 2)
    ],
    "nan_to_num": [
        Sample((x,), {"nan": 0.5, "posinf": None, "neginf": -2.0}, analytic=False) for x in (real(3), cplx(2))
    ],
    **{name: _samples(real(3), real(2, 2)) for name in _WITHOUT_DERIVATIVE},
    "round": [Sample((real(3),), {"decimals": 1})],
    "exponent": _samples(real(3), real()),
    "whole_quotient": _samples((real(3), real(2, 1)), (real(3), 0.4)),
    "floor_divide": _samples((real(3), real(2, 1)), (real(3), 0.4)),
    **{name: _samples((real(3), real(2, 1))) for name in ("logical_and", "logical_or", "logical_xor")},
    **{name: _samples((_WHOLE, 3), (_WHOLE > 3, _WHOLE > 5)) for name in ("bitwise_and", "bitwise_or", "bitwise_xor")},
    **{name: _samples((_WHOLE, 3)) for name in ("left_shift", "right_shift", "gcd", "lcm")},
    "invert": _samples(_WHOLE, _WHOLE > 3),
}

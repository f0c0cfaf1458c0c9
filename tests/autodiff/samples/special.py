"""Samples of special functions, inside the domain of each and away from its poles."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from samples.sample import Sample, cplx, real


def positive(*shape: int) -> Any:
    return np.abs(real(*shape))


def fraction(*shape: int) -> Any:
    """Values between 0.2 and 0.8."""
    return 0.4 * positive(*shape)


def _each(*makers: Any) -> list[Sample]:
    """A matrix and a number of one kind, and arrays of the others."""
    first, *others = makers
    return [Sample((first(3, 2),)), Sample((first(),)), *(Sample((maker(3),)) for maker in others)]


def _empty() -> Sample:
    return Sample((real(0, 2),))


_ANYWHERE = ["erf", "erfc", "erfi", "dawsn", "wofz", "ndtr", "log_ndtr"]
_ANYWHERE_REAL = ["expit", "log_expit", "j0", "j1", "i0", "i1", "i0e", "i1e", "fresnel"]
_POSITIVE = ["gammaln", "entr", "y0", "y1", "k0", "k1", "k0e", "k1e"]
_ORDER = np.array([[0], [2]])
_ORDERS = [Sample((1, positive(3))), Sample((_ORDER, positive(3))), Sample((2, positive(2) + 0.3j))]
_SCALED_ORDERS = [Sample((1, real(3))), Sample((_ORDER, positive(3)))]
_PAIRS = [Sample((positive(3), positive(3))), Sample((positive(2, 1), positive(3))), Sample((positive(), positive(2)))]
_SHAPES = np.array([2, 3, 1])
_AXES = [(0,), (1,), (0, 1)]


def _over_axes(*makers: Any) -> list[Sample]:
    cases = [Sample((real(3, 2),), {"axis": axis}) for axis in _AXES]
    return [*cases, *(Sample((maker(2, 3),), {"axis": (1,)}) for maker in makers)]


_COMPLEX_STEP = {"erf", "erfc", "erfi", "dawsn", "ndtr", "log_ndtr", "gamma", "rgamma", "loggamma", "psi", "xlogy"}
_COMPLEX_STEP |= {"exp1", "fresnel", "logsumexp", "softmax", "log_softmax"}

_CASES: dict[str, list[Sample]] = {
    **{name: [*_each(real, cplx), _empty()] for name in _ANYWHERE},
    **{name: _each(real) for name in _ANYWHERE_REAL},
    **{name: _each(positive) for name in _POSITIVE},
    **{name: _each(positive, cplx) for name in ("exp1", "expi", "airy")},
    **{name: _each(positive) for name in ("gamma", "rgamma", "loggamma")},
    "erfcx": _each(positive, lambda n: fraction(n) + 0.5j),
    **{name: [*_ORDERS] for name in ("jv", "yv", "iv", "kv", "kve", "hankel1", "hankel2")},
    **{name: [*_SCALED_ORDERS] for name in ("ive",)},
    **{name: [*_PAIRS] for name in ("beta", "betaln", "poch", "xlogy", "xlog1py", "rel_entr", "kl_div")},
    **{name: _each(fraction) for name in ("erfinv", "erfcinv", "ndtri", "logit")},
    "ndtri_exp": [Sample((-positive(3),))],
    "psi": _each(positive),
    "gammasgn": _each(real),
    "polygamma": [Sample((0, positive(3))), Sample((2, 1.0 + positive(2, 2))), Sample((_ORDER, 1.0 + positive(3)))],
    "zeta": [Sample((3, positive(3))), Sample((np.array([[2], [4]]), positive(2)))],
    **{name: [Sample((2, positive(3))), Sample((_SHAPES, positive(2, 3)))] for name in ("gammainc", "gammaincc")},
    **{name: [Sample((2, fraction(3))), Sample((_SHAPES, fraction(3)))] for name in ("gammaincinv", "gammainccinv")},
    **{name: [Sample((2, 3, fraction(3))), Sample((_SHAPES, 2, fraction(2, 3)))] for name in ("betainc", "betaincc")},
    "betaincinv": [Sample((2, 3, fraction(3)))],
    "sici": _each(positive),
    "lambertw": [Sample((positive(3),), {"k": 0}), Sample((cplx(3),), {"k": 1})],
    "logsumexp": [*_over_axes(cplx), Sample((real(2, 0),), {"axis": (0,)})],
    "weighted_logsumexp": [
        Sample((real(3, 2), positive(3, 2)), {"axis": (0,)}),
        Sample((real(3, 2), positive(3, 2)), {"axis": (0, 1)}),
        Sample((cplx(3), positive(3)), {"axis": (0,)}),
    ],
    "softmax": [*_over_axes(cplx), Sample((real(0, 3),), {"axis": (1,)})],
    "log_softmax": [*_over_axes(cplx), Sample((real(0, 3),), {"axis": (1,)})],
}

SAMPLES = {name: [replace(case, analytic=name in _COMPLEX_STEP) for case in cases] for name, cases in _CASES.items()}

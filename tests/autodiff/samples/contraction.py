"""Samples of contractions, convolutions and Fourier transforms."""

from __future__ import annotations

from samples.sample import Sample, cplx, real


def _einsum() -> list[Sample]:
    cases = {
        "abc,cd->abd": (real(2, 3, 2), real(2, 3)),
        "ab,cbd->cad": (real(2, 3), real(2, 3, 2)),
        "ab,ab->": (real(2, 3), real(2, 3)),
        "ab,ba->a": (cplx(2, 3), cplx(3, 2)),
        "ab,ac->cab": (real(2, 3), real(1, 2)),
        "abd,bce->adce": (real(2, 3, 1), cplx(3, 2, 2)),
        "ab,b->a": (real(2, 3), real(3)),
        ",a->a": (real(), real(3)),
        "a,ab->b": (real(0), real(0, 2)),
    }
    return [Sample(pair, {"subscripts": subscripts}) for subscripts, pair in cases.items()]


def _complex_transforms() -> list[Sample]:
    arrays = ((cplx(3, 4), (0, 1), "backward"), (real(2, 5), (1,), "ortho"), (cplx(4), (0,), "forward"))
    return [Sample((x,), {"axes": axes, "norm": norm}, analytic=False) for x, axes, norm in arrays]


_REAL_TRANSFORMS = [(4, 0, "backward"), (5, 0, "forward"), (4, 1, "ortho"), (1, 0, "backward")]

SAMPLES = {
    "einsum": _einsum(),
    "trace": [
        Sample((real(3, 4),), {"offset": 1, "axis1": 0, "axis2": 1}),
        Sample((cplx(3, 2, 2),), {"offset": -1, "axis1": 2, "axis2": 0}),
        Sample((real(0, 2),), {"offset": 0, "axis1": 0, "axis2": 1}),
    ],
    "convolve": [Sample((real(4), real(2))), Sample((cplx(2), cplx(3))), Sample((real(1), cplx(1)))],
    "correlate": [Sample((real(4), real(2)), analytic=False), Sample((cplx(3), cplx(3))), Sample((cplx(3), real(1)))],
    "fftn": _complex_transforms(),
    "ifftn": _complex_transforms(),
    "rfft": [
        Sample((real(*[size] * (axis + 1), 2),), {"axis": axis, "norm": norm}, analytic=False)
        for size, axis, norm in _REAL_TRANSFORMS
    ],
    "irfft": [
        Sample((cplx(*[size // 2 + 1] * (axis + 1), 2), size), {"axis": axis, "norm": norm})
        for size, axis, norm in _REAL_TRANSFORMS
    ],
    "weighted_spectrum": [
        Sample((cplx(*[size // 2 + 1] * (axis + 1), 2), size), {"axis": axis, "halved": size > 4})
        for size, axis, _ in _REAL_TRANSFORMS
    ],
}

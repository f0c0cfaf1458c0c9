"""Samples of reductions and cumulative functions; products with zeros among the factors."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from samples.sample import Sample, cplx, real

_AXES: list[tuple[tuple[int, ...], bool]] = [((0,), False), ((0, 1), False), ((1,), True), ((), False)]


def _reduced(*arrays: Any, analytic: bool = True, **static: Any) -> list[Sample]:
    """The arrays reduced along several axes; those of one axis along it."""
    choices = itertools.product(arrays, _AXES)
    fitting = [(x, axis, keep) for x, (axis, keep) in choices if all(at < x.ndim for at in axis)]
    return [Sample((x,), {"axis": axis, "keepdims": keep, **static}, analytic=analytic) for x, axis, keep in fitting]


def _along(*operands: Any) -> list[Sample]:
    return [Sample(one, {"axis": axis}) for one in operands for axis in range(one[-1].ndim) if axis < one[-1].ndim]


_ZEROS = np.array([[1.5, 0.0, -0.7], [0.0, 0.0, 1.2]])
_TALL = real(4, 3)

SAMPLES: dict[str, list[Sample]] = {
    "prod": [
        *_reduced(real(2, 3), _ZEROS, cplx(2, 3), _ZEROS[:, 0]),
        Sample((real(0, 2),), {"axis": (0,), "keepdims": False}),
        Sample((real(2, 0),), {"axis": (0,), "keepdims": False}),
        Sample((real(2, 3, 2),), {"axis": (0, 2), "keepdims": False}),
        Sample((real(),), {"axis": (), "keepdims": False}),
    ],
    "cumsum": _along((_TALL,), (cplx(3),), (real(0),)),
    "cumprod": _along((_TALL,), (_ZEROS,), (cplx(3),), (real(0),), (real(1),)),
    "leave_one_out": _along((_TALL,), (_ZEROS,), (cplx(3),), (real(0),), (real(1),)),
    "linear_recurrence": _along((_TALL, real(4, 3)), (real(3), real(3)), (cplx(3), cplx(3)), (_ZEROS, _ZEROS)),
    "max": _reduced(real(3, 2), real(4), analytic=False),
    "min": _reduced(real(3, 2), real(4), analytic=False),
    "var": [
        *_reduced(real(3, 2), cplx(4), analytic=False, ddof=0),
        *(sample for sample in _reduced(real(4), analytic=False, ddof=1) if sample.static["axis"]),
    ],
    "std": [
        *(sample for sample in _reduced(real(3, 2), cplx(4), analytic=False, ddof=0) if sample.static["axis"]),
        *(sample for sample in _reduced(real(4), analytic=False, ddof=1) if sample.static["axis"]),
    ],
    "norm": [
        *(sample for sample in _reduced(real(3, 2), cplx(3), analytic=False) if sample.static["axis"]),
        Sample((real(2, 2, 2),), {"axis": (0, 2), "keepdims": True}, analytic=False),
    ],
    "any": _reduced(real(3, 2)),
    "all": _reduced(real(3, 2)),
    **{
        name: [
            Sample((real(3, 2),), {"axis": axis, "keepdims": keep})
            for axis, keep in ((None, False), (1, True), (0, False))
        ]
        for name in ("argmax", "argmin", "nanargmax", "nanargmin")
    },
}

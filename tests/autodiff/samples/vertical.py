"""Samples of the first primitives."""

from __future__ import annotations

from typing import Any

import numpy as np

from samples.sample import Sample, cplx, real


def _binary() -> list[Sample]:
    pairs = [(real(3, 2), real(3, 2)), (real(3, 1), real(4)), (real(), real(2)), (real(2), 1.5), (1.5, real(2))]
    return [Sample(pair) for pair in [*pairs, (cplx(3), cplx(3)), (cplx(2, 3), real(3)), (real(0), real(0))]]


def _unary() -> list[Sample]:
    return [Sample((x,)) for x in (real(3, 2), real(), cplx(3), real(0, 2))]


_INDICES: list[Any] = [1, (slice(1, None), 0), (Ellipsis, slice(None, None, -1)), (None, slice(0, 2))]
_INDICES += [np.array([2, 0, 2]), (np.array([[0], [2]]), np.array([1, 1])), (slice(None), np.array([1, 0]))]
_MASK = np.array([True, False, True])
_COMPARED = [Sample((real(3), real(3))), Sample((real(2, 1), 1.0))]
_MATRICES = [
    (real(2, 3), real(3, 4)),
    (real(5, 2, 3), real(3, 2)),
    (real(2, 1, 2, 2), real(3, 2, 2)),
    (cplx(2, 2), cplx(2, 3)),
]
_AXES = [((0,), False), ((0, 1), False), ((1,), True), ((), False)]
_STACK = [np.array([1.0, 2.0]), np.array([3.0])]

SAMPLES: dict[str, list[Sample]] = {
    **{name: _binary() for name in ("add", "subtract", "multiply", "divide")},
    **{name: _unary() for name in ("negative", "positive", "sin", "cos", "exp", "tanh", "conjugate")},
    "maximum": [Sample((real(3), real(3))), Sample((real(2, 3), 0.1)), Sample((real(3, 1), real(2)))],
    "where": [
        Sample((np.array([True, False, True]), real(3), real(3))),
        Sample((np.array([[True], [False]]), real(3), 2.0)),
        Sample((True, cplx(2), real(2))),
    ],
    "real": [Sample((cplx(3),)), Sample((real(2),))],
    "imag": [Sample((cplx(3),)), Sample((cplx(),))],
    "astype": [Sample((real(3),), {"dtype": np.dtype(complex)}), Sample((real(2),), {"dtype": np.dtype(np.float64)})],
    **{name: _COMPARED for name in ("less", "less_equal", "greater", "greater_equal", "equal", "not_equal")},
    "stop_gradient": [Sample((real(3),))],
    "sum": [Sample((real(3, 2),), {"axis": axis, "keepdims": keep}) for axis, keep in _AXES]
    + [Sample((cplx(3),), {"axis": (0,), "keepdims": False}), Sample((real(0, 2),), {"axis": (0,), "keepdims": False})],
    "sum_to": [Sample((real(3, 2), shape)) for shape in ((3, 2), (2,), (3, 1), (1, 1), ())],
    "reshape": [Sample((real(3, 2), shape)) for shape in ((6,), (2, 3), (1, 6, 1))] + [Sample((real(1), ()))],
    "transpose": [Sample((real(3, 2),), {"axes": (1, 0)}), Sample((cplx(2, 3, 4),), {"axes": (2, 0, 1)})],
    "broadcast_to": [Sample((real(3, 1), (2, 3, 2))), Sample((real(), (2,))), Sample((real(2), (2,)))],
    "size": [Sample((real(3, 2),), {"axis": 1, "offset": -1})],
    "matmul": [Sample(pair) for pair in _MATRICES],
    "getitem": [Sample((real(3, 2), index)) for index in _INDICES] + [Sample((real(3), np.array([True, False, True])))],
    "scatter": [Sample((np.ones((3, 2))[index] * real(), index, (3, 2))) for index in _INDICES],
    "add_at": [Sample((real(3, 2), index, np.ones((3, 2))[index] * real())) for index in _INDICES],
    "update": [Sample((real(3, 2), index, np.ones((3, 2))[index] * real())) for index in _INDICES]
    + [Sample((real(3, 2), 1, real())), Sample((cplx(3), slice(1, 3), real(2))), Sample((real(3), slice(0, 2), 1.0))]
    + [
        Sample((real(2, 3), 1, real(1, 1, 3))),
        Sample((real(3), _MASK, real(2))),
        Sample((cplx(2, 3), (_MASK[:2], 0), real())),
    ],
    "last_writes": [Sample((np.array([2, 0, 2]), (3,)))],
    "add_stacks": [Sample((_STACK, _STACK))],
    "zero_stack": [Sample((_STACK,))],
}

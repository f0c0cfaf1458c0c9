"""Samples of what moves elements, and of what picks them."""

from __future__ import annotations

import numpy as np

from samples.sample import Sample, cplx, real

_DIAGONALS = [(0, 0, 1), (1, 0, 1), (-2, 0, 1), (5, 1, 0)]
_COLUMN = np.array([[2], [0], [2]])
_ROW = np.array([[1, 0, -1, 1]])

SAMPLES = {
    "roll": [
        Sample((real(3, 2), (1,)), {"axis": (0,)}),
        Sample((cplx(2, 3), (-1, 5)), {"axis": (1, 0)}),
        Sample((real(0, 2), (1,)), {"axis": (1,)}),
    ],
    "diagonal": [
        Sample((real(3, 4),), {"offset": offset, "axis1": one, "axis2": other}) for offset, one, other in _DIAGONALS
    ]
    + [Sample((cplx(2, 3, 2),), {"offset": 0, "axis1": 2, "axis2": 0})],
    "from_diagonal": [
        Sample((real(3), (3, 4)), {"offset": 1, "axis1": 0, "axis2": 1}),
        Sample((cplx(3, 2), (2, 3, 2)), {"offset": 0, "axis1": 2, "axis2": 0}),
        Sample((real(0), (3, 4)), {"offset": 5, "axis1": 0, "axis2": 1}),
    ],
    **{name: [Sample((real(3, 4),), {"k": 1}), Sample((cplx(2, 3, 3),), {"k": -1})] for name in ("tril", "triu")},
    "take_along_axis": [
        Sample((real(3, 2), _COLUMN[:, 0].repeat(2).reshape(3, 2)), {"axis": 0}),
        Sample((real(3, 2), _ROW), {"axis": 1}),
        Sample((cplx(4), np.array([3, 0, -1])), {"axis": 0}),
        Sample((real(1, 2), np.array([[1], [0], [1]])), {"axis": 1}),
    ],
    "add_along_axis": [
        Sample((real(3, 2), _COLUMN[:, 0].repeat(2).reshape(3, 2), (3, 2)), {"axis": 0}),
        Sample((real(3, 4), _ROW, (3, 2)), {"axis": 1}),
        Sample((cplx(3), np.array([3, 0, -1]), (4,)), {"axis": 0}),
    ],
    "sliding_window_view": [
        Sample((real(5, 2),), {"length": 3, "axis": 0}),
        Sample((cplx(2, 3),), {"length": 1, "axis": 1}),
        Sample((real(2, 2, 1),), {"length": 2, "axis": 1}),
    ],
    "add_windows": [
        Sample((real(3, 2, 3), (5, 2)), {"length": 3, "axis": 0}),
        Sample((cplx(2, 3, 2), (2, 4)), {"length": 2, "axis": 1}),
    ],
    "argwhere": [Sample((np.array([[0.0, 2.0], [3.0, 0.0]]),))],
    "argsort": [Sample((real(3, 4),), {"axis": 1, "kind": None}), Sample((real(5),), {"axis": 0, "kind": "stable"})],
    "argpartition": [Sample((real(3, 4),), {"kth": (2,), "axis": 1})],
    "partition_order": [
        Sample((real(3, 4),), {"kth": (2,), "axis": 1}),
        Sample((real(50),), {"kth": (3, 9), "axis": 0}),
    ],
    "unique_places": [
        Sample((np.array([3, 1, 3, 2, 1]),), {"axis": None, "equal_nan": True}),
        Sample((np.array([[3, 1], [3, 1], [2, 1]]),), {"axis": 0, "equal_nan": True}),
    ],
    "lexsort": [Sample((np.array([1, 0, 1]), np.array([0.5, 0.5, 0.0])), {"axis": -1})],
    "repeat_places": [Sample((np.array([2, 0, 1]),))],
    "extreme_places": [
        Sample((np.array([[1.0, 3.0, 3.0], [2.0, 0.0, 5.0]]),), {"largest": True, "axis": 1}),
        Sample((real(4, 2),), {"largest": False, "axis": 0}),
    ],
    "digitize": [
        Sample((real(2, 3), np.array([-1.0, 0.0, 1.0])), {"right": False}),
        Sample((real(3), np.array([1.0, 0.0, -1.0])), {"right": True}),
    ],
    "histogram_counts": [
        Sample((real(9), np.linspace(-2, 2, 5)), {"even": True}),
        Sample((real(9), np.array([-2.0, 0.0, 0.5, 2.0])), {"even": False}),
    ],
    "searchsorted": [
        Sample((np.array([0.5, 1.0, 2.0]), real(2, 2)), {"side": "left"}),
        Sample((np.array([0.5, 1.0, 2.0]), 1.0), {"side": "right"}),
    ],
}

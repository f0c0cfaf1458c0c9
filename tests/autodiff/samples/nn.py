"""Samples of what networks are made of."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from retrograde.rules.nn.windows import Windows
from samples.sample import Sample, cplx, real


def _sliding(strides: Any, padding: Any, dilation: Any, groups: int = 1) -> dict[str, Any]:
    return {"strides": strides, "padding": padding, "dilation": dilation, "groups": groups}


# Shapes of the input, the kernels and the result.
_CONVOLUTIONS = [
    ((2, 1, 5), (3, 1, 2), (2, 3, 4), _sliding((1,), ((0, 0),), (1,))),
    ((1, 2, 6, 5), (2, 2, 3, 2), (1, 2, 3, 2), _sliding((2, 2), ((1, 1), (0, 1)), (1, 2))),
    ((2, 4, 3, 4), (2, 2, 2, 2), (2, 2, 4, 3), _sliding((1, 1), ((1, 1), (0, 0)), (1, 1), 2)),
    ((1, 1, 3, 2, 3), (2, 1, 2, 1, 2), (1, 2, 2, 2, 3), _sliding((1, 1, 1), ((0, 0), (0, 0), (0, 1)), (1, 1, 1))),
]

_LOGISTIC = ("sigmoid", "log_sigmoid", "normal_cdf")
_ACTIVATED = [Sample((real(3, 2),)), Sample((real(),)), Sample((real(0, 2),))]
_LINE = Windows((2,), (2,), ((0, 0),), (1,))
_OVERLAPPING = Windows((3, 2), (1, 2), ((1, 1), (0, 1)), (1, 1))
_DILATED = Windows((2, 2), (2, 1), ((0, 0), (0, 0)), (2, 1), True)
# Windows, and the shapes of the input and the result.
_POOLS = [(_LINE, (2, 4), (2, 2)), (_OVERLAPPING, (1, 4, 3), (1, 4, 2)), (_DILATED, (2, 4, 3), (2, 2, 2))]


def _place(windows: Windows, shape: tuple[int, ...]) -> Any:
    return np.random.default_rng(5).integers(np.prod(windows.kernel), size=shape, dtype=np.uint8)


def _distinct(*shape: int) -> Any:
    return np.random.default_rng(5).permutation(np.arange(float(np.prod(shape)))).reshape(shape)


_NORMALIZED = [((1,), True), ((0,), False), ((0, 1), True)]
_EPSILON = {"epsilon": 0.01}

SAMPLES: dict[str, list[Sample]] = {
    **{name: _ACTIVATED for name in ("relu", "gelu", "gelu_tanh", "silu", "softplus", "mish", *_LOGISTIC)},
    "elu": [Sample((real(3, 2),), {"alpha": 0.7})],
    "logistic_loss": [Sample((real(3, 2), real(3, 2))), Sample((real(), real()))],
    "max_pool": [Sample((_distinct(*x),), {"windows": windows}) for windows, x, _ in _POOLS],
    "pick_windows": [Sample((real(*x), _place(windows, y)), {"windows": windows}) for windows, x, y in _POOLS],
    "scatter_windows": [Sample((real(*y), _place(windows, y), x), {"windows": windows}) for windows, x, y in _POOLS],
    "avg_pool": [
        Sample((real(*x),), {"windows": windows, "count_padding": count})
        for windows, x, _ in _POOLS
        for count in (True, False)
    ],
    "spread_windows": [
        Sample((real(*y), x), {"windows": windows, "count_padding": count})
        for windows, x, y in _POOLS
        for count in (True, False)
    ],
    "normalize": [
        Sample((real(3, 4),), {"axis": axis, "centered": centered, **_EPSILON}) for axis, centered in _NORMALIZED
    ],
    "dropout": [Sample((real(3, 4), 3), {"rate": 0.5}), Sample((cplx(3), 4), {"rate": 0.3})],
    "convolution": [Sample((real(*x), real(*w)), static) for x, w, _, static in _CONVOLUTIONS]
    + [Sample((cplx(1, 1, 3), cplx(1, 1, 2)), _sliding((1,), ((0, 0),), (1,)))],
    "convolution_to_inputs": [Sample((real(*y), real(*w), x), static) for x, w, y, static in _CONVOLUTIONS]
    + [Sample((cplx(1, 1, 2), cplx(1, 1, 2), (1, 1, 3)), _sliding((1,), ((0, 0),), (1,)))],
    "convolution_to_kernels": [Sample((real(*x), real(*y), w), static) for x, w, y, static in _CONVOLUTIONS]
    + [Sample((cplx(1, 1, 3), cplx(1, 1, 2), (1, 1, 2)), _sliding((1,), ((0, 0),), (1,)))],
}

_NO_COMPLEX_STEP = {"relu", "normal_cdf", "gelu", "log_sigmoid", "softplus", "mish", "elu", "logistic_loss", "max_pool"}
SAMPLES |= {name: [replace(case, analytic=False) for case in SAMPLES[name]] for name in _NO_COMPLEX_STEP}

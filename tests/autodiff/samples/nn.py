"""Samples of what networks are made of."""

from __future__ import annotations

from typing import Any

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

SAMPLES: dict[str, list[Sample]] = {
    "convolution": [Sample((real(*x), real(*w)), static) for x, w, _, static in _CONVOLUTIONS]
    + [Sample((cplx(1, 1, 3), cplx(1, 1, 2)), _sliding((1,), ((0, 0),), (1,)))],
    "convolution_to_inputs": [Sample((real(*y), real(*w), x), static) for x, w, y, static in _CONVOLUTIONS]
    + [Sample((cplx(1, 1, 2), cplx(1, 1, 2), (1, 1, 3)), _sliding((1,), ((0, 0),), (1,)))],
    "convolution_to_kernels": [Sample((real(*x), real(*y), w), static) for x, w, y, static in _CONVOLUTIONS]
    + [Sample((cplx(1, 1, 3), cplx(1, 1, 2), (1, 1, 2)), _sliding((1,), ((0, 0),), (1,)))],
}

"""Samples of what joins arrays."""

from __future__ import annotations

from samples.sample import Sample, cplx, real

SAMPLES = {
    "stack": [
        Sample((real(3, 2), real(3, 2)), {"axis": 0}),
        Sample((real(2), cplx(2), real(2)), {"axis": 1}),
        Sample((real(), real()), {"axis": 0}),
        Sample((real(0, 2),), {"axis": 1}),
    ],
    "concatenate": [
        Sample((real(3, 2), real(1, 2)), {"axis": 0}),
        Sample((real(2, 1), real(2, 0), cplx(2, 3)), {"axis": 1}),
        Sample((real(4),), {"axis": 0}),
    ],
}

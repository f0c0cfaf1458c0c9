"""Samples of masks."""

from __future__ import annotations

import numpy as np

from samples.sample import Sample, cplx, real

SAMPLES = {
    "masked": [
        Sample((real(3, 2), np.array([[True, False], [False, True], [True, True]]))),
        Sample((real(3, 1), np.array([True, False]))),
        Sample((cplx(3), np.array([True, False, True]))),
        Sample((real(), np.True_)),
    ],
}

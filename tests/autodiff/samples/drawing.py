"""Samples of what makes arrays of shapes alone, and of random numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from retrograde.rules.random import state_of
from samples.sample import Sample

_STATE = state_of(np.random.default_rng(3))
_PCG: dict[str, Any] = {"kind": "PCG64"}


def _plain(out: Any) -> tuple[Any, ...]:
    """There is no operand that a program could have as an input."""
    return (out,)


SAMPLES: dict[str, list[Sample]] = {
    "arange": [
        Sample(((4,),), {"dtype": np.dtype(np.int64)}, _plain),
        Sample(((0,),), {"dtype": np.dtype(float)}, _plain),
    ],
    "eye": [Sample(((2, 3),), {"k": 1, "dtype": np.dtype(float)}, _plain)],
    "random_numbers": [
        Sample((_STATE, (2, 3)), {"method": "standard_normal", "dtype": np.dtype(float), **_PCG}),
        Sample((_STATE, ()), {"method": "random", "dtype": np.dtype(np.float32), **_PCG}),
        Sample(
            (state_of(np.random.Generator(np.random.PCG64DXSM(1))), (2,)),
            {"method": "standard_exponential", "dtype": np.dtype(float), "kind": "PCG64DXSM"},
        ),
    ],
    "random_integers": [Sample((_STATE, 2, 9, (4,)), {"endpoint": False, "dtype": np.dtype(np.int64), **_PCG})],
    "random_permutation": [Sample((_STATE, (5,)), _PCG)],
    "random_choice": [
        Sample((_STATE, 5, (3,)), {"replace": False, "shuffle": True, **_PCG}),
        Sample((_STATE, 5, ()), {"replace": True, "shuffle": True, **_PCG}),
    ],
    "random_weighted_choice": [
        Sample((_STATE, 3, np.array([0.25, 0.5, 0.25]), (4,)), {"replace": True, "shuffle": True, **_PCG})
    ],
    "random_state": [Sample((np.int64(5),))],
}

"""Exponentials and logarithms of compiled code, against NumPy in 80 bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from retrograde.python.compiling import compile_text
from retrograde.python.nests.elements.elementary import ELEMENTARY

RANGES = {
    "exp": (-740.0, 709.0),
    "expm1": (-60.0, 60.0),
    "log": (1e-300, 40.0),
    "log1p": (-0.99, 40.0),
    "tanh": (-21.0, 21.0),
}
SPECIAL = [0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, 709.78, 710.0, -744.4, -746.0, 1e-300, -1e-300, 5e-324, 1e300]
SPECIAL += [-1e300, 1e-5, -1e-5, 1e16, 3e-17, -49.9, -50.1, 19.9, 20.1]


@pytest.fixture(scope="module")
def compiled() -> Any:
    loops = [
        f"def each_{name}(x, y):\n    for k in range(x.size):\n        y[k] = fast_{name}(x[k])" for name in RANGES
    ]
    text = "\n\n".join(["import numpy as np", *ELEMENTARY.values(), *loops])
    return compile_text(text, [*ELEMENTARY, *(f"each_{name}" for name in RANGES)])


@pytest.mark.parametrize("name", RANGES)
def test_they_err_by_three_units_in_the_last_place(name: str, compiled: Any) -> None:
    draw = np.random.default_rng(0)
    x = draw.uniform(*RANGES[name], 20_000)
    x[10_000:] *= draw.uniform(0.0, 1.0, 10_000) ** 8
    y = np.empty_like(x)
    getattr(compiled, f"each_{name}")(x, y)
    exact = getattr(np, name)(x.astype(np.longdouble))
    assert np.max(np.abs(y - exact) / np.spacing(np.abs(exact.astype(np.float64)))) <= 3.0


@pytest.mark.parametrize("name", RANGES)
def test_special_values_are_numpys(name: str, compiled: Any) -> None:
    x = np.array(SPECIAL)
    y = np.empty_like(x)
    getattr(compiled, f"each_{name}")(x, y)
    with np.errstate(all="ignore"):
        wanted = getattr(np, name)(x)
    np.testing.assert_array_max_ulp(y[np.isfinite(wanted)], wanted[np.isfinite(wanted)], 4)
    rest = ~np.isfinite(wanted)
    np.testing.assert_array_equal(y[rest], wanted[rest])
    assert np.array_equal(np.signbit(y[wanted == 0.0]), np.signbit(wanted[wanted == 0.0]))

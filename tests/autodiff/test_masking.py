"""Masks by bits give what `np.where` gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from retrograde.rules.elementwise.masking import masked_bits


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.complex64, np.complex128, np.longdouble])
@pytest.mark.parametrize("size", [10, 5000])
def test_a_large_array_is_masked_by_its_bits(dtype: Any, size: int) -> None:
    random = np.random.default_rng(0)
    x = random.standard_normal((size, 2)).astype(dtype)
    x[::7] = np.inf
    x[::5] = np.nan
    x[::3] = -0.0
    condition = random.random((size, 2)) > 0.5
    for array, chosen in [(x, condition), (x[::2, ::-1], condition[::2]), (x.T, condition.T), (x, condition[:, :1])]:
        found = masked_bits(array, chosen)
        np.testing.assert_array_equal(found, np.where(chosen, array, dtype(0)))
        assert found.dtype == dtype
        assert not np.signbit(np.real(found)[~np.broadcast_to(chosen, array.shape)]).any()
    assert not np.shares_memory(masked_bits(x, condition), x)

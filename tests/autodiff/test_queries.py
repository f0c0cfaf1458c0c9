"""What arrays under differentiation say of themselves: plain answers, as NumPy's arrays give them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import retrograde as rg
from retrograde.program import ProgramBuilder

X = np.arange(6.0, dtype=np.float32).reshape(2, 3)

_ASKED: dict[str, Callable[[Any], Any]] = {
    "size": lambda x: (x.size, np.size(x), np.size(x, 1), np.size(x, (0, -1))),
    "shape": lambda x: (x.shape, x.ndim, np.shape(x), np.ndim(x), len(x)),
    "bytes": lambda x: (x.nbytes, x.itemsize, x[0].nbytes),
    "result_type": lambda x: (np.result_type(x, np.float64), np.result_type(x, 1.0), np.result_type(x)),
    "common_type": lambda x: (np.common_type(x, x), np.common_type(x, np.ones(1))),
    "can_cast": lambda x: (np.can_cast(x.dtype, np.float16), np.can_cast(x.dtype, x.dtype), np.can_cast(x, np.float64)),
    "format": lambda x: (f"{x[1, 2]:.3f}", f"{np.sum(x):>9.2e}", f"{x[0, 1]:g}"),
    "tril_indices_from": lambda x: [part.tolist() for part in np.tril_indices_from(x, -1)],
    "triu_indices_from": lambda x: [part.tolist() for part in np.triu_indices_from(x, 1)],
    "diag_indices_from": lambda x: [part.tolist() for part in np.diag_indices_from(x[:, :2])],
    "isin": lambda x: np.isin(x, [1.0, 4.0]).tolist(),
}


@pytest.mark.parametrize("asked", list(_ASKED.values()), ids=list(_ASKED))
def test_the_answer_is_numpys(asked: Callable[[Any], Any]) -> None:
    with rg.GradientTape() as tape:
        assert asked(tape.watch(X)) == asked(X)
        with rg.GradientTape() as inner:
            assert asked(inner.watch(tape.watch(X))) == asked(X)


def test_a_symbol_is_formatted_by_its_name() -> None:
    x = ProgramBuilder("f").input("x", "float64")
    assert f"{x}" == "symbol(x: float64)"
    assert f"{x:>20}" == "  symbol(x: float64)"

"""Systems with banded matrices: those of differential equations in one dimension.

A banded matrix is held as SciPy holds it: row `upper + i - j` and column j have the element (i, j).
"""

# Rules are lambdas over anything that speaks NumPy's protocols: there is nothing for a type checker to know.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportMissingTypeStubs=false

from __future__ import annotations

import numpy as np

from retrograde.program.primitive import Array, Primitive
from retrograde.program.types import ArrayType
from retrograde.rules.elementwise.declaring import conj
from retrograde.rules.linalg.matrices import float_dtype


def _shifted(x: Array, by: int) -> Array:
    """Element j + by of a vector at j, and zeros where there is none."""
    if not by:
        return x
    zeros = np.zeros_like(x, shape=(abs(by), *x.shape[1:]))
    return np.concatenate([x[by:], zeros] if by > 0 else [zeros, x[:by]])


def _adjoint(ab: Array, lower: int, upper: int) -> Array:
    return np.stack([conj(_shifted(ab[upper - below], below)) for below in range(-lower, upper + 1)])


def _solve(ab: Array, b: Array, lower: int, upper: int) -> Array:
    from scipy.linalg import solve_banded

    return solve_banded((lower, upper), ab, b)


def _outer_bands(g: Array, x: Array, lower: int, upper: int) -> Array:
    """The bands of the matrix `g @ x^H`."""
    return np.stack([np.sum(_shifted(g, below) * conj(x), axis=1) for below in range(-upper, lower + 1)])


def _times(ab: Array, x: Array, lower: int, upper: int) -> Array:
    bands = (_shifted(ab[upper + below][:, None] * x, -below) for below in range(-upper, lower + 1))
    return sum(bands, np.zeros_like(x))


solve_banded = Primitive(
    "solve_banded",
    _solve,
    ("ab", "b"),
    static=("lower", "upper"),
    result=lambda ab, b, lower, upper: ArrayType(float_dtype(ab, b), b.sizes),
    reverse={
        "ab": lambda g, ab, out, lower, upper: _outer_bands(
            -solve_banded(_adjoint(ab, lower, upper), g, lower=upper, upper=lower), out, lower, upper
        ),
        "b": lambda g, ab, lower, upper: solve_banded(_adjoint(ab, lower, upper), g, lower=upper, upper=lower),
    },
    forward={
        "ab": lambda d, ab, out, lower, upper: solve_banded(ab, -_times(d, out, lower, upper), lower=lower, upper=upper)
    },
    linear=("b",),
)
"""Solves for a matrix of right-hand sides."""

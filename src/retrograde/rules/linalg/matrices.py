"""What rules for matrices are made of: adjoints, triangles, elementwise quotients off the diagonal.

Matrices are the last two axes of an array; those before are a batch.
"""

# Rules are lambdas over anything that speaks NumPy's protocols: there is nothing for a type checker to know.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

from typing import Any

import numpy as np

from retrograde.errors import UnsupportedError
from retrograde.program.primitive import Array, Primitive
from retrograde.program.types import ArrayType
from retrograde.rules.elementwise.declaring import conj
from retrograde.rules.type_rules import always, dtype_of


def float_dtype(*operands: Any) -> np.dtype[Any]:
    """The dtype of what numpy.linalg makes of operands: integers count as float64."""
    dtypes = (operand.dtype for operand in operands)
    return np.result_type(*(dtype if dtype.kind in "fc" else np.float64 for dtype in dtypes))


def real_dtype(*operands: Any) -> np.dtype[Any]:
    """The real dtype of the same precision."""
    return np.real(np.zeros((), float_dtype(*operands))).dtype


def total(*shares: Array | None) -> Array:
    """The sum of those shares that are there: of a primitive with several results, some have no cotangent."""
    there: list[Array] = [share for share in shares if share is not None]
    return sum(there[1:], there[0])


def transposed(x: Array) -> Array:
    """The transposes of matrices."""
    return np.transpose(x, (*range(x.ndim - 2), x.ndim - 1, x.ndim - 2))


def adjoint(x: Array) -> Array:
    """The conjugate transposes of matrices."""
    return transposed(conj(x))


def _half_triangle(x: Array, lower: bool) -> Array:
    out = np.tril(x) if lower else np.triu(x)
    np.einsum("...ii->...i", out)[...] *= 0.5
    return out


half_triangle = Primitive(
    "half_triangle",
    _half_triangle,
    ("x",),
    static=("lower",),
    result=lambda x, lower: x,
    reverse={"x": lambda g, lower: half_triangle(g, lower=lower)},
    linear=("x",),
)
"""A triangle of matrices with half the diagonal: of a Hermitian matrix, what its sum with its adjoint is."""


def half(x: Array, lower: bool = True) -> Array:
    """The lower or upper triangle with half the diagonal."""
    return half_triangle(x, lower=lower)


def from_triangle(x: Array, lower: bool = True) -> Array:
    """The Hermitian matrix that a triangle stands for. The diagonal's imaginary part is not read."""
    part = half(x, lower)
    return part + adjoint(part)


def to_triangle(g: Array, lower: bool = True) -> Array:
    """The transpose of `from_triangle`: a cotangent of the Hermitian matrix as one of its triangle."""
    return half(g + adjoint(g), lower)


def _quotient(x: Array, y: Array, diagonal: bool) -> Array:
    x, y = np.broadcast_arrays(x, y)
    undefined = y == 0
    out = np.divide(x, np.where(undefined, y.dtype.type(1.0), y))
    if not diagonal:
        np.einsum("...ii->...i", out)[...] = 0.0
        np.einsum("...ii->...i", undefined)[...] = False
    if undefined.any():
        out[undefined] = np.where(x[undefined] == 0, 0.0, np.nan)
    return out


quotient = Primitive(
    "quotient",
    _quotient,
    ("x", "y"),
    static=("diagonal",),
    result=lambda x, y, diagonal: ArrayType(dtype_of(x, y), x.sizes),
    reverse={
        "x": lambda g, y, diagonal: quotient(g, conj(y), diagonal=diagonal),
        "y": lambda g, y, out, diagonal: -g * conj(quotient(out, y, diagonal=diagonal)),
    },
    forward={"y": lambda d, y, out, diagonal: -d * quotient(out, y, diagonal=diagonal)},
    linear=("x",),
    elementwise=True,
)
"""`x / y` of arrays of one shape, where `0 / 0` is 0, and anything else by 0 is NaN; the diagonal is 0 if it is not
asked for.

It divides by what is between eigenvalues: where two are equal, only what does not ask for the difference of their
vectors has a derivative.
"""


def over_gaps(x: Array, gaps: Array) -> Array:
    """Matrices divided by the differences of eigenvalues; the diagonal is 0."""
    return quotient(x, gaps, diagonal=False)


def gaps(values: Array) -> Array:
    """At row i and column j, value j minus value i."""
    return values[..., None, :] - values[..., :, None]


def beyond_rounding(part: Array, whole: Array) -> bool:
    """Whether a part of cotangents that should be zero is more than rounding, also where all of them nearly cancel."""
    eps = float(np.finfo(whole.dtype).eps)
    return bool(whole.size) and np.abs(part).max() > max(eps ** (1 / 3) * np.abs(whole).max(), eps**0.5)


def _checked(x: Array, of: str) -> Array:
    if x.dtype.kind == "c" and beyond_rounding(np.einsum("...ii->...i", x).imag, x):
        raise UnsupportedError(
            f"a gradient was asked for of something that depends on the phases of the {of}, which are arbitrary; "
            "make it of what has no phase (np.abs of a vector, v * np.conj(v), v @ f(values) @ v^H, the values)"
        )
    return x


free_of_phases = Primitive(
    "free_of_phases",
    _checked,
    ("x",),
    static=("of",),
    result=lambda x, of: x,
    reverse={"x": lambda g: g},
    forward={"x": lambda d: d},
    views=always,
    elementwise=True,
)
"""Its operand, the products of complex vectors with their cotangents: an error if these say that a phase matters."""

"""Products that are made of contractions: kron, cross, trace, powers and chains of matrices."""

# Rules are lambdas over anything that speaks NumPy's protocols: there is nothing for a type checker to know.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from retrograde.errors import UsageError
from retrograde.program.array_like import ArrayLike
from retrograde.program.primitive import Array, Primitive
from retrograde.program.spelling import spells
from retrograde.program.types import ArrayType
from retrograde.rules.contraction.matmul import as_array, einsum, letters
from retrograde.rules.shapes.diagonals import from_diagonal


def _trace_type(x: ArrayType, offset: int, axis1: int, axis2: int) -> ArrayType:
    sizes = tuple(size for at, size in enumerate(x.sizes) if at not in (axis1, axis2))
    return ArrayType(np.trace(np.zeros((1, 1), x.dtype)).dtype, sizes)


trace = Primitive(
    "trace",
    lambda x, offset, axis1, axis2: np.trace(x, offset, axis1, axis2),
    ("x",),
    static=("offset", "axis1", "axis2"),
    result=_trace_type,
    reverse={
        "x": lambda g, x_shape, offset, axis1, axis2: from_diagonal(
            g[..., None], x_shape, offset=offset, axis1=axis1, axis2=axis2
        )
    },
    linear=("x",),
)


@spells(np.trace)
def _trace(a: Array, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None) -> Array:
    axes = normalize_axis_index(axis1, a.ndim), normalize_axis_index(axis2, a.ndim)
    if axes[0] == axes[1]:
        raise UsageError(f"the trace over axes {axis1} and {axis2} was asked for, which are one; give two")
    return trace(a if dtype is None else np.astype(a, dtype), offset=int(offset), axis1=axes[0], axis2=axes[1])


@spells(np.linalg.trace)
def _trace_of_matrices(x: Array, /, *, offset: int = 0, dtype: Any = None) -> Array:
    return _trace(x, offset, -2, -1, dtype)


@spells(np.kron)
def _kron(a: Array, b: Array) -> Array:
    a, b = as_array(a), as_array(b)
    rank = max(a.ndim, b.ndim)
    labels = letters(a.ndim), letters(b.ndim, rank)
    padded = [" " * (rank - len(names)) + names for names in labels]
    pairs = "".join(one + other for one, other in zip(*padded, strict=True)).replace(" ", "")
    extents = [(1,) * (rank - x.ndim) + tuple(x.shape) for x in (a, b)]
    shape = tuple(one * other for one, other in zip(*extents, strict=True))
    return np.reshape(einsum(a, b, subscripts=f"{labels[0]},{labels[1]}->{pairs}"), shape)


@spells(np.cross)
def _cross(a: Array, b: Array, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Array:
    if axis is not None:
        axisa = axisb = axisc = axis
    one, other = _components(a, axisa), _components(b, axisb)
    if len(one) == len(other) == 2:
        return one[0] * other[1] - one[1] * other[0]
    return np.stack([_turn(one, other, at) for at in range(3)], axis=axisc)


def _components(x: Array, axis: int) -> list[Array]:
    x = np.moveaxis(as_array(x), axis, -1)
    # A size that only the run knows is taken for 3.
    count: Any = 3 if isinstance(x.shape[-1], ArrayLike) else x.shape[-1]
    if count not in (2, 3):
        raise UsageError(f"cross was given vectors of {count} components; it takes 3 (or 2: those of a plane)")
    return [x[..., at] for at in range(count)]


def _turn(x: list[Array], y: list[Array], at: int) -> Array:
    """A component of the cross product; what a vector of a plane does not have is zero."""
    second, third = (at + 1) % 3, (at + 2) % 3
    terms = [
        (x[one] * y[other], sign)
        for one, other, sign in ((second, third, 1), (third, second, -1))
        if one < len(x) and other < len(y)
    ]
    (term, sign), *others = terms
    term = term if sign > 0 else -term
    return term - others[0][0] if others else term


@spells(np.linalg.cross)
def _cross_of_three(x1: Array, x2: Array, /, *, axis: int = -1) -> Array:
    return _cross(x1, x2, axis=axis)


@spells(np.linalg.matrix_power)
def _matrix_power(a: Array, n: int) -> Array:
    if n != int(n):
        raise UsageError(f"matrix_power to the power of {n} was asked for; give an int")
    if n < 0:
        return _matrix_power(np.linalg.inv(a), -n)
    if n == 0:
        return from_diagonal(np.ones_like(a[..., 0]), a.shape, offset=0, axis1=a.ndim - 2, axis2=a.ndim - 1)
    square, power = a, None
    while n:
        if n & 1:
            power = square if power is None else np.matmul(power, square)
        n >>= 1
        square = np.matmul(square, square) if n else square
    return +a if power is a else power


@spells(np.linalg.multi_dot)
def _multi_dot(arrays: Any) -> Array:
    """The path of an einsum over a chain is the best order of multiplication."""
    chain = list(arrays)
    if len(chain) < 2:
        raise UsageError(f"multi_dot of {len(chain)} arrays; give two or more")
    ranks = [np.ndim(x) for x in chain]
    if any(rank != 2 for rank in ranks[1:-1]) or not {ranks[0], ranks[-1]} <= {1, 2}:
        raise UsageError(
            f"multi_dot of arrays with {ranks} axes; it takes matrices, and vectors in the first and the last place"
        )
    names = letters(len(chain) + 1)
    terms = [names[at : at + 2] for at in range(len(chain))]
    if ranks[0] == 1:
        terms[0] = names[1]
    if ranks[-1] == 1:
        terms[-1] = names[-2]
    out = names[0] * (ranks[0] == 2) + names[-1] * (ranks[-1] == 2)
    return np.einsum(f"{','.join(terms)}->{out}", *chain, optimize="dp" if len(chain) > 2 else False)

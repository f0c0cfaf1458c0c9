"""Contractions: sums of products over shared axes."""

# Rules are lambdas over anything that speaks NumPy's protocols: there is nothing for a type checker to know.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

import numpy as np

from retrograde.errors import UsageError
from retrograde.program.primitive import Array, Primitive
from retrograde.program.spelling import missing_rule, spells
from retrograde.program.types import ArrayType
from retrograde.rules.declaring import conj
from retrograde.rules.type_rules import broadcast_extents, dtype_of


def _adjoint(x: Array) -> Array:
    return np.transpose(conj(x), (*range(x.ndim - 2), x.ndim - 1, x.ndim - 2))


def _matmul_type(x: ArrayType, y: ArrayType) -> ArrayType:
    inner, other = x.sizes[-1], y.sizes[-2]
    if isinstance(inner, int) and isinstance(other, int) and inner != other:
        raise UsageError(f"matmul of {x} and {y}: the axes summed over have sizes {inner} and {other}; make them equal")
    batch = broadcast_extents(x.sizes[:-2], y.sizes[:-2])
    return ArrayType(dtype_of(x, y), (*batch, x.sizes[-2], y.sizes[-1]))


matmul = Primitive(
    "matmul",
    np.matmul,
    ("x", "y"),
    result=_matmul_type,
    reverse={"x": lambda g, y: np.matmul(g, _adjoint(y)), "y": lambda g, x: np.matmul(_adjoint(x), g)},
    linear=("x", "y"),
)


@spells(np.matmul)
def _matmul(x1: Array, x2: Array) -> Array:
    """A vector is a matrix of one row or column, whose axis the result does not have."""
    row, column = np.ndim(x1) == 1, np.ndim(x2) == 1
    out = matmul(x1[None, :] if row else x1, x2[:, None] if column else x2)
    if row:
        out = out[..., 0, :]
    return out[..., 0] if column else out


@spells(np.dot)
def _dot(a: Array, b: Array) -> Array:
    ranks = (np.ndim(a), np.ndim(b))
    if 0 in ranks:
        return np.multiply(a, b)
    if ranks[1] > 2:
        raise missing_rule(f"numpy.dot of arrays with {ranks[0]} and {ranks[1]} axes", (a, b))
    return _matmul(a, b)

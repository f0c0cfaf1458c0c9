"""Contractions: sums of products over shared axes.

Two primitives do all of them: `matmul` for matrices and batches of equal rank, `einsum` for everything else. Both use
BLAS, in the forward and the backward direction.
"""

# Rules are lambdas over anything that speaks NumPy's protocols: there is nothing for a type checker to know.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

from functools import lru_cache
from string import ascii_lowercase
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from retrograde.errors import UsageError
from retrograde.program.primitive import Array, Primitive
from retrograde.program.spelling import spells
from retrograde.program.types import ArrayType, Extent
from retrograde.rules.contraction.pairwise import contract, layout_of, unequal
from retrograde.rules.elementwise.declaring import conj
from retrograde.rules.linalg.matrices import adjoint
from retrograde.rules.type_rules import broadcast_extents, dtype_of


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
    reverse={"x": lambda g, y: np.matmul(g, adjoint(y)), "y": lambda g, x: np.matmul(adjoint(x), g)},
    linear=("x", "y"),
)


def _einsum_type(x: ArrayType, y: ArrayType, subscripts: str) -> ArrayType:
    layout = layout_of(subscripts)
    sizes: dict[str, Extent] = dict(zip(layout.x, x.sizes, strict=True))
    for label, extent in zip(layout.y, y.sizes, strict=True):
        found = sizes.setdefault(label, extent)
        if label in layout.contracted and isinstance(extent, int) and isinstance(found, int) and extent != found:
            raise unequal(x.sizes, y.sizes, subscripts, label, found, extent)
        if label in layout.shared:
            (sizes[label],) = broadcast_extents((found,), (extent,))
    return ArrayType(dtype_of(x, y), tuple(sizes[label] for label in layout.out))


@lru_cache(4096)
def _from_out(subscripts: str, other: str, wanted: str) -> str:
    """The contraction of the result's cotangent with one operand that makes the cotangent of the other."""
    layout = layout_of(subscripts)
    return f"{layout.out},{getattr(layout, other)}->{getattr(layout, wanted)}"


einsum = Primitive(
    "einsum",
    contract,
    ("x", "y"),
    static=("subscripts",),
    result=_einsum_type,
    reverse={
        "x": lambda g, y, subscripts: einsum(g, conj(y), subscripts=_from_out(subscripts, "y", "x")),
        "y": lambda g, x, subscripts: einsum(g, conj(x), subscripts=_from_out(subscripts, "x", "y")),
    },
    linear=("x", "y"),
)
"""A contraction of two operands, by subscripts such as `abc,cd->abd`.

No operand and no result has a label twice, a label of only one operand is in the result, and the axes that are summed
over have equal sizes. Of the axes that both operands and the result have, one may be of size 1.
"""


@lru_cache
def letters(count: int, after: int = 0) -> str:
    """That many labels."""
    return "".join(
        ascii_lowercase[at] if at < 26 else chr(at - 26 + ord("A")) if at < 52 else chr(at + 140)
        for at in range(after, after + count)
    )


def as_array(x: Any) -> Any:
    """An array or a number as something with a shape."""
    return x if hasattr(x, "dtype") else np.asarray(x)


@spells(np.matmul, np.linalg.matmul)
def _matmul(x1: Array, x2: Array) -> Array:
    x1, x2 = as_array(x1), as_array(x2)
    ranks = x1.ndim, x2.ndim
    if 0 in ranks:
        raise UsageError(f"matmul of arrays with {ranks[0]} and {ranks[1]} axes; numbers are multiplied with `*`")
    if ranks[0] == ranks[1] > 1:
        return matmul(x1, x2)
    return einsum(x1, x2, subscripts=_products(*ranks))


@lru_cache
def _products(x_rank: int, y_rank: int) -> str:
    """The subscripts of matmul."""
    batch = letters(max(x_rank, y_rank, 2) - 2)
    row, inner, column = letters(3, len(batch))
    x_batch, y_batch = (batch[len(batch) - max(rank - 2, 0) :] for rank in (x_rank, y_rank))
    row, column = row if x_rank > 1 else "", column if y_rank > 1 else ""
    return f"{x_batch}{row}{inner},{y_batch}{inner}{column}->{batch}{row}{column}"


@spells(np.dot)
def _dot(a: Array, b: Array) -> Array:
    a, b = as_array(a), as_array(b)
    if not a.ndim or not b.ndim:
        return np.multiply(a, b)
    if a.ndim == b.ndim == 2:
        return _in_dtype_of(a, b, matmul(a, b))
    return _in_dtype_of(
        a, b, einsum(a, b, subscripts=_summed_over(a.ndim, b.ndim, (a.ndim - 1,), (max(b.ndim - 2, 0),)))
    )


@spells(np.inner)
def _inner(a: Array, b: Array, /) -> Array:
    a, b = as_array(a), as_array(b)
    if not a.ndim or not b.ndim:
        return np.multiply(a, b)
    return _in_dtype_of(a, b, einsum(a, b, subscripts=_summed_over(a.ndim, b.ndim, (a.ndim - 1,), (b.ndim - 1,))))


@spells(np.tensordot, np.linalg.tensordot)
def _tensordot(a: Array, b: Array, axes: Any = 2) -> Array:
    a, b = as_array(a), as_array(b)
    if isinstance(axes, (int, np.integer)):
        count = int(axes)
        a_axes, b_axes = tuple(range(a.ndim - count, a.ndim)), tuple(range(count))
    else:
        of_a, of_b = axes
        a_axes, b_axes = normalize_axis_tuple(of_a, a.ndim), normalize_axis_tuple(of_b, b.ndim)
    if len(a_axes) != len(b_axes):
        raise UsageError(f"tensordot over {len(a_axes)} axes of one array and {len(b_axes)} of the other; name as many")
    return _in_dtype_of(a, b, einsum(a, b, subscripts=_summed_over(a.ndim, b.ndim, a_axes, b_axes)))


def _in_dtype_of(a: Array, b: Array, product: Array) -> Array:
    """NumPy's matmul makes float32 of bfloat16, its dot does not."""
    return product if a.dtype.isbuiltin == 1 else product.astype(np.result_type(a.dtype, b.dtype))


@lru_cache(1024)
def _summed_over(a_rank: int, b_rank: int, a_axes: tuple[int, ...], b_axes: tuple[int, ...]) -> str:
    """The sum of products over pairs of axes; the others stay in order, those of `a` first."""
    a_labels, b_labels = letters(a_rank), list(letters(b_rank, a_rank))
    for mine, other in zip(a_axes, b_axes, strict=True):
        b_labels[other] = a_labels[mine]
    kept = [label for label in a_labels if label not in b_labels]
    kept += [label for label in b_labels if label not in a_labels]
    return f"{a_labels},{''.join(b_labels)}->{''.join(kept)}"


def _flat(x: Any) -> Array:
    x = as_array(x)
    return x if x.ndim == 1 else np.ravel(x)


@spells(np.outer)
def _outer(a: Array, b: Array) -> Array:
    return einsum(_flat(a), _flat(b), subscripts="a,b->ab")


@spells(np.linalg.outer)
def _linalg_outer(x1: Array, x2: Array, /) -> Array:
    if np.ndim(x1) != 1 or np.ndim(x2) != 1:
        raise UsageError(
            f"linalg.outer takes vectors, and got arrays with {np.ndim(x1)} and {np.ndim(x2)} axes; "
            "np.outer flattens them"
        )
    return _outer(x1, x2)


@spells(np.vdot)
def _vdot(a: Array, b: Array, /) -> Array:
    return einsum(conj(_flat(a)), _flat(b), subscripts="a,a->")


def _vecdot(x1: Array, x2: Array) -> Array:
    return _batched(conj(as_array(x1)), as_array(x2), 1, 1, "a,a->")


def _matvec(x1: Array, x2: Array) -> Array:
    return _batched(as_array(x1), as_array(x2), 2, 1, "ab,b->a")


def _vecmat(x1: Array, x2: Array) -> Array:
    return _batched(conj(as_array(x1)), as_array(x2), 1, 2, "a,ab->b")


def _batched(x: Array, y: Array, x_core: int, y_core: int, subscripts: str) -> Array:
    """A contraction of the last axes, the others broadcast together."""
    if x.ndim < x_core or y.ndim < y_core:
        raise UsageError(
            f"a product of {_CORES[x_core]} and {_CORES[y_core]} was asked for of arrays with {x.ndim} and {y.ndim} "
            "axes; give an axis for each"
        )
    ranks = x.ndim - x_core, y.ndim - y_core
    batch = letters(max(ranks), 2)
    x_batch, y_batch = (batch[len(batch) - rank :] for rank in ranks)
    operands, out = subscripts.split("->")
    one, other = operands.split(",")
    return einsum(x, y, subscripts=f"{x_batch}{one},{y_batch}{other}->{batch}{out}")


_CORES = {1: "vectors", 2: "matrices"}

for _name, _product in (("vecdot", _vecdot), ("matvec", _matvec), ("vecmat", _vecmat)):
    if hasattr(np, _name):  # matvec and vecmat came with NumPy 2.2
        spells(getattr(np, _name))(_product)


@spells(np.linalg.vecdot)
def _vecdot_along(x1: Array, x2: Array, /, *, axis: int = -1) -> Array:
    return _vecdot(np.moveaxis(x1, axis, -1), np.moveaxis(x2, axis, -1))

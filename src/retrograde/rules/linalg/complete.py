"""Complete decompositions: with the columns that make a basis of the whole space of those of QR or SVD.

These are any basis of what is orthogonal to the others. Only what does not depend on the choice has a gradient: the
projector on all of them, or what the one column makes that a real matrix may have.
"""

# Rules are lambdas over anything that speaks NumPy's protocols: there is nothing for a type checker to know.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

import numpy as np

from retrograde.errors import UnsupportedError
from retrograde.program.primitive import Array, Primitive
from retrograde.program.types import ArrayType
from retrograde.rules.linalg.matrices import adjoint, beyond_rounding, float_dtype, real_dtype, total
from retrograde.rules.linalg.singular import over_values, svd_forward, svd_reverse
from retrograde.rules.linalg.triangular import qr_forward, qr_reverse, solve_lower, solve_upper
from retrograde.rules.type_rules import always


def _checked(x: Array) -> Array:
    if beyond_rounding(x - np.conjugate(np.swapaxes(x, -1, -2)), x):
        raise UnsupportedError(
            "a gradient was asked for of something that depends on single columns of a complete basis, of which only "
            "what they span together is defined; make it of the projector on them (rest @ rest^H), or of what svd "
            'with full_matrices=False and qr with mode="reduced" give'
        )
    return x


free_of_turns = Primitive(
    "free_of_turns",
    _checked,
    ("x",),
    result=lambda x: x,
    reverse={"x": lambda g: g},
    forward={"x": lambda d: d},
    views=always,
    elementwise=True,
)
"""Its operand, the products of a basis with its cotangents: an error if these say that a turn of the basis matters."""


def _along(g: Array, rest: Array, u: Array) -> Array:
    """What of the cotangents of the rest turns it towards the columns of `u`."""
    checked = free_of_turns(np.matmul(adjoint(rest), g))
    return np.matmul(adjoint(g - np.matmul(rest, checked)), u)


# The rest moves as the others let it, and does not turn in itself: d(rest) = -u d(u)^H rest.


def _svd_reverse(g: tuple[Array | None, ...], u: Array, s: Array, vh: Array, rest: Array, form: str) -> Array:
    *of_others, of_rest = g
    others = None if all(part is None for part in of_others) else svd_reverse(tuple(of_others), u, s, vh, form)
    if of_rest is None:
        return total(others)
    if form == "tall":
        return total(others, -np.matmul(rest, np.matmul(over_values(_along(of_rest, rest, u), s), vh)))
    share = np.matmul(rest, np.matmul(over_values(_along(of_rest, rest, adjoint(vh)), s), adjoint(u)))
    return total(others, -adjoint(share))


def _svd_forward(d: Array, u: Array, s: Array, vh: Array, rest: Array, form: str) -> tuple[Array, ...]:
    if form == "tall":
        inner = over_values(np.matmul(adjoint(rest), np.matmul(d, adjoint(vh))), s)
        turned = np.matmul(u, adjoint(inner))
    else:
        inner = over_values(np.matmul(adjoint(rest), np.matmul(adjoint(d), u)), s)
        turned = np.matmul(adjoint(vh), adjoint(inner))
    return *svd_forward(d, u, s, vh, form), -turned


def _svd(a: Array, form: str) -> tuple[Array, ...]:
    u, s, vh = np.linalg.svd(a)
    count = s.shape[-1]
    if form == "tall":
        return u[..., :count], s, vh, u[..., count:]
    return u, s, vh[..., :count, :], adjoint(vh[..., count:, :])


def _svd_type(a: ArrayType, form: str) -> tuple[ArrayType, ...]:
    *batch, rows, columns = a.sizes
    dtype, (longer, shorter) = float_dtype(a), (rows, columns) if form == "tall" else (columns, rows)
    return (
        ArrayType(dtype, (*batch, rows, shorter)),
        ArrayType(real_dtype(a), (*batch, shorter)),
        ArrayType(dtype, (*batch, shorter, columns)),
        ArrayType(dtype, (*batch, longer, None)),
    )


complete_svd = Primitive(
    "complete_svd",
    _svd,
    ("a",),
    static=("form",),
    outputs=("u", "s", "vh", "rest"),
    result=_svd_type,
    reverse={"a": _svd_reverse},
    forward={"a": _svd_forward},
)
"""Of tall or wide matrices: the reduced decomposition, and the columns that the longer of the two bases lacks."""


def _qr_reverse(g: tuple[Array | None, ...], q: Array, r: Array, rest: Array) -> Array:
    *of_others, of_rest = g
    others = None if all(part is None for part in of_others) else qr_reverse(tuple(of_others), q, r)
    if of_rest is None:
        return total(others)
    return total(others, -np.matmul(rest, adjoint(solve_upper(r, adjoint(_along(of_rest, rest, q))))))


def _qr_forward(d: Array, q: Array, r: Array, rest: Array) -> tuple[Array, ...]:
    turned = np.matmul(q, solve_lower(adjoint(r), np.matmul(adjoint(d), rest)))
    return *qr_forward(d, q, r), -turned


def _qr(a: Array) -> tuple[Array, ...]:
    q, r = np.linalg.qr(a, "complete")
    count = a.shape[-1]
    return q[..., :count], r[..., :count, :], q[..., count:]


complete_qr = Primitive(
    "complete_qr",
    _qr,
    ("a",),
    outputs=("q", "r", "rest"),
    result=lambda a: (
        ArrayType(float_dtype(a), a.sizes),
        ArrayType(float_dtype(a), (*a.sizes[:-2], a.sizes[-1], a.sizes[-1])),
        ArrayType(float_dtype(a), (*a.sizes[:-1], None)),
    ),
    reverse={"a": _qr_reverse},
    forward={"a": _qr_forward},
)
"""Of tall matrices: the reduced decomposition, and the columns that Q lacks."""

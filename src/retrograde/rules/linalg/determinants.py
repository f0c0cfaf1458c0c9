"""Determinants."""

# Rules are lambdas over anything that speaks NumPy's protocols: there is nothing for a type checker to know.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np

from retrograde.program.primitive import Array, Primitive
from retrograde.program.spelling import spells
from retrograde.program.types import ArrayType
from retrograde.rules.elementwise.declaring import conj
from retrograde.rules.linalg.matrices import adjoint, float_dtype, real_dtype, total, transposed

_SlogdetResult: Any = type(np.linalg.slogdet(np.eye(1)))


def _of_number(x: Array) -> Array:
    return x[..., None, None]


det = spells(np.linalg.det)(
    Primitive(
        "det",
        np.linalg.det,
        ("a",),
        result=lambda a: ArrayType(float_dtype(a), a.sizes[:-2]),
        reverse={"a": lambda g, a, out: _of_number(g) * conj(cofactors(a, out))},
        forward={"a": lambda d, a, out: np.sum(cofactors(a, out) * d, axis=(-2, -1))},
    )
)


def _cofactors(a: Array, det: Array) -> Array:
    with suppress(np.linalg.LinAlgError):
        inverse = np.linalg.inv(a)
        sensitivity = np.abs(a).sum((-2, -1)) * np.abs(inverse).sum((-2, -1))
        if np.all(sensitivity < np.finfo(inverse.dtype).eps ** -0.5):
            return np.asarray(det)[..., None, None] * transposed(inverse)
    # Exact also for singular matrices, where the inverse is none: products of all singular values but one.
    u, s, vh = np.linalg.svd(a)
    ones = np.ones_like(s[..., :1])
    before = np.cumprod(np.concatenate([ones, s[..., :-1]], -1), -1)
    after = np.cumprod(np.concatenate([ones, s[..., :0:-1]], -1), -1)[..., ::-1]
    orientation = (np.linalg.det(u) * np.linalg.det(vh))[..., None, None]
    return orientation * np.conjugate(np.matmul(u * (before * after)[..., None, :], vh))


cofactors = Primitive(
    "cofactors",
    _cofactors,
    ("a", "det"),
    result=lambda a, det: ArrayType(float_dtype(a), a.sizes),
    reverse={
        "a": lambda g, a, out: -np.matmul(conj(out), np.matmul(transposed(g), adjoint(np.linalg.inv(a)))),
        "det": lambda g, a: np.sum(g * adjoint(np.linalg.inv(a)), axis=(-2, -1)),
    },
    forward={
        "a": lambda d, a, out: -np.matmul(transposed(np.linalg.inv(a)), np.matmul(transposed(d), out)),
        "det": lambda d, a: _of_number(d) * transposed(np.linalg.inv(a)),
    },
)
"""The derivative of a determinant, the transposed adjugate: determinant times transposed inverse, where there is one.

Its own derivative takes matrices that can be inverted.
"""


def _slogdet_type(a: ArrayType) -> tuple[ArrayType, ArrayType]:
    return ArrayType(float_dtype(a), a.sizes[:-2]), ArrayType(real_dtype(a), a.sizes[:-2])


def _slogdet_reverse(g: tuple[Array | None, ...], a: Array, sign: Array) -> Array:
    of_sign, of_logarithm = g
    turn = None if of_sign is None or sign.dtype.kind != "c" else np.imag(conj(sign) * of_sign) * 1j
    if turn is None and of_logarithm is None:
        return np.zeros_like(a)
    return _of_number(total(of_logarithm, turn)) * adjoint(np.linalg.inv(a))


def _slogdet_forward(d: Array, a: Array, sign: Array) -> tuple[Array, Array]:
    change = np.sum(transposed(np.linalg.inv(a)) * d, axis=(-2, -1))
    if sign.dtype.kind != "c":
        return np.zeros_like(sign), change
    return sign * np.imag(change) * 1j, np.real(change)


slogdet = Primitive(
    "slogdet",
    np.linalg.slogdet,
    ("a",),
    outputs=("sign", "logabsdet"),
    result=_slogdet_type,
    reverse={"a": _slogdet_reverse},
    forward={"a": _slogdet_forward},
)


@spells(np.linalg.slogdet)
def _slogdet(a: Array) -> Any:
    return _SlogdetResult(*slogdet(a))

"""How NumPy asks for decompositions: qr and svd, by the form of the matrices and of what is wanted."""

# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

from typing import Any

import numpy as np

from retrograde.errors import UnsupportedError
from retrograde.program.primitive import Array
from retrograde.program.spelling import spells
from retrograde.rules.linalg.complete import complete_qr, complete_svd
from retrograde.rules.linalg.matrices import adjoint
from retrograde.rules.linalg.singular import form_of, svd
from retrograde.rules.linalg.triangular import qr

_QRResult: Any = type(np.linalg.qr(np.eye(1)))
_SVDResult: Any = type(np.linalg.svd(np.eye(1)))


@spells(np.linalg.qr)
def _qr(a: Array, mode: str = "reduced") -> Any:
    if mode not in ("reduced", "complete", "r"):
        raise UnsupportedError(f'qr with mode={mode!r} has no derivative rule; "reduced", "complete" and "r" have one')
    form = form_of(a)
    if form == "any":
        raise UnsupportedError(
            "qr of a matrix whose sizes only the run knows; say them when the program is built, because the factors "
            "of wide and tall matrices are different ones"
        )
    if form == "wide":
        rows = a.shape[-2]
        q, left = qr(a[..., :rows])
        r = np.concatenate([left, np.matmul(adjoint(q), a[..., rows:])], axis=-1)
    elif form == "tall" and mode == "complete":
        q, r, rest = complete_qr(a)
        q = np.concatenate([q, rest], axis=-1)
        r = np.concatenate([r, np.zeros_like(a[..., r.shape[-2] :, :])], axis=-2)
    else:
        q, r = qr(a)
    return r if mode == "r" else _QRResult(q, r)


@spells(np.linalg.svd)
def _svd(a: Array, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False) -> Any:
    form = form_of(a)
    if hermitian:
        return _svd_of_hermitian(a, compute_uv)
    if not compute_uv:
        return svd(a, form=form)[1]
    if not full_matrices or form == "square":
        return _SVDResult(*svd(a, form=form))
    if form == "any":
        raise UnsupportedError(
            "svd with full_matrices=True of matrices whose sizes only the run knows; say full_matrices=False "
            "(compute_uv=False, if only the values count), or say the sizes when the program is built"
        )
    u, s, vh, rest = complete_svd(a, form=form)
    if form == "tall":
        return _SVDResult(np.concatenate([u, rest], axis=-1), s, vh)
    return _SVDResult(u, s, np.concatenate([vh, adjoint(rest)], axis=-2))


def _svd_of_hermitian(a: Array, compute_uv: bool) -> Any:
    """By eigenvalues, as NumPy does it: they are the singular values up to their signs and order."""
    values, vectors = np.linalg.eigh(a)
    sizes = np.absolute(values)
    order = np.argsort(sizes, axis=-1)[..., ::-1]
    s = np.take_along_axis(sizes, order, axis=-1)
    if not compute_uv:
        return s
    u = np.take_along_axis(vectors, order[..., None, :], axis=-1)
    signs = np.take_along_axis(np.sign(values), order, axis=-1)
    return _SVDResult(u, s, adjoint(u * signs[..., None, :]))

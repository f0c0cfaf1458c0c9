"""Samples of linear algebra: matrices far from singular, their eigenvalues far apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from samples.sample import Sample, cplx, real

_SOLVE = {"lower": True, "unit_diagonal": False}
_UNIT = {"lower": False, "unit_diagonal": True}


def _matrix(of: Callable[..., Any], *batch: int, rows: int = 3, columns: int = 3) -> Any:
    """Near a diagonal of 2, 4, 6 …, which are the eigenvalues and the singular values, more or less."""
    diagonal = np.zeros((rows, columns))
    np.fill_diagonal(diagonal, 2.0 * np.arange(1, min(rows, columns) + 1))
    return diagonal + 0.3 * of(*batch, rows, columns)


def _matrices(*, analytic: bool = True) -> list[Sample]:
    return [Sample((x,), analytic=analytic) for x in (_matrix(real), _matrix(real, 2), _matrix(cplx), real(0, 2, 2))]


def _shapes(static: dict[str, Any] | None = None) -> list[Sample]:
    arrays = [_matrix(real, rows=4), _matrix(real, columns=4), _matrix(cplx, 2, rows=2)]
    return [Sample((x,), static or {}, analytic=False) for x in arrays]


def _of_vectors(values: Any, vectors: Any) -> tuple[Any, ...]:
    """Projectors on each eigenvector."""
    return values, vectors[..., :, None, :] * np.conjugate(vectors)[..., None, :, :]


def _of_factors(u: Any, s: Any, vh: Any) -> tuple[Any, ...]:
    """The parts of the matrix that belong to each singular value, and its unitary factor."""
    return s, np.real(u * np.conjugate(u)), np.real(vh * np.conjugate(vh)), u @ vh


def _with_projector(*parts: Any) -> tuple[Any, ...]:
    """What is free of the phases of the factors and of turns of the rest."""
    *others, rest = parts
    sizes = (np.real(part * np.conjugate(part)) for part in others)
    return *sizes, rest @ np.conjugate(np.swapaxes(rest, -1, -2))


SAMPLES: dict[str, list[Sample]] = {
    "solve": [
        Sample((_matrix(real), real(3, 2))),
        Sample((_matrix(real, 2), real(3, 1))),
        Sample((_matrix(cplx), real(2, 3, 2))),
        Sample((_matrix(cplx), cplx(3))),
    ],
    "inv": _matrices(),
    "det": _matrices(),
    "cofactors": [Sample((*sample.operands, np.linalg.det(sample.operands[0]))) for sample in _matrices()],
    "slogdet": _matrices(analytic=False),
    "pinv": _shapes({"rcond": 1e-15}),
    "lstsq": [
        Sample((_matrix(real, rows=4), real(4, 2)), {"rcond": None}, analytic=False),
        Sample((_matrix(cplx, columns=4), cplx(3, 1)), {"rcond": 1e-10}),
    ],
    "matrix_rank": [Sample((np.ones((2, 3, 3)),), {"rtol": None, "tol": None, "hermitian": False})],
    "cholesky": [Sample((8.0 * np.eye(3) + x,), analytic=False) for x in (real(3, 3), real(2, 3, 3), cplx(3, 3))],
    "qr": [
        Sample((_matrix(of, *batch, rows=4),), analytic=False) for of, batch in ((real, ()), (real, (2,)), (cplx, ()))
    ],
    "solve_triangular": [
        Sample((_matrix(real), real(3, 2)), _SOLVE),
        Sample((_matrix(real, 2), real(3, 1)), _UNIT),
        Sample((_matrix(cplx), real(2, 3, 2)), _SOLVE),
    ],
    "eigh": [
        Sample((_matrix(real),), {"lower": True}, analytic=False),
        Sample((_matrix(real, 2),), {"lower": False}, analytic=False),
        Sample((_matrix(cplx),), {"lower": True}, _of_vectors),
    ],
    "eig": [
        Sample((_matrix(real),), analytic=False),
        Sample((_matrix(cplx, 2),)),
        Sample((np.array([[2.0, -3.0], [1.0, 4.0]]),), analytic=False),
    ],
    "pivots": [Sample((_matrix(real),))],
    "svd": [
        Sample((_matrix(real),), {"form": "square"}, analytic=False),
        Sample((_matrix(real, 2, rows=4),), {"form": "tall"}, analytic=False),
        Sample((_matrix(real, columns=4),), {"form": "wide"}, analytic=False),
        Sample((_matrix(cplx, rows=4),), {"form": "any"}, _of_factors),
        Sample((_matrix(cplx, columns=4),), {"form": "wide"}, _of_factors),
    ],
    "complete_svd": [
        Sample((_matrix(of, rows=rows, columns=columns),), {"form": form}, _with_projector, analytic=False)
        for of, rows, columns, form in ((real, 4, 2, "tall"), (real, 2, 4, "wide"), (cplx, 4, 2, "tall"))
    ]
    + [Sample((_matrix(real, 2, columns=4),), {"form": "wide"}, analytic=False)],
    "complete_qr": [
        Sample((_matrix(real, 2, rows=4),), analytic=False),
        Sample((_matrix(cplx, rows=4, columns=2),), through=_with_projector, analytic=False),
    ],
    "free_of_turns": [Sample((real(2, 1, 1),))],
    "solve_banded": [
        Sample((np.array([[1.0], [6.0], [1.0]]) + 0.3 * real(3, 4), real(4, 2)), {"lower": 1, "upper": 1}),
        Sample((np.array([[1.0], [6.0], [1.0], [1.0]]) + 0.3 * cplx(4, 5), cplx(5, 1)), {"lower": 2, "upper": 1}),
        Sample((5.0 + real(2, 3), real(3, 1)), {"lower": 1, "upper": 0}),
    ],
    "quotient": [
        Sample((real(2, 3), real(2, 3)), {"diagonal": True}),
        Sample((cplx(3), real(3)), {"diagonal": True}),
        Sample((real(2, 3, 3), cplx(2, 3, 3)), {"diagonal": False}),
    ],
    "half_triangle": [Sample((real(3, 3),), {"lower": True}), Sample((cplx(2, 3, 3),), {"lower": False})],
    "free_of_phases": [Sample((real(2, 2),), {"of": "vectors"}), Sample((cplx(0, 0),), {"of": "vectors"})],
    "expm": [Sample((0.3 * x,)) for x in (real(3, 3), cplx(2, 2, 2), real(0, 2, 2))],
    "expm_along": [
        Sample((0.3 * real(2, 2), real(2, 2)), analytic=False),
        Sample((0.3 * cplx(3, 2, 2), cplx(2, 2))),
    ],
    "logm": [Sample((_matrix(of, rows=2, columns=2),), analytic=False) for of in (real, cplx)],
    "sqrtm": [Sample((_matrix(of, *batch),), analytic=False) for of, batch in ((real, (2,)), (cplx, ()))],
    "solve_sylvester": [
        Sample((_matrix(real), _matrix(real, rows=2, columns=2), real(3, 2))),
        Sample((_matrix(cplx, 2), _matrix(cplx, rows=2, columns=2), cplx(3, 2))),
    ],
}

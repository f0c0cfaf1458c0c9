"""Linear algebra: NumPy's and SciPy's values, derivatives of first and second order, what has none, errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.linalg
from agreement import agrees

import retrograde as rg
from retrograde.errors import UnsupportedError, UsageError
from retrograde.program import ProgramBuilder

_RANDOM = np.random.default_rng(13)


def _real(*shape: int) -> Any:
    return _RANDOM.standard_normal(shape)


def _cplx(*shape: int) -> Any:
    return _real(*shape) + 1j * _real(*shape)


def _matrix(of: Callable[..., Any], rows: int = 3, columns: int = 3, batch: tuple[int, ...] = ()) -> Any:
    """Near a diagonal of 1, 2, 3 …, which are the eigenvalues and the singular values, more or less."""
    diagonal = np.zeros((rows, columns))
    np.fill_diagonal(diagonal, np.arange(1.0, min(rows, columns) + 1))
    return diagonal + 0.15 * of(*batch, rows, columns)


def _positive(of: Callable[..., Any], *batch: int) -> Any:
    x = of(*batch, 3, 3)
    return x @ np.conjugate(np.swapaxes(x, -1, -2)) + 2.0 * np.eye(3)


both = pytest.mark.parametrize("of", [_real, _cplx])
every_shape = pytest.mark.parametrize(("rows", "columns"), [(3, 3), (4, 3), (2, 3)])


@both
def test_solve(of: Callable[..., Any]) -> None:
    agrees(np.linalg.solve, _matrix(of), _real(3))
    agrees(np.linalg.solve, _matrix(of), of(2, 3, 2))
    agrees(np.linalg.solve, _matrix(of, batch=(2,)), of(3))
    agrees(np.linalg.solve, _matrix(_real, batch=(2,)), of(2, 3, 1))


@both
def test_inverses_and_determinants(of: Callable[..., Any]) -> None:
    agrees(np.linalg.inv, _matrix(of, batch=(2,)))
    agrees(np.linalg.det, _matrix(of, batch=(2,)))
    agrees(np.linalg.slogdet, _matrix(of, batch=(2,)))
    agrees(lambda x: np.linalg.slogdet(x).sign, _matrix(of))
    agrees(lambda x: np.linalg.slogdet(x).logabsdet, -_matrix(of))
    agrees(lambda x: np.linalg.tensorinv(x, 1), np.reshape(_matrix(of, 4, 4), (4, 2, 2)))
    agrees(np.linalg.tensorsolve, np.reshape(_matrix(of, 4, 4), (2, 2, 4)), of(2, 2))
    a = np.reshape(_matrix(of, 4, 4), (4, 2, 2))
    agrees(lambda a, b: np.linalg.tensorsolve(a, b, axes=(0,)), a, of(2, 2))


@both
@pytest.mark.parametrize("rank", [0, 1, 2])
def test_a_determinant_has_a_derivative_at_singular_matrices(of: Callable[..., Any], rank: int) -> None:
    x = of(3, rank) @ of(rank, 3)
    minors = np.array([[np.linalg.det(np.delete(np.delete(x, i, 0), j, 1)) for j in range(3)] for i in range(3)])
    signs = (-1.0) ** np.add.outer(np.arange(3), np.arange(3))
    found = rg.grad(lambda x: np.real(np.linalg.det(x)))(x)
    np.testing.assert_allclose(found, np.conjugate(signs * minors), rtol=1e-10, atol=1e-12)


@both
@every_shape
def test_pseudo_inverses_and_least_squares(of: Callable[..., Any], rows: int, columns: int) -> None:
    agrees(np.linalg.pinv, _matrix(of, rows, columns, (2,)))
    agrees(lambda a, b: np.linalg.lstsq(a, b)[::3], _matrix(of, rows, columns), of(rows), programs=False)
    agrees(lambda a, b: np.linalg.lstsq(a, b, rcond=1e-8)[:2], _matrix(of, rows, columns), of(rows, 2), programs=False)


def test_at_constant_rank() -> None:
    """Along matrices of one rank, which a product of narrow ones is."""
    agrees(lambda x, y: np.linalg.pinv(x @ y, rtol=1e-9), _matrix(_real, 4, 2), _matrix(_real, 2, 3), programs=False)
    agrees(lambda x: np.linalg.pinv(x, hermitian=True), _positive(_cplx))
    x, y = _matrix(_real, 4, 2), _matrix(_real, 2, 3)
    found = np.linalg.lstsq(x @ y, np.ones(4), rcond=1e-9)
    with rg.GradientTape() as tape:
        tracked = np.linalg.lstsq(tape.watch(x) @ y, np.ones(4), rcond=1e-9)
        negative = np.linalg.lstsq(tape.watch(y), np.ones(2), rcond=-1)
    assert tracked[2] == found[2] == 2
    assert tracked[1].shape == found[1].shape == (0,)
    np.testing.assert_allclose(rg.stop_gradient(tracked[0]), found[0], rtol=1e-10)
    assert negative[2] == 2


@both
def test_cholesky(of: Callable[..., Any]) -> None:
    agrees(np.linalg.cholesky, _positive(of, 2))
    agrees(lambda x: np.linalg.cholesky(x, upper=True), _positive(of))


def test_gradients_are_in_the_triangle_that_is_read() -> None:
    x = _positive(_real)
    for function, zero in [
        (lambda x: np.linalg.cholesky(x)[2, 0], np.triu),
        (lambda x: np.linalg.cholesky(x, upper=True)[0, 2], np.tril),
        (lambda x: np.linalg.eigvalsh(x)[0], np.triu),
        (lambda x: np.linalg.eigh(x, "U")[0][0], np.tril),
    ]:
        gradient = rg.grad(function)(x)
        assert not zero(gradient, 1 if zero is np.triu else -1).any()
        assert gradient.any()


@both
@every_shape
def test_qr(of: Callable[..., Any], rows: int, columns: int) -> None:
    agrees(np.linalg.qr, _matrix(of, rows, columns), programs=False)
    agrees(lambda x: np.linalg.qr(x, "r"), _matrix(of, rows, columns, (2,)), programs=False)
    agrees(lambda x: np.linalg.qr(x).Q, _matrix(of, rows, columns), programs=False)
    if of is _real or rows <= columns:
        agrees(lambda x: np.linalg.qr(x, "complete"), _matrix(of, rows, columns, (2,)), programs=False)


def _length(x: Any) -> Any:
    return np.real(x * np.conjugate(x))


@both
@pytest.mark.parametrize("triangle", ["L", "U"])
def test_eigh(of: Callable[..., Any], triangle: str) -> None:
    x = _matrix(of, batch=(2,))
    agrees(lambda x: np.linalg.eigvalsh(x, triangle), x)
    agrees(lambda x: _length(np.linalg.eigh(x, triangle).eigenvectors), x)
    if of is _real:
        agrees(lambda x: np.linalg.eigh(x, triangle), x)


@both
def test_eig(of: Callable[..., Any]) -> None:
    """Vectors, too, as LAPACK scales them."""
    agrees(np.linalg.eig, _matrix(of, batch=(2,)), programs=of is _cplx)
    agrees(np.linalg.eigvals, _matrix(of), programs=of is _cplx)
    agrees(lambda x: np.linalg.eig(x).eigenvectors, _matrix(of), programs=of is _cplx)
    turning = np.array([[1.0, -2.0, 0.3], [2.5, 1.0, 0.1], [0.2, 0.4, 3.0]])
    agrees(np.linalg.eig, turning)


@both
@every_shape
def test_svd(of: Callable[..., Any], rows: int, columns: int) -> None:
    x = _matrix(of, rows, columns, (2,))

    def without_phases(x: Any) -> Any:
        u, s, vh = np.linalg.svd(x, full_matrices=False)
        return _length(u), s, _length(vh), u @ vh

    agrees(without_phases, x)
    agrees(np.linalg.svdvals, x)
    agrees(lambda x: np.linalg.svd(x, compute_uv=False), x)
    agrees(lambda x: _length(np.linalg.svd(x, False).Vh), x)
    if of is _real:
        agrees(lambda x: np.linalg.svd(x, full_matrices=False), x)
        agrees(lambda x: np.linalg.svd(x, full_matrices=False).U, x)


def test_svd_with_complete_bases() -> None:
    agrees(np.linalg.svd, _matrix(_real, 4, 3), programs=False)
    agrees(np.linalg.svd, _matrix(_real, 2, 3, (2,)), programs=False)
    agrees(lambda x: np.linalg.svd(x)[2][-1], _matrix(_real, 2, 3), programs=False)  # what x makes zero
    for shape in ((4, 2), (2, 4)):
        agrees(lambda x: np.linalg.svd(x)[1], _matrix(_cplx, *shape), programs=False)
        agrees(lambda x: _projectors(*np.linalg.svd(x)), _matrix(_cplx, *shape), programs=False)
    agrees(lambda x: _projectors(*np.linalg.qr(x, "complete")), _matrix(_cplx, 4, 2), programs=False)


def _projectors(*factors: Any) -> list[Any]:
    """On the last two columns of the first factor, and on the last two rows of the last one."""
    first, last = factors[0][..., -2:], factors[-1][..., -2:, :]
    return [first @ np.conjugate(first.T), np.conjugate(last.T) @ last]


def test_svd_of_hermitian_matrices() -> None:
    x = _positive(_real) - 3.0 * np.eye(3)
    agrees(lambda x: np.linalg.svd(x, hermitian=True), x)
    agrees(lambda x: np.linalg.svd(x, compute_uv=False, hermitian=True), _positive(_cplx, 2))


def test_rounding_is_not_taken_for_a_phase() -> None:
    """What is zero but for rounding: a decomposition, multiplied together again, less the matrix."""
    x = _positive(_cplx)

    def left(x: Any) -> Any:
        values, vectors = np.linalg.eigh(x)
        u, s, vh = np.linalg.svd(x)
        back = [(vectors * values) @ np.conjugate(vectors.T), (u * s) @ vh]
        return sum(np.sum(_length(x - made)) for made in back)

    np.testing.assert_allclose(rg.grad(left)(x), 0.0, atol=1e-10)


def test_single_columns_of_a_complete_basis_are_arbitrary() -> None:
    for function in (lambda x: np.linalg.svd(x)[0], lambda x: np.linalg.qr(x, "complete")[0]):
        with pytest.raises(UnsupportedError, match="only what they span together is defined"):
            rg.grad(lambda x, function=function: np.sum(function(x)[:, 2]))(_matrix(_real, 4, 2))


def test_svd_of_square_matrices_of_any_rank() -> None:
    """One singular value may be zero where the matrix is square: nothing is outside of its vectors."""
    x = _matrix(_real) * np.array([1.0, 1.0, 0.0])
    found = rg.grad(lambda x: np.linalg.svd(x).U[0, 0])(x)
    d, h = _real(3, 3), 1e-6
    u = [np.linalg.svd(x + step * d).U[0, 0] for step in (h, -h)]
    np.testing.assert_allclose(np.sum(found * d), (u[0] - u[1]) / (2 * h), rtol=1e-6)


@both
def test_norms_and_condition_numbers(of: Callable[..., Any]) -> None:
    for order in (2, -2, "nuc", "fro", 1, np.inf):
        agrees(lambda x, order=order: np.linalg.norm(x, order), _matrix(of, 3, 2))
        agrees(lambda x, order=order: np.linalg.norm(x, order, axis=(0, 2)), np.swapaxes(_matrix(of, batch=(2,)), 0, 1))
    for order in (None, 2, -2):
        agrees(lambda x, order=order: np.linalg.cond(x, order), _matrix(of, 3, 2))
    for order in ("fro", 1):
        agrees(lambda x, order=order: np.linalg.cond(x, order), _matrix(of, batch=(2,)))


def test_matrix_rank_is_a_constant() -> None:
    with rg.GradientTape() as tape:
        x = tape.watch(np.ones((2, 3, 3)))
        np.testing.assert_array_equal(np.linalg.matrix_rank(x), [1, 1])
        assert np.linalg.matrix_rank(x[0], rtol=1e-3) == 1


def test_equal_eigenvalues() -> None:
    """Values have derivatives, their sum the right one; vectors have one if it is not asked how they turn."""
    x = np.diag([1.0, 1.0, 2.0])
    np.testing.assert_allclose(rg.grad(lambda x: np.sum(np.linalg.eigvalsh(x)))(x), np.eye(3), atol=1e-15)
    np.testing.assert_allclose(rg.jvp(np.linalg.eigvalsh, (x,), (x,))[1], [1.0, 1.0, 2.0])
    np.testing.assert_allclose(rg.grad(lambda x: np.sum(np.linalg.svdvals(x)))(x), np.eye(3), atol=1e-15)
    weights = np.array([1.0, 2.0, 3.0])
    alone = rg.grad(lambda x: weights @ np.linalg.eigh(x)[1][:, 2])(x)
    np.testing.assert_allclose(alone, [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0], [1.0, 2.0, 0.0]])
    assert np.isnan(rg.grad(lambda x: weights @ np.linalg.eigh(x)[1][:, 1])(x)).any()
    assert np.isnan(rg.grad(lambda x: weights @ np.linalg.svd(x)[0][:, 1])(x)).any()


@pytest.mark.parametrize("function", [lambda x: np.linalg.eigh(x)[1], lambda x: np.linalg.svd(x)[0]])
def test_phases_are_arbitrary(function: Callable[[Any], Any]) -> None:
    with pytest.raises(UnsupportedError, match="depends on the phases of the"):
        rg.grad(lambda x: np.sum(np.real(function(x))))(_matrix(_cplx))


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: np.linalg.qr(x, "raw"), "qr with mode=\"?'raw'\"? has no derivative rule"),
        (lambda x: np.linalg.pinv(x, rcond=np.ones(2)), "give a number"),
    ],
)
def test_what_has_no_derivative_says_so(function: Callable[[Any], Any], message: str) -> None:
    with rg.GradientTape() as tape:
        x = tape.watch(np.ones((4, 3)))
        with pytest.raises(UnsupportedError, match=message):
            function(x)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: np.linalg.eigh(x, "both"), '"L" or "U"'),
        (lambda x: np.linalg.pinv(x, 0.1, rtol=0.1), "give one of them"),
        (lambda x: np.linalg.tensorinv(x, 0), "1 or more"),
        (lambda x: np.linalg.cond(x[0]), "it takes matrices"),
        (lambda x: rg.linalg.expm(x[0]), "expm of an array of shape"),
        (lambda x: rg.linalg.expm(x[:2]), "it takes square matrices"),
        (lambda x: rg.linalg.logm(-x), "convert them first"),
        (lambda x: rg.linalg.sqrtm(-x), "convert them first"),
        (lambda x: rg.linalg.solve_triangular(x, x, trans=3), 'it is 0 or "N"'),
        (lambda x: rg.linalg.solve_banded((1, 0), x, x[0]), r"it takes \(2, n\) and \(n,\) or \(n, k\)"),
        (lambda x: rg.linalg.block_diag(np.ones((1, 1, 1))), "it takes matrices"),
    ],
)
def test_what_is_wrong_is_said(function: Callable[[Any], Any], message: str) -> None:
    with rg.GradientTape() as tape:
        x = tape.watch(np.eye(3) + 0.1)
        with pytest.raises(UsageError, match=message):
            function(x)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (np.linalg.qr, "sizes only the run knows"),
        (lambda x: np.linalg.lstsq(x, np.ones(3)), r"write np\.linalg\.pinv\(a\) @ b"),
        (np.linalg.svd, "say full_matrices=False"),
    ],
)
def test_a_program_has_to_know_the_form_of_matrices(function: Callable[[Any], Any], message: str) -> None:
    x = ProgramBuilder("f").input("x", "float64", (None, None))
    with pytest.raises(UnsupportedError, match=message):
        function(x)


@both
def test_functions_of_matrices(of: Callable[..., Any]) -> None:
    agrees(rg.linalg.expm, 0.5 * of(2, 2))
    agrees(rg.linalg.sqrtm, _matrix(of, batch=(2,)))
    agrees(rg.linalg.logm, _matrix(of, 2, 2), order=1)
    x = _matrix(of)
    for name in ("expm", "sqrtm", "logm"):
        np.testing.assert_allclose(getattr(rg.linalg, name)(x), getattr(scipy.linalg, name)(x), rtol=1e-10, atol=1e-12)


def test_functions_of_complex_matrices_are_principal() -> None:
    x = np.diag([-1.0 + 0j, 4.0])
    np.testing.assert_allclose(rg.linalg.sqrtm(x), np.diag([1j, 2.0]), atol=1e-15)
    np.testing.assert_allclose(rg.linalg.logm(x), np.diag([np.pi * 1j, np.log(4.0)]), atol=1e-15)


def test_expm_in_single_precision() -> None:
    x = _real(2, 2).astype(np.float32)
    gradient = rg.grad(lambda x: np.sum(rg.linalg.expm(x)))(x)
    assert gradient.dtype == np.float32
    double = rg.grad(lambda x: np.sum(rg.linalg.expm(x)))(x.astype(np.float64))
    np.testing.assert_allclose(gradient, double, rtol=1e-5)


@both
def test_triangular_systems(of: Callable[..., Any]) -> None:
    a, b = _matrix(of), of(3, 2)
    for options in ({}, {"lower": True}, {"trans": 1}, {"trans": "C", "lower": True}, {"unit_diagonal": True}):
        agrees(lambda a, b, options=options: rg.linalg.solve_triangular(a, b, **options), a, b)
        expected = scipy.linalg.solve_triangular(a, b, **options)
        np.testing.assert_allclose(rg.linalg.solve_triangular(a, b, **options), expected, rtol=1e-12)
    agrees(rg.linalg.solve_triangular, _matrix(of, batch=(2,)), of(3))
    wide = np.triu(of(2, 40, 40)) + 20.0 * np.eye(40)  # too large to go by numpy.linalg.solve
    np.testing.assert_allclose(wide @ rg.linalg.solve_triangular(wide, wide), wide, atol=1e-12)
    agrees(lambda a, b: rg.linalg.solve_triangular(a, b, lower=True), wide[0], of(40, 1), order=1)
    assert rg.linalg.solve_triangular(np.ones((0, 40, 40)), np.ones((40, 2))).shape == (0, 40, 2)
    assert rg.linalg.solve_triangular(np.ones((0, 3, 3)), np.ones((3, 2))).shape == (0, 3, 2)


@both
@pytest.mark.parametrize(("lower", "upper"), [(1, 1), (0, 2), (2, 1), (0, 0), (4, 3)])
def test_banded_systems(of: Callable[..., Any], lower: int, upper: int) -> None:
    ab, b = 0.3 * of(lower + upper + 1, 5), of(5)
    ab[upper] += 4.0
    agrees(lambda ab, b: rg.linalg.solve_banded((lower, upper), ab, b), ab, b, programs=False)
    agrees(lambda ab, b: rg.linalg.solve_banded((lower, upper), ab, b), ab, of(5, 2), programs=False, order=1)
    a = np.array([[ab[upper + i - j, j] if -upper <= i - j <= lower else 0.0 for j in range(5)] for i in range(5)])
    np.testing.assert_allclose(a @ rg.linalg.solve_banded((lower, upper), ab, b), b, rtol=1e-10)


@both
def test_systems_by_their_cholesky_factor(of: Callable[..., Any]) -> None:
    a, b = _positive(of), of(3)
    agrees(lambda a, b: rg.linalg.cho_solve(rg.linalg.cho_factor(a), b), a, b)
    np.testing.assert_allclose(rg.linalg.cho_solve(rg.linalg.cho_factor(a), b), np.linalg.solve(a, b), rtol=1e-10)
    upper = scipy.linalg.cho_factor(a)
    np.testing.assert_allclose(rg.linalg.cho_solve(upper, b), np.linalg.solve(a, b), rtol=1e-10)


@both
def test_sylvester(of: Callable[..., Any]) -> None:
    agrees(rg.linalg.solve_sylvester, _matrix(of), _matrix(of, 2, 2), of(2, 3, 2))


def test_matrices_made_of_others() -> None:
    agrees(rg.linalg.block_diag, _real(2, 1), _cplx(2), _real())
    agrees(rg.linalg.toeplitz, _cplx(3), programs=False)
    agrees(rg.linalg.toeplitz, _real(2), _real(4), programs=False)
    c, r, x = _real(2), _real(4), _real(2, 3)
    np.testing.assert_array_equal(rg.linalg.toeplitz(c, r), scipy.linalg.toeplitz(c, r))
    np.testing.assert_array_equal(rg.linalg.block_diag(x, c), scipy.linalg.block_diag(x, c))


@pytest.mark.parametrize("dtype", [np.float32, np.complex64])
def test_single_precision_stays(dtype: Any) -> None:
    x = _matrix(_real).astype(dtype)
    functions: list[Callable[[Any], Any]] = [np.linalg.inv, np.linalg.det, np.linalg.cholesky, np.linalg.pinv]
    functions += [np.linalg.eigvalsh, np.linalg.eigvals, np.linalg.svdvals, rg.linalg.expm, rg.linalg.sqrtm]
    functions += [lambda x: np.linalg.solve(x, x[0]), lambda x: np.linalg.qr(x)[1], lambda x: np.linalg.slogdet(x)[1]]
    for function in functions:
        with rg.GradientTape() as tape:
            tracked = tape.watch(x)
            out = function(tracked)
            loss = np.sum(_length(out))
        assert out.dtype == function(x).dtype
        gradient = tape.gradient(loss, tracked)
        wide = rg.grad(lambda x, function=function: np.sum(_length(function(x))))(x.astype(complex))
        assert gradient.dtype == dtype
        np.testing.assert_allclose(gradient, wide, rtol=1e-3, atol=1e-3)


def test_no_matrices_at_all() -> None:
    empty = np.ones((0, 2, 2)) + np.eye(2)
    for function in (np.linalg.inv, np.linalg.det, np.linalg.eigvalsh, np.linalg.svdvals, rg.linalg.expm):
        assert rg.grad(lambda x, function=function: np.sum(function(x)))(empty).shape == (0, 2, 2)

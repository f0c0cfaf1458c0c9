"""NumPy's functions of shapes, joining and indexing on arrays under differentiation: NumPy's results, with the right
derivative, on the tape, forward, and in programs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

import retrograde as rg
from retrograde.autodiff import reverse
from retrograde.errors import UnsupportedError
from retrograde.program import ProgramBuilder
from retrograde.program.array_like import ArrayLike
from retrograde.program.in_place import slot

_RANDOM = np.random.default_rng(5)
A = _RANDOM.standard_normal((3, 4))
V = _RANDOM.standard_normal(6)
W = _RANDOM.standard_normal((4, 2))
T = _RANDOM.standard_normal((2, 3, 4))
ONE = _RANDOM.standard_normal((1, 3, 1))
S = np.float64(0.7)
C = _RANDOM.standard_normal((2, 3)) + 1j * _RANDOM.standard_normal((2, 3))
PLACES = np.array([2, 0, 2, 1])


def _like(x: Any) -> Any:
    """What NumPy's `like` is to be: a plain array says nothing of tracked ones."""
    return x if isinstance(x, ArrayLike) else None


Entry = tuple[str, Callable[..., Any], tuple[Any, ...]]


def _entries(*entries: Entry) -> list[Any]:
    return [pytest.param(function, inputs, id=name) for name, function, inputs in entries]


AXES = _entries(
    ("moveaxis", lambda x: np.moveaxis(x, 0, -1), (T,)),
    ("moveaxis several", lambda x: np.moveaxis(x, (0, 1), (-1, 0)), (T,)),
    ("swapaxes", lambda x: np.swapaxes(x, 0, -1), (T,)),
    ("swapaxes method", lambda x: x.swapaxes(1, 0), (A,)),
    ("rollaxis", lambda x: np.rollaxis(x, 2), (T,)),
    ("rollaxis negative start", lambda x: np.rollaxis(x, 0, -1), (T,)),
    ("rollaxis start", lambda x: np.rollaxis(x, 0, 3), (T,)),
    ("permute_dims", lambda x: np.permute_dims(x, (1, 2, 0)), (T,)),
    ("matrix_transpose", np.matrix_transpose, (T,)),
    ("linalg.matrix_transpose", np.linalg.matrix_transpose, (T,)),
    ("mT", lambda x: x.mT, (T,)),
    ("expand_dims", lambda x: np.expand_dims(x, 1), (A,)),
    ("expand_dims several", lambda x: np.expand_dims(x, (0, -1)), (A,)),
    ("squeeze axis", lambda x: np.squeeze(x, axis=0), (ONE,)),
    ("squeeze method", lambda x: x.squeeze((0, 2)), (ONE,)),
    ("atleast_1d", np.atleast_1d, (S,)),
    ("atleast_2d", np.atleast_2d, (V,)),
    ("atleast_3d", np.atleast_3d, (A,)),
    ("atleast_3d vector", np.atleast_3d, (V,)),
    ("atleast_2d several", lambda x, y: np.atleast_2d(x, y), (V, A)),
    ("flip", np.flip, (T,)),
    ("flip axis", lambda x: np.flip(x, (0, -1)), (T,)),
    ("flipud", np.flipud, (A,)),
    ("fliplr", np.fliplr, (A,)),
    *((f"rot90 {k}", lambda x, k=k: np.rot90(x, k, (1, 0)), (A,)) for k in range(-1, 4)),
    ("roll", lambda x: np.roll(x, 2), (A,)),
    ("roll axis", lambda x: np.roll(x, -1, axis=1), (A,)),
    ("roll axes", lambda x: np.roll(x, (1, 2), axis=(0, 1)), (A,)),
    ("roll one axis twice", lambda x: np.roll(x, (1, 2), axis=(1, 1)), (A,)),
    ("roll all axes alike", lambda x: np.roll(x, 1, axis=(0, 1)), (A,)),
    ("ravel", np.ravel, (A,)),
    ("ravel F", lambda x: x.ravel("F"), (A,)),
    ("reshape F", lambda x: np.reshape(x, (2, 6), order="F"), (A,)),
    ("reshape copy", lambda x: x.reshape(2, -1, copy=True), (A,)),
    ("flatten", lambda x: x.flatten(), (A,)),
    ("diagonal", np.diagonal, (A,)),
    ("diagonal axes", lambda x: x.diagonal(1, 2, 0), (T,)),
    ("linalg.diagonal", lambda x: np.linalg.diagonal(x, offset=-1), (T,)),
    ("diag of a matrix", lambda x: np.diag(x, 1), (A,)),
    ("diag of a vector", lambda x: np.diag(x, -2), (V,)),
    ("diagflat", lambda x: np.diagflat(x, 1), (A,)),
    ("tril", lambda x: np.tril(x, 1), (A,)),
    ("triu", lambda x: np.triu(x, -1), (T,)),
    ("triu of a vector", np.triu, (V,)),
    ("sliding_window_view", lambda x: sliding_window_view(x, 3), (V,)),
    ("sliding_window_view of axes", lambda x: sliding_window_view(x, (2, 3), (0, 1)), (A,)),
    ("stacked indices", lambda x: x[np.array([[0, 2], [1, 1]])], (A,)),
)

JOINING = _entries(
    ("concatenate", lambda x, y: np.concatenate((x, y, x)), (A, A * 2)),
    ("concatenate dtype", lambda x: np.concatenate((x, x), 1, dtype=np.complex128), (A,)),
    ("concatenate lists", lambda x: np.concatenate(([1.0, 2.0], x)), (V,)),
    ("stack", lambda x, y: np.stack((x, y), axis=-1), (A, A + 1)),
    ("stack numbers", lambda x: np.stack([x[0], 2.0, x[1] * x[2]]), (V,)),
    ("vstack of matrices", lambda x, y: np.vstack((x, y[None, :])), (A, V[:4])),
    ("column_stack of vectors", lambda x: np.column_stack((x, x * x)), (V,)),
    ("block of rows of numbers", lambda x: np.block([[x[0], 1.0], [x[1] * x[2], x[0]]]), (V,)),
    ("vstack", lambda x, y: np.vstack((x, y)), (V, V * 2)),
    ("hstack", lambda x, y: np.hstack((x, y)), (V, V[:2])),
    ("hstack matrices", lambda x: np.hstack((x, np.ones((3, 1)))), (A,)),
    ("dstack", lambda x: np.dstack((x, x)), (V,)),
    ("column_stack", lambda x, y: np.column_stack((x, y)), (V, np.ones((6, 2)))),
    ("block", lambda x: np.block([[x, np.zeros((3, 1))], [np.ones((1, 5))]]), (A,)),
    ("block of numbers", lambda x: np.block([x[0], 1.0, x]), (V,)),
    ("block of an array", lambda x: np.block(x), (A,)),
    ("append", lambda x: np.append(x, [1.0, 2.0]), (A,)),
    ("append to a list", lambda x: np.append([1.0, x[0]], x), (V,)),
    ("append axis", lambda x, y: np.append(x, y, axis=1), (A, A * 2)),
    ("array like", lambda x: np.array([[x[0], 1.0], [x[1] * x[2], x[0]]], like=_like(x)), (V,)),
    ("asarray like", lambda x: np.asarray([x, x * x], dtype=complex, like=_like(x)), (V,)),
    ("array of dimensions", lambda x: np.array(x, ndmin=3, like=_like(x)), (V,)),
    ("repeat", lambda x: np.repeat(x, 2), (A,)),
    ("repeat axis", lambda x: x.repeat(3, axis=1), (A,)),
    ("repeat once", lambda x: np.repeat(x, 1, axis=0), (A,)),
    ("repeat never", lambda x: np.repeat(x, 0, axis=0), (A,)),
    ("tile", lambda x: np.tile(x, 2), (A,)),
    ("tile axes", lambda x: np.tile(x, (2, 1, 3)), (A,)),
    ("tile once", lambda x: np.tile(x, (1, 1)), (A,)),
    ("split at", lambda x: np.split(x, [1, 2]), (A,)),
    ("pad", lambda x: np.pad(x, 1), (A,)),
    ("pad pairs", lambda x: np.pad(x, ((0, 2), (1, 0)), constant_values=3.0), (A,)),
    ("linspace", lambda x: np.linspace(x[0], x[1], 5), (V,)),
    ("linspace arrays", lambda x, y: np.linspace(x, y, 4, endpoint=False, axis=1), (V, A[0, 0])),
)

SIZED = _entries(
    ("flat", lambda x: x.flat[2:5] * sum(x.flat), (A,)),
    ("broadcast_arrays", lambda x, y: np.broadcast_arrays(x, y), (V, np.ones((2, 6)))),
    ("broadcast_arrays alike", lambda x: np.broadcast_arrays(x, x * x, 1.0), (A,)),
    ("squeeze", np.squeeze, (ONE,)),
    ("broadcast_arrays of unlike", lambda x, y: np.broadcast_arrays(x, y), (V, np.ones((2, 1)))),
    ("insert", lambda x: np.insert(x, 2, 7.0), (V,)),
    ("insert places", lambda x, y: np.insert(x, [1, 1, 4], y), (V, V[:3])),
    ("insert rows", lambda x, y: np.insert(x, 1, y, axis=1), (A, V[:3])),
    ("insert slice", lambda x: np.insert(x, slice(0, 6, 2), x[:3]), (V,)),
    ("insert one listed", lambda x, y: np.insert(x, [1], y[:, None], axis=1), (A, V[:3])),
    ("insert tracked", lambda y: np.insert(np.ones(3), 1, y), (V,)),
    ("delete", lambda x: np.delete(x, [0, -1]), (V,)),
    ("delete axis", lambda x: np.delete(x, slice(1, 3), axis=1), (A,)),
    ("repeat by array", lambda x: np.repeat(x, [1, 0, 3], axis=0), (A,)),
    ("resize", lambda x: np.resize(x, (3, 3)), (V,)),
    ("resize nothing", lambda x: np.resize(x[:0], (2,)) + x[:2], (V,)),
    ("broadcast_arrays with a number", lambda x: np.broadcast_arrays(x, 2.0)[0], (V,)),
    ("resize larger", lambda x: np.resize(x, (2, 5)), (V,)),
    ("split", lambda x: np.split(x, 2, axis=1), (A,)),
    ("array_split", lambda x: np.array_split(x, 4), (V,)),
    ("hsplit", lambda x: np.hsplit(x, 2), (A,)),
    ("vsplit", lambda x: np.vsplit(x, [1]), (A,)),
    ("dsplit", lambda x: np.dsplit(x, 2), (T,)),
    ("unstack", lambda x: np.unstack(x, axis=1), (A,)),
    ("vander", lambda x: np.vander(x), (V,)),
    ("vander increasing", lambda x: np.vander(x, 3, increasing=True), (V,)),
    ("fill_diagonal", lambda x: _written(np.fill_diagonal, x, 3.0), (A,)),
    ("fill_diagonal values", lambda x, y: _written(np.fill_diagonal, x, y, wrap=True), (W.repeat(2, 0), V[:2])),
    ("pad reflect", lambda x: np.pad(x, 1, mode="reflect"), (A,)),
    ("pad wide", lambda x: np.pad(x, ((5, 4), (0, 9)), mode="reflect"), (A,)),
    ("pad symmetric", lambda x: np.pad(x, (7, 2), mode="symmetric"), (A,)),
    ("pad by axis", lambda x: np.pad(x, {-1: (1, 2)}, mode="edge"), (A,)),
    ("pad wrap once", lambda x: np.pad(x, ((1, 2), (2, 0)), mode="wrap"), (A,)),
    ("pad edge", lambda x: np.pad(x, ((1, 2), (0, 3)), mode="edge"), (A,)),
    ("pad wrap", lambda x: np.pad(x, (5, 6), mode="wrap"), (V,)),
    ("pad odd", lambda x: np.pad(x, (2, 3), mode="reflect", reflect_type="odd"), (A,)),
    ("pad wide odd", lambda x: np.pad(x, (9, 11), mode="symmetric", reflect_type="odd"), (V,)),
)

PICKING = _entries(
    ("take", lambda x: np.take(x, PLACES), (A,)),
    ("take axis", lambda x: x.take([[0, -1], [1, 1]], axis=1), (A,)),
    ("take a number", lambda x: np.take(x, 1, axis=0), (A,)),
    ("take nothing", lambda x: np.take(x, []), (V,)),
    ("take wrap", lambda x: np.take(x, [7, -9], mode="wrap"), (V,)),
    ("take clip", lambda x: np.take(x, [7, -9], mode="clip"), (V,)),
    ("list", lambda x: x[[0, 0, 2], [1, 1, 3]], (A,)),
    ("empty list", lambda x: x[[]], (A,)),
    ("mixed", lambda x: x[0, :, [1, 3, 1]], (T,)),
    ("adjacent", lambda x: x[:, [0, 2, 2], None, 1], (T,)),
    ("mask", lambda x: x[x > 0.0], (A,)),
    ("mask of an axis", lambda x: x[:, np.array([True, False, True, True])], (A,)),
    ("mask and int", lambda x: x[np.array([True, False, True]), 1], (A,)),
    ("take_along_axis", lambda x: np.take_along_axis(x, np.argsort(-x, axis=0), 0), (A,)),
    ("take_along_axis broadcast", lambda x: np.take_along_axis(x, np.array([[0, -1, 0]]), 1), (A,)),
    ("take_along_axis flat", lambda x: np.take_along_axis(x, PLACES, None), (A,)),
    ("sort", np.sort, (A,)),
    ("sort axis", lambda x: np.sort(x, axis=0), (T,)),
    ("sort flat", lambda x: np.sort(x, axis=None, kind="stable"), (A,)),
    ("sort method", lambda x: _written(lambda y: y.sort(0), x), (A,)),
    ("sort complex", lambda x: np.sort(x, axis=-1), (C,)),
    ("sort_complex", np.sort_complex, (V,)),
    ("argsort", lambda x: x[x.argsort(stable=True)], (V,)),
    ("partition", lambda x: np.partition(x, 2), (V,)),
    ("partition of many", lambda x: np.partition(x, 2000), (np.sin(np.arange(5000.0) ** 2),)),
    ("partition axis", lambda x: np.partition(x, (0, 1), axis=0), (A,)),
    ("partition method", lambda x: _written(lambda y: y.partition(1, 0), x), (A,)),
    ("argpartition", lambda x: x[x.argpartition(2)][:3].sum(), (V,)),
    ("where", lambda x: x[np.where(x > 0.0)], (A,)),
    ("where of tracked", lambda x: x[np.where(x)], (A,)),
    ("nonzero", lambda x: x[(x > 0.0).nonzero()] if isinstance(x, np.ndarray) else x[np.nonzero(x > 0.0)], (A,)),
    ("nonzero of tracked", lambda x: x[np.nonzero(x)], (A,)),
    ("argwhere", lambda x: x[np.argwhere(x)[:, 0]], (A,)),
    ("flatnonzero", lambda x: np.ravel(x)[np.flatnonzero(x)], (A,)),
    ("compress", lambda x: np.compress([True, False, True], x, axis=0), (A,)),
    ("compress method", lambda x: x.compress([False, True, True, True], 1), (A,)),
    ("extract", lambda x: np.extract(x > 0.0, x), (A,)),
    ("choose", lambda x, y: np.choose(np.array([0, 1, 2, 1, 0, 0]), [x, y, 5.0]), (V, V * 2)),
    ("choose wrap", lambda x: np.choose(np.array([4, -1]), x, mode="wrap"), (W,)),
    ("searchsorted", lambda x: x[np.searchsorted(np.sort(x), [0.0, 0.1])], (V,)),
    ("digitize", lambda x: x[np.digitize(x, [-0.5, 0.5])], (V,)),
    ("select", lambda x: np.select([x > 0.5, x > 0.0], [x * x, 2.0], default=-1.0), (A,)),
    ("piecewise", lambda x: np.piecewise(x, [x < 0.0, x > 1.0], [lambda v: v * v, 3.0, np.sin]), (A,)),
    ("piecewise of one", lambda x: np.piecewise(x, x < 0.0, [lambda v, a: a * v, 3.0], 2.0), (V,)),
    ("lexsort", lambda x: x[np.lexsort((x, PLACES.repeat(2)[:6]))], (V,)),
    ("unique", lambda x: np.unique(x[PLACES]), (A,)),
    ("unique rows", lambda x: np.unique(x[PLACES], return_counts=True, axis=0)[0], (A,)),
    ("union1d", lambda x: np.union1d(x[:4], x[2:]), (V,)),
    ("intersect1d", lambda x: np.intersect1d(x[:4], x[2:], return_indices=True)[0], (V,)),
    ("setdiff1d", lambda x: np.setdiff1d(x, x[2:4]), (V,)),
    ("polyval", lambda x, p: np.polyval(p, x), (A, V[:3])),
    ("polyval of a number", lambda p: np.polyval(p, 0.7), (V[:3],)),
    ("logspace", lambda x, y: np.logspace(x, y, 4), (S, V)),
    ("logspace of bases", lambda x, y: np.logspace(0.1 * x[0], 0.5, 3, base=y * y), (V, V)),
    ("apply_along_axis", lambda x: np.apply_along_axis(lambda v: v[1:] * v[0], 0, x), (A,)),
    ("apply_along_axis to numbers", lambda x: np.apply_along_axis(lambda v: np.sum(v * v), 1, x), (T,)),
    ("apply_over_axes", lambda x: np.apply_over_axes(np.sum, x, [0, -1]), (T,)),
    ("put", lambda x, y: _written(np.put, x, [0, -1, 5], y), (A, V[:2])),
    ("put clip", lambda x: _written(np.put, x, [90, -90], 2.0, mode="clip"), (A,)),
    ("putmask", lambda x, y: _written(np.putmask, x, A > 0.0, y), (A * 2, V[:5])),
    ("place", lambda x, y: _written(np.place, x, A > 0.0, y), (A * 2, V[:2])),
    ("copyto", lambda x, y: _written(np.copyto, x, y), (A, V[:4])),
    ("copyto where", lambda x: _written(np.copyto, x, 7.0, where=A > 0.0), (A,)),
    ("put_along_axis", lambda x: _written(np.put_along_axis, x, np.array([[0], [3], [1]]), 9.0, 1), (A,)),
    ("put_along_axis flat", lambda x, y: _written(np.put_along_axis, x, np.array([0, 5, -1]), y, None), (A, V[:3])),
    ("length of flat", lambda x: x * len(x.flat), (A,)),
    ("flat writes", lambda x: _written(lambda y: y.flat.__setitem__(slice(0, 12, 5), [1.0, 2.0]), x), (A,)),
    ("fill", lambda x, y: _written(lambda z: z.fill(y), x), (A, S)),
    ("meshgrid", lambda x, y: np.meshgrid(x, y), (V, V[:2])),
    ("meshgrid ij", lambda x, y: np.meshgrid(x, y, S, indexing="ij", sparse=True), (V, V[:2])),
    ("ix_", lambda x, y: np.multiply(*np.ix_(x, y)), (V, V[:2])),
    ("full_like", lambda x: np.full_like(x, x[0]), (V,)),
    ("ones_like", lambda x: np.ones_like(x) * x, (A,)),
    ("copy", lambda x: np.copy(x) * x, (A,)),
    ("interp", lambda x, y: np.interp(np.linspace(-2.0, 2.0, 9), np.sort(x), y), (V, V * V)),
    ("interp of points", lambda x: np.interp(x, [-1.0, 0.1, 0.4], [1.0, 3.0, 2.0], left=0.0), (V,)),
    ("interp of one point", lambda y: np.interp([-1.0, 0.0, 1.0], [0.0], y, right=5.0), (V[:1],)),
)

# Whose values differ from NumPy's by rounding, and no more.
ROUNDED = _entries(
    ("pad linear_ramp", lambda x: np.pad(x, (2, 3), mode="linear_ramp", end_values=(1.0, 2.0)), (A,)),
    ("pad wide reflect odd", lambda x: np.pad(x, (9, 14), mode="reflect", reflect_type="odd"), (V,)),
    *(
        (f"pad {mode}", lambda x, mode=mode: np.pad(x, ((1, 0), (2, 3)), mode=mode, stat_length=2), (A,))
        for mode in ("maximum", "minimum", "mean", "median")
    ),
)


def _written(write: Callable[..., Any], x: Any, *arguments: Any, **options: Any) -> Any:
    """A copy of an array after a function wrote into it, times what was there."""
    y = x.copy()
    write(y, *arguments, **options)
    return x * y


def _parts(out: Any) -> list[Any]:
    return list(out) if isinstance(out, (list, tuple)) else [out]


def _weights(function: Callable[..., Any], inputs: tuple[Any, ...]) -> list[Any]:
    random = np.random.default_rng(8)
    return [random.standard_normal(np.shape(part)) for part in _parts(function(*map(np.copy, inputs)))]


def _scalar(function: Callable[..., Any], weights: list[Any]) -> Callable[..., Any]:
    def scalar(*inputs: Any) -> Any:
        pairs = zip(_parts(function(*inputs)), weights, strict=True)
        return sum(np.sum(weight * np.real(np.sin(part))) for part, weight in pairs)

    return scalar


def _directions(inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    random = np.random.default_rng(9)
    return tuple(random.standard_normal(np.shape(x)) for x in inputs)


def _check(function: Callable[..., Any], inputs: tuple[Any, ...], tolerance: float) -> None:
    scalar, directions = _scalar(function, _weights(function, inputs)), _directions(inputs)
    with rg.GradientTape() as tape:
        found = _parts(function(*map(tape.watch, map(np.copy, inputs))))
    for part, expected in zip(found, _parts(function(*map(np.copy, inputs))), strict=True):
        np.testing.assert_allclose(rg.stop_gradient(part), expected, rtol=tolerance, atol=0.0)
        assert (part.shape, part.dtype) == (expected.shape, expected.dtype)
    h = 1e-6
    above = scalar(*(x + h * d for x, d in zip(inputs, directions, strict=True)))
    below = scalar(*(x - h * d for x, d in zip(inputs, directions, strict=True)))
    expected = (above - below) / (2 * h)
    gradients = rg.grad(scalar, tuple(range(len(inputs))), backend="tape")(*inputs)
    slope = sum(np.sum(np.real(g) * d) for g, d in zip(gradients, directions, strict=True))
    tangents = tuple(d.astype(np.asarray(x).dtype) for x, d in zip(inputs, directions, strict=True))
    _, tangent = rg.jvp(scalar, inputs, tangents, backend="tape")
    np.testing.assert_allclose(slope, expected, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(tangent, slope, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(("function", "inputs"), [*AXES, *JOINING, *SIZED, *PICKING])
def test_values_and_derivatives(function: Callable[..., Any], inputs: tuple[Any, ...]) -> None:
    _check(function, inputs, 0.0)


@pytest.mark.parametrize(("function", "inputs"), ROUNDED)
def test_values_up_to_rounding_and_derivatives(function: Callable[..., Any], inputs: tuple[Any, ...]) -> None:
    _check(function, inputs, 1e-14)


@pytest.mark.parametrize(("function", "inputs"), [*AXES, *JOINING])
def test_in_programs_of_unknown_sizes(function: Callable[..., Any], inputs: tuple[Any, ...]) -> None:
    scalar = _scalar(function, _weights(function, inputs))
    builder = ProgramBuilder("f")
    names = [f"x{at}" for at in range(len(inputs))]
    symbols = [
        builder.input(name, np.asarray(x).dtype, (None,) * np.ndim(x)) for name, x in zip(names, inputs, strict=True)
    ]
    try:
        out = scalar(*symbols)
    except UnsupportedError as error:
        pytest.fail(str(error))
    program = reverse(builder.finish(out=out), names, ["out"], keep_outputs=False)
    expected = rg.grad(scalar, tuple(range(len(inputs))))(*inputs)
    for gradient, right in zip(program(*inputs, 1.0), expected, strict=True):
        np.testing.assert_allclose(gradient, right, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize(("function", "inputs"), [*AXES, *JOINING, *SIZED, *PICKING, *ROUNDED])
def test_what_shares_memory_under_numpy_is_a_view(function: Callable[..., Any], inputs: tuple[Any, ...]) -> None:
    """A copy that is taken for a view has a write refused; a view that is taken for a copy would give wrong numbers."""
    arrays = [np.asarray(x).copy() for x in inputs]
    expected = _parts(function(*arrays))
    with rg.GradientTape() as tape:
        tracked = [tape.watch(x) for x in arrays]
        found = _parts(function(*tracked))
    for part, plain in zip(found, expected, strict=True):
        shared = any(part is x or _is_view(part, x) for x in tracked)
        if any(np.shares_memory(plain, x) for x in arrays):
            assert shared
        else:
            assert not shared or _lies_elsewhere(plain)


def _is_view(part: Any, x: Any) -> bool:
    while (base := slot(part, "_base", None)) is not None:
        if base is x:
            return True
        part = base
    return False


def _lies_elsewhere(plain: Any) -> bool:
    """Whether a reshape had to copy, which depends on where the elements lie."""
    return plain.shape in ((12,), (2, 6), (3, 8))

"""What functions of shapes, joining and indexing refuse: each says what was asked, what was found, and what to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

import retrograde as rg
from retrograde.errors import RetrogradeError, UnsupportedError, UsageError
from retrograde.program import ProgramBuilder

X = np.arange(1.0, 13.0).reshape(3, 4)
V = np.arange(1.0, 7.0)

_WRONG: list[tuple[Callable[[Any], Any], str]] = [
    (lambda x: np.moveaxis(x, (0, 1), 0), r"moveaxis from \(0, 1\) to 0; give as many axes"),
    (lambda x: np.matrix_transpose(x[0]), "matrix_transpose of an array of 1 axes; it swaps the last two"),
    (lambda x: np.squeeze(x, axis=1), r"squeeze of axes \(1,\) of an array of shape \(3, 4\); only axes of size 1"),
    (lambda x: np.rot90(x, axes=(0, -2)), r"rot90 in the plane of axes \(0, -2\), which are one; give two"),
    (lambda x: np.select([x > 0.0], [x, x]), "select by 1 conditions of 2 arrays; give one for each"),
    (lambda x: np.piecewise(x, [x > 0.0], []), "piecewise by 1 conditions of 0 functions; give one for each"),
    (lambda x: sliding_window_view(x, 2), r"windows of shape \(2,\) along axes \(0, 1\); give a length for each"),
    (lambda x: np.split(x, 2), "an axis of size 3 was to be split into 2 equal parts; give a number that divides it"),
    (lambda x: np.array_split(x, 0), "split into 0 equal parts"),
    (lambda x: np.dsplit(x, 2), "dsplit of an array of 2 axes; it takes 3 or more"),
    (lambda x: np.diagonal(x[0]), "the diagonal of an array of 1 axes was asked for; it takes 2 or more"),
    (lambda x: np.diagonal(x, 0, 1, -1), "the diagonal of axes 1 and -1 was asked for, which are one; give two"),
    (lambda x: np.diag(x[None]), "diag of an array of 3 axes; give a vector or a matrix"),
    (lambda x: np.stack((x, x[0])), r"stack of arrays of shapes \[\(3, 4\), \(4,\)\]; give them all one shape"),
    (lambda x: np.block([[x], x]), "block of lists of different depths"),
    (lambda x: np.block([x, []]), "or of an empty list; nest all lists equally deep"),
    (lambda x: np.take(x, 0, mode="odd"), 'mode=\'odd\'; it is "raise", "wrap" or "clip"'),
    (lambda x: np.choose([0, 2], x[:2, :2]), "choose among 2 arrays by numbers from 0 to 2; give numbers below 2"),
    (lambda x: np.nonzero(x[0, 0]), "nonzero of an array without axes"),
    (lambda x: np.interp(x, x, x), r"interp of points of shapes \(3, 4\) and \(3, 4\); give two vectors"),
    (
        lambda x: np.pad(x, 1, mode="edge", constant_values=1.0),
        r"mode 'edge' was given \['constant_values'\]; it takes",
    ),
    (lambda x: np.pad(x, -1), "a width is 0 or more"),
    (lambda x: np.pad(x[:0], 1, mode="edge"), "along axis 0, which has no elements to take; pad in another mode"),
    (lambda x: np.vander(x), "vander of an array of 2 axes; give a vector"),
    (lambda x: np.meshgrid(x, indexing="yx"), 'meshgrid with indexing=\'yx\'; it is "xy" or "ij"'),
    (lambda x: np.putmask(x, [True], 1.0), r"putmask with a mask of shape \(1,\) for an array of shape \(3, 4\)"),
    (lambda x: np.place(x, x > 0.0, []), "12 elements were to be written with the values of an empty array"),
    (
        lambda x: np.copyto(x, np.ones(4, complex)),
        "copyto of complex128 to float64 by casting='same_kind', which forbids",
    ),
    (lambda x: np.fill_diagonal(x[0].copy(), 1.0), r"fill_diagonal of an array of shape \(4,\); give a matrix"),
    (lambda x: np.take_along_axis(x, np.array([0]), 0), "an array of 2 axes with indices of 1; give equally many"),
    (lambda x: np.apply_along_axis(np.sum, 0, x[:, :0]), r"of shape \(3, 0\), which has no row to apply a function to"),
    (lambda x: np.apply_over_axes(lambda a, axis: np.sum(a), x, 0), "a function that made 0 axes of 2; it is to take"),
]

_UNSUPPORTED: list[tuple[Callable[[Any], Any], str]] = [
    (lambda x: np.reshape(x, 12, order="A"), "reshape in order 'A' was asked for, which depends on how the array lies"),
    (lambda x: x.ravel("K"), 'in order \'K\' .* use order "C" or "F"'),
    (lambda x: np.zeros_like(x, device="cuda"), "an array on device 'cuda' was asked for"),
    (
        lambda x: np.sort(x, order="field"),
        "a sort by the fields 'field' was asked for, which only structured arrays have",
    ),
    (
        lambda x: np.interp(x, [0.0, 1.0], [0.0, 1.0], period=2.0),
        "interp with period=2.0 has no derivative rule; append",
    ),
    (
        lambda x: np.pad(x, 1, mode="empty"),
        "pad with mode 'empty' has no derivative rule .* use one of constant, linear",
    ),
    (lambda x: np.pad(x, 1, mode=lambda *_: None), "pad with mode <function"),
    (
        lambda x: np.copyto(np.zeros((3, 4)), x),
        "copyto was to write into a plain ndarray, and an operand is tracked; make",
    ),
    (lambda x: np.put(np.zeros(3), [0], x[0, 0]), "put was to write into a plain ndarray"),
    (lambda x: np.concatenate((x, x), out=np.zeros((6, 4))), "written into a ndarray"),
    (lambda x: np.trim_zeros(x[0]), r"numpy\.trim_zeros has no derivative rule"),
    (lambda x: x.item(0), "was to become a Python number, which would drop its derivative"),
    (lambda x: x.tolist(), "was to become a list of Python numbers"),
    (lambda x: np.vectorize(lambda v: v * v)(x), "was to become a NumPy array"),
    (lambda x: np.frompyfunc(lambda v: v * v, 1, 1)(x), "has no derivative rule, and an operand is a TrackedArray"),
    (lambda x: np.array([x[0], x[1]]), r"write np\.stack\(\[\.\.\.\]\)"),
    (lambda x: np.r_[x[0], 1.0], r"np\.concatenate\(\[\.\.\.\]\), or np\.array\(\[\.\.\.\], like=x\)"),
]

_IN_PROGRAMS: list[tuple[Callable[[Any], Any], str]] = [
    (lambda x: np.stack((x, x[0])), r"give them all one shape"),
    (lambda x: np.concatenate((x, x[0])), r"arrays of \[1, 2\] axes were to be concatenated; give them equally many"),
    (np.squeeze, r"squeeze without axis was asked for in a program.*say which axis is to go"),
    (lambda x: np.pad(x, 1, mode="reflect"), "pad in mode 'reflect' needs the sizes of its operand as numbers"),
    (
        lambda x: np.split(x, 2),
        "split into a number of parts needs the sizes .* give the program's input sizes as ints",
    ),
    (lambda x: np.unique(x), "unique needs the values of its operand, and in a program only the run knows them"),
    (lambda x: np.broadcast_arrays(x, x.T), "only the run knows which of their sizes is 1"),
    (lambda x: np.lexsort((x, x)), r"numpy\.lexsort in a program has no derivative rule"),
]


@pytest.mark.parametrize(("function", "message"), _WRONG)
def test_what_means_nothing(function: Callable[[Any], Any], message: str) -> None:
    with rg.GradientTape() as tape, pytest.raises(UsageError, match=message):
        function(tape.watch(X.copy()))


@pytest.mark.parametrize(("function", "message"), _UNSUPPORTED)
def test_what_has_no_derivative(function: Callable[[Any], Any], message: str) -> None:
    with rg.GradientTape() as tape, pytest.raises(UnsupportedError, match=message):
        function(tape.watch(X.copy()))


@pytest.mark.parametrize(("function", "message"), _IN_PROGRAMS)
def test_what_only_a_run_knows(function: Callable[[Any], Any], message: str) -> None:
    with pytest.raises(RetrogradeError, match=message):
        function(ProgramBuilder("f").input("x", "float64", ("n", None)))


def test_what_numpy_refuses() -> None:
    with rg.GradientTape() as tape:
        x = tape.watch(V)
        with pytest.raises(IndexError, match="put at 0 to 6 in an array of 6 elements"):
            np.put(x, [0, 6], 1.0)
        with pytest.raises(IndexError):
            np.take(x, [7])
        with pytest.raises(IndexError, match="integer"):
            x[x]
        with pytest.raises(np.exceptions.AxisError):
            np.concatenate((x, x), axis=1)
        with pytest.raises(np.exceptions.AxisError):
            np.rollaxis(x, 0, -2)
        with pytest.raises(ValueError, match="broadcast"):
            np.broadcast_arrays(x, np.ones(5))


def test_a_write_into_what_shares_memory_is_refused() -> None:
    for write in (
        lambda y: y.sort(),
        lambda y: np.copyto(y, 1.0),
        lambda y: np.put(y, [0], 1.0),
        lambda y: y.fill(0.0),
    ):
        with rg.GradientTape() as tape:
            x = tape.watch(V)
            view = x[1:]
            with pytest.raises(UnsupportedError, match=r"a view .* was written in place"):
                write(view)
            with pytest.raises(UnsupportedError, match=r"while a view of it .* is in use"):
                write(x)


def test_a_view_is_assigned_back_where_it_was_taken() -> None:
    def back(x: Any, index: Any) -> Any:
        y = x.copy()
        row = y[0, 1:]
        row += 1.0
        y[index] = row
        return np.sum(y * y)

    for index in ((0, slice(1, None)), (np.int64(0), slice(1, None))):
        np.testing.assert_array_equal(rg.grad(back, backend="tape")(X, index)[0], 2.0 * (X[0] + [0.0, 1.0, 1.0, 1.0]))
    for index in ((1, slice(1, None)), (0, slice(0, 3)), (0, slice(1, 4)), (..., 0, slice(1, None))):
        with pytest.raises(UnsupportedError, match=r"write `x\[i\] \+= v`"):
            rg.grad(back, backend="tape")(X, index)

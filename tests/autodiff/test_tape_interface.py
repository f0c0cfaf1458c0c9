"""Jacobians of the tape, and the arrays that it takes: every dtype, every size, other arrays, generators, threads."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from numpy.lib.mixins import NDArrayOperatorsMixin

import retrograde as rg
from retrograde.errors import UsageError

X = np.array([[0.3, -1.2, 2.0], [0.5, 1.1, -0.7]])


def _mixed(x: Any) -> Any:
    return np.tanh(x @ np.arange(6.0).reshape(3, 2)) * x[:, :2] + x[0, 0]


def _by_differences(function: Any, x: Any) -> Any:
    steps = 1e-6 * np.eye(x.size).reshape(x.size, *x.shape)
    columns = [(function(x + step) - function(x - step)) / 2e-6 for step in steps]
    return np.stack(columns, axis=-1).reshape(*columns[0].shape, *x.shape)


def test_the_jacobian_by_several_sources() -> None:
    with rg.GradientTape() as tape:
        x, y = tape.watch((X, np.array([2.0, 3.0])))
        out = _mixed(x) * y
    by_x, by_y = tape.jacobian(out, (x, y))
    np.testing.assert_allclose(by_x, _by_differences(lambda x: _mixed(x) * [2.0, 3.0], X), rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(by_y, _by_differences(lambda y: _mixed(X) * y, np.array([2.0, 3.0])), atol=1e-8)
    with pytest.raises(UsageError, match=r"jacobian was called on a tape that is used already"):
        tape.jacobian(out, x)


def test_jacobians_of_scalars_and_of_nothing() -> None:
    with rg.GradientTape(persistent=True) as tape:
        x, z, y = tape.watch((X, 2.0, np.ones(2)))
        total = np.sum(x)
        none = x[:0]
        empty = none * 2.0
    assert tape.jacobian(total, z) is None
    np.testing.assert_array_equal(tape.jacobian(total, z, unconnected="zero"), 0.0)
    np.testing.assert_array_equal(tape.jacobian(total, x), np.ones((2, 3)))
    assert tape.jacobian(empty, x).shape == (0, 3, 2, 3)
    assert tape.batch_jacobian(empty, none).shape == (0, 3, 3)
    assert tape.batch_jacobian(x, y) is None
    np.testing.assert_array_equal(tape.batch_jacobian(x, y, unconnected="zero"), np.zeros((2, 3)))
    np.testing.assert_array_equal(tape.jacobian(x, x).reshape(6, 6), np.eye(6))


def test_the_jacobian_is_differentiated_again() -> None:
    def trace(x: Any) -> Any:
        with rg.GradientTape() as tape:
            y = tape.watch(x)
            out = y * y * y
        return np.sum(tape.jacobian(out, y) * np.eye(3))

    np.testing.assert_allclose(rg.grad(trace)(X[0]), 6 * X[0])


def test_the_jacobian_of_each_example() -> None:
    def each(x: Any) -> Any:
        return np.stack([x[:, 0] * x[:, 1], np.sin(x[:, 2]) * x[:, 0]], axis=1)

    with rg.GradientTape(persistent=True) as tape:
        x = tape.watch(X)
        out = each(x)
    whole = _by_differences(each, X)
    found = tape.batch_jacobian(out, x)
    np.testing.assert_allclose(found, [whole[at, :, at] for at in range(2)], rtol=1e-6, atol=1e-8)
    np.testing.assert_array_equal(found, [tape.jacobian(out, x)[at, :, at] for at in range(2)])


def test_examples_that_depend_on_each_other() -> None:
    with rg.GradientTape(persistent=True) as tape:
        x = tape.watch(X)
        out = np.concatenate((x * x, x - np.sum(x, axis=0) / 100), axis=1)
    with pytest.raises(UsageError, match=r"examples depend on other examples of the source \(the one at 0,.*jacobian"):
        tape.batch_jacobian(out, x)


def test_what_is_no_batch() -> None:
    with rg.GradientTape(persistent=True) as tape:
        x = tape.watch(X)
        z = tape.watch(np.ones(2, complex))
        total = np.sum(x)
    with pytest.raises(
        UsageError, match=r"target of shape \(\) and a source of shape \(2, 3\); the first axis of both"
    ):
        tape.batch_jacobian(total, x)
    with pytest.raises(UsageError, match=r"its source is complex128; it is of real arrays: take apart"):
        tape.jacobian(total, z)
    with pytest.raises(UsageError, match='it is "none" or "zero"'):
        tape.jacobian(total, x, unconnected="nothing")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="batch_jacobian was called on a tape that is not entered yet"):
        rg.GradientTape().batch_jacobian(total, x)


def test_the_jacobian_under_a_budget() -> None:
    with rg.GradientTape(budget="1 MB") as tape:
        x = tape.watch(X)
        out = _mixed(x)
    np.testing.assert_allclose(tape.jacobian(out, x), _by_differences(_mixed, X), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(
    "dtype", ["float16", ml_dtypes.bfloat16, "float32", "float64", "longdouble", "complex64", "complex128"]
)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 2), (2, 2)])
def test_every_dtype_and_every_size(dtype: Any, shape: tuple[int, ...]) -> None:
    x = np.full(shape, 0.5, dtype)

    def program(x: Any) -> Any:
        y = np.exp(x) * x + x / (x + x) - x
        y = np.where(np.real(y) > 0, y, -y) * np.tanh(x)
        return np.sum(np.real(y * y))

    value, gradient = rg.value_and_grad(program)(x)
    assert (gradient.shape, gradient.dtype) == (shape, x.dtype)
    assert value.dtype == np.real(x).dtype
    wide = np.full(shape, 0.5)
    found = np.real(gradient).astype(float)
    accuracy = 30 * float(ml_dtypes.finfo(np.real(x).dtype).eps) if x.dtype != np.longdouble else 1e-12
    np.testing.assert_allclose(found, rg.grad(program)(wide), rtol=accuracy)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_passes_through(bad: float) -> None:
    x = np.array([1.0, bad, 2.0])
    gradient = rg.grad(lambda x: np.sum(x * x * 3.0))(x)
    np.testing.assert_array_equal(gradient, 6 * x)


def test_masked_arrays_and_matrices_are_refused() -> None:
    masked = np.ma.MaskedArray(X, X > 0)
    matrix: Any = np.array(X).view(np.matrix)
    with rg.GradientTape() as tape:
        with pytest.raises(UsageError, match=r"a MaskedArray was to be differentiated.*`x.filled\(0.0\)`.*np.where"):
            tape.watch(masked)
        with pytest.raises(UsageError, match=r"a matrix was to be differentiated.*`np.asarray\(x\)`"):
            tape.watch(matrix)
        x = tape.watch(X)
        with pytest.raises(UsageError, match="a MaskedArray was to be differentiated"):
            _ = x * masked
        with pytest.raises(UsageError, match="a matrix was to be differentiated"):
            _ = x * matrix


def test_an_array_in_a_file_is_watched(tmp_path: Any) -> None:
    stored: Any = np.memmap(tmp_path / "array", float, "w+", shape=(2, 3))
    stored[:] = X
    gradient = rg.grad(lambda x: np.sum(x * x))(stored)
    assert type(gradient) is np.ndarray
    np.testing.assert_array_equal(gradient, 2 * X)


class _Duck(NDArrayOperatorsMixin):
    """An array that is none of NumPy's, and speaks its protocols, as arrays on other devices do."""

    def __init__(self, array: Any) -> None:
        self.array = np.asarray(array)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        assert method == "__call__"
        return _Duck(ufunc(*map(_inside, inputs), **{name: _inside(option) for name, option in options.items()}))

    def __array_function__(self, function: Any, types: Any, arguments: Any, options: Any) -> Any:
        out = function(*_inside(arguments), **{name: _inside(option) for name, option in options.items()})
        return _Duck(out) if isinstance(out, (np.ndarray, np.generic)) else out

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        raise TypeError("implicit conversion of an array of another device")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        found = getattr(self.array, name)
        if callable(found):
            return lambda *arguments, **options: _Duck(found(*_inside(arguments), **options))
        return _Duck(found) if isinstance(found, np.ndarray) else found

    def __getitem__(self, index: Any) -> Any:
        return _Duck(self.array[index])

    def __setitem__(self, index: Any, value: Any) -> None:
        self.array[index] = _inside(value)


def _inside(value: Any) -> Any:
    if isinstance(value, _Duck):
        return value.array
    if isinstance(value, (tuple, list)):
        return type(value)(map(_inside, value))
    return value


def _perceptron(w: Any, b: Any, x: Any) -> Any:
    hidden = np.tanh(x @ w + b)
    hidden = np.concatenate((hidden, np.maximum(hidden, 0.1)), axis=1)
    picked = hidden[:, 1:] * np.exp(-hidden[:, :-1])
    return np.sum(np.mean(picked, axis=0) / (1.0 + np.sum(hidden * hidden)))


def test_arrays_of_another_library() -> None:
    random = np.random.default_rng(0)
    w, b, x = random.standard_normal((3, 4)), random.standard_normal(4), random.standard_normal((5, 3))
    expected = rg.value_and_grad(_perceptron, (0, 1, 2))(w, b, x)
    with rg.GradientTape() as tape:
        watched = tuple(tape._watch_one(_Duck(array)) for array in (w, b, x))
        value = _perceptron(*watched)
    found = tape.gradient(value, list(watched), _Duck(1.0))
    assert all(type(array) is _Duck for array in found)
    np.testing.assert_allclose(value.value.array, expected[0])
    for array, other in zip(found, expected[1], strict=True):
        np.testing.assert_allclose(array.array, other)


def test_recording_inside_a_generator() -> None:
    def walk(x: Any) -> Iterator[Any]:
        while True:
            x = np.sin(x) * 2.0
            yield x

    def tapes() -> Iterator[Any]:
        with rg.GradientTape() as tape:
            x = tape.watch(X)
            y = yield x
            yield tape.gradient(np.sum(y), x)

    one, other = tapes(), tapes()
    x, y = next(one), next(other)
    steps = walk(x)
    first, second = next(steps), next(steps)
    gradient_of_y = other.send(y * 3.0)
    np.testing.assert_array_equal(gradient_of_y, np.full((2, 3), 3.0))
    gradient_of_x = one.send(first + second)
    inner = 2 * np.sin(X)
    np.testing.assert_allclose(gradient_of_x, 2 * np.cos(X) * (1 + 2 * np.cos(inner)))


def test_a_tape_that_fails_leaves_the_others_as_they_are() -> None:
    with rg.GradientTape() as outer:
        x = outer.watch(X)
        with pytest.raises(UsageError, match="dtype int64 was to be watched"), rg.GradientTape() as inner:
            inner.watch([x, np.arange(3)])
        y = np.sum(x * x)
    np.testing.assert_array_equal(outer.gradient(y, x), 2 * X)


def test_operations_of_other_threads_are_recorded() -> None:
    with rg.GradientTape() as tape:
        x = tape.watch(X)
        parts: dict[int, Any] = {}
        threads = [threading.Thread(target=lambda at=at: parts.update({at: np.sum(np.sin(x) * at)})) for at in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        total = sum(parts.values())
    np.testing.assert_allclose(tape.gradient(total, x), 6 * np.cos(X))

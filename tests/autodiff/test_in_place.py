"""Writes into tracked arrays, duals and symbols: NumPy's numbers with the right derivative, or an error; nothing "
"else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import retrograde as rg
from retrograde.autodiff import reverse
from retrograde.errors import UnsupportedError, UsageError
from retrograde.program import ProgramBuilder

X = np.array([[0.3, -1.2, 2.0], [0.5, 1.1, -0.7]])


def _write_elements(x: Any) -> Any:
    y = x.copy()
    y[0, 0] = y[1, 2] * y[0, 1]
    y[1] = 2.0
    return np.sum(y * y)


def _augmented(x: Any) -> Any:
    y = x * 1.0
    y[0] += y[1] * y[0]
    y[:, 1:] *= 3.0
    y[0, 0] -= 2.0
    y /= 2.0
    return np.sum(y * y)


def _read_before_and_after(x: Any) -> Any:
    y = x.copy()
    before = y * 2.0
    y[0] = x[1] * x[1]
    return np.sum(before * y)


def _two_names(x: Any) -> Any:
    y = x.copy()
    z = y
    y += x
    z[0] *= y[1]
    return np.sum(y * z)


def _a_name_for_a_view(x: Any) -> Any:
    y = x.copy()
    row = y[0]
    same = row
    row += y[1]
    return np.sum(same * row)


def _rows(x: Any) -> Any:
    y = x.copy()
    y[0] += y[1]
    y[:, 0] *= y[:, 2]
    return np.sum(y * y)


def _by_integer_array(x: Any) -> Any:
    y = x.copy()
    y[np.array([0, 0]), np.array([1, 1])] = x[1, :2]
    y[np.array([1, 1])] += x
    return np.sum(y * y)


def _assigned_back(x: Any) -> Any:
    y = x.copy()
    row = y[0]
    row += 1.0
    y[0] = row
    return np.sum(y * y)


def _fill(x: Any) -> Any:
    y = np.zeros_like(x)
    for at in range(3):
        y[1, at] = x[0, at] * x[1, at]
    y[0] = 3.0
    return np.sum(y * y)


def _write_a_copy_of_a_view(x: Any) -> Any:
    y = x * 1.0
    row = y[0].copy()
    row[1] = 7.0
    y[1] = row * y[0]
    return np.sum(y)


def _numbers(x: Any) -> Any:
    """A number is replaced by `+=`, and not changed under its other names."""
    one = x[0, 0]
    other = one
    other += x[0, 1]
    other *= x[1, 1]
    total = np.sum(x)
    before = total
    total -= one
    return one * other + before * total


_RIGHT = [_write_elements, _augmented, _read_before_and_after, _two_names, _by_integer_array, _assigned_back, _fill]
_RIGHT += [_write_a_copy_of_a_view, _numbers, _a_name_for_a_view, _rows]


def _differences(function: Any) -> Any:
    directions = 1e-6 * np.eye(6).reshape(6, 2, 3)
    return np.array([(function(X + d) - function(X - d)) / 2e-6 for d in directions]).reshape(2, 3)


@pytest.mark.parametrize("function", _RIGHT)
def test_the_tape(function: Any) -> None:
    value, gradient = rg.value_and_grad(function, backend="tape")(X)
    assert value == function(X)
    np.testing.assert_allclose(gradient, _differences(function), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("function", _RIGHT)
def test_duals(function: Any) -> None:
    value, tangent = rg.jvp(function, (X,), (np.ones((2, 3)),), backend="tape")
    assert value == function(X)
    np.testing.assert_allclose(tangent, _differences(function).sum(), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("function", _RIGHT)
def test_programs(function: Any) -> None:
    builder = ProgramBuilder("writes")
    out = function(builder.input("x", "float64", (2, 3)))
    program = builder.finish(out=out)
    value, gradient = reverse(program, ["x"], ["out"])(X, 1.0)
    assert value == function(X)
    np.testing.assert_allclose(gradient, _differences(function), rtol=1e-6, atol=1e-8)


def _write_a_view(x: Any) -> Any:
    row = x[0]
    row[1] = 3.0
    return np.sum(x)


def _write_under_a_view(x: Any) -> Any:
    row = x[0]
    x[0] = 3.0
    return np.sum(row)


def _write_under_a_transpose(x: Any) -> Any:
    turned = x.T
    x += 1.0
    return np.sum(turned)


def _write_through_a_view(x: Any) -> Any:
    row = x[0]
    row += 1.0
    return np.sum(x)


def _write_through_a_reshape(x: Any) -> Any:
    flat = x.reshape(6)
    flat *= 2.0
    x[0] = 1.0
    return np.sum(flat)


def _write_through_two_views(x: Any) -> Any:
    x[0][1:] += 2.0
    return np.sum(x)


def _write_a_real_part(x: Any) -> Any:
    part = x.real
    part[0] = 1.0
    return np.sum(x)


def _read_another_view(x: Any) -> Any:
    row, other = x[0], x.T
    row += 1.0
    return np.sum(other) + np.sum(row)


def _read_a_view_of_the_view(x: Any) -> Any:
    row = x[0]
    part = row[1:]
    row *= 2.0
    return np.sum(part)


def _write_the_array_after_the_view(x: Any) -> Any:
    row = x[0]
    row += 1.0
    x[0] = row
    x *= 2.0
    return np.sum(row)


def _write_the_view_twice(x: Any) -> Any:
    row = x[0]
    row += 1.0
    x[0] = row
    row += 1.0
    return np.sum(x)


_REFUSED = [
    (_read_another_view, r"write `x\[i\] \+= v`"),
    (_read_a_view_of_the_view, r"write `x\[i\] \+= v`"),
    (_write_the_array_after_the_view, "while a view of it .* is in use"),
    (_write_the_view_twice, r"write `x\[i\] \+= v`"),
    (_write_a_real_part, "a view .* was written in place"),
    (_write_a_view, "a view .* was written in place"),
    (_write_under_a_view, "while a view of it .* is in use"),
    (_write_under_a_transpose, "while a view of it .* is in use"),
    (_write_through_a_view, r"write `x\[i\] \+= v`"),
    (_write_through_a_reshape, r"write `x\[i\] \+= v`"),
    (_write_through_two_views, r"write to the array itself: `x\[i, j\] \+= v`"),
]


@pytest.mark.parametrize(("function", "message"), _REFUSED)
def test_what_would_go_wrong_is_refused(function: Any, message: str) -> None:
    with pytest.raises(UnsupportedError, match=message):
        rg.grad(function, backend="tape")(X)
    with pytest.raises(UnsupportedError, match=message):
        rg.jvp(function, (X,), (X,), backend="tape")
    with pytest.raises(UnsupportedError, match=message):
        function(ProgramBuilder("writes").input("x", "float64", (2, 3)))


def test_a_write_keeps_dtype_and_rank() -> None:
    with rg.GradientTape() as tape:
        x = tape.watch(np.ones(2, np.float32))
        y = x.copy()
        y += np.ones(2)
        assert y.dtype == np.float32
        with pytest.raises(
            UsageError,
            match=r"an array of shape \(2,\) was to be changed in place to one of shape \(3, 2\); write `x = x",
        ):
            y += np.ones((3, 2))
        with pytest.raises(UsageError, match="float32 array was to be changed in place by a complex"):
            y *= 1j


def test_a_number_among_the_arguments_is_replaced() -> None:
    def f(x: Any) -> Any:
        y = x
        y += 1.0
        return x * y

    assert rg.grad(f, backend="tape")(3.0) == rg.grad(f, backend="tape")(np.float64(3.0)) == 7.0
    assert rg.jvp(f, (3.0,), (1.0,), backend="tape")[1] == 7.0
    assert rg.grad(f, backend="tape")(np.array(3.0)) == 8.0


def test_a_write_that_is_not_recorded() -> None:
    with rg.GradientTape() as tape:
        x = tape.watch(X)
        with tape.stop_recording(), pytest.raises(UnsupportedError, match="become a ndarray: its tape does not record"):
            x[0] = 1.0
        with pytest.raises(UnsupportedError, match=r"become a Dual.*write into a copy made here"):
            rg.jvp(lambda v: x.__setitem__(0, v), (X[0],), (X[1],))


def test_a_watched_array_that_was_written_is_no_source() -> None:
    with rg.GradientTape() as tape:
        x = tape.watch(X)
        x[0] = 0.0
        y = np.sum(x)
    with pytest.raises(UsageError, match=r"source 0 was watched and then written in place.*y = x.copy\(\)"):
        tape.gradient(y, x)


def test_a_copy_of_an_array_without_axes_is_one() -> None:
    def f(x: Any) -> Any:
        y = np.copy(x)
        z = y
        y += 1.0
        y[...] = y * z
        return y * z

    x = np.array(2.0)
    assert f(x) == 81.0
    assert rg.value_and_grad(f, backend="tape")(x) == (81.0, 4 * 27.0)
    assert rg.jvp(f, (x,), (np.array(1.0),), backend="tape") == (81.0, 4 * 27.0)


def test_the_plain_value_behind_a_tracked_array_is_not_written() -> None:
    def f(x: Any, own: bool) -> Any:
        plain = rg.stop_gradient(x)
        plain = plain.copy() if own else plain
        plain[0] = 10.0
        return np.sum(x * plain)

    for derivative in (
        lambda own: rg.grad(f, backend="tape")(X, own),
        lambda own: rg.jvp(lambda x: f(x, own), (X,), (X,), backend="tape"),
    ):
        with pytest.raises(ValueError, match="read-only"):
            derivative(False)
    np.testing.assert_array_equal(rg.grad(f, backend="tape")(X, True), [[10.0, 10.0, 10.0], X[1]])

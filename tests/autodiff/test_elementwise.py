"""Elementwise functions as NumPy spells them: values, derivatives, operators, and functions with several results."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import pytest
from agreement import agrees

import retrograde as rg
from retrograde.errors import UnsupportedError, UsageError

X = np.array([0.31, -1.13, 1.87, 0.72])
P = np.abs(X)
Z = np.array([0.3 + 0.2j, -1.2 + 0.7j, 0.1 - 1.1j])
B = np.array([[1.1], [-0.4]])

_UNARY: list[Any] = [
    (np.radians, X),
    (np.degrees, X),
    (np.sign, Z),
    (np.angle, Z),
    (lambda z: np.angle(z, deg=True) / 50, Z),
    (np.angle, X),
    (np.real_if_close, X),
    (lambda x: np.nan_to_num(x, nan=1.0), X),
    (lambda x: np.clip(x, -0.5, 1.0), X),
    (lambda x: np.clip(x, None, 1.0), X),
    (lambda x: np.clip(x, min=0.5), X),
    (lambda x: np.clip(x, None, None), X),
    (lambda x: x.clip(-0.5, np.array([1.0, 2.0, 0.4, 3.0])), X),
    (lambda x: np.float_power(x, 3), P),
    (abs, X),
    (abs, Z),
    (lambda x: x**2, X),
    (lambda x: x**-1, X),
    (lambda x: x**1, X),
    (lambda x: x**0, X),
    (lambda x: x**0.5, P),
    (lambda x: x**2.5, P),
    (lambda x: x**-1.5, P),
    (lambda x: x**5 / 9, X),
    (lambda z: z**3, Z),
    (lambda x: 2**x, X),
    (lambda x: 1.5**x, X),
    (lambda x: x % 0.4, X),
    (lambda x: 5.0 % x, X),
    (lambda x: x - x // 0.4, X),
    (lambda x: x.conj() * x.conjugate(), Z),
    (lambda x: np.modf(x)[0], X),
    (lambda x: np.frexp(x)[0], X),
    (lambda x: np.divmod(x, 0.4)[1], X),
    (lambda x: divmod(x, 0.4)[1], X),
    (lambda x: divmod(2.5, x)[1], X),
    (lambda x: np.select([x > 1.0, x > 0.0], [x * x, np.sin(x)]), X),
    (lambda x: np.select([x > 1.0, x > 0.0], [x * x, 2.0], default=x), X),
    (lambda x: np.where(x > 0, x, -2 * x), X),
]


@pytest.mark.parametrize(("function", "x"), _UNARY)
def test_functions_of_one_operand(function: Any, x: Any) -> None:
    agrees(function, x, programs=function is not np.real_if_close)


_BINARY: list[Any] = [np.hypot, np.arctan2, np.logaddexp, np.logaddexp2, np.minimum, np.fmin, np.fmax, np.remainder]
_BINARY += [np.mod, np.fmod, np.copysign, operator.mod, np.power, operator.pow, np.float_power, np.heaviside]


@pytest.mark.parametrize("function", _BINARY)
@pytest.mark.parametrize(("x", "y"), [(P, P[::-1]), (P, B * B), (np.float64(0.4), X * X), (B * B, 1.3)])
def test_functions_of_two_operands(function: Any, x: Any, y: Any) -> None:
    agrees(function, np.asarray(x), np.asarray(y) + 0.06)


def test_functions_with_several_results() -> None:
    agrees(np.modf, X)
    agrees(lambda x: np.divmod(x, 0.4), X)
    agrees(np.frexp, X)


def test_piecewise() -> None:
    agrees(lambda x: np.piecewise(x, [x < 0, x > 1], [np.negative, lambda v: v * v, 3.0]), X, programs=False)
    agrees(lambda x: np.piecewise(x, [x < 0, x > 5], [np.negative, np.sin]), X, programs=False)
    agrees(lambda x: np.piecewise(x, x > 0, [lambda v, power: v**power, 0.0], 2), X, programs=False)
    agrees(lambda x: np.piecewise(x, [x > 9], [lambda v: np.max(v) * v, np.sin]), X, programs=False)
    with pytest.raises(UsageError, match="2 conditions of 1 functions"):
        rg.grad(lambda x: np.sum(np.piecewise(x, [x < 0, x > 1], [1.0])))(X)
    with pytest.raises(UsageError, match="2 conditions of 1 arrays"):
        rg.grad(lambda x: np.sum(np.select([x < 0, x > 1], [x])))(X)


_CONSTANT: list[Any] = [
    *(np.floor, np.ceil, np.rint, np.trunc, np.fix, np.round, np.around, np.sign, np.isnan, np.isfinite, np.isinf),
    *(np.isneginf, np.isposinf, np.isreal, np.isrealobj, np.signbit, np.logical_not, np.any, np.all, np.argmax),
    *(np.argmin, np.nanargmax, np.nanargmin, np.count_nonzero, np.iscomplexobj),
    lambda x: np.round(x, 1),
    lambda x: x.round(1),
    lambda x: x // 0.3,
    lambda x: 2.0 // x,
    lambda x: divmod(x, 0.3)[0],
    lambda x: np.frexp(x)[1],
    lambda x: np.modf(x)[1],
    lambda x: np.isclose(x, X + 1e-12),
    lambda x: np.allclose(x, x),
    lambda x: np.array_equal(x, X),
    lambda x: np.array_equiv(x, X),
    lambda x: np.histogram(x, 3)[0],
    lambda x: np.digitize(x, np.sort(X)),
    lambda x: np.searchsorted(np.sort(X), x),
    lambda x: np.logical_and(x > 0, x),
    lambda x: (x > 0) & (x < 1) | ~(x > 0.1) ^ (x > 2),
    lambda x: x.argmax(axis=0, keepdims=True),
    lambda x: np.any(x, where=x > 1),
    lambda x: np.all(x, where=x > 1, keepdims=True),
]


@pytest.mark.parametrize("function", _CONSTANT)
def test_what_is_constant_is_plain(function: Any) -> None:
    with rg.GradientTape() as tape:
        found = function(tape.watch(X))
    expected = function(X)
    assert type(found) is type(expected)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(rg.jvp(function, (X,), (X,))[0], expected)


def test_a_gradient_through_what_is_constant_is_zero() -> None:
    np.testing.assert_array_equal(rg.grad(lambda x: np.sum(np.floor(x) + np.sign(x)))(X), np.zeros(4))
    np.testing.assert_array_equal(rg.grad(lambda x: np.sum(np.floor(x) * x))(X), np.floor(X))


def test_a_power_written_in_place() -> None:
    def function(x: Any) -> Any:
        y = x * 1.0
        y **= 2
        y %= 0.7
        other = y
        y //= 0.1
        return np.sum(other + x)

    np.testing.assert_array_equal(rg.grad(function)(X), np.ones(4))
    agrees(lambda x: operator.ipow(+x, 3), X)
    agrees(lambda x: operator.imod(+x, 0.4), X)
    agrees(lambda x: operator.imatmul(np.multiply.outer(x, x), np.eye(4)), X)


def test_nan_to_num_in_place_is_refused() -> None:
    with pytest.raises(UnsupportedError, match=r"copy=False.*write `x = np.nan_to_num\(x\)`"):
        rg.grad(lambda x: np.sum(np.nan_to_num(x, copy=False)))(X)


def test_nan_to_num_gives_nothing_to_what_it_replaced() -> None:
    x = np.array([1.0, np.nan, np.inf, -np.inf])
    np.testing.assert_array_equal(rg.grad(lambda x: np.sum(np.nan_to_num(x, posinf=7.0)))(x), [1.0, 0.0, 0.0, 0.0])
    z = np.array([1.0 + 2j, complex(np.nan, 3.0)])
    np.testing.assert_array_equal(
        rg.grad(lambda z: np.sum(np.real(z := np.nan_to_num(z)) + np.imag(z)))(z), [1.0 + 1j, 1j]
    )


def test_real_if_close_of_complex_numbers() -> None:
    close = Z.real + 0j
    assert rg.grad(lambda z: np.sum(np.square(np.real_if_close(z))))(close).dtype == complex
    agrees(np.real_if_close, Z, programs=False)
    with pytest.raises(UnsupportedError, match="real_if_close of a complex array in a program"):
        agrees(np.real_if_close, Z)

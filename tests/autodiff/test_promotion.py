"""Values, dtypes and shapes are exactly NumPy's, whatever is tracked, and gradients have the dtype of their source."""

from __future__ import annotations

import operator
import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import retrograde as rg
from retrograde.program import ProgramBuilder

_FLOATING = ["float16", "float32", "float64", "longdouble", "complex64", "complex128"]
_ANY = [*_FLOATING, "int8", "int64", "uint16", "bool", "int", "float", "complex"]
_PYTHON = {"int": 2, "float": 1.5, "complex": 0.5 + 1j}
_SHAPES = [(), (1,), (3,), (2, 1), (2, 3), (0,), (1, 0)]
_FUNCTIONS: list[Any] = [
    *(operator.add, operator.sub, operator.mul, operator.truediv, operator.pow, operator.mod, operator.floordiv),
    *(operator.lt, operator.eq, np.add, np.multiply, np.divide, np.power, np.float_power, np.maximum, np.fmin),
    *(np.hypot, np.arctan2, np.logaddexp, np.copysign, np.heaviside, np.remainder, np.fmod, np.not_equal),
    *(np.floor_divide, np.logical_or, np.multiply.outer),
    lambda x, y: np.where(x == y, x, y),
    lambda x, y: np.clip(x, y, None),
    lambda x, y: np.select([x == 1, y == 2], [y, x], default=2),
]


def _value(draw: Any, kind: str) -> Any:
    if kind in _PYTHON:
        return _PYTHON[kind]
    shape = draw(st.sampled_from(_SHAPES))
    values = np.random.default_rng(draw(st.integers(0, 99))).uniform(0.5, 3.0, shape)
    return values.astype(kind)[()]


@st.composite
def _operands(draw: Any) -> tuple[Any, Any]:
    one = _value(draw, draw(st.sampled_from(_FLOATING)))
    other = _value(draw, draw(st.sampled_from(_ANY)))
    return (one, other) if draw(st.booleans()) else (other, one)


def _of_numpy(function: Any, x: Any, y: Any) -> Any:
    try:
        return function(x, y)
    except (TypeError, ValueError) as error:
        return type(error)


def _is_tracked_kind(x: Any) -> bool:
    return isinstance(x, (np.ndarray, np.generic)) and x.dtype.kind in "fc"


def _is_exact(function: Any, expected: Any) -> bool:
    """NumPy's loops for `power` and `float_power`, and those for numbers and for arrays, may round in another way."""
    return np.ndim(expected) > 0 and function is not np.float_power


def _same(found: Any, expected: Any, exactly: bool = True) -> None:
    assert (np.shape(found), np.asarray(found).dtype) == (np.shape(expected), np.asarray(expected).dtype)
    if exactly:
        np.testing.assert_array_equal(found, expected)
    elif np.asarray(expected).dtype.kind in "fc":
        np.testing.assert_allclose(found, expected, rtol=4 * np.finfo(np.asarray(expected).dtype).eps)


def _check_tape(function: Any, operands: tuple[Any, Any], expected: Any) -> None:
    """On the tape, the values come from NumPy's own functions; a Python exponent has one of its own for numbers."""
    with rg.GradientTape() as tape:
        tracked = [tape.watch(x) if _is_tracked_kind(x) else x for x in operands]
        if isinstance(expected, type):
            with pytest.raises(expected):
                function(*tracked)
            return
        found = function(*tracked)
    _same(rg.stop_gradient(found), expected, exactly=_is_exact(function, expected))
    sources = [x for x, y in zip(tracked, operands, strict=True) if _is_tracked_kind(y)]
    if found.dtype.kind not in "fc" or not hasattr(found, "node"):
        return
    gradients = tape.gradient(found, sources, output_gradients=np.ones(found.shape), unconnected="zero")
    for gradient, source in zip(gradients, sources, strict=True):
        assert (gradient.shape, gradient.dtype) == (source.shape, source.dtype)


def _check_dual(function: Any, operands: tuple[Any, Any], expected: Any) -> None:
    places = [at for at, x in enumerate(operands) if _is_tracked_kind(x)]

    def of_tracked(*values: Any) -> Any:
        given = list(operands)
        for at, value in zip(places, values, strict=True):
            given[at] = value
        return function(*given)

    primals = tuple(operands[at] for at in places)
    found, tangent = rg.jvp(of_tracked, primals, tuple(np.ones_like(x) for x in primals))
    _same(found, expected, exactly=_is_exact(function, expected))
    assert np.shape(tangent) == np.shape(expected)


def _check_program(function: Any, operands: tuple[Any, Any], expected: Any) -> None:
    builder = ProgramBuilder("promotion")
    arrays = [x for x in operands if isinstance(x, (np.ndarray, np.generic))]
    names = iter("xy")
    symbols = [
        builder.input(next(names), x.dtype, x.shape) if isinstance(x, (np.ndarray, np.generic)) else x for x in operands
    ]
    out = function(*symbols)
    (found,) = builder.finish(out=out)(*arrays)
    _same(found, expected, exactly=_is_exact(function, expected))
    assert (out.dtype, out.shape) == (np.asarray(expected).dtype, np.shape(expected))


@settings(max_examples=250, deadline=None)
@given(st.sampled_from(_FUNCTIONS), _operands())
def test_binary_functions_promote_and_broadcast_as_numpy(function: Any, operands: tuple[Any, Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = _of_numpy(function, *operands)
        _check_tape(function, operands, expected)
        if not isinstance(expected, type):
            _check_dual(function, operands, expected)
            _check_program(function, operands, expected)


_REDUCTIONS: list[Any] = [
    *(np.sum, np.prod, np.mean, np.var, np.std, np.max, np.min, np.cumsum, np.cumprod, np.linalg.norm, np.any),
    *(np.argmax, np.ptp, np.median, np.nansum, np.nanmean, np.count_nonzero, np.diff),
    lambda x: np.quantile(x, 0.25),
    lambda x: np.quantile(x, [0.25, 0.5]),
    lambda x: np.average(x, weights=np.ones(4, np.float32)),
    lambda x: np.linalg.norm(x, 3),
    lambda x: np.mean(x, where=np.array([True, True, False, True])),
    lambda x: np.var(x, where=np.array([True, True, False, True])),
    lambda x: np.nanmax(x),
    lambda x: np.nanvar(x),
    lambda x: np.trapezoid(x, dx=0.5),
    lambda x: np.gradient(x),
    lambda x: np.add.reduce(x, dtype=np.float64) if x.dtype.kind == "f" else np.sum(x),
]
_UNARY: list[Any] = [np.sqrt, np.log1p, np.exp2, np.square, np.abs, np.sign, np.arctan, np.sinc, np.nan_to_num]
_UNARY += [np.deg2rad, np.floor, np.cbrt, np.modf, np.frexp, lambda x: x**2, lambda x: x**0.5, lambda x: 2 ** abs(x)]


@pytest.mark.parametrize("dtype", ["float16", "float32", "longdouble", "complex64"])
@pytest.mark.parametrize("function", [*_REDUCTIONS, *_UNARY])
def test_functions_keep_the_dtype_that_numpy_gives(function: Any, dtype: str) -> None:
    x = np.array([0.5, 2.0, 1.5, 0.75], dtype)
    expected = _of_numpy(lambda x, _: function(x), x, None)
    if isinstance(expected, type):
        with pytest.raises((expected, rg.errors.UnsupportedError)):
            rg.vjp(function)(x)
        return
    found, pullback = rg.vjp(function)(x)
    parts = zip(*(part if isinstance(part, tuple) else (part,) for part in (found, expected)), strict=True)
    for one, other in parts:
        _same(one, other, exactly=False)
    cotangents = tuple(np.ones_like(part) for part in (found if isinstance(found, tuple) else (found,)))
    (gradient,) = pullback(cotangents if isinstance(found, tuple) else cotangents[0])
    assert (gradient.shape, gradient.dtype) == (x.shape, x.dtype)


def test_bfloat16() -> None:
    """Its arithmetic with Python numbers is single precision; gradients come back in bfloat16."""
    dtype = np.dtype(pytest.importorskip("ml_dtypes").bfloat16)
    x = np.array([0.5, 2.0, 1.5], dtype)
    for function in (np.sqrt, np.exp, lambda x: x * x + x, lambda x: x / (x + x), lambda x: np.maximum(x, x * x)):
        found, pullback = rg.vjp(lambda x, f=function: np.sum(f(x)))(x)
        assert found.dtype == dtype
        (gradient,) = pullback(np.ones_like(found))
        assert (gradient.dtype, gradient.shape) == (dtype, (3,))
        wide = rg.grad(lambda x, f=function: np.sum(f(x)))(x.astype(np.float64))
        np.testing.assert_allclose(gradient.astype(np.float64), wide, rtol=0.03)


def test_casts() -> None:
    x = np.array([0.5, 2.0])
    for dtype in (np.float16, np.float32, np.complex64, np.longdouble):
        gradient = rg.grad(lambda x, to=dtype: np.real(np.sum(x.astype(to) * x)))(x)
        assert gradient.dtype == np.float64
        np.testing.assert_allclose(gradient, 2 * x)
    with rg.GradientTape() as tape:
        whole = tape.watch(x).astype(int)
    assert type(whole) is np.ndarray
    with pytest.raises(TypeError, match="according to 'safe'"):
        rg.grad(lambda x: np.sum(x.astype(np.float32, casting="safe")))(x)
    assert rg.grad(lambda z: np.sum(z.astype(float)))(x + 1j).tolist() == [1.0, 1.0]

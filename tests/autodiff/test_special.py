"""rg.special: SciPy's values, exact derivatives of any order, and what it refuses."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from scipy import special as scipy_special

import retrograde as rg
from retrograde import special
from retrograde.autodiff import reverse
from retrograde.errors import UnsupportedError
from retrograde.program import ProgramBuilder

X = np.array([0.3, 0.6, 0.9])
_OF_OTHERS = {"ndtri_exp": (-X,), "exp1": (X,), "multigammaln": (X + 2.0, 3), "zeta": (X + 2.0, X)}
_ORDERED = ["jv", "jn", "yv", "yn", "iv", "ive", "kv", "kve", "hankel1", "hankel2", "polygamma"]
_TWO = ["beta", "betaln", "poch", "gammainc", "gammaincc", "gammaincinv", "gammainccinv", "xlogy", "xlog1py"]
_TWO += ["rel_entr", "kl_div"]
_THREE = ["betainc", "betaincc", "betaincinv"]
_SUMS = ["logsumexp", "softmax", "log_softmax"]


def _arguments(name: str, dtype: Any = np.float64) -> tuple[Any, ...]:
    x = X.astype(dtype)
    if name in _OF_OTHERS:
        return tuple(a.astype(dtype) if isinstance(a, np.ndarray) else a for a in _OF_OTHERS[name])
    if name in _ORDERED:
        return 2, x
    return (x + dtype(1), x, x)[: 1 + (name in _TWO) + 2 * (name in _THREE)] if name in _TWO + _THREE else (x,)


@pytest.mark.parametrize("name", special.__all__)
def test_values_and_dtypes_are_those_of_scipy(name: str) -> None:
    for dtype in (np.float64, np.float32):
        arguments = _arguments(name, dtype)
        options = {"axis": 0} if name in _SUMS else {}
        found: Any = getattr(special, name)(*arguments, **options)
        expected = getattr(scipy_special, name)(*arguments, **options)
        for out, wanted in zip(found, expected, strict=True) if isinstance(expected, tuple) else [(found, expected)]:
            np.testing.assert_allclose(out, wanted, rtol=1e-6 if dtype is np.float32 else 1e-13)
            # SciPy computes these two in double precision, whatever it is given.
            assert out.dtype == (dtype if name in ("multigammaln", "yn") else wanted.dtype)


@pytest.mark.parametrize("name", [name for name in special.__all__ if name not in ("gammasgn", *_SUMS)])
def test_gradients_have_the_dtype_of_their_source(name: str) -> None:
    *fixed, x = _arguments(name, np.float32)
    if name == "multigammaln":
        fixed, x = [], fixed[0]

    def total(x: Any) -> Any:
        out: Any = getattr(special, name)(*fixed, x) if name != "multigammaln" else special.multigammaln(x, 3)
        return np.sum(np.real(out[0] if isinstance(out, tuple) else out))

    assert rg.grad(total)(x).dtype == np.float32


@pytest.mark.parametrize("name", ["erf", "expit", "gammaln", "i0e", "exp1", "log_ndtr"])
def test_a_function_of_scipy_itself_may_be_called(name: str) -> None:
    theirs, ours = getattr(scipy_special, name), getattr(special, name)
    expected = rg.grad(lambda x: np.sum(ours(x)))(X)
    np.testing.assert_array_equal(rg.grad(lambda x: np.sum(theirs(x)))(X), expected)
    np.testing.assert_array_equal(rg.jvp(theirs, (X,), (np.ones(3),))[1], expected)
    builder = ProgramBuilder("f")
    builder_x = builder.input("x", "float64", ("n",))
    program = reverse(builder.finish(out=np.sum(theirs(builder_x))), ["x"], ["out"], keep_outputs=False)
    np.testing.assert_allclose(program(X, 1.0)[0], expected, rtol=1e-14)


def test_a_function_of_scipy_without_a_rule_is_refused() -> None:
    with pytest.raises(UnsupportedError, match=r"^scipy\.special\.ellipk has no derivative rule"):
        rg.grad(scipy_special.ellipk)(0.5)


def test_a_function_that_scipy_writes_in_python_says_where_it_is() -> None:
    with pytest.raises(UnsupportedError, match=r"Functions of SciPy that convert are in rg\.special"):
        rg.grad(lambda x: scipy_special.polygamma(1, x))(0.5)


def test_scipy_is_not_imported_before_it_is_needed() -> None:
    code = "import sys, retrograde.special, retrograde.nn; sys.exit('scipy.special' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def _derivative(function: Any, order: int) -> Any:
    for _ in range(order):
        function = rg.grad(function)
    return function


def test_third_derivatives_by_known_formulas() -> None:
    x = 0.7
    found = _derivative(special.erf, 3)(x)
    np.testing.assert_allclose(found, (4.0 * x * x - 2.0) * 2.0 / np.sqrt(np.pi) * np.exp(-x * x), rtol=1e-14)
    np.testing.assert_allclose(_derivative(special.gammaln, 4)(x), scipy_special.polygamma(3, x), rtol=1e-13)
    np.testing.assert_allclose(_derivative(special.j0, 3)(x), -scipy_special.jvp(1, x, 2), rtol=1e-13)
    np.testing.assert_allclose(
        _derivative(lambda z: special.iv(1.5, z), 3)(x), scipy_special.ivp(1.5, x, 3), rtol=1e-13
    )
    np.testing.assert_allclose(_derivative(lambda q: special.zeta(3.0, q), 2)(x), 12.0 * scipy_special.zeta(5.0, x))
    np.testing.assert_allclose(_derivative(lambda x: special.airy(x)[0], 2)(x), x * scipy_special.airy(x)[0])


def test_derivatives_where_a_quotient_would_be_zero_by_zero() -> None:
    assert rg.grad(special.j1)(0.0) == 0.5
    assert _derivative(special.i0, 2)(0.0) == 0.5
    assert rg.grad(special.i0e)(0.0) == 0.0
    assert rg.grad(lambda x: special.sici(x)[0])(0.0) == 1.0
    assert rg.grad(lambda x: np.real(special.lambertw(x)))(0.0) == 1.0
    assert rg.grad(special.gammainc, 1)(1.0, 0.0) == 1.0


def test_derivatives_where_the_tail_vanishes() -> None:
    np.testing.assert_allclose(rg.grad(special.log_ndtr)(-1e8), 1e8, rtol=1e-14)
    np.testing.assert_allclose(rg.grad(special.log_expit)(-1e3), 1.0, rtol=1e-14)
    np.testing.assert_allclose(rg.grad(special.erfcx)(1e4), -1.0 / (np.sqrt(np.pi) * 1e8), rtol=1e-6)


def test_products_with_a_logarithm_at_zero() -> None:
    assert rg.grad(special.xlogy, 0)(0.0, 0.0) == -np.inf
    assert rg.grad(special.xlogy, 1)(0.0, 0.0) == 0.0
    assert rg.grad(special.xlog1py, 1)(0.0, -1.0) == 0.0
    mixed = rg.grad(lambda x, y: rg.grad(special.xlogy, 1)(x, y))
    assert mixed(0.0, 4.0) == 0.25
    assert rg.grad(special.rel_entr, 1)(0.0, 2.0) == 0.0


def test_a_branch_that_is_not_chosen_adds_nothing() -> None:
    x = np.array([0.0, 0.25])
    gradient = rg.grad(lambda x: np.sum(np.where(x > 0.0, special.entr(x), 1.0)))(x)
    np.testing.assert_allclose(gradient, [0.0, -np.log(0.25) - 1.0], rtol=1e-15)


@pytest.mark.parametrize("a", [0.3, 2.7])
def test_incomplete_integrals_with_parameters_that_are_no_integers(a: float) -> None:
    for function, arguments in [(special.gammainc, (a, 0.4)), (special.betainc, (a, 1.5, 0.4))]:
        last = len(arguments) - 1
        found = rg.grad(function, last)(*arguments)
        above, below = (function(*arguments[:-1], arguments[-1] + h) for h in (1e-6, -1e-6))
        np.testing.assert_allclose(found, (above - below) / 2e-6, rtol=1e-8)


@pytest.mark.parametrize(
    ("function", "arguments", "operand"),
    [
        (special.gammainc, (2.0, 1.0), "a"),
        (special.betainc, (2.0, 1.0, 0.5), "a"),
        (special.jv, (2.0, 1.0), "v"),
        (special.polygamma, (2.0, 1.0), "n"),
        (special.zeta, (2.0, 1.0), "x"),
    ],
)
def test_derivatives_that_have_no_closed_form_are_refused(function: Any, arguments: Any, operand: str) -> None:
    with pytest.raises(UnsupportedError, match=rf"by '{operand}' .*rg.stop_gradient\({operand}\)"):
        rg.grad(function, 0)(*arguments)
    with pytest.raises(UnsupportedError, match=f"by '{operand}'"):
        rg.jvp(function, arguments, tuple(np.ones_like(x) for x in arguments))
    fixed = rg.grad(lambda a, *others: function(rg.stop_gradient(a), *others), len(arguments) - 1)
    assert np.isfinite(fixed(*arguments))


def test_complex_numbers() -> None:
    z = 1.2 + 0.7j
    for function, slope in [
        (special.gamma, scipy_special.gamma(z) * scipy_special.psi(z)),
        (special.loggamma, scipy_special.psi(z)),
        (special.rgamma, -scipy_special.rgamma(z) * scipy_special.psi(z)),
        (special.wofz, 2j / np.sqrt(np.pi) - 2.0 * z * scipy_special.wofz(z)),
        (special.erf, 2.0 / np.sqrt(np.pi) * np.exp(-z * z)),
    ]:
        np.testing.assert_allclose(rg.jvp(function, (z,), (1.0 + 0.0j,))[1], slope, rtol=1e-13)
    with pytest.raises(UnsupportedError, match="polygamma for real ones only"):
        rg.jvp(special.digamma, (z,), (1.0 + 0.0j,))
    with pytest.raises(UnsupportedError, match="not analytic"):
        rg.jvp(lambda z: special.ive(1, z), (z,), (1.0 + 0.0j,))


def test_multigammaln() -> None:
    found = rg.grad(lambda a: special.multigammaln(a, 3))(2.5)
    np.testing.assert_allclose(found, sum(scipy_special.psi(2.5 - 0.5 * j) for j in range(3)), rtol=1e-14)


def test_logsumexp_over_axes() -> None:
    x = np.array([[0.0, 1000.0], [1.0, 1000.0]])
    for axis in (None, 0, -1, (0, 1), ()):
        for keepdims in (False, True):
            found = special.logsumexp(x, axis=axis, keepdims=keepdims)
            np.testing.assert_allclose(found, scipy_special.logsumexp(x, axis=axis, keepdims=keepdims), rtol=1e-15)
    np.testing.assert_allclose(rg.grad(special.logsumexp)(x), [[0.0, 0.5], [0.0, 0.5]])
    gradient = rg.grad(lambda x: np.sum(special.logsumexp(x, axis=0)))(x)
    np.testing.assert_allclose(gradient, [[1 / (1 + np.e), 0.5], [np.e / (1 + np.e), 0.5]], rtol=1e-14)


def test_logsumexp_with_infinite_and_empty_operands() -> None:
    assert special.logsumexp(np.array([-np.inf, -np.inf])) == -np.inf
    assert special.logsumexp(np.zeros((0, 2)), axis=0).tolist() == [-np.inf, -np.inf]
    np.testing.assert_array_equal(rg.grad(special.logsumexp)(np.array([-np.inf, 1.0])), [0.0, 1.0])


def test_logsumexp_with_weights() -> None:
    x, b = np.array([[0.0, 1.0], [2.0, 3.0]]), np.array([2.0, -0.5])
    np.testing.assert_allclose(
        special.logsumexp(x, axis=1, b=np.abs(b)), scipy_special.logsumexp(x, axis=1, b=np.abs(b)), rtol=1e-14
    )
    found = rg.grad(lambda x, b: special.logsumexp(x, b=b), (0, 1))(x, b)
    total = np.sum(b * np.exp(x))
    np.testing.assert_allclose(found[0], b * np.exp(x) / total, rtol=1e-13)
    np.testing.assert_allclose(found[1], np.sum(np.exp(x), axis=0) / total, rtol=1e-13)
    # A weight of 0 takes an element out, however large it is.
    assert special.logsumexp(np.array([0.0, 1e6]), b=np.array([1.0, 0.0])) == 0.0
    with pytest.raises(UnsupportedError, match="complex numbers"):
        special.logsumexp(x, return_sign=True)


def test_softmax_over_axes() -> None:
    x = np.array([[0.0, 1000.0], [1.0, 1000.0]])
    for axis in (None, 0, 1, (0, 1)):
        np.testing.assert_allclose(special.softmax(x, axis), scipy_special.softmax(x, axis), rtol=1e-14)
        np.testing.assert_allclose(special.log_softmax(x, axis), scipy_special.log_softmax(x, axis), rtol=1e-14)
    assert rg.grad(lambda x: special.log_softmax(x)[0])(np.array([1000.0, 0.0])).tolist() == [0.0, 0.0]

"""Operations of a user's own: `rg.primitive`."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest

import retrograde as rg
from retrograde.autodiff import reverse
from retrograde.errors import UnsupportedError, UsageError
from retrograde.program import PRIMITIVES, ArrayType, ProgramBuilder

X = np.array([0.7, -2.2, 1.3])
V = np.array([1.0, 0.5, -0.25])


def _hidden_tanh(x: Any) -> Any:
    """As from a library that knows only plain arrays."""
    return np.array([np.tanh(float(item)) for item in np.ravel(x)]).reshape(np.shape(x))


def _both_rules() -> Any:
    rules: dict[str, Any] = {"x": lambda t, out: t * (1.0 - out * out)}
    return rg.primitive(_hidden_tanh, reverse=rules, forward=rules)


def _reverse_rule() -> Any:
    return rg.primitive(_hidden_tanh, reverse={"x": lambda g, out: g * (1.0 - out * out)})


def _forward_rule() -> Any:
    return rg.primitive(_hidden_tanh, forward={"x": lambda d, out: d * (1.0 - out * out)})


@pytest.mark.parametrize("declare", [_both_rules, _reverse_rule, _forward_rule])
def test_one_rule_is_enough_for_every_mode_and_order(declare: Any) -> None:
    function = declare()
    np.testing.assert_array_equal(function(X), np.tanh(X))
    report = rg.check_gradients(function, X, order=2)
    assert report, str(report)
    slope = 1 - np.tanh(X) ** 2
    np.testing.assert_allclose(rg.grad(lambda x: np.sum(function(x)))(X), slope)
    np.testing.assert_allclose(rg.jvp(function, (X,), (V,))[1], slope * V)
    (product,) = rg.hvp(lambda x: np.sum(function(x)), (X,), (V,))
    np.testing.assert_allclose(product, -2 * np.tanh(X) * slope * V)
    third = rg.grad(rg.grad(rg.grad(function)))(0.3)
    np.testing.assert_allclose(third, rg.grad(rg.grad(rg.grad(np.tanh)))(0.3))


@rg.primitive(
    reverse={"x": lambda g, y, power: g * y * power, "y": lambda g, x, power: g * x * power},
    forward={"y": lambda d, x, power: d * x * power},
    linear=("x",),
    constant=("mask",),
    static=("power",),
    result=lambda x, y, mask, power: ArrayType(x.dtype, x.sizes),
)
def product(x: Any, y: Any, mask: Any = 1, power: int = 2) -> Any:
    """x · y · power where the mask is not zero."""
    return x * y * power * (np.asarray(mask) != 0)


def test_several_arguments_broadcasting_and_a_static_one() -> None:
    assert rg.check_gradients(lambda x, y: product(x, y), np.ones((2, 3)), X, order=2)
    assert rg.check_gradients(lambda x, y: product(x, y, power=5), 2.0, X)
    assert rg.check_gradients(lambda x, y: product(y=x, x=y), X.astype(np.float32), X)
    np.testing.assert_array_equal(rg.grad(lambda m: np.sum(product(X, X, m)) + m)(1.0), 1.0)


def test_it_is_one_operation_of_a_program() -> None:
    builder = ProgramBuilder("p")
    x = builder.input("x", "float64", ("n",))
    program = builder.finish(total=np.sum(builder.loop(3, lambda i, u: product(u, u, 1, 1), x)))
    assert "product(" in str(program)
    (found,) = reverse(program, ["x"], ["total"], keep_outputs=False)(X, 1.0)
    np.testing.assert_allclose(found, 8 * X**7)


def test_a_program_needs_the_type_of_the_result() -> None:
    builder = ProgramBuilder("p")
    x = builder.input("x", "float64", ("n",))
    with pytest.raises(UnsupportedError, match=r"'_hidden_tanh' was used in a program.*declare result="):
        _both_rules()(x)


def test_a_derived_rule_is_not_for_programs() -> None:
    typed = rg.primitive(_hidden_tanh, forward={"x": lambda d, out: d * (1.0 - out * out)}, result=lambda x: x)
    builder = ProgramBuilder("p")
    x = builder.input("x", "float64", ("n",))
    program = builder.finish(out=np.sum(typed(x)))
    with pytest.raises(UnsupportedError, match=r"'_hidden_tanh' was differentiated in reverse.*declare reverse="):
        reverse(program, ["x"], ["out"])


@rg.primitive(forward={"x": lambda d, sine, cosine: (d * cosine, -d * sine, 0)}, outputs=("sine", "cosine", "sign"))
def turned(x: Any) -> Any:
    return np.sin(x), np.cos(x), np.sign(x).astype(int)


def test_several_results() -> None:
    assert rg.check_gradients(lambda x: turned(x)[:2], X, order=2)
    np.testing.assert_allclose(rg.grad(lambda x: np.sum(turned(x)[1]))(X), -np.sin(X))
    reversing = rg.primitive(
        lambda x: (x * x, 3.0 * x),
        reverse={"x": lambda g, x: (0.0 * x if g[0] is None else 2 * x * g[0]) + (0.0 if g[1] is None else 3.0 * g[1])},
        outputs=("square", "triple"),
    )
    assert rg.check_gradients(reversing, X, order=2)
    np.testing.assert_allclose(rg.grad(lambda x: np.sum(reversing(x)[1]))(X), 3.0 * np.ones(3))


def test_results_that_are_numbers() -> None:
    total = rg.primitive(lambda x: float(np.sum(x)), reverse={"x": lambda g, x_shape: np.broadcast_to(g, x_shape)})
    np.testing.assert_array_equal(rg.grad(total)(X), np.ones(3))
    assert rg.check_gradients(total, X)


def test_names_are_not_registered_and_can_be_used_again() -> None:
    before = set(PRIMITIVES)
    for _ in range(2):
        rg.primitive(_hidden_tanh, forward={"x": lambda d, out: d})
    assert set(PRIMITIVES) == before


def test_complex_arguments() -> None:
    squared = rg.primitive(lambda z: z * z, reverse={"z": lambda g, z: 2 * g * np.conjugate(z)})
    assert rg.check_gradients(squared, X + 1j * V)
    magnitude = rg.primitive(
        lambda z: np.real(z) ** 2 + np.imag(z) ** 2, forward={"z": lambda d, z: 2 * np.real(d * np.conjugate(z))}
    )
    assert rg.check_gradients(magnitude, X + 1j * V)


# What is refused.


def test_an_argument_without_a_rule_is_refused_where_it_is_called() -> None:
    half = rg.primitive(lambda x, y: x * y, reverse={"x": lambda g, y: g * y})
    np.testing.assert_array_equal(rg.grad(lambda x: np.sum(half(x, V)))(X), V)
    message = r"'<lambda>' has no rule for 'y', and was called with a TrackedArray there; declare reverse=\{'y'"
    with pytest.raises(UnsupportedError, match=message):
        rg.grad(lambda y: np.sum(half(X, y)))(V)
    with pytest.raises(UnsupportedError, match="called with a Dual"):
        rg.jvp(lambda y: half(X, y), (V,), (V,))
    with rg.GradientTape() as tape:
        y = tape.watch(V)
        with tape.stop_recording():
            np.testing.assert_array_equal(half(X, y), X * V)


def test_an_argument_without_a_rule_in_a_program() -> None:
    half = rg.primitive(lambda x, y: x * y, reverse={"x": lambda g, y: g * y}, result=lambda x, y: x)
    builder = ProgramBuilder("p")
    x, y = builder.input("x", "float64", ("n",)), builder.input("y", "float64", ("n",))
    program = builder.finish(out=half(x, y))
    np.testing.assert_array_equal(reverse(program, ["x"], ["out"], keep_outputs=False)(X, V, X)[0], V * X)
    with pytest.raises(UnsupportedError, match="no rule for 'y', and its derivative by that is needed"):
        reverse(program, ["y"], ["out"])


def test_a_static_argument_under_differentiation() -> None:
    with pytest.raises(UsageError, match="static argument 'power' of primitive 'product' is a TrackedArray"):
        rg.grad(lambda p: np.sum(product(X, V, 1, p)))(2.0)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (lambda g, x: g[:2], r"reverse rule of primitive 'f' for 'x' returned float64 of shape \(2,\)"),
        (lambda g, x: np.sum(g), r"returned float64 of shape \(\), and the argument has shape \(3,\)"),
        (lambda g, x: np.ones(3, int), r"returned int64 of shape \(3,\); return an array of a floating"),
        (lambda g, x: None, "returned a NoneType; return an array"),
        (lambda g, x: (g, g), "returned a tuple of 2; return an array"),
    ],
)
def test_what_a_reverse_rule_must_not_return(rule: Any, message: str) -> None:
    def f(x: Any) -> Any:
        return 2.0 * x

    with pytest.raises(UsageError, match=message):
        rg.grad(lambda x: np.sum(rg.primitive(f, reverse={"x": rule})(x)))(X)


@pytest.mark.parametrize(
    ("rule", "outputs", "message"),
    [
        (
            lambda d: d[:2],
            (),
            r"forward rule of primitive 'f' for 'x' returned float64 of shape \(2,\), and the result",
        ),
        (lambda d: "d", (), "returned a str; return an array"),
        (lambda d: d, ("a", "b"), r"returned float64 of shape \(3,\); return a tuple with a tangent for each of"),
        (lambda d: (d,), ("a", "b"), r"returned a tuple of 1; return a tuple with a tangent for each of \['a', 'b'\]"),
    ],
)
def test_what_a_forward_rule_must_not_return(rule: Any, outputs: Any, message: str) -> None:
    def f(x: Any) -> Any:
        return (x, x) if outputs else 2.0 * x

    function = rg.primitive(f, forward={"x": rule}, outputs=outputs)
    with pytest.raises(UsageError, match=message):
        rg.jvp(function, (X,), (V,))


@pytest.mark.parametrize(
    ("returned", "outputs", "message"),
    [
        ([1.0], (), r"primitive 'f' returned a list, and an array was expected; declare outputs"),
        ((X, X), (), r"returned a tuple of 2, and an array was expected; declare outputs"),
        (X, ("a", "b"), r"return a tuple with an array for each of outputs=\['a', 'b'\]"),
        ((X, None), ("a", "b"), "returned a NoneType, and an array was expected; return a tuple of arrays"),
    ],
)
def test_what_the_function_must_not_return(returned: Any, outputs: Any, message: str) -> None:
    def f(x: Any) -> Any:
        return returned

    with pytest.raises(UsageError, match=message):
        rg.primitive(f, constant="x", outputs=outputs)(X)


def test_rules_that_are_not_linear_are_not_transposed() -> None:
    def f(x: Any) -> Any:
        return x

    forward = rg.primitive(f, forward={"x": lambda d: d * d})
    with pytest.raises(UnsupportedError, match=r"'f' was differentiated in reverse by 'x'.*declare reverse="):
        rg.grad(lambda x: np.sum(forward(x)))(X)
    backward = rg.primitive(f, reverse={"x": lambda g: g * g})
    with pytest.raises(UnsupportedError, match=r"'f' was differentiated forward by 'x'.*declare forward="):
        rg.jvp(backward, (X,), (V,))


def test_declarations_that_mean_nothing() -> None:
    def f(x: Any, *, n: int = 1) -> Any:
        return x * n

    with pytest.raises(UsageError, match=r"'f' has reverse for \['y'\]; its arguments are \['x'\]"):
        rg.primitive(f, reverse={"y": lambda g: g})
    with pytest.raises(UsageError, match=r"'f' has static=\['m'\]; its arguments are \['x', 'n'\]"):
        rg.primitive(f, static="m")
    with pytest.raises(UsageError, match=r"'f' is linear in \['x'\].*declare the reverse rule of each"):
        rg.primitive(f, linear="x")
    with pytest.raises(UsageError, match="'f' for 'x' is a partial, whose parameters cannot be read"):
        rg.primitive(f, reverse={"x": functools.partial(np.multiply, 2.0)})
    with pytest.raises(UsageError, match=r"a rule of primitive 'f' for 'x' reads .*'z'"):
        rg.primitive(f, reverse={"x": lambda g, z: g * z})
    with pytest.raises(UsageError, match=r"takes \*args or \*\*kwargs; name its arguments"):
        rg.primitive(lambda *xs: xs[0])

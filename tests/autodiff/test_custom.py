"""Functions with a derivative of their own: `custom_vjp` and `custom_jvp`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import retrograde as rg
from retrograde.errors import UnsupportedError, UsageError
from retrograde.program import ProgramBuilder

X = np.array([0.7, -2.2, 1.3])
V = np.array([1.0, 0.5, -0.25])


@rg.custom_vjp
def cube(x: Any) -> Any:
    """The third power. Its rule has a factor of 4 in place of 3, which tells it from its code."""
    return x * x * x


cube.defvjp(lambda x: (cube(x), x), lambda x, g: (4.0 * x * x * g,))


@rg.custom_jvp
def square(x: Any) -> Any:
    """The second power. Its rule has a factor of 3 in place of 2."""
    return x * x


@square.defjvp
def _square_rule(primals: Any, tangents: Any) -> Any:
    (x,), (d,) = primals, tangents
    return square(x), 3.0 * x * d


def test_what_is_not_differentiated_calls_the_function_itself() -> None:
    np.testing.assert_array_equal(cube(X), X * X * X)
    assert cube.__name__ == "cube"
    assert "third power" in cube.__doc__


@pytest.mark.parametrize(
    ("function", "first", "second"), [(cube, 4 * X**2, 8 * X), (square, 3 * X, np.full(3, 3.0))], ids=["vjp", "jvp"]
)
class TestEveryMode:
    def test_reverse(self, function: Any, first: Any, second: Any) -> None:
        np.testing.assert_allclose(rg.grad(lambda x: np.sum(function(x)))(X), first)

    def test_forward(self, function: Any, first: Any, second: Any) -> None:
        out, tangent = rg.jvp(function, (X,), (V,))
        np.testing.assert_array_equal(out, function(X))
        np.testing.assert_allclose(tangent, first * V)

    def test_forward_over_reverse(self, function: Any, first: Any, second: Any) -> None:
        (product,) = rg.hvp(lambda x: np.sum(function(x)), (X,), (V,))
        np.testing.assert_allclose(product, second * V)

    def test_reverse_over_reverse(self, function: Any, first: Any, second: Any) -> None:
        gradient = rg.grad(lambda x: np.sum(function(x)))
        np.testing.assert_allclose(rg.grad(lambda x: np.sum(V * gradient(x)))(X), second * V)

    def test_reverse_over_forward(self, function: Any, first: Any, second: Any) -> None:
        along = rg.grad(lambda x: np.sum(rg.jvp(function, (x,), (V,))[1]))
        np.testing.assert_allclose(along(X), second * V)

    def test_forward_over_forward(self, function: Any, first: Any, second: Any) -> None:
        _, tangent = rg.jvp(lambda x: rg.jvp(function, (x,), (V,))[1], (X,), (V,))
        np.testing.assert_allclose(tangent, second * V * V)

    def test_the_value_and_its_rule_in_one_function(self, function: Any, first: Any, second: Any) -> None:
        found = rg.grad(lambda x: np.sum(function(x) * function(np.sin(x))))(X)
        _, outer = rg.jvp(function, (np.sin(X),), (np.cos(X),))
        np.testing.assert_allclose(found, first * function(np.sin(X)) + function(X) * outer)

    def test_numbers_and_dtypes(self, function: Any, first: Any, second: Any) -> None:
        assert rg.grad(function)(2.0) == rg.grad(lambda x: np.sum(function(x)))(np.array([2.0]))[0]
        gradient = rg.grad(lambda x: np.sum(function(x)))(X.astype(np.float32))
        assert gradient.dtype == np.float32

    def test_while_a_tape_does_not_record(self, function: Any, first: Any, second: Any) -> None:
        with rg.GradientTape() as tape:
            x = tape.watch(X)
            with tape.stop_recording():
                plain = function(x)
        assert type(plain) is np.ndarray


@rg.custom_vjp(static=("times",))
def mixed(parameters: Any, x: Any, times: int, *, shift: float = 0.0) -> Any:
    return {"scaled": parameters["scale"] * x * times + shift, "count": times, "pair": [x, parameters["offset"]]}


def _mixed_forward(parameters: Any, x: Any, times: int, *, shift: float) -> Any:
    return mixed(parameters, x, times, shift=shift), (parameters["scale"], x, times)


def _mixed_backward(residuals: Any, g: Any) -> Any:
    scale, x, times = residuals
    assert g["count"] is None
    by_scale = np.sum(g["scaled"] * x * times)
    return {"scale": by_scale, "offset": g["pair"][1]}, g["scaled"] * scale * times + g["pair"][0]


mixed.defvjp(_mixed_forward, _mixed_backward)


def _of_mixed(parameters: Any, x: Any) -> Any:
    out = mixed(parameters, x, 3, shift=1.0)
    return np.sum(out["scaled"] * out["scaled"]) + np.sum(out["pair"][0]) + out["pair"][1] * out["count"]


def _of_mixed_plainly(parameters: Any, x: Any) -> Any:
    scaled = parameters["scale"] * x * 3 + 1.0
    return np.sum(scaled * scaled) + np.sum(x) + parameters["offset"] * 3


def test_containers_static_arguments_and_outputs_without_derivative() -> None:
    parameters = {"scale": 2.0, "offset": 0.5}
    found = rg.grad(_of_mixed, (0, 1))(parameters, X)
    expected = rg.grad(_of_mixed_plainly, (0, 1))(parameters, X)
    assert found[0].keys() == expected[0].keys()
    for name in expected[0]:
        np.testing.assert_allclose(found[0][name], expected[0][name])
    np.testing.assert_allclose(found[1], expected[1])
    # Only one of the outputs reaches the target: the cotangents of the others are zeros.
    np.testing.assert_allclose(rg.grad(lambda x: mixed(parameters, x, 3)["pair"][0][1])(X), [0, 1, 0])
    _, tangent = rg.jvp(lambda x: _of_mixed(parameters, x), (X,), (V,))
    np.testing.assert_allclose(tangent, np.sum(expected[1] * V))


def test_static_arguments_of_a_forward_rule() -> None:
    @rg.custom_jvp(static="power")
    def raised(x: Any, y: Any, power: int) -> Any:
        return x * y * power

    @raised.defjvp
    def rule(primals: Any, tangents: Any, power: int) -> Any:
        (x, y), (dx, dy) = primals, tangents
        return raised(x, y, power), power * (dx * y + x * dy)

    np.testing.assert_allclose(rg.grad(lambda x: np.sum(raised(x, V, 2)))(X), 2 * V)
    np.testing.assert_allclose(rg.jvp(lambda y: raised(X, y, 2), (V,), (V,))[1], 2 * X * V)
    assert rule is not None


def test_gradient_clipping_leaves_values_alone() -> None:
    @rg.custom_vjp
    def clipped(x: Any) -> Any:
        return x

    clipped.defvjp(lambda x: (x, None), lambda _, g: (np.where(np.maximum(g, -g) > 1.0, g / np.maximum(g, -g), g),))
    np.testing.assert_array_equal(rg.grad(lambda x: np.sum(clipped(x) * np.array([5.0, -0.5, -7.0])))(X), [1, -0.5, -1])
    with pytest.raises(
        UnsupportedError, match=r"clipped was differentiated forward.*takes that it is linear.*custom_jvp"
    ):
        rg.jvp(clipped, (X,), (V,))


def test_a_backward_function_that_branches_on_the_cotangent_is_not_transposed() -> None:
    @rg.custom_vjp
    def branching(x: Any) -> Any:
        return x

    branching.defvjp(lambda x: (x, None), lambda _, g: (g if g[0] > 0 else 2.0 * g,))
    np.testing.assert_array_equal(rg.grad(lambda x: -np.sum(branching(x)))(X), -2 * np.ones(3))
    with pytest.raises(UnsupportedError, match="`greater` of it"):
        rg.jvp(branching, (X,), (V,))


def test_an_affine_rule_is_not_transposed() -> None:
    @rg.custom_jvp
    def affine(x: Any) -> Any:
        return x

    affine.defjvp(lambda primals, tangents: (affine(*primals), tangents[0] + 1.0))
    np.testing.assert_array_equal(rg.jvp(affine, (X,), (V,))[1], V + 1.0)
    with pytest.raises(UnsupportedError, match=r"affine was differentiated in reverse.*of 0 it makes.*custom_vjp"):
        rg.grad(lambda x: np.sum(affine(x)))(X)


@pytest.mark.parametrize("rule", [lambda d: d * d, np.tanh, lambda d: d / (1.0 + d), lambda d: np.maximum(d, 0.0)])
def test_rules_that_are_not_linear(rule: Any) -> None:
    @rg.custom_jvp
    def f(x: Any) -> Any:
        return x

    f.defjvp(lambda primals, tangents: (f(*primals), rule(tangents[0])))
    with pytest.raises(UnsupportedError, match="takes that it is linear"):
        rg.grad(lambda x: np.sum(f(x)))(X)


def test_linear_rules_of_many_operations_are_transposed() -> None:
    matrix = np.arange(6.0).reshape(2, 3)

    @rg.custom_jvp
    def f(x: Any) -> Any:
        return matrix @ x

    def rule(primals: Any, tangents: Any) -> Any:
        (d,) = tangents
        y = np.zeros_like(d)
        y[1:] = d[:-1] - d[1:] / 2.0
        y += np.concatenate([d[2:], -d[:2]])
        return f(*primals), matrix @ np.where(X > 0, y, 3.0 * y)

    f.defjvp(rule)
    jacobian = np.stack([rg.jvp(f, (X,), (e,))[1] for e in np.eye(3)], axis=-1)
    _, pullback = rg.vjp(f)(X)
    for w in np.eye(2):
        np.testing.assert_allclose(pullback(w)[0], w @ jacobian)


def test_a_method() -> None:
    class Scale:
        factor = 3.0

        @rg.custom_vjp(static="self")
        def __call__(self, x: Any) -> Any:
            return self.factor * x

    Scale.__call__.defvjp(lambda self, x: (self(x), self.factor), lambda factor, g: (2 * factor * g,))
    np.testing.assert_array_equal(rg.grad(lambda x: np.sum(Scale()(x)))(X), 6 * np.ones(3))


def test_any_number_of_arguments() -> None:
    @rg.custom_vjp
    def total(*arrays: Any) -> Any:
        return sum(arrays[1:], arrays[0])

    total.defvjp(lambda *arrays: (total(*arrays), len(arrays)), lambda count, g: (g,) * (count - 1) + (None,))
    found = rg.grad(lambda x, y: np.sum(total(x, y, x * y)), (0, 1))(X, V)
    np.testing.assert_array_equal(found, [np.ones(3), np.ones(3)])


def test_it_passes_a_check_of_its_own() -> None:
    @rg.custom_jvp
    def softplus(x: Any) -> Any:
        return np.maximum(x, 0.0) + np.log(1.0 + np.exp(np.minimum(x, -x)))

    softplus.defjvp(lambda primals, tangents: (softplus(*primals), tangents[0] / (1.0 + np.exp(-primals[0]))))
    assert rg.check_gradients(softplus, X, order=2)


# What is refused.


def test_a_function_without_its_rule() -> None:
    bare = rg.custom_vjp(np.sin)
    with pytest.raises(UsageError, match=r"before it has a rule; give it one with sin.defvjp\(forward, backward\)"):
        rg.grad(bare)(1.0)
    with pytest.raises(UsageError, match=r"give it one with sin.defjvp\(rule\)"):
        rg.grad(rg.custom_jvp(np.sin))(1.0)


def _vjp(backward: Any, forward: Any = None) -> Any:
    @rg.custom_vjp
    def f(x: Any, y: Any) -> Any:
        return x * y

    f.defvjp(forward or (lambda x, y: (f(x, y), (x, y))), backward)
    return lambda x: np.sum(f(x, V))


@pytest.mark.parametrize(
    ("backward", "message"),
    [
        (lambda r, g: g, r"backward function of f returned float64 of shape \(3,\), and a tuple of 2 was expected"),
        (
            lambda r, g: (g,),
            r"returned a tuple of 1, and a tuple of 2 was expected, a cotangent for each of \['x', 'y'\]",
        ),
        (lambda r, g: (g[:2], None), r"for 'x' is float64 of shape \(2,\), and float64 of shape \(3,\) was expected"),
        (lambda r, g: (np.ones(3, int), None), r"for 'x' is int64 of shape \(3,\).*make it floating"),
        (lambda r, g: (g * 1j, None), r"for 'x' is complex128 of shape \(3,\).*take its real part"),
        (lambda r, g: ([g], None), r"for 'x' is \[float64 of shape \(3,\)\].*built like it"),
        (lambda r, g: ("g", None), "for 'x' is a str, and float64 of shape"),
    ],
)
def test_what_a_backward_function_must_not_return(backward: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        rg.grad(_vjp(backward))(X)


def test_what_a_forward_function_must_not_return() -> None:
    with pytest.raises(
        UsageError, match=r"forward function of f returned float64 .*; return the result and the residuals"
    ):
        rg.grad(_vjp(lambda r, g: (g, None), lambda x, y: x * y))(X)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (
            lambda p, t: t[0],
            r"forward rule of f returned float64.*return the result and its tangent, as a tuple of two",
        ),
        (lambda p, t: (p[0], t[0][:2]), r"tangent that the forward rule of f returned is float64 of shape \(2,\)"),
        (lambda p, t: (p[0], [t[0]]), "tangent that the forward rule of f returned is"),
    ],
)
def test_what_a_forward_rule_must_not_return(rule: Any, message: str) -> None:
    @rg.custom_jvp
    def f(x: Any) -> Any:
        return x

    f.defjvp(rule)
    with pytest.raises(UsageError, match=message):
        rg.jvp(f, (X,), (V,))
    with pytest.raises(UsageError, match=message):
        rg.grad(lambda x: np.sum(f(x)))(X)


def test_a_result_that_depends_on_the_tangents() -> None:
    @rg.custom_jvp
    def f(x: Any) -> Any:
        return x

    f.defjvp(lambda p, t: (p[0] + t[0], t[0]))
    with pytest.raises(UsageError, match="returned a result that depends on the tangents"):
        rg.grad(lambda x: np.sum(f(x)))(X)


def test_a_function_that_closes_over_a_tracked_array() -> None:
    def outer(x: Any) -> Any:
        f = rg.custom_vjp(lambda y: x * y)
        f.defvjp(lambda y: (x * y, None), lambda _, g: (g,))
        return np.sum(f(2.0 * x))

    with pytest.raises(UsageError, match="pass what it closes over as an argument"):
        rg.grad(outer)(X)


def test_a_static_argument_under_differentiation() -> None:
    with pytest.raises(UsageError, match="argument 'times' of mixed is under differentiation, and it is a static"):
        rg.grad(lambda t: np.sum(mixed({"scale": 1.0, "offset": 1.0}, X, t)["scaled"]))(2.0)
    with pytest.raises(UsageError, match="argument 'shift' of mixed is under differentiation"):
        rg.grad(lambda s: np.sum(mixed({"scale": 1.0, "offset": 1.0}, X, 2, shift=s)["scaled"]))(2.0)


def test_a_static_argument_that_there_is_not() -> None:
    with pytest.raises(UsageError, match=r"static=\['n'\] was asked for <lambda>, which has the arguments \['x'\]"):
        rg.custom_vjp(lambda x: x, static="n")


def test_in_a_program() -> None:
    builder = ProgramBuilder("p")
    x = builder.input("x", "float64", ("n",))
    with pytest.raises(
        UnsupportedError, match=r"cube, a function of rg.custom_vjp, was called with a Symbol.*rg.primitive"
    ):
        cube(x)


def test_a_custom_function_says_what_it_is() -> None:
    assert repr(cube) == "<custom_vjp cube>"
    assert repr(_TANH) == "<primitive <lambda>(x)>"


# With the rest: checkpoints, budgets, loops of many calls.

_TANH = rg.primitive(lambda x: np.tanh(x), forward={"x": lambda d, out: d * (1.0 - out * out)})


def _chain(function: Any) -> Any:
    def chained(x: Any) -> Any:
        for _ in range(8):
            x = np.sin(function(np.sin(x)) + x)
        return np.sum(x)

    return chained


@pytest.mark.parametrize("function", [cube, square, _TANH], ids=["vjp", "jvp", "primitive"])
def test_in_checkpoints_and_under_a_budget(function: Any) -> None:
    x = np.linspace(-1.0, 1.0, 4000)
    chained = _chain(function)
    expected = rg.grad(chained)(x)
    np.testing.assert_array_equal(rg.grad(rg.checkpoint(chained))(x), expected)
    with rg.GradientTape(budget=14 * x.nbytes) as tape:
        watched = tape.watch(x)
        total = chained(watched)
    np.testing.assert_array_equal(tape.gradient(total, watched), expected)
    assert tape.memory.recomputations > 0

"""Primitives with several results: on the tape, forward, in programs, to second order; and what a rule gets of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import retrograde as rg
from retrograde.autodiff import reverse
from retrograde.errors import UsageError
from retrograde.program import PRIMITIVES, Primitive, ProgramBuilder
from retrograde.rules.type_rules import like_first


def _both(g: tuple[Any, Any], x: Any, sine: Any, cosine: Any) -> Any:
    by_sine, by_cosine = g
    shares = [] if by_sine is None else [by_sine * cosine]
    shares += [] if by_cosine is None else [-by_cosine * sine]
    return sum(shares) + 0.0 * x


@pytest.fixture
def sincos() -> Any:
    yield Primitive(
        "sincos",
        lambda x: (np.sin(x), np.cos(x)),
        ("x",),
        outputs=("sine", "cosine"),
        result=lambda x: (x, x),
        reverse={"x": _both},
        forward={"x": lambda d, sine, cosine: (d * cosine, -d * sine)},
    )
    del PRIMITIVES["sincos"]


X = np.array([0.3, -0.9])


def test_gradients_through_one_result_and_through_both(sincos: Any) -> None:
    np.testing.assert_allclose(rg.grad(lambda x: np.sum(sincos(x)[0]))(X), np.cos(X))
    np.testing.assert_allclose(rg.grad(lambda x: np.sum(sincos(x)[1]))(X), -np.sin(X))
    np.testing.assert_allclose(rg.grad(lambda x: np.sum(sincos(x)[0] * sincos(x)[1]))(X), np.cos(2 * X))

    def product(x: Any) -> Any:
        sine, cosine = sincos(x)
        return np.sum(sine * cosine * sine)

    expected = 2 * np.sin(X) * np.cos(X) ** 2 - np.sin(X) ** 3
    np.testing.assert_allclose(rg.grad(product)(X), expected)


def test_forward_and_second_order(sincos: Any) -> None:
    outs, tangents = rg.jvp(sincos, (X,), (np.ones(2),))
    np.testing.assert_allclose(tangents[0], np.cos(X))
    np.testing.assert_allclose(tangents[1], -np.sin(X))
    np.testing.assert_array_equal(outs[0], np.sin(X))

    def product(x: Any) -> Any:
        sine, cosine = sincos(x)
        return np.sum(sine * cosine)

    np.testing.assert_allclose(rg.hessian(product)(X), np.diag(-2 * np.sin(2 * X)))
    np.testing.assert_allclose(rg.grad(lambda x: np.sum(rg.grad(product)(x)))(X), -2 * np.sin(2 * X))


def test_in_a_loop_of_a_program(sincos: Any) -> None:
    builder = ProgramBuilder("turning")
    x = builder.input("x", "float64", ("n",))

    def turn(_: Any, y: Any) -> Any:
        sine, cosine = sincos(y)
        return sine * cosine + y

    program = builder.finish(total=np.sum(builder.loop(3, turn, x)))
    assert "sincos(" in str(program)
    gradients = reverse(program, ["x"], ["total"], keep_outputs=False)

    def plain(y: Any) -> Any:
        for _ in range(3):
            y = np.sin(y) * np.cos(y) + y
        return np.sum(y)

    (found,) = gradients(X, 1.0)
    np.testing.assert_allclose(found, rg.grad(plain)(X), rtol=1e-12, atol=1e-12)
    twice = reverse(gradients, ["x"], ["d_x"], keep_outputs=False)
    (second,) = twice(X, 1.0, np.ones(2))
    np.testing.assert_allclose(second, np.sum(rg.hessian(plain)(X), axis=0), rtol=1e-12)


def test_a_variadic_primitive_that_is_not_linear_in_all_its_operands_is_refused() -> None:
    with pytest.raises(UsageError, match=r"variadic primitive 'crooked'.*one name for all operands"):
        Primitive(
            "crooked",
            lambda *xs: xs[0],
            ("xs",),
            result=like_first,
            reverse={"xs": lambda g: g},
            forward={"xs": lambda d: d},
            variadic=True,
        )
    assert "crooked" not in PRIMITIVES


def test_a_variadic_operand_that_is_constant() -> None:
    fixed = np.ones(2)
    np.testing.assert_array_equal(rg.grad(lambda x: np.sum(np.concatenate((fixed, x, x)) * np.arange(6.0)))(X), [6, 8])
    _, tangent = rg.jvp(lambda x: np.concatenate((fixed, x, [3.0])), (X,), (np.ones(2),))
    np.testing.assert_array_equal(tangent, [0, 0, 1, 1, 0])

"""`rg.checkpoint`: the gradients of the plain function, in less memory, and what it refuses."""

from __future__ import annotations

import functools
import math
import random
from typing import Any

import numpy as np
import pytest

import retrograde as rg
from retrograde.errors import UnsupportedError, UsageError
from retrograde.runtime import measure_python

X = np.array([0.3, -1.2, 2.0, 0.7])


def _plain(function: Any) -> Any:
    return function


def _agree(build: Any, *arguments: Any, rounding: float = 0.0) -> None:
    """A loss built with checkpoints and one built without have the same gradients, to the bit.

    Where an argument is used inside and outside, or at several depths, its cotangents are added in another order.
    """
    every = tuple(range(len(arguments)))
    expected = rg.value_and_grad(build(_plain), every, backend="tape")(*arguments)
    found = rg.value_and_grad(build(rg.checkpoint), every, backend="tape")(*arguments)
    assert found[0] == expected[0]
    for one, other in zip(found[1], expected[1], strict=True):
        np.testing.assert_allclose(one, other, rtol=rounding, atol=0.0)


def _curved(x: Any) -> Any:
    return np.tanh(x * x) * np.sin(x)


def test_gradients_are_those_of_the_plain_function() -> None:
    _agree(lambda c: lambda x: np.sum(c(_curved)(c(_curved)(x))), X)


def test_checkpoints_nest() -> None:
    _agree(lambda c: lambda x: np.sum(c(lambda x: c(lambda x: c(_curved)(x) * x)(x) + x)(x)), X, rounding=1e-14)


def test_every_level_runs_once_more() -> None:
    calls = {"outer": 0, "inner": 0}

    @rg.checkpoint
    def inner(x: Any) -> Any:
        calls["inner"] += 1
        return np.tanh(x)

    @rg.checkpoint
    def outer(x: Any) -> Any:
        calls["outer"] += 1
        return inner(np.sin(x))

    rg.grad(lambda x: np.sum(outer(x)))(X)
    assert calls == {"outer": 2, "inner": 3}


def test_containers_keywords_and_results_of_several_kinds() -> None:
    def step(state: Any, *, weights: Any, scale: float, name: str) -> Any:
        u, (v,) = state["u"], state["v"]
        return {"u": np.tanh(weights[0] * u + v), "v": [u * v]}, {"name": name, "constant": np.ones(2) * scale}

    def build(c: Any) -> Any:
        def loss(u: Any, v: Any, w: Any) -> Any:
            state: Any = {"u": u, "v": [v]}
            for _ in range(3):
                state, extra = c(step)(state, weights=(w, None), scale=2.0, name="a")
                assert extra["name"] == "a"
                assert type(extra["constant"]) is np.ndarray
            return np.sum(state["u"]) + np.sum(state["v"][0] * extra["constant"][0])

        return loss

    _agree(build, X, X[::-1].copy(), 0.5 * X)


def test_a_method_a_partial_and_a_callable_object() -> None:
    class Layer:
        def __init__(self, weights: Any) -> None:
            self.weights = weights

        @rg.checkpoint
        def decorated(self, x: Any) -> Any:
            return np.tanh(self.weights * x)

        def __call__(self, x: Any) -> Any:
            return np.sin(self.weights * x)

        def method(self, x: Any) -> Any:
            return np.cos(self.weights * x)

    def loss(weights: Any, x: Any, c: Any) -> Any:
        layer = Layer(weights)
        x = layer.decorated(x) if c is rg.checkpoint else np.tanh(weights * x)
        return np.sum(c(functools.partial(np.multiply, weights))(c(layer.method)(c(layer)(x))))

    _agree(lambda c: lambda weights, x: loss(weights, x, c), X, X[::-1].copy())


def test_no_result_depends_on_some_arguments() -> None:
    value = rg.grad(lambda x, y: np.sum(rg.checkpoint(lambda x, y: (x * 2.0, y))(x, y)[0]), (0, 1))(X, X)
    np.testing.assert_array_equal(value[0], np.full(4, 2.0))
    np.testing.assert_array_equal(value[1], np.zeros(4))


def test_only_some_results_are_used() -> None:
    def two(x: Any, y: Any) -> Any:
        return np.sin(x), np.cos(y)

    _agree(lambda c: lambda x, y: np.sum(c(two)(x, y)[0] * y), X, X[::-1].copy())


def test_a_persistent_tape_recomputes_each_time() -> None:
    with rg.GradientTape(persistent=True) as tape:
        x = tape.watch(X)
        y = rg.checkpoint(_curved)(x)
    first = tape.gradient(y, x, np.ones(4))
    np.testing.assert_array_equal(first, tape.gradient(y, x, np.ones(4)))
    np.testing.assert_array_equal(first, rg.grad(lambda x: np.sum(_curved(x)))(X))


# What a function reads from around it.


def test_tracked_arrays_around_the_function_have_their_gradients() -> None:
    def build(c: Any) -> Any:
        def loss(w: Any, x: Any) -> Any:
            scaled = w * 2.0
            for turn in range(3):
                # `x`, `turn` and the function's own name are assigned anew before the gradient passes.
                x = c(lambda x: np.tanh(w * x) * scaled + turn)(x)  # noqa: B023
            return np.sum(x * w)

        return loss

    _agree(build, X, X[::-1].copy())


def test_nothing_but_variables_around_the_function() -> None:
    _agree(lambda c: lambda w: np.sum(c(lambda: np.tanh(w * w))()), X)


def test_a_tracked_array_around_the_function_that_is_returned_as_it_is() -> None:
    _agree(lambda c: lambda w, x: np.sum(c(lambda x: (w, x * w))(x)[0] * x), X, X[::-1].copy())


def test_variables_of_a_module_are_read_as_they_were() -> None:
    module: dict[str, Any] = {"np": np, "rg": rg, "X": X}
    exec(
        "with rg.GradientTape() as tape:\n"
        "    x = y = tape.watch(X)\n"
        "    for scale in (2.0, 3.0):\n"
        "        y = rg.checkpoint(lambda y: np.sin(scale * y * x))(y)\n"
        "gradient = tape.gradient(y, x, np.ones(4))\n",
        module,
    )
    expected = rg.grad(lambda x: np.sum(np.sin(3.0 * np.sin(2.0 * x * x) * x)))(X)
    np.testing.assert_array_equal(module["gradient"], expected)


def test_what_it_assigns_around_it_it_assigns_once() -> None:
    count = 0

    @rg.checkpoint
    def counting(x: Any) -> Any:
        nonlocal count
        count += 1
        return np.sin(x) * count

    gradient = rg.grad(lambda x: np.sum(counting(counting(x))))(X)
    assert count == 2
    np.testing.assert_array_equal(gradient, rg.grad(lambda x: np.sum(np.sin(np.sin(x)) * 2))(X))


def test_what_it_leaves_around_it_is_differentiated_too() -> None:
    left: list[Any] = []

    @rg.checkpoint
    def leaving(x: Any) -> Any:
        left.append(np.sin(x))
        return x * x

    def loss(x: Any) -> Any:
        left.clear()
        y = leaving(x)
        return np.sum(y * left[0])

    np.testing.assert_allclose(rg.grad(loss)(X), rg.grad(lambda x: np.sum(x * x * np.sin(x)))(X), rtol=1e-15)


def test_another_result_of_the_second_call_is_refused() -> None:
    scales = iter([1.0, 2.0])

    @rg.checkpoint
    def changing(x: Any) -> Any:
        return np.sin(x) * next(scales)

    with pytest.raises(UsageError, match=r"changing was checkpointed, and gave another result .* pass what changes"):
        rg.grad(lambda x: np.sum(changing(x)))(X)


def test_other_tracked_arrays_at_the_second_call_are_refused() -> None:
    def loss(x: Any) -> Any:
        weights = x * 2.0
        y = rg.checkpoint(lambda x: x * weights)(x)
        weights[0] = 5.0
        weights[0] = x[0] * 2.0
        return np.sum(y)

    with pytest.raises(UsageError, match=r"read other tracked arrays from around it .* pass them as arguments"):
        rg.grad(loss)(X)


# Writes in place.


def test_an_argument_written_in_place_is_written_for_the_caller() -> None:
    def relax(u: Any, rate: Any) -> Any:
        u[1:-1] += rate * (u[2:] - 2.0 * u[1:-1] + u[:-2])
        u *= 1.5
        return np.sum(u * u)

    def build(c: Any) -> Any:
        def loss(u: Any, rate: Any) -> Any:
            u = np.sin(u)
            energy = c(relax)(u, rate) + c(relax)(u, rate)
            return energy + np.sum(u)

        return loss

    _agree(build, X, np.float64(0.3))


def test_an_argument_passed_twice_and_returned_stays_one_array() -> None:
    def both(a: Any, b: Any) -> Any:
        a[0] = b[1] * 3.0
        return a, b * a

    def build(c: Any) -> Any:
        def loss(u: Any) -> Any:
            u = np.sin(u)
            same, product = c(both)(u, u)
            assert same is u
            return np.sum(product) + np.sum(u)

        return loss

    _agree(build, X)


def test_a_view_of_an_argument_stays_a_view() -> None:
    def loss(u: Any) -> Any:
        u = u * 1.0
        row = rg.checkpoint(lambda u: u[1:])(u)
        row *= 2.0
        return np.sum(u)

    with pytest.raises(UnsupportedError, match=r"a view of this array was changed in place"):
        rg.grad(loss)(X)


def test_a_write_into_a_view_is_refused() -> None:
    def writing(row: Any) -> Any:
        row[0] = 1.0
        return np.sum(row)

    def loss(u: Any) -> Any:
        u = u * 1.0
        return rg.checkpoint(writing)(u[1:]) + np.sum(u)

    with pytest.raises(UnsupportedError, match=r"a view .* was written in place"):
        rg.grad(loss)(X)


def test_a_write_into_a_plain_argument_is_refused() -> None:
    def counting(x: Any, buffer: Any) -> Any:
        buffer[0] += 1.0
        return x * buffer

    buffer = np.zeros(4)
    with pytest.raises(UsageError, match=r"counting was checkpointed and wrote into an array that is not tracked"):
        rg.grad(lambda x: np.sum(rg.checkpoint(counting)(x, buffer)))(X)
    assert not buffer.any()


def test_a_plain_argument_comes_back_as_it_is() -> None:
    constant = np.ones(4)

    def loss(x: Any) -> Any:
        y, same = rg.checkpoint(lambda x, constant: (x * constant, constant))(x, constant)
        assert same is constant
        return np.sum(y)

    rg.grad(loss)(X)


# Random numbers.


def test_random_numbers_are_drawn_again_as_they_were() -> None:
    enclosed = np.random.default_rng(5)

    def noisy(x: Any, generator: Any) -> Any:
        noise = np.random.standard_normal(4) * generator.standard_normal(4) * enclosed.random(4) * random.random()
        return np.tanh(x * noise)

    def build(c: Any) -> Any:
        def loss(x: Any) -> Any:
            np.random.seed(1)
            random.seed(1)
            generator = np.random.default_rng(2)
            enclosed.bit_generator.state = np.random.default_rng(5).bit_generator.state
            y = c(noisy)(c(noisy)(x, generator), generator)
            return np.sum(y * generator.random(4) * np.random.random(4))

        return loss

    _agree(build, X)


def test_recomputation_leaves_random_states_alone() -> None:
    np.random.seed(3)
    expected = np.random.random(2)[1]
    np.random.seed(3)
    with rg.GradientTape() as tape:
        x = tape.watch(X)
        y = rg.checkpoint(lambda x: x * np.random.random())(x)
    tape.gradient(y, x, np.ones(4))
    assert np.random.random() == expected


def test_a_generator_that_cannot_be_found_is_noticed() -> None:
    hidden = {"inside": {"deeper": np.random.default_rng(0)}}

    def drawing(x: Any) -> Any:
        return x * hidden["inside"]["deeper"].random(4)

    with pytest.raises(UsageError, match=r"gave another result .* random generators, too"):
        rg.grad(lambda x: np.sum(rg.checkpoint(drawing)(x)))(X)


# Exceptions and tapes that do not record.


def test_an_exception_leaves_the_tape_usable() -> None:
    def failing(x: Any) -> Any:
        np.tanh(x * 3.0)
        raise KeyError("from the user")

    with rg.GradientTape() as tape:
        x = tape.watch(X)
        with pytest.raises(KeyError, match=r"from the user"):
            rg.checkpoint(failing)(x)
        y = rg.checkpoint(_curved)(x)
    np.testing.assert_array_equal(tape.gradient(y, x, np.ones(4)), rg.grad(lambda x: np.sum(_curved(x)))(X))


def test_an_exception_in_the_second_call_comes_through() -> None:
    calls = iter([None])

    def failing(x: Any) -> Any:
        next(calls)
        return x * x

    with rg.GradientTape(persistent=True) as tape:
        x = tape.watch(X)
        z = np.sin(x)
        y = rg.checkpoint(failing)(x)
    with pytest.raises(StopIteration):
        tape.gradient(y, x, np.ones(4))
    np.testing.assert_array_equal(tape.gradient(z, x, np.ones(4)), np.cos(X))


def test_without_tracked_arguments_it_is_the_function() -> None:
    assert type(rg.checkpoint(np.sin)(X)) is np.ndarray
    assert rg.checkpoint(_curved).__name__ == "_curved"
    with rg.GradientTape() as tape:
        x = tape.watch(X)
        with tape.stop_recording():
            assert type(rg.checkpoint(_curved)(x)) is np.ndarray


# Derivatives of derivatives.


def _second(c: Any) -> Any:
    step = c(lambda x: c(_curved)(c(_curved)(x)))
    return lambda x: np.sum(step(x) * X)


@pytest.mark.parametrize(
    "derivative",
    [
        pytest.param(lambda f: rg.hessian(f), id="forward over reverse"),
        pytest.param(lambda f: rg.grad(lambda x: np.sum(rg.grad(f)(x) * X)), id="tape over tape"),
        pytest.param(lambda f: rg.grad(lambda x: rg.jvp(f, (x,), (X,))[1]), id="reverse over forward"),
        pytest.param(
            lambda f: rg.grad(lambda y: np.sum(rg.grad(lambda x: np.sum(rg.grad(f)(x) * X))(y) * X)), id="third order"
        ),
        pytest.param(
            lambda f: rg.grad(lambda x: np.sum(rg.checkpoint(lambda x: rg.grad(f)(x))(x) * X)),
            id="a gradient in a checkpoint",
        ),
    ],
)
def test_higher_orders(derivative: Any) -> None:
    np.testing.assert_allclose(
        derivative(_second(rg.checkpoint))(X), derivative(_second(_plain))(X), rtol=1e-14, atol=1e-14
    )


def test_arrays_of_both_tapes_around_the_function() -> None:
    def build(c: Any) -> Any:
        def loss(w: Any) -> Any:
            return np.sum(w * rg.grad(lambda x: np.sum(c(lambda y: np.sin(w * y) * x)(np.cos(x) * w)))(X))

        return loss

    _agree(build, 0.5 * X, rounding=1e-14)


# Memory.

STEPS, SIZE = 1000, 2000


def _chain(x: Any, steps: int) -> Any:
    for _ in range(steps):
        x = np.sin(x)
    return x


def _in_segments(x: Any, c: Any) -> Any:
    each = math.isqrt(STEPS)
    for begin in range(0, STEPS, each):
        x = c(_chain)(x, min(each, STEPS - begin))
    return x


def _peak_arrays(function: Any, x: Any) -> float:
    return measure_python(lambda: rg.grad(function, backend="tape")(x)).peak_bytes / x.nbytes


def test_a_chain_in_segments_of_the_square_root_takes_the_square_root_of_memory() -> None:
    x = np.linspace(0.1, 1.0, SIZE)
    rg.grad(lambda x: np.sum(_in_segments(x, rg.checkpoint)))(x)
    whole = _peak_arrays(lambda x: np.sum(_in_segments(x, _plain)), x)
    cut = _peak_arrays(lambda x: np.sum(_in_segments(x, rg.checkpoint)), x)
    assert whole > STEPS
    # 32 states, 31 residuals of a segment, some in work; and what Python keeps of each.
    assert cut < 90
    _agree(lambda c: lambda x: np.sum(_in_segments(x, c)), x)


def test_second_order_is_cut_on_both_tapes() -> None:
    x = np.linspace(0.1, 1.0, SIZE)

    def slope(c: Any) -> Any:
        def chain(x: Any) -> Any:
            for _ in range(10):
                x = c(_chain)(x, 10)
            return np.sum(x)

        return lambda x: np.sum(rg.grad(chain)(x))

    whole, cut = (_peak_arrays(slope(c), x) for c in (_plain, rg.checkpoint))
    assert cut < 0.3 * whole

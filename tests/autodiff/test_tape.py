"""The tape: what it records, what it gives, what it frees, and what it refuses."""

from __future__ import annotations

import copy
import gc
import pickle
import threading
import weakref
from typing import Any

import numpy as np
import pytest

import retrograde as rg
from retrograde.errors import UnsupportedError, UsageError
from retrograde.program import PRIMITIVES, Primitive

X = np.array([0.3, -1.2, 2.0])


def _differences(function: Any, x: Any, step: float = 1e-6) -> Any:
    directions = step * np.eye(x.size).reshape(x.size, *x.shape)
    return np.array([(function(x + d) - function(x - d)) / (2 * step) for d in directions]).reshape(x.shape)


def _gradient(function: Any, *arrays: Any) -> Any:
    with rg.GradientTape() as tape:
        watched = tape.watch(arrays)
        out = function(*watched)
    return tape.gradient(out, watched)


def test_a_small_perceptron() -> None:
    random = np.random.default_rng(0)
    parameters = {
        "layers": [(random.standard_normal((4, 5)), random.standard_normal(5)), (random.standard_normal((5, 2)), 0.1)]
    }
    inputs, wanted = random.standard_normal((7, 4)), random.standard_normal((7, 2))

    def loss(parameters: Any) -> Any:
        h = inputs
        for w, b in parameters["layers"]:
            h = np.tanh(h @ w + b)
        return np.sum((h - wanted) * (h - wanted)) / h.size

    with rg.GradientTape() as tape:
        tracked = tape.watch(parameters)
        value = loss(tracked)
    gradients = tape.gradient(value, tracked)
    for at, (w, b) in enumerate(parameters["layers"]):

        def with_weight(w: Any, at: int = at) -> Any:
            layers = list(parameters["layers"])
            layers[at] = (w, layers[at][1])
            return loss({"layers": layers})

        found = gradients["layers"][at]
        np.testing.assert_allclose(found[0], _differences(with_weight, w), rtol=1e-6, atol=1e-9)
        assert np.shape(found[1]) == np.shape(b)


@pytest.mark.parametrize(
    "function",
    [
        pytest.param(lambda x: np.sum(2.0 / x - x / 3.0 + -x), id="operators"),
        pytest.param(lambda x: (x * x).sum() + x.T @ x, id="methods"),
        pytest.param(lambda x: np.sum(x[:, None] * x, axis=1)[0], id="broadcasting"),
        pytest.param(lambda x: (np.ones((2, 3)) @ x)[1], id="constants"),
        pytest.param(lambda x: sum(row * row for row in x), id="iteration"),
        pytest.param(lambda x: np.where(x > 0, x * x, -x).sum(), id="where"),
        pytest.param(lambda x: x[0] * x[1] if x[0] > 0 else x[2], id="branch"),
        pytest.param(lambda x: np.ravel(x.reshape(3, 1) * np.ones((3, 2))).sum(), id="shapes"),
        pytest.param(lambda x: np.array([1.0, 2.0, 3.0]) @ x + np.float64(2.0) * x[0], id="array first"),
        pytest.param(lambda x: np.maximum(x, 0.0).sum(), id="relu"),
        pytest.param(lambda x: (x @ x) * (x @ np.ones((2, 3, 4)))[1, 0] + (np.ones((2, 4, 3)) @ x)[0, 3], id="vectors"),
        pytest.param(lambda x: np.dot(x, x[0]).dot(x) + 1.0 / x[2] - (3.0 - x[1]), id="dot"),
        pytest.param(lambda x: np.sum(x, dtype=complex).real * x.reshape((3, 1)).sum(), id="dtypes"),
        pytest.param(
            lambda x: x.astype(np.complex128).imag.sum() + x.real.transpose().transpose(0)[1], id="more methods"
        ),
        pytest.param(
            lambda x: x[0] if x[1] <= 0 and x[2] >= 0 and x[0] != x[1] and not (x[:1] == 1.0).all() else x[1],
            id="order",
        ),
        pytest.param(lambda x: np.real(np.exp(1j * x) * np.conjugate(x + 2j)).sum(), id="through complex numbers"),
    ],
)
def test_gradients_agree_with_finite_differences(function: Any) -> None:
    (gradient,) = _gradient(function, X)
    np.testing.assert_allclose(gradient, _differences(function, X), rtol=1e-6, atol=1e-8)


def test_the_gradient_of_a_complex_source_is_the_direction_of_steepest_ascent() -> None:
    z = np.array([1.0 + 2.0j])
    (gradient,) = _gradient(lambda z: np.sum(np.real(z * np.conjugate(z))), z)
    np.testing.assert_array_equal(gradient, 2 * z)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.complex64])
def test_a_gradient_has_the_dtype_of_its_source(dtype: Any) -> None:
    x = np.array([1.0, 2.0], dtype)
    (gradient,) = _gradient(lambda x: np.sum(np.real(x * 2.0 * np.ones(2))), x)
    assert gradient.dtype == dtype
    np.testing.assert_array_equal(gradient, np.array([2.0, 2.0], dtype))


def test_a_tie_of_maximum_is_shared() -> None:
    x, y = _gradient(lambda x, y: np.sum(np.maximum(x, y)), np.array([1.0, 2.0]), np.array([1.0, 1.0]))
    np.testing.assert_array_equal(x, [0.5, 1.0])
    np.testing.assert_array_equal(y, [0.5, 0.0])


def test_of_two_values_written_to_one_place_the_last_counts() -> None:
    def write(v: Any) -> Any:
        x = np.zeros_like(v)
        x[np.array([0, 0, 1])] = v
        return np.sum(x * np.array([3.0, 5.0, 7.0]))

    (gradient,) = _gradient(write, X)
    np.testing.assert_array_equal(gradient, [0.0, 3.0, 5.0])


def test_tapes_nest() -> None:
    with rg.GradientTape() as outer:
        x = outer.watch(X)
        with rg.GradientTape() as inner:
            y = inner.watch(x)
            out = np.sum(np.sin(y) * y)
        gradient = inner.gradient(out, y)
        total = np.sum(gradient * gradient)
    second = outer.gradient(total, x)
    first = np.sin(X) + X * np.cos(X)
    np.testing.assert_allclose(second, 2 * first * (2 * np.cos(X) - X * np.sin(X)))


def test_derivatives_of_different_levels_are_kept_apart() -> None:
    assert rg.grad(lambda x: x * rg.grad(lambda y: x * y)(2.0))(3.0) == 6.0
    assert rg.jvp(lambda x: x * rg.jvp(lambda y: x * y, (2.0,), (1.0,))[1], (3.0,), (1.0,))[1] == 6.0


def test_targets_are_added_and_cotangents_given() -> None:
    with rg.GradientTape() as tape:
        x = tape.watch(X)
        targets = {"a": np.sum(x), "b": x * x}
    gradient = tape.gradient(targets, x, {"a": 2.0, "b": np.ones(3)})
    np.testing.assert_allclose(gradient, 2.0 + 2 * X)


def test_an_unconnected_source() -> None:
    with rg.GradientTape(persistent=True) as tape:
        x, y = tape.watch((X, X))
        out = np.sum(x)
    assert tape.gradient(out, y) is None
    np.testing.assert_array_equal(tape.gradient(out, y, unconnected="zero"), np.zeros(3))


def test_a_persistent_tape_is_used_again() -> None:
    with rg.GradientTape(persistent=True) as tape:
        x = tape.watch(X)
        y = np.sum(x * x)
        first = tape.gradient(y, x)
        z = y * y
    np.testing.assert_array_equal(first, tape.gradient(y, x))
    np.testing.assert_allclose(tape.gradient(z, x), 2 * np.sum(X * X) * 2 * X)


def test_the_gradient_by_an_intermediate_value() -> None:
    with rg.GradientTape() as tape:
        x = tape.watch(X)
        y = x * 3.0
        z = np.sum(y * y)
    by_y, by_x = tape.gradient(z, (y, x))
    np.testing.assert_allclose((by_y, by_x), (6 * X, 18 * X))


def test_nothing_is_recorded_while_recording_stops() -> None:
    with rg.GradientTape() as tape:
        x = tape.watch(X)
        with tape.stop_recording():
            constant = x * x
        assert type(constant) is np.ndarray
        y = np.sum(constant * x)
    np.testing.assert_allclose(tape.gradient(y, x), X * X)


def test_stop_gradient_gives_plain_values_under_all_levels() -> None:
    seen: list[Any] = []

    def f(x: Any) -> Any:
        seen.append(rg.stop_gradient([x, 1.0]))
        return x * rg.stop_gradient(x)

    assert rg.grad(rg.grad(f))(3.0) == 0.0
    assert type(seen[0][0]) is np.ndarray or np.isscalar(seen[0][0])


def test_gradients_are_arrays_of_their_own() -> None:
    given = np.ones(3)
    with rg.GradientTape() as tape:
        x, y = tape.watch((X, X))
        z = x + y
    one, other = tape.gradient(z, (x, y), given)
    one += 1.0
    np.testing.assert_array_equal(other, given)
    np.testing.assert_array_equal(given, np.ones(3))
    (spread,) = _gradient(np.sum, X)
    assert spread.flags.writeable


def test_the_callers_arrays_are_not_changed() -> None:
    x = X.copy()

    def f(x: Any) -> Any:
        x[0] = 5.0
        x *= 2.0
        return np.sum(x * x)

    np.testing.assert_allclose(rg.grad(f)(x), 8 * x * [0.0, 1.0, 1.0])
    np.testing.assert_array_equal(x, X)


class _Residuals:
    """Weak references to arrays that a recording keeps."""

    def __init__(self) -> None:
        self.references: list[weakref.ref[Any]] = []

    def square(self, x: Any) -> Any:
        self.references.append(weakref.ref(x.value))
        return x * x

    def alive(self) -> int:
        gc.collect()
        return sum(reference() is not None for reference in self.references)


def test_a_used_tape_keeps_nothing() -> None:
    residuals = _Residuals()
    with rg.GradientTape() as tape:
        x = tape.watch(X)
        y = x
        for _ in range(5):
            y = residuals.square(y + 1.0)
        out = np.sum(y)
    assert residuals.alive() == 5
    tape.gradient(out, x)
    assert residuals.alive() == 0


def test_what_no_result_needs_is_not_kept() -> None:
    residuals = _Residuals()
    with rg.GradientTape():
        residuals.square(rg.GradientTape().__enter__().watch(X) + 1.0)
    assert residuals.alive() == 0


def test_each_thread_has_its_own_tape() -> None:
    found: dict[int, Any] = {}

    def work(factor: int) -> None:
        for _ in range(20):
            (found[factor],) = _gradient(lambda x: np.sum(np.sin(x) * x * factor), X)

    threads = [threading.Thread(target=work, args=(factor,)) for factor in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for factor in range(4):
        np.testing.assert_allclose(found[factor], factor * (np.sin(X) + X * np.cos(X)))


def test_watching_from_another_thread_is_refused() -> None:
    errors: list[Exception] = []
    with rg.GradientTape() as tape:

        def work() -> None:
            try:
                tape.watch(X)
            except UsageError as error:
                errors.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert "make a GradientTape in each thread" in str(errors[0])


def test_a_tape_used_twice() -> None:
    with rg.GradientTape() as tape:
        x = tape.watch(X)
        y = np.sum(x)
    tape.gradient(y, x)
    with pytest.raises(UsageError, match=r"used already; make it GradientTape\(persistent=True\)"):
        tape.gradient(y, x)
    with pytest.raises(UsageError, match="was entered again; make a new GradientTape"):
        tape.__enter__()
    with pytest.raises(UsageError, match="watch was called on a tape that is used already"):
        tape.watch(X)


def test_a_tape_that_recorded_nothing() -> None:
    with pytest.raises(UsageError, match="not entered yet; record something first"):
        rg.GradientTape().gradient(X, X)


def test_sources_and_targets_of_another_tape() -> None:
    with rg.GradientTape() as one, rg.GradientTape() as other:
        x, y = one.watch(X), other.watch(X)
        out = np.sum(x * x)
    with pytest.raises(UsageError, match="source 0 is a plain ndarray, not one that this tape tracks"):
        one.gradient(out, X)
    with pytest.raises(UsageError, match="source 0 is a tracked array of another tape"):
        one.gradient(out, y)
    with pytest.raises(UsageError, match="target 0 is a plain float64"):
        one.gradient(np.float64(1.0), x)


def test_what_was_computed_after_the_tape_closed_is_plain() -> None:
    with rg.GradientTape() as tape:
        x = tape.watch(X)
    assert type(x * 2.0) is np.ndarray


def test_a_watched_array_of_ints() -> None:
    with (
        rg.GradientTape() as tape,
        pytest.raises(UsageError, match=r"dtype int64 was to be watched.*x.astype\(float\)"),
    ):
        tape.watch(np.arange(3))


def test_a_target_that_is_no_scalar() -> None:
    with rg.GradientTape(persistent=True) as tape:
        x = tape.watch(X)
        y = x * 2.0
    with pytest.raises(UsageError, match=r"target 0 has shape \(3,\).*give its cotangent in output_gradients"):
        tape.gradient(y, x)
    with pytest.raises(UsageError, match=r"output gradient of target 0 has shape \(2,\), and the target \(3,\)"):
        tape.gradient(y, x, np.ones(2))
    with pytest.raises(UsageError, match="build them alike"):
        tape.gradient([y, y], x, (1.0,))


def test_an_unknown_word_for_unconnected() -> None:
    with rg.GradientTape() as tape:
        x = tape.watch(X)
    with pytest.raises(UsageError, match='it is "none" or "zero"'):
        tape.gradient(x, x, unconnected="nothing")  # type: ignore[arg-type]


_UNSUPPORTED: list[Any] = [
    (lambda x: np.packbits(x), r"numpy\.packbits has no derivative rule, and an operand is a TrackedArray.*rg.prim"),
    (lambda x: np.busday_count([X, x], x), r"numpy\.busday_count has no derivative rule"),
    (lambda x: np.hypot.reduce(x), r"numpy\.hypot\.reduce has no derivative rule"),
    (lambda x: np.add.reduceat(x, [0, 1]), r"numpy\.add\.reduceat has no derivative rule.*called plainly has one"),
    (lambda x: np.add(x, x, signature="dd->d"), r"numpy\.add with signature has no derivative rule"),
    (lambda x: np.quantile(x, 0.5, weights=X), r"numpy\.quantile with weights has no derivative rule"),
    (lambda x: np.add(x, 1.0, out=np.zeros(3)), r"numpy\.add was asked to write into an existing array \(ndarray\)"),
    (lambda x: np.zeros(3).__iadd__(x), r"write `y = y \+ x` for `y \+= x`"),
    (lambda x: np.asarray(x), "was to become a NumPy array, which would drop its derivative"),
    (lambda x: np.array([x, x]), "was to become a NumPy array"),
    (lambda x: np.asarray(x, object), "was to become a NumPy array"),
    (lambda x: float(x[0]), "was to become a float"),
    (lambda x: complex(x[0]), "was to become a complex"),
    (lambda x: int(x[0]), "was to become an int"),
    (lambda x: range(x[0]), "was to become an index"),
]


@pytest.mark.parametrize(("function", "message"), _UNSUPPORTED)
def test_what_is_not_supported_says_so(function: Any, message: str) -> None:
    with rg.GradientTape() as tape:
        x = tape.watch(X)
        with pytest.raises(UnsupportedError, match=message):
            function(x)


def test_a_plain_array_does_not_take_a_tracked_value() -> None:
    with rg.GradientTape() as tape:
        x = tape.watch(X)
        with pytest.raises((UnsupportedError, ValueError), match=r"np.zeros_like|setting an array element"):
            np.zeros(3)[0] = x[0]


def test_a_rule_that_gives_another_shape() -> None:
    wrong = Primitive("wrong", np.sin, ("x",), result=lambda x: x, reverse={"x": lambda g: g[:2]}, linear=("x",))
    try:
        with pytest.raises(
            UsageError, match=r"cotangent of shape \(2,\) came for a value of shape \(3,\).*the rule that made it"
        ):
            _gradient(lambda x: np.sum(wrong(x)), X)
    finally:
        del PRIMITIVES["wrong"]


def test_arrays_as_python_sees_them() -> None:
    with rg.GradientTape() as tape:
        x = tape.watch(X)
    assert (len(x), x.size, x.ndim, x.shape, x.dtype) == (3, 3, 1, (3,), np.float64)
    assert repr(x) == f"tracked({X!r})"
    assert len({x, x}) == 1
    with pytest.raises(TypeError, match="array without axes"):
        len(tape._watch_one(1.0))
    with pytest.raises(UnsupportedError, match="was to become bytes"):
        pickle.dumps(x)
    assert copy.copy(x * 2.0)[0] == copy.deepcopy(x * 2.0)[0]


def test_an_unknown_method_says_what_to_do() -> None:
    with rg.GradientTape() as tape:
        x = tape.watch(X)
    with pytest.raises(AttributeError, match="'tobytes' is not known to a tracked array; call a NumPy function"):
        x.tobytes()
    with pytest.raises(AttributeError, match="TrackedArray has no attribute 'nothing'"):
        _ = x.nothing

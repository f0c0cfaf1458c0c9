"""Derivatives of functions that are read: which arguments, which outputs, which backend; what stays as it was."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

import retrograde as rg
from retrograde.python import reading

U = np.array([0.3, -0.5, 0.7, 0.2])


def smooth(u, rate, steps):
    """A nonlinear time loop that writes into its argument."""
    for _ in range(steps):
        u[1:-1] = np.tanh(rate * u[1:-1] + 0.5 * (u[:-2] - u[2:]))
        if u[1] > 0.1:
            u[0] = u[0] * u[1]
    return np.sum(u * u)


def relax(u, f):
    """Changes an argument, and returns nothing."""
    for i in range(1, u.shape[0] - 1):
        u[i] = 0.5 * (u[i - 1] + u[i + 1]) + np.sin(f[i])


def several(u, steps):
    total = 0.0
    for _ in range(steps):
        u = np.sin(u)
        total = total + np.sum(u)
    return total, {"u": u, "steps": steps}


def network(parameters, x):
    for _ in range(2):
        x = np.tanh(parameters["w"] @ x + parameters["b"][0])
    return np.sum(x * x)


@pytest.fixture(params=["tape", "python", pytest.param("numba", marks=pytest.mark.slow)])
def backend(request: pytest.FixtureRequest) -> str:
    return request.param


def slope(f: Callable[..., Any], at: np.ndarray, direction: np.ndarray) -> float:
    """The derivative of a scalar function along a direction, by central differences."""
    step = 1e-6
    return (f(at + step * direction) - f(at - step * direction)) / (2 * step)


def assert_gradient(f: Callable[..., Any], at: np.ndarray, gradient: np.ndarray) -> None:
    for direction in np.random.default_rng(0).normal(size=(3, *at.shape)):
        np.testing.assert_allclose(np.sum(gradient * direction), slope(f, at, direction), rtol=1e-6, atol=1e-9)


def test_a_time_loop_that_writes_into_its_argument(backend: str):
    u = U.copy()
    value, (by_u, by_rate) = rg.value_and_grad(smooth, ("u", 1), backend=backend)(u, 0.9, 5)
    assert value == pytest.approx(smooth(U.copy(), 0.9, 5), rel=1e-14)
    assert_gradient(lambda at: smooth(at.copy(), 0.9, 5), U, by_u)
    assert by_rate == pytest.approx(slope(lambda rate: smooth(U.copy(), rate, 5), 0.9, 1.0), rel=1e-6)
    assert type(by_rate) is type(value) is np.float64
    np.testing.assert_array_equal(u, U)


def test_a_function_that_returns_nothing_has_its_changed_arguments_as_outputs(backend: str):
    u, f = U.copy(), np.linspace(0.0, 1.0, 4)
    of = "u" if backend == "tape" else None
    out, pullback = rg.vjp(relax, backend=backend, of=of)(u, f)
    expected = U.copy()
    relax(expected, f)
    np.testing.assert_allclose(out, expected, rtol=1e-14)
    np.testing.assert_array_equal(u, U)
    cotangent = np.array([0.3, -1.0, 2.0, 0.7])
    by_u, by_f = pullback(cotangent)

    def through(u, f):
        u = u.copy()
        relax(u, f)
        return np.sum(u * cotangent)

    assert_gradient(lambda at: through(at, f), U, by_u)
    assert_gradient(lambda at: through(U, at), f, by_f)
    np.testing.assert_array_equal(pullback(2 * cotangent)[0], 2 * by_u)


def test_the_pullback_does_not_see_what_the_caller_does_to_the_arguments(backend: str):
    u = U.copy()
    _, pullback = rg.vjp(smooth, 0, backend=backend)(u, 0.9, 3)
    before = pullback(1.0)
    if backend == "tape":
        return
    u[:] = 100.0
    np.testing.assert_array_equal(pullback(1.0), before)


def test_outputs_by_name(backend: str):
    by_name = rg.value_and_grad(smooth, of="return", backend=backend)(U.copy(), 0.9, 2)
    assert by_name[0] == pytest.approx(smooth(U.copy(), 0.9, 2), rel=1e-14)
    (total, u), pullback = rg.vjp(smooth, "u", of=("return", "u"), backend=backend)(U.copy(), 0.9, 2)
    np.testing.assert_allclose(np.sum(u * u), total, rtol=1e-14)
    direction = np.array([1.0, 2.0, 3.0, 4.0])

    def both(at):
        at = at.copy()
        total = smooth(at, 0.9, 2)
        return 3.0 * total + np.sum(direction * at)

    assert_gradient(both, U, pullback((3.0, direction)))


def test_one_of_several_that_are_returned(backend: str):
    value, gradient = rg.value_and_grad(several, of="return_0", backend=backend)(U, 3)
    assert value == pytest.approx(several(U, 3)[0], rel=1e-14)
    assert_gradient(lambda at: several(at, 3)[0], U, gradient)


def test_the_container_of_what_is_returned():
    (_, rest), pullback = rg.vjp(several, 0, backend="python")(U, 3)
    assert rest["steps"] == 3
    np.testing.assert_allclose(rest["u"], np.sin(np.sin(np.sin(U))), rtol=1e-14)
    gradient = pullback((1.0, {"u": np.ones(4), "steps": 0}))
    assert_gradient(lambda at: several(at, 3)[0] + np.sum(several(at, 3)[1]["u"]), U, gradient)


def test_containers_of_arrays(backend: str):
    rng = np.random.default_rng(1)
    parameters = {"w": rng.normal(size=(3, 3)), "b": (rng.normal(size=3), 2.0)}
    x = rng.normal(size=3)
    found = rg.grad(network, backend=backend)(parameters, x)
    assert found.keys() == parameters.keys()
    assert found["b"][1] == 0.0
    assert_gradient(lambda w: network({**parameters, "w": w}, x), parameters["w"], found["w"])
    assert_gradient(lambda b: network({**parameters, "b": (b, 2.0)}, x), parameters["b"][0], found["b"][0])


def test_keywords_and_defaults(backend: str):
    def decay(u, *scales, rate=0.5, **more):
        for _ in range(3):
            u = np.sin(u) * rate * scales[1] + more["shift"]
        return np.sum(u)

    found = rg.grad(decay, (2, "rate", "shift"), backend=backend)(U, 1.0, 1.5, rate=0.25, shift=0.125)
    assert found[0] == pytest.approx(slope(lambda s: decay(U, 1.0, s, rate=0.25, shift=0.125), 1.5, 1.0))
    assert found[1] == pytest.approx(slope(lambda r: decay(U, 1.0, 1.5, rate=r, shift=0.125), 0.25, 1.0))
    assert found[2] == pytest.approx(slope(lambda s: decay(U, 1.0, 1.5, rate=0.25, shift=s), 0.125, 1.0))


def test_the_same_array_for_two_arguments_has_two_gradients(backend: str):
    def product(a, b):
        total = 0.0
        for i in range(a.shape[0]):
            total = total + a[i] ** 2 * b[i]
        return total

    by_a, by_b = rg.grad(product, (0, 1), backend=backend)(U, U)
    np.testing.assert_allclose(by_a, 2 * U * U)
    np.testing.assert_allclose(by_b, U**2)


def test_an_array_that_is_written_is_not_passed_twice():
    with pytest.raises(rg.UsageError, match=r"writes into 'u', and 'f' is in the same memory"):
        rg.vjp(relax, backend="python")(U, U)


def tabled(u, at):
    total = 0.0
    for i in range(2):
        total += u[i] * {1.0: 2.0, 3.0: 4.0}[at]
    return total


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: rg.grad(smooth, "v", backend="python")(U, 0.9, 1), r"wrt='v' names no argument"),
        (lambda: rg.grad(smooth, 7, backend="python")(U, 0.9, 1), r"wrt=7 names no argument"),
        (lambda: rg.grad(smooth, (0, "u"), backend="python")(U, 0.9, 1), r"wrt=\(0, 'u'\) names an argument twice"),
        (lambda: rg.grad(smooth, ["u"], backend="python")(U, 0.9, 1), r"wrt=\['u'\] is no position or name"),  # pyright: ignore
        (lambda: rg.grad(tabled, (0, "at"), backend="python")(U, 1.0), r"by argument 'at' .* know it beforehand"),
        (lambda: rg.grad(smooth, "steps", backend="python")(U, 0.9, 1), r"argument 'steps' .* there is int64"),
        (lambda: rg.grad(smooth, of="rate", backend="python")(U, 0.9, 1), r"of='rate' names no output of smooth"),
        (lambda: rg.grad(smooth, of="rates", backend="tape")(U, 0.9, 1), r"of='rates' names no output of smooth"),
        (lambda: rg.grad(smooth, of="u", backend="python")(U, 0.9, 1), r"returned an array of 1 axes"),
        (lambda: rg.grad(several, backend="python")(U, 1), r"has the outputs .*name one of them in `of`"),
        (lambda: rg.grad(relax, backend="python")(U, U.copy()), r"returns nothing and writes into u, an array"),
        (lambda: rg.grad(lambda x: None, backend="python")(U), r"returns nothing and changes none of its arguments"),
        (lambda: rg.grad(smooth, backend="jax"), r"backend='jax' is none of auto, tape, python, numba"),
        (lambda: rg.grad(smooth, of=3), r"of=3 names no output"),
        (lambda: rg.grad(3.0), r"a derivative of a float was asked for"),
        (lambda: rg.grad(smooth, backend="python")(U.astype(int), 0.9, 1), r"there is int64"),
        (lambda: rg.vjp(several, 0, backend="python")(U, 1)[1](1.0), r"a container like .* was needed"),
        (lambda: rg.vjp(relax, backend="python")(U, U + 1)[1](np.ones(3)), r"has shape \(3,\), and the target \(4,\)"),
        (lambda: rg.source(np.sin, U), r"rg.source was called with a ufunc"),
        (lambda: rg.source(rg.grad(smooth), U, 0.9, 1, backend="tape"), r"backend='tape' has no text"),
        (lambda: rg.explain(smooth, U), r"rg.explain was called with a function"),
    ],
)
def test_what_means_nothing(make: Callable[[], Any], message: str):
    with pytest.raises(rg.UsageError, match=message):
        make()


@pytest.mark.parametrize("dtype", ["U3", "O", "M8[s]"])
def test_arrays_of_no_numbers_are_refused(dtype: str):
    with pytest.raises((rg.UnsupportedError, rg.UsageError), match="float"):
        rg.grad(smooth, backend="python")(np.zeros(3, dtype), 0.9, 1)


def test_a_call_that_fits_runs_what_was_made_and_another_is_read_anew(monkeypatch: pytest.MonkeyPatch):
    readings: list[Any] = []
    read = reading.read

    def counting(*given: Any) -> Any:
        readings.append(given)
        return read(*given)

    monkeypatch.setattr(reading, "read", counting)
    derivative = rg.grad(smooth, backend="python")
    for size, steps in ((4, 2), (9, 3), (5, 0)):
        u = np.linspace(0.1, 0.9, size)
        assert_gradient(lambda at, steps=steps: smooth(at.copy(), 0.9, steps), u, derivative(u, 0.9, steps))
    assert len(readings) == 1
    assert derivative(U.astype(np.float32), 0.9, 2).dtype == np.float32
    assert len(readings) == 2
    derivative(U, 0.9, 2)
    assert len(readings) == 2


def test_values_of_a_closure_are_read_at_every_call():
    rate = 0.5

    def scaled(u):
        for _ in range(2):
            u = rate * u
        return np.sum(u)

    derivative = rg.grad(scaled, backend="python")
    assert derivative(U)[0] == 0.25
    rate = 2.0
    assert derivative(U)[0] == 4.0


def test_threads_share_one_reading(monkeypatch: pytest.MonkeyPatch):
    readings: list[Any] = []
    read = reading.read
    monkeypatch.setattr(reading, "read", lambda *given: readings.append(given) or read(*given))
    derivative = rg.grad(smooth, backend="python")
    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.append(derivative(U.copy(), 0.9, 3))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(readings) == 1
    for gradient in found:
        np.testing.assert_array_equal(gradient, found[0])


def test_an_exception_half_way_leaves_the_arguments_as_they_were(backend: str):
    def solves(a, b):
        for i in range(3):
            b[:] = np.linalg.solve(a - i * np.eye(2), b)
        return np.sum(b)

    a, b = np.eye(2), np.ones(2)
    with pytest.raises(np.linalg.LinAlgError):
        rg.grad(solves, backend=backend)(a, b)
    np.testing.assert_array_equal(a, np.eye(2))
    np.testing.assert_array_equal(b, np.ones(2))


@pytest.mark.parametrize("backends", [("auto", "auto"), ("python", "python"), ("tape", "python"), ("python", "tape")])
def test_second_derivatives(backends: tuple[str, str]):
    outer, inner = backends
    if "auto" in backends:
        pytest.importorskip("numba")
    by_rate = rg.grad(rg.grad(smooth, "rate", backend=inner), "rate", backend=outer)
    expected = slope(lambda rate: rg.grad(smooth, "rate", backend="tape")(U.copy(), rate, 3), 0.9, 1.0)
    assert by_rate(U, 0.9, 3) == pytest.approx(expected, rel=1e-6)


def test_a_call_inside_of_another_derivative():
    inner = rg.grad(smooth, "rate", backend="python")
    found = rg.grad(lambda rate: inner(U, rate * rate, 3), backend="tape")(0.9)
    assert found == pytest.approx(slope(lambda rate: inner(U, rate * rate, 3), 0.9, 1.0), rel=1e-6)


@pytest.mark.parametrize("backend", ["auto", "tape", "python"])
def test_forward_derivatives(backend: str):
    value, tangent = rg.jvp(smooth, (U, 0.9, 3), (U, 0.5, None), backend=backend)
    assert value == pytest.approx(smooth(U.copy(), 0.9, 3))
    assert tangent == pytest.approx(slope(lambda t: smooth(U + t * U, 0.9 + 0.5 * t, 3), 0.0, 1.0), rel=1e-6)
    (total, out), (_, moved) = rg.jvp(smooth, (U, 0.9, 3), (U, 0.5, 0), of=("return", "u"), backend=backend)
    assert total == value
    step = 1e-6
    ends = [U * (1 + step), U * (1 - step)]
    for end, sign in zip(ends, (1, -1), strict=True):
        smooth(end, 0.9 + sign * step * 0.5, 3)
    np.testing.assert_allclose(moved, (ends[0] - ends[1]) / (2 * step), rtol=1e-5, atol=1e-8)
    np.testing.assert_allclose(np.sum(out * out), total)


@dataclass(frozen=True)
class Scaling:
    weights: Any = field(compare=False)

    def __call__(self, u):
        for _ in range(3):
            u = u * self.weights
        return np.sum(u)


class WithoutHash(Scaling):
    __hash__ = None  # pyright: ignore


@pytest.mark.parametrize("kind", [Scaling, WithoutHash])
def test_forward_derivatives_of_objects_that_are_equal_are_apart(kind: type[Scaling], backend: str):
    slopes = [rg.jvp(kind(np.full(4, scale)), (U,), (U,), backend=backend)[1] for scale in (1.0, 2.0)]
    np.testing.assert_allclose(slopes, [np.sum(U), 8.0 * np.sum(U)])


def test_as_many_tangents_as_primals():
    with pytest.raises(rg.UsageError, match="2 primals were given, and 1 tangents"):
        rg.jvp(np.multiply, (1.0, 2.0), (1.0,))


def test_a_whole_number_has_no_tangent():
    with pytest.raises(rg.UsageError, match="primal 2 has dtype int64, and a tangent that is not 0"):
        rg.jvp(smooth, (U, 0.9, 3), (U, 0.5, 1))


@pytest.mark.parametrize("backend", ["tape", "python"])
def test_all_arguments_but_those_without_a_derivative(backend: str):
    _, pullback = rg.vjp(smooth, backend=backend)(U, 0.9, 2)
    by_u, by_rate, by_steps = pullback(1.0)
    np.testing.assert_array_equal(by_u, rg.grad(smooth, backend=backend)(U, 0.9, 2))
    assert by_rate != 0.0
    assert by_steps is None


def waves(u, steps):
    for _ in range(steps):
        flow = np.exp(-u * u)
        u = np.sin(flow) * u
    return np.sum(u)


@pytest.mark.parametrize("backend", ["auto", "python"])
def test_variables_to_compute_again(backend: str):
    plain = rg.grad(waves, backend=backend)
    rebuilt = rg.grad(waves, backend=backend, recompute=["flow"])
    np.testing.assert_array_equal(rebuilt(U, 5), plain(U, 5))
    assert "flow" in {kept.name for kept in rg.explain(plain, U, 5).kept}
    found = rg.explain(rebuilt, U, 5)
    assert "flow" not in {kept.name for kept in found.kept}
    assert "flow" in {part.text for part in found.recomputed}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"recompute": ["flows"]}, "recompute names 'flows', and waves computes no such variable; it has "),
        ({"recompute": "flow"}, r"give a list of names: \['flow'\]"),
        ({"recompute": ["flow"], "backend": "tape"}, "the tape sees none"),
        ({"checkpoint": True, "strategy": "revolve"}, 'checkpoint=True means strategy="sqrt"'),
        ({"threshold": 2.5}, "threshold=2.5 is no number of iterations"),
    ],
)
def test_what_cannot_be_kept_or_computed_again_so(options: dict[str, Any], message: str):
    with pytest.raises(rg.UsageError, match=message):
        rg.grad(waves, **options)(U, 3)


def test_the_tape_recomputes_no_variables():
    with pytest.raises(rg.UsageError, match="the tape sees none"):
        rg.grad(np.sin, recompute=["x"])(0.5)


def test_a_pullback_inside_of_another_derivative():
    def inner(rate):
        _, pullback = rg.vjp(smooth, "rate", backend="python")(U, rate, 3)
        return pullback(1.0)

    found = rg.grad(inner, backend="tape")(0.9)
    assert found == pytest.approx(slope(lambda rate: rg.grad(smooth, "rate", backend="tape")(U, rate, 3), 0.9, 1.0))


def picked(u, k):
    total = 0.0
    for _ in range(2):
        total = total + u[k] * u[k]
    return total


@pytest.mark.slow
def test_sizes_that_only_broadcast_run_as_numpy_code():
    def added(u, v):
        for _ in range(2):
            u = np.sin(u) + v
        return np.sum(u * u)

    derivative = rg.grad(added, (0, 1))
    derivative(U, U)
    for other in (np.ones(1), np.ones(4)):
        by_u, by_v = derivative(U, other)
        assert_gradient(lambda at, other=other: added(at, other), U, by_u)
        assert_gradient(lambda at: added(U, at), other, by_v)
    with pytest.raises(ValueError, match="broadcast"):
        derivative(U, np.ones(3))


@pytest.mark.parametrize("raised", [ValueError, IndexError, UnboundLocalError])
def test_what_compiled_code_raises_is_told_by_numpy_code(raised: type[Exception], monkeypatch: pytest.MonkeyPatch):
    from retrograde.python import backends, specialising

    def fails(*inputs):
        raise raised("of compiled code")

    def runnable(program, backend, frugal=False):
        return backends.Runnable(fails, "") if backend == "numba" else backends.runnable(program, backend, frugal)

    monkeypatch.setattr(specialising, "runnable", runnable)
    found = rg.grad(picked, backend="numba")(U, 2)
    np.testing.assert_array_equal(found, rg.grad(picked, backend="python")(U, 2))
    with pytest.raises(IndexError, match="index 9 is out of bounds for axis 0 with size 4"):
        rg.grad(picked, backend="numba")(U, 9)


@pytest.mark.parametrize("asked", ["auto", "numba"])
def test_what_numba_fails_on_runs_as_numpy_code_or_is_told(asked: str, monkeypatch: pytest.MonkeyPatch):
    from numba.core.errors import TypingError

    from retrograde.python import specialising

    make = specialising.runnable

    def failing(program: Any, backend: str) -> Any:
        def fail(*_: Any) -> Any:
            raise TypingError("Failed in nopython mode\nno such thing")

        return type(make(program, "python"))(fail, "") if backend == "numba" else make(program, backend)

    monkeypatch.setattr(specialising, "runnable", failing)
    derivative = rg.grad(smooth, backend=asked)
    if asked == "numba":
        with pytest.raises(rg.UnsupportedError, match='of smooth: no such thing; use backend="python"'):
            derivative(U, 0.9, 2)
        return
    np.testing.assert_array_equal(derivative(U, 0.9, 2), rg.grad(smooth, backend="python")(U, 0.9, 2))
    found = rg.explain(derivative, U, 0.9, 2)
    assert [part.text for part in found.in_python] == ["Numba cannot compile it: no such thing"]


def test_a_function_as_a_program():
    program = rg.as_program(smooth, U, 0.9, 2)
    assert program.output_names == ["return", "u"]
    total, after = program(U, 0.9, 3)
    own = U.copy()
    assert (total, list(after)) == (smooth(own, 0.9, 3), list(own))
    backward = rg.add_backward_pass(program, ["return"], ["u"])
    np.testing.assert_array_equal(backward(U, 0.9, 3, 1.0)[-1], rg.grad(smooth, backend="python")(U, 0.9, 3))
    assert "steps" in str(rg.analyze(program))


def test_the_text_can_be_read_and_differentiated_again(tmp_path: Any):
    import importlib.util

    path = tmp_path / "generated_waves.py"
    path.write_text(rg.source(rg.grad(waves), U, 3))
    spec = importlib.util.spec_from_file_location("generated_waves", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    gradient = module.waves_reversed
    np.testing.assert_array_equal(gradient(U, 3, 1.0), rg.grad(waves, backend="python")(U, 3))
    direction = np.array([1.0, -0.5, 0.25, 2.0])
    _, pullback = rg.vjp(gradient, 0, backend="python")(U, 3, np.float64(1.0))
    (found,) = (pullback(direction),)
    step = 1e-6
    expected = (gradient(U + step * direction, 3, 1.0) - gradient(U - step * direction, 3, 1.0)) / (2 * step)
    np.testing.assert_allclose(found, expected, rtol=1e-6)

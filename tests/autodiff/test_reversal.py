"""Programs reversed: each case is NumPy code that runs on the tape, and as a program built by hand from the same "
"code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import retrograde as rg
from retrograde.autodiff import reverse
from retrograde.errors import UsageError
from retrograde.program import Loop, Program, ProgramBuilder

RANDOM = np.random.default_rng(5)
U, W = RANDOM.standard_normal(7), RANDOM.uniform(0.5, 1.5, 7)
A = RANDOM.standard_normal((4, 4))


class _Python:
    """Runs loops and branches at once, under the names that a builder has for them."""

    @staticmethod
    def loop(count: int, body: Callable[..., Any], *initial: Any) -> Any:
        carried = initial
        for index in range(count):
            returned = body(index, *carried)
            carried = returned if isinstance(returned, tuple) else (returned,)
        return carried[0] if len(carried) == 1 else carried

    @staticmethod
    def while_loop(condition: Callable[..., Any], body: Callable[..., Any], *initial: Any, limit: Any = None) -> Any:
        carried, index = initial, 0
        while (limit is None or index < limit) and condition(index, *carried):
            returned = body(index, *carried)
            carried = returned if isinstance(returned, tuple) else (returned,)
            index += 1
        return carried[0] if len(carried) == 1 else carried

    @staticmethod
    def branch(condition: Any, then: Callable[[], Any], otherwise: Callable[[], Any]) -> Any:
        return then() if condition else otherwise()


def _heat(control: Any, u: Any, w: Any, steps: Any) -> Any:
    """A nonlinear stencil with a slice update."""

    def step(_: Any, u: Any) -> Any:
        new = u.copy()
        new[1:-1] += 0.3 * np.tanh(u[2:] - 2.0 * u[1:-1] + u[:-2]) * w[1:-1]
        return new

    return np.sum(control.loop(steps, step, u) * w)


def _branching(control: Any, u: Any, w: Any, steps: Any) -> Any:
    """A branch on data inside a loop, each side of which keeps something of its own."""

    def step(i: Any, u: Any) -> Any:
        turned = control.branch(np.sum(u) > 0.0, lambda: np.sin(u) * w, lambda: np.exp(-u * u) - w[i])
        return turned * 1.5 - 0.2

    return np.sum(np.tanh(control.loop(steps, step, u)))


def _nested(control: Any, u: Any, w: Any, steps: Any) -> Any:
    """A loop in a loop, the inner trip count that of the outer index, two carried values."""

    def outer(i: Any, u: Any, total: Any) -> Any:
        def inner(j: Any, u: Any) -> Any:
            new = u.copy()
            new[j] = np.sin(u[j] * w[i]) + u[j + 1]
            return new

        u = control.loop(i, inner, u)
        return u, total + np.sum(u * u)

    u, total = control.loop(steps, outer, u, 0.0)
    return total * np.sum(u)


def _two_outer_values(control: Any, u: Any, w: Any, steps: Any) -> Any:
    """A loop whose body uses values from around it, one of them computed, and whose carried value is not used."""
    scale = np.exp(-w)

    def step(_: Any, u: Any, unused: Any) -> Any:
        return u * scale + w, unused * 2.0

    u, _ = control.loop(steps, step, u, u)
    return np.sum(u * u)


def _broadcasting(control: Any, u: Any, w: Any, steps: Any) -> Any:
    """Shapes that only the run knows to be equal, and an axis that is broadcast."""

    def step(i: Any, table: Any) -> Any:
        return np.sin(table + u[:, None]) * w

    return np.sum(control.loop(steps, step, u[None, :] * w[:, None]))


def _views(control: Any, u: Any, w: Any, steps: Any) -> Any:
    """Slices with bounds that depend on the index, and an integer array as an index."""
    places = np.array([0, 2, 2])

    def step(i: Any, u: Any) -> Any:
        new = u.copy()
        new[i] = u[:i] @ w[:i] + np.sum(u[places] * u[places])
        return new

    return np.sum(control.loop(steps, step, u))


def _matrix(control: Any, u: Any, w: Any, steps: Any) -> Any:
    """Products of matrices and vectors."""
    matrix = u[:, None] * w

    def step(_: Any, v: Any) -> Any:
        return np.tanh(matrix @ v) + v @ matrix.T * 0.1

    return control.loop(steps, step, w) @ u


def _scattered_twice(control: Any, u: Any, w: Any, steps: Any) -> Any:
    """A part of a sum: both terms get the same scattered cotangent, and one has another already."""

    def step(_: Any, u: Any) -> Any:
        total = u + u * w
        part = np.sum(total[1:] * w[1:])
        return u * np.sum(u * u) + part

    return np.sum(control.loop(steps, step, u * 0.3))


def _loop_in_branch(control: Any, u: Any, w: Any, steps: Any) -> Any:
    """A loop on one side of a branch, inside a loop: stacks that only one side has."""

    def step(i: Any, u: Any) -> Any:
        def inside() -> Any:
            return control.loop(i, lambda j, u: np.sin(u * w[j]) * u, u)

        return control.branch(u[i] > 0.0, inside, lambda: u * u * 0.5)

    return np.sum(control.loop(steps, step, u) * w)


def _branch_around(control: Any, u: Any, w: Any, steps: Any) -> Any:
    """A loop in a branch that uses values from around, and a result that nothing needs."""
    scale = np.tanh(w)

    def loop() -> Any:
        return control.loop(steps, lambda i, u: np.exp(-u * scale), u), u * 2.0

    one, _ = control.branch(u[0] > u[1], loop, lambda: (u * scale * u, scale))
    return np.sum(one)


def _until(control: Any, u: Any, w: Any, steps: Any) -> Any:
    """A loop that a condition on data ends, inside a loop that keeps what the inner one keeps."""

    def step(i: Any, u: Any) -> Any:
        return control.while_loop(lambda j, u: np.sum(u * u) > 2.0 / (i + 1), lambda j, u: np.sin(u) * 0.5 * w, u)

    return np.sum(control.loop(steps, step, u) * w)


def _at_most(control: Any, u: Any, w: Any, steps: Any) -> Any:
    """A condition and a limit; the number of iterations is not used."""

    def body(i: Any, u: Any, total: Any) -> Any:
        return u * np.tanh(w) + 0.1 * w[i], total + np.sum(u * u)

    return control.while_loop(lambda i, u, total: total < 20.0, body, u, np.sum(w), limit=steps)[1]


CASES = [
    _heat,
    _branching,
    _nested,
    _two_outer_values,
    _broadcasting,
    _views,
    _matrix,
    _scattered_twice,
    _loop_in_branch,
    _branch_around,
    _until,
    _at_most,
]
CASE = pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__.strip("_"))


def _program(case: Callable[..., Any], sizes: Any = ("n",)) -> Program:
    builder = ProgramBuilder(case.__name__.strip("_"))
    u, w = builder.input("u", "float64", sizes), builder.input("w", "float64", sizes)
    return builder.finish(loss=case(builder, u, w, builder.input("steps", "int64")))


def _on_tape(case: Callable[..., Any], steps: int) -> Callable[..., Any]:
    return lambda u, w: case(_Python, u, w, steps)


def _grad(f: Callable[..., Any]) -> Callable[..., Any]:
    return rg.grad(f, backend="tape")


@CASE
@pytest.mark.parametrize("steps", [0, 1, 5])
@pytest.mark.parametrize("sizes", [("n",), (None,), (7,)], ids=["named", "unknown", "known"])
def test_a_reversed_program_agrees_with_the_tape(case: Any, steps: int, sizes: Any) -> None:
    value, gradients = rg.value_and_grad(_on_tape(case, steps), (0, 1), backend="tape")(U, W)
    found = reverse(_program(case, sizes), ["u", "w"], ["loss"])(U, W, steps, 1.0)
    np.testing.assert_allclose(found[0], value, rtol=1e-14)
    for one, other in zip(found[1:], gradients, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-12)


@CASE
def test_both_agree_with_finite_differences(case: Any) -> None:
    f = _on_tape(case, 4)
    direction = RANDOM.standard_normal((2, 7))
    step = 1e-6 * direction
    difference = (f(U + step[0], W + step[1]) - f(U - step[0], W - step[1])) / 2e-6
    gradients = reverse(_program(case), ["u", "w"], ["loss"], keep_outputs=False)(U, W, 4, 1.0)
    np.testing.assert_allclose(np.sum(gradients * direction), difference, rtol=1e-6, atol=1e-7)


@CASE
def test_second_derivatives_of_every_kind_agree(case: Any) -> None:
    """The tape over itself, over a reversed program, duals over both, and a program reversed twice."""
    steps, v = 3, RANDOM.standard_normal(7)
    reversed_once = reverse(_program(case), ["u"], ["loss"], keep_outputs=False)

    def by_program(u: Any) -> Any:
        return np.sum(reversed_once(u, W, steps, 1.0)[0] * v)

    f = _on_tape(case, steps)
    expected = _grad(lambda u: np.sum(_grad(f)(u, W) * v))(U)
    np.testing.assert_allclose(rg.hvp(lambda u: f(u, W), (U,), (v,))[0], expected, rtol=1e-10, atol=1e-11)
    np.testing.assert_allclose(_grad(by_program)(U), expected, rtol=1e-10, atol=1e-11)
    np.testing.assert_allclose(rg.jvp(by_program, (U,), (v,))[1], expected @ v, rtol=1e-10, atol=1e-11)
    reversed_twice = reverse(reversed_once, ["u"], ["d_u"], keep_outputs=False)
    np.testing.assert_allclose(reversed_twice(U, W, steps, 1.0, v)[0], expected, rtol=1e-10, atol=1e-11)


def test_a_third_derivative() -> None:
    program = _program(_heat)
    v = RANDOM.standard_normal(7)
    for order in range(3):
        program.output_names = [f"order{order}"]
        program = reverse(program, ["u"], [f"order{order}"], keep_outputs=False)
    f = _on_tape(_heat, 2)
    seeds = (1.0, v, v)

    def second(u: Any) -> Any:
        return _grad(lambda u: np.sum(_grad(f)(u, W) * v))(u)

    found = program(U, W, 2, *seeds)[0]
    difference = (second(U + 1e-6 * v) - second(U - 1e-6 * v)) / 2e-6
    expected = _grad(lambda u: np.sum(second(u) * v))(U)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(found @ v, difference @ v, rtol=1e-5)


def _loops(program: Program) -> list[Loop]:
    return [statement for statement in program.block.statements if isinstance(statement, Loop)]


def test_a_linear_stencil_stores_nothing() -> None:
    """Not even its coefficients, which are views of an input."""

    def stencil(control: Any, u: Any, w: Any, steps: Any) -> Any:
        def step(i: Any, u: Any) -> Any:
            new = u.copy()
            new[1:-1] = w[1:-1] * (u[2:] + u[:-2]) - u[1:-1] * w[i]
            return new

        return np.sum(control.loop(steps, step, u))

    program = reverse(_program(stencil), ["u"], ["loss"])
    assert [loop.consumed for loop in _loops(program)] == [[], []]
    expected = rg.grad(_on_tape(stencil, 3), backend="tape")(U, W)
    np.testing.assert_allclose(program(U, W, 3, 1.0)[1], expected, rtol=1e-12)


def test_a_loop_keeps_what_a_rule_reads_and_no_more() -> None:
    """Of `new = tanh(u)`, the result; the index and the sizes are at hand."""

    def steps(control: Any, u: Any, w: Any, steps: Any) -> Any:
        return np.sum(control.loop(steps, lambda i, u: np.tanh(u) + w[i], u))

    program = reverse(_program(steps), ["u"], ["loss"], keep_outputs=False)
    (forward, backward) = _loops(program)
    assert len(forward.body.results) - len(forward.initial) == 1
    assert len(backward.consumed) == 1


def test_what_only_the_outputs_need_is_left_out() -> None:
    def steps(control: Any, u: Any, w: Any, steps: Any) -> Any:
        return np.sum(control.loop(steps, lambda i, u, v: (u * w, np.exp(v)), u, w)[0])

    program = _program(steps)
    assert len(_loops(program)[0].initial) == 2
    reversed_program = reverse(program, ["u"], ["loss"], keep_outputs=False)
    assert [len(loop.initial) for loop in _loops(reversed_program)] == [1]
    assert len(_loops(program)[0].initial) == 2


def test_the_order_of_outputs_and_inputs_that_do_not_matter() -> None:
    builder = ProgramBuilder("several")
    x, _ = builder.input("x", "float64", ("n",)), builder.input("y", "float64", ("n",))
    program = builder.finish(one=np.sum(x * x), two=x * 3.0, three=2.0)
    reversed_program = reverse(program, ["y", "x"], ["two", "one"])
    assert reversed_program.output_names == ["one", "two", "three", "d_y", "d_x"]
    assert [variable.name for variable in reversed_program.inputs] == ["x", "y", "d_two", "d_one"]
    *_, by_y, by_x = reversed_program(U, W, W, 2.0)
    np.testing.assert_array_equal(by_y, np.zeros(7))
    np.testing.assert_allclose(by_x, 3.0 * W + 4.0 * U)


def test_the_text_of_a_reversed_loop() -> None:
    builder = ProgramBuilder("steps")
    u = builder.input("u", "float64", ("n",))
    program = builder.finish(out=builder.loop(builder.input("steps", "int64"), lambda i, u: np.sin(u), u))
    assert str(reverse(program, ["u"], ["out"], keep_outputs=False)) == "\n".join(
        [
            "program steps_reversed(u: float64[n], steps: int64, d_out: float64[n]):",
            "    c: float64[n], kept_a[] = for i in range(steps) with a = u:",
            "        b: float64[n] = sin(a)",
            "        next b",
            "        collect a",
            "    d_a2: float64[n] = for i2 in reversed(range(steps)) with d_a = d_out, a_ = kept_a[i2]:",
            "        d: float64[n] = cos(a_)",
            "        e: float64[n] = d_a * d",
            "        next e",
            "    return d_u=d_a2",
        ]
    )


def test_a_name_that_is_no_input_or_output() -> None:
    program = _program(_heat)
    with pytest.raises(UsageError, match="'x' is no input of the program; it has u, w, steps"):
        reverse(program, ["x"], ["loss"])
    with pytest.raises(UsageError, match="'y' is no output of the program; it has loss"):
        reverse(program, ["u"], ["y"])
    with pytest.raises(UsageError, match="input steps: int64 has no derivative"):
        reverse(program, ["steps"], ["loss"])
    builder = ProgramBuilder("comparing")
    x = builder.input("x", "float64")
    with pytest.raises(UsageError, match="output 'out' is bool, which has no derivative"):
        reverse(builder.finish(out=x > 0.0), ["x"], ["out"])


def test_a_value_that_a_loop_starts_from_and_uses_in_every_iteration() -> None:
    builder = ProgramBuilder("both")
    x = builder.input("x", "float64")
    y = builder.loop(3, lambda i, y: np.tanh(np.sin(y) + x), x)
    program = builder.finish(y=y)
    (found,) = reverse(program, ["x"], ["y"], keep_outputs=False)(0.3, 1.0)
    step = 1e-6
    expected = (program(0.3 + step)[0] - program(0.3 - step)[0]) / (2 * step)
    assert found == pytest.approx(expected, rel=1e-8)

"""What reversed loops keep: nothing that is still in an array, nothing that is cheap, and the least of the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from retrograde.autodiff import reverse
from retrograde.autodiff.programs.policy import CHEAP, ResidualPolicy
from retrograde.program import PRIMITIVES, Block, Branch, Loop, Program, ProgramBuilder

RANDOM = np.random.default_rng(7)
update = PRIMITIVES["update"]
ALL = slice(None)


def _cholesky(loop: Any, a: Any, n: Any) -> Any:
    def row(i: Any, a: Any) -> Any:
        def column(j: Any, a: Any) -> Any:
            a = loop(j, lambda k, a: update(a, (i, j), a[i, j] - a[i, k] * a[j, k]), a)
            return update(a, (i, j), a[i, j] / a[j, j])

        a = loop(i, column, a)
        a = loop(i, lambda k, a: update(a, (i, i), a[i, i] - a[i, k] * a[i, k]), a)
        return update(a, (i, i), np.sqrt(a[i, i]))

    return loop(n, row, a)


def _cholesky_by_rows(loop: Any, a: Any, n: Any) -> Any:
    def row(i: Any, a: Any) -> Any:
        def column(j: Any, a: Any) -> Any:
            a = update(a, (i, j), a[i, j] - a[i, :j] @ a[j, :j])
            return update(a, (i, j), a[i, j] / a[j, j])

        a = loop(i, column, a)
        a = update(a, (i, i), a[i, i] - a[i, :i] @ a[i, :i])
        return update(a, (i, i), np.sqrt(a[i, i]))

    return loop(n, row, a)


def _lu(loop: Any, a: Any, n: Any) -> Any:
    def row(i: Any, a: Any) -> Any:
        def left(j: Any, a: Any) -> Any:
            a = update(a, (i, j), a[i, j] - a[i, :j] @ a[:j, j])
            return update(a, (i, j), a[i, j] / a[j, j])

        def right(at: Any, a: Any) -> Any:
            j = at + i
            return update(a, (i, j), a[i, j] - a[i, :i] @ a[:i, j])

        return loop(n - i, right, loop(i, left, a))

    return loop(n, row, a)


def _backward_substitution(loop: Any, a: Any, n: Any) -> Any:
    """From the last row to the first, into a column of the same array."""

    def row(at: Any, a: Any) -> Any:
        i = n - 1 - at
        left = a[i, 0] - a[i, i + 1 :] @ a[i + 1 :, 0]
        return update(a, (i, 0), left / a[i, i])

    return loop(n - 1, row, a)


def _seidel(loop: Any, a: Any, n: Any) -> Any:
    def sweep(t: Any, a: Any) -> Any:
        def row(at: Any, a: Any) -> Any:
            i = at + 1

            def column(at: Any, a: Any) -> Any:
                j = at + 1
                return update(a, (i, j), (a[i - 1, j] + a[i, j - 1] + a[i, j] + a[i + 1, j] + a[i, j + 1]) / 5.0)

            return loop(n - 2, column, a)

        return loop(n - 2, row, a)

    return loop(3, sweep, a)


def _jacobi(loop: Any, a: Any, n: Any) -> Any:
    def step(t: Any, a: Any, b: Any) -> Any:
        inside = (slice(1, -1), slice(1, -1))
        b = update(b, inside, 0.2 * (a[1:-1, 1:-1] + a[1:-1, :-2] + a[1:-1, 2:] + a[2:, 1:-1] + a[:-2, 1:-1]))
        a = update(a, inside, 0.2 * (b[1:-1, 1:-1] + b[1:-1, :-2] + b[1:-1, 2:] + b[2:, 1:-1] + b[:-2, 1:-1]))
        return a, b

    return loop(4, step, a, a * 0.5)[0]


def _fdtd(loop: Any, a: Any, n: Any) -> Any:
    def step(t: Any, ex: Any, ey: Any, hz: Any) -> Any:
        ey = update(ey, (0, ALL), t * 1.0)
        ey = update(ey, (slice(1, None), ALL), ey[1:, :] - 0.5 * (hz[1:, :] - hz[:-1, :]))
        ex = update(ex, (ALL, slice(1, None)), ex[:, 1:] - 0.5 * (hz[:, 1:] - hz[:, :-1]))
        inner = hz[:-1, :-1] - 0.7 * (ex[:-1, 1:] - ex[:-1, :-1] + ey[1:, :-1] - ey[:-1, :-1])
        return ex, ey, update(hz, (slice(None, -1), slice(None, -1)), inner)

    return loop(4, step, a, a * 2.0, a * 0.5)[2]


def _prefix(loop: Any, a: Any, n: Any) -> Any:
    """What is read was never written before: it is still in the array that the loop begins with."""

    def step(i: Any, a: Any) -> Any:
        return update(a, i, a[i] * a[i])

    return loop(n, step, a)


def _overwritten(loop: Any, a: Any, n: Any) -> Any:
    """The same place is written by every iteration: its values have to be kept."""
    return loop(n, lambda i, a: update(a, (0, 0), np.sin(a[0, 0]) * a[i, 0]), a)


def _wrapping(loop: Any, a: Any, n: Any) -> Any:
    """An index that is negative once, and picks from the end then: what it picked there is written later."""
    return loop(n, lambda i, a: update(a, (i, 0), a[i - 1, 0] * a[i, 0]), a)


def _run(count: int, body: Callable[..., Any], *initial: Any) -> Any:
    carried = initial
    for index in range(count):
        returned = body(index, *carried)
        carried = returned if isinstance(returned, tuple) else (returned,)
    return carried[0] if len(carried) == 1 else carried


def _stacks(block: Block) -> Iterator[str]:
    for statement in block.statements:
        if isinstance(statement, Loop):
            yield from (result.name for result in statement.results[len(statement.initial) :])
            yield from _stacks(statement.body)
        elif isinstance(statement, Branch):
            yield from (*_stacks(statement.then), *_stacks(statement.otherwise))


def _program(kernel: Callable[..., Any]) -> Program:
    builder = ProgramBuilder(kernel.__name__)
    a = builder.input("a", "float64", ("n", "n"))
    return builder.finish(out=kernel(builder.loop, a, a.shape[0]))


def _matrix(n: int = 6) -> Any:
    a = RANDOM.standard_normal((n, n))
    return a @ a.T + n * np.eye(n)


def _check(program: Program, kernel: Callable[..., Any], n: int = 6) -> None:
    a, seed, direction = _matrix(n), RANDOM.standard_normal((n, n)), RANDOM.standard_normal((n, n))
    gradient = program(a, seed)[-1]
    one, other = (kernel(_run, a + sign * 1e-6 * direction, n) for sign in (1, -1))
    difference = np.sum((one - other) * seed) / 2e-6
    np.testing.assert_allclose(np.sum(gradient * direction), difference, rtol=2e-6, atol=1e-7)


STORING_NOTHING = [
    _cholesky,
    _cholesky_by_rows,
    _lu,
    _backward_substitution,
    _seidel,
    _jacobi,
    _fdtd,
    _prefix,
]


@pytest.mark.parametrize("kernel", STORING_NOTHING, ids=lambda kernel: kernel.__name__.strip("_"))
def test_loops_that_store_nothing(kernel: Any) -> None:
    program = reverse(_program(kernel), ["a"], ["out"], keep_outputs=False)
    assert list(_stacks(program.block)) == []
    _check(program, kernel)
    _check(program, kernel, 3)


@pytest.mark.parametrize("kernel", [_overwritten, _wrapping], ids=lambda kernel: kernel.__name__.strip("_"))
def test_loops_that_write_over_what_is_read(kernel: Any) -> None:
    program = reverse(_program(kernel), ["a"], ["out"])
    assert len(list(_stacks(program.block))) > 0
    _check(program, kernel)


def _steps(body: Callable[..., Any]) -> Program:
    builder = ProgramBuilder("steps")
    u, v = builder.input("u", "float64", ("n",)), builder.input("v", "float64", ("n",))
    return builder.finish(out=builder.loop(builder.input("steps", "int64"), lambda i, u: body(u, v), u))


def _collected(program: Program, policy: ResidualPolicy | None = None) -> list[str]:
    reversed_program = reverse(program, ["u", "v"], ["out"], keep_outputs=False, policy=policy)
    (loop, _) = (statement for statement in reversed_program.block.statements if isinstance(statement, Loop))
    return [str(value.type) for value in loop.body.results[len(loop.initial) :]]


def test_views_of_one_array_are_kept_as_that_array() -> None:
    """An upwind step reads two slices of what it carries."""
    program = _steps(lambda u, v: update(u, slice(1, -1), u[1:-1] - 0.1 * u[1:-1] * (u[1:-1] - u[:-2])))
    assert _collected(program) == ["float64[n]"]


def test_the_least_is_kept_of_what_others_can_be_computed_from() -> None:
    program = _steps(lambda u, v: np.where(u * v > 1.0, u + v, v * 2.0))
    assert _collected(program) == ["bool[n]"]
    program = _steps(lambda u, v: np.tanh(u * v) * (u - v))
    assert _collected(program, ResidualPolicy("nothing")) == ["float64[n]"] * 3
    assert _collected(program, ResidualPolicy("cheap")) == ["float64[n]"] * 2
    assert _collected(program, ResidualPolicy("everything")) == ["float64[n]"]


def test_values_are_recomputed_by_name() -> None:
    program = _steps(lambda u, v: np.tanh(u) * v)
    (loop,) = program.block.statements
    assert isinstance(loop, Loop)
    name = loop.body.statements[0].results[0].name
    assert _collected(program) == ["float64[n]"]
    reversed_program = reverse(program, ["u"], ["out"], keep_outputs=False, policy=ResidualPolicy(recompute=[name]))
    backward = [statement for statement in reversed_program.block.statements if isinstance(statement, Loop)][1]
    assert "tanh" in [
        getattr(statement, "primitive", None) and statement.primitive.name for statement in backward.body.statements
    ]


def test_every_policy_gives_the_same_bits() -> None:
    program = _steps(lambda u, v: np.tanh(u * v) * (u - v) + np.sin(u)[::-1])
    u, v, seed = RANDOM.standard_normal((3, 9))
    results = [
        reverse(program, ["u", "v"], ["out"], policy=ResidualPolicy(rebuild))(u, v, 4, seed)
        for rebuild in ("nothing", "cheap", "everything")
    ]
    for result in results[1:]:
        for one, other in zip(results[0], result, strict=True):
            np.testing.assert_array_equal(one, other)


def test_cheap_primitives_are_declared() -> None:
    assert set(PRIMITIVES) >= CHEAP


def test_a_cotangent_that_a_side_does_not_touch_passes_by() -> None:
    """No zeros are made in the loop, and no sum of whole arrays."""
    builder = ProgramBuilder("sides")
    a, x = builder.input("a", "float64", ("n", "n")), builder.input("x", "float64", ("n",))

    def row(i: Any, s: Any) -> Any:
        return builder.branch(x[i] > 0.0, lambda: s + a[i, 0] * x[i], lambda: s * 0.5)

    program = builder.finish(s=builder.loop(a.shape[0], row, 0.0))
    reversed_program = reverse(program, ["a", "x"], ["s"], keep_outputs=False)
    backward = reversed_program.block.statements[-1]
    assert isinstance(backward, Loop)
    made = {name for name in _primitives(backward.body)}
    assert made.isdisjoint({"broadcast_to", "scatter"})
    arrays, vector = RANDOM.standard_normal((5, 5)), np.array([1.0, -1.0, 2.0, -0.5, 0.3])
    by_a, by_x = reversed_program(arrays, vector, 1.0)
    expected = np.zeros((5, 5))
    expected[[0, 2, 4], 0] = vector[[0, 2, 4]] * [0.25, 0.5, 1.0]
    np.testing.assert_allclose(by_a, expected)
    np.testing.assert_allclose(by_x, arrays[:, 0] * [0.25, 0.0, 0.5, 0.0, 1.0])


def _primitives(block: Block) -> Iterator[str]:
    for statement in block.statements:
        if isinstance(statement, Branch):
            yield from (*_primitives(statement.then), *_primitives(statement.otherwise))
        elif isinstance(statement, Loop):
            yield from _primitives(statement.body)
        else:
            yield statement.primitive.name


def test_rules_from_other_reads_agree() -> None:
    """Also where a quotient by 0 was computed and not chosen."""
    g, y = np.array([0.3, -1.0, 0.0]), np.array([1.5, -0.5, 0.0])
    x = np.array([2.0, 0.7, 1.0])
    met = 0
    for primitive in PRIMITIVES.values():
        for rule in primitive.reverse.values():
            if rule.instead is not None:
                met += 1
                with np.errstate(all="ignore"):
                    values = {"x": x, "y": y, "out": primitive.evaluate(x, y)}
                    shares = [one.function(g, *(values[read] for read in one.reads)) for one in (rule, rule.instead)]
                np.testing.assert_allclose(shares[1], shares[0], rtol=1e-14)
    assert met > 0

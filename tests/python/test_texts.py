"""Texts as people see them: literally, with comments, run, read again."""

from __future__ import annotations

import ast
import linecache
from itertools import count
from textwrap import dedent
from typing import Any

import numpy as np
import pytest

import retrograde as rg
from retrograde.autodiff import reverse
from retrograde.program import PRIMITIVES, Program, ProgramBuilder
from retrograde.python import operations
from retrograde.python.lowering import lower
from retrograde.python.reading import read
from retrograde.python.text import given_operations, python_text, run_text
from retrograde.python.text.wrapping import wrapped
from retrograde.rules.reductions.sums import sum_to

RANDOM = np.random.default_rng(11)
_FILES = count()


def _function(source: str, name: str) -> Any:
    """A function of a source that has lines to quote."""
    file = f"<test {next(_FILES)}>"
    text = dedent(source)
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    namespace: dict[str, Any] = {"np": np}
    exec(compile(text, file, "exec"), namespace)
    return namespace[name]


def _text(program: Program) -> str:
    """A program's text without its first lines, the import."""
    return python_text(lower(program)).removeprefix("import numpy as np\n\n\n")


def _reversed(function: Any, arguments: tuple[Any, ...], wrt: list[str]) -> Program:
    program = read(function, arguments, {}).program
    return reverse(program, wrt, program.output_names, keep_outputs=False)


BURGERS = """\
    def burgers(u, c, steps):
        for t in range(steps):
            u[1:-1] = u[1:-1] - c * u[1:-1] * (u[1:-1] - u[:-2])
"""

CHOLESKY = """\
    def factor(A):
        n = A.shape[0]
        for i in range(n):
            for j in range(i):
                A[i, j] -= A[i, :j] @ A[j, :j]
                A[i, j] /= A[j, j]
            A[i, i] -= A[i, :i] @ A[i, :i]
            A[i, i] = np.sqrt(A[i, i])
"""


def test_a_nonlinear_time_loop_with_slices() -> None:
    burgers = _function(BURGERS, "burgers")
    assert _text(_reversed(burgers, (RANDOM.random(6), 0.1, 3), ["u", "c"])) == dedent(
        '''\
        def burgers_reversed(u, c, steps, d_u):
            """The values d_u, d_c.

            `kept_u` keeps an array float64[n] for each iteration.
            """
            # line 2: for t in range(steps):
            kept_u = np.empty((max(steps, 0), u.shape[0]))
            u = u.copy()
            for t in range(steps):
                kept_u[t] = u
                # line 3: u[1:-1] = u[1:-1] - c * u[1:-1] * (u[1:-1] - u[:-2])
                u_part = u[1:-1]
                u[1:-1] = u_part - c * u_part * (u_part - u[:-2])
            del u
            # reverses line 2: for t in range(steps):
            d_u = d_u.copy()
            d_c = 0.0
            for t in reversed(range(steps)):
                u_t = kept_u[t]
                # reverses line 3: u[1:-1] = u[1:-1] - c * u[1:-1] * (u[1:-1] - u[:-2])
                g = d_u[1:-1].copy()
                d_u[1:-1] = 0.0
                g2 = -g
                u_t_part = u_t[1:-1]
                g3 = g2 * (c * u_t_part)
                g4 = g2 * (u_t_part - u_t[:-2])
                d_u[:-2] -= g3
                d_c += np.sum(g4 * u_t_part)
                d_u[1:-1] += g + g3 + g4 * c
            return d_u, d_c
        '''
    )


def test_element_writes_in_triangular_loops() -> None:
    factor = _function(CHOLESKY, "factor")
    program = read(factor, (np.eye(3),), {}).program
    lines = [line for line in _text(program).splitlines() if not line.lstrip().startswith("#")]
    assert "\n".join(lines) == dedent(
        """\
        def factor(A):
            n = A.shape[0]
            A = A.copy()
            for i in range(n):
                for j in range(i):
                    A[i, j] -= A[i, :j] @ A[j, :j]
                    A[i, j] /= A[j, j]
                A[i, i] -= A[i, :i] @ A[i, :i]
                A[i, i] = np.sqrt(A[i, i])
            return A"""
    )


def test_a_while_loop_and_a_branch() -> None:
    source = """\
        def settle(x, tolerance):
            while np.sum(x * x) > tolerance:
                if x[0] > 0.5:
                    x = x * 0.5
                else:
                    x = np.sin(x)
            return x
    """
    program = read(_function(source, "settle"), (np.ones(3), 0.1), {}).program
    lines = [line for line in _text(program).splitlines() if not line.lstrip().startswith("#")]
    assert "\n".join(lines) == dedent(
        """\
        def settle(x, tolerance):
            x = x.copy()
            while np.sum(x * x) > tolerance:
                if x[0] > 0.5:
                    x = x * 0.5
                else:
                    x = np.sin(x)
            return x"""
    )


def test_arrays_that_take_turns_are_exchanged() -> None:
    builder = ProgramBuilder("turns")
    a, b = builder.input("a", "float64", ("n",)), builder.input("b", "float64", ("n",))

    def step(i: Any, a: Any, b: Any) -> Any:
        return PRIMITIVES["update"](b, slice(1, None), a[:-1]), a

    a, b = builder.loop(3, step, a, b)
    text = _text(builder.finish(a=a, b=b))
    assert "        b[1:] = a[:-1]\n        a, b = b, a\n" in text


SMALL = [
    (BURGERS, "burgers", (RANDOM.random(6), 0.1, 3), ["u", "c"]),
    (CHOLESKY, "factor", (4 * np.eye(3) + RANDOM.random((3, 3)),), ["A"]),
]


@pytest.mark.parametrize(("source", "name", "arguments", "wrt"), SMALL, ids=["burgers", "factor"])
def test_a_text_can_be_read_and_differentiated_again(source: str, name: str, arguments: Any, wrt: list[str]) -> None:
    once = _reversed(_function(source, name), arguments, wrt)
    seed = RANDOM.random(arguments[0].shape)
    inputs = (*arguments, seed)
    by_text = _reversed(run_text(python_text(lower(once)), once.name), inputs, wrt[:1])
    twice = reverse(once, wrt[:1], once.output_names, keep_outputs=False)
    cotangents = [RANDOM.random(np.shape(output)) if np.ndim(output) else 1.0 for output in once(*inputs)]
    found = run_text(python_text(lower(by_text)), by_text.name)(*inputs, *cotangents)
    np.testing.assert_allclose(found, twice(*inputs, *cotangents)[0], rtol=1e-12, atol=1e-13)


def test_constants_are_written_bit_for_bit() -> None:
    builder = ProgramBuilder("constants")
    x = builder.input("x", "float64", (300,))
    large, small = RANDOM.standard_normal(300), RANDOM.standard_normal(3)
    listed = RANDOM.standard_normal(20)
    outputs = {"a": x * large, "b": x[:3] * small, "c": x[:20] + listed, "d": x * np.nan - np.inf, "e": x * -0.0}
    program = builder.finish(**outputs)
    argument = RANDOM.standard_normal(300)
    text = python_text(lower(program))
    assert "b85decode" in text
    for one, other in zip(run_text(text, "constants")(argument), program(argument), strict=True):
        np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(np.signbit(one), np.signbit(other))


def test_numbers_keep_their_type_where_a_lower_precision_meets_them() -> None:
    builder = ProgramBuilder("mixed")
    x = builder.input("x", "float32", ("n",))
    program = builder.finish(double=x * np.float64(0.1), single=x * 0.1)
    text = python_text(lower(program))
    assert "x * np.float64(0.1), x * 0.1" in text
    argument = RANDOM.random(4).astype(np.float32)
    for one, other in zip(run_text(text, "mixed")(argument), program(argument), strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


def test_an_operation_of_the_users_own_is_handed_over() -> None:
    @rg.primitive(reverse={"x": lambda g, x: g * 2.0 * x}, result=lambda x: x)
    def doubly(x: Any) -> Any:
        return np.asarray(x) ** 2

    builder = ProgramBuilder("own")
    x = builder.input("x", "float64", (3,))
    procedure = lower(builder.finish(y=doubly(x)))
    text = python_text(procedure)
    assert "# Handed over by whoever runs this text: own_doubly" in text
    found = run_text(text, "own", given_operations(procedure))(np.arange(3.0))
    np.testing.assert_array_equal(found, [0.0, 1.0, 4.0])


def test_a_local_is_not_taken_for_an_operation() -> None:
    """An operation that is imported under the name of a variable gets another one."""
    builder = ProgramBuilder("clash")
    x = builder.input("divide_or_zero", "float64", (3,))
    y = PRIMITIVES["divide_or_zero"](x, np.array([0.0, 1.0, 2.0]))
    text = python_text(lower(builder.finish(y=y)))
    assert "import divide_or_zero as divide_or_zero_of" in text
    np.testing.assert_array_equal(run_text(text, "clash")(np.array([0.0, 2.0, 2.0])), [0.0, 2.0, 1.0])


def test_a_traceback_shows_the_line_of_the_text() -> None:
    builder = ProgramBuilder("failing")
    x, y = builder.input("x", "float64", (None,)), builder.input("y", "float64", (None,))
    run = run_text(python_text(lower(builder.finish(z=x * y))), "failing")
    with pytest.raises(ValueError, match="broadcast") as error:
        run(np.ones(2), np.ones(3))
    assert "return x * y" in str(error.getrepr(style="short"))


def test_long_lines_are_broken_at_operators() -> None:
    builder = ProgramBuilder("long")
    names = [f"quite_a_long_name_{letter}" for letter in "abcdef"]
    total: Any = 0.0
    for name in names:
        total = total + builder.input(name, "float64", (3,)) * 2.0
    builder.hint(total, "total")
    lines = python_text(lower(builder.finish(total=total, again=total * 2.0))).splitlines()
    assert max(len(line) for line in lines if not line.startswith("def")) <= 104
    at = lines.index("    total = (")
    assert lines[at + 2].startswith("        + quite_a_long_name")
    assert lines[at + 3] == "    )"


def test_calls_and_results_are_broken_in_their_brackets() -> None:
    values = ", ".join(f"np.sin(quite_a_long_name_{letter})" for letter in "abcd")
    nested = "x = " + "f('a, b(', " * 12 + "0" + ")" * 12
    twice = f"np.stack([{values}], axis=0).reshape({', '.join(['quite_a_long_name'] * 6)})"
    for line in (f"x[1:] = {twice}", f"x[1:] = np.stack([{values}], axis=0)", f"return {values}", nested):
        lines = wrapped(f"    {line}")
        assert len(lines) > 1
        assert max(map(len, lines)) <= 100
        assert _parsed(lines) == _parsed([f"    {line}"])


def _parsed(lines: list[str]) -> str:
    return ast.dump(ast.parse("\n".join(["def f():", *lines])))


def test_bounds_of_inner_loops_stay_as_they_were_written() -> None:
    source = """\
        def seidel(A, steps):
            N = A.shape[0]
            for t in range(0, steps - 1):
                for i in range(1, N - 1):
                    for j in range(N - 2, 0, -1):
                        A[i, j] = np.sin(A[i, j - 1]) * 2.0
    """
    text = python_text(lower(_reversed(_function(source, "seidel"), (RANDOM.random((5, 5)), 3), ["A"])))
    assert "for i in reversed(range(1, N - 1)):" in text
    assert "0, -1)):" in text
    assert "- 1 - 1" not in text


@pytest.mark.parametrize(("span", "is_large_enough"), [("range(1, len(x))", True), ("range(n)", False)])
def test_sizes_need_no_maximum_where_they_are_large_enough(span: str, is_large_enough: bool) -> None:
    source = f"""\
        def squares(x, n):
            total = 0.0
            for i in {span}:
                total += x[i] * x[i] * total
            return total
    """
    text = python_text(lower(_reversed(_function(source, "squares"), (RANDOM.random(5), 3), ["x"])))
    assert ("max(" not in text) == is_large_enough
    assert "np.empty(" in text


def test_signs_and_conditions_are_written_the_short_way() -> None:
    source = """\
        def signs(x, y):
            z = np.where(x > y, x, -y * 2.0)
            for i in range(2):
                z[i] -= x[i] * y[i]
            return z
    """
    text = python_text(lower(_reversed(_function(source, "signs"), (RANDOM.random(5), RANDOM.random(5)), ["x", "y"])))
    assert "+ -" not in text
    assert "+= -" not in text
    assert "logical_not" not in text
    assert ",]" not in text


def test_numbers_are_not_spread_for_what_broadcasts_by_itself() -> None:
    source = """\
        def powers(u):
            for _ in range(2):
                u = np.sin(u)
            return np.sum(u**4)
    """
    program = _reversed(_function(source, "powers"), (RANDOM.random(4),), ["u"])
    text = python_text(lower(program))
    assert "multiply_or_zero(d_return, 4 * u ** 3)" in text
    u = RANDOM.random(4)
    np.testing.assert_array_equal(run_text(text, program.name)(u, 2.0), program(u, 2.0)[0])


def test_memory_is_let_go_of_in_loops_if_asked_for() -> None:
    builder = ProgramBuilder("frugal")
    u, steps = builder.input("u", "float64", ("n",)), builder.input("steps", "int64")

    def step(i: Any, u: Any) -> Any:
        part = np.sin(u)
        builder.hint(part, "part")
        return part * part + u

    program = builder.finish(u=builder.loop(steps, step, u))
    assert "del" not in _text(program)
    text = python_text(lower(program, frugal=True))
    assert "        del part\n" in text
    argument = RANDOM.random(4)
    np.testing.assert_array_equal(run_text(text, "frugal")(argument, 3), program(argument, 3)[0])


def test_what_is_kept_is_copied_if_a_later_iteration_writes_it() -> None:
    """The array kept in one iteration is the one that is written in the next."""
    source = """\
        def turns(a, b, n):
            total = 0.0
            for t in range(n):
                c = np.sin(a[: t + 1])
                b[0] = b[0] * 0.5 + np.sum(c * c)
                a, b = b, a
                total = total + np.sum(a * a)
            return total
    """
    program = _reversed(_function(source, "turns"), (RANDOM.random(6), RANDOM.random(6), 4), ["a", "b"])
    inputs = (RANDOM.random(6), RANDOM.random(6), 4, 1.0, RANDOM.random(6), RANDOM.random(6))
    found = run_text(python_text(lower(program)), program.name)(*inputs)
    for one, other in zip(found, program(*inputs), strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_may_be_a_view_is_said_before_its_array_is_copied_under_the_same_name() -> None:
    """A sum to the shape that an array has already is the array itself."""
    builder = ProgramBuilder("zeroed")
    x, size = builder.input("x", "float64", (None,)), builder.input("size", "int64", ())
    before = sum_to(x[1:], (size,))
    x[1:] = 0.0
    program = builder.finish(y=before * (x[1:] + 1.0))
    found = run_text(python_text(lower(program)), "zeroed")(RANDOM.random(4) + 1.0, 3)
    assert np.all(found > 1.0)


RANGES = {
    "up": "range(n)",
    "from_one": "range(1, n)",
    "down": "range(n - 1, -1, -1)",
    "by_two": "range(0, n, 2)",
    "down_by_two": "range(n - 1, 0, -2)",
    "empty": "range(n, 2)",
}


STEPS_OF_ONE = {RANGES["up"], RANGES["from_one"], RANGES["down"], RANGES["empty"]}
"""Those that are printed as they were; strides are counted."""


@pytest.mark.parametrize("span", RANGES.values(), ids=RANGES.keys())
def test_ranges_stay_what_they_were(span: str) -> None:
    source = f"""\
        def marched(x, n):
            for i in {span}:
                x[i] = np.sin(x[i]) * x[i - 1] + i
            return np.sum(x * x)
    """
    function = _function(source, "marched")
    x = RANDOM.random(5)
    program = read(function, (x, 5), {}).program
    text = python_text(lower(program))
    assert (f"\n    for i in {span}:\n" in text) == (span in STEPS_OF_ONE), text
    run = run_text(text, program.name)
    changed = x.copy()
    expected = function(changed, 5)
    found = dict(zip(program.output_names, run(x, 5), strict=True))
    np.testing.assert_array_equal(found["return"], expected)
    np.testing.assert_array_equal(found["x"], changed)
    backward = reverse(program, ["x"], ["return"], keep_outputs=False)
    text = python_text(lower(backward))
    np.testing.assert_array_equal(run_text(text, backward.name)(x, 5, 1.0), backward(x, 5, 1.0)[0])


def test_an_operation_that_is_not_there() -> None:
    with pytest.raises(ImportError, match="no_such_operation"):
        from retrograde.python.operations import no_such_operation  # noqa: F401
    with pytest.raises(AttributeError, match=r"retrograde has no operation 'nothing'; docs/rules\.md lists"):
        operations.nothing  # noqa: B018
    assert "divide_or_zero" in dir(operations)

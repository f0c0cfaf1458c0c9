"""Programs evaluated: on plain arrays and others, and what is freed on the way."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np
import pytest

import retrograde as rg
from retrograde.autodiff import reverse
from retrograde.errors import UsageError
from retrograde.program import Primitive, Program, ProgramBuilder
from retrograde.program.primitive import PRIMITIVES


def _sum_of_squares() -> Program:
    builder = ProgramBuilder("squares")
    x, y = builder.input("x", "float64", ("n",)), builder.input("y", "float64", ("n",))
    return builder.finish(out=np.sum(x * y))


def test_arguments_that_do_not_fit() -> None:
    program = _sum_of_squares()
    x = np.ones(3)
    with pytest.raises(
        UsageError, match=r"called with 1 arguments; it has the inputs x: float64\[n\], y: float64\[n\]"
    ):
        program(x)
    with pytest.raises(UsageError, match=r"got float32 of shape \(3,\) for its input y: float64\[n\]"):
        program(x, x.astype(np.float32))
    with pytest.raises(UsageError, match=r"got float64 of shape \(3, 1\) for its input x"):
        program(x[:, None], x)
    with pytest.raises(
        UsageError, match=r"got float64 of shape \(4,\) for its input y.*one size wherever the inputs name one"
    ):
        program(x, np.ones(4))


def test_a_program_runs_on_tracked_arrays_and_duals() -> None:
    program, x = _sum_of_squares(), np.array([1.0, 2.0])
    np.testing.assert_allclose(rg.grad(lambda x: program(x, x * x)[0])(x), 3 * x * x)
    assert rg.jvp(lambda x: program(x, x)[0], (x,), (x,))[1] == 10.0


def test_a_program_inside_a_program() -> None:
    squares = _sum_of_squares()
    builder = ProgramBuilder("outer")
    x = builder.input("x", "float64", ("n",))
    assert builder.finish(out=squares(x, x + 1.0)[0])(np.array([1.0, 2.0])) == (8.0,)


@pytest.fixture
def alive() -> Any:
    """A primitive that passes its operand on, and counts how many of its results are alive."""
    references: list[weakref.ref[Any]] = []
    most = [0]

    def passed(x: Any) -> Any:
        copied = x.copy()
        references.append(weakref.ref(copied))
        most[0] = max(most[0], sum(reference() is not None for reference in references))
        return copied

    yield Primitive("counted", passed, ("x",), result=lambda x: x, reverse={"x": lambda g: g}, linear=("x",)), most
    del PRIMITIVES["counted"]


def test_a_value_is_freed_after_its_last_use(alive: Any) -> None:
    counted, most = alive
    builder = ProgramBuilder("chain")
    x = builder.input("x", "float64", (3,))
    for _ in range(10):
        x = counted(x) + 1.0
    builder.finish(out=builder.loop(10, lambda i, x: counted(x) * 2.0, x))(np.ones(3))
    assert most == [1]


def test_a_reversed_loop_holds_one_residual_for_each_iteration(alive: Any) -> None:
    counted, most = alive
    builder = ProgramBuilder("chain")
    x = builder.input("x", "float64", (3,))
    program = builder.finish(out=builder.loop(10, lambda i, x: counted(np.sin(counted(x))) * 2.0, x))
    reverse(program, ["x"], ["out"], keep_outputs=False)(np.ones(3), np.ones(3))
    assert most[0] <= 12


def test_the_result_of_a_loop_that_does_not_run() -> None:
    builder = ProgramBuilder("idle")
    x = builder.input("x", "float64", ("n",))
    program = builder.finish(out=builder.loop(builder.input("count", "int64"), lambda i, x: np.sin(x), x))
    np.testing.assert_array_equal(program(np.ones(2), 0)[0], np.ones(2))

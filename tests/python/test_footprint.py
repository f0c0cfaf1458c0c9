"""Bytes of a program's values for the inputs of a call."""

from __future__ import annotations

import numpy as np

import retrograde.rules  # noqa: F401 - declares the primitives
from retrograde.autodiff import reverse
from retrograde.program import Program, ProgramBuilder
from retrograde.program.types import StackType
from retrograde.python.footprint import Footprint


def _stack_bytes(program: Program, *inputs) -> list[int | None]:
    joint = reverse(program, ["x"], ["y"])
    footprint = Footprint(joint, [*inputs, np.float64(1.0)])
    results = [result for statement in joint.block.statements for result in statement.results]
    return [footprint.bytes_of(result) for result in results if isinstance(result.type, StackType)]


def test_a_loop_keeps_an_entry_for_each_iteration():
    builder = ProgramBuilder("decay")
    x, steps = builder.input("x", "float32", ("n",)), builder.input("steps", "int64")
    y = builder.loop(steps, lambda i, x: np.tanh(x), x)
    program = builder.finish(y=np.sum(y))
    assert _stack_bytes(program, np.ones(7, np.float32), 5) == [5 * 7 * 4]
    assert _stack_bytes(program, np.ones(7, np.float32), 0) == [0]


def test_counts_that_are_computed_from_sizes_and_numbers():
    builder = ProgramBuilder("computed")
    x, steps = builder.input("x", "float64", ("n",)), builder.input("steps", "int64")
    y = builder.loop(x.shape[0] * steps - 2, lambda i, x: np.sin(x[1:]).sum() * x, x)
    program = builder.finish(y=np.sum(y))
    assert sum(size or 0 for size in _stack_bytes(program, np.ones(4), 3)) >= 10 * 8


def test_triangular_loops_are_summed():
    builder = ProgramBuilder("triangle")
    x, n = builder.input("x", "float64"), builder.input("n", "int64")
    y = builder.loop(n, lambda i, x: builder.loop(i, lambda j, x: np.sin(x), x), x)
    program = builder.finish(y=y)
    assert _stack_bytes(program, 0.5, 6) == [8 * (0 + 1 + 2 + 3 + 4 + 5)]


def test_what_hangs_on_data_is_not_known():
    builder = ProgramBuilder("until")
    x = builder.input("x", "float64")
    y = builder.while_loop(lambda i, x: x > 1.0, lambda i, x: np.sqrt(x) * np.sin(x), x)
    program = builder.finish(y=y)
    assert None in _stack_bytes(program, 5.0)

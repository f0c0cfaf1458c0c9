"""Backward passes of programs: strategies, fused loops, two parts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from retrograde.autodiff.programs.backward_pass import add_backward_pass
from retrograde.errors import UsageError
from retrograde.program import Loop, Program, ProgramBuilder
from retrograde.program.fuse import fuse_loops
from retrograde.program.simplify import simplify

RANDOM = np.random.default_rng(13)
X, Y = RANDOM.standard_normal((2, 5))


def _two_loops(between: Any = None) -> Program:
    builder = ProgramBuilder("two")
    x, y = builder.input("x", "float64", ("n",)), builder.input("y", "float64", ("n",))
    n = x.shape[0]
    one = builder.loop(n, lambda i, u: np.tanh(u * y) + x[i], x)
    start = y if between is None else between(one, y)
    other = builder.loop(n, lambda i, v: np.sin(v) * x, start)
    return builder.finish(one=one, other=other)


def _loops(program: Program) -> list[Loop]:
    return [statement for statement in program.block.statements if isinstance(statement, Loop)]


def test_loops_are_fused() -> None:
    program = _two_loops()
    fused = fuse_loops(program)
    assert [len(_loops(one)) for one in (program, fused)] == [2, 1]
    for one, other in zip(program(X, Y), fused(X, Y), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("between", [lambda one, y: one, lambda one, y: y * np.sum(one)])
def test_loops_that_need_one_another_are_not(between: Any) -> None:
    assert len(_loops(fuse_loops(_two_loops(between)))) == 2


def test_loops_inside_of_loops_and_stacks() -> None:
    """Two loops in the body of a third, with what they collect for their reverse."""
    builder = ProgramBuilder("inside")
    x, y = builder.input("x", "float64", ("n",)), builder.input("y", "float64", ("n",))

    def step(i: Any, u: Any, v: Any) -> Any:
        u = builder.loop(3, lambda j, u: np.tanh(u * y), u)
        return u, builder.loop(3, lambda j, v: np.sin(v * x), v)

    u, v = builder.loop(2, step, x, y)
    joint = add_backward_pass(builder.finish(u=u, v=v), ["u", "v"], ["x", "y"])
    fused = simplify(fuse_loops(joint))
    assert [len([1 for part in loop.body.statements if isinstance(part, Loop)]) for loop in _loops(joint)] == [2, 2]
    assert [len([1 for part in loop.body.statements if isinstance(part, Loop)]) for loop in _loops(fused)] == [1, 1]
    for one, other in zip(joint(X, Y, X, Y), fused(X, Y, X, Y), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("strategy", ["store_all", "selective", "recompute_all"])
@pytest.mark.parametrize("autooptimize", [False, True])
def test_every_strategy_gives_the_same(strategy: str, autooptimize: bool) -> None:
    program = _two_loops()
    reference = add_backward_pass(program, ["one", "other"], ["x", "y"])(X, Y, Y, X)
    found = add_backward_pass(program, ["one", "other"], ["x", "y"], strategy, autooptimize)
    parts = add_backward_pass(program, ["one", "other"], ["x", "y"], strategy, autooptimize, separate=True)
    outputs = parts.forward(X, Y)
    gradients = parts.backward(*outputs[2:], Y, X)
    for one, other, third in zip(reference, found(X, Y, Y, X), (*outputs[:2], *gradients), strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-13)
        np.testing.assert_array_equal(third, other)


def test_a_strategy_that_is_none() -> None:
    with pytest.raises(UsageError, match=r"strategy 'revolve' was asked for.*it has store_all, selective"):
        add_backward_pass(_two_loops(), ["one"], ["x"], "revolve")

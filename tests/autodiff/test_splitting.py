"""Reversed programs in two parts: the same gradients, with little handed over."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from random_programs import random_case

from retrograde.autodiff import reverse
from retrograde.autodiff.programs.policy import ResidualPolicy
from retrograde.autodiff.programs.splitting import Split, split
from retrograde.errors import UsageError
from retrograde.program import Program, ProgramBuilder, StackType

RANDOM = np.random.default_rng(11)


def _pulled_back(parts: Split, arguments: tuple[Any, ...], cotangents: tuple[Any, ...]) -> tuple[Any, ...]:
    outputs = parts.forward(*arguments)
    count = len(outputs) - len(parts.residuals)
    assert parts.forward.output_names[count:] == parts.residuals
    assert [variable.name for variable in parts.backward.inputs][: len(parts.residuals)] == parts.residuals
    return (*outputs[:count], *parts.backward(*outputs[count:], *cotangents))


@pytest.mark.parametrize("seed", range(8))
def test_parts_compute_what_the_whole_does(seed: int) -> None:
    _, program = random_case(seed)
    a, v = RANDOM.standard_normal((5, 5)), RANDOM.standard_normal(5)
    seeds = RANDOM.standard_normal((5, 5)), RANDOM.standard_normal(5), 1.3
    joint = reverse(program, ["a", "v"], ["a", "v", "s"])
    found = _pulled_back(split(joint, ["d_a", "d_v", "d_s"]), (a, v), seeds)
    for one, other in zip(found, joint(a, v, *seeds), strict=True):
        np.testing.assert_array_equal(one, other)


def _decay() -> Program:
    builder = ProgramBuilder("decay")
    u, rate = builder.input("u", "float64", ("n",)), builder.input("rate", "float64")
    u = builder.loop(builder.input("steps", "int64"), lambda i, u: np.tanh(rate * u), u)
    return reverse(builder.finish(u=u, total=np.sum(u)), ["u"], ["total"])


def test_a_pullback_is_handed_the_stack_of_a_loop() -> None:
    parts = split(_decay(), ["d_total"])
    assert parts.forward.output_names[:2] == ["u", "total"]
    assert [isinstance(variable.type, StackType) for variable in parts.backward.inputs].count(True) == 1
    assert "tanh" not in str(parts.backward)
    outputs = parts.forward(np.array([0.5, 2.0]), 0.9, 3)
    once = parts.backward(*outputs[2:], 1.0)[0]
    np.testing.assert_allclose(once, [0.46883044, 0.02729032], rtol=1e-6)
    np.testing.assert_array_equal(parts.backward(*outputs[2:], 2.0)[0], 2.0 * once)
    with pytest.raises(UsageError, match=r"got a float for its input kept_c.*pass the list that a program returned"):
        parts.backward(*(1.0 if isinstance(value, list) else value for value in outputs[2:]), 1.0)


def test_what_is_cheap_is_not_handed_over() -> None:
    """Not the sum and the product, but what they are made of."""
    builder = ProgramBuilder("cheap")
    x, y = builder.input("x", "float64", ("n",)), builder.input("y", "float64", ("n",))
    joint = reverse(builder.finish(z=(x * y) * (x + y) * np.sin(x - y)), ["x", "y"], ["z"])
    assert len(split(joint, ["d_z"], ResidualPolicy("nothing")).residuals) > 3
    parts = split(joint, ["d_z"], ResidualPolicy("cheap"))
    assert parts.residuals[:2] == ["x", "y"]
    assert len(parts.residuals) == 3
    assert "cos" in str(parts.backward)
    assert "sin" not in str(parts.backward)
    assert split(joint, ["d_z"], ResidualPolicy("everything")).residuals == ["x", "y"]


def test_names_of_residuals_are_new() -> None:
    """An input that is a residual and an output of one name."""
    builder = ProgramBuilder("same")
    x = builder.input("x", "float64")
    parts = split(reverse(builder.finish(x=x * x), ["x"], ["x"]), ["d_x"])
    assert parts.residuals == ["x_2"]
    assert _pulled_back(parts, (3.0,), (1.0,)) == (9.0, 6.0)


def test_a_later_input_that_is_none() -> None:
    with pytest.raises(UsageError, match="'d_y' is no input of program decay_reversed; it has u, rate, steps, d_total"):
        split(_decay(), ["d_y"])

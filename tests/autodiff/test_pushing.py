"""Forward derivatives of programs as programs: against duals, and reversed."""

from __future__ import annotations

import numpy as np
import pytest
from random_programs import random_case
from test_reversal import CASE, U, W, _on_tape, _program

import retrograde as rg
from retrograde.autodiff import reverse
from retrograde.autodiff.programs.pushing import push
from retrograde.errors import UsageError
from retrograde.program import ProgramBuilder

RANDOM = np.random.default_rng(17)
V, Z = RANDOM.standard_normal((2, 7))


@CASE
@pytest.mark.parametrize("steps", [0, 1, 4])
def test_a_pushed_program_agrees_with_duals(case: object, steps: int) -> None:
    value, tangent = rg.jvp(_on_tape(case, steps), (U, W), (V, Z))  # pyright: ignore
    found = push(_program(case), ["u", "w"], ["loss"])(U, W, steps, V, Z)  # pyright: ignore
    np.testing.assert_allclose(found, (value, tangent), rtol=1e-11, atol=1e-12)


@CASE
def test_a_pushed_program_reversed_gives_second_derivatives(case: object) -> None:
    """And a reversed one pushed the same."""
    expected = rg.hvp(lambda u: _on_tape(case, 3)(u, W), (U,), (V,))[0]  # pyright: ignore
    program = _program(case)  # pyright: ignore
    over = reverse(push(program, ["u"], ["loss"], keep_outputs=False), ["u"], ["d_loss"], keep_outputs=False)
    np.testing.assert_allclose(over(U, W, 3, V, 1.0)[0], expected, rtol=1e-10, atol=1e-11)
    under = push(reverse(program, ["u"], ["loss"], keep_outputs=False), ["u"], ["d_u"], keep_outputs=False)
    np.testing.assert_allclose(under(U, W, 3, 1.0, V)[0], expected, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("seed", range(6))
def test_random_programs_are_pushed(seed: int) -> None:
    """The pairing of tangents with what a reversed program makes of cotangents."""
    _, program = random_case(seed)
    a, v, da, dv = (
        RANDOM.standard_normal((5, 5)),
        *RANDOM.standard_normal((1, 5)),
        *[RANDOM.standard_normal((5, 5))],
        V[:5],
    )
    seeds = RANDOM.standard_normal((5, 5)), RANDOM.standard_normal(5), 0.7
    tangents = push(program, ["a", "v"], ["a", "v", "s"], keep_outputs=False)(a, v, da, dv)
    by_a, by_v = reverse(program, ["a", "v"], ["a", "v", "s"], keep_outputs=False)(a, v, *seeds)
    forward = sum(np.sum(one * other) for one, other in zip(tangents, seeds, strict=True))
    np.testing.assert_allclose(np.sum(by_a * da) + np.sum(by_v * dv), forward, rtol=1e-8, atol=1e-9)


def test_what_does_not_change_and_names() -> None:
    builder = ProgramBuilder("names")
    x, y = builder.input("x", "float64", ("n",)), builder.input("y", "float64", ("n",))
    program = builder.finish(one=x * y, two=y * 2.0, three=1.5)
    pushed = push(program, ["x"], ["one", "two", "three"])
    assert [variable.name for variable in pushed.inputs] == ["x", "y", "d_x"]
    assert pushed.output_names == ["one", "two", "three", "d_one", "d_two", "d_three"]
    *_, one, two, three = pushed(U, W, V)
    np.testing.assert_array_equal(one, V * W)
    np.testing.assert_array_equal(two, np.zeros(7))
    assert three == 0.0
    with pytest.raises(UsageError, match="'z' is no input of the program; it has x, y"):
        push(program, ["z"], ["one"])

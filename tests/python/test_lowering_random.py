"""Texts of random programs give, bit for bit, what the programs give; they change no argument, and share no result."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest
from drawn_programs import RandomProgram

from retrograde.autodiff import reverse
from retrograde.program import Program
from retrograde.python.lowering import lower
from retrograde.python.text import python_text, run_text


def _compare(program: Program, arguments: tuple[Any, ...], rtol: float = 0.0) -> None:
    text = python_text(lower(program, frugal=len(program.block.statements) % 2 == 0))
    given = [np.copy(argument) for argument in arguments]
    expected = program(*arguments)
    found = run_text(text, program.name)(*arguments)
    found = found if isinstance(found, tuple) else (found,)
    for name, one, other in zip(program.output_names, found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol, 0.0, err_msg=f"{name}\n{text}")
    for one, other in zip(arguments, given, strict=True):
        np.testing.assert_array_equal(one, other, text)
    for one, other in combinations((*found, *arguments), 2):
        assert not np.shares_memory(one, other), text


@pytest.mark.parametrize("seed", range(40))
def test_texts_equal_evaluation(seed: int) -> None:
    drawn = RandomProgram(seed, 6 + seed % 7)
    program = drawn.program()
    for count in (0, 1, 3):
        with np.errstate(all="ignore"):
            _compare(program, drawn.arguments(count))


@pytest.mark.parametrize("seed", range(15))
def test_texts_with_turned_arrays_equal_evaluation_but_for_rounding(seed: int) -> None:
    drawn = RandomProgram(500 + seed, 8, turned=True)
    with np.errstate(all="ignore"):
        _compare(drawn.program(), drawn.arguments(2), 1e-12)


@pytest.mark.parametrize("seed", range(15))
def test_texts_of_reversed_programs_equal_evaluation(seed: int) -> None:
    drawn = RandomProgram(1000 + seed, 6, smooth=True)
    program = reverse(drawn.program(), ["u", "A", "c"], ["loss"], keep_outputs=bool(seed % 2))
    for count in (0, 1, 3):
        with np.errstate(all="ignore"):
            _compare(program, (*drawn.arguments(count), 1.0))

"""Every primitive can be printed, and the printed call gives the bits of its evaluation; what shares memory says so."""

from __future__ import annotations

import sys
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parents[1] / "autodiff"))
from rule_samples import SAMPLES
from samples.sample import Sample

from retrograde import rules
from retrograde.program import PRIMITIVES, Program, ProgramBuilder
from retrograde.program.kinds import as_tuple, is_tuple
from retrograde.python.lowering import lower
from retrograde.python.lowering.aliasing import MAY_RETURN_OPERAND, SHARING_PLACES
from retrograde.python.text import python_text, run_text

assert rules  # importing it declares the primitives
NAMES = [name for name in sorted(SAMPLES) if name not in ("add_stacks", "zero_stack")]


def _is_array(operand: Any) -> bool:
    return isinstance(operand, (np.ndarray, np.generic))


def _program(name: str, sample: Sample) -> tuple[Program, list[Any]]:
    """A program that applies a primitive, with the arrays among the operands as inputs."""
    builder = ProgramBuilder("printed")
    arguments: list[Any] = []

    def given(operand: Any) -> Any:
        if is_tuple(operand):
            return tuple(map(given, operand))
        if not _is_array(operand):
            return operand
        arguments.append(operand)
        return builder.input(f"x{len(arguments)}", operand.dtype, operand.shape)

    results = PRIMITIVES[name](*map(given, sample.operands), **sample.static)
    return builder.finish(**{f"out{at}": result for at, result in enumerate(as_tuple(results))}), arguments


@pytest.mark.parametrize("name", NAMES)
def test_a_primitive_is_printed(name: str) -> None:
    for sample in SAMPLES[name]:
        _check_text(name, sample)


def _check_text(name: str, sample: Sample) -> None:
    program, arguments = _program(name, sample)
    text = python_text(lower(program))
    with np.errstate(all="ignore"):
        found = as_tuple(run_text(text, "printed")(*arguments))
        expected = program(*arguments)
    for one, other in zip(found, expected, strict=True):
        assert np.asarray(one).dtype == np.asarray(other).dtype, text
        np.testing.assert_array_equal(one, other, text)


@pytest.mark.parametrize("name", NAMES)
def test_what_shares_memory_is_known_to(name: str) -> None:
    """Lowering writes into results, if they have memory of their own."""
    for sample in SAMPLES[name]:
        _check_memory(name, sample)


def _check_memory(name: str, sample: Sample) -> None:
    primitive = PRIMITIVES[name]
    with np.errstate(all="ignore"):
        results = as_tuple(primitive(*sample.operands, **sample.static))
    first = sample.operands[0]
    for result in results:
        shared = [operand for operand in sample.operands if _is_array(operand) and np.shares_memory(result, operand)]
        known = (primitive.views is not None and primitive.views(*sample.operands)) or name in MAY_RETURN_OPERAND
        assert not shared or (known and all(operand is first for operand in shared)), name
        if isinstance(result, np.ndarray) and result.ndim and name not in SHARING_PLACES:
            assert result.flags.writeable or (known and shared), name
            assert 0 not in result.strides or 1 in result.shape or not result.size or known, name
    for one, other in combinations(results, 2):
        assert not np.shares_memory(one, other), name

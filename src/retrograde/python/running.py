"""Running the programs of a specialisation on the values of a call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from retrograde.program.dispatch import Intercepting
from retrograde.program.evaluate import evaluate
from retrograde.program.model import Operand
from retrograde.python.outputs import type_of_output
from retrograde.python.specialising import Specialisation


def run(found: Specialisation, which: str, inputs: Sequence[Any]) -> list[Any]:
    """The outputs of one of a specialisation's programs: arrays, and numbers as NumPy's scalars.

    Where an input is under differentiation itself, the program is evaluated operation by operation, and so recorded.
    """
    program = found.programs[which]
    if any(isinstance(value, Intercepting) for value in inputs):
        return list(evaluate(program, *inputs))
    numbers = [
        given if hasattr(given, "dtype") else type_of_output(variable).dtype.type(given)
        for variable, given in zip(program.inputs, inputs, strict=True)
    ]
    try:
        results = found.runnable(which).run(*numbers)
    except Exception as error:
        if not _is_of_numba(error):
            raise
        results = found.without_numba(which, error).run(*numbers)
    return [_as_typed(result, value) for result, value in zip(program.block.results, results, strict=True)]


def _is_of_numba(error: Exception) -> bool:
    """Whether Numba could not compile something; what compiled code raises is NumPy's and Python's."""
    return type(error).__module__.startswith("numba.")


def _as_typed(output: Operand, value: Any) -> Any:
    if type(value) is np.ndarray and value.ndim:
        return value
    return type_of_output(output).dtype.type(value)

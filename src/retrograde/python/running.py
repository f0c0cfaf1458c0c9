"""Running the programs of a specialisation on the values of a call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from retrograde.program.dispatch import Intercepting
from retrograde.program.evaluate import evaluate
from retrograde.program.model import Program
from retrograde.python.footprint import Footprint
from retrograde.python.outputs import type_of_output
from retrograde.python.specialising import Specialisation


def run(found: Specialisation, which: str, inputs: Sequence[Any]) -> list[Any]:
    """The outputs of one of a specialisation's programs: arrays, and numbers as NumPy's scalars.

    Where an input is under differentiation itself, the program is evaluated operation by operation, and so recorded.
    """
    dtypes, results = found.dtypes(which)
    values: list[Any] = []
    for given, dtype in zip(inputs, dtypes, strict=True):
        if given.__class__ is np.ndarray:
            values.append(given)
        elif isinstance(given, Intercepting) or _holds_intercepting(given):
            return list(evaluate(found.programs[which], *inputs))
        else:
            values.append(given if isinstance(given, np.ndarray) else dtype(given))
    try:
        made = _carried_out(found, which, values)
    except Exception as error:
        if _is_of_numba(error):
            found.refused(which, error)
        elif found.backend != "numba" or not _is_of_checks(error):
            raise
        made = _carried_out(found, which, values, "python")
    return [
        value if value.__class__ is np.ndarray and value.ndim else dtype(value)
        for dtype, value in zip(results, made, strict=True)
    ]


def _carried_out(found: Specialisation, which: str, values: list[Any], backend: str | None = None) -> Sequence[Any]:
    prepared, planned = found.prepared(which, values, backend)
    if planned is None:
        return prepared.run(*values)
    try:
        return prepared.run(*values, *planned.schedules)
    except BaseException:
        planned.abandon()
        raise


def typed(values: Sequence[Any], program: Program) -> list[Any]:
    """Values for a program's inputs, numbers as NumPy's scalars."""
    pairs = zip(values, program.inputs, strict=True)
    return [given if np.ndim(given) else type_of_output(variable).dtype.type(given) for given, variable in pairs]


def example_cotangents(found: Specialisation, inputs: Sequence[Any]) -> list[Any]:
    """Arrays in the shapes of the outputs, without the memory; where only a run can tell the shapes, it is run."""
    footprint = Footprint(found.programs["forward"], inputs)
    results = dict(zip(found.outputs.names, found.programs["forward"].block.results, strict=True))
    shapes = [footprint.shape_of(results[output.name]) for output in found.active]
    if None in shapes:
        values = dict(zip(found.outputs.names, run(found, "forward", inputs), strict=True))
        shapes = [np.shape(values[output.name]) for output in found.active]
    dtypes = [type_of_output(output).dtype for output in found.active]
    return [np.broadcast_to(dtype.type(1), shape or ()) for dtype, shape in zip(dtypes, shapes, strict=True)]


def _holds_intercepting(given: Any) -> bool:
    """Whether a stack has entries that are under differentiation."""
    return given.__class__ is list and any(
        isinstance(entry, Intercepting) or _holds_intercepting(entry) for entry in given
    )


def _is_of_checks(error: Exception) -> bool:
    """Whether it may be of compiled code's own checks: the text in NumPy, which changes nothing either, then tells."""
    return type(error) in (ValueError, IndexError, UnboundLocalError)


def _is_of_numba(error: Exception) -> bool:
    """Whether Numba could not compile something; what compiled code raises is NumPy's and Python's."""
    return type(error).__module__.startswith("numba.")

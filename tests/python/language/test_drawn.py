"""Random functions: their programs do what Python does, and their gradients are those of finite differences."""

from __future__ import annotations

import warnings
from copy import deepcopy
from typing import Any

import numpy as np
import pytest

from language.corpus import as_text, leaves_of
from language.drawn_functions import Drawer, arguments, function_of
from retrograde.autodiff.programs.reversal import reverse
from retrograde.errors import UnsupportedError
from retrograde.python.reading import read


def outcome(seed: int) -> str:
    """What becomes of a drawn function: "refused", or "agrees"; wrong numbers are errors.

    Raises:
        AssertionError: the program gives other values than Python.
    """
    source = Drawer(seed).source()
    function = function_of(source, str(seed))
    given = arguments(seed)
    mine = deepcopy(given)
    expected = leaves_of(function(*mine))
    if not all(np.all(np.isfinite(value)) for value in (*expected, *mine)):
        return "not finite"
    try:
        reading = read(function, given, {})
    except UnsupportedError:
        return "refused"
    program = reading.program
    inputs = reading.inputs(given, {})
    outputs = dict(zip(program.output_names, program(*inputs), strict=True))
    found = leaves_of(reading.rebuild_return([outputs[name] for name in reading.returned]))
    np.testing.assert_equal(len(found), len(expected))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, 1e-12, 1e-13, err_msg=f"the return value of\n{source}")
    for name, changed in zip("xya", mine, strict=False):
        if name not in reading.unclear:
            value = outputs[name] if name in reading.mutated else given["xya".index(name)]
            np.testing.assert_allclose(value, changed, 1e-12, 1e-13, err_msg=f"the argument {name} of\n{source}")
    return _compared(reading, inputs, outputs, source, seed)


def _compared(reading: Any, inputs: list[Any], outputs: dict[str, Any], source: str, seed: int) -> str:
    random = np.random.default_rng(seed)
    program = reading.program
    names = [variable.name for variable in program.inputs]
    wrt = [variable.name for variable in program.inputs if variable.type.differentiable]
    of = [name for name, value in outputs.items() if np.asarray(value).dtype.kind == "f"]
    cotangents = [np.asarray(random.standard_normal(np.shape(outputs[name])))[()] for name in of]
    reversed_program = reverse(program, wrt, of, keep_outputs=False)
    gradients = reversed_program(*inputs, *cotangents)
    directions = [np.asarray(random.standard_normal(np.shape(inputs[names.index(name)])))[()] for name in wrt]

    def along(step: float) -> float:
        moved = list(inputs)
        for name, direction in zip(wrt, directions, strict=True):
            moved[names.index(name)] = moved[names.index(name)] + step * direction
        made = dict(zip(program.output_names, program(*moved), strict=True))
        return sum(float(np.vdot(part, made[name])) for name, part in zip(of, cotangents, strict=True))

    for one, other in zip(as_text(reversed_program)(*inputs, *cotangents), gradients, strict=True):
        np.testing.assert_allclose(one, other, 1e-9, 1e-10, err_msg=f"the text of\n{source}")
    found = sum(float(np.vdot(one, other)) for one, other in zip(gradients, directions, strict=True))
    differences = [(along(step) - along(-step)) / (2 * step) for step in (2e-6, 1e-6)]
    if abs(differences[0] - differences[1]) > 1e-6 * max(1.0, abs(differences[0])):
        return "not smooth"
    tolerance = 1e-5 * max(1.0, abs(differences[0]))
    assert abs(found - differences[1]) < tolerance, f"gradient {found}, differences {differences[1]} of\n{source}"
    return "agrees"


def _outcomes(seeds: range) -> dict[str, int]:
    counts: dict[str, int] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        for seed in seeds:
            result = outcome(seed)
            counts[result] = counts.get(result, 0) + 1
    return counts


def test_drawn_functions() -> None:
    counts = _outcomes(range(25))
    assert counts["agrees"] > 15


@pytest.mark.slow
def test_many_drawn_functions() -> None:
    counts = _outcomes(range(1000, 1300))
    assert counts["agrees"] > 150

"""Random functions: loop nests, run by Python without compiling them, give the gradients of the programs."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from language.drawn_functions import Drawer, arguments, function_of

from retrograde.autodiff.programs.reversal import reverse
from retrograde.errors import UnsupportedError
from retrograde.python.lowering import lower
from retrograde.python.nests import nests_of
from retrograde.python.nests.demoted import Demoted
from retrograde.python.reading import read


def agrees(seed: int) -> bool:
    """Whether a drawn function was read and has loop nests; wrong gradients are errors."""
    source = Drawer(seed).source()
    given = arguments(seed)
    try:
        reading = read(function_of(source, str(seed)), given, {})
    except UnsupportedError:
        return False
    program, inputs = reading.program, reading.inputs(given, {})
    outputs = dict(zip(program.output_names, program(*inputs), strict=True))
    wrt = [variable.name for variable in program.inputs if variable.type.differentiable]
    of = [name for name, value in outputs.items() if np.asarray(value).dtype.kind == "f"]
    random = np.random.default_rng(seed)
    cotangents = [np.asarray(random.standard_normal(np.shape(outputs[name])))[()] for name in of]
    reversed_program = reverse(program, wrt, of, keep_outputs=False)
    try:
        nests = nests_of(lower(reversed_program))
    except Demoted:
        return False
    names: dict[str, Any] = dict(nests.namespace)
    exec(compile(nests.text, f"<nests of {seed}>", "exec"), names)
    found = names[nests.driver](*inputs, *cotangents)
    for one, other in zip(found, reversed_program(*inputs, *cotangents), strict=True):
        np.testing.assert_allclose(one, other, 1e-9, 1e-10, err_msg=source)
    return True


def count(seeds: range) -> int:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)
        return sum(map(agrees, seeds))


def test_nests_of_drawn_functions() -> None:
    # Of these, 23 has loops within loops that count with one name, and 65 stacks that a branch does not fill.
    assert count(range(20, 34)) + count(range(64, 68)) > 8


@pytest.mark.slow
def test_nests_of_many_drawn_functions() -> None:
    assert count(range(1000, 1200)) > 90

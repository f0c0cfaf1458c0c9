"""What tests of reading share: a program has to do what Python does, bit for bit."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np

from retrograde.autodiff import containers, reverse
from retrograde.python.reading import Reading, read


def agrees(function: Callable[..., Any], *arguments: Any, **keywords: Any) -> Reading:
    """Read a function, and compare its program's results and mutated arguments with those of a call of it."""
    reading = read(function, arguments, keywords)
    agrees_on(reading, function, *arguments, **keywords)
    return reading


def agrees_on(reading: Reading, function: Callable[..., Any], *arguments: Any, **keywords: Any) -> None:
    """Compare a program that was read with a call of the function."""
    assert reading.fits(arguments, keywords)
    untouched = copy.deepcopy((arguments, keywords))
    outputs = run(reading, *arguments, **keywords)
    assert_same((arguments, keywords), untouched)
    mine, named = copy.deepcopy((arguments, keywords))
    expected = function(*mine, **named)
    assert_same(reading.rebuild_return([outputs[name] for name in reading.returned]), expected)
    changed = reading.parameters.values(mine, named)
    before = reading.parameters.values(arguments, keywords)
    for name, value, old in zip(reading.parameters.names, changed, before, strict=True):
        parts, originals = containers.leaves(value), containers.leaves(old)
        for called, part, original in zip(reading.arguments[name], parts, originals, strict=True):
            if isinstance(part, np.ndarray):
                assert_same(outputs.get(called, original), part)


def run(reading: Reading, *arguments: Any, **keywords: Any) -> dict[str, Any]:
    """The outputs of a program that was read, by name."""
    program = reading.program
    return dict(zip(program.output_names, program(*reading.inputs(arguments, keywords)), strict=True))


def assert_same(found: Any, expected: Any) -> None:
    """Compare containers of arrays, bit for bit, dtypes and types of numbers included."""
    if isinstance(expected, (tuple, list)):
        assert type(found) is type(expected)
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_same(one, other)
    elif isinstance(expected, dict):
        assert list(found) == list(expected)
        for key in expected:
            assert_same(found[key], expected[key])
    elif isinstance(expected, (np.ndarray, float, int, complex, np.generic)):
        assert type(found) is type(expected) or isinstance(found, (np.generic, np.ndarray))
        assert np.asarray(found).dtype == np.asarray(expected).dtype
        np.testing.assert_array_equal(np.asarray(found), np.asarray(expected))
    else:
        assert found is expected or found == expected


def differentiates(
    function: Callable[..., Any], *arguments: Any, wrt: str, of: str = "return", tolerance: float = 1e-6
) -> None:
    """Compare the gradient of a program's output by an input with differences, in a random direction."""
    reading = agrees(function, *arguments)
    program = reading.program
    backward = reverse(program, wrt=[wrt], of=[of], keep_outputs=False)
    inputs = reading.inputs(arguments, {})
    output = program(*inputs)[program.output_names.index(of)]
    random = np.random.default_rng(0)
    cotangent = random.standard_normal(np.shape(output))[()]
    at = [variable.name for variable in program.inputs].index(wrt)
    (gradient,) = backward(*inputs, cotangent)
    direction = random.standard_normal(np.shape(inputs[at]))[()]
    values = []
    for step in (1e-6, -1e-6):
        moved = [*inputs[:at], inputs[at] + step * direction, *inputs[at + 1 :]]
        values.append(np.sum(cotangent * program(*moved)[program.output_names.index(of)]))
    expected = (values[0] - values[1]) / 2e-6
    np.testing.assert_allclose(np.sum(gradient * direction), expected, rtol=tolerance, atol=tolerance)

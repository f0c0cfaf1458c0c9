"""What the tests of loop nests share: programs compiled, beside their evaluation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from retrograde.autodiff.programs.reversal import reverse
from retrograde.program.model import Program
from retrograde.python.compiling import Nests, compile_text
from retrograde.python.lowering import lower
from retrograde.python.nests import nests_of
from retrograde.python.reading import read


def compiled(nests: Nests) -> Callable[..., tuple[Any, ...]]:
    """The driver of nests, its functions compiled."""
    module = compile_text(nests.text, nests.compiled, inner=nests.inner, namespace=nests.namespace)
    return getattr(module, nests.driver)


def uncompiled(nests: Nests) -> Callable[..., tuple[Any, ...]]:
    """The driver of nests, its functions run by Python: slower, and at once."""
    module: dict[str, Any] = dict(nests.namespace)
    exec(compile(nests.text, "<nests>", "exec"), module)
    return module[nests.driver]


def gradient_program(function: Callable[..., Any], *arguments: Any) -> tuple[Program, list[Any]]:
    """The reverse of a function by all its floating arguments, and arguments for it."""
    reading = read(function, arguments, {})
    program = reading.program
    inputs = list(reading.inputs(arguments, {}))
    wrt = [variable.name for variable in program.inputs if variable.type.differentiable]
    random = np.random.default_rng(7)
    cotangents = [random.standard_normal(np.shape(value))[()] for value in program(*inputs)]
    return reverse(program, wrt=wrt, of=program.output_names), [*inputs, *cotangents]


def checked(function: Callable[..., Any], *arguments: Any) -> Nests:
    """The nests of a function's reverse, which compute what the program does; they change no argument."""
    program, inputs = gradient_program(function, *arguments)
    copies = [np.array(value) for value in inputs]
    nests = nests_of(lower(program))
    found, wanted = compiled(nests)(*inputs), program(*inputs)
    for name, value, other in zip(program.output_names, found, wanted, strict=True):
        np.testing.assert_allclose(value, other, rtol=1e-12, atol=1e-12, err_msg=name)
    for value, copy in zip(inputs, copies, strict=True):
        np.testing.assert_array_equal(value, copy)
    return nests

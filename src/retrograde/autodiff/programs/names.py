"""Inputs and outputs of programs by name, as those that differentiate them ask for them."""

from __future__ import annotations

from typing import Any

import numpy as np

from retrograde.errors import UsageError
from retrograde.program.model import Program, Variable
from retrograde.program.types import ArrayType


def find_input(name: str, program: Program) -> Variable:
    """An input to differentiate by.

    Raises:
        UsageError: there is none of that name, or it has no derivative.
    """
    found = {variable.name: variable for variable in program.inputs}
    if name not in found:
        raise UsageError(f"{name!r} is no input of the program; it has {', '.join(found)}")
    if not found[name].type.differentiable:
        raise UsageError(f"input {found[name]!r} has no derivative; differentiate floating or complex ones")
    return found[name]


def find_output(name: str, program: Program) -> Any:
    """An output to differentiate: a variable, or a constant.

    Raises:
        UsageError: there is none of that name, or it has no derivative.
    """
    outputs = dict(zip(program.output_names, program.block.results, strict=True))
    if name not in outputs:
        raise UsageError(f"{name!r} is no output of the program; it has {', '.join(outputs)}")
    kind = type_of_output(outputs[name])
    if not isinstance(kind, ArrayType) or not kind.differentiable:
        raise UsageError(f"output {name!r} is {kind}, which has no derivative; differentiate floating or complex ones")
    return outputs[name]


def type_of_output(output: Any) -> Any:
    """The type of a variable or a constant."""
    return output.type if isinstance(output, Variable) else ArrayType(np.asarray(output).dtype, np.shape(output))

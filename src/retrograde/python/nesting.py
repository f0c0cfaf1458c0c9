"""Derivatives of derivatives: the program of the first is what the second differentiates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from retrograde.program.clone import clone
from retrograde.program.model import Block, Instruction, Program, blocks_of
from retrograde.program.primitive import PRIMITIVES

if TYPE_CHECKING:
    from retrograde.python.derivative import Derivative
    from retrograde.python.reading.result import Reading


def reading_of_derivative(inner: Derivative, arguments: tuple[Any, ...], options: dict[str, Any]) -> Reading:
    """A gradient as if it had been read: its program with a cotangent of 1."""
    found, _ = inner.specialisation(arguments, options)
    dtype = inner.target_dtype(found)
    program = clone(found.programs["joint"])
    if dtype is not None:
        _set_last_input_to_one(program, dtype)
    _count_as_forward(program.block)
    form = found.chosen.form(arguments, options)
    with_value = inner.request.kind == "value_and_grad"

    def template(values: Sequence[Any]) -> Any:
        return (values[0], form(values[1:])) if with_value else form(values)

    names = list(program.output_names)
    return replace(found.reading, program=program, returned=names, template=template, mutated={}, unclear={})


def _set_last_input_to_one(program: Program, dtype: np.dtype[Any]) -> None:
    cotangent = program.block.parameters.pop()
    one = Instruction(PRIMITIVES["broadcast_to"], (dtype.type(1), ()), {}, [cotangent])
    program.block.statements.insert(0, one)


def _count_as_forward(block: Block) -> None:
    """Take the mark of the backward pass from every statement: to the next derivative it is part of the function."""
    for statement in block.statements:
        if statement.place is not None:
            statement.place = replace(statement.place, reverses=False)
        for inner in blocks_of(statement):
            _count_as_forward(inner)

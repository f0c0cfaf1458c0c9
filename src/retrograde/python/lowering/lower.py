"""From a program to a procedure."""

from __future__ import annotations

from retrograde.program.kinds import is_ndarray
from retrograde.program.model import Block, Instruction, Program, Variable
from retrograde.python.lowering.actions import Emission, Sequence
from retrograde.python.lowering.aliasing import LOCKED, Aliases
from retrograde.python.lowering.explicit import explicit
from retrograde.python.lowering.model import Procedure
from retrograde.python.lowering.naming import Names
from retrograde.python.lowering.operations import COPY
from retrograde.python.lowering.sharing import copy_of, makers_of, share


def lower(program: Program) -> Procedure:
    """What a program does, as statements over names, some of which are written in place.

    Example:
        >>> import numpy as np
        >>> import retrograde.rules
        >>> from retrograde.program import ProgramBuilder
        >>> builder = ProgramBuilder("zeroed")
        >>> x = builder.input("x", "float64", ("n",))
        >>> x[1:] = 0.0
        >>> [type(action).__name__ for action in lower(builder.finish(x=x)).actions]
        ['Bind', 'Write']
    """
    block = share(explicit(program))
    _part_results(block)
    names = Names(block, block.parameters)
    sequence = Sequence(Emission(block, names), block)
    sequence.statements()
    results = sequence.results()
    parameters = [names.of(parameter) for parameter in block.parameters]
    return Procedure(program.name, parameters, sequence.done, results, list(program.output_names))


def _part_results(block: Block) -> None:
    """Copy results that would share memory with each other, with a parameter, or with what must not be written."""
    aliases = Aliases(block, set())
    makers = makers_of(block)
    seen: set[Variable] = {LOCKED, *block.parameters}
    results = list(block.results)
    for at, result in enumerate(results):
        if isinstance(result, Variable):
            reach = {result, *aliases.of(result)}
            rank = getattr(result.type, "rank", 1)
            shared = any(variable is not result or rank for variable in reach & seen)
            seen |= reach
            like = result
        else:
            shared = is_ndarray(result) and result.ndim > 0
            like = None
        if shared:
            copy = copy_of(result, like or Variable("result", _type_of(result)), makers)
            block.statements.append(copy)
            results[at] = copy.results[0]
    block.results = results


def _type_of(value: object):
    from retrograde.program.types import type_of

    return type_of(value)


__all__ = ["COPY", "Instruction", "lower"]

"""From a program to a procedure."""

from __future__ import annotations

from retrograde.program.model import Program
from retrograde.python.lowering.actions import Emission, Sequence
from retrograde.python.lowering.advancing import advance
from retrograde.python.lowering.explicit import explicit
from retrograde.python.lowering.model import Procedure
from retrograde.python.lowering.naming import Names
from retrograde.python.lowering.sharing import share


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
    block = explicit(program)
    advance(block)
    share(block)
    names = Names(block, block.parameters)
    sequence = Sequence(Emission(block, names), block)
    sequence.statements()
    results = sequence.results()
    parameters = [names.of(parameter) for parameter in block.parameters]
    return Procedure(program.name, parameters, sequence.done, results, list(program.output_names))


"""From a program to a procedure."""

from __future__ import annotations

from retrograde.program.model import Program
from retrograde.python.lowering.actions import Emission, Sequence
from retrograde.python.lowering.advancing import advance
from retrograde.python.lowering.explicit import explicit
from retrograde.python.lowering.forgetting import forget
from retrograde.python.lowering.model import Procedure
from retrograde.python.lowering.naming import Names
from retrograde.python.lowering.sharing import share


def lower(program: Program, frugal: bool = False, *, prompt: bool = False) -> Procedure:
    """What a program does, as statements over names, some of which are written in place.

    Args:
        program: it is not changed.
        frugal: let go of arrays inside of loops, too, as soon as they are not needed any more; otherwise until the next
            iteration makes them anew they stay in memory, and the text is shorter.
        prompt: compute nothing from arrays later than the program does, behind other statements: that would hold these
            arrays for longer.

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
    sequence = Sequence(Emission(block, names, prompt), block)
    sequence.statements()
    results = sequence.results()
    parameters = [names.of(parameter) for parameter in block.parameters]
    extents = [parameter.extent for parameter in block.parameters]
    procedure = Procedure(
        program.name, parameters, sequence.done, results, list(program.output_names), extents, program.least_size
    )
    forget(procedure, in_loops=frugal)
    return procedure

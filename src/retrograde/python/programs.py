"""Functions as programs, for those who work on the program form."""

from __future__ import annotations

from typing import Any

from retrograde.autodiff.arguments import Function
from retrograde.program.clone import clone
from retrograde.program.model import Program


def as_program(f: Function, *arguments: Any, **options: Any) -> Program:
    """The program that a function is, for arguments of the kinds of these.

    Its inputs are called as the arguments (leaves of a container by their place in it) and what the function takes
    from around it; its outputs `return` (or `return_0`, `return_1`, …) and the arguments that it changes. Print it to
    read it, call it to evaluate it, and give it to `rg.add_backward_pass` and `rg.analyze`.

    Args:
        f: a function of NumPy code, written in Python.
        arguments, options: as it is called with; it is not run.

    Raises:
        UnsupportedError: the function has something that cannot be read, or no source.

    Example:
        >>> import numpy as np
        >>> import retrograde as rg
        >>> def decay(u, rate, steps):
        ...     for _ in range(steps):
        ...         u = rate * u
        ...     return u
        >>> program = rg.as_program(decay, np.ones(3), 0.5, 4)
        >>> program(np.ones(2), 0.5, 3)
        (array([0.125, 0.125]),)
        >>> print(rg.analyze(program))
        work n steps, depth steps
    """
    from retrograde.python.reading import read

    return clone(read(f, arguments, options).program)

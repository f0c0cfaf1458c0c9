"""Forward derivatives, of functions as they are or of programs read from them."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from retrograde.autodiff import containers
from retrograde.autodiff import functions as on_arrays
from retrograde.autodiff.arguments import Function, dtype_of
from retrograde.errors import UsageError
from retrograde.program.evaluate import evaluate
from retrograde.python.choosing import look_at
from retrograde.python.on_tape import observing
from retrograde.python.outputs import has_derivative
from retrograde.python.request import Of, Request
from retrograde.python.specialising import Specialisations


def pushed(f: Function, request: Request, primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
    """A function's outputs and their tangents."""
    moving = [at for at, primal in enumerate(primals) if has_derivative(primal)]
    if len(primals) != len(tangents):
        raise UsageError(
            f"{len(primals)} primals were given, and {len(tangents)} tangents; give one for each: build them alike"
        )
    for at, tangent in enumerate(tangents):
        if at not in moving and any(np.any(np.asarray(leaf)) for leaf in containers.leaves(tangent)):
            raise UsageError(
                f"primal {at} has dtype {dtype_of(primals[at])}, and a tangent that is not 0; a primal is floating or "
                "complex, or stays where it is"
            )
    outputs = _outputs_of(f, request)

    def moved(*values: Any) -> Any:
        given = dict(zip(moving, values, strict=True))
        return outputs(*(given.get(at, primal) for at, primal in enumerate(primals)))

    return on_arrays.jvp(moved, tuple(primals[at] for at in moving), tuple(tangents[at] for at in moving))


def _outputs_of(f: Function, request: Request) -> Function:
    """The function that runs on dual numbers: the user's, or its program."""
    finding = look_at(f)
    writes = finding is not None and finding.write is not None and finding.tape is None
    if request.backend == "tape" or (request.backend == "auto" and not writes):
        return f if request.of is None else observing(f, request.of)
    found = _specialisations(f, request.of, request.backend)

    def outputs(*arguments: Any) -> Any:
        made, inputs = found.at(arguments, {})
        values = evaluate(made.programs["forward"], *inputs)
        return made.outputs.rebuild(values)

    return outputs


@lru_cache(maxsize=64)
def _specialisations(f: Function, of: Of, backend: str) -> Specialisations:
    """The programs of a function, so that it is not read at every call."""
    return Specialisations(f, Request("forward", None, of, backend))

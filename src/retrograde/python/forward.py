"""Forward derivatives: of functions on dual numbers, or of programs read from them."""

from __future__ import annotations

from functools import lru_cache
from types import FunctionType, MethodType
from typing import Any

import numpy as np

from retrograde.autodiff import containers
from retrograde.autodiff import functions as on_arrays
from retrograde.autodiff.arguments import Function, dtype_of
from retrograde.autodiff.cotangents import cast
from retrograde.errors import UsageError
from retrograde.python.derivative import Derivative
from retrograde.python.on_tape import observing
from retrograde.python.outputs import has_derivative
from retrograde.python.request import Of, Request
from retrograde.python.running import run


def pushed(f: Function, request: Request, primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
    """A function's outputs and their tangents."""
    moving = [at for at, primal in enumerate(primals) if has_derivative(primal)]
    _check_still(primals, tangents, moving)
    key = f if isinstance(f, (FunctionType, MethodType)) else _Itself(f)
    forward = _forward(key, request.of, request.backend)
    choice = forward.choice(primals, {})
    if not isinstance(choice, str) and choice[0].backend != "tape":
        return _by_program(choice, primals, tangents, moving)
    outputs = f if request.of is None else observing(f, request.of)

    def moved(*values: Any) -> Any:
        given = dict(zip(moving, values, strict=True))
        return outputs(*(given.get(at, primal) for at, primal in enumerate(primals)))

    return on_arrays.jvp(moved, tuple(primals[at] for at in moving), tuple(tangents[at] for at in moving))


def _check_still(primals: tuple[Any, ...], tangents: tuple[Any, ...], moving: list[int]) -> None:
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


def _by_program(
    choice: tuple[Any, list[Any]], primals: tuple[Any, ...], tangents: tuple[Any, ...], moving: list[int]
) -> tuple[Any, Any]:
    found, inputs = choice
    directions: list[Any] = []
    for at in moving:
        pairs = zip(containers.leaves(primals[at]), containers.leaves_like(primals[at], tangents[at]), strict=True)
        for primal, tangent in pairs:
            value, direction = on_arrays.in_direction(primal, tangent, len(directions))
            directions.append(cast(direction, value.dtype))
    names = found.outputs.names
    results = run(found, "joint", [*inputs, *directions])
    changes = dict(zip((output.name for output in found.active), results[len(names) :], strict=True))
    values = results[: len(names)]
    still = [changes.get(name, np.zeros_like(value)) for name, value in zip(names, values, strict=True)]
    return found.outputs.rebuild(values), found.outputs.rebuild(still)


class _Itself:
    """A callable as a key: what is equal to it may compute something else, and it need not have a hash."""

    __slots__ = ("f",)

    def __init__(self, f: Function) -> None:
        self.f = f

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Itself) and other.f is self.f

    def __hash__(self) -> int:
        return id(self.f)


@lru_cache(maxsize=64)
def _forward(key: Function | _Itself, of: Of, backend: str) -> Derivative:
    """What a function's forward derivative is, so that the function is not read at every call."""
    return Derivative(key.f if isinstance(key, _Itself) else key, Request("jvp", None, of, backend))

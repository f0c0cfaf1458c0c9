"""The outputs of a function with their pullback, where the function was read into a program."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from zlib import crc32

import numpy as np

from retrograde.autodiff import containers
from retrograde.autodiff.arguments import Function, name_of
from retrograde.autodiff.cotangents import seed
from retrograde.errors import UsageError
from retrograde.program.dispatch import Intercepting
from retrograde.python.running import example_cotangents, run, typed
from retrograde.python.specialising import Specialisation


def value_and_pullback(
    f: Function, found: Specialisation, inputs: list[Any], arguments: tuple[Any, ...], options: dict[str, Any]
) -> tuple[Any, Function]:
    """The outputs at a call's arguments, and the function from their cotangents to those of the arguments."""
    results, gradients = (_planned if found.request.is_planned else _in_two_parts)(f, found, inputs)
    form = found.chosen.form(arguments, options)
    targets = {name: _only_form(result) for name, result in zip(found.outputs.names, results, strict=True)}
    slots = found.outputs.rebuild([_Slot(name) for name in found.outputs.names])

    def pullback(cotangents: Any) -> Any:
        given: dict[str, Any] = {}
        pairs = zip(containers.leaves(slots), containers.leaves_like(slots, cotangents), strict=True)
        for position, (slot, cotangent) in enumerate(pairs):
            if isinstance(slot, _Slot):
                share = seed(targets[slot.name], cotangent, position)
                given[slot.name] = given[slot.name] + share if slot.name in given else share
        return form(gradients([given[output.name] for output in found.active]))

    return found.outputs.rebuild(results), pullback


_Gradients = Callable[[list[Any]], list[Any]]


def _in_two_parts(f: Function, found: Specialisation, inputs: list[Any]) -> tuple[list[Any], _Gradients]:
    """The outputs, with what the pullback needs of the forward pass kept for it."""
    parts = found.parts()
    made = dict(zip(parts.forward.output_names, run(found, "sweep", inputs), strict=True))
    residuals = [made[name] for name in parts.residuals]
    constant = {name: value for name, value in made.items() if name in found.programs["joint"].output_names}

    def gradients(cotangents: list[Any]) -> list[Any]:
        pulled = run(found, "pullback", [*residuals, *cotangents])
        by_name = constant | dict(zip(parts.backward.output_names, pulled, strict=True))
        return [by_name[name] for name in found.programs["joint"].output_names]

    return [made[name] for name in found.outputs.names], gradients


def _planned(f: Function, found: Specialisation, inputs: list[Any]) -> tuple[list[Any], _Gradients]:
    """The outputs, and a pullback that stays inside the budget: planned before anything runs, where sizes are known.

    Raises:
        BudgetError: the budget is too small.
    """
    if any(isinstance(given, Intercepting) for given in inputs):
        return _again(f, found, inputs)
    _, plan = found.prepared("joint", typed([*inputs, *example_cotangents(found, inputs)], found.programs["joint"]))
    if plan is not None and plan.has_room_for_residuals:
        return _in_two_parts(f, found, inputs)
    return _again(f, found, inputs)


def _again(f: Function, found: Specialisation, inputs: list[Any]) -> tuple[list[Any], _Gradients]:
    """The outputs, with nothing kept: the pullback runs the function once more, in the order of its plan."""
    digests = [_digest(given) for given in inputs]

    def gradients(cotangents: list[Any]) -> list[Any]:
        for variable, given, digest in zip(found.reading.program.inputs, inputs, digests, strict=True):
            if _digest(given) != digest:
                raise UsageError(
                    f"{variable.name} was changed between the call of {name_of(f)} and that of its pullback, which "
                    "reads it once more to stay inside the budget; pass a copy"
                )
        return run(found, "joint", [*inputs, *cotangents])

    return run(found, "forward", inputs), gradients


def _digest(given: Any) -> int | None:
    """A number that tells whether an array was written meanwhile."""
    return crc32(np.ascontiguousarray(given).data.cast("B")) if type(given) is np.ndarray and given.size else None


class _Slot:
    """The place of an output in what the function returned."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name


def _only_form(result: Any) -> Any:
    """An array of the same shape and dtype, without the memory."""
    return np.broadcast_to(np.zeros((), result.dtype), result.shape)

"""The outputs of a function with their pullback, where the function was read into a program."""

from __future__ import annotations

from typing import Any

import numpy as np

from retrograde.autodiff import containers
from retrograde.autodiff.arguments import Function
from retrograde.autodiff.cotangents import seed
from retrograde.python.running import run
from retrograde.python.specialising import Specialisation


def value_and_pullback(
    found: Specialisation, inputs: list[Any], arguments: tuple[Any, ...], options: dict[str, Any]
) -> tuple[Any, Function]:
    """The outputs at a call's arguments, and the function from their cotangents to those of the arguments.

    The pullback holds copies of the arrays it reads, which the caller may change before it is called.
    """
    results = run(found, "forward", inputs)
    held = [np.array(given) if type(given) is np.ndarray else given for given in inputs]
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
        return form(run(found, "joint", [*held, *(given[output.name] for output in found.active)]))

    return found.outputs.rebuild(results), pullback


class _Slot:
    """The place of an output in what the function returned."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name


def _only_form(result: Any) -> Any:
    """An array of the same shape and dtype, without the memory."""
    return np.broadcast_to(np.zeros((), result.dtype), result.shape)

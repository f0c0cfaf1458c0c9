"""The outputs of a function with their pullback, where the function was read into a program."""

from __future__ import annotations

from typing import Any
from zlib import crc32

import numpy as np

from retrograde.autodiff import containers
from retrograde.autodiff.arguments import Function, name_of
from retrograde.autodiff.cotangents import seed
from retrograde.errors import UsageError
from retrograde.python.running import run
from retrograde.python.specialising import Specialisation


def value_and_pullback(
    f: Function, found: Specialisation, inputs: list[Any], arguments: tuple[Any, ...], options: dict[str, Any]
) -> tuple[Any, Function]:
    """The outputs at a call's arguments, and the function from their cotangents to those of the arguments.

    The caller may change the arguments before the pullback is called: it holds copies of them. Where bytes are
    counted it does not, and takes note of changes.
    """
    results = run(found, "forward", inputs)
    held = [given if found.request.budget is not None else _copied(given) for given in inputs]
    digests = [_digest(given) for given in held] if found.request.budget is not None else []
    form = found.chosen.form(arguments, options)
    targets = {name: _only_form(result) for name, result in zip(found.outputs.names, results, strict=True)}
    slots = found.outputs.rebuild([_Slot(name) for name in found.outputs.names])

    def pullback(cotangents: Any) -> Any:
        for variable, given, digest in zip(found.programs["joint"].inputs, held, digests, strict=False):
            if _digest(given) != digest:
                raise UsageError(
                    f"{variable.name} was changed between the call of {name_of(f)} and that of its pullback, which reads "
                    "it once more to stay inside the budget; pass a copy"
                )
        given: dict[str, Any] = {}
        pairs = zip(containers.leaves(slots), containers.leaves_like(slots, cotangents), strict=True)
        for position, (slot, cotangent) in enumerate(pairs):
            if isinstance(slot, _Slot):
                share = seed(targets[slot.name], cotangent, position)
                given[slot.name] = given[slot.name] + share if slot.name in given else share
        return form(run(found, "joint", [*held, *(given[output.name] for output in found.active)]))

    return found.outputs.rebuild(results), pullback


def _copied(given: Any) -> Any:
    return np.array(given) if type(given) is np.ndarray else given


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

"""Derivatives of functions, as objects to call: on the tape, or by a program made of the source."""

from __future__ import annotations

from functools import update_wrapper
from typing import Any

import numpy as np

from retrograde.autodiff import containers
from retrograde.autodiff.arguments import Function, name_of
from retrograde.errors import UnsupportedError, UsageError
from retrograde.program.dispatch import Intercepting
from retrograde.python.choosing import Finding, look_at
from retrograde.python.on_tape import on_tape
from retrograde.python.outputs import type_of_output
from retrograde.python.pullbacks import value_and_pullback
from retrograde.python.reading.source import NoSource
from retrograde.python.request import Request
from retrograde.python.running import run
from retrograde.python.specialising import Specialisation, Specialisations

_TAPE = 'backend="tape"'


class Derivative:
    """A derivative of a function; `rg.grad`, `rg.value_and_grad` and `rg.vjp` make them.

    Args:
        f: the function.
        request: what is asked of it.
    """

    def __init__(self, f: Function, request: Request) -> None:
        if not callable(f):
            raise UsageError(
                f"a derivative of a {type(f).__name__} was asked for; give the function, and the arguments to what "
                "rg.grad returns: rg.grad(f)(x)"
            )
        self.f = f
        self.request = request
        self.finding = f.finding_outside() if isinstance(f, Derivative) else look_at(f)
        self._specialisations = Specialisations(f, request)
        self._without_source: str | None = None
        self._tape = on_tape(f, request, self.finding)
        update_wrapper(self, f, assigned=("__doc__",), updated=())
        self.__name__ = f"{request.kind} of {name_of(f)}"

    def __repr__(self) -> str:
        return f"<{self.__name__}>"

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """The derivative at arguments."""
        choice = self.choice(arguments, options)
        if isinstance(choice, str) or choice[0].backend == "tape":
            self.request.refuse_on_tape()
            return self._tape(*arguments, **options)
        found, inputs = choice
        if self.request.kind == "vjp":
            return value_and_pullback(self.f, found, inputs, arguments, options)
        dtype = self.target_dtype(found)
        results = run(found, "joint", inputs if dtype is None else [*inputs, dtype.type(1)])
        gradient = found.chosen.form(arguments, options)(results[-len(found.chosen.names) :])
        return gradient if self.request.kind == "grad" else (results[0], gradient)

    def finding_outside(self) -> Finding | None:
        """What a derivative of this one goes by: the function's finding, where this one's program can be had."""
        readable = self.request.backend != "tape" and self.request.kind != "vjp" and self.request.budget is None
        return self.finding if readable else None

    def choice(self, arguments: tuple[Any, ...], options: dict[str, Any]) -> tuple[Specialisation, list[Any]] | str:
        """What the derivative is at arguments, and its inputs; or why it runs on the tape without being read.

        Raises:
            UnsupportedError: the function has something that cannot be read.
            UsageError: `wrt` or `of` names nothing in it.
        """
        reason = self._without_source or self._tape_reason(arguments, options)
        if reason is not None:
            return reason
        try:
            return self.specialisation(arguments, options)
        except NoSource as error:
            if self.request.backend != "auto":
                raise
            self._without_source = str(error)
            return self._without_source
        except UnsupportedError as error:
            if self.request.backend != "auto" or _TAPE in str(error):
                raise
            raise UnsupportedError(f"{error}; or let the function run as it is: {_TAPE}") from error

    def specialisation(self, arguments: tuple[Any, ...], options: dict[str, Any]) -> tuple[Specialisation, list[Any]]:
        """What the derivative is at arguments, where the source is read for it; and the inputs of its programs."""
        return self._specialisations.at(arguments, options)

    def target_dtype(self, found: Specialisation) -> np.dtype[Any] | None:
        """The dtype of the one output that a gradient is of; None for one that no argument can change.

        Raises:
            UsageError: there are several, or it is no real scalar.
        """
        if len(found.outputs.names) != 1:
            listed = ", ".join(found.outputs.names) or "none"
            raise _no_scalar(self.f, f"has the outputs {listed}", "name one of them in `of`")
        kind = type_of_output(found.programs["forward"].block.results[0])
        if kind.rank or not kind.differentiable or kind.dtype.kind == "c":
            axes = f"an array of {kind.rank} axes" if kind.rank else "a number"
            found_there = f"returned {axes} of dtype {kind.dtype}"
            if not found.reading.returned:
                found_there = f"returns nothing and writes into {found.outputs.names[0]}, {axes} of dtype {kind.dtype}"
            raise _no_scalar(self.f, found_there, "reduce the result (np.sum)")
        return kind.dtype if found.active else None

    def _tape_reason(self, arguments: tuple[Any, ...], options: dict[str, Any]) -> str | None:
        asked, finding = self.request.backend, self.finding
        if asked == "tape":
            return 'backend="tape" was asked for'
        if asked != "auto":
            return None
        if finding is None:
            return "it is not written in Python, so that there is no source to read"
        if finding.tape is not None:
            return f"it uses {finding.tape}, which works on the tape"
        if finding.loop is None and finding.write is None and not self.request.recompute:
            return "it has no loop and writes into no array, so that there is little to gain from compiling it"
        if finding.write is None and any(map(_is_intercepting, containers.leaves((arguments, options)))):
            return "an argument is under differentiation already: the call is part of another derivative"
        return None


def _is_intercepting(leaf: Any) -> bool:
    return isinstance(leaf, Intercepting)


def _no_scalar(f: Function, found: str, remedy: str) -> UsageError:
    return UsageError(
        f"the gradient of {name_of(f)} was asked for, which {found}; a gradient is that of a real scalar: {remedy}, or "
        "use rg.vjp"
    )

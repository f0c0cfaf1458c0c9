"""From a program to something that runs: readable Python, or loop nests that Numba compiles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from retrograde.program.model import Place, Program

if TYPE_CHECKING:
    from retrograde.python.compiling import Nests


@dataclass(frozen=True)
class Runnable:
    """A program that can be run.

    Attributes:
        run: called with an array or number for each input of the program; returns the outputs as a tuple.
        text: the source that runs.
        reasons: parts that run as Python where the others are compiled, and why.
        regions: how many compiled functions there are.
    """

    run: Callable[..., tuple[Any, ...]]
    text: str
    reasons: list[tuple[Place | None, str]] = field(default_factory=list["tuple[Place | None, str]"])
    regions: int = 0


def runnable(program: Program, backend: str, frugal: bool = False) -> Runnable:
    """A program for a backend, "python" or "numba".

    Args:
        program: what is to run.
        backend: on what.
        frugal: let go of arrays inside of loops, too, where memory is short.
    """
    return _compiled(program, frugal) if backend == "numba" else _readable(program, frugal)


def _readable(program: Program, frugal: bool) -> Runnable:
    from retrograde.python.compiling import compile_text
    from retrograde.python.lowering import lower
    from retrograde.python.text import given_operations, python_text

    procedure = lower(program, frugal, prompt=frugal)
    text = python_text(procedure)
    function = getattr(compile_text(text, namespace=given_operations(procedure)), procedure.name)
    if len(procedure.results) == 1:
        return Runnable(lambda *inputs: (function(*inputs),), text)
    return Runnable(function, text)


def _compiled(program: Program, frugal: bool) -> Runnable:
    from retrograde.python.compiling import compile_text, stored_nests

    nests = stored_nests(program, frugal, lambda: _nests(program, frugal))
    if isinstance(nests, str):
        return replace(_readable(program, frugal), reasons=[(None, nests)])
    module = compile_text(nests.text, nests.compiled, inner=nests.inner, namespace=nests.namespace)
    return Runnable(getattr(module, nests.driver), nests.text, nests.reasons, nests.regions)


def _nests(program: Program, frugal: bool) -> Nests | str:
    """A program as loop nests, or why there are none."""
    from retrograde.python.lowering import lower
    from retrograde.python.nests import nests_of
    from retrograde.python.nests.demoted import Demoted

    try:
        return nests_of(lower(program, frugal), frugal)
    except Demoted as demoted:
        return str(demoted)

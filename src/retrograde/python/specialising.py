"""From a call of a derivative to a program for calls like it, and to what runs it.

A function is read on the arguments of a call: their dtypes and ranks become part of the program, sizes and numbers do
not (but for sizes of 0 and 1, and for numbers whose value the reading had to know). A call that fits an earlier
reading runs what was made of that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from threading import RLock
from typing import TYPE_CHECKING, Any

from retrograde.autodiff.arguments import Function
from retrograde.autodiff.programs.reversal import reverse
from retrograde.errors import UnsupportedError
from retrograde.program.clone import clone, prune
from retrograde.program.model import Block, Instruction, Loop, Program, Statement, Variable, blocks_of
from retrograde.python.backends import Runnable, runnable
from retrograde.python.nesting import reading_of_derivative
from retrograde.python.outputs import Chosen, Outputs, chosen_of, outputs_of

if TYPE_CHECKING:
    from retrograde.python.reading.result import Reading
    from retrograde.python.request import Request

_MOST = 32


@dataclass
class Specialisation:
    """A derivative for calls that fit a reading.

    Attributes:
        reading: of the function.
        backend: that runs it: "tape", "python" or "numba".
        reason: why this one.
        asked: the backend that was asked for.
        outputs: what `of` names.
        active: the outputs that have a derivative.
        programs: "forward", the outputs alone, and "joint", the gradients, behind the outputs where both are asked for.
        chosen: what `wrt` names.
    """

    reading: Reading
    backend: str
    reason: str
    asked: str
    outputs: Outputs
    active: list[Variable]
    programs: dict[str, Program]
    chosen: Chosen = field(default_factory=lambda: Chosen([], [], [], several=True))
    _runnables: dict[tuple[str, str], Runnable] = field(default_factory=dict[tuple[str, str], Runnable])
    _lock: Any = field(default_factory=RLock)

    def runnable(self, which: str, backend: str | None = None) -> Runnable:
        """What runs one of the programs, on another backend if one is named."""
        key = (which, backend or self.backend)
        found = self._runnables.get(key)
        if found is None:
            with self._lock:
                found = self._runnables.get(key)
                if found is None:
                    found = self._runnables[key] = runnable(self.programs[which], key[1])
        return found

    def without_numba(self, which: str, error: Exception) -> Runnable:
        """What runs a program instead, once Numba has failed to compile it.

        Raises:
            UnsupportedError: Numba was asked for by name.
        """
        lines = [line.strip() for line in str(error).splitlines()]
        why = next((line for line in lines if line and not line.startswith("Failed in")), type(error).__name__)
        if self.asked != "auto":
            raise UnsupportedError(
                f'Numba cannot compile the derivative of {self.reading.program.name}: {why}; use backend="python", '
                "which runs the same program as NumPy code"
            ) from error
        with self._lock:
            found = self.runnable(which, "python")
            self._runnables[which, self.backend] = replace(found, reasons=[(None, f"Numba cannot compile it: {why}")])
        return found


class Specialisations:
    """The specialisations of one derivative: found by a call, made where none fits, the latest ones kept."""

    def __init__(self, f: Function, request: Request) -> None:
        self._f = f
        self._request = request
        self._found: tuple[Specialisation, ...] = ()
        self._lock = RLock()

    def at(self, arguments: tuple[Any, ...], options: dict[str, Any]) -> Specialisation:
        """The specialisation for a call.

        Raises:
            UnsupportedError: the function has something that cannot be read.
            UsageError: `wrt` or `of` names nothing in it.
        """
        for found in self._found:
            if found.reading.fits(arguments, options):
                return found
        with self._lock:
            for found in self._found:
                if found.reading.fits(arguments, options):
                    return found
            made = self._made(arguments, options)
            self._found = (made, *self._found[: _MOST - 1])
        return made

    def _read(self, arguments: tuple[Any, ...], options: dict[str, Any]) -> Reading:
        from retrograde.python.derivative import Derivative
        from retrograde.python.reading import read

        if isinstance(self._f, Derivative):
            return reading_of_derivative(self._f, arguments, options)
        return read(self._f, arguments, options)

    def _made(self, arguments: tuple[Any, ...], options: dict[str, Any]) -> Specialisation:
        request = self._request
        reading = self._read(arguments, options)
        backend, reason = _backend(request.backend, reading)
        outputs = outputs_of(self._f, reading, request.of)
        forward = with_outputs(reading.program, outputs.names)
        results = dict(zip(forward.output_names, forward.block.results, strict=True))
        active = [
            Variable(name, result.type)
            for name, result in results.items()
            if isinstance(result, Variable) and result.type.differentiable
        ]
        made = Specialisation(reading, backend, reason, request.backend, outputs, active, {"forward": forward})
        if request.kind != "forward":
            made.chosen = chosen_of(self._f, reading, request.wrt, arguments, options)
            names = [output.name for output in active]
            keep_outputs = request.kind == "value_and_grad"
            made.programs["joint"] = reverse(forward, made.chosen.names, names, keep_outputs=keep_outputs)
        return made


def with_outputs(program: Program, names: Sequence[str]) -> Program:
    """A copy of a program that has only some of its outputs, and what these need."""
    copied = clone(program)
    results = dict(zip(copied.output_names, copied.block.results, strict=True))
    copied.output_names = list(names)
    copied.block.results = [results[name] for name in names]
    return prune(copied)


def _backend(asked: str, reading: Reading) -> tuple[str, str]:
    """The backend for a reading, and why."""
    if asked != "auto":
        return asked, f'backend="{asked}" was asked for'
    loop = _first(reading.program.block, _is_loop)
    if loop is not None:
        return "numba", f"there is a loop over data{_at(loop)}, which is worth compiling"
    write = _first(reading.program.block, _is_write)
    if write is not None:
        reason = f"it writes into an array{_at(write)} and has no loop over data, so that compiling gains little"
        return "python", reason
    return "tape", "it has no loop over data and writes into no array, so that there is little to gain from a program"


def _at(statement: Statement) -> str:
    return "" if statement.place is None else f" ({statement.place.function}, line {statement.place.line})"


def _is_loop(statement: Statement) -> bool:
    return isinstance(statement, Loop)


def _is_write(statement: Statement) -> bool:
    return isinstance(statement, Instruction) and statement.primitive.name in ("update", "add_at")


def _first(block: Block, wanted: Callable[[Statement], bool]) -> Statement | None:
    """The first statement of a kind, in a block or in those inside of it."""
    for statement in block.statements:
        if wanted(statement):
            return statement
        for inner in blocks_of(statement):
            found = _first(inner, wanted)
            if found is not None:
                return found
    return None

"""Reading a function: attempts that know more and more, and what the last one gives."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

import retrograde.rules  # noqa: F401  # pyright: ignore[reportUnusedImport]
from retrograde.autodiff import containers
from retrograde.errors import UnsupportedError
from retrograde.program.builder import ProgramBuilder
from retrograde.program.clone import prune
from retrograde.program.model import Program, all_variables
from retrograde.program.simplify import simplify
from retrograde.program.types import ArrayType, Size
from retrograde.python.reading.arguments import Arguments
from retrograde.python.reading.assumptions import LEAST_SIZE, Assumptions
from retrograde.python.reading.calling import entered, returned
from retrograde.python.reading.frames import body_of, local_names
from retrograde.python.reading.inputs import Inputs
from retrograde.python.reading.matching import match_sizes
from retrograde.python.reading.reader import Reader
from retrograde.python.reading.refusals import at
from retrograde.python.reading.result import Parameters, Reading
from retrograde.python.reading.series import Series
from retrograde.python.reading.signals import NeedsStatic, NeedsUnrolling
from retrograde.python.reading.source import Source, source_of, unbound
from retrograde.python.reading.values import Array, Number

_ATTEMPTS = 100
_STACK = 20_000


def read(
    function: Callable[..., Any],
    arguments: Sequence[Any],
    keywords: Mapping[str, Any] | None = None,
    *,
    static: Sequence[str] = (),
) -> Reading:
    """Read a function of Python and NumPy as a program, for arguments like those of a call.

    What does not depend on data is executed while reading. What does becomes a program: dtypes and numbers of axes are
    those of the arguments, sizes stay open, and so do numbers, as far as nothing needs them before the run.

    Args:
        function: a function whose source can be had. It is not called.
        arguments: the arguments by position: arrays, numbers, containers of them, and anything else, which is constant.
        keywords: those by name.
        static: names of integers among the arguments to take as they are.

    Returns:
        The program, how calls belong to it, and for which others it is right.

    Raises:
        UnsupportedError: something in the function cannot be read; the message says where, and what to write.
        NoSource: the function has no source.

    Example:
        >>> def decay(u, rate, steps):
        ...     for _ in range(steps):
        ...         u = np.tanh(rate * u)
        ...     return u.sum()
        >>> reading = read(decay, (np.ones(5), 0.5, 10))
        >>> print(reading.program)
        program decay(u: float64[n], rate: float64, steps: int64):
            u4: float64[n] = for _ in range(steps) with u2 = u:
                a: float64[n] = rate * u2
                u3: float64[n] = tanh(a)
                next u3
            c: float64 = sum(u4, axis=(0,), keepdims=False)
            return return=c
        >>> reading.fits((np.ones(8), 0.1, 3), {})
        True
    """
    source = source_of(unbound(function)[0])
    parameters = Parameters(function)
    values = parameters.values(arguments, keywords or {})
    assumptions = Assumptions(inputs=set(static))
    with _deep_stack():
        for _ in range(_ATTEMPTS):
            attempt = _Attempt(function, source, parameters, values, assumptions)
            try:
                reading = attempt.read()
            except NeedsStatic as signal:
                if signal.origins is None or not signal.origins.helps(assumptions):
                    raise _not_known(signal, assumptions) from None
                signal.origins.fix(assumptions)
                assumptions.reasons.update(dict.fromkeys(signal.origins.loops, signal))
                continue
            except NeedsUnrolling as signal:
                if signal.loop in assumptions.unrolled:
                    raise at(signal.place, signal.text, signal.message) from None
                if signal.growing is not None and assumptions.grows(signal.loop, *signal.growing):
                    continue
                peeled = signal.loop in assumptions.peeled or signal.at_once
                (assumptions.unrolled if peeled else assumptions.peeled).add(signal.loop)
                assumptions.reasons[signal.loop] = signal
                continue
            if match_sizes(reading.program, assumptions, attempt.inputs.numbers):
                continue
            if reading.fits(arguments, keywords or {}):
                return reading
            attempt.inputs.fix_small(reading.smallest)
    raise UnsupportedError(f"{source.name} was not read in {_ATTEMPTS} attempts; pass fewer numbers that loops need")


def _not_known(signal: NeedsStatic, assumptions: Assumptions) -> UnsupportedError:
    reason = assumptions.reasons.get(signal.loop)
    if reason is not None:
        return at(reason.place, reason.text, f"{reason.message} (the number of iterations depends on data)")
    return at(signal.place, signal.text, signal.message)


@contextmanager
def _deep_stack() -> Generator[None]:
    """Room for the calls of functions that call each other."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(max(limit, _STACK))
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)


class _Attempt:
    def __init__(
        self,
        function: Callable[..., Any],
        source: Source,
        parameters: Parameters,
        values: Sequence[Any],
        assumptions: Assumptions,
    ) -> None:
        self.function, self.bound = unbound(function)
        self.source = source
        self.parameters = parameters
        self.values = values
        builder = ProgramBuilder(source.name if source.name.isidentifier() and source.name != "lambda" else "function")
        builder.least_size = LEAST_SIZE
        self.inputs = Inputs(builder, assumptions, local_names(source.node))
        self.reader = Reader(builder, assumptions, self.inputs)

    def read(self) -> Reading:
        reader = self.reader
        arguments = Arguments(self.inputs, self.parameters.names, self.values)
        names = {**self._make_bound(), **arguments.values}
        with entered(reader, self.source, self.function, None, names) as frame:
            reader.execute(body_of(self.source.node))
            value = returned(reader, frame)
            self.inputs.refuse_unclear_writes()
            outputs: dict[str, Any] = {}
            template = reader.located(_ending(self.source.node), lambda: self._return(value, outputs))
        returns = list(outputs)
        mutated, unclear = arguments.written(outputs)
        outputs = {name: reader.checked(output) for name, output in outputs.items()}
        program = simplify(prune(reader.builder.finish(**outputs)))
        return Reading(
            program,
            self.parameters,
            arguments.inputs,
            arguments.structures,
            self.inputs.leaves,
            returns,
            template,
            mutated,
            unclear,
            _smallest(program, self.inputs.smallest),
        )

    def _make_bound(self) -> dict[str, Any]:
        """What a method or a partial function has of itself: captured values."""
        return {
            name: self.inputs.captured(("bound", name), name, value, fetch)
            for name, (value, fetch) in self.bound.items()
        }

    def _return(self, value: Any, outputs: dict[str, Any]) -> Callable[[Sequence[Any]], Any]:
        parts, structure = containers.flatten(value)
        plain = len(parts) == 1 and parts[0] is value
        template: list[Any] = []
        for part in parts:
            if isinstance(part, Series):
                part.refuse()
            if isinstance(part, (Array, Number)) or _is_number(part):
                name = "return" if plain else f"return_{len(outputs)}"
                template.append(_Slot(len(outputs), part.kind if isinstance(part, Number) else None))
                outputs[name] = _output(self.reader, part)
            else:
                template.append(part)

        def rebuild(values: Sequence[Any]) -> Any:
            filled = [part.filled(values) if isinstance(part, _Slot) else part for part in template]
            return filled[0] if plain else structure.unflatten(filled)

        return rebuild


def _ending(function: ast.FunctionDef | ast.Lambda) -> ast.AST:
    """The statement that an error of what a function returns belongs to."""
    last = body_of(function)[-1]
    return last if isinstance(last, ast.Return) else function


def _is_number(value: Any) -> bool:
    return isinstance(value, (float, complex, np.inexact))


def _output(reader: Reader, value: Any) -> Any:
    if isinstance(value, Array):
        return value.read()
    return value.symbol if isinstance(value, Number) else np.asarray(value)[()]


class _Slot:
    """The place of an output in the return value."""

    def __init__(self, at: int, kind: type | None) -> None:
        self.at = at
        self.kind = kind

    def filled(self, values: Sequence[Any]) -> Any:
        value = values[self.at]
        return self.kind(value) if self.kind is not None and isinstance(value, (np.generic, int, float)) else value


def _smallest(program: Program, assumed: Mapping[str, int]) -> dict[str, int]:
    """For each named size the least that the program is right for; integers that are no sizes are told apart."""
    variables = all_variables(program.block)
    types = [variable.type for variable in variables if isinstance(variable.type, ArrayType)]
    sizes = [size for kind in types for size in kind.sizes if isinstance(size, Size)]
    least = dict.fromkeys((size.name for size in sizes), program.least_size) | dict(assumed)
    for size in sizes:
        least[size.name] = max(least[size.name], -size.offset)
    for variable in variables:
        if isinstance(variable.extent, Size) and variable.extent.name not in least:
            variable.extent = None
    return least

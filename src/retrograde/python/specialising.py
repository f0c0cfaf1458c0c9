"""From a call of a derivative to a program for calls like it, and to what runs it.

A function is read on the arguments of a call: their dtypes and ranks become part of the program, sizes and numbers do
not (but for sizes of 0 and 1, and for numbers whose value the reading had to know). A call that fits an earlier
reading runs what was made of that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from threading import RLock
from typing import TYPE_CHECKING, Any, TypeAlias

from retrograde.autodiff.arguments import Function
from retrograde.autodiff.functions import BudgetLike
from retrograde.autodiff.programs.policy import ResidualPolicy
from retrograde.autodiff.programs.pushing import push
from retrograde.autodiff.programs.reversal import reverse
from retrograde.autodiff.programs.splitting import Split, split
from retrograde.errors import UnsupportedError, UsageError
from retrograde.planning import Budget
from retrograde.program.clone import clone, prune
from retrograde.program.model import (
    Operand,
    Place,
    Program,
    Variable,
    all_variables,
)
from retrograde.program.types import StackType
from retrograde.python.backends import Runnable, runnable
from retrograde.python.choosing import backend_of
from retrograde.python.nesting import reading_of_derivative
from retrograde.python.outputs import Chosen, Outputs, chosen_of, outputs_of, type_of_output

if TYPE_CHECKING:
    from retrograde.python.budget.planned import PlannedProgram
    from retrograde.python.reading.result import Reading
    from retrograde.python.request import Request

Prepared: TypeAlias = "tuple[Runnable, PlannedProgram | None]"

_MOST = 32


@dataclass
class Specialisation:
    """A derivative for calls that fit a reading.

    Attributes:
        reading: of the function.
        backend: that runs it: "tape", "python" or "numba".
        reason: why this one.
        request: what was asked for.
        outputs: what `of` names.
        active: the outputs that have a derivative.
        programs: "forward", the outputs alone, and "joint", the gradients, behind the outputs where both are asked for.
        chosen: what `wrt` names.
        policy: what may be computed again.
    """

    reading: Reading
    backend: str
    reason: str
    request: Request
    outputs: Outputs
    active: list[Variable]
    programs: dict[str, Program]
    chosen: Chosen = field(default_factory=lambda: Chosen([], [], [], several=True))
    _runnables: dict[tuple[str, str], Runnable] = field(default_factory=dict[tuple[str, str], Runnable])
    policy: ResidualPolicy | None = None
    _parts: Split | None = None
    _dtypes: dict[str, tuple[list[Any], list[Any]]] = field(default_factory=dict[str, "tuple[list[Any], list[Any]]"])
    _refused: dict[str, str] = field(default_factory=dict[str, str])
    _planned: dict[Any, Prepared] = field(default_factory=dict[Any, "Prepared"])
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

    def parts(self) -> Split:
        """The derivative in two parts, the programs "sweep" and "pullback"."""
        if self._parts is None:
            with self._lock:
                names = [output.name for output in self.active]
                joint = reverse(self.programs["forward"], self.chosen.names, names, True, self.policy)
                parts = split(joint, [f"d_{name}" for name in names], self.policy)
                self.programs |= {"sweep": parts.forward, "pullback": parts.backward}
                self._parts = parts
        return self._parts

    def dtypes(self, which: str) -> tuple[list[Any], list[Any]]:
        """What makes numbers of the dtypes of a program's inputs and of its outputs."""
        found = self._dtypes.get(which)
        if found is None:
            block = self.programs[which].block
            inputs, outputs = ([_number_type(part) for part in parts] for parts in (block.parameters, block.results))
            found = self._dtypes[which] = (inputs, outputs)
        return found

    def prepared(self, which: str, values: Sequence[Any], backend: str | None = None) -> Prepared:
        """What runs a program on values of these sizes, and the plan that it follows, if it has to follow one.

        Raises:
            BudgetError: the budget is too small.
        """
        backend = backend or ("python" if which in self._refused else self.backend)
        if which != "joint" or not self.request.is_planned:
            return self.runnable(which, backend), None
        sizes = tuple(
            value.shape if value.ndim else int(value) if value.dtype.kind in "iu" else None for value in values
        )
        key = (backend, *sizes)
        found = self._planned.get(key)
        if found is None:
            with self._lock:
                found = self._planned.get(key)
                if found is None:
                    while len(self._planned) >= _MOST:
                        self._planned.pop(next(iter(self._planned)))
                    found = self._planned[key] = self._plan(values, backend)
        return found

    def _plan(self, values: Sequence[Any], backend: str) -> Prepared:
        from retrograde.python.budget.planned import plan_program
        from retrograde.python.budget.spilling import DiskRoom

        request = self.request
        threshold: dict[str, Any] = {} if request.threshold is None else {"threshold": request.threshold}
        compiled = backend == "numba"
        planned = plan_program(
            self.programs["joint"],
            values,
            _as_budget(request.budget),
            request.strategy,
            preallocated=compiled,
            disk=DiskRoom.of(request.disk),
            **threshold,
        )
        return runnable(planned.program, backend, frugal=True), planned

    def refused(self, which: str, error: Exception) -> None:
        """Take note that Numba has failed to compile a program, so that NumPy code runs it from now on.

        Raises:
            UnsupportedError: Numba was asked for by name.
        """
        lines = [line.strip() for line in str(error).splitlines()]
        why = next((line for line in lines if line and not line.startswith("Failed in")), type(error).__name__)
        if self.request.backend != "auto":
            raise UnsupportedError(
                f'Numba cannot compile the derivative of {self.reading.program.name}: {why}; use backend="python", '
                "which runs the same program as NumPy code"
            ) from error
        self._refused[which] = f"Numba cannot compile it: {why}"

    def reasons(self, which: str, made: Runnable) -> list[tuple[Place | None, str]]:
        """What of a program runs as Python where the rest is compiled, and why."""
        return [*made.reasons, *((None, self._refused[key]) for key in (which,) if key in self._refused)]


def _as_budget(budget: BudgetLike) -> Budget | None:
    return None if budget is None else Budget(budget)


def _number_type(part: Operand) -> Callable[[Any], Any]:
    """What makes a number of a variable's dtype; a stack stays as it is."""
    if isinstance(part, Variable) and isinstance(part.type, StackType):
        return _itself
    return type_of_output(part).dtype.type


def _itself(value: Any) -> Any:
    return value


class Specialisations:
    """The specialisations of one derivative: found by a call, made where none fits, the latest ones kept."""

    def __init__(self, f: Function, request: Request) -> None:
        self._f = f
        self._request = request
        self._found: tuple[Specialisation, ...] = ()
        self._lock = RLock()

    def at(self, arguments: tuple[Any, ...], options: dict[str, Any]) -> tuple[Specialisation, list[Any]]:
        """The specialisation for a call, and the inputs of its programs.

        Raises:
            UnsupportedError: the function has something that cannot be read.
            UsageError: `wrt` or `of` names nothing in it, or an array that it writes into was passed twice.
        """
        matched = self._matching(arguments, options)
        if matched is None:
            with self._lock:
                matched = self._matching(arguments, options)
                if matched is None:
                    made = self._made(arguments, options)
                    self._found = (made, *self._found[: _MOST - 1])
                    matched = made, made.reading.inputs(arguments, options)
        return matched

    def _matching(self, arguments: tuple[Any, ...], options: dict[str, Any]) -> tuple[Specialisation, list[Any]] | None:
        for found in self._found:
            inputs = found.reading.match(arguments, options)
            if inputs is not None:
                return found, inputs
        return None

    def _read(self, arguments: tuple[Any, ...], options: dict[str, Any]) -> Reading:
        from retrograde.python.derivative import Derivative
        from retrograde.python.reading import read

        if isinstance(self._f, Derivative):
            return reading_of_derivative(self._f, arguments, options)
        return read(self._f, arguments, options)

    def _made(self, arguments: tuple[Any, ...], options: dict[str, Any]) -> Specialisation:
        request = self._request
        reading = self._read(arguments, options)
        backend, reason = backend_of(reading.program, request.backend, bool(request.recompute))
        outputs = outputs_of(self._f, reading, request.of)
        forward = with_outputs(reading.program, outputs.names)
        outputs = replace(outputs, names=_apart_from_inputs(forward))
        results = dict(zip(forward.output_names, forward.block.results, strict=True))
        active = [
            Variable(name, result.type)
            for name, result in results.items()
            if isinstance(result, Variable) and result.type.differentiable
        ]
        made = Specialisation(reading, backend, reason, request, outputs, active, {"forward": forward})
        names = [output.name for output in active]
        made.chosen = chosen_of(self._f, reading, request.wrt, arguments, options)
        if request.kind == "jvp":
            made.programs["joint"] = push(forward, made.chosen.names, names)
        else:
            keep_outputs = request.kind == "value_and_grad"
            made.policy = _policy(forward, request.recompute)
            made.programs["joint"] = reverse(forward, made.chosen.names, names, keep_outputs, made.policy)
        return made


def _apart_from_inputs(program: Program) -> list[str]:
    """The names of a program's outputs, changed where the cotangent of one would be called as an input is."""
    inputs = {variable.name for variable in program.inputs}
    taken = inputs | {f"d_{name}" for name in inputs}
    for at, name in enumerate(program.output_names):
        while (name.startswith("d_") and name in taken) or f"d_{name}" in inputs:
            name += "_"
        program.output_names[at] = name
    return list(program.output_names)


def with_outputs(program: Program, names: Sequence[str]) -> Program:
    """A copy of a program that has only some of its outputs, and what these need."""
    copied = clone(program)
    results = dict(zip(copied.output_names, copied.block.results, strict=True))
    copied.output_names = list(names)
    copied.block.results = [results[name] for name in names]
    return prune(copied)


def _policy(program: Program, recompute: tuple[str, ...]) -> ResidualPolicy | None:
    """What may be computed again, for names as a person gives them.

    Raises:
        UsageError: a name is none of the function's variables.
    """
    if not recompute:
        return None
    variables = all_variables(program.block)
    known = {variable.hint or variable.name for variable in variables}
    absent = [name for name in recompute if name not in known]
    if absent:
        named = sorted({variable.hint for variable in variables if variable.hint})
        raise UsageError(
            f"recompute names {', '.join(map(repr, absent))}, and {program.name} computes no such variable; it has "
            f"{', '.join(named) or 'none'}"
        )
    return ResidualPolicy(recompute={variable.name for variable in variables if variable.hint in recompute})

"""What a derivative does with the arguments of a call: where it runs, what it keeps, what it computes again, and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from retrograde.autodiff.arguments import Function, name_of
from retrograde.errors import UsageError
from retrograde.graph.units import format_bytes
from retrograde.program.model import Block, Branch, Loop, Place, Program, Statement, Variable, blocks_of, variables_in
from retrograde.program.model import free_variables, operands_of
from retrograde.program.types import ArrayType, StackType
from retrograde.python.derivative import Derivative
from retrograde.python.footprint import Footprint


@dataclass(frozen=True)
class Kept:
    """A value of the forward pass that is kept for the backward pass.

    Attributes:
        name: of the value.
        function, line: where it is computed; None where the source does not say.
        iterations: for how many iterations of a loop it is kept; None if it is no value of a loop, or if only the run
            tells how many there are.
        bytes: for the arguments of the call; None where only the run can tell.
        in_loop: whether each iteration of a loop keeps one.
        read_by: the lines in whose reversal it is read.
    """

    name: str
    function: str | None
    line: int | None
    iterations: int | None
    bytes: int | None
    in_loop: bool
    read_by: tuple[int, ...]


@dataclass(frozen=True)
class Part:
    """Something about a place of the source, in words."""

    function: str | None
    line: int | None
    text: str


@dataclass(frozen=True)
class Explanation:
    """What a derivative does. Print it, or take `to_json()`.

    Attributes:
        function: what is differentiated.
        backend: what it runs on: "tape", "python" or "numba".
        reason: why it does.
        read: whether its source was read; without that, nothing below is known.
        kept: what of the forward pass is kept for the backward pass.
        recomputed: what of the forward pass is computed again in the backward pass.
        compiled_regions: how many compiled functions there are.
        in_python: what runs as Python where the rest is compiled, and why.
        loops: how each loop keeps to the budget.
    """

    function: str
    backend: str
    reason: str
    read: bool
    kept: tuple[Kept, ...] = ()
    recomputed: tuple[Part, ...] = ()
    compiled_regions: int = 0
    in_python: tuple[Part, ...] = ()
    loops: tuple[Part, ...] = field(default=())

    @property
    def kept_bytes(self) -> int | None:
        """All that is kept, together; None where only the run can tell."""
        sizes = [kept.bytes for kept in self.kept]
        return None if None in sizes else sum(size or 0 for size in sizes)

    def to_json(self) -> dict[str, Any]:
        """Everything, as what JSON can hold."""
        return {**asdict(self), "kept_bytes": self.kept_bytes}

    def __str__(self) -> str:
        return "\n".join(self._lines())

    __repr__ = __str__

    def _lines(self) -> Iterator[str]:
        yield f"The derivative of {self.function}"
        yield f"  backend     {self.backend}: {self.reason}"
        if not self.read:
            return
        yield from _listed("kept", f"{_bytes(self.kept_bytes)} of the forward pass", map(_kept_line, self.kept))
        yield from _listed("recomputed", "", map(_part_line, self.recomputed))
        yield from _listed("loops", "", map(_part_line, self.loops), always=False)
        if self.backend == "numba":
            yield f"  compiled    {self.compiled_regions} {'region' if self.compiled_regions == 1 else 'regions'}"
            yield from _listed("in Python", "", map(_part_line, self.in_python))


def explain(gradient_function: Function, *arguments: Any, **options: Any) -> Explanation:
    """What a derivative does with arguments: its backend and why, what it keeps and recomputes, what is compiled.

    Args:
        gradient_function: what `rg.grad`, `rg.value_and_grad` or `rg.vjp` returned.
        arguments, options: as it is called with; nothing is computed with them.

    Returns:
        An object to print, with everything in it as attributes and as JSON.

    Raises:
        UsageError: it is no such function.
        UnsupportedError: its source has to be read for these arguments, and cannot be.

    Example:
        >>> import numpy as np
        >>> import retrograde as rg
        >>> print(rg.explain(rg.grad(np.sin), 0.5))
        The derivative of sin
          backend     tape: it is not written in Python, so that there is no source to read
    """
    derivative = as_derivative(gradient_function, "explain")
    name = name_of(derivative.f)
    reason = derivative.tape_reason(arguments, options)
    if reason is not None:
        return Explanation(name, "tape", reason, read=False)
    found = derivative.specialisation(arguments, options)
    if found.backend == "tape":
        return Explanation(name, "tape", found.reason, read=False)
    joint = found.programs["joint"]
    inputs = found.reading.inputs(arguments, options)
    footprint = Footprint(joint, [*inputs, *(None for _ in joint.inputs[len(inputs) :])])
    made = found.runnable("joint")
    return Explanation(
        name,
        found.backend,
        found.reason,
        read=True,
        kept=tuple(_kept_values(joint, footprint)),
        recomputed=tuple(dict.fromkeys(_recomputed(joint.block))),
        compiled_regions=made.regions,
        in_python=tuple(_part(place, reason) for place, reason in made.reasons),
    )


def as_derivative(function: Any, what: str) -> Derivative:
    """A derivative that was made by `rg.grad`, `rg.value_and_grad` or `rg.vjp`.

    Raises:
        UsageError: it is something else.
    """
    if not isinstance(function, Derivative):
        raise UsageError(
            f"rg.{what} was called with a {type(function).__name__}; give it what rg.grad, rg.value_and_grad or rg.vjp "
            f"returns, and the arguments: rg.{what}(rg.grad(f), x)"
        )
    return function


def reverses(statement: Statement) -> bool:
    """Whether a statement belongs to the backward pass."""
    return statement.place is not None and statement.place.reverses


def _kept_values(program: Program, footprint: Footprint) -> Iterator[Kept]:
    """The values of the program that statements of the forward pass set and some of the backward pass read."""
    made = {result: statement for statement in program.block.statements for result in statement.results}
    readers: dict[Variable, list[int]] = {}
    for statement in program.block.statements:
        if reverses(statement):
            for variable in (*variables_in(operands_of(statement)), *free_variables(*blocks_of(statement))):
                lines = readers.setdefault(variable, [])
                lines += [line for line in _reading_lines(statement, variable) if line not in lines]
    for variable, lines in readers.items():
        maker = made.get(variable)
        if maker is None or reverses(maker) or not _is_array(variable):
            continue
        kept = isinstance(variable.type, StackType)
        name, place = _origin(maker, variable)
        yield Kept(
            name,
            place.function if place else None,
            place.line if place else None,
            footprint.count(maker) if kept and isinstance(maker, Loop) else None,
            footprint.bytes_of(variable),
            kept,
            tuple(lines),
        )


def _is_array(variable: Variable) -> bool:
    return isinstance(variable.type, StackType) or variable.type.rank > 0


def _reading_lines(statement: Statement, variable: Variable) -> Iterator[int]:
    """The lines that the statements reverse which read a variable, or an entry of it, inside of a statement."""
    inner = [block for block in blocks_of(statement)]
    if isinstance(statement, Loop) and variable in statement.consumed:
        element = statement.elements[statement.consumed.index(variable)]
        yield from _lines_in(statement.body, element)
    elif variable in set(variables_in(operands_of(statement))) and statement.place is not None:
        yield statement.place.line
    for block in inner:
        yield from _lines_in(block, variable)


def _lines_in(block: Block, variable: Variable) -> Iterator[int]:
    for statement in block.statements:
        uses = {*variables_in(operands_of(statement)), *free_variables(*blocks_of(statement))}
        if variable in uses:
            yield from _reading_lines(statement, variable)


def _origin(statement: Statement, variable: Variable) -> tuple[str, Place | None]:
    """What a user calls a value, and where it is computed: of a stack, its entries."""
    at = statement.results.index(variable)
    for block in blocks_of(statement)[:1] if isinstance(variable.type, StackType) else []:
        inner = block.results[at]
        for part in block.statements:
            if inner in part.results:
                return _origin(part, inner)
        if isinstance(inner, Variable):
            return _user_name(inner), statement.place
    return _user_name(variable), statement.place


def _user_name(variable: Variable) -> str:
    return getattr(variable, "hint", "") or variable.name


def _recomputed(block: Block, backward: bool = False) -> Iterator[Part]:
    """The lines of the forward pass that are computed again: such statements inside of reversed regions."""
    for statement in block.statements:
        if not backward:
            if reverses(statement):
                for inner in blocks_of(statement):
                    yield from _recomputed(inner, True)
            continue
        inside = [part for inner in blocks_of(statement) for part in _recomputed(inner, True)]
        place = statement.place
        if place is not None and not place.reverses and not blocks_of(statement) and any(map(_is_array, statement.results)):
            yield Part(place.function, place.line, _user_name(statement.results[0]))
        yield from inside


def _part(place: Place | None, text: str) -> Part:
    return Part(place.function if place else None, place.line if place else None, text)


def _bytes(count: int | None) -> str:
    return "as much as the run needs" if count is None else format_bytes(count)


def _listed(title: str, total: str, lines: Iterator[str], always: bool = True) -> Iterator[str]:
    found = list(lines)
    if not found and not always:
        return
    yield f"  {title:<11} {total if found and total else 'nothing' if not found else ''}".rstrip()
    yield from (f"    {line}" for line in found)


def _where(function: str | None, line: int | None) -> str:
    return f"{function}, line {line}" if line is not None else "no line of the source"


def _kept_line(kept: Kept) -> str:
    each = ""
    if kept.in_loop:
        each = f", one for each of {kept.iterations:,} iterations" if kept.iterations is not None else ", one an iteration"
    lines = ", ".join(map(str, kept.read_by))
    why = f": the reversal of line {lines} reads it" if lines else ""
    return f"{kept.name} ({_where(kept.function, kept.line)}), {_bytes(kept.bytes)}{each}{why}"


def _part_line(part: Part) -> str:
    return f"{part.text} ({_where(part.function, part.line)})"

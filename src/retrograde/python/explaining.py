"""Finding out what a derivative does with the arguments of a call."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from retrograde.autodiff.arguments import Function, name_of
from retrograde.errors import UsageError
from retrograde.graph.units import format_bytes
from retrograde.program.model import (
    Block,
    Loop,
    Place,
    Program,
    Statement,
    Sweep,
    Variable,
    blocks_of,
    free_variables,
    operands_of,
    variables_in,
)
from retrograde.program.types import ArrayType, StackType
from retrograde.python.derivative import Derivative
from retrograde.python.explanation import Budgeted, Explanation, Kept, Part
from retrograde.python.footprint import Footprint
from retrograde.python.running import example_cotangents, typed

if TYPE_CHECKING:
    from retrograde.python.budget.report import BudgetReport, LoopReport

_UNNAMED = "a value"


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
    choice = derivative.choice(arguments, options)
    if isinstance(choice, str) or choice[0].backend == "tape":
        return Explanation(name, "tape", choice if isinstance(choice, str) else choice[0].reason, read=False)
    found, inputs = choice
    cotangents = example_cotangents(found, inputs)
    made, planned = found.prepared("joint", typed([*inputs, *cotangents], found.programs["joint"]))
    joint = found.programs["joint"] if planned is None else planned.program
    footprint = Footprint(joint, [*inputs, *(None for _ in joint.inputs[len(inputs) :])])
    report = None if planned is None else planned.report
    return Explanation(
        name,
        found.backend,
        found.reason,
        read=True,
        kept=tuple(_kept_values(joint, footprint)),
        recomputed=tuple(_by_line(_recomputed(joint.block))),
        compiled_regions=made.regions,
        in_python=tuple(_part(place, reason) for place, reason in found.reasons("joint", made)),
        loops=() if report is None else tuple(_loop_part(loop) for loop in report.loops),
        budget=None if report is None else _budgeted(report),
    )


def _budgeted(report: BudgetReport) -> Budgeted:
    return Budgeted(report.budget_bytes, report.peak_bytes, report.store_all_bytes, report.overhead)


def _loop_part(loop: LoopReport) -> Part:
    steps = "as many steps as it takes" if loop.steps is None else f"{loop.steps:,} steps"
    again = f", {loop.forward_steps:,} steps run ahead of those that are reversed" if loop.forward_steps else ""
    holds = f"; a snapshot holds {', '.join(loop.snapshot)}" if loop.snapshot else ""
    keeps = f"; a reversed step keeps {', '.join(loop.residuals)}" if loop.residuals else ""
    text = (
        f"{'inner ' if loop.inner else ''}{loop.name}: {loop.strategy}, {steps}{again}, "
        f"{format_bytes(loop.peak_bytes)} at most{holds}{keeps}"
    )
    return Part(None, None, text)


def as_derivative(function: Any, what: str) -> Derivative:
    """A derivative that was made by `rg.grad`, `rg.value_and_grad` or `rg.vjp`.

    Raises:
        UsageError: it is something else.
    """
    if not isinstance(function, Derivative):
        kind = type(function).__name__
        raise UsageError(
            f"rg.{what} was called with a{'n' * kind.startswith('int')} {kind}; give it what rg.grad, "
            f"rg.value_and_grad or rg.vjp returns, and the arguments: rg.{what}(rg.grad(f), x)"
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
                readers.setdefault(variable, []).extend(_reading_lines(statement, variable))
    for variable, lines in readers.items():
        maker = made.get(variable)
        if maker is None or isinstance(maker, Sweep) or reverses(maker) or not _is_array(variable):
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
            tuple(dict.fromkeys(lines)),
        )


def _is_array(variable: Variable) -> bool:
    return isinstance(variable.type, StackType) or (isinstance(variable.type, ArrayType) and variable.type.rank > 0)


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
    return variable.hint or _UNNAMED


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
        if (
            place is not None
            and not place.reverses
            and not blocks_of(statement)
            and any(map(_is_array, statement.results))
        ):
            yield Part(place.function, place.line, _user_name(statement.results[0]))
        yield from inside


def _by_line(parts: Iterator[Part]) -> Iterator[Part]:
    """One part for each line, with the names of all that it computes."""
    lines: dict[tuple[str | None, int | None], dict[str, None]] = {}
    for part in parts:
        lines.setdefault((part.function, part.line), {})[part.text] = None
    for (function, line), names in lines.items():
        named = [name for name in names if name != _UNNAMED]
        yield Part(function, line, ", ".join(named or names))


def _part(place: Place | None, text: str) -> Part:
    return Part(place.function if place else None, place.line if place else None, text)

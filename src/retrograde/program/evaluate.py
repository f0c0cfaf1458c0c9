"""Running a program on arrays: plain ones, tracked ones, duals, anything that speaks NumPy's protocols."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count
from typing import Any

import numpy as np

from retrograde.errors import UsageError
from retrograde.program.dispatch import apply
from retrograde.program.model import (
    Block,
    Instruction,
    Loop,
    Program,
    Replay,
    Statement,
    Sweep,
    Variable,
    blocks_of,
    free_variables,
    map_operand,
    operands_of,
    variables_in,
)
from retrograde.program.replaying import run_replay, run_sweep
from retrograde.program.types import ArrayType, Extent, Size, StackType

_Values = dict[Variable, Any]


def evaluate(program: Program, *arguments: Any) -> tuple[Any, ...]:
    """A program's outputs, for arguments in the order of its inputs.

    A value is let go after its last use.

    Args:
        program: what to run.
        arguments: an array or a number for each input, of the input's dtype and rank.

    Raises:
        UsageError: there are more or fewer arguments than inputs, or one has another dtype or rank, or sizes of one
            name differ.
    """
    _check(program, arguments)
    values: _Values = dict(zip(program.inputs, arguments, strict=True))
    return tuple(_run(program.block, values))


def _check(program: Program, arguments: tuple[Any, ...]) -> None:
    inputs = program.inputs
    if len(arguments) != len(inputs):
        names = ", ".join(map(repr, inputs))
        raise UsageError(
            f"program {program.name} was called with {len(arguments)} arguments; it has the inputs {names}"
        )
    sizes: dict[str, int] = {}
    for variable, argument in zip(inputs, arguments, strict=True):
        kind = variable.type
        if not isinstance(kind, ArrayType):
            _check_stack(program, variable, argument)
            continue
        array = argument if hasattr(argument, "dtype") else np.asarray(argument)
        if (array.dtype, array.ndim) != (kind.dtype, kind.rank):
            raise _misfit(program, variable, array)
        for extent, size in zip(kind.sizes, array.shape, strict=True):
            if isinstance(size, int) and not _is_size(extent, size, sizes):
                raise _misfit(program, variable, array)
    small = [name for name, size in sizes.items() if size < program.least_size]
    if small:
        raise UsageError(
            f"program {program.name} got arrays with {small[0]} = {sizes[small[0]]}, and was made for sizes of "
            f"{program.least_size} or more; make one for these arrays"
        )


def _check_stack(program: Program, variable: Variable, argument: Any) -> None:
    if isinstance(variable.type, StackType) and not isinstance(argument, list):
        raise UsageError(
            f"program {program.name} got a {type(argument).__name__} for its input {variable!r}; pass the list "
            "that a program returned for it"
        )


def _is_size(extent: Extent, size: int, sizes: dict[str, int]) -> bool:
    if isinstance(extent, Size):
        return sizes.setdefault(extent.name, size - extent.offset) + extent.offset == size
    return extent in (None, size)


def _misfit(program: Program, variable: Variable, array: Any) -> UsageError:
    return UsageError(
        f"program {program.name} got {array.dtype} of shape {tuple(array.shape)} for its input {variable!r}; "
        "pass an array of that dtype and rank, and of one size wherever the inputs name one"
    )


def _run(block: Block, values: _Values) -> list[Any]:
    lasts = _last_uses(block)
    for statement, unused in zip(block.statements, lasts, strict=True):
        if isinstance(statement, Instruction):
            made = _apply(statement, values)
            values.update(zip(statement.results, made if statement.primitive.outputs else (made,), strict=True))
            del made
        elif isinstance(statement, Loop):
            _run_loop(statement, values)
        elif isinstance(statement, (Sweep, Replay)):
            _run_scheduled(statement, values)
        else:
            taken = statement.then if bool(_value(statement.condition, values)) else statement.otherwise
            values.update(zip(statement.results, _run(taken, values), strict=True))
        for variable in unused:
            del values[variable]
    results = [map_operand(lambda part: _value(part, values), result) for result in block.results]
    for variable in block.defined():
        values.pop(variable, None)
    return results


def _apply(instruction: Instruction, values: _Values) -> Any:
    operands = map_operand(lambda part: _value(part, values), instruction.operands)
    return apply(instruction.primitive, operands, instruction.static)


def _run_loop(loop: Loop, values: _Values) -> None:
    width = len(loop.initial)
    carried = [_value(initial, values) for initial in loop.initial]
    stacks = [_value(stack, values) for stack in loop.consumed]
    collected: list[list[Any]] = [[] for _ in loop.body.results[width:]]
    for index in _indices(loop, values):
        if loop.condition is not None and not _holds(loop.condition, [index, *carried], values):
            break
        values[loop.index] = index
        values.update(zip(loop.carried, carried, strict=True))
        values.update((element, stack[index]) for element, stack in zip(loop.elements, stacks, strict=True))
        carried.clear()
        results = _run(loop.body, values)
        carried = results[:width]
        for stack, value in zip(collected, results[width:], strict=True):
            stack.append(value)
        del results
    for stack in collected if loop.backward else ():
        stack.reverse()
    values.update(zip(loop.results, [*carried, *collected], strict=True))


def _run_scheduled(statement: Sweep | Replay, values: _Values) -> None:
    def value(part: Any) -> Any:
        return _value(part, values)

    if isinstance(statement, Sweep):
        made = run_sweep(statement, values, value, _run)
    else:
        made = run_replay(statement, values, value, _run)
    values.update(zip(statement.results, made, strict=True))


def _indices(loop: Loop, values: _Values) -> Iterable[int]:
    if loop.count is None:
        return count()
    indices = range(int(_value(loop.count, values)))
    return reversed(indices) if loop.backward else indices


def _holds(condition: Block, parameters: list[Any], values: _Values) -> bool:
    values.update(zip(condition.parameters, parameters, strict=True))
    return bool(_run(condition, values)[0])


def _value(part: Any, values: _Values) -> Any:
    return values[part] if isinstance(part, Variable) else part


def _last_uses(block: Block) -> list[list[Variable]]:
    """For each statement the variables of the block that nothing after it uses."""
    seen = set(variables_in(tuple(block.results)))
    defined = block.defined()
    lasts: list[list[Variable]] = []
    for statement in reversed(block.statements):
        here = [variable for variable in _used_or_set(statement) if variable in defined and variable not in seen]
        seen.update(here)
        lasts.append(here)
    return lasts[::-1]


def _used_or_set(statement: Statement) -> dict[Variable, None]:
    inner = {} if isinstance(statement, Instruction) else free_variables(*blocks_of(statement))
    return dict.fromkeys([*variables_in(operands_of(statement)), *inner, *statement.results])

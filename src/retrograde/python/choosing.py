"""The rule of `backend="auto"`: what is worth reading and compiling, and what runs on the tape.

The bytecode of a function, and of the functions in Python that it calls by name, shows its loops and its writes into
arrays: without any it is not worth reading. Nothing is run. Once it has been read, its program has the last word.
"""

from __future__ import annotations

import dis
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any, cast

from retrograde.program.model import Block, Instruction, Loop, Program, Statement, blocks_of

BACKENDS = ("auto", "tape", "python", "numba")

_FOREIGN = ("numpy", "scipy", "math", "cmath", "builtins", "functools", "itertools", "operator")
_WRITERS = frozenset(("at", "copyto", "fill", "fill_diagonal", "put", "put_along_axis", "putmask", "place", "sort"))
_COLLECTING = frozenset(("LIST_APPEND", "SET_ADD", "MAP_ADD", "YIELD_VALUE"))


@dataclass(frozen=True, slots=True)
class Finding:
    """What the bytecode shows of a function and of those that it calls.

    Attributes:
        loop: where its first `for` or `while` stands, as "function, line 3"; None where it has none.
        write: where it first writes into an array.
        tape: the name of a function of retrograde's that it uses and that works on the tape.
    """

    loop: str | None = None
    write: str | None = None
    tape: str | None = None


def look_at(f: Callable[..., Any]) -> Finding | None:
    """What the bytecode of a function shows; None where it has none, as functions written in C.

    Example:
        >>> def smooth(u, steps):
        ...     for _ in range(steps):
        ...         u = 0.5 * (u + u[::-1])
        ...     return u
        >>> look_at(smooth).loop
        'smooth, line 2'
    """
    function = plain_function(f)
    if function is None:
        return None
    loop = write = tape = None
    for found in _with_callees(function):
        if not isinstance(found, FunctionType):
            tape = tape or found
            continue
        for code in _codes(found.__code__):
            at_loop, at_write = _lines(code)
            loop = loop or _written(code, at_loop)
            write = write or _written(code, at_write)
    return Finding(loop, write, tape)


def plain_function(f: Any) -> FunctionType | None:
    """The function in Python behind a callable: itself, what it binds, or how its class says that it is called."""
    while isinstance(f, (partial, MethodType)):
        f = cast("Any", f.func if isinstance(f, partial) else f.__func__)
    if isinstance(f, FunctionType):
        return f
    kind = cast("type[Any]", type(f))
    called = next((vars(base)["__call__"] for base in kind.__mro__ if "__call__" in vars(base)), None)
    return called if isinstance(called, FunctionType) and not kind.__module__.startswith("retrograde.") else None


def _written(code: CodeType, line: int | None) -> str | None:
    return None if line is None else f"{code.co_name}, line {line}"


def _with_callees(function: FunctionType) -> Iterator[FunctionType | str]:
    """A function, those in Python that it calls by name, and so on; of the tape's own functions the name."""
    seen: set[int] = set()
    waiting: list[FunctionType] = [function]
    while waiting:
        found = waiting.pop()
        if id(found) in seen:
            continue
        seen.add(id(found))
        yield found
        for name, value in _named_objects(found):
            if _is_of_tape(value):
                yield name
            callee = plain_function(value)
            if callee is not None and (callee.__module__ or "").split(".")[0] not in (*_FOREIGN, "retrograde"):
                waiting.append(callee)


def _is_of_tape(value: Any) -> bool:
    owner = value if isinstance(value, type) or plain_function(value) is not None else type(value)
    module = getattr(owner, "__module__", None) or ""
    return module.startswith(("retrograde.autodiff", "retrograde.python"))


def _named_objects(function: FunctionType) -> Iterator[tuple[str, Any]]:
    """The objects outside of a function that its code names: globals, attributes of modules, captured variables."""
    for code in _codes(function.__code__):
        for name, attribute in _global_names(code):
            value = function.__globals__.get(name)
            if isinstance(value, ModuleType) and attribute and _name_of(value) not in _FOREIGN:
                yield f"{name}.{attribute}", getattr(value, attribute, None)
            elif not isinstance(value, ModuleType):
                yield name, value
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            yield name, cell.cell_contents
        except ValueError:  # not set yet: a function that calls itself
            continue


def _name_of(module: ModuleType) -> str:
    return module.__name__.split(".")[0]


def _codes(code: CodeType) -> Iterator[CodeType]:
    """A function's code, and that of the functions defined in it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


@cache
def _global_names(code: CodeType) -> tuple[tuple[str, str | None], ...]:
    """The globals that a code loads, each with the attribute that is taken of it at once."""
    instructions = list(dis.get_instructions(code))
    found: list[tuple[str, str | None]] = []
    for instruction, after in zip(instructions, [*instructions[1:], None], strict=True):
        if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            taken = after is not None and after.opname in ("LOAD_ATTR", "LOAD_METHOD")
            found.append((str(instruction.argval), str(after.argval) if after is not None and taken else None))
    return tuple(found)


@cache
def _lines(code: CodeType) -> tuple[int | None, int | None]:
    """The lines of the first loop statement and of the first write into an array."""
    loops: list[tuple[int, int, int]] = []
    collecting: list[int] = []
    line = code.co_firstlineno
    write = line if any(isinstance(names, tuple) and "out" in names for names in code.co_consts) else None
    lines: dict[int, int] = {}
    previous = None
    parameters = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    for instruction in dis.get_instructions(code):
        line = _line_of(instruction) or line
        lines[instruction.offset] = line
        target = instruction.argval
        if instruction.opname in _COLLECTING:
            collecting.append(instruction.offset)
        elif instruction.opcode in dis.hasjrel and isinstance(target, int) and target < instruction.offset:
            loops.append((target, instruction.offset, lines.get(target, line)))
        if write is None and _writes(instruction, previous, parameters):
            write = line
        previous = instruction
    statements = [at for start, end, at in loops if not _collects(start, end, loops, collecting)]
    return min(statements, default=None), write


def _line_of(instruction: dis.Instruction) -> int | None:
    return instruction.positions.lineno if instruction.positions is not None else None


def _writes(instruction: dis.Instruction, previous: dis.Instruction | None, parameters: tuple[str, ...]) -> bool:
    """Whether an instruction writes into an array: an item, an augmented parameter, a function made for it."""
    if instruction.opname == "STORE_SUBSCR" or instruction.opname == "STORE_SLICE":
        return True
    if instruction.opname in ("LOAD_ATTR", "LOAD_METHOD"):
        of_module = previous is not None and previous.opname == "LOAD_GLOBAL"
        return instruction.argval in _WRITERS and not (instruction.argval == "sort" and of_module)
    augmenting = previous is not None and previous.opname == "BINARY_OP" and previous.argrepr.endswith("=")
    return augmenting and instruction.opname == "STORE_FAST" and instruction.argval in parameters


def _collects(start: int, end: int, loops: list[tuple[int, int, int]], collecting: list[int]) -> bool:
    """Whether a loop is that of a comprehension: what collects lies in it, and in no loop within it."""
    inside = [at for at in collecting if start <= at <= end]
    inner = [(low, high) for low, high, _ in loops if start <= low and high <= end and (low, high) != (start, end)]
    return any(not any(low <= at <= high for low, high in inner) for at in inside)


def backend_of(program: Program, asked: str, recomputing: bool) -> tuple[str, str]:
    """The backend for a program that was read, and why.

    Args:
        program: of the function.
        asked: what was asked for, "auto" for the rule.
        recomputing: whether variables of it are to be computed again, which the tape cannot do.
    """
    if asked != "auto":
        return asked, f'backend="{asked}" was asked for'
    loop = _first(program.block, _is_loop)
    if loop is not None:
        return "numba", f"there is a loop over data{_at(loop)}, which is worth compiling"
    write = _first(program.block, _is_write)
    if write is not None:
        reason = f"it writes into an array{_at(write)} and has no loop over data, so that compiling gains little"
        return "python", reason
    if recomputing:
        return "python", "it has no loop over data, and variables of it are to be computed again"
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

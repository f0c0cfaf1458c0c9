"""The ways out of blocks, as the syntax tree shows them."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from retrograde.python.reading.frames import CONTINUE, NORMAL, Frame
from retrograde.python.reading.truth import negated, truth
from retrograde.python.reading.values import Number

if TYPE_CHECKING:
    from retrograde.python.reading.reader import Reader


def goes_on(reader: Reader, code: Any) -> Any:
    """Whether a block was not left: a bool or a symbol."""
    if not isinstance(code, Number):
        return code == NORMAL
    return truth(reader, negated(reader, code) if code.kind is bool else code == 0)


def exit_codes(body: Sequence[ast.stmt]) -> tuple[int, int]:
    """What says that a function's blocks were left by `break`, and by `return`."""
    statements = [part for statement in body for part in _statements(statement, True)]
    loops = [part for part in statements if isinstance(part, (ast.For, ast.While))]
    both = any(has(loop.body, ast.Return, through_loops=True) for loop in loops) and has(
        statements, ast.Break, through_loops=True
    )
    return (1, 2) if both else (True, True)


def leaves(statements: Sequence[ast.stmt]) -> bool:
    """Whether a block certainly ends in `return`, `break` or `continue`."""
    if not statements:
        return False
    last = statements[-1]
    if isinstance(last, ast.If):
        return leaves(last.body) and leaves(last.orelse)
    return isinstance(last, (ast.Return, ast.Break, ast.Continue))


def raises(statements: Sequence[ast.stmt]) -> bool:
    """Whether a block certainly ends in `raise`."""
    last = statements[-1] if statements else None
    if isinstance(last, ast.If):
        return raises(last.body) and raises(last.orelse)
    return isinstance(last, ast.Raise)


def ways_out(frame: Frame, statement: ast.stmt) -> set[int]:
    """What `EXIT` may be where a statement left the block that it is in."""
    found = {frame.break_code} if has([statement], ast.Break) else set[int]()
    if has([statement], ast.Continue):
        found.add(CONTINUE)
    if has([statement], ast.Return, through_loops=True):
        found.add(frame.return_code)
    return found


def ends_loop(body: Sequence[ast.stmt]) -> bool:
    """Whether a loop's body may end the loop."""
    return has(body, ast.Break) or has(body, ast.Return, through_loops=True)


def has(body: Sequence[ast.stmt], kind: type[ast.stmt], *, through_loops: bool = False) -> bool:
    """Whether a statement of a kind is in a block: of `break` and `continue`, one that is about a loop around it."""
    return any(isinstance(part, kind) for statement in body for part in _statements(statement, through_loops))


def _statements(statement: ast.stmt, through_loops: bool) -> Iterator[ast.stmt]:
    yield statement
    if isinstance(statement, ast.FunctionDef):
        return
    inner: list[ast.stmt] = list(getattr(statement, "orelse", ()))
    if through_loops or not isinstance(statement, (ast.For, ast.While)):
        inner += getattr(statement, "body", ())
    for part in inner:
        yield from _statements(part, through_loops)

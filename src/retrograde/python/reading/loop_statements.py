"""`for` and `while`: as loops of the program, or read once for each iteration."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from retrograde.errors import UnsupportedError
from retrograde.python.reading import names
from retrograde.python.reading.frames import BREAK, CONTINUE, EXIT, NORMAL, RETURN
from retrograde.python.reading.iteration import Turns, elements_known, turns_of
from retrograde.python.reading.loops import LoopReading
from retrograde.python.reading.regions import branch, branch_value
from retrograde.python.reading.signals import NeedsStatic
from retrograde.python.reading.truth import is_dynamic, truth
from retrograde.python.reading.values import Number

if TYPE_CHECKING:
    from retrograde.python.reading.reader import Reader

UNROLLED_MOST = 1000
"""The most iterations of a loop that is read once for each of them."""


def read_for(reader: Reader, statement: ast.For) -> None:
    """A `for` loop."""
    values = reader.evaluate(statement.iter)
    turns = turns_of(reader, values)
    key = loop_key(reader, statement)
    if turns is None or key in reader.assumptions.unrolled or _is_short(turns):
        elements = _known(reader, values, key)
        if len(elements) > UNROLLED_MOST:
            raise UnsupportedError(
                f"a loop over {len(elements)} elements would be read once for each; put them into an array, or keep "
                "the loop's body from needing the elements before the run"
            )
        _unrolled(reader, statement, elements, 0)
    else:
        _looped(reader, statement, turns, key)
    _ended(reader, statement)


def _known(reader: Reader, values: Any, key: Any) -> Sequence[Any]:
    try:
        return elements_known(reader, values)
    except NeedsStatic as signal:
        signal.loop = key
        raise


def _is_short(turns: Turns) -> bool:
    return isinstance(turns.count, int) and turns.count <= 1


def loop_key(reader: Reader, statement: ast.stmt) -> Any:
    """What tells loops apart: the statement, and the calls that led to it."""
    return (*(id(frame.source.node) for frame in reader.frames), id(statement))


def _looped(reader: Reader, statement: ast.For, turns: Turns, key: Any) -> None:
    exits = _exits(statement.body)

    def body(index: Any) -> None:
        names.assign(reader, statement.target, turns.element(index))
        _body(reader, statement, exits)

    def going() -> Any:
        return truth(reader, reader.frame.names[EXIT] == NORMAL)

    hint = statement.target.id if turns.simple and isinstance(statement.target, ast.Name) else ""
    live = reader.frame.liveness.head(statement)
    LoopReading(reader, key, turns.count, body, going if exits else None, live, hint).read()


def read_while(reader: Reader, statement: ast.While) -> None:
    """A `while` loop."""
    key = loop_key(reader, statement)
    if key in reader.assumptions.unrolled:
        _unrolled_while(reader, statement, key, 0)
        _ended(reader, statement)
        return
    exits = _exits(statement.body)
    found = reader.frame.names

    def body(index: Any) -> None:
        _body(reader, statement, exits)

    def test() -> Any:
        return truth(reader, reader.evaluate(statement.test))

    def condition() -> Any:
        code = found[EXIT]
        if not is_dynamic(code):
            return test()
        going = truth(reader, code == NORMAL)
        if isinstance(statement.test, ast.Constant) and statement.test.value:
            return going
        value = branch_value(reader, going, lambda: reader.evaluate(statement.test), lambda: False)
        return truth(reader, value)

    LoopReading(reader, key, None, body, condition, reader.frame.liveness.head(statement), "").read()
    _ended(reader, statement)


def _body(reader: Reader, statement: ast.For | ast.While, exits: bool) -> None:
    """The body, after which `EXIT` says whether the loop goes on: `continue` does."""
    found = reader.frame.names
    found[EXIT] = NORMAL
    reader.execute(statement.body)
    code = found[EXIT]
    if not exits or code is CONTINUE:
        found[EXIT] = NORMAL
    elif isinstance(code, Number) and _has(statement.body, ast.Continue):
        found[EXIT] = reader.heap.number(np.where(code.symbol == CONTINUE, NORMAL, code.symbol), int)  # pyright: ignore


def _ended(reader: Reader, statement: ast.For | ast.While) -> None:
    """Behind a loop: its `else`, unless `break` was reached; `return` leaves the block around it, too."""
    found = reader.frame.names
    code = found[EXIT]
    found[EXIT] = _behind(reader, statement, code)
    if not statement.orelse:
        return
    condition = truth(reader, code == NORMAL)
    live = reader.frame.liveness.after(statement)
    branch(reader, condition, lambda: reader.execute(statement.orelse), lambda: None, live)


def _behind(reader: Reader, statement: ast.For | ast.While, code: Any) -> Any:
    if not isinstance(code, Number):
        return RETURN if code == RETURN else NORMAL
    if not _has(statement.body, ast.Return, through_loops=True):
        return NORMAL
    if not _has(statement.body, ast.Break):
        return code
    return reader.heap.number(np.where(code.symbol == RETURN, RETURN, NORMAL), int)  # pyright: ignore


def _unrolled(reader: Reader, statement: ast.For, elements: Sequence[Any], at: int) -> None:
    for place in range(at, len(elements)):
        names.assign(reader, statement.target, elements[place])
        if _goes_on(reader, statement, lambda: _unrolled(reader, statement, elements, place + 1)):  # noqa: B023
            continue
        return


def _unrolled_while(reader: Reader, statement: ast.While, key: Any, done: int) -> None:
    while True:
        condition = truth(reader, reader.evaluate(statement.test))
        if not isinstance(condition, bool):
            raise NeedsStatic(condition, "whether a loop goes on that is read once for each iteration", key)
        if not condition:
            return
        done += 1
        if done > UNROLLED_MOST:
            raise UnsupportedError(
                f"a loop of more than {UNROLLED_MOST} iterations would be read once for each; keep its body from "
                "needing numbers before the run"
            )
        if not _goes_on(reader, statement, lambda: _unrolled_while(reader, statement, key, done)):  # noqa: B023
            return


def _goes_on(reader: Reader, statement: ast.For | ast.While, rest: Callable[[], None]) -> bool:
    """Read one iteration: whether the next one is to be read; where only the run knows, it has been."""
    _body(reader, statement, _exits(statement.body))
    code = reader.frame.names[EXIT]
    if not isinstance(code, Number):
        return code == NORMAL
    branch(reader, truth(reader, code == NORMAL), rest, lambda: None)
    return False


def ways_out(statement: ast.stmt) -> list[int]:
    """The ways in which a statement may leave the block that it is in."""
    kinds = ((ast.Break, BREAK), (ast.Continue, CONTINUE))
    found = [code for kind, code in kinds if _has([statement], kind)]
    return [*found, RETURN] if _has([statement], ast.Return, through_loops=True) else found


def _exits(body: Sequence[ast.stmt]) -> bool:
    """Whether a loop's body may end the loop."""
    return _has(body, ast.Break) or _has(body, ast.Return, through_loops=True)


def _has(body: Sequence[ast.stmt], kind: type[ast.stmt], *, through_loops: bool = False) -> bool:
    """Whether a statement of a kind is in a loop's body: one that is about this loop."""
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

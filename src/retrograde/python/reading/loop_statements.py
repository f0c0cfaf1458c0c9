"""`for` and `while`: as loops of the program, or read once for each iteration."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from retrograde.errors import UnsupportedError
from retrograde.program.symbol import Symbol
from retrograde.python.reading import names
from retrograde.python.reading.changes import State
from retrograde.python.reading.frames import CONTINUE, EXIT, NORMAL
from retrograde.python.reading.growing import grown
from retrograde.python.reading.iteration import UNROLLED_MOST, Turns, elements_known, turns_of
from retrograde.python.reading.loops import LoopReading, loop_key
from retrograde.python.reading.regions import branch, branch_value
from retrograde.python.reading.signals import ConditionChecks, NeedsStatic
from retrograde.python.reading.truth import is_dynamic, truth
from retrograde.python.reading.values import Number
from retrograde.python.reading.ways_out import ends_loop, goes_on, has

if TYPE_CHECKING:
    from retrograde.python.reading.reader import Reader


_GOING = "whether the loop goes on"


def read_for(reader: Reader, statement: ast.For) -> None:
    """A `for` loop."""
    values = reader.evaluate(statement.iter)
    turns = turns_of(reader, values)
    key = loop_key(reader, statement)
    if turns is None or key in reader.assumptions.unrolled or _is_short(turns):
        elements = _known(reader, values, key)
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


def _looped(reader: Reader, statement: ast.For, turns: Turns, key: Any) -> None:
    exits = ends_loop(statement.body)

    growing = grown(reader, key, turns.count)

    def body(index: Any) -> None:
        names.assign(reader, statement.target, turns.element(index))
        for found in growing.values():
            found.begin(index)
        _body(reader, statement, exits)
        for found in growing.values():
            found.end()

    def going() -> Any:
        return goes_on(reader, reader.frame.names[EXIT])

    def loop(turns: Turns) -> None:
        hint = statement.target.id if turns.simple and isinstance(statement.target, ast.Name) else ""
        live = reader.frame.liveness.head(statement)
        LoopReading(reader, key, turns.count, body, going if exits else None, live, hint, growing.values()).read()

    if key in reader.assumptions.peeled and not growing and reader.inputs.is_positive(turns.count):
        first, turns = turns, turns.without_first()
        names.assign(reader, statement.target, first.element(0))
        _goes_on(reader, statement, lambda: loop(turns), always=True)
    else:
        loop(turns)
    for name, found in growing.items():
        reader.frame.names[name] = found.finished()


def read_while(reader: Reader, statement: ast.While) -> None:
    """A `while` loop."""
    key = loop_key(reader, statement)
    if key in reader.assumptions.unrolled:
        _unrolled_while(reader, statement, key, 0)
        _ended(reader, statement)
        return
    exits = ends_loop(statement.body)
    found = reader.frame.names
    if not exits and _is_endless(statement):
        raise UnsupportedError("this loop never ends; leave it by `break` or `return`, or give it a condition")

    def body(index: Any) -> None:
        _body(reader, statement, exits)

    def test() -> Any:
        return truth(reader, reader.evaluate(statement.test))

    def condition() -> Any:
        code = found[EXIT]
        if not is_dynamic(code):
            return test()
        going = goes_on(reader, code)
        if isinstance(statement.test, ast.Constant) and statement.test.value:
            return going
        value = branch_value(reader, going, lambda: reader.evaluate(statement.test), lambda: False)
        return truth(reader, value)

    names.settle(reader, statement.test)
    live = reader.frame.liveness.head(statement)

    def loop() -> None:
        _repeated(reader, key, body, condition, live)

    if key in reader.assumptions.peeled:
        branch(reader, test(), lambda: _first(reader, statement, loop), lambda: None)
    else:
        loop()
    _ended(reader, statement)


def _repeated(
    reader: Reader, key: Any, body: Callable[[Any], None], condition: Callable[[], Any], live: frozenset[str]
) -> None:
    """A loop as long as a condition holds."""
    back, state = reader.builder.checkpoint(), State(reader)
    try:
        LoopReading(reader, key, None, body, condition, live, "").read()
    except ConditionChecks:
        back()
        state.restore()
        _carrying(reader, key, body, condition, live)


def _carrying(
    reader: Reader, key: Any, body: Callable[[Any], None], condition: Callable[[], Any], live: frozenset[str]
) -> None:
    """A loop that carries whether it goes on."""
    found = reader.frame.names

    def ask() -> None:
        going = condition()
        found[_GOING] = reader.heap.number(going, bool) if isinstance(going, Symbol) else going

    def turn(index: Any) -> None:
        body(index)
        ask()

    ask()
    LoopReading(reader, key, None, turn, lambda: truth(reader, found[_GOING]), live, "").read()
    del found[_GOING]


def _is_endless(statement: ast.For | ast.While) -> bool:
    return isinstance(statement, ast.While) and isinstance(statement.test, ast.Constant) and bool(statement.test.value)


def _first(reader: Reader, statement: ast.While, rest: Callable[[], None]) -> None:
    _goes_on(reader, statement, rest, always=True)


def _body(reader: Reader, statement: ast.For | ast.While, exits: bool) -> None:
    """The body, after which `EXIT` says whether the loop goes on: `continue` does."""
    found = reader.frame.names
    found[EXIT] = NORMAL
    reader.execute(statement.body, ends_body=True)
    code = found[EXIT]
    if not exits or code is CONTINUE:
        found[EXIT] = NORMAL
    elif isinstance(code, Number) and has(statement.body, ast.Continue):
        found[EXIT] = reader.heap.number(np.where(code.symbol == CONTINUE, 0, code.symbol), int)  # pyright: ignore


def _ended(reader: Reader, statement: ast.For | ast.While) -> None:
    """Behind a loop: its `else`, unless `break` was reached; `return` leaves the block around it, too."""
    found = reader.frame.names
    code = found[EXIT]
    found[EXIT] = _behind(reader, statement, code)
    if not statement.orelse:
        return
    condition = goes_on(reader, code)
    live = reader.frame.liveness.after(statement)
    branch(reader, condition, lambda: reader.execute(statement.orelse), lambda: None, live)


def _behind(reader: Reader, statement: ast.For | ast.While, code: Any) -> Any:
    """How the block around a loop goes on."""
    if not has(statement.body, ast.Return, through_loops=True):
        return NORMAL
    if not has(statement.body, ast.Break):
        return reader.frame.return_code if _is_endless(statement) else code
    returned = reader.frame.return_code
    if not isinstance(code, Number):
        return code if code == returned else NORMAL
    return reader.heap.number(np.where(code.symbol == returned, returned, 0), int)  # pyright: ignore


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


def _goes_on(reader: Reader, statement: ast.For | ast.While, rest: Callable[[], None], *, always: bool = False) -> bool:
    """Read one iteration: whether the next one is to be read; where only the run knows (or always), it has been."""
    _body(reader, statement, ends_loop(statement.body))
    condition = goes_on(reader, reader.frame.names[EXIT])
    if isinstance(condition, bool) and not always:
        return condition
    branch(reader, condition, rest, lambda: None)
    return False

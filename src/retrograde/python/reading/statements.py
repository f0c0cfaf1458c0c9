"""Statements: assignments, branches, loops, and the ways out of them."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from retrograde.errors import UnsupportedError
from retrograde.python.reading import names
from retrograde.python.reading.expressions import AUGMENTED
from retrograde.python.reading.frames import CONTINUE, EXIT, NORMAL, RETURNED
from retrograde.python.reading.loop_statements import read_for, read_while
from retrograde.python.reading.raising import raise_where, read_assert, read_raise
from retrograde.python.reading.refusals import REFUSED, refuse
from retrograde.python.reading.regions import branch
from retrograde.python.reading.truth import is_dynamic, opposite, truth
from retrograde.python.reading.values import Number, assign_augmented
from retrograde.python.reading.ways_out import goes_on, leaves, raises, ways_out

if TYPE_CHECKING:
    from retrograde.python.reading.reader import Reader


def execute(reader: Reader, statements: Sequence[ast.stmt], *, ends_body: bool = False) -> None:
    """Run statements in order, until one of them leaves the block.

    Where only the run knows whether one does, the rest of the block goes into a branch.

    Args:
        reader: the reader.
        statements: the statements.
        ends_body: whether the end of the block is that of a loop's body: there `continue` makes no difference.
    """
    found = reader.frame.names
    for at, statement in enumerate(statements):
        rest = statements[at + 1 :]
        if isinstance(statement, ast.If) and (not rest or leaves(statement.body) or leaves(statement.orelse)):
            reader.located(statement, lambda: _if(reader, statement, rest, ends_body))  # noqa: B023
            return
        reader.located(statement, lambda: _statement(reader, statement))  # noqa: B023
        code = found[EXIT]
        if isinstance(code, Number):
            _rest(reader, code, statement, rest, ends_body)
            return
        if code is CONTINUE and ends_body:
            found[EXIT] = NORMAL
            return
        if code != NORMAL:
            return


def _rest(reader: Reader, code: Number, statement: ast.stmt, rest: Sequence[ast.stmt], ends_body: bool) -> None:
    """The rest of a block behind a statement that leaves it in some runs."""
    if not rest:
        return
    ways = ways_out(reader.frame, statement)

    def left() -> None:
        if len(ways) == 1:
            (only,) = ways
            reader.frame.names[EXIT] = NORMAL if only is CONTINUE and ends_body else only

    if raises(rest):
        raise_where(reader, goes_on(reader, code), rest)
        left()
        return
    found = reader.frame.names

    def stayed() -> None:
        found[EXIT] = NORMAL
        execute(reader, rest, ends_body=ends_body)
        if found[EXIT] is NORMAL:
            found[EXIT] = code

    branch(reader, goes_on(reader, code), stayed, left, reader.frame.liveness.after(rest[-1]))


def _statement(reader: Reader, statement: ast.stmt) -> None:
    known = _KINDS.get(type(statement))
    if known is None:
        source = reader.frame.source
        what, remedy = REFUSED.get(type(statement), (type(statement).__name__, "write it in another way"))
        refuse(source.place(statement), source.text(statement), what, remedy)
    known(reader, statement)
    reader.inputs.refuse_writes()


def _if(reader: Reader, statement: ast.If, rest: Sequence[ast.stmt] = (), ends_body: bool = False) -> None:
    condition = truth(reader, reader.evaluate(statement.test))
    if isinstance(condition, bool):
        execute(reader, [*(statement.body if condition else statement.orelse), *rest], ends_body=ends_body)
        return
    sides = (statement.body, statement.orelse)
    then, otherwise = (side if leaves(side) else [*side, *rest] for side in sides)
    if raises(then) or raises(otherwise):
        fails = condition if raises(then) else opposite(reader, condition)
        failing, other = (then, otherwise) if raises(then) else (otherwise, then)
        raise_where(reader, fails, failing)
        execute(reader, other, ends_body=ends_body)
        return
    live = reader.frame.liveness.after(rest[-1] if rest else statement)
    branch(
        reader,
        condition,
        lambda: execute(reader, then, ends_body=ends_body),
        lambda: execute(reader, otherwise, ends_body=ends_body),
        live,
    )


def _assign(reader: Reader, statement: ast.Assign) -> None:
    value = reader.evaluate(statement.value)
    for target in statement.targets:
        names.assign(reader, target, value)


def _annotated(reader: Reader, statement: ast.AnnAssign) -> None:
    if statement.value is not None:
        names.assign(reader, statement.target, reader.evaluate(statement.value))


def _augmented(reader: Reader, statement: ast.AugAssign) -> None:
    target = statement.target
    operate = AUGMENTED[type(statement.op)]
    if isinstance(target, ast.Name):
        value = names.load(reader, ast.Name(target.id, ast.Load()))
        names.store(reader, target.id, operate(value, reader.evaluate(statement.value)))
        return
    owner = reader.evaluate(target.value)
    if isinstance(target, ast.Attribute):
        value = reader.inputs.attribute(owner, target.attr) if not is_dynamic(owner) else getattr(owner, target.attr)
        names.set_attribute(reader, owner, target.attr, operate(value, reader.evaluate(statement.value)))
        return
    index = reader.evaluate(target.slice)
    if not is_dynamic(owner) and isinstance(index, Number):
        index = index.known("the place of a list or dict that is written")
    assign_augmented(owner, index, _UFUNCS[type(statement.op)], reader.evaluate(statement.value))
    names.name_base(reader, target)


def _expression(reader: Reader, statement: ast.Expr) -> None:
    if not (isinstance(statement.value, ast.Constant) and isinstance(statement.value.value, str)):
        reader.evaluate(statement.value)


def _return(reader: Reader, statement: ast.Return) -> None:
    reader.frame.names[RETURNED] = None if statement.value is None else reader.evaluate(statement.value)
    reader.frame.names[EXIT] = reader.frame.return_code


def _break(reader: Reader, statement: ast.Break) -> None:
    reader.frame.names[EXIT] = reader.frame.break_code


def _continue(reader: Reader, statement: ast.Continue) -> None:
    reader.frame.names[EXIT] = CONTINUE


def _with(reader: Reader, statement: ast.With) -> None:
    """`with np.errstate(...)`, which changes what is warned of and no result."""
    states = [reader.evaluate(item.context_expr) for item in statement.items]
    if not all(isinstance(state, np.errstate) for state in states):
        source = reader.frame.source
        refuse(source.place(statement), source.text(statement), *REFUSED[ast.With])
    execute(reader, statement.body)


def _define(reader: Reader, statement: ast.FunctionDef) -> None:
    if statement.decorator_list:
        raise UnsupportedError("a decorated function inside of a function is not read; define it outside")
    reader.frame.names[statement.name] = names.closure(reader, statement)


def _delete(reader: Reader, statement: ast.Delete) -> None:
    for target in statement.targets:
        if isinstance(target, ast.Name):
            reader.frame.names.pop(target.id, None)
        elif isinstance(target, ast.Subscript):
            owner, index = reader.evaluate(target.value), reader.evaluate(target.slice)
            if is_dynamic(owner):
                raise UnsupportedError("elements of an array cannot be deleted; use np.delete, or a slice")
            del owner[index]
        else:
            raise UnsupportedError("deleting attributes is not read; keep the value in a name")


def _import(reader: Reader, statement: ast.Import) -> None:
    for part in statement.names:
        module = importlib.import_module(part.name)
        if part.asname is None:
            module = importlib.import_module(part.name.partition(".")[0])
        reader.frame.names[part.asname or part.name.partition(".")[0]] = module


def _import_from(reader: Reader, statement: ast.ImportFrom) -> None:
    around = names.globals_of(reader.frame)
    module = importlib.import_module("." * statement.level + (statement.module or ""), around.get("__package__"))
    for part in statement.names:
        if part.name == "*":
            source = reader.frame.source
            refuse(source.place(statement), source.text(statement), *REFUSED[ast.ImportFrom])
        if not hasattr(module, part.name):
            value: Any = importlib.import_module(f"{module.__name__}.{part.name}")
        else:
            value = reader.inputs.attribute(module, part.name)
        reader.frame.names[part.asname or part.name] = value


def _nonlocal(reader: Reader, statement: ast.Nonlocal) -> None:
    if not reader.frame.nonlocals.issuperset(statement.names):
        source = reader.frame.source
        refuse(source.place(statement), source.text(statement), *REFUSED[ast.Nonlocal])


_UFUNCS: dict[type[ast.operator], str] = {
    ast.Add: "add",
    ast.Sub: "subtract",
    ast.Mult: "multiply",
    ast.Div: "divide",
    ast.FloorDiv: "floor_divide",
    ast.Mod: "remainder",
    ast.Pow: "power",
    ast.MatMult: "matmul",
    ast.BitAnd: "bitwise_and",
    ast.BitOr: "bitwise_or",
    ast.BitXor: "bitwise_xor",
    ast.LShift: "left_shift",
    ast.RShift: "right_shift",
}

_KINDS: dict[type[ast.stmt], Callable[[Reader, Any], None]] = {
    ast.Assign: _assign,
    ast.AnnAssign: _annotated,
    ast.AugAssign: _augmented,
    ast.Expr: _expression,
    ast.Return: _return,
    ast.If: _if,
    ast.For: read_for,
    ast.While: read_while,
    ast.Break: _break,
    ast.Continue: _continue,
    ast.With: _with,
    ast.Pass: lambda reader, statement: None,
    ast.FunctionDef: _define,
    ast.Delete: _delete,
    ast.Assert: read_assert,
    ast.Raise: read_raise,
    ast.Import: _import,
    ast.ImportFrom: _import_from,
    ast.Nonlocal: _nonlocal,
}

"""`raise` and `assert`: at once where reading knows that they are reached, else as checks of the program."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from retrograde.errors import UnsupportedError
from retrograde.program.model import Variable
from retrograde.program.symbol import Symbol
from retrograde.program.types import Size
from retrograde.python.reading.regions import branch
from retrograde.python.reading.signals import NeedsStatic, Unreachable
from retrograde.python.reading.truth import is_dynamic, opposite, truth

if TYPE_CHECKING:
    from retrograde.python.reading.reader import Reader

_PLAIN = (str, bool, int, float, type(None))


def read_assert(reader: Reader, statement: ast.Assert) -> None:
    """An `assert`."""
    condition = truth(reader, reader.evaluate(statement.test))
    if condition is True:
        return
    given = () if statement.msg is None else (_said(reader, statement.msg),)
    if condition is False and reader.is_certain:
        raise AssertionError(*given)
    reader.check(True if condition is False else opposite(reader, condition), AssertionError, *given)
    if condition is False:
        raise Unreachable


def read_raise(reader: Reader, statement: ast.Raise) -> None:
    """A `raise`."""
    error = _error(reader, statement)
    if reader.is_certain:
        raise error
    kind, arguments = _raised(reader, statement, error)
    reader.check(True, kind, *arguments)
    raise Unreachable


def raise_where(reader: Reader, fails: Any, statements: Sequence[ast.stmt]) -> None:
    """A block that ends in `raise` and runs where a symbol is true: as a check, if it does nothing else."""
    if len(statements) == 1 and isinstance(statements[0], ast.Raise):
        statement = statements[0]

        def check() -> None:
            error = _error(reader, statement)
            if reader.is_certain and _value_here(reader, fails):
                raise error
            kind, arguments = _raised(reader, statement, error)
            reader.check(fails, kind, *arguments)

        reader.located(statement, check)
        return
    if reader.is_certain and _value_here(reader, fails):
        reader.execute(statements)
    with _quoting(reader):
        branch(reader, fails, lambda: reader.execute(statements), lambda: None, frozenset())


def _value_here(reader: Reader, symbol: Symbol) -> Any:
    """What a number is in this call, if it follows from sizes and numbers among the arguments; else None."""
    made = reader.builder.instructions()
    inputs = reader.inputs

    def value(part: Any) -> Any:
        if not isinstance(part, Variable):
            return part
        if part.name in inputs.numbers:
            return inputs.numbers[part.name]
        if isinstance(part.extent, Size):
            return inputs.assumptions.value_of(part.extent, inputs.numbers)
        instruction = made.get(part)
        if instruction is None or not instruction.primitive.elementwise:
            return None
        operands = [value(operand) for operand in instruction.operands]
        return None if any(operand is None for operand in operands) else instruction.primitive.evaluate(*operands)

    return value(symbol.variable)


def _error(reader: Reader, statement: ast.Raise) -> Exception:
    if statement.exc is None:
        raise UnsupportedError("`raise` without an exception is not read; name the exception")
    error = _quoted(reader, statement.exc)
    if isinstance(error, type) and issubclass(error, Exception):
        error = error()
    if not isinstance(error, Exception):
        raise UnsupportedError("what is raised is no exception; raise one, such as ValueError(message)")
    return error


def _quoted(reader: Reader, node: ast.expr) -> Any:
    """An exception or a message; numbers that only the run knows stand in strings by the source that computes them."""
    with _quoting(reader):
        try:
            return reader.evaluate(node)
        except NeedsStatic:
            if isinstance(node, ast.Call) and node.args:
                return reader.evaluate(node.func)(reader.frame.source.text(node.args[0]))
            raise


@contextmanager
def _quoting(reader: Reader) -> Generator[None]:
    """A context in which numbers that only the run knows stand in strings by their source."""
    before, reader.quotes = reader.quotes, True
    try:
        yield
    finally:
        reader.quotes = before


def _said(reader: Reader, node: ast.expr) -> Any:
    """The message of an `assert`."""
    try:
        found = _quoted(reader, node)
    except NeedsStatic:
        found = None
    return found if isinstance(found, _PLAIN) else reader.frame.source.text(node)


def _raised(reader: Reader, statement: ast.Raise, error: Exception) -> tuple[type[Exception], tuple[Any, ...]]:
    """An exception as the text of a program raises it: of a type that text has a name for, and its arguments."""
    given = statement.exc.args if isinstance(statement.exc, ast.Call) else []
    nodes = given if len(given) == len(error.args) else [None] * len(error.args)
    arguments = tuple(_argument(reader, node, part) for node, part in zip(nodes, error.args, strict=True))
    kind = next(base for base in type(error).__mro__ if _has_name(base))
    if kind is not type(error):
        arguments = (": ".join([type(error).__name__, *map(str, arguments)]),)
    return kind, arguments


def _argument(reader: Reader, node: ast.expr | None, value: Any) -> Any:
    if isinstance(value, _PLAIN):
        return value
    is_of_run = is_dynamic(value) or isinstance(value, Symbol)
    return f"{{{reader.frame.source.text(node)}}}" if node is not None and is_of_run else str(value)


def _has_name(kind: Any) -> bool:
    return getattr(builtins, kind.__name__, None) is kind or kind is np.linalg.LinAlgError

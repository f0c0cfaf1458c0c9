"""The syntax tree of a function, from the file that it was defined in."""

from __future__ import annotations

import ast
import functools
import inspect
import types
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

from retrograde.errors import UnsupportedError
from retrograde.program.model import Place
from retrograde.python.reading.refusals import REFUSED, refuse

FunctionNode: TypeAlias = ast.FunctionDef | ast.Lambda


class NoSource(UnsupportedError):
    """The source of a function cannot be had: it is built in, compiled, or was typed where no file is."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a function stands.

    Attributes:
        node: its syntax tree.
        file: the file, as Python names it.
        name: what the function is called; "lambda" for one without a name.
        lines: all lines of the file.
    """

    node: FunctionNode
    file: str
    name: str
    lines: tuple[str, ...]

    def place(self, node: ast.AST) -> Place:
        """The place of a node of this function."""
        return Place(self.file, getattr(node, "lineno", self.node.lineno), self.name)

    def text(self, node: ast.AST) -> str:
        """A node as the file has it, in one line."""
        found = ast.get_source_segment("".join(self.lines), node) if hasattr(node, "end_lineno") else None
        first = (found or ast.unparse(node)).strip().split("\n")[0]
        return first if len(first) <= 100 else f"{first[:97]}..."

    def inner(self, node: FunctionNode) -> Source:
        """The source of a function that is defined inside of this one."""
        return Source(node, self.file, name_of(node), self.lines)


def name_of(node: FunctionNode) -> str:
    """What a function is called."""
    return "lambda" if isinstance(node, ast.Lambda) else node.name


def unbound(function: Callable[..., Any]) -> tuple[Any, dict[str, tuple[Any, Callable[[Any], Any]]]]:
    """The function of Python behind a method, a partial function or an object that can be called.

    Returns:
        The function; and by the names of its parameters the values that are given already, each with what gets it anew.
    """
    if isinstance(function, functools.partial):
        inner, given = unbound(function.func)
        names = [name for name in inspect.signature(inner).parameters if name not in given]
        for at, name in zip(range(len(function.args)), names, strict=False):
            given[name] = (function.args[at], lambda _, at=at: function.args[at])
        for name in function.keywords:
            given[name] = (function.keywords[name], lambda _, name=name: function.keywords[name])
        return inner, given
    method = function
    if not isinstance(function, (types.MethodType, types.FunctionType)):
        called = inspect.getattr_static(type(function), "__call__", None)
        if not isinstance(called, types.FunctionType) or called.__module__.split(".")[0] in ("numpy", "scipy"):
            return function, {}
        method = types.MethodType(called, function)
    if isinstance(method, types.MethodType):
        owner = method.__self__
        first = next(iter(inspect.signature(method.__func__).parameters))
        return method.__func__, {first: (owner, lambda _: owner)}
    return function, {}


def source_of(function: Callable[..., Any]) -> Source:
    """The source of a Python function.

    Raises:
        NoSource: it has none that can be read.
    """
    code = getattr(function, "__code__", None)
    if code is None:
        raise NoSource(
            f"the source of {function!r} was asked for, which is not a Python function; call it with "
            'backend="tape", or write a Python function around it'
        )
    try:
        lines, _ = inspect.findsource(code)
        functions = _functions("".join(lines))
    except (OSError, SyntaxError) as error:
        raise NoSource(
            f"the source of {code.co_name} ({code.co_filename}, line {code.co_firstlineno}) cannot be read; define it "
            'in a file, or call it with backend="tape"'
        ) from error
    found = [node for node in functions if _is_at(node, code)]
    if code.co_flags & (inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR):
        place = Place(code.co_filename, code.co_firstlineno, code.co_name)
        refuse(place, f"async def {code.co_name}", *REFUSED[ast.AsyncFunctionDef])
    if len(found) > 1:
        found = [node for node in found if _has_columns(node, code)] or found
    if len(found) != 1:
        raise NoSource(
            f"the source of {code.co_name} was not found in {code.co_filename} at line {code.co_firstlineno}: the file "
            'has changed, or several lambdas stand in one line; give it a name with def, or use backend="tape"'
        )
    return Source(found[0], code.co_filename, name_of(found[0]), tuple(lines))


@lru_cache(maxsize=32)
def _functions(text: str) -> tuple[FunctionNode, ...]:
    return tuple(node for node in ast.walk(ast.parse(text)) if isinstance(node, (ast.FunctionDef, ast.Lambda)))


def _is_at(node: FunctionNode, code: Any) -> bool:
    if isinstance(node, ast.Lambda):
        return code.co_name == "<lambda>" and node.lineno == code.co_firstlineno
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    return node.name == code.co_name and first == code.co_firstlineno


def _has_columns(node: FunctionNode, code: Any) -> bool:
    """Whether the code's instructions lie inside of a node's body: that tells lambdas of one line apart."""
    body = node.body if isinstance(node, ast.Lambda) else node.body[-1]
    ends = [(end_line, end) for _, end_line, _, end in code.co_positions() if end_line is not None and end is not None]
    starts = [(line, start) for line, _, start, _ in code.co_positions() if line is not None and start]
    return bool(ends and starts) and (
        max(ends) == (body.end_lineno, body.end_col_offset) and min(starts) >= (body.lineno, body.col_offset)
    )

"""Functions as they were when they were called: what they read from around them is bound, not looked up again."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from types import CellType, CodeType, FunctionType, MethodType
from typing import Any

import numpy as np

_OF_MODULES = ("__builtins__", "__name__", "__package__", "__spec__", "__file__")


def frozen(function: Any) -> Any:
    """A function that reads from around it what this one would read now, whatever is assigned later.

    Variables of enclosing functions and the global ones that it names are bound to their present values, and so are
    those of the functions among them. What it assigns to such variables (`nonlocal`, `global`) stays inside.
    """
    return _frozen(function, {})


def generators(function: Any, leaves: list[Any]) -> list[np.random.Generator]:
    """NumPy's random generators among the arguments, and among what a function reads from around it."""
    found = {id(item): item for item in (*leaves, *_around(function)) if isinstance(item, np.random.Generator)}
    return list(found.values())


def _frozen(function: Any, made: dict[int, Any]) -> Any:
    if id(function) in made:
        return made[id(function)]
    if isinstance(function, MethodType):
        return MethodType(_frozen(function.__func__, made), function.__self__)
    if isinstance(function, functools.partial):
        inner: Any = function.func  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        return functools.partial(_frozen(inner, made), *function.args, **function.keywords)
    if not isinstance(function, FunctionType) or not _reads_around(function):
        return function
    cells = tuple(CellType() for _ in function.__closure__ or ())
    names = _own_globals(function)
    copy = FunctionType(function.__code__, names, function.__name__, function.__defaults__, cells)
    copy.__kwdefaults__ = function.__kwdefaults__
    made[id(function)] = copy
    for cell, old in zip(cells, function.__closure__ or (), strict=True):
        if not _is_empty(old):
            cell.cell_contents = _frozen(old.cell_contents, made)
    return copy


def _reads_around(function: FunctionType) -> bool:
    """Whether a function reads variables that may be assigned anew: those of a module of a library are not."""
    return bool(function.__closure__) or any(name in function.__globals__ for name in _names(function.__code__))


def _own_globals(function: FunctionType) -> dict[str, Any]:
    around = function.__globals__
    return {name: around[name] for name in (*_OF_MODULES, *_names(function.__code__)) if name in around}


def _names(code: CodeType) -> Iterator[str]:
    """The names that code, and the code of functions that it defines, may look up in its module."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _is_empty(cell: CellType) -> bool:
    try:
        _ = cell.cell_contents
    except ValueError:
        return True
    return False


def _around(function: Any) -> Iterator[Any]:
    """What a function reads from around it, and what lies one level inside of that."""
    if isinstance(function, MethodType):
        yield from _inside(function.__self__)
        yield from _around(function.__func__)
    elif isinstance(function, functools.partial):
        yield from (*function.args, *function.keywords.values())
        yield from _around(function.func)  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
    elif isinstance(function, FunctionType):
        around = function.__globals__
        yield from (around[name] for name in _names(function.__code__) if name in around)
        for cell in function.__closure__ or ():
            if not _is_empty(cell):
                yield from _inside(cell.cell_contents)
    else:
        yield from _inside(function)


def _inside(item: Any) -> Iterator[Any]:
    yield item
    if isinstance(item, dict):
        yield from item.values()  # pyright: ignore[reportUnknownVariableType]
    elif isinstance(item, (list, tuple)):
        yield from item  # pyright: ignore[reportUnknownVariableType]
    elif isinstance(item, FunctionType):
        yield from (cell.cell_contents for cell in item.__closure__ or () if not _is_empty(cell))
    else:
        yield from getattr(item, "__dict__", {}).values()

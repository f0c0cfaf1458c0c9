"""What of Python is not read, and what to write instead: a table, so that every error is of one form."""

from __future__ import annotations

import ast
from typing import Any, NoReturn

from retrograde.errors import RetrogradeError, UnsupportedError
from retrograde.program.model import Place
from retrograde.program.symbol import NotConstant

_TAPE = 'or call the function with backend="tape", which runs it as it is'

REFUSED: dict[type[ast.AST], tuple[str, str]] = {
    ast.Try: ("`try`", f"test for the case with `if`, {_TAPE}"),
    ast.TryStar: ("`try`", f"test for the case with `if`, {_TAPE}"),
    ast.With: ("`with`", f"open files and set states outside of the function, {_TAPE}"),
    ast.AsyncWith: ("`async with`", "wait outside of the function, and pass what came"),
    ast.AsyncFor: ("`async for`", "wait outside of the function, and pass what came as an array"),
    ast.AsyncFunctionDef: ("`async def`", "write a plain function"),
    ast.Await: ("`await`", "wait outside of the function, and pass what came"),
    ast.Yield: ("`yield`", f"write the values into an array and return it, {_TAPE}"),
    ast.YieldFrom: ("`yield from`", f"write the values into an array and return it, {_TAPE}"),
    ast.Global: ("`global`", "return the value, and let the caller assign it"),
    ast.Nonlocal: (
        "`nonlocal` for a name of a function that is not itself read",
        "return the value from the inner function, and assign it outside",
    ),
    ast.ClassDef: ("a class definition", "define the class outside of the function"),
    ast.ImportFrom: ("`import *`", "import at the top of the file"),
    ast.Match: ("this pattern of a `match`", "write `if` and `elif`"),
}
"""For each kind of node that is refused: how people call it, and what to write instead."""

CALLS: dict[str, tuple[str, str]] = {
    "print": ("printing", "return what is to be printed, and print it after the call"),
    "input": ("reading from a terminal", "read before the call, and pass the value"),
    "open": ("files", "read the file before the call, and pass its arrays"),
    "exec": ("`exec`", "write the code out as a function"),
    "eval": ("`eval`", "write the expression out, or pass a function"),
    "compile": ("`compile`", "write the code out as a function"),
    "globals": ("`globals()`", "name the global that is meant"),
    "locals": ("`locals()`", "name the variable that is meant"),
    "vars": ("`vars()`", "name the attribute that is meant"),
    "setattr": ("setting attributes by name", "assign the attribute, or keep the value in a dict"),
    "delattr": ("deleting attributes", "keep the value in a dict of the function's own"),
    "__import__": ("`import`", "import at the top of the file"),
    "id": ("`id`", "compare objects with `is`"),
    "iter": ("iterators", "write a `for` loop"),
    "next": ("iterators", "write a `for` loop, or take an element by its index"),
    "breakpoint": ("`breakpoint`", 'debug the text of rg.source, or the function with backend="tape"'),
}
"""For each builtin function that is refused: what it would do, and what to write instead."""


_RUN = f"what it does belongs to a run, and a program is made once; do it outside of the function, {_TAPE}"

EFFECTS: dict[str, tuple[str, str]] = {
    "random": ("random numbers of Python's own", "draw from np.random.default_rng(seed)"),
    "secrets": ("random numbers of Python's own", "draw from np.random.default_rng(seed)"),
    "time": ("the time", f"measure around the call, {_TAPE}"),
    "datetime": ("dates and times", f"pass what is needed as a number, {_TAPE}"),
    "logging": ("logging", f"return what is to be logged, {_TAPE}"),
    **dict.fromkeys(("os", "posix", "nt", "posixpath", "ntpath", "sys", "io", "_io"), ("the system", _RUN)),
    **dict.fromkeys(("pathlib", "shutil", "subprocess", "socket", "tempfile"), ("the system", _RUN)),
    **dict.fromkeys(("pickle", "_pickle", "json", "csv", "_csv"), ("files", _RUN)),
    **dict.fromkeys(("threading", "_thread", "multiprocessing", "concurrent", "asyncio"), ("threads", _RUN)),
}
"""For each module of Python whose functions are refused, since they have effects: what they are, what to write."""


class Located:
    """An error that says already where in the user's source it belongs."""


class Refusal(Located, UnsupportedError):
    """A construct that is not read."""


def where(place: Place | None, text: str, message: str) -> str:
    """A message with the place and the text of the source in front."""
    found = f"{place.file}, line {place.line}, in {place.function}: " if place else ""
    return f"{found}`{text}`: {message}" if text else f"{found}{message}"


def at(place: Place | None, text: str, message: str) -> Refusal:
    """The error for something at a place of the user's source."""
    return Refusal(where(place, text, message))


def located(error: RetrogradeError, place: Place | None, text: str) -> RetrogradeError:
    """An error as one of its kind that says where it belongs."""
    kind = type(error)
    if issubclass(kind, Located):
        return error
    kind = UnsupportedError if issubclass(kind, NotConstant) else kind
    with_place: Any = type(kind.__name__, (Located, kind), {"__module__": kind.__module__, "__doc__": kind.__doc__})
    return with_place(where(place, text, str(error)))


def note(error: Exception, place: Place | None, text: str) -> None:
    """Say beside an error of Python or NumPy where in the user's source it came up."""
    if not getattr(error, "__notes__", None):
        error.add_note(where(place, text, "came up here, while the function was read into a program"))


def refuse(place: Place | None, text: str, what: str, remedy: str) -> NoReturn:
    """Refuse a construct.

    Raises:
        UnsupportedError: always.
    """
    raise at(place, text, f"{what} cannot be read into a program; {remedy}")

"""Calls: functions of the user are read where they are called, others are handed what they are given."""

# Values are anything that a user's code has: there is nothing for a type checker to know.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

import ast
import functools
import inspect
import types
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from retrograde.errors import UnsupportedError
from retrograde.python.reading import names as names_of
from retrograde.python.reading.frames import (
    EXIT,
    NORMAL,
    RETURNED,
    Closure,
    Frame,
    body_of,
    local_names,
    nonlocal_names,
)
from retrograde.python.reading.kinds import map_arrays
from retrograde.python.reading.liveness import Liveness
from retrograde.python.reading.origins import origins_of
from retrograde.python.reading.own_functions import OWN
from retrograde.python.reading.refusals import CALLS, EFFECTS
from retrograde.python.reading.series import OF_SERIES, Series, opened
from retrograde.python.reading.signals import NeedsStatic
from retrograde.python.reading.source import Source, source_of
from retrograde.python.reading.truth import is_dynamic
from retrograde.python.reading.values import Array, Number, call
from retrograde.python.reading.vectorizing import Vectorized
from retrograde.python.reading.ways_out import exit_codes

if TYPE_CHECKING:
    from retrograde.python.reading.reader import Reader

DEEPEST = 100
"""The most calls inside each other."""

_RECURRENT = 4
"""How often a function calls itself in a branch before what may end that is looked for."""

_LIBRARIES = frozenset({"numpy", "scipy", "math", "cmath", "retrograde", "builtins", "functools", "operator", "random"})


def call_value(reader: Reader, function: Any, arguments: list[Any], keywords: dict[str, Any]) -> Any:
    """The result of calling anything.

    Raises:
        UnsupportedError: it cannot be read.
    """
    if isinstance(function, Closure):
        return call_closure(reader, function, arguments, keywords)
    own = _of_series(function, arguments) or _own(function)
    if own is not None:
        return own(reader, *arguments, **keywords)
    _refuse_effects(function)
    if isinstance(function, (Vectorized, np.vectorize)):
        return _vectorized(function).call(reader, *arguments, **keywords)
    if isinstance(function, functools.partial):
        return call_value(reader, function.func, [*function.args, *arguments], {**function.keywords, **keywords})
    if isinstance(function, types.MethodType) and _is_read(function.__func__):
        return call_function(reader, function.__func__, [function.__self__, *arguments], keywords)
    if _is_read(function):
        return call_function(reader, function, arguments, keywords)
    if isinstance(function, type) and not _is_of_library(function):
        return _made(reader, function, arguments, keywords)
    plain = getattr(function, "py_func", None)
    if isinstance(plain, types.FunctionType):
        return call_function(reader, plain, arguments, keywords)
    special = inspect.getattr_static(type(function), "__call__", None)
    if isinstance(special, types.FunctionType) and _is_read(special):
        return call_function(reader, special, [function, *arguments], keywords)
    return _called(reader, function, arguments, keywords)


def _vectorized(function: Any) -> Vectorized:
    if isinstance(function, Vectorized):
        return function
    names = ("otypes", "excluded", "signature")
    return Vectorized(function.pyfunc, {name: getattr(function, name) or None for name in names})


def _of_series(function: Any, arguments: list[Any]) -> Callable[..., Any] | None:
    """What is called with or of a list whose length only the run knows."""
    if isinstance(getattr(function, "__self__", None), Series):
        return lambda reader, *values, **options: function(*values, **options)
    if arguments and isinstance(arguments[0], Series) and function in OF_SERIES:
        return functools.partial(_with_function, function)
    return None


def _with_function(function: Any, reader: Reader, *values: Any, **options: Any) -> Any:
    return OF_SERIES[function](reader, function, *values, **options)


def _called(reader: Reader, function: Any, arguments: list[Any], keywords: dict[str, Any]) -> Any:
    owner = getattr(function, "__self__", None)
    if reader.inputs.is_from_outside(owner) and not isinstance(owner, type):
        raise UnsupportedError(
            f"the method {function.__name__!r} of a {type(owner).__name__} from outside was called, whose effects a "
            "program does not have; give the function arrays, numbers, tuples, lists and dicts"
        )
    if isinstance(owner, (list, dict, set)):
        if arguments:
            arguments = [_settled(owner, function.__name__, arguments[0]), *arguments[1:]]
        return function(*arguments, **keywords)
    options = {name: opened(value) for name, value in keywords.items()}
    return call(reader.heap, function, tuple(map(opened, arguments)), options)


def _settled(owner: Any, name: str, argument: Any) -> Any:
    """An argument of a method of a container; keys and places have to be known."""
    if isinstance(argument, Number) and name in ("pop", "get", "setdefault", "insert", "add", "remove", "discard"):
        if name in ("insert", "setdefault", "get") and not isinstance(owner, dict):
            return argument
        return argument.known("the key of a container")
    return argument


def _refuse_effects(function: Any) -> None:
    owner = getattr(function, "__self__", None)
    home = getattr(function, "__module__", None) or getattr(owner, "__module__", None) or type(owner).__module__
    found = EFFECTS.get(str(home).split(".")[0])
    if found is not None and not (isinstance(function, type) and issubclass(function, BaseException)):
        name = getattr(function, "__name__", function)
        raise UnsupportedError(f"{found[0]} ({home}.{name}) cannot be read into a program; {found[1]}")


def _is_read(function: Any) -> bool:
    """Whether a function is one that the user wrote in Python."""
    return isinstance(function, types.FunctionType) and not _is_of_library(function)


def _is_of_library(function: Any) -> bool:
    return (getattr(function, "__module__", None) or "").split(".")[0] in _LIBRARIES


def call_function(reader: Reader, function: Any, arguments: list[Any], keywords: dict[str, Any]) -> Any:
    """The result of a function of Python: its body is read."""
    bound = _bound(function, arguments, keywords)
    bound.apply_defaults()
    return _read(reader, source_of(function), function, None, dict(bound.arguments))


def _bound(function: Any, arguments: list[Any], keywords: dict[str, Any]) -> inspect.BoundArguments:
    return inspect.signature(function, follow_wrapped=False).bind(*arguments, **keywords)


def call_closure(reader: Reader, function: Closure, arguments: list[Any], keywords: dict[str, Any]) -> Any:
    """The result of a function that was defined while reading."""
    node = function.source.node
    parameters = node.args
    kinds = inspect.Parameter
    described: list[inspect.Parameter] = []

    def describe(parts: list[Any], kind: Any) -> None:
        for part in parts:
            default = function.defaults.get(part.arg, kinds.empty)
            described.append(kinds(part.arg, kind, default=default))

    describe(parameters.posonlyargs, kinds.POSITIONAL_ONLY)
    describe(parameters.args, kinds.POSITIONAL_OR_KEYWORD)
    if parameters.vararg is not None:
        described.append(kinds(parameters.vararg.arg, kinds.VAR_POSITIONAL))
    describe(parameters.kwonlyargs, kinds.KEYWORD_ONLY)
    if parameters.kwarg is not None:
        described.append(kinds(parameters.kwarg.arg, kinds.VAR_KEYWORD))
    bound = inspect.Signature(described).bind(*arguments, **keywords)
    bound.apply_defaults()
    outer = function.frame
    around = {name: value for scope in function.scopes for name, value in scope.items()}
    own = local_names(function.source.node)
    given = {name: value for name, value in around.items() if name not in own} | bound.arguments
    return _read(reader, function.source, outer.function, outer, given)


def _read(reader: Reader, source: Source, function: Any, outer: Frame | None, names: dict[str, Any]) -> Any:
    _limit_depth(reader, source, names)
    homes = _homes(outer, nonlocal_names(source.node))
    _bring_home(reader, source, outer)
    names |= {name: home.names[name] for name, home in homes.items() if name in home.names}
    with entered(reader, source, function, outer, names, frozenset(homes)) as frame:
        reader.execute(body_of(source.node))
        for name, home in homes.items():
            _give_back(reader, name, home)
        return returned(reader, frame)


def _give_back(reader: Reader, name: str, home: Frame) -> None:
    """Bind a name of a function around the one that is being read to what it stands for here."""
    above = _above(reader, name, home)
    if name in reader.frame.names:
        owner = _owner(reader.frame.outer, name)
        for frame in (home, *(frame for frame in above if _takes(frame, name, owner))):
            frame.names[name] = reader.frame.names[name]


def _bring_home(reader: Reader, source: Source, outer: Frame | None) -> None:
    """Bind the names that a function reads of those around it to what they stand for in calls that are not over."""
    read = {part.id for part in ast.walk(source.node) if isinstance(part, ast.Name)}
    for name in {name for frame in reader.frames for name in frame.nonlocals} & read:
        owner = _owner(outer, name)
        takers = [frame for frame in reader.frames if _takes(frame, name, owner)]
        if owner is None or not takers or name not in takers[-1].names:
            continue
        value = takers[-1].names[name]
        if all(frame.names.get(name) is value for frame in (owner, *takers)):
            continue
        _above(reader, name, owner)
        for frame in (owner, *takers):
            frame.names[name] = value


def _above(reader: Reader, name: str, home: Frame) -> list[Frame]:
    """The calls within a call whose name is to be bound: of them, none may stand in a loop or branch of another."""
    if home not in reader.frames:
        raise UnsupportedError(
            f"{name!r} is `nonlocal`, and the call that it belongs to is over; return the value, and hand it on"
        )
    above = reader.frames[reader.frames.index(home) + 1 :]
    if above[0].block is not reader.builder.open_block:
        raise UnsupportedError(
            f"{name!r} is `nonlocal`, and is set by way of a loop or branch of another function than the one that it "
            "belongs to; return the value, and assign it there"
        )
    return above


def _takes(frame: Frame, name: str, owner: Frame | None) -> bool:
    """Whether a call works on a name of a certain call around it."""
    return name in frame.nonlocals and _owner(frame.outer, name) is owner


def _owner(frame: Frame | None, name: str) -> Frame | None:
    """The call whose own a name is that functions inside of it say to be `nonlocal`."""
    while frame is not None and (name not in frame.local or name in frame.nonlocals):
        frame = frame.outer
    return frame


def _homes(outer: Frame | None, names: frozenset[str]) -> dict[str, Frame]:
    """The frames whose names those are that a function says to be `nonlocal`."""
    found: dict[str, Frame] = {}
    while outer is not None:
        found |= {name: outer for name in names if name in outer.local | outer.nonlocals and name not in found}
        outer = outer.outer
    return found


def _limit_depth(reader: Reader, source: Source, names: dict[str, Any]) -> None:
    """Have what may end a recursion known: an integer among the arguments, or the size of an array."""
    again = sum(frame.source.node is source.node for frame in reader.frames)
    if len(reader.frames) < DEEPEST and not (again >= _RECURRENT and reader.conditions):
        return
    found = [value for value in names.values() if isinstance(value, Number) and value.dtype.kind in "iu"]
    for value in names.values():
        found += [extent for extent in value.shape if is_dynamic(extent)] if isinstance(value, Array) else []
    for value in found:
        if origins_of(reader, value.symbol).helps(reader.assumptions):
            raise NeedsStatic(value.symbol, "how deep a recursion goes")
    if len(reader.frames) >= DEEPEST:
        raise UnsupportedError(
            f"calls were nested more than {DEEPEST} deep, or a recursion ends by what only the run knows; write a loop"
        )


def returned(reader: Reader, frame: Frame) -> Any:
    """What a call gave, at its end."""
    code = frame.names[EXIT]
    if isinstance(code, Number):
        reader.located(frame.source.node, _refuse_mixed)
    return reader.located(frame.source.node, lambda: settled(frame.names.get(RETURNED))) if code else None


def settled(value: Any) -> Any:
    """A value all parts of which a program can hold."""
    return map_arrays(lambda part: names_of.present("the value that is returned", part), value)


def _refuse_mixed() -> None:
    raise UnsupportedError(
        "a value is returned in some runs, and the function ends without one in others; end it with `return`"
    )


@contextmanager
def entered(
    reader: Reader,
    source: Source,
    function: Any,
    outer: Frame | None,
    names: dict[str, Any],
    nonlocals: frozenset[str] = frozenset(),
) -> Generator[Frame]:
    """A frame for a call, while it is read."""
    body = body_of(source.node)
    codes = exit_codes(body)
    live, local = Liveness(body, nonlocals), local_names(source.node)
    frame = Frame(
        source, function, outer, {**names, EXIT: NORMAL}, live, local, nonlocals, reader.builder.open_block, *codes
    )
    reader.frames.append(frame)
    place = reader.builder.place
    try:
        yield frame
    finally:
        reader.frames.pop()
        reader.builder.place = place


def _made(reader: Reader, kind: Any, arguments: list[Any], keywords: dict[str, Any]) -> Any:
    """An object of a class of the user."""
    if issubclass(kind, BaseException) or issubclass(kind, tuple):
        return kind(*arguments, **keywords)
    start = kind.__init__
    if getattr(kind, "__dataclass_fields__", None) is not None and not hasattr(kind, "__post_init__"):
        made = kind(*arguments, **keywords)
        reader.objects[id(made)] = made
        return made
    if kind.__new__ is not object.__new__ or not _is_read(start):
        raise UnsupportedError(f"an object of {kind.__name__} was made, which is not read; use a tuple or a dict")
    made = object.__new__(kind)
    reader.objects[id(made)] = made
    call_function(reader, start, [made, *arguments], keywords)
    return made


def _own(function: Any) -> Callable[..., Any] | None:
    try:
        refused = CALLS.get(function.__name__) if isinstance(function, types.BuiltinFunctionType | type) else None
        if refused is not None and function.__module__ in ("builtins", "io", "_io"):
            what, remedy = refused
            raise UnsupportedError(f"{what} cannot be read into a program; {remedy}")
        return OWN.get(function)
    except TypeError:
        return None

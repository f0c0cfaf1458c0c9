"""Names: what they stand for, and binding them."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from retrograde.errors import UnsupportedError, UsageError
from retrograde.python.reading.frames import Closure, Frame, Maybe, Unset
from retrograde.python.reading.iteration import elements_known
from retrograde.python.reading.liveness import stored
from retrograde.python.reading.signals import NeedsUnrolling, Unreachable
from retrograde.python.reading.truth import is_dynamic, negated, truth
from retrograde.python.reading.values import Array, Number

if TYPE_CHECKING:
    from retrograde.python.reading.reader import Reader

_MISSING = object()


def load(reader: Reader, node: ast.Name) -> Any:
    """What a name stands for.

    Raises:
        UnsupportedError: it has no value that a program can hold.
        UnboundLocalError, NameError: it has none, as Python would say.
    """
    name = node.id
    frame: Frame = reader.frame
    while True:
        value = frame.names.get(name, _MISSING)
        if isinstance(value, Maybe):
            value = _certain(reader, name, value)
            if frame is reader.frame:
                frame.names[name] = value
        if value is not _MISSING:
            return present(repr(name), value)
        if name in frame.local:
            if reader.is_certain:
                raise UnboundLocalError(_unbound(name))
            reader.check(True, UnboundLocalError, _unbound(name))
            raise Unreachable
        if frame.outer is None:
            return _from_outside(reader, frame, name)
        frame = frame.outer


def _unbound(name: str) -> str:
    return f"cannot access local variable {name!r} where it is not associated with a value"


def _certain(reader: Reader, name: str, found: Maybe) -> Any:
    """The value of a name that has one in some runs; in the others the run raises what Python would."""
    count = found.count
    if count is None:
        reader.check(truth(reader, negated(reader, found.flag)), UnboundLocalError, _unbound(name))
    elif not reader.inputs.is_positive(count):
        reader.check(truth(reader, count < 1), UnboundLocalError, _unbound(name))
    return found.value


def settle(reader: Reader, node: ast.expr) -> None:
    """Check that the names have values which an expression certainly reads."""
    node = node.values[0] if isinstance(node, ast.BoolOp) else node
    for part in ast.walk(node):
        if isinstance(part, ast.Name) and isinstance(reader.frame.names.get(part.id), Maybe):
            load(reader, part)


def present(label: str, value: Any) -> Any:
    """A value, unless it is none that a program can hold."""
    if not isinstance(value, Unset):
        return value
    message = f"{label} was used {value.reason}"
    if value.loop is not None:
        raise NeedsUnrolling(value.loop, message)
    raise UnsupportedError(message)


def _from_outside(reader: Reader, frame: Frame, name: str) -> Any:
    function = frame.function
    closed = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
    if name in closed:
        cell = closed[name]
        return reader.inputs.captured(
            ("closure", id(cell)), name, cell.cell_contents, lambda leaves: cell.cell_contents
        )
    found = function.__globals__
    if name in found:
        return reader.inputs.captured((id(found), name), name, found[name], lambda leaves: found[name])
    if hasattr(builtins, name):
        return getattr(builtins, name)
    raise NameError(f"name {name!r} is not defined")


def globals_of(frame: Frame) -> dict[str, Any]:
    """The globals of the function that a frame is a call of, or that it is defined in."""
    while frame.outer is not None:
        frame = frame.outer
    return frame.function.__globals__


def store(reader: Reader, name: str, value: Any) -> None:
    """Bind a name."""
    reader.name_result(value, name)
    reader.frame.names[name] = value


def assign(reader: Reader, target: ast.expr, value: Any) -> None:
    """Bind a target of an assignment, or of a loop: a name, several, an element, an attribute."""
    if isinstance(target, ast.Name):
        store(reader, target.id, value)
    elif isinstance(target, (ast.Tuple, ast.List)):
        _unpack(reader, target.elts, value)
    elif isinstance(target, ast.Subscript):
        owner = reader.evaluate(target.value)
        set_item(reader, owner, reader.evaluate(target.slice), value)
        name_base(reader, target)
    elif isinstance(target, ast.Attribute):
        set_attribute(reader, reader.evaluate(target.value), target.attr, value)
    else:
        raise UnsupportedError("this target of an assignment is not read; assign to names and elements")


def _unpack(reader: Reader, targets: Sequence[ast.expr], value: Any) -> None:
    parts = elements_known(reader, value)
    stars = [at for at, target in enumerate(targets) if isinstance(target, ast.Starred)]
    if not stars:
        if len(parts) != len(targets):
            raise UsageError(f"{len(parts)} values were to be unpacked into {len(targets)} names; give as many names")
    else:
        behind = len(targets) - stars[0] - 1
        if len(parts) < len(targets) - 1:
            raise UsageError(f"{len(parts)} values were to be unpacked into {len(targets) - 1} names and a rest")
        rest = parts[stars[0] : len(parts) - behind]
        parts = [*parts[: stars[0]], rest, *parts[len(parts) - behind :]]
    for target, part in zip(targets, parts, strict=True):
        assign(reader, target.value if isinstance(target, ast.Starred) else target, part)


def set_item(reader: Reader, owner: Any, index: Any, value: Any) -> None:
    """`owner[index] = value`."""
    from retrograde.python.reading.series import Series

    if isinstance(owner, (list, dict)) and isinstance(index, Number):
        index = index.known("the place of a list or dict that is written")
    if not is_dynamic(owner) and not isinstance(owner, (list, dict, Series)):
        raise UnsupportedError(
            f"an item of {type(owner).__name__} was to be set; lists, dicts and arrays of the function can be written"
        )
    owner[index] = value


def set_attribute(reader: Reader, owner: Any, name: str, value: Any) -> None:
    """`owner.name = value`: of arrays, and of objects that were made while the function was read."""
    if is_dynamic(owner) or reader.is_own(owner):
        setattr(owner, name, value)
        return
    raise UnsupportedError(
        f"the attribute {name!r} of an object from outside was to be set, which would change the caller's object; "
        "return the value instead"
    )


def name_base(reader: Reader, target: ast.expr) -> None:
    """Call the array that was written by the name that the statement has for it."""
    while isinstance(target, ast.Subscript):
        target = target.value
    if isinstance(target, ast.Name):
        value = reader.frame.names.get(target.id)
        if isinstance(value, Array):
            reader.name_result(value, target.id)


def closure(reader: Reader, node: ast.Lambda | ast.FunctionDef) -> Closure:
    """A function that is defined where the reader is."""
    frame = reader.frame
    arguments = node.args
    positional = [part.arg for part in (*arguments.posonlyargs, *arguments.args)]
    values = [reader.evaluate(part) for part in arguments.defaults]
    defaults = dict(zip(positional[len(positional) - len(values) :], values, strict=True))
    for part, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        if default is not None:
            defaults[part.arg] = reader.evaluate(default)
    scopes = tuple(scope for owner, scope in reader.scopes if owner is frame)
    return Closure(reader, frame.source.inner(node), frame, defaults, scopes)


@contextmanager
def inner_scope(reader: Reader, generators: list[ast.comprehension]) -> Generator[None]:
    """The scope of a comprehension: its names go, and hide those around it."""
    names = reader.frame.names
    own = {name for generator in generators for name in stored(generator.target)}
    hidden = {name: names.pop(name) for name in own if name in names}
    scope: dict[str, Any] = {}
    reader.scopes.append((reader.frame, scope))
    try:
        yield
    finally:
        reader.scopes.pop()
        scope |= {name: names.pop(name) for name in own if name in names}
        names.update(hidden)

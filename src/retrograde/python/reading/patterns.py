"""`match` as `if` and `elif`: what a pattern asks of the subject, and the names that it binds."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Any


def is_sequence(value: Any, least: int, more: bool) -> bool:
    """Whether a sequence pattern fits: a sequence of so many items, or more, that is no string."""
    if not isinstance(value, Sequence) or isinstance(value, (str, bytes, bytearray)):
        return False
    return len(value) == least or (more and len(value) > least)  # pyright: ignore[reportUnknownArgumentType]


def is_mapping(value: Any, keys: Sequence[Any]) -> bool:
    """Whether a mapping pattern fits: a dict with certain keys."""
    return isinstance(value, dict) and all(key in value for key in keys)


def as_branches(statement: ast.Match) -> list[ast.stmt] | None:
    """A `match` as an assignment and branches; None if it has a pattern that is not read."""
    subject = f"matched_{statement.lineno}"
    first = ast.Assign([ast.Name(subject, ast.Store())], statement.subject)
    branches: list[ast.stmt] = []
    try:
        for case in reversed(statement.cases):
            branches = [_branch(case, _Load(subject), branches)]
    except _NotRead:
        return None
    for node in (first, *branches):
        _placed(node, statement)
    return [first, *branches]


class _NotRead(Exception):
    pass


class _Load:
    """Makes the expression of a subject anew wherever it is needed."""

    def __init__(self, name: str, path: tuple[Callable[[ast.expr], ast.expr], ...] = ()) -> None:
        self._name = name
        self._path = path

    def __call__(self) -> ast.expr:
        node: ast.expr = ast.Name(self._name, ast.Load())
        for step in self._path:
            node = step(node)
        return node

    def item(self, index: Any) -> _Load:
        return self._then(lambda node: ast.Subscript(node, ast.Constant(index), ast.Load()))

    def rest(self, first: int, behind: int) -> _Load:
        part = slice(first, -behind if behind else None)
        return self._then(
            lambda node: ast.Call(ast.Constant(list), [ast.Subscript(node, ast.Constant(part), ast.Load())], [])  # pyright: ignore
        )

    def attribute(self, name: str) -> _Load:
        return self._then(lambda node: ast.Attribute(node, name, ast.Load()))

    def _then(self, step: Callable[[ast.expr], ast.expr]) -> _Load:
        return _Load(self._name, (*self._path, step))


def _branch(case: ast.match_case, subject: _Load, otherwise: list[ast.stmt]) -> ast.stmt:
    conditions: list[ast.expr] = []
    bound: list[tuple[str, _Load]] = []
    _read(case.pattern, subject, conditions, bound)
    body: list[ast.stmt] = [ast.Assign([ast.Name(name, ast.Store())], load()) for name, load in bound]
    if case.guard is not None:
        named = (ast.NamedExpr(ast.Name(name, ast.Store()), load()) for name, load in bound)
        conditions += [ast.Tuple([part, ast.Constant(None)], ast.Load()) for part in named]
        conditions.append(case.guard)
    test = ast.Constant(True) if not conditions else _all(conditions)
    return ast.copy_location(ast.If(test, [*body, *case.body], otherwise), case.body[0])


def _all(conditions: list[ast.expr]) -> ast.expr:
    return conditions[0] if len(conditions) == 1 else ast.BoolOp(ast.And(), conditions)


def _read(pattern: ast.pattern, subject: _Load, conditions: list[ast.expr], bound: list[tuple[str, _Load]]) -> None:
    """What has to hold for a pattern, in order, and what its names stand for then."""
    if isinstance(pattern, ast.MatchValue):
        conditions.append(ast.Compare(subject(), [ast.Eq()], [pattern.value]))
    elif isinstance(pattern, ast.MatchSingleton):
        conditions.append(ast.Compare(subject(), [ast.Is()], [ast.Constant(pattern.value)]))
    elif isinstance(pattern, ast.MatchAs):
        if pattern.pattern is not None:
            _read(pattern.pattern, subject, conditions, bound)
        bound += [(pattern.name, subject)] if pattern.name is not None else []
    elif isinstance(pattern, ast.MatchOr):
        conditions.append(ast.BoolOp(ast.Or(), [_alternative(part, subject) for part in pattern.patterns]))
    else:
        _STRUCTURES.get(type(pattern), _refused)(pattern, subject, conditions, bound)


def _alternative(pattern: ast.pattern, subject: _Load) -> ast.expr:
    conditions: list[ast.expr] = []
    bound: list[tuple[str, _Load]] = []
    _read(pattern, subject, conditions, bound)
    if bound:
        raise _NotRead
    return _all(conditions) if conditions else ast.Constant(True)


def _sequence(pattern: Any, subject: _Load, conditions: list[ast.expr], bound: list[tuple[str, _Load]]) -> None:
    parts = pattern.patterns
    stars = [at for at, part in enumerate(parts) if isinstance(part, ast.MatchStar)]
    least = len(parts) - len(stars)
    conditions.append(_asked(is_sequence, subject, least, bool(stars)))
    for at, part in enumerate(parts):
        if isinstance(part, ast.MatchStar):
            behind = len(parts) - at - 1
            bound += [(part.name, subject.rest(at, behind))] if part.name is not None else []
        else:
            place = at if not stars or at < stars[0] else at - len(parts)
            _read(part, subject.item(place), conditions, bound)


def _mapping(pattern: Any, subject: _Load, conditions: list[ast.expr], bound: list[tuple[str, _Load]]) -> None:
    keys = [key.value for key in pattern.keys if isinstance(key, ast.Constant)]
    if pattern.rest is not None or len(keys) < len(pattern.keys):
        raise _NotRead
    conditions.append(_asked(is_mapping, subject, keys))
    for key, part in zip(keys, pattern.patterns, strict=True):
        _read(part, subject.item(key), conditions, bound)


def _class(pattern: Any, subject: _Load, conditions: list[ast.expr], bound: list[tuple[str, _Load]]) -> None:
    name = pattern.cls.id if isinstance(pattern.cls, ast.Name) else ""
    if pattern.patterns and (len(pattern.patterns) > 1 or name not in ("int", "float", "str", "bool", "list", "tuple")):
        raise _NotRead
    conditions.append(ast.Call(ast.Constant(isinstance), [subject(), pattern.cls], []))  # pyright: ignore
    for part in pattern.patterns:
        _read(part, subject, conditions, bound)
    for attribute, part in zip(pattern.kwd_attrs, pattern.kwd_patterns, strict=True):
        _read(part, subject.attribute(attribute), conditions, bound)


def _asked(function: Callable[..., bool], subject: _Load, *arguments: Any) -> ast.expr:
    return ast.Call(ast.Constant(function), [subject(), *map(ast.Constant, arguments)], [])  # pyright: ignore


def _refused(pattern: Any, *_: Any) -> None:
    raise _NotRead


_STRUCTURES: dict[type[ast.pattern], Callable[..., None]] = {
    ast.MatchSequence: _sequence,
    ast.MatchMapping: _mapping,
    ast.MatchClass: _class,
}


def _placed(node: ast.AST, place: ast.AST) -> None:
    """Give the nodes that were made the place of those around them."""
    if isinstance(node, (ast.expr, ast.stmt)):
        if not hasattr(node, "lineno"):
            ast.copy_location(node, place)
        place = node
    for child in ast.iter_child_nodes(node):
        _placed(child, place)

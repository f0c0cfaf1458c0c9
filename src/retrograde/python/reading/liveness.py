"""Which names a function may still read: what a region changed and nobody reads afterwards need not be carried out.

The analysis is the classical one, backwards over the syntax tree (Kennedy 1971), and errs on the side of reading.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence

_Names = frozenset[str]
_NONE: _Names = frozenset()


class Liveness:
    """The names that are live behind each statement of a function, and at the head of each loop.

    Args:
        body: the function's statements.
        always: names that are read at other times, besides those that inner functions capture.
    """

    def __init__(self, body: Sequence[ast.stmt], always: _Names = _NONE) -> None:
        self._always = always | frozenset(captured_names(body))
        self._after: dict[int, _Names] = {}
        self._head: dict[int, _Names] = {}
        self._breaks: list[_Names] = []
        self._continues: list[_Names] = []
        self._block(body, _NONE)

    def after(self, statement: ast.stmt) -> _Names:
        """The names that may be read behind a statement before they are set."""
        return self._after[id(statement)] | self._always

    def head(self, loop: ast.stmt) -> _Names:
        """The names that may be read when a loop's body begins, or behind the loop."""
        return self._head[id(loop)] | self._always

    def _block(self, statements: Sequence[ast.stmt], live: _Names) -> _Names:
        for statement in reversed(statements):
            exits = self._breaks[-1] | self._continues[-1] if self._breaks else _NONE
            self._after[id(statement)] = self._after.get(id(statement), _NONE) | live | exits
            live = self._statement(statement, live)
        return live

    def _statement(self, statement: ast.stmt, live: _Names) -> _Names:
        if isinstance(statement, ast.If):
            inside = self._block(statement.body, live) | self._block(statement.orelse, live)
            return inside | loaded(statement.test)
        if isinstance(statement, (ast.For, ast.While)):
            return self._loop(statement, live)
        if isinstance(statement, ast.With):
            return self._block(statement.body, live) | _NONE.union(*(loaded(item) for item in statement.items))
        if isinstance(statement, ast.Return):
            return loaded(statement.value)
        if isinstance(statement, ast.Break):
            return self._breaks[-1] if self._breaks else _NONE
        if isinstance(statement, ast.Continue):
            return self._continues[-1] if self._continues else _NONE
        return (live - stored(statement)) | loaded(statement)

    def _loop(self, loop: ast.For | ast.While, live: _Names) -> _Names:
        behind = self._block(loop.orelse, live)
        test = loaded(loop.test) if isinstance(loop, ast.While) else _NONE
        target = stored(loop.target) if isinstance(loop, ast.For) else _NONE
        head = behind | test | live
        while True:
            self._breaks.append(live)
            self._continues.append(head)
            again = (self._block(loop.body, head) - target) | head
            self._breaks.pop()
            self._continues.pop()
            if again == head:
                break
            head = again
        self._head[id(loop)] = head
        return head | (loaded(loop.iter) if isinstance(loop, ast.For) else _NONE)


def loaded(node: ast.AST | None) -> _Names:
    """The names that a node may read."""
    if node is None:
        return _NONE
    names = {part.id for part in ast.walk(node) if isinstance(part, ast.Name) and not isinstance(part.ctx, ast.Store)}
    if isinstance(node, ast.AugAssign):
        names |= stored(node)
    return frozenset(names)


def stored(node: ast.AST) -> _Names:
    """The names that a node certainly sets, where it is reached."""
    return frozenset(
        part.id for part in outside_functions(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
    )


def outside_functions(node: ast.AST) -> Iterable[ast.AST]:
    """A node and what is in it, inner functions and comprehensions left out."""
    yield node
    if isinstance(node, (ast.FunctionDef, ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
        return
    for child in ast.iter_child_nodes(node):
        yield from outside_functions(child)


def captured_names(body: Iterable[ast.AST]) -> set[str]:
    """The names that functions inside of a body read, or say to be those of a function around them."""
    inner = [part for node in body for part in ast.walk(node) if isinstance(part, (ast.FunctionDef, ast.Lambda))]
    given = (part for function in inner for part in ast.walk(function) if isinstance(part, ast.Nonlocal))
    return {name for function in inner for name in loaded(function)} | {name for part in given for name in part.names}


def assigned_names(body: Iterable[ast.AST]) -> set[str]:
    """The names that are local to a function with this body, its parameters left out."""
    names: set[str] = set()
    for node in body:
        for part in outside_functions(node):
            if isinstance(part, ast.Name) and isinstance(part.ctx, (ast.Store, ast.Del)):
                names.add(part.id)
            elif isinstance(part, ast.FunctionDef):
                names.add(part.name)
            elif isinstance(part, (ast.Import, ast.ImportFrom)):
                names |= {each.asname or each.name.partition(".")[0] for each in part.names}
    return names

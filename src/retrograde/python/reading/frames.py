"""The names of a function that is being read, and functions that are defined while one is."""

from __future__ import annotations

import ast
import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from retrograde.python.reading.liveness import Liveness, assigned_names, outside_functions
from retrograde.python.reading.patterns import as_branches
from retrograde.python.reading.source import Source

if TYPE_CHECKING:
    from retrograde.python.reading.reader import Reader

EXIT = "exit of the block"
"""The name that holds how a block ended; it is none of the user's."""

RETURNED = "value returned"
"""The name that holds what `return` gave; it is none of the user's."""

NORMAL, CONTINUE = False, 3
"""How a block ended: at its end, or by `continue`. What stands for `break` and `return`, the frame says."""


@dataclass(frozen=True, slots=True)
class Unset:
    """What a name stands for that has no value, or none that a program can hold.

    Attributes:
        reason: why, for the error where it is used: it goes on after "'x' was used ".
        loop: the loop that could be unrolled to give it one.
    """

    reason: str
    loop: Any = None


@dataclass(frozen=True, eq=False, slots=True)
class Maybe:
    """What a name stands for that has a value in some runs: reading it is a check.

    Attributes:
        value: the value, in those.
        flag: a boolean number: whether it has one.
        count: of a name that a loop sets, how often that runs: the name has a value if that is once or more.
    """

    value: Any
    flag: Any
    count: Any = None


@dataclass(eq=False, slots=True)
class Frame:
    """One call of a function that is being read.

    Attributes:
        source: where the function stands.
        function: the Python function, which has its globals and its closure.
        outer: the frame of the function that this one is defined in, if that is being read, too.
        names: the local names' values.
        liveness: which names are still read.
        local: the names that are the function's own.
        nonlocals: those that are names of a function around it, whose values it takes and gives back.
        block: the block of the program in which the call stands.
        break_code, return_code: what `EXIT` is after them: True, unless one loop may end by either.
    """

    source: Source
    function: Any
    outer: Frame | None
    names: dict[str, Any]
    liveness: Liveness
    local: frozenset[str]
    nonlocals: frozenset[str]
    block: Any
    break_code: int = True
    return_code: int = True


def local_names(node: ast.FunctionDef | ast.Lambda) -> frozenset[str]:
    """The names that are a function's own."""
    arguments = node.args
    names = {part.arg for part in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)}
    names.update(part.arg for part in (arguments.vararg, arguments.kwarg) if part is not None)
    return frozenset(names | assigned_names(body_of(node)))


def nonlocal_names(node: ast.FunctionDef | ast.Lambda) -> frozenset[str]:
    """The names that a function, or one inside of it, says to be those of a function around it."""
    body = body_of(node)
    own = {part for statement in body for part in outside_functions(statement) if isinstance(part, ast.Nonlocal)}
    every = {part for statement in body for part in ast.walk(statement) if isinstance(part, ast.Nonlocal)}
    given = {name for part in own for name in part.names}
    return frozenset(given | {name for part in every - own for name in part.names} - local_names(node))


def body_of(node: ast.FunctionDef | ast.Lambda) -> list[ast.stmt]:
    """The statements of a function as they are read: the same every time, so that they can be told apart."""
    if node not in _BODIES:
        if isinstance(node, ast.Lambda):
            _BODIES[node] = [ast.copy_location(ast.Return(node.body), node.body)]
        else:
            _BODIES[node] = _Rewriter().visit(ast.Module(copy.deepcopy(node.body), [])).body
    return _BODIES[node]


_BODIES: WeakKeyDictionary[ast.AST, list[ast.stmt]] = WeakKeyDictionary()


class _Rewriter(ast.NodeTransformer):
    """A `while` whose condition sets names asks for it in its body; a `match` is branches."""

    def visit_Match(self, node: ast.Match) -> Any:
        self.generic_visit(node)
        return as_branches(node) or node

    def visit_While(self, node: ast.While) -> ast.stmt:
        self.generic_visit(node)
        if node.orelse or not any(isinstance(part, ast.NamedExpr) for part in ast.walk(node.test)):
            return node
        leave = ast.copy_location(ast.Break(), node)
        asked = ast.copy_location(ast.If(node.test, node.body, [leave]), node)
        return ast.copy_location(ast.While(ast.copy_location(ast.Constant(True), node), [asked], []), node)


class Closure:
    """A function or lambda that was defined while a function was read.

    Calling it reads its body, so that it can be handed to functions of Python (`map`, `sorted`). `scopes` are those of
    the comprehensions around it, with what their names stood for in the end.
    """

    def __init__(
        self,
        reader: Reader,
        source: Source,
        frame: Frame,
        defaults: dict[str, Any],
        scopes: tuple[dict[str, Any], ...] = (),
    ) -> None:
        self.reader = reader
        self.source = source
        self.frame = frame
        self.defaults = defaults
        self.scopes = scopes
        self.__name__ = source.name

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        from retrograde.python.reading.calling import call_closure

        return call_closure(self.reader, self, list(arguments), keywords)

    def __repr__(self) -> str:
        return f"<function {self.__name__} of {self.frame.source.name}>"

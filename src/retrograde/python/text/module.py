"""A procedure as a Python module: readable, and complete by itself."""

from __future__ import annotations

import linecache
from collections.abc import Callable, Mapping
from hashlib import blake2b
from textwrap import fill
from typing import Any

import numpy as np

from retrograde.program.schedules import ROW_KINDS
from retrograde.program.types import ArrayType, ScheduleType, StackType
from retrograde.python.lowering.model import Apply, Bind, MakeStack, Procedure
from retrograde.python.lowering.places import names_in, names_read, set_by, walk
from retrograde.python.text.bounds import Bounds
from retrograde.python.text.comments import Comments
from retrograde.python.text.expressions import ExpressionPrinter
from retrograde.python.text.numbers import numbers_of
from retrograde.python.text.statements import StatementPrinter

_WIDE = frozenset({"float64", "complex128", "int64", "bool"})


def python_text(procedure: Procedure) -> str:
    """A procedure as Python: the imports, and a function with the user's names.

    It returns its results as a tuple; a single one by itself.

    Example:
        >>> import numpy as np
        >>> import retrograde.rules
        >>> from retrograde.program import ProgramBuilder
        >>> from retrograde.python.lowering import lower
        >>> builder = ProgramBuilder("smooth")
        >>> u = builder.input("u", "float64", ("n",))
        >>> u[1:-1] = 0.5 * (u[:-2] + u[2:])
        >>> print(python_text(lower(builder.finish(u=u))))
        import numpy as np
        <BLANKLINE>
        <BLANKLINE>
        def smooth(u):
            u = u.copy()
            u[1:-1] = 0.5 * (u[:-2] + u[2:])
            return u
        <BLANKLINE>
    """
    taken = {name.text for action in walk(procedure.actions) for name in set_by(action)}
    taken |= {parameter.text for parameter in procedure.parameters}
    expressions = ExpressionPrinter(None, _has_wide_types_only(procedure), taken, Bounds(procedure))
    function = procedure.name.partition("_reversed")[0]
    comments = Comments(function)
    read = names_read(procedure.actions).union(*map(names_in, procedure.results))
    lines = StatementPrinter(expressions, comments, numbers_of(procedure), read).lines(procedure.actions)
    results = ", ".join(map(expressions.text, procedure.results))
    head = f"def {procedure.name}({', '.join(parameter.text for parameter in procedure.parameters)}):"
    body = [*_docstring(procedure), *lines, f"return {results}" if results else "return ()"]
    parts = [head, *(f"    {line}".rstrip() for line in body)]
    return "\n".join([*_top(expressions), "", "", *parts, ""])


def given_operations(procedure: Procedure) -> dict[str, Any]:
    """The operations of the user's own that the text of a procedure calls, by the names that it has for them."""
    expressions = ExpressionPrinter()
    StatementPrinter(expressions).lines(procedure.actions)
    for result in procedure.results:
        expressions.text(result)
    return dict(expressions.given)


def run_text(text: str, name: str, given: Mapping[str, Any] | None = None) -> Callable[..., Any]:
    """The function that a text defines. Tracebacks and debuggers show its lines.

    Args:
        text: what `python_text` wrote, or what a person made of it.
        name: of the function.
        given: what the text calls and does not import; see `given_operations`.
    """
    file = f"<retrograde {name} {blake2b(text.encode(), digest_size=6).hexdigest()}>"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    namespace: dict[str, Any] = {**(given or {}), "__name__": f"retrograde_{name}", "__file__": file}
    exec(compile(text, file, "exec"), namespace)
    return namespace[name]


def _top(expressions: ExpressionPrinter) -> list[str]:
    """Imports and large constants."""
    packed = any("b85decode" in text for text in expressions.constants.values())
    lines = ["from base64 import b85decode", "from zlib import decompress", ""] if packed else []
    lines.append("import numpy as np")
    names = [name if name == alias else f"{name} as {alias}" for name, alias in sorted(expressions.imported.items())]
    own = [f"from retrograde.python.operations import {', '.join(names)}"]
    own = own if expressions.imported else []
    own += [f"from {module} import {name}" for name, module in sorted(expressions.classes.items())]
    lines += ["", *own] if own else []
    if expressions.given:
        lines += ["", f"# Handed over by whoever runs this text: {', '.join(sorted(expressions.given))}"]
    if expressions.constants:
        lines += ["", *(f"{name} = {text}" for name, text in expressions.constants.items())]
    return lines


def _docstring(procedure: Procedure) -> list[str]:
    """What is kept for the way back, loop by loop."""
    stacks = [action for action in walk(procedure.actions) if isinstance(action, MakeStack)]
    schedules = [parameter.text for parameter in procedure.parameters if isinstance(parameter.type, ScheduleType)]
    if not stacks:
        return []
    lines = [f'"""The value{"s" if len(procedure.results) != 1 else ""} {", ".join(procedure.result_names)}.', ""]
    slots = {action.stack for action in stacks if action.slots}
    for stack in dict.fromkeys(action.stack for action in stacks):
        each = "slot" if stack in slots else "iteration"
        lines += fill(f"`{stack.text}` keeps {_described(stack.type)} for each {each}.", 100).splitlines()
    if schedules:
        named = ", ".join(f"`{schedule}`" for schedule in schedules)
        kinds = ", ".join(f"{kind} {name}" for kind, name in enumerate(ROW_KINDS))
        says = "says" if len(schedules) == 1 else "say"
        told = (
            f"{named} {says} in which order steps run, in rows of a kind, a start, a stop and a slot. Kinds: {kinds}."
        )
        lines += ["", *fill(told, 100).splitlines()]
    return [*lines, '"""']


def _described(kind: Any) -> str:
    element = kind.element
    if isinstance(element, StackType):
        return "what an inner loop kept"
    return f"a number of {element.dtype}" if not element.rank else f"an array {element}"


def _has_wide_types_only(procedure: Procedure) -> bool:
    """Whether Python's numbers do as well as NumPy's: nothing of lower precision meets them."""
    names = [*procedure.parameters]
    for action in walk(procedure.actions):
        if isinstance(action, Bind):
            names += action.targets
    return all(_is_wide(name.type) for name in names)


def _is_wide(kind: Any) -> bool:
    if isinstance(kind, ScheduleType):
        return True
    return kind.dtype.name in _WIDE if isinstance(kind, ArrayType) else _is_wide(kind.element)


__all__ = ["Apply", "np", "python_text", "run_text"]

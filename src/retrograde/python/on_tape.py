"""Derivatives on the tape, with the names of outputs that programs have."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from retrograde.autodiff import containers, functions
from retrograde.autodiff.arguments import Function, name_of, places_of
from retrograde.errors import UsageError
from retrograde.python.choosing import Finding
from retrograde.python.request import Of, Request


def on_tape(f: Function, request: Request, finding: Finding | None) -> Function:
    """The derivative that a request asks for, computed on the tape."""
    observed = f if request.of is None else observing(f, request.of)
    make = getattr(functions, request.kind)
    derivative = make(observed, request.wrt, **request.limits)
    if finding is None or finding.write is None:
        return derivative

    def on_copies(*arguments: Any, **options: Any) -> Any:
        held = {} if request.wrt is None else places_of(f, _as_tuple(request.wrt), arguments, options)
        positional = [value if at in held else _copies(value) for at, value in enumerate(arguments)]
        return derivative(*positional, **{key: value if key in held else _copies(value) for key, value in options.items()})

    return on_copies


def observing(f: Function, of: Of) -> Function:
    """A function that returns the outputs that `of` names: what the first one returns, or arguments after its run."""

    def observed(*arguments: Any, **options: Any) -> Any:
        returned = f(*arguments, **options)
        if isinstance(of, tuple):
            return tuple(_picked(f, name, returned, arguments, options) for name in of)
        return _picked(f, of or "return", returned, arguments, options)

    observed.__name__ = name_of(f)
    observed.__wrapped__ = f  # pyright: ignore[reportFunctionMemberAccess]
    return observed


def _picked(f: Function, name: str, returned: Any, arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
    if name == "return" and returned is not None:
        return returned
    found = containers.leaves(returned)
    if name.startswith("return_") and name.removeprefix("return_").isdecimal():
        at = int(name.removeprefix("return_"))
        if at < len(found):
            return found[at]
    passed = inspect.signature(f).bind(*arguments, **options).arguments if name != "return" else {}
    if name not in passed:
        raise UsageError(
            f"of={name!r} names no output of {name_of(f)}, which returned {len(found)} arrays and has the arguments "
            f"{', '.join(inspect.signature(f).parameters)}: name one of these, \"return\", or \"return_0\""
        )
    return passed[name]


def _copies(value: Any) -> Any:
    return containers.map_leaves(lambda leaf: np.array(leaf) if type(leaf) is np.ndarray else leaf, value)


def _as_tuple(wrt: Any) -> tuple[Any, ...]:
    return wrt if isinstance(wrt, tuple) else (wrt,)

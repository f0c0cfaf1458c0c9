"""Derivatives on the tape, with the names of outputs that programs have."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from retrograde.autodiff import containers, functions
from retrograde.autodiff.arguments import Function, Wrt, name_of, places_of
from retrograde.errors import UsageError
from retrograde.program.kinds import is_ndarray
from retrograde.program.types import is_differentiable
from retrograde.python.choosing import Finding
from retrograde.python.outputs import has_derivative
from retrograde.python.request import Of, Request


def on_tape(f: Function, request: Request, finding: Finding | None) -> Function:
    """The derivative that a request asks for, computed on the tape."""
    observed = f if request.of is None else observing(f, request.of)
    make = getattr(functions, request.kind)
    writes = finding is not None and finding.write is not None
    if not writes and request.wrt is not None:
        return make(observed, request.wrt, **request.limits)

    def chosen(*arguments: Any, **options: Any) -> Any:
        asked = _places(f, request.wrt, arguments, options)
        values = {**dict(enumerate(arguments)), **options}
        # What is derived may be written into any array, so that the tape has to know them all.
        others = [place for place, value in values.items() if writes and place not in asked and _is_watchable(value)]
        watched = {*asked, *others}
        positional = [value if at in watched or not writes else _copies(value) for at, value in enumerate(arguments)]
        named = {key: value if key in watched or not writes else _copies(value) for key, value in options.items()}
        found = make(observed, (*asked, *others), **request.limits)(*positional, **named)

        def taken(gradients: tuple[Any, ...]) -> Any:
            if request.wrt is None:
                by_place = dict(zip(asked, gradients, strict=False))
                return tuple(by_place.get(at) for at in range(len(arguments)))
            return gradients[: len(asked)] if isinstance(request.wrt, tuple) else gradients[0]

        if request.kind == "grad":
            return taken(found)
        value, behind = found
        if request.kind == "value_and_grad":
            return value, taken(behind)

        def pullback(cotangents: Any) -> Any:
            return taken(behind(cotangents))

        return value, pullback

    return chosen


def _places(f: Function, wrt: Wrt | None, arguments: tuple[Any, ...], options: dict[str, Any]) -> list[int | str]:
    if wrt is None:
        return [at for at, argument in enumerate(arguments) if has_derivative(argument)]
    return places_of(f, wrt if isinstance(wrt, tuple) else (wrt,), arguments, options)


def _is_watchable(value: Any) -> bool:
    leaves = containers.leaves(value)
    return bool(leaves) and all(is_ndarray(leaf) and is_differentiable(leaf.dtype) for leaf in leaves)


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
            f'{", ".join(inspect.signature(f).parameters)}: name one of these, "return", or "return_0"'
        )
    return passed[name]


def _copies(value: Any) -> Any:
    return containers.map_leaves(lambda leaf: np.array(leaf) if type(leaf) is np.ndarray else leaf, value)

"""Calls of functions with a rule of their own: arguments taken apart into arrays, results checked and recorded."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from retrograde.autodiff import containers
from retrograde.autodiff.budgeted.held import Held
from retrograde.autodiff.cotangents import Parts
from retrograde.autodiff.tape.tracked import Node, TrackedArray
from retrograde.errors import UsageError
from retrograde.program.dispatch import Intercepting
from retrograde.program.primitive import Array
from retrograde.program.types import is_differentiable


class Signature:
    """How a function is called: which of its arguments are arrays, and which are static."""

    def __init__(self, name: str, function: Callable[..., Any], static: Sequence[str]) -> None:
        self.name = name
        self.static = frozenset((static,) if isinstance(static, str) else static)
        self._parameters = inspect.signature(function)
        unknown = self.static - set(self._parameters.parameters)
        if unknown:
            raise UsageError(
                f"static={sorted(self.static)} was asked for {name}, which has the arguments "
                f"{list(self._parameters.parameters)}; name some of these"
            )
        kinds = {parameter.kind for parameter in self._parameters.parameters.values()}
        arrays_only = kinds <= {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}
        self._arrays = list(self._parameters.parameters) if arrays_only and not self.static else None

    def call(self, arguments: tuple[Any, ...], options: dict[str, Any]) -> Call:
        """A call with these arguments, its defaults filled in."""
        if self._arrays is not None and not options and len(arguments) == len(self._arrays):
            leaves, structure = containers.flatten(arguments)
            return Call(arguments, options, self._arrays, list(range(len(arguments))), leaves, structure)
        bound = self._parameters.bind(*arguments, **options)
        bound.apply_defaults()
        names = self._positional_names(bound)
        places = [at for at, name in enumerate(names) if name not in self.static]
        leaves, structure = containers.flatten(tuple(bound.args[at] for at in places))
        self._refuse_tracked(
            {name: bound.args[at] for at, name in enumerate(names) if name in self.static} | bound.kwargs
        )
        return Call(bound.args, bound.kwargs, names, places, leaves, structure)

    def _positional_names(self, bound: inspect.BoundArguments) -> list[str]:
        names: list[str] = []
        for name, argument in bound.arguments.items():
            kind = self._parameters.parameters[name].kind
            if kind is inspect.Parameter.VAR_POSITIONAL:
                names += [f"{name}[{at}]" for at in range(len(argument))]
            elif kind in (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD):
                names.append(name)
        return names

    def _refuse_tracked(self, constants: dict[str, Any]) -> None:
        for name, value in constants.items():
            if any(isinstance(leaf, Intercepting) for leaf in containers.flatten(value)[0]):
                raise UsageError(
                    f"argument {name!r} of {self.name} is under differentiation, and it is a static or keyword-only "
                    "one, which its rule does not differentiate by; make it a positional argument, or pass "
                    "rg.stop_gradient of it"
                )


@dataclass(slots=True)
class Call:
    """One call: positional and keyword-only arguments, and the leaves of those that are not static."""

    arguments: tuple[Any, ...]
    options: dict[str, Any]
    names: list[str]
    places: list[int]
    leaves: list[Any]
    structure: Any

    def top(self) -> Intercepting | None:
        """The leaf that handles the call: of those under differentiation the one of the highest level."""
        tops = [leaf for leaf in self.leaves if isinstance(leaf, Intercepting) and not isinstance(leaf, Held)]
        return max(tops, key=lambda leaf: leaf.level) if tops else None

    def containers(self, leaves: Sequence[Any]) -> tuple[Any, ...]:
        """The arguments that are not static, made of other leaves."""
        return self.structure.unflatten(leaves)

    def positional(self, leaves: Sequence[Any]) -> tuple[Any, ...]:
        """All positional arguments, made of other leaves."""
        arguments = list(self.arguments)
        for at, container in zip(self.places, self.containers(leaves), strict=True):
            arguments[at] = container
        return tuple(arguments)

    def constants(self) -> dict[str, Any]:
        """The static and keyword-only arguments by name."""
        places = set(self.places)
        return {name: self.arguments[at] for at, name in enumerate(self.names) if at not in places} | self.options

    def differentiated(self) -> list[str]:
        """The names of the arguments that are not static."""
        return [self.names[at] for at in self.places]


def has_derivative(leaf: Any) -> bool:
    """Whether a leaf (or a template) is an array or a number of a floating or complex type."""
    return isinstance(leaf, (float, complex)) or (hasattr(leaf, "dtype") and is_differentiable(leaf.dtype))


def dtype_of(leaf: Any) -> np.dtype[Any]:
    """The dtype of an array or a number."""
    return leaf.dtype if hasattr(leaf, "dtype") else np.asarray(leaf).dtype


def checked_outputs(who: str, returned: Any, level: int) -> tuple[list[Any], Any]:
    """The leaves of what a function returned, numbers as arrays, and how they are put together.

    Raises:
        UsageError: a leaf is under a differentiation that the arguments did not bring: the function closes over it.
    """
    leaves, structure = containers.flatten(returned)
    for leaf in leaves:
        if isinstance(leaf, Intercepting) and leaf.level >= level:
            raise UsageError(
                f"{who} returned an array under differentiation that its arguments did not bring; pass what it closes "
                "over as an argument, since its rule differentiates by arguments only"
            )
    return [np.asarray(leaf)[()] if isinstance(leaf, (float, complex)) else leaf for leaf in leaves], structure


def checked_leaves(who: str, found: Any, like: Any, templates: Sequence[Any]) -> list[Any]:
    """What a rule returned for one container, as leaves: arrays that fit the templates, or None for zero.

    Args:
        who: which rule it was, and for what: the beginning of the error.
        found: what it returned.
        like: the structure that was expected.
        templates: the leaves that was expected; where one has no derivative, anything goes.

    Raises:
        UsageError: the containers are not built alike, or an array has another shape or dtype.
    """
    if found is None:
        return [None] * len(templates)
    leaves, structure = containers.flatten(found)
    if structure != like:
        raise UsageError(
            f"{who} is {_built(structure, leaves)}, and {_built(like, templates)} was expected; return a container "
            "built like it, with None for what is zero"
        )
    return [_checked(who, leaf, template) for leaf, template in zip(leaves, templates, strict=True)]


def _built(structure: Any, leaves: Sequence[Any]) -> str:
    """A container in words: its leaves as their dtypes and shapes."""
    return repr(structure.unflatten([_Described(leaf) for leaf in leaves]))


class _Described:
    def __init__(self, leaf: Any) -> None:
        self.text = describe(leaf) if has_derivative(leaf) or hasattr(leaf, "dtype") else type(leaf).__name__

    def __repr__(self) -> str:
        return self.text


def describe(array: Any) -> str:
    """The dtype and the shape of an array, in words."""
    return f"{dtype_of(array)} of shape {np.shape(array)}"


def _checked(who: str, leaf: Any, template: Any) -> Any:
    if leaf is None or not has_derivative(template):
        return None
    if isinstance(leaf, (int, float, complex)):
        leaf = np.asarray(leaf, np.result_type(leaf, np.float64 if isinstance(leaf, int) else leaf))[()]
    if not hasattr(leaf, "dtype"):
        raise UsageError(f"{who} is a {type(leaf).__name__}, and {describe(template)} was expected; return an array")
    kind = leaf.dtype.kind
    if leaf.shape == np.shape(template) and kind in ("fcV" if dtype_of(template).kind == "c" else "fV"):
        return leaf
    remedy = "take its real part (np.real)" if kind == "c" else "return it in that shape"
    remedy = "make it floating (np.zeros_like of the argument)" if kind in "iub" else remedy
    raise UsageError(f"{who} is {describe(leaf)}, and {describe(template)} was expected; {remedy}")


def record(
    parents: list[TrackedArray], leaves: list[Any], structure: Any, pull: Callable[[list[Any]], list[Array]]
) -> Any:
    """Record a call on the tape of its tracked arguments.

    Args:
        parents: the tracked arguments, all of one tape.
        leaves: what the call returned: arrays of what is below the tape.
        structure: how they are put together.
        pull: from cotangents of the leaves (None where none came) to those of the parents.

    Returns:
        The results, those with a derivative tracked.
    """
    tape = parents[0].node.tape
    nodes = tuple(parent.node for parent in parents)
    shares = tuple(map(_share, range(len(nodes))))
    arguments = Node(tape, nodes, shares, None, Parts)
    call = Node(tape, (arguments,), (_pulled(pull),), None, Parts)
    return structure.unflatten(
        [
            TrackedArray(leaf, Node(tape, (call,), (Parts.of(at, len(leaves)),), None, leaf))
            if has_derivative(leaf)
            else leaf
            for at, leaf in enumerate(leaves)
        ]
    )


def _pulled(pull: Callable[[list[Any]], list[Array]]) -> Callable[[list[Parts], Any], Parts]:
    return lambda held, kept: Parts(tuple(pull(list(held[0].parts))))


def _share(at: int) -> Callable[[list[Parts], Any], Any]:
    return lambda held, kept: held[0].parts[at]


@dataclass(frozen=True, slots=True)
class Template:
    """The shape and dtype of an array that need not be kept."""

    shape: tuple[Any, ...]
    dtype: np.dtype[Any]


def templates(leaves: Sequence[Any]) -> list[Template | None]:
    """The shapes and dtypes of leaves; None for what has no derivative."""
    return [Template(np.shape(leaf), dtype_of(leaf)) if has_derivative(leaf) else None for leaf in leaves]


def zeros_in_place_of(array: Array, template: Any) -> Array:
    """Zeros of the kind of an array, and of the shape and dtype of a template."""
    return np.zeros_like(array, dtype=template.dtype, shape=template.shape)[()]


def as_pair(who: str, returned: Any, expected: str) -> tuple[Any, Any]:
    """What has to be a pair.

    Raises:
        UsageError: it is none.
    """
    if not isinstance(returned, tuple) or len(returned) != 2:  # pyright: ignore[reportUnknownArgumentType]
        raise UsageError(f"{who} returned {in_words(returned)}; return {expected}, as a tuple of two")
    return returned  # pyright: ignore[reportUnknownVariableType]


def in_words(value: Any) -> str:
    """What was returned, for an error."""
    if isinstance(value, tuple):
        return f"a tuple of {len(value)}"  # pyright: ignore[reportUnknownArgumentType]
    return describe(value) if hasattr(value, "dtype") else f"a {type(value).__name__}"

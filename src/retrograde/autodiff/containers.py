"""Containers of arrays: tuples, lists, dicts and registered classes, nested at will, and single arrays at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from retrograde.errors import UsageError
from retrograde.program.dispatch import Intercepting

_LEAVES = (np.ndarray, Intercepting, float, int, complex, np.generic)
_NAMESPACE = "retrograde"


def is_leaf(value: Any) -> bool:
    """Whether a value is an array or a number, and no container."""
    return isinstance(value, _LEAVES)


def leaves(container: Any) -> list[Any]:
    """The arrays of a container, in order; None is a container of none."""
    if is_leaf(container):
        return [container]
    return _optree().tree_leaves(container, namespace=_NAMESPACE)


def map_leaves(function: Callable[[Any], Any], container: Any) -> Any:
    """The container with the function's results in place of the arrays."""
    if is_leaf(container):
        return function(container)
    return _optree().tree_map(function, container, namespace=_NAMESPACE)


def rebuild(container: Any, values: Sequence[Any]) -> Any:
    """The container with values in place of its arrays, in the order of `leaves`."""
    if is_leaf(container):
        return values[0]
    return _optree().tree_structure(container, namespace=_NAMESPACE).unflatten(values)


def flatten(container: Any) -> tuple[list[Any], Any]:
    """Everything in a container, in order, None and what is no array included; and its structure."""
    return _optree().tree_flatten(container, none_is_leaf=True, namespace=_NAMESPACE)


def labels(container: Any, name: str) -> list[str]:
    """What a person would write for each thing that `flatten` finds in a container of this name."""
    structure = _optree().tree_structure(container, none_is_leaf=True, namespace=_NAMESPACE)
    return [accessor.codify(name) for accessor in structure.accessors()]


def take_apart(container: Any) -> tuple[list[Any], Callable[[Sequence[Any]], Any]]:
    """The arrays of a container, and what makes the container of others in their place, without holding on to these."""
    if is_leaf(container):
        return [container], _only
    found, structure = _optree().tree_flatten(container, namespace=_NAMESPACE)
    return found, structure.unflatten


def _only(values: Sequence[Any]) -> Any:
    return values[0]


def leaves_like(container: Any, other: Any) -> list[Any]:
    """The arrays of a container that has to be built as another one is.

    Raises:
        UsageError: it is not.
    """
    if is_leaf(container) and is_leaf(other):
        return [other]
    optree = _optree()
    wanted = optree.tree_structure(container, namespace=_NAMESPACE)
    found, structure = optree.tree_flatten(other, namespace=_NAMESPACE)
    if structure != wanted:
        raise UsageError(f"a container like {wanted} was needed, and {structure} was given; build them alike")
    return found


def _optree() -> Any:
    import optree

    return optree

"""Containers that are taken apart and put together: tuples, lists, dicts, named tuples, data classes."""

# Values are anything that a user's code has: there is nothing for a type checker to know.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any


def is_group(value: Any) -> bool:
    """Whether a value is a container of others that can be put together from them."""
    kind = type(value)
    if kind in (tuple, list, dict):
        return True
    if isinstance(value, tuple):
        return hasattr(kind, "_fields")
    return is_dataclass(value) and not isinstance(value, type) and not kind.__module__.startswith(_OWN)


_OWN = __name__.rpartition(".")[0]
"""What stands for values while a function is read is none of its containers."""


def items_of(group: Any) -> dict[Any, Any]:
    """What is in a container, by what it is called there."""
    if isinstance(group, dict):
        return group  # pyright: ignore[reportUnknownVariableType]
    if isinstance(group, (tuple, list)):
        return dict(enumerate(group))  # pyright: ignore[reportUnknownArgumentType]
    return {field.name: getattr(group, field.name) for field in fields(group)}


def group_of(kind: type, keys: tuple[Any, ...], parts: list[Any]) -> Any:
    """A container of a kind with parts."""
    if kind is dict:
        return dict(zip(keys, parts, strict=True))
    if issubclass(kind, tuple) and hasattr(kind, "_fields"):
        return kind(*parts)
    if issubclass(kind, (tuple, list)):
        return kind(parts)
    made = object.__new__(kind)
    for key, part in zip(keys, parts, strict=True):
        object.__setattr__(made, key, part)
    return made

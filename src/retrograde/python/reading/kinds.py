"""What values that come out of different regions have in common, so that one variable can hold either."""

# Values are anything that a user's code has: there is nothing for a type checker to know.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np

from retrograde.program.symbol import Symbol
from retrograde.program.types import ArrayType, Extent, type_of
from retrograde.python.reading.frames import Maybe, Unset
from retrograde.python.reading.records import group_of, is_group, items_of
from retrograde.python.reading.values import Array, Number
from retrograde.python.reading.values.numbers import DTYPES, KINDS


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """An array at the end of a region.

    Attributes:
        array: the handle.
        content: what it held: a symbol or an array that is known.
        sharing: the array objects that it may have been as well.
    """

    array: Array
    content: Any
    sharing: frozenset[Any] = frozenset()

    def cells(self) -> list[Any]:
        """The array objects that it may be."""
        return [self.array.cell, *self.sharing]

    def may_be(self, other: Seen) -> bool:
        """Whether two arrays of one way may be the same."""
        one, another = self.array.cell, other.array.cell
        return one is another or one in other.sharing or another in self.sharing


@dataclass(frozen=True, slots=True)
class Fixed:
    """The same value whichever way is taken: it need not be carried."""

    value: Any


@dataclass(frozen=True, slots=True)
class NumberLeaf:
    """A number; `weak` is the type of a number of Python."""

    weak: type | None
    dtype: np.dtype[Any]


@dataclass(frozen=True, slots=True)
class ArrayLeaf:
    """An array."""

    dtype: np.dtype[Any]
    sizes: tuple[Extent, ...]
    contiguous: bool = True


@dataclass(frozen=True, slots=True)
class Group:
    """A tuple, list or dict of values."""

    type: type
    keys: tuple[Any, ...]
    parts: tuple[Kind, ...]


@dataclass(frozen=True, slots=True)
class Missing:
    """No value."""


@dataclass(frozen=True, slots=True)
class Possible:
    """A value on some ways, and none on others: a flag goes with it that says so.

    Attributes:
        kind: of the value.
    """

    kind: Kind


@dataclass(frozen=True, slots=True)
class Apart:
    """Values that one variable cannot hold.

    Attributes:
        reason: why.
    """

    reason: str


Leaf: TypeAlias = NumberLeaf | ArrayLeaf
Kind: TypeAlias = Fixed | NumberLeaf | ArrayLeaf | Group | Missing | Possible | Apart

FLAG = NumberLeaf(bool, DTYPES[bool])
"""Whether a name has a value."""


def same(one: Any, other: Any) -> bool:
    """Whether two values are certainly the same, and the same object if they are arrays."""
    one, other = _handle(one), _handle(other)
    if one is other:
        return True
    if isinstance(one, Number) and isinstance(other, Number):
        return one.symbol.variable is other.symbol.variable and one.kind is other.kind
    if isinstance(one, Array) and isinstance(other, Array):
        return one.cell is other.cell and one.path == other.path
    if type(one) is not type(other):
        return False
    if type(one) is tuple:
        return len(one) == len(other) and all(map(same, one, other))
    return isinstance(one, (bool, int, float, complex, str, bytes, np.generic, range, slice)) and bool(one == other)


def _handle(value: Any) -> Any:
    value = value.value if isinstance(value, Maybe) else value
    return value.array if isinstance(value, Seen) else value


def join(kind: Kind, value: Any) -> Kind:
    """The kind that holds what a kind holds, and a value."""
    if isinstance(kind, Fixed):
        if same(kind.value, value):
            return kind
        kind = general(kind.value)
    if isinstance(kind, Group) and is_group(value):
        items = items_of(value)
        if type(value) is not kind.type or tuple(items) != kind.keys:
            return Apart(f"where it is a {kind.type.__name__} of some items on one way and of others on another")
        parts = (join(part, items[key]) for part, key in zip(kind.parts, kind.keys, strict=True))
        return Group(kind.type, kind.keys, tuple(parts))
    return union(kind, general(value))


def general(value: Any) -> Kind:
    """The kind of a value by itself."""
    if isinstance(value, Unset):
        return Apart(value.reason) if value.reason else Missing()
    if isinstance(value, Maybe):
        return _possible(general(value.value))
    if isinstance(value, Number):
        return NumberLeaf(value.kind, value.dtype)
    if isinstance(value, Seen):
        content = type_of_content(value.content)
        return ArrayLeaf(content.dtype, content.sizes, bool(value.array.contiguous))
    if type(value) in KINDS:
        return NumberLeaf(type(value), DTYPES[type(value)])
    if isinstance(value, np.generic) and value.dtype.kind in "biufc":
        return NumberLeaf(None, value.dtype)
    if is_group(value):
        items = items_of(value)
        return Group(type(value), tuple(items), tuple(map(Fixed, items.values())))
    return Apart(f"where it is {value!r} on one way and something else on another")


def type_of_content(content: Any) -> ArrayType:
    """What is known of an array's elements."""
    found = content.variable.type if isinstance(content, Symbol) else type_of(content)
    assert isinstance(found, ArrayType)
    return found


def union(one: Kind, other: Kind) -> Kind:
    """The kind that holds what either of two kinds holds."""
    if isinstance(one, Apart) or isinstance(other, Apart):
        return one if isinstance(one, Apart) else other
    if isinstance(one, Missing) or isinstance(other, Missing):
        return _possible(other if isinstance(one, Missing) else one)
    if isinstance(one, Possible) or isinstance(other, Possible):
        return _possible(union(certain(one), certain(other)))
    if isinstance(one, NumberLeaf) and isinstance(other, NumberLeaf):
        return _of_numbers(one, other)
    if isinstance(one, ArrayLeaf) and isinstance(other, ArrayLeaf):
        return _of_arrays(one, other)
    if isinstance(one, Group) and isinstance(other, Group) and (one.type, one.keys) == (other.type, other.keys):
        return Group(one.type, one.keys, tuple(map(union, map(_opened, one.parts), map(_opened, other.parts))))
    return Apart(f"where it is {_said(one)} on one way and {_said(other)} on another")


def _opened(kind: Kind) -> Kind:
    return general(kind.value) if isinstance(kind, Fixed) else kind


def _possible(kind: Kind) -> Kind:
    if isinstance(kind, Group):
        return Possible(Group(kind.type, kind.keys, tuple(map(_opened, kind.parts))))
    if isinstance(kind, (NumberLeaf, ArrayLeaf)):
        return Possible(kind)
    return kind if isinstance(kind, (Missing, Possible)) else Apart("where it may have no value")


def certain(kind: Kind) -> Kind:
    """The kind of a value that has one."""
    return kind.kind if isinstance(kind, Possible) else kind


def _said(kind: Kind) -> str:
    kind = certain(kind)
    if isinstance(kind, ArrayLeaf):
        return f"an array of {kind.dtype} with {len(kind.sizes)} axes"
    if isinstance(kind, NumberLeaf):
        return f"a number ({kind.weak.__name__ if kind.weak else kind.dtype})"
    return f"a {kind.type.__name__}" if isinstance(kind, Group) else "something else"


def _of_numbers(one: NumberLeaf, other: NumberLeaf) -> Kind:
    if one.weak is not None and other.weak is not None:
        weak = max(one.weak, other.weak, key=KINDS.index)
        return NumberLeaf(weak, DTYPES[weak])
    strong = [leaf.dtype for leaf in (one, other) if leaf.weak is None]
    dtype = np.result_type(*strong)
    if any(found != dtype and not _widens(found, dtype) for found in strong):
        return Apart(f"where it is a number of {strong[0]} on one way and of {strong[1]} on another")
    weak = one.weak or other.weak
    if weak is not None:
        dtype = np.result_type(dtype, weak(0))
    return NumberLeaf(None, dtype)


def _widens(narrow: np.dtype[Any], wide: np.dtype[Any]) -> bool:
    """Whether numbers of one dtype become those of another without a change of precision."""
    if narrow.kind in "biu":
        return True
    return narrow.kind == "f" and wide.kind == "c" and narrow.itemsize * 2 == wide.itemsize


def _of_arrays(one: ArrayLeaf, other: ArrayLeaf) -> Kind:
    if len(one.sizes) != len(other.sizes):
        return Apart(f"where it is an array of {len(one.sizes)} axes on one way and of {len(other.sizes)} on another")
    dtype = np.result_type(one.dtype, other.dtype)
    if any(leaf.dtype != dtype and not _widens(leaf.dtype, dtype) for leaf in (one, other)):
        return Apart(f"where it is an array of {one.dtype} on one way and of {other.dtype} on another")
    sizes = tuple(mine if mine == theirs else None for mine, theirs in zip(one.sizes, other.sizes, strict=True))
    return ArrayLeaf(dtype, sizes, one.contiguous and other.contiguous)


# From values to what a region hands on, and back.


def leaves_of(kind: Kind, value: Any) -> Iterator[tuple[Leaf, Any]]:
    """The numbers and arrays of a value that have to be handed on."""
    if isinstance(kind, Possible):
        inner = value.value if isinstance(value, Maybe) else value
        yield FLAG, value.flag if isinstance(value, Maybe) else not isinstance(value, Unset)
        yield from leaves_of(kind.kind, inner)
    elif isinstance(kind, Group):
        for part, key in zip(kind.parts, kind.keys, strict=True):
            yield from leaves_of(part, value if isinstance(value, Unset) else items_of(value)[key])
    elif isinstance(kind, (NumberLeaf, ArrayLeaf)):
        yield kind, value


def rebuilt(kind: Kind, make: Callable[[Leaf], Any], loop: Any = None) -> Any:
    """A value of a kind; `make` gives its numbers and arrays, in the order of `leaves_of`."""
    if isinstance(kind, Fixed):
        return unseen(kind.value)
    if isinstance(kind, Apart):
        return Unset(kind.reason, loop)
    if isinstance(kind, Missing):
        return Unset("")
    if isinstance(kind, Possible):
        flag = make(FLAG)
        return Maybe(rebuilt(kind.kind, make, loop), flag)
    if isinstance(kind, Group):
        return group_of(kind.type, kind.keys, [rebuilt(part, make, loop) for part in kind.parts])
    return make(kind)


def unseen(value: Any) -> Any:
    """A value with handles in place of what was seen."""
    return map_arrays(lambda part: part.array if isinstance(part, Seen) else part, value)


def map_arrays(function: Callable[[Any], Any], value: Any) -> Any:
    """A value with the function's results in place of what is in its tuples, lists and dicts."""
    if isinstance(value, Maybe):
        return replace(value, value=map_arrays(function, value.value))
    if is_group(value):
        items = items_of(value)
        return group_of(type(value), tuple(items), [map_arrays(function, part) for part in items.values()])
    return function(value)


def leaf_type(leaf: Leaf) -> ArrayType:
    """The type of the variable that holds a leaf."""
    return ArrayType(leaf.dtype, leaf.sizes if isinstance(leaf, ArrayLeaf) else ())


def content_of(value: Any) -> Any:
    """What a leaf holds: a symbol, a constant, or `Unset`."""
    if isinstance(value, Number):
        return value.symbol
    return value.content if isinstance(value, Seen) else value

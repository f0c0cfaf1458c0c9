"""The inputs of a program that is being read: what arguments and captured values stand for, and what has to hold."""

# Values are anything that a user's code has: there is nothing for a type checker to know.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from keyword import iskeyword
from types import FunctionType, ModuleType
from typing import Any

import numpy as np

from retrograde.errors import UnsupportedError
from retrograde.program.builder import ProgramBuilder
from retrograde.program.dispatch import Intercepting
from retrograde.program.types import Size
from retrograde.python.reading.assumptions import LEAST_SIZE, Assumptions
from retrograde.python.reading.leaves import (
    ArrayKind,
    ConstantKind,
    GeneratorKind,
    Kind,
    Leaf,
    LengthKind,
    NumberKind,
    ObjectKind,
    check_array,
    is_array,
    is_contiguous,
    keys_of,
)
from retrograde.python.reading.values import Array, Cell, Heap, generator
from retrograde.rules.random import WORDS, state_of

Fetch = Callable[[Sequence[Any]], Any]

_LIBRARIES = ("numpy", "scipy", "math", "cmath", "retrograde", "builtins", "itertools", "functools", "operator")


class Inputs:
    """Makes inputs.

    Args:
        builder: makes the program.
        assumptions: what has to be known.
        taken: names that inputs and sizes from around the function must not have.
    """

    def __init__(self, builder: ProgramBuilder, assumptions: Assumptions, taken: frozenset[str]) -> None:
        self.builder = builder
        self.heap = Heap(builder)
        self.assumptions = assumptions
        self.leaves: list[Leaf] = []
        self._captured: list[tuple[str, Any, Any]] = []
        self.numbers: dict[str, Any] = {}
        self.smallest: dict[str, int] = {}
        self.heap.is_at_least = self.is_at_least
        self._taken = set(taken)
        self._known: dict[Any, Any] = {}
        self._origins: dict[int, tuple[str, Fetch, Any]] = {}

    def note_sizes(self, arguments: Sequence[tuple[str, Any]]) -> None:
        """Call the sizes of arrays by the names of the integers among the arguments that are equal to them."""
        for label, value in arguments:
            if type(value) is int and value >= LEAST_SIZE and input_name(label) not in self.assumptions.inputs:
                self.assumptions.names.setdefault(value, input_name(label))

    def argument(self, label: str, value: Any, position: int) -> Any:
        """What a leaf of the arguments stands for."""
        name = input_name(label)
        while any(leaf.input == name for leaf in self.leaves):
            name += "_"
        return self._made(label, name, value, lambda leaves: leaves[position])

    def captured(self, key: Any, label: str, value: Any, fetch: Fetch) -> Any:
        """What a value from around the function stands for: the same thing every time."""
        if key not in self._known:
            self._known[key] = self._wrapped(label, value, fetch)
        return self._known[key]

    def attribute(self, owner: Any, name: str) -> Any:
        """An attribute of an object from outside: a captured value, too."""
        value = getattr(owner, name)
        origin = self._origins.get(id(owner))
        if isinstance(owner, ModuleType):
            if owner.__name__.split(".")[0] in _LIBRARIES:
                return value
            origin = (owner.__name__, lambda leaves: owner, owner)
        if origin is None or callable(value):
            return value
        label, fetch, _ = origin
        return self.captured((id(owner), name), f"{label}.{name}", value, lambda leaves: getattr(fetch(leaves), name))

    def is_at_least(self, size: Size, least: int) -> bool:
        """Whether a size is a number or more: in this call, and in all that the program will be right for."""
        known = {name: value for value, name in self.assumptions.names.items()} | self.numbers
        if known.get(size.name, 0) + size.offset < least:
            return False
        self.smallest[size.name] = max(self.smallest.get(size.name, 0), LEAST_SIZE, least - size.offset)
        return True

    def is_positive(self, count: Any) -> bool:
        """Whether a number of iterations is 1 or more: in this call, and in all that the program will be right for."""
        if isinstance(count, int):
            return count > 0
        extent = count.symbol.variable.extent
        if not isinstance(extent, Size):
            return False
        least = max(LEAST_SIZE, 1 - extent.offset)
        if (self.assumptions.value_of(Size(extent.name), self.numbers) or 0) < least:
            return False
        self.smallest[extent.name] = max(self.smallest.get(extent.name, 0), least)
        return True

    def fix_small(self, smallest: Mapping[str, int]) -> None:
        """Take sizes as they are in this call that are smaller than a program is right for."""
        assumptions = self.assumptions
        assumptions.sizes.update(value for value, name in assumptions.names.items() if value < smallest.get(name, 0))
        assumptions.inputs.update(
            name for name, value in self.numbers.items() if name in smallest and value < smallest[name]
        )

    def refuse_writes(self) -> None:
        """Refuse what was done to arrays and containers from around the function.

        Raises:
            UnsupportedError: one of them was changed.
        """
        for label, held, before in self._captured:
            if not _is_unchanged(held, before):
                raise UnsupportedError(
                    f"{label}, which is from outside of the function, was written; pass it as an argument, or write "
                    "into a copy"
                )

    def refuse_unclear_writes(self) -> None:
        """Refuse what may have been done to arrays from around the function.

        Raises:
            UnsupportedError: one of them was changed, if it is the array that may be the same.
        """
        for label, held, _ in self._captured:
            if isinstance(held, Cell) and held.poison is not None:
                raise UnsupportedError(
                    f"an array was written that may be {label}, which is from outside of the function; write into "
                    "a copy"
                )

    def is_from_outside(self, value: Any) -> bool:
        """Whether an object belongs to the caller."""
        return id(value) in self._origins

    def _wrapped(self, label: str, value: Any, fetch: Fetch) -> Any:
        if isinstance(value, (tuple, list, dict)) and type(value) in (tuple, list, dict):
            self.leaves.append(Leaf(label, LengthKind(type(value), keys_of(value)), fetch))
            parts = {key: self._wrapped(f"{label}[{key!r}]", value[key], _item(fetch, key)) for key in keys_of(value)}
            made = parts if isinstance(value, dict) else type(value)(parts.values())
            self._captured.append((label, made, made if isinstance(made, tuple) else made.copy()))
            return made
        name = input_name(label)
        while name in self._taken:
            name += "_"
        made = self._made(label, name, value, fetch, captured=True)
        if isinstance(made, Array):
            self._captured.append((label, made.cell, made.cell.version))
        return made

    def _made(self, label: str, name: str, value: Any, fetch: Fetch, *, captured: bool = False) -> Any:
        kind = self._kind(label, name, value, captured)
        if isinstance(kind, (ConstantKind, ObjectKind)):
            self.leaves.append(Leaf(label, kind, fetch))
            if isinstance(kind, ObjectKind):
                self._origins[id(value)] = (label, fetch, value)
            return value
        self.leaves.append(Leaf(label, kind, fetch, name))
        self._taken.add(name)
        if isinstance(kind, ArrayKind):
            return self.heap.array(self.builder.input(name, kind.dtype, kind.sizes), contiguous=kind.contiguous)
        if isinstance(kind, GeneratorKind):
            state = self.builder.input(name, np.uint64, (WORDS[kind.bits],))
            return generator(self.heap, state, kind.bits)
        assert isinstance(kind, NumberKind)
        self.numbers[name] = value
        symbol = self.builder.input(name, np.dtype(kind.type), extent=kind.size)
        return self.heap.number(symbol, kind.type if kind.type in (int, float, complex) else None)

    def _kind(self, label: str, name: str, value: Any, captured: bool) -> Kind:
        if isinstance(value, Intercepting) and not getattr(value, "ndim", 1):
            return NumberKind(value.dtype.type)  # pyright: ignore
        if isinstance(value, np.random.Generator):
            state_of(value)
            return GeneratorKind(type(value.bit_generator).__name__)
        if is_array(value):
            array: Any = value
            check_array(array, label)
            return ArrayKind(
                array.dtype,
                tuple(self.assumptions.size_of(extent, self._taken) for extent in array.shape),
                is_contiguous(array),
            )
        if name in self.assumptions.inputs or isinstance(value, (bool, np.bool)):
            return ConstantKind(value)
        if type(value) is int:
            if not -(2**63) <= value < 2**63:
                return ConstantKind(value)
            known = captured or (value >= LEAST_SIZE and self.assumptions.is_fixed(value))
            return ConstantKind(value) if known else NumberKind(int, self._size_of_number(name, value))
        if type(value) in (float, complex) or isinstance(value, np.number):
            return NumberKind(type(value))  # pyright: ignore
        return ConstantKind(value) if _is_constant(value) else ObjectKind(type(value))

    def _size_of_number(self, name: str, value: int) -> Size:
        """The size that an integer is: that of arrays if they have its name, else one of its own."""
        found = self.assumptions.size_of(value, self._taken) if self.assumptions.names.get(value) == name else None
        return found if isinstance(found, Size) else Size(name)


def _item(fetch: Fetch, key: Any) -> Fetch:
    return lambda leaves: fetch(leaves)[key]


def _is_unchanged(held: Any, before: Any) -> bool:
    if isinstance(held, Cell):
        return held.version is before
    if isinstance(held, tuple):
        return True
    return keys_of(held) == keys_of(before) and all(held[key] is before[key] for key in keys_of(held))


def _is_constant(value: Any) -> bool:
    plain = (str, bytes, type(None), type, np.dtype, ModuleType, range, slice, frozenset, type(Ellipsis))
    if isinstance(value, (*plain, FunctionType)):
        return True
    return callable(value) and type(value).__module__.split(".")[0] in _LIBRARIES


def input_name(label: str) -> str:
    """A name for what a person would write as some label: `params['W'][0]` is `params_W_0`."""
    name = re.sub(r"\W+", "_", label).strip("_") or "value"
    return f"{name}_" if iskeyword(name) or name[0].isdigit() else name

"""Loop nests: elementwise work on arrays as loops over scalars, before it becomes text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from retrograde.python.nests.parts.affine import Affine


@dataclass(frozen=True, slots=True)
class Constant:
    """A number."""

    value: Any
    dtype: np.dtype[Any]


@dataclass(frozen=True, slots=True)
class Local:
    """A scalar variable of the text."""

    name: str
    dtype: np.dtype[Any]


@dataclass(frozen=True, slots=True)
class Whole:
    """An integer that is known as a sum of variables."""

    value: Affine
    dtype: np.dtype[Any] = field(default=np.dtype(np.int64))


@dataclass(frozen=True, slots=True)
class Element:
    """An element of an array variable of the text. Its indices are inside the array, and not negative."""

    array: str
    indices: tuple[Affine, ...]
    dtype: np.dtype[Any]


@dataclass(frozen=True, slots=True)
class Spelled:
    """Scalars combined as a template says, in which `{0}` is the first operand.

    Attributes:
        template: Python for Numba.
        operands: what it combines.
        dtype: of the result.
        cost: roughly, in additions.
        twice: whether the template reads an operand more than once: each then is a variable or a number.
    """

    template: str
    operands: tuple[Scalar, ...]
    dtype: np.dtype[Any]
    cost: int = 1
    twice: bool = False


Scalar: TypeAlias = Constant | Local | Whole | Element | Spelled


@dataclass(frozen=True, slots=True)
class Let:
    """`name = value`, for a scalar."""

    name: str
    value: Scalar


@dataclass(frozen=True, slots=True)
class Store:
    """`array[indices] = value`, or combined with what is there: `by` is one of "", "+", "*", "max", "min"."""

    array: str
    indices: tuple[Affine, ...]
    value: Scalar
    dtype: np.dtype[Any]
    by: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """Raise where a condition holds.

    Attributes:
        condition: of scalars.
        error: the expression to raise.
    """

    condition: Scalar
    error: str


Block: TypeAlias = tuple[str, tuple[Affine, ...], tuple[Affine, ...]]
"""An array, extents, and the indices of elements in terms of `#0`, `#1`, … below these extents."""

Step: TypeAlias = Let | Store | Check


@dataclass(eq=False, slots=True)
class Nest:
    """Loops around steps.

    Attributes:
        loops: the index variables, outermost first.
        extents: how often each loop runs.
        steps: what happens for each element.
        free: whether the iterations may run in any order, and together with those of other nests.
        spares: elements of an array that it leaves alone, and no other elements of it: those at indices by `#0`, `#1`,
            …, which run over extents.
    """

    loops: list[str]
    extents: list[Affine]
    steps: list[Step]
    free: bool = True
    spares: Block | None = None


@dataclass(eq=False, slots=True)
class Line:
    """A statement as it is written, and which variables it reads and writes (the elements of arrays included).

    Attributes:
        makes: the array variable that it binds to new memory, if it does nothing else.
        binds: which variables it sets to something new; elements of arrays are not meant.
        python: whether it has to run as Python.
        guards: of a check, the variables that hold an index or a size only where it passes: what reads one of these
            stays behind it.
    """

    text: str
    reads: frozenset[str] = frozenset()
    writes: frozenset[str] = frozenset()
    makes: str | None = None
    binds: frozenset[str] = frozenset()
    python: bool = False
    guards: frozenset[str] = frozenset()


@dataclass(eq=False, slots=True)
class Suite:
    """A header (`for`, `while`, `if`) and what stands under it, and for a branch what stands under its `else`.

    Attributes:
        over: of a loop that takes every integer of a range, in either direction: its variable, the least integer, and
            what all of them are below.
    """

    header: str
    body: list[Part]
    reads: frozenset[str] = frozenset()
    writes: frozenset[str] = frozenset()
    otherwise: list[Part] = field(default_factory=list["Part"])
    spares: Block | None = None
    over: tuple[str, Affine, Affine] | None = None

    @property
    def inner(self) -> list[Part]:
        """What stands under it, on both sides."""
        return [*self.body, *self.otherwise]

    @property
    def loops(self) -> bool:
        """Whether its body may run more than once."""
        return self.header.startswith(("for ", "while "))


Part: TypeAlias = Nest | Line | Suite


def every_part(parts: list[Part]) -> list[Part]:
    """Parts and those inside of suites."""
    found: list[Part] = []
    for part in parts:
        found.append(part)
        if isinstance(part, Suite):
            found += every_part(part.inner)
    return found


def scalars_in(value: Scalar) -> Iterator[Scalar]:
    """A scalar and everything it is made of."""
    yield value
    if isinstance(value, Spelled):
        for operand in value.operands:
            yield from scalars_in(operand)


def elements_in(value: Scalar) -> Iterator[Element]:
    """The array elements that a scalar reads."""
    return (part for part in scalars_in(value) if isinstance(part, Element))


def map_scalar(function: Callable[[Scalar], Scalar], value: Scalar) -> Scalar:
    """A scalar with the function's results in place of its leaves."""
    if isinstance(value, Spelled):
        operands = tuple(map_scalar(function, operand) for operand in value.operands)
        return Spelled(value.template, operands, value.dtype, value.cost, value.twice)
    return function(value)


def put(value: Scalar, values: Mapping[str, Affine]) -> Scalar:
    """A scalar with sums in place of variables of its indices."""

    def leaf(part: Scalar) -> Scalar:
        if isinstance(part, Element):
            return Element(part.array, tuple(index.put(values) for index in part.indices), part.dtype)
        return Whole(part.value.put(values), part.dtype) if isinstance(part, Whole) else part

    return map_scalar(leaf, value)


def value_of(step: Step) -> Scalar:
    """What a step computes."""
    return step.condition if isinstance(step, Check) else step.value


def with_value(step: Step, value: Scalar) -> Step:
    """A step that computes something else."""
    if isinstance(step, Let):
        return Let(step.name, value)
    if isinstance(step, Check):
        return Check(value, step.error)
    return Store(step.array, step.indices, value, step.dtype, step.by)


def names_read(value: Scalar) -> Iterator[str]:
    """The variables of the text that a scalar reads: arrays, scalars, and those of indices."""
    for part in scalars_in(value):
        if isinstance(part, Local):
            yield part.name
        elif isinstance(part, Whole):
            yield from part.value.names
        elif isinstance(part, Element):
            yield part.array
            for index in part.indices:
                yield from index.names


def reads_of(part: Part) -> set[str]:
    """The variables of the text that a part reads, some of which it may have set itself."""
    if isinstance(part, Line):
        return set(part.reads)
    if isinstance(part, Suite):
        return set(part.reads).union(*map(reads_of, part.inner))
    names = {name for extent in part.extents for name in extent.names}
    for step in part.steps:
        names.update(names_read(value_of(step)))
        if isinstance(step, Store):
            names.update(name for index in step.indices for name in index.names)
            names.update([step.array] if step.by else [])
    return names.difference(part.loops)


def writes_of(part: Part) -> set[str]:
    """The variables of the text that a part sets, or of whose arrays it sets elements."""
    if isinstance(part, Line):
        return set(part.writes)
    if isinstance(part, Suite):
        return set(part.writes).union(*map(writes_of, part.inner))
    return {step.array if isinstance(step, Store) else step.name for step in part.steps if not isinstance(step, Check)}

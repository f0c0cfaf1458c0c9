"""A procedure: what a program does, as statements over names, some of which are written in place.

A program gives every value a variable of its own. A procedure is one step from text: it says which values share an
array, where copies are made, which expressions stand inside others, and in what order things happen. Both texts,
readable Python and loop nests, are printed from it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

from retrograde.program.model import Place
from retrograde.program.primitive import Primitive
from retrograde.program.types import ArrayType, Extent, Type


@dataclass(eq=False, slots=True)
class Name:
    """A variable of the text: an array, a number, a stack.

    Attributes:
        text: as it is written; no other name of the procedure is written so.
        type: of its values. Where values of several types share it, the sizes that differ are None.
    """

    text: str
    type: Type


@dataclass(eq=False, slots=True)
class Apply:
    """A primitive with one result applied to expressions.

    Attributes:
        primitive: which.
        operands: expressions, constants, and tuples and slices of them (a shape, an index).
        static: the primitive's Python constants.
        type: of the result.
    """

    primitive: Primitive
    operands: tuple[Expression, ...]
    static: dict[str, Any]
    type: ArrayType


@dataclass(eq=False, slots=True)
class Entry:
    """The value that a stack has for an iteration."""

    stack: Name
    index: Expression
    type: Type


Expression: TypeAlias = Any
"""A name, an application, an entry; or a constant; or a tuple or slice of expressions."""


@dataclass(eq=False, slots=True)
class Bind:
    """`target = value`. The name stands for the value, which may be a view of another name's array.

    Attributes:
        targets: one name; of a primitive with several results as many as it has.
        value: an expression.
    """

    targets: list[Name]
    value: Expression
    place: Place | None = None


@dataclass(eq=False, slots=True)
class Write:
    """`target[index] = value`, or `target[index] += value`: into the array that the name stands for.

    Attributes:
        target: an array.
        index: as of the primitives `update` and `add_at`; Ellipsis for all of it.
        value: an expression; it may read the target, and is evaluated before the write, as NumPy does.
        adding: whether the value is added. Places that an index of integer arrays names several times get every sum.
    """

    target: Name
    index: Expression
    value: Expression
    adding: bool = False
    place: Place | None = None


@dataclass(eq=False, slots=True)
class MakeStack:
    """An empty stack with room for a number of entries; None where the number is not known.

    Attributes:
        stack: a name of a `StackType`.
        count: the number of iterations of the loop that fills it.
        shape: the extents of an entry, where they are known before the loop: the stack can be one array. Of a stack of
            stacks they begin with the inner count.
        slots: the entries are slots, which are filled and let go of in any order.
    """

    stack: Name
    count: Expression | None
    shape: tuple[Expression, ...] | None = None
    place: Place | None = None
    slots: bool = False


@dataclass(eq=False, slots=True)
class Keep:
    """`stack[index] = value`, by copy: the value's array may be written afterwards. None lets go of the entry.

    Attributes:
        stack: a name of a `StackType`.
        index: which entry.
        value: an expression.
        is_own: nobody writes the value's array, and it is no part of another: the entry may be the array itself.
    """

    stack: Name
    index: Expression
    value: Expression
    place: Place | None = None
    is_own: bool = False


@dataclass(eq=False, slots=True)
class For:
    """A loop over `range(start, stop, step)`, or that range reversed.

    Attributes:
        index: what the body calls the number.
        start, stop: as of Python's range.
        step: not 0.
        backward: the numbers come last first.
    """

    index: Name
    start: Expression
    stop: Expression
    step: int
    backward: bool
    body: list[Action]
    place: Place | None = None


@dataclass(eq=False, slots=True)
class ForEach:
    """A loop over what an iterator gives: chunks of a schedule's rows. A `Stop` may end it.

    Attributes:
        item: what the body calls it.
        source: the iterator.
    """

    item: Name
    source: Expression
    body: list[Action]
    place: Place | None = None


@dataclass(eq=False, slots=True)
class Repeat:
    """A loop that a `Stop` ends, or its limit.

    Attributes:
        index: counts the iterations that are complete; behind the loop it has their number.
        limit: the most iterations; None without a limit.
    """

    index: Name
    limit: Expression | None
    body: list[Action]
    place: Place | None = None


@dataclass(eq=False, slots=True)
class Stop:
    """End the `Repeat` around it where a condition is false."""

    unless: Expression
    place: Place | None = None


@dataclass(eq=False, slots=True)
class Raise:
    """Raise an exception where a condition holds.

    Attributes:
        fails: the condition.
        error: the type of the exception, and its arguments.
    """

    fails: Expression
    error: tuple[type[Exception], tuple[Any, ...]]
    place: Place | None = None

    @property
    def text(self) -> str:
        """The exception as Python and Numba spell it."""
        kind, arguments = self.error
        home = "np.linalg." if kind.__module__.startswith("numpy") else ""
        return f"{home}{kind.__name__}({', '.join(map(repr, arguments))})"


@dataclass(eq=False, slots=True)
class If:
    """One of two sequences of actions."""

    condition: Expression
    then: list[Action]
    otherwise: list[Action]
    place: Place | None = None


@dataclass(eq=False, slots=True)
class Forget:
    """`del name`: what it stands for is not needed any more."""

    names: list[Name]


Action: TypeAlias = Bind | Write | MakeStack | Keep | For | ForEach | Repeat | Stop | Raise | If | Forget


@dataclass(eq=False, slots=True)
class Procedure:
    """A function on arrays, one step from text.

    Attributes:
        name: of the function.
        parameters: what it is called with, in order. It never writes into their arrays.
        actions: what it does.
        results: the expressions whose values it returns, as a tuple. No two share an array with each other, or with a
            parameter.
        result_names: what the results are called.
        extents: for each parameter that is a number, the named size that it certainly is, if it is one.
        least_size: what named sizes are at least.
    """

    name: str
    parameters: list[Name]
    actions: list[Action] = field(default_factory=list["Action"])
    results: list[Expression] = field(default_factory=list["Expression"])
    result_names: list[str] = field(default_factory=list[str])
    extents: list[Extent] = field(default_factory=list[Extent])
    least_size: int = 0

"""From procedures to loop nests: each action becomes nests, lines and suites over named arrays and scalars."""

# Operands and static parameters are what primitives make of them: there is nothing for a type checker to know.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false, reportUnknownMemberType=false

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import numpy as np

from retrograde.program.model import Place
from retrograde.program.primitive import Primitive
from retrograde.program.types import ArrayType, Extent, Size
from retrograde.python.lowering.model import Apply, Entry, Expression, Name
from retrograde.python.nests.affine import Affine, Facts, affine, variable
from retrograde.python.nests.demoted import Demoted
from retrograde.python.nests.fields import Field, Indices, Memory, broadcast, memory_field, whole_array
from retrograde.python.nests.model import (
    Check,
    Constant,
    Let,
    Line,
    Local,
    Nest,
    Part,
    Scalar,
    Spelled,
    Step,
    Store,
    Suite,
    Whole,
    names_read,
    reads_of,
)
from retrograde.python.nests.scalars import cast, constant_of, constant_text, dtype_text, has_spelling, spelled

INT64 = np.dtype(np.int64)
_DEAR = 8


class Translator:
    """Expressions as fields, and fields as nests, with the state that they share.

    Args:
        texts: how each name of the procedure is written.
        bindings: how often each name is bound.
        sizes: the variables that hold the named sizes of the parameters.
        least_size: what these are at least.

    Attributes:
        facts: bounds of integer variables.
        out: where parts go.
    """

    def __init__(
        self, texts: dict[Name, str], bindings: Counter[Name], sizes: dict[str, Affine], least_size: int
    ) -> None:
        self.texts = texts
        self.bindings = bindings
        self.sizes = sizes
        self.facts = Facts()
        self.out: list[Part] = []
        self.views: dict[Name, Field] = {}
        self.wholes: dict[Name, Affine] = {}
        self.extents: dict[str, Indices] = {}
        self.constants: dict[str, Any] = {}
        self.aliases: dict[str, str] = {}
        self.stacks: Any = None
        self.checked: frozenset[str] = frozenset()
        self.held: dict[Any, Affine] = {}
        self.written: set[Name] = set()
        self.functions: dict[str, str] = {}
        self.namespace: dict[str, Any] = {}
        self.reasons: list[tuple[Place | None, str]] = []
        self.place: Place | None = None
        self.last_reads: frozenset[str] = frozenset()
        self.unstable = {text for name, text in texts.items() if bindings[name] > 1}
        self.given: set[str] = {name for size in sizes.values() for name in size.names}
        self._taken = set(texts.values())
        self._names = {text: name for name, text in texts.items()}
        self._axes: dict[tuple[str, int], str] = {}
        for size in sizes.values():
            for name in size.names:
                self._taken.add(name)
                self.facts.lower.setdefault(name, affine(least_size))

    # Names.

    def fresh(self, hint: str) -> str:
        """A name that no variable of the text has."""
        name = next(name for name in _numbered(hint) if name not in self._taken)
        self._taken.add(name)
        return name

    def base_of(self, array: str) -> str:
        """One of the names that may share an array with a name: the same for all of them."""
        while array in self.aliases:
            array = self.aliases[array]
        return array

    def alias(self, one: str, other: str) -> None:
        """Take note that two names may stand for the same array."""
        one, other = self.base_of(one), self.base_of(other)
        if one != other:
            self.aliases[one] = other

    def extent(self, size: Extent) -> Affine | None:
        """A size that is known before the run, or held by a variable."""
        if isinstance(size, Size):
            base = self.sizes.get(size.name)
            return None if base is None else base + size.offset
        return None if size is None else affine(size)

    def extents_of(self, name: Name) -> Indices:
        """How long the axes of a name's array are."""
        text = self.texts[name]
        if text in self.extents:
            return self.extents[text]
        assert isinstance(name.type, ArrayType)
        found: list[Affine] = []
        for axis, size in enumerate(name.type.sizes):
            known = self.extent(size)
            found.append(self._axis(text, axis) if known is None else known)
        if self.bindings[name] <= 1 and all(map(self._lasting, found)):
            self.extents[text] = tuple(found)
        return tuple(found)

    def _lasting(self, extent: Affine) -> bool:
        return all(any(name in size.names for size in self.sizes.values()) for name in extent.names)

    def _axis(self, array: str, axis: int) -> Affine:
        name = self.fresh(f"{array}_{axis}")
        self.line(f"{name} = {array}.shape[{axis}]", reads={array}, writes={name})
        self.facts.lower[name] = affine(0)
        return variable(name)

    # Parts.

    def line(self, text: str, reads: Any = (), writes: Any = (), makes: str | None = None) -> None:
        """Put a statement: `name = …` binds the name, everything else that it writes are elements."""
        writes = frozenset({writes} if isinstance(writes, str) else writes)
        reads = frozenset({reads} if isinstance(reads, str) else reads)
        binds = {name for name in writes if text.startswith((f"{name} = ", f"{name} += "))}
        self.out.append(Line(text, reads, writes, makes, frozenset(binds)))

    def nest(self, extents: Indices, steps: list[Step], loops: list[str], free: bool = True) -> None:
        """Put loops around steps."""
        self.out.append(Nest(loops, list(extents), steps, free))

    def loops(self, rank: int) -> list[str]:
        """New index variables."""
        return [self.fresh(f"k{axis}") for axis in range(rank)]

    @contextmanager
    def inside(self, header: str, reads: Any = (), writes: Any = ()) -> Generator[Suite]:
        """A context in which parts go under a header."""
        suite = Suite(header, [], frozenset(reads), frozenset(writes))
        self.out.append(suite)
        with self.into(suite.body):
            yield suite

    @contextmanager
    def into(self, parts: list[Part]) -> Generator[None]:
        """A context in which parts go to the end of others."""
        around, self.out = self.out, parts
        checked, held = self.checked, dict(self.held)
        try:
            yield
        finally:
            self.out = around
            self.checked, self.held = checked, held

    def let(self, value: Scalar, hint: str = "s") -> Scalar:
        """A scalar in a variable."""
        if isinstance(value, (Constant, Local, Whole)):
            return value
        name = self.fresh(hint)
        self.out.append(Nest([], [], [Let(name, value)]))
        return Local(name, value.dtype)

    def allocate(self, extents: Indices, dtype: np.dtype[Any], name: str | None = None, hint: str = "t") -> Field:
        """A new array without content."""
        text = name or self.fresh(hint)
        extents = tuple(map(self.lasting, extents))
        self.extents[text] = extents
        shape = ", ".join(self.size_text(extent) for extent in extents)
        reads = {each for extent in extents for each in extent.names}
        self.line(
            f"{text} = np.empty(({shape}{',' if len(extents) == 1 else ''}), {dtype_text(dtype)})",
            reads,
            {text},
            makes=text,
        )
        return whole_array(text, extents, dtype)

    def is_given(self, value: Affine) -> bool:
        """Whether it depends on the parameters and their sizes alone."""
        return all(name in self.given for name in value.names)

    def is_unstable(self, value: Affine) -> bool:
        """Whether it depends on a variable that is bound at several places."""
        return any(name in self.unstable for name in value.names)

    def lasting(self, value: Affine) -> Affine:
        """A sum of variables as it is now: those that may change are copied."""
        copies: dict[str, Affine] = {}
        for name in value.names:
            if name in self.unstable:
                copy = self.fresh(name)
                self.line(f"{copy} = {name}", {name}, {copy})
                copies[name] = variable(copy)
                for bounds in (self.facts.lower, self.facts.upper):
                    if name in bounds:
                        bounds[copy] = bounds[name]
        return value.put(copies)

    def lasting_view(self, field: Field) -> Field:
        """A view of what an array's name stands for now."""
        memory = field.memory
        assert memory is not None
        array = memory.array
        if array in self.unstable:
            copy = self.fresh(array)
            self.line(f"{copy} = {array}", {array}, {copy})
            self.alias(copy, array)
            if array in self.extents:
                self.extents[copy] = self.extents[array]
            array = copy
        indices = tuple(map(self.lasting, memory.indices))
        moved = Memory(array, indices, memory.whole)
        return memory_field(moved, tuple(map(self.lasting, field.extents)), field.dtype)

    def size_text(self, extent: Affine) -> str:
        """An extent for an allocation: never negative."""
        return str(extent) if self.facts.never_negative(extent) else f"max({extent}, 0)"

    def fill(self, target: Field, value: Field, by: str = "", free: bool = True) -> None:
        """A nest that puts a value, which has to fit, into memory."""
        assert target.memory is not None
        loops = self.loops(target.rank)
        indices = tuple(map(variable, loops))
        element = cast(value.at(indices), target.dtype)
        store = Store(target.memory.array, target.memory.at(indices), element, target.dtype, by)
        self.nest(target.extents, [store], loops, free)

    def materialized(self, field: Field, name: str | None = None, hint: str = "t") -> Field:
        """A field in memory of its own; of a number a variable."""
        if not field.rank:
            scalar = self.let(field.at(()))
            return Field((), field.dtype, lambda _: scalar, weak=field.weak)
        made = self.allocate(field.extents, field.dtype, name, hint)
        self.fill(made, field)
        return made

    def in_memory(self, field: Field) -> Field:
        """A field as memory: as it is, or computed into an array."""
        return field if field.memory is not None else self.materialized(field)

    def cheap(self, field: Field) -> Field:
        """A field of which elements may be asked for more than once."""
        return field if field.cost <= 0 else self.materialized(field)

    def as_array_variable(self, field: Field) -> str:
        """A field as a variable that holds a whole C-contiguous array."""
        memory = field.memory
        if memory is not None and self.is_whole(field):
            return memory.array
        made = self.materialized(field)
        assert made.memory is not None
        return made.memory.array

    def is_whole(self, field: Field) -> bool:
        """Whether a field is all of what an array variable holds, as it lies there."""
        memory = field.memory
        if memory is not None and memory.whole:
            return True
        if memory is None or memory.indices != tuple(variable(f"#{axis}") for axis in range(field.rank)):
            return False
        return self._known_extents(memory.array) == field.extents

    def _known_extents(self, array: str) -> Indices | None:
        """How long the axes of an array variable are, as far as that is known without asking the run."""
        if array in self.extents:
            return self.extents[array]
        name = self._names.get(array)
        if name is None or not isinstance(name.type, ArrayType):
            return None
        found = tuple(extent for size in name.type.sizes if (extent := self.extent(size)) is not None)
        return found if len(found) == name.type.rank else None

    # Expressions.

    def field(self, expression: Expression) -> Field:
        """An expression as a function of indices.

        Raises:
            Demoted: it has no form for Numba.
        """
        if isinstance(expression, Name):
            return self._of_name(expression)
        if isinstance(expression, Apply):
            return self._of_application(expression)
        if isinstance(expression, Entry):
            from retrograde.python.nests.stacks import entry_field

            return entry_field(self, expression)
        return self._of_constant(expression)

    def _of_name(self, name: Name) -> Field:
        if name in self.views:
            return self.views[name]
        if not isinstance(name.type, ArrayType):
            raise Demoted("a stack is used as an array")
        dtype = name.type.dtype
        if not name.type.rank:
            value = self.wholes.get(name)
            scalar: Scalar = Whole(value) if value is not None else Local(self.texts[name], dtype)
            return Field((), dtype, lambda _: scalar)
        return whole_array(self.texts[name], self.extents_of(name), dtype)

    def _of_constant(self, value: Any) -> Field:
        if np.ndim(value):
            array = np.ascontiguousarray(value)
            name = self.fresh("constant")
            self.constants[name] = array
            extents = tuple(map(affine, array.shape))
            self.extents[name] = extents
            return whole_array(name, extents, array.dtype)
        scalar, weak = constant_of(value)
        if weak and isinstance(value, int):
            return Field((), scalar.dtype, lambda _: scalar, weak=True)
        return Field((), scalar.dtype, lambda _: scalar, weak=weak)

    def _of_application(self, expression: Apply) -> Field:
        from retrograde.python.nests.handlers import HANDLERS

        handler = HANDLERS.get(expression.primitive.name)
        before = len(self.out)
        try:
            if handler is not None:
                return handler(self, expression)
            if has_spelling(expression.primitive):
                return self.elementwise(expression)
            raise Demoted(f"{expression.primitive.name} has no form for Numba")
        except Demoted as reason:
            del self.out[before:]
            return self.as_python(expression, str(reason))

    def as_python(self, expression: Apply, reason: str) -> Field:
        """An operation that runs as Python, on operands that are there as arrays and numbers."""
        kind = expression.type
        name = self.fresh("r")
        self.python_line(name, expression.primitive, expression.operands, expression.static, reason)
        if not kind.rank:
            self.python_text(f"{name} = {dtype_text(kind.dtype)}({name})", {name}, {name})
            local = Local(name, kind.dtype)
            return Field((), kind.dtype, lambda _: local)
        return whole_array(name, self.axes_after(name, kind), kind.dtype)

    def python_line(
        self, target: str, primitive: Primitive, operands: Any, static: dict[str, Any], reason: str, several: Any = ()
    ) -> None:
        """Put a call of a primitive that runs as Python."""
        texts, reads = self.call_operands(operands)
        function = self.fresh(primitive.name) if primitive.name not in self.functions else primitive.name
        self._taken.add(function)
        function = self.functions.setdefault(primitive.name, function)
        self.namespace[function] = primitive
        options = [f"{key}={self._option(value)}" for key, value in static.items()]
        text = f"{function}.evaluate({', '.join([*texts, *options])})"
        binds = frozenset(several or (target,))
        text = f"{', '.join(several)} = {text}" if several else f"{target} = {text}"
        self.reasons.append((self.place, reason))
        self.out.append(Line(text, frozenset(reads), binds, None, binds, python=True))

    def python_text(self, text: str, reads: Any, binds: Any) -> None:
        """Put a statement that runs as Python."""
        self.out.append(Line(text, frozenset(reads), frozenset(binds), None, frozenset(binds), python=True))

    def axes_after(self, name: str, kind: ArrayType) -> Indices:
        """Make the result of a call contiguous, and take note how long its axes are."""
        self.python_text(f"{name} = np.ascontiguousarray({name})", {name}, {name})
        found: list[Affine] = []
        for axis, size in enumerate(kind.sizes):
            known = self.extent(size)
            found.append(self._axis(name, axis) if known is None else known)
        self.extents[name] = tuple(found)
        return tuple(found)

    def _option(self, value: Any) -> str:
        if value is None or isinstance(value, (bool, int, str)):
            return repr(value)
        if isinstance(value, tuple) and all(isinstance(part, (int, bool, str)) for part in value):  # pyright: ignore[reportUnknownVariableType]
            return repr(value)  # pyright: ignore[reportUnknownArgumentType]
        name = self.fresh("option")
        self.namespace[name] = value
        return name

    def call_operands(self, operands: Any) -> tuple[list[str], set[str]]:
        """Operands as variables and numbers: what is computed is computed before."""
        texts: list[str] = []
        reads: set[str] = set()
        for operand in operands:
            text, names = self._operand_text(operand)
            texts.append(text)
            reads |= names
        return texts, reads

    def _operand_text(self, operand: Any) -> tuple[str, set[str]]:
        if isinstance(operand, tuple):
            texts, reads = self.call_operands(operand)
            return f"({', '.join(texts)}{',' if len(texts) == 1 else ''})", reads
        if isinstance(operand, slice):
            texts, reads = self.call_operands((operand.start, operand.stop, operand.step))
            return f"slice({', '.join(texts)})", reads
        if operand is None or operand is Ellipsis or isinstance(operand, (bool, int)):
            return repr(operand) if operand is not Ellipsis else "...", set()
        if isinstance(operand, (float, complex)) and not isinstance(operand, np.generic):
            return f"({constant_text(operand, np.asarray(operand).dtype)})", set()
        field = self.field(operand)
        if field.rank:
            name = self.as_array_variable(field)
            return name, {name}
        return self._number_text(field)

    def _number_text(self, field: Field) -> tuple[str, set[str]]:
        value = self.let(field.at(()))
        if isinstance(value, Whole):
            return f"np.int64({value.value})", set(value.value.names)
        if isinstance(value, Constant):
            name = self.fresh("number")
            self.namespace[name] = np.asarray(value.value, value.dtype)[()]
            return name, set()
        assert isinstance(value, Local)
        return f"{dtype_text(value.dtype)}({value.name})", {value.name}

    def elementwise(self, expression: Apply) -> Field:
        """A primitive that is computed element by element."""
        number = self.whole_of(expression) if not expression.type.rank else None
        if number is not None and expression.type.dtype == INT64:
            known = number
            return Field((), INT64, lambda _: Whole(known))
        fields = [self.field(operand) for operand in expression.operands]
        extents = self.together(*(field.extents for field in fields))
        wide = [broadcast(self._worth_keeping(field, extents), extents) for field in fields]
        weak = [field.weak for field in fields]

        def at(indices: Indices) -> Scalar:
            operands = [field.at(indices) for field in wide]
            return spelled(expression.primitive, operands, weak, expression.static)

        probe = at(tuple(variable("#probe") for _ in extents))
        if probe.dtype != expression.type.dtype:
            raise Demoted(f"{expression.primitive.name} gives {probe.dtype} where {expression.type.dtype} is expected")
        own = probe.cost if isinstance(probe, Spelled) else 0
        return Field(extents, probe.dtype, at, cost=own + sum(field.cost for field in fields))

    def _worth_keeping(self, field: Field, extents: Indices) -> Field:
        """What is dear and would be computed again along an axis that it does not have goes into memory."""
        lead = extents[: len(extents) - field.rank]
        repeated = any(extent != affine(1) for extent in lead) or any(
            own == affine(1) != wide for own, wide in zip(field.extents, extents[len(lead) :], strict=True)
        )
        if not repeated or field.cost <= 1:
            return field
        if field.rank:
            return self.materialized(field)
        value = self.let(field.at(()))
        return Field((), field.dtype, lambda _: value, weak=field.weak)

    def together(self, *shapes: Indices) -> Indices:
        """The extents of operands broadcast together; where only the run knows whether they fit, it checks."""
        rank = max(map(len, shapes))
        result: list[Affine] = []
        for axis in range(rank):
            found = [shape[axis - rank + len(shape)] for shape in shapes if axis - rank + len(shape) >= 0]
            wide = list(dict.fromkeys(extent for extent in found if extent != affine(1)))
            result.append(wide[0] if wide else affine(1))
            for other in wide[1:]:
                self.same(wide[0], other)
        return tuple(result)

    def same(self, one: Affine, other: Affine) -> None:
        """Have the run check that two extents are equal, unless they certainly are."""
        difference = one - other
        if difference == affine(0) or (
            self.facts.never_negative(difference) and self.facts.never_negative(difference.times(-1))
        ):
            return
        first, second = sorted((str(one), str(other)))
        self.check(f"{first} != {second}", (one, other), "ValueError", "sizes that have to be equal are not")

    def check(self, condition: str, involved: Indices, kind: str, message: str) -> None:
        """Have the run raise where a condition holds."""
        names = {name for value in involved for name in value.names}
        text = f"if {condition}: raise {kind}({message!r})"
        if text in self.checked:
            return
        if not names & self.unstable:
            self.checked = self.checked | {text}
        self.line(text, names)

    def whole_of(self, expression: Expression) -> Affine | None:
        """An integer expression as a sum of variables that keep their values, if it is one."""
        if isinstance(expression, (int, np.integer)) and not isinstance(expression, (bool, np.bool)):
            return affine(int(expression))
        if isinstance(expression, Name):
            return self._whole_name(expression)
        if not isinstance(expression, Apply) or expression.type.rank:
            return None
        name = expression.primitive.name
        if name == "size":
            return self._size(expression)
        if name not in ("add", "subtract", "multiply", "negative", "positive"):
            return None
        parts = [self.whole_of(operand) for operand in expression.operands]
        if any(part is None for part in parts):
            return None
        return _combined(name, [part for part in parts if part is not None])

    def _whole_name(self, name: Name) -> Affine | None:
        if name in self.wholes:
            return self.wholes[name]
        kind = name.type
        if isinstance(kind, ArrayType) and not kind.rank and kind.dtype == INT64:
            return variable(self.texts[name])
        return None

    def _size(self, expression: Apply) -> Affine:
        axis, offset = expression.static["axis"], expression.static["offset"]
        return self.field(expression.operands[0]).extents[axis] + offset

    def index(self, expression: Expression) -> Affine:
        """An integer expression as a sum of variables, one of them set for it if need be.

        Raises:
            Demoted: it is not an integer.
        """
        known = self.whole_of(expression)
        if known is not None:
            return known
        field = self.field(expression)
        if field.rank or field.dtype.kind not in "iu":
            raise Demoted("an index is not an integer")
        return self.index_of(field.at(()))

    def index_of(self, scalar: Scalar) -> Affine:
        """An integer scalar as a sum of variables."""
        if isinstance(scalar, Whole):
            return scalar.value
        if isinstance(scalar, Constant):
            return affine(int(scalar.value))
        if scalar in self.held:
            return self.held[scalar]
        value = self.let(cast(scalar, INT64), "p")
        assert isinstance(value, Local)
        found = variable(value.name)
        if scalar.dtype.kind == "u":
            self.facts.lower[value.name] = affine(0)
        if isinstance(scalar, Local) and scalar.name not in self.unstable:
            self.held[scalar] = found
        return found

    def named(self, text: str, involved: Indices) -> Affine:
        """An expression of integers that is not negative, in a variable: the same one for the same expression."""
        if text in self.held:
            return self.held[text]
        names = {each for value in involved for each in value.names}
        name = self.fresh("p")
        self.line(f"{name} = {text}", names, {name})
        self.facts.lower[name] = affine(0)
        found = variable(name)
        if not names & self.unstable:
            self.held[text] = found
        return found


def _combined(name: str, parts: list[Affine]) -> Affine | None:
    if name == "add":
        return parts[0] + parts[1]
    if name == "subtract":
        return parts[0] - parts[1]
    if name == "negative":
        return parts[0].times(-1)
    if name == "positive":
        return parts[0]
    constants = [part for part in parts if part.is_constant]
    if not constants:
        return None
    other = parts[1] if constants[0] is parts[0] else parts[0]
    return other.times(constants[0].constant)


def _numbered(hint: str) -> Iterator[str]:
    yield hint
    for number in count(2):
        yield f"{hint}_{number}"


__all__ = ["INT64", "Check", "Translator", "names_read", "reads_of"]

"""From procedures to loop nests: each action becomes nests, lines and suites over named arrays and scalars."""

# Operands and static parameters are what primitives make of them: there is nothing for a type checker to know.
# pyright: reportUnknownArgumentType=false, reportUnknownVariableType=false, reportUnknownMemberType=false

from __future__ import annotations

from typing import Any

import numpy as np

from retrograde.program.primitive import Primitive
from retrograde.program.types import ArrayType
from retrograde.python.lowering.model import Apply, Entry, Expression, Name
from retrograde.python.nests.demoted import Demoted
from retrograde.python.nests.elements.scalars import cast, constant_of, constant_text, dtype_text, has_spelling, spelled
from retrograde.python.nests.parts.affine import Affine, affine, variable
from retrograde.python.nests.parts.fields import Field, Indices, broadcast, whole_array
from retrograde.python.nests.parts.model import Constant, Line, Local, Scalar, Spelled, Whole
from retrograde.python.nests.translating.memory import MemoryEmitter

INT64 = np.dtype(np.int64)


class Translator(MemoryEmitter):
    """Expressions as fields, and fields as nests."""

    # Fields.

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
            from retrograde.python.nests.stacks.arrays import entry_field

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
        from retrograde.python.nests.translating.handlers import HANDLERS

        handler = HANDLERS.get(expression.primitive.name)
        before = self.reached()
        try:
            if handler is not None:
                return handler(self, expression)
            if has_spelling(expression.primitive):
                return self.elementwise(expression)
            raise Demoted(f"{expression.primitive.name} has no form for Numba")
        except Demoted as reason:
            self.back_to(before)
            return self.as_python(expression, str(reason))

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

    # Integers.

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

    # What runs as Python.

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
        return self.number_text(field)

    def number_text(self, field: Field) -> tuple[str, set[str]]:
        """A number as text for a call that runs as Python, and the variables that it reads."""
        value = self.let(field.at(()))
        if isinstance(value, Whole):
            return f"np.int64({value.value})", set(value.value.names)
        if isinstance(value, Constant):
            name = self.fresh("number")
            self.namespace[name] = np.asarray(value.value, value.dtype)[()]
            return name, set()
        assert isinstance(value, Local)
        return f"{dtype_text(value.dtype)}({value.name})", {value.name}


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

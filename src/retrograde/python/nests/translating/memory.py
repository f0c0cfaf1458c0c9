"""Fields in memory: arrays that are made, filled, and found to be what a variable holds already."""

from __future__ import annotations

from typing import Any

import numpy as np

from retrograde.program.types import ArrayType
from retrograde.python.lowering.model import Name
from retrograde.python.nests.elements.scalars import cast, dtype_text
from retrograde.python.nests.parts.affine import Affine, affine, variable
from retrograde.python.nests.parts.fields import Field, Indices, Memory, memory_field, whole_array
from retrograde.python.nests.parts.model import Store
from retrograde.python.nests.translating.emitting import Emitter


class MemoryEmitter(Emitter):
    """Parts that put fields into memory and find them there."""

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

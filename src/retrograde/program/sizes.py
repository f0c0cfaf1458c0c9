"""The sizes of arrays as operands of a program under construction."""

from __future__ import annotations

from collections.abc import Callable, KeysView
from typing import TYPE_CHECKING, Any

from retrograde.errors import UsageError
from retrograde.program.model import Block, Variable
from retrograde.program.primitive import PRIMITIVES
from retrograde.program.symbol import Symbol
from retrograde.program.types import ArrayType, Extent, Size

if TYPE_CHECKING:
    from retrograde.program.builder import ProgramBuilder


class Sizes:
    """Makes each size that a program asks for once, in the block where it is asked for first.

    Args:
        builder: of the program.
        root: the program's block: sizes that have a name are made there.
    """

    def __init__(self, builder: ProgramBuilder, root: Block) -> None:
        self._builder = builder
        self._root = root
        self._made: dict[tuple[Any, ...], tuple[Block, Variable]] = {}
        self._inputs: dict[str, tuple[Variable, int | None, int]] = {}

    @property
    def names(self) -> KeysView[str]:
        """The names of sizes that inputs have."""
        return self._inputs.keys()

    def note(self, variable: Variable) -> None:
        """An input: its sizes, or itself if it is one, can be had by their names."""
        for axis, size in enumerate(variable.type.sizes if isinstance(variable.type, ArrayType) else ()):
            if isinstance(size, Size):
                self._inputs.setdefault(size.name, (variable, axis, size.offset))
        if isinstance(variable.extent, Size):
            self._inputs.setdefault(variable.extent.name, (variable, None, variable.extent.offset))

    def checkpoint(self) -> Callable[[], None]:
        """What forgets the sizes that are made from now on."""
        made = dict(self._made)

        def back() -> None:
            self._made = dict(made)

        return back

    def shape_of(self, variable: Variable) -> tuple[Any, ...]:
        """A variable's shape, for an operand: ints, and symbols of sizes that only the run knows."""
        if not isinstance(variable.type, ArrayType):
            raise UsageError(f"the shape of {variable!r} was asked for; a stack has none")
        return tuple(self._extent(variable, axis, size) for axis, size in enumerate(variable.type.sizes))

    def named(self, extent: Extent) -> Any:
        """A size as an operand, if it can be had without an array of that size; else None."""
        if isinstance(extent, int):
            return extent
        if isinstance(extent, Size) and extent.name in self._inputs:
            variable, axis, offset = self._inputs[extent.name]
            return self._size(self._root, variable, axis, extent.offset - offset, extent)
        return None

    def is_named(self, extent: Extent) -> bool:
        """Whether a size can be had without an array of that size."""
        return isinstance(extent, int) or (isinstance(extent, Size) and extent.name in self._inputs)

    def _extent(self, variable: Variable, axis: int, size: Extent) -> Any:
        named = self.named(size)
        return self._size(self._builder.open_block, variable, axis, 0, size) if named is None else named

    def _size(self, block: Block, variable: Variable, axis: int | None, offset: int, extent: Extent) -> Symbol:
        builder = self._builder
        if axis is None and not offset:
            return Symbol(builder, variable)
        key = (variable, axis, offset)
        found = self._made.get(key)
        if found is None or not builder.is_open(found[0]):
            with builder.inside(block):
                number = Symbol(builder, variable)
                result = (
                    builder.emit(PRIMITIVES["add"], (number, offset), {})
                    if axis is None
                    else builder.emit(PRIMITIVES["size"], (number,), {"axis": axis, "offset": offset})
                )
            result.variable.extent = extent
            found = self._made[key] = (block, result.variable)
        return Symbol(builder, found[1])

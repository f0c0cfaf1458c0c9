"""What a number of the program was computed from: which of it has to be fixed so that the number is known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from retrograde.program.builder import Symbol
from retrograde.program.model import Instruction, Variable, variables_in
from retrograde.program.types import ArrayType, Size

if TYPE_CHECKING:
    from retrograde.python.reading.reader import Reader


def fix(reader: Reader, symbol: Any) -> bool:
    """Note what has to be fixed for a number to be known: numbers among the inputs, sizes, loops to unroll.

    Returns:
        Whether that is possible: it depends on no data, and something was not fixed before.
    """
    if not isinstance(symbol, Symbol):
        return False
    assumptions = reader.assumptions
    before = assumptions.state()
    todo, seen = [symbol.variable], {symbol.variable}
    while todo:
        variable = todo.pop()
        found = _fixed(reader, variable)
        if found is None:
            return False
        todo += [other for other in found if other not in seen]
        seen.update(found)
    return assumptions.state() != before


def _fixed(reader: Reader, variable: Variable) -> list[Variable] | None:
    """The variables that one was computed from, those that can be fixed left out; None if it is data."""
    assumptions, builder = reader.assumptions, reader.builder
    if variable.name in reader.inputs.numbers:
        assumptions.inputs.add(variable.name)
        return [] if variable.type.dtype.kind in "iu" else None  # pyright: ignore
    if variable in reader.indices:
        assumptions.unrolled.add(reader.indices[variable])
        return []
    if isinstance(variable.extent, Size) and _fix_size(reader, variable.extent.name):
        return []
    made = builder.instruction_of(Symbol(builder, variable))
    if not isinstance(made, Instruction) or made.primitive.name == "getitem":
        return None
    read = list(variables_in(made.operands))
    if made.primitive.name != "size":
        return read
    kind = read[0].type
    return [] if isinstance(kind, ArrayType) and _fix_size_of(reader, kind, made.static["axis"]) else None


def _fix_size_of(reader: Reader, kind: ArrayType, axis: int) -> bool:
    size = kind.sizes[axis]
    return isinstance(size, Size) and _fix_size(reader, size.name)


def _fix_size(reader: Reader, name: str) -> bool:
    """Take a size as it is in this call."""
    assumptions = reader.assumptions
    found = [value for value, called in assumptions.names.items() if called == name]
    assumptions.sizes.update(found)
    if name in reader.inputs.numbers:
        assumptions.inputs.add(name)
        return True
    return bool(found)

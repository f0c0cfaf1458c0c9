"""What a number of the program was computed from: which of it has to be fixed so that the number is known."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from retrograde.program.model import Variable, variables_in
from retrograde.program.symbol import Symbol
from retrograde.program.types import ArrayType, Extent, Size

if TYPE_CHECKING:
    from retrograde.python.reading.assumptions import Assumptions
    from retrograde.python.reading.reader import Reader


@dataclass(eq=False, slots=True)
class Origins:
    """What has to be fixed.

    Attributes:
        inputs: numbers among the inputs, by name.
        sizes: sizes, by name.
        loops: loops whose body has to be read once for each iteration.
        data: whether the number depends on data, so that it cannot be known.
    """

    inputs: set[str] = field(default_factory=set[str])
    sizes: set[str] = field(default_factory=set[str])
    loops: set[Any] = field(default_factory=set[Any])
    data: bool = False

    def helps(self, assumptions: Assumptions) -> bool:
        """Whether it can be fixed, and something of it was not before."""
        sizes = self._extents(assumptions)
        news = self.inputs - assumptions.inputs or self.loops - assumptions.unrolled or sizes - assumptions.sizes
        return bool(news) and not self.data

    def fix(self, assumptions: Assumptions) -> None:
        """Take note of it."""
        assumptions.inputs |= self.inputs
        assumptions.unrolled |= self.loops
        extents = self._extents(assumptions)
        # Where several sizes have to be known one after the other, all are.
        again = bool(extents - assumptions.sizes) and bool(assumptions.sizes)
        assumptions.sizes |= set(assumptions.names) if again else extents

    def _extents(self, assumptions: Assumptions) -> set[int]:
        return {value for value, name in assumptions.names.items() if name in self.sizes}


def origins_of(reader: Reader, symbol: Any) -> Origins:
    """What a number was computed from; to be called where it was, while blocks are open."""
    found = _Search(reader)
    found.number(symbol.variable if isinstance(symbol, Symbol) else None)
    return found.origins


class _Search:
    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._seen: set[tuple[Variable, bool]] = set()
        self._instructions = reader.builder.instructions()
        self.origins = Origins()

    def number(self, variable: Variable | None) -> None:
        """Go back from a number to where it comes from."""
        if variable is None:
            self.origins.data = True
        elif (variable, True) not in self._seen:
            self._seen.add((variable, True))
            self._number(variable)

    def _number(self, variable: Variable) -> None:
        kind = variable.type
        known = self._reader.inputs.numbers
        if not isinstance(kind, ArrayType) or kind.rank:
            self.origins.data = True
        elif variable.name in known:
            self.origins.inputs.add(variable.name)
        elif variable in self._reader.indices:
            self.origins.loops.add(self._reader.indices[variable])
        elif isinstance(variable.extent, Size):
            self._size(variable.extent)
        else:
            self._made(variable)

    def _made(self, variable: Variable) -> None:
        made = self._instructions.get(variable)
        if made is None or made.primitive.name == "getitem":
            self.origins.data = True
        elif made.primitive.name == "size":
            (array,) = variables_in(made.operands)
            axis: int = made.static["axis"]
            size = _sizes_of(array)[axis]
            if isinstance(size, Size):
                self._size(size)
            else:
                self.array(array)
        else:
            for operand in variables_in(made.operands):
                self.number(operand)

    def array(self, variable: Variable) -> None:
        """Go back from an array to the sizes that its sizes may come from."""
        if (variable, False) in self._seen:
            return
        self._seen.add((variable, False))
        sizes = _sizes_of(variable)
        for size in sizes:
            if isinstance(size, Size):
                self._size(size)
        made = self._instructions.get(variable)
        if variable in self._reader.indices and None in sizes:
            self.origins.loops.add(self._reader.indices[variable])
        elif made is not None and None in sizes:
            for operand in variables_in(made.operands):
                is_number = isinstance(operand.type, ArrayType) and not operand.type.rank
                (self._integer if is_number else self.array)(operand)

    def _integer(self, variable: Variable) -> None:
        """A number beside arrays: an integer may be a bound of an index or an axis of a shape."""
        if isinstance(variable.type, ArrayType) and variable.type.dtype.kind in "iu":
            self.number(variable)

    def _size(self, size: Size) -> None:
        """A size, which an integer among the inputs may be as well."""
        self.origins.sizes.add(size.name)
        if size.name in self._reader.inputs.numbers:
            self.origins.inputs.add(size.name)


def _sizes_of(variable: Variable) -> tuple[Extent, ...]:
    return variable.type.sizes if isinstance(variable.type, ArrayType) else ()

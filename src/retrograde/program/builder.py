"""Building programs: NumPy code runs on symbols, and each operation becomes an instruction."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from copy import copy
from itertools import chain, count
from keyword import iskeyword
from typing import Any

import numpy as np

from retrograde.errors import UsageError
from retrograde.program.check import check
from retrograde.program.kinds import as_tuple
from retrograde.program.known import known_of, moved_extent
from retrograde.program.model import (
    Block,
    Branch,
    Instruction,
    Loop,
    Place,
    Program,
    Variable,
    all_variables,
    map_operand,
)
from retrograde.program.primitive import PRIMITIVES, Primitive
from retrograde.program.sizes import Sizes
from retrograde.program.symbol import NotConstant, Symbol
from retrograde.program.types import ArrayType, Extent, Size, Type, array_type, type_of
from retrograde.program.widening import widened


class ProgramBuilder:
    """Makes a program out of NumPy code that runs on its symbols.

    Args:
        name: of the program.

    Attributes:
        place: where in the user's source the next statements come from.
        retreats: how often statements were taken back: what was set before may be set no more.
        least_size: what the named sizes of the inputs are at least, in every run.
        sizes: of arrays, as operands.

    Example:
        >>> import retrograde.rules
        >>> builder = ProgramBuilder("energy")
        >>> x = builder.input("x", "float64", ("n",))
        >>> print(builder.finish(energy=np.sum(x * x)))
        program energy(x: float64[n]):
            a: float64[n] = x * x
            b: float64 = sum(a, axis=(0,), keepdims=False)
            return energy=b
    """

    def __init__(self, name: str, block: Block | None = None) -> None:
        self.name = name
        self.place: Place | None = None
        self.least_size = 0
        self._root = block or Block()
        self._open = [self._root]
        self.sizes = Sizes(self, self._root)
        self.retreats = 0
        self._letters = count()
        self._taken = {variable.name for variable in all_variables(self._root)}
        for variable in self._root.parameters:
            self._note_input(variable)

    def input(
        self, name: str, dtype: Any, sizes: tuple[int | str | Size | None, ...] = (), extent: Size | None = None
    ) -> Symbol:
        """An input: its dtype, and for each axis its size, a name for it, or None; of an integer, which size it is.

        Two axes of one name have the same size in every run; it is worth saying so, because sizes that are known to be
        equal need no check when the program is reversed.

        Raises:
            UsageError: the name is taken.
        """
        if any(variable.name == name for variable in self._root.parameters):
            raise UsageError(f"program {self.name} has an input {name!r} already; give this one another name")
        variable = Variable(name, array_type(dtype, sizes), extent, name)
        self._root.parameters.append(variable)
        self._note_input(variable)
        return Symbol(self, variable)

    def finish(self, **outputs: Any) -> Program:
        """The program, with its outputs by name.

        Raises:
            UsageError: a value of a loop's body or of a branch is used outside of it.
        """
        self._root.results = [self.atom(value) for value in outputs.values()]
        return check(Program(self.name, self._root, list(outputs), self.least_size))

    def loop(self, count: Any, body: Callable[..., Any], *initial: Any) -> Any:
        """A loop: `body(i, *carried)` returns the carried values for the next iteration.

        Args:
            count: how often it runs: an int or an integer symbol.
            body: NumPy code on symbols; called while the program is built. It may use symbols from around the loop.
            initial: the carried values at the start: symbols, arrays or numbers.

        Returns:
            The carried values after the last iteration; one by itself, several as a tuple.

        Raises:
            UsageError: the body returns another number of values, or one of another dtype or rank.
        """
        return self._symbols(self._loop(self.atom(count), None, body, initial).results)

    def while_loop(
        self, condition: Callable[..., Any], body: Callable[..., Any], *initial: Any, limit: Any = None
    ) -> Any:
        """A loop that runs as long as a condition holds.

        Args:
            condition: `condition(i, *carried)` returns a boolean symbol; asked before each iteration.
            body: `body(i, *carried)` returns the carried values for the next iteration, `i` counting up from 0.
            initial: the carried values at the start: symbols, arrays or numbers.
            limit: the most iterations: an int or an integer symbol; None without a limit.

        Returns:
            The carried values after the last iteration; one by itself, several as a tuple.

        Raises:
            UsageError: the body returns another number of values, or one of another dtype or rank.

        Example:
            >>> import retrograde.rules
            >>> builder = ProgramBuilder("halved")
            >>> x = builder.input("x", "float64")
            >>> x = builder.while_loop(lambda i, x: x > 1.0, lambda i, x: x * 0.5, x)
            >>> builder.finish(x=x)(12.0)
            (np.float64(0.75),)
        """

        def counting(i: Any, count: Any, *carried: Any) -> Any:
            return count + 1, *as_tuple(body(i, *carried))

        def holds(i: Any, _: Any, *carried: Any) -> Any:
            return condition(i, *carried)

        loop = self._loop(self.atom(limit), holds, counting, (np.int64(0), *initial))
        return self._symbols(loop.results[1:])

    def _loop(
        self, count: Any, condition: Callable[..., Any] | None, body: Callable[..., Any], initial: tuple[Any, ...]
    ) -> Loop:
        starts = [self.atom(_as_array(value)) for value in initial]
        types = [_type_of(start) for start in starts]
        while True:
            block = self._region(body, types)
            wider = widened(self.name, types, [_type_of(result) for result in block.results])
            if wider == types:
                break
            types = wider
        end = None if condition is None else self._region(condition, types)
        results = [self.variable(kind) for kind in types]
        loop = Loop(count, False, starts, [], block, results, end, self.place)
        self._open[-1].statements.append(loop)
        return loop

    def _region(self, function: Callable[..., Any], types: list[Type]) -> Block:
        """A block with an index and values of some types as parameters."""
        index = self.variable(ArrayType(np.dtype(np.int64)), hint="i")
        block = Block([index, *(self.variable(kind) for kind in types)])
        with self.inside(block):
            returned = function(*(Symbol(self, parameter) for parameter in block.parameters))
            block.results = [self.atom(_as_array(value)) for value in as_tuple(returned)]
        return block

    def branch(self, condition: Any, then: Callable[[], Any], otherwise: Callable[[], Any]) -> Any:
        """A branch: one of two functions without arguments, by a condition that only the run knows.

        Raises:
            UsageError: the two return different numbers of values, or of different dtypes or ranks.
        """
        blocks = (Block(), Block())
        for block, function in zip(blocks, (then, otherwise), strict=True):
            with self.inside(block):
                returned = function()
                block.results = [self.atom(_as_array(value)) for value in as_tuple(returned)]
        types = widened(self.name, *([_type_of(result) for result in block.results] for block in blocks))
        results = [self.variable(kind) for kind in types]
        self._open[-1].statements.append(Branch(self.atom(condition), *blocks, results, self.place))
        return self._symbols(results)

    # What transformations of programs use.

    def emit(self, primitive: Primitive, operands: tuple[Any, ...], static: Mapping[str, Any]) -> Any:
        """Put an instruction at the end of the block that is open: its result, or the tuple of its results."""
        atoms = map_operand(self.atom, operands)
        for name, value in static.items():
            if isinstance(value, Symbol):
                raise NotConstant(
                    f"{name} of {primitive.name} is a constant of a program, and was to be {value.variable!r}, which "
                    "only the run knows; give it a number",
                    value,
                )
        names = primitive.names(len(atoms))
        known = (known_of(name, atom) for name, atom in zip(names, atoms, strict=True))
        results = list(map(self.variable, as_tuple(primitive.result(*known, **static))))
        if primitive.name in ("add", "subtract"):
            results[0].extent = moved_extent(primitive.name, *atoms)
        self._open[-1].statements.append(Instruction(primitive, atoms, dict(static), results, self.place))
        symbols = tuple(Symbol(self, result) for result in results)
        return symbols if primitive.outputs else symbols[0]

    def atom(self, value: Any) -> Any:
        """A value as an operand: the variable of a symbol, or a constant."""
        if not isinstance(value, Symbol):
            return value
        if value.builder is not self:
            raise UsageError(f"{value!r} belongs to program {value.builder.name}, and was used in {self.name}")
        return value.variable

    def variable(self, type: Type, hint: str = "", extent: Extent = None) -> Variable:
        """A new variable with a name that no other has."""
        names = (
            (f"{hint}{number}" if number else hint for number in chain((0,), count(2)))
            if hint
            else map(_letters, self._letters)
        )
        name = next(name for name in names if name not in self._taken and not iskeyword(name))
        self._taken.add(name)
        return Variable(name, type, extent, hint)

    def hint(self, symbol: Any, hint: str) -> None:
        """Name a symbol's variable, unless somebody has done so."""
        variable = self.atom(symbol)
        if isinstance(variable, Variable) and not variable.hint:
            named = self.variable(variable.type, hint)
            variable.name, variable.hint = named.name, hint

    def checkpoint(self) -> Callable[[], None]:
        """What takes the program back to where it is now: the statements of open blocks, and the names in use."""
        letters, taken, forget_sizes = copy(self._letters), set(self._taken), self.sizes.checkpoint()
        lengths = [(block, len(block.statements)) for block in self._open]

        def back() -> None:
            self.retreats += 1
            inputs = {variable.name for variable in self._root.parameters}
            self._letters, self._taken = copy(letters), taken | inputs | self.sizes.names
            forget_sizes()
            for block, length in lengths:
                del block.statements[length:]

        return back

    @contextmanager
    def inside(self, block: Block) -> Generator[Block]:
        """A context in which instructions go to the end of a block."""
        self._open.append(block)
        try:
            yield block
        finally:
            self._open.pop()

    @property
    def inputs(self) -> list[Variable]:
        """The program's inputs."""
        return self._root.parameters

    @property
    def open_block(self) -> Block:
        """The block that instructions go to."""
        return self._open[-1]

    def is_open(self, block: Block) -> bool:
        """Whether what a block has set so far can be used where instructions go to."""
        return any(block is one for one in self._open)

    def instructions(self) -> dict[Variable, Instruction]:
        """The instruction that made each variable which can be used where instructions go to."""
        statements = (statement for block in self._open for statement in block.statements)
        return {
            result: statement
            for statement in statements
            if isinstance(statement, Instruction)
            for result in statement.results
        }

    def instruction_of(self, symbol: Symbol) -> Instruction | None:
        """The instruction of an open block that made a symbol: a late one is found soon."""
        for block in reversed(self._open):
            for statement in reversed(block.statements):
                if isinstance(statement, Instruction) and symbol.variable in statement.results:
                    return statement
        return None

    def retract(self, symbol: Any, primitive: Primitive) -> tuple[Any, ...] | None:
        """Take back the last instruction of the open block, if it made a symbol by this primitive: its operands."""
        statements = self._open[-1].statements
        last = statements[-1] if statements else None
        if isinstance(last, Instruction) and last.primitive is primitive and last.results == [self.atom(symbol)]:
            statements.pop()
            return map_operand(lambda part: Symbol(self, part) if isinstance(part, Variable) else part, last.operands)
        return None

    def append(self, statement: Loop | Branch) -> None:
        """Put a region at the end of the block that is open."""
        self._open[-1].statements.append(statement)

    def zeros(self, shape: tuple[Any, ...], dtype: np.dtype[Any]) -> Any:
        """Zeros of a shape that may hold symbols."""
        return self.emit(PRIMITIVES["broadcast_to"], (np.zeros((), dtype), shape), {})

    def _note_input(self, variable: Variable) -> None:
        self.sizes.note(variable)
        self._taken |= {variable.name, *self.sizes.names}

    def _symbols(self, variables: list[Variable]) -> Any:
        symbols = tuple(Symbol(self, variable) for variable in variables)
        return symbols[0] if len(symbols) == 1 else symbols


def _as_array(value: Any) -> Any:
    return np.asarray(value)[()] if isinstance(value, (bool, int, float, complex, list)) else value


def _type_of(atom: Any) -> Type:
    return atom.type if isinstance(atom, Variable) else type_of(atom)


def _letters(number: int) -> str:
    """a, b, … z, aa, ab, …"""
    text = ""
    number += 1
    while number:
        number, digit = divmod(number - 1, 26)
        text = chr(ord("a") + digit) + text
    return text

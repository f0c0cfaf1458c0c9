"""How much a program does, and how much of that has to be done one after the other."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from math import log2
from typing import Any

import numpy as np

from retrograde.program.affine import Affine
from retrograde.program.extents import Extents
from retrograde.program.integers import Integers, size
from retrograde.program.kinds import as_tuple, is_slice
from retrograde.program.model import (
    Block,
    Branch,
    Instruction,
    Loop,
    Program,
    Statement,
    Variable,
    blocks_of,
    free_variables,
    operands_of,
    variables_in,
)
from retrograde.program.polynomials import Polynomial
from retrograde.program.structure import Structure
from retrograde.program.types import ArrayType, Extent, Size, type_of

_TYPICAL = 1000.0
"""The larger of two depths is the one that is larger where every size is this."""


@dataclass(frozen=True, slots=True)
class Log2:
    """The binary logarithm of a polynomial: the depth of a sum of that many terms."""

    of: Polynomial

    def __str__(self) -> str:
        return f"log2({self.of})"


@dataclass(frozen=True, slots=True)
class Work:
    """What a run of a program takes, in operations on single numbers, as polynomials in the sizes of its inputs.

    Attributes:
        work: how many operations there are.
        depth: how many have to be done one after the other, however many could be done at once: iterations of a loop
            that carries something follow one another, sums are trees. (Blelloch 1996, "Programming parallel
            algorithms".)
    """

    work: Polynomial
    depth: Polynomial

    def at(self, sizes: Mapping[str, float]) -> tuple[float, float]:
        """Work and depth for given sizes, and integer arguments, by name.

        Raises:
            KeyError: one is not given.
        """
        return _evaluated(self.work, sizes, None), _evaluated(self.depth, sizes, None)

    def __str__(self) -> str:
        return f"work {self.work}, depth {self.depth}"


def work_and_depth(program: Program) -> Work:
    """How much a program does, by the sizes of its inputs.

    Branches count as the longer of their sides. Where a size or a number of iterations is not known before the run,
    it is an unknown with the name of what decides it.

    Example:
        >>> import retrograde.rules
        >>> from retrograde.program import ProgramBuilder
        >>> builder = ProgramBuilder("decay")
        >>> u, steps = builder.input("u", "float64", ("n",)), builder.input("steps", "int64")
        >>> u = builder.loop(steps, lambda i, u: np.tanh(0.5 * u), u)
        >>> print(work_and_depth(builder.finish(total=np.sum(u))))
        work 2 n steps + n, depth 2 steps + log2(n)
    """
    return _Counting(program).block(program.block)


class _Counting:
    def __init__(self, program: Program) -> None:
        structure = Structure(program.block)
        self._structure = structure
        self._integers = Integers(structure, program.least_size)
        self._extents = Extents(structure, self._integers)

    def block(self, block: Block) -> Work:
        """All of a block's statements, and the longest way through them."""
        return Work(self._work(block), self._longest(block, None))

    def _work(self, block: Block) -> Polynomial:
        total = Polynomial()
        for statement in block.statements:
            total += self._cost(statement).work
        return total

    def _longest(self, block: Block, start: set[Variable] | None) -> Polynomial:
        """The longest way to a result of a block: from anywhere, or from given variables only."""
        depths: dict[Variable, Polynomial] = {} if start is None else dict.fromkeys(start, Polynomial())
        for statement in block.statements:
            used = {*variables_in(operands_of(statement)), *free_variables(*blocks_of(statement))}
            before = [depths[variable] for variable in used if variable in depths]
            if before or start is None:
                depth = _largest(before) + self._cost(statement).depth
                depths.update(dict.fromkeys(statement.results, depth))
        return _largest([depths[part] for part in variables_in(tuple(block.results)) if part in depths])

    def _cost(self, statement: Statement) -> Work:
        if isinstance(statement, Instruction):
            return self._instruction(statement)
        if isinstance(statement, Loop):
            return self._loop(statement)
        if isinstance(statement, Branch):
            sides = [self.block(side) for side in (statement.then, statement.otherwise)]
            return Work(_largest([side.work for side in sides]), _largest([side.depth for side in sides]))
        return Work(Polynomial(), Polynomial())

    def _loop(self, loop: Loop) -> Work:
        inside = self.block(loop.body)
        if loop.condition is not None:
            asked = self.block(loop.condition)
            inside = Work(inside.work + asked.work, inside.depth + asked.depth)
        count = self._count(loop)
        once = self._longest(loop.body, set(loop.carried)) if loop.condition is None else inside.depth

        def last(atom: Hashable) -> Polynomial | None:
            return count + -1 if atom is loop.index else None

        def in_the_last(atom: Hashable) -> Polynomial | None:
            return _logarithm(atom.of.replaced(last)) if isinstance(atom, Log2) else None

        # Logarithms of what changes from iteration to iteration count as the largest of them.
        following = once.replaced(in_the_last).summed(loop.index, count)
        around = inside.depth.replaced(in_the_last).replaced(last)
        work = inside.work.replaced(in_the_last).summed(loop.index, count)
        return Work(work, _largest([following, around]))

    def _count(self, loop: Loop) -> Polynomial:
        known = self._integers.most(loop.count) if loop.condition is None else None
        if known is not None:
            return self._polynomial(known)
        line = f"_line_{loop.place.line}" if loop.place is not None else f"_{loop.index.name}"
        return Polynomial.of(f"trips{line}")

    def _polynomial(self, sum_: Affine) -> Polynomial:
        total = Polynomial.number(sum_.constant)
        for atom, factor in sum_.terms.items():
            total += self._atom(atom) * Polynomial.number(factor)
        return total

    def _atom(self, atom: Hashable) -> Polynomial:
        if isinstance(atom, Size):
            return Polynomial.of(atom.name)
        index = isinstance(atom, Variable) and any(atom is loop.index for loop in self._structure.loops_around(atom))
        return Polynomial.of(atom.name if isinstance(atom, Variable) and not index else atom)

    def _instruction(self, instruction: Instruction) -> Work:
        name = instruction.primitive.name
        if instruction.primitive.views is not None or name == "size":
            return Work(Polynomial(), Polynomial())
        if name in ("einsum", "matmul"):
            return self._product(instruction)
        if name in ("update", "add_at"):
            return Work(self._elements(instruction.operands[2]), Polynomial.number(1))
        made = self._elements(instruction.results[0])
        if instruction.primitive.elementwise or name == "where":
            return Work(made, Polynomial.number(1))
        read = [self._elements(operand) for operand in instruction.operands if isinstance(operand, Variable)]
        return self._reduction(_largest([made, *read]), made)

    def _product(self, instruction: Instruction) -> Work:
        """Of a contraction: a multiplication and an addition for each element of the space it goes through."""
        subscripts = instruction.static.get("subscripts", "ab,bc->ac")
        lengths: dict[str, Polynomial] = {}
        for operand, letters in zip(instruction.operands, subscripts.split("->")[0].split(","), strict=True):
            for axis, letter in enumerate(letters):
                lengths[letter] = self._extent(operand, axis)
        output = subscripts.split("->")[1]
        every, summed = Polynomial.number(1), Polynomial.number(1)
        for letter, length in lengths.items():
            every *= length
            summed = summed if letter in output else summed * length
        if set(lengths) <= set(output):
            return Work(every, Polynomial.number(1))
        return Work(every * Polynomial.number(2), _logarithm(summed) + 1)

    def _reduction(self, read: Polynomial, made: Polynomial) -> Work:
        if not read.terms or read == made:
            return Work(read, Polynomial.number(1))
        return Work(read, _logarithm(read))

    def _elements(self, operand: Any) -> Polynomial:
        kind = operand.type if isinstance(operand, Variable) else type_of(operand)
        total = Polynomial.number(1)
        for axis in range(kind.rank if isinstance(kind, ArrayType) else 0):
            total *= self._extent(operand, axis)
        return total

    def _extent(self, operand: Any, axis: int) -> Polynomial:
        if not isinstance(operand, Variable):
            return Polynomial.number(np.shape(operand)[axis])
        assert isinstance(operand.type, ArrayType)
        known = size(operand.type.sizes[axis]) or self._sliced(operand, axis)
        return Polynomial.of(f"size_{operand.name}_{axis}") if known is None else self._polynomial(known)

    def _sliced(self, variable: Variable, axis: int) -> Affine | None:
        """The extent of an axis by the bounds of the slice that it comes from."""
        for origin, at in self._extents.origins(variable, axis):
            if at is None:
                return self._integers.of(origin)
            maker = self._structure.instruction(origin)
            if maker is None or maker.primitive.name != "getitem" or not isinstance(maker.operands[0], Variable):
                continue
            kind = maker.operands[0].type
            parts = as_tuple(maker.operands[1])
            if isinstance(kind, ArrayType) and len(parts) <= kind.rank and None not in map(_start, parts):
                places = [place for place, part in enumerate(parts) if is_slice(part)]
                places += range(len(parts), kind.rank)
                return self._distance(parts, kind.sizes, places[at])
        return None

    def _distance(self, parts: tuple[Any, ...], sizes: tuple[Extent, ...], place: int) -> Affine | None:
        part: slice[Any, Any, Any] = parts[place] if place < len(parts) else slice(None)
        whole = size(sizes[place])
        start = Affine() if part.start is None else self._integers.of(part.start)
        stop = whole if part.stop is None else self._integers.of(part.stop)
        if start is None or stop is None or part.step not in (None, 1):
            return None
        return stop - start


def _start(part: Any) -> Any:
    """None for what is no slice and no integer, so that only plain indices are taken apart."""
    return None if part is None or part is Ellipsis else 0


def _logarithm(count: Polynomial) -> Polynomial:
    if set(count.terms) <= {()}:
        value = max(1.0, count.at({}))
        return Polynomial.number(int(np.ceil(log2(value))))
    return Polynomial.of(Log2(count))


def _largest(polynomials: list[Polynomial]) -> Polynomial:
    return max(polynomials, key=lambda one: _evaluated(one, {}, _TYPICAL), default=Polynomial())


def _evaluated(polynomial: Polynomial, sizes: Mapping[Any, float], otherwise: float | None) -> float:
    values: dict[Hashable, float] = dict(sizes)
    for power in polynomial.terms:
        for atom, _ in power:
            if isinstance(atom, Log2):
                values[atom] = log2(max(1.0, _evaluated(atom.of, sizes, otherwise)))
    return polynomial.at(values, otherwise)

"""Which variables share a name: those that a write in place makes one, and those of a loop or branch that can be one.

Two variables can share a name if neither is set while the other is still read. (The interference of register
allocation: Chaitin 1982, "Register allocation and spilling via graph coloring".)
"""

from __future__ import annotations

from itertools import chain, count
from keyword import iskeyword
from typing import Any

from retrograde.program.model import Block, Branch, Instruction, Loop, Variable, blocks_of, free_variables
from retrograde.program.types import ArrayType, ScheduleType, Size, Type
from retrograde.python.lowering.aliasing import is_write
from retrograde.python.lowering.liveness import live_after
from retrograde.python.lowering.model import Name

RESERVED = frozenset({"np", "ops", "range", "reversed", "max", "min", "len", "abs", "int", "float", "bool", "complex"})
"""Names that the text uses for other things."""


class Names:
    """The name of each variable of a block in explicit form, all of whose writes are in place.

    Args:
        block: the program.
        managed: variables that a loop sets by itself; together with what has to share their name.
    """

    def __init__(self, block: Block, parameters: list[Variable]) -> None:
        self._ranges = _live_ranges(block)
        self._class: dict[Variable, list[Variable]] = {}
        self._order = list(self._ranges)
        for variable in self._order:
            self._class[variable] = [variable]
        self._parameters = set(parameters)
        self._must(block)
        self._may(block)
        self._merge_by_hint()
        self._names = self._named()

    def of(self, variable: Variable) -> Name:
        """The name that a variable has in the text."""
        return self._names[variable]

    def alone(self, variable: Variable) -> bool:
        """Whether no other variable has the same name."""
        return len(self._class[variable]) == 1

    def fresh(self, hint: str, kind: Type) -> Name:
        """A name that no variable has."""
        return Name(self._free_text(hint), kind)

    def _must(self, block: Block) -> None:
        for statement in block.statements:
            if isinstance(statement, Instruction) and is_write(statement):
                self._merge(statement.operands[0], statement.results[0])
            elif isinstance(statement, Loop):
                for carried, result in zip(statement.carried, statement.results, strict=True):
                    self._merge(carried, result)
            for inner in blocks_of(statement):
                self._must(inner)

    def _may(self, block: Block) -> None:
        for statement in block.statements:
            for inner in blocks_of(statement):
                self._may(inner)
            if isinstance(statement, Loop):
                for carried, following, initial in zip(
                    statement.carried, statement.body.results, statement.initial, strict=True
                ):
                    self._try(carried, following)
                    self._try(carried, initial)
            elif isinstance(statement, Branch):
                for at, result in enumerate(statement.results):
                    self._try(result, statement.then.results[at])
                    self._try(result, statement.otherwise.results[at])

    def _merge_by_hint(self) -> None:
        """What the user calls by one name, the text does too, where it can be."""
        by_hint: dict[tuple[Any, ...], list[Variable]] = {}
        for variable in self._order:
            if variable.hint:
                by_hint.setdefault((variable.hint, _kind(variable.type)), []).append(variable)
        for variables in by_hint.values():
            for other in variables[1:]:
                self._try(variables[0], other)

    def _try(self, one: Variable, other: Any) -> None:
        """Merge two variables' names if they do not interfere."""
        if not isinstance(other, Variable) or _kind(one.type) != _kind(other.type):
            return
        if self._class[one] is not self._class[other] and not self._range(one) & self._range(other):
            self._merge(one, other)

    def _range(self, variable: Variable) -> int:
        live = 0
        for member in self._class[variable]:
            live |= self._ranges[member]
        return live

    def _merge(self, one: Variable, other: Variable) -> None:
        into, gone = self._class[one], self._class[other]
        if into is not gone:
            into += gone
            self._class.update(dict.fromkeys(gone, into))

    def _named(self) -> dict[Variable, Name]:
        self._taken = set(RESERVED)
        names: dict[Variable, Name] = {}
        classes = {id(members): members for members in self._class.values()}
        ordered = sorted(classes.values(), key=lambda members: not self._parameters.isdisjoint(members), reverse=True)
        for members in ordered:
            name = Name(self._free_text(self._hint(members)), _joined(members))
            names.update(dict.fromkeys(members, name))
        return names

    def _hint(self, members: list[Variable]) -> str:
        given = [member.name for member in members if member in self._parameters]
        hints = [member.hint for member in members if member.hint]
        best = max(hints, key=hints.count) if hints else _own_name(members[0])
        return given[0] if given else best

    def _free_text(self, hint: str) -> str:
        base = hint if hint.isidentifier() and not iskeyword(hint) else "x"
        numbers = chain(("",), (str(number) for number in count(2)))
        text = next(text for text in (base + number for number in numbers) if text not in self._taken)
        self._taken.add(text)
        return text


def _own_name(variable: Variable) -> str:
    """A name for what the user gave none: that of the size that it is, or that of the program."""
    size = variable.extent
    if not isinstance(size, Size):
        return variable.name
    return size.name + (f"_{'plus' if size.offset > 0 else 'less'}_{abs(size.offset)}" if size.offset else "")


def _kind(kind: Type) -> Any:
    if isinstance(kind, ScheduleType):
        return kind
    return (kind.dtype, kind.rank) if isinstance(kind, ArrayType) else (_kind(kind.element),)


def _joined(members: list[Variable]) -> Type:
    kinds = [member.type for member in members]
    first = kinds[0]
    if not isinstance(first, ArrayType):
        return first
    sizes = zip(*(kind.sizes for kind in kinds if isinstance(kind, ArrayType)), strict=True)
    return ArrayType(first.dtype, tuple(extents[0] if len(set(extents)) == 1 else None for extents in sizes))


def _live_ranges(block: Block) -> dict[Variable, int]:
    """For each variable the points of the program, as bits, at which it is set or will be read.

    A point is behind each statement, and at the beginning and the end of each block.
    """
    after = live_after(block)
    ranges: dict[Variable, int] = {}
    points = count()

    def mark(variables: Any) -> None:
        bit = 1 << next(points)
        for variable in variables:
            ranges[variable] = ranges.get(variable, 0) | bit

    def walk(inner: Block, around: frozenset[Variable]) -> None:
        mark({*around, *inner.parameters})
        for statement in inner.statements:
            blocks = blocks_of(statement)
            outside = after[statement].difference(statement.results)
            for nested in blocks:
                walk(nested, outside.union(free_variables(nested)))
            mark({*after[statement], *statement.results})

    walk(block, frozenset())
    return ranges

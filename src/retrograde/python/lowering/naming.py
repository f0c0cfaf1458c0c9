"""Which variables share a name: those that a write in place makes one, and those of a loop or branch that can be one.

Two variables can share a name if neither is set while the other is still read. (The interference of register
allocation: Chaitin 1982, "Register allocation and spilling via graph coloring".)
"""

from __future__ import annotations

from itertools import chain, count
from keyword import iskeyword
from typing import Any

from retrograde.program.model import Block, Branch, Instruction, Loop, Variable, blocks_of, free_variables
from retrograde.program.types import ArrayType, ScheduleType, Type
from retrograde.python.lowering.aliasing import is_write, viewed
from retrograde.python.lowering.calling import callings
from retrograde.python.lowering.liveness import live_after
from retrograde.python.lowering.model import Name
from retrograde.python.lowering.operations import COPY

_CONFUSING = frozenset({"l", "O", "I"})

RESERVED = frozenset(
    {"np", "ops", "range", "reversed", "max", "min", "len", "abs", "int", "float", "bool", "complex"}
    | {"sum", "round", "pow", "any", "all"}
)
"""Names that the text, or who reads it, uses for other things."""


class Names:
    """The name of each variable of a block in explicit form, all of whose writes are in place.

    Args:
        block: the program.
        parameters: its inputs, whose names are settled.
    """

    def __init__(self, block: Block, parameters: list[Variable]) -> None:
        self._ranges = _live_ranges(block)
        self._calls = callings(block)
        self._views = _views(block)
        self._indices = _indices(block)
        self._class: dict[Variable, list[Variable]] = {}
        self._order = list(self._ranges)
        for variable in self._order:
            self._class[variable] = [variable]
        self._parameters = set(parameters)
        self._must(block)
        self._may(block)
        self._merge_by_hint()
        self._names: dict[Variable, Name] = {}
        self._taken = set(RESERVED)
        self._hints = {self._calls.get(variable, "x") for variable in self._order if variable.hint}
        for parameter in parameters:
            self.of(parameter)

    def of(self, variable: Variable) -> Name:
        """The name that a variable has in the text."""
        if variable not in self._names:
            members = self._class[variable]
            is_given = any(member.hint for member in members)
            name = Name(self._free_text(self._hint(members), is_given), _joined(members))
            self._names.update(dict.fromkeys(members, name))
        return self._names[variable]

    def alone(self, variable: Variable) -> bool:
        """Whether no other variable has the same name."""
        return len(self._class[variable]) == 1

    def fresh(self, hint: str, kind: Type) -> Name:
        """A name that no variable has."""
        return Name(self._free_text(hint, False), kind)

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
            elif isinstance(statement, Instruction):
                source = statement.operands[0] if statement.primitive is COPY else None
                if isinstance(source, Variable) and source not in self._views:
                    self._try(statement.results[0], source)
            elif isinstance(statement, Branch):
                for at, result in enumerate(statement.results):
                    self._try(result, statement.then.results[at])
                    self._try(result, statement.otherwise.results[at])

    def _merge_by_hint(self) -> None:
        """What the user calls by one name, the text does too, where it can be."""
        by_hint: dict[tuple[Any, ...], list[Variable]] = {}
        for variable in self._order:
            named = variable.hint or variable in self._indices
            if named and variable not in self._views and isinstance(variable.type, ArrayType):
                key = (self._calls.get(variable), _kind(variable.type), variable in self._indices)
                by_hint.setdefault(key, []).append(variable)
        for variables in by_hint.values():
            for other in variables[1:]:
                self._try(variables[0], other)

    def _try(self, one: Variable, other: Any) -> None:
        """Merge two variables' names if they do not interfere."""
        if not isinstance(other, Variable) or _kind(one.type) != _kind(other.type):
            return
        if (one in self._indices) != (other in self._indices):
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

    def _hint(self, members: list[Variable]) -> str:
        given = [member.name for member in members if member in self._parameters]
        calls = [self._calls.get(member, "x") for member in members if member.hint]
        calls = calls or [self._calls.get(member, "x") for member in members]
        best = "i" if "_" in calls else max(calls, key=calls.count)
        return given[0] if given else best

    def _free_text(self, hint: str, is_given: bool) -> str:
        base = hint if hint.isidentifier() and not iskeyword(hint) else "x"
        base = base if base not in _CONFUSING else f"{base}_"
        joint = "_" if base[-1].isdigit() else ""
        numbers = chain(("",), (f"{joint}{number}" for number in count(2)))
        avoided = self._taken if is_given else self._taken | self._hints
        text = next(text for text in (base + number for number in numbers) if text not in avoided)
        self._taken.add(text)
        return text


def _indices(block: Block) -> set[Variable]:
    """The variables that loops count with."""
    found: set[Variable] = set()
    for statement in block.statements:
        if isinstance(statement, Loop):
            found.add(statement.index)
        for inner in blocks_of(statement):
            found |= _indices(inner)
    return found


def _views(block: Block) -> set[Variable]:
    """The variables that are views when they are set."""
    views: set[Variable] = set()
    for statement in block.statements:
        if isinstance(statement, Instruction) and viewed(statement) is not None:
            views.update(statement.results)
        for inner in blocks_of(statement):
            views |= _views(inner)
    return views


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

    A point is behind each statement, and at the beginning and the end of each block. An index lives as long as its
    loop: texts may read an entry of a stack later than where it is named.
    """
    after = live_after(block)
    ranges: dict[Variable, int] = {}
    points = count()

    def mark(variables: Any) -> None:
        bit = 1 << next(points)
        for variable in variables:
            ranges[variable] = ranges.get(variable, 0) | bit

    def walk(inner: Block, around: frozenset[Variable], counting: frozenset[Variable]) -> None:
        mark({*around, *inner.parameters, *counting})
        for statement in inner.statements:
            outside = after[statement].difference(statement.results)
            indices = counting | {statement.index} if isinstance(statement, Loop) else counting
            for nested in blocks_of(statement):
                walk(nested, outside.union(free_variables(nested)), indices)
            mark({*after[statement], *statement.results, *counting})

    walk(block, frozenset(), frozenset())
    return ranges

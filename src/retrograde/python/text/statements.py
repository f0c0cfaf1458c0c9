"""Actions as lines of Python."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass
from typing import Any

from retrograde.program.kinds import is_tuple
from retrograde.program.model import Place
from retrograde.program.types import ArrayType, StackType
from retrograde.python.lowering.aliasing import MAY_RETURN_OPERAND
from retrograde.python.lowering.model import (
    Action,
    Apply,
    Bind,
    Entry,
    Expression,
    For,
    ForEach,
    Forget,
    If,
    Keep,
    MakeStack,
    Name,
    Raise,
    Repeat,
    Stop,
    Write,
)
from retrograde.python.lowering.places import names_read
from retrograde.python.text.comments import Comments
from retrograde.python.text.constants import dtype_text
from retrograde.python.text.expressions import ExpressionPrinter
from retrograde.python.text.signs import negated
from retrograde.python.text.wrapping import wrapped

_INDENT = "    "


class StatementPrinter:
    """Prints actions.

    Args:
        expressions: prints what they compute.
        comments: says which line of the user's function they come from; None for no comments.
        numbers: names that stand for numbers, never for arrays without axes.
        read: the names that something reads.
    """

    def __init__(
        self,
        expressions: ExpressionPrinter,
        comments: Comments | None = None,
        numbers: frozenset[Name] = frozenset(),
        read: Set[Name] = frozenset(),
    ) -> None:
        self._read = read
        self._text = expressions.text
        self._expressions = expressions
        self._comments = comments
        self._numbers = numbers
        self._arrays: set[Name] = set()
        self._growing: set[Name] = set()

    def lines(self, actions: list[Action]) -> list[str]:
        """The lines of a sequence of actions."""
        done: list[str] = []
        for action in _with_exchanges(actions):
            place = getattr(action, "place", None)
            if self._comments is not None and place is not None and not _only_counts(action):
                done += self._comments.before(place)
            for line in _PRINTERS[type(action)](self, action):
                done += wrapped(line)
        return done

    def _block(self, actions: list[Action]) -> Iterator[str]:
        if self._comments is not None:
            with self._comments.inside():
                lines = self.lines(actions)
        else:
            lines = self.lines(actions)
        return (_INDENT + line for line in lines or ["pass"])

    def _exchange(self, exchange: _Exchange) -> Iterator[str]:
        one, other = map(self._expressions.name, exchange.names)
        yield f"{one}, {other} = {other}, {one}"

    def _bind(self, bind: Bind) -> Iterator[str]:
        targets = ", ".join(map(self._expressions.name, bind.targets))
        if len(bind.targets) == 1:
            found = self._shortened(bind.targets[0], bind.value)
            if found is not None:
                yield found
                return
        yield f"{targets} = {self._text(bind.value)}"

    def _shortened(self, target: Name, value: Expression) -> str | None:
        """`n += 1` for numbers; of arrays it would be another operation."""
        if target not in self._numbers or not isinstance(value, Apply) or value.primitive.name not in _AUGMENTED:
            return None
        left, right = value.operands
        if left is not target:
            return None
        return f"{self._expressions.name(target)} {_AUGMENTED[value.primitive.name]} {self._text(right)}"

    def _write(self, write: Write) -> Iterator[str]:
        name = self._expressions.name(write.target)
        place = self._expressions.item(name, write.index)
        if not write.adding:
            sign, value = self._sign(write)
            yield f"{place} {sign} {value}"
        elif _picks_once(write.index):
            opposite = negated(write.value)
            sign, value = ("+=", write.value) if opposite is None else ("-=", opposite)
            yield f"{place} {sign} {self._text(value)}"
        else:
            yield f"np.add.at({name}, {self._index_argument(write.index)}, {self._text(write.value)})"

    def _sign(self, write: Write) -> tuple[str, str]:
        """`x[i] /= y` for `x[i] = x[i] / y`."""
        value = write.value
        if isinstance(value, Apply) and value.primitive.name in _AUGMENTED and _picks_once(write.index):
            left, right = value.operands
            is_item = isinstance(left, Apply) and left.primitive.name == "getitem" and left.operands[0] is write.target
            if is_item and left.type == value.type and self._same_index(left.operands[1], write.index):
                return _AUGMENTED[value.primitive.name], self._text(right)
        return "=", self._text(value)

    def _same_index(self, one: Expression, other: Expression) -> bool:
        return self._expressions.index(one) == self._expressions.index(other)

    def _index_argument(self, index: Expression) -> str:
        return self._text(index) if index is not Ellipsis else "..."

    def _make_stack(self, make: MakeStack) -> Iterator[str]:
        name, kind = self._expressions.name(make.stack), _innermost(make.stack)
        if make.count is None:
            self._growing.add(make.stack)
            yield f"{name} = []"
        elif make.shape is None or not isinstance(kind, ArrayType):
            yield f"{name} = [None] * {self._text(make.count, 11)}"
        else:
            self._arrays.add(make.stack)
            count = self._text(make.count)
            least = self._expressions.bounds.of(make.count)
            if least is None or least < 0:
                count = f"max({count}, 0)"
            extents = ", ".join([count, *map(self._text, make.shape)])
            shape = f"({extents})" if make.shape else extents
            dtype = "" if kind.dtype == "float64" else f", {dtype_text(kind.dtype)}"
            yield f"{name} = np.empty({shape}{dtype})"

    def _keep(self, keep: Keep) -> Iterator[str]:
        name = self._expressions.name(keep.stack)
        value = self._text(keep.value)
        if keep.stack not in self._arrays and not keep.is_own and _may_change(keep.value):
            value = f"{self._text(keep.value, 14)}.copy()"
        if keep.stack in self._growing:
            yield f"{name}.append({value})"
        else:
            yield f"{self._expressions.item(name, keep.index)} = {value}"

    def _for(self, loop: For) -> Iterator[str]:
        ends: list[Expression] = [loop.start, loop.stop, loop.step]
        if loop.step == 1:
            ends = ends[1:2] if isinstance(loop.start, int) and loop.start == 0 else ends[:2]
        span = f"range({', '.join(map(self._text, ends))})"
        span = f"reversed({span})" if loop.backward else span
        index = self._expressions.name(loop.index) if loop.index in names_read(loop.body) else "_"
        yield f"for {index} in {span}:"
        yield from self._block(loop.body)

    def _for_each(self, loop: ForEach) -> Iterator[str]:
        yield f"for {self._expressions.name(loop.item)} in {self._text(loop.source)}:"
        yield from self._block(loop.body)

    def _repeat(self, loop: Repeat) -> Iterator[str]:
        """A `while`; a stop that comes first is its condition."""
        index = self._expressions.name(loop.index)
        body = list(loop.body)
        conditions = [] if loop.limit is None else [f"{index} < {self._text(loop.limit, 5)}"]
        if body and isinstance(body[0], Stop):
            first = body.pop(0)
            conditions.append(self._text(first.unless, 3 if conditions else 0))  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType, reportUnknownArgumentType]
        counts = loop.limit is not None or loop.index in self._read
        yield from [f"{index} = 0"] * counts
        yield f"while {' and '.join(conditions) or 'True'}:"
        yield from self._block(body)
        yield from [f"{_INDENT}{index} += 1"] * counts

    def _stop(self, stop: Stop) -> Iterator[str]:
        yield f"if not {self._text(stop.unless, 3)}:"
        yield f"{_INDENT}break"

    def _raise(self, check: Raise) -> Iterator[str]:
        fails: Any = check.fails
        if isinstance(fails, Apply) and fails.primitive.name == "logical_not":
            yield f"if not {self._text(fails.operands[0], 3)}:"
        elif not isinstance(fails, (Name, Apply, Entry)) and fails:
            yield f"raise {check.text}"
            return
        else:
            yield f"if {self._text(fails)}:"
        yield f"{_INDENT}raise {check.text}"

    def _if(self, choice: If) -> Iterator[str]:
        condition = self._text(choice.condition)
        then, otherwise = choice.then, choice.otherwise
        if not then and otherwise:
            condition, then, otherwise = f"not {self._text(choice.condition, 3)}", otherwise, then
        yield f"if {condition}:"
        yield from self._block(then)
        if len(otherwise) == 1 and isinstance(otherwise[0], If):
            first, *others = self._if(otherwise[0])
            yield f"el{first}"
            yield from others
        elif otherwise:
            yield "else:"
            yield from self._block(otherwise)

    def _forget(self, forget: Forget) -> Iterator[str]:
        yield f"del {', '.join(map(self._expressions.name, forget.names))}"


_AUGMENTED = {"add": "+=", "subtract": "-=", "multiply": "*=", "divide": "/="}


@dataclass(frozen=True, slots=True)
class _Exchange:
    """Two names that take each other's value."""

    names: tuple[Name, Name]
    place: Place | None


def _with_exchanges(actions: list[Action]) -> list[Any]:
    """Actions, with one in the place of three that exchange two names by way of a third."""
    done: list[Any] = []
    at = 0
    while at < len(actions):
        exchange = _exchanged(actions[at : at + 3])
        if exchange is not None:
            done.append(exchange)
            at += 3
            continue
        done.append(actions[at])
        at += 1
    return done


def _exchanged(three: list[Action]) -> _Exchange | None:
    binds = [action for action in three if isinstance(action, Bind) and len(action.targets) == 1]
    if len(binds) < 3 or not binds[0].targets[0].text.startswith("new_"):
        return None
    saved, first, second = (bind.targets[0] for bind in binds)
    if binds[0].value is not first or binds[1].value is not second or binds[2].value is not saved:
        return None
    return _Exchange((second, first), binds[1].place)


_PRINTERS: dict[type[Any], Callable[[StatementPrinter, Any], Iterator[str]]] = {
    _Exchange: StatementPrinter._exchange,  # pyright: ignore[reportPrivateUsage]
    Bind: StatementPrinter._bind,  # pyright: ignore[reportPrivateUsage]
    Write: StatementPrinter._write,  # pyright: ignore[reportPrivateUsage]
    MakeStack: StatementPrinter._make_stack,  # pyright: ignore[reportPrivateUsage]
    Keep: StatementPrinter._keep,  # pyright: ignore[reportPrivateUsage]
    For: StatementPrinter._for,  # pyright: ignore[reportPrivateUsage]
    ForEach: StatementPrinter._for_each,  # pyright: ignore[reportPrivateUsage]
    Repeat: StatementPrinter._repeat,  # pyright: ignore[reportPrivateUsage]
    Stop: StatementPrinter._stop,  # pyright: ignore[reportPrivateUsage]
    Raise: StatementPrinter._raise,  # pyright: ignore[reportPrivateUsage]
    If: StatementPrinter._if,  # pyright: ignore[reportPrivateUsage]
    Forget: StatementPrinter._forget,  # pyright: ignore[reportPrivateUsage]
}


def _only_counts(action: Action) -> bool:
    """Whether it gives a name to an integer plus a number: no line of the user's is about that."""
    if not isinstance(action, Bind) or not isinstance(action.value, Apply):
        return False
    kind = action.value.type
    named = action.targets[0].text
    shifts = action.value.primitive.name in ("add", "subtract") and not kind.rank and kind.dtype.kind == "i"
    return shifts and ("_plus_" in named or "_less_" in named)


def _innermost(stack: Name) -> Any:
    return stack.type.element if isinstance(stack.type, StackType) else stack.type


def _picks_once(index: Expression) -> bool:
    parts = index if is_tuple(index) else (index,)
    return all(_part_picks_once(part) for part in parts)


def _part_picks_once(part: Expression) -> bool:
    kind = getattr(part, "type", None)
    if isinstance(kind, ArrayType):
        return not kind.rank or kind.dtype.kind == "b"
    dtype = getattr(part, "dtype", None)
    return dtype is None or dtype.kind == "b" or not part.ndim


def _may_change(value: Expression) -> bool:
    """Whether a value may share its memory with something that is written later."""
    kind = getattr(value, "type", None)
    if not isinstance(kind, ArrayType) or not kind.rank:
        return False
    if isinstance(value, (Name, Entry)):
        return True
    primitive = value.primitive
    return primitive.views is not None or primitive.name in MAY_RETURN_OPERAND

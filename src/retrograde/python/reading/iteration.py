"""What `for` goes over: ranges whose bounds only the run knows, arrays, and combinations of them."""

# Values are anything that a user's code has: there is nothing for a type checker to know.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from retrograde.errors import UnsupportedError
from retrograde.python.reading.truth import is_dynamic
from retrograde.python.reading.values import Array, Number, call

if TYPE_CHECKING:
    from retrograde.python.reading.reader import Reader


UNROLLED_MOST = 1000
"""The most elements of a range or an array that are read one by one."""


@dataclass(frozen=True, slots=True)
class Span:
    """A range with a bound that only the run knows."""

    start: Any
    stop: Any
    step: Any

    def contains(self, reader: Reader, value: Any) -> Any:
        """Whether a number is in the range."""
        if not isinstance(self.step, int):
            raise UnsupportedError("`in` a range whose step only the run knows was asked for; write comparisons")
        first, last = (self.start, self.stop) if self.step > 0 else (self.stop + 1, self.start + 1)
        inside = (value >= first) & (value < last)
        return inside if abs(self.step) == 1 else inside & ((value - self.start) % self.step == 0)

    def count(self) -> Any:
        """How many numbers there are; below 0 where there are none."""
        width = self.stop if isinstance(self.start, int) and not self.start else self.stop - self.start
        if isinstance(self.step, int):
            if abs(self.step) == 1:
                return width if self.step > 0 else self.start - self.stop
            return (width + self.step - (1 if self.step > 0 else -1)) // self.step
        sign = call(self.step.heap, np.sign, (self.step,), {})
        return (width + self.step - sign) // self.step


@dataclass(frozen=True, slots=True)
class Turns:
    """What a loop goes over, when only the run knows how often, or the body is to be read once.

    Attributes:
        count: the number of elements.
        element: the element of an index that counts from 0.
        simple: whether the element is the index.
    """

    count: Any
    element: Callable[[Any], Any]
    simple: bool = False

    def without_first(self) -> Turns:
        """What is left behind the first element."""
        return Turns(self.count - 1, lambda index: self.element(index + 1))


class Combined:
    """`enumerate`, `zip` or `reversed` of something whose length only the run knows."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns


def make_range(*bounds: Any) -> Any:
    """`range` of ints and of numbers that only the run knows."""
    start, stop, step = (0, bounds[0], 1) if len(bounds) == 1 else (*bounds, 1)[:3]
    for bound in (start, stop, step):
        if isinstance(bound, Number) and bound.dtype.kind not in "iu":
            raise TypeError(f"{bound.dtype} cannot be interpreted as an integer; write range(int(n))")
    if is_dynamic(step) or is_dynamic(start) or is_dynamic(stop):
        return Span(*(bound.item() if isinstance(bound, np.integer) else bound for bound in (start, stop, step)))
    return range(*bounds)


def turns_of(reader: Reader, value: Any) -> Turns | None:
    """What a loop goes over as elements by an index; None if it goes over a container that is known."""
    if isinstance(value, range):
        return _ranged(len(value), value.start, value.step)
    if isinstance(value, Span):
        return _ranged(value.count(), value.start, value.step)
    if isinstance(value, Array):
        return Turns(call(reader.heap, len, (value,), {}), lambda index: value[index])
    return value.turns if hasattr(type(value), "turns") or isinstance(value, Combined) else None


def _ranged(count: Any, start: Any, step: Any) -> Turns:
    plain = isinstance(start, int) and isinstance(step, int)
    if plain and (start, step) == (0, 1):
        return Turns(count, lambda index: index, True)
    if plain and not start:
        return Turns(count, lambda index: index * step)
    if isinstance(step, int) and step == 1:
        return Turns(count, lambda index: index + start)
    if isinstance(step, int) and step == -1:
        return Turns(count, lambda index: start - index)
    return Turns(count, lambda index: index * step + start)


def elements_known(reader: Reader, value: Any) -> list[Any]:
    """The elements of something whose length is known, or has to be known."""
    turns = turns_of(reader, value)
    if turns is None:
        return list(value)
    count = turns.count
    if isinstance(count, Number):
        count = count.known("the number of elements of what is gone through here")
    if count > UNROLLED_MOST:
        raise UnsupportedError(
            f"{count} elements would be read one by one; keep them in an array, and go through it with a `for` loop "
            "whose body needs no number before the run"
        )
    return [turns.element(at) for at in range(count)]


def combine_enumerate(reader: Reader, values: Any, start: Any = 0) -> Any:
    """`enumerate`."""
    turns = turns_of(reader, values)
    if turns is None and not is_dynamic(start):
        return list(enumerate(values, start))
    turns = turns or _listed(list(values))
    plain = isinstance(start, int) and start == 0
    return Combined(Turns(turns.count, lambda at: (at if plain else start + at, turns.element(at))))


def combine_zip(reader: Reader, *values: Any, strict: bool = False) -> Any:
    """`zip`; what is longer than the others ends with them, or is an error."""
    found = [turns_of(reader, value) for value in values]
    if strict:
        _check_lengths(reader, [turn.count if turn else len(value) for turn, value in zip(found, values, strict=True)])
    if None in found:
        parts = [list(value) if turn is None else value for value, turn in zip(values, found, strict=True)]
        length = min(len(part) for part, turn in zip(parts, found, strict=True) if turn is None)
        return list(zip(*(_first(reader, part, length) for part in parts), strict=False))
    turns: list[Any] = found
    return Combined(
        Turns(_shortest(reader, [turn.count for turn in turns]), lambda at: tuple(turn.element(at) for turn in turns))
    )


def _check_lengths(reader: Reader, counts: list[Any]) -> None:
    for at, count in enumerate(counts[1:], 2):
        if not _same_count(counts[0], count):
            message = f"zip() argument {at} is shorter or longer than argument{'s 1' if at > 2 else ''} {at - 1}"
            differ = counts[0] != count
            if reader.is_certain and not is_dynamic(differ):
                raise ValueError(message)
            reader.check(reader.heap.condition(differ) if is_dynamic(differ) else True, ValueError, message)


def combine_ndindex(reader: Reader, *shape: Any) -> Combined:
    """`np.ndindex`."""
    extents: tuple[Any, ...] = shape[0] if len(shape) == 1 and isinstance(shape[0], tuple) else shape
    return Combined(Turns(_product(extents), lambda at: _unravelled(at, extents)))


def combine_ndenumerate(reader: Reader, array: Any) -> Combined:
    """`np.ndenumerate`."""
    extents: tuple[Any, ...] = array.shape

    def element(at: Any) -> Any:
        place = _unravelled(at, extents)
        return place, array[place]

    return Combined(Turns(_product(extents), element))


def _product(extents: tuple[Any, ...]) -> Any:
    count: Any = 1
    for extent in extents:
        count = count * extent
    return count


def _unravelled(at: Any, extents: tuple[Any, ...]) -> tuple[Any, ...]:
    """The indices of a place in C order."""
    parts: list[Any] = []
    for extent in reversed(extents[1:]):
        parts.append(at % extent)
        at = at // extent
    return (at, *reversed(parts))


def _first(reader: Reader, value: Any, length: int) -> Sequence[Any]:
    turns = turns_of(reader, value)
    if turns is None:
        return value
    if not isinstance(turns.count, int):
        return elements_known(reader, value)[:length]
    return [turns.element(at) for at in range(min(length, turns.count))]


def _shortest(reader: Reader, counts: list[Any]) -> Any:
    least = counts[0]
    for count in counts[1:]:
        if not _same_count(least, count):
            least = call(reader.heap, min, (least, count), {})
    return least


def _same_count(one: Any, other: Any) -> bool:
    if isinstance(one, Number) and isinstance(other, Number):
        mine, theirs = one.symbol.variable, other.symbol.variable
        return mine is theirs or (mine.extent is not None and mine.extent == theirs.extent)
    return not is_dynamic(one) and not is_dynamic(other) and one == other


def combine_reversed(reader: Reader, values: Any) -> Any:
    """`reversed`."""
    if isinstance(values, range):
        return values[::-1]
    if isinstance(values, Span) and isinstance(values.step, int) and abs(values.step) == 1:
        span: Span = values
        return Span(span.stop - span.step, span.start - span.step, -span.step)
    turns = turns_of(reader, values)
    if turns is None:
        known: Any = values
        return list(known)[::-1]
    return Combined(Turns(turns.count, lambda at: turns.element(turns.count - 1 - at)))


def _listed(values: list[Any]) -> Turns:
    return Turns(len(values), lambda at: values[at])

"""Work at the start of an iteration that only prepares arrays, moved to the end of the one before.

There it meets the nest that made what it reads, and both become one.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy

from retrograde.python.nests.parts.model import Let, Line, Nest, Part, Store, Suite, every_part, reads_of, writes_of
from retrograde.python.nests.passes.fusing import BaseOf, accesses, conflict, fits, renamed, with_scalars


def rotated(parts: list[Part], base_of: BaseOf, kept: set[str], names: Iterator[str]) -> list[Part]:
    """Parts with loops that begin with what the iteration before could have done.

    Args:
        parts: all of a function.
        base_of: a name for all the names that may share an array.
        kept: variables that are used outside of it, or by several names.
        names: new names.
    """
    result: list[Part] = []
    for part in parts:
        if isinstance(part, Suite):
            part.body = rotated(part.body, base_of, kept, names)
            part.otherwise = rotated(part.otherwise, base_of, kept, names)
            if part.header.startswith("for "):
                first = _movable(part, parts, base_of, kept)
                if first is not None:
                    part.body.remove(first)
                    result.append(_own(first, names))
                    last = part.body[-1]
                    assert isinstance(last, Nest)
                    part.body[-1] = Nest(
                        last.loops, last.extents, [*last.steps, *_own(renamed(first, last.loops), names).steps]
                    )
        result.append(part)
    return result


def _movable(suite: Suite, parts: list[Part], base_of: BaseOf, kept: set[str]) -> Nest | None:
    """The first nest of a loop, if it may run once more at the end, and is one with the last nest there."""
    nests = [part for part in suite.body if isinstance(part, Nest)]
    last = suite.body[-1] if suite.body else None
    if len(nests) < 2 or not isinstance(last, Nest) or not nests[0].loops:
        return None
    first = nests[0]
    before = suite.body[: suite.body.index(first)]
    if any(conflict(part, first, base_of) or not isinstance(part, Line) for part in before):
        return None
    if first.extents != last.extents or not fits(last, first, base_of):
        return None
    made = {step.array for step in first.steps if isinstance(step, Store)}
    if not _only_here(made, suite, parts, kept) or any(step.by for step in first.steps if isinstance(step, Store)):
        return None
    rest = Suite(suite.header, [part for part in suite.body if part is not first], suite.reads, suite.writes)
    if {base_of(name) for name in made} & {base_of(name) for name in writes_of(rest)}:
        return None
    scalars = {*suite.writes, *(name for part in suite.body if isinstance(part, Line) for name in part.writes)}
    scalars |= {
        step.name for part in suite.body if isinstance(part, Nest) for step in part.steps if isinstance(step, Let)
    }
    own = {step.name for step in first.steps if isinstance(step, Let)}
    return None if (reads_of(first) - own) & scalars else first


def _only_here(made: set[str], suite: Suite, parts: list[Part], kept: set[str]) -> bool:
    """Whether arrays are used in a loop alone, so that nobody sees what they hold behind it."""
    if made & kept or not made:
        return False
    inside = {id(part) for part in every_part([suite])}
    for part in every_part(parts):
        if id(part) in inside or (isinstance(part, Line) and part.makes in made):
            continue
        if isinstance(part, Suite) and id(suite) in {id(each) for each in every_part([part])}:
            continue
        if made & (reads_of(part) | writes_of(part)):
            return False
    return True


def _own(nest: Nest, names: Iterator[str]) -> Nest:
    """A copy of a nest with scalars of its own."""
    found = copy(nest)
    own = {step.name: next(names) for step in nest.steps if isinstance(step, Let)}
    found.steps = with_scalars(nest.steps, own)
    return found


__all__ = ["accesses", "rotated"]

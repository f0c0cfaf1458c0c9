"""Arrays are made as late as they can be, and, where memory is short, let go of after their last use."""

from __future__ import annotations

from retrograde.python.nests.fusing import BaseOf, conflict
from retrograde.python.nests.model import Constant, Line, Nest, Part, Store, value_of
from retrograde.python.nests.regions import Region, Segment


def late(parts: list[Part], base_of: BaseOf) -> list[Part]:
    """Allocations, and what is set to one number, as late as they can stand: next to what uses them, in its region."""
    result: list[Part] = []
    for part in reversed(parts):
        at = 0
        if _may_come_late(part):
            while at < len(result) and not conflict(part, result[at], base_of):
                at += 1
        result.insert(at, part)
    return result


def _may_come_late(part: Part) -> bool:
    if isinstance(part, Line):
        return part.makes is not None
    return isinstance(part, Nest) and all(
        not (isinstance(step, Store) and step.by) and isinstance(value_of(step), Constant) for step in part.steps
    )


def with_releases(segments: list[Segment], wanted: set[str]) -> list[Segment]:
    """A driver that deletes what its regions made, after the last segment that reads it.

    Args:
        segments: all of the driver, connected.
        wanted: the variables that are used at the end.
    """
    behind: list[set[str]] = []
    live = set(wanted)
    for segment in reversed(segments):
        behind.append(set(live))
        if isinstance(segment, Region):
            live -= set(segment.outputs)
        live |= _read(segment)
    result: list[Segment] = []
    made: set[str] = set()
    for segment, later in zip(segments, behind[::-1], strict=True):
        result.append(segment)
        if isinstance(segment, Region):
            made |= set(segment.outputs)
        gone = sorted(made - later)
        if gone:
            result.append(Line(f"del {', '.join(gone)}", python=True))
            made -= set(gone)
    return result


def _read(segment: Segment) -> set[str]:
    if isinstance(segment, Region):
        return set(segment.inputs)
    if isinstance(segment, Line):
        return set(segment.reads | segment.writes)
    return set(segment.suite.reads | segment.suite.writes).union(*(_read(inner) for inner in segment.inner))

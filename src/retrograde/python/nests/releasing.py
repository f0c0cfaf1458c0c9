"""Where memory is short: arrays are let go of after their last use."""

from __future__ import annotations

from retrograde.python.nests.parts.model import Line
from retrograde.python.nests.regions import Region, Segment


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

"""Parts divided into regions: what Numba compiles as one function, and what runs as Python between them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from retrograde.python.nests.parts.model import Let, Line, Nest, Part, Store, Suite, every_part, reads_of
from retrograde.python.nests.passes.contracting import contracted, hoisted
from retrograde.python.nests.passes.forwarding import constants_forwarded, copies_forwarded, forwarded, without_unread
from retrograde.python.nests.passes.fusing import BaseOf, all_read, fused, late
from retrograde.python.nests.passes.laned import in_lanes
from retrograde.python.nests.passes.margins import is_simple
from retrograde.python.nests.passes.residing import mirrored, settled, without_twins
from retrograde.python.nests.passes.rotating import rotated
from retrograde.python.nests.passes.transposing import transposed
from retrograde.python.nests.passes.turning import turned
from retrograde.python.nests.printing import lines_of

_MOST_NESTS = 16


@dataclass(eq=False, slots=True)
class Region:
    """Parts that become one function.

    Attributes:
        parts: what it does.
        inputs: the variables it takes.
        outputs: the variables it returns.
    """

    parts: list[Part]
    inputs: list[str] = field(default_factory=list[str])
    outputs: list[str] = field(default_factory=list[str])


@dataclass(eq=False, slots=True)
class PythonSuite:
    """A loop or branch that runs as Python, around regions."""

    suite: Suite
    body: list[Segment]
    otherwise: list[Segment]

    @property
    def inner(self) -> list[Segment]:
        """What stands under it, on both sides."""
        return [*self.body, *self.otherwise]


Segment: TypeAlias = "Region | Line | PythonSuite"


def divided(parts: list[Part], base_of: BaseOf, in_loop: bool = False) -> list[Segment]:
    """Parts as regions and what runs as Python.

    Args:
        parts: what happens, in order.
        base_of: a name for all the names that may share an array.
        in_loop: whether a loop that runs as Python is around them.
    """
    segments: list[Segment] = []
    gathered: list[Part] = []

    def close() -> None:
        for chunk in _chunks(late(gathered, base_of)):
            segments.append(Region(chunk))
        gathered.clear()

    for part in parts:
        if not _has_python(part) and not (in_loop and may_break(part)):
            gathered.append(part)
            continue
        close()
        if isinstance(part, Suite):
            inside = in_loop or part.loops
            body, otherwise = (divided(side, base_of, inside) for side in (part.body, part.otherwise))
            segments.append(PythonSuite(part, body, otherwise))
        else:
            segments.append(part)  # pyright: ignore[reportArgumentType]
    close()
    return segments


def _has_python(part: Part) -> bool:
    if isinstance(part, Suite):
        return any(map(_has_python, part.inner))
    return isinstance(part, Line) and part.python


def may_break(part: Part) -> bool:
    """Whether it may end the loop around it."""
    if isinstance(part, Suite):
        return not part.loops and any(map(may_break, part.inner))
    return isinstance(part, Line) and part.text.endswith("break")


def _chunks(parts: list[Part]) -> Iterator[list[Part]]:
    chunk: list[Part] = []
    weight = 0
    for part in parts:
        own = sum(isinstance(each, Nest) and bool(each.loops) for each in every_part([part]))
        if chunk and weight + own > _MOST_NESTS:
            yield chunk
            chunk, weight = [], 0
        chunk.append(part)
        weight += own
    if chunk:
        yield chunk


def connected(
    segments: list[Segment], given: set[str], wanted: set[str], base_of: BaseOf, aliased: set[str], names: Iterator[str]
) -> None:
    """Say what each region takes and returns, and make fewer nests of its own.

    Args:
        segments: all of the driver; they are changed.
        given: the variables that are there at the start.
        wanted: the variables that are used at the end.
        base_of: a name for all the names that may share an array.
        aliased: arrays that have several names.
        names: new names for scalars.
    """
    regions = list(regions_of(segments))
    bound = {id(region): bound_in(region.parts) for region in regions}
    outside = set(given) | _python_binds(segments)
    live: dict[int, set[str]] = {}
    _live_before(segments, set(wanted), set(), live)
    for region in regions:
        others = [other for other in regions if other is not region]
        elsewhere = outside.union(*(bound[id(other)] for other in others))
        region.outputs = sorted(bound[id(region)] & live[id(region)])
        kept = set(region.outputs) | aliased
        region.parts = simplified(region.parts, kept, base_of, names)
        open_reads, sure = exposed(region.parts)
        unsure = {name for name in region.outputs if name not in sure}
        region.inputs = sorted((open_reads | unsure) & elsewhere | (open_reads - bound_in(region.parts)))


def _live_before(segments: list[Segment], after: set[str], broken: set[str], found: dict[int, set[str]]) -> set[str]:
    """The variables whose values are needed before segments.

    Args:
        segments: what happens, in order.
        after: the variables that are needed behind them.
        broken: the variables that are needed behind the loop around them.
        found: takes what is needed behind each region.
    """
    for segment in reversed(segments):
        if isinstance(segment, Region):
            found[id(segment)] = after
            reads, sure = exposed(segment.parts)
            after = reads | (after - sure)
        elif isinstance(segment, Line):
            after = broken | after if may_break(segment) else after
            after = {*segment.reads, *(segment.writes - segment.binds), *(after - segment.binds)}
        elif segment.suite.loops:
            before = _live_before(segment.body, after, after, {}) - segment.suite.writes
            after = after | segment.suite.reads | before
            after |= _live_before(segment.body, set(after), set(after), found) - segment.suite.writes
        else:
            then = _live_before(segment.body, after, broken, found)
            after = then | _live_before(segment.otherwise, after, broken, found) | segment.suite.reads
    return after - {"#control"}


def simplified(parts: list[Part], kept: set[str], base_of: BaseOf, names: Iterator[str]) -> list[Part]:
    """The parts of a function in fewer and larger nests."""
    parts = _forwarded(fused(parts, base_of, kept), base_of, names)
    simple = {part.makes for part in every_part(parts) if isinstance(part, Line) and part.makes} - kept
    copies_forwarded(parts, base_of, {name for name in simple if is_simple(parts, name)})
    parts = without_unread(contracted(parts, kept), kept)
    parts = rotated(hoisted(parts, kept), base_of, kept, names)
    parts = without_unread(contracted(_forwarded(parts, base_of, names), kept), kept)
    simple = {part.makes for part in every_part(parts) if isinstance(part, Line) and part.makes} - kept
    simple = {name for name in simple if is_simple(parts, name)}
    without_twins(parts, simple)
    parts = mirrored(without_unread(parts, kept), base_of, simple)
    parts = turned(settled(parts, base_of, names), base_of, names)
    parts = transposed(parts, base_of, names)
    return hoisted(in_lanes(parts, base_of, names), kept)


def _forwarded(parts: list[Part], base_of: BaseOf, names: Iterator[str]) -> list[Part]:
    for part in every_part(parts):
        if isinstance(part, Nest):
            forwarded(part, base_of, names)
    constants_forwarded(parts, base_of, names)
    return parts


def regions_of(segments: list[Segment]) -> Iterator[Region]:
    """What is compiled, that in loops which run as Python included."""
    for segment in segments:
        if isinstance(segment, Region):
            yield segment
        elif isinstance(segment, PythonSuite):
            yield from regions_of(segment.inner)


def _python_binds(segments: list[Segment]) -> set[str]:
    found: set[str] = set()
    for segment in segments:
        if isinstance(segment, Line):
            found |= segment.binds
        elif isinstance(segment, PythonSuite):
            found |= segment.suite.writes | _python_binds(segment.inner)
    return found


def binds_of(part: Part) -> set[str]:
    """The variables that a part itself sets to something new."""
    if isinstance(part, Nest):
        return {step.name for step in part.steps if isinstance(step, Let)}
    return set(part.binds) if isinstance(part, Line) else set(part.writes)


def bound_in(parts: list[Part]) -> set[str]:
    """The variables that parts set to something new."""
    return {name for part in every_part(parts) for name in binds_of(part)}


def exposed(parts: list[Part], sure: frozenset[str] = frozenset()) -> tuple[set[str], set[str]]:
    """What parts read that they may not have set before, and what they certainly set."""
    certain = set(sure)
    reads: set[str] = set()
    for part in parts:
        if isinstance(part, Suite):
            reads |= set(part.reads) - certain
            inner, set_inside = exposed(part.body, frozenset(certain | part.writes))
            other, set_otherwise = exposed(part.otherwise, frozenset(certain))
            reads |= inner | other
            certain |= set() if part.loops else set_inside & set_otherwise
            continue
        own = _nest_reads(part) if isinstance(part, Nest) else reads_of(part) | (set(part.writes) - part.binds)
        reads |= own - certain
        certain |= binds_of(part)
    return reads - {"#control"}, certain


def _nest_reads(nest: Nest) -> set[str]:
    """What a nest reads of what was there before it, the arrays that it stores into included."""
    reads = {name for extent in nest.extents for name in extent.names}
    own: set[str] = set()
    for step in nest.steps:
        reads |= all_read(step) - own
        if isinstance(step, Store):
            reads.add(step.array)
        elif isinstance(step, Let):
            own.add(step.name)
    return reads - set(nest.loops)


def function_text(name: str, region: Region, names: Iterator[str]) -> str:
    """A region as a function. What it allocates once may be large, where the sizes are not known beforehand."""
    lines: list[str] = []
    for part in region.parts:
        lines += lines_of([part], names)
        if isinstance(part, Line) and part.makes and part.reads and "np.empty(" in part.text:
            lines.append(f"in_large_pages({part.makes})")
    if region.outputs:
        lines.append(f"return {', '.join(region.outputs)}")
    return "\n".join([f"def {name}({', '.join(region.inputs)}):", *(f"    {line}" for line in lines or ["pass"])])


def call_text(name: str, region: Region) -> str:
    """The call of a region's function."""
    call = f"{name}({', '.join(region.inputs)})"
    return f"{', '.join(region.outputs)} = {call}" if region.outputs else call

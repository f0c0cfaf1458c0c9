"""Long loop bodies as several functions: a compiler's time grows faster than the length of a function."""

from __future__ import annotations

from collections.abc import Callable

from retrograde.python.nests.model import Line, Nest, Part, Suite, every_part, writes_of
from retrograde.python.nests.regions import Region, bound_in, call_text, exposed, may_break

_LONG = 24
_CHUNK = 12


def outlined(region: Region, new_name: Callable[[], str]) -> list[tuple[str, Region]]:
    """Take pieces out of the long loops of a region; the functions that they become, callees first."""
    made: list[tuple[str, Region]] = []
    region.parts = _shortened(region.parts, region, made, new_name, in_loop=False)
    return made


def weight(part: Part) -> int:
    """How many loops a part has."""
    return sum(isinstance(each, Nest) and bool(each.loops) for each in every_part([part]))


def _shortened(
    parts: list[Part], region: Region, made: list[tuple[str, Region]], new_name: Callable[[], str], in_loop: bool
) -> list[Part]:
    for part in parts:
        if isinstance(part, Suite) and weight(part) > _LONG:
            inside = in_loop or part.loops
            part.body = _shortened(part.body, region, made, new_name, inside)
            part.otherwise = _shortened(part.otherwise, region, made, new_name, inside)
    if not in_loop or sum(map(weight, parts)) <= _LONG:
        return parts
    result: list[Part] = []
    chunk: list[Part] = []
    for part in parts:
        if may_break(part):
            _close(chunk, result, region, made, new_name)
            result.append(part)
            continue
        if chunk and sum(map(weight, chunk)) + weight(part) > _CHUNK:
            _close(chunk, result, region, made, new_name)
        chunk.append(part)
    _close(chunk, result, region, made, new_name)
    return result


def _close(
    chunk: list[Part],
    result: list[Part],
    region: Region,
    made: list[tuple[str, Region]],
    new_name: Callable[[], str],
) -> None:
    if sum(map(weight, chunk)) < 2:
        result += chunk
    else:
        name = new_name()
        piece = _piece(list(chunk), region)
        made.append((name, piece))
        writes = frozenset(name for part in piece.parts for name in writes_of(part)) & {*piece.inputs, *piece.outputs}
        result.append(Line(call_text(name, piece), frozenset(piece.inputs), writes, None, frozenset(piece.outputs)))
    chunk.clear()


def _piece(parts: list[Part], region: Region) -> Region:
    """A region of its own, whose variables are those of the region around it."""
    inside = {id(part) for part in every_part(parts)}
    others: list[Part] = [
        part for part in every_part(region.parts) if id(part) not in inside and not isinstance(part, Suite)
    ]
    suites = [part for part in every_part(region.parts) if id(part) not in inside and isinstance(part, Suite)]
    bound = bound_in(parts)
    elsewhere = set(region.inputs) | bound_in(others) | {name for suite in suites for name in suite.writes}
    open_reads, sure = exposed(parts)
    needed = set(region.outputs) | open_reads
    for part in others:
        needed |= exposed([part])[0]
    for suite in suites:
        needed |= suite.reads
    outputs = sorted(bound & needed)
    unsure = {name for name in outputs if name not in sure}
    inputs = sorted((open_reads | unsure) & elsewhere | (open_reads - bound))
    return Region(parts, inputs, outputs)

"""Long loop bodies as several functions: a compiler's time grows faster than the length of a function."""

from __future__ import annotations

from collections.abc import Callable

from retrograde.python.nests.parts.model import Line, Nest, Part, Suite, every_part, writes_of
from retrograde.python.nests.regions import Region, bound_in, call_text, exposed, may_break

_LONG = 24
_CHUNK = 12


def outlined(region: Region, new_name: Callable[[], str]) -> list[tuple[str, Region]]:
    """Take pieces out of the long loops of a region; the functions that they become, callees first."""
    if weight_of(region.parts) <= _LONG:
        return []
    live: dict[int, set[str]] = {}
    live_before(region.parts, set(region.outputs), set(), live)
    return _Outlining(region, live, new_name).made()


def weight(part: Part) -> int:
    """How many loops a part has."""
    return sum(isinstance(each, Nest) and bool(each.loops) for each in every_part([part]))


def weight_of(parts: list[Part]) -> int:
    """How many loops parts have together."""
    return sum(map(weight, parts))


def live_before(parts: list[Part], after: set[str], broken: set[str], found: dict[int, set[str]]) -> set[str]:
    """The variables whose values are needed before parts.

    Args:
        parts: what happens, in order.
        after: the variables that are needed behind them.
        broken: the variables that are needed behind the loop around them.
        found: takes what is needed behind each part.
    """
    for part in reversed(parts):
        if may_break(part):
            after = after | broken
        found[id(part)] = after
        if not isinstance(part, Suite):
            reads, sure = exposed([part])
            after = reads | (after - sure)
        elif part.loops:
            before = live_before(part.body, after, after, {}) - part.writes
            after = after | part.reads | before
            after = after | (live_before(part.body, after, after, found) - part.writes)
        else:
            then = live_before(part.body, after, broken, found)
            after = then | live_before(part.otherwise, after, broken, found) | part.reads
    return after - {"#control"}


class _Outlining:
    """Pieces taken out of a region.

    Args:
        region: which; its parts are changed.
        live: the variables that are needed behind each part, by its identity.
        new_name: names for functions.
    """

    def __init__(self, region: Region, live: dict[int, set[str]], new_name: Callable[[], str]) -> None:
        self._region = region
        self._live = live
        self._new_name = new_name
        self._made: list[tuple[str, Region]] = []

    def made(self) -> list[tuple[str, Region]]:
        """Take them out; the functions that they become, callees first."""
        self._region.parts = self._shortened(self._region.parts, in_loop=False)
        return self._made

    def _shortened(self, parts: list[Part], in_loop: bool) -> list[Part]:
        for part in parts:
            if isinstance(part, Suite) and weight(part) > _LONG:
                inside = in_loop or part.loops
                part.body = self._shortened(part.body, inside)
                part.otherwise = self._shortened(part.otherwise, inside)
        if not in_loop or weight_of(parts) <= _LONG:
            return parts
        result: list[Part] = []
        chunk: list[Part] = []
        for part in parts:
            if may_break(part):
                self._close(chunk, result)
                result.append(part)
                continue
            if chunk and weight_of(chunk) + weight(part) > _CHUNK:
                self._close(chunk, result)
            chunk.append(part)
        self._close(chunk, result)
        return result

    def _close(self, chunk: list[Part], result: list[Part]) -> None:
        if weight_of(chunk) < 2:
            result += chunk
        else:
            name = self._new_name()
            piece = self._piece(list(chunk))
            self._made.append((name, piece))
            writes = frozenset(name for part in piece.parts for name in writes_of(part))
            writes &= {*piece.inputs, *piece.outputs}
            result.append(Line(call_text(name, piece), frozenset(piece.inputs), writes, None, frozenset(piece.outputs)))
        chunk.clear()

    def _piece(self, parts: list[Part]) -> Region:
        """A region of its own, whose variables are those of the region around it."""
        inside = {id(part) for part in every_part(parts)}
        around = [part for part in every_part(self._region.parts) if id(part) not in inside]
        elsewhere = set(self._region.inputs) | bound_in([part for part in around if not isinstance(part, Suite)])
        elsewhere |= {name for suite in around if isinstance(suite, Suite) for name in suite.writes}
        bound = bound_in(parts)
        open_reads, sure = exposed(parts)
        outputs = sorted(bound & self._live[id(parts[-1])])
        unsure = {name for name in outputs if name not in sure}
        inputs = sorted((open_reads | unsure) & elsewhere | (open_reads - bound))
        return Region(parts, inputs, outputs)

"""Comments that say which line of the user's function a block of statements computes, or reverses."""

from __future__ import annotations

import linecache
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace

from retrograde.program.model import Place

_LONGEST = 70
"""The most characters of a line that is quoted."""


class Comments:
    """The comments of one text.

    Args:
        function: the name of the function whose lines need no name.
    """

    def __init__(self, function: str | None = None) -> None:
        self._function = function
        self._last: Place | None = None

    @contextmanager
    def inside(self) -> Generator[None]:
        """A context for an inner block: behind it, the outer line is said again."""
        before = self._last
        yield
        self._last = None if self._last is not before else before

    def before(self, place: Place) -> list[str]:
        """The comment in front of a statement: none where the one in front of it came from the same line."""
        if place == self._last or (self._last is not None and self._last == replace(place, reverses=True)):
            # What a reversed line computes again belongs to it.
            return []
        self._last = place
        line = linecache.getline(place.file, place.line).strip()
        what = f"{'reverses ' if place.reverses else ''}line {place.line}"
        if self._function is not None and place.function != self._function:
            what += f" of {place.function}"
        quoted = f": {line}" if 0 < len(line) <= _LONGEST else ""
        return [f"# {what}{quoted}"]

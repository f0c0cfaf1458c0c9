"""The default report of a long planning: on standard error, once it has taken more than a second."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO

from retrograde.planning.budget import format_bytes
from retrograde.planning.progress import Progress

if TYPE_CHECKING:
    from rich.status import Status


class ProgressReporter:
    """A ``progress`` callback for planning that says nothing at first and one line from then on.

    On a terminal the line is rewritten in place and wiped at the end; elsewhere a new one is written every few
    seconds. Use it as a context manager around the planning, so that the line is wiped after an exception too.

    Args:
        stream: where to write; ``sys.stderr`` when left out.
        delay_seconds: how long to stay silent.
        interval_seconds: least time between two lines where the stream is not a terminal.
        clock: seconds from any origin; ``time.perf_counter`` when left out.

    Example:
        >>> import retrograde as rg
        >>> graph = rg.Graph.from_arrays(cost=[1, 1], bytes=[8, 8], edges=[(0, 1)])
        >>> from retrograde.planning import plan
        >>> with ProgressReporter() as reporter:
        ...     plan(graph, "100%", "store_all", progress=reporter).peak_bytes
        16
    """

    def __init__(
        self,
        stream: TextIO | None = None,
        *,
        delay_seconds: float = 1.0,
        interval_seconds: float = 5.0,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._stream = stream
        self._delay_seconds = delay_seconds
        self._interval_seconds = interval_seconds
        self._clock = clock
        self._begin = clock()
        self._last_line: float | None = None
        self._status: Status | None = None

    def __call__(self, progress: Progress) -> None:
        """Take a report, and show it if it is time to."""
        now = self._clock()
        if now - self._begin <= self._delay_seconds:
            return
        stream = self._stream if self._stream is not None else sys.stderr
        if stream.closed:
            return
        line = describe_progress(progress, now - self._begin)
        if stream.isatty():
            self._show(stream, line)
        elif self._last_line is None or now - self._last_line >= self._interval_seconds:
            self._last_line = now
            with contextlib.suppress(OSError):
                stream.write(f"retrograde: {line}\n")
                stream.flush()

    def close(self) -> None:
        """Wipe the line. The reporter may be used again."""
        if self._status is not None:
            self._status.stop()
            self._status = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _show(self, stream: TextIO, line: str) -> None:
        from rich.console import Console
        from rich.markup import escape

        if self._status is None:
            self._status = Console(file=stream).status(escape(line))
            self._status.start()
        else:
            self._status.update(escape(line))


def describe_progress(progress: Progress, elapsed_seconds: float) -> str:
    """A report as one line.

    Args:
        progress: the report.
        elapsed_seconds: since planning began.

    Example:
        >>> describe_progress(Progress("auto", fraction=0.5, peak_bytes=2048), 3.2)
        'planning (auto), 50 %, 3 s, best peak so far 2.00 KiB'
    """
    parts = [f"planning ({progress.stage})"]
    if progress.fraction is not None:
        parts.append(f"{100 * progress.fraction:.0f} %")
    parts.append(f"{elapsed_seconds:.0f} s")
    if progress.peak_bytes is not None:
        parts.append(f"best peak so far {format_bytes(progress.peak_bytes)}")
    return ", ".join(parts)

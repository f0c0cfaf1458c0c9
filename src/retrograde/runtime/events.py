"""What happened while a plan was carried out: the event log, and the reports and profiles made from it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Event:
    """One action of a plan, carried out.

    Attributes:
        index: which action of the plan it is.
        seconds: when it began, in seconds since the log began.
        duration_seconds: how long it took.
        action: ``"compute"``, ``"free"``, ``"spill"`` or ``"load"``.
        target: index of the operation (compute) or of the storage (free, spill, load).
        operation: name of the operation; empty for an action on a storage.
        segment: the segment in which it ran.
        live_bytes: the most bytes live while it ran by the graph, or bytes live after it by a meter; None where
            neither was given.
        error: what it failed with; empty if it did not.
        choice: by which of its choices the operation ran; 0 where there is one way to run it.
    """

    index: int
    seconds: float
    duration_seconds: float
    action: str
    target: int
    operation: str = ""
    segment: int = 0
    live_bytes: int | None = None
    error: str = ""
    choice: int = 0

    @property
    def label(self) -> str:
        """How reports name it: the operation's name and its choice if it is not 0, or the action and its storage."""
        by = f" (choice {self.choice})" if self.choice else ""
        return f"{self.operation}{by}" if self.operation else f"{self.action} storage {self.target}"


@dataclass(frozen=True, slots=True)
class OperationProfile:
    """What one operation took, over all its runs.

    Attributes:
        operation: index of the operation.
        name: its name.
        count: how often it ran.
        seconds: in all.
        live_bytes: the most bytes live at any of its runs; None where the log knows none.
    """

    operation: int
    name: str
    count: int
    seconds: float
    live_bytes: int | None


class EventLog:
    """Events in the order in which they happened.

    Args:
        clock: seconds from any origin; ``time.perf_counter`` when left out.

    Example:
        >>> log = EventLog()
        >>> log.record(index=0, begin=log.now(), action="compute", target=3, operation="matmul", live_bytes=64)
        >>> [(event.label, event.live_bytes) for event in log]
        [('matmul', 64)]
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._begin = clock()
        self._events: list[Event] = []

    def now(self) -> float:
        """Seconds since the log began."""
        return self._clock() - self._begin

    def record(
        self,
        *,
        index: int,
        begin: float,
        action: str,
        target: int,
        operation: str = "",
        segment: int = 0,
        live_bytes: int | None = None,
        error: str = "",
        choice: int = 0,
    ) -> None:
        """Add an event that began at ``begin`` (by ``now``) and ends now; the other arguments are ``Event``'s."""
        duration = self.now() - begin
        self._events.append(
            Event(index, begin, duration, action, target, operation, segment, live_bytes, error, choice)
        )

    @property
    def events(self) -> tuple[Event, ...]:
        """The events so far."""
        return tuple(self._events)

    def __iter__(self) -> Iterator[Event]:
        return iter(tuple(self._events))

    def __len__(self) -> int:
        return len(self._events)

    @property
    def peak_bytes(self) -> int | None:
        """The most bytes live at any event; None where the log knows none."""
        return max((event.live_bytes for event in self._events if event.live_bytes is not None), default=None)

    def to_dicts(self) -> list[dict[str, Any]]:
        """The events as plain dictionaries, one for each, with the fields of ``Event``."""
        return [asdict(event) for event in self._events]

    def to_json(self) -> str:
        """The events as JSON text: a list of objects with the fields of ``Event``."""
        return json.dumps(self.to_dicts())

    def to_chrome_trace(self) -> str:
        """The events as JSON text in Chrome's trace event format, for chrome://tracing or https://ui.perfetto.dev.

        Each action is a slice, in one row for each segment; live bytes are a counter. Times are in microseconds.
        """
        entries: list[dict[str, Any]] = []
        for event in self._events:
            arguments = {"action": event.index, "target": event.target, "live_bytes": event.live_bytes}
            arguments |= {"choice": event.choice} if event.choice else {}
            place = {"pid": 0, "tid": event.segment, "ts": event.seconds * 1e6}
            entries.append(
                {"name": event.label, "cat": event.action, "ph": "X", "dur": event.duration_seconds * 1e6}
                | place
                | {"args": arguments | ({"error": event.error} if event.error else {})}
            )
            if event.live_bytes is not None:
                entries.append({"name": "live bytes", "ph": "C", "args": {"bytes": event.live_bytes}} | place)
        return json.dumps({"traceEvents": entries, "displayTimeUnit": "ms"})

    def profile(self) -> list[OperationProfile]:
        """One line for each operation that ran: how often, for how long, beside how many bytes; the longest first."""
        runs: dict[int, list[Event]] = {}
        for event in self._events:
            if event.action == "compute":
                runs.setdefault(event.target, []).append(event)
        lines = [
            OperationProfile(
                operation=operation,
                name=of_one[0].operation,
                count=len(of_one),
                seconds=sum(event.duration_seconds for event in of_one),
                live_bytes=max((e.live_bytes for e in of_one if e.live_bytes is not None), default=None),
            )
            for operation, of_one in runs.items()
        ]
        return sorted(lines, key=lambda line: (-line.seconds, line.operation))

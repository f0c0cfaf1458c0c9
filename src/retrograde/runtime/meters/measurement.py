"""What a meter returns, and how allocator events become live bytes over time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Measurement:
    """What a meter saw during one call of a step.

    Attributes:
        peak_bytes: the most bytes allocated during the call and still live, at any moment of the call. What was live
            before does not count, and freeing it earns no credit.
        timeline: pairs of seconds since the call began and live bytes from then on, in order of time; empty where a
            meter knows only the peak.
        meter: which meter read it.
        device: what it was read on: ``"cpu"``, ``"cuda:0"``, ``"process"``.

    Example:
        >>> Measurement(peak_bytes=96, timeline=((0.0, 96), (0.5, 32)), meter="example").end_bytes
        32
    """

    peak_bytes: int
    timeline: tuple[tuple[float, int], ...] = ()
    meter: str = ""
    device: str = "cpu"

    @property
    def end_bytes(self) -> int:
        """Bytes allocated during the call that were still live when it ended; 0 without a timeline."""
        return self.timeline[-1][1] if self.timeline else 0


@dataclass(frozen=True, slots=True)
class AllocationEvent:
    """One thing that an allocator did.

    Attributes:
        seconds: when, on the allocator's clock.
        address: where the block begins.
        bytes: size of the block, above 0 when it is allocated, below 0 when it is freed.
    """

    seconds: float
    address: int
    bytes: int


def follow_allocations(
    events: Iterable[AllocationEvent], *, begin_seconds: float = 0.0, meter: str = "", device: str = "cpu"
) -> Measurement:
    """Live bytes over time from an allocator's events, by the definition of a budget.

    A free counts only where it gives back a block that was allocated among the events themselves: what was live
    before is none of the call's.

    Args:
        events: in order of time.
        begin_seconds: when the call began, on the allocator's clock.
        meter: which meter recorded them.
        device: where.

    Example:
        >>> events = [AllocationEvent(0.0, 16, 96), AllocationEvent(0.1, 8, -500), AllocationEvent(0.2, 16, -96)]
        >>> follow_allocations(events).timeline
        ((0.0, 96), (0.2, 0))
    """
    blocks: dict[int, int] = {}
    timeline: list[tuple[float, int]] = []
    live = peak = 0
    for event in events:
        before = live
        if event.bytes > 0:
            # An address handed out twice was freed in between where nobody recorded it.
            live -= blocks.get(event.address, 0)
            blocks[event.address] = event.bytes
            live += event.bytes
        else:
            live -= blocks.pop(event.address, 0)
        if live != before:
            timeline.append((event.seconds - begin_seconds, live))
            peak = max(peak, live)
    return Measurement(peak_bytes=peak, timeline=tuple(timeline), meter=meter, device=device)

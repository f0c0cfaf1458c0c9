"""Stacked bars: for each of several things its parts, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from retrograde.report.scales import Scale, byte_ticks
from retrograde.report.svg import HEADING_BASELINE, Axes, Drawing, Figure, text_width
from retrograde.report.tables import short_bytes

_TOP, _BOTTOM, _ROW, _BAR = 38.0, 46.0, 24.0, 15.0
_LEAST_WIDTH = 1.5


@dataclass(frozen=True)
class StackedBar:
    """One bar.

    Attributes:
        name: at its left.
        parts: bytes of each part, as many as there are kinds.
        note: at its right; the sum of the parts when left out.
    """

    name: str
    parts: tuple[int, ...]
    note: str = ""


def stacked_figure(
    bars: Sequence[StackedBar], kinds: Sequence[tuple[str, str]], *, heading: str = "", width: float = 860
) -> Figure:
    """Bars of bytes, each in parts, one below the other.

    Args:
        bars: at least one.
        kinds: for each part its name and its colour; those that no bar has are left out of the key.
        heading: written above the plot.
        width: of the picture, in pixels.
    """
    highest = max((sum(bar.parts) for bar in bars), default=0) * 1.02 or 1.0
    notes = [bar.note or short_bytes(sum(bar.parts)) for bar in bars]
    left = max((text_width(bar.name) for bar in bars), default=0.0) + 12
    right = width - max((text_width(note) for note in notes), default=0.0) - 12
    height = _TOP + _ROW * len(bars) + _BOTTOM
    axes = Axes(Scale(0.0, highest, left, right), Scale(0.0, 1.0, height - _BOTTOM, _TOP))
    drawing = Drawing()
    _draw_grid(drawing, axes, highest)
    for row, (bar, note) in enumerate(zip(bars, notes, strict=True)):
        _draw_bar(drawing, axes, bar, note, kinds, _TOP + _ROW * row + (_ROW - _BAR) / 2)
    drawing.line(axes.left, axes.top, axes.left, axes.bottom, "muted")
    drawing.words(0, HEADING_BASELINE, [(heading, "ink", True)])
    present = [kind for place, kind in enumerate(kinds) if any(bar.parts[place] for bar in bars)]
    axes.draw_key(drawing, present)
    return drawing.figure(width, height - 14, heading or "Bytes in parts")


def _draw_grid(drawing: Drawing, axes: Axes, highest: float) -> None:
    ticks = byte_ticks(highest)
    for number, text in zip(ticks.at, ticks.text, strict=True):
        place = axes.x(number)
        drawing.line(place, axes.top, place, axes.bottom, "grid")
        drawing.text(place, axes.bottom + 18, text, "muted", "middle")


def _draw_bar(
    drawing: Drawing, axes: Axes, bar: StackedBar, note: str, kinds: Sequence[tuple[str, str]], top: float
) -> None:
    baseline = top + _BAR / 2 + 4
    drawing.text(axes.left - 8, baseline, bar.name, "ink", "end")
    begin = 0
    for part, (_, colour) in zip(bar.parts, kinds, strict=True):
        if part:
            at = axes.x(begin)
            drawing.rect(at, top, max(_LEAST_WIDTH, axes.x(begin + part) - at), _BAR, colour)
        begin += part
    drawing.text(axes.right + 8, baseline, note, "muted")

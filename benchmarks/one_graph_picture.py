"""The picture of ``torch_one_graph.py``: measured peak against measured extra time, peers as points."""

from __future__ import annotations

from collections.abc import Sequence

from trials import ModelResult, Row

from retrograde.report import Figure
from retrograde.report.scales import Scale, percent_ticks, round_step
from retrograde.report.svg import Axes, Drawing

_WIDTH, _HEIGHT, _GAP = 430.0, 270.0, 34.0
_LEFT, _TOP, _BOTTOM = 46.0, 30.0, 46.0
_KINDS = (
    ("retrograde", ("budget", "at peer", "engine"), "series-0"),
    ("torch.utils.checkpoint", ("checkpoint",), "series-1"),
    ("activation_memory_budget", ("activation budget",), "series-2"),
)
_CEILING = 0.8
"""Extra time above which points are drawn at the top of a panel."""


def picture(results: Sequence[ModelResult]) -> Figure:
    """One panel a model, two in a row: less memory to the right, more time upwards; bars are quartiles."""
    drawing = Drawing()
    drawing.words(0, 14, [part for name, _, colour in _KINDS for part in ((f"● {name}\u2003", colour, True),)])
    for place, result in enumerate(results):
        x = (place % 2) * (_WIDTH + _GAP)
        y = 34.0 + (place // 2) * (_HEIGHT + _GAP)
        _panel(drawing, result, x, y)
    lines = (len(results) + 1) // 2
    width = 2 * _WIDTH + _GAP if len(results) > 1 else _WIDTH
    return drawing.figure(width, 34.0 + lines * (_HEIGHT + _GAP) - _GAP, "Extra time against peak, by model")


def _panel(drawing: Drawing, result: ModelResult, x: float, y: float) -> None:
    rows = [row for row in result.rows if row.extra is not None and row.peaks]
    tops = [min(_CEILING, row.extra.median) for row in rows if row.extra is not None]
    step = round_step(max(0.1, *tops) * 1.1, 5)
    ceiling = step * (int(max(0.1, *tops) * 1.1 / step) + 1)
    axes = Axes(
        Scale(1.0, 0.0, x + _LEFT, x + _WIDTH),
        Scale(0.0, ceiling, y + _HEIGHT - _BOTTOM, y + _TOP),
    )
    drawing.text(x, y + 12, result.title, "ink", strong=True)
    axes.draw_grid(drawing, percent_ticks(0.0, 1.0, 5), percent_ticks(0, ceiling, 5))
    for name, kinds, colour in reversed(_KINDS):
        chosen = [row for row in rows if row.kind in kinds]
        _points(drawing, axes, result, chosen, colour, ceiling, joined=name == "retrograde")
    axes.draw_ground(drawing)
    drawing.text((axes.left + axes.right) / 2, axes.bottom + 38, "measured peak, in % of store-all", "muted", "middle")
    drawing.text(axes.right, y + 26, "extra time", "muted", "end")


def _points(
    drawing: Drawing, axes: Axes, result: ModelResult, rows: list[Row], colour: str, ceiling: float, *, joined: bool
) -> None:
    places: list[tuple[float, float]] = []
    for row in sorted(rows, key=lambda row: max(row.peaks)):
        assert row.extra is not None
        x = axes.x(max(row.peaks) / result.store_all_peak_bytes)
        low, middle, high = (
            axes.y(min(ceiling, max(0.0, e))) for e in (row.extra.low, row.extra.median, row.extra.high)
        )
        drawing.line(x, low, x, high, colour, 1.5)
        places.append((x, middle))
    if joined and len(places) > 1:
        drawing.polyline(places, colour, 1.5)
    for x, height in places:
        drawing.dot(x, height, 4.0, colour)

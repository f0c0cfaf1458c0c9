"""The picture of ``tape_budget.py``: runs of the recorded operations against memory, a panel for each program."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from retrograde.report import Figure
from retrograde.report.scales import Scale, Ticks
from retrograde.report.svg import Axes, Drawing

_WIDTH, _HEIGHT, _GAP = 300.0, 300.0, 24.0
_LEFT, _TOP, _BOTTOM = 34.0, 34.0, 50.0
_HIGHEST = 5.0
_LINES = (("auto", "series-0"), ("dtr", "series-1"), ("lru", "series-3"))
_DOTS = (("sqrt", "series-2"), ("recompute_all", "series-2"))
_SHARES = (1.0, 0.5, 0.2, 0.1, 0.05, 0.02)

Points = Sequence[tuple[float, float]]


def budgets_figure(trials: Mapping[str, Mapping[str, Points]], bests: Mapping[str, Points]) -> Figure:
    """Less memory to the right, on a logarithmic axis; more recomputation upwards."""
    drawing = Drawing()
    words = [(f"● {name}\u2003", colour, True) for name, colour in _LINES]
    words += [
        ("– – best that knows the length\u2003", "muted", True),
        ("● sqrt, recompute_all without a budget", "series-2", True),
    ]
    drawing.words(0, 14, words)
    for place, (name, lines) in enumerate(trials.items()):
        _panel(drawing, name, lines, bests.get(name, ()), place * (_WIDTH + _GAP), 30.0)
    width = len(trials) * (_WIDTH + _GAP)
    return drawing.figure(width, 30.0 + _HEIGHT, "Runs of each operation against memory, by strategy")


def _panel(drawing: Drawing, name: str, lines: Mapping[str, Points], best: Points, x: float, y: float) -> None:
    axes = Axes(
        Scale(0.0, math.log(0.015), x + _LEFT, x + _WIDTH),
        Scale(0.9, _HIGHEST, y + _HEIGHT - _BOTTOM, y + _TOP),
    )
    shares = Ticks(tuple(map(math.log, _SHARES)), tuple(f"{100 * share:g} %" for share in _SHARES))
    axes.draw_grid(drawing, shares, Ticks((1.0, 2.0, 3.0, 4.0, 5.0), ("1", "2", "3", "4", "5")))
    drawing.words(x, y + 14, [(name, "ink", True), ("\u2003runs of each operation", "muted", False)])
    _line(drawing, axes, best, "muted", "5 4")
    for strategy, colour in reversed(_LINES):
        _line(drawing, axes, lines[strategy], colour, "")
        for share, runs in lines[strategy]:
            if runs <= _HIGHEST:
                drawing.dot(axes.x(math.log(share)), axes.y(runs), 3.5, colour)
    for strategy, colour in _DOTS:
        for share, runs in lines[strategy]:
            if share <= 1.0:
                drawing.dot(axes.x(math.log(share)), axes.y(min(runs, _HIGHEST)), 4.5, colour)
    axes.draw_ground(drawing)
    drawing.text(
        (axes.left + axes.right) / 2, axes.bottom + 38, "budget, in % of the plain tape's peak", "muted", "middle"
    )


def _line(drawing: Drawing, axes: Axes, points: Points, colour: str, dash: str) -> None:
    inside = [(axes.x(math.log(share)), axes.y(runs)) for share, runs in points if runs <= _HIGHEST]
    if len(inside) > 1:
        drawing.polyline(inside, colour, 2.0, dash)

"""The pictures of ``planner.py``: overhead against budget beside what was published, and planning time against size."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from planner_tables import PUBLISHED
from planner_trial import Outcome

from retrograde.report import Figure
from retrograde.report.scales import Scale, Ticks, percent_ticks, round_step
from retrograde.report.svg import Axes, Drawing

_WIDTH, _HEIGHT, _GAP = 430.0, 250.0, 34.0
_LEFT, _TOP, _BOTTOM = 52.0, 30.0, 46.0
_OURS, _PUBLISHED, _BOUND, _ORDER = "series-0", "series-1", "series-2", "series-3"
_KEY = (
    ("retrograde", _OURS),
    ("best published", _PUBLISHED),
    ("bound, any order", _BOUND),
    ("bound, given order", _ORDER),
)

Points = list[tuple[float, float]]


def overheads_figure(outcomes: Mapping[str, Outcome]) -> Figure:
    """One panel a published graph: less memory to the right, more extra time upwards."""
    names = [name for name in PUBLISHED if any(key.startswith(f"{name}@") for key in outcomes)]
    drawing = Drawing()
    drawing.words(0, 14, [(f"● {name}\u2003", colour, True) for name, colour in _KEY])
    for place, name in enumerate(names):
        chosen = {float(key.split("@")[1]): o for key, o in outcomes.items() if key.startswith(f"{name}@")}
        x, y = (place % 2) * (_WIDTH + _GAP), 34.0 + (place // 2) * (_HEIGHT + _GAP)
        _panel(drawing, name, chosen, x, y)
    lines = (len(names) + 1) // 2
    height = 34.0 + lines * (_HEIGHT + _GAP) - _GAP
    return drawing.figure(2 * _WIDTH + _GAP + 14, height, "Extra time against budget on published graphs")


def _panel(drawing: Drawing, name: str, outcomes: Mapping[float, Outcome], x: float, y: float) -> None:
    ours = [(p / 100, o.overhead) for p, o in sorted(outcomes.items(), reverse=True) if o.overhead is not None]
    bound = [(p / 100, o.bound) for p, o in sorted(outcomes.items(), reverse=True) if o.bound is not None]
    order = [(p / 100, o.order_bound) for p, o in sorted(outcomes.items(), reverse=True) if o.order_bound is not None]
    published = [(p / 100, o / 100) for p, o in PUBLISHED[name].items()]
    top = max(0.001, *(height for _, height in [*ours, *published]))
    step = round_step(top * 1.08, 5)
    ceiling = step * (int(top * 1.08 / step) + 1)
    shares = [share for share, _ in [*ours, *bound]]
    axes = Axes(
        Scale(max(shares) + 0.02, min(shares) - 0.02, x + _LEFT, x + _WIDTH),
        Scale(0.0, ceiling, y + _HEIGHT - _BOTTOM, y + _TOP),
    )
    operations = next(iter(outcomes.values())).operations
    drawing.words(x, y + 12, [(name, "ink", True), (f"\u2003{operations:,} operations", "muted", False)])
    axes.draw_grid(drawing, percent_ticks(min(shares), max(shares), 7), percent_ticks(0, ceiling, 5))
    _line(drawing, axes, _below(order, ceiling), _ORDER, "2 4")
    _line(drawing, axes, _below(bound, ceiling), _BOUND, "5 4")
    _line(drawing, axes, ours, _OURS, "")
    for points, colour in ((published, _PUBLISHED), (ours, _OURS)):
        for share, height in points:
            drawing.dot(axes.x(share), axes.y(height), 3.5, colour)
    axes.draw_ground(drawing)
    drawing.text(
        (axes.left + axes.right) / 2, axes.bottom + 38, "budget, in % of the given order's peak", "muted", "middle"
    )
    drawing.text(axes.right, y + 24, "extra time", "muted", "end")


def _below(points: Points, ceiling: float) -> Points:
    """A curve up to where it leaves the panel at the top."""
    inside: Points = []
    for share, height in points:
        if height > ceiling:
            if inside:
                before, low = inside[-1]
                inside.append((before + (share - before) * (ceiling - low) / (height - low), ceiling))
            break
        inside.append((share, height))
    return inside


def _line(drawing: Drawing, axes: Axes, points: Sequence[tuple[float, float]], colour: str, dash: str) -> None:
    if len(points) > 1:
        drawing.polyline([(axes.x(share), axes.y(height)) for share, height in points], colour, 2.0, dash)


def times_figure(outcomes: Mapping[str, Outcome]) -> Figure:
    """Seconds of planning and of bounding at half the peak against the number of operations, both axes logarithmic.

    Graphs for which no plan was found at half the peak are left out.
    """
    halves = (o for key, o in outcomes.items() if key.endswith("@50") and o.overhead is not None)
    chosen = sorted(halves, key=lambda o: o.operations)
    plans = [(math.log10(o.operations), math.log10(max(o.seconds, 0.01))) for o in chosen]
    bounds = [(math.log10(o.operations), math.log10(max(o.bound_seconds, 0.01))) for o in chosen]
    drawing = Drawing()
    heights = [height for _, height in [*plans, *bounds]]
    low, high = math.floor(min(heights)), math.ceil(max(heights) + 0.01)
    first, last = math.floor(plans[0][0]), math.ceil(plans[-1][0] + 0.01)
    axes = Axes(Scale(first, last, 60.0, 780.0), Scale(low, high, 330.0, 40.0))
    axes.draw_grid(drawing, _decades(first, last, ""), _decades(low, high, " s"))
    for points, colour in ((bounds, _BOUND), (plans, _OURS)):
        for share, height in points:
            drawing.dot(axes.x(share), axes.y(height), 4.5, colour)
    axes.draw_ground(drawing)
    axes.draw_names(drawing, "operations", "Planning at half the peak", "seconds")
    axes.draw_key(drawing, [("plan", _OURS), ("bound", _BOUND)])
    return drawing.figure(820.0, 380.0, "Seconds of planning against operations")


def _decades(first: int, last: int, unit: str) -> Ticks:
    at = tuple(float(power) for power in range(first, last + 1))
    return Ticks(at, tuple(f"{10**power:,g}{unit}" for power in at))

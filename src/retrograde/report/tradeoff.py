"""The trade-off curve: what a smaller budget costs, strategy by strategy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from retrograde.report.margin import MarginLabel, draw_margin_labels, margin_width
from retrograde.report.scales import Scale, percent_ticks, round_step
from retrograde.report.svg import SERIES, Axes, Drawing, Figure, text_width

_TOP, _BOTTOM = 34.0, 46.0


@dataclass(frozen=True)
class Curve:
    """One strategy's points.

    Attributes:
        name: written beside the curve.
        points: pairs of a share of the store-all peak and an overhead, both as fractions.
        colour: a name of the palette; one is chosen by position when left out.
        dashed: for bounds and other lines that no plan stands for.
    """

    name: str
    points: tuple[tuple[float, float], ...]
    colour: str = ""
    dashed: bool = False


def tradeoff_figure(
    curves: Sequence[Curve],
    *,
    heading: str = "",
    x_name: str = "budget, in % of the store-all peak (less memory to the right)",
    bound_fraction: float | None = None,
    width: float = 860,
    height: float = 400,
) -> Figure:
    """Overhead against memory, one curve a strategy.

    Memory shrinks to the right, so curves rise to the right and their names stand where they end. Where a curve
    leaves the picture at the top, its name says how far it goes.

    Args:
        curves: what to draw; those without a point are named as out of reach.
        heading: written above the plot; nothing when left out.
        x_name: what the horizontal axis measures.
        bound_fraction: the share of the store-all peak below which no schedule can go; that part is shaded.
        width: of the picture, in pixels.
        height: of the picture, in pixels.
    """
    drawn = [_coloured(curve, place) for place, curve in enumerate(c for c in curves if c.points)]
    ceiling = _ceiling(drawn)
    y_ticks = percent_ticks(0, ceiling, 6)
    names = [_name(curve, ceiling) for curve in drawn]
    left = max(text_width(text) for text in y_ticks.text) + 10
    low, high = _extent(drawn, bound_fraction)
    x = Scale(high, low, left, width - margin_width(names))
    axes = Axes(x, Scale(0.0, ceiling, height - _BOTTOM, _TOP))
    drawing = Drawing()
    if bound_fraction is not None and bound_fraction > low:
        _draw_out_of_reach(drawing, axes, bound_fraction)
    axes.draw_grid(drawing, percent_ticks(low, high, 8), y_ticks)
    for curve in reversed(drawn):
        _draw_curve(drawing, axes, curve, ceiling)
    axes.draw_ground(drawing)
    axes.draw_names(drawing, x_name, heading, "extra time")
    ends = [min(_sorted(curve)[-1][1], ceiling) for curve in drawn]
    labels = [MarginLabel(axes.y(end), name, curve.colour) for end, name, curve in zip(ends, names, drawn, strict=True)]
    draw_margin_labels(drawing, axes, labels)
    return drawing.figure(width, height, heading or "Extra time against memory")


def _coloured(curve: Curve, place: int) -> Curve:
    return curve if curve.colour else Curve(curve.name, curve.points, SERIES[place % len(SERIES)], curve.dashed)


def _sorted(curve: Curve) -> list[tuple[float, float]]:
    """Points from much memory to little."""
    return sorted(curve.points, key=lambda point: (-point[0], point[1]))


def _ceiling(curves: Sequence[Curve]) -> float:
    """The top of the picture: a round number over the first curve, or over all where none runs far away from it."""
    tops = [max(overhead for _, overhead in curve.points) for curve in curves]
    if not tops:
        return 1.0
    near = [top for top in tops if top <= max(2.5 * tops[0], 0.25)]
    wanted = max(0.02, max(near, default=min(tops)))
    step = round_step(wanted * 1.05, 6)
    return step * (int(wanted * 1.05 / step) + 1)


def _extent(curves: Sequence[Curve], bound_fraction: float | None) -> tuple[float, float]:
    shares = [share for curve in curves for share, _ in curve.points] or [0.0, 1.0]
    low, high = min(shares), max(shares)
    if bound_fraction is not None and low - bound_fraction < 0.25:
        low = min(low, bound_fraction)
    padding = 0.02 * (high - low or 1.0)
    return max(0.0, low - padding), high + padding


def _name(curve: Curve, ceiling: float) -> str:
    top = max(overhead for _, overhead in curve.points)
    return f"{curve.name} (to {100 * top:,.0f} %)" if top > ceiling else curve.name


def _draw_out_of_reach(drawing: Drawing, axes: Axes, bound_fraction: float) -> None:
    left = axes.x(bound_fraction)
    drawing.rect(left, axes.top, axes.right - left, axes.bottom - axes.top, "band")
    drawing.line(left, axes.top, left, axes.bottom, "ghost", 1.0, "3 3")
    drawing.text(left - 6, axes.top + 14, f"no schedule below {100 * bound_fraction:.3g} %", "muted", "end")


def _draw_curve(drawing: Drawing, axes: Axes, curve: Curve, ceiling: float) -> None:
    points = _sorted(curve)
    inside = _clipped(points, ceiling)
    if not inside:
        return
    pixels = [(axes.x(share), axes.y(overhead)) for share, overhead in inside]
    drawing.polyline(pixels, curve.colour, 2.0, "5 4" if curve.dashed else "")
    end, height = pixels[-1]
    drawing.line(end, height, axes.right, height, curve.colour, 1.0, "1 4")
    if not curve.dashed and len(points) <= 24:
        for share, overhead in points:
            if overhead <= ceiling:
                drawing.dot(axes.x(share), axes.y(overhead), 3.5, curve.colour)


def _clipped(points: Sequence[tuple[float, float]], ceiling: float) -> list[tuple[float, float]]:
    """The curve up to where it first leaves the picture at the top."""
    inside: list[tuple[float, float]] = []
    for share, overhead in points:
        if overhead > ceiling:
            if inside:
                before, low = inside[-1]
                inside.append((before + (share - before) * (ceiling - low) / (overhead - low), ceiling))
            break
        inside.append((share, overhead))
    return inside

"""A small writer of SVG charts: a drawing, its axes, and labels that keep out of each other's way.

Colours come as classes, with a light and a dark palette, so that one file is legible on either background.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from retrograde.report.scales import Scale, Ticks

FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif'
FONT_SIZE = 12.0
HEADING_BASELINE = 14.0
_PADDING = 16.0

# Name: colour on light ground, colour on dark ground.
PALETTE = {
    "surface": ("#ffffff", "#12161c"),
    "ink": ("#1f2328", "#e6edf3"),
    "muted": ("#626b75", "#98a2ad"),
    "grid": ("#e5e8ec", "#2a313a"),
    "band": ("#f3f5f8", "#1a2029"),
    "ghost": ("#9aa4af", "#66717d"),
    "recompute": ("#e07b10", "#f2a248"),
    "budget": ("#c2255c", "#ff7aa8"),
    "series-0": ("#2563c9", "#6ea8fe"),
    "series-1": ("#c9480f", "#ff9166"),
    "series-2": ("#0b8f6a", "#43cfa5"),
    "series-3": ("#8552c4", "#c3a0f6"),
    "series-4": ("#a87504", "#e6c04f"),
    "series-5": ("#0c8599", "#57cfe0"),
    "series-6": ("#b8327a", "#ff8cc3"),
    "series-7": ("#5c677d", "#a9b4c4"),
}
SERIES = tuple(name for name in PALETTE if name.startswith("series-"))


def style_sheet() -> str:
    """The CSS of every drawing; once in a page that holds several."""
    rules = [f".rg text{{font-family:{FONT};font-size:{FONT_SIZE:g}px}}", ".rg .strong{font-weight:600}"]
    rules += _colour_rules(0)
    return "\n".join([*rules, "@media (prefers-color-scheme: dark){", *_colour_rules(1), "}"])


def _colour_rules(side: int) -> list[str]:
    return [
        f".rg .f-{name}{{fill:{colours[side]}}}.rg .s-{name}{{stroke:{colours[side]}}}"
        for name, colours in PALETTE.items()
    ]


def text_width(text: str, size: float = FONT_SIZE) -> float:
    """About how many pixels a text takes; on the safe side."""
    narrow = sum(c in "iljtfrI.,:;'|! ()" for c in text)
    wide = sum(c in "mwMW%@" for c in text)
    return size * (0.6 * (len(text) - narrow - wide) + 0.34 * narrow + 0.9 * wide)


@dataclass(frozen=True)
class Figure:
    """A finished drawing.

    Attributes:
        width: pixels.
        height: pixels.
        title: what it shows, for readers who cannot see it.
        body: SVG elements.
    """

    width: float
    height: float
    title: str
    body: str

    def inline(self) -> str:
        """For a page whose style sheet has ``style_sheet()`` already."""
        return (
            f'<svg class="rg" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width:g} {self.height:g}" '
            f'role="img" aria-label="{escape(self.title, quote=True)}">\n{self.body}\n</svg>'
        )

    def svg(self) -> str:
        """As a file of its own, with its style, a background and a little room around."""
        width, height = self.width + 2 * _PADDING, self.height + 2 * _PADDING
        return (
            f'<svg class="rg" xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}" '
            f'viewBox="{-_PADDING:g} {-_PADDING:g} {width:g} {height:g}" role="img">\n'
            f"<title>{escape(self.title)}</title>\n<style>\n{style_sheet()}\n</style>\n"
            f'<rect class="f-surface" x="{-_PADDING:g}" y="{-_PADDING:g}" width="100%" height="100%"/>\n'
            f"{self.body}\n</svg>\n"
        )


class Drawing:
    """Collects elements; coordinates are pixels from the top left."""

    def __init__(self) -> None:
        self._elements: list[str] = []

    def figure(self, width: float, height: float, title: str) -> Figure:
        """What has been drawn so far."""
        return Figure(width, height, title, "\n".join(self._elements))

    def rect(self, x: float, y: float, width: float, height: float, fill: str, opacity: float = 1.0) -> None:
        """A filled rectangle."""
        self._elements.append(
            f'<rect class="f-{fill}" x="{x:.1f}" y="{y:.1f}" width="{max(0.0, width):.1f}" '
            f'height="{max(0.0, height):.1f}"{_opacity(opacity)}/>'
        )

    def line(self, x1: float, y1: float, x2: float, y2: float, stroke: str, width: float = 1.0, dash: str = "") -> None:
        """A straight line."""
        self._elements.append(
            f'<line class="s-{stroke}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
            f'stroke-width="{width:g}"{_dash(dash)}/>'
        )

    def polyline(self, points: Sequence[tuple[float, float]], stroke: str, width: float = 2.0, dash: str = "") -> None:
        """A line through points."""
        self._elements.append(
            f'<path class="s-{stroke}" d="{_path(points)}" fill="none" stroke-width="{width:g}" '
            f'stroke-linejoin="round" stroke-linecap="round"{_dash(dash)}/>'
        )

    def area(self, points: Sequence[tuple[float, float]], base: float, fill: str, opacity: float) -> None:
        """The ground between a line through points and a horizontal line."""
        closed = [(points[0][0], base), *points, (points[-1][0], base)]
        self._elements.append(f'<path class="f-{fill}" d="{_path(closed)}Z"{_opacity(opacity)}/>')

    def dot(self, x: float, y: float, radius: float, fill: str) -> None:
        """A filled point with a rim in the colour of the ground."""
        self._elements.append(
            f'<circle class="f-{fill} s-surface" cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}" stroke-width="1.5"/>'
        )

    def text(
        self, x: float, y: float, text: str, fill: str = "ink", anchor: str = "start", *, strong: bool = False
    ) -> None:
        """Text with its baseline at y; ``anchor`` is start, middle or end."""
        classes = f"f-{fill} strong" if strong else f"f-{fill}"
        self._elements.append(
            f'<text class="{classes}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
        )

    def words(self, x: float, y: float, words: Sequence[tuple[str, str, bool]], anchor: str = "start") -> None:
        """One line of text whose parts, each a text, a colour and whether it is bold, differ in looks."""
        spans = "".join(
            f'<tspan class="f-{fill}{" strong" if strong else ""}">{escape(text)}</tspan>'
            for text, fill, strong in words
        )
        self._elements.append(
            f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" xml:space="preserve">{spans}</text>'
        )


def _opacity(opacity: float) -> str:
    return "" if opacity == 1 else f' opacity="{opacity:g}"'


def _dash(dash: str) -> str:
    return f' stroke-dasharray="{dash}"' if dash else ""


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)


@dataclass(frozen=True)
class Axes:
    """A plotting area with its two scales."""

    x: Scale
    y: Scale

    @property
    def left(self) -> float:
        return min(self.x.start, self.x.stop)

    @property
    def right(self) -> float:
        return max(self.x.start, self.x.stop)

    @property
    def top(self) -> float:
        return self.y.stop

    @property
    def bottom(self) -> float:
        return self.y.start

    def draw_grid(self, drawing: Drawing, x_ticks: Ticks, y_ticks: Ticks) -> None:
        """Grid lines with their numbers: horizontal lines across, short marks below."""
        for number, text in zip(y_ticks.at, y_ticks.text, strict=True):
            height = self.y(number)
            drawing.line(self.left, height, self.right, height, "grid")
            drawing.text(self.left - 8, height + 4, text, "muted", "end")
        for number, text in zip(x_ticks.at, x_ticks.text, strict=True):
            place = self.x(number)
            drawing.line(place, self.bottom, place, self.bottom + 5, "muted")
            drawing.text(place, self.bottom + 19, text, "muted", "middle")

    def draw_ground(self, drawing: Drawing) -> None:
        """The line that the plot stands on; drawn last, over the areas."""
        drawing.line(self.left, self.bottom, self.right, self.bottom, "muted")

    def draw_names(self, drawing: Drawing, x_name: str, heading: str, y_name: str) -> None:
        """What the axes measure, below the plot and at the top left, where a heading goes first if there is one."""
        drawing.text((self.left + self.right) / 2, self.bottom + 40, x_name, "muted", "middle")
        words = [(y_name, "muted", False)]
        if heading:
            words = [(heading, "ink", True), ("\u2003" + y_name, "muted", False)]
        drawing.words(0, HEADING_BASELINE, words)

    def draw_key(self, drawing: Drawing, entries: Sequence[tuple[str, str]]) -> None:
        """What fills mean, at the top right: for each a text and a colour."""
        words: list[tuple[str, str, bool]] = []
        for text, colour in entries:
            gap = "\u2003" if words else ""
            words += [(f"{gap}\u25a0 ", colour, False), (text, "muted", False)]
        drawing.words(self.right, HEADING_BASELINE, words, "end")


def spread(wanted: Sequence[float], distance: float, low: float, high: float) -> list[float]:
    """Places near the wanted ones, in the same order, at least a distance apart and within limits where they fit.

    Example:
        >>> spread([10, 12, 50], 10, 0, 100)
        [6.0, 16.0, 50.0]
    """
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    # Less a distance for each label before it, places need only not decrease: pool neighbours that do.
    pools: list[tuple[float, int]] = []
    for rank, index in enumerate(order):
        mean, count = float(wanted[index]) - rank * distance, 1
        while pools and pools[-1][0] > mean:
            earlier, members = pools.pop()
            mean, count = (earlier * members + mean * count) / (members + count), members + count
        pools.append((mean, count))
    last = max(low, high - (len(wanted) - 1) * distance)
    level = [min(max(mean, low), last) for mean, count in pools for _ in range(count)]
    places = [0.0] * len(wanted)
    for rank, index in enumerate(order):
        places[index] = level[rank] + rank * distance
    return places

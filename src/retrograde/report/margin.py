"""Labels in the right margin of a plot, each level with what it names where there is room."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from retrograde.report.svg import Axes, Drawing, spread, text_width

_LINE_HEIGHT = 16.0
_LEADER = 14.0


@dataclass(frozen=True)
class MarginLabel:
    """A text level with a height of the plot.

    Attributes:
        height: pixel that it belongs to.
        text: one line, or several separated by a line break.
        colour: a name of the palette.
        strong: whether it is set in bold.
    """

    height: float
    text: str
    colour: str = "ink"
    strong: bool = False


def margin_width(labels: Sequence[str]) -> float:
    """Pixels to leave on the right of a plot for labels."""
    widest = max((text_width(line) for label in labels for line in label.split("\n")), default=0.0)
    return widest + _LEADER + 4 if labels else 16.0


def draw_margin_labels(drawing: Drawing, axes: Axes, labels: Sequence[MarginLabel]) -> None:
    """Write labels beside the plot, moved apart where they would overlap, with a short line to where they belong."""
    lines = max((label.text.count("\n") + 1 for label in labels), default=1)
    places = spread([label.height for label in labels], _LINE_HEIGHT * lines, axes.top - 6, axes.bottom + 2)
    for label, place in zip(labels, places, strict=True):
        drawing.line(axes.right + 3, label.height, axes.right + _LEADER - 3, place, label.colour)
        for number, line in enumerate(label.text.split("\n")):
            below = (number - label.text.count("\n") / 2) * _LINE_HEIGHT
            drawing.text(axes.right + _LEADER, place + 4 + below, line, label.colour, strong=label.strong)

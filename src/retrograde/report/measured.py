"""Measured memory over time: one line a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from retrograde.graph.units import format_bytes
from retrograde.report.margin import MarginLabel, draw_margin_labels, margin_width
from retrograde.report.scales import Scale, byte_ticks, seconds_ticks
from retrograde.report.svg import SERIES, Axes, Drawing, Figure, text_width

_TOP, _BOTTOM = 34.0, 46.0


@dataclass(frozen=True)
class MeasuredRun:
    """What a meter saw of one run.

    Attributes:
        name: written beside its line.
        samples: pairs of seconds since the run began and live bytes from then on.
    """

    name: str
    samples: tuple[tuple[float, int], ...]

    @property
    def peak_bytes(self) -> int:
        """The most bytes seen live."""
        return max((count for _, count in self.samples), default=0)


def measured_figure(
    runs: Sequence[MeasuredRun], *, heading: str = "", width: float = 860, height: float = 380
) -> Figure:
    """Live bytes over time as a meter saw them, one line a run, each named at the height of its peak.

    Args:
        runs: what was measured; those without samples are left out.
        heading: written above the plot; nothing when left out.
        width: of the picture, in pixels.
        height: of the picture, in pixels.
    """
    drawn = [run for run in runs if run.samples]
    highest = max((run.peak_bytes for run in drawn), default=0) * 1.04 or 1.0
    longest = max((run.samples[-1][0] for run in drawn), default=0.0) or 1.0
    y_ticks = byte_ticks(highest)
    names = [f"{run.name}: {format_bytes(run.peak_bytes)}" for run in drawn]
    left = max(text_width(text) for text in y_ticks.text) + 10
    x = Scale(0.0, longest, left, width - margin_width(names))
    axes = Axes(x, Scale(0.0, highest, height - _BOTTOM, _TOP))
    drawing = Drawing()
    axes.draw_grid(drawing, seconds_ticks(longest), y_ticks)
    labels: list[MarginLabel] = []
    for place, (run, name) in enumerate(zip(drawn, names, strict=True)):
        colour = SERIES[place % len(SERIES)]
        drawing.polyline(_stairs(run, axes), colour, 1.5)
        labels.append(MarginLabel(axes.y(run.peak_bytes), name, colour))
    axes.draw_ground(drawing)
    axes.draw_names(drawing, "time since the step began", heading, "measured live memory")
    draw_margin_labels(drawing, axes, labels)
    return drawing.figure(width, height, heading or "Measured live memory over time")


def _stairs(run: MeasuredRun, axes: Axes) -> list[tuple[float, float]]:
    """The run as stairs; where samples are denser than pixels, of each pixel the first, lowest and highest."""
    columns: dict[int, list[int]] = {}
    for seconds, count in run.samples:
        columns.setdefault(round(axes.x(seconds)), []).append(count)
    points: list[tuple[float, float]] = []
    before: int | None = None
    for column, counts in columns.items():
        if before is not None:
            points.append((column, axes.y(before)))
        points += [
            (column, axes.y(count)) for count in dict.fromkeys((counts[0], max(counts), min(counts), counts[-1]))
        ]
        before = counts[-1]
    return points

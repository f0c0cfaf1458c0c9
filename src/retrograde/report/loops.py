"""The schedule of a loop as a picture: where it is, and which states are stored, over time."""

from __future__ import annotations

from retrograde.errors import UsageError
from retrograde.planning.loops import Advance, Drop, LoopPlan, Record, Restore, Reverse, Snapshot, TierName
from retrograde.report.scales import Scale, plain_ticks
from retrograde.report.svg import Axes, Drawing, Figure, text_width

_TOP, _BOTTOM = 34.0, 46.0
_MOST_ACTIONS = 20_000
_COLOURS: dict[TierName, str] = {"memory": "series-2", "disk": "series-4"}
_KEY = (
    ("first run", "series-0"),
    ("run again", "recompute"),
    ("reversed", "series-3"),
    ("state in memory", "series-2"),
)


def loop_figure(plan: LoopPlan, *, heading: str = "", width: float = 860, height: float = 400) -> Figure:
    """Steps against time: rising lines are runs, falling ones reversals, level ones stored states.

    Time counts runs and reversals of a step as one each. A step that is recorded has a dot.

    Args:
        plan: what is drawn; up to 20,000 actions.
        heading: written above the plot; nothing when left out.
        width: of the picture, in pixels.
        height: of the picture, in pixels.

    Raises:
        UsageError: the schedule has too many actions to be legible.

    Example:
        >>> from retrograde.planning.loops import plan_loop
        >>> loop_figure(plan_loop(10, state_bytes=8, budget_bytes=24)).svg()[:4]
        '<svg'
    """
    steps = plan.loop.steps
    moments = plan.forward_steps + 2 * steps
    if moments > _MOST_ACTIONS:
        raise UsageError(
            f"a schedule of {moments} runs and reversals is too long to be drawn; draw a loop of fewer steps, "
            f"with at most {_MOST_ACTIONS}"
        )
    y_ticks = plain_ticks(max(1, steps), whole=True)
    left = max(text_width(text) for text in y_ticks.text) + 10
    x, y = Scale(0, max(1, moments), left, width - 10), Scale(0, max(1, steps), height - _BOTTOM, _TOP)
    axes = Axes(x, y)
    drawing = Drawing()
    axes.draw_grid(drawing, plain_ticks(max(1, moments), 8, whole=True), y_ticks)
    _Pen(drawing, axes, dots=moments <= 400).draw(plan)
    axes.draw_ground(drawing)
    axes.draw_names(drawing, "time, in steps run or reversed", heading, "step")
    axes.draw_key(drawing, (*_KEY, ("on disk", _COLOURS["disk"])) if plan.loop.disk is not None else _KEY)
    return drawing.figure(width, height, heading or f"The schedule of a loop of {steps} steps")


class _Pen:
    """Follows a schedule and draws it."""

    def __init__(self, drawing: Drawing, axes: Axes, *, dots: bool) -> None:
        self._drawing, self._axes, self._dots = drawing, axes, dots
        self._time = self._reached = 0
        self._stored: dict[tuple[int, TierName], int] = {}

    def draw(self, plan: LoopPlan) -> None:
        for action in plan:
            match action:
                case Advance(start, stop):
                    self._run(start, stop)
                case Record(step):
                    self._run(step, step + 1)
                    if self._dots:
                        self._drawing.dot(self._axes.x(self._time), self._axes.y(step + 1), 2.5, "series-0")
                case Reverse(step):
                    self._line(step + 1, step, "series-3")
                case Snapshot(step, tier):
                    self._stored[step, tier] = self._time
                case Drop(step, tier):
                    begin, level = self._stored.pop((step, tier)), self._axes.y(step)
                    self._drawing.line(self._axes.x(begin), level, self._axes.x(self._time), level, _COLOURS[tier], 1.5)
                case Restore():
                    pass

    def _run(self, start: int, stop: int) -> None:
        """What is new to the loop in one colour, what it has run before in another."""
        border = min(max(start, self._reached), stop)
        if start < border:
            self._line(start, border, "recompute")
        if border < stop:
            self._line(border, stop, "series-0")
        self._reached = max(self._reached, stop)

    def _line(self, start: int, stop: int, colour: str) -> None:
        after = self._time + abs(stop - start)
        x, y = self._axes.x, self._axes.y
        self._drawing.line(x(self._time), y(start), x(after), y(stop), colour, 1.5)
        self._time = after

"""The memory timeline of a plan: live bytes from the first action to the last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from retrograde.graph import Graph
from retrograde.graph.footprint import store_all_live_bytes
from retrograde.graph.units import format_bytes
from retrograde.planning import Compute, Plan
from retrograde.report.margin import MarginLabel, draw_margin_labels, margin_width
from retrograde.report.scales import Scale, Ticks, byte_ticks, percent_ticks, plain_ticks
from retrograde.report.svg import Axes, Drawing, Figure, text_width

_TOP, _BOTTOM = 46.0, 46.0
_LEAST_WIDTH = 1.5
_BAR = 5.0


@dataclass(frozen=True, slots=True)
class Step:
    """A stretch of a timeline.

    Attributes:
        begin: where it begins on the horizontal axis.
        end: where it ends.
        bytes: live bytes meanwhile.
        recomputed: whether an operation runs that has run before.
    """

    begin: float
    end: float
    bytes: int
    recomputed: bool = False


@dataclass(frozen=True, slots=True)
class Bar:
    """A transfer in a timeline.

    Attributes:
        begin: where it begins on the horizontal axis.
        end: where it ends.
        tier: number of the tier.
        is_write: whether it goes to the tier.
    """

    begin: float
    end: float
    tier: int
    is_write: bool


@dataclass(frozen=True)
class Timeline:
    """Live bytes over a plan.

    Attributes:
        steps: one for each run of an operation, in order.
        borders: where each segment begins on the horizontal axis.
        end: where the last step ends.
        by_cost: whether the horizontal axis is cost, as a fraction of running each operation once; else it counts
            runs of operations.
        transfers: of storages to slower tiers and back, if the plan says how long they take.
    """

    steps: tuple[Step, ...]
    borders: tuple[float, ...]
    end: float
    by_cost: bool
    transfers: tuple[Bar, ...] = ()


def plan_timeline(graph: Graph, plan: Plan) -> Timeline:
    """Live bytes over a plan, as the referee sees them.

    Raises:
        PlanError: the plan does not replay on this graph.

    Example:
        >>> from retrograde.planning import plan
        >>> graph = Graph.from_arrays(cost=[1, 1], bytes=[8, 8], edges=[(0, 1)])
        >>> [(step.begin, step.end, step.bytes) for step in plan_timeline(graph, plan(graph, None, "store_all")).steps]
        [(0.0, 0.5, 8), (0.5, 1.0, 16)]
    """
    verified = plan.verify(graph)
    live, timed = verified.live_bytes, verified.timeline
    by_cost = plan.base_cost > 0
    steps: list[Step] = []
    borders: list[float] = []
    seen: set[int] = set()
    now = 0.0
    for index, action in enumerate(plan.actions):
        while len(borders) < len(plan.segments) and plan.segments[len(borders)] <= index:
            borders.append(now)
        width = 0.0
        if timed is not None:
            now = timed.begins[index] / plan.base_cost
        if isinstance(action, Compute):
            cost = graph.operation_cost(action.operation, action.choice)
            width = cost / plan.base_cost if by_cost else 1.0
            steps.append(Step(now, now + width, live[index], action.operation in seen))
            seen.add(action.operation)
        now += width
    borders += [now] * (len(plan.segments) - len(borders))
    if timed is None:
        return Timeline(tuple(steps), tuple(borders), now, by_cost)
    unit = plan.base_cost
    transfers = tuple(Bar(t.begin / unit, t.end / unit, t.tier, t.is_write) for t in timed.transfers)
    return Timeline(tuple(steps), tuple(borders), timed.makespan / unit, by_cost, transfers)


def given_timeline(graph: Graph) -> Timeline:
    """Live bytes of the given order when nothing is recomputed, on the same axes as ``plan_timeline``."""
    base = graph.base_cost
    steps: list[Step] = []
    borders: list[float] = [0.0]
    now = 0.0
    for index, segment, live in zip(graph.order, graph.order_segments, store_all_live_bytes(graph), strict=True):
        borders += [now] * (segment + 1 - len(borders))
        width = graph.operations[index].cost / base if base else 1.0
        steps.append(Step(now, now + width, live))
        now += width
    borders += [now] * (graph.segment_count - len(borders))
    return Timeline(tuple(steps), tuple(borders), now, base > 0)


def timeline_figure(
    graph: Graph,
    plan: Plan,
    *,
    heading: str = "",
    beside_unplanned: bool = True,
    width: float = 860,
    height: float = 320,
) -> Figure:
    """The memory timeline of a plan.

    The area is the plan's live bytes, stretches that recompute stand out, the segments are shaded, the budget is a
    dashed line, and a thin line shows the given order with nothing recomputed. Of a plan with tiers, bars on the
    ground show transfers: for each tier those to it, and above them those back.

    Args:
        graph: the computation.
        plan: a plan for it.
        heading: written above the plot; nothing when left out.
        beside_unplanned: whether to draw the given order too.
        width: of the picture, in pixels.
        height: of the picture, in pixels.

    Raises:
        PlanError: the plan does not replay on this graph.
    """
    timeline = plan_timeline(graph, plan)
    unplanned = given_timeline(graph) if beside_unplanned else None
    labels = _margin_labels(graph, plan, unplanned is not None)
    highest = max(count for count, _, _ in labels) * 1.04 or 1.0
    y_ticks = byte_ticks(highest)
    left = max(text_width(text) for text in y_ticks.text) + 10
    x = Scale(0.0, timeline.end, left, width - margin_width([text for _, text, _ in labels]))
    axes = Axes(x, Scale(0.0, highest, height - _BOTTOM, _TOP))
    drawing = Drawing()
    _draw_segments(drawing, axes, timeline)
    axes.draw_grid(drawing, _x_ticks(timeline), y_ticks)
    if unplanned is not None and unplanned.steps:
        drawing.polyline(_pixels(_thinned(unplanned.steps, axes), axes), "ghost", 1.25)
    _draw_live_bytes(drawing, axes, _thinned(timeline.steps, axes))
    if any(colour == "budget" for _, _, colour in labels) and plan.budget_bytes is not None:
        drawing.line(axes.left, axes.y(plan.budget_bytes), axes.right, axes.y(plan.budget_bytes), "budget", 1.5, "6 4")
    _draw_peak(drawing, axes, timeline)
    _draw_transfers(drawing, axes, timeline)
    axes.draw_ground(drawing)
    axes.draw_names(drawing, _x_name(timeline), heading, "live memory")
    axes.draw_key(drawing, _key(timeline))
    draw_margin_labels(drawing, axes, [MarginLabel(axes.y(count), text, colour) for count, text, colour in labels])
    return drawing.figure(width, height, heading or f"Memory timeline of a plan by strategy {plan.strategy}")


def _margin_labels(graph: Graph, plan: Plan, unplanned: bool) -> list[tuple[int, str, str]]:
    labels = [(plan.peak_bytes, f"peak {format_bytes(plan.peak_bytes)}", "series-0")]
    store_all = graph.store_all_peak_bytes
    if unplanned and store_all != plan.peak_bytes:
        labels.append((store_all, f"unplanned {format_bytes(store_all)}", "muted"))
    if plan.budget_bytes is not None and plan.budget_bytes <= 1.5 * max(plan.peak_bytes, store_all if unplanned else 0):
        labels.append((plan.budget_bytes, f"budget {format_bytes(plan.budget_bytes)}", "budget"))
    return labels


def _x_ticks(timeline: Timeline) -> Ticks:
    return percent_ticks(0, timeline.end, 8) if timeline.by_cost else plain_ticks(timeline.end, 8, whole=True)


def _x_name(timeline: Timeline) -> str:
    return "planned time, in % of one run of every operation" if timeline.by_cost else "operations run so far"


def segment_name(segment: int, count: int) -> str:
    """How pictures name a segment."""
    if count == 2:
        return ("forward", "backward")[segment]
    return f"segment {segment}"


def _draw_segments(drawing: Drawing, axes: Axes, timeline: Timeline) -> None:
    ends = (*timeline.borders[1:], timeline.end)
    if len(ends) < 2:
        return
    for segment, (begin, end) in enumerate(zip(timeline.borders, ends, strict=True)):
        left, right = axes.x(begin), axes.x(end)
        if segment % 2:
            drawing.rect(left, axes.top, right - left, axes.bottom - axes.top, "band")
        name = segment_name(segment, len(ends))
        if right - left > text_width(name) + 12:
            drawing.text((left + right) / 2, axes.top - 8, name, "muted", "middle")


def _thinned(steps: Sequence[Step], axes: Axes) -> list[Step]:
    """At most about one step a pixel: of those that share one, the highest stands for all."""
    pixels = axes.right - axes.left
    if len(steps) <= 1.5 * pixels:
        return list(steps)
    columns: dict[int, list[Step]] = {}
    for step in steps:
        columns.setdefault(int(axes.x((step.begin + step.end) / 2)), []).append(step)
    thinned: list[Step] = []
    for column in columns.values():
        recomputed = sum(step.end - step.begin for step in column if step.recomputed)
        mostly = 2 * recomputed > column[-1].end - column[0].begin
        thinned.append(Step(column[0].begin, column[-1].end, max(step.bytes for step in column), mostly))
    return thinned


def _pixels(steps: Sequence[Step], axes: Axes) -> list[tuple[float, float]]:
    return [(axes.x(x), axes.y(step.bytes)) for step in steps for x in (step.begin, step.end)]


def _draw_live_bytes(drawing: Drawing, axes: Axes, steps: Sequence[Step]) -> None:
    if not steps:
        return
    for stretch in _stretches(steps):
        points = _pixels(stretch, axes)
        if stretch[0].recomputed:
            drawing.area(_visible(points), axes.bottom, "recompute", 0.6)
        else:
            drawing.area(points, axes.bottom, "series-0", 0.22)
    drawing.polyline(_pixels(steps, axes), "series-0", 1.25)


def _visible(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """The points, moved apart at the ends to at least a pixel and a half: what recomputes must not vanish."""
    missing = _LEAST_WIDTH - (points[-1][0] - points[0][0])
    if missing <= 0:
        return points
    (left, first), (right, last) = points[0], points[-1]
    return [(left - missing / 2, first), *points, (right + missing / 2, last)]


def _stretches(steps: Sequence[Step]) -> list[list[Step]]:
    """Consecutive steps that all recompute, or all do not."""
    stretches: list[list[Step]] = []
    for step in steps:
        if stretches and stretches[-1][0].recomputed == step.recomputed:
            stretches[-1].append(step)
        else:
            stretches.append([step])
    return stretches


def _draw_peak(drawing: Drawing, axes: Axes, timeline: Timeline) -> None:
    peak = max(timeline.steps, key=lambda step: step.bytes, default=None)
    if peak is not None:
        drawing.dot(axes.x((peak.begin + peak.end) / 2), axes.y(peak.bytes), 4, "series-0")


def _draw_transfers(drawing: Drawing, axes: Axes, timeline: Timeline) -> None:
    for bar in timeline.transfers:
        top = axes.bottom - _BAR * (2 * bar.tier + (1 if bar.is_write else 2))
        left, right = axes.x(bar.begin), axes.x(bar.end)
        drawing.rect(left, top, max(_LEAST_WIDTH, right - left), _BAR - 1, "series-3" if bar.is_write else "series-2")


def _key(timeline: Timeline) -> list[tuple[str, str]]:
    recomputing = [("recomputing", "recompute")] if any(step.recomputed for step in timeline.steps) else []
    moved = [("spilling", "series-3"), ("loading", "series-2")] if timeline.transfers else []
    return [("running for the first time", "series-0"), *recomputing, *moved]

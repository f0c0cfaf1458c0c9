"""An explanation as a self-contained page."""

from __future__ import annotations

from retrograde.report import html
from retrograde.report.stacked import StackedBar, stacked_figure
from retrograde.report.tables import percent
from retrograde.report.timeline import timeline_figure
from retrograde.torch.explain.account import GraphExplanation
from retrograde.torch.explain.tables import module_rows, peak_sentence, tables_of

_MOST_BARS = 16
_FATES = (("kept", "series-0"), ("recomputed", "recompute"), ("spilled", "series-3"), ("released", "ghost"))
_KINDS = {
    "kept": ("kept", "series-0"),
    "recomputed": ("recomputed", "recompute"),
    "loaded": ("loaded", "series-5"),
    "gradient": ("gradients", "series-2"),
    "output": ("outputs", "series-4"),
    "temporary": ("temporary", "series-3"),
    "arrived": ("cotangents", "series-6"),
    "retained": ("retained", "series-1"),
    "workspace": ("workspace", "series-7"),
    "duplicate": ("copies", "budget"),
    "fixed": ("fixed", "ghost"),
}
"""For each kind of live bytes the word in the key of the picture, and a colour."""


def explanation_page(title: str, graphs: tuple[GraphExplanation, ...]) -> str:
    """A page with a timeline, a picture of the modules, one of the peak, and the tables of each graph."""
    lead = "What the plan of a training step keeps, computes again and spills, and what is live at its peak."
    parts: list[str] = []
    for explained in graphs:
        parts += _graph_parts(explained)
    return html.page(title, lead, parts)


def _graph_parts(explained: GraphExplanation) -> list[str]:
    totals, modules, *others = tables_of(explained, bars=False)
    caption = (
        f"Strategy {explained.plan.strategy}: {percent(explained.totals.overhead)} more time than computing everything "
        "once."
    )
    parts = [html.heading(totals.title), html.table(totals, titled=False)]
    parts.append(html.figure(timeline_figure(explained.graph, explained.plan), caption))
    parts += [html.heading("By module"), html.figure(_modules_figure(explained)), html.table(modules, titled=False)]
    if explained.totals.extra_runs:
        again = others.pop(0)
        parts += [html.heading(again.title), html.table(again, titled=False)]
    peak, storages = others
    parts += [html.heading("What is live at the peak"), html.paragraph(peak_sentence(explained.peak))]
    if explained.peak.live:
        parts.append(html.figure(_peak_figure(explained)))
    return [*parts, html.table(peak, titled=False), html.table(storages)]


def _modules_figure(explained: GraphExplanation) -> html.Figure:
    bars = [
        StackedBar(
            row.module or "(top level)",
            (row.kept_bytes, row.recomputed_bytes, row.spilled_bytes, row.released_bytes),
        )
        for row, _ in module_rows(explained)
    ]
    return stacked_figure(bars, _FATES, heading="What becomes of the bytes that the forward makes")


def _peak_figure(explained: GraphExplanation) -> html.Figure:
    """The live bytes by submodule, at the depth of the table of modules; a bar for what belongs to none."""
    names = [row.module for row, _ in module_rows(explained)]
    kinds = list(explained.peak.bytes_by_kind())
    sums: dict[str, list[int]] = {}
    for entry in explained.peak.live:
        name = "(outside)" if entry.kind == "fixed" else _nearest(entry.module, names) or "(top level)"
        sums.setdefault(name, [0] * len(kinds))[kinds.index(entry.kind)] += entry.bytes
    order = [*[name or "(top level)" for name in names], "(outside)"]
    ranked = sorted(sums, key=lambda name: -sum(sums[name]))
    shown = sorted(ranked[:_MOST_BARS], key=lambda name: order.index(name) if name in order else len(order))
    bars = [StackedBar(name, tuple(sums[name])) for name in shown]
    if len(ranked) > _MOST_BARS:
        others = [sum(column) for column in zip(*(sums[name] for name in ranked[_MOST_BARS:]), strict=True)]
        bars.append(StackedBar(f"{len(ranked) - _MOST_BARS} others", tuple(others)))
    return stacked_figure(bars, [_KINDS[kind] for kind in kinds], heading="Live, by module")


def _nearest(module: str, names: list[str]) -> str:
    """The longest of the names that the module is or lies in."""
    inside = [name for name in names if module == name or module.startswith(f"{name}.")]
    return max(inside, key=len, default=module)

"""What a person looks at: terminal tables, timelines, trade-off curves, self-contained pages."""

from retrograde.report.choices_table import choices_table
from retrograde.report.comparison import (
    Comparison,
    Trial,
    compare,
    comparison_figure,
    comparison_json,
    comparison_page,
    comparison_table,
)
from retrograde.report.demo_page import DemoResult, DemoRow, demo_json, demo_page, demo_table
from retrograde.report.gradients import gradient_tables
from retrograde.report.measured import MeasuredRun, measured_figure
from retrograde.report.stacked import StackedBar, stacked_figure
from retrograde.report.svg import Figure
from retrograde.report.tables import Cell, Table, plan_table, rich_table
from retrograde.report.timeline import Timeline, given_timeline, plan_timeline, timeline_figure
from retrograde.report.tradeoff import Curve, tradeoff_figure

__all__ = [
    "Cell",
    "Comparison",
    "Curve",
    "DemoResult",
    "DemoRow",
    "Figure",
    "MeasuredRun",
    "StackedBar",
    "Table",
    "Timeline",
    "Trial",
    "choices_table",
    "compare",
    "comparison_figure",
    "comparison_json",
    "comparison_page",
    "comparison_table",
    "demo_json",
    "demo_page",
    "demo_table",
    "given_timeline",
    "gradient_tables",
    "measured_figure",
    "plan_table",
    "plan_timeline",
    "rich_table",
    "stacked_figure",
    "timeline_figure",
    "tradeoff_figure",
]

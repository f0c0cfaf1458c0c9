"""``explain``: what the plan of a budgeted module keeps, computes again and spills, and what is live at its peak."""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

from retrograde.errors import UsageError
from retrograde.planning import Plan
from retrograde.report.tables import Table, rich_table
from retrograde.torch.capture.describe import Description
from retrograde.torch.explain.account import (
    KINDS,
    GraphExplanation,
    LiveStorage,
    OperationRow,
    Peak,
    Totals,
)
from retrograde.torch.explain.explaining import explain_plan
from retrograde.torch.explain.memory_viewer import memory_snapshot
from retrograde.torch.explain.page import explanation_page
from retrograde.torch.explain.places import Frame, Place
from retrograde.torch.explain.tables import tables_of
from retrograde.torch.step.step_graph import StepGraph

if TYPE_CHECKING:
    import rich.console

__all__ = [
    "KINDS",
    "Explanation",
    "Frame",
    "GraphExplanation",
    "LiveStorage",
    "OperationRow",
    "Peak",
    "Place",
    "Totals",
    "explain",
    "explain_plans",
]

_TEXT_WIDTH = 140


@dataclass(frozen=True)
class Explanation:
    """What the plans of a budgeted module do. ``print`` it, or write it as a page.

    Attributes:
        name: of the module's class.
        graphs: one for each plan, in the order in which they were made: one for each shape of step.
    """

    name: str
    graphs: tuple[GraphExplanation, ...]

    def __str__(self) -> str:
        from io import StringIO

        from rich.console import Console

        text = StringIO()
        Console(file=text, width=_TEXT_WIDTH, highlight=False, no_color=True).print(self)
        return "\n".join(line.rstrip() for line in text.getvalue().rstrip().splitlines())

    def __rich__(self) -> rich.console.Group:
        """What ``rich.print`` shows: the same with colours."""
        from rich.console import Group

        return Group(*(part for explained in self.graphs for part in _rich_parts(tables_of(explained))))

    def to_dict(self) -> dict[str, Any]:
        """Everything but plans and graphs, as what JSON can hold."""
        return {"name": self.name, "graphs": [explained.to_dict() for explained in self.graphs]}

    def to_html(self) -> str:
        """A self-contained page: timelines, modules, peaks."""
        return explanation_page(f"{self.name} inside its budget", self.graphs)

    def save_html(self, path: str | os.PathLike[str]) -> None:
        """Write the page to a file.

        Raises:
            UsageError: the file cannot be written.
        """
        _write(path, self.to_html().encode())

    def memory_snapshot(self) -> dict[str, Any]:
        """The timeline as PyTorch's memory viewer reads it: each graph is a device of its own.

        ``torch.cuda._memory_viz.trace_plot`` takes it, too.
        """
        return memory_snapshot(self.graphs)

    def save_memory_snapshot(self, path: str | os.PathLike[str]) -> None:
        """Write the timeline as a pickle; drop the file on https://pytorch.org/memory_viz.

        Raises:
            UsageError: the file cannot be written.
        """
        # The viewer's own reader knows no later protocol.
        _write(path, pickle.dumps(self.memory_snapshot(), protocol=4))


def explain(module: nn.Module) -> Explanation:
    """What the plan of a budgeted module keeps, computes again (how often) and spills, and what is live at its peak.

    Everything is told by submodule and by line of the user's code, in bytes and in measured milliseconds. Peaks come
    from the referee's own replay of the plan, so the bytes listed sum to the peak.

    Args:
        module: a module that was given to ``budgeted`` and has a plan: its first call with gradients gives it one if
            its loss is inside, else its second step does.

    Returns:
        A value to ``print``, to write as a page (``save_html``) or for PyTorch's memory viewer
        (``save_memory_snapshot``), or to read: ``graphs[0].peak.live``, ``graphs[0].rows``, ``to_dict()``.

    Raises:
        UsageError: the module is not budgeted, or has no plan yet.

    Example:
        >>> import torch
        >>> from retrograde.torch import budgeted, explain
        >>> model = budgeted(torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Tanh()), "1 MiB", outside_bytes=64)
        >>> model(torch.ones(2, 4)).sum().backward()
        >>> (graph,) = explain(model).graphs
        >>> sum(live.bytes for live in graph.peak.live) == graph.plan.peak_bytes
        True
        >>> [row.module for row in graph.rows if row.phase == "forward"]
        ['0', '1']
    """
    planned = _planned(module)
    if not planned:
        raise UsageError(
            f"this {type(module).__name__} is budgeted and has no plan yet: with its loss inside it is planned on its "
            "first call with gradients, else when its second step begins; run it, then explain it"
        )
    return explain_plans(type(module).__name__, planned)


def explain_plans(name: str, planned: Iterable[tuple[Description | StepGraph, Plan]]) -> Explanation:
    """``explain`` for described graphs, or steps of several graphs, with their plans.

    Args:
        name: of what was planned.
        planned: each graph with its plan.
    """
    pairs = list(planned)
    names = [name] if len(pairs) == 1 else [f"{name}, plan {place + 1} of {len(pairs)}" for place in range(len(pairs))]
    graphs = tuple(explain_plan(label, described, plan) for label, (described, plan) in zip(names, pairs, strict=True))
    return Explanation(name, graphs)


def _planned(module: nn.Module) -> list[tuple[Description | StepGraph, Plan]]:
    """The plans that a budgeted module takes part in, each with the graph, or the step of several, that it is for."""
    from retrograde.torch.budgeted import _require_forward

    return [(known.described, known.plan) for known in _require_forward(module).known()]


def _rich_parts(tables: Sequence[Table]) -> list[Any]:
    from rich.padding import Padding
    from rich.text import Text

    parts: list[Any] = []
    for table in tables:
        parts += [Text(table.title, style="bold"), Padding(rich_table(table), (1, 0, 0, 0), expand=False)]
        parts += [Text(note, style="dim") for note in table.notes]
        parts.append(Text())
    return parts


def _write(path: str | os.PathLike[str], content: bytes) -> None:
    try:
        Path(path).write_bytes(content)
    except OSError as error:
        raise UsageError(f"cannot write {os.fspath(path)}: {error.strerror or error}; give another path") from error

"""The table that says by which of their choices a plan runs operations."""

from __future__ import annotations

from retrograde.graph import Graph
from retrograde.graph.check import describe_operation
from retrograde.graph.units import format_bytes
from retrograde.planning import Compute, Plan
from retrograde.report.tables import Cell, Table

MOST_ROWS = 40


def choices_table(graph: Graph, plan: Plan) -> Table:
    """By which choices a plan runs the operations that have some, and what these choices keep, use and cost.

    Args:
        graph: a graph with choices.
        plan: a plan for it.

    Example:
        >>> from retrograde.graph import Choice, Operation, Storage, Value
        >>> from retrograde.planning import plan
        >>> choices = (Choice(1.0), Choice(3.0, storage_bytes=((0, 2),), name="two snapshots"))
        >>> graph = Graph((Operation("loop", 1.0, (), (0,), choices=choices),), (Value(0),), (Storage(8),), order=(0,))
        >>> [cell for cell in choices_table(graph, plan(graph, 7)).rows[0]]
        ['operation 0 (loop)', '1 of 0 to 1: two snapshots', '1', '3', '2 B', '0 B']
    """
    runs: dict[tuple[int, int], int] = {}
    for action in plan.actions:
        if isinstance(action, Compute) and graph.operations[action.operation].choices:
            key = (action.operation, action.choice)
            runs[key] = runs.get(key, 0) + 1
    rows = [_row(graph, operation, choice, count) for (operation, choice), count in sorted(runs.items())]
    left_out = len(rows) - MOST_ROWS
    notes = (f"and {left_out:,} rows more",) if left_out > 0 else ()
    columns = ("operation", "runs by choice", ">times", ">cost each", ">makes", ">workspace")
    return Table("Choices", columns, tuple(rows[:MOST_ROWS]), notes)


def _row(graph: Graph, operation: int, choice: int, count: int) -> tuple[Cell | str, ...]:
    found = graph.operations[operation].choices[choice]
    made = sum(graph.storage_bytes(storage, choice) for storage in graph.allocated_storages(operation))
    name = f": {found.name}" if found.name else ""
    return (
        describe_operation(graph, operation),
        f"{choice} of 0 to {len(graph.operations[operation].choices) - 1}{name}",
        f"{count:,}",
        f"{found.cost:g}",
        format_bytes(made),
        format_bytes(found.workspace_bytes),
    )

"""Greedy colourings, compiled."""

from __future__ import annotations

from typing import Any

import numpy as np

from retrograde.planning.compiling import compiled


@compiled
def color_columns(order: Any, starts: Any, rows: Any, row_starts: Any, columns: Any) -> Any:
    """Colours for the columns of a matrix, so that no two of one colour share a row.

    Args:
        order: the columns, first one first.
        starts, rows: for each column its rows.
        row_starts, columns: for each row its columns.
    """
    colors = np.full(len(order), -1, np.int64)
    taken = np.full(len(order) + 1, -1, np.int64)
    for turn in range(len(order)):
        column = order[turn]
        for at in range(starts[column], starts[column + 1]):
            row = rows[at]
            for other in range(row_starts[row], row_starts[row + 1]):
                color = colors[columns[other]]
                if color >= 0:
                    taken[color] = column
        color = 0
        while taken[color] == column:
            color += 1
        colors[column] = color
    return colors


@compiled
def color_star(order: Any, starts: Any, neighbors: Any, colors: Any) -> Any:
    """Colours for the vertices of a graph, so that no path of four vertices has only two: a star colouring.

    Args:
        order: the vertices to colour, first one first.
        starts, neighbors: for each vertex those beside it.
        colors: -1 for each; set in place.
    """
    taken = np.full(len(starts) + 1, -1, np.int64)
    for turn in range(len(order)):
        vertex = order[turn]
        for at in range(starts[vertex], starts[vertex + 1]):
            beside = neighbors[at]
            color = colors[beside]
            if color >= 0:
                taken[color] = vertex
            for second in range(starts[beside], starts[beside + 1]):
                end = neighbors[second]
                if end == vertex or colors[end] < 0:
                    continue
                if color < 0:
                    taken[colors[end]] = vertex
                    continue
                for third in range(starts[end], starts[end + 1]):
                    last = neighbors[third]
                    if last != beside and colors[last] == color:
                        taken[colors[end]] = vertex
                        break
        choice = 0
        while taken[choice] == vertex:
            choice += 1
        colors[vertex] = choice
    return colors

"""Colourings: which columns of a sparse matrix may be found in one direction."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

sparse: Any = import_module("scipy.sparse")

_DENSE_ROW = 1000


def column_coloring(pattern: Any) -> Any:
    """A colour for each column, so that columns of one colour have no row in common.

    The sum of the columns of a colour then has every entry of them in the open (Curtis, Powell and Reid 1974). Greedy,
    the columns with the most entries first (Coleman and Moré 1983).

    Args:
        pattern: a boolean `csr_array`.
    """
    from retrograde.autodiff.derivatives.sparse.coloring_kernels import color_columns

    by_row, by_column = sparse.csr_array(pattern), sparse.csc_array(pattern)
    order = np.argsort(-np.diff(by_column.indptr), kind="stable")
    return color_columns(order, by_column.indptr, by_column.indices, by_row.indptr, by_row.indices)


def star_coloring(pattern: Any) -> Any:
    """A colour for each column of a symmetric matrix, so that each entry is in the open in its row or in its column.

    A star colouring (Coleman and Moré 1984), greedy, the columns with the most entries first (Gebremedhin, Manne and
    Pothen 2005, algorithm 4.1). A column with very many entries gets a colour of its own beforehand.

    Args:
        pattern: a boolean `csr_array`, symmetric.
    """
    from retrograde.autodiff.derivatives.sparse.coloring_kernels import color_star

    count = pattern.shape[0]
    entries = sparse.coo_array(pattern)
    beside = entries.row != entries.col
    row, col = entries.row[beside], entries.col[beside]
    degrees = np.bincount(row, minlength=count)
    hub = degrees > max(_DENSE_ROW, 16 * degrees.mean()) if count else np.zeros(0, bool)
    inner = ~(hub[row] | hub[col])
    graph = sparse.csr_array((np.ones(int(inner.sum()), bool), (row[inner], col[inner])), shape=(count, count))
    order = np.argsort(-np.diff(graph.indptr), kind="stable")
    colors = color_star(order[~hub[order]], graph.indptr, graph.indices, np.full(count, -1, np.int64))
    colors[hub] = colors.max(initial=-1) + 1 + np.arange(int(hub.sum()))
    return colors

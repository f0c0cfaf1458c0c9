"""Counts and the edges of bins: counts do not change with the values counted, unless weights do, and edges may."""

# The arrays are anything that speaks NumPy's protocols: there is nothing for a type checker to know.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

from typing import Any

import numpy as np

from retrograde.program.dispatch import Intercepting
from retrograde.program.primitive import PRIMITIVES, Array
from retrograde.program.spelling import missing_rule, spells
from retrograde.rules.shapes.joining import as_array
from retrograde.rules.shapes.sizes import known_values


@spells(np.bincount)
def _bincount(x: Any, /, weights: Any = None, minlength: int = 0) -> Array:
    """Linear in the weights: each is added to the element that its integer names."""
    places = known_values(x, "bincount")
    counts = np.bincount(places, minlength=minlength)
    out = np.zeros_like(weights, dtype=np.float64, shape=counts.shape)
    return PRIMITIVES["add_at"](out, np.asarray(places), weights)


def _is_tracked(a: Array) -> bool:
    return isinstance(a, Intercepting)


@spells(np.histogram)
def _histogram(a: Array, bins: Any = 10, range: Any = None, density: bool = False, weights: Any = None) -> Any:
    if isinstance(weights, Intercepting):
        raise missing_rule("numpy.histogram with tracked weights", (weights,))
    values, edges = known_values(a, "histogram"), known_values(bins, "histogram")
    counts, _ = np.histogram(values, edges, range, density=density, weights=weights)
    return counts, _edges(a, bins, range, weights)


@spells(np.histogram_bin_edges)
def _edges(a: Array, bins: Any = 10, range: Any = None, weights: Any = None) -> Array:
    """Edges that were given are these; those found by NumPy lie evenly between the least and the largest value."""
    if np.ndim(bins):
        return as_array(bins)
    edges = np.histogram_bin_edges(known_values(a, "histogram_bin_edges"), bins, range, weights)
    if range is not None or not _is_tracked(a) or not a.size:
        return edges
    least, largest = np.min(a), np.max(a)
    if edges[0] != known_values(least, "histogram_bin_edges"):
        least, largest = least - 0.5, largest + 0.5
    return np.linspace(least, largest, len(edges))

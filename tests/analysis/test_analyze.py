"""The whole analysis and its report."""

from __future__ import annotations

from drawn_graphs import random_graphs
from hypothesis import given, settings

import retrograde as rg
from retrograde import Graph, analyze


def training_chain(length: int) -> Graph:
    """A forward chain whose values are all read again, in reverse: 0 -> … -> n, and operation 2n - i reads i."""
    edges = [(i, i + 1) for i in range(2 * length)] + [(i, 2 * length - i) for i in range(length)]
    size = 2 * length + 1
    return Graph.from_arrays(cost=[1] * size, bytes=[8] * size, edges=edges, outputs=[2 * length], name="a chain")


def test_the_analysis_of_a_chain() -> None:
    found = analyze(training_chain(10))
    assert found.frontier.peak_bytes == found.graph.store_all_peak_bytes == 8 * 11 + 8
    assert found.frontier.tail_bytes == 8
    assert found.structure.depth == 21
    assert found.bound_bytes == found.working_set_bytes[found.largest_working_set or 0] == 24
    assert found.frontier_ratio == 4.0
    assert found.best_order.name == "given"


def test_the_report_names_what_matters() -> None:
    text = analyze(training_chain(10)).report()
    assert text.startswith("Analysis of a chain\n===================\n")
    for words in ("21 operations", "peak", "largest working set", "sethi_ullman", "narrow points"):
        assert words in text
    assert "The given order peaks at 4.00 times the lower bound of 24 B" in text
    assert "no budget below 25.0% of its peak" in text


def test_the_report_says_when_nothing_can_be_gained() -> None:
    graph = Graph.from_arrays(cost=[1, 1], bytes=[8, 8], edges=[(0, 1)])
    assert "recomputation can gain nothing" in analyze(graph).report()


def test_an_empty_graph_can_be_analysed() -> None:
    found = analyze(Graph((), (), (), ()))
    assert found.largest_working_set is None
    assert found.frontier_ratio == 1.0
    assert "the graph has no operations" in found.report()


@given(random_graphs())
@settings(max_examples=100, deadline=None)
def test_every_graph_has_a_report(graph: Graph) -> None:
    found = analyze(graph)
    assert found.bound_bytes <= found.bound_without_spilling_bytes <= found.best_order.peak_bytes
    assert found.orders[0].peak_bytes == found.frontier.peak_bytes
    assert found.report().endswith("\n")


def test_it_is_public() -> None:
    assert rg.analyze is analyze

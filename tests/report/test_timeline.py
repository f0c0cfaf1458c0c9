"""Memory timelines."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from retrograde import Graph, PlanError, Tier
from retrograde.planning import plan
from retrograde.report import given_timeline, plan_timeline, timeline_figure


def texts(svg: str) -> list[str]:
    return ["".join(node.itertext()) for node in ElementTree.fromstring(svg).iter() if node.tag.endswith("}text")]


def test_a_timeline_is_what_the_referee_sees(training: Graph) -> None:
    found = plan(training, "70%", "sqrt")
    timeline = plan_timeline(training, found)
    assert max(step.bytes for step in timeline.steps) == found.peak_bytes
    assert timeline.end == pytest.approx(1 + found.overhead)
    repeated = sum(step.end - step.begin for step in timeline.steps if step.recomputed)
    assert repeated == pytest.approx(found.overhead)
    assert timeline.borders[0] == 0.0
    assert timeline.borders[1] == pytest.approx(8 / 24)


def test_without_costs_it_counts_operations() -> None:
    graph = Graph.from_arrays(cost=[0, 0, 0], bytes=[4, 4, 4], edges=[(0, 1), (1, 2)])
    timeline = plan_timeline(graph, plan(graph, None, "store_all"))
    assert (timeline.by_cost, timeline.end) == (False, 3.0)
    assert "operations run so far" in texts(timeline_figure(graph, plan(graph, None, "store_all")).svg())


def test_the_given_order_is_the_store_all_plan(training: Graph) -> None:
    given, planned = given_timeline(training), plan_timeline(training, plan(training, None, "store_all"))
    assert [step.bytes for step in given.steps] == [step.bytes for step in planned.steps]
    assert given.borders == planned.borders


def test_the_figure_names_segments_budget_and_peak(training: Graph) -> None:
    found = plan(training, "70%", "sqrt")
    words = texts(timeline_figure(training, found, heading="Seventy percent").svg())
    assert {"forward", "backward"} <= set(words)
    assert any(word.startswith("budget 6.15 KiB") for word in words)
    assert any(word.startswith("peak ") for word in words)
    assert any(word.startswith("unplanned ") for word in words)
    assert "■ running for the first time\u2003■ recomputing" in words
    assert "Seventy percent\u2003live memory" in words


def test_transfers_stand_on_the_ground_and_waits_take_time(training: Graph) -> None:
    tier = Tier("disk", 600.0, 600.0)
    found = plan(training, "60%", "spill", tiers=[tier])
    timeline = plan_timeline(training, found)
    seen = found.verify(training).timeline
    assert seen is not None
    assert seen.waiting > 0
    assert timeline.end == pytest.approx(1 + found.overhead)
    assert len(timeline.transfers) == len(seen.transfers)
    assert timeline.transfers[0].end == pytest.approx(seen.transfers[0].end / training.base_cost)
    assert sum(step.end - step.begin for step in timeline.steps) == pytest.approx(1)
    words = texts(timeline_figure(training, found).svg())
    assert any("spilling" in word and "loading" in word and "recomputing" not in word for word in words)


def test_nothing_is_said_of_what_is_not_there(training: Graph) -> None:
    words = texts(timeline_figure(training, plan(training, None, "store_all")).svg())
    assert not any("budget" in word or "unplanned" in word or "recomputing" in word for word in words)


def test_a_long_plan_is_thinned_but_keeps_its_peak() -> None:
    count = 6000
    sizes = [1] * count
    sizes[3333] = 50_000
    graph = Graph.from_arrays(cost=[1] * count, bytes=sizes, edges=[(i, i + 1) for i in range(count - 1)])
    figure = timeline_figure(graph, plan(graph, None, "store_all"))
    assert len(figure.body) < 100_000
    assert any(word.startswith("peak 48.83 KiB") for word in texts(figure.svg()))


def test_an_empty_graph_has_a_figure() -> None:
    graph = Graph((), (), (), ())
    assert ElementTree.fromstring(timeline_figure(graph, plan(graph, None, "store_all")).svg()).tag.endswith("svg")


def test_a_plan_of_another_graph_is_refused(training: Graph) -> None:
    other = Graph.from_arrays(cost=[1], bytes=[1], edges=[])
    with pytest.raises(PlanError, match="this plan belongs to graph"):
        timeline_figure(other, plan(training, None, "store_all"))


def test_many_segments_are_numbered() -> None:
    from dataclasses import replace

    graph = Graph.from_arrays(cost=[1] * 3, bytes=[4] * 3, edges=[(0, 1), (1, 2)])
    operations = tuple(replace(o, segment=i) for i, o in enumerate(graph.operations))
    graph = replace(graph, operations=operations)
    words = texts(timeline_figure(graph, plan(graph, None, "store_all")).svg())
    assert {"segment 0", "segment 1", "segment 2"} <= set(words)

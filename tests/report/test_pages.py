"""Tables, pages and comparisons."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from io import StringIO

import pytest

from retrograde import Graph
from retrograde.graph.units import format_bytes
from retrograde.planning import plan
from retrograde.report import (
    Cell,
    Comparison,
    Table,
    compare,
    comparison_json,
    comparison_page,
    comparison_table,
    html,
    plan_table,
    rich_table,
)
from retrograde.report.tables import as_cell, recomputed_operations, short_bytes


class Balanced(HTMLParser):
    """Fails on a tag that closes what is not open."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def check_page(page: str) -> None:
    parser = Balanced()
    parser.feed(page)
    assert parser.open == []
    assert "<script" not in page
    assert "http" not in page.replace('xmlns="http://www.w3.org/2000/svg"', "")


def test_a_page_escapes_everything() -> None:
    bad = '<img src="x">&'
    table = Table(bad, (bad, f">{bad}\nsecond"), ((bad, Cell(bad, "good")),), (bad,))
    page = html.page(bad, bad, [html.heading(bad), html.paragraph(bad), html.table(table)])
    check_page(page)
    assert "<img" not in page
    assert page.count("&lt;img") == 11


def test_numbers_are_flush_right_and_tones_are_classes() -> None:
    text = html.table(Table("", ("name", ">bytes"), (("a", Cell("1", "bad")),)))
    assert '<th scope="col" class="n">bytes</th>' in text
    assert '<td class="n t-bad">1</td>' in text
    assert "<caption>" not in text


def test_a_rich_table_has_the_same_cells() -> None:
    from rich.console import Console

    written = StringIO()
    table = Table("title", ("name", ">bytes"), (("[bold]a[/bold]", Cell("1", "good")),))
    Console(width=60, file=written).print(rich_table(table))
    assert "[bold]a[/bold]" in written.getvalue()


def test_short_bytes() -> None:
    assert [short_bytes(n) for n in (0, 999, 2048, 20.25 * 2**20, 999.6 * 2**20)] == [
        "0 B",
        "999 B",
        "2.00 KiB",
        "20.2 MiB",
        "1000 MiB",
    ]


def test_the_table_of_a_plan(training: Graph) -> None:
    found = plan(training, "70%", "sqrt")
    rows = {row[0]: row[1:] for row in plan_table(training, found, 3000).rows}
    assert rows["planned peak"][2] == f"{found.peak_bytes:,} bytes"
    assert rows["operations run again"][0] == str(recomputed_operations(found)) != "0"
    assert rows["operations"] == ("16", "", "in 2 segments")
    unlimited = plan_table(training, plan(training, None, "store_all"), 3000)
    assert {row[0]: row[1] for row in unlimited.rows}["budget"] == "none"


@pytest.fixture
def comparison(training: Graph) -> Comparison:
    whole = training.store_all_peak_bytes
    budgets = [("100%", whole), ("70%", whole * 7 // 10), ("10%", whole // 10)]
    return compare(training, budgets, ["store_all", "sqrt"], lambda budget, name: plan(training, budget, name))


def test_a_comparison_marks_the_cheapest_and_dashes_the_infeasible(comparison: Comparison) -> None:
    rows = [[as_cell(cell) for cell in row] for row in comparison_table(comparison).rows]
    store_all, sqrt = rows
    assert [cell.text for cell in store_all[:4]] == ["store_all", "0.0 %", "–", "–"]
    assert store_all[1].tone == "good"
    assert sqrt[1].tone == ""
    assert sqrt[2].tone == "good"
    assert sqrt[3] == Cell("–", "muted")


def test_the_page_of_a_comparison(comparison: Comparison) -> None:
    page = comparison_page(comparison)
    check_page(page)
    assert page.count("<svg") == 3
    assert "No strategy meets 10%" in page
    assert "training &lt;&amp;&gt;" in page


def test_a_comparison_as_json(comparison: Comparison) -> None:
    document = json.loads(json.dumps(comparison_json(comparison)))
    assert len(document["trials"]) == 6
    infeasible = [t for t in document["trials"] if not t["feasible"]]
    assert all(t["minimum_bytes"] > t["budget_bytes"] and t["peak_bytes"] is None for t in infeasible)


def test_a_plan_that_spills_says_so(training: Graph) -> None:
    found = plan(training, "70%", "spill")
    rows = {row[0]: row for row in plan_table(training, found, 30).rows}
    size = format_bytes(found.verify(training).spilled_bytes)
    assert rows["spilled"][1] == size != "0 B"
    assert rows["spilled"][3] == "the time of these transfers is not in the plan"
    assert all(row[0] != "spilled" for row in plan_table(training, plan(training, "100%"), 30).rows)

"""``retrograde compare``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from retrograde import Graph

Run = Callable[..., Result]


def test_one_table(run: Run, graph_file: str) -> None:
    result = run("compare", graph_file, "--budgets", "100,60,5", "--strategies", "store_all,sqrt")
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    store_all = next(line for line in lines if line.startswith("store_all"))
    assert store_all.split()[1:6] == ["0.0", "%", "–", "–", "14.0"]
    assert "no schedule goes below 3.00 KiB" in result.stdout


def test_json_has_every_trial(run: Run, graph_file: str, graph: Graph) -> None:
    result = run("compare", graph_file, "--budgets", "100%, 8 KiB, 12000", "--strategies", "auto,store_all", "--json")
    document = json.loads(result.stdout)
    assert document["store_all_peak_bytes"] == graph.store_all_peak_bytes
    assert [(t["strategy"], t["budget_bytes"], t["feasible"]) for t in document["trials"]] == [
        ("auto", graph.store_all_peak_bytes, True),
        ("auto", 8192, True),
        ("auto", 12000, True),
        ("store_all", graph.store_all_peak_bytes, True),
        ("store_all", 8192, False),
        ("store_all", 12000, False),
    ]
    assert document["trials"][4]["minimum_bytes"] == graph.store_all_peak_bytes
    assert all(t["peak_bytes"] <= t["budget_bytes"] for t in document["trials"] if t["feasible"])


def test_all_strategies_by_default(run: Run, graph_file: str) -> None:
    document = json.loads(run("compare", graph_file, "--budgets", "80", "--json").stdout)
    names = {trial["strategy"] for trial in document["trials"]}
    assert {"auto", "store_all", "recompute_all", "sqrt", "block", "selective", "interval_tree"} <= names


def test_the_page_is_self_contained(run: Run, graph_file: str, tmp_path: Path) -> None:
    result = run("compare", graph_file, "--budgets", "80,50,1", "--html", "page.html")
    assert result.exit_code == 0
    assert "wrote page.html" in result.stderr
    page = (tmp_path / "page.html").read_text()
    assert "No strategy meets 1%" in page
    assert page.count("<svg") == 3
    for outside in ("http://", "https://", "<script", "<link", "<img", "@import"):
        assert outside not in page.replace('xmlns="http://www.w3.org/2000/svg"', "")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--budgets", "80,nan"), "a budget of 'nan' is not understood"),
        (("--budgets", ""), "a budget of '' is not understood"),
        (("--budgets", "0"), "a budget of '0%' is not above 0"),
        (
            ("--strategies", "sqrt,magic"),
            "there is no strategy 'magic'; the strategies are auto, search",
        ),
        (("--strategies", ","), "there is no strategy named in --strategies"),
    ],
)
def test_bad_usage(run: Run, graph_file: str, arguments: tuple[str, ...], reason: str) -> None:
    result = run("compare", graph_file, *arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith(f"retrograde: {reason}")

"""``retrograde plan``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from retrograde import Choice, Graph, Operation, Plan, Storage, Value
from retrograde.planning.improve import Annealing, Descent
from retrograde.planning.remembered import forget

Run = Callable[..., Result]


def test_it_prints_a_table(run: Run, graph_file: str) -> None:
    result = run("plan", graph_file, "--budget", "60%")
    assert result.exit_code == 0, result.stderr
    for words in ("Plan of a training chain", "planned peak", "no schedule below", "extra time", "strategy", "auto"):
        assert words in result.stdout


def test_json_is_pure_and_complete(run: Run, graph_file: str, graph: Graph) -> None:
    result = run("plan", graph_file, "--budget", "60%", "--strategy", "sqrt", "--json")
    document = json.loads(result.stdout)
    assert result.exit_code == 0
    assert document["feasible"] is True
    assert document["strategy"] == "sqrt"
    assert document["budget_bytes"] == int(graph.store_all_peak_bytes * 0.6)
    assert document["bound_bytes"] <= document["peak_bytes"] <= document["budget_bytes"]
    assert document["recomputed_operations"] > 0
    assert document["overhead"] == pytest.approx(document["cost"] / document["base_cost"] - 1)


def test_the_plan_is_written_and_verifies(run: Run, graph_file: str, graph: Graph, tmp_path: Path) -> None:
    result = run("plan", graph_file, "--budget", str(graph.store_all_peak_bytes), "-o", "plan.json")
    assert result.exit_code == 0
    assert "wrote plan.json" in result.stderr
    plan = Plan.from_json((tmp_path / "plan.json").read_text())
    assert plan.verify(graph).peak_bytes <= graph.store_all_peak_bytes


def test_choices_are_told(run: Run, tmp_path: Path) -> None:
    choices = (Choice(1.0), Choice(3.0, storage_bytes=((0, 2),), name="two snapshots"))
    graph = Graph((Operation("loop", 1.0, (), (0,), choices=choices),), (Value(0),), (Storage(8),), order=(0,))
    (tmp_path / "loop.json").write_text(graph.to_json())
    table = run("plan", "loop.json", "--budget", "7", "--html", "plan.html")
    assert "1 of 0 to 1: two snapshots" in table.stdout
    assert "two snapshots" in (tmp_path / "plan.html").read_text()
    document = json.loads(run("plan", "loop.json", "--budget", "7", "--json").stdout)
    assert (document["choices"], document["overhead"]) == ({"0": [1]}, 2.0)


def test_the_page_holds_the_timeline(run: Run, graph_file: str, tmp_path: Path) -> None:
    result = run("plan", graph_file, "--budget", "70%", "--html", "plan.html")
    assert result.exit_code == 0
    page = (tmp_path / "plan.html").read_text()
    assert "Memory timeline" in page
    assert "<svg" in page


@pytest.mark.parametrize(
    ("budget", "reason"),
    [
        ("0", "a budget of 0 is not above 0"),
        ("-5", "a budget of '-5' is not understood"),
        ("nan", "a budget of 'nan' is not understood"),
        ("8 GiBs", "a budget of '8 GiBs' is not understood"),
        ("140%", "a budget of '140%' is not above 0 and at most 100 %"),
        ("0%", "a budget of '0%' is not above 0 and at most 100 %"),
        ("", "a budget of '' is not understood"),
    ],
)
def test_bad_budgets_are_bad_usage(run: Run, graph_file: str, budget: str, reason: str) -> None:
    result = run("plan", graph_file, "--budget", budget)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith(f"retrograde: {reason}")
    assert result.stderr.count("\n") == 1


def test_an_infeasible_budget_exits_with_3_and_names_what_is_feasible(run: Run, graph_file: str) -> None:
    result = run("plan", graph_file, "--budget", "1 KiB")
    assert result.exit_code == 3
    assert result.stdout == ""
    line = result.stderr.splitlines()[-1]
    as_json = run("plan", graph_file, "--budget", "1 KiB", "--json")
    assert as_json.exit_code == 3
    document = json.loads(as_json.stdout)
    assert document["feasible"] is False
    assert document["budget_bytes"] == 1024
    assert document["bound_bytes"] == 3 * 1024
    assert f"{document['minimum_bytes']} bytes" in line
    assert f"{document['bound_bytes']} bytes" in line
    assert run("plan", graph_file, "--budget", str(document["minimum_bytes"])).exit_code == 0


def test_an_unknown_strategy_lists_the_known_ones(run: Run, graph_file: str) -> None:
    result = run("plan", graph_file, "--budget", "50%", "--strategy", "magic")
    assert result.exit_code == 2
    assert "there is no strategy 'magic'; the strategies are auto, search, optimal, store_all" in result.stderr


def test_a_missing_budget_is_bad_usage_in_one_line(run: Run, graph_file: str) -> None:
    result = run("plan", graph_file)
    assert result.exit_code == 2
    assert result.stderr == "retrograde: Missing option '--budget'.\n"


@pytest.mark.parametrize(
    ("option", "path", "reason"),
    [
        ("-o", "no/such/folder/plan.json", "there is no folder no/such/folder; give another path"),
        ("--html", ".", "it is a folder or lies in a read-only one; give another path"),
    ],
)
def test_a_path_that_cannot_be_written_is_refused_first(
    run: Run, graph_file: str, option: str, path: str, reason: str
) -> None:
    result = run("plan", graph_file, "--budget", "100%", option, path)
    assert result.exit_code == 2
    assert result.stderr == f"retrograde: cannot write {path}: {reason}\n"


def test_a_file_that_fails_while_it_is_written_says_so(
    run: Run, graph_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    result = run("plan", graph_file, "--budget", "100%", "--strategy", "store_all", "-o", "plan.json")
    assert result.exit_code == 2
    assert "cannot write plan.json: No space left on device; give another path" in result.stderr


def _interrupt(*_: object, **__: object) -> bool:
    raise KeyboardInterrupt


@pytest.fixture
def interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every descent and every annealing is interrupted as soon as it begins."""
    forget()
    monkeypatch.setattr(Descent, "fit", _interrupt)
    monkeypatch.setattr(Annealing, "fit", _interrupt)


@pytest.mark.usefixtures("interrupted")
def test_an_interrupt_prints_the_best_plan_so_far(run: Run, graph_file: str, graph: Graph) -> None:
    result = run("plan", graph_file, "--budget", "60%", "--json")
    assert result.exit_code == 0
    assert "interrupted; this is the best plan found so far" in result.stderr
    document = json.loads(result.stdout)
    assert document["peak_bytes"] <= int(graph.store_all_peak_bytes * 0.6)


@pytest.mark.usefixtures("interrupted")
@pytest.mark.parametrize(("budget", "strategy"), [("1", "auto"), ("1", "search")])
def test_an_interrupt_before_anything_fits_is_an_interrupt(
    run: Run, graph_file: str, budget: str, strategy: str
) -> None:
    result = run("plan", graph_file, "--budget", budget, "--strategy", strategy)
    assert result.exit_code == 130
    assert not result.stdout
    assert "interrupted" in result.stderr


def test_a_tier_is_read_and_its_transfers_are_told(run: Run, graph_file: str) -> None:
    result = run("plan", graph_file, "--budget", "60%", "--strategy", "spill", "--tier", "disk:write=1KB/s,read=2KB/s")
    assert result.exit_code == 0, result.stderr
    for words in ("spilled to disk", "at any moment", "waiting for transfers"):
        assert words in result.stdout


def test_json_tells_of_tiers(run: Run, graph_file: str) -> None:
    tier = "host:write=1KB/s,read=2 KiB/s,latency=2ms,capacity=1MiB,duplex"
    result = run("plan", graph_file, "--budget", "60%", "--strategy", "spill", "--tier", tier, "--json")
    document = json.loads(result.stdout)
    (told,) = document["tiers"]
    assert told["most_bytes"] > 0
    assert {key: told[key] for key in told if key != "most_bytes"} == {
        "name": "host",
        "write_bytes_per_second": 1000,
        "read_bytes_per_second": 2048,
        "latency_seconds": 0.002,
        "capacity_bytes": 2**20,
        "duplex": True,
    }
    assert document["spilled_bytes"] >= told["most_bytes"]
    assert document["waiting_seconds"] == pytest.approx(document["cost"] - document["base_cost"])


@pytest.mark.parametrize(
    ("tier", "reason"),
    [
        ("disk", "the tier 'disk' is not understood; write it as"),
        (":write=1GB/s,read=1GB/s", "is not understood"),
        ("disk:write=1GB/s", "is not understood"),
        ("disk:write=1GB/s,read=1GB/s,colour=red", "is not understood"),
        ("disk:write=1GB/s,read=1GB/s,duplex=yes", "is not understood"),
        ("disk:write=1GB/s,write=1GB/s,read=1GB/s", "says 'write' twice"),
        ("disk:write=1GB,read=1GB/s", "a speed of '1GB', which is not in bytes per second"),
        ("disk:write=fast/s,read=1GB/s", "'fast' is not an amount of bytes"),
        ("disk:write=0GB/s,read=1GB/s", "write_bytes_per_second must be above 0"),
        ("disk:write=1GB/s,read=1GB/s,latency=soon", "a latency of 'soon', which is not in s, ms or us"),
    ],
)
def test_a_tier_that_means_nothing_is_refused(run: Run, graph_file: str, tier: str, reason: str) -> None:
    result = run("plan", graph_file, "--budget", "60%", "--tier", tier)
    assert result.exit_code == 2
    assert reason in result.stderr.replace("\n", " ")

"""Plans and costs are found once and kept: the second start of a training neither plans nor measures again."""

import json
import logging
import subprocess
import sys

import pytest
import torch
from cases import TinyGPT, tokens

import retrograde as rg
from retrograde.torch import plan_store
from retrograde.torch.costs.measured import MeasuredCosts


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("RETROGRADE_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def planner_calls(monkeypatch):
    calls = []
    original = plan_store.plan
    monkeypatch.setattr(plan_store, "plan", lambda *a, **k: calls.append(a) or original(*a, **k))
    return calls


def train(**options) -> rg.Plan:
    torch.manual_seed(0)
    model = rg.torch.budgeted(TinyGPT(), "90%", strategy="sqrt", **options)
    model(*tokens()).backward()
    torch._dynamo.reset()
    return rg.torch.plans(model)[0]


def test_the_second_start_does_not_plan_or_measure_again(cache, planner_calls, monkeypatch):
    first = train()
    measured = []
    monkeypatch.setattr(MeasuredCosts, "_measure", lambda self, node: measured.append(node))
    assert train() == first
    assert len(planner_calls) == 1
    assert not measured


def test_another_budget_or_strategy_is_another_plan(cache, planner_calls):
    train()
    model = rg.torch.budgeted(TinyGPT(), "1 GiB", strategy="sqrt")
    model(*tokens()).backward()
    assert len(planner_calls) == 2


def test_a_larger_budget_never_costs_more_whatever_was_asked_for_first(cache):
    costs = {}
    for budget in ("100%", "85%", "95%", "90%", "85%", "100%"):
        model = rg.torch.budgeted(TinyGPT(), budget, iterations=200)
        model(*tokens()).backward()
        costs[float(budget[:-1])] = rg.torch.plans(model)[0].cost
        torch._dynamo.reset()
    assert [costs[b] for b in sorted(costs)] == sorted(costs.values(), reverse=True)


def test_the_minimum_that_an_error_names_is_met_without_planning_again(cache, planner_calls):
    model = rg.torch.budgeted(TinyGPT(), 1, iterations=200)
    with pytest.raises(rg.BudgetError) as caught:
        model(*tokens())
    planner_calls.clear()
    rg.torch.unbudget(model)
    rg.torch.budgeted(model, caught.value.minimum_bytes, iterations=200)(*tokens()).backward()
    assert rg.torch.plans(model)[0].peak_bytes == caught.value.minimum_bytes
    assert not planner_calls


def test_without_cache_nothing_is_written(cache, planner_calls):
    train(cache=False)
    assert not cache.exists()


@pytest.mark.parametrize("damage", [b"", b"garbage", b"00\n{}", b"\xff\xfe\n"])
def test_corrupt_entries_are_replaced_with_a_warning(cache, planner_calls, caplog, damage):
    first = train()
    for path in cache.rglob("*.json"):
        path.write_bytes(damage)
    with caplog.at_level(logging.WARNING, logger="retrograde"):
        again = train()
    assert again.peak_bytes == first.peak_bytes
    assert "corrupt" in caplog.text
    caplog.clear()
    train()
    assert "corrupt" not in caplog.text


def test_a_plan_that_does_not_fit_its_graph_is_planned_again(cache, planner_calls, caplog):
    first = train()
    store = plan_store.DiskCache("plans")
    (entry,) = (cache / "plans").glob("*.json")
    document = json.loads(first.to_json()) | {"peak_bytes": 1}
    store.put(entry.stem, [json.dumps(document)])
    with caplog.at_level(logging.WARNING, logger="retrograde"):
        assert train() == first
    assert "does not fit its graph" in caplog.text
    assert len(planner_calls) == 2


def test_it_works_without_a_writable_folder(tmp_path, monkeypatch):
    blocker = tmp_path / "file"
    blocker.write_text("not a folder")
    monkeypatch.setenv("RETROGRADE_CACHE_DIR", str(blocker))
    assert train().overhead >= 0


def test_costs_are_measured_while_a_profiler_runs(cache):
    with torch.profiler.profile(profile_memory=True, activities=[torch.profiler.ProfilerActivity.CPU]):
        plan = train()
    assert plan.base_cost > 0


def test_a_roofline_estimate_needs_no_measurement(cache, monkeypatch):
    monkeypatch.setattr(MeasuredCosts, "_measure", lambda self, node: pytest.fail("measured"))
    assert train(measure_costs=False).base_cost > 0


def test_progress_goes_to_the_callback(cache):
    reports = []
    train(progress=reports.append)
    assert reports


@pytest.mark.slow
def test_two_processes_share_one_folder(cache):
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); import torch, retrograde as rg; from cases import *;"
        "torch.manual_seed(0); m = rg.torch.budgeted(TinyGPT(), '90%', strategy='sqrt'); m(*tokens()).backward();"
        "print(rg.torch.plans(m)[0].peak_bytes)"
    )
    command = [sys.executable, "-c", script, str(__file__.rsplit("/", 1)[0])]
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    peaks = {run.communicate()[0].strip() for run in runs}
    assert len(peaks) == 1
    assert all(run.returncode == 0 for run in runs)

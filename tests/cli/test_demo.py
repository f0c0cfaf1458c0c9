"""``retrograde demo``, with a training part of our own: what is printed, written and answered."""

from __future__ import annotations

import importlib.metadata
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from click.testing import Result

from retrograde import Graph
from retrograde.planning import plan
from retrograde.report import DemoResult, DemoRow

Run = Callable[..., Result]


@pytest.fixture
def result(graph: Graph) -> DemoResult:
    """Two runs of the training chain: without a budget, and at 60 %."""
    rows: list[DemoRow] = []
    for label, strategy in (("none", "store_all"), ("60%", "sqrt")):
        found = plan(graph, None if label == "none" else label, strategy)
        rows.append(
            DemoRow(
                budget_label=label,
                budget_bytes=found.budget_bytes,
                measured_peak_bytes=found.peak_bytes,
                predicted_peak_bytes=found.peak_bytes,
                recomputed_operations=7,
                step_time_ratio=1 + found.overhead,
                loss_first=4.0,
                loss_last=2.5,
                gradients_equal=True,
                graph=graph,
                plan=found,
                measured_timeline=((0.0, 0), (0.1, found.peak_bytes), (0.2, 100)),
            )
        )
    curve = ((1.0, 0.0), (0.6, 0.24))
    return DemoResult("A chain", "this machine", graph.store_all_peak_bytes, tuple(rows), curve, bound_bytes=3072)


@pytest.fixture
def demo(monkeypatch: pytest.MonkeyPatch) -> Callable[[DemoResult], None]:
    """Puts a training part in place that reports progress and gives a result."""

    def install(result: DemoResult) -> None:
        def run_demo(*, steps: int, progress: Callable[[str], Any]) -> DemoResult:
            progress(f"training for {steps} steps")
            return result

        module = ModuleType("retrograde.torch.demo")
        module.run_demo = run_demo  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "retrograde.torch", ModuleType("retrograde.torch"))
        monkeypatch.setitem(sys.modules, "retrograde.torch.demo", module)

    return install


def test_it_prints_one_table_and_writes_the_page(
    run: Run, demo: Callable[[DemoResult], None], result: DemoResult, tmp_path: Path
) -> None:
    demo(result)
    found = run("demo", "--steps", "5")
    assert found.exit_code == 0, found.stderr
    assert "60% 8.40" in found.stdout
    assert "4.000→2.500" in found.stdout
    assert "training for 5 steps" in found.stderr
    page = (tmp_path / "retrograde-demo.html").read_text()
    assert page.count("<svg") == 4
    assert "Memory of a step, measured" in page


def test_json_is_pure(run: Run, demo: Callable[[DemoResult], None], result: DemoResult) -> None:
    demo(result)
    document = json.loads(run("demo", "--json", "--html", "page.html").stdout)
    assert document["passed"] is True
    assert [row["budget"] for row in document["rows"]] == ["none", "60%"]
    assert document["rows"][1]["within_budget"] is True


@pytest.mark.parametrize("change", [{"gradients_equal": False}, {"measured_peak_bytes": 10**9}])
def test_a_broken_promise_exits_with_1(
    run: Run, demo: Callable[[DemoResult], None], result: DemoResult, change: dict[str, Any]
) -> None:
    demo(replace(result, rows=(result.rows[0], replace(result.rows[1], **change))))
    found = run("demo", "--json")
    assert found.exit_code == 1
    assert json.loads(found.stdout)["passed"] is False


def test_without_torch_it_says_what_to_install(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.delitem(sys.modules, "retrograde.torch", raising=False)
    monkeypatch.setattr(importlib.metadata, "version", version)
    found = run("demo")
    assert found.exit_code == 2
    assert found.stdout == ""
    assert "needs PyTorch, which is not installed" in found.stderr
    assert "pip install 'retrograde[torch]'" in found.stderr


def test_too_few_steps_are_bad_usage(run: Run) -> None:
    found = run("demo", "--steps", "3")
    assert found.exit_code == 2
    assert "3 is not in the range x>=4" in found.stderr

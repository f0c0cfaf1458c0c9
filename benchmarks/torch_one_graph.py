"""One captured graph inside a budget: peaks, gradients and times beside plain eager and PyTorch's own ways.

Run it on an idle machine: ``python benchmarks/torch_one_graph.py``. Tables go to standard output, progress to
standard error. Ratios come from steps timed side by side; no time is compared across runs.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from models import CASES
from one_graph_picture import picture
from one_graph_tables import markdown, model_tables, targets_table
from planning_time import PlanningTimes, planning_times
from targets import targets
from timing import CLOCKS, Ratio, Stopwatch
from trials import Bench, ModelResult, Row

from retrograde.report import Table, rich_table

BUDGETS = ("80%", "60%", "50%", "40%", "30%", "20%")


def main() -> int:
    """Measure, or read what was measured; print; write what was asked for."""
    options = _options()
    document = _read(options.render) if options.render else _measure(options)
    results = [_model_result(fields) for fields in document["models"]]
    planning = _planning(document.get("planning"))
    found = targets(results, planning)
    tables = [table for result in results for table in model_tables(result)]
    tables.insert(0 if options.markdown else len(tables), targets_table(found))
    if options.markdown:
        print("\n".join(markdown(table) for table in tables))
    else:
        _print(tables)
    if options.picture:
        Path(options.picture).write_text(picture(results).svg())
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--models", nargs="*", choices=list(CASES), default=list(CASES))
    parser.add_argument("--budgets", nargs="+", default=list(BUDGETS), help='in percent of the store-all peak: "50%%"')
    parser.add_argument("--rounds", type=int, default=9, help="timed rounds of each variant")
    parser.add_argument("--quick", action="store_true", help="one small model, two budgets, three rounds")
    parser.add_argument("--threads", type=int, default=2, help="threads that PyTorch uses")
    parser.add_argument(
        "--clock", choices=list(CLOCKS), default="wall", help="cpu: CPU seconds, for one thread on a busy machine"
    )
    parser.add_argument("--json", metavar="FILE", help="write everything measured, after each model")
    parser.add_argument("--render", nargs="+", metavar="FILE", help="measure nothing, read these files")
    parser.add_argument("--markdown", action="store_true", help="print the tables in Markdown")
    parser.add_argument("--picture", metavar="FILE", help="write the trade-off as SVG")
    parser.add_argument("--no-planning", action="store_true", help="leave out how long planning takes")
    options = parser.parse_args()
    if options.clock == "cpu" and options.threads != 1:
        parser.error("--clock cpu needs --threads 1: threads that wait for each other spin")
    if options.quick:
        options.models, options.budgets, options.rounds, options.no_planning = ["mlp24"], ["60%", "30%"], 3, True
    return options


def _measure(options: argparse.Namespace) -> dict[str, Any]:
    torch.set_num_threads(options.threads)
    begin = time.perf_counter()

    def tell(text: str) -> None:
        print(f"{time.perf_counter() - begin:5.0f} s  {text}", file=sys.stderr, flush=True)

    document: dict[str, Any] = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}",
        "threads": options.threads,
        "clock": options.clock,
        "rounds": options.rounds,
        "models": [],
    }
    with tempfile.TemporaryDirectory() as folder:
        # Costs and plans of earlier runs would be found again otherwise.
        os.environ["RETROGRADE_CACHE_DIR"] = folder
        for name in options.models:
            bench = Bench(name, CASES[name], options.rounds, Stopwatch(options.clock), tell)
            document["models"].append(bench.run(options.budgets).to_json())
            _write(document, options.json)
        if not options.no_planning:
            tell("planning times")
            times = planning_times(options.budgets, options.clock)
            document["planning"] = {
                "operations": times.operations,
                "warm": times.warm,
                "cold_seconds": times.cold_seconds,
            }
            _write(document, options.json)
    return document


def _write(document: dict[str, Any], path: str | None) -> None:
    if path:
        Path(path).write_text(json.dumps(document, indent=1) + "\n")


def _read(paths: Sequence[str]) -> dict[str, Any]:
    documents = [json.loads(Path(path).read_text()) for path in paths]
    models = {fields["name"]: fields for document in documents for fields in document["models"]}
    planning = [document["planning"] for document in documents if "planning" in document]
    ordered = [models[name] for name in CASES if name in models]
    return {**documents[0], "models": ordered, "planning": planning[-1] if planning else None}


def _model_result(fields: dict[str, Any]) -> ModelResult:
    rows = [Row(**{**row, "extra": _ratio(row["extra"])}) for row in fields["rows"]]
    return ModelResult(**{**fields, "rows": rows, "store_all_ratio": _ratio(fields["store_all_ratio"])})


def _ratio(fields: dict[str, Any] | None) -> Ratio | None:
    return Ratio(**fields) if fields is not None else None


def _planning(fields: dict[str, Any] | None) -> PlanningTimes | None:
    if fields is None:
        return None
    warm = tuple((budget, seconds) for budget, seconds in fields["warm"])
    return PlanningTimes(fields["operations"], warm, fields["cold_seconds"])


def _print(tables: Sequence[Table]) -> None:
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else 160)
    for table in tables:
        console.print(table.title, style="bold", highlight=False)
        console.print(rich_table(table))
        for note in table.notes:
            console.print(note, style="dim", highlight=False)
        console.print()


if __name__ == "__main__":
    sys.exit(main())

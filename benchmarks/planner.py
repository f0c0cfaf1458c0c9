"""The planner beside published ones, with its bound: on published graphs, and on joint graphs of PyTorch models.

``python benchmarks/planner.py --instances FOLDER --json build/planner.json``. FOLDER holds graphs as ``Graph.to_json``
writes them, or as the arguments of ``Graph.from_arrays`` (with ``baseline_peak_bytes``, which percentages refer to).
Each trial is a process of its own; what is in the JSON file already is not run again, so it may be stopped and
continued.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from planner_pictures import overheads_figure, times_figure
from planner_tables import captured_table, published_table, targets_table
from planner_trial import Outcome, Trial, run_trial

PERCENTS = (90, 80, 70, 60, 50, 40, 30)
EXTRA_PERCENTS = {"rl3": (73.5,)}
"""Budgets beside these at which something was published."""
LAYERS = (2, 6, 13, 24, 48, 96)

Document = dict[str, dict[str, Any]]


def main() -> int:
    """Run what is missing, then print; or run one trial of a process of its own."""
    options = _options()
    if options.trial:
        Path(options.json).write_text(json.dumps(asdict(run_trial(Trial(**json.loads(options.trial))))))
        return 0
    document: Document = _read(options.json)
    if not options.render:
        for trial in _trials(options):
            if trial.key not in document:
                document[trial.key] = _in_a_process(trial)
                Path(options.json).parent.mkdir(parents=True, exist_ok=True)
                Path(options.json).write_text(json.dumps(document, indent=1))
    outcomes = {key: Outcome(**found) for key, found in document.items()}
    print("\n\n".join([targets_table(outcomes), published_table(outcomes), captured_table(outcomes)]))
    if options.pictures:
        folder = Path(options.pictures)
        (folder / "planner_overheads.svg").write_text(overheads_figure(outcomes).svg())
        (folder / "planner_times.svg").write_text(times_figure(outcomes).svg())
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--instances", metavar="FOLDER", help="published graphs")
    parser.add_argument("--graphs", nargs="+", help="names of files in FOLDER without .json; all when left out")
    parser.add_argument("--percents", nargs="+", type=float, default=list(PERCENTS), help="budgets of published graphs")
    parser.add_argument("--layers", nargs="*", type=int, default=list(LAYERS), help="GPTs to capture, by layers")
    parser.add_argument("--captured", metavar="FOLDER", default="build/captured", help="where their graphs are kept")
    parser.add_argument("--seconds", type=float, default=60.0, help="of one search")
    parser.add_argument("--json", metavar="FILE", default="build/planner.json", help="what was measured so far")
    parser.add_argument("--render", action="store_true", help="measure nothing, print what is in the file")
    parser.add_argument("--pictures", metavar="FOLDER", help="write the pictures there")
    parser.add_argument("--trial", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.instances is None and not options.layers and not options.render and not options.trial:
        parser.error("nothing to measure: give --instances or --layers")
    return options


def _trials(options: argparse.Namespace) -> Iterator[Trial]:
    if options.instances is not None:
        paths = sorted(Path(options.instances).glob("*.json"))
        for path in paths:
            if options.graphs is None or path.stem in options.graphs:
                for percent in sorted({*options.percents, *EXTRA_PERCENTS.get(path.stem, ())}, reverse=True):
                    yield Trial(str(path), percent, options.seconds, with_order=path.stem.startswith("rl"))
    for layers in options.layers:
        limit = 10.0 if layers <= 13 else options.seconds
        yield Trial(str(_captured(Path(options.captured), layers)), 50.0, limit)


def _captured(folder: Path, layers: int) -> Path:
    """The joint graph of a GPT, captured once."""
    path = folder / f"gpt{layers}.json"
    if not path.exists():
        import torch
        from models import GPT

        import retrograde as rg

        _tell(f"capturing a GPT of {layers} layers")
        tokens = torch.zeros(4, 256, dtype=torch.int64)
        graph = rg.torch.capture_graph(GPT(layers, 96, 4, 512, 256), (tokens, tokens))
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(graph.to_json())
    return path


def _in_a_process(trial: Trial) -> dict[str, Any]:
    _tell(trial.key)
    with tempfile.TemporaryDirectory() as folder:
        # Without a cache of its own a trial would start from what an earlier one found.
        environment = {**os.environ, "RETROGRADE_CACHE_DIR": folder}
        found = Path(folder) / "outcome.json"
        command = [sys.executable, __file__, "--trial", json.dumps(asdict(trial)), "--json", str(found)]
        subprocess.run(command, check=True, env=environment)
        return json.loads(found.read_text())


def _read(path: str) -> Document:
    return json.loads(Path(path).read_text()) if Path(path).exists() else {}


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())

"""Models of transformers and diffusers inside budgets: peaks, bits and times beside eager, checkpointing and Inductor.

Run it on an idle machine: ``python benchmarks/torch_models.py --json build/torch_models.json``. Each trial is a process
of its own; what is in the JSON file already is not run again, so it may be stopped and continued. Tables go to standard
output, progress to standard error.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from library_models import LIBRARY_CASES
from model_tables import outcome_tables
from model_targets import model_targets
from model_trial import COMPILERS, Outcome, Trial, run_trial
from one_graph_tables import markdown, targets_table
from timing import CLOCKS, Ratio

from retrograde.report import rich_table

BUDGETS = ("100%", "80%", "60%", "40%", "20%")
FRACTIONS = (1.0, 0.75, 0.5, 0.25, 0.0)
FIRST_CALL_BUDGET = "60%"
WORTH_COMPARING = 0.03
"""Extra time below which a peer is not held against a plan: it is all but free."""
_TRIAL_SECONDS = 1800

Document = dict[str, Any]


def main() -> int:
    """Run what is missing, then print; or run one trial of a process of its own."""
    options = _options()
    if options.trial:
        trial = Trial(**json.loads(options.trial))
        outcome = run_trial(trial, lambda text: print(text, file=sys.stderr))
        Path(options.json).write_text(json.dumps(asdict(outcome)))
        return 0
    document = _read(options.json)
    if not options.render:
        _measure(options, document)
    _print(document, options)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--models", type=_names(LIBRARY_CASES), default=list(LIBRARY_CASES), help="gpt2,bert,…")
    parser.add_argument("--compilers", type=_names(COMPILERS), default=list(COMPILERS), help="eager,inductor")
    parser.add_argument("--budgets", nargs="+", default=list(BUDGETS), help="in percent of the store-all peak")
    parser.add_argument(
        "--fractions", nargs="+", type=float, default=list(FRACTIONS), help="of activation_memory_budget"
    )
    parser.add_argument("--rounds", type=int, default=7, help="timed rounds of each trial")
    parser.add_argument("--threads", type=int, default=1, help="threads that PyTorch uses")
    parser.add_argument("--clock", choices=list(CLOCKS), default="cpu", help="cpu: for one thread on a busy machine")
    parser.add_argument(
        "--quick", action="store_true", help="one model, two budgets, one peer of each kind, three rounds"
    )
    parser.add_argument("--json", metavar="FILE", default="build/torch_models.json", help="what was measured so far")
    parser.add_argument("--again", action="store_true", help="run also what is in the file already")
    parser.add_argument("--render", action="store_true", help="measure nothing, print what is in the file")
    parser.add_argument("--markdown", action="store_true", help="print in Markdown")
    parser.add_argument("--trial", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.clock == "cpu" and options.threads != 1:
        parser.error("--clock cpu needs --threads 1: threads that wait for each other spin")
    if options.quick:
        options.models, options.compilers, options.rounds = ["vit"], ["eager"], 3
        options.budgets, options.fractions = ["100%", "40%"], [1.0, 0.5]
    return options


def _names(known: Any) -> Any:
    def parse(text: str) -> list[str]:
        names = text.split(",")
        if unknown := [name for name in names if name not in known]:
            raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(known)}")
        return names

    return parse


# Trials


def _measure(options: argparse.Namespace, document: Document) -> None:
    begin = time.perf_counter()

    def tell(text: str) -> None:
        print(f"{time.perf_counter() - begin:6.0f} s  {text}", file=sys.stderr, flush=True)

    for model in options.models:
        for compiler in options.compilers:
            with tempfile.TemporaryDirectory() as folder:
                # Costs and plans of earlier runs would be found again otherwise.
                for trial in _trials(Trial(model, compiler, "plain", **_how(options)), options, document):
                    _run_in_process(trial, _environment(trial, folder), options, document, tell)


def _environment(trial: Trial, folder: str) -> dict[str, str]:
    """Variables of a trial's process: caches of the model's own; a first call without a budget finds nothing."""
    own = trial.kind == "first call" and trial.budget is None
    caches = {
        "RETROGRADE_CACHE_DIR": folder,
        "TORCHINDUCTOR_CACHE_DIR": str(Path(folder, "inductor-own" if own else "inductor")),
    }
    return {**os.environ, **caches, "OMP_NUM_THREADS": str(trial.threads), "HF_HUB_OFFLINE": "1"}


def _how(options: argparse.Namespace) -> dict[str, Any]:
    return {"rounds": options.rounds, "threads": options.threads, "clock": options.clock}


def _trials(plain: Trial, options: argparse.Namespace, document: Document) -> Iterator[Trial]:
    """All trials of one model and compiler; those at the peers' peaks once these are known."""
    # With nothing remembered, then with the plan remembered, then without a budget.
    first = replace(plain, kind="first call", budget=FIRST_CALL_BUDGET)
    again = replace(first, kind="first call again")
    if again.key not in document["trials"]:
        document["trials"].pop(first.key, None)
    yield from (first, again)
    yield replace(plain, kind="first call")
    yield plain
    yield replace(plain, kind="smallest")
    for budget in reversed(options.budgets):
        yield replace(plain, kind="budget", budget=budget)
    peers = [replace(plain, kind="checkpoint")]
    peers += [replace(plain, kind="activation", budget=fraction) for fraction in options.fractions]
    yield from peers
    found = [document["trials"].get(peer.key) for peer in peers]
    for budget_bytes in sorted({min(peer["peaks"]) for peer in found if peer and _is_worth_comparing(peer)}):
        yield replace(plain, kind="budget", budget=budget_bytes)


def _is_worth_comparing(peer: dict[str, Any]) -> bool:
    return not peer["problem"] and peer["ratio"]["median"] >= 1 + WORTH_COMPARING


def _run_in_process(
    trial: Trial, environment: dict[str, str], options: argparse.Namespace, document: Document, tell: Any
) -> None:
    known = document["trials"]
    if trial.key in known and not options.again and not known[trial.key]["problem"]:
        return
    tell(trial.key)
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder, "outcome.json")
        command = [sys.executable, __file__, "--trial", json.dumps(asdict(trial)), "--json", str(result)]
        try:
            done = subprocess.run(
                command, env=environment, capture_output=True, text=True, timeout=_TRIAL_SECONDS, check=False
            )
            lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
            problem = "" if done.returncode == 0 else lines[-1]
        except subprocess.TimeoutExpired:
            problem = f"took longer than {_TRIAL_SECONDS} s"
        found = json.loads(result.read_text()) if not problem else asdict(Outcome(asdict(trial), problem=problem))
    known[trial.key] = found
    _write(document, options.json)
    tell(f"{trial.key}: {_summary(found)}")


def _summary(found: dict[str, Any]) -> str:
    if found["problem"]:
        return found["problem"]
    if found["minimum_bytes"] is not None:
        return f"infeasible, smallest {found['minimum_bytes'] / 2**20:.1f} MiB"
    if not found["peaks"]:
        return f"{found['first_seconds']:.1f} s"
    extra = f", +{100 * (found['ratio']['median'] - 1):.1f} %" if found["ratio"] else ""
    bits = "equal" if found["gradients_equal"] else f"difference {found['difference']:.1e}"
    return f"{max(found['peaks']) / 2**20:.1f} MiB{extra}, {bits}, first call {found['first_seconds']:.1f} s"


# The file


def _read(path: str) -> Document:
    if Path(path).exists():
        return json.loads(Path(path).read_text())
    import torch

    machine = f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}"
    return {"machine": machine, "trials": {}}


def _write(document: Document, path: str) -> None:
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_suffix(".part")
    part.write_text(json.dumps(document, indent=1) + "\n")
    part.replace(target)


def _outcomes(document: Document, options: argparse.Namespace) -> list[Outcome]:
    outcomes = [Outcome(**fields) for fields in document["trials"].values()]
    for outcome in outcomes:
        for name in ("ratio", "over_plain"):
            fields = getattr(outcome, name)
            setattr(outcome, name, Ratio(**fields) if isinstance(fields, dict) else fields)
    return [
        outcome
        for outcome in outcomes
        if outcome.trial["model"] in options.models and outcome.trial["compiler"] in options.compilers
    ]


def _print(document: Document, options: argparse.Namespace) -> None:
    outcomes = _outcomes(document, options)
    tables = [targets_table(model_targets(outcomes)), *outcome_tables(outcomes)]
    if options.markdown:
        print("\n".join(markdown(table) for table in tables))
        return
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

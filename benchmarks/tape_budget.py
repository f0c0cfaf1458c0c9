"""The tape under a budget: how much it recomputes in how much memory, by strategy, beside the best offline schedule.

`python benchmarks/tape_budget.py --picture docs/images/tape_budget.svg` prints the tables and draws the picture (about
three minutes). Memory is in percent of what the tape without a budget takes, measured by tracemalloc; recomputation
is in runs of the recorded operations, 1 being once each.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tape_budget_picture import budgets_figure

import retrograde as rg
from retrograde.errors import BudgetError
from retrograde.planning.loops.binomial import forward_steps
from retrograde.runtime import measure_python

STRATEGIES = ("auto", "dtr", "dtr_local", "lru", "largest", "random")
FIXED = ("sqrt", "recompute_all")
SHARES = (0.9, 0.7, 0.5, 0.3, 0.2, 0.1, 0.05, 0.03, 0.02)
MOST_RUNS = 4.0
"""Where a strategy recomputes more than this, it is not asked for less memory."""

ROUNDS = 3


def chain(x: Any) -> Any:
    """1000 operations, each of which keeps its result."""
    for _ in range(1000):
        x = np.tanh(x)
    return np.sum(x)


def simulation(u: Any) -> Any:
    """200 steps of a reaction and a diffusion: of each step's seven operations, two keep an array."""
    for _ in range(200):
        u = u + 0.1 * np.sin(u)
        u = 0.5 * u + 0.25 * (np.concatenate([u[1:], u[:1]]) + np.concatenate([u[-1:], u[:-1]]))
    return np.sum(u * u)


def perceptron(weights: Any) -> Any:
    """80 layers of width 64 on 1000 samples, with a shortcut around each."""
    x = np.linspace(-1.0, 1.0, 64_000).reshape(1000, 64)
    for w, b in weights:
        x = x + np.tanh(x @ w + b)
    return np.sum(x * x)


def _weights() -> Any:
    random = np.random.default_rng(0)
    return [(0.1 * random.standard_normal((64, 64)), random.standard_normal(64)) for _ in range(80)]


PROGRAMS: dict[str, tuple[Callable[[Any], Any], Any]] = {
    "chain": (chain, np.linspace(0.1, 1.0, 20_000)),
    "simulation": (simulation, np.linspace(0.1, 1.0, 50_000)),
    "perceptron": (perceptron, _weights()),
}


@dataclass(frozen=True)
class Trial:
    """A gradient inside a budget.

    Attributes:
        share: the budget, as a part of the plain tape's measured peak; of a fixed strategy the peak it had.
        runs: how often the recorded operations ran, on average.
        peak: the measured peak over the budget; None where it was not measured.
        seconds: of the process, over those of the plain tape; None where they were not taken.
    """

    share: float
    runs: float
    peak: float | None
    seconds: float | None


def main() -> None:
    """Print the tables, and draw the picture if asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--programs", nargs="*", default=list(PROGRAMS))
    arguments = parser.parse_args()
    found = {name: trials_of(name) for name in arguments.programs}
    bests = {"chain": [(share, best_runs(share)) for share in SHARES]}
    for name, trials in found.items():
        print_table(name, trials, dict(bests.get(name, [])))
    if arguments.picture:
        points = {
            name: {strategy: [(trial.share, trial.runs) for trial in line] for strategy, line in trials.items()}
            for name, trials in found.items()
        }
        arguments.picture.write_text(budgets_figure(points, bests).svg())


def best_runs(share: float) -> float:
    """The least runs of the chain's steps in so much memory: the cotangent takes one place, the start none."""
    return forward_steps(1001, max(1, int(share * 1000))) / 1000


def trials_of(name: str) -> dict[str, list[Trial]]:
    """A line of trials for each strategy; budgets that are too small are left out."""
    function, argument = PROGRAMS[name]
    plain = gradient_of(function, argument)
    expected = _leaves(plain()[0])
    peak = measure_python(plain).peak_bytes
    recorded = gradient_of(function, argument, budget=1 << 50, strategy="store_all")()[2]
    lines: dict[str, list[Trial]] = {}
    for strategy in STRATEGIES:
        lines[strategy] = []
        for share in SHARES:
            try:
                step = gradient_of(function, argument, budget=int(share * peak), strategy=strategy)
                lines[strategy].append(trial_of(step, plain, expected, recorded, share, timed=strategy == "auto"))
            except BudgetError:
                break
            if lines[strategy][-1].runs > MOST_RUNS:
                break
    for strategy in FIXED:
        step = gradient_of(function, argument, strategy=strategy)
        share = measure_python(step).peak_bytes / peak
        lines[strategy] = [trial_of(step, plain, expected, recorded, share, timed=False)]
    return lines


def gradient_of(function: Callable[[Any], Any], argument: Any, **options: Any) -> Callable[[], Any]:
    """What takes a gradient on a tape: it, what the tape did, and how many operations the recording had."""

    def step() -> Any:
        with rg.GradientTape(**options) as tape:
            x = tape.watch(argument)
            y = function(x)
        operations = tape.memory.operations if tape.memory else 0
        return tape.gradient(y, x), tape.memory, operations

    return step


def trial_of(
    step: Callable[[], Any],
    plain: Callable[[], Any],
    expected: list[Any],
    recorded: int,
    share: float,
    *,
    timed: bool,
) -> Trial:
    """Run it and hold its bits against the plain tape's; read its peak, and take its time beside the plain tape's."""
    gradient, memory, _ = step()
    assert all(map(np.array_equal, _leaves(gradient), expected))
    del gradient
    runs = 1.0 + memory.recomputations / recorded
    if not timed:
        return Trial(share, runs, None, None)
    peak = measure_python(step).peak_bytes / memory.budget_bytes
    ratios = sorted(_seconds(step) / _seconds(plain) for _ in range(ROUNDS))
    return Trial(share, runs, peak, ratios[ROUNDS // 2])


def _seconds(step: Callable[[], Any]) -> float:
    begun = time.process_time()
    step()
    return time.process_time() - begun


def _leaves(gradient: Any) -> list[Any]:
    return [leaf for part in gradient for leaf in part] if isinstance(gradient, list) else [gradient]


def print_table(name: str, trials: dict[str, list[Trial]], best: dict[float, float]) -> None:
    """Runs of each operation by strategy and memory, then time and measured peak of `auto`."""
    print(f"\n### {name}\n")
    heads = [f"{100 * share:g} %" for share in SHARES]
    print(f"| runs of each operation | {' | '.join(heads)} |\n|{' --- |' * (len(heads) + 1)}")
    if best:
        print(f"| the best that knows the length | {' | '.join(f'{best[share]:.2f}' for share in SHARES)} |")
    for strategy in STRATEGIES:
        line = {trial.share: trial for trial in trials[strategy]}
        print(f"| `{strategy}` | {' | '.join(_cell(line.get(share), 'runs') for share in SHARES)} |")
    line = {trial.share: trial for trial in trials["auto"]}
    print(f"| time of `auto` / plain | {' | '.join(_cell(line.get(share), 'seconds') for share in SHARES)} |")
    print(f"| measured peak / budget | {' | '.join(_cell(line.get(share), 'peak') for share in SHARES)} |")
    for strategy in FIXED:
        (trial,) = trials[strategy]
        print(f"\n`{strategy}`: {trial.runs:.2f} runs, a measured peak of {100 * trial.share:.1f} %")


def _cell(trial: Trial | None, field: str) -> str:
    return "–" if trial is None else f"{getattr(trial, field):.2f}"


if __name__ == "__main__":
    main()

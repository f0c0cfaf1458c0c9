"""Gradients of the kernels side by side: ours, JAX's, DaCe's, adjoints by hand, and the forward pass alone.

Each contestant is a process of its own, with one thread; they are timed call by call in turns, and medians are kept.

    python benchmarks/kernel_times.py --jax …/bin/python --dace …/bin/python --sizes S M --out kernels.json [kernel …]

A contestant that cannot do a kernel is left out of its row, with what it said. `--table` prints the tables of what was
measured before, and `--page docs/benchmarks.md` puts them there.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kernel_paths import HERE, SEARCHED
from kernel_tables import put_into, tables
from kernels import KERNELS

ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
}


@dataclass
class Contestant:
    """A process that times one contestant.

    Attributes:
        name: as the worker knows it.
        python: the interpreter of its environment.
        patience_seconds: how long it may take to compile or run once.
    """

    name: str
    python: str
    patience_seconds: float
    process: subprocess.Popen[str] | None = field(default=None, repr=False)

    def ask(self, *order: Any) -> dict[str, Any]:
        """Send an order and wait for the answer; a process that dies or takes too long is started anew."""
        if self.process is None:
            worker = [self.python, "-W", "ignore", str(HERE / "kernel_peers" / "worker.py"), self.name]
            environment = {**os.environ, **ONE_THREAD, "PYTHONPATH": os.pathsep.join(SEARCHED)}
            pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
            self.process = subprocess.Popen(worker, text=True, env=environment, **pipes)
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.stdin.write(json.dumps(order) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            return self._failed("the process died")
        if not select.select([self.process.stdout], [], [], self.patience_seconds)[0]:
            return self._failed(f"took more than {self.patience_seconds:.0f} s")
        line = self.process.stdout.readline()
        return json.loads(line) if line else self._failed("the process died")

    def stop(self) -> None:
        """End the process."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def _failed(self, why: str) -> dict[str, Any]:
        self.stop()
        return {"error": why}


def measure(
    contestants: list[Contestant], kernel: str, size: str, rounds: int, seconds: float, clock: str
) -> dict[str, Any]:
    """One row: for each contestant its median in milliseconds, the first call's seconds, or what went wrong."""
    row: dict[str, Any] = {"kernel": kernel, "kind": KERNELS[kernel].kind, "size": size}
    racing: list[Contestant] = []
    for contestant in contestants:
        answer = contestant.ask("prepare", kernel, size)
        row[contestant.name] = answer
        if "error" not in answer:
            racing.append(contestant)
    for name, taken in race(racing, rounds, seconds, clock).items():
        if taken:
            row[name]["milliseconds"] = 1e3 * statistics.median(taken)
    for contestant in racing:
        contestant.ask("drop")
    return row


def race(racing: list[Contestant], rounds: int, seconds: float, clock: str) -> dict[str, list[float]]:
    """Samples of contestants that take turns: so many rounds, or from the fourth until the time is over."""
    samples: dict[str, list[float]] = {contestant.name: [] for contestant in racing}
    begun = time.perf_counter()
    for turn in range(rounds):
        if turn >= 3 and time.perf_counter() - begun > seconds:
            break
        for contestant in racing:
            answer = contestant.ask("time")
            if clock in answer:
                samples[contestant.name].append(answer[clock])
    return samples


def chosen(names: list[str], sizes: list[str], limit_bytes: float) -> list[tuple[str, str]]:
    """The kernels and sizes to run: those whose arguments fit."""
    pairs = [(name, size) for size in sizes for name in (names or KERNELS) if size in KERNELS[name].sizes]
    return [pair for pair in pairs if _argument_bytes(*pair) <= limit_bytes]


def _argument_bytes(name: str, size: str) -> float:
    return float(sum(getattr(argument, "nbytes", 8) for argument in KERNELS[name].arguments(size)))


def main() -> None:
    """Measure, write JSON after each row, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kernels", nargs="*")
    parser.add_argument("--sizes", nargs="+", default=["S"])
    parser.add_argument("--jax", help="the interpreter of an environment with JAX")
    parser.add_argument("--dace", help="the interpreter of an environment with DaCe")
    parser.add_argument("--only", nargs="+", help="contestants to run")
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--seconds", type=float, default=20.0, help="for the rounds of one row, together")
    parser.add_argument("--clock", choices=["wall", "cpu"], default="wall", help="cpu where the machine is busy")
    parser.add_argument("--patience", type=float, default=120.0, help="seconds that one compilation may take")
    parser.add_argument("--megabytes", type=float, default=300.0, help="of arguments, at most")
    parser.add_argument("--out", type=Path, default=Path("kernels.json"))
    parser.add_argument("--table", action="store_true", help="print the tables of --out, measure nothing")
    parser.add_argument("--page", type=Path, help="a page to put the tables into (docs/benchmarks.md)")
    options = parser.parse_args()
    rows: list[dict[str, Any]] = json.loads(options.out.read_text()) if options.out.exists() else []
    if not options.table:
        pythons = {"retrograde": sys.executable, "forward": sys.executable, "hand": sys.executable}
        pythons |= {name: python for name, python in (("jax", options.jax), ("dace", options.dace)) if python}
        names = options.only or list(pythons)
        contestants = [Contestant(name, pythons[name], options.patience) for name in names]
        for kernel, size in chosen(options.kernels, options.sizes, 1e6 * options.megabytes):
            row = measure(contestants, kernel, size, options.rounds, options.seconds, options.clock)
            old = next((old for old in rows if (old["kernel"], old["size"]) == (kernel, size)), None)
            rows = [old_row for old_row in rows if old_row is not old] + [{**(old or {}), **row}]
            options.out.write_text(json.dumps(rows, indent=1))
            shown = {name: row[name].get("milliseconds", row[name].get("error", "")[:60]) for name in names}
            print(kernel, size, shown, file=sys.stderr, flush=True)
        for contestant in contestants:
            contestant.stop()
    print(tables(rows))
    if options.page:
        put_into(options.page, tables(rows))


if __name__ == "__main__":
    main()

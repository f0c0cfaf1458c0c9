"""How long a kernel's gradient takes until it runs: with an empty cache, and in a second process that finds it filled.

    python benchmarks/kernel_compilation.py [kernel …]

Times are CPU seconds of a process of its own, from the call to the first gradient; importing retrograde and Numba
(all that its compiler needs) is counted apart, and the second gradient's time is taken off. Modules are imported from
bytecode, as they are from an installed package.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile

from kernel_paths import HERE, SEARCHED
from kernel_times import ONE_THREAD
from kernels import KERNELS

_TRIAL = """
import json, sys, time
import numba, retrograde
from kernels import KERNELS
from numba.core.registry import cpu_target
from worker import retrograde_gradient
cpu_target.typing_context.refresh()
cpu_target.target_context.refresh()
kernel = KERNELS[sys.argv[1]]
arguments = kernel.arguments()
imported = time.process_time()
run = retrograde_gradient(kernel, arguments)
run()
first = time.process_time() - imported
begun = time.process_time()
run()
print(json.dumps([imported, first - (time.process_time() - begun)]))
"""


_IMPORTS = "import kernels, worker, retrograde.python.nests, retrograde.python.lowering, retrograde.python.compiling"


def trial(kernel: str, cache: str, bytecode: str) -> tuple[float, float]:
    """CPU seconds of the imports, and from the call to the first gradient."""
    imported, first = json.loads(_run(_TRIAL, kernel, cache, bytecode).splitlines()[-1])
    return imported, first


def _run(program: str, kernel: str, cache: str, bytecode: str) -> str:
    paths = os.pathsep.join([str(HERE / "kernel_peers"), *SEARCHED])
    environment = {**os.environ, **ONE_THREAD, "PYTHONPATH": paths, "RETROGRADE_CACHE_DIR": cache}
    environment |= {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": bytecode}
    command = [sys.executable, "-W", "ignore", "-c", program, kernel]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kernels", nargs="*")
    names = parser.parse_args().kernels or list(KERNELS)
    print("| kernel | cold, s | from the cache, s |\n|---|--:|--:|")
    cold: list[float] = []
    warm: list[float] = []
    with tempfile.TemporaryDirectory() as bytecode:
        _run(_IMPORTS, "", bytecode, bytecode)
        for name in names:
            with tempfile.TemporaryDirectory() as cache:
                cold.append(trial(name, cache, bytecode)[1])
                imported, again = trial(name, cache, bytecode)
                warm.append(again)
            print(f"| {name} | {cold[-1]:.2f} | {warm[-1]:.2f} |", flush=True)
    print(f"\nSlowest: {max(cold):.1f} s cold, {max(warm):.2f} s from the cache, besides imports of {imported:.1f} s.")


if __name__ == "__main__":
    main()

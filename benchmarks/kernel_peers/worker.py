"""A process that times one contestant, on orders that come line by line: so that contestants take turns.

Started as `python worker.py CONTESTANT` in the environment that the contestant needs, with `kernel_paths.SEARCHED` in
`PYTHONPATH`. Orders and answers are lines of
JSON on standard input and output: `["prepare", kernel, size]` (a name, or a dict), `["time"]`, `["gradients"]`,
`["drop"]`.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from kernels import KERNELS, Kernel

Run = Callable[[], Any]
SHORTEST_SECONDS = 0.002
"""A sample repeats a call until it has lasted so long."""
BUILDS = "KERNEL_BUILDS"
"""Environment variable: a folder where DaCe finds what it compiled before."""


def ones_for(kernel: Kernel, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """Cotangents of ones, one for each output."""
    from kernels.differences import outputs_of

    from retrograde.autodiff.containers import leaves, rebuild

    outputs = outputs_of(kernel, arguments)
    return tuple(rebuild(out, [np.ones_like(leaf) for leaf in leaves(out)]) for out in outputs)


def read(kernel: Kernel, arguments: tuple[Any, ...]) -> tuple[Any, list[Any]]:
    """The kernel's derivative as it is specialised for arguments, and the inputs of its programs."""
    import retrograde as rg

    of = kernel.of if len(kernel.of) > 1 else kernel.of[0]
    found = rg.vjp(kernel.function, wrt=kernel.wrt, of=of, backend="numba").choice(arguments, {})
    assert not isinstance(found, str), found
    return found


def retrograde_gradient(kernel: Kernel, arguments: tuple[Any, ...]) -> Run:
    """The gradients alone, as `rg.grad` computes them: of outputs, only what they need."""
    from retrograde.autodiff.containers import leaves
    from retrograde.python.running import run

    found, inputs = read(kernel, arguments)
    ones = dict(zip(found.outputs.names, leaves(ones_for(kernel, arguments)), strict=True))
    cotangents = [ones[output.name] for output in found.active]
    return lambda: run(found, "joint", [*inputs, *cotangents])


def compiled_forward(kernel: Kernel, arguments: tuple[Any, ...]) -> Run:
    """The function itself, compiled."""
    from retrograde.python.running import run

    found, inputs = read(kernel, arguments)
    return lambda: run(found, "forward", inputs)


def adjoint_by_hand(kernel: Kernel, arguments: tuple[Any, ...]) -> Run:
    from kernel_adjoints import ADJOINTS

    cotangents = ones_for(kernel, arguments)
    return lambda: ADJOINTS[kernel.name](arguments, cotangents)


def numpy_forward(kernel: Kernel, arguments: tuple[Any, ...]) -> Run:
    from kernels.differences import outputs_of

    return lambda: outputs_of(kernel, arguments)


def jax_gradient(kernel: Kernel, arguments: tuple[Any, ...]) -> Run:
    import jax

    from kernel_peers.in_jax import gradient

    run, floats, cotangents = gradient(kernel, arguments, ones=True)
    return lambda: jax.block_until_ready(run(floats, cotangents))


def dace_gradient(kernel: Kernel, arguments: tuple[Any, ...]) -> Run:
    from kernel_peers.in_dace import gradient

    shapes = "_".join(str(part) for argument in arguments for part in np.shape(argument) or [argument])
    folder = Path(os.environ.get(BUILDS) or tempfile.mkdtemp()) / f"{kernel.name}_{zlib.crc32(shapes.encode()):08x}"
    folder.mkdir(parents=True, exist_ok=True)
    os.chdir(folder)
    return gradient(kernel, arguments, folder, reuse=BUILDS in os.environ)


CONTESTANTS: dict[str, Callable[[Kernel, tuple[Any, ...]], Run]] = {
    "retrograde": retrograde_gradient,
    "forward": compiled_forward,
    "hand": adjoint_by_hand,
    "numpy": numpy_forward,
    "jax": jax_gradient,
    "dace": dace_gradient,
}


def once(run: Run, repetitions: int) -> dict[str, float]:
    """Seconds for a call by both clocks, the mean of a few."""
    wall, processor = time.perf_counter(), time.process_time()
    for _ in range(repetitions):
        run()
    spent = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - processor}
    return {clock: seconds / repetitions for clock, seconds in spent.items()}


def prepared(contestant: str, name: str, size: Any) -> tuple[Run, int, dict[str, float]]:
    """What runs, how often a sample repeats it, and the wall seconds until its first result."""
    kernel = KERNELS[name]
    arguments = kernel.make(np.random.default_rng(0), **(kernel.sizes[size] if isinstance(size, str) else size))
    begun = time.perf_counter()
    run = CONTESTANTS[contestant](kernel, arguments)
    run()
    first = time.perf_counter() - begun
    second = once(run, 1)["cpu"]
    return run, max(1, round(SHORTEST_SECONDS / max(second, 1e-7))), {"first_seconds": first}


def serve(contestant: str, answer: Callable[[Any], None]) -> None:
    """Take orders until there are no more."""
    run: Run | None = None
    repetitions = 1
    for line in sys.stdin:
        order, *details = json.loads(line)
        if order == "prepare":
            try:
                run, repetitions, report = prepared(contestant, *details)
                answer(report)
            except (Exception, SystemExit) as error:
                answer({"error": f"{type(error).__name__}: {str(error).strip()[:300]}"})
        elif order == "time" and run is not None:
            answer(once(run, repetitions))
        elif order == "gradients" and run is not None:
            answer({"gradients": [np.asarray(part).tolist() for part in run()]})
        else:
            run = None
            answer({})


def main() -> None:
    """Answers go to the real standard output; what libraries print goes to standard error."""
    channel = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(value: Any) -> None:
        channel.write(json.dumps(value) + "\n")
        channel.flush()

    serve(sys.argv[1], answer)


if __name__ == "__main__":
    main()

"""Programs that other systems differentiate wrongly or refuse: everyone's gradients against finite differences.

python benchmarks/kernel_pitfalls.py --dace …/bin/python --jax …/bin/python
"""

from __future__ import annotations

import argparse
import sys
from copy import deepcopy
from typing import Any

import numpy as np
from kernel_paths import SEARCHED
from kernel_times import Contestant
from kernels import KERNELS, Kernel
from kernels.differences import parameter_names

assert SEARCHED

CASES: dict[str, tuple[str, dict[str, int]]] = {
    "fdtd_2d, two steps": ("fdtd_2d", {"TMAX": 2, "NX": 5, "NY": 6}),
    "fdtd_2d, three steps": ("fdtd_2d", {"TMAX": 3, "NX": 5, "NY": 6}),
    "fdtd_2d, eight steps": ("fdtd_2d", {"TMAX": 8, "NX": 5, "NY": 6}),
    "np.sum(x * x)": ("sum_of_squares", {"N": 5}),
    "an `if` for each element": ("rectified", {"N": 6}),
    "a nonlinear loop in place": ("tanh_steps", {"steps": 5, "N": 4}),
    "a `while` on data": ("decay_until", {"N": 4}),
    "a gather and a mask": ("gathered", {"N": 5}),
}
RIGHT = 1e-6


def sum_of_outputs(kernel: Kernel, arguments: tuple[Any, ...]) -> float:
    """What everyone differentiates: all outputs, summed."""
    mine = deepcopy(arguments)
    returned = kernel.function(*mine)
    given = dict(zip(parameter_names(kernel, len(mine)), mine, strict=True))
    return float(sum(np.sum(returned if name == "return" else given[name]) for name in kernel.of))


def entrywise(kernel: Kernel, arguments: tuple[Any, ...]) -> list[Any]:
    """The gradients by central differences, entry by entry; of arrays only."""
    names = parameter_names(kernel, len(arguments))
    gradients: list[Any] = []
    for at, (name, value) in enumerate(zip(names, arguments, strict=True)):
        if name not in kernel.wrt or not isinstance(value, np.ndarray):
            continue
        gradient = np.zeros_like(value)
        for place in np.ndindex(value.shape):
            ends: list[float] = []
            for step in (1e-6, -1e-6):
                moved = value.copy()
                moved[place] += step
                ends.append(sum_of_outputs(kernel, (*arguments[:at], moved, *arguments[at + 1 :])))
            gradient[place] = (ends[0] - ends[1]) / 2e-6
        gradients.append(gradient)
    return gradients


def verdict(contestant: Contestant, name: str, size: dict[str, int]) -> str:
    """What a contestant makes of a case: right, how wrong, or why not."""
    answer = contestant.ask("prepare", name, size)
    if "error" not in answer:
        answer = contestant.ask("gradients")
    if "error" in answer:
        return f"refused ({answer['error'].splitlines()[0][:60].rstrip(': ')})"
    kernel = KERNELS[name]
    expected = entrywise(kernel, kernel.make(np.random.default_rng(0), **size))
    found = [np.asarray(part) for part in answer["gradients"]]
    arrays = [part for part in found if part.ndim]
    wrong = max(
        float(np.max(np.abs(part - right)) / np.max(np.abs(right)))
        for part, right in zip(arrays, expected, strict=True)
    )
    return "right" if wrong < RIGHT else f"wrong by {min(wrong, 9.99):.0%}{' and more' * (wrong > 9.99)}"


def main() -> None:
    """Print a table of verdicts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jax", help="the interpreter of an environment with JAX")
    parser.add_argument("--dace", help="the interpreter of an environment with DaCe")
    options = parser.parse_args()
    pythons = {"retrograde": sys.executable, "jax": options.jax, "dace": options.dace}
    contestants = [Contestant(name, python, 240.0) for name, python in pythons.items() if python]
    print("| program | " + " | ".join(contestant.name for contestant in contestants) + " |")
    print("|---|" + "---|" * len(contestants))
    for title, (name, size) in CASES.items():
        cells = [verdict(contestant, name, size) for contestant in contestants]
        print(f"| {title} | " + " | ".join(cells) + " |", flush=True)
    for contestant in contestants:
        contestant.stop()


if __name__ == "__main__":
    main()

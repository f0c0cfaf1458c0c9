"""The gradient of a long simulation in a third of the memory: nothing about the loop is known beforehand."""

import numpy as np

import retrograde as rg
from retrograde.runtime import measure_python

CELLS = 30_000


def simulate(state):
    """A wave that is driven and damped, until it is calm: how many steps that takes, only the run knows."""
    before, steps = state, 0
    while steps < 60 or np.max(np.abs(rg.stop_gradient(state))) > 0.2:
        bent = state[2:] - 2.0 * state[1:-1] + state[:-2]
        after = 1.98 * state - 0.985 * before - 0.02 * np.sin(state)
        after[1:-1] += 0.3 * bent
        before, state, steps = state, after, steps + 1
    return np.sum(state * state)


def main() -> None:
    start = np.sin(np.linspace(0.0, 20.0, CELLS))

    expected = rg.grad(simulate, backend="tape")(start)
    plain = measure_python(lambda: rg.grad(simulate, backend="tape")(start)).peak_bytes
    print(f"without a budget: {plain:,} bytes")

    for percent in (70, 50, 30):
        budget = plain * percent // 100
        gradient = rg.grad(simulate, budget=budget, backend="tape")
        peak = measure_python(lambda gradient=gradient: gradient(start)).peak_bytes
        equal = np.array_equal(gradient(start), expected)
        print(f"budget {budget:,} bytes: peak {peak:,} bytes, gradients equal: {equal}")

    with rg.GradientTape(budget=plain // 3) as tape:
        state = tape.watch(start)
        loss = simulate(state)
    tape.gradient(loss, state)
    print(f"recomputed in a third: {tape.memory.recomputations} of {tape.memory.operations} operations")

    try:
        rg.grad(simulate, budget=5 * start.nbytes, backend="tape")(start)
    except rg.BudgetError as error:
        print(f"refused: {error}")


if __name__ == "__main__":
    main()

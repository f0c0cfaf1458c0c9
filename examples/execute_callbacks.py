"""Differentiate a simulation in NumPy inside a budget: `rg.execute` runs a plan over your own functions."""

import numpy as np

import retrograde as rg

STEPS, CELLS, DT = 60, 1000, 0.1


def graph_of_simulation() -> rg.Graph:
    """Operation t < STEPS makes the state after step t; operation STEPS + k makes a gradient and reads the next one.

    The gradient of step t reads the state before it, which operation t - 1 makes (the caller holds the first).
    """
    edges = [(t - 1, t) for t in range(1, STEPS)] + [(STEPS - 1, STEPS)]
    for k in range(1, STEPS + 1):
        edges.append((STEPS + k - 1, STEPS + k))
        if k < STEPS:
            edges.append((STEPS - k - 1, STEPS + k))
    count = 2 * STEPS + 1
    return rg.Graph.from_arrays(cost=[1.0] * count, bytes=[8 * CELLS] * count, edges=edges, outputs=[count - 1])


def gradient(graph: rg.Graph, plan: rg.Plan, start: np.ndarray) -> tuple[np.ndarray, int | None]:
    """The gradient of half the squared norm of the last state, and the peak that the arrays themselves reached."""
    arrays: dict[int, np.ndarray] = {}

    def compute(operation: int) -> None:
        if operation < STEPS:
            state = arrays[operation - 1] if operation else start
            arrays[operation] = state + DT * np.sin(state)
        elif operation == STEPS:
            arrays[operation] = arrays[STEPS - 1].copy()
        else:
            step = 2 * STEPS - operation
            state = arrays[step - 1] if step else start
            arrays[operation] = arrays[operation - 1] * (1 + DT * np.cos(state))

    def live_bytes() -> int:
        return sum(array.nbytes for array in arrays.values())

    log = rg.execute(plan, rg.Callbacks(compute=compute, free=arrays.pop), graph=graph, meter=live_bytes)
    return arrays[2 * STEPS], log.peak_bytes


def main() -> None:
    graph = graph_of_simulation()
    start = np.random.default_rng(0).normal(size=CELLS)
    unplanned, unplanned_peak = gradient(graph, rg.plan(graph, None, "store_all"), start)
    print(f"unplanned: {unplanned_peak:,} bytes")
    for budget in ("50%", "25%", "10%"):
        plan = rg.plan(graph, budget)
        planned, peak = gradient(graph, plan, start)
        print(f"{budget:>4}: {peak:,} bytes, overhead {plan.overhead:.1%}, equal: {np.array_equal(planned, unplanned)}")


if __name__ == "__main__":
    main()

"""Plan a computation that you describe by hand: eight layers forward, eight backward, in a third of the memory."""

import retrograde as rg

LAYERS = 8
FORWARD_BYTES, GRADIENT_BYTES = 400, 100


def training_step() -> rg.Graph:
    """Operations 0 to 7 are the layers; operation 8 + k is the backward of layer 7 - k and reads what 7 - k made."""
    edges = [(layer - 1, layer) for layer in range(1, LAYERS)]
    for k in range(LAYERS):
        backward, layer = LAYERS + k, LAYERS - 1 - k
        edges.append((layer, backward))
        if k:
            edges.append((backward - 1, backward))
    return rg.Graph.from_arrays(
        cost=[1.0] * LAYERS + [2.0] * LAYERS,
        bytes=[FORWARD_BYTES] * LAYERS + [GRADIENT_BYTES] * LAYERS,
        edges=edges,
        outputs=[2 * LAYERS - 1],
        name="eight layers",
    )


def main() -> None:
    graph = training_step()
    print(rg.analyze(graph).report())

    plan = rg.plan(graph, "40%")
    print(f"\nbudget {plan.budget_bytes} bytes, peak {plan.peak_bytes} of {graph.store_all_peak_bytes} bytes unplanned")
    print(f"overhead {plan.overhead:.1%}, found by strategy {plan.strategy}")
    for action in plan.actions:
        print(" ", action)

    replay = plan.verify(graph)  # the referee: raises PlanError unless every rule is kept
    print("runs of each operation:", replay.runs)

    try:
        rg.plan(graph, 100)
    except rg.BudgetError as error:
        print(f"\n{error}")
        smallest = rg.plan(graph, error.minimum_bytes)
        print(f"that budget is met: peak {smallest.peak_bytes} bytes, overhead {smallest.overhead:.1%}")


if __name__ == "__main__":
    main()

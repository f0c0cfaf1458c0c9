"""A plan whose compiled code meets the budget: planned, lowered, weighed, and planned again where it is too heavy."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import fx

from retrograde.disk_cache import DiskCache
from retrograde.errors import BudgetError
from retrograde.graph.units import format_bytes
from retrograde.planning import Budget, Plan
from retrograde.torch.capture.describe import CostModel, Description
from retrograde.torch.emission.dry_run import compiled_peak_bytes
from retrograde.torch.emission.emit import emit
from retrograde.torch.emission.inductor import lowered_source, settings_key
from retrograde.torch.options import Options
from retrograde.version import __version__

_MOST_ATTEMPTS = 5
_METHOD = "2"


@dataclass(frozen=True, eq=False)
class FittedPlan:
    """A plan and what it needs once it is compiled.

    Attributes:
        plan: the plan.
        peak_bytes: the exact peak of its compiled code.
    """

    plan: Plan
    peak_bytes: int


def fit_compiled_plan(
    description: Description, options: Options, costs: CostModel, find: Callable[[Any, Options], Plan]
) -> FittedPlan:
    """A plan whose code, compiled by Inductor, meets the budget.

    The plan is made for the sizes of the joint graph. Inductor leaves some values out and lets others live longer, so
    the code is lowered (nothing is compiled), its peak is read off, and if that is too high the plan is made again for
    a budget that is smaller by as much.

    Args:
        description: the joint graph.
        options: what was asked for.
        costs: where the workspace of operators comes from.
        find: makes a plan for a graph, as ``find_plan`` does.

    Raises:
        BudgetError: no plan meets the budget; ``minimum_bytes`` is a compiled peak.
    """
    budget_bytes = options.budget.resolve(description.graph.store_all_peak_bytes)
    weigh = _Scale(description, options, costs)
    target_bytes, lightest = budget_bytes, None
    for _ in range(_MOST_ATTEMPTS):
        fitted, smallest = _attempt(description, options, target_bytes, find, weigh)
        if fitted.peak_bytes <= budget_bytes:
            return fitted
        if lightest is None or fitted.peak_bytes < lightest.peak_bytes:
            lightest = fitted
        if smallest:
            break
        target_bytes = min(fitted.plan.peak_bytes - 1, target_bytes * budget_bytes // fitted.peak_bytes)
    else:
        fitted, _ = _attempt(description, options, 1, find, weigh)
        if fitted.peak_bytes <= budget_bytes:
            return fitted
    assert lightest is not None
    minimum_bytes = min(lightest.peak_bytes, fitted.peak_bytes)
    raise BudgetError(
        f"no plan in hand meets the budget of {format_bytes(budget_bytes)} once it is compiled; the smallest compiled "
        f"peak among the plans tried is {format_bytes(minimum_bytes)}. Ask for that much",
        budget_bytes=budget_bytes,
        minimum_bytes=minimum_bytes,
        bound_bytes=min(minimum_bytes, _outputs_bytes(description)),
    )


def _attempt(
    description: Description,
    options: Options,
    target_bytes: int,
    find: Callable[[Any, Options], Plan],
    weigh: Callable[[Plan], int],
) -> tuple[FittedPlan, bool]:
    """A plan for a budget, weighed; and whether it is the smallest, because none meets that budget."""
    try:
        plan = find(description.graph, replace(options, budget=Budget(max(1, target_bytes))))
        return FittedPlan(plan, weigh(plan)), False
    except BudgetError as error:
        plan = find(description.graph, replace(options, budget=Budget(error.minimum_bytes)))
        return FittedPlan(plan, weigh(plan)), True


class _Scale:
    """Finds the compiled peak of plans, and remembers it."""

    def __init__(self, description: Description, options: Options, costs: CostModel) -> None:
        self._description = description
        self._options = options
        self._costs = costs
        self._store = DiskCache("compiled peaks") if options.cache else None

    def __call__(self, plan: Plan) -> int:
        forward, backward = emit(self._description, plan, functional=True)
        key = self._key(plan)
        known = self._store.get(key) if self._store is not None else None
        if known is None:
            known = compiled_pair_peak_bytes(
                self._description, forward, backward, costs=self._costs, exact=self._options.exact
            )
            if self._store is not None:
                self._store.put(key, known)
        return int(known)

    def _key(self, plan: Plan) -> str:
        facts = [
            _METHOD,
            self._description.graph.fingerprint,
            repr(plan.actions),
            str(self._options.exact),
            str(self._options.measure_costs),
            settings_key(),
            __version__,
            torch.__version__,
        ]
        return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:32]


def compiled_pair_peak_bytes(
    description: Description,
    forward: fx.GraphModule,
    backward: fx.GraphModule,
    *,
    costs: CostModel | None = None,
    exact: bool = False,
) -> int:
    """The peak of a step once Inductor has compiled its two graphs; they are lowered, and no kernel is compiled.

    Args:
        description: the joint graph that they were emitted from.
        forward: the forward graph.
        backward: the backward graph.
        costs: where the workspace of operators comes from; None to leave it out.
        exact: as for ``compile_with_inductor``.
    """
    joint = description.joint
    outputs = len(joint.forward_outputs)
    forward_text, strides = lowered_source(forward, example_inputs(forward), backward=False, exact=exact)
    backward_text, _ = lowered_source(
        backward, example_inputs(backward), backward=True, strides=strides[outputs:], exact=exact
    )
    return compiled_peak_bytes(
        forward_text,
        backward_text,
        example_inputs(forward),
        [node.meta["val"] for node in joint.tangents],
        outputs,
        held_bytes=description.graph.fixed_bytes[1],
        workspace=None if costs is None else Workspaces(costs),
    )


def example_inputs(module: fx.GraphModule) -> list[Any]:
    """The fake tensors of a graph's placeholders."""
    return [node.meta["val"] for node in module.graph.find_nodes(op="placeholder")]


class Workspaces:
    """What operators need for themselves, asked of a cost model.

    Args:
        costs: the cost model, which wants nodes of a graph.
    """

    def __init__(self, costs: CostModel) -> None:
        self._costs = costs

    def __call__(self, operator: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
        """Bytes of workspace of an operator on given operands."""
        if not isinstance(operator, torch._ops.OpOverload) or operator.namespace not in ("aten", "mkldnn"):
            return 0
        graph = fx.Graph()

        def operand(value: Any) -> Any:
            if not isinstance(value, torch.Tensor):
                return value
            node = graph.placeholder("operand")
            node.meta["val"] = value
            return node

        arguments, keywords = fx.node.map_aggregate((args, kwargs), operand)  # type: ignore[misc]
        call = graph.call_function(operator, arguments, keywords)  # type: ignore[arg-type]
        call.meta["val"] = next((v for v in args if isinstance(v, torch.Tensor)), None)
        found = self._costs.operation_cost(call).workspace_bytes
        # A graph is a cycle; until it is collected it would hold the operands.
        for node in graph.nodes:
            node.meta.clear()
        return found


def _outputs_bytes(description: Description) -> int:
    """What the step's results take together: they are all live when it ends, whatever the schedule."""
    graph = description.graph
    made = {graph.values[value].storage for value in graph.outputs if graph.producers[value] is not None}
    return sum(graph.storages[storage].bytes for storage in made)

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
from retrograde.graph import Graph
from retrograde.graph.units import format_bytes
from retrograde.planning import Budget, Plan
from retrograde.torch.capture.describe import CostModel, Description
from retrograde.torch.emission.dry_run import compiled_peak_bytes
from retrograde.torch.emission.emit import emit
from retrograde.torch.emission.inductor import lowered_source, settings_key
from retrograde.torch.options import Options
from retrograde.version import __version__

_MOST_ATTEMPTS = 5
_METHOD = "3"


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
    description: Description, options: Options, costs: CostModel, find: Callable[[Graph, Options], Plan]
) -> FittedPlan:
    """A plan whose code, compiled by Inductor, meets the budget.

    The plan is made for the sizes of the joint graph. Inductor leaves some values out and lets others live longer, so
    the code is lowered (nothing is compiled), its peak is read off, and if that is too high the plan is made again for
    a budget that is smaller by as much. A budget in percent is of the compiled peak of the step that stores all.

    Args:
        description: the joint graph.
        options: what was asked for.
        costs: where the workspace of operators comes from.
        find: makes a plan for a graph, as ``find_plan`` does.

    Raises:
        BudgetError: no plan meets the budget; ``minimum_bytes`` is a compiled peak.
    """
    fitter = _Fitter(description, options, _Scale(description, options, costs), find)
    if options.budget.resolve(0) > 0:
        return fitter.fit(options.budget.resolve(0))
    store_all = fitter.attempt(description.graph.store_all_peak_bytes)
    budget_bytes = options.budget.resolve(store_all.peak_bytes)
    return store_all if store_all.peak_bytes <= budget_bytes else fitter.fit(budget_bytes)


class _Fitter:
    """Plans for smaller and smaller budgets, until the compiled code of one meets the budget that was asked for."""

    def __init__(
        self,
        description: Description,
        options: Options,
        weigh: Callable[[Plan], int],
        find: Callable[[Graph, Options], Plan],
    ) -> None:
        self._graph = description.graph
        self._options = options
        self._weigh = weigh
        self._find = find
        self._outputs_bytes = _outputs_bytes(description.graph)
        self._smallest: FittedPlan | None = None

    def fit(self, budget_bytes: int) -> FittedPlan:
        """The first plan whose code meets the budget; the last one tried is the smallest there is."""
        target_bytes = budget_bytes
        for attempt in range(_MOST_ATTEMPTS):
            fitted = self.attempt(target_bytes if attempt < _MOST_ATTEMPTS - 1 else 1)
            if fitted.peak_bytes <= budget_bytes:
                return fitted
            if fitted is self._smallest:
                break
            target_bytes = min(fitted.plan.peak_bytes - 1, target_bytes * budget_bytes // fitted.peak_bytes)
        assert self._smallest is not None
        minimum_bytes = self._smallest.peak_bytes
        raise BudgetError(
            f"a budget of {budget_bytes} bytes ({format_bytes(budget_bytes)}) is not met by code that Inductor "
            f"compiles: the smallest it reaches is {minimum_bytes} bytes ({format_bytes(minimum_bytes)}), ask for that "
            "or more",
            budget_bytes=budget_bytes,
            minimum_bytes=minimum_bytes,
            bound_bytes=min(minimum_bytes, self._outputs_bytes),
        )

    def attempt(self, target_bytes: int) -> FittedPlan:
        """A plan for a budget in the graph's own sizes, weighed; the smallest there is if none meets that budget."""
        try:
            plan = self._plan(target_bytes)
        except BudgetError as error:
            plan = self._plan(error.minimum_bytes)
            self._smallest = FittedPlan(plan, self._weigh(plan))
            return self._smallest
        return FittedPlan(plan, self._weigh(plan))

    def _plan(self, budget_bytes: int) -> Plan:
        return self._find(self._graph, replace(self._options, budget=Budget(max(1, budget_bytes))))


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


def _outputs_bytes(graph: Graph) -> int:
    """What the step's results take together: they are all live when it ends, whatever the schedule."""
    made = {graph.values[value].storage for value in graph.outputs if graph.producers[value] is not None}
    return sum(graph.storages[storage].bytes for storage in made)

"""What planned graphs take once Inductor has compiled them, told before anything is compiled."""

from __future__ import annotations

import hashlib
from typing import Any

import torch
from torch import fx

from retrograde.disk_cache import DiskCache
from retrograde.planning import Schedule
from retrograde.torch.capture.describe import CostModel, Description
from retrograde.torch.costs.measured import cost_model
from retrograde.torch.emission.compilers import PairWeight
from retrograde.torch.emission.dry_run import compiled_weight
from retrograde.torch.emission.emit import emit
from retrograde.torch.emission.inductor import lowered_source, settings_key
from retrograde.torch.options import Options
from retrograde.version import __version__

_METHOD = "4"


def weigh_schedule(description: Description, schedule: Schedule, options: Options) -> PairWeight:
    """What the code for a schedule takes; remembered on disk.

    Args:
        description: the joint graph.
        schedule: a forward and a backward segment.
        options: what was asked for.
    """
    store = DiskCache("compiled peaks") if options.cache else None
    key = _key(description, schedule, options)
    known = store.get(key) if store is not None else None
    if known is None:
        pair = emit(description, schedule, functional=True)
        with cost_model(description.joint, (), measure=options.measure_costs, cache=options.cache) as costs:
            weight = compiled_pair_weight(description, pair.forward, pair.backward, costs=costs, exact=options.exact)
        known = [weight.forward_bytes, weight.residual_bytes, weight.backward_bytes]
        if store is not None:
            store.put(key, known)
    return PairWeight(*(int(number) for number in known))


def _key(description: Description, schedule: Schedule, options: Options) -> str:
    facts = [
        _METHOD,
        description.graph.fingerprint,
        repr(schedule),
        str(options.exact),
        str(options.measure_costs),
        settings_key(),
        __version__,
        torch.__version__,
    ]
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:32]


def compiled_pair_weight(
    description: Description,
    forward: fx.GraphModule,
    backward: fx.GraphModule,
    *,
    costs: CostModel | None = None,
    exact: bool = False,
) -> PairWeight:
    """What a step takes once Inductor has compiled its two graphs; they are lowered, and no kernel is compiled.

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
    return compiled_weight(
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

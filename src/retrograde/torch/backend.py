"""The compiler backend: AOTAutograd traces the joint graph, the planner decides, the emitted graphs run."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
import torch._functorch.config
from torch import fx
from torch._dynamo.backends.common import aot_autograd
from torch.fx.graph import _BoxedCodeGen
from torch.utils._python_dispatch import _disable_current_modes

from retrograde.planning import Budget, Plan
from retrograde.torch.capture.collectives import collective_names
from retrograde.torch.capture.decompositions import traced_as_eager_runs
from retrograde.torch.capture.describe import Description, describe
from retrograde.torch.capture.joint import read_joint_graph
from retrograde.torch.costs.measured import cost_model
from retrograde.torch.emission.emit import emit
from retrograde.torch.options import Options
from retrograde.torch.plan_store import find_plan
from retrograde.torch.ranks.agreement import agreed_plan
from retrograde.torch.ranks.session import ready_to_run
from retrograde.torch.ranks.wrappers import refuse_buckets
from retrograde.torch.step.guard import StepGuard

_logger = logging.getLogger("retrograde")


@dataclass(eq=False)
class PlannedGraph:
    """One captured graph with its plan.

    Attributes:
        description: the joint graph, described.
        plan: the plan that the compiled functions follow.
        guard: watches that the budget's conditions hold while they run.
    """

    description: Description
    plan: Plan
    guard: StepGuard

    @property
    def irreproducible(self) -> tuple[str, ...]:
        """Operations that cannot be repeated bit for bit, and so are never recomputed."""
        return self.description.irreproducible


@dataclass(eq=False)
class BudgetedCompiler:
    """A backend for ``torch.compile`` that holds captured graphs to a budget.

    Args:
        options: what the user asked for.

    Attributes:
        planned: the graphs compiled so far, in order.
        sharding_bytes: what ``fully_shard`` holds beside the captured graphs.
    """

    options: Options
    planned: list[PlannedGraph] = field(default_factory=list[PlannedGraph])
    sharding_bytes: int = 0

    def __call__(self, module: fx.GraphModule, example_inputs: Sequence[Any]) -> Callable[..., Any]:
        job = _Compilation(self.options, list(example_inputs), self.sharding_bytes)
        compile_graph = aot_autograd(
            fw_compiler=job.compile_forward,
            bw_compiler=job.compile_backward,
            inference_compiler=_boxed,
            partition_fn=job.partition,
        )
        # A joint graph out of PyTorch's own cache would bypass the partitioner, and with it the plan.
        settings = torch._functorch.config.patch(donated_buffer=False, enable_autograd_cache=False)
        with settings, traced_as_eager_runs():
            compiled = compile_graph(module, example_inputs)
        ready_to_run()
        if job.planned is not None:
            self.planned.append(job.planned)
        return compiled


class _Compilation:
    """One graph on its way through AOTAutograd."""

    def __init__(self, options: Options, inputs: list[Any], sharding_bytes: int = 0) -> None:
        self.options = options
        self.inputs = inputs
        self.sharding_bytes = sharding_bytes
        self.planned: PlannedGraph | None = None

    def partition(
        self, joint_module: fx.GraphModule, joint_inputs: Any, *, num_fwd_outputs: int, **_: Any
    ) -> tuple[fx.GraphModule, fx.GraphModule]:
        """AOTAutograd's ``partition_fn``: describe, plan, emit."""
        options = self.options
        joint = read_joint_graph(joint_module, num_fwd_outputs)
        with _disable_current_modes():
            with cost_model(joint, self.inputs, measure=options.measure_costs, cache=options.cache) as costs:
                description = describe(
                    joint,
                    costs,
                    outside_bytes=options.outside_bytes,
                    sharding_bytes=self.sharding_bytes,
                    retain=options.retain_graph,
                )
            plan = _find_plan(description, options)
        for name in description.irreproducible:
            _logger.info("never recomputed, because it is not reproducible: %s", name)
        if not options.outside_bytes and _has_cotangents_of_tensors(description):
            _logger.warning(
                "a budgeted module gives outputs that are no scalar loss: what your own code allocates between the "
                "module and backward is not in the plan; put the loss inside, or say outside_bytes="
            )
        self.planned = PlannedGraph(description, plan, StepGuard(retain_graph=options.retain_graph))
        return emit(description, plan)

    def compile_forward(self, module: fx.GraphModule, example_inputs: Any) -> Callable[..., Any]:
        assert self.planned is not None
        outputs = len(self.planned.description.joint.forward_outputs)
        primals = len(self.planned.description.joint.primals)
        return self.planned.guard.watch_forward(_boxed(module, example_inputs), outputs, primals)

    def compile_backward(self, module: fx.GraphModule, example_inputs: Any) -> Callable[..., Any]:
        assert self.planned is not None
        return self.planned.guard.watch_backward(_boxed(module, example_inputs))


def _find_plan(description: Description, options: Options) -> Plan:
    """The plan that this rank follows: of several ranks with the same graph, the one that they agree on."""
    return agreed_plan(
        description.graph,
        options.budget.resolve(description.graph.store_all_peak_bytes),
        lambda budget_bytes: find_plan(description.graph, replace(options, budget=Budget(budget_bytes))),
        collectives=collective_names(description.joint.operations),
        asked=f"{options.strategy} {options.iterations} {options.seed}",
    )


def _has_cotangents_of_tensors(description: Description) -> bool:
    return any(getattr(node.meta.get("val"), "ndim", 0) > 0 for node in description.joint.tangents)


def _boxed(module: fx.GraphModule, _: Any) -> Callable[..., Any]:
    """The module's generated code, taking its arguments as a list that it clears, so that they are really released."""
    module.graph.set_codegen(_BoxedCodeGen())
    module.recompile()
    run = module.forward

    def call(arguments: list[Any]) -> Any:
        return run(arguments)

    call._boxed_call = True  # type: ignore[attr-defined]
    return call


def retrograde(module: fx.GraphModule, example_inputs: Sequence[Any], **keywords: Any) -> Callable[..., Any]:
    """The backend of ``torch.compile(module, backend="retrograde", options={"budget": "8 GiB"})``.

    Raises:
        UsageError: an unknown option, or no budget.
        BudgetError: no plan meets the budget (inside ``torch._dynamo``'s ``BackendCompilerFailed``, whose
            ``inner_exception`` it is); nothing has run.
        CaptureError: DDP has the graph cut into pieces (inside the same).
    """
    refuse_buckets()
    options = Options.from_mapping(keywords.get("options") or {})
    return BudgetedCompiler(options)(module, example_inputs)

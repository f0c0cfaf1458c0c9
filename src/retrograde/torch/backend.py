"""The compiler backend: AOTAutograd traces the joint graph, the planner decides, the emitted graphs run."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import torch
import torch._functorch.config
from torch import fx
from torch._dynamo.backends.common import aot_autograd
from torch._functorch._aot_autograd.descriptors import PlainAOTInput
from torch.fx.graph import _BoxedCodeGen
from torch.utils._python_dispatch import _disable_current_modes

from retrograde.disk_cache import DiskCache
from retrograde.errors import UsageError
from retrograde.planning import Budget, Plan
from retrograde.torch.capture import JointGraph, read_joint_graph
from retrograde.torch.costs import MeasuredCosts, RooflineCosts
from retrograde.torch.describe import CostModel, Description, describe
from retrograde.torch.emit import emit
from retrograde.torch.plan_store import find_plan
from retrograde.torch.step import StepGuard

_logger = logging.getLogger("retrograde")


@dataclass(frozen=True, eq=False)
class Options:
    """What a user asks of the engine. See ``retrograde.torch.budgeted`` for their meaning."""

    budget: Budget
    strategy: str = "auto"
    retain_graph: bool = False
    outside_bytes: int = 0
    measure_costs: bool = True
    time_limit: float = 20.0
    iterations: int | None = None
    seed: int = 0
    cache: bool = True
    progress: Callable[[Any], None] | None = None

    @staticmethod
    def from_mapping(options: Mapping[str, Any]) -> Options:
        """Options out of ``torch.compile(…, options={...})``.

        Raises:
            UsageError: no budget, or an option that is not known.
        """
        known = {f.name for f in fields(Options)}
        unknown = sorted(set(options) - known)
        if unknown or "budget" not in options:
            problem = f"unknown option {unknown[0]!r}" if unknown else "no budget"
            raise UsageError(f'backend="retrograde": {problem}; options are {sorted(known)}, and budget is required')
        return Options(**{**options, "budget": Budget(options["budget"])})


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
    """

    options: Options
    planned: list[PlannedGraph] = field(default_factory=list[PlannedGraph])

    def __call__(self, module: fx.GraphModule, example_inputs: Sequence[Any]) -> Callable[..., Any]:
        job = _Compilation(self.options, list(example_inputs))
        compile_graph = aot_autograd(
            fw_compiler=job.compile_forward,
            bw_compiler=job.compile_backward,
            inference_compiler=_boxed,
            partition_fn=job.partition,
        )
        with torch._functorch.config.patch(donated_buffer=False), _without_compile_cache():
            compiled = compile_graph(module, example_inputs)
        if job.planned is not None:
            self.planned.append(job.planned)
        return compiled


@contextlib.contextmanager
def _without_compile_cache() -> Iterator[None]:
    # A joint graph out of PyTorch's own cache would bypass the partitioner, and with it the plan.
    with torch._functorch.config.patch(enable_autograd_cache=False):
        yield


class _Compilation:
    """One graph on its way through AOTAutograd."""

    def __init__(self, options: Options, inputs: list[Any]) -> None:
        self.options = options
        self.inputs = inputs
        self.planned: PlannedGraph | None = None

    def partition(
        self, joint_module: fx.GraphModule, joint_inputs: Any, *, num_fwd_outputs: int, **_: Any
    ) -> tuple[fx.GraphModule, fx.GraphModule]:
        """AOTAutograd's ``partition_fn``: describe, plan, emit."""
        options = self.options
        joint = read_joint_graph(joint_module, num_fwd_outputs)
        with _disable_current_modes():
            description = describe_joint_graph(
                joint,
                self.inputs,
                measure_costs=options.measure_costs,
                outside_bytes=options.outside_bytes,
                retain=options.retain_graph,
                cache=options.cache,
            )
            plan = find_plan(description.graph, options)
        for name in description.irreproducible:
            _logger.info("never recomputed, because it is not reproducible: %s", name)
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


def describe_joint_graph(
    joint: JointGraph,
    inputs: Sequence[Any],
    *,
    measure_costs: bool = True,
    outside_bytes: int = 0,
    retain: bool = False,
    cache: bool = True,
) -> Description:
    """Describe a joint graph with measured or estimated costs."""
    folder = DiskCache("operations") if cache else None
    costs: CostModel
    if not measure_costs:
        return describe(joint, RooflineCosts(), outside_bytes=outside_bytes, retain=retain)
    costs = MeasuredCosts(_held_tensors(joint, inputs), folder)
    try:
        return describe(joint, costs, outside_bytes=outside_bytes, retain=retain)
    finally:
        costs.save()


def _held_tensors(joint: JointGraph, inputs: Sequence[Any]) -> dict[int, torch.Tensor]:
    """The caller's own tensors, by the storage key of their fake counterparts."""
    held: dict[int, torch.Tensor] = {}
    for primal in joint.primals:
        place = primal.meta.get("desc")
        fake = primal.meta.get("val")
        if not isinstance(place, PlainAOTInput) or not isinstance(fake, torch.Tensor) or place.idx >= len(inputs):
            continue
        real = inputs[place.idx]
        if isinstance(real, torch.Tensor) and real.shape == fake.shape and real.stride() == fake.stride():
            held[fake.untyped_storage()._cdata] = real
    return held


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
    """
    options = Options.from_mapping(keywords.get("options") or {})
    return BudgetedCompiler(options)(module, example_inputs)

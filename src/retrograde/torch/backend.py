"""The compiler backend: AOTAutograd traces the joint graph, the planner decides, the emitted graphs run."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
import torch._functorch.config
from torch import fx
from torch._dynamo.backends.common import aot_autograd
from torch.fx.graph import _BoxedCodeGen
from torch.utils._python_dispatch import _disable_current_modes

from retrograde.planning import Plan
from retrograde.torch.capture.decompositions import traced_as_eager_runs
from retrograde.torch.capture.describe import CostModel, Description, describe
from retrograde.torch.capture.joint import JointGraph, read_joint_graph
from retrograde.torch.costs.measured import cost_model
from retrograde.torch.emission.emit import emit
from retrograde.torch.options import Options
from retrograde.torch.plan_store import find_plan
from retrograde.torch.step.guard import StepGuard

_logger = logging.getLogger("retrograde")


@dataclass(eq=False)
class PlannedGraph:
    """One captured graph with its plan.

    Attributes:
        description: the joint graph, described.
        plan: the plan that the compiled functions follow.
        guard: watches that the budget's conditions hold while they run.
        peak_bytes: the predicted peak of what runs; compiled code needs other bytes than its plan.
    """

    description: Description
    plan: Plan
    guard: StepGuard
    peak_bytes: int = 0

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
            partition_fn=job.partition,
            **job.code.aot_settings(),
        )
        # A joint graph out of PyTorch's own cache would bypass the partitioner, and with it the plan.
        settings = torch._functorch.config.patch(donated_buffer=False, enable_autograd_cache=False)
        with settings, job.code.tracing():
            compiled = compile_graph(module, example_inputs)
        if job.planned is not None:
            self.planned.append(job.planned)
        return compiled


class _Compilation:
    """One graph on its way through AOTAutograd."""

    def __init__(self, options: Options, inputs: list[Any]) -> None:
        self.options = options
        self.inputs = inputs
        self.planned: PlannedGraph | None = None
        self.code: Compiler = _inductor() if options.compiler == "inductor" else _Eager()

    def partition(
        self, joint_module: fx.GraphModule, joint_inputs: Any, *, num_fwd_outputs: int, **others: Any
    ) -> tuple[fx.GraphModule, fx.GraphModule]:
        """AOTAutograd's ``partition_fn``: describe, plan, emit."""
        options = self.options
        joint = self.code.read_joint_graph(joint_module, joint_inputs, num_fwd_outputs, **others)
        with (
            _disable_current_modes(),
            cost_model(joint, self.inputs, measure=options.measure_costs, cache=options.cache) as costs,
        ):
            description = describe(joint, costs, outside_bytes=options.outside_bytes, retain=options.retain_graph)
            plan, peak_bytes = self.code.find_plan(description, options, costs)
        for name in description.irreproducible:
            _logger.info("never recomputed, because it is not reproducible: %s", name)
        if not options.outside_bytes and _has_cotangents_of_tensors(description):
            _logger.warning(
                "a budgeted module gives outputs that are no scalar loss: what your own code allocates between the "
                "module and backward is not in the plan; put the loss inside, or say outside_bytes="
            )
        self.planned = PlannedGraph(description, plan, StepGuard(retain_graph=options.retain_graph), peak_bytes)
        return emit(description, plan, functional=self.code.functional)

    def compile_forward(self, module: fx.GraphModule, example_inputs: Any) -> Callable[..., Any]:
        assert self.planned is not None
        outputs = len(self.planned.description.joint.forward_outputs)
        primals = len(self.planned.description.joint.primals)
        run = self.code.compile_forward(module, example_inputs, outputs)
        return self.planned.guard.watch_forward(run, outputs, primals)

    def compile_backward(self, module: fx.GraphModule, example_inputs: Any) -> Callable[..., Any]:
        assert self.planned is not None
        return self.planned.guard.watch_backward(self.code.compile_backward(module, example_inputs))


class Compiler(Protocol):
    """What turns one joint graph into two functions: PyTorch's own kernels, or Inductor."""

    functional: bool

    def aot_settings(self) -> dict[str, Any]:
        """Further arguments for AOTAutograd."""
        ...

    def tracing(self) -> AbstractContextManager[None]:
        """What must hold while the graph is traced."""
        ...

    def read_joint_graph(self, module: fx.GraphModule, inputs: Any, outputs: int, **others: Any) -> JointGraph:
        """The joint graph that is planned."""
        ...

    def find_plan(self, description: Description, options: Options, costs: CostModel) -> tuple[Plan, int]:
        """A plan that meets the budget, and the predicted peak of the code that it becomes."""
        ...

    def compile_forward(self, module: fx.GraphModule, example_inputs: Any, outputs: int) -> Callable[..., Any]:
        """A boxed function of the forward graph, of whose outputs some are the user's and the others are saved."""
        ...

    def compile_backward(self, module: fx.GraphModule, example_inputs: Any) -> Callable[..., Any]:
        """A boxed function of the backward graph."""
        ...


class _Eager:
    """The emitted graphs run as they are."""

    functional = False

    def aot_settings(self) -> dict[str, Any]:
        return {"inference_compiler": _boxed}

    def tracing(self) -> AbstractContextManager[None]:
        return traced_as_eager_runs()

    def read_joint_graph(self, module: fx.GraphModule, _: Any, outputs: int, **__: Any) -> JointGraph:
        return read_joint_graph(module, outputs)

    def find_plan(self, description: Description, options: Options, _: CostModel) -> tuple[Plan, int]:
        plan = find_plan(description.graph, options)
        return plan, plan.peak_bytes

    def compile_forward(self, module: fx.GraphModule, example_inputs: Any, _: int) -> Callable[..., Any]:
        return _boxed(module, example_inputs)

    def compile_backward(self, module: fx.GraphModule, example_inputs: Any) -> Callable[..., Any]:
        return _boxed(module, example_inputs)


def _inductor() -> Compiler:
    with warnings.catch_warnings():
        # Importing Inductor uses parts of PyTorch that PyTorch deprecates.
        warnings.simplefilter("ignore", DeprecationWarning)
        from retrograde.torch.inductor import Inductor
    return Inductor()


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
    """
    options = Options.from_mapping(keywords.get("options") or {})
    return BudgetedCompiler(options)(module, example_inputs)

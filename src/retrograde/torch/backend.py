"""The compiler backend: AOTAutograd traces the joint graph, which goes to the keeper of its budget."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
import torch._functorch.config
from torch import fx
from torch._dynamo.backends.common import aot_autograd
from torch.utils._python_dispatch import _disable_current_modes

from retrograde.errors import CaptureError
from retrograde.torch.capture.describe import Description, describe
from retrograde.torch.capture.joint import JointGraph
from retrograde.torch.costs.measured import cost_model
from retrograde.torch.emission.autograd_function import autograd_functions_of_many_plans
from retrograde.torch.emission.captured import CapturedGraph
from retrograde.torch.emission.compilers import compiler_of
from retrograde.torch.optimizer_demand import optimizer_bytes
from retrograde.torch.options import Options
from retrograde.torch.ranks.session import ready_to_run
from retrograde.torch.ranks.wrappers import refuse_buckets
from retrograde.torch.step.keeper import keeper_of

_logger = logging.getLogger("retrograde")


@dataclass(eq=False)
class BudgetedCompiler:
    """A backend for ``torch.compile`` that holds captured graphs to a budget.

    Args:
        options: what the user asked for.

    Attributes:
        captured: the graphs compiled so far, in order.
        sharding_bytes: what ``fully_shard`` holds beside the captured graphs.
    """

    options: Options
    captured: list[CapturedGraph] = field(default_factory=list[CapturedGraph])
    sharding_bytes: int = 0

    def __call__(self, module: fx.GraphModule, example_inputs: Sequence[Any]) -> Callable[..., Any]:
        job = _Compilation(self.options, list(example_inputs), self.sharding_bytes)
        compile_graph = aot_autograd(
            fw_compiler=job.compile_forward,
            bw_compiler=job.compile_backward,
            partition_fn=job.partition,
            **job.code.aot_settings(),
        )
        # A joint graph out of PyTorch's own cache would bypass the partitioner, and with it the plan. Eager's backward
        # runs after the autocast context, where the types are those of the forward.
        settings = torch._functorch.config.patch(
            donated_buffer=False, enable_autograd_cache=False, backward_pass_autocast="off"
        )
        with settings, job.code.tracing(), autograd_functions_of_many_plans():
            compiled = compile_graph(module, example_inputs)
        ready_to_run()
        if job.captured is not None:
            self.captured.append(job.captured)
        return compiled


class _Compilation:
    """One graph on its way through AOTAutograd."""

    def __init__(self, options: Options, inputs: list[Any], sharding_bytes: int = 0) -> None:
        self.options = options
        self.inputs = inputs
        self.sharding_bytes = sharding_bytes
        self.captured: CapturedGraph | None = None
        self.code = compiler_of(options)

    def partition(
        self, joint_module: fx.GraphModule, joint_inputs: Any, *, num_fwd_outputs: int, **others: Any
    ) -> tuple[fx.GraphModule, fx.GraphModule]:
        """AOTAutograd's ``partition_fn``: describe, and emit a first plan."""
        options = self.options
        if options.compiler == "inductor" and any(isinstance(value, torch.SymInt) for value in self.inputs):
            raise CaptureError(
                'compiler="inductor" plans every combination of shapes, and PyTorch captured sizes that change; '
                'ask for torch.compile(…, backend="retrograde", dynamic=False)'
            )
        joint = self.code.read_joint_graph(joint_module, joint_inputs, num_fwd_outputs, **others)
        with _disable_current_modes():
            keeper = keeper_of(options.budget)
            self.captured = CapturedGraph(joint, options, keeper, self.code, self._describe)
            sizes = self.captured.first_sizes
            description = self.captured.description(sizes)
            first = keeper.prepare(self.captured, sizes)
        self.inputs = []
        for name in description.irreproducible:
            _logger.info("never recomputed, because it is not reproducible: %s", name)
        return self.captured.emit_first(first, sizes)

    def _describe(self, joint: JointGraph) -> Description:
        options = self.options
        with cost_model(joint, self.inputs, measure=options.measure_costs, cache=options.cache) as costs:
            return describe(
                joint,
                costs,
                outside_bytes=options.outside_bytes,
                sharding_bytes=self.sharding_bytes,
                optimizer_bytes=optimizer_bytes(options),
                retain=options.retain_graph,
            )

    def compile_forward(self, module: fx.GraphModule, example_inputs: Any) -> Callable[..., Any]:
        assert self.captured is not None
        return self.captured.forward()

    def compile_backward(self, module: fx.GraphModule, example_inputs: Any) -> Callable[..., Any]:
        assert self.captured is not None
        return self.captured.backward()


def retrograde(module: fx.GraphModule, example_inputs: Sequence[Any], **keywords: Any) -> Callable[..., Any]:
    """The backend of ``torch.compile(module, backend="retrograde", options={"budget": "8 GiB"})``.

    Raises:
        UsageError: an unknown option, or no budget.
        BudgetError: no plan meets the budget (inside ``torch._dynamo``'s ``BackendCompilerFailed``, whose
            ``inner_exception`` it is); nothing has run.
        CaptureError: DDP has the graph cut into pieces (inside the same).
    """
    refuse_buckets()
    return _compiler_of(keywords.get("options") or {})(module, example_inputs)


_compilers: OrderedDict[int, tuple[Mapping[str, Any], BudgetedCompiler]] = OrderedDict()
_MOST_COMPILERS = 64


def _compiler_of(options: Mapping[str, Any]) -> BudgetedCompiler:
    """One compiler for all graphs of one ``torch.compile``, which hands over the same mapping each time."""
    known = _compilers.get(id(options))
    if known is None:
        known = _compilers[id(options)] = (options, BudgetedCompiler(Options.from_mapping(options)))
        while len(_compilers) > _MOST_COMPILERS:
            _compilers.popitem(last=False)
    return known[1]

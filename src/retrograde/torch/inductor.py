"""What the backend asks of Inductor: the joint graph that it wants, plans that its code meets, and the code itself.

Importing this file imports Inductor, which takes seconds; only ``compiler="inductor"`` does.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from torch import fx
from torch._inductor.compile_fx import run_pre_grad_passes
from torch._inductor.decomposition import select_decomp_table

from retrograde.planning import Plan
from retrograde.torch.capture.describe import CostModel, Description
from retrograde.torch.capture.fused_joint import fused_joint_graph
from retrograde.torch.capture.joint import JointGraph
from retrograde.torch.emission.fitting import fit_compiled_plan
from retrograde.torch.emission.inductor import Strides, compile_for_inference, compile_with_inductor
from retrograde.torch.options import Options
from retrograde.torch.plan_store import find_plan


class Inductor:
    """Compiles the two graphs of one plan; the second for what the first really hands over."""

    functional = True

    def __init__(self) -> None:
        self._saved_strides: list[Strides] = []
        self._exact = False

    def aot_settings(self) -> dict[str, Any]:
        """What ``torch.compile`` asks of AOTAutograd for Inductor."""
        return {
            "inference_compiler": compile_for_inference,
            "decompositions": select_decomp_table(),
            "pre_grad_passes": run_pre_grad_passes,
            "keep_inference_input_mutations": True,
        }

    def tracing(self) -> contextlib.AbstractContextManager[None]:
        """Nothing: what is traced is what ``torch.compile`` traces."""
        return contextlib.nullcontext()

    def read_joint_graph(
        self,
        module: fx.GraphModule,
        inputs: Any,
        outputs: int,
        *,
        static_lifetime_input_indices: list[int] | None = None,
        **_: Any,
    ) -> JointGraph:
        """The joint graph with what Inductor recomputes anyway written out."""
        return fused_joint_graph(module, inputs, outputs, static_lifetime_input_indices)

    def find_plan(self, description: Description, options: Options, costs: CostModel) -> tuple[Plan, int]:
        """A plan whose compiled code meets the budget."""
        self._exact = options.exact
        fitted = fit_compiled_plan(description, options, costs, find_plan)
        return fitted.plan, fitted.peak_bytes

    def compile_forward(self, module: fx.GraphModule, example_inputs: Any, outputs: int) -> Callable[..., Any]:
        """The forward; what it saves has the strides that the backward is then compiled for."""
        compiled = compile_with_inductor(module, example_inputs, backward=False, exact=self._exact)
        self._saved_strides = compiled.output_strides[outputs:]
        return compiled.run

    def compile_backward(self, module: fx.GraphModule, example_inputs: Any) -> Callable[..., Any]:
        """The backward."""
        strides = self._saved_strides
        return compile_with_inductor(module, example_inputs, backward=True, strides=strides, exact=self._exact).run

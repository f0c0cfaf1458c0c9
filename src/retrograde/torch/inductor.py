"""What the engine asks of Inductor: the joint graph that it wants, what its code takes, and the code itself.

Importing this file imports Inductor, which takes seconds; only ``compiler="inductor"`` does.
"""

from __future__ import annotations

import contextlib
from typing import Any

from torch import fx
from torch._inductor.compile_fx import run_pre_grad_passes
from torch._inductor.decomposition import select_decomp_table

from retrograde.planning import Schedule
from retrograde.torch.capture.describe import Description
from retrograde.torch.capture.fused_joint import fused_joint_graph
from retrograde.torch.capture.joint import JointGraph
from retrograde.torch.emission.boxed import Boxed
from retrograde.torch.emission.compilers import PairWeight
from retrograde.torch.emission.emit import EmittedPair
from retrograde.torch.emission.inductor import compile_for_inference, compile_with_inductor
from retrograde.torch.emission.weighing import example_inputs, weigh_schedule
from retrograde.torch.options import Options


class Inductor:
    """Compiles pairs of planned graphs; the backward for what the forward really hands over.

    Args:
        options: what the user asked for.
    """

    functional = True
    changes_peaks = True

    def __init__(self, options: Options) -> None:
        self._options = options

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

    def compile_pair(self, pair: EmittedPair, outputs: int) -> tuple[Boxed, Boxed]:
        """The compiled forward and backward; what the one saves has the strides that the other is compiled for."""
        exact = self._options.exact
        forward = compile_with_inductor(pair.forward, example_inputs(pair.forward), backward=False, exact=exact)
        strides = forward.output_strides[outputs:]
        backward = compile_with_inductor(
            pair.backward, example_inputs(pair.backward), backward=True, strides=strides, exact=exact
        )
        return forward.run, backward.run

    def weigh(self, description: Description, schedule: Schedule) -> PairWeight:
        """What the code for a schedule takes."""
        return weigh_schedule(description, schedule, self._options)

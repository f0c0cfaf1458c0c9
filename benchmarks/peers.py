"""What is compared: plain eager, checkpointed blocks, PyTorch's activation memory budget, and retrograde."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch._dynamo
import torch._functorch.config
from models import BlockModule
from torch import fx, nn
from torch._dynamo.backends.common import aot_autograd
from torch._functorch.partitioners import min_cut_rematerialization_partition

import retrograde as rg
from retrograde.torch.emission.boxed import compile_eagerly as run_boxed

ACTIVATION_BUDGETS = tuple(tenths / 10 for tenths in range(10, -1, -1))

# Many variants of one class share its code, and each is compiled once.
torch._dynamo.config.recompile_limit = 1000
torch._dynamo.config.accumulated_recompile_limit = 10000


def checkpointed(module: BlockModule) -> BlockModule:
    """A copy whose blocks run under ``torch.utils.checkpoint``."""
    twin = copy.deepcopy(module)
    twin.checkpoints_blocks = True
    return twin


class ActivationBudgeted(nn.Module):
    """A copy compiled with ``activation_memory_budget``, run by the same generated eager code as retrograde's graphs.

    Its batch norms keep no running statistics: with them PyTorch 2.13 recomputes an update of a buffer, and the
    backward pass raises. The gradients are the same.

    Args:
        module: what is copied.
        budget: the fraction of saved activations that PyTorch's partitioner may keep.

    Attributes:
        inner: the copy.
        partition: text of the two graphs it became, once it has run; equal texts are the same variant.
    """

    def __init__(self, module: BlockModule, budget: float) -> None:
        super().__init__()
        self.inner = copy.deepcopy(module)
        for part in self.inner.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.track_running_stats = False
                part.running_mean = part.running_var = part.num_batches_tracked = None
        self.budget = budget
        self.partition = ""
        self._compiled = torch.compile(self.inner.forward, backend=self._backend, fullgraph=True, dynamic=False)

    def forward(self, *inputs: Any) -> Any:
        return self._compiled(*inputs)

    def _backend(self, module: fx.GraphModule, inputs: Sequence[Any]) -> Callable[..., Any]:
        def compile_part(part: fx.GraphModule, example_inputs: Any) -> Callable[..., Any]:
            run = run_boxed(part, example_inputs)
            self.partition += part.code
            return run

        settings = {"activation_memory_budget": self.budget, "enable_autograd_cache": False}
        with torch._functorch.config.patch(settings):
            return aot_autograd(
                fw_compiler=compile_part,
                bw_compiler=compile_part,
                partition_fn=min_cut_rematerialization_partition,
            )(module, inputs)


def planned(module: BlockModule, budget: int | str, strategy: str = "auto") -> BlockModule:
    """A copy held to a budget by retrograde."""
    return rg.torch.budgeted(copy.deepcopy(module), budget, strategy=strategy)

"""A module's joint graph without running it: for looking at and planning by hand."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch._dynamo
from torch import fx, nn
from torch._dynamo.backends.common import aot_autograd
from torch.utils._python_dispatch import _disable_current_modes

from retrograde.errors import CaptureError
from retrograde.graph import Graph
from retrograde.torch.capture.decompositions import traced_as_eager_runs
from retrograde.torch.capture.describe import describe
from retrograde.torch.capture.joint import read_joint_graph
from retrograde.torch.costs.measured import cost_model

_TORCH_FOLDER = os.path.dirname(torch.__file__) + os.sep
_REWRITE = (
    "Rewrite that line so that it does not depend on tensor contents or Python effects, or budget the submodules "
    "around it"
)
_REMEDIES = {
    "Attempted to wrap RNN, GRU, or LSTM": (
        "PyTorch traces its recurrent modules with other bits than eager's; write the loop over time with a cell "
        "(torch.nn.LSTMCell, torch.nn.RNNCell, or your own), or budget the submodules around it"
    ),
}


def capture_graph(
    module: nn.Module | Callable[..., Any],
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    measure_costs: bool = True,
) -> Graph:
    """The joint forward-backward graph of a module on example inputs, as a ``Graph``.

    Nothing of the module runs; single operations do, to measure their costs, unless ``measure_costs`` is False.

    Args:
        module: a module or function; some output must require gradients.
        args: positional example inputs.
        kwargs: keyword example inputs.
        measure_costs: measure costs on this machine, or estimate them.

    Raises:
        CaptureError: it cannot be captured as one graph, or no output requires gradients.
    """
    captured: list[Graph] = []

    def backend(graph_module: fx.GraphModule, inputs: Sequence[Any]) -> Callable[..., Any]:
        def partition(joint: fx.GraphModule, _: Any, *, num_fwd_outputs: int, **__: Any) -> Any:
            read = read_joint_graph(joint, num_fwd_outputs)
            with _disable_current_modes(), cost_model(read, inputs, measure=measure_costs) as costs:
                captured.append(describe(read, costs).graph)
            raise _Captured

        compile_graph = aot_autograd(fw_compiler=lambda m, _: m, partition_fn=partition)
        with (
            torch._functorch.config.patch(enable_autograd_cache=False, backward_pass_autocast="off"),
            traced_as_eager_runs(),
        ):
            return compile_graph(graph_module, inputs)

    try:
        torch.compile(module, backend=backend, fullgraph=True, dynamic=False)(*args, **(kwargs or {}))
    except torch._dynamo.exc.BackendCompilerFailed as error:
        if not isinstance(error.inner_exception, _Captured):
            raise error.inner_exception from None
    except (torch._dynamo.exc.Unsupported, torch._dynamo.exc.UserError) as error:
        raise capture_error(module, error) from error
    finally:
        torch._dynamo.reset()
    if not captured:
        raise CaptureError(
            f"{_name(module)} gives nothing that requires gradients on these inputs; there is no joint graph"
        )
    return captured[0]


class _Captured(Exception):
    """Ends a compilation once the joint graph is in hand."""


def capture_error(module: Any, error: Exception) -> CaptureError:
    """What Dynamo says of a module that it cannot capture, with the user's line first."""
    text = str(error)
    stack = getattr(error, "real_stack", None) or ()
    places = [frame for frame in stack if not frame.filename.startswith(_TORCH_FOLDER)]
    place = f" at {places[-1].filename}:{places[-1].lineno}" if places else ""
    reason = (text.strip() or type(error).__name__).splitlines()[0].rstrip(".")
    raised = re.search(r"raised exception (.*)", text)
    if raised:
        reason = f"it raises {raised[1]}"
    remedy = next((known for found, known in _REMEDIES.items() if found in text), _REWRITE)
    return CaptureError(f"{_name(module)} cannot be captured as one graph{place}: {reason}. {remedy}")


def _name(module: Any) -> str:
    return type(module).__name__ if isinstance(module, nn.Module) else getattr(module, "__name__", repr(module))

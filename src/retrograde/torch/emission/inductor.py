"""One planned FX graph compiled by Inductor, in such a way that the plan survives its scheduler."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from unittest import mock

import torch
import torch.compiler.config
from torch import fx
from torch._dispatch.python import enable_python_dispatcher
from torch._dynamo.convert_frame import compile_lock
from torch._dynamo.utils import detect_fake_mode
from torch._functorch._aot_autograd.descriptors import (
    SavedForBackwardsAOTOutput,
    SavedForBackwardsNoVcCheckAOTOutput,
)
from torch._guards import TracingContext, tracing
from torch._inductor import config
from torch._inductor.choices import InductorChoices
from torch._inductor.compile_fx import (
    _recursive_joint_graph_passes,
    compile_fx_inner,
    get_cuda_device_context,
    get_inputs_devices,
)
from torch._inductor.graph import GraphLowering
from torch._inductor.ir import TensorBox
from torch._inductor.virtualized import V
from torch._subclasses.fake_tensor import FakeTensorMode

from retrograde.torch.emission.emit import RUN

_SAVED = (SavedForBackwardsAOTOutput, SavedForBackwardsNoVcCheckAOTOutput)
_METHOD = "3"

# In a graph that recomputes, operations share a kernel that are at most this many steps apart.
_FARTHEST = 4

Strides = tuple[int, ...] | None


@dataclass(frozen=True, eq=False)
class CompiledGraph:
    """A graph compiled.

    Attributes:
        run: takes its arguments as a list, which it clears.
        output_strides: for each output the strides that it really has, which may be others than those traced.
    """

    run: Callable[[list[Any]], Any]
    output_strides: list[Strides]


def compile_with_inductor(
    module: fx.GraphModule,
    example_inputs: Sequence[Any],
    *,
    backward: bool,
    strides: Sequence[Strides] = (),
    parameters: Sequence[int] = (),
    exact: bool = False,
) -> CompiledGraph:
    """Compile one planned graph.

    Args:
        module: a forward or a backward graph as ``emit`` gives it; it is left as it is.
        example_inputs: for each placeholder a fake tensor, such as its ``meta["val"]``.
        backward: whether it is a backward graph.
        strides: of the leading inputs, as ``output_strides`` of the compiled forward says of the values that it saves;
            the backward must be compiled for the strides that these really have.
        parameters: positions of the inputs whose address does not change from call to call.
        exact: compile every operation to a kernel of its own, so that it gives the same bits wherever it runs.

    Example:
        >>> with FakeTensorMode():
        ...     example = torch.empty(4)
        >>> graph = fx.Graph()
        >>> x = graph.placeholder("x")
        >>> doubled = graph.call_function(torch.ops.aten.mul.Tensor, (x, 2.0))
        >>> x.meta["val"] = doubled.meta["val"] = example
        >>> output = graph.output((doubled,))
        >>> compiled = compile_with_inductor(fx.GraphModule({}, graph), [example], backward=False)
        >>> compiled.run([torch.tensor([-1.0, 0.0, 1.0, 2.0])])[0]
        tensor([-2.,  0.,  2.,  4.])
    """
    inputs = restride(example_inputs, strides)
    graph = fx.GraphModule(module, module.graph.__deepcopy__({}))
    (output,) = graph.graph.find_nodes(op="output")
    output.meta = dict(next(iter(module.graph.find_nodes(op="output"))).meta)
    visible = _visible_outputs(output)
    output.meta["user_visible_output_idxs"] = visible
    static = list(range(len(strides))) if backward else list(parameters)
    choices = PlannedChoices(recomputes=any(node.meta.get(RUN) for node in graph.graph.nodes), exact=exact)
    with _compiling(inputs, choices, _salt(graph, visible, exact), exact) as real_strides:
        run: Any = compile_fx_inner(graph, inputs, is_backward=backward, static_input_idxs=static)
    return CompiledGraph(_boxed(run), [_as_strides(s) for s in real_strides])


def lowered_source(
    module: fx.GraphModule,
    example_inputs: Sequence[Any],
    *,
    backward: bool,
    strides: Sequence[Strides] = (),
    exact: bool = False,
) -> tuple[str, list[Strides]]:
    """The Python text that Inductor would run for a graph, and the strides of its outputs; no kernel is compiled.

    Arguments are those of ``compile_with_inductor``.
    """
    texts: list[str] = []

    def keep_text(lowering: GraphLowering) -> Any:
        texts.append(lowering.codegen()[0].value)
        return mock.Mock(__file__="", call=None)

    with (
        mock.patch.object(GraphLowering, "compile_to_module", keep_text),
        config.patch(fx_graph_cache=False, fx_graph_remote_cache=False),
    ):
        compiled = compile_with_inductor(module, example_inputs, backward=backward, strides=strides, exact=exact)
    return texts[-1] if texts else "", compiled.output_strides


def settings_key() -> str:
    """A digest of everything in Inductor's settings that may change the code that it writes."""
    settings = config.save_config_portable(ignore_private_configs=False)
    facts = [_METHOD, str(torch.get_num_threads()), *(f"{name}={settings[name]!r}" for name in sorted(settings))]
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:32]


def compile_for_inference(module: fx.GraphModule, example_inputs: Sequence[Any]) -> Callable[[list[Any]], Any]:
    """Compile a graph that needs no gradient, as Inductor does by itself."""
    mode = detect_fake_mode(example_inputs) or FakeTensorMode()
    with get_cuda_device_context(module), V.set_fake_mode(mode):
        device = next(iter(get_inputs_devices(example_inputs, module)))
        module = _recursive_joint_graph_passes(module, input_device=device)
    return compile_with_inductor(module, example_inputs, backward=False).run


def restride(example_inputs: Sequence[Any], strides: Sequence[Strides]) -> list[Any]:
    """Example inputs with the strides that the leading ones really have."""
    inputs = list(example_inputs)
    for position, real in enumerate(strides):
        example = inputs[position]
        if real is not None and isinstance(example, torch.Tensor) and example.stride() != real:
            inputs[position] = example.as_strided(example.size(), real)
    return inputs


class PlannedChoices(InductorChoices):
    """Inductor's choices, except for kernels that would undo a plan.

    Two runs of one operation read the same values, which makes them Inductor's favourite to share a kernel; the later
    one would then run with the earlier one, and its result be live from there: the plan's levels would be gone. So
    runs of different generations stay apart, and so do operations of a recomputing graph that the plan puts far apart.

    Args:
        recomputes: whether the graph holds an operation that ran before.
        exact: whether no two operations may share a kernel.
    """

    def __init__(self, *, recomputes: bool, exact: bool) -> None:
        super().__init__()
        self._farthest = _FARTHEST if recomputes else None
        self._exact = exact

    def can_fuse(self, scheduler: Any, node1: Any, node2: Any, shared_data_score: int) -> bool:
        """Whether two nodes may share a kernel at all."""
        too_far = self._farthest is not None and _distance(node1, node2) > self._farthest
        if self._exact or too_far:
            return False
        return InductorChoices.can_fuse(scheduler, node1, node2, shared_data_score)

    def can_fuse_horizontal(self, scheduler: Any, node1: Any, node2: Any, shared_data_score: int) -> bool:
        """Whether two nodes that read the same values may share a kernel."""
        if _runs(node1) != _runs(node2):
            return False
        return InductorChoices.can_fuse_horizontal(scheduler, node1, node2, shared_data_score)


def _distance(node1: Any, node2: Any) -> int:
    return max(abs(node1.min_order - node2.max_order), abs(node2.min_order - node1.max_order))


def _realizing(run_node: Callable[..., Any]) -> Callable[..., Any]:
    """Lowering in which every result gets a buffer, so that none is computed inside its readers' kernels."""

    def run(lowering: GraphLowering, node: fx.Node) -> Any:
        result = run_node(lowering, node)
        if isinstance(result, TensorBox):
            result.realize()
        return result

    return run


def _runs(node: Any) -> frozenset[int]:
    origins = (origin for part in node.get_nodes() if part.node is not None for origin in part.node.get_origins())
    return frozenset(origin.meta[RUN] for origin in origins if RUN in origin.meta)


@contextlib.contextmanager
def _compiling(inputs: list[Any], choices: PlannedChoices, salt: str, exact: bool) -> Iterator[list[Any]]:
    """What Inductor expects around it when AOTAutograd calls it; gives the list that output strides will stand in."""
    mode = detect_fake_mode(inputs) or FakeTensorMode(allow_non_fake_inputs=True)
    settings: dict[str, Any] = {"triton.cudagraphs": False, "cpp_wrapper": False, "memory_planning": False}
    lowering = _realizing(GraphLowering.run_node) if exact else GraphLowering.run_node
    with (
        compile_lock,
        torch.no_grad(),
        torch._C._DisableAutocast(),
        torch._dynamo.compiled_autograd._disable(),
        enable_python_dispatcher(),
        V.set_fake_mode(mode),
        tracing(TracingContext(mode)),
        TracingContext.report_output_strides() as real_strides,
        V.set_choices_handler(choices),
        mock.patch.object(GraphLowering, "run_node", lowering),
        config.patch(settings),
        torch.compiler.config.patch(cache_key_tag=salt),
    ):
        assert real_strides is not None
        yield real_strides


def _boxed(compiled: Callable[[list[Any]], Any]) -> Callable[[list[Any]], Any]:
    def run(arguments: list[Any]) -> Any:
        return compiled(arguments)

    run._boxed_call = True  # type: ignore[attr-defined]
    return run


def _visible_outputs(output: fx.Node) -> list[int]:
    """Outputs that somebody beside the backward graph sees, whose strides must be those of eager."""
    results: Any = output.args[0]
    descriptions = output.meta.get("desc") or [None] * len(results)
    return [
        position
        for position, (result, description) in enumerate(zip(results, descriptions, strict=True))
        if isinstance(result, fx.Node) and not isinstance(description, _SAVED)
    ]


def _salt(module: fx.GraphModule, visible: list[int], exact: bool) -> str:
    """What Inductor's cache must tell apart beside the graph's text: which runs may share a kernel."""
    runs = [node.meta.get(RUN) for node in module.graph.nodes]
    facts = repr((_METHOD, exact, visible, runs))
    return "retrograde " + hashlib.sha256(facts.encode()).hexdigest()


def _as_strides(strides: Any) -> Strides:
    return None if strides is None else tuple(int(stride) for stride in strides)

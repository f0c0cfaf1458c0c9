"""Sizes that change from call to call: symbols in a joint graph, what they are in a call, the graph at given sizes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sympy
import torch
from torch import fx
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.symbolic_shapes import free_unbacked_symbols

from retrograde.errors import CaptureError
from retrograde.torch.capture.joint import JointGraph, read_joint_graph

SYMBOLIC = "retrograde_symbolic_val"
"""Where a node of a graph at given sizes keeps the value with symbols."""


@dataclass(frozen=True)
class SizeInput:
    """Where the value of a symbol is found when the graph is called.

    Attributes:
        symbol: the symbol.
        position: among the graph's inputs.
    """

    symbol: Any
    position: int


def size_inputs(joint: JointGraph) -> tuple[SizeInput, ...]:
    """The sizes that a joint graph is called with, in the order of its inputs; none if all its sizes are fixed.

    Raises:
        CaptureError: a size is not among the inputs.
    """
    found: dict[Any, SizeInput] = {}
    wanted: set[Any] = set()
    for position, node in enumerate(joint.primals):
        value = node.meta.get("val")
        if free_unbacked_symbols(value):
            raise _depends_on_data(f"an input of size {value if isinstance(value, torch.SymInt) else value.shape}")
        if isinstance(value, torch.SymInt):
            expression = value.node.expr
            if expression.is_Symbol and expression not in found:
                found[expression] = SizeInput(expression, position)
            wanted |= expression.free_symbols
        elif isinstance(value, torch.Tensor):
            wanted |= _symbols_of(value)
        elif isinstance(value, (torch.SymFloat, torch.SymBool)):
            raise CaptureError(f"input {node.name} is a {type(value).__name__}; pass a tensor or a fixed number")
    missing = wanted - set(found)
    if missing:
        raise CaptureError(
            f"the sizes {sorted(map(str, missing))} of the inputs are not handed to the captured graph by themselves; "
            "ask for budgeted(..., dynamic=False), which plans every combination of shapes"
        )
    return tuple(found.values())


def _symbols_of(tensor: torch.Tensor) -> set[Any]:
    symbols: set[Any] = set()
    for extent in (*tensor.shape, *tensor.stride()):
        if isinstance(extent, torch.SymInt):
            symbols |= extent.node.expr.free_symbols
    return symbols


def hinted_sizes(joint: JointGraph, inputs: Sequence[SizeInput]) -> tuple[int, ...]:
    """The sizes of the call that the joint graph was traced for."""
    return tuple(int(joint.primals[i.position].meta["val"].node.hint) for i in inputs)


def bucket_of(sizes: Sequence[int]) -> tuple[int, ...]:
    """The largest sizes of the bucket that some sizes belong to: powers of two, and halfway between them.

    Example:
        >>> bucket_of([1, 5, 100, 130, 200])
        (1, 6, 128, 192, 256)
    """
    return tuple(_rounded_up(size) for size in sizes)


def _rounded_up(size: int) -> int:
    if size <= 2:
        return size
    power = 1 << (size - 1).bit_length()
    return 3 * power // 4 if size <= 3 * power // 4 else power


def evaluate(value: Any, sizes: Mapping[Any, int]) -> Any:
    """A size, or a number made of sizes, as a number."""
    if isinstance(value, (torch.SymInt, torch.SymFloat, torch.SymBool)):
        return evaluate_expression(value.node.expr, sizes)
    return value


def evaluate_expression(expression: Any, sizes: Mapping[Any, int]) -> int:
    """An expression of symbols as an int.

    Raises:
        CaptureError: it has a symbol whose value depends on data.
    """
    number = expression.xreplace(dict(sizes))
    if getattr(number, "free_symbols", None):
        raise _depends_on_data(f"a size of {expression}")
    return int(number)


def _depends_on_data(what: str) -> CaptureError:
    return CaptureError(
        f"the captured graph has {what}, which depends on what tensors contain (nonzero, boolean indexing, item); keep "
        "sizes fixed (torch.where and masks, or a library's setting that does), or budget the submodules around it"
    )


def at_sizes(joint: JointGraph, inputs: Sequence[SizeInput], sizes: Sequence[int]) -> JointGraph:
    """A joint graph with every symbol replaced by a number.

    Its nodes keep their values with symbols under ``SYMBOLIC``, to be emitted with.

    Raises:
        CaptureError: a size depends on data.
    """
    if not inputs:
        return joint
    binding = {i.symbol: size for i, size in zip(inputs, sizes, strict=True)}
    graph = fx.Graph()
    copies: dict[fx.Node, fx.Node] = {}
    output = graph.graph_copy(joint.module.graph, copies)
    (old_output,) = joint.module.graph.find_nodes(op="output")
    graph.output(output).meta = dict(old_output.meta)
    concrete = _Concrete(binding)
    for node in graph.nodes:
        if "val" in node.meta:
            symbolic = node.meta["val"]
            node.meta = {**node.meta, "val": concrete.value(symbolic), SYMBOLIC: symbolic}
    return read_joint_graph(fx.GraphModule(joint.module, graph), len(joint.forward_outputs))


def emitted_meta(node: fx.Node) -> dict[str, Any]:
    """The meta data of a node with the value that it has for any sizes."""
    meta = dict(node.meta)
    if SYMBOLIC in meta:
        meta["val"] = meta.pop(SYMBOLIC)
    return meta


def storage_expression(node: fx.Node, position: int | None = None) -> Any | None:
    """The bytes behind a node's value, or behind one of its results, as an expression of symbols; None if fixed."""
    value = node.meta.get(SYMBOLIC)
    if position is not None and isinstance(value, (list, tuple)):
        value = value[position]
    if not isinstance(value, torch.Tensor):
        return None
    size = value.untyped_storage().nbytes()
    return size.node.expr if isinstance(size, torch.SymInt) else None


def symbol_of(node: fx.Node) -> Any | None:
    """The symbol that an input of the graph carries; None if it is no size."""
    value = node.meta.get(SYMBOLIC, node.meta.get("val"))
    return value.node.expr if isinstance(value, torch.SymInt) else None


def size_expression(node: fx.Node) -> Any | None:
    """The size that a node asks a tensor for, as an expression of symbols; None for any other node."""
    if node.target is not torch.ops.aten.sym_size.int:
        return None
    value = node.meta.get(SYMBOLIC, node.meta["val"])
    return value.node.expr if isinstance(value, torch.SymInt) else sympy.Integer(int(value))


def same_symbolic_layout(first: fx.Node, second: fx.Node) -> bool:
    """Whether two tensors have one shape and one layout at any sizes, and not by chance at those of the plan."""
    ours, theirs = first.meta.get(SYMBOLIC), second.meta.get(SYMBOLIC)
    if not isinstance(ours, torch.Tensor) or not isinstance(theirs, torch.Tensor):
        return True
    return _layout(ours) == _layout(theirs)


def _layout(tensor: torch.Tensor) -> list[Any]:
    extents = (*tensor.shape, *tensor.stride(), tensor.untyped_storage().nbytes())
    return [extent.node.expr if isinstance(extent, torch.SymInt) else int(extent) for extent in extents]


class _Concrete:
    """Fake tensors of given sizes in the place of symbolic ones; those that share a storage go on doing so."""

    def __init__(self, sizes: Mapping[Any, int]) -> None:
        self._sizes = sizes
        self._mode = FakeTensorMode()
        self._storages: dict[int, torch.UntypedStorage] = {}
        self._keep: list[Any] = []

    def value(self, symbolic: Any) -> Any:
        if isinstance(symbolic, (list, tuple)):
            return [self.value(item) for item in symbolic]
        if isinstance(symbolic, torch.Tensor):
            return self._tensor(symbolic)
        return evaluate(symbolic, self._sizes)

    def _tensor(self, symbolic: torch.Tensor) -> torch.Tensor:
        shape, stride = ([evaluate(e, self._sizes) for e in extents] for extents in (symbolic.shape, symbolic.stride()))
        offset = evaluate(symbolic.storage_offset(), self._sizes)
        with self._mode:
            tensor = torch.empty((0,), dtype=symbolic.dtype, device=symbolic.device)
            tensor = tensor.set_(self._storage(symbolic), offset, shape, stride)  # type: ignore[call-overload]
            tensor = tensor.conj() if symbolic.is_conj() else tensor
            return torch._neg_view(tensor) if symbolic.is_neg() else tensor

    def _storage(self, symbolic: torch.Tensor) -> torch.UntypedStorage:
        storage = symbolic.untyped_storage()
        if storage._cdata not in self._storages:
            size = int(evaluate(storage.nbytes(), self._sizes))
            base = torch.empty((size,), dtype=torch.uint8, device=symbolic.device)
            self._keep += [storage, base]
            self._storages[storage._cdata] = base.untyped_storage()
        return self._storages[storage._cdata]

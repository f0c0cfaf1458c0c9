"""Operations that may write their result over an operand, and how that is called."""

from __future__ import annotations

from typing import Any

import torch
from torch import fx

aten = torch.ops.aten

# a + b and b + a are the same bits, so either operand may be the one that is overwritten.
_COMMUTATIVE = frozenset({aten.add.Tensor, aten.mul.Tensor})


def overwritable_operands(node: fx.Node) -> list[int]:
    """Positions of the operands that the result of an operation may be written over, bit for bit as if it were not."""
    if _in_place_target(node) is None:
        return []
    positions = [0]
    if node.target in _COMMUTATIVE and not node.kwargs and len(node.args) == 2:
        positions.append(1)
    return [p for p in positions if isinstance(node.args[p], fx.Node) and _fits(node, p)]


def in_place_call(node: fx.Node, position: int, arguments: tuple[Any, ...]) -> tuple[Any, tuple[Any, ...]]:
    """The operator and arguments that write the result of ``node`` over its operand at ``position``."""
    ordered = (arguments[position], *arguments[:position], *arguments[position + 1 :])
    return _in_place_target(node), ordered


def _in_place_target(node: fx.Node) -> Any | None:
    """The in-place twin of a functional operator: same arguments, the first one mutated."""
    target = node.target
    if not isinstance(target, torch._ops.OpOverload) or target.namespace != "aten" or target._schema.is_mutable:
        return None
    packet = getattr(aten, f"{target._schema.name.split('::')[1]}_", None)
    twin = getattr(packet, target._overloadname, None)
    if twin is None or torch.Tag.pointwise not in target.tags:
        return None
    ours = [(a.name, str(a.type)) for a in target._schema.arguments]
    theirs = [(a.name, str(a.type)) for a in twin._schema.arguments]
    return twin if ours == theirs else None


def _fits(node: fx.Node, position: int) -> bool:
    """Whether the operand is a whole storage laid out like the result, and shares it with no other operand."""
    operand = node.args[position].meta.get("val")  # type: ignore[union-attr]
    result = node.meta.get("val")
    if not isinstance(operand, torch.Tensor) or not isinstance(result, torch.Tensor):
        return False
    alike = (
        operand.dtype == result.dtype
        and operand.device == result.device
        and operand.shape == result.shape
        and operand.stride() == result.stride()
    )
    whole = operand.numel() * operand.element_size() == operand.untyped_storage().nbytes()
    key = operand.untyped_storage()._cdata
    others = [n.meta.get("val") for n in node.all_input_nodes if n is not node.args[position]]
    shared = any(isinstance(o, torch.Tensor) and o.untyped_storage()._cdata == key for o in others)
    return alike and whole and not shared and operand.numel() > 0

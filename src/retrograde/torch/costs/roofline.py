"""Costs without measuring: the larger of arithmetic over peak rate and bytes over bandwidth.

Source: Williams, Waterman and Patterson, "Roofline: an insightful visual performance model", 2009.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import fx
from torch.utils.flop_counter import flop_registry

from retrograde.torch.capture.operators import result_tensors

# Only ratios between operations matter to a planner, so a typical machine of each kind does.
_FLOPS_PER_SECOND = {"cpu": 1e11, "cuda": 1e14}
_BYTES_PER_SECOND = {"cpu": 2e10, "cuda": 2e12}
_LAUNCH_SECONDS = 2e-6


def roofline_seconds(node: fx.Node) -> float:
    """Estimated seconds of one operation of a graph whose nodes carry fake tensors."""
    operands = [n.meta.get("val") for n in node.all_input_nodes]
    result = node.meta.get("val")
    tensors = [*result_tensors(operands), *result_tensors(result)]
    if not tensors or _is_view(operands, result):
        return _LAUNCH_SECONDS
    device = tensors[-1].device.type
    traffic = sum(t.numel() * t.element_size() for t in tensors)
    seconds = max(
        _flops(node) / _FLOPS_PER_SECOND.get(device, 1e12),
        traffic / _BYTES_PER_SECOND.get(device, 1e11),
    )
    return _LAUNCH_SECONDS + seconds


def _flops(node: fx.Node) -> float:
    count = flop_registry.get(getattr(node.target, "overloadpacket", None))
    if count is None:
        return 0.0

    def operand(n: fx.Node) -> Any:
        return n.meta.get("val")

    arguments = fx.node.map_arg(node.args, operand)
    keywords = fx.node.map_arg(node.kwargs, operand)
    return float(count(*arguments, **keywords, out_val=node.meta.get("val")))


def _is_view(operands: list[Any], result: Any) -> bool:
    keys = {t.untyped_storage()._cdata for t in operands if isinstance(t, torch.Tensor)}
    made = result_tensors(result)
    return bool(made) and all(t.untyped_storage()._cdata in keys for t in made)

"""How NumPy spells the primitives: a table.

A spelling is a template: `{x}` is the operand of that name, `{*}` all operands, `{axis}` and the like a static
parameter as an argument that is left out where it is NumPy's default. Primitives that are NumPy functions of their own
name need none, and those that NumPy has no name for are imported from `retrograde.python.operations`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from retrograde.program.primitive import Primitive

TEMPLATES: dict[str, str] = {
    "reshape": "np.reshape({x}, {shape})",
    "transpose": "np.transpose({x}{axes})",
    "broadcast_to": "np.broadcast_to({x}, {shape})",
    "roll": "np.roll({x}, {shift}, axis={axis!})",
    "concatenate": "np.concatenate([{*}]{axis})",
    "stack": "np.stack([{*}]{axis})",
    "diagonal": "np.diagonal({x}{offset}{axis1}{axis2})",
    "tril": "np.tril({x}{k})",
    "triu": "np.triu({x}{k})",
    "trace": "np.trace({x}{offset}{axis1}{axis2})",
    "astype": "{x.}.astype({dtype!})",
    "convolve": "np.convolve({x}, {y})",
    "correlate": "np.correlate({x}, {y})",
    "sum": "np.sum({x}{axis}{keepdims})",
    "prod": "np.prod({x}{axis}{keepdims})",
    "any": "np.any({x}{axis}{keepdims})",
    "all": "np.all({x}{axis}{keepdims})",
    "max": "np.max({x}{axis}{keepdims})",
    "min": "np.min({x}{axis}{keepdims})",
    "argmax": "np.argmax({x}{axis}{keepdims})",
    "argmin": "np.argmin({x}{axis}{keepdims})",
    "nanargmax": "np.nanargmax({x}{axis}{keepdims})",
    "nanargmin": "np.nanargmin({x}{axis}{keepdims})",
    "var": "np.var({x}{axis}{keepdims}{ddof})",
    "std": "np.std({x}{axis}{keepdims}{ddof})",
    "cumsum": "np.cumsum({x}, axis={axis!})",
    "cumprod": "np.cumprod({x}, axis={axis!})",
    "argwhere": "np.argwhere({x})",
    "argsort": "np.argsort({x}, axis={axis!}, kind={kind!})",
    "argpartition": "np.argpartition({x}, {kth!}, axis={axis!})",
    "searchsorted": "np.searchsorted({a}, {v}, side={side!})",
    "round": "np.round({x}, {decimals!})",
    "rfft": "np.fft.rfft({x}, axis={axis!}, norm={norm!})",
    "irfft": "np.fft.irfft({x}, {length}, axis={axis!}, norm={norm!})",
    "slots": "{schedule.}.slots({count})",
    "sweep": "{schedule.}.sweep({count}, {snapshots})",
    "reversal": "{schedule.}.reversal({count}, {snapshots})",
    "arange": "np.arange({shape1}{dtype})",
    "copy": "{x.}.copy()",
    "zeros": "np.zeros({shape1}{dtype})",
    "full": "np.full({shape1}, {value}{dtype})",
}
"""By the name of the primitive."""

DEFAULTS: dict[str, Any] = {
    "keepdims": False,
    "ddof": 0,
    "offset": 0,
    "axis1": 0,
    "axis2": 1,
    "k": 0,
    "dtype": np.dtype(np.float64),
    "axis": 0,
}
"""What NumPy takes a parameter for where it is left out; of reductions, all axes."""

REDUCTIONS = frozenset({"sum", "prod", "any", "all", "max", "min", "var", "std"})
"""Primitives whose `axis` is a tuple, and by default all axes."""

SEARCHES = frozenset({"argmax", "argmin", "nanargmax", "nanargmin"})
"""Primitives whose `axis` is one or none."""

INFIX: dict[str, tuple[str, int]] = {
    "less": ("<", 4),
    "less_equal": ("<=", 4),
    "greater": (">", 4),
    "greater_equal": (">=", 4),
    "equal": ("==", 4),
    "not_equal": ("!=", 4),
    "bitwise_or": ("|", 5),
    "bitwise_xor": ("^", 6),
    "bitwise_and": ("&", 7),
    "add": ("+", 9),
    "subtract": ("-", 9),
    "multiply": ("*", 10),
    "divide": ("/", 10),
    "floor_divide": ("//", 10),
    "remainder": ("%", 10),
    "matmul": ("@", 10),
}
"""Operators, and how strongly each binds."""

_HOMES: tuple[tuple[str, Any], ...] = (("np", np), ("np.linalg", np.linalg))


@cache
def numpy_name(primitive: Primitive) -> str | None:
    """The NumPy function that a primitive is, as the text writes it."""
    evaluate: Callable[..., Any] = primitive.evaluate
    name = getattr(evaluate, "__name__", "")
    return next((f"{home}.{name}" for home, module in _HOMES if getattr(module, name, None) is evaluate), None)

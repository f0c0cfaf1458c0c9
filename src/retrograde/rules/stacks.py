"""Primitives on stacks, which transformations of programs use: a stack has a value for each iteration of a loop."""

# Rules are lambdas over anything that speaks NumPy's protocols: there is nothing for a type checker to know.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from typing import Any

import numpy as np

from retrograde.program.primitive import Primitive
from retrograde.rules.type_rules import like_first


def _add_stacks(x: Any, y: Any) -> Any:
    return [_add_stacks(*pair) if isinstance(pair[0], list) else np.add(*pair) for pair in zip(x, y, strict=True)]


def _zero_stack(x: Any) -> Any:
    return [_zero_stack(part) if isinstance(part, list) else np.zeros_like(part) for part in x]


add_stacks = Primitive(
    "add_stacks",
    _add_stacks,
    ("x", "y"),
    result=like_first,
    reverse={"x": lambda g: g, "y": lambda g: g},
    forward={"x": lambda d: d, "y": lambda d: d},
)

zero_stack = Primitive("zero_stack", _zero_stack, ("x",), result=like_first)

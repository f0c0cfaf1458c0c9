"""A tangent through one operation, by its forward rules; and how the result of an operation curves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias

import numpy as np

from retrograde.autodiff.cotangents import cast
from retrograde.autodiff.tape.recipes import reading
from retrograde.program.primitive import PRIMITIVES, Array, Primitive
from retrograde.program.types import is_differentiable

Moving: TypeAlias = list[tuple[int, Array]]
"""Positions of operands that move, with their tangents."""

Order: TypeAlias = Literal["constant", "linear", "bilinear", "curved"]


def push_forward(
    primitive: Primitive, moving: Moving, values: Any, out: Any, static: Mapping[str, Any]
) -> tuple[Array | None, ...] | None:
    """The tangent of each result of an operation; None for a result without one, and if no operand has a rule.

    Args:
        primitive: what was applied.
        moving: the operands that have a tangent. The others are constants.
        values: all operands.
        out: the result, or the tuple of the results.
        static: the static parameters.
    """
    if primitive.variadic:
        given = dict(moving)
        moving = [(0, tuple(given.get(at, np.zeros_like(value)) for at, value in enumerate(values)))]
    pushes = [(push, d) for position, d in moving if (push := push_of(primitive, position)) is not None]
    if not pushes:
        return None
    shares = [push(d, values, out, static) for push, d in pushes]
    if primitive.outputs:
        return tuple(fitted_sum(result, parts) for result, *parts in zip(out, *shares, strict=True))
    return (fitted_sum(out, shares),)


def fitted_sum(out: Array, shares: list[Array]) -> Array | None:
    """The sum of the shares of a result's tangent, if the result can have one."""
    if not is_differentiable(out.dtype):
        return None
    first, *others = [fit_up(share, out.shape, out.dtype) for share in shares]
    for other in others:
        first = first + other
    return first


def fit_up(tangent: Array, shape: tuple[Any, ...], dtype: np.dtype[Any]) -> Array:
    """A tangent in the shape and dtype of the result: broadcast as the operand was, its real part taken, cast."""
    if tangent.shape != shape:
        tangent = PRIMITIVES["broadcast_to"](tangent, shape)
    return tangent if tangent.dtype == dtype else cast(tangent, dtype)


def push_of(primitive: Primitive, position: int) -> Callable[..., Array] | None:
    """The forward rule for the operand at a position, called with `d`, the operands, the result and the parameters."""
    key = ("forward", position)
    if key not in primitive.recipes:
        rule = primitive.forward.get(primitive.names(position + 1)[position])
        push = None
        if rule is not None:
            arguments = "".join(f", {reading(primitive, name)}" for name in rule.reads)
            names: dict[str, Any] = {"rule": rule.function, "shape": np.shape}
            push = eval(f"lambda d, operands, out, static: rule(d{arguments})", names)
        primitive.recipes[key] = push
    return primitive.recipes[key]


def order_of(primitive: Primitive, positions: tuple[int, ...]) -> Order:
    """How the result depends on the operands at some positions together, as far as the declarations say it.

    "constant": not at all, in a way that has a derivative; "linear"; "bilinear": linear in each of two; "curved":
    anything else. What is said to be linear has the same derivative everywhere, because no rule reads what moves.
    """
    key = ("order", positions)
    if key not in primitive.recipes:
        primitive.recipes[key] = _order_of(primitive, positions)
    return primitive.recipes[key]


def _order_of(primitive: Primitive, positions: tuple[int, ...]) -> Order:
    if primitive.variadic:
        return "linear" if primitive.forward else "constant"
    moving = {primitive.operands[position] for position in positions}
    names = moving & set(primitive.forward)
    if not names:
        return "constant"
    moved = moving | set(primitive.outputs or ("out",))
    if all(moved.isdisjoint(primitive.forward[name].reads) for name in names):
        return "linear"
    return "bilinear" if len(names) == 2 and names <= set(primitive.linear) else "curved"


def reads_results(primitive: Primitive, positions: tuple[int, ...]) -> bool:
    """Whether a forward rule for one of the operands reads a result of the operation."""
    results = set(primitive.outputs or ("out",))
    names = [primitive.names(position + 1)[position] for position in positions]
    return any(name in primitive.forward and results.intersection(primitive.forward[name].reads) for name in names)

"""Normalization: mean 0 and mean square 1 over some axes. It keeps its result and one number for each mean."""

# Rules are lambdas over anything that speaks NumPy's protocols: there is nothing for a type checker to know.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from typing import Any

import numpy as np

from retrograde.program.primitive import Array, Primitive
from retrograde.program.types import ArrayType

Axes = tuple[int, ...]


def _normalize(x: Array, axis: Axes, epsilon: float, centered: bool) -> tuple[Array, Array, Array]:
    mean = np.mean(x, axis=axis, keepdims=True) if centered else np.zeros_like(np.sum(x, axis=axis, keepdims=True))
    out = x - mean
    square = np.mean(out * out, axis=axis, keepdims=True)
    out /= np.sqrt(square + epsilon)
    return out, mean, square


def _types(x: ArrayType, axis: Axes, **_: Any) -> Any:
    means = ArrayType(x.dtype, tuple(1 if at in axis else size for at, size in enumerate(x.sizes)))
    return x, means, means


def _reverse(
    g: tuple[Array | None, ...], normal: Array, square: Array, x_shape: Any, axis: Axes, epsilon: float, centered: bool
) -> Array:
    g_normal, g_mean, g_square = g
    scale = 1.0 / np.sqrt(square + epsilon)
    count = 1
    for at in axis:
        count = count * x_shape[at]
    shares: list[Array] = []
    if g_normal is not None:
        moved = g_normal - normal * np.mean(g_normal * normal, axis=axis, keepdims=True)
        shares.append(scale * (moved - np.mean(g_normal, axis=axis, keepdims=True) if centered else moved))
    if g_mean is not None:
        shares.append(np.broadcast_to(g_mean / count if centered else 0.0 * g_mean, x_shape))
    if g_square is not None:
        shares.append(normal * (g_square * 2.0 / (scale * count)))
    return sum(shares[1:], start=shares[0])


def _forward(
    d: Array, normal: Array, square: Array, axis: Axes, epsilon: float, centered: bool
) -> tuple[Array, Array, Array]:
    scale = 1.0 / np.sqrt(square + epsilon)
    mean = np.mean(d, axis=axis, keepdims=True)
    along = np.mean(d * normal, axis=axis, keepdims=True)
    moved = d - mean if centered else d
    return scale * (moved - normal * along), mean if centered else 0.0 * mean, along * 2.0 / scale


normalize = Primitive(
    "normalize",
    _normalize,
    ("x",),
    static=("axis", "epsilon", "centered"),
    result=_types,
    reverse={"x": _reverse},
    forward={"x": _forward},
    outputs=("normal", "mean", "square"),
)
"""(x - mean) / sqrt(mean square of it + epsilon), the mean, and the mean square; means keep their axes. Not centered,
the mean is taken for 0."""

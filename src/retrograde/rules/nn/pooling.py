"""Pooling over windows: their largest elements, their means, and the transposes.

The largest element of a window is remembered by its place there, a byte for each result, and the input need not be
kept. Where several are largest, the first counts.
"""

# Rules are lambdas over anything that speaks NumPy's protocols: there is nothing for a type checker to know.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from retrograde.program.primitive import Array, Primitive
from retrograde.program.types import ArrayType
from retrograde.rules.elementwise.masking import masked_bits
from retrograde.rules.nn.windows import Windows, pad

_STATIC = ("windows",)


def _lowest(dtype: np.dtype[Any]) -> Any:
    return np.iinfo(dtype).min if dtype.kind in "iu" else -np.inf


def _place_dtype(windows: Windows) -> np.dtype[Any]:
    return np.min_scalar_type(prod(windows.kernel))


def _counts(x: Array, windows: Windows) -> tuple[int, ...]:
    return windows.counts(x.shape[-len(windows.kernel) :])


def _parts(padded: Array, windows: Windows, counts: tuple[int, ...]) -> list[Array]:
    """For each place in a window the elements that are there."""
    return [padded[(..., *place)] for place in windows.places(counts)]


def _max_pool(x: Array, windows: Windows) -> tuple[Array, Array]:
    parts = _parts(pad(x, windows, _lowest(x.dtype)), windows, _counts(x, windows))
    out = parts[0].copy()
    for part in parts[1:]:
        np.maximum(out, part, out=out)
    return out, _first_place(parts, out)


def _first_place(parts: list[Array], largest: Array) -> Array:
    """The number of the first part that has the largest element; 0 where that is NaN."""
    dtype = np.min_scalar_type(len(parts))
    nowhere = np.iinfo(dtype).max
    place = np.full_like(largest, nowhere, dtype=dtype)
    for at, part in enumerate(parts):
        # All bits where the part is not the largest, none where it is.
        other = (part == largest).astype(dtype) - dtype.type(1)
        np.minimum(place, other | dtype.type(at), out=place)
    np.copyto(place, 0, where=place == nowhere)
    return place


def _pooled(x: ArrayType, windows: Windows) -> ArrayType:
    axes = len(windows.kernel)
    return ArrayType(x.dtype, (*x.sizes[:-axes], *windows.types(x.sizes[-axes:])))


def _max_pooled(x: ArrayType, windows: Windows) -> Any:
    out = _pooled(x, windows)
    return out, ArrayType(_place_dtype(windows), out.sizes)


max_pool = Primitive(
    "max_pool",
    _max_pool,
    ("x",),
    static=_STATIC,
    result=_max_pooled,
    reverse={"x": lambda g, place, x_shape, windows: scatter_windows(g[0], place, x_shape, windows=windows)},
    forward={"x": lambda d, place, windows: (pick_windows(d, place, windows=windows), None)},
    outputs=("largest", "place"),
)
"""The largest element of each window over the last axes, and the number of its place there."""


def _pick(x: Array, place: Array, windows: Windows) -> Array:
    parts = _parts(pad(x, windows), windows, _counts(x, windows))
    out = np.zeros_like(x, shape=place.shape)
    for at, part in enumerate(parts):
        out += masked_bits(part, place == at)
    return out


pick_windows = Primitive(
    "pick_windows",
    _pick,
    ("x", "place"),
    static=_STATIC,
    result=lambda x, place, windows: ArrayType(x.dtype, place.sizes),
    reverse={"x": lambda g, place, x_shape, windows: scatter_windows(g, place, x_shape, windows=windows)},
    linear=("x",),
)
"""The element of each window that is at a given place there."""


def _scatter(y: Array, place: Array, shape: tuple[int, ...], windows: Windows) -> Array:
    extents = shape[-len(windows.kernel) :]
    out = np.zeros_like(y, shape=(*shape[: -len(extents)], *windows.padded(extents)))
    for at, part in enumerate(_parts(out, windows, windows.counts(extents))):
        part += masked_bits(y, place == at)
    return out if out.shape == shape else out[(..., *windows.inside(extents))]


scatter_windows = Primitive(
    "scatter_windows",
    _scatter,
    ("y", "place", "shape"),
    static=_STATIC,
    result=lambda y, place, shape, windows: ArrayType(y.dtype, shape),
    reverse={"y": lambda g, place, windows: pick_windows(g, place, windows=windows)},
    linear=("y",),
)
"""The transpose of `pick_windows`."""


def _shares(extents: tuple[int, ...], windows: Windows, count_padding: bool, dtype: Any) -> Array:
    """The weight of an element in the mean of each window that it is in."""
    out = np.ones((), dtype)
    for axis, extent in enumerate(extents):
        one = windows.along(axis)
        before, behind = one.padding[0]
        line = np.zeros(one.padded((extent,)), dtype)
        line[(slice(0, before + extent + behind) if count_padding else one.inside((extent,))[0])] = 1
        out = out[..., None] * sum(_parts(line, one, one.counts((extent,))))
    return 1 / out


def _avg_pool(x: Array, windows: Windows, count_padding: bool) -> Array:
    first, *others = _parts(pad(x, windows), windows, _counts(x, windows))
    out = first.copy()
    for part in others:
        out += part
    out *= _shares(x.shape[-len(windows.kernel) :], windows, count_padding, x.dtype)
    return out


def _spread(y: Array, shape: tuple[int, ...], windows: Windows, count_padding: bool) -> Array:
    extents = shape[-len(windows.kernel) :]
    y = y * _shares(extents, windows, count_padding, y.dtype)
    out = np.zeros_like(y, shape=(*shape[: -len(extents)], *windows.padded(extents)))
    for part in _parts(out, windows, windows.counts(extents)):
        part += y
    return out if out.shape == shape else out[(..., *windows.inside(extents))]


avg_pool = Primitive(
    "avg_pool",
    _avg_pool,
    ("x",),
    static=("windows", "count_padding"),
    result=lambda x, windows, count_padding: _pooled(x, windows),
    reverse={
        "x": lambda g, x_shape, windows, count_padding: spread_windows(
            g, x_shape, windows=windows, count_padding=count_padding
        )
    },
    linear=("x",),
)
"""The mean of each window over the last axes; whether padding counts as elements."""

spread_windows = Primitive(
    "spread_windows",
    _spread,
    ("y", "shape"),
    static=("windows", "count_padding"),
    result=lambda y, shape, windows, count_padding: ArrayType(y.dtype, shape),
    reverse={"y": lambda g, windows, count_padding: avg_pool(g, windows=windows, count_padding=count_padding)},
    linear=("y",),
)
"""The transpose of `avg_pool`."""

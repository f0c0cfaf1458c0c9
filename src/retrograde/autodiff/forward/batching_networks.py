"""How convolutions and pooling take a batch at once: directions become samples, or channels. See `batching.py`."""

from __future__ import annotations

from typing import Any

import numpy as np

from retrograde.autodiff.forward.batching import Operands, Places, Static, batches, everywhere
from retrograde.program.primitive import PRIMITIVES, Array, Primitive


@batches("max_pool", "avg_pool")
def _pooled(primitive: Primitive, operands: Operands, places: Places, count: int, static: Static) -> Any:
    """Windows are over the last axes."""
    return primitive(operands[0], **static)


@batches("pick_windows")
def _picked(primitive: Primitive, operands: Operands, places: Places, count: int, static: Static) -> Any:
    return primitive(operands[0], everywhere(operands[1], count), **static) if places == [0] else None


@batches("scatter_windows", "spread_windows")
def _unpooled(primitive: Primitive, operands: Operands, places: Places, count: int, static: Static) -> Any:
    *arrays, shape = operands
    if places != [0]:
        return None
    return primitive(arrays[0], *(everywhere(array, count) for array in arrays[1:]), (count, *shape), **static)


@batches("convolution")
def _convolved(primitive: Primitive, operands: Operands, places: Places, count: int, static: Static) -> Any:
    x, w = operands
    if places == [0]:
        return _apart(primitive(_merged(x), w, **static), count)
    if places == [1] and static["groups"] == 1:
        return _channels_apart(primitive(x, _merged(w), **static), count)
    return None


@batches("convolution_to_inputs")
def _to_inputs(primitive: Primitive, operands: Operands, places: Places, count: int, static: Static) -> Any:
    y, w, shape = operands
    if places != [0]:
        return None
    return _apart(primitive(_merged(y), w, (count * shape[0], *shape[1:]), **static), count)


@batches("convolution_to_kernels")
def _to_kernels(primitive: Primitive, operands: Operands, places: Places, count: int, static: Static) -> Any:
    x, y, shape = operands
    if places != [1] or static["groups"] != 1:
        return None
    samples_first = PRIMITIVES["transpose"](y, axes=(1, 0, *range(2, np.ndim(y))))
    samples, _, channels, *rest = np.shape(samples_first)
    merged = PRIMITIVES["reshape"](samples_first, (samples, count * channels, *rest))
    return _apart(primitive(x, merged, (count * shape[0], *shape[1:]), **static), count)


def _merged(stack: Array) -> Array:
    """The first two axes as one."""
    count, samples, *rest = np.shape(stack)
    return PRIMITIVES["reshape"](stack, (count * samples, *rest))


def _apart(array: Array, count: int) -> Array:
    """The first axis as two, of which the first is that of the directions."""
    total, *rest = np.shape(array)
    return PRIMITIVES["reshape"](array, (count, total // count, *rest))


def _channels_apart(array: Array, count: int) -> Array:
    samples, total, *rest = np.shape(array)
    split = PRIMITIVES["reshape"](array, (samples, count, total // count, *rest))
    return PRIMITIVES["transpose"](split, axes=(1, 0, *range(2, np.ndim(split))))

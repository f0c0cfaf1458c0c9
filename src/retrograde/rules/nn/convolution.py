"""Convolution over any number of axes, and its two transposes; the three differentiate to each other.

Windows are copied into the columns of a matrix, which the kernel multiplies (Chellapilla, Puri and Simard 2006), but
never more than a block of them at once: the columns of all windows would take as often the memory of the input as a
kernel has elements.
"""

# Rules are lambdas over anything that speaks NumPy's protocols: there is nothing for a type checker to know.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np

from retrograde.errors import UsageError
from retrograde.program.primitive import Array, Primitive
from retrograde.program.types import ArrayType
from retrograde.rules.elementwise.arithmetic import conj
from retrograde.rules.nn.windows import Ints, Pads, Windows
from retrograde.rules.type_rules import dtype_of

BLOCK_BYTES = 1 << 21


class _Columns:
    """The columns of a convolution, block by block.

    Args:
        shape: of the input: samples, channels, and the axes that windows slide over.
        windows: how they slide.
        groups: into how many the channels are split, each with kernels of its own.
        dtype: of the columns.
    """

    def __init__(self, shape: Ints, windows: Windows, groups: int, dtype: Any) -> None:
        samples, self.channels, *extents = shape
        self.extents = tuple(extents)
        self.windows = windows
        self.groups = groups
        self.counts = windows.counts(self.extents)
        height = self.channels * prod(windows.kernel)
        each = max(1, height * prod(self.counts) * np.dtype(dtype).itemsize)
        self.together = max(1, min(samples, BLOCK_BYTES // each))
        rows = self.counts[0]
        self.rows = rows if self.together > 1 else max(1, min(rows, rows * BLOCK_BYTES // each))
        self.samples = samples
        self.padded = np.zeros((self.together, self.channels, *windows.padded(self.extents)), dtype)
        self.inside = self.padded[(..., *windows.inside(self.extents))]

    def blocks(self) -> Iterator[tuple[slice, bool, slice, bool]]:
        """The samples of each block, and its rows of windows; whether these are the first and the last rows."""
        for sample in range(0, self.samples, self.together):
            samples = slice(sample, min(self.samples, sample + self.together))
            for row in range(0, self.counts[0], self.rows):
                rows = slice(row, min(self.counts[0], row + self.rows))
                yield samples, row == 0, rows, rows.stop == self.counts[0]

    def of(self, x: Array) -> Iterator[tuple[slice, slice, Array]]:
        """The samples and rows of each block, and its columns: group, place in the window, window."""
        for samples, first, rows, _ in self.blocks():
            count = samples.stop - samples.start
            if first:
                self.inside[:count] = x[samples]
            view = self.windows.view(self.padded[:count], self.counts)
            axes = len(self.counts)
            view = view[(slice(None),) * (2 + axes) + (rows,)]
            order = (*range(1, 2 + axes), 0, *range(2 + axes, 2 + 2 * axes))
            columns = np.ascontiguousarray(view.transpose(order))
            yield samples, rows, columns.reshape(self.groups, self._height, prod(columns.shape[1 + axes :]))

    @property
    def _height(self) -> int:
        return self.channels // self.groups * prod(self.windows.kernel)

    def add(self, samples: slice, rows: slice, columns: Array) -> None:
        """Add the columns of a block to the elements that they came from, in `padded`."""
        count = samples.stop - samples.start
        inner = (rows.stop - rows.start, *self.counts[1:])
        parts = columns.reshape(self.channels, prod(self.windows.kernel), count, *inner)
        stride = self.windows.strides[0]
        moved = self.padded[:count, :, rows.start * stride :].swapaxes(0, 1)
        for at, place in enumerate(self.windows.places(inner)):
            moved[(slice(None), slice(None), *place)] += parts[:, at]


def _by_group(y: Array, samples: slice, rows: slice, groups: int) -> Array:
    """A block of results: group, channel of the group, window."""
    block = y[samples, :, rows].swapaxes(0, 1)
    return np.ascontiguousarray(block).reshape(groups, y.shape[1] // groups, prod(block.shape[1:]))


def _flat(w: Array, groups: int) -> Array:
    """Kernels: group, channel out, place in the window."""
    return w.reshape(groups, w.shape[0] // groups, prod(w.shape[1:]))


def _convolution(x: Array, w: Array, strides: Ints, padding: Pads, dilation: Ints, groups: int) -> Array:
    _check(x.shape, w.shape, groups)
    windows = Windows(w.shape[2:], strides, padding, dilation)
    dtype = np.result_type(x, w)
    columns = _Columns(x.shape, windows, groups, dtype)
    kernels = _flat(w, groups)
    out = np.empty_like(x, dtype=dtype, shape=(x.shape[0], w.shape[0], *columns.counts))
    for samples, rows, block in columns.of(x):
        target = out[samples, :, rows].swapaxes(0, 1)
        target[...] = np.matmul(kernels, block).reshape(target.shape)
    return out


def _to_inputs(y: Array, w: Array, shape: Ints, strides: Ints, padding: Pads, dilation: Ints, groups: int) -> Array:
    windows = Windows(w.shape[2:], strides, padding, dilation)
    flipped = _flipped_padding(windows)
    if set(strides) == {1} and min(flipped, default=0) >= 0 and w.shape[0] <= 2 * shape[1]:
        return _convolution(
            y, _flipped(w, groups), strides, tuple(zip(flipped[::2], flipped[1::2], strict=True)), dilation, groups
        )
    dtype = np.result_type(y, w)
    columns = _Columns(shape, windows, groups, dtype)
    kernels = _flat(w, groups).swapaxes(1, 2)
    out = np.empty_like(y, dtype=dtype, shape=shape)
    for samples, first, rows, last in columns.blocks():
        if first:
            columns.padded[...] = 0
        columns.add(samples, rows, np.matmul(kernels, _by_group(y, samples, rows, groups)))
        if last:
            out[samples] = columns.inside[: samples.stop - samples.start]
    return out


def _flipped_padding(windows: Windows) -> Ints:
    """How much padding around the results makes a convolution of them as large as the inputs."""
    reaches = ((size - 1) * step for size, step in zip(windows.kernel, windows.dilation, strict=True))
    return tuple(reach - side for reach, sides in zip(reaches, windows.padding, strict=True) for side in sides)


def _flipped(w: Array, groups: int) -> Array:
    """The kernels with which a convolution of steps of 1 is transposed."""
    parts = w.reshape(groups, w.shape[0] // groups, *w.shape[1:]).swapaxes(1, 2)
    parts = parts[(..., *[slice(None, None, -1)] * (w.ndim - 2))]
    return parts.reshape(groups * w.shape[1], w.shape[0] // groups, *w.shape[2:])


def _to_kernels(x: Array, y: Array, shape: Ints, strides: Ints, padding: Pads, dilation: Ints, groups: int) -> Array:
    windows = Windows(shape[2:], strides, padding, dilation)
    dtype = np.result_type(x, y)
    columns = _Columns(x.shape, windows, groups, dtype)
    out = np.zeros_like(x, dtype=dtype, shape=shape)
    kernels = _flat(out, groups)
    for samples, rows, block in columns.of(x):
        kernels += np.matmul(_by_group(y, samples, rows, groups), block.swapaxes(1, 2))
    return out


def _check(shape: tuple[Any, ...], kernel: tuple[Any, ...], groups: int) -> None:
    """Whether channels and groups go together, as far as they are known."""
    channels, (out, into) = shape[1], kernel[:2]
    if len(shape) != len(kernel):
        raise UsageError(
            f"a convolution of an input of shape {shape} with kernels of shape {kernel} was asked for; the input has "
            "samples, channels and the axes to slide over, the kernels channels out, channels in and the same axes"
        )
    if not all(isinstance(part, int) for part in (channels, out, into)):
        return
    if channels != into * groups or out % groups:
        raise UsageError(
            f"a convolution of {channels} channels with kernels of shape {kernel} in {groups} groups was asked for; "
            f"kernels of {channels} / groups channels in, and a multiple of the groups of channels out, go together"
        )


_STATIC = ("strides", "padding", "dilation", "groups")


def _slid(x: ArrayType, w: ArrayType, strides: Ints, padding: Pads, dilation: Ints, groups: int) -> ArrayType:
    _check(x.sizes, w.sizes, groups)
    kernel = w.sizes[2:]
    counts = (
        Windows((size,), (strides[at],), (padding[at],), (dilation[at],)).types((extent,))[0]
        if isinstance(size, int)
        else None
        for at, (size, extent) in enumerate(zip(kernel, x.sizes[2:], strict=True))
    )
    return ArrayType(dtype_of(x, w), (x.sizes[0], w.sizes[0], *counts))


def _of_third(x: ArrayType, y: ArrayType, shape: Any, **_: Any) -> ArrayType:
    return ArrayType(dtype_of(x, y), shape)


convolution = Primitive(
    "convolution",
    _convolution,
    ("x", "w"),
    static=_STATIC,
    result=_slid,
    reverse={
        "x": lambda g, w, x_shape, strides, padding, dilation, groups: convolution_to_inputs(
            g, conj(w), x_shape, strides=strides, padding=padding, dilation=dilation, groups=groups
        ),
        "w": lambda g, x, w_shape, strides, padding, dilation, groups: convolution_to_kernels(
            conj(x), g, w_shape, strides=strides, padding=padding, dilation=dilation, groups=groups
        ),
    },
    linear=("x", "w"),
)
"""Samples of channels, with kernels that slide over the other axes."""

convolution_to_inputs = Primitive(
    "convolution_to_inputs",
    _to_inputs,
    ("y", "w", "shape"),
    static=_STATIC,
    result=_of_third,
    reverse={
        "y": lambda g, w, strides, padding, dilation, groups: convolution(
            g, conj(w), strides=strides, padding=padding, dilation=dilation, groups=groups
        ),
        "w": lambda g, y, w_shape, strides, padding, dilation, groups: convolution_to_kernels(
            g, conj(y), w_shape, strides=strides, padding=padding, dilation=dilation, groups=groups
        ),
    },
    linear=("y", "w"),
)
"""The transpose of a convolution with given kernels: from results to inputs of a shape."""

convolution_to_kernels = Primitive(
    "convolution_to_kernels",
    _to_kernels,
    ("x", "y", "shape"),
    static=_STATIC,
    result=_of_third,
    reverse={
        "x": lambda g, y, x_shape, strides, padding, dilation, groups: convolution_to_inputs(
            conj(y), g, x_shape, strides=strides, padding=padding, dilation=dilation, groups=groups
        ),
        "y": lambda g, x, strides, padding, dilation, groups: convolution(
            conj(x), g, strides=strides, padding=padding, dilation=dilation, groups=groups
        ),
    },
    linear=("x", "y"),
)
"""The transpose of a convolution of given inputs: from results to kernels of a shape."""

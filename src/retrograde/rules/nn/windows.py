"""Where windows lie that slide over the last axes of an array: of convolutions and of pooling."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from retrograde.errors import UsageError
from retrograde.program.primitive import Array
from retrograde.program.types import Extent

Ints: TypeAlias = tuple[int, ...]
Pads: TypeAlias = tuple[tuple[int, int], ...]


class Windows(NamedTuple):
    """Windows over some axes: their extents, the steps between them, the padding around, the steps inside.

    With `ceil`, a last window may reach over the end of the padded array, if it begins before the padding behind.
    """

    kernel: Ints
    strides: Ints
    padding: Pads
    dilation: Ints
    ceil: bool = False

    def number(self, axis: int, extent: int) -> int:
        """How many windows there are along an axis of an extent.

        Raises:
            UsageError: a window does not fit into the padded axis.
        """
        before, behind = self.padding[axis]
        reach = (self.kernel[axis] - 1) * self.dilation[axis] + 1
        room = extent + before + behind - reach
        if room < 0:
            raise UsageError(
                f"a window that reaches over {reach} elements was to slide over {extent} elements, padded by {before} "
                f"and {behind}; pad more, or take a smaller window or dilation"
            )
        stride = self.strides[axis]
        found = -(-room // stride) if self.ceil else room // stride
        if self.ceil and found * stride >= extent + before:
            found -= 1
        return found + 1

    def along(self, axis: int) -> Windows:
        """The windows along one axis alone."""
        kernel, strides, padding, dilation, ceil = self
        return Windows((kernel[axis],), (strides[axis],), (padding[axis],), (dilation[axis],), ceil)

    def counts(self, extents: Ints) -> Ints:
        """How many windows there are along each axis."""
        return tuple(self.number(axis, extent) for axis, extent in enumerate(extents))

    def types(self, extents: tuple[Extent, ...]) -> tuple[Extent, ...]:
        """The same of extents that may be known to the run only."""
        return tuple(self.number(at, extent) if isinstance(extent, int) else None for at, extent in enumerate(extents))

    def padded(self, extents: Ints) -> Ints:
        """The extents of an array that every window lies in."""
        return tuple(
            max(extent + before + behind, (count - 1) * stride + (size - 1) * step + 1)
            for extent, (before, behind), count, stride, size, step in zip(
                extents, self.padding, self.counts(extents), self.strides, self.kernel, self.dilation, strict=True
            )
        )

    def inside(self, extents: Ints) -> tuple[slice, ...]:
        """Where in the padded array the array itself is."""
        return tuple(slice(before, before + extent) for extent, (before, _) in zip(extents, self.padding, strict=True))

    def places(self, counts: Ints) -> Iterator[tuple[slice, ...]]:
        """For each place in a window, in order: the elements of the padded array that are there in some window."""
        for place in product(*map(range, self.kernel)):
            yield tuple(
                slice(at * step, at * step + (count - 1) * stride + 1, stride)
                for at, step, stride, count in zip(place, self.dilation, self.strides, counts, strict=True)
            )

    def view(self, padded: Any, counts: Ints) -> Any:
        """A view of a padded array with the axes (leading, places in a window, windows)."""
        axes = len(self.kernel)
        leading, steps = padded.strides[:-axes], padded.strides[-axes:]
        inner = tuple(step * dilation for step, dilation in zip(steps, self.dilation, strict=True))
        outer = tuple(step * stride for step, stride in zip(steps, self.strides, strict=True))
        shape = (*padded.shape[:-axes], *self.kernel, *counts)
        return np.lib.stride_tricks.as_strided(padded, shape, (*leading, *inner, *outer), writeable=False)


def pad(x: Array, windows: Windows, fill: Any = 0) -> Array:
    """An array with what is around it; itself where there is nothing."""
    axes = len(windows.kernel)
    extents = x.shape[-axes:]
    padded = windows.padded(extents)
    if padded == extents:
        return x
    out = np.full_like(x, fill, shape=(*x.shape[:-axes], *padded))
    out[(..., *windows.inside(extents))] = x
    return out

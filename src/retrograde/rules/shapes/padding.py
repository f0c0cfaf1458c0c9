"""`numpy.pad`: axis after axis, as NumPy does it. A mode that repeats elements gathers them; the others join parts."""

# The arrays are anything that speaks NumPy's protocols: there is nothing for a type checker to know.
# pyright: reportUnknownArgumentType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from retrograde.errors import UnsupportedError, UsageError
from retrograde.program.primitive import Array
from retrograde.program.spelling import spells
from retrograde.rules.indexing.items import scatter
from retrograde.rules.shapes.joining import as_array
from retrograde.rules.shapes.reshaping import broadcast_to
from retrograde.rules.shapes.sizes import is_known, known_shape

_OPTIONS = {
    "constant": {"constant_values": 0},
    "linear_ramp": {"end_values": 0},
    "edge": {},
    "wrap": {},
    "reflect": {"reflect_type": "even"},
    "symmetric": {"reflect_type": "even"},
    "maximum": {"stat_length": None},
    "mean": {"stat_length": None},
    "median": {"stat_length": None},
    "minimum": {"stat_length": None},
}


def _along(axis: int, part: slice) -> tuple[slice, ...]:
    return (*(slice(None) for _ in range(axis)), part)


_STATISTICS: dict[str, Callable[..., Any]] = {
    "maximum": np.max,
    "mean": np.mean,
    "median": np.median,
    "minimum": np.min,
}


@spells(np.pad)
def _pad(array: Array, pad_width: Any, mode: Any = "constant", **kwargs: Any) -> Array:
    options = _options(mode, kwargs)
    widths = _pairs(pad_width, array.ndim, "pad_width")
    if any(width < 0 for pair in widths for width in pair):
        raise UsageError(f"pad by widths {widths}; a width is 0 or more (a slice takes elements away)")
    if mode == "constant" and isinstance(options["constant_values"], (int, float)) and not options["constant_values"]:
        return _in_zeros(array, widths)
    ((name, value),) = options.items() or (("", None),)
    values = _pairs(value, array.ndim, name)
    out = array.copy() if not any(map(any, widths)) else array
    for axis, (pair, own) in enumerate(zip(widths, values, strict=True)):
        if any(pair):
            out = _padded(out, axis, pair, mode, own)
    return out


def _options(mode: Any, given: dict[str, Any]) -> dict[str, Any]:
    if mode == "empty" or callable(mode) or mode not in _OPTIONS:
        raise UnsupportedError(
            f"pad with mode {mode!r} has no derivative rule (what stands in the padding is unknown); use one of "
            f"{', '.join(_OPTIONS)}, or np.concatenate with what is to stand there"
        )
    unknown = set(given) - set(_OPTIONS[mode])
    if unknown:
        raise UsageError(f"pad in mode {mode!r} was given {sorted(unknown)}; it takes {sorted(_OPTIONS[mode])}")
    return {**_OPTIONS[mode], **given}


def _pairs(value: Any, rank: int, name: str) -> list[tuple[Any, Any]]:
    """What is said for both sides of each axis: as NumPy, one value, one pair, or a pair or a value for each axis."""
    if isinstance(value, dict):
        chosen: list[tuple[Any, Any]] = [(0, 0)] * rank
        for axis, pair in value.items():  # pyright: ignore[reportUnknownVariableType]
            chosen[axis] = tuple(np.broadcast_to(pair, 2).tolist())  # pyright: ignore[reportUnknownArgumentType]
        return chosen
    if value is None or isinstance(value, str):
        return [(value, value)] * rank
    if name in ("pad_width", "stat_length"):
        return [tuple(pair) for pair in np.broadcast_to(np.round(value).astype(int), (rank, 2)).tolist()]
    pairs = np.broadcast_to(as_array(value), (rank, 2))
    return [(pairs[axis, 0], pairs[axis, 1]) for axis in range(rank)]


def _in_zeros(x: Array, widths: list[tuple[Any, Any]]) -> Array:
    index = tuple(slice(before, before + extent) for (before, _), extent in zip(widths, x.shape, strict=True))
    shape = tuple(before + extent + after for (before, after), extent in zip(widths, x.shape, strict=True))
    return scatter(x, index, shape) if index else x.copy()


def _padded(x: Array, axis: int, widths: tuple[int, int], mode: Any, value: tuple[Any, Any]) -> Array:
    """An array padded along one axis. `value` is what the mode's option says for the two sides."""
    if mode != "constant" and is_known(x.shape[axis]) and not x.shape[axis]:
        raise UsageError(f"pad in mode {mode!r} along axis {axis}, which has no elements to take; pad in another mode")
    if mode in ("constant", "linear_ramp") or mode in _STATISTICS:
        return _joined(x, axis, widths, lambda after, width: _side(x, axis, after, width, mode, value[after]))
    size = known_shape(x, f"pad in mode {mode!r}")[axis]
    if value[0] == "odd" and size > 1:
        return _turned(x, axis, widths, mode)
    if max(widths) < size:
        return _joined(x, axis, widths, lambda after, width: _copied(x, axis, after, width, mode))
    places: Any = np.pad(np.arange(size), widths, mode)
    return np.take(x, places, axis=axis)


def _joined(x: Array, axis: int, widths: tuple[int, int], side: Callable[[int, int], Array]) -> Array:
    """An array between what a function of the side (0 or 1) and its width makes."""
    before, after = ([side(at, width)] if width else [] for at, width in enumerate(widths))
    return np.concatenate((*before, x, *after), axis)


def _copied(x: Array, axis: int, after: int, width: int, mode: str) -> Array:
    """The part of an array that a mode takes to stand before or after it."""
    size = x.shape[axis]
    if mode == "edge":
        edge = x[_along(axis, slice(-1, None) if after else slice(None, 1))]
        return broadcast_to(edge, (*x.shape[:axis], width, *x.shape[axis + 1 :]))
    if mode == "wrap":
        return x[_along(axis, slice(0, width) if after else slice(size - width, size))]
    skip = mode == "reflect"
    start = size - skip - width if after else skip
    return np.flip(x[_along(axis, slice(start, start + width))], axis)


def _side(x: Array, axis: int, after: int, width: int, mode: str, value: Any) -> Array:
    """What stands before or after an array."""
    shape = (*x.shape[:axis], width, *x.shape[axis + 1 :])
    if mode == "constant":
        return broadcast_to(as_array(value).astype(x.dtype), shape)
    if mode == "linear_ramp":
        edge = x[_along(axis, slice(-1, None) if after else slice(None, 1))]
        steps = np.arange(width, dtype=x.dtype).reshape(-1, *[1] * (x.ndim - axis - 1))
        return (value + (steps[::-1] if after else steps) * ((edge - value) / max(width, 1))).astype(x.dtype)
    size = known_shape(x, f"pad in mode {mode!r}")[axis]
    count = size if value is None else min(int(value), size)
    ends = slice(size - count, None) if after else slice(None, count)
    middle = _STATISTICS[mode](x[_along(axis, ends)], axis=axis, keepdims=True)
    return np.broadcast_to(middle, shape).astype(x.dtype)


def _turned(x: Array, axis: int, widths: tuple[int, int], mode: str) -> Array:
    """Reflected with `reflect_type="odd"`: turned by half a turn about the edges, as often as the width needs it."""
    before, after = widths
    skip = mode == "reflect"
    period = x.shape[axis] - skip
    while before or after:
        left, right = min(before, period), min(after, period)
        first, last = x[_along(axis, slice(None, 1))], x[_along(axis, slice(-1, None))]
        size = x.shape[axis]
        at_left = np.flip(x[_along(axis, slice(skip, skip + left))], axis)
        at_right = np.flip(x[_along(axis, slice(size - skip - right, size - skip))], axis)
        x = np.concatenate((2 * first - at_left, x, 2 * last - at_right), axis)
        before, after = before - left, after - right
    return x

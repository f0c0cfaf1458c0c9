"""Arguments as people write them: an int for every axis, padding by name, reductions by name."""

# What NumPy gives for arrays of any kind has no type to check.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import numpy as np

from retrograde.errors import UsageError
from retrograde.program.kinds import is_tuple
from retrograde.program.primitive import Array

Ints: TypeAlias = int | tuple[int, ...]
Padding: TypeAlias = int | tuple[Any, ...] | Literal["same", "valid"]
Reduction: TypeAlias = Literal["mean", "sum", "none"]


def as_array(x: Any) -> Array:
    """What has a dtype as it is, and anything else as a NumPy array or number."""
    return x if hasattr(x, "dtype") else np.asarray(x)[()]


def as_floating(x: Any) -> Array:
    """The same, in float64 if it is neither floating nor complex."""
    x = as_array(x)
    return x.astype(np.float64) if x.dtype.kind in "biu" else x


def for_each_axis(value: Any, axes: int, name: str, least: int = 1) -> tuple[int, ...]:
    """An int for each axis.

    Raises:
        UsageError: there are more or fewer, one is no int, or less than `least`.
    """
    values: tuple[Any, ...] = tuple(value) if isinstance(value, (tuple, list)) else (value,) * axes
    if len(values) != axes or not all(isinstance(item, (int, np.integer)) and item >= least for item in values):
        raise UsageError(
            f"{name}={value!r} was given for {axes} axes; give an int of {least} or more, or {axes} of them"
        )
    return tuple(map(int, values))


def pads_of(padding: Padding, kernel: tuple[int, ...], strides: tuple[int, ...], dilation: tuple[int, ...]) -> Any:
    """Padding before and behind each axis.

    Raises:
        UsageError: it is none of what can be asked for; "same" with steps that are not 1.
    """
    axes = len(kernel)
    if padding == "valid":
        return ((0, 0),) * axes
    if padding == "same":
        if set(strides) != {1}:
            raise UsageError(
                f'padding="same" was asked for with steps of {strides}, which make the result smaller; give the '
                "padding in ints"
            )
        reaches = [(size - 1) * step for size, step in zip(kernel, dilation, strict=True)]
        return tuple((reach // 2, reach - reach // 2) for reach in reaches)
    if isinstance(padding, str):
        raise UsageError(f'padding={padding!r} was given; it is "same", "valid", an int, or ints or pairs of ints')
    if is_tuple(padding) and any(isinstance(part, (tuple, list)) for part in padding):
        if len(padding) != axes:
            raise UsageError(f"padding={padding!r} has {len(padding)} entries for {axes} axes; give one for each")
        return tuple(
            (part, part) if isinstance(part, int) else for_each_axis(tuple(part), 2, "padding", 0) for part in padding
        )
    return tuple((pad, pad) for pad in for_each_axis(padding, axes, "padding", 0))


def known(sizes: tuple[Any, ...], what: str) -> tuple[int, ...]:
    """Sizes that have to be ints already where a program is built.

    Raises:
        UsageError: only the run knows one.
    """
    if not all(isinstance(size, (int, np.integer)) for size in sizes):
        raise UsageError(f"{what} takes sizes that are known before the run; give the program's input ints for them")
    return tuple(map(int, sizes))


def per_channel(v: Any, axes: int) -> Array:
    """A value for each channel, to go with arrays of samples, channels and more axes."""
    v = as_array(v)
    if not v.ndim:
        return v
    return np.reshape(v, (v.shape[0],) + (1,) * (axes - 2))


def reduced(losses: Array, reduction: Reduction, count: Any = None) -> Array:
    """Losses as they are, their sum, or their mean: the sum divided by a count (of the losses, if not given).

    Raises:
        UsageError: another reduction was asked for.
    """
    if reduction == "none":
        return losses
    if reduction == "sum":
        return np.sum(losses)
    if reduction == "mean":
        # A plain int leaves the dtype as it is.
        count = int(count) if isinstance(count, np.integer) else count
        return np.mean(losses) if count is None else np.sum(losses) / count
    raise UsageError(f'reduction={reduction!r} was given; it is "mean", "sum" or "none"')

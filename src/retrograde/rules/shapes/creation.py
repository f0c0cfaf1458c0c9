"""Arrays made like another one, and grids of coordinates."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from retrograde.errors import UnsupportedError, UsageError
from retrograde.program.kinds import as_extents
from retrograde.program.primitive import PRIMITIVES, Array
from retrograde.program.spelling import spells
from retrograde.program.types import is_differentiable
from retrograde.rules.shapes.axes import at_least, common_shape
from retrograde.rules.shapes.joining import as_array
from retrograde.rules.shapes.reshaping import broadcast_to, reshape


def _like(a: Array, dtype: Any, shape: Any) -> Array:
    """Zeros: tracked if tracked values can be written into them, plain if the dtype has no derivative."""
    dtype = a.dtype if dtype is None else np.dtype(dtype)
    extents = a.shape if shape is None else as_extents(shape)
    if not is_differentiable(dtype):
        a = PRIMITIVES["stop_gradient"](a)
    return a.zeros(extents, dtype) if hasattr(a, "zeros") else np.zeros_like(a, dtype=dtype, shape=extents)


@spells(np.zeros_like, np.empty_like)
def _zeros_like(
    a: Array, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None, *, device: Any = None
) -> Array:
    _refuse_device(device)
    return _like(a, dtype, shape)


@spells(np.full_like)
def _full_like(
    a: Array,
    fill_value: Any,
    dtype: Any = None,
    order: str = "K",
    subok: bool = True,
    shape: Any = None,
    *,
    device: Any = None,
) -> Array:
    _refuse_device(device)
    return PRIMITIVES["update"](_like(a, dtype, shape), Ellipsis, fill_value)


@spells(np.ones_like)
def _ones_like(
    a: Array, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None, *, device: Any = None
) -> Array:
    return _full_like(a, 1, dtype, shape=shape, device=device)


def _refuse_device(device: Any) -> None:
    if device not in (None, "cpu"):
        raise UnsupportedError(
            f'an array on device {device!r} was asked for; NumPy knows "cpu" alone, and an array is on the device of '
            "the one that it is made like"
        )


@spells(np.copy)
def _copy(a: Array, order: str = "K", subok: bool = False) -> Array:
    return a.copy()


@spells(np.meshgrid)
def _meshgrid(*xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> tuple[Array, ...]:
    if indexing not in ("xy", "ij"):
        raise UsageError(f'meshgrid with indexing={indexing!r}; it is "xy" or "ij"')
    arrays = list(map(as_array, xi))
    rank = len(arrays)
    axes = [1, 0, *range(2, rank)] if indexing == "xy" and rank > 1 else list(range(rank))
    grids = [
        reshape(x, tuple(np.size(x) if at == axis else 1 for at in range(rank)))
        for x, axis in zip(arrays, axes, strict=True)
    ]
    if not sparse:
        shape = tuple(np.size(arrays[axis]) for axis in axes)
        grids = [broadcast_to(grid, shape) for grid in grids]
    return tuple(grid.copy() for grid in grids) if copy else tuple(grids)


@spells(np.ix_)
def _ix(*args: Any) -> tuple[Array, ...]:
    rank = len(args)
    arrays = [np.flatnonzero(x) if x.dtype.kind == "b" else x for x in map(as_array, args)]
    return tuple(np.reshape(x, tuple(-1 if at == axis else 1 for at in range(rank))) for axis, x in enumerate(arrays))


@spells(np.vander)
def _vander(x: Array, N: int | None = None, increasing: bool = False) -> Array:
    if x.ndim != 1:
        raise UsageError(f"vander of an array of {x.ndim} axes; give a vector")
    count = operator.index(x.shape[0] if N is None else N)
    powers = [np.ones_like(x)]
    for _ in range(count - 1):
        powers.append(powers[-1] * x)
    columns = powers[:count] if increasing else powers[:count][::-1]
    return np.stack(columns, axis=-1) if columns else x[:, None][:, :0]


@spells(np.linspace)
def _linspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: Any = None,
    axis: int = 0,
    *,
    device: Any = None,
) -> Any:
    _refuse_device(device)
    num = operator.index(num)
    start, stop = as_array(start) * 1.0, as_array(stop) * 1.0
    shape = common_shape([start, stop])
    gaps = num - 1 if endpoint else num
    step = (stop - start) / gaps if gaps > 0 else (stop - start) * np.nan
    turns = np.arange(num, dtype=step.dtype).reshape(-1, *[1] * len(shape))
    rows = turns * step + start if gaps > 0 else turns * (stop - start) + start
    if endpoint and num > 1:
        rows = np.concatenate((rows[:-1], np.broadcast_to(stop, (1, *shape)).astype(rows.dtype)))
    rows = np.moveaxis(rows, 0, axis) if axis else rows
    rows = rows if dtype is None else rows.astype(dtype)
    return (rows, step) if retstep else rows


@spells(np.logspace)
def _logspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, base: Any = 10.0, dtype: Any = None, axis: int = 0
) -> Array:
    if np.ndim(base):
        rank = max(map(np.ndim, (start, stop, base)))
        start, stop = at_least(as_array(start), rank), at_least(as_array(stop), rank)
        base = np.expand_dims(at_least(as_array(base), rank), axis)
    exponents: Any = np.linspace(start, stop, num, endpoint, axis=axis)  # pyright: ignore[reportUnknownVariableType]
    out: Any = np.power(base, exponents)  # pyright: ignore[reportUnknownArgumentType]
    return out if dtype is None else out.astype(dtype)

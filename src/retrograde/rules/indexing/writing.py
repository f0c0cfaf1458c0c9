"""NumPy functions that write into an array. Each puts a new version behind the array's name, as `x[i] = v` does."""

# Rules are lambdas over anything that speaks NumPy's protocols: there is nothing for a type checker to know.
# pyright: reportUnknownLambdaType=false, reportUnknownArgumentType=false, reportUnknownMemberType=false

from __future__ import annotations

from typing import Any

import numpy as np

from retrograde.errors import UsageError
from retrograde.program.primitive import Array
from retrograde.program.spelling import spells
from retrograde.rules.indexing.selecting import within
from retrograde.rules.shapes.joining import as_array
from retrograde.rules.shapes.sizes import known_shape, known_values, writable


def _cycled(values: Any, count: int) -> Array:
    """Values in a row, again and again, until there are as many as are written."""
    flat = np.reshape(as_array(values), (-1,))
    if not flat.shape[0] and count:
        raise UsageError(f"{count} elements were to be written with the values of an empty array; give it values")
    return flat if flat.shape[0] == count else np.take(flat, np.arange(count) % flat.shape[0])


@spells(np.put)
def _put(a: Array, ind: Any, v: Any, mode: str = "raise") -> None:
    a = writable(a, "put")
    shape = known_shape(a, "put")
    size = int(np.prod(shape))
    places = np.asarray(ind).reshape(-1).astype(np.intp)
    if mode == "raise" and places.size and not -size <= places.min() <= places.max() < size:
        raise IndexError(f"put at {places.min()} to {places.max()} in an array of {size} elements; give places in it")
    places = places % size if mode == "raise" else within(places, size, mode)
    if places.size:
        values = _cycled(v, places.size)
        a[np.unravel_index(places, shape) if shape else ...] = values if shape else values[-1]


def _full_mask(mask: Any, shape: tuple[int, ...], name: str) -> Any:
    mask = np.asarray(known_values(mask, name), bool)
    if mask.size != np.prod(shape):
        raise UsageError(f"{name} with a mask of shape {mask.shape} for an array of shape {shape}; give equal shapes")
    return mask.reshape(shape)


@spells(np.putmask)
def _putmask(a: Array, /, mask: Any, values: Any) -> None:
    a = writable(a, "putmask")
    shape = known_shape(a, "putmask")
    mask = _full_mask(mask, shape, "putmask")
    if mask.any():
        a.replace(np.where(mask, np.reshape(_cycled(values, mask.size), shape), a))


@spells(np.place)
def _place(arr: Array, mask: Any, vals: Any) -> None:
    arr = writable(arr, "place")
    mask = _full_mask(mask, known_shape(arr, "place"), "place")
    if mask.any():
        arr[mask] = _cycled(vals, int(np.count_nonzero(mask)))


@spells(np.copyto)
def _copyto(dst: Array, src: Any, casting: Any = "same_kind", where: Any = True) -> None:
    dst = writable(dst, "copyto")
    if hasattr(src, "dtype") and not np.can_cast(src.dtype, dst.dtype, casting):
        raise UsageError(
            f"copyto of {src.dtype} to {dst.dtype} by casting={casting!r}, which forbids it; use astype, or another "
            "casting"
        )
    value = as_array(src).astype(dst.dtype)
    dst.replace(np.broadcast_to(value, dst.shape) if where is True else np.where(where, value, dst))


@spells(np.fill_diagonal)
def _fill_diagonal(a: Array, val: Any, wrap: bool = False) -> None:
    a = writable(a, "fill_diagonal")
    shape = known_shape(a, "fill_diagonal")
    if len(shape) < 2 or (len(shape) > 2 and len(set(shape)) > 1):
        raise UsageError(f"fill_diagonal of an array of shape {shape}; give a matrix, or an array of equal sizes")
    end = shape[1] * shape[1] if len(shape) == 2 and not wrap else int(np.prod(shape))
    step = shape[1] + 1 if len(shape) == 2 else 1 + int(np.cumprod(shape[:-1]).sum())
    places = np.arange(0, min(end, int(np.prod(shape))), step)
    if places.size:
        a[np.unravel_index(places, shape)] = _cycled(val, places.size)
